"""Lesson 07: tables whose hits, misses and false alarms are known from how they are made, and pictures of a table."""

import math
from typing import NamedTuple

import torch

NAN = float("nan")


class Table(NamedTuple):
    """A confusion matrix, int64 (C, C), and of each class the pixels found, missed, and called by its name in vain."""

    matrix: torch.Tensor
    hits: list
    misses: list
    alarms: list


def ratio(a, b):
    return a / b if b else NAN


def mean_of(values):
    values = [v for v in values if not math.isnan(v)]
    return ratio(sum(values), len(values))


def table_of(hits, mistakes):
    """The table with these hits of each class, and {(true class, class called): pixels} for the mistakes."""
    rows = [[n if c == other else 0 for other in range(len(hits))] for c, n in enumerate(hits)]
    misses, alarms = [0] * len(hits), [0] * len(hits)
    for (true, called), n in mistakes.items():
        rows[true][called] += n
        misses[true] += n
        alarms[called] += n
    return Table(torch.tensor(rows), list(hits), misses, alarms)


def drawn(t, classes, shown, called, hits=(20, 90), wrong=(1, 12)):
    """A table in which each class that is `shown` is mistaken for each other one that is `called`.

    shown   {class of the truth: whether any of its pixels is found}
    called  the classes that pixels are mistaken for
    hits    pixels found of a class, and `wrong` of each kind of mistake: from the first number to the second
    """
    found = [t.random.randint(*hits) if shown.get(c) else 0 for c in range(classes)]
    return table_of(found, {(a, b): t.random.randint(*wrong) for a in shown for b in called if a != b})
