"""Lesson 04: two maps joined, the encoder's first."""

import torch
import torch.nn.functional as F

from ..causes import judge
from ..core import Exercise
from ..values import NotYet, kind, same

join = Exercise(
    "join",
    hints=(
        "Begin with sizes that agree: what puts two tensors side by side along an axis? Then look at what `x` lacks.",
        "First bring `x` to the skip's height, then to its width, each by a copy of its last row or column. "
        "`x[:, :, -1:]` is the last row.",
        '`F.pad(x, (left, right, top, bottom), mode="replicate")` repeats what is at the rim; here left and '
        "top are 0, and the others are given. Then `torch.cat` with the skip first, along axis 1.",
    ),
)


def _draw_join(got, want):
    from course_lib import plot

    skip = want.shape[1] // 2
    kinds = ["encoder"] * skip + ["decoder"] * (want.shape[1] - skip)
    return plot.channels({"yours": got.detach()[0], "expected": want[0]}, {"expected": kinds})


def _asked(t, x, skip, given):
    """What the answer makes of the two maps; where torch stops it for their sizes, what else it can join is told."""
    try:
        return t.call(x, skip)
    except NotYet as stopped:
        more = ""
        if "Sizes of tensors" in stopped.message:
            more = " Does `x` have the skip's height and width by then?"
            (h, w), (height, width) = x.shape[2:], skip.shape[2:]
            if (h == height) != (w == width) and _joins(t, x, (h + 1, w + 1)):
                more = " Where both are missing, your `x` gets there; where one is, it must grow that way alone."
            if (h, w) == (height, width):
                more = " The two sizes agree here, and nothing is to be added to `x`."
            more += " (In `F.pad` the first pair of numbers is for the columns.)"
        t.fail(f"For {given} your code stopped{stopped.message.partition('your code stopped')[2]}{more}")


def _joins(t, x, size):
    """Whether the answer returns a map of this size for x and a skip of it."""
    try:
        return t.call(x, x.new_zeros(1, 2, *size)).shape == (1, 4, *size)
    except (NotYet, AttributeError):
        return False


def _pairs(t, sizes):
    """(got, want, given, known mistakes, picture) of maps whose places are numbered, so that what was repeated shows.

    sizes  ((h, w), (height, width)) of the decoder's map and the skip
    """
    for (h, w), (height, width) in sizes:
        whole = torch.tensor([[[[1.0]], [[50.0]]]]) + torch.arange(height)[:, None] * 7.0 + torch.arange(width)
        x, skip = whole[:, :, :h, :w].clone(), -torch.arange(1.0, 2 * height * width + 1).reshape(1, 2, height, width)
        given = f"x of {h} × {w} and a skip of {height} × {width}, two channels each"
        got = _asked(t, x, skip, given)
        whole[:, :, h:] -= 7.0  # what was missing holds what stands before it
        whole[..., w:] -= 1.0
        after, before = (0, width - w, 0, height - h), (width - w, 0, height - h, 0)
        corner = whole.clone()
        corner[:, :, h:, w:] = 0
        stretched = "This stretches the whole map; only the last row or column is missing."
        grown = [
            (corner, "The corner is missing: grow the height first, then the width of what came out."),
            (
                F.pad(x, after, mode="circular"),
                "The first row or column is repeated here, below or on the right; repeat the last.",
            ),
            (
                F.pad(x, after, mode="reflect"),
                "The last row or column but one is repeated here; repeat the last.",
            ),
            (F.pad(x, after), "What was missing is 0 here; repeat the row or column before it."),
            (
                F.pad(x, before, mode="replicate"),
                "The first row or column is repeated in place of the last, which shifts the map.",
            ),
            (
                F.pad(x, before),
                "Zeros are put in front, which shifts the map; it lacks its last row or column.",
            ),
            (
                F.interpolate(x, size=(height, width), mode="nearest-exact"),
                "This stretches the map, and repeats another row or column than the last.",
            ),
            *(
                (F.interpolate(x, size=(height, width), mode="bilinear", align_corners=corners), stretched)
                for corners in (False, True)
            ),
            (F.interpolate(x, size=(height, width), mode="bicubic"), stretched),
        ]
        known = [
            (torch.cat([whole, skip], 1), "The decoder's channels come first here; the encoder's should."),
            (torch.cat([skip[:, :, :h, :w], x], 1), "This cuts the skip; let `x` grow instead."),
            (torch.cat([skip[:, :, height - h :, width - w :], x], 1), "This cuts the skip; let `x` grow instead."),
            (torch.stack([skip, whole], 1), "A stack has an axis more; `torch.cat` lengthens axis 1."),
            (torch.cat([skip, whole], 0), "One map follows the other in the batch, axis 0; channels are axis 1."),
            (torch.cat([skip, whole], 2), "This puts one map below the other; channels are axis 1."),
            (torch.cat([skip, whole], 3), "This puts one map to the right of the other; channels are axis 1."),
            (skip + whole, "This adds the maps; put them side by side."),
            (x, "This is `x` alone; the skip is missing."),
            (whole, "This is the decoder's map alone; the skip is missing."),
            (skip, "This is `skip` alone; `x` is missing."),
            *((torch.cat([skip, other], 1), meaning) for other, meaning in grown),
            *(
                (torch.cat([other, skip], 1), meaning + " And the encoder's channels come first.")
                for other, meaning in grown
            ),
        ]
        if isinstance(got, torch.Tensor) and got.shape == (1, 4, height, width):
            known.append((got, _seen(got, skip, x)))
        yield got, torch.cat([skip, whole], 1), given, known, _draw_join


def _seen(got, skip, x):
    """What is where, in a result of the right shape that no known mistake gives."""
    if not torch.equal(got[:, :2], skip):
        return "The first channels are not the skip's."
    if not torch.equal(got[:, 2:, : x.shape[2], : x.shape[3]], x):
        return "The skip is in its place; `x` has moved, or its values have changed."
    return "Both maps are in place; what has been added to `x` is not its last row or column."


@join.part("equal sizes: the encoder's channels first", 0.5)
def _(t):
    sizes = (t.random.randint(3, 4), t.random.randint(5, 6)), (t.random.randint(5, 6), 3)
    judge(t, _pairs(t, [(size, size) for size in sizes]), 1e-5)


@join.part("a row or a column too few", 0.5)
def _(t):
    sizes = [(t.random.randint(3, 4), t.random.randint(3, 5)), (5, t.random.randint(3, 4))]
    grown = [((h, w), more) for h, w in sizes for more in ((h + 1, w), (h, w + 1))]
    judge(t, _pairs(t, grown), 1e-5)


@join.part("both too few", 0.5)
def _(t):
    sizes = (t.random.randint(3, 4), t.random.randint(3, 5)), (5, 6)
    judge(t, _pairs(t, [((h, w), (h + 1, w + 1)) for h, w in sizes]), 1e-5)


@join.part("batches, other channels, gradients", 0.5)
def _(t):
    x, skip = t.tensor(3, 2, 4, 5).requires_grad_(), t.tensor(3, t.random.randint(4, 6), 4, 5).requires_grad_()
    got, (to_x, to_skip) = t.gradients(x, skip)
    given = f"x of shape {tuple(x.shape)} and skip of shape {tuple(skip.shape)}"
    want = (3, 2 + skip.shape[1], 4, 5)
    if not isinstance(got, torch.Tensor) or tuple(got.shape) != want:
        alone = next((n for n, m in (("x", x), ("skip", skip)) if same(got, m)), "")
        t.fail(f"For {given}: expected shape {want}, got {kind(got)}" + f" This is `{alone}` alone." * bool(alone))
    parts = sorted(
        ([got[:, : skip.shape[1]], got[:, skip.shape[1] :]], [got[:, 2:], got[:, :2]]),
        key=lambda p: not torch.equal(p[0], skip),
    )[0]
    if not torch.equal(parts[0], skip) or not torch.equal(parts[1], x):
        t.fail(f"For {given}, whose sizes agree: the result should hold both maps as they are, image by image.")
    for name, gradient in (("x", to_x), ("skip", to_skip)):
        if gradient is None or not gradient.any():
            t.fail(
                f"No gradient reaches `{name}`. Work on tensors throughout, without `.data`, `.detach()`, "
                "numpy, or `torch.tensor(...)`."
            )
    t.unchanged("one of its arguments. Make a new tensor.")
