"""The side of the answer: it holds the student's names, does what the other side asks for, and replies in plain values.

One request, one reply, both in `codec`'s format, over a `multiprocessing.connection.Connection` (its bytes, not its
pickles). A request is a tuple, its name first. A reply is `("done", value)`, or for an exception `("raised", names of
its class and bases, message, whether it is a stub's)`.
"""

import contextlib
import importlib
import io
import itertools
import sys
import warnings

import numpy
import torch
from IPython.core.inputtransformer2 import TransformerManager
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

from course_lib.models.shapes import layers_run, one_memory

from . import references
from .codec import Garbled, Thing, pack, unpack

BUILT_FROM = ("torch.nn.", "course_lib.models")  # classes that a module sent by a check may consist of
MOST_PRINTED = 20_000  # characters of a call's output that go back


def notebook_shell():
    """What runs a cell as Jupyter would, but draws no pictures of results: nobody will look at them."""
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    shell.display_formatter.active_types = ["text/plain"]
    return shell


class Far:
    """What one answer's process keeps.

    scope  the names of the student's notebook
    shell  what runs its cells; made when it is needed
    """

    def __init__(self, scope, shell=None):
        self.scope, self._shell, self.statements = scope, shell, []
        self.things, self.numbers = [], {}  # modules and tensors that were shown to the other side, and id -> place
        self.calls = {}  # a call's number -> (outputs, what these may have gradients for)
        self.count = itertools.count()
        self.first = {}  # memory -> the number of the first tensor that was seen to lie there

    def serve(self, connection):
        """Answer requests until the other side hangs up."""
        while True:
            try:
                request = unpack(connection.recv_bytes())
            except EOFError:
                return
            connection.send_bytes(self.reply(request))

    def reply(self, request):
        name, *rest = request
        try:
            return pack(("done", getattr(self, f"do_{name}")(*rest)))
        except BaseException as error:  # the student's, SystemExit too, or a value that can't be sent
            kinds = [kind.__name__ for kind in type(error).__mro__]
            is_stub = isinstance(error, NotImplementedError) and not error.args
            return pack(("raised", kinds, str(error)[:MOST_PRINTED], is_stub))

    # --- requests -------------------------------------------------------------------------------------------

    def do_look(self, name):
        """What a name stands for: ("missing",), ("callable",) or ("value", value)."""
        if name not in self.scope:
            return ("missing",)
        thing = self.scope[name]
        return ("callable",) if callable(thing) and not self._is_module(thing) else ("value", self.outward(thing))

    def do_cell(self, source):
        """Run a notebook's cell, magics and all, as Jupyter would.

        Returns {"printed": text, "raised": "Type: message" or None}.
        """
        shell = self._shell = self._shell or notebook_shell()
        if shell.user_ns is not self.scope:
            shell.user_ns.update(self.scope)
            self.scope = shell.user_ns
        with capture_output(display=True) as seen:
            result = shell.run_cell(source, store_history=False)
        error = result.error_before_exec or result.error_in_exec
        return {
            "printed": (seen.stdout + seen.stderr)[:MOST_PRINTED],
            "raised": error and f"{type(error).__name__}: {error}"[:MOST_PRINTED],
        }

    def do_read(self, source):
        """Take a cell's text apart before any is run: what it holds can harm this process only."""
        try:
            self.statements += references.statements_of(TransformerManager().transform_cell(source))
        except (RecursionError, MemoryError):
            raise
        except (SyntaxError, ValueError, RuntimeError):
            pass  # it will not run either

    def do_reached(self, name):
        return sorted(references.reached(self.statements, name))

    def do_call(self, name, args, kwargs):
        return self._run(self.scope[name], args, kwargs)

    def do_run(self, number, args, kwargs, pushed, training):
        self._take(pushed, training)
        return self._run(self.things[number], args, kwargs, self.things[number])

    def do_layers(self, number, x, pushed, training):
        self._take(pushed, training)
        net = self.things[number]
        return layers_run(net, lambda: self._run(net, (x,), {}))

    def do_backward(self, call, gradients):
        outputs, wanted = self.calls[call]
        if not wanted:
            return []
        return list(torch.autograd.grad(outputs, wanted, gradients, allow_unused=True, retain_graph=True))

    def do_forget(self, calls):
        for call in calls:
            self.calls.pop(call, None)

    # --- calls ----------------------------------------------------------------------------------------------

    def _run(self, function, args, kwargs, net=None):
        """Call a function, or the module `net`; what the other side has to know of it, as `stand_ins` reads it.

        value    what it gave
        printed  what it printed
        call     the number under which `backward` asks for its gradients
        args     the positional arguments where it changed some, else None
        modules  of the modules among the arguments, as they are now; None for one that did not change
        sent     the numbers of their tensors
        buffers  {number: tensor} of the buffers of `net` that changed
        given    which of the arguments' tensors came back as the value, None for none
        """
        built = []
        args, kwargs = self.inward(args, built), self.inward(kwargs, built)
        tensors, shapes = [v.detach().clone() for v in tensors_in((args, kwargs))], pack_shapes(args)
        modules = self.outward_state(built)
        sent = [[self.tensor_of(t)[0] for t in (*m.parameters(), *m.buffers())] for m in built]
        wanted = [v for v in tensors_in((args, kwargs)) if v.requires_grad]
        # copies: batch norm's means keep their _version
        buffers = {number: t.detach().clone() for number, t in self._buffers(net)}
        value, printed = call(function, args, kwargs)
        given = next((i for i, t in enumerate(tensors_in((args, kwargs))) if one_memory(value, t)), None)
        outputs, number = [], next(self.count)
        value = self.outward(value, outputs)
        if outputs:
            wanted += [p for p in net.parameters() if p.requires_grad] if net is not None else []
            self.calls[number] = (outputs, wanted)
        same = pack_shapes(args) == shapes and all(map(alike, tensors_in((args, kwargs)), tensors))
        now = self.outward_state(built)
        return {
            "value": value,
            "printed": printed,
            "call": number,
            "args": None if same else self.outward(args),
            "modules": [None if a == b else self.describe(m) for m, a, b in zip(built, modules, now)],
            "sent": sent,
            "buffers": {n: t for n, t in self._buffers(net) if n not in buffers or not alike(t, buffers[n])},
            "given": given,
        }

    def _buffers(self, net):
        return [] if net is None else [(self.number_of(b), b) for b in net.buffers()]

    def _take(self, pushed, training):
        """Give tensors the values, and modules the mode, that they have on the other side."""
        with torch.no_grad():
            for number, value in pushed.items():
                mine = self.things[number]
                mine.data = value.detach().to(mine.dtype)
                mine.requires_grad_(value.requires_grad)
        for number, mode in training.items():
            self.things[number].training = mode

    # --- values ---------------------------------------------------------------------------------------------

    def _is_module(self, thing):
        return isinstance(thing, torch.nn.Module)

    def number_of(self, thing):
        """A number that stands for a module, a parameter or a buffer as long as this process lives."""
        if id(thing) not in self.numbers:
            self.numbers[id(thing)] = len(self.things)
            self.things.append(thing)
        return self.numbers[id(thing)]

    def tensor_of(self, tensor):
        """(number, tensor, twin): what describes a parameter or buffer. The twin is that of another with its memory."""
        number, whole = self.number_of(tensor), tensor.as_subclass(torch.Tensor)
        place = whole.untyped_storage().data_ptr()
        first = self.first.get(place, number) if whole.numel() else number
        if self.things[first].untyped_storage().data_ptr() != place:  # it had that memory once, and gave it back
            first = number
        self.first[place] = first
        alike = first != number and self.things[first].numel() == whole.numel() and whole.is_contiguous()
        return (number, whole, first if alike else None)

    def outward(self, value, outputs=None):
        """`value` as it can be sent. Tensors that want gradients are listed in `outputs`, in order."""
        if value is None or type(value) in (bool, int, float, complex, str):
            return value
        if isinstance(value, torch.nn.Module):
            return self.describe(value)
        if isinstance(value, torch.Tensor):
            value = value.as_subclass(torch.Tensor)
            if outputs is not None and value.requires_grad:
                outputs.append(value)
            return value
        if isinstance(value, numpy.generic):
            return value.item()
        if isinstance(value, (list, tuple, torch.Size)):
            items = [self.outward(v, outputs) for v in value]
            return items if isinstance(value, list) else tuple(items)
        if isinstance(value, dict):
            return {self.outward(k): self.outward(v, outputs) for k, v in value.items()}
        for kind in (bool, int, float, str):
            if isinstance(value, kind):
                return kind(value)
        return Thing("odd", {"type": type(value).__name__, "module": type(value).__module__})

    def describe(self, module):
        return describe(module, self.number_of, self.tensor_of)

    def outward_state(self, built):
        """Something that differs when a module that came as an argument was changed."""
        return [(signature(m), [(id(t), t._version) for t in (*m.parameters(), *m.buffers())]) for m in built]

    def inward(self, value, built):
        if isinstance(value, Thing):
            if value.kind == "held":
                return self.things[value.facts["number"]]
            built.append(build(value.facts))
            return built[-1]
        if isinstance(value, (list, tuple)):
            return type(value)(self.inward(v, built) for v in value)
        if isinstance(value, dict):
            return {k: self.inward(v, built) for k, v in value.items()}
        return value


def call(function, args, kwargs):
    """(what it gives, what it prints) of a call without warnings, from one seed."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            value = function(*args, **kwargs)
    return value, out.getvalue()[:MOST_PRINTED]


def alike(a, b):
    """Whether two tensors hold the same values, NaN like NaN."""
    return a.shape == b.shape and a.dtype == b.dtype and bool(((a == b) | ((a != a) & (b != b))).all())


def pack_shapes(value):
    """The containers of `value` with its numbers and texts, tensors left out: differs when one was changed."""
    if isinstance(value, (list, tuple)):
        return [type(value).__name__, *(pack_shapes(v) for v in value)]
    if isinstance(value, dict):
        return ["dict", *((repr(k), pack_shapes(v)) for k, v in value.items())]
    return "tensor" if isinstance(value, (torch.Tensor, torch.nn.Module)) else repr(value)


def tensors_in(value):
    """The tensors of nested containers, in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [t for v in inner for t in tensors_in(v)]


# --- modules as descriptions --------------------------------------------------------------------------------


def signature(module):
    """The build of a module without its numbers: names, types, plain settings."""
    found = []
    for name, m in module.named_modules():
        plain = sorted((k, repr(v)) for k, v in settings(m).items())
        found.append((name, type(m).__name__, plain, sorted(m._parameters), m.training))
    return found


def settings(module):
    """A module's own plain attributes, such as a convolution's kernel_size."""
    hidden = vars(torch.nn.Module())
    return {k: v for k, v in vars(module).items() if k not in hidden and _is_plain(v)}


def _is_plain(value):
    if isinstance(value, (list, tuple)):
        return type(value) in (list, tuple) and all(map(_is_plain, value))
    return value is None or type(value) in (bool, int, float, str)


def describe(module, number_of, tensor_of):
    """A module as a `Thing`: its class, its settings, its tensors, its children."""
    parameters, buffers, children = module._parameters.items(), module._buffers.items(), module._modules.items()
    unsaved = getattr(module, "_non_persistent_buffers_set", set())
    facts = {
        "number": number_of(module),
        "type": type(module).__name__,
        "path": f"{type(module).__module__}.{type(module).__qualname__}",
        "training": module.training,
        "settings": settings(module),
        "parameters": {k: None if p is None else tensor_of(p) for k, p in parameters},
        "buffers": {k: None if b is None else (*tensor_of(b), k not in unsaved) for k, b in buffers},
        "children": {k: None if c is None else describe(c, number_of, tensor_of) for k, c in children},
    }
    return Thing("module", facts)


def build(facts, made=None):
    """The module that a check described, of torch.nn's classes and course_lib's; `Garbled` for others."""
    made = {} if made is None else made
    if facts["number"] in made:
        return made[facts["number"]]
    home, _, name = facts["path"].rpartition(".")
    if not facts["path"].startswith(BUILT_FROM):
        raise Garbled(f"a check may send modules of torch.nn's classes, not of {facts['path']}")
    kind = getattr(sys.modules.get(home) or importlib.import_module(home), name)
    module = made[facts["number"]] = kind.__new__(kind)
    torch.nn.Module.__init__(module)
    vars(module).update(facts["settings"])
    for k, p in facts["parameters"].items():
        if p is not None and ("tensor", p[0]) not in made:
            made["tensor", p[0]] = torch.nn.Parameter(p[1].detach().clone(), requires_grad=p[1].requires_grad)
        module.register_parameter(k, None if p is None else made["tensor", p[0]])
    for k, b in facts["buffers"].items():
        module.register_buffer(k, None if b is None else b[1].detach().clone(), persistent=b is None or b[3])
    for k, child in facts["children"].items():
        module.add_module(k, None if child is None else build(child.facts, made))
    module.training = facts["training"]
    return module
