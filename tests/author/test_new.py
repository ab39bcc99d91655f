"""`new`: the skeleton of a lesson builds, passes its tests as it stands, and is written over nothing."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from course_lib.author import build, new
from course_lib.start.errors import Stop
from tests.support.course import ROOT, process_env

ROWS = "| [01 One](lessons/01_one/01_one.ipynb) | 90 min | one |\n| [03 X](lessons/03_x/03_x.ipynb) | 90 min | x |\n"
PACKAGES = ["course_lib", "course_lib.checks.lesson_01", "course_lib.data"]
PROJECT = "\n".join(["[tool.setuptools]", "packages = [", *(f'    "{name}",' for name in PACKAGES), "]", ""])


@pytest.fixture
def root(tmp_path):
    (tmp_path / "README.md").write_text(f"# Course\n\n{ROWS}\nmore\n")
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    return tmp_path


def test_files_row_and_package_are_written_in_their_places(root):
    written = {path.as_posix() for path in new.new("02_two", "Two things", root)}
    made = {path.format(name="02_two", number="02") for path in new.FILES}
    assert written == made | {"README.md", "pyproject.toml"} and all((root / path).exists() for path in made)
    row = "| [02 Two things](lessons/02_two/02_two.ipynb) | 90 min | … |"
    assert (root / "README.md").read_text("utf-8").splitlines()[2:5] == [
        *ROWS.splitlines()[:1],
        row,
        ROWS.splitlines()[1],
    ]
    assert '    "course_lib.checks.lesson_01",\n    "course_lib.checks.lesson_02",\n    "course_lib.data",\n' in (
        root / "pyproject.toml"
    ).read_text("utf-8")
    seeds = re.findall(r"seed=(\d{18,19})\n", (root / "solutions/02_two.py").read_text("utf-8"))
    assert len(set(seeds)) == 2
    build.examine_row(root, "02_two")
    assert [cell.mark for cell in build.Source(root / "solutions/02_two.py").cells].count("quiz") == 3


@pytest.mark.parametrize(
    ("name", "title", "said"),
    [
        ("training", "T", "training is no name of a lesson: write two digits"),
        ("02_Two", "T", "is no name of a lesson"),
        ("02_two", " ", "title is one line"),
        ("02_two", "a | b", "title is one line"),
        ("01_other", "T", r"There is a lesson 01 already \(solutions.01_one\.py\): take another number"),
    ],
)
def test_a_wrong_name_is_a_sentence_and_nothing_is_written(name, title, said, root):
    (root / "solutions").mkdir()
    (root / "solutions/01_one.py").write_text("")
    with pytest.raises(Stop, match=said):
        new.new(name, title, root)
    assert [path.name for path in (root / "solutions").iterdir()] == ["01_one.py"]
    assert (root / "pyproject.toml").read_text() == PROJECT


@pytest.mark.slow
def test_the_skeleton_builds_and_passes_its_tests(tmp_path):
    copy = tmp_path / "course"
    copy.mkdir()
    for name in ("course_lib", "lessons", "solutions", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("README.md", "pyproject.toml", "requirements.txt", "nbgrader_config.py"):
        shutil.copy(ROOT / name, copy)
    env = process_env(PYTHONPATH=str(copy), PYTEST_ADDOPTS="")
    code = "import sys; from course_lib.author import new; sys.exit(new.main(sys.argv[1:]))"
    made = subprocess.run(
        [sys.executable, "-c", code, "97_draft", "A draft"], cwd=copy, env=env, capture_output=True, text=True
    )
    assert made.returncode == 0 and f"built {os.path.join('lessons', '97_draft', '97_draft.ipynb')}" in made.stdout
    files = [
        "tests/checks",
        "tests/author/test_build.py",
        "tests/author/test_leaks.py",
        "tests/lessons/test_lessons.py",
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "97_draft", *files]
    done = subprocess.run(command, cwd=copy, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 50


def test_a_skeletons_checks_are_written_as_the_house_writes(root):
    new.new("02_two", "Two things", root)
    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", "--config", ROOT / "pyproject.toml"]
        done = subprocess.run([*ruff, root / "course_lib"], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
