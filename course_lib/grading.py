"""What the repository root adds to nbgrader, and why: `configure` is all of nbgrader_config.py.

nbgrader's own steps do the work. Four of its rules would misgrade this course's notebooks, so a small
preprocessor stands beside each:

- a quiz's stub must not raise, or "run all" would stop there            -> `QuizStubs` (generate_assignment)
- a deleted cell comes back in the wrong place, and a deleted written
  answer comes back changed, hence "needs manual grade"                   -> `RestoreCells` (autograde)
- a check cell that was skipped, is silent, or says something that is
  no number earns full points; one line on stderr earns none              -> `Verdicts` (autograde)
- a fresh clone has an empty gradebook, and autograde refuses             -> `register` (autograde)
"""

import contextlib
import copy
import math
import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from nbgrader import utils
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import Autograde, GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import ClearSolutions, NbGraderPreprocessor, OverwriteCells, SaveAutoGrades
from traitlets.config import Config

CODE_STUB = "# YOUR CODE HERE\nraise NotImplementedError"
TEXT_STUB = "*Write your answer here.*"
DEMO = "demo"  # the tag of cells that train or demonstrate: grading does not run them


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
    c.ExportApp.to = str(grading / "grades.csv")  # set per run with --to
    c.ClearSolutions.code_stub = {"python": CODE_STUB}
    c.ClearSolutions.text_stub = TEXT_STUB
    c.OverwriteCells.add_missing_cells = False  # RestoreCells does it
    c.Execute.timeout = 300
    c.Execute.skip_cells_with_tag = DEMO
    c.GenerateAssignment.preprocessors = _after(GenerateAssignment, ClearSolutions, QuizStubs)
    c.Autograde.sanitize_preprocessors = [
        RestoreCells if p is OverwriteCells else p for p in Autograde.sanitize_preprocessors.default_args[0]
    ]
    c.Autograde.autograde_preprocessors = [
        q for p in Autograde.autograde_preprocessors.default_args[0] for q in ((Verdicts, p) if p is SaveAutoGrades else (p,))
    ]
    c.Autograde.pre_convert_hook = lambda assignment, **_: register(root, assignment, c.CourseDirectory.db_url)


def _first_in(variable, folder):
    places = [p for p in os.environ.get(variable, "").split(os.pathsep) if p and p != str(folder)]
    os.environ[variable] = os.pathsep.join([str(folder), *places])


def _after(converter, anchor, extra):
    listed = []
    for preprocessor in converter.preprocessors.default_args[0]:
        listed += [preprocessor, extra] if preprocessor is anchor else [preprocessor]
    return listed


def generate(root, assignment, release, db_url):
    """Run nbgrader's generate step for one lesson into the folder `release`, with the gradebook at `db_url`."""
    config = Config()
    configure(config, root)
    config.CourseDirectory.release_directory = str(release)
    config.CourseDirectory.db_url = db_url
    coursedir = CourseDirectory(config=config)
    coursedir.assignment_id = assignment
    GenerateAssignment(coursedir=coursedir, config=config, force=True).start()


def register(root, assignment, db_url):
    """Record a lesson's cells in a gradebook that does not know the lesson yet; otherwise do nothing."""
    with Gradebook(db_url, "segmentation") as gradebook:
        try:
            if gradebook.find_assignment(assignment).notebooks:
                return
        except MissingEntry:
            pass
    here = os.getcwd()
    try:
        with tempfile.TemporaryDirectory() as folder:
            generate(root, assignment, folder, db_url)
    finally:
        os.chdir(here)


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
    """Everything but the answers comes from the source: text, tags, order of missing cells.

    nbgrader's own `add_missing_cells` puts a cell after whichever cell the database lists before it (it keeps no
    order), fails where that one is missing too, and marks a deleted written answer as written. Here a missing
    cell goes back behind the nearest earlier cell of the source that is still there, unchanged: a deleted
    check is run, a deleted answer is an untouched stub, a deleted written answer counts zero.
    """

    def preprocess(self, nb, resources):
        nb, resources = super().preprocess(nb, resources)
        source = nbformat.read(_source_path(resources), as_version=4)
        originals = {c.metadata.nbgrader.grade_id: c for c in source.cells if "nbgrader" in c.metadata}
        here = {}
        for cell in nb.cells:
            grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
            if grade_id in originals:
                here[grade_id] = cell
                known = copy.deepcopy(originals[grade_id].metadata)
                known.nbgrader.checksum = cell.metadata.nbgrader.get("checksum")
                cell.metadata = known
            else:
                cell.metadata.pop("nbgrader", None)
        previous = None
        with Gradebook(self.db_url) as gradebook:
            for grade_id in originals:
                if grade_id not in here:
                    stored = gradebook.find_source_cell(grade_id, self.notebook_id, self.assignment_id)
                    cell = _restored(stored, originals[grade_id])
                    place = 0 if previous is None else 1 + next(i for i, c in enumerate(nb.cells) if c is previous)
                    nb.cells.insert(place, cell)
                    here[grade_id] = cell
                    self.log.warning("Cell '%s' was missing and has been put back", grade_id)
                previous = here[grade_id]
        return nb, resources


def _source_path(resources):
    names = resources["nbgrader"]
    return Path("solutions", names["assignment"], names["notebook"] + ".ipynb")  # nbgrader works in the course's root


def _restored(stored, original):
    make = new_code_cell if stored.cell_type == "code" else new_markdown_cell
    cell = make(source=stored.source, id=original.id, metadata=copy.deepcopy(original.metadata))
    cell.metadata.nbgrader.checksum = stored.checksum
    cell.metadata.nbgrader.cell_type = stored.cell_type
    return cell


class Verdicts(NbGraderPreprocessor):
    """Leave in each check cell exactly one result that is a number of points; without one, zero and the reason."""

    def preprocess_cell(self, cell, resources, index):
        if cell.cell_type == "code" and utils.is_grade(cell):
            reason = settle(cell)
            if reason:
                self.log.warning("%s: %s", cell.metadata.nbgrader.grade_id, reason)
        return cell, resources


def settle(cell):
    """Make a check cell's outputs say its points as nbgrader reads them; the reason where it had to be zero."""
    most = float(cell.metadata.nbgrader["points"])
    cell.outputs = [o for o in cell.outputs if not (o.output_type == "stream" and o.name == "stderr")]
    failed = any(o.output_type == "error" for o in cell.outputs)
    results = [o for o in cell.outputs if o.output_type == "execute_result"]
    try:
        points = float(results[-1].data["text/plain"])
    except (IndexError, KeyError, TypeError, ValueError):
        points = math.nan
    if not failed and math.isfinite(points):
        results[-1].data["text/plain"] = f"{min(max(points, 0.0), most):g}"
        return None
    reason = "this check stopped with an error" if failed else "this check gave no verdict"
    text = f"0 of {most:g} points: {reason}. Restart the kernel and run all cells to see it."
    cell.outputs = [o for o in cell.outputs if o.output_type != "execute_result"]
    if not failed:  # nbgrader itself gives zero where there is an error
        cell.outputs.append(
            new_output("execute_result", data={"text/plain": "0", "text/html": text}, execution_count=cell.execution_count)
        )
    return reason
