"""Lesson 02: pixel shuffle by reshape, against torch's."""

import torch
import torch.nn.functional as F

from .. import pictures
from ..core import Exercise
from ..values import dtype_name, kind

shuffle_pixels = Exercise(
    "shuffle_pixels",
    hints=(
        "`split` has six axes, and the output four. Which two axes together make an output row, and which "
        "two a column?",
        "The output row is h·r + i, with i the row in the block, so that H must stand just before i. `permute` moves "
        "axes; `reshape` then joins neighbours.",
        "The six axes are B, C, i, j, H, W. They must come to read B, C, H, i, W, j before the last reshape. "
        "For each of these, write down at which place it stood: that list is what `permute` wants.",
    ),
    own_work={
        name: "This calls torch's own pixel shuffle. Do it with `reshape` and `permute`."
        for name in ("pixel_shuffle", "PixelShuffle", "conv_transpose2d")
    },
)


@shuffle_pixels.part("shape", 0.25)
def _(t):
    r, c = t.random.choice([2, 3]), t.random.choice([1, 3])
    x = t.tensor(2, c * r * r, 3, 5)
    got = t.call(x, r)
    want = (2, c, 3 * r, 5 * r)
    if not isinstance(got, torch.Tensor) or tuple(got.shape) != want:
        t.fail(f"For x of shape {tuple(x.shape)} and r={r}: expected a tensor of shape {want}, got {kind(got)}")


@shuffle_pixels.part("every value in its place", 0.75)
def _(t):
    for r, c in ((2, 1), (t.random.choice([2, 3]), 3)):
        h, w = t.random.randint(2, 4), t.random.randint(5, 7)
        x = torch.randperm(c * r * r * h * w, generator=t.generator).reshape(1, c * r * r, h, w)
        want = F.pixel_shuffle(x, r)
        six = x.reshape(1, c, r, r, h, w)
        known = [
            (
                x.reshape(1, c, h * r, w * r),
                "This only reads the numbers off in another shape; the axes must change places between the "
                "two reshapes.",
            ),
            (
                six.permute(0, 1, 4, 3, 5, 2).reshape(want.shape),
                "Within each block, rows and columns have changed places.",
            ),
            (
                six.permute(0, 1, 2, 4, 3, 5).reshape(want.shape),
                "The blocks are laid side by side as whole small pictures; each block should be one pixel's own.",
            ),
            (
                x.reshape(1, r, r, c, h, w).permute(0, 3, 4, 1, 5, 2).reshape(want.shape),
                "The channels are split as (r, r, C); torch's order is (C, r, r): neighbouring channels go "
                "to one block.",
            ),
        ]
        got = t.call(x, r)
        if isinstance(got, torch.Tensor) and got.dtype != x.dtype:
            t.fail(f"For x of dtype int64: got {dtype_name(got)}. Moving numbers does not change their type.")
        t.equal(got, want, f"x of shape {tuple(x.shape)}, r={r}", known, pictures.maps)
    t.unchanged("its argument.")
