"""How a check works: an exercise has named parts, each part passes or says why not, and the verdict shows itself.

A lesson's checks live in `lesson_NN.py`. Each one is written against three things only, so that a check
runs alike beside the student's code and with a process boundary between the two:

- `t.call(...)` calls the answer. Arguments are copied first; values come back plain: numbers, strings,
  containers, tensors, and modules. Nothing else gets through (`plain`).
- `t.random` and `t.tensor(...)` give inputs that follow from the check's seed. Other seeds, other inputs.
- `t.equal`, `t.close` and `t.fail` say what was given, what was expected and what came back.
"""

import contextlib
import io
import random
import warnings
import zlib
from dataclasses import replace
from functools import partial

from . import quiz as quizzes
from .values import NotYet, copied, is_number, kind, names_used, plain, same, show
from .verdict import NOT_ATTEMPTED, NOT_YET, PASSED, Hint, Result, Verdict

MOST_SAID = 4_000  # characters of a part's message


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
        return plain(self._asked(args, **kwargs)[0])

    def _asked(self, args, **kwargs):
        """(what the answer returned, the copies of `args` that it was given)."""
        sent = copied(args)
        value = self._guarded(self.answer, sent, kwargs)
        self.changed = self.changed or not same(list(sent), list(args))
        return value, sent

    def each(self, *args):
        """As `call`, for an answer of several things: its items one by one, a `NotYet` in place of each that is no plain data.

        So one of them can be judged where another, such as a function, could not be. Any other answer comes as `call` has it.
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

    def raises(self, *args):
        """The names of the exception's class and of its bases where the answer raises for these arguments; else ()."""
        try:
            self.call(*args)
        except NotYet as stop:
            return tuple(kind.__name__ for kind in type(stop.__cause__).__mro__) if stop.__cause__ else ()
        return ()

    def gradients(self, *args):
        """(value, gradients): the answer's value, and of its randomly weighted sum the gradient for each argument.

        The gradient is None for an argument that wants none, and for one that the value does not depend on.
        """
        value, sent = self._asked(args)
        value = plain(value)
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

    def depends(self, args, place):
        """Whether the answer's value is another one when argument number `place`, a tensor, is: the values say it, not the answer."""
        other = [self.tensor(*a.shape) if i == place else a for i, a in enumerate(copied(args))]
        return not same(
            *(self.call(*(a.detach() if hasattr(a, "detach") else a for a in given)) for given in (args, other))
        )

    def run(self, net, x):
        """The output of a module that the answer returned, for x, as plain data."""
        return plain(self._guarded(net, (x,), {}))

    def weight_gradients(self, net, x):
        """{name: gradient or None} of a module's weights, for a random weighting of its output on x."""
        names, weights = zip(*net.named_parameters())
        return dict(zip(names, self._pull(self.run(net, x), weights)))

    def layers(self, net, x):
        """The convolutions that run when a module is called on x, in order: dicts of out, kernel, height, width, name.

        The name is the module's own in `net.named_modules()`, None where the net does not know of it."""
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
                    raise  # the stub's; torch's own, as for a dtype that it does not take, comes with words
                given = ", ".join([show(a) for a in args] + [f"{k}={show(v)}" for k, v in kwargs.items()])
                what = getattr(error, "ending", None) or f"stopped with {type(error).__name__}: {error}".rstrip(": .")
                raise NotYet(f"For {given} your code {what}.") from error

    def fail(self, message, picture=None):
        """End the part: `message` says why; `picture` is a function that draws it, called where the verdict is shown."""
        raise NotYet(message, picture)

    def equal(self, got, want, given="", known=(), picture=None):
        """Fail unless `got` equals `want` exactly. `known` pairs a wrong value with what it reveals."""
        self.close(got, want, given, known, tolerance=0.0, picture=picture)

    def close(self, got, want, given="", known=(), tolerance=1e-4, picture=None):
        """Fail unless `got` agrees with `want` within `tolerance`; `picture` is a function that draws the two."""
        import torch

        if isinstance(want, torch.Tensor) and not isinstance(got, torch.Tensor):
            self.fail(f"{_given(given)}expected a tensor of shape {tuple(want.shape)}, got {kind(got)}")
        if is_number(want) and isinstance(got, torch.Tensor) and got.numel() == 1:
            got = got.item()
        if same(got, want, tolerance):
            return
        if isinstance(want, torch.Tensor) and got.shape != want.shape:
            lines = f"{_given(given)}expected shape {tuple(want.shape)}, got {tuple(got.shape)}."
        elif isinstance(want, torch.Tensor) and want.numel() > 24:
            gap = (got.detach().double() - want.detach().double()).abs()
            where = tuple(int(i) for i in torch.unravel_index(gap.nan_to_num(float("inf")).argmax(), gap.shape))
            lines = (
                f"{_given(given)}the shape is right, but {int((~(gap <= tolerance)).sum())} of {gap.numel()} values differ; "
                f"at {where} expected {show(want[where].item())}, got {show(got[where].item())}."
            )
        elif got is None:
            lines = f"{_given(given)}expected {show(want)}, got {kind(got)}"
        else:
            lines = f"{_given(given)}expected {show(want)}, got {show(got)}."
        for wrong, meaning in known:
            if same(got, wrong, tolerance):
                lines += " " + meaning
                break
        alike = not isinstance(want, torch.Tensor) or got.shape == want.shape
        self.fail(lines, partial(picture, got, want) if picture and alike else None)


def _given(given):
    return f"For {given}: " if given else ""


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
                message, picture = reason.message, reason.picture
            except NotImplementedError:
                outcome, message = NOT_ATTEMPTED, "Not written yet."
            except Exception as error:  # a value of a kind that no part foresaw
                message = f"The check could not use what your code returned ({type(error).__name__}: {error})."
            results.append(Result(part, points, outcome, readable(message), picture))
            printed += trial.printed
        if borrowed:  # say it once
            results = [results[0], *(replace(r, message="") for r in results[1:])]
        if all(r.outcome == NOT_ATTEMPTED for r in results):
            results = [replace(r, message="") for r in results]
        return Verdict(self.name, results, readable("".join(printed)[-MOST_SAID:]), f"check.{self.name}.hint()")

    def _borrowed(self, answer):
        if "own work" in self._off or not callable(answer):
            return ""
        for name in sorted(names_used(answer) & self._own_work.keys()):
            return self._own_work[name]
        return ""


def readable(text):
    """A message that fits into any page, file or database, whatever the answer's values hold."""
    return printable(text if len(text) <= MOST_SAID else text[:MOST_SAID] + " …")


def printable(text):
    """A text that fits into a notebook's file."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


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
            message = f'Choose one of {", ".join(letters)}, as text, such as "{letters[0]}"; got {show(choice)}.'
        else:
            right, message = quizzes.open_choice(self.lesson, self.name, choice.strip().lower())
            outcome = PASSED if right else NOT_YET
        return Verdict(f"quiz_{self.name}", [Result("answer", self.points, outcome, message)])
