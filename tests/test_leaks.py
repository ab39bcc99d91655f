"""Nothing of a solution is in what a student receives: the lessons and everything in the package."""

import io
import re
import tokenize
import types

import pytest

from .conftest import LESSONS, ROOT, notebook

WINDOW, NAMES = 14, 6  # so many tokens in a row, so many of them names, in a solution and in something shipped: no coincidence


def solutions(lesson):
    """{grade id: text that students must not get} of a lesson: code between the markers, model answers."""
    found = {}
    for cell in notebook("solutions", lesson).cells:
        meta = cell.metadata.get("nbgrader", {})
        if meta.get("solution"):
            parts = re.findall(r"BEGIN SOLUTION\n([\s\S]*?)\s*### END SOLUTION", cell.source) or [cell.source]
            found[meta["grade_id"]] = "\n".join(parts)
    return found


def shipped():
    """{name: text} of every text file that students receive."""
    files = [ROOT / "lessons" / n / f"{n}.ipynb" for n in LESSONS]
    files += [p for p in (ROOT / "course_lib").rglob("*") if p.suffix in (".py", ".json", ".csv", ".txt", ".md")]
    return {str(p.relative_to(ROOT)): p.read_text(encoding="utf-8") for p in files}


def tokens(code):
    """The tokens of code, without layout, comments and strings; an empty list where it is no Python."""
    skip = (tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT, tokenize.STRING, tokenize.ENDMARKER)
    try:
        return [t.string for t in tokenize.generate_tokens(io.StringIO(code).readline) if t.type not in skip]
    except (tokenize.TokenError, IndentationError):
        return []


def dedented(code):
    import textwrap

    return textwrap.dedent(code)


SHIPPED = shipped()
STREAMS = {name: " ".join(tokens(text)) for name, text in SHIPPED.items() if name.endswith(".py")}
for _lesson in LESSONS:
    STREAMS[f"lessons/{_lesson}"] = " ".join(
        t for c in notebook("lessons", _lesson).cells if c.cell_type == "code" for t in tokens(c.source))
SQUEEZED = {name: re.sub(r"\s|\\n|\\\"", "", text) for name, text in SHIPPED.items()}


@pytest.mark.parametrize("lesson", LESSONS)
def test_no_run_of_a_solutions_tokens_is_shipped(lesson):
    for name, code in solutions(lesson).items():
        stream = [t for part in [dedented(code)] for t in tokens(part)]
        for i in range(len(stream) - WINDOW + 1):
            run = " ".join(stream[i : i + WINDOW])
            if sum(t.isidentifier() for t in stream[i : i + WINDOW]) < NAMES:
                continue
            assert not [f for f, text in STREAMS.items() if run in text], f"{name}: {run}"


@pytest.mark.parametrize("lesson", LESSONS)
def test_no_line_of_a_solution_is_shipped_not_even_in_a_string_or_a_text(lesson):
    for name, code in solutions(lesson).items():
        for line in code.splitlines():
            squeezed = re.sub(r"\s", "", line)
            if len(squeezed) >= 28 and not re.fullmatch(r"(for|if|else|elif|return|import|from|def|class)\b.{0,24}", line.strip()):
                assert not [f for f, text in SQUEEZED.items() if squeezed in text], f"{name}: {line}"


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
def test_no_function_of_the_package_compiles_to_a_solution(lesson):
    ours = {}
    for name, text in SHIPPED.items():
        if name.endswith(".py"):
            for code in codes(compile(text, name, "exec")):
                ours[shape(code)] = f"{name}: {code.co_name}"
    for cell in notebook("solutions", lesson).cells:
        if cell.metadata.get("nbgrader", {}).get("solution") and cell.cell_type == "code":
            for code in codes(compile(cell.source, "solution", "exec")):
                if len(code.co_code) > 40:
                    assert shape(code) not in ours, f"{code.co_name} is {ours.get(shape(code))}"


@pytest.mark.parametrize("lesson", LESSONS)
def test_notebooks_hold_no_markers_seeds_outputs_or_foreign_metadata(lesson):
    source, released = notebook("solutions", lesson), notebook("lessons", lesson)
    seeds = {s for c in source.cells for s in re.findall(r"seed=(\d+)", c.source)}
    assert seeds
    for cell in released.cells:
        assert not re.search(r"BEGIN|END SOLUTION|HIDDEN|seed=", cell.source)
        assert not any(seed in cell.source for seed in seeds)
        assert not cell.get("outputs") and cell.get("execution_count") is None and not cell.get("attachments")
        assert set(cell.metadata) <= {"nbgrader", "tags", "deletable", "editable", "quiz", "letters"}
        assert set(cell.metadata.get("nbgrader", {})) <= {
            "cell_type", "checksum", "grade", "grade_id", "locked", "points", "schema_version", "solution", "task"}
    assert not any(seed in text for seed in seeds for text in SHIPPED.values())


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
    assert {str(p.relative_to(ROOT / "lessons")) for p in (ROOT / "lessons").rglob("*") if p.is_file() and ".ipynb_checkpoints" not in p.parts} == {
        f"{n}/{n}.ipynb" for n in LESSONS}


def test_students_modules_need_no_instructors_packages():
    import subprocess
    import sys

    from .conftest import environment

    code = (
        "import sys\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in {'nbgrader', 'jupytext', 'dask', 'distributed', 'nbconvert', 'nbformat', 'pytest',\n"
        "                                  'torchmetrics', 'segmentation_models_pytorch'}:\n"
        "            raise ImportError('blocked: ' + name)\n"
        "sys.meta_path.insert(0, Block())\n"
        "import course_lib\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules, 'import course_lib is not cheap'\n"
        "from course_lib import data, losses, metrics, models, plot, train, widgets\n"
        + "".join(f"import course_lib.checks.lesson_{n[:2]}\n" for n in LESSONS)
        + "assert not {'course_lib.grading', 'course_lib.build'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_answers_of_quizzes_and_model_answers_are_not_in_the_clear():
    for lesson in LESSONS:
        written = [text for text in solutions(lesson).values() if len(text) > 200 and ". " in text]
        quizzes = [text for name, text in solutions(lesson).items() if name.startswith("quiz_")]
        assert written and len(quizzes) == 3
        for text in quizzes + [s for t in written for s in t.split(". ") if len(s) > 30]:
            assert not [name for name, shipped_text in SHIPPED.items() if text in shipped_text], text
