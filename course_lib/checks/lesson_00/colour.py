"""Lesson 00: a label map in its classes' colours, checked pixel by pixel."""

import torch

from course_lib.labels import IGNORE

from ..core import Exercise
from ..values import dtype_name, kind, same

colour = Exercise(
    "colour",
    hints=(
        "Indexing takes more than one number at a time. Try `palette[torch.tensor([2, 0])]`, and look at the shape.",
        "`palette[mask]` is (H, W, 3), and pictures are (3, H, W): move the last axis to the front. "
        "255 is no row of the palette, so deal with those pixels before you look anything up.",
        "Replace 255 by 0 in a copy of the mask, look the colours up, move the axis, and last paint the "
        "pixels where the mask was 255 white.",
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
            f"For {given}: the shape is right and the colours are scrambled. `reshape` keeps the order of the "
            "numbers; `permute` moves axes.",
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
                elif same(have, [v * 255 for v in want], 1e-3):
                    more = " Colours run from 0 to 1 here."
                elif have == want[::-1] and want[0] != want[2]:
                    more = " Red and blue have changed places: the first channel is red."
                elif have in ([1.0] * 3, [0.0] * 3) and _left_out(got, mask, palette):
                    more = f" Every class from {_left_out(got, mask, palette)} on is left out; there may be any number."
                elif any([round(v, 4) for v in p.tolist()] == have for p in palette):
                    more = " That is another class's colour."
                t.fail(
                    f"For {given}: the pixel in row {row}, column {column} has label {label} and should be "
                    f"{want}; it is {have}.{more}",
                    lambda: _draw_colours(got, mask, palette),
                )


def _left_out(got, mask, palette):
    """The first class of which no pixel has its colour, where that goes for all after it too and for none before."""
    painted = []
    for label in range(len(palette)):
        if (here := mask == label).any():
            painted.append((label, same(got[:, here], palette[label][:, None].expand_as(got[:, here]), 1e-3)))
    out = [label for label, right in painted if not right]
    return out[0] if out and len(out) < len(painted) and all(right == (c < out[0]) for c, right in painted) else None


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
        t.fail(f"For a palette of dtype float32: expected a float picture, got {dtype_name(got)}.")


@colour.part("every pixel its class's colour", 1)
def _(t):
    classes = t.random.randint(4, 6)
    _colour_part(t, t.tensor(5, 7, low=0, high=classes), t.tensor(classes, 3).sigmoid())
    pure = torch.tensor([[1.0, 0, 1], [0, 0, 0], [0, 1, 1], [1, 1, 0]])  # colours that could be taken for labels
    _colour_part(t, t.tensor(4, 5, low=0, high=3), pure)  # the last class does not occur
    _colour_part(t, t.tensor(4, 5, low=1, high=4), pure)  # nor the first
    t.unchanged("one of its arguments. Work on a copy.")


@colour.part("pixels labelled 255 are white", 0.5)
def _(t):
    mask = t.tensor(4, 6, low=0, high=3)
    mask[t.random.randint(0, 3), :3] = IGNORE
    _colour_part(t, mask, t.tensor(3, 3).sigmoid())
    t.unchanged("the mask that it was given: it must still hold its 255s afterwards. Work on a copy.")
