"""From what a learning platform hands out to one notebook a student: who, which lesson, where from.

Understood: nbgrader's tree (STUDENT/LESSON/*.ipynb), one folder a student, and the names that Moodle, Canvas and
Google Classroom give to what they hand out; as folders, as zips (in which zips may lie), as single notebooks.
Nothing is unpacked: a member of a zip is read into memory, so its name is never a path on the disk.
"""

import functools
import io
import os
import re
import stat
import zipfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath

from nbgrader.utils import parse_utc

from .names import Claim, Roster, lesson_in, of_platform, original, settle, tidy
from .restore import MOST_BYTES

MOST_FILES = 50_000  # in a zip
MOST_INSIDE = 1_000  # in a zip that lies in a zip, and in all zips in that
DEPTH = 3  # of zips within zips
RATIO = 20  # what is packed tighter than this is counted: notebooks are not
MOST_UNPACKED = 2**28  # bytes that a zip's members may have beyond that ratio, in all zips in it together
MOST_NAME = 1_000  # characters of a path in a zip
UNREADABLE = Exception  # a broken zip raises whatever its reader did not foresee
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
ENDINGS = re.compile(r"\.ipynb(\.json|\.txt)?$", re.I)  # browsers add the second one
STAMP = "timestamp.txt"  # nbgrader's: when a notebook was handed in
SILENT = re.compile(
    r"(^|/)(\.ipynb_checkpoints|\.git|\.venv|\.cache|\.local|\.Trash[^/]*|__MACOSX|Thumbs\.db|desktop\.ini|\._[^/]*"
    r"|onlinetext\.html|.*_assignsubmission_onlinetext_?)(/|$)"
)
HIDDEN = re.compile(r"(^|/)\.(?!.*\.ipynb(\.json|\.txt)?$).*$")  # all that is hidden but notebooks


@dataclass(frozen=True)
class File:
    """A file as it was found: its path below what was given, its bytes when asked for, when it was changed last."""

    path: str
    read: Callable[[], bytes]
    when: datetime | None  # local time
    size: int
    root: str  # what was given
    dated: bool = False  # `when` is from a zip
    depth: int = 0  # in how many zips it lies

    def name(self):
        return f"{self.root}/{self.path}"


@dataclass(frozen=True)
class Handed:
    """A student's notebook. `lesson` is None where only its content can tell."""

    student: str
    lesson: str | None
    file: File
    note: str = ""
    claim: Claim = Claim("")
    unclear: str = ""  # why a person must look whose it is
    when: datetime | None = None  # UTC, as the platform says


def collect(paths, lessons, students=(), rows=None, before=None, tell=None, worked=None):
    """([Handed], [(path, why it was left out)]) for the paths that an instructor gave.

    lessons   the course's
    students  the ones that the gradebook knows, as (id, first name, last name, email)
    rows      {account: (name, [e-mail addresses and ids])} as of `names.Roster`, and
    before    {(lesson, account): (id, name)} of what is graded
    tell      tell(file, lesson by its name or None) -> a lesson, or None and a sentence why not
    worked    worked(file, lesson) -> whether anybody wrote into it; asked where a student has several

    Of several notebooks of one student for one lesson the newest counts that somebody worked in.
    """
    left, found = [], []
    for path in paths:
        found += _below(Path(path), lessons, left)
    if tell:
        asked = [(claim, file, when, tell(file, lesson)) for claim, lesson, file, when in found]
        left += [(file.name(), why) for _, file, _, (lesson, why) in asked if lesson is None]
        found = [(claim, lesson, file, when) for claim, file, when, (lesson, _) in asked if lesson is not None]
    owners = settle([(claim, lesson) for claim, lesson, _, _ in found], Roster(students, rows, before))
    handed = defaultdict(list)
    for (claim, lesson, file, when), (student, unclear) in zip(found, owners):
        one = Handed(student, lesson, file, claim=claim, unclear=unclear, when=when)
        handed[student, lesson, None if lesson else file.name()].append(one)
    best = [_best(ones, lessons, worked, left) for ones in handed.values()]
    return sorted(best, key=lambda h: (h.lesson or "", h.student)), left


def _below(path, lessons, left):
    """[(Claim, lesson or None, File, when it was handed in)] below a path that was given."""
    stamps, files = {}, []
    for file in _files(path, left):
        if PurePosixPath(file.path).name == STAMP:
            stamps[PurePosixPath(file.path).parent] = file
        elif _noise(file.path):
            continue
        elif ENDINGS.search(file.path):
            files.append(file)
        else:
            left.append((file.name(), "is no notebook"))
    folders = [_folders(file, lessons) for file in files]
    level = min(len(os.path.commonprefix(folders)), max(0, min(map(len, folders), default=0) - 1))
    found, own = [], 0 if path.is_dir() else 1  # what lies in more zips than was given, a student packed
    for file, inner in zip(files, folders):
        claim, lesson = _who(file, lessons, inner[level] if inner else "")
        if not tidy(claim.name or claim.account):
            advice = "put it into a folder of the student's name, or call it 'NAME - LESSON.ipynb'"
            left.append((file.name(), f"names no student: {advice}"))
            continue
        stamp = stamps.get(PurePosixPath(file.path).parent)
        theirs = not stamp or stamp.depth > own or claim.account
        found.append((claim, lesson, file, None if theirs else moment(stamp.read())))
    return found


def moment(text):
    """The UTC time, without a zone, in nbgrader's timestamp.txt; None where it holds none."""
    try:
        return parse_utc(text.decode("utf-8-sig").strip())
    except (ValueError, OverflowError, TypeError):
        return None


def _best(ones, lessons, worked, left):
    """The one that counts of a student's notebooks for a lesson; the others are named in `left`."""
    if len(ones) == 1:
        return ones[0]
    work = {one: not worked or not one.lesson or worked(one.file, one.lesson) for one in ones}

    def age(one):
        copy = original(ENDINGS.sub("", PurePosixPath(one.file.path).name), lessons)[1]
        return work[one], one.when or datetime.min, one.file.when or datetime.min, copy, _natural(one.file.path)

    *older, best = sorted(ones, key=age)
    for one in older:
        idle = work[best] and not work[one]
        why = f"holds no work, and another notebook of {one.student} does" if idle else ""
        left.append((one.file.name(), why or f"is older than another notebook of {one.student}"))
    name = PurePosixPath(best.file.path).name
    return replace(best, note=f"Of {len(ones)} files, {name} was graded.")


# --- files --------------------------------------------------------------------------------------------------


def _files(path, left):
    """The `File`s below a path that was given; what can't be read goes to `left`."""
    if path.is_dir():
        for folder, names, files in os.walk(path):
            names[:] = sorted(n for n in names if not SILENT.search(n) and not Path(folder, n).is_symlink())
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
        parts = PurePosixPath(_named(entry).replace("\\", "/")).parts
        inside = "/".join(part for part in parts if part not in ("/", "..", "."))
        path = f"{name.removesuffix('.zip')}/{inside}"
        if entry.is_dir() or _noise(path):
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
            yield File(path, read, when, size, root, when is not None, room.depth)


def _noise(path):
    return SILENT.search(path) or HIDDEN.search(path)


def _named(entry):
    """A member's name: macOS writes UTF-8 without saying so, and Python then reads an old IBM code."""
    try:
        return entry.filename if entry.flag_bits & 0x800 else entry.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return entry.filename


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
    if not (ENDINGS.search(inside) or inside.lower().endswith(".zip") or PurePosixPath(inside).name == STAMP):
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
    return [name for name in folders if not lesson_in(name, lessons)]


def _who(file, lessons, folder):
    """(Claim, lesson) as a file's path tells: nobody where it names no student, None where it names no lesson.

    folder  the one of its folders that may be a student's
    """
    *folders, name = PurePosixPath(file.path).parts
    stem = ENDINGS.sub("", name).lstrip(".")
    places = (stem, *reversed(folders), *Path(file.root).parts[:-3:-1])
    lesson = next((known for place in places if (known := lesson_in(place, lessons))), None)
    if claim := of_platform((*folders, stem), lessons):
        return claim, lesson
    above = [*Path(file.root).parts, *folders]
    if len(above) >= 2 and above[-1] in lessons:  # nbgrader's tree, whatever part of it was given
        return Claim(above[-2]), above[-1]
    rest, _ = original(stem, lessons)
    known = lesson_in(rest, lessons)
    if known:
        rest = re.sub(re.escape(known) + r"|\bsolutions?\b|\bsubmission\b", "", rest, flags=re.I)
        rest = original(rest.strip(" -_–—"), lessons)[0]
        if tidy(rest):
            return Claim(rest), lesson
    if folder:
        return Claim(folder), lesson
    return Claim("" if known else rest), lesson


def _natural(text):
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)]
