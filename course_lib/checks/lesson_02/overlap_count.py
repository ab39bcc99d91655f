"""Lesson 02: how many kernels paint each pixel."""

import torch

from ..causes import cause, judge
from ..core import Exercise
from ..values import dtype_name, kind

overlap_count = Exercise(
    "overlap_count",
    hints=(
        "On paper, for n=2, k=3, s=2: which output pixels does input pixel 0 paint, and which does pixel 1?",
        "Input pixel i paints the output pixels from i·s up to i·s + k − 1.",
        "Start from int64 zeros of the output's length. A loop over the input pixels then adds 1 to one "
        "slice each time.",
    ),
    takes=("n", "k", "s"),
)


def _draw_counts(got, want):
    from course_lib import plot

    return plot.grid([row.float().expand(3, -1) for row in (got, want)], ["yours", "expected"])


def _lengths(n, k, s):
    """(a wrong length, what it reveals) for n pixels, kernel k and stride s."""
    return [
        (n, "There is one count for each input pixel here; give one for each *output* pixel."),
        (n * s, "That is n·s, and the last kernel ends where it started + k."),
        (n + k - 1, "That is the length for stride 1."),
        (n * s + k, "Of n kernels the first starts at 0, so the last starts at (n − 1)·s."),
        ((n - 1) * s + k - 1, "That is one too few: a kernel paints k pixels."),
    ]


@overlap_count.part("length and dtype", 0.5)
def _(t):
    inputs = [(t.random.randint(3, 9), k, s) for k, s in ((3, 2), (2, 2), (2, 3), (5, 2))]
    found = [(t.call(n, k, s), n, k, s) for n, k, s in inputs]
    lengths = [
        (len(got) if isinstance(got, torch.Tensor) and got.dim() == 1 else None, (n - 1) * s + k, "", _lengths(n, k, s))
        for got, n, k, s in found
    ]
    for got, n, k, s in found:
        want = (n - 1) * s + k
        if isinstance(got, (list, tuple)):
            t.fail(f"For n={n}, k={k}, s={s}: expected a tensor, got a `{type(got).__name__}`; make a tensor of it.")
        if not isinstance(got, torch.Tensor) or tuple(got.shape) != (want,):
            if isinstance(got, torch.Tensor) and tuple(got.shape) == (1, 1, want):
                t.fail(
                    f"For n={n}, k={k}, s={s}: expected a tensor of shape ({want},), got {kind(got)} Drop the "
                    "first two axes."
                )
            t.fail(
                f"For n={n}, k={k}, s={s}: expected a tensor of shape ({want},), got {kind(got)} "
                f"The last of the {n} kernels starts at {(n - 1) * s} and is {k} long. {cause(lengths, 0.0)}".rstrip()
            )
        if got.dtype != torch.int64:
            t.fail(f"For n={n}, k={k}, s={s}: counts are whole numbers; make the dtype int64, not {dtype_name(got)}.")


@overlap_count.part("counts", 0.5)
def _(t):
    cases = []
    for k, s in ((3, 2), (4, 2), (5, 2), (2, 3), (3, 1), (7, 2), (3, 5)):
        n = t.random.randint(4, 9)
        got = t.call(n, k, s)
        # Place by place: the brush's taps that an input pixel, at a multiple of s, puts there.
        taps = torch.tensor(
            [[(at - tap) in range(0, n * s, s) for tap in range(k)] for at in range((n - 1) * s + k)]
        )
        want = taps.sum(1)
        packed = torch.tensor([max(0, min(at + 1, k, n, n + k - 1 - at)) for at in range(len(want))])
        known = [
            (want.clamp(max=1), "This marks the pixels that are painted at all; count how often."),
            (
                torch.full_like(want, -(-k // s)),
                "This is the count of the middle everywhere; near both ends fewer kernels paint.",
            ),
            (torch.full_like(want, k // s), "This is one number everywhere; the count changes from pixel to pixel."),
            (want - _last(want, k), "The last input pixel is missing: n kernels paint."),
            *(
                (want.clamp(least, 2), "This counts next neighbours only; wider kernels overlap more than two deep.")
                for least in (0, 1)
            ),
            (taps[:, :-1].sum(1), "Each kernel paints one pixel too few: a slice leaves out its end, so end at i·s + k."),
            (want.clamp(min=1), "Where s is above k, some pixels are painted by none: they count 0."),
            (packed, f"Neighbouring kernels start {s} pixels apart, not 1."),
        ]
        if isinstance(got, torch.Tensor) and got.shape == want.shape:
            got = got.to(want.dtype)
        cases.append((got, want, f"n={n}, k={k}, s={s}", known))
    judge(t, cases, 0.0, _draw_counts)


def _last(row, k):
    """1 on the last k places of a row, 0 elsewhere."""
    return (torch.arange(len(row)) >= len(row) - k).long()
