"""Pictures of skips: small maps with their numbers, channel by channel; and what predictions find, seen close."""

import numpy as np
from matplotlib.patches import Rectangle

from course_lib.labels import SKY, VERMILLION, YELLOW

from .canvas import axes_at, frame, picture, put, sheet, told
from .inks import DARK, FOOT, GREY, INK, swatch
from .inputs import as_image, as_mask, numbers
from .networks import KINDS

FOUND, MISSED, FALSE = SKY, VERMILLION, YELLOW
CELL = 0.42  # inches


@picture
def channels(maps, kinds=None, marks=None, title=""):
    """Small maps with their values written in, one column a map, its channels one below the other.

    maps   {name: (C, H, W) tensor}, a few numbers each; a value that is NaN leaves its cell empty
    kinds  {name: one of "encoder", "decoder", "input", "bottleneck", "head" for each channel}, which gives the colours
    marks  {name: list of (channel, row, column)}: cells to draw a frame around
    """
    arrays = {name: numbers(m).astype(float) for name, m in maps.items()}
    for name, m in arrays.items():
        if m.ndim != 3 or 0 in m.shape or m[0].size > 144:
            raise ValueError(f"The map {name!r} has shape {m.shape}; give (C, H, W), with at most 144 places.")
    kinds, marks = kinds or {}, marks or {}
    widths = [max(CELL * m.shape[2], 0.085 * len(name)) + 0.6 for name, m in arrays.items()]
    heights = [m.shape[0] * (CELL * m.shape[1] + 0.16) for m in arrays.values()]
    wide, high = max(sum(widths), 4.0, 0.1 * len(title)), max(heights)
    used = list(dict.fromkeys(kind for name in arrays for kind in kinds.get(name, ())))
    foot = 0.3 * bool(used)
    figure = sheet(wide, high + 0.75 + foot, title)
    left = (wide - sum(widths)) / 2
    for (name, m), width, height in zip(arrays.items(), widths, heights):
        top = foot + high - (high - height) / 2
        figure.text((left + width / 2) / wide, (top + 0.13) / figure.get_figheight(), name, ha="center", fontsize=10)
        across, down = CELL * m.shape[2], CELL * m.shape[1]
        for c, values in enumerate(m):
            colour = KINDS[kinds[name][c]] if name in kinds else GREY
            top -= down + 0.16
            ax = axes_at(figure, left + (width - across) / 2, top + 0.1, across, down)
            _cells(ax, values, colour, [(r, k) for channel, r, k in marks.get(name, ()) if channel == c])
        left += width
    if used:
        handles = [swatch(_light(KINDS[kind]), f"from the {kind}", edgecolor=DARK) for kind in used]
        figure.legend(handles=handles, ncols=len(used), **FOOT)
    sizes = (f"{name}, {' × '.join(map(str, m.shape))}" for name, m in arrays.items())
    figure.alt = told(title or "Small maps", sizes)
    return figure


def _light(colour):
    return tuple(0.72 + 0.28 * c for c in colour)


def _cells(ax, values, colour, marked):
    """One channel: a grid of numbers, the marked (row, column) in frames."""
    rows, columns = values.shape
    ax.set(xlim=(0, columns), ylim=(rows, 0), xticks=[], yticks=[])
    ax.set_axis_off()
    for (r, c), value in np.ndenumerate(values):
        empty = np.isnan(value)
        style = {"facecolor": "none", "linestyle": ":"} if empty else {"facecolor": _light(colour), "linestyle": "-"}
        ax.add_patch(Rectangle((c, r), 1, 1, edgecolor=DARK, linewidth=0.8, clip_on=False, **style))
        if not empty:
            text = f"{value:.4g}".replace("-", "−")
            size = 10 if len(text) < 4 else 7.5
            ax.text(c + 0.5, r + 0.5, text, ha="center", va="center", fontsize=size, color=INK)
    for r, c in marked:
        frame(ax, c + 0.06, r + 0.06, 0.88, 0.88, VERMILLION, 2.2, zorder=4)


@picture
def closeup(images, truth, predictions, boxes=None, title=""):
    """What predictions find of a thing, seen close: the picture, its cut-out, and for each prediction found and missed.

    images       (N, 3, H, W)
    truth        (N, H, W), bool or whole numbers: the thing is where it is not 0
    predictions  {name: (N, H, W)} of the same kind
    boxes        for each picture (top, left, side) of the square to look at; None shows all of it
    """
    images = [as_image(i) for i in images]
    truth = [as_mask(t, "truth", i.shape[:2]) != 0 for t, i in zip(truth, images, strict=True)]
    guesses = {}
    for name, ps in predictions.items():
        what = f"prediction {name!r}"
        guesses[name] = [as_mask(p, what, i.shape[:2]) != 0 for p, i in zip(ps, images, strict=True)]
    zoomed = boxes is not None
    boxes = boxes or [(0, 0, max(i.shape[:2])) for i in images]
    columns = 1 + zoomed + len(guesses) + 1
    side, gap = min(3.1, 9.3 / columns - 0.1), 0.1
    wide, rows = columns * (side + gap) + gap, len(images)
    figure = sheet(wide, 0.45 + rows * (side + 0.27) + 0.4, title)
    found = {name: [] for name in guesses}
    for row, (image, true, (top, left, size)) in enumerate(zip(images, truth, boxes)):
        cut = np.s_[top : top + size, left : left + size]
        y = 0.4 + (rows - row - 1) * (side + 0.27)
        spots = [axes_at(figure, gap + c * (side + gap), y, side, side) for c in range(columns)]
        heads = ["picture", *["seen close"] * zoomed, "truth"] if row == 0 else [""] * 3
        put(spots[0], image, heads[0])
        if zoomed:
            frame(spots[0], left - 0.5, top - 0.5, size, size, "white", 3)
            frame(spots[0], left - 0.5, top - 0.5, size, size, VERMILLION, 1.5)
            put(spots[1], image[cut], heads[1])
        put(spots[1 + zoomed], _paint(true[cut], true[cut]), heads[1 + zoomed])
        for ax, (name, guess) in zip(spots[2 + zoomed :], guesses.items()):
            share = (guess[row] & true)[cut].sum() / max(true[cut].sum(), 1)
            found[name].append(f"{100 * share:.0f} %")
            put(
                ax,
                _paint(true[cut], guess[row][cut]),
                f"{name}: {100 * share:.0f} %" if row == 0 else f"{100 * share:.0f} %",
            )
    handles = [swatch(FOUND, "found"), swatch(MISSED, "missed"), swatch(FALSE, "false alarm")]
    figure.legend(handles=handles, ncols=3, **FOOT)
    each = "; ".join(f"{name} finds {', '.join(shares)}" for name, shares in found.items())
    figure.alt = f"{title or 'Found and missed'}; of what is in view, {each}."
    return figure


def _paint(truth, guess):
    """Truth and guess, bool (H, W), as one picture in three colours on black."""
    canvas = np.zeros((*truth.shape, 3))
    canvas[truth & guess] = FOUND
    canvas[truth & ~guess] = MISSED
    canvas[~truth & guess] = FALSE
    return canvas
