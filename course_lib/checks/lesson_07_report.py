"""Checks of lesson 07, from the table to scores. What is expected is computed in plain Python numbers."""

import math

import torch
import torch.nn.functional as F

from .lesson_07_tables import check
from .values import kind, same, show

NAN = float("nan")

# --- a report from the table --------------------------------------------------------------------------------

report = check.exercise(
    "report",
    hints=(
        (
            "The three given vectors are enough for everything: `hits`, `rows` and `columns`. What does each of them"
            " count?"
        ),
        (
            "Hits are the diagonal; a row's sum is how many pixels are truly of the class; a column's sum is how many"
            " were called it. The union of the two sets is their sum, less what was counted twice."
        ),
        (
            "Below the line of recall stands the row's sum, of precision the column's, of Dice both, of IoU both less"
            " the hits. Mean accuracy is the `.nanmean()` of recall; mIoU that of IoU. Accuracy is all hits over all"
            " pixels."
        ),
    ),
    own_work={
        name: "This asks a finished metric. Work from the table: its diagonal, row sums and column sums."
        for name in (
            "Confusion",
            "jaccard_index",
            "multiclass_jaccard_index",
            "MulticlassJaccardIndex",
            "MeanIoU",
            "mean_iou",
        )
    },
)
EACH, SUMMARY = ("share", "recall", "precision", "iou", "dice"), ("accuracy", "mean_accuracy", "miou")


def _over(a, b):
    return a / b if b else NAN


def _mean(values):
    values = [v for v in values if not math.isnan(v)]
    return _over(sum(values), len(values))


def scores_of(matrix):
    """Every score of a (C, C) table in plain Python numbers: lists for single classes, numbers for the summary."""
    m = [[int(v) for v in row] for row in matrix.tolist()]
    n, total = range(len(m)), sum(map(sum, m))
    hit, miss = [m[c][c] for c in n], [sum(m[c][k] for k in n if k != c) for c in n]
    alarm = [sum(m[k][c] for k in n if k != c) for c in n]
    each = dict(
        share=[_over(hit[c] + miss[c], total) for c in n],
        recall=[_over(hit[c], hit[c] + miss[c]) for c in n],
        precision=[_over(hit[c], hit[c] + alarm[c]) for c in n],
        iou=[_over(hit[c], hit[c] + miss[c] + alarm[c]) for c in n],
        dice=[_over(2 * hit[c], 2 * hit[c] + miss[c] + alarm[c]) for c in n],
    )
    return dict(each, accuracy=_over(sum(hit), total), mean_accuracy=_mean(each["recall"]), miou=_mean(each["iou"]))


def _report(t, matrix):
    got = t.call(matrix)
    if not isinstance(got, dict):
        t.fail(f"Expected a dict with {', '.join(EACH + SUMMARY)}, got {kind(got)}")
    return got


def _entries(t, got, matrix, keys, known=()):
    """Compare some of a report's entries; `known` maps a key to pairs of a wrong value and what it reveals."""
    given, want = f"the table {matrix.tolist()}, `{{}}`", scores_of(matrix)
    for key in keys:
        if key not in got:
            t.fail(f"The report has no entry `{key}`; it has {', '.join(map(str, got)) or 'none'}.")
        value = got[key]
        if key in SUMMARY:
            if isinstance(value, torch.Tensor) and value.numel() != 1:
                t.fail(f"For {given.format(key)}: expected one number, got {kind(value)}")
            right, wrong = want[key], [(w, m) for w, m in dict(known).get(key, ())]
        else:
            right = torch.tensor(want[key], dtype=torch.float64)
            wrong = [(torch.as_tensor(w, dtype=torch.float64), m) for w, m in dict(known).get(key, ())]
        t.close(value, right, given.format(key), wrong)


def _tick(t, classes):
    return t.tensor(classes, classes, low=1, high=30) + torch.diag(t.tensor(classes, low=5, high=60))


@report.part("IoU and Dice of each class", 0.75)
def _(t):
    for matrix in (torch.tensor([[6, 2], [1, 1]]), _tick(t, t.random.randint(3, 5))):
        right, true, called = matrix.diagonal().double(), matrix.sum(1).double(), matrix.sum(0).double()
        s = scores_of(matrix)
        known = {
            "iou": [
                (
                    right / (true + called),
                    (
                        "The hits are counted twice below the line: once in the row's sum, once in the column's. Take"
                        " them off once."
                    ),
                ),
                (right / true, "This is recall: false alarms are missing below the line."),
                (s["dice"], "This is Dice."),
                (right / called, "This is precision: misses are missing below the line."),
            ],
            "dice": [
                (right / (true + called), "The 2 above the line is missing."),
                (s["iou"], "This is IoU. Dice counts the hits twice, above and below the line."),
                (2 * right / (true + called - right), "Below the line stands the sum of both sets, not their union."),
            ],
        }
        _entries(t, _report(t, matrix), matrix, ("iou", "dice"), known)


@report.part("share, recall and precision of each class", 0.75)
def _(t):
    for matrix in (torch.tensor([[6, 2], [1, 1]]), _tick(t, t.random.randint(3, 5))):
        s, total = scores_of(matrix), matrix.sum()
        known = {
            "share": [
                (
                    matrix.sum(0) / total,
                    "This is the share of each class in the prediction; take the truth's, which stands in the rows.",
                )
            ],
            "recall": [
                (
                    s["precision"],
                    (
                        "This is precision: it divides by how often the class was called. Recall divides by how often"
                        " it is there."
                    ),
                ),
                (
                    1 - (matrix.sum(0) + matrix.sum(1) - 2 * matrix.diagonal()) / total,
                    "This also counts the pixels that are rightly *not* of the class. Recall asks only for those of the class.",
                ),
            ],
            "precision": [
                (
                    s["recall"],
                    (
                        "This is recall: it divides by how often the class is there. Precision divides by how often it"
                        " was called."
                    ),
                )
            ],
        }
        _entries(t, _report(t, matrix), matrix, ("share", "recall", "precision"), known)


def _gaps(t):
    """A table in which one class occurs nowhere, another only as a false alarm, and a third is never called."""
    matrix = _tick(t, 5)
    nowhere, alarm, never = t.random.sample(range(5), 3)
    matrix[nowhere], matrix[:, nowhere], matrix[alarm], matrix[:, never] = 0, 0, 0, 0
    matrix[[c for c in range(5) if c not in (nowhere, alarm)], alarm] += 3
    return matrix


@report.part("0/0 is NaN, and a false alarm is 0", 0.5)
def _(t):
    matrix = _gaps(t)
    got, want = _report(t, matrix), scores_of(matrix)
    known = {}
    for key in EACH:
        right = torch.tensor(want[key], dtype=torch.float64)
        known[key] = [
            (
                right.nan_to_num(0.0),
                (
                    "Where the class is in neither, there is nothing to score: 0/0 should stay NaN, not become 0. Is"
                    " something small added below the line?"
                ),
            ),
            (right.nan_to_num(1.0), "A class with nothing to score gets NaN, not a perfect 1."),
            (
                right.masked_fill(matrix.sum(1) == 0, NAN),
                "A class that is only called, and never there, has IoU and Dice 0, not NaN: that is a false alarm.",
            ),
        ]
    _entries(t, got, matrix, EACH, known)


@report.part("accuracy, mean accuracy and mIoU", 0.75)
def _(t):
    for matrix in (torch.tensor([[6, 2], [1, 1]]), _tick(t, 4), _gaps(t)):
        s, there = scores_of(matrix), matrix.sum(1) > 0
        zeros = {k: torch.tensor(s[k], dtype=torch.float64).nan_to_num(0.0).mean().item() for k in ("iou", "recall")}
        hits, total = int(matrix.trace()), int(matrix.sum())
        known = {
            "accuracy": [
                (s["mean_accuracy"], "This is the mean accuracy: each class has one vote. Here each pixel has one.")
            ],
            "mean_accuracy": [
                (
                    s["accuracy"],
                    "This is the accuracy, one vote for each pixel. Give each class one: the mean of the recalls.",
                ),
                (
                    zeros["recall"],
                    (
                        "Classes that are not in the truth have no recall; leave them out of the mean, don't count them"
                        " as 0."
                    ),
                ),
                (_mean(s["precision"]), "This is the mean of the precisions."),
                (NAN, "A single NaN makes the whole mean NaN: leave those classes out."),
            ],
            "miou": [
                (
                    zeros["iou"],
                    "Classes that are in neither truth nor prediction count as 0 here; leave them out of the mean.",
                ),
                (
                    torch.tensor(s["iou"])[there].mean().item(),
                    "This averages over the classes of the truth only. A class that is only called counts too, with 0.",
                ),
                (
                    _over(hits, 2 * total - hits),
                    "This pools the pixels of all classes before dividing; average the IoUs of the classes.",
                ),
                (NAN, "A single NaN makes the whole mean NaN: leave those classes out."),
                (_mean(s["dice"]), "This is the mean of Dice."),
            ],
        }
        _entries(t, _report(t, matrix), matrix, SUMMARY, known)


@report.part("an empty table, and the argument left alone", 0.25)
def _(t):
    matrix = torch.zeros(t.random.randint(2, 4), dtype=torch.int64).diag()
    got = _report(t, matrix)
    for key in EACH + SUMMARY:
        if key not in got:
            t.fail(f"The report has no entry `{key}`; it has {', '.join(map(str, got)) or 'none'}.")
        value = got[key]
        values = value.flatten().tolist() if isinstance(value, torch.Tensor) else [value]
        if not values or not all(same(v, NAN) for v in values):
            t.fail(f"For a table of zeros: `{key}` should be NaN, since nothing was scored; got {show(value)}.")
    t.call(_tick(t, 3))
    if t.changed:
        t.fail("Your function changed the table that it was given.")


# --- who is in the mean -------------------------------------------------------------------------------------

most_flattered = check.exercise(
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
    return _mean([v for v, share in zip(s["iou"], s["share"]) if share > 0]), s["miou"]


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


def _gap_part(t, matrix):
    name, gap = _flattered(t, {"only": matrix})
    want, (narrow, wide), iou = _gap(matrix), _two(matrix), scores_of(matrix)["iou"]
    every = sum(0 if math.isnan(v) else v for v in iou) / len(iou)
    there = [i for i, share in enumerate(scores_of(matrix)["share"]) if share > 0]
    recall = _mean(scores_of(matrix)["recall"])
    known = [
        (
            _two(matrix[there][:, there])[0] - wide,
            "The false alarms are cut off with their column. Keep each IoU as it is, and choose which go into the mean.",
        ),
        (
            _mean([v for v in iou if v > 0]) - wide,
            "Your first mean leaves out a class that is there and never hit. It is in the truth, so its 0 counts.",
        ),
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
    t.close(gap, want, f"one model with the table {matrix.tolist()}", known)


def _model(t, classes, alarms):
    """A table of a model: the last class is not in the truth, and is called on `alarms` pixels."""
    matrix = t.tensor(classes, classes, low=1, high=12) + torch.diag(t.tensor(classes, low=40, high=90))
    matrix[-1], matrix[:, -1] = 0, 0
    matrix[0, -1] = alarms
    return matrix


@most_flattered.part("the gap of one model", 1)
def _(t):
    _gap_part(t, torch.tensor([[8, 0, 0], [0, 3, 1], [0, 0, 0]]))
    _gap_part(t, torch.tensor([[6, 0, 0, 2], [0, 4, 0, 0], [3, 0, 0, 1], [0, 0, 0, 0]]))  # class 2 is never called
    _gap_part(t, _model(t, t.random.randint(3, 5), t.random.randint(1, 5)))


@most_flattered.part("classes that occur nowhere", 0.5)
def _(t):
    matrix = _model(t, 5, t.random.randint(1, 5))
    matrix[1], matrix[:, 1] = 0, 0
    _gap_part(t, matrix)


@most_flattered.part("the model with the largest gap", 0.5)
def _(t):
    honest, flattered, weak = (F.pad(_model(t, 4, alarms), (0, 1, 0, 1)) for alarms in (1, 2, 0))
    honest[range(3), range(3)] += 100  # the best under either mean
    flattered[range(3), range(3)] += 30
    flattered[1, 4] = 2  # calls both of the classes that are not there; weak calls none
    weak[range(3), range(3)] = t.tensor(3, low=1, high=4)
    for order in ("abc", "cab", "bca"):
        models = {"a": honest, "b": flattered, "c": weak}
        models = {f"model {k}": models[k] for k in order}
        name, _ = _flattered(t, models)
        gaps = {k: round(_gap(m), 3) for k, m in models.items()}
        if name != "model b":
            more = {
                "model a": " It has the highest mIoU over the truth's classes, but that is another question.",
                "model c": " That is the smallest gap.",
            }[name]
            t.fail(f"For three models with gaps {gaps}: the most flattered is `model b`, not `{name}`.{more}")
    if t.changed:
        t.fail("Your function changed a table that it was given.")
