"""Several stations at once on this machine: worker processes that may die.

What all need is imported once: in one process of which the workers are forks, and in one sandbox with a lane for each.
"""

import contextlib
import ctypes
import gc
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from multiprocessing import forkserver
from multiprocessing.connection import wait
from pathlib import Path

from course_lib.crossing.sandbox import Limits, Warm

from .records import Grade, Graded, Outcome, Page
from .rules import CHECK_CPU, LIVES, TRIES, Fault, little_memory, little_time

GRACE = 300  # seconds that a submission may take on top of what its own limits allow
# How a worker ends by what it was made to do; what ends it from outside, as a machine without memory does, is SIGKILL.
OWN = {signal.SIGXCPU: f"took more than {CHECK_CPU} s of processor time"} | dict.fromkeys(
    (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL), "crashed"
)


def serve(connection, root, limits, safe, door):
    """A worker's life: one task at a time, until nobody is there to give one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the coordinator's affair
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # die with the coordinator, whatever it dies of
    import torch

    from .runner import Station

    torch.set_num_threads(1)
    gc.freeze()  # what all workers share stays shared
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def at(name):
        little_time()
        connection.send(name)

    station = Station(root, limits, safe, door, at)
    try:
        while True:
            connection.send(attempt(station, connection.recv()))
    except (EOFError, OSError):
        pass
    finally:
        station.stop()


def attempt(station, task: Grade | Page) -> Outcome:
    """What `work` gives, or why it failed."""
    try:
        return Outcome(work(station, task))
    except (Fault, MemoryError) as fault:
        return Outcome(fault=str(fault) or "no memory left")
    except Exception as error:
        return Outcome(fault=f"{type(error).__name__}: {error}")


def work(station, task: Grade | Page) -> Graded | str:
    """Do one task, here or on another machine."""
    if isinstance(task, Grade):
        data = Path(task.notebook).read_bytes() if isinstance(task.notebook, str) else task.notebook
        return station.grade(data, task.lesson, task.blamed)
    from . import pages

    station.at("")
    with little_memory():
        return pages.page(task)


def eased(task: Grade | Page, outcome: Outcome) -> tuple[Grade | Page, Outcome | None]:
    """(a task that asks for less than one that ended its worker, None), or (task, what becomes of it) in the end."""
    if isinstance(task, Page):
        if not task.plain:
            return task._replace(plain=True), None
        from . import pages

        why = f"Your notebook was graded, but making this page of it {outcome.fault}. Ask for your points."
        return task, Outcome(pages.refusal(task.lesson, why))
    blamed = (*task.blamed, (outcome.at, f"Checking your answer {outcome.fault}, and was stopped."))
    if outcome.at and len(blamed) <= TRIES:
        return task._replace(blamed=blamed), None
    why = f"Grading this notebook {outcome.fault}, and was stopped"
    return task, Outcome(Graded(task.lesson, unreadable=f"{why}: simplify what it holds, and hand it in again."))


class Worker:
    """One process and what it is busy with: `key`, None where with nothing, and the check that it is `at`."""

    def __init__(self, context, *settings):
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, *settings), daemon=True)
        self.process.start()
        theirs.close()
        self.key, self.since, self.at = None, 0.0, ""

    def give(self, key, task: Grade | Page):
        self.key, self.since, self.at = key, time.monotonic(), ""
        with contextlib.suppress(OSError):  # it has died idle: `outcome` says so
            self.connection.send(task)

    def outcome(self, longest) -> Outcome | None:
        """What became of its task, which may take `longest` seconds; None while it is busy."""
        try:
            while self.connection.poll():
                said = self.connection.recv()
                if isinstance(said, Outcome):
                    return said
                self.at = said
            ended = not self.process.is_alive()
        except (EOFError, OSError):
            ended = True
        if ended:
            self.process.join(5)
            code = self.process.exitcode
            if code is not None and -code in OWN:
                return Outcome(fault=OWN[-code], at=self.at)
            how = f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"
            return Outcome(fault=f"its worker ended ({how})")
        if time.monotonic() - self.since > longest:
            return Outcome(fault=f"no answer in {longest:.0f} s")
        return None

    def stop(self):
        self.connection.close()
        self.process.kill()  # what runs in its lane ends with it
        self.process.join()


class Pool:
    """`count` workers. `run` gives each task to one; where one dies or meets a fault of ours, its task is done again.

    What they need starts to import when the pool is made, and goes on while the caller does something else.

    root    the course's
    limits  of each answer
    safe    whether student code runs in a sandbox
    """

    def __init__(self, root, count: int, limits: Limits, safe: bool):
        self.root, self.count, self.limits, self.safe = str(root), count, limits, safe
        self.workers: list[Worker] = []
        checks = sorted(p.name for p in Path(__file__).parents[1].glob("checks/lesson_??"))
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(
            ["course_lib.grading.runner", "course_lib.plot", *(f"course_lib.checks.{name}" for name in checks)]
        )
        self.warm = Warm(safe)
        forkserver.ensure_running()

    def run(self, tasks: dict[str, Grade | Page]) -> Iterator[tuple[str, Graded | str | None, str]]:
        """Yield (key, result, fault) as tasks end, in any order. A fault is a sentence, "" where there is a result."""
        tasks, ahead, tries = dict(tasks), deque(tasks), Counter()
        longest = LIVES * max(self.limits.wall, self.limits.cpu) + GRACE
        while len(self.workers) < min(self.count, len(tasks)):
            self.hire()
        while True:
            for worker in self.workers:
                if worker.key is None and ahead:
                    key = ahead.popleft()
                    tries[key] += 1
                    worker.give(key, tasks[key])
            busy = [worker for worker in self.workers if worker.key is not None]
            if not busy:
                return
            wait([worker.connection for worker in busy], timeout=1.0)
            for worker in busy:
                outcome = worker.outcome(longest)
                if outcome is None:
                    continue
                key, worker.key = worker.key, None
                said = self.replace(worker) if outcome.fault else ""
                if outcome.at is not None:
                    tasks[key], outcome = eased(tasks[key], outcome)
                    if outcome is None:
                        ahead.append(key)
                        continue
                if outcome.fault and tries[key] < TRIES:
                    ahead.append(key)
                else:
                    yield key, outcome.result, f"{outcome.fault} {said}".strip()

    def hire(self) -> str:
        """One more worker; the last words of the sandbox where that has gone."""
        said = ""
        if self.warm.process.poll() is not None:
            said = self.warm.stop()
            self.warm = Warm(self.safe)
        self.workers.append(Worker(self.context, self.root, self.limits, self.safe, self.warm.door))
        return said

    def replace(self, worker: Worker) -> str:
        """Another worker in place of one that met a fault: it, or its sandbox, may be what failed. As `hire`."""
        self.workers.remove(worker)
        worker.stop()
        return self.hire()

    def stop(self):
        for worker in self.workers:
            worker.stop()
        self.workers = []
        self.warm.stop()


def cores():
    """How many workers this machine has cores for."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
