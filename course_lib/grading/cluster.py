"""The same tasks on many machines: a Dask cluster, each of whose workers has a station of its own.

Every worker has this very course installed or checked out, bubblewrap, and one thread (`dask worker ADDRESS
--nthreads 1`). Dask does the work of a worker that died on another one.
"""

import functools
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from course_lib.start.environment import ROOT
from course_lib.start.errors import Stop

from .pool import attempt
from .records import Grade, Graded, Outcome, Page
from .rules import TRIES, version

AHEAD = 4  # tasks that are on their way, for each worker
PATIENCE = 30  # seconds to find the scheduler, and a worker


class Cluster:
    """In place of `pool.Pool`: the workers of the scheduler at `address`."""

    def __init__(self, address, limits, safe):
        try:
            from dask.distributed import Client
        except ImportError:
            install = "pip install '.[cluster]' in the checkout"
            raise Stop(f"To grade on a Dask cluster, install dask: {install}.") from None
        self.limits, self.safe = limits, safe
        try:
            self.client = Client(address, timeout=PATIENCE, set_as_default=False)
            self.client.wait_for_workers(1, timeout=PATIENCE)
        except (OSError, ValueError, TimeoutError) as error:
            why = str(error).splitlines()[0]
            raise Stop(f"There is no Dask scheduler with workers at {address} ({why}).") from None
        others = {worker for worker, found in self.client.run(version).items() if found != version()}
        if others:
            self.stop()
            which = f"These workers have another version of the course: {', '.join(sorted(others))}"
            raise Stop(f"{which}. Give all the same, then start again.")

    def run(self, tasks: dict[str, Grade | Page]) -> Iterator[tuple[str, Graded | str | None, str]]:
        """As `Pool.run`."""
        from dask.distributed import as_completed

        ahead, tries, names = list(reversed(tasks)), Counter(), {}
        running = as_completed(loop=self.client.loop)

        def send():
            threads = sum(self.client.nthreads().values()) if ahead else 0
            while ahead and len(names) < max(1, AHEAD * threads):
                name = ahead.pop()
                tries[name] += 1
                task = tasks[name]
                if isinstance(task, Grade):  # the file may lie here only
                    task = task._replace(notebook=Path(task.notebook).read_bytes())
                future = self.client.submit(_there, self.limits, self.safe, task, pure=False)
                names[future.key] = name
                running.add(future)

        send()
        while names:
            future = next(running)
            name = names.pop(future.key)
            if future.status == "finished":
                outcome = future.result()
            else:
                outcome = Outcome(fault=f"its worker ended ({future.exception()})")
            future.release()
            if outcome.fault and tries[name] < TRIES:
                ahead.append(name)
            else:
                yield name, outcome.result, outcome.fault
            send()

    def stop(self):
        self.client.close()


_one = threading.Lock()  # a station grades one submission at a time


@functools.lru_cache(maxsize=1)
def _station(limits, safe):
    from .runner import Station

    return Station(ROOT, limits, safe)


def _there(limits, safe, task: Grade | Page) -> Outcome:
    """A task on a worker."""
    import torch

    torch.set_num_threads(1)
    with _one:
        return attempt(_station(limits, safe), task)
