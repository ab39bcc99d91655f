"""What pictures take: any form of an image, a mask or class names, brought into one, or refused in a sentence."""

import numpy as np

from course_lib.labels import IGNORE


def numbers(x):
    """A tensor of any device and dtype, an array or a list, as an array."""
    if hasattr(x, "detach"):
        x = x.detach().cpu()
        x = x.float() if x.is_floating_point() else x
    return np.asarray(x)


def as_image(image, what="image"):
    """Any accepted image as an (H, W, 3) float array in [0, 1]; `what` is its name in an error."""
    x = numbers(image)
    shape = x.shape
    if x.ndim == 3 and shape[0] in (1, 3):
        x = x.transpose(1, 2, 0)
    if x.ndim == 2:
        x = x[:, :, None]
    if x.ndim != 3 or x.shape[2] not in (1, 3) or 0 in x.shape:
        hint = "; take one image of the batch, such as images[0]" if x.ndim == 4 else ""
        raise ValueError(f"The {what} has shape {tuple(shape)}, but must be (3, H, W) or (H, W, 3){hint}.")
    if x.dtype.kind in "ui":
        x = x / 255
    x = x.astype(float)
    if not (x.min() >= -0.05 and x.max() <= 1.05):  # a little overshoot, as bicubic resizing gives, is clipped
        raise ValueError(
            f"The {what} holds values from {x.min():.3g} to {x.max():.3g}, but floats must lie in 0 to 1: "
            "undo the normalisation, or give uint8."
        )
    return np.broadcast_to(x.clip(0, 1), (*x.shape[:2], 3))


def as_mask(mask, what="mask", size=None):
    """Any accepted mask as an (H, W) int64 array of `size`, where that is given; `what` is its name in an error."""
    x = numbers(mask)
    shape = x.shape
    if x.ndim == 3 and shape[0] == 1:
        x = x[0]
    if x.ndim != 2 or 0 in x.shape:
        hint = "; logits become labels by logits.argmax(0)" if x.ndim == 3 else ""
        raise ValueError(f"The {what} has shape {tuple(shape)}, but must be (H, W){hint}.")
    if x.dtype.kind not in "uib":
        raise ValueError(f"The {what} holds {x.dtype} values, but labels are whole numbers: use mask.long().")
    if size is not None and x.shape != tuple(size):
        raise ValueError(
            f"The {what} is {x.shape[0]}×{x.shape[1]}, but its image is {size[0]}×{size[1]}: resize both together."
        )
    return x.astype(np.int64)


def class_names(classes, *masks):
    """The class names, made up where only a number or nothing is given; checks that the masks hold no other label."""
    top = max((int(m[m != IGNORE].max(initial=0)) for m in masks), default=0)
    low = min((int(m.min()) for m in masks), default=0)
    if classes is None:
        classes = top + 1
    names = tuple(f"class {i}" for i in range(classes)) if isinstance(classes, int) else tuple(map(str, classes))
    if low < 0 or top >= len(names):
        raise ValueError(
            f"The mask holds the label {low if low < 0 else top}, but {len(names)} classes have the labels "
            f"0 to {len(names) - 1} ({IGNORE} is 'not labelled')."
        )
    return names
