"""`lab`: the student's own copies of the lessons under work/, kept up to date, and JupyterLab on one of them."""

import contextlib
import datetime
import errno
import os
import re
import socket

from . import carry, environment
from .errors import Stop
from .files import write_whole

USAGE = f"""Usage: {environment.COURSE} lab [NN] [--cpu] [JupyterLab's options: --no-browser --port=8890 --ip=0.0.0.0 …]

Opens lesson NN, a number or a word such as unet (00 unless you say another), in your own copy under work/."""
FLAGS = ("--no-browser", "--allow-root", "--debug", "--cpu")  # of JupyterLab's options, common ones that take no value


def main(arguments, ensure, root=environment.ROOT):
    """Bring the student's copies up to date and become JupyterLab; returns its exit status.

    arguments  a lesson's number or name, and JupyterLab's options
    ensure     a function that makes the environment and returns its Python
    """
    if "-h" in arguments or "--help" in arguments:
        print(USAGE)
        return 0
    wanted, options = split(arguments)
    lesson = choose([path.stem for path in released(root / "lessons")], wanted, root)
    address = {name: value(options, name) for name in ("port", "ip")}
    if address["port"]:
        check_port(address["port"], address["ip"])
        options = ["--ServerApp.port_retries=0", *options]  # that port or none
    python = ensure()
    work = root / "work"
    copies(root / "lessons", work)
    print(f"Your copies of the lessons are in {work}. Opening {lesson}; Ctrl-C here ends it.")
    # Jupyter would run as root in a container only when told so
    as_root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 and "--allow-root" not in options else []
    # the address is all that a student needs of what Jupyter says at its start
    talk = ("--log-level", "--debug", "--ServerApp.log_level")
    quiet = [] if any(option.startswith(talk) for option in options) else ["--log-level=WARN"]
    page = [
        "--ServerApp.answer_yes=True",  # Ctrl-C ends it, without a question
        f"--ServerApp.root_dir={work}",
        f"--LabApp.default_url=/lab/tree/{lesson}/{lesson}.ipynb",
    ]
    return environment.run(python, ["-m", "jupyterlab", *page, *as_root, *quiet, *options], replace=True)


def released(lessons):
    """The released notebooks in the folder lessons/, in order."""
    return sorted(path for path in lessons.glob("*/*.ipynb") if path.stem == path.parent.name)


def copies(lessons, work):
    """Make or correct the student's copies of all lessons, with a sentence for each that was corrected. Raises Stop."""
    try:
        for path in released(lessons):
            sentence = update(path, work)
            if sentence:
                print(sentence)
    except OSError as error:
        raise Stop(f"Your copies can't be written in {work} ({error}): put that right and start again.") from None


def split(arguments):
    """Take the lesson's number or word out of the arguments: (it or None, what is left for JupyterLab)."""
    for position, argument in enumerate(arguments):
        before = arguments[position - 1] if position else ""
        is_value = before.startswith("--") and "=" not in before and before not in FLAGS
        if not argument.startswith("-") and not is_value:
            return argument, arguments[:position] + arguments[position + 1 :]
    return None, arguments


def choose(names, wanted, root):
    if not names:
        none = f"There is no lesson in {root / 'lessons'}"
        raise Stop(f"{none}: get the course again, or build the lessons with 'build'.")
    if wanted is None:
        return names[0]
    number, word = wanted.partition("_")[0].zfill(2), re.sub(r"\W", "_", wanted.lower())
    found = [name for name in names if name == wanted or (wanted.isdigit() and name.startswith(number + "_"))]
    found = found or [name for name in names if not wanted.isdigit() and word in name]
    if len(found) != 1:
        raise Stop(f"There is no lesson {wanted}: the lessons are {', '.join(names)}.")
    return found[0]


def value(options, name):
    """The value of JupyterLab's option --name (or --ServerApp.name), or None."""
    found = None
    for position, option in enumerate(options):
        key, equals, text = option.partition("=")
        if key in (f"--{name}", f"--ServerApp.{name}"):
            found = text if equals else (options[position + 1] if position + 1 < len(options) else None)
    return found


def check_port(port, ip=None):
    """Raise Stop unless a server can listen on this port."""
    if not port.isdigit() or int(port) > 65535:
        raise Stop(f"--port={port} is not a port: give a number from 1024 to 65535.")
    host = {None: "127.0.0.1", "": "127.0.0.1", "localhost": "127.0.0.1", "*": "0.0.0.0"}.get(ip, ip)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        if not environment.WINDOWS:  # there, this option would let two servers share a port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, getattr(errno, "WSAEADDRINUSE", None)):
                raise Stop(f"Port {port} is in use: end what uses it, give another, or leave --port out.") from None
            if isinstance(error, PermissionError):
                why = f"Port {port} is not yours to open"
                raise Stop(f"{why}: give one from 1024 to 65535, or leave --port out.") from None
            why = f"No server can listen on {ip or 'localhost'}, port {port} ({error.strerror})"
            raise Stop(f"{why}: give another --ip.") from None


def update(release, work):
    """Make or correct the student's copy of one release; returns a sentence for the student, or None.

    release  lessons/NN_name/NN_name.ipynb
    work     the folder that gets NN_name/NN_name.ipynb

    The release that a copy was made from is kept under work/.released/, and written last: a run that is cut off is
    made up by the next.
    """
    copy, made_from = work / release.parent.name / release.name, work / ".released" / release.name
    latest = release.read_bytes()
    kept = made_from.read_bytes() if made_from.exists() else None
    if copy.exists() and kept == latest:
        return None
    sentence = None
    if not copy.exists() or copy.read_bytes() in (kept, latest):  # the student has not even saved it
        write_whole(copy, latest)
    else:
        try:
            new = carry.read(release)
        except ValueError as error:
            raise Stop(f"{release} can't be read ({error}): get the course again.") from None
        try:
            mine = carry.read(copy)
        except ValueError as error:
            why = f"{copy} can't be read as a notebook ({error})"
            return f"{why}: it is left as it is; move it away to get the lesson anew."
        sentence = _correct(copy, mine, new, _release(made_from) if kept else None)
    write_whole(made_from, latest)
    return sentence


def _release(path):
    """The release in a file, None where it can't be read."""
    try:
        return carry.read(path)
    except ValueError:
        return None


def _correct(copy, mine, new, old):
    """Carry a student's copy into a corrected release; the sentence for them, None where nothing changed."""
    merged, carried = carry.carry(mine, new, old)
    if carry.same_work(merged, mine):
        return None
    before = _free(copy.with_name(f"{copy.stem}.before-{datetime.date.today().isoformat()}.ipynb"))
    write_whole(before, copy.read_bytes())
    write_whole(copy, carry.write(merged))
    return _told(copy, before, carried)


def _told(copy, before, carried):
    went = [_count(carried["answers"], "answer")] if carried["answers"] else []
    went += [_count(carried["cells"], "cell") + " of your own"] if carried["cells"] else []
    new = f"{' and '.join(went)} went into the new version" if went else "the new version is in place"
    at_end = f", {_count(carried['homeless'], 'answer')} to its end (no longer asked)" * (carried["homeless"] > 0)
    return f"{copy.stem} was corrected: {new}{at_end}; run its cells again; your old file is {before.name}, beside it."


def _count(number, thing):
    return f"{number} {thing}" + "s" * (number != 1)


def _free(path):
    """This path, or with a number where there is one already."""
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.stem}-{number}.ipynb")
    return candidate
