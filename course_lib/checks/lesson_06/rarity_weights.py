"""Lesson 06: weights for rare classes, by two rules."""

import math

import torch

from ..causes import judge
from ..core import Exercise
from ..values import dtype_name, kind
from .losses import CHANGED

rarity_weights = Exercise(
    "rarity_weights",
    hints=(
        "Take the example's table and work out both shares of class 1 by hand. Which pixels are in the "
        "denominator of each?",
        "First rule: the denominator is the sum of the whole table. Second rule: for class c, add up the rows' "
        "totals, but only of the rows in which column c is above 0. `(counts > 0)` is such a table of yes and no.",
        "For each rule: weight = denominator / pixels of the class, and 0 where the class does not occur: "
        "`torch.where` with `occurs`. The scaling is given.",
    ),
    own_work={
        "class_weights": (
            "This calls the library's own weights. Count for yourself: the counting is what the two rules differ in."
        )
    },
)


def _weights(counts, per_image, *, over=None, rule=lambda share: 1 / share):
    """Class by class in Python numbers, scaled to mean 1 over the classes that occur.

    over  the mean is over as many classes; 0 for no scaling
    rule  from a share to a weight, before the scaling
    """
    rows, found = counts.tolist(), []
    for c in range(counts.shape[1]):
        mine = sum(row[c] for row in rows)
        among = sum(sum(row) for row in rows if row[c] or not per_image)
        found.append(rule(mine / among) if mine else 0.0)
    mean = 1.0 if over == 0 else sum(found) / (over or sum(w > 0 for w in found))
    return torch.tensor([w / mean for w in found])


def _pair(t, got, counts, given):
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        t.fail(f"For {given}: expected two tensors, one for each rule, got {kind(got)}")
    want = (counts.shape[1],)
    for name, w in zip(("first", "second"), got):
        if not isinstance(w, torch.Tensor) or tuple(w.shape) != want:
            t.fail(f"For {given}: the {name} weights should be a tensor of shape {want}; got {kind(w)}")
        if not w.is_floating_point():
            t.fail(f"For {given}: the {name} weights should be floats, not {dtype_name(w)}.")
    return got


def _table(t):
    """Counts of four images and three classes that all occur, one of them in few images."""
    counts = t.tensor(4, 3, low=1, high=9) * torch.tensor([10, 20, 30, 50])[:, None]  # images of unlike sizes
    counts[t.random.choice([0, 1]), 2] = 0
    counts[2, 2] = counts[3, 0] = 0
    return counts


def _rule(t, counts, which):
    """(got, want, given, known mistakes) of the weights by one of the rules."""
    name = ("first", "second")[which]
    given = f"counts {counts.tolist()}"
    got = _pair(t, t.call(counts), counts, given)[which]
    want = _weights(counts, bool(which))
    share = counts.double() / counts.sum(1, keepdim=True).clamp(min=1)
    mean_share = (share.sum(0) / len(counts)).clamp(min=1e-12)
    there = (counts > 0).sum(0).clamp(min=1)
    own_mean = (share.sum(0) / there).clamp(min=1e-12)
    frequency = 1 / want.double().where(want > 0, 1)

    def scaled(w):
        w = torch.where(want > 0, w.double(), 0.0)
        return (w / w[want > 0].mean()).float()

    meanings = [
        (_weights(counts, not which), "These are the weights of the other rule."),
        (scaled(frequency), "This is upside down: frequent classes get the large weights. It is one *over* the share."),
        (
            _weights(counts, bool(which), over=0),
            "These are not scaled yet; divide by the mean over the classes that occur.",
        ),
        (want / want.sum(), "These add up to 1; scale them so that their mean is 1."),
        (scaled(1 / mean_share), "This averages each image's share; add up pixels first, then divide."),
        (scaled(1 / own_mean), "This averages each image's share; add up pixels first, then divide."),
        (
            scaled(there.double() / counts.sum(0).clamp(min=1)),
            "This divides by the number of images with the class; divide by all their pixels.",
        ),
        (scaled(1 / there.double()), "This counts in how many images a class occurs; count pixels."),
        (scaled(want.double().sqrt()), "This is the square root of the weights."),
        (
            _weights(counts, bool(which), rule=lambda share: 1 / math.log(1.02 + share)),
            "There is a logarithm in these weights. Here a weight is one over the share itself.",
        ),
    ]
    return got, want, f"the {name} weights of {given}", meanings


@rarity_weights.part("share of the whole set", 0.75)
def _(t):
    tables = torch.tensor([[90, 10], [100, 0]]), _table(t), _table(t)
    judge(t, (_rule(t, counts, 0) for counts in tables))
    t.unchanged(CHANGED)


@rarity_weights.part("share of the images with the class", 0.75)
def _(t):
    tables = torch.tensor([[90, 10], [100, 0]]), _table(t), _table(t)
    judge(t, (_rule(t, counts, 1) for counts in tables))
    t.unchanged(CHANGED)


@rarity_weights.part("a class that occurs nowhere", 0.5)
def _(t):
    counts = torch.cat([_table(t), torch.zeros(4, 1, dtype=torch.int64)], 1)[
        :, t.random.choice([[0, 3, 1, 2], [3, 0, 1, 2]])
    ]
    given, missing = f"counts {counts.tolist()}", int((counts.sum(0) == 0).nonzero()[0])
    for which, w in enumerate(_pair(t, t.call(counts), counts, given)):
        name = ("first", "second")[which]
        if not torch.isfinite(w).all():
            t.fail(
                f"For {given}: the {name} weights hold infinity or NaN. Class {missing} occurs nowhere, and "
                "one over nothing is infinite. Its weight should be 0."
            )
        if w[missing] != 0:
            t.fail(
                f"For {given}: class {missing} occurs nowhere, and its weight in the {name} weights is "
                f"{w[missing]:g}; it should be 0."
            )
        known = [
            (
                _weights(counts, bool(which), over=counts.shape[1]),
                "The mean is taken over all classes; take it over those that occur.",
            )
        ]
        t.close(w, _weights(counts, bool(which)), f"the {name} weights of {given}", known)
    t.unchanged(CHANGED)


@rarity_weights.part("large counts, and an image without labels", 0.5)
def _(t):
    counts = torch.tensor([[3_000_000_000, 5, 0], [0, 0, 0], [2_000_000_000, 0, 7_000_000]])
    given = f"counts {counts.tolist()}"
    got = _pair(t, t.call(counts), counts, given)
    for which, w in enumerate(got):
        t.close(
            w, _weights(counts, bool(which)), f"the {('first', 'second')[which]} weights of {given}", tolerance=1e-3
        )
