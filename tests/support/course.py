"""The course as tests see it: its folder, its lessons, what is released, and runs of its notebooks."""

import json
import os
import shutil
import subprocess
import sys
import time

import nbformat

from course_lib.start.environment import ROOT
from tests.support.processes import PATIENCE

LESSONS = sorted(p.stem for p in (ROOT / "solutions").glob("[0-9][0-9]_*.py"))


def process_env(**more):
    """This environment with the checkout importable, for processes that run notebooks."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def notebook(kind, lesson):
    """The committed notebook of a lesson; `kind` is "solutions" or "lessons"."""
    return nbformat.read(ROOT / kind / lesson / f"{lesson}.ipynb", as_version=4)


def is_draft(lesson):
    """Is it not finished yet: its first cell is tagged "draft"? Then it may have less than a lesson must."""
    return "draft" in notebook("lessons", lesson).cells[0].metadata.get("tags", [])


def where(lesson):
    """How a sentence about a lesson begins: its source's file and line."""
    return f"solutions/{lesson}.py:1:"


class Released:
    """What students get: the released tree of the course, and the wheel that Colab would build from it."""

    REPOSITORY, TAG = "someone/course", "v1"

    def __init__(self, folder):
        from course_lib.author import release

        self.tree = folder / "tree"
        self.names = release.release(self.tree, self.REPOSITORY, self.TAG)
        self.wheel = build_wheel(self.tree, folder / "wheel")


def build_wheel(tree, folder):
    """Build a tree's wheel with the setuptools that is here, as pip does; its path."""
    copy = folder / "copy"  # building leaves things behind
    shutil.copytree(tree, copy)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--disable-pip-version-check",
        "-w",
        str(folder),
        str(copy),
    ]
    done = subprocess.run(
        command, env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    shutil.rmtree(copy)
    return next(folder.glob("course_lib-*.whl"))


class Run:
    """A notebook's run: its cells with outputs, the seconds, the kernel's peak memory in MB."""

    def __init__(self, cells, seconds, megabytes, report=""):
        self.cells, self.seconds, self.megabytes, self.report = cells, seconds, megabytes, report

    def cell(self, cell_id):
        return next(c for c in self.cells if c["id"] == cell_id)

    def texts(self, cell):
        """The plain text of a cell's outputs, joined."""
        return "".join(o.get("text", "") or o.get("data", {}).get("text/plain", "") for o in cell.get("outputs", []))


_runs = {}


def run(kind, lesson, folder):
    """Run a notebook under nbval in a process of its own, recording what each cell puts out."""
    if (kind, lesson) not in _runs:
        record = folder / f"{kind}_{lesson}.json"
        path = ROOT / kind / lesson / f"{lesson}.ipynb"
        command = [sys.executable, "-m", "pytest", "--nbval-lax", "-q", "-p", "tests.support.nbval_record"]
        command += ["-p", "no:cacheprovider", "--nbval-cell-timeout", str(PATIENCE)]
        command += ["-c", os.devnull, f"--rootdir={ROOT}", str(path)]
        settings = dict(cwd=ROOT, env=process_env(NBVAL_RECORD=str(record)), capture_output=True, text=True)
        began = time.perf_counter()
        done = subprocess.run(command, **settings)
        seconds = time.perf_counter() - began
        nothing = {"cells": {}, "megabytes": 0, "cpu": 0}
        recorded = json.loads(record.read_text()) if record.exists() else nothing
        cells = notebook(kind, lesson).cells
        for cell in cells:
            cell["outputs"] = recorded["cells"].get(cell["id"], [])
        run = _runs[kind, lesson] = Run(cells, seconds, recorded["megabytes"], done.stdout + done.stderr)
        run.failed, run.cpu = done.returncode, recorded["cpu"]
    return _runs[kind, lesson]
