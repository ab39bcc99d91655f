"""Binder's image, as near as it comes without an engine: its Dockerfile, its packages, its scripts, a lesson in 2 GB."""

import os
import re
import shutil
import subprocess
import sys

import nbformat
import pytest

from tests.support.course import LESSONS
from tests.support.elsewhere import Elsewhere, texts
from tests.support.processes import PATIENCE

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Binder is a Linux")

MEMORY = 2 * 2**30  # bytes; Binder's
LESSON = "02_encoder_decoder"
# What the image has beside binder/requirements.txt: torch here is this environment's, which is no CPU build everywhere.
IMAGE = ("torch", "torchvision", "ipykernel", "ipywidgets", "pip")


@pytest.fixture(scope="module")
def dockerfile(released):
    """What repo2docker would have an engine build from the released tree."""
    done = subprocess.run(
        [sys.executable, "-m", "repo2docker", "--no-build", "--debug", str(released.tree)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_repo2docker_finds_all_that_binder_holds(dockerfile):
    steps = [
        "FROM ",
        'pip install --no-cache-dir -r "binder/requirements.txt"',
        "COPY --chown=0:0 src/ ${REPO_DIR}/",
        "RUN ./binder/postBuild",
        'ENV R2D_ENTRYPOINT="${REPO_DIR}/binder/start"',
        "ENTRYPOINT ",
    ]
    places = [dockerfile.index(step) for step in steps]
    assert places == sorted(places)  # packages before the tree: a corrected lesson does not install torch again
    assert re.search(r"environment\S*3-2e12-2dlinux", dockerfile), "Python 3.12"
    assert "apt.txt" not in dockerfile and "environment.yml" not in dockerfile


def test_its_packages_are_the_pins_with_the_cpu_build_of_torch(released):
    lines = [
        line.split()[0]
        for line in (released.tree / "binder/requirements.txt").read_text("utf-8").splitlines()
        if line and line[0] != "#"
    ]
    assert lines[0] == "--extra-index-url=https://download.pytorch.org/whl/cpu"
    pins = {
        line.split()[0] for line in (released.tree / "requirements.txt").read_text("utf-8").splitlines() if "==" in line
    }
    assert {line.removesuffix("+cpu") for line in lines[1:]} <= pins
    assert [line.split("==")[0] for line in lines if line.endswith("+cpu")] == ["torch", "torchvision"]
    assert not [line for line in lines if line.startswith(("nvidia", "jupyter", "ipy", "notebook"))]


@pytest.fixture(scope="module")
def image(released, tmp_path_factory):
    """The image: binder/requirements.txt installed beside this torch, the tree in a folder of its own, postBuild run."""
    folder = tmp_path_factory.mktemp("binder")
    there = Elsewhere(folder, IMAGE)
    there.tree = folder / "srv"
    shutil.copytree(released.tree, there.tree)
    wanted = (there.tree / "binder/requirements.txt").read_text("utf-8").replace("+cpu", "")
    (folder / "requirements.txt").write_text(re.sub(r"(?m)^--.*\n", "", wanted))
    there(
        "-m",
        "pip",
        "install",
        "-q",
        "--disable-pip-version-check",
        "-r",
        str(folder / "requirements.txt"),
        timeout=PATIENCE,
    )
    there.path = os.pathsep.join([str(there.python.parent), os.environ["PATH"]])
    subprocess.run(
        [str(there.tree / "binder/postBuild")],
        cwd=there.tree,
        env=there.environment(PATH=there.path),
        check=True,
        timeout=PATIENCE,
    )
    yield there
    shutil.rmtree(folder)


def start(image, home, *command):
    """Run what an image runs at its start, with this home folder; what it printed."""
    variables = image.environment(PATH=image.path, REPO_DIR=str(image.tree), HOME=str(home))
    done = subprocess.run(
        [str(image.tree / "binder/start"), *command], env=variables, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout


def test_the_set_is_what_pip_would_install_and_fits_together(image):
    installed = image.frozen()
    for line in (image.tree / "binder/requirements.txt").read_text("utf-8").splitlines():
        if found := re.match(r"([\w.-]+)==([\w.]+)(?:\+cpu)?\s*(;?)", line):
            assert found[3] or installed[found[1].lower().replace("_", "-")] == found[2], line
    assert "No broken requirements" in image("-m", "pip", "check", "--disable-pip-version-check")


def test_at_each_start_the_students_copies_are_there_and_theirs(image, tmp_path):
    assert start(image, tmp_path, "echo", "jupyter", "lab") == "jupyter lab\n"
    work = tmp_path / "work"
    for lesson in LESSONS:
        copy, release = work / lesson / f"{lesson}.ipynb", image.tree / "lessons" / lesson / f"{lesson}.ipynb"
        assert copy.read_bytes() == release.read_bytes()
    mine = work / LESSON / f"{LESSON}.ipynb"
    mine.write_text(mine.read_text("utf-8").replace('"?"', '"a"'), "utf-8")
    before = mine.read_bytes()
    start(image, tmp_path, "true")
    assert mine.read_bytes() == before

    first = nbformat.read(mine, as_version=4).cells[0].source
    opened = re.search(r"mybinder\.org/v2/gh/someone/course/v1\?urlpath=lab/tree/([^)]+)\)", first)[1]
    assert (tmp_path / opened) == mine  # Binder's badge opens that copy


def test_a_home_that_cant_be_written_does_not_keep_jupyter_from_starting(image, tmp_path):
    (tmp_path / "work").write_text("a file in the way")
    variables = image.environment(PATH=image.path, REPO_DIR=str(image.tree), HOME=str(tmp_path))
    done = subprocess.run(
        [str(image.tree / "binder/start"), "echo", "started"],
        env=variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0 and done.stdout == "started\n"


def test_a_lesson_runs_whole_in_binders_memory(image, monkeypatch, measured):
    """The kernel may hold 2 GB of its own (RLIMIT_DATA: all that it may write to, more than it uses), not a byte more.

    Experiments take four steps: what they need in memory is there from the first one.
    """
    start(image, image.home, "true")
    monkeypatch.setenv("BINDER_SERVICE_HOST", "10.0.0.1")
    image.limit(MEMORY)
    lesson = nbformat.read(image.home / "work" / LESSON / f"{LESSON}.ipynb", as_version=4)
    for cell in lesson.cells:
        cell.source = re.sub(r"cpu=\((\d+), \d+\)", r"cpu=(\1, 4)", cell.source)
    told = "import resource; print(resource.getrlimit(resource.RLIMIT_DATA)[0], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    lesson.cells.append(nbformat.v4.new_code_cell(told))
    cells = image.run(lesson, monkeypatch)
    limit, peak = (int(number) for number in texts(cells[-1]).split())
    setup = next(cell for cell in cells if cell.cell_type == "code")
    assert limit == MEMORY and "Binder forgets everything" in texts(setup)
    measured(f"lesson 02 in 2 GB: its kernel took {peak / 1e3:.0f} MB")


def test_the_limit_is_a_real_one(image, monkeypatch):
    image.limit(MEMORY)
    greedy = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import torch; torch.ones(2**29)")])
    with pytest.raises(Exception, match="memory|died"):
        image.run(greedy, monkeypatch)
