"""One submission's run: the answers in a sandbox, their checks in this process, a verdict for every check.

A `Station` is one warm sandbox with the checks beside it. Student cells run over there, cell by cell as in Jupyter;
a check cell of the lesson's source runs here, with stand-ins in place of the student's names. When an answer takes
its process down, or uses up what it may, that costs the cell or the exercise in which it happens: a fresh process
runs the cells before it again, and grading goes on.
"""

import ast
import contextlib
import html
import importlib
import io
import math
import time
from dataclasses import asdict

import nbformat
from nbformat.v4 import new_output

from course_lib.checks.core import printable, readable
from course_lib.checks.verdict import Verdict
from course_lib.crossing.sandbox import Lane, Limits, Warm
from course_lib.crossing.stand_ins import MOST_IN_ALL, Lost, Session

from . import restore
from .records import Entry, Graded, Part
from .restore import Unreadable
from .rules import LIVES, TRIES, Fault, little_memory

ENDINGS = {
    "cpu": "used more than {cpu} s of processor time. Is there a loop that does not end?",
    "wall": "had not finished after {wall} s",
    "memory": "used more than {memory} MB of memory",
    "by itself": "ended the Python process that it ran in",
    "finished": "sent a message that is too long",
}
ROUNDING = 1e-6  # of points
MOST_SHOWN = 20_000  # characters of a cell's output in the graded notebook


class Station:
    """A lane to a warm sandbox, and the checks of a course. Grades one submission at a time.

    root    the course's
    limits  of an answer
    safe    whether student code runs in a sandbox
    door    that of a warm process which others use, too; None for one of its own
    at      called with a check's grade_id before it runs, with "" before anything else
    """

    def __init__(self, root, limits=Limits(), safe=True, door=None, at=lambda name: None):
        self.root, self.limits, self.safe, self.door, self.at = str(root), limits, safe, door, at
        self.warm = self.lane = None

    def start(self):
        if self.lane is None:
            try:
                self.warm = None if self.door else Warm(self.safe)
                self.lane = Lane(self.door or self.warm.door, self.limits)
            except (OSError, RuntimeError) as error:
                raise Fault(f"{error} {self.stop()}".strip()) from error

    def stop(self):
        """End what is this station's own; what its sandbox had to say."""
        lane, warm, self.lane, self.warm = self.lane, self.warm, None, None
        if lane:
            lane.stop()
        return warm.stop() if warm else ""

    def grade(self, data: bytes, lesson: str, blamed=()) -> Graded:
        """Grade a notebook file's bytes. Raises `Fault` where grading itself failed.

        blamed  (check, why) of those that are not run
        """
        self.at("")
        with little_memory():
            return self._grade(data, lesson, dict(blamed))

    def _grade(self, data, lesson, blamed):
        began, graded = time.monotonic(), Graded(lesson, safe=self.safe)
        try:
            nb = restore.read(data)
            found = restore.lesson_of(nb, self.root, told=lesson)
            if found is None:
                none = f"This notebook has none of the cells of {lesson}"
                raise Unreadable(f"{none}. Hand in the file that you worked in, {lesson}.ipynb.")
            if found != lesson:
                raise Unreadable(f"This is the notebook of {found}, handed in as {lesson}. Hand in {lesson}.ipynb.")
        except Unreadable as error:
            graded.unreadable = str(error)
            return graded
        source = restore.source_of(self.root, lesson)
        graded.notes += restore.restore(nb, source)
        self.run(nb, source, graded, blamed)
        graded.notebook = nbformat.writes(nb)
        graded.seconds = round(time.monotonic() - began, 3)
        return graded

    def run(self, nb, source, graded, blamed=None):
        """Run a restored notebook: outputs go into its cells, everything else into `graded`."""
        self.start()
        run = Run(self, nb, source, graded, blamed or {})
        try:
            with (
                little_memory(),
                contextlib.redirect_stdout(io.StringIO()),
            ):  # what an answer prints is nothing for our terminal
                run.whole()
        except MemoryError as error:
            raise Fault("the machine has no memory left") from error
        except Fault:
            self.stop()
            raise
        finally:
            run.end()


def retried(job):
    """What `job()` gives, tried again after a `Fault`; RuntimeError where it keeps failing."""
    for left in reversed(range(TRIES)):
        try:
            return job()
        except Fault as fault:
            if not left:
                why = f"not by the submission's doing: {fault}"
                raise RuntimeError(f"Grading failed {TRIES} times, and {why}. Grade it again.") from None


class Run:
    """One notebook on its way through a station."""

    def __init__(self, station, nb, source, graded, blamed):
        self.station, self.nb, self.source, self.graded, self.blamed = station, nb, source, graded, blamed
        self.check = importlib.import_module(f"course_lib.checks.lesson_{source.lesson[:2]}").check
        self.session = None
        self.done: list[tuple[int, str]] = []  # (place, text) of the cells that ran, in order
        self.poison: set[int] = set()  # places of those that end a process
        self.names: dict[str, list[str]] = {}  # check -> what the exercise's answer refers to, as its text says
        self.errors: dict[str, str] = {}  # exercise -> what the cell with its answer stopped with
        self.spent, self.opened, self.heard = 0.0, 0.0, 0

    def whole(self):
        while not self.read():
            pass
        later = []
        for place, cell in enumerate(self.nb.cells):
            if restore.is_check(cell):
                if not self.examine(cell):
                    later.append(cell)
            elif self.is_run(cell):
                self.work(place, cell)
            elif cell.cell_type != "code" and restore.is_written(cell):
                name = cell.metadata.nbgrader.grade_id
                self.graded.written[name] = cell.source.strip() not in ("", self.source.stubs[name].strip())
        for cell in later:  # checks that stand before their answers, or have none
            self.examine(cell, last=True)

    def is_run(self, cell):
        """Whether a cell that is no check is run at all."""
        text, is_demo = cell.source.strip(), restore.DEMO in cell.metadata.get("tags", [])
        return cell.cell_type == "code" and text and not is_demo and text not in self.source.demos

    def read(self):
        """Have all texts taken apart, before any of them is run: a check then knows what its exercise's answer uses.

        False where a text ended the process: it is left out, and all others have to be read again.
        """
        self.names = {}
        checks = [place for place, cell in enumerate(self.nb.cells) if restore.is_check(cell)]
        texts = [place for place, cell in enumerate(self.nb.cells) if place in checks or self.is_run(cell)]
        for place in [*texts, *checks]:  # checks once more, for those that stand above their answers
            cell = self.nb.cells[place]
            name = cell.metadata.nbgrader.grade_id if place in checks else None
            if place in self.poison or self.names.get(name):
                continue
            try:
                if name:
                    self.names[name] = self.alive().ask("reached", name.removeprefix("check_"))
                else:
                    self.alive().ask("read", cell.source)
            except Exhausted:
                return True
            except Lost:
                self.poison.add(place)
                return False
            except Exception:
                self.poison.add(place)
        return True

    # --- the student's process ------------------------------------------------------------------------------

    def alive(self) -> Session:
        """The session with a process in which all cells so far have run."""
        while self.session is None or self.session.lost:
            self.end()
            if self.spent > LIVES * self.station.limits.cpu or self.heard > LIVES * MOST_IN_ALL:
                raise Exhausted
            self.opened = time.monotonic()
            try:
                connection = self.station.lane.open()
            except OSError as error:
                self.station.stop()
                raise Fault(f"the sandbox has gone ({error})") from error
            self.session = Session(connection, why=self.end)
            for place, text in self.done:
                if place not in self.poison:
                    try:
                        self.session.ask("cell", text)
                    except Lost:
                        self.poison.add(place)
                        break
                    except Exception:  # noqa: S110 (what it says this time was said before)
                        pass
        return self.session

    def end(self):
        """End the process, if one runs; what became of it, for "your code …". Raises `Fault` where we are to blame."""
        if self.session is None or self.session.connection.closed:
            return ENDINGS["by itself"]
        limits, self.heard = self.station.limits, self.heard + self.session.heard
        used = self.station.lane.close(self.session.connection)
        self.graded.cpu = round(self.graded.cpu + used["cpu"], 3)
        self.graded.memory = round(max(self.graded.memory, used["memory"]), 1)
        self.spent += max(used["cpu"], limits.cpu * (time.monotonic() - self.opened) / limits.wall)
        if used["ended"] not in ENDINGS:
            self.station.stop()
            raise Fault(f"the process for student code was {used['ended']}")
        return ENDINGS[used["ended"]].format(**asdict(limits))

    # --- cells ----------------------------------------------------------------------------------------------

    def work(self, place, cell):
        """Run a cell of the student's."""
        try:
            if place in self.poison:
                size = f"{len(cell.source)} characters"
                raise ValueError(f"this cell can't be read: it is too long ({size}) or nested too deeply")
            self.done.append((place, cell.source))
            said = self.alive().ask("cell", cell.source)
        except Lost as lost:
            self.poison.add(place)
            self.graded.notes.append(f"Cell {place + 1} {lost.ending}")
            said = {"printed": "", "raised": f"This cell {lost.ending}"}
        except Exhausted:
            spent = "This notebook has used up the time that it may take; this cell was not run."
            said = {"printed": "", "raised": spent}
        except Exception as error:
            said = {"printed": "", "raised": f"{type(error).__name__}: {error}"}
        printed, raised = ((said[key] or "")[:MOST_SHOWN] for key in ("printed", "raised"))
        if printed:
            cell.outputs.append(new_output("stream", name="stdout", text=printable(printed)))
        if raised:
            name, _, message = printable(raised).partition(": ")
            cell.outputs.append(new_output("error", ename=name[:80], evalue=message, traceback=[printable(raised)]))
            if "nbgrader" in cell.metadata and raised != "NotImplementedError: ":
                self.errors[cell.metadata.nbgrader.grade_id] = printable(raised)

    def examine(self, cell, last=False):
        """Run a check cell here and write its verdict down; False where a later cell may bring a missing name."""
        name = cell.metadata.nbgrader.grade_id
        exercise, session, verdict, reason = name.removeprefix("check_"), None, None, ""
        if name in self.blamed:
            self.write_down(cell, getattr(self.check, exercise)(None), self.blamed[name])
            return True
        self.station.at(name)
        try:
            session = self.alive()
            session.names_used = {exercise: self.names.get(name, ())}
            names = Names(session, {"check": self.check}, last)
            verdict = evaluate(self.source.cells[name].source, names)
        except NameError:
            if not last:
                return False
        except (Exhausted, Lost) as stop:
            self.graded.notes.append(f"`{exercise}` {stop.ending}")
            verdict, reason = getattr(self.check, exercise)(None), f"Your code {stop.ending}"
        except Exception as error:  # a value of a kind that no check foresaw
            reason = readable(f"The check stopped with {type(error).__name__}: {error}")
        if not reason and session.lost:
            self.graded.notes.append(f"`{exercise}` {session.lost}")
        if not reason and (verdict is None or names.missing):
            reason = self.nothing(exercise)
        self.write_down(cell, verdict, reason)
        self.station.at("")
        return True

    def nothing(self, exercise):
        """Why there is no answer."""
        if exercise in self.errors:
            return f"The cell with your answer stopped with {self.errors[exercise]}"
        return f"There is no `{exercise}`: its cell is missing, or did not run to its end."

    def write_down(self, cell, verdict, reason):
        """Write a verdict into the check's cell and into `graded`."""
        name = cell.metadata.nbgrader.grade_id
        most = float(self.source.cells[name].metadata.nbgrader.points)
        self.graded.checks[name] = found = settle(verdict, most, reason)
        page = verdict._repr_html_() if found["parts"] else f"<div>0 of {most:g} points</div>"
        if found["reason"]:
            page += f"<div>{html.escape(found['reason'])}</div>"
        shown = {"text/plain": f"{found['points']:g}", "text/html": page}
        cell.outputs = [new_output("execute_result", data=shown, execution_count=None)]


def settle(verdict, most: float, reason="") -> Entry:
    """A check's entry: a number of points from 0 to `most`, and zero with a reason where there is none."""
    results = verdict.results if isinstance(verdict, Verdict) else ()
    points = float(verdict.points) if results else math.nan
    if not 0 <= points <= most + ROUNDING:
        points, results, reason = 0.0, (), reason or "This check gave no verdict."
    parts = [Part(r.part, r.points, r.outcome, r.message) for r in results]
    return Entry(points=min(points, most), most=most, parts=parts, reason=reason)


class Exhausted(Exception):
    """A submission has used up all that it may."""

    ending = "had used up the time that this notebook may take before this check could run."


class Names(dict):
    """The names of a check cell: ours, and for every other one what stands for it in the student's process."""

    def __init__(self, session, ours, last):
        super().__init__(ours)
        self.session, self.last, self.missing = session, last, False

    def __missing__(self, name):
        try:
            self[name] = self.session.look(name)
            return self[name]
        except KeyError:
            if not self.last:
                raise
            self.missing = True
            return None  # "not attempted"


def evaluate(text, names):
    """The value of a check cell: of its last expression, which joins all its verdicts (the builder sees to that)."""
    *before, last = ast.parse(text).body
    before = [s for s in before if not isinstance(s, ast.Expr)]  # a verdict that the last one holds too
    exec(compile(ast.Module(before, []), "<check>", "exec"), {}, names)
    return eval(compile(ast.Expression(last.value), "<check>", "eval"), {}, names)
