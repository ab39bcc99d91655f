"""Lesson 00: a picture and its colours, mixed."""

import numpy as np
import torch

from ..causes import cause
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


WAY = 10  # even steps from the photograph to the colours; at opacity k / WAY, picture k is seen


def _way(t):
    """The pictures on the way, the photograph first; the colours, last, have black and white among them."""
    image, colours = 0.1 + 0.8 * t.tensor(3, 4, 5).sigmoid(), 0.1 + 0.8 * t.tensor(3, 4, 5).sigmoid()
    colours[:, 0, 0] = torch.tensor([0.0, 1.0, 0.0])
    colours[:, 0, 1], colours[:, 1, 0] = 0.0, 1.0
    return list(torch.from_numpy(np.linspace(image.numpy(), colours.numpy(), WAY + 1, dtype="float32")))


def _known(way, step):
    """(a wrong picture, what it reveals) where picture `step` of the way is asked for."""
    image, colours, want, opacity = way[0], way[-1], way[step], step / WAY

    def but(left_out):
        return torch.where(left_out, image, want)

    return [
        (way[WAY - step], "The two weights have changed places: at opacity 1 only the colours are left."),
        (but(colours.sum(0) == 0), "Black was left out; it is a colour like any other."),
        (but(colours.sum(0) == 3), "White was left out; it is a colour like any other."),
        (0.99 * image + 0.01 * want, "This takes the opacity for a percentage; it runs from 0 to 1."),
        (way[step or WAY // 2], "An opacity of 0 was taken for none; it is a number like any other."),
        (way[WAY if step > WAY / 2 else 0], "This switches between the two pictures; in between they mix."),
        (way[WAY if step >= WAY / 2 else 0], "This switches between the two pictures; in between they mix."),
        (image + (want - image) * opacity, "The share is not in proportion: this squares the opacity."),
        (image + (want - image).abs(), "A darker colour must darken the picture: the difference keeps its sign."),
        (image + colours * opacity, "The photograph keeps its full weight: the weights must add up to 1."),
        (
            (image + colours * opacity).clamp(0, 1),
            "The photograph keeps its full weight, and the rest is cut off: the weights must add up to 1.",
        ),
        (
            image + (colours - 1) * opacity,
            "The opacity itself is taken off: are brackets missing around `1 - opacity`?",
        ),
        ((want * 255).byte() / 255, "The values were cut to 256 steps: leave them floats."),
        ((want * 255).round() / 255, "The values were cut to 256 steps: leave them floats."),
        (0.75 * image + 0.25 * colours, "This is a quarter of the way, whatever is asked for."),
        (image + (want - image) * opacity**-0.5 if step else want, "The share is not in proportion: this is a root."),
        ((1 - opacity) * image, "The colours are missing: they get the weight opacity."),
        (colours * opacity, "The photograph is missing: it gets what is left of 1."),
        (2 * image - want, "This goes away from the colours: take the photograph from the colours."),
        (
            (1 - opacity) * image + opacity * image * colours,
            "The colours are multiplied with the photograph; they are mixed.",
        ),
        (255 * want, "Values run from 0 to 1 here, not to 255."),
        (way[WAY // 2], "This is half of the way, whatever is asked for."),
    ]


def _blend_part(t, steps):
    cases, ways = [], [_way(t), _way(t)]
    for way, step in [(way, step) for way in ways for step in steps]:
        want, given = way[step], f"opacity={step / WAY:g}"
        got = t.call(way[0], way[-1], step / WAY)
        if not isinstance(got, torch.Tensor) or got.shape != want.shape:
            shape = tuple(want.shape)
            t.fail(f"For {given} and pictures of shape {shape}: expected a tensor of that shape, got {kind(got)}")
        if got.dtype != want.dtype:
            t.fail(f"For {given} and pictures of dtype float32: got {dtype_name(got)}. Leave the values floats.")
        cases.append((got.detach(), want, given, _known(way, step), way))
    meaning = cause(cases, 5e-4)
    for got, want, given, _, way in cases:
        gap = (got - want).abs().nan_to_num(9.0).flatten()
        if gap.max() > 1e-3:
            a, b, right, have = (float(v.flatten()[gap.argmax()]) for v in (way[0], way[-1], want, got))
            t.fail(
                f"For {given}: where the photograph is {a:.3f} and the colour {b:.3f}, it should be {right:.3f}; your "
                f"picture is {have:.3f}. {meaning}".rstrip()
            )


@blend.part("opacity 0 and opacity 1", 1)
def _(t):
    _blend_part(t, (0, WAY))


@blend.part("in between", 0.5)
def _(t):
    _blend_part(t, (5, t.random.choice([2, 3, 7, 8])))


@blend.part("the arguments stay as they were", 0.5)
def _(t):
    way = _way(t)
    image, colours = way[0], way[-1]
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
