"""Lesson 02: the pixels that one output pixel looks at, by the gradient."""

import torch
import torch.nn.functional as F

from ..causes import tabled
from ..core import Exercise
from ..values import NotYet, dtype_name, kind, same

poke = Exercise(
    "poke",
    hints=(
        "`image` wants gradients. After a `.backward()` they are in `image.grad`; on what do you call it?",
        "`out` has the shape (1, 1, h, w). Only one number has a gradient by `.backward()`, so pick the one "
        "output pixel first.",
        "Pick the output value at `[0, 0, h // 2, w // 2]`, call `.backward()` on it, and return the input's `.grad` "
        "without its first two axes.",
    ),
    own_work={
        name: "This asks the library, which pokes for you. Call `.backward()` on the one output pixel yourself."
        for name in ("influence", "box", "fields", "plot", "widgets")
    },
    takes=("layers", "size"),
)


def _draw_fields(got, want):
    from course_lib import plot

    return plot.grid([got.float(), want.float()], ["yours", "expected"])


def _extent(touched):
    rows = touched.any(1).nonzero()
    return int(rows.max() - rows.min())


VALUE = " This is the output itself. Its gradient is asked for: call `.backward()` on one pixel of it."
PROBES = [([(3, 1, 1), (3, 1, 1)], 9), ([(3, 2, 1), (3, 1, 2)], 11)]


def _squares(*rows):
    """For each row the map that is its product with itself; tests/checks/test_tables.py works the rows out."""
    return [torch.outer(row, row) for row in map(torch.tensor, rows)]


RIGHT = _squares([0.0, 0, 1, 2, 3, 2, 1, 0, 0], [0.0, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1])
OUTPUT = _squares([5.0, 8, 9, 9, 9, 9, 9, 8, 5], [5.0, 6, 8, 8, 6, 5])  # what the stack makes of an image of ones
SUMMED = _squares([5.0, 8, 9, 9, 9, 9, 9, 8, 5], [2.0, 4, 2, 5, 3, 6, 3, 5, 2, 4, 2])  # the gradient of its sum


def _makes(t, maps):
    """Whether these are what the answer gives on the probes."""
    return tabled(t, PROBES, RIGHT, [(maps, "This.")]) == " This."


def _weighed(t, got, want, given):
    """Fail where the places are right and the gradient itself is not."""
    if same(got / want.max(), want / want.max(), 1e-3):
        return
    place = divmod(int((got - want).abs().nan_to_num(9.0).argmax()), len(want))
    more = " All weights of the stack are 1, as it was given."
    if want.max() > 1 and same(got, (want > 0).float(), 1e-4):
        more = " This only says whether a pixel counts. Return the gradient as it is: it says how much."
    elif want.max() > 1 and same(got / got.max() * want.max(), want, 1e-3):
        more = f" All values are 1/{want.max() / got.max():g} of theirs. Return the gradient as it is, not scaled."
    t.fail(
        f"For {given}: the right pixels are not 0, but at {place} the gradient is {want[place]:g}, not "
        f"{got[place]:g}.{more}",
        lambda: _draw_fields(got, want),
    )


def _poke_part(t, layers, size):
    try:
        got = t.call(layers, size)
    except NotYet as stopped:
        if "does not require grad" in stopped.message:
            t.fail(stopped.message + " The output is cut off from the image: by `.detach()`, `.data` or `no_grad`?")
        if "IndexError" not in stopped.message or all(s == 1 for _, s, _ in layers):
            raise
        t.fail(
            stopped.message
            + " After a stride the output is smaller than the input: its middle is at its own h // 2, w // 2."
        )
    # One number after the other: what the middle of the output becomes where a single pixel of a row is 1.
    pokes = torch.eye(size)[:, None]
    for k, s, d in layers:
        pokes = F.conv1d(pokes, torch.ones(1, 1, k), stride=s, padding=d * (k - 1) // 2, dilation=d)
    middle = pokes.shape[-1]
    values = torch.outer(*[pokes[:, 0, middle // 2]] * 2)
    want = values > 0
    given = f"layers {layers} and size {size}"
    if not isinstance(got, torch.Tensor):
        more = " (`x.grad` is None, too, where the input does not want gradients.)" if got is None else ""
        t.fail(f"For {given}: expected a tensor of shape ({size}, {size}), got {kind(got)}{more}")
    if not got.is_floating_point():
        t.fail(f"For {given}: expected the gradient itself, a float tensor, got dtype {dtype_name(got)}.")
    if got.shape != want.shape:
        more = " Drop the first two axes." if tuple(got.shape) == (1, 1, size, size) else ""
        if got.dim() == 2 and tuple(got.shape) == (middle, middle) and _makes(t, OUTPUT):
            more = VALUE
        t.fail(f"For {given}: expected shape ({size}, {size}), got {tuple(got.shape)}.{more}")
    mine = got.detach() != 0
    if bool((mine == want).all()):
        _weighed(t, got.detach(), values, given)
        return
    many = int(mine.sum())
    count = (
        f"For {given}: the middle output pixel should look at {int(want.sum())} of the input's pixels; "
        f"{f'{many} pixels of yours are' if many != 1 else '1 pixel of yours is'} not 0."
    )
    if not mine.any():
        count += (
            " Nothing reaches the input. Has something cut the gradient, such as weights of 0 or a ReLU on a "
            "negative number?"
        )
    elif mine.all() and _makes(t, OUTPUT):
        count += VALUE
    elif mine.all() and _makes(t, SUMMED):
        count += " Every pixel counts here: poke one output pixel, not the sum of all of them."
    elif int(mine.sum()) == int(want.sum()) and _extent(mine) < _extent(want):
        count += (
            f" The taps stand too close: a layer here has them {max(d for _, _, d in layers)} pixels apart. Is "
            "`dilation=d` passed?"
        )
    elif int(mine.sum()) == int(want.sum()):
        count += (
            " The number is right and the place is not: take the output at `h // 2, w // 2` of its own h × w."
        )
    elif mine.sum() > want.sum() and bool(mine[want].all()):
        count += " The holes between dilated taps should stay 0." if any(d > 1 for _, _, d in layers) else ""
    elif bool(want[mine].all()):
        count += (
            " All yours are among them, some are missing: did positive and negative weights cancel, or was a "
            "layer left out?"
        )
    t.fail(count, lambda: _draw_fields(mine, want))  # where it is not 0


@poke.part("a plain stack", 0.5)
def _(t):
    for n in (3, 2):
        _poke_part(t, [(3, 1, 1)] * n, 2 * t.random.randint(8, 10) + 1)


@poke.part("strides", 0.5)
def _(t):
    size = t.random.randint(28, 36)
    for stride, more in ((2, 0), (1, 1), (2, 1)):  # odd and even sizes
        _poke_part(t, [(3, 2, 1), (3, 1, 1), (3, stride, 1)], size + more)


@poke.part("dilation and its holes", 0.5)
def _(t):
    _poke_part(t, [(3, 1, t.random.choice([3, 4, 5]))], 2 * t.random.randint(8, 10) + 1)
    _poke_part(t, [(3, 1, 2), (3, 1, t.random.choice([4, 6]))], 33)
    _poke_part(t, [(3, 2, 2), (3, 2, 1)], 13)
    _poke_part(t, [(3, 2, 2)], 9)


@poke.part("one pixel only", 0.5)
def _(t):
    size = 2 * t.random.randint(6, 10)
    _poke_part(t, [(1, 1, 1)], size)
    _poke_part(t, [(3, 1, 1)], size + 1)
