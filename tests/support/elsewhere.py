"""Environments like those that lessons are launched in: some packages of this one, nothing of this checkout."""

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.processes import PATIENCE
from tests.support.system_packages import needs_packages

KERNEL = "elsewhere"


class Elsewhere:
    """A fresh Python at folder/venv that finds `packages` of this environment, and what they need, in folder/packages.

    They lie outside of the new environment, so that pip can't remove them, as in an image that others made.
    """

    def __init__(self, folder, packages):
        self.packages, self.home = folder / "packages", folder / "content"
        self.python = folder / "venv" / "bin" / "python"
        self.packages.mkdir(parents=True)
        self.home.mkdir()
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
        site = next((folder / "venv" / "lib").glob("python*/site-packages"))
        (site / "packages.pth").write_text(f"{self.packages}\n")
        for name in closure(packages):
            package = importlib.metadata.distribution(name)
            for top in {file.parts[0] for file in package.files} - {"..", "__pycache__", "bin"}:
                if not (self.packages / top).exists():
                    (self.packages / top).symlink_to(package.locate_file(top))
        self.jupyter = folder
        self.limit(None)

    def limit(self, data):
        """Let a notebook's kernel hold so many bytes of data (None: as many as there are)."""
        command = [str(self.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        if data:
            command = ["bash", "-c", f'ulimit -d {data // 1024}; exec "$@"', "limited", *command]
        spec = self.jupyter / "kernels" / KERNEL / "kernel.json"
        spec.parent.mkdir(parents=True, exist_ok=True)
        spec.write_text(json.dumps({"argv": command, "display_name": KERNEL, "language": "python"}))

    def environment(self, **more):
        """The variables of a process there: nothing leads back to this checkout."""
        kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "JPY_SESSION_NAME")}
        return {**kept, **needs_packages(), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(self.home), **more}

    def __call__(self, *arguments, **settings):
        done = subprocess.run(
            [str(self.python), *arguments],
            cwd=self.home,
            env=self.environment(),
            capture_output=True,
            text=True,
            **settings,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def frozen(self):
        """{name: version} of every package there."""
        listed = json.loads(self("-m", "pip", "list", "--format=json", "--disable-pip-version-check"))
        return {canonicalize_name(one["name"]): one["version"] for one in listed}

    def run(self, notebook, monkeypatch, **variables):
        """Run a notebook (a path or a node) in the folder content/ there; its cells with their outputs."""
        notebook = nbformat.read(notebook, as_version=4) if isinstance(notebook, Path) else notebook
        for name in set(os.environ) - set(self.environment()):
            monkeypatch.delenv(name)
        for name, value in {**self.environment(**variables), "JUPYTER_PATH": str(self.jupyter)}.items():
            monkeypatch.setenv(name, value)
        client = NotebookClient(
            notebook, timeout=PATIENCE, kernel_name=KERNEL, resources={"metadata": {"path": str(self.home)}}
        )
        client.execute()
        return notebook.cells


def closure(names):
    """Names of these packages and of all that they need here, what they ask of each other's extras included."""
    found, waiting = set(), [(canonicalize_name(name), "") for name in names]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in found:
            continue
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        found.add((name, extra))
        for need in map(Requirement, needs):
            if need.marker is None or need.marker.evaluate({"extra": extra}):
                waiting += [(canonicalize_name(need.name), each) for each in ("", *need.extras)]
    return sorted({name for name, _ in found})


def texts(cell, kind="stdout"):
    """What a cell printed, joined."""
    return "".join(o["text"] for o in cell.get("outputs", []) if o.get("name") == kind)
