"""Pictures of scores: what was called what, which pixels a score counts, and how scores disagree.

Masks and images as course_lib.plot takes them; each function returns one figure.
"""

import numpy as np
import torch
from matplotlib.patches import Patch

from course_lib import metrics

from .canvas import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    VERMILLION,
    WIDTH,
    WRONG,
    as_image,
    as_mask,
    axes_at,
    class_names,
    numbers,
    paint,
    picture,
    put,
    sheet,
)

STYLES = [
    (BLUE, "o", "-"),
    (ORANGE, "s", "--"),
    (GREEN, "^", "-."),
    (PURPLE, "D", ":"),
    (VERMILLION, "v", (0, (5, 1, 1, 1, 1, 1))),
]


def _bars(ax, values, colours, labels, size=9):
    """Horizontal bars from top to bottom on a scale from 0 to 1, with their values written beside them."""
    places = np.arange(len(values))[::-1]
    ax.barh(places, np.nan_to_num(values), color=colours, height=0.68)
    for y, v in zip(places, values):
        ax.text(
            (0 if np.isnan(v) else v) + 0.02, y, "no value" if np.isnan(v) else f"{v:.3f}", va="center", fontsize=size
        )
    ax.set(xlim=(0, 1.22), ylim=(-0.6, len(values) - 0.4), xticks=[0, 0.5, 1])
    ax.set_yticks(places, labels)
    ax.tick_params(axis="y", length=0)


@picture
def rivals(image, truth, predictions, classes=None, title="Equally many wrong pixels, and unequal mIoU"):
    """An image, its truth, two predictions with their errors, and both predictions' accuracy and mIoU as bars.

    predictions  {name: (H, W) labels}, two of them; truth and predictions without ignored pixels
    """
    image = as_image(image)
    truth = as_mask(truth, "truth", image.shape[:2])
    given = {name: as_mask(p, f"prediction {name}", truth.shape) for name, p in predictions.items()}
    if len(given) != 2:
        raise ValueError(f"rivals compares two predictions, not {len(given)}.")
    names = class_names(classes, truth, *given.values())
    shown = [name for i, name in enumerate(names) if any((m == i).any() for m in (truth, *given.values()))]
    width = 2.22
    height = width * truth.shape[0] / truth.shape[1]
    figure = sheet(WIDTH, 2 * height + 1.25, title)

    def panel(column, row):
        return axes_at(
            figure, 0.12 + column * (width + 0.12), 0.1 + (1 - row) * (height + 0.34) + 0.12 * (1 - row), width, height
        )

    put(panel(0, 0), image, "photograph")
    put(panel(1, 0), paint(truth, names), "truth")
    counts = []
    for column, (name, p) in enumerate(given.items(), 2):
        wrong = p != truth
        errors = 0.78 + 0.2 * image.mean(axis=2, keepdims=True).repeat(3, axis=2)
        errors[wrong] = WRONG
        put(panel(column, 0), paint(p, names), f"prediction {name}")
        put(panel(column, 1), errors, f"wrong: {wrong.sum()} pixels")
        counts.append(metrics.Confusion(len(names)).update(torch.from_numpy(p), torch.from_numpy(truth)))
    ax = axes_at(figure, 1.25, 0.45, 2 * width - 1.3, height - 0.75)
    values = [c.accuracy for c in counts] + [c.miou for c in counts]
    _bars(ax, values, [BLUE, SKY] * 2, [f"{score} of {name}" for score in ("accuracy", "mIoU") for name in given], 10)
    patches = [
        Patch(facecolor=paint(np.array([[names.index(n)]]), names)[0, 0], edgecolor=GREY, label=n) for n in shown
    ]
    figure.legend(
        handles=[*patches, Patch(facecolor=WRONG, edgecolor=GREY, label="wrong")],
        frameon=False,
        ncols=4,
        loc="upper left",
        bbox_to_anchor=(0.01, (0.02 + height + 0.12) / figure.get_figheight()),
        handlelength=1.2,
    )
    figure.alt = (
        f"{title}: "
        + "; ".join(
            f"prediction {name} has {int((p != truth).sum())} wrong pixels, accuracy {c.accuracy:.3f} and mIoU"
            f" {c.miou:.3f}"
            for (name, p), c in zip(given.items(), counts)
        )
        + "."
    )
    return figure


def _table(ax, matrix, names, title):
    """A confusion matrix as a heat map: each row's shares in colour, counts as text."""
    totals = matrix.sum(1, keepdims=True)
    parts = np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)
    ax.imshow(parts, cmap="Blues", vmin=0, vmax=1)
    for (i, j), part in np.ndenumerate(parts):
        ax.text(
            j, i, f"{int(matrix[i, j])}", ha="center", va="center", fontsize=9, color="white" if part > 0.55 else INK
        )
    ax.set_xticks(range(len(names)), names)
    ax.set_yticks(range(len(names)), names)
    ax.set_xticks(np.arange(len(names) + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(len(names) + 1) - 0.5, minor=True)
    ax.grid(which="minor", color="white", linewidth=1.5)
    ax.tick_params(which="both", length=0)
    ax.spines[:].set_visible(False)
    ax.set(title=title, xlabel="called", ylabel="truly")


@picture
def pairs(pred, truth, classes=3, title="Every pixel is one tick in one cell"):
    """A small truth and prediction with their labels written in, and the table of their pairs."""
    truth, pred = as_mask(truth, "truth"), as_mask(pred, "prediction")
    names = class_names(classes, truth, pred)
    matrix = np.zeros((len(names), len(names)), int)
    np.add.at(matrix, (truth.ravel(), pred.ravel()), 1)
    cell = min(0.62, 2.5 / truth.shape[1])
    width, height = cell * truth.shape[1], cell * truth.shape[0]
    figure = sheet(2 * width + 3.9, 3.0, title)
    for k, (name, m) in enumerate((("truth", truth), ("prediction", pred))):
        ax = axes_at(figure, 0.25 + k * (width + 0.25), 0.55 + (1.9 - height) / 2, width, height)
        put(ax, paint(m, names), name)
        for (i, j), v in np.ndenumerate(m):
            wrong = m is pred and v != truth[i, j]
            ax.text(
                j,
                i,
                str(v),
                ha="center",
                va="center",
                fontsize=12,
                weight="bold" if wrong else "normal",
                bbox=dict(
                    facecolor="white", edgecolor=WRONG if wrong else "none", boxstyle="circle,pad=0.18", linewidth=2
                ),
            )
    _table(
        axes_at(figure, 2 * width + 1.4, 0.55, 1.9, 1.9),
        matrix,
        list(map(str, range(len(names)))),
        "how often each pair",
    )
    figure.alt = f"{title}: truth {truth.tolist()}, prediction {pred.tolist()}, table {matrix.tolist()}."
    return figure


@picture
def hits(image, truth, pred, scores=None, edges=None, title=""):
    """One class's hits, misses and false alarms over a pale photograph, and its scores as bars beside it.

    truth, pred  (H, W) bool: where the class is, and where it was called
    scores       {name: value from 0 to 1}, or None for the picture alone
    edges        (H, W) bool: pixels to frame, the part that a boundary score counts; or None
    """
    image = as_image(image)
    truth, pred = (as_mask(m, size=image.shape[:2]).astype(bool) for m in (truth, pred))
    colours = {"hit": (truth & pred, ORANGE), "missed": (truth & ~pred, SKY), "false alarm": (pred & ~truth, GREEN)}
    canvas = 0.62 + 0.36 * image.mean(axis=2, keepdims=True).repeat(3, axis=2)
    for where, colour in colours.values():
        canvas[where] = colour
    if edges is not None:
        aside = ~as_mask(edges, size=image.shape[:2]).astype(bool) & (truth | pred)
        canvas[aside] = 0.45 * canvas[aside] + 0.55
    height = 3.6
    width = height * image.shape[1] / image.shape[0]
    figure = sheet(width + (4.4 if scores else 2.0), height + 0.75, title)
    ax = axes_at(figure, 0.12, 0.12, width, height)
    put(ax, canvas)
    patches = [
        Patch(facecolor=c, edgecolor=GREY, label=f"{name}: {int(where.sum())} px")
        for name, (where, c) in colours.items()
    ]
    if edges is not None:
        patches.append(Patch(facecolor=PALE, edgecolor=GREY, label="pale: not at an edge"))
    figure.legend(
        handles=patches,
        frameon=False,
        loc="upper left",
        handlelength=1.2,
        bbox_to_anchor=((width + 0.2) / figure.get_figwidth(), (height + 0.15) / figure.get_figheight()),
    )
    if scores:
        _bars(
            axes_at(figure, width + 1.5, 0.45, 2.7, 0.36 * len(scores)), list(scores.values()), BLUE, list(scores), 10
        )
    figure.alt = (
        f"{title or 'Hits, misses and false alarms'}: "
        + ", ".join(f"{int(w.sum())} pixels {n}" for n, (w, _) in colours.items())
        + "".join(f", {name} {v:.3f}" for name, v in (scores or {}).items())
        + "."
    )
    return figure


@picture
def curves(panels, x, xlabel, ylabel="score", title=""):
    """Scores as lines, panel by panel on the same axes.

    panels  {panel: {line: values, one for each x}}
    """
    figure = sheet(WIDTH, 3.5, title)
    width = (WIDTH - 0.75 - 2.15) / len(panels) - 0.15
    for k, (name, lines) in enumerate(panels.items()):
        ax = axes_at(figure, 0.65 + k * (width + 0.15), 0.6, width, 2.3)
        for (line, values), (colour, marker, dashes) in zip(lines.items(), STYLES):
            ax.plot(
                x, numbers(values), color=colour, marker=marker, linestyle=dashes, linewidth=2, markersize=5, label=line
            )
        ax.set(title=name, xlabel=xlabel, ylim=(0, 1.03), xticks=x)
        ax.grid(color=PALE)
        if k:
            ax.set_yticklabels([])
        else:
            ax.set_ylabel(ylabel)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.02, 0.5), handlelength=3)
    figure.alt = (
        f"{title}: "
        + "; ".join(
            f"{name}: " + ", ".join(f"{line} from {v[0]:.2f} to {v[-1]:.2f}" for line, v in lines.items())
            for name, lines in panels.items()
        )
        + "."
    )
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
    for (model, values), (colour, marker, _) in zip(table.items(), STYLES):
        ax.scatter(
            [values[s] for s in scores],
            places,
            s=90,
            color=colour,
            marker=marker,
            label=model,
            edgecolor="white",
            zorder=3,
        )
    ax.set(xlim=(0, 1), ylim=(-0.6, len(scores) - 0.4), xlabel="score")
    ax.set_yticks(places, scores)
    ax.tick_params(axis="y", length=0)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.02, 0.5))
    best = {s: sorted(table, key=lambda model: -table[model][s]) for s in scores}
    figure.alt = (
        f"{title}: "
        + "; ".join(f"{s}: " + ", ".join(f"{m} {table[m][s]:.3f}" for m in order) for s, order in best.items())
        + "."
    )
    return figure
