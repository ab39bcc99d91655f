"""Lesson 05: a dilated convolution by hand, against torch's."""

import math

import torch
import torch.nn.functional as F

from .. import pictures
from ..core import Exercise
from ..values import kind

dilated_conv = Exercise(
    "dilated_conv",
    hints=(
        "Think of one tap at a time. For all output pixels at once, what one tap reads is the whole picture, "
        "shifted. How far, and which way?",
        "Each tap reads an H × W window of the padded picture `wide`. The window of tap (0, 0) begins at its corner. "
        "By how many pixels does it move from one tap to the next?",
        "The window of tap (i, j) has H rows, from row i·rate of `wide` on, and W columns, from column j·rate on. All "
        "pictures and channels of `wide` belong to it.",
    ),
    own_work={
        name: "This lets torch convolve. Write it from slices: shift, weigh, add up."
        for name in ("conv2d", "Conv2d", "convolution", "conv1d", "Conv1d", "conv3d", "conv_transpose2d")
    },
)


def _wrong_convolutions(x, weight, rate):
    """(wrong value, what it reveals) for the usual slips, each made with torch's own convolution."""
    k, right = weight.shape[-1], dict(dilation=rate)
    reach = rate * (k - 1)
    half = reach // 2
    wrap = F.pad(x, [half] * 4, mode="circular") if half <= min(x.shape[2:]) else None
    slips = [
        (
            F.conv2d(F.pad(x, [half] * 4), weight.flip(2, 3), **right),
            "The kernel is upside down: nothing is flipped here.",
        ),
        (
            F.conv2d(F.pad(x, [half] * 4), weight.transpose(2, 3), **right),
            "Rows and columns of the kernel have changed places.",
        ),
        (
            F.conv2d(F.pad(x, [0, reach, 0, reach]), weight, **right),
            "The first tap lies on the output pixel here; it should be the middle one, with as many taps "
            "before it as after.",
        ),
        (
            F.conv2d(F.pad(x, [reach, 0, reach, 0]), weight, **right),
            "The last tap lies on the output pixel here; it should be the middle one, with as many taps "
            "before it as after.",
        ),
        (
            F.conv2d(F.pad(x, [k // 2] * 4), weight),
            f"This is rate 1: neighbouring taps should stand {rate} pixels apart.",
        ),
    ]
    if wrap is not None:
        slips.append(
            (
                F.conv2d(wrap, weight, **right),
                "What leaves the picture on one side comes in on the other (`torch.roll` does that); "
                "outside the picture all is 0.",
            )
        )
    far = (rate + 1) * (k - 1) // 2
    slips.append(
        (
            F.conv2d(F.pad(x, [far] * 4), weight, dilation=rate + 1),
            f"Your taps stand {rate + 1} pixels apart; rate {rate} leaves "
            f"{rate - 1} pixels between two taps, not {rate}.",
        )
    )
    slips.append(
        (
            F.conv2d(F.pad(x, [half] * 4, mode="replicate"), weight, **right),
            "The rim is repeated beyond the picture here; outside the picture all is 0.",
        )
    )
    padded, c = F.pad(x, [half] * 4), x.shape[1]
    if c > 1:
        slips += [
            (
                F.conv2d(padded[:, :1], weight[:, :1], **right),
                "Only the first input channel is read; sum over all of them.",
            ),
            (F.conv2d(padded, weight, **right) / c, "This is the mean over the input channels; take the sum."),
        ]
    if len(x) > 1:
        first = F.conv2d(padded[:1], weight, **right)
        slips.append((first.repeat(len(x), 1, 1, 1), "Every picture of the batch gets the first one's map."))
    if weight.shape[0] == weight.shape[1]:
        slips.append(
            (
                F.conv2d(F.pad(x, [half] * 4), weight.transpose(0, 1), **right),
                "The channels of the weight are read as (C_in, C_out); they are (C_out, C_in).",
            )
        )
    return slips


def _dilated_part(t, x, weight, rate):
    got = t.call(x, weight, rate)
    k, h, w = weight.shape[-1], *x.shape[2:]
    want = F.conv2d(x, weight, padding=rate * (k // 2), dilation=rate)
    given = f"x of shape {tuple(x.shape)}, weight of shape {tuple(weight.shape)}, rate {rate}"
    if isinstance(got, torch.Tensor) and got.dim() == 4 and got.shape[2:] != (h, w):
        more = ""
        if got.shape[2:] == (h - rate * (k - 1), w - rate * (k - 1)):
            more = " No padding: zeros around the picture keep its size."
        elif got.shape[2] == h:
            more = " The height is right; is the width cut with the height, too?"
        elif got.shape[2] - h == 2 * rate - rate * (k - 1):
            more = f" Zeros of width rate fit a kernel of 3; a kernel of {k} needs rate·(k − 1)/2 = {rate * (k // 2)}."
        elif got.shape[2] - h == (k - 1) - rate * (k - 1):
            more = f" Zeros of width (k − 1)/2 fit rate 1; here rate·(k − 1)/2 = {rate * (k // 2)} are needed."
        elif got.shape[2] - h == rate * k - rate * (k - 1):
            more = f" The reach is rate·(k − 1) + 1 = {rate * (k - 1) + 1}, not rate·k."
        t.fail(f"For {given}: expected a map of {h} × {w}, got {got.shape[2]} × {got.shape[3]}.{more}")
    t.close(got, want, given, _wrong_convolutions(x, weight, rate), picture=pictures.maps)


def _counting(t, *shape):
    """Small whole numbers as floats: 1, 2, 3, … in an order of the trial's own."""
    return (torch.randperm(math.prod(shape), generator=t.generator) + 1.0).reshape(shape)


@dilated_conv.part("rate 1: an ordinary convolution", 0.5)
def _(t):
    _dilated_part(t, _counting(t, 1, 1, 3, 4), _counting(t, 1, 1, 3, 3), 1)


@dilated_conv.part("other rates", 0.5)
def _(t):
    for rate in (2, t.random.choice([3, 4])):
        _dilated_part(t, t.tensor(1, 1, 9, 10), t.tensor(1, 1, 3, 3), rate)
    _dilated_part(t, t.tensor(1, 1, 4, 5), t.tensor(1, 1, 3, 3), 6)  # only the middle tap is inside


@dilated_conv.part("kernels of other sizes, batch and channels", 0.5)
def _(t):
    _dilated_part(t, t.tensor(2, 3, 8, 7), t.tensor(t.random.choice([2, 4]), 3, 5, 5), 2)
    _dilated_part(t, t.tensor(2, 3, 6, 7), t.tensor(3, 3, 3, 3), 2)
    _dilated_part(t, t.tensor(2, 2, 5, 4), t.tensor(3, 2, 1, 1), 3)


@dilated_conv.part("gradients flow, arguments stay as they were", 0.5)
def _(t):
    x, weight = t.tensor(1, 2, 5, 5).requires_grad_(), t.tensor(2, 2, 3, 3).requires_grad_()
    t.call(x.detach(), weight.detach(), 2)
    t.unchanged("one of its arguments. Pad and add up in new tensors.")
    got, (to_x, to_weight, _) = t.gradients(x, weight, 2)
    if not isinstance(got, torch.Tensor) or got.dim() != 4:
        t.fail(
            "For x of shape (1, 2, 5, 5) and weight of shape (2, 2, 3, 3): expected a map of shape (B, C, H, "
            f"W), got {kind(got)}"
        )
    for place, (name, gradient) in enumerate((("x", to_x), ("weight", to_weight))):
        if gradient is None or not gradient.any() or not t.depends((x, weight, 2), place):
            t.fail(
                f"No gradient reaches `{name}`. Work on tensors throughout, without `.item()`, `.data`, "
                "`.detach()`, numpy, or `torch.tensor(...)`."
            )
