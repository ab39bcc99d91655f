"""Whose a file is, and grades back into the platform's own sheet: real forms of Moodle's and Canvas' files."""

import csv
import io
import zipfile
from datetime import datetime

import pytest

from course_lib.grading import back, batch, collect, names, sheets
from course_lib.grading.ledger import Job, Ledger, Record
from course_lib.grading.records import Graded

LESSONS = ["02_encoder_decoder", "03_fcn"]
L2, L3 = LESSONS
ROSTER = [
    ("ali1", "Anna", "Li", "ali1@x.edu"),
    ("bya1", "Bo", "Yang", "bo.yang@x.edu"),
    ("mju1", "Jürgen", "Müller", "jm@x.edu"),
    ("ona2", "Seán", "O'Neill, Jr.", "sean@x.edu"),
    ("kl1", "Kim", "Lee", "kim.lee@x.edu"),
    ("kl2", "Kim", "Lee", "kim.lee2@x.edu"),
]


def archive(path, members):
    with zipfile.ZipFile(path, "w") as made:
        for name in members:
            made.writestr(name, name)
    return path


def owners(path, students=ROSTER, **more):
    """{(student, lesson): the file's path below the zip} and {student: why a person must look}."""
    handed, left = collect.collect([path], LESSONS, students, **more)
    assert left == []
    unclear = {h.student: h.unclear for h in handed if h.unclear}
    return {(h.student, h.lesson): h.file.read().decode() for h in handed}, unclear


def moodle(head, *rows, delimiter=",", newline="\r\n"):
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=newline).writerows([head, *rows])
    return out.getvalue()


HEAD = ["Identifier", "Full name", "Email address", "Status", "Grade", "Maximum Grade", "Grade can be changed"]
HEAD += ["Last modified (submission)", "Last modified (grade)", "Feedback comments"]
KOPF = [
    "ID",
    "Vollständiger Name",
    "E-Mail-Adresse",
    "Status",
    "Bewertung",
    "Bestwertung",
    "Bewertung kann geändert werden",
]
KOPF += ["Zuletzt geändert (Abgabe)", "Zuletzt geändert (Bewertung)", "Feedback als Kommentar"]


def english(number, name, mail, grade="", most="20.00", when="Monday, 2 November 2026, 11:20 PM"):
    return [
        f"Participant {number}",
        name,
        mail,
        "Submitted for grading",
        grade,
        most,
        "Yes",
        when,
        "-",
        'Said: "well, well"',
    ]


# --- names --------------------------------------------------------------------------------------------------


def test_ten_files_of_two_platforms_are_whose_they_are(tmp_path):
    files = {
        f"Anna Li_4821_assignsubmission_file_/{L2}.ipynb": "ali1",
        f"Group 1-Bo Yang_4822_assignsubmission_file/{L2} (2).ipynb": "bya1",
        f"Müller Jürgen_4823_assignsubmission_file_{L2} - Kopie.ipynb": "mju1",
        f"Seán O'Neill, Jr._4824_assignsubmission_file_/sub/copy of {L2}.ipynb": "ona2",
        f"Teilnehmerin_4830_assignsubmission_file_/{L2}.ipynb": "Teilnehmerin_4830",
        f"ali1_4831_assignsubmission_file_/{L2}.ipynb": "ali1_4831",  # a display name that is another's id
    }
    found, unclear = owners(archive(tmp_path / "moodle.zip", files))
    assert found == {(student, L2): name for name, student in files.items()}
    assert unclear == {"ali1_4831": "ali1 is the id of Anna Li"}
    files = {
        f"lianna_1201_55501_{L3}.ipynb": "ali1",
        f"yangbo_LATE_1202_55502_{L3}-1.ipynb": "bya1",
        f"müllerjürgen_1203_55503_Copy of {L3}.ipynb": "mju1",
        f"oneill_jrseán_12044_55504_{L3}.ipynb": "ona2",
        f"LATE_anon_x7Qz2_55505_{L3}.ipynb": "anonymous_anon_x7Qz2",
    }
    found, unclear = owners(archive(tmp_path / "canvas.zip", files))
    assert found == {(student, L3): name for name, student in files.items()} and unclear == {}


def test_two_accounts_of_one_name_are_two_students_and_stay_so(tmp_path):
    both = [f"Anna Li_{n}_assignsubmission_file_/{L2}.ipynb" for n in (4821, 4999)]
    found, unclear = owners(archive(tmp_path / "a.zip", both))
    assert found.keys() == {("Anna_Li_4821", L2), ("Anna_Li_4999", L2)} and unclear.keys() == {s for s, _ in found}
    before = {(L2, f"moodle {n}"): (f"Anna_Li_{n}", "Anna Li") for n in (4821, 4999)}
    known = [*ROSTER, ("Anna_Li_4821", None, None, None), ("Anna_Li_4999", None, None, None)]
    again, unclear = owners(archive(tmp_path / "b.zip", both[1:]), known, before=before)
    assert again.keys() == {("Anna_Li_4999", L2)} and unclear
    # Moodle numbers anew in the next lesson: nobody can say which of the two this is
    next_one, unclear = owners(archive(tmp_path / "c.zip", [f"Anna Li_7001_assignsubmission_file_/{L3}.ipynb"]), known)
    assert next_one.keys() == {("Anna_Li_7001", L3)} and unclear
    # who was alone when the first was graded keeps the id
    second, unclear = owners(
        archive(tmp_path / "d.zip", both), [], before={(L2, "moodle 4821"): ("Anna_Li", "Anna Li")}
    )
    assert second.keys() == {("Anna_Li", L2), ("Anna_Li_4999", L2)} and len(unclear) == 2
    # another course's Moodle may use the number of one who is graded
    third, _ = owners(archive(tmp_path / "f.zip", [f"Eve_4821_assignsubmission_file_/{L2}.ipynb"]), [], before=before)
    assert third.keys() == {("Eve", L2)}
    canvas = [f"leekim_{n}_55501_{L2}.ipynb" for n in (1201, 1202)]
    found, unclear = owners(archive(tmp_path / "e.zip", canvas), ROSTER[:1] + [("leek", "Kim", "Lee", None)])
    assert found.keys() == {("leekim_1201", L2), ("leekim_1202", L2)} and len(unclear) == 2


def test_the_sheet_s_addresses_tell_two_of_one_name_apart(tmp_path):
    both = [f"Kim Lee_{n}_assignsubmission_file_/{L2}.ipynb" for n in (4825, 4826)]
    rows = {"moodle 4825": ("Kim Lee", ["kim.lee2@x.edu"]), "moodle 4826": ("Kim Lee", ["kim.lee@x.edu"])}
    found, unclear = owners(archive(tmp_path / "a.zip", both), rows=rows)
    assert found == {("kl2", L2): both[0], ("kl1", L2): both[1]} and unclear == {}
    rows = {"canvas 1201": ("Lee, Kim", ["4711", "kim.lee2"]), "canvas 1202": ("Lee, Kim", ["kl1"])}
    both = [f"leekim_{n}_55501_{L2}.ipynb" for n in (1201, 1202)]
    found, unclear = owners(archive(tmp_path / "b.zip", both), rows=rows)
    assert found == {("kl2", L2): both[0], ("kl1", L2): both[1]} and unclear == {}
    # an address of one's own that begins with another's id is not that other one
    assert names.Roster(ROSTER).signed(["ali1@evil.example"]) == set()


def test_a_folder_of_a_name_that_two_have_needs_a_person(tmp_path):
    _, unclear = owners(archive(tmp_path / "a.zip", [f"Kim Lee - {L2}.ipynb"]))
    assert unclear == {"Kim_Lee": "the gradebook knows several students of this name: kl1, kl2"}


@pytest.mark.parametrize(
    "stem, number",
    [
        (f"{L2}-Copy1", 1),
        (f"{L2} (3)", 3),
        (f"{L2} - Kopie", 1),
        (f"{L2} - Kopie (2)", 2),
        (f"{L2} copy 2", 2),
        (f"Copy of {L2}", 1),
        (f"Kopie von {L2}", 1),
        (f"{L2}-2", 2),
        (L2, 0),
    ],
)
def test_a_copy_s_name_is_its_original_s(stem, number):
    assert names.original(stem, LESSONS) == (L2, number)


def test_names_with_numbers_are_no_copies(tmp_path):
    found, _ = owners(archive(tmp_path / "a.zip", ["student-11.ipynb", "student-12.ipynb"]))
    assert {student for student, _ in found} == {"student-11", "student-12"}


def test_work_beats_an_untouched_original(tmp_path):
    files = [f"anna/{L2}.ipynb", f"anna/{L2}-Copy1.ipynb", f"bo/{L2} (1).ipynb", f"bo/{L2}.ipynb"]
    path = archive(tmp_path / "a.zip", files)

    def worked(file, lesson):
        return file.read().decode() in files[1:3]

    handed, left = collect.collect([path], LESSONS, worked=worked)
    assert [h.file.read().decode() for h in handed] == files[1:3]
    assert [why for _, why in left] == [f"holds no work, and another notebook of {who} does" for who in ("anna", "bo")]


def test_two_notebooks_whose_content_tells_different_lessons_are_both_kept(tmp_path):
    path = archive(tmp_path / "a.zip", ["anna/first.ipynb", "anna/second.ipynb"])
    told = {b"anna/first.ipynb": L2, b"anna/second.ipynb": L3}
    handed, left = collect.collect([path], LESSONS, tell=lambda file, lesson: (told[file.read()], ""))
    assert [(h.student, h.lesson) for h in handed] == [("anna", L2), ("anna", L3)] and left == []


def test_odd_endings_and_hidden_files_are_read(tmp_path):
    files = [f"anna/{L2}.ipynb.json", f"bo/{L2}.ipynb.txt", f"carl/.{L2}.ipynb", f"dora/.work/{L2}.ipynb"]
    files += [f"eve/.ipynb_checkpoints/{L2}.ipynb", f"eve/._{L2}.ipynb", "eve/.DS_Store", "eve/.config/settings"]
    for folder in (tmp_path / "plain", tmp_path / "zipped"):
        folder.mkdir()
    archive(tmp_path / "zipped/a.zip", files)
    for name in files:
        path = tmp_path / "plain" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    for folder in ("plain", "zipped/a.zip"):
        found, _ = owners(tmp_path / folder, [])
        assert {student for student, _ in found} == {"anna", "bo", "carl", "dora"}


def test_a_mac_s_zip_keeps_umlauts_and_a_long_name_is_a_file_s_name(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as made:
        entry = zipfile.ZipInfo("x")
        made.writestr(entry, "")
        made.writestr(f"Jürgen Müller/{L2}.ipynb", "")
    data = path.read_bytes()  # as if nobody had said that it is UTF-8
    path.write_bytes(data.replace(b"\x00\x08\x00\x00", b"\x00\x00\x00\x00"))
    assert collect.collect([path], LESSONS, ROSTER)[0][0].student == "mju1"
    assert len(names.tidy("𝔸" * 90, "_4821").encode()) <= 200 and names.tidy("𝔸" * 90, "_4821").endswith("_4821")


# --- when ---------------------------------------------------------------------------------------------------


def test_a_time_comes_from_nbgrader_s_own_tree_and_never_out_of_a_student_s_zip(tmp_path):
    stamp = "2026-03-01 12:00:00 UTC"
    for folder in (f"tree/anna/{L2}", f"moodle/Bo Li_7_assignsubmission_file_/{L2}"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / f"{L2}.ipynb").write_text("")
        (tmp_path / folder / "timestamp.txt").write_text(stamp)
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as made:
        made.writestr(f"eve/{L2}/{L2}.ipynb", "")
        made.writestr(f"eve/{L2}/timestamp.txt", stamp)
    (tmp_path / "tree/eve.zip").write_bytes(inner.getvalue())
    handed, _ = collect.collect([tmp_path / "tree", tmp_path / "moodle"], LESSONS)
    assert {h.student: h.when and str(h.when) for h in handed} == {
        "anna": "2026-03-01 12:00:00",
        "Bo_Li": None,
        "eve": None,
    }


@pytest.mark.parametrize(
    "text",
    [
        "Monday, 2 November 2026, 11:20 PM",
        "Monday, November 2, 2026, 11:20 PM",
        "Montag, 2. November 2026, 23:20",
        "lundi 2 novembre 2026, 23:20",
        "lunes, 2 de noviembre de 2026, 23:20",
        "poniedziałek, 2 listopada 2026, 23:20",
        "pondělí, 2. listopadu 2026, 23:20",
        "2026年11月2日(月曜日) 23:20",
        "2026-11-02 23:20",
    ],
)
def test_moodle_s_times_are_read_in_many_languages(text):
    assert sheets.moment(text) == datetime(2026, 11, 2, 23, 20)


def test_what_is_no_time_is_none():
    assert [sheets.moment(text) for text in ("-", "", "11/02/26, 23:20", "soon", "2026-13-45 11:20")] == [None] * 5


# --- sheets -------------------------------------------------------------------------------------------------


def scores(**points):
    return {
        who: {"score": p, "most": 20, "late": None, "manual": [], "cells": {}, "comments": {}}
        for who, p in points.items()
    }


def give(tmp_path, monkeypatch, text, found, records, encoding="utf-8", name="Grades.csv", now=(L2,)):
    """What comes back for a sheet: its bytes, the zip's names, what was said."""

    class Book:
        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

    monkeypatch.setattr(back.book, "opened", lambda url: Book())
    monkeypatch.setattr(back.book, "students", lambda gradebook: ROSTER)
    monkeypatch.setattr(back.book, "scores", lambda gradebook, lesson: found.get(lesson, {}))
    ledger, said = Ledger(tmp_path), []
    for lesson, student, account, called in records:
        job = Job(student, lesson, tmp_path, account=account, called=called)
        ledger.write(job, "key", Graded(lesson), booked=True)
        ledger.page(job).parent.mkdir(parents=True)
        ledger.page(job).write_text(student)
    given = tmp_path / name
    given.write_bytes(text.encode(encoding))
    rest, known, left = batch.sheets_among([str(given), "other"])
    assert rest == ["other"] and left == []
    written = back.give(ledger, known, LESSONS, list(now), "", said.append)
    assert given.read_bytes() == text.encode(encoding)
    pages = {}
    for path in written[:-1]:
        with zipfile.ZipFile(path) as made:
            pages |= {name: made.read(name).decode() for name in made.namelist()}
    return written[-1].read_bytes(), pages, said


def test_moodle_s_worksheet_comes_back_with_the_grades_and_nothing_else_changed(tmp_path, monkeypatch):
    people = [
        ("4821", "Jürgen Müller", "jm@x.edu"),
        ("4822", "O'Neill, Jr., Seán", "sean@x.edu"),
        ("4823", "Bo Yang", "-"),
    ]
    text = "\ufeff" + moodle(HEAD, *(english(*one) for one in people))
    records = [(L2, "mju1", "moodle 4821", "Jürgen Müller"), (L2, "ona2", "moodle 4822", "O'Neill, Jr., Seán")]
    data, pages, said = give(tmp_path, monkeypatch, text, {L2: scores(mju1=17.5, ona2=0)}, records)
    want = "\ufeff" + moodle(HEAD, *(english(*one, grade) for one, grade in zip(people, ("17.5", "0", ""))))
    assert data == want.encode()
    assert pages == {
        f"Jürgen Müller_4821_assignsubmission_file_/{L2}.html": "mju1",
        f"O'Neill, Jr., Seán_4822_assignsubmission_file_/{L2}.html": "ona2",
    }
    assert said == [f"Grades.csv, {L2}: 2 grades filled in."]


def test_a_german_worksheet_in_windows_1252_with_another_maximum(tmp_path, monkeypatch):
    rows = [
        [
            f"Teilnehmer/in {n}",
            name,
            mail,
            "Zur Bewertung abgegeben",
            "",
            "100,00",
            "Ja",
            "Montag, 2. November 2026, 23:20",
            "-",
            "",
        ]
        for n, name, mail in ((4821, "Jürgen Müller", "jm@x.edu"), (4822, "Anna Li", "ali1@x.edu"))
    ]
    text = moodle(KOPF, *rows, delimiter=";")
    records = [(L2, "mju1", "moodle 4821", "Jürgen Müller")]
    data, _, said = give(tmp_path, monkeypatch, text, {L2: scores(mju1=17.5)}, records, "cp1252")
    rows[0][4] = "87,5"
    assert data == moodle(KOPF, *rows, delimiter=";").encode("cp1252")
    assert "scaled from 20 to the platform's 100 points" in said[0]
    sheet = sheets.read(tmp_path / "Grades.csv")
    assert sheet.times() == ({f"moodle {n}": datetime(2026, 11, 2, 23, 20) for n in (4821, 4822)}, 0)


def test_a_blind_worksheet_knows_numbers_alone(tmp_path, monkeypatch):
    head = [HEAD[0], *HEAD[3:]]
    rows = [[one[0], *one[3:]] for one in (english(n, "", "") for n in (4821, 4822))]
    records = [(L2, "Participant_4822", "moodle 4822", "Participant")]
    data, pages, _ = give(tmp_path, monkeypatch, moodle(head, *rows), {L2: scores(Participant_4822=12)}, records)
    rows[1][2] = "12"
    assert data == moodle(head, *rows).encode()
    assert list(pages) == [f"Participant_4822_assignsubmission_file_/{L2}.html"]


def test_canvas_export_comes_back_with_each_lesson_in_its_column(tmp_path, monkeypatch):
    head = [
        "Student",
        "ID",
        "SIS User ID",
        "SIS Login ID",
        "Section",
        "02 Encoder, decoder (901)",
        "Essay (902)",
        "FCN (903)",
    ]
    head += ["Current Score", "Final Score"]
    rows = [
        ["", "", "", "", "", "Manual Posting", "", "", "", ""],
        ["    Points Possible", "", "", "", "", "20.00", "10.00", "20.00", "(read only)", "(read only)"],
        ["Müller, Jürgen", "1203", "s3", "mju1", "Group A and Group B", "", "7.00", "N/A", "70.00", "35.00"],
        ["Li, Anna", "1201", "s1", "ali1@x.edu", "Group A", "", "", "", "", ""],
        ["Yang, Bo", "1202", "s2", "bya1", "Group A", "EX", "", "3.00", "", ""],
        ["Student, Test", "1299", "", "abc123", "Group A", "", "", "", "", ""],
    ]
    records = [
        (L2, "mju1", "canvas 1203", "müllerjürgen"),
        (L2, "ali1", "", "Anna Li"),
        (L3, "mju1", "canvas 1203", "x"),
    ]
    found = {L2: scores(mju1=19.25, ali1=3), L3: scores(mju1=8)}
    data, pages, said = give(tmp_path, monkeypatch, moodle(head, *rows, newline="\n"), found, records)
    rows[2][5], rows[2][7], rows[3][5] = "19.25", "8", "3"
    assert data == moodle(head, *rows, newline="\n").encode() and pages == {}
    assert said == [f"Grades.csv, {L2}: 2 grades filled in.", f"Grades.csv, {L3}: 1 grades filled in."]


def test_who_waits_for_a_person_is_named(tmp_path, monkeypatch):
    found = scores(ali1=18)
    found["ali1"]["manual"] = ["spokes"]
    text = moodle(HEAD, english(4821, "Anna Li", "ali1@x.edu"))
    _, _, said = give(tmp_path, monkeypatch, text, {L2: found}, [(L2, "ali1", "moodle 4821", "Anna Li")])
    assert said == [f"Grades.csv, {L2}: 1 grades filled in. Not final, as a written answer waits for a person: ali1."]


def test_a_table_that_is_no_platform_s_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("id,first_name,last_name,email\nali1,Anna,Li,ali1@x.edu\n")
    _, found, left = batch.sheets_among([str(tmp_path / "a.csv")])
    assert found == [] and "neither Moodle's offline grading worksheet nor Canvas' gradebook export" in left[0][1]


def test_a_record_of_before_is_still_read():
    assert Record("key", True, "anna", "", Graded(L2)).moment() is None
