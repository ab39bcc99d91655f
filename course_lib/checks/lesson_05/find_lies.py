"""Lesson 05: where a rule of thumb about rates is wrong."""

import itertools
import math

from course_lib import models

from ..core import Exercise
from ..values import kind

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


def _whole(rates):
    return bool(models.paths(rates).all())


def _rule(rates):
    return math.lcm(*rates) == math.prod(rates)  # so it is where no two of them share a factor


def _stacks(t, *lengths):
    """Every stack of rates from 1 to 6 of these lengths, in an order of the trial's own."""
    stacks = [list(s) for n in lengths for s in itertools.product(range(1, 7), repeat=n)]
    return t.random.sample(stacks, len(stacks))


def _neighbours(rates):
    return all(math.gcd(a, b) == 1 for a, b in itertools.pairwise(rates))


def _shared_by_all(rates):
    return len(rates) < 2 or math.gcd(*rates) == 1


def _in_order(rates):
    """Whether a layer that comes later fills up what those before it have left."""
    return all(_whole(rates[: n + 1]) for n in range(len(rates)))


SLIPS = (  # what is taken for the rule, what for the truth, and what that is
    (
        _shared_by_all,
        _whole,
        "A factor that two of the rates share is enough for the rule, not only one of all.",
    ),
    (
        _neighbours,
        _whole,
        "Only neighbours are looked at for a common factor; the rule takes every two of the rates.",
    ),
    (
        _rule,
        lambda rates: 1 in rates,
        "A layer of rate 1 does not make a stack whole: others can leave holes beside it.",
    ),
    (_rule, _in_order, "The order of the layers does not matter: a later layer can fill the holes of an earlier one."),
)


def _lists(t, stacks):
    got = t.call(stacks)
    if not isinstance(got, (tuple, list)) or len(got) != 2 or not all(isinstance(g, (list, tuple)) for g in got):
        t.fail(f"For {len(stacks)} stacks: expected two lists, (missed, alarms), got {kind(got)}")
    t.unchanged("a list that it was given. Work on copies, or use `sorted(...)`, which makes one.")
    return [[list(s) if isinstance(s, tuple) else s for s in g] for g in got]


def _lies_part(t, which, *sets):
    name, answers = ("missed", "alarms")[which], [_lists(t, stacks) for stacks in sets]

    def listed(stacks, rule=_rule, whole=_whole):  # what this rule is wrong about, if that is the truth
        return [s for s in stacks if bool(whole(s)) is bool(which) is not bool(rule(s))]

    for stacks, lists in zip(sets, answers):
        want, got = listed(stacks), lists[which]
        if got != want:
            break
    else:
        return
    sets = [*sets, _stacks(t, 2, 3)]  # all of them tell the mistakes apart
    answers.append(_lists(t, sets[-1]))
    more = ""
    for rule, whole, meaning in SLIPS:
        if all(ls[which] == listed(ss, rule, whole) for ss, ls in zip(sets, answers)):
            more = f" {meaning}"
    short = ", ".join(map(str, stacks)) if len(stacks) < 7 else f"{len(stacks)} stacks"
    if all(ls[1 - which] == listed(ss) for ss, ls in zip(sets, answers)):
        t.fail(f"For {short}: `{name}` should be {want}, got {got}. The two lists have changed places.")
    if sorted(map(str, got)) == sorted(map(str, want)):
        t.fail(
            f"For {short}: `{name}` holds the right stacks in another order, or with their rates sorted; "
            "leave both as they came."
        )
    if got == [s for i, s in enumerate(want) if s not in want[:i]]:
        t.fail(f"For {short}: a stack that comes twice should be in `{name}` twice.")
    if got != want and sorted(map(sorted, got)) == sorted(map(sorted, want)):
        t.fail(f"For {short}: `{name}` holds the right stacks with their rates sorted; leave each as it came.")
    for s in stacks:
        if (s in got) == (s in want):
            continue
        says = "finds nothing wrong with" if _rule(s) else "rejects"
        ways = models.paths(s)
        true = (
            "it has no holes"
            if _whole(s)
            else f"it has holes: along a row it sees {(ways > 0).sum()} of its {len(ways)} pixels"
        )
        t.fail(f"Stack {s} should {'' if s in want else 'not '}be in `{name}`: the rule {says} it, and {true}.{more}")
    t.fail(f"For {short}: `{name}` should be {want}, got {got}.")


@find_lies.part("holes that the rule misses", 0.75)
def _(t):
    first = t.random.choice([2, 3])
    few = [[1, 1], [2, 2], [first, first + 1], [1, 2], [1, t.random.randint(4, 9)], [1, 1, 5]]
    _lies_part(t, 0, [[1, 4], [2, 3], [1, 4]], few, _stacks(t, 2, 3))  # the first comes twice


@find_lies.part("false alarms", 0.75)
def _(t):
    few = [[1, 1], [1, 2, t.random.choice([2, 4, 6])], [2, 4], [1, 3, 9], [1, 3]]
    _lies_part(t, 1, [[1, 2, 4], [1, 2], [1, 2, 4]], few, _stacks(t, 2, 3))


@find_lies.part("rates in any order, single layers", 0.5)
def _(t):
    far = t.random.choice([2, 3])  # below the stack before it, so that a sorted answer is told on every seed
    _lies_part(t, 1, [[4, 1, 2], [8, 2, 4, 1], [9, 1, 3]])
    _lies_part(t, 0, [[5, 1, 1], [4, 3], [far], [1], [7, 1]])
