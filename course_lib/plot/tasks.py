"""Pictures of who gets which label: one scene under five tasks, panoptic maps, resized masks, a classifier that slides.

Lessons call them as plot.five_tasks and so on; what images, masks and `classes` may be is said in plot.
"""

import numpy as np
from matplotlib.patches import Patch, Rectangle

from course_lib.labels import IGNORE

from .canvas import (
    BLUE,
    DARK,
    GREY,
    INK,
    ORANGE,
    PALE,
    UNLABELLED,
    WIDTH,
    WRONG,
    as_image,
    as_mask,
    axes_at,
    class_names,
    numbers,
    paint,
    palette,
    panels,
    picture,
    put,
    shares,
    sheet,
)

BASE = 1000  # a panoptic map's label is BASE x class + the thing's number
MODES = ("nearest", "nearest-exact", "bilinear", "bicubic", "area")


# ---- one scene, five tasks ---------------------------------------------------------------------------------------


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
    texts = [
        ("classification", "What is in the picture?", "one class"),
        ("detection", "What is where, roughly?", "a box and a class for each animal"),
        ("semantic segmentation", "What is each pixel?", "a class for each pixel"),
        ("instance segmentation", "Which pixels belong to which animal?", "a mask and a class for each animal"),
        ("panoptic segmentation", "What is each pixel, and which one?", "a class and a number for each pixel"),
    ]
    alt = (
        f"One scene, five answers. Classification: {word}. Detection: {len(kinds)} boxes, {', '.join(kinds)}. Semantic: "
        f"{shares(semantic, names)}. Instance: a mask for each of {len(kinds)} animals, nothing for the background. "
        f"Panoptic: the same masks, and the background too."
    )

    wide = (WIDTH - 0.4) / 3
    high = wide * image.shape[0] / image.shape[1]
    figure = sheet(WIDTH, 2 * (high + 0.85) + 0.35, "One scene, five tasks", alt)
    places = [
        axes_at(figure, 0.1 + (i % 3) * (wide + 0.1), 0.5 + (1 - i // 3) * (high + 0.85), wide, high) for i in range(6)
    ]
    for ax, (task, question, answer) in zip(places, texts):
        put(ax, image, task)
        ax.text(0.5, -0.03, question, transform=ax.transAxes, ha="center", va="top", style="italic", fontsize=9.5)
        ax.text(
            0.5,
            -0.03 - 0.2 / high,
            f"→ {answer}",
            transform=ax.transAxes,
            ha="center",
            va="top",
            fontsize=9.5,
            color=DARK,
        )
    one, box, pixel, each, both = places[:5]
    _badge(one, image.shape[1] / 2, image.shape[0] * 0.9, word, size=13)
    for (x0, y0, x1, y1), label in zip(boxes, labels):
        colour = palette(names)[int(label)]
        box.add_patch(Rectangle((x0 - 0.5, y0 - 0.5), x1 - x0, y1 - y0, fill=False, edgecolor="white", linewidth=3.4))
        box.add_patch(Rectangle((x0 - 0.5, y0 - 0.5), x1 - x0, y1 - y0, fill=False, edgecolor=colour, linewidth=2))
        _badge(box, min(max(x0, 0) + 2, image.shape[1] - 30), max(y0, 0) + 6, names[int(label)], align="left")
    put(pixel, 0.3 * image + 0.7 * paint(semantic, names), pixel.get_title(), semantic == IGNORE)
    grey = np.repeat(0.25 + 0.6 * image.mean(axis=2, keepdims=True), 3, axis=2)
    _segments(
        each,
        np.where((instance == 0)[..., None], grey, 0.3 * image + 0.7 * _shades(codes, names)),
        codes,
        names,
        things=True,
    )
    _segments(both, 0.3 * image + 0.7 * _shades(codes, names), codes, names)
    for ax in places[:5]:
        ax.title.set(fontsize=11, weight="bold")
    places[5].set_axis_off()
    there = [i for i in range(len(names)) if counts[i]]
    handles = [Patch(facecolor=palette(names)[i], edgecolor=GREY, label=names[i]) for i in there]
    handles.append(Patch(facecolor=(0.6,) * 3, edgecolor=GREY, label="not asked"))
    places[5].legend(
        handles=handles,
        loc="center",
        frameon=False,
        title="colour: the class\nshade and number: which animal",
        title_fontsize=9.5,
    )
    return figure


@picture
def panoptic(image, codes, classes, title="Panoptic map over image"):
    """A panoptic map over its image: a colour for each class, a shade, an outline and a number for each thing.

    image  (3, H, W)
    codes  (H, W) whole numbers: 1000 x class + the thing's number, 0 where a class is not counted; 255 is not labelled
    """
    image, names = as_image(image), class_names(classes)
    codes = as_mask(codes, "panoptic map", image.shape[:2])
    wrong = codes[(codes != IGNORE) & ((codes < 0) | (codes // BASE >= len(names)))]
    if len(wrong):
        raise ValueError(
            f"The panoptic map holds {int(wrong[0])}, but labels are {BASE} × class + number with classes "
            f"0 to {len(names) - 1} (and {IGNORE} for not labelled)."
        )
    found = [f"{names[code // BASE]} {code % BASE or ''}".strip() for code in np.unique(codes) if code != IGNORE]
    width = min(5.0, 3.6 * image.shape[1] / image.shape[0])
    height = width * image.shape[0] / image.shape[1]
    figure = sheet(width + 2.3, height + 0.5, alt=f"{title}: {', '.join(found)}.")
    ax = axes_at(figure, 0.1, 0.1, width, height)
    _segments(ax, 0.35 * image + 0.65 * _shades(codes, names), codes, names, title=title)
    there = {code // BASE for code in np.unique(codes) if code != IGNORE}
    handles = [Patch(facecolor=palette(names)[i], edgecolor=GREY, label=names[i]) for i in sorted(there)]
    if (codes == IGNORE).any():
        handles.append(Patch(facecolor=GREY, edgecolor=DARK, hatch="/////", label=UNLABELLED))
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0, frameon=False)
    return figure


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
    """A painted panoptic map with an outline round each segment and a badge on each; `things`: on numbered ones only."""
    put(ax, drawn, ax.get_title() if title is None else title, codes == IGNORE)
    for code in np.unique(codes):
        if code != IGNORE and code % BASE:
            inside = np.pad(codes == code, 1).astype(float)
            ax.contour(
                np.arange(-1, codes.shape[1] + 1),
                np.arange(-1, codes.shape[0] + 1),
                inside,
                [0.5],
                colors="white",
                linewidths=1.1,
            )
        if code != IGNORE and (code % BASE or not things):
            _badge(ax, *_inside(codes == code), f"{names[code // BASE]} {code % BASE or ''}".strip())
    ax.set(xlim=(-0.5, codes.shape[1] - 0.5), ylim=(codes.shape[0] - 0.5, -0.5))


def _inside(segment):
    """The (x, y) at which a text has most of a segment around it, near its middle where there is a choice."""
    import torch
    import torch.nn.functional as F

    there = torch.from_numpy(segment)[None, None].float()
    around = (
        F.avg_pool2d(there, (15, 51), stride=1, padding=(7, 25))[0, 0].numpy()
        if min(segment.shape) > 50
        else segment * 1.0
    )
    rows, columns = np.nonzero(segment)
    y, x = np.mgrid[0 : segment.shape[0], 0 : segment.shape[1]]
    away = np.hypot(y - rows.mean(), x - columns.mean()) / sum(segment.shape)
    row, column = np.unravel_index((around - 0.3 * away - 2 * ~segment).argmax(), segment.shape)
    return int(column), int(row)


def _badge(ax, x, y, text, size=8.5, align="center"):
    ax.text(
        x,
        y,
        text,
        ha=align,
        va="center",
        fontsize=size,
        color=INK,
        bbox={"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": "none", "alpha": 0.85},
    )


# ---- a mask of another size --------------------------------------------------------------------------------------


@picture
def resized(mask, size, mode="bilinear", classes=None, title=""):
    """A mask, the mask resized by torch's interpolation and rounded, and which of its pixels have an invented label.

    mask  (H, W) labels
    size  side of the result in pixels, or (H, W)
    mode  one of "nearest", "nearest-exact", "bilinear", "bicubic", "area"
    A pixel's label is invented when no pixel of the mask under it, nor one beside those, has it.
    The figure's `.invented` is how many there are.
    """
    import torch
    import torch.nn.functional as F

    if mode not in MODES:
        raise ValueError(f"There is no mode {mode!r}; choose one of {', '.join(MODES)}.")
    mask = as_mask(mask)
    names = class_names(classes, mask)
    shape = (size, size) if isinstance(size, int) else tuple(size)
    plain = torch.from_numpy(mask)[None, None].double()
    small = F.interpolate(plain, shape, mode=mode).round().clamp(0, IGNORE).long()
    wrong = torch.ones_like(small, dtype=torch.bool)
    for label in small.unique():
        near = F.max_pool2d((plain == label).double(), 3, stride=1, padding=1)
        wrong &= (small != label) | (F.adaptive_max_pool2d(near, shape) == 0)
    small, wrong = small[0, 0].numpy(), wrong[0, 0].numpy()
    extra = [Patch(facecolor=WRONG, edgecolor=GREY, label="invented")]
    figure, axes = panels(
        1,
        3,
        mask.shape,
        title=title or f'A mask resized by "{mode}", then rounded',
        names=names,
        extra=extra,
        ignored=bool((mask == IGNORE).any() or (small == IGNORE).any()),
    )
    marked = 0.75 + 0.25 * paint(np.where(small < len(names), small, IGNORE), names)
    marked[wrong] = WRONG
    figure.invented = int(wrong.sum())
    put(axes[0][0], paint(mask, names), "{} × {} pixels".format(*mask.shape), mask == IGNORE)
    put(
        axes[0][1],
        paint(np.where(small < len(names), small, IGNORE), names),
        "{} × {} pixels".format(*shape),
        small == IGNORE,
    )
    put(axes[0][2], marked, f"invented: {figure.invented} of {small.size} pixels ({figure.invented / small.size:.1%})")
    figure.alt = (
        f"A mask of {shares(mask, names)}, resized from {mask.shape[0]} × {mask.shape[1]} to {shape[0]} × {shape[1]} by "
        f"{mode} and rounded: {figure.invented} pixels ({figure.invented / small.size:.1%}) have a label that is not there."
    )
    return figure


# ---- a classifier that slides ------------------------------------------------------------------------------------


@picture
def slid(images, chances, truth, side, stride, title="A classifier slid over scenes"):
    """Scenes with the grid of places at which a classifier of windows was asked, its answers, and the truth.

    images   (N, 3, H, W)
    chances  (N, h, w), 0 to 1: what the classifier says of the middle of each window
    truth    (N, H, W) labels, 0 for the background
    side     of a window in pixels; stride: from one window to the next, in pixels
    """
    images, chances, truth = [as_image(x) for x in images], numbers(chances), numbers(truth)
    height, width = images[0].shape[:2]
    n, (h, w) = len(images), chances.shape[1:]
    figure, axes = panels(
        n,
        4,
        (height, width),
        title=title,
        names=("background", "animal"),
        extra=[Patch(facecolor="none", edgecolor=BLUE, linewidth=2, label="one window")],
        note=1,
    )
    figure.text(
        0.5,
        0.08 / figure.get_figheight(),
        f"score map: black 0, white 1;  windows {side} px wide, {stride} px apart;  "
        "grey: no window has its middle there",
        fontsize=9,
        ha="center",
    )
    middle, edge = side // 2 - 1, side // 2 - 1 - stride / 2
    extent = (edge, edge + w * stride, edge + h * stride, edge)
    heads = ["scene, middles of windows", f"{h} × {w} scores", "answers as pixels", "truth"]
    for i, (image, chance, mask, row) in enumerate(zip(images, chances, truth, axes)):
        for ax, text in zip(row, heads if i == 0 else [""] * 4):
            put(ax, image if ax is row[0] else np.full((height, width, 3), 0.8), text)
        y, x = np.mgrid[0:h, 0:w] * stride + middle
        row[0].scatter(
            x,
            y,
            s=26,
            c=np.where(chance.ravel() > 0.5, 1.0, 0.0)[:, None] * np.array(ORANGE),
            edgecolors="white",
            linewidths=1,
        )
        top, left = divmod(int(chance.argmax()), w)
        row[0].add_patch(
            Rectangle((left * stride, top * stride), side - 1, side - 1, fill=False, edgecolor=BLUE, linewidth=2)
        )
        row[1].imshow(chance, cmap="gray", vmin=0, vmax=1, extent=extent, interpolation="nearest")
        row[2].imshow(
            paint((chance > 0.5).astype(int), ("background", "animal")), extent=extent, interpolation="nearest"
        )
        row[3].imshow(paint((mask > 0).astype(int), ("background", "animal")), interpolation="nearest")
        for ax in row:
            ax.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
        row[3].add_patch(
            Rectangle((edge, edge), w * stride, h * stride, fill=False, edgecolor=PALE, linewidth=1, linestyle="--")
        )
    found = ", ".join(f"{(c > 0.5).mean():.0%}" for c in chances)
    figure.alt = (
        f"{title}: {n} scenes, each with {h} × {w} windows of {side} pixels; the classifier says animal at {found} of them; "
        "its answers as blocks beside the true outlines."
    )
    return figure
