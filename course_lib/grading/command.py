"""python3 -m course_lib grade PATH…: a class's notebooks in, grades, feedback and a report out."""

import argparse
import sys

from tqdm import tqdm

from course_lib.crossing import sandbox
from course_lib.crossing.sandbox import Limits
from course_lib.start.environment import ROOT
from course_lib.start.errors import Stop

from .pool import Pool, cores


def main(arguments):
    """The command line; 0 where everything has a grade or a reason that lies in the submission."""
    options = parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):  # a student's name may have letters that this terminal has not
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    limits = Limits(cpu=options.cpu_seconds, wall=options.wall_seconds, memory=options.memory)
    if options.dry_run:
        return rehearse(options, ROOT)
    if not options.unsafe and (reason := sandbox.missing()):
        raise Stop(f"{reason} To grade without a sandbox, in your own account, code that you trust, add --unsafe.")
    if options.unsafe:
        print(
            "Without a sandbox: student code runs in your account and can do what you can. Every result will say so.",
            file=sys.stderr,
        )
    pool = make_pool(options, ROOT, limits)
    try:
        return grade(options, ROOT, limits, pool)
    finally:
        pool.stop()


def found(options, root):
    """(ledger, lessons, nbgrader's settings, the gradebook, platforms' sheets, notebooks, what was left out)."""
    from . import batch, restore  # nbgrader takes its time
    from .ledger import Ledger

    ledger, known = Ledger(root), restore.lessons(root)
    wanted = named(options.lesson, known)
    configured = batch.settings(root)  # puts nbgrader's own commands within reach, too
    db_url = options.db or configured.CourseDirectory.db_url
    paths, sheets, left = batch.sheets_among(options.paths)
    handed, others = batch.gather(paths, root, ledger, known, wanted, db_url, sheets)
    left += others
    for name, reason in left:
        print(f"Left out: {name} {reason}.")
    if not handed and not (sheets and ledger.lessons()):
        raise Stop("There is nothing to grade: no notebook of a student was found.")
    return ledger, known, configured, db_url, sheets, handed, left


def rehearse(options, root):
    """Say who would be graded as whom, and do nothing."""
    *_, handed, _ = found(options, root)
    for one in handed:
        says = [f"{one.file.name()} → {one.student}, {one.lesson}"]
        says += [f"handed in {one.when:%Y-%m-%d %H:%M} UTC"] if one.when else []
        says += ["late, says the platform"] if one.claim.late else []
        says += [f"needs a person: {one.unclear}"] if one.unclear else []
        print("; ".join(says))
    print(f"{len(handed)} submissions would be graded. Nothing was done.")
    return 0


def grade(options, root, limits, pool):
    """What `main` returns, by the workers of a pool that may still be starting."""
    from . import back, batch

    try:
        ledger, known, configured, db_url, sheets, handed, left = found(options, root)
        jobs = [batch.submit(ledger, one) for one in handed]
        lessons = sorted({job.lesson for job in jobs})
        batch.learn(root, lessons, db_url, [lesson for lesson in known if lesson not in lessons])
        with bar(len(jobs), "grading", options.quiet) as progress:
            safe = not options.unsafe
            faults = batch.grade(
                ledger, jobs, pool, configured, db_url, limits, safe, options.again, progress, say=tqdm.write
            )
        failed = 0
        if options.feedback:
            paged = jobs + ledger.others(jobs)  # a due date that has moved concerns everybody
            with bar(len(paged), "feedback", options.quiet) as progress:
                failed = batch.feedback(ledger, paged, pool, db_url, progress)
        written = batch.reports(ledger, lessons, db_url, left, faults, known)
        wanted = named(options.lesson, known)
        written += back.give(ledger, sheets, known, [wanted] if wanted else lessons, db_url)
    except OSError as error:
        raise batch.full_disk(error) from error
    records = [(job, ledger.read(job)) for job in jobs]
    refused = [(job, record.graded.unreadable) for job, record in records if record and record.graded.unreadable]
    print(f"{len(jobs) - len(faults) - len(refused)} of {len(jobs)} submissions have grades.")
    for job, reason in refused:
        print(f"  {job.student}, {job.lesson}: {reason}")
    for job in jobs:
        if job.unclear:
            print(f"  {job.student}, {job.lesson}, needs a person: {job.unclear}.")
    if failed:
        print(f"  {failed} feedback pages could not be made: start again.")
    for path in written:
        print(path.relative_to(root) if path.is_relative_to(root) else path)
    return 1 if faults or failed else 0


def named(text, lessons):
    """The lesson that an instructor named, by its number or in full; None where they named none."""
    found = [name for name in lessons if text and (name == text or name.startswith(f"{text}_"))]
    if text and not found:
        raise Stop(f"There is no lesson {text!r}: the lessons are {', '.join(lessons)}.")
    return found[0] if found else None


def parser():
    made = argparse.ArgumentParser(prog="python3 -m course_lib grade", description="Grade students' notebooks.")
    add = made.add_argument
    paths = (
        "nbgrader's submitted tree, a folder or zip from Moodle, Canvas or Classroom, notebooks; beside them Moodle's "
    )
    paths += "grading worksheet or Canvas' gradebook export, to be filled in"
    add("paths", nargs="+", metavar="PATH", help=paths)
    add("--lesson", help="the lesson that all of them are, such as 02; else each file's name or content tells")
    add("--dry-run", action="store_true", help="only say who would be graded as whom")
    add("--workers", type=int, default=0, help="submissions graded at once (as many as there are cores)")
    cpu = "processor time that a submission's process may use (%(default)s)"
    add("--cpu-seconds", type=int, default=Limits.cpu, help=cpu)
    add("--wall-seconds", type=int, default=Limits.wall, help="time that it may take (%(default)s)")
    add("--memory", type=int, default=Limits.memory, help="MB that it may use (%(default)s)")
    add("--again", action="store_true", help="grade what is graded once more")
    add("--no-feedback", dest="feedback", action="store_false", help="write no feedback pages")
    add("--unsafe", action="store_true", help="without a sandbox")
    add("--scheduler", metavar="ADDRESS", help="grade on the workers of this Dask scheduler")
    add("--db", metavar="URL", help="the gradebook, where it is not nbgrader_config.py's")
    add("--quiet", action="store_true", help="no progress bar")
    return made


def make_pool(options, root, limits):
    if options.scheduler:
        from .cluster import Cluster

        return Cluster(options.scheduler, limits, not options.unsafe)
    return Pool(root, options.workers or cores(), limits, not options.unsafe)


class bar:
    """A progress bar with rate and time left, called with every job that is done."""

    def __init__(self, total, what, quiet):
        self.bar = tqdm(total=total, desc=what, unit="notebook", disable=quiet or None, dynamic_ncols=True)

    def __enter__(self):
        return lambda job: self.bar.update()

    def __exit__(self, *error):
        self.bar.close()
