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
from dataclasses import asdict, dataclass, field

import nbformat
from nbformat.v4 import new_output

from course_lib.checks.core import printable, readable
from course_lib.checks.verdict import Verdict
from course_lib.crossing.sandbox import Lane, Limits, Warm
from course_lib.crossing.stand_ins import MOST_IN_ALL, Lost, Session

from . import restore
from .restore import Unreadable
from .rules import LIVES, TRIES, Fault

ENDINGS = {
    "cpu": "used more than {cpu} s of processor time. Is there a loop that does not end?",
    "wall": "had not finished after {wall} s",
    "memory": "used more than {memory} MB of memory",
    "by itself": "ended the Python process that it ran in",
    "finished": "sent a message that is too long",
}
ROUNDING = 1e-6  # of points
MOST_SHOWN = 20_000  # characters of a cell's output in the graded notebook


@dataclass
class Graded:
    """What grading gave. `checks`: {grade_id: {points, most, parts, reason}}, a part as [name, points, outcome, message]."""

    lesson: str
    notebook: str = ""  # the restored notebook with outputs, as a file's text
    checks: dict = field(default_factory=dict)
    written: dict = field(default_factory=dict)  # grade_id -> whether somebody wrote an answer
    notes: list = field(default_factory=list)  # sentences on what was found
    unreadable: str = ""  # why there is no grade, for the student
    cpu: float = 0.0  # seconds in the sandbox
    memory: float = 0.0  # MB there, at most
    seconds: float = 0.0
    safe: bool = True

    def plain(self):
        return asdict(self)


class Station:
    """A lane to a warm sandbox, and the checks of the course at `root`. Grades one submission at a time.

    door: that of a sandbox which others use, too; None for one of its own.
    """

    def __init__(self, root, limits=Limits(), safe=True, door=None):
        self.root, self.limits, self.safe, self.door = str(root), limits, safe, door
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

    def grade(self, data, lesson):
        """The `Graded` of a notebook file's bytes. Raises `Fault` where grading itself failed."""
        began, graded = time.monotonic(), Graded(lesson, safe=self.safe)
        try:
            nb = restore.read(data)
            found = restore.lesson_of(nb, self.root, told=lesson)
            if found is None:
                raise Unreadable(
                    f"This notebook has none of the cells of {lesson}. Hand in the file that you worked in, {lesson}.ipynb."
                )
            if found != lesson:
                raise Unreadable(f"This is the notebook of {found}, handed in as {lesson}. Hand in {lesson}.ipynb.")
        except Unreadable as error:
            graded.unreadable = str(error)
            return graded
        source = restore.source_of(self.root, lesson)
        graded.notes += restore.restore(nb, source)
        self.run(nb, source, graded)
        graded.notebook = nbformat.writes(nb)
        graded.seconds = round(time.monotonic() - began, 3)
        return graded

    def run(self, nb, source, graded):
        """Run a restored notebook: outputs go into its cells, everything else into `graded`."""
        self.start()
        run = Run(self, nb, source, graded)
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # what an answer prints is nothing for our terminal
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
                raise RuntimeError(
                    f"Grading failed {TRIES} times, and not by the submission's doing: {fault}. Grade it again."
                ) from None


class Run:
    """One notebook on its way through a station."""

    def __init__(self, station, nb, source, graded):
        self.station, self.nb, self.source, self.graded = station, nb, source, graded
        self.check = importlib.import_module(f"course_lib.checks.lesson_{source.lesson[:2]}").check
        self.session, self.done, self.poison = (
            None,
            [],
            set(),
        )  # cells that ran, in order; places of those that end a process
        self.names = {}  # check -> what the exercise's answer refers to, as its text says
        self.errors, self.spent, self.opened, self.heard = {}, 0.0, 0.0, 0

    def whole(self):
        while not self.read():
            pass
        later = []
        for place, cell in enumerate(self.nb.cells):
            if cell.cell_type != "code":
                if restore.is_written(cell):
                    name = cell.metadata.nbgrader.grade_id
                    self.graded.written[name] = cell.source.strip() not in ("", self.source.stubs[name].strip())
            elif restore.is_check(cell):
                if not self.examine(cell):
                    later.append(cell)
            elif self.is_run(cell):
                self.work(place, cell)
        for cell in later:  # checks that stand before their answers, or have none
            self.examine(cell, last=True)

    def is_run(self, cell):
        """Whether a code cell that is no check is run at all."""
        return cell.source.strip() and not (
            restore.DEMO in cell.metadata.get("tags", []) or cell.source.strip() in self.source.demos
        )

    def read(self):
        """Have all texts taken apart, before any of them is run; False where one ended the process, which is then left out."""
        self.names = {}
        above = [cell for cell in self.nb.cells if cell.cell_type == "code" and restore.is_check(cell)]
        for place, cell in [*enumerate(self.nb.cells), *((None, cell) for cell in above)]:
            if (
                cell.cell_type != "code"
                or place in self.poison
                or place is None
                and self.names.get(cell.metadata.nbgrader.grade_id)
            ):
                continue  # at the end once more for checks that stand above their answers
            check = restore.is_check(cell)
            try:
                if check:
                    name = cell.metadata.nbgrader.grade_id
                    self.names[name] = self.alive().ask("reached", name.removeprefix("check_"))
                elif self.is_run(cell):
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

    def alive(self):
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
        """End the process, if one runs; what became of it, for "your code …". Raises `Fault` where it was not the student's doing."""
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
                raise ValueError(
                    f"this cell can't be read: it is too long ({len(cell.source)} characters) or nested too deeply"
                )
            self.done.append((place, cell.source))
            said = self.alive().ask("cell", cell.source)
        except Lost as lost:
            self.poison.add(place)
            self.graded.notes.append(f"Cell {place + 1} {lost.ending}")
            said = {"printed": "", "raised": f"This cell {lost.ending}"}
        except Exhausted:
            said = {
                "printed": "",
                "raised": "This notebook has used up the time that it may take; this cell was not run.",
            }
        except Exception as error:
            said = {"printed": "", "raised": f"{type(error).__name__}: {error}"}
        printed, raised = (
            str(said.get(key) or "")[:MOST_SHOWN] if isinstance(said, dict) else "" for key in ("printed", "raised")
        )
        if printed:
            cell.outputs.append(new_output("stream", name="stdout", text=printable(printed)))
        if raised:
            name, _, message = printable(raised).partition(": ")
            cell.outputs.append(new_output("error", ename=name[:80], evalue=message, traceback=[printable(raised)]))
            if "nbgrader" in cell.metadata and raised != "NotImplementedError: ":
                self.errors[cell.metadata.nbgrader.grade_id] = printable(raised)

    def examine(self, cell, last=False):
        """Run a check cell here and write its verdict down; False where a name is missing that a later cell may bring."""
        name = cell.metadata.nbgrader.grade_id
        original, mark = self.source.cells[name], self.source.cells[name].metadata.nbgrader
        exercise = name.removeprefix("check_")
        session = None
        try:
            session = self.alive()
            session.names_used = {exercise: self.names.get(name, ())}
            names = Names(session, {"check": self.check}, last)
            verdict = evaluate(original.source, names)
        except NameError:
            if not last:
                return False
            verdict = None
        except (Exhausted, Lost) as stop:
            self.graded.notes.append(f"`{exercise}` {stop.ending}")
            self.settle(cell, name, float(mark.points), getattr(self.check, exercise)(None), f"Your code {stop.ending}")
            return True
        except Exception as error:  # a value of a kind that no check foresaw
            self.settle(
                cell,
                name,
                float(mark.points),
                None,
                readable(f"The check stopped with {type(error).__name__}: {error}"),
            )
            return True
        if session.lost:
            self.graded.notes.append(f"`{exercise}` {session.lost}")
        reason = ""
        if names.missing or verdict is None:
            reason = f"There is no `{exercise}`: its cell is missing, or did not run to its end."
            if exercise in self.errors:
                reason = f"The cell with your answer stopped with {self.errors[exercise]}"
        self.settle(cell, name, float(mark.points), verdict, reason)
        return True

    def settle(self, cell, name, most, verdict, reason):
        """Write a verdict into the check's cell and into `graded`."""
        self.graded.checks[name] = found = settle(verdict, most, reason)
        page = verdict._repr_html_() if found["parts"] else f"<div>0 of {most:g} points</div>"
        if found["reason"]:
            page += f"<div>{html.escape(found['reason'])}</div>"
        shown = {"text/plain": f"{found['points']:g}", "text/html": page}
        cell.outputs = [new_output("execute_result", data=shown, execution_count=None)]


def settle(verdict, most, reason=""):
    """A check's entry in `Graded.checks`: a number of points from 0 to `most`, and zero with a reason where there is none."""
    results = verdict.results if isinstance(verdict, Verdict) else ()
    points = float(verdict.points) if results else math.nan
    if not 0 <= points <= most + ROUNDING:
        points, results, reason = 0.0, (), reason or "This check gave no verdict."
    return {
        "points": min(points, most),
        "most": most,
        "parts": [[r.part, r.points, r.outcome, r.message] for r in results],
        "reason": reason,
    }


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
