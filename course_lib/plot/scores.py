"""Pictures of scores: what was called what, which pixels a score counts, and how scores disagree."""

import numpy as np
import torch

from course_lib import metrics
from course_lib.labels import BLUE, GREEN, ORANGE, SKY

from .canvas import WIDTH, axes_at, picture, put, sheet, styled, told
from .inks import BESIDE, INK, PALE, WRONG, ghost, paint, palette, swatch
from .inputs import as_image, as_mask, class_names, numbers
from .masks import errors_over

# --- predictions and their scores ---------------------------------------------------------------------------


@picture
def rivals(image, truth, predictions, classes=None, title="Equally many wrong pixels, and unequal mIoU"):
    """An image, its truth, two predictions with their errors, and both predictions' accuracy and mIoU as bars.

    image, truth  (3, H, W) and (H, W) labels
    predictions   {name: (H, W) labels}, two of them; truth and predictions without ignored pixels
    """
    image = as_image(image)
    truth = as_mask(truth, "truth", image.shape[:2])
    given = {name: as_mask(p, f"prediction {name}", truth.shape) for name, p in predictions.items()}
    if len(given) != 2:
        raise ValueError(f"rivals compares two predictions, not {len(given)}.")
    names = class_names(classes, truth, *given.values())
    width = 2.22
    height = width * truth.shape[0] / truth.shape[1]
    figure = sheet(WIDTH, 2 * height + 1.25, title)
    x, upper = [0.12 + column * (width + 0.12) for column in range(4)], 0.1 + height + 0.34 + 0.12
    top = [axes_at(figure, left, upper, width, height) for left in x]
    put(top[0], image, "photograph")
    put(top[1], paint(truth, names), "truth")
    counts, said = [], []
    for (name, p), ax, left in zip(given.items(), top[2:], x[2:]):
        wrong = p != truth
        put(ax, paint(p, names), f"prediction {name}")
        put(axes_at(figure, left, 0.1, width, height), errors_over(image, wrong), f"wrong: {wrong.sum()} pixels")
        count = metrics.Confusion(len(names)).update(torch.from_numpy(p), torch.from_numpy(truth))
        counts.append(count)
        scores = f"accuracy {count.accuracy:.3f} and mIoU {count.miou:.3f}"
        said.append(f"prediction {name} has {wrong.sum()} wrong pixels, {scores}")
    ax = axes_at(figure, 1.25, 0.45, 2 * width - 1.3, height - 0.75)
    values = [c.accuracy for c in counts] + [c.miou for c in counts]
    _bars(ax, values, [BLUE, SKY] * 2, [f"{score} of {name}" for score in ("accuracy", "mIoU") for name in given])
    anywhere = np.unique([truth, *given.values()])
    handles = [swatch(palette(names)[i], names[i]) for i in anywhere] + [swatch(WRONG, "wrong")]
    place = {"loc": "upper left", "bbox_to_anchor": (0.01, (0.02 + height + 0.12) / figure.get_figheight())}
    figure.legend(handles=handles, frameon=False, ncols=4, handlelength=1.2, **place)
    figure.alt = told(title, said)
    return figure


@picture
def hits(image, truth, pred, scores=None, edges=None, title=""):
    """One class's hits, misses and false alarms over a pale photograph, and its scores as bars beside it.

    image        (3, H, W)
    truth, pred  (H, W) bool: where the class is, and where it was called
    scores       {name: value from 0 to 1}, or None for the picture alone
    edges        (H, W) bool: pixels to frame, the part that a boundary score counts; or None
    """
    image = as_image(image)
    truth, pred = (as_mask(m, size=image.shape[:2]).astype(bool) for m in (truth, pred))
    areas = {"hit": (truth & pred, ORANGE), "missed": (truth & ~pred, SKY), "false alarm": (pred & ~truth, GREEN)}
    painted = ghost(image, 0.62, 0.36)
    for where, colour in areas.values():
        painted[where] = colour
    handles = [swatch(colour, f"{name}: {where.sum()} px") for name, (where, colour) in areas.items()]
    if edges is not None:
        aside = ~as_mask(edges, size=image.shape[:2]).astype(bool) & (truth | pred)
        painted[aside] = 0.45 * painted[aside] + 0.55
        handles.append(swatch(PALE, "pale: not at an edge"))
    height = 3.6
    width = height * image.shape[1] / image.shape[0]
    figure = sheet(width + (4.4 if scores else 2.0), height + 0.75, title)
    put(axes_at(figure, 0.12, 0.12, width, height), painted)
    corner = ((width + 0.2) / figure.get_figwidth(), (height + 0.15) / figure.get_figheight())
    figure.legend(handles=handles, frameon=False, loc="upper left", handlelength=1.2, bbox_to_anchor=corner)
    if scores:
        _bars(axes_at(figure, width + 1.5, 0.45, 2.7, 0.36 * len(scores)), list(scores.values()), BLUE, list(scores))
    counts = [f"{where.sum()} pixels {name}" for name, (where, _) in areas.items()]
    values = [f"{name} {value:.3f}" for name, value in (scores or {}).items()]
    figure.alt = f"{title or 'Hits, misses and false alarms'}: {', '.join(counts + values)}."
    return figure


def _bars(ax, values, colours, labels):
    """Horizontal bars from top to bottom on a scale from 0 to 1, with their values written beside them."""
    places = np.arange(len(values))[::-1]
    ax.barh(places, np.nan_to_num(values), color=colours, height=0.68)
    for y, v in zip(places, values):
        x, text = (0, "no value") if np.isnan(v) else (v, f"{v:.3f}")
        ax.text(x + 0.02, y, text, va="center", fontsize=10)
    ax.set(xlim=(0, 1.22), ylim=(-0.6, len(values) - 0.4), xticks=[0, 0.5, 1])
    ax.set_yticks(places, labels)
    ax.tick_params(axis="y", length=0)


# --- the table ----------------------------------------------------------------------------------------------


@picture
def pairs(pred, truth, classes=3, title="Every pixel is one tick in one cell"):
    """A small truth and prediction, (H, W), with their labels written in, and the table of their pairs."""
    truth, pred = as_mask(truth, "truth"), as_mask(pred, "prediction")
    names = class_names(classes, truth, pred)
    matrix = metrics.confusion_matrix(torch.from_numpy(pred), torch.from_numpy(truth), len(names)).numpy()
    cell = min(0.62, 2.5 / truth.shape[1])
    width, height = cell * truth.shape[1], cell * truth.shape[0]
    figure = sheet(2 * width + 3.9, 3.0, title)
    for k, (name, m) in enumerate((("truth", truth), ("prediction", pred))):
        ax = axes_at(figure, 0.25 + k * (width + 0.25), 0.55 + (1.9 - height) / 2, width, height)
        put(ax, paint(m, names), name)
        _write(ax, m, m != truth)
    _table(axes_at(figure, 2 * width + 1.4, 0.55, 1.9, 1.9), matrix, "how often each pair")
    figure.alt = f"{title}: truth {truth.tolist()}, prediction {pred.tolist()}, table {matrix.tolist()}."
    return figure


def _write(ax, mask, wrong):
    """Each label on its pixel, the wrong ones in a ring."""
    for (i, j), label in np.ndenumerate(mask):
        ring = {"boxstyle": "circle,pad=0.18", "facecolor": "white", "edgecolor": "none", "linewidth": 2}
        if wrong[i, j]:
            ring["edgecolor"] = WRONG
        weight = "bold" if wrong[i, j] else "normal"
        ax.text(j, i, str(label), ha="center", va="center", fontsize=12, weight=weight, bbox=ring)


def _table(ax, matrix, title):
    """A confusion matrix as a heat map: each row's shares in colour, counts as text."""
    totals = matrix.sum(1, keepdims=True)
    parts = np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)
    ax.imshow(parts, cmap="Blues", vmin=0, vmax=1)
    for (i, j), part in np.ndenumerate(parts):
        ink = "white" if part > 0.55 else INK
        ax.text(j, i, f"{matrix[i, j]}", ha="center", va="center", fontsize=9, color=ink)
    edges = np.arange(len(matrix) + 1) - 0.5
    ax.set(xticks=range(len(matrix)), yticks=range(len(matrix)), xlabel="called", ylabel="truly", title=title)
    ax.set_xticks(edges, minor=True)
    ax.set_yticks(edges, minor=True)
    ax.grid(which="minor", color="white", linewidth=1.5)
    ax.tick_params(which="both", length=0)
    ax.spines[:].set_visible(False)


# --- many scores --------------------------------------------------------------------------------------------


@picture
def curves(panels, x, xlabel, ylabel="score", title=""):
    """Scores as lines, panel by panel on the same axes.

    panels          {panel: {line: values, one for each x}}
    x               where the values stand, and the ticks
    xlabel, ylabel  of the axes
    """
    figure = sheet(WIDTH, 3.5, title)
    width = (WIDTH - 0.75 - 2.15) / len(panels) - 0.15
    said = []
    for k, (name, lines) in enumerate(panels.items()):
        ax = axes_at(figure, 0.65 + k * (width + 0.15), 0.6, width, 2.3)
        for (line, values), (colour, marker, dashes) in styled(lines):
            style = {"color": colour, "marker": marker, "linestyle": dashes, "linewidth": 2, "markersize": 5}
            ax.plot(x, numbers(values), label=line, **style)
        ax.set(title=name, xlabel=xlabel, ylim=(0, 1.03), xticks=x)
        ax.grid(color=PALE)
        if k:
            ax.set_yticklabels([])
        else:
            ax.set_ylabel(ylabel)
        said.append(f"{name}: " + ", ".join(f"{line} from {v[0]:.2f} to {v[-1]:.2f}" for line, v in lines.items()))
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.02, 0.5), handlelength=3)
    figure.alt = told(title, said)
    return figure


@picture
def ranking(table, title="Which model is ahead? It depends on whom you ask"):
    """Several models under several scores: one row a score, one mark a model, all on one scale from 0 to 1.

    table  {model: {score: value}}, the same scores for each
    """
    scores = list(next(iter(table.values())))
    figure = sheet(WIDTH, 1.05 + 0.42 * len(scores), title)
    ax = axes_at(figure, 1.75, 0.55, WIDTH - 4.2, 0.42 * len(scores))
    places = np.arange(len(scores))[::-1]
    ax.hlines(places, 0, 1, color=PALE, linewidth=8, zorder=0)
    for (model, values), (colour, marker, _) in styled(table):
        style = {"color": colour, "marker": marker, "s": 90, "edgecolor": "white", "zorder": 3}
        ax.scatter([values[s] for s in scores], places, label=model, **style)
    ax.set(xlim=(0, 1), ylim=(-0.6, len(scores) - 0.4), xlabel="score")
    ax.set_yticks(places, scores)
    ax.tick_params(axis="y", length=0)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.02, 0.5))
    said = []
    for score in scores:
        order = sorted(table, key=lambda model: -table[model][score])
        said.append(f"{score}: " + ", ".join(f"{model} {table[model][score]:.3f}" for model in order))
    figure.alt = told(title, said)
    return figure


@picture
def training(loss, title=""):
    """A training run: the loss of each step, and its mean over a twentieth of the steps."""
    figure = sheet(6.2, 2.7, "Training loss" + (f": {title}" if title else ""))
    ax, steps, width = axes_at(figure, 0.65, 0.5, 4.0, 1.75), range(1, len(loss) + 1), max(1, len(loss) // 20)
    means = [sum(loss[max(0, i - width) : i]) / min(i, width) for i in steps]
    ax.plot(steps, loss, color=SKY, alpha=0.5, linewidth=0.8, label="each step")
    ax.plot(steps, means, color=BLUE, linewidth=2, label=f"mean of {width}")
    ax.set(xlabel="step", ylabel="loss", ylim=(min([0, *loss]), None))
    ax.legend(**BESIDE)
    if loss:
        figure.alt = f"{figure.alt}: {loss[0]:.3f} at step 1, {means[-1]:.3f} at last, as a mean of {width} steps."
    return figure
