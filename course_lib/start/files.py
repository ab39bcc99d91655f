"""Writing a file whole or not at all. Every room may use it: it needs the standard library alone."""

import os

MOST_WRITTEN = 300  # characters of a name


def written(name):
    """A name as a terminal, a page and a file take it, whatever is in it: escapes and controls stand there as text."""
    if len(name) > MOST_WRITTEN:
        name = f"{name[: MOST_WRITTEN // 2]} … {name[-MOST_WRITTEN // 2 :]}"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def write_whole(path, content):
    """Write beside the file, then rename over it: whoever stops us, a whole file is there, the old one or the new.

    path     a Path; its folders are made
    content  bytes, a text (written as UTF-8, "?" for what that has no place for), or a function that writes into the
             open file that it is given
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with open(part, "wb") as file:
        if callable(content):
            content(file)
        else:
            file.write(content.encode(errors="replace") if isinstance(content, str) else content)
    os.replace(part, path)
