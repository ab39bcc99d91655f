"""Pictures with their masks: laid over, side by side, compared; and where a prediction errs."""

import numpy as np

from course_lib.labels import BLUE, IGNORE

from .canvas import axes_at, note, panels, picture, put, shares, sheet, styled, told
from .inks import BESIDE, GREY, PALE, UNLABELLED, WRONG, ghost, legend, paint, swatch
from .inputs import as_image, as_mask, class_names, numbers


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
    labels = {UNLABELLED: IGNORE, IGNORE: IGNORE}  # by name and by label
    labels |= {name: i for i, name in enumerate(names)} | {i: i for i in range(len(names))}
    if show is None:
        show = [*range(len(names)), IGNORE]
    elif isinstance(show, (str, int)):
        show = [show]
    for entry in show:
        if entry not in labels:
            raise ValueError(f"There is no class {entry!r} to show; the classes are {', '.join(names)}.")
    wanted = {labels[entry] for entry in show}
    shown = np.isin(mask, list(wanted))
    blend = np.where(shown[..., None], (1 - opacity) * image + opacity * paint(mask, names), image)

    ignored = mask == IGNORE
    width = min(5.0, 5.0 * mask.shape[1] / mask.shape[0])
    height = width * mask.shape[0] / mask.shape[1]
    figure = sheet(width + 2.2, max(height, 1.0) + 0.55, alt=f"{title} at opacity {opacity:g}: {shares(mask, names)}.")
    ax = axes_at(figure, 0.1, 0.1, width, height)
    put(ax, blend, title, ignored & shown & (opacity > 0))
    ax.title.set_fontsize(12)
    key = legend(ax, names, ignored=ignored.any(), **BESIDE)
    for text, patch in zip(key.get_texts(), key.get_patches()):
        if labels[text.get_text()] not in wanted:
            text.set_alpha(0.4)
            patch.set_alpha(0.25)
    return figure


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
    extra = [swatch(WRONG, "wrong"), swatch(PALE, "right")]
    figure, axes = panels(len(images), 4, images[0].shape[:2], title=title, names=names, ignored=anywhere, extra=extra)
    rates = []
    for row, im, t, p in zip(axes, images, truths, predictions):
        ignored, wrong = t == IGNORE, (t != IGNORE) & (p != t)
        rates.append(f"{100 * wrong.sum() / max((~ignored).sum(), 1):.1f} %")
        errors = errors_over(im, wrong)
        errors[ignored] = GREY
        heads = ("image", "truth", "prediction") if row is axes[0] else ("", "", "")
        put(row[0], im, heads[0])
        put(row[1], paint(t, names), heads[1], ignored)
        put(row[2], paint(p, names), heads[2], p == IGNORE)
        put(row[3], errors, f"errors: {rates[-1]} of pixels", ignored)
    figure.alt = f"{title or 'Image, truth, prediction and errors'}: {', '.join(rates)} of pixels wrong."
    return figure


def _several(*parts):
    """Images, truths and predictions as three lists, whether one of each is given or several."""
    if not isinstance(parts[1], (list, tuple)) and numbers(parts[1]).ndim == 2:
        return [[part] for part in parts]
    counts = [len(part) for part in parts]
    if len(set(counts)) > 1 or not counts[0]:
        given = ", ".join(map(str, counts))
        raise ValueError(f"comparison takes as many images as truths and predictions, not {given}.")
    return [list(part) for part in parts]


def errors_over(image, wrong):
    """A faint ghost of an (H, W, 3) image, its wrong pixels, bool (H, W), in one vivid colour."""
    errors = ghost(image, 0.78, 0.2)
    errors[wrong] = WRONG
    return errors


@picture
def grid(pictures, titles=None, classes=None, columns=4, title=""):
    """Pictures side by side: images, label maps (integers, coloured by class) and (H, W) float maps (in grey).

    pictures  a batch or a list
    titles    one text each
    classes   adds the classes' legend to label maps; None colours them without
    columns   how many in a row

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
    columns, shape = min(columns, len(pictures)), pictures[0].shape[:2]
    explained = names if masks and classes is not None else ()
    ignored = any((m == IGNORE).any() for m in masks)
    rows = -(-len(pictures) // columns)
    figure, axes = panels(rows, columns, shape, title=title, names=explained, ignored=ignored, notes=bool(maps))
    black, white, scale = _grey_scale(maps)
    if maps:
        note(figure, 0.08, scale)
    flat = [ax for row in axes for ax in row]
    for ax, p, text, is_label in zip(flat, pictures, titles, labels):
        if is_label:
            p = as_mask(p)
            put(ax, paint(p, names), text, p == IGNORE)
        else:
            put(ax, p, text, cmap="gray", vmin=black, vmax=white)
    for ax in flat[len(pictures) :]:
        ax.remove()
    figure.alt = told(title or "Pictures side by side", (t or f"picture {i}" for i, t in enumerate(titles, 1)))
    return figure


def _grey_scale(maps):
    """What is black and what is white in float maps, and a text that says it; a flat one is grey, not noise."""
    if not maps:
        return 0, 1, ""
    low, high = min(np.nanmin(m) for m in maps), max(np.nanmax(m) for m in maps)
    if high - low <= 1e-6 * max(abs(low), abs(high), 1e-30):
        return low - 1, high + 1, f"grey: {low:.3g}".replace("-", "−")
    return low, high, f"black: {low:.3g}, white: {high:.3g}".replace("-", "−")


@picture
def error_density(by_distance, title="Share of wrong pixels by distance from a class boundary"):
    """Errors by distance to the nearest class boundary: bars for one prediction, lines for several.

    by_distance  error rates, 0 to 1, as metrics.errors_by_distance gives them: entry d for pixels at distance d, the
                 last one for all further in, NaN where there are none; or a dict of such, one entry a line
    """
    given = by_distance if isinstance(by_distance, dict) else {"": by_distance}
    lines = {name: numbers(rates).astype(float) for name, rates in given.items()}
    for name, rates in lines.items():
        if rates.ndim != 1 or not np.isfinite(rates).any() or np.nanmin(rates) < 0 or np.nanmax(rates) > 1:
            raise ValueError(
                f"The error rates{f' of {name}' if name else ''} must be one list of shares from 0 to 1, not an array "
                f"of shape {rates.shape} with values from {np.nanmin(rates):g} to {np.nanmax(rates):g}."
            )
    last = max(map(len, lines.values())) - 1
    top = max(np.nanmax(rates) for rates in lines.values())
    figure = sheet(7.5, 3.6, title)
    ax = axes_at(figure, 0.75, 0.6, 6.5, 2.5, xlim=(0.4, last + 0.6), ylim=(0, top * 1.15 or 1))
    ax.set(xlabel="distance to the nearest pixel of another class (px)", ylabel="pixels wrong")
    ax.axvspan(0.4, 3.5, color=PALE, zorder=0)
    ax.text(3.45, top * 1.13, "within 3 px", ha="right", va="top", fontsize=9)
    for (name, rates), (colour, marker, dashes) in styled(lines):
        there = np.flatnonzero(np.isfinite(rates))
        if len(lines) == 1:
            ax.bar(there, rates[there], color=BLUE, width=0.75)
        else:
            ax.plot(there, rates[there], color=colour, marker=marker, linestyle=dashes, linewidth=2, label=name)
    ticks = range(1, last + 1, 1 if last <= 16 else 4)
    ax.set_xticks(ticks, [f"{t}" if t < last else f"≥ {t}" for t in ticks])
    ax.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")
    if len(lines) > 1:
        ax.legend(frameon=False)
    figure.alt = told(title, (_ends(name, rates) for name, rates in lines.items() if len(rates) > 1))
    return figure


def _ends(name, rates):
    """What an alt text says of a line of error rates."""
    near, far = f"{100 * rates[1]:.1f} % at 1 px", f"{100 * rates[-1]:.1f} % at {len(rates) - 1} px or more"
    return f"{name + ' ' if name else ''}{near}, {far}"
