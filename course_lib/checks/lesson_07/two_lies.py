"""Lesson 07: two pairs of maps on which a copied function lies."""

import math

import torch

from ..core import Exercise
from ..values import kind, show

two_lies = Exercise(
    "two_lies",
    hints=(
        (
            "Nothing in `fast_hist` looks at what the labels are: it computes a cell's number and believes it. Which"
            " numbers can come out that are not the cell you meant?"
        ),
        (
            "First lie: what is `torch.tensor(16, dtype=torch.uint8) * 17`? Second lie: with 3 classes, which cell does"
            " a prediction of 4 on a pixel of class 0 tick, and what does that cell stand for?"
        ),
        (
            "First: let the truth hold the highest class, as `uint8`, and predict the same. Second: let the truth be 0 "
            "everywhere; the cell of row 1, column 1 has number classes + 1, so predict that."
        ),
    ),
)


CLASSES = (19, *range(17, 19), *range(20, 31))  # the lesson's number first, then all others


def _copied(pred, truth, classes):
    """What the lesson's `fast_hist` makes of a pair: the accuracy of its table, or what stops it."""
    known = (truth >= 0) & (truth < classes)
    cells = classes * truth[known] + pred[known]
    table = torch.bincount(cells, minlength=classes**2).reshape(classes, classes)
    return (table.diagonal().sum() / table.sum()).item()


def _lie(t, which, classes):
    """The student's pair number `which`, the pixels that count, and the accuracy that `fast_hist` gives it."""
    given = f"classes={classes}"
    got = t.call(classes)
    if (
        not isinstance(got, (tuple, list))
        or len(got) != 2
        or not all(isinstance(g, (tuple, list)) and len(g) == 2 for g in got)
    ):
        t.fail(f"For {given}: expected two pairs, `(pred, truth), (pred, truth)`, got {kind(got)}")
    pred, truth = got[which]
    for name, m in (("prediction", pred), ("truth", truth)):
        if not isinstance(m, torch.Tensor) or m.is_floating_point() or m.is_complex():
            t.fail(f"For {given}: the {name} should be a tensor of whole numbers, got {show(m)}.")
    if pred.shape != truth.shape:
        t.fail(
            f"For {given}: prediction {tuple(pred.shape)} and truth {tuple(truth.shape)} should have the same shape."
        )
    wide = truth.long()
    wrong = wide[((wide < 0) | (wide >= classes)) & (wide != 255)]
    if len(wrong):
        turned = bool(((pred >= 0) & (pred < classes)).all())
        t.fail(
            f"For {given}: the truth holds {int(wrong[0])}. The lie must work on an honest truth: classes 0 to"
            f" {classes - 1}, or 255.{' Each pair is (pred, truth); have the two changed places?' * turned}"
        )
    counts = wide != 255
    if not counts.any():
        t.fail(f"For {given}: no pixel is labelled, so there is nothing to lie about.")
    try:
        accuracy = _copied(pred, truth, classes)
    except (RuntimeError, ValueError, IndexError) as error:
        more = " In `int8` a number beyond 127 becomes negative." if torch.int8 in (pred.dtype, truth.dtype) else ""
        t.fail(
            f"For {given}: `fast_hist` stops with an error on this pair ({str(error).splitlines()[0]}). "
            f"That is honest. A lie is a table that looks fine.{more}"
        )
    return given, pred.long()[counts], wide[counts], accuracy


@two_lies.part("right everywhere, and scored below 1", 1)
def _(t):
    for classes in CLASSES:
        given, pred, truth, accuracy = _lie(t, 0, classes)
        if not torch.equal(pred, truth):
            t.fail(
                f"For {given}: the first prediction is wrong at {int((pred != truth).sum())} of {len(truth)} labelled"
                " pixels; it should be perfect."
            )
        if math.isnan(accuracy) or accuracy >= 1:
            more = " Numbers up to 255 fit into `uint8`. What happens to a cell's number beyond that?"
            t.fail(
                f"For {given}: `fast_hist` gives the first prediction an accuracy of {accuracy:.3g}, as it should"
                f" be.{more}"
            )


@two_lies.part("wrong everywhere, and scored 1", 1)
def _(t):
    for classes in CLASSES:
        given, pred, truth, accuracy = _lie(t, 1, classes)
        if (pred == truth).any():
            t.fail(
                f"For {given}: the second prediction is right at {int((pred == truth).sum())} of {len(truth)} labelled"
                " pixels; it should be wrong everywhere."
            )
        if not accuracy == 1:
            inside = bool(((pred >= 0) & (pred < classes)).all())
            more = (
                f" All its labels lie in 0 to {classes - 1}. What if they don't?"
                if inside
                else " Which cells lie on the diagonal?"
            )
            if (pred == 255).all():
                more = " It leaves out pixels whose *truth* is 255; a prediction of 255 ticks a cell like any other."
            t.fail(f"For {given}: `fast_hist` gives the second prediction an accuracy of {accuracy:.3g}, not 1.{more}")
