"""Lesson 06: targets to try a loss on, and what a loss must be."""

import torch

from ..values import NotYet, dtype_name, kind

OWN = (
    "This calls a ready-made loss. Write it from its parts: then you know what it does with ignored pixels and "
    "empty masks."
)
LOSSES = (
    "cross_entropy",
    "nll_loss",
    "CrossEntropyLoss",
    "NLLLoss",
    "focal_loss",
    "dice_loss",
    "ce_dice",
    "sigmoid_focal_loss",
)
CHANGED = (
    "one of its arguments. Make new tensors, and mind that `x[...] = ` and names that end in `_` write into the "
    "old one."
)
FLOW = "Work on tensors throughout, without `.item()`, `.data`, `.detach()`, numpy, or `torch.tensor(...)`."


def targets(t, classes, *shape, ignored=0.0):
    """Targets in which every class occurs and about a share of the pixels is 255."""
    target = t.tensor(*shape, low=0, high=classes)
    flat = target.view(-1)
    flat[torch.randperm(flat.numel(), generator=t.generator)[:classes]] = torch.arange(classes)
    if ignored:
        drop = torch.rand(flat.shape, generator=t.generator) < ignored
        drop[:2] = torch.tensor([True, False])
        flat[drop] = 255
    return target


def tried(t, *args, how="call"):
    """t.call (or t.gradients), with a word about label 255 where that is likely what stopped it."""
    try:
        return getattr(t, how)(*args)
    except NotYet as stopped:
        ignored = any(isinstance(a, torch.Tensor) and not a.is_floating_point() and (a == 255).any() for a in args)
        if ignored and any(
            word in stopped.message for word in ("index", "out of bounds", "one_hot", "num_classes", "256")
        ):
            t.fail(
                stopped.message
                + " Label 255 is no class and no channel: put some class in its place before you look anything "
                "up, and its result aside."
            )
        maps = next(a for a in args if isinstance(a, torch.Tensor) and a.is_floating_point())
        met = maps.dim() == 4 and all(f"tensor {s} ({n})" in stopped.message for s, n in zip("ab", maps.shape[1::-1]))
        if met and "dimension 1" in stopped.message:
            t.fail(
                f"{stopped.message} Here a tensor (B, H, W) meets one of (B, C, H, W). Keep the axis of the classes: "
                "`keepdim=True`, or `unsqueeze(1)`."
            )
        raise


def scalar(t, got, given):
    """Fail unless `got` is one number, as a tensor without axes; returns it."""
    if isinstance(got, torch.Tensor) and got.numel() == 1:
        if got.dim():
            t.fail(f"For {given}: got a tensor of shape {tuple(got.shape)}; return a scalar tensor, whose shape is ().")
        return got
    if isinstance(got, float | int):
        t.fail(f"For {given}: got a Python number; return a scalar tensor, so that gradients can flow.")
    t.fail(f"For {given}: expected one number, a scalar tensor, got {kind(got)}")


def like(t, got, want, given):
    """Fail unless `got` is a float tensor of the shape of `want`."""
    if not isinstance(got, torch.Tensor):
        t.fail(f"For {given}: expected a tensor of shape {tuple(want.shape)}, got {kind(got)}")
    if tuple(got.shape) != tuple(want.shape):
        more = " That is one number for all; keep one for each pixel." if got.numel() == 1 < want.numel() else ""
        t.fail(f"For {given}: expected shape {tuple(want.shape)}, got {tuple(got.shape)}.{more}")
    if not got.is_floating_point():
        t.fail(f"For {given}: expected a float tensor, got {dtype_name(got)}.")


def believed(t, *shape):
    """(odds, logits): how the classes of a pixel stand to each other, and logits that say so.

    odds    whole numbers from 1 to 6 as float64, (B, C, H, W): a probability is a class's share of its pixel's odds
    logits  float32, of the same shape; each pixel's are moved by a number of its own
    """
    odds = t.tensor(*shape, low=1, high=7).double()
    return odds, (odds.log() + t.tensor(shape[0], 1, *shape[2:], low=-3, high=4)).float()


def shown(logits, target):
    """The logits and the classes of a picture that is small enough to be listed, as a message has them."""
    listed = [[round(v, 3) for v in pixel] for pixel in logits.flatten(2)[0].T.tolist()]
    return f"logits {listed} (a list for each pixel), target {target.flatten().tolist()}"
