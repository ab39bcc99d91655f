"""Pictures of who gets which label: one scene under five tasks, panoptic maps, resized masks, a classifier that slides.

What images, masks and `classes` may be is said in plot.
"""

import numpy as np
import torch
import torch.nn.functional as F

from course_lib import metrics
from course_lib.labels import BLUE, IGNORE, ORANGE

from .canvas import WIDTH, axes_at, frame, note, panels, picture, put, shares, sheet
from .inks import BESIDE, DARK, INK, PALE, WRONG, ghost, paint, palette, swatch, unlabelled
from .inputs import as_image, as_mask, class_names, numbers

BASE = 1000  # a panoptic map's label is BASE x class + the thing's number
MODES = ("nearest", "nearest-exact", "bilinear", "bicubic", "area")
TASKS = (  # name, question, form of the answer
    ("classification", "What is in the picture?", "one class"),
    ("detection", "What is where, roughly?", "a box and a class for each animal"),
    ("semantic segmentation", "What is each pixel?", "a class for each pixel"),
    ("instance segmentation", "Which pixels belong to which animal?", "a mask and a class for each animal"),
    ("panoptic segmentation", "What is each pixel, and which one?", "a class and a number for each pixel"),
)


# --- one scene, five tasks ----------------------------------------------------------------------------------


@picture
def five_tasks(image, target, classes):
    """One scene as classification, detection, semantic, instance and panoptic segmentation answer it.

    image    (3, H, W)
    target   a dict of semantic (H, W), instance (H, W) and boxes, as data.scenes gives it for these three targets
    classes  names of the semantic classes, the background's first

    The word of the classification is the class with the most pixels, the background left out.
    """
    image, names = as_image(image), class_names(classes)
    semantic, instance = (as_mask(target[name], name, image.shape[:2]) for name in ("semantic", "instance"))
    boxes, labels = (numbers(target["boxes"][name]) for name in ("boxes", "labels"))
    codes = np.where((semantic == IGNORE) | (instance == IGNORE), IGNORE, BASE * semantic + instance)
    counts = np.bincount(semantic[semantic != IGNORE], minlength=len(names))
    word = names[int(counts[1:].argmax()) + 1]
    kinds = [names[int(label)] for label in labels]
    alt = (
        f"One scene, five answers. Classification: {word}. Detection: {len(kinds)} boxes, {', '.join(kinds)}. "
        f"Semantic: {shares(semantic, names)}. Instance: a mask for each of {len(kinds)} animals, nothing for the "
        "background. Panoptic: the same masks, and the background too."
    )
    wide = (WIDTH - 0.4) / 3
    high = wide * image.shape[0] / image.shape[1]
    figure = sheet(WIDTH, 2 * (high + 0.85) + 0.35, "One scene, five tasks", alt)
    x, y = [0.1 + c * (wide + 0.1) for c in range(3)], [0.5 + (1 - r) * (high + 0.85) for r in range(2)]
    *places, last = (axes_at(figure, left, bottom, wide, high) for bottom in y for left in x)
    for ax, (task, question, answer) in zip(places, TASKS):
        put(ax, image, task)
        below = {"transform": ax.transAxes, "ha": "center", "va": "top", "fontsize": 9.5}
        ax.text(0.5, -0.03, question, style="italic", **below)
        ax.text(0.5, -0.03 - 0.2 / high, f"→ {answer}", color=DARK, **below)
    one, box, pixel, each, both = places
    _badge(one, image.shape[1] / 2, image.shape[0] * 0.9, word, size=13)
    for (x0, y0, x1, y1), label in zip(boxes, labels):
        frame(box, x0 - 0.5, y0 - 0.5, x1 - x0, y1 - y0, "white", 3.4)
        frame(box, x0 - 0.5, y0 - 0.5, x1 - x0, y1 - y0, palette(names)[int(label)], 2)
        _badge(box, min(max(x0, 0) + 2, image.shape[1] - 30), max(y0, 0) + 6, names[int(label)], align="left")
    put(pixel, 0.3 * image + 0.7 * paint(semantic, names), pixel.get_title(), semantic == IGNORE)
    shaded = 0.3 * image + 0.7 * _shades(codes, names)
    alone = np.where((instance == 0)[..., None], ghost(image, 0.25, 0.6), shaded)
    _segments(each, alone, codes, names, things=True)
    _segments(both, shaded, codes, names)
    for ax in places:
        ax.title.set(fontsize=11, weight="bold")
    last.set_axis_off()
    handles = [swatch(palette(names)[i], name) for i, name in enumerate(names) if counts[i]]
    handles.append(swatch((0.6,) * 3, "not asked"))
    key = "colour: the class\nshade and number: which animal"
    last.legend(handles=handles, loc="center", frameon=False, title=key, title_fontsize=9.5)
    return figure


@picture
def panoptic(image, codes, classes, title="Panoptic map over image"):
    """A panoptic map over its image: a colour for each class, a shade, an outline and a number for each thing.

    image    (3, H, W)
    codes    (H, W) whole numbers: 1000 x class + the thing's number, 0 where a class is not counted; 255: not labelled
    classes  names of the classes
    """
    image, names = as_image(image), class_names(classes)
    codes = as_mask(codes, "panoptic map", image.shape[:2])
    wrong = codes[(codes != IGNORE) & ((codes < 0) | (codes // BASE >= len(names)))]
    if len(wrong):
        raise ValueError(
            f"The panoptic map holds {int(wrong[0])}, but labels are {BASE} × class + number with classes "
            f"0 to {len(names) - 1} (and {IGNORE} for not labelled)."
        )
    there = [code for code in np.unique(codes) if code != IGNORE]
    width = min(5.0, 3.6 * image.shape[1] / image.shape[0])
    height = width * image.shape[0] / image.shape[1]
    alt = f"{title}: {', '.join(_called(code, names) for code in there)}."
    figure = sheet(width + 2.3, height + 0.5, alt=alt)
    ax = axes_at(figure, 0.1, 0.1, width, height)
    _segments(ax, 0.35 * image + 0.65 * _shades(codes, names), codes, names, title=title)
    handles = [swatch(palette(names)[i], names[i]) for i in sorted({code // BASE for code in there})]
    if (codes == IGNORE).any():
        handles.append(unlabelled())
    ax.legend(handles=handles, **BESIDE)
    return figure


def _called(code, names):
    """A panoptic label in words: "cat 2", or "background"."""
    return f"{names[code // BASE]} {code % BASE or ''}".strip()


def _shades(codes, names):
    """Colours of a panoptic map, (H, W, 3): the class's, lighter for every further thing of the class."""
    labels = np.where(codes == IGNORE, IGNORE, codes // BASE)
    drawn = paint(labels, names)
    for kind in range(len(names)):
        numbered = [code for code in np.unique(codes[labels == kind]) if code % BASE]
        for k, code in enumerate(numbered):
            light = (0, 0.45, 0.2, 0.6)[k % 4]
            drawn[codes == code] = drawn[codes == code] * (1 - light) + light
    return drawn


def _segments(ax, drawn, codes, names, things=False, title=None):
    """A painted panoptic map with an outline round each thing and a badge on each segment; `things`: on things only."""
    put(ax, drawn, ax.get_title() if title is None else title, codes == IGNORE)
    height, width = codes.shape
    for code in np.unique(codes):
        if code == IGNORE:
            continue
        inside = codes == code
        if code % BASE:
            rows, columns = np.arange(-1, height + 1), np.arange(-1, width + 1)
            ax.contour(columns, rows, np.pad(inside, 1).astype(float), [0.5], colors="white", linewidths=1.1)
        if code % BASE or not things:
            _badge(ax, *_inside(inside), _called(code, names))
    ax.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))


def _inside(segment):
    """The (x, y) at which a text has most of a segment around it, near its middle where there is a choice."""
    around = segment * 1.0
    if min(segment.shape) > 50:
        there = torch.from_numpy(segment)[None, None].float()
        around = F.avg_pool2d(there, (15, 51), stride=1, padding=(7, 25))[0, 0].numpy()
    rows, columns = np.nonzero(segment)
    y, x = np.mgrid[0 : segment.shape[0], 0 : segment.shape[1]]
    away = np.hypot(y - rows.mean(), x - columns.mean()) / sum(segment.shape)
    row, column = np.unravel_index((around - 0.3 * away - 2 * ~segment).argmax(), segment.shape)
    return int(column), int(row)


def _badge(ax, x, y, text, size=8.5, align="center"):
    """A text on a white label."""
    label = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
    ax.text(x, y, text, ha=align, va="center", fontsize=size, color=INK, bbox=label)


# --- a mask of another size ---------------------------------------------------------------------------------


@picture
def resized(mask, size, mode="bilinear", classes=None, title=""):
    """A mask, the mask resized by torch's interpolation and rounded, and which of its pixels have an invented label.

    mask  (H, W) labels
    size  side of the result in pixels, or (H, W)
    mode  one of "nearest", "nearest-exact", "bilinear", "bicubic", "area"

    What counts as invented is said in metrics.invented. The figure's `.invented` is how many there are.
    """
    if mode not in MODES:
        raise ValueError(f"There is no mode {mode!r}; choose one of {', '.join(MODES)}.")
    mask = as_mask(mask)
    names = class_names(classes, mask)
    shape = (size, size) if isinstance(size, int) else tuple(size)
    whole = torch.from_numpy(mask)
    small = F.interpolate(whole[None, None].double(), shape, mode=mode).round().clamp(0, IGNORE).long()[0, 0]
    small, wrong = small.numpy(), metrics.invented(whole, small).numpy()
    ignored = bool((mask == IGNORE).any() or (small == IGNORE).any())
    title, extra = title or f'A mask resized by "{mode}", then rounded', [swatch(WRONG, "invented")]
    figure, axes = panels(1, 3, mask.shape, title=title, names=names, extra=extra, ignored=ignored)
    painted = paint(np.where(small < len(names), small, IGNORE), names)
    marked = 0.75 + 0.25 * painted
    marked[wrong] = WRONG
    count, share, ((first, second, third),) = int(wrong.sum()), f"{100 * wrong.mean():.1f} %", axes
    before, after = (f"{height} × {width}" for height, width in (mask.shape, shape))
    put(first, paint(mask, names), f"{before} pixels", mask == IGNORE)
    put(second, painted, f"{after} pixels", small == IGNORE)
    put(third, marked, f"invented: {count} of {small.size} pixels ({share})")
    figure.invented = count
    figure.alt = (
        f"A mask of {shares(mask, names)}, resized from {before} to {after} by {mode} and rounded: {count} pixels "
        f"({share}) have a label that is not there."
    )
    return figure


# --- a classifier that slides -------------------------------------------------------------------------------


@picture
def slid(images, chances, truth, side, stride, title="A classifier slid over scenes"):
    """Scenes with the grid of places at which a classifier of windows was asked, its answers, and the truth.

    images   (N, 3, H, W)
    chances  (N, h, w), 0 to 1: what the classifier says of the middle of each window
    truth    (N, H, W) labels, 0 for the background
    side     of a window in pixels
    stride   from one window to the next, in pixels
    """
    images, chances, truth = [as_image(x) for x in images], numbers(chances), numbers(truth)
    height, width = images[0].shape[:2]
    n, (h, w) = len(images), chances.shape[1:]
    names, window = ("background", "animal"), swatch("none", "one window", edgecolor=BLUE, linewidth=2)
    figure, axes = panels(n, 4, (height, width), title=title, names=names, extra=[window], notes=1)
    windows = f"windows {side} px wide, {stride} px apart"
    note(figure, 0.08, f"score map: black 0, white 1;  {windows};  grey: no window has its middle there")
    middle, edge = side // 2 - 1, side // 2 - 1 - stride / 2
    area = {"extent": (edge, edge + w * stride, edge + h * stride, edge), "interpolation": "nearest"}
    y, x = np.mgrid[0:h, 0:w] * stride + middle
    heads = ["scene, middles of windows", f"{h} × {w} scores", "answers as pixels", "truth"]
    for i, (image, chance, mask, row) in enumerate(zip(images, chances, truth, axes)):
        scene, score, answer, true = row
        for ax, text in zip(row, heads if i == 0 else [""] * 4):
            put(ax, image if ax is scene else np.full((height, width, 3), 0.8), text)
        called = chance > 0.5
        dots = np.where(called.ravel(), 1.0, 0.0)[:, None] * np.array(ORANGE)  # black where it says background
        scene.scatter(x, y, s=26, c=dots, edgecolors="white", linewidths=1)
        top, left = divmod(int(chance.argmax()), w)
        frame(scene, left * stride, top * stride, side - 1, side - 1, BLUE, 2)
        score.imshow(chance, cmap="gray", vmin=0, vmax=1, **area)
        answer.imshow(paint(called.astype(int), names), **area)
        true.imshow(paint((mask > 0).astype(int), names), interpolation="nearest")
        for ax in row:
            ax.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
        frame(true, edge, edge, w * stride, h * stride, PALE, 1, linestyle="--")
    found = ", ".join(f"{100 * ((c > 0.5).mean()):.0f} %" for c in chances)
    figure.alt = (
        f"{title}: {n} scenes, each with {h} × {w} windows of {side} pixels; the classifier says animal at {found} of "
        "them; its answers as blocks beside the true outlines."
    )
    return figure
