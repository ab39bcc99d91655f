"""Oxford-IIIT Pet over the network, with a progress bar: resumed where it broke off, checked, unpacked whole.

torchvision knows where it lies and its checksums; its own download starts again from nothing each time.
"""

import errno
import hashlib
import http.client
import os
import shutil
import tarfile
import time
import urllib.error
import urllib.request

from course_lib.notebook import bar

TRIES = 3  # in a row that bring nothing, before it gives up
PAUSE = 1.0  # seconds between them
TIMEOUT = 30.0  # seconds to wait for an answer
CHUNK = 1 << 18


class Unavailable(Exception):
    """Why a file can't be had: the words that follow "because"."""


def oxford_pet(base):
    """Make sure that the folder `base` (…/oxford-iiit-pet) holds images/ and annotations/. Raises Unavailable."""
    from torchvision.datasets import OxfordIIITPet

    for url, md5 in OxfordIIITPet._RESOURCES:
        name = url.rpartition("/")[2]
        folder = base / name.partition(".")[0]
        if not folder.is_dir():
            try:
                base.mkdir(parents=True, exist_ok=True)
                archive = base / name
                if not archive.exists() or _md5(archive) != md5:
                    fetch(url, archive, md5)
                unpack(archive, folder)
                archive.unlink()
            except OSError as error:
                raise Unavailable(_words(error)) from None


def fetch(url, path, md5):
    """Download `url`, which has this MD5, to `path`, going on from path.part where there is one. Raises Unavailable."""
    part, idle, resumed = path.with_name(path.name + ".part"), 0, False
    while True:
        before = _size(part)
        resumed = resumed or before > 0
        try:
            complete, why = _go_on(url, part), "the connection broke off"
        except urllib.error.HTTPError as error:
            complete, why = error.code == 416, f"the server answered {error.code} {error.reason}"  # 416: all is here
        except (OSError, http.client.HTTPException) as error:
            if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
                raise Unavailable(_words(error)) from None
            complete, why = False, _words(error)
        if complete:
            if _md5(part) == md5:
                os.replace(part, path)
                return
            part.unlink()
            if not resumed:
                raise Unavailable(f"{path.name} arrived damaged (its checksum is wrong) and was thrown away")
            resumed = False  # what was here already may have been something else: once more, from the start
            continue
        idle = 0 if _size(part) > before else idle + 1
        if idle >= TRIES:
            if kept := _size(part):
                why += f"; the first {kept / 1e6:.0f} MB are kept, and the next try goes on from there"
            raise Unavailable(why)
        time.sleep(PAUSE)


def _go_on(url, part):
    """One connection: append what comes to `part`. Is the file complete now? Raises what the connection does."""
    have = _size(part)
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        if have and not (answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")):
            have = 0  # a server that can't go on sends all of it again
        left = answer.headers.get("Content-Length")
        total = have + int(left) if left else None
        shown = bar(total, part.name.removesuffix(".part"), have, unit="B", unit_scale=True)
        with open(part, "ab" if have else "wb") as file, shown:
            while chunk := answer.read(CHUNK):
                file.write(chunk)
                shown.update(len(chunk))
    return total is None or _size(part) >= total


def unpack(archive, folder):
    """Unpack an archive that holds one folder; `folder` is there whole, or not at all."""
    temporary = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    print(f"Unpacking {archive.name} …")
    try:
        with tarfile.open(archive) as opened:  # its checksum was right; the filter is for Pythons that have it
            opened.extractall(temporary, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
        os.replace(temporary / folder.name, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _size(path):
    return path.stat().st_size if path.exists() else 0


def _md5(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _words(error):
    """An error as a few words: the system's or the connection's own, without class names."""
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return "the server did not answer in time"
    where = f" ({reason.filename})" if getattr(reason, "filename", None) else ""
    return (getattr(reason, "strerror", None) or str(reason) or type(reason).__name__) + where
