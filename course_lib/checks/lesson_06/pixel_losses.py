"""Lesson 06: a loss for each pixel, against torch's."""

import torch
import torch.nn.functional as F

from .. import pictures
from ..causes import judge
from ..core import Exercise
from .losses import CHANGED, FLOW, LOSSES, OWN, like, small_logits, targets, tried


def _round(values):
    """A short list to show."""
    return [round(v, 3) for v in values.flatten().tolist()]


pixel_losses = Exercise(
    "pixel_losses",
    hints=(
        "Solve it for one pixel with logits [2, 1, 0] on paper first. Which of the three do you need on its "
        "own, and which only in a sum?",
        "Each pixel has a largest logit of its own: a maximum over axis 1, the classes. Without `keepdim=True` it is "
        "(B, H, W) and can't be taken from the logits.",
        "`amax(1, keepdim=True)` is (B, 1, H, W): the logits less that are `shifted`. For `log_sum`: the exp "
        "of every one of them, the sum over "
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


@pixel_losses.part("minus the log-probability of the true class", 0.75)
def _(t):
    judge(t, _values(t))


def _values(t):
    """(got, want, given, known mistakes, picture) of each input."""
    for shape in ((1, 3, 1, 2), (2, 4, 3, 6), (2, 5, 3, 6)):
        logits, target = (
            small_logits(t, *shape),
            targets(t, min(shape[1], 2) if shape[0] == 1 else shape[1], shape[0], *shape[2:]),
        )
        got, want = tried(t, logits, target), _entropy(logits, target)
        given = (
            f"logits {logits.flatten(2)[0].T.tolist()} (a list for each pixel), target {target.flatten().tolist()}"
            if shape[0] == 1
            else f"logits of shape {tuple(logits.shape)}"
        )
        like(t, got, want, given)
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
        largest = logits.amax(1, keepdim=True)
        known.append(
            (
                (logits - largest).sum(1) - (logits - largest).gather(1, index)[:, 0],
                "This adds up logarithms; take the logarithm of the sum.",
            )
        )
        yield got, want, given, known, pictures.maps if shape[0] > 1 else None


@pixel_losses.part("logits of ±1000", 0.75)
def _(t):
    logits = torch.tensor([[1000.0, 0.0], [-1000.0, -990.0], [1000.0, 1000.0]])[:, :, None, None]
    for label in (1, 0):
        target = torch.full((3, 1, 1), label)
        got, want = tried(t, logits, target), _entropy(logits, target)
        given = f"three pixels with logits [1000, 0], [−1000, −990], [1000, 1000], all of class {label}"
        like(t, got, want, given)
        if torch.isfinite(got[0]) and not torch.isfinite(got).all():
            t.fail(
                f"For {given}: expected {_round(want)}, got {_round(got)}. Is one maximum taken off all "
                "pixels? Each needs its own: the largest over the classes."
            )
        if (got == -float("inf")).any():
            t.fail(
                f"For {given}: expected {_round(want)}, got {_round(got)}. A loss of −∞ comes of the logarithm of a "
                "single exp that is 0: add up first."
            )
        if not torch.isfinite(got).all():
            t.fail(
                f"For {given}: expected {_round(want)}, got {_round(got)}. exp(1000) is infinite and exp(−1000) is 0, "
                "whose logarithm is infinite. Take the largest logit off first, and never compute p itself."
            )
        if label == 1 and 10 < got[0] < 999:
            t.fail(
                f"For {given}: expected {_round(want)}, got {_round(got)}. The largest losses are cut off. Is a small "
                "number added to p, or p clamped, so that its logarithm can't be infinite? Don't compute p at all."
            )
        t.close(got, want, given, [(-want, "The sign is wrong: a loss is never below 0.")])


@pixel_losses.part("ignored pixels cost 0", 0.5)
def _(t):
    classes = t.random.choice([3, 4])
    logits, target = t.tensor(2, classes, 3, 5), targets(t, classes, 2, 3, 5, ignored=0.4)
    got, want = tried(t, logits, target), _entropy(logits, target)
    given = f"a target of shape (2, 3, 5) in which {int((target == 255).sum())} pixels are 255"
    like(t, got, want, given)
    known = [
        (_entropy(logits, target.masked_fill(target == 255, label)), f"Ignored pixels are taken for class {label}.")
        for label in (0, classes - 1)
    ]
    t.close(got, want, given, known, picture=pictures.maps)
    nothing = torch.full((1, 2, 2), 255)
    t.close(tried(t, logits[:1, :, :2, :2], nothing), torch.zeros(1, 2, 2), "a target that is 255 everywhere")


@pixel_losses.part("gradients flow, arguments stay as they were", 0.5)
def _(t):
    logits, target = t.tensor(2, 3, 3, 5).requires_grad_(), targets(t, 3, 2, 3, 5, ignored=0.3)
    got, (gradient, _) = tried(t, logits, target, how="gradients")
    t.unchanged(CHANGED)
    like(t, got, target, "logits of shape (2, 3, 3, 5)")
    if gradient is None or not gradient.any():
        t.fail(f"No gradient reaches `logits`. {FLOW}")
    t.close(
        gradient, t.pulled(_entropy, logits, target)[0], "the gradient with respect to logits of shape (2, 3, 3, 5)"
    )
    far = torch.tensor([[[[1000.0]], [[-1000.0]]]]).requires_grad_()
    _, (gradient, _) = t.gradients(far, torch.tensor([[[1]]]))
    if gradient is None or not torch.isfinite(gradient).all():
        t.fail("For logits [1000, −1000] the gradient is not finite.")
    t.unchanged(CHANGED)
