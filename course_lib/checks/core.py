"""How a check works: an exercise has named parts, each part passes or says why not, and the verdict shows itself.

A lesson's checks live in `lesson_NN.py`. Each one is written against three things only, so that a check
runs alike beside the student's code and with a process boundary between the two:

- `t.call(...)` calls the answer. Arguments are copied first; values come back plain: numbers, strings,
  containers, tensors, and modules. Nothing else gets through (`plain`).
- `t.random` and `t.tensor(...)` give inputs that follow from the check's seed. Other seeds, other inputs.
- `t.equal`, `t.close` and `t.fail` say what was given, what was expected and what came back.
"""

import contextlib
import dis
import html
import io
import json
import math
import random
import re
import types
import warnings
import zlib
from dataclasses import dataclass, field, replace

from . import quiz as quizzes

NOT_ATTEMPTED, NOT_YET, PASSED = "not attempted", "not yet", "passed"


class NotYet(Exception):
    """A part does not hold yet. `message` is for the student; `picture` is a matplotlib Figure or None."""

    def __init__(self, message, picture=None):
        super().__init__(message)
        self.message, self.picture = message, picture


# --- values that may pass between an answer and a check -----------------------------------------------------


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
    raise NotYet(f"Your answer is a `{type(value).__name__}`. A check takes numbers, text, lists, tuples, dicts, tensors.")


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
        a, b = a.detach().to("cpu", torch.float64), b.detach().to("cpu", torch.float64)
        return bool(torch.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True))
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(same(x, y, tolerance) for x, y in zip(a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k], tolerance) for k in a)
    if _number(a) and _number(b):
        return a == b or abs(a - b) <= tolerance * max(1.0, abs(b)) or (a != a and b != b)
    return type(a) is type(b) and a == b


def _number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def show(value, limit=160):
    """A short text for a plain value, for messages: small tensors in full, large ones by shape."""
    import torch

    if isinstance(value, torch.Tensor):
        kind = str(value.dtype).removeprefix("torch.")
        if value.numel() <= 24:
            digits = value.detach().to("cpu", torch.float64)
            text = str((digits * 1000).round().div(1000).tolist()) if value.is_floating_point() else str(value.tolist())
            return f"{kind} tensor {text}" if value.dim() else f"{kind} tensor({text})"
        return f"{kind} tensor of shape {tuple(value.shape)}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (list, tuple)):
        inner = ", ".join(show(v, limit) for v in value)
        text = f"[{inner}]" if isinstance(value, list) else f"({inner}{',' if len(value) == 1 else ''})"
    else:
        text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def names_used(thing, seen=None):
    """Every name that a function or class refers to: globals, attributes, and what its own helpers refer to.

    Read from code objects, so comments and strings don't count. A name bound to something with another
    `__name__` (an alias) counts under both.
    """
    seen = set() if seen is None else seen
    if id(thing) in seen:
        return set()
    seen.add(id(thing))
    if isinstance(thing, type):
        found = {base.__name__ for base in thing.__mro__[1:-1]}
        members = [m for m in vars(thing).values() if isinstance(m, (types.FunctionType, staticmethod, classmethod, type))]
        for member in members:
            found |= names_used(getattr(member, "__func__", member), seen)
        return found
    thing = getattr(thing, "__wrapped__", getattr(thing, "func", thing))
    code, scope = getattr(thing, "__code__", None), getattr(thing, "__globals__", {})
    if code is None:
        return {getattr(thing, "__name__", "")}
    found, names, stack, home = set(), set(), [code], getattr(thing, "__module__", None)
    while stack:
        code = stack.pop()
        for step in dis.get_instructions(code):
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                names.add(step.argval)
            elif isinstance(step.argval, str) and step.opname.startswith(("LOAD_ATTR", "LOAD_METHOD", "IMPORT")):
                found.add(step.argval)
        stack += [c for c in code.co_consts if isinstance(c, types.CodeType)]
    for name in names:
        other = scope.get(name)
        if isinstance(other, (types.FunctionType, type)) and other.__module__ == home:
            found |= names_used(other, seen)  # the answer's own helper, whatever it is called
        else:
            found |= {name} if isinstance(other, types.ModuleType) else {name, getattr(other, "__name__", name)}
    return found


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


# --- one run of one part ------------------------------------------------------------------------------------


class Trial:
    """What a part gets to work with. `t.call(...)` calls the answer; `t.random` and `t.tensor` make inputs."""

    def __init__(self, answer, seed, part):
        import torch

        self.answer, self.printed, self.changed = answer, [], False
        mixed = zlib.crc32(f"{seed}/{part}".encode())
        self.random = random.Random(mixed)
        self.generator = torch.Generator().manual_seed(mixed)

    def tensor(self, *shape, low=None, high=None):
        """A float32 tensor: standard normal, or int64 uniform in [low, high) where both are given."""
        import torch

        if low is not None:
            return torch.randint(low, high, shape, generator=self.generator)
        return torch.randn(shape, generator=self.generator)

    def call(self, *args, **kwargs):
        """The answer's value for these arguments, as plain data. `t.changed` then says whether it altered them."""
        sent = copied(args)
        value = self._guarded(self.answer, sent, kwargs)
        self.changed = self.changed or not same(list(sent), list(args))
        return plain(value)

    def gradients(self, *args):
        """(value, gradients): the answer's value, and of its randomly weighted sum the gradient for each argument.

        The gradient is None for an argument that wants none, and for one that the value does not depend on.
        """
        sent = copied(args)
        value = plain(self._guarded(self.answer, sent, {}))
        self.changed = self.changed or not same(list(sent), list(args))
        return value, self._pull(value, sent)

    def _pull(self, value, tensors):
        import torch

        wants = [v for v in tensors if isinstance(v, torch.Tensor) and v.requires_grad]
        found = [None] * len(wants)
        if isinstance(value, torch.Tensor) and value.requires_grad:
            weights = torch.randn(value.shape, generator=torch.Generator().manual_seed(value.numel()))
            found = torch.autograd.grad((value * weights).sum(), wants, allow_unused=True)
        found = iter(found)
        return [next(found) if isinstance(v, torch.Tensor) and v.requires_grad else None for v in tensors]

    def run(self, net, x):
        """The output of a module that the answer returned, for x, as plain data."""
        return plain(self._guarded(net, (x,), {}))

    def weight_gradients(self, net, x):
        """{name: gradient or None} of a module's weights, for a random weighting of its output on x."""
        names, weights = zip(*net.named_parameters())
        return dict(zip(names, self._pull(self.run(net, x), weights)))

    def layers(self, net, x):
        """The convolutions that run when a module is called on x, in order: dicts of out, kernel, height, width, registered."""
        import torch
        from torch.nn.modules.module import register_module_forward_hook

        seen, known, kinds = [], set(net.modules()), (torch.nn.Conv2d, torch.nn.ConvTranspose2d)

        def note(module, _, out):
            if isinstance(module, kinds):
                seen.append(dict(out=out.shape[1], kernel=module.kernel_size[0], height=out.shape[-2], width=out.shape[-1],
                                 registered=module in known))

        hook = register_module_forward_hook(note)
        try:
            self.run(net, x)
        finally:
            hook.remove()
        return seen

    def _guarded(self, function, args, kwargs):
        """Call into the student's code: silent, seeded, and whatever it raises becomes a sentence."""
        import torch

        with quiet(self.printed), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            try:
                return function(*args, **kwargs)
            except (NotImplementedError, NotYet):
                raise
            except Exception as error:
                given = ", ".join([show(a) for a in args] + [f"{k}={show(v)}" for k, v in kwargs.items()])
                what = f"{type(error).__name__}: {error}".rstrip(": .")
                raise NotYet(f"For {given} your code stopped with {what}.") from error

    def fail(self, message, picture=None):
        raise NotYet(message, picture)

    def equal(self, got, want, given="", known=(), picture=None):
        """Fail unless `got` equals `want` exactly. `known` pairs a wrong value with what it reveals."""
        self.close(got, want, given, known, tolerance=0.0, picture=picture)

    def close(self, got, want, given="", known=(), tolerance=1e-4, picture=None):
        """Fail unless `got` agrees with `want` within `tolerance`; `picture` is a function that draws the two."""
        import torch

        if isinstance(want, torch.Tensor) and not isinstance(got, torch.Tensor):
            self.fail(f"{_given(given)}expected a tensor of shape {tuple(want.shape)}, got {kind(got)}")
        if _number(want) and isinstance(got, torch.Tensor) and got.numel() == 1:
            got = got.item()
        if same(got, want, tolerance):
            return
        if isinstance(want, torch.Tensor) and got.shape != want.shape:
            lines = f"{_given(given)}expected shape {tuple(want.shape)}, got {tuple(got.shape)}."
        elif isinstance(want, torch.Tensor) and want.numel() > 24:
            gap = (got.detach().double() - want.detach().double()).abs()
            where = tuple(int(i) for i in torch.unravel_index(gap.nan_to_num(float("inf")).argmax(), gap.shape))
            lines = (f"{_given(given)}the shape is right, but {int((gap > tolerance).sum())} of {gap.numel()} values differ; "
                     f"at {where} expected {show(want[where].item())}, got {show(got[where].item())}.")
        elif got is None:
            lines = f"{_given(given)}expected {show(want)}, got {kind(got)}"
        else:
            lines = f"{_given(given)}expected {show(want)}, got {show(got)}."
        for wrong, meaning in known:
            if same(got, wrong, tolerance):
                lines += " " + meaning
                break
        alike = not isinstance(want, torch.Tensor) or got.shape == want.shape
        self.fail(lines, picture(got, want) if picture and alike else None)


def _given(given):
    return f"For {given}: " if given else ""


def kind(value):
    """What a value is, to end a sentence with: its shape, or its type, or that a `return` may be missing."""
    import torch

    if value is None:
        return "None. Is a `return` missing?"
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}."
    return f"a `{type(value).__name__}`: {show(value)}."


# --- verdicts -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Result:
    """One named part's outcome. `picture` is PNG bytes or None."""

    part: str
    points: float
    outcome: str
    message: str = ""
    picture: bytes | None = field(default=None, repr=False)


class Verdict:
    """What a check returns. It shows itself as feedback; its plain text is its points, which nbgrader reads.

    `a & b` joins two verdicts of one exercise: a part passes where it passed in both.
    """

    def __init__(self, name, results, printed="", hint=""):
        self.name, self.results, self.printed, self._hint = name, tuple(results), printed, hint

    @property
    def outcome(self):
        outcomes = {r.outcome for r in self.results}
        return NOT_YET if len(outcomes) != 1 else outcomes.pop()

    @property
    def max_points(self):
        return sum(r.points for r in self.results)

    @property
    def points(self):
        """Points earned: finite, from 0 to `max_points`."""
        earned = round(sum(r.points for r in self.results if r.outcome == PASSED), 4)
        return max(0.0, min(earned, self.max_points)) if math.isfinite(earned) else 0.0

    def __and__(self, other):
        if not isinstance(other, Verdict) or [r.part for r in self.results] != [r.part for r in other.results]:
            raise TypeError("Join two verdicts of the same exercise.")
        joined = []
        for a, b in zip(self.results, other.results):
            if a.outcome == PASSED and b.outcome != PASSED:
                b = replace(b, message="On an input that you have not seen. " + b.message)
            joined.append(b if a.outcome == PASSED else a)
        return Verdict(self.name, joined, self.printed, self._hint)

    def __repr__(self):
        return f"{self.points:g}"

    def __str__(self):
        lines = [f"{self.name}: {self.outcome}, {self.points:g} of {self.max_points:g} points"]
        for r in self.results:
            lines.append(f"  [{'x' if r.outcome == PASSED else ' '}] {r.part} ({r.points:g})")
            if r.message:
                lines.append(f"      {r.message}")
        return "\n".join(lines)

    def _repr_html_(self):
        colour, mark = {PASSED: ("#009E73", "✓"), NOT_YET: ("#D55E00", "✗")}.get(self.outcome, ("#7f7f7f", "○"))
        total = f"{self.points:g} of {_points(self.max_points)}"
        rows = [f'<b style="color:{colour}">{mark} {self.outcome.capitalize()}</b> · {html.escape(self.name)} · {total}']
        if self.outcome == NOT_ATTEMPTED:
            rows.append("Write your answer in the cell above, run that cell, then run this one again.")
        else:
            items = []
            for r in self.results:
                tick = "✓" if r.outcome == PASSED else "✗"
                text = f"{tick} {rich(r.part)}"
                if r.message:
                    text += f"<br><span>{rich(r.message)}</span>"
                if r.picture:
                    import base64

                    data = base64.b64encode(r.picture).decode()
                    text += f'<br><img alt="{html.escape(r.part)}: yours beside the expected one" src="data:image/png;base64,{data}">'
                items.append(f'<li style="list-style:none;margin:.2em 0">{text}</li>')
            rows.append(f'<ul style="margin:.3em 0;padding-left:.5em">{"".join(items)}</ul>')
        printed = self.printed.strip()
        if printed and self.outcome != PASSED:
            rows.append(f"Your code printed:<pre>{html.escape(printed[-600:])}</pre>")
        if self._hint and self.outcome != PASSED:
            rows.append(f"Stuck? <code>{self._hint}</code>")
        body = "".join(f"<div>{row}</div>" for row in rows)
        return f'<div class="verdict" style="border-left:4px solid {colour};padding:.3em .8em">{body}</div>'


def _points(n):
    return f"{n:g} point" if n == 1 else f"{n:g} points"


def rich(text):
    """Escaped HTML of a message, with `code` between backticks."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))


class Hint:
    """A hint that shows itself."""

    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return self.text

    def _repr_html_(self):
        return f'<div class="hint" style="border-left:4px solid #0072B2;padding:.3em .8em">{rich(self.text)}</div>'


# --- exercises and lessons ----------------------------------------------------------------------------------


class Exercise:
    """One exercise's check: call it with the answer to get a `Verdict`; `hint()` gives the next hint."""

    def __init__(self, name, hints, own_work):
        self.name, self.parts = name, {}
        self._hints, self._own_work, self._shown, self._off = tuple(hints), own_work or {}, 0, set()
        self.__doc__ = f"Check your `{name}`. Call it with your answer; `.hint()` gives a hint."

    def __dir__(self):
        return ["hint", "parts", "points"]

    @property
    def points(self):
        """The most that this exercise can earn."""
        return sum(points for points, _ in self.parts.values())

    def part(self, name, points):
        """Decorator: add a named part worth `points`. The function gets a `Trial` and passes by returning."""

        def add(function):
            self.parts[name] = (points, function)
            return function

        return add

    def hint(self, number=None):
        """The next hint, or hint `number` (from 1)."""
        if number is None:
            number = self._shown = min(self._shown + 1, len(self._hints))
        if not 1 <= number <= len(self._hints):
            return Hint(f"There are hints 1 to {len(self._hints)}.")
        more = "" if number < len(self._hints) else " That was the last hint."
        return Hint(f"Hint {number} of {len(self._hints)}. {self._hints[number - 1]}{more}")

    def __call__(self, answer, seed=0):
        """Run every part on inputs drawn from `seed`. Never raises: what goes wrong is in the verdict."""
        with one_thread():
            return self._verdict(answer, seed)

    def _verdict(self, answer, seed):
        results, printed = [], []
        borrowed = self._borrowed(answer)
        for part, (points, function) in self.parts.items():
            trial = Trial(answer, seed, part)
            outcome, message, picture = NOT_YET, "", None
            try:
                if part in self._off:
                    pass
                elif borrowed:
                    raise NotYet(borrowed)
                elif answer is None or answer is Ellipsis:
                    raise NotImplementedError
                elif not callable(answer):
                    raise NotYet(f"`{self.name}` should be a function or a class; it is a `{type(answer).__name__}`.")
                else:
                    function(trial)
                outcome = PASSED
            except NotYet as reason:
                message, picture = reason.message, _png(reason.picture)
            except NotImplementedError:
                outcome, message = NOT_ATTEMPTED, "Not written yet."
            except Exception as error:  # a value of a kind that no part foresaw
                message = f"The check could not use what your code returned ({type(error).__name__}: {error})."
            results.append(Result(part, points, outcome, message, picture))
            printed += trial.printed
        if borrowed:  # say it once
            results = [results[0], *(replace(r, message="") for r in results[1:])]
        if all(r.outcome == NOT_ATTEMPTED for r in results):
            results = [replace(r, message="") for r in results]
        return Verdict(self.name, results, "".join(printed), f"check.{self.name}.hint()")

    def _borrowed(self, answer):
        if "own work" in self._off or not callable(answer):
            return ""
        for name in sorted(names_used(answer) & self._own_work.keys()):
            return self._own_work[name]
        return ""


def _png(figure):
    if figure is None:
        return None
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80, bbox_inches="tight")
    return buffer.getvalue()


class Lesson:
    """The checks of one lesson, as attributes: `check.<Tab>` lists them."""

    def __init__(self, name):
        self._name, self._exercises = name, {}

    def __dir__(self):
        return sorted([*self._exercises, *(f"quiz_{q}" for q in quizzes.names(self._name))])

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._exercises:
            return self._exercises[name]
        if name.startswith("quiz_") and name[5:] in quizzes.names(self._name):
            return Quiz(self._name, name[5:])
        raise AttributeError(f"This lesson has no check called {name!r}; it has: {', '.join(dir(self))}.")

    def exercise(self, name, *, hints, own_work=None):
        """Add an exercise. `own_work` maps a name that an answer must not lean on to a kind sentence about it."""
        self._exercises[name] = Exercise(name, hints, own_work)
        return self._exercises[name]


class Quiz:
    """A checkpoint question's check: call it with the letter chosen."""

    points = 1

    def __init__(self, lesson, name):
        self.lesson, self.name = lesson, name
        self.parts = {"answer": (self.points, None)}

    def __dir__(self):
        return ["points"]

    def __call__(self, choice, seed=0):
        outcome, message = NOT_YET, ""
        letters = quizzes.letters(self.lesson, self.name)
        if choice in (None, Ellipsis, "", "?"):
            outcome = NOT_ATTEMPTED
        elif not isinstance(choice, str) or choice.strip().lower() not in letters:
            message = f"Choose one of {', '.join(letters)}, as text, such as \"{letters[0]}\"; got {show(choice)}."
        else:
            right, message = quizzes.open_choice(self.lesson, self.name, choice.strip().lower())
            outcome = PASSED if right else NOT_YET
        return Verdict(f"quiz_{self.name}", [Result("answer", self.points, outcome, message)])
