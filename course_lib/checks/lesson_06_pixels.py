"""Checks of lesson 06, losses that are sums over pixels. What is expected comes from torch's own losses and autograd."""

import torch
import torch.nn.functional as F

from .core import Lesson
from .values import NotYet, copied, kind, same

check = Lesson("06_losses")
OWN = "This calls a ready-made loss. Write it from its parts: then you know what it does with ignored pixels and empty masks."
LOSSES = (
    "cross_entropy",
    "nll_loss",
    "CrossEntropyLoss",
    "NLLLoss",
    "focal_loss",
    "dice_loss",
    "ce_dice",
    "sigmoid_focal_loss",
)
FLOW = "Work on tensors throughout, without `.item()`, `.data`, `.detach()`, numpy, or `torch.tensor(...)`."


def _masks(t, classes, *shape, ignored=0.0):
    """Targets in which every class occurs and about a share of the pixels is 255."""
    target = t.tensor(*shape, low=0, high=classes)
    flat = target.view(-1)
    flat[torch.randperm(flat.numel(), generator=t.generator)[:classes]] = torch.arange(classes)
    if ignored:
        drop = torch.rand(flat.shape, generator=t.generator) < ignored
        drop[:2] = torch.tensor([True, False])
        flat[drop] = 255
    return target


def _tried(t, *args, how="call"):
    """t.call (or t.gradients), with a word about label 255 where that is likely what stopped it."""
    try:
        return getattr(t, how)(*args)
    except NotYet as stopped:
        ignored = any(isinstance(a, torch.Tensor) and not a.is_floating_point() and (a == 255).any() for a in args)
        if ignored and any(
            word in stopped.message
            for word in ("index", "out of bounds", "one_hot", "num_classes", "must match", "size of tensor")
        ):
            t.fail(
                stopped.message
                + " Label 255 is no class and no channel: put some class in its place before you look anything up, and its result aside."
            )
        raise


def _number(t, got, given):
    """Fail unless `got` is one number, as a tensor without axes; returns it."""
    if isinstance(got, torch.Tensor) and got.numel() == 1:
        if got.dim():
            t.fail(f"For {given}: got a tensor of shape {tuple(got.shape)}; return a scalar tensor, whose shape is ().")
        return got
    if isinstance(got, float | int):
        t.fail(f"For {given}: got a Python number; return a scalar tensor, so that gradients can flow.")
    t.fail(f"For {given}: expected one number, a scalar tensor, got {kind(got)}")


def _pulled(t, function, *args):
    """What t.gradients would give if the answer were `function`."""
    sent = copied(args)
    return t._pull(function(*sent), sent)


def _like(t, got, want, given):
    """Fail unless `got` is a float tensor of the shape of `want`."""
    if not isinstance(got, torch.Tensor):
        t.fail(f"For {given}: expected a tensor of shape {tuple(want.shape)}, got {kind(got)}")
    if tuple(got.shape) != tuple(want.shape):
        more = " That is one number for all; keep one for each pixel." if got.numel() == 1 < want.numel() else ""
        t.fail(f"For {given}: expected shape {tuple(want.shape)}, got {tuple(got.shape)}.{more}")
    if not got.is_floating_point():
        t.fail(f"For {given}: expected a float tensor, got {str(got.dtype).removeprefix('torch.')}.")


def _unchanged(t):
    if t.changed:
        t.fail(
            "Your function changed one of its arguments. Make new tensors, and mind that `x[...] = ` and names that end in `_` write into the old one."
        )


def _round(values):
    """A short list to show."""
    return [round(v, 3) for v in values.flatten().tolist()]


def _draw(got, want):
    from course_lib import plot

    return plot.grid([m.detach().float().reshape(-1, *m.shape[-2:])[0] for m in (got, want)], ["yours", "expected"])


# --- a loss for each pixel ----------------------------------------------------------------------------------

pixel_losses = check.exercise(
    "pixel_losses",
    hints=(
        "Solve it for one pixel with logits [2, 1, 0] on paper first. Which of the three do you need on its own, and which only in a sum?",
        "Each pixel has a largest logit of its own: a maximum over axis 1, the classes. Without `keepdim=True` it is (B, H, W) and can't be "
        "taken from the logits.",
        "`amax(1, keepdim=True)` is (B, 1, H, W): the logits less that are `shifted`. For `log_sum`: the exp of every one of them, the sum over "
        "axis 1, and its logarithm. The lines below, given, look up the true class and put 0 at the ignored pixels.",
    ),
    own_work={
        name: OWN
        if name not in ("log_softmax", "logsumexp", "LogSoftmax")
        else "This calls torch's own logarithm of softmax. Build it from "
        "`exp`, `log`, maximum and sum: that is where the stability comes from."
        for name in (*LOSSES, "log_softmax", "logsumexp", "LogSoftmax", "logaddexp")
    },
)


def _entropy(logits, target):
    return F.cross_entropy(logits, target, ignore_index=255, reduction="none")


def _small(t, *shape):
    """Whole numbers as floats, small enough to show."""
    return t.tensor(*shape, low=-2, high=4).float()


@pixel_losses.part("minus the log-probability of the true class", 0.75)
def _(t):
    for shape in ((1, 3, 1, 2), (2, t.random.choice([4, 5]), 3, 6)):
        logits, target = (
            _small(t, *shape),
            _masks(t, min(shape[1], 2) if shape[0] == 1 else shape[1], shape[0], *shape[2:]),
        )
        got, want = t.call(logits, target), _entropy(logits, target)
        given = (
            f"logits {logits.flatten(2)[0].T.tolist()} (a list for each pixel), target {target.flatten().tolist()}"
            if shape[0] == 1
            else f"logits of shape {tuple(logits.shape)}"
        )
        _like(t, got, want, given)
        index = target[:, None]
        p = logits.softmax(1)
        known = [
            (-want, "The sign is wrong: the logarithm of a probability is negative, and a loss is not."),
            (p.gather(1, index)[:, 0], "This is the probability itself; the loss is minus its logarithm."),
            (1 - p.gather(1, index)[:, 0], "This is 1 − p; the loss is −ln p."),
            (-logits.gather(1, index)[:, 0], "This is minus the logit itself; the sum over the classes is missing."),
            (want / torch.tensor(2.0).log(), "This is the logarithm to base 2; take the natural one."),
            (want / torch.tensor(10.0).log(), "This is the logarithm to base 10; take the natural one."),
            (
                want - logits.amax(1),
                "The largest logit is off in the sum but not in the true logit, so it doesn't cancel.",
            ),
            (want * (target != 0), "Pixels of class 0 cost nothing here; it is 255 that is ignored."),
            (
                _entropy(logits.reshape(-1, *shape[2:], shape[1]).movedim(-1, 1), target),
                "`reshape` or `view` mixes pixels with classes; `movedim` or `permute` moves the axis.",
            ),
            (
                _entropy(p, target),
                "Softmax is applied twice: the log of softmax is taken of what is a softmax already.",
            ),
            *(
                (
                    -logits.log_softmax(axis).gather(1, index)[:, 0],
                    f"The softmax runs over {name}; it should run over the classes, axis 1.",
                )
                for axis, name in ((0, "the batch"), (2, "the rows"), (3, "the columns"))
            ),
        ]
        t.close(got, want, given, known, picture=_draw if shape[0] > 1 else None)


@pixel_losses.part("logits of ±1000", 0.75)
def _(t):
    logits = torch.tensor([[1000.0, 0.0], [-1000.0, -990.0], [1000.0, 1000.0]])[:, :, None, None]
    for label in (1, 0):
        target = torch.full((3, 1, 1), label)
        got, want = t.call(logits, target), _entropy(logits, target)
        given = f"three pixels with logits [1000, 0], [−1000, −990], [1000, 1000], all of class {label}"
        _like(t, got, want, given)
        if torch.isfinite(got[0]) and not torch.isfinite(got).all():
            t.fail(
                f"For {given}: expected {_round(want)}, got {_round(got)}. Is one maximum taken off all pixels? Each needs its own: the largest over the classes."
            )
        if not torch.isfinite(got).all():
            t.fail(
                f"For {given}: expected {_round(want)}, got {_round(got)}. exp(1000) is infinite and exp(−1000) is 0, whose "
                "logarithm is infinite. Take the largest logit off first, and never compute p itself."
            )
        if label == 1 and 10 < got[0] < 999:
            t.fail(
                f"For {given}: expected {_round(want)}, got {_round(got)}. The largest losses are cut off. Is a small number added to p, "
                "or p clamped, so that its logarithm can't be infinite? Don't compute p at all."
            )
        t.close(got, want, given, [(-want, "The sign is wrong: a loss is never below 0.")])


@pixel_losses.part("ignored pixels cost 0", 0.5)
def _(t):
    classes = t.random.choice([3, 4])
    logits, target = t.tensor(2, classes, 3, 5), _masks(t, classes, 2, 3, 5, ignored=0.4)
    got, want = _tried(t, logits, target), _entropy(logits, target)
    given = f"a target of shape (2, 3, 5) in which {int((target == 255).sum())} pixels are 255"
    _like(t, got, want, given)
    known = [
        (_entropy(logits, target.masked_fill(target == 255, label)), f"Ignored pixels are taken for class {label}.")
        for label in (0, classes - 1)
    ]
    t.close(got, want, given, known, picture=_draw)
    nothing = torch.full((1, 2, 2), 255)
    t.close(_tried(t, logits[:1, :, :2, :2], nothing), torch.zeros(1, 2, 2), "a target that is 255 everywhere")


@pixel_losses.part("gradients flow, arguments stay as they were", 0.5)
def _(t):
    logits, target = t.tensor(2, 3, 3, 5).requires_grad_(), _masks(t, 3, 2, 3, 5, ignored=0.3)
    got, (gradient, _) = _tried(t, logits, target, how="gradients")
    _unchanged(t)
    _like(t, got, target, "logits of shape (2, 3, 3, 5)")
    if gradient is None or not gradient.any():
        t.fail(f"No gradient reaches `logits`. {FLOW}")
    t.close(
        gradient, _pulled(t, _entropy, logits, target)[0], "the gradient with respect to logits of shape (2, 3, 3, 5)"
    )
    far = torch.tensor([[[[1000.0]], [[-1000.0]]]]).requires_grad_()
    _, (gradient, _) = t.gradients(far, torch.tensor([[[1]]]))
    if gradient is None or not torch.isfinite(gradient).all():
        t.fail("For logits [1000, −1000] the gradient is not finite.")
    _unchanged(t)


# --- the gradient by hand -----------------------------------------------------------------------------------

logit_gradient = check.exercise(
    "logit_gradient",
    hints=(
        "For one pixel with logits [0, 0] of class 1: what are the probabilities, and from which of them is 1 taken off?",
        "Start from `logits.softmax(1)` and take `one_hot` off. What is left at a pixel of 255, and what should be there?",
        "Multiply the difference by `known` as (B, 1, H, W), which `unsqueeze(1)` makes of it. Then divide by how many labelled pixels there are, "
        "but at least by 1.",
    ),
    own_work={
        name: "This lets torch work the gradient out. Write it down by its formula: softmax less one-hot."
        for name in ("backward", "grad", "autograd", "vjp", "jacobian", "requires_grad_", "requires_grad", *LOSSES)
    },
)


def _gradient(logits, target, count=None):
    """By autograd: the gradient of the sum of losses, divided by `count` (by default the number of labelled pixels)."""
    z = logits.clone().requires_grad_()
    F.cross_entropy(z, target, ignore_index=255, reduction="sum").backward()
    return z.grad / (count or max(1, int((target != 255).sum())))


def _gradient_part(t, logits, target, given):
    got, want = _tried(t, logits, target), _gradient(logits, target)
    _like(t, got, want, given)
    labelled, p = target != 255, logits.softmax(1)
    some = int(labelled.sum())
    safe = target.masked_fill(~labelled, 0)
    known = [
        (-want, "The sign is turned round: it is softmax less one-hot."),
        (
            _gradient(logits, target, 1),
            f"This is not divided by the number of labelled pixels, {some}. The loss is a mean.",
        ),
        (
            _gradient(logits, target, target.numel()),
            f"This divides by all {target.numel()} pixels; only {some} are labelled.",
        ),
        (_gradient(logits, target, len(target)), "This divides by the size of the batch; the mean is over pixels."),
        (
            _gradient(logits, target, logits.numel()),
            "This divides by the number of logits; the mean is over labelled pixels.",
        ),
        (p * labelled[:, None] / max(some, 1), "This is the softmax alone; take 1 off at the true class."),
        (p / max(some, 1), "This is the softmax alone; take 1 off at the true class."),
        (_gradient(logits, safe, some), "Ignored pixels are taken for class 0."),
        (
            want + p * ~labelled[:, None] / max(some, 1),
            "At ignored pixels the softmax is left over; the gradient there is 0.",
        ),
        (
            want * (want < 0),
            "Only the true class is pulled; the other classes are pushed, each by its own probability.",
        ),
        (
            torch.cat([_gradient(z[None], m[None]) for z, m in zip(logits, target)]) / len(target),
            "This is the mean of each image's mean; count the labelled pixels of the whole batch together.",
        ),
        (_gradient(logits.softmax(1), target), "The softmax is taken twice."),
    ]
    t.close(got, want, given, known, tolerance=1e-5)


@logit_gradient.part("softmax less one-hot", 1)
def _(t):
    logits, target = _small(t, 1, 3, 1, 2), torch.tensor([[[2, t.random.choice([0, 1])]]])
    _gradient_part(
        t,
        logits,
        target,
        f"logits {logits.flatten(2)[0].T.tolist()} (a list for each pixel), target {target.flatten().tolist()}",
    )
    classes = t.random.choice([3, 4, 5])
    logits, target = t.tensor(2, classes, 3, 6), _masks(t, classes, 2, 3, 6)
    _gradient_part(t, logits, target, f"logits of shape {tuple(logits.shape)}, all pixels labelled")
    far, target = torch.tensor([[[[1000.0, 0.0]], [[0.0, -1000.0]]]]), torch.tensor([[[1, 0]]])
    given = "two pixels with logits [1000, 0] and [0, −1000], of classes 1 and 0"
    got, want = t.call(far, target), _gradient(far, target)
    _like(t, got, want, given)
    if torch.isnan(got).any():
        t.fail(
            f"For {given}: got NaN, as exp(1000) is infinite. Take each pixel's largest logit off before `exp`, or use `softmax`."
        )
    t.close(got, want, given)


@logit_gradient.part("ignored pixels: no pull, not counted", 0.5)
def _(t):
    classes = t.random.choice([3, 4])
    logits, target = t.tensor(2, classes, 4, 5), _masks(t, classes, 2, 4, 5, ignored=0.4)
    _gradient_part(
        t, logits, target, f"logits of shape {tuple(logits.shape)}, {int((target == 255).sum())} of 40 pixels ignored"
    )


@logit_gradient.part("nothing labelled, arguments stay as they were", 0.5)
def _(t):
    logits = torch.zeros(1, 3, 2, 2)
    given = "logits of 0 and a target that is 255 everywhere"
    got = _tried(t, logits, torch.full((1, 2, 2), 255))
    _like(t, got, logits, given)
    if torch.isnan(got).any():
        t.fail(f"For {given}: expected zeros, got NaN, which is 0 / 0. Divide by at least 1.")
    if got.any():
        t.fail(
            f"For {given}: expected zeros, got values up to {got.abs().max():.3f}. At an ignored pixel nothing pulls."
        )
    if not _tried(t, logits, _masks(t, 3, 1, 2, 2)).any():
        t.fail("For logits of 0 and labels everywhere: expected a pull on every pixel, got zeros.")
    _unchanged(t)


# --- a mean in which some count more ------------------------------------------------------------------------

weighted_mean = check.exercise(
    "weighted_mean",
    hints=(
        "In the example, which weight does each of the three pixels get? Write a map of weights beside the map of values.",
        "`weights[target]` looks up every pixel's weight at once, if no 255 is in `target`. It may be easiest to pick out the labelled "
        "pixels first, as a flat list: `values[labelled]`.",
        "With flat lists of values and of weights: `top` is the sum of their products, `bottom` the sum of the weights.",
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
    got, want = _number(t, _tried(t, values, target, weights), given), _mean(values, target, weights)
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
                "This divides by the sum of the C weights; divide by the sum over pixels, each with its class's weight.",
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
        _masks(t, classes, 2, 3, 5),
        weights,
        f"values of shape (2, 3, 5) and {classes} weights",
    )


@weighted_mean.part("ignored pixels don't count", 0.5)
def _(t):
    values, target = t.tensor(2, 3, 5).abs(), _masks(t, 3, 2, 3, 5, ignored=0.4)
    weights = 0.2 + t.tensor(3).abs()
    _mean_part(
        t, values, target, weights, f"values of shape (2, 3, 5) with {int((target == 255).sum())} pixels ignored"
    )
    wild = values.masked_fill(target == 255, float("inf"))
    given = "the same values, with infinity at the ignored pixels"
    got = _number(t, _tried(t, wild, target, weights), given)
    if torch.isnan(got):
        t.fail(
            f"For {given}: got NaN. 0 · ∞ is NaN, so multiplying by a mask is not enough; pick the labelled pixels out, or use `torch.where`."
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
        got = _number(t, _tried(t, values, target, weights), given)
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
        _masks(t, 3, 1, 5, 6, ignored=0.3),
        torch.tensor([1.0, 2.0, 4.0]),
    )
    got, (gradient, *_) = _tried(t, values, target, weights, how="gradients")
    _unchanged(t)
    _number(t, got, "values of shape (1, 5, 6)")
    if gradient is None or not gradient.any():
        t.fail(f"No gradient reaches `values`. {FLOW}")
    if not same(
        gradient, _pulled(t, lambda v, m, w: _mean(v, m, w).reshape(got.shape), values, target, weights)[0], 1e-4
    ):
        t.fail("A gradient reaches `values`, but it is not that of this weighted mean.")
