"""The suite itself: what it sees of the user's settings, which tests it chooses, and what it says where it fails."""

import os
import subprocess
import sys
import time
from pathlib import Path

import matplotlib
import pytest

from tests.support import nobody, processes, report
from tests.support.course import LESSONS, ROOT

USERS = ("PYTHONPATH", "TORCHINDUCTOR_CACHE_DIR", "MPLBACKEND", "PIP_CONSTRAINT", "IPYTHONDIR")
USERS += ("JUPYTER_CONFIG_DIR", "GIT_DIR", "HTTPS_PROXY", "https_proxy", "XDG_CONFIG_HOME", "LANG", "THEIR_OWN")


def test_nothing_of_the_users_is_seen():
    # in a process of its own: what other tests of this worker have set is theirs
    code = "from tests.support import nobody; nobody.become(); import os, sys; print(*os.environ, file=sys.stderr)"
    theirs = os.environ | {name: "/theirs" for name in USERS}
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=theirs, capture_output=True, text=True).stderr
    ours = {"HOME", "USERPROFILE", "LC_ALL", "TZ", "PIP_CONFIG_FILE", "MPLCONFIGDIR", "OMP_WAIT_POLICY"}
    ours |= {"GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_GLOBAL", "OMP_NUM_THREADS", "LC_CTYPE", "COLUMNS", "LINES"}
    assert {name for name in said.split() if not name.startswith("PYTEST_")} <= nobody.KEPT | ours
    assert not set(USERS) & set(said.split())
    assert Path.home() != Path(nobody.users.get("HOME", "/")) and os.access(Path.home(), os.W_OK)
    assert time.tzname[0] == "UTC" and os.umask(0o022) == 0o022
    assert matplotlib.rcParams["font.size"] == 10 and not os.path.exists(
        nobody.os.environ["MPLCONFIGDIR"] + "/matplotlibrc"
    )
    git = subprocess.run(["git", "config", "--list"], cwd="/", capture_output=True, text=True).stdout
    assert "gpgsign" not in git and "hookspath" not in git


def test_a_process_beside_knows_whose_tests_these_are(tmp_path):
    text = "import os\nfrom tests.support import nobody\n\n\ndef test_a():\n    print(nobody.users['THEIRS'])\n"
    text += "    os.environ['SEEN'] = 'yes'\n\n\ndef test_b():\n    assert os.environ['SEEN']\n"  # the same process
    (tmp_path / "test_it.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-q", "-c", os.devnull]
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")} | {
        "PYTHONPATH": str(ROOT),
        "THEIRS": "1",
    }
    settings = dict(cwd=tmp_path, env=env, capture_output=True, text=True)
    done = subprocess.run([*command, "-n", "2", "test_it.py"], **settings)
    assert "2 passed" in done.stdout, done.stdout


def test_a_process_whose_parent_has_gone_is_found_and_others_are_not():
    before = set(processes.started())
    code = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])"
    subprocess.run([sys.executable, "-c", code], check=True)
    [orphan] = [p for p in processes.started() if p not in before]
    orphan.kill()
    assert processes.left_after(before) == []


def test_what_failures_say_becomes_what_to_do():
    assert report.causes("this test needs bubblewrap (on Debian: apt-get install bubblewrap)") == [
        "bubblewrap is missing: install it (on Debian and Ubuntu: apt-get install bubblewrap)"
    ]
    assert report.causes("OSError: [Errno 28] No space left on device")[0].startswith("the disk is full")
    assert report.causes("RuntimeError: can't allocate memory: you tried to allocate 8 bytes")[0].startswith(
        "memory ran out"
    )
    assert report.causes("ModuleNotFoundError: No module named 'distributed'")[0].startswith(
        "the package distributed is"
    )
    assert report.causes("ModuleNotFoundError: No module named 'course_lib.gone'") == []
    assert report.causes("assert 2 >= 6") == []


def run(folder, text, *options):
    """pytest, with this suite's own conftest, on one small file."""
    (folder / "test_it.py").write_text(text)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.conftest",
        "-p",
        "no:cacheprovider",
        "-q",
        "-c",
        os.devnull,
        *options,
    ]
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")} | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([*command, "test_it.py"], cwd=folder, env=env, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_a_suite_that_fails_says_at_its_end_what_to_do(tmp_path):
    text = "def test_a():\n    raise MemoryError\n\n\ndef test_b():\n    assert 2 >= 6\n"
    status, said = run(tmp_path, text)
    last = said[said.index("What you can do") :]
    assert status == 1 and "This machine (1 failure): memory ran out: end other programs" in last
    assert "The course itself (1 failure): report them " in last and "course_lib test test_it.py::test_b" in last
    assert "What you can do" not in run(tmp_path, "def test_a():\n    pass\n")[1]


def test_quick_and_one_lessons_tests_are_chosen(tmp_path):
    names = [LESSONS[2], LESSONS[5]]
    text = "import pytest\n\n\n@pytest.mark.slow\ndef test_slow():\n    pass\n\n\ndef test_all():\n    pass\n\n\n"
    text += f"@pytest.mark.parametrize('name', {names})\ndef test_each(name):\n    pass\n\n\n"
    text += f"@pytest.mark.lesson({names[1]!r})\ndef test_marked():\n    pass\n"
    assert "5 passed" in run(tmp_path, text)[1]
    assert "4 passed, 1 deselected" in run(tmp_path, text, "--quick")[1]
    assert "2 passed, 3 deselected" in run(tmp_path, text, "--lesson", "05")[1]
    status, said = run(tmp_path, text, "--lesson", "77")
    assert status == pytest.ExitCode.USAGE_ERROR and "There is no lesson 77: the lessons are 00_start_here" in said
