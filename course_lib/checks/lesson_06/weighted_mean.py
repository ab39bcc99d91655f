"""Lesson 06: a mean in which some pixels count more."""

import torch

from ..core import Exercise
from ..values import same
from .losses import CHANGED, FLOW, LOSSES, OWN, scalar, targets, tried

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


def _mean(values, target, weights):
    """By a loop over the classes."""
    top, bottom = values.sum() * 0, 0.0
    for c, w in enumerate(weights.tolist()):
        top, bottom = top + w * values[target == c].sum(), bottom + w * int((target == c).sum())
    return top / bottom if bottom else top


def _by_class(values, target, weights):
    """The usual mistake: the weighted mean of the means of the classes that occur."""
    there = [c for c in range(len(weights)) if (target == c).any()]
    means = [values[target == c].mean() * weights[c] for c in there]
    return sum(means) / weights[there].sum() if there and weights[there].sum() else values.sum() * 0


def _mean_part(t, values, target, weights, given):
    got, want = scalar(t, tried(t, values, target, weights), given), _mean(values, target, weights)
    known, labelled = target != 255, values[target != 255]
    per_pixel = weights[target[known]]
    small = (
        [((labelled * per_pixel).sum(), "Is the sum of the weights held at 1 or more? Small weights are weights, too.")]
        if per_pixel.sum() < 1
        else []
    )
    count = known.sum().clamp(min=1)
    plain = labelled.mean() if known.any() else want
    everything = values.sum() if torch.isfinite(values).all() else plain
    zero = weights[target.masked_fill(~known, 0)]
    t.close(
        got,
        want,
        given,
        [
            *small,
            (
                (labelled * per_pixel).sum() / count,
                "This divides by the number of labelled pixels; divide by the sum of their weights.",
            ),
            (
                (labelled * per_pixel).sum() / target.numel(),
                "This divides by the number of all pixels; divide by the weights of the labelled ones.",
            ),
            (plain, "The weights change nothing here: this is the plain mean over labelled pixels."),
            (everything / target.numel(), "This is the plain mean of all values."),
            (
                (labelled * per_pixel).sum() / weights.sum(),
                "This divides by the sum of the C weights; divide by the sum over pixels, each with its "
                "class's weight.",
            ),
            ((labelled * per_pixel).sum(), "This is the sum; divide it by the sum of the weights."),
            (
                _by_class(values, target, weights),
                "This takes a mean for each class first; every pixel counts for itself, with its class's weight.",
            ),
            ((values.nan_to_num() * zero).sum() / zero.sum().clamp(min=1e-9), "Ignored pixels are taken for class 0."),
            (
                (labelled * per_pixel).sum() / zero.sum().clamp(min=1e-9),
                "In the denominator ignored pixels are taken for class 0.",
            ),
        ],
    )


@weighted_mean.part("weights of the classes", 0.75)
def _(t):
    values, target = torch.tensor([[[1.0, 3.0]]]), torch.tensor([[[0, 1]]])
    weights = torch.tensor([float(t.random.choice([1, 2])), float(t.random.choice([3, 5]))])
    _mean_part(t, values, target, weights, f"values [1, 3], target [0, 1], weights {weights.tolist()}")
    classes = t.random.choice([3, 4])
    weights = 0.2 + t.tensor(classes).abs()
    _mean_part(
        t,
        t.tensor(2, 3, 5).abs(),
        targets(t, classes, 2, 3, 5),
        weights,
        f"values of shape (2, 3, 5) and {classes} weights",
    )


@weighted_mean.part("ignored pixels don't count", 0.5)
def _(t):
    values, target = t.tensor(2, 3, 5).abs(), targets(t, 3, 2, 3, 5, ignored=0.4)
    weights = 0.2 + t.tensor(3).abs()
    _mean_part(
        t, values, target, weights, f"values of shape (2, 3, 5) with {int((target == 255).sum())} pixels ignored"
    )
    wild = values.masked_fill(target == 255, float("inf"))
    given = "the same values, with infinity at the ignored pixels"
    got = scalar(t, tried(t, wild, target, weights), given)
    if torch.isnan(got):
        t.fail(
            f"For {given}: got NaN. 0 · ∞ is NaN, so multiplying by a mask is not enough; pick the labelled "
            "pixels out, or use `torch.where`."
        )
    t.close(got, _mean(values, target, weights), given)


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
            t.fail(f"For {given}: expected 0, got NaN, which is 0 / 0.")
        t.close(got, torch.tensor(0.0), given)
    small = torch.tensor([1e-3, 2e-3])
    _mean_part(
        t,
        torch.tensor([[[1.0, 4.0]]]),
        torch.tensor([[[0, 1]]]),
        small,
        "values [1, 4], target [0, 1], weights [0.001, 0.002]",
    )


@weighted_mean.part("gradients flow, arguments stay as they were", 0.5)
def _(t):
    values, target, weights = (
        t.tensor(1, 5, 6).abs().requires_grad_(),
        targets(t, 3, 1, 5, 6, ignored=0.3),
        torch.tensor([1.0, 2.0, 4.0]),
    )
    got, (gradient, *_) = tried(t, values, target, weights, how="gradients")
    t.unchanged(CHANGED)
    scalar(t, got, "values of shape (1, 5, 6)")
    if gradient is None or not gradient.any():
        t.fail(f"No gradient reaches `values`. {FLOW}")
    if not same(
        gradient, t.pulled(lambda v, m, w: _mean(v, m, w).reshape(got.shape), values, target, weights)[0], 1e-4
    ):
        t.fail("A gradient reaches `values`, but it is not that of this weighted mean.")
