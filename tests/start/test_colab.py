"""A lesson on Colab, as near as it comes without Google: torch is there, the course is not, and nobody has a checkout."""

import importlib.metadata
import json
import os
import shutil
import time
import zipfile

import nbformat
import pytest

from course_lib.grading import frame
from tests.support.course import LESSONS, Released, notebook
from tests.support.elsewhere import Elsewhere, texts

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Colab is a Linux")

LESSON = "00_start_here"
ADDRESS = f"https://github.com/{Released.REPOSITORY}/archive/{Released.TAG}.zip"
# What Colab has of what lessons use; it lacks torchmetrics.
COLAB = ("torch", "torchvision", "numpy", "pillow", "matplotlib", "ipywidgets", "tqdm", "psutil", "ipykernel", "pip")
NEW = {"course-lib", "torchmetrics", "lightning-utilities"}
MESSAGE = """import json, os
def blocking_request(kind, request="", timeout_sec=5):
    assert kind == "get_ipynb"
    return {"ipynb": json.load(open(os.environ["THE_PAGE"]))}
"""


@pytest.fixture(scope="module")
def colab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("colab")
    there = Elsewhere(folder, COLAB)
    fake = there.packages / "google" / "colab"
    fake.mkdir(parents=True)
    (fake / "__init__.py").touch()
    (fake / "_message.py").write_text(MESSAGE)
    yield there
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def archive(released, tmp_path_factory):
    """What GitHub gives for the tag: a zip of the released tree in a folder of its own."""
    path = tmp_path_factory.mktemp("github") / "v1.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in released.names:
            file.write(released.tree / name, f"course-{Released.TAG}/{name}")
    return path


def test_the_notebook_installs_the_course_keeps_torch_and_writes_the_file_to_hand_in(
    colab, archive, released, monkeypatch, measured
):
    path = released.tree / "lessons" / LESSON / f"{LESSON}.ipynb"
    lesson = nbformat.read(path, as_version=4)
    setup = next(cell for cell in lesson.cells if cell.cell_type == "code")
    assert ADDRESS in setup.source
    setup.source = setup.source.replace(ADDRESS, archive.as_uri())  # in place of the download
    asked = "import course_lib, torch; print(course_lib.__file__, torch.__file__)"
    lesson.cells.insert(-1, nbformat.v4.new_code_cell(asked))
    before = colab.frozen()
    assert not NEW & set(before) and before["torch"] == importlib.metadata.version("torch")

    began = time.perf_counter()
    cells = colab.run(lesson, monkeypatch, THE_PAGE=str(path))
    seconds = time.perf_counter() - began
    after = colab.frozen()
    assert set(after) - set(before) == NEW and {name: after[name] for name in before} == before

    first = next(cell for cell in cells if cell.cell_type == "code")
    assert "Save a copy in Drive" in texts(first) and "GPU: " in texts(first)
    assert not [texts(cell, "stderr") for cell in cells if texts(cell, "stderr")]
    ours, torch = texts(cells[-2]).split()
    assert str(colab.python.parent.parent) in ours and str(colab.packages) in torch
    views = [
        o["data"]
        for cell in cells
        for o in cell.get("outputs", [])
        if "application/vnd.jupyter.widget-view+json" in o.get("data", {})
    ]
    pictures = [data for data in views if "tqdm" not in data["text/plain"] and "it/s" not in data["text/plain"]]
    assert pictures and all("image/png" in data for data in pictures)  # what shows where Colab has no widgets

    [shown] = cells[-1].outputs
    assert "Answered: 0 of 7" in shown["data"]["text/plain"] and "Not yet: count_pixels" in shown["data"]["text/plain"]
    written = colab.home / "hand_in" / f"{LESSON}.ipynb"
    page = json.loads(path.read_text("utf-8"))  # what the page holds, as GitHub's file is what it opened
    assert json.loads(written.read_text("utf-8"))["cells"] == page["cells"]
    measured(f"on a simulated Colab: lesson 00 whole, with installing the course, {seconds:.0f} s")


def test_installing_brings_the_course_and_what_colab_lacks_and_no_more(colab, archive, measured):
    """The same line again, from nothing: what a reader waits for before the lesson's first import. Its time is printed."""
    colab("-m", "pip", "uninstall", "-q", "-y", "--disable-pip-version-check", *NEW)
    began, spent = time.perf_counter(), os.times()
    said = colab("-m", "pip", "install", "--disable-pip-version-check", archive.as_uri())
    seconds, cpu = time.perf_counter() - began, sum(os.times()[2:4]) - sum(spent[2:4])
    assert "Uninstalling" not in said and NEW <= set(colab.frozen())
    line = next(line for line in said.splitlines() if line.startswith("Successfully installed"))
    assert len(line.split()) == 2 + len(NEW), line
    measured(f"installing the course beside Colab's torch: {seconds:.0f} s")
    assert cpu < 60


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_lesson_starts_and_ends_alike(lesson):
    """One source: only the lesson's own lines and name differ."""
    cells = notebook("lessons", lesson).cells
    setup = next(cell for cell in cells if cell.cell_type == "code")
    head, tail = frame.around("|", {"repository": ""}).split("|")
    assert setup.metadata.nbgrader.grade_id == "setup"
    assert setup.source.startswith(head) and setup.source.endswith(tail) and len(setup.source.splitlines()) <= 25
    assert cells[-1].source == frame.hand_in(lesson) and "nbgrader" not in cells[-1].metadata


def test_a_copy_without_an_address_says_so_on_colab_and_only_there(colab, monkeypatch):
    code = frame.around("", {"repository": ""}).partition("from course_lib")[0]
    exec(code, {})  # here it does nothing
    with pytest.raises(AssertionError, match="This copy does not say where its course is: open a released lesson"):
        colab("-c", code)
