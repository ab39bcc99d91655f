"""What one part of a check works with: it calls the answer, makes inputs, and says what was wrong.

A part is written against three things only, so that a check runs alike beside the student's code and with a process
boundary between the two:

- `t.call(...)` calls the answer. Arguments are copied first; values come back plain: numbers, strings,
  containers, tensors, and modules. Nothing else gets through (`plain`).
- `t.random` and `t.tensor(...)` give inputs that follow from the check's seed. Other seeds, other inputs.
- `t.equal`, `t.close` and `t.fail` say what was given, what was expected and what came back.
"""

import contextlib
import io
import random
import re
import warnings
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from .values import NotWritten, NotYet, copied, is_number, kind, plain, same, show, unlike

if TYPE_CHECKING:  # `course_lib` alone imports without torch
    import torch
    from matplotlib.figure import Figure

    Known = Sequence[tuple[Any, str]] | str  # a wrong value, and what it reveals; or what is to be said
    Picture = Callable[[Any, Any], Figure | None]  # draws what came back and what was expected


@contextlib.contextmanager
def quiet(printed):
    """Swallow stdout, stderr and warnings of an answer; the text printed is appended to the list `printed`."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            printed.append(out.getvalue())


@contextlib.contextmanager
def one_thread():
    """Let torch use one thread: a check's tensors are small, and a second thread costs more than it brings."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Trial:
    """One run of one part: what the part gets to work with.

    answer  what the student wrote, a function or a class; here, or a stand-in for one in another process
    seed    with the part's name it decides the inputs
    part    the name
    takes   the names of the answer's arguments, in order, or nothing
    """

    def __init__(self, answer: Callable, seed: int, part: str, takes: Sequence[str] = ()):
        import torch

        self.answer, self.takes, self.printed, self.changed = answer, takes, [], False
        self.returned = False  # whether a call has given back one of its arguments itself
        self.stops = []  # (the sentence, what it is about whatever the input) of each time that the code raised
        mixed = zlib.crc32(f"{seed}/{part}".encode())
        self.random = random.Random(mixed)
        self.generator = torch.Generator().manual_seed(mixed)

    def tensor(self, *shape: int, low: int | None = None, high: int | None = None) -> "torch.Tensor":
        """A float32 tensor: standard normal, or int64 uniform in [low, high) where both are given."""
        import torch

        if low is not None:
            return torch.randint(low, high, shape, generator=self.generator)
        return torch.randn(shape, generator=self.generator)

    # --- asking the answer ----------------------------------------------------------------------------------

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The answer's value for these arguments, as plain data. `t.changed` then says whether it altered them."""
        return plain(self._asked(args, **kwargs)[0])

    def _asked(self, args, **kwargs):
        """(what the answer returned, the copies of `args` that it was given)."""
        sent = copied(args)
        value = self._guarded(self.answer, sent, kwargs)
        self.changed = self.changed or not same(list(sent), list(args))
        from course_lib.models import one_memory

        self.returned = self.returned or any(one_memory(value, a) for a in sent)
        return value, sent

    def each(self, *args: Any) -> Any:
        """As `call`, for an answer of several things: its items one by one, a `NotYet` for each that is no plain data.

        So one of them can be judged where another, such as a function, could not be. Any other answer comes as `call`
        has it.
        """
        value = self._asked(args)[0]
        if type(value) not in (list, tuple):
            return plain(value)
        found = []
        for item in value:
            try:
                found.append(plain(item))
            except NotYet as odd:
                found.append(odd)
        return found

    def raises(self, *args: Any) -> tuple[str, ...]:
        """The names of the exception's class and of its bases where the answer raises for these arguments; else ()."""
        try:
            self.call(*args)
        except NotYet as stop:
            return tuple(kind.__name__ for kind in type(stop.__cause__).__mro__) if stop.__cause__ else ()
        return ()

    def gradients(self, *args: Any) -> "tuple[Any, list[torch.Tensor | None]]":
        """(value, gradients): the answer's value, and of its randomly weighted sum the gradient for each argument.

        The gradient is None for an argument that wants none, and for one that the value does not depend on.
        """
        value, sent = self._asked(args)
        value = plain(value)
        return value, self._pull(value, sent)

    def reached(self, *args: Any) -> "list[torch.Tensor | None]":
        """The gradients of the answer's value, as in `gradients`, for each tensor in lists among the arguments."""
        value, sent = self._asked(args)
        return self._pull(plain(value), [v for a in sent if isinstance(a, list) for v in a])

    def pulled(self, function: Callable, *args: Any) -> "list[torch.Tensor | None]":
        """The gradients that `gradients` would give if the answer were `function`."""
        sent = copied(args)
        return self._pull(function(*sent), sent)

    def _pull(self, value, tensors):
        import torch

        wants = [v for v in tensors if isinstance(v, torch.Tensor) and v.requires_grad]
        found = [None] * len(wants)
        if isinstance(value, torch.Tensor) and value.requires_grad:
            weights = torch.randn(value.shape, generator=torch.Generator().manual_seed(value.numel()))
            found = torch.autograd.grad((value * weights).sum(), wants, allow_unused=True)
        found = iter(found)
        return [next(found) if isinstance(v, torch.Tensor) and v.requires_grad else None for v in tensors]

    def depends(self, args: Sequence, place: int) -> bool:
        """Whether the answer's value is another one when argument number `place`, a tensor, is.

        The values say it, not the answer.
        """
        other = [self.tensor(*a.shape) if i == place else a for i, a in enumerate(copied(args))]
        here, there = ([a.detach() if hasattr(a, "detach") else a for a in given] for given in (args, other))
        return not same(self.call(*here), self.call(*there))

    # --- running a module that it returned ------------------------------------------------------------------

    def run(self, net: "torch.nn.Module", x: Any) -> Any:
        """The output of a module that the answer returned, for x, as plain data."""
        return plain(self._guarded(net, (x,), {}))

    def weight_gradients(self, net: "torch.nn.Module", x: Any) -> "dict[str, torch.Tensor | None]":
        """{name: gradient or None} of a module's weights, for a random weighting of its output on x."""
        names, weights = zip(*net.named_parameters())
        return dict(zip(names, self._pull(self.run(net, x), weights)))

    def layers(self, net: "torch.nn.Module", x: Any) -> list[dict]:
        """The convolutions that run when a module is called on x, in order: dicts of out, kernel, height, width, name.

        The name is the module's own in `net.named_modules()`, None where the net does not know of it.
        """
        if hasattr(net, "layers_run"):  # it lives in another process
            return self._guarded(net.layers_run, (x,), {})
        from course_lib.models import layers_run

        return layers_run(net, lambda: self.run(net, x))

    def _guarded(self, function, args, kwargs):
        """Call into the student's code: silent, seeded, and whatever it raises becomes a sentence."""
        import torch

        with quiet(self.printed), torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)  # the seeds of devices would cost more than most calls
            try:
                return function(*args, **kwargs)
            except NotYet:
                raise
            except Exception as error:
                if isinstance(error, NotImplementedError) and not error.args:
                    raise NotWritten from error  # torch's own, as for a dtype that it does not take, has words
                given = self._arguments(function, args, kwargs)
                what = getattr(error, "ending", None) or f"stopped with {type(error).__name__}: {error}".rstrip(": .")
                self.stops.append((f"For {given} your code {what}.", re.sub(r"\d+", "0", what)))
                raise NotYet(self.stops[-1][0]) from error

    def _arguments(self, function, args, kwargs):
        """A call's arguments, for a message; by their names where they are known, and then their order is said."""
        named, texts = function is self.answer and len(self.takes) >= len(args) > 1, [show(a) for a in args]
        if named:
            texts = [f"{name}={text}" for name, text in zip(self.takes, texts)]
        return ", ".join(texts + [f"{k}={show(v)}" for k, v in kwargs.items()]) + ", in this order," * named

    # --- saying what was wrong ------------------------------------------------------------------------------

    def fail(self, message: str, picture: "Callable[[], Figure | None] | None" = None) -> NoReturn:
        """End the part: `message` says why; `picture` draws it, and is called where the verdict is shown."""
        raise NotYet(message, picture)

    def retold(self, sentence: str, more: str = "") -> NoReturn:
        """Fail for the last exception with a sentence of the check's own; a later part is not told it again."""
        if self.stops:
            self.stops.append((sentence, self.stops[-1][1]))
        self.fail(sentence + more)

    def unchanged(self, what: str, right: str = "", who: str = "your function") -> None:
        """Fail where a call has changed its arguments: "`right`, but `who` changed `what`"."""
        if self.changed:
            self.fail(f"{right}, but {who} changed {what}" if right else f"{who[0].upper()}{who[1:]} changed {what}")

    def explained(self, slips: "Sequence[tuple[Callable, str]]", right: Callable, probes: Sequence[tuple]) -> str:
        """The meaning of the one known mistake that the answer makes, after a space; "" where not just one fits.

        It must give what the answer gives on every probe, and what is not `right` on two of them or more.

        slips   (function, meaning): a function gives, for the arguments of a probe, what the mistake gives
        right   a function that gives what is expected
        probes  arguments, plain data; together they tell the mistakes apart
        """
        said = {slip: meaning for slip, meaning in slips if sum(unlike(slip, right, p) for p in probes) > 1}
        for probe in probes:
            try:
                got = self.call(*probe)
            except (NotYet, NotWritten):
                return ""
            said = {slip: meaning for slip, meaning in said.items() if not unlike(slip, lambda *a: got, probe)}
        return " " + meanings.pop() if len(meanings := set(said.values())) == 1 else ""

    def made(self, *args: Any, what: str = "an `nn.Module`", given: str = "") -> "torch.nn.Module":
        """The module that the answer returns for these arguments; fails where it is something else, and says what."""
        value = self._asked(args)[0]
        try:
            value = plain(value)
        except NotYet:
            name = getattr(value, "facts", {}).get("type", type(value).__name__)
            said = f"{_given(given)}{what} is asked for; your function returned a `{name}`."
            self.fail(said[0].upper() + said[1:])
        return self.module(value, given, what)

    def finite(self, got: Any, given: str = "") -> None:
        """Fail where a tensor holds NaN or an infinite number."""
        bad = ~got.detach().isfinite()
        if bad.any():
            self.fail(f"{_given(given)}{int(bad.sum())} of {bad.numel()} values are NaN or infinite.")

    def new(self, what: str = "tensor") -> None:
        """Fail where a call has returned one of its arguments itself."""
        if self.returned:
            self.fail(f"Your function returns one of its arguments itself, not a new {what}: `.clone()` makes one.")

    def module(self, value: Any, given: str = "", what: str = "an `nn.Module`") -> "torch.nn.Module":
        """`value`; fail unless it is a module."""
        import torch

        if not isinstance(value, torch.nn.Module):
            message = f"{_given(given)}expected {what}, got {kind(value)}"
            self.fail(message[0].upper() + message[1:])
        return value

    def registered(self, layers: list[dict]) -> None:
        """Fail where one of these `layers` that ran is none that PyTorch knows of."""
        unknown = sum(layer["name"] is None for layer in layers)
        if unknown:
            who = "1 convolution runs but is" if unknown == 1 else f"{unknown} convolutions run but are"
            them = "it" if unknown == 1 else "they"
            self.fail(
                f"{who} not in `net.parameters()`, so {them} would never learn. "
                "Make layers in `__init__`, and keep a list of them as an `nn.ModuleList`, not a plain list."
            )

    def whole(self, got: Any, given: str, more: str = "") -> None:
        """Fail for a number that may be right and is no `int`; `more` says how to make one of it."""
        import torch

        if isinstance(got, float) or (isinstance(got, torch.Tensor) and got.numel() == 1):
            found = "float" if isinstance(got, float) else "tensor"
            self.fail(f"For {given}: got {float(got):g} as a {found}; return an `int`. {more}".rstrip())

    def equal(
        self, got: Any, want: Any, given: str = "", known: "Known" = (), picture: "Picture | None" = None
    ) -> None:
        """Fail unless `got` equals `want` exactly.

        known  (a wrong value, what it reveals) in pairs; or what `explained` found
        """
        self.close(got, want, given, known, tolerance=0.0, picture=picture)

    def close(
        self,
        got: Any,
        want: Any,
        given: str = "",
        known: "Known" = (),
        tolerance: float = 1e-4,
        picture: "Picture | None" = None,
    ) -> None:
        """Fail unless `got` agrees with `want` within `tolerance`; `picture` is a function that draws the two."""
        import torch

        if isinstance(want, torch.Tensor) and not isinstance(got, torch.Tensor):
            self.fail(f"{_given(given)}expected a tensor of shape {tuple(want.shape)}, got {kind(got)}")
        if is_number(want) and isinstance(got, torch.Tensor) and got.numel() == 1:
            got = got.item()
        if same(got, want, tolerance):
            return
        pairs = () if isinstance(known, str) else known
        meanings = (" " + meaning for wrong, meaning in pairs if same(got, wrong, tolerance))
        more = known if isinstance(known, str) else next(meanings, "")
        message = _given(given) + _difference(got, want, tolerance) + more
        alike = not isinstance(want, torch.Tensor) or got.shape == want.shape
        self.fail(message, partial(picture, got, want) if picture and alike else None)


def _difference(got, want, tolerance):
    """How `got` is not `want`: shapes where they differ, the worst of many values, else both in full."""
    import torch

    if isinstance(want, torch.Tensor) and got.shape != want.shape:
        return f"expected shape {tuple(want.shape)}, got {tuple(got.shape)}."
    if isinstance(want, torch.Tensor) and want.numel() > 24:
        gap = (got.detach().double() - want.detach().double()).abs()
        where = tuple(int(i) for i in torch.unravel_index(gap.nan_to_num(float("inf")).argmax(), gap.shape))
        return (
            f"the shape is right, but {int((~(gap <= tolerance)).sum())} of {gap.numel()} values differ; "
            f"at {where} {_both(got[where].item(), want[where].item())}"
        )
    return f"expected {show(want)}, got {kind(got)}" if got is None else _both(got, want)


def _both(got, want):
    """Both values, with as many digits as tell the two apart."""
    texts = ((show(want, digits=n), show(got, digits=n)) for n in (3, 6, 9, 17))
    mine, yours = next((pair for pair in texts if pair[0] != pair[1]), (show(want), show(got)))
    return f"expected {mine}, got {yours}."


def _given(given):
    return f"For {given}: " if given else ""
