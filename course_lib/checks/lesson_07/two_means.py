"""Lesson 07: many pictures, two means. What is expected is counted in boolean maps, class by class."""

import math

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
    """Batches of the (count, height, width) given, each picture right in its own share of pixels.

    A picture shows one class or two of at least five, and one more is called that it does not show. The first three
    pictures leave out of the truth a class that is called, so that every way to choose the classes gives another mean.
    """
    made, order, first = [], t.random.sample(range(classes), classes), 0
    for count, h, w in sizes:
        truth, pred = [], []
        for j in range(first, first + count):
            shown = torch.tensor([order[(j + k) % classes] for k in range(1 if j % 3 == 0 else 2)])
            alarm = order[(j + 2) % classes]
            mask = shown[t.tensor(h, w, low=0, high=len(shown))]
            noise = torch.cat([shown, torch.tensor([alarm])])[t.tensor(h, w, low=0, high=len(shown) + 1)]
            noise = torch.where(t.tensor(h, w) < t.random.uniform(-0.5, 1.0), mask, noise)
            noise[0, 0] = alarm
            truth.append(mask)
            pred.append(noise)
        first += count
        truth, pred = torch.stack(truth), torch.stack(pred)
        if ignored:
            truth = torch.where(torch.rand(truth.shape, generator=t.generator) < ignored, 255, truth)
        made.append((pred, truth))
    return made


def _means(t, batches, classes):
    try:
        got = t.call(batches, classes)
    except NotYet as stopped:
        if "Sizes of tensors must match" in stopped.message and len({pred.shape[1:] for pred, _ in batches}) > 1:
            t.fail(f"{stopped.message} Pictures differ in size from batch to batch; don't put batches into one tensor.")
        raise
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        t.fail(f"Expected two numbers, `(of_all, of_images)`, got {kind(got)}")
    return [g.item() if isinstance(g, torch.Tensor) and g.numel() == 1 else g for g in got]


def _right(batches, classes, slip=""):
    pixels = [torch.cat([m.flatten() for m in maps]) for maps in zip(*batches)]
    singles = [_miou(p, m, classes, slip) for pred, truth in batches for p, m in zip(pred, truth)]
    return _miou(*pixels, classes, slip), mean_of(singles)


def _of_all(t, batches, classes, given):
    """(got, want, given, known mistakes) of the first number."""
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
    return got, want, f"{given}, `of_all`", known


def _number(t, got, name, given):
    if not is_number(got):
        t.fail(f"For {given}: `{name}` should be a number, got {kind(got)}")


@two_means.part("all pixels of one batch", 0.5)
def _(t):
    judge(t, (_of_all(t, _batches(t, c, [(3, 8, 9)]), c, f"one batch of 3 pictures, classes={c}") for c in (5, 6)))


@two_means.part("all pixels of batches of unlike sizes", 0.5)
def _(t):
    sizes = [(5, 10, 10), (t.random.randint(1, 2), 6, 8), (3, 12, 7)]
    given = f"batches of 5, {sizes[1][0]} and 3 pictures, classes="
    judge(t, (_of_all(t, _batches(t, c, sizes), c, f"{given}{c}") for c in (5, 6)))


def _of_images(t, batches, classes, given):
    """(got, want, given, known mistakes) of the second number."""
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
        (
            NAN if any(map(math.isnan, single)) else None,
            "A picture without any labelled pixel has no mIoU, and must not make the mean NaN: leave it out.",
        ),
        (
            sum(filled) / len(filled),
            "Classes that a picture neither shows nor is said to show count as 0 here; leave them out of its mean.",
        ),
        *((_right(batches, classes, slip)[1], message) for slip, message in SLIPS.items()),
    ]
    rows = [_ious(p, m, classes) for pred, truth in batches for p, m in zip(pred, truth)]
    weights = [int((m != 255).sum()) for _, truth in batches for m in truth]
    singles = [pair for pred, truth in batches for pair in zip(pred.flatten(1), truth.flatten(1))]
    growing = [[torch.cat(maps) for maps in zip(*singles[:n])] for n in range(1, len(singles) + 1)]
    known += [
        (
            mean_of([_miou(*maps, classes) for maps in growing]),
            "One table goes on growing over the pictures here. Give each picture a new one.",
        ),
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
    return got, want, f"{given}, `of_images`", known


@two_means.part("the mean over pictures", 0.75)
def _(t):
    sizes = [(4, 9, 9), (1, 6, 8), (2, 12, 7)]
    given = "batches of 4, 1 and 2 pictures, classes="
    judge(t, (_of_images(t, _batches(t, c, sizes), c, f"{given}{c}") for c in (5, 6)))


@two_means.part("ignored pixels, and pictures without a label", 0.5)
def _(t):
    inputs = []
    for classes in (5, 6):
        for place in (None, 1):
            batches = _batches(t, classes, [(3, 8, 8), (2, 9, 6)], ignored=0.3)
            given = "batches with ignored pixels"
            if place is not None:
                batches[0][1][place] = 255
                given = "batches in which one picture is ignored altogether"
            inputs.append((batches, classes, f"{given}, classes={classes}"))
    for number in (_of_all, _of_images):
        judge(t, (number(t, *given) for given in inputs))


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
