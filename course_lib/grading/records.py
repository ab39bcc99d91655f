"""What the processes of grading tell each other, and what is kept of it."""

from dataclasses import dataclass, field
from typing import NamedTuple, TypedDict


class Part(NamedTuple):
    """A named part of a check."""

    name: str
    points: float
    outcome: str
    message: str


class Entry(TypedDict):
    """A check's result: `points` of `most`, and the reason where its verdict does not say why."""

    points: float
    most: float
    parts: list[Part]
    reason: str


@dataclass
class Graded:
    """What grading gave."""

    lesson: str
    notebook: str = ""  # the restored notebook with outputs, as a file's text
    checks: dict[str, Entry] = field(default_factory=dict)  # by grade_id
    written: dict[str, bool] = field(default_factory=dict)  # grade_id -> whether somebody wrote an answer
    notes: list[str] = field(default_factory=list)  # sentences on what was found
    unreadable: str = ""  # why there is no grade, for the student
    cpu: float = 0.0  # seconds in the sandbox
    memory: float = 0.0  # MB there, at most
    seconds: float = 0.0
    safe: bool = True

    @classmethod
    def of(cls, plain: dict) -> "Graded":
        """What `dataclasses.asdict` took apart and JSON kept."""
        made = cls(**plain)
        for entry in made.checks.values():
            entry["parts"] = [Part(*part) for part in entry["parts"]]
        return made


class Score(TypedDict):
    """What the gradebook says of one student's lesson."""

    score: float  # what is left of it after `late`
    most: float
    late: float | None  # penalty
    manual: list[str]  # cells that wait for a person
    cells: dict[str, tuple[float, float]]  # grade_id -> (score, most)
    comments: dict[str, str]  # by grade_id


# --- what a worker is given, and what it gives --------------------------------------------------------------


class Grade(NamedTuple):
    """To grade a notebook; gives a `Graded`."""

    notebook: bytes | str  # a file's bytes or its path
    lesson: str
    blamed: tuple[tuple[str, str], ...] = ()  # (check, why) of those that ended a worker: they are not run again


class Page(NamedTuple):
    """To make a feedback page; gives its HTML."""

    notebook: str  # the graded one, a file's text
    lesson: str
    total: tuple[float, float, float | None]  # score, most, late penalty
    cells: dict[str, tuple[float, float]]
    comments: dict[str, str]
    waiting: tuple[str, ...] = ()  # cells that no person has graded yet
    student: str = ""
    file: str = ""  # that was handed in
    plain: bool = False  # whether texts are shown as they were typed


class Outcome(NamedTuple):
    """What became of a task: its result, or the fault of ours in a sentence.

    at  where what the submission had the worker do ended it, the check's grade_id, "" beside all checks; else None
    """

    result: Graded | str | None = None
    fault: str = ""
    at: str | None = None
