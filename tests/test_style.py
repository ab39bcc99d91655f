"""ruff, by the settings in pyproject.toml: nothing to lint, nothing to format."""

import subprocess
import sys

import pytest

from tests.support.course import ROOT


@pytest.mark.parametrize("what", [["check"], ["format", "--check"]], ids="-".join)
def test_ruff_has_nothing_to_say(what):
    command = [sys.executable, "-m", "ruff", *what, "--no-cache", "--quiet", "--output-format=concise", "."]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    said = (done.stdout + done.stderr).splitlines()
    assert done.returncode == 0, "\n".join([*said[:20], f"{len(said)} lines in all: python -m ruff {' '.join(what)} ."])
