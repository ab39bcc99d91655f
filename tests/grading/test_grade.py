"""python3 -m course_lib grade, as an instructor runs it: a class in, and killed, disturbed and repeated."""

import contextlib
import csv
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile

import nbformat
import psutil
import pytest

from course_lib.grading import course as house
from course_lib.grading import restore, runner
from tests.support import submissions as made
from tests.support.course import LESSONS, ROOT
from tests.support.graded import LIMITS, MUST_HAVE, Graded, clean_environment
from tests.support.processes import PATIENCE, left_after, started
from tests.support.submissions import LESSON, WRITTEN, Submission, answers
from tests.support.system_packages import needs_system

pytestmark = pytest.mark.slow

LOOP = "def receptive_field(layers):\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass"


def the_class():
    """{student: (lesson, file's text)}: lesson 02 in every state, and every other lesson solved."""
    found = {student: (LESSON, nbformat.writes(make().nb)) for student, make in made.CLASS.items()}
    found["loops"] = (LESSON, nbformat.writes(Submission({**answers(), "receptive_field": LOOP}).nb))
    found["moved"] = (LESSON, nbformat.writes(moved().nb))
    found["borrowed"] = (LESSON, nbformat.writes(borrowed().nb))
    found["plain"] = (LESSON, nbformat.writes(plain().nb))
    found["broken"] = (LESSON, found["full"][1][:5000])
    found["empty"] = (LESSON, "")
    found["foreign"] = (LESSON, nbformat.writes(Submission(answers("00_start_here"), "00_start_here").nb))
    found["strange"] = (LESSON, nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")])))
    for lesson in LESSONS:
        if lesson != LESSON:
            found[f"solved{lesson[:2]}"] = (lesson, nbformat.writes(Submission(answers(lesson), lesson).nb))
    return found


def moved():
    """All checks stand above the answers."""
    sub = made.full()
    checks = [c for c in sub.nb.cells if str(made.name_of(c)).startswith("check_")]
    sub.nb.cells = [*checks, *(c for c in sub.nb.cells if not any(c is k for k in checks))]
    return sub


def borrowed():
    """All checks stand above the answers, and one answer hands its work to a finished function."""
    sub = moved()
    sub[
        "transposed_conv"
    ].source = "def transposed_conv(x, weight, stride):\n    return F.conv_transpose2d(x, weight, stride=stride)"
    return sub


def plain():
    """Neither metadata nor ids were kept: copied cell by cell into a new notebook."""
    sub = made.full()
    for number, cell in enumerate(sub.nb.cells):
        cell.metadata, cell.id = nbformat.NotebookNode(), f"n{number}"
    return sub


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The class, graded once by two workers; `said` is what the command told."""
    needs_system("bubblewrap", "bwrap")
    course = Graded(tmp_path_factory.mktemp("graded"))
    for student, (lesson, text) in the_class().items():
        course.submit(student, text, lesson)
    before = set(started())
    course.said = course.grade("grading/submitted", *LIMITS, "--workers", 2)
    course.left_behind = left_after(before)
    return course


WANTED = {
    **MUST_HAVE,
    "moved": MUST_HAVE["full"],
    "borrowed": {**MUST_HAVE["full"], "transposed_conv": 0},
    "plain": {**MUST_HAVE["full"]},
    "loops": {**MUST_HAVE["full"], "receptive_field": 0},
}


@pytest.mark.parametrize("student", WANTED)
def test_the_command_gives_the_grades_that_nbgrader_s_own_path_gives(student, graded):
    assert {name: score for name, (score, _) in graded.grades(student).items()} == WANTED[student]


@pytest.mark.parametrize("lesson", [name for name in LESSONS if name != LESSON])
def test_every_lesson_s_solutions_earn_all_points_across_the_boundary(lesson, graded):
    grades = graded.grades(f"solved{lesson[:2]}", lesson)
    points = {
        c.metadata.nbgrader.grade_id: c.metadata.nbgrader.points
        for c in restore.source_of(str(ROOT), lesson).cells.values()
        if restore.is_check(c)
    }
    assert {f"check_{name}": score for name, (score, manual) in grades.items() if not manual} == points


def test_what_cannot_be_graded_has_a_reason_that_helps(graded):
    reasons = {
        student: graded.record(student)["graded"]["unreadable"] for student in ("broken", "empty", "foreign", "strange")
    }
    assert "not JSON, or broken off" in reasons["broken"] and "empty" in reasons["empty"]
    assert (
        reasons["foreign"] == f"This is the notebook of 00_start_here, handed in as {LESSON}. Hand in {LESSON}.ipynb."
    )
    assert "none of the cells" in reasons["strange"]
    for student, reason in reasons.items():
        assert reason in graded.said
        assert reason in (graded.root / f"grading/feedback/{student}/{LESSON}/{LESSON}.html").read_text()
        assert all(score == 0 for score, _ in graded.grades(student).values())


def test_a_release_s_own_set_up_is_no_change():
    from course_lib.grading import frame

    source = restore.source_of(str(ROOT), LESSON)
    setup = frame.around("import torch", {"repository": "owner/name", "branch": "v1"})
    assert "owner/name" in setup
    sub = made.full()
    sub["setup"].source = source.cells["setup"].source.replace(
        frame.NO_ADDRESS, frame.INSTALL.format(archive="https://github.com/owner/name/archive/v1.zip")
    )
    assert "owner/name" in sub["setup"].source
    assert restore.restore(sub.nb, source) == []
    sub["setup"].source += "\n1"
    assert restore.restore(sub.nb, source) == ["Changed, and put right: `setup`."]


def test_an_answer_that_never_ends_is_told_so(graded):
    entry = graded.record("loops")["graded"]["checks"]["check_receptive_field"]
    assert "your code used more than 10 s of processor time" in entry["parts"][0][3]
    assert graded.record("loops")["graded"]["notes"] == [
        "`receptive_field` used more than 10 s of processor time. Is there a loop that does not end?"
    ]


def test_nothing_is_left_behind(graded):
    assert graded.left_behind == []


def test_feedback_shows_verdicts_and_no_hidden_tests(graded):
    page = (graded.root / f"grading/feedback/partial/{LESSON}/{LESSON}.html").read_text()
    assert "This forgets the dilation: a layer adds d(k − 1) steps." in page and "(Score: 5.0 / 20.0)" in page
    assert "HIDDEN TESTS" not in page and "seed=" not in page


def test_the_table_has_every_part_and_every_student(graded):
    rows = {
        row["student"]: row
        for row in csv.DictReader((graded.root / f"grading/report/{LESSON}.csv").open(encoding="utf-8-sig"))
    }
    known = the_class()
    assert rows.keys() == known.keys()
    absent = {student for student, row in rows.items() if row["remark"] == "no submission"}
    assert absent == {student for student, (lesson, _) in known.items() if lesson != LESSON}
    assert rows["partial"]["score"] == "5" and rows["partial"]["check_receptive_field"] == "1.5"
    assert (
        rows["partial"]["check_receptive_field: dilation"] == "0"
        and rows["partial"]["check_receptive_field: strides"] == "1"
    )
    assert rows["full"]["waits_for_a_person"] == "1" and rows["full"]["sandbox"] == "yes"
    assert "not JSON" in rows["broken"]["remark"]


def test_the_report_says_what_a_teacher_asks(graded):
    page = (graded.root / f"grading/report/{LESSON}.html").read_text()
    assert f"answers to <code>{WRITTEN}</code> wait for a grade by hand" in page
    assert "This forgets the dilation" in page and "Median" in page and "without a sandbox" not in page
    assert re.search(r"<b>broken</b>: no grade\. This file is no notebook", page)


def test_grading_again_changes_nothing_and_runs_nothing(graded):
    book, files = graded.book(), {p: p.stat().st_mtime_ns for p in (graded.root / "grading").rglob("*.json")}
    with graded.gradebook() as gradebook:
        grade = gradebook.find_grade(WRITTEN, LESSON, LESSON, "full")
        grade.manual_score, grade.needs_manual_grade = 1.5, False
        gradebook.db.commit()
    graded.grade("grading/submitted", *LIMITS)
    book["full", LESSON][0][WRITTEN] = (None, 1.5, False)
    assert graded.book() == book
    assert {p: p.stat().st_mtime_ns for p in (graded.root / "grading").rglob("*.json")} == files
    assert "(Score: 19.5 / 20.0)" in (graded.root / f"grading/feedback/full/{LESSON}/{LESSON}.html").read_text()


def same(record):
    """What of a record must not depend on when, where and beside whom it was graded."""
    graded = record["graded"]
    return [record["student"], graded["checks"], graded["written"], graded["notes"], graded["unreadable"]]


def test_a_submission_gets_the_same_alone_and_on_a_busy_machine(graded, tmp_path):
    course = Graded(tmp_path)
    text = the_class()["partial"][1]
    (tmp_path / f"partial - {LESSON}.ipynb").write_text(text)
    load = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    try:
        course.grade(tmp_path / f"partial - {LESSON}.ipynb", *LIMITS, "--no-feedback")
    finally:
        for process in load:
            process.kill()
            process.wait()
    assert same(course.record("partial")) == same(graded.record("partial"))


# --- killed, locked, full -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    """A gradebook that knows lesson 02 and nobody: it takes seconds to make."""
    course = Graded(tmp_path_factory.mktemp("learnt"))
    code = f"import os; from course_lib.grading import batch as c; c.learn(os.getcwd(), [{LESSON!r}], c.settings(os.getcwd()).CourseDirectory.db_url)"
    subprocess.run(
        [sys.executable, "-c", code],
        cwd=course.root,
        env=clean_environment(course.home),
        check=True,
        capture_output=True,
    )
    return course.root / "grading/gradebook.db"


@pytest.fixture
def small(tmp_path, learnt):
    """A course with twelve submissions whose gradebook knows the lesson."""
    needs_system("bubblewrap", "bwrap")
    course = Graded(tmp_path)
    texts = the_class()
    (course.root / "grading").mkdir()
    shutil.copy(learnt, course.root / "grading")
    for number in range(12):
        course.submit(f"s{number:02}", texts[("full", "partial", "none", "messy")[number % 4]][1])
    return course


def test_a_batch_that_is_killed_again_and_again_ends_as_if_it_had_not_been(small):
    begun, finished, before = {}, 0, set(started())
    for count in (2, 5, 9):  # records, at which signal 9 comes
        process = small.start("grading/submitted", *LIMITS, "--no-feedback", "--workers", 2, start_new_session=True)
        folder = small.root / f"grading/results/{LESSON}"
        while len(list(folder.glob("s*.json"))) < count and process.poll() is None:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        now = {p.name: p.stat().st_mtime_ns for p in folder.glob("s*.json") if json.loads(p.read_text())["booked"]}
        assert {name: now[name] for name in begun} == begun, "finished work was graded again"
        assert len(now) >= finished
        begun, finished = now, len(now)
        assert left_after(before) == [], "a worker outlived its coordinator"
    assert 0 < finished < 12
    small.grade("grading/submitted", *LIMITS, "--no-feedback", "--workers", 2)
    want = {
        "full": MUST_HAVE["full"],
        "partial": MUST_HAVE["partial"],
        "none": MUST_HAVE["none"],
        "messy": MUST_HAVE["messy"],
    }
    for number in range(12):
        grades = {name: score for name, (score, _) in small.grades(f"s{number:02}").items()}
        assert grades == want[("full", "partial", "none", "messy")[number % 4]]
    assert len(small.book()) == 12


def below(process, word):
    """The Python processes below one whose command line holds a word, the oldest first."""
    found = []
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            line = child.cmdline()
            found += [child] if line and "python" in line[0] and word in " ".join(line) else []
    return sorted(found, key=lambda p: p.create_time())


def workers_of(process):
    return below(process, "forkserver")[1:]  # the first is the one that they are forks of


def sandbox_of(process):
    return below(process, "crossing.fork_server")


@pytest.mark.parametrize("what", [workers_of, sandbox_of])
def test_what_dies_has_its_work_done_again(what, small):
    process = small.start("grading/submitted", *LIMITS, "--no-feedback", "--workers", 2)
    folder, killed = small.root / f"grading/results/{LESSON}", 0
    while process.poll() is None and killed < 2:
        if len(list(folder.glob("s*.json"))) > 3 * killed:
            for one in what(psutil.Process(process.pid))[:1]:
                one.kill()
                killed += 1
        time.sleep(0.05)
    said = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0 and killed == 2 and "12 of 12 submissions have grades." in said, said
    assert {sum(score for score, _ in small.grades(f"s{n:02}").values()) for n in (0, 4, 8)} == {18}


def test_a_disk_that_fills_up_loses_nothing(small):
    """On a disk of its own that becomes full half-way; then there is room again."""
    line = f"{sys.executable} -m course_lib.grading grading/submitted {' '.join(LIMITS)} --no-feedback --workers 1"
    script = f"""
        cp -r "$1/." grading && room=$(df --output=avail -k grading | tail -1) && head -c $(((room - 250) * 1024)) /dev/zero > grading/filler
        {line}; echo "first: $?"; ls grading/results/{LESSON} | wc -l
        rm grading/filler
        {line}; echo "second: $?"; cp -r grading/. "$1"
    """
    given = small.root.parent / "given"
    shutil.move(small.root / "grading", given)
    (small.root / "grading").mkdir()
    done = subprocess.run(
        [
            "bwrap",
            "--dev-bind",
            "/",
            "/",
            "--size",
            str(16 * 2**20),
            "--tmpfs",
            str(small.root / "grading"),
            "sh",
            "-c",
            script,
            "sh",
            str(given),
        ],
        cwd=small.root,
        env=clean_environment(small.home),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    first, second = done.stdout.split("first: ")
    said = first + done.stderr
    assert (
        "put that right and start again" in said
        or "There is no space left for the gradebook: free some and start again." in said
    ), said
    assert "Traceback" not in said and second.startswith("1\n") and 0 < int(second.split()[1]) < 12, second
    assert "12 of 12 submissions have grades." in second and second.rstrip().endswith("second: 0"), second
    shutil.rmtree(small.root / "grading")
    shutil.move(given, small.root / "grading")
    assert {sum(score for score, _ in small.grades(f"s{n:02}").values()) for n in (0, 4, 8)} == {18}


def test_a_locked_gradebook_is_one_sentence(small, monkeypatch):
    from course_lib.grading import book, records
    from course_lib.start.errors import Stop

    small.grade("grading/submitted/s00", *LIMITS, "--no-feedback")
    monkeypatch.setattr(book, "PATIENCE", 1)
    url = f"sqlite:///{small.root / 'grading/gradebook.db'}?timeout=1"
    with contextlib.closing(sqlite3.connect(small.root / "grading/gradebook.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        with (
            pytest.raises(Stop, match="The gradebook has been locked by another program for 1 s"),
            book.opened(url) as gradebook,
        ):
            book.write(gradebook, records.Graded.of(small.record("s00")["graded"]), "s00")


def test_nbgrader_s_rule_for_late_submissions_holds(small, tmp_path):
    with (small.root / "nbgrader_config.py").open("a") as config:
        config.write("\nget_config().LateSubmissionPlugin.penalty_method = 'zero'\n")
    path = tmp_path / "collected.zip"
    with zipfile.ZipFile(path, "w") as made_:
        for student, day in (("early", 1), ("late", 3)):
            entry = zipfile.ZipInfo(f"{student}/{LESSON}/{LESSON}.ipynb", (2026, 3, 30, 12, 0, 0))  # which says nothing
            made_.writestr(entry, the_class()["partial"][1])
            made_.writestr(f"{student}/{LESSON}/timestamp.txt", f"2026-03-0{day} 12:00:00 UTC")

    def penalties():
        with small.gradebook() as gradebook:
            found = {name: gradebook.find_submission_notebook(LESSON, LESSON, name) for name in ("early", "late")}
            return {name: (n.score, n.late_submission_penalty) for name, n in found.items()}

    small.grade(path, *LIMITS, "--no-feedback")
    assert penalties() == {"early": (5, None), "late": (5, None)}
    for due, penalty in (("02", 5), ("04", None), ("02", 5)):  # set, moved, moved again: the next run takes it up
        with small.gradebook() as gradebook:
            gradebook.update_or_create_assignment(LESSON, duedate=f"2026-03-{due} 12:00:00 UTC")
        small.grade(path, *LIMITS, "--no-feedback")
        assert penalties() == {"early": (5, None), "late": (5, penalty)}
    with small.gradebook() as gradebook:
        gradebook.grant_extension(LESSON, "late", days=2)
    small.grade(path, *LIMITS, "--no-feedback")
    assert penalties()["late"] == (5, None)


def test_without_a_sandbox_grading_refuses_unless_told(small, tmp_path):
    bare = tmp_path / "bin"
    bare.mkdir()
    (bare / "python3").symlink_to(sys.executable)
    said = small.grade("grading/submitted/s01", code=1, env={"PATH": str(bare)})
    assert said.strip() == (
        "bubblewrap is missing: install it (on Debian and Ubuntu, `apt-get install bubblewrap`). To grade without a sandbox, "
        "in your own account, code that you trust, add --unsafe."
    )
    said = small.grade("grading/submitted/s01", *LIMITS, "--unsafe", "--no-feedback", env={"PATH": str(bare)})
    assert "Every result will say so" in said and small.record("s01")["graded"]["safe"] is False
    assert {name: score for name, (score, _) in small.grades("s01").items()} == MUST_HAVE["partial"]
    assert "without a sandbox" in (small.root / f"grading/report/{LESSON}.html").read_text()


def test_a_fault_of_ours_is_tried_again_and_never_a_zero(monkeypatch):
    station, calls = runner.Station(ROOT), []

    class End:
        closed = False

        def send_bytes(self, data):
            raise OSError

    class Broken:
        def open(self):
            calls.append(1)
            return End()

        def close(self, connection):
            connection.closed = True
            return {"ended": "killed", "cpu": 0.0, "memory": 0.0}

        def stop(self):
            pass

    monkeypatch.setattr(station, "start", lambda: setattr(station, "lane", Broken()))
    with pytest.raises(
        RuntimeError,
        match="Grading failed 3 times, and not by the submission's doing: the process for student code was killed",
    ):
        runner.retried(lambda: station.grade(nbformat.writes(made.full().nb).encode(), LESSON))
    assert len(calls) == 3


def test_bad_arguments_are_one_sentence(small, tmp_path):
    assert (
        small.grade(tmp_path / "nowhere", code=1).splitlines()[-1]
        == "There is nothing to grade: no notebook of a student was found."
    )
    assert small.grade("grading/submitted", "--lesson", "77", code=1).startswith(
        "There is no lesson '77': the lessons are 00_start_here"
    )
    shutil.copy(small.root / f"lessons/{LESSON}/{LESSON}.ipynb", tmp_path / f"{LESSON}.ipynb")
    assert "names no student: put it into a folder" in small.grade(tmp_path / f"{LESSON}.ipynb", code=1)
    assert house.TEXT_STUB
