"""Lesson 05: the weights of an answer's module, looked at and set."""

import torch

from ..values import dtype_name, kind


def expect_weights(t, net, what, wanted):
    """Fail unless the module's weights of four axes have the shapes `wanted`, {shape: how many}, and no others."""
    found = [tuple(p.shape) for p in net.parameters() if p.dim() == 4]
    text = ", ".join(f"{n} of {s}" for s, n in wanted.items())
    for shape, count in wanted.items():
        if found.count(shape) != count:
            more = ""
            if not found:
                more = " It has none: make the layers in `__init__`, and keep a list of them as an `nn.ModuleList`."
            elif missing := [s for s in wanted if s not in found]:
                more = f" There is none of {missing[0]}."
                if len(found) < sum(wanted.values()):
                    more += " Is it made in `__init__`, and a list of such layers an `nn.ModuleList`?"
            t.fail(
                f"For {what}: the convolutions should have weights of shape (out, in, k, k): {text}. Yours: "
                f"{', '.join(map(str, found)) or 'none'}.{more}"
            )
    if len(found) != sum(wanted.values()):
        t.fail(
            f"For {what}: expected {sum(wanted.values())} convolutions, with weights {text}; found "
            f"{len(found)}: {', '.join(map(str, found))}."
        )


def set_weights(net, weights):
    """Give all weights of four axes the tensor that `weights` has for their shape; leave normalisation no effect."""
    with torch.no_grad():
        for name, p in [*net.named_parameters(), *net.named_buffers()]:
            if p.dim() == 4:
                p.copy_(weights[tuple(p.shape)])
            elif p.dim() == 1:
                p.fill_(1.0 if name.endswith(("weight", "running_var")) else 0.0)


def run_floats(t, net, x):
    """What the module makes of x: a tensor of floats that is not empty, or what is no tensor at all."""
    got = t.run(net, x)
    if isinstance(got, torch.Tensor) and not got.is_floating_point():
        t.fail(
            f"A map of floats is asked for; yours holds {dtype_name(got)}. Neither `argmax` nor rounding belongs in it."
        )
    if isinstance(got, torch.Tensor) and not got.numel():
        t.fail(f"An empty map came back: {kind(got)}")
    return got
