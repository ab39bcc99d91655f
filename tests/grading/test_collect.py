"""From files to students: what the platforms hand out, and what nobody should hand in."""

import io
import os
import tracemalloc
import zipfile

import pytest

from course_lib.grading import collect

LESSONS = ["02_encoder_decoder", "03_fcn"]
L2, L3 = LESSONS
ANNA, BO = "Anna Müller", "Bo Li"


def archive(path, members):
    """A zip of {name: text}; a name may be given with a date."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in members.items():
            name, date = name if isinstance(name, tuple) else (name, (2026, 3, 1, 12, 0, 0))
            made.writestr(zipfile.ZipInfo(name, date), text)
    return path


def found(*paths, students=()):
    """({(student, lesson): bytes}, {name: reason}) for these paths."""
    handed, left = collect.collect(paths, LESSONS, students)
    return {(h.student, h.lesson): h.file.read().decode() for h in handed}, {
        os.path.basename(name): reason for name, reason in left
    }


def write(folder, names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return folder


def test_nbgrader_s_tree_and_every_part_of_it(tmp_path):
    root = write(
        tmp_path / "submitted",
        [f"anna/{L2}/{L2}.ipynb", f"bo/{L2}/my work.ipynb", f"bo/{L3}/{L3}.ipynb", f"bo/{L3}/timestamp.txt"],
    )
    whole = {
        ("anna", L2): f"anna/{L2}/{L2}.ipynb",
        ("bo", L2): f"bo/{L2}/my work.ipynb",
        ("bo", L3): f"bo/{L3}/{L3}.ipynb",
    }
    assert found(root) == (whole, {})
    assert found(root / "bo")[0].keys() == {("bo", L2), ("bo", L3)}
    assert found(root / "bo" / L3)[0].keys() == found(root / "bo" / L3 / f"{L3}.ipynb")[0].keys() == {("bo", L3)}


@pytest.mark.parametrize(
    "names",
    [
        [f"{ANNA}_4821_assignsubmission_file_/{L2}.ipynb", f"{BO}_4822_assignsubmission_file_/{L2}.ipynb"],
        [f"{ANNA}_4821_assignsubmission_file/{L2}.ipynb", f"{BO}_4822_assignsubmission_file/sub/{L2} (1).ipynb"],
        [f"{ANNA}_4821_assignsubmission_file_{L2}.ipynb", f"{BO}_4822_assignsubmission_file_{L2}.ipynb"],
        [f"{ANNA} - {L2}.ipynb", f"Copy of {L2} - {BO}.ipynb"],
        [f"{ANNA}/{L2}.ipynb", f"{BO}/{L2}(2).ipynb"],
    ],
    ids=["Moodle, folders", "Moodle 4, folders", "Moodle, files", "Classroom", "folders"],
)
def test_moodle_and_classroom_as_folder_and_as_zip(names, tmp_path):
    want = {("Anna_Müller", L2): names[0], ("Bo_Li", L2): names[1]}
    assert found(write(tmp_path / "given", names)) == (want, {})
    assert found(archive(tmp_path / "hand ins.zip", {name: name for name in names})) == (want, {})


def test_canvas_and_its_late_and_renamed_files(tmp_path):
    names = [f"mulleranna_1201_55501_{L2}.ipynb", f"libo_LATE_1202_55502_{L2}-1.ipynb"]
    path = archive(tmp_path / "submissions.zip", {name: name for name in names})
    assert found(path) == ({("mulleranna_1201", L2): names[0], ("libo_1202", L2): names[1]}, {})


def test_known_students_keep_their_ids(tmp_path):
    known = [
        ("am12", "Anna", "Müller", "anna@example.org"),
        ("bl7", "Bo", "Li", None),
        ("x1", "Kim", "Lee", None),
        ("x2", "Kim", "Lee", None),
    ]
    names = [
        f"muller anna_4821_assignsubmission_file_/{L2}.ipynb",
        f"Bo Li - {L3}.ipynb",
        f"anna/{L3}.ipynb",
        f"Kim Lee - {L3}.ipynb",
    ]
    assert found(write(tmp_path, names), students=known)[0].keys() == {
        ("am12", L2),
        ("bl7", L3),
        ("am12", L3),
        ("Kim_Lee", L3),
    }


def test_the_newest_of_several_counts_and_zips_lie_in_zips(tmp_path):
    inner = io.BytesIO()
    archive(inner, {(f"{L2}.ipynb", (2026, 3, 3, 9, 0, 0)): "third"})
    path = archive(
        tmp_path / "a.zip",
        {
            (f"{BO}/{L2}.ipynb", (2026, 3, 1, 9, 0, 0)): "first",
            (f"{BO}/{L2}-2.ipynb", (2026, 3, 2, 9, 0, 0)): "second",
            f"{BO}/mine.zip": inner.getvalue(),
        },
    )
    handed, left = collect.collect([path], LESSONS)
    assert [h.file.read() for h in handed] == [b"third"] and handed[0].note and handed[0].file.dated
    assert len(left) == 2 and all("is older than another notebook of Bo_Li" in reason for _, reason in left)


def test_what_names_nobody_or_is_no_notebook_is_said(tmp_path):
    write(
        tmp_path,
        [f"{L2}.ipynb", "essay.docx", "anna.ipynb", ".DS_Store", ".ipynb_checkpoints/x.ipynb", "__MACOSX/y.ipynb"],
    )
    handed, left = found(tmp_path)
    assert handed == {("anna", None): "anna.ipynb"}
    assert left == {
        f"{L2}.ipynb": "names no student: put it into a folder of the student's name, or call it 'NAME - LESSON.ipynb'",
        "essay.docx": "is no notebook",
    }
    assert found(tmp_path / "gone") == ({}, {"gone": "does not exist"})


def test_tricks_in_names_lead_nowhere(tmp_path):
    for name in (
        "../../../etc/cron.d/x",
        "/etc/passwd",
        "..",
        ".hidden",
        "a/b\\c",
        "<script>alert(1)</script>",
        "x" * 500,
        "'; DROP TABLE student; --",
        "+1",
        "-rf",
    ):
        safe = collect.tidy(name)
        assert (
            "/" not in safe
            and "\\" not in safe
            and "+" not in safe
            and not safe.startswith((".", "-"))
            and len(safe) <= 80
        )
    path = archive(
        tmp_path / "evil.zip",
        {f"../../{BO}/{L2}.ipynb": "a", f"/root/{L3}/../../{L3}.ipynb": "b", f"C:\\{ANNA}\\{L2}.ipynb": "c"},
    )
    handed, _ = found(path)
    assert all("/" not in student and ".." not in student for student, _ in handed)
    assert not (tmp_path.parent / BO).exists() and sorted(p.name for p in tmp_path.iterdir()) == ["evil.zip"]


def test_links_locks_bombs_and_rubbish_are_left_out(tmp_path, monkeypatch):
    secret = tmp_path / "secret.ipynb"
    secret.write_text("secret")
    folder = tmp_path / "given" / "eve"
    folder.mkdir(parents=True)
    (folder / f"{L2}.ipynb").symlink_to(secret)
    (tmp_path / "given" / "other").symlink_to(tmp_path)
    handed, left = found(tmp_path / "given")
    assert handed == {} and left == {f"{L2}.ipynb": "is a link or no ordinary file, and is not followed"}

    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        link = zipfile.ZipInfo(f"eve/{L2}.ipynb")
        link.external_attr = 0o120777 << 16
        made.writestr(link, "/etc/passwd")
        made.writestr(f"bomb/{L2}.ipynb", b"0" * 3_000_000)
        made.writestr(f"fine/{L2}.ipynb", "fine")
    monkeypatch.setattr(collect, "MOST_BYTES", 2_000_000)
    handed, left = collect.collect([path], LESSONS)
    assert [(h.student, h.file.read()) for h in handed] == [("fine", b"fine")]
    assert sorted(reason for _, reason in left) == ["has 3 MB; at most 2 MB are read", "is a link, and is not followed"]

    path.write_bytes(path.read_bytes()[:200])
    assert "is no zip that can be read" in found(path)[1]["b.zip"]
    data = bytearray(archive(tmp_path / "c.zip", {f"eve/{L2}.ipynb": "x" * 5000}).read_bytes())
    data[60:70] = b"\0" * 10
    (tmp_path / "c.zip").write_bytes(data)
    assert "can't be read" in found(tmp_path / "c.zip")[1][f"{L2}.ipynb"]


# --- what takes too much ------------------------------------------------------------------------------------


def deflated(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members:
            made.writestr(name, content)
    return out.getvalue()


HANDED = "_4821_assignsubmission_file_"


def test_zips_in_zips_are_limited_in_all_and_nobody_else_pays(tmp_path, monkeypatch):
    """Each member is small enough: together they are not. Whoever packed them loses them, and the class goes on."""
    monkeypatch.setattr(collect, "MOST_UNPACKED", 3_000_000)
    deep = deflated([(f"{n}.ipynb", bytes(1_000_000)) for n in range(3)])
    bomb = deflated([(f"{n}.zip", deep) for n in range(5)])
    path = tmp_path / "class.zip"
    path.write_bytes(
        deflated(
            [(f"Eve{HANDED}/a.zip", bomb)]
            + [(f"{who}{HANDED}/{L2}.ipynb", os.urandom(900_000)) for who in ("Bo", "Cy", "Di", "Flo")]
        )
    )
    tracemalloc.start()
    handed, left = collect.collect([path], LESSONS)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 500_000  # nothing that was unpacked
    assert {h.student for h in handed if h.lesson == L2} == {"Bo", "Cy", "Di", "Flo"}
    assert len([why for _, why in left if "unpacks to more than 3 MB with what lies beside it" in why]) == 12
    assert all(len(h.file.read()) == 900_000 for h in handed if h.lesson == L2)


def test_zips_in_zips_have_so_many_members_and_so_deep(tmp_path, monkeypatch):
    monkeypatch.setattr(collect, "MOST_INSIDE", 20)
    many = deflated([(f"{n}.zip", deflated([(f"{k}.txt", "x") for k in range(8)])) for n in range(6)])
    endless = deflated([("z.zip", deflated([("z.zip", deflated([("z.zip", deflated([("z.ipynb", "x")]))]))]))])
    path = tmp_path / "class.zip"
    path.write_bytes(
        deflated(
            [(f"Eve{HANDED}/a.zip", many), (f"Max{HANDED}/a.zip", endless), (f"Bo{HANDED}/{L2}.ipynb", "fine")]
            + [(f"More{n}{HANDED}/{L2}.ipynb", "fine") for n in range(30)]
        )
    )
    handed, left = collect.collect([path], LESSONS)
    reasons = [why for _, why in left]
    assert len(handed) == 31 and "lies in too many zips" in reasons
    assert len([why for why in reasons if "files; at most" in why]) == 5
    monkeypatch.setattr(collect, "MOST_INSIDE", 3)
    wide = deflated([("n" * 60_000 + str(n), "") for n in range(60)])
    path.write_bytes(deflated([(f"Eve{HANDED}/a.zip", wide), (f"Bo{HANDED}/{L2}.ipynb", "fine")]))
    handed, left = collect.collect([path], LESSONS)
    assert [h.student for h in handed] == ["Bo"] and "its list of files has 3 MB; at most 3 files" in left[0][1]


def test_names_of_thirty_thousand_letters_cost_nothing(tmp_path):
    path = tmp_path / "class.zip"
    names = ["/" * 30_000 + "a.ipynb", "a_1" * 10_000 + ".ipynb", "(1)" * 10_000 + ".ipynb", "b" * 60_000 + "/x.ipynb"]
    path.write_bytes(deflated([*((name, "x") for name in names), (f"Bo{HANDED}/{L2}.ipynb", "fine")]))
    handed, left = collect.collect([path], LESSONS)
    assert [h.student for h in handed] == ["Bo"]
    assert [why for _, why in left] == [f"holds a name of {len(name)} characters" for name in names]


@pytest.mark.parametrize("name", ["\U00010330" * 70, "\U00010330" * 62, "é" * 200, "x" * 81, "a\ud800b", "\udcff" * 90])
def test_a_name_that_no_file_system_takes_becomes_one_that_all_take(name, tmp_path):
    folder = collect.tidy(name)
    (tmp_path / f".{folder}.json.part").touch()  # the longest that is made of it
    assert len(folder.encode()) <= 80


def test_long_names_that_begin_alike_are_two_students():
    assert collect.tidy("\U00010330" * 70) != collect.tidy("\U00010330" * 71)
    assert collect.tidy("n" * 100 + "a") != collect.tidy("n" * 100 + "b")
