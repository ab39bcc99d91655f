"""Lesson 02: the size after one layer. What is expected is what torch's own convolution makes of it."""

from ..core import Exercise
from .sizes import conv_size

conv_out_size = Exercise(
    "conv_out_size",
    hints=(
        "Draw a row of 7 pixels and slide a kernel of 3 along it. Where can its left edge stand?",
        "Padding adds p pixels at both ends. A dilated kernel reaches over d(k − 1) + 1 pixels, gaps included. "
        "The left edge can then stand at every s-th place that leaves the whole kernel on the row.",
        "The last place of the left edge is (n + 2p) − reach. Count the multiples of s from 0 up to it: "
        "that is a whole-number division, `//`, and one more for the place at 0.",
    ),
)


def _conv_part(t, cases):
    for n, k, s, p, d in cases:
        reach, want = d * (k - 1) + 1, conv_size(n, k, s, p, d)
        known = [
            (
                conv_size(n, k, s, p, 1),
                f"This forgets the dilation: {k} taps at distance {d} reach over {reach} pixels.",
            ),
            (
                conv_size(n, d * k, s, p, 1),
                f"This takes the reach as d·k = {d * k}; the taps span d(k − 1) + 1 = {reach}.",
            ),
            (conv_size(n + p, k, s, 0, d), "This pads one end only; p pixels are added at both."),
            (conv_size(n, k, 1, p, d), f"This forgets the stride: only every {s}th place of the left edge counts."),
            ((n + 2 * p) // s, "The kernel's own reach is not taken off: it must stay on the row."),
            (want - 1, "This is one too few: the place at 0 counts too."),
            (want + 1, "This is one too many: a kernel that hangs over the end is not placed."),
        ]
        got = t.call(n, k, s, p, d)
        given = f"n={n}, k={k}, s={s}, p={p}, d={d}"
        t.whole(got, given, "Divide with `//`.")
        t.equal(got, want, given, known)


@conv_out_size.part("kernel and padding", 0.5)
def _(t):
    k = t.random.choice([3, 5, 7])
    n = t.random.randint(9, 60)
    _conv_part(t, [(n, k, 1, 0, 1), (t.random.randint(9, 60), k, 1, k // 2, 1)])
    t.equal(t.call(n, k), conv_size(n, k, 1, 0, 1), f"n={n}, k={k} and nothing else")


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
