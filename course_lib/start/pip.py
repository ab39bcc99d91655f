"""pip, run so that a reader sees what it is doing, how much has come and how long it took, and why it failed."""

import os
import platform
import queue
import re
import shutil
import subprocess
import sys
import threading
import time

from . import settings
from .errors import Stop

EVERY = 15  # seconds between lines where the output is no terminal
NO_NETWORK = (
    r"Failed to establish|Name or service not known|Temporary failure in name resolution|getaddrinfo failed|"
    r"nodename nor servname|NameResolutionError|NewConnectionError|ConnectTimeout|Read ?timed? ?out|ReadTimeout|"
    r"ConnectionReset|Connection aborted|ProxyError|Network is unreachable|No route to host|IncompleteRead|"
    r"Max retries exceeded|[Cc]onnection (was )?(broken|refused|error)|HTTP error 5\d\d|RemoteDisconnected"
)


class Installer:
    """`install(arguments)` runs `pip install` with them; a failure raises Stop with one sentence.

    python     the environment's
    log        a file that gets all that pip says
    temporary  a folder for pip's downloads
    site       the environment's site-packages
    options    more options of pip
    started    time.monotonic() that the elapsed time counts from
    """

    def __init__(self, python, log, temporary, site, options=(), started=None):
        self.python, self.log, self.temporary, self.site, self.options = python, log, temporary, site, options
        self.line = StatusLine(started or time.monotonic())
        self.came = 0.0  # bytes
        self.before, self.count = 0, 0  # packages that were there when pip began to install `count` more

    def __call__(self, arguments, raw=True, cpu_index=None):
        bar = ["--progress-bar", "raw"] if raw else []  # since pip 24.1
        options = ["install", "--no-input", "--disable-pip-version-check", *bar, *self.options]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
        for name in ("PYTHONPATH", "PYTHONHOME", "__PYVENV_LAUNCHER__"):
            environment.pop(name, None)
        for name in ("TMPDIR", "TEMP", "TMP"):
            environment[name] = str(self.temporary)
        process = subprocess.Popen(
            [str(self.python), "-m", "pip", *options, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            env=environment, text=True, encoding="utf-8", errors="replace",
        )  # fmt: skip
        said = []
        self.line.show("starting pip")
        try:
            with open(self.log, "a", encoding="utf-8") as log:
                for text in _lines(process.stdout):
                    if text is not None and not text.startswith("Progress "):
                        said.append(text)
                        print(text, file=log, flush=True)
                    self._follow(text)
        except BaseException:  # Ctrl-C, a full disk: leave no pip behind
            process.kill()
            process.wait()
            raise
        finally:
            self.line.end()
        if process.wait():
            raise Stop(explain(said, self.log, cpu_index, settings.of_pip(self.python)))

    def _follow(self, text):
        """Turn a line of pip's (None: a second without one) into what the status line shows."""
        line = self.line
        if text is None:
            if line.doing.startswith("installing"):
                line.detail = f": {max(0, self._installed() - self.before)} of {self.count} done"
            line.show()
        elif match := re.match(r"Progress (\d+) of (\d+)", text):
            if line.doing.startswith("downloading") and match[2] != "0":
                line.show(detail=f": {_size(int(match[1]))} of {_size(int(match[2]))}")
        elif match := re.match(r"Collecting (\S+)", text):
            line.show("looking up " + match[1])
        elif "Retrying (" in text:
            line.show(detail=": no answer, trying again")
        elif match := re.match(r"\s*(Downloading|Using cached) (\S+) \(([\d.]+) ?([kMG]?)B\)", text):
            name = match[2].rpartition("/")[2]
            if not name.endswith(".metadata"):
                size = float(match[3]) * {"": 1, "k": 1e3, "M": 1e6, "G": 1e9}[match[4]]
                self.came += size * (match[1] == "Downloading")
                line.note = f" [{_size(self.came)} so far]" * (self.came > 0)
                line.show("downloading " + "-".join(name.split("-")[:2]), f": {_size(size)}", at_once=size > 5e7)
        elif match := re.match(r"Installing collected packages: (.*)", text):
            self.before, self.count, line.note = self._installed(), match[1].count(",") + 1, ""
            line.show("installing packages", at_once=self.count > 1)

    def _installed(self):
        return sum(1 for _ in self.site.glob("*.dist-info"))


def _lines(stream):
    """What a stream says line by line, and None for each second in which it says nothing."""
    lines = queue.Queue()

    def read():
        for text in stream:
            lines.put(text.rstrip())
        lines.put(read)  # the end

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            text = lines.get(timeout=1)
        except queue.Empty:
            yield None
            continue
        if text is read:
            return
        yield text


class StatusLine:
    """One line that changes in a terminal; elsewhere a new line for what is large, and now and then."""

    def __init__(self, started, out=None):
        self.out, self.started = out or sys.stdout, started
        self.live = self.out.isatty() and os.environ.get("TERM") != "dumb"
        self.doing = self.detail = self.note = ""
        self.width, self.last = 0, started

    def show(self, doing=None, detail=None, at_once=False):
        if doing is not None:
            self.doing, self.detail = doing, ""
        if detail is not None:
            self.detail = detail
        now = time.monotonic()
        text = f"  {clock(now - self.started)}  {self.doing}{self.detail}{self.note}"
        if self.live:
            text = text[: shutil.get_terminal_size().columns - 1]
            print("\r" + text.ljust(self.width), end="", file=self.out, flush=True)
            self.width = len(text)
        elif at_once or now - self.last > EVERY:
            print(text, file=self.out, flush=True)
            self.last = now

    def end(self):
        if self.live and self.width:
            print("\r" + " " * self.width + "\r", end="", file=self.out, flush=True)
            self.width = 0


def explain(said, log, cpu_index=None, users=()):
    """pip's last words as one sentence that says what to do. users: the user's settings, as `settings.of_pip` tells."""
    text = "\n".join(said)
    errors = [re.sub(r"^ERROR:\s*", "", line) for line in said if line.startswith("ERROR:")]
    if re.search(r"No space left on device|Errno 28|not enough space", text):
        return "The disk became full while installing: make room and start again, it goes on where it stopped."
    if re.search(r"Long Path support|path.*too long", text):
        return (
            "A path became too long for Windows: move the course to a short folder such as C:\\course, and start again."
        )
    if re.search(r"CERTIFICATE_VERIFY_FAILED|SSLCertVerificationError", text):
        return (
            "The package server's certificate was not accepted: set this machine's clock right or, behind a proxy that "
            "signs for itself, give pip its certificate ('pip config set global.cert FILE'), and start again."
        )
    network = re.search(NO_NETWORK, text)
    if theirs := settings.in_the_way(text, users, bool(network)):
        return theirs
    missing = re.search(r"No matching distribution found for (\S+)", text)
    if cpu_index and (network or missing):
        if network:
            return (
                f"PyTorch's CPU build is at {cpu_index}, which can't be reached from here: "
                "start again when it can, or without --cpu."
            )
        return f"PyTorch's CPU build at {cpu_index} has no {missing[1]} for this machine: start again without --cpu."
    if network:
        return (
            "The packages could not be downloaded: check the network (and HTTPS_PROXY, if you need one) "
            "and start again, it goes on where it stopped."
        )
    if missing:
        here = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
        return (
            f"There is no {missing[1]} for {here}: "
            "use a 64-bit Python from 3.11 to 3.14 on Linux, Windows or an Apple-silicon Mac."
        )
    if re.search(r"Permission denied|Access is denied|Read-only file system", text):
        why = (errors or said)[-1]
        return (
            f"A file could not be written ({why}): end what uses it or copy the course to a folder of your own, "
            "and start again."
        )
    last = "\n".join("  " + line for line in said[-5:])
    return (
        f"pip said:\n{last}\nInstalling failed with these words: put right what they name and start again (all: {log})."
    )


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _size(count):
    if count >= 1e9:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.0f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"
