"""Pictures with their masks: laid over, side by side, compared; and where a prediction errs."""

import numpy as np
from matplotlib.patches import Patch

from course_lib.labels import IGNORE

from .canvas import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALE,
    PURPLE,
    UNLABELLED,
    WRONG,
    as_image,
    as_mask,
    axes_at,
    class_names,
    legend,
    numbers,
    paint,
    panels,
    picture,
    put,
    shares,
    sheet,
)


@picture
def overlay(image, mask, classes=None, opacity=0.5, show=None, title="Mask over image"):
    """An image with its mask laid over it in colour.

    image, mask  (3, H, W) and (H, W), as this module takes them
    opacity      0 shows the image alone, 1 the colours alone
    show         the classes to lay over, by name or label ("not labelled" or 255 too); None means all
    """
    image = as_image(image)
    mask = as_mask(mask, size=image.shape[:2])
    names = class_names(classes, mask)
    if not 0 <= opacity <= 1:
        raise ValueError(f"opacity is {opacity}, but must lie between 0 (image alone) and 1 (colours alone).")
    known = {
        **{name: i for i, name in enumerate(names)},
        **{i: i for i in range(len(names))},
        UNLABELLED: IGNORE,
        IGNORE: IGNORE,
    }
    wanted = [*range(len(names)), IGNORE] if show is None else [show] if isinstance(show, (str, int)) else show
    for entry in wanted:
        if entry not in known:
            raise ValueError(f"There is no class {entry!r} to show; the classes are {', '.join(names)}.")
    shown = np.isin(mask, [known[entry] for entry in wanted])
    blend = np.where(shown[..., None], (1 - opacity) * image + opacity * paint(mask, names), image)

    ignored = (mask == IGNORE) & shown & (opacity > 0)
    width = min(5.0, 5.0 * mask.shape[1] / mask.shape[0])
    height = width * mask.shape[0] / mask.shape[1]
    figure = sheet(width + 2.2, max(height, 1.0) + 0.55, alt=f"{title} at opacity {opacity:g}: {shares(mask, names)}.")
    ax = axes_at(figure, 0.1, 0.1, width, height)
    put(ax, blend, title, ignored)
    ax.title.set_fontsize(12)
    key = legend(
        ax, names, ignored=(mask == IGNORE).any(), loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0
    )
    for text, patch in zip(key.get_texts(), key.get_patches()):
        if known[text.get_text()] not in {known[entry] for entry in wanted}:
            text.set_alpha(0.4)
            patch.set_alpha(0.25)
    return figure


def _several(*parts):
    """Images, truths and predictions as three lists, whether one of each is given or several."""
    if not isinstance(parts[1], (list, tuple)) and numbers(parts[1]).ndim == 2:
        return [[part] for part in parts]
    counts = [len(part) for part in parts]
    if len(set(counts)) > 1 or not counts[0]:
        raise ValueError(
            f"comparison takes as many images as truths and predictions, not {', '.join(map(str, counts))}."
        )
    return [list(part) for part in parts]


@picture
def comparison(image, truth, prediction, classes=None, title=""):
    """A row of image, truth, prediction and errors for one image, or one row each for a batch or list of them.

    image              (3, H, W), or several as (N, 3, H, W) or a list
    truth, prediction  (H, W) labels, or several
    Pixels whose truth is 255 count neither as right nor as wrong.
    """
    images, truths, predictions = _several(image, truth, prediction)
    images = [as_image(x) for x in images]
    truths = [as_mask(x, "truth", im.shape[:2]) for x, im in zip(truths, images)]
    predictions = [as_mask(x, "prediction", im.shape[:2]) for x, im in zip(predictions, images)]
    names = class_names(classes, *truths, *predictions)
    anywhere = any((t == IGNORE).any() for t in truths)
    extra = [
        Patch(facecolor=WRONG, edgecolor=GREY, label="wrong"),
        Patch(facecolor=PALE, edgecolor=GREY, label="right"),
    ]
    figure, axes = panels(len(images), 4, images[0].shape[:2], title=title, names=names, ignored=anywhere, extra=extra)
    rates = []
    for row, im, t, p in zip(axes, images, truths, predictions):
        ignored, wrong = t == IGNORE, (t != IGNORE) & (p != t)
        rates.append(100 * wrong.sum() / max((~ignored).sum(), 1))
        errors = 0.78 + 0.2 * im.mean(axis=2, keepdims=True).repeat(3, axis=2)  # right: a faint ghost of the image
        errors[wrong], errors[ignored] = WRONG, GREY
        first = row is axes[0]
        put(row[0], im, "image" if first else "")
        put(row[1], paint(t, names), "truth" if first else "", ignored)
        put(row[2], paint(p, names), "prediction" if first else "", p == IGNORE)
        put(row[3], errors, f"errors: {rates[-1]:.1f} % of pixels", ignored)
    shares_wrong = ", ".join(f"{rate:.1f} %" for rate in rates)
    figure.alt = f"{title or 'Image, truth, prediction and errors'}: {shares_wrong} of pixels wrong."
    return figure


@picture
def grid(pictures, titles=None, classes=None, columns=4, title=""):
    """Pictures side by side: images, label maps (integers, coloured by class) and (H, W) float maps (in grey).

    pictures  a batch or a list; titles: one text each; columns: how many in a row
    classes   adds the classes' legend to label maps; None colours them without
    All float maps share one scale, which is stated below them, so that their greys can be compared.
    """
    pictures = [numbers(p) for p in pictures]
    titles = [""] * len(pictures) if titles is None else [str(t) for t in titles]
    if not pictures or len(titles) != len(pictures):
        raise ValueError(
            f"grid has {len(pictures)} pictures and {len(titles)} titles; it takes one or more, with a title each."
        )
    labels = [p.ndim == 2 and p.dtype.kind in "uib" for p in pictures]
    masks = [as_mask(p) for p, is_label in zip(pictures, labels) if is_label]
    maps = [p for p, is_label in zip(pictures, labels) if p.ndim == 2 and not is_label]
    pictures = [p if p.ndim == 2 else as_image(p) for p in pictures]
    names = class_names(classes, *masks)
    columns = min(columns, len(pictures))
    figure, axes = panels(
        -(-len(pictures) // columns),
        columns,
        pictures[0].shape[:2],
        title=title,
        names=names if masks and classes is not None else (),
        ignored=any((m == IGNORE).any() for m in masks),
        note=1 if maps else 0,
    )
    low, high = (min(np.nanmin(m) for m in maps), max(np.nanmax(m) for m in maps)) if maps else (0, 1)
    margin = (
        1 if high - low <= 1e-6 * max(abs(low), abs(high), 1e-30) else 0
    )  # a flat map is grey, not noise at full contrast
    if maps:
        note = f"grey: {low:.3g}" if margin else f"black: {low:.3g}, white: {high:.3g}"
        figure.text(0.5, 0.08 / figure.get_figheight(), note.replace("-", "−"), fontsize=9, ha="center")
    flat = [ax for row in axes for ax in row]
    for ax, p, text, is_label in zip(flat, pictures, titles, labels):
        if is_label:
            p = as_mask(p)
            put(ax, paint(p, names), text, p == IGNORE)
        else:
            put(ax, p, text, cmap="gray", vmin=low - margin, vmax=high + margin)
    for ax in flat[len(pictures) :]:
        ax.remove()
    figure.alt = (
        f"{title or 'Pictures side by side'}: " + "; ".join(t or f"picture {i}" for i, t in enumerate(titles, 1)) + "."
    )
    return figure


@picture
def error_density(by_distance, title="Share of wrong pixels by distance from a class boundary"):
    """Errors by distance to the nearest class boundary: bars for one prediction, lines for several.

    by_distance  error rates, 0 to 1, as metrics.errors_by_distance gives them: entry d for pixels at distance d, the last
                 one for all further in, NaN where there are none; or a dict of such, one entry a line
    """
    series = by_distance if isinstance(by_distance, dict) else {"": by_distance}
    series = {name: numbers(rates).astype(float) for name, rates in series.items()}
    for name, rates in series.items():
        if rates.ndim != 1 or not np.isfinite(rates).any() or np.nanmin(rates) < 0 or np.nanmax(rates) > 1:
            raise ValueError(
                f"The error rates{f' of {name}' if name else ''} must be one list of shares from 0 to 1, "
                f"not an array of shape {rates.shape} with values from {np.nanmin(rates):g} to {np.nanmax(rates):g}."
            )
    figure = sheet(7.5, 3.6, title)
    ax = axes_at(figure, 0.75, 0.6, 6.5, 2.5)
    last = max(map(len, series.values())) - 1
    styles = [(BLUE, "o", "-"), (ORANGE, "s", "--"), (GREEN, "^", "-."), (PURPLE, "D", ":")]
    ax.axvspan(0.4, 3.5, color=PALE, zorder=0)
    top = max(np.nanmax(rates) for rates in series.values())
    ax.text(3.45, top * 1.13, "within 3 px", ha="right", va="top", fontsize=9)
    for i, (name, rates) in enumerate(series.items()):
        there = np.flatnonzero(np.isfinite(rates))
        colour, marker, line = styles[i % 4]
        if len(series) == 1:
            ax.bar(there, rates[there], color=BLUE, width=0.75)
        else:
            ax.plot(there, rates[there], color=colour, marker=marker, linestyle=line, linewidth=2, label=name)
    ax.set(
        xlim=(0.4, last + 0.6),
        ylim=(0, top * 1.15 or 1),
        xlabel="distance to the nearest pixel of another class (px)",
        ylabel="pixels wrong",
    )
    step = 1 if last <= 16 else 4
    ticks = range(1, last + 1, step)
    ax.set_xticks(ticks, [f"{t}" if t < last else f"≥ {t}" for t in ticks])
    ax.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")
    if len(series) > 1:
        ax.legend(frameon=False)
    figure.alt = (
        f"{title}: "
        + "; ".join(
            f"{name + ' ' if name else ''}{100 * rates[1]:.1f} % at 1 px, {100 * rates[-1]:.1f} % at {len(rates) - 1} px or more"
            for name, rates in series.items()
            if len(rates) > 1
        )
        + "."
    )
    return figure
