"""A GPU to pretend with: tensors that say "cuda", are computed on the CPU, and refuse to be mixed with the CPU's own.

It knows what the course's code asks of a device, and no more: it says nothing about speed, memory, or numbers on a GPU.
"""

import contextlib

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

GPU = torch.device("cuda", 0)
plain_fork_rng, plain_autocast = torch.random.fork_rng, torch.autocast


class OnGpu(torch.Tensor):
    """A tensor of the pretended GPU around the CPU's tensor `inner`."""

    @staticmethod
    def __new__(cls, inner):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            layout=inner.layout,
            device=inner.device,
            requires_grad=inner.requires_grad,
        )

    def __init__(self, inner):
        self.inner = inner

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return dispatch(func, args, kwargs or {})

    device = property(lambda self: GPU)  # in Python alone: torch's own C++ would ask a driver for a stream
    is_cuda = property(lambda self: True)

    def numpy(self, *args, **kwargs):
        raise TypeError(
            "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first."
        )

    __array__ = numpy

    def tolist(self):
        return self.inner.tolist()

    def __repr__(self):
        return f"OnGpu({self.inner!r})"


def dispatch(func, args, kwargs):
    flat = tree_flatten((args, kwargs))[0]
    tensors = [x for x in flat if isinstance(x, torch.Tensor)]
    wrapped = any(isinstance(x, OnGpu) for x in tensors)
    asked = kwargs.get("device")
    asked = torch.device(asked) if asked is not None else None
    moves = func in (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
    if wrapped and not moves and func is not torch.ops.aten.index.Tensor:  # a GPU's tensor takes the CPU's indices
        strange = [x for x in tensors if not isinstance(x, OnGpu) and x.dim() > 0]
        if strange:
            raise RuntimeError(
                f"Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu! ({func})"
            )
    if func is torch.ops.aten.index.Tensor and not isinstance(args[0], OnGpu) and wrapped:
        raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")
    inside = tree_map(
        lambda x: x.inner if isinstance(x, OnGpu) else x,
        (args, {**kwargs, **({"device": torch.device("cpu")} if asked else {})}),
    )
    out = func(*inside[0], **inside[1])
    on_gpu = isinstance(args[0], OnGpu) if moves else wrapped  # what moves a tensor on purpose came by `Ask`
    if out is None or not on_gpu:
        return out
    if (
        func.name().endswith("_")
        or func._schema.is_mutable
        and isinstance(args[0] if args else None, OnGpu)
        and out is inside[0][0]
    ):
        return args[0]
    return tree_map(lambda x: OnGpu(x) if isinstance(x, torch.Tensor) and not isinstance(x, OnGpu) else x, out)


class Mode(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return dispatch(func, args, kwargs or {})


class Send(torch.autograd.Function):
    """A tensor to the pretended GPU, with its gradient on the way back."""

    @staticmethod
    def forward(ctx, x):
        return OnGpu(x.inner if isinstance(x, OnGpu) else x)

    @staticmethod
    def backward(ctx, gradient):
        return gradient.inner if isinstance(gradient, OnGpu) else gradient


class Fetch(torch.autograd.Function):
    """A tensor of the pretended GPU to the CPU, with its gradient on the way back."""

    @staticmethod
    def forward(ctx, x):
        return x.inner.clone()

    @staticmethod
    def backward(ctx, gradient):
        return OnGpu(gradient)


def is_gpu(thing):
    return isinstance(thing, (str, torch.device)) and str(thing).startswith("cuda")


class Ask(TorchFunctionMode):
    """What asks for the GPU by name asks torch for a driver before it dispatches: it gets the CPU, and is wrapped."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func is torch.Tensor.tolist and isinstance(args[0], OnGpu):
            return args[0].inner.tolist()
        if func is torch.Tensor.cpu or func is torch.Tensor.to and str((*args[1:2], kwargs.get("device"))[0]) == "cpu":
            return Fetch.apply(args[0]) if isinstance(args[0], OnGpu) else func(*args, **kwargs)
        if func is torch.Tensor.to and isinstance(args[1], OnGpu):
            args = (args[0], args[1].device, args[1].dtype, *args[2:])
        asked = is_gpu(kwargs.get("device")) or (func is torch.Tensor.to and any(map(is_gpu, args[1:2])))
        if not asked:
            return func(*args, **kwargs)
        if func is torch.Tensor.to:
            args = (args[0], *(torch.device("cpu") if is_gpu(a) else a for a in args[1:]))
        if "device" in kwargs:
            kwargs["device"] = torch.device("cpu")
        made = func(*args, **kwargs)
        return made if isinstance(made, OnGpu) else Send.apply(made)


def autocast(kind, dtype=None, **more):
    return plain_autocast("cpu", dtype=torch.bfloat16, **more)


def start():
    """From here on, course_lib.train finds a GPU."""
    from course_lib import train

    train.device = lambda: GPU
    train.precision = lambda dev: torch.bfloat16
    torch.random.fork_rng = lambda devices=None, **more: plain_fork_rng([], **more)
    torch.autocast = autocast
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    modes = contextlib.ExitStack()
    modes.enter_context(Mode())
    modes.enter_context(Ask())
    return modes
