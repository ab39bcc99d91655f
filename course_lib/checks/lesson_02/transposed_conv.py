"""Lesson 02: a transposed convolution by hand, against torch's."""

import re

import torch
import torch.nn.functional as F

from .. import pictures
from ..causes import judge
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


def _called(t, x, weight, stride):
    """The answer's canvas; where it stops, with what two sizes that do not match tell."""
    try:
        return t.call(x, weight, stride)
    except NotYet as stopped:
        k = weight.shape[-1]
        if f"size of tensor a ({stride}) must match the size of tensor b ({k})" in stopped.message and k != stride:
            stopped.message += (
                f" A patch is k = {k} long, however far apart patches start: slices of the stride are too short."
            )
        elif weight.shape[0] != weight.shape[1] and _two_sizes(stopped.message, *weight.shape[:2]):
            stopped.message += " The first axis of `weight` is x's channels, which are summed over."
        raise


def _two_sizes(message, a, b):
    """Whether an error's text names both of these numbers."""
    return {str(a), str(b)} <= set(re.findall(r"\d+", message.partition("stopped with")[2]))


def _sized(t, got, want, x, weight, stride, given):
    """Fail where the canvas has another height or width than it must have, and say why."""
    if not isinstance(got, torch.Tensor) or got.dim() != 4 or got.shape[2:] == want.shape[2:]:
        return
    k, more = weight.shape[-1], ""
    if got.shape[2:] == (x.shape[2] * stride, x.shape[3] * stride):
        more = f" The last patch hangs over by k − s = {k - stride}; the size is (n − 1)·s + k."
    elif stride > 1 and got.shape[2:] == (x.shape[2] - 1 + k, x.shape[3] - 1 + k):
        more = f" Neighbouring patches start {stride} pixels apart, not 1."
    elif stride != 2 and got.shape[2:] == (2 * x.shape[2] - 2 + k, 2 * x.shape[3] - 2 + k):
        more = " That is the size for stride 2."
    t.fail(f"For {given}: expected size {tuple(want.shape[2:])}, got {tuple(got.shape[2:])}.{more}")


def _known(x, weight, stride, want):
    """(a wrong canvas, what it reveals) for the usual slips."""
    brush, last = torch.ones(1, 1, *weight.shape[2:]), torch.zeros_like(want)
    for place in range(x[0, 0].numel()):
        one = torch.eye(x[0, 0].numel())[place].reshape(1, 1, *x.shape[2:])
        painted = F.conv_transpose2d(one, brush, stride=stride) > 0
        last = torch.where(painted, F.conv_transpose2d(x * one, weight, stride=stride), last)
    upside_down = F.conv_transpose2d(x, weight.flip(2, 3), stride=stride)
    turned = F.conv_transpose2d(x, weight.transpose(2, 3), stride=stride)
    stripes = F.conv_transpose2d(x, weight.sum((2, 3), keepdim=True).expand_as(weight), stride=stride)
    times = F.conv_transpose2d(torch.ones_like(x[:1, :1]), brush, stride=stride)
    packed = F.conv_transpose2d(x, weight)
    packed = F.pad(packed, (0, want.shape[3] - packed.shape[3], 0, want.shape[2] - packed.shape[2]))
    known = [
        (packed, f"Neighbouring patches start {stride} pixels apart, not 1."),
        (want / times.clamp(min=1), "Where patches overlap this takes their mean; they add up."),
        (last, "Later patches have overwritten earlier ones; where they overlap they add up."),
        (upside_down, "The kernel is upside down: nothing is flipped here."),
        (turned, "Rows and columns of the kernel have changed places."),
        (stripes, "The brush is summed up to one number; each of its weights paints its own place."),
    ]
    if x.shape[1] > 1:
        first = F.conv_transpose2d(x[:, :1], weight[:1], stride=stride)
        known.append((first, "Only the first channel of x paints; all are summed."))
        mean = want / x.shape[1]
        known.append((mean, "This is the mean over the channels of x; they are summed."))
        mixed = F.conv_transpose2d(x.sum(1, keepdim=True), weight.sum(0, keepdim=True), stride=stride)
        known.append((mixed, "The channels are summed before they meet their brushes; multiply first, then sum."))
    if x.shape[0] > 1:
        known.append((torch.cat([want[:1], 0 * want[1:]]), "Only the first picture of the batch is painted."))
        known.append((want[:1].expand_as(want), "Every picture of the batch is the first one."))
        known.append((want.sum(0, keepdim=True).expand_as(want), "The pictures of the batch have been added up."))
    return known


def _transposed_part(t, *settings):
    """Judge the answer on each (x, weight, stride)."""

    def cases():
        for x, weight, stride in settings:
            given = f"x of shape {tuple(x.shape)}, weight of shape {tuple(weight.shape)}, stride {stride}"
            got, want = _called(t, x, weight, stride), F.conv_transpose2d(x, weight, stride=stride)
            _sized(t, got, want, x, weight, stride, given)
            yield got, want, given, _known(x, weight, stride, want)

    judge(t, cases(), picture=pictures.maps)


@transposed_conv.part("one pixel paints one kernel", 0.5)
def _(t):
    settings = []
    for row, column in ((1, 2), (2, 1)):  # not at the corner, where no stride is seen
        x = torch.zeros(1, 1, 3, 3)
        x[0, 0, row, column] = 1.0 + t.random.random()
        settings.append((x, t.tensor(1, 1, 3, 3), 3))
    _transposed_part(t, *settings)


@transposed_conv.part("overlapping patches add up", 0.5)
def _(t):
    _transposed_part(t, *((t.tensor(1, 1, *size), t.tensor(1, 1, 3, 3), 2) for size in ((4, 5), (3, 3))))


@transposed_conv.part("batch and channels", 0.5)
def _(t):
    _transposed_part(t, *((t.tensor(2, 3, 3, 4), t.tensor(3, out, 2, 2), 2) for out in (2, 4)))


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
