"""What every picture of the course is drawn on: colours, style, layout, and what counts as an image or a mask."""

import functools

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path

from course_lib.labels import BLACK, BLUE, GREEN, IGNORE, ORANGE, PALETTE, PURPLE, SKY, VERMILLION, YELLOW  # noqa: F401

GREY, PALE, INK, DARK = (0.62,) * 3, (0.93,) * 3, (0.13,) * 3, (0.25,) * 3
WRONG = (0.77, 0.0, 0.42)  # vivid, and no class's colour
UNLABELLED = "not labelled"

WIDTH = 9.5  # inches: the width of a notebook's column at 100 dots an inch
STYLE = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "legend.fontsize": 10,
    "text.color": INK,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "hatch.linewidth": 0.8,
    "hatch.color": DARK,
    "figure.dpi": 100,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


class Picture(Figure):
    """A matplotlib figure with `alt`, the sentence that says what it shows to those who don't see it."""

    alt = ""

    def __repr__(self):
        return self.alt or super().__repr__()

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {}, {"image/png": {"alt": self.alt}}  # the image itself comes from IPython's own formatter


def picture(draw):
    """Draw under the course's style, whatever the notebook's, and close the figure: an open one would show twice."""

    @functools.wraps(draw)
    def wrapper(*args, **kwargs):
        before = set(plt.get_fignums())
        with plt.style.context(["default", STYLE]), plt.ioff():
            try:
                return draw(*args, **kwargs)
            finally:
                for number in set(plt.get_fignums()) - before:
                    plt.close(number)

    return wrapper


# ---- what comes in ---------------------------------------------------------------------------------------------


def numbers(x):
    """A tensor of any device and dtype, an array or a list, as an array."""
    if hasattr(x, "detach"):
        x = x.detach().cpu()
        x = x.float() if x.is_floating_point() else x
    return np.asarray(x)


def as_image(image, what="image"):
    """Any accepted image as an (H, W, 3) float array in [0, 1]."""
    x = numbers(image)
    shape = x.shape
    if x.ndim == 3 and shape[0] in (1, 3):
        x = x.transpose(1, 2, 0)
    if x.ndim == 2:
        x = x[:, :, None]
    if x.ndim != 3 or x.shape[2] not in (1, 3) or 0 in x.shape:
        hint = "; take one image of the batch, such as images[0]" if x.ndim == 4 else ""
        raise ValueError(f"The {what} has shape {tuple(shape)}, but must be (3, H, W) or (H, W, 3){hint}.")
    if x.dtype.kind in "ui":
        x = x / 255
    x = x.astype(float)
    if not (x.min() >= -0.05 and x.max() <= 1.05):  # a little overshoot, as bicubic resizing gives, is clipped
        raise ValueError(
            f"The {what} holds values from {x.min():.3g} to {x.max():.3g}, but floats must lie in "
            "0 to 1: undo the normalisation, or give uint8."
        )
    return np.broadcast_to(x.clip(0, 1), (*x.shape[:2], 3))


def as_mask(mask, what="mask", size=None):
    """Any accepted mask as an (H, W) int64 array; `size` is the (H, W) that it must have."""
    x = numbers(mask)
    shape = x.shape
    if x.ndim == 3 and shape[0] == 1:
        x = x[0]
    if x.ndim != 2 or 0 in x.shape:
        hint = "; logits become labels by logits.argmax(0)" if x.ndim == 3 else ""
        raise ValueError(f"The {what} has shape {tuple(shape)}, but must be (H, W){hint}.")
    if x.dtype.kind not in "uib":
        raise ValueError(f"The {what} holds {x.dtype} values, but labels are whole numbers: use mask.long().")
    if size is not None and x.shape != tuple(size):
        raise ValueError(
            f"The {what} is {x.shape[0]}×{x.shape[1]}, but its image is {size[0]}×{size[1]}: resize both together."
        )
    return x.astype(np.int64)


def class_names(classes, *masks):
    """The class names, made up where only a number or nothing is given; checks that the masks hold no other label."""
    top = max((int(m[m != IGNORE].max(initial=0)) for m in masks), default=0)
    if classes is None:
        classes = top + 1
    names = tuple(f"class {i}" for i in range(classes)) if isinstance(classes, int) else tuple(map(str, classes))
    low = min((int(m.min()) for m in masks), default=0)
    if low < 0 or top >= len(names):
        raise ValueError(
            f"The mask holds the label {low if low < 0 else top}, but {len(names)} classes have the "
            f"labels 0 to {len(names) - 1} ({IGNORE} is 'not labelled')."
        )
    return names


# ---- colours ---------------------------------------------------------------------------------------------------


def palette(classes):
    """(n, 3) RGB floats, one row a class: PALETTE in order, with black for the class named "background".

    classes  tuple of names, or their number n (then class 0 is black)
    Beyond eight classes the colours return lighter, then darker, then repeat: no palette of more than eight stays
    readable by colour alone, so trust the legend's order there.
    """
    names = class_names(classes)
    order = list(range(1, 8)) * 3
    tints = [
        np.array(PALETTE[c]) * (0.55 if i >= 14 else 1) * (0.5 if 7 <= i < 14 else 1) + 0.5 * (7 <= i < 14)
        for i, c in enumerate(order)
    ]
    quiet = names.index("background") if "background" in names else 0
    others = iter(range(len(names)))
    return np.array([BLACK if i == quiet else tints[next(others) % 21] for i in range(len(names))])


def colours(mask, classes=None):
    """A label map as a picture: (H, W) integers to (H, W, 3) floats in [0, 1], by `palette`; 255 becomes grey."""
    mask = as_mask(mask)
    names = class_names(classes, mask)
    return paint(mask, names)


def paint(mask, names):
    return np.vstack([palette(names), GREY])[np.where(mask == IGNORE, len(names), mask)]


def legend(where, classes, *, ignored=False, extra=(), **options):
    """Add the classes' legend to a Figure or Axes and return it; `options` go to matplotlib's own legend.

    ignored  also explain the hatching of label 255
    extra    further matplotlib handles
    """
    names = class_names(classes)
    handles = [Patch(facecolor=colour, edgecolor=GREY, label=name) for name, colour in zip(names, palette(names))]
    if ignored:
        handles.append(Patch(facecolor=GREY, edgecolor=DARK, hatch="/////", label=UNLABELLED))
    return where.legend(
        handles=[*handles, *extra], **{"frameon": False, "handlelength": 1.3, "handleheight": 1.0, **options}
    )


def legend_columns(names, width):
    """The least number of lines in which a legend of these names fits `width` inches: (columns, lines)."""
    lengths = [0.6 + 0.08 * len(name) for name in names]
    for lines in range(1, len(names) + 1):
        # matplotlib fills column by column, and a column is as wide as its longest entry
        if sum(max(lengths[i : i + lines]) for i in range(0, len(names), lines)) <= width:
            break
    return -(-len(names) // lines), lines


# ---- layout in inches: constrained_layout would draw every figure twice ------------------------------------------


def sheet(width, height, title="", alt=""):
    figure = plt.figure(FigureClass=Picture, figsize=(width, height))
    if title:
        figure.text(0.5, 1 - 0.22 / height, title, ha="center", va="center", fontsize=12)
    figure.alt = alt or title
    return figure


def axes_at(figure, left, bottom, width, height, **options):
    """Axes with the given place in inches."""
    w, h = figure.get_size_inches()
    ax = figure.add_axes((left / w, bottom / h, width / w, height / h), **options)
    ax.tick_params(labelsize=9, colors=INK)  # ticks are made late, when the style no longer holds
    return ax


def put(ax, picture, title="", ignored=None, **options):
    """A picture without ticks, its pixels left visible, with the ignored ones hatched."""
    ax.imshow(picture, interpolation="nearest", **options)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(visible=True, color=GREY, linewidth=0.6)
    ax.set_title(title, pad=4)
    if ignored is not None and ignored.any():
        steps = np.diff(np.pad(ignored.astype(np.int8), ((0, 0), (1, 1))))
        (rows, starts), (_, ends) = np.nonzero(steps == 1), np.nonzero(steps == -1)
        x0, x1, y0, y1 = starts - 0.5, ends - 0.5, rows - 0.5, rows + 0.5
        runs = np.stack([np.stack(corner, 1) for corner in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))], 1)
        ax.add_patch(
            PathPatch(
                Path.make_compound_path_from_polys(runs),
                hatch="/////",
                facecolor="none",
                edgecolor=DARK,
                linewidth=0,
                antialiased=False,
            )
        )


def panels(rows, columns, shape, *, title="", names=(), ignored=False, extra=(), note=0):
    """A figure of equal panels for pictures of `shape` (H, W), under them a legend of the classes, and a free line if `note`."""
    width = min(4.0, (WIDTH - 0.2 - 0.12 * (columns - 1)) / columns)
    height = width * shape[0] / shape[1]
    wide = max(columns * (width + 0.12) + 0.08, 4.5)
    entries = [*names, *[UNLABELLED] * ignored, *[handle.get_label() for handle in extra]]
    across, lines = legend_columns(entries, wide) if names else (0, 0)
    foot = 0.1 + 0.22 * lines + 0.06 * bool(lines) + 0.22 * note
    figure = sheet(wide, (0.42 if title else 0.05) + rows * (height + 0.3) + foot, title)
    left = (wide - columns * (width + 0.12) + 0.12) / 2
    axes = [
        [
            axes_at(figure, left + c * (width + 0.12), foot + (rows - r - 1) * (height + 0.3), width, height)
            for c in range(columns)
        ]
        for r in range(rows)
    ]
    if names:
        legend(
            figure,
            names,
            ignored=ignored,
            extra=extra,
            loc="lower center",
            ncols=across,
            borderaxespad=0.2,
            bbox_to_anchor=(0.5, 0.22 * note / figure.get_figheight()),
        )
    return figure, axes


def shares(mask, names):
    """'background 71 %, pet 24 %': what an alt text says of a mask."""
    return ", ".join(f"{name} {100 * np.mean(mask == i):.0f} %" for i, name in enumerate(names) if (mask == i).any())
