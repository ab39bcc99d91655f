"""`python3 -m course_lib doctor`: can this machine run the course, and if not, what to do. Standard library alone."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import webbrowser
from pathlib import Path

from . import environment
from .environment import COURSE, CPU_INDEX, GB, LINUX, ROOT, SIZES, WINDOWS
from .errors import Stop

GOOD, NOTE, BAD = "ok", "note", "NO"
MEMORY = 2.0  # GB that a lesson and JupyterLab need together
# below /sys/fs/cgroup, what a container may use and what it uses: control groups of version 2, and of version 1
CONTAINER = (
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)
PROBE = """
import torch
gpu = torch.cuda.is_available()
apple = torch.backends.mps.is_available()
print(torch.__version__, "|", torch.cuda.get_device_name() if gpu else "Apple's GPU" if apple else "")
"""


def main(arguments=(), root=ROOT):
    """Print a line for each thing that the course needs; 1 where it can't run here, else 0."""
    if arguments:
        raise Stop(f"doctor takes no {arguments[0]}: it only looks, and says what it finds.")
    complete = environment.complete(root)
    findings = [python(), course(root), venv(root, complete), disk(root, complete), memory(), cores()]
    findings += [torch(root, complete), network(root, complete), browser()]
    if (root / "solutions").is_dir():
        findings.append(sandbox())
    for status, what, advice in findings:
        print(f"{status:5} {what}" + (f"\n      → {advice}" if advice else ""))
    if any(status == BAD for status, *_ in findings):
        print("\nThe course can't run here yet: see to what NO stands before, and ask again.")
        return 1
    print(f"\nThe course can run here: {COURSE} lab" + ("" if complete else " sets it up and opens it."))
    return 0


# --- one function for each line: (status, what was found, what to do or "") ---------------------------------


def good(found, advice=""):
    return GOOD, found, advice


def note(found, advice):
    return NOTE, found, advice


def bad(found, advice):
    return BAD, found, advice


def python():
    bits = "64" if sys.maxsize > 2**32 else "32"
    found = f"Python {platform.python_version()}, {bits}-bit, on {platform.system()} {platform.machine()}"
    if bits == "32":
        return bad(found, "PyTorch needs a 64-bit Python: get one from https://www.python.org/downloads/.")
    return good(found)


def course(root):
    lessons, git = len(list((root / "lessons").glob("*/*.ipynb"))), (root / ".git").exists()
    kind = "a git checkout" if git else "no git checkout"
    found = f"the course in {root}: {lessons} lesson{'s' * (lessons != 1)}, {kind}"
    if not lessons:
        again = "Get the course again: its folder lessons/ is gone."
        return bad(found, f"{again} An installed package alone is not the course.")
    if not os.access(root, os.W_OK):
        return bad(found, "You can't write there: copy the course to a folder of your own.")
    if not git:
        return good(found, "For a corrected lesson, download the course again over this folder; work/ stays as it is.")
    return good(found, "For corrected lessons: git pull." if shutil.which("git") else "")


def venv(root, complete):
    folder = root / ".venv"
    if complete:
        return good(f"the environment in {folder} is complete")
    missing = [name for name in ("venv", "ensurepip") if not environment.has_module(name)]
    if missing:
        package = "python%d.%d-venv" % sys.version_info[:2]
        advice = f"On Debian and Ubuntu: sudo apt install {package}. Else install Python anew."
        return bad(f"this Python has no {missing[0]}", advice)
    state = "is not complete" if folder.exists() else "is not made yet"
    return note(f"the environment in {folder} {state}", f"{COURSE} lab does that (once, some minutes).")


def disk(root, complete):
    free = shutil.disk_usage(root).free / GB
    found = f"{free:.1f} GB of free disk"
    if complete:
        return good(found) if free > 0.5 else note(found, "Make room: saving your work needs some.")
    there = sum(f.stat().st_size for f in (root / ".venv").rglob("*") if f.is_file() and not f.is_symlink()) / GB
    need, least = SIZES["gpu" if LINUX else "cpu"][1], SIZES["cpu"][1]
    if free + there >= need:
        return good(found)
    if free + there >= least:
        needs = f"Setting up needs {need:g} GB here, or {least:g} GB with PyTorch's CPU build"
        return note(found, f"{needs}: add --cpu to the first command.")
    return bad(found, f"Setting up needs {least:g} GB at least: make room.")


def memory():
    total, free = memory_gb()
    if total is None:
        return note("how much memory there is can't be told here", f"{MEMORY:g} GB are enough.")
    found = f"{total:.1f} GB of memory, {free:.1f} GB of it free"
    if total < 0.9 * MEMORY:
        return bad(found, f"The course needs {MEMORY:g} GB: take another machine, Binder or Colab.")
    if free < 0.75 * MEMORY:
        return note(found, "A lesson needs up to 1.5 GB: end other programs before you start.")
    return good(found)


def cores():
    number = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if number > 1:
        return good(f"{number} CPU cores")
    return note("1 CPU core", "All works; what trains takes up to twice the minutes that a lesson says.")


def torch(root, complete):
    card = nvidia()
    if not complete:
        found = f"an NVIDIA GPU ({card})" if card else "no NVIDIA GPU"
        hint = "" if card or not LINUX else f"{COURSE} lab --cpu then takes a tenth of the download."
        return good(f"{found}; PyTorch comes with the environment", hint)
    done = _ask([environment.python_in(root / ".venv"), "-c", PROBE], timeout=120)
    said = (done.stdout.strip().splitlines() or [""])[-1] if done else ""
    version, bar, gpu = said.partition(" |")
    if not bar:
        advice = f"Delete {root / '.venv'} and start the course: it is then installed anew."
        return bad("PyTorch does not start", advice)
    if gpu.strip():
        return good(f"PyTorch {version} on {gpu.strip()}", "Lessons move there by themselves.")
    if card and version.endswith("+cpu"):
        found = f"PyTorch {version}, its CPU build, beside an NVIDIA GPU ({card})"
        return note(found, f"To use the GPU, delete {root / '.venv'} and start without --cpu.")
    if card:
        found = f"PyTorch {version} does not reach the NVIDIA GPU ({card})"
        return note(found, "A newer NVIDIA driver may help; on the CPU all works too.")
    return good(f"PyTorch {version} on the CPU")


def network(root, complete):
    if complete:
        return good("no network is needed")
    if _downloads(root):
        return good("packages can be downloaded")
    advice = "Setting up needs a network: connect, or behind a proxy set HTTPS_PROXY."
    return bad("packages can't be downloaded", advice)


def browser():
    try:
        return good(f"a browser ({getattr(webbrowser.get(), 'name', None) or 'the system’s own'})")
    except webbrowser.Error:
        advice = "Open the address that the course prints at its start in any browser, on another machine with"
        return note("no browser that a program can open", f"{advice} --ip=0.0.0.0.")


def sandbox():
    """For instructors: what grading isolates students' code with."""
    path = shutil.which("bwrap")
    if not LINUX:
        advice = "Grade on Linux, or in a container. Taking lessons needs none of it."
        return note("students' code can't be isolated on this system", advice)
    if not path:
        advice = "To grade: on Debian and Ubuntu, sudo apt install bubblewrap. Taking lessons needs none."
        return note("bubblewrap is missing, which isolates students' code", advice)
    if _ask([path, "--ro-bind", "/", "/", "--unshare-all", "true"]):
        return good("bubblewrap isolates students' code")
    advice = "To grade: see that the kernel lets users make namespaces (a container may need to be told)."
    return note("bubblewrap may not make namespaces here", advice)


# --- what the system says -----------------------------------------------------------------------------------


def _ask(command, timeout=20):
    """What a program said, as `subprocess.run` gives it; None where it failed, does not start or does not end."""
    try:
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, errors="replace", timeout=timeout
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done


def _downloads(root):
    """Can a package be downloaded? Asked the way that the set-up goes, with this machine's mirrors and proxies."""
    lines = (root / "requirements.txt").read_text("utf-8").splitlines()
    pins = [line.split()[0] for line in lines if line.startswith("tqdm==")]
    if environment.has_module("pip") and pins:
        quick = ["-q", "--no-deps", "--disable-pip-version-check", "--retries=0", "--timeout=10"]
        with tempfile.TemporaryDirectory() as folder:
            ask = [sys.executable, "-m", "pip", "download", *quick, *pins, "-d", folder]
            return _ask(ask, timeout=60) is not None
    try:
        urllib.request.urlopen(CPU_INDEX + "/", timeout=10).close()
        return True
    except (OSError, ValueError):
        return False


def nvidia():
    """The NVIDIA GPU's name as its driver tells it, "" where there is none."""
    tool = shutil.which("nvidia-smi")
    done = _ask([tool, "--query-gpu=name", "--format=csv,noheader"]) if tool else None
    if done and done.stdout.strip():
        return done.stdout.strip().splitlines()[0]
    return "of unknown name" if environment.has_nvidia() else ""


def memory_gb():
    """(memory of this machine or container, what is free of it) in GB; (None, None) where nothing tells."""
    if WINDOWS:
        return _windows()
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        table = {key: int(value.split()[0]) * 1024 / GB for key, _, value in (line.partition(":") for line in lines)}
        total, free = table["MemTotal"], table["MemAvailable"]
    except (OSError, ValueError, KeyError, IndexError):
        return _mac()
    for limit, used in CONTAINER:
        try:  # a container has less than its machine
            most, now = (int(Path("/sys/fs/cgroup", name).read_text("ascii")) / GB for name in (limit, used))
        except (OSError, ValueError):
            continue
        total, free = min(total, most), min(free, max(0.0, most - now))
    return total, free


def _mac():
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GB
    except (OSError, ValueError, AttributeError):
        return None, None
    return total, total  # macOS makes room by compressing; what is free says little


def _windows():
    import ctypes

    class Status(ctypes.Structure):
        sizes = ("total", "free", "pages", "free_pages", "virtual", "free_virtual", "extended")
        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong), *((n, ctypes.c_ulonglong) for n in sizes)]

    status = Status(length=ctypes.sizeof(Status))
    if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None, None
    return status.total / GB, status.free / GB
