"""The command line and the set-up, without a network: real environments, made of tiny wheels, and recorded words of pip."""

import ast
import hashlib
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from course_lib.author import release
from course_lib.start import cli, environment, lab, pip
from course_lib.start.errors import Stop
from tests.support.course import ROOT
from tests.support.processes import PATIENCE
from tests.support.wheels import require, small_checkout, wheel


@pytest.fixture
def checkout(tmp_path):
    return small_checkout(tmp_path)


def ensure(root, *more, **settings):
    return environment.ensure(("requirements.txt", *more), root=root, **settings)


def installed(root):
    """Names and versions of what is installed, pip aside."""
    found = {path.name.removesuffix(".dist-info") for path in environment._site(root / ".venv").glob("*.dist-info")}
    return {name for name in found if not name.startswith(("pip-", "setuptools-"))}


def course_lib(*arguments, **settings):
    return subprocess.run(
        [sys.executable, "-m", "course_lib", *arguments], cwd=ROOT, capture_output=True, text=True, **settings
    )


# the command list


def test_alone_it_lists_the_commands():
    done = course_lib()
    assert done.returncode == 0 and not done.stderr
    for name in cli.COMMANDS:
        assert len(re.findall(rf"^  {name} +\S.*$", done.stdout, re.MULTILINE)) == 1


def test_an_unknown_command_is_one_sentence():
    done = course_lib("labb")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "'labb'" in done.stderr and "lab, doctor" in done.stderr


def test_until_the_environment_exists_only_the_standard_library_is_imported():
    code = """
import sys
before = set(sys.modules)
from course_lib.start import cli, lab, carry, doctor, environment, pip
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
print(loaded - set(sys.stdlib_module_names) - {"course_lib"})
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr


def test_an_old_python_reads_the_entry_and_says_what_it_needs():
    for name in ("__init__.py", "__main__.py"):
        tree = ast.parse((ROOT / "course_lib" / name).read_text("utf-8"))
        new = (ast.JoinedStr, ast.NamedExpr, ast.Match, ast.AnnAssign, ast.Starred, ast.AsyncFunctionDef, ast.arguments)
        assert not [node for node in ast.walk(tree) if isinstance(node, new)], name
    code = "import sys, runpy; sys.version_info = (3, 9, 2); runpy.run_module('course_lib', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("The course needs Python 3.11 or newer and this is Python 3.9: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="signals are another thing there")
def test_ctrl_c_is_one_line(checkout):
    code = f"""
import sys
from pathlib import Path
from course_lib.start import cli, environment
cli.COMMANDS["lab"] = (lambda arguments, cpu: environment.ensure(("requirements.txt",), root=Path({str(checkout)!r})), "")
sys.argv = ["course_lib", "lab"]
cli.start()
"""
    with environment._lock(checkout):  # so that it has to wait
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # a background job ignores it
        assert "waiting for it" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert said == "\nStopped: the same command goes on from here.\n"


def test_the_test_command_sets_up_passes_arguments_on_and_prints_the_time(monkeypatch, capsys):
    asked, ran = [], []
    monkeypatch.setattr(environment, "ensure", lambda files, cpu: asked.append((files, cpu)) or "python")
    monkeypatch.setattr(environment, "run", lambda python, arguments, without: ran.append((arguments, without)) or 3)
    assert cli.main(["test", "--cpu", "-k", "name"]) == 3
    assert asked == [(("requirements.txt", "tests/requirements.txt"), True)]
    assert ran == [(["-m", "pytest", "-k", "name"], ("PYTHON", "PYTEST", "__PYVENV_LAUNCHER__"))]
    assert re.search(r"\d+ min \d+ s", capsys.readouterr().out)


def test_a_later_command_joins_in_one_line(monkeypatch):
    ran = []
    monkeypatch.setitem(cli.COMMANDS, "grade", (cli.inside("grade"), "grade"))
    monkeypatch.setattr(environment, "ensure", lambda files, cpu: "python")
    monkeypatch.setattr(environment, "is_inside", lambda: False)
    monkeypatch.setattr(environment, "run", lambda python, arguments: ran.append(arguments) or 0)
    assert cli.main(["grade", "02"]) == 0
    assert ran == [["-m", "course_lib", "grade", "02"]]


# making the environment, for real


def test_set_up_resume_update_and_move(checkout, capfd):
    python = ensure(checkout)
    assert installed(checkout) == {"torch-1.0", "torchvision-1.0", "tiny-1.0"}
    said = capfd.readouterr().out
    assert "once; up to" in said and "ready" in said and said.count("\n") < 12
    assert not (checkout / ".venv" / "tmp").exists()
    found = subprocess.run(
        [python, "-c", "import course_lib; print(course_lib.__file__)"], cwd="/", capture_output=True, text=True
    )
    assert Path(found.stdout.strip()) == checkout / "course_lib" / "__init__.py"

    began = time.process_time()
    ensure(checkout)
    assert time.process_time() - began < 0.1 and capfd.readouterr().out == ""

    # cut off while tiny was being installed: no stamp, and half a package
    (checkout / ".venv" / environment.STAMP).unlink()
    site = environment._site(checkout / ".venv")
    (site / "tiny.py").unlink()
    (site / "tiny-1.0.dist-info" / "INSTALLER").unlink()
    ensure(checkout)
    assert (site / "tiny.py").exists()

    require(checkout, "torch==1.0", "torchvision==1.0", "tiny==2.0")  # the course was updated
    ensure(checkout, "tests/requirements.txt")
    assert installed(checkout) == {"torch-1.0", "torchvision-1.0", "tiny-2.0", "tester-1.0"}
    assert "up to date" in capfd.readouterr().out
    ensure(checkout)  # what `test` installed is enough for `lab`
    assert capfd.readouterr().out == ""

    moved = checkout.with_name("moved")
    checkout.rename(moved)
    ensure(moved)
    assert f"anew, because it was made in {checkout}." in capfd.readouterr().out
    assert (environment._site(moved / ".venv") / "tiny.py").exists()


def test_a_broken_environment_is_made_anew(checkout, capfd):
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "pyvenv.cfg").write_text("home = /gone\n")
    ensure(checkout)
    assert "anew, because its Python is gone." in capfd.readouterr().out
    python = environment.python_in(checkout / ".venv")
    python.unlink()
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    ensure(checkout)
    assert "anew, because its Python or its pip does not start." in capfd.readouterr().out
    assert installed(checkout) == {"torch-1.0", "torchvision-1.0", "tiny-1.0"}


def test_an_environment_that_the_user_made_is_completed(checkout, capfd):
    subprocess.run([sys.executable, "-m", "venv", checkout / ".venv"], check=True)
    ensure(checkout)
    assert "anew" not in capfd.readouterr().out
    assert "tiny-1.0" in installed(checkout)


@pytest.mark.skipif(not environment.LINUX, reason="--cpu is for Linux")
def test_cpu_takes_torch_from_its_own_index_and_stays(checkout, capfd, monkeypatch):
    index = checkout.parent / "cpu"
    for name in ("torch", "torchvision"):
        path = wheel(index / name, name, "1.0+cpu")
        (index / name / "index.html").write_text(f'<a href="{path.name.replace("+", "%2B")}">{path.name}</a>')
    monkeypatch.setattr(environment, "CPU_INDEX", index.as_uri())
    ensure(checkout)
    ensure(checkout, cpu=True)
    assert "anew, because it was made without --cpu." in capfd.readouterr().out
    assert installed(checkout) == {"torch-1.0+cpu", "torchvision-1.0+cpu", "tiny-1.0"}
    require(checkout, "torch==1.0", "torchvision==1.0", "tiny==2.0")
    ensure(checkout)  # no --cpu this time
    assert installed(checkout) == {"torch-1.0+cpu", "torchvision-1.0+cpu", "tiny-2.0"}

    monkeypatch.setattr(environment, "CPU_INDEX", (index / "empty").as_uri())
    shutil.rmtree(checkout / ".venv")
    with pytest.raises(Stop, match=r"CPU build .* start again without --cpu\.$"):
        ensure(checkout, cpu=True)


def test_cpu_elsewhere_says_that_it_changes_nothing(checkout, capfd, monkeypatch):
    monkeypatch.setattr(environment, "LINUX", False)
    monkeypatch.setattr(environment, "_ready", lambda root, files, cpu: not cpu)
    ensure(checkout, cpu=True)
    assert "--cpu changes nothing" in capfd.readouterr().out


def test_two_starts_at_once_share_one_set_up(checkout):
    code = f"from pathlib import Path; from course_lib.start import environment as s; s.ensure(('requirements.txt',), root=Path({str(checkout)!r}))"
    starts = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = sorted(start.communicate(timeout=PATIENCE)[0] for start in starts)
    assert [start.returncode for start in starts] == [0, 0]
    assert said[0].startswith("Another set-up is at work") and said[0].count("\n") == 1
    assert "ready" in said[1]


def test_a_wheel_that_is_missing_is_a_sentence_and_leaves_no_stamp(checkout):
    require(checkout, "torch==1.0", "torchvision==1.0", "absent==9.9")
    with pytest.raises(Stop, match="There is no absent==9.9 for Python 3"):
        ensure(checkout)
    assert not environment._stamp(checkout)
    assert "absent==9.9" in (checkout / ".venv" / "setup.log").read_text("utf-8")


# what stands in the way, each one sentence


def test_too_little_disk(checkout, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(100e9, 98e9, 2e9))
    monkeypatch.setattr(environment, "LINUX", True)
    with pytest.raises(
        Stop, match=r"needs 9\.5 GB of free disk and .* has 2\.0: make room there, or add --cpu, which needs 2\.5 GB\.$"
    ):
        ensure(checkout)
    with pytest.raises(Stop, match=r"needs 2\.5 GB .* make room there\.$"):
        ensure(checkout, cpu=True)
    assert not (checkout / ".venv").exists()


def test_a_disk_that_is_only_just_enough_does_without_pips_cache(checkout, monkeypatch):
    for free, options in ((10e9, ["--no-cache-dir"]), (20e9, [])):
        monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(100e9, 0, free))
        assert environment._check_disk(checkout, "gpu") == options


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_python_without_venv(checkout, monkeypatch, module):
    find = environment.importlib.util.find_spec
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None if name == module else find(name))
    with pytest.raises(Stop, match=rf"This Python has no {module}: .*sudo apt install python3\.\d+-venv"):
        ensure(checkout)
    assert not (checkout / ".venv").exists()


def test_debians_venv_that_finds_no_ensurepip(checkout, monkeypatch):
    said = "The virtual environment was not created successfully because ensurepip is not available."
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, 1, said, ""))
    with pytest.raises(Stop, match="This Python has no ensurepip"):
        ensure(checkout)


def test_a_checkout_that_cant_be_written(checkout, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(Stop, match=r"can't be written to \(Permission denied\): copy the course"):
        with environment._lock(checkout):
            pass


def test_an_installed_package_is_no_checkout(tmp_path):
    with pytest.raises(Stop, match="has no requirements.txt: run this in a checkout"):
        ensure(tmp_path)


def test_the_hint_about_cpu_only_where_it_helps(checkout, monkeypatch, capfd):
    def stop(*arguments):
        raise Stop("here")

    monkeypatch.setattr(environment, "_create", stop)
    for linux, nvidia, hint in ((True, False, True), (True, True, False), (False, False, False)):
        monkeypatch.setattr(environment, "LINUX", linux)
        monkeypatch.setattr(environment, "has_nvidia", lambda: nvidia)
        with pytest.raises(Stop, match="here"):
            ensure(checkout)
        assert ("add --cpu" in capfd.readouterr().out) == hint


NAME = "NameResolutionError(\"HTTPSConnection(host='packages', port=443): Failed to resolve 'packages'"
PIP_SAID = {
    "offline": ([f"WARNING: Retrying (Retry(total=0)) after connection broken by '{NAME}')': /simple/torch/",
                 "ERROR: Could not find a version that satisfies the requirement torch==2.14.1 (from versions: none)",
                 "ERROR: No matching distribution found for torch==2.14.1"],
                "could not be downloaded: check the network"),
    "timeout": (["ERROR: Exception:", "pip._vendor.urllib3.exceptions.ReadTimeoutError: Read timed out."], "check the network"),
    "proxy": (["WARNING: Retrying after connection broken by 'ProxyError('Cannot connect to proxy.')'", "ERROR: No matching"], "HTTPS_PROXY"),
    "certificate": (["WARNING: Retrying after connection broken by 'SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]"],
                    "certificate was not accepted"),
    "too new": (["ERROR: Could not find a version that satisfies the requirement torch==2.14.1 (from versions: 2.15.0)",
                 "ERROR: No matching distribution found for torch==2.14.1"], "There is no torch==2.14.1 for Python"),
    "disk": (["ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"], "disk became full"),
    "rights": (["ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: '/x/y.py'"], "could not be written"),
    "long path": (["ERROR: Could not install packages due to an OSError", "HINT: This error might have occurred since this system "
                   "does not have Windows Long Path support enabled."], "short folder"),
}  # fmt: skip


@pytest.mark.parametrize("case", PIP_SAID)
def test_what_pip_says_becomes_one_sentence(case):
    said, expected = PIP_SAID[case]
    sentence = pip.explain(["Collecting torch==2.14.1", *said], "setup.log")
    assert expected in sentence and "\n" not in sentence and sentence.endswith(".")


def test_the_cpu_index_out_of_reach_has_its_own_sentence():
    sentence = pip.explain(PIP_SAID["offline"][0], "setup.log", environment.CPU_INDEX)
    assert "which can't be reached from here" in sentence and "without --cpu" in sentence and "\n" not in sentence


def test_any_other_failure_shows_pips_last_lines_and_names_the_log():
    sentence = pip.explain([*map(str, range(9)), "ERROR: metadata-generation-failed"], "the.log")
    assert (
        "  8\n  ERROR: metadata-generation-failed\n" in sentence and "the.log" in sentence and "  4\n" not in sentence
    )


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("out", [io.StringIO, Terminal])
def test_progress_is_short_and_says_what_size_and_time(tmp_path, monkeypatch, out):
    monkeypatch.setenv("TERM", "xterm")
    install = pip.Installer("python", "log", tmp_path, tmp_path)
    install.line = pip.StatusLine(time.monotonic() - 65, out())
    install.line.last = time.monotonic()
    for n in range(150):
        install._follow(f"Collecting small{n}==1.0 (from -r requirements.txt)")
        install._follow(f"  Downloading small{n}-1.0-py3-none-any.whl.metadata (12 kB)")
        install._follow(f"Downloading small{n}-1.0-py3-none-any.whl (100 kB)")
    install._follow("Downloading torch-2.14.1-cp311-cp311-manylinux_2_28_x86_64.whl (780.2 MB)")
    install._follow("Progress 400000000 of 780200000")
    install._follow("Installing collected packages: a, b, c")
    (tmp_path / "a-1.0.dist-info").mkdir()
    install._follow(None)
    said = install.line.out.getvalue()
    assert "1:05  downloading torch-2.14.1: 780 MB [795 MB so far]" in said
    if out is Terminal:
        assert "\n" not in said and ": 400 MB of 780 MB" in said and "installing packages: 1 of 3 done" in said
    else:
        assert said.count("\n") == 2


# the requirements


def pins(name):
    lines = [line.partition("#")[0].strip() for line in (ROOT / name).read_text("utf-8").splitlines()]
    return {canonicalize_name(r.name): r for r in map(Requirement, filter(None, lines))}


@pytest.mark.parametrize("name", ["requirements.txt", "tests/requirements.txt"])
def test_every_requirement_is_pinned(name):
    for requirement in pins(name).values():
        assert [s.operator for s in requirement.specifier] == ["=="], requirement
        assert not requirement.name.startswith(("nvidia-", "cuda-", "triton")), "torch pins these itself"


def test_the_pins_cover_and_meet_the_packages_ranges():
    with open(ROOT / "pyproject.toml", "rb") as file:
        project = tomllib.load(file)["project"]
    pinned = pins("requirements.txt")
    ranges = [*project["dependencies"], *project["optional-dependencies"]["instructor"]]
    for requirement in map(Requirement, ranges):
        version = next(iter(pinned[canonicalize_name(requirement.name)].specifier)).version
        assert requirement.specifier.contains(version), requirement


def imported(source):
    """Names of the packages that some Python code imports anywhere, those of the same package aside."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


def test_what_a_student_imports_is_among_the_packages_dependencies():
    with open(ROOT / "pyproject.toml", "rb") as file:
        names = [canonicalize_name(Requirement(line).name) for line in tomllib.load(file)["project"]["dependencies"]]
    allowed = (
        {{"pillow": "PIL"}.get(name, name) for name in names} | {"IPython", "course_lib"} | set(sys.stdlib_module_names)
    )
    lessons = list((ROOT / "lessons").glob("*/*.ipynb"))
    for name in release.modules(ROOT / "course_lib"):
        more = {"notebook.py": {"google"}}.get(name, set())  # on Colab; where IPython is
        assert set(imported((ROOT / "course_lib" / name).read_text("utf-8"))) <= allowed | more, name
    for path in lessons:
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                assert set(imported("".join(cell["source"]))) <= allowed | {"google"}, (path, cell["source"])


def test_the_package_carries_its_data_and_its_modules():
    with open(ROOT / "pyproject.toml", "rb") as file:
        settings = tomllib.load(file)
    folders = {p.parent.relative_to(ROOT).as_posix() for p in (ROOT / "course_lib").rglob("*.py")}
    assert {folder.replace("/", ".") for folder in folders} == set(settings["tool"]["setuptools"]["packages"])
    assert set(settings["tool"]["course"]) >= {"repository", "branch"}


# lab: arguments and the start


@pytest.mark.parametrize(
    ("arguments", "lesson", "left"),
    [
        ([], None, []),
        (["02"], "02", []),
        (["--no-browser", "02_encoder_decoder"], "02_encoder_decoder", ["--no-browser"]),
        (["--port", "90", "2"], "2", ["--port", "90"]),
        (["--ServerApp.port", "90"], None, ["--ServerApp.port", "90"]),
    ],
)
def test_the_lesson_is_told_from_jupyters_options(arguments, lesson, left):
    assert lab.split(arguments) == (lesson, left)


def test_choosing_a_lesson(tmp_path):
    names = ["00_start_here", "02_encoder_decoder"]
    assert lab.choose(names, None, tmp_path) == "00_start_here"
    assert lab.choose(names, "2", tmp_path) == lab.choose(names, "02_encoder_decoder", tmp_path) == "02_encoder_decoder"
    with pytest.raises(Stop, match="There is no lesson 07: the lessons are 00_start_here, 02_encoder_decoder."):
        lab.choose(names, "07", tmp_path)
    with pytest.raises(Stop, match="There is no lesson in"):
        lab.choose([], None, tmp_path)


def test_a_port_in_use_is_a_sentence_before_anything_is_set_up(tmp_path):
    lesson(tmp_path)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = str(server.getsockname()[1])
        for options in (["--port", port], [f"--port={port}"], [f"--ServerApp.port={port}", "--ip=127.0.0.1"]):
            with pytest.raises(Stop, match=rf"Port {port} is in use: "):
                lab.main(options, pytest.fail, root=tmp_path)
    lab.check_port(port)
    with pytest.raises(Stop, match=r"No server can listen on 192\.0\.2\.1, port .*: give another --ip\.$"):
        lab.check_port(port, "192.0.2.1")  # an address for documentation, nobody's own
    for wrong in ("70000", "http"):
        with pytest.raises(Stop, match="is not a port"):
            lab.main([f"--port={wrong}"], pytest.fail, root=tmp_path)


def lesson(root, name="00_start_here", text="hello"):
    path = root / "lessons" / name / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    cell = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": [text]}
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def test_lab_becomes_jupyterlab_on_the_students_copy(tmp_path, monkeypatch, capsys):
    lesson(tmp_path)
    lesson(tmp_path, "02_encoder_decoder")
    ran = []
    monkeypatch.setattr(environment, "run", lambda python, arguments, replace: ran.append((python, arguments, replace)))
    lab.main(["02", "--no-browser"], lambda: "python", root=tmp_path)
    [(python, arguments, replace)] = ran
    assert (python, arguments[:2], replace) == ("python", ["-m", "jupyterlab"], True)
    assert f"--ServerApp.root_dir={tmp_path / 'work'}" in arguments
    assert "--LabApp.default_url=/lab/tree/02_encoder_decoder/02_encoder_decoder.ipynb" in arguments
    assert arguments[-1] == "--no-browser"
    assert ("--allow-root" in arguments) == (hasattr(os, "geteuid") and os.geteuid() == 0)
    assert str(tmp_path / "work") in capsys.readouterr().out
    for path in (tmp_path / "lessons").glob("*/*.ipynb"):
        copy = tmp_path / "work" / path.parent.name / path.name
        assert hashlib.sha256(copy.read_bytes()).digest() == hashlib.sha256(path.read_bytes()).digest()


def test_a_child_gets_the_environment_and_its_status_comes_back(checkout, monkeypatch, capfd):
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    code = "import os, sys; print(os.getcwd(), os.environ.get('PYTHONPATH'), os.environ['VIRTUAL_ENV']); sys.exit(7)"
    assert environment.run(sys.executable, ["-c", code], root=checkout) == 7
    assert capfd.readouterr().out.split() == [str(checkout), "None", str(checkout / ".venv")]


def test_a_lesson_may_be_called_by_a_word_of_its_name():
    names = ["00_start_here", "04_unet", "05_deeplab"]
    assert [lab.choose(names, word, ROOT) for word in ("unet", "DeepLab", "start", "4", "05_deeplab")] == [
        "04_unet",
        "05_deeplab",
        "00_start_here",
        "04_unet",
        "05_deeplab",
    ]
    for word in ("e", "vit", "7"):  # of several, of none
        with pytest.raises(Stop, match=rf"no lesson {word}: the lessons are 00_start_here, 04_unet, 05_deeplab\."):
            lab.choose(names, word, ROOT)
    assert lab.split(["--no-browser", "unet", "--port", "8890"]) == ("unet", ["--no-browser", "--port", "8890"])
    assert lab.split(["--config", "mine.py"]) == (None, ["--config", "mine.py"])
