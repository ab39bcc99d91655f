"""Lesson 06: a loss for each pixel. Logits are made from odds, so that what is expected is known beforehand."""

import torch

from .. import pictures
from ..causes import judge
from ..core import Exercise
from ..values import same
from .losses import CHANGED, FLOW, LOSSES, OWN, believed, like, shown, targets, tried


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
        if name in LOSSES
        else "This calls torch's own logarithm of softmax. Build it from "
        "`exp`, `log`, maximum and sum: that is where the stability comes from."
        for name in (*LOSSES, "log_softmax", "logsumexp", "LogSoftmax", "logaddexp", "Categorical")
    },
)


@pixel_losses.part("minus the log-probability of the true class", 0.75)
def _(t):
    judge(t, _values(t))


def _values(t):
    """(got, want, given, known mistakes, picture) of each input."""
    for shape in ((1, 3, 1, 2), (2, 4, 3, 6), (2, 5, 3, 6)):
        one = shape[0] == 1
        (odds, logits), target = believed(t, *shape), targets(t, 2 if one else shape[1], shape[0], *shape[2:])
        got, index = tried(t, logits, target), target[:, None]
        own, everything = odds.gather(1, index)[:, 0], odds.sum(1)
        want, largest = (everything / own).log().float(), logits.amax(1, keepdim=True)
        total = (everything / odds.amax(1)).float()  # of the exps, when the largest is off
        given = shown(logits, target) if one else f"logits of shape {tuple(logits.shape)}"
        like(t, got, want, given)
        mixed = logits.double().exp().reshape(-1, *shape[2:], shape[1]).movedim(-1, 1)
        known = [
            (-want, "The sign is wrong: the logarithm of a probability is negative, and a loss is not."),
            ((own / everything).float(), "This is the probability itself; the loss is minus its logarithm."),
            ((1 - own / everything).float(), "This is 1 − p; the loss is −ln p."),
            (-logits.gather(1, index)[:, 0], "This is minus the logit itself; the sum over the classes is missing."),
            (
                want - torch.tensor(float(shape[1])).log(),
                "This takes the mean of the exps over the classes; take their sum.",
            ),
            (
                want + total - total.log(),
                "The sum of the exps stands there itself; take its logarithm.",
            ),
            (want + (1 + 1 / total).log(), "1 is added to the sum of the exps; is it `log1p`? Take `log`."),
            (
                want / target.numel(),
                "This is divided by the number of labelled pixels; each pixel keeps its own loss.",
            ),
            (
                want - (1 - odds / everything[:, None]).log().sum(1) + (1 - own / everything).log(),
                "Each class is asked here whether it is the true one. Only −ln p of the true class counts.",
            ),
            (want / torch.tensor(2.0).log(), "This is the logarithm to base 2; take the natural one."),
            (want / torch.tensor(10.0).log(), "This is the logarithm to base 10; take the natural one."),
            (
                want - largest[:, 0],
                "The largest logit is off in the sum but not in the true logit, so it doesn't cancel.",
            ),
            (want * (target != 0), "Pixels of class 0 cost nothing here; it is 255 that is ignored."),
            (
                (mixed.sum(1) / mixed.gather(1, index)[:, 0]).log(),
                "`reshape` or `view` mixes pixels with classes; `movedim` or `permute` moves the axis.",
            ),
            (
                -(odds / everything[:, None]).log_softmax(1).gather(1, index)[:, 0],
                "Softmax is applied twice: the log of softmax is taken of what is a softmax already.",
            ),
            *(
                (
                    -logits.log_softmax(axis).gather(1, index)[:, 0],
                    f"The softmax runs over {name}; it should run over the classes, axis 1.",
                )
                for axis, name in ((0, "the batch"), (2, "the rows"), (3, "the columns"))
            ),
            (
                (logits - largest).sum(1) - (logits - largest).gather(1, index)[:, 0],
                "This adds up logarithms; take the logarithm of the sum.",
            ),
        ]
        yield got, want, given, known, None if one else pictures.maps


FAR = [[1000.0, 0.0], [-1000.0, -990.0], [1000.0, 1000.0]]  # logits of three pixels, and what each class costs there
COSTS = {0: [0.0, 10.0000454, 0.6931472], 1: [1000.0, 0.0000454, 0.6931472]}


@pixel_losses.part("logits of ±1000", 0.75)
def _(t):
    logits = torch.tensor(FAR)[:, :, None, None]
    for label in (1, 0):
        target, want = torch.full((3, 1, 1), label), torch.tensor(COSTS[label])[:, None, None]
        got = tried(t, logits, target)
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
        if label == 1 and 10 < got[0] < 999 and same(got[1:], want[1:], 1e-3):
            t.fail(
                f"For {given}: expected {_round(want)}, got {_round(got)}. The largest losses are cut off. Is a small "
                "number added to p, or p clamped, so that its logarithm can't be infinite? Don't compute p at all."
            )
        t.close(got, want, given, [(-want, "The sign is wrong: a loss is never below 0.")])


@pixel_losses.part("ignored pixels cost 0", 0.5)
def _(t):
    def cases():
        for classes in (3, 4):
            (odds, logits), target = believed(t, 2, classes, 3, 5), targets(t, classes, 2, 3, 5, ignored=0.4)
            got, ignored = tried(t, logits, target), target == 255
            given = f"a target of shape (2, 3, 5) in which {int(ignored.sum())} pixels are 255"
            like(t, got, target, given)

            def filled(label, odds=odds, target=target, ignored=ignored):
                """What it costs where the ignored pixels are of class `label`."""
                own = odds.gather(1, target.masked_fill(ignored, label)[:, None])[:, 0]
                return (odds.sum(1) / own).log().float()

            known = [
                (filled(0), "Ignored pixels are taken for class 0."),
                (filled(classes - 1), "Ignored pixels are taken for the last class."),
                (
                    filled(0).masked_fill(ignored, torch.nan),
                    "Ignored pixels hold NaN; they cost 0, so that a sum over all pixels can be taken.",
                ),
            ]
            yield got, filled(0).masked_fill(ignored, 0), given, known

    judge(t, cases(), picture=pictures.maps)
    nothing = torch.full((1, 2, 2), 255)
    got, given = tried(t, t.tensor(1, 3, 2, 2), nothing), "a target that is 255 everywhere"
    like(t, got, nothing, given)
    t.close(got, torch.zeros(1, 2, 2), given)


@pixel_losses.part("gradients flow, arguments stay as they were", 0.5)
def _(t):
    (odds, logits), target = believed(t, 2, 3, 3, 5), targets(t, 3, 2, 3, 5, ignored=0.3)
    tried(t, logits, target)
    t.unchanged(CHANGED)
    logits.requires_grad_()
    got, (gradient, _) = tried(t, logits, target, how="gradients")
    t.unchanged(CHANGED)
    like(t, got, target, "logits of shape (2, 3, 3, 5)")
    if gradient is None or not gradient.any():
        t.fail(f"No gradient reaches `logits`. {FLOW}")
    true = target[:, None] == torch.arange(3)[:, None, None]
    slope = (odds / odds.sum(1, keepdim=True) - true.double()) * (target != 255)[:, None]  # of each logit
    want, _ = t.pulled(lambda z, _: (z * slope.float()).sum(1), logits, target)
    t.close(gradient, want, "the gradient with respect to logits of shape (2, 3, 3, 5)")
    far, target = torch.tensor([[[[1000.0]], [[-1000.0]]]]).requires_grad_(), torch.tensor([[[1]]])
    _, (gradient, _) = t.gradients(far, target)
    if gradient is None or not torch.isfinite(gradient).all():
        t.fail("For logits [1000, −1000] the gradient is not finite.")
    want, _ = t.pulled(lambda z, _: z[:, 0] - z[:, 1], far, target)
    gradient = gradient / want.flatten()[0]
    t.close(gradient.flatten(), torch.tensor([1.0, -1.0]), "the gradient for logits [1000, −1000] of class 1")
    t.unchanged(CHANGED)
