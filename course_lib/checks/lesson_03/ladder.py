"""Lesson 03: from the coarsest map to the picture, rung by rung."""

import torch
import torch.nn.functional as F

from .. import pictures
from ..core import Exercise
from .enlarging import doubled, enlarged

ladder = Exercise(
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
        total = doubled(total, *finer.shape[2:]) + finer
    return total


def _climb(scores, size, enlarge=enlarged, resize=False):
    total = _fused(scores)
    if resize:
        return F.interpolate(total, size=size, mode="bilinear")
    return enlarge(total, 64 >> len(scores))[:, :, : size[0], : size[1]]


def _stepwise(x, times):
    while times > 1:
        x, times = enlarged(x, 2), times // 2
    return x


def _ladder_part(t, n, h, w, classes, batch=2):
    maps, weights = _rungs(t, n, h, w, classes, batch)
    scores = _scored(maps, weights)
    want = _climb(scores, (h, w))
    given = f"{n} map{'s' * (n > 1)} at stride{'s' * (n > 1)} {', '.join(str(32 >> i) for i in range(n))}, {classes} classes and size ({h}, {w})"
    got = t.call(maps, weights, (h, w))
    t.unchanged("one of its arguments, perhaps with `pop` or `+=`. Work on copies.")
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
            _climb(scores, (h, w), enlarge=lambda x, s: enlarged(x, s, align_corners=True)),
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
        direct = sum(enlarged(s, 32 >> i)[:, :, :h, :w] for i, s in enumerate(scores))
        known.append(
            (
                direct,
                "Each map's scores are enlarged to the picture straight away and added there. On the ladder they are added "
                "rung by rung: twice the size, add, twice the size, add.",
            )
        )
        known.append((_climb([scores[0], *(0 * s for s in scores[1:])], (h, w)), "The finer maps' scores are missing."))
        known.append((enlarged(scores[-1], 64 >> n)[:, :, :h, :w], "Only the finest map has been used."))
        stretched = scores[0]
        for finer in scores[1:]:
            stretched = enlarged(stretched, 2, align_corners=True)[:, :, : finer.shape[2], : finer.shape[3]] + finer
        known.append(
            (
                _climb([stretched], (h, w), lambda x, s: enlarged(x, 64 >> n)),
                "The fusions use align_corners=True: exercise 3's lie.",
            )
        )
        squeezed = scores[0]
        for finer in scores[1:]:
            squeezed = F.interpolate(squeezed, size=finer.shape[2:], mode="bilinear") + finer
        for resize in (True, False):
            known.append(
                (
                    _climb([squeezed], (h, w), lambda x, s: enlarged(x, 64 >> n), resize),
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
    for n in (1, 2, 3):
        _ladder_part(t, n, t.random.randint(33, 63), t.random.randint(65, 95), 2, batch=1)
