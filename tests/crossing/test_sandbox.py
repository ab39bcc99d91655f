"""The sandbox of student code: what a hostile answer tries, and that it gets nothing, and leaves nothing."""

import os
import subprocess
import sys

import pytest
import torch

from course_lib.crossing import fork_server, sandbox, stand_ins
from tests.support.answers import names_in
from tests.support.processes import PATIENCE, left_after, started, wait_for
from tests.support.system_packages import needs_system

MEGABYTE = 2**20
LIMITS = sandbox.Limits(cpu=4, wall=PATIENCE, memory=600, files=20, processes=40)


@pytest.fixture(scope="module")
def warm():
    needs_system("bubblewrap", "bwrap")
    assert sandbox.missing() == ""
    warm = sandbox.Warm()
    yield warm
    warm.stop()


@pytest.fixture
def lane(warm):
    """One for each test: an answer that a failing test leaves open is nothing to the next."""
    lane = sandbox.Lane(warm.door, LIMITS)
    yield lane
    lane.stop()


def ended(lane, code, name="f", call=()):
    """(what `name(*call)` gives or raises after `code` has run, what the answer used)."""
    connection = lane.open()
    session = stand_ins.Session(connection, {})
    try:
        told = session.ask("cell", code)
        value = session.look(name)(*call) if name else told
    except Exception as error:
        value = error
    return value, lane.close(connection)


def test_an_answer_runs_and_gives_values_and_gradients(lane):
    connection = lane.open()
    session = stand_ins.Session(connection, names_in("def f(x): return x * 2"))
    assert session.ask("cell", "def f(x):\n    return x * 2") == {"printed": "", "raised": None}
    x = torch.ones(3, requires_grad=True)
    (session.look("f")(x) ** 2).sum().backward()
    assert torch.equal(x.grad, torch.full((3,), 8.0))
    used = lane.close(connection)
    assert used["ended"] == "finished" and used["memory"] < 300


def test_a_cell_that_fails_says_so_and_the_next_one_runs(lane):
    connection = lane.open()
    session = stand_ins.Session(connection)
    first, second = session.ask("cell", "print('one')\n1 / 0"), session.ask("cell", "%time y = 3\nprint('two')")
    lane.close(connection)
    assert first["printed"].startswith("one\n") and first["raised"] == "ZeroDivisionError: division by zero"
    assert second["raised"] is None and "two" in second["printed"]


# What each attack returns where it fails.
HARMLESS = {
    "reads the sources of lessons": (
        "import glob\ndef f(): return [p for n in range(4) for p in glob.glob('/' + '*/' * n + 'solutions')]",
        [],
    ),
    "reads the rooms that checks, grade and build": (
        "import os\ndef f(): return [os.listdir(f'/course/course_lib/{r}') for r in ('checks', 'grading', 'author')]",
        [[], [], []],
    ),
    "reads a file of the machine": (
        "import os\ndef f(): return [p for p in ('/etc/passwd', '/etc/shadow', '/var', '/srv', '/mnt', '/opt') if os.path.exists(p)]",
        [],
    ),
    "reads the environment": (
        "import os\ndef f(): return [k for k in os.environ if 'SECRET' in k or k in ('CI', 'USER')]",
        [],
    ),
    "sees other processes": (
        "import os\ndef f(): return [p for p in os.listdir('/proc') if p.isdigit() and p != str(os.getpid())]",
        [],
    ),
    "is not root": ("import os\ndef f(): return os.getuid() == 0", False),
    "finds an open file": (
        "import os\ndef f(): return [os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd') if int(n) > 3 and "
        "os.path.exists(f'/proc/self/fd/{n}')]",
        [],
    ),
}


@pytest.mark.parametrize("what", HARMLESS)
def test_there_is_nothing_to_see(lane, what):
    code, nothing = HARMLESS[what]
    value, used = ended(lane, code)
    assert value == nothing and used["ended"] == "finished", (value, used)


REFUSED = {
    "calls out": "import socket\ndef f(): socket.create_connection(('1.1.1.1', 53), 2)",
    "calls this machine": "import socket\ndef f(): socket.create_connection(('127.0.0.1', 22), 2)",
    "writes to the system": "def f(): open('/usr/bin/x', 'w')",
    "writes to the library": "def f(): open('/course/course_lib/checks/core.py', 'a')",
    "mounts": "import ctypes\ndef f():\n    if ctypes.CDLL(None, use_errno=True).mount(b'tmpfs', b'/tmp', b'tmpfs', 0, None): raise OSError",
    "makes namespaces": "import ctypes\ndef f():\n    if ctypes.CDLL(None).unshare(0x10000000): raise OSError",
    "takes root": "import os\ndef f(): os.setuid(0)",
    "kills its watcher": "import os\ndef f():\n    for n in range(2, 3000):\n        os.kill(n, 9)",
    "fills the disk": "def f():\n    for n in range(100): open(f'/tmp/{n}', 'wb').write(bytes(2**20))",
    "fills shared memory": "def f():\n    for n in range(100): open(f'/dev/shm/{n}', 'wb').write(bytes(2**20))",
    "takes 4 GB": "def f(): x = bytearray(4 * 2**30); x[::4096] = bytes(len(x[::4096]))",
    "opens a thousand files": "def f(): return len([open('/dev/null') for n in range(1000)])",
    "starts a hundred threads": "import threading, time\ndef f():\n    for n in range(100): threading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
    "stops": "import sys\ndef f(): sys.exit(0)",
    "shares memory by no file": "import mmap\ndef f(): mmap.mmap(-1, 2**20)",
    "makes a million empty files": "def f():\n    for n in range(10**6): open(f'/tmp/{n}', 'w').close()",
    "makes a million names of one file": "import os\ndef f():\n    open('/dev/shm/x', 'w').close()\n    for n in range(10**6): os.link('/dev/shm/x', f'/dev/shm/{n}')",
}


# System calls whose memory belongs to no process, with arguments that would do.
CALLS = {
    "memory": ("shmget", "0, 2**20, 0o1600"),
    "semaphores": ("semget", "0, 32000, 0o600"),
    "messages": ("msgget", "0, 0o1600"),
    "a queue": ("mq_open", "b'/q', 0o102, 0o600, None"),
    "a nameless file": ("memfd_create", "b'x', 0"),
}


@pytest.mark.parametrize("what", CALLS)
def test_memory_that_no_process_has_is_refused(lane, what):
    name, given = CALLS[what]
    library = "CDLL('librt.so.1', use_errno=True)" if name == "mq_open" else "CDLL(None, use_errno=True)"
    code = f"import ctypes\nlibc = ctypes.{library}\ndef f(): return [libc.{name}({given}), ctypes.get_errno()]"
    value, used = ended(lane, code)
    assert value == [-1, 1] and used["ended"] == "finished", (value, used)


def test_dev_zero_gives_no_memory(lane):
    code = "import mmap\ndef f():\n    with open('/dev/zero', 'r+b') as zero: mmap.mmap(zero.fileno(), 2**20)"
    assert isinstance(ended(lane, code)[0], Exception)


IGNORING = """
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
def f():
    for n in range(20):
        if not os.fork():
            while time.process_time() < 0.2: pass
            os._exit(0)
        time.sleep(0.01)
    try:
        os.wait()  # as they are not to be waited for, it ends when all have gone
    except ChildProcessError:
        pass
"""


def test_processor_time_of_children_that_nobody_waits_for_is_counted(lane):
    """Each child is gone before it has used much; all twenty together pass the limit."""
    value, used = ended(lane, IGNORING.replace("0.2", "0.4"))
    assert isinstance(value, stand_ins.Lost) and used["ended"] == "cpu", (value, used)
    value, used = ended(lane, IGNORING.replace("0.2", "0.1"))
    assert value is None and used["cpu"] > 1.8, (value, used)


def test_a_machine_without_a_list_of_calls_is_told_apart(monkeypatch):
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "h", "6", "1", "riscv64")))
    with pytest.raises(
        OSError, match="no list of the calls that an answer is refused on a machine of the kind riscv64"
    ):
        fork_server.refuse_calls()


def test_what_a_fork_is_shut_in_with_is_tried_before_anything_is_graded(monkeypatch):
    needs_system("bubblewrap", "bwrap")
    line = sandbox.command()
    monkeypatch.setattr(sandbox, "command", lambda: [*line, "--setenv", "PYTHONPATH", "/nowhere"])
    assert sandbox.missing().startswith("bubblewrap can't make a sandbox here: ")


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_forbidden_fails_inside_and_the_answer_goes_on(lane, what):
    value, used = ended(lane, REFUSED[what])
    assert isinstance(value, Exception) and not isinstance(value, stand_ins.Lost), (value, used)
    assert used["ended"] == "finished", used


ENDED = {
    "loops": ("def f():\n    while True: pass", "cpu"),
    "loops and swallows interrupts": (
        "import signal\ndef f():\n    while True:\n        try:\n            while True: pass\n"
        "        except BaseException: pass",
        "cpu",
    ),
    "loops in many processes": ("import os\ndef f():\n    os.fork(); os.fork()\n    while True: pass", "cpu"),
    "takes memory bit by bit": ("def f():\n    hoard = []\n    while True: hoard.append(bytearray(8 * 2**20))", None),
    "takes memory in many processes": (
        "import os, time\ndef f():\n    for n in range(8):\n        if not os.fork():\n            x = bytearray(b'1') * (200 * 2**20); "
        "time.sleep(60)\n    time.sleep(60)",
        "memory",
    ),
    "ends its process": ("import os\ndef f(): os._exit(0)", "by itself"),
    "kills itself": ("import os, signal\ndef f(): os.kill(os.getpid(), signal.SIGKILL); os.abort()", None),
    "crashes": ("import ctypes\ndef f(): ctypes.string_at(0)", "by itself"),
    "garbles its answer": ("import os\ndef f(): os.write(3, b'\\0\\0\\0\\4nope')", None),
}


@pytest.mark.parametrize("what", ENDED)
def test_what_goes_too_far_is_ended_alone(lane, what):
    code, why = ENDED[what]
    value, used = ended(lane, code)
    assert isinstance(value, Exception), (value, used)
    assert why is None or used["ended"] == why, used
    assert ended(lane, "def f(): return 5")[0] == 5


def test_a_sleeper_is_ended_by_the_clock():
    needs_system("bubblewrap", "bwrap")
    warm = sandbox.Warm()
    try:
        lane = sandbox.Lane(warm.door, sandbox.Limits(wall=2))
        value, used = ended(lane, "import time\ndef f(): time.sleep(500)")
        assert isinstance(value, stand_ins.Lost) and used["ended"] == "wall"
    finally:
        warm.stop()


def test_a_fork_bomb_is_bounded_and_leaves_no_process(lane):
    before = set(started())
    code = "import os\ndef f():\n    while True:\n        try: os.fork()\n        except OSError: pass"
    value, used = ended(lane, code)
    assert isinstance(value, Exception) and used["ended"] in ("cpu", "memory")
    assert left_after(before) == []


def test_one_answer_leaves_nothing_for_the_next(lane):
    code = "import builtins, torch\ndef f():\n    builtins.len = lambda x: 7\n    torch.allclose = lambda *a, **k: True\n    open('/tmp/left', 'w').write('x')\n    return 1"
    ended(lane, code)
    code = "import os, torch\ndef f(): return [len([]), torch.allclose(torch.zeros(1), torch.ones(1)), os.path.exists('/tmp/left')]"
    assert ended(lane, code)[0] == [0, False, False]


def test_the_warm_process_ends_with_the_one_that_started_it():
    needs_system("bubblewrap", "bwrap")
    code = "import os, sys\nfrom course_lib.crossing import sandbox\nwarm = sandbox.Warm()\nsandbox.Lane(warm.door)\nprint(warm.process.pid, flush=True)\nos._exit(0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE)
    number = int(done.stdout)
    wait_for(lambda: number not in {p.pid for p in started()}, "it goes on")


def test_without_bubblewrap_one_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setenv("PATH", os.devnull)
    assert sandbox.missing().startswith("bubblewrap is missing: install it")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert sandbox.missing() == "Student code can be isolated on Linux only, by bubblewrap."


def test_checks_that_are_installed_beside_the_course_are_hidden_too(tmp_path, monkeypatch):
    for place in ("site/course_lib/checks", "course/course_lib/checks", "course/solutions", "course/grading"):
        (tmp_path / place).mkdir(parents=True)
    monkeypatch.setattr(sandbox.sysconfig, "get_path", lambda key: str(tmp_path / "site"))
    hidden = {
        str(tmp_path / p)
        for p in ("site/course_lib/checks", "course/course_lib/checks", "course/solutions", "course/grading")
    }
    assert sandbox._copies(tmp_path / "course/course_lib", [str(tmp_path)]) == hidden
    assert sandbox._copies(tmp_path / "course/course_lib", ["/usr"]) == set()
