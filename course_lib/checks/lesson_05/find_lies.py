"""Lesson 05: where a rule of thumb about rates is wrong."""

import itertools
import math

from course_lib import models

from ..core import Exercise
from ..values import is_number, kind

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
        lambda rates: True,
        _whole,
        "The rule is taken to pass every stack. Does your code call it, `no_common_factor(rates)`? Its name alone is "
        "always true.",
    ),
    (
        lambda rates: False,
        _whole,
        "The rule is taken to reject every stack. Does your code call it, `no_common_factor(rates)`, and use what "
        "comes back?",
    ),
    (
        lambda rates: len(rates) == 1 and _whole(rates) or _rule(rates) and len(rates) > 1,
        _whole,
        "A stack of one rate passes the rule, as it has no two rates that share a factor; none is in your lists.",
    ),
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
    t.unchanged(
        "the list `stacks`, or a stack in it. Take nothing out, and sort nothing in place: append to `missed` "
        "and `alarms` alone."
    )
    for name, stacks_found in zip(("missed", "alarms"), got):
        for item in stacks_found:
            if not isinstance(item, (list, tuple)) or not all(map(is_number, item)):
                t.fail(f"`{name}` should hold stacks, which are lists of rates; it holds {kind(item)}")
    return [[list(s) for s in g] for g in got]


def _listed(which, sets):
    """What a list holds in each of the sets, if it is no list of lies but something else: a text, or ""."""
    name, other = ("missed", "alarms")[which], ("alarms", "missed")[which]
    kinds = (
        (lambda s: _rule(s), "all stacks that the rule passes"),
        (lambda s: not _rule(s), "all stacks that the rule rejects"),
        (lambda s: _whole(s), "all stacks without holes"),
        (lambda s: not _whole(s), "all stacks with holes"),
        (lambda s: _rule(s) != _whole(s), f"the lies of both kinds: those of `{other}`, too"),
        (lambda s: _rule(s) == _whole(s), "the stacks about which the rule is right"),
        (lambda s: _rule(s) and _whole(s), "the stacks that the rule passes and that have no holes"),
        (lambda s: not (_rule(s) or _whole(s)), "the stacks that the rule rejects and that have holes"),
        (lambda s: _rule(s) or not _whole(s), f"every stack that is not in `{other}`"),
        (lambda s: _whole(s) or not _rule(s), f"every stack that is not in `{other}`"),
        (lambda s: False, "nothing at all"),
    )
    for holds, text in kinds:
        if all(ls[which] == [s for s in ss if holds(s)] for ss, ls in sets):
            return f" `{name}` holds {text}."
    return ""


def _once_each(stacks):
    return [s for i, s in enumerate(stacks) if s not in stacks[:i]]


def _lies_part(t, which, *sets):
    name, answers = ("missed", "alarms")[which], [_lists(t, stacks) for stacks in sets]

    def lies(stacks, kind, rule=_rule, whole=_whole):  # what this rule is wrong about, if that is the truth
        return [s for s in stacks if bool(whole(s)) is bool(kind) is not bool(rule(s))]

    for stacks, lists in zip(sets, answers):
        want, got = lies(stacks, which), lists[which]
        if got != want:
            break
    else:
        return
    seen = list(zip(sets, answers))
    for others in (_stacks(t, 2, 3), [[2], [1], [7]]):  # all of them tell the mistakes apart
        seen.append((others, _lists(t, others)))
    more = ""
    for rule, whole, meaning in SLIPS:
        if all(ls[k] == lies(ss, k, rule, whole) for ss, ls in seen for k in (0, 1)):
            more = f" {meaning}"
    more = more or _listed(which, seen)
    short = ", ".join(map(str, stacks)) if len(stacks) < 7 else f"{len(stacks)} stacks"
    if all(ls == [lies(ss, 1), lies(ss, 0)] for ss, ls in seen):
        t.fail(f"For {short}: `{name}` should be {want}, got {got}. The two lists have changed places.")
    if all(ls[which] == lies(ss[:1], which) for ss, ls in seen):
        t.fail(f"For {short}: only the first stack is looked at. Does `return` stand inside the loop?")
    if sorted(map(str, got)) == sorted(map(str, want)):
        t.fail(f"For {short}: `{name}` holds the right stacks in another order; keep that of `stacks`.")
    if all(ls[which] == _once_each(lies(ss, which)) for ss, ls in seen):
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
