"""The user's own settings in pip's way: each is told by a real pip, and becomes one sentence with its file or variable."""

import contextlib
import re
import socket
import subprocess
import sys

import pytest

from course_lib.start import environment, pip, settings
from course_lib.start.errors import Stop
from tests.support import nobody
from tests.support.hostile import NOWHERE
from tests.support.processes import PATIENCE
from tests.support.wheels import small_checkout

IN_FILES = {
    "constraint": ("constraint = {here}/limits.txt", r"constraints in .*limits\.txt \(named in .*pip\.conf\) don't allow \w+==1\.0: take it out"),
    "index": (f"index-url = {NOWHERE}/simple", rf"Your pip asks {NOWHERE}/simple \(index-url in .*pip\.conf\), which does not answer: "),
    "proxy": (f"proxy = {NOWHERE}", rf"The proxy {NOWHERE} \(.*pip\.conf\) does not answer: put it right or take it out"),
    "hashes": ("require-hashes = true", r"setting require-hashes = true \(.*pip\.conf\) stands in the way: take it out"),
    "user": ("user = true", r"setting user = true \(.*pip\.conf\) stands in the way: take it out"),
}  # fmt: skip


@pytest.fixture
def checkout(tmp_path):
    return small_checkout(tmp_path)


def ask_the_index(root):
    """Let the checkout's packages come from pip's index, as the course's do."""
    path = root / "requirements.txt"
    path.write_text(re.sub(r"(?m)^--.*\n", "", path.read_text("utf-8")))


@pytest.mark.parametrize("case", IN_FILES)
def test_a_line_in_pips_file_is_named_with_its_file(case, checkout, monkeypatch):
    line, said = IN_FILES[case]
    (checkout.parent / "limits.txt").write_text("torch<1\ntiny<1\n")
    file = checkout.parent / "pip.conf"
    file.write_text(f"[global]\n{line.format(here=checkout.parent)}\nretries = 1\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    if case in ("index", "proxy"):
        ask_the_index(checkout)
    with pytest.raises(Stop, match=said) as stopped:
        environment.ensure(("requirements.txt",), root=checkout)
    sentence = str(stopped.value)
    assert "\n" not in sentence and sentence.endswith("start again.") and "PIP_CONFIG_FILE=" in sentence


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("HTTPS_PROXY", rf"The proxy {NOWHERE} \(HTTPS_PROXY\) does not answer: put it right or unset HTTPS_PROXY"),
        ("PIP_CONSTRAINT", r"constraints in .*limits\.txt \(named in PIP_CONSTRAINT\) don't allow \w+==1\.0: unset PIP_CONSTRAINT"),
        ("PIP_INDEX_URL", rf"asks {NOWHERE}/simple \(index-url in PIP_INDEX_URL\), which does not answer: unset PIP_INDEX_URL"),
    ],
)  # fmt: skip
def test_a_variable_is_named(variable, said, checkout, monkeypatch):
    (checkout.parent / "limits.txt").write_text("torch<1\ntiny<1\n")
    value = {"PIP_CONSTRAINT": str(checkout.parent / "limits.txt"), "PIP_INDEX_URL": f"{NOWHERE}/simple"}.get(
        variable, NOWHERE
    )
    monkeypatch.setenv(variable, value)
    monkeypatch.setenv("PIP_RETRIES", "1")
    if variable != "PIP_CONSTRAINT":
        ask_the_index(checkout)
    with pytest.raises(Stop, match=said) as stopped:
        environment.ensure(("requirements.txt",), root=checkout)
    assert "\n" not in str(stopped.value) and str(stopped.value).endswith("start again.")


def test_settings_that_are_not_in_the_way_are_not_blamed():
    harmless = [
        settings.Setting("constraint", "c.txt", "pip.conf", True),
        settings.Setting("index-url", "http://a/simple", "pip.conf", True),
    ]
    for said in (
        "No space left on device",
        "ERROR: Exception: Read timed out. (host='other')",
        "Permission denied: 'x'",
    ):
        assert "pip.conf" not in pip.explain([said], "log", users=harmless)


def test_a_pip_that_does_not_start_tells_no_settings(tmp_path):
    assert settings.of_pip(tmp_path / "python") == []


def test_a_proxy_that_leads_nowhere_is_left_out_and_one_that_answers_is_kept():
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        there = f"127.0.0.1:{server.getsockname()[1]}"
        assert nobody._answers(f"http://user:word@{there}") and nobody._answers(there)
    assert not any(map(nobody._answers, (f"http://{there}", "http://127.0.0.1:9", "http://", "nonsense:port")))


def test_under_the_worst_settings_the_tests_see_none(tmp_path):
    """A few quick tests that start pip, git, Python, notebooks' libraries and figures, under the settings of hostile.py."""
    chosen = [
        "tests/start/test_cli.py::test_two_starts_at_once_share_one_set_up",
        "tests/start/test_suite.py",
        "tests/plot/test_dilation.py",
    ]
    code = "import sys; from course_lib.start import cli; sys.exit(cli.run_tests(sys.executable, sys.argv[1:]))"
    command = [sys.executable, "tests/support/hostile.py", sys.executable, "-c", code, "-q", *chosen]
    done = subprocess.run(command, cwd=environment.ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
