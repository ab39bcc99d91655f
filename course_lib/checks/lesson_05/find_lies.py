"""Lesson 05: where a rule of thumb about rates is wrong."""

import math

from ..core import Exercise
from ..values import kind
from .stacks import field_of, is_whole, offsets

find_lies = Exercise(
    "find_lies",
    hints=(
        "For each stack ask two things: what does the rule say, and what is true? Where the two agree, "
        "nothing is to be reported.",
        "`whole` is the truth. What the rule says is `no_common_factor(rates)`: True where it lets the stack pass. "
        "Which pair of answers belongs in `missed`, and which in `alarms`?",
        "Set `fine` to what the rule says. Two conditions then decide: fine and not whole, for `missed`; whole and "
        "not fine, for `alarms`. Append `rates` itself, as it came.",
    ),
)


def _rule(rates):
    return math.lcm(*rates) == math.prod(rates)  # so it is where no two of them share a factor


def _stacks(t, count, lengths=(1, 2, 3, 4)):
    return [[t.random.randint(1, 6) for _ in range(t.random.choice(lengths))] for _ in range(count)]


def _lists(t, stacks):
    got = t.call(stacks)
    if not isinstance(got, (tuple, list)) or len(got) != 2 or not all(isinstance(g, (list, tuple)) for g in got):
        t.fail(f"For {len(stacks)} stacks: expected two lists, (missed, alarms), got {kind(got)}")
    t.unchanged("a list that it was given. Work on copies, or use `sorted(...)`, which makes one.")
    return [[list(s) if isinstance(s, tuple) else s for s in g] for g in got]


def _lies_part(t, which, stacks):
    missed = [s for s in stacks if _rule(s) and not is_whole(s)]
    alarms = [s for s in stacks if is_whole(s) and not _rule(s)]
    want = (missed, alarms)[which]
    lists, name = _lists(t, stacks), ("missed", "alarms")[which]
    got = lists[which]
    if got == want:
        return
    short = ", ".join(map(str, stacks)) if len(stacks) < 7 else f"{len(stacks)} stacks"
    if lists == [alarms, missed]:
        t.fail(f"For {short}: `{name}` should be {want}, got {got}. The two lists have changed places.")
    if sorted(map(str, got)) == sorted(map(str, want)):
        t.fail(
            f"For {short}: `{name}` holds the right stacks in another order, or with their rates sorted; "
            "leave both as they came."
        )
    for s in stacks:
        if (s in got) == (s in want):
            continue
        says = "finds nothing wrong with" if _rule(s) else "rejects"
        seen = len(offsets(s))
        true = (
            "it has no holes"
            if is_whole(s)
            else f"it has holes: along a row it sees {seen} of its {field_of(s)} pixels"
        )
        t.fail(f"Stack {s} should {'' if s in want else 'not '}be in `{name}`: the rule {says} it, and {true}.")
    t.fail(f"For {short}: `{name}` should be {want}, got {got}.")


@find_lies.part("holes that the rule misses", 0.75)
def _(t):
    first = t.random.choice([2, 3])
    _lies_part(t, 0, [[1, 1], [2, 2], [first, first + 1], [1, 2], [1, t.random.randint(4, 9)], [1, 1, 5]])
    _lies_part(t, 0, _stacks(t, 20, (2, 3)))


@find_lies.part("false alarms", 0.75)
def _(t):
    _lies_part(t, 1, [[1, 1], [1, 2, t.random.choice([2, 4, 6])], [2, 4], [1, 3, 9], [1, 3]])
    _lies_part(t, 1, _stacks(t, 20, (3, 4)))


@find_lies.part("rates in any order, single layers", 0.5)
def _(t):
    far = t.random.choice([2, 5])
    for which, stacks in ((1, [[4, 1, 2], [8, 2, 4, 1], [9, 1, 3]]), (0, [[5, 1, 1], [4, 3], [far], [1], [7, 1]])):
        _lies_part(t, which, stacks)
