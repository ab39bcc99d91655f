"""Attacks that end, stop, exhaust or outlive what they run in, or leave something behind."""

import json
import textwrap

import nbformat

from tests.support.submissions import POINTS, WRITTEN, answers, full

from .bank import attack, doing, none, running

# --- endings ------------------------------------------------------------------------------------------------


@attack("ends")
def exits():
    """Calls sys.exit, quit and os._exit, in a cell and in an answer."""
    made = running("import sys\nsys.exit(0)")
    made.insert("setup", "quit()")
    made.insert("setup", "import os\nos._exit(0)")
    made["conv_out_size"].source = "def conv_out_size(*given):\n    import os\n    os._exit(0)"
    made["overlap_count"].source = "def overlap_count(*given):\n    raise SystemExit(0)"
    return made


@attack("ends")
def kills_everything():
    """Sends every signal to process 1, to its parent, to its group, to all that it may reach, and to numbers up to 70,000."""
    return doing("""
        import os, signal
        for number in (9, 15, 19, 1, 2, 6):
            for target in (1, os.getppid(), 0, -1, *range(2, 70_000, 1)):
                try:
                    os.kill(target, number)
                except (OSError, OverflowError):
                    pass
        return 0
        """)


@attack("ends")
def crashes():
    """Reads address 0 by ctypes, aborts, and overflows the C stack."""
    made = doing("import ctypes\nctypes.string_at(0)")
    made["overlap_count"].source = "def overlap_count(*given):\n    import os\n    os.abort()"
    made[
        "poke"
    ].source = "def poke(*given):\n    import sys\n    sys.setrecursionlimit(10 ** 9)\n    f = lambda n: f(n + 1)\n    return f(0)"
    return made


@attack("ends")
def dies_as_if_we_had_killed_it():
    """Lets the kernel kill it with signal 9, as when a machine is out of memory, which would be a fault of ours: by rlimits, seccomp and ptrace."""
    return doing("""
        import ctypes, os, resource
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (1, 1))
        except (OSError, ValueError):
            pass
        libc = ctypes.CDLL(None)
        libc.ptrace(0, 0, 0, 0)
        if not os.fork():
            libc.ptrace(0x4206, 1, 0, 0x100000)
            os._exit(0)
        libc.prctl(22, 1, 0, 0, 0)
        open("/dev/null").close()
        return 0
        """)


@attack("ends")
def loops_and_swallows():
    """Loops for ever and swallows every interrupt and signal that can be swallowed."""
    return doing("""
        import signal
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        while True:
            try:
                while True:
                    pass
            except BaseException:
                pass
        """)


@attack("ends")
def sleeps():
    """Sleeps for ever, without using the processor."""
    return doing("import time\nwhile True:\n    time.sleep(10 ** 6)")


@attack("ends")
def dies_again_and_again():
    """Thirty cells that each wait a moment and then end the process, so that the cells before run again each time."""
    made = none()
    for n in range(32):
        made.insert(
            "setup",
            f"import os, time\ntime.sleep({0.4 if n % 2 else 0})\nos._exit({n % 2})" if n % 4 else f"x{n} = {n}",
        )
    return made


@attack("ends")
def stops_itself():
    """Stops its own process by signal, closes all its files and waits for a child that never ends."""
    return doing("""
        import os, signal
        if not os.fork():
            while True:
                signal.pause()
        os.kill(os.getpid(), signal.SIGSTOP)
        os.wait()
        """)


# --- memory, processes, files, output -----------------------------------------------------------------------


@attack("exhausts")
def takes_memory():
    """Takes memory in lists, in torch, in shared mappings and in forks, a piece at a time."""
    return doing("""
        import mmap, os
        hoard = []
        os.fork()
        while True:
            hoard.append(bytearray(b"1") * 2 ** 23)
            hoard.append(torch.ones(2 ** 21))
            hoard.append(mmap.mmap(-1, 2 ** 23))
            hoard[-1].write(bytes(2 ** 23))
        """)


@attack("exhausts")
def hides_memory():
    """Takes memory that belongs to no process: anonymous files, System V segments and messages, /dev/shm, socket buffers, pipes."""
    return doing("""
        import ctypes, os, socket
        libc, took, block = ctypes.CDLL(None), 0, bytes(2 ** 20)
        for make in (lambda: os.memfd_create("x"), lambda: os.open(f"/dev/shm/{took}", os.O_CREAT | os.O_RDWR), lambda: os.open(f"/dev/{took}", os.O_CREAT | os.O_RDWR)):
            try:
                for n in range(40):
                    file = make()
                    for k in range(60):
                        took += os.write(file, block)
            except OSError as error:
                print(error)
        for n in range(100):
            segment = libc.shmget(0, 2 ** 26, 0o1600)
            took += 2 ** 26 * (segment >= 0)
        print("LOOT" if took > 300 * 2 ** 20 else "no more than", took >> 20, "MB")
        ends = []
        try:
            while True:
                ends += socket.socketpair()
                ends[-1].setblocking(False)
                ends[-1].send(block)
        except OSError:
            pass
        return 0
        """)


@attack("exhausts")
def hoards_kernel_memory():
    """Takes memory of the kernel that no limit counts: System V semaphores, message queues, shared memory whose pages it lets go of, a million and a half empty files, hard links."""
    return running("""
        import ctypes, mmap, os
        libc = ctypes.CDLL(None)
        took = sum(libc.semget(0, 32_000, 0o600) >= 0 for n in range(300))
        took += sum(libc.mq_open(b"/q%d" % n, 0o102, 0o600, None) >= 0 for n in range(100))
        for make in (lambda: mmap.mmap(-1, 2 ** 26), lambda: mmap.mmap(os.open("/dev/zero", os.O_RDWR), 2 ** 26)):
            try:
                for n in range(10):
                    shared = make()
                    for place in range(0, 2 ** 26, 4096):
                        shared[place] = 1
                    shared.madvise(mmap.MADV_DONTNEED)
                    took += 1
            except (OSError, ValueError):
                pass
        for place in ("/tmp", "/dev/shm"):
            try:
                for n in range(1_500_000):
                    open(f"{place}/n{n}", "w").close()
                took += 1
            except OSError:
                pass
        print("LOOT" if took else "nothing", took)
        """)


@attack("exhausts")
def hides_time():
    """Lets children work whose end it ignores, so that nobody is charged with their time."""
    return doing("""
        import os, signal, time
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        for n in range(40):
            if not os.fork():
                while time.process_time() < 1:
                    pass
                os._exit(0)
            time.sleep(0.3)
        print("LOOT")
        return 0
        """)


@attack("slow text", **{name: points for name, points in POINTS.items() if name != WRITTEN})
def markdown_without_end():
    """Everything right, and texts on which making a page takes minutes: brackets, backslashes, links, pictures shown ten thousand times."""
    made = full()
    for n, unit in enumerate(("[", "\\\\[", "![a](", "*a", "](", "[a](attachment:a.png) ", "![a](attachment:a.png) ")):
        cell = nbformat.v4.new_markdown_cell((unit * 120_000)[:120_000], id=f"long{n}")
        cell.attachments = {
            "a.png": {"image/png": "A" * 200_000},
            "n" * 30_000: {"image/png": "A"},
            "\ud800.png": {"image/png": "A"},
        }
        made.nb.cells.append(cell)
    return json.dumps(made.nb)


@attack("exhausts")
def forks_without_end():
    """A fork bomb of processes that leave their session, ignore signals and fork again."""
    return doing("""
        import os, signal
        while True:
            try:
                if not os.fork():
                    os.setsid()
                    signal.signal(signal.SIGTERM, signal.SIG_IGN)
                    signal.signal(signal.SIGHUP, signal.SIG_IGN)
            except OSError:
                pass
        """)


@attack("exhausts")
def outlives_its_grading():
    """Leaves daemons (forked twice, sessions of their own), threads, zombies and an at-exit loop behind."""
    made = running("""
        import atexit, os, threading, time
        for n in range(5):
            if not os.fork():
                os.setsid()
                if os.fork():
                    os._exit(0)
                os.closerange(0, 100)
                while True:
                    time.sleep(1)
        def loop():
            while True:
                time.sleep(0.01)
        for n in range(20):
            threading.Thread(target=loop).start()
        atexit.register(loop)
        """)
    return made


@attack("exhausts")
def fills_the_disk():
    """Writes large files, a hundred thousand small ones, and sparse ones, wherever it may write."""
    return doing("""
        import os
        places = ["/tmp", "/dev/shm", os.path.expanduser("~"), "/", "/course", "/home", "/dev", "/etc", "/var/tmp", "/course/course_lib/checks"]
        for place in places:
            try:
                os.makedirs(place + "/attack", exist_ok=True)
                for n in range(300):
                    open(f"{place}/attack/{n}", "wb").write(bytes(2 ** 20))
            except OSError as error:
                print(place, error)
            try:
                for n in range(20_000):
                    open(f"{place}/attack/n{n}", "w").close()
                os.truncate(f"{place}/attack/n1", 2 ** 40)
            except OSError as error:
                print(place, error)
        return 0
        """)


@attack("exhausts")
def prints_without_end():
    """Prints a hundred megabytes to stdout and to stderr, from a cell and from every call, past Python's own files as well."""
    made = running("""
        import os, sys
        for n in range(400):
            print("<script>alert(1)</script>" * 10_000)
            print("x" * 250_000, file=sys.stderr)
            os.write(1, b"y" * 100_000)
            os.write(2, b"z" * 100_000)
        """)
    made[
        "conv_out_size"
    ].source = "def conv_out_size(*given):\n    print('<b>' * 3_000_000)\n    raise ValueError('<i>' * 3_000_000)"
    return made


@attack("exhausts")
def opens_everything():
    """Opens files, sockets and pipes until there are no more numbers, and starts threads until there are no more."""
    return doing("""
        import os, socket, threading, time
        kept = []
        for make in (lambda: open("/dev/null"), socket.socket, os.pipe, lambda: threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()):
            try:
                while True:
                    kept.append(make())
            except (OSError, RuntimeError) as error:
                print(error)
        return 0
        """)


# --- one for another ----------------------------------------------------------------------------------------


@attack("leaves something")
def leaves_answers():
    """Solves everything in files that it leaves wherever it can, for a friend who is graded later; hoards modules that imports find first."""
    made = none()
    text = "\n\n".join(text for name, text in answers().items() if not name.startswith(("spokes", "build")))
    made.insert(
        "setup",
        textwrap.dedent(f"""
        import os
        text = {text!r}
        for place in ("/", "/course", "/course/course_lib", "/course/course_lib/checks", "/home", "/etc", "/dev", "/dev/shm", "/tmp", "/var/tmp", "/run", os.getcwd()):
            for name in ("friend.py", "csv.py", "wave.py", "colorsys.py", "sitecustomize.py"):
                try:
                    open(os.path.join(place, name), "w").write(text)
                except OSError:
                    pass""").strip(),
    )
    return made


@attack("leaves something")
def finds_answers():
    """Looks for what `leaves_answers` has left, and runs it."""
    return running("""
        import importlib, os, sys
        for place in ("/", "/course", "/course/course_lib", "/course/course_lib/checks", "/home", "/etc", "/dev", "/dev/shm", "/tmp", "/var/tmp", "/run", os.getcwd()):
            path = os.path.join(place, "friend.py")
            if os.path.exists(path):
                print("LOOT", path)
                exec(open(path).read())
        import wave, colorsys
        globals().update({k: v for m in (wave, colorsys) for k, v in vars(m).items() if k in ("conv_out_size", "poke", "quiz_field")})
        """)


@attack("leaves something")
def breaks_out():
    """Mounts, makes namespaces, changes its user, writes to kernel settings and to the library, loads programs into the kernel."""
    return running("""
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        if not libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) or not libc.umount2(b"/proc", 2) or not libc.mount(None, b"/", None, 32 | 4096, None):
            print("LOOT mount")
        for flag in (0x20000, 0x10000000, 0x20000000, 0x40000000):
            if not libc.unshare(flag):
                print("LOOT unshare", flag)
        def write(path, text):
            os.write(os.open(path, os.O_WRONLY), text)
        for call in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.chroot("/tmp"), lambda: os.nice(-5),
                     lambda: write("/proc/sys/kernel/core_pattern", b"|/tmp/x"), lambda: write("/proc/sys/user/max_user_namespaces", b"9"),
                     lambda: write("/proc/1/oom_score_adj", b"-1000"), lambda: write("/course/course_lib/__init__.py", b"x"),
                     lambda: open("/usr/bin/env", "a"), lambda: os.mknod("/tmp/disk", 0o60600, os.makedev(254, 0)) or open("/tmp/disk", "rb").read(1)):
            try:
                call()
                print("LOOT", call.__code__.co_consts)
            except OSError as error:
                pass
        for number in (321, 425, 323, 298, 246):
            if libc.syscall(number, 0, 0, 0, 0, 0) >= 0:
                print("LOOT call", number)
        """)


@attack("slow text")
def thousand_magics():
    """A cell with more magic commands than IPython's transformer is willing to take apart."""
    made = none()
    made["conv_out_size"].source = "\n".join(["%pwd"] * 3000) + "\ndef conv_out_size(*given):\n    return 0"
    return made


@attack("slow text")
def endless_text():
    """Cells of many megabytes: tens of thousands of statements, names that refer to each other in a chain, brackets nested for ever."""
    made = none()
    made.insert("setup", "a = 1\n" * 30_000)
    made.insert("setup", "\n".join(f"def f{n}():\n    return f{n + 1}()" for n in range(5_000)))
    made.insert("setup", "x = " + "(" * 100_000 + ")" * 100_000)
    made.insert("setup", "x = " + "-" * 200_000 + "1")
    made.insert("setup", "x" + ".x" * 20_000)
    made.insert("setup", "y = '" + "z" * 5_000_000 + "'")
    made["conv_out_size"].source = "conv_out_size = f0"
    return made


@attack("leaves something")
def spoils_the_library():
    """Edits the course's library in memory, its seeds and its data, and torch's state: threads, default dtype, device, gradients."""
    return running("""
        import random, numpy, sys
        from course_lib import models as library
        for name in list(vars(library)):
            if not name.startswith("__"):
                setattr(library, name, None)
        torch.set_default_dtype(torch.float16)
        torch.set_grad_enabled(False)
        torch.set_num_threads(64)
        random.seed(1), numpy.random.seed(1), torch.manual_seed(1)
        sys.setrecursionlimit(50)
        """)
