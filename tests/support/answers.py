"""The bank of answers: tests/bank/NN_name.py, one student's complete answer a cell.

# %% right f: what is special about it
# %% wrong f: the misconception
# fails: the parts that it must fail, and no others; "; " stands between two
# says: a piece of the message that it must get
def f(): ...
"""

import linecache
import re
from dataclasses import dataclass
from pathlib import Path

from course_lib.author import build
from course_lib.crossing import references
from tests.support.course import LESSONS

FOLDER = Path(__file__).resolve().parents[1] / "bank"
SETUP = """
import torch
import torch.nn as nn
import torch.nn.functional as F
from course_lib import data, losses, metrics, models, plot, train, widgets
"""


@dataclass(frozen=True)
class Answer:
    lesson: str
    kind: str
    exercise: str
    title: str
    fails: tuple
    says: str
    code: str
    line: int

    def __str__(self):
        return f"{self.lesson} {self.exercise}: {self.kind}, {self.title}"

    def build(self):
        """The answer as a student's notebook would hold it."""
        return run(self.code, f"<{self.lesson} line {self.line}>").get(self.exercise)


def run(code, name):
    """Execute a cell's code as a notebook does; its namespace."""
    linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
    scope = {"__name__": "__main__"}
    exec(SETUP, scope)
    exec(compile(code, name, "exec"), scope)
    return scope


def bank(lesson):
    """All answers of a lesson's bank, in order."""
    path = FOLDER / f"{lesson}.py"
    if not path.exists():
        return []
    found, text = [], path.read_text(encoding="utf-8")
    for cell in re.finditer(r"^# %% (right|wrong) (\w+): (.+)\n((?:(?!# %%).*\n?)*)", text, flags=re.M):
        kind, exercise, title, code = cell.groups()
        says = re.search(r"^# says: (.+)$", code, flags=re.M)
        fails = re.search(r"^# fails: (.+)$", code, flags=re.M)
        fails = tuple(fails[1].split("; ")) if fails else ()
        found.append(
            Answer(
                lesson,
                kind,
                exercise,
                title,
                fails,
                says[1] if says else "",
                code,
                text.count("\n", 0, cell.start()) + 1,
            )
        )
    return found


def known(lesson):
    """A lesson's bank, whose answers are all to exercises that there are, and fail parts that there are."""
    found = bank(lesson)
    for item in found:
        parts = getattr(CHECKS[lesson]._exercises.get(item.exercise), "parts", None)
        where = f"tests/bank/{lesson}.py:{item.line}:"
        assert parts is not None, f"{where} there is no exercise {item.exercise!r}"
        for part in item.fails:
            assert part in parts, f"{where} {item.exercise} has no part {part!r}; it has: {'; '.join(parts)}"
    return found


CHECKS = {lesson: build.checks_of(lesson) for lesson in LESSONS}
BANK = [a for lesson in LESSONS for a in known(lesson)]
_verdicts = {}  # answer -> its verdict on the visible inputs


def visible(item):
    """The verdict of an answer on its check's visible inputs; each is run once a session."""
    if item not in _verdicts:
        _verdicts[item] = getattr(CHECKS[item.lesson], item.exercise)(item.build())
    return _verdicts[item]


def names_in(code):
    """{name: the names that it refers to} of all that a text binds, as it is read without running it."""
    statements = references.statements_of(code)
    return {name: references.reached(statements, name) for made, *_ in statements for name in made}
