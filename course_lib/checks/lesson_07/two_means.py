"""Lesson 07: many pictures, two means. What is expected is counted in boolean maps, class by class."""

import math

import torch

from ..core import Exercise
from ..values import is_number, kind, same, show
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


def _ious(pred, truth, classes, slip=""):
    """Each class's IoU from boolean maps, NaN where it is nowhere; with a `slip` as it comes out by that mistake."""
    maps = [((pred == c) & ((truth != 255) | (slip == "ignored")), truth == c) for c in range(classes)]
    return [ratio(int((a & b).sum()), int((a | b).sum())) for a, b in maps if b.any() or slip != "truth's classes"]


def _miou(pred, truth, classes, slip=""):
    return mean_of(_ious(pred, truth, classes, slip))


SLIPS = {
    "truth's classes": (
        "Only the classes of the truth have a vote here. One that is only called has a vote too, and IoU 0."
    ),
    "ignored": "Predictions on ignored pixels count as false alarms here; leave those pixels out altogether.",
}


def _batches(t, classes, sizes, ignored=0.0):
    """Batches of the (count, height, width) given; each picture shows few classes, right in its own share of pixels."""
    made = []
    for count, h, w in sizes:
        shown = [t.random.sample(range(classes), t.random.randint(1, 2)) for _ in range(count)]
        truth = torch.stack([torch.tensor(s)[t.tensor(h, w, low=0, high=len(s))] for s in shown])
        level = torch.tensor([t.random.uniform(-0.5, 2.5) for _ in range(count)])[:, None, None]
        pred = torch.where(t.tensor(count, h, w) < level, truth, t.tensor(count, h, w, low=0, high=classes))
        if ignored:
            truth = torch.where(torch.rand(truth.shape, generator=t.generator) < ignored, 255, truth)
        made.append((pred, truth))
    return made


def _means(t, batches, classes):
    got = t.call(batches, classes)
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        t.fail(f"Expected two numbers, `(of_all, of_images)`, got {kind(got)}")
    return [g.item() if isinstance(g, torch.Tensor) and g.numel() == 1 else g for g in got]


def _right(batches, classes, slip=""):
    pixels = [torch.cat([m.flatten() for m in maps]) for maps in zip(*batches)]
    singles = [_miou(p, m, classes, slip) for pred, truth in batches for p, m in zip(pred, truth)]
    return _miou(*pixels, classes, slip), mean_of(singles)


def _of_all_part(t, batches, classes, given):
    got, (want, of_images) = _means(t, batches, classes)[0], _right(batches, classes)
    known = [
        (
            mean_of([_miou(p, m, classes) for p, m in batches]),
            "This is the mean of the batches' mIoUs. Add up tables, and score once at the end.",
        ),
        (of_images, "This is the mean over the pictures; `of_all` comes first."),
        *((_right(batches, classes, slip)[0], message) for slip, message in SLIPS.items()),
    ]
    right = sum(int(((p == m) & (m != 255)).sum()) for p, m in batches)
    known.append((ratio(right, sum(int((m != 255).sum()) for _, m in batches)), "This is the accuracy; score IoUs."))
    if len(batches) > 1:
        known += [
            (_miou(*batches[-1], classes), "Only the last batch counts here."),
            (_miou(*batches[0], classes), "Only the first batch counts here. Is `return` inside the loop?"),
        ]
    _number(t, got, "of_all", given)
    t.close(got, want, f"{given}, `of_all`", known)


def _number(t, got, name, given):
    if not is_number(got):
        t.fail(f"For {given}: `{name}` should be a number, got {kind(got)}")


@two_means.part("all pixels of one batch", 0.5)
def _(t):
    classes = t.random.randint(3, 5)
    _of_all_part(t, _batches(t, classes, [(3, 8, 9)]), classes, f"one batch of 3 pictures, classes={classes}")


@two_means.part("all pixels of batches of unlike sizes", 0.5)
def _(t):
    classes = t.random.randint(3, 5)
    sizes = [(5, 10, 10), (t.random.randint(1, 2), 6, 8), (3, 12, 7)]
    _of_all_part(
        t, _batches(t, classes, sizes), classes, f"batches of 5, {sizes[1][0]} and 3 pictures, classes={classes}"
    )


def _of_images_part(t, batches, classes, given):
    got, (of_all, want) = _means(t, batches, classes)[1], _right(batches, classes)
    single = [_miou(p, m, classes) for pred, truth in batches for p, m in zip(pred, truth)]
    filled = [
        sum(v for v in _ious(p, m, classes) if v == v) / classes for pred, truth in batches for p, m in zip(pred, truth)
    ]
    known = [
        (of_all, "This is the score of all pixels together; the second number gives each picture one vote."),
        (mean_of([_miou(p, m, classes) for p, m in batches]), "This gives each batch one vote; give each picture one."),
        (
            mean_of([mean_of([_miou(a, b, classes) for a, b in zip(p, m)]) for p, m in batches]),
            "This averages within each batch first, so pictures of small batches weigh more.",
        ),
        (
            sum(0.0 if math.isnan(v) else v for v in single) / len(single),
            "A picture without any labelled pixel counts as 0 here; leave it out.",
        ),
        (NAN, "A picture without any labelled pixel has no mIoU, and must not make the mean NaN: leave it out."),
        (
            sum(filled) / len(filled),
            "Classes that a picture neither shows nor is said to show count as 0 here; leave them out of its mean.",
        ),
        *((_right(batches, classes, slip)[1], message) for slip, message in SLIPS.items()),
    ]
    rows = [_ious(p, m, classes) for pred, truth in batches for p, m in zip(pred, truth)]
    weights = [int((m != 255).sum()) for _, truth in batches for m in truth]
    known += [
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
    _number(t, got, "of_images", given)
    t.close(got, want, f"{given}, `of_images`", known)


@two_means.part("the mean over pictures", 0.75)
def _(t):
    classes = t.random.randint(3, 5)
    sizes = [(4, 9, 9), (1, 6, 8), (2, 12, 7)]
    _of_images_part(t, _batches(t, classes, sizes), classes, f"batches of 4, 1 and 2 pictures, classes={classes}")


@two_means.part("ignored pixels, and pictures without a label", 0.5)
def _(t):
    classes = t.random.randint(3, 5)
    batches = _batches(t, classes, [(3, 8, 8), (2, 9, 6)], ignored=0.3)
    given = f"batches with ignored pixels, classes={classes}"
    _of_all_part(t, batches, classes, given)
    _of_images_part(t, batches, classes, given)
    batches[0][1][1] = 255
    given = f"batches in which one picture is ignored altogether, classes={classes}"
    _of_all_part(t, batches, classes, given)
    _of_images_part(t, batches, classes, given)


@two_means.part("nothing labelled at all, and arguments left alone", 0.25)
def _(t):
    batches = [(pred, torch.full_like(truth, 255)) for pred, truth in _batches(t, 3, [(2, 4, 5), (1, 4, 5)])]
    got = _means(t, batches, 3)
    if not all(same(g, NAN) for g in got):
        t.fail(f"For batches in which every pixel is ignored: both numbers should be NaN, got {show(got)}.")
    got = _means(t, _batches(t, 3, [(2, 6, 5)], ignored=0.2), 3)
    if all(same(g, NAN) for g in got):
        t.fail(
            "For a batch with labelled pixels both numbers are NaN, too. Does anything reach the table and the list?"
        )
    t.unchanged("its arguments.")
