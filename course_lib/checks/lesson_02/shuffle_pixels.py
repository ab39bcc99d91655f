"""Lesson 02: pixel shuffle by reshape, against torch's."""

import torch
import torch.nn.functional as F

from .. import pictures
from ..causes import judge
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


def _shaped(t, got, x, r):
    """Fail unless the answer's shape is right."""
    batch, channels, h, w = x.shape
    want = (batch, channels // (r * r), r * h, r * w)
    if isinstance(got, torch.Tensor) and tuple(got.shape) == want:
        return
    more = ""
    if isinstance(got, torch.Tensor) and got.dim() == 4:
        if batch > 1 and tuple(got.shape) == (1, *want[1:]):
            more = " Only the first picture comes out; each of the batch should."
        elif want[1] > 1 and tuple(got.shape) == (batch, 1, *want[2:]):
            more = f" Only one channel comes out; {channels} channels make {want[1]}."
        elif r != 2 and tuple(got.shape) == (batch, channels // 4, 2 * h, 2 * w):
            more = " That is r = 2, whatever r is asked for."
    t.fail(f"For x of shape {tuple(x.shape)} and r={r}: expected a tensor of shape {want}, got {kind(got)}{more}")


@shuffle_pixels.part("shape", 0.25)
def _(t):
    for r, c, batch in ((2, 1, 2), (3, 3, 2), (3, 2, 1)):
        x = t.tensor(batch, c * r * r, 3, 5)
        _shaped(t, t.call(x, r), x, r)


@shuffle_pixels.part("every value in its place", 0.75)
def _(t):
    cases = []
    for r, c in ((2, 1), (2, 3), (3, 3)):
        h, w = t.random.randint(2, 4), t.random.randint(5, 7)
        x = torch.randperm(2 * c * r * r * h * w, generator=t.generator).reshape(2, c * r * r, h, w)
        want = F.pixel_shuffle(x, r)
        six = x.reshape(2, c, r, r, h, w)
        known = [
            (
                x.reshape(2, c, h * r, w * r),
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
                x.reshape(2, r, r, c, h, w).permute(0, 3, 4, 1, 5, 2).reshape(want.shape),
                "The channels are split as (r, r, C); torch's order is (C, r, r): neighbouring channels go "
                "to one block.",
            ),
        ]
        got = t.call(x, r)
        if isinstance(got, torch.Tensor) and got.dtype != x.dtype:
            t.fail(f"For x of dtype int64: got {dtype_name(got)}. Moving numbers does not change their type.")
        _shaped(t, got, x, r)
        cases.append((got, want, f"x of shape {tuple(x.shape)}, r={r}", known))
    judge(t, cases, 0.0, pictures.maps)
    t.unchanged("its argument.")
