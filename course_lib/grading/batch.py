"""A class's notebooks, graded: what is finished stays finished, and only this process writes."""

import hashlib
from dataclasses import replace
from pathlib import Path, PurePosixPath

from course_lib.start.errors import Stop
from course_lib.start.files import write_whole, written

from . import book, collect, overview, pages, report, restore, sheets
from .ledger import Job, Ledger, Record, fingerprint
from .records import Grade, Page
from .sheets import Sheet

BOM = "\ufeff"  # Excel takes a table for UTF-8 by it


def settings(root):
    """nbgrader's configuration of this course, nbgrader_config.py and all."""
    from traitlets.config.loader import PyFileConfigLoader

    return PyFileConfigLoader("nbgrader_config.py", path=str(root)).load_config()


def learn(root, lessons, db_url, others=(), say=print):
    """Let the gradebook know the lessons; what stands in the way of one that is not graded now is only said."""
    from . import course

    for lesson in [*lessons, *others]:
        try:
            course.register(root, lesson, db_url)
        except SystemExit as stop:
            if lesson in lessons:
                raise
            say(str(stop))


# --- what there is to grade ---------------------------------------------------------------------------------


def sheets_among(paths) -> tuple[list[str], list[Sheet], list[tuple[str, str]]]:
    """(the other paths, platforms' sheets, (path, why) of tables that are none) of what an instructor gave."""
    rest, found, left = [], [], []
    for path in paths:
        if not (Path(path).is_file() and Path(path).suffix.lower() in (".csv", ".tsv")):
            rest.append(path)
        elif sheet := sheets.read(path):
            found.append(sheet)
        else:
            known = "neither Moodle's offline grading worksheet nor Canvas' gradebook export"
            left.append((str(path), f"is {known}: hand in the file as the platform made it"))
    return rest, found, left


def gather(paths, root, ledger: Ledger, lessons, wanted, db_url, given=()) -> tuple[list, list[tuple[str, str]]]:
    """The notebooks found, as `collect.Handed`; and (path, why) of what could not be used.

    paths    what the instructor gave
    lessons  the course's
    wanted   the lesson that all of them are; None: each says it itself
    given    platforms' sheets
    """
    rows, times, left = {}, {}, []
    for sheet in given:
        rows |= {account: (name, signs) for account, (name, signs, _) in sheet.accounts().items()}
        known, failed = sheet.times()
        times |= known
        if failed:
            left.append((str(sheet.path), f"has {failed} times that can't be read: give them as 2026-11-30 18:00"))

    def tell(file, lesson):
        return (wanted or lesson, "") if wanted or lesson else told_by(file, root)

    students = everybody(db_url)
    handed, others = collect.collect(
        paths, lessons, students, rows, ledger.before(), tell, lambda *found: worked_in(root, *found)
    )
    handed = [replace(h, when=book.utc(t)) if (t := times.get(h.claim.account)) else h for h in handed]
    return handed, [(written(name), written(why)) for name, why in left + others]


def everybody(db_url):
    """The students that the gradebook knows, as `book.students`; nobody where there is none yet."""
    if db_url.startswith("sqlite:///") and not Path(db_url.removeprefix("sqlite:///")).exists():
        return []
    with book.opened(db_url) as gradebook:
        return book.students(gradebook)


def told_by(file, root):
    """(The lesson that a notebook's content shows or None, why there is none)."""
    if file.size > restore.BIG:
        return None, "is too large to see what it is of: name the lesson with --lesson"
    try:
        lesson = restore.lesson_of(restore.read(file.read()), root)
    except restore.Unreadable as error:
        return None, f"can't be read, and its name tells no lesson. {error}"
    return lesson, "" if lesson else "has no cell of any lesson"


def worked_in(root, file, lesson):
    """Whether anybody wrote into a notebook; one that is too large to look has been worked in."""
    if file.size > restore.BIG:
        return True
    try:
        return restore.is_worked_in(restore.read(file.read()), restore.source_of(str(root), lesson))
    except restore.Unreadable:
        return False


def submit(ledger: Ledger, handed) -> Job:
    """Put a notebook where nbgrader has submissions, unless it lies there, and when it was handed in beside it."""
    path = ledger.submitted(handed.lesson, handed.student)
    own, stamp, when = Path(handed.file.root, handed.file.path), path.parent / collect.STAMP, handed.when
    is_own = own.exists() and own.resolve() == path.resolve()
    if not is_own:
        data = handed.file.read()
        if not path.exists() or path.read_bytes() != data:
            write_whole(path, data)
            if not when:
                stamp.unlink(missing_ok=True)  # it was of what was handed in before
    if when:
        write_whole(stamp, f"{when:%Y-%m-%d %H:%M:%S} UTC\n")
    elif stamp.exists():
        when = collect.moment(stamp.read_bytes())
        if when is None:
            stamp.unlink()  # nbgrader would stop here
    name, claim = PurePosixPath(handed.file.path).name, handed.claim
    facts = (claim.account, claim.name, name, claim.late, handed.unclear)
    job = Job(handed.student, handed.lesson, path, when, handed.note, *facts)
    known = ledger.read(job) if is_own else None  # our own tree does not tell what the platform had told
    return replace(ledger.job(job.lesson, known), when=when) if known else job


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
        faults, todo, keys = {}, {}, {}
        for job in jobs:
            key = keys[job] = fingerprint(ledger, job, limits, safe)
            if again or not ledger.has(job, key):
                todo[job.name()] = job
                continue
            known = ledger.read(job)
            if not known.booked:
                _enter(ledger, gradebook, job, known.key, known.graded)
            elif ledger.job(job.lesson, known) != job:  # the same file, and something else is known of it
                ledger.write(job, known.key, known.graded, booked=True)
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
                _enter(ledger, gradebook, job, keys[job], graded)
            progress(job)
        for lesson in ledger.lessons():
            agree(ledger, gradebook, settings, lesson)
    return faults


def agree(ledger, gradebook, settings, lesson):
    """Have a gradebook say of a lesson what the records say, whatever was removed from it, and what is late by now."""
    held, records = book.holds(gradebook, lesson), ledger.records(lesson)
    if not book.knows(gradebook, lesson):
        return  # its cells have changed, which was said
    for record in records:
        cells, checks = held.get(record.student), record.graded.checks
        if cells is None or any(cells[name] != found["points"] for name, found in checks.items() if name in cells):
            _enter(ledger, gradebook, ledger.job(lesson, record), record.key, record.graded)
    book.penalise(gradebook, settings, lesson, {r.student: (r.moment(), r.late) for r in records})


def _enter(ledger, gradebook, job, key, graded):
    """Write a grade into the gradebook, then into the record that the gradebook has it."""
    book.write(gradebook, graded, job.student, job.when)
    ledger.write(job, key, graded, booked=True)


def feedback(ledger: Ledger, jobs: list[Job], pool, db_url, progress=nothing) -> int:
    """Write the page of every submission, where it would say something new; how many could not be made."""
    with book.opened(db_url) as gradebook:
        scores = {lesson: book.scores(gradebook, lesson) for lesson in {job.lesson for job in jobs}}
    todo, failed = {}, 0
    for job in jobs:
        record, found = ledger.read(job), scores[job.lesson].get(job.student)
        if not record or not found or not (record.graded.unreadable or ledger.graded(job).exists()):
            continue
        if record.graded.unreadable:
            write_whole(ledger.page(job), pages.refusal(job.lesson, record.graded.unreadable, job.student, job.file))
            continue
        text, total = ledger.graded(job).read_text(encoding="utf-8"), (found["score"], found["most"], found["late"])
        waiting = tuple(found["manual"])
        task = Page(text, job.lesson, total, found["cells"], found["comments"], waiting, job.student, job.file)
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


def reports(ledger: Ledger, lessons, db_url, left=(), faults=(), course=()) -> list[Path]:
    """Write each lesson's class report and table, and those of the whole course; their paths.

    course  all of its lessons
    """
    files, held = [], {}
    with book.opened(db_url) as gradebook:
        names = {student: " ".join(filter(None, (first, last))) for student, first, last, _ in book.students(gradebook)}
        for lesson in sorted({*lessons, *course}):
            scores = book.scores(gradebook, lesson)
            missing = {job.student: fault for job, fault in dict(faults).items() if job.lesson == lesson}
            # an older record is of what was handed in before
            records: list[Record] = [r for r in ledger.records(lesson) if r.student not in missing]
            absent = sorted(names.keys() - {r.student for r in records} - missing.keys())
            held[lesson] = (records, scores, missing)
            if lesson in lessons or records:  # of the others a due date may have moved
                found = left if lesson in lessons else []
                texts = (
                    report.page(lesson, records, scores, missing, found, absent),
                    report.table(lesson, records, scores, missing, absent),
                )
                files += _write(ledger, lesson, *texts)
    if course:
        rows = overview.rows(names, held)
        files += _write(ledger, "course", overview.page(rows, held), overview.table(rows, held))
    return files


def _write(ledger, name, page, table):
    paths = [ledger.report(name, "html"), ledger.report(name, "csv")]
    for path, text in zip(paths, (page, BOM + table)):
        write_whole(path, text)
    return paths


def full_disk(error):
    """An error of writing as a sentence."""
    what = f"{error.filename or 'A file'} could not be written ({error.strerror})"
    return Stop(f"{what}: put that right and start again. What is graded is kept.")
