"""Lesson 03: from the coarsest map to the picture, rung by rung."""

import torch

from .. import pictures
from ..causes import judge
from ..core import Exercise
from ..values import NotYet, same
from .enlarging import between, copied, squeezed, stretched

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
        for name in ("FCN", "Fuse", "Double", "Enlarge", "refine", "fcn_resnet50", "fcn_resnet101")
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


def _called(t, maps, weights, size):
    """The answer's logits; where it stops, with what its error tells."""
    try:
        return t.call(maps, weights, size)
    except NotYet as stopped:
        if len(maps) < 3 and "stopped with IndexError" in stopped.message:
            stopped.message += f" Here maps and weights are lists of {len(maps)}; there may be one, two or three."
        raise


def _ladder_part(t, *settings, batch=2):
    """Judge the answer for each (number of maps, height, width, classes)."""

    def cases():
        for n, h, w, classes in settings:
            maps, weights = _rungs(t, n, h, w, classes, batch)
            some = "s" * (n > 1)
            strides = ", ".join(str(32 >> i) for i in range(n))
            given = f"{n} map{some} at stride{some} {strides}, {classes} classes and size ({h}, {w})"
            got = _called(t, maps, weights, (h, w))
            t.unchanged("one of its arguments, perhaps with `pop` or `+=`. Work on copies.")
            scores = [torch.einsum("kc,bchw->bkhw", *pair) for pair in zip(weights, maps)]
            last = 64 >> n  # the last step enlarges so many times

            def at(x, times, rows, columns):
                """The first rows and columns of a map enlarged, as far as it goes."""
                sides = [min(m, times * k) for m, k in zip((rows, columns), x.shape[2:])]
                return between(x, *((2 * torch.arange(m) + 1 - times) / (2 * times) for m in sides))

            def summed(rungs, double, end=lambda total: at(total, last, h, w)):
                total = rungs[0]
                for finer in rungs[1:]:
                    total = double(total, finer.shape[2:]) + finer
                return end(total)

            def doubled(total, to):
                return at(total, 2, *to)

            def stepwise(total):
                for _ in range(6 - n):
                    total = doubled(total, [2 * m for m in total.shape[2:]])
                return total[:, :, :h, :w]

            def whole(total):
                return at(total, last, *(last * m for m in total.shape[2:]))

            want = summed(scores, doubled)
            if isinstance(got, torch.Tensor) and got.dim() == 4 and got.shape[:2] == want.shape[:2]:
                if got.shape != want.shape:
                    more = _size_slip(got, (h, w), n, tuple(maps[-1].shape[2:]))
                    if n > 1 and same(got, summed(scores[::-1], doubled), 1e-3):
                        more = " This walks from the finest map to the coarsest; the coarsest comes first."
                    t.fail(f"For {given}: expected shape {tuple(want.shape)}, got {tuple(got.shape)}.{more}")
            odd = (
                "Where sizes are odd, the coarse scores are squeezed. Double them exactly, then cut, as in exercise 4."
            )
            known = [
                (at(scores[0], 32, h, w), "Only the coarsest map has been used."),
                *(
                    (summed(scores, doubled, end), meaning)
                    for end, meaning in (
                        (
                            lambda m: copied(m, last)[:, :, :h, :w],
                            "The last step copies cells to blocks; blend (bilinear).",
                        ),
                        (
                            lambda m: stretched(m, last)[:, :, :h, :w],
                            "The last step uses align_corners=True: exercise 3's lie.",
                        ),
                        (
                            stepwise,
                            "The last step enlarges by 2 again and again. Once, by what is left, is asked for.",
                        ),
                        (
                            lambda m: whole(m)[:, :, -h:, -w:],
                            "The surplus is cut off at the top and left. It lies at the bottom and right.",
                        ),
                    )
                ),
                (want.softmax(1), "These are probabilities. The logits are asked for, without softmax."),
                (want.relu(), "There is a ReLU too many: scores may be below 0."),
            ]
            if n > 1:
                known += [
                    (
                        sum(at(m, 32 >> i, h, w) for i, m in enumerate(scores)),
                        "Each map's scores are enlarged to the picture straight away and added there. On the ladder "
                        "they are added rung by rung: twice the size, add, twice the size, add.",
                    ),
                    (
                        summed([scores[0], *(0 * m for m in scores[1:])], doubled),
                        "The finer maps' scores are missing.",
                    ),
                    (at(scores[-1], last, h, w), "Only the finest map has been used."),
                    (
                        summed(scores, lambda m, to: stretched(m, 2)[:, :, : to[0], : to[1]]),
                        "The fusions use align_corners=True: exercise 3's lie.",
                    ),
                    (
                        summed(scores, lambda m, to: copied(m, 2)[:, :, : to[0], : to[1]]),
                        "The fusions copy cells to blocks; blend (bilinear).",
                    ),
                    (summed(scores, lambda m, to: squeezed(m, *to), lambda m: squeezed(m, h, w)), odd),
                    (summed(scores, lambda m, to: squeezed(m, *to)), odd),
                ]
            if h % 32 or w % 32:
                meaning = (
                    f"The last step squeezes the cells into {h} × {w} pixels. Enlarge exactly {last} times, then cut."
                )
                known.append((summed(scores, doubled, lambda m: squeezed(m, h, w)), meaning))
            yield got, want, given, known

    judge(t, cases(), 1e-3, pictures.maps)


@ladder.part("one map: FCN-32s", 0.5)
def _(t):
    _ladder_part(t, (1, 64, 96, t.random.randint(2, 4)), (1, 96, 64, 2))


@ladder.part("two maps: FCN-16s", 1)
def _(t):
    _ladder_part(t, (2, 96, 64, t.random.randint(2, 4)), (2, 64, 96, 2))


@ladder.part("three maps: FCN-8s", 1)
def _(t):
    _ladder_part(t, (3, 64, 96, t.random.randint(2, 4)), (3, 96, 64, 2))


@ladder.part("pictures of any size, nothing changed", 1)
def _(t):
    def odd(n):
        return n, t.random.randint(33, 47), t.random.randint(65, 79), 2

    # an odd number of rows and of columns at stride 16, then at stride 8
    _ladder_part(t, odd(1), odd(2), odd(2), odd(3), (3, t.random.randint(49, 55), t.random.randint(81, 87), 2), batch=1)
    maps, weights = ([v.requires_grad_() for v in some] for some in _rungs(t, 3, 40, 70, 2, batch=1))
    for i, gradient in enumerate(t.reached(maps, weights, (40, 70))):
        if gradient is None or not gradient.any():
            what = f"{'weights' if i > 2 else 'maps'}[{i % 3}]"
            t.fail(f"No gradient reaches `{what}`, so the net could not learn. Is something detached on the way?")
