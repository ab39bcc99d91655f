"""Checks of lesson 02, the way down: sizes, shapes, fields. What is expected comes from torch itself or from counting."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from .core import Lesson
from .values import NotYet, kind

check = Lesson("02_encoder_decoder")


# --- the size after one layer -------------------------------------------------------------------------------

conv_out_size = check.exercise(
    "conv_out_size",
    hints=(
        "Draw a row of 7 pixels and slide a kernel of 3 along it. Where can its left edge stand?",
        "Padding adds p pixels at both ends. A dilated kernel reaches over d(k − 1) + 1 pixels, gaps included. "
        "The left edge can then stand at every s-th place that leaves the whole kernel on the row.",
        "The last place of the left edge is (n + 2p) − reach. Count the multiples of s from 0 up to it: "
        "that is a whole-number division, `//`, and one more for the place at 0.",
    ),
)


def _conv_size(n, k, s, p, d):
    """What torch's own convolution makes of n pixels, without computing a value."""
    row = torch.empty(1, 1, n, device="meta")
    return F.conv1d(row, torch.empty(1, 1, k, device="meta"), stride=s, padding=p, dilation=d).shape[-1]


def _whole(t, got, given, more=""):
    """Fail for a number that is right but no int."""
    if isinstance(got, (float, torch.Tensor)) and not (isinstance(got, torch.Tensor) and got.numel() != 1):
        t.fail(
            f"For {given}: got {float(got):g} as a {'float' if isinstance(got, float) else 'tensor'}; return an `int`. {more}".rstrip()
        )


def _conv_part(t, cases):
    for n, k, s, p, d in cases:
        reach, want = d * (k - 1) + 1, _conv_size(n, k, s, p, d)
        known = [
            (
                _conv_size(n, k, s, p, 1),
                f"This forgets the dilation: {k} taps at distance {d} reach over {reach} pixels.",
            ),
            (
                _conv_size(n, d * k, s, p, 1),
                f"This takes the reach as d·k = {d * k}; the taps span d(k − 1) + 1 = {reach}.",
            ),
            (_conv_size(n + p, k, s, 0, d), "This pads one end only; p pixels are added at both."),
            (_conv_size(n, k, 1, p, d), f"This forgets the stride: only every {s}th place of the left edge counts."),
            ((n + 2 * p) // s, "The kernel's own reach is not taken off: it must stay on the row."),
            (want - 1, "This is one too few: the place at 0 counts too."),
            (want + 1, "This is one too many: a kernel that hangs over the end is not placed."),
        ]
        got = t.call(n, k, s, p, d)
        given = f"n={n}, k={k}, s={s}, p={p}, d={d}"
        _whole(t, got, given, "Divide with `//`.")
        t.equal(got, want, given, known)


@conv_out_size.part("kernel and padding", 0.5)
def _(t):
    k = t.random.choice([3, 5, 7])
    n = t.random.randint(9, 60)
    _conv_part(t, [(n, k, 1, 0, 1), (t.random.randint(9, 60), k, 1, k // 2, 1)])
    t.equal(t.call(n, k), _conv_size(n, k, 1, 0, 1), f"n={n}, k={k} and nothing else")


@conv_out_size.part("stride", 0.5)
def _(t):
    s = t.random.choice([2, 3, 4])
    n = 3 + s * t.random.randint(5, 20)
    _conv_part(t, [(n, 3, s, 0, 1), (n + 2 * s, 3, s, 0, 1)])  # the kernel fits without a rest


@conv_out_size.part("rounding where the kernel does not fit evenly", 0.5)
def _(t):
    s = t.random.choice([2, 3, 4])
    n = 4 + s * t.random.randint(5, 20)
    _conv_part(t, [(n, 3, s, 0, 1), (224, 7, 2, 3, 1)])


@conv_out_size.part("dilation", 0.5)
def _(t):
    _conv_part(
        t, [(t.random.randint(20, 60), 3, 1, 0, 3), (t.random.randint(40, 80), t.random.choice([3, 5]), 2, 0, 4)]
    )


# --- shapes through a net -----------------------------------------------------------------------------------

trace_shapes = check.exercise(
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


def _trace_part(t, rows, shape):
    got = t.call(rows, shape)
    want = _measured(rows, shape)
    given = f"the net {rows} and shape {shape}"
    if not isinstance(got, (list, tuple)):
        t.fail(f"For {given}: expected a list of (C, H, W), got {got!r}.")
    if len(got) == 3 and all(isinstance(g, int) for g in got):
        t.fail(f"For {given}: {tuple(got)} is one shape. Return a list with the shape after each row.")
    got = [tuple(g) if isinstance(g, (list, tuple)) else g for g in got]
    if len(got) == len(want) + 1 and got[1:] == want:
        t.fail(
            f"For {given}: every shape is right, but the list starts with the input; start with what the first layer gives."
        )
    if len(got) != len(want):
        t.fail(f"For {given}: expected one shape for each of the {len(want)} layers, got {len(got)}.")
    for i, (mine, right, row) in enumerate(zip(got, want, rows), 1):
        if mine == right:
            continue
        before = want[i - 2] if i > 1 else shape
        message = f"For {given}: layer {i}, {row}, turns {before} into {right}; you have {mine}."
        if isinstance(mine, tuple) and len(mine) == 3 and mine == (right[0], right[2], right[1]):
            message += " Height and width have changed places; the order is (C, H, W)."
        elif mine == (right[1], right[2], right[0]):
            message += " The channels stand last; the order is (C, H, W)."
        elif mine == (right[0], right[1], right[1]):
            message += " The width follows from the width, not from the height."
        elif isinstance(mine, tuple) and any(isinstance(n, float) for n in mine):
            message += " A size is an `int`: divide with `//`."
        elif row[0] == "pool" and mine == (right[0], *(-(-n // row[1]) for n in before[1:])):
            message += " Pooling rounds down: a window that hangs over the end is not used."
        elif row[0] == "conv" and mine == (
            right[0],
            *(_conv_size(n + row[4], row[2], row[3], 0, 1) for n in before[1:]),
        ):
            message += " This pads one end only; p pixels are added at both."
        elif isinstance(mine, tuple) and len(mine) == 3 and mine[1:] == right[1:]:
            message += (
                " Pooling keeps the channels."
                if row[0] == "pool"
                else " Height and width are right, the channels are not."
            )
        elif (
            row[0] == "up"
            and isinstance(mine, tuple)
            and len(mine) == 3
            and mine[1:] == (before[1] * row[3], before[2] * row[3])
        ):
            message += f" This multiplies by the stride; the last kernel hangs over by k − s = {row[2] - row[3]}."
        elif row[0] == "up" and isinstance(mine, tuple) and len(mine) == 3 and mine[1] <= before[1]:
            message += " A transposed convolution makes the map grow."
        t.fail(message)


@trace_shapes.part("convolutions", 0.5)
def _(t):
    rows = [
        ("conv", t.random.choice([8, 12]), 3, 1, 1),
        ("conv", t.random.choice([16, 20]), t.random.choice([3, 5]), 2, 1),
    ]
    _trace_part(t, rows, (3, t.random.randint(20, 40), t.random.randint(41, 60)))


@trace_shapes.part("pooling, odd sizes too", 0.5)
def _(t):
    rows = [("conv", 8, 1, 1, 0), ("pool", 2), ("pool", 3)]  # the stub has the pooling: by itself that earns nothing
    _trace_part(t, rows, (t.random.randint(2, 9), 2 * t.random.randint(10, 20) + 1, 2 * t.random.randint(21, 30) + 1))


@trace_shapes.part("transposed convolutions", 0.5)
def _(t):
    rows = [("up", t.random.choice([4, 6]), 2, 2), ("up", t.random.choice([3, 5]), t.random.choice([3, 4]), 2)]
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
    if t.changed:
        t.fail("Your function changed the list of rows that it was given. Work on a copy.")


# --- the receptive field ------------------------------------------------------------------------------------

receptive_field = check.exercise(
    "receptive_field",
    hints=(
        "The field starts at 1: without layers, a pixel sees itself. What does the first 3×3 layer add to that?",
        "A layer adds d(k − 1) steps. A step is 1 input pixel at first. After a layer of stride s every step is s "
        "times as long.",
        "For each layer two lines, in this order: `field` grows by d(k − 1) times `step`; only then `step` becomes "
        "s times as long.",
    ),
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
                "This multiplies the field so far by the stride; a stride makes later steps longer, and leaves the field.",
            ),
            (
                grown,
                "This multiplies the field by the stride as well; a stride makes later steps longer, and leaves the field.",
            ),
        ]
        got = t.call(layers)
        _whole(t, got, f"layers {layers}")
        t.equal(got, want, f"layers {layers}", known)
        if t.changed:
            t.fail("Your function changed the list of layers that it was given. Work on a copy.")


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


# --- poke one pixel -----------------------------------------------------------------------------------------

poke = check.exercise(
    "poke",
    hints=(
        "`image` wants gradients. After a `.backward()` they are in `image.grad`; on what do you call it?",
        "`out` has the shape (1, 1, h, w). Only one number has a gradient by `.backward()`, so pick the one output pixel first.",
        "Pick the output value at `[0, 0, h // 2, w // 2]`, call `.backward()` on it, and return the input's `.grad` "
        "without its first two axes.",
    ),
)


def _touched(layers, size):
    """Which of `size` input pixels in a row the middle output pixel looks at: bool (size,)."""
    sizes = [size]
    for k, s, d in layers:
        sizes.append(_conv_size(sizes[-1], k, s, d * (k - 1) // 2, d))
    places = {sizes[-1] // 2}
    for (k, s, d), n in zip(reversed(layers), reversed(sizes[:-1])):
        places = {i * s + j * d - d * (k - 1) // 2 for i in places for j in range(k)}
        places = {i for i in places if 0 <= i < n}
    row = torch.zeros(size, dtype=torch.bool)
    row[sorted(places)] = True
    return row


def _draw_fields(got, want):
    from course_lib import plot

    return plot.grid([(got != 0).float(), want.float()], ["yours: where the gradient is not 0", "expected"])


def _extent(touched):
    rows = touched.any(1).nonzero()
    return int(rows.max() - rows.min())


def _poke_part(t, layers, size):
    try:
        got = t.call(layers, size)
    except NotYet as stopped:
        if "IndexError" not in stopped.message or all(s == 1 for _, s, _ in layers):
            raise
        t.fail(
            stopped.message
            + " After a stride the output is smaller than the input: its middle is at its own h // 2, w // 2."
        )
    row = _touched(layers, size)
    want = row[:, None] & row[None, :]
    given = f"layers {layers} and size {size}"
    if not isinstance(got, torch.Tensor):
        more = " (`x.grad` is None, too, where the input does not want gradients.)" if got is None else ""
        t.fail(f"For {given}: expected a tensor of shape ({size}, {size}), got {kind(got)}{more}")
    if not got.is_floating_point():
        t.fail(
            f"For {given}: expected the gradient itself, a float tensor, got dtype {str(got.dtype).removeprefix('torch.')}."
        )
    if got.shape != want.shape:
        more = " Drop the first two axes." if tuple(got.shape) == (1, 1, size, size) else ""
        t.fail(f"For {given}: expected shape ({size}, {size}), got {tuple(got.shape)}.{more}")
    mine = got.detach() != 0
    if bool((mine == want).all()):
        return
    count = f"For {given}: the middle output pixel should look at {int(want.sum())} of the input's pixels; {int(mine.sum())} pixels of yours are not 0."
    if not mine.any():
        count += " Nothing reaches the input. Has something cut the gradient, such as weights of 0 or a ReLU on a negative number?"
    elif mine.all() and not want.all():
        count += " Every pixel counts here: poke one output pixel, not the sum of all of them."
    elif int(mine.sum()) == int(want.sum()) and _extent(mine) < _extent(want):
        count += f" The taps stand too close: a layer here has them {max(d for _, _, d in layers)} pixels apart. Is `dilation=d` passed?"
    elif int(mine.sum()) == int(want.sum()):
        count += " The number is right and the place is not: take the output at `h // 2, w // 2` and pad each layer by d(k − 1)/2."
    elif mine.sum() > want.sum() and bool(mine[want].all()):
        count += " The holes between dilated taps should stay 0." if any(d > 1 for _, _, d in layers) else ""
    elif bool(want[mine].all()):
        count += " All yours are among them, some are missing: did positive and negative weights cancel, or was a layer left out?"
    t.fail(count, lambda: _draw_fields(mine, want))


@poke.part("a plain stack", 0.5)
def _(t):
    _poke_part(t, [(3, 1, 1)] * t.random.randint(1, 3), 2 * t.random.randint(8, 10) + 1)


@poke.part("strides", 0.5)
def _(t):
    _poke_part(t, [(3, 2, 1), (3, 1, 1), (3, t.random.choice([1, 2]), 1)], t.random.randint(28, 36))


@poke.part("dilation and its holes", 0.5)
def _(t):
    _poke_part(t, [(3, 1, t.random.choice([3, 4, 5]))], 2 * t.random.randint(8, 10) + 1)
    _poke_part(t, [(3, 1, 2), (3, 1, t.random.choice([4, 6]))], 33)
    _poke_part(t, [(3, 2, 2), (3, 2, 1)], 13)
    _poke_part(t, [(3, 2, 2)], 9)


@poke.part("one pixel only", 0.5)
def _(t):
    size = t.random.randint(12, 20)
    _poke_part(t, [(1, 1, 1)], size)
    _poke_part(t, [(3, 1, 1)], size + 1)
