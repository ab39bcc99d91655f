"""From what a learning platform hands out to one notebook a student: who, which lesson, where from.

Understood: nbgrader's tree (STUDENT/LESSON/*.ipynb), one folder a student, and the names that Moodle, Canvas and
Google Classroom give to what they hand out; as folders, as zips (in which zips may lie), as single notebooks.
Nothing is unpacked: a member of a zip is read into memory, so its name is never a path on the disk.
"""

import functools
import hashlib
import io
import os
import re
import stat
import unicodedata
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath

from .restore import MOST_BYTES

MOST_FILES = 50_000  # in a zip
MOST_INSIDE = 1_000  # in a zip that lies in a zip, and in all zips in that
DEPTH = 3  # of zips within zips
RATIO = 20  # what is packed tighter than this is counted: notebooks are not
MOST_UNPACKED = 2**28  # bytes that a zip's members may have beyond that ratio, in all zips in it together
MOST_NAME = 1_000  # characters of a path in a zip
MOST_STUDENT = 80  # bytes of a student's id: it names folders and files
UNREADABLE = Exception  # a broken zip raises whatever its reader did not foresee
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
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
        opened = functools.cache(lambda: _archive(path.open("rb"), MOST_FILES))
        yield from _zip(opened, inside, str(root), left, Room(MOST_FILES, MOST_UNPACKED))
    elif facts.st_size > MOST_BYTES:
        left.append((str(path), _too_big(facts.st_size)))
    else:
        yield File(inside, path.read_bytes, when, facts.st_size, str(root))


@dataclass
class Room:
    """What a zip, and all zips in it, may still hold: entries, and bytes that are packed tighter than `RATIO`."""

    entries: int
    unpacked: int
    depth: int = 1


def _zip(opened, name, root, left, room):
    """The `File`s in a zip, as if it were a folder of that name. What is unpacked is not kept: `read` does it again.

    opened  gives the zip as a `ZipFile`
    room    a `Room`; what is found uses it up
    """
    where = f"{root}/{name}"
    try:
        archive = opened()
    except UNREADABLE as error:
        left.append((where, f"is no zip that can be read ({error})"))
        return
    entries = archive.infolist()
    if len(entries) > room.entries:
        left.append((where, f"holds {len(entries)} files; at most {room.entries} are looked at"))
        return
    room.entries -= len(entries)
    for number, entry in enumerate(entries):
        if len(entry.filename) > MOST_NAME:
            left.append((where, f"holds a name of {len(entry.filename)} characters"))
            continue
        parts = PurePosixPath(entry.filename.replace("\\", "/")).parts
        inside = "/".join(part for part in parts if part not in ("/", "..", "."))
        path = f"{name.removesuffix('.zip')}/{inside}"
        if entry.is_dir() or NOISE.search(path):
            continue
        tight = max(0, entry.file_size - RATIO * entry.compress_size)
        reason = _refused(entry, inside, room.depth)
        if not reason and tight > room.unpacked:
            reason = f"unpacks to more than {MOST_UNPACKED / 2**20:.0f} MB with what lies beside it"
        if reason:
            left.append((f"{root}/{path}", reason))
            continue
        room.unpacked -= tight
        try:
            size = len(_member(archive, entry))
        except UNREADABLE as error:
            left.append((f"{root}/{path}", f"can't be read ({error})"))
            continue
        try:
            when = datetime(*entry.date_time)
        except ValueError:
            when = None
        read = functools.partial(_again, opened, number)
        if inside.lower().endswith(".zip"):
            inner = Room(min(MOST_INSIDE, room.entries), room.unpacked, room.depth + 1)
            yield from _zip(functools.partial(_inner, read, inner.entries), path, root, left, inner)
            room.unpacked = inner.unpacked
            if room.depth > 1:
                room.entries = min(room.entries, inner.entries)
        else:
            yield File(path, read, when, size, root, when is not None)


def _archive(stream, most):
    """A `ZipFile`; ValueError, before its list is read and takes memory, where that is too long for `most` entries."""
    end = zipfile._EndRecData(stream)
    if end and end[5] > 250 * most + 2**20:
        raise ValueError(f"its list of files has {end[5] / 2**20:.0f} MB; at most {most} files are looked at")
    return zipfile.ZipFile(stream)


def _inner(read, most):
    return _archive(io.BytesIO(read()), most)


def _again(opened, number):
    """The bytes of a zip's member."""
    archive = opened()
    return _member(archive, archive.infolist()[number])


def _refused(entry, inside, depth):
    """Why a zip's member is not read, "" where it is."""
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "is a link, and is not followed"
    if entry.flag_bits & 1:
        return "is locked with a password"
    if entry.compress_type not in PACKED:
        return "is packed in a way that is not read"
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
    if len(name.encode()) <= MOST_STUDENT:
        return name
    mark = hashlib.sha256(name.encode()).hexdigest()[:8]  # two long names may begin alike
    return f"{name.encode()[: MOST_STUDENT - 9].decode(errors='ignore')}-{mark}"


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
