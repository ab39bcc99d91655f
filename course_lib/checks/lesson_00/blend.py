"""Lesson 00: a picture and its colours, mixed."""

import torch

from ..core import Exercise
from ..values import dtype_name, kind

blend = Exercise(
    "blend",
    hints=(
        "What should come out at opacity 0? At opacity 1? And half-way between?",
        "It is a weighted mean of the two pictures. The weights add up to 1.",
        "The colours get the weight opacity. The photograph gets what is left of 1.",
    ),
)


def _mixed(image, colours, opacity):
    """Value by value in Python, as the statement says it."""
    pairs = zip(image.flatten().tolist(), colours.flatten().tolist())
    return torch.tensor([a + (b - a) * opacity for a, b in pairs]).reshape(image.shape)


def _but(image, colours, opacity, opaque):
    """The mix, and the photograph where `opaque`, bool (H, W), is False."""
    return torch.where(opaque, _mixed(image, colours, opacity), image)


SLIPS = [
    (
        lambda i, c, o: _mixed(c, i, o),
        "The two weights have changed places: at opacity 1 only the colours are left.",
    ),
    (lambda i, c, o: _but(i, c, o, c.sum(0) > 0), "Black was left out; it is a colour like any other."),
    (lambda i, c, o: _but(i, c, o, c.sum(0) < 3), "White was left out; it is a colour like any other."),
    (lambda i, c, o: _mixed(i, c, o / 100), "This takes the opacity for a percentage; it runs from 0 to 1."),
    (lambda i, c, o: _mixed(i, c, o or 0.5), "An opacity of 0 was taken for none; it is a number like any other."),
    (lambda i, c, o: _mixed(i, c, o > 0.5), "This switches between the two pictures; in between they mix."),
    (lambda i, c, o: _mixed(i, c, o * o), "The share is not in proportion: this squares the opacity."),
    (lambda i, c, o: i + o * (c - i).abs(), "A darker colour must darken the picture: the difference keeps its sign."),
    (lambda i, c, o: i + o * c, "The photograph keeps its full weight: the weights must add up to 1."),
    (
        lambda i, c, o: (i + o * c).clamp(0, 1),
        "The photograph keeps its full weight, and the rest is cut off: the weights must add up to 1.",
    ),
    (lambda i, c, o: i - o + c * o, "The opacity itself is taken off: are brackets missing around `1 - opacity`?"),
    (lambda i, c, o: (_mixed(i, c, o) * 255).byte() / 255, "The values were cut to 256 steps: leave them floats."),
]
SLIPS += [(lambda i, c, o, a=a: _mixed(i, c, a), f"This is opacity {a}, whatever is asked for.") for a in (0.25, 0.5)]


def _pictures(t, n=(3, 4, 5)):
    """A photograph and its colours, black and white among them."""
    image, colours = 0.1 + 0.8 * t.tensor(*n).sigmoid(), 0.1 + 0.8 * t.tensor(*n).sigmoid()
    colours[:, 0, 0] = torch.tensor([0.0, 1.0, 0.0])
    colours[:, 0, 1], colours[:, 1, 0] = 0.0, 1.0
    return image, colours


def _blend_part(t, opacities):
    image, colours = _pictures(t)
    for opacity in opacities:
        got, want = t.call(image, colours, opacity), _mixed(image, colours, opacity)
        given = f"opacity={opacity:g}"
        if not isinstance(got, torch.Tensor) or got.shape != image.shape:
            shape = tuple(image.shape)
            t.fail(f"For {given} and pictures of shape {shape}: expected a tensor of that shape, got {kind(got)}")
        if got.dtype != image.dtype:
            t.fail(f"For {given} and pictures of dtype float32: got {dtype_name(got)}. Leave the values floats.")
        gap = (got.detach() - want).abs().nan_to_num(9.0).flatten()
        if gap.max() > 1e-3:
            a, b, right, have = (float(v.flatten()[gap.argmax()]) for v in (image, colours, want, got))
            probes = [(image, colours, o) for o in (0.0, 1.0, 0.5, 0.3)] + [(colours, image, 0.0)]
            more = t.explained(SLIPS, _mixed, probes)
            t.fail(
                f"For {given}: where the photograph is {a:.3f} and the colour {b:.3f}, it should be {right:.3f}; your "
                f"picture is {have:.3f}.{more}"
            )


@blend.part("opacity 0 and opacity 1", 1)
def _(t):
    _blend_part(t, (0.0, 1.0))


@blend.part("in between", 0.5)
def _(t):
    _blend_part(t, (0.5, t.random.choice([0.2, 0.3, 0.7, 0.8])))


@blend.part("the arguments stay as they were", 0.5)
def _(t):
    image, colours = _pictures(t)
    for opacity in (0.25, 0.0, 1.0):
        got = t.call(image, colours, opacity)
        t.unchanged("one of its pictures. `image *= 2` writes into the caller's tensor; `image * 2` makes a new one.")
        if not isinstance(got, torch.Tensor) or got.shape != image.shape:
            shape = tuple(image.shape)
            t.fail(f"For two pictures of shape {shape}, opacity={opacity}: expected a picture of it, got {kind(got)}")
        t.new("tensor, at every opacity")
        if opacity == 0.25 and any((got - other).abs().max() < 1e-4 for other in (image, colours, 0.0)):
            t.fail(
                "For two pictures and opacity=0.25: one of the two came back, or nothing of either. What is "
                "asked for lies between them."
            )
