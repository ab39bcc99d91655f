"""How a check works: an exercise has named parts, each part passes or says why not, and the verdict shows itself.

A lesson's checks are a package, `lesson_NN/`: a file holds an exercise or two, and `__init__.py` names them in order.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from course_lib import notebook

from . import quiz as quizzes
from .trial import Trial, one_thread
from .values import NotWritten, NotYet, names_used, show
from .verdict import NOT_ATTEMPTED, NOT_YET, PASSED, Hint, Result, Verdict

MOST_SAID = 4_000  # characters of a part's message
Part = Callable[[Trial], None]


class Exercise:
    """One exercise's check: call it with the answer to get a `Verdict`; `hint()` gives the next hint.

    name      the answer's name in the notebook
    hints     three sentences, from a nudge to nearly the answer
    own_work  {a name that an answer must not lean on: a kind sentence about it}
    takes     the names of its arguments, in the statement's order, where a message about an exception names them
    """

    def __init__(
        self, name: str, hints: Iterable[str], own_work: Mapping[str, str] | None = None, takes: Iterable[str] = ()
    ):
        self.name, self.parts, self.takes = name, {}, tuple(takes)
        self._hints, self._own_work = tuple(hints), own_work or {}
        self._shown, self._told = 0, {}  # the last hint, and {cell: (the hint that it showed, the cell's number then)}
        self.__doc__ = f"Check your `{name}`. Call it with your answer; `.hint()` gives a hint."

    def __dir__(self):
        return ["hint", "parts", "points", "yours"]

    @property
    def points(self) -> float:
        """The most that this exercise can earn."""
        return sum(points for points, _ in self.parts.values())

    def part(self, name: str, points: float) -> Callable[[Part], Part]:
        """Decorator: add a named part worth `points`. The function gets a `Trial` and passes by returning."""

        if name in self.parts:
            raise ValueError(f"{self.name} has two parts that are called {name!r}")

        def add(function):
            self.parts[name] = (points, function)
            return function

        return add

    def hint(self, number: int | None = None) -> Hint:
        """The next hint, or hint `number` (from 1)."""
        if number is None:
            number = self._next()
        if not 1 <= number <= len(self._hints):
            return Hint(f"There are hints 1 to {len(self._hints)}.")
        more = "" if number < len(self._hints) else " That was the last hint."
        return Hint(f"Hint {number} of {len(self._hints)}. {self._hints[number - 1]}{more}")

    def _next(self):
        """The number of the hint after the last one; a cell that "Run all" runs again shows its own again.

        Run twice without another cell between, it shows the next one.
        """
        cell, count = notebook.running()
        number, before = self._told.get(cell, (0, 0))
        if cell is None or not number or count == before + 1:
            number = self._shown = min(self._shown + 1, len(self._hints))
        self._told[cell] = number, count
        return number

    def yours(self, answer: Any, fallback: Any) -> Any:
        """The answer where it passes on the visible inputs, else `fallback`. Never raises."""
        return answer if self(answer).outcome == PASSED else fallback

    def __call__(self, answer: Any, seed: int = 0) -> Verdict:
        """Run every part on inputs drawn from `seed`. Never raises: what goes wrong is in the verdict."""
        with one_thread():
            return self._verdict(answer, seed)

    def _verdict(self, answer, seed):
        results, printed, told = [], [], {}
        borrowed = self._borrowed(answer)
        for part, (points, function) in self.parts.items():
            trial = Trial(answer, seed, part, self.takes)
            outcome, message, picture = NOT_YET, "", None
            try:
                if borrowed:
                    raise NotYet(borrowed)
                if answer is None or answer is Ellipsis:
                    raise NotWritten
                if not callable(answer):
                    raise NotYet(f"`{self.name}` should be a function or a class; it is a `{type(answer).__name__}`.")
                function(trial)
                outcome = PASSED
            except NotYet as reason:
                message, picture = _once(reason.message, trial.stops, told), reason.picture
            except NotWritten:
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
        """What is to be said of the first name that the answer leans on and must not; "" where there is none."""
        names = names_used(answer) if callable(answer) else set()
        if {"course_lib", "checks"} <= names or any(name.startswith("course_lib.checks") for name in names):
            return "This leans on the check's own code. Write it yourself."
        leant_on = sorted(names & self._own_work.keys())
        return self._own_work[leant_on[0]] if leant_on else ""


def _once(message, stops, told):
    """A part's message, in which an exception that an earlier part has `told` is not told again.

    stops  (sentence, what it is about) of what the code raised in this part
    told   {what it is about: the messages so far}; this one is added
    """
    for sentence, about in stops:
        if message.startswith(sentence):
            tip, known = message.removeprefix(sentence), told.setdefault(about, [])
            if known:
                message = "Your code stopped with the same error." + ("" if tip in known else tip)
            known.append(tip)
            break
    return message


def readable(text):
    """A message that fits into any page, file or database, whatever the answer's values hold."""
    return printable(text if len(text) <= MOST_SAID else text[:MOST_SAID] + " …")


def printable(text):
    """A text that fits into a notebook's file."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


class Lesson:
    """The checks of one lesson, as attributes: `check.<Tab>` lists them.

    name       the lesson's, such as "02_encoder_decoder"; its quizzes are found by it
    exercises  in the lesson's order
    """

    def __init__(self, name: str, exercises: Iterable[Exercise]):
        self._name, self._exercises = name, {e.name: e for e in exercises}

    def __dir__(self) -> list[str]:
        return sorted([*self._exercises, *(f"quiz_{q}" for q in quizzes.names(self._name))])

    def __getattr__(self, name: str) -> "Exercise | Quiz":
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._exercises:
            return self._exercises[name]
        if name.startswith("quiz_") and name[5:] in quizzes.names(self._name):
            return Quiz(self._name, name[5:])
        raise AttributeError(f"This lesson has no check called {name!r}; it has: {', '.join(dir(self))}.")


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
