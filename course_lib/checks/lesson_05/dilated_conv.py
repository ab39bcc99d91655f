"""Lesson 05: a dilated convolution by hand, against torch's."""

import math

import torch
import torch.nn.functional as F

from .. import pictures
from ..causes import judge
from ..core import Exercise
from ..values import NotYet, kind, same, show

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


MIDDLE = "it should be the middle one, with as many taps before it as after."
ROUND = "What leaves the picture on one side comes in on the other (`torch.roll` does that); outside it all is 0."


def _convolved(t, x, weight, rate):
    """The answer's map; where torch stops it, what its windows have got wrong, if other inputs tell."""
    try:
        return t.call(x, weight, rate)
    except NotYet as stopped:
        more, ends = "", _all(t, _reads_last, (3, 2), (5, 2))
        alone = [_tried(t, (3, 3), 1, far) for far in (1, 2)]  # under a kernel of 1
        if all(isinstance(got, torch.Tensor) and got.numel() == 0 for got in alone):
            more = (
                " A window is empty, even of a kernel of 1: a slice that ends at −0 ends at 0. Let it end h rows, and "
                "w columns, after its beginning."
            )
        elif all(same(got, _nine()[:, :, far:, far:]) for got, far in zip(alone, (1, 2))):
            more = (
                " The windows begin too late: even that of a kernel of 1 runs off the end of `wide`. The window of tap "
                "(0, 0) begins at row 0 and column 0 of `wide`."
            )
        elif ends and _all(t, lambda got, w, v: got.numel() == 0, (3, 1), (5, 1)):
            more = (
                " A window begins before `wide` does: there, a negative start counts from the end. The corner of "
                "`wide` is (0, 0), and there the window of the first tap begins."
            )
        elif ends and _runs(t, x, weight):
            more = (
                " The windows have not all the picture's size. Does a slice step through it by `rate`? Only where a "
                "window begins depends on the rate; its rows and columns are neighbours."
            )
        elif _swapped(t):
            more = " Height and width have changed places: a window has h rows and w columns."
        elif _one_further(t):
            more = (
                " The windows begin `rate` + 1 pixels apart, and run off the end of `wide`; they should begin `rate` "
                "pixels apart, which leaves `rate` − 1 between two taps."
            )
        elif "must match the size of tensor" in stopped.message:
            more = (
                " The windows have not all the same size: that of tap (i, j) has h rows and w columns of `wide`, "
                "wherever it begins."
            )
        t.fail(stopped.message + more)


def _swapped(t):
    """Whether a map of a row comes out as a column, and the other way round."""
    return all(
        getattr(_tried(t, size, 3, rate), "shape", ()) == (1, 1, *size[::-1])
        for size in ((1, 2), (2, 1))
        for rate in (1, 2)
    )


def _one_further(t):
    """Whether the middle tap of nine reads one pixel further down and to the right than it should, at any rate."""
    return all(same(_tried(t, (3, 3), 3, r), F.pad(_nine(), (-1, 1, -1, 1)), 1e-4) for r in (1, 2, 3))


def _nine():
    return torch.arange(1.0, 10).reshape(1, 1, 3, 3)


def _tried(t, size, k, rate):
    """What the answer makes of the first numbers of `_nine` under a kernel that is 1 in the middle; None if nothing."""
    x, weight = _nine().flatten()[: math.prod(size)].reshape(1, 1, *size), torch.zeros(1, 1, k, k)
    weight[..., k // 2, k // 2] = 1
    try:
        return t.call(x, weight, rate)
    except NotYet:
        return None


def _runs(t, x, weight):
    """Whether the answer runs at rate 1."""
    try:
        return t.call(x, weight, 1) is not None
    except NotYet:
        return False


def _reads_last(got, weight, value):
    """Whether a picture of one pixel is read by the last tap alone."""
    return same(got, value * weight[:, 0, -1, -1].reshape(1, 2, 1, 1), 1e-4)


def _all(t, fits, *sizes):
    """Whether what the answer makes of one pixel, of value v, `fits` for a kernel and a rate of each of these sizes."""
    for k, rate in sizes:
        weight, x = t.tensor(2, 1, k, k), t.tensor(1, 1, 1, 1)
        try:
            got = t.call(x, weight, rate)
        except NotYet:
            return False
        if not isinstance(got, torch.Tensor) or not (got.numel() == 0 or got.shape == (1, 2, 1, 1)):
            return False
        if not fits(got, weight, x.item()):
            return False
    return True


def _maps(t, inputs):
    """(got, want, given, known mistakes, picture) of each (x, weight, rate)."""
    for x, weight, rate in inputs:
        got = _convolved(t, x, weight, rate)
        k, c = weight.shape[-1], x.shape[1]
        reach, far = rate * (k - 1), (rate + 1) * (k - 1)

        def padded(before, after=None, mode="constant", x=x):
            return F.pad(x, [before, before if after is None else after] * 2, mode=mode)

        def over(y, w=weight, rate=rate, k=k):
            down, across = (r * (k - 1) for r in (rate if isinstance(rate, tuple) else (rate, rate)))
            return F.conv2d(y, w, dilation=rate) if y.shape[2] > down and y.shape[3] > across else None

        def only(*taps, weight=weight):  # the kernel with 0 everywhere else
            kept = torch.zeros_like(weight)
            kept[(..., *taps)] = weight[(..., *taps)]
            return kept

        wide = padded(reach // 2)
        known = [
            (over(wide, weight.flip(2, 3)), "The kernel is upside down: nothing is flipped here."),
            (over(wide, weight.transpose(2, 3)), "Rows and columns of the kernel have changed places."),
            (over(padded(0, reach)), f"The first tap lies on the output pixel here; {MIDDLE}"),
            (over(padded(reach, 0)), f"The last tap lies on the output pixel here; {MIDDLE}"),
            (over(padded(k // 2), rate=1), f"This is rate 1: neighbouring taps should stand {rate} pixels apart."),
            (
                over(padded(far // 2), rate=rate + 1),
                f"Your taps stand {rate + 1} pixels apart; rate {rate} leaves {rate - 1} pixels between two taps, not "
                f"{rate}.",
            ),
            (
                over(padded(reach // 2, mode="replicate")),
                "The rim is repeated beyond the picture; outside it all is 0.",
            ),
            *(
                (
                    over(wide, torch.diag_embed(weight.sum(axis))),
                    "Both axes move by the same tap number here: a window's rows follow i, its columns j.",
                )
                for axis in (2, 3)
            ),
            (
                over(wide[:, :, : x.shape[2] + k - 1, : x.shape[3] + k - 1], rate=1),
                "The windows begin 1 pixel apart here; they should begin `rate` pixels apart.",
            ),
            (
                over(wide[..., : x.shape[3] + k - 1], rate=(rate, 1)),
                "The windows' rows follow the rate, their columns do not.",
            ),
            (
                over(wide[:, :, : x.shape[2] + k - 1], rate=(1, rate)),
                "The windows' columns follow the rate, their rows do not.",
            ),
            (
                torch.einsum("bchw,oc->bohw", wide, weight.sum((2, 3))),
                "Every tap reads all of the padded picture; a window is as large as the picture, and begins elsewhere "
                "for each tap.",
            ),
            (
                over(wide, only(0, slice(None))),
                "Only the first row of taps is read. Does `return` stand inside the loop?",
            ),
            (over(wide, only(0, 0)), "Only the first tap is read. Does `return` stand inside the loops?"),
            (
                over(wide, only(-1, slice(None))),
                "Only the last row of taps is left. Does `total` begin again at 0 inside the loop?",
            ),
            (over(wide, only(-1, -1)), "Only the last tap is left: `total` has to take all of them together."),
            (over(wide)[..., :-1, :-1], "A row and a column are missing: a window ends h and w after its beginning."),
            (over(x), "No padding: zeros around the picture keep its size."),
            (over(padded(rate)), f"Zeros of width rate fit a kernel of 3; one of {k} needs rate·(k − 1)/2 of them."),
            (
                over(padded(k // 2)),
                f"Zeros of width (k − 1)/2 fit rate 1; here rate·(k − 1)/2 = {reach // 2} are needed.",
            ),
            (over(wide[:, :, :, reach // 2 : -(reach // 2) or None]), "The width is not padded; the height is."),
            (over(wide[:, :, reach // 2 : -(reach // 2) or None]), "The height is not padded; the width is."),
        ]
        if reach // 2 <= min(x.shape[2:]):
            known.append((over(padded(reach // 2, mode="circular")), ROUND))
        if c > 1:
            known += [
                (over(wide[:, :1], weight[:, :1]), "Only the first input channel is read; sum over all of them."),
                (over(wide) / c, "This is the mean over the input channels; take the sum."),
            ]
        if len(x) > 1:
            first = over(wide[:1]).repeat(len(x), 1, 1, 1)
            known.append((over(wide[:1]), "Only the first picture of the batch is left."))
            known.append((first, "Every picture of the batch gets the first one's map."))
        if weight.shape[0] == c > 1:
            known.append(
                (
                    over(wide, weight.transpose(0, 1)),
                    "The channels of the weight are read as (C_in, C_out); they are (C_out, C_in).",
                )
            )
        given = f"x of shape {tuple(x.shape)}, weight of shape {tuple(weight.shape)}, rate {rate}"
        yield got, over(wide), given, known, pictures.maps


def _counting(t, *shape):
    """Small whole numbers as floats: 1, 2, 3, … in an order of the trial's own."""
    return (torch.randperm(math.prod(shape), generator=t.generator) + 1.0).reshape(shape)


@dilated_conv.part("rate 1: an ordinary convolution", 0.5)
def _(t):
    sizes = (3, 4), (5, 4)
    judge(t, _maps(t, ((_counting(t, 1, 1, *size), _counting(t, 1, 1, 3, 3), 1) for size in sizes)))


@dilated_conv.part("other rates", 0.5)
def _(t):
    inputs = [(t.tensor(1, 1, 9, 10), t.tensor(1, 1, 3, 3), rate) for rate in (2, t.random.choice([3, 4]))]
    inputs.append((t.tensor(1, 1, 4, 5), t.tensor(1, 1, 3, 3), 6))  # only the middle tap is inside
    judge(t, _maps(t, inputs))


@dilated_conv.part("kernels of other sizes, batch and channels", 0.5)
def _(t):
    inputs = [(t.tensor(2, 3, 8, 7), t.tensor(t.random.choice([2, 4]), 3, 5, 5), 2)]
    inputs += [(t.tensor(2, 3, 6, 7), t.tensor(3, 3, 3, 3), 2), (t.tensor(3, 2, 6, 9), t.tensor(2, 2, 5, 5), 3)]
    inputs.append((t.tensor(2, 2, 5, 4), t.tensor(3, 2, 1, 1), 3))
    judge(t, _maps(t, inputs))


@dilated_conv.part("gradients flow, arguments stay as they were", 0.5)
def _(t):
    x, weight = t.tensor(1, 2, 5, 5).requires_grad_(), t.tensor(2, 2, 3, 3).requires_grad_()
    got = t.call(x.detach(), weight.detach(), 2)
    t.unchanged("one of its arguments. Pad and add up in new tensors.")
    if not isinstance(got, torch.Tensor) or got.dim() != 4 or not got.is_floating_point():
        t.fail(
            "For x of shape (1, 2, 5, 5) and weight of shape (2, 2, 3, 3): expected a float map of shape (B, C, H, "
            f"W), got {show(got) if isinstance(got, torch.Tensor) else kind(got)}"
        )
    _, (to_x, to_weight, _) = t.gradients(x, weight, 2)
    for place, (name, gradient) in enumerate((("x", to_x), ("weight", to_weight))):
        if gradient is None or not gradient.any() or not t.depends((x, weight, 2), place):
            t.fail(
                f"No gradient reaches `{name}`. Work on tensors throughout, without `.item()`, `.data`, "
                "`.detach()`, `torch.no_grad()`, numpy, or `torch.tensor(...)`."
            )
