"""Checks of lesson 05, the parts of DeepLab: ASPP and the decoder; `check` holds those of rates and strides, too."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from . import lesson_05_strides  # noqa: F401  adds its exercise to `check`
from .lesson_05_rates import _draw_maps, check
from .values import kind

# --- atrous spatial pyramid pooling -------------------------------------------------------------------------

build_aspp = check.exercise(
    "build_aspp",
    hints=(
        "All five branches read the same input. How many cells is a reach of 96 pixels on a map whose cells are 16 pixels wide?",
        "rate = reach // stride. Make the three layers in `__init__`, not in `forward`, and keep them in an `nn.ModuleList`: in a plain list "
        "their weights would not be found.",
        "In `__init__`: an `nn.ModuleList` of three `conv_norm_relu`, with kernel 3, and with a rate of reach // stride. In "
        "`forward`: append to `branches` what each of the three makes of `x`.",
    ),
    own_work={
        name: "This hands the work to a finished module. Build the five branches yourself."
        for name in ("ASPP", "DeepLab", "DeepLabHead", "ASPPConv", "ASPPPooling", "deeplabv3_resnet50", "Pooled")
    },
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
            t.fail(
                f"For {what}: the convolutions should have weights of shape (out, in, k, k): {text}. Yours: "
                f"{', '.join(map(str, found)) or 'none'}.{more}"
            )
    if len(found) != sum(wanted.values()):
        t.fail(
            f"For {what}: expected {sum(wanted.values())} convolutions, with weights {text}; found {len(found)}: {', '.join(map(str, found))}."
        )


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
        pick[:, number * width : (number + 1) * width, 0, 0] = torch.eye(width)
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
        known = [
            (m, f"That is what {BRANCHES[i]} gives: check the order of concatenation.")
            for i, m in enumerate(maps)
            if i != number
        ]
        if 0 < number < 4:
            paper = 6 * number
            wrong = [
                (
                    r,
                    f"The rate is {r} cells here, which is the reach in pixels; a cell is {stride} pixels wide, so the rate should be "
                    f"{rates[number - 1]}.",
                )
                for r in [stride * rates[number - 1]]
            ]
            wrong += [
                (
                    paper,
                    f"The rate is {paper} here, as in the paper; it should be the reach divided by the stride, {rates[number - 1]}.",
                )
            ]
            wrong += [(1, f"The taps are next to each other here; they should stand {rates[number - 1]} cells apart.")]
            known += [(F.conv2d(x, large, padding=r, dilation=r).relu(), text) for r, text in wrong]
        if number == 4:
            known.append(
                (F.conv2d(x, small).relu(), "This reads the map itself; average it over all its places first.")
            )
            top = x.amax((2, 3), keepdim=True)
            known.append(
                (
                    F.conv2d(top, small).relu().expand(maps[4].shape),
                    "This takes the largest value of the map; take the average.",
                )
            )
            known.append(
                (
                    F.conv2d(x, small).relu().mean((2, 3), keepdim=True).expand(maps[4].shape),
                    "This averages after the convolution and ReLU; average the map first.",
                )
            )
            every = x.mean((0, 2, 3), keepdim=True)
            known.append(
                (
                    F.conv2d(every, small).relu().expand(maps[4].shape),
                    "This averages over the batch, too; each picture has its own average.",
                )
            )
        given = f"{what} and a map of {size[0]} × {size[1]}, {BRANCHES[number]} alone"
        t.close(got, want, given, known, picture=_draw_maps)


@build_aspp.part("(B, width, H, W), for a map of any size", 0.25)
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


@build_aspp.part("the 1 × 1 branch and the average of the map", 0.25)
def _(t):
    _branches_part(t, (0, 4), t.random.choice([8, 16]), (2, 3, 5), (t.random.randint(7, 9), 10))


@build_aspp.part("three rates, in cells", 1.25)
def _(t):
    for stride in (8, 16):
        _branches_part(t, (1, 2, 3), stride, t.random.choice([(2, 3, 5), (1, 4, 7)]), (13, t.random.randint(11, 14)))


@build_aspp.part("batch normalisation and ReLU in the branches, nothing after the mixing", 0.5)
def _(t):
    branch, what, *_ = _pyramid(t, 8, (1, 2, 3))
    x = t.tensor(2, 3, 8, 9)
    _nothing_follows(t, branch, what, x)
    for number in range(5):
        net = branch(number)
        for mode in ("evaluation", "training"):
            net.train(mode == "training")
            one, ten = t.run(net, x), t.run(net, 10 * x)
            if not isinstance(one, torch.Tensor):
                t.fail(f"For {what}: expected a tensor from {BRANCHES[number]}, got {kind(one)}")
            if one.min() < -1e-6:
                t.fail(
                    f"For {what}: {BRANCHES[number]} passes numbers below 0 on. A ReLU, last in each branch, would cut them off; without one "
                    "the branch is a straight line."
                )
        net.eval()
        steady = torch.allclose(one, ten, rtol=1e-2, atol=1e-2)
        if number < 4 and not steady:
            t.fail(
                f"For {what}: in training, a map with values ten times as large makes {BRANCHES[number]} put out other values. "
                "Batch normalisation, before the ReLU, would take the factor out again."
            )
        if number == 4 and steady:
            t.fail(
                f"For {what}: the average is normalised too. It has one value a picture and channel; leave batch normalisation out of this branch."
            )
    means = sum(name.endswith("running_mean") for name, _ in net.named_buffers())
    if 0 < means < 4:
        t.fail(
            f"For {what}: there are {means} batch normalisations for four branches. Each branch has means and variances of its own."
        )


def _nothing_follows(t, branch, what, x):
    """Fail unless the module's output is -2 times as large once the weights of the mixing convolution are."""
    net = branch(4).train()
    before = t.run(net, x)
    with torch.no_grad():
        for p in net.parameters():
            if p.dim() == 4 and p.shape[1] == 5 * p.shape[0]:
                p.mul_(-2)
    after = t.run(net, x)
    if (
        isinstance(before, torch.Tensor)
        and isinstance(after, torch.Tensor)
        and not torch.allclose(after, -2 * before, atol=1e-4)
    ):
        t.fail(
            f"For {what}: in training, weights −2 times as large in the mixing convolution don't give −2 times the output. "
            "Something follows it; it should come last."
        )
    if isinstance(before, torch.Tensor) and not torch.allclose(before, t.run(branch(4).eval(), x), atol=1e-4):
        t.fail(
            f"For {what}: the average alone comes out otherwise in training than in evaluation. There is nothing random in this module, "
            "and this branch has no normalisation."
        )


@build_aspp.part("every weight learns", 0.25)
def _(t):
    net = _module(t, "channels=3, width=4, reaches=[8, 16, 24], stride=8", 3, 4, [8, 16, 24], 8).train()
    gradients = t.weight_gradients(net, t.tensor(2, 3, 9, 9))
    if len([g for g in gradients.values() if g is not None and g.dim() == 4]) < 6:
        t.fail(
            "Fewer than six convolutions learn. Is every one of them made in `__init__`, kept as an attribute, and used in `forward`?"
        )
    silent = [name for name, g in gradients.items() if g is None or g.dim() == 4 and not g.any()]
    if silent:
        t.fail(f"No gradient reaches {silent[0]!r}. Is every layer that you make also used in `forward`?")


# --- DeepLabv3+'s decoder -----------------------------------------------------------------------------------

build_decoder = check.exercise(
    "build_decoder",
    hints=(
        "Four steps, in the order of the list above. Only one of them changes a map's size.",
        "`F.interpolate` takes `size=` and `mode=`. The size is height and width of the first map, the last two numbers of its shape.",
        "Begin with `fine, coarse = maps`. Thin `fine`; enlarge `coarse` to `fine.shape[-2:]`, bilinear; `torch.cat` the two along dim 1, the "
        "fine one first; then `self.join`, then `self.classify`.",
    ),
    own_work={
        name: "This hands the work to a finished module. Build it from three convolutions."
        for name in ("Decoder", "DeepLab", "UNet", "EncoderDecoder", "deeplabv3_resnet50")
    },
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
                cut = isinstance(got, torch.Tensor) and tuple(got.shape[2:]) == (h - 2, w - 2)
                more = " A 3 × 3 convolution needs a padding of 1 to keep the size." if cut else ""
                t.fail(
                    f"For {what}, a fine map of {h} × {w} and a coarse one of {a} × {b}: expected logits of shape {(2, classes, h, w)}, got {kind(got)}{more}"
                )


@build_decoder.part("the right values", 0.75)
def _(t):
    fine, coarse, reduced, classes = 5, 6, 2, t.random.choice([3, 4])
    net, what = _decoder(t, fine, coarse, reduced, classes)
    shapes = (reduced, fine, 1, 1), (coarse, reduced + coarse, 3, 3), (classes, coarse, 1, 1)
    _expect_weights(t, net, what, dict.fromkeys(shapes, 1))
    thin, mix, head = t.tensor(*shapes[0]), t.tensor(*shapes[1]) / 5, t.tensor(*shapes[2])
    _set(net, dict(zip(shapes, (thin, mix, head))))
    maps = t.tensor(2, fine, 9, 12), t.tensor(2, coarse, 3, 4)

    def value(relus=(True, True), swap=False, last=lambda y: y, **resize):
        first, second = (F.relu if relu else (lambda y: y) for relu in relus)
        grown = F.interpolate(maps[1], size=(9, 12), **{"mode": "bilinear", "align_corners": False, **resize})
        parts = [first(F.conv2d(maps[0], thin)), grown]
        return last(F.conv2d(second(F.conv2d(torch.cat(parts[::-1] if swap else parts, 1), mix, padding=1)), head))

    def shrunk():
        small = F.interpolate(F.conv2d(maps[0], thin).relu(), size=(3, 4), mode="bilinear")
        logits = F.conv2d(F.conv2d(torch.cat([small, maps[1]], 1), mix, padding=1).relu(), head)
        return F.interpolate(logits, size=(9, 12), mode="bilinear")

    known = [
        (value(swap=True), "The coarse map stands first in the concatenation; the thinned fine map should."),
        (value(mode="nearest", align_corners=None), "The coarse map is enlarged by nearest; use bilinear."),
        (value(align_corners=True), "This aligns the corners; leave `align_corners` at False, the default."),
        (
            shrunk(),
            "The fine map is shrunk to the coarse one's size, and its detail is gone. Enlarge the coarse map instead.",
        ),
        (value(relus=(False, False)), "There is no ReLU after the first two convolutions."),
        (value(relus=(False, True)), "There is no ReLU after the convolution that thins the fine map."),
        (value(relus=(True, False)), "There is no ReLU after the 3 × 3 convolution."),
        (
            value(last=F.relu),
            "There is a ReLU after the last convolution. Logits are any numbers: end on the 1 × 1 convolution.",
        ),
        (value(last=lambda y: y.softmax(1)), "These are probabilities. Return logits: end on the 1 × 1 convolution."),
    ]
    given = f"{what}, a fine map of 9 × 12 and a coarse one of 3 × 4"
    t.close(t.run(net, list(maps)), value(), given, known, picture=_draw_maps)


@build_decoder.part("batch normalisation in training, and gradients", 0.25)
def _(t):
    net, what = _decoder(t, 5, 6, 2, 3)
    shapes = (2, 5, 1, 1), (6, 8, 3, 3), (3, 6, 1, 1)
    _expect_weights(t, net, what, dict.fromkeys(shapes, 1))
    thin, mix, head = kernels = [t.tensor(*s) for s in shapes]
    maps = t.tensor(2, 5, 8, 8), t.tensor(2, 6, 2, 2)
    _set(net.train(), dict(zip(shapes, kernels)))

    def normed(y):
        return F.batch_norm(y, None, None, training=True)

    def value(first=lambda y: normed(y).relu(), second=lambda y: normed(y).relu(), last=lambda y: y):
        grown = F.interpolate(maps[1], size=(8, 8), mode="bilinear")
        return last(
            F.conv2d(second(F.conv2d(torch.cat([first(F.conv2d(maps[0], thin)), grown], 1), mix, padding=1)), head)
        )

    none, late = F.relu, lambda y: normed(y.relu())
    known = [
        (value(none, none), "There is no batch normalisation: it stands between a convolution and its ReLU."),
        (value(none), "There is no batch normalisation after the convolution that thins the fine map."),
        (value(second=none), "There is no batch normalisation after the 3 × 3 convolution."),
        (value(late), "After the thinning, ReLU comes before batch normalisation here; normalise first."),
        (
            value(second=late),
            "After the 3 × 3 convolution, ReLU comes before batch normalisation here; normalise first.",
        ),
        (value(late, late), "ReLU comes before batch normalisation here; normalise first."),
        (value(last=lambda y: normed(y).relu()), "The logits are normalised, too: end on the 1 × 1 convolution."),
    ]
    sent = [m.clone().requires_grad_() for m in maps]
    got = t.run(net, list(sent))
    t.close(got, value(), f"{what}, in training", known, tolerance=2e-3, picture=_draw_maps)
    wanted = [*sent, *net.parameters()]
    found = (
        torch.autograd.grad((got * t.tensor(*got.shape)).sum(), wanted, allow_unused=True)
        if got.requires_grad
        else [None] * len(wanted)
    )
    for name, gradient in zip(("the fine map", "the coarse map"), found):
        if gradient is None:
            t.fail(f"For {what}: no gradient reaches {name}, so the layers before it would not learn.")
    for (name, _), gradient in zip(net.named_parameters(), found[2:]):
        if gradient is None or gradient.dim() == 4 and not gradient.any():
            t.fail(f"No gradient reaches {name!r}. Is every layer that you make also used in `forward`?")
