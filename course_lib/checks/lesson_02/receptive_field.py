"""Lesson 02: the receptive field, counted backwards from one output position."""

import math

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
        for name in ("influence", "box", "paths", "seen")
    },
)


def _reached(layers, start=0):
    """The input positions, as a set, that one output position looks at: from the last layer back to the first."""
    places = {start}
    for k, s, d in reversed(layers):
        places = {i * s + j * d for i in places for j in range(k)}
    return places


def _span(layers):
    places = _reached(layers)
    return max(places) - min(places) + 1


def _field_part(t, stacks):
    for layers in stacks:
        strides = [s for _, s, _ in layers]
        own, grown = 1, 1
        for k, s, d in layers:
            own, grown = own * s + d * (k - 1), (grown + d * (k - 1)) * s
        want = _span(layers)
        known = [
            (
                _span([(k, 1, d) for k, _, d in layers]),
                "This forgets the strides: after a stride of s every later step is s input pixels long.",
            ),
            (
                _span(
                    [(1, s, 1) for s in strides[:1]] + [(k, s, d) for (k, _, d), s in zip(layers, strides[1:] + [1])]
                ),
                "This lets a layer's own stride count for itself; a stride changes only the layers after it.",
            ),
            (_span([(k, s, 1) for k, s, _ in layers]), "This forgets the dilation: a layer adds d(k − 1) steps."),
            (
                _span([(d * k, s, 1) for k, s, d in layers]),
                "This takes a dilated kernel as d·k long; its taps span d(k − 1) + 1.",
            ),
            (_span(layers[::-1]), "The layers are taken from the last to the first."),
            (
                1 + sum(d * (k - 1) * s for (k, _, d), s in zip(layers, [1] + strides)),
                "A step is the product of all strides before it, not the last one.",
            ),
            (
                math.prod(k for k, _, _ in layers),
                "This multiplies the kernels; neighbours look at the same pixels, so the field grows by adding.",
            ),
            (want**2, "This is an area; the field is a length in one direction."),
            (_span(layers[:-1]), "The last layer is missing."),
            (want - 1, "This starts from 0; a pixel without layers sees itself, so start from 1."),
            (
                own,
                "This multiplies the field so far by the stride; a stride makes later steps longer, and "
                "leaves the field.",
            ),
            (
                grown,
                "This multiplies the field by the stride as well; a stride makes later steps longer, and "
                "leaves the field.",
            ),
        ]
        got = t.call(layers)
        t.whole(got, f"layers {layers}")
        t.equal(got, want, f"layers {layers}", known)
        t.unchanged("the list of layers that it was given. Work on a copy.")


@receptive_field.part("one layer, and none", 0.5)
def _(t):
    _field_part(t, [[(t.random.choice([5, 7]), 1, 1)], [(3, 2, 1)], []])


@receptive_field.part("a stack at stride 1", 0.5)
def _(t):
    _field_part(t, [[(t.random.choice([3, 5, 7]), 1, 1) for _ in range(t.random.randint(2, 5))]])


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
        ],
    )
