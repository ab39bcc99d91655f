"""What course_lib/grading.py adds to nbgrader, piece by piece; test_nbgrader.py runs the whole."""

import math
import shutil

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_output

nbgrader = pytest.importorskip("nbgrader")
from nbgrader.api import Gradebook  # noqa: E402
from nbgrader.utils import determine_grade  # noqa: E402

from course_lib import build, grading  # noqa: E402

from .test_build import course  # noqa: E402

TINY = "02_tiny"
pytestmark = pytest.mark.filterwarnings("ignore:Object of type:sqlalchemy.exc.SAWarning")  # nbgrader's own


# --- verdicts -----------------------------------------------------------------------------------------------


def result(text, **more):
    return new_output("execute_result", data={"text/plain": text, **more}, execution_count=1)


def stream(name, text="…"):
    return new_output("stream", name=name, text=text)


ERROR = new_output("error", ename="NameError", evalue="name 'f' is not defined", traceback=[])


def score(*outputs, points=2):
    """(what nbgrader reads from a check cell with these outputs once it is settled, the reason for a zero)."""
    meta = {"nbgrader": build.nbgrader("check_f", grade=True, locked=True, points=points)["nbgrader"]}
    cell = new_code_cell("check.f(f)", outputs=list(outputs), metadata=meta)
    reason = grading.settle(cell)
    nbformat.validate(cell, ref="code_cell", version=4, version_minor=5)
    assert sum(o.output_type == "execute_result" for o in cell.outputs) == (reason != "this check stopped with an error")
    return determine_grade(cell)[0], reason


@pytest.mark.parametrize("text, points", [("2", 2), ("1.5", 1.5), ("0", 0), ("2.0000000001", 2), ("-0.0", 0), ("0.3333", 0.3333)])
def test_a_number_of_points_is_the_score(text, points):
    assert score(result(text)) == (points, None)


@pytest.mark.parametrize("outputs", [
    [],
    [stream("stdout", "2")],
    [new_output("display_data", data={"text/plain": "2"})],
    [result("nan")], [result("inf")], [result("-inf")], [result("3")], [result("2.01")], [result("-1")],
    [result("'2'")], [result("True")], [result("passed")], [result("")], [result("[2]")], [result("2 points")],
    [new_output("execute_result", data={"text/html": "2"}, execution_count=1)],
], ids=str)
def test_what_is_no_number_of_points_is_zero_with_a_reason(outputs):
    assert score(*outputs) == (0, "this check gave no verdict")


def test_a_student_reads_the_reason():
    cell = new_code_cell("check.f(f);", metadata=build.nbgrader("check_f", grade=True, locked=True, points=2))
    grading.settle(cell)
    assert "0 of 2 points: this check gave no verdict." in cell.outputs[0].data["text/html"]


def test_an_error_is_zero_and_stays_readable():
    assert score(ERROR) == score(result("2"), ERROR) == (0, "this check stopped with an error")


def test_talk_around_a_verdict_changes_nothing():
    assert score(stream("stderr"), stream("stdout"), result("1.5"), stream("stderr")) == (1.5, None)
    assert score(result("2"), result("1")) == (1, None)  # the cell's own value is the last


def test_every_part_s_points_come_through():
    for quarters in range(13):
        assert math.isclose(score(result(f"{quarters / 4:g}"), points=3)[0], quarters / 4)


# --- a gradebook and its lesson -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A built course of one lesson, and a gradebook that was empty and has just learnt it."""
    root = course(tmp_path_factory.mktemp("tiny"))
    build.build(root)
    released = (root / "lessons" / TINY / f"{TINY}.ipynb").read_bytes()
    grading.register(root, TINY, f"sqlite:///{root / 'gradebook.db'}")
    assert (root / "lessons" / TINY / f"{TINY}.ipynb").read_bytes() == released
    return root


@pytest.fixture
def tiny(first, tmp_path):
    """A copy of that course: its root, its gradebook's address, and change(grade_id, text, **nbgrader) for its source."""
    root = shutil.copytree(first, tmp_path / "course")
    path = root / "solutions" / TINY / f"{TINY}.ipynb"

    def change(name, source=None, **mark):
        nb = nbformat.read(path, as_version=4)
        cell = next(c for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade_id") == name)
        cell.source = source or cell.source
        cell.metadata.nbgrader.update(mark)
        nbformat.write(nb, path)

    return root, f"sqlite:///{root / 'gradebook.db'}", change


def recorded(db_url):
    """{grade_id: text} and {grade_id: points} of the lesson as a gradebook has it."""
    with Gradebook(db_url, "segmentation") as gradebook:
        found = gradebook.find_notebook(TINY, TINY)
        return {c.name: c.source for c in found.source_cells}, {c.name: c.max_score for c in found.grade_cells}


def hand_in(db_url):
    """A submission with a manual score of 7."""
    with Gradebook(db_url, "segmentation") as gradebook:
        gradebook.add_student("early")
        gradebook.add_submission(TINY, "early")
        gradebook.find_grade("why", TINY, TINY, "early").manual_score = 7
        gradebook.db.commit()


def test_an_empty_gradebook_learns_the_lesson_and_is_then_left_alone(tiny, monkeypatch):
    root, db_url, _ = tiny
    texts, points = recorded(db_url)
    assert points == {"check_overlap_count": 1, "check_quiz_field": 1, "why": 18}
    assert "seed=7" in texts["check_overlap_count"] and texts["why"] == grading.TEXT_STUB and '"?"' in texts["quiz_field"]
    monkeypatch.setattr(grading, "generate", None)
    grading.register(root, TINY, db_url)
    grading.register(root, "99_no_such_lesson", db_url)


def test_a_corrected_check_reaches_a_gradebook_with_grades_and_keeps_them(tiny):
    root, db_url, change = tiny
    hand_in(db_url)
    change("check_overlap_count", "check.overlap_count(overlap_count, seed=8)", points=2)
    grading.register(root, TINY, db_url)
    texts, points = recorded(db_url)
    assert "seed=8" in texts["check_overlap_count"] and points["check_overlap_count"] == 2
    with Gradebook(db_url, "segmentation") as gradebook:
        assert gradebook.find_submission(TINY, "early").score == 7


def test_a_new_cell_reaches_a_gradebook_only_while_nothing_is_graded(tiny):
    root, db_url, change = tiny
    change("setup", grade_id="start")
    grading.register(root, TINY, db_url)
    assert "start" in recorded(db_url)[0] and "setup" not in recorded(db_url)[0]
    hand_in(db_url)
    change("start", grade_id="setup")
    with pytest.raises(SystemExit, match=r"02_tiny has gained or lost cells \(setup, start\) .*`nbgrader db assignment remove 02_tiny"):
        grading.register(root, TINY, db_url)
    assert "start" in recorded(db_url)[0]
