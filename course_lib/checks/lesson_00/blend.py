"""Lesson 00: a picture and its colours, mixed."""

import torch

from ..core import Exercise
from ..values import kind, same

blend = Exercise(
    "blend",
    hints=(
        "What should come out at opacity 0? At opacity 1? And half-way between?",
        "It is a weighted mean of the two pictures. The weights add up to 1.",
        "The colours get the weight opacity. The photograph gets what is left of 1.",
    ),
)


def _blend_part(t, opacities, n=(3, 4, 5)):
    image, colours = t.tensor(*n).sigmoid(), t.tensor(*n).sigmoid()
    colours[:, 0, 0] = torch.tensor([0.0, 1.0, 0.0])  # black and white are colours like any other
    colours[:, 0, 1], colours[:, 1, 0] = 0.0, 1.0
    for opacity in opacities:
        got = t.call(image, colours, opacity)
        given = f"opacity={opacity:g}"
        if not isinstance(got, torch.Tensor) or got.shape != image.shape:
            t.fail(f"For {given} and pictures of shape {tuple(n)}: expected a tensor of that shape, got {kind(got)}")
        spots = [tuple(t.random.randrange(m) for m in n) for _ in range(4)] + [(0, 0, 0), (1, 0, 0)]
        values = [tuple(float(v[i]) for v in (image, colours, got)) for i in spots]
        swapped = all(abs(have - (opacity * a + (1 - opacity) * b)) < 1e-3 for a, b, have in values)
        for a, b, have in values:
            if not abs(have - (a + (b - a) * opacity)) <= 1e-3:
                more = ""
                if swapped:
                    more = " The two weights have changed places: at opacity 1 only the colours are left."
                elif not min(a, b) - 1e-3 <= have <= max(a, b) + 1e-3:
                    more = " That is not between the two: the weights must add up to 1."
                t.fail(
                    f"For {given}: where the photograph is {a:.3f} and the colour {b:.3f}, it should be "
                    f"{a + (b - a) * opacity:.3f}; your picture is {have:.3f}.{more}"
                )


@blend.part("opacity 0 and opacity 1", 1)
def _(t):
    _blend_part(t, (0.0, 1.0))


@blend.part("in between", 0.5)
def _(t):
    _blend_part(t, (0.5, t.random.choice([0.2, 0.3, 0.7, 0.8])))


@blend.part("the arguments stay as they were", 0.5)
def _(t):
    image, colours = t.tensor(3, 2, 2).sigmoid(), t.tensor(3, 2, 2).sigmoid()
    got = t.call(image, colours, 0.25)
    t.unchanged("one of its pictures. `image *= 2` writes into the caller's tensor; `image * 2` makes a new one.")
    if not isinstance(got, torch.Tensor) or got.shape != image.shape:
        t.fail(
            f"For two pictures of shape (3, 2, 2) and opacity=0.25: expected a picture of that shape, got {kind(got)}"
        )
    if same(got, image) or same(got, colours) or not got.any():
        t.fail(
            "For two pictures and opacity=0.25: one of the two came back, or nothing of either. What is "
            "asked for lies between them."
        )
