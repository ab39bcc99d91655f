"""Lesson 07: the outline. Edges are found by convolution."""

import torch
import torch.nn.functional as F

from ..causes import judge
from ..core import Exercise
from ..values import is_number, kind, same
from .scores import NAN, ratio

edge_iou = Exercise(
    "edge_iou",
    hints=(
        (
            "Which of a mask's pixels have something that is not mask within reach? Make a map of what is *not* mask"
            " first."
        ),
        (
            "The maximum over a square window of what is *not* mask tells whether any of it lies within reach:"
            " `F.max_pool2d` with a window of 2·width + 1 and stride 1. Beyond the rim all is not mask, so pad with"
            " ones."
        ),
        (
            "`outside = F.pad((~mask)[None, None].float(), (width,) * 4, value=1.0)`, then max-pool it without padding:"
            " it has the mask's size again. The edge is the mask where that is 1."
        ),
    ),
    own_work={
        name: "This asks the library for edges. Find them yourself, with `F.max_pool2d` or with shifted masks."
        for name in ("boundary_iou", "near_boundary", "distance_to_boundary", "band_iou", "thin", "errors_by_distance")
    },
)


def _edge(mask, width, rim=1.0, window=None):
    """The mask's pixels with an outsider in a square window: counted by convolution, outside of the image included."""
    reach = width if window is None else window
    out = F.pad((~mask)[None, None].double(), (reach,) * 4, value=rim)
    return mask & (F.conv2d(out, torch.ones(1, 1, 2 * reach + 1, 2 * reach + 1, dtype=torch.float64))[0, 0] > 0.5)


def _share(a, b):
    return ratio(int((a & b).sum()), int((a | b).sum()))


def _diamond(mask, width):
    """The edge by steps along rows and columns only."""
    inside = F.pad(mask, (width,) * 4)
    cross = torch.tensor([[0.0, 1, 0], [1, 1, 1], [0, 1, 0]], dtype=torch.float64)[None, None]
    for _ in range(width):
        inside = inside & ~(F.conv2d((~inside)[None, None].double(), cross, padding=1)[0, 0] > 0)
    return mask & ~inside[width:-width, width:-width]


def _rolled(mask, width):
    """The edge where the picture goes on at its other side."""
    wide = F.pad((~mask)[None, None].double(), (width,) * 4, mode="circular")
    return mask & (F.max_pool2d(wide, 2 * width + 1, stride=1)[0, 0] > 0)


def _draw_edges(pred, truth, width):
    from course_lib import plot

    edges = [_edge(m, width) for m in (truth, pred)]
    maps = [torch.where(e, 2, m.long()) for e, m in zip(edges, (truth, pred))]
    both = torch.where(edges[0] & edges[1], 2, (edges[0] | edges[1]).long())
    return plot.grid(
        [*maps, both],
        ["truth: its edge in blue", "prediction: its edge in blue", "blue: both edges, orange: one"],
        columns=3,
    )


def _case(t, pred, truth, width, given):
    """(got, want, given, known mistakes, picture) of one pair of masks."""
    got = t.call(pred, truth, width)
    if isinstance(got, torch.Tensor) and got.numel() == 1:
        got = got.item()
    if not is_number(got):
        t.fail(f"For {given}: expected one number, got {kind(got)}")
    a, b = (_edge(m, width) for m in (pred, truth))
    want = _share(a, b)

    def both(edge):
        return _share(edge(pred), edge(truth))

    def wide(m):
        return F.max_pool2d(m[None, None].double(), 2 * width + 1, stride=1, padding=width)[0, 0] > 0

    band = wide(truth) & wide(~truth)
    known = [
        (
            NAN if want > 0 else None,
            "Your edges have no pixel at all. The window is 2·width + 1 wide, 3 for a width of 1, and "
            "outside is not mask.",
        ),
        (NAN if want == 0 else None, "One mask is empty and the other is not: nothing is shared, so the score is 0."),
        (_share(pred, truth), "This is the IoU of the whole masks. Keep only each mask's edge first."),
        (both(lambda m: wide(m) & ~m), "These are the pixels just outside the masks; the edge lies inside."),
        (
            both(lambda m: wide(m) & wide(~m)),
            "This takes a band on both sides of the outline; the edge is the inner side only.",
        ),
        (
            _share(pred & band, truth & band),
            "This looks at both masks in the band around the truth. Each mask has an edge of its own.",
        ),
        (
            _share(pred & b, truth & b),
            "This looks at both masks where the truth has its edge. Each mask has an edge of its own.",
        ),
        (
            both(lambda m: _edge(m, width, rim=0.0)),
            (
                "An animal that touches the rim of the picture has an edge there too: outside of the picture is not"
                " mask. (`F.max_pool2d` pads with −∞.)"
            ),
        ),
        (
            both(lambda m: _rolled(m, width)) if width <= min(truth.shape) else None,
            "What leaves the picture on one side comes in on the other here (`torch.roll` does that); outside of the"
            " picture is not mask.",
        ),
        (
            ratio(int(_edge(pred & truth, width).sum()), int(_edge(pred | truth, width).sum())),
            "These are the edges of what the masks share and of the two together. Find each mask's edge first, then"
            " what the edges share.",
        ),
        (
            both(lambda m: _diamond(m, width)),
            "This counts steps along rows and columns. A diagonal step is one step too: use square windows.",
        ),
        (both(lambda m: _edge(m, width - 1)) if width > 1 else None, "The edge is one pixel too thin."),
        (both(lambda m: _edge(m, width + 1)), "The edge is one pixel too thick."),
        (
            both(lambda m: _edge(m, width // 2)) if width > 1 else None,
            "The edge is too thin: a window that reaches `width` pixels to each side is 2·width + 1 wide.",
        ),
        (
            2 * want / (1 + want) if want == want else None,
            "This is Dice of the edges; divide by the pixels of either edge.",
        ),
        (1.0 if want != want else None, "Without a single pixel in either mask there is nothing to score: NaN."),
        (
            0.0 if want != want else None,
            "Without a single pixel in either mask there is nothing to score: 0/0 is NaN, not 0.",
        ),
    ]
    alike = same(got, want, 1e-4)
    picture = None if alike or not (pred | truth).any() else (lambda *_: _draw_edges(pred, truth, width))
    return got, want, given, known, picture


def _blobs(t, h, w, free=3):
    """Two overlapping masks made of boxes and a disc, all at least `free` px from the rim."""
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    masks = []
    shift = t.random.randint(1, 2)
    top, left = free + t.random.randint(0, 2), free + t.random.randint(0, 2)
    for move in (0, shift):
        box = (y >= top + move) & (y < h - free - 3 + move) & (x >= left) & (x < w // 2 + move)
        disc = (y - h // 2) ** 2 + (x - w // 2 - move) ** 2 <= (min(h, w) // 2 - free - 3) ** 2
        masks.append(box | disc)
    return masks


@edge_iou.part("an edge one pixel wide", 0.75)
def _(t):
    def cases():
        truth, pred = torch.zeros(2, 10, 10, dtype=torch.bool)
        truth[2:7, 2:7], pred[3:8, 3:8] = True, True
        yield _case(t, pred, truth, 1, "a 5 × 5 square and the same one pixel lower and to the right, width 1")
        for high in (16, t.random.randint(20, 26)):
            pred, truth = _blobs(t, high, t.random.randint(28, 34))
            yield _case(t, pred, truth, 1, f"masks of shape {tuple(truth.shape)}, width 1")

    judge(t, cases())


@edge_iou.part("wider edges", 1)
def _(t):
    def cases():
        for width in (3, 2, t.random.choice((4, 5))):
            pred, truth = _blobs(t, t.random.randint(30, 40), t.random.randint(42, 50), free=6)
            yield _case(t, pred, truth, width, f"masks of shape {tuple(truth.shape)}, width {width}")

    judge(t, cases())


@edge_iou.part("at the rim of the picture", 0.75)
def _(t):
    h, w = t.random.randint(14, 18), t.random.randint(20, 24)

    def cases():
        for width in (1, t.random.choice((2, 3))):
            truth, pred = torch.zeros(2, h, w, dtype=torch.bool)
            truth[5:, 4:15], pred[6:, 5:16] = True, True
            yield _case(t, pred, truth, width, f"masks that touch the lower rim, of shape {(h, w)}, width {width}")
            truth, pred = truth.T.flip(1).contiguous(), pred.T.flip(1).contiguous()
            yield _case(t, pred, truth, width, f"masks that touch the left rim, of shape {(w, h)}, width {width}")
            truth, pred = torch.ones(2, h, w, dtype=torch.bool)
            truth[5:8, 6:10], pred[6:9, 7:11] = False, False
            yield _case(t, pred, truth, width, f"masks that touch all four rims, of shape {(h, w)}, width {width}")

    judge(t, cases())


@edge_iou.part("empty masks", 0.25)
def _(t):
    pred, truth = _blobs(t, 22, 26)
    none = torch.zeros_like(truth)
    for width in (1, t.random.choice((2, 3))):
        for a, b, given in (
            (pred, none, f"an empty truth and a prediction of {int(pred.sum())} pixels"),
            (none, truth, f"an empty prediction and a truth of {int(truth.sum())} pixels"),
            (none, none, "two empty masks"),
        ):
            judge(t, [_case(t, a, b, width, f"{given}, width {width}")], least=1)


@edge_iou.part("edges wider than the mask, and arguments left alone", 0.25)
def _(t):
    h, w = t.random.randint(9, 12), t.random.randint(13, 16)
    truth, pred = torch.zeros(2, h, w, dtype=torch.bool)
    truth[3:7, 3:8], pred[3:7, 4:9] = True, True
    given = f"masks of shape {(h, w)} whose every pixel is edge"
    judge(t, (_case(t, pred, truth, width, f"{given}, width {width}") for width in (4, 20)))
    t.call(torch.ones(h, w, dtype=torch.bool), torch.ones(h, w, dtype=torch.bool), 2)
    t.unchanged("one of its masks.")
