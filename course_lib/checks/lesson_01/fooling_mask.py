"""Lesson 01: a mask on which blending invents a label, and the usual test says that all is fine."""

import torch
import torch.nn.functional as F

from ..core import Exercise
from ..values import NotYet, kind
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


def _why_honest(mask, small):
    """Why no block invents a 1: what its blocks hold."""
    blocks = mask.unfold(0, 2, 2).unfold(1, 2, 2).flatten(2).flatten(0, 1)  # one block a row
    mixed = [sorted(block) for block in blocks.tolist() if len(set(block)) > 1 and 1 not in block]
    if not mixed:
        honest = " Wherever the small mask is 1, the block under it holds a 1: those are honest."
        return honest * bool((small == 1).any()) + (
            " No block without a 1 holds both 0 and 2: an edge between 0 and 2 must run *inside* a block, so at an odd "
            "row or column."
            if {0, 2} <= set(mask.unique().tolist())
            else " A 1 is invented where a block holds 0s and 2s; the mask needs both."
        )
    block = max(mixed, key=lambda b: min(b.count(0), b.count(2)))
    mean = sum(block) / 4
    return (
        f" A block of {block[0]}, {block[1]}, {block[2]}, {block[3]} has the mean {mean:g}, which rounds to "
        f"{round(mean)}: a half goes to the even number. For a 1, the mean must be nearer to 1."
    )


def _elsewhere(t, size):
    """Where other sizes do well: that they do."""
    good = []
    for other in (8, 10, 12, 14, 16):
        try:
            small, one_below = _halved(t.call(other))
        except (NotYet, AttributeError, RuntimeError):
            continue
        if other != size and ((small == 1) & ~one_below).any():
            good.append(str(other))
    if not good:
        return ""
    return f" At size {', '.join(good)} one is: leave nothing to chance, and build a mask that does it at every size."


def _fooled(t, size):
    mask = t.call(size)
    given = f"size={size}"
    if isinstance(mask, torch.Tensor) and tuple(mask.shape) == (size // 2, size // 2):
        t.fail(f"For {given}: got {kind(mask)} That is the small mask's size; return the mask that is halved.")
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
        more = _why_honest(mask, small) + _elsewhere(t, size)
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
