"""Lesson 05: the decoder of DeepLabv3+."""

import torch
import torch.nn.functional as F

from .. import pictures
from ..causes import judge
from ..core import Exercise
from ..values import NotYet, kind
from .modules import expect_weights, run_floats, set_weights

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
        return run_floats(t, net, maps)
    except NotYet as stopped:
        fine, coarse = maps
        taken = f"expected input[{len(fine)}, "
        thinned = next((p.shape[0] for p in net.parameters() if p.shape[1:] == (fine.shape[1], 1, 1)), None)
        more = ""
        if f"{taken}{fine.shape[1] + coarse.shape[1]}, " in stopped.message and thinned != fine.shape[1]:
            more = " Both maps meet in full: `thin` the fine one first."
        elif f", {fine.shape[1]}, 1, 1], {taken}{coarse.shape[1]}, " in stopped.message:
            more = " The coarse map comes to `thin`. The list holds the fine map first."
        elif f"tensor a ({thinned}) must match the size of tensor b ({coarse.shape[1]})" in stopped.message:
            more = " The two maps have so many channels: put them side by side with `torch.cat`, don't add them up."
        elif "Sizes of tensors must match except in dimension 2" in stopped.message:
            more = " This puts one map below the other; channels are axis 1."
        elif "Sizes of tensors must match" in stopped.message:
            more = " The coarse map has not got the fine one's height and width, `fine.shape[2:]`, when the two meet."
        t.fail(stopped.message + more)


UNSCORED = " These are the channels that `join` puts out; `classify` makes logits of them."


def _unscored(got, shape):
    return isinstance(got, torch.Tensor) and tuple(got.shape) == shape


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
                more = UNSCORED if _unscored(got, (2, 8, h, w)) else more
                t.fail(
                    f"For {what}, a fine map of {h} × {w} and a coarse one of {a} × {b}: expected logits of "
                    f"shape {(2, classes, h, w)}, got {kind(got)}{more}"
                )


def _by_whole_factors(y, size):
    """Enlarged by H // h and W // w, then filled up with zeros."""
    factors = [max(1, a // b) for a, b in zip(size, y.shape[2:])]
    large = F.interpolate(y, scale_factor=tuple(factors), mode="bilinear")
    return F.pad(large, (0, size[1] - large.shape[3], 0, size[0] - large.shape[2]))


def _bilinear(y, size, **other):
    return F.interpolate(y, size=size, **{"mode": "bilinear", **other})


def _cases(t, net, what, sizes, shapes, training=False):
    """(got, want, given, known mistakes, picture) for a fine and a coarse map of these sizes, under drawn kernels."""
    thin, mix, head = t.tensor(*shapes[0]), t.tensor(*shapes[1]) / 5, t.tensor(*shapes[2])
    set_weights(net.train(training), dict(zip(shapes, (thin, mix, head))))

    def norm(y):
        return F.batch_norm(y, None, None, training=True) if training else y

    def both(y):
        return norm(y).relu()

    def late(y):
        return norm(y.relu())

    def plain(y):
        return y

    for size, small in sizes:
        fine, coarse = t.tensor(2, shapes[0][1], *size), t.tensor(2, shapes[1][0], *small)

        def value(one=both, two=both, end=plain, turn=1, grow=_bilinear, to=size, fine=fine, coarse=coarse, **resize):
            parts = [one(F.conv2d(fine, thin)), coarse]
            parts = [y if y.shape[2:] == torch.Size(to) else grow(y, to, **resize) for y in parts]
            return end(F.conv2d(two(F.conv2d(torch.cat(parts[::turn], 1), mix, padding=1)), head))

        known = [
            (
                value(grow=_by_whole_factors),
                "The coarse map is enlarged by a whole factor and cut or filled up. Ask for the fine map's `size=`.",
            ),
            (value(mode="bicubic"), "The coarse map is enlarged bicubic; use bilinear."),
            (value(turn=-1), "The coarse map stands first in the concatenation; the thinned fine map should."),
            *(
                (value(mode=mode), "The coarse map is enlarged in blocks (nearest or area); use bilinear.")
                for mode in ("nearest", "nearest-exact", "area")
            ),
            *(
                (value(grow=bent), "The coarse map goes through a ReLU; join it as it is.")
                for bent in (lambda y, to: _bilinear(y, to).relu(), lambda y, to: _bilinear(y.relu(), to))
            ),
            (value(one=lambda y: 0 * y), "Nothing comes of the fine map."),
            (value(grow=lambda y, to: 0 * _bilinear(y, to)), "Nothing comes of the coarse map."),
            (value(coarse=coarse.mean(0, keepdim=True).expand_as(coarse)), "The pictures of the batch are mixed."),
            (value(align_corners=True), "This aligns the corners; leave `align_corners` at False, the default."),
            (
                _bilinear(value(to=small), size),
                "The fine map is shrunk to the coarse one's size, and its detail is gone. Enlarge the coarse map "
                "instead.",
            ),
            (value(norm, norm), "There is no ReLU after the first two convolutions."),
            (value(norm), "There is no ReLU after the convolution that thins the fine map."),
            (value(two=norm), "There is no ReLU after the 3 × 3 convolution."),
            (
                value(end=torch.relu),
                "There is a ReLU after the last convolution. Logits are any numbers: end on the 1 × 1 convolution.",
            ),
            *(
                (value(end=end), "These are probabilities. Return logits: end on the 1 × 1 convolution.")
                for end in (lambda y: y.softmax(1), torch.sigmoid)
            ),
            (
                value(end=lambda y: y.log_softmax(1)),
                "These are logarithms of probabilities. Return logits: end on the 1 × 1 convolution.",
            ),
        ]
        if training:
            none = torch.relu
            known += [
                (value(none, none), "There is no batch normalisation: it stands between a convolution and its ReLU."),
                (value(none), "There is no batch normalisation after the convolution that thins the fine map."),
                (value(two=none), "There is no batch normalisation after the 3 × 3 convolution."),
                (value(late), "After the thinning, ReLU comes before batch normalisation here; normalise first."),
                (
                    value(two=late),
                    "After the 3 × 3 convolution, ReLU comes before batch normalisation here; normalise first.",
                ),
                (value(late, late), "ReLU comes before batch normalisation here; normalise first."),
                (value(end=both), "The logits are normalised, too: end on the 1 × 1 convolution."),
            ]
        given = f"{what}, a fine map of {size[0]} × {size[1]} and a coarse one of {small[0]} × {small[1]}"
        given += ", in training" * training
        got, want = _ran(t, net, [fine, coarse]), value()
        if _unscored(got, (2, shapes[1][0], *size)):
            t.fail(f"For {given}: expected logits of shape {tuple(want.shape)}, got {kind(got)}{UNSCORED}")
        yield got, want, given, known, pictures.maps


@build_decoder.part("the right values", 0.75)
def _(t):
    fine, coarse, reduced, classes = 5, 6, 2, t.random.choice([3, 4])
    net, what = _decoder(t, fine, coarse, reduced, classes)
    shapes = (reduced, fine, 1, 1), (coarse, reduced + coarse, 3, 3), (classes, coarse, 1, 1)
    expect_weights(t, net, what, dict.fromkeys(shapes, 1))
    sizes = ((9, 12), (3, 4)), ((11, 14), (3, 4)), ((7, 7), (4, 6)), ((10, 9), (4, 2))  # whole factors, and others
    judge(t, _cases(t, net, what, sizes, shapes))


@build_decoder.part("batch normalisation in training, and gradients", 0.25)
def _(t):
    net, what = _decoder(t, 5, 6, 2, 3)
    shapes = (2, 5, 1, 1), (6, 8, 3, 3), (3, 6, 1, 1)
    expect_weights(t, net, what, dict.fromkeys(shapes, 1))
    twice = [torch.cat([m, m]) for m in (t.tensor(2, 5, 8, 8), t.tensor(2, 6, 2, 2))]
    both = _ran(t, net.train(), twice)
    if isinstance(both, torch.Tensor) and both.dim() and not torch.allclose(both[:2], both[2:], atol=1e-4):
        t.fail("In training, two equal inputs come out unequal: something random, such as dropout, is in your module.")
    judge(t, _cases(t, net, what, (((8, 8), (2, 2)), ((9, 6), (3, 2))), shapes, training=True), tolerance=2e-3)
    sent = [t.tensor(2, 5, 8, 8).requires_grad_(), t.tensor(2, 6, 2, 2).requires_grad_()]
    got = _ran(t, net, list(sent))
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
