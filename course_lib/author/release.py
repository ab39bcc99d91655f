"""`python3 -m course_lib release DIR --repository owner/name --tag v1`: the tree that students get, without an answer.

What is written follows from this checkout and the two options alone, byte for byte:

    lessons/          built for that repository and tag: links, and the address that Colab installs the course from
    course_lib/       the rooms that notebooks and the student's commands use, and their data
    binder/           what Binder and a class's hub build their image from
    requirements.txt  the pins of what a student needs; nothing of nbgrader, builder and tests
    README.md         without the parts for instructors and authors; pyproject.toml, licences, pictures likewise
"""

import argparse
import importlib.metadata
import json
import os
import re
import shutil
import tempfile
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from course_lib.grading import frame
from course_lib.start.environment import CPU_INDEX, ROOT
from course_lib.start.errors import Stop

from . import build

COPIED = ("LICENSE", "LICENSE-TEXT", ".gitattributes", "docs/course.webp", "binder/*")
# Of the package: what notebooks import, and what a student's commands run. Nothing of crossing, grading and author.
FILES = (
    "__init__.py",
    "__main__.py",
    "labels.py",
    "losses.py",
    "metrics.py",
    "names.py",
    "notebook.py",
    "train.py",
    "widgets.py",
)
ROOMS = ("checks", "data", "models", "plot", "start")
DATA = ("data/menagerie/**/*", "models/checkpoints/*.npz")
PROGRAMS = ("binder/postBuild", "binder/start")
IGNORED = ("/.venv/", "/.setup.lock", "/work", "__pycache__/", ".ipynb_checkpoints/")
REPOSITORY, TAG = r"[\w.-]+/[\w.-]+", r"[\w][\w./-]*"


def release(folder, repository="", tag="main", root=ROOT):
    """Write the students' tree of the course at `root` into `folder`; the names of its files, sorted. Raises Stop.

    repository  "owner/name" of the public GitHub repository that the tree will be pushed to; "" for no links.
    tag         its tag or branch.
    folder      new, empty, a git checkout or an earlier release: of those two everything but .git is replaced.
    """
    root, folder = Path(root), Path(folder)
    if repository and not re.fullmatch(REPOSITORY, repository):
        raise Stop(f"--repository={repository} is no GitHub repository: write owner/name.")
    if not re.fullmatch(TAG, tag):
        raise Stop(f"--tag={tag} is no name of a tag: write something like v1.")
    if folder.exists() and not _replaceable(folder):
        raise Stop(f"{folder} holds something else: give a new folder, or one that a release or a git checkout is in.")
    if folder.resolve() == root.resolve() or folder.resolve() in root.resolve().parents:
        raise Stop(f"{folder} is or holds this course itself: give another folder.")
    with tempfile.TemporaryDirectory() as temporary:
        tree = Path(temporary, "tree")
        _write(tree, root, repository, tag)
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            if path.name != ".git":
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        shutil.copytree(tree, folder, dirs_exist_ok=True)
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and ".git" not in p.parts)
    for path in [folder, *folder.rglob("*")]:
        if ".git" not in path.relative_to(folder).parts:
            path.chmod(0o755 if path.is_dir() or path.relative_to(folder).as_posix() in PROGRAMS else 0o644)
    return names


def _replaceable(folder):
    """Is there nothing to lose here: an empty folder, a new checkout, an earlier release that nobody works in?"""
    if not folder.is_dir():
        return False
    names = {path.name for path in folder.iterdir()}
    if {"course_lib", "lessons", "pyproject.toml"} <= names:
        return not names & {"solutions", "work"}
    return names <= {".git", "README.md", "LICENSE", ".gitignore"} and (".git" in names or not names)


def _write(tree, root, repository, tag):
    """The tree is built from the sources; answers to it are graded by the notebooks here, so the two must agree."""
    if stale := build.drift(root):
        raise Stop(f"{stale[0]} is not what its source builds: run `python3 -m course_lib build`, and release again.")
    settings = {"repository": repository, "branch": tag}
    with tempfile.TemporaryDirectory() as folder:
        for name in build.build(root, folder, settings):
            if name.parts[0] != "solutions":
                _put(tree / name, (Path(folder) / name).read_bytes())
    for pattern in (*COPIED, *(f"course_lib/{each}" for each in DATA)):
        for path in root.glob(pattern):
            if path.is_file():
                _put(tree / path.relative_to(root), path.read_bytes())
    package = root / "course_lib"
    for name in modules(package):
        _put(tree / "course_lib" / name, (package / name).read_bytes())
    _text(tree / "README.md", readme((root / "README.md").read_text("utf-8"), settings))
    _text(tree / "pyproject.toml", project((root / "pyproject.toml").read_text("utf-8"), tree, settings))
    _text(tree / "requirements.txt", requirements(root))
    _text(tree / "binder" / "requirements.txt", requirements(root, binder=True))
    _text(tree / ".gitignore", "\n".join(IGNORED) + "\n")


def _put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _text(path, text):
    _put(path, text.encode("utf-8"))


# --- the package --------------------------------------------------------------------------------------------


def modules(package):
    """The Python files (paths relative to the package) that students get, sorted."""
    files = [package / name for name in FILES] + [path for room in ROOMS for path in (package / room).rglob("*.py")]
    return sorted(path.relative_to(package).as_posix() for path in files)


def project(text, tree, settings):
    """The student's pyproject.toml: the course's without the instructor's extra and the tests' settings."""
    parts = re.split(r"^(?=\[)", text, flags=re.MULTILINE)
    gone = ("[project.optional-dependencies]", "[tool.ruff", "[tool.pytest.", "[tool.course]")
    text = "".join(part for part in parts if not part.startswith(gone))
    text = re.sub(r"(?m)^# Where the course lives.*\n(#.*\n)*", "", text)
    text = re.sub(r'(?m)^"course_lib\.grading" = .*\n', "", text)
    folders = {p.parent.relative_to(tree).as_posix().replace("/", ".") for p in (tree / "course_lib").rglob("*.py")}
    text = re.sub(r"(?m)^packages = \[[^]]*\]", f"packages = {json.dumps(sorted(folders))}", text)
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    return text.rstrip() + "\n\n# where this release of the course lives\n[tool.course]\n" + "\n".join(lines) + "\n"


def requirements(root, binder=False):
    """The pins of a student's machine: what the package depends on, pip, JupyterLab, and what those bring anywhere.

    They are lines of requirements.txt; what a package brings, the packages installed here tell.

    binder  for an image that brings its own Jupyter
    """
    text = (root / "requirements.txt").read_text("utf-8")
    pinned = {
        canonicalize_name(found[1]): line for line in text.splitlines() if (found := re.match(r"([\w.-]+)==", line))
    }
    with open(root / "pyproject.toml", "rb") as file:
        wanted = [Requirement(line).name for line in tomllib.load(file)["project"]["dependencies"]]
    waiting = [name for name in wanted if name != "ipywidgets"] if binder else [*wanted, "pip", "jupyterlab"]
    kept = set()
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in pinned and name not in kept:
            kept.add(name)
            try:
                brings = importlib.metadata.requires(name) or []
            except importlib.metadata.PackageNotFoundError:  # another system's
                brings = []
            waiting += [r.name for r in map(Requirement, brings) if "extra" not in str(r.marker)]
    lines = [line for name, line in pinned.items() if name in kept]
    if not binder:
        return "# What the course runs on, in the versions that it is tested with.\n\n" + "\n".join(lines) + "\n"
    cpu = [re.sub(r"^(torch|torchvision)==([\w.]+)", r"\1==\2+cpu", line) for line in lines]
    head = "# What notebooks import, with PyTorch's CPU build; Jupyter is the image's own.\n\n"
    return head + "\n".join([f"--extra-index-url={CPU_INDEX}", *cpu]) + "\n"


# --- README -------------------------------------------------------------------------------------------------


def readme(text, settings):
    """The student's README: without what is marked for instructors, with a link or two beside each lesson."""
    text = build.FOR_INSTRUCTORS.sub("", text)

    def row(match):
        badges = frame.badges(match[2], settings)
        return match[1] + (f"<br>{badges}" if badges else "") + match[3]

    return re.sub(r"(?m)^(\| \[.*\]\(lessons/(\w+)/.*?\.ipynb\))( \|)", row, text)


# --- the command --------------------------------------------------------------------------------------------


def main(arguments=None):
    """The command line: 0 when all is well, 1 with one line per fault."""
    parser = argparse.ArgumentParser(prog="course_lib release", description="Write the tree that students get.")
    parser.add_argument(
        "folder", metavar="DIR", help="where to: a new folder, or the checkout of the students' repository"
    )
    parser.add_argument("--repository", default="", help="owner/name of the students' public repository on GitHub")
    parser.add_argument("--tag", default="main", help="its tag or branch that links open and Colab installs")
    options = parser.parse_args(arguments)
    folder = Path(os.path.expanduser(options.folder))
    try:
        names = release(folder, options.repository, options.tag)
    except build.BuildError as error:
        raise Stop(str(error)) from None
    size = sum((folder / name).stat().st_size for name in names)
    print(f"{len(names)} files, {size / 1e6:.1f} MB, in {folder}: what students get, without an answer.")
    for path in sorted((folder / "lessons").glob("*/*.ipynb")):
        if "draft" in json.loads(path.read_text("utf-8"))["cells"][0]["metadata"].get("tags", []):
            print(f"{path.stem} is marked as a draft, and students get it all the same.")
    if not options.repository:
        print("It has no links to Colab and Binder: give --repository owner/name, and --tag.")
    return 0
