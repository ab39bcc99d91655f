"""Checks of lesson 05, the parts of DeepLab: strides traded, ASPP, the decoder; `check` holds those of the rates, too."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F

from .values import kind
from .lesson_05_rates import _draw_maps, check

# --- strides traded for dilation ----------------------------------------------------------------------------

trade_stride = check.exercise(
    "trade_stride",
    hints=(
        "Walk through the layers once, from the input on, with two numbers in mind: the stride that the map has so far, and how many "
        "times finer it is than in the net given.",
        "A strided layer that keeps its stride makes the first number grow. One that loses it makes the second grow, but only for the layers "
        "after it: it still reads the map that it always read. Every later layer takes the second number as its dilation.",
        "Start from `copy.deepcopy(net)`. At each `nn.Conv2d`: set its dilation to the second number, and its padding to that times "
        "(k − 1)/2; then, if its stride of 2 would lead beyond `output_stride`, set the stride to 1 and double the second number.",
    ),
    own_work={name: "This calls a finished conversion. Write it: it is a walk through the layers with two numbers."
              for name in ("dilate", "DeepLab", "replace_stride_with_dilation", "_dilate")},
)


def _net(t, strides, kernels=None, norm=False):
    """A small net of given strides, in evaluation mode: nn.Sequential of Conv2d, BatchNorm2d where asked, and ReLU."""
    layers, channels = [], 2
    for i, stride in enumerate(strides):
        k, out = (kernels or [3] * len(strides))[i], 3 + i % 2
        conv = nn.Conv2d(channels, out, k, stride=stride, padding=k // 2)
        with torch.no_grad():
            conv.weight.copy_(t.tensor(out, channels, k, k) * (2 / (channels * k * k)) ** 0.5)
            conv.bias.copy_(0.3 * t.tensor(out))
        layers.append(conv)
        if norm:
            layers.append(nn.BatchNorm2d(out))
            layers[-1].running_mean.copy_(0.3 * t.tensor(out))
        layers.append(nn.ReLU())
        channels = out
    return nn.Sequential(*layers).eval()


def _dense(layers, x, stride, output_stride):
    """What the net makes of x if strides beyond output_stride are undone, by phases: no dilation anywhere.

    A layer that gives up its stride of s puts out s·s interleaved maps. What is left of the net runs on each of them alone.
    """
    for i, layer in enumerate(layers):
        if isinstance(layer, nn.Conv2d) and layer.stride[0] > 1:
            step = layer.stride[0]
            if stride * step <= output_stride:
                stride *= step
            else:
                full = F.conv2d(x, layer.weight, layer.bias, padding=layer.padding)
                first = _dense(layers[i + 1:], full[:, :, ::step, ::step], output_stride, output_stride)
                whole = first.new_zeros(*first.shape[:2], *full.shape[2:])
                for a in range(step):
                    for b in range(step):
                        phase = full[:, :, a::step, b::step]
                        if phase.numel():
                            whole[:, :, a::step, b::step] = _dense(layers[i + 1:], phase, output_stride, output_stride)
                return whole
        x = layer(x)
    return x


def _retimed(net, output_stride, *, own=False, once=False, never=False, last=False):
    """A wrong conversion, to tell which one an answer is: see the sentences in `_slips`."""
    net, made, finer = copy.deepcopy(net), 1, 1
    total = 1
    for layer in net:
        total *= layer.stride[0] if isinstance(layer, nn.Conv2d) else 1
    spare = total // output_stride
    for layer in net:
        if not isinstance(layer, nn.Conv2d):
            continue
        step, before = layer.stride[0], finer
        lost = step > 1 and (spare >= step if last else made * step > output_stride)
        if lost:
            spare //= step
            finer = step if once else finer * step
            layer.stride = (1, 1)
        else:
            made *= step
        factor = 1 if never else finer if own else before
        layer.dilation = (factor, factor)
        layer.padding = tuple(factor * (k // 2) for k in layer.kernel_size)
    return net


def _slips(net, output_stride, x):
    pairs = [
        (dict(own=True), "The layer that loses its stride is dilated too. It reads the same map as before, so its own taps stay where they "
                         "were; only the layers after it move theirs apart."),
        (dict(never=True), "The strides are gone, but no layer is dilated: later layers now see a smaller part of the picture than they learned on."),
        (dict(once=True), "Every later layer has dilation 2. Each further stride that is lost makes the map twice as fine again: the "
                          "dilation doubles each time."),
        (dict(last=True), "The first strides are taken out and the last ones kept. Keep the first: the map is then small as early as it may be."),
    ]
    with torch.no_grad():
        return [(_retimed(net, output_stride, **slip)(x), meaning) for slip, meaning in pairs]


def _traded(t, net, output_stride):
    """The answer's module, in evaluation mode."""
    got = t.call(net, output_stride)
    if not isinstance(got, nn.Module):
        t.fail(f"For a net of {_strides(net)} and output_stride={output_stride}: expected an `nn.Module`, got {kind(got)}")
    return got.eval()


def _strides(net):
    return "strides " + ", ".join(str(m.stride[0]) for m in net if isinstance(m, nn.Conv2d))


def _trade_part(t, look, strides, output_stride, size, **options):
    """Compare `look(map)` of the answer's module with that of the dense map, whose size must be right."""
    net = _net(t, strides, **options)
    reference, x = copy.deepcopy(net), t.tensor(1, 2, *size)
    got = t.run(_traded(t, net, output_stride), x)
    with torch.no_grad():
        want = _dense(list(reference), x, 1, output_stride)
        slips = _slips(reference, output_stride, x)
    given = f"a net of {_strides(reference)}, output_stride={output_stride} and pictures of {size[0]} × {size[1]}"
    if not isinstance(got, torch.Tensor) or got.shape != want.shape:
        more = ""
        if isinstance(got, torch.Tensor) and got.dim() == 4:
            with torch.no_grad():
                if got.shape == reference(x).shape:
                    more = " That is the size that the net given has."
                elif got.shape[2] < want.shape[2]:
                    more = " A 3 × 3 layer of dilation r keeps the size with a padding of r."
        t.fail(f"For {given}: expected a map of shape {tuple(want.shape)}, got {kind(got)}{more}")
    t.close(look(got), look(want), given, [(look(wrong), meaning) for wrong, meaning in slips if wrong.shape == want.shape],
            picture=_draw_maps)


@trade_stride.part("the size of the new map", 0.5)
def _(t):
    for strides, stride in (((2, 1, 2, 1), 2), ((2, 2, 2, 1), 2), ((1, 2, 1, 2), 1), ((2, 2, 1), 4)):
        h, w = t.random.randint(17, 24), t.random.randint(25, 30)
        net = _net(t, strides)
        got = t.run(_traded(t, net, stride), t.tensor(2, 2, h, w))
        want = -(-h // stride), -(-w // stride)
        if not isinstance(got, torch.Tensor) or tuple(got.shape[2:]) != want:
            t.fail(f"For a net of {_strides(net)}, output_stride={stride} and pictures of {h} × {w}: expected a map of {want[0]} × {want[1]}, "
                   f"got {kind(got)} A 3 × 3 layer of dilation r keeps the size with a padding of r.")


@trade_stride.part("the old map, at every second (fourth, …) place", 1)
def _(t):
    for strides, stride, lost in (((2, 1, 2, 1), 2, 2), ((2, 2, 1, 2, 1), 2, 4), ((2, 1, 2, 2, 1), 1, 8)):
        _trade_part(t, lambda m, lost=lost: m[:, :, ::lost, ::lost], strides, stride, (t.random.randint(18, 23), 24))


@trade_stride.part("the cells between, and nothing but the weights given", 0.75)
def _(t):
    _trade_part(t, lambda m: m, (2, 2, 1, 2, 1), 2, (17, t.random.randint(18, 24)))
    _trade_part(t, lambda m: m, (1, 2, 1), 2, (12, 13))


@trade_stride.part("other kernels and batch normalisation", 0.5)
def _(t):
    _trade_part(t, lambda m: m, (2, 2, 1, 1), 2, (20, 21), kernels=[5, 3, 5, 1], norm=True)
    _trade_part(t, lambda m: m, (2, 2, 2, 1), 2, (19, 24), kernels=[3, 1, 5, 3])


@trade_stride.part("the net given stays as it was", 0.25)
def _(t):
    net = _net(t, (2, 2, 1, 2, 1), norm=True)
    before, x = copy.deepcopy(net), t.tensor(1, 2, 16, 16)
    _traded(t, net, 2)
    with torch.no_grad():
        if repr(net) != repr(before) or not torch.equal(net(x), before(x)):
            t.fail("The net that was given has other strides, paddings or dilations now. Change a copy: `copy.deepcopy(net)`.")


# --- atrous spatial pyramid pooling -------------------------------------------------------------------------

build_aspp = check.exercise(
    "build_aspp",
    hints=(
        "Write the five branches down one by one, each as a small `nn.Sequential` or a few layers, and give each the same input. What is a "
        "reach of 96 pixels on a map whose cells are 16 pixels wide?",
        "rate = reach // stride, and padding = rate keeps the size. The average is `x.mean((2, 3), keepdim=True)`; after its 1 × 1 "
        "convolution and ReLU it is spread over the map with `.expand(...)`.",
        "In `__init__`: a 1 × 1 branch, an `nn.ModuleList` of three 3 × 3 branches (convolution, `nn.BatchNorm2d(width)`, ReLU), a 1 × 1 convolution "
        "for the average, and a 1 × 1 convolution from 5·width to width. In `forward`: a list of five maps, `torch.cat(…, dim=1)`, mix.",
    ),
    own_work={name: "This hands the work to a finished module. Build the five branches yourself."
              for name in ("ASPP", "DeepLab", "DeepLabHead", "ASPPConv", "ASPPPooling", "deeplabv3_resnet50", "Pooled")},
)

BRANCHES = ("the 1 × 1 branch", "the first rate", "the second rate", "the third rate", "the average")


def _module(t, what, *args):
    net = t.call(*args)
    if not isinstance(net, nn.Module):
        t.fail(f"For {what}: expected an `nn.Module`, got {kind(net)}")
    return net.eval()


def _expect_weights(t, net, what, wanted):
    """Fail unless the module's convolutions have the shapes `wanted`, {shape: how many}; only those of four axes are looked at."""
    found = [tuple(p.shape) for p in net.parameters() if p.dim() == 4]
    text = ", ".join(f"{n} of {s}" for s, n in wanted.items())
    for shape, count in wanted.items():
        if found.count(shape) != count:
            more = ""
            if not found:
                more = " It has none: make the layers in `__init__`, and keep a list of them as an `nn.ModuleList`."
            elif not any(s == shape for s in found):
                more = f" There is none of {shape}."
            t.fail(f"For {what}: the convolutions should have weights of shape (out, in, k, k): {text}. Yours: "
                   f"{', '.join(map(str, found)) or 'none'}.{more}")
    if len(found) != sum(wanted.values()):
        t.fail(f"For {what}: expected {sum(wanted.values())} convolutions, with weights {text}; found {len(found)}: {', '.join(map(str, found))}.")


def _set(net, weights):
    """Give all weights of four axes the tensor that `weights` has for their shape; normalise by nothing, add nothing."""
    with torch.no_grad():
        for name, p in [*net.named_parameters(), *net.named_buffers()]:
            if p.dim() == 4:
                p.copy_(weights[tuple(p.shape)])
            elif p.dim() == 1:
                p.fill_(1.0 if name.endswith(("weight", "running_var")) else 0.0)


def _pyramid(t, stride, rates, channels=3, width=4):
    """The answer's ASPP, its text, and the two kernels that all its branches have been given."""
    reaches = [stride * r for r in rates]
    what = f"channels={channels}, width={width}, reaches={reaches}, stride={stride}"
    net = _module(t, what, channels, width, reaches, stride)
    if t.changed:
        t.fail("`build_aspp` changed the list of reaches that it was given. Work on a copy.")
    shapes = (width, channels, 1, 1), (width, channels, 3, 3), (width, 5 * width, 1, 1)
    _expect_weights(t, net, what, dict(zip(shapes, (2, 3, 1))))
    small, large = t.tensor(*shapes[0]), t.tensor(*shapes[1]) / 3

    def branch(number):
        """Let the mixing convolution pass one branch on, and nothing else."""
        pick = torch.zeros(shapes[2])
        pick[:, number * width:(number + 1) * width, 0, 0] = torch.eye(width)
        _set(net, dict(zip(shapes, (small, large, pick))))
        return net

    return branch, what, small, large


def _five(x, small, large, rates):
    """What the five branches make of x, before ReLU, with the same two kernels in all."""
    maps = [F.conv2d(x, small), *(F.conv2d(x, large, padding=r, dilation=r) for r in rates)]
    return maps + [F.conv2d(x.mean((2, 3), keepdim=True), small).expand(-1, -1, *x.shape[2:])]


def _branches_part(t, numbers, stride, rates, size):
    branch, what, small, large = _pyramid(t, stride, rates)
    x = t.tensor(2, 3, *size)
    maps = [m.relu() for m in _five(x, small, large, rates)]
    for number in numbers:
        got, want = t.run(branch(number), x), maps[number]
        got = got.relu() if isinstance(got, torch.Tensor) else got  # a missing ReLU is another part's business
        known = [(m, f"That is what {BRANCHES[i]} gives: check the order of concatenation.") for i, m in enumerate(maps) if i != number]
        if 0 < number < 4:
            wrong = [(r, f"The rate is {r} cells here, which is the reach in pixels; a cell is {stride} pixels wide, so the rate should be "
                         f"{rates[number - 1]}.") for r in [stride * rates[number - 1]]]
            wrong += [(1, f"The taps are next to each other here; they should stand {rates[number - 1]} cells apart.")]
            known += [(F.conv2d(x, large, padding=r, dilation=r).relu(), text) for r, text in wrong]
        if number == 4:
            known.append((F.conv2d(x, small).relu(), "This reads the map itself; average it over all its places first."))
            top = x.amax((2, 3), keepdim=True)
            known.append((F.conv2d(top, small).relu().expand(maps[4].shape), "This takes the largest value of the map; take the average."))
            known.append((F.conv2d(x, small).relu().mean((2, 3), keepdim=True).expand(maps[4].shape),
                          "This averages after the convolution and ReLU; average the map first."))
        given = f"{what} and a map of {size[0]} × {size[1]}, {BRANCHES[number]} alone"
        t.close(got, want, given, known, picture=_draw_maps)


@build_aspp.part("(B, width, H, W), for a map of any size", 0.5)
def _(t):
    channels, width = t.random.choice([3, 6]), 4
    what = f"channels={channels}, width={width}, reaches=[32, 64, 96], stride=16"
    net = _module(t, what, channels, width, [32, 64, 96], 16)
    for mode in ("evaluation", "training"):
        net.train(mode == "training")
        for shape in ((2, channels, 9, 12), (1, channels, t.random.randint(3, 8), 5), (3, channels, 4, 4)):
            got = t.run(net, t.tensor(*shape))
            want = (shape[0], width, *shape[2:])
            if not isinstance(got, torch.Tensor) or tuple(got.shape) != want:
                t.fail(f"For {what} and a map of shape {shape}: expected {want}, got {kind(got)}")


@build_aspp.part("the 1 × 1 branch and the average of the map", 0.5)
def _(t):
    _branches_part(t, (0, 4), t.random.choice([8, 16]), (2, 3, 5), (t.random.randint(7, 9), 10))


@build_aspp.part("three rates, in cells", 0.75)
def _(t):
    for stride in (8, 16):
        _branches_part(t, (1, 2, 3), stride, t.random.choice([(2, 3, 5), (1, 4, 6)]), (13, t.random.randint(11, 14)))


@build_aspp.part("batch normalisation and ReLU in the branches, nothing after the mixing", 0.5)
def _(t):
    branch, what, *_ = _pyramid(t, 8, (1, 2, 3))
    x = t.tensor(2, 3, 8, 9)
    for number in range(5):
        net = branch(number)
        for mode in ("evaluation", "training"):
            net.train(mode == "training")
            one, ten = t.run(net, x), t.run(net, 10 * x)
            if not isinstance(one, torch.Tensor):
                t.fail(f"For {what}: expected a tensor from {BRANCHES[number]}, got {kind(one)}")
            if one.min() < -1e-6:
                t.fail(f"For {what}: {BRANCHES[number]} passes numbers below 0 on. A ReLU, last in each branch, would cut them off; without one "
                       "the branch is a straight line.")
        net.eval()
        steady = torch.allclose(one, ten, rtol=1e-2, atol=1e-2)
        if number < 4 and not steady:
            t.fail(f"For {what}: in training, a map with values ten times as large makes {BRANCHES[number]} put out other values. "
                   "Batch normalisation, before the ReLU, would take the factor out again.")
        if number == 4 and steady:
            t.fail(f"For {what}: the average is normalised too. It has one value a picture and channel; leave batch normalisation out of this branch.")
    if t.run(_negated(branch(0)), x).min() >= 0:
        t.fail(f"For {what}: the module puts out nothing below 0. After the mixing convolution comes nothing.")


def _negated(net):
    """Let the mixing convolution pass on -1 times what it passed on: below 0, unless a ReLU follows it."""
    with torch.no_grad():
        for p in net.parameters():
            if p.dim() == 4 and p.shape[1] == 5 * p.shape[0]:
                p.neg_()
    return net


@build_aspp.part("every weight learns", 0.25)
def _(t):
    net = _module(t, "channels=3, width=4, reaches=[8, 16, 24], stride=8", 3, 4, [8, 16, 24], 8).train()
    gradients = t.weight_gradients(net, t.tensor(2, 3, 9, 9))
    if len([g for g in gradients.values() if g is not None and g.dim() == 4]) < 6:
        t.fail("Fewer than six convolutions learn. Is every one of them made in `__init__`, kept as an attribute, and used in `forward`?")
    silent = [name for name, g in gradients.items() if g is None or g.dim() == 4 and not g.any()]
    if silent:
        t.fail(f"No gradient reaches {silent[0]!r}. Is every layer that you make also used in `forward`?")


# --- DeepLabv3+'s decoder -----------------------------------------------------------------------------------

build_decoder = check.exercise(
    "build_decoder",
    hints=(
        "Four steps, in the order of the list above. Only one of them changes a map's size.",
        "`F.interpolate(coarse, size=fine.shape[-2:], mode='bilinear')` brings the coarse map to the size of the thinned fine one. Then "
        "`torch.cat` along dim 1, the fine one first: how many channels does the 3 × 3 convolution read?",
        "Three convolutions: 1 × 1 from `fine` to `reduced`; 3 × 3, padding 1, from `reduced + coarse` to `coarse`; 1 × 1 from `coarse` to "
        "`classes`. A BatchNorm2d and a ReLU after each of the first two. `forward(self, maps)` starts with `fine, coarse = maps`.",
    ),
    own_work={name: "This hands the work to a finished module. Build it from three convolutions."
              for name in ("Decoder", "DeepLab", "UNet", "EncoderDecoder", "deeplabv3_resnet50")},
)


def _decoder(t, fine, coarse, reduced, classes):
    what = f"fine={fine}, coarse={coarse}, reduced={reduced}, classes={classes}"
    return _module(t, what, fine, coarse, reduced, classes), what


@build_decoder.part("logits of the fine map's size", 0.5)
def _(t):
    classes = t.random.randint(2, 5)
    net, what = _decoder(t, 6, 8, 3, classes)
    for mode in ("evaluation", "training"):
        net.train(mode == "training")
        for (h, w), (a, b) in (((16, 20), (4, 5)), ((t.random.randint(9, 13), 15), (3, 4)), ((7, 7), (7, 7))):
            got = t.run(net, [t.tensor(2, 6, h, w), t.tensor(2, 8, a, b)])
            if not isinstance(got, torch.Tensor) or tuple(got.shape) != (2, classes, h, w):
                t.fail(f"For {what}, a fine map of {h} × {w} and a coarse one of {a} × {b}: expected logits of shape {(2, classes, h, w)}, got {kind(got)}")


@build_decoder.part("the right values", 0.75)
def _(t):
    fine, coarse, reduced, classes = 5, 6, 2, t.random.choice([3, 4])
    net, what = _decoder(t, fine, coarse, reduced, classes)
    shapes = (reduced, fine, 1, 1), (coarse, reduced + coarse, 3, 3), (classes, coarse, 1, 1)
    _expect_weights(t, net, what, dict.fromkeys(shapes, 1))
    thin, mix, head = t.tensor(*shapes[0]), t.tensor(*shapes[1]) / 5, t.tensor(*shapes[2])
    _set(net, dict(zip(shapes, (thin, mix, head))))
    maps = t.tensor(2, fine, 9, 12), t.tensor(2, coarse, 3, 4)

    def value(relu=True, swap=False, last=False, **resize):
        bend = F.relu if relu else (lambda v: v)
        grown = F.interpolate(maps[1], size=(9, 12), **{"mode": "bilinear", "align_corners": False, **resize})
        parts = [bend(F.conv2d(maps[0], thin)), grown]
        y = F.conv2d(bend(F.conv2d(torch.cat(parts[::-1] if swap else parts, 1), mix, padding=1)), head)
        return y.relu() if last else y

    known = [
        (value(swap=True), "The coarse map stands first in the concatenation; the thinned fine map should."),
        (value(mode="nearest", align_corners=None), "The coarse map is enlarged by nearest; use bilinear."),
        (value(align_corners=True), "This aligns the corners; leave `align_corners` at False, the default."),
        (value(relu=False), "There is no ReLU after the convolutions."),
        (value(last=True), "There is a ReLU after the last convolution. Logits are any numbers: end on the 1 × 1 convolution."),
    ]
    given = f"{what}, a fine map of 9 × 12 and a coarse one of 3 × 4"
    t.close(t.run(net, list(maps)), value(), given, known, picture=_draw_maps)


@build_decoder.part("batch normalisation, and every weight learns", 0.25)
def _(t):
    net, what = _decoder(t, 5, 6, 2, 3)
    shapes = (2, 5, 1, 1), (6, 8, 3, 3), (3, 6, 1, 1)
    _expect_weights(t, net, what, dict.fromkeys(shapes, 1))
    maps, kernels = [t.tensor(2, 5, 8, 8), t.tensor(2, 6, 2, 2)], [t.tensor(*s) for s in shapes]
    net.train()
    _set(net, dict(zip(shapes, kernels)))
    one = t.run(net, maps)
    for i, name in enumerate(("1 × 1 convolution that thins the fine map", "3 × 3 convolution")):
        _set(net, dict(zip(shapes, [10 * k if i == j else k for j, k in enumerate(kernels)])))
        if not torch.allclose(t.run(net, maps), one, rtol=1e-2, atol=1e-2):
            t.fail(f"For {what}: in training, weights ten times as large in the {name} change the logits. "
                   "Batch normalisation after it would take the factor out again.")
    gradients = t.weight_gradients(net, maps)
    silent = [name for name, g in gradients.items() if g is None or g.dim() == 4 and not g.any()]
    if silent:
        t.fail(f"No gradient reaches {silent[0]!r}. Is every layer that you make also used in `forward`?")
