"""Lesson 06: the gradient by hand, against autograd's."""

import torch
import torch.nn.functional as F

from ..causes import judge
from ..core import Exercise
from .losses import CHANGED, LOSSES, like, small_logits, targets, tried

logit_gradient = Exercise(
    "logit_gradient",
    hints=(
        "For one pixel with logits [0, 0] of class 1: what are the probabilities, and from which of them is "
        "1 taken off?",
        "Start from `logits.softmax(1)` and take `one_hot` off. What is left at a pixel of 255, and what "
        "should be there?",
        "Multiply the difference by `known` as (B, 1, H, W), which `unsqueeze(1)` makes of it. Then divide by how "
        "many labelled pixels there are, but at least by 1.",
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


def _case(t, logits, target, given):
    """(got, want, given, known mistakes) of one input."""
    got, want = tried(t, logits, target), _gradient(logits, target)
    like(t, got, want, given)
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
        (
            _gradient(logits, target, some + 1),
            "This divides by one more than there are labelled pixels. Hold the number at 1 or more: `clamp(min=1)`.",
        ),
        *(
            (
                (logits.softmax(axis) - F.one_hot(safe, logits.shape[1]).movedim(-1, 1))
                * labelled[:, None]
                / max(some, 1),
                f"The softmax runs over {name}; it should run over the classes, axis 1.",
            )
            for axis, name in ((0, "the batch"), (2, "the rows"), (3, "the columns"))
        ),
    ]
    return got, want, given, known


@logit_gradient.part("softmax less one-hot", 1)
def _(t):
    def cases():
        logits, target = small_logits(t, 1, 3, 1, 2), torch.tensor([[[2, t.random.choice([0, 1])]]])
        shown = f"logits {logits.flatten(2)[0].T.tolist()} (a list for each pixel), target {target.flatten().tolist()}"
        yield _case(t, logits, target, shown)
        for classes in (3, t.random.choice([4, 5])):
            logits, target = t.tensor(2, classes, 3, 6), targets(t, classes, 2, 3, 6)
            yield _case(t, logits, target, f"logits of shape {tuple(logits.shape)}, all pixels labelled")

    judge(t, cases(), tolerance=1e-5)
    far, target = torch.tensor([[[[1000.0, 0.0]], [[0.0, -1000.0]]]]), torch.tensor([[[1, 0]]])
    given = "two pixels with logits [1000, 0] and [0, −1000], of classes 1 and 0"
    got, want = t.call(far, target), _gradient(far, target)
    like(t, got, want, given)
    if torch.isnan(got).any():
        t.fail(
            f"For {given}: got NaN, as exp(1000) is infinite. Take each pixel's largest logit off before "
            "`exp`, or use `softmax`."
        )
    t.close(got, want, given)


@logit_gradient.part("ignored pixels: no pull, not counted", 0.5)
def _(t):
    def cases():
        for classes in (3, 4):
            logits, target = t.tensor(2, classes, 4, 5), targets(t, classes, 2, 4, 5)
            for image, drop in zip(
                target.flatten(1), (13, t.random.randint(2, 5))
            ):  # more in one image than in another
                image[torch.randperm(20, generator=t.generator)[:drop]] = 255
            ignored = int((target == 255).sum())
            yield _case(t, logits, target, f"logits of shape {tuple(logits.shape)}, {ignored} of 40 pixels ignored")

    judge(t, cases(), tolerance=1e-5)


@logit_gradient.part("nothing labelled, arguments stay as they were", 0.5)
def _(t):
    logits = torch.zeros(1, 3, 2, 2)
    given = "logits of 0 and a target that is 255 everywhere"
    got = tried(t, logits, torch.full((1, 2, 2), 255))
    like(t, got, logits, given)
    if torch.isnan(got).any():
        t.fail(f"For {given}: expected zeros, got NaN, which is 0 / 0. Divide by at least 1.")
    if got.any():
        t.fail(
            f"For {given}: expected zeros, got values up to {got.abs().max():.3f}. At an ignored pixel nothing pulls."
        )
    if not tried(t, logits, targets(t, 3, 1, 2, 2)).any():
        t.fail("For logits of 0 and labels everywhere: expected a pull on every pixel, got zeros.")
    t.unchanged(CHANGED)
