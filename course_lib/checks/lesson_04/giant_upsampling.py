"""Lesson 04: one giant stroke from the bottleneck to the picture, counted."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..causes import judge
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


def _settings(t):
    """(channels, classes, depth) of each input, none of which is another's."""
    sizes = t.random.sample([12, 20, 24, 40], 2)
    return [(c, n, depth) for c, n, depth in zip(sizes, t.random.sample(range(3, 10), 2), (3, 5))]


def _giant(t, channels, classes, depth):
    """The answer's two numbers, and how the input is told."""
    got = t.call(channels, classes, depth)
    given = f"channels={channels}, classes={classes}, depth={depth}"
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        t.fail(f"For {given}: expected a tuple of two numbers, got {kind(got)}")
    for value in got:
        t.whole(value, given)
        if not isinstance(value, int):
            t.fail(f"For {given}: expected two `int`s, got {kind(value)}")
    return got, given


def _parameters(t):
    for channels, classes, depth in _settings(t):
        got, given = _giant(t, channels, classes, depth)
        stride = 2**depth
        layer = nn.ConvTranspose2d(channels, classes, 2 * stride, stride, device="meta")
        weights = layer.weight.numel()
        known = [
            (weights, "The bias is missing: one a class."),
            (weights + channels, "The bias belongs to the classes, the channels out."),
            (weights + 1, "There is a bias for each class, not one for all."),
            (weights + 2 * classes, "There is one bias a class, and nothing else of that kind."),
            (weights + weights // classes, "There is one bias a class, not one for each of a class's weights."),
            (weights // classes + classes, "Each pair of a channel and a class has a kernel of its own."),
            (weights // channels + classes, "Each pair of a channel and a class has a kernel of its own."),
            (weights // 4 + classes, "This is a kernel as large as the stride; it is twice as large."),
            (weights // (2 * stride) + classes, "The kernel is a square: its side counts twice."),
            *(
                (channels * classes * (k * depth) ** 2 + classes, "The stride is 2 to the power of depth.")
                for k in (2, 4)
            ),
            (weights * 2**depth + classes, "`channels` are those of the bottleneck already; they do not double again."),
            (4 * channels, "The parameters come first, then the numbers that a score is computed from."),
        ]
        yield got[0], weights + layer.bias.numel(), f"{given}, the parameters", known


def _numbers(t):
    for channels, classes, depth in _settings(t):
        got, given = _giant(t, channels, classes, depth)
        stride = 2 ** min(depth, 3)
        place = torch.zeros(1, 1, 5, 5, requires_grad=True)
        brush = torch.ones(1, 1, 2 * stride, 2 * stride)
        F.conv_transpose2d(place, brush, stride=stride)[0, 0, 3 * stride, 3 * stride].backward()
        want = int((place.grad != 0).sum()) * channels
        known = [
            (want // channels, "These are the places; each has all its channels."),
            (want // 2, "In a row two brushes reach a pixel, on a map two times two."),
            (channels, "Brushes twice as long as the stride overlap: more than one reaches a pixel."),
            (want * classes, "This is for all classes; the score of one class was asked for."),
            (want * 2**depth, "`channels` are those of the bottleneck already; they do not double again."),
            (want + 1, "The bias is no number of the bottleneck."),
            *(
                (channels * side**2, "In a row two brushes reach a pixel, on a map two times two; these are more.")
                for side in (3, 4, 5)
            ),
            (
                channels * (2 * 2**depth) ** 2,
                "This is what one place paints with; the question is how many places paint one pixel.",
            ),
            *(
                (channels * classes * (2 * 2**depth) ** 2 + n, "The parameters come first; this is the other number.")
                for n in (0, classes)
            ),
        ]
        yield got[1], want, f"{given}, the numbers of the bottleneck", known


@giant_upsampling.part("parameters", 0.5)
def _(t):
    judge(t, _parameters(t), 0)


@giant_upsampling.part("what a score is computed from", 0.5)
def _(t):
    judge(t, _numbers(t), 0)
