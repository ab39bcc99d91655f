"""Diagrams of networks and convolutions: the flow of shapes, the receptive field, taps, overlap. Lessons call them
as plot.shape_flow and so on. What a diagram states about a network it measures on that network.
"""

import math

import numpy as np
from matplotlib.patches import FancyArrowPatch, Patch, Polygon, Rectangle

from .canvas import (
    BLUE,
    DARK,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    PURPLE,
    VERMILLION,
    WIDTH,
    axes_at,
    numbers,
    picture,
    sheet,
)

KINDS = {"input": GREY, "encoder": BLUE, "bottleneck": PURPLE, "decoder": GREEN, "head": ORANGE}
LABEL = 1.2  # inches that a stage's label takes
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
INPUTS = 2  # random images whose gradients a network's field is the mean of


# ---- the flow of shapes ------------------------------------------------------------------------------------------


@picture
def shape_flow(net, size=128, title=""):
    """A network as blocks, one a stage: height as sqrt(H), width as sqrt(C), each with C × H × W and its parameters.

    net   a module; with `.stages` ((name, module) pairs in data-flow order) or, without, traced by its children
    size  side of the input in pixels, or (H, W)
    Going down the map shrinks, going up it grows; an arrow across is a skip.
    """
    from course_lib import models

    height, width = (size, size) if isinstance(size, int) else size
    convs = [m for m in net.modules() if hasattr(m, "in_channels") and hasattr(m, "kernel_size")]
    channels = convs[0].in_channels if convs else 3
    stages = models.trace(net, (1, channels, height, width))
    skips = {name: getattr(module, "skip", None) for name, module in getattr(net, "stages", [])}
    memory = models.activation_bytes(net, (1, channels, height, width))
    first, last = stages[0], stages[-1]
    title = title or (
        f"{type(net).__name__}: {_shape(first)} → {_shape(last)},  {models.count_parameters(net):,} parameters,  "
        f"{_megabytes(memory)} of stage outputs"
    )
    blocks, wide, high = _place(stages)
    figure = sheet(wide, high + 0.9, title, f"{title}. " + "; ".join(f"{s.name}: {_shape(s)}" for s in stages) + ".")
    ax = axes_at(figure, 0, 0.4, wide, high, xlim=(0, wide), ylim=(0, high))
    ax.set_axis_off()
    for block, stage in zip(blocks, stages):
        _block(ax, *block[:4], KINDS[stage.kind])
        _label(ax, block, stage)
    for (a, s), (b, t) in zip(zip(blocks, stages), zip(blocks[1:], stages[1:])):
        _step(ax, a, b, s, t)
    for up, stage in zip(blocks, stages):
        if skips.get(stage.name) in ("concat", "add"):  # from the last encoder stage of its own size
            down = [block for block, s in zip(blocks, stages) if s.kind == "encoder" and s[2:4] == stage[2:4]]
            _skip(ax, down[-1], up, skips[stage.name])
    kinds = dict.fromkeys(s.kind for s in stages)
    handles = [Patch(facecolor=KINDS[kind], label=kind) for kind in kinds]
    figure.legend(
        handles=handles,
        loc="lower center",
        ncols=len(kinds),
        frameon=False,
        handlelength=1.3,
        fontsize=9.5,
        title="height of a block: √H      width: √C      under the shape: parameters of the stage",
        title_fontsize=9,
    )
    return figure


def _shape(stage):
    return f"{stage.channels} × {stage.height} × {stage.width}"


def _megabytes(count):
    return f"{count / 2**20:,.1f} MB" if count >= 2**20 / 10 else f"{count / 2**10:,.1f} KB"


def _place(stages):
    """Where each block goes: a list of (x, y, width, height, label side), and the drawing's size, all in inches."""
    levels = [round(math.log2(stages[0].height / s.height)) for s in stages]
    levels = [level - min(levels) for level in levels]
    sides = [_side(levels, i) for i in range(len(stages))]
    most = max(*(s.channels for s in stages), 256)
    tall = 0.6 + 0.12 * math.log2(max(stages[0].height, 16) / 16)
    h = [max(tall * math.sqrt(s.height / stages[0].height), 0.08) for s in stages]
    for scale in (0.75, 0.6, 0.45):  # thinner blocks for a deep network, so that it stays one page wide
        w = [max(scale * math.sqrt(s.channels / most), 0.05) for s in stages]
        x, wide = _across(w, h, levels, sides)
        if wide <= WIDTH:
            break
    slack = max(0.0, WIDTH - wide) / max(len(x) - 1, 1)
    x = [place + i * slack for i, place in enumerate(x)]

    y, top = {}, 0.0  # rows as high as their highest block or label
    for level in sorted(set(levels)):
        here = [i for i in range(len(stages)) if levels[i] == level]
        extent = max(max(h[i] * 1.12 for i in here), 0.5 if any(sides[i] in ("left", "right") for i in here) else 0)
        top += 0.55 * any(sides[i] == "above" for i in here)
        y[level] = top + extent / 2
        top += extent + 0.55 * any(sides[i] == "below" for i in here) + 0.1
    return [(x[i], top - y[levels[i]], w[i], h[i], sides[i]) for i in range(len(stages))], max(wide, WIDTH), top


def _across(w, h, levels, sides):
    """The blocks' x, close together: neighbours on one level leave room for labels, the others for an arrow."""
    x = [LABEL / 2 + 0.05]
    for i in range(1, len(w)):
        apart = LABEL if levels[i] == levels[i - 1] else (w[i - 1] + w[i]) / 2 + 0.2 * h[i - 1] + 0.2
        x.append(x[-1] + apart)
    start = max(0.0, -min((x[i] - w[i] / 2 - LABEL for i in range(len(x)) if sides[i] == "left"), default=0))
    ends = [x[i] + w[i] / 2 + 0.2 * h[i] + LABEL for i in range(len(x)) if sides[i] == "right"]
    return [place + start for place in x], start + max(x[-1] + LABEL / 2 + 0.15, *ends, 0)


def _side(levels, i):
    """Which side of a block is free for its label: the outside of the U."""
    before, after = (levels[i - 1] if i else None), (levels[i + 1] if i + 1 < len(levels) else None)
    if levels[i] == 0:
        return "above"
    if levels[i] in (before, after):  # below, but not where an arrow comes up from the left
        return "above" if before is not None and before > levels[i] else "below"
    if before is not None and before < levels[i] and after is not None and after > levels[i]:
        return "left"
    if before is not None and before > levels[i]:
        return "right"
    return "below"


def _block(ax, x, y, w, h, colour):
    """A box with its front at (x, y): the front's height stands for H, its width for C, its depth for W."""
    z = 0.2 * h
    left, right, low, high = x - w / 2, x + w / 2, y - h / 2, y + h / 2
    light, dark = tuple(0.55 + 0.45 * c for c in colour), tuple(0.7 * c for c in colour)
    top = [(left, high), (left + z, high + z / 2), (right + z, high + z / 2), (right, high)]
    side = [(right, low), (right + z, low + z / 2), (right + z, high + z / 2), (right, high)]
    edge = {"edgecolor": "white", "linewidth": 0.6, "joinstyle": "round", "zorder": 3}
    ax.add_patch(Polygon(top, facecolor=light, **edge))
    ax.add_patch(Polygon(side, facecolor=dark, **edge))
    ax.add_patch(Rectangle((left, low), w, h, facecolor=colour, **edge))


def _label(ax, block, stage):
    """Name, shape and parameters, on the side of the block that is free."""
    x, y, w, h, side = block
    lines = [stage.name, _shape(stage)] + ([f"{stage.parameters:,}"] if stage.parameters else [])
    half = 0.08 * (len(lines) - 1)
    x, y, align = {
        "left": (x - w / 2 - 0.1, y + half, "right"),
        "right": (x + w / 2 + 0.2 * h + 0.1, y + half, "left"),
        "above": (x + 0.1 * h, y + 0.6 * h + 0.1 + 2 * half, "center"),
        "below": (x, y - h / 2 - 0.12, "center"),
    }[side]
    styles = (
        {"fontsize": 9, "color": tuple(0.75 * c for c in KINDS[stage.kind])},
        {"fontsize": 9.5, "weight": "bold"},
        {"fontsize": 9, "color": DARK},
    )
    for i, (line, style) in enumerate(zip(lines, styles)):
        ax.text(x, y - 0.16 * i, line, ha=align, va="center", **style)


ARROW = {
    "arrowstyle": "-|>",
    "mutation_scale": 9,
    "linewidth": 1.1,
    "color": (0.4,) * 3,
    "zorder": 2,
    "shrinkA": 0,
    "shrinkB": 0,
}


def _step(ax, start, end, s, t):
    """The arrow from one stage to the next: straight on one level, round a corner where the size changes."""
    (x0, y0, w0, h0, side0), (x1, y1, w1, h1, side1) = start, end
    if y0 == y1:
        ax.add_patch(FancyArrowPatch((x0 + w0 / 2 + 0.2 * h0 + 0.04, y0), (x1 - w1 / 2 - 0.04, y0), **ARROW))
        return
    down = y1 < y0
    x, y, w, h, side = end if down else start  # the lower block: the arrow runs over its middle, or,
    apart = max(0.3 * w, 0.1) if side == "below" else 0  # where it is the lowest, comes in left and leaves right
    corner = x + 0.1 * h - apart if down else x + 0.1 * h + apart
    level = y0 - 0.22 * h0 if down else y1 - 0.22 * h1
    path = (
        [(x0 + w0 / 2 + 0.2 * h0 + 0.03, level), (corner, level), (corner, y1 + 0.6 * h1 + 0.02)]
        if down
        else [(corner, y0 + 0.6 * h0 + 0.02), (corner, level), (x1 - w1 / 2 - 0.04, level)]
    )
    ax.plot(*zip(*path[:2]), color=ARROW["color"], linewidth=1.1, zorder=2)
    ax.add_patch(FancyArrowPatch(*path[1:], **ARROW))
    right = down == (not apart)
    text = f"÷ {round(s.height / t.height)}" if down else f"× {round(t.height / s.height)}"
    ax.text(
        corner + (0.06 if right else -0.06),
        (level + y + 0.6 * h) / 2 + 0.02,
        text,
        fontsize=9,
        va="center",
        ha="left" if right else "right",
        color=DARK,
    )


def _skip(ax, a, b, kind):
    start, end = a[0] + a[2] / 2 + 0.2 * a[3] + 0.04, b[0] - b[2] / 2 - 0.04
    y = a[1] + 0.2 * a[3]
    ax.add_patch(
        FancyArrowPatch((start, y), (end, y), **{**ARROW, "color": VERMILLION, "linewidth": 1.8, "mutation_scale": 12})
    )
    ax.text(
        (start + end) / 2,
        y + 0.03,
        kind,
        ha="center",
        va="bottom",
        fontsize=9,
        color=tuple(0.8 * c for c in VERMILLION),
    )


# ---- receptive field ---------------------------------------------------------------------------------------------


@picture
def field(layers_or_net, size=None, title=""):
    """The receptive field of the centre output pixel, by gradient: which input pixels it depends on, and how much.

    layers_or_net  [(kernel, stride, dilation), …], drawn with equal positive weights and no padding; or a network,
                   in eval mode on random input, its logits summed over the classes
    size           side of the input that is drawn, in pixels; a list's field is drawn whole without it, a network takes 256
    The figure's `.field` is the measured (height, width); a field that reaches the drawing's edge may be larger.
    Theoretical field and its effective weight: Luo et al., "Understanding the Effective Receptive Field" (2016).
    """
    gradient, what, limit = _gradient(layers_or_net, size)
    top, left, high, wide = _box(gradient)
    reached = np.mean(gradient[top : top + high, left : left + wide] > 0)
    edge = "at least " if limit and (high == gradient.shape[0] or wide == gradient.shape[1]) else ""
    text = title or f"Receptive field of {what}: {edge}{high} × {wide} pixels, {100 * reached:.3g} % of them seen"
    figure = sheet(WIDTH, 4.75, text)
    figure.field = (high, wide)
    _draw_field(figure, gradient, 0.65, 0.6, 3.4)

    filled = np.flatnonzero(gradient.any(1))  # a gridded field may leave the middle row itself empty
    row = gradient[filled[np.argmin(np.abs(filled - (top + (high - 1) / 2)))]]
    ax = axes_at(figure, 5.75, 0.6, 3.5, 3.4)
    ax.axvspan(left - 0.5, left + wide - 0.5, color=PALE, zorder=0)
    ax.bar(np.arange(len(row)), row / row.max(), width=1.0 if len(row) > 60 else 0.8, color=BLUE)
    ax.set(
        xlim=(-0.5, len(row) - 0.5),
        ylim=(0, 1.05),
        xlabel="input column (px)",
        ylabel="share of the largest gradient",
        title="along the middle row (shaded: the field)",
    )
    ax.xaxis.get_major_locator().set_params(integer=True)
    return figure


def _draw_field(figure, gradient, left, bottom, side):
    """The map with its box and colour bar, at a place in inches."""
    from matplotlib.colors import LogNorm

    share = gradient / gradient.max()
    decades = max(1, min(8, math.ceil(-math.log10(share[share > 0].min()))))
    low = 10.0**-decades
    ax = axes_at(figure, left, bottom, side, side)
    ax.imshow(
        np.where(share > 0, share.clip(low), np.nan), norm=LogNorm(low, 1), cmap="viridis", interpolation="nearest"
    )
    y, x, high, wide = _box(gradient)
    ax.add_patch(
        Rectangle((x - 0.5, y - 0.5), wide, high, fill=False, edgecolor=VERMILLION, linewidth=2, clip_on=False)
    )
    ax.set(xlabel="input column (px)", ylabel="input row (px)", title=f"gradient (white: none), box {high} × {wide}")
    for axis in (ax.xaxis, ax.yaxis):
        axis.get_major_locator().set_params(integer=True)
    ax.spines[:].set(visible=True, color=GREY)
    bar = axes_at(figure, left + side + 0.1, bottom, 0.14, side)  # matplotlib's own colour bar takes four times as long
    bar.imshow(
        np.linspace(0, 1, 128)[:, None], cmap="viridis", aspect="auto", origin="lower", extent=(0, 1, -decades, 0)
    )
    ticks = range(-decades, 1, 2 if decades > 5 else 1)
    bar.set_yticks(ticks, [f"{10.0**k:g}" if k > -3 else "10" + str(k).translate(SUPERSCRIPT) for k in ticks])
    bar.set(xticks=[], ylabel="share of the largest")
    bar.yaxis.tick_right()
    bar.yaxis.set_label_position("right")


def _box(gradient):
    """Top, left, height and width of the smallest box around all that is not zero."""
    rows, columns = np.flatnonzero(gradient.any(1)), np.flatnonzero(gradient.any(0))
    if not len(rows):
        raise ValueError(
            "Every gradient of the centre output is zero: in a very narrow untrained network all ReLUs can be "
            "off there, so give it more channels, or train it first."
        )
    return rows[0], columns[0], rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1


def _gradient(layers_or_net, size):
    """The absolute gradient of the centre output on the input, (H, W); what it is of; whether the size limits it."""
    if hasattr(layers_or_net, "parameters"):
        return _net_gradient(layers_or_net, 256 if size is None else size), type(layers_or_net).__name__, True
    layers = _layers(layers_or_net)
    profile = _stack_gradient(layers)
    wide = len(profile)
    canvas = wide + 2 * max(2, wide // 12) if size is None else size
    if canvas < wide:
        raise ValueError(
            f"The field is {wide} pixels wide and does not fit a size of {size}; leave size out, or give more."
        )
    before = (canvas - wide) // 2
    profile = np.pad(profile, (before, canvas - wide - before))
    # The weights are the same along rows and columns, so the map is the product of its two profiles.
    return np.outer(profile, profile), f"{len(layers)} layer{'s' * (len(layers) > 1)}", False


def _layers(layers):
    layers = [tuple(int(v) for v in layer) for layer in layers]
    for layer in layers:
        if len(layer) != 3 or min(layer) < 1:
            raise ValueError(f"A layer is (kernel, stride, dilation), each at least 1, not {layer}.")
    if not layers:
        raise ValueError("There are no layers; give a list such as [(3, 1, 1), (3, 2, 1)].")
    return layers


def _stack_gradient(layers):
    """What a stack's centre output gives each input pixel, along one axis, cut to what is not zero."""
    import torch
    import torch.nn.functional as F

    size = 64
    while size <= 2**17:
        x = torch.zeros(1, 1, size, dtype=torch.float64, requires_grad=True)
        y = x
        for kernel, stride, dilation in layers:
            if y.shape[-1] <= (kernel - 1) * dilation:
                break
            y = F.conv1d(
                y, torch.full((1, 1, kernel), 1 / kernel, dtype=torch.float64), stride=stride, dilation=dilation
            )
        else:
            y[0, 0, y.shape[-1] // 2].backward()
            seen = torch.nonzero(x.grad[0, 0]).flatten()
            if seen[-1] - seen[0] < 1024:
                return x.grad[0, 0, seen[0] : seen[-1] + 1].numpy()
            break
        size *= 2  # too small for one output pixel
    raise ValueError("The field is wider than 1,024 pixels, too many to draw; take fewer layers, or smaller strides.")


def _net_gradient(net, size):
    import torch

    height, width = (size, size) if isinstance(size, int) else size
    weight = next(net.parameters(), torch.zeros(1))
    channels = next(
        (m.in_channels for m in net.modules() if hasattr(m, "in_channels") and hasattr(m, "kernel_size")), 3
    )
    modes = [(m, m.training) for m in net.modules()]
    net.eval()  # batch normalisation in training mode would tie every pixel to every other
    try:
        with torch.enable_grad():
            noise = torch.randn(INPUTS, channels, height, width, generator=torch.Generator().manual_seed(0))
            x = noise.to(weight.device, weight.dtype).requires_grad_()
            y = net(x)
            (gradient,) = torch.autograd.grad(y[..., y.shape[-2] // 2, y.shape[-1] // 2].sum(), x)
    finally:
        for module, mode in modes:
            module.training = mode
    return numbers(gradient.abs().mean(dim=(0, 1))).astype(float)


# ---- one convolution ---------------------------------------------------------------------------------------------


@picture
def taps(kernel=3, stride=1, dilation=1, layers=0, title=""):
    """Which input pixels two neighbouring output pixels read; with `layers`, also the field of that many such layers.

    kernel, stride, dilation  whole numbers, at least 1
    layers                    0 draws the taps alone
    The kernel spans dilation * (kernel - 1) + 1 pixels; the next output pixel reads `stride` pixels further on.
    """
    kernel, stride, dilation = _layers([(kernel, stride, dilation)])[0]
    span = dilation * (kernel - 1) + 1
    text = (
        title
        or f"kernel {kernel}, dilation {dilation}: spans {dilation}·({kernel}−1)+1 = {span} pixels;  stride {stride}"
    )
    gradient = _gradient([(kernel, stride, dilation)] * layers, None)[0] if layers else None
    if layers:
        high, wide = _box(gradient)[2:]
        text += f";  field of {layers}: {wide} × {high}"
    figure = sheet(WIDTH if layers else 5.6, 5.1, text)
    _draw_taps(figure, kernel, stride, dilation, span)
    if layers:
        figure.field = (high, wide)
        _draw_field(figure, gradient, 5.5, 1.05, 3.2)
    return figure


def _draw_taps(figure, kernel, stride, dilation, span):
    cell = min(4.1 / (span + stride + 2), 3.6 / (span + 2))
    margin = max(1, math.ceil(0.3 / cell))  # room for the two arrows
    columns, rows = span + stride + 2 * margin, span + 2 * margin
    cell = min(4.1 / columns, 3.6 / rows)
    low, right, bottom = -margin - 0.5, columns - margin - 0.5, rows - margin - 0.5
    ax = axes_at(
        figure,
        0.65 + (4.1 - cell * columns) / 2,
        0.85 + (3.6 - cell * rows) / 2,
        cell * columns,
        cell * rows,
        xlim=(low, right),
        ylim=(bottom, low),
        facecolor=PALE,
    )
    ax.spines[:].set(visible=True, color=GREY)
    line = {"color": "white", "linewidth": min(1.2, 8 * cell), "zorder": 1}
    ax.vlines(np.arange(low, right), low, bottom, **line)
    ax.hlines(np.arange(low, bottom), low, right, **line)
    y, x = (axis.ravel() for axis in np.meshgrid(*[dilation * np.arange(kernel)] * 2))
    dot = 72 * cell  # a pixel's side in points
    ax.scatter(x, y, s=(0.94 * dot) ** 2, marker="s", color=BLUE, linewidths=0, zorder=2)
    ax.scatter(
        x + stride,
        y,
        s=max(0.55 * dot, 3) ** 2,
        color=ORANGE,
        edgecolors="white",
        linewidths=min(1, dot / 12),
        zorder=3,
    )
    for left, colour, style in ((-0.5, BLUE, "-"), (stride - 0.5, ORANGE, "--")):
        ax.add_patch(
            Rectangle((left, -0.5), span, span, fill=False, edgecolor=colour, linewidth=1.8, linestyle=style, zorder=4)
        )
    arrow = {"shrinkA": 0, "shrinkB": 0, "mutation_scale": 8, "linewidth": 1.2, "zorder": 5}
    middle = margin / 2 + 0.5
    ax.add_patch(FancyArrowPatch((-0.5, -middle), (stride - 0.5, -middle), arrowstyle="-|>", color=DARK, **arrow))
    ax.text(stride - 0.5 + 0.06 / cell, -middle, f"stride {stride}", va="center", fontsize=9)
    ax.add_patch(
        FancyArrowPatch(
            (-0.5, span - 1 + middle), (span - 0.5, span - 1 + middle), arrowstyle="<|-|>", color=BLUE, **arrow
        )
    )
    ax.text(
        (span - 1) / 2,
        span - 1 + middle,
        f"span {span}",
        ha="center",
        va="center",
        fontsize=9,
        color=BLUE,
        zorder=6,
        bbox={"facecolor": PALE, "edgecolor": "none", "pad": 1},
    )
    ax.set(xlabel="input column", ylabel="input row", title="what two neighbouring output pixels read")
    step = max(1, columns // 10)
    ax.set_xticks(range(0, math.ceil(right), step))
    ax.set_yticks(range(0, math.ceil(bottom), step))
    handles = [
        Patch(facecolor=BLUE, label="one output pixel"),
        ax.plot([], [], "o", color=ORANGE, markersize=8, label="the next one")[0],
    ]
    figure.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.6 / figure.get_figwidth(), 0),
        ncols=2,
        frameon=False,
        handlelength=1.3,
    )


@picture
def overlap(counts, kernel=None, stride=None, title=""):
    """How many input pixels paint each output pixel of a transposed convolution: bars in 1-D, a map in 2-D.

    counts          (N,) or (H, W) whole numbers
    kernel, stride  where both are given, (max - min) / mean away from the rim is stated
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
        uneven = (inner.max() - inner.min()) / inner.mean() if inner.size else math.nan
        text += f":  kernel {kernel}, stride {stride}" + (f", (max − min) / mean = {uneven:.2f}" if inner.size else "")
    top = int(np.ceil(counts.max()))
    if counts.ndim == 1:
        figure = sheet(7.5, 3.0, text)
        ax = axes_at(figure, 0.65, 0.6, 6.6, 1.9)
        bars = ax.bar(np.arange(len(counts)), counts, color=[_depth(c, top)[0] for c in counts], edgecolor=BLUE)
        if len(counts) <= 40:
            ax.bar_label(bars, [f"{c:g}" for c in counts], fontsize=9, padding=1)
        ax.set(xlabel="output pixel", ylabel="times painted", xlim=(-0.7, len(counts) - 0.3), ylim=(0, top * 1.2 or 1))
        ax.yaxis.get_major_locator().set_params(integer=True)
    else:
        rows, columns = counts.shape
        cell = min(5.2 / columns, 4.6 / rows)
        figure = sheet(max(cell * columns + 1.9, 7.2), cell * rows + 1.15, text)
        ax = axes_at(figure, (figure.get_figwidth() - cell * columns) / 2, 0.6, cell * columns, cell * rows)
        colours = np.array([[_depth(c, top)[0] for c in row] for row in counts])
        ax.imshow(colours, interpolation="nearest")
        if cell > 0.2:
            for (y, x), c in np.ndenumerate(counts):
                ax.text(x, y, f"{c:g}", ha="center", va="center", fontsize=9, color=_depth(c, top)[1])
        ax.set(xlabel="output column", ylabel="output row")
        ax.set_xlim(-0.5, columns - 0.5)
        values = np.unique(counts)[:8]
        ax.legend(
            handles=[Patch(facecolor=_depth(c, top)[0], edgecolor=GREY, label=f"{c:g}") for c in values],
            title="times painted",
            frameon=False,
            loc="upper left",
            bbox_to_anchor=(1.0, 1.0),
            handlelength=1.2,
            fontsize=9,
        )
    figure.alt = f"{text}: between {counts.min():g} and {counts.max():g}."
    return figure


def _inside(counts, kernel, stride):
    """Whole periods of the counts away from the rim, where every input pixel that could paint them is there."""
    rim = max(kernel - stride, 0)
    cut = [
        slice(rim, rim + (n - 2 * rim) // stride * stride) if n - 2 * rim >= stride else slice(0, 0)
        for n in counts.shape
    ]
    return counts[tuple(cut)]


def _depth(count, top):
    """A blue as deep as the count is large, and an ink that reads on it."""
    t = 0.08 + 0.92 * count / max(top, 1)
    return tuple(1 - t * (1 - c) for c in BLUE), INK if t < 0.55 else "white"
