"""Lesson 04: two maps joined, the encoder's first."""

import torch
import torch.nn.functional as F

from ..core import Exercise
from ..values import NotYet, kind

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


def _grown(x, height, width):
    """x with its last row and column repeated, by looking each place up."""
    rows, columns = (torch.arange(n).clamp(max=m - 1) for n, m in ((height, x.shape[2]), (width, x.shape[3])))
    return x[:, :, rows][..., columns]


def _draw_join(got, want):
    from course_lib import plot

    skip = want.shape[1] // 2
    kinds = ["encoder"] * skip + ["decoder"] * (want.shape[1] - skip)
    return plot.channels({"yours": got.detach()[0], "expected": want[0]}, {"expected": kinds})


def _join_part(t, sizes):
    for (h, w), (height, width) in sizes:
        x = torch.arange(1.0, 2 * h * w + 1).reshape(1, 2, h, w)
        skip = -torch.arange(1.0, 2 * height * width + 1).reshape(1, 2, height, width)
        given = f"x of {h} × {w} and a skip of {height} × {width}, two channels each"
        try:
            got = t.call(x, skip)
        except NotYet as stopped:
            more = ""
            if "Sizes of tensors" in stopped.message:
                more = (
                    " Does `x` have the skip's height and width by then? (In `F.pad` the first pair of numbers "
                    "is for the columns.)"
                )
            t.fail(f"For {given} your code stopped{stopped.message.partition('your code stopped')[2]}{more}")
        large = _grown(x, height, width)
        want = torch.cat([skip, large], 1)
        if isinstance(got, torch.Tensor) and got.shape == (1, 4, h, w) != want.shape:
            t.fail(
                f"For {given}: expected shape {tuple(want.shape)}, got {tuple(got.shape)}. This cuts the "
                "skip; let `x` grow instead."
            )
        if isinstance(got, torch.Tensor) and got.shape[1:3] == (2, 2 * height):
            t.fail(
                f"For {given}: expected shape {tuple(want.shape)}, got {tuple(got.shape)}. This puts one map "
                "below the other; channels are axis 1."
            )
        if isinstance(got, torch.Tensor) and got.shape == (1, 2, height, width):
            t.fail(
                f"For {given}: expected shape {tuple(want.shape)}, got {tuple(got.shape)}. This adds the "
                "maps; put them side by side."
            )
        zeros = F.pad(x, (0, width - w, 0, height - h))
        front = F.pad(x, (width - w, 0, height - h, 0), mode="replicate")
        known = [(torch.cat([large, skip], 1), "The decoder's channels come first here; the encoder's should.")]
        corner = large.clone()
        corner[:, :, h:, w:] = 0
        first = "The first row or column is repeated here, below or on the right; repeat the last."
        for other, meaning in (
            (corner, "The corner is missing: grow the height first, then the width of what came out."),
            (F.pad(x, (0, width - w, 0, height - h), mode="circular"), first),
            (
                F.pad(x, (0, width - w, 0, height - h), mode="reflect"),
                "The last row or column but one is repeated here; repeat the last.",
            ),
            (zeros, "What was missing is 0 here; repeat the row or column before it."),
            (front, "The first row or column is repeated in place of the last, which shifts the map."),
            (
                F.pad(x, (width - w, 0, height - h, 0)),
                "Zeros are put in front, which shifts the map; it lacks its last row or column.",
            ),
            (
                F.interpolate(x, size=(height, width), mode="nearest-exact"),
                "This stretches the map, and repeats another row or column than the last.",
            ),
            *(
                (
                    F.interpolate(x, size=(height, width), mode="bilinear", align_corners=corners),
                    "This stretches the whole map; only the last row or column is missing.",
                )
                for corners in (False, True)
            ),
        ):
            known += [
                (torch.cat([skip, other], 1), meaning),
                (torch.cat([other, skip], 1), meaning + " And the encoder's channels come first."),
            ]
        t.close(got, want, given, known, tolerance=1e-5, picture=_draw_join)


@join.part("equal sizes: the encoder's channels first", 0.5)
def _(t):
    h, w = t.random.randint(3, 4), t.random.randint(5, 6)
    _join_part(t, [((h, w), (h, w))])


@join.part("a row or a column too few", 0.5)
def _(t):
    h, w = t.random.randint(3, 4), t.random.randint(3, 5)
    _join_part(t, [((h, w), (h + 1, w)), ((h, w), (h, w + 1))])


@join.part("both too few", 0.5)
def _(t):
    h, w = t.random.randint(3, 4), t.random.randint(3, 5)
    _join_part(t, [((h, w), (h + 1, w + 1))])


@join.part("batches, other channels, gradients", 0.5)
def _(t):
    x, skip = t.tensor(3, 2, 4, 5).requires_grad_(), t.tensor(3, t.random.randint(4, 6), 4, 5).requires_grad_()
    got, (to_x, to_skip) = t.gradients(x, skip)
    given = f"x of shape {tuple(x.shape)} and skip of shape {tuple(skip.shape)}"
    want = (3, 2 + skip.shape[1], 4, 5)
    if not isinstance(got, torch.Tensor) or tuple(got.shape) != want:
        t.fail(f"For {given}: expected shape {want}, got {kind(got)}")
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
