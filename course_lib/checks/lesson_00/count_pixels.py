"""Lesson 00: how many pixels each class has. What is expected comes from how the masks were made."""

import torch

from course_lib.labels import IGNORE

from ..causes import judge
from ..core import Exercise
from ..values import dtype_name


def _mask(t, counts, *shape, ignored=0):
    """A shuffled mask with exactly so many pixels of each class; `ignored` pixels more are 255."""
    labels = [c for c, n in enumerate(counts) for _ in range(n)] + [IGNORE] * ignored
    t.random.shuffle(labels)
    return torch.tensor(labels).reshape(shape)


count_pixels = Exercise(
    "count_pixels",
    hints=(
        "What does Python make of True + True + False? A comparison such as `mask == 2` gives many such "
        "values at once.",
        "Do it for every class from 0 to classes − 1. A class that does not occur then gets its 0 by itself.",
        "Collect one count for each class in a list, and turn the list into a tensor at the end. Nothing has "
        "to be done about 255: "
        "you never ask for it. (`torch.bincount` can do it in one call, if you take out the 255s first.)",
    ),
)


def _observed(t, got, mask, counts, given):
    """Fail where the counts are of a wrong kind, or too many."""
    want = torch.tensor(counts)
    if isinstance(got, (list, tuple)) and got == type(got)(counts):
        t.fail(f"For {given}: the counts are right, but they are a `{type(got).__name__}`; make a tensor of them.")
    if isinstance(got, torch.Tensor) and got.dim() == 1 and len(got) == 256:
        t.fail(f"For {given}: got 256 counts. Label 255 was counted as a class; leave those pixels out.")
    if (
        isinstance(got, torch.Tensor)
        and got.shape == want.shape
        and got.dtype != torch.int64
        and bool((got == want).all())
    ):
        t.fail(f"For {given}: the counts are right, but their dtype is {dtype_name(got)}; make it int64.")
    unlabelled = int((mask == IGNORE).sum())
    if isinstance(got, torch.Tensor) and got.dim() == 1 and got.tolist() == [*counts, unlabelled]:
        t.fail(
            f"For {given}: got {len(got)} counts, one too many. The last one counts the pixels that nobody labelled; "
            "they are left out."
        )


def _known(mask, counts):
    """(wrong counts, what they reveal) for the usual slips."""
    want, total, unlabelled = torch.tensor(counts), sum(counts), int((mask == IGNORE).sum())
    missing = "Classes that do not occur are missing; they have a count of 0."
    known = [
        (want / total, "These are shares; count pixels."),
        (want / (total + unlabelled), "These are shares; count pixels."),
        (torch.tensor([c for c in counts if c]), missing),
        (want[: int(want.nonzero().max()) + 1], missing),
        (
            torch.tensor([*counts[:-1], counts[-1] + unlabelled]),
            "Label 255 was counted for the last class; leave it out.",
        ),
        (torch.tensor([counts[0] + unlabelled, *counts[1:]]), "Label 255 was counted for class 0; leave it out."),
        (want.to(torch.uint8), "A `uint8` holds numbers up to 255 and then starts again from 0; count in int64."),
        (want.clamp(max=1), "This says whether a class occurs; count how often."),
        (want * torch.arange(len(counts)), "This adds up the labels; count the pixels."),
        (torch.tensor([*counts[1:], 0]), "Classes are counted from 0 to classes − 1, not from 1."),
        (torch.tensor([0, *counts[1:]]), "Class 0 was left out; it is a class like the others."),
        (want.flip(0).cumsum(0).flip(0), "This counts a class and all after it; compare with `==`."),
        (want.sort(descending=True).values, "The counts are sorted; they stand in the order of the classes."),
        (want.sort().values, "The counts are sorted; they stand in the order of the classes."),
    ]
    if mask.dim() == 3:
        first = mask[0].flatten().tolist()
        known.append((torch.tensor([first.count(c) for c in range(len(counts))]), "Only the first mask counts."))
    return known


def _count_part(t, *masks):
    """Judge the answer on masks, each given as (mask, counts)."""

    def cases():
        for mask, counts in masks:
            got, given = t.call(mask, len(counts)), f"a mask of shape {tuple(mask.shape)} and classes={len(counts)}"
            _observed(t, got, mask, counts, given)
            yield got, torch.tensor(counts), given, _known(mask, counts)

    judge(t, cases(), 0.0)


@count_pixels.part("every class is counted", 0.5)
def _(t):
    masks = []
    for few in (3, 4):
        counts = [t.random.randint(1, 9) for _ in range(few)] + [t.random.randint(260, 300)]
        t.random.shuffle(counts)
        masks.append((_mask(t, counts, 1, sum(counts)), counts))
    _count_part(t, *masks)


@count_pixels.part("a class that does not occur counts 0", 0.5)
def _(t):
    a, b = t.random.randint(3, 9), t.random.randint(3, 9)
    _count_part(t, *((_mask(t, counts, 1, a + b), counts) for counts in ([a, 0, b], [a, b, 0, 0], [b, 0, a, 0])))


@count_pixels.part("pixels labelled 255 are left out", 0.5)
def _(t):
    a, b, c = (t.random.randint(2, 9) for _ in range(3))
    _count_part(
        t,
        (_mask(t, [a, b], 1, a + b + c, ignored=c), [a, b]),
        (_mask(t, [b, a, c], a + b + c + 2, 1, ignored=2), [b, a, c]),
    )
    t.unchanged("the mask that it was given. Work on a copy, or don't write into it.", right="The counts are right")


@count_pixels.part("a batch of masks is counted together", 0.5)
def _(t):
    _count_part(t, *((_mask(t, counts, 2, 3, 4), counts) for counts in ([7, 12, 5], [3, 8, 13])))
