"""What course_lib/grading/course.py adds to nbgrader, piece by piece; test_nbgrader.py runs the whole."""

import math
import shutil

import nbformat
import pytest
from nbgrader.api import Gradebook

from course_lib.author import build
from course_lib.checks.verdict import NOT_ATTEMPTED, NOT_YET, PASSED, Result, Verdict
from course_lib.grading import course as grading
from course_lib.grading import runner
from tests.support.tiny import course as tiny_course

TINY = "02_tiny"
pytestmark = pytest.mark.filterwarnings("ignore:Object of type:sqlalchemy.exc.SAWarning")  # nbgrader's own


# --- verdicts -----------------------------------------------------------------------------------------------


def verdict(*parts):
    return Verdict("f", [Result(f"part {n}", points, outcome, "why") for n, (points, outcome) in enumerate(parts)])


@pytest.mark.parametrize(
    "parts, points",
    [
        ([(2, PASSED)], 2),
        ([(1.5, PASSED), (0.5, NOT_YET)], 1.5),
        ([(2, NOT_YET)], 0),
        ([(2.0000000001, PASSED)], 2),
        ([(2, NOT_ATTEMPTED)], 0),
        ([(1 / 3, PASSED), (5 / 3, NOT_YET)], 0.3333),
    ],
)
def test_the_points_of_the_parts_that_hold_are_the_score(parts, points):
    found = runner.settle(verdict(*parts), 2.0)
    assert (
        found["points"] == pytest.approx(points)
        and found["points"] <= 2
        and found["reason"] == ""
        and len(found["parts"]) == len(parts)
    )


@pytest.mark.parametrize(
    "value",
    [None, 2, "2", True, float("nan"), verdict(), verdict((3, PASSED)), verdict((math.nan, PASSED), (1, NOT_YET))],
    ids=str,
)
def test_what_is_no_verdict_of_this_check_is_zero_with_a_reason(value):
    found = runner.settle(value, 2.0)
    assert (found["points"], found["reason"]) == (0, "This check gave no verdict.") or (
        math.isfinite(found["points"]) and found["points"] == 0
    )


# --- a gradebook and its lesson -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A built course of one lesson, and a gradebook that was empty and has just learnt it."""
    root = tiny_course(tmp_path_factory.mktemp("tiny"))
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
    assert (
        "seed=7" in texts["check_overlap_count"] and texts["why"] == grading.TEXT_STUB and '"?"' in texts["quiz_field"]
    )
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
    with pytest.raises(
        SystemExit, match=r"02_tiny has gained or lost cells \(setup, start\) .*`nbgrader db assignment remove 02_tiny"
    ):
        grading.register(root, TINY, db_url)
    assert "start" in recorded(db_url)[0]
