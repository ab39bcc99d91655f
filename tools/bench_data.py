"""Scenes a second on one core: python tools/bench_data.py"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch

from course_lib.data import scenes


def rate(n=600, **settings):
    """Scenes a second of CPU time, pictures already decoded."""
    dataset = scenes(length=10**6, **settings)
    for i in range(300):
        dataset[i]
    start, wall = time.process_time(), time.perf_counter()
    for i in range(1000, 1000 + n):
        dataset[i]
    return n / (time.process_time() - start), n / (time.perf_counter() - wall)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for settings in (
        dict(size=64),
        dict(size=64, animals=(2, 4), target=("semantic", "instance", "boxes")),
        dict(size=128),
        dict(size=256),
    ):
        cpu, wall = rate(**settings)
        print(f"{cpu:6.0f} scenes a second of one core ({wall:.0f} by the clock)  {settings}")
