"""Lesson 01: from a file's labels to a network's, and back."""

import torch

from course_lib.labels import IGNORE

from ..causes import judge
from ..core import Exercise
from ..values import dtype_name
from .masks import tipped, whole_numbers

relabel = Exercise(
    "relabel",
    hints=(
        "Two things happen to most labels: one is added or taken away, and the type changes. Which labels "
        "are the exception?",
        "A `uint8` holds 0 to 255 and then starts again at 0. Go over to `int64` before any arithmetic.",
        "Make an `int64` copy, add −1 or +1, put 255 back where the *given* mask was 255, and convert to the "
        "type that is asked for last.",
    ),
)


def _known(mask, step, back):
    """(a wrong mask, what it reveals) for the usual slips; `step` is what each label must move by."""
    want, low = mask + step, 0 if back else 1
    return [
        (want.masked_fill(mask == IGNORE, 254), "255 − 1 is 254, a label that nobody knows; 255 stays 255."),
        (want.masked_fill(mask == IGNORE, 256), "255 + 1 is 256; 255 stays 255."),
        (
            want.masked_fill(mask == IGNORE, 0),
            "255 became 0, which is a class. (In `uint8`, 255 + 1 starts again at 0.) 255 stays 255.",
        ),
        (mask, "The labels have not moved."),
        (mask - step, "The labels were moved the wrong way."),
        ((mask - step) % 256, "The labels were moved the wrong way."),
        (want.masked_fill(mask == low + 2, IGNORE), "The border became 255. It is a class like the others."),
        (want.masked_fill(mask == IGNORE, 3 - low), "255 was cut down to a class; 255 stays 255."),
        (want.masked_fill(mask == IGNORE, -1), "255 became −1. Other code uses that, but here 255 stays 255."),
        (
            want.masked_fill(mask != IGNORE, 3 if back else 0),
            "A label just written was taken for the next one to change: read from the old mask, write into a new one.",
        ),
        (
            torch.where(mask >= low + 2, want, 3 - 2 * low - want),
            "Pet and background have changed places: the file's 1 is the pet.",
        ),
    ]


def _judged(t, shapes, back, ignored=False, dtypes=True):
    """Judge the answer in one direction, on a drawn mask of each shape, int64."""
    given_dtype, result_dtype = (torch.int64, torch.uint8) if back else (torch.uint8, torch.int64)
    tips = dict.fromkeys(("ValueError", "IndexError"), "The mask may have any shape: one axis, or three.")

    def cases():
        for shape in shapes:
            mask = t.tensor(*shape, low=0, high=3) + (0 if back else 1)
            mask.view(-1)[torch.randperm(mask.numel(), generator=t.generator)[:3]] = torch.arange(3) + (not back)
            step = torch.full_like(mask, 1 if back else -1)
            if ignored:
                where = t.tensor(*shape, low=0, high=3) == 0
                where.view(-1)[t.random.randrange(where.numel())] = True
                mask, step = torch.where(where, IGNORE, mask), torch.where(where, 0, step)
            given = f"mask {mask.tolist()} of dtype {dtype_name(given_dtype)}" + (" and back=True" if back else "")
            got = tipped(t, tips, mask.to(given_dtype), *([True] if back else []))
            whole_numbers(t, got, shape, None, given)
            if dtypes and torch.equal(got.long(), mask + step):
                whole_numbers(t, got, shape, result_dtype, given)
            yield got.long(), mask + step, given, _known(mask, step, back)

    judge(t, cases(), 0.0)


@relabel.part("from the file", 0.5)
def _(t):
    _judged(t, ((2, 5), (3, 4)), False)


@relabel.part("and back", 0.5)
def _(t):
    _judged(t, ((2, 5), (3, 4)), True)


@relabel.part("255 stays both ways, in a mask of any shape that is left alone", 0.5)
def _(t):
    for back in (False, True):
        _judged(t, ((2, 4), (2, 2, 3), (7,)), back, ignored=True, dtypes=False)
    t.unchanged("the mask that it was given. Work on a copy.", right="The labels are right")
