"""Lesson 06: a mean in which some pixels count more. Pictures are made from piles of values, a pile for each class."""

import torch

from ..causes import judge
from ..core import Exercise
from ..values import same
from .losses import CHANGED, FLOW, LOSSES, OWN, scalar, tried

weighted_mean = Exercise(
    "weighted_mean",
    hints=(
        "In the example, which weight does each of the three pixels get? Write a map of weights beside the "
        "map of values.",
        "`weights[target]` looks up every pixel's weight at once, if no 255 is in `target`. It may be easiest to pick "
        "out the labelled pixels first, as a flat list: `values[labelled]`.",
        "With flat lists of values and of weights: `top` is the sum of their products, `bottom` the sum of "
        "the weights.",
    ),
    own_work={name: OWN for name in LOSSES},
)


def _piles(t, *counts):
    """A list of positive values for each count: those of class 0, of class 1, …, and of the ignored pixels."""
    return [t.tensor(n).abs().tolist() for n in counts]


def _picture(t, piles, *shape):
    """(values, target): all values of the piles in some order, the last pile's where the target is 255."""
    labels = [*range(len(piles) - 1), 255]
    pixels = [(v, label) for label, pile in zip(labels, piles) for v in pile]
    t.random.shuffle(pixels)
    values, target = zip(*pixels)
    return torch.tensor(values).reshape(shape), torch.tensor(target).reshape(shape)


def _case(t, piles, shape, weights, given):
    """(got, want, given, known mistakes) of one input."""
    values, target = _picture(t, piles, *shape)
    got = scalar(t, tried(t, values, target, weights), given)
    heavy = [(w, pile) for w, pile in zip(weights.tolist(), piles)]
    weighed = sum(w * len(pile) for w, pile in heavy)
    want = torch.tensor(sum(w * sum(pile) for w, pile in heavy) / weighed)
    known, labelled = target != 255, values[target != 255]
    small = (
        [(want * weighed, "Is the sum of the weights held at 1 or more? Small weights are weights, too.")]
        if weighed < 1
        else []
    )
    count, plain, everything = known.sum(), labelled.mean(), values.sum()
    zero, last = (weights[target.masked_fill(~known, c)] for c in (0, len(weights) - 1))
    shifted, turned = (weights[i] for i in ((target[known] - 1).clamp(min=0), target[known] - 1))
    images = [(v[m != 255], weights[m[m != 255]]) for v, m in zip(values, target)]
    means = sum(w * sum(pile) / len(pile) for w, pile in heavy) / sum(w for w, _ in heavy)
    meanings = [
        *small,
        (
            want * weighed / weights.mean() / count,
            "The weights are scaled to a mean of 1, and a plain mean follows; divide by the weights of the pixels.",
        ),
        (
            want * weighed / (weighed + 1),
            "1 is added to the sum of the weights. The last line, given, sees to a sum of 0.",
        ),
        *(
            ((labelled * w).sum() / w.sum(), "Class 1 gets the weight of class 0: the index is off by one.")
            for w in (shifted, turned)
        ),
        (
            want * weighed / count,
            "This divides by the number of labelled pixels; divide by the sum of their weights.",
        ),
        (
            want * weighed / target.numel(),
            "This divides by the number of all pixels; divide by the weights of the labelled ones.",
        ),
        (
            sum(w * w * sum(pile) for w, pile in heavy) / sum(w * w * len(pile) for w, pile in heavy),
            "The weights are in it twice, squared.",
        ),
        (want * weighed / count / weighed, "The sum above is a mean here; divide a sum by a sum."),
        (want * count, "This divides by the mean of the pixels' weights; divide by their sum."),
        (
            sum(sum(pile) / w for w, pile in heavy if w) / sum(len(pile) / w for w, pile in heavy if w),
            "This divides each value by its weight; multiply.",
        ),
        (
            sum(w * sum(pile) for w, pile in heavy[1:]) / sum(w * len(pile) for w, pile in heavy[1:]),
            "Class 0 is left out; it is a class like the others.",
        ),
        (
            torch.stack([(v * w).sum() / w.sum() for v, w in images]).mean(),
            "This is the mean of each image's mean; take all pixels of the batch together.",
        ),
        ((values * last).sum() / last.sum(), "Ignored pixels are taken for the last class."),
        (plain, "The weights change nothing here: this is the plain mean over labelled pixels."),
        (everything / target.numel(), "This is the plain mean of all values."),
        (
            want * weighed / weights.sum(),
            "This divides by the sum of the C weights; divide by the sum over pixels, each with its class's weight.",
        ),
        (want * weighed, "This is the sum; divide it by the sum of the weights."),
        (
            torch.tensor(means),
            "This takes a mean for each class first; every pixel counts for itself, with its class's weight.",
        ),
        ((values * zero).sum() / zero.sum(), "Ignored pixels are taken for class 0."),
        (
            want * weighed / zero.sum(),
            "In the denominator ignored pixels are taken for class 0.",
        ),
    ]
    return got, want, given, [(torch.as_tensor(value, dtype=want.dtype), meaning) for value, meaning in meanings]


@weighted_mean.part("weights of the classes", 0.75)
def _(t):
    def cases():
        weights = torch.tensor([float(t.random.choice([1, 2])), float(t.random.choice([3, 5]))])
        given = f"one pixel of class 0, of value 1, another of class 1, of value 3, and weights {weights.tolist()}"
        yield _case(t, [[1.0], [3.0], []], (1, 1, 2), weights, given)
        for counts in ((15, 9, 6), (14, 7, 6, 3)):  # no class has as many pixels as another
            weights = 0.2 + t.tensor(len(counts)).abs()
            weights[3:] = 0
            given = f"values of shape (2, 3, 5) and {len(counts)} weights" + ", the last of them 0" * (len(counts) > 3)
            yield _case(t, _piles(t, *counts, 0), (2, 3, 5), weights, given)

    judge(t, cases())


@weighted_mean.part("ignored pixels don't count", 0.5)
def _(t):
    def cases():
        for counts in ((9, 6, 3, 12), (11, 4, 2, 13)):
            given = f"values of shape (2, 3, 5) with {counts[-1]} pixels ignored"
            yield _case(t, _piles(t, *counts), (2, 3, 5), 0.2 + t.tensor(3).abs(), given)

    judge(t, cases())
    values, target = torch.tensor([[[1.0, 3.0, 0.0]]]), torch.tensor([[[0, 1, 255]]])
    for odd in (float("inf"), float("nan")):
        wild, given = (
            values.masked_fill(target == 255, odd),
            f"values [1, 3, {odd}], target [0, 1, 255], weights [1, 3]",
        )
        got = scalar(t, tried(t, wild, target, torch.tensor([1.0, 3.0])), given)
        if torch.isnan(got):
            t.fail(
                f"For {given}: expected 2.5, got NaN. 0 · {'∞' if odd > 0 else 'NaN'} is NaN, so multiplying by a mask "
                "is not enough; pick the labelled pixels out, or use `torch.where`."
            )
        t.close(got, torch.tensor(2.5), given)


@weighted_mean.part("no weight at all gives 0", 0.25)
def _(t):
    values = torch.ones(1, 2, 3)
    cases = (
        (torch.full((1, 2, 3), 255), torch.ones(2), "a target that is 255 everywhere"),
        (
            torch.zeros(1, 2, 3, dtype=torch.int64),
            torch.tensor([0.0, 1.0]),
            "pixels of class 0 only, whose weight is 0",
        ),
    )
    for target, weights, given in cases:
        got = scalar(t, tried(t, values, target, weights), given)
        if torch.isnan(got):
            t.fail(f"For {given}: expected 0, got NaN: something is divided by 0.")
        t.close(got, torch.tensor(0.0), given)
    given = "a pixel of class 0, of value {}, another of class 1, of value {}, and weights {}"
    small = (([1000.0, 4000.0], [1e-3, 2e-3]), ([5000.0, 2000.0], [3e-3, 1e-3]))
    judge(t, (_case(t, [[a], [b], []], (1, 1, 2), torch.tensor(w), given.format(a, b, w)) for (a, b), w in small))


@weighted_mean.part("gradients flow, arguments stay as they were", 0.5)
def _(t):
    values, target = _picture(t, _piles(t, 10, 6, 4, 10), 1, 5, 6)
    weights = torch.tensor([1.0, 2.0, 4.0])
    tried(t, values, target, weights)
    t.unchanged(CHANGED)
    values.requires_grad_()
    got, (gradient, *_) = tried(t, values, target, weights, how="gradients")
    t.unchanged(CHANGED)
    scalar(t, got, "values of shape (1, 5, 6)")
    if gradient is None or not gradient.any():
        t.fail(f"No gradient reaches `values`. {FLOW}")
    pull = torch.where(target == 255, 0.0, 2.0**target / (10 * 1 + 6 * 2 + 4 * 4))  # of each pixel
    if not same(gradient, t.pulled(lambda v: (v * pull).sum(), values)[0], 1e-4):
        t.fail("A gradient reaches `values`, but it is not that of this weighted mean.")
