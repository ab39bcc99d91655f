"""Lesson 02: shapes through a net, measured by running it without computing a value."""

import torch
import torch.nn as nn

from ..core import Exercise
from .sizes import conv_size

trace_shapes = Exercise(
    "trace_shapes",
    hints=(
        "What does each kind of row do to C, and what to H and W? Take the example's three rows one by one.",
        "A `conv` sets C to its channels and shrinks H and W by the formula of exercise 1. An `up` sets C too. "
        "Unpack `numbers` first: four for a `conv`, three for an `up`.",
        "For an `up`, draw n patches: the first covers k pixels, and each of the other n − 1 ends s pixels further on.",
    ),
)


def _layer(row, channels):
    """The torch module of one row of a net's table."""
    name, *rest = row
    if name == "conv":
        out, k, s, p = rest
        return nn.Conv2d(channels, out, k, s, p)
    if name == "pool":
        return nn.MaxPool2d(rest[0])
    out, k, s = rest
    return nn.ConvTranspose2d(channels, out, k, s)


def _measured(rows, shape):
    """Run the net on shapes alone and read off what comes out of each layer."""
    x, found = torch.empty(1, *shape, device="meta"), []
    for row in rows:
        x = _layer(row, x.shape[1]).to("meta")(x)
        found.append(tuple(x.shape[1:]))
    return found


def _listed(t, got, want, given):
    """The answer's shapes, one by one; fails unless there is one for each layer."""
    if not isinstance(got, (list, tuple)):
        t.fail(f"For {given}: expected a list of (C, H, W), got {got!r}.")
    if len(got) == 3 and all(isinstance(g, int) for g in got):
        t.fail(f"For {given}: {tuple(got)} is one shape. Return a list with the shape after each row.")
    got = list(got)
    if len(got) == len(want) + 1 and got[1:] == want:
        t.fail(
            f"For {given}: every shape is right, but the list starts with the input; start with what the first "
            "layer gives."
        )
    if len(got) != len(want):
        t.fail(f"For {given}: expected one shape for each of the {len(want)} layers, got {len(got)}.")
    return got


def _slip(mine, right, row, before):
    """What a wrong shape tells of how it was found; "" where it tells nothing.

    mine    what the student has in place of (C, H, W): anything
    right   (C, H, W) after the layer, of which `row` is the row in the table
    before  (C, H, W) before it
    """
    layer, (channels, height, width), sides = row[0], right, before[1:]
    if mine == (channels, width, height):
        return " Height and width have changed places; the order is (C, H, W)."
    if mine == (height, width, channels):
        return " The channels stand last; the order is (C, H, W)."
    if isinstance(mine, list) and tuple(mine) == right:
        return " The numbers are right. A shape is a tuple, `(C, H, W)`, not a list."
    if mine == (channels, height, height):
        return " The width follows from the width, not from the height."
    if isinstance(mine, tuple) and any(isinstance(n, float) for n in mine):
        return " A size is an `int`: divide with `//`."
    if not isinstance(mine, tuple) or len(mine) != 3:
        return ""
    if layer == "pool" and mine == (channels, *(-(-n // row[1]) for n in sides)):
        return " Pooling rounds down: a window that hangs over the end is not used."
    if layer == "conv" and mine == (channels, *(-(-(n + 2 * row[4] - row[2]) // row[3]) + 1 for n in sides)):
        return " A convolution rounds down: a kernel that hangs over the end is not placed."
    if layer == "conv" and mine == (channels, *(conv_size(n, row[2], 1, row[4], 1) for n in sides)):
        return " The stride is forgotten: only every s-th place of the kernel counts."
    if layer == "conv" and mine == (channels, *(n // row[3] for n in sides)):
        return " Only the stride is looked at; kernel and padding change the size, too."
    if layer == "conv" and mine == (channels, *(conv_size(n, row[2], row[3], 0, 1) for n in sides)):
        return " The padding is forgotten; p pixels are added at both ends."
    if layer == "conv" and mine == (channels, *(conv_size(n + row[4], row[2], row[3], 0, 1) for n in sides)):
        return " This pads one end only; p pixels are added at both."
    if mine[1:] == (height, width):
        return (
            " Pooling keeps the channels." if layer == "pool" else " Height and width are right, the channels are not."
        )
    if layer != "up":
        return ""
    _, _, k, stride = row
    if mine[1:] == tuple(n * stride for n in sides):
        return f" This multiplies by the stride; the last kernel hangs over by k − s = {k - stride}."
    return " A transposed convolution makes the map grow." if mine[1] <= sides[0] else ""


def _trace_part(t, rows, shape):
    given, want = f"the net {rows} and shape {shape}", _measured(rows, shape)
    got = _listed(t, t.call(rows, shape), want, given)
    for i, (mine, right, row, before) in enumerate(zip(got, want, rows, [shape, *want]), 1):
        if mine != right or isinstance(mine, list) or any(isinstance(n, float) for n in mine):
            message = f"For {given}: layer {i}, {row}, turns {before} into {right}; you have {mine}."
            t.fail(message + _slip(mine, right, row, before))


@trace_shapes.part("convolutions", 0.5)
def _(t):
    high, wide = 2 * t.random.randint(10, 20), 2 * t.random.randint(21, 30) + 1
    for side in (high, high + 1):  # a rest is left in one direction, and in both
        for k, s, p in ((3, 2, 1), (5, 2, 1), (4, 3, 0), (5, 1, 1)):
            rows = [("conv", t.random.choice([8, 12]), 3, 1, 1), ("conv", t.random.choice([16, 20]), k, s, p)]
            _trace_part(t, rows, (3, side, wide))


@trace_shapes.part("pooling, odd sizes too", 0.5)
def _(t):
    rows = [("conv", 8, 1, 1, 0), ("pool", 2), ("pool", 3)]  # the stub has the pooling: by itself that earns nothing
    _trace_part(t, rows, (t.random.randint(2, 9), 2 * t.random.randint(10, 20) + 1, 2 * t.random.randint(21, 30) + 1))


@trace_shapes.part("transposed convolutions", 0.5)
def _(t):
    for k, s in ((3, 2), (4, 2), (2, 3)):
        rows = [("up", t.random.choice([4, 6]), 2, 2), ("up", t.random.choice([3, 5]), k, s)]
        _trace_part(t, rows, (16, t.random.randint(3, 9), t.random.randint(10, 15)))


@trace_shapes.part("a whole encoder and decoder", 0.5)
def _(t):
    base = t.random.choice([4, 8])
    rows = [
        ("conv", base, 3, 1, 1),
        ("pool", 2),
        ("conv", 2 * base, 3, 1, 1),
        ("pool", 2),
        ("conv", 4 * base, 3, 1, 1),
        ("up", 2 * base, 2, 2),
        ("conv", 2 * base, 3, 1, 1),
        ("up", base, 2, 2),
        ("conv", 3, 1, 1, 0),
    ]
    _trace_part(t, rows, (3, 4 * t.random.randint(5, 9), 4 * t.random.randint(10, 15) + 2))
    t.unchanged("the list of rows that it was given. Work on a copy.")
