"""Lesson 03: tents as the weight of a transposed convolution."""

import torch
import torch.nn.functional as F

from .. import pictures
from ..core import Exercise
from ..values import NotYet, kind
from .enlarging import enlarged, painted

enlarger = Exercise(
    "enlarger",
    hints=(
        "Start with one row of weights, one class. How far is each pixel of the tent from the tent's middle, "
        "for stride 2 and 4?",
        "The row has 2·stride pixels. One at distance d from the middle has weight 1 − d/stride. In two directions "
        "the weights multiply. A class paints on itself only, so all other brushes are 0.",
        "`(torch.arange(k) - (k - 1) / 2).abs()` holds the distances, and `torch.outer` makes the k × k tent of two "
        "rows. Under `torch.no_grad()`, fill the weight with zeros first, then put the tent at `[c, c]` for every c.",
    ),
    own_work={
        name: "This takes the weights from the library. Work them out: they are a row of tents."
        for name in ("bilinear_kernel", "Double", "Fuse", "FCN", "refine")
    },
)


def _layer(t, classes, s):
    try:
        return t.made(classes, s, given=f"classes={classes}, stride={s}", what="a layer, an `nn.Module`,")
    except NotYet as stopped:
        if "a leaf Variable that requires grad" in stopped.message:
            stopped.message += " Fill the weight inside `with torch.no_grad():`."
        raise


def _round(a, b):
    """The weight by the distance in the plane, of two weights by the distance in a direction."""
    return (1 - ((1 - a) ** 2 + (1 - b) ** 2).sqrt()).clamp(min=0)


def _sized(t, layer, x, s):
    """The layer's output for x, which must be s times as high and wide."""
    got, want = t.run(layer, x), (*x.shape[:2], s * x.shape[2], s * x.shape[3])
    if not isinstance(got, torch.Tensor) or tuple(got.shape) != want:
        more = ""
        if isinstance(got, torch.Tensor) and got.dim() == 4 and got.shape[2] - want[2] == got.shape[3] - want[3] != 0:
            more = (
                f" That is {abs(got.shape[2] - want[2])} px too {'many' if got.shape[2] > want[2] else 'few'}. "
                "`padding=p` cuts p px off at each of the two ends."
            )
        t.fail(
            f"For classes={x.shape[1]}, stride={s} and scores of shape {tuple(x.shape)}: expected shape "
            f"{want}, got {kind(got)}{more}"
        )
    return got


def _inside(x, s):
    """Away from the rim, where tents of cells beyond it are missing."""
    return x[..., s:-s, s:-s]


def _values(t, classes, s):
    x = t.tensor(2, classes, 6, 7)
    got, want = _sized(t, _layer(t, classes, s), x, s), enlarged(x, s)
    flat = 1 - (torch.arange(2 * s) - s).abs() / s
    known = [
        (
            _inside(enlarged(x.sum(1, keepdim=True), s).expand_as(want), s),
            "Every class paints on every class, so each map is the sum of all. Only weight[c, c] holds a tent.",
        ),
        (
            _inside(want / s**2, s),
            "The weights sum to 1, so the map fades: s² pixels share what one cell has. They must sum to s².",
        ),
        (
            _inside(painted(x, s, _round), s),
            "The brush is round: its weights follow the distance in the plane. In two directions the two weights are "
            "multiplied.",
        ),
        (
            _inside(painted(x, s, lambda a, b: (1 - a) * (1 - b)), s),
            "The tent is upside down: it is distance/stride. At the middle the weight is largest: 1 − distance/stride.",
        ),
        (_inside(want * s**2, s), "The map is s² times too bright."),
        (
            _inside(painted(x, s, torch.minimum), s),
            "The k × k tent holds the smaller of the two weights. In two directions they are multiplied.",
        ),
        (
            _inside(
                F.interpolate(
                    F.interpolate(x, size=(s * x.shape[2], x.shape[3]), mode="bilinear"), scale_factor=(1, s)
                ),
                s,
            ),
            "The tent falls off from row to row only. In two directions the weights are multiplied.",
        ),
        (
            _inside(
                F.interpolate(
                    F.interpolate(x, size=(x.shape[2], s * x.shape[3]), mode="bilinear"), scale_factor=(s, 1)
                ),
                s,
            ),
            "The tent falls off from column to column only. In two directions the weights are multiplied.",
        ),
        (
            _inside(F.interpolate(x, scale_factor=s, mode="nearest"), s),
            "This copies each cell to a block. A tent falls off from its middle.",
        ),
        (
            _inside(enlarged(x, s, align_corners=True), s),
            "This puts the first cell's middle on the first pixel (align_corners=True).",
        ),
    ]
    known.append(
        (
            _inside(painted(x, s, torch.mul, shift=0.5), s),
            "The pixels next to a cell's middle have weight 1. They are half a pixel away from it: 1 − 0.5/stride.",
        )
    )
    for shift in (1, -1):
        known += [
            (
                _inside(want.roll(shift, 3).roll(shift, 2), s),
                "The tents stand one pixel away from their cells: look at the padding.",
            )
        ]
    row = F.conv_transpose2d(x.flatten(0, 1)[:, None], torch.outer(flat, flat)[None, None], stride=s, padding=s // 2)
    known.append(
        (
            _inside(row.reshape(want.shape), s),
            "The tent's top is on a pixel. The middle of a cell lies between two pixels: the distances are 0.5, 1.5, …",
        )
    )
    t.close(
        _inside(got, s),
        _inside(want, s),
        f"classes={classes}, stride={s} and random scores of shape {tuple(x.shape)}, {s} px from the rim",
        known,
        picture=pictures.maps,
    )


@enlarger.part("one class", 1.75)
def _(t):
    for s in (2, 4, t.random.choice([6, 8])):
        _values(t, 1, s)


@enlarger.part("classes keep apart", 1.25)
def _(t):
    classes = t.random.randint(3, 5)
    x = torch.zeros(1, classes, 5, 5)
    lit = t.random.randrange(classes)
    x[0, lit] = 1.0
    got = _sized(t, _layer(t, classes, 2), x, 2)
    middle = got[0, :, 5, 5]
    if (middle.abs() > 1e-4).sum() > 1:
        t.fail(
            f"For classes={classes}, stride=2 and scores of 1 in class {lit}, 0 in the others: in the middle the "
            f"classes come out as {[round(v, 3) for v in middle.tolist()]}. Only class {lit} should be lit: "
            "`weight[a, b]` is what class a paints on class b.",
            lambda: pictures.maps(got, enlarged(x, 2)),
        )
    if not abs(middle[lit] - 1) < 1e-3:
        t.fail(
            f"For classes={classes}, stride=2 and scores of 1 in class {lit}: in the middle it comes out as "
            f"{middle[lit]:.3f}. A flat map should stay as it is."
        )
    _values(t, classes, 2)


@enlarger.part("a transposed convolution that can learn", 0.5)
def _(t):
    layer, x = _layer(t, 1, 4), t.tensor(1, 1, 4, 4).abs()
    if _sized(t, layer, x, 4).min() < -1e-6:
        t.fail("Scores above 0 come out below 0. No tent goes below 0: is the weight still the random one?")
    if [run["kernel"] >= 7 for run in t.layers(layer, x)] != [True]:
        t.fail(
            "The tents should be the weight of one transposed convolution. Return an `nn.ConvTranspose2d` "
            "with its weight filled."
        )
    shapes = [tuple(p.shape) for p in _layer(t, 3, 2).parameters() if p.dim() == 4]
    if shapes == [(3, 1, 4, 4)]:
        t.fail(
            "For classes=3, stride=2: the weight should be of shape (3, 3, 4, 4), it is (3, 1, 4, 4). With `groups` "
            "no class could ever learn to paint on another. Leave the layer as it was given."
        )
    if any(p.dim() == 1 for p in layer.parameters()):
        t.fail("The layer has a bias. None is asked for: give `bias=False`.")
    if not any(p.requires_grad for p in layer.parameters()) or not any(
        g is not None and g.any() for g in t.weight_gradients(layer, x).values()
    ):
        t.fail(
            "No gradient reaches the layer's weight, so it could not learn. Keep it a parameter that wants a gradient."
        )
