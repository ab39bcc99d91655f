"""What each known mistake gives on a check's probes: the checks hold it as tables, and here it is worked out.

So that no function that answers ships with a check; and a table that is mistyped is found.
"""

import importlib
import itertools
import math
import operator

import pytest
import torch
import torch.nn.functional as F


def conv_size(n, k, s, p, d):
    """What torch's own convolution makes of n pixels."""
    row = F.conv1d(torch.zeros(1, 1, n), torch.zeros(1, 1, k), stride=s, padding=p, dilation=d)
    return row.shape[-1]


NEAREST = "This rounds to the nearest whole number; a kernel that does not fit whole is not placed, so round down."
CONV_SLIPS = [
    (lambda n, k, s, p, d: conv_size(n, k, s, p, 1), "This forgets the dilation: the taps stand d pixels apart."),
    (lambda n, k, s, p, d: conv_size(n, d * k, s, p, 1), "This takes the reach as d·k; the taps span d(k − 1) + 1."),
    (lambda n, k, s, p, d: conv_size(n + p, k, s, 0, d), "This pads one end only; p pixels are added at both."),
    (lambda n, k, s, p, d: conv_size(n, k, s, 0, d), "The padding is forgotten; p pixels are added at both ends."),
    (
        lambda n, k, s, p, d: conv_size(n, k, 1, p, d),
        "This forgets the stride: only every s-th place of the left edge counts.",
    ),
    (lambda n, k, s, p, d: (n + 2 * p) // s, "The kernel's own reach is not taken off: it must stay on the row."),
    (
        lambda n, k, s, p, d: (n + 2 * p) // s - d * (k - 1),
        "This divides by the stride before the kernel is taken off; first take it off.",
    ),
    (lambda n, k, s, p, d: conv_size(n, k, s, p, d) - 1, "This is one too few: the place at 0 counts too."),
    (
        lambda n, k, s, p, d: conv_size(n, k, s, p, d) + 1,
        "This is one too many: a kernel that hangs over the end is not placed.",
    ),
    (
        lambda n, k, s, p, d: round((n + 2 * p - d * (k - 1) - 1) / s + 1),
        NEAREST,
    ),
    (lambda n, k, s, p, d: round((n + 2 * p - d * (k - 1) - 1) / s) + 1, NEAREST),
    (
        lambda n, k, s, p, d: -(-(n + 2 * p) // s),
        "This counts every place of the left edge, and a kernel that hangs over the end is not placed.",
    ),
    (lambda n, k, s, p, d: -(-n // s), "This only divides by the stride; the size depends on kernel and padding, too."),
    (
        lambda n, k, s, p, d: n // s if s > 1 else conv_size(n, k, 1, p, 1),
        "Where there is a stride this only divides by it, and the dilation is forgotten.",
    ),
    (lambda n, k, s, p, d: n // s, "This only divides by the stride; the size depends on kernel and padding, too."),
    (
        lambda n, k, s, p, d: -(-(n + 2 * p - d * (k - 1) - 1) // s) + 1,
        "This is one too many where a rest is left: a kernel that hangs over the end is not placed.",
    ),
    (
        lambda n, k, s, p, d: (n - 2 * p - d * (k - 1) - 1) // s + 1,
        "The padding is taken off; p pixels are added at both ends.",
    ),
    (
        lambda n, k, s, p, d: (n + 2 * p - d * (k - 1)) // s + 1,
        "The kernel spans d(k − 1) + 1 pixels; here the last one is missing.",
    ),
    (
        lambda n, k, s, p, d: (n + 2 * p - (k + d - 1)) // s + 1,
        "This adds one gap, d − 1, for the whole kernel; each of its k − 1 gaps grows.",
    ),
    (
        lambda n, k, s, p, d: (n + 2 * p - (k + (k - 1) * d)) // s + 1,
        "This leaves d pixels between two taps; taps stand d pixels apart, with d − 1 between them.",
    ),
]


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


def _spread(layers):
    """Each dilation counts as a stride for the layers after it."""
    before = [1, *itertools.accumulate((s * d for _, s, d in layers), operator.mul)]
    return 1 + sum(d * (k - 1) * step for (k, _, d), step in zip(layers, before))


FIELD_SLIPS = [
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
    (_spread, "This lets a dilation make later steps longer; only a stride does."),
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


def given(slip, probe):
    """What a mistake gives for a probe; None where it stops."""
    try:
        return slip(*probe)
    except ValueError:  # the last of no layers
        return None


@pytest.mark.parametrize(
    "name, right, slips", [("conv_out_size", conv_size, CONV_SLIPS), ("receptive_field", _span, FIELD_SLIPS)]
)
def test_a_table_holds_what_each_mistake_gives(name, right, slips):
    check = importlib.import_module(f"course_lib.checks.lesson_02.{name}")
    probes = [p if name == "conv_out_size" else (p,) for p in check.PROBES]
    assert check.RIGHT == [right(*p) for p in probes]
    assert check.SLIPS == [([given(slip, p) for p in probes], meaning) for slip, meaning in slips]


@pytest.mark.parametrize("name", ["conv_out_size", "receptive_field"])
def test_the_probes_tell_each_mistake_from_the_right_and_from_the_others(name):
    check = importlib.import_module(f"course_lib.checks.lesson_02.{name}")
    for values, meaning in check.SLIPS:
        assert sum(v != r for v, r in zip(values, check.RIGHT)) > 1, meaning
        assert all(values != other for other, says in check.SLIPS if says != meaning), meaning


def test_the_maps_of_poke_hold_what_each_mistake_gives():
    check = importlib.import_module("course_lib.checks.lesson_02.poke")
    for i, (layers, size) in enumerate(check.PROBES):
        image = torch.ones(1, 1, size, size, requires_grad=True)
        out = image
        for k, s, d in layers:
            out = F.conv2d(out, torch.ones(1, 1, k, k), stride=s, padding=d * (k - 1) // 2, dilation=d)
        (summed,) = torch.autograd.grad(out.sum(), image, retain_graph=True)
        (right,) = torch.autograd.grad(out[0, 0, out.shape[2] // 2, out.shape[3] // 2], image)
        for table, value in ((check.OUTPUT, out), (check.SUMMED, summed), (check.RIGHT, right)):
            assert torch.equal(table[i], value[0, 0].detach())
