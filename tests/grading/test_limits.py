"""What grading itself may use up on a submission: memory and processor time of a check, time and size of a page."""

import json
import re
import time

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook, new_raw_cell

from course_lib.grading import pages, restore
from course_lib.grading.pool import OWN, TRIES, eased
from course_lib.grading.records import Grade, Outcome, Page
from course_lib.grading.rules import CHECK_CPU
from course_lib.start.files import write_whole
from tests.support import submissions as made
from tests.support.graded import LIMITS, MUST_HAVE, Graded
from tests.support.submissions import LESSON, WRITTEN, Submission
from tests.support.system_packages import needs_system

PIXEL = {"image/png": "iVBORw0KGgo="}
SLOW = ["[", "![", "][", "[a](", "\\\\[", "\\\\(", "\\begin{a}\n", "*a", "`` `", "a \n", "> ", "  - ", "$$", "&", "<a "]


def tamed(*cells):
    """The HTML of Markdown cells that a student handed in."""
    nb = new_notebook(cells=[new_markdown_cell(c) if isinstance(c, str) else c for c in cells])
    restore._tame(nb.cells)
    return nb.cells, pages.page(Page(nbformat.writes(nb), LESSON, (0, 1, None), {}, {}))


# --- pages --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", SLOW)
def test_a_page_of_long_texts_is_made_in_the_time_that_a_page_may_take(unit):
    began = time.process_time()
    cells, page = tamed(*((unit * 60_000)[:120_000] for _ in range(2)), *((unit * 4_999)[:4_999] for _ in range(25)))
    assert time.process_time() - began < CHECK_CPU
    assert len(page) < 30 * sum(len(c.source) for c in cells) + 2**20


def test_a_long_text_is_shown_as_it_was_typed_and_a_short_one_as_markdown():
    (long, short), page = tamed("**stress** ```` `" * 1000, "**stress**")
    assert long.source.startswith("`````text\n**stress**") and short.source == "**stress**"
    assert page.count("<strong>stress</strong>") == 1 and max(map(len, long.source.split("\n"))) <= 120
    cells, _ = tamed(*["word " * 990] * 30)
    assert [cell.source.startswith("```text") for cell in cells] == [False] * 20 + [True] * 10  # in all, too
    assert "(30 more characters)" in restore.as_typed("x" * 130, 100)
    (raw,), _ = tamed(new_raw_cell("<script>alert(1)</script>" * 1000))
    assert "<script" not in raw.source


def test_a_picture_that_is_attached_is_shown_and_none_from_elsewhere():
    texts = "![a](https://x.example/a.png) ![b][far] ![[c]](https://x.example/c.png) ![d](attachment:d.png) ![e](attachment:e.png)"
    more = '\n\n[far]: https://x.example/b.png\n\n```mermaid\na@{img: "https://x.example/m.png"}\n```\n\n$\\style{background:url(https://x.example/s)}{x}$'
    _, page = tamed(new_markdown_cell(texts + more, attachments={"d.png": PIXEL}))
    shown = re.findall(r"<img [^>]*", page)
    assert len(shown) == 1 and "data:image/png;base64,iVBORw0KGgo=" in shown[0]
    assert 'class="mermaid"' not in page and "\\style" not in page
    assert page.index("Content-Security-Policy") < page.index("<title") and "img-src data:;" in page


def test_pictures_are_shown_as_long_as_a_page_has_room_for_them():
    big = {"image/png": "A" * 2**20}
    many = new_markdown_cell("![a](attachment:a.png)\n" * 200, attachments={"a.png": big})
    (spoilt, fine), page = tamed(many, new_markdown_cell("![a](attachment:a.png)", attachments={"a.png": big}))
    assert "attachments" not in spoilt and page.count("data:image/png") == 1


@pytest.mark.parametrize("name", ["\ud800.png", "n" * 30_000])
def test_no_name_of_an_attachment_stops_a_page(name):
    told = {"cells": [{"cell_type": "markdown", "source": f"![a](attachment:{name})", "attachments": {name: PIXEL}}]}
    nb = restore.read(json.dumps(told).encode())
    restore._tame(nb.cells)
    nbformat.writes(nb).encode()
    assert (len(nb.cells[0].attachments) == 1) == (len(name) < 200)
    pages.page(Page(nbformat.writes(nb), LESSON, (0, 1, None), {}, {}))


def test_many_attachments_are_cut_to_some():
    names = [f"{n}.png" for n in range(5000)]
    cell = restore._clean({"cell_type": "markdown", "attachments": {name: PIXEL for name in names}}, 0)
    assert list(cell.attachments) == names[:50]


def test_what_is_written_is_written_safely(tmp_path):
    write_whole(tmp_path / "x", "a\ud800b")
    assert (tmp_path / "x").read_text() == "a?b"


# --- what ends a worker -------------------------------------------------------------------------------------


def test_a_task_that_ends_its_worker_is_eased_and_in_the_end_has_a_reason():
    task, went = Grade("x", LESSON), []
    for name in ("check_a", "check_b", "check_c"):
        task, done = eased(task, Outcome(fault="crashed", at=name))
        went.append(name)
        assert done is None and [check for check, _ in task.blamed] == went
    assert len(went) == TRIES and task.blamed[0][1] == "Checking your answer crashed, and was stopped."
    for name in ("check_d", ""):
        _, done = eased(task if name else Grade("x", LESSON), Outcome(fault="crashed", at=name))
        assert done.result.unreadable.startswith("Grading this notebook crashed, and was stopped") and done.fault == ""
    page = Page("{}", LESSON, (0, 1, None), {}, {})
    page, done = eased(page, Outcome(fault=OWN[24], at=""))
    assert page.plain and done is None
    assert f"took more than {CHECK_CPU} s of processor time" in eased(page, Outcome(fault=OWN[24], at=""))[1].result


def spoilt(course, path, old, new):
    path = course.root / "course_lib" / path
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


HUGE = "def two_lies(classes):\n    zero = torch.zeros(4, dtype=torch.int64)\n    return (zero, zero), (zero + 300_000_000, zero)"
BROADCAST = """class Bomb(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.s, self.n = s, 0
    def forward(self, x):
        self.n += 1
        if self.n == 1:
            return torch.rand(*x.shape[:2], self.s * x.shape[2], self.s * x.shape[3])
        return torch.zeros(30_000, 1) if self.n == 2 else torch.zeros(30_000)
def catch(stride):
    return torch.tensor([0.0, 1.0]).repeat(4, 8)[None, None], Bomb(stride)"""


WHOLE = '        t.whole(got, given, "Divide with `//`.")'  # in the check of conv_out_size


@pytest.mark.slow
def test_a_check_that_takes_too_much_costs_its_own_exercise_alone(tmp_path):
    """A check that answers drive into a loop and into a crash, huge memory, pages that can't be made, and a class."""
    needs_system("bubblewrap", "bwrap")
    course = Graded(tmp_path)
    spoilt(course, "grading/rules.py", "CHECK_CPU = 30", "CHECK_CPU = 4")
    traps = "        while got == 987_654:\n            pass\n        if got == 123_456:\n            __import__('os').abort()\n"
    spoilt(course, "checks/lesson_02/conv_out_size.py", WHOLE, traps + WHOLE)
    page = "def _page(task):\n    if 'ALWAYS' in task.notebook or ('ONCE' in task.notebook and not task.plain):\n        __import__('os').abort()\n"
    spoilt(course, "grading/pages.py", "def _page(task):\n", page)
    values = {"loops": "987_654", "aborts": "123_456"}
    for student, value in values.items():
        course.submit(
            student, Submission({**made.answers(), "conv_out_size": f"def conv_out_size(*a):\n    return {value}"})
        )
    for student, word in {"once": "ONCE", "always": "ALWAYS"}.items():
        course.submit(student, Submission({**made.answers(), WRITTEN: word}))
    course.submit("full", made.full())
    lessons = {"huge": ("07_metrics", "two_lies", HUGE), "broadcast": ("03_fcn", "catch", BROADCAST)}
    for student, (lesson, exercise, text) in lessons.items():
        course.submit(student, Submission({**made.answers(lesson), exercise: text}, lesson), lesson)
    said = course.grade("grading/submitted", *LIMITS, "--workers", 1, "--quiet")
    assert "7 of 7 submissions have grades." in said
    for student in (*values, "once", "always", "full"):
        found = {name: score for name, (score, _) in course.grades(student).items()}
        want = MUST_HAVE["full"] | ({"conv_out_size": 0} if student in values else {})
        assert {k: v for k, v in found.items() if k != WRITTEN} == {k: v for k, v in want.items() if k != WRITTEN}, (
            student
        )
    reasons = {s: course.record(s)["graded"]["checks"]["check_conv_out_size"]["reason"] for s in values}
    assert reasons == {
        "loops": "Checking your answer took more than 4 s of processor time, and was stopped.",
        "aborts": "Checking your answer crashed, and was stopped.",
    }
    feedback = {
        s: (course.root / f"grading/feedback/{s}/{LESSON}/{LESSON}.html").read_text()
        for s in ("once", "always", "full")
    }
    assert "<strong>" not in feedback["once"] and "ONCE" in feedback["once"] and "<strong>" in feedback["full"]
    assert "making this page of it crashed" in feedback["always"]
    for student, (lesson, exercise, _) in lessons.items():
        found = course.record(student, lesson)["graded"]["checks"]
        assert "allocate" in str(found[f"check_{exercise}"]), found[f"check_{exercise}"]
        others = [entry for name, entry in found.items() if name != f"check_{exercise}"]
        assert all(entry["points"] == entry["most"] for entry in others), [
            e for e in others if e["points"] != e["most"]
        ]
