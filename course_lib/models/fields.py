"""What a stack of dilated 3 x 3 layers can reach: which input pixels, and by how many ways."""

import numpy as np


def paths(rates):
    """Along one axis, the number of ways from an output pixel to each input pixel of its field: int (2 * sum(rates) + 1,).

    rates  dilations of 3x3 layers of stride 1, whole numbers of at least 1. 0 ways is a hole. In two dimensions the
           number of ways is the product of those along rows and along columns.
    """
    for rate in rates:
        if int(rate) != rate or rate < 1:
            raise ValueError(f"A dilation rate is a whole number of at least 1, not {rate!r}.")
    ways = np.ones(1, np.int64)
    for rate in map(int, rates):
        taps = np.zeros(2 * rate + 1, np.int64)
        taps[::rate] = 1  # a step back, none, or a step on
        ways = np.convolve(ways, taps)
    return ways


def seen(rates, size, row, column):
    """Which pixels of an image the stack's output at (row, column) can reach: bool tensor of `size` (H, W)."""
    import torch

    ways, half = paths(rates), sum(rates)
    lines = []
    for length, place in zip(size, (row, column)):
        line = np.zeros(length + 2 * half, bool)
        line[place : place + 2 * half + 1] = ways > 0
        lines.append(line[half : half + length])
    return torch.from_numpy(np.outer(*lines))
