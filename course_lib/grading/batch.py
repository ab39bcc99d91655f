"""A class's notebooks, graded: what is finished stays finished, and only this process writes.

For every submission there is one record, grading/results/LESSON/STUDENT.json. It is written whole, before the
gradebook, and once more when the gradebook has it; whoever starts again reads it. A record counts only for the very
bytes that were handed in, the very lesson and the very code that graded it (`fingerprint`).
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from nbgrader.utils import parse_utc

from course_lib.start.errors import Stop

from . import book, collect, feedback, report, restore
from .rules import version


@dataclass(frozen=True)
class Job:
    """A submission to grade, where it lies in nbgrader's tree."""

    student: str
    lesson: str
    path: Path
    when: datetime | None = None  # UTC
    note: str = ""

    def key(self):
        return f"{self.lesson}/{self.student}"


class Ledger:
    """The files of a course's grading/ folder."""

    def __init__(self, root):
        self.root, self.folder = Path(root), Path(root, "grading")

    def submitted(self, lesson, student):
        return self.folder / "submitted" / student / lesson / f"{lesson}.ipynb"

    def record(self, lesson, student):
        return self.folder / "results" / lesson / f"{student}.json"

    def graded(self, lesson, student):
        return self.folder / "autograded" / student / lesson / f"{lesson}.ipynb"

    def page(self, lesson, student):
        return self.folder / "feedback" / student / lesson / f"{lesson}.html"

    def read(self, lesson, student):
        """A submission's record, or {} where there is none that can be read."""
        try:
            found = json.loads(self.record(lesson, student).read_text(encoding="utf-8"))
            return found if isinstance(found, dict) and "key" in found else {}
        except (OSError, ValueError):
            return {}

    def write(self, job, key, graded, booked):
        """Keep what grading gave: the notebook where formgrader looks for it, the rest as the record."""
        if not booked and graded["notebook"]:
            path = self.graded(job.lesson, job.student)
            if path.exists():
                path.chmod(0o644)
            feedback.save(path, graded["notebook"])
        kept = {name: value for name, value in graded.items() if name != "notebook"}
        feedback.save(
            self.record(job.lesson, job.student),
            json.dumps(
                {"key": key, "booked": booked, "student": job.student, "note": job.note, "graded": kept}, indent=1
            ),
        )


def settings(root):
    """nbgrader's configuration of this course, nbgrader_config.py and all."""
    from traitlets.config.loader import PyFileConfigLoader

    return PyFileConfigLoader("nbgrader_config.py", path=str(root)).load_config()


def gather(paths, root, ledger, lessons, wanted, db_url):
    """([Job], what was left out): the notebooks found, in nbgrader's tree; which could not be used, and why."""
    known = []
    if not db_url.startswith("sqlite:///") or Path(db_url.removeprefix("sqlite:///")).exists():
        with book.opened(db_url) as gradebook:
            known = book.students(gradebook)
    handed, left = collect.collect(paths, lessons, known)
    jobs = {}
    for one in handed:
        lesson = wanted or one.lesson or told_by(one, root, left)
        if lesson:
            job = submit(ledger, one, lesson)
            jobs[job.key()] = job
    return list(jobs.values()), left


def told_by(handed, root, left):
    """The lesson that a notebook's content shows; None, and a line in `left`, where it shows none."""
    where = f"{handed.file.root}/{handed.file.path}"
    if handed.file.size > restore.BIG:
        left.append((where, "is too large to see what it is of: name the lesson with --lesson"))
        return None
    try:
        lesson = restore.lesson_of(restore.read(handed.file.read()), root)
    except restore.Unreadable as error:
        left.append((where, f"can't be read, and its name tells no lesson. {error}"))
        return None
    if lesson is None:
        left.append((where, "has no cell of any lesson"))
    return lesson


def learn(root, lessons, db_url):
    """Let the gradebook know the lessons."""
    from . import course

    for lesson in lessons:
        course.register(root, lesson, db_url)


def submit(ledger, handed, lesson):
    """Put a notebook where nbgrader has submissions, unless it lies there; its `Job`."""
    path = ledger.submitted(lesson, handed.student)
    own, stamp = Path(handed.file.root, handed.file.path), path.parent / "timestamp.txt"
    if not (own.exists() and own.resolve() == path.resolve()):
        data = handed.file.read()
        if not path.exists() or path.read_bytes() != data:
            feedback.save(path, data)
        if handed.file.dated:
            feedback.save(stamp, f"{book.utc(handed.file.when):%Y-%m-%d %H:%M:%S} UTC\n")
    when = None
    if stamp.exists():
        try:
            when = parse_utc(stamp.read_text(encoding="utf-8").strip())
        except (ValueError, OverflowError):
            pass  # nbgrader would stop here
    return Job(handed.student, lesson, path, when, handed.note)


def fingerprint(ledger, job, limits, safe):
    """What a grade depends on, as one text."""
    parts = [
        hashlib.sha256(job.path.read_bytes()).hexdigest(),
        _lesson(str(ledger.root), job.lesson),
        version(),
        repr(limits),
        str(safe),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@lru_cache
def _lesson(root, lesson):
    found = [Path(root, kind, lesson, f"{lesson}.ipynb").read_bytes() for kind in ("solutions", "lessons")]
    return hashlib.sha256(b"\n".join(found)).hexdigest()


# --- the batch ----------------------------------------------------------------------------------------------


def grade(ledger, jobs, pool, settings, db_url, limits, safe, again=False, progress=None, say=print):
    """Grade `jobs`, write the gradebook; {(lesson, student): fault} of those that could not be graded through our fault.

    pool: something with `run({key: job})`, as `pool.Pool`. settings: nbgrader's. progress: called with each job when it is done.
    """
    todo, faults = {}, {}

    def enter(job, key, graded):
        book.write(gradebook, graded, job.student, job.when)
        book.penalise(gradebook, settings, job.lesson, job.student, db_url)
        ledger.write(job, key, graded, booked=True)

    with book.opened(db_url) as gradebook:
        for job in jobs:
            key, known = fingerprint(ledger, job, limits, safe), ledger.read(job.lesson, job.student)
            if (
                again
                or known.get("key") != key
                or not (known["graded"]["unreadable"] or ledger.graded(job.lesson, job.student).exists())
            ):
                todo[job.key()] = (job, key)
            else:
                if not known["booked"]:
                    enter(job, key, known["graded"])
                if progress:
                    progress(job)
        for name, result, fault in pool.run(
            {name: ("grade", str(job.path), job.lesson) for name, (job, _) in todo.items()}
        ):
            job, key = todo[name]
            if fault:
                faults[job.lesson, job.student] = fault
                say(f"{job.student}, {job.lesson}: not graded, and not through a fault of the submission: {fault}.")
            else:
                ledger.write(job, key, result, booked=False)
                enter(job, key, result)
            if progress:
                progress(job)
    return faults


def pages(ledger, jobs, pool, db_url, progress=None):
    """Write the feedback page of every submission; returns how many could not be made."""
    todo, failed = {}, 0
    with book.opened(db_url) as gradebook:
        known = {lesson: book.scores(gradebook, lesson) for lesson in {job.lesson for job in jobs}}
    for job in jobs:
        graded, found = ledger.read(job.lesson, job.student).get("graded"), known[job.lesson].get(job.student)
        if not graded or not found:
            continue
        if graded["unreadable"]:
            feedback.save(ledger.page(job.lesson, job.student), feedback.refusal(job.lesson, graded["unreadable"]))
            continue
        text = ledger.graded(job.lesson, job.student).read_text(encoding="utf-8")
        task = (
            "page",
            text,
            job.lesson,
            (found["score"], found["most"], found["late"]),
            found["cells"],
            found["comments"],
        )
        mark = f"<!-- {hashlib.sha256(repr(task).encode()).hexdigest()} -->\n"
        path = ledger.page(job.lesson, job.student)
        if not (path.exists() and path.read_text(encoding="utf-8").endswith(mark)):
            todo[job.key()] = (job, task, mark)
        elif progress:
            progress(job)
    for name, page, fault in pool.run({name: task for name, (_, task, _) in todo.items()}):
        job, _, mark = todo[name]
        if fault:
            failed += 1
        else:
            feedback.save(ledger.page(job.lesson, job.student), page + mark)
        if progress:
            progress(job)
    return failed


def reports(ledger, lessons, db_url, left=(), faults=()):
    """Write each lesson's class report and table; their paths."""
    written = []
    with book.opened(db_url) as gradebook:
        for lesson in lessons:
            known = book.scores(gradebook, lesson)
            missing = {student: fault for (where, student), fault in dict(faults).items() if where == lesson}
            records = [
                json.loads(p.read_text(encoding="utf-8"))
                for p in sorted((ledger.folder / "results" / lesson).glob("*.json"))
            ]
            records = [
                record for record in records if record["student"] not in missing
            ]  # an older one is of what was handed in before
            for name, text in (
                ("html", report.page(lesson, records, known, missing, left)),
                ("csv", report.table(lesson, records, known, missing)),
            ):
                path = ledger.folder / "report" / f"{lesson}.{name}"
                feedback.save(path, text)
                written.append(path)
    return written


def full_disk(error):
    """An error of writing as a sentence."""
    return Stop(
        f"{error.filename or 'A file'} could not be written ({error.strerror}): put that right and start again. What is graded is kept."
    )
