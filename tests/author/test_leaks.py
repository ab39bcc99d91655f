"""Nothing of a solution is in what a student receives: this checkout's lessons and package, a release, its wheel."""

import functools
import io
import json
import re
import tokenize
import types
import zipfile

import nbformat
import pytest

from course_lib.author import build
from tests.support.course import LESSONS, ROOT, notebook

WINDOW, NAMES = (
    14,
    6,
)  # so many tokens in a row, so many of them names, in a solution and in something shipped: no coincidence


def solutions(lesson):
    """{grade id: text that students must not get} of a lesson: code between the markers, model answers."""
    found = {}
    for cell in notebook("solutions", lesson).cells:
        meta = cell.metadata.get("nbgrader", {})
        if meta.get("solution"):
            parts = re.findall(r"BEGIN SOLUTION\n([\s\S]*?)\s*### END SOLUTION", cell.source) or [cell.source]
            found[meta["grade_id"]] = "\n".join(parts)
    return found


def checkout():
    """The lessons and the package of this checkout, which students who clone it import."""
    files = [ROOT / "lessons" / n / f"{n}.ipynb" for n in LESSONS]
    files += [p for p in (ROOT / "course_lib").rglob("*") if p.suffix in (".py", ".json", ".csv", ".txt", ".md")]
    return {p.relative_to(ROOT).as_posix(): p.read_bytes() for p in files}


def wheel(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


class Shipped:
    """{name: text} of every text file that students receive, and what the tests below compare solutions with."""

    def __init__(self, files):
        self.texts = {}
        for name, content in files.items():
            try:
                self.texts[name] = content.decode("utf-8")
            except UnicodeDecodeError:  # a picture, weights
                assert name.endswith((".webp", ".npz")), name
        self.streams = {name: " ".join(tokens(code)) for name, code in self.codes()}
        self.squeezed = {name: re.sub(r"\s|\\n|\\\"", "", text) for name, text in self.texts.items()}

    def codes(self):
        """The code of each module and notebook."""
        for name, text in self.texts.items():
            if name.endswith(".py"):
                yield name, text
            elif name.endswith(".ipynb"):
                yield (
                    name,
                    "\n".join("".join(c["source"]) for c in json.loads(text)["cells"] if c["cell_type"] == "code"),
                )

    @functools.cached_property
    def functions(self):
        found = {}
        for name, text in self.texts.items():
            if name.endswith(".py"):
                for code in codes(compile(text, name, "exec")):
                    found[shape(code)] = f"{name}: {code.co_name}"
        return found


@pytest.fixture(scope="module", params=["checkout", "release", "wheel"])
def shipped(request, released):
    if request.param == "checkout":
        return Shipped(checkout())
    if request.param == "wheel":
        return Shipped(wheel(released.wheel))
    return Shipped({name: (released.tree / name).read_bytes() for name in released.names})


def tokens(code):
    """The tokens of code, without layout, comments and strings; an empty list where it is no Python."""
    skip = (
        tokenize.NEWLINE,
        tokenize.NL,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.COMMENT,
        tokenize.STRING,
        tokenize.ENDMARKER,
    )
    try:
        return [t.string for t in tokenize.generate_tokens(io.StringIO(code).readline) if t.type not in skip]
    except (tokenize.TokenError, IndentationError):
        return []


def dedented(code):
    import textwrap

    return textwrap.dedent(code)


@pytest.mark.parametrize("lesson", LESSONS)
def test_no_run_of_a_solutions_tokens_is_shipped(lesson, shipped):
    for name, code in solutions(lesson).items():
        stream = [t for part in [dedented(code)] for t in tokens(part)]
        for i in range(len(stream) - WINDOW + 1):
            run = " ".join(stream[i : i + WINDOW])
            if sum(t.isidentifier() for t in stream[i : i + WINDOW]) < NAMES:
                continue
            assert not [f for f, text in shipped.streams.items() if run in text], f"{name}: {run}"


@pytest.mark.parametrize("lesson", LESSONS)
def test_no_line_of_a_solution_is_shipped_not_even_in_a_string_or_a_text(lesson, shipped):
    for name, code in solutions(lesson).items():
        for line in code.splitlines():
            squeezed = re.sub(r"\s", "", line)
            if len(squeezed) >= 28 and not re.fullmatch(
                r"(for|if|else|elif|return|import|from|def|class)\b.{0,24}", line.strip()
            ):
                assert not [f for f, text in shipped.squeezed.items() if squeezed in text], f"{name}: {line}"


def test_the_test_above_would_find_a_leak():
    code = solutions("02_encoder_decoder")["transposed_conv"]
    run = " ".join(tokens(dedented(code))[5 : 5 + WINDOW])
    assert run in " ".join(tokens("def f():\n    pass\n" + dedented(code)))


def codes(code):
    yield code
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from codes(const)


def shape(code):
    return code.co_code, code.co_names, len(code.co_varnames)


@pytest.mark.parametrize("lesson", LESSONS)
def test_no_function_of_the_package_compiles_to_a_solution(lesson, shipped):
    for cell in notebook("solutions", lesson).cells:
        if cell.metadata.get("nbgrader", {}).get("solution") and cell.cell_type == "code":
            for code in codes(compile(cell.source, "solution", "exec")):
                if len(code.co_code) > 40:
                    assert shape(code) not in shipped.functions, (
                        f"{code.co_name} is {shipped.functions.get(shape(code))}"
                    )


@pytest.mark.parametrize("lesson", LESSONS)
def test_notebooks_hold_no_markers_seeds_outputs_or_foreign_metadata(lesson, released):
    source, students = notebook("solutions", lesson), notebook("lessons", lesson)
    launched = nbformat.read(released.tree / "lessons" / lesson / f"{lesson}.ipynb", as_version=4)
    seeds = {s for c in source.cells for s in re.findall(r"seed=(\d+)", c.source)}
    assert seeds and all(2**59 <= int(seed) < 2**60 for seed in seeds)  # no one's guess
    for cell in students.cells + launched.cells:
        assert not re.search(r"BEGIN|END SOLUTION|HIDDEN|seed=", cell.source)
        assert not any(seed in cell.source for seed in seeds)
        assert not cell.get("outputs") and cell.get("execution_count") is None and not cell.get("attachments")
        folding = set(build.FOLDED) if cell.source.startswith("# @title ") else set()
        assert set(cell.metadata) <= {"nbgrader", "tags", "deletable", "editable", "quiz", "letters"} | folding
        assert set(cell.metadata.get("nbgrader", {})) <= {
            "cell_type",
            "checksum",
            "grade",
            "grade_id",
            "locked",
            "points",
            "schema_version",
            "solution",
            "task",
        }


@pytest.mark.parametrize("lesson", LESSONS)
def test_no_hidden_seed_is_shipped(lesson, shipped):
    seeds = {s for c in notebook("solutions", lesson).cells for s in re.findall(r"seed=(\d+)", c.source)}
    # cells' ids and checksums and a wheel's record hold hashes and sizes of what is shipped: digits in them are chance
    chance = r'"(?:id|checksum)": "[^"]*"|,sha256=\S+'
    texts = {name: re.sub(chance, "", text) for name, text in shipped.texts.items()}
    assert not [(seed, name) for seed in seeds for name, text in texts.items() if seed in text]


@pytest.mark.parametrize("lesson", LESSONS)
def test_stubs_are_stubs(lesson):
    for cell in notebook("lessons", lesson).cells:
        meta = cell.metadata.get("nbgrader", {})
        if meta.get("solution") and cell.cell_type == "markdown":
            assert cell.source == "*Write your answer here.*"
        elif meta.get("solution") and "quiz" in cell.metadata:
            assert '= "?"' in cell.source
        elif meta.get("solution"):
            assert "# YOUR CODE HERE\n" in cell.source and "raise NotImplementedError" in cell.source


def test_only_notebooks_lie_in_lessons():
    assert {
        str(p.relative_to(ROOT / "lessons"))
        for p in (ROOT / "lessons").rglob("*")
        if p.is_file() and ".ipynb_checkpoints" not in p.parts
    } == {f"{n}/{n}.ipynb" for n in LESSONS}


def test_students_modules_need_no_instructors_packages():
    import subprocess
    import sys

    from tests.support.course import process_env

    code = (
        "import sys\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in {'nbgrader', 'jupytext', 'dask', 'distributed', 'nbconvert', 'nbformat',\n"
        "                                  'pytest', 'torchmetrics', 'segmentation_models_pytorch'}:\n"
        "            raise ImportError('blocked: ' + name)\n"
        "sys.meta_path.insert(0, Block())\n"
        "import course_lib\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules, 'import course_lib is not cheap'\n"
        "from course_lib import data, losses, metrics, models, plot, train, widgets\n"
        + "".join(f"import course_lib.checks.lesson_{n[:2]}\n" for n in LESSONS)
        + "rooms = {name.split('.')[1] for name in sys.modules if name.startswith('course_lib.')}\n"
        + "assert not {'crossing', 'grading', 'author'} & rooms, rooms\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=process_env(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_answers_of_quizzes_and_model_answers_are_not_in_the_clear(shipped):
    for lesson in LESSONS:
        written = [text for text in solutions(lesson).values() if len(text) > 200 and ". " in text]
        quizzes = [text for name, text in solutions(lesson).items() if name.startswith("quiz_")]
        assert written and len(quizzes) == 3
        for text in quizzes + [s for t in written for s in t.split(". ") if len(s) > 30]:
            assert not [name for name, shipped_text in shipped.texts.items() if text in shipped_text], text
