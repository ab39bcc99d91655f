"""From files to students: what the platforms hand out, and what nobody should hand in."""

import io
import os
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
