"""README's two commands, as a reader types them: a fresh clone, an empty home folder, a real set-up, a real server."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.support.course import ROOT
from tests.support.processes import PATIENCE, wait_for
from tests.support.system_packages import needs_packages, needs_system

COMMANDS = re.findall(r"^python3 -m course_lib \w+$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
ADDRESS = re.compile(r"http://(?:localhost|127\.0\.0\.1):\d+(/lab/tree/\S+\.ipynb)\?token=(\w+)")

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="a clone on Windows has no python3")]


def test_readme_has_the_two_commands():
    assert COMMANDS[:2] == ["python3 -m course_lib lab", "python3 -m course_lib test"]


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A fresh clone and a shell's environment with an empty home, in which python3 is the one .venv was made with."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout to clone")
    folder = tmp_path_factory.mktemp("reader")
    clone, home, bin_ = folder / "course", folder / "home", folder / "bin"
    subprocess.run([needs_system("git"), "clone", "--quiet", str(ROOT), str(clone)], check=True)
    home.mkdir()
    bin_.mkdir()
    (bin_ / "python3").symlink_to(getattr(sys, "_base_executable", sys.executable))
    env = {**os.environ, **needs_packages()}
    path = [part for part in env["PATH"].split(os.pathsep) if Path(part) != Path(sys.prefix, "bin")]
    env.update(HOME=str(home), PATH=os.pathsep.join([str(bin_), *path]), PYTHONUNBUFFERED="1")
    yield clone, env
    shutil.rmtree(folder)


def start(reader):
    """Run README's `lab` until JupyterLab answers; returns (its process, its output, the path it opens, token, seconds)."""
    clone, env = reader
    began = time.monotonic()
    output = clone / "lab.log"
    with open(output, "w") as log:
        # no browser here; everything else is README's line
        process = subprocess.Popen(
            [*COMMANDS[0].split(), "--no-browser"], cwd=clone, env=env, stdout=log, stderr=subprocess.STDOUT
        )
    try:

        def answers():
            said = output.read_text()
            assert process.poll() is None, said
            if found := ADDRESS.search(said):
                base = found[0].partition("/lab/")[0]
                if answer(f"{base}/api/status?token={found[2]}"):
                    return process, said, base + found[1], found[2], time.monotonic() - began

        return wait_for(answers, output.read_text, limit=3 * PATIENCE)  # the first time it downloads 3 GB
    except BaseException:
        stop(process)
        raise


def answer(address):
    try:
        with urllib.request.urlopen(address, timeout=PATIENCE) as response:
            return response.read().decode() if response.status == 200 else ""
    except (urllib.error.URLError, TimeoutError):
        return ""


def stop(process):
    process.terminate()
    try:
        process.wait(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def test_lab_opens_lesson_00_and_test_finds_the_tests(reader, measured):
    clone, env = reader
    process, said, page, token, first = start(reader)
    try:
        assert "/00_start_here/00_start_here.ipynb" in page
        assert "JupyterLab" in answer(f"{page}?token={token}")
        api = page.partition("/lab/")[0] + "/api/contents/00_start_here/00_start_here.ipynb"
        opened = json.loads(answer(f"{api}?token={token}"))
        copy = clone / "work" / "00_start_here" / "00_start_here.ipynb"
        assert [c["id"] for c in opened["content"]["cells"]] == [
            c["id"] for c in json.loads(copy.read_text("utf-8"))["cells"]
        ]
        assert said.count("\n") < 60, "noise"
    finally:
        stop(process)
    process, said, *_, second = start(reader)
    stop(process)
    assert "Setting up" not in said and "Bringing" not in said

    began = time.monotonic()
    done = subprocess.run(
        [*COMMANDS[1].split(), "--collect-only", "-q"], cwd=clone, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert re.search(r"\d+ tests collected", done.stdout)
    megabytes = sum(f.stat().st_size for f in (clone / ".venv").rglob("*") if f.is_file() and not f.is_symlink()) / 1e6
    measured(f"README from a fresh clone: lab answers after {first:.0f} s, the second time after {second:.1f} s")
    measured(f"test finds its tests after {time.monotonic() - began:.0f} s; .venv {megabytes:.0f} MB")
    assert subprocess.run(
        ["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True
    ).stdout.split() in ([], ["??", "lab.log"])
