"""Checks in one process, answers in another: every answer of the bank gets the verdict that it gets in one."""

import contextlib
import multiprocessing
import subprocess
import sys

import pytest
import torch

from course_lib import build
from course_lib.checks import values
from course_lib.crossing import codec, near

from . import answers
from .conftest import LESSONS, ROOT, notebook

BANK = [a for lesson in LESSONS for a in answers.bank(lesson)]
CHECKS = {lesson: build.checks_of(lesson) for lesson in LESSONS}


@pytest.fixture(scope="module")
def far():
    """A context manager: code -> a Session with a process that has run it."""
    mine, theirs = multiprocessing.Pipe()
    child = subprocess.Popen([sys.executable, "-m", "tests.far_process", str(theirs.fileno())], pass_fds=[theirs.fileno()], cwd=ROOT)
    theirs.close()

    @contextlib.contextmanager
    def process(code):
        mine.send_bytes(codec.pack(code))
        assert codec.unpack(mine.recv_bytes()) == "ready"
        try:
            yield near.Session(mine, values.names_in_source(code))
        finally:
            mine.send_bytes(codec.pack(("end",)))
            assert codec.unpack(mine.recv_bytes()) == "over"

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield process
    torch.set_num_threads(before)
    mine.close()
    assert child.wait(10) == 0


def told(verdict):
    return [(r.part, r.outcome, r.message) for r in verdict.results]


@pytest.mark.parametrize("item", BANK, ids=str)
def test_an_answer_gets_the_same_verdict_across_processes(item, far):
    check = getattr(CHECKS[item.lesson], item.exercise)
    with far(item.code) as session:
        across = check(session.look(item.exercise))
    assert told(across) == told(check(item.build()))
