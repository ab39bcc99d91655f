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


NEAREST = "This rounds to the nearest whole number; a kernel that does not fit whole is not placed, so round down."
SLIPS = [
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
]
PROBES = [(29, 7, 1, 3, 1), (54, 3, 3, 0, 1), (55, 3, 3, 0, 1), (56, 3, 3, 1, 1), (57, 5, 4, 2, 1), (58, 5, 4, 0, 1)]
PROBES += [
    (40, 3, 1, 0, 3),
    (79, 5, 2, 0, 4),
    (60, 3, 4, 2, 2),
    (224, 7, 2, 3, 1),
    (46, 3, 3, 0, 1),
    (32, 3, 3, 0, 1),
    (42, 3, 2, 0, 4),
]


def _conv_part(t, cases):
    for n, k, s, p, d in cases:
        want, got = conv_size(n, k, s, p, d), t.call(n, k, s, p, d)
        given = f"n={n}, k={k}, s={s}, p={p}, d={d}"
        t.whole(got, given, "Divide with `//`.")
        t.equal(got, want, given, t.explained(SLIPS, conv_size, PROBES) if got != want else "")


@conv_out_size.part("kernel and padding", 0.5)
def _(t):
    k = t.random.choice([3, 5, 7])
    n = t.random.randint(9, 60)
    _conv_part(t, [(n, k, 1, 0, 1), (t.random.randint(9, 60), k, 1, k // 2, 1)])
    t.equal(t.call(n, k), conv_size(n, k, 1, 0, 1), f"n={n}, k={k} and nothing else")


@conv_out_size.part("stride", 0.5)
def _(t):
    for s in (2, 3, 4):  # the kernel fits without a rest
        _conv_part(t, [(3 + s * t.random.randint(5, 20), 3, s, 0, 1)])


@conv_out_size.part("rounding where the kernel does not fit evenly", 0.5)
def _(t):
    cases = [(3 + rest + s * t.random.randint(5, 20), 3, s, 0, 1) for s in (2, 3, 4) for rest in range(1, s)]
    _conv_part(t, [*cases, (224, 7, 2, 3, 1)])  # every rest: with s − 1 rounding to the nearest is rounding up


@conv_out_size.part("dilation", 0.5)
def _(t):
    n = t.random.randint(40, 80)  # four in a row: every rest, and an odd and an even number of places
    _conv_part(t, [(t.random.randint(20, 60), 3, 1, 0, 3)] + [(n + i, k, 2, 0, 4) for k in (3, 5) for i in range(4)])
