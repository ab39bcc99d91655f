"""Tiny wheels, to install for real without a network."""

import zipfile


def wheel(folder, name, version, text=""):
    """A wheel that holds one module with this text."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": text,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inner, text in files.items():
            archive.writestr(inner, text)
    return path


def small_checkout(folder):
    """A small checkout of a course at folder/course whose requirements are tiny wheels in folder/wheels; its path."""
    root = folder / "course"
    for name, version in [
        ("torch", "1.0"),
        ("torchvision", "1.0"),
        ("tiny", "1.0"),
        ("tiny", "2.0"),
        ("tester", "1.0"),
    ]:
        wheel(folder / "wheels", name, version)
    (root / "course_lib").mkdir(parents=True)
    (root / "course_lib" / "__init__.py").touch()
    (root / "tests").mkdir()
    require(root, "torch==1.0", "torchvision==1.0", "tiny==1.0")
    (root / "tests" / "requirements.txt").write_text("tester==1.0\n")
    return root


def require(root, *lines):
    """Write what a small checkout requires."""
    local = f"--no-index\n--find-links {(root.parent / 'wheels').as_posix()}\n"
    (root / "requirements.txt").write_text(local + "\n".join(lines) + "\n")
