"""The GPU benchmark runs where there is no GPU, in its tiny form, and says that this is what it is."""

import importlib.util
import re

import pytest
import torch

from course_lib import train
from tests.support.course import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("bench_gpu", ROOT / "tools" / "bench_gpu.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_runs_whole_in_its_tiny_form(bench):
    said = []
    bench.main(["--tiny", "--rounds", "1", "--size", "32", "--most", "20"], said.append)
    text = "\n".join(said)
    rows = re.findall(r"^\| (.+?) \| [\d.]+ M \| (.+?) \| ([\d.,]+) \| [\d.]+ \| \d+% \|.*\|$", text, re.M)
    assert len({name for name, *_ in rows}) == 3 and len(rows) == 6 and rows[0][0].startswith("our U-Net")
    assert {way for _, way, _ in rows} == {"mixed precision, channels_last", "float32, contiguous"}
    assert all(float(rate.replace(",", "")) > 0 for *_, rate in rows)
    assert re.search(r"times the images a second of plain float32\.", text)
    assert re.search(
        r"mIoU 0\.30 on Menagerie's validation split \(.*\) (after 20 steps and [\d.]+ s|was not reached in 20 steps)",
        text,
    )
    assert "say nothing about" in text
    if train.device().type == "cpu":
        assert "No GPU: this is the tiny form on the CPU." in text


def test_its_step_is_that_of_fit(bench, monkeypatch):
    """The same weights after the same batch: what is measured is what lessons do."""
    monkeypatch.setattr(train, "device", lambda: torch.device("cpu"))
    items = [(torch.rand(3, 16, 16), torch.randint(0, 3, (16, 16))) for _ in range(2)]
    nets = []
    for _ in range(2):
        torch.manual_seed(0)
        nets.append(bench.models.UNet(classes=3, base=4, depth=2))
    train.fit(nets[0], items, steps=1, batch=2, lr=1e-4)
    order = [items[i] for i in (train.Batches(items, 1, 2, 0).index(p) for p in range(2))]
    bench.step_of(nets[1], torch.device("cpu"), None, True, *train.collate(order))()
    for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-7)


def test_networks_are_of_like_size(bench):
    with torch.device("meta"):
        sizes = [bench.models.count_parameters(make()) for make in bench.networks(tiny=False).values()]
    assert max(sizes) / min(sizes) < 1.1 and 30e6 < min(sizes)
