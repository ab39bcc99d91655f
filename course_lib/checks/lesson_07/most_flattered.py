"""Lesson 07: who is in the mean, and whom that flatters."""

import math

import torch
import torch.nn.functional as F

from ..causes import judge, rounded
from ..core import Exercise
from ..values import kind
from .scores import NAN, mean_of, scores_of

most_flattered = Exercise(
    "most_flattered",
    hints=(
        "Two means over the same IoUs: which classes does the second one have that the first one lacks?",
        (
            "IoU of each class: diagonal over (row sum + column sum − diagonal). It is NaN where the class is nowhere."
            " For the means over the truth's classes keep those whose row sum is above 0."
        ),
        (
            "With `iou` as the IoUs of one model, `iou[rows > 0].mean() - iou.nanmean()` is its gap. Put it into"
            " `gaps[name]`, as a number: `.item()`."
        ),
    ),
    own_work={
        name: "This asks a finished metric for the mean. Take IoUs of the table, and two means of them."
        for name in ("jaccard_index", "multiclass_jaccard_index", "MulticlassJaccardIndex", "MeanIoU", "mean_iou")
    },
)


def _two(matrix):
    """mIoU over the classes of the truth, and over those of truth or prediction."""
    s = scores_of(matrix)
    return mean_of([v for v, share in zip(s["iou"], s["share"]) if share > 0]), s["miou"]


def _gap(matrix):
    narrow, wide = _two(matrix)
    return narrow - wide


def _flattered(t, matrices):
    got = t.call(matrices)
    if not isinstance(got, (tuple, list)) or len(got) != 2 or not isinstance(got[0], str):
        t.fail(f"For models {', '.join(matrices)}: expected a name and a number, `(name, gap)`, got {kind(got)}")
    if got[0] not in matrices:
        t.fail(f"There is no model {got[0]!r}; the models are {', '.join(matrices)}.")
    return got


def _case(t, matrix):
    """(got, want, given, known mistakes) of one model's gap."""
    name, gap = _flattered(t, {"only": matrix})
    want, (narrow, wide), iou = _gap(matrix), _two(matrix), scores_of(matrix)["iou"]
    every = sum(0 if math.isnan(v) else v for v in iou) / len(iou)
    there = [i for i, share in enumerate(scores_of(matrix)["share"]) if share > 0]
    called = mean_of([v for v, column in zip(iou, matrix.sum(0).tolist()) if column])
    hits, both = matrix.diagonal().tolist(), (matrix.sum(0) + matrix.sum(1)).tolist()
    halves = [h / n if n else NAN for h, n in zip(hits, both)]
    recall = mean_of(scores_of(matrix)["recall"])
    known = [
        (
            _two(matrix[there][:, there])[0] - wide,
            "The false alarms are cut off with their column. Keep each IoU as it is, and choose which go "
            "into the mean.",
        ),
        (
            mean_of([v for v in iou if v > 0]) - wide,
            "Your first mean leaves out a class that is there and never hit. It is in the truth, so its 0 counts.",
        ),
        (
            narrow - called,
            "Your second mean is over the classes that are called; one that is there and never called counts, too.",
        ),
        (
            mean_of([halves[i] for i in there]) - mean_of(halves),
            "Below the line of each IoU the hits are counted twice, in the row's sum and in the column's. Take them off"
            " once.",
        ),
        *rounded(want),
        (-want, "The difference is the wrong way round: the mean over the truth's classes comes first."),
        (narrow, "This is the mean over the truth's classes; take the other mean off."),
        (wide, "This is the mean over the classes of truth or prediction, not the difference."),
        (NAN, "A class that is nowhere has IoU NaN, and must be left out of both means."),
        (
            narrow - every,
            "A class that is neither in the truth nor in the prediction counts as 0 in your second mean; leave it out.",
        ),
        (recall - recall * len(there) / sum(v == v for v in iou), "These are means of recalls; take those of IoUs."),
        (
            0.0 if want else None,
            "Both of your means are over the same classes. The truth's classes are the rows with pixels.",
        ),
    ]
    return gap, want, f"one model with the table {matrix.tolist()}", known


def _model(t, classes, alarms):
    """A table of a model: the last class is not in the truth, and is called on `alarms` pixels."""
    matrix = t.tensor(classes, classes, low=1, high=12) + torch.diag(t.tensor(classes, low=40, high=90))
    matrix[-1], matrix[:, -1] = 0, 0
    matrix[0, -1] = alarms
    return matrix


@most_flattered.part("the gap of one model", 1)
def _(t):
    tables = [
        torch.tensor([[8, 0, 0], [0, 3, 1], [0, 0, 0]]),
        torch.tensor([[6, 0, 0, 2], [0, 4, 0, 0], [3, 0, 0, 1], [0, 0, 0, 0]]),  # class 2 is never called
        _model(t, t.random.randint(3, 5), t.random.randint(1, 5)),
        _model(t, 4, 3),
    ]
    tables[-1][:, 1] = 0  # nor is class 1 here
    judge(t, (_case(t, table) for table in tables))


@most_flattered.part("classes that occur nowhere", 0.5)
def _(t):
    tables = [_model(t, 5, t.random.randint(1, 5)) for _ in range(2)]
    for nowhere, table in zip((1, 2), tables):
        table[nowhere], table[:, nowhere] = 0, 0
    judge(t, (_case(t, table) for table in tables))


@most_flattered.part("the model with the largest gap", 0.5)
def _(t):
    honest, flattered, weak = (F.pad(_model(t, 4, alarms), (0, 1, 0, 1)) for alarms in (1, 2, 0))
    honest[range(3), range(3)] += 300  # the best under either mean
    flattered[range(3), range(3)] += 30
    flattered[1, 4] = 2  # calls both of the classes that are not there; weak calls none
    weak[range(3), range(3)] = t.tensor(3, low=1, high=4)
    models = {"model a": honest, "model b": flattered, "model c": weak}
    orders = [[f"model {k}" for k in order] for order in ("abc", "cab", "bca")]
    names = [_flattered(t, {k: models[k] for k in order})[0] for order in orders]
    for name, order in zip(names, orders):
        if name != "model b":
            more = " That is the smallest gap." if name == "model c" else ""
            if names == [order[0] for order in orders]:
                more = " Whatever the order, the first of them comes back: does a `return` stand inside the loop?"
            elif names == [order[-1] for order in orders]:
                more = " Whatever the order, the last of them comes back."
            elif names == ["model a"] * 3:
                more = " It has the highest mIoU over the truth's classes, but that is another question."
            gaps = {k: round(_gap(models[k]), 3) for k in order}
            t.fail(f"For three models with gaps {gaps}: the most flattered is `model b`, not `{name}`.{more}")
    t.unchanged("a table that it was given.")
