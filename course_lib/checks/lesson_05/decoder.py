"""Lesson 05: the decoder of DeepLabv3+."""

import torch
import torch.nn.functional as F

from .. import pictures
from ..core import Exercise
from ..values import NotYet, kind
from .modules import expect_weights, set_weights

build_decoder = Exercise(
    "build_decoder",
    hints=(
        "Four steps, in the order of the list above. Only one of them changes a map's size.",
        "`F.interpolate` takes `size=` and `mode=`. The size is height and width of the first map, the last "
        "two numbers of its shape.",
        "Begin with `fine, coarse = maps`. Thin `fine`; enlarge `coarse` to `fine.shape[-2:]`, bilinear; `torch.cat` "
        "the two along dim 1, the fine one first; then `self.join`, then `self.classify`.",
    ),
    own_work={
        name: "This hands the work to a finished module. Build it from three convolutions."
        for name in ("Decoder", "DeepLab", "UNet", "EncoderDecoder", "deeplabv3_resnet50")
    },
)


def _decoder(t, fine, coarse, reduced, classes):
    what = f"fine={fine}, coarse={coarse}, reduced={reduced}, classes={classes}"
    return t.module(t.call(fine, coarse, reduced, classes), what).eval(), what


def _ran(t, net, maps):
    """What the module makes of the two maps; where torch stops it, which step was left out, if the numbers tell."""
    try:
        return t.run(net, maps)
    except NotYet as stopped:
        fine, coarse = maps
        taken = f"expected input[{len(fine)}, "
        thinned = next((p.shape[0] for p in net.parameters() if p.shape[1:] == (fine.shape[1], 1, 1)), None)
        more = ""
        if f"{taken}{fine.shape[1] + coarse.shape[1]}, " in stopped.message and thinned != fine.shape[1]:
            more = " Both maps meet in full: `thin` the fine one first."
        elif f", {fine.shape[1]}, 1, 1], {taken}{coarse.shape[1]}, " in stopped.message:
            more = " The coarse map comes to `thin`. The list holds the fine map first."
        elif "Sizes of tensors must match" in stopped.message:
            more = " The coarse map has not got the fine one's height and width, `fine.shape[2:]`, when the two meet."
        t.fail(stopped.message + more)


@build_decoder.part("logits of the fine map's size", 0.5)
def _(t):
    classes = t.random.randint(2, 5)
    net, what = _decoder(t, 6, 8, 3, classes)
    for mode in ("evaluation", "training"):
        net.train(mode == "training")
        for (h, w), (a, b) in (((16, 20), (4, 5)), ((t.random.randint(9, 13), 15), (3, 4)), ((7, 7), (7, 7))):
            got = _ran(t, net, [t.tensor(2, 6, h, w), t.tensor(2, 8, a, b)])
            if not isinstance(got, torch.Tensor) or tuple(got.shape) != (2, classes, h, w):
                cut = isinstance(got, torch.Tensor) and tuple(got.shape[2:]) == (h - 2, w - 2)
                more = " A 3 × 3 convolution needs a padding of 1 to keep the size." if cut else ""
                t.fail(
                    f"For {what}, a fine map of {h} × {w} and a coarse one of {a} × {b}: expected logits of "
                    f"shape {(2, classes, h, w)}, got {kind(got)}{more}"
                )


@build_decoder.part("the right values", 0.75)
def _(t):
    fine, coarse, reduced, classes = 5, 6, 2, t.random.choice([3, 4])
    net, what = _decoder(t, fine, coarse, reduced, classes)
    shapes = (reduced, fine, 1, 1), (coarse, reduced + coarse, 3, 3), (classes, coarse, 1, 1)
    expect_weights(t, net, what, dict.fromkeys(shapes, 1))
    thin, mix, head = t.tensor(*shapes[0]), t.tensor(*shapes[1]) / 5, t.tensor(*shapes[2])
    set_weights(net, dict(zip(shapes, (thin, mix, head))))
    for size, small in (((9, 12), (3, 4)), ((11, 14), (3, 4)), ((7, 7), (4, 6))):  # whole factors, and others
        maps = t.tensor(2, fine, *size), t.tensor(2, coarse, *small)
        known = _slips(maps, thin, mix, head)
        given = f"{what}, a fine map of {size[0]} × {size[1]} and a coarse one of {small[0]} × {small[1]}"
        t.close(_ran(t, net, list(maps)), _logits(maps, thin, mix, head), given, known, picture=pictures.maps)


def _logits(maps, thin, mix, head, relus=(True, True), swap=False, last=lambda y: y, grow=None, **resize):
    """What the decoder gives with these kernels, or one of its wrong versions."""
    first, second = (F.relu if relu else (lambda y: y) for relu in relus)
    large = grow or (lambda y, size: F.interpolate(y, size=size, **{"mode": "bilinear", **resize}))
    parts = [first(F.conv2d(maps[0], thin)), large(maps[1], maps[0].shape[2:])]
    return last(F.conv2d(second(F.conv2d(torch.cat(parts[::-1] if swap else parts, 1), mix, padding=1)), head))


def _by_whole_factors(y, size):
    """Enlarged by H // h and W // w, then filled up with zeros."""
    factors = [max(1, a // b) for a, b in zip(size, y.shape[2:])]
    large = F.interpolate(y, scale_factor=tuple(factors), mode="bilinear")
    return F.pad(large, (0, size[1] - large.shape[3], 0, size[0] - large.shape[2]))


def _slips(maps, thin, mix, head):
    """(wrong logits, what they reveal)."""
    small_size, size = maps[1].shape[2:], maps[0].shape[2:]

    def value(**slip):
        return _logits(maps, thin, mix, head, **slip)

    def shrunk():
        small = F.interpolate(F.conv2d(maps[0], thin).relu(), size=small_size, mode="bilinear")
        logits = F.conv2d(F.conv2d(torch.cat([small, maps[1]], 1), mix, padding=1).relu(), head)
        return F.interpolate(logits, size=size, mode="bilinear")

    return [
        (
            value(grow=_by_whole_factors),
            "The coarse map is enlarged by a whole factor and cut or filled up. Ask for the fine map's `size=`.",
        ),
        (value(mode="bicubic"), "The coarse map is enlarged bicubic; use bilinear."),
        (value(swap=True), "The coarse map stands first in the concatenation; the thinned fine map should."),
        (value(mode="nearest"), "The coarse map is enlarged by nearest; use bilinear."),
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


@build_decoder.part("batch normalisation in training, and gradients", 0.25)
def _(t):
    net, what = _decoder(t, 5, 6, 2, 3)
    shapes = (2, 5, 1, 1), (6, 8, 3, 3), (3, 6, 1, 1)
    expect_weights(t, net, what, dict.fromkeys(shapes, 1))
    thin, mix, head = kernels = [t.tensor(*s) for s in shapes]
    maps = t.tensor(2, 5, 8, 8), t.tensor(2, 6, 2, 2)
    set_weights(net.train(), dict(zip(shapes, kernels)))

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
    got = _ran(t, net, list(sent))
    t.close(got, value(), f"{what}, in training", known, tolerance=2e-3, picture=pictures.maps)
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
        if gradient is None or (gradient.dim() == 4 and not gradient.any()):
            t.fail(f"No gradient reaches {name!r}. Is every layer that you make also used in `forward`?")
