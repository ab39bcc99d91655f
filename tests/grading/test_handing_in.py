"""A class from Canvas, by the command: roster, late marks, due dates that move, a gradebook that goes, the sheet back."""

import csv

import nbformat
import pytest

from tests.support.course import LESSONS
from tests.support.graded import LIMITS, Graded
from tests.support.submissions import Submission, answers
from tests.support.system_packages import needs_system

pytestmark = pytest.mark.slow
LESSON, WRITTEN = "00_start_here", "rounding"
ANNA, JURGEN = f"lianna_1201_55501_{LESSON}.ipynb", f"müllerjürgen_LATE_1203_55503_{LESSON}.ipynb"
ROSTER = """id,first_name,last_name,email
ali1,Anna,Li,ali1@x.edu
mju1,Jürgen,Müller,jm@x.edu
nobody,Nobody,Submitted,
"""


class Class(Graded):
    """Two of three students handed in."""

    def __init__(self, folder):
        super().__init__(folder)
        with (self.root / "nbgrader_config.py").open("a") as config:
            config.write("\nget_config().LateSubmissionPlugin.penalty_method = 'zero'\n")
        (folder / "roster.csv").write_text(ROSTER)
        self.nbgrader("db", "student", "import", str(folder / "roster.csv"))
        self.given = folder / "submissions"
        self.given.mkdir()
        known = answers(LESSON)
        known[WRITTEN] = "Between 0 and 2 the mean is 1: another class."
        for file, skipped in ((ANNA, ()), (JURGEN, ("blend", WRITTEN))):
            sub = Submission({name: text for name, text in known.items() if name not in skipped}, LESSON)
            (self.given / file).write_text(nbformat.writes(sub.nb))

    def run(self, *more):
        return self.grade(self.given, *more, *LIMITS)

    def table(self, name=LESSON):
        path = self.root / f"grading/report/{name}.csv"
        assert path.read_bytes().startswith(b"\xef\xbb\xbf")  # Excel takes it for UTF-8
        return {row["student"]: row for row in csv.DictReader(path.read_text("utf-8-sig").splitlines())}

    def everywhere(self):
        """{student: points} and, alike in the gradebook, the lesson's table, the course's and the pages."""
        with self.gradebook() as gradebook:
            found = {
                s.student_id: s.score - s.late_submission_penalty for s in gradebook.assignment_submissions(LESSON)
            }
        for student, score in found.items():
            assert float(self.table()[student]["score"]) == float(self.table("course")[student][LESSON]) == score
            page = (self.root / f"grading/feedback/{student}/{LESSON}/{LESSON}.html").read_text()
            assert f"(Score: {float(score)} / 10.0)" in page
        return found

    def due(self, day):
        with self.gradebook() as gradebook:
            gradebook.update_or_create_assignment(LESSON, duedate=f"{day} 12:00:00 UTC")


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    needs_system("bubblewrap", "bwrap")
    course = Class(tmp_path_factory.mktemp("class"))
    course.rehearsed = course.run("--dry-run")
    course.left = sorted(p.name for p in (course.root / "grading").iterdir())
    course.said = course.run()
    return course


def test_a_dry_run_says_who_is_whom_and_does_nothing(graded):
    assert f"{ANNA} → ali1, {LESSON}\n" in graded.rehearsed
    assert f"{JURGEN} → mju1, {LESSON}; late, says the platform\n" in graded.rehearsed
    assert graded.left == ["gradebook.db"]


def test_the_reports_have_everybody_and_the_gradebook_every_lesson(graded):
    table = graded.table()
    assert {who: row["score"] for who, row in table.items()} == {"ali1": "9", "mju1": "7", "nobody": ""}
    assert table["nobody"]["remark"] == "no submission" and "The platform says late." in table["mju1"]["remark"]
    course = graded.table("course")
    assert list(course["ali1"]) == [
        "student",
        "name",
        *LESSONS,
        "total",
        "waits_for_a_person",
        "missing",
        "remark",
    ]
    assert course["ali1"]["total"] == "9" and course["ali1"]["waits_for_a_person"] == "1"
    assert course["nobody"]["missing"].split() == LESSONS
    page = (graded.root / "grading/report/course.html").read_text()
    assert (
        "Jürgen Müller" in page and f"<li>{LESSON}: 1 written answers" in page and "<li>03_fcn: everybody.</li>" in page
    )
    with graded.gradebook() as gradebook:
        assert {a.name: a.max_score for a in gradebook.assignments} == {LESSON: 10} | dict.fromkeys(LESSONS[1:], 20)


def test_due_dates_take_effect_at_the_next_run_everywhere_alike(graded):
    assert graded.everywhere() == {"ali1": 9, "mju1": 7}
    graded.due("2020-01-01")
    graded.run()
    assert graded.everywhere() == {"ali1": 9, "mju1": 0}
    graded.due("2099-01-01")
    graded.grade(graded.given / ANNA, *LIMITS)  # a run that is about another student
    assert graded.everywhere() == {"ali1": 9, "mju1": 7}


def test_what_was_removed_is_booked_again_from_the_records(graded):
    want = {who: row["score"] for who, row in graded.table().items() if row["score"]}
    with graded.gradebook() as gradebook:
        gradebook.remove_student("mju1")
    graded.grade(graded.given / ANNA, *LIMITS)  # not the other's
    assert graded.everywhere() == {"ali1": 9, "mju1": 7}
    with graded.gradebook() as gradebook:
        gradebook.remove_assignment(LESSON)
    graded.run()
    assert graded.everywhere() == {"ali1": 9, "mju1": 7}
    (graded.root / "grading/gradebook.db").unlink()
    graded.run()
    assert graded.everywhere() == {"ali1": 9, "mju1": 7}
    graded.run("--db", f"sqlite:///{graded.root / 'grading/other.db'}")
    assert {who: row["score"] for who, row in graded.table().items()} == want


def test_canvas_gets_its_own_sheet_back(graded, tmp_path):
    head = f"Student,ID,SIS Login ID,Section,{LESSON} (901),Final Score\r\n    Points Possible,,,,10.00,(read only)\r\n"
    rows = '"Li, Anna",1201,ali1@x.edu,A,,\r\n"Müller, Jürgen",1203,mju1,A,,\r\n"Submitted, Nobody",1299,nobody,A,,\r\n'
    (tmp_path / "export.csv").write_bytes((head + rows).encode("utf-8-sig"))
    said = graded.grade(tmp_path / "export.csv", *LIMITS)  # what is graded is enough
    rows = rows.replace("ali1@x.edu,A,", "ali1@x.edu,A,9").replace("mju1,A,", "mju1,A,7")
    assert (graded.root / "grading/back/export.csv").read_bytes() == (head + rows).encode("utf-8-sig")
    assert "2 grades filled in. Not final, as a written answer waits for a person: ali1." in said
