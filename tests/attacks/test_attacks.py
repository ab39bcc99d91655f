"""The attack suite, graded by the real command in batches with an honest class between: what each attack got, and what it left.

Every attack is in tests/attacks/, with what it tries and what it must get.
"""

import contextlib
import os
import re
import shutil
import time
from pathlib import Path

import pytest

from course_lib.crossing.sandbox import NOBODY
from tests.attacks import ATTACKS, HANDED
from tests.attacks.bank import SEEN
from tests.attacks.table import MARKS, PAGE, table
from tests.support import submissions as made
from tests.support.graded import MUST_HAVE, Graded
from tests.support.processes import left_after, started
from tests.support.submissions import LESSON
from tests.support.system_packages import needs_system

pytestmark = pytest.mark.slow

LIMITS = ["--cpu-seconds", "3", "--wall-seconds", "12", "--memory", "700", "--workers", "2", "--quiet"]
HONEST = {
    f"{place}_{state}": state for place in ("a", "m", "zz") for state in ("full", "partial")
}  # before, between, after
WITH_PAGE = (
    "markup_everywhere",
    "lone_surrogates",
    "odd_metadata",
    "prints_without_end",
    "markdown_without_end",
    "broken_json",
    "zz_full",
)
PLACES = ("/tmp", "/dev/shm", "/var/tmp")


def listing(since):
    """What answers of this run put into the system's common folders: files of nobody's or this user's, made since then,
    that hold or are called what attacks write. Others' work on the machine is not looked at."""
    found = set()
    for path in (Path(place, name) for place in PLACES if os.path.isdir(place) for name in os.listdir(place)):
        with contextlib.suppress(OSError):
            about = path.lstat()
            mine = about.st_ctime >= since and about.st_uid in (os.geteuid(), NOBODY)
            found |= {str(path)} if mine and re.search("answers-|attack|friend", path.name) else set()
    return found


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    """All attacks and the honest class, graded: a course with `said`, `left_files`, `left_processes`."""
    needs_system("bubblewrap", "bwrap")
    folder = tmp_path_factory.mktemp("attacks")
    course = Graded(folder)
    for student, state in HONEST.items():
        course.submit(student, made.CLASS[state]())
    for name, attack in ATTACKS.items():
        path = course.root / "grading/submitted" / name / LESSON / f"{LESSON}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_bytes(attack.data())
    for name, handed in HANDED.items():
        for inside, content in handed.make().items():
            path = folder / "handed" / name / inside
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(content) if isinstance(content, str) else path.write_bytes(content)
    temporary = folder / "tmp"
    temporary.mkdir()
    more = {"TMPDIR": str(temporary), "COURSE_SECRET": "SECRET token", "SECRET_NAME": "x"}
    course.known, before, since = course.files(), set(started()), time.time()
    began = time.monotonic()
    course.said = course.grade("grading/submitted", *LIMITS, "--no-feedback", env=more)
    course.zips = course.grade(*(folder / "handed" / name for name in HANDED), *LIMITS, "--no-feedback", env=more)
    course.grade(*(course.root / "grading/submitted" / name for name in WITH_PAGE), *LIMITS, env=more)
    print(f"The attacks took {time.monotonic() - began:.0f} s.")
    course.left_processes = left_after(before)
    kept = {p.relative_to(temporary).as_posix() for p in temporary.glob("*") if not p.name.startswith("torchinductor")}
    course.left_files = kept | listing(since)
    yield course
    shutil.rmtree(folder, ignore_errors=True)


# --- what each one got --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_gets_what_it_must_and_sees_nothing(name, batch):
    attack, graded = ATTACKS[name], batch.record(name)["graded"]
    assert {cell: score for cell, (score, _) in batch.grades(name).items()} == attack.earned()
    if attack.refused:
        assert attack.refused in graded["unreadable"]
        return
    assert graded["unreadable"] == ""
    told = [part[3] for check in graded["checks"].values() for part in check["parts"]] + [
        check["reason"] for check in graded["checks"].values()
    ]
    printed = [o.get("text", "") for c in batch.graded(name).cells if c.cell_type == "code" for o in c.outputs]
    assert not [text for text in (*told, *printed, *graded["notes"]) if re.search(SEEN, text)]
    assert all(len(text) < 5_000 for text in told)


@pytest.mark.parametrize("student", HONEST)
def test_an_honest_submission_among_them_gets_its_usual_grade(student, batch):
    assert {cell: score for cell, (score, _) in batch.grades(student).items()} == MUST_HAVE[HONEST[student]]


@pytest.mark.parametrize("name", HANDED)
def test_what_is_handed_in_around_a_notebook_names_nobody_else(name, batch):
    handed = HANDED[name]
    assert handed.left in batch.zips
    for student, state in handed.students.items():
        assert {cell: score for cell, (score, _) in batch.grades(student).items()} == MUST_HAVE[state], student


# --- what they left -----------------------------------------------------------------------------------------


def test_nobody_else_has_a_grade(batch):
    with batch.gradebook() as gradebook:
        students = {s.id for s in gradebook.students}
    assert students >= {*ATTACKS, *HONEST}
    others = students - {*ATTACKS, *HONEST} - {s for h in HANDED.values() for s in h.students}
    assert len(others) <= 12 and all(
        re.fullmatch(r"[\w@.-]{1,80}", s) and not s.startswith((".", "-")) for s in others
    ), others


def test_no_process_and_no_file_is_left(batch):
    assert batch.left_processes == [] and batch.left_files == set()
    assert batch.files() == batch.known
    assert {p.name for p in batch.root.iterdir()} == {p.split("/")[0] for p in batch.known} | {"grading"}
    assert {p.name for p in (batch.root / "grading").iterdir()} == {
        "autograded",
        "feedback",
        "gradebook.db",
        "report",
        "results",
        "submitted",
    }


def test_every_attack_is_bounded(batch):
    slow = {
        name: graded["seconds"]
        for name in ATTACKS
        if (graded := batch.record(name)["graded"])["seconds"] > 75 or graded["memory"] > 1000
    }
    assert slow == {}
    sizes = {p.name: p.stat().st_size for p in (batch.root / "grading/results").rglob("*.json")}
    assert max(sizes.values()) < 200_000


def test_no_page_runs_a_script_of_a_student(batch):
    pages = [*(batch.root / "grading/feedback").rglob("*.html"), *(batch.root / "grading/report").glob("*.html")]
    assert len(pages) == len(WITH_PAGE) + 2  # the lesson's and the course's
    for page in pages:
        text = page.read_text(encoding="utf-8")
        text = re.sub(r"<pre>.*?</pre>|<code>.*?</code>", "", text, flags=re.S)
        found = re.search(
            r"<(script|img|svg|iframe|meta|a|b|i)\b[^>]*(onerror|onload|(?<!%8B)javascript:|srcdoc|http-equiv=\"refresh)|<script>alert",
            text,
            flags=re.I,
        )
        assert not found, (page, text[max(0, found.start() - 100) : found.end() + 100])


def test_no_table_holds_a_formula_of_a_student(batch):
    text = (batch.root / f"grading/report/{LESSON}.csv").read_text(encoding="utf-8")
    assert not re.search(r'(^|,)"?[=+@-][A-Za-z(]', text, flags=re.M)


def test_there_are_many_attacks_and_the_table_of_them_is_current():
    assert len(ATTACKS) + len(HANDED) >= 60
    text = PAGE.read_text(encoding="utf-8")
    assert text[text.index(MARKS[0]) : text.index(MARKS[1])] == MARKS[0] + "\n" + table(), (
        "run `python3 -m tests.attacks`"
    )
