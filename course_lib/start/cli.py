"""The commands behind python3 -m course_lib. A later one joins COMMANDS in a line."""

import importlib
import os
import re
import sys
import time

from . import environment
from .errors import Stop

LAB, TESTS = ("requirements.txt",), ("requirements.txt", "tests/requirements.txt")


def lab(arguments, cpu):
    from . import lab as opener

    return opener.main(arguments, lambda: environment.ensure(LAB, cpu=cpu))


def test(arguments, cpu):
    started = time.monotonic()
    status = run_tests(environment.ensure(TESTS, cpu=cpu), arguments)
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    print(f"Set-up and tests together: {minutes} min {seconds} s")
    return status


def run_tests(python, arguments):
    """pytest, run by this Python, with these arguments: none, --quick, a lesson's number, or whatever pytest takes."""
    if arguments and re.fullmatch(r"\d{1,2}(_\w+)?", arguments[0]):
        arguments = ["--lesson", *arguments]
    if not set(arguments) - {"--quick"}:  # all, or all quick ones: on each core one
        arguments = [*arguments, "-n", str(_cores()), "--no-loadscope-reorder"]
    # tests see nothing of the user's settings; those of Python and pytest would reach pytest itself as it starts
    return environment.run(python, ["-m", "pytest", *arguments], without=("PYTHON", "PYTEST", "__PYVENV_LAUNCHER__"))


def _cores():
    """How many processes tests run in: one a core, as far as there are 4 GB of memory for each; "0" for none beside."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 4e9
    except (ValueError, AttributeError, OSError):
        memory = 1
    most = min(cores, int(memory), 8)
    return most if most > 1 else 0


def inside(name, module=None):
    """A command that needs the environment: the `main(arguments)` of a module of course_lib, run by .venv's Python."""

    def command(arguments, cpu):
        python = environment.ensure(LAB, cpu=cpu)
        if environment.is_inside():
            return importlib.import_module(f"course_lib.{module or name}").main(arguments)
        return environment.run(python, ["-m", "course_lib", name, *arguments])

    return command


def doctor(arguments, cpu):
    from . import doctor as examiner

    return examiner.main(arguments)


COMMANDS = {
    "lab": (lab, "open JupyterLab on lesson 00, in your own copy under work/ (lab 02 opens lesson 02)"),
    "doctor": (doctor, "say in plain words whether this machine can run the course, and what to do"),
    "test": (test, "run every test; test --quick the quick ones, test 05 those of lesson 05 (the rest goes to pytest)"),
    "new": (inside("new", "author.new"), 'write the skeleton of a lesson: new 08_training "Training that works"'),
    "build": (
        inside("build", "author.build"),
        "build lessons/ from solutions/ (build 05: one lesson; --check only says what differs)",
    ),
    "release": (
        inside("release", "author.release"),
        "write what students get into a folder: release DIR --repository owner/name --tag v1",
    ),
    "grade": (inside("grade", "grading.command"), "grade a class's notebooks (grade --help says how)"),
}
NEEDS = {"test": "tests"} | dict.fromkeys(
    ("new", "build", "release", "grade"), "solutions"
)  # what a student's tree lacks
COMMANDS = {
    name: what for name, what in COMMANDS.items() if (environment.ROOT / NEEDS.get(name, "course_lib")).is_dir()
}
USAGE = "\n".join(
    [
        f"Usage: {environment.COURSE} COMMAND [--cpu] [...]",
        "",
        *(f"  {name:8}{line}" for name, (_, line) in COMMANDS.items()),
        "",
        "The first command makes an environment in .venv (once, some minutes). On Linux without an NVIDIA GPU,",
        "--cpu takes PyTorch's CPU build: a tenth of the download.",
    ]
)


def main(arguments):
    """Run one command; returns the exit status."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(USAGE)
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        raise Stop(f"There is no command '{name}': the commands are {', '.join(COMMANDS)}.")
    cpu = "--cpu" in rest
    return COMMANDS[name][0]([argument for argument in rest if argument != "--cpu"], cpu) or 0


def start(command=None):
    """The whole command line, or one command of it: what its errors and a Ctrl-C print, and the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a console that lacks a letter of a path shows it as \xNN
            stream.reconfigure(errors="backslashreplace")
    try:
        status = (command or main)(sys.argv[1:])
        sys.stdout.flush()
    except Stop as sentence:
        sys.exit(str(sentence))
    except KeyboardInterrupt:
        print("\nStopped: the same command goes on from here.", file=sys.stderr)
        status = 130
    except BrokenPipeError:  # `... | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)
