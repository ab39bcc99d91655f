"""Lesson 04: addition by concatenation."""

import torch
import torch.nn.functional as F

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


def _add_part(t, out, c, k, flowing=False):
    weight, skip, x = t.tensor(out, c, k, k), t.tensor(2, c, 6, 7), t.tensor(2, c, 6, 7)
    gradient = None
    if flowing:
        weight.requires_grad_()
        got, (gradient,) = t.gradients(weight)
    else:
        got = t.call(weight)
    given, want = f"weight of shape {tuple(weight.shape)}", (out, 2 * c, k, k)
    if not isinstance(got, torch.Tensor) or tuple(got.shape) != want:
        more = {(2 * out, c, k, k): " Axis 0 is the channels out; the channels in are axis 1."}.get(
            tuple(getattr(got, "shape", ())), ""
        )
        t.fail(f"For {given}: expected a tensor of shape {want}, got {kind(got)}{more}")
    if not got.is_floating_point():
        t.fail(f"For {given}: expected float weights, got {dtype_name(got)}.")
    with torch.no_grad():
        sum_first, mine = F.conv2d(skip + x, weight), F.conv2d(torch.cat([skip, x], 1), got.to(weight.dtype))
        if not torch.allclose(mine, sum_first, atol=1e-3):
            more = ""
            if c > 1 and torch.allclose(got, weight.repeat_interleave(2, 1), atol=1e-4):
                more = (
                    " Each channel's weights stand twice in a row; all C channels of `skip` come first, then all "
                    "of `x`."
                )
            elif torch.allclose(got, torch.cat([weight, weight], 1) / 2, atol=1e-4):
                more = " This gives the mean of the two maps, half of the sum."
            elif torch.allclose(got[:, :c], weight.detach(), atol=1e-4) and not got[:, c:].any():
                more = " With zeros before `x`, the decoder's map would be lost."
            t.fail(
                f"For {given}: over the concatenation your weights do not give what `weight` gives over the sum; the "
                f"largest difference is {(mine - sum_first).abs().max():.3g}.{more}"
            )
    if flowing and (gradient is None or not gradient.any()):
        t.fail(
            "No gradient reaches `weight`. Work on tensors, without `.data`, `.detach()`, numpy, or "
            "`torch.tensor(...)`."
        )
    t.unchanged("`weight`. Return a new tensor.")


@concat_as_add.part("one channel, one pixel", 0.5)
def _(t):
    _add_part(t, 1, 1, 1)


@concat_as_add.part("any channels and kernel, with gradients", 0.5)
def _(t):
    for out, c, k in ((t.random.randint(4, 6), t.random.randint(2, 3), 3), (2, t.random.randint(3, 5), 1)):
        _add_part(t, out, c, k, flowing=True)
