"""Submissions to lesson 02, made from the released notebook as students make them: solved, half solved, spoilt."""

import copy
import uuid

import nbformat
from nbformat.v4 import new_code_cell, new_output

from course_lib.grading import course as grading
from tests.support.course import notebook

LESSON = "02_encoder_decoder"
WRITTEN = "spokes"  # the answer that a person grades
POINTS = {
    c.metadata.nbgrader.grade_id.removeprefix("check_"): c.metadata.nbgrader.points
    for c in notebook("lessons", LESSON).cells
    if c.metadata.get("nbgrader", {}).get("grade")
}


def name_of(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def answers(lesson=LESSON):
    """{grade_id: text} of every answer in a lesson's source, as a student might have typed it."""
    found = {}
    for cell in notebook("solutions", lesson).cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            lines = cell.source.split("\n")
            found[name_of(cell)] = "\n".join(
                line for line in lines if "### BEGIN" not in line and "### END" not in line
            )
    return found


class Submission:
    """The released notebook, to be filled in and spoilt."""

    def __init__(self, given=None, lesson=LESSON):
        self.nb = notebook("lessons", lesson)
        for grade_id, text in (given or {}).items():
            self[grade_id].source = text

    def __getitem__(self, grade_id):
        return next(c for c in self.nb.cells if name_of(c) == grade_id)

    def place(self, grade_id):
        return next(i for i, c in enumerate(self.nb.cells) if name_of(c) == grade_id)

    def delete(self, *grade_ids):
        for grade_id in grade_ids:
            del self.nb.cells[self.place(grade_id)]

    def insert(self, place, text, **metadata):
        """A code cell of the student's own, at an index or behind the cell with a grade_id."""
        place = self.place(place) + 1 if isinstance(place, str) else place
        self.nb.cells.insert(place, new_code_cell(text, metadata=metadata))

    def paste(self, place, grade_id, text=None):
        """A copy of a cell, at an index; its text may be another. JupyterLab copies the metadata, with a new cell id."""
        cell = copy.deepcopy(self[grade_id])
        cell.id = uuid.uuid4().hex[:8]
        cell.source = cell.source if text is None else text
        self.nb.cells.insert(place, cell)

    def turn(self, grade_id, kind):
        """Change a cell's type, as the notebook's menu does."""
        cell = self[grade_id]
        cell.cell_type = kind
        for key in ("outputs", "execution_count"):
            cell.pop(key, None)
        if kind == "code":
            cell.update(outputs=[], execution_count=None)
        return cell


WITHOUT_DILATION = """def receptive_field(layers):
    field, step = 1, 1
    for k, s, d in layers:
        field += (k - 1) * step
        step *= s
    return field"""

WHERE_NOT_HOW_OFTEN = """def overlap_count(n, k, s):
    count = torch.zeros((n - 1) * s + k, dtype=torch.int64)
    for i in range(n):
        count[i * s : i * s + k] = 1
    return count"""


def full():
    return Submission(answers())


def partial():
    """2 for the first exercise, 1.5 of 2 and 0.5 of 1 for two half-right ones, 1 for one quiz of three."""
    known = answers()
    return Submission(
        {
            "conv_out_size": known["conv_out_size"],
            "receptive_field": WITHOUT_DILATION,
            "overlap_count": WHERE_NOT_HOW_OFTEN,
            "quiz_field": known["quiz_field"],
            "quiz_grid": 'quiz_grid = "d"',
        }
    )


def none():
    return Submission()


def deleted():
    """Solved, then deleted: set-up, checks, answers, one answer with its check, the written answer."""
    made = full()
    made.delete(
        "setup",
        "check_conv_out_size",
        "trace_shapes",
        "check_trace_shapes",
        "check_receptive_field",
        "poke",
        "check_quiz_field",
        "quiz_grid",
        WRITTEN,
    )
    return made


def tampered():
    """No answer, and every way to a point that does not go through one."""
    made = none()
    made["check_conv_out_size"].source = "18"
    made["check_trace_shapes"].source += ";"
    made["check_receptive_field"].source = "print(2)"
    made["check_poke"].source = "verdict = check.poke(poke)"
    made["check_transposed_conv"].metadata.tags = ["demo"]
    made.turn("check_overlap_count", "markdown")
    made["check_shuffle_pixels"].metadata = nbformat.NotebookNode()
    made["check_build_net"].metadata.nbgrader.update(points=300, locked=False)
    made["check_quiz_field"].metadata.nbgrader = nbformat.from_dict({"grade": True})
    made["quiz_grid"].metadata.nbgrader.update(grade=True, solution=False, points=100)
    made["check_quiz_values"].metadata.nbgrader.solution = True
    made[WRITTEN].metadata.nbgrader.update(grade=False)
    made.insert("quiz_values", "class check:\n    quiz_values = print")  # a check that says nothing
    own = {"grade": True, "solution": False, "locked": True, "task": False, "points": 20, "schema_version": 3}
    made.insert("check_poke", "2", nbgrader={**own, "grade_id": "check_poke"})  # a second check, further down
    made.insert("check_poke", "20", nbgrader={**own, "grade_id": "bonus"})
    made.insert(
        "check_poke", "20", nbgrader={**own, "grade_id": "old", "schema_version": 1}
    )  # would stop nbgrader's batch
    made.insert("check_poke", "20", nbgrader="none of yours")
    return made


def messy():
    """Everything right, in a notebook that has been through something."""
    known = answers()
    made = full()
    made.insert(
        "setup",
        "import sys, warnings, logging\nprint('oh', file=sys.stderr)\nwarnings.warn('hm')\nlogging.warning('well')",
    )
    talk = "get_ipython().events.register('pre_run_cell', lambda *_: print('go', file=sys.stderr))"  # before every cell
    made.insert("setup", f"import sys\n{talk}")
    loud = "    import sys, warnings\n    warnings.warn('here')\n    print('at', n, file=sys.stderr)\n    print('x' * 2000)\n"
    made["conv_out_size"].source = (
        known["conv_out_size"].replace("    reach", loud + "    reach") + "\nfor i in range(30000):\n    print(i)"
    )
    made["check_conv_out_size"].source += ";"
    text = made.turn("trace_shapes", "markdown")
    text.attachments = nbformat.from_dict({"a.png": {"image/png": "iVBORw0KGgo="}})
    made.turn("check_trace_shapes", "raw")
    made["receptive_field"].metadata = nbformat.NotebookNode()
    made["check_receptive_field"].metadata = nbformat.NotebookNode()
    made["poke"].metadata.tags = ["demo"]
    made["check_poke"].metadata.tags = ["demo", "skip-execution", "raises-exception"]
    made.paste(2, "check_transposed_conv")  # at the top, where no answer exists yet
    first, second = known["build_net"].split("\n\n\n")
    made.paste(made.place("build_net") + 1, "build_net", second)  # "split cell" leaves both halves marked
    made["build_net"].source = first
    made.paste(len(made.nb.cells), "overlap_count", "")  # pasted after its check, and emptied
    made["quiz_field"].source = known["quiz_field"].upper().replace("QUIZ_FIELD", "quiz_field")
    made.paste(len(made.nb.cells), WRITTEN, grading.TEXT_STUB)  # a copy that nobody wrote in
    made.turn(WRITTEN, "code")
    made.insert(WRITTEN, "print('threads:', torch.get_num_threads())")
    made.insert(0, "check = None  # the set-up cell comes after it")
    return made


def colab():
    """As Colab saves it: format 4.0, no cell ids, its own metadata, outputs; a check is gone and the text emptied."""
    made = full()
    made.delete("check_conv_out_size", "setup")
    made[WRITTEN].source = "  \n"
    for number, cell in enumerate(made.nb.cells):
        del cell["id"]
        cell.metadata["id"] = f"cell{number}"
        if cell.cell_type == "code":
            cell.metadata["colab"] = nbformat.from_dict({"base_uri": "https://localhost:8080/"})
            cell.execution_count = number
            cell.outputs = [new_output("stream", name="stdout", text="hello\n")]
    made.nb.nbformat_minor = 0
    made.nb.metadata = nbformat.from_dict(
        {
            "colab": {"provenance": []},
            "accelerator": "GPU",
            "kernelspec": {"name": "python3", "display_name": "Python 3"},
        }
    )
    return made


def dies():
    """A cell that takes the kernel down."""
    made = full()
    made.insert("check_conv_out_size", "import os\nos._exit(1)")
    return made


CLASS = {
    "full": full,
    "partial": partial,
    "none": none,
    "deleted": deleted,
    "tampered": tampered,
    "messy": messy,
    "colab": colab,
    "dies": dies,
}
