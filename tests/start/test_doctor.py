"""The doctor: each line on a machine that has what it asks for, and on one that lacks it."""

import os
import re
import shutil
import subprocess
import sys
import webbrowser

import pytest

from course_lib.start import doctor, environment
from course_lib.start.doctor import BAD, GOOD, NOTE
from course_lib.start.errors import Stop
from tests.support.course import ROOT
from tests.support.processes import PATIENCE


@pytest.fixture
def tree(tmp_path):
    """A course of one lesson, without an environment."""
    (tmp_path / "lessons" / "00_a").mkdir(parents=True)
    (tmp_path / "lessons" / "00_a" / "00_a.ipynb").touch()
    (tmp_path / "requirements.txt").write_text("torch==1.0\ntqdm==1.0  # bars\n")
    return tmp_path


def test_the_command_runs_before_anything_is_installed_and_ends_with_a_verdict():
    done = subprocess.run(
        [sys.executable, "-S", "-m", "course_lib", "doctor"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": "", "PIP_NO_INDEX": "1"},
        timeout=PATIENCE,
    )
    lines = done.stdout.splitlines()
    assert not done.stderr and all(re.match(r"(ok|note|NO)  |      → |$|The course can", line) for line in lines), (
        done.stdout
    )
    assert done.returncode == any(line.startswith("NO") for line in lines)
    assert lines[-1].startswith("The course can run here" if done.returncode == 0 else "The course can't run here")


def test_what_is_bad_makes_the_status_1(tree, monkeypatch, capsys):
    for name in ("torch", "network"):
        monkeypatch.setattr(doctor, name, lambda root, complete: (GOOD, "fine", ""))
    monkeypatch.setattr(doctor, "memory_gb", lambda: (8.0, 6.0))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(100e9, 0, 50e9))
    assert doctor.main((), root=tree) == 0
    assert "The course can run here: python3 -m course_lib lab sets it up and opens it." in capsys.readouterr().out
    monkeypatch.setattr(doctor, "memory_gb", lambda: (1.0, 0.5))
    assert doctor.main((), root=tree) == 1
    said = capsys.readouterr().out
    assert (
        "NO    1.0 GB of memory, 0.5 GB of it free\n      → The course needs 2 GB: take another machine, Binder or Colab.\n"
        in said
    )
    assert said.rstrip().endswith("see to what NO stands before, and ask again.")


def test_an_argument_is_a_sentence():
    with pytest.raises(Stop, match="doctor takes no --fix"):
        doctor.main(["--fix"])


@pytest.mark.parametrize(
    ("gb", "status"),
    [((16.0, 9.0), GOOD), ((16.0, 1.0), NOTE), ((2.0, 1.9), GOOD), ((1.5, 1.4), BAD), ((None, None), NOTE)],
)
def test_memory(monkeypatch, gb, status):
    monkeypatch.setattr(doctor, "memory_gb", lambda: gb)
    assert doctor.memory()[0] == status


def test_memory_is_that_of_this_machine():
    psutil = pytest.importorskip("psutil")
    total, free = doctor.memory_gb()
    assert 0 < free <= total <= 1.01 * psutil.virtual_memory().total / 1e9


@pytest.mark.parametrize(("free", "status", "said"), [(20, GOOD, ""), (5, NOTE, "add --cpu"), (1, BAD, "make room")])
def test_disk_before_the_set_up(tree, monkeypatch, free, status, said):
    monkeypatch.setattr(doctor, "LINUX", True)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(100e9, 0, free * 1e9))
    found = doctor.disk(tree, complete=False)
    assert found[0] == status and said in found[2]
    assert doctor.disk(tree, complete=True)[0] == GOOD


def test_the_course_and_git(tree):
    assert "no git checkout" in doctor.course(tree)[1] and doctor.course(tree)[0] == GOOD
    (tree / ".git").mkdir()
    assert re.search(r"1 lessons?, a git checkout", doctor.course(tree)[1])
    shutil.rmtree(tree / "lessons")
    assert doctor.course(tree)[0] == BAD and "Get the course again" in doctor.course(tree)[2]


def test_a_python_that_cant_make_environments(tree, monkeypatch):
    assert doctor.venv(tree, complete=False)[0] == NOTE
    monkeypatch.setattr(environment, "has_module", lambda name: name != "ensurepip")
    status, found, advice = doctor.venv(tree, complete=False)
    assert status == BAD and "ensurepip" in found and "-venv" in advice
    assert doctor.venv(tree, complete=True)[0] == GOOD


def test_network_is_asked_for_as_the_set_up_asks(tree, monkeypatch):
    assert doctor.network(tree, complete=True) == (GOOD, "no network is needed", "")
    for status, expected in ((0, GOOD), (1, BAD)):
        asked = []
        monkeypatch.setattr(
            subprocess,
            "run",
            lambda command, **k: asked.append(command) or subprocess.CompletedProcess(command, status),
        )
        assert doctor.network(tree, complete=False)[0] == expected
        assert "tqdm==1.0" in asked[0] and "download" in asked[0]

    def refuse(*args, **kwargs):
        raise OSError("no route")

    monkeypatch.setattr(environment, "has_module", lambda name: name != "pip")  # Debian's Python without pip
    monkeypatch.setattr(doctor.urllib.request, "urlopen", refuse)
    assert doctor.network(tree, complete=False)[0] == BAD and "HTTPS_PROXY" in doctor.network(tree, complete=False)[2]


@pytest.mark.parametrize(
    ("said", "card", "status", "words"),
    [
        ("2.14.1 | Tesla T4", "Tesla T4", GOOD, "on Tesla T4"),
        ("2.14.1+cpu | ", "", GOOD, "on the CPU"),
        ("2.14.1+cpu | ", "Tesla T4", NOTE, "start without --cpu"),
        ("2.14.1 | ", "Tesla T4", NOTE, "newer NVIDIA driver"),
        ("2.14.1 | Apple's GPU", "", GOOD, "on Apple's GPU"),
        ("", "", BAD, "does not start"),
    ],
)
def test_torch_and_the_gpu(tree, monkeypatch, said, card, status, words):
    monkeypatch.setattr(doctor, "nvidia", lambda: card)
    monkeypatch.setattr(
        subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, 0 if said else 1, said + "\n", "")
    )
    found = doctor.torch(tree, complete=True)
    assert found[0] == status and words in " ".join(found)


def test_torch_is_really_asked(monkeypatch):
    monkeypatch.setattr(environment, "python_in", lambda venv: sys.executable)
    status, found, _ = doctor.torch(ROOT, complete=True)
    import torch

    assert status in (GOOD, NOTE) and f"PyTorch {torch.__version__}" in found


def test_browser_and_sandbox(monkeypatch):
    def none():
        raise webbrowser.Error("none")

    monkeypatch.setattr(webbrowser, "get", none)
    assert doctor.browser()[0] == NOTE and "Open the address" in doctor.browser()[2]
    monkeypatch.setattr(doctor, "LINUX", True)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert doctor.sandbox()[0] == NOTE and "apt install bubblewrap" in doctor.sandbox()[2]
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/bwrap")
    for status, expected in ((0, GOOD), (1, NOTE)):
        monkeypatch.setattr(subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, status))
        assert doctor.sandbox()[0] == expected
