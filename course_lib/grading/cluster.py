"""The same jobs on many machines: a Dask cluster, each of whose workers has a station of its own.

Every worker has this very course installed or checked out, bubblewrap, and one thread (`dask worker ADDRESS
--nthreads 1`). Dask does the work of a worker that died on another one.
"""

import functools
import threading

from course_lib.start.environment import ROOT
from course_lib.start.errors import Stop

from .pool import attempt
from .rules import TRIES, version

AHEAD = 4  # jobs that are on their way, for each worker
PATIENCE = 30  # seconds to find the scheduler, and a worker


class Cluster:
    """In place of `pool.Pool`: the workers of the scheduler at `address`."""

    def __init__(self, address, limits, safe):
        try:
            from dask.distributed import Client
        except ImportError:
            raise Stop(
                "To grade on a Dask cluster, install dask: pip install 'course_lib[cluster]' or pip install distributed."
            ) from None
        self.limits, self.safe = limits, safe
        try:
            self.client = Client(address, timeout=PATIENCE, set_as_default=False)
            self.client.wait_for_workers(1, timeout=PATIENCE)
        except (OSError, ValueError, TimeoutError) as error:
            raise Stop(
                f"There is no Dask scheduler with workers at {address} ({str(error).splitlines()[0]})."
            ) from None
        others = {worker for worker, found in self.client.run(version).items() if found != version()}
        if others:
            self.stop()
            raise Stop(
                f"These workers have another version of the course: {', '.join(sorted(others))}. Give all the same, then start again."
            )

    def run(self, jobs):
        """As `Pool.run`."""
        from dask.distributed import as_completed

        ahead, tries, keys = list(reversed(jobs)), dict.fromkeys(jobs, 0), {}
        running = as_completed(loop=self.client.loop)

        def send():
            threads = sum(self.client.nthreads().values()) if ahead else 0
            while ahead and len(keys) < max(1, AHEAD * threads):
                name = ahead.pop()
                tries[name] += 1
                kind, *job = jobs[name]
                if kind == "grade":  # the file may lie here only
                    with open(job[0], "rb") as file:
                        job[0] = file.read()
                future = self.client.submit(_there, self.limits, self.safe, kind, *job, pure=False)
                keys[future.key] = name
                running.add(future)

        send()
        while keys:
            future = next(running)
            name = keys.pop(future.key)
            if future.status == "finished":
                how, value = future.result()
            else:
                how, value = "fault", f"its worker ended ({future.exception()})"
            future.release()
            if how == "done":
                yield name, value, None
            elif tries[name] < TRIES:
                ahead.append(name)
            else:
                yield name, None, value
            send()

    def stop(self):
        self.client.close()


_one = threading.Lock()  # a station grades one submission at a time


@functools.lru_cache(maxsize=1)
def _station(limits, safe):
    from .runner import Station

    return Station(ROOT, limits, safe)


def _there(limits, safe, kind, *job):
    """A job on a worker: ("done", result) or ("fault", why)."""
    import torch

    torch.set_num_threads(1)
    with _one:
        return attempt(_station(limits, safe), kind, *job)
