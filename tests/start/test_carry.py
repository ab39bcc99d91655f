"""Answers carried into a corrected lesson: nothing that a student made is lost, and nothing happens twice."""

import copy

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbgrader import utils

from course_lib.start import carry, lab
from course_lib.start.errors import Stop

STUB = "def f(n):\n    # YOUR CODE HERE\n    raise NotImplementedError"


def text(name, source, **more):
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": source, **more}


def code(name, source, **metadata):
    return {
        "cell_type": "code",
        "id": name,
        "metadata": metadata,
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def exercise(name, stub=STUB, kind="code", **mark):
    mark = {"grade_id": name, "solution": True, "grade": False, "locked": False, "schema_version": 3, **mark}
    cell = (
        code(f"id-{name}", stub, nbgrader=mark)
        if kind == "code"
        else text(f"id-{name}", stub, metadata={"nbgrader": mark})
    )
    mark["checksum"] = utils.compute_checksum(nbformat.from_dict(cell))
    return cell


def check(name, source="check.f(f)"):
    return code(
        f"id-{name}", source, nbgrader={"grade_id": name, "solution": False, "grade": True, "locked": True, "points": 3}
    )


def notebook(*cells):
    return {"cells": list(copy.deepcopy(cells)), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


OLD = notebook(
    text("intro", "# Lesson"), code("demo", "steps = 100", tags=["demo"]), exercise("one"), check("one-check"),
    text("middle", "Now the second."), exercise("two"), check("two-check"),
    exercise("why", "*Write your answer here.*", "markdown", grade=True, points=2),
)  # fmt: skip
NEW = copy.deepcopy(OLD)
NEW["cells"][0]["source"] = "# Lesson, corrected"
NEW["cells"][3]["source"] = "check.f(f, exact=True)"


def sources(cells):
    return [carry.source(cell) for cell in (cells["cells"] if isinstance(cells, dict) else cells)]


def with_cell(base, name, source):
    """A notebook in which the cell with this id has another source."""
    changed = copy.deepcopy(base)
    next(cell for cell in changed["cells"] if cell["id"] == name)["source"] = source
    return changed


@pytest.fixture(params=["the old release is kept", "it is lost"])
def old(request):
    return OLD if request.param == "the old release is kept" else None


def test_answers_code_and_text_go_into_the_new_version(old):
    mine = with_cell(with_cell(OLD, "id-one", "def f(n):\n    return n"), "id-why", "Because it *is*.")
    before = copy.deepcopy((mine, NEW, old))
    result, carried = carry.carry(mine, NEW, old)
    assert (mine, NEW, old) == before
    assert sources(result) == [
        "# Lesson, corrected", "steps = 100", "def f(n):\n    return n", "check.f(f, exact=True)",
        "Now the second.", STUB, "check.f(f)", "Because it *is*.",
    ]  # fmt: skip
    assert [cell["metadata"] for cell in result["cells"]] == [cell["metadata"] for cell in NEW["cells"]]
    assert carried == {"answers": 2, "cells": 0, "homeless": 0}


def test_an_untouched_stub_takes_the_new_stub(old):
    new = with_cell(NEW, "id-two", "def f(n, k):\n    # YOUR CODE HERE\n    raise NotImplementedError")
    result, carried = carry.carry(OLD, new, old)
    assert sources(result) == sources(new) and carried["answers"] == 0


def test_an_emptied_answer_comes_back_as_the_stub(old):
    result, _ = carry.carry(with_cell(OLD, "id-one", "  \n"), NEW, old)
    assert STUB == sources(result)[2]


def test_own_cells_keep_their_neighbour_their_order_and_their_outputs(old):
    mine = copy.deepcopy(OLD)
    run = {
        **code("mine-2", "f(3)"),
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "3"}],
        "execution_count": 4,
    }
    mine["cells"][3:3] = [text("mine-1", "my note"), run, code("blank", "")]
    mine["cells"].insert(0, text("top", "first of all"))
    mine["cells"].append(text("end", "last of all"))
    result, carried = carry.carry(mine, NEW, old)
    ids = [cell["id"] for cell in result["cells"]]
    assert ids == [
        "top",
        "intro",
        "demo",
        "id-one",
        "mine-1",
        "mine-2",
        "id-one-check",
        "middle",
        "id-two",
        "id-two-check",
        "id-why",
        "end",
    ]
    assert result["cells"][5] == run
    assert carried["cells"] == 4


def test_own_cells_go_with_the_nearest_neighbour_that_is_left(old):
    mine = copy.deepcopy(OLD)
    mine["cells"].insert(5, text("mine", "after the middle"))
    new = copy.deepcopy(NEW)
    del new["cells"][4]
    result, _ = carry.carry(mine, new, old)
    ids = [cell["id"] for cell in result["cells"]]
    assert ids[3:] == ["id-one-check", *(["middle"] if old is None else []), "mine", "id-two", "id-two-check", "id-why"]


def test_an_answer_whose_exercise_is_gone_is_kept_at_the_end(old):
    mine = with_cell(with_cell(OLD, "id-one", "mine 1"), "id-two", "mine 2")
    gone = notebook(*[cell for cell in NEW["cells"] if not cell["id"].startswith("id-one")])
    result, carried = carry.carry(mine, gone, old)
    assert sources(result)[-2:] == [carry.HEADING, "mine 1"]
    assert not carry._mark(result["cells"][-1]) and carried == {"answers": 1, "cells": 0, "homeless": 1}
    # the next correction takes away the other one: one heading serves both
    none = notebook(*[cell for cell in gone["cells"] if not cell["id"].startswith("id-two")])
    again, _ = carry.carry(result, none, gone)
    assert sources(again)[-3:] == [carry.HEADING, "mine 1", "mine 2"]


def test_an_untouched_exercise_that_is_gone_goes(old):
    gone = notebook(*[cell for cell in NEW["cells"] if not cell["id"].startswith("id-one")])
    result, carried = carry.carry(OLD, gone, old)
    assert sources(result) == sources(gone) and not any(carried.values())


def test_a_check_that_the_student_changed_is_the_releases_again(old):
    result, _ = carry.carry(with_cell(OLD, "id-one-check", "3"), NEW, old)
    assert sources(result)[3] == "check.f(f, exact=True)" and "3" not in sources(result)


def test_a_copied_check_is_not_kept(old):
    mine = copy.deepcopy(OLD)
    mine["cells"].append({**copy.deepcopy(OLD["cells"][3]), "id": "copied"})
    assert sources(carry.carry(mine, NEW, old)[0]) == sources(NEW)


def test_an_answer_whose_exercise_became_something_else_is_kept_at_the_end(old):
    new = copy.deepcopy(NEW)
    new["cells"][2] = check("one", "given = 1")
    result, carried = carry.carry(with_cell(OLD, "id-one", "mine"), new, old)
    assert sources(result)[2] == "given = 1" and "mine" in sources(result)
    assert sources(result)[-1] == "mine" and carried["homeless"] == 1


def test_the_release_decides_what_is_a_stub_where_nbgrader_left_no_checksum():
    mine = copy.deepcopy(OLD)
    for cell in mine["cells"]:
        carry._mark(cell).pop("checksum", None)
    new = with_cell(NEW, "id-two", "def f(n, k):\n    # YOUR CODE HERE")
    assert sources(carry.carry(mine, new, OLD)[0]) == sources(new)


def test_a_demo_that_the_student_changed_stays_where_the_release_did_not_change_it():
    mine = with_cell(with_cell(OLD, "demo", "steps = 5"), "intro", "# My lesson")
    result, carried = carry.carry(mine, NEW, OLD)
    assert sources(result)[:2] == ["# Lesson, corrected", "steps = 5"] and carried["cells"] == 1


def test_a_text_that_the_student_changed_and_the_release_dropped_is_kept():
    mine = with_cell(OLD, "middle", "Now the second. NB: ask about this")
    new = notebook(*[cell for cell in NEW["cells"] if cell["id"] != "middle"])
    result, _ = carry.carry(mine, new, OLD)
    assert "Now the second. NB: ask about this" in sources(result)


def test_deleted_cells_come_back():
    mine = notebook(*[cell for cell in OLD["cells"] if cell["id"] not in ("id-one", "id-one-check", "middle")])
    result, _ = carry.carry(mine, NEW, OLD)
    assert sources(result) == sources(NEW)


def test_a_split_answer_keeps_both_halves(old):
    mine = with_cell(OLD, "id-one", "return n")
    first = copy.deepcopy(mine["cells"][2])
    first.update(id="fresh", source="def f(n):")
    mine["cells"].insert(2, first)
    result, carried = carry.carry(mine, NEW, old)
    assert sources(result)[1:5] == ["steps = 100", "def f(n):", "return n", "check.f(f, exact=True)"]
    assert [carry.source(cell) for cell in result["cells"] if carry._mark(cell).get("grade_id") == "one"] == [
        "return n"
    ]
    assert carried["answers"] == carried["cells"] == 1


def test_pictures_in_a_written_answer_come_along():
    mine = with_cell(OLD, "id-why", "![](attachment:a.png)")
    mine["cells"][-1]["attachments"] = {"a.png": {"image/png": "aGk="}}
    result, _ = carry.carry(mine, NEW, OLD)
    assert result["cells"][-1]["attachments"] == {"a.png": {"image/png": "aGk="}}


def test_a_notebook_without_cell_ids_is_recognised_by_its_text(old):
    mine = with_cell(OLD, "id-one", "def f(n):\n    return n")
    for cell in mine["cells"]:
        del cell["id"]  # as some front ends save it
    mine["cells"].insert(1, {"cell_type": "markdown", "metadata": {}, "source": "my note"})
    result, carried = carry.carry(mine, NEW, old)
    assert "my note" in sources(result) and "def f(n):\n    return n" in sources(result) and carried["answers"] == 1
    assert len(result["cells"]) == len(NEW["cells"]) + (
        1 if old else 2
    )  # lost: the old first text looks like the student's
    nbformat.validate(nbformat.from_dict(result))


def test_the_result_is_a_valid_notebook_with_ids_of_its_own(old):
    mine = with_cell(OLD, "id-one", "x")
    mine["cells"] += [text("intro", "again"), code("id-two", "again"), text("mine", "a"), text("mine", "b")]
    result, _ = carry.carry(mine, NEW, old)
    nbformat.validate(nbformat.from_dict(result))
    ids = [cell["id"] for cell in result["cells"]]
    assert len(ids) == len(set(ids)) and {"a", "b"} <= set(sources(result))


def test_the_checksum_is_nbgraders():
    for cell in (
        exercise("a"),
        exercise("b", "text ü", "markdown", grade=True, points=2),
        exercise("c", grade=True, points=1.5),
    ):
        assert carry._checksum(cell) == utils.compute_checksum(nbformat.from_dict(cell))


@given(
    st.lists(
        st.tuples(st.sampled_from(["answer", "add", "delete", "move", "copy"]), st.integers(0, 20), st.integers(0, 20)),
        max_size=8,
    ),
    st.booleans(),
)
def test_nothing_that_a_student_writes_is_lost_and_a_second_time_changes_nothing(edits, keep):
    mine = copy.deepcopy(OLD)
    cells = mine["cells"]
    for number, (edit, here, there) in enumerate(edits):
        if edit == "add" or not cells:
            cells.insert(here % (len(cells) + 1), code(f"own-{number}", f"own {number}"))
            continue
        cell = cells[here % len(cells)]
        if edit == "answer" and carry._mark(cell).get("solution"):
            cell["source"] = f"answer {number}"
        elif edit == "delete":
            cells.remove(cell)
        elif edit == "move":
            cells.remove(cell)
            cells.insert(there % (len(cells) + 1), cell)
        elif edit == "copy":
            cells.insert(there % (len(cells) + 1), {**copy.deepcopy(cell), "id": f"copy-{number}"})
    written = {t for t in sources(mine) if t.startswith(("own", "answer"))}
    result, _ = carry.carry(mine, NEW, OLD if keep else None)
    assert written <= set(sources(result))
    nbformat.validate(nbformat.from_dict(result))
    marks = [carry._mark(cell)["grade_id"] for cell in result["cells"] if carry._mark(cell)]
    assert marks == [carry._mark(cell)["grade_id"] for cell in NEW["cells"] if carry._mark(cell)]
    again, _ = carry.carry(result, NEW, NEW)
    assert sources(again) == sources(result)


# on the disk


class Course:
    def __init__(self, root):
        self.release, self.work = root / "lessons" / "02_x" / "02_x.ipynb", root / "work"
        self.copy, self.kept = self.work / "02_x" / "02_x.ipynb", self.work / ".released" / "02_x.ipynb"
        self.publish(OLD)

    def publish(self, content):
        self.release.parent.mkdir(parents=True, exist_ok=True)
        self.release.write_bytes(carry.write(content))

    def save(self, content):
        self.copy.write_bytes(content if isinstance(content, bytes) else carry.write(content))

    def update(self):
        return lab.update(self.release, self.work)

    def files(self):
        return {path.relative_to(self.work): path.read_bytes() for path in self.work.rglob("*") if path.is_file()}

    def befores(self):
        return sorted(self.copy.parent.glob("02_x.before-????-??-??*.ipynb"))


@pytest.fixture
def course(tmp_path):
    course = Course(tmp_path)
    assert (
        course.update() is None and course.copy.read_bytes() == course.release.read_bytes() == course.kept.read_bytes()
    )
    return course


def test_a_copy_is_never_overwritten(course):
    course.save(with_cell(OLD, "id-one", "mine"))
    before = course.files()
    assert course.update() is None and course.files() == before


def test_cells_that_the_student_deleted_stay_away_until_a_correction(course):
    course.save(notebook(*OLD["cells"][2:]))
    before = course.files()
    assert course.update() is None and course.files() == before


def test_a_correction_carries_the_answer_and_keeps_the_old_file_and_happens_once(course):
    mine = with_cell(OLD, "id-one", "mine")
    course.save(mine)
    course.publish(NEW)
    sentence = course.update()
    [before] = course.befores()
    assert carry.read(before) == mine
    assert sources(carry.read(course.copy))[:3] == ["# Lesson, corrected", "steps = 100", "mine"]
    assert "02_x was corrected: 1 answer went into the new version" in sentence and before.name in sentence
    after = course.files()
    assert course.update() is None and course.files() == after


def test_a_copy_that_was_only_opened_is_told_without_numbers(course):
    course.save({**OLD, "metadata": {"language_info": {"name": "python"}}})  # as JupyterLab saves it
    course.publish(NEW)
    assert "corrected: the new version is in place; run" in course.update()
    assert sources(carry.read(course.copy)) == sources(NEW)


def test_two_corrections_on_one_day_keep_two_old_files(course):
    course.save(with_cell(OLD, "id-one", "mine"))
    course.publish(NEW)
    course.update()
    course.publish(with_cell(NEW, "middle", "Now the third."))
    course.update()
    assert len(course.befores()) == 2
    assert sources(carry.read(course.copy))[2] == "mine" and "Now the third." in sources(carry.read(course.copy))


def test_an_untouched_copy_is_replaced_and_leaves_nothing(course):
    course.publish(NEW)
    assert course.update() is None
    assert course.copy.read_bytes() == course.release.read_bytes() and not course.befores()


def test_a_record_that_is_lost_changes_nothing_where_the_lesson_is_the_same(course):
    course.save(with_cell(OLD, "id-one", "mine"))
    course.kept.unlink()
    before = course.copy.read_bytes()
    assert (
        course.update() is None and course.copy.read_bytes() == before and course.kept.exists() and not course.befores()
    )


def test_a_run_that_was_cut_off_is_made_up(course, monkeypatch):
    course.save(with_cell(OLD, "id-one", "mine"))
    course.publish(NEW)
    whole = lab.write_whole
    for last in (1, 2):  # after the old file was kept; after the copy was written
        steps = iter(range(9))

        def put(path, content, last=last, steps=steps):
            if next(steps) >= last:
                raise KeyboardInterrupt
            whole(path, content)

        monkeypatch.setattr(lab, "write_whole", put)
        with pytest.raises(KeyboardInterrupt):
            course.update()
    monkeypatch.setattr(lab, "write_whole", whole)
    course.update()
    assert sources(carry.read(course.copy)) == sources(with_cell(NEW, "id-one", "mine"))


@pytest.mark.parametrize("broken", [b"", b'{"cells": [', b"\xff\xfe", b"[]", b'{"nbformat": 3, "worksheets": []}', b'{"nbformat": 4, "cells": [1]}',
                                    b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": 7}]}'])  # fmt: skip
def test_a_broken_copy_is_left_alone_with_a_sentence(course, broken):
    course.save(broken)
    course.publish(NEW)
    for _ in range(2):
        sentence = course.update()
        assert "can't be read as a notebook" in sentence and "left as it is" in sentence and "\n" not in sentence
        assert course.copy.read_bytes() == broken


def test_a_broken_release_is_a_sentence(course):
    course.save(with_cell(OLD, "id-one", "mine"))
    course.release.write_text("{")
    with pytest.raises(Stop, match="can't be read .* get the course again"):
        course.update()


def test_a_copy_that_was_deleted_comes_anew(course):
    course.copy.unlink()
    course.publish(NEW)
    course.update()
    assert course.copy.read_bytes() == course.release.read_bytes()
