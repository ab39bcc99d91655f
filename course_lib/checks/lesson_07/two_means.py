"""Lesson 07: many pictures, two means. Each picture's table is known from how its pixels are drawn."""

import math
from statistics import median_low

import torch

from ..causes import judge
from ..core import Exercise
from ..values import NotYet, is_number, kind, same, show
from .scores import NAN, mean_of, ratio

two_means = Exercise(
    "two_means",
    hints=(
        (
            "Scores of batches can't be averaged into the score of all pixels, since batches differ in size and in what"
            " they show. What can be added up from batch to batch?"
        ),
        (
            "Tables can be added: `whole` gets every batch. Also make a new one for each picture, score it alone, and "
            "keep the scores in the list."
        ),
        (
            "`for pred, truth in batches:` give the batch to `whole.update`. Inside of that, `for p, t in zip(pred,"
            " truth):` make a new `metrics.Confusion(classes)`, give it that one picture, and append its `.miou` to"
            " `scores`."
        ),
    ),
    own_work={
        name: (
            "This asks a finished metric for the mean. Add up tables, from your `count_pairs` or"
            " `metrics.Confusion`, and score them."
        )
        for name in (
            "jaccard_index",
            "multiclass_jaccard_index",
            "MulticlassJaccardIndex",
            "MeanIoU",
            "mean_iou",
            "evaluate",
            "JaccardIndex",
            "MulticlassConfusionMatrix",
        )
    },
)


def _ious(table, slip=""):
    """Each class's IoU in a table (a list of C + 1 rows, the last one of ignored pixels), NaN where it is nowhere."""
    found = []
    for c, row in enumerate(table[:-1]):
        called = sum(other[c] for other in (table if slip == "ignored" else table[:-1]))
        if slip != "truth's classes" or sum(row):
            found.append(ratio(row[c], sum(row) + called - row[c]))
    return found


def _added(tables):
    return [[sum(cells) for cells in zip(*rows)] for rows in zip(*tables)]


def _dice(table):
    return mean_of([2 * iou / (1 + iou) for iou in _ious(table)])


def _accuracy(table):
    return ratio(sum(row[c] for c, row in enumerate(table[:-1])), sum(map(sum, table[:-1])))


SLIPS = {
    "truth's classes": (
        "Only the classes of the truth have a vote here. One that is only called has a vote too, and IoU 0."
    ),
    "ignored": "Predictions on ignored pixels count as false alarms here; leave those pixels out altogether.",
}


def _batches(t, classes, sizes, ignored=0.0, hidden=None):
    """([(pred, truth), …], [the tables of a batch's pictures, …]) of the (count, height, width) given.

    A picture shows one class or two of at least five, and one more is called that it does not show. The first three
    pictures leave out of the truth a class that is called, so that every way to choose the classes gives another mean.

    ignored  the share of pixels that nobody labelled
    hidden   the number of a picture of which no pixel is labelled
    """
    made, tables, order, first = [], [], t.random.sample(range(classes), classes), 0
    for count, h, w in sizes:
        batch, counted = [], []
        for j in range(first, first + count):
            shown, alarm = [order[(j + k) % classes] for k in range(1 if j % 3 == 0 else 2)], order[(j + 2) % classes]
            right, table, pixels = t.random.uniform(0.2, 0.7), [[0] * classes for _ in range(classes + 1)], []
            for n in range(h * w):
                true = t.random.choice(shown)
                called = true if t.random.random() < right else t.random.choice([*shown, alarm])
                called = called if n else alarm
                gone = j == hidden or t.random.random() < ignored
                table[-1 if gone else true][called] += 1
                pixels.append((called, 255 if gone else true))
            batch.append(torch.tensor(pixels).T.reshape(2, h, w))
            counted.append(table)
        first += count
        made.append(tuple(torch.stack(batch, 1)))
        tables.append(counted)
    return made, tables


def _means(t, batches, classes):
    try:
        got = t.call(batches, classes)
    except NotYet as stopped:
        if "Sizes of tensors must match" in stopped.message and len({pred.shape[1:] for pred, _ in batches}) > 1:
            t.fail(f"{stopped.message} Pictures differ in size from batch to batch; don't put batches into one tensor.")
        if "prediction holds class 255" in stopped.message:
            t.fail(f"{stopped.message} Only a truth holds 255: have `pred` and `truth` changed places?")
        raise
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        t.fail(f"Expected two numbers, `(of_all, of_images)`, got {kind(got)}")
    return [g.item() if isinstance(g, torch.Tensor) and g.numel() == 1 else g for g in got]


def _number(t, got, given):
    if not is_number(got):
        t.fail(f"For {given}: expected a number, got {kind(got)}")


def _of_all(t, drawn, classes, given):
    """(got, want, given, known mistakes) of the first number."""
    batches, tables = drawn
    got, given = _means(t, batches, classes)[0], f"{given}, classes={classes}, `of_all`"
    _number(t, got, given)
    sums = [_added(batch) for batch in tables]  # of each batch
    whole, singles = _added(sums), [mean_of(_ious(table)) for batch in tables for table in batch]
    hits, labelled = sum(whole[c][c] for c in range(classes)), sum(map(sum, whole[:-1]))
    known = [
        (
            mean_of([mean_of(_ious(table)) for table in sums]),
            "This is the mean of the batches' mIoUs. Add up tables, and score once at the end.",
        ),
        (mean_of(singles), "This is the mean over the pictures; `of_all` comes first."),
        *((mean_of(_ious(whole, slip)), message) for slip, message in SLIPS.items()),
        (ratio(hits, labelled), "This is the accuracy; score IoUs."),
        (_dice(whole), "This is a mean of Dice; take IoUs."),
        (mean_of(_ious(whole)[1:]), "Class 0 is left out; it is a class like the others."),
        (
            mean_of(_ious(_added([table for batch, table in zip(tables, sums) for _ in batch]))),
            "Each batch is counted once for each of its pictures; count it once.",
        ),
        (mean_of(_ious(_added([batch[-1] for batch in tables]))), "Only the last picture of each batch counts here."),
    ]
    if len(batches) > 1:
        known += [
            (mean_of(_ious(sums[-1])), "Only the last batch counts here."),
            (mean_of(_ious(sums[0])), "Only the first batch counts here. Is `return` inside the loop?"),
        ]
    return got, mean_of(_ious(whole)), given, known


@two_means.part("all pixels of one batch", 0.5)
def _(t):
    judge(t, (_of_all(t, _batches(t, c, [(3, 8, 9)]), c, "one batch of 3 pictures") for c in (5, 6)))


@two_means.part("all pixels of batches of unlike sizes", 0.5)
def _(t):
    sizes = [(5, 10, 10), (t.random.randint(1, 2), 6, 8), (3, 12, 7)]
    given = f"batches of 5, {sizes[1][0]} and 3 pictures"
    judge(t, (_of_all(t, _batches(t, c, sizes), c, given) for c in (5, 6)))


def _of_images(t, drawn, classes, given):
    """(got, want, given, known mistakes) of the second number."""
    batches, tables = drawn
    got, given = _means(t, batches, classes)[1], f"{given}, classes={classes}, `of_images`"
    _number(t, got, given)
    pictures = [table for batch in tables for table in batch]
    rows = [_ious(table) for table in pictures]
    single, weights = [mean_of(row) for row in rows], [sum(map(sum, table[:-1])) for table in pictures]
    filled = [sum(v for v in row if v == v) / classes for row in rows]
    known = [
        (
            mean_of(_ious(_added(pictures))),
            "This is the score of all pixels together; the second number gives each picture one vote.",
        ),
        (
            mean_of([mean_of(_ious(_added(batch))) for batch in tables]),
            "This gives each batch one vote; give each picture one.",
        ),
        (
            mean_of([mean_of([mean_of(_ious(table)) for table in batch]) for batch in tables]),
            "This averages within each batch first, so pictures of small batches weigh more.",
        ),
        (
            sum(0.0 if math.isnan(v) else v for v in single) / len(single),
            "A picture without any labelled pixel counts as 0 here; leave it out.",
        ),
        (
            NAN if any(map(math.isnan, single)) else None,
            "A picture without any labelled pixel has no mIoU, and must not make the mean NaN: leave it out.",
        ),
        (
            sum(filled) / len(filled),
            "Classes that a picture neither shows nor is said to show count as 0 here; leave them out of its mean.",
        ),
        *((mean_of([mean_of(_ious(p, slip)) for p in pictures]), message) for slip, message in SLIPS.items()),
        (
            mean_of([mean_of(_ious(_added(pictures[:n]))) for n in range(1, len(pictures) + 1)]),
            "One table goes on growing over the pictures here. Give each picture a new one.",
        ),
        (
            mean_of([mean_of(_ious(_added(batch[: n + 1]))) for batch in tables for n in range(len(batch))]),
            "One table goes on growing over the pictures of a batch here. Give each picture a new one.",
        ),
        (mean_of([_accuracy(table) for table in pictures]), "This is the mean of accuracies; score IoUs."),
        (mean_of([_dice(table) for table in pictures]), "This is the mean of Dice; take IoUs."),
        (mean_of([mean_of(row[1:]) for row in rows]), "Class 0 is left out; it is a class like the others."),
        (mean_of([mean_of(_ious(batch[0])) for batch in tables]), "Only the first picture of each batch counts here."),
        (sum(v for v in single if v == v), "This is the sum over the pictures; take their mean."),
        (median_low([v for v in single if v == v]), "This is the median; take the mean."),
        (
            mean_of([mean_of(column) for column in zip(*rows)]),
            "This averages each class over the pictures first, and then the classes.",
        ),
        (
            mean_of(sum(rows, [])),
            "This is the mean over all pairs of a picture and a class; give each picture one vote.",
        ),
        (
            ratio(sum(v * w for v, w in zip(single, weights) if v == v), sum(weights)),
            "Large pictures weigh more here. Give each picture one vote, whatever its size.",
        ),
    ]
    return got, mean_of(single), given, known


@two_means.part("the mean over pictures", 0.75)
def _(t):
    sizes = [(4, 9, 9), (1, 6, 8), (2, 12, 7)]
    judge(t, (_of_images(t, _batches(t, c, sizes), c, "batches of 4, 1 and 2 pictures") for c in (5, 6)))


@two_means.part("ignored pixels, and pictures without a label", 0.5)
def _(t):
    inputs = []
    for classes in (5, 6):
        for hidden in (None, 1):
            drawn = _batches(t, classes, [(3, 8, 8), (2, 9, 6)], 0.3, hidden)
            given = "batches in which one picture is ignored altogether" if hidden else "batches with ignored pixels"
            inputs.append((drawn, classes, given))
    for number in (_of_all, _of_images):
        judge(t, (number(t, *given) for given in inputs))


@two_means.part("nothing labelled at all, and arguments left alone", 0.25)
def _(t):
    got = _means(t, _batches(t, 5, [(2, 4, 5), (1, 4, 5)], ignored=1.0)[0], 5)
    if not all(same(g, NAN) for g in got):
        t.fail(f"For batches in which every pixel is ignored: both numbers should be NaN, got {show(got)}.")
    got = _means(t, _batches(t, 5, [(2, 6, 5)], ignored=0.2)[0], 5)
    if all(same(g, NAN) for g in got):
        t.fail(
            "For a batch with labelled pixels both numbers are NaN, too. Does anything reach the table and the list?"
        )
    t.unchanged("its arguments.")
