"""How fast grading is, beside nbgrader's own: `python tools/bench_grading.py` in the course's environment.

On an idle machine. One class of submissions to lesson 02 (answers drawn from the tests' bank: right, half right, wrong,
missing; a few hostile) is graded by the grade command with 1, 2 and 4 workers, sandbox on, and by `nbgrader autograde`
with nbgrader's own Execute, all in one run; it prints a table of ratios, and whether the scores are the same.
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import nbformat
import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from nbgrader.api import Gradebook  # noqa: E402

from tests.support import answers as bank  # noqa: E402
from tests.support.submissions import CLASS, LESSON, Submission, answers  # noqa: E402

HOSTILE = ("dies", "tampered")
GRADE = ("-m", "course_lib.grading")
QUIET = ("--no-feedback", "--quiet")
LEARN = (
    "import os; from course_lib.grading import batch as c; "
    f"c.learn(os.getcwd(), [{LESSON!r}], c.settings(os.getcwd()).CourseDirectory.db_url)"
)
STOCK = """
from nbgrader.converters import Autograde
from nbgrader.preprocessors import Execute
from course_lib.grading import course
c.Autograde.autograde_preprocessors = Autograde.autograde_preprocessors.default_args[0]
c.Execute.timeout, c.Execute.iopub_timeout = 600, 60
{skip}
"""


def a_class(count):
    """{student: Submission}: nine in ten draw each answer from the bank, the others are hostile."""
    luck, known, found = random.Random(2026), answers(), {}
    drawn = {}
    for item in bank.bank(LESSON):
        drawn.setdefault(item.exercise, {"right": [], "wrong": []})[item.kind].append(item.code)
    for number in range(count):
        if number % 10 == 9:
            found[f"s{number:04}"] = CLASS[HOSTILE[number // 10 % len(HOSTILE)]]()
            continue
        skill, given = luck.random(), dict(known)
        for name, kinds in drawn.items():
            kind = "right" if luck.random() < skill else "wrong" if luck.random() < 0.7 else None
            if kind is None:
                del given[name]
            else:
                given[name] = luck.choice(kinds[kind] or [known[name]])
        for name in [n for n in given if n.startswith("quiz_")]:
            given[name] = known[name] if luck.random() < skill else f'{name} = "{luck.choice("abcd")}"'
        found[f"s{number:04}"] = Submission(given)
    return found


def course(folder, students, config=""):
    """A copy of the course with these submissions, whose gradebook knows the lesson."""
    for name in ("course_lib", "solutions", "lessons"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("nbgrader_config.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    if config:
        with open(folder / "nbgrader_config.py", "a") as file:
            file.write(config)
    for student, submission in students.items():
        path = folder / "grading/submitted" / student / LESSON / f"{LESSON}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(submission.nb, path)
    subprocess.run([sys.executable, "-c", LEARN], cwd=folder, check=True, capture_output=True)
    return folder


def scores(folder):
    """{student: {cell: auto score}}."""
    with Gradebook(f"sqlite:///{folder / 'grading/gradebook.db'}", "segmentation") as gradebook:
        return {
            s.student_id: {g.cell.name: g.auto_score for n in s.notebooks for g in n.grades}
            for s in gradebook.assignment_submissions(LESSON)
        }


def environment(folder):
    """The environment of a process that finds its course_lib in this copy of the course."""
    return {**os.environ, "PYTHONPATH": str(folder)}


def timed(command, folder):
    """(seconds, most memory in MB of all its processes, output) of a command."""
    most, over = 0.0, threading.Event()
    began = time.perf_counter()
    told = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen([sys.executable, *command], cwd=folder, env=environment(folder), **told)

    def watch():
        nonlocal most
        while not over.wait(0.5):
            total = 0
            try:
                for one in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]:
                    total += one.memory_full_info().pss
            except psutil.Error:
                continue
            most = max(most, total / 2**20)

    watcher = threading.Thread(target=watch)
    watcher.start()
    said = process.communicate()[0]
    over.set()
    watcher.join()
    return time.perf_counter() - began, most, said


def on_a_cluster(place, count, workers=2):
    """Seconds for `count` submissions on a Dask cluster of local processes; one more worker is killed half-way."""
    folder, card = course(Path(place, f"cluster{count}"), a_class(count)), Path(place, f"card{count}.json")

    def start(what, *options):
        command = [sys.executable, "-m", f"distributed.cli.{what}", "--no-dashboard", "--scheduler-file", str(card)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen([*command, *options], cwd=folder, env=environment(folder), **quiet)

    started = [start("dask_scheduler", "--host", "127.0.0.1", "--port", "0")]
    try:
        for _ in range(workers + 1):
            started.append(start("dask_worker", "--nthreads", "1", "--no-nanny", "--local-directory", str(folder)))
        while not (card.exists() and card.stat().st_size):
            time.sleep(0.2)
        address = json.loads(card.read_text())["address"]
        cluster = ("--scheduler", address, *QUIET)
        timed([*GRADE, "grading/submitted/s0000", *cluster], folder)  # stations start
        records = folder / "grading/results" / LESSON

        def kill_one():
            while len(list(records.glob("s*.json"))) < count // 2:
                time.sleep(0.2)
            started[-1].kill()

        killer = threading.Thread(target=kill_one)
        killer.start()
        taken, _, said = timed([*GRADE, "grading/submitted", *cluster], folder)
        killer.join()
        assert f"{count} of {count} submissions have grades." in said, said
        return taken
    finally:
        for process in started:
            process.kill()
            process.wait()


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--class-size", type=int, default=100)
    options.add_argument("--nbgrader", type=int, default=100, help="how many of them nbgrader grades without demos")
    options.add_argument("--nbgrader-whole", type=int, default=5, help="and with them")
    options.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4])
    killed = "and so many on a Dask cluster of two workers, and one that is killed half-way"
    options.add_argument("--cluster", type=int, nargs="*", default=[], help=killed)
    options = options.parse_args()
    students = a_class(options.class_size)
    rows, ours = [], {}
    with tempfile.TemporaryDirectory() as place:
        for workers in options.workers:
            folder = course(Path(place, f"ours{workers}"), students)
            # a batch of one shows what starting costs
            start, *_ = timed([*GRADE, "grading/submitted/s0000", "--workers", "1", *QUIET], folder)
            shutil.rmtree(folder / "grading/results")
            taken, memory, said = timed([*GRADE, "grading/submitted", "--workers", str(workers), *QUIET], folder)
            assert f"{len(students)} of {len(students)} submissions have grades." in said, said
            ours[workers] = scores(folder)
            rows.append((f"grade, {workers} worker{'s' * (workers > 1)}", len(students), taken, memory))
            print(f"starting: a batch of one took {start:.1f} s", flush=True)
            if workers == 2:
                pages, *_ = timed([*GRADE, "grading/submitted", "--workers", "2", "--quiet"], folder)
                print(f"feedback pages and report for {len(students)}: {pages:.1f} s", flush=True)
        best = min(rows, key=lambda r: r[2] / r[1])
        for what, count, skip in (
            ("nbgrader, demonstrations left out", options.nbgrader, "c.Execute.skip_cells_with_tag = 'demo'"),
            ("nbgrader, all cells", options.nbgrader_whole, ""),
        ):
            if not count:
                continue
            some = dict(list(students.items())[:count])
            folder = course(Path(place, f"stock{len(rows)}"), some, STOCK.format(skip=skip))
            taken, memory, said = timed(["-m", "nbgrader", "autograde", LESSON], folder)
            theirs, mine = scores(folder), next(iter(ours.values()))
            unlike = [s for s in some if theirs.get(s) != mine[s]]
            failed = re.findall(r"error processing assignment '\S+' for student '(\w+)'", said)
            names = ", ".join(unlike) or "none"
            print(f"{what}: other scores for {len(unlike)} of {count}: {names}", end="; ")
            print(f"failed: {', '.join(failed) or 'none'}", flush=True)
            for student in unlike[:6]:
                given = theirs.get(student, {})
                print("   ", student, {k: (given.get(k), v) for k, v in mine[student].items() if given.get(k) != v})
            rows.append((what, count, taken, memory))
    assert all(found == next(iter(ours.values())) for found in ours.values()), "the number of workers changed a score"
    print(f"\n{'':36} submissions  seconds  s each  memory MB  times nbgrader's rate")
    slow = {r[0]: r[2] / r[1] for r in rows if r[0].startswith("nbgrader")}
    for what, count, taken, memory in rows:
        ratio = " / ".join(f"{theirs / (taken / count):.1f}" for theirs in slow.values())
        print(f"{what:36} {count:11} {taken:8.1f} {taken / count:7.2f} {memory:10.0f}  {ratio}")
    with tempfile.TemporaryDirectory() as place:
        for count in options.cluster:
            taken = on_a_cluster(place, count)
            print(f"{f'Dask, {count}, a worker killed':36} {count:11} {taken:8.1f} {taken / count:7.2f}", flush=True)
    print(f"(two numbers: against nbgrader without demonstrations / with all cells; fastest: {best[0]})")


if __name__ == "__main__":
    main()
