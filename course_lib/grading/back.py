"""Grades back to the platform, in the sheet that it made itself; for Moodle with a zip of the feedback pages."""

import io
import re
import zipfile
from collections import Counter
from pathlib import Path

from course_lib.start.files import write_whole

from . import book
from .ledger import Ledger
from .names import Claim, Roster, lesson_in, settle
from .sheets import Sheet


def give(ledger: Ledger, sheets: list[Sheet], lessons, now, db_url, say=print) -> list[Path]:
    """Write each sheet anew, with the grades in it, into grading/back/; the paths of what was written.

    lessons  the course's
    now      those that were just graded; where a sheet does not tell its lesson, it is the only one of these
    """
    written = []
    with book.opened(db_url) as gradebook:
        students = book.students(gradebook)
        before = ledger.before()
        for sheet in sheets:
            rows = {account: (name, signs) for account, (name, signs, _) in sheet.accounts().items()}
            find = _finder(Roster(students, rows, before), rows)
            for column, lesson in columns(sheet, lessons, now, before, say):
                graded = _graded(ledger, lesson, book.scores(gradebook, lesson))
                told = _fill(sheet, column, graded, find(lesson))
                say(f"{sheet.path.name}, {lesson}: {told}")
                if sheet.kind == "moodle":
                    written += _pages(ledger, sheet, lesson, graded, find(lesson))
            path = ledger.folder / "back" / sheet.path.name
            write_whole(path, sheet.written())
            written.append(path)
    return written


def _finder(roster, rows):
    """find(lesson) -> {account: student}."""

    def find(lesson):
        claims = [(Claim(name, account), lesson) for account, (name, _) in rows.items()]
        return {claim.account: student for (claim, _), (student, _) in zip(claims, settle(claims, roster))}

    return find


def _graded(ledger, lesson, scores):
    """{student: (Record, Score)} of those with a grade."""
    records = {r.student: r for r in ledger.records(lesson) if not r.graded.unreadable}
    return {who: (record, scores[who]) for who, record in records.items() if who in scores}


def columns(sheet, lessons, now, before, say):
    """[(column, lesson)] that a sheet has room for."""
    if sheet.kind == "moodle":
        numbers = Counter(lesson for lesson, account in before if account in sheet.accounts())
        known = [lesson for lesson, _ in numbers.most_common(1)]
        found = (known or [lesson_in(sheet.path.name, lessons)] + [None])[0] or (now[0] if len(now) == 1 else None)
        if found is None:
            say(f"{sheet.path.name} does not tell its lesson: grade it alone with --lesson.")
        return [(sheet.grade, found)] if found else []
    titles = {i: re.sub(r" ?\(\d+\)$", "", text) for i, text in enumerate(sheet.head) if re.search(r"\(\d+\)$", text)}
    titles = {i: title for i, title in titles.items() if sheet.most(i) is not None}
    found = []
    for lesson in lessons:
        fits = [i for i, title in titles.items() if _is_of(title, lesson)]
        if not fits and len(titles) == 1 and list(now) == [lesson]:
            fits = list(titles)
        if len(fits) == 1:
            found.append((fits[0], lesson))
        elif lesson in now:
            several = "several columns" if fits else "no column"
            say(f"{sheet.path.name} has {several} for {lesson}: name one assignment in Canvas {lesson}.")
    return found


def _is_of(title, lesson):
    """Whether an assignment's title names a lesson: in full, by its words, or by its number."""
    number, _, words = lesson.partition("_")
    plain = re.sub(r"[\W_]+", " ", title.casefold())
    said = re.findall(r"(?<!\d)\d{1,2}(?!\d)", plain)
    if said:
        return int(said[0]) == int(number)
    return words.replace("_", " ").casefold() in plain


def _fill(sheet, column, graded, owners):
    """Write grades into a column; what was done, in a sentence."""
    filled, waiting, most, scaled = 0, [], sheet.most(column), ""
    for account, (_, _, number) in sheet.accounts().items():
        if found := graded.get(owners.get(account)):
            score = found[1]
            times = most / score["most"] if most and score["most"] else 1
            if times != 1:
                scaled = f" They are scaled from {score['most']:g} to the platform's {most:g} points."
            sheet.rows[number][column] = sheet.number(score["score"] * times)
            filled += 1
            waiting += [owners[account]] if score["manual"] else []
    left = [who for who in graded if who not in owners.values()]
    told = f"{filled} grades filled in.{scaled}"
    if waiting:
        told += f" Not final, as a written answer waits for a person: {', '.join(sorted(waiting))}."
    return told + (f" Not in the sheet: {', '.join(sorted(left))}." if left else "")


def _pages(ledger, sheet, lesson, graded, owners):
    """Write the zip that Moodle takes by "upload multiple feedback files"; [its path]."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for account, (name, _, number) in sheet.accounts().items():
            record, _ = graded.get(owners.get(account), (None, None))
            page = record and ledger.page(ledger.job(lesson, record))
            if not page or not page.exists():
                continue
            word = re.match(r"\D*", sheet.rows[number][sheet.id])[0]
            called = name or (record.called if record.account == account else "") or word
            called = re.sub(r"[\\/:*?\"<>|_\s]+", " ", called).strip()  # Moodle reads the number behind the first _
            folder = f"{called}_{account.split()[1]}_assignsubmission_file_"
            archive.writestr(zipfile.ZipInfo(f"{folder}/{lesson}.html"), page.read_bytes(), zipfile.ZIP_DEFLATED)
    path = ledger.folder / "back" / f"{lesson} feedback.zip"
    write_whole(path, made.getvalue())
    return [path]
