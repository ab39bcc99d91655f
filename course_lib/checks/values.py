"""The values that may pass between an answer and a check, how they compare, and how a message shows them."""

import types

from ..names import named, names_in, words


class NotYet(Exception):
    """A part does not hold yet. `message` is for the student; `picture`, a function or None, draws a Figure."""

    def __init__(self, message, picture=None):
        super().__init__(message)
        self.message, self.picture = message, picture


class NotWritten(Exception):
    """The stub's own `raise NotImplementedError` was reached."""


def plain(value):
    """A copy of `value` made of builtin numbers, strings, lists, tuples, dicts and plain tensors.

    Subclasses of Tensor become plain tensors and keep their gradient history; numpy scalars become numbers; modules
    pass as they are. Anything else, a numpy array too, raises `NotYet`.
    """
    import numpy
    import torch

    if value is None or type(value) in (bool, int, float, complex, str):
        return value
    if isinstance(value, torch.nn.Module):
        return value
    if isinstance(value, torch.Tensor):
        return value if type(value) in (torch.Tensor, torch.nn.Parameter) else value.as_subclass(torch.Tensor)
    if isinstance(value, numpy.generic):
        return value.item()
    if isinstance(value, numpy.ndarray):
        raise NotYet("Your answer is a numpy array. Return a tensor; `torch.from_numpy` makes one.")
    if isinstance(value, (list, tuple, torch.Size)):
        items = [plain(v) for v in value]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, dict):
        return {plain(k): plain(v) for k, v in value.items()}
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    raise NotYet(
        f"Your answer is a `{type(value).__name__}`. A check takes numbers, text, lists, tuples, dicts, tensors."
    )


def copied(value):
    """A deep copy of plain data: tensors are cloned, containers rebuilt, modules shared."""
    import torch

    if isinstance(value, torch.Tensor):
        clone = value.detach().clone()
        return clone.requires_grad_(value.requires_grad)
    if isinstance(value, (list, tuple)):
        return type(value)(copied(v) for v in value)
    if isinstance(value, dict):
        return {k: copied(v) for k, v in value.items()}
    return value


def same(a, b, tolerance=0.0):
    """Whether two plain values agree: equal types of container, numbers within `tolerance`, tensors of equal shape."""
    import torch

    if isinstance(a, torch.Tensor) or isinstance(b, torch.Tensor):
        if not (isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor)) or a.shape != b.shape:
            return False
        kind = torch.complex128 if a.is_complex() or b.is_complex() else torch.float64
        a, b = a.detach().to("cpu", kind), b.detach().to("cpu", kind)
        return bool(torch.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True))
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(same(x, y, tolerance) for x, y in zip(a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k], tolerance) for k in a)
    if is_number(a) and is_number(b):
        return a == b or abs(a - b) <= tolerance * max(1.0, min(abs(b), 1e300)) or (a != a and b != b)
    return type(a) is type(b) and a == b


def unlike(one, other, args, tolerance=1e-4):
    """Whether two functions give other values for these arguments; what raises gives no value."""
    try:
        return not same(one(*copied(args)), other(*copied(args)), tolerance)
    except Exception:
        return True


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def show(value, limit=160, digits=3):
    """A short text for a plain value, for messages: small tensors in full, large ones by shape.

    digits  after the point, of a tensor's numbers; other numbers have 6, or as many, in all
    """
    import torch

    if isinstance(value, torch.Tensor):
        kind = dtype_name(value)
        if value.numel() <= 24:
            numbers = value.detach().cpu()
            text = str(_rounded(numbers.double().tolist(), digits) if value.is_floating_point() else numbers.tolist())
            return f"{kind} tensor {text}" if value.dim() else f"{kind} tensor({text})"
        return f"{kind} tensor of shape {tuple(value.shape)}"
    if isinstance(value, float):
        return f"{value:.{max(6, digits)}g}"
    if isinstance(value, (list, tuple)):
        inner = ", ".join(show(v, limit, digits) for v in value)
        text = f"[{inner}]" if isinstance(value, list) else f"({inner}{',' if len(value) == 1 else ''})"
    elif isinstance(value, dict):
        text = "{" + ", ".join(f"{k!r}: {show(v, limit, digits)}" for k, v in value.items()) + "}"
    elif isinstance(value, torch.nn.Module):  # its own text has many lines
        layers = sum(1 for m in value.modules() if not any(m.children()))
        text = f"a `{type(value).__name__}` of {layers} layers"
    else:
        text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _rounded(numbers, digits):
    return [_rounded(n, digits) for n in numbers] if isinstance(numbers, list) else round(numbers, digits)


def dtype_name(value):
    """A dtype's name, or that of a tensor's dtype, as students write it: "int64"."""
    return str(getattr(value, "dtype", value)).removeprefix("torch.")


def names_used(thing):
    """Every name that a function or class refers to: globals, attributes, and what its own helpers refer to.

    Read from code objects, so comments don't count, and texts only where something looks names up by text. A name
    bound to something with another `__name__` (an alias) counts under both.
    """
    if hasattr(thing, "names_used"):  # a stand-in for what lives in another process
        return set(thing.names_used)
    return named(_names_of(thing, set()))


def _names_of(thing, seen):
    if id(thing) in seen:
        return set()
    seen.add(id(thing))
    if isinstance(thing, type):
        found = {base.__name__ for base in thing.__mro__[1:-1]}
        members = [
            m for m in vars(thing).values() if isinstance(m, (types.FunctionType, staticmethod, classmethod, type))
        ]
        for member in members:
            found |= _names_of(getattr(member, "__func__", member), seen)
        return found
    thing = getattr(thing, "__wrapped__", getattr(thing, "func", thing))
    code, scope = getattr(thing, "__code__", None), getattr(thing, "__globals__", {})
    if code is None:
        own = type(thing).__module__ == "__main__"  # an instance of the answer's own class
        return _names_of(type(thing), seen) if own else _called(thing, type(thing).__name__)
    names, found = names_in(code)
    given = [*(thing.__defaults__ or ()), *(thing.__kwdefaults__ or {}).values()]
    for value in [*given, *(scope.get(name) for name in names)]:
        found |= words(value) if isinstance(value, str) else set()
    home = getattr(thing, "__module__", None)
    for name in names:
        other = scope.get(name)
        if isinstance(other, (types.FunctionType, type)) and other.__module__ == home:
            found |= _names_of(other, seen)  # the answer's own helper, whatever it is called
        else:
            found |= {name} | _called(other, name)
    return found


def _called(thing, name):
    """The name that a thing has where it was made, else `name`; and the module, where it is one of the course's.

    A module counts under each word of its name: `plot`, too, for `course_lib.plot.fields`.
    """
    if isinstance(thing, types.ModuleType):
        return {name, thing.__name__, *thing.__name__.split(".")[1:]}
    module = getattr(thing, "__module__", None) or type(thing).__module__
    home = {module, *module.split(".")[1:]} if module.startswith("course_lib.") else set()
    return {getattr(thing, "__name__", name), *home}


def kind(value):
    """What a value is, to end a sentence with: its shape, or its type, or that a `return` may be missing."""
    import torch

    if value is None:
        return "None. Is a `return` missing?"
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}."
    return f"a `{type(value).__name__}`: {show(value)}."
