"""Pictures of coarse scores: what a grid of cells can say of an outline, and how cells are enlarged to pixels.

Masks here are of one object: bool (H, W), or integers of which 1 is the object.
"""

import numpy as np
import torch
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patheffects import withStroke

from course_lib import metrics
from course_lib.labels import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION

from .canvas import SERIES, axes_at, note, picture, put, sheet
from .inks import GREY, INK, PALE, ghost
from .inputs import as_image, as_mask, numbers

SCORES = LinearSegmentedColormap.from_list("scores", [BLUE, "white", ORANGE])
TENTS = (ORANGE, SKY, GREEN, PURPLE, VERMILLION, BLUE)
HALO = [withStroke(linewidth=2.6, foreground=INK)]


@picture
def strides(image, truth, answers, box=None, title=""):
    """Answers at several strides side by side, over the picture, with the true outline and the grid of cells.

    image, truth  (3, H, W) and (H, W), as plot takes them; 1 (or True) is the object
    answers       {name of a row: {stride: answer (H, W)}}, with the same strides in each row
    box           the part that is shown, (top, left, bottom, right); all by default

    Above each panel stand the IoU of the whole picture and that of the edges (Boundary IoU, 2 % of the diagonal deep).
    """
    image = as_image(image)
    truth = _object(truth, "truth", image.shape[:2])
    box = top, left, bottom, right = tuple(int(v) for v in box or (0, 0, *truth.shape))
    columns = [*next(iter(answers.values()))]
    if any([*row] != columns for row in answers.values()):
        raise ValueError(f"Each row must have answers at the strides {columns}, in this order.")
    side = 8.2 / (1 + len(columns))
    tall = side * (bottom - top) / (right - left)
    figure = sheet(9.5, 0.5 * bool(title) + len(answers) * (tall + 0.55) + 0.35, title)
    told = []
    for i, (name, row) in enumerate(answers.items()):
        y = 0.35 + (len(answers) - 1 - i) * (tall + 0.55)
        first = axes_at(figure, 0.5, y, side, tall)
        put(first, image, "with its true outline" if i else "the picture")
        if i:
            _outline(first, truth)
        _show(first, box)
        place = (0.25 / 9.5, (y + tall / 2) / figure.get_figheight())
        figure.text(*place, name, rotation=90, ha="center", va="center", fontsize=10)
        for j, (stride, answer) in enumerate(row.items(), 1):
            answer = _object(answer, "answer", truth.shape)
            whole, edges = _ious(answer, truth)
            scores = f"IoU {whole:.2f}, edges {edges:.2f}"
            ax = axes_at(figure, 0.5 + j * (side + 0.12), y, side, tall)
            _answer(ax, image, truth, answer, stride, box, f"stride {stride}\n{scores}")
            told.append(f"{name}, stride {stride}: {scores}")
    key = "orange: called animal      white line: the true outline      thin lines: cells      "
    note(figure, 0.16, f"{key}edges: {metrics.edge_width(truth.shape)} px deep", va="center")
    figure.alt = f"{title or 'Answers at several strides'}. {'; '.join(told)}."
    return figure


@picture
def coarse_scores(image, truth, scores, enlarged, title=""):
    """One score a cell, beside the picture and what the enlarged scores call animal.

    image, truth  (3, H, W) and (H, W); 1 (or True) is the animal
    scores        (h, w), floats: one a cell, above 0 for the animal
    enlarged      (H, W), floats: the same scores, enlarged
    """
    image = as_image(image)
    truth = _object(truth, "truth", image.shape[:2])
    scores, answer = numbers(scores), numbers(enlarged) > 0
    (rows, columns), (height, width) = scores.shape, truth.shape
    stride = round(height / rows)
    whole, edges = _ious(answer, truth)
    title = title or f"Stride {stride}: {rows} × {columns} scores for {height} × {width} pixels"
    figure = sheet(9.5, 4.1, title)
    first, second, third = (axes_at(figure, 0.1 + i * 3.15, 0.3, 3.0, 3.0 * height / width) for i in range(3))
    put(first, image, "the picture")
    put(second, scores.clip(-8, 8), "its scores: orange animal, blue not", cmap=SCORES, vmin=-8, vmax=8)
    _answer(third, image, truth, answer, stride, (0, 0, height, width), f"enlarged: IoU {whole:.2f}, edges {edges:.2f}")
    note(figure, 0.14, "colours are full at ±8      white line: the true outline", va="center")
    each = f"IoU {whole:.2f} in the whole picture, {edges:.2f} at the edges"
    figure.alt = f"Stride {stride}, {scores.size} scores: enlarged, {each}."
    return figure


def _object(mask, what, size):
    return as_mask(mask, what, size) == 1


def _ious(answer, truth):
    """IoU of the object in the whole picture, and of its edges."""
    pair = torch.from_numpy(answer).long(), torch.from_numpy(truth).long()
    edges = metrics.boundary_iou(*pair, 2, metrics.edge_width(truth.shape))
    return metrics.Confusion(2).update(*pair).iou[1].item(), edges[1].item()


def _answer(ax, image, truth, answer, stride, box, title):
    """An answer in orange over the picture's grey, the true outline in white, and the grid of cells."""
    grey = ghost(image, 0.25, 0.5)
    put(ax, np.where(answer[..., None], 0.25 * grey + 0.75 * np.array(ORANGE), grey), title)
    _outline(ax, truth)
    top, left, bottom, right = box
    if stride > 1 and max(bottom - top, right - left) / stride <= 24:  # a finer grid would hide the picture
        line = {"color": "white", "linewidth": 0.7, "alpha": 0.55}
        for y in range(-(-top // stride) * stride, bottom, stride):
            ax.axhline(y - 0.5, **line)
        for x in range(-(-left // stride) * stride, right, stride):
            ax.axvline(x - 0.5, **line)
    _show(ax, box)


def _outline(ax, truth):
    ax.contour(truth, [0.5], colors="white", linewidths=1.1).set_path_effects(HALO)


def _show(ax, box):
    """Only that part of a picture."""
    top, left, bottom, right = box
    ax.set(xlim=(left - 0.5, right - 0.5), ylim=(bottom - 0.5, top - 0.5))


@picture
def tents(stride, cells=4, scores=None):
    """What each cell of a row paints when it is enlarged bilinearly, and the sum.

    stride  pixels that a cell stands for
    cells   how many there are, where no scores are given
    scores  one a cell; by default 1 in each
    """
    scores = np.ones(cells) if scores is None else numbers(scores).astype(float)
    pixels = np.arange(len(scores) * stride)
    figure = sheet(8.5, 3.2, f"Each of {len(scores)} cells paints a tent; stride {stride}")
    ax = axes_at(figure, 0.65, 0.6, 7.6, 2.1)
    total = np.zeros(len(pixels))
    for i, score in enumerate(scores):
        colour, centre = TENTS[i % len(TENTS)], stride * i + (stride - 1) / 2
        ax.axvspan(stride * i - 0.5, stride * (i + 1) - 0.5, color=PALE if i % 2 else "white", zorder=0)
        paint = score * (1 - np.abs(pixels - centre) / stride).clip(0)
        total += paint
        inside = paint != 0
        ax.plot([centre - stride, centre, centre + stride], [0, score, 0], color=colour, linewidth=1)
        ax.plot(pixels[inside], paint[inside], "o", color=colour, markersize=4)
    ax.plot(pixels, total, "s", color=INK, markersize=5, markerfacecolor="none", label="sum")
    ax.plot([], [], "o-", color=ORANGE, markersize=4, linewidth=1, label="one cell's tent, at the pixels")
    ax.set(xlim=(-0.5, len(pixels) - 0.5), ylim=(min(0, total.min()) - 0.05, max(1, total.max()) * 1.35))
    ax.set(xlabel="pixel", ylabel="weight" if (scores == 1).all() else "score")
    ax.set_xticks(pixels[:: max(1, len(pixels) // 16)])
    ax.legend(frameon=False, loc="upper right", ncols=2)
    figure.alt = (
        f"A row of {len(scores)} cells, {stride} px each: every cell's tent is highest in its middle and 0 at its "
        f"neighbours' middles. The sum is {total[len(total) // 2]:.3g} in the middle and {total[0]:.3g} at the first "
        "pixel."
    )
    return figure


@picture
def rungs(scores, title="Whole picture and edges, by stride"):
    """Scores by stride, side by side: of the whole picture, and of the edges alone.

    scores  {name of a line: {stride: (whole, edges)}}, each from 0 to 1; the first line is what can be reached at
            best, grey and dashed
    """
    names = [*next(iter(scores.values()))]
    figure = sheet(8.5, 3.5, title)
    styles = [(GREY, "s", "--"), *SERIES]
    for k, what in enumerate(("mIoU of the whole picture", "boundary IoU of the animals")):
        ax = axes_at(figure, 0.7 + 4.0 * k, 0.6, 3.6, 2.3)
        for (name, line), (colour, marker, dashes) in zip(scores.items(), styles):
            places = [names.index(s) for s in line]
            values = [line[s][k] for s in line]
            ax.plot(places, values, color=colour, marker=marker, linestyle=dashes, linewidth=2, label=name)
            for x, y in zip(places, values):
                ax.text(x, y + 0.035, f"{y:.2f}", ha="center", fontsize=9)
        ax.set(title=what, xlabel="stride of the finest scores (px)", ylim=(0, 1.09), xlim=(-0.4, len(names) - 0.6))
        ax.set_xticks(range(len(names)), names)
        if k == 0:
            ax.set_ylabel("score")
            ax.legend(frameon=False, loc="lower left")
    told = []
    for name, line in scores.items():
        steps = (f"stride {s} whole {whole:.2f}, edges {edges:.2f}" for s, (whole, edges) in line.items())
        told.append(f"{name}: {', '.join(steps)}")
    figure.alt = f"{title}. {'; '.join(told)}."
    return figure
