"""Quiz feedback as it ships: one sealed text a choice, so that reading the file gives nothing away.

`python -m course_lib build` writes quiz.json from the lessons' sources. Each choice is sealed under its own
letter: opening one shows that choice's feedback and nothing of the others. This keeps a reader from seeing
an answer by accident; it is no secret from somebody who tries every letter, which the quiz allows anyway.
"""

import base64
import functools
import hashlib
import json
from pathlib import Path

FILE = Path(__file__).with_name("quiz.json")


def _stream(key, length):
    blocks = (hashlib.sha256(f"{key}/{i}".encode()).digest() for i in range(length // 32 + 1))
    return b"".join(blocks)[:length]


def seal(lesson, quiz, letter, right, feedback):
    """The sealed text of one choice: `right` (bool) and `feedback` (str)."""
    data = json.dumps([bool(right), feedback], ensure_ascii=False).encode()
    pad = _stream(f"{lesson}/{quiz}/{letter}", len(data))
    return base64.b64encode(bytes(a ^ b for a, b in zip(data, pad))).decode()


@functools.cache
def _all():
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}


def names(lesson):
    """The names of a lesson's quizzes."""
    return list(_all().get(lesson, {}))


def letters(lesson, quiz):
    """The letters of a quiz's choices, in order."""
    return list(_all()[lesson][quiz])


def open_choice(lesson, quiz, letter):
    """(whether this choice is right, its feedback)."""
    data = base64.b64decode(_all()[lesson][quiz][letter])
    pad = _stream(f"{lesson}/{quiz}/{letter}", len(data))
    right, feedback = json.loads(bytes(a ^ b for a, b in zip(data, pad)))
    return right, feedback
