"""Lesson 02: the receptive field, measured by the library, which an answer may not ask."""

from course_lib.models.fields import box, influence

from ..causes import tabled
from ..core import Exercise

receptive_field = Exercise(
    "receptive_field",
    hints=(
        "The field starts at 1: without layers, a pixel sees itself. What does the first 3×3 layer add to that?",
        "A layer adds d(k − 1) steps. A step is 1 input pixel at first. After a layer of stride s every step is s "
        "times as long.",
        "For each layer two lines, in this order: `field` grows by d(k − 1) times `step`; only then `step` becomes "
        "s times as long.",
    ),
    own_work={
        name: "This asks the library, which measures the field for you. Bring `field` and `step` up to date yourself."
        for name in ("influence", "box", "paths", "seen", "fields", "plot", "widgets")
    },
)


PROBES = [
    [(5, 1, 1)],
    [(7, 1, 1), (3, 1, 1)],
    [(3, 2, 1), (3, 2, 1), (3, 1, 1)],
    [(3, 3, 1), (5, 2, 1), (3, 2, 1), (3, 1, 1)],
    [(3, 1, 1), (2, 2, 1), (3, 1, 1), (2, 2, 1), (3, 1, 1)],
    [(3, 1, 1), (3, 1, 2), (3, 1, 4), (3, 1, 8)],
    [(3, 2, 1), (3, 1, 3), (5, 2, 1), (3, 1, 2)],
    [(3, 1, 4)],
    [(2, 1, 3), (5, 1, 4)],
    [],
]
RIGHT = [5, 9, 15, 51, 18, 31, 39, 9, 20, 1]
SLIPS = [  # what each mistake gives on the probes; tests/checks/test_tables.py works them out
    (
        [5, 9, 7, 11, 9, 31, 17, 9, 20, 1],
        "This forgets the strides: after a stride of s every later step is s input pixels long.",
    ),
    (
        [5, 9, 21, 79, 21, 31, 49, 9, 20, 1],
        "This lets a layer's own stride count for itself; a stride changes only the layers after it.",
    ),
    ([5, 9, 15, 51, 18, 9, 23, 3, 6, 1], "This forgets the dilation: a layer adds d(k − 1) steps."),
    ([5, 9, 15, 51, 18, 42, 47, 12, 25, 1], "This takes a dilated kernel as d·k long; its taps span d(k − 1) + 1."),
    (
        [5, 9, 15, 51, 18, 20, 31, 6, 11, 1],
        "This adds one gap, d − 1, for the whole kernel; each of its k − 1 gaps grows.",
    ),
    (
        [5, 9, 9, 21, 18, 31, 25, 9, 20, 1],
        "This is the field of the layers in reversed order. One that keeps a step goes from the first layer "
        "on; one that multiplies the field by the stride goes from the last layer back.",
    ),
    (
        [5, 9, 12, 32, 21, 31, 28, 9, 20, 1],
        "This multiplies the field so far by the stride; a stride makes later steps longer, and leaves the field.",
    ),
    (
        [5, 9, 18, 58, 24, 31, 36, 9, 20, 1],
        "This multiplies the field by the stride as well; a stride makes later steps longer, and leaves the field.",
    ),
    ([5, 9, 15, 51, 18, 151, 87, 9, 52, 1], "This lets a dilation make later steps longer; only a stride does."),
    ([5, 9, 11, 23, 13, 31, 27, 9, 20, 1], "A step is the product of all strides before it, not the last one."),
    ([5, 11, 19, 47, 32, 99, 61, 9, 36, 1], "A step is the product of all strides before it, not their sum."),
    ([5, 9, 13, 33, 16, 31, 35, 9, 20, 1], "A step is the product of all strides before it, not their sum."),
    ([3, 5, 15, 45, 21, 31, 35, 9, 15, 1], "The kernel is taken to be 3 always; a layer adds d(k − 1) steps."),
    ([6, 11, 22, 73, 28, 46, 56, 13, 27, 1], "A layer adds d(k − 1) steps, not d·k: its first tap was there before."),
    (
        [5, 21, 27, 135, 108, 2295, 525, 9, 68, 1],
        "This multiplies the kernels; neighbours look at the same pixels, so the field grows by adding.",
    ),
    ([25, 81, 225, 2601, 324, 961, 1521, 81, 400, 1], "This is an area; the field is a length in one direction."),
    ([1, 7, 7, 27, 10, 15, 23, 1, 4, 1], "The last layer is missing."),
    ([4, 8, 14, 50, 17, 30, 38, 8, 19, 0], "This starts from 0; a pixel without layers sees itself, so start from 1."),
    (
        [5, 9, 15, 51, 18, 31, 39, 3, 10, 1],
        "This counts the pixels that are read; the field spans from the first to the last of them, holes included.",
    ),
]


def _field_part(t, stacks):
    for layers in stacks:
        got, want = t.call(layers), int(box(influence(layers))[2]) if layers else 1
        t.whole(got, f"layers {layers}")
        if got != want:
            t.equal(got, want, f"layers {layers}", tabled(t, [(probe,) for probe in PROBES], RIGHT, SLIPS))
        t.unchanged("the list of layers that it was given. Work on a copy.")


@receptive_field.part("one layer, and none", 0.5)
def _(t):
    _field_part(t, [[(t.random.choice([5, 7]), 1, 1)], [(3, 2, 1)], []])


@receptive_field.part("a stack at stride 1", 0.5)
def _(t):
    _field_part(t, [[(5, 1, 1), (3, 1, 1), *((t.random.choice([3, 5, 7]), 1, 1) for _ in range(2)), (3, 1, 1)]])


@receptive_field.part("strides", 0.5)
def _(t):
    n = t.random.randint(2, 3)
    _field_part(
        t,
        [[(3, 2, 1)] * n + [(3, 1, 1)], [(3, 1, 1), (2, 2, 1), (t.random.choice([3, 5]), 1, 1), (2, 2, 1), (3, 1, 1)]],
    )


@receptive_field.part("dilation", 0.5)
def _(t):
    _field_part(
        t,
        [
            [(3, 1, 1), (3, 1, 2), (3, 1, t.random.choice([4, 5])), (3, 1, 8)],
            [(3, 2, 1), (3, 1, t.random.choice([2, 3])), (3, 2, 1), (3, 1, 1)],
            [(3, 1, t.random.choice([3, 4, 5]))],  # holes are part of the field
            [(3, 2, 2), (5, 1, t.random.choice([2, 3]))],
        ],
    )
