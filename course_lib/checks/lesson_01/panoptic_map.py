"""Lesson 01: class and number in one map."""

import torch

from course_lib.labels import IGNORE

from .. import pictures
from ..core import Exercise
from .masks import tipped, whole_numbers

panoptic_map = Exercise(
    "panoptic_map",
    hints=(
        "Forget 255 and stuff for a moment: what is the result for class 1, number 3? It is arithmetic on whole maps.",
        "Stuff wants its number set to 0 first. `counted` says where the class is among `things`; a product "
        "with it is 0 elsewhere.",
        "Two steps: 1000 · class + number on things, and 1000 · class + 0 elsewhere; last, 255 wherever "
        "`semantic` *or* `instances` is 255.",
    ),
)


def _panoptic_part(t, semantic, instances, things):
    tips = {"RuntimeError: Boolean value of Tensor": "`or` and `and` take one truth value; for maps write `|` and `&`."}
    got = tipped(t, tips, semantic, instances, things)
    given = f"semantic {semantic.tolist()}, instances {instances.tolist()} and things {things}"
    whole_numbers(t, got, semantic.shape, torch.int64, given)

    def coded(c, n):
        return 1000 * c + (n if c in things else 0)

    def either(c, n):
        return IGNORE in (c, n)

    def codes(code=coded, ignored=either, mark=IGNORE):
        """The map by this `code` of class and number, and `mark` at the pixels that are `ignored`."""
        pairs = zip(semantic.tolist(), instances.tolist())
        return torch.tensor([[mark if ignored(c, n) else code(c, n) for c, n in zip(*row)] for row in pairs])

    want = codes()
    known = [
        (
            codes(lambda c, n: 1000 * c + n),
            "Stuff has kept a number; where the class is not among `things`, it is 0.",
        ),
        (
            codes(lambda c, n: coded(c, n) if c in things else 0),
            "Stuff has lost its class: 1000 · class + 0 is left.",
        ),
        (
            codes(ignored=lambda c, n: False),
            "255 was reckoned with as if it were a class or a number; it stays 255.",
        ),
        (
            codes(ignored=lambda c, n: c == IGNORE),
            "`instances` is 255 at a pixel; the result is 255 there too.",
        ),
        (
            codes(ignored=lambda c, n: n == IGNORE),
            "`semantic` is 255 at a pixel; the result is 255 there too.",
        ),
        (
            codes(ignored=lambda c, n: c == IGNORE or (n == IGNORE and c in things)),
            "`instances` is 255 at a pixel of stuff; the result is 255 there too.",
        ),
        (
            codes(ignored=lambda c, n: c == n == IGNORE),
            "One 255 is enough: the result is 255 where *either* map is.",
        ),
        (codes(mark=1000 * IGNORE), "Not labelled is 255 in the result too, not 255,000."),
        (
            codes(lambda c, n: 1000 * c + (0 if c in things else n)),
            "Things and stuff have changed places: the classes in `things` keep their numbers.",
        ),
        (
            codes(lambda c, n: 1000 * c + (n if c else 0)),
            "Stuff has kept a number; whether a class counts is said by `things` alone.",
        ),
        (codes(mark=0), "What is not labelled became background; it is 255."),
        (codes(lambda c, n: 1000 * c + (n if c == things[0] else 0)), "Only the first of `things` was counted."),
        (codes(lambda c, n: 1000 * n + c), "Class and number have changed places: 1000 · class + number."),
    ]
    t.equal(got, want, given, known, pictures.masks)


@panoptic_map.part("things: class and number", 0.5)
def _(t):
    n = [t.random.randint(1, 9) for _ in range(3)] + [t.random.randint(260, 900)]
    semantic, instances = torch.tensor([[0, 1, 1], [2, 2, 0]]), torch.tensor([[0, n[0], n[1]], [n[2], n[3], 0]])
    _panoptic_part(t, semantic, instances, [1, 2])


@panoptic_map.part("stuff: number 0", 0.5)
def _(t):
    semantic, instances = t.tensor(3, 4, low=0, high=5), t.tensor(3, 4, low=1, high=9)
    semantic[0] = torch.tensor([0, 1, 2, 4])
    for things in ([1, 4], [4, 2], [2]):
        _panoptic_part(t, semantic, instances, things)


@panoptic_map.part("not labelled, and arguments that stay as they were", 1)
def _(t):
    a, b = t.random.randint(1, 9), t.random.randint(10, 20)
    semantic = torch.tensor([[0, 1, IGNORE, 1], [1, IGNORE, 1, 2], [0, 1, 2, 0]])
    instances = torch.tensor([[0, a, b, IGNORE], [b, IGNORE, a, b], [IGNORE, b, IGNORE, 0]])
    instances[2, 2] = b
    _panoptic_part(t, semantic, instances, [1, 2])
    t.unchanged("one of its arguments. `a += b` writes into `a`; `a + b` makes a new tensor.", right="The map is right")
