"""A pytest plugin for nbval: write every cell's outputs and the kernel's peak memory and processor time to $NBVAL_RECORD, as JSON."""

import json
import os
import sys
from pathlib import Path

_cells = {}


def pytest_runtest_teardown(item):
    if hasattr(item, "test_outputs"):
        _cells[item.cell["id"]] = item.test_outputs or []


def pytest_unconfigure(config):
    peak = cpu = 0.0
    try:
        import resource

        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        peak, cpu = used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10), used.ru_utime + used.ru_stime
    except ImportError:  # Windows counts none
        pass
    Path(os.environ["NBVAL_RECORD"]).write_text(json.dumps({"cells": _cells, "megabytes": peak, "cpu": cpu}))
