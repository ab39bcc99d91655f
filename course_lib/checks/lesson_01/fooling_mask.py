"""Lesson 01: a mask on which blending invents a label, and the usual test says that all is fine."""

import torch
import torch.nn.functional as F

from ..core import Exercise
from ..values import NotYet
from .masks import whole_numbers

fooling_mask = Exercise(
    "fooling_mask",
    hints=(
        "There are two jobs, and they can be done in two corners of the mask. One is to make the function invent a 1. "
        "What would make `looks_fine` expect a 1?",
        "For the damage, one 2 × 2 block must hold 0s and 2s in equal number. Blocks begin at even rows and columns, "
        "so the edge between 0 and 2 must run at an odd one.",
        "From some *odd* column on, write 2. Then set a single pixel, far from that edge, to 1. Check with the two "
        "functions yourself, at sizes 8, 10 and 12.",
    ),
)


def _halved(mask):
    """What blend_and_round makes of the mask at half the size, and whether each block under it holds a 1."""
    blocks = mask.float().unfold(0, 2, 2).unfold(1, 2, 2)
    return blocks.mean((2, 3)).round().long(), (blocks == 1).any(3).any(2)


def _draw_fooling(mask, small, invented):
    from course_lib import plot

    marks = torch.where(invented, 1, 0)
    return plot.grid([mask, small, marks], ["your mask", "halved and rounded", "orange: an invented 1"])


def _fooled(t, size):
    mask = t.call(size)
    given = f"size={size}"
    whole_numbers(t, mask, (size, size), torch.int64, given)
    odd = [v for v in mask.unique().tolist() if v not in (0, 1, 2)]
    if odd:
        t.fail(f"For {given}: the mask may hold 0, 1 and 2 only; it holds {odd[0]} too.")
    small, one_below = _halved(mask)
    assert torch.equal(
        small, F.interpolate(mask[None, None].float(), scale_factor=0.5, mode="bilinear")[0, 0].round().long()
    )
    invented = (small == 1) & ~one_below
    if not invented.any():
        more = "" if (small == 1).any() else " `small` holds no 1 at all."
        if 2 in mask and 0 in mask and not (small == 1).any():
            more = (
                " Every block holds one label alone, or rounds to 0 or 2: an edge between 0 and 2 must run "
                "*inside* a block, so at an odd row or column."
            )
        elif (small == 1).any():
            more = " Wherever the small mask is 1, the block under it holds a 1: those are honest."
        t.fail(f"For {given}: no label is invented.{more}", lambda: _draw_fooling(mask, small, invented))
    return mask, small, invented


def _sizes(t):
    return 8, 10, 2 * t.random.randint(6, 10)


@fooling_mask.part("a 1 is invented", 1)
def _(t):
    for size in _sizes(t):
        _fooled(t, size)


@fooling_mask.part("and the test says that all is fine", 1.5)
def _(t):
    for size in _sizes(t):
        try:
            mask, small, invented = _fooled(t, size)
        except NotYet as reason:
            t.fail(
                "First a 1 must be invented; see above." if "no label is invented" in reason.message else reason.message
            )
        new = sorted(set(small.unique().tolist()) - set(mask.unique().tolist()))
        if new:
            t.fail(
                f"For size={size}: a 1 is invented, and `looks_fine` sees it, for the mask holds no {new[0]} "
                "at all. What could keep the test quiet?",
                lambda: _draw_fooling(mask, small, invented),
            )
