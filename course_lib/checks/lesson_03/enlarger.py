"""Lesson 03: tents as the weight of a transposed convolution."""

import torch
import torch.nn.functional as F

from .. import pictures
from ..causes import judge
from ..core import Exercise
from ..values import NotYet, kind
from .enlarging import between, copied, stretched

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
        for name in ("bilinear_kernel", "Double", "Fuse", "Enlarge", "FCN", "refine")
    },
)


def _layer(t, classes, s):
    try:
        return t.made(classes, s, given=f"classes={classes}, stride={s}", what="a layer, an `nn.Module`,")
    except NotYet as stopped:
        if "a leaf Variable that requires grad" in stopped.message:
            stopped.message += " Fill the weight inside `with torch.no_grad():`."
        raise


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


def _painted(x, s, brush, padding):
    """Every cell of x paints this brush on its own class, `s` pixels apart; then `padding` pixels are cut off."""
    big = F.conv_transpose2d(x.flatten(0, 1)[:, None], brush[None, None], stride=s, padding=padding)
    return big.unflatten(0, x.shape[:2])[:, :, 0, : s * x.shape[2], : s * x.shape[3]]


def _known(x, s, want):
    """(a wrong map, what it reveals) for the usual slips."""
    half = (torch.arange(2 * s) - s + 0.5).abs() / s  # how far a pixel is from a cell's middle, in cells
    down, right = half[:, None].expand(2 * s, 2 * s), half.expand(2 * s, 2 * s)
    on_pixel = 1 - (torch.arange(2 * s) - s).abs() / s
    nearest = copied(x, s)

    def painted(brush, padding=s // 2):
        return _painted(x, s, brush, padding)

    return [
        (
            want.sum(1, keepdim=True).expand_as(want),
            "Every class paints on every class, so each map is the sum of all. Only weight[c, c] holds a tent.",
        ),
        (
            want / s**2,
            "The weights sum to 1, so the map fades: s² pixels share what one cell has. They must sum to s².",
        ),
        (
            painted((1 - (down**2 + right**2).sqrt()).clamp(min=0)),
            "The brush is round: its weights follow the distance in the plane. In two directions the two weights are "
            "multiplied.",
        ),
        (
            painted(down * right),
            "The tent is upside down: it is distance/stride. At the middle the weight is largest: 1 − distance/stride.",
        ),
        (want * s**2, "The map is s² times too bright."),
        (
            painted(1 - torch.maximum(down, right)),
            "The k × k tent holds the smaller of the two weights. In two directions they are multiplied.",
        ),
        (
            painted(2 - down - right),
            "The k × k tent holds the sum of the two weights. In two directions they are multiplied.",
        ),
        *(
            (
                painted((1 - one) * block),
                f"The tent falls off from {what} only. In two directions the weights are multiplied.",
            )
            for one, other, what in ((down, right, "row to row"), (right, down, "column to column"))
            for block in (other < 0.5, 1.0)
        ),
        (painted(torch.eye(2 * s) * (1 - down)), "Only the tent's diagonal is filled. `torch.outer` fills all of it."),
        (nearest, "This copies each cell to a block. A tent falls off from its middle."),
        (stretched(x, s), "This puts the first cell's middle on the first pixel (align_corners=True)."),
        (
            painted(torch.outer(*[(1 - half + 0.5 / s).clamp(0, 1)] * 2)),
            "The pixels next to a cell's middle have weight 1. They are half a pixel away from it: 1 − 0.5/stride.",
        ),
        *(
            (want.roll((by, by), (2, 3)), "The tents stand one pixel away from their cells: look at the padding.")
            for by in (1, -1)
        ),
        (
            painted(torch.outer(on_pixel, on_pixel)),
            "The tent's top is on a pixel. The middle of a cell lies between two pixels: the distances are 0.5, 1.5, …",
        ),
    ]


def _values(t, classes, strides):
    """Judge the layer's map at each stride, away from the rim, where tents of cells beyond it are missing."""

    def cases():
        for s in strides:
            x = t.tensor(2, classes, 6, 7)
            got = _sized(t, _layer(t, classes, s), x, s)
            want = between(x, *((2 * torch.arange(n * s) + 1 - s) / (2 * s) for n in x.shape[2:]))
            known = [(wrong[..., s:-s, s:-s], says) for wrong, says in _known(x, s, want)]
            given = f"classes={classes}, stride={s} and random scores of shape {tuple(x.shape)}, {s} px from the rim"
            yield got[..., s:-s, s:-s], want[..., s:-s, s:-s], given, known

    judge(t, cases(), picture=pictures.maps)


@enlarger.part("one class", 1.75)
def _(t):
    _values(t, 1, (2, 4, t.random.choice([6, 8])))


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
            lambda: pictures.maps(got, copied(x, 2)),
        )
    if not abs(middle[lit] - 1) < 1e-3:
        t.fail(
            f"For classes={classes}, stride=2 and scores of 1 in class {lit}: in the middle it comes out as "
            f"{middle[lit]:.3f}. A flat map should stay as it is."
        )
    _values(t, classes, (2, 4))


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
