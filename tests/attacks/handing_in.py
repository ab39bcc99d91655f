"""Attacks by what is handed in around a notebook: links, names, zips. Each makes {path: bytes, or the target of a link}."""

import io
import struct
import zipfile

import nbformat

from tests.support.submissions import LESSON, full, none

from .bank import handing

NOTEBOOK = f"{LESSON}.ipynb"
HONEST = nbformat.writes(full().nb).encode()
EMPTY = nbformat.writes(none().nb).encode()


def zipped(*entries):
    """A zip of (name or ZipInfo, bytes) pairs."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return out.getvalue()


def entry(name, **facts):
    made = zipfile.ZipInfo(name, (2099, 1, 1, 0, 0, 0))
    made.compress_type = zipfile.ZIP_DEFLATED
    for key, value in facts.items():
        setattr(made, key, value)
    return made


def moodle(name, file=NOTEBOOK):
    return f"{name}_77_assignsubmission_file/{file}"


@handing("is a link or no ordinary file, and is not followed")
def link_to_a_file():
    """A link to /etc/passwd, and one to a device that never ends, in the place of a notebook."""
    return {f"links/{LESSON}/{NOTEBOOK}": "/etc/passwd", f"links/{LESSON}/other.ipynb": "/dev/zero"}


@handing("is a link or no ordinary file, and is not followed", owner_of_work="full")
def link_to_anothers_notebook():
    """A link to another student's notebook, as a file and as a folder."""
    return {
        f"owner_of_work/{LESSON}/{NOTEBOOK}": HONEST,
        f"link_thief/{LESSON}/{NOTEBOOK}": f"../../owner_of_work/{LESSON}/{NOTEBOOK}",
        "link_thieves_friend": "owner_of_work",
    }


@handing("has 130 MB; at most 128 MB are read")
def too_large():
    """A file of 130 MB."""
    return {f"large/{LESSON}/{NOTEBOOK}": bytes(130 * 2**20)}


@handing("is a link, and is not followed")
def link_in_a_zip():
    """A zip with an entry that is a link to the gradebook."""
    return {"class.zip": zipped((entry(moodle("Linker"), external_attr=0o120777 << 16), b"../../grading/gradebook.db"))}


@handing("", Climber="none")
def paths_out_of_a_zip():
    """A zip whose entries climb out of their folder, are absolute, or name a drive."""
    return {
        "class.zip": zipped(
            *(
                (entry(prefix + moodle("Climber")), EMPTY)
                for prefix in ("../" * 9, "/tmp/", "C:\\", "..\\..\\", "/" * 5)
            )
        )
    }


@handing("at most 128 MB are read")
def zip_bomb():
    """A zip of 1 MB that unpacks to 1 GB, in a zip in a zip; one that holds itself many times over."""
    bomb = zipped((entry(moodle("Bomber")), bytes(2**30 // 4)))
    return {
        "class.zip": zipped(
            *((entry(moodle(f"Bomber{n}", f"{LESSON}.zip")), zipped((entry("a.zip"), bomb))) for n in range(4)),
            (moodle("Bomber"), bytes(2**28)),
        )
    }


@handing("Bad CRC-32")
def lying_zip():
    """A zip whose entries unpack to more than their heads say."""
    data = bytearray(zipped((entry(moodle("Liar")), bytes(2**22) + EMPTY)))
    place = data.rfind(b"PK\x01\x02")
    data[place + 24 : place + 28] = struct.pack("<I", 100)
    return {"class.zip": bytes(data)}


@handing("is locked with a password")
def locked_zip():
    """A zip with a password."""
    data = bytearray(zipped((entry(moodle("Locked")), EMPTY)))
    for head, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.rfind(head) + offset] |= 1
    return {"class.zip": bytes(data)}


@handing("is no zip that can be read")
def broken_zip():
    """A zip that is cut off, and one that is no zip."""
    return {"class.zip": zipped((moodle("Cut"), EMPTY))[:-40], "other.zip": b"PK\x03\x04 rubbish"}


@handing("holds no work, and another notebook of Twice does", Twice="full")
def same_name_twice():
    """A zip with two entries of the same name; the one that holds work counts."""
    return {"class.zip": zipped((entry(moodle("Twice")), EMPTY), (entry(moodle("Twice")), HONEST))}


@handing("", Victoria="full", Mallory="none")
def names_another_in_a_moodle_zip():
    """A student's own zip, in the class's zip from Moodle, in which a newer file stands under another student's name."""
    inner = zipped((entry(moodle("Victoria")), EMPTY), (entry(f"Victoria/{LESSON}/{NOTEBOOK}"), EMPTY))
    return {
        "class.zip": zipped(
            (zipfile.ZipInfo(moodle("Victoria")), HONEST), (entry(moodle("Mallory", "work.zip")), inner)
        )
    }


@handing("", verena_11="full", mallet_22="none")
def names_another_in_a_canvas_zip():
    """A student's own zip, handed out by Canvas, in which a newer file stands under another student's name and number."""
    inner = zipped((entry(f"verena_11_99_{NOTEBOOK}"), EMPTY), (entry(f"verena_11/{LESSON}/{NOTEBOOK}"), EMPTY))
    return {
        "class.zip": zipped(
            (zipfile.ZipInfo(f"verena_11_33_{NOTEBOOK}"), HONEST), (entry("mallet_22_44_work.zip"), inner)
        )
    }


def packed_tightly(count):
    return zipped(*((f"{n}.ipynb", bytes(2**26)) for n in range(count)))


@handing("unpacks to more than 256 MB with what lies beside it", Honest="full")
def zips_in_a_zip():
    """A zip of 200 KB in the class's zip, in which zips lie whose members have 3 GB together, each of them small enough."""
    inner = packed_tightly(3)
    bomb = zipped(*((f"{n}.zip", inner) for n in range(16)))
    return {"class.zip": zipped((moodle("Packer", "a.zip"), bomb), (moodle("Honest"), HONEST))}


@handing("holds a name of 60006 characters", Plain="full")
def names_that_no_disk_takes():
    """Students called by 70 letters of four bytes, and a member of a zip with a name of 60 KB full of slashes."""
    return {
        "class.zip": zipped(
            (moodle("\U00010330" * 70), EMPTY), ("/a" * 30_000 + ".ipynb", EMPTY), (moodle("Plain"), HONEST)
        ),
        **{f"{chr(0x10330) * 62}/{LESSON}/{NOTEBOOK}": EMPTY},
    }


@handing("", script_alert__LOOT___script="none", x="none")
def hostile_names():
    """Students called ../../x, <script>…, with quotes, line breaks, formulas, database commands and four hundred letters."""
    names = (
        "<script>alert('LOOT')<script>",
        "../../x",
        "'; DROP TABLE student; --",
        '=HYPERLINK("http://x")',
        "a\nb",
        "n" * 400,
        "-rf",
        "$(touch LOOT)",
        "\u202etxet",
    )
    return {"class.zip": zipped(*((entry(moodle(name)), EMPTY) for name in names))}
