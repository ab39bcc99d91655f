"""Lessons move to a GPU by themselves: seen on a pretended one, which refuses to mix its tensors with the CPU's."""

import re
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support.course import ROOT, notebook, process_env
from tests.support.processes import PATIENCE

pytestmark = pytest.mark.slow

START = "from tests.support import pretend_gpu\nmodes = pretend_gpu.start()"
DEVICES = ["03_fcn"]  # it does most with tensors of both kinds; all lessons passed when this was written


def run(cells, folder, monkeypatch):
    """Run code cells in a kernel that has the pretended GPU."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(START), *cells])
    for name, value in process_env().items():
        monkeypatch.setenv(name, value)
    NotebookClient(
        book, timeout=PATIENCE, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    return "".join(o.get("text", "") for c in book.cells for o in c.get("outputs", []))


@pytest.mark.parametrize("lesson", DEVICES)
def test_a_lesson_runs_whole_on_a_gpu_without_an_edit_to_a_cell(lesson, tmp_path, monkeypatch):
    """But for its length: an experiment has four steps, and the CPU's size."""
    cells = notebook("solutions", lesson).cells
    for cell in cells:
        cell.source = re.sub(r"cpu=\((\d+), (\d+)\), gpu=\(\d+, \d+\)", r"cpu=(\1, \2), gpu=(\1, 4)", cell.source)
        cell.source = re.sub(r"cpu=(\d+), gpu=\d+\)", r"cpu=\1, gpu=\1)", cell.source)
    said = run(cells, tmp_path, monkeypatch)
    assert "device: cuda" in said


REFUSED = {
    "net(images)": "Expected all tensors to be on the same device",
    "gpu(images) + images": "Expected all tensors to be on the same device",
    "images[gpu(images) > 0.5]": "indices should be",
    "gpu(images).numpy()": "can't convert cuda:0",
}


def test_the_pretended_gpu_refuses_what_a_gpu_refuses():
    """In a process of its own, since it changes torch."""
    code = f"""{START}
from course_lib import data, models, train
gpu = lambda tensor: tensor.to(train.device())
images, masks = data.stack(data.scenes("val", 16, length=2), 2)
net = gpu(models.UNet(classes=3, base=4, depth=2))
assert gpu(images).device.type == next(net.parameters()).device.type == "cuda"
assert train.predict(net, images).device.type == gpu(images).cpu().device.type == "cpu"
for line in {list(REFUSED)}:
    try:
        eval(line)
    except (RuntimeError, TypeError, IndexError) as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=process_env(), capture_output=True, text=True)
    said = done.stdout.splitlines()
    assert done.returncode == 0 and len(said) == len(REFUSED), done.stdout + done.stderr
    assert all(error in line for error, line in zip(REFUSED.values(), said, strict=True)), said
