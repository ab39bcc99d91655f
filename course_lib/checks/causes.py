"""Which known mistake explains what came back: named only where it explains all of it, on two inputs or more."""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .values import NotWritten, NotYet, same

if TYPE_CHECKING:
    from .trial import Known, Picture, Trial

    Case = tuple[Any, Any, str, Known] | tuple[Any, Any, str, Known, Picture | None]


def judge(
    t: "Trial", cases: "Iterable[Case]", tolerance: float = 1e-4, picture: "Picture | None" = None, least: int = 2
) -> None:
    """As `t.close` for several inputs of one kind; a cause is named where it holds on all of them and tells on two.

    cases      (got, want, given, known) of each input, in order; a generator may call the answer as it goes
    tolerance  of each comparison
    picture    draws what came back and what was expected; a case's own, its fifth item, goes before it
    least      on how many inputs a cause must give another value than the right one
    """
    seen, stopped = [], None
    try:
        for case in cases:
            seen.append(case)
    except NotYet as reason:
        stopped = reason
    wrong = next((case for case in seen if not same(case[0], case[1], tolerance)), None)
    if wrong is not None:
        got, want, given, _, *own = wrong
        meaning = cause(seen, tolerance, least)
        t.close(got, want, given, [(got, meaning)] if meaning else (), tolerance, *(own or [picture]))
    if stopped:
        raise stopped


def cause(cases: "Sequence[Case]", tolerance: float = 1e-4, least: int = 2) -> str:
    """The first known mistake that holds on all cases, as `judge` takes them, and tells on `least` of them; or ""."""
    wrong = next((case for case in cases if not same(case[0], case[1], tolerance)), None)
    if wrong is None:
        return ""
    known = (m for _, m in wrong[3] if _explains(m, cases, tolerance, least))
    return next(known, CONSTANT if _constant([c[0] for c in cases], [c[1] for c in cases], tolerance) else "")


CONSTANT = "This is the same for all inputs tried here, and it should depend on them."


def _constant(got, right, tolerance):
    """Whether all that came back is one value, wrong on two inputs or more, where not all expected values are one."""
    if any(value is None or value != value for value in got if not hasattr(value, "shape")):  # says so itself
        return False
    one = all(same(value, got[0]) for value in got) and not all(same(value, right[0], tolerance) for value in right)
    return one and sum(not same(g, r, tolerance) for g, r in zip(got, right)) > 1


def tabled(t: "Trial", probes: "Sequence[tuple]", right: Sequence, slips: "Sequence[tuple[Sequence, str]]") -> str:
    """As `Trial.explained`, from a table: what is right, and what each mistake gives, worked out beforehand.

    probes  arguments of a call each
    right   the right value for each
    slips   (the mistake's value for each, None where it gives none; what it reveals)
    """
    got = []
    for probe in probes:
        try:
            got.append(t.call(*probe))
        except (NotYet, NotWritten):
            got.append(None)
    fits = {
        meaning
        for values, meaning in slips
        if all(map(same, got, values)) and sum(not same(v, r) for v, r in zip(values, right)) > 1
    }
    if not fits and _constant(got, right, 0.0):
        return f" {CONSTANT}"
    return f" {fits.pop()}" if len(fits) == 1 else ""


def _explains(meaning, seen, tolerance, least):
    """Whether this mistake gives what came back on every input, and another value than the right one on `least`."""
    telling = 0
    for got, want, _, known, *_ in seen:
        values = [v for v, m in known if v is not None and _kind(m) == _kind(meaning)]
        fitting = [v for v in values if same(got, v, tolerance)]
        if values and not fitting:
            return False
        telling += bool(fitting) and not same(got, want, tolerance)
    return telling >= least


def _kind(meaning):
    """A sentence without the numbers of one input."""
    return re.sub(r"\d+", "#", meaning)


def rounded(want: Any) -> "Known":
    """Pairs for `known`: a number, or a tensor, rounded to one to four digits."""
    near = (round(want, n) if isinstance(want, float) else want.round(decimals=n) for n in (1, 2, 3, 4))
    return [(value, "This is rounded; return numbers as they come out.") for value in near]
