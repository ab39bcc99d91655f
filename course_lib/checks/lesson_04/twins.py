"""Lesson 04: the library's U-Net beside an answer's, with the same weights, and with one known mistake built in."""

import contextlib

import torch
import torch.nn as nn
import torch.nn.functional as F

from course_lib import models


def twin_of(t, net, classes, base, depth):
    """A reference network with weights large enough to matter, which the answer gets too; None if they don't fit."""
    twin = models.UNet(classes=classes, base=base, depth=depth).eval()
    x = t.tensor(1, 3, 2 ** (depth + 1), 2 ** (depth + 1))
    mine, right = t.layers(net, x), t.layers(twin, x)
    old, new = net.state_dict(), twin.state_dict()
    if len(mine) != len(right) or any(layer["name"] is None for layer in mine):
        return None
    for a, b in zip(mine, right):
        for part in ("weight", "bias"):
            value, other = old.get(f"{a['name']}.{part}"), new.get(f"{b['name']}.{part}")
            if (value is None) != (other is None) or (value is not None and value.shape != other.shape):
                return None
            if value is not None:
                value = t.tensor(*value.shape) * (2 / value[0].numel()) ** 0.5
                old[f"{a['name']}.{part}"] = new[f"{b['name']}.{part}"] = value
    net.load_state_dict(old)
    twin.load_state_dict(new)
    return twin


def alike(a, b):
    """Whether two logits agree, as near as weights of this size allow."""
    return a.shape == b.shape and torch.allclose(a, b, atol=1e-3 * float(b.std()), rtol=1e-3)


@contextlib.contextmanager
def mistaken(twin, pool=None, grown=None, joined=None, first=None, last=None):
    """The twin with one thing done otherwise.

    pool    a module in place of its max-pooling
    grown   what becomes of a doubled map: a function of it and the skip's (height, width)
    first   what becomes of the picture
    last    what becomes of the logits: a function of them and the picture's (height, width)
    joined  what becomes of a skip and a map of its size: a function of the two and the level's number
    """
    right, hooks, whole = twin.pool, [], {}

    def begin(module, args):
        whole["size"] = args[0].shape[-2:]
        return first(args[0]) if first else args

    twin.pool = pool or right
    for i, stage in enumerate(twin.decoder):
        size = {}

        def note(module, args, size=size):
            size["wanted"] = args[1].shape[-2:]

        def grow(module, args, out, size=size):
            return grown(out, size["wanted"]) if grown else out

        def join(module, args, level=len(twin.decoder) - 1 - i):
            return joined(*args[0].chunk(2, 1), level) if joined else args

        hooks += [stage.register_forward_pre_hook(note), stage.upsample.register_forward_hook(grow)]
        hooks += [stage.conv.register_forward_pre_hook(join)]
    hooks.append(twin.register_forward_pre_hook(begin))
    hooks.append(twin.register_forward_hook(lambda module, args, out: last(out, whole["size"]) if last else out))
    try:
        yield twin
    finally:
        twin.pool = right
        for hook in hooks:
            hook.remove()


def reason(twin, slips, pictures, found):
    """The meaning of the first of the `slips`, [(how the twin is mistaken, meaning)], that gives all that was found.

    found  the answer's logits for each of the pictures; on two or more the slip must give others than the twin does
    """
    right = [twin(x) for x in pictures]
    for slip, meaning in slips:
        with mistaken(twin, **slip):
            given = [twin(x) for x in pictures]
        telling = sum(not alike(a, b) for a, b in zip(given, right))
        if telling > 1 and all(alike(a, b) for a, b in zip(found, given)):
            return " " + meaning
    return ""


def _summed(skip, x, level):
    return torch.cat([skip + x, skip + x], 1)


class _Least(nn.Module):
    def forward(self, x):
        return -F.max_pool2d(-x, 2)


LAYERS = [
    (dict(pool=nn.AvgPool2d(2)), "Your pooling takes the mean of each 2 × 2 block; max-pooling takes the largest."),
    (
        dict(grown=lambda y, size: y.relu()),
        "A ReLU follows the transposed convolutions: what is below 0 is lost. Join the map as it is.",
    ),
    (dict(pool=_Least()), "Your pooling takes the smallest of each 2 × 2 block; max-pooling takes the largest."),
    (
        dict(pool=nn.MaxPool2d(1, stride=2)),
        "Your pooling takes the first of each 2 × 2 block, whatever the others are; max-pooling takes the largest.",
    ),
    *(
        (dict(first=f), "The picture is changed before the first convolution; the net takes it as it is.")
        for f in (
            lambda x: x - x.mean(),
            lambda x: (x - x.mean()) / x.std(),
            lambda x: x / 255,
            lambda x: 2 * x - 1,
            lambda x: x - x.mean((2, 3), keepdim=True),
            lambda x: x.clamp(0, 1),
        )
    ),
    (dict(joined=_summed), "Skip and map are added up, and the sum is joined to itself; put the two side by side."),
    (
        dict(joined=lambda skip, x, level: torch.cat([x, x], 1)),
        "The map from below is joined to itself; join the skip to it.",
    ),
    (
        dict(joined=lambda skip, x, level: torch.cat([skip, skip], 1)),
        "The skip is joined to itself; nothing from below gets through.",
    ),
]
stretched = "The doubled map is stretched to the skip's size; repeat its last row or column, as `join` does."
brought = "The picture is brought to sizes that divide first; leave it as it is, and let each `join` repeat what lacks."


def _cut(y, size):
    return y[..., : size[0], : size[1]]


def _even(x, up):
    """x at the next sizes that 8 divides, by bilinear resizing."""
    return F.interpolate(x, size=[(n + 7 * up) // 8 * 8 for n in x.shape[-2:]], mode="bilinear")


SIZES = [
    *(
        (dict(first=lambda x, how=how: F.pad(x, (0, -x.shape[3] % 8, 0, -x.shape[2] % 8), how), last=_cut), brought)
        for how in ("constant", "replicate")
    ),
    *(
        (
            dict(
                first=lambda x, up=up: _even(x, up),
                last=lambda y, size, how=how: F.interpolate(y, size=tuple(size), mode=how),
            ),
            brought,
        )
        for up in (False, True)
        for how in ("bilinear", "nearest")
    ),
    (dict(pool=nn.MaxPool2d(2, ceil_mode=True)), "Pooling rounds odd sizes up here (`ceil_mode`); let it round down."),
    *(
        (dict(grown=lambda y, size, how=how: F.interpolate(y, size=size, **how)), stretched)
        for how in (
            dict(mode="nearest"),
            dict(mode="nearest-exact"),
            dict(mode="bilinear"),
            dict(mode="bilinear", align_corners=True),
        )
    ),
    (
        dict(grown=lambda y, size: F.pad(y, (0, size[1] - y.shape[3], 0, size[0] - y.shape[2]))),
        "What the doubled map lacks is 0 here; repeat its last row or column, as `join` does.",
    ),
    (
        dict(grown=lambda y, size: F.pad(y, (size[1] - y.shape[3], 0, size[0] - y.shape[2], 0), mode="replicate")),
        "The doubled map's first row or column is repeated, which shifts it; repeat the last, as `join` does.",
    ),
]


def summed_and_closed(closed):
    """How a twin is mistaken that adds up skip and map, joins the sum to itself, and closes these levels."""
    return dict(joined=lambda skip, x, level: _summed(0 * skip if level in closed else skip, x, level))


def swapped(skip, x, level):
    """For `mistaken`: the decoder's channels first."""
    return torch.cat([x, skip], 1)
