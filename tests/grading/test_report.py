"""The class report and the pages of ours: what stands in them, and that nothing of a student's is taken for markup."""

import csv
import io
import tomllib
from dataclasses import replace

from course_lib.checks.verdict import NOT_ATTEMPTED, NOT_YET, PASSED
from course_lib.grading import pages, report
from course_lib.grading.ledger import Job, Ledger, Record
from course_lib.grading.records import Graded, Part
from tests.support.course import ROOT

LESSON = "02_encoder_decoder"
ODD = "<b>\"Ann\" & 'Bo'</b>"


def entry(points, *parts):
    return {"points": points, "most": 2.0, "parts": [Part(*part) for part in parts], "reason": ""}


def records():
    """Four students: one has all, one a part and an odd name, one no grade, one nothing and no sandbox."""
    wrong = "This forgets `x` & *y*. For 3 expected 4."
    graded = {
        "anna": Graded(LESSON, checks={"check_f": entry(2.0, ("one", 1, PASSED, ""), ("two", 1, PASSED, ""))}),
        ODD: Graded(LESSON, checks={"check_f": entry(1.0, ("one", 1, PASSED, ""), ("two", 1, NOT_YET, wrong))}),
        "carl": Graded(LESSON, unreadable="This <file> is empty."),
        "dora": Graded(LESSON, checks={"check_f": entry(0.0, ("one", 2, NOT_ATTEMPTED, ""))}, safe=False),
    }
    return [Record("key", True, student, "", found) for student, found in graded.items()]


def test_a_record_is_read_as_it_was_written(tmp_path):
    ledger, job = Ledger(tmp_path), Job("anna", LESSON, tmp_path, note="newest")
    assert ledger.read(job) is None and ledger.records(LESSON) == []
    graded = replace(records()[1].graded, notebook="{}")
    ledger.write(job, "key", graded, booked=False)
    assert ledger.graded(job).read_text() == "{}" and ledger.has(job, "key") and not ledger.has(job, "other")
    assert ledger.read(job) == Record("key", False, "anna", "newest", records()[1].graded)
    ledger.record(job).write_text('{"key": "key"}')
    assert ledger.read(job) is None and not ledger.has(job, "key")


def test_the_page_has_everybody_and_no_markup_of_theirs():
    text = report.page(LESSON, records(), {}, {"zoe": "no <answer>"}, [("a&b", "is no notebook")])
    assert "5 submissions, 3 with grades." in text and "<b>without a sandbox</b>" in text
    assert "&lt;b&gt;&#34;Ann&#34; &amp; &#39;Bo&#39;&lt;/b&gt;" in text and '<b>"Ann' not in text
    assert "<b>carl</b>: no grade. This &lt;file&gt; is empty." in text
    assert "through no fault of the submission (no &lt;answer&gt;)" in text and "<code>a&amp;b</code>" in text
    assert "This forgets <code>x</code> &amp; <em>y</em>." in text and "Median 1 of 2; 0 to 2." in text


def test_a_class_of_nobody_has_a_page():
    text = report.page(LESSON, [], {}, {}, [])
    assert "0 submissions, 0 with grades." in text and "Nothing." in text and "Median" not in text


def test_a_file_whose_name_is_no_text_is_named_all_the_same():
    text = report.page(LESSON, [], {}, {}, [("a/\udcff.txt", "is no notebook")])
    assert "<code>a/?.txt</code> is no notebook." in text and text.encode()


def test_the_table_has_a_column_for_each_part():
    rows = list(csv.reader(io.StringIO(report.table(LESSON, records(), {}, {"zoe": "why"}))))
    assert rows[0][5:8] == ["check_f", "check_f: one", "check_f: two"] and {len(row) for row in rows} == {12}
    assert [row[5:8] for row in rows[1:]] == [["2", "1", "1"], ["1", "1", "0"], [""] * 3, ["0", "0", "0"], [""] * 3]


def test_a_refusal_says_why_and_runs_nothing():
    assert "<p>It&#39;s &lt;empty&gt;.</p>" in pages.refusal(LESSON, "It's <empty>.")


def test_the_package_ships_its_templates():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert project["tool"]["setuptools"]["package-data"]["course_lib.grading"] == ["templates/*"]
    assert any(line.startswith("jinja2") for line in project["project"]["optional-dependencies"]["instructor"])
