"""Lesson 05: strides traded for dilation. What is expected is found without any, phase by phase."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F

from .. import pictures
from ..causes import judge
from ..core import Exercise
from ..values import kind

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


def _dense(layers, x, stride, output_stride):
    """What the net makes of x if strides beyond output_stride are undone, by phases: no dilation anywhere.

    A layer that gives up its stride of s puts out s·s interleaved maps. The rest of the net runs on each of them alone.
    """
    for i, layer in enumerate(layers):
        if isinstance(layer, nn.Conv2d) and layer.stride[0] > 1:
            step = layer.stride[0]
            if stride * step <= output_stride:
                stride *= step
            else:
                full = F.conv2d(x, layer.weight, layer.bias, padding=layer.padding)
                first = _dense(layers[i + 1 :], full[:, :, ::step, ::step], output_stride, output_stride)
                whole = first.new_zeros(*first.shape[:2], *full.shape[2:])
                for a in range(step):
                    for b in range(step):
                        phase = full[:, :, a::step, b::step]
                        if phase.numel():
                            whole[:, :, a::step, b::step] = _dense(layers[i + 1 :], phase, output_stride, output_stride)
                return whole
        x = layer(x)
    return x


def _retimed(net, output_stride, *, own=False, once=False, never=False, add=False, threes=False, brief=False):
    """A wrong conversion, to tell which one an answer is: see the sentences in `_slips`."""
    net, made, finer = copy.deepcopy(net), 1, 1
    for layer in net:
        if not isinstance(layer, nn.Conv2d):
            continue
        step, before = layer.stride[0], finer
        finer = 1 if brief else finer
        if made * step > output_stride and step > 1:
            if once:
                finer = step
            elif add:
                finer += step - (finer == 1)
            else:
                finer *= step
            layer.stride = (1, 1)
        else:
            made *= step
        factor = finer if own else before
        if never or (threes and layer.kernel_size != (3, 3)):
            factor = 1
        layer.dilation = (factor, factor)
        layer.padding = tuple(factor * (k // 2) for k in layer.kernel_size)
    return net


def _slips(net, output_stride, x):
    pairs = [
        (
            dict(own=True),
            "The layer that loses its stride is dilated too. It reads the same map as before, so its own taps stay "
            "where they were; only the layers after it move theirs apart.",
        ),
        (
            dict(never=True),
            "The strides are gone, but no layer is dilated: later layers now see a smaller part of the "
            "picture than they learned on.",
        ),
        (
            dict(once=True),
            "Every later layer has dilation 2. Each further stride that is lost makes the map twice as fine again: the "
            "dilation doubles each time.",
        ),
        (dict(add=True), "The dilation grows by 2 with each stride lost; it must double."),
        (dict(brief=True), "Only the next layer is dilated; every later one must be, too."),
        (dict(threes=True), "Only the 3 × 3 layers are dilated; wider kernels need it, too."),
    ]
    with torch.no_grad():
        return [(_retimed(net, output_stride, **slip)(x), meaning) for slip, meaning in pairs]


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
    got = t.call(net, output_stride)
    return t.module(got, f"a net of {_strides(net)} and output_stride={output_stride}").eval()


def _strides(net):
    return "strides " + ", ".join(str(m.stride[0]) for m in net if isinstance(m, nn.Conv2d))


def _case(t, look, strides, output_stride, size, **options):
    """(got, want, given, known mistakes, picture) of `look(map)` of the answer's map, whose size must be right."""
    net = _net(t, strides, **options)
    reference, x = copy.deepcopy(net), t.tensor(1, 2, *size)
    new = _traded(t, net, output_stride)
    got = t.run(new, x)
    with torch.no_grad():
        want = _dense(list(reference), x, 1, output_stride)
        slips = _slips(reference, output_stride, x)
    given = f"a net of {_strides(reference)}, output_stride={output_stride} and pictures of {size[0]} × {size[1]}"
    if not isinstance(got, torch.Tensor) or got.shape != want.shape:
        with torch.no_grad():
            more = _size_slip(got, want.shape, reference(x).shape)
        t.fail(f"For {given}: expected a map of shape {tuple(want.shape)}, got {kind(got)}{more}")
    known = [(look(wrong), meaning) for wrong, meaning in slips if wrong.shape == want.shape]
    lost = _lost(reference, new)
    return look(got), look(want), given, known + [(look(got), lost)] * bool(lost), pictures.maps


def _size_slip(got, want, old):
    """What a map of the wrong size tells."""
    if not isinstance(got, torch.Tensor) or got.dim() != 4 or got.shape[2:] == want[2:]:
        return ""
    if got.shape[2:] == old[2:]:
        return " That is the size that the net given has."
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
            t.fail(f"For {given}: expected a map of {want[2]} × {want[3]}, got {kind(got)}{_size_slip(got, want, old)}")
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
    nets = ((2, 1, 2, 1), 2, 2), ((2, 2, 1, 2, 1), 2, 4), ((2, 1, 2, 2, 1), 1, 8)
    sizes = [(t.random.randint(18, 23), 24) for _ in nets]
    judge(
        t,
        (
            _case(t, lambda m, lost=lost: m[:, :, ::lost, ::lost], strides, stride, size)
            for (strides, stride, lost), size in zip(nets, sizes)
        ),
    )


@trade_stride.part("the cells between, and nothing but the weights given", 0.75)
def _(t):
    inputs = (
        ((2, 2, 1, 2, 1), 2, (17, t.random.randint(18, 24))),
        ((2, 2, 2, 1, 1), 2, (21, 26)),
        ((1, 2, 1), 2, (12, 13)),
    )
    judge(t, (_case(t, lambda m: m, *given) for given in inputs))


@trade_stride.part("other kernels and batch normalisation", 0.5)
def _(t):
    inputs = (
        ((2, 2, 1, 1), 2, (28, 33), dict(kernels=[5, 3, 3, 5], norm=True)),
        ((2, 2, 2, 1), 2, (19, 24), dict(kernels=[3, 1, 5, 3], norm=True)),
    )
    judge(t, (_case(t, lambda m: m, *given, **options) for *given, options in inputs))


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
