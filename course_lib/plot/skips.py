"""Pictures of skips: small maps with their numbers, channel by channel; and what predictions find, seen close."""

import numpy as np
from matplotlib.patches import Patch, Rectangle

from .canvas import DARK, GREY, INK, SKY, VERMILLION, YELLOW, as_image, as_mask, axes_at, numbers, picture, put, sheet
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
    figure = sheet(wide, high + 0.75 + 0.3 * bool(used), title)
    left = (wide - sum(widths)) / 2
    for (name, m), width, height in zip(arrays.items(), widths, heights):
        top = 0.3 * bool(used) + high - (high - height) / 2
        figure.text((left + width / 2) / wide, (top + 0.13) / figure.get_figheight(), name, ha="center", fontsize=10)
        for c, values in enumerate(m):
            colour = KINDS[kinds[name][c]] if name in kinds else GREY
            top -= CELL * m.shape[1] + 0.16
            ax = axes_at(
                figure, left + (width - CELL * m.shape[2]) / 2, top + 0.1, CELL * m.shape[2], CELL * m.shape[1]
            )
            _cells(ax, values, colour, [(r, k) for channel, r, k in marks.get(name, ()) if channel == c])
        left += width
    if used:
        figure.legend(
            handles=[Patch(facecolor=_light(KINDS[kind]), edgecolor=DARK, label=f"from the {kind}") for kind in used],
            loc="lower center",
            ncols=len(used),
            frameon=False,
            handlelength=1.3,
        )
    figure.alt = (
        f"{title or 'Small maps'}: "
        + "; ".join(f"{name}, {' × '.join(map(str, m.shape))}" for name, m in arrays.items())
        + "."
    )
    return figure


def _light(colour):
    return tuple(0.72 + 0.28 * c for c in colour)


def _cells(ax, values, colour, marked):
    """One channel: a grid of numbers."""
    rows, columns = values.shape
    ax.set(xlim=(0, columns), ylim=(rows, 0), xticks=[], yticks=[])
    ax.set_axis_off()
    for (r, c), value in np.ndenumerate(values):
        empty = np.isnan(value)
        ax.add_patch(
            Rectangle(
                (c, r),
                1,
                1,
                facecolor="none" if empty else _light(colour),
                edgecolor=DARK,
                linewidth=0.8,
                linestyle=":" if empty else "-",
                clip_on=False,
            )
        )
        if not empty:
            text = f"{value:.4g}".replace("-", "−")
            ax.text(c + 0.5, r + 0.5, text, ha="center", va="center", fontsize=10 if len(text) < 4 else 7.5, color=INK)
    for r, c in marked:
        ax.add_patch(
            Rectangle((c + 0.06, r + 0.06), 0.88, 0.88, fill=False, edgecolor=VERMILLION, linewidth=2.2, zorder=4)
        )


@picture
def closeup(images, truth, predictions, boxes=None, title=""):
    """What predictions find of a thing, seen close: the whole picture, its cut-out, and for each prediction found and missed.

    images       (N, 3, H, W)
    truth        (N, H, W), bool or whole numbers: the thing is where it is not 0
    predictions  {name: (N, H, W)} of the same kind
    boxes        for each picture (top, left, side) of the square to look at; None shows all of it
    """
    images = [as_image(i) for i in images]
    truth = [as_mask(t, "truth", i.shape[:2]) != 0 for t, i in zip(truth, images, strict=True)]
    guesses = {
        name: [as_mask(p, f"prediction {name!r}", i.shape[:2]) != 0 for p, i in zip(ps, images, strict=True)]
        for name, ps in predictions.items()
    }
    zoomed = boxes is not None
    boxes = boxes or [(0, 0, max(i.shape[:2])) for i in images]
    columns = 1 + zoomed + len(guesses) + 1
    side, gap = min(3.1, 9.3 / columns - 0.1), 0.1
    wide, rows = columns * (side + gap) + gap, len(images)
    figure = sheet(wide, 0.45 + rows * (side + 0.27) + 0.4, title)
    shares = {name: [] for name in guesses}
    for row, (image, true, box) in enumerate(zip(images, truth, boxes)):
        top, left, size = box
        cut = np.s_[top : top + size, left : left + size]
        spots = iter(
            axes_at(figure, gap + c * (side + gap), 0.4 + (rows - row - 1) * (side + 0.27), side, side)
            for c in range(columns)
        )
        ax = next(spots)
        put(ax, image, "picture" if row == 0 else "")
        if zoomed:
            ax.add_patch(Rectangle((left - 0.5, top - 0.5), size, size, fill=False, edgecolor="white", linewidth=3))
            ax.add_patch(
                Rectangle((left - 0.5, top - 0.5), size, size, fill=False, edgecolor=VERMILLION, linewidth=1.5)
            )
            put(next(spots), image[cut], "seen close" if row == 0 else "")
        put(next(spots), _paint(true[cut], true[cut]), "truth" if row == 0 else "")
        for name, guess in guesses.items():
            share = (guess[row] & true)[cut].sum() / max(true[cut].sum(), 1)
            shares[name].append(share)
            put(next(spots), _paint(true[cut], guess[row][cut]), f"{name}: {share:.0%}" if row == 0 else f"{share:.0%}")
    figure.legend(
        handles=[
            Patch(facecolor=colour, edgecolor=GREY, label=label)
            for colour, label in ((FOUND, "found"), (MISSED, "missed"), (FALSE, "false alarm"))
        ],
        loc="lower center",
        ncols=3,
        frameon=False,
        handlelength=1.3,
    )
    figure.alt = (
        f"{title or 'Found and missed'}; of what is in view, "
        + "; ".join(f"{name} finds {', '.join(f'{s:.0%}' for s in found)}" for name, found in shares.items())
        + "."
    )
    return figure


def _paint(truth, guess):
    """Truth and guess, bool (H, W), as one picture in three colours on black."""
    canvas = np.zeros((*truth.shape, 3))
    for where, colour in ((truth & guess, FOUND), (truth & ~guess, MISSED), (~truth & guess, FALSE)):
        canvas[where] = colour
    return canvas
