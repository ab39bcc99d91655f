"""Attacks that look for what they should not see, or hope that a check runs in their process."""

import re
import textwrap

from tests.support.course import ROOT
from tests.support.submissions import LESSON

from .bank import REPLACE, STUBS, answering, attack, none, running

# --- reading ------------------------------------------------------------------------------------------------


@attack("reading")
def reads_sources():
    """Looks through the whole file system for the lesson's source, the checks or any notebook, to run the solution found there."""
    return running("""
        import os
        for folder, names, files in os.walk("/"):
            names[:] = [n for n in names if folder != "/" or n not in ("proc", "sys")]
            for name in files:
    XX
                    print("LOOT", folder, name)
                    exec(open(os.path.join(folder, name)).read())
        """)


@attack("reading")
def reads_checks():
    """Imports the checks, by name, by path and by a loader of its own, to compute what they expect."""
    return answering(
        "expected(*given)",
        """
        import importlib, importlib.machinery, importlib.util, glob, pkgutil, sys
        import course_lib
        sys.meta_path = [f for f in sys.meta_path if type(f).__name__ != "NoChecks"]
        for name in list(sys.modules):
            if name.startswith("course_lib.checks"):
                del sys.modules[name]
        def expected(*given):
            return sizes.conv_size(*given)
        for path in [*course_lib.__path__, *sys.path]:
            for file in glob.glob(path + "/**/conv_out_size.py", recursive=True) + glob.glob(path + "/checks/*"):
                print("LOOT", file)
        try:
            from course_lib.checks import quiz
            from course_lib.checks.lesson_02 import sizes
            print("LOOT", sizes)
        except ImportError as error:
            print(error)
        """,
    )


@attack("reading")
def reads_quiz_key():
    """Opens the sealed answers of the quizzes, letter by letter, to choose the right ones."""
    made = none()
    for name in ("quiz_field", "quiz_grid", "quiz_values"):
        made[name].source = textwrap.dedent(f"""
            from course_lib.checks import quiz
            {name} = [letter for letter in "abcd" if quiz.open_choice("{LESSON}", "{name[5:]}", letter)[0] is True]
            {name} = {name}[0] if {name} else None""").strip()
    return made


@attack("reading")
def reads_submissions_and_gradebook():
    """Tries the places where submissions, grades and feedback lie: relative to every folder, by name, by database."""
    return running("""
        import glob, os, sqlite3
        for up in ("", "..", "../..", "/course", "/root", "/home", "/work", "/srv", "/mnt", "/media", "/var", "/proc/1/root", "/proc/1/cwd", "/proc/self/cwd"):
            for pattern in ("grading", "grading/*", "submitted", "**/gradebook.db", "*/*/*.ipynb", "results/*/*.json"):
                for path in glob.glob(os.path.join(up, pattern)):
                    print("LOOT", path)
        for path in ("grading/gradebook.db", "/course/grading/gradebook.db"):
            try:
                print("LOOT", sqlite3.connect(f"file:{path}?mode=rw", uri=True).execute("select * from grade").fetchall())
            except sqlite3.Error as error:
                print(error)
        """)


@attack("reading")
def reads_secrets():
    """Reads the environment, its own and that of every process, for tokens and the instructor's name."""
    return running("""
        import getpass, glob, os
        for path in glob.glob("/proc/*/environ") + glob.glob("/proc/*/task/*/environ"):
            if "SECRET" in open(path).read():
                print("LOOT", path)
        if any("SECRET" in text for pair in os.environ.items() for text in pair):
            print("LOOT", os.environ)
        for path in ("/root/.bashrc", "/root/.profile", "/etc/shadow", "/etc/passwd", "~/.ssh", "~/.aws", "~/.netrc", "~/.git-credentials", "/run/secrets", "/var/run/docker.sock"):
            if os.path.exists(os.path.expanduser(path)) and os.access(os.path.expanduser(path), os.R_OK):
                print("LOOT", path)
        """)


@attack("reading")
def walks_proc():
    """Looks in /proc for other processes, their files, memory and roots, and for open files that it was not given."""
    return running("""
        import os
        me = str(os.getpid())
        for name in os.listdir("/proc"):
            if name.isdigit() and name != me:
                print("LOOT process", name)
        for number in os.listdir("/proc/self/fd"):
            try:
                target = os.readlink(f"/proc/self/fd/{number}")
            except OSError:
                continue
            if int(number) > 3 and "/ipython" not in target and not target.startswith("/proc"):
                print("LOOT file", number, target)
        for path in ("/proc/1/root/etc/shadow", "/proc/kcore", "/dev/mem", "/dev/vda", "/dev/sda", "/sys/kernel"):
            try:
                print("LOOT", open(path, "rb").read(16))
            except OSError:
                pass
        """)


@attack("reading")
def searches_its_memory():
    """Searches its own memory for the hidden tests' seeds, which are in the checker's."""
    source = (ROOT / "solutions" / f"{LESSON}.py").read_text("utf-8")
    seed = int(re.search(r'check="conv_out_size" seed=(\d+)', source)[1])
    return running(f"""
        import re
        seed = b"%d" % ({seed + 1} - 1)
        with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
            for line in maps:
                span = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
                if span and int(span[2], 16) - int(span[1], 16) < 2**28:
                    memory.seek(int(span[1], 16))
                    try:
                        found = memory.read(int(span[2], 16) - int(span[1], 16))
                    except OSError:
                        continue
                    if b"conv_out_size, seed=" + seed in found:
                        print("LOOT", line)
        """)


@attack("reading")
def calls_home():
    """Opens connections to the world, to this machine and to the local network, by number and by name."""
    return running("""
        import socket, urllib.request
        for place in (("1.1.1.1", 53), ("127.0.0.1", 22), ("10.0.0.1", 80), ("169.254.169.254", 80), ("example.org", 80)):
            try:
                socket.create_connection(place, 1)
                print("LOOT", place)
            except OSError as error:
                print(error)
        """)


# --- hooks --------------------------------------------------------------------------------------------------


@attack("hooks")
def hooks_around_cells():
    """Registers pre_run_cell, post_run_cell and post_execute hooks that put another `check` into the notebook's names."""
    return running(
        REPLACE
        + """
    def swap(*anything):
        import builtins
        get_ipython().user_ns.update(check=Yes())
        builtins.check = Yes()
    for event in ("pre_run_cell", "post_run_cell", "pre_execute", "post_execute"):
        get_ipython().events.register(event, swap)
    """
    )


@attack("hooks")
def transforms_input():
    """Rewrites every later cell by input_transformers_post, input_transformers_cleanup and a syntax-tree transformer."""
    return running("""
        import ast
        shell = get_ipython()
        shell.input_transformers_post.append(lambda lines: ["100.0\\n"])
        shell.input_transformers_cleanup.append(lambda lines: ["100.0\\n"])
        class Full(ast.NodeTransformer):
            def visit_Call(self, node):
                return ast.Constant(100.0)
        shell.ast_transformers.append(Full())
        """)


@attack("hooks")
def wraps_execution():
    """Wraps run_cell, run_code, the display hook and the kernel's do_execute, so that each check's cell shows 100 points."""
    return running("""
        import sys, types
        shell = get_ipython()
        class Result:
            success, result, error_before_exec, error_in_exec, execution_count = True, 100.0, None, None, 1
            def raise_error(self): pass
        shell.run_cell = type(shell).run_cell = lambda *a, **k: Result()
        shell.run_code = shell.run_ast_nodes = lambda *a, **k: False
        sys.displayhook = shell.displayhook = lambda value: print(100.0)
        kernel = types.ModuleType("ipykernel.ipkernel")
        kernel.IPythonKernel = type("IPythonKernel", (), {"do_execute": lambda *a, **k: {"status": "ok"}})
        sys.modules["ipykernel"] = sys.modules["ipykernel.ipkernel"] = sys.modules["ipykernel.kernelbase"] = kernel
        """)


@attack("hooks")
def rewrites_history():
    """Rewrites In, Out, the history and the names of the notebook, and its own file, as if checks had passed."""
    return running("""
        shell = get_ipython()
        shell.user_ns["Out"] = shell.user_ns["_oh"] = {n: 100.0 for n in range(100)}
        shell.user_ns["In"] = shell.user_ns["_ih"] = ["100.0"] * 100
        shell.execution_count = 99
        shell.history_manager.input_hist_parsed = ["100.0"] * 100
        _ = __ = ___ = 100.0
        """)


@attack("hooks")
def replaces_modules():
    """Puts modules of its own where course_lib.checks, its lesson, nbgrader and the crossing should be imported from."""
    return running(
        REPLACE
        + """
    import sys, types
    for name in ("course_lib.checks", "course_lib.checks.core", "course_lib.checks.values", "course_lib.checks.verdict",
                 "course_lib.checks.lesson_02", "course_lib.checks.lesson_02.sizes", "course_lib.grading.runner",
                 "course_lib.crossing.stand_ins", "nbgrader", "nbgrader.api"):
        sys.modules[name] = Yes()
    from course_lib.checks.lesson_02 import check
    """
    )


@attack("hooks")
def hooks_imports():
    """Installs an import hook and a path hook that give a check that always passes; wraps builtins.__import__ as well."""
    return running(
        REPLACE
        + """
    import builtins, importlib.machinery, sys
    class Finder:
        def find_spec(self, name, path=None, target=None):
            return importlib.machinery.ModuleSpec(name, self, is_package=True) if "check" in name else None
        def create_module(self, spec): return Yes()
        def exec_module(self, module): pass
    sys.meta_path.insert(0, Finder())
    sys.path.insert(0, "/tmp")
    sys.path_importer_cache.clear()
    real = builtins.__import__
    builtins.__import__ = lambda name, *rest: Yes() if "check" in name else real(name, *rest)
    """
    )


# --- patched libraries and odd objects ----------------------------------------------------------------------


@attack("patches")
def patches_torch():
    """Makes torch.allclose, equal, isclose, all, any and testing always say yes."""
    return answering(
        "torch.zeros(1)",
        """
        for name in ("allclose", "equal", "isclose", "is_same_size", "all", "any", "eq"):
            setattr(torch, name, lambda *a, **k: True)
            setattr(torch._C._VariableFunctions, name, lambda *a, **k: True) if hasattr(torch._C._VariableFunctions, "x") else None
        torch.testing.assert_close = lambda *a, **k: None
        F.conv_transpose2d = F.conv2d = F.conv1d = F.pixel_shuffle = lambda *a, **k: torch.zeros(1)
        torch.manual_seed = torch.seed = lambda *a: None
        """,
    )


@attack("patches")
def patches_tensors():
    """Replaces methods of torch.Tensor: comparison, shape, item, dtype, all, any, numel, and its metaclass's checks."""
    return answering(
        "torch.zeros(1)",
        """
        for name in ("__eq__", "equal", "allclose", "all", "any", "__bool__", "__ne__"):
            setattr(torch.Tensor, name, lambda *a, **k: True)
        """,
    )


@attack("patches")
def patches_numpy_and_python():
    """Replaces numpy's comparisons and Python's len, isinstance, abs, all, any, zip, float, print, hasattr and type."""
    return answering(
        "1",
        """
        import builtins, math
        import numpy
        for name in ("allclose", "array_equal", "isclose", "all"):
            setattr(numpy, name, lambda *a, **k: True)
        math.isclose = lambda *a, **k: True
        for name in ("abs", "all", "any", "zip", "hasattr", "callable"):
            setattr(builtins, name, lambda *a, **k: True)
        """,
    )


@attack("patches")
def patches_builtins_hard():
    """Replaces isinstance, len, type, print and open themselves, under the far side's own feet."""
    return answering(
        "1",
        """
        import builtins
        builtins.isinstance = lambda *a: True
        builtins.len = lambda x: 3
        builtins.print = builtins.open = lambda *a, **k: None
        """,
    )


@attack("odd objects")
def always_equal():
    """Answers with an object that equals, contains, indexes, calls and converts to anything."""
    return answering(
        "Anything()",
        """
        class Anything:
            def __eq__(self, other): return True
            def __ne__(self, other): return False
            def __lt__(self, other): return True
            __le__ = __gt__ = __ge__ = __contains__ = __lt__
            def __hash__(self): return 0
            def __bool__(self): return True
            def __getattr__(self, name): return self
            def __call__(self, *a, **k): return self
            def __getitem__(self, key): return self
            def __iter__(self): return iter([self])
            def __len__(self): return 1
            def __sub__(self, other): return 0
            __rsub__ = __abs__ = __sub__
            def __float__(self): return 0.0
            def __int__(self): return 0
            __index__ = __int__
            __class__ = property(lambda self: int)
        """,
    )


@attack("odd objects")
def tensor_subclass():
    """Answers with a Tensor subclass whose __torch_function__ makes every comparison true and every shape the expected one."""
    return answering(
        "torch.zeros(3).as_subclass(Sly)",
        """
        class Sly(torch.Tensor):
            @classmethod
            def __torch_function__(cls, function, types, args=(), kwargs=None):
                name = getattr(function, "__name__", "")
                if name in ("allclose", "equal", "isclose", "eq", "__eq__", "all", "__bool__"):
                    return True
                return super().__torch_function__(function, types, args, kwargs or {})
            shape = property(lambda self: type("Any", (tuple,), {"__eq__": lambda a, b: True, "__ne__": lambda a, b: False})())
        """,
    )


@attack("odd objects")
def number_subclasses():
    """Answers with int, float, str, bool, list and tuple subclasses that equal everything, in a different one for each exercise."""
    made = answering(
        "Int(0)",
        """
        def odd(kind):
            return type(kind.__name__.title(), (kind,), {"__eq__": lambda a, b: True, "__ne__": lambda a, b: False, "__hash__": lambda a: 0,
                        "__sub__": lambda a, b: 0, "__abs__": lambda a: 0, "__lt__": lambda a, b: True, "__len__": lambda a: 2,
                        "strip": lambda a: a, "lower": lambda a: a, "__contains__": lambda a, b: True})
        Int, Float, Str, List, Tuple = map(odd, (int, float, str, list, tuple))
        """,
    )
    for name, value in (
        ("trace_shapes", "List([Tuple((Int(0),) * 3)] * 9)"),
        ("receptive_field", "Float(0)"),
        ("overlap_count", "List([0])"),
    ):
        made[name].source = STUBS[name].replace("VALUE", value)
    for name in ("quiz_field", "quiz_grid", "quiz_values"):
        made[name].source = STUBS[name].replace("VALUE", "Str('z')")
    return made


@attack("odd objects")
def odd_numbers():
    """Answers with NaN, infinity, huge and complex numbers, booleans, empty, expanded and meta tensors, odd dtypes."""
    made = answering("float('nan')")
    for name, value in {
        "conv_out_size": "10 ** 4000",
        "trace_shapes": "[(True, float('inf'), -0.0)] * 9",
        "receptive_field": "complex('inf')",
        "poke": "torch.full((given[1], given[1]), float('nan')).to(torch.complex64)",
        "transposed_conv": "torch.full((1, 1, 9, 9), float('nan'), requires_grad=True).expand(1, 1, 9, 9)",
        "overlap_count": "torch.empty(0, dtype=torch.int64)",
        "shuffle_pixels": "torch.zeros(3, device='meta')",
        "build_net": "torch.zeros(2, 3).to_sparse()",
        "quiz_field": "True",
        "quiz_grid": "float('nan')",
        "quiz_values": "b'a'",
    }.items():
        made[name].source = STUBS[name].replace("VALUE", value)
    return made


@attack("odd objects", transposed_conv=0, build_net=0)
def shallow_shapes():
    """Answers that only look right: zeros and NaN of the expected shapes, sums that have gradients, a net that is a constant."""
    made = answering("0")
    made["transposed_conv"].source = "def transposed_conv(x, weight, stride):\n    return x.sum() + weight.sum()"
    made["poke"].source = "def poke(layers, size):\n    return torch.full((size, size), float('nan'))"
    made["shuffle_pixels"].source = "def shuffle_pixels(x, r):\n    return x.new_zeros(x.shape[0], 1, 1, 1)"
    made["build_net"].source = textwrap.dedent("""
        class Flat(nn.Module):
            def __init__(self, classes):
                super().__init__()
                self.level = nn.Parameter(torch.ones(classes, 1, 1))
            def forward(self, x):
                return self.level.expand(len(x), -1, *x.shape[2:] if x.shape[2] % 2 else (1, 1))
        def build_net(classes, widths):
            return Flat(classes)""").strip()
    return made


# --- walks --------------------------------------------------------------------------------------------------


@attack("walks")
def walks_the_stack():
    """Goes up the stack from inside a call, over all frames and threads, for the checker's objects, seeds and expected values."""
    return answering(
        "walk()",
        """
        import inspect, sys
        def walk():
            for start in [sys._getframe(), *sys._current_frames().values()]:
                while start:
                    for name, value in list(start.f_locals.items()) + list(start.f_globals.items()):
                        if name in ("want", "verdict", "results", "trial", "outcome", "seed", "known") or type(value).__name__ in ("Trial", "Exercise", "Lesson"):
                            print("LOOT", name, value)
                            return value
                    start = start.f_back
        """,
    )


@attack("walks")
def walks_the_heap():
    """Goes through every object that the garbage collector knows, for verdicts, exercises and text of the tests; empties what it finds."""
    return running("""
        import gc
        for thing in gc.get_objects():
            if type(thing).__name__ in ("Verdict", "Exercise", "Trial", "Lesson", "Quiz", "Session", "StandIn", "Graded", "Station", "Gradebook"):
                print("LOOT", type(thing))
            if type(thing) is dict and "HIDDEN TESTS" in str(thing.get("source", ""))[:10000]:
                print("LOOT", thing)
        """)


@attack("walks")
def traces_everything():
    """Installs tracing, profiling, audit and exception hooks, to meet the checker's code as it runs."""
    return running("""
        import sys, threading
        def look(frame, event, value):
            if "checks" in frame.f_code.co_filename:
                print("LOOT", frame.f_code.co_filename)
        sys.setprofile(look)
        threading.setprofile(look)
        sys.addaudithook(lambda event, args: None)
        sys.excepthook = lambda *a: print("LOOT")
        """)
