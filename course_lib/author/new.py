"""`python3 -m course_lib new 08_training "Training that works"`: the skeleton of a lesson, to be written over.

It builds and passes its tests as it stands, with an exercise of each kind. It is made of templates/, in these files:

    solutions/NN_name.py            the lesson's source, marked as a draft
    course_lib/checks/lesson_NN/    its checks, a file an exercise
    tests/bank/NN_name.py           answers to its exercises, right and wrong
    README.md, pyproject.toml       a row in the table of lessons; the name of the checks' package
"""

import argparse
import importlib
import re
import secrets
import sys
from pathlib import Path
from string import Template

from course_lib.start.environment import ROOT
from course_lib.start.errors import Stop

from . import build

TEMPLATES = Path(__file__).with_name("templates")
FILES = {
    "solutions/{name}.py": "lesson",
    "course_lib/checks/lesson_{number}/__init__.py": "lesson_checks",
    "course_lib/checks/lesson_{number}/stretch.py": "stretch_check",
    "course_lib/checks/lesson_{number}/small_net.py": "small_net_check",
    "tests/bank/{name}.py": "bank",
}
SEEDS = ("stretch_seed", "small_net_seed")


def new(name, title, root=ROOT):
    """Write a lesson's skeleton into the course at `root`; the files written, relative to it. Raises Stop.

    name   NN_name, small letters, digits and _; the number is free
    title  what readers see: one line
    """
    if not re.fullmatch(r"\d\d_[a-z0-9_]+", name):
        raise Stop(f"{name} is no name of a lesson: write two digits, _ and small letters, such as 08_training.")
    if not title.strip() or re.search(r"[\n|\]]", title):
        raise Stop("A lesson's title is one line without | and ].")
    number = name[:2]
    files = {template: root / path.format(name=name, number=number) for path, template in FILES.items()}
    taken = [*(root / "solutions").glob(f"{number}_*.py"), *(path for path in files.values() if path.exists())]
    if taken:
        raise Stop(f"There is a lesson {number} already ({taken[0].relative_to(root)}): take another number.")
    words = {"name": name, "number": number, "title": title.strip()}
    words |= {seed: str(secrets.randbits(60) | 1 << 59) for seed in SEEDS}
    texts = {path: Template(_read(TEMPLATES / f"{kind}.tmpl")).substitute(words) for kind, path in files.items()}
    readme, project = root / "README.md", root / "pyproject.toml"
    row = f"| [{number} {words['title']}](lessons/{name}/{name}.ipynb) | 90 min | … |"
    texts[readme] = with_row(_read(readme), name, row)
    texts[project] = with_package(_read(project), f"course_lib.checks.lesson_{number}")
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return [path.relative_to(root) for path in texts]


def with_row(readme, name, row):
    """README with a row in its table of lessons, behind those of lower numbers."""
    before = [found for found in build.ROW.finditer(readme) if found[1] < name]
    if not before:
        raise Stop("README.md has no table of lessons to write a row in.")
    end = readme.index("\n", before[-1].start()) + 1
    return readme[:end] + row + "\n" + readme[end:]


def with_package(project, package):
    """pyproject.toml with a package in its list of packages, which is sorted."""
    found = re.search(r"(?m)^packages = \[\n((?: .*\n)*)\]", project)
    if found is None:
        raise Stop("pyproject.toml has no list `packages = [` with a name a line.")
    lines = sorted({*found[1].splitlines(), f'    "{package}",'})
    return project[: found.start(1)] + "\n".join(lines) + "\n" + project[found.end(1) :]


def _read(path):
    return path.read_text(encoding="utf-8")


# --- the command --------------------------------------------------------------------------------------------


def main(arguments=None):
    """The command line: write the skeleton and build it; 0 when all is well, 1 with one line per fault."""
    parser = argparse.ArgumentParser(prog="course_lib new", description="Write the skeleton of a lesson, and build it.")
    parser.add_argument("name", metavar="NN_name", help="its number and short name, such as 08_training")
    parser.add_argument("title", help='what readers see, such as "Training that works"')
    options = parser.parse_args(arguments)
    for path in new(options.name, options.title):
        print(f"wrote {path}")
    importlib.invalidate_caches()
    try:
        for path in build.build(only=[options.name]):
            print(f"built {path}")
    except build.BuildError as error:
        print(error, file=sys.stderr)
        return 1
    print(
        f"Now write solutions/{options.name}.py and its row in README: CONTRIBUTING.md says how a lesson is finished."
    )
    print(f"Its tests: python3 -m course_lib test {options.name[:2]}")
    return 0
