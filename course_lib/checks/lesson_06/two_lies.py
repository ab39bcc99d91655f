"""Lesson 06: two right answers that a copied Dice punishes."""

import torch

from ..core import Exercise
from ..values import dtype_name, kind

two_lies = Exercise(
    "two_lies",
    hints=(
        "A confident answer is easy to make: `certain` turns a map of classes into logits. First lie: what does a network say where nobody labelled?",
        "In `both`, p is added up over all pixels, t over the labelled ones only. So ignore most pixels. Second lie: each right pixel leaves up to 1% to the "
        "other classes. How many such pixels make the sum much larger than `smooth`?",
        "First: two classes, a few labelled pixels of each, and a few hundred ignored ones on which the network is sure of something. "
        "Second: tens of thousands of pixels of class 0, two classes, and a lead of the logit near 5 (p = 0.993).",
    ),
)


def _copied(logits, target):
    """The loss that stands in the lesson, class by class."""
    p, classes, found = logits.double().softmax(1), logits.shape[1], 0.0
    for c in range(classes):
        found += ((2 * p[:, c][target == c].sum() + 1) / (p[:, c].sum() + (target == c).sum() + 1)).item()
    return 1 - found / classes


def _lie(t, which):
    got, name = t.call(), ("first", "second")[which]
    if (
        not isinstance(got, (tuple, list))
        or len(got) != 2
        or not all(isinstance(g, (tuple, list)) and len(g) == 2 for g in got)
    ):
        t.fail(f"Expected two pairs, `(logits, target), (logits, target)`, got {kind(got)}")
    logits, target = got[which]
    if (
        not all(isinstance(v, torch.Tensor) for v in (logits, target))
        or logits.dim() != 4
        or not logits.is_floating_point()
        or target.dtype != torch.int64
        or target.shape != logits[:, 0].shape
    ):
        t.fail(
            f"In the {name} input, `logits` should be a float tensor (B, C, H, W) and `target` an int64 tensor (B, H, W); got "
            f"{' and '.join(dtype_name(v) + ' ' + str(tuple(v.shape)) if isinstance(v, torch.Tensor) else type(v).__name__ for v in (logits, target))}."
        )
    classes, labelled = logits.shape[1], target != 255
    if not 2 <= classes <= 21 or target.numel() > 100_000:
        t.fail(
            f"The {name} input has {classes} classes and {target.numel():,} pixels; take 2 to 21 classes and at most 100,000 pixels."
        )
    if not labelled.any() or (target[labelled] < 0).any() or (target[labelled] >= classes).any():
        t.fail(
            f"The {name} input's target should hold classes 0 to {classes - 1} and 255, and something must be labelled; it holds {target.unique().tolist()[:9]}."
        )
    p = logits.double().softmax(1).gather(1, target.masked_fill(~labelled, 0)[:, None])[:, 0][labelled]
    if not p.min() >= 0.99:
        t.fail(
            f"The {name} input is no right answer everywhere: at some labelled pixel the true class has a probability of only {p.min():.3f}; it should have 0.99."
        )
    present = set(target[labelled].tolist())
    if which == 0 and labelled.all():
        t.fail("In the first input no pixel is ignored. Set some of the target to 255.")
    if which == 0 and len(present) < classes:
        t.fail(
            f"In the first input every class should occur; {sorted(set(range(classes)) - present)[0]} does not. (Absent classes are for the second.)"
        )
    if which == 1 and not labelled.all():
        t.fail("In the second input no pixel should be ignored. (Ignored pixels are for the first.)")
    if which == 1 and len(present) == classes:
        t.fail("In the second input every class occurs; leave at least one out.")
    cost = _copied(logits, target)
    if not cost > 0.3:
        more = (
            f"{int((~labelled).sum())} of {target.numel()} pixels are ignored, and what the network says there counts. Ignore more of them."
            if which == 0
            else f"The classes that are absent share {sum(logits.double().softmax(1)[:, c].sum() for c in range(classes) if c not in present):.2f} pixels' worth of "
            "probability in all. Against a `smooth` of 1 for each that is too little: more pixels, or less lead, or more classes that are absent."
        )
        t.fail(f"The {name} input is right, and costs {cost:.3f}; it should cost more than 0.3. {more}")


@two_lies.part("ignored pixels", 0.75)
def _(t):
    _lie(t, 0)


@two_lies.part("absent classes", 0.75)
def _(t):
    _lie(t, 1)
