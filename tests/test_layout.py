"""Every line has one room, and imports run downwards: read from the code, imports inside functions too."""

import ast
import graphlib
import sys
import tomllib

import pytest

from course_lib.author import release
from course_lib.crossing import sandbox
from tests.support.course import LESSONS, ROOT, notebook

# The rooms from the ground up. A room imports from floors below its own, and from no other room on its floor.
FLOORS = (
    ("start",),  # runs before anything is installed: the standard library alone
    ("labels", "names", "notebook"),
    ("data", "metrics", "models"),
    ("losses",),
    ("plot",),
    ("train",),
    ("checks", "widgets"),
    ("crossing",),
    ("grading",),
    ("author",),
    ("__main__",),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
INSTRUCTORS = {"crossing", "grading", "author"}


def module_name(path):
    """A file's name as an import has it: course_lib.plot for course_lib/plot/__init__.py."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted((ROOT / "course_lib").rglob("*.py"))}


def imports(code, package=()):
    """[(line, module)] of what code imports, wherever in it; `package` is what its dots are counted from."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            names = [f"{base}.{alias.name}" for alias in node.names]
            found += [(node.lineno, name if name in FILES else base) for name in names]
    return found


def of_file(name):
    """[(line, module)] of what a module of the course imports."""
    parts = tuple(name.split("."))
    package = parts if FILES[name].name == "__init__.py" else parts[:-1]
    return imports(FILES[name].read_text("utf-8"), package)


def room(name):
    """plot for course_lib.plot.masks; None for course_lib itself and for what is not the course's."""
    parts = name.split(".")
    return parts[1] if parts[0] == "course_lib" and len(parts) > 1 else None


IMPORTS = {name: of_file(name) for name in FILES}


def test_every_room_has_its_floor():
    assert {room(name) for name in FILES} - {None} == set(FLOOR)


def test_imports_run_downwards():
    wrong = []
    for name, found in IMPORTS.items():
        for line, other in found:
            here, there = room(name), room(other)
            if there and there != here and (here is None or FLOOR[there] >= FLOOR[here]):
                wrong.append(f"{FILES[name].relative_to(ROOT)}:{line}: {here} stands below {there}, or beside it")
    assert not wrong, "\n".join(wrong)


def test_no_circle():
    graph = {name: {other for _, other in found if other in FILES and other != name} for name, found in IMPORTS.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail("a circle: " + " imports ".join(reversed(error.args[1])))


def test_start_needs_the_standard_library_alone():
    known = sys.stdlib_module_names | {"course_lib"}
    wrong = [
        f"{FILES[name].relative_to(ROOT)}:{line}: {other}"
        for name, found in IMPORTS.items()
        if room(name) in ("start", "__main__")
        for line, other in found
        if other.partition(".")[0] not in known
    ]
    assert not wrong, "\n".join(wrong)


def test_a_release_holds_what_lessons_and_the_students_commands_import_and_nothing_else():
    code = [cell.source for n in LESSONS for cell in notebook("lessons", n).cells if cell.cell_type == "code"]
    waiting = [room(other) for text in code for _, other in imports(text)] + ["__main__"]
    needed = set()
    while waiting:
        here = waiting.pop()
        if here and here not in needed:
            needed.add(here)
            waiting += [room(other) for name, found in IMPORTS.items() if room(name) == here for _, other in found]
    shipped = {name.removesuffix(".py") for name in release.FILES} | set(release.ROOMS)
    assert shipped == needed | {"__init__"} and not shipped & INSTRUCTORS


def test_the_side_of_the_answer_needs_no_room_that_the_sandbox_hides():
    waiting, reached = ["course_lib.crossing.fork_server"], set()
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += [other for _, other in IMPORTS[name] if other in FILES]
    assert "course_lib.crossing.answer" in reached
    assert not {room(name) for name in reached} & set(sandbox.HIDDEN)


def test_every_folder_with_code_is_packaged():
    with open(ROOT / "pyproject.toml", "rb") as file:
        packages = tomllib.load(file)["tool"]["setuptools"]["packages"]
    assert packages == sorted(name for name, path in FILES.items() if path.name == "__init__.py")


def test_an_import_is_found_wherever_it_stands():
    code = "def f():\n    from . import canvas\n    from ..models import unet\n"
    code += "    from course_lib.plot import masks, grid\n"
    found = imports(code, ("course_lib", "plot"))
    assert found == [
        (2, "course_lib.plot.canvas"),
        (3, "course_lib.models.unet"),
        (4, "course_lib.plot.masks"),
        (4, "course_lib.plot"),
    ]
