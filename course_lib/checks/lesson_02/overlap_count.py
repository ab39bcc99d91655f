"""Lesson 02: how many kernels paint each pixel."""

import torch
import torch.nn.functional as F

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
)


def _draw_counts(got, want):
    from course_lib import plot

    return plot.grid([row.float().expand(3, -1) for row in (got, want)], ["yours", "expected"])


def _painted(n, k, s, length):
    row = F.conv_transpose1d(torch.ones(1, 1, n), torch.ones(1, 1, k), stride=s)[0, 0].long()
    return F.pad(row, (0, length - len(row)))


@overlap_count.part("length and dtype", 0.5)
def _(t):
    for k, s in ((3, 2), (2, 2), (2, 3), (5, 2)):
        n = t.random.randint(3, 9)
        got = t.call(n, k, s)
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
                f"The last of the {n} kernels starts at {(n - 1) * s} and is {k} long."
            )
        if got.dtype != torch.int64:
            t.fail(f"For n={n}, k={k}, s={s}: counts are whole numbers; make the dtype int64, not {dtype_name(got)}.")


@overlap_count.part("counts", 0.5)
def _(t):
    for k, s in ((3, 2), (4, 2), (5, 2), (2, 3), (3, 1)):
        n = t.random.randint(4, 9)
        ones = torch.ones(1, 1, n), torch.ones(1, 1, k)
        want = F.conv_transpose1d(*ones, stride=s)[0, 0].long()
        got = t.call(n, k, s)
        packed = torch.zeros_like(want)
        packed[: n - 1 + k] = F.conv_transpose1d(*ones)[0, 0].long()[: len(want)]
        known = [
            (want.clamp(max=1), "This marks the pixels that are painted at all; count how often."),
            (
                torch.full_like(want, -(-k // s)),
                "This is the count of the middle everywhere; near both ends fewer kernels paint.",
            ),
            (torch.full_like(want, k // s), "This is one number everywhere; the count changes from pixel to pixel."),
            (_painted(n - 1, k, s, len(want)), "The last input pixel is missing: n kernels paint."),
            (want.clamp(max=2), "This counts next neighbours only; wider kernels overlap more than two deep."),
            (packed, f"Neighbouring kernels start {s} pixels apart, not 1."),
        ]
        if isinstance(got, torch.Tensor) and got.shape == want.shape:
            got = got.to(want.dtype)
        t.equal(got, want, f"n={n}, k={k}, s={s}", known, _draw_counts)
