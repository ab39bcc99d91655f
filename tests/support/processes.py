"""The processes that this one started, however far down and whoever their parent has become."""

import ctypes
import sys
import time

import psutil

PATIENCE = 1200  # seconds: for whatever ends by itself, on a machine that is busy with ten other things
SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER, prctl.h

if sys.platform.startswith("linux"):  # a process whose parent has died becomes this one's child, not init's
    ctypes.CDLL(None, use_errno=True).prctl(SUBREAPER, 1, 0, 0, 0)


def started():
    """Every process that descends from this one and has not ended."""
    alive = []
    for process in psutil.Process().children(recursive=True):
        try:
            alive += [process] if process.status() != psutil.STATUS_ZOMBIE else []
        except psutil.Error:
            pass  # it has just ended
    return alive


def wait_for(holds, what="", every=0.05, limit=PATIENCE):
    """Wait until `holds()` is true, and return what it gives; AssertionError with `what` after `limit` seconds."""
    deadline = time.monotonic() + limit
    while not (found := holds()):
        assert time.monotonic() < deadline, what() if callable(what) else what
        time.sleep(every)
    return found


def left_after(before):
    """Command lines of what was started since `before`, a set of `started()`, and does not end."""
    deadline = time.monotonic() + 120  # what ends by itself may take its time; what does not is found by this
    while (left := [p for p in started() if p not in before]) and time.monotonic() < deadline:
        time.sleep(0.1)
    lines = []
    for process in left:
        try:
            lines.append(" ".join(process.cmdline()))
        except psutil.Error:
            pass
    return lines
