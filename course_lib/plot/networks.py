"""Diagrams of networks: their stages as blocks, with the shapes that were measured on the network itself."""

import math
from typing import NamedTuple

from matplotlib.patches import FancyArrowPatch, Polygon, Rectangle

from course_lib import models
from course_lib.labels import BLUE, GREEN, ORANGE, PURPLE, VERMILLION
from course_lib.models.shapes import image_channels

from .canvas import WIDTH, axes_at, picture, sheet
from .inks import DARK, FOOT, GREY, swatch

KINDS = {"input": GREY, "encoder": BLUE, "bottleneck": PURPLE, "decoder": GREEN, "head": ORANGE}
LABEL = 1.2  # inches that a stage's label takes
LINE = {"color": (0.4,) * 3, "linewidth": 1.1, "zorder": 2}
ARROW = {**LINE, "arrowstyle": "-|>", "mutation_scale": 9, "shrinkA": 0, "shrinkB": 0}


@picture
def shape_flow(net, size=128, title=""):
    """A network as blocks, one a stage: height as sqrt(H), width as sqrt(C), each with C × H × W and its parameters.

    net    a module; with `.stages` ((name, module) pairs in data-flow order) or, without, traced by its children
    size   side of the input in pixels, or (H, W)
    title  by default the network's name, its shapes, parameters and the memory of its stages' outputs

    Going down the map shrinks, going up it grows; an arrow across is a skip.
    """
    height, width = (size, size) if isinstance(size, int) else size
    shape = (1, image_channels(net), height, width)
    stages = models.trace(net, shape)
    memory = _megabytes(models.activation_bytes(net, shape))
    title = title or (
        f"{type(net).__name__}: {_shape(stages[0])} → {_shape(stages[-1])},  "
        f"{models.count_parameters(net):,} parameters,  {memory} of stage outputs"
    )
    blocks, wide, high = _place(stages)
    figure = sheet(wide, high + 0.9, title, f"{title}. " + "; ".join(f"{s.name}: {_shape(s)}" for s in stages) + ".")
    ax = axes_at(figure, 0, 0.4, wide, high, xlim=(0, wide), ylim=(0, high))
    ax.set_axis_off()
    for block in blocks:
        _box(ax, block)
        _label(ax, block)
    for one, after in zip(blocks, blocks[1:]):
        _step(ax, one, after)
    skips = {name: getattr(module, "skip", None) for name, module in getattr(net, "stages", [])}
    for block in blocks:
        kind = skips.get(block.stage.name)
        if kind in ("concat", "add"):
            _skip(ax, _partner(blocks, block), block, kind)
    kinds = dict.fromkeys(s.kind for s in stages)
    handles = [swatch(KINDS[kind], kind, edgecolor=None) for kind in kinds]
    scale = "height of a block: √H      width: √C      under the shape: parameters of the stage"
    figure.legend(handles=handles, ncols=len(kinds), fontsize=9.5, title=scale, title_fontsize=9, **FOOT)
    return figure


def _shape(stage):
    return f"{stage.channels} × {stage.height} × {stage.width}"


def _megabytes(count):
    return f"{count / 2**20:,.1f} MB" if count >= 2**20 / 10 else f"{count / 2**10:,.1f} KB"


def _tint(colour, share):
    """A colour darkened to this share."""
    return tuple(share * c for c in colour)


# --- where the blocks go ------------------------------------------------------------------------------------


class Block(NamedTuple):
    """A stage as it is drawn, in inches: the middle of its front, the front's size, and the side for its label."""

    stage: models.Stage
    x: float
    y: float
    width: float
    height: float
    side: str  # "left", "right", "above" or "below"

    @property
    def depth(self):
        return 0.2 * self.height

    @property
    def start(self):
        """Its left end."""
        return self.x - self.width / 2

    @property
    def end(self):
        """Its right end, depth and all."""
        return self.x + self.width / 2 + self.depth

    @property
    def roof(self):
        """Its upper end, depth and all."""
        return self.y + 0.6 * self.height


def _place(stages):
    """The stages as blocks: (blocks, the drawing's width, its height)."""
    levels = [round(math.log2(stages[0].height / s.height)) for s in stages]  # how often the map was halved
    levels = [level - min(levels) for level in levels]
    around = zip([math.nan, *levels], levels, [*levels[1:], math.nan])
    sides = [_free_side(*three) for three in around]
    tall = 0.6 + 0.12 * math.log2(max(stages[0].height, 16) / 16)
    heights = [max(tall * math.sqrt(s.height / stages[0].height), 0.08) for s in stages]
    most = max(*(s.channels for s in stages), 256)
    for scale in (0.75, 0.6, 0.45):  # thinner blocks for a deep network, so that it stays one page wide
        widths = [max(scale * math.sqrt(s.channels / most), 0.05) for s in stages]
        x, wide = _across(widths, heights, levels, sides)
        if wide <= WIDTH:
            break
    slack = max(0.0, WIDTH - wide) / max(len(x) - 1, 1)
    x = [place + i * slack for i, place in enumerate(x)]
    y, high = _down(heights, levels, sides)
    blocks = [Block(*of_one) for of_one in zip(stages, x, y, widths, heights, sides)]
    return blocks, max(wide, WIDTH), high


def _free_side(before, level, after):
    """Which side of a block is free for its label, by its level and its neighbours' (NaN: none): the U's outside."""
    if level == 0:
        return "above"
    if level in (before, after):  # below, but not where an arrow comes up from the left
        return "above" if before > level else "below"
    if before < level < after:
        return "left"
    return "right" if before > level else "below"


def _across(widths, heights, levels, sides):
    """The blocks' x, close together, and how wide that is: a label fits between two on one level, else an arrow."""
    x = [LABEL / 2 + 0.05]
    for i in range(1, len(widths)):
        beside = (widths[i - 1] + widths[i]) / 2 + 0.2 * heights[i - 1] + 0.2
        x.append(x[-1] + (LABEL if levels[i] == levels[i - 1] else beside))
    left = [place - w / 2 - LABEL for place, w, side in zip(x, widths, sides) if side == "left"]
    start = max(0.0, -min(left, default=0))
    ends = [place + w / 2 + 0.2 * h + LABEL for place, w, h, side in zip(x, widths, heights, sides) if side == "right"]
    return [place + start for place in x], start + max(x[-1] + LABEL / 2 + 0.15, *ends, 0)


def _down(heights, levels, sides):
    """The blocks' y, upwards, and the height of all levels: each is as high as its highest block or label."""
    middle, top = {}, 0.0
    for level in sorted(set(levels)):
        highest = max(h for h, its in zip(heights, levels) if its == level)
        labels = {side for side, its in zip(sides, levels) if its == level}
        extent = max(highest * 1.12, 0.5 if labels & {"left", "right"} else 0)
        top += 0.55 * ("above" in labels)
        middle[level] = top + extent / 2
        top += extent + 0.55 * ("below" in labels) + 0.1
    return [top - middle[level] for level in levels], top


def _partner(blocks, up):
    """Where a skip to this block comes from: the last encoder stage of its own size."""
    same = [b for b in blocks if b.stage.kind == "encoder" and b.stage[2:4] == up.stage[2:4]]
    return same[-1]


# --- what is drawn of them ----------------------------------------------------------------------------------


def _box(ax, block):
    """A box: its front's height stands for H, its width for C, its depth for W."""
    left, right, z = block.start, block.x + block.width / 2, block.depth
    low, high = block.y - block.height / 2, block.y + block.height / 2
    colour = KINDS[block.stage.kind]
    light = tuple(0.55 + 0.45 * c for c in colour)
    top = [(left, high), (left + z, high + z / 2), (right + z, high + z / 2), (right, high)]
    side = [(right, low), (right + z, low + z / 2), (right + z, high + z / 2), (right, high)]
    edge = {"edgecolor": "white", "linewidth": 0.6, "joinstyle": "round", "zorder": 3}
    ax.add_patch(Polygon(top, facecolor=light, **edge))
    ax.add_patch(Polygon(side, facecolor=_tint(colour, 0.7), **edge))
    ax.add_patch(Rectangle((left, low), block.width, block.height, facecolor=colour, **edge))


def _label(ax, block):
    """Name, shape and parameters, on the side of the block that is free."""
    stage = block.stage
    lines = [
        (stage.name, {"fontsize": 9, "color": _tint(KINDS[stage.kind], 0.75)}),
        (_shape(stage), {"fontsize": 9.5, "weight": "bold"}),
    ]
    if stage.parameters:
        lines.append((f"{stage.parameters:,}", {"fontsize": 9, "color": DARK}))
    half = 0.08 * (len(lines) - 1)
    x, y, align = {
        "left": (block.start - 0.1, block.y + half, "right"),
        "right": (block.end + 0.1, block.y + half, "left"),
        "above": (block.x + block.depth / 2, block.roof + 0.1 + 2 * half, "center"),
        "below": (block.x, block.y - block.height / 2 - 0.12, "center"),
    }[block.side]
    for i, (line, style) in enumerate(lines):
        ax.text(x, y - 0.16 * i, line, ha=align, va="center", **style)


def _step(ax, a, b):
    """The arrow from one block to the next: straight on one level, round a corner where the size changes."""
    if a.y == b.y:
        ax.add_patch(FancyArrowPatch((a.end + 0.04, a.y), (b.start - 0.04, b.y), **ARROW))
        return
    falls = b.y < a.y
    upper, lower = (a, b) if falls else (b, a)
    # It stands over the lower block: over its middle, or, where that is the lowest of all, it comes in on the left of
    # the middle and leaves on the right.
    aside = max(0.3 * lower.width, 0.1) if lower.side == "below" else 0
    x, y = lower.x + lower.depth / 2 + (-aside if falls else aside), upper.y - 0.22 * upper.height
    foot = (x, lower.roof + 0.02)
    if falls:
        start, end, text = (upper.end + 0.03, y), foot, f"÷ {round(a.stage.height / b.stage.height)}"
    else:
        start, end, text = foot, (upper.start - 0.04, y), f"× {round(b.stage.height / a.stage.height)}"
    ax.plot(*zip(start, (x, y)), **LINE)
    ax.add_patch(FancyArrowPatch((x, y), end, **ARROW))
    shift, align = (0.06, "left") if falls == (not aside) else (-0.06, "right")
    ax.text(x + shift, (y + lower.roof) / 2 + 0.02, text, fontsize=9, va="center", ha=align, color=DARK)


def _skip(ax, a, b, kind):
    """The arrow across, with what the skip does written on it."""
    start, end, y = a.end + 0.04, b.start - 0.04, a.y + a.depth
    style = {**ARROW, "color": VERMILLION, "linewidth": 1.8, "mutation_scale": 12}
    ax.add_patch(FancyArrowPatch((start, y), (end, y), **style))
    ax.text((start + end) / 2, y + 0.03, kind, ha="center", va="bottom", fontsize=9, color=_tint(VERMILLION, 0.8))
