"""What a network's stages put out, and what it costs: measured on the network, not computed by formula."""

import contextlib
from typing import NamedTuple

import torch
from torch.nn.modules.module import register_module_forward_hook


class Stage(NamedTuple):
    """What one stage of a network puts out: its map's channels, height and width, and the stage's own parameters."""

    name: str
    channels: int
    height: int
    width: int
    parameters: int
    kind: str  # "input", "encoder", "bottleneck", "decoder" or "head"


def trace(net, shape=(1, 3, 128, 128)):
    """The stages of a network for a batch of this shape, in data-flow order, input first: a list of Stage.

    Measured, not computed by formula: forward hooks record what the network does. It runs on the meta device, where
    tensors have shapes but no values, so a large network costs nothing, and neither weights nor mode change.
    A network without `.stages` is traced by its direct children.
    """
    named = getattr(net, "stages", None) or list(net.named_children())
    found = [Stage("input", *shape[1:], 0, "input")]

    def record(name, module):
        def hook(_module, _inputs, output):
            channels, height, width = (*output.shape[1:], 1, 1)[:3]
            kind = getattr(module, "kind", name.split()[0])
            if kind not in ("encoder", "bottleneck", "decoder", "head"):  # not ours: tell by how the map changes
                last = found[-1]
                kind = "decoder" if last.kind == "decoder" or height > last.height else "encoder"
            found.append(Stage(name, channels, height, width, count_parameters(module), kind))

        return module.register_forward_hook(hook)

    hooks = [record(name, module) for name, module in named]
    try:
        with evaluating(net):  # batch normalisation then takes a batch of one, and keeps its averages
            weights = {name: value.to("meta") for name, value in net.state_dict().items()}
            dtype = next((p.dtype for p in net.parameters()), torch.float32)
            torch.func.functional_call(net, weights, (torch.empty(shape, dtype=dtype, device="meta"),))
    finally:
        for hook in hooks:
            hook.remove()
    return found


def count_parameters(net):
    """How many numbers the network learns (running means and variances are not learned)."""
    return sum(p.numel() for p in net.parameters())


def activation_bytes(net, shape=(1, 3, 128, 128)):
    """Bytes of all stages' outputs at float32 for a batch of this shape.

    What skips make the network keep, and a lower bound for training, which also keeps the maps inside each stage.
    """
    return sum(4 * shape[0] * s.channels * s.height * s.width for s in trace(net, shape)[1:])


def image_channels(net):
    """How many channels the images have that a network takes: those of its first convolution, 3 where it has none."""
    convs = (m.in_channels for m in net.modules() if hasattr(m, "in_channels") and hasattr(m, "kernel_size"))
    return next(convs, 3)


@contextlib.contextmanager
def evaluating(net):
    """Evaluation mode without gradients, on the device that it yields; every module gets its own mode back."""
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        with torch.no_grad():
            yield next((p.device for p in net.parameters()), torch.device("cpu"))
    finally:
        for module, mode in modes:
            module.training = mode


def layers_run(net, run):
    """What a check's `Trial.layers` returns: the convolutions that ran, in order, while `run()` was called.

    Each is a dict: out (channels), kernel, height and width (of its map), and name in `net` (None: not part of it).
    """
    ran, names = [], {module: name for name, module in net.named_modules()}

    def note(module, _, out):
        if isinstance(module, (torch.nn.Conv2d, torch.nn.ConvTranspose2d)):
            channels, height, width = out.shape[1], out.shape[-2], out.shape[-1]
            kernel, name = module.kernel_size[0], names.get(module)
            ran.append(dict(out=channels, kernel=kernel, height=height, width=width, name=name))

    hook = register_module_forward_hook(note)
    try:
        run()
    finally:
        hook.remove()
    return ran


def one_memory(a, b):
    """Whether two values are one tensor, or a whole view of it: what is written into one is in the other."""
    if not (isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor)) or not a.numel() or a.shape != b.shape:
        return False
    return a.layout == b.layout == torch.strided and a.data_ptr() == b.data_ptr() and a.dtype == b.dtype
