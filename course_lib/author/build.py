"""From one source file to the notebooks: `python -m course_lib build` (`build 05`: one lesson; `build --check`).

A lesson is `solutions/NN_name.py`, in jupytext's percent format. A cell's mark says what it is:

    # %% [markdown] statement="f" minutes=5 level=1   an exercise's text; its heading gets number, points, level;
                                                      what stands before the heading becomes a cell of its own
    # %% answer="f"                                   the student's cell, ### BEGIN SOLUTION … ### END SOLUTION
    # %% check="f" seed=12345                         this line alone: check.f(f), and hidden tests with that seed
    # %% [markdown] quiz="q" answer="b"               question, then `- a) choice` lines, each with `  > feedback`
    # %% [markdown] written="w" points=2              the model answer; a person grades what students write
    # %% given="setup"                                code that answers rely on: locked, restored when grading
    # %% tags=["demo"]                                trains or demonstrates: grading skips it
    # %% tags=["demo"] fold="Four ways up"            and only draws or counts: its code is folded under this title
    # %% [markdown] tags=["draft"]                    of the first cell: the lesson is not finished, and may be short

A check may also be written out: its lines, then ### BEGIN HIDDEN TESTS … ### END HIDDEN TESTS.
Badges, the start on Colab and the cell that writes the file to hand in come from course_lib/grading/frame.py.

From it come, in this order and by nothing but this file and nbgrader's own generate step:
solutions/NN_name/NN_name.ipynb, lessons/NN_name/NN_name.ipynb, and course_lib/checks/quiz.json.
"""

import argparse
import hashlib
import importlib
import json
import re
import shutil
import sys
import tempfile
import tomllib
import traceback
from pathlib import Path

from nbformat import write
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course_lib.checks import quiz as quizzes
from course_lib.grading import frame
from course_lib.grading.course import generate
from course_lib.start.environment import ROOT
from course_lib.start.errors import Stop
from course_lib.start.lab import choose

from .source import LEVELS, BuildError, Source, examine, parse_quiz, parse_statement

# to JupyterLab, which shows the first line, and to Colab
FOLDED = {"jupyter": {"source_hidden": True}, "cellView": "form"}
POINTS = 20  # of every lesson but the warm-up
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
QUIZZES = Path("course_lib", "checks", "quiz.json")
FOR_INSTRUCTORS = re.compile(r"<!-- for instructors -->\n.*?<!-- /for instructors -->\n+", re.DOTALL)
ROW = re.compile(r"(?m)^\| \[.*\]\(lessons/(\w+)/\1\.ipynb\) \|")


# --- expanding: one function a mark -------------------------------------------------------------------------


def expand(source, check, settings=None):
    """A lesson's notebook for nbgrader, and {quiz: {letter: sealed feedback}}.

    source    the lesson's Source
    check     its checks, which know the points
    settings  as for frame; None for no address

    Raises BuildError.
    """
    examine(source, check, check_file(source.name))
    cells = [made for cell in source.cells for made in MADE_OF[cell.mark](cell, source, check, settings)]
    if badges := frame.badges(source.name, settings):
        head, _, rest = cells[0].source.partition("\n")
        cells[0].source = f"{head}\n\n{badges}\n{rest}"
    total = sum(cell.metadata.get("nbgrader", {}).get("points", 0) for cell in cells)
    if total != POINTS and not source.name.startswith("00"):
        source.cells[0].fail(f"a lesson's points add up to {POINTS}; these add up to {total:g} ({addends(cells)})")
    cells.append(_cell("code", frame.hand_in(source.name), {"tags": ["demo"]}, "hand_in"))
    _stable_ids(cells)
    sealed = {cell.name: seal(source.name, cell) for cell in source.cells if cell.mark == "quiz"}
    return new_notebook(cells=cells, metadata=METADATA), sealed


def expand_plain(cell, source, check, settings):
    text, metadata = cell.text, tags(cell)
    if "fold" in cell.meta:
        text, metadata = f"# @title {cell.meta['fold']}\n{text}", {**metadata, **FOLDED}
    return [_cell(cell.kind, text, metadata)]


def expand_statement(cell, source, check, settings):
    before, title, after = parse_statement(cell)
    number = [c.name for c in source.cells if c.mark == "statement"].index(cell.name) + 1
    points = getattr(check, cell.name).points
    worth = f"{points:g} point{'' if points == 1 else 's'}"
    head = f"### Exercise {number} · {title}\n\n"
    head += f"{LEVELS[cell.meta['level']]} · {worth} · about {cell.meta['minutes']} minutes"
    return [_cell("markdown", text, {}) for text in (before, head + after) if text]


def expand_answer(cell, source, check, settings):
    return [_cell("code", cell.text, nbgrader(cell.name, solution=True), cell.name)]


def expand_check(cell, source, check, settings):
    name = f"check_{cell.name}"
    points = getattr(check, cell.name).points
    return [_cell("code", cell.text, nbgrader(name, grade=True, locked=True, points=points), name)]


def expand_given(cell, source, check, settings):
    metadata = {**nbgrader(cell.name, locked=True), **tags(cell)}
    if cell.name != "setup":
        return [_cell("code", cell.text, metadata, cell.name)]
    return [_cell("code", frame.around(cell.text, settings), {**metadata, **FOLDED}, cell.name)]


def expand_written(cell, source, check, settings):
    metadata = nbgrader(cell.name, grade=True, solution=True, points=cell.meta["points"])
    return [_cell("markdown", cell.text, metadata, cell.name)]


def expand_quiz(cell, source, check, settings):
    question, right, feedback = parse_quiz(cell)
    name = f"quiz_{cell.name}"
    choice = f'### BEGIN SOLUTION\n{name} = "{right}"\n### END SOLUTION'
    metadata = {**nbgrader(name, solution=True), "quiz": cell.name, "letters": list(feedback)}
    locked = nbgrader(f"check_{name}", grade=True, locked=True, points=1)
    return [
        _cell("markdown", question, {}),
        _cell("code", choice, metadata, name),
        _cell("code", f"check.{name}({name})", locked, f"check_{name}"),
    ]


MADE_OF = {
    None: expand_plain,
    "statement": expand_statement,
    "answer": expand_answer,
    "check": expand_check,
    "given": expand_given,
    "written": expand_written,
    "quiz": expand_quiz,
}


def seal(lesson, cell):
    """{letter: sealed feedback} of a quiz cell."""
    _, right, feedback = parse_quiz(cell)
    return {k: quizzes.seal(lesson, cell.name, k, k == right, text) for k, text in feedback.items()}


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


def tags(cell):
    return {"tags": cell.meta["tags"]} if "tags" in cell.meta else {}


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


# --- what stands beside a source ----------------------------------------------------------------------------


def checks_of(lesson):
    """The `check` object of a lesson, e.g. course_lib.checks.lesson_02.check. Raises BuildError where there is none."""
    name = f"course_lib.checks.lesson_{lesson[:2]}"
    try:
        return importlib.import_module(name).check
    except Exception as error:
        if getattr(error, "name", None) == name:
            path = ROOT / "solutions" / f"{lesson}.py"
            raise BuildError(path, 1, f"the lesson has no checks: {check_file(lesson)} is missing") from None
        places = [(step.filename, step.lineno) for step in traceback.extract_tb(error.__traceback__)]
        if isinstance(error, SyntaxError):
            places.append((error.filename, error.lineno))
        ours = [(Path(file), line) for file, line in places if f"lesson_{lesson[:2]}" in str(file)]
        path, line = ours[-1] if ours else (ROOT / check_file(lesson), 1)
        raise BuildError(path, line or 1, f"the checks can't be read: {type(error).__name__}: {error}") from None


def addends(cells):
    """What a lesson's points are made of: "stretch 5, quizzes 3, …"."""
    worth = {}
    for mark in (cell.metadata.get("nbgrader", {}) for cell in cells):
        if mark.get("grade"):
            name = mark["grade_id"].removeprefix("check_")
            name = "quizzes" if name.startswith("quiz_") else name
            worth[name] = worth.get(name, 0) + mark["points"]
    return ", ".join(f"{name} {points:g}" for name, points in worth.items())


def check_file(lesson):
    return f"course_lib/checks/lesson_{lesson[:2]}/__init__.py"


def examine_row(root, lesson):
    """Raise BuildError where README's table of lessons has no row for a lesson, or only one that students don't get."""
    readme = root / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.exists() else ""
    text = FOR_INSTRUCTORS.sub(lambda part: "\n" * part[0].count("\n"), text)  # students' README lacks these
    rows = list(ROW.finditer(text))
    if lesson not in [row[1] for row in rows]:
        line = text.count("\n", 0, rows[-1].start()) + 2 if rows else 1
        row = f"| [{lesson[:2]} …](lessons/{lesson}/{lesson}.ipynb) | 90 min | … |"
        raise BuildError(readme, line, f"the table of lessons needs a row for {lesson}, in students' sight: {row}")


# --- the command --------------------------------------------------------------------------------------------


def build(root=ROOT, out=None, settings=None, only=()):
    """Build lessons of the course at `root` into the folder `out`; the list of files written, relative to it.

    settings  {"repository": "owner/name", "branch": a branch or tag}; by default [tool.course] of pyproject.toml
    only      numbers or names of lessons; all by default. quiz.json keeps what it has of the others

    Raises BuildError for a fault, and Stop for a lesson that there is not.
    """
    root, out = Path(root), Path(out or root)
    if settings is None:
        with open(root / "pyproject.toml", "rb") as file:
            settings = tomllib.load(file).get("tool", {}).get("course", {})
    sources = {path.stem: path for path in sorted((root / "solutions").glob("[0-9][0-9]_*.py"))}
    chosen = sorted({choose(list(sources), wanted, root) for wanted in only}) or list(sources)
    kept = json.loads((root / QUIZZES).read_text("utf-8")) if only and (root / QUIZZES).exists() else {}
    sealed, written = dict(kept), []
    with tempfile.TemporaryDirectory() as folder:
        course = Path(folder)
        for name in chosen:
            source = Source(sources[name])
            examine_row(root, name)
            notebook, sealed[name] = expand(source, checks_of(name), settings)
            built = course / "solutions" / name / f"{name}.ipynb"
            built.parent.mkdir(parents=True)
            write(notebook, built)
            generate(course, name, course / "lessons", f"sqlite:///{course / 'gradebook.db'}")
            written += [Path(kind, name, f"{name}.ipynb") for kind in ("solutions", "lessons")]
        (course / QUIZZES).parent.mkdir(parents=True)
        in_order = {name: sealed[name] for name in sources if name in sealed}
        (course / QUIZZES).write_text(json.dumps(in_order, indent=1) + "\n", encoding="utf-8")
        written.append(QUIZZES)
        for name in written:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(course / name, out / name)
    return written


def drift(root=ROOT, only=()):
    """The built files of the course at `root`, or of some lessons, that are not what building gives; sorted."""
    root = Path(root)
    with tempfile.TemporaryDirectory() as folder:
        written = build(root, folder, only=only)
        fresh = {name: (Path(folder) / name).read_bytes() for name in written}
    stale = {str(n) for n, content in fresh.items() if not (root / n).exists() or (root / n).read_bytes() != content}
    there = {str(p.relative_to(root)) for kind in ("solutions", "lessons") for p in (root / kind).glob("*/*.ipynb")}
    orphans = set() if only else there - {str(name) for name in written}
    return sorted(stale | orphans)


def main(arguments=None):
    """The command line: 0 when all is well, 1 with one line per fault."""
    parser = argparse.ArgumentParser(prog="course_lib build", description="Build the notebooks from solutions/*.py.")
    parser.add_argument("lesson", nargs="*", help="number or name of a lesson to build; all by default")
    parser.add_argument("--check", action="store_true", help="build nothing; fail where a built file is out of date")
    options = parser.parse_args(arguments)
    try:
        if options.check:
            stale = drift(only=options.lesson)
            for name in stale:
                print(f"{name} is not what its source builds: run `python -m course_lib build`.", file=sys.stderr)
            return 1 if stale else 0
        for name in build(only=options.lesson):
            print(f"built {name}")
        return 0
    except (BuildError, Stop) as error:
        print(error, file=sys.stderr)
        return 1
