"""Lesson 06: the gradient by hand. Logits are made from odds, so that the probabilities are known beforehand."""

import torch

from ..causes import judge
from ..core import Exercise
from .losses import CHANGED, LOSSES, believed, like, shown, targets, tried

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
        for name in (
            "backward",
            "grad",
            "autograd",
            "vjp",
            "jacobian",
            "jacrev",
            "jacfwd",
            "jvp",
            "requires_grad_",
            "requires_grad",
            *LOSSES,
        )
    },
)


def _case(t, beliefs, target, given):
    """(got, want, given, known mistakes) of one input, whose odds and logits are `believed`."""
    odds, logits = beliefs
    got, labelled, some = tried(t, logits, target), (target != 255)[:, None], int((target != 255).sum())
    like(t, got, logits, given)
    classes = torch.arange(odds.shape[1])[:, None, None]
    p, true = odds / odds.sum(1, keepdim=True), (target[:, None] == classes).double()
    zero = true + (~labelled & (classes == 0))  # with the ignored pixels in class 0
    pull = torch.where(labelled, p - true, 0)
    each = [max(1, int((m != 255).sum())) for m in target]
    known = [
        (-pull / some, "The sign is turned round: it is softmax less one-hot."),
        (pull, f"This is not divided by the number of labelled pixels, {some}. The loss is a mean."),
        (pull / target.numel(), f"This divides by all {target.numel()} pixels; only {some} are labelled."),
        (pull / len(target), "This divides by the size of the batch; the mean is over pixels."),
        (pull / logits.numel(), "This divides by the number of logits; the mean is over labelled pixels."),
        (p * labelled / some, "This is the softmax alone; take 1 off at the true class."),
        (p / some, "This is the softmax alone; take 1 off at the true class."),
        ((p - zero) / some, "Ignored pixels are taken for class 0."),
        ((p - true) / some, "At ignored pixels the softmax is left over; the gradient there is 0."),
        (
            pull * true / some,
            "Only the true class is pulled; the other classes are pushed, each by its own probability.",
        ),
        (
            torch.stack([image / n for image, n in zip(pull, each)]) / len(target),
            "This is the mean of each image's mean; count the labelled pixels of the whole batch together.",
        ),
        (torch.where(labelled, p.softmax(1) - true, 0) / some, "The softmax is taken twice."),
        (torch.where(labelled, p.log() - true, 0) / some, "This takes the logarithm of the softmax; take the softmax."),
        (torch.where(labelled, logits.sigmoid() - true, 0) / some, "This takes the sigmoid; take the softmax."),
        (torch.where(labelled, logits - true, 0) / some, "This takes the logits themselves; take their softmax."),
        (-true / some, "This is the one-hot alone; the softmax is missing."),
        (pull.abs() / some, "Every sign is plus here; at the true class p − 1 is below 0."),
        (pull / target[0].numel(), "This divides by the pixels of one image; the mean is over the whole batch."),
        (p * (1 - p) * pull / some, "The slope of the softmax, p (1 − p), is in it once more; the difference is all."),
        (
            pull / (some + 1),
            "This divides by one more than there are labelled pixels. Hold the number at 1 or more: `clamp(min=1)`.",
        ),
        *(
            (
                torch.where(labelled, logits.softmax(axis) - true, 0) / some,
                f"The softmax runs over {name}; it should run over the classes, axis 1.",
            )
            for axis, name in ((0, "the batch"), (2, "the rows"), (3, "the columns"))
        ),
    ]
    return got, (pull / some).float(), given, known


@logit_gradient.part("softmax less one-hot", 1)
def _(t):
    def cases():
        beliefs, target = believed(t, 1, 3, 1, 2), torch.tensor([[[2, t.random.choice([0, 1])]]])
        yield _case(t, beliefs, target, shown(beliefs[1], target))
        for classes in (3, t.random.choice([4, 5])):
            target = targets(t, classes, 2, 3, 6)
            given = f"logits of shape (2, {classes}, 3, 6), all pixels labelled"
            yield _case(t, believed(t, 2, classes, 3, 6), target, given)

    judge(t, cases(), tolerance=1e-5)
    far, target = torch.tensor([[[[1000.0, 0.0]], [[0.0, -1000.0]]]]), torch.tensor([[[1, 0]]])
    given = "two pixels with logits [1000, 0] and [0, −1000], of classes 1 and 0"
    got, want = tried(t, far, target), torch.tensor([[[[0.5, 0.0]], [[-0.5, 0.0]]]])
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
            beliefs, target = believed(t, 2, classes, 4, 5), targets(t, classes, 2, 4, 5)
            for image, drop in zip(
                target.flatten(1), (13, t.random.randint(2, 5))
            ):  # more in one image than in another
                image[torch.randperm(20, generator=t.generator)[:drop]] = 255
            ignored = int((target == 255).sum())
            given = f"logits of shape (2, {classes}, 4, 5), {ignored} of 40 pixels ignored"
            yield _case(t, beliefs, target, given)

    judge(t, cases(), tolerance=1e-5)


@logit_gradient.part("nothing labelled, arguments stay as they were", 0.5)
def _(t):
    logits = torch.zeros(1, 3, 2, 2)
    given = "logits of 0 and a target that is 255 everywhere"
    got = tried(t, logits, torch.full((1, 2, 2), 255))
    like(t, got, logits, given)
    if torch.isnan(got).any():
        t.fail(f"For {given}: expected zeros, got NaN. Is it 0 / 0? Divide by at least 1.")
    if got.any():
        t.fail(
            f"For {given}: expected zeros, got values up to {got.abs().max():.3f}. At an ignored pixel nothing pulls."
        )
    got = tried(t, logits, targets(t, 3, 1, 2, 2))
    like(t, got, logits, "logits of 0 and labels everywhere")
    if not got.any() or torch.isnan(got).any():
        found = "zeros" if not got.any() else "NaN"
        t.fail(f"For logits of 0 and labels everywhere: expected a pull on every pixel, got {found}.")
    t.unchanged(CHANGED)
