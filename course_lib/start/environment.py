"""The environment that the course runs in: .venv in the checkout, made with the standard library alone.

`ensure` makes or completes it and returns its Python. A stamp, written last, says what is installed: a set-up that
was interrupted goes on where it stopped, and one that is complete costs a few file reads.
"""

import contextlib
import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from .errors import Stop
from .files import write_whole
from .pip import Installer, clock

ROOT = Path(__file__).resolve().parents[2]
WINDOWS, LINUX = os.name == "nt", sys.platform.startswith("linux")
COURSE = f"{'py' if WINDOWS else 'python3'} -m course_lib"  # as it is typed here
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
STAMP = "course.json"
GB = 1e9
# (downloaded, needed on the disk while installing) in GB, measured; pip's cache of what it downloaded comes on top.
SIZES = {"gpu": (3.2, 9.5), "cpu": (0.35, 2.5)}
# no question about news at JupyterLab's first start, and no look for updates of what is pinned
QUIET_LAB = {"@jupyterlab/apputils-extension:notification": {"checkForUpdates": False, "fetchNews": "false"}}


def ensure(files, cpu=False, root=ROOT):
    """Make or complete root/.venv; returns the path of its Python. Raises Stop.

    files  names of requirement files in `root`
    cpu    on Linux, take PyTorch's CPU build from PyTorch's own index
    """
    missing = [name for name in files if not (root / name).exists()]
    if missing:
        raise Stop(f"{root} has no {missing[0]}: run this in a checkout of the course, not in an installed package.")
    if cpu and not LINUX:
        print(f"--cpu changes nothing on {platform.system()}: PyTorch's ordinary build is small there.")
        cpu = False
    if not _ready(root, files, cpu):
        with _lock(root):
            if not _ready(root, files, cpu):  # another start may have made it while this one waited
                try:
                    _make(root, files, cpu)
                except OSError as error:
                    why = f"Setting up {root / '.venv'} failed ({error})"
                    raise Stop(f"{why}: put that right and start again.") from None
    return python_in(root / ".venv")


def complete(root=ROOT):
    """Is .venv ready for lessons?"""
    return (root / "requirements.txt").exists() and _ready(root, ("requirements.txt",), False)


def has_module(name):
    """Can this Python import it? (Debian and Ubuntu ship one without what makes environments.)"""
    return importlib.util.find_spec(name) is not None


def python_in(venv):
    return venv / ("Scripts/python.exe" if WINDOWS else "bin/python")


def is_inside(root=ROOT):
    return Path(sys.prefix).resolve() == (root / ".venv").resolve()


def run(python, arguments, root=ROOT, replace=False, without=("PYTHONPATH", "PYTHONHOME", "__PYVENV_LAUNCHER__")):
    """Run .venv's Python in the checkout; returns its exit status.

    python     the path of that Python
    arguments  what follows it on the command line
    replace    become it, where the system can
    without    variables, by the beginnings of their names, that it does not get
    """
    bin_ = str(Path(python).parent)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(tuple(without))}
    environment.update(VIRTUAL_ENV=str(root / ".venv"), PATH=bin_ + os.pathsep + os.environ.get("PATH", ""))
    command = [str(python), *arguments]
    sys.stdout.flush()
    if replace and not WINDOWS:  # there, exec leaves a console that two programs read
        os.chdir(root)
        os.execve(command[0], command, environment)
    with subprocess.Popen(command, cwd=root, env=environment) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # it got the signal too, and knows what to do with it
                continue


# --- what is installed --------------------------------------------------------------------------------------


def _ready(root, files, cpu):
    """Is .venv complete, in place, and made for these files? Reads a few small files and runs nothing."""
    stamp = _stamp(root)
    python = python_in(root / ".venv")
    return (
        python.exists()
        and stamp.get("root") == str(root)
        and stamp.get("interpreter") == os.path.realpath(python)
        and Path(_pyvenv(root).get("home", "gone")).is_dir()
        and all(stamp["files"].get(name) == _digest(root / name) for name in files)
        and (stamp["cpu"] or not cpu)
    )


def _stamp(root):
    try:
        stamp = json.loads((root / ".venv" / STAMP).read_text("utf-8"))
        return stamp if isinstance(stamp["files"], dict) and "cpu" in stamp else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _write_stamp(root, files, cpu):
    interpreter = os.path.realpath(python_in(root / ".venv"))
    stamp = {"root": str(root), "interpreter": interpreter, "cpu": cpu, "files": {n: _digest(root / n) for n in files}}
    write_whole(root / ".venv" / STAMP, json.dumps(stamp, indent=1))


def _digest(path):
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def _pyvenv(root):
    try:
        lines = (root / ".venv" / "pyvenv.cfg").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    return {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}


def _fault(root, cpu):
    """Why the .venv that is there can't be built upon (words that follow "because"), or None."""
    venv, python, stamp = root / ".venv", python_in(root / ".venv"), _stamp(root)
    if not (venv / "pyvenv.cfg").exists() or not python.exists():
        return "its Python is gone"
    if stamp and stamp.get("root") != str(root):
        return f"it was made in {stamp.get('root')}"
    if cpu and _torch(venv) and not _torch(venv).endswith("+cpu"):
        return "it was made without --cpu"
    probe = "import sys, pip; print('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run([str(python), "-I", "-c", probe], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return "its Python does not start"
    version = answer.stdout.strip()
    if answer.returncode or not version:
        return "its Python or its pip does not start"
    made_for = ".".join((_pyvenv(root).get("version") or _pyvenv(root).get("version_info", "")).split(".")[:2])
    if version != made_for or tuple(map(int, version.split("."))) < (3, 11):
        return f"its Python is now {version}"
    return None


# --- making it ----------------------------------------------------------------------------------------------


def _make(root, files, cpu):
    venv = root / ".venv"
    started = time.monotonic()
    fault = _fault(root, cpu) if venv.exists() else None
    if fault or not venv.exists():
        _check_modules()
    if fault:
        print(f"Making {venv} anew, because {fault}.")
        _remove(venv)
    cpu = cpu or _torch(venv).endswith("+cpu")
    pins = dict(re.findall(r"^([\w-]+)==([\w.]+)", (root / files[0]).read_text("utf-8"), re.MULTILINE))
    options = []
    if _torch(venv).partition("+")[0] != pins.get("torch", ""):  # nearly all of the time and the disk
        kind = "cpu" if cpu or not LINUX else "gpu"
        options = _check_disk(root, kind)
        print(f"Setting up the course's environment in {venv} (once; up to {SIZES[kind][0]:g} GB to download).")
        if kind == "gpu" and not has_nvidia():
            print("No NVIDIA GPU here: stop with Ctrl-C and add --cpu to the command for a tenth of the download.")
    else:
        print(f"Bringing the course's environment in {venv} up to date.")
    if venv.exists():
        _drop_halves(venv)
    else:
        _create(venv)
    done = _stamp(root).get("files", {})
    (venv / STAMP).unlink(missing_ok=True)  # from here until it is written again, the environment is unfinished

    temporary = venv / "tmp"  # beside what is installed: /tmp is often a small memory disk
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        install = Installer(python_in(venv), venv / "setup.log", temporary, _site(venv), options, started)
        raw = "pip" in pins  # the pip that comes with Python may not know how to tell its progress
        if raw:
            install(["pip==" + pins["pip"]], raw=False)
        if cpu and "torch" in pins:
            # "+cpu" can only come from that index; --no-deps leaves what torch brings to the pins below
            wheels = [f"{name}=={pins[name]}+cpu" for name in ("torch", "torchvision") if name in pins]
            install(["--no-deps", "--index-url", CPU_INDEX, *wheels], raw, CPU_INDEX)
        names = sorted({*files, *(name for name in done if (root / name).exists())})
        install([part for name in names for part in ("-r", str(root / name))], raw)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    finish(root, venv)
    _write_stamp(root, names, cpu)
    print(f"The environment is ready ({clock(time.monotonic() - started)}).")


def _create(venv):
    python = getattr(sys, "_base_executable", None) or sys.executable  # .venv's own may be about to go
    made = subprocess.run([python, "-m", "venv", str(venv)], capture_output=True, text=True)
    if made.returncode:
        _remove(venv)
        said = (made.stdout + made.stderr).strip() or "no reason given"
        _check_modules("ensurepip" if "ensurepip is not available" in said else None)
        raise Stop(f"Python could not make an environment in {venv}: {said.splitlines()[-1]}")


def _check_modules(missing=None):
    """Raise Stop where this Python can't make environments; missing: what is known to be missing."""
    absent = [name for name in ("venv", "ensurepip") if name == missing or not has_module(name)]
    if absent:
        package = "python%d.%d-venv" % sys.version_info[:2]
        debian = f"on Debian and Ubuntu: 'sudo apt install {package}'"
        raise Stop(f"This Python has no {absent[0]}: install it ({debian}) and start again.")


def finish(root, venv):
    """Make root's course_lib importable in the environment at `venv`, and JupyterLab quiet at its first start."""
    # A .pth line makes course_lib importable from any folder. `pip install -e` would do so too, but needs its build
    # tools from the network. A relative line has no letters that the system's encoding could lack.
    site = _site(venv)
    (site / "course_lib.pth").write_text(os.path.relpath(root, site) + "\n", "utf-8")
    settings = venv / "share/jupyter/lab/settings"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "overrides.json").write_text(json.dumps(QUIET_LAB, indent=1), "utf-8")


def _site(venv):
    """The environment's site-packages; a folder that does not exist where there is none."""
    return next(venv.glob("[Ll]ib/python*/site-packages"), venv / "Lib/site-packages")


def _torch(venv):
    """The version of torch that is installed, e.g. "2.14.1+cpu", or ""."""
    return next((path.name[len("torch-") : -len(".dist-info")] for path in _site(venv).glob("torch-*.dist-info")), "")


def _drop_halves(venv):
    """Forget packages whose installation was cut off, so that pip installs them again: INSTALLER is written late."""
    for info in _site(venv).glob("*.dist-info"):
        if not (info / "INSTALLER").exists():
            shutil.rmtree(info)


def _remove(folder):
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise Stop(f"{folder} can't be removed ({error}): end what uses it, delete it, and start again.") from None


def _check_disk(root, kind):
    """Raises Stop where the disk is too small; returns pip's option for one that is only just large enough."""
    download, need = SIZES[kind]
    there = sum(f.stat().st_size for f in (root / ".venv").rglob("*") if f.is_file() and not f.is_symlink())
    free = shutil.disk_usage(root).free + there
    if free < need * GB:
        less = f", or add --cpu, which needs {SIZES['cpu'][1]:g} GB" if kind == "gpu" else ""
        raise Stop(f"Setting up needs {need:g} GB of free disk and {root} has {free / GB:.1f}: make room there{less}.")
    return [] if free > (need + download) * GB else ["--no-cache-dir"]


def has_nvidia():
    signs = ("/proc/driver/nvidia", "/dev/nvidia0", "/dev/dxg")  # the last one is Windows' own Linux
    return any(map(os.path.exists, signs)) or bool(shutil.which("nvidia-smi"))


# --- one set-up at a time -----------------------------------------------------------------------------------


@contextlib.contextmanager
def _lock(root):
    """Hold .setup.lock; the system lets go of it however this process ends."""
    try:
        handle = open(root / ".setup.lock", "a+")
    except OSError as error:
        why = f"{root} can't be written to ({error.strerror})"
        raise Stop(f"{why}: copy the course to a folder of your own and start there.") from None
    with handle:
        if not _take(handle):
            print(f"Another set-up is at work in {root}: waiting for it.", flush=True)
            while not _take(handle):
                time.sleep(0.3)
        yield


def _take(handle):
    if WINDOWS:
        import msvcrt

        handle.seek(0)
        try:
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # a file system without locks: go on without
    return True
