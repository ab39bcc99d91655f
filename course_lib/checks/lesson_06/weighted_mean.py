"""Lesson 06: a mean in which some pixels count more."""

import torch

from ..causes import judge
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


def _case(t, values, target, weights, given):
    """(got, want, given, known mistakes) of one input."""
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
    shifted, turned = (weights[i] for i in ((target[known] - 1).clamp(min=0), target[known] - 1))
    return (
        got,
        want,
        given,
        [
            *small,
            (
                (labelled * per_pixel).sum() / weights.mean() / count,
                "The weights are scaled to a mean of 1, and a plain mean follows; divide by the weights of the pixels.",
            ),
            (
                (labelled * per_pixel).sum() / (per_pixel.sum() + 1),
                "1 is added to the sum of the weights. The last line, given, sees to a sum of 0.",
            ),
            *(
                ((labelled * w).sum() / w.sum(), "Class 1 gets the weight of class 0: the index is off by one.")
                for w in (shifted, turned)
            ),
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
    def cases():
        values, target = torch.tensor([[[1.0, 3.0]]]), torch.tensor([[[0, 1]]])
        weights = torch.tensor([float(t.random.choice([1, 2])), float(t.random.choice([3, 5]))])
        yield _case(t, values, target, weights, f"values [1, 3], target [0, 1], weights {weights.tolist()}")
        for classes in (3, 4):
            weights, target = 0.2 + t.tensor(classes).abs(), targets(t, classes, 2, 3, 5)
            target[:, 0] = 0  # no class has as many pixels as another
            given = f"values of shape (2, 3, 5) and {classes} weights"
            yield _case(t, t.tensor(2, 3, 5).abs(), target, weights, given)

    judge(t, cases())


@weighted_mean.part("ignored pixels don't count", 0.5)
def _(t):
    inputs = []
    for _ in range(2):
        target = targets(t, 3, 2, 3, 5, ignored=0.4)
        target[0, 0] = 0
        target[1, 0, 0] = 255
        inputs.append((t.tensor(2, 3, 5).abs(), target, 0.2 + t.tensor(3).abs()))
    given = "values of shape (2, 3, 5) with {} pixels ignored"
    judge(t, (_case(t, *three, given.format(int((three[1] == 255).sum()))) for three in inputs))
    values, target, weights = inputs[0]
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
    target, given = torch.tensor([[[0, 1]]]), "values {}, target [0, 1], weights {}"
    small = (([1000.0, 4000.0], [1e-3, 2e-3]), ([5000.0, 2000.0], [3e-3, 1e-3]))
    judge(t, (_case(t, torch.tensor([[v]]), target, torch.tensor(w), given.format(v, w)) for v, w in small))


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
