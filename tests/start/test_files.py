"""Files that are written whole or not at all."""

import pytest

from course_lib.start.files import write_whole, written


@pytest.mark.parametrize(
    "content", [b"\xc3\xa9", "é", lambda file: file.write(b"\xc3\xa9")], ids=["bytes", "text", "writer"]
)
def test_a_file_is_written_with_its_folders_and_nothing_beside_it(tmp_path, content):
    path = tmp_path / "a" / "b.txt"
    write_whole(path, content)
    write_whole(path, content)
    assert path.read_bytes() == b"\xc3\xa9" and list(path.parent.iterdir()) == [path]


def test_who_is_stopped_half_way_leaves_the_old_file(tmp_path):
    path = tmp_path / "b.txt"
    write_whole(path, "old")

    def stopped(file):
        file.write(b"ne")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(path, stopped)
    assert path.read_text() == "old"
    write_whole(path, "new")
    assert list(tmp_path.iterdir()) == [path] and path.read_text() == "new"


def test_a_name_is_shown_as_text_whatever_is_in_it():
    assert written("é \x1b[2J\ud800\n\u202e") == "é \\x1b[2J\\ud800\\n\\u202e"
    assert len(written("x" * 30_000)) < 310
