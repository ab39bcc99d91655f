"""Lesson 06: soft Dice for the batch. Pictures are made from piles of pixels, a pile for each class of each image."""

import torch

from ..causes import judge
from ..core import Exercise
from ..values import same
from .losses import CHANGED, FLOW, LOSSES, OWN, scalar, tried

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


def _piles(t, *images):
    """Beliefs for each image and, in it, each class and the ignored pixels, float32 (pixels, C).

    images  for each, how many pixels there are of class 0, of class 1, …, and ignored ones
    """
    return [[(1.5 * t.tensor(n, len(image) - 1)).softmax(1) for n in image] for image in images]


def _picture(t, piles, height, width):
    """(probabilities, target, order): all pixels of the piles, those of each image in an order of its own."""
    probabilities, target, orders = [], [], []
    for image in piles:
        order = torch.randperm(height * width, generator=t.generator)
        labels = torch.tensor([*range(len(image) - 1), 255]).repeat_interleave(torch.tensor([len(p) for p in image]))
        probabilities.append(torch.cat(image)[order].T.reshape(-1, height, width))
        target.append(labels[order].reshape(height, width))
        orders.append(order)
    return torch.stack(probabilities), torch.stack(target), orders


def _case(t, piles, size, given):
    """(got, want, given, known mistakes) of one input."""
    p, target, _ = _picture(t, piles, *size)
    got, classes = scalar(t, tried(t, p, target), given), range(len(piles[0]) - 1)

    def scores(images=piles, read=lambda p: p, masked=True, smooth=0, below=0, factor=2, power=1, root=0):
        """Of each class that occurs in these images, {class: score}; the switches make the usual mistakes."""
        found = {}
        for c in classes:
            own = [read(image[c].double())[:, c] for image in images]
            told = [read(pile.double())[:, c] for image in images for pile in image[: -1 if masked else None]]
            shared, claimed = sum(v.sum().item() for v in own), sum((v**power).sum().item() for v in told)
            pixels = sum(map(len, own))
            found[c] = (factor * shared + smooth) / (claimed + pixels - root * shared + smooth + below)
        return found

    def mean(found, over=None):
        there = [c for c in classes if any(len(image[c]) for image in piles)] if over is None else over
        return torch.tensor(1 - sum(found[c] for c in there) / len(there))

    labelled = torch.cat([pile for image in piles for pile in image[:-1]]).double()
    sizes = [sum(len(image[c]) for image in piles) for c in classes]
    masses, claims = [sum(image[c][:, c].sum() for image in piles) for c in classes], labelled.sum(0)
    want, there = mean(scores()), [c for c in classes if any(len(image[c]) for image in piles)]
    own = torch.cat([image[c][:, c] for image in piles for c in classes])
    taken = [[torch.cat([image[0], image[-1]]), *image[1:-1], image[-1][:0]] for image in piles]
    seen = [[c for c in classes if len(image[c])] for image in piles]
    each = [mean(scores([image]), here) for image, here in zip(piles, seen) if here]
    lie = "The mean is taken over all classes; classes that don't occur must stay out: the second lie."
    known = [
        (1 - want, "This is the Dice itself; the loss is 1 minus that."),
        (
            mean(scores(masked=False)),
            "Σ p runs over ignored pixels too: the first lie. Only labelled pixels may be in any of the sums.",
        ),
        (mean(scores(smooth=1)), "There is a `smooth` of 1 left in it."),
        *((mean(scores(smooth=s)), "There is a small `smooth` in it; leave it out.") for s in (0.1, 0.01, 1e-3, 1e-4)),
        *((mean(scores(below=s)), "Something is added below the line; leave it out.") for s in (1, 0.1, 0.01, 1e-3)),
        *((mean(scores(smooth=s), classes), lie) for s in (0, 1)),
        (mean(scores(smooth=1, masked=False), classes), "This is `copied_dice`, with both its lies."),
        (
            want * len(there) / len(classes),
            "A class that doesn't occur counts as a Dice of 1; it should stay out of the mean.",
        ),
        (
            1 - own.mean(),
            "All classes are added up before the division; work out one Dice for each class, then their mean.",
        ),
        (mean(scores(), [c for c in there if c]), "Class 0 is left out; it is a class like the others."),
        (
            mean(scores(), [c for c in there if c < classes[-1]]),
            "The last class is left out; it is a class like the others.",
        ),
        (want * len(there), "This is the sum over the classes; take their mean."),
        (
            1 - sum(scores()[c] * sizes[c] for c in there) / sum(sizes),
            "Each class is weighted by its pixels here; each has one vote.",
        ),
        (
            1 - sum(masses[c] / sizes[c] for c in there) / len(there),
            "This is recall, over the truth alone. Below the line stands the sum of both.",
        ),
        (
            1 - sum(masses[c] / claims[c] for c in there) / len(there),
            "This is precision, over the prediction alone. Below the line stands the sum of both.",
        ),
        (mean(scores(factor=1)), "The factor 2 is missing: twice what they share, over the sum of both."),
        (
            mean(scores(factor=1, root=1)),
            "This is IoU: what they share over the union. Dice is twice what they share over the *sum* of both.",
        ),
        (
            mean(scores(power=2)),
            "Here p is squared in the denominator; some papers do so, this exercise does not.",
        ),
        (mean(scores(read=lambda p: p.square())), "Here p is squared, above and below the line; take p itself."),
        (
            torch.stack(each).mean(),
            "This is the mean over the images; the sums should run over the whole batch together.",
        ),
        (
            mean(scores(read=lambda p: (p == p.amax(1, keepdim=True)).double())),
            "This counts whole pixels, by `argmax`; soft Dice adds up probabilities.",
        ),
        (
            mean(scores(read=lambda p: p.softmax(1))),
            "A softmax is applied; the probabilities are probabilities already.",
        ),
        (mean(scores(taken), sorted({*there, 0})), "Ignored pixels are taken for class 0."),
    ]
    return got, want, given, [(torch.as_tensor(value, dtype=want.dtype), meaning) for value, meaning in known]


EXAMPLE = [[torch.tensor([[0.8, 0.2]]), torch.tensor([[0.4, 0.6]]), torch.zeros(0, 2)]]


@soft_dice.part("shared over both, for the batch", 0.75)
def _(t):
    def cases():
        yield _case(t, EXAMPLE, (1, 2), "the example's two pixels")
        for images in (((9, 3, 3, 0), (3, 5, 7, 0)), ((8, 3, 2, 2, 0), (2, 3, 4, 6, 0))):  # images that are unlike
            given = f"probabilities of shape (2, {len(images[0]) - 1}, 3, 5), where all classes occur"
            yield _case(t, _piles(t, *images), (3, 5), given)

    judge(t, cases())


@soft_dice.part("ignored pixels are in no sum", 0.75)
def _(t):
    def cases():
        for images in (((5, 3, 2, 14), (4, 9, 5, 6)), ((3, 2, 4, 15), (7, 3, 9, 5))):
            ignored = sum(image[-1] for image in images)
            given = f"probabilities of shape (2, 3, 4, 6), {ignored} pixels ignored"
            yield _case(t, _piles(t, *images), (4, 6), given)

    judge(t, cases())


@soft_dice.part("classes that don't occur", 0.5)
def _(t):
    def cases():
        for classes in (5, 7):  # not 6: a mean over twice as many equals a missing factor of 2
            rest = [0] * (classes - 3)
            images = (0, 8, 5, 3, *rest), (0, 3, 6, 7, *rest)
            yield _case(t, _piles(t, *images), (4, 4), f"{classes} classes, of which only 1, 2 and 3 occur")

    judge(t, cases())


@soft_dice.part("nothing labelled, gradients, arguments stay", 0.5)
def _(t):
    p, target, _ = _picture(t, _piles(t, (0, 0, 0, 9)), 3, 3)
    given = "a target that is 255 everywhere"
    got = scalar(t, tried(t, p, target), given)
    if torch.isnan(got):
        t.fail(f"For {given}: expected 0, got NaN. Is it the mean of no classes at all? Look for that case first.")
    t.close(got, torch.tensor(0.0), given)
    piles = _piles(t, (2, 1, 3, 3))
    p, target, (order,) = _picture(t, piles, 3, 3)
    tried(t, p, target)
    t.unchanged(CHANGED)
    p.requires_grad_()
    got, (gradient, _) = t.gradients(p, target)
    t.unchanged(CHANGED)
    scalar(t, got, "probabilities of shape (1, 3, 3, 3)")
    if gradient is None or not gradient.any():
        t.fail(f"No gradient reaches `probabilities`. {FLOW} `argmax` has no gradient either.")
    slope = torch.zeros(9, 3)  # of each pixel's beliefs, pile by pile
    for c, pile in enumerate(piles[0][:-1]):
        both = sum(other[:, c].sum() for other in piles[0][:-1]) + len(pile)
        slope[:6, c] += 2 / 3 * pile[:, c].sum() / both**2
        first = sum(map(len, piles[0][:c]))
        slope[first : first + len(pile), c] -= 2 / 3 / both
    slope = slope[order].T.reshape(1, 3, 3, 3)
    want = t.pulled(lambda q, _: (q * slope).sum(), p, target)[0]
    if not same(gradient, want, 1e-4):
        ignored = (target == 255)[:, None].expand_as(gradient)
        more = " At ignored pixels it should be 0." if gradient[ignored].any() else ""
        t.fail(f"A gradient reaches `probabilities`, but not the one of this loss.{more}")
