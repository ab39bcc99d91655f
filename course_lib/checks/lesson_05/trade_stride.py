"""Lesson 05: strides traded for dilation. The nets are few: what each must become is written down beside it."""

import copy
import math

import torch
import torch.nn as nn

from .. import pictures
from ..causes import judge
from ..core import Exercise
from ..values import NotYet, kind

trade_stride = Exercise(
    "trade_stride",
    hints=(
        "Take strides 2, 2, 1, 2, 1 and `output_stride=2` on paper. Write below each convolution how many times finer "
        "the map that it *reads* is than in the net given.",
        "A layer that keeps its stride of 2 makes `reached` grow. One that loses it makes `finer` grow, but "
        "only for the layers "
        "after it: it still reads the map that it always read. Every later layer takes `finer` as its dilation.",
        "At each `nn.Conv2d`: set its dilation to `(finer, finer)`. Then, if `reached` is `output_stride` already, "
        "set the stride to (1, 1) and multiply `finer` by the stride that it had; if not, multiply `reached` by it.",
    ),
    own_work={
        name: "This calls a finished conversion. Write it: it is a walk through the layers with two numbers."
        for name in ("dilate", "DeepLab", "replace_stride_with_dilation", "_dilate")
    },
)


def _net(t, strides, kernels=None, norm=False):
    """A small net of given strides, in evaluation mode: nn.Sequential of Conv2d, BatchNorm2d where asked, and ReLU."""
    layers, channels = [], 2
    for i, stride in enumerate(strides):
        k, out = (kernels or [3] * len(strides))[i], 3 + i % 2
        conv = nn.Conv2d(channels, out, k, stride=stride, padding=k // 2)
        conv.weight.data = t.tensor(out, channels, k, k) * (2 / (channels * k * k)) ** 0.5
        conv.bias.data = 0.3 * t.tensor(out)
        layers.append(conv)
        if norm:
            layers.append(nn.BatchNorm2d(out))
            layers[-1].running_mean.copy_(0.3 * t.tensor(out))
        layers.append(nn.ReLU())
        channels = out
    return nn.Sequential(*layers).eval()


SLIPS = {
    "own": "The layer that loses its stride is dilated too. It reads the same map as before, so its own taps stay "
    "where they were; only the layers after it move theirs apart.",
    "never": "The strides are gone, but no layer is dilated: later layers now see a smaller part of the "
    "picture than they learned on.",
    "once": "Every later layer has dilation 2. Each further stride that is lost makes the map twice as fine again: the "
    "dilation doubles each time.",
    "one": "The dilation grows by 1 with each stride lost; it must double.",
    "add": "The dilation grows by 2 with each stride lost; it must double.",
    "plus": "The dilation grows by the stride of each later layer; it must be multiplied by it.",
    "each": "The dilation doubles at every layer; only a stride that is lost makes the map finer.",
    "every": "The dilation counts the strides that stay, too: only those taken away make the map finer than it was.",
    "output": "The dilation is the output stride; it is how many times finer the map is that a layer reads.",
    "stride": "The dilation is the stride that the layer had. It is how many times finer the map is that it reads.",
    "much": "The dilation is too large by the output stride: it counts the strides lost alone.",
    "rows": "Only the rows move apart: a dilation is a pair, of rows and of columns.",
    "columns": "Only the columns move apart: a dilation is a pair, of rows and of columns.",
    "idle": "A layer that had a stride, and is after another that lost one, is not dilated; it reads a finer map, too.",
    "lone": "Only the layers that lose a stride are dilated; those of stride 1 after them read a finer map, too.",
    "brief": "Only the next layer is dilated; every later one must be, too.",
    "threes": "Only the 3 × 3 layers are dilated; wider kernels need it, too.",
}


def _apart(net, strides, dilations):
    """A copy of the net whose convolutions have these strides and dilations, and the padding that keeps the size.

    dilations  a number for each convolution, or a pair
    """
    net = copy.deepcopy(net)
    for layer, stride, rate in zip((m for m in net if isinstance(m, nn.Conv2d)), strides, dilations):
        layer.stride, layer.dilation = (stride, stride), rate if isinstance(rate, tuple) else (rate, rate)
        layer.padding = tuple(r * (k // 2) for r, k in zip(layer.dilation, layer.kernel_size))
    return net


def _lost(net, new):
    """A sentence, if something that the net holds is not in the new one; else none."""
    kept = list(new.state_dict().values())
    for name, value in net.state_dict().items():
        if not any(v.shape == value.shape and torch.equal(v, value) for v in kept):
            what = "running means and variances of the normalisation" if "running" in name else "biases"
            if value.dim() > 1:
                what = "weights"
            return f"The {what} of the net given are not in the new one; it must have all that the old one holds."
    return ""


def _traded(t, net, output_stride):
    """The answer's module, in evaluation mode."""
    given = f"a net of {_strides(net)} and output_stride={output_stride}"
    try:
        got = t.call(net, output_stride)
    except NotYet as stopped:
        more = ""
        if "'int' object is not iterable" in stopped.message:
            more = (
                " A layer's `stride` and `dilation` are pairs, such as (2, 2): is one of them set to a single number?"
            )
        said = stopped.message.partition(" your code")[2]
        t.retold(f"For {given} your code{said}" if said else stopped.message, more)
    return t.module(got, given).eval()


def _strides(net):
    return "strides " + ", ".join(str(m.stride[0]) for m in net if isinstance(m, nn.Conv2d))


def _cases(t, rows, old=False):
    """(got, want, given, known mistakes, picture) of the answer's map for each of the nets.

    rows  (strides given, strides left, dilations, output stride, size of the picture), and options of `_net`
    old   whether to compare with the map of the net given, at every f-th place alone
    """
    for strides, left, dilations, output_stride, size, *options in rows:
        net = _net(t, strides, *options)
        reference, x = copy.deepcopy(net), t.tensor(1, 2, *size)
        kernels = [m.kernel_size[0] for m in net if isinstance(m, nn.Conv2d)]
        new = _traded(t, net, output_stride)
        got = t.run(new, x)
        gone = [a // b for a, b in zip(strides, left)]
        full = [math.prod(left[:j]) == output_stride for j in range(len(left))]  # no stride may be kept from there on
        wrong = {
            "own": [r * f for r, f in zip(dilations, gone)],
            "never": [1 for _ in dilations],
            "once": [min(r, 2) for r in dilations],
            "one": [1 + r.bit_length() - 1 for r in dilations],
            "add": [6 if r == 8 else r for r in dilations],
            "plus": [1 + sum(strides[j] for j in range(i) if full[j]) for i in range(len(left))],
            "each": [2 ** sum(full[:i]) for i in range(len(left))],
            "every": [math.prod(strides[:i]) for i in range(len(left))],
            "output": [output_stride if full[i] else 1 for i in range(len(left))],
            "stride": list(strides),
            "much": [r * output_stride for r in dilations],
            "rows": [(r, 1) for r in dilations],
            "columns": [(1, r) for r in dilations],
            "idle": [1 if s > 1 else r for r, s in zip(dilations, strides)],
            "lone": [r if f > 1 else 1 for r, f in zip(dilations, gone)],
            "brief": [1, *gone[:-1]],
            "threes": [r if k == 3 else 1 for r, k in zip(dilations, kernels)],
        }
        with torch.no_grad():
            first = reference(x)
            want = _apart(reference, left, dilations)(x)
            slips = [(_apart(reference, left, rates)(x), SLIPS[slip]) for slip, rates in wrong.items()]
        given = f"a net of {_strides(reference)}, output_stride={output_stride} and pictures of {size[0]} × {size[1]}"
        if not isinstance(got, torch.Tensor) or got.shape != want.shape:
            more = _size_slip(t, got, want.shape, first.shape)
            t.fail(f"For {given}: expected a map of shape {tuple(want.shape)}, got {kind(got)}{more}")
        if lost := _lost(reference, new):
            slips.append((got, lost))
        step = math.prod(gone) if old else 1
        look = [(value[:, :, ::step, ::step], meaning) for value, meaning in slips]
        yield got[:, :, ::step, ::step], first if old else want, given, look, pictures.maps


ASKED = ((2, 1, 2, 1), 2), ((2, 2, 2, 1), 4), ((1, 2, 1, 2), 2), ((2, 1, 2, 1), 4), ((2, 2, 1, 2), 1), ((2, 2, 2, 1), 2)
KEPT = (  # (the strides that a mistake leaves of each of ASKED, what it is); right are 2111 2211 1211 2121 1111 2111
    ("2121 2221 1212 2121 2111 2211", "One stride too many stays: where `reached` is `output_stride`, none may."),
    ("2121 2221 1212 2121 1111 2221", "No stride is taken away: `reached` has to grow with each stride that stays."),
    ("2121 2221 1212 2121 2212 2221", "No stride is taken away."),
    (
        "2111 2211 1111 2111 1111 2111",
        "The strides are added up in `reached`; they multiply: 2 and 2 are 4, 2 and 1 are 2.",
    ),
    (
        "2111 2221 1111 2121 1111 2111",
        "This counts layers in `reached`; it has to be multiplied by each stride that stays.",
    ),
    (
        "2111 2211 1211 2121 1212 2121",
        "A stride that is taken away makes `reached` grow, too; only those that stay do.",
    ),
    (
        "1111 1111 1111 1111 1111 1111",
        "Every stride is taken away; the first ones stay, until they make `output_stride`.",
    ),
)


def _kept(t):
    """Which known mistake leaves the strides that the answer leaves of the nets in ASKED; or ""."""
    found = []
    for strides, output_stride in ASKED:
        try:
            heights = [
                33,
                *(
                    layer["height"]
                    for layer in t.layers(_traded(t, _net(t, strides), output_stride), t.tensor(1, 2, 33, 33))
                ),
            ]
        except NotYet:
            return ""
        found.append("".join(str(round(a / b)) for a, b in zip(heights, heights[1:])))
    return next((f" {meaning}" for strides, meaning in KEPT if strides == " ".join(found)), "")


def _size_slip(t, got, want, old):
    """What a map of the wrong size tells."""
    if not isinstance(got, torch.Tensor) or got.dim() != 4 or got.shape[2:] == want[2:]:
        return ""
    if kept := _kept(t):
        return kept
    if got.shape[2:] == old[2:]:
        return " That is the size that the net given has."
    if got.shape[2] > want[2] and got.shape[3] > want[3]:
        return " Too few strides are left: the first ones stay, until their product is `output_stride`."
    if (got.shape[2] == want[2]) != (got.shape[3] == want[3]):
        return " One side is right: a stride and a dilation are pairs, of rows and of columns."
    if tuple(got.shape[2:]) in {(-(-want[2] // n), -(-want[3] // n)) for n in (2, 4, 8)}:
        return " Too many strides are left."
    if got.shape[2] - want[2] != got.shape[3] - want[3]:
        return ""
    return " A k × k layer of dilation r keeps the size with a padding of r·(k − 1)/2."


@trade_stride.part("the size of every map", 0.5)
def _(t):
    for strides, stride in (((2, 1, 2, 1), 2), ((2, 2, 2, 1), 2), ((1, 2, 1, 2), 1), ((2, 2, 1), 4)):
        h, w = t.random.randint(17, 24), t.random.randint(25, 30)
        net, x = _net(t, strides), t.tensor(2, 2, h, w)
        given = f"a net of {_strides(net)}, output_stride={stride} and pictures of {h} × {w}"
        with torch.no_grad():
            old = net(x).shape
        new = _traded(t, net, stride)
        got, want = t.run(new, x), (2, old[1], -(-h // stride), -(-w // stride))
        if not isinstance(got, torch.Tensor) or tuple(got.shape) != want:
            t.fail(
                f"For {given}: expected a map of {want[2]} × {want[3]}, got {kind(got)}{_size_slip(t, got, want, old)}"
            )
        made, heights = 1, []
        for step in strides:
            made = min(made * step, stride)
            heights.append(-(-h // made))
        found = [layer["height"] for layer in t.layers(new, x)]
        if len(found) == len(heights) and found != heights:
            t.fail(
                f"For {given}: the last map has the right size, but the convolutions' maps should be {heights} rows "
                f"high, and are {found}. Keep the first strides and take the later ones away."
            )


@trade_stride.part("the old map, at every second (fourth, …) place", 1)
def _(t):
    sizes = [(t.random.randint(18, 23), 24) for _ in range(3)]
    rows = (
        ((2, 1, 2, 1), (2, 1, 1, 1), (1, 1, 1, 2), 2, sizes[0]),
        ((2, 2, 1, 2, 1), (2, 1, 1, 1, 1), (1, 1, 2, 2, 4), 2, sizes[1]),
        ((2, 1, 2, 2, 1), (1, 1, 1, 1, 1), (1, 2, 2, 4, 8), 1, sizes[2]),
        ((2, 2, 2, 1, 1), (1, 1, 1, 1, 1), (1, 2, 4, 8, 8), 1, (22, 19)),
    )
    judge(t, _cases(t, rows, old=True))


@trade_stride.part("the cells between, and nothing but the weights given", 0.75)
def _(t):
    rows = (
        ((2, 2, 1, 2, 1), (2, 1, 1, 1, 1), (1, 1, 2, 2, 4), 2, (17, t.random.randint(18, 24))),
        ((2, 2, 2, 1, 1), (2, 1, 1, 1, 1), (1, 1, 2, 4, 4), 2, (21, 26)),
        ((1, 2, 1), (1, 2, 1), (1, 1, 1), 2, (12, 13)),
    )
    judge(t, _cases(t, rows))


@trade_stride.part("other kernels and batch normalisation", 0.5)
def _(t):
    rows = (
        ((2, 2, 1, 1), (2, 1, 1, 1), (1, 1, 2, 2), 2, (28, 33), (5, 3, 3, 5), True),
        ((2, 2, 2, 1), (2, 1, 1, 1), (1, 1, 2, 4), 2, (19, 24), (3, 1, 5, 3), True),
        ((2, 2, 1, 1), (1, 1, 1, 1), (1, 2, 4, 4), 1, (17, 21), (3, 3, 5, 3), True),
    )
    judge(t, _cases(t, rows))


@trade_stride.part("the net given stays as it was", 0.25)
def _(t):
    net = _net(t, (2, 2, 1, 2, 1), norm=True)
    before, x = copy.deepcopy(net), t.tensor(1, 2, 64, 64)
    got = t.run(_traded(t, net, 2), x)
    with torch.no_grad():
        if isinstance(got, torch.Tensor) and got.shape in (before(x).shape, x.shape):
            t.fail("The map has the size that it had. Take the later strides away, from a copy of the net.")
        if repr(net) != repr(before) or not torch.equal(net(x), before(x)):
            t.fail(
                "The net that was given has other strides, paddings or dilations now. Change a copy: "
                "`copy.deepcopy(net)`."
            )
