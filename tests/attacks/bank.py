"""Hostile submissions to lesson 02: what each one tries, and what it must get. `python3 -m tests.attacks` puts them as a table into docs/grading.md.

An attack is a function that makes a `Submission` (most do), a file's text or its bytes. Its docstring says what it
tries, its decorator of which family it is and what it gets: points by exercise (none, if nothing is said), or a piece
of the reason why it gets no grade. What finds something it should not see prints LOOT.
"""

import inspect
import textwrap
from dataclasses import dataclass, field

import nbformat

from tests.support.submissions import POINTS, Submission, none

SEEN = r"(?m)^LOOT"  # how what is printed starts where something was found
STUBS = {  # what a student would have to write: here, answers that are no answers
    "conv_out_size": "def conv_out_size(*given):\n    return VALUE",
    "trace_shapes": "def trace_shapes(*given):\n    return VALUE",
    "receptive_field": "def receptive_field(*given):\n    return VALUE",
    "poke": "def poke(*given):\n    return VALUE",
    "transposed_conv": "def transposed_conv(*given):\n    return VALUE",
    "overlap_count": "def overlap_count(*given):\n    return VALUE",
    "shuffle_pixels": "def shuffle_pixels(*given):\n    return VALUE",
    "build_net": "def build_net(*given):\n    return VALUE",
    "quiz_field": "quiz_field = VALUE",
    "quiz_grid": "quiz_grid = VALUE",
    "quiz_values": "quiz_values = VALUE",
}


@dataclass(frozen=True)
class Attack:
    """One hostile submission: its family, what it tries, and its points by exercise or a piece of why it has none."""

    name: str
    family: str
    make: object
    tries: str
    points: dict = field(default_factory=dict)
    refused: str = ""

    def data(self):
        """The file's bytes."""
        made = self.make()
        if isinstance(made, Submission):
            made = nbformat.writes(made.nb)
        return made if isinstance(made, bytes) else made.encode()

    def earned(self):
        return {name: self.points.get(name, 0) for name in POINTS}


ATTACKS = {}


def attack(family, refused="", **points):
    def add(make):
        tries = " ".join(inspect.getdoc(make).split())
        ATTACKS[make.__name__] = Attack(make.__name__, family, make, tries, points, refused)
        return make

    return add


@dataclass(frozen=True)
class Handing:
    """What is handed in around a notebook: what it tries, why files are left out, and the students' states ("full", "none")."""

    name: str
    make: object
    tries: str
    left: str
    students: dict


HANDED = {}


def handing(left, **students):
    def add(make):
        HANDED[make.__name__] = Handing(make.__name__, make, " ".join(inspect.getdoc(make).split()), left, students)
        return make

    return add


def answering(value, before=""):
    """Every exercise answered with the same expression, after some code of the student's own."""
    made = Submission({name: text.replace("VALUE", value) for name, text in STUBS.items()})
    if before:
        made.insert("setup", textwrap.dedent(before).strip())
    return made


def doing(code, exercise="conv_out_size"):
    """Nothing answered but one exercise, which does something when it is called. `code` is the body of the function."""
    made = none()
    made[exercise].source = f"def {exercise}(*given):\n" + textwrap.indent(textwrap.dedent(code).strip(), "    ")
    return made


def running(code):
    """Nothing answered; a cell that does something."""
    made = none()
    made.insert("setup", textwrap.dedent(code).strip())
    return made


REPLACE = """
    class Yes:
        results, points, max_points, outcome = (), 100.0, 100.0, "passed"
        def __getattr__(self, name): return self
        def __call__(self, *given, **named): return self
        def __and__(self, other): return self
        def __repr__(self): return "100"
    """
