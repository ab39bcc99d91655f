"""Lesson 02: a transposed convolution by hand, against torch's."""

import torch
import torch.nn.functional as F

from .. import pictures
from ..core import Exercise
from ..values import NotYet, kind

transposed_conv = Exercise(
    "transposed_conv",
    hints=(
        "An input pixel at row i, column j paints k×k places of the canvas, from `top` and `left` on. Which "
        "slice is that?",
        "Patches that overlap are added, so use `+=` on a slice of the canvas. Do all images and channels of "
        "one place at once.",
        "At one place, `here` is (B, C_in) and the weight is (C_in, C_out, k, k). Call the axes b c and c o k l: "
        "`torch.einsum` gives the patches b o k l, summed over c. Add them to the canvas, all images at once.",
    ),
    own_work={
        name: "This calls torch's own transposed convolution. Write it from slices: that is where the checkerboard "
        "will show."
        for name in (
            "conv_transpose2d",
            "ConvTranspose2d",
            "conv_transpose1d",
            "convolution",
            "fold",
            "Fold",
            "grad",
            "conv2d_input",
        )
    },
)


def _transposed_part(t, x, weight, stride):
    try:
        got = t.call(x, weight, stride)
    except NotYet as stopped:
        axes = (
            " The first axis of `weight` is x's channels, which are summed over."
            if weight.shape[0] != weight.shape[1]
            else ""
        )
        k = weight.shape[-1]
        if f"size of tensor a ({stride}) must match the size of tensor b ({k})" in stopped.message and k != stride:
            axes = f" A patch is k = {k} long, however far apart patches start: slices of the stride are too short."
        t.fail(stopped.message + axes)
    want = F.conv_transpose2d(x, weight, stride=stride)
    given = f"x of shape {tuple(x.shape)}, weight of shape {tuple(weight.shape)}, stride {stride}"
    k = weight.shape[-1]
    brush, last = torch.ones(1, 1, k, k), torch.zeros_like(want)
    for place in range(x.shape[2] * x.shape[3]):
        one = (
            torch.zeros(x.shape[2] * x.shape[3]).index_fill_(0, torch.tensor([place]), 1.0).reshape(1, 1, *x.shape[2:])
        )
        last = torch.where(
            F.conv_transpose2d(one, brush, stride=stride) > 0, F.conv_transpose2d(x * one, weight, stride=stride), last
        )
    known = [(last, "Later patches have overwritten earlier ones; where they overlap they add up.")]
    known.append(
        (F.conv_transpose2d(x, weight.flip(2, 3), stride=stride), "The kernel is upside down: nothing is flipped here.")
    )
    known.append(
        (
            F.conv_transpose2d(x, weight.transpose(2, 3), stride=stride),
            "Rows and columns of the kernel have changed places.",
        )
    )
    if x.shape[0] > 1:
        first = torch.cat([want[:1], 0 * want[1:]])
        known.append((first, "Only the first picture of the batch is painted."))
        known.append((want[:1].expand_as(want), "Every picture of the batch is the first one."))
    if isinstance(got, torch.Tensor) and got.shape[2:] == (x.shape[2] * stride, x.shape[3] * stride) != want.shape[2:]:
        t.fail(
            f"For {given}: expected size {tuple(want.shape[2:])}, got {tuple(got.shape[2:])}. "
            f"The last patch hangs over by k − s = {k - stride}; the size is (n − 1)·s + k."
        )
    if isinstance(got, torch.Tensor) and stride > 1 and got.shape[2:] == (x.shape[2] - 1 + k, x.shape[3] - 1 + k):
        t.fail(
            f"For {given}: expected size {tuple(want.shape[2:])}, got {tuple(got.shape[2:])}. Neighbouring "
            f"patches start {stride} pixels apart, not 1."
        )
    t.close(got, want, given, known, picture=pictures.maps)


@transposed_conv.part("one pixel paints one kernel", 0.5)
def _(t):
    x = torch.zeros(1, 1, 3, 3)
    x[0, 0, t.random.randint(1, 2), t.random.randint(1, 2)] = 1.0  # not at the corner, where no stride is seen
    _transposed_part(t, x, t.tensor(1, 1, 3, 3), 3)


@transposed_conv.part("overlapping patches add up", 0.5)
def _(t):
    _transposed_part(t, t.tensor(1, 1, 4, 5), t.tensor(1, 1, 3, 3), 2)


@transposed_conv.part("batch and channels", 0.5)
def _(t):
    for out in (2, 4):
        _transposed_part(t, t.tensor(2, 3, 3, 4), t.tensor(3, out, 2, 2), 2)


@transposed_conv.part("gradients flow, arguments stay as they were", 0.5)
def _(t):
    x, weight = t.tensor(1, 2, 3, 3).requires_grad_(), t.tensor(2, 1, 3, 3).requires_grad_()
    got, (to_x, to_weight, _) = t.gradients(x, weight, 2)
    tips = "Work on tensors throughout, without `.item()`, `.data`, `.detach()`, numpy, or `torch.tensor(...)`."
    if not isinstance(got, torch.Tensor) or got.dim() != 4:
        t.fail(
            "For x of shape (1, 2, 3, 3) and weight of shape (2, 1, 3, 3): expected a map of shape (B, C, H, "
            f"W), got {kind(got)}"
        )
    for place, (name, gradient) in enumerate((("x", to_x), ("weight", to_weight))):
        if gradient is None or not gradient.any() or not t.depends((x, weight, 2), place):
            t.fail(f"No gradient reaches `{name}`. {tips}")
    t.unchanged("one of its arguments. Write into a new tensor of zeros.")
