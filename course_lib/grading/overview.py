"""The course as a whole: students by lessons, their totals, what waits for a person, and who is missing."""

import csv
import io
from typing import NamedTuple

from .pages import fill
from .report import cell, unbooked


class Held(NamedTuple):
    """What is known of a student's lesson."""

    score: float | None  # None: no grade
    waits: int = 0  # written answers that no person has graded
    missing: bool = False  # nothing was handed in
    why: str = ""  # there is no grade
    late: float = 0  # points taken off


def rows(names, held) -> list[tuple[str, str, dict[str, Held]]]:
    """[(student, name, {lesson: Held})], by students.

    names  {student: name} of those whom the gradebook knows
    held   {lesson: (records, scores, faults)} as of `report.table`
    """
    found = {student: {} for student in sorted(names)}
    for lesson, (records, scores, faults) in held.items():
        for record in records:
            score = scores.get(record.student) or unbooked(record)
            points = None if record.graded.unreadable else score["score"]
            one = Held(points, len(score["manual"]), False, record.graded.unreadable, score["late"] or 0)
            found.setdefault(record.student, {})[lesson] = one
        for student, fault in faults.items():
            found.setdefault(student, {})[lesson] = Held(None, why=f"not graded, through no fault of theirs: {fault}")
    nothing = Held(None, missing=True)
    lessons = list(held)
    return [(who, names.get(who, ""), {one: kept.get(one, nothing) for one in lessons}) for who, kept in found.items()]


def _total(kept):
    return sum(one.score or 0 for one in kept.values())


def table(rows, held) -> str:
    """The course as CSV: a row a student, a column a lesson; empty where there is no grade."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["student", "name", *held, "total", "waits_for_a_person", "missing", "remark"])
    for student, name, kept in rows:
        scores = ["" if one.score is None else f"{one.score:g}" for one in kept.values()]
        missing = " ".join(lesson for lesson, one in kept.items() if one.missing)
        remark = " ".join(f"{lesson}: {one.why}" for lesson, one in kept.items() if one.why)
        waits = sum(one.waits for one in kept.values())
        writer.writerow([cell(student), cell(name), *scores, f"{_total(kept):g}", waits, missing, cell(remark)])
    return out.getvalue()


def page(rows, held) -> str:
    """The course as HTML, by templates/course.html."""
    most = {}
    for lesson, (_, scores, _) in held.items():
        most[lesson] = max((score["most"] for score in scores.values()), default=None)
    waiting = {lesson: sum(kept[lesson].waits for _, _, kept in rows) for lesson in held}
    missing = {lesson: [who for who, _, kept in rows if kept[lesson].missing] for lesson in held}
    everybody = [(who, name, kept, _total(kept)) for who, name, kept in rows]
    return fill("course.html", lessons=list(held), most=most, waiting=waiting, missing=missing, students=everybody)
