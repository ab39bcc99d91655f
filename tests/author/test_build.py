"""The builder: what it makes is current, and a bad source is one line with file and line number."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from course_lib.author import build
from course_lib.checks import lesson_02, quiz
from course_lib.start.errors import Stop
from tests.support.course import LESSONS, ROOT, is_draft, notebook, process_env, where
from tests.support.tiny import GOOD, ROW, SHORT, course


def test_what_is_committed_is_what_the_sources_build():
    assert build.drift(ROOT) == []


def test_drift_is_named_file_by_file(tmp_path):
    root = course(tmp_path)
    build.build(root)
    assert build.drift(root) == []
    lesson = root / "lessons/02_tiny/02_tiny.ipynb"
    lesson.write_text(lesson.read_text().replace("A lesson", "A Lesson"))
    (root / "lessons/03_gone").mkdir()
    (root / "lessons/03_gone/03_gone.ipynb").write_text("{}")
    (root / "course_lib/checks/quiz.json").unlink()
    assert build.drift(root) == [
        str(Path(p))
        for p in ("course_lib/checks/quiz.json", "lessons/02_tiny/02_tiny.ipynb", "lessons/03_gone/03_gone.ipynb")
    ]


def test_the_command_fails_on_a_bad_source_with_one_line(tmp_path, monkeypatch, capsys):
    root = course(tmp_path, GOOD.replace("    ### END SOLUTION\n", ""))
    monkeypatch.setattr(build, "ROOT", root)
    monkeypatch.setattr(build.build, "__defaults__", (root, None, None, ()))
    assert build.main([]) == 1
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 1 and re.search(r"02_tiny\.py:12: ### BEGIN SOLUTION has no ### END SOLUTION$", errors[0])
    assert not (root / "lessons").exists()


def test_what_students_and_graders_get(tmp_path):
    root = course(tmp_path)
    build.build(root)
    source, lesson = (nbformat.read(root / k / "02_tiny/02_tiny.ipynb", 4) for k in ("solutions", "lessons"))
    nbformat.validate(source), nbformat.validate(lesson)
    by_id = {c.metadata.nbgrader.grade_id: c for c in lesson.cells if "nbgrader" in c.metadata}
    assert list(by_id) == ["setup", "overlap_count", "check_overlap_count", "quiz_field", "check_quiz_field", "why"]
    assert (
        by_id["overlap_count"].source
        == "def overlap_count(n, k, s):\n    # YOUR CODE HERE\n    raise NotImplementedError"
    )
    assert by_id["check_overlap_count"].source == "check.overlap_count(overlap_count)"
    assert by_id["check_overlap_count"].metadata.nbgrader.points == 1
    assert by_id["quiz_field"].source == 'quiz_field = "?"  # your choice: a or b'
    assert by_id["why"].source == "*Write your answer here.*" and by_id["why"].metadata.nbgrader.points == 18
    assert not by_id["setup"].metadata.editable and not by_id["setup"].metadata.deletable
    text = "\n".join(c.source for c in lesson.cells)
    assert "### Exercise 1 · Who paints where?\n\n●○○ · 1 point · about 5 minutes" in text
    assert "Not this" not in text and "42" not in text and "Because" not in text and "HIDDEN" not in text
    grader = next(c for c in source.cells if c.metadata.get("nbgrader", {}).get("grade_id") == "check_overlap_count")
    assert grader.source.endswith("### END HIDDEN TESTS") and "seed=7" in grader.source
    assert all(not c.get("outputs") and c.get("execution_count") is None for c in source.cells + lesson.cells)
    assert [c.id for c in source.cells] == [c.id for c in lesson.cells] and len({c.id for c in lesson.cells}) == len(
        lesson.cells
    )
    assert list((root / "lessons").rglob("*.*")) == [root / "lessons/02_tiny/02_tiny.ipynb"]


def built(folder, text):
    """The cells of both notebooks of a course of one lesson."""
    folder.mkdir()
    build.build(course(folder, text))
    return [nbformat.read(folder / kind / "02_tiny/02_tiny.ipynb", 4).cells for kind in ("solutions", "lessons")]


def test_a_check_is_one_line_and_gives_what_it_gives_written_out(tmp_path):
    assert '# %% check="overlap_count" seed=7\n\n' in SHORT and "HIDDEN" not in SHORT
    assert built(tmp_path / "short", SHORT) == built(tmp_path / "long", GOOD)


def test_text_before_a_statements_heading_is_a_cell_of_its_own(tmp_path):
    alone = built(tmp_path / "alone", GOOD)
    after = built(tmp_path / "after", GOOD.replace("# ### Who", "# ## 1 · Fields\n#\n# Some text.\n#\n# ### Who"))
    for before, now in zip(alone, after):
        more = [cell for cell in now if cell not in before]
        assert [(cell.cell_type, cell.source) for cell in more] == [("markdown", "## 1 · Fields\n\nSome text.")]
        assert now[now.index(more[0]) + 1].source.startswith("### Exercise 1 · Who")


def test_a_header_that_jupyter_saves_changes_nothing(tmp_path):
    header = "# ---\n# jupyter:\n#   kernelspec:\n#     name: python3\n# ---\n\n"
    assert built(tmp_path / "with", header + GOOD) == built(tmp_path / "without", GOOD)
    (tmp_path / "bad").mkdir()
    with pytest.raises(build.BuildError, match=r"02_tiny\.py:7: .*add up to 20; these add up to 19"):
        build.build(course(tmp_path / "bad", header + GOOD.replace("points=18", "points=17")))


def test_one_lesson_is_built_by_number_or_name_and_the_others_stay(tmp_path, monkeypatch):
    root = course(tmp_path)
    (root / "solutions/03_other.py").write_text(GOOD.replace("lesson_02", "lesson_03"))
    (root / "README.md").write_text(ROW.format(name="02_tiny") + ROW.format(name="03_other"))
    monkeypatch.setattr(build, "checks_of", lambda name: lesson_02.check)
    build.build(root)
    (root / "solutions/03_other.py").write_text("a fault")
    sealed = (root / "course_lib/checks/quiz.json").read_bytes()
    lesson = Path("lessons/02_tiny/02_tiny.ipynb")
    for wanted in ("02", "2", "02_tiny"):
        assert lesson in build.build(root, only=[wanted])
    assert (root / "course_lib/checks/quiz.json").read_bytes() == sealed
    assert build.drift(root, ["02"]) == []
    (root / lesson).write_text("{}")
    assert build.drift(root, ["02"]) == [str(lesson)]
    with pytest.raises(Stop, match="There is no lesson 09: the lessons are 02_tiny, 03_other"):
        build.build(root, only=["09"])


def test_a_folded_cell_shows_its_title_alone(tmp_path):
    build.build(course(tmp_path, GOOD + '\n# %% tags=["demo"] fold="A number"\nprint(1)\n'))
    for kind in ("solutions", "lessons"):
        cell = next(
            c for c in nbformat.read(tmp_path / kind / "02_tiny/02_tiny.ipynb", 4).cells if "print(1)" in c.source
        )
        assert cell.source == "# @title A number\nprint(1)"
        assert cell.metadata == {"tags": ["demo"], "jupyter": {"source_hidden": True}, "cellView": "form"}


def test_ids_survive_a_change_elsewhere(tmp_path):
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    build.build(course(tmp_path / "a", GOOD + "\n# %%\nlast = 1\n"))
    build.build(
        course(
            tmp_path / "b", GOOD.replace("# # A lesson\n", "# # A lesson\n\n# %%\nfirst = 1\n") + "\n# %%\nlast = 1\n"
        )
    )
    a, b = (
        {c.source: c.id for c in nbformat.read(tmp_path / f / "lessons/02_tiny/02_tiny.ipynb", 4).cells} for f in "ab"
    )
    assert a.items() <= b.items()


def test_badges_come_from_one_setting(tmp_path):
    for folder, settings, wanted in (
        ("a", 'repository = "someone/course"\nbranch = "v1"', True),
        ("b", 'repository = ""', False),
    ):
        (tmp_path / folder).mkdir()
        build.build(course(tmp_path / folder, settings=settings))
        first = nbformat.read(tmp_path / folder / "lessons/02_tiny/02_tiny.ipynb", 4).cells[0].source
        colab = "https://colab.research.google.com/github/someone/course/blob/v1/lessons/02_tiny/02_tiny.ipynb"
        assert first.startswith("# A lesson") and (colab in first) is wanted and ("mybinder.org" in first) is wanted


BAD = {
    "an answer that is no Python": (GOOD.replace("### END SOLUTION", "### END SOLUTION\n    )"), 15, "not Python"),
    "a duplicate id": (
        GOOD + '\n# %% given="overlap_count"\nx = 1\n',
        33,
        "the id 'overlap_count' is used twice (first on line 10)",
    ),
    "an exercise without a check": (
        re.sub(r"# %% check[\s\S]*?(?=# %% \[markdown\] quiz)", "", GOOD),
        10,
        "needs a check after it",
    ),
    "an exercise without a statement": (
        GOOD.replace('# %% [markdown] statement="overlap_count" minutes=5 level=1', "# %% [markdown]"),
        10,
        "needs a statement before it",
    ),
    "a check before its exercise": (
        '# %% check="overlap_count"\ncheck.overlap_count(overlap_count)\n\n'
        + re.sub(r"# %% check[\s\S]*?(?=# %% \[markdown\] quiz)", "", GOOD),
        13,
        "needs a check after it",
    ),
    "a check of nothing": (GOOD + '\n# %% check="poke"\ncheck.poke(poke)\n', 33, "belongs to no cell marked answer"),
    "a missing END SOLUTION": (
        GOOD.replace("    ### END SOLUTION\n", ""),
        12,
        "BEGIN SOLUTION has no ### END SOLUTION",
    ),
    "a missing END HIDDEN TESTS": (
        GOOD.replace("### END HIDDEN TESTS\n", ""),
        18,
        "BEGIN HIDDEN TESTS has no ### END HIDDEN TESTS",
    ),
    "an END without BEGIN": (GOOD.replace("    ### BEGIN SOLUTION\n", ""), 13, "END SOLUTION without a BEGIN"),
    "no solution": (
        GOOD.replace("    ### BEGIN SOLUTION\n", "").replace("    ### END SOLUTION\n", ""),
        10,
        "has no ### BEGIN SOLUTION",
    ),
    "a solution outside": (
        GOOD + "\n# %%\n### BEGIN SOLUTION\nx = 1\n### END SOLUTION\n",
        33,
        "a solution stands in a cell that is not marked",
    ),
    "a semicolon": (
        GOOD.replace("check.overlap_count(overlap_count)\n### B", "check.overlap_count(overlap_count);\n### B"),
        16,
        "one bare verdict",
    ),
    "an assignment": (
        GOOD.replace("check.overlap_count(overlap_count) & ", "v = check.overlap_count(overlap_count) & "),
        16,
        "one bare verdict",
    ),
    "something else at the end": (
        GOOD.replace("### END HIDDEN TESTS", "### END HIDDEN TESTS\nprint(1)"),
        16,
        "one bare verdict",
    ),
    "another exercise's verdict": (
        GOOD.replace("check.overlap_count(overlap_count)\n### B", "check.poke(overlap_count)\n### B"),
        16,
        "one bare verdict",
    ),
    "a visible check that is dropped": (
        GOOD.replace("check.overlap_count(overlap_count) & check", "check"),
        17,
        "must join",
    ),
    "a check that is no Python": (
        GOOD.replace("check.overlap_count(overlap_count)\n### B", "check.overlap_count(\n### B"),
        17,
        "not Python",
    ),
    "an unknown exercise": (GOOD.replace("overlap_count", "nothing"), 16, "has no exercise 'nothing'"),
    "points that do not add up": (GOOD.replace("points=18", "points=17"), 1, "add up to 20; these add up to 19"),
    "a written answer without points": (GOOD.replace(" points=18", ""), 30, "needs points"),
    "a quiz without the right choice": (GOOD.replace('answer="b"', 'answer="c"'), 22, "naming one of them"),
    "a choice without feedback": (
        GOOD.replace("#   > Not this.\n", ""),
        22,
        "choice 'a' of quiz 'field' has no feedback",
    ),
    "a statement without level": (GOOD.replace(" level=1", ""), 7, "level=1, 2 or 3"),
    "two marks": (GOOD.replace('given="setup"', 'given="setup" check="setup"'), 4, "a cell has one mark"),
    "a mark on the wrong kind of cell": (
        GOOD.replace('# %% given="setup"', '# %% [markdown] given="setup"'),
        4,
        "a given cell is code",
    ),
    "a folded answer": (
        GOOD.replace('# %% answer="overlap_count"', '# %% answer="overlap_count" fold="x"'),
        10,
        "is folded",
    ),
    "a folded training": (GOOD + '\n# %% tags=["demo"] fold="x"\ntrain.fit(net)\n', 33, "trains nothing"),
    "a check of one line without a seed": (SHORT.replace(" seed=7", ""), 16, '`# %% check="overlap_count" seed=…`'),
    "a seed that is the visible check's": (SHORT.replace("seed=7", "seed=0"), 16, "a number above 0"),
    "a seed beside a check written out": (
        GOOD.replace('check="overlap_count"', 'check="overlap_count" seed=7'),
        16,
        "or is written out",
    ),
    "text before the first cell": ("x = 1\n" + GOOD, 2, "must start with a `# %%` cell"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_source_is_one_line_with_file_and_line(fault, tmp_path):
    text, line, message = BAD[fault]
    root = course(tmp_path, text)
    with pytest.raises(build.BuildError) as error:
        build.build(root)
    first = str(error.value)
    assert "\n" not in first and message in first and re.search(rf"02_tiny\.py:{line}: ", first), first
    assert not (root / "lessons").exists()


def test_a_lesson_without_checks_is_one_line(tmp_path):
    root = course(tmp_path, name="98_tiny")
    with pytest.raises(build.BuildError, match=r"98_tiny\.py:1: .*course_lib/checks/lesson_98\S* is missing$"):
        build.build(root)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("from ..core import Lesson\nfrom .gone import f\n", 2, "ModuleNotFoundError: No module named"),
        ("check = (\n", 1, "SyntaxError"),
        ("from ..core import Exercise\n\nf = Exercise('f')\n", 3, "TypeError: .*hints"),
        ("from ..core import Exercise\nf = Exercise('f', ())\nf.part('a')\n", 3, "TypeError: .*points"),
    ],
)
def test_checks_that_cant_be_read_are_one_line_with_file_and_line(text, line, said, tmp_path, monkeypatch):
    package = tmp_path / "lesson_97"
    package.mkdir()
    (package / "__init__.py").write_text(text)
    monkeypatch.setattr(importlib.import_module("course_lib.checks"), "__path__", [str(tmp_path)])
    with pytest.raises(
        build.BuildError, match=rf"lesson_97/__init__\.py:{line}: the checks can't be read: {said}"
    ) as e:
        build.checks_of("97_tiny")
    assert "\n" not in str(e.value)


def test_a_lesson_that_readmes_table_lacks_is_one_line(tmp_path):
    root = course(tmp_path)
    hidden = f"<!-- for instructors -->\n{ROW.format(name='02_tiny')}<!-- /for instructors -->\n"
    for text, line in (("", 1), (ROW.format(name="01_other") + "more\n", 2), (hidden, 1)):
        (root / "README.md").write_text(text)
        with pytest.raises(build.BuildError, match=rf"README\.md:{line}: the table of lessons needs a row for 02_tiny"):
            build.build(root)


def test_only_the_warm_up_may_have_other_points(tmp_path):
    course(tmp_path, GOOD.replace("points=18", "points=3"), name="00_tiny")
    source = build.Source(tmp_path / "solutions/00_tiny.py")
    notebook, _ = build.expand(source, lesson_02.check)
    assert sum(c.metadata.get("nbgrader", {}).get("points", 0) for c in notebook.cells) == 5


def test_a_sealed_choice_opens_with_its_own_letter_and_reads_as_nothing():
    sealed = quiz.seal("02_tiny", "field", "b", True, "Yes, that. ü")
    assert "Yes" not in sealed and "true" not in sealed
    quiz_file = (ROOT / "course_lib/checks/quiz.json").read_text()
    for lesson in LESSONS:
        for name in quiz.names(lesson):
            opened = [quiz.open_choice(lesson, name, letter) for letter in quiz.letters(lesson, name)]
            assert sum(right for right, _ in opened) == 1 and all(len(text) > 20 for _, text in opened)
            assert not any(text in quiz_file for _, text in opened)


@pytest.mark.parametrize("lesson", LESSONS)
def test_points_in_notebook_text_and_checks_agree(lesson):
    check = build.checks_of(lesson)
    cells = notebook("lessons", lesson).cells
    total = 0
    for cell in cells:
        meta = cell.metadata.get("nbgrader", {})
        if meta.get("grade"):
            total += meta["points"]
            if cell.cell_type == "code":
                assert meta["points"] == getattr(check, meta["grade_id"].removeprefix("check_")).points
    opening = cells[0].source
    assert f"**Points:** {total:g}" in opening


@pytest.mark.parametrize("lesson", [lesson for lesson in LESSONS if lesson[:2] != "00"])
def test_a_lesson_is_one_sitting(lesson):
    """60 to 90 minutes. Reading, looking at figures, the quiz and the written question take about 40 of them."""
    text = "\n".join(cell.source for cell in notebook("lessons", lesson).cells)
    exercises = sum(map(int, re.findall(r" · about (\d+) minutes", text)))
    assert 60 <= int(re.search(r"\*\*Time:\*\* (\d+) minutes", text)[1]) <= 90
    assert is_draft(lesson) or 30 <= exercises <= 50, (
        f"{where(lesson)} exercises take {exercises} minutes, not 30 to 50"
    )


def test_build_check_is_a_command():
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from course_lib.author import build; sys.exit(build.main(['--check']))"],
        cwd=ROOT,
        env=process_env(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and done.stdout == ""
