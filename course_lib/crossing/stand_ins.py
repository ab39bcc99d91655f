"""The side of the check: stand-ins for the student's names. A call on one is a request to the other process.

What comes back is builtin values and plain tensors, whatever the other side did to its own classes and functions.
Gradients flow through a call: backward asks the other side. A module that the student made stands here as a mirror:
the same tree of layers with the same weights, whose every forward is a request.
"""

import copy
import functools
import keyword

import torch
from torch.autograd.function import once_differentiable

from course_lib.checks.core import printable

from . import replies
from .answer import describe, pack_shapes, tensors_in
from .codec import FLOATS, MOST_BYTES, Garbled, Thing, pack, unpack

GARBLED = "sent a garbled answer"
GRADIENTS = [getattr(torch, name) for name in (*FLOATS, "complex64", "complex128")]
MOST_SAID = 2_000  # characters of an exception's message
# bytes that one process may send, of which a message's text counts sixteen times more: it takes long to read
MOST_IN_ALL = 2**29
AT_ONCE = 8  # calls that are forgotten together
PATIENCE = 700  # seconds for a reply; the CPU limit of the other process ends a loop long before


class Lost(Exception):
    """The other process has gone, does not answer, or answers nonsense. `ending` says which, for "your code …"."""

    def __init__(self, ending):
        super().__init__(f"the code {ending}")
        self.ending = ending


def reading(method):
    """Decorator of a `Session`'s method that takes a reply apart: what stops that is a lie, and ends the session."""

    @functools.wraps(method)
    def read(self, *args, **kwargs):
        try:
            return method(self, *args, **kwargs)
        except Lost:
            raise
        except Exception as error:
            raise self._lose(GARBLED) from error

    return read


class Session:
    """One conversation with one answer's process.

    connection  to that process
    names_used  name -> the names that its source refers to
    why         a function that is asked once, when the process has gone: what became of it, for "your code …"
    """

    def __init__(self, connection, names_used=None, why=lambda: "ended the process that it ran in"):
        self.connection, self.names_used, self.why, self.lost = connection, names_used or {}, why, None
        self.heard = 0
        self.mirrors = {}  # number -> Mirror
        self.synced = {}  # number -> (our tensor, its version, whether it wants a gradient) when both sides agreed last
        self.dropped = []  # calls whose gradients nobody can ask for any more

    def ask(self, *request):
        """The reply's value. What the student's code raised is raised here, as an exception of the same name."""
        message = pack(request)
        if self.lost:
            raise Lost(self.lost)
        try:
            self.connection.send_bytes(message)
            if not self.connection.poll(PATIENCE):
                raise self._lose("gave no answer in time")
            data = self.connection.recv_bytes(MOST_BYTES)
            self.heard += len(data) + 16 * int.from_bytes(data[:4], "little")
            if self.heard > MOST_IN_ALL:
                raise self._lose("sent more than can be read in all its answers together")
            reply = unpack(data)
        except Garbled as error:
            raise self._lose(f"sent a garbled answer ({error})") from error
        except (EOFError, OSError) as error:
            raise self._lose(self.why()) from error
        match reply:
            case ("done", value) if self._is(replies.FORMS[request[0]], value):
                return value
            case ("raised", list(kinds), str(text), bool(stub)) if all(type(k) is str for k in kinds):
                raise NotImplementedError if stub else _error(kinds)(text[:MOST_SAID])
        raise self._lose(GARBLED)

    @reading
    def _is(self, form, value):
        return form(value)

    def _lose(self, ending):
        self.lost = printable(ending[: MOST_SAID // 10])
        return Lost(self.lost)

    def look(self, name):
        """What the student's name stands for: a value, or a stand-in for a function or class. Raises KeyError."""
        kind, *rest = self.ask("look", name)
        if kind == "missing":
            raise KeyError(name)
        if kind == "callable":
            return StandIn(self, name)
        value = self.inward(*rest)
        if isinstance(value, Mirror):  # a module that a check will call
            value.names_used = self.names_used.get(name, set())
        return value

    # --- calls ----------------------------------------------------------------------------------------------

    def call(self, name, args, kwargs):
        built = []
        request = ("call", name, self.outward(args, built), self.outward(kwargs, built))
        return self._finish(self.ask(*request), args, kwargs, built)

    def run(self, mirror, args, kwargs):
        built = []
        request = (mirror._number, self.outward(args, built), self.outward(kwargs, built))
        return self._finish(self.ask("run", *request, *self.news(mirror)), args, kwargs, built, mirror)

    def layers(self, mirror, x):
        """What `Trial.layers` says, asked where the module is."""
        found = self.ask("layers", mirror._number, x, *self.news(mirror))
        if not self._agree(found, dict(mirror.named_modules())):
            raise self._lose(GARBLED)
        return found

    @reading
    def _agree(self, layers, known):
        return all(layer["name"] is None or _agrees(layer, known.get(layer["name"])) for layer in layers)

    @reading
    def _finish(self, reply, args, kwargs, built, mirror=None):
        """What a call gives here, once all that it did over there has been done here too.

        reply         of the other side, as `answer.Far` makes it
        args, kwargs  of the call
        built         our own modules among them
        mirror        of the module that was called, None for a function
        """
        print(reply["printed"], end="")
        if len(reply["modules"]) != len(built) or len(reply["sent"]) != len(built):
            raise self._lose(GARBLED)
        if reply["args"] is not None:
            _write_back(args, reply["args"])
        for module, changed in zip(built, reply["modules"]):
            if changed is not None:
                self._refresh(module, changed)
        for module, numbers in zip(built, reply["sent"]):  # what comes back may hold the very tensors that went
            for tensor, number in zip((*module.parameters(), *module.buffers()), numbers):
                self._sync(number, tensor)
        if mirror is not None:
            for number, held in mirror.numbered_tensors():
                if number in reply["buffers"] and not isinstance(held, torch.nn.Parameter):
                    held.data = reply["buffers"][number].detach()
                    self._sync(number, held)
        if len(self.dropped) > AT_ONCE:
            self.ask("forget", [self.dropped.pop() for _ in range(AT_ONCE)])
        value, sent = reply["value"], tensors_in((args, kwargs))
        if reply["given"] is not None and reply["given"] < len(sent):
            return sent[reply["given"]]  # an argument itself, as here
        outputs = [t for t in tensors_in(value) if t.requires_grad]
        if outputs:
            weights = () if mirror is None else mirror.parameters()
            wanted = [t for t in (*tensors_in((args, kwargs)), *weights) if t.requires_grad]
            tied = iter(tie(self, reply["call"], outputs, wanted))
            value = _map_tensors(value, lambda t: next(tied) if t.requires_grad else t)
        return self.inward(value)

    def _sync(self, number, tensor):
        """Note that both sides agree on the tensor of that number."""
        self.synced[number] = (tensor, tensor._version, tensor.requires_grad)

    def news(self, mirror):
        """({number: tensor}, {number: mode}) of a mirror: what the other side has not heard yet."""
        pushed = {}
        for number, tensor in mirror.numbered_tensors():
            if not _is_as_noted(tensor, self.synced.get(number)):
                pushed[number] = tensor.detach().requires_grad_(tensor.requires_grad)
                self._sync(number, tensor)
        modes = {m._number: m.training for m in mirror.modules() if isinstance(m, Mirror)}
        return pushed, modes

    # --- values ---------------------------------------------------------------------------------------------

    def outward(self, value, built):
        """A check's value as it can be sent; its own modules go as descriptions and are listed in `built`."""
        if isinstance(value, Mirror):
            return Thing("held", {"number": value._number})
        if isinstance(value, torch.nn.Module):
            built.append(value)
            return describe(value, id, lambda tensor: (id(tensor), tensor, None))
        if isinstance(value, (list, tuple)):
            return type(value)(self.outward(v, built) for v in value)
        if isinstance(value, dict):
            return {k: self.outward(v, built) for k, v in value.items()}
        return value

    @reading
    def inward(self, value):
        if isinstance(value, Thing):
            if replies.module(value):
                return self.mirror(value.facts)
            if value.kind != "odd":
                raise self._lose(GARBLED)
            if value.facts.get("type") == "ndarray":
                return torch.zeros(0).numpy()
            return type(_name(value.facts.get("type")), (), {})()
        if isinstance(value, (list, tuple)):
            return type(value)(self.inward(v) for v in value)
        if isinstance(value, dict):
            return {k: self.inward(v) for k, v in value.items()}
        return value

    def mirror(self, facts):
        """The mirror of a module of the other side; one module has one mirror."""
        number = facts["number"]
        if number in self.mirrors and self.mirrors[number].described == facts_of(facts):
            self._values(self.mirrors[number], facts)
            return self.mirrors[number]
        made = self.mirrors[number] = _bare(self, facts)
        for key, found in facts["parameters"].items():
            made.register_parameter(key, None if found is None else self._parameter(*found))
            if found is not None:
                self._note(made, key, found[0])
        for key, found in facts["buffers"].items():
            made.register_buffer(key, None if found is None else found[1], persistent=found is None or found[3])
            if found is not None:
                self._note(made, key, found[0])
        for key, child in facts["children"].items():
            made.add_module(key, None if child is None else self.mirror(child.facts))
        made.training = facts["training"]
        return made

    def _parameter(self, number, value, twin):
        """What stands here for a parameter: the one that does already, or a new one, on its twin's memory if any."""
        if number in self.synced:
            return self.synced[number][0]
        held = self.synced[twin][0].detach().view(value.shape) if twin in self.synced else value.detach()
        return torch.nn.Parameter(held, value.requires_grad)

    def _note(self, mirror, key, number):
        """Give a mirror's tensor the number that it has on the other side, where it is the same now."""
        mirror._numbers[key] = number
        self._sync(number, getattr(mirror, key))

    def _values(self, known, facts):
        """Bring a mirror that exists up to the other side's values."""
        for key, found in (facts["parameters"] | facts["buffers"]).items():
            if found is not None:
                held = getattr(known, key)
                held.data = found[1].detach()
                self._sync(found[0], held)
        for key, child in facts["children"].items():
            if child is not None:
                self.mirror(child.facts)
        known.training = facts["training"]

    def _refresh(self, module, described):
        """Show in a check's own module what the student's code did to it."""
        fresh = self.mirror(described.facts)
        if _layout(module) != _layout(fresh):
            module._modules, module._parameters, module._buffers = fresh._modules, fresh._parameters, fresh._buffers
            return
        mine, theirs = _tensors(module), _tensors(fresh)
        with torch.no_grad():
            for key in mine:
                mine[key].copy_(theirs[key])
        for a, b in zip(module.modules(), fresh.modules()):
            a.training = b.training
            settings = {k: v for k, v in vars(b).items() if k in vars(a) and not k.startswith("_") and k != "training"}
            vars(a).update(settings)


class StandIn:
    """What a check is given in place of the student's function or class."""

    def __init__(self, session, name):
        self._session, self.__name__ = session, name
        self.names_used = session.names_used.get(name, set())

    def __call__(self, *args, **kwargs):
        return self._session.call(self.__name__, args, kwargs)


class Mirror(torch.nn.Module):
    """A module of the other process. Its layers and weights can be read and set; its forward is a request."""

    def forward(self, *args, **kwargs):
        return self._session.run(self, args, kwargs)

    def layers_run(self, x):
        return self._session.layers(self, x)

    def numbered_tensors(self):
        """(number, tensor) of every parameter and buffer, its own and its children's."""
        for module in self.modules():
            for key, number in getattr(module, "_numbers", {}).items():
                tensor = getattr(module, key, None)
                if isinstance(tensor, torch.Tensor):
                    yield number, tensor

    def __deepcopy__(self, memo):
        made = memo[id(self)] = type(self).__new__(type(self))
        vars(made).update({k: v if k == "_session" else copy.deepcopy(v, memo) for k, v in vars(self).items()})
        return made


class _End:
    """Notes when the last of a call's values has gone."""

    def __init__(self, dropped, call):
        self.dropped, self.call = dropped, call

    def __del__(self):
        self.dropped.append(self.call)


class _Across(torch.autograd.Function):
    """Values that came from the other process, tied to what went there: backward asks it for the gradients."""

    @staticmethod
    def forward(ctx, session, call, values, *wanted):
        ctx.session, ctx.call, ctx.shapes = session, call, [w.shape for w in wanted[1:]]
        ctx.end = _End(session.dropped, call)
        return tuple(values)

    @staticmethod
    @once_differentiable
    def backward(ctx, *gradients):
        found = ctx.session.ask("backward", ctx.call, list(gradients))
        if len(found) != len(ctx.shapes):
            raise ctx.session._lose(GARBLED)
        for i, shape in enumerate(ctx.shapes):
            if found[i] is not None and (found[i].shape != shape or found[i].dtype not in GRADIENTS):
                found[i] = torch.full(shape, torch.nan)  # of an argument that was resized in place, or a lie
        return (None, None, None, None, *found)


def tie(session, call, outputs, wanted):
    """The tensors `outputs`, so that their gradients reach `wanted`. A dummy lets them want gradients without any."""
    return _Across.apply(session, call, [t.detach() for t in outputs], torch.zeros(0, requires_grad=True), *wanted)


# --- values and modules -------------------------------------------------------------------------------------


def _is_as_noted(tensor, noted):
    """Whether nobody touched a tensor since it was noted in `Session.synced`; None: it never was."""
    return noted is not None and noted[0] is tensor and noted[1:] == (tensor._version, tensor.requires_grad)


def _map_tensors(value, change):
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, (list, tuple)):
        return type(value)(_map_tensors(v, change) for v in value)
    if isinstance(value, dict):
        return {k: _map_tensors(v, change) for k, v in value.items()}
    return value


def _write_back(mine, theirs):
    """Do to a check's arguments what the student's code did to its copies."""
    if isinstance(mine, torch.Tensor) and isinstance(theirs, torch.Tensor):
        if mine.shape == theirs.shape and mine.dtype == theirs.dtype:
            with torch.no_grad():
                mine.copy_(theirs)
        else:
            mine.data = theirs.detach()
    elif isinstance(mine, (list, dict)) and pack_shapes(mine) != pack_shapes(theirs):
        mine.clear()
        mine.extend(theirs) if isinstance(mine, list) else mine.update(theirs)
    elif isinstance(mine, (list, tuple, dict)):
        for a, b in zip(*(v.values() if isinstance(v, dict) else v for v in (mine, theirs))):
            _write_back(a, b)


def facts_of(facts):
    """A described module's build: types, settings, names and shapes, without its values."""
    shapes = [(k, v and tuple(v[1].shape)) for part in ("parameters", "buffers") for k, v in facts[part].items()]
    children = [(k, c and facts_of(c.facts)) for k, c in facts["children"].items()]
    return [facts["type"], facts["settings"], shapes, children]


def _bare(session, facts):
    """A mirror without tensors and layers, of the class of torch.nn that the other side's module is of."""
    name, home = _name(facts["type"]), str(facts["path"])
    base = getattr(torch.nn, name, torch.nn.Module) if home.startswith("torch.nn.modules.") else torch.nn.Module
    bases = (Mirror,) if base is torch.nn.Module else (Mirror, base)
    made = object.__new__(type(name, bases, {"__module__": __name__}))
    torch.nn.Module.__init__(made)
    made._session, made._number, made.described, made._numbers = session, facts["number"], facts_of(facts), {}
    for key, value in facts["settings"].items():
        if _name(key) == key and not hasattr(Mirror, key) and key not in vars(made):
            vars(made)[key] = value
    return made


def _agrees(layer, held):
    """Whether what is said of a layer that ran agrees with what a mirror holds under its name, None for nothing."""
    weight = getattr(held, "weight", None)
    if held is None or weight is None:
        return held is not None
    if weight.dim() != 4 or weight.shape[2] != layer["kernel"]:
        return False
    return layer["out"] in (weight.shape[0], weight.shape[1]) or held.groups != 1


def _tensors(module):
    """{name: parameter or buffer} of a module, its own and its layers'."""
    return dict(module.named_parameters()) | dict(module.named_buffers())


def _layout(module):
    """A module's layers by name and class, and its tensors by name and shape."""
    layers = [(name, type(layer).__name__) for name, layer in module.named_modules()]
    return layers, {name: tensor.shape for name, tensor in _tensors(module).items()}


def _name(text):
    """A text of the other side as a name for a class."""
    fits = type(text) is str and text.isidentifier() and not keyword.iskeyword(text) and len(text) < 80
    return text if fits else "Thing"


def _error(kinds):
    """An exception class of that name, with bases of the other names."""
    made = Exception
    for kind in reversed(kinds[:20]):
        if kind not in ("object", "BaseException", "Exception"):
            made = type(_name(kind), (made,), {})
    return made
