"""Lesson 03: coarse scores doubled, finer ones added."""

import torch

from .. import pictures
from ..causes import judge
from ..core import Exercise
from ..values import NotYet, kind
from .enlarging import between, copied, cubic, squeezed, stretched

fuse = Exercise(
    "fuse",
    hints=(
        "Four cells of the fine map lie in one of the coarse map. Which of the two must grow?",
        "First twice the size, then the surplus off. A map with an odd number of rows was halved to the *larger* "
        "half, so the surplus row is the last one.",
        '`F.interpolate` takes `scale_factor=2` and `mode="bilinear"`. Slice the result to the fine map\'s '
        "height and width, from the top left corner, and add.",
    ),
    own_work={
        name: "This hands the work to the library's own fusion. Write it from resizing, slicing and adding."
        for name in ("Fuse", "Double", "Enlarge", "FCN", "refine")
    },
)


def _stopped(a, b, axis):
    return f"size of tensor a ({a}) must match the size of tensor b ({b}) at non-singleton dimension {axis}"


def _fused(t, coarse, fine):
    """The answer's sum; where it stops with two sizes that do not match, with what these tell."""
    try:
        return t.call(coarse, fine)
    except NotYet as stop:
        (h, w), (high, wide) = coarse.shape[2:], fine.shape[2:]
        if (2 * w != wide and _stopped(2 * w, wide, 3) in stop.message) or (
            2 * h != high and _stopped(2 * h, high, 2) in stop.message
        ):
            stop.message += " Twice the coarse map is larger than the fine one here: cut off the surplus, then add."
        elif _swaps(t):
            stop.message += " Height and width have changed places in the cut: rows first."
        raise


def _swaps(t):
    """Whether maps of even sizes, which need no cut, stop the code as a cut to (width, height) does."""
    for h, w in ((2, 3), (3, 5)):
        try:
            t.call(torch.ones(1, 1, h, w), torch.ones(1, 1, 2 * h, 2 * w))
        except NotYet as stop:
            if _stopped(2 * h, 2 * w, 3) in stop.message:
                continue
        return False
    return True


def _shape_slip(got, coarse, fine):
    """What a sum of a wrong shape tells; "" where it tells nothing."""
    if got.shape[1] == 2 * fine.shape[1]:
        return " This stacks the two as channels. FCN adds: the result has as many channels as each of them."
    if got.shape[2:] == coarse.shape[2:]:
        return " This shrinks the fine map to the coarse one. Its detail is what we want: the coarse one grows."
    if tuple(got.shape[2:]) == (2 * coarse.shape[2], 2 * coarse.shape[3]):
        return " The coarse map's surplus row and column should be cut off."
    return ""


def _fuse_part(t, *pairs):
    """Judge the answer on pairs of coarse and fine scores."""

    def cases():
        for coarse, fine in pairs:
            given = f"coarse of shape {tuple(coarse.shape)}, fine of shape {tuple(fine.shape)}"
            if fine.numel() <= 8:
                given = f"coarse {coarse.tolist()} and fine {fine.tolist()}"
            got, (h, w), (rows, columns) = _fused(t, coarse, fine), fine.shape[2:], coarse.shape[2:]
            if isinstance(got, torch.Tensor) and got.dim() == 4 and got.shape != fine.shape:
                more = _shape_slip(got, coarse, fine)
                t.fail(f"For {given}: expected shape {tuple(fine.shape)}, got {tuple(got.shape)}.{more}")
            down, right = (torch.arange(2.0 * n) / 2 - 0.25 for n in (rows, columns))  # pixels' middles, in cells
            grown = between(coarse, down[:h], right[:w])
            rim = [torch.ones(2 * n).index_fill(0, torch.tensor([0, 2 * n - 1]), 0.75) for n in (rows, columns)]
            known = [
                (
                    copied(coarse, 2)[:, :, :h, :w] + fine,
                    "This copies each coarse cell to a block of four; blend between cells (bilinear).",
                ),
                (
                    stretched(coarse, 2)[:, :, :h, :w] + fine,
                    "This is enlarged with align_corners=True: exercise 3's lie.",
                ),
                (
                    cubic(coarse, 2)[:, :, :h, :w] + fine,
                    'This is enlarged with mode="bicubic"; bilinear is asked for.',
                ),
                (
                    grown * torch.outer(*rim)[:h, :w] + fine,
                    "At the rim the scores fade, as tents of cells beyond it are missing. `F.interpolate` repeats "
                    "the rim's cells.",
                ),
                ((grown + fine) / 2, "This is the mean of the two. FCN adds them."),
                (grown, "The fine scores are missing."),
                (fine, "The coarse scores are missing."),
                (grown * fine, "This multiplies the two. FCN adds them."),
                (grown - fine, "This subtracts the fine scores. FCN adds the two."),
                (torch.maximum(grown, fine), "This keeps the larger of the two. FCN adds them."),
                ((grown + fine).relu(), "There is a ReLU too many: scores may be below 0."),
            ]
            if (h, w) != (2 * rows, 2 * columns):
                squeeze = "Resized to the fine map's size, the coarse cells are squeezed into it. They stand for twice "
                squeeze += "their own number of rows and columns: double them exactly, then cut."
                corners = between(coarse, torch.linspace(0, rows - 1, h), torch.linspace(0, columns - 1, w))
                known += [
                    (squeezed(coarse, h, w) + fine, squeeze),
                    (corners + fine, squeeze),
                    (
                        between(coarse, down[-h:], right[-w:]) + fine,
                        "The surplus is cut off at the top or left. It lies at the bottom and right.",
                    ),
                ]
            yield got, grown + fine, given, known

    judge(t, cases(), picture=pictures.maps)


def _small(t, width):
    """A coarse map of two cells, and a fine one of `width` in a row or two: whole numbers, that a message can show."""
    coarse = t.tensor(1, 1, 1, 2, low=1, high=5).float()
    return coarse + torch.tensor([0.0, 3.0]), 10 * t.tensor(1, 1, 1 + (width == 4), width, low=1, high=5).float()


@fuse.part("even sizes", 1)
def _(t):
    _fuse_part(t, _small(t, 4), (t.tensor(2, 3, 4, 5), t.tensor(2, 3, 8, 10)))


@fuse.part("odd sizes", 1)
def _(t):
    sizes = (7, 10), (8, 9), (11, 5)
    maps = ((t.tensor(2, 3, (h + 1) // 2, (w + 1) // 2), t.tensor(2, 3, h, w)) for h, w in sizes)
    _fuse_part(t, _small(t, 3), *maps)


@fuse.part("gradients flow to both, arguments stay as they were", 0.5)
def _(t):
    _fused(t, t.tensor(1, 2, 4, 4), t.tensor(1, 2, 7, 8))
    t.unchanged("one of its arguments. Put the sum in a new tensor: `a + b`, not `a += b` on what was given.")
    coarse, fine = t.tensor(1, 2, 4, 4).requires_grad_(), t.tensor(1, 2, 7, 8).requires_grad_()
    got, (to_coarse, to_fine) = t.gradients(coarse, fine)
    if not isinstance(got, torch.Tensor) or got.dim() != 4:
        t.fail(
            f"For scores of shape (1, 2, 4, 4) and (1, 2, 7, 8): expected scores of shape (B, C, H, W), got {kind(got)}"
        )
    for place, (name, gradient) in enumerate((("coarse", to_coarse), ("fine", to_fine))):
        if gradient is None or not gradient.any() or not t.depends((coarse, fine), place):
            t.fail(f"No gradient reaches `{name}`, so its scores could not learn. Work on tensors throughout.")
