"""Lesson 04: one giant stroke from the bottleneck to the picture, counted."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..core import Exercise
from ..values import kind

giant_upsampling = Exercise(
    "giant_upsampling",
    hints=(
        "Lesson 02: a transposed convolution has a brush for each pair of a channel in and a channel out. "
        "How large is the brush here?",
        "The kernel is two strides long. In a row, how many brushes reach one pixel of that length? Then on a map?",
        "The parameters are channels·classes·kernel², and one for each class. A score takes in 2 × 2 places "
        "with all their channels.",
    ),
)


def _giant(t):
    channels, classes, depth = t.random.choice([16, 32, 64]), t.random.randint(3, 9), t.random.choice([3, 5])
    got = t.call(channels, classes, depth)
    given = f"channels={channels}, classes={classes}, depth={depth}"
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        t.fail(f"For {given}: expected a tuple of two numbers, got {kind(got)}")
    for value in got:
        t.whole(value, given)
    return got, given, channels, classes, depth


@giant_upsampling.part("parameters", 0.5)
def _(t):
    got, given, channels, classes, depth = _giant(t)
    stride = 2**depth
    want = sum(p.numel() for p in nn.ConvTranspose2d(channels, classes, 2 * stride, stride, device="meta").parameters())
    weights = want - classes
    known = [
        (weights, "The bias is missing: one a class."),
        (weights + channels, "The bias belongs to the classes, the channels out."),
        (weights // 4 + classes, "This is a kernel as large as the stride; it is twice as large."),
        (weights // (2 * stride) + classes, "The kernel is a square: its side counts twice."),
        *((channels * classes * (k * depth) ** 2 + classes, "The stride is 2 to the power of depth.") for k in (2, 4)),
        (
            (want - classes) * 2**depth + classes,
            "`channels` are those of the bottleneck already; they do not double again.",
        ),
        (4 * channels, "The parameters come first, then the numbers that a score is computed from."),
    ]
    t.equal(got[0], want, f"{given}, the parameters", known)


@giant_upsampling.part("what a score is computed from", 0.5)
def _(t):
    got, given, channels, classes, depth = _giant(t)
    stride = 2 ** min(depth, 3)
    place = torch.zeros(1, 1, 5, 5, requires_grad=True)
    F.conv_transpose2d(place, torch.ones(1, 1, 2 * stride, 2 * stride), stride=stride)[
        0, 0, 3 * stride, 3 * stride
    ].backward()
    want = int((place.grad != 0).sum()) * channels
    known = [
        (want // channels, "These are the places; each has all its channels."),
        (want // 2, "In a row two brushes reach a pixel, on a map two times two."),
        (channels, "Brushes twice as long as the stride overlap: more than one reaches a pixel."),
        (want * classes, "This is for all classes; the score of one class was asked for."),
        (want * 2**depth, "`channels` are those of the bottleneck already; they do not double again."),
        (want + 1, "The bias is no number of the bottleneck."),
        (
            channels * (2 * 2**depth) ** 2,
            "This is what one place paints with; the question is how many places paint one pixel.",
        ),
    ]
    t.equal(got[1], want, f"{given}, the numbers of the bottleneck", known)
