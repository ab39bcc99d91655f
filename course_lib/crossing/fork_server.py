"""The warm process: it imports what lessons import, once. A fork of it, a lane, forks for each answer and ends that.

Run inside `sandbox.command()`, with the number of a socket, the door: each message there brings the end of a socket
for one lane. Each message to a lane holds limits and the end of a connection for one answer; what the answer used
goes back when it has ended.
"""

import contextlib
import ctypes
import gc
import importlib.abc
import importlib.machinery
import json
import os
import random
import resource
import select
import shutil
import signal
import socket
import struct
import sys
import tempfile
import time
from multiprocessing.connection import Connection

import psutil

NEWNS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000  # sched.h
NO_NEW_PRIVS, PARENT_DEATH = 38, 1  # prctl.h
PRIVATE, BIND, NOSUID, NODEV = 1 << 18 | 1 << 14, 1 << 12 | 1 << 14, 2, 4  # mount.h
SET_SECCOMP = 22  # prctl.h
# What no answer needs, by machine: its mark, and the numbers of its calls (asm/unistd.h). Refused are memory that
# belongs to no process (memfd_create, memfd_secret, shmget, semget, msgget, mq_open, io_uring_setup, bpf, add_key,
# keyctl, perf_event_open, userfaultfd), and ends that look like ours (ptrace, seccomp, setrlimit; with certain
# arguments prlimit64 and prctl).
CALLS = {
    "x86_64": (
        0xC000003E,
        (319, 447, 29, 64, 68, 240, 425, 321, 248, 250, 298, 323, 101, 317, 160),
        {"prctl": 157, "prlimit64": 302, "mmap": 9, "rt_sigaction": 13},
    ),
    "aarch64": (
        0xC00000B7,
        (279, 447, 194, 190, 186, 180, 425, 280, 217, 219, 241, 282, 117, 277, 164),
        {"prctl": 167, "prlimit64": 261, "mmap": 222, "rt_sigaction": 134},
    ),
}
SHARED_BY_NO_FILE = 0x21  # mman.h: MAP_SHARED and MAP_ANONYMOUS
MOST_FILES = 8192  # in each of the folders that an answer may write to: an empty file takes memory, too
# exit status of the guard where somebody else killed the answer's process, as the kernel does for want of memory
KILLED = 9
PAUSE = 0.05  # seconds between two looks at a fork

LINUX = sys.platform == "linux"
libc = ctypes.CDLL(None, use_errno=True)


def main():
    import matplotlib
    import torch

    torch.set_num_threads(1)
    matplotlib.use("agg")
    import matplotlib.pyplot  # noqa: F401
    import torchvision.transforms.v2  # noqa: F401

    from course_lib import data, losses, metrics, models, plot, train, widgets  # noqa: F401

    from . import answer

    sys.meta_path.insert(0, NoChecks())
    gc.collect()
    gc.freeze()  # what is here stays: forks share its memory as long as nobody counts it again
    shell, safe = answer.notebook_shell(), sys.argv[2] == "safe"
    door = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a lane
    while True:
        message, ends, _, _ = socket.recv_fds(door, 16, 1)
        if not message:
            return
        if not os.fork():
            door.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                lane(socket.socket(fileno=ends[0]), shell, safe)
            finally:
                os._exit(0)
        os.close(ends[0])


def lane(control, shell, safe):
    """One answer after the other, until nobody asks."""
    if LINUX:
        libc.prctl(PARENT_DEATH, signal.SIGKILL, 0, 0, 0)
    control.send(b"warm")
    while True:
        message, ends, _, _ = socket.recv_fds(control, 4096, 1)
        if not message:
            return
        control.send(json.dumps(run(json.loads(message), ends[0], shell, safe)).encode())


class NoChecks(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """In place of the course's checks: a lesson's first cell imports them, and here there are none to be found."""

    def find_spec(self, name, path, target=None):
        if name == "course_lib.checks" or name.startswith("course_lib.checks."):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def exec_module(self, module):
        module.check = NoCheck()


class NoCheck:
    """Whatever is asked of it, it says nothing."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *args, **kwargs):
        return self

    def __repr__(self):
        return "(checked when graded)"


def run(limits, end, shell, safe):
    """Serve one answer at the connection `end` in a fork, and see to its end; what it used."""
    alive, dying = os.pipe()
    place = None if safe else tempfile.mkdtemp(dir=".")
    guard = os.fork()
    if not guard:
        try:
            os.close(alive)
            shut_in(limits, end) if safe else stay(place, end)
            serve(limits, end, shell, safe)
        except BaseException as error:  # a fault of ours, told to whoever waits
            os.write(dying, f"{type(error).__name__}: {error}".encode()[:500])
        finally:
            os._exit(70)
    os.close(dying)
    used = watch(guard, limits, end, own_memory("self"))
    with os.fdopen(alive, "rb") as pipe:
        fault = pipe.read().decode(errors="replace")
    if place:
        shutil.rmtree(place, ignore_errors=True)
    if fault:
        used["ended"] = f"fault: {fault}"
    return used


def shut_in(limits, end):
    """Go into namespaces of this fork's own, and serve there as process 1."""
    uid, gid = os.getuid(), os.getgid()
    libc.prctl(PARENT_DEATH, signal.SIGKILL, 0, 0, 0)
    must(libc.unshare(NEWUSER | NEWPID | NEWNS | NEWNET | NEWIPC), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    wait_for_fork(end)
    os.setsid()  # a signal to one's own group reaches its members outside of the namespace, too
    libc.prctl(PARENT_DEATH, signal.SIGKILL, 0, 0, 0)
    must(libc.mount(None, b"/", None, PRIVATE, None), "mount /")
    size = f"size={limits['files']}m,nr_inodes={MOST_FILES}".encode()
    for folder in ("/tmp", os.environ["HOME"], "/dev/shm"):
        hidden = {p: os.open(p, os.O_PATH) for p in {sys.prefix, sys.base_prefix} if p.startswith(f"{folder}/")}
        must(libc.mount(b"tmpfs", folder.encode(), b"tmpfs", NOSUID | NODEV, size), f"mount {folder}")
        for path, place in hidden.items():  # an environment that lies in there
            os.makedirs(path)
            must(libc.mount(f"/proc/self/fd/{place}".encode(), path.encode(), None, BIND, None), f"bind {path}")
    must(libc.mount(b"proc", b"/proc", b"proc", NOSUID | NODEV, None), "mount /proc")
    with open("/proc/sys/user/max_user_namespaces", "w") as file:
        file.write("0")  # no further ones, in which it could mount again
    os.chdir(os.environ["HOME"])
    libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0)
    drop_capabilities()


def stay(place, end):
    """Without namespaces: a fork in the same account, in a folder of its own."""
    wait_for_fork(end)
    os.setsid()
    os.chdir(place)


def wait_for_fork(end):
    """Fork; the parent waits for the child and ends as it does, the child returns."""
    inner = os.fork()
    if inner:
        os.close(end)
        _, status = os.waitpid(inner, 0)
        os._exit(KILLED if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL else 0)


def serve(limits, end, shell, safe):
    """Answer at the connection `end`, with limits on what can be used up."""
    quiet = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(quiet, number)
    connection = os.dup2(end, 3)
    os.closerange(4, 4096)
    megabyte = 2**20
    for what, most in (
        (resource.RLIMIT_CPU, limits["cpu"] + 2),
        (resource.RLIMIT_FSIZE, limits["files"] * megabyte),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, limits["processes"]),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_AS, limits["memory"] * megabyte + address_space()),
    ):
        with contextlib.suppress(ValueError):  # macOS has no limit of address space
            resource.setrlimit(what, (most, most))
    if safe:
        refuse_calls()
    import numpy
    import torch

    from .answer import Far

    random.seed(0), numpy.random.seed(0), torch.manual_seed(0)
    Far({"__name__": "__main__"}, shell).serve(Connection(connection))
    os._exit(0)


def must(result, what):
    if result:
        raise OSError(f"{what}: {os.strerror(ctypes.get_errno())}")


def drop_capabilities():
    """Give up what the new user namespace gave: whoever mounts can show himself more than he is meant to see."""

    class Header(ctypes.Structure):
        _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]

    must(libc.capset(ctypes.byref(Header(0x20080522, 0)), (ctypes.c_uint32 * 6)()), "capset")


def refuse_calls():
    """Let the kernel refuse calls whose memory no limit counts, and those by which a process can end as if killed.

    Memory shared by no file stays when the last process lets go of its pages, where nobody counts it. And a process
    that ignores the ends of its children is not charged with their processor time: it is told that it ignores them,
    and does not.

    A filter as in Linux's seccomp_filter.rst: an instruction is (code, jump if true, jump if false, number).
    """
    machine = os.uname().machine
    if machine not in CALLS:
        raise OSError(f"there is no list of the calls that an answer is refused on a machine of the kind {machine}")
    arch, refused, calls = CALLS[machine]
    load, equal, above, both, back = 0x20, 0x15, 0x35, 0x54, 0x06
    no, done, yes = ((back, 0, 0, n) for n in (0x00050000 | 1, 0x00050000, 0x7FFF0000))  # EPERM; "done"; allowed
    first, third, upper, fourth = ((load, 0, 0, 16 + place) for place in (0, 16, 20, 24))  # arguments
    program = [(load, 0, 0, 4), (equal, 1, 0, arch), no, (load, 0, 0, 0), (above, 0, 1, 0x40000000), no]
    for number in refused:
        program += [(equal, 0, 1, number), no]
    for number, steps in (
        (calls["prctl"], [first, (equal, 0, 1, SET_SECCOMP), no]),
        (calls["prlimit64"], [third, (equal, 0, 2, 0), upper, (equal, 1, 0, 0), no]),
        (calls["mmap"], [fourth, (both, 0, 0, SHARED_BY_NO_FILE), (equal, 0, 1, SHARED_BY_NO_FILE), no]),
        (calls["rt_sigaction"], [first, (equal, 0, 1, signal.SIGCHLD), done]),
    ):
        program += [(equal, 0, len(steps) + 1, number), *steps, yes]
    raw = b"".join(struct.pack("HBBI", *step) for step in [*program, yes])

    class Filter(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_char_p)]

    must(libc.prctl(SET_SECCOMP, 2, ctypes.byref(Filter(len(program) + 1, raw)), 0, 0), "seccomp")


def rehearse():
    """Raise an OSError where this machine lacks what a fork is shut in with."""
    must(libc.unshare(NEWUSER | NEWPID | NEWNS | NEWNET | NEWIPC), "unshare")
    libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0)
    refuse_calls()


def address_space():
    """Bytes of address space that this process has."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


# --- watching -----------------------------------------------------------------------------------------------


def watch(guard, limits, end, shared):
    """Wait until the fork ends, the other side hangs up, or a limit is passed; then end whatever is left of it.

    guard   the fork's number
    limits  `sandbox.Limits` as a dict
    end     the number of the connection that the answer is served at
    shared  the memory, in bytes, that each process has in common with this one

    Returns `sandbox.Used` as a dict, `memory` in MB.
    """
    ours = os.dup(end)
    os.close(end)
    started, most, cpu, ended = time.monotonic(), 0, 0.0, "by itself"
    hung = select.poll()
    hung.register(ours, getattr(select, "POLLRDHUP", select.POLLHUP))  # macOS has the latter only
    while True:
        pid, status, spent = os.wait4(guard, os.WNOHANG)
        tree = descendants(guard)
        cpu = max(cpu, sum(t for _, t, _ in tree), spent.ru_utime + spent.ru_stime)
        most = max(most, sum(max(0, m - shared) for _, _, m in tree))
        if pid:
            ended = "killed" if os.waitstatus_to_exitcode(status) == KILLED and cpu < limits["cpu"] else ended
            break
        if hung.poll(0):
            ended = "finished"
        elif cpu > limits["cpu"]:
            ended = "cpu"
        elif most > limits["memory"] * 2**20:
            ended = "memory"
        elif time.monotonic() - started > limits["wall"]:
            ended = "wall"
        if ended != "by itself":
            for number, *_ in tree:  # the second is process 1 of the namespace: with it die all others there
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            _, _, spent = os.wait4(guard, 0)
            cpu = max(cpu, spent.ru_utime + spent.ru_stime)
            break
        hung.poll(1000 * (PAUSE if time.monotonic() - started > 1 else PAUSE / 10))
    os.close(ours)
    return {"ended": ended, "cpu": cpu, "memory": most / 2**20}


def own_memory(process):
    """Bytes of memory of a process that no file backs; pages that a fork shares with its parent count in both."""
    if not LINUX:
        return psutil.Process(None if process == "self" else int(process)).memory_info().rss
    with open(f"/proc/{process}/status") as file:
        sizes = dict(line.split(":") for line in file if line.startswith(("RssAnon:", "RssShmem:")))
    return sum(int(size.split()[0]) * 1024 for size in sizes.values())


def descendants(root):
    """(number, CPU seconds, bytes of memory) of a process and of all below it, from the top down."""
    if not LINUX:
        with contextlib.suppress(psutil.Error):
            whole = [psutil.Process(root), *psutil.Process(root).children(recursive=True)]
            return [(p.pid, sum(p.cpu_times()[:2]), p.memory_info().rss) for p in whole]
        return []
    below, facts, tick = {}, {}, os.sysconf("SC_CLK_TCK")
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):  # it has just ended
            with open(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
            below.setdefault(int(fields[1]), []).append(int(name))
            facts[int(name)] = (int(name), sum(map(int, fields[11:15])) / tick, own_memory(name))
    found, ahead = [], [root]
    while ahead:
        here = ahead.pop()
        found += [facts[here]] if here in facts else []
        ahead += below.get(here, [])
    return found


if __name__ == "__main__":
    main()
