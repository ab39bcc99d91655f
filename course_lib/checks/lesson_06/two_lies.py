"""Lesson 06: two right answers that a copied Dice punishes."""

import torch

from course_lib.labels import IGNORE

from ..core import Exercise
from ..values import dtype_name, kind

two_lies = Exercise(
    "two_lies",
    hints=(
        "A confident answer is easy to make: `certain` turns a map of classes into logits. First lie: what "
        "does a network say where nobody labelled?",
        "In `both`, p is added up over all pixels, t over the labelled ones only. So ignore most pixels. "
        "Second lie: each right pixel leaves up to 1% to the "
        "other classes. How many such pixels make the sum much larger than `smooth`?",
        "First: two classes, a few labelled pixels of each, and a few hundred ignored ones on which the "
        "network is sure of something. "
        "Second: tens of thousands of pixels of class 0, two classes, and a lead of the logit near 5 (p = 0.993).",
    ),
)


NAMES = ("first", "second")


def _copied(logits, target):
    """The loss that stands in the lesson, class by class."""
    p, classes, found = logits.double().softmax(1), logits.shape[1], 0.0
    for c in range(classes):
        found += ((2 * p[:, c][target == c].sum() + 1) / (p[:, c].sum() + (target == c).sum() + 1)).item()
    return 1 - found / classes


def _described(value):
    return f"{dtype_name(value)} {tuple(value.shape)}" if isinstance(value, torch.Tensor) else type(value).__name__


def _handed_in(t, which):
    """(logits, target) of the student's input number `which`; fails unless they are the tensors of one small batch."""
    got, name = t.call(), NAMES[which]
    pairs = isinstance(got, (tuple, list)) and len(got) == 2
    if not pairs or not all(isinstance(g, (tuple, list)) and len(g) == 2 for g in got):
        t.fail(f"Expected two pairs, `(logits, target), (logits, target)`, got {kind(got)}")
    logits, target = got[which]
    tensors = isinstance(logits, torch.Tensor) and isinstance(target, torch.Tensor)
    floats = tensors and logits.dim() == 4 and logits.is_floating_point()
    if not floats or target.dtype != torch.int64 or target.shape != logits[:, 0].shape:
        t.fail(
            f"In the {name} input, `logits` should be a float tensor (B, C, H, W) and `target` an int64 "
            f"tensor (B, H, W); got {_described(logits)} and {_described(target)}."
        )
    if not logits.isfinite().all():
        t.fail(f"The {name} input's logits hold NaN or infinity; a network's are finite, on ignored pixels too.")
    classes = logits.shape[1]
    if not 2 <= classes <= 21 or target.numel() > 100_000:
        t.fail(
            f"The {name} input has {classes} classes and {target.numel():,} pixels; take 2 to 21 classes and "
            "at most 100,000 pixels."
        )
    return logits, target


def _right_answer(t, which):
    """(logits, target, the absent classes) of input number `which`; fails unless each true class has 0.99 or more."""
    (logits, target), name = _handed_in(t, which), NAMES[which]
    classes = range(logits.shape[1])
    labels = target[target != IGNORE]
    if not len(labels) or labels.min() < 0 or labels.max() >= len(classes):
        t.fail(
            f"The {name} input's target should hold classes 0 to {len(classes) - 1} and 255, and something must be "
            f"labelled; it holds {target.unique().tolist()[:9]}."
        )
    p = logits.double().softmax(1).movedim(1, -1)[target != IGNORE].gather(1, labels[:, None])
    if not p.min() >= 0.99:
        done = logits.min() >= 0 and torch.allclose(logits.sum(1), torch.ones(()), atol=1e-3)
        more = " These are probabilities already; `copied_dice` takes logits, and does the softmax itself." * bool(done)
        t.fail(
            f"The {name} input is no right answer everywhere: at some labelled pixel the true class has a "
            f"probability of only {p.min():.3f}; it should have 0.99.{more}"
        )
    return logits, target, sorted(set(classes) - set(labels.tolist()))


def _costly(t, which, logits, target, more):
    """Fail unless the copied loss punishes the input; `more` says what would make it."""
    cost = _copied(logits, target)
    if not cost > 0.3:
        t.fail(f"The {NAMES[which]} input is right, and costs {cost:.3f}; it should cost more than 0.3. {more}")


@two_lies.part("ignored pixels", 0.75)
def _(t):
    logits, target, absent = _right_answer(t, 0)
    ignored = int((target == IGNORE).sum())
    if not ignored:
        t.fail("In the first input no pixel is ignored. Set some of the target to 255.")
    if absent:
        t.fail(
            f"In the first input every class should occur; {absent[0]} does not. (Absent classes are for the second.)"
        )
    found = f"{ignored} of {target.numel()} pixels are ignored"
    _costly(t, 0, logits, target, f"{found}, and what the network says there counts. Ignore more of them.")


@two_lies.part("absent classes", 0.75)
def _(t):
    logits, target, absent = _right_answer(t, 1)
    if (target == IGNORE).any():
        t.fail("In the second input no pixel should be ignored. (Ignored pixels are for the first.)")
    if not absent:
        t.fail("In the second input every class occurs; leave at least one out.")
    shared = logits.double().softmax(1)[:, absent].sum()
    more = (
        f"The classes that are absent share {shared:.2f} pixels' worth of probability in all. Against a `smooth` of "
        "1 for each that is too little: more pixels, or less lead, or more classes that are absent."
    )
    _costly(t, 1, logits, target, more)
