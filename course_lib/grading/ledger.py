"""The files of a course's grading/ folder.

For every submission there is one record, grading/results/LESSON/STUDENT.json. It is written whole, before the
gradebook, and once more when the gradebook has it; whoever starts again reads it. A record counts only for the very
bytes that were handed in, the very lesson and the very code that graded it (`fingerprint`).
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from course_lib.start.files import write_whole

from .records import Graded
from .rules import version

FACTS = ("account", "called", "file", "late", "unclear")  # that a record has of its job


@dataclass(frozen=True)
class Job:
    """A submission to grade, where it lies in nbgrader's tree."""

    student: str
    lesson: str
    path: Path
    when: datetime | None = None  # UTC, when it was handed in, as far as the platform says
    note: str = ""
    account: str = ""  # the platform's, such as "moodle 4821"
    called: str = ""  # the student's name as the platform writes it
    file: str = ""  # the name of the file that was handed in
    late: bool = False  # the platform says so, and not when it was handed in
    unclear: str = ""  # why a person must look whose it is

    def name(self) -> str:
        return f"{self.lesson}/{self.student}"


@dataclass(frozen=True)
class Record:
    """What is kept of a submission."""

    key: str  # its `fingerprint`
    booked: bool  # whether the gradebook has it
    student: str
    note: str
    graded: Graded  # without the notebook, which has a file of its own
    when: str = ""  # these as of `Job`, the time in ISO's form
    account: str = ""
    called: str = ""
    file: str = ""
    late: bool = False
    unclear: str = ""

    def moment(self) -> datetime | None:
        return datetime.fromisoformat(self.when) if self.when else None


class Ledger:
    """Where each thing lies below the course's root."""

    def __init__(self, root):
        self.root, self.folder = Path(root), Path(root, "grading")

    def submitted(self, lesson: str, student: str) -> Path:
        return self.folder / "submitted" / student / lesson / f"{lesson}.ipynb"

    def graded(self, job: Job) -> Path:
        return self.folder / "autograded" / job.student / job.lesson / f"{job.lesson}.ipynb"

    def page(self, job: Job) -> Path:
        return self.folder / "feedback" / job.student / job.lesson / f"{job.lesson}.html"

    def report(self, lesson: str, kind: str) -> Path:
        return self.folder / "report" / f"{lesson}.{kind}"

    def others(self, jobs: list[Job]) -> list[Job]:
        """Those of earlier runs that have a page."""
        names = {job.name() for job in jobs}
        found = [self.job(lesson, record) for lesson in self.lessons() for record in self.records(lesson)]
        return [job for job in found if job.name() not in names and self.page(job).exists()]

    def record(self, job: Job) -> Path:
        return self.folder / "results" / job.lesson / f"{job.student}.json"

    def read(self, job: Job) -> Record | None:
        """A submission's record, None where there is none that can be read."""
        return _read(self.record(job))

    def records(self, lesson: str) -> list[Record]:
        """All of a lesson, by students' names."""
        found = map(_read, sorted((self.folder / "results" / lesson).glob("*.json")))
        return [record for record in found if record]

    def lessons(self) -> list[str]:
        """Those that have records."""
        return sorted(path.name for path in (self.folder / "results").glob("*") if path.is_dir())

    def before(self) -> dict[tuple[str | None, str], tuple[str, str]]:
        """{(lesson, account): (student, name)} of what is graded; Canvas' numbers hold in every lesson."""
        found = {}
        for lesson in self.lessons():
            for record in self.records(lesson):
                if record.account:
                    found[lesson, record.account] = record.student, record.called
                if record.account.startswith("canvas"):
                    found[None, record.account] = record.student, record.called
        return found

    def job(self, lesson: str, record: Record) -> Job:
        """The job that a record is of."""
        kept = {name: getattr(record, name) for name in FACTS}
        path = self.submitted(lesson, record.student)
        return Job(record.student, lesson, path, record.moment(), record.note, **kept)

    def has(self, job: Job, key: str) -> bool:
        """Whether a submission is graded, and the notebook is there that formgrader shows."""
        known = self.read(job)
        return known is not None and known.key == key and bool(known.graded.unreadable or self.graded(job).exists())

    def write(self, job: Job, key: str, graded: Graded, booked: bool):
        """Keep what grading gave: the notebook where formgrader looks for it, the rest as the record."""
        if not booked and graded.notebook:
            path = self.graded(job)
            if path.exists():
                path.chmod(0o644)
            write_whole(path, graded.notebook)
        kept = {"key": key, "booked": booked, "student": job.student, "note": job.note, "graded": asdict(graded)}
        kept |= {"when": job.when.isoformat() if job.when else "", **{name: getattr(job, name) for name in FACTS}}
        del kept["graded"]["notebook"]
        write_whole(self.record(job), json.dumps(kept, indent=1))


def _read(path):
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Record(**{**found, "graded": Graded.of(found["graded"])})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def fingerprint(ledger: Ledger, job: Job, limits, safe: bool) -> str:
    """What a grade depends on, as one text."""
    submission = hashlib.sha256(job.path.read_bytes()).hexdigest()
    parts = [submission, _lesson(str(ledger.root), job.lesson), version(), repr(limits), str(safe)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@lru_cache
def _lesson(root, lesson):
    found = [Path(root, kind, lesson, f"{lesson}.ipynb").read_bytes() for kind in ("solutions", "lessons")]
    return hashlib.sha256(b"\n".join(found)).hexdigest()
