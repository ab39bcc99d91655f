"""Lesson 07: scores from the table, whose hits, misses and false alarms are known from how it is made."""

import math

import torch

from ..causes import judge, rounded
from ..core import Exercise
from ..values import kind, same, show
from .scores import NAN, drawn, mean_of, ratio, table_of

report = Exercise(
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


def _report(t, matrix):
    got = t.call(matrix)
    if not isinstance(got, dict):
        t.fail(f"Expected a dict with {', '.join(EACH + SUMMARY)}, got {kind(got)}")
    return got


def _entries(t, tables, known_of, keys):
    """Compare some entries of each table's report; `known_of(table, right)` gives {key: known mistakes}."""
    reports = []
    for table in tables:
        got, right, total = _report(t, table.matrix), {}, sum(table.hits) + sum(table.misses)
        each = list(zip(table.hits, table.misses, table.alarms))
        right["share"] = [ratio(h + m, total) for h, m, _ in each]
        right["recall"] = [ratio(h, h + m) for h, m, _ in each]
        right["precision"] = [ratio(h, h + a) for h, _, a in each]
        right["iou"] = [ratio(h, h + m + a) for h, m, a in each]
        right["dice"] = [ratio(2 * h, 2 * h + m + a) for h, m, a in each]
        right["accuracy"] = ratio(sum(table.hits), total)
        right["mean_accuracy"], right["miou"] = mean_of(right["recall"]), mean_of(right["iou"])
        reports.append((table, got, right, known_of(table, right)))
    for key in keys:
        judge(t, (_entry(t, got, table, key, right[key], known.get(key, ())) for table, got, right, known in reports))


def _entry(t, got, table, key, want, known):
    """(got, want, given, known mistakes) of one entry of a report."""
    given = f"the table {table.matrix.tolist()}, `{key}`"
    if key not in got:
        t.fail(f"The report has no entry `{key}`; it has {', '.join(map(str, got)) or 'none'}.")
    value = got[key]
    if key in SUMMARY:
        if isinstance(value, torch.Tensor):
            if value.numel() != 1:
                t.fail(f"For {given}: expected one number, got {kind(value)}")
            value = value.item()
    else:
        want = torch.tensor(want, dtype=torch.float64)
        known = [(torch.as_tensor(w, dtype=torch.float64), m) for w, m in known]
    percent = (100 * want, "This is in per cent; return a share, from 0 to 1.")
    return value, want, given, [*known, percent, *rounded(want)]


EXAMPLE = table_of([6, 1], {(0, 1): 2, (1, 0): 1})


def _full(t, classes):
    """A table in which every class is there, found, and mistaken for every other."""
    return drawn(t, classes, dict.fromkeys(range(classes), True), range(classes), (6, 80), (1, 30))


def _gaps(t):
    """A table in which one class occurs nowhere, another only as a false alarm, and a third is never called."""
    a, b, alarm, never, _ = t.random.sample(range(5), 5)
    return drawn(t, 5, {a: True, b: True, never: False}, (a, b, alarm), (6, 80), (4, 30))


@report.part("IoU and Dice of each class", 0.75)
def _(t):
    def known_of(table, s):
        hits, misses, alarms = (torch.tensor(counts).double() for counts in table[1:])
        return {
            "iou": [
                (
                    hits / (2 * hits + misses + alarms),
                    (
                        "The hits are counted twice below the line: once in the row's sum, once in the column's. Take"
                        " them off once."
                    ),
                ),
                (s["recall"], "This is recall: false alarms are missing below the line."),
                (s["dice"], "This is Dice."),
                (
                    hits / (hits + misses).sum(),
                    "This divides by all pixels of the table; divide by those of the class.",
                ),
                (
                    hits / (3 * hits + misses + alarms),
                    "The hits are added once more below the line; the row's and the column's sum hold them already.",
                ),
                (s["precision"], "This is precision: misses are missing below the line."),
            ],
            "dice": [
                (hits / (2 * hits + misses + alarms), "The 2 above the line is missing."),
                (
                    (torch.tensor(s["recall"]) + torch.tensor(s["precision"])) / 2,
                    "This is the plain mean of recall and precision. Dice is 2 · hits over the sum of both sets.",
                ),
                (
                    2 * hits / (hits + misses).sum(),
                    "This divides by all pixels of the table; divide by those of the class.",
                ),
                (s["iou"], "This is IoU. Dice counts the hits twice, above and below the line."),
                (2 * hits / (hits + misses + alarms), "Below the line stands the sum of both sets, not their union."),
            ],
        }

    _entries(t, [EXAMPLE, _full(t, t.random.randint(3, 5))], known_of, ("iou", "dice"))


@report.part("share, recall and precision of each class", 0.75)
def _(t):
    def known_of(table, s):
        hits, misses, alarms = (torch.tensor(counts).double() for counts in table[1:])
        total = (hits + misses).sum()
        return {
            "share": [
                (
                    (hits + alarms) / total,
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
                (hits / total, "This divides by all pixels of the table; divide by those that are of the class."),
                (hits / (2 * hits + misses), "The row's sum holds the hits already; don't add them once more."),
                (
                    1 - (misses + alarms) / total,
                    "This also counts the pixels that are rightly *not* of the class. Recall asks only for "
                    "those of the class.",
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

    tables = EXAMPLE, _full(t, t.random.randint(3, 5)), _full(t, 3)
    _entries(t, tables, known_of, ("share", "recall", "precision"))


@report.part("0/0 is NaN, and a false alarm is 0", 0.5)
def _(t):
    def known_of(table, want):
        known, missed, absent = (
            {},
            torch.tensor([h == 0 for h in table.hits]),
            torch.tensor([v == 0 for v in want["share"]]),
        )
        for key in EACH:
            right = torch.tensor(want[key], dtype=torch.float64)
            known[key] = [
                (
                    right.nan_to_num(0.0),
                    (
                        "Where the class is in neither, there is nothing to score: 0/0 should stay NaN, not become"
                        " 0, as a small number below the line, `clamp` or `nan_to_num` makes it."
                    ),
                ),
                (right.nan_to_num(1.0), "A class with nothing to score gets NaN, not a perfect 1."),
                (
                    right.masked_fill(absent, NAN),
                    "A class that is only called, and never there, has IoU and Dice 0, not NaN: that is a false alarm.",
                ),
            ]
        known["dice"].append(
            (
                torch.tensor(want["dice"]).double().masked_fill(missed, NAN),
                "Without a hit, recall and precision are 0, and Dice is 0 too, not 0/0. Work it out from the counts.",
            )
        )
        return known

    _entries(t, [_gaps(t), _gaps(t)], known_of, EACH)


@report.part("accuracy, mean accuracy and mIoU", 0.75)
def _(t):
    def known_of(table, s):
        there = torch.tensor(s["share"]) > 0
        zeros = {k: torch.tensor(s[k], dtype=torch.float64).nan_to_num(0.0).mean().item() for k in ("iou", "recall")}
        hits, total = sum(table.hits), sum(table.hits) + sum(table.misses)
        return {
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
                (mean_of(s["precision"]), "This is the mean of the precisions."),
                (s["miou"], "This is the mean of the IoUs; take the mean of the recalls."),
                (mean_of(s["recall"][1:]), "Class 0 is left out; it is a class like the others."),
                (None if there.all() else NAN, "A single NaN makes the whole mean NaN: leave those classes out."),
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
                    ratio(hits, 2 * total - hits),
                    "This pools the pixels of all classes before dividing; average the IoUs of the classes.",
                ),
                (
                    NAN if any(map(math.isnan, s["iou"])) else None,
                    "A single NaN makes the whole mean NaN: leave those classes out.",
                ),
                (mean_of(s["dice"]), "This is the mean of Dice."),
                (mean_of(s["iou"][1:]), "Class 0 is left out; it is a class like the others."),
                (
                    sum(share * iou for share, iou in zip(s["share"], s["iou"]) if share),
                    "Each IoU is weighted by the class's share of the pixels here. Each class has one vote.",
                ),
            ],
        }

    _entries(t, [EXAMPLE, _full(t, 4), _gaps(t), _gaps(t)], known_of, SUMMARY)


@report.part("an empty table, and the argument left alone", 0.25)
def _(t):
    matrix = torch.zeros(t.random.randint(2, 4), dtype=torch.int64).diag()
    got = _report(t, matrix)
    for key in EACH + SUMMARY:
        if key not in got:
            t.fail(f"The report has no entry `{key}`; it has {', '.join(map(str, got)) or 'none'}.")
        value = got[key]
        if key in EACH and not isinstance(value, torch.Tensor):
            t.fail(f"For a table of zeros, `{key}`: expected a tensor of shape {(len(matrix),)}, got {kind(value)}")
        values = value.flatten().tolist() if isinstance(value, torch.Tensor) else [value]
        if not values or not all(same(v, NAN) for v in values):
            t.fail(f"For a table of zeros: `{key}` should be NaN, since nothing was scored; got {show(value)}.")
    t.call(EXAMPLE.matrix)
    t.unchanged("the table that it was given.")
