"""Written answers, wherever a platform or a student has left them, and the pictures in them."""

import ast
import re
from urllib.parse import quote

MOST_PASTED = 50  # pictures in a text
PLAIN = re.compile(r"[A-Za-z0-9._-]+")
PASTED = re.compile(r"data:(image/(?:png|jpe?g|gif|webp));base64,([A-Za-z0-9+/=]+)(?=[)\s])")  # a picture, nothing else


def place(cells, source, grade_id, taken):
    """The cell with a written answer that has lost name and id: the student's first one below the question.

    taken  ids (Python's) of the cells that are known to be others; None where there is no such cell
    """
    question, stub = _question(cells, source, grade_id), {source.stubs[grade_id].strip()}
    if question is not None:
        return next(iter(_own(cells[question + 1 :], source, taken, stub)), None)
    ends = [
        i for i, cell in enumerate(cells) if cell.source.strip() == source.below.get(grade_id)
    ]  # a changed question
    above = _own(reversed(cells[: ends[-1]]), source, taken, stub) if ends else []
    return next((cell for cell in above if _is_prose(cell)), None)


def gather(cells, source, here):
    """Put into a written answer's cell that nobody wrote in what its student wrote beside it; `cells` loses that."""
    taken = {id(cell) for cell in here.values()}
    for grade_id, cell in here.items():
        if grade_id not in source.questions or cell.source.strip() not in ("", source.stubs[grade_id].strip()):
            continue
        at = next(i for i, c in enumerate(cells) if c is cell)
        question, text = _question(cells, source, grade_id), source.questions[grade_id]
        above = _own(cells[question + 1 : at], source, taken) if question is not None and question < at else []
        own = [c for c in (*above, *_own(cells[at + 1 :], source, taken)) if _is_prose(c)]
        texts = [c.source for c in own]
        if question is not None and cells[question].source.strip() != text:
            texts.insert(0, cells[question].source.strip().removeprefix(text).strip())
            cells[question].source = text
        if any(map(str.strip, texts)):
            cell.source = "\n\n".join(texts)
            pictures = {name: data for c in own for name, data in c.get("attachments", {}).items()}
            if pictures and cell.cell_type != "code":
                cell.attachments = {**cell.get("attachments", {}), **pictures}
            cells[:] = [c for c in cells if not any(c is moved for moved in own)]


def _question(cells, source, grade_id):
    """The place of the cell that asks for a written answer, perhaps with the answer behind the question."""
    text = source.questions.get(grade_id, "")
    found = [i for i, cell in enumerate(cells) if text and cell.source.strip() == text]
    found = found or [i for i, cell in enumerate(cells) if text and cell.source.strip().startswith(text)]
    return found[-1] if found else None


def _own(cells, source, taken, but=()):
    """The cells at the front of a list that are the student's, down to the first of the lesson's own."""
    own = []
    for cell in cells:
        text = cell.source.strip()
        if id(cell) in taken or (text in source.given and text not in but):
            break
        own += [cell] if text else []
    return own


def _is_prose(cell):
    """Whether a cell is something that a person reads: no program, though it may be in a cell for one."""
    if cell.cell_type != "code":
        return True
    try:
        return not ast.parse(cell.source).body  # comments
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return len(re.findall(r"[^\W\d_]{2,}", cell.source)) > 3


def rename_pictures(cell):
    """Give a cell's attachments names that work in a link: "my pic.png" is written `attachment:my%20pic.png` there.

    A picture that was pasted into the text itself becomes an attachment, too.
    """
    found, new, kept = dict(cell.get("attachments") or {}), {}, {}

    def attach(picture):
        kind = picture[1].replace("jpg", "jpeg")
        name = f"pasted-{len(found)}.{kind.partition('/')[2]}"
        found[name] = {kind: picture[2]}
        return f"attachment:{name}"

    cell.source = PASTED.sub(attach, cell.source, count=MOST_PASTED)
    for number, (name, data) in enumerate(found.items()):
        plain = name if PLAIN.fullmatch(name) else f"picture-{number}.{next(iter(data)).partition('/')[2]}"
        while plain in kept or (plain != name and plain in found):
            plain = f"_{plain}"
        kept[plain] = data
        if plain != name:
            spaced = name.replace(" ", "%20")
            new |= dict.fromkeys(
                (name, spaced, quote(name, errors="replace"), quote(name, "()!'*~", errors="replace")), plain
            )
    if new:
        names = "|".join(re.escape(name) for name in sorted(new, key=len, reverse=True))
        pattern = re.compile(rf"<attachment:({names})>|attachment:({names})(?=[)\s])")
        cell.source = pattern.sub(lambda m: f"attachment:{new[m[1] or m[2]]}", cell.source)
    if kept:
        cell.attachments = type(cell)(kept)
