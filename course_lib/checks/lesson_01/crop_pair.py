"""Lesson 01: one crop for a picture and its mask. Windows are cut from a frame that is large enough."""

import torch
import torch.nn.functional as F

from course_lib.labels import IGNORE

from .. import pictures
from ..core import Exercise
from ..values import dtype_name, kind
from .masks import tipped, whole_numbers


def _sampled(mask, size, first=False):
    """The mask by copies, place for place: the middle pixel of what each new pixel covers, or the `first` one.

    In whole numbers. torch reckons in float32 and differs at a few sizes (2 → 61, 26 → 11): none is used below.
    """
    for axis, new in zip((-2, -1), size):
        old = mask.shape[axis]
        mask = mask.index_select(
            axis, torch.tensor([(i * old) // new if first else ((2 * i + 1) * old) // (2 * new) for i in range(new)])
        )
    return mask


def _blended(mask, size):
    return F.interpolate(mask[None, None].float(), size=size, mode="bilinear")[0, 0].round().long()


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


def _window(x, box, outside):
    """What a box shows of x (..., H, W), and `outside` where it shows nothing: cut from a large frame."""
    top, left, height, width = box
    room = 200
    framed = torch.full((*x.shape[:-2], x.shape[-2] + 2 * room, x.shape[-1] + 2 * room), outside, dtype=x.dtype)
    framed[..., room : room + x.shape[-2], room : room + x.shape[-1]] = x
    return framed.narrow(-2, top + room, height).narrow(-1, left + room, width)


def _seen(x, box, flip, outside):
    """What the box shows of x, mirrored on demand: the crop before it is resized."""
    shown = _window(x, box, outside)
    return shown.flip(-1) if flip else shown


def _smooth(x, size, **settings):
    return F.interpolate(x[None], size, **{"mode": "bilinear", "antialias": True, **settings})[0]


def _mask_slips(mask, box, flip, size):
    """(wrong mask, what it reveals) for the usual slips."""
    top, left, height, width = box
    labels, unmirrored = _seen(mask, box, flip, IGNORE), _window(mask, box, IGNORE)
    places = zip((top, left), (height, width), mask.shape)
    rows, columns = (torch.arange(a, a + n).clamp(0, last - 1) for a, n, last in places)
    inside = mask[max(top, 0) : top + height, max(left, 0) : left + width]
    crops = [  # what may be cut out in place of `labels`
        (labels.flip(-1), "It is not mirrored." if flip else "It is mirrored although `flip` is False."),
        (
            _window(mask.flip(-1), box, IGNORE),
            "This mirrors first and cuts then; `left` counts from the left of the picture as it was given.",
        ),
    ]
    late = _sampled(unmirrored, size).flip(-1) if flip else labels
    resized = [  # how `labels` may be resized
        (late, "This resizes first and mirrors then; in blocks of even length the middle pixel is then another."),
        (_sampled(unmirrored.flip(-2), size), "It stands on its head: mirror left to right, the last axis."),
        (
            _sampled(labels, size, first=True),
            "This keeps the first pixel of each block; nearest-exact keeps the middle one.",
        ),
        (_blended(labels, size), "This blends labels and rounds; labels must be copied."),
        (
            _smooth(labels[None].float(), size)[0].round().long(),
            "The mask was blended like the image; labels must be copied.",
        ),
    ]
    order = "have changed places: box is (top, left, height, width)."
    edges = (top, left, max(height - top, 1), max(width - left, 1))
    others = [  # what may be shown in place of `labels`, and of what lies outside
        (mask[rows][:, columns], "Outside the picture the edge was repeated; it must be 255 there."),
        (_seen(mask, box, flip, 0), "Outside the picture the mask is 0, which is a class; it must be 255 there."),
        (inside, "What hangs over was left out and the rest stretched; it belongs to the box, as 0 and 255."),
        (_seen(mask, (top, left, width, height), flip, IGNORE), f"Height and width {order}"),
        (_seen(mask, (left, top, width, height), flip, IGNORE), f"Rows and columns {order}"),
        (_seen(mask, (left, top, height, width), flip, IGNORE), f"Rows and columns {order}"),
        (
            _seen(mask, edges, flip, IGNORE),
            "Height and width were taken for the bottom and the right edge: rows run to top + height − 1.",
        ),
    ]
    first, last = ([(_sampled(cut, size), meaning) for cut, meaning in cuts] for cuts in (crops, others))
    return [*first, *resized, *last]


def _image_slips(image, box, flip, size):
    """(wrong image, what it reveals) for the usual slips, where the mask is right."""
    seen = _seen(image, box, flip, 0.0)
    copied = 'The image was resized by copying; a picture is blended, with `mode="bilinear", antialias=True`.'
    return [
        (
            _smooth(seen, size, antialias=False),
            "The image was resized without `antialias=True`, so pixels were skipped rather than averaged.",
        ),
        (_smooth(seen, size, mode="nearest-exact", antialias=False), copied),
        (_smooth(seen, size, mode="nearest", antialias=False), copied),
        (_smooth(seen.flip(-1), size), "The mask is right, and the image is mirrored against it."),
        (
            _smooth(_seen(image, box, flip, float(IGNORE)), size),
            "Outside the picture the image is 255; it must be 0 there.",
        ),
    ]


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


def _crop_part(t, image, mask, box, flip, size):
    got = tipped(t, TIPS, image, mask, box, flip, size)
    given = f"a picture of {mask.shape[0]} × {mask.shape[1]}, box={box}, flip={flip}, size={size}"
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        t.fail(f"For {given}: expected a pair (image, mask), got {kind(got)}")
    mine, labels = got
    want = _sampled(_seen(mask, box, flip, IGNORE), size)
    if isinstance(labels, torch.Tensor) and tuple(labels.shape) != tuple(size):
        more = _size_slip(tuple(labels.shape), size)
        t.fail(f"For {given}, the mask: expected a tensor of shape {tuple(size)}, got {kind(labels)}{more}")
    whole_numbers(t, labels, size, torch.int64, f"{given}, the mask")
    t.equal(labels, want, f"{given}, the mask", _mask_slips(mask, box, flip, size), pictures.masks)
    if not isinstance(mine, torch.Tensor) or tuple(mine.shape) != (3, *size):
        t.fail(f"For {given}, the image: expected a tensor of shape {(3, *size)}, got {kind(mine)}")
    if mine.dtype != image.dtype:
        t.fail(f"For {given}, the image: expected the dtype float32, got {dtype_name(mine)}.")
    want, known = _smooth(_seen(image, box, flip, 0.0), size), _image_slips(image, box, flip, size)
    t.close(mine, want, f"{given}, the image", known, tolerance=2e-3, picture=_draw_images)


def _draw_images(got, want):
    from course_lib import plot

    return plot.grid([x.detach().clamp(0, 1) for x in (got, want)], ["yours", "expected"])


def _pair(t, height, width):
    mask = t.tensor(height, width, low=0, high=6)
    return t.tensor(3, height, width).sigmoid(), mask


@crop_pair.part("cut inside the picture", 0.5)
def _(t):
    image, mask = _pair(t, 12, 15)
    for box in ((2, 4, 7, 5), (t.random.randint(0, 5), t.random.randint(0, 5), 6, 9)):
        _crop_part(t, image, mask, box, False, box[2:])


@crop_pair.part("outside the picture 0 and 255, and arguments that stay as they were", 1)
def _(t):
    image, mask = _pair(t, 8, 10)
    mask[3, 4:6] = IGNORE
    over = t.random.randint(1, 3)
    for box in (
        (-over, 3, 6, 5),
        (2, -over, 5, 7),
        (5, 6, 3 + over, 4),
        (3, 7, 4, 3 + over),
        (-over, -2, 8 + 2 * over, 14),
    ):
        _crop_part(t, image, mask, box, False, box[2:])
    t.unchanged("the image or the mask that it was given. Work on a copy.", right="The crops are right")


@crop_pair.part("mirrored, after the cut", 0.5)
def _(t):
    image, mask = _pair(t, 9, 14)
    box = (t.random.randint(0, 2), t.random.randint(1, 3), 6, 8)
    _crop_part(t, image, mask, box, True, box[2:])
    _crop_part(t, image, mask, (0, 10, 9, 4), True, (9, 4))


@crop_pair.part("resized last: the image blended, the mask copied", 1.5)
def _(t):
    image, mask = _pair(t, 24, 30)
    _crop_part(t, image, mask, (t.random.randint(0, 3), t.random.randint(0, 3), 21, 25), False, (7, 5))
    _crop_part(t, image, mask, (4, 5, 6, 10), False, (12, 30))
    _crop_part(t, image, mask, (t.random.randint(0, 9), 2, 15, 20), False, (9, 8))
    _crop_part(t, image, mask, (1, 1, 20, 24), True, (10, 6))
