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
    limits = Limits(cpu=options.cpu_seconds, wall=options.wall_seconds, memory=options.memory)
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


def grade(options, root, limits, pool):
    """What `main` returns, by the workers of a pool that may still be starting."""
    from . import batch, restore  # nbgrader takes its time

    ledger, known = batch.Ledger(root), restore.lessons(root)
    wanted = next(
        (
            name
            for name in known
            if options.lesson and (name == options.lesson or name.startswith(f"{options.lesson}_"))
        ),
        None,
    )
    if options.lesson and not wanted:
        raise Stop(f"There is no lesson {options.lesson!r}: the lessons are {', '.join(known)}.")
    configured = batch.settings(root)  # puts nbgrader's own commands within reach, too
    db_url = options.db or configured.CourseDirectory.db_url
    try:
        jobs, left = batch.gather(options.paths, root, ledger, known, wanted, db_url)
        for name, reason in left:
            print(f"Left out: {name} {reason}.")
        if not jobs:
            raise Stop("There is nothing to grade: no notebook of a student was found.")
        lessons = sorted({job.lesson for job in jobs})
        batch.learn(root, lessons, db_url)
        with bar(len(jobs), "grading", options.quiet) as progress:
            faults = batch.grade(
                ledger, jobs, pool, configured, db_url, limits, not options.unsafe, options.again, progress, tqdm.write
            )
        failed = 0
        if options.feedback:
            with bar(len(jobs), "feedback", options.quiet) as progress:
                failed = batch.pages(ledger, jobs, pool, db_url, progress)
        written = batch.reports(ledger, lessons, db_url, left, faults)
    except OSError as error:
        raise batch.full_disk(error) from error
    unreadable = [(job, ledger.read(job.lesson, job.student).get("graded", {}).get("unreadable")) for job in jobs]
    refused = [(job, reason) for job, reason in unreadable if reason]
    print(f"{len(jobs) - len(faults) - len(refused)} of {len(jobs)} submissions have grades.")
    for job, reason in refused:
        print(f"  {job.student}, {job.lesson}: {reason}")
    if failed:
        print(f"  {failed} feedback pages could not be made: start again.")
    for path in written:
        print(path.relative_to(root) if path.is_relative_to(root) else path)
    return 1 if faults or failed else 0


def parser():
    made = argparse.ArgumentParser(prog="python3 -m course_lib grade", description="Grade students' notebooks.")
    made.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="nbgrader's submitted tree, a folder or zip from Moodle, Canvas or Classroom, or notebooks",
    )
    made.add_argument(
        "--lesson", help="the lesson that all of them are, such as 02; else each file's name or content tells"
    )
    made.add_argument("--workers", type=int, default=0, help="submissions graded at once (as many as there are cores)")
    made.add_argument(
        "--cpu-seconds",
        type=int,
        default=Limits.cpu,
        help="processor time that a submission's process may use (%(default)s)",
    )
    made.add_argument("--wall-seconds", type=int, default=Limits.wall, help="time that it may take (%(default)s)")
    made.add_argument("--memory", type=int, default=Limits.memory, help="MB that it may use (%(default)s)")
    made.add_argument("--again", action="store_true", help="grade what is graded once more")
    made.add_argument("--no-feedback", dest="feedback", action="store_false", help="write no feedback pages")
    made.add_argument("--unsafe", action="store_true", help="without a sandbox")
    made.add_argument("--scheduler", metavar="ADDRESS", help="grade on the workers of this Dask scheduler")
    made.add_argument("--db", metavar="URL", help="the gradebook, where it is not nbgrader_config.py's")
    made.add_argument("--quiet", action="store_true", help="no progress bar")
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
