"""Where student code runs: bubblewrap around one warm process, and around each answer namespaces of its own.

The warm process has imported what lessons import; it forks for every answer, in milliseconds. bubblewrap gives it a
read-only system, no network, no sight of the sources, the gradebook or the environment. The fork goes into further
namespaces (user, process, mount, network, IPC): it sees no process but its own, not even the warm one, and its
folders are empty and vanish with it. What it may use up is limited.

Linux only. `missing()` says in one sentence what stands in the way.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypedDict

NOBODY = 65534  # who runs student code where root grades
HOME = "/home/answer"
SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/fonts", "/etc/alternatives")
HIDDEN = ("author", "checks", "grading")  # rooms of ours that no answer may need; a student has checks alone
SETTINGS = {
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MPLBACKEND": "agg",
    "MPLCONFIGDIR": "/tmp",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "IPYTHONDIR": "/tmp/ipython",
}


@dataclass(frozen=True)
class Limits:
    """What one answer may use: CPU seconds, seconds on the clock, MB of memory and of files, processes with threads."""

    cpu: int = 60
    wall: int = 600
    memory: int = 2048
    files: int = 64
    processes: int = 64


def missing():
    """Why student code can't be isolated on this machine, in one sentence; "" where it can."""
    if not sys.platform.startswith("linux"):
        return "Student code can be isolated on Linux only, by bubblewrap."
    if not shutil.which("bwrap"):
        return "bubblewrap is missing: install it (on Debian and Ubuntu, `apt-get install bubblewrap`)."
    try:
        line = [*command(), sys.executable, "-c", "from course_lib.crossing import fork_server; fork_server.rehearse()"]
        done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap could not be started: {error}."
    if done.returncode:
        said = done.stderr.strip().splitlines() or [done.returncode]
        return f"bubblewrap can't make a sandbox here: {said[-1]}."
    return ""


def command():
    """bubblewrap's command line, up to the program that it is to run."""
    package = Path(__file__).resolve().parents[1]
    system = [path for path in SYSTEM if os.path.exists(path)]
    python = {os.path.realpath(p) for p in (sys.prefix, sys.base_prefix, sys.exec_prefix)}
    line = _unrooted([*sorted({*python, sys.prefix}), str(package)])
    line += ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--hostname", "answer"]
    for path in system:
        line += ["--symlink", os.readlink(path), path] if os.path.islink(path) else ["--ro-bind", path, path]
    line += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp", "--dir", HOME]
    line += ["--dev-bind", "/dev/null", "/dev/zero"]  # mapped and shared, that is memory which belongs to no process
    for path in sorted({*python, sys.prefix}):
        if not any(Path(path).is_relative_to(p) for p in ("/usr", "/lib", "/bin")):
            line += ["--ro-bind", path, path]
    line += ["--ro-bind", str(package), "/course/course_lib", "--chdir", HOME]
    hidden = sorted({*(f"/course/course_lib/{room}" for room in HIDDEN), *_copies(package, [*system, *python])})
    for place in hidden:
        line += ["--tmpfs", place]
    for place in ("/", "/dev", *hidden):  # or one answer could leave something there for the next
        line += ["--remount-ro", place]
    settings = {**SETTINGS, "PATH": "/usr/bin:/bin", "HOME": HOME, "PYTHONPATH": "/course"}
    for name, value in settings.items():
        line += ["--setenv", name, value]
    return line


def _copies(package, shown):
    """Folders to hide below the folders `shown`: rooms of this course and of one installed beside it, and solutions."""
    course, shown = package.parent, [os.path.realpath(path) for path in shown]
    homes = {course, *(Path(sysconfig.get_path(key)) for key in ("purelib", "platlib"))}
    found = [home / "course_lib" / room for home in homes for room in HIDDEN]
    if (course / "solutions").is_dir():
        found += [course / name for name in ("solutions", "tests", "grading", "lessons", ".git")]
    found = [path.resolve() for path in found if path.is_dir()]
    return {str(path) for path in found if any(path.is_relative_to(place) for place in shown)}


def _unrooted(needed):
    """Where root grades: a command line that goes on as nobody, with the paths `needed` open to nobody."""
    if os.geteuid():
        return []
    line, closed = ["bwrap", "--die-with-parent", "--dev-bind", "/", "/"], set()
    for path in needed:
        parents = [p for p in reversed(Path(path).parents) if not p.stat().st_mode & 0o001]
        if parents and parents[0] not in closed:
            closed.add(parents[0])
            line += ["--tmpfs", str(parents[0])]
        for parent in reversed(Path(path).parents) if parents else ():
            if parent.is_relative_to(parents[0]) and parent != parents[0]:
                line += ["--perms", "0755", "--dir", str(parent)]
        if parents:
            line += ["--ro-bind", path, path]
    return [*line, "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]


class Used(TypedDict):
    """What one answer used, and how its process ended.

    ended   "finished" where `Lane.close` ended it, "by itself", the name of the limit that was passed, or a fault of
            ours: "killed" from outside, "fault: …", "gone" with the warm process
    cpu     seconds
    memory  MB at most
    """

    ended: str
    cpu: float
    memory: float


class Warm:
    """The warm process in its sandbox, on its way as soon as this returns. From its `door`, a socket, leads a `Lane`.

    safe  False runs it without a sandbox, in the user's own account, with limits alone
    """

    def __init__(self, safe=True):
        self.folder = None
        self.door, theirs = _sockets()
        settings, line = None, command() if safe else []
        if not safe:
            package = str(Path(__file__).resolve().parents[2])
            self.folder = tempfile.mkdtemp(prefix="answers-")
            own = {"PYTHONPATH": package, "HOME": self.folder, "MPLCONFIGDIR": self.folder}
            settings = {**os.environ, **SETTINGS, **own}
        with theirs:
            door, kind = theirs.fileno(), "safe" if safe else "unsafe"
            self.process = subprocess.Popen(
                [*line, sys.executable, "-m", "course_lib.crossing.fork_server", str(door), kind],
                pass_fds=[door],
                env=settings,
                cwd=self.folder,
                text=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )

    def stop(self):
        """End it and all that runs in it; the last line that it left on stderr."""
        self.door.close()
        self.process.kill()
        said = self.process.communicate()[1].strip().splitlines()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        return said[-1] if said else ""


class Lane:
    """A way to a warm process, for one answer after the other. `open()` gives a connection to a fresh fork of it."""

    def __init__(self, door, limits=Limits()):
        self.limits = limits
        self.control, theirs = _sockets()
        with theirs:
            socket.send_fds(door, [b"lane"], [theirs.fileno()])
        if not self.control.recv(16):
            raise RuntimeError("The process for student code did not start.")

    def open(self) -> Connection:
        """A `Connection` to a fork of the warm process that holds nothing yet; `close` ends it."""
        mine, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self.control, [json.dumps(asdict(self.limits)).encode()], [theirs.fileno()])
        return Connection(mine.detach())

    def close(self, connection) -> Used:
        """End the fork and all that it started; what it used."""
        connection.close()
        with contextlib.suppress(OSError):
            data = self.control.recv(4096)
            if data:
                return json.loads(data)
        return Used(ended="gone", cpu=0.0, memory=0.0)

    def stop(self):
        self.control.close()


def _sockets():
    """Two ends of a way for whole messages."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM)
