"""Checks of lesson 03, from the lie to the ladder; `check` holds those of the score maps before them, too."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from .lesson_03_coarse import check
from .lesson_03_tents import _draw_maps, _enlarged, _painted
from .values import NotYet, kind

# --- the lie ------------------------------------------------------------------------------------------------

catch = check.exercise(
    "catch",
    hints=(
        "Try `seam` on some maps of your own: a flat one, a smooth one, one with a sharp change. Where, and why, does it grow?",
        "The copied layer puts the first cell's middle on the first pixel and the last cell's on the last, and spreads the others "
        "evenly. So cells near the cut stand elsewhere in the half than in the whole. Only where neighbouring cells differ does one see it.",
        "For the witness, let 0 and 1 take turns from column to column. For the repair, look at the arguments "
        "that `nn.Upsample` has beside `scale_factor` and `mode`.",
    ),
)

LEAST = 0.3


def _seam(enlarge, scores):
    """As the notebook's: the largest difference between the left half alone and the left half of the whole."""
    half = scores.shape[-1] // 2
    whole, alone = enlarge(scores), enlarge(scores[..., :half])
    keep = alone.shape[-1] - alone.shape[-1] // half
    return (whole[..., :keep] - alone[..., :keep]).abs().max().item()


def _pair(t, stride):
    """The answer's two things: the witness, and the repair."""
    got = t.each(stride)
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        t.fail(f"For stride={stride}: expected two things, scores and a module, got {kind(got)}")
    return got


def _repaired(t, stride):
    net = _pair(t, stride)[1]
    if not isinstance(net, nn.Module):
        what = "something else, such as a function." if isinstance(net, NotYet) else kind(net)
        t.fail(
            f"For stride={stride}: the second thing should be an `nn.Module`, got {what} Return a layer of torch.nn, or an "
            "object of a class of your own, with its work in `forward`."
        )
    return net


@catch.part("a witness: scores on which the copied layer contradicts itself", 1)
def _(t):
    for stride in (8, 16, 32):
        scores, _ = _pair(t, stride)
        if not isinstance(scores, torch.Tensor) or scores.shape != (1, 1, 4, 16) or not scores.is_floating_point():
            what = f"something else. {scores.message}" if isinstance(scores, NotYet) else kind(scores)
            t.fail(f"For stride={stride}: the scores should be a float tensor of shape (1, 1, 4, 16), got {what}")
        if not (scores.min() >= 0 and scores.max() <= 1):
            t.fail(
                f"For stride={stride}: your scores go from {scores.min():.3g} to {scores.max():.3g}; keep them between 0 and 1."
            )
        size = _seam(nn.UpsamplingBilinear2d(scale_factor=stride), scores.float())
        if size < LEAST:
            more = (
                " A flat map looks the same wherever its cells stand."
                if scores.max() - scores.min() < 1e-6
                else " Let neighbouring columns differ more, above all close to the cut."
                if size > 0.02
                else " The copied layer moves cells left and right by different amounts. Do neighbouring columns differ in the left half?"
            )
            t.fail(
                f"For stride={stride}: your scores' left half, enlarged alone, differs from the same place in the whole by {size:.3f} "
                f"at most, and {LEAST} is asked for.{more}"
            )


@catch.part("a repair: no seam, on any scores", 0.75)
def _(t):
    for stride in (8, t.random.choice([16, 32])):
        repaired = _repaired(t, stride)
        for x in (t.tensor(1, 1, 3, 8), t.tensor(1, 1, 5, 12)):
            _size(t, repaired, x, stride)
            size = _seam(lambda scores: t.run(repaired, scores), x)
            if size > 1e-4:
                t.fail(
                    f"For stride={stride} and random scores of shape {tuple(x.shape)}: with your module the left half alone differs from "
                    f"the same place in the whole by {size:.3f}."
                )


@catch.part("the repair still blends between cells", 0.75)
def _(t):
    for stride in (8, t.random.choice([16, 32])):
        if not isinstance(repaired := _pair(t, stride)[1], nn.Module):
            t.fail("There is no `nn.Module` to try.")
        x = t.tensor(1, 1, 4, 6)
        got, want = (
            _size(t, repaired, x, stride)[..., stride:-stride, stride:-stride],
            _enlarged(x, stride)[..., stride:-stride, stride:-stride],
        )
        known = [
            (
                F.interpolate(x, scale_factor=stride, mode="nearest")[..., stride:-stride, stride:-stride],
                "Blocks have no seam, but they no longer blend.",
            ),
            (
                _enlarged(x, stride, align_corners=True)[..., stride:-stride, stride:-stride],
                "This is the copied layer's own result.",
            ),
            (
                F.interpolate(x, scale_factor=stride, mode="bicubic")[..., stride:-stride, stride:-stride],
                "This is bicubic; bilinear is asked for.",
            ),
            (0 * want, "Nothing is left of the scores."),
        ]
        t.close(
            got,
            want,
            f"stride={stride} and random scores of shape {tuple(x.shape)}, {stride} px from the rim",
            known,
            picture=_draw_maps,
        )


def _size(t, net, x, stride):
    got, want = t.run(net, x), (*x.shape[:2], stride * x.shape[2], stride * x.shape[3])
    if not isinstance(got, torch.Tensor) or tuple(got.shape) != want:
        t.fail(
            f"For stride={stride} and scores of shape {tuple(x.shape)}: your module should give shape {want}, it gives {kind(got)}"
        )
    return got


# --- adding finer scores ------------------------------------------------------------------------------------

fuse = check.exercise(
    "fuse",
    hints=(
        "Four cells of the fine map lie in one of the coarse map. Which of the two must grow?",
        "First twice the size, then the surplus off. A map with an odd number of rows was halved to the *larger* half, so the surplus "
        "row is the last one.",
        '`F.interpolate` takes `scale_factor=2` and `mode="bilinear"`. Slice the result to the fine map\'s height and width, from the '
        "top left corner, and add.",
    ),
    own_work={
        name: "This hands the work to the library's own fusion. Write it from resizing, slicing and adding."
        for name in ("Fuse", "FCN")
    },
)


def _doubled(coarse, h, w):
    """Twice the size, from a map that goes on beyond its rim as it ends there; then cut. (Not by F.interpolate: by hand.)"""
    x = F.pad(coarse, (1, 1, 1, 1), mode="replicate")
    for axis in (2, 3):
        n = x.shape[axis] - 2
        before, here, after = (x.narrow(axis, i, n) for i in (0, 1, 2))
        x = torch.stack([0.25 * before + 0.75 * here, 0.75 * here + 0.25 * after], axis + 1).flatten(axis, axis + 1)
    return x[:, :, :h, :w]


def _fuse_part(t, coarse, fine):
    h, w = fine.shape[2:]
    want = _doubled(coarse, h, w) + fine
    twice = _enlarged(coarse, 2)
    given = f"coarse of shape {tuple(coarse.shape)}, fine of shape {tuple(fine.shape)}"
    if fine.numel() <= 8:
        given = f"coarse {coarse.tolist()} and fine {fine.tolist()}"
    got = t.call(coarse, fine)
    if isinstance(got, torch.Tensor) and got.dim() == 4 and got.shape != want.shape:
        more = ""
        if got.shape[1] == 2 * fine.shape[1]:
            more = " This stacks the two as channels. FCN adds: the result has as many channels as each of them."
        elif got.shape[2:] == coarse.shape[2:]:
            more = " This shrinks the fine map to the coarse one. Its detail is what we want: the coarse one grows."
        elif got.shape[2:] == twice.shape[2:]:
            more = " The coarse map's surplus row and column should be cut off."
        t.fail(f"For {given}: expected shape {tuple(want.shape)}, got {tuple(got.shape)}.{more}")
    known = [
        (
            F.interpolate(coarse, scale_factor=2, mode="nearest")[:, :, :h, :w] + fine,
            "This copies each coarse cell to a block of four; blend between cells (bilinear).",
        ),
        (
            _enlarged(coarse, 2, align_corners=True)[:, :, :h, :w] + fine,
            "This is enlarged with align_corners=True: exercise 3's lie.",
        ),
        (
            F.interpolate(coarse, scale_factor=2, mode="bicubic")[:, :, :h, :w] + fine,
            'This is enlarged with mode="bicubic"; bilinear is asked for.',
        ),
        (
            _painted(coarse, 2, torch.mul)[:, :, :h, :w] + fine,
            "At the rim the scores fade, as tents of cells beyond it are missing. `F.interpolate` repeats the rim's cells.",
        ),
        (want / 2, "This is the mean of the two. FCN adds them."),
        (want - fine, "The fine scores are missing."),
        (fine, "The coarse scores are missing."),
        ((want - fine) * fine, "This multiplies the two. FCN adds them."),
    ]
    if (h, w) != tuple(twice.shape[2:]):
        resized = F.interpolate(coarse, size=(h, w), mode="bilinear")
        known += [
            (
                resized + fine,
                f"Resized to {h} × {w}, {coarse.shape[2]} × {coarse.shape[3]} cells are squeezed into it. They stand for "
                f"{twice.shape[2]} × {twice.shape[3]}: double them exactly, then cut.",
            ),
            (
                F.interpolate(coarse, size=(h, w), mode="bilinear", align_corners=True) + fine,
                f"Resized to {h} × {w}, {coarse.shape[2]} × {coarse.shape[3]} cells are squeezed into it. Double them exactly, then cut.",
            ),
            (
                twice[:, :, twice.shape[2] - h :, twice.shape[3] - w :] + fine,
                "The surplus is cut off at the top or left. It lies at the bottom and right.",
            ),
        ]
    t.close(got, want, given, known, picture=_draw_maps)


@fuse.part("even sizes", 1)
def _(t):
    _fuse_part(t, t.tensor(1, 1, 1, 2, low=0, high=5).float(), 10 * t.tensor(1, 1, 2, 4, low=1, high=5).float())
    _fuse_part(t, t.tensor(2, 3, 4, 5), t.tensor(2, 3, 8, 10))


@fuse.part("odd sizes", 1)
def _(t):
    _fuse_part(t, t.tensor(1, 1, 1, 2, low=1, high=5).float(), 10 * t.tensor(1, 1, 1, 3, low=1, high=5).float())
    for h, w in ((7, 10), (8, 9), (11, 5)):
        _fuse_part(t, t.tensor(2, 3, (h + 1) // 2, (w + 1) // 2), t.tensor(2, 3, h, w))


@fuse.part("gradients flow to both, arguments stay as they were", 0.5)
def _(t):
    t.call(t.tensor(1, 2, 4, 4), t.tensor(1, 2, 7, 8))
    if t.changed:
        t.fail(
            "Your function changed one of its arguments. Put the sum in a new tensor: `a + b`, not `a += b` on what was given."
        )
    coarse, fine = t.tensor(1, 2, 4, 4).requires_grad_(), t.tensor(1, 2, 7, 8).requires_grad_()
    got, (to_coarse, to_fine) = t.gradients(coarse, fine)
    if not isinstance(got, torch.Tensor) or got.dim() != 4:
        t.fail(
            f"For scores of shape (1, 2, 4, 4) and (1, 2, 7, 8): expected scores of shape (B, C, H, W), got {kind(got)}"
        )
    for place, (name, gradient) in enumerate((("coarse", to_coarse), ("fine", to_fine))):
        if gradient is None or not gradient.any() or not t.depends((coarse, fine), place):
            t.fail(f"No gradient reaches `{name}`, so its scores could not learn. Work on tensors throughout.")


# --- the ladder ---------------------------------------------------------------------------------------------

ladder = check.exercise(
    "ladder",
    hints=(
        "Start with the coarsest map alone. What are its scores, and how often must they be enlarged to be the picture?",
        "Fuse the scores from the coarsest on, as in exercise 4: a total, and a loop over the finer ones. Each fusion halves the stride: "
        "32, 16, 8.",
        "After the loop the stride is 32 divided by 2 for each fusion; enlarge the total by that with `scale_factor`, then slice to the "
        "picture's height and width.",
    ),
    own_work={
        name: "This hands the work to a finished network. Climb the ladder yourself."
        for name in ("FCN", "Fuse", "Enlarge", "refine", "fcn_resnet50", "fcn_resnet101")
    },
)


def _rungs(t, n, h, w, classes, batch=2):
    """Random maps, coarsest first, and weights for a picture of h × w."""
    channels = [13 + i for i in range(n)]  # so many that a message shows shapes, not numbers
    t.random.shuffle(channels)
    maps, weights = [], []
    for i, c in enumerate(channels):
        stride = 32 >> i
        maps.append(t.tensor(batch, c, -(-h // stride), -(-w // stride)))
        weights.append(t.tensor(classes, c))
    return maps, weights


def _scored(maps, weights):
    return [
        torch.stack([(weight[k][:, None, None] * m).sum(1) for k in range(len(weight))], 1)
        for m, weight in zip(maps, weights)
    ]


def _fused(scores):
    total = scores[0]
    for finer in scores[1:]:
        total = _doubled(total, *finer.shape[2:]) + finer
    return total


def _climb(scores, size, enlarge=_enlarged, resize=False):
    total = _fused(scores)
    if resize:
        return F.interpolate(total, size=size, mode="bilinear")
    return enlarge(total, 64 >> len(scores))[:, :, : size[0], : size[1]]


def _stepwise(x, times):
    while times > 1:
        x, times = _enlarged(x, 2), times // 2
    return x


def _ladder_part(t, n, h, w, classes, batch=2):
    maps, weights = _rungs(t, n, h, w, classes, batch)
    scores = _scored(maps, weights)
    want = _climb(scores, (h, w))
    given = f"{n} map{'s' * (n > 1)} at stride{'s' * (n > 1)} {', '.join(str(32 >> i) for i in range(n))}, {classes} classes and size ({h}, {w})"
    got = t.call(maps, weights, (h, w))
    if t.changed:
        t.fail("Your function changed one of its arguments, perhaps with `pop` or `+=`. Work on copies.")
    if (
        isinstance(got, torch.Tensor)
        and got.dim() == 4
        and tuple(got.shape[:2]) == (batch, classes)
        and tuple(got.shape[2:]) != (h, w)
    ):
        whole = [32 * -(-side // 32) for side in (h, w)]
        if got.shape[2] >= h and got.shape[3] >= w:
            more = " That is what the cells stand for, some of them beyond the picture's end: cut it to the picture's size."
        elif tuple(got.shape[2:]) == (min(whole[0], w), min(whole[1], h)):
            more = " `size` is (H, W): rows first."
        else:
            fusions = ("no fusion", "one fusion, which doubles", "two fusions, which double")[n - 1]
            more = f" With {n} map{'s' * (n > 1)} there {'are' if n == 3 else 'is'} {fusions}, and the last step enlarges {64 >> n} times."
        t.fail(f"For {given}: expected shape {tuple(want.shape)}, got {tuple(got.shape)}.{more}")
    known = [
        (_climb(scores[:1], (h, w)), "Only the coarsest map has been used."),
        (
            F.interpolate(_fused(scores), scale_factor=64 >> n, mode="nearest")[:, :, :h, :w],
            "The last step copies cells to blocks; blend (bilinear).",
        ),
        (
            _climb(scores, (h, w), enlarge=lambda x, s: _enlarged(x, s, align_corners=True)),
            "The last step uses align_corners=True: exercise 3's lie.",
        ),
        (
            _stepwise(_fused(scores), 64 >> n)[:, :, :h, :w],
            "The last step enlarges by 2 again and again. Once, by what is left, is asked for.",
        ),
        (want.softmax(1), "These are probabilities. The logits are asked for, without softmax."),
        (F.relu(want), "There is a ReLU too many: scores may be below 0."),
    ]
    if n > 1:
        direct = sum(_enlarged(s, 32 >> i)[:, :, :h, :w] for i, s in enumerate(scores))
        known.append(
            (
                direct,
                "Each map's scores are enlarged to the picture straight away and added there. On the ladder they are added "
                "rung by rung: twice the size, add, twice the size, add.",
            )
        )
        known.append((_climb([scores[0], *(0 * s for s in scores[1:])], (h, w)), "The finer maps' scores are missing."))
        known.append((_enlarged(scores[-1], 64 >> n)[:, :, :h, :w], "Only the finest map has been used."))
        stretched = scores[0]
        for finer in scores[1:]:
            stretched = _enlarged(stretched, 2, align_corners=True)[:, :, : finer.shape[2], : finer.shape[3]] + finer
        known.append(
            (
                _climb([stretched], (h, w), lambda x, s: _enlarged(x, 64 >> n)),
                "The fusions use align_corners=True: exercise 3's lie.",
            )
        )
        squeezed = scores[0]
        for finer in scores[1:]:
            squeezed = F.interpolate(squeezed, size=finer.shape[2:], mode="bilinear") + finer
        for resize in (True, False):
            known.append(
                (
                    _climb([squeezed], (h, w), lambda x, s: _enlarged(x, 64 >> n), resize),
                    "Where sizes are odd, the coarse scores are squeezed. Double them exactly, then cut, as in exercise 4.",
                )
            )
    if h % 32 or w % 32:
        known.append(
            (
                _climb(scores, (h, w), resize=True),
                f"The last step squeezes the cells into {h} × {w} pixels. Enlarge exactly {64 >> n} times, then cut.",
            )
        )
    t.close(got, want, given, known, tolerance=1e-3, picture=_draw_maps)


@ladder.part("one map: FCN-32s", 0.5)
def _(t):
    _ladder_part(t, 1, 64, 96, t.random.randint(2, 4))


@ladder.part("two maps: FCN-16s", 1)
def _(t):
    _ladder_part(t, 2, 96, 64, t.random.randint(2, 4))


@ladder.part("three maps: FCN-8s", 1)
def _(t):
    _ladder_part(t, 3, 64, 96, t.random.randint(2, 4))


@ladder.part("pictures of any size, nothing changed", 1)
def _(t):
    for n in (1, 2, 3):
        _ladder_part(t, n, t.random.randint(33, 63), t.random.randint(65, 95), 2, batch=1)
