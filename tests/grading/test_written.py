"""A written answer survives what platforms and students do to its cell, and so do the pictures in it."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from course_lib.grading import pages, restore
from course_lib.grading.records import Page
from tests.support.course import ROOT
from tests.support.submissions import LESSON, WRITTEN, Submission, none

ANSWER = "A small bottleneck drops thin things: a spoke is narrower than a cell."
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SOURCE = restore.source_of(str(ROOT), LESSON)


def lost(sub):
    """Without metadata and ids, as Kaggle and Deepnote save."""
    for number, cell in enumerate(sub.nb.cells):
        cell.metadata, cell.id = nbformat.NotebookNode(), f"n{number}"


def typed(sub):
    sub[WRITTEN].source = ANSWER


def below(sub, cell=None):
    sub.nb.cells.insert(sub.place(WRITTEN) + 1, cell or new_markdown_cell(ANSWER))


def above(sub):
    sub.nb.cells.insert(sub.place(WRITTEN), new_markdown_cell(ANSWER))


def instead(sub):
    below(sub)
    sub.delete(WRITTEN)


def as_code(sub):
    below(sub, new_code_cell(ANSWER))


def as_raw(sub):
    below(sub, nbformat.v4.new_raw_cell(ANSWER))


def in_the_question(sub):
    sub.nb.cells[sub.place(WRITTEN) - 1].source += "\n\n" + ANSWER


def question_changed(sub):
    typed(sub)
    sub.nb.cells[sub.place(WRITTEN) - 1].source = "The question, in my words."


def graded(sub):
    """The restored notebook and its written cell."""
    nb = restore.read(nbformat.writes(sub.nb).encode())
    assert restore.lesson_of(nb, ROOT) == LESSON
    restore.restore(nb, SOURCE)
    return nb, next(c for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade_id") == WRITTEN)


@pytest.mark.parametrize("keeps", [True, False], ids=["metadata", "no metadata"])
@pytest.mark.parametrize("change", [typed, below, above, instead, as_code, as_raw, in_the_question, question_changed])
def test_an_answer_is_found_wherever_it_stands(change, keeps):
    sub = none()
    sub["conv_out_size"].source = "def conv_out_size():\n    pass"
    change(sub)
    if not keeps:
        lost(sub)
    nb, cell = graded(sub)
    assert cell.source == ANSWER and cell.cell_type == "markdown"
    assert sum(ANSWER in c.source for c in nb.cells) == 1
    assert restore.is_worked_in(restore.read(nbformat.writes(sub.nb).encode()), SOURCE)


@pytest.mark.parametrize("text", ["print(1)", "1 + 1", "x = [n for n in range(3)]"])
def test_a_program_below_the_question_is_no_answer(text):
    sub = Submission()
    below(sub, new_code_cell(text))
    lost(sub)
    _, cell = graded(sub)
    assert cell.source == SOURCE.stubs[WRITTEN]


def test_an_untouched_notebook_has_no_answer_and_no_work():
    sub = none()
    assert graded(sub)[1].source == SOURCE.stubs[WRITTEN]
    assert not restore.is_worked_in(restore.read(nbformat.writes(sub.nb).encode()), SOURCE)
    lost(sub)
    assert graded(sub)[1].source == SOURCE.stubs[WRITTEN]


def test_a_neighbour_that_is_the_course_s_own_is_no_answer():
    sub = none()
    sub.delete(WRITTEN)
    assert graded(sub)[1].source == SOURCE.stubs[WRITTEN]


def test_pictures_stay_pasted_as_data_and_attached_under_any_name():
    sub = none()
    names = {
        "a.png": "a.png",
        "my pic.png": "my%20pic.png",
        "image (1).png": "image%20(1).png",
        "Bild ü.png": "Bild%20%C3%BC.png",
    }
    links = "\n".join(f"![p](attachment:{name})" for name in names.values())
    sub[WRITTEN].source = f"{ANSWER}\n![x](data:image/png;base64,{PNG})\n![y](<attachment:my pic.png>)\n{links}"
    sub[WRITTEN].attachments = nbformat.from_dict({name: {"image/png": PNG} for name in names})
    nb, cell = graded(sub)
    html = pages.page(Page(nbformat.writes(nb), LESSON, (0, 20, None), {}, {}))
    assert html.count(PNG) == len(names) + 2 and "\u200b" not in cell.source
    assert "missing attachment" not in html


@pytest.mark.parametrize(
    "link",
    [
        "data:text/html;base64,PHNjcmlwdD4=",
        "data:image/svg+xml;base64,PHN2Zz4=",
        "data:image/png;base64,AAAA,<b>",
        "attachment:gone.png",
        "javascript:alert(1)",
    ],
)
def test_other_links_do_not_work(link):
    assert f"](\u200b{link[:4]}" in restore.harmless(f"![x]({link})").replace("java\u200bscript", "javascript")


def test_an_attachment_s_name_that_is_no_text_is_given_another():
    sub = none()
    sub[WRITTEN].attachments = nbformat.from_dict({"\udcff.png": {"image/png": PNG}})
    nb = restore.read(nbformat.writes(sub.nb).encode(errors="surrogatepass").replace(b"\xed\xb3\xbf", b"\\udcff"))
    restore.restore(nb, SOURCE)
    assert nbformat.writes(nb).encode() and [list(c.attachments) for c in nb.cells if "attachments" in c] == [
        ["picture-0.png"]
    ]


def test_a_notebook_in_windows_1252_is_read():
    sub = none()
    sub[WRITTEN].source = "Ein schmales Ding geht über Stufen verloren – „Speichen“."
    text = nbformat.writes(sub.nb)
    nb = restore.read(text.replace("→", "-").encode("cp1252", errors="ignore"))
    assert any(cell.source == sub[WRITTEN].source for cell in nb.cells)


def test_an_ungraded_answer_waits_and_the_page_names_student_lesson_file_and_parts():
    sub = none()
    typed(sub)
    nb, _ = graded(sub)
    check = "check_conv_out_size"
    cells = {WRITTEN: (0.0, 2.0), check: (0.0, 2.0)}
    html = pages.page(Page(nbformat.writes(nb), LESSON, (0, 20, None), cells, {}, (WRITTEN,), "anna", "my <b>.ipynb"))
    assert "Score: waits for a person / 2.0" in html and html.count("waits for a person") == 2
    assert f"<title>{LESSON} · anna · my &lt;b&gt;.ipynb</title>" in html
    assert f'<a href="#{check}">conv_out_size</a>' in html and "Test cell" not in html
    assert f'<a href="#{WRITTEN}">{WRITTEN}</a>' in html and "Check of <code>conv_out_size</code>" in html
