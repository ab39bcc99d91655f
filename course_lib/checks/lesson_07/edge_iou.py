"""Lesson 07: the outline. Masks are drawn as lists of places, and an edge is known from the distances between them."""

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


def _share(a, b):
    return ratio(int((a & b).sum()), int((a | b).sum()))


def _draw_edges(masks, edges):
    from course_lib import plot

    maps = [torch.where(e, 2, m.long()) for e, m in zip(edges, masks)]
    both = torch.where(edges[0] & edges[1], 2, (edges[0] | edges[1]).long())
    return plot.grid(
        [*maps, both],
        ["truth: its edge in blue", "prediction: its edge in blue", "blue: both edges, orange: one"],
        columns=3,
    )


def _case(t, size, places, width, given):
    """(got, want, given, known mistakes, picture) of one pair of masks.

    size    height and width of the picture
    places  int64 (n, 2) of the prediction's pixels and of the truth's: row and column
    """
    pred, truth = masks = torch.zeros(2, *size, dtype=torch.bool)
    for mask, points in zip(masks, places):
        mask[tuple(points.T)] = True
    got = t.call(pred, truth, width)
    if isinstance(got, torch.Tensor) and got.numel() == 1:
        got = got.item()
    if not is_number(got):
        t.fail(f"For {given}: expected one number, got {kind(got)}")
    far = {
        name: [] for name in ("square", "steps", "disc", "arms", "inside", "round")
    }  # from each pixel to what is not its mask
    for mask in (pred, truth, pred & truth, pred | truth):
        touched = F.max_pool2d(F.pad(mask[None, None].float(), (1,) * 4, mode="circular"), 3, 1, 1)[0, 0] > 0
        outside = (touched & ~F.pad(mask, (1,) * 4)).nonzero() - 1  # the nearest ones are beside the mask
        within = (outside >= 0).all(1) & (outside < torch.tensor(size)).all(1)
        apart = (mask.nonzero().short()[:, None] - outside.short()).abs()
        torus = torch.minimum(apart, torch.tensor(size).short() - apart)[:, within]
        square = apart.amax(2)
        arms = torch.where(apart.amin(2) == 0, square, 10_000)  # along the row and the column alone
        disc = apart.float().square().sum(2).sqrt()
        for name, distances in zip(far, (square, apart.sum(2), disc, arms, square[:, within], torus.amax(2))):
            of = torch.full(size, torch.inf)
            of[mask] = torch.cat([distances.float(), torch.full((len(distances), 1), torch.inf)], 1).amin(1)
            far[name].append(of)
    a, b = (distance <= width for distance in far["square"][:2])
    want, shared = _share(a, b), int((a & b).sum())
    parts = bool((pred & ~a).any() and (truth & ~b).any())  # whether there is something inside the edges

    def wide(m):
        return F.max_pool2d(m[None, None].double(), 2 * width + 1, stride=1, padding=width)[0, 0] > 0

    def both(edge):
        return _share(edge(pred), edge(truth))

    def within(name, reach):
        return _share(*(distance <= reach for distance in far[name][:2]))

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
            _share(pred & b, truth & b) if parts else None,
            "This looks at both masks where the truth has its edge. Each mask has an edge of its own.",
        ),
        (
            within("inside", width),
            (
                "An animal that touches the rim of the picture has an edge there too: outside of the picture is not"
                " mask. (`F.max_pool2d` pads with −∞.)"
            ),
        ),
        (
            within("round", width) if width <= min(size) else None,
            "What leaves the picture on one side comes in on the other here (`torch.roll` does that); outside of the"
            " picture is not mask.",
        ),
        (
            ratio(*(int((distance <= width).sum()) for distance in far["square"][2:])),
            "These are the edges of what the masks share and of the two together. Find each mask's edge first, then"
            " what the edges share.",
        ),
        (
            within("steps", width),
            "This counts steps along rows and columns. A diagonal step is one step too: use square windows.",
        ),
        (within("disc", width), "This looks into a round window; take the whole square."),
        (within("arms", width), "This looks along the row and the column of a pixel alone; take the whole square."),
        (within("square", 1), "Your edge is one pixel wide, whatever `width` is."),
        (
            within("square", 2 * width + 1),
            "Your window reaches 2·width + 1 pixels to each side; that is how wide it is in all.",
        ),
        (
            _share(far["square"][0] == width, far["square"][1] == width),
            "Your edge is only the ring that is `width` pixels deep; what lies further out belongs to it, too.",
        ),
        (_share(pred & ~a, truth & ~b), "This is the IoU of what is inside the edges; take the edges."),
        (
            _share(~pred | a, ~truth | b) if want == want else None,
            "What is no mask counts for edge here; the edge is a part of the mask.",
        ),
        (ratio(shared, int(b.sum())) if parts else None, "This divides by the truth's edge alone; divide by both."),
        (
            ratio(shared, int(a.sum())) if parts else None,
            "This divides by the prediction's edge alone; divide by both.",
        ),
        (within("square", width - 1) if width > 1 else None, "The edge is one pixel too thin."),
        (within("square", width + 1), "The edge is one pixel too thick."),
        (
            within("square", width // 2) if width > 1 else None,
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
    edges = [distance <= width for distance in far["square"][:2]]
    picture = None if alike or not masks.any() else (lambda *_: _draw_edges(masks.flip(0), edges[::-1]))
    return got, want, given, known, picture


def _box(top, bottom, left, right):
    """The places of a box: rows top to bottom - 1, columns left to right - 1."""
    return torch.cartesian_prod(torch.arange(top, bottom), torch.arange(left, right))


def _without(places, hole):
    """The places that are not in the hole."""
    return torch.tensor([p for p in places.tolist() if p not in hole.tolist()])


def _blobs(t, h, w, free=3):
    """Places of two overlapping masks made of boxes and a disc, all at least `free` px from the rim."""
    found, everywhere = [], _box(0, h, 0, w)
    shift = t.random.randint(1, 2)
    top, left = free + t.random.randint(0, 2), free + t.random.randint(0, 2)
    for move in (0, shift):
        near = (everywhere - torch.tensor([h // 2, w // 2 + move])).square().sum(1)
        disc = everywhere[near <= (min(h, w) // 2 - free - 3) ** 2]
        found.append(torch.cat([disc, _box(top + move, h - free - 3 + move, left, w // 2 + move)]).unique(dim=0))
    return found[::-1]


@edge_iou.part("an edge one pixel wide", 0.75)
def _(t):
    def cases():
        squares = _box(3, 8, 3, 8), _box(2, 7, 2, 7)
        yield _case(t, (10, 10), squares, 1, "a 5 × 5 square and the same one pixel lower and to the right, width 1")
        for high in (16, t.random.randint(20, 26)):
            size = high, t.random.randint(28, 34)
            yield _case(t, size, _blobs(t, *size), 1, f"masks of shape {size}, width 1")

    judge(t, cases())


@edge_iou.part("wider edges", 1)
def _(t):
    def cases():
        for width in (3, 2, t.random.choice((4, 5))):
            size = t.random.randint(30, 40), t.random.randint(42, 50)
            yield _case(t, size, _blobs(t, *size, free=6), width, f"masks of shape {size}, width {width}")

    judge(t, cases())


@edge_iou.part("at the rim of the picture", 0.75)
def _(t):
    h, w = t.random.randint(14, 18), t.random.randint(20, 24)

    def cases():
        for width in (1, 4):
            low = _box(6, h, 5, 16), _box(5, h, 4, 15)
            yield _case(t, (h, w), low, width, f"masks that touch the lower rim, of shape {(h, w)}, width {width}")
            left = _box(5, 16, 0, h - 6), _box(4, 15, 0, h - 5)
            yield _case(t, (w, h), left, width, f"masks that touch the left rim, of shape {(w, h)}, width {width}")
            whole = _box(0, h, 0, w)
            holed = _without(whole, _box(6, 9, 7, 11)), _without(whole, _box(5, 8, 6, 10))
            yield _case(t, (h, w), holed, width, f"masks that touch all four rims, of shape {(h, w)}, width {width}")

    judge(t, cases())


@edge_iou.part("empty masks", 0.25)
def _(t):
    (pred, truth), none = _blobs(t, 22, 26), torch.zeros(0, 2, dtype=torch.int64)
    for width in (1, t.random.choice((2, 3))):
        for a, b, given in (
            (pred, none, f"an empty truth and a prediction of {len(pred)} pixels"),
            (none, truth, f"an empty prediction and a truth of {len(truth)} pixels"),
            (none, none, "two empty masks"),
        ):
            judge(t, [_case(t, (22, 26), (a, b), width, f"{given}, width {width}")], least=1)


@edge_iou.part("edges wider than the mask, and arguments left alone", 0.25)
def _(t):
    h, w = t.random.randint(9, 12), t.random.randint(13, 16)
    boxes, given = (_box(3, 7, 4, 10), _box(3, 7, 3, 8)), f"masks of shape {(h, w)} whose every pixel is edge"
    judge(t, (_case(t, (h, w), boxes, width, f"{given}, width {width}") for width in (4, 20)))
    t.call(torch.ones(h, w, dtype=torch.bool), torch.ones(h, w, dtype=torch.bool), 2)
    t.unchanged("one of its masks.")
