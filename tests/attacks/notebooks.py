"""Attacks by the notebook itself: its cells, its metadata, its file."""

import copy
import json
import textwrap

import nbformat

from tests.support.submissions import POINTS, WRITTEN, Submission, answers, full, none, tampered

from .bank import answering, attack

ALL = {name: points for name, points in POINTS.items() if name != WRITTEN}
SCRIPT = "<script>alert('LOOT')</script><img src=x onerror=alert('LOOT')>"


# --- cells and metadata -------------------------------------------------------------------------------------


@attack("cells")
def replaces_checks():
    """Writes points, prints, verdicts and silence where the checks were; deletes, retypes, empties and moves others."""
    return tampered()


@attack("cells")
def regrades_itself():
    """Marks own cells as graded: 1000 points, locked or not, with names of checks, of answers, of nobody, twice, with another schema."""
    made = none()
    own = {"grade": True, "solution": False, "locked": True, "task": False, "points": 1000, "schema_version": 3}
    for name in (
        "check_poke",
        "check_build_net",
        "bonus",
        "setup",
        WRITTEN,
        "poke",
        "../../gradebook",
        "<b>",
        "",
        "x" * 10_000,
    ):
        for version in (3, 1, 99, "3", None):
            made.insert("setup", "1000", nbgrader={**own, "grade_id": name, "schema_version": version})
    for odd in (
        [],
        "text",
        7,
        None,
        {"grade_id": {"a": 1}},
        {"grade_id": ["check_poke"]},
        {"grade": 1000},
        {"points": "nan", "grade_id": "check_poke"},
    ):
        made.insert("setup", "1000", nbgrader=odd)
    made["check_poke"].metadata.nbgrader.points = float("inf")
    return made


@attack("cells", **ALL)
def odd_metadata():
    """Everything right, with metadata nested five hundred deep, lone surrogates, odd tags, numbers of 4,000 digits, wild attachments."""
    made = full()
    deep = {}
    for n in range(400):
        deep = {"a": deep}
    for number, cell in enumerate(made.nb.cells):
        cell.metadata.update(
            nbformat.from_dict(
                {
                    "name": 7,
                    "collapsed": "x",
                    "jupyter": 5,
                    "execution": [],
                    "format": {},
                    "scrolled": "\ud800",
                    "raw_mimetype": 5,
                }
            )
        )
        cell.metadata["tags"] = [5, ["x"], {"y": 1}, "a,b", "\udfff", None]
        if number == 3:
            cell.metadata["deep"] = deep
            cell.metadata["big"] = 10**4000
        if cell.cell_type == "markdown":
            cell.attachments = nbformat.from_dict(
                {
                    "a": 5,
                    "../../b.png": {"image/svg+xml": SCRIPT, "image/png": ["x"], "text/html": SCRIPT},
                    "c": {"image/png": '"><script>'},
                }
            )
    made[WRITTEN].source = "![a](attachment:../../b.png) ![b](attachment:c) ![c](/etc/passwd)"
    return json.dumps(made.nb)


@attack("cells")
def borrows_the_checks_names():
    """Defines `check`, `Verdict`, `evaluate`, `session` and the checks' own names, as classes, functions and modules that say 'passed'."""
    made = answering(
        "0",
        """
        class check:
            class Verdict:
                results, points, max_points, outcome = (), 100.0, 100.0, "passed"
                __and__ = lambda self, other: self
                __repr__ = lambda self: "100"
            conv_out_size = poke = build_net = trace_shapes = quiz_field = staticmethod(lambda *a, **k: check.Verdict())
        Verdict = evaluate = session = settle = names = check
        __builtins__ = check
        """,
    )
    made.insert("check_poke", "class check:\n    poke = print")
    made.nb.cells[-1].source = "check = None"
    return made


@attack("cells")
def thousands_of_copies():
    """Copies every check and every answer sixty times, with the same ids, at the top, at the end and shuffled."""
    made = none()
    copies = [copy.deepcopy(c) for c in made.nb.cells if "nbgrader" in c.metadata]
    made.nb.cells = copies * 30 + made.nb.cells + copies[::-1] * 30
    return json.dumps(made.nb)


@attack("cells", refused="at most 2000 can be graded")
def five_thousand_cells():
    """Five thousand cells, each of which runs."""
    made = full()
    for n in range(5000):
        made.nb.cells.append(nbformat.v4.new_code_cell("pass"))
    return made


@attack("markup", conv_out_size=0)
def markup_everywhere():
    """Scripts in its text, its raw cells, its names, what it prints, returns and raises, its links and its diagrams: for whoever reads a page."""
    made = answering(repr(SCRIPT))
    made.insert("setup", f"print({SCRIPT!r})\nraise ValueError({SCRIPT!r})")
    made[
        "conv_out_size"
    ].source = (
        f"def conv_out_size(*given):\n    print({SCRIPT!r})\n    raise type('Script', (Exception,), {{}})({SCRIPT!r})"
    )
    made["trace_shapes"].source = f"def trace_shapes(*given):\n    return [{SCRIPT!r}, '`*' + {SCRIPT!r} + '*`']"
    made["quiz_field"].source = f"quiz_field = {SCRIPT!r}"
    made[WRITTEN].source = textwrap.dedent(f"""
        {SCRIPT}

        [a](javascript:alert('LOOT')) [b](&#106;avascript:alert('LOOT')) [c]( <javascript:alert('LOOT')> ) <javascript:alert('LOOT')>
        [d]: javascript:alert('LOOT') "x"

        [d] ![e](../../../gradebook.db) ![f](x" onerror="alert('LOOT'))

        ```mermaid
        </pre>{SCRIPT}
        ```

        <iframe srcdoc="{SCRIPT}"></iframe> <meta http-equiv="refresh" content="0;url=//x"> <svg/onload=alert('LOOT')>

        $x</span>{SCRIPT}$ $\\href{{javascript:alert('LOOT')}}{{x}}$""").strip()
    for kind in ("raw", "markdown"):
        made.nb.cells.append(
            nbformat.from_dict(
                {
                    "cell_type": kind,
                    "id": kind,
                    "source": SCRIPT,
                    "metadata": {"raw_mimetype": "text/html", "format": "text/html"},
                }
            )
        )
    return made


# --- files --------------------------------------------------------------------------------------------------


@attack("files", refused="it is not JSON, or broken off")
def broken_json():
    """A notebook whose second half is missing."""
    return nbformat.writes(full().nb)[:5000]


@attack("files", refused="This file is empty")
def empty_file():
    """A file of nothing but spaces."""
    return " \n" * 1000


@attack("files", refused="it is not JSON")
def binary_file():
    """Random bytes."""
    return bytes(range(256)) * 1000


@attack("files", refused="it has no cells")
def another_format():
    """JSON that is no notebook: a list, in the place of which a notebook's keys would be looked for."""
    return json.dumps({"cells": {"source": full().nb.cells}, "nbformat": 4})


@attack("files", refused="it is not JSON")
def deep_json():
    """A hundred thousand nested lists."""
    return '{"cells": ' + "[" * 100_000 + "]" * 100_000 + "}"


@attack("files", refused="holds too much beside its outputs")
def memory_in_json():
    """Thirty million empty dicts: 90 MB as a file, 3 GB when they are read."""
    return b'{"cells": [' + b"{}," * 30_000_000 + b"{}]}"


@attack("files", **ALL)
def output_of_100_megabytes():
    """Everything right, with outputs of 100 MB saved in the file."""
    made = full()
    made["conv_out_size"].outputs = [nbformat.v4.new_output("stream", name="stdout", text="0, 1, " * 17_500_000)]
    return made


@attack("files", **ALL)
def odd_numbers_in_file():
    """Everything right, in a file with NaN and Infinity, keys given twice, another format number, a byte-order mark, cells that are no dicts."""
    text = nbformat.writes(full().nb).rstrip().removesuffix("}")
    text = text.replace(
        '"cells": [',
        '"cells": [7, null, [], "text", {"source": {"a": NaN}}, {"cell_type": [1], "metadata": -Infinity, "source": [[1], "x"]},',
        1,
    )
    return (
        b"\xef\xbb\xbf"
        + (text + ', "nbformat": 99, "nbformat_minor": "x", "metadata": NaN, "metadata": {"kernelspec": 5}}').encode()
    )


@attack("files")
def lone_surrogates():
    """Surrogates without partners in the text of cells, in names, in what is printed, returned and raised."""
    made = answering("'\\ud800' * 9")
    made.insert("setup", "print('\\ud83d \\udfff')\nraise ValueError('\\ud800')")
    made[
        "conv_out_size"
    ].source = "def conv_out_size(*given):\n    print('\\udc80')\n    raise ValueError('\\x00 \\x1b[31m \\ud800')"
    made.insert("setup", "'LONE'")
    return nbformat.writes(made.nb).replace("LONE", "\\ud800 \\u0000 \\u202e")


@attack("files", refused="This is the notebook of 00_start_here")
def another_lesson():
    """The first lesson's solved notebook under this lesson's name."""
    return Submission(answers("00_start_here"), "00_start_here")
