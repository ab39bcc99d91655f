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
    """The notebook in a file, as a dict; raises ValueError (one clause that says why) if it is none."""
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

    mine, new: notebooks as dicts. old: the release that `mine` was made from, None if it was lost: then nbgrader's
    checksum tells a changed answer from a stub. carried: dict with the numbers of "answers", "cells" (the student's
    own, or texts and demos that they changed) and "homeless" answers, whose exercise the new release no longer has.
    None of the arguments is changed.
    """
    was, now = _by_key(old["cells"] if old else ()), _by_key(new["cells"])
    answers, changed, added, homeless = {}, {}, [], []
    place = None  # key of the last cell that the new release has too
    for cell in _best_first(mine["cells"], was, now):
        key, text = _key(cell), source(cell)
        if key not in now and key not in was:
            key = _same_text(cell, was, now) or key
        exercise = key is not None and key[0] == "exercise"
        if cell.get("_again") or not (exercise or key in now or key in was):
            if text.strip() and not (exercise and not _mark(cell).get("solution")):
                added.append((place, cell))
        elif exercise and any(_mark(one).get("solution") for one in (cell, was.get(key, {}), now.get(key, {}))):
            if _is_changed(cell, was.get(key), now.get(key)):
                if key in now and _mark(now[key]).get("solution"):
                    answers[key] = cell
                else:
                    homeless.append(cell)
        elif not exercise and key in was and text != source(was[key]):
            if key not in now:
                added.append((place, cell))
            elif source(now[key]) == source(was[key]) and cell["cell_type"] == now[key]["cell_type"]:
                changed[key] = cell
        if key in now:
            place = key
    result = {**copy.deepcopy(new), "cells": []}
    taken = {cell["id"] for cell in new["cells"] if "id" in cell}
    own = [(after, _own(cell, taken)) for after, cell in added]
    result["cells"] += [cell for after, cell in own if after is None]
    for cell in copy.deepcopy(new["cells"]):
        key = _key(cell)
        if key in answers or key in changed:
            theirs = answers.get(key) or changed[key]
            cell["source"] = source(theirs).splitlines(True)
            if theirs.get("attachments") and cell["cell_type"] == "markdown":
                cell["attachments"] = theirs["attachments"]
        result["cells"].append(cell)
        result["cells"] += [theirs for after, theirs in own if after == key]
    if homeless:
        if not any(cell.get("id") == HOMELESS for cell in result["cells"]):
            result["cells"].append({"cell_type": "markdown", "id": HOMELESS, "metadata": {}, "source": [HEADING]})
        result["cells"] += [_own(cell, taken) for cell in homeless]
    numbers = {"answers": len(answers), "cells": len(own) + len(changed), "homeless": len(homeless)}
    return result, numbers


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


def _by_key(cells):
    return {_key(cell): cell for cell in cells if _key(cell)}


def _best_first(cells, was, now):
    """The student's cells, copied, in order; of several with one grade_id (a cell that was copied or split), the one
    that has the release's cell id, or else the first, is the answer, and the others are marked `_again`."""
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
    """Did the student change this answer? Decided by the release it came from, then by nbgrader, then by the new one."""
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
    parts = [
        source(cell),
        cell["cell_type"],
        mark.get("grade", False),
        mark.get("solution", False),
        False,
        mark["grade_id"],
    ]
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
