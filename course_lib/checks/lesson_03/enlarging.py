"""Lesson 03: maps read between their cells. Where to read, each part says for itself."""

import torch
import torch.nn.functional as F


def between(x, rows, columns):
    """The values of maps x (B, C, h, w) at these places, 1-D tensors, counted in cells: 0 is the first one's middle.

    From one middle to the next they change evenly; beyond the outermost ones a map goes on as it ends.
    """
    for axis, places in ((2, rows), (3, columns)):
        places = places.clamp(0, x.shape[axis] - 1)
        low = places.floor().long()
        high, share = (low + 1).clamp(max=x.shape[axis] - 1), places - low
        share = share[:, None] if axis == 2 else share
        x = x.index_select(axis, low) * (1 - share) + x.index_select(axis, high) * share
    return x


def stretched(x, s):
    """As `align_corners=True` does it: the outermost middles on the outermost pixels, `s` times as large."""
    return between(x, *(torch.linspace(0, n - 1, s * n) for n in x.shape[2:]))


def squeezed(x, h, w):
    """All of the map in h × w pixels."""
    return between(x, *((torch.arange(m) + 0.5) * n / m - 0.5 for n, m in zip(x.shape[2:], (h, w))))


def copied(x, s):
    """Each cell a block of s × s pixels."""
    return x.repeat_interleave(s, 2).repeat_interleave(s, 3)


def cubic(x, s):
    return F.interpolate(x, scale_factor=s, mode="bicubic")
