"""Lesson 02: shapes through a net, drawn from the last layer back."""

from ..causes import cause
from ..core import Exercise
from ..values import NotYet

trace_shapes = Exercise(
    "trace_shapes",
    hints=(
        "What does each kind of row do to C, and what to H and W? Take the example's three rows one by one.",
        "A `conv` sets C to its channels and shrinks H and W by the formula of exercise 1. An `up` sets C too. "
        "Unpack `numbers` first: four for a `conv`, three for an `up`.",
        "For an `up`, draw n patches: the first covers k pixels, and each of the other n − 1 ends s pixels further on.",
    ),
    own_work={
        name: "This runs the layers and looks at what comes out. Do arithmetic with the numbers of each row."
        for name in (
            *("Conv2d", "conv2d", "ConvTranspose2d", "conv_transpose2d", "MaxPool2d", "max_pool2d"),
            *("Conv1d", "conv1d", "ConvTranspose1d", "conv_transpose1d", "MaxPool1d", "max_pool1d"),
            *("LazyConv2d", "LazyConvTranspose2d", "trace", "layers_run", "shape_flow"),
        )
    },
)


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


def _known(right, row, before):
    """(a wrong shape, what it reveals) for a layer that turns `before` into `right`; `row` is its row in the table."""
    channels, height, width = right
    known = [
        ((channels, width, height), "Height and width have changed places; the order is (C, H, W)."),
        ((height, width, channels), "The channels stand last; the order is (C, H, W)."),
        ((channels, height, height), "The width follows from the width, not from the height."),
    ]
    if row[0] == "pool":
        over = [n + bool(old % row[1]) for n, old in zip(right[1:], before[1:])]
        known.append(((channels, *over), "Pooling rounds down: a window that hangs over the end is not used."))
        return known + [((channels, *before[1:]), "Pooling makes the map smaller, by its kernel.")]
    sizes = {}  # {what it reveals: the wrong height and width}
    for old, new in zip(before[1:], right[1:]):
        for meaning, size in (_conv_sizes if row[0] == "conv" else _up_sizes)(old, new, *row[2:]).items():
            sizes.setdefault(meaning, []).append(size)
    return known + [((channels, *size), meaning) for meaning, size in sizes.items()]


def _conv_sizes(old, new, k, s, p):
    """{what it reveals: a wrong size} where a convolution turns `old` pixels into `new`."""
    room = old + 2 * p - k
    return {
        "A convolution rounds down: a kernel that hangs over the end is not placed.": new + bool(room % s),
        "The stride is forgotten: only every s-th place of the kernel counts.": room + 1,
        "Only the stride is looked at; kernel and padding change the size, too.": old // s,
        "The padding is forgotten; p pixels are added at both ends.": new - len(range(room, room - 2 * p, -s)),
        "This pads one end only; p pixels are added at both.": new - len(range(room, room - p, -s)),
        "This is one too few: the place at 0 counts too.": new - 1,
    }


def _up_sizes(old, new, k, s):
    """{what it reveals: a wrong size} where a transposed convolution turns `old` pixels into `new`."""
    return {
        f"This multiplies by the stride; the last kernel hangs over by k − s = {k - s}.": old * s,
        "This is a convolution's size. A transposed convolution makes the map grow.": len(range(0, old - k + 1, s)),
        "Of n patches only n − 1 start s pixels after another; the first starts at 0.": new + s,
        "This multiplies by the kernel, as if patches lay side by side; they start s pixels apart.": old * k,
        "The last patch is missing: it starts where this ends, and is k long.": new - k,
        "This is one too few: the last patch is k long.": new - 1,
    }


def _trace_part(t, *nets):
    """Judge the answer on nets, each given as its rows and all shapes: the input's, and the one after each row."""

    def cases():
        for rows, (shape, *want) in nets:
            given = f"the net {rows} and shape {shape}"
            got = _listed(t, t.call(rows, shape), want, given)
            for i, (mine, right, row, before) in enumerate(zip(got, want, rows, [shape, *want]), 1):
                said = f"For {given}: layer {i}, {row}, turns {before} into {right}; you have {mine}."
                if isinstance(mine, list) and tuple(mine) == right:
                    t.fail(f"{said} The numbers are right. A shape is a tuple, `(C, H, W)`, not a list.")
                if isinstance(mine, tuple) and any(isinstance(n, float) for n in mine):
                    t.fail(f"{said} A size is an `int`: divide with `//`.")
                yield mine, right, said, _known(right, row, before)
                if mine != right:  # what comes after it follows from it
                    break

    seen, stopped = [], None
    try:
        for case in cases():
            seen.append(case)
    except NotYet as reason:
        stopped = reason
    meaning = cause(seen, 0.0)
    for mine, right, said, _ in seen:
        if mine != right:
            t.fail(f"{said} {meaning or _channels(mine, right)}".rstrip())
    if stopped:
        raise stopped


def _channels(mine, right):
    """That only the channels are wrong; "" where more is."""
    right_sides = isinstance(mine, tuple) and len(mine) == 3 and mine[1:] == right[1:]
    return "Height and width are right, the channels are not." if right_sides else ""


@trace_shapes.part("convolutions", 0.5)
def _(t):
    nets = []
    for k, s, p in ((3, 2, 1), (5, 2, 1), (4, 3, 0), (5, 1, 1)):
        for rests in ((0, s - 1), (s - 1, s - 1)):  # a rest is left in one direction, and in both
            a, b, new = t.random.choice([8, 12]), t.random.choice([16, 20]), (t.random.randint(7, 20), 21)
            old = [(n - 1) * s + k - 2 * p + rest for n, rest in zip(new, rests)]
            rows = [("conv", a, 3, 1, 1), ("conv", b, k, s, p)]
            nets.append((rows, [(3, *old), (a, *old), (b, *new)]))
    _trace_part(t, *nets)


@trace_shapes.part("pooling, odd sizes too", 0.5)
def _(t):
    rows = [("conv", 8, 1, 1, 0), ("pool", 2), ("pool", 3)]  # the stub has the pooling: by itself that earns nothing
    nets = []
    for more in (1, 2):
        new = t.random.randint(3, 6), t.random.randint(7, 10)
        half, full = [3 * n + more for n in new], [6 * n + 2 * more + 1 for n in new]
        nets.append((rows, [(t.random.randint(2, 7), *full), (8, *full), (8, *half), (8, *new)]))
    _trace_part(t, *nets)


@trace_shapes.part("transposed convolutions", 0.5)
def _(t):
    nets = []
    for k, s in ((3, 2), (4, 2), (2, 3)):
        a, b, old = t.random.choice([4, 6]), t.random.choice([3, 5]), (t.random.randint(3, 9), t.random.randint(10, 15))
        twice = [2 * n for n in old]
        new = [range(0, s * n, s)[-1] + k for n in twice]  # the last patch ends there
        nets.append(([("up", a, 2, 2), ("up", b, k, s)], [(16, *old), (a, *twice), (b, *new)]))
    _trace_part(t, *nets)


@trace_shapes.part("a whole encoder and decoder", 0.5)
def _(t):
    nets = []
    for base in (4, 8):
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
        h, w = t.random.randint(5, 9), t.random.randint(10, 15)
        shapes = [
            (3, 4 * h, 4 * w + 2),
            (base, 4 * h, 4 * w + 2),
            (base, 2 * h, 2 * w + 1),
            (2 * base, 2 * h, 2 * w + 1),
        ]
        shapes += [(2 * base, h, w), (4 * base, h, w), (2 * base, 2 * h, 2 * w), (2 * base, 2 * h, 2 * w)]
        nets.append((rows, [*shapes, (base, 4 * h, 4 * w), (3, 4 * h, 4 * w)]))
    _trace_part(t, *nets)
    t.unchanged("the list of rows that it was given. Work on a copy.")
