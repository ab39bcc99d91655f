"""Lesson 01: from numbers of animals to their classes."""

import torch

from course_lib.labels import IGNORE

from .. import pictures
from ..causes import judge
from ..core import Exercise
from .masks import tipped, whole_numbers

semantic_map = Exercise(
    "semantic_map",
    hints=(
        "Begin with a map on which nobody has said anything yet. Which label is that?",
        "A comparison such as `instances == 3` says where animal 3 is; a tensor can be written at such places. Write "
        "into the *new* map, and always ask the old one: then no number is taken for another.",
        "Start from a map full of 255 with the shape and dtype of `instances`. Put 0 where `instances` is 0. Then, "
        "for each animal and class in `class_of.items()`, write the class where `instances` equals the animal.",
    ),
)


def _drawn(t, pixels, shape):
    """(instances, what is expected): these pairs of a number and its class, each a few times, in random places."""
    count = shape[0] * shape[1]
    filled = (pixels * count)[:count]
    t.random.shuffle(filled)
    return (torch.tensor(values).reshape(shape) for values in zip(*filled))


def _known(instances, want, class_of):
    """(a wrong map, what it reveals) for the usual slips."""
    unsaid = want == IGNORE
    by_order, in_place = want.clone(), instances.clone()
    for number, (animal, label) in enumerate(class_of.items(), 1):
        by_order[instances == animal] = IGNORE
        by_order[instances == number] = label
        in_place[in_place == animal] = label
    read = "A class just written was taken for an animal's number: read from the old map, write into a new one."
    return [
        (
            torch.where(unsaid, instances, want),
            "An animal that the table does not list has kept its number; its pixels are 255.",
        ),
        (torch.where(unsaid, IGNORE, in_place), read),
        (in_place, read),
        (
            want.masked_fill(unsaid & (instances != IGNORE), 0),
            "An animal that the table does not list became background; its pixels are 255.",
        ),
        (want.masked_fill(unsaid, 0), "What is not labelled, or not listed, became background; it is 255."),
        (want.masked_fill(instances == IGNORE, 0), "What is not labelled became background; 255 stays 255."),
        (instances, "These are the animals' numbers as they came; put in its class for each."),
        (by_order, "The table's order was taken for the animals' numbers; its keys are the numbers."),
        (want.masked_fill(instances == 0, IGNORE), "The background was lost: where `instances` is 0, the class is 0."),
    ]


def _semantic_part(t, *maps):
    """Judge the answer on maps, each given as the pairs of its pixels, its shape, and the table."""
    tips = {
        "KeyError": "The table does not list every animal of the map.",
        "IndexError": "A number may be larger than 255, and the table may list animals that are not in the map.",
    }

    def cases():
        for pixels, shape, class_of in maps:
            instances, want = _drawn(t, pixels, shape)
            got = tipped(t, tips, instances, class_of)
            given = f"instances {instances.tolist()} and class_of {class_of}"
            whole_numbers(t, got, shape, torch.int64, given)
            yield got, want, given, _known(instances, want, class_of)

    judge(t, cases(), 0.0, pictures.masks)


@semantic_map.part("background, and each animal its class", 0.5)
def _(t):
    maps = []
    for first in (t.random.randint(11, 30), t.random.randint(31, 60)):
        pixels = [(first, 3), (first + 1, 1), (first + 5, 3)]
        maps.append(([(0, 0), (0, 0), *pixels], (3, 6), dict(pixels)))
    _semantic_part(t, *maps)


@semantic_map.part("numbers and classes that look alike", 0.5)
def _(t):
    last = t.random.choice([3, 4])
    _semantic_part(
        t,
        ([(0, 0), (1, 2), (2, 3), (3, 1)], (3, 5), {1: 2, 2: 3, 3: 1}),
        ([(0, 0), (1, last), (2, 1), (3, 2)], (3, 5), {3: 2, 2: 1, 1: last}),
    )


@semantic_map.part("255, and animals that the table does not list", 0.5)
def _(t):
    first, label = t.random.randint(11, 60), t.random.randint(1, 5)
    pixels = [(0, 0), (first, label), (first + 3, IGNORE), (IGNORE, IGNORE)]
    _semantic_part(t, (pixels, (4, 5), {first: label}), (pixels, (3, 6), {first: label}))


@semantic_map.part("any numbers, and arguments that stay as they were", 0.5)
def _(t):
    far = t.random.randint(300, 900)
    pixels, table = [(0, 0), (far, 2), (7, 4)], {far: 2, 7: 4, far + 1: 5, 6: 1}
    _semantic_part(t, (pixels, (3, 4), table), (pixels, (2, 6), table))
    t.unchanged("one of its arguments. Write into a new tensor.", right="The map is right")
