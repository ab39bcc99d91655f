"""Lesson 01: one crop for a picture and its mask. What is expected is looked up, place for place."""

import torch
import torch.nn.functional as F

from course_lib.labels import IGNORE

from .. import pictures
from ..causes import judge
from ..core import Exercise
from ..values import dtype_name, kind
from .masks import tipped, whole_numbers

crop_pair = Exercise(
    "crop_pair",
    hints=(
        "Every line of the picture has its counterpart for the mask. In two of the three, more changes than the name.",
        "`F.pad` takes whole numbers too, and a `value=`. For the last step, `F.interpolate` wants (B, C, H, "
        "W), and no `int64`.",
        "Outside, the mask is 255. The flip is the same. For `F.interpolate` the mask gets two axes of "
        "length 1 in front and is float meanwhile; "
        '`mode="nearest-exact"` copies, and knows no `antialias`. Then take the two axes off, and go back to `int64`.',
    ),
)


def _looked(x, rows, columns, outside):
    """The values of x (..., H, W) at these rows and columns, lists of numbers, and `outside` where x has none."""
    rows, columns = torch.tensor(rows), torch.tensor(columns)
    height, width = x.shape[-2:]
    found = x[..., rows.clamp(0, height - 1)[:, None], columns.clamp(0, width - 1)]
    there = ((rows >= 0) & (rows < height))[:, None] & (columns >= 0) & (columns < width)
    return torch.where(there, found, outside)


def _blended(x, size, **settings):
    """Maps x (C, H, W) of numbers, blended to a size."""
    return F.interpolate(x[None].float(), size, mode="bilinear", **settings)[0]


TIPS = {
    "RuntimeError: Input and output sizes": "Nothing was cut out: in a slice, a negative number counts from the end.",
    "NotImplementedError": "`F.interpolate` takes no `int64`: make the mask float in between.",
    "ValueError: Input and output must have the same number": (
        "For a size of two numbers `F.interpolate` wants (B, C, H, W): add the axes that are missing."
    ),
}


def _size_slip(shape, size):
    """What a mask of a wrong shape tells; "" where it tells nothing."""
    if shape in ((1, *size), (1, 1, *size)):
        return " Take the axes off again that were added for `F.interpolate`."
    return " Height and width have changed places: size is (h, w)." if shape == (size[1], size[0]) else ""


def _crop_part(t, image, mask, *settings):
    """Judge the answer on one picture and its mask, for each (box, flip, size): first all masks, then all images."""
    images = []

    def look(rows, columns, outside=IGNORE):
        return _looked(mask, rows, columns, outside)

    def cases():
        for box, flip, size in settings:
            given = f"a picture of {mask.shape[0]} × {mask.shape[1]}, box={box}, flip={flip}, size={size}"
            mine, labels = _pair_of(t, given, image, mask, box, flip, size)
            (top, left, height, width), (h, w) = box, size

            def places(start, length, new, turned=False, first=False):
                # torch reckons in float32 and differs at a few sizes (2 → 61, 26 → 11): none is used below
                middles = [((2 * i + 1 - first) * length) // (2 * new) for i in range(new)]
                return [start + (length - 1 - j if turned else j) for j in middles]

            rows, columns = places(top, height, h), places(left, width, w, flip)
            crop = places(top, height, height), places(left, width, width, flip)
            seen = look(*crop)[None].float()
            straight = places(left, width, w)
            order = "have changed places: box is (top, left, height, width)."
            known = [
                (look(rows, places(left, width, w, not flip)), _mirrored(flip)),
                (
                    look(rows, straight[::-1]) if flip else None,
                    "This resizes first and mirrors then; in blocks of even length the middle pixel is then another.",
                ),
                (
                    look(rows, [mask.shape[1] - 1 - c for c in straight]) if flip else None,
                    "This mirrors first and cuts then; `left` counts from the left of the picture as it was given.",
                ),
                (
                    look(places(top, height, h, True), straight) if flip else None,
                    "It stands on its head: mirror left to right, the last axis.",
                ),
                (
                    look(places(top, height, h, first=True), places(left, width, w, flip, first=True)),
                    "This keeps the first pixel of each block; nearest-exact keeps the middle one.",
                ),
                (_blended(seen, size)[0].round().long(), "This blends labels and rounds; labels must be copied."),
                (
                    _blended(seen, size, antialias=True)[0].round().long(),
                    "The mask was blended like the image; labels must be copied.",
                ),
                (
                    look(
                        [min(max(r, 0), mask.shape[0] - 1) for r in rows],
                        [min(max(c, 0), mask.shape[1] - 1) for c in columns],
                    ),
                    "Outside the picture the edge was repeated; it must be 255 there.",
                ),
                (
                    look(rows, columns, 0),
                    "Outside the picture the mask is 0, which is a class; it must be 255 there.",
                ),
                (
                    look(
                        places(max(top, 0), min(top + height, mask.shape[0]) - max(top, 0), h),
                        places(max(left, 0), min(left + width, mask.shape[1]) - max(left, 0), w, flip),
                    ),
                    "What hangs over was left out and the rest stretched; it belongs to the box, as 0 and 255.",
                ),
                (look(places(top, width, h), places(left, height, w, flip)), f"Height and width {order}"),
                (look(places(left, width, h), places(top, height, w, flip)), f"Rows and columns {order}"),
                (look(places(left, height, h), places(top, width, w, flip)), f"Rows and columns {order}"),
                (
                    look(places(top, max(height - top, 1), h), places(left, max(width - left, 1), w, flip)),
                    "Height and width were taken for the bottom and the right edge: rows run to top + height − 1.",
                ),
            ]
            images.append((mine, _looked(image, *crop, 0.0), _looked(image, *crop, 255.0), size, given))
            yield labels, look(rows, columns), f"{given}, the mask", known

    judge(t, cases(), 0.0, pictures.masks)
    judge(t, (_image_case(*i) for i in images), 2e-3, _draw_images)


def _pair_of(t, given, image, mask, box, flip, size):
    """The answer's image and mask, of the right shapes and dtypes."""
    got = tipped(t, TIPS, image, mask, box, flip, size)
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        t.fail(f"For {given}: expected a pair (image, mask), got {kind(got)}")
    mine, labels = got
    if isinstance(labels, torch.Tensor) and tuple(labels.shape) != tuple(size):
        more = _size_slip(tuple(labels.shape), size)
        t.fail(f"For {given}, the mask: expected a tensor of shape {tuple(size)}, got {kind(labels)}{more}")
    whole_numbers(t, labels, size, torch.int64, f"{given}, the mask")
    if not isinstance(mine, torch.Tensor) or tuple(mine.shape) != (3, *size):
        t.fail(f"For {given}, the image: expected a tensor of shape {(3, *size)}, got {kind(mine)}")
    if mine.dtype != image.dtype:
        t.fail(f"For {given}, the image: expected the dtype float32, got {dtype_name(mine)}.")
    return mine, labels


def _mirrored(flip):
    return "It is not mirrored." if flip else "It is mirrored although `flip` is False."


def _image_case(mine, seen, framed, size, given):
    """What `judge` takes: the image, what is right, and the usual slips, from the crop before it is resized."""
    copied = 'The image was resized by copying; a picture is blended, with `mode="bilinear", antialias=True`.'
    known = [
        (
            _blended(seen, size),
            "The image was resized without `antialias=True`, so pixels were skipped rather than averaged.",
        ),
        (F.interpolate(seen[None], size, mode="nearest-exact")[0], copied),
        (F.interpolate(seen[None], size, mode="nearest")[0], copied),
        (_blended(seen.flip(-1), size, antialias=True), "The mask is right, and the image is mirrored against it."),
        (_blended(framed, size, antialias=True), "Outside the picture the image is 255; it must be 0 there."),
    ]
    return mine, _blended(seen, size, antialias=True), f"{given}, the image", known


def _draw_images(got, want):
    from course_lib import plot

    return plot.grid([x.detach().clamp(0, 1) for x in (got, want)], ["yours", "expected"])


def _pair(t, height, width):
    mask = t.tensor(height, width, low=0, high=6)
    return t.tensor(3, height, width).sigmoid(), mask


@crop_pair.part("cut inside the picture", 0.5)
def _(t):
    image, mask = _pair(t, 12, 15)
    boxes = (2, 4, 7, 5), (t.random.randint(0, 2), t.random.randint(3, 6), 6, 9)
    _crop_part(t, image, mask, *((box, False, box[2:]) for box in boxes))


@crop_pair.part("outside the picture 0 and 255, and arguments that stay as they were", 1)
def _(t):
    image, mask = _pair(t, 8, 10)
    mask[3, 4:6] = IGNORE
    over = t.random.randint(1, 3)
    boxes = (-over, 3, 6, 5), (2, -over, 5, 7), (5, 6, 3 + over, 4), (3, 7, 4, 3 + over), (-over, -2, 8 + 2 * over, 14)
    _crop_part(t, image, mask, *((box, False, box[2:]) for box in boxes))
    t.unchanged("the image or the mask that it was given. Work on a copy.", right="The crops are right")


@crop_pair.part("mirrored, after the cut", 0.5)
def _(t):
    image, mask = _pair(t, 9, 14)
    box = (t.random.randint(0, 2), t.random.randint(1, 3), 6, 8)
    _crop_part(t, image, mask, (box, True, box[2:]), ((0, 10, 9, 4), True, (9, 4)))


@crop_pair.part("resized last: the image blended, the mask copied", 1.5)
def _(t):
    image, mask = _pair(t, 24, 30)
    free = [t.random.randint(0, 3) for _ in range(2)]
    _crop_part(
        t,
        image,
        mask,
        ((*free, 21, 25), False, (7, 5)),
        ((4, 5, 6, 10), False, (12, 30)),
        ((t.random.randint(0, 9), 2, 15, 20), False, (9, 8)),
        ((1, 1, 20, 24), True, (10, 6)),
        ((2, 3, 12, 16), True, (6, 8)),
    )
