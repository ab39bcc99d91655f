"""What an instructor reads of a class: a page and a table for each lesson."""

import csv
import io
import re
import statistics
from collections import Counter

from course_lib.checks.verdict import NOT_ATTEMPTED, NOT_YET, PASSED, SIGNS

from .ledger import Record
from .pages import fill
from .records import Entry, Score

COLOURS = {outcome: colour for outcome, (colour, _) in SIGNS.items()}
MOST_MESSAGES = 20


def unbooked(record: Record) -> Score:
    """What a record alone says of a score, where the gradebook can't have it."""
    entries = record.graded.checks.values()
    waiting = [name for name, written in record.graded.written.items() if written]
    score, most = sum(e["points"] for e in entries), sum(e["most"] for e in entries)
    return {"score": score, "most": most, "late": None, "manual": waiting, "cells": {}, "comments": {}}


# --- the table ----------------------------------------------------------------------------------------------


def table(lesson: str, records: list[Record], scores: dict[str, Score], faults: dict[str, str], absent=()) -> str:
    """The class as CSV: a row a student, a column an exercise and a named part (1 it holds, 0 not, empty: no grade).

    records  of the students with a grade
    scores   by student, as `book.scores` gives them
    faults   student -> why there is no grade
    absent   students who handed in nothing
    """
    columns = _columns(records)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [f"{name}: {part}" if part else name for name, part in columns]
    head = ["student", "lesson", "score", "max_score", "waits_for_a_person"]
    writer.writerow([*head, *names, "cpu_seconds", "memory_mb", "sandbox", "remark"])
    for record in records:
        graded, found = record.graded, scores.get(record.student) or unbooked(record)
        cells = [_held(graded.checks.get(name), part) for name, part in columns]
        used = [f"{graded.cpu:.2f}", f"{graded.memory:.0f}", "yes" if graded.safe else "NO"]
        late = f"Late: {found['late']:g} points less." if found["late"] else ""
        late = late or ("The platform says late." if record.late else "")
        doubt = f"Needs a person: {record.unclear}." if record.unclear else ""
        remark = " ".join(filter(None, [graded.unreadable, doubt, late, record.note, *graded.notes]))
        score = [f"{found['score']:g}", f"{found['most']:g}", len(found["manual"])]
        writer.writerow([cell(record.student), lesson, *score, *cells, *used, cell(remark)])
    for student, fault in faults.items():
        nothing = [""] * (len(columns) + 6)
        remark = f"not graded, through no fault of the submission: {fault}"
        writer.writerow([cell(student), lesson, *nothing, remark])
    for student in absent:
        writer.writerow([cell(student), lesson, *[""] * (len(columns) + 6), "no submission"])
    return out.getvalue()


def _held(entry, part):
    """A check's points or, of a part, whether it holds."""
    if not entry:
        return ""
    if not part:
        return f"{entry['points']:g}"
    return {p.name: int(p.outcome == PASSED) for p in entry["parts"]}.get(part, 0)


def cell(text):
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r" and text else text


def _columns(records):
    """(check, part) of all checks in order, each check itself first with part ""."""
    known = {}
    for record in records:
        for name, entry in record.graded.checks.items():
            parts = known.setdefault(name, [])
            parts += [p.name for p in entry["parts"] if p.name not in parts]
    return [(name, part) for name, parts in known.items() for part in ("", *(parts if len(parts) > 1 else ()))]


# --- the page -----------------------------------------------------------------------------------------------


def page(
    lesson: str,
    records: list[Record],
    scores: dict[str, Score],
    faults: dict[str, str],
    left: list[tuple[str, str]],
    absent=(),
) -> str:
    """The class as HTML, by templates/report.html.

    records, scores, faults, absent  as of `table`
    left                             (path, why) of what could not be used
    """
    graded = [r for r in records if not r.graded.unreadable]
    facts = {}
    if graded:
        facts = {"points": _points(graded), "exercises": _exercises(graded), "messages": _messages(graded)}
        facts["time"] = _time(graded)
    found = {r.student: scores.get(r.student) or unbooked(r) for r in sorted(records, key=lambda r: r.student)}
    return fill(
        "report.html",
        lesson=lesson,
        submissions=len(records) + len(faults),
        grades=len(graded),
        unsafe=any(not r.graded.safe for r in records),
        waiting=Counter(name for score in scores.values() for name in score["manual"]),
        noted=[(r.student, r.graded) for r in records if r.graded.unreadable or r.graded.notes],
        unclear=[(r.student, r.unclear) for r in records if r.unclear],
        late=[r.student for r in records if r.late and not r.when],
        absent=absent,
        faults=faults,
        left=left,
        colours=COLOURS,
        students=[(who, score, bool(score["manual"])) for who, score in found.items()],
        **facts,
    )


def _points(graded):
    """The points that checks gave."""
    points = [sum(entry["points"] for entry in r.graded.checks.values()) for r in graded]
    most = max(sum(entry["most"] for entry in r.graded.checks.values()) for r in graded)
    counts = Counter(map(int, points))
    top = max(counts.values())
    return {
        "median": statistics.median(points),
        "least": min(points),
        "best": max(points),
        "most": most,
        "histogram": [(n, counts[n], f"{6 * counts[n] / top:.2f}") for n in range(int(most) + 1)],
    }


def _exercises(graded):
    """A row for every check and for each of its parts: how many hold it."""
    rows = []
    for name, part in _columns(graded):
        entries = [r.graded.checks[name] for r in graded if name in r.graded.checks]
        if part:
            outcomes = Counter(p.outcome for e in entries for p in e["parts"] if p.name == part)
            mean = ""
        else:
            outcomes = Counter(map(_outcome, entries))
            mean = f"{statistics.mean(e['points'] for e in entries):.2f} of {entries[0]['most']:g}"
        row = {"name": name.removeprefix("check_"), "part": part, "mean": mean, "outcomes": outcomes}
        row["widths"] = {outcome: f"{100 * outcomes[outcome] / len(entries):.2f}" for outcome in COLOURS}
        rows.append(row | {"hold": outcomes[PASSED], "of": len(entries)})
    return rows


def _outcome(entry: Entry):
    """A whole check's outcome."""
    if entry["points"] >= entry["most"]:
        return PASSED
    untouched = entry["parts"] and all(p.outcome == NOT_ATTEMPTED for p in entry["parts"])
    return NOT_ATTEMPTED if untouched else NOT_YET


def _messages(graded):
    """(students, check, message) of the commonest things that checks said, whatever the numbers in them."""
    seen, example = Counter(), {}
    for record in graded:
        told = {}
        for name, entry in record.graded.checks.items():
            for part in entry["parts"]:
                if part.outcome == NOT_YET and part.message:
                    told[name, gist(part.message)] = part.message
        seen.update(told.keys())
        example = told | example
    common = seen.most_common(MOST_MESSAGES)
    return [(count, key[0].removeprefix("check_"), example[key][:400]) for key, count in common]


def gist(message):
    """A message without what differs from answer to answer: its misconception where it names one, else its form."""
    message = message.removeprefix("On an input that you have not seen. ")
    sentences = [s for s in re.split(r"(?<=[.?!]) (?=[A-Z`])", message) if not re.search(r"\bexpected\b|^For ", s)]
    return " ".join(sentences) or re.sub(r"-?\d[\d.e+-]*", "#", message)


def _time(graded):
    cpu = sorted((r.graded.cpu, r.student) for r in graded)
    memory, largest = max((r.graded.memory, r.student) for r in graded)
    most, slowest = cpu[-1]
    return {
        "all": f"{sum(c for c, _ in cpu):.0f}",
        "median": f"{statistics.median(c for c, _ in cpu):.2f}",
        "most": f"{most:.1f}",
        "slowest": slowest,
        "memory": f"{memory:.0f}",
        "largest": largest,
    }
