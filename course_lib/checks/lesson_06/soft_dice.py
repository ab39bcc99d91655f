"""Lesson 06: soft Dice for the batch, without what is ignored and what does not occur."""

import torch
import torch.nn.functional as F

from ..core import Exercise
from ..values import same
from .losses import CHANGED, FLOW, LOSSES, OWN, scalar, targets, tried

soft_dice = Exercise(
    "soft_dice",
    hints=(
        "Which pixels may be in the sums? Take only those out of `probabilities` and `target` first, and "
        "both lies are half mended.",
        "`probabilities.movedim(1, -1)[target != 255]` is (labelled pixels, C). For each class that occurs, "
        "work out one Dice from two columns: p and t.",
        "Loop over the classes that occur in the labelled pixels (`unique`), and append each one's Dice to `scores`. "
        "If nothing is labelled there is nothing to append.",
    ),
    own_work={name: OWN for name in (*LOSSES, "DiceLoss")},
)


def _dice(p, target, *, masked=True, absent=None, smooth=0.0, factor=2, power=1, root=False):
    """Soft Dice by one matrix product; the switches make the usual mistakes."""
    b, classes = p.shape[:2]
    labelled = (target != 255).reshape(1, -1)
    t = F.one_hot(target.masked_fill(target == 255, 0), classes).reshape(-1, classes).T.to(p.dtype) * labelled
    flat = p.transpose(0, 1).reshape(classes, -1)
    claimed = (flat**power * labelled if masked else flat**power).sum(1)
    shared, size = (flat * t).sum(1), t.sum(1)
    union = claimed + size - (shared if root else 0)
    scores = (factor * shared + smooth) / (union + smooth)
    present = size > 0 if absent is None else torch.ones(classes, dtype=torch.bool)
    return 1 - scores[present].mean() if present.any() else p.sum() * 0


def _dice_part(t, p, target, given):
    got, want = scalar(t, tried(t, p, target), given), _dice(p, target)
    labelled = target != 255
    each = torch.stack([_dice(p[i : i + 1], target[i : i + 1]) for i in range(len(p)) if labelled[i].any()]).mean()
    here = F.one_hot(target[labelled], p.shape[1]).amax(0).to(p.dtype)
    own = p.movedim(1, -1)[labelled].gather(1, target[labelled][:, None])
    zero = target[labelled] == 0
    dice_0 = 2 * own[zero[:, None]].sum() / (p[:, 0][labelled].sum() + zero.sum())
    no_background = 1 - ((1 - want) * here.sum() - here[0] * dice_0) / (here[1:].sum())
    hard = F.one_hot(p.argmax(1), p.shape[1]).movedim(-1, 1).to(p.dtype)
    t.close(
        got,
        want,
        given,
        [
            (1 - want, "This is the Dice itself; the loss is 1 minus that."),
            (
                _dice(p, target, masked=False),
                "Σ p runs over ignored pixels too: the first lie. Only labelled pixels may be in any of the sums.",
            ),
            (_dice(p, target, smooth=1.0), "There is a `smooth` of 1 left in it."),
            (
                _dice(p, target, absent=0),
                "The mean is taken over all classes; classes that don't occur must stay out: the second lie.",
            ),
            (
                _dice(p, target, absent=0, smooth=1.0),
                "The mean is taken over all classes; classes that don't occur must stay out: the second lie.",
            ),
            (_dice(p, target, absent=0, smooth=1.0, masked=False), "This is `copied_dice`, with both its lies."),
            (want * here.mean(), "A class that doesn't occur counts as a Dice of 1; it should stay out of the mean."),
            (
                1 - own.mean(),
                "All classes are added up before the division; work out one Dice for each class, then their mean.",
            ),
            (no_background, "Class 0 is left out; it is a class like the others."),
            (_dice(p, target, factor=1), "The factor 2 is missing: twice what they share, over the sum of both."),
            (
                _dice(p, target, factor=1, root=True),
                "This is IoU: what they share over the union. Dice is twice what they share over the *sum* of both.",
            ),
            (
                _dice(p, target, power=2),
                "Here p is squared in the denominator; some papers do so, this exercise does not.",
            ),
            (each, "This is the mean over the images; the sums should run over the whole batch together."),
            (_dice(hard, target), "This counts whole pixels, by `argmax`; soft Dice adds up probabilities."),
            (_dice(p.softmax(1), target), "A softmax is applied; the probabilities are probabilities already."),
            (_dice(p, target.masked_fill(~labelled, 0)), "Ignored pixels are taken for class 0."),
        ],
    )


def _beliefs(t, *shape):
    return (1.5 * t.tensor(*shape)).softmax(1)


@soft_dice.part("shared over both, for the batch", 0.75)
def _(t):
    p, target = torch.tensor([[[[0.8, 0.4]], [[0.2, 0.6]]]]), torch.tensor([[[0, 1]]])
    _dice_part(t, p, target, "the example's two pixels")
    classes = t.random.choice([3, 4])
    target = targets(t, classes, 2, 3, 5)
    target[0, :2], target[1, 0, :classes] = (
        0,
        torch.arange(classes),
    )  # two images that are unlike: their mean is not the whole's
    _dice_part(
        t,
        _beliefs(t, 2, classes, 3, 5),
        target,
        f"probabilities of shape (2, {classes}, 3, 5), where all classes occur",
    )


@soft_dice.part("ignored pixels are in no sum", 0.75)
def _(t):
    p, target = _beliefs(t, 2, 3, 4, 6), targets(t, 3, 2, 4, 6)
    target[:, :, :3] = torch.where(target[:, :, :3] == target[:, :, :3].flatten()[0], 255, target[:, :, :3])
    target[0, 0], target[1, -1, :3] = 255, torch.arange(3)
    _dice_part(t, p, target, f"probabilities of shape (2, 3, 4, 6), {int((target == 255).sum())} pixels ignored")


@soft_dice.part("classes that don't occur", 0.5)
def _(t):
    classes = t.random.choice([5, 7])  # not 6: a mean over twice as many equals a missing factor of 2
    p, target = _beliefs(t, 2, classes, 4, 4), 1 + targets(t, 3, 2, 4, 4)
    _dice_part(t, p, target, f"{classes} classes, of which only 1, 2 and 3 occur")


@soft_dice.part("nothing labelled, gradients, arguments stay", 0.5)
def _(t):
    p = _beliefs(t, 1, 3, 3, 3)
    given = "a target that is 255 everywhere"
    got = scalar(t, tried(t, p, torch.full((1, 3, 3), 255)), given)
    if torch.isnan(got):
        t.fail(f"For {given}: expected 0, got NaN: the mean of no classes at all. Look for that case first.")
    t.close(got, torch.tensor(0.0), given)
    p, target = p.requires_grad_(), targets(t, 3, 1, 3, 3, ignored=0.3)
    target[0, -1] = torch.arange(3)
    got, (gradient, _) = t.gradients(p, target)
    t.unchanged(CHANGED)
    scalar(t, got, "probabilities of shape (1, 3, 3, 3)")
    if gradient is None or not gradient.any():
        t.fail(f"No gradient reaches `probabilities`. {FLOW} `argmax` has no gradient either.")
    if not same(gradient, t.pulled(lambda q, m: _dice(q, m).reshape(got.shape), p, target)[0], 1e-4):
        t.fail(
            "A gradient reaches `probabilities`, but not the one of this loss. At ignored pixels it should "
            "be 0, and both Σ p in the formula must take part."
        )
