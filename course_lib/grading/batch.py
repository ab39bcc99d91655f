"""A class's notebooks, graded: what is finished stays finished, and only this process writes."""

import contextlib
import hashlib
from functools import partial
from pathlib import Path

from nbgrader.utils import parse_utc

from course_lib.start.errors import Stop
from course_lib.start.files import write_whole, written

from . import book, collect, pages, report, restore
from .ledger import Job, Ledger, Record, fingerprint
from .records import Grade, Page


def settings(root):
    """nbgrader's configuration of this course, nbgrader_config.py and all."""
    from traitlets.config.loader import PyFileConfigLoader

    return PyFileConfigLoader("nbgrader_config.py", path=str(root)).load_config()


def learn(root, lessons, db_url):
    """Let the gradebook know the lessons."""
    from . import course

    for lesson in lessons:
        course.register(root, lesson, db_url)


# --- what there is to grade ---------------------------------------------------------------------------------


def gather(paths, root, ledger: Ledger, lessons, wanted, db_url) -> tuple[list[Job], list[tuple[str, str]]]:
    """The notebooks found, in nbgrader's tree; and (path, why) of what could not be used.

    paths    what the instructor gave
    lessons  the course's
    wanted   the lesson that all of them are; None: each says it itself
    """
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
            jobs[job.name()] = job
    return list(jobs.values()), [(written(name), written(why)) for name, why in left]


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


def submit(ledger: Ledger, handed, lesson) -> Job:
    """Put a notebook where nbgrader has submissions, unless it lies there."""
    path = ledger.submitted(lesson, handed.student)
    own, stamp = Path(handed.file.root, handed.file.path), path.parent / "timestamp.txt"
    if not (own.exists() and own.resolve() == path.resolve()):
        data = handed.file.read()
        if not path.exists() or path.read_bytes() != data:
            write_whole(path, data)
        if handed.file.dated:
            write_whole(stamp, f"{book.utc(handed.file.when):%Y-%m-%d %H:%M:%S} UTC\n")
    when = None
    if stamp.exists():
        with contextlib.suppress(ValueError, OverflowError):  # nbgrader would stop here
            when = parse_utc(stamp.read_text(encoding="utf-8").strip())
    return Job(handed.student, lesson, path, when, handed.note)


# --- the batch ----------------------------------------------------------------------------------------------


def nothing(job):
    pass


def grade(
    ledger: Ledger, jobs: list[Job], pool, settings, db_url, limits, safe, again=False, progress=nothing, say=print
) -> dict[Job, str]:
    """Grade `jobs` and write the gradebook; {job: fault} of those that could not be graded through our fault.

    pool          what runs {name: Grade}, as `pool.Pool`
    settings      nbgrader's
    limits, safe  of the pool
    again         grade what is graded once more
    progress      called with each job when it is done
    say           called with the sentence for each fault
    """
    with book.opened(db_url) as gradebook:
        enter = partial(_enter, ledger, gradebook, settings, db_url)
        faults, todo, keys = {}, {}, {}
        for job in jobs:
            key = keys[job] = fingerprint(ledger, job, limits, safe)
            if again or not ledger.has(job, key):
                todo[job.name()] = job
                continue
            known = ledger.read(job)
            if not known.booked:
                enter(job, known.key, known.graded)
            progress(job)
        tasks = {name: Grade(str(job.path), job.lesson) for name, job in todo.items()}
        for name, graded, fault in pool.run(tasks):
            job = todo[name]
            if fault:
                faults[job] = fault
                who = f"{job.student}, {job.lesson}"
                say(f"{who}: not graded, and not through a fault of the submission: {fault}.")
            else:
                ledger.write(job, keys[job], graded, booked=False)
                enter(job, keys[job], graded)
            progress(job)
    return faults


def _enter(ledger, gradebook, settings, db_url, job, key, graded):
    """Write a grade into the gradebook, then into the record that the gradebook has it."""
    book.write(gradebook, graded, job.student, job.when)
    book.penalise(gradebook, settings, job.lesson, job.student, db_url)
    ledger.write(job, key, graded, booked=True)


def feedback(ledger: Ledger, jobs: list[Job], pool, db_url, progress=nothing) -> int:
    """Write the page of every submission, where it would say something new; how many could not be made."""
    with book.opened(db_url) as gradebook:
        scores = {lesson: book.scores(gradebook, lesson) for lesson in {job.lesson for job in jobs}}
    todo, failed = {}, 0
    for job in jobs:
        record, found = ledger.read(job), scores[job.lesson].get(job.student)
        if not record or not found:
            continue
        if record.graded.unreadable:
            write_whole(ledger.page(job), pages.refusal(job.lesson, record.graded.unreadable))
            continue
        text, total = ledger.graded(job).read_text(encoding="utf-8"), (found["score"], found["most"], found["late"])
        task = Page(text, job.lesson, total, found["cells"], found["comments"])
        if _ends_with(ledger.page(job), _mark(task)):
            progress(job)
        else:
            todo[job.name()] = (job, task)
    for name, page, fault in pool.run({name: task for name, (_, task) in todo.items()}):
        job, task = todo[name]
        failed += bool(fault)
        if not fault:
            write_whole(ledger.page(job), page + _mark(task))
        progress(job)
    return failed


def _mark(task):
    """The last line of a page: it tells what the page was made from."""
    return f"<!-- {hashlib.sha256(repr(task).encode()).hexdigest()} -->\n"


def _ends_with(path, mark):
    return path.exists() and path.read_text(encoding="utf-8").endswith(mark)


def reports(ledger: Ledger, lessons, db_url, left=(), faults=()) -> list[Path]:
    """Write each lesson's class report and table; their paths."""
    written = []
    with book.opened(db_url) as gradebook:
        for lesson in lessons:
            scores = book.scores(gradebook, lesson)
            missing = {job.student: fault for job, fault in dict(faults).items() if job.lesson == lesson}
            # an older record is of what was handed in before
            records: list[Record] = [r for r in ledger.records(lesson) if r.student not in missing]
            for kind, text in (
                ("html", report.page(lesson, records, scores, missing, left)),
                ("csv", report.table(lesson, records, scores, missing)),
            ):
                written.append(ledger.report(lesson, kind))
                write_whole(written[-1], text)
    return written


def full_disk(error):
    """An error of writing as a sentence."""
    what = f"{error.filename or 'A file'} could not be written ({error.strerror})"
    return Stop(f"{what}: put that right and start again. What is graded is kept.")
