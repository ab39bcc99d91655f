"""A lesson's source as the builder reads it: its cells with marks and line numbers, and the faults that it can have.

How cells are marked is at the top of build.py. A fault is a BuildError: file, line and one sentence.
"""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import jupytext

KINDS = dict.fromkeys(("statement", "quiz", "written"), "markdown") | dict.fromkeys(
    ("answer", "check", "given"), "code"
)
LEVELS = {1: "●○○", 2: "●●○", 3: "●●●"}
# what saving from Jupyter puts before the first cell: `# ---`, lines of comment, `# ---`
HEADER = re.compile(r"# ---\n(?:#.*\n)*?# ---\n\s*")
CHECK = """check.{name}({name})
### BEGIN HIDDEN TESTS
check.{name}({name}) & check.{name}({name}, seed={seed})
### END HIDDEN TESTS"""


class BuildError(Exception):
    """A fault in what a lesson is built from: file, line and one sentence."""

    def __init__(self, path, line, message):
        path = Path(path).resolve()
        here = Path.cwd()
        super().__init__(f"{path.relative_to(here) if path.is_relative_to(here) else path}:{line}: {message}")


@dataclass
class Cell:
    """A cell of a source. mark and name are None where it has no mark; line is that of its `# %%`."""

    path: Path
    line: int
    kind: str
    text: str
    meta: dict
    mark: str | None = None
    name: str | None = None

    def fail(self, message, offset=0):
        raise BuildError(self.path, self.line + offset, message)


class Source:
    """A lesson's source file: .path, .name (NN_name) and .cells."""

    def __init__(self, path):
        self.path, self.name = Path(path), Path(path).stem
        text = self.path.read_text(encoding="utf-8")
        header = HEADER.match(text)
        start = header.end() if header else 0
        above = text.count("\n", 0, start)
        lines = [i for i, line in enumerate(text[start:].splitlines(), 1 + above) if line.startswith("# %%")]
        read = jupytext.reads(text[start:], fmt="py:percent").cells
        if not lines or lines[0] != 1 + above or len(lines) != len(read):
            line = lines[0] if lines else 1
            raise BuildError(path, line, "the file must start with a `# %%` cell and hold nothing between cells")
        self.cells = [Cell(self.path, i, c.cell_type, c.source, dict(c.metadata)) for i, c in zip(lines, read)]
        for cell in self.cells:
            cell.mark, cell.name = mark_of(cell)
            if cell.mark == "check":
                cell.text = check_text(cell)


def mark_of(cell):
    """(mark, name) of a cell, or (None, None)."""
    marks = [m for m in KINDS if m in cell.meta and not (m == "answer" and "quiz" in cell.meta)]
    if len(marks) > 1:
        cell.fail(f"a cell has one mark; this one has {' and '.join(marks)}")
    if not marks:
        return None, None
    mark = marks[0]
    name, kind = cell.meta[mark], KINDS[mark]
    if not isinstance(name, str) or not name.isidentifier():
        cell.fail(f"{mark}={name!r}: a name is letters, digits and _, in quotes")
    if cell.kind != kind:
        head = "# %% [markdown]" if kind == "markdown" else "# %%"
        cell.fail(f'a {mark} cell is {kind}: write `{head} {mark}="{name}"`')
    return mark, name


def check_text(cell):
    """A check cell's code: written from its seed, or as it stands where it is written out."""
    seed, written_out = cell.meta.get("seed"), bool(cell.text.strip())
    if written_out and seed is None:
        return cell.text
    if written_out or type(seed) is not int or seed <= 0:
        cell.fail(
            f'a check cell is the one line `# %% check="{cell.name}" seed=…`, a number above 0, or is written out'
        )
    return CHECK.format(name=cell.name, seed=seed)


# --- faults -------------------------------------------------------------------------------------------------


def examine(source, check, check_file):
    """Raise BuildError for the first fault of a source: ids, pairs, markers, verdicts, points.

    check       the lesson's checks
    check_file  where they are written, for a sentence about one that is missing
    """
    seen = {}
    for cell in source.cells:
        examine_markers(cell)
        examine_fold(cell)
        if cell.mark is None:
            continue
        key = (cell.mark, cell.name) if cell.mark in ("statement", "check") else cell.name
        if key in seen:
            cell.fail(f"the id {cell.name!r} is used twice (first on line {seen[key].line})")
        seen[key] = cell
        if cell.mark == "check":
            examine_check(cell)
            if cell.name not in dir(check):
                cell.fail(f"{check_file} has no exercise {cell.name!r}")
        if cell.mark == "written" and not cell.meta.get("points", 0) > 0:
            cell.fail(f"the written answer {cell.name!r} needs points=…")
    for cell in source.cells:
        examine_partners(cell, seen)


def examine_markers(cell):
    """Solutions and hidden tests stand in cells that are marked for them, and an answer has a solution."""
    if cell.kind != "code":
        return
    solutions = regions(cell, "SOLUTION")
    if solutions and cell.mark != "answer":
        cell.fail('a solution stands in a cell that is not marked answer="…"')
    if cell.mark == "answer" and not solutions:
        cell.fail(f"the answer cell {cell.name!r} has no ### BEGIN SOLUTION")
    if cell.mark == "answer":
        try:
            ast.parse(cell.text)
        except SyntaxError as error:
            cell.fail(f"this answer is not Python: {error.msg}", error.lineno or 0)
    if "HIDDEN TESTS" in cell.text and cell.mark != "check":
        cell.fail('hidden tests stand in a cell that is not marked check="…"')


def examine_fold(cell):
    """What is folded away is neither an exercise's nor what a reader waits for."""
    demo = cell.mark is None and "demo" in cell.meta.get("tags", [])
    if "fold" in cell.meta and not (demo and "train.fit(" not in cell.text):
        cell.fail('only a cell with tags=["demo"] that trains nothing is folded')


def examine_partners(cell, seen):
    """An exercise is a statement, an answer and a check, in this order."""
    if cell.mark == "answer":
        before, after = seen.get(("statement", cell.name)), seen.get(("check", cell.name))
        if before is None or before.line > cell.line:
            cell.fail(f'the exercise {cell.name!r} needs a statement before it: a cell marked statement="{cell.name}"')
        if after is None or after.line < cell.line:
            cell.fail(f'the exercise {cell.name!r} needs a check after it: a cell marked check="{cell.name}"')
    if cell.mark in ("check", "statement") and cell.name not in seen:
        cell.fail(f'{cell.mark}={cell.name!r} belongs to no cell marked answer="{cell.name}"')


def regions(cell, kind):
    """Check the BEGIN/END pairs of `kind` ("SOLUTION" or "HIDDEN TESTS") in a cell; how many there are."""
    count, opened = 0, None
    for offset, line in enumerate(cell.text.split("\n"), 1):
        if f"BEGIN {kind}" in line:
            if opened is not None:
                cell.fail(f"### BEGIN {kind} inside another one", offset)
            opened, count = offset, count + 1
        elif f"END {kind}" in line:
            if opened is None:
                cell.fail(f"### END {kind} without a BEGIN", offset)
            opened = None
    if opened is not None:
        cell.fail(f"### BEGIN {kind} has no ### END {kind}", opened)
    return count


def examine_check(cell):
    """A check cell ends, for students and for the grader, in exactly one bare verdict that joins all its checks."""
    hidden = regions(cell, "HIDDEN TESTS")
    for form in (without_hidden(cell.text), cell.text):
        calls = examine_verdict(cell, form)
    if hidden and len(calls) < 2:
        cell.fail("the hidden tests must end in a verdict that joins the visible and the hidden check with `&`")


def examine_verdict(cell, form):
    """The calls that the last line of a check's code joins, once it is known to be such a line and to join them all."""
    try:
        body = ast.parse(form).body
    except SyntaxError as error:
        cell.fail(f"this check is not Python: {error.msg}", error.lineno or 0)
    last = body[-1] if body else None
    calls = verdict_calls(last.value) if isinstance(last, ast.Expr) else None
    if not calls or form.rstrip().endswith(";") or any(call.func.attr != cell.name for call in calls):
        example = f"check.{cell.name}({cell.name})"
        cell.fail(f"a check cell must end in one bare verdict, such as `{example}`, without `;` or `=`")
    joined = [ast.dump(call) for call in calls]
    for statement in body[:-1]:
        for call in verdict_calls(getattr(statement, "value", None)) or []:
            if ast.dump(call) not in joined:
                cell.fail("the last line must join every check of this cell with `&`", statement.lineno)
    return calls


def without_hidden(text):
    """A check cell's code as students get it."""
    return re.sub(r"^.*BEGIN HIDDEN TESTS[\s\S]*?END HIDDEN TESTS.*\n?", "", text, flags=re.M).rstrip("\n")


def verdict_calls(node):
    """The calls joined in a verdict expression `check.f(f) & check.f(f, seed=1)`, or None where it is no such thing."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd):
        left, right = verdict_calls(node.left), verdict_calls(node.right)
        return None if left is None or right is None else left + right
    called = node.func if isinstance(node, ast.Call) else None
    if isinstance(called, ast.Attribute) and getattr(called.value, "id", "") == "check":
        return [node]
    return None


# --- what a statement and a quiz say ------------------------------------------------------------------------


def parse_statement(cell):
    """(the text before its heading, the heading's words, the text after it) of a statement cell."""
    titles = list(re.finditer(r"^### (.+)$", cell.text, flags=re.M))
    level, minutes = cell.meta.get("level"), cell.meta.get("minutes")
    if len(titles) != 1 or level not in LEVELS or not isinstance(minutes, int):
        cell.fail("a statement has one heading `### …` and is marked level=1, 2 or 3 and minutes=…")
    title = titles[0]
    return cell.text[: title.start()].rstrip("\n"), title[1], cell.text[title.end() :]


def parse_quiz(cell):
    """(question text as students see it, right letter, {letter: feedback}) of a quiz cell."""
    right, shown, feedback, letter = cell.meta.get("answer"), [], {}, None
    for offset, line in enumerate(cell.text.split("\n"), 1):
        choice = re.match(r"- ([a-z])\) ", line)
        if choice:
            letter = choice[1]
            if letter in feedback:
                cell.fail(f"quiz {cell.name!r} has two choices {letter!r}", offset)
            feedback[letter] = ""
        elif letter and line.lstrip().startswith("> "):
            feedback[letter] = f"{feedback[letter]} {line.lstrip()[2:]}".strip()
            continue
        shown.append(line)
    if len(feedback) < 2 or right not in feedback:
        cell.fail(f'quiz {cell.name!r} needs two or more choices `- a) …` and answer="…" naming one of them')
    silent = [k for k, text in feedback.items() if not text]
    if silent:
        cell.fail(f"choice {silent[0]!r} of quiz {cell.name!r} has no feedback: add a line `  > …` below it")
    return "\n".join(shown), right, feedback
