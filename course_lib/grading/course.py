"""What the repository root adds to nbgrader, and why: `configure` is all of nbgrader_config.py.

nbgrader's own steps do the work. Some of its rules would misgrade this course's notebooks, so something
small stands beside each:

- a quiz's stub must not raise, or "run all" would stop there            -> `QuizStubs` (generate_assignment)
- a deleted cell comes back in the wrong place, a deleted written answer
  comes back changed, hence "needs manual grade", and one cell with odd
  metadata fails a submission                                             -> `RestoreCells` (autograde)
- student code runs in the instructor's account, in one process with the
  tests; a check cell that was skipped, is silent, or says something that
  is no number earns full points; one line on stderr earns none           -> `Isolate` (autograde)
- a fresh clone has an empty gradebook, and autograde refuses; a gradebook
  that was filled before a check was corrected grades with the old check  -> `register` (autograde)
- feedback shows the hidden tests                                         -> `ClearHiddenTests` (generate_feedback)
"""

import atexit
import contextlib
import copy
import functools
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import nbformat
from nbformat.v4 import upgrade
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import Autograde, GenerateAssignment, GenerateFeedback
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import (
    ClearHiddenTests,
    ClearSolutions,
    DeduplicateIds,
    Execute,
    NbGraderPreprocessor,
    OverwriteCells,
)
from traitlets import Bool, Integer
from traitlets.config import Application, Config

from course_lib.crossing import sandbox
from course_lib.crossing.sandbox import Limits

from . import restore

CODE_STUB = "# YOUR CODE HERE\nraise NotImplementedError"
TEXT_STUB = "*Write your answer here.*"


def configure(c, root):
    """Make `c` (a traitlets config) the course at `root`: solutions/ is its source, lessons/ its release."""
    root = Path(root).resolve()
    grading = root / "grading"
    _first_in("PATH", Path(sys.executable).parent)  # nbgrader calls `alembic` by name, activated environment or not
    _first_in("PYTHONPATH", root)  # kernels import the course_lib of this checkout
    with contextlib.suppress(OSError):  # a read-only checkout can still generate elsewhere
        grading.mkdir(exist_ok=True)
    c.CourseDirectory.root = str(root)
    c.CourseDirectory.course_id = "segmentation"
    c.CourseDirectory.source_directory = "solutions"
    c.CourseDirectory.release_directory = "lessons"
    for step in ("submitted", "autograded", "feedback", "solution"):
        setattr(c.CourseDirectory, f"{step}_directory", f"grading/{step}")
    c.CourseDirectory.db_url = f"sqlite:///{grading / 'gradebook.db'}"
    c.CourseDirectory.ignore = [*CourseDirectory.ignore.default_args[0], "*.py"]  # nothing but notebooks to students
    c.ExportPlugin.to = str(grading / "grades.csv")  # set per run with --to
    c.ClearSolutions.code_stub = {"python": CODE_STUB}
    c.ClearSolutions.text_stub = TEXT_STUB
    cleared = [ClearSolutions, QuizStubs]
    c.GenerateAssignment.preprocessors = _with(GenerateAssignment.preprocessors, ClearSolutions, cleared)
    sanitize = _with(Autograde.sanitize_preprocessors, OverwriteCells, [RestoreCells])
    c.Autograde.sanitize_preprocessors = [p for p in sanitize if p is not DeduplicateIds]  # RestoreCells does it
    c.Autograde.autograde_preprocessors = _with(Autograde.autograde_preprocessors, Execute, [Isolate])
    c.Autograde.pre_convert_hook = lambda notebooks, **_: prepare(
        root, Path(notebooks[0]).parent.name, c.CourseDirectory.db_url
    )
    c.GenerateFeedback.preprocessors = [ClearHiddenTests, *GenerateFeedback.preprocessors.default_args[0]]


def _first_in(variable, folder):
    places = [p for p in os.environ.get(variable, "").split(os.pathsep) if p and p != str(folder)]
    os.environ[variable] = os.pathsep.join([str(folder), *places])


def _with(trait, old, new):
    """A converter's default preprocessors, with the list `new` in place of the one `old`."""
    return [q for p in trait.default_args[0] for q in (new if p is old else [p])]


def generate(root, assignment, release, db_url):
    """Run nbgrader's generate step for one lesson into the folder `release`, with the gradebook at `db_url`."""
    config = Config()
    configure(config, root)
    config.CourseDirectory.release_directory = str(release)
    config.CourseDirectory.db_url = db_url
    coursedir = CourseDirectory(config=config)
    coursedir.assignment_id = assignment
    GenerateAssignment(coursedir=coursedir, config=config, force=True).start()


def prepare(root, assignment, db_url):
    """What has to hold before nbgrader's autograde touches a submission. Exits with one sentence where it can't."""
    config = Application.instance().config if Application.initialized() else Config()
    stands_in_the_way = "" if config.Isolate.unsafe is True else _missing()
    if stands_in_the_way:
        sys.exit(f"{stands_in_the_way} To grade without a sandbox code that you trust, add --Isolate.unsafe=True.")
    register(root, assignment, db_url)


_missing = functools.lru_cache(sandbox.missing)


def register(root, assignment, db_url):
    """Bring a gradebook up to a lesson's source. Exits with a sentence where its submissions have other cells."""
    path = Path(root, "solutions", assignment, f"{assignment}.ipynb")
    if not path.exists():
        return  # nbgrader says that it knows no such assignment
    cells = restore.originals(nbformat.read(path, as_version=4))
    wanted = {name: _rule(cell.source, cell.metadata.nbgrader) for name, cell in cells.items()}
    known, graded = _known(assignment, db_url)
    if known == wanted:
        return
    if graded and known.keys() != wanted.keys():
        changed = ", ".join(sorted(known.keys() ^ wanted.keys()))
        sys.exit(
            f"{assignment} has gained or lost cells ({changed}) since its first submission was graded, and nbgrader "
            f"can't give those to a lesson with grades: grade with the version that students got, or run `nbgrader db "
            f"assignment remove {assignment} --force`, which forgets the lesson's grades, manual ones too, and "
            f"autograde again."
        )
    here = os.getcwd()
    try:
        with tempfile.TemporaryDirectory() as folder:
            generate(root, assignment, folder, db_url)
    finally:
        os.chdir(here)


def _known(assignment, db_url):
    """What a gradebook has of a lesson: ({grade_id: its `_rule`} or None, whether there are submissions)."""
    with Gradebook(db_url, "segmentation") as gradebook:
        try:
            notebook = gradebook.find_notebook(assignment, assignment)
        except MissingEntry:
            return None, False
        points = {cell.name: cell.max_score for cell in notebook.grade_cells}
        answers = {cell.name for cell in notebook.solution_cells}
        rules = {
            cell.name: _rule(cell.source, {"solution": cell.name in answers, "points": points.get(cell.name)})
            for cell in notebook.source_cells
        }
        return rules, bool(notebook.submissions)


def _rule(source, mark):
    """What of a cell decides a grade: its points, and its text unless that is the student's."""
    return mark.get("points"), None if mark["solution"] else source


class QuizStubs(NbGraderPreprocessor):
    """An unanswered quiz is a question mark: its cell runs, and its check says "not attempted"."""

    def preprocess_cell(self, cell, resources, index):
        quiz = cell.metadata.get("quiz")
        if quiz:
            cell.source = quiz_stub(quiz, cell.metadata["letters"])
        return cell, resources


def quiz_stub(quiz, letters):
    """The line that a student edits to answer a quiz."""
    return f'quiz_{quiz} = "?"  # your choice: {", ".join(letters[:-1])} or {letters[-1]}'


class RestoreCells(OverwriteCells):
    """Everything but the answers comes from the source: `restore.restore` does that, nbgrader's own step the checksums.

    nbgrader's own `add_missing_cells` puts a cell after whichever cell the database lists before it (it keeps no
    order), fails where that one is missing too, and marks a deleted written answer as written.
    """

    def preprocess(self, nb, resources):
        # nbgrader works in the course's root
        source = restore.source_of(os.getcwd(), resources["nbgrader"]["assignment"])
        if nb.nbformat_minor < 5:  # Colab saves 4.0, where a cell that comes back may have no id
            nb = upgrade(nb, from_minor=nb.nbformat_minor)
        for note in restore.restore(nb, source):
            self.log.warning(note)
        return super().preprocess(nb, resources)


class Isolate(NbGraderPreprocessor):
    """Runs a submission in the sandbox and its checks here, in place of nbgrader's kernel; see `runner`."""

    unsafe = Bool(False, help="Run student code without a sandbox, in your own account").tag(config=True)
    cpu = Integer(Limits.cpu, help="Seconds of processor time that a submission's process may use").tag(config=True)
    wall = Integer(Limits.wall, help="Seconds that it may take").tag(config=True)
    memory = Integer(Limits.memory, help="MB of memory that it may use").tag(config=True)

    def preprocess(self, nb, resources):
        from . import runner  # torch takes its time, and most of nbgrader's commands need none

        source = restore.source_of(os.getcwd(), resources["nbgrader"]["assignment"])
        limits = replace(Limits(), cpu=self.cpu, wall=self.wall, memory=self.memory)

        def once():
            copied, graded = copy.deepcopy(nb), runner.Graded(source.lesson)
            _station(os.getcwd(), limits, not self.unsafe).run(copied, source, graded)
            return copied, graded

        nb, graded = runner.retried(once)
        for name, found in graded.checks.items():
            if found["reason"]:
                self.log.warning("%s: %s", name, found["reason"])
        return nb, resources


@functools.lru_cache(maxsize=1)
def _station(root, limits, safe):
    from .runner import Station

    station = Station(root, limits, safe)
    atexit.register(station.stop)
    return station
