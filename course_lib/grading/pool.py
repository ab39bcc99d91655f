"""Several stations at once on this machine: worker processes that may die.

What all need is imported once: in one process of which the workers are forks, and in one sandbox with a lane for each.
"""

import ctypes
import gc
import multiprocessing
import os
import signal
import sys
import time
from collections import deque
from multiprocessing import forkserver
from multiprocessing.connection import wait
from pathlib import Path

from course_lib.crossing.sandbox import Warm

from .rules import LIVES, TRIES, Fault

GRACE = 300  # seconds that a submission may take on top of what its own limits allow


def serve(connection, root, limits, safe, door):
    """A worker's life: one job at a time, until nobody is there to give one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the coordinator's affair
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # die with the coordinator, whatever it dies of
    import torch

    from .runner import Station

    torch.set_num_threads(1)
    gc.freeze()  # what all workers share stays shared
    station = Station(root, limits, safe, door)
    try:
        while True:
            connection.send(attempt(station, *connection.recv()))
    except (EOFError, OSError):
        pass
    finally:
        station.stop()


def attempt(station, kind, *job):
    """("done", what `work` gives), or ("fault", why it failed)."""
    try:
        return "done", work(station, kind, *job)
    except (Fault, MemoryError) as fault:
        return "fault", str(fault) or "no memory left"
    except Exception as error:
        return "fault", f"{type(error).__name__}: {error}"


def work(station, kind, *job):
    """One job, here or on another machine: ("grade", bytes or path, lesson) or ("page", …)."""
    if kind == "grade":
        data, lesson = job
        if isinstance(data, str):
            with open(data, "rb") as file:
                data = file.read()
        return station.grade(data, lesson).plain()
    from . import feedback

    return feedback.page(*job)


class Worker:
    """One process and what it is busy with."""

    def __init__(self, context, *settings):
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, *settings), daemon=True)
        self.process.start()
        theirs.close()
        self.key, self.since = None, 0.0

    def give(self, key, job):
        self.key, self.since = key, time.monotonic()
        self.connection.send(job)

    def stop(self):
        self.connection.close()
        self.process.kill()  # what runs in its lane ends with it
        self.process.join()


class Pool:
    """`count` workers. `run` gives each job to one; a job whose worker dies, or that meets a fault of ours, is done again.

    What they need starts to import when the pool is made, and goes on while the caller does something else.
    """

    def __init__(self, root, count, limits, safe):
        self.root, self.count, self.limits, self.safe, self.workers = str(root), count, limits, safe, []
        checks = sorted(p.name for p in Path(__file__).parents[1].glob("checks/lesson_??"))
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(
            ["course_lib.grading.runner", "course_lib.plot", *(f"course_lib.checks.{name}" for name in checks)]
        )
        self.warm = Warm(safe)
        forkserver.ensure_running()

    def hire(self):
        """One more worker; the last words of the sandbox where that has gone."""
        said = ""
        if self.warm.process.poll() is not None:
            said = self.warm.stop()
            self.warm = Warm(self.safe)
        self.workers.append(Worker(self.context, self.root, self.limits, self.safe, self.warm.door))
        return said

    def run(self, jobs):
        """Yield (key, result, fault) as jobs end, in any order; `jobs` is {key: job}. A fault is a sentence, else None."""
        ahead, tries = deque(jobs), dict.fromkeys(jobs, 0)
        while len(self.workers) < min(self.count, len(jobs)):
            self.hire()
        longest = LIVES * max(self.limits.wall, self.limits.cpu) + GRACE
        while ahead or any(w.key is not None for w in self.workers):
            for worker in self.workers:
                if worker.key is None and ahead:
                    key = ahead.popleft()
                    tries[key] += 1
                    try:
                        worker.give(key, jobs[key])
                    except OSError:
                        pass  # it has died idle; seen below
            busy = {w.connection: w for w in self.workers if w.key is not None}
            wait(busy, timeout=1.0)
            for connection, worker in busy.items():
                key, outcome = worker.key, None
                try:
                    if connection.poll():
                        outcome = connection.recv()
                    elif not worker.process.is_alive():
                        raise EOFError
                    elif time.monotonic() - worker.since > longest:
                        outcome = ("fault", f"no answer in {longest:.0f} s")
                except (EOFError, OSError):
                    outcome = ("fault", f"its worker ended ({_ending(worker.process)})")
                if outcome is None:
                    continue
                worker.key = None
                how, value = outcome
                if how == "done":
                    yield key, value, None
                    continue
                self.workers.remove(worker)  # it, or its sandbox, may be what failed
                worker.stop()
                said = self.hire()
                if tries[key] < TRIES:
                    ahead.append(key)
                else:
                    yield key, None, f"{value} {said}".strip()

    def stop(self):
        for worker in self.workers:
            worker.stop()
        self.workers = []
        self.warm.stop()


def _ending(process):
    process.join(5)
    code = process.exitcode
    return f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"


def cores():
    """How many workers this machine has cores for."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
