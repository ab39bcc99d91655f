"""Lesson 01: from numbers of animals to their classes."""

import torch

from course_lib.labels import IGNORE

from .. import pictures
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


def _shuffled(t, labels, shape):
    """These labels, each a few times, in random places; every label occurs."""
    count = shape[0] * shape[1]
    filled = (list(labels) * count)[:count]
    t.random.shuffle(filled)
    return torch.tensor(filled).reshape(shape)


def _semantic_part(t, instances, class_of):
    tips = {
        "KeyError": "The table does not list every animal of the map.",
        "IndexError": "A number may be larger than 255, and the table may list animals that are not in the map.",
    }
    got = tipped(t, tips, instances, class_of)
    given = f"instances {instances.tolist()} and class_of {class_of}"
    whole_numbers(t, got, instances.shape, torch.int64, given)
    table = {0: 0, **class_of}

    def looked_up(default):
        return torch.tensor([[table.get(v, default(v)) for v in row] for row in instances.tolist()])

    want = looked_up(lambda v: IGNORE)
    by_order = torch.full_like(instances, IGNORE).masked_fill(instances == 0, 0)
    for number, label in enumerate(class_of.values(), 1):
        by_order[instances == number] = label
    in_place = instances.clone()
    for animal, label in class_of.items():
        in_place[in_place == animal] = label
    listed = torch.isin(instances, torch.tensor([0, IGNORE, *class_of]))
    known = [
        (looked_up(lambda v: v), "An animal that the table does not list has kept its number; its pixels are 255."),
        (
            in_place.masked_fill(~listed, IGNORE),
            "A class just written was taken for an animal's number: read from the old map, write into a new one.",
        ),
        (
            in_place,
            "A class just written was taken for an animal's number: read from the old map, write into a new one.",
        ),
        (
            looked_up(lambda v: IGNORE if v == IGNORE else 0),
            "An animal that the table does not list became background; its pixels are 255.",
        ),
        (looked_up(lambda v: 0), "What is not labelled, or not listed, became background; it is 255."),
        (want.masked_fill(instances == IGNORE, 0), "What is not labelled became background; 255 stays 255."),
        (by_order, "The table's order was taken for the animals' numbers; its keys are the numbers."),
        (want.masked_fill(instances == 0, IGNORE), "The background was lost: where `instances` is 0, the class is 0."),
    ]
    t.equal(got, want, given, known, pictures.masks)


@semantic_map.part("background, and each animal its class", 0.5)
def _(t):
    first = t.random.randint(11, 60)
    _semantic_part(t, _shuffled(t, [0, 0, first, first + 1, first + 5], (3, 6)), {first: 3, first + 1: 1, first + 5: 3})


@semantic_map.part("numbers and classes that look alike", 0.5)
def _(t):
    _semantic_part(t, _shuffled(t, [0, 1, 2, 3], (3, 5)), {1: 2, 2: 3, 3: 1})
    _semantic_part(t, _shuffled(t, [0, 1, 2, 3], (3, 5)), {3: 2, 2: 1, 1: t.random.choice([3, 4])})


@semantic_map.part("255, and animals that the table does not list", 0.5)
def _(t):
    first = t.random.randint(11, 60)
    _semantic_part(t, _shuffled(t, [0, first, first + 3, IGNORE], (4, 5)), {first: t.random.randint(1, 5)})


@semantic_map.part("any numbers, and arguments that stay as they were", 0.5)
def _(t):
    far = t.random.randint(300, 900)
    _semantic_part(t, _shuffled(t, [0, far, 7], (3, 4)), {far: 2, 7: 4, far + 1: 5, 6: 1})
    t.unchanged("one of its arguments. Write into a new tensor.", right="The map is right")
