"""Checks of lesson 00: three warm-ups on masks. Expected values come from how the inputs were made."""

import torch

from .core import Lesson
from .values import kind, same

check = Lesson("00_start_here")
IGNORE = 255


def _mask(t, counts, *shape, ignored=0):
    """A shuffled mask with exactly so many pixels of each class; `ignored` pixels more are 255."""
    labels = [c for c, n in enumerate(counts) for _ in range(n)] + [IGNORE] * ignored
    t.random.shuffle(labels)
    return torch.tensor(labels).reshape(shape)


# --- count the pixels ---------------------------------------------------------------------------------------

count_pixels = check.exercise(
    "count_pixels",
    hints=(
        "What does Python make of True + True + False? A comparison such as `mask == 2` gives many such values at once.",
        "Do it for every class from 0 to classes − 1. A class that does not occur then gets its 0 by itself.",
        "Collect one count for each class in a list, and turn the list into a tensor at the end. Nothing has to be done about 255: "
        "you never ask for it. (`torch.bincount` can do it in one call, if you take out the 255s first.)",
    ),
)


def _count_part(t, mask, counts):
    got = t.call(mask, len(counts))
    want, total = torch.tensor(counts), sum(counts)
    given = f"a mask of shape {tuple(mask.shape)} and classes={len(counts)}"
    if isinstance(got, (list, tuple)) and got == type(got)(counts):
        t.fail(f"For {given}: the counts are right, but they are a `{type(got).__name__}`; make a tensor of them.")
    if isinstance(got, torch.Tensor) and got.dim() == 1 and len(got) == 256:
        t.fail(f"For {given}: got 256 counts. Label 255 was counted as a class; leave those pixels out.")
    if (
        isinstance(got, torch.Tensor)
        and got.shape == want.shape
        and got.dtype != torch.int64
        and bool((got == want).all())
    ):
        t.fail(
            f"For {given}: the counts are right, but their dtype is {str(got.dtype).removeprefix('torch.')}; make it int64."
        )
    known = [
        (torch.tensor([c / total for c in counts]), "These are shares; count pixels."),
        (torch.tensor([c for c in counts if c]), "Classes that do not occur are missing; they have a count of 0."),
        (
            torch.tensor([*counts[:-1], counts[-1] + int((mask == IGNORE).sum())]),
            "Label 255 was counted for the last class; leave it out.",
        ),
        (
            torch.tensor([counts[0] + int((mask == IGNORE).sum()), *counts[1:]]),
            "Label 255 was counted for class 0; leave it out.",
        ),
        (want.to(torch.uint8), "A `uint8` holds numbers up to 255 and then starts again from 0; count in int64."),
        (want.clamp(max=1), "This says whether a class occurs; count how often."),
    ]
    t.equal(got, want, given, known)


@count_pixels.part("every class is counted", 0.5)
def _(t):
    counts = [t.random.randint(1, 9) for _ in range(t.random.randint(2, 4))] + [t.random.randint(260, 300)]
    t.random.shuffle(counts)
    _count_part(t, _mask(t, counts, 1, sum(counts)), counts)


@count_pixels.part("a class that does not occur counts 0", 0.5)
def _(t):
    a, b = t.random.randint(3, 9), t.random.randint(3, 9)
    _count_part(t, _mask(t, [a, 0, b], 1, a + b), [a, 0, b])
    _count_part(t, _mask(t, [a, b, 0, 0], a + b, 1), [a, b, 0, 0])


@count_pixels.part("pixels labelled 255 are left out", 0.5)
def _(t):
    a, b, c = (t.random.randint(2, 9) for _ in range(3))
    _count_part(t, _mask(t, [a, b], 1, a + b + c, ignored=c), [a, b])
    if t.changed:
        t.fail(
            "The counts are right, but your function changed the mask that it was given. Work on a copy, or don't write into it."
        )


@count_pixels.part("a batch of masks is counted together", 0.5)
def _(t):
    _count_part(t, _mask(t, [7, 12, 5], 2, 3, 4), [7, 12, 5])


# --- colour a label map -------------------------------------------------------------------------------------

colour = check.exercise(
    "colour",
    hints=(
        "Indexing takes more than one number at a time. Try `palette[torch.tensor([2, 0])]`, and look at the shape.",
        "`palette[mask]` is (H, W, 3), and pictures are (3, H, W): move the last axis to the front. "
        "255 is no row of the palette, so deal with those pixels before you look anything up.",
        "Replace 255 by 0 in a copy of the mask, look the colours up, move the axis, and last paint the pixels where the mask was 255 white.",
    ),
)


def _axes(shape, height, width):
    """What a picture's wrong shape says about its axes."""
    return {
        (height, width, 3): " Move the colour axis to the front.",
        (3, width, height): " Height and width have changed places.",
    }.get(shape, "")


def _colour_part(t, mask, palette):
    got = t.call(mask, palette)
    height, width = mask.shape
    given = f"a mask of shape {tuple(mask.shape)} and {len(palette)} colours"
    if not isinstance(got, torch.Tensor) or tuple(got.shape) != (3, height, width):
        shape = tuple(got.shape) if isinstance(got, torch.Tensor) else None
        more = _axes(shape, height, width)
        t.fail(f"For {given}: expected a tensor of shape (3, {height}, {width}), got {kind(got)}{more}")
    mixed = torch.stack([palette[min(int(label), len(palette) - 1)] for label in mask.flatten()]).reshape(got.shape)
    if same(got[:, mask != IGNORE], mixed[:, mask != IGNORE], 1e-4):
        t.fail(
            f"For {given}: the shape is right and the colours are scrambled. `reshape` keeps the order of the numbers; `permute` moves axes.",
            lambda: _draw_colours(got, mask, palette),
        )
    for row in range(height):
        for column in range(width):
            label = int(mask[row, column])
            want = [1.0, 1.0, 1.0] if label == IGNORE else [round(v, 4) for v in palette[label].tolist()]
            have = [round(v, 4) for v in got[:, row, column].tolist()]
            if have != want:
                more = ""
                if label == IGNORE:
                    more = " A pixel labelled 255 is white."
                elif have == [round(v * 255, 4) for v in want]:
                    more = " Colours run from 0 to 1 here."
                elif any([round(v, 4) for v in p.tolist()] == have for p in palette):
                    more = " That is another class's colour."
                t.fail(
                    f"For {given}: the pixel in row {row}, column {column} has label {label} and should be {want}; it is {have}.{more}",
                    lambda: _draw_colours(got, mask, palette),
                )


def _draw_colours(got, mask, palette):
    from course_lib import plot

    return plot.grid([got.detach().float().clamp(0, 1), mask], ["yours", "the labels, in colours of the course"])


@colour.part("a picture of the right shape", 0.5)
def _(t):
    mask, palette = t.tensor(t.random.randint(3, 5), t.random.randint(6, 8), low=0, high=3), t.tensor(3, 3).sigmoid()
    got = t.call(mask, palette)
    want = (3, *mask.shape)
    shape = tuple(got.shape) if isinstance(got, torch.Tensor) else None
    if shape != want:
        more = _axes(shape, *mask.shape)
        t.fail(f"For a mask of shape {tuple(mask.shape)}: expected a tensor of shape {want}, got {kind(got)}{more}")
    if not got.is_floating_point():
        t.fail(
            f"For a palette of dtype float32: expected a float picture, got {str(got.dtype).removeprefix('torch.')}."
        )


@colour.part("every pixel its class's colour", 1)
def _(t):
    classes = t.random.randint(4, 6)
    _colour_part(t, t.tensor(5, 7, low=0, high=classes), t.tensor(classes, 3).sigmoid())
    pure = torch.tensor([[1.0, 0, 1], [0, 0, 0], [0, 1, 1], [1, 1, 0]])  # colours that could be taken for labels
    _colour_part(t, t.tensor(4, 5, low=0, high=3), pure)  # the last class does not occur
    _colour_part(t, t.tensor(4, 5, low=1, high=4), pure)  # nor the first
    if t.changed:
        t.fail("Your function changed one of its arguments. Work on a copy.")


@colour.part("pixels labelled 255 are white", 0.5)
def _(t):
    mask = t.tensor(4, 6, low=0, high=3)
    mask[t.random.randint(0, 3), :3] = IGNORE
    _colour_part(t, mask, t.tensor(3, 3).sigmoid())
    if t.changed:
        t.fail(
            "Your function changed the mask that it was given: it must still hold its 255s afterwards. Work on a copy."
        )


# --- overlay ------------------------------------------------------------------------------------------------

blend = check.exercise(
    "blend",
    hints=(
        "What should come out at opacity 0? At opacity 1? And half-way between?",
        "It is a weighted mean of the two pictures. The weights add up to 1.",
        "The colours get the weight opacity. The photograph gets what is left of 1.",
    ),
)


def _blend_part(t, opacities, n=(3, 4, 5)):
    image, colours = t.tensor(*n).sigmoid(), t.tensor(*n).sigmoid()
    colours[:, 0, 0] = torch.tensor([0.0, 1.0, 0.0])  # black and white are colours like any other
    colours[:, 0, 1], colours[:, 1, 0] = 0.0, 1.0
    for opacity in opacities:
        got = t.call(image, colours, opacity)
        given = f"opacity={opacity:g}"
        if not isinstance(got, torch.Tensor) or got.shape != image.shape:
            t.fail(f"For {given} and pictures of shape {tuple(n)}: expected a tensor of that shape, got {kind(got)}")
        spots = [tuple(t.random.randrange(m) for m in n) for _ in range(4)] + [(0, 0, 0), (1, 0, 0)]
        values = [tuple(float(v[i]) for v in (image, colours, got)) for i in spots]
        swapped = all(abs(have - (opacity * a + (1 - opacity) * b)) < 1e-3 for a, b, have in values)
        for a, b, have in values:
            if not abs(have - (a + (b - a) * opacity)) <= 1e-3:
                more = ""
                if swapped:
                    more = " The two weights have changed places: at opacity 1 only the colours are left."
                elif not min(a, b) - 1e-3 <= have <= max(a, b) + 1e-3:
                    more = " That is not between the two: the weights must add up to 1."
                t.fail(
                    f"For {given}: where the photograph is {a:.3f} and the colour {b:.3f}, it should be {a + (b - a) * opacity:.3f}; your picture is {have:.3f}.{more}"
                )


@blend.part("opacity 0 and opacity 1", 1)
def _(t):
    _blend_part(t, (0.0, 1.0))


@blend.part("in between", 0.5)
def _(t):
    _blend_part(t, (0.5, t.random.choice([0.2, 0.3, 0.7, 0.8])))


@blend.part("the arguments stay as they were", 0.5)
def _(t):
    image, colours = t.tensor(3, 2, 2).sigmoid(), t.tensor(3, 2, 2).sigmoid()
    got = t.call(image, colours, 0.25)
    if t.changed:
        t.fail(
            "Your function changed one of its pictures. `image *= 2` writes into the caller's tensor; `image * 2` makes a new one."
        )
    if not isinstance(got, torch.Tensor) or got.shape != image.shape:
        t.fail(
            f"For two pictures of shape (3, 2, 2) and opacity=0.25: expected a picture of that shape, got {kind(got)}"
        )
    if same(got, image) or same(got, colours) or not got.any():
        t.fail(
            "For two pictures and opacity=0.25: one of the two came back, or nothing of either. What is asked for lies between them."
        )
