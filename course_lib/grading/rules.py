"""What holds for every submission wherever it is graded: how much it may use, how often it is tried, with which code."""

import functools
import hashlib
from pathlib import Path

LIVES = 5  # how many processes' worth of processor time, waiting and messages one submission may use up
TRIES = 3


class Fault(BaseException):
    """Grading failed, not the submission: to be tried again, and never a zero. No check may take it for an answer's error."""


@functools.cache
def version():
    """A text that differs where grading may: the code that answers and checks run on."""
    package = Path(__file__).resolve().parents[1]
    parts = [
        p for p in sorted(package.rglob("*")) if p.suffix in (".py", ".json") and "grading" not in p.parent.parts[-1:]
    ]
    parts += [package / "grading" / name for name in ("restore.py", "rules.py", "runner.py")]
    return hashlib.sha256(b"\n".join(hashlib.sha256(p.read_bytes()).digest() for p in parts)).hexdigest()
