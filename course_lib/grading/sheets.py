"""The sheets that platforms make for grades: Moodle's offline grading worksheet, Canvas' gradebook export.

Moodle writes its headings in the language of whoever downloads it. What they mean is read from what stands below:
"Participant 4821", one maximum for all, and of the two columns of times the first. Canvas' headings are always English.
"""

import csv
import functools
import io
import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from babel import Locale, localedata

NUMBERED = re.compile(r"^(\D*\D)(\d+)$")
NUMBER = re.compile(r"^\d+([.,]\d+)?$")
GRADE = {
    "grade",
    "bewertung",
    "note",
    "nota",
    "calificación",
    "valutazione",
    "cijfer",
    "beoordeling",
    "karakter",
    "betyg",
}
GRADE |= {"arvosana", "ocena", "známka", "оценка", "оцінка", "qualificació", "评分", "成绩", "成績", "評点"}
NAME = {"full name", "vollständiger name", "nom complet", "nombre completo", "nome completo", "volledige naam"}
NAME |= {"fulde navn", "fullt navn", "fullständigt namn", "koko nimi", "pełna nazwa", "celé jméno", "полное имя"}
CANVAS = {"student", "lastname"}
SIGNS = {"sis user id", "sis login id", "integration id"}


@dataclass
class Sheet:
    """A platform's sheet; rows and columns are counted from 0, the headings' row is no row."""

    path: Path
    kind: str  # "moodle" or "canvas"
    head: list[str]
    rows: list[list[str]]
    form: dict  # how to write it again
    id: int  # columns
    name: int | None
    signs: list[int]
    grade: int | None = None  # Moodle's
    submitted: int | None = None

    def accounts(self):
        """{account: (name, [e-mail addresses, logins, ids], row)}."""
        found = {}
        for number, row in enumerate(self.rows):
            if (account := self._account(row)) and len(row) == len(self.head):
                name = "" if self.name is None else row[self.name]
                found[account] = (name, [row[i] for i in self.signs if row[i]], number)
        return found

    def _account(self, row):
        text = row[self.id].strip() if len(row) > self.id else ""
        digits = re.search(r"\d+$", text)
        return f"{self.kind} {int(digits[0])}" if digits else None

    def times(self):
        """({account: when it was handed in, in local time}, how many times can't be read)."""
        found, failed = {}, 0
        for account, (_, _, number) in self.accounts().items() if self.submitted is not None else ():
            text = self.rows[number][self.submitted].strip()
            if re.search(r"\d", text):
                found[account] = when = moment(text)
                failed += when is None
        return {account: when for account, when in found.items() if when}, failed

    def most(self, column):
        """The maximum for a column of grades, None where it has none."""
        if self.kind == "moodle":
            texts = {row[column + 1] for row in self.rows if len(row) > column + 1 and row[column + 1]}
        else:
            texts = {row[column] for row in self.rows if len(row) > column and row[0].strip() == "Points Possible"}
        return number_in(*texts) if len(texts) == 1 else None

    def written(self):
        """The sheet as a file's bytes, in the form that it came in."""
        out = io.StringIO()
        form = {"delimiter": self.form["delimiter"], "lineterminator": self.form["newline"]}
        csv.writer(out, **form).writerows([self.head, *self.rows])
        return self.form["bom"] + out.getvalue().encode(self.form["encoding"], errors="replace")

    def number(self, value):
        """A grade as this sheet writes numbers."""
        text = f"{round(value, 2):g}"
        return text.replace(".", ",") if self.form["comma"] else text


def number_in(text):
    """The number that a cell shows, with a point or a comma; None where it shows none."""
    text = text.strip()
    return float(text.replace(",", ".")) if NUMBER.match(text) else None


def read(path):
    """A file's `Sheet`, None where it is neither Moodle's nor Canvas'."""
    data = Path(path).read_bytes()
    bom = next((mark for mark in (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff") if data.startswith(mark)), b"")
    encodings = {b"\xff\xfe": ["utf-16-le"], b"\xfe\xff": ["utf-16-be"]}.get(bom, ["utf-8", "cp1252", "latin-1"])
    for encoding in encodings:
        try:
            text = data[len(bom) :].decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        return None
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=lambda mark: len(next(csv.reader([first], delimiter=mark), [])))
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error:
        return None
    if not lines or len(lines[0]) < 3:
        return None
    newline = "\r\n" if first.endswith("\r") else "\n"
    form = {"bom": bom, "encoding": encoding, "delimiter": delimiter, "newline": newline}
    head, rows = lines[0], lines[1:]
    return _canvas(Path(path), head, rows, form) or _moodle(Path(path), head, rows, form)


def _canvas(path, head, rows, form):
    plain = [text.strip().casefold() for text in head]
    if plain[0] not in CANVAS or "id" not in plain:
        return None
    form["comma"] = any(
        re.match(r"\d+,\d+$", cell) for row in rows for cell in row if row[0].strip() == "Points Possible"
    )
    signs = [i for i, text in enumerate(plain) if text in SIGNS]
    return Sheet(path, "canvas", head, rows, form, plain.index("id"), 0, signs)


def _moodle(path, head, rows, form):
    plain = [text.strip().casefold() for text in head]
    columns = [[row[i].strip() for row in rows if len(row) == len(head)] for i in range(len(head))]
    if not columns[0]:
        return None
    ids = [i for i, cells in enumerate(columns) if len({m and m[1] for m in map(NUMBERED.match, cells)} - {None}) == 1]
    ids = [i for i in ids if all(map(NUMBERED.match, columns[i])) and len(set(columns[i])) == len(columns[i])]
    grades = [i for i in range(1, len(head) - 1) if _is_grade(columns[i], columns[i + 1])]
    grade = next((i for i in grades if plain[i] in GRADE), grades[0] if grades else None)
    if not ids or grade is None or grade < ids[0]:
        return None
    form["comma"] = any("," in cell for cell in columns[grade + 1])
    before = range(ids[0] + 1, grade)
    mails = [i for i in before if any("@" in cell for cell in columns[i])]
    name = next((i for i in before if plain[i] in NAME), ids[0] + 1 if mails else None)
    signs = [i for i in before if i != name and len(set(columns[i])) == len(columns[i])] + mails
    stems = [text.partition("(")[0].strip() for text in head]
    twice = [i for i in range(grade, len(head)) if "(" in head[i] and Counter(stems)[stems[i]] > 1]
    submitted = twice[0] if twice else None
    return Sheet(path, "moodle", head, rows, form, ids[0], name, sorted(set(signs)), grade, submitted)


def _is_grade(cells, most):
    """Whether a column can be the grades that the next one is the maximum of."""
    return len(set(most)) == 1 and number_in(most[0]) and all(c in ("", "-") or number_in(c) is not None for c in cells)


# --- times --------------------------------------------------------------------------------------------------


def moment(text):
    """The local time that Moodle wrote, in any language ("Montag, 30. November 2026, 11:20"); None if it is none."""
    text = text.casefold().replace("\u202f", " ").replace("\xa0", " ")
    clock = re.search(r"\b(\d{1,2})[:.h](\d\d)(?:[:.]\d\d)?(?:\s*([ap])\.?\s?m\b\.?)?", text)
    year = re.search(r"(?<!\d)20\d\d(?!\d)", text)
    if not clock or not year:
        return None
    hour = int(clock[1]) % 12 + 12 * (clock[3] == "p") if clock[3] else int(clock[1])
    rest = text.replace(clock[0], " ", 1)
    if numbers := re.search(r"(20\d\d)\D(\d{1,2})\D(\d{1,2})(?!\d)", rest):  # 2026-11-30, and 2026年11月30日
        days = {(int(numbers[2]), int(numbers[3]))}
    else:
        day = re.search(r"(?<!\d)\d{1,2}(?!\d)", rest)
        days = {(month, int(day[0])) for month in _months(rest, int(year[0]), int(day[0]))} if day else set()
    try:
        return datetime(int(year[0]), *days.pop(), hour, int(clock[2])) if len(days) == 1 else None
    except ValueError:
        return None


def _months(text, year, day):
    """The months that a text can mean: in some language its words name month and day of the week, and both fit."""
    words, sure, likely = set(re.findall(r"[^\W\d_]+", text)), set(), set()
    for months, days in _calendars():
        for month in {months[word] for word in words & months.keys()}:
            named = {days[word] for word in words & days.keys()}
            try:
                fits = datetime(year, month, day).weekday() in named
            except ValueError:
                continue
            (sure if fits else likely).add(month)
    return sure or likely


@functools.cache
def _calendars():
    """[({month's name: 1 to 12}, {day's name: 0 to 6, Monday first})] of every language."""
    found = []
    for name in localedata.locale_identifiers():
        if "_" not in name:
            locale = Locale.parse(name)
            months, days = (
                {
                    word.casefold().strip("."): number
                    for context in names.values()
                    for width, known in context.items()
                    if width in ("wide", "abbreviated")
                    for number, text in known.items()
                    for word in re.findall(r"[^\W\d_]+", text)
                }
                for names in (locale.months, locale.days)
            )
            found.append((months, days))
    return found
