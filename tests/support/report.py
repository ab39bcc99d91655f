"""What a user can do about a suite that fails, in plain words at its end."""

import re
import subprocess

from tests.support.course import ROOT

# What a failure says, and what it means where the machine is to blame.
CAUSES = {
    r"this test needs ([\w-]+) \(on Debian": "{0} is missing: install it (on Debian and Ubuntu: apt-get install {0})",
    r"pip can reach none from here": "no package can be downloaded: see to the network, pip's index and the proxy",
    r"MemoryError|[Cc]an(?:'t|not) allocate memory|died with <Signals\.SIGKILL":
        "memory ran out: end other programs (4 GB free is enough), and run again",
    r"No space left on device|Errno 28|disk (?:is|became) full": "the disk is full: make room (15 GB is enough), and run again",
    r"Too many open files|Errno 24": "too many files are open: run `ulimit -n 4096` first",
    r"No module named '((?!course_lib|tests)\w+)'": "the package {0} is missing from .venv: delete .venv, and run again",
    r"Read-only file system|Errno 30": "a folder can't be written: copy the course to a folder of your own",
}  # fmt: skip


def causes(text):
    """The sentences that say what the machine lacks, from what a failing test says; empty where it is not the machine."""
    return [says.format(*m.groups()) for pattern, says in CAUSES.items() if (m := re.search(pattern, text))]


def what_was_measured(reporter):
    """Write the lines that tests gave to `measured`, in order."""
    kinds = ("passed", "failed")
    lines = [
        v for kind in kinds for one in reporter.stats.get(kind, []) for k, v in one.user_properties if k == "measured"
    ]
    if lines:
        reporter.section("What was measured")
        for line in sorted(set(lines)):
            reporter.write_line(line)


def what_a_user_can_do(reporter):
    """Write it below pytest's summary: what comes from the machine, and where to report the rest."""
    failed = [*reporter.stats.get("failed", []), *reporter.stats.get("error", [])]
    if not failed:
        return
    machine, rest = {}, []
    for one in failed:
        crash = getattr(one.longrepr, "reprcrash", None)  # the message alone: the test's own code may name anything
        found = causes(crash.message if crash else str(one.longrepr))
        for sentence in found:
            machine.setdefault(sentence, []).append(one.nodeid)
        rest += [] if found else [one.nodeid]
    reporter.section("What you can do")
    for sentence, tests in machine.items():
        reporter.write_line(f"This machine ({_count(tests)}): {sentence}.")
    if rest:
        reporter.write_line(
            f"The course itself ({_count(rest)}): report them {_place()}, with all that is printed above, this "
            "system's name and `python3 -m course_lib doctor`'s answer."
        )
        reporter.write_line("One test again: python3 -m course_lib test " + rest[0].replace(" ", "\\ "))


def _count(tests):
    return f"{len(tests)} failure{'s' * (len(tests) != 1)}"


def _place():
    """Where faults are reported: the page of issues of the repository that this checkout was cloned from."""
    try:
        asked = ["git", "-C", str(ROOT), "remote", "get-url", "origin"]
        origin = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    except OSError:
        origin = ""
    if origin.startswith("https://"):
        return f"at {origin.removesuffix('.git')}/issues"
    return "to whoever you have this checkout from"
