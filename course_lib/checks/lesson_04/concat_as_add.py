"""Lesson 04: addition by concatenation."""

import torch
import torch.nn.functional as F

from ..causes import judge
from ..core import Exercise
from ..values import dtype_name, kind

concat_as_add = Exercise(
    "concat_as_add",
    hints=(
        "In the example, 3·(skip + x) is 3·skip + 3·x. Now look at the two numbers that stand before skip and x.",
        "Along which axis of the weights do the input channels lie? Its first C entries meet `skip`, its "
        "last C meet `x`.",
        "The same weights meet both halves: twice `weight`, one after the other, along axis 1.",
    ),
)


def _weights(t, weight, given, flowing):
    """The answer's weights, of the right shape and kind; fails otherwise."""
    gradient = None
    if flowing:
        got, (gradient,) = t.gradients(weight.requires_grad_())
    else:
        got = t.call(weight)
    out, c, k, _ = weight.shape
    want = (out, 2 * c, k, k)
    if not isinstance(got, torch.Tensor) or tuple(got.shape) != want:
        more = {
            (2 * out, c, k, k): " Axis 0 is the channels out; the channels in are axis 1.",
            (out, 2 * c, 1, 1): f" Of each {k} × {k} kernel one number is left; keep all of them.",
            (out, c, 2 * k, k): " Axis 2 is the rows of the kernels; the channels in are axis 1.",
            (out, c, k, 2 * k): " Axis 3 is the columns of the kernels; the channels in are axis 1.",
            (out, c, k, k): " The convolution reads twice as many channels now: C of `skip`, and C of `x`.",
        }.get(tuple(getattr(got, "shape", ())), "")
        t.fail(f"For {given}: expected a tensor of shape {want}, got {kind(got)}{more}")
    if not got.is_floating_point():
        t.fail(f"For {given}: expected float weights, got {dtype_name(got)}.")
    t.unchanged("`weight`. Return a new tensor.")
    if flowing and (gradient is None or not gradient.any()):
        t.fail(
            "No gradient reaches `weight`. Work on tensors, without `.data`, `.detach()`, numpy, or "
            "`torch.tensor(...)`."
        )
    return got.detach().to(weight.dtype)


def _maps(t, sizes, flowing=False):
    """(got, want, given, known mistakes) of what the answer's weights make of two maps, put side by side."""
    for out, c, k in sizes:
        weight, skip, x = t.tensor(out, c, k, k), t.tensor(2, c, 8, 9), t.tensor(2, c, 8, 9)
        given = f"weight of shape {tuple(weight.shape)}"
        mine, weight = _weights(t, weight, given, flowing), weight.detach()
        both = torch.cat([skip, x], 1)

        def over(y, weight=weight):
            return F.conv2d(y, weight)

        mean = over((skip + x) / 2)
        known = [
            (mean, "This gives the mean of the two maps, half of the sum."),
            (over(skip), "With zeros before `x`, the decoder's map would be lost."),
            (over(x), "With zeros before `skip`, the encoder's map would be lost."),
            (over(skip - x), "This takes `x` off `skip`; both are added."),
            (over((skip + x).flip(2, 3)).flip(2, 3), "The kernels are upside down."),
            (over((skip + x).mT).mT, "Rows and columns of the kernels have changed places."),
        ]
        if c > 1:  # with one channel it is right
            pairs = both.unflatten(1, (c, 2)).sum(2)
            known.append(
                (
                    over(pairs),
                    "Each channel's weights stand twice in a row; all C channels of `skip` come first, then all of "
                    "`x`.",
                )
            )
        got = F.conv2d(both, mine)
        parts = (("skip", skip, mine[:, :c]), ("x", x, mine[:, c:]))
        known.append((got, " ".join(_half(name, F.conv2d(y, half), over(y)) for name, y, half in parts)))
        yield got, over(skip + x), f"{given}, what your weights make of the concatenation", known


def _half(name, got, want):
    """What stands before one of the maps, told from what it gives."""
    times = float((got * want).sum() / want.square().sum())
    if not torch.allclose(got, times * want, atol=1e-3):
        return f"Before `{name}` stand other numbers than those of `weight`."
    return f"Before `{name}` stands `weight` {'as it is' if abs(times - 1) < 1e-3 else f'times {times:.3g}'}."


@concat_as_add.part("one channel, one pixel", 0.5)
def _(t):
    judge(t, _maps(t, [(1, 1, 1)] * 2), tolerance=1e-3)


@concat_as_add.part("any channels and kernel, with gradients", 0.5)
def _(t):
    sizes = ((t.random.randint(4, 6), t.random.randint(2, 3), 3), (2, t.random.randint(3, 5), 1), (3, 2, 5))
    judge(t, _maps(t, sizes, flowing=True), tolerance=1e-3)
