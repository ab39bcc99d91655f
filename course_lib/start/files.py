"""Writing a file whole or not at all. Every room may use it: it needs the standard library alone."""

import os


def write_whole(path, content):
    """Write beside the file, then rename over it: whoever stops us, a whole file is there, the old one or the new.

    path     a Path; its folders are made
    content  bytes, a text (written as UTF-8), or a function that writes into the open file that it is given
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with open(part, "wb") as file:
        if callable(content):
            content(file)
        else:
            file.write(content.encode() if isinstance(content, str) else content)
    os.replace(part, path)
