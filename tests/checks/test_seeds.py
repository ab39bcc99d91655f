"""The seed decides nothing: every answer of every bank has one verdict, and one number of points, on every seed.

Five seeds are always tried; --all-seeds tries 25, which takes a quarter of an hour.
"""

import pytest

from course_lib.checks import core
from tests.support.answers import BANK, CHECKS

pytestmark = pytest.mark.usefixtures("one_thread")

SEEDS = [0, 1, 2, 3, 5, 7, 11, 13, 42, 99, 123, 777, 1000, 2024, 2718, 4711, 12345, 31337, 54321, 65537]
SEEDS += [10**6 + 3, 10**9 + 7, 2**31 - 1, 2**53 + 1, 2**60 - 93]


def decided(item, seeds):
    """What an answer fails, with its points, on each seed: {(points, parts): seeds}."""
    check, answer, found = getattr(CHECKS[item.lesson], item.exercise), item.build(), {}
    for seed in seeds:
        verdict = check(answer, seed=seed)
        failed = tuple(r.part for r in verdict.results if r.outcome != core.PASSED)
        found.setdefault((verdict.points, failed), []).append(seed)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("item", BANK, ids=str)
def test_an_answer_has_one_verdict_on_a_few_seeds(item):
    found = decided(item, SEEDS[:5])
    assert len(found) == 1, found


@pytest.mark.all_seeds
@pytest.mark.parametrize("item", BANK, ids=str)
def test_an_answer_has_one_verdict_on_25_seeds(item):
    found = decided(item, SEEDS)
    assert len(SEEDS) == len(set(SEEDS)) == 25 and len(found) == 1, found
