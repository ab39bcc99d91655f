"""Grading on a Dask cluster of processes of this machine, and into a gradebook on a PostgreSQL server."""

import os
import pwd
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.system_packages import needs_system

pytest.importorskip("distributed")
from tests.support import submissions as made
from tests.support.graded import LIMITS, MUST_HAVE, Graded, clean_environment
from tests.support.processes import PATIENCE, wait_for
from tests.support.submissions import LESSON

pytestmark = pytest.mark.slow

KINDS = ("full", "partial", "none")


def a_course(folder, count):
    course = Graded(folder)
    for number in range(count):
        course.submit(f"s{number:02}", made.CLASS[KINDS[number % 3]]())
    return course


def right(course, count, grades):
    for number in range(count):
        found = {name: score for name, (score, _) in grades(f"s{number:02}").items()}
        assert found == MUST_HAVE[KINDS[number % 3]], number


@pytest.fixture
def cluster(tmp_path):
    """A course with 24 submissions, a scheduler's address, and its three workers as processes."""
    needs_system("bubblewrap", "bwrap")
    course, card = a_course(tmp_path, 24), tmp_path / "scheduler.json"
    environment = {**clean_environment(course.home), "PYTHONPATH": str(course.root)}
    common = {"cwd": course.root, "env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "distributed.cli.dask_scheduler",
                "--host",
                "127.0.0.1",
                "--port",
                "0",
                "--no-dashboard",
                "--scheduler-file",
                str(card),
            ],
            **common,
        )
    ]
    try:
        for _ in range(3):
            started.append(
                subprocess.Popen(
                    [
                        sys.executable,
                        "-m",
                        "distributed.cli.dask_worker",
                        "--scheduler-file",
                        str(card),
                        "--nthreads",
                        "1",
                        "--no-nanny",
                        "--no-dashboard",
                        "--local-directory",
                        str(tmp_path),
                    ],
                    **common,
                )
            )
        wait_for(lambda: card.exists() and card.stat().st_size, "the scheduler does not come up")
        import json

        yield course, json.loads(card.read_text())["address"], started[1:]
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_a_cluster_grades_and_a_worker_that_dies_half_way_costs_nothing(cluster):
    course, address, workers = cluster
    process = course.start("grading/submitted", *LIMITS, "--no-feedback", "--scheduler", address)
    folder = course.root / f"grading/results/{LESSON}"
    while len(list(folder.glob("s*.json"))) < 6 and process.poll() is None:
        time.sleep(0.05)
    assert process.poll() is None
    workers[0].kill()
    said = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0 and "24 of 24 submissions have grades." in said and "Traceback" not in said, said
    right(course, 24, course.grades)


def test_a_scheduler_that_is_not_there_is_one_sentence(tmp_path):
    needs_system("bubblewrap", "bwrap")
    course = a_course(tmp_path, 1)
    said = course.grade(
        "grading/submitted",
        "--scheduler",
        "tcp://127.0.0.1:9",
        code=1,
        env={"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "1s"},
    )
    assert "There is no Dask scheduler with workers at tcp://127.0.0.1:9" in said.strip().splitlines()[-1]


# --- PostgreSQL ---------------------------------------------------------------------------------------------


@pytest.fixture
def postgres(tmp_path_factory):
    """The URL of an empty database on a server of this test's own."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    tools = Path(needs_system("postgresql", str(found[-1]) if found else "initdb")).parent
    folder = tmp_path_factory.mktemp("pg")
    line = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        user = pwd.getpwnam("postgres")
        line = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]
        folder = Path(f"/tmp/pg-{os.getpid()}")  # pytest's own folders are root's alone
        folder.mkdir()
        os.chown(folder, user.pw_uid, user.pw_gid)
    data = folder / "data"
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "cwd": folder}
    subprocess.run([*line, tools / "initdb", "-D", data, "-U", "course", "--auth=trust"], **quiet)
    server = [
        *line,
        tools / "pg_ctl",
        "-D",
        data,
        "-w",
        "-l",
        folder / "log",
        "-o",
        f"-k {folder} -c listen_addresses=''",
    ]
    subprocess.run([*server, "start"], **quiet)
    try:
        subprocess.run([*line, tools / "createdb", "-h", folder, "-U", "course", "grades"], **quiet)
        yield f"postgresql+psycopg://course@/grades?host={folder}"
    finally:
        subprocess.run([*server, "-m", "immediate", "stop"], **quiet)
        if line:
            shutil.rmtree(folder, ignore_errors=True)


def test_grades_go_to_a_postgresql_server(postgres, tmp_path):
    from nbgrader.api import Gradebook

    needs_system("bubblewrap", "bwrap")
    course = a_course(tmp_path, 3)
    with (course.root / "nbgrader_config.py").open("a") as config:
        config.write(f"\nget_config().CourseDirectory.db_url = {postgres!r}\n")
    for _ in range(2):
        assert "3 of 3 submissions have grades." in course.grade("grading/submitted", *LIMITS, "--workers", 1)
    assert not (course.root / "grading/gradebook.db").exists()

    def grades(student):
        with Gradebook(postgres, "segmentation") as gradebook:
            return {
                g.cell.name.removeprefix("check_"): (g.score, g.needs_manual_grade)
                for g in gradebook.find_submission_notebook(LESSON, LESSON, student).grades
            }

    right(course, 3, grades)
    assert (
        "s00" in course.nbgrader("export", "--to", str(tmp_path / "table.csv"))
        or "s00" in (tmp_path / "table.csv").read_text()
    )
