"""Lesson 04: a U-Net's parameters by formula, against a network that is counted."""

import torch

from ..causes import judge
from ..core import Exercise
from ..values import kind

count_unet = Exercise(
    "count_unet",
    hints=(
        "Do it on paper for base 1 and depth 2. Which rows does the table get, and what becomes of the "
        "bottleneck's row?",
        "On the way down, level k goes from the channels of the level above (3 for level 0) to `wide[k]`. On the way "
        "up it gets twice its own channels: the skip's, and as many from below.",
        "Loop over k = 0 … depth for the way down, the bottleneck being the last. Loop over k < depth for the way up: "
        "a transposed convolution from 2c to c, with 4·2c·c + c, and a double convolution from 2c to c. Add the head.",
    ),
    own_work={
        name: "This builds a network and counts it, which is a good test of your answer. Now find the same number "
        "by arithmetic alone."
        for name in (
            *("parameters", "named_parameters", "count_parameters", "state_dict", "numel"),
            *("build_unet", "Ushape", "UNet", "EncoderDecoder", "DoubleConv", "double_conv"),
        )
    },
)


def _counts(t, settings):
    """(got, want, given, known mistakes) of each (classes, base, depth); a network is built and counted."""
    from course_lib import models

    for classes, base, depth in settings:
        got, given = t.call(classes, base, depth), f"classes={classes}, base={base}, depth={depth}"
        t.whole(got, given)
        if not isinstance(got, int):
            t.fail(f"For {given}: expected an `int`, got {kind(got)}")
        with torch.device("meta"):
            nets = (
                models.UNet(classes=classes, base=base, depth=depth),
                models.EncoderDecoder(classes=classes, base=base, depth=depth, skip="none"),
                models.UNet(classes=classes, base=base, depth=depth + 1),
            )
        want, bare, deeper = (sum(p.numel() for p in net.parameters()) for net in nets)
        wide = [base * 2**k for k in range(depth + 1)]
        given += f" (levels of {', '.join(map(str, wide[:-1]))} channels, a bottleneck of {wide[-1]})"
        rise, last = wide[:-1], wide[-1]
        pairs = 2 * sum(rise) + last  # channels of all blocks; each block has two convolutions and two normalisations
        known = [
            (want + 2 * pairs, "This gives the 3 × 3 convolutions biases; in a double convolution they have none."),
            (
                want - 4 * pairs,
                "This leaves out batch normalisation: 2 parameters a channel, and there are two in a block.",
            ),
            (
                want - 2 * pairs,
                "This counts one normalisation a block, or one parameter a channel; there are two of two.",
            ),
            (want + 4 * pairs, "This counts the running mean and variance; they are measured, not learned."),
            (want - sum(rise), "The transposed convolutions have a bias each: one a channel."),
            (want - classes, "The head has a bias: one a class."),
            (bare, "On the way up a level's first convolution gets the skip as well: twice the level's channels."),
            (
                want + 9 * sum(c * c for c in rise),
                "This is as if the transposed convolutions did not halve the channels before the join.",
            ),
            (
                want + sum(17 * c * c + c for c in rise),
                "The transposed convolutions halve the channels, so that a level's first convolution gets 2c, not 3c.",
            ),
            (want + sum(10 * c * c for c in rise), "The transposed convolutions have a kernel of 2 × 2, not 3 × 3."),
            (
                want - sum(4 * c * c for c in rise),
                "Half of each transposed convolution's weights are missing: it reads 2c channels, gives c, and its "
                "kernel has 4 numbers.",
            ),
            (
                want + sum(8 * c * c for c in rise),
                "A transposed convolution reads 2c channels and gives c: it halves them.",
            ),
            (
                want + sum(c for c in rise),
                "The transposed convolutions give c channels, and have a bias for each of these only.",
            ),
            (deeper, "This is one level too many."),
            (want - 18 * base, "This is for pictures of one channel; they have 3."),
            (want - sum(8 * c * c + c for c in rise), "The transposed convolutions are missing."),
            (want - (9 * rise[-1] * last + 9 * last**2 + 4 * last), "The bottleneck is missing."),
            (want - (classes * base + classes), "The head is missing."),
            (want + 8 * (classes * base), "The head is 1 × 1, not 3 × 3."),
            (want - classes + base, "The head has a bias for each class, not for each channel."),
            (want - sum(35 * c * c + 5 * c for c in rise), "The way up is missing."),
            (want - sum(27 * c * c + 4 * c for c in rise), "The double convolutions of the way up are missing."),
            (
                want + sum(45 * c * c + 4 * c for c in rise),
                "On the way up a level's double convolution gives c channels.",
            ),
            (
                want - sum(6 * c * c for c in rise),
                "A 2 × 2 kernel has 4 numbers: each transposed convolution has 4·2c·c.",
            ),
            (want + 35 * last**2 + 5 * last, "The bottleneck has no way up of its own; the levels above it have."),
            (
                want - 9 * sum((a - 3) * b for a, b in zip(rise, wide[1:])),
                "Only level 0 reads 3 channels; each later one reads those of the level above it.",
            ),
            (
                want - sum(35 * c * c + 5 * c for c in rise[1:]) if depth > 1 else None,
                "Only level 0 has its way up here; every level has one.",
            ),
            (want + 9 * base * (classes - 3), "Level 0 reads pictures of 3 channels, however many classes there are."),
            (146, "146 is the example's count; other arguments have other ones."),
        ]
        yield got, want, given, known


def _classes(t, base):
    """A number of classes that is not 3 and not the base, which would hide what is confused with what."""
    return t.random.choice([n for n in range(2, 10) if n not in (3, base)])


@count_unet.part("one level", 0.5)
def _(t):
    bases = t.random.sample(range(4, 10), 2)
    judge(t, _counts(t, [(_classes(t, base), base, 1) for base in bases]), 0)


@count_unet.part("any number of levels", 1)
def _(t):
    depths = (2, 3, t.random.choice([4, 5]))
    bases = [t.random.choice([4, 6, 8, 12]) for _ in depths]
    judge(t, _counts(t, [(_classes(t, base), base, depth) for base, depth in zip(bases, depths)]), 0)


def _more(t, settings):
    """(got, want, given, known mistakes) of what seven classes more add to each (classes, base, depth)."""
    for classes, base, depth in settings:
        few, more = t.call(classes, base, depth), t.call(classes + 7, base, depth)
        given = f"base={base} and depth={depth}"
        for value in (few, more):
            t.whole(value, given)
            if not isinstance(value, int):
                t.fail(f"For {given}: expected an `int`, got {kind(value)}")
        known = [
            (7 * base, "Each class has a bias, too."),
            (63 * base, "The head is 1 × 1, not 3 × 3."),
            (63 * base + 7, "The head is 1 × 1, not 3 × 3."),
            (0, "The number of classes changes nothing in your count."),
        ]
        yield more - few, 7 * (base + 1), f"{given}, seven classes more than {classes} should add", known


@count_unet.part("what one more class adds", 0.5)
def _(t):
    bases = t.random.sample((4, 6, 8, 16), 2)
    judge(t, _more(t, [(_classes(t, base), base, t.random.randint(1, 4)) for base in bases]), 0)
