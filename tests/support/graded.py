"""Copies of the course in which submissions are graded: by nbgrader's commands, and by ours."""

import json
import os
import shutil
import subprocess
import sys

import nbformat
from nbgrader import api

from tests.support.course import ROOT
from tests.support.processes import PATIENCE
from tests.support.submissions import LESSON, POINTS, WRITTEN

ALL = {name: points for name, points in POINTS.items() if name != WRITTEN}


def earned(**scores):
    """Every exercise's points by name: as given, else zero."""
    return {name: scores.get(name, 0) for name in POINTS}


MUST_HAVE = {
    "full": earned(**ALL),
    "partial": earned(conv_out_size=2, receptive_field=1.5, overlap_count=0.5, quiz_field=1),
    "none": earned(),
    "deleted": {**earned(**ALL), "trace_shapes": 0, "poke": 0, "quiz_grid": 0},
    "tampered": earned(),
    "messy": earned(**ALL),
    "colab": earned(**ALL),
    "dies": earned(**ALL),  # a cell of its own that ends the process costs nothing but that cell
}
LIMITS = ["--cpu-seconds", "10", "--wall-seconds", "600"]


def clean_environment(home):
    """This environment with another home, and less what leads to this checkout."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return {**kept, "HOME": str(home), "USERPROFILE": str(home), "PYTHONUNBUFFERED": "1"}


class Course:
    """A copy of this course without its gradebook."""

    def __init__(self, folder):
        self.root, self.home = folder / "course", folder / "home"
        self.home.mkdir(parents=True)
        for name in ("course_lib", "solutions", "lessons"):
            shutil.copytree(
                ROOT / name, self.root / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
            )
        for name in ("nbgrader_config.py", "pyproject.toml"):
            shutil.copy(ROOT / name, self.root)

    def nbgrader(self, *arguments, code=0):
        """Run nbgrader in the root; all that it said."""
        done = subprocess.run(
            [sys.executable, "-m", "nbgrader", *arguments],
            cwd=self.root,
            env=clean_environment(self.home),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == code, done.stdout[-6000:]
        return done.stdout

    def submit(self, student, submission, lesson=LESSON):
        folder = self.root / "grading/submitted" / student / lesson
        folder.mkdir(parents=True)
        path = folder / f"{lesson}.ipynb"
        path.write_text(submission if isinstance(submission, str) else nbformat.writes(submission.nb), encoding="utf-8")

    def gradebook(self):
        return api.Gradebook(f"sqlite:///{self.root / 'grading/gradebook.db'}", "segmentation")

    def grades(self, student, lesson=LESSON):
        """{exercise, quiz or written answer: (score, needs a person)} of one student."""
        with self.gradebook() as gradebook:
            found = gradebook.find_submission_notebook(lesson, lesson, student).grades
            return {g.cell.name.removeprefix("check_"): (g.score, g.needs_manual_grade) for g in found}

    def graded(self, student, lesson=LESSON):
        """The notebook that nbgrader ran for a student."""
        return nbformat.read(self.root / "grading/autograded" / student / lesson / f"{lesson}.ipynb", as_version=4)

    def files(self):
        """{path: bytes} of all but Python's caches and the grading data."""
        found = [p for p in self.root.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
        found = {p.relative_to(self.root).as_posix(): p.read_bytes() for p in found}
        return {name: text for name, text in found.items() if not name.startswith("grading/")}


class Graded(Course):
    """A copy of the course that is graded by the command."""

    def start(self, *arguments, **more):
        """The command as a process that runs."""
        line = [sys.executable, "-m", "course_lib.grading", *map(str, arguments)]
        return subprocess.Popen(
            line,
            cwd=self.root,
            env={**clean_environment(self.home), **more.pop("env", {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **more,
        )

    def grade(self, *arguments, code=0, **more):
        """Run the command; all that it said."""
        process = self.start(*arguments, **more)
        said = process.communicate(timeout=PATIENCE)[0]
        assert process.returncode == code, said[-6000:]
        assert "Traceback" not in said
        return said

    def record(self, student, lesson=LESSON):
        return json.loads((self.root / f"grading/results/{lesson}/{student}.json").read_text())

    def book(self):
        """{(student, lesson): {cell: (auto score, manual score, needs a person)}}, with every student's comments."""
        with self.gradebook() as gradebook:
            return {
                (s.student_id, s.assignment.name): (
                    {
                        g.cell.name: (g.auto_score, g.manual_score, g.needs_manual_grade)
                        for n in s.notebooks
                        for g in n.grades
                    },
                    {c.cell.name: c.auto_comment for n in s.notebooks for c in n.comments},
                )
                for a in gradebook.assignments
                for s in gradebook.assignment_submissions(a.name)
            }
