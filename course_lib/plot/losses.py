"""Pictures of losses: what each asks of a pixel, where on a photograph it pulls, and what it buys.

Gradients in them are measured by autograd on course_lib.losses, not taken from a formula.
"""

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.colors import PowerNorm
from matplotlib.ticker import PercentFormatter

from course_lib import losses
from course_lib.labels import BLUE, GREEN, IGNORE, VERMILLION

from .canvas import WIDTH, axes_at, note, picture, put, sheet, styled, told
from .inks import BESIDE, DARK, GREY, PALE, legend, paint
from .inputs import as_image, as_mask, class_names, numbers

SURE = 0.999  # of the landscape's pixels: how sure a right one is …
MISSED = 0.02  # … and the probability that a missed one leaves to its true class
PIXELS = 64 * 64
SHARES = colormaps["magma"].with_extremes(bad=GREY)  # of a map of shares; grey where there is no label


# --- landscapes ---------------------------------------------------------------------------------------------


@picture
def landscapes(gammas=(1, 2, 5)):
    """Four landscapes: what losses ask of one pixel, above, and of a whole picture, below.

    gammas  of the focal losses that stand beside cross-entropy, which is gamma 0

    Above: loss and pull of a pixel against its probability. Below: cross-entropy and Dice of a picture against the
    size of an object and the share of it that is found.
    """
    figure = sheet(
        WIDTH,
        7.5,
        alt="Above: loss and pull of one pixel against the probability of its true class. Focal loss lies under "
        "cross-entropy and falls to nothing for easy pixels. Below: loss of a 64 by 64 picture by object size and "
        "share found. Cross-entropy hardly sees small objects; Dice depends on the share found, not on the size.",
    )
    names = {0: "cross-entropy", **{gamma: f"focal, γ = {gamma:g}" for gamma in gammas if gamma}}
    p, loss, pull = _by_probability(names)
    first = _one_pixel(figure, 0.75, p, dict(zip(names.values(), loss)), 5, "one pixel: the loss", "loss")
    first.legend(frameon=False, fontsize=9)
    size = "gradient on the true class's logit (size)"
    _one_pixel(figure, 5.55, p, dict(zip(names.values(), pull)), 1.5, "one pixel: its pull", size)
    _by_size(figure)
    return figure


def _one_pixel(figure, left, p, lines, top, title, ylabel):
    """Lines over the probability of the true class, where it is hard and where it is easy marked."""
    ax = axes_at(figure, left, 4.5, 3.65, 2.5, xlim=(0, 1), ylim=(0, top), ylabel=ylabel)
    ax.set_xlabel("probability of the true class")
    ax.set_title(title, pad=16)
    for low, high, middle, word in ((0, 0.5, 0.25, "hard"), (0.9, 1, 0.95, "easy")):
        ax.axvspan(low, high, color=PALE, zorder=0)
        ax.text(middle, top * 1.01, word, ha="center", va="bottom", fontsize=9)
    for (name, y), (colour, _, dashes) in styled(lines):
        ax.plot(p, y, color=colour, linestyle=dashes, linewidth=2, label=name)
    return ax


def _by_probability(gammas):
    """For each gamma the loss of one pixel of two classes, and the gradient's size on its true logit, by probability.

    Returns the probabilities, (250,), and two lists of as many values.
    """
    p = torch.linspace(0.002, 0.998, 250, dtype=torch.float64)
    values, pulls = [], []
    for gamma in gammas:
        lead = torch.logit(p).reshape(-1, 1, 1, 1).requires_grad_()
        logits, target = torch.cat([lead, torch.zeros_like(lead)], 1), torch.zeros(len(p), 1, 1, dtype=torch.int64)
        value = torch.stack([losses.focal_loss(z[None], t[None], gamma) for z, t in zip(logits, target)])
        value.sum().backward()
        values.append(numbers(value))
        pulls.append(numbers(lead.grad.abs().flatten()))
    return numbers(p), values, pulls


def _by_size(figure):
    """The lower half: both losses of a picture with one object, by its size and by how much of it is found."""
    size, share = np.meshgrid(np.geomspace(8, 1024, 90), np.linspace(0, 1, 80))
    hit, miss, rest = size * share, size * (1 - share), PIXELS - size
    entropy = (miss * -np.log(MISSED) + (hit + rest) * -np.log(SURE)) / PIXELS
    claimed = hit * SURE + miss * MISSED + rest * (1 - SURE)
    dice = 1 - 2 * (hit * SURE + miss * MISSED) / (claimed + size)
    levels = [0.02, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9]
    titles = "a picture: cross-entropy, mean of 4,096 pixels", "a picture: Dice loss of the object"
    for left, values, title in zip((0.75, 5.05), (entropy, dice), titles):
        ax = axes_at(figure, left, 0.85, 3.5, 2.5, xscale="log", xlabel="size of the object (pixels)", title=title)
        ax.pcolormesh(size, share, values, vmin=0, vmax=1, cmap="viridis", shading="gouraud", rasterized=True)
        lines = ax.contour(size, share, values, levels=levels, colors="white", linewidths=0.9)
        ax.clabel(lines, fontsize=8, fmt="%g")
        ax.plot(80, 0.25, "X", color=VERMILLION, markersize=11, markeredgecolor="white")
        ax.set_xticks([8, 32, 128, 512], ["8", "32", "128", "512"])
        ax.minorticks_off()
        ax.yaxis.set_major_formatter(PercentFormatter(1, 0, " %"))
        if left < 1:
            ax.set_ylabel("share of it that is found")
    bar = axes_at(figure, 8.68, 0.85, 0.14, 2.5)
    ramp = np.linspace(0, 1, 128)[:, None]
    bar.imshow(ramp, cmap="viridis", aspect="auto", origin="lower", extent=(0, 1, 0, 1))
    bar.yaxis.tick_right()
    bar.yaxis.set_label_position("right")
    bar.set(xticks=[], ylabel="loss")
    chances = f"right pixels: p = {SURE}; missed ones: p = {MISSED}"
    note(figure, 0.025 * 7.5, f"cross: an antler of 80 pixels, a quarter of it found   ({chances})")


# --- where a loss pulls -------------------------------------------------------------------------------------


@picture
def pulls(image, truth, maps, classes=None, title="Where each loss pulls"):
    """A photograph, its truth, and for each loss the share that each pixel has in all of its pull, on one colour scale.

    image, truth  (3, H, W) and (H, W), 255 not labelled
    maps          {name: (H, W) sizes of the gradient at each pixel, at least 0}
    classes       names for the truth's legend
    """
    image, truth = as_image(image), as_mask(truth)
    names, ignored = class_names(classes, truth), truth == IGNORE
    shown = {name: _share(m, name, truth.shape) for name, m in maps.items()}
    columns = min(4, len(shown) + 2)
    rows = -(-(len(shown) + 2) // columns)
    width = (WIDTH - 0.75 - 0.12 * columns) / columns
    height = width * truth.shape[0] / truth.shape[1]
    figure = sheet(WIDTH, 0.45 + rows * (height + 0.3) + 0.35, title)
    x = [0.1 + c * (width + 0.12) for c in range(columns)]
    y = [0.4 + (rows - 1 - r) * (height + 0.3) for r in range(rows)]
    places = [axes_at(figure, left, bottom, width, height) for bottom in y for left in x]
    put(places[0], image, "image")
    put(places[1], paint(truth, names), "truth", ignored)
    norm = PowerNorm(0.5, 0, max(np.quantile(m, 0.998) for m in shown.values()))
    for ax, (name, m) in zip(places[2:], shown.items()):
        put(ax, np.where(ignored, np.nan, m), name, ignored, cmap=SHARES, norm=norm)
    for ax in places[len(shown) + 2 :]:
        ax.remove()
    _scale(figure, WIDTH - 0.62, 0.4, rows * (height + 0.3) - 0.3, norm)
    legend(figure, names, ignored=bool(ignored.any()), loc="lower center", ncols=len(names) + 1, borderaxespad=0.2)
    last, there = names[-1], truth == len(names) - 1
    figure.alt = told(
        title, (f"{name}, {100 * (m[there].sum()):.0f} % of the pull on {last} pixels" for name, m in shown.items())
    )
    return figure


@picture
def focus(logits, truth, gamma=2.0, weight=1.0, rare=None, name="rare class"):
    """What gamma and a class's weight do at once: the loss of a pixel, where on one picture it pulls, and at whom.

    logits, truth  (C, H, W) of some net, and (H, W), 255 not labelled
    gamma, weight  of the focal loss, and of class `rare` in it; the other classes have weight 1
    rare, name     the class's label, by default the last, and what it is called
    """
    logits, truth = torch.as_tensor(logits).detach().float().cpu(), torch.as_tensor(truth).cpu()
    rare = len(logits) - 1 if rare is None else rare
    weights = torch.ones(len(logits))
    weights[rare] = weight
    z = logits[None].clone().requires_grad_()
    losses.focal_loss(z, truth[None], gamma, weights).backward()
    share = _share(z.grad[0].abs().sum(0), "gradients", tuple(truth.shape))
    figure = sheet(WIDTH, 3.45, f"γ = {gamma:g},  weight of {name} = {weight:g}")

    p, (plain, curve), _ = _by_probability((0, gamma))
    ax = axes_at(figure, 0.55, 0.55, 2.6, 2.3, xlim=(0, 1), ylim=(0, 6), title="loss of one pixel")
    ax.set_xlabel("probability of the true class")
    ax.plot(p, plain, color=GREY, linewidth=1.5, label="cross-entropy")
    ax.plot(p, curve, color=BLUE, linewidth=2, label="now, other classes")
    ax.plot(p, weight * curve, color=VERMILLION, linewidth=2, linestyle="--", label=f"now, {name}")
    ax.legend(facecolor="white", framealpha=1, edgecolor="none", fontsize=8.5, loc="upper right")  # over the curves

    norm, ignored = PowerNorm(0.5, 0, 0.01), numbers(truth == IGNORE)
    high = 2.3
    wide = high * share.shape[1] / share.shape[0]
    ax = axes_at(figure, 3.6, 0.55, wide, high)
    put(ax, np.where(ignored, np.nan, share), "where it pulls", ignored, cmap=SHARES, norm=norm)
    _scale(figure, 3.7 + wide, 0.55, high, norm)

    true = numbers(truth)
    chance = logits.softmax(0).gather(0, truth.masked_fill(truth == IGNORE, 0)[None])[0]  # of the true class
    hard, easy = (numbers(which) & ~ignored for which in (chance < 0.5, chance > 0.9))
    groups = {name: true == rare, "hard (p < 0.5)": hard, "easy (p > 0.9)": easy}
    parts = {label: share[which].sum() for label, which in groups.items()}
    ax = axes_at(figure, 6.95, 0.55, 2.2, 2.3, xlim=(0, 1), title="who has the pull")
    for y, (label, part), colour in zip((2, 1, 0), parts.items(), (VERMILLION, BLUE, GREEN)):
        ax.barh(y, part, color=colour, height=0.42)
        ax.text(0.02, y + 0.27, f"{label}: {100 * part:.0f} %", fontsize=8.5, va="bottom")
    ax.set(yticks=[], ylim=(-0.4, 2.7))
    ax.xaxis.set_major_formatter(PercentFormatter(1, 0, " %"))
    ax.set_xticks([0, 0.5, 1])
    each = ", ".join(f"{label} {100 * part:.0f} % of the pull" for label, part in parts.items())
    figure.alt = f"With gamma {gamma:g} and weight {weight:g}: {each}."
    return figure


def _share(values, name, shape):
    """A map scaled to sum 1."""
    values = numbers(values).astype(float)
    if values.shape != shape or not values.min() >= 0 or not values.sum() > 0:
        size = "×".join(map(str, values.shape))
        raise ValueError(
            f"The map of {name} must be {shape[0]}×{shape[1]} sizes of at least 0, not all 0; it is {size}, "
            f"from {values.min():g} to {values.max():g}."
        )
    return values / values.sum()


def _scale(figure, left, bottom, height, norm):
    """The colour bar of a map of shares."""
    bar = axes_at(figure, left, bottom, 0.13, height)
    edges, values = np.linspace(0, norm.vmax, 129), np.linspace(0, norm.vmax, 128)[:, None]
    bar.pcolormesh([0, 1], edges, values, cmap="magma", norm=norm, rasterized=True)
    bar.yaxis.tick_right()
    bar.yaxis.set_major_formatter(PercentFormatter(1, 1, " %"))
    bar.set(xticks=[], ylim=(0, norm.vmax))
    bar.tick_params(labelsize=8)
    bar.set_title("share", fontsize=8.5, pad=4)


# --- lines, and what a loss buys ----------------------------------------------------------------------------


@picture
def loss_lines(x, series, xlabel="", ylabel="", title="", marks=()):
    """Lines over one x.

    x               (N,)
    series          {name: (N,) values}
    xlabel, ylabel  of the axes
    marks           some of x: a thin upright line stands at each
    """
    figure = sheet(7.5, 3.7, title)
    ax = axes_at(figure, 0.75, 0.6, 4.2, 2.6, xlabel=xlabel, ylabel=ylabel)
    for mark in marks:
        ax.axvline(mark, color=GREY, linewidth=0.8)
    lines = {name: numbers(y) for name, y in series.items()}
    for (name, y), (colour, _, dashes) in styled(lines):
        ax.plot(numbers(x), y, color=colour, linestyle=dashes, linewidth=2, label=name)
    ax.set_xlim(min(x), max(x))
    ax.set_ylim(bottom=0)
    ax.legend(fontsize=9, **BESIDE)
    figure.alt = told(title, (f"{name} from {y[0]:.2f} to {y[-1]:.2f}" for name, y in lines.items()))
    return figure


@picture
def trade_off(points, curve=(), curve_name="", title="What each loss buys, and what it pays"):
    """Recall against precision of one class; the faint lines join points of equal IoU.

    points             {name: (recall, precision)}
    curve, curve_name  more such pairs, joined by a line, and its name

    Pairs with NaN are left out.
    """
    figure = sheet(7.5, 4.3, title)
    ax = axes_at(figure, 0.75, 0.6, 4.2, 3.2, xlim=(0, 1), ylim=(0, 1))
    ax.set(xlabel="recall: share of the class that is found", ylabel="precision: share of the finds that are right")
    r = np.linspace(0.01, 1, 200)
    for iou in (0.1, 0.2, 0.3, 0.4, 0.5):
        p = 1 / (1 / iou + 1 - 1 / r)
        there = (p > 0) & (p <= 1)
        ax.plot(r[there], p[there], color=PALE, linewidth=1, zorder=0)
        ax.text(0.985, iou + 0.012, f"IoU {iou:g}", fontsize=8, ha="right", color=GREY)
    curve = np.array([pair for pair in curve if np.isfinite(pair).all()]).reshape(-1, 2)
    if len(curve):
        ax.plot(curve[:, 0], curve[:, 1], color=DARK, linewidth=1.5, label=curve_name, zorder=1)
    for (name, pair), (colour, marker, _) in styled(points):
        if np.isfinite(pair).all():
            style = {"color": colour, "markersize": 9, "markeredgecolor": "white", "linestyle": "none"}
            ax.plot(*pair, marker=marker, label=name, **style)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1, 0, " %"))
    ax.legend(fontsize=9, **BESIDE)
    figure.alt = told(
        title, (f"{name} recall {100 * r:.0f} %, precision {100 * p:.0f} %" for name, (r, p) in points.items())
    )
    return figure
