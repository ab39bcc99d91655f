"""Lesson 03: from the coarsest map to the picture, rung by rung."""

import torch
import torch.nn.functional as F

from .. import pictures
from ..core import Exercise
from ..values import NotYet, same
from .enlarging import doubled, enlarged

ladder = Exercise(
    "ladder",
    hints=(
        "Start with the coarsest map alone. What are its scores, and how often must they be enlarged to be "
        "the picture?",
        "Fuse the scores from the coarsest on, as in exercise 4: a total, and a loop over the finer ones. Each fusion "
        "halves the stride: 32, 16, 8.",
        "After the loop the stride is 32 divided by 2 for each fusion; enlarge the total by that with `scale_factor`, "
        "then slice to the picture's height and width.",
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


def _fused(scores, enlarge=doubled):
    """The scores added from the coarsest on; `enlarge(coarse, h, w)` brings the total to the finer map's size."""
    total = scores[0]
    for finer in scores[1:]:
        total = enlarge(total, *finer.shape[2:]) + finer
    return total


def _stretched(x, h, w):
    return enlarged(x, 2, align_corners=True)[:, :, :h, :w]


def _squeezed(x, h, w):
    return F.interpolate(x, size=(h, w), mode="bilinear")


def _stepwise(x, times):
    while times > 1:
        x, times = enlarged(x, 2), times // 2
    return x


def _size_slip(got, size, n, finest):
    """What logits of a wrong height or width tell, for `n` maps of which the last has the size `finest`."""
    whole = [32 * -(-side // 32) for side in size]
    if got.shape[2] >= size[0] and got.shape[3] >= size[1]:
        return " That is what the cells stand for, some of them beyond the picture's end: cut it to the picture's size."
    if tuple(got.shape[2:]) == (min(whole[0], size[1]), min(whole[1], size[0])):
        return " `size` is (H, W): rows first."
    times = [64 >> i for i in range(1, 7) if i != n]  # by which the last step may have enlarged
    if not any(got.shape[2:] == tuple(min(side * f, m) for side, m in zip(finest, size)) for f in (*times, 2, 1)):
        return ""
    there = (
        "map there is no fusion",
        "maps there is one fusion, which doubles",
        "maps there are two fusions, which double",
    )[n - 1]
    return f" With {n} {there}, and the last step enlarges {64 >> n} times."


def _last_slips(total, want, last, size):
    """(wrong logits, what they reveal) where the fused scores `total` are right, and what follows is not."""
    h, w = size
    copied = F.interpolate(total, scale_factor=last, mode="nearest")[:, :, :h, :w]
    return [
        (copied, "The last step copies cells to blocks; blend (bilinear)."),
        (
            enlarged(total, last, align_corners=True)[:, :, :h, :w],
            "The last step uses align_corners=True: exercise 3's lie.",
        ),
        (
            _stepwise(total, last)[:, :, :h, :w],
            "The last step enlarges by 2 again and again. Once, by what is left, is asked for.",
        ),
        (
            enlarged(total, last)[:, :, -h:, -w:],
            "The surplus is cut off at the top and left. It lies at the bottom and right.",
        ),
        (want.softmax(1), "These are probabilities. The logits are asked for, without softmax."),
        (F.relu(want), "There is a ReLU too many: scores may be below 0."),
    ]


def _fusion_slips(scores, last, size):
    """(wrong logits, what they reveal) where two maps or three are not fused as they should be."""
    h, w = size
    direct = sum(enlarged(s, 32 >> i)[:, :, :h, :w] for i, s in enumerate(scores))
    coarsest = _fused([scores[0], *(0 * s for s in scores[1:])])
    squeezed = _fused(scores, _squeezed)
    odd = "Where sizes are odd, the coarse scores are squeezed. Double them exactly, then cut, as in exercise 4."
    return [
        (
            direct,
            "Each map's scores are enlarged to the picture straight away and added there. On the ladder they are "
            "added rung by rung: twice the size, add, twice the size, add.",
        ),
        (enlarged(coarsest, last)[:, :, :h, :w], "The finer maps' scores are missing."),
        (enlarged(scores[-1], last)[:, :, :h, :w], "Only the finest map has been used."),
        (
            enlarged(_fused(scores, _stretched), last)[:, :, :h, :w],
            "The fusions use align_corners=True: exercise 3's lie.",
        ),
        (_squeezed(squeezed, h, w), odd),
        (enlarged(squeezed, last)[:, :, :h, :w], odd),
    ]


def _ladder_part(t, n, h, w, classes, batch=2):
    maps, weights = _rungs(t, n, h, w, classes, batch)
    scores, last, size = _scored(maps, weights), 64 >> n, (h, w)  # the last step enlarges so many times
    total = _fused(scores)
    want = enlarged(total, last)[:, :, :h, :w]
    some = "s" * (n > 1)
    strides = ", ".join(str(32 >> i) for i in range(n))
    given = f"{n} map{some} at stride{some} {strides}, {classes} classes and size ({h}, {w})"
    try:
        got = t.call(maps, weights, size)
    except NotYet as stopped:
        if n < 3 and "stopped with IndexError" in stopped.message:
            stopped.message += f" Here maps and weights are lists of {n}; there may be one, two or three."
        raise
    t.unchanged("one of its arguments, perhaps with `pop` or `+=`. Work on copies.")
    logits = isinstance(got, torch.Tensor) and got.dim() == 4 and tuple(got.shape[:2]) == (batch, classes)
    if logits and tuple(got.shape[2:]) != size:
        more = _size_slip(got, size, n, tuple(maps[-1].shape[2:]))
        total = scores[-1]
        for coarser in scores[-2::-1]:
            total = enlarged(total, 2)[:, :, : coarser.shape[2], : coarser.shape[3]] + coarser
        if n > 1 and same(got, enlarged(total, last)[:, :, :h, :w], 1e-3):
            more = " This walks from the finest map to the coarsest; the coarsest comes first."
        t.fail(f"For {given}: expected shape {tuple(want.shape)}, got {tuple(got.shape)}.{more}")
    known = [(enlarged(scores[0], 32)[:, :, :h, :w], "Only the coarsest map has been used.")]
    known += _last_slips(total, want, last, size)
    if n > 1:
        known += _fusion_slips(scores, last, size)
    if h % 32 or w % 32:
        meaning = f"The last step squeezes the cells into {h} × {w} pixels. Enlarge exactly {last} times, then cut."
        known.append((_squeezed(total, h, w), meaning))
    t.close(got, want, given, known, tolerance=1e-3, picture=pictures.maps)


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
    for n in (1, 2, 3):  # an odd number of rows and of columns at stride 16, then at stride 8
        _ladder_part(t, n, t.random.randint(33, 47), t.random.randint(65, 79), 2, batch=1)
    _ladder_part(t, 3, t.random.randint(49, 55), t.random.randint(81, 87), 2, batch=1)
    maps, weights = ([v.requires_grad_() for v in some] for some in _rungs(t, 3, 40, 70, 2, batch=1))
    for i, gradient in enumerate(t.reached(maps, weights, (40, 70))):
        if gradient is None or not gradient.any():
            what = f"{'weights' if i > 2 else 'maps'}[{i % 3}]"
            t.fail(f"No gradient reaches `{what}`, so the net could not learn. Is something detached on the way?")
