"""Several stations at once on this machine: worker processes, each with a sandbox of its own, that may die."""

import ctypes
import multiprocessing
import os
import signal
import sys
import time
from collections import deque
from multiprocessing.connection import wait

from .runner import LIVES, TRIES, Fault, Station

GRACE = 300  # seconds that a submission may take on top of what its own limits allow


def serve(connection, root, limits, safe):
    """A worker's life: one job at a time, until nobody is there to give one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the coordinator's affair
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # die with the coordinator, whatever it dies of
    import torch

    torch.set_num_threads(1)
    station = Station(root, limits, safe)
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

    def __init__(self, root, limits, safe):
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, str(root), limits, safe), daemon=True)
        self.process.start()
        theirs.close()
        self.key, self.since = None, 0.0

    def give(self, key, job):
        self.key, self.since = key, time.monotonic()
        self.connection.send(job)

    def stop(self):
        self.connection.close()  # it stops its sandbox and ends
        self.process.join(5)
        self.process.kill()
        self.process.join()


class Pool:
    """`count` workers. `run` gives each job to one; a job whose worker dies, or that meets a fault of ours, is done again."""

    def __init__(self, root, count, limits, safe):
        self.make = lambda: Worker(root, limits, safe)
        self.count, self.limits, self.workers = count, limits, []

    def run(self, jobs):
        """Yield (key, result, fault) as jobs end, in any order; `jobs` is {key: job}. A fault is a sentence, else None."""
        ahead, tries = deque(jobs), dict.fromkeys(jobs, 0)
        while len(self.workers) < min(self.count, len(jobs)):
            self.workers.append(self.make())
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
                        worker.process.kill()
                        raise EOFError
                except (EOFError, OSError):
                    outcome = outcome or ("fault", f"its worker ended ({_ending(worker.process)})")
                    self.workers.remove(worker)
                    worker.stop()
                    self.workers.append(self.make())
                if outcome is None:
                    continue
                worker.key = None
                how, value = outcome
                if how == "done":
                    yield key, value, None
                elif tries[key] < TRIES:
                    ahead.append(key)
                else:
                    yield key, None, value

    def stop(self):
        for worker in self.workers:
            worker.stop()
        self.workers = []


def _ending(process):
    process.join(5)
    code = process.exitcode
    return f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"


def cores():
    """How many workers this machine has cores for."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
