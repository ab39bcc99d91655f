"""Checks of lesson 01, the labels themselves: who gets which, and how 255 fares; `check` is the whole lesson's."""

import torch
import torch.nn.functional as F

from .core import Lesson
from .values import NotYet, kind

check = Lesson("01_one_label_to_every_pixel")
IGNORE = 255


def draw_masks(got, want):
    """Yours beside expected; labels of 1000 and more are numbered anew, so that colours tell them apart."""
    from course_lib import plot

    if got.is_floating_point():
        return plot.grid([got, want.float()], ["yours", "expected"])
    seen = [v for v in torch.cat([got.flatten(), want.flatten()]).unique().tolist() if v != IGNORE]
    new = {v: i for i, v in enumerate(seen)} if seen and (seen[0] < 0 or seen[-1] > 20) else {v: v for v in seen}
    drawn = [torch.tensor([new.get(v, IGNORE) for v in m.flatten().tolist()]).reshape(m.shape) for m in (got, want)]
    return plot.grid(drawn, ["yours", "expected"])


def whole_numbers(t, got, shape, dtype, given):
    """Fail unless `got` is a tensor of this shape and dtype (None: any)."""
    if not isinstance(got, torch.Tensor) or tuple(got.shape) != tuple(shape):
        t.fail(f"For {given}: expected a tensor of shape {tuple(shape)}, got {kind(got)}")
    if dtype is not None and got.dtype != dtype:
        names = [str(d).removeprefix("torch.") for d in (dtype, got.dtype)]
        t.fail(f"For {given}: expected the dtype {names[0]}, got {names[1]}.")


def tipped(t, tips, *args):
    """t.call, with a tip added where the code stopped with an error of that name."""
    try:
        return t.call(*args)
    except NotYet as error:
        for name, tip in tips.items():
            if f"stopped with {name}" in error.message:
                error.message += " " + tip
        raise


# --- from animals to kinds ----------------------------------------------------------------------------------

semantic_map = check.exercise(
    "semantic_map",
    hints=(
        "Begin with a map on which nobody has said anything yet. Which label is that?",
        "A comparison such as `instances == 3` says where animal 3 is; a tensor can be written at such places. Write into the *new* map, and "
        "always ask the old one: then no number is taken for another.",
        "Start from a map full of 255 with the shape and dtype of `instances`. Put 0 where `instances` is 0. Then, for each animal and class "
        "in `class_of.items()`, write the class where `instances` equals the animal.",
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
    looked_up = lambda default: torch.tensor([[table.get(v, default(v)) for v in row] for row in instances.tolist()])
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
    t.equal(got, want, given, known, draw_masks)


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
    if t.changed:
        t.fail("The map is right, but your function changed one of its arguments. Write into a new tensor.")


# --- two maps in one ----------------------------------------------------------------------------------------

panoptic_map = check.exercise(
    "panoptic_map",
    hints=(
        "Forget 255 and stuff for a moment: what is the result for class 1, number 3? It is arithmetic on whole maps.",
        "Stuff wants its number set to 0 first. `counted` says where the class is among `things`; a product with it is 0 elsewhere.",
        "Two steps: 1000 · class + number on things, and 1000 · class + 0 elsewhere; last, 255 wherever `semantic` *or* `instances` is 255.",
    ),
)


def _panoptic_part(t, semantic, instances, things):
    got = t.call(semantic, instances, things)
    given = f"semantic {semantic.tolist()}, instances {instances.tolist()} and things {things}"
    whole_numbers(t, got, semantic.shape, torch.int64, given)

    def codes(of):
        rows = [[of(c, n) for c, n in zip(*pair)] for pair in zip(semantic.tolist(), instances.tolist())]
        return torch.tensor(rows)

    def right(c, n):
        return IGNORE if IGNORE in (c, n) else 1000 * c + (n if c in things else 0)

    want = codes(right)
    known = [
        (
            codes(lambda c, n: IGNORE if IGNORE in (c, n) else 1000 * c + n),
            "Stuff has kept a number; where the class is not among `things`, it is 0.",
        ),
        (
            codes(lambda c, n: IGNORE if IGNORE in (c, n) else 1000 * c + n if c in things else 0),
            "Stuff has lost its class: 1000 · class + 0 is left.",
        ),
        (
            codes(lambda c, n: 1000 * c + (n if c in things else 0)),
            "255 was reckoned with as if it were a class or a number; it stays 255.",
        ),
        (
            codes(lambda c, n: IGNORE if c == IGNORE else 1000 * c + (n if c in things else 0)),
            "`instances` is 255 at a pixel; the result is 255 there too.",
        ),
        (
            codes(lambda c, n: IGNORE if n == IGNORE else 1000 * c + (n if c in things else 0)),
            "`semantic` is 255 at a pixel; the result is 255 there too.",
        ),
        (
            codes(
                lambda c, n: IGNORE if c == IGNORE or n == IGNORE and c in things else right(c, n if n != IGNORE else 0)
            ),
            "`instances` is 255 at a pixel of stuff; the result is 255 there too.",
        ),
        (
            codes(lambda c, n: IGNORE if c == n == IGNORE else 1000 * c + (n if c in things else 0)),
            "One 255 is enough: the result is 255 where *either* map is.",
        ),
        (
            codes(lambda c, n: 1000 * IGNORE if IGNORE in (c, n) else right(c, n)),
            "Not labelled is 255 in the result too, not 255,000.",
        ),
        (
            codes(lambda c, n: IGNORE if IGNORE in (c, n) else 1000 * c + (0 if c in things else n)),
            "Things and stuff have changed places: the classes in `things` keep their numbers.",
        ),
        (
            codes(lambda c, n: IGNORE if IGNORE in (c, n) else 1000 * c + n if c else 0),
            "Stuff has kept a number; whether a class counts is said by `things` alone.",
        ),
        (
            codes(lambda c, n: 0 if IGNORE in (c, n) else right(c, n)),
            "What is not labelled became background; it is 255.",
        ),
        (
            codes(lambda c, n: IGNORE if IGNORE in (c, n) else 1000 * c + (n if c == things[0] else 0)),
            "Only the first of `things` was counted.",
        ),
        (
            codes(lambda c, n: IGNORE if IGNORE in (c, n) else 1000 * n + c),
            "Class and number have changed places: 1000 · class + number.",
        ),
    ]
    t.equal(got, want, given, known, draw_masks)


@panoptic_map.part("things: class and number", 0.5)
def _(t):
    n = [t.random.randint(1, 9) for _ in range(3)] + [t.random.randint(260, 900)]
    semantic, instances = torch.tensor([[0, 1, 1], [2, 2, 0]]), torch.tensor([[0, n[0], n[1]], [n[2], n[3], 0]])
    _panoptic_part(t, semantic, instances, [1, 2])


@panoptic_map.part("stuff: number 0", 0.5)
def _(t):
    semantic, instances = t.tensor(3, 4, low=0, high=5), t.tensor(3, 4, low=1, high=9)
    semantic[0] = torch.tensor([0, 1, 2, 4])
    _panoptic_part(t, semantic, instances, t.random.choice([[1, 4], [4, 2], [2]]))


@panoptic_map.part("not labelled, and arguments that stay as they were", 1)
def _(t):
    a, b = t.random.randint(1, 9), t.random.randint(10, 20)
    semantic = torch.tensor([[0, 1, IGNORE, 1], [1, IGNORE, 1, 2], [0, 1, 2, 0]])
    instances = torch.tensor([[0, a, b, IGNORE], [b, IGNORE, a, b], [IGNORE, b, IGNORE, 0]])
    instances[2, 2] = b
    _panoptic_part(t, semantic, instances, [1, 2])
    if t.changed:
        t.fail(
            "The map is right, but your function changed one of its arguments. `a += b` writes into `a`; `a + b` makes a new tensor."
        )


# --- from the file and back ---------------------------------------------------------------------------------

relabel = check.exercise(
    "relabel",
    hints=(
        "Two things happen to most labels: one is added or taken away, and the type changes. Which labels are the exception?",
        "A `uint8` holds 0 to 255 and then starts again at 0. Go over to `int64` before any arithmetic.",
        "Make an `int64` copy, add −1 or +1, put 255 back where the *given* mask was 255, and convert to the type that is asked for last.",
    ),
)


def _relabel_part(t, shape, back, ignored, dtypes=True):
    given_dtype, result_dtype = (torch.int64, torch.uint8) if back else (torch.uint8, torch.int64)
    low = 0 if back else 1
    mask = t.tensor(*shape, low=low, high=low + 3)
    step = torch.full_like(mask, 1 if back else -1)
    if ignored:
        where = t.tensor(*shape, low=0, high=3) == 0
        where.view(-1)[t.random.randrange(where.numel())] = True
        mask, step = torch.where(where, IGNORE, mask), torch.where(where, 0, step)
    given = f"mask {mask.tolist()} of dtype {str(given_dtype).removeprefix('torch.')}" + (
        " and back=True" if back else ""
    )
    tips = dict.fromkeys(("ValueError", "IndexError"), "The mask may have any shape: one axis, or three.")
    got = tipped(t, tips, mask.to(given_dtype), *([True] if back else []))
    want = mask + step
    whole_numbers(t, got, shape, None, given)
    known = [
        (want.masked_fill(mask == IGNORE, 254), "255 − 1 is 254, a label that nobody knows; 255 stays 255."),
        (want.masked_fill(mask == IGNORE, 256), "255 + 1 is 256; 255 stays 255."),
        (
            want.masked_fill(mask == IGNORE, 0),
            "255 became 0, which is a class. (In `uint8`, 255 + 1 starts again at 0.) 255 stays 255.",
        ),
        (mask, "The labels have not moved."),
        (mask - step, "The labels were moved the wrong way."),
        ((mask - step) % 256, "The labels were moved the wrong way."),
        (want.masked_fill(mask == low + 2, IGNORE), "The border became 255. It is a class like the others."),
        (want.masked_fill(mask == IGNORE, 3 - low), "255 was cut down to a class; 255 stays 255."),
        (want.masked_fill(mask == IGNORE, -1), "255 became −1. Other code uses that, but here 255 stays 255."),
        (
            want.masked_fill(mask != IGNORE, 3 if back else 0),
            "A label just written was taken for the next one to change: read from the old mask, write into a new one.",
        ),
        (
            torch.where(mask >= low + 2, want, 3 - 2 * low - want),
            "Pet and background have changed places: the file's 1 is the pet.",
        ),
    ]
    t.equal(got.long(), want, given, known)
    if dtypes:
        whole_numbers(t, got, shape, result_dtype, given)


@relabel.part("from the file", 0.5)
def _(t):
    _relabel_part(t, (2, 5), False, ignored=False)


@relabel.part("and back", 0.5)
def _(t):
    _relabel_part(t, (2, 5), True, ignored=False)


@relabel.part("255 stays both ways, in a mask of any shape that is left alone", 0.5)
def _(t):
    for shape in ((2, 4), (2, 2, 3), (7,)):
        _relabel_part(t, shape, False, ignored=True, dtypes=False)
        _relabel_part(t, shape, True, ignored=True, dtypes=False)
    if t.changed:
        t.fail("The labels are right, but your function changed the mask that it was given. Work on a copy.")


# --- fool the test ------------------------------------------------------------------------------------------

fooling_mask = check.exercise(
    "fooling_mask",
    hints=(
        "There are two jobs, and they can be done in two corners of the mask. One is to make the function invent a 1. What would make "
        "`looks_fine` expect a 1?",
        "For the damage, one 2 × 2 block must hold 0s and 2s in equal number. Blocks begin at even rows and columns, so the edge between 0 and 2 must "
        "run at an odd one.",
        "From some *odd* column on, write 2. Then set a single pixel, far from that edge, to 1. Check with the two functions "
        "yourself, at sizes 8, 10 and 12.",
    ),
)


def _halved(mask):
    """What blend_and_round makes of the mask at half the size, and whether each block under it holds a 1."""
    blocks = mask.float().unfold(0, 2, 2).unfold(1, 2, 2)
    return blocks.mean((2, 3)).round().long(), (blocks == 1).any(3).any(2)


def _draw_fooling(mask, small, invented):
    from course_lib import plot

    marks = torch.where(invented, 1, 0)
    return plot.grid([mask, small, marks], ["your mask", "halved and rounded", "orange: an invented 1"])


def _fooled(t, size):
    mask = t.call(size)
    given = f"size={size}"
    whole_numbers(t, mask, (size, size), torch.int64, given)
    odd = [v for v in mask.unique().tolist() if v not in (0, 1, 2)]
    if odd:
        t.fail(f"For {given}: the mask may hold 0, 1 and 2 only; it holds {odd[0]} too.")
    small, one_below = _halved(mask)
    assert torch.equal(
        small, F.interpolate(mask[None, None].float(), scale_factor=0.5, mode="bilinear")[0, 0].round().long()
    )
    invented = (small == 1) & ~one_below
    if not invented.any():
        more = "" if (small == 1).any() else " `small` holds no 1 at all."
        if 2 in mask and 0 in mask and not (small == 1).any():
            more = " Every block holds one label alone, or rounds to 0 or 2: an edge between 0 and 2 must run *inside* a block, so at an odd row or column."
        elif (small == 1).any():
            more = " Wherever the small mask is 1, the block under it holds a 1: those are honest."
        t.fail(f"For {given}: no label is invented.{more}", lambda: _draw_fooling(mask, small, invented))
    return mask, small, invented


def _sizes(t):
    return 8, 10, 2 * t.random.randint(6, 10)


@fooling_mask.part("a 1 is invented", 1)
def _(t):
    for size in _sizes(t):
        _fooled(t, size)


@fooling_mask.part("and the test says that all is fine", 1.5)
def _(t):
    for size in _sizes(t):
        try:
            mask, small, invented = _fooled(t, size)
        except NotYet as reason:
            t.fail(
                "First a 1 must be invented; see above." if "no label is invented" in reason.message else reason.message
            )
        new = sorted(set(small.unique().tolist()) - set(mask.unique().tolist()))
        if new:
            t.fail(
                f"For size={size}: a 1 is invented, and `looks_fine` sees it, for the mask holds no {new[0]} at all. What could keep the test quiet?",
                lambda: _draw_fooling(mask, small, invented),
            )
