"""Lesson 05: rates of a given field without holes."""

import torch

from course_lib import models

from ..core import Exercise
from ..values import NotYet, is_number, kind

schedule = Exercise(
    "schedule",
    hints=(
        "Take `schedule(3, 13)` on paper: `left` is 6 at first, `later` is 2, 1, 0. From the smallest rate "
        "on, how large may the next one be?",
        "With the rates so far adding up to S, the next may be at most 2S + 1. It must also leave at least 1 for each "
        "layer still to come. Try to be as greedy as those two allow.",
        "In each round the next rate is the smaller of two numbers: 2S + 1, and what remains of `left` once every "
        "later layer has been given 1. Append it, and take it off `left`.",
    ),
)


SLIPS = (  # {(layers, field): rates} that a mistake gives
    (
        {(3, 7): [1, 2, 4], (4, 43): [1, 2, 4, 8]},
        "Each is twice the one before, whatever the field; they have to add up to (field − 1)/2.",
    ),
    (
        {(3, 7): [1, 3, 9], (4, 43): [1, 3, 9, 27]},
        "These are the largest that the rule allows, whatever the field; no more may be taken than is `left`.",
    ),
    (
        {(3, 7): [1, 1, 0], (4, 43): [1, 3, 9, 3]},
        "Take off `left` what the new layer takes, not all rates so far: those before it are off already.",
    ),
    ({(3, 7): [1], (4, 43): [1]}, "Does `return` stand inside the loop?"),
    ({(3, 23): [1, 2, 4], (4, 43): [1, 2, 4, 8]}, "A rate may be up to *twice* the sum of those before it, plus 1."),
    ({(3, 23): [1, 2, 6], (4, 79): [1, 2, 6, 18]}, "A rate may be up to twice the sum of those before it, *plus 1*."),
    ({(3, 25): [1, 3, 7], (4, 79): [1, 3, 7, 15]}, "A rate may be up to twice the *sum* of those before it, plus 1."),
    ({(2, 5): [1, 2], (4, 43): [1, 3, 9, 21]}, "What a layer takes has to come off `left` before the next layer."),
    ({(3, 7): [1, 2, 0], (3, 9): [1, 3, 0]}, "Leave at least 1 for each later layer."),
    ({(3, 7): [0, 1, 1], (1, 3): [0]}, "`later` does not count the layer itself: leave `later` for those after it."),
    (
        {(3, 7): [1, 0, 0], (3, 9): [1, 1, 0]},
        "Leave 1 for each layer that is still to come, `later`, not for all others.",
    ),
    (
        {(3, 7): [1, 3, 9], (4, 43): [18, 37, 111, 333]},
        "Take the *smaller* of the two: the rule's limit, and what may be taken of `left`.",
    ),
    ({(3, 7): [1, 0, 1], (4, 43): [1, 3, 9, -5]}, "Take the rate off `left` once: `left` is the sum still to be made."),
    ({(3, 7): [1, 3, 2], (3, 27): [1, 3, 2]}, "These are the example's rates; other fields need other ones."),
)
SUMS = (  # (what the rates add up to for a field, what that is)
    (lambda field: field, "Your rates add up to the field; each adds twice itself, and the pixel counts too."),
    (
        lambda field: field - 1,
        "Your rates add up to field − 1; each adds twice itself, so they add up to half of that.",
    ),
    (
        lambda field: (field + 1) // 2,
        "Your rates add up to one too many: the pixel itself counts once, as (field − 1)/2.",
    ),
    (lambda field: (field - 3) // 2, "Your rates add up to one too few: (field − 1)/2 are to be made."),
)


def _known(t):
    """What the answer's rates reveal, if they are those of a known mistake."""

    def rates(layers, field):
        try:
            return t.call(layers, field)
        except NotYet:
            return None

    for table, meaning in SLIPS:
        if all(rates(*given) == wrong for given, wrong in table.items()):
            return f" {meaning}"
    found = {field: rates(layers, field) for layers, field in ((3, 9), (3, 11), (3, 13), (4, 31), (5, 101))}
    if all(isinstance(v, (list, tuple)) and all(is_number(r) for r in v) for v in found.values()):
        for target, meaning in SUMS:
            if all(sum(v) == target(field) for field, v in found.items()):
                return f" {meaning}"
    return ""


def _is_whole(rate):
    """Whether a rate could be one, as an `int` or as a float."""
    return isinstance(rate, (int, float)) and not isinstance(rate, bool) and rate >= 1 and rate % 1 == 0


def _rates(t, layers, field):
    """The answer's rates, as many whole numbers as asked for, with the field asked for; fails otherwise."""
    got = t.call(layers, field)
    given = f"layers={layers}, field={field}"
    if isinstance(got, torch.Tensor):
        t.fail(f"For {given}: return a list of rates, not a tensor; `.tolist()` makes one.")
    if not isinstance(got, (list, tuple)):
        t.fail(f"For {given}: expected a list of {layers} rates, got {kind(got)}")
    got = list(got)
    if not all(isinstance(r, int) and not isinstance(r, bool) and r >= 1 for r in got):
        more = " Use `//`: `/` makes a float even of whole numbers." if all(map(_is_whole, got)) else _known(t)
        t.fail(f"For {given}: rates are whole numbers (`int`) of at least 1, got {got}.{more}")
    if len(got) != layers:
        t.fail(f"For {given}: expected {layers} rates, got {len(got)}: {got}.{_known(t)}")
    if 2 * sum(got) + 1 != field:
        t.fail(f"For {given}: the rates {got} add up to a field of {2 * sum(got) + 1}.{_known(t)}")
    return got, given


@schedule.part("rates that add up to the field", 0.5)
def _(t):
    for layers in (3, 2, 4):  # every field that they can have
        for field in range(2 * layers + 1, 3**layers + 1, 2):
            _rates(t, layers, field)
    _rates(t, 6, t.random.randrange(13, 730, 2))


@schedule.part("no holes", 1)
def _(t):
    cases = [
        (4, t.random.randrange(33, 72, 2)),
        (4, 31),
        (3, t.random.randrange(17, 26, 2)),
        (5, t.random.randrange(101, 240, 2)),
        (4, 79),  # wide enough to tell every slower rule on every seed
    ]
    for layers, field in cases:
        _without_holes(t, layers, field)


def _without_holes(t, layers, field):
    got, given = _rates(t, layers, field)
    before = 0
    for rate in sorted(got):
        if rate > 2 * before + 1:
            t.fail(
                f"For {given}: the rates {got} leave holes; along a row they see {_seen(got)} of {field} "
                f"pixels. The rates below {rate} add up to {before}, so that {rate} is more than 2·{before} + 1.",
                lambda: _draw_holes(got),
            )
        before += rate


def _seen(rates):
    """How many pixels of its field a stack sees, along a row."""
    return int((models.paths(rates) > 0).sum())


def _draw_holes(rates):
    from course_lib import plot

    return plot.coverage([rates], "Yours, with its holes in white") if sum(rates) <= 100 else None


@schedule.part("the widest and the narrowest field", 0.5)
def _(t):
    layers = t.random.randint(4, 6)
    for n, field in ((1, 3), (layers, 3**layers), (layers, 2 * layers + 1)):
        _without_holes(t, n, field)
