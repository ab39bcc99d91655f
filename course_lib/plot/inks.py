"""Colours and legends: what the parts of a picture are told apart by."""

import itertools

import numpy as np
from matplotlib.patches import Patch

from course_lib.labels import BLACK, IGNORE, PALETTE

from .inputs import as_mask, class_names

GREY, PALE, INK, DARK = (0.62,) * 3, (0.93,) * 3, (0.13,) * 3, (0.25,) * 3
WRONG = (0.77, 0.0, 0.42)  # vivid, and no class's colour
UNLABELLED = "not labelled"
HATCH = "/////"
FOOT = {"loc": "lower center", "frameon": False, "handlelength": 1.3}  # a legend under a figure
BESIDE = {"loc": "upper left", "bbox_to_anchor": (1.02, 1.0), "borderaxespad": 0, "frameon": False}  # beside axes


# --- colours ------------------------------------------------------------------------------------------------


def palette(classes):
    """(n, 3) RGB floats, one row a class: PALETTE in order, with black for the class named "background".

    classes  tuple of names, or their number n (then class 0 is black)

    Beyond eight classes the colours return lighter, then darker, then repeat: no palette of more than eight stays
    readable by colour alone, so trust the legend's order there.
    """
    names = class_names(classes)
    plain = np.array(PALETTE[1:])
    tints = itertools.cycle([*plain, *(0.5 * plain + 0.5), *(0.55 * plain)])
    quiet = names.index("background") if "background" in names else 0
    return np.array([BLACK if i == quiet else next(tints) for i in range(len(names))])


def colours(mask, classes=None):
    """A label map as a picture: (H, W) integers to (H, W, 3) floats in [0, 1], by `palette`; 255 becomes grey."""
    mask = as_mask(mask)
    return paint(mask, class_names(classes, mask))


def paint(mask, names):
    """`colours` for a mask and class names that are checked already."""
    return np.vstack([palette(names), GREY])[np.where(mask == IGNORE, len(names), mask)]


def ghost(image, dark, span):
    """An (H, W, 3) image in greys from `dark` to dark + span, for colours to stand on."""
    return dark + span * image.mean(axis=2, keepdims=True).repeat(3, axis=2)


# --- legends ------------------------------------------------------------------------------------------------


def swatch(colour, label, **options):
    """A legend's entry for an area of this colour."""
    return Patch(**{"facecolor": colour, "edgecolor": GREY, "label": label, **options})


def unlabelled():
    """A legend's entry for pixels without a label."""
    return swatch(GREY, UNLABELLED, edgecolor=DARK, hatch=HATCH)


def legend(where, classes, *, ignored=False, extra=(), **options):
    """Add the classes' legend to a Figure or Axes and return it; `options` go to matplotlib's own legend.

    ignored  also explain the hatching of label 255
    extra    further matplotlib handles
    """
    names = class_names(classes)
    handles = [swatch(colour, name) for name, colour in zip(names, palette(names))]
    handles += [*([unlabelled()] if ignored else []), *extra]
    return where.legend(handles=handles, **{"frameon": False, "handlelength": 1.3, "handleheight": 1.0, **options})


def legend_columns(names, width):
    """The least number of lines in which a legend of these names fits `width` inches: (columns, lines)."""
    lengths = [0.6 + 0.08 * len(name) for name in names]
    for lines in range(1, len(names) + 1):
        # matplotlib fills column by column, and a column is as wide as its longest entry
        if sum(max(lengths[i : i + lines]) for i in range(0, len(names), lines)) <= width:
            break
    return -(-len(names) // lines), lines
