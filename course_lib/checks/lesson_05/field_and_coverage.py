"""Lesson 05: the field of a stack, and how much of it is seen."""

import math

import torch
import torch.nn.functional as F

from ..causes import judge, rounded
from ..core import Exercise
from ..values import NotYet, is_number, kind

field_and_coverage = Exercise(
    "field_and_coverage",
    hints=(
        "`poke` in lesson 02 did most of this: poke the middle output pixel, and look at the input's gradient.",
        "Call `.backward()` on `out[0, 0, m, m]`, with m in the middle. The field is what lies between the "
        "first and the last row of "
        "`picture.grad` that holds anything but 0. The share counts the pixels that are not 0, inside that square.",
        "Let `hit` be `picture.grad[0, 0] != 0`. `torch.where(hit.any(1))[0]` lists its rows: the field is "
        "the last less the first, plus 1, as an "
        "`int`. All that was hit lies in the field, so the share is the number of `True`, divided by field · field.",
    ),
    own_work={
        name: "This asks the library, which counts the ways for you. Count or poke yourself."
        for name in ("paths", "seen", "influence", "box")
    },
)


WHOLE = "This is the whole picture. Poke one pixel of `out`, the middle one, not all."


def _pair(t, rates):
    """The answer's two numbers for these rates."""
    try:
        got = t.call(rates)
    except NotYet as stopped:
        t.fail(stopped.message + " No layers at all are a field of 1, all of it seen." * (not rates))
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        t.fail(f"For {rates}: expected the two numbers (field, share), got {kind(got)}")
    for name, wanted, v in zip(("field", "share"), ("an `int`", "a `float`"), got):
        if isinstance(v, torch.Tensor) and v.numel() == 1:
            t.fail(f"For {rates}: `{name}` is a tensor; return {wanted}, which `.item()` makes of it.")
    if not all(is_number(v) for v in got):
        t.fail(f"For {rates}: expected two numbers, got {got!r}.")
    t.unchanged("the list of rates that it was given. Work on a copy.")
    return got


def _fields(t, stacks):
    """(got, want, given, known mistakes) of each stack's field. `stacks` holds (rates, places seen along a row)."""
    for rates, seen in stacks:
        got, steps = _pair(t, rates)[0], sum(rates)
        want = 2 * steps + 1
        if isinstance(got, float) and got == want:
            t.fail(f"For {rates}: the field is right, but it is a float; return an `int`.")
        known = [
            (steps + 1, "This goes one way only: a layer of rate r looks r pixels to both sides. Poke the middle."),
            (2 * steps, "The pixel itself counts too."),
            (2 * max(rates, default=0) + 1, "This is the reach of the widest layer alone; each layer adds its 2r."),
            (3 * steps - len(rates) + 1, "This takes a layer's reach as 3r; its taps span 2r + 1."),
            (
                seen,
                "This counts the pixels that are seen in one direction. The field runs from the first to the "
                "last, holes included.",
            ),
            (
                seen**2,
                "This counts the pixels that are seen. The field is a length, from the first to the last, "
                "holes included.",
            ),
            (1 + 2 * len(rates), "This forgets the rates: it is the field of as many plain layers."),
            (2 * steps + len(rates), "These are the spans added up; a layer adds only 2r to what the others see."),
            (steps, "This is the way to one side, without the pixel itself."),
            ((seen / want) ** 2, "This is the share; the field comes first."),
            (4 * steps + 3, WHOLE),
            (want**2, "This is an area; the field is a length in one direction."),
            (
                1 if max(rates, default=0) > 20 else None,  # a map that is too small for wide layers alone
                "Only the pixel itself was found. Is the map that you poke as wide as the field, 1 + 2·sum(rates)?",
            ),
        ]
        yield got, want, f"rates {rates}, the field", known


def _corner(rates):
    """The share that a corner of the map sees of its part of the field; what lies outside on the way is lost."""
    places = {0}
    for rate in reversed(rates):
        places |= {p + rate for p in places} | {p - rate for p in places if p >= rate}
    return (len(places) / (1 + sum(rates))) ** 2


def _cancelled(rates):
    """The share that is left if a layer's taps are +1 and -1 in turn, so that ways to a pixel can cancel."""
    row = torch.ones(1, 1, 1)
    for rate in rates:
        row = F.conv1d(F.pad(row, [2 * rate] * 2), torch.tensor([[[1.0, -1, 1]]]), dilation=rate)
    return (row != 0).float().mean().item() ** 2


def _shares(t, stacks):
    """(got, want, given, known mistakes) of each stack's share. `stacks` holds (rates, places seen along a row)."""
    for rates, seen in stacks:
        (found, got), field = _pair(t, rates), 2 * sum(rates) + 1
        share = (seen / field) ** 2
        known = [
            (got if found == 2 * field + 1 else None, WHOLE),
            (
                (seen / (2 * field + 1)) ** 2,
                "This is the share of the whole picture; divide by the pixels of the field.",
            ),
            (
                _corner(rates),
                "This is what a corner of the map sees. Poke the middle, whose whole field is inside the picture.",
            ),
            *rounded(share),
            (int(share), "`//` rounds to a whole number; divide with `/`."),
            ((seen / max(1, field - 1)) ** 2, "The field is one pixel too short here: the pixel itself counts, too."),
            (field, "This is the field; the share comes second."),
            (
                math.prod(9 / (2 * r + 1) ** 2 for r in rates),
                "These are the layers' shares multiplied. But a layer can fill the holes of another: "
                "look at what all of them see together.",
            ),
            (
                9 / (2 * max(rates, default=0) + 1) ** 2,
                "This is the widest layer alone; put all the layers one after another.",
            ),
            (1, "There are holes in this field: not all of it is seen."),
            (min(1.0, 9 ** len(rates) / field**2), "This counts ways, not pixels: several ways may end on one pixel."),
            (9 ** len(rates) / field**2, "This counts ways, not pixels: several ways may end on one pixel."),
            (0, "Nothing is seen? A ReLU that is off hides everything. Poke with kernels of ones and without ReLU."),
            (seen / field, "This is the share along one row. The field is a square: count in both directions."),
            (seen**2 / field, "This divides by the length of the field; divide by its pixels, field · field."),
            (seen**2, "This counts pixels. Divide by the pixels of the field."),
            (100 * share, "This is in percent; return a share, from 0 to 1."),
            (1 - share, "This is the share of the holes."),
            (
                _cancelled(rates),
                "Weights of both signs can cancel, and hide a pixel that is seen. Poke with kernels of ones.",
            ),
        ]
        yield got, share, f"rates {rates}, of whose {field} pixels along a row {seen} are seen, the share", known


@field_and_coverage.part("the field", 0.5)
def _(t):
    last = t.random.choice([7, 8])  # 1, 2, 4 are whole; a rate up to 15 leaves no hole beside them
    a, b = t.random.choice([(5, 2), (6, 2), (4, 3), (5, 3)])  # nine places
    judge(t, _fields(t, [([1, 2, 4, last], 15 + 2 * last), ([a, b], 9), ([2, 2], 5)]), 1e-9)


@field_and_coverage.part("the share that is seen", 1)
def _(t):
    a, b = t.random.choice([(5, 2), (6, 2), (4, 3), (5, 3)])
    stacks = [
        ([3, 3, 6], 9),
        ([3, 3, 5], 15),
        ([2, 1, 2], 11),
        ([2, 2], 5),
        ([3, 3], 5),
        ([2, 3], 9),
        ([4, 2], 7),
        ([a, b], 9),
    ]
    judge(t, _shares(t, stacks))


@field_and_coverage.part("one layer, none, wide ones and many", 0.5)
def _(t):
    many = t.random.randint(9, 12)
    stacks = [
        ([t.random.randint(30, 37)], 3),
        ([t.random.randint(38, 45)], 3),
        ([], 1),
        ([1] * many, 2 * many + 1),
        ([1] * 4, 9),
    ]
    judge(t, _fields(t, stacks), 1e-9)
    judge(t, _shares(t, stacks))
