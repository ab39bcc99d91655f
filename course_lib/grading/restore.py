"""A submission as it must be before it is run: everything but the answers comes from the lesson's source.

`read` takes a file's bytes apart without trusting them; `restore` puts text, kind and metadata of the lesson's
cells right and puts back what is missing. Neither needs nbgrader or a gradebook.
"""

import copy
import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell

from . import written
from .frame import without_address

DEMO = "demo"  # the tag of cells that train or demonstrate: grading does not run them
MOST_BYTES = 128 * 2**20  # of a notebook's file
BIG = 8 * 2**20  # bytes of a file that is read with care
MOST_TEXT = 16 * 2**20  # bytes of a notebook without its outputs
MOST_CELLS = 2000
MARKDOWN = 5_000  # characters of a cell that are shown as Markdown: whoever makes a page of more may take for ever
MARKDOWN_IN_ALL = 100_000  # of a notebook; a lesson has 30,000
SHOWN = 100_000  # characters of a cell that are shown at all
ATTACHED = 50  # pictures that a cell may have, with names of at most `NAMED` characters
NAMED = 200
PICTURES_IN_ALL = 24 * 2**20  # bytes that a notebook's pictures may take where they are shown
PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")  # no SVG: it may hold scripts
SLIM = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
nb = json.load(sys.stdin.buffer)
for cell in nb["cells"]:
    cell.pop("outputs", None)
json.dump(nb, sys.stdout)
"""
ADVICE = "Open it in JupyterLab, save it, and hand in that file again"


class Unreadable(Exception):
    """A file that can't be graded, in a sentence for whoever handed it in."""


# --- reading ------------------------------------------------------------------------------------------------


def read(data):
    """The notebook in a file's bytes, in format 4.5: texts and metadata alone, no outputs. Raises `Unreadable`."""
    if not data.strip():
        raise Unreadable(f"This file is empty. {ADVICE}.")
    if len(data) > MOST_BYTES:
        size = f"This file has {len(data) / 2**20:.0f} MB; at most {MOST_BYTES / 2**20:.0f} MB can be graded"
        raise Unreadable(f"{size}. Use Edit → Clear Outputs of All Cells, save, and hand it in again.")
    data = _unicode(data)
    try:
        found = json.loads(data if len(data) <= BIG else _slim(data))
    except (ValueError, RecursionError):
        raise Unreadable(f"This file is no notebook: it is not JSON, or broken off. {ADVICE}.") from None
    if isinstance(found, dict) and isinstance(found.get("worksheets"), list):  # from before 2015
        try:
            found = nbformat.convert(nbformat.from_dict(found), 4)
        except Exception:
            found = None
    if not isinstance(found, dict) or not isinstance(found.get("cells"), list):
        raise Unreadable(f"This file is no notebook: it has no cells. {ADVICE}.")
    if len(found["cells"]) > MOST_CELLS:
        raise Unreadable(f"This notebook has {len(found['cells'])} cells; at most {MOST_CELLS} can be graded.")
    ids, cells = set(), []
    for number, cell in enumerate(found["cells"]):
        cell = _clean(cell, number)
        if cell.id in ids:
            cell.id = f"copy-{number}"
        ids.add(cell.id)
        cells.append(cell)
    return nbformat.v4.new_notebook(cells=cells)


def _unicode(data):
    """JSON's bytes; what an old editor has saved in Windows-1252 is put into UTF-8."""
    try:
        data.decode(json.detect_encoding(data))
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace").encode()
    return data


def _slim(data):
    """A large notebook without its outputs, as JSON.

    A process of its own makes it: JSON that is read can take forty times its size.
    """
    done = subprocess.run([sys.executable, "-I", "-c", SLIM], input=data, capture_output=True)
    if b"MemoryError" in done.stderr[-200:] or len(done.stdout) > MOST_TEXT:
        most = f"at most {MOST_TEXT / 2**20:.0f} MB of text and pictures can be graded"
        raise Unreadable(f"This notebook holds too much beside its outputs: {most}.")
    return done.stdout


def _clean(cell, number):
    """A cell of a file as nbformat wants it, whatever it was."""
    cell = cell if isinstance(cell, dict) else {}
    text, meta, kind, name = (cell.get(key) for key in ("source", "metadata", "cell_type", "id"))
    if isinstance(text, list):
        text = "".join(line for line in text if isinstance(line, str))
    made = nbformat.from_dict(
        {
            "cell_type": kind if kind in ("code", "markdown", "raw") else "raw",
            "source": text.encode(errors="replace").decode().replace("\r\n", "\n") if isinstance(text, str) else "",
            "metadata": _known(meta) if isinstance(meta, dict) else {},
            "id": name if _is_id(name) else f"cell-{number}",
        }
    )
    if made.cell_type == "code":
        made.update(outputs=[], execution_count=None)
    elif isinstance(cell.get("attachments"), dict):
        made.attachments = nbformat.from_dict(_pictures(cell["attachments"]))
    return made


def _pictures(attachments):
    """What of a cell's attachments are pictures and nothing else: {name: {kind: data}}."""
    kept = {}
    for name, found in list(attachments.items())[:ATTACHED]:
        name = name.encode(errors="replace").decode()
        if len(name) > NAMED:
            continue
        for kind, data in found.items() if isinstance(found, dict) else ():
            if kind in PICTURES and isinstance(data, str) and re.fullmatch(r"[\w+/=\s]*", data, re.A):
                kept[name] = {kind: data}
    return kept


def _known(meta):
    """What of a cell's metadata grading reads; the rest may be of any kind, depth and size."""
    mark, tags = meta.get("nbgrader"), meta.get("tags")
    name = mark.get("grade_id") if isinstance(mark, dict) else None
    kept = {"nbgrader": {"grade_id": name}} if isinstance(name, str) else {}
    if isinstance(tags, list) and DEMO in tags:
        kept["tags"] = [DEMO]
    return kept


def _is_id(name):
    return isinstance(name, str) and re.fullmatch(r"(?=.*[^_-])[\w-]{1,64}", name, re.A) is not None


# --- a lesson's source --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    """What grading knows of a lesson."""

    lesson: str
    cells: dict[str, nbformat.NotebookNode]  # grade_id -> cell of solutions/, hidden tests and all
    stubs: dict[str, str]  # grade_id -> text in lessons/
    demos: frozenset[str]  # texts
    given: frozenset[str]  # texts of all cells that students get
    questions: dict[str, str]  # grade_id of a written answer -> text of the cell above it
    below: dict[str, str]  # the same of the cell below it


@lru_cache(maxsize=64)
def source_of(root, lesson):
    """The `Source` of a lesson of the course at `root`."""
    solved, released = (
        nbformat.read(Path(root, kind, lesson, f"{lesson}.ipynb"), as_version=4) for kind in ("solutions", "lessons")
    )
    demos = frozenset(c.source.strip() for c in solved.cells if DEMO in c.metadata.get("tags", []))
    stubs = {name: c.source for name, c in originals(released).items()}
    given = frozenset(c.source.strip() for c in released.cells)
    questions = {c.metadata.nbgrader.grade_id: q.source.strip() for q, c in pairwise(released.cells) if is_written(c)}
    below = {c.metadata.nbgrader.grade_id: n.source.strip() for c, n in pairwise(released.cells) if is_written(c)}
    return Source(lesson, originals(solved), stubs, demos, given, questions, below)


def originals(nb):
    """{grade_id: cell} of a lesson's notebook, in order."""
    return {c.metadata.nbgrader.grade_id: c for c in nb.cells if "nbgrader" in c.metadata}


def lessons(root):
    """The names of the course's lessons."""
    return sorted(
        p.parent.name for p in Path(root, "solutions").glob("[0-9][0-9]_*/*.ipynb") if p.stem == p.parent.name
    )


# --- restoring ----------------------------------------------------------------------------------------------


def restore(nb, source):
    """Put a submission right, in place; returns what had to be done, in sentences.

    A cell is known by its grade_id or, where the metadata was lost, by its cell id. Of two copies the last counts
    that somebody wrote in; all of them are run. A missing cell goes behind the nearest earlier cell of the source
    that is still there: a deleted check is run, a deleted answer is an untouched stub, a deleted or emptied
    written answer counts zero.
    """
    changed, missing = [], []
    here = recognise(nb.cells, source)
    written.gather(nb.cells, source, here)
    for grade_id, cell in here.items():
        original = source.cells[grade_id]
        mark(cell, original)
        if is_locked(original):
            kept = without_address(cell.source).strip()  # a release's set-up cell knows where the course lives
            if kept not in (original.source.strip(), source.stubs[grade_id].strip()):
                changed.append(grade_id)
            cell.source = original.source
        elif not cell.source.strip():
            cell.source = source.stubs[grade_id]
    previous = None
    for grade_id, original in source.cells.items():
        if grade_id not in here:
            make = new_code_cell if original.cell_type == "code" else new_markdown_cell
            text = original.source if is_locked(original) else source.stubs[grade_id]
            here[grade_id] = mark(make(source=text, id=original.id), original)
            place = 0 if previous is None else 1 + next(i for i, c in enumerate(nb.cells) if c is previous)
            nb.cells.insert(place, here[grade_id])
            missing.append(grade_id)
        previous = here[grade_id]
    _tame([cell for cell in nb.cells if cell.cell_type != "code"])
    taken = {c.id for c in here.values()}
    for number, cell in enumerate(nb.cells):
        if cell.id in taken and not any(cell is c for c in here.values()):
            cell.id = f"other-{number}"
    told = (("Changed, and put right", changed), ("Missing, and put back", missing))
    return [f"{what}: {', '.join(f'`{name}`' for name in names)}." for what, names in told if names]


def _tame(cells):
    """Make the texts of a notebook harmless, in place: to whoever opens a page of it, and to whoever makes the page."""
    markdown, pictures = MARKDOWN_IN_ALL, PICTURES_IN_ALL
    for cell in cells:
        written.rename_pictures(cell)
        attached = cell.get("attachments", {})
        size = sum(cell.source.count(f"attachment:{name}") * len(str(found)) for name, found in attached.items())
        if size > pictures:
            size, attached = 0, {}
            del cell["attachments"]
        pictures -= size
        cell.source = harmless(re.sub(r"(?<=;base64,)[\w+/=]{100,}", "…", cell.source), attached)
        if len(cell.source) > min(MARKDOWN, markdown):
            cell.source = as_typed(cell.source)
        else:
            markdown -= len(cell.source)


def as_typed(text, most=SHOWN):
    """Markdown that shows a text as it was typed, its first `most` characters in short lines, and takes no time."""
    if len(text) > most:
        text = f"{text[:most]}\n… ({len(text) - most} more characters)"
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    lines = [line[start : start + 120] for line in text.split("\n") for start in range(0, len(line) or 1, 120)]
    return "\n".join([f"{fence}text", *lines, fence])


def harmless(text, attachments=()):
    """A student's Markdown in which no HTML and no link but an ordinary one works: pages and formgrader show it raw.

    A space of no width, which nobody sees, breaks a tag after its "<" and a link before its address. It breaks pictures
    too, unless they are attached, and what makes diagrams and formulas load some: a picture from elsewhere would tell
    when, and where, a page was opened.
    """
    # an attachment that is missing stops whoever makes a page
    links = "".join(f"|attachment:{re.escape(name)}(?=[)\\s])" for name in attachments)
    text = re.sub(rf"!(?=\[)(?!\[[^\[\]\n]*\]\(\s*(?:(?!){links}))", "!\u200b", text)
    text = re.sub(r"(?i)(?<=[`~])(\s*\{?\s*)(?=mermaid)|(?<=\\)(?=(?:style|require|class|cssid)\b)", "\\1\u200b", text)
    text = re.sub(r"<(?=[A-Za-z/!?])", "<\u200b", text)
    text = re.sub(r"(?i)(?<=java)(?=script\s*:)", "\u200b", text)
    return re.sub(rf"(\]\s*[(:]\s*)(?!https?://|mailto:|#{links})(?=\S)", "\\1\u200b", text)


def recognise(cells, source):
    """{grade_id: cell} for the cells of a submission that are the source's; the others lose nbgrader's metadata.

    Where neither name nor id was kept, an answer is known by what it defines.
    """
    ids = {original.id: grade_id for grade_id, original in source.cells.items()}
    here = {}
    for cell in cells:
        claimed = cell.metadata.pop("nbgrader", None)
        grade_id = str(claimed.get("grade_id")) if isinstance(claimed, dict) else None
        grade_id = grade_id if grade_id in source.cells else ids.get(cell.get("id"))
        untouched = cell.source.strip() in ("", source.stubs.get(grade_id, "").strip())
        if grade_id and not (grade_id in here and untouched):
            here[grade_id] = cell
    taken = [id(cell) for cell in here.values()]
    for grade_id in source.cells.keys() - here.keys():
        if not is_locked(source.cells[grade_id]) and not is_written(source.cells[grade_id]):
            defines = re.compile(rf"^(def|class) {grade_id}\b|^{grade_id}\s*=(?!=)", flags=re.M)
            for cell in cells:
                if id(cell) not in taken and defines.search(cell.source):
                    here[grade_id] = cell
    for grade_id in source.questions.keys() - here.keys():
        if cell := written.place(cells, source, grade_id, {id(cell) for cell in here.values()}):
            here[grade_id] = cell
    return here


def is_worked_in(nb, source):
    """Whether anybody wrote an answer into a notebook; it may be changed by that."""
    here = recognise(nb.cells, source)
    written.gather(nb.cells, source, here)
    answers = {name: cell for name, cell in here.items() if not is_locked(source.cells[name])}
    return any(cell.source.strip() not in ("", source.stubs[name].strip()) for name, cell in answers.items())


def lesson_of(nb, root, told=None):
    """The lesson that a notebook is of, by most of its cells; None where it has nothing of any.

    told  the lesson that it is said to be of: asked first
    """
    names = lessons(root)
    sources = {name: source_of(str(root), name) for name in names}
    counts = Counter(grade_id for source in sources.values() for grade_id in source.cells)
    common = {grade_id for grade_id, count in counts.items() if count > 1}

    def likeness(name):
        return len(recognise(copy.deepcopy(nb.cells), sources[name]).keys() - common)

    if told in sources and likeness(told) >= 3:
        return told
    found = max(names, key=likeness)
    return found if likeness(found) else None


def mark(cell, original):
    """Give a cell the original's kind, id and metadata."""
    cell.metadata, cell.id = copy.deepcopy(original.metadata), original.id
    if cell.cell_type != original.cell_type:
        cell.cell_type = original.cell_type
        for key in ("attachments", "outputs", "execution_count"):
            cell.pop(key, None)
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
    return cell


def is_locked(cell):
    """Whether a cell of the source is ours, so that whatever a student made of it is replaced."""
    return not cell.metadata.nbgrader["solution"]


def is_check(cell):
    """Whether a restored cell is one that earns points by running."""
    mark = cell.metadata.get("nbgrader", {})
    return cell.cell_type == "code" and mark.get("grade", False) and not mark.get("solution", False)


def is_written(cell):
    """Whether a restored cell is an answer that a person grades."""
    mark = cell.metadata.get("nbgrader", {})
    return mark.get("grade", False) and mark.get("solution", False)
