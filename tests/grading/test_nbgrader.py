"""The path of a submission by nbgrader's own commands: release, validate, autograde, feedback, export, formgrader.

One class of submissions to lesson 02 is graded once, in a copy of the course with an empty gradebook; most tests
read what came out.
"""

import csv
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest

from course_lib.grading import course as grading
from tests.support.course import LESSONS, ROOT, notebook
from tests.support.graded import MUST_HAVE, Course, clean_environment
from tests.support.processes import PATIENCE, wait_for
from tests.support.submissions import CLASS, LESSON, POINTS, WRITTEN, Submission, answers, full, messy, name_of
from tests.support.system_packages import needs_system

pytestmark = pytest.mark.slow

WARM_UP = "00_start_here"
AUTO = sum(POINTS.values()) - POINTS[WRITTEN]


# --- running nbgrader ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return Course(tmp_path_factory.mktemp("nbgrader"))


@pytest.fixture(scope="module")
def background():
    """What can run beside the grading of the class does."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture(scope="module")
def validate(course, background):
    """validate(kind) -> what `nbgrader validate` says of the "untouched", "half" and "solved" notebook."""
    half = Submission({"conv_out_size": answers()["conv_out_size"]})
    folder = course.root / "work" / LESSON  # where a student's copy lies
    folder.mkdir(parents=True)
    nbformat.write(half.nb, folder / f"{LESSON}.ipynb")
    places = {"untouched": f"lessons/{LESSON}", "half": f"work/{LESSON}", "solved": f"solutions/{LESSON}"}
    job = background.submit(course.nbgrader, "validate", *(f"{place}/{LESSON}.ipynb" for place in places.values()))
    return lambda kind: dict(zip(places, re.split(r"Validating '.*'", job.result())[1:]))[kind]


@pytest.fixture(scope="module")
def warm_up(tmp_path_factory, background):
    """warm_up() -> a course in which lesson 00 was graded, with 20 s for an answer that waits."""
    course = Course(tmp_path_factory.mktemp("warm_up"))
    known = answers(WARM_UP)
    endless = known["blend"] + "\n\n\ndef blend(*anything):\n    import time\n    time.sleep(1000)"
    course.submit("solved", Submission(known, WARM_UP), WARM_UP)
    course.submit("waits", Submission({**known, "blend": endless}, WARM_UP), WARM_UP)
    job = background.submit(course.nbgrader, "autograde", WARM_UP, "--Isolate.wall=20")

    def wait():
        job.result()
        return course

    return wait


@pytest.fixture(scope="module")
def autograded(course, validate, warm_up):
    """The class, graded in a copy with an empty gradebook; what nbgrader said."""
    for student, make in CLASS.items():
        course.submit(student, make())
    course.submit("broken", nbformat.writes(full().nb)[:5000])
    assert not (course.root / "grading/gradebook.db").exists()
    return course.nbgrader("autograde", LESSON, code=1)  # 1: one submission could not be read


@pytest.fixture(scope="module")
def feedback(course, autograded):
    """feedback(student) -> the HTML page of lesson 02."""
    course.nbgrader("generate_feedback", LESSON)
    return lambda student: (course.root / "grading/feedback" / student / LESSON / f"{LESSON}.html").read_text(
        encoding="utf-8"
    )


# --- releasing ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("validate", "warm_up")  # they go on beside this
def test_regenerating_gives_the_same_bytes_and_nothing_but_notebooks(tmp_path):
    course = Course(tmp_path)
    before = course.files()
    (course.root / "solutions" / LESSON / "notes.py").write_text("answer = 42\n")
    for _ in "an empty gradebook", "one that knows the lesson":
        course.nbgrader("generate_assignment", LESSON, "--force")
        assert not list((course.root / "lessons").rglob("*.py"))
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


@pytest.mark.parametrize("student", MUST_HAVE)
def test_a_student_gets_the_points_that_they_must_have(student, course, autograded):
    grades = course.grades(student)
    assert {name: score for name, (score, _) in grades.items()} == MUST_HAVE[student]
    waiting = {name for name, (_, person) in grades.items() if person}
    assert waiting == ({WRITTEN} if student in ("full", "messy", "dies") else set())


def test_a_full_score_is_what_the_lesson_says():
    assert AUTO + POINTS[WRITTEN] == 20 and sum(MUST_HAVE["full"].values()) == AUTO


def test_submissions_that_cannot_be_run_are_named_and_stop_nobody(course, autograded):
    failed = re.findall(r"There was an error processing assignment '\S+' for student '(\w+)'", autograded)
    assert failed == ["broken"] and "does not appear to be JSON" in autograded
    for student in failed:
        assert all(score == 0 for score, _ in course.grades(student).values())
        assert not (course.root / "grading/autograded" / student / LESSON).exists()


def test_an_answer_that_never_returns_costs_its_own_points_only(warm_up):
    course = warm_up()
    worth = {name: score for name, (score, _) in course.grades("solved", WARM_UP).items()}
    assert worth == {
        "count_pixels": 2,
        "colour": 2,
        "blend": 2,
        "quiz_average": 1,
        "quiz_shapes": 1,
        "quiz_validation": 1,
        "rounding": 0,
    }
    assert {name: score for name, (score, _) in course.grades("waits", WARM_UP).items()} == {**worth, "blend": 0}
    assert course.grades("solved", WARM_UP)["rounding"][1]  # waits for a person


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
            assert cell.cell_type == source[name].cell_type and cell.metadata.get("tags") == source[name].metadata.get(
                "tags"
            )
            assert all(mark[key] == known[key] for key in known)
            if not known.solution:
                assert cell.source == source[name].source
    assert len(course.graded("messy").cells) == len(messy().nb.cells)


def test_a_submission_runs_on_one_core(course, autograded):
    cell = next(c for c in course.graded("messy").cells if "get_num_threads" in c.source)
    assert cell.outputs[0].text.startswith("threads: 1\n")


def test_demonstrations_are_not_run(course, autograded):
    demos = [c for c in course.graded("full").cells if "demo" in c.metadata.get("tags", [])]
    assert demos and all(not c.outputs and c.execution_count is None for c in demos)


# --- feedback -----------------------------------------------------------------------------------------------


def test_feedback_says_what_holds_and_what_does_not(feedback):
    page = feedback("partial")
    assert "This forgets the dilation: a layer adds d(k − 1) steps." in page
    assert "This marks the pixels that are painted at all; count how often." in page
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
    wanted.update(full=AUTO + 1.5, broken=0)
    assert {student: float(row["score"]) for student, row in rows.items()} == wanted
    assert {float(row["max_score"]) for row in rows.values()} == {20}

    course.nbgrader("generate_feedback", LESSON, "--force", "--student=full")
    assert "Which measurement?" in feedback("full") and f"(Score: {AUTO + 1.5} / 20.0)" in feedback("full")


# --- formgrader ---------------------------------------------------------------------------------------------


@pytest.fixture
def server(course):
    """The address of a JupyterLab in the course's root, as an instructor starts it."""
    log = course.home / "lab.log"
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        "--port=0",
        "--IdentityProvider.token=t",
    ]
    with open(log, "w") as file:
        lab = subprocess.Popen(command, cwd=course.root, env=clean_environment(course.home), stdout=file, stderr=file)
    try:

        def listens():
            assert lab.poll() is None, log.read_text()
            return re.search(r"http://127\.0\.0\.1:\d+/", log.read_text())

        yield wait_for(listens, log.read_text)[0]
    finally:
        lab.terminate()
        lab.wait(PATIENCE)


def test_formgrader_lists_the_class_and_takes_a_score(course, autograded, server):
    chromium = needs_system("chromium", "chromium", "chromium-browser", "google-chrome")
    playwright = pytest.importorskip("playwright.sync_api")
    with course.gradebook() as gradebook:
        submission = gradebook.find_submission_notebook(LESSON, LESSON, "messy").id
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{server}formgrader?token=t")
        page.wait_for_selector(f"tr:has-text('{LESSON}')")
        assert page.locator("td.name").all_inner_texts() == LESSONS
        page.click(f"tr:has-text('{LESSON}') td.num-submissions a")
        page.wait_for_selector("tr:has-text('partial')")
        rows = {
            row["student"]: (row["status"], row["score"])
            for row in page.locator("tbody tr").evaluate_all(
                "rows => rows.map(r => Object.fromEntries([['student', '.student-id'], ['status', '.status'], ['score', '.score']]"
                ".map(([k, s]) => [k, r.querySelector(s).innerText])))"
            )
        }
        assert rows["partial"] == ("graded", "5 / 20")
        assert rows["messy"] == ("needs manual grading", f"{AUTO:g} / 20")
        page.goto(f"{server}formgrader/gradebook/{LESSON}/{LESSON}")
        page.click(f"a[href$='{submission}']")
        box = page.locator(f"input.score.needs_manual_grade#{WRITTEN}")
        box.wait_for()
        with page.expect_response(lambda r: "/api/grade/" in r.url and r.request.method == "PUT") as saved:
            box.fill("1.5")
            page.keyboard.press("Tab")
        assert saved.value.ok
        browser.close()
    assert course.grades("messy")[WRITTEN] == (1.5, False)
    with course.gradebook() as gradebook:
        assert gradebook.find_submission(LESSON, "messy").score == AUTO + 1.5


# --- a lesson that has changed since it was first graded ----------------------------------------------------


def test_a_lesson_that_gained_an_exercise_is_refused_with_one_sentence(warm_up):
    course = warm_up()
    path = course.root / "solutions" / WARM_UP / f"{WARM_UP}.ipynb"
    source = nbformat.read(path, as_version=4)
    source.cells.append(
        nbformat.from_dict(
            {
                **source.cells[2],
                "id": "extra",
                "metadata": {
                    "nbgrader": {
                        "grade": False,
                        "grade_id": "extra",
                        "locked": True,
                        "schema_version": 3,
                        "solution": False,
                        "task": False,
                    }
                },
            }
        )
    )
    nbformat.write(source, path)
    said = course.nbgrader("autograde", WARM_UP, "--force", code=1).strip().splitlines()
    assert said[-1].startswith(f"{WARM_UP} has gained or lost cells (extra) since its first submission was graded")
    assert "Traceback" not in "".join(said)
    course.nbgrader("db", "assignment", "remove", WARM_UP, "--force")  # as the sentence says
    with course.gradebook() as gradebook:
        assert not gradebook.assignments
