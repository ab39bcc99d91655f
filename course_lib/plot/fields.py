"""Diagrams of convolutions: what an output pixel sees, which pixels a kernel reads, how often one is painted."""

import math

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.patches import FancyArrowPatch

from course_lib.labels import BLUE, ORANGE, VERMILLION
from course_lib.models.fields import box, check_layers, influence

from .canvas import WIDTH, axes_at, frame, picture, sheet
from .inks import DARK, GREY, INK, PALE, swatch
from .inputs import numbers

SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


# --- receptive field ----------------------------------------------------------------------------------------


@picture
def field(layers_or_net, size=None, title=""):
    """The receptive field of the centre output pixel, by gradient: which input pixels it depends on, and how much.

    layers_or_net  [(kernel, stride, dilation), …], drawn with equal positive weights and no padding; or a network,
                   in eval mode on random input, its logits summed over the classes
    size           side of the input that is drawn, in pixels; a list's field is drawn whole without it, a network
                   takes 256
    title          by default what the field is of, its size, and the share of it that is seen

    The figure's `.field` is the measured (height, width); a field that reaches the drawing's edge may be larger.
    Theoretical field and its effective weight: Luo et al., "Understanding the Effective Receptive Field" (2016).
    """
    is_net = hasattr(layers_or_net, "parameters")
    given = layers_or_net if is_net else check_layers(layers_or_net)
    gradient = influence(given, size)
    top, left, high, wide = box(gradient)
    what = type(given).__name__ if is_net else f"{len(given)} layer{'s' * (len(given) > 1)}"
    cut = is_net and (high == gradient.shape[0] or wide == gradient.shape[1])
    measured = f"{'at least ' if cut else ''}{high} × {wide} pixels"
    reached = np.mean(gradient[top : top + high, left : left + wide] > 0)
    title = title or f"Receptive field of {what}: {measured}, {100 * reached:.3g} % of them seen"
    figure = sheet(WIDTH, 4.75, title)
    figure.field = (high, wide)
    _draw_field(figure, gradient, 0.65, 0.6, 3.4)

    filled = np.flatnonzero(gradient.any(1))  # a gridded field may leave the middle row itself empty
    row = gradient[filled[np.argmin(np.abs(filled - (top + (high - 1) / 2)))]]
    ax = axes_at(figure, 5.75, 0.6, 3.5, 3.4)
    ax.axvspan(left - 0.5, left + wide - 0.5, color=PALE, zorder=0)
    ax.bar(np.arange(len(row)), row / row.max(), width=1.0 if len(row) > 60 else 0.8, color=BLUE)
    ax.set(xlabel="input column (px)", ylabel="share of the largest gradient")
    ax.set(xlim=(-0.5, len(row) - 0.5), ylim=(0, 1.05))
    ax.set_title("along the middle row (shaded: the field)")
    ax.xaxis.get_major_locator().set_params(integer=True)
    return figure


def _draw_field(figure, gradient, left, bottom, side):
    """The map with its box and colour bar, at a place in inches."""
    share = gradient / gradient.max()
    decades = max(1, min(8, math.ceil(-math.log10(share[share > 0].min()))))
    low = 10.0**-decades
    ax = axes_at(figure, left, bottom, side, side)
    shown = np.where(share > 0, share.clip(low), np.nan)
    ax.imshow(shown, norm=LogNorm(low, 1), cmap="viridis", interpolation="nearest")
    y, x, high, wide = box(gradient)
    frame(ax, x - 0.5, y - 0.5, wide, high, VERMILLION, 2, clip_on=False)
    ax.set(xlabel="input column (px)", ylabel="input row (px)", title=f"gradient (white: none), box {high} × {wide}")
    for axis in (ax.xaxis, ax.yaxis):
        axis.get_major_locator().set_params(integer=True)
    ax.spines[:].set(visible=True, color=GREY)

    bar = axes_at(figure, left + side + 0.1, bottom, 0.14, side)  # matplotlib's own colour bar takes four times as long
    ramp = np.linspace(0, 1, 128)[:, None]
    bar.imshow(ramp, cmap="viridis", aspect="auto", origin="lower", extent=(0, 1, -decades, 0))
    ticks = range(-decades, 1, 2 if decades > 5 else 1)
    bar.set_yticks(ticks, [f"{10.0**k:g}" if k > -3 else "10" + str(k).translate(SUPERSCRIPT) for k in ticks])
    bar.set(xticks=[], ylabel="share of the largest")
    bar.yaxis.tick_right()
    bar.yaxis.set_label_position("right")


# --- one convolution ----------------------------------------------------------------------------------------


@picture
def taps(kernel=3, stride=1, dilation=1, layers=0, title=""):
    """Which input pixels two neighbouring output pixels read; with `layers`, also the field of that many such layers.

    kernel, stride, dilation  whole numbers, at least 1
    layers                    0 draws the taps alone
    title                     by default the numbers, and what follows from them

    The kernel spans dilation * (kernel - 1) + 1 pixels; the next output pixel reads `stride` pixels further on.
    """
    ((kernel, stride, dilation),) = check_layers([(kernel, stride, dilation)])
    span = dilation * (kernel - 1) + 1
    text = f"kernel {kernel}, dilation {dilation}: spans {dilation}·({kernel}−1)+1 = {span} pixels;  stride {stride}"
    text = title or text
    if not layers:
        figure = sheet(5.6, 5.1, text)
    else:
        gradient = influence([(kernel, stride, dilation)] * layers)
        _, _, high, wide = box(gradient)
        figure = sheet(WIDTH, 5.1, f"{text};  field of {layers}: {wide} × {high}")
        figure.field = (high, wide)
    _draw_taps(figure, kernel, stride, dilation, span)
    if layers:
        _draw_field(figure, gradient, 5.5, 1.05, 3.2)
    return figure


def _draw_taps(figure, kernel, stride, dilation, span):
    """A grid of input pixels with the taps of two neighbouring output pixels, the kernel's span and the stride."""
    cell = min(4.1 / (span + stride + 2), 3.6 / (span + 2))
    margin = max(1, math.ceil(0.3 / cell))  # room for the two arrows
    columns, rows = span + stride + 2 * margin, span + 2 * margin
    cell = min(4.1 / columns, 3.6 / rows)
    wide, high = cell * columns, cell * rows
    low, right, bottom = -margin - 0.5, columns - margin - 0.5, rows - margin - 0.5
    ax = axes_at(figure, 0.65 + (4.1 - wide) / 2, 0.85 + (3.6 - high) / 2, wide, high, facecolor=PALE)
    ax.set(xlim=(low, right), ylim=(bottom, low), xlabel="input column", ylabel="input row")
    ax.set_title("what two neighbouring output pixels read")
    ax.spines[:].set(visible=True, color=GREY)
    grid = {"color": "white", "linewidth": min(1.2, 8 * cell), "zorder": 1}
    ax.vlines(np.arange(low, right), low, bottom, **grid)
    ax.hlines(np.arange(low, bottom), low, right, **grid)

    y, x = (axis.ravel() for axis in np.meshgrid(*[dilation * np.arange(kernel)] * 2))
    dot = 72 * cell  # a pixel's side in points
    rim = {"edgecolors": "white", "linewidths": min(1, dot / 12)}
    ax.scatter(x, y, s=(0.94 * dot) ** 2, marker="s", color=BLUE, linewidths=0, zorder=2)
    ax.scatter(x + stride, y, s=max(0.55 * dot, 3) ** 2, color=ORANGE, zorder=3, **rim)
    frame(ax, -0.5, -0.5, span, span, BLUE, 1.8, linestyle="-", zorder=4)
    frame(ax, stride - 0.5, -0.5, span, span, ORANGE, 1.8, linestyle="--", zorder=4)

    arrow = {"shrinkA": 0, "shrinkB": 0, "mutation_scale": 8, "linewidth": 1.2, "zorder": 5}
    above, below = -margin / 2 - 0.5, span - 1 + margin / 2 + 0.5
    ax.add_patch(FancyArrowPatch((-0.5, above), (stride - 0.5, above), arrowstyle="-|>", color=DARK, **arrow))
    ax.text(stride - 0.5 + 0.06 / cell, above, f"stride {stride}", va="center", fontsize=9)
    ax.add_patch(FancyArrowPatch((-0.5, below), (span - 0.5, below), arrowstyle="<|-|>", color=BLUE, **arrow))
    paper = {"facecolor": PALE, "edgecolor": "none", "pad": 1}
    style = {"ha": "center", "va": "center", "fontsize": 9, "color": BLUE, "zorder": 6}
    ax.text((span - 1) / 2, below, f"span {span}", bbox=paper, **style)

    step = max(1, columns // 10)
    ax.set_xticks(range(0, math.ceil(right), step))
    ax.set_yticks(range(0, math.ceil(bottom), step))
    (circle,) = ax.plot([], [], "o", color=ORANGE, markersize=8, label="the next one")
    handles = [swatch(BLUE, "one output pixel", edgecolor=None), circle]
    corner = (0.6 / figure.get_figwidth(), 0)
    figure.legend(handles=handles, loc="lower left", bbox_to_anchor=corner, ncols=2, frameon=False, handlelength=1.3)


@picture
def overlap(counts, kernel=None, stride=None, title=""):
    """How many input pixels paint each output pixel of a transposed convolution: bars in 1-D, a map in 2-D.

    counts          (N,) or (H, W) whole numbers
    kernel, stride  where both are given, (max - min) / mean away from the rim is stated
    title           before that statement

    After Odena, Dumoulin, Olah, "Deconvolution and Checkerboard Artifacts" (Distill, 2016).
    """
    counts = numbers(counts)
    if counts.ndim not in (1, 2) or 0 in counts.shape or counts.dtype == object or not np.isfinite(counts).all():
        raise ValueError(
            f"The counts have shape {counts.shape}; give one count an output pixel, as (N,) or (H, W) numbers."
        )
    text = title or "How often each pixel is painted"
    if kernel and stride:
        inner = _inside(counts, kernel, stride)
        text += f":  kernel {kernel}, stride {stride}"
        if inner.size:
            text += f", (max − min) / mean = {(inner.max() - inner.min()) / inner.mean():.2f}"
    figure = (_overlap_bars if counts.ndim == 1 else _overlap_map)(counts, int(np.ceil(counts.max())), text)
    figure.alt = f"{text}: between {counts.min():g} and {counts.max():g}."
    return figure


def _overlap_bars(counts, top, title):
    figure = sheet(7.5, 3.0, title)
    ax = axes_at(figure, 0.65, 0.6, 6.6, 1.9)
    bars = ax.bar(np.arange(len(counts)), counts, color=[_depth(c, top)[0] for c in counts], edgecolor=BLUE)
    if len(counts) <= 40:
        ax.bar_label(bars, [f"{c:g}" for c in counts], fontsize=9, padding=1)
    ax.set(xlabel="output pixel", ylabel="times painted", xlim=(-0.7, len(counts) - 0.3), ylim=(0, top * 1.2 or 1))
    ax.yaxis.get_major_locator().set_params(integer=True)
    return figure


def _overlap_map(counts, top, title):
    rows, columns = counts.shape
    cell = min(5.2 / columns, 4.6 / rows)
    wide, high = cell * columns, cell * rows
    figure = sheet(max(wide + 1.9, 7.2), high + 1.15, title)
    ax = axes_at(figure, (figure.get_figwidth() - wide) / 2, 0.6, wide, high)
    ax.imshow(np.array([[_depth(c, top)[0] for c in row] for row in counts]), interpolation="nearest")
    if cell > 0.2:
        for (y, x), c in np.ndenumerate(counts):
            ax.text(x, y, f"{c:g}", ha="center", va="center", fontsize=9, color=_depth(c, top)[1])
    ax.set(xlabel="output column", ylabel="output row", xlim=(-0.5, columns - 0.5))
    handles = [swatch(_depth(c, top)[0], f"{c:g}") for c in np.unique(counts)[:8]]
    place = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "frameon": False}
    ax.legend(handles=handles, title="times painted", handlelength=1.2, fontsize=9, **place)
    return figure


def _inside(counts, kernel, stride):
    """Whole periods of the counts away from the rim, where every input pixel that could paint them is there."""
    rim = max(kernel - stride, 0)
    whole = [max(n - 2 * rim, 0) // stride * stride for n in counts.shape]
    return counts[tuple(slice(rim, rim + n) for n in whole)]


def _depth(count, top):
    """A blue as deep as the count is large, and an ink that reads on it."""
    t = 0.08 + 0.92 * count / max(top, 1)
    return tuple(1 - t * (1 - c) for c in BLUE), INK if t < 0.55 else "white"
