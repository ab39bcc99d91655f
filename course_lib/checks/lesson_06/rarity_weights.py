"""Lesson 06: weights for rare classes, by two rules."""

import torch

from ..causes import judge
from ..core import Exercise
from ..values import dtype_name, kind
from .losses import CHANGED

rarity_weights = Exercise(
    "rarity_weights",
    hints=(
        "Take the example's table and work out both shares of class 1 by hand. Which pixels are in the "
        "denominator of each?",
        "First rule: the denominator is the sum of the whole table. Second rule: for class c, add up the rows' "
        "totals, but only of the rows in which column c is above 0. `(counts > 0)` is such a table of yes and no.",
        "For each rule: weight = denominator / pixels of the class, and 0 where the class does not occur: "
        "`torch.where` with `occurs`. The scaling is given.",
    ),
    own_work={
        "class_weights": (
            "This calls the library's own weights. Count for yourself: the counting is what the two rules differ in."
        )
    },
)


def _pair(t, got, counts, given):
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        t.fail(f"For {given}: expected two tensors, one for each rule, got {kind(got)}")
    want = (counts.shape[1],)
    for name, w in zip(("first", "second"), got):
        if not isinstance(w, torch.Tensor) or tuple(w.shape) != want:
            t.fail(f"For {given}: the {name} weights should be a tensor of shape {want}; got {kind(w)}")
        if not w.is_floating_point():
            t.fail(f"For {given}: the {name} weights should be floats, not {dtype_name(w)}.")
    return got


def _images(t, *shown):
    """(counts, spaces) of images of unlike sizes that are drawn.

    shown   for each image, the classes that it shows
    counts  int64 (N, C)
    spaces  (all pixels of the set, for each class those of the images that show it)
    """
    size, counts, spaces = max(map(max, shown)) + 1, [], [0] * (max(map(max, shown)) + 1)
    for classes, scale in zip(shown, (10, 20, 30, 50)):
        row = [scale * t.random.randint(1, 8) if c in classes else 0 for c in range(size)]
        spaces = [space + sum(row) * (c in classes) for c, space in enumerate(spaces)]
        counts.append(row)
    return torch.tensor(counts), ([sum(map(sum, counts))] * size, spaces)


def _table(t):
    """Four images and three classes that all occur, one of them in few images."""
    few = t.random.choice([({0, 1}, {0, 1, 2}), ({0, 1, 2}, {0, 1})])
    return _images(t, *few, {0, 1}, {1, 2})


def _rule(t, images, which, got=None):
    """(got, want, given, known mistakes) of the weights by one of the rules, of what came back if it is there."""
    name, (counts, spaces) = ("first", "second")[which], images
    given = f"counts {counts.tolist()}"
    got = _pair(t, t.call(counts) if got is None else got, counts, given)[which]
    pixels, occurs = counts.sum(0).double(), counts.sum(0) > 0

    def scaled(w):
        w = torch.where(occurs, w.double(), 0.0)
        return (w / w[occurs].mean()).float()

    inverse = [torch.where(occurs, torch.tensor(s).double() / pixels.clamp(min=1), 0.0) for s in spaces]
    want, other, share = scaled(inverse[which]), scaled(inverse[1 - which]), 1 / inverse[which].where(occurs, 1)
    there = (counts > 0).sum(0).clamp(min=1)
    each = (counts.double() / counts.sum(1, keepdim=True).clamp(min=1)).sum(0).clamp(min=1e-12)
    meanings = [
        (other, "These are the weights of the other rule."),
        (scaled(share), "This is upside down: frequent classes get the large weights. It is one *over* the share."),
        (inverse[which].float(), "These are not scaled yet; divide by the mean over the classes that occur."),
        (want / want.sum(), "These add up to 1; scale them so that their mean is 1."),
        (want / want.max(), "The largest of these is 1; scale them so that their mean is 1."),
        (want * len(want) / occurs.sum(), "The mean is taken over all classes; take it over those that occur."),
        (scaled(1 / each), "This averages each image's share; add up pixels first, then divide."),
        (scaled(there / each), "This averages each image's share; add up pixels first, then divide."),
        (
            scaled(there / pixels.clamp(min=1)),
            "This divides by the number of images with the class; divide by all their pixels.",
        ),
        (scaled(1 / there), "This counts in how many images a class occurs; count pixels."),
        (scaled(1 - share), "This is 1 less the share; a weight is 1 *over* the share."),
        (scaled(share.reciprocal().floor()), "This divides to whole numbers, as `//` does; use `/`."),
        (
            scaled((counts.sum() - torch.tensor(spaces[1])) / pixels.clamp(min=1)),
            "These are the pixels of the images *without* the class; take those of the images with it.",
        ),
        (scaled(want.sqrt()), "This is the square root of the weights."),
        (
            scaled(1 / (1.02 + share).log()),
            "There is a logarithm in these weights. Here a weight is one over the share itself.",
        ),
    ]
    return got, want, f"the {name} weights of {given}", meanings


EXAMPLE = torch.tensor([[90, 10], [100, 0]]), ([200, 200], [200, 100])


@rarity_weights.part("share of the whole set", 0.75)
def _(t):
    judge(t, (_rule(t, images, 0) for images in (EXAMPLE, _table(t), _table(t))))
    t.unchanged(CHANGED)


@rarity_weights.part("share of the images with the class", 0.75)
def _(t):
    judge(t, (_rule(t, images, 1) for images in (EXAMPLE, _table(t), _table(t))))
    t.unchanged(CHANGED)


@rarity_weights.part("a class that occurs nowhere", 0.5)
def _(t):
    order = t.random.choice([[0, 3, 1, 2], [3, 0, 1, 2]])  # class 3 is the one that is nowhere
    inputs = []
    for counts, spaces in (_table(t), _table(t)):
        counts = torch.cat([counts, torch.zeros(4, 1, dtype=torch.int64)], 1)[:, order]
        spaces = [[[*space, 0][c] for c in order] for space in spaces]
        given, missing = f"counts {counts.tolist()}", order.index(3)
        got = _pair(t, t.call(counts), counts, given)
        for name, w in zip(("first", "second"), got):
            if not torch.isfinite(w[missing]):
                t.fail(
                    f"For {given}: the {name} weights hold infinity or NaN. Class {missing} occurs nowhere, and "
                    "one over nothing is infinite. Its weight should be 0."
                )
            if w[missing] != 0:
                t.fail(
                    f"For {given}: class {missing} occurs nowhere, and its weight in the {name} weights is "
                    f"{w[missing]:g}; it should be 0."
                )
        inputs.append(((counts, spaces), got))
    for which in (0, 1):
        judge(t, (_rule(t, images, which, got) for images, got in inputs))
    t.unchanged(CHANGED)


@rarity_weights.part("large counts, and an image without labels", 0.5)
def _(t):
    counts = torch.tensor([[3, 6, 0], [0, 0, 0], [2, 0, 4]]) * 1_000_000_000
    spaces = [15_000_000_000] * 3, [15_000_000_000, 9_000_000_000, 6_000_000_000]
    single = torch.tensor([[30, 10]]), ([40, 40], [40, 40])  # one image
    for images in ((counts, spaces), single):
        got = t.call(images[0])
        for which in (0, 1):
            judge(t, [_rule(t, images, which, got)], tolerance=1e-3)
