"""Lesson 07: every score of a table in plain Python numbers."""

import math

NAN = float("nan")


def ratio(a, b):
    return a / b if b else NAN


def mean_of(values):
    values = [v for v in values if not math.isnan(v)]
    return ratio(sum(values), len(values))


def scores_of(matrix):
    """Every score of a (C, C) table in plain Python numbers: lists for single classes, numbers for the summary."""
    m = [[int(v) for v in row] for row in matrix.tolist()]
    n, total = range(len(m)), sum(map(sum, m))
    hit, miss = [m[c][c] for c in n], [sum(m[c][k] for k in n if k != c) for c in n]
    alarm = [sum(m[k][c] for k in n if k != c) for c in n]
    each = dict(
        share=[ratio(hit[c] + miss[c], total) for c in n],
        recall=[ratio(hit[c], hit[c] + miss[c]) for c in n],
        precision=[ratio(hit[c], hit[c] + alarm[c]) for c in n],
        iou=[ratio(hit[c], hit[c] + miss[c] + alarm[c]) for c in n],
        dice=[ratio(2 * hit[c], 2 * hit[c] + miss[c] + alarm[c]) for c in n],
    )
    return dict(each, accuracy=ratio(sum(hit), total), mean_accuracy=mean_of(each["recall"]), miou=mean_of(each["iou"]))
