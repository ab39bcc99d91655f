"""From what a learning platform hands out to one notebook a student: who, which lesson, where from.

Understood: nbgrader's tree (STUDENT/LESSON/*.ipynb), one folder a student, and the names that Moodle, Canvas and
Google Classroom give to what they hand out; as folders, as zips (in which zips may lie), as single notebooks.
Nothing is unpacked: a member of a zip is read into memory, so its name is never a path on the disk.
"""

import io
import os
import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath

from .restore import MOST_BYTES

MOST_FILES = 50_000
DEPTH = 3  # of zips within zips
UNREADABLE = (zipfile.BadZipFile, zlib.error, OSError, ValueError, RuntimeError, EOFError)  # what a broken zip raises
NOISE = re.compile(
    r"(^|/)(\.[^/]*|__MACOSX|Thumbs\.db|timestamp\.txt|onlinetext\.html|.*_assignsubmission_onlinetext_?)(/|$)"
)
MOODLE = re.compile(r"^(?P<name>.+?)_\d+_assignsubmission_file(_(?P<file>.*))?$")
CANVAS = re.compile(r"^(?P<name>[^_]+)(_LATE)?_(?P<id>\d+)_\d+_(?P<file>.+)$")
COPY = re.compile(r"^copy of | ?\(\d+\)$|-\d+$|[ -]copy\d*$", re.I)  # what browsers and drives add to a second file


@dataclass(frozen=True)
class File:
    """A file as it was found: its path below what was given, its bytes when asked for, when it was changed last."""

    path: str
    read: Callable[[], bytes]
    when: datetime | None  # local time
    size: int
    root: str  # what was given
    dated: bool = False  # `when` is from a zip, so nobody's download or copy

    def name(self):
        return f"{self.root}/{self.path}"


@dataclass(frozen=True)
class Handed:
    """A student's notebook. `lesson` is None where only its content can tell."""

    student: str
    lesson: str | None
    file: File
    note: str = ""


def collect(paths, lessons, students=()):
    """([Handed], [(path, why it was left out)]) for the paths that an instructor gave.

    lessons   the course's
    students  the ones that the gradebook knows, as (id, first name, last name, email)

    Of several notebooks of one student for one lesson the newest counts.
    """
    left, best, roster = [], {}, _roster(students)
    for path in paths:
        found = [file for file in _files(Path(path), left) if not NOISE.search(file.path)]
        files = [file for file in found if file.path.lower().endswith(".ipynb")]
        left += [(file.name(), "is no notebook") for file in found if not file.path.lower().endswith(".ipynb")]
        folders = [_folders(file, lessons) for file in files]
        level = min(len(os.path.commonprefix(folders)), max(0, min(map(len, folders), default=0) - 1))
        for file, inner in zip(files, folders):
            student, lesson = _who(file, lessons, inner[level] if inner else "")
            if not student:
                advice = "put it into a folder of the student's name, or call it 'NAME - LESSON.ipynb'"
                left.append((file.name(), f"names no student: {advice}"))
                continue
            handed = Handed(roster.get(_key(student), student), lesson, file)
            known = best.get((handed.student, lesson))
            if known:
                older, newer = sorted((known, handed), key=_age)
                left.append((older.file.name(), f"is older than another notebook of {handed.student}"))
                handed = replace(newer, note="The newest of several files was graded.")
            best[handed.student, lesson] = handed
    return sorted(best.values(), key=lambda h: (h.lesson or "", h.student)), left


def _age(handed):
    """What sorts notebooks from the oldest to the newest."""
    return handed.file.when or datetime.min, _natural(handed.file.path)


# --- files --------------------------------------------------------------------------------------------------


def _files(path, left):
    """The `File`s below a path that was given; what can't be read goes to `left`."""
    if path.is_dir():
        for folder, names, files in os.walk(path):
            names[:] = sorted(n for n in names if not n.startswith(".") and not Path(folder, n).is_symlink())
            for name in sorted(files):
                yield from _file(Path(folder, name), path, left)
    elif path.exists():
        yield from _file(path, path.parent, left)
    else:
        left.append((str(path), "does not exist"))


def _file(path, root, left):
    inside = path.relative_to(root).as_posix()
    if path.is_symlink() or not path.is_file():
        left.append((str(path), "is a link or no ordinary file, and is not followed"))
        return
    facts = path.stat()
    when = datetime.fromtimestamp(facts.st_mtime)
    if path.suffix.lower() == ".zip":
        with path.open("rb") as stream:
            yield from _zip(stream, inside, str(root), left, 1)
    elif facts.st_size > MOST_BYTES:
        left.append((str(path), _too_big(facts.st_size)))
    else:
        yield File(inside, path.read_bytes, when, facts.st_size, str(root))


def _zip(stream, name, root, left, depth):
    """The `File`s in a zip, as if it were a folder of that name."""
    where = f"{root}/{name}"
    try:
        archive = zipfile.ZipFile(stream)
        entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        left.append((where, f"is no zip that can be read ({error})"))
        return
    if len(entries) > MOST_FILES:
        left.append((where, f"holds {len(entries)} files; at most {MOST_FILES} are looked at"))
        return
    for entry in entries:
        parts = PurePosixPath(entry.filename.replace("\\", "/")).parts
        inside = "/".join(part for part in parts if part not in ("/", "..", "."))
        path = f"{name.removesuffix('.zip')}/{inside}"
        if entry.is_dir() or NOISE.search(path):
            continue
        reason = _refused(entry, inside, depth)
        if reason:
            left.append((f"{root}/{path}", reason))
            continue
        try:
            data = _member(archive, entry)
        except UNREADABLE as error:
            left.append((f"{root}/{path}", f"can't be read ({error})"))
            continue
        try:
            when = datetime(*entry.date_time)
        except ValueError:
            when = None
        if inside.lower().endswith(".zip"):
            yield from _zip(io.BytesIO(data), path, root, left, depth + 1)
        else:
            yield File(path, lambda data=data: data, when, len(data), root, when is not None)


def _refused(entry, inside, depth):
    """Why a zip's member is not read, "" where it is."""
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "is a link, and is not followed"
    if entry.flag_bits & 1:
        return "is locked with a password"
    if entry.file_size > MOST_BYTES:
        return _too_big(entry.file_size)
    if not inside.lower().endswith((".ipynb", ".zip")):
        return "is no notebook"
    return "lies in too many zips" if depth >= DEPTH and inside.lower().endswith(".zip") else ""


def _member(archive, entry):
    """A member's bytes; never more than its head says, whatever it unpacks to."""
    with archive.open(entry) as stream:
        data = stream.read(entry.file_size + 1)
    if len(data) != entry.file_size:
        raise ValueError("its size is not what the zip says")
    return data


def _too_big(size):
    return f"has {size / 2**20:.0f} MB; at most {MOST_BYTES / 2**20:.0f} MB are read"


# --- names --------------------------------------------------------------------------------------------------


def _folders(file, lessons):
    """The folders of a file that may be a student's: neither a lesson's nor the zip that was given."""
    folders = PurePosixPath(file.path).parts[:-1]
    if folders and Path(file.root, f"{folders[0]}.zip").is_file():
        folders = folders[1:]
    return [name for name in folders if not _lesson_in(name, lessons)]


def _who(file, lessons, folder):
    """(student, lesson) as a file's path tells: "" where it names no student, None where it names no lesson.

    folder  the one of its folders that may be a student's
    """
    *folders, name = PurePosixPath(file.path).parts
    stem = PurePosixPath(name).stem
    places = (stem, *reversed(folders), *Path(file.root).parts[:-3:-1])
    lesson = next((known for place in places if (known := _lesson_in(place, lessons))), None)
    for part in (*folders, stem):  # from the outside in: what a student packs may bear another's name
        if found := MOODLE.match(part):
            return tidy(found["name"]), lesson
        if found := CANVAS.match(part):
            return tidy(f"{found['name']}_{found['id']}"), lesson
    above = [*Path(file.root).parts, *folders]
    if len(above) >= 2 and above[-1] in lessons:  # nbgrader's tree, whatever part of it was given
        return tidy(above[-2]), above[-1]
    rest = stem
    while rest != COPY.sub("", rest):
        rest = COPY.sub("", rest)
    known = _lesson_in(rest, lessons)
    if known:
        rest = re.sub(re.escape(known) + r"|\bsolutions?\b|\bsubmission\b", "", rest, flags=re.I)
        if _key(rest):
            return tidy(rest.strip(" -_–—")), lesson
    if folder:
        return tidy(folder), lesson
    return ("" if known or not _key(rest) else tidy(rest)), lesson


def _lesson_in(text, lessons):
    return next((name for name in lessons if name.lower() in text.lower()), None)


def tidy(name):
    """A student's id: a name that is safe as a folder, as nbgrader wants it."""
    name = unicodedata.normalize("NFC", name).strip()
    name = re.sub(r"\s+", "_", re.sub(r"[^\w\s.@-]", "_", name)).strip("._-")
    return name[:80]


def _key(name):
    """What of a name decides whether it is the same one: letters and digits."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    return "".join(c for c in plain if c.isalnum())


def _roster(students):
    """{key: id} of the ways in which platforms write a known student's name; ambiguous ones are left out."""
    found, twice = {}, set()
    for student, first, last, email in students:
        email, both = email or "", first and last
        names = [f"{first} {last}", f"{last} {first}"] if both else []
        for text in (student, email, email.split("@")[0], *names):
            key = _key(text)
            if key and found.setdefault(key, student) != student:
                twice.add(key)
    return {key: student for key, student in found.items() if key not in twice}


def _natural(text):
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)]
