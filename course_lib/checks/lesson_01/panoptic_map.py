"""Lesson 01: class and number in one map."""

import torch

from course_lib.labels import IGNORE

from .. import pictures
from ..causes import judge
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


THING, STUFF, UNSAID = "thing", "stuff", "unsaid"


def _known(pixels, things):
    """(a wrong code for each pixel, what it reveals) for the usual slips; `pixels` are (what, class, number, code)."""

    def with_(what, code):
        return [code(c, n) if w == what else want for w, c, n, want in pixels]

    def reckoned(unless):
        """255 is reckoned with as if it were a class or a number, `unless` the pixel is like this."""
        return with_(UNSAID, lambda c, n: IGNORE if unless(c, n) else 1000 * c + n * (c in things))

    first = [1000 * c if w == THING and c != things[0] or w == STUFF else want for w, c, n, want in pixels]
    turned = [1000 * c + n * (w == STUFF) if w != UNSAID else want for w, c, n, want in pixels]
    swapped = [1000 * n + c if w != UNSAID else want for w, c, n, want in pixels]
    swapped_things = [1000 * n * (w == THING) + c if w != UNSAID else want for w, c, n, want in pixels]
    both = "Class and number have changed places: 1000 · class + number."
    return [
        (
            with_(STUFF, lambda c, n: 1000 * c + n),
            "Stuff has kept a number; where the class is not among `things`, it is 0.",
        ),
        (with_(STUFF, lambda c, n: 0), "Stuff has lost its class: 1000 · class + 0 is left."),
        (with_(STUFF, lambda c, n: n), "Stuff has lost its class: 1000 · class + 0 is left."),
        (reckoned(lambda c, n: False), "255 was reckoned with as if it were a class or a number; it stays 255."),
        (reckoned(lambda c, n: c == IGNORE), "`instances` is 255 at a pixel; the result is 255 there too."),
        (reckoned(lambda c, n: n == IGNORE), "`semantic` is 255 at a pixel; the result is 255 there too."),
        (
            reckoned(lambda c, n: c == IGNORE or c in things),
            "`instances` is 255 at a pixel of stuff; the result is 255 there too.",
        ),
        (
            reckoned(lambda c, n: c == n == IGNORE),
            "One 255 is enough: the result is 255 where *either* map is.",
        ),
        (with_(UNSAID, lambda c, n: 1000 * IGNORE), "Not labelled is 255 in the result too, not 255,000."),
        (turned, "Things and stuff have changed places: the classes in `things` keep their numbers."),
        (
            with_(STUFF, lambda c, n: 1000 * c + n * (c > 0)),
            "Stuff has kept a number; whether a class counts is said by `things` alone.",
        ),
        (with_(UNSAID, lambda c, n: 0), "What is not labelled became background; it is 255."),
        (first, "Only the first of `things` was counted."),
        (swapped, both),
        (swapped_things, both),
    ]


def _panoptic_part(t, *maps):
    """Judge the answer on maps, each given as rows of (what, class, number), and the list of things."""
    tips = {"RuntimeError: Boolean value of Tensor": "`or` and `and` take one truth value; for maps write `|` and `&`."}

    def cases():
        for rows, things in maps:
            shape = len(rows), len(rows[0])
            pixels = [  # with its code, as it is read: the class, and three digits of number
                (w, c, n, IGNORE if w == UNSAID else int(f"{c}{n if w == THING else 0:03d}"))
                for row in rows
                for w, c, n in row
            ]
            semantic, instances, want = (torch.tensor([p[i] for p in pixels]).reshape(shape) for i in (1, 2, 3))
            got = tipped(t, tips, semantic, instances, things)
            given = f"semantic {semantic.tolist()}, instances {instances.tolist()} and things {things}"
            whole_numbers(t, got, shape, torch.int64, given)
            known = [(torch.tensor(codes).reshape(shape), says) for codes, says in _known(pixels, things)]
            yield got, want, given, known

    judge(t, cases(), 0.0, pictures.masks)


@panoptic_map.part("things: class and number", 0.5)
def _(t):
    maps = []
    for things in ([1, 2], [2, 1]):
        n = [t.random.randint(1, 9) for _ in range(3)] + [t.random.randint(260, 900)]
        rows = [
            [(STUFF, 0, 0), (THING, 1, n[0]), (THING, 1, n[1])],
            [(THING, 2, n[2]), (THING, 2, n[3]), (STUFF, 0, 0)],
        ]
        maps.append((rows, things))
    _panoptic_part(t, *maps)


@panoptic_map.part("stuff: number 0", 0.5)
def _(t):
    maps = []
    for things, stuff in (([1, 4], [0, 2, 3]), ([4, 2], [0, 1, 3]), ([2], [0, 1, 3, 4])):
        pixels = [(THING, c, t.random.randint(1, 8)) for c in things * 3]
        pixels += [(STUFF, c, t.random.randint(1, 8)) for c in (stuff * 3)[: 12 - len(pixels)]]
        t.random.shuffle(pixels)
        maps.append(([pixels[:4], pixels[4:8], pixels[8:]], things))
    _panoptic_part(t, *maps)


@panoptic_map.part("not labelled, and arguments that stay as they were", 1)
def _(t):
    a, b = t.random.randint(1, 9), t.random.randint(10, 20)
    nobody, rows = (UNSAID, IGNORE, IGNORE), []
    rows.append([(STUFF, 0, 0), (THING, 1, a), (UNSAID, IGNORE, b), (UNSAID, 1, IGNORE)])
    rows.append([(THING, 1, b), nobody, (THING, 1, a), (THING, 2, b)])
    rows.append([(UNSAID, 0, IGNORE), (THING, 1, b), (UNSAID, 2, IGNORE), (UNSAID, IGNORE, 0)])
    _panoptic_part(t, (rows, [1, 2]), (rows[::-1], [2, 1]))
    t.unchanged("one of its arguments. `a += b` writes into `a`; `a + b` makes a new tensor.", right="The map is right")
