"""What a stack of dilated 3x3 convolutions sees: every input pixel that an output pixel can reach, and the holes."""

import math

import numpy as np

from course_lib.labels import BLUE, VERMILLION
from course_lib.models.fields import paths

from .canvas import WIDTH, axes_at, frame, note, picture, sheet
from .inks import FOOT, GREY, PALE, swatch


@picture
def coverage(stacks, title="", columns=4):
    """Fields of stacks of dilated 3x3 layers, all at one scale: blue where a pixel is reached, white where it is not.

    stacks   a list of lists of rates, such as [[1], [1, 2], [1, 2, 4]]; none wider than 241 pixels
    columns  how many in a row

    The cross is the output pixel, the frame its field; the darker the blue, the more ways lead there.
    """
    stacks = [list(rates) for rates in stacks]
    ways = [paths(rates) for rates in stacks]
    widest = max(map(len, ways), default=0)
    if not 1 <= widest <= 241:
        raise ValueError(
            f"A field of {widest} pixels can't be drawn: give one or more stacks whose rates add up to at most 120."
        )
    side, ends = widest + 2 + widest // 12, widest // 2
    columns = min(columns, len(stacks))
    rows, cell = -(-len(stacks) // columns), min(3.0, (WIDTH - 0.5) / columns - 0.25)
    width = max(columns * (cell + 0.25) + 0.5, 6.4)
    figure = sheet(width, (0.45 if title else 0.05) + rows * (cell + 0.55) + 0.7, title)
    left, said = (width - columns * (cell + 0.25) + 0.25) / 2, []
    for i, (rates, way) in enumerate(zip(stacks, ways)):
        row, column = divmod(i, columns)
        ax = axes_at(figure, left + column * (cell + 0.25), 0.82 + (rows - 1 - row) * (cell + 0.55), cell, cell)
        share = _draw(ax, np.outer(way, way), side)
        ax.set_xticks([-ends, 0, ends] if row == rows - 1 else [])
        ax.set_yticks([-ends, 0, ends] if column == 0 else [])
        ax.tick_params(length=2, pad=2)
        listed = ", ".join(map(str, rates))
        many = "all of it seen" if share == 1 else f"{100 * share:.3g} % seen"
        ax.set_title(f"rate{'s' * (len(rates) != 1)} {listed}\nfield {len(way)}: {many}", fontsize=10)
        said.append(f"rates {listed}: field {len(way)}, {many}")
    note(figure, 0.42, "pixels from the output pixel (+)")
    handles = [
        swatch(BLUE, "seen (darker: by more ways)", edgecolor=None),
        swatch("white", "hole"),
        swatch(PALE, "outside"),
        swatch("none", "field", edgecolor=VERMILLION),
    ]
    figure.legend(handles=handles, ncols=4, **FOOT)
    figure.alt = f"{title or 'Fields of dilated stacks'}. {'; '.join(said)}."
    return figure


def _draw(ax, ways, side):
    """One field in the middle of side x side pixels; the share of it that is seen."""
    wide = len(ways)
    picture = np.ones((side, side, 3)) * PALE
    depth = 0.35 + 0.65 * np.log1p(ways) / math.log1p(ways.max())
    field = np.where((ways > 0)[..., None], 1 - depth[..., None] * (1 - np.array(BLUE)), 1.0)
    start = (side - wide) // 2
    picture[start : start + wide, start : start + wide] = field
    low, high = -start - wide // 2 - 0.5, side - start - wide // 2 - 0.5
    ax.imshow(picture, interpolation="nearest", extent=(low, high, high, low))
    frame(ax, -wide / 2, -wide / 2, wide, wide, VERMILLION, 1.5)
    ax.plot(0, 0, "+", color=VERMILLION, markersize=6, markeredgewidth=1.5)
    ax.set(xlim=(low, high), ylim=(high, low))
    ax.spines[:].set(visible=True, color=GREY, linewidth=0.6)
    return float(np.mean(ways > 0))
