"""Lesson 02: the size after one layer. What is expected is drawn first, and the row made for it."""

from ..causes import tabled
from ..core import Exercise

conv_out_size = Exercise(
    "conv_out_size",
    hints=(
        "Draw a row of 7 pixels and slide a kernel of 3 along it. Where can its left edge stand?",
        "Padding adds p pixels at both ends. A dilated kernel reaches over d(k − 1) + 1 pixels, gaps included. "
        "The left edge can then stand at every s-th place that leaves the whole kernel on the row.",
        "The last place of the left edge is (n + 2p) − reach. Count the multiples of s from 0 up to it: "
        "that is a whole-number division, `//`, and one more for the place at 0.",
    ),
    takes=("n", "k", "s", "p", "d"),
)


PROBES = [(29, 7, 1, 3, 1), (54, 3, 3, 0, 1), (55, 3, 3, 0, 1), (56, 3, 3, 1, 1), (57, 5, 4, 2, 1), (58, 5, 4, 0, 1)]
PROBES += [(40, 3, 1, 0, 3), (79, 5, 2, 0, 4), (60, 3, 4, 2, 2), (224, 7, 2, 3, 1), (46, 3, 3, 0, 1), (32, 3, 3, 0, 1)]
PROBES += [(42, 3, 2, 0, 4)]
RIGHT = [29, 18, 18, 19, 15, 14, 34, 32, 15, 112, 15, 10, 17]
SLIPS = [  # what each mistake gives on the probes; tests/checks/test_tables.py works them out
    (
        [29, 18, 18, 19, 15, 14, 38, 38, 16, 112, 15, 10, 20],
        "This forgets the dilation: the taps stand d pixels apart.",
    ),
    ([29, 18, 18, 19, 15, 14, 32, 30, 15, 112, 15, 10, 16], "This takes the reach as d·k; the taps span d(k − 1) + 1."),
    ([26, 18, 18, 19, 14, 14, 34, 32, 15, 111, 15, 10, 17], "This pads one end only; p pixels are added at both."),
    (
        [23, 18, 18, 18, 14, 14, 34, 32, 14, 109, 15, 10, 17],
        "The padding is forgotten; p pixels are added at both ends.",
    ),
    (
        [29, 52, 53, 56, 57, 54, 34, 63, 60, 224, 44, 30, 34],
        "This forgets the stride: only every s-th place of the left edge counts.",
    ),
    (
        [35, 18, 18, 19, 15, 14, 40, 39, 16, 115, 15, 10, 21],
        "The kernel's own reach is not taken off: it must stay on the row.",
    ),
    (
        [29, 16, 16, 17, 11, 10, 34, 23, 12, 109, 13, 8, 13],
        "This divides by the stride before the kernel is taken off; first take it off.",
    ),
    ([28, 17, 17, 18, 14, 13, 33, 31, 14, 111, 14, 9, 16], "This is one too few: the place at 0 counts too."),
    (
        [30, 19, 19, 20, 16, 15, 35, 33, 16, 113, 16, 11, 18],
        "This is one too many: a kernel that hangs over the end is not placed.",
    ),
    (
        [29, 18, 18, 19, 15, 14, 34, 32, 16, 112, 15, 11, 18],
        "This rounds to the nearest whole number; a kernel that does not fit whole is not placed, so round down.",
    ),
    (
        [29, 18, 18, 19, 15, 14, 34, 32, 16, 113, 15, 11, 17],
        "This rounds to the nearest whole number; a kernel that does not fit whole is not placed, so round down.",
    ),
    (
        [35, 18, 19, 20, 16, 15, 40, 40, 16, 115, 16, 11, 21],
        "This counts every place of the left edge, and a kernel that hangs over the end is not placed.",
    ),
    (
        [29, 18, 19, 19, 15, 15, 40, 40, 15, 112, 16, 11, 21],
        "This only divides by the stride; the size depends on kernel and padding, too.",
    ),
    (
        [29, 18, 18, 18, 14, 14, 38, 39, 15, 112, 15, 10, 21],
        "Where there is a stride this only divides by it, and the dilation is forgotten.",
    ),
    (
        [29, 18, 18, 18, 14, 14, 40, 39, 15, 112, 15, 10, 21],
        "This only divides by the stride; the size depends on kernel and padding, too.",
    ),
    (
        [29, 18, 19, 20, 15, 15, 34, 32, 16, 113, 16, 11, 18],
        "This is one too many where a rest is left: a kernel that hangs over the end is not placed.",
    ),
    (
        [17, 18, 18, 18, 13, 14, 34, 32, 13, 106, 15, 10, 17],
        "The padding is taken off; p pixels are added at both ends.",
    ),
    (
        [30, 18, 18, 19, 15, 14, 35, 32, 16, 113, 15, 11, 18],
        "The kernel spans d(k − 1) + 1 pixels; here the last one is missing.",
    ),
    (
        [29, 18, 18, 19, 15, 14, 36, 36, 16, 112, 15, 10, 19],
        "This adds one gap, d − 1, for the whole kernel; each of its k − 1 gaps grows.",
    ),
    (
        [23, 17, 17, 18, 14, 13, 32, 30, 15, 109, 14, 10, 16],
        "This leaves d pixels between two taps; taps stand d pixels apart, with d − 1 between them.",
    ),
]


def _conv_part(t, cases):
    """Judge the answer on rows that are drawn from the answer: `places` of the kernel, and `rest` pixels after them."""
    for places, k, s, p, d, rest in cases:
        n = (places - 1) * s + d * (k - 1) + 1 + rest - 2 * p
        got, given = t.call(n, k, s, p, d), f"n={n}, k={k}, s={s}, p={p}, d={d}"
        t.whole(got, given, "Divide with `//`.")
        t.equal(got, places, given, tabled(t, PROBES, RIGHT, SLIPS) if got != places else "")


@conv_out_size.part("kernel and padding", 0.5)
def _(t):
    k = t.random.choice([3, 5, 7])
    _conv_part(t, [(t.random.randint(7, 50), k, 1, 0, 1, 0), (t.random.randint(9, 60), k, 1, k // 2, 1, 0)])
    places = t.random.randint(7, 50)
    t.equal(t.call(places + k - 1, k), places, f"n={places + k - 1}, k={k} and nothing else")


@conv_out_size.part("stride", 0.5)
def _(t):
    for s in (2, 3, 4):  # the kernel fits without a rest
        _conv_part(t, [(t.random.randint(6, 21), 3, s, 0, 1, 0)])


@conv_out_size.part("rounding where the kernel does not fit evenly", 0.5)
def _(t):
    cases = [(t.random.randint(6, 21), 3, s, 0, 1, rest) for s in (2, 3, 4) for rest in range(1, s)]
    _conv_part(t, [*cases, (112, 7, 2, 3, 1, 1)])  # every rest: with s − 1 rounding to the nearest is rounding up


@conv_out_size.part("dilation", 0.5)
def _(t):
    n = t.random.randint(14, 34)  # four in a row: every rest, and an odd and an even number of places
    cases = [(n + i, k, 2, 0, 4, rest) for k in (3, 5) for i in (0, 1) for rest in (0, 1)]
    _conv_part(t, [(t.random.randint(14, 54), 3, 1, 0, 3, 0), *cases])
