"""The released tree: what is in it, that it is the same bytes each time, and that a student can work in it."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
import zipfile

import pytest

import course_lib
from course_lib.author import build, release
from course_lib.grading import frame
from course_lib.start import cli
from course_lib.start.errors import Stop
from tests.support import tiny
from tests.support.course import LESSONS, ROOT, Released, build_wheel, process_env
from tests.support.system_packages import needs_system


def contents(folder):
    """{name: (mode, bytes)} of every file and folder, .git aside."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if ".git" not in path.relative_to(folder).parts:
            found[path.relative_to(folder).as_posix()] = (
                stat.S_IMODE(path.stat().st_mode),
                path.is_file() and path.read_bytes(),
            )
    return found


# --- what is in it ------------------------------------------------------------------------------------------


def test_only_what_students_need_is_in_it(released):
    top = {name.partition("/")[0] for name in released.names}
    assert top == {
        ".gitattributes",
        ".gitignore",
        "LICENSE",
        "LICENSE-TEXT",
        "README.md",
        "binder",
        "course_lib",
        "docs",
        "lessons",
        "pyproject.toml",
        "requirements.txt",
    }
    assert {n for n in released.names if n.startswith("lessons/")} == {f"lessons/{n}/{n}.ipynb" for n in LESSONS}
    assert {n for n in released.names if n.startswith("binder/")} == {
        "binder/postBuild",
        "binder/requirements.txt",
        "binder/runtime.txt",
        "binder/start",
    }
    for name in released.names:
        assert name == "binder/postBuild" or not re.search(
            r"solution|grading|build|release|frame|sandbox|test|\.pyc", name
        ), name
    assert sum((released.tree / name).stat().st_size for name in released.names) < 6e6


def test_nothing_in_it_speaks_of_what_is_not_there(released):
    for name in (
        "README.md",
        "pyproject.toml",
        ".gitignore",
        "binder/postBuild",
        "binder/start",
        "binder/requirements.txt",
    ):
        text = (released.tree / name).read_text("utf-8")
        assert not re.search(
            r"solutions/|nbgrader|grading|course_lib (build|test|release)|pytest|jupytext|instructors -->", text
        ), name
    readme = (released.tree / "README.md").read_text("utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", readme):
        assert (released.tree / target).exists(), target


def test_every_module_is_there_that_some_module_or_lesson_imports(released):
    """In a Python without this checkout: the tree alone."""
    names = [f"course_lib.checks.lesson_{n[:2]}" for n in LESSONS]
    names += [
        n.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for n in released.names if n.endswith(".py")
    ]
    code = "import importlib, course_lib\n" + "".join(
        f"importlib.import_module({n!r})\n" for n in names if "__main__" not in n
    )
    done = subprocess.run(
        [sys.executable, "-c", code + "print(course_lib.__file__)"],
        cwd=released.tree,
        capture_output=True,
        text=True,
        env={**process_env(PYTHONPATH=""), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0 and str(released.tree) in done.stdout, done.stderr


def test_only_the_students_commands_are_offered_there(released):
    done = subprocess.run(
        [sys.executable, "-B", "-m", "course_lib"],
        cwd=released.tree,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": ""},
    )
    assert re.findall(r"^  (\w+) ", done.stdout, re.M) == ["lab", "doctor"]
    assert set(cli.COMMANDS) >= {"lab", "doctor", "test", "build", "release"}


def test_lab_works_there(released, tmp_path):
    """`lab` on the tree as a student has it, but for the packages: the environment is made of two tiny wheels."""
    from tests.support.wheels import wheel

    tree = tmp_path / "course"
    shutil.copytree(released.tree, tree)
    opened = "import sys, course_lib; print(sys.argv[1:], course_lib.__file__)"
    for name, text in {"torch": "", "torchvision": "", "jupyterlab": opened}.items():
        wheel(tmp_path / "wheels", name, "1.0", text)
    lines = [
        "--no-index",
        f"--find-links {(tmp_path / 'wheels').as_posix()}",
        "torch==1.0",
        "torchvision==1.0",
        "jupyterlab==1.0",
    ]
    (tree / "requirements.txt").write_text("\n".join(lines) + "\n")
    done = subprocess.run(
        [sys.executable, "-m", "course_lib", "lab", "02"],
        cwd=tree,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": ""},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        f"{tree}/work" in done.stdout
        and "02_encoder_decoder.ipynb" in done.stdout
        and f"{tree}/course_lib" in done.stdout
    )
    for lesson in LESSONS:
        copy = tree / "work" / lesson / f"{lesson}.ipynb"
        assert copy.read_bytes() == (released.tree / "lessons" / lesson / f"{lesson}.ipynb").read_bytes()


def test_badges_and_addresses_are_those_of_the_release(released):
    settings = tomllib.loads((released.tree / "pyproject.toml").read_text("utf-8"))["tool"]["course"]
    assert settings == {"repository": Released.REPOSITORY, "branch": Released.TAG}
    readme = (released.tree / "README.md").read_text("utf-8")
    for lesson in LESSONS:
        cells = json.loads((released.tree / "lessons" / lesson / f"{lesson}.ipynb").read_text("utf-8"))["cells"]
        first, setup = (
            "".join(cells[0]["source"]),
            next("".join(c["source"]) for c in cells if c["cell_type"] == "code"),
        )
        colab = f"https://colab.research.google.com/github/someone/course/blob/v1/lessons/{lesson}/{lesson}.ipynb"
        copy = f"work/{lesson}/{lesson}.ipynb"
        binder = f"https://mybinder.org/v2/gh/someone/course/v1?urlpath=lab/tree/{copy}"
        assert colab in first and binder in first and colab in readme and binder in readme
        assert (
            '"install -q https://github.com/someone/course/archive/v1.zip"' in setup and len(setup.splitlines()) <= 25
        )


def test_but_for_badges_and_address_the_lessons_are_this_checkouts(released):
    """So an answer from a release is graded by this checkout's source."""
    for lesson in LESSONS:
        here, there = (
            json.loads((tree / "lessons" / lesson / f"{lesson}.ipynb").read_text("utf-8"))["cells"]
            for tree in (ROOT, released.tree)
        )
        assert [c["metadata"] for c in here if c["id"] != "setup"] == [
            c["metadata"] for c in there if c["id"] != "setup"
        ]
        different = [(a, b) for a, b in zip(here, there, strict=True) if a["source"] != b["source"]]
        assert [a.get("id") == "setup" for a, _ in different] == [False, True]
        (text, launched), (setup, with_address) = [("".join(a["source"]), "".join(b["source"])) for a, b in different]
        assert re.sub(r"\n\n\[Open in Colab\].*\n", "\n", launched) == text
        assert frame.without_address(with_address) == setup == frame.without_address(setup)


def test_pins_are_the_courses_and_none_is_missing(released):
    ours = {
        line.split("==")[0]: line
        for line in (ROOT / "requirements.txt").read_text("utf-8").splitlines()
        if "==" in line
    }
    lines = [line for line in (released.tree / "requirements.txt").read_text("utf-8").splitlines() if "==" in line]
    names = {line.split("==")[0] for line in lines}
    assert all(ours[line.split("==")[0]] == line for line in lines)
    assert {"pip", "torch", "jupyterlab", "ipywidgets", "torchmetrics", "psutil", "appnope", "pywinpty"} <= names
    assert not names & {"nbgrader", "nbval", "jupytext", "pytest", "sqlalchemy", "notebook", "alembic", "coverage"}


# --- the same bytes -----------------------------------------------------------------------------------------


def test_it_is_the_same_byte_for_byte_whatever_the_machine_is_set_to(released, tmp_path):
    mask = os.umask(0o077)
    try:
        release.release(tmp_path / "again", Released.REPOSITORY, Released.TAG)
    finally:
        os.umask(mask)
    again = contents(tmp_path / "again")
    assert again == contents(released.tree)
    assert {name for name, (mode, content) in again.items() if content and mode == 0o755} == {
        "binder/postBuild",
        "binder/start",
    }
    wheel = build_wheel(tmp_path / "again", tmp_path / "wheel")
    assert wheel.name == released.wheel.name and wheel.read_bytes() == released.wheel.read_bytes()


def test_the_wheel_holds_the_package_and_its_licences(released):
    with zipfile.ZipFile(released.wheel) as archive:
        names = archive.namelist()
    package = {n for n in released.names if n.startswith("course_lib/")}
    assert {n for n in names if ".dist-info/" not in n} == package
    for licence in ("LICENSE", "LICENSE-TEXT", "course_lib/data/menagerie/LICENSE"):
        assert any(n.endswith(f".dist-info/licenses/{licence}") for n in names)


# --- where it may be written --------------------------------------------------------------------------------


def test_it_is_written_anew_into_a_checkout_and_nowhere_else(released, tmp_path, monkeypatch):
    def write(tree, root, repository, tag):
        release._put(tree / "lessons" / "new", b"new")

    monkeypatch.setattr(release, "_write", write)
    checkout = tmp_path / "students"
    shutil.copytree(released.tree, checkout)
    (checkout / ".git").mkdir()
    (checkout / ".git" / "HEAD").write_text("ref")
    assert release.release(checkout) == ["lessons/new"]
    assert (
        sorted(p.name for p in checkout.iterdir()) == [".git", "lessons"]
        and (checkout / ".git" / "HEAD").read_text() == "ref"
    )

    fresh = tmp_path / "fresh"
    (fresh / ".git").mkdir(parents=True)
    (fresh / "README.md").touch()
    assert release.release(fresh) == ["lessons/new"]

    other, worked = tmp_path / "other", tmp_path / "worked"
    (other / ".git").mkdir(parents=True)
    (other / "thesis.tex").touch()
    shutil.copytree(released.tree, worked)
    (worked / "work").mkdir()
    (tmp_path / "file").touch()
    for folder in (other, worked, tmp_path / "file"):
        with pytest.raises(Stop, match="holds something else: give a new folder"):
            release.release(folder)
    assert (other / "thesis.tex").exists() and (worked / "README.md").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (dict(repository="course"), "--repository=course is no GitHub repository: write owner/name."),
        (dict(repository='a/b"); import os'), "is no GitHub repository"),
        (dict(tag="v 1"), "--tag=v 1 is no name of a tag"),
    ],
)
def test_a_wrong_option_is_a_sentence(options, said, tmp_path):
    with pytest.raises(Stop, match=re.escape(said)) as caught:
        release.release(tmp_path / "new", **options)
    assert "\n" not in str(caught.value) and not (tmp_path / "new").exists()


def test_a_checkout_that_was_not_built_is_not_released(tmp_path):
    root = tiny.course(tmp_path)
    build.build(root)
    source = root / "solutions/02_tiny.py"
    source.write_text(source.read_text("utf-8").replace("A lesson", "Another lesson"), "utf-8")
    with pytest.raises(Stop, match=r"^lessons.02_tiny.02_tiny\.ipynb is not what its source builds: run `.* build`"):
        release.release(tmp_path / "students", root=root)
    assert not (tmp_path / "students").exists()


def test_the_course_itself_is_not_overwritten():
    for folder in (ROOT, ROOT.parent):
        with pytest.raises(Stop, match="give a"):
            release.release(folder)


def test_the_command_says_what_it_wrote(tmp_path, monkeypatch, capsys):
    def write(tree, root, repository, tag):
        release._put(tree / "lessons" / "new", f"{repository} {tag}".encode())

    monkeypatch.setattr(release, "_write", write)
    assert release.main([str(tmp_path / "one")]) == 0
    said = capsys.readouterr().out
    assert re.search(r"^1 files, 0\.0 MB, in .*one: what students get", said) and "give --repository" in said
    assert (tmp_path / "one/lessons/new").read_text() == " main"
    assert release.main([str(tmp_path / "two"), "--repository", "a/b", "--tag", "v2"]) == 0
    assert (tmp_path / "two/lessons/new").read_text() == "a/b v2" and "badges" not in capsys.readouterr().out


@pytest.mark.skipif(os.name == "nt", reason="README's lines are a shell's")
def test_readmes_lines_put_a_release_on_a_server(released, tmp_path):
    """README's own lines, but for the address: a bare repository here."""
    readme = (ROOT / "README.md").read_text("utf-8")
    line = re.search(r"^python3 -m course_lib release (\S+) --repository owner/name --tag v1$", readme, re.M)
    pushed = re.search(rf"^cd {re.escape(line[1])} && git init.*\n(?:git .*\n)+", readme, re.M)[0]
    (tmp_path / "course").mkdir()
    shutil.copytree(released.tree, tmp_path / "students")
    git = needs_system("git")
    subprocess.run([git, "init", "-q", "--bare", "server.git"], cwd=tmp_path, check=True)
    lines = pushed.replace("https://github.com/owner/name", str(tmp_path / "server.git"))
    someone = {f"GIT_{who}_{what}": "a@b.example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["bash", "-ec", lines], cwd=tmp_path / "course", env={**os.environ, **someone}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    clone = tmp_path / "clone"
    subprocess.run(
        [git, "clone", "-q", "--branch", "v1", str(tmp_path / "server.git"), str(clone)],
        check=True,
        capture_output=True,
    )
    assert {n: c for n, (_, c) in contents(clone).items()} == {n: c for n, (_, c) in contents(released.tree).items()}
    assert os.access(clone / "binder" / "start", os.X_OK)


def test_the_version_is_the_same_everywhere():
    version = re.escape(course_lib.__version__)
    assert re.search(rf"^## {version}(,|$)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert re.search(rf"^version: {version}$", (ROOT / "CITATION.cff").read_text("utf-8"), re.M)


def test_readme_names_no_command_that_is_not_there():
    readme = (ROOT / "README.md").read_text("utf-8")
    assert set(re.findall(r"python3 -m course_lib (\w+)", readme)) <= set(cli.COMMANDS)
    options = subprocess.run([sys.executable, "-m", "repo2docker", "--help"], capture_output=True, text=True).stdout
    line = re.search(r"`repo2docker (.*?)`", readme)[1]
    assert all(option in options for option in re.findall(r"--[\w-]+", line)) and line.endswith(" ../students")
