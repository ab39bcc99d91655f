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


def _walked(layers, step, own=lambda k, s, d: d * (k - 1)):
    """1, and for each layer what it adds times the step before it; `step(step, s)` is the step after a stride."""
    field, now = 1, 1
    for k, s, d in layers:
        field, now = field + own(k, s, d) * now, step(now, s)
    return field


def _own_stride(layers):
    """Each stride counts for its own layer already."""
    return _span([(1, s, 1) for _, s, _ in layers[:1]] + [(k, s, d) for (k, _, d), s in zip(layers, _later(layers))])


def _later(layers):
    return [s for _, s, _ in layers[1:]] + [1]


def _scaled(layers, before):
    """The field so far times the stride; `before` or after the layer has been added."""
    field = 1
    for k, s, d in layers:
        field = field * s + d * (k - 1) if before else (field + d * (k - 1)) * s
    return field


SLIPS = [
    (
        lambda layers: _span([(k, 1, d) for k, _, d in layers]),
        "This forgets the strides: after a stride of s every later step is s input pixels long.",
    ),
    (_own_stride, "This lets a layer's own stride count for itself; a stride changes only the layers after it."),
    (
        lambda layers: _span([(k, s, 1) for k, s, _ in layers]),
        "This forgets the dilation: a layer adds d(k − 1) steps.",
    ),
    (
        lambda layers: _span([(d * k, s, 1) for k, s, d in layers]),
        "This takes a dilated kernel as d·k long; its taps span d(k − 1) + 1.",
    ),
    (
        lambda layers: _span([(k + d - 1, s, 1) for k, s, d in layers]),
        "This adds one gap, d − 1, for the whole kernel; each of its k − 1 gaps grows.",
    ),
    (
        lambda layers: _span(layers[::-1]),
        "This is the field of the layers in reversed order. One that keeps a step goes from the first layer on; one "
        "that multiplies the field by the stride goes from the last layer back.",
    ),
    (
        lambda layers: _scaled(layers, before=True),
        "This multiplies the field so far by the stride; a stride makes later steps longer, and leaves the field.",
    ),
    (
        lambda layers: _scaled(layers, before=False),
        "This multiplies the field by the stride as well; a stride makes later steps longer, and leaves the field.",
    ),
    (
        lambda layers: _walked(layers, lambda step, s: s),
        "A step is the product of all strides before it, not the last one.",
    ),
    (
        lambda layers: _walked(layers, lambda step, s: step + s),
        "A step is the product of all strides before it, not their sum.",
    ),
    (
        lambda layers: _walked(layers, lambda step, s: step + s - 1),
        "A step is the product of all strides before it, not their sum.",
    ),
    (
        lambda layers: _walked(layers, lambda step, s: step * s, lambda k, s, d: 2 * d),
        "The kernel is taken to be 3 always; a layer adds d(k − 1) steps.",
    ),
    (
        lambda layers: _walked(layers, lambda step, s: step * s, lambda k, s, d: d * k),
        "A layer adds d(k − 1) steps, not d·k: its first tap was there before.",
    ),
    (
        lambda layers: math.prod(d * (k - 1) + 1 for k, _, d in layers),
        "This multiplies the kernels; neighbours look at the same pixels, so the field grows by adding.",
    ),
    (lambda layers: _span(layers) ** 2, "This is an area; the field is a length in one direction."),
    (lambda layers: _span(layers[:-1]), "The last layer is missing."),
    (lambda layers: _span(layers) - 1, "This starts from 0; a pixel without layers sees itself, so start from 1."),
    (
        lambda layers: len(_reached(layers)),
        "This counts the pixels that are read; the field spans from the first to the last of them, holes included.",
    ),
]
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


def _field_part(t, stacks):
    for layers in stacks:
        got, want = t.call(layers), _span(layers)
        t.whole(got, f"layers {layers}")
        if got != want:
            t.equal(got, want, f"layers {layers}", t.explained(SLIPS, _span, [(probe,) for probe in PROBES]))
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
