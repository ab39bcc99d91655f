"""Lesson 04: what a U-Net's skips do, told from its logits under chosen weights."""

import torch

from ..values import kind


def load(t, net, state):
    try:
        net.load_state_dict(state)
    except RuntimeError:
        t.fail(
            "With `closed` given, the net has other layers than without, so that its weights cannot be loaded. Keep "
            "all layers, and join zeros of the skip's shape."
        )
    return net


def some_logits(t, net, x):
    """What the net makes of x; fails unless it is a tensor."""
    got = t.run(net, x)
    if not isinstance(got, torch.Tensor):
        t.fail(f"For a picture of {x.shape[2]} × {x.shape[3]}: expected logits, got {kind(got)}")
    return got


def without(state, base, levels, half):
    """The weights with what meets the skip (half 0) or the decoder's map (half 1) set to 0 at these levels."""
    state = dict(state)
    for name, value in state.items():
        for c in (base * 2**k for k in levels):
            if tuple(value.shape) == (c, 2 * c, 3, 3):
                state[name] = value.clone()
                state[name][:, half * c : (half + 1) * c] = 0
    return state


def _doubling(t, state, channels):
    """The names of the transposed convolution to so many channels."""
    for name, value in state.items():
        if tuple(value.shape) == (2 * channels, channels, 2, 2):
            return [n for n in (name, name.removesuffix("weight") + "bias") if n in state]
    t.fail(
        f"There should be a transposed convolution of kernel 2 from {2 * channels} to {channels} channels; its weights "
        f"have the shape ({2 * channels}, {channels}, 2, 2)."
    )


def _silenced(t, state, channels):
    """The weights with nothing coming up through the transposed convolution to so many channels."""
    return {**state, **{name: torch.zeros_like(state[name]) for name in _doubling(t, state, channels)}}


def _moved(t, net, wide, side, n, rim):
    """The logits of the picture that is n px further down and right, moved back, without their rim."""
    got = t.run(net, wide[:, :, n : n + side, n : n + side])
    return got[..., rim - n : -rim - n, rim - n : -rim - n]


def level_speaks(t, net, state, base, k, wide, side):
    """Fail unless level k's skip reaches the logits, carries gradients, and was saved before the pooling.

    What comes from below level k is silent here; the skips of levels 0 to k still speak.

    state  weights for the net
    wide   a picture, 8 px wider and higher than `side`, so that it can be moved
    """
    step, rim, whole = 2**k, 12 * 2**k, wide[:, :, :side, :side]
    below = f"With all that comes from below level {k} silenced"
    muted = _silenced(t, state, base * 2**k)
    load(t, net, muted)
    with torch.no_grad():
        here = some_logits(t, net, whole)[..., rim:-rim, rim:-rim]
        moved, twice = (_moved(t, net, wide, side, n, rim) for n in (step, 2 * step))
        less = here[..., :1, :1].expand_as(here)
        if k:  # without level k, too
            load(t, net, _silenced(t, state, base * 2 ** (k - 1)))
            less = t.run(net, whole)[..., rim:-rim, rim:-rim]
    if torch.allclose(here, less, atol=1e-4 * float(here.std() + 1)):
        t.fail(f"{below}, level {k} has nothing left to say: does its skip reach the way up?")
    names = [layer["name"] for layer in t.layers(net, whole)]
    load(t, net, muted)
    reach = t.weight_gradients(net, whole).get(f"{names[2 * k]}.weight") if len(names) > 2 * k else None
    if reach is None or not reach.any():
        t.fail(f"{below}, no gradient reaches level {k} of the encoder. A skip carries gradients, too: no `.detach()`.")
    near = 1e-3 * float(here.abs().max() + 1)
    if here.shape != moved.shape or not torch.allclose(here, moved, atol=near):
        more = ""
        if here.shape == twice.shape and torch.allclose(here, twice, atol=near):
            more = (
                f" They are right when it moves by {2 * step} px: the skip of level {k} seems to have been pooled "
                "already. Save it before the pooling."
            )
        t.fail(
            f"{below}, a picture moved by {step} px should give logits moved by {step} px. Yours change "
            f"otherwise.{more}"
        )
