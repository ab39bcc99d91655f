"""What every picture of the course is drawn on: its style, its lines, its alt text, and places in inches."""

import functools
import io
import itertools
import sys

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path
from matplotlib.transforms import Bbox

from course_lib.labels import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION

from .inks import DARK, GREY, HATCH, INK, UNLABELLED, legend, legend_columns

WIDTH = 9.5  # inches: the width of a notebook's column at 100 dots an inch
DENSITY = 2  # a screen's pixels a dot, each way: crisp where it has as many
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
SERIES = (  # colour, marker and dashes: three ways to tell the lines of a plot apart
    (BLUE, "o", "-"),
    (ORANGE, "s", "--"),
    (GREEN, "^", "-."),
    (PURPLE, "D", ":"),
    (VERMILLION, "v", (0, (5, 1, 1, 1, 1, 1))),
    (SKY, "P", (0, (1, 1))),
)


class Picture(Figure):
    """A matplotlib figure with `alt`, the sentence that says what it shows to those who don't see it.

    It shows itself in a notebook whatever matplotlib's backend is, and is no figure of pyplot's.
    """

    alt = ""

    def __repr__(self):
        return self.alt or super().__repr__()

    def png(self):
        """(PNG bytes, {"alt", "width", "height"}): twice as many pixels each way as the page is to give it."""
        whole = Bbox.union([self.bbox_inches, self.get_tightbbox()])  # what sticks out is seen, too
        options = {"dpi": DENSITY * self.dpi, "bbox_inches": whole}
        with io.BytesIO() as file:  # quick rather than small: light compression takes a third of the time
            self.savefig(file, format="png", pil_kwargs={"compress_level": 1}, **options)
            data = file.getvalue()
        width, height = (int.from_bytes(data[at : at + 4], "big") // DENSITY for at in (16, 20))
        return data, {"alt": self.alt, "width": width, "height": height}


if "IPython" in sys.modules and (shell := sys.modules["IPython"].get_ipython()):
    shell.display_formatter.formatters["image/png"].for_type(Picture, Picture.png)


def picture(draw):
    """Draw under the course's style, whatever the notebook's."""

    @functools.wraps(draw)
    def wrapper(*args, **kwargs):
        with style.context(["default", STYLE]):
            return draw(*args, **kwargs)

    return wrapper


# --- lines and alt texts ------------------------------------------------------------------------------------


def styled(lines):
    """The entries of a dict with their styles: ((name, values), (colour, marker, dashes)), after six from the first."""
    return zip(lines.items(), itertools.cycle(SERIES))


def shares(mask, names):
    """'background 71 %, pet 24 %': what an alt text says of a mask."""
    return ", ".join(f"{name} {100 * np.mean(mask == i):.0f} %" for i, name in enumerate(names) if (mask == i).any())


def told(title, parts):
    """'Title: one; another.': an alt text."""
    return f"{title}: {'; '.join(parts)}."


# --- layout in inches: constrained_layout would draw every figure twice -------------------------------------


def sheet(width, height, title="", alt=""):
    """An empty figure of this size in inches, its title on top; without `alt` the title is its alt text."""
    figure = Picture(figsize=(width, height))
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


def note(figure, bottom, text, **options):
    """A line of small text in the middle of a figure, its baseline `bottom` inches above the foot."""
    figure.text(0.5, bottom / figure.get_figheight(), text, **{"ha": "center", "fontsize": 9, **options})


def frame(ax, left, top, width, height, colour, linewidth, **options):
    """A rectangle's outline, in the axes' own units."""
    ax.add_patch(Rectangle((left, top), width, height, fill=False, edgecolor=colour, linewidth=linewidth, **options))


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
        area = Path.make_compound_path_from_polys(runs)
        plain = {"facecolor": "none", "edgecolor": DARK, "linewidth": 0, "antialiased": False}
        ax.add_patch(PathPatch(area, hatch=HATCH, **plain))


def panels(rows, columns, shape, *, title="", names=(), ignored=False, extra=(), notes=0):
    """A figure of equal panels for pictures of `shape` (H, W): (figure, rows of axes).

    names, ignored, extra  the classes' legend under them, as in `legend`; none without names
    notes                  how many free lines to leave below that
    """
    gap = 0.12
    width = min(4.0, (WIDTH - 0.2 - gap * (columns - 1)) / columns)
    height = width * shape[0] / shape[1]
    wide = max(columns * (width + gap) + 0.08, 4.5)
    entries = [*names, *[UNLABELLED] * ignored, *[handle.get_label() for handle in extra]]
    across, lines = legend_columns(entries, wide) if names else (0, 0)
    foot = 0.1 + 0.22 * lines + 0.06 * bool(lines) + 0.22 * notes
    figure = sheet(wide, (0.42 if title else 0.05) + rows * (height + 0.3) + foot, title)
    x = [(wide - columns * (width + gap) + gap) / 2 + c * (width + gap) for c in range(columns)]
    y = [foot + (rows - 1 - r) * (height + 0.3) for r in range(rows)]
    axes = [[axes_at(figure, left, bottom, width, height) for left in x] for bottom in y]
    if names:
        place = {"bbox_to_anchor": (0.5, 0.22 * notes / figure.get_figheight()), "borderaxespad": 0.2}
        legend(figure, names, ignored=ignored, extra=extra, loc="lower center", ncols=across, **place)
    return figure, axes
