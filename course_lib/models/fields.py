"""What an output pixel sees: the input pixels that it depends on, counted for dilated layers, measured by gradient."""

import numpy as np
import torch
import torch.nn.functional as F

from .shapes import evaluating, image_channels

INPUTS = 2  # random images whose gradients a network's influence is the mean of
WIDEST = 1024  # pixels of a stack's field


# --- ways through dilated layers ----------------------------------------------------------------------------


def paths(rates):
    """Along one axis, how many ways lead from an output pixel to each input pixel of its field: int64 (field,).

    rates  dilations of 3x3 layers of stride 1, whole numbers of at least 1

    The field is 2 * sum(rates) + 1 wide, and 0 ways is a hole. In two dimensions the number of ways is the product of
    those along rows and along columns.
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
    ways, half = paths(rates), sum(rates)
    lines = []
    for length, place in zip(size, (row, column)):
        line = np.zeros(length + 2 * half, bool)
        line[place : place + 2 * half + 1] = ways > 0
        lines.append(line[half : half + length])
    return torch.from_numpy(np.outer(*lines))


# --- gradients ----------------------------------------------------------------------------------------------


def influence(layers_or_net, size=None):
    """How much each input pixel moves the centre output pixel: the absolute gradient, float64 array (H, W).

    layers_or_net  [(kernel, stride, dilation), …] with equal positive weights and no padding; or a network, in
                   evaluation mode on random images, its logits summed over the classes
    size           side of the input in pixels; for a network also (H, W), by default 256; layers by default get their
                   field and a margin

    ValueError: no layers, or numbers that no layer has; a field wider than `size`, or than 1,024 pixels.
    """
    if hasattr(layers_or_net, "parameters"):
        return _of_net(layers_or_net, 256 if size is None else size)
    profile = _of_layers(check_layers(layers_or_net))
    wide = len(profile)
    size = wide + 2 * max(2, wide // 12) if size is None else size
    if size < wide:
        raise ValueError(
            f"The field is {wide} pixels wide and does not fit a size of {size}; leave size out, or give more."
        )
    before = (size - wide) // 2
    profile = np.pad(profile, (before, size - wide - before))
    # The weights are the same along rows and columns, so the map is the product of its two profiles.
    return np.outer(profile, profile)


def box(gradient):
    """Top, left, height and width of the smallest box around all that is not zero; ValueError where all is."""
    rows, columns = np.flatnonzero(gradient.any(1)), np.flatnonzero(gradient.any(0))
    if not len(rows):
        raise ValueError(
            "Every gradient of the centre output is zero: in a very narrow untrained network all ReLUs can be "
            "off there, so give it more channels, or train it first."
        )
    return rows[0], columns[0], rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1


def check_layers(layers):
    """The layers as tuples of whole numbers; ValueError for none, and for what is no (kernel, stride, dilation)."""
    layers = [tuple(int(v) for v in layer) for layer in layers]
    for layer in layers:
        if len(layer) != 3 or min(layer) < 1:
            raise ValueError(f"A layer is (kernel, stride, dilation), each at least 1, not {layer}.")
    if not layers:
        raise ValueError("There are no layers; give a list such as [(3, 1, 1), (3, 2, 1)].")
    return layers


def _of_layers(layers):
    """What a stack's centre output gets from each input pixel, along one axis, cut to what is not zero."""
    for size in (2**k for k in range(6, 18)):
        x = torch.zeros(1, 1, size, dtype=torch.float64, requires_grad=True)
        y = _run(layers, x)
        if y is None:
            continue
        y[0, 0, y.shape[-1] // 2].backward()
        reached = torch.nonzero(x.grad[0, 0]).flatten()
        if reached[-1] - reached[0] >= WIDEST:
            break
        return x.grad[0, 0, reached[0] : reached[-1] + 1].numpy()
    raise ValueError("The field is wider than 1,024 pixels, too many to draw; take fewer layers, or smaller strides.")


def _run(layers, y):
    """A signal through a stack of averaging layers; None where it is too short for one output pixel."""
    for kernel, stride, dilation in layers:
        if y.shape[-1] <= (kernel - 1) * dilation:
            return None
        mean = torch.full((1, 1, kernel), 1 / kernel, dtype=y.dtype)
        y = F.conv1d(y, mean, stride=stride, dilation=dilation)
    return y


def _of_net(net, size):
    """The mean over random images of the absolute gradient of a network's centre output."""
    height, width = (size, size) if isinstance(size, int) else size
    weight = next(net.parameters(), torch.zeros(1))
    noise = torch.randn(INPUTS, image_channels(net), height, width, generator=torch.Generator().manual_seed(0))
    # Batch normalisation in training mode would tie every pixel to every other.
    with evaluating(net), torch.enable_grad():
        x = noise.to(weight.device, weight.dtype).requires_grad_()
        y = net(x)
        (gradient,) = torch.autograd.grad(y[..., y.shape[-2] // 2, y.shape[-1] // 2].sum(), x)
    return gradient.abs().mean(dim=(0, 1)).cpu().float().numpy().astype(float)
