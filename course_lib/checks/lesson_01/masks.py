"""Lesson 01: what a mask must be, and tips where the code stopped."""

import torch

from ..values import NotYet, dtype_name, kind


def whole_numbers(t, got, shape, dtype, given):
    """Fail unless `got` is a tensor of this shape and dtype (None: any)."""
    if not isinstance(got, torch.Tensor) or tuple(got.shape) != tuple(shape):
        t.fail(f"For {given}: expected a tensor of shape {tuple(shape)}, got {kind(got)}")
    if dtype is not None and got.dtype != dtype:
        names = [dtype_name(d) for d in (dtype, got.dtype)]
        t.fail(f"For {given}: expected the dtype {names[0]}, got {names[1]}.")


def tipped(t, tips, *args):
    """t.call, with a tip added where the code stopped with an error of that name."""
    try:
        return t.call(*args)
    except NotYet as error:
        for name, tip in tips.items():
            if f"stopped with {name}" in error.message:
                error.message += " " + tip
        raise
