"""A student's answers, carried from their copy of a lesson into a corrected release of it. Standard library only.

Exercises are recognised by nbgrader's grade_id, other cells by their cell id. What is carried: answers that the
student changed, cells that the student added, and other cells that the student changed and the release did not.
"""

import copy
import hashlib
import json
import uuid

HOMELESS = "answers-without-an-exercise"  # id of the heading over answers whose exercise is no longer asked
HEADING = "## Your answers to exercises that are no longer in this lesson"


def read(path):
    """The notebook in a file, as a dict. Raises ValueError, with one clause that says why, if it is none."""
    try:
        notebook = json.loads(path.read_text("utf-8-sig"))
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is empty or cut off, or broken in line {error.lineno}") from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or notebook.get("nbformat") != 4:
        raise ValueError("it is not a notebook of format 4")
    for cell in cells:
        kinds = {"cell_type": str, "metadata": dict}
        if not (isinstance(cell, dict) and all(isinstance(cell.get(name), kind) for name, kind in kinds.items())):
            raise ValueError("one of its cells is not a cell")
        source(cell)
    return notebook


def write(notebook):
    """A notebook's bytes, as Jupyter writes them."""
    return (json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8")


def source(cell):
    """A cell's text; files hold it as one string or as a list of lines."""
    text = cell.get("source", "")
    text = "".join(text) if isinstance(text, list) and all(isinstance(line, str) for line in text) else text
    if not isinstance(text, str):
        raise ValueError("one of its cells has no text")
    return text


def carry(mine, new, old=None):
    """The release `new` with what the student made in `mine`; returns (notebook, carried).

    mine, new  notebooks as dicts
    old        the release that `mine` was made from, None if it was lost: then nbgrader's checksum tells a changed
               answer from a stub
    carried    {"answers", "cells", "homeless"}: how many answers, how many cells (the student's own, and texts and
               demos that they changed), how many answers whose exercise the new release no longer has

    None of the arguments is changed.
    """
    edited, added, homeless = _sort(mine["cells"], _by_key(old["cells"] if old else ()), _by_key(new["cells"]))
    taken = {cell["id"] for cell in new["cells"] if "id" in cell}
    own = [(place, _own(cell, taken)) for place, cell in added]
    cells = [cell for place, cell in own if place is None]
    for cell in copy.deepcopy(new["cells"]):
        key = _key(cell)
        if key in edited:
            cell["source"] = source(edited[key]).splitlines(True)
            if edited[key].get("attachments") and cell["cell_type"] == "markdown":
                cell["attachments"] = edited[key]["attachments"]
        cells += [cell, *(theirs for place, theirs in own if place == key)]
    if homeless and not any(cell.get("id") == HOMELESS for cell in cells):
        cells.append({"cell_type": "markdown", "id": HOMELESS, "metadata": {}, "source": [HEADING]})
    cells += [_own(cell, taken) for cell in homeless]
    answers = sum(key[0] == "exercise" for key in edited)
    numbers = {"answers": answers, "cells": len(own) + len(edited) - answers, "homeless": len(homeless)}
    return {**copy.deepcopy(new), "cells": cells}, numbers


def _sort(cells, was, now):
    """What of a student's cells is theirs: (edited, added, homeless).

    cells     of their notebook
    was, now  {key: cell} of the release that it was made from, and of the new one
    edited    {key: cell}: what goes into the new release's cell of that key
    added     [(place, cell)]: what goes behind the new release's cell of the key `place`; None, before the first
    homeless  answers whose exercise is gone
    """
    edited, added, homeless = {}, [], []
    place = None
    for cell in _best_first(cells, was, now):
        key = _key(cell)
        if key not in now and key not in was:
            key = _same_text(cell, was, now) or key
        before, after = was.get(key), now.get(key)
        if cell.get("_again") or (not before and not after and not _is_exercise(key)):
            left_over = _is_exercise(key) and not _is_answer(cell)  # a copy of a check
            if source(cell).strip() and not left_over:
                added.append((place, cell))
        elif _is_exercise(key):
            if any(map(_is_answer, (cell, before, after))) and _is_changed(cell, before, after):
                if _is_answer(after):
                    edited[key] = cell
                else:
                    homeless.append(cell)
        elif before and source(cell) != source(before):  # a text or a demo
            if not after:
                added.append((place, cell))
            elif source(after) == source(before) and cell["cell_type"] == after["cell_type"]:
                edited[key] = cell
        if after:
            place = key
    return edited, added, homeless


def same_work(one, other):
    """Do two notebooks hold the same cells, outputs aside?"""

    def work(notebook):
        return [(cell["cell_type"], source(cell), _mark(cell)) for cell in notebook["cells"]]

    return work(one) == work(other)


def _mark(cell):
    mark = cell.get("metadata", {}).get("nbgrader")
    return mark if isinstance(mark, dict) else {}


def _key(cell):
    """What a cell is known by from release to release; None where nothing tells (Colab drops ids, or moves them)."""
    if _mark(cell).get("grade_id"):
        return "exercise", _mark(cell)["grade_id"]
    name = cell.get("id") or cell.get("metadata", {}).get("id")
    return ("cell", name) if isinstance(name, str) else None


def _is_exercise(key):
    return key is not None and key[0] == "exercise"


def _is_answer(cell):
    """Is this a cell, and one that a student answers in?"""
    return bool(cell and _mark(cell).get("solution"))


def _by_key(cells):
    return {_key(cell): cell for cell in cells if _key(cell)}


def _best_first(cells, was, now):
    """The student's cells, copied, in order, with `_again` on those that are not the answer of their grade_id.

    Of several with one grade_id (a cell that was copied or split) the one that has the release's cell id is the
    answer, or else the first.
    """
    best = {}
    for position, cell in enumerate(cells):
        key = _key(cell)
        known = now.get(key) or was.get(key) or {}
        if key and (key not in best or (cell.get("id") and cell.get("id") == known.get("id"))):
            best[key] = position
    return [{**cell, "_again": True} if best.get(_key(cell), i) != i else dict(cell) for i, cell in enumerate(cells)]


def _same_text(cell, *releases):
    """For a cell without an id of its own: the key of a release's cell with the same text."""
    if "id" in cell:
        return None
    for release in releases:
        for key, other in release.items():
            if key[0] == "cell" and source(other) == source(cell) and other["cell_type"] == cell["cell_type"]:
                return key
    return None


def _is_changed(cell, was, now):
    """Did the student change this answer? The release that it came from tells, else nbgrader, else the new release."""
    text, mark = source(cell), _mark(cell)
    if not text.strip():
        return False
    if was is not None:
        return text != source(was)
    if "checksum" in mark:
        return mark["checksum"] != _checksum(cell)
    return now is None or text != source(now)


def _checksum(cell):
    """nbgrader.utils.compute_checksum of a solution cell; its own would need nbgrader installed."""
    mark = _mark(cell)
    kind, grade, solution = cell["cell_type"], mark.get("grade", False), mark.get("solution", False)
    parts = [source(cell), kind, grade, solution, False, mark["grade_id"]]  # False: it is not locked
    if mark.get("grade"):
        parts.append(float(mark.get("points", 0)))
    return hashlib.md5("".join(map(str, parts)).encode("utf-8"), usedforsecurity=False).hexdigest()


def _own(cell, taken):
    """A cell that the release does not know: without nbgrader's mark, under an id that is free in `taken`."""
    cell = copy.deepcopy(cell)
    cell.pop("_again", None)
    cell["metadata"] = {name: value for name, value in cell.get("metadata", {}).items() if name != "nbgrader"}
    if not isinstance(cell.get("id"), str) or cell["id"] in taken:
        cell["id"] = uuid.uuid4().hex[:8]
    taken.add(cell["id"])
    return cell
