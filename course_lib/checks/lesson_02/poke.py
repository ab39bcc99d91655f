"""Lesson 02: the pixels that one output pixel looks at, by the gradient."""

import torch

from ..core import Exercise
from ..values import NotYet, dtype_name, kind
from .sizes import conv_size

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
        for name in ("influence", "box")
    },
)


def _touched(layers, size):
    """Which of `size` input pixels in a row the middle output pixel looks at: bool (size,)."""
    sizes = [size]
    for k, s, d in layers:
        sizes.append(conv_size(sizes[-1], k, s, d * (k - 1) // 2, d))
    places = {sizes[-1] // 2}
    for (k, s, d), n in zip(reversed(layers), reversed(sizes[:-1])):
        places = {i * s + j * d - d * (k - 1) // 2 for i in places for j in range(k)}
        places = {i for i in places if 0 <= i < n}
    row = torch.zeros(size, dtype=torch.bool)
    row[sorted(places)] = True
    return row


def _draw_fields(got, want):
    from course_lib import plot

    return plot.grid([(got != 0).float(), want.float()], ["yours: where the gradient is not 0", "expected"])


def _extent(touched):
    rows = touched.any(1).nonzero()
    return int(rows.max() - rows.min())


def _poke_part(t, layers, size):
    try:
        got = t.call(layers, size)
    except NotYet as stopped:
        if "IndexError" not in stopped.message or all(s == 1 for _, s, _ in layers):
            raise
        t.fail(
            stopped.message
            + " After a stride the output is smaller than the input: its middle is at its own h // 2, w // 2."
        )
    row = _touched(layers, size)
    want = row[:, None] & row[None, :]
    given = f"layers {layers} and size {size}"
    if not isinstance(got, torch.Tensor):
        more = " (`x.grad` is None, too, where the input does not want gradients.)" if got is None else ""
        t.fail(f"For {given}: expected a tensor of shape ({size}, {size}), got {kind(got)}{more}")
    if not got.is_floating_point():
        t.fail(f"For {given}: expected the gradient itself, a float tensor, got dtype {dtype_name(got)}.")
    if got.shape != want.shape:
        more = " Drop the first two axes." if tuple(got.shape) == (1, 1, size, size) else ""
        t.fail(f"For {given}: expected shape ({size}, {size}), got {tuple(got.shape)}.{more}")
    mine = got.detach() != 0
    if bool((mine == want).all()):
        return
    count = (
        f"For {given}: the middle output pixel should look at {int(want.sum())} of the input's pixels; "
        f"{int(mine.sum())} pixels of yours are not 0."
    )
    if not mine.any():
        count += (
            " Nothing reaches the input. Has something cut the gradient, such as weights of 0 or a ReLU on a "
            "negative number?"
        )
    elif mine.all() and not want.all():
        count += " Every pixel counts here: poke one output pixel, not the sum of all of them."
    elif int(mine.sum()) == int(want.sum()) and _extent(mine) < _extent(want):
        count += (
            f" The taps stand too close: a layer here has them {max(d for _, _, d in layers)} pixels apart. Is "
            "`dilation=d` passed?"
        )
    elif int(mine.sum()) == int(want.sum()):
        count += (
            " The number is right and the place is not: take the output at `h // 2, w // 2` and pad each layer "
            "by d(k − 1)/2."
        )
    elif mine.sum() > want.sum() and bool(mine[want].all()):
        count += " The holes between dilated taps should stay 0." if any(d > 1 for _, _, d in layers) else ""
    elif bool(want[mine].all()):
        count += (
            " All yours are among them, some are missing: did positive and negative weights cancel, or was a "
            "layer left out?"
        )
    t.fail(count, lambda: _draw_fields(mine, want))


@poke.part("a plain stack", 0.5)
def _(t):
    _poke_part(t, [(3, 1, 1)] * t.random.randint(1, 3), 2 * t.random.randint(8, 10) + 1)


@poke.part("strides", 0.5)
def _(t):
    _poke_part(t, [(3, 2, 1), (3, 1, 1), (3, t.random.choice([1, 2]), 1)], t.random.randint(28, 36))


@poke.part("dilation and its holes", 0.5)
def _(t):
    _poke_part(t, [(3, 1, t.random.choice([3, 4, 5]))], 2 * t.random.randint(8, 10) + 1)
    _poke_part(t, [(3, 1, 2), (3, 1, t.random.choice([4, 6]))], 33)
    _poke_part(t, [(3, 2, 2), (3, 2, 1)], 13)
    _poke_part(t, [(3, 2, 2)], 9)


@poke.part("one pixel only", 0.5)
def _(t):
    size = t.random.randint(12, 20)
    _poke_part(t, [(1, 1, 1)], size)
    _poke_part(t, [(3, 1, 1)], size + 1)
