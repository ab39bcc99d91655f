"""What holds for every submission wherever it is graded: what it may use, how often it is tried, with which code."""

import contextlib
import functools
import hashlib
import resource
import sys
import time
from pathlib import Path

from course_lib.crossing.fork_server import address_space

CHECK_CPU = 30  # seconds of processor time for one check, or one page; an honest one takes less than one
CHECK_MEMORY = 1024  # MB that a check or a page may take beside what its process holds
LIVES = 5  # how many processes' worth of processor time, waiting and messages one submission may use up
TRIES = 3


class Fault(BaseException):
    """Grading failed, not the submission: to be tried again, and never a zero.

    No `except Exception` of a check takes it for an error of an answer.
    """


@contextlib.contextmanager
def little_memory():
    """Let what is done meanwhile take `CHECK_MEMORY` and no more: beyond that, asking for memory raises."""
    if sys.platform != "linux":
        yield
        return
    before, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = address_space() + CHECK_MEMORY * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (most if before == resource.RLIM_INFINITY else min(most, before), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (before, hard))


def little_time():
    """Let the kernel end this process, by SIGXCPU, when it has used `CHECK_CPU` seconds more."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + 1 + CHECK_CPU, hard))


# Of this room, what a grade depends on. The room `author` is in no sandbox, and no check may import it; an answer may
# import any other.
OURS = ("frame.py", "records.py", "restore.py", "rules.py", "runner.py", "written.py")


@functools.cache
def version() -> str:
    """A text that differs where grading may: the code that answers and checks run on."""
    package = Path(__file__).resolve().parents[1]
    rooms = [p for p in package.iterdir() if p.name not in ("author", "grading")]
    files = [p for room in rooms for p in (room.rglob("*") if room.is_dir() else [room])]
    files = sorted(p for p in files if p.suffix in (".py", ".json")) + [package / "grading" / name for name in OURS]
    return hashlib.sha256(b"\n".join(hashlib.sha256(p.read_bytes()).digest() for p in files)).hexdigest()
