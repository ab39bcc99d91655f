"""The path of a submission by nbgrader's own commands: release, validate, autograde, feedback, export, formgrader.

One class of submissions to lesson 02 is graded once, in a copy of the course with an empty gradebook; most tests
read what came out. Each submission is made from the released notebook, as a student would make it.
"""

import copy
import csv
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from .conftest import LESSONS, ROOT, notebook

nbgrader_api = pytest.importorskip("nbgrader.api")
from course_lib import build, grading  # noqa: E402

LESSON = "02_encoder_decoder"
WRITTEN = "spokes"  # the answer that a person grades, 2 points
POINTS = {c.metadata.nbgrader.grade_id.removeprefix("check_"): c.metadata.nbgrader.points
          for c in notebook("lessons", LESSON).cells if c.metadata.get("nbgrader", {}).get("grade")}
AUTO = sum(POINTS.values()) - POINTS[WRITTEN]


# --- submissions --------------------------------------------------------------------------------------------


def name_of(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def answers(lesson=LESSON):
    """{grade_id: text} of every answer in a lesson's source, as a student might have typed it."""
    found = {}
    for cell in notebook("solutions", lesson).cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            lines = cell.source.split("\n")
            found[name_of(cell)] = "\n".join(line for line in lines if "### BEGIN" not in line and "### END" not in line)
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
        """A cell of the student's own, or a pasted one, at an index or behind a cell named by its grade_id."""
        place = self.place(place) + 1 if isinstance(place, str) else place
        self.nb.cells.insert(place, new_code_cell(text, metadata=metadata))
        return self.nb.cells[place]

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
    return Submission({
        "conv_out_size": known["conv_out_size"],
        "receptive_field": WITHOUT_DILATION,
        "overlap_count": WHERE_NOT_HOW_OFTEN,
        "quiz_field": known["quiz_field"],
        "quiz_grid": 'quiz_grid = "d"',
    })


def none():
    return Submission()


def deleted():
    """Solved, then deleted: set-up, checks, answers, one answer with its check, the written answer."""
    made = full()
    made.delete("setup", "check_conv_out_size", "trace_shapes", "check_trace_shapes", "check_receptive_field", "poke",
                "check_quiz_field", "quiz_grid", WRITTEN)
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
    own = {"grade": True, "solution": False, "locked": True, "task": False, "points": 20, "schema_version": 3}
    made.insert("check_poke", "2", nbgrader={**own, "grade_id": "check_poke"})  # a second check, later: the last one counts
    made.insert("check_poke", "20", nbgrader={**own, "grade_id": "bonus"})
    made.insert("check_poke", "20", nbgrader={**own, "grade_id": "old", "schema_version": 1})  # would stop nbgrader's batch
    made.insert("check_poke", "20", nbgrader="none of yours")
    return made


def messy():
    """Everything right, in a notebook that has been through something."""
    known = answers()
    made = full()
    made.insert("setup", "import sys, warnings, logging\nprint('oh', file=sys.stderr)\nwarnings.warn('hm')\nlogging.warning('well')")
    loud = "    import sys, warnings\n    warnings.warn('here')\n    print('at', n, file=sys.stderr)\n    print('x' * 2000)\n"
    made["conv_out_size"].source = known["conv_out_size"].replace("    reach", loud + "    reach") + "\nfor i in range(30000):\n    print(i)"
    made["check_conv_out_size"].source += ";"
    text = made.turn("trace_shapes", "markdown")
    text.attachments = nbformat.from_dict({"a.png": {"image/png": "iVBORw0KGgo="}})
    made.turn("check_trace_shapes", "raw")
    made["receptive_field"].metadata = nbformat.NotebookNode()
    made["check_receptive_field"].metadata = nbformat.NotebookNode()
    made["poke"].metadata.tags = ["demo"]
    made["check_poke"].metadata.tags = ["demo", "skip-execution", "raises-exception"]
    made.nb.cells.insert(2, copy.deepcopy(made["check_transposed_conv"]))  # pasted at the top, where nothing exists yet
    first, second = known["build_net"].split("\n\n\n")
    other = made.insert("build_net", second, **made["build_net"].metadata)  # "split cell" leaves both halves marked
    made["build_net"].source = first
    other.metadata = copy.deepcopy(made["build_net"].metadata)
    made.nb.cells.append(copy.deepcopy(made["overlap_count"]))  # an old copy at the end, after its check
    made["quiz_field"].source = known["quiz_field"].upper().replace("QUIZ_FIELD", "quiz_field")
    made.turn(WRITTEN, "code")
    stub = new_markdown_cell(grading.TEXT_STUB, metadata=copy.deepcopy(made[WRITTEN].metadata))
    made.nb.cells.append(stub)  # a copy that nobody wrote in
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
    made.nb.metadata = nbformat.from_dict({
        "colab": {"provenance": []}, "accelerator": "GPU", "kernelspec": {"name": "python3", "display_name": "Python 3"},
    })
    return made


def dies():
    """A cell that takes the kernel down."""
    made = full()
    made.insert("check_conv_out_size", "import os\nos._exit(1)")
    return made


CLASS = {"full": full, "partial": partial, "none": none, "deleted": deleted, "tampered": tampered, "messy": messy,
         "colab": colab, "dies": dies}


# --- running nbgrader ---------------------------------------------------------------------------------------


def clean_environment(home):
    """This environment, less everything by which a command could find this checkout or the user's settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "JUPYTER", "IPYTHON", "NBGRADER"))}
    return {**kept, "HOME": str(home), "USERPROFILE": str(home)}


class Course:
    """A copy of this course without its gradebook."""

    def __init__(self, folder):
        self.root, self.home = folder / "course", folder / "home"
        self.home.mkdir(parents=True)
        for name in ("course_lib", "solutions", "lessons"):
            shutil.copytree(ROOT / name, self.root / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
        for name in ("nbgrader_config.py", "pyproject.toml"):
            shutil.copy(ROOT / name, self.root)

    def nbgrader(self, *arguments, code=0):
        """Run nbgrader in the root; all that it said."""
        done = subprocess.run([sys.executable, "-m", "nbgrader", *arguments], cwd=self.root, env=clean_environment(self.home),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=500)
        assert done.returncode == code, done.stdout[-6000:]
        return done.stdout

    def submit(self, student, submission, lesson=LESSON):
        folder = self.root / "grading/submitted" / student / lesson
        folder.mkdir(parents=True)
        path = folder / f"{lesson}.ipynb"
        path.write_text(submission if isinstance(submission, str) else nbformat.writes(submission.nb), encoding="utf-8")

    def gradebook(self):
        return nbgrader_api.Gradebook(f"sqlite:///{self.root / 'grading/gradebook.db'}", "segmentation")

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


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return Course(tmp_path_factory.mktemp("nbgrader"))


@pytest.fixture(scope="module")
def validate(course):
    """validate(kind) -> what `nbgrader validate` says of the "untouched", "half" and "solved" notebook. Runs beside the rest."""
    half = Submission({"conv_out_size": answers()["conv_out_size"]})
    folder = course.root / "work" / LESSON  # where a student's copy lies
    folder.mkdir(parents=True)
    nbformat.write(half.nb, folder / f"{LESSON}.ipynb")
    places = {"untouched": f"lessons/{LESSON}", "half": f"work/{LESSON}", "solved": f"solutions/{LESSON}"}
    with ThreadPoolExecutor(1) as pool:
        said = {kind: pool.submit(course.nbgrader, "validate", f"{place}/{LESSON}.ipynb") for kind, place in places.items()}
        yield lambda kind: said[kind].result()


@pytest.fixture(scope="module")
def autograded(course, validate):
    """The class, graded in a copy with an empty gradebook; what nbgrader said."""
    for student, make in CLASS.items():
        course.submit(student, make())
    course.submit("broken", nbformat.writes(full().nb)[:5000])
    assert not (course.root / "grading/gradebook.db").exists()
    return course.nbgrader("autograde", LESSON, code=1)  # 1: two submissions could not be run


@pytest.fixture(scope="module")
def feedback(course, autograded):
    """feedback(student) -> the HTML page of lesson 02."""
    course.nbgrader("generate_feedback", LESSON)
    return lambda student: (course.root / "grading/feedback" / student / LESSON / f"{LESSON}.html").read_text(encoding="utf-8")


# --- releasing ----------------------------------------------------------------------------------------------


def test_regenerating_gives_the_same_bytes_and_nothing_but_notebooks(tmp_path):
    course = Course(tmp_path)
    before = course.files()
    (course.root / "solutions" / LESSON / "notes.py").write_text("answer = 42\n")
    for lesson in LESSONS:
        course.nbgrader("generate_assignment", lesson, "--force")
    course.nbgrader("generate_assignment", LESSON, "--force")  # and with a gradebook that knows the lesson
    (course.root / "solutions" / LESSON / "notes.py").unlink()
    assert course.files() == before
    assert [p.name for p in (course.root / "grading").rglob("*")] == ["gradebook.db"]
    assert "/grading/\n" in (ROOT / ".gitignore").read_text()


# --- validating ---------------------------------------------------------------------------------------------


def test_validate_does_not_praise_an_untouched_notebook(validate):
    said = validate("untouched")
    assert "Success" not in said
    assert f"VALIDATION FAILED ON {len(POINTS)} CELL(S)" in said


def test_validate_praises_a_solved_notebook(validate):
    assert "Success! Your notebook passes all the tests." in validate("solved")


def test_validate_names_what_is_missing_in_a_half_solved_notebook(validate):
    said = validate("half")
    assert f"VALIDATION FAILED ON {len(POINTS) - 1} CELL(S)" in said and "Success" not in said
    assert "check.trace_shapes(trace_shapes)" in said and "check.conv_out_size(conv_out_size)" not in said


# --- points -------------------------------------------------------------------------------------------------


def earned(**scores):
    """Every exercise's points by name: as given, else zero."""
    return {name: scores.get(name, 0) for name in POINTS}


ALL = {name: points for name, points in POINTS.items() if name != WRITTEN}
MUST_HAVE = {
    "full": earned(**ALL),
    "partial": earned(conv_out_size=2, receptive_field=1.5, overlap_count=0.5, quiz_field=1),
    "none": earned(),
    "deleted": {**earned(**ALL), "trace_shapes": 0, "poke": 0, "quiz_grid": 0},
    "tampered": earned(),
    "messy": earned(**ALL),
    "colab": earned(**ALL),
}


@pytest.mark.parametrize("student", MUST_HAVE)
def test_a_student_gets_the_points_that_they_must_have(student, course, autograded):
    grades = course.grades(student)
    assert {name: score for name, (score, _) in grades.items()} == MUST_HAVE[student]
    waiting = {name for name, (_, person) in grades.items() if person}
    assert waiting == ({WRITTEN} if student in ("full", "messy") else set())


def test_a_full_score_is_what_the_lesson_says():
    assert AUTO + POINTS[WRITTEN] == 20 and sum(MUST_HAVE["full"].values()) == AUTO


def test_submissions_that_cannot_be_run_are_named_and_stop_nobody(course, autograded):
    failed = re.findall(r"There was an error processing assignment '\S+' for student '(\w+)'", autograded)
    assert sorted(failed) == ["broken", "dies"]
    assert "Kernel died" in autograded and "does not appear to be JSON" in autograded
    for student in failed:
        assert all(score == 0 for score, _ in course.grades(student).values())
        assert not (course.root / "grading/autograded" / student / LESSON).exists()


def test_what_was_deleted_comes_back_in_its_place(course, autograded):
    names = [name_of(c) for c in course.graded("deleted").cells if name_of(c)]
    assert names == [name_of(c) for c in notebook("lessons", LESSON).cells if name_of(c)]
    assert name_of(course.graded("deleted").cells[0]) == "setup"
    written = next(c for c in course.graded("deleted").cells if name_of(c) == WRITTEN)
    assert written.source == grading.TEXT_STUB


def test_what_was_changed_is_the_source_s_again(course, autograded):
    source = {name_of(c): c for c in notebook("solutions", LESSON).cells if name_of(c)}
    for student in ("tampered", "messy", "colab"):
        nb = course.graded(student)
        graded = {name_of(c): c for c in nb.cells if name_of(c)}
        assert graded.keys() == source.keys()
        assert sum(bool(name_of(c)) for c in nb.cells) == len(source)
        for name, cell in graded.items():
            mark, known = cell.metadata.nbgrader, source[name].metadata.nbgrader
            assert cell.cell_type == source[name].cell_type and cell.metadata.get("tags") == source[name].metadata.get("tags")
            assert all(mark[key] == known[key] for key in known)
            if not known.solution:
                assert cell.source == source[name].source
    assert "photo" not in source and len(course.graded("messy").cells) == len(messy().nb.cells)


def test_demonstrations_are_not_run(course, autograded):
    demos = [c for c in course.graded("full").cells if "demo" in c.metadata.get("tags", [])]
    assert demos and all(not c.outputs and c.execution_count is None for c in demos)


# --- feedback -----------------------------------------------------------------------------------------------


def test_feedback_says_what_holds_and_what_does_not(feedback):
    page = feedback("partial")
    assert "This forgets the dilation: a layer adds d(k − 1) steps." in page
    assert "This marks the pixels that are written at all; count how often." in page
    assert "1.5 of 2 points" in page and "(Score: 5.0 / 20.0)" in page
    assert "A small bottleneck blurs outlines." in page  # the wrong choice's feedback


def test_every_graded_student_has_a_page_and_no_page_has_hidden_tests(course, feedback):
    for student in MUST_HAVE:
        page = feedback(student)
        assert f"(Score: {sum(MUST_HAVE[student].values()):.1f} / 20.0)" in page
        assert "HIDDEN TESTS" not in page and "seed=" not in page
    pages = {p.parent.parent.name for p in (course.root / "grading/feedback").rglob("*.html")}
    assert pages == set(MUST_HAVE)


# --- grading by hand, grading again, export -----------------------------------------------------------------


def test_a_manual_score_survives_another_autograde_and_reaches_the_table(course, autograded, feedback, tmp_path):
    with course.gradebook() as gradebook:
        grade = gradebook.find_grade(WRITTEN, LESSON, LESSON, "full")
        grade.manual_score, grade.needs_manual_grade = 1.5, False
        gradebook.find_comment(WRITTEN, LESSON, LESSON, "full").manual_comment = "Which measurement?"
        gradebook.db.commit()
    course.nbgrader("autograde", LESSON, "--force", "--student=full")
    assert course.grades("full")[WRITTEN][0] == 1.5
    with course.gradebook() as gradebook:
        assert gradebook.find_submission(LESSON, "full").score == AUTO + 1.5

    course.nbgrader("export", "--to", str(tmp_path / "table.csv"))
    course.nbgrader("export")
    text = (tmp_path / "table.csv").read_text()
    assert (course.root / "grading/grades.csv").read_text() == text
    rows = {row["student_id"]: row for row in csv.DictReader(text.splitlines()) if row["assignment"] == LESSON}
    wanted = {student: sum(scores.values()) for student, scores in MUST_HAVE.items()}
    wanted.update(full=AUTO + 1.5, dies=0, broken=0)
    assert {student: float(row["score"]) for student, row in rows.items()} == wanted
    assert {float(row["max_score"]) for row in rows.values()} == {20}

    course.nbgrader("generate_feedback", LESSON, "--force", "--student=full")
    assert "Which measurement?" in feedback("full") and f"(Score: {AUTO + 1.5} / 20.0)" in feedback("full")
