"""From one source file to the notebooks: `python -m course_lib build` (and `build --check`).

A lesson is `solutions/NN_name.py`, in jupytext's percent format. A cell's mark says what it is:

    # %% [markdown] statement="f" minutes=5 level=1   an exercise's text; its heading gets number, points, level
    # %% answer="f"                                   the student's cell, ### BEGIN SOLUTION … ### END SOLUTION
    # %% check="f"                                    check.f(f), then ### BEGIN HIDDEN TESTS … ### END HIDDEN TESTS
    # %% [markdown] quiz="q" answer="b"               question, then `- a) choice` lines, each with `  > feedback`
    # %% [markdown] written="w" points=2              the model answer; a person grades what students write
    # %% given="setup"                                code that answers rely on: locked, restored when grading
    # %% tags=["demo"]                                trains or demonstrates: grading skips it
    # %% tags=["demo"] fold="Four ways up"            and only draws or counts: its code is folded under this title

Badges, the start on Colab and the cell that writes the file to hand in come from course_lib/frame.py.

From it come, in this order and by nothing but this file and nbgrader's own generate step:
solutions/NN_name/NN_name.ipynb, lessons/NN_name/NN_name.ipynb, and course_lib/checks/quiz.json.
"""

import argparse
import ast
import hashlib
import importlib
import json
import re
import shutil
import sys
import tempfile
import tomllib
from pathlib import Path

import jupytext
from nbformat import write
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course_lib.checks import quiz as quizzes
from course_lib.grading import frame
from course_lib.grading.course import generate
from course_lib.start.environment import ROOT

MARKS = ("statement", "answer", "check", "quiz", "written", "given")
LEVELS = {1: "●○○", 2: "●●○", 3: "●●●"}
FOLDED = {
    "jupyter": {"source_hidden": True},
    "cellView": "form",
}  # to JupyterLab, which shows the first line, and to Colab
POINTS = 20  # of every lesson but the warm-up
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


class BuildError(Exception):
    """A fault in a lesson's source: file, line and one sentence."""

    def __init__(self, path, line, message):
        super().__init__(f"{path}:{line}: {message}")


class Source:
    """A lesson's source file, cell by cell with line numbers, so that a fault can be named."""

    def __init__(self, path):
        self.path, self.name = Path(path), Path(path).stem
        text = self.path.read_text(encoding="utf-8")
        self.lines = [i for i, line in enumerate(text.splitlines(), 1) if re.match(r"# %%", line)]
        self.cells = jupytext.reads(text, fmt="py:percent").cells
        for cell in self.cells:
            cell.metadata.pop("lines_to_next_cell", None)
            cell.metadata.pop("lines_to_end_of_cell_marker", None)
        if not self.lines or self.lines[0] != 1 or len(self.lines) != len(self.cells):
            self.fail(0, "the file must start with a `# %%` cell and hold nothing between cells")

    def fail(self, index, message, offset=0):
        line = self.lines[index] + offset if self.lines else 1
        try:
            path = self.path.resolve().relative_to(Path.cwd())
        except ValueError:
            path = self.path
        raise BuildError(path, line, message)


# --- what a cell may be -------------------------------------------------------------------------------------


def mark_of(source, index):
    """(mark, name) of a cell, or (None, None)."""
    meta = source.cells[index].metadata
    marks = [m for m in MARKS if m in meta and not (m == "answer" and "quiz" in meta)]
    if len(marks) > 1:
        source.fail(index, f"a cell has one mark; this one has {' and '.join(marks)}")
    if not marks:
        return None, None
    name = meta[marks[0]]
    if not isinstance(name, str) or not name.isidentifier():
        source.fail(index, f"{marks[0]}={name!r}: a name is letters, digits and _, in quotes")
    want = "markdown" if marks[0] in ("statement", "quiz", "written") else "code"
    if source.cells[index].cell_type != want:
        source.fail(
            index,
            f'a {marks[0]} cell is {want}: write `# %%{" [markdown]" if want == "markdown" else ""} {marks[0]}="{name}"`',
        )
    return marks[0], name


def regions(source, index, kind):
    """Check the BEGIN/END pairs of `kind` ("SOLUTION" or "HIDDEN TESTS") in a cell; how many there are."""
    count, opened = 0, None
    for offset, line in enumerate(source.cells[index].source.split("\n"), 1):
        if f"BEGIN {kind}" in line:
            if opened is not None:
                source.fail(index, f"### BEGIN {kind} inside another one", offset)
            opened, count = offset, count + 1
        elif f"END {kind}" in line:
            if opened is None:
                source.fail(index, f"### END {kind} without a BEGIN", offset)
            opened = None
    if opened is not None:
        source.fail(index, f"### BEGIN {kind} has no ### END {kind}", opened)
    return count


def without_hidden(text):
    """A check cell's code as students get it."""
    return re.sub(r"^.*BEGIN HIDDEN TESTS[\s\S]*?END HIDDEN TESTS.*\n?", "", text, flags=re.M).rstrip("\n")


def verdict_calls(node):
    """The calls joined in a verdict expression `check.f(f) & check.f(f, seed=1)`, or None where it is no such thing."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd):
        left, right = verdict_calls(node.left), verdict_calls(node.right)
        return None if left is None or right is None else left + right
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and getattr(node.func.value, "id", "") == "check"
    ):
        return [node]
    return None


def examine_check(source, index, name):
    """A check cell ends, for students and for the grader, in exactly one bare verdict that joins all its checks."""
    text = source.cells[index].source
    hidden = regions(source, index, "HIDDEN TESTS")
    for form in (without_hidden(text), text):
        try:
            body = ast.parse(form).body
        except SyntaxError as error:
            source.fail(index, f"this check is not Python: {error.msg}", error.lineno or 0)
        last = body[-1] if body else None
        bare = isinstance(last, ast.Expr) and verdict_calls(last.value)
        if not bare or form.rstrip().endswith(";") or any(c.func.attr != name for c in bare):
            source.fail(
                index, f"a check cell must end in one bare verdict, such as `check.{name}({name})`, without `;` or `=`"
            )
        joined = [ast.dump(c) for c in bare]
        for statement in body[:-1]:
            for call in verdict_calls(getattr(statement, "value", None)) or []:
                if ast.dump(call) not in joined:
                    source.fail(index, "the last line must join every check of this cell with `&`", statement.lineno)
    if hidden and len(verdict_calls(ast.parse(text).body[-1].value)) < 2:
        source.fail(
            index, "the hidden tests must end in a verdict that joins the visible and the hidden check with `&`"
        )


def checks_of(lesson):
    """The `check` object of a lesson, e.g. course_lib.checks.lesson_02.check."""
    return importlib.import_module(f"course_lib.checks.lesson_{lesson[:2]}").check


def parse_quiz(source, index, name):
    """(question text as students see it, letters, right letter, {letter: feedback}) of a quiz cell."""
    cell = source.cells[index]
    right, shown, feedback, letter = cell.metadata.get("answer"), [], {}, None
    for offset, line in enumerate(cell.source.split("\n"), 1):
        choice = re.match(r"- ([a-z])\) ", line)
        if choice:
            letter = choice[1]
            if letter in feedback:
                source.fail(index, f"quiz {name!r} has two choices {letter!r}", offset)
            feedback[letter] = ""
        elif letter and line.lstrip().startswith("> "):
            feedback[letter] = f"{feedback[letter]} {line.lstrip()[2:]}".strip()
            continue
        shown.append(line)
    if len(feedback) < 2 or right not in feedback:
        source.fail(index, f'quiz {name!r} needs two or more choices `- a) …` and answer="…" naming one of them')
    silent = [k for k, text in feedback.items() if not text]
    if silent:
        source.fail(index, f"choice {silent[0]!r} of quiz {name!r} has no feedback: add a line `  > …` below it")
    return "\n".join(shown), list(feedback), right, feedback


# --- expanding ----------------------------------------------------------------------------------------------


def nbgrader(grade_id, *, grade=False, solution=False, locked=False, points=None):
    """A cell's nbgrader metadata."""
    meta = {
        "grade": grade,
        "grade_id": grade_id,
        "locked": locked,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }
    if points is not None:
        meta["points"] = int(points) if points == int(points) else points
    return {"nbgrader": meta}


def expand(source, check, settings=None):
    """(nbgrader's source notebook, {quiz: {letter: sealed feedback}}) of a lesson; raises BuildError."""
    badges = frame.badges(source.name, settings)
    marks = [mark_of(source, i) for i in range(len(source.cells))]
    examine(source, marks, check)
    cells, sealed, number, total = [], {}, 0, 0.0
    for index, (cell, (mark, name)) in enumerate(zip(source.cells, marks)):
        text, tags = cell.source, {"tags": cell.metadata["tags"]} if "tags" in cell.metadata else {}
        if index == 0 and badges:
            head, _, rest = text.partition("\n")
            text = f"{head}\n\n{badges}\n{rest}"
        if mark is None:
            if "fold" in cell.metadata:
                text, tags = f"# @title {cell.metadata['fold']}\n{text}", {**tags, **FOLDED}
            cells.append(_cell(cell.cell_type, text, tags))
        elif mark == "statement":
            number += 1
            points = getattr(check, name).points
            cells.append(_cell("markdown", _heading(source, index, number, points), {}))
        elif mark == "answer":
            cells.append(_cell("code", text, nbgrader(name, solution=True), name))
        elif mark == "check":
            points = getattr(check, name).points
            total += points
            cells.append(
                _cell("code", text, nbgrader(f"check_{name}", grade=True, locked=True, points=points), f"check_{name}")
            )
        elif mark == "given":
            text = frame.around(text, settings) if name == "setup" else text
            cells.append(_cell("code", text, {**nbgrader(name, locked=True), **tags}, name))
        elif mark == "written":
            points = cell.metadata["points"]
            total += points
            cells.append(_cell("markdown", text, nbgrader(name, grade=True, solution=True, points=points), name))
        elif mark == "quiz":
            question, letters, right, feedback = parse_quiz(source, index, name)
            sealed[name] = {k: quizzes.seal(source.name, name, k, k == right, v) for k, v in feedback.items()}
            total += 1
            quiz = f"quiz_{name}"
            meta = {**nbgrader(quiz, solution=True), "quiz": name, "letters": letters}
            cells.append(_cell("markdown", question, {}))
            cells.append(_cell("code", f'### BEGIN SOLUTION\n{quiz} = "{right}"\n### END SOLUTION', meta, quiz))
            locked = nbgrader(f"check_{quiz}", grade=True, locked=True, points=1)
            cells.append(_cell("code", f"check.{quiz}({quiz})", locked, f"check_{quiz}"))
    if total != POINTS and not source.name.startswith("00"):
        source.fail(0, f"a lesson's points add up to {POINTS}; these add up to {total:g}")
    cells.append(_cell("code", frame.hand_in(source.name), {"tags": ["demo"]}, "hand_in"))
    _stable_ids(cells)
    return new_notebook(cells=cells, metadata=METADATA), sealed


def examine(source, marks, check):
    """Raise BuildError for the first fault of a source: ids, pairs, markers, verdicts, points."""
    seen = {}
    for index, (mark, name) in enumerate(marks):
        if source.cells[index].cell_type == "code":
            solutions = regions(source, index, "SOLUTION")
            if solutions and mark != "answer":
                source.fail(index, 'a solution stands in a cell that is not marked answer="…"')
            if "HIDDEN TESTS" in source.cells[index].source and mark != "check":
                source.fail(index, 'hidden tests stand in a cell that is not marked check="…"')
        cell = source.cells[index]
        if "fold" in cell.metadata and (
            mark or "demo" not in cell.metadata.get("tags", []) or "train.fit(" in cell.source
        ):
            source.fail(index, 'only a cell with tags=["demo"] that trains nothing is folded')
        if mark is None:
            continue
        key = (mark, name) if mark in ("statement", "check") else name
        if key in seen:
            source.fail(index, f"the id {name!r} is used twice (first on line {source.lines[seen[key]]})")
        seen[key] = index
        if mark == "answer" and not solutions:
            source.fail(index, f"the answer cell {name!r} has no ### BEGIN SOLUTION")
        if mark == "check":
            examine_check(source, index, name)
            if name not in dir(check):
                source.fail(index, f"{check_module(source.name)} has no exercise {name!r}")
        if mark == "written" and not source.cells[index].metadata.get("points", 0) > 0:
            source.fail(index, f"the written answer {name!r} needs points=…")
    for index, (mark, name) in enumerate(marks):
        if mark == "answer":
            for other, text in (("statement", "a statement before it"), ("check", "a check after it")):
                place = seen.get((other, name))
                if place is None or (place > index) != (other == "check"):
                    source.fail(index, f'the exercise {name!r} needs {text}: a cell marked {other}="{name}"')
        elif mark in ("check", "statement") and name not in seen:
            source.fail(index, f'{mark}={name!r} belongs to no cell marked answer="{name}"')


def check_module(lesson):
    return f"course_lib/checks/lesson_{lesson[:2]}"


def _heading(source, index, number, points):
    cell = source.cells[index]
    level, minutes = cell.metadata.get("level"), cell.metadata.get("minutes")
    titles = list(re.finditer(r"^### (.+)$", cell.source, flags=re.M))
    if len(titles) != 1 or level not in LEVELS or not isinstance(minutes, int):
        source.fail(index, "a statement has one heading `### …` and is marked level=1, 2 or 3 and minutes=…")
    worth = f"{points:g} point{'' if points == 1 else 's'}"
    head = f"### Exercise {number} · {titles[0][1]}\n\n{LEVELS[level]} · {worth} · about {minutes} minutes"
    return cell.source[: titles[0].start()] + head + cell.source[titles[0].end() :]


def _cell(kind, text, metadata, cell_id=None):
    make = new_code_cell if kind == "code" else new_markdown_cell
    return make(source=text, metadata=metadata, id=(cell_id or "").replace("_", "-")[:64] or "auto")


def _stable_ids(cells):
    """An unmarked cell's id follows from its text, so that it survives changes elsewhere in the lesson."""
    taken = {c.id for c in cells if c.id != "auto"}
    for cell in cells:
        copies = 0
        while cell.id == "auto" or (copies and cell.id in taken):
            cell.id = "c" + hashlib.sha256(f"{copies}{cell.cell_type}{cell.source}".encode()).hexdigest()[:11]
            copies += 1
            if cell.id not in taken:
                break
        taken.add(cell.id)


# --- the command --------------------------------------------------------------------------------------------


def build(root=ROOT, out=None, settings=None):
    """Build every lesson of the course at `root` into the folder `out`; the list of files written, relative to it.

    settings: {"repository": "owner/name", "branch": a branch or tag}; by default [tool.course] of pyproject.toml.
    """
    root, out = Path(root), Path(out or root)
    if settings is None:
        with open(root / "pyproject.toml", "rb") as file:
            settings = tomllib.load(file).get("tool", {}).get("course", {})
    sealed, written = {}, []
    sources = sorted((root / "solutions").glob("[0-9][0-9]_*.py"))
    with tempfile.TemporaryDirectory() as folder:
        course = Path(folder)
        for path in sources:
            source = Source(path)
            notebook, quiz = expand(source, checks_of(source.name), settings)
            sealed[source.name] = quiz
            built = course / "solutions" / source.name / f"{source.name}.ipynb"
            built.parent.mkdir(parents=True)
            write(notebook, built)
            generate(course, source.name, course / "lessons", f"sqlite:///{course / 'gradebook.db'}")
            written += [Path(kind, source.name, f"{source.name}.ipynb") for kind in ("solutions", "lessons")]
        quiz_file = Path("course_lib", "checks", "quiz.json")
        (course / quiz_file).parent.mkdir(parents=True)
        (course / quiz_file).write_text(json.dumps(sealed, indent=1) + "\n", encoding="utf-8")
        written.append(quiz_file)
        for name in written:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(course / name, out / name)
    return written


def drift(root=ROOT):
    """The built files of the course at `root` that are not what building gives, sorted."""
    root = Path(root)
    with tempfile.TemporaryDirectory() as folder:
        written = build(root, folder)
        stale = {
            str(n)
            for n in written
            if not (root / n).exists() or (root / n).read_bytes() != (Path(folder) / n).read_bytes()
        }
        orphans = {
            str(p.relative_to(root)) for kind in ("solutions", "lessons") for p in (root / kind).glob("*/*.ipynb")
        }
    return sorted(stale | (orphans - {str(n) for n in written}))


def main(arguments=None):
    """The command line: 0 when all is well, 1 with one line per fault."""
    parser = argparse.ArgumentParser(prog="course_lib build", description="Build the notebooks from solutions/*.py.")
    parser.add_argument("--check", action="store_true", help="build nothing; fail where a built file is out of date")
    options = parser.parse_args(arguments)
    try:
        if options.check:
            stale = drift()
            for name in stale:
                print(f"{name} is not what its source builds: run `python -m course_lib build`.", file=sys.stderr)
            return 1 if stale else 0
        for name in build():
            print(f"built {name}")
        return 0
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
