"""Where a notebook runs, and what that means for its reader: Colab, Binder, a class's hub, or a machine of one's own.

notebook.welcome()                        what is special about this place; at home without a GPU: nothing
notebook.hand_in("02_encoder_decoder")    writes the file to hand in, and says what to do with it
notebook.progress(items, "a title")       the items one by one, under a progress bar
"""

import base64
import html
import json
import os
import re
import sys
import time
import warnings
from pathlib import Path

FOLDER = "hand_in"
STUB = re.compile(r'^raise NotImplementedError$|= "\?"  # your choice|^\*Write your answer here\.\*$', re.MULTILINE)
LINK = 3_000_000  # bytes of a file that a link in the page may hold


def place():
    """Where this runs: "colab", "binder" or "home" (which a class's hub is too, as it keeps files)."""
    if "google.colab" in sys.modules:
        return "colab"
    return "binder" if "BINDER_SERVICE_HOST" in os.environ or "BINDER_LAUNCH_HOST" in os.environ else "home"


def in_kernel():
    """Whether this runs in a Jupyter kernel (without importing IPython where nobody has)."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None) is not None


def running():
    """(the id of the cell that runs, its number in the order of running); (None, 0) where no notebook says so."""
    shell = sys.modules["IPython"].get_ipython() if in_kernel() else None
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    cell = (parent.get("metadata") or {}).get("cellId")
    return (cell, shell.execution_count) if cell else (None, 0)


def gpu():
    """The name and memory of the GPU that lessons move to, such as "Tesla T4, 15 GB"; "" where there is none."""
    import torch

    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()}, {torch.cuda.get_device_properties(0).total_memory / 1e9:.0f} GB"
    return "Apple's GPU" if torch.backends.mps.is_available() else ""


def welcome():
    """Print the GPU, and on a machine that forgets, how to keep one's work. At home without a GPU, print nothing."""
    here, found = place(), gpu()
    if found:
        print(f"GPU: {found}. Experiments run on it, and are the larger ones.")
    elif here == "colab":
        menu = "Runtime → Change runtime type → T4 GPU"
        print(f"No GPU: all works without. For one, choose {menu}, and run this cell again.")
    if here == "colab":
        print("Colab forgets this page: choose File → Save a copy in Drive now, and work in the copy.")
    elif here == "binder":
        print("Binder forgets everything after ten minutes without activity, and after six hours at most.")
        print("Before a break, save, run this notebook's last cell and download the file.")
        print("To go on, start Binder again and drag the file over the one in the file list.")


# --- progress bars ------------------------------------------------------------------------------------------


def progress(items, title=""):
    """A list's items one by one, under a progress bar: for a loop that takes more than two seconds."""
    return bar(len(items), title, items=items)


def bar(total, title="", first=0, items=None, **options):
    """tqdm's progress bar as the course shows it: a widget in a notebook, text in a terminal, nothing in a file.

    total, first  steps in all, and how many of them are done already
    title         what stands before the bar
    items         to be given one by one; None: the caller moves the bar
    options       further ones of tqdm, such as unit="B"
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tqdm's, where widgets are missing: it then writes text
        from tqdm.auto import tqdm
    # On stdout, since text on stderr looks like an error. Silent where stdout is a file or a pipe.
    shown = {"file": sys.stdout, "disable": False if in_kernel() else None, "dynamic_ncols": True}
    widget = hasattr(tqdm, "status_printer") and tqdm.__init__.__qualname__.startswith("tqdm_notebook")
    if not (widget and in_kernel()):
        return tqdm(items, total=total, initial=first, desc=title, **shown, **options)
    from IPython.display import display

    moving = tqdm(items, total=total, initial=first, desc=title, display=False, **shown, **options)
    handle, close = display(moving.container, display_id=True), moving.close

    def ended():
        """A line of text takes the widget's place: a saved page, which has no widgets, shows how it ended."""
        close()
        if moving.n >= (moving.total or 0):
            handle.update(Sheet([str(moving)]))

    moving.close = ended
    return moving


# --- handing in ---------------------------------------------------------------------------------------------


def hand_in(lesson):
    """Write hand_in/LESSON.ipynb, the notebook without its outputs; shows what is answered, and a link to the file."""
    try:
        notebook, state = _notebook(lesson)
    except (OSError, ValueError, KeyError, TypeError):
        notebook = None
    if not notebook:
        way = f"The file to hand in is this notebook, {lesson}.ipynb: save it and download it by the File menu."
        return Sheet([way])
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
        cell.get("metadata", {}).pop("outputId", None)
    content = json.dumps(notebook, ensure_ascii=False, indent=1).encode("utf-8")
    path = Path(FOLDER, f"{lesson}.ipynb")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    done, missing = answered(notebook)
    lines = [f"{path.as_posix()} is written, {state}. Answered: {len(done)} of {len(done) + len(missing)}."]
    if late := unsaved(missing):
        lines.append(f"Run, but not saved: {', '.join(late)}. Save (Ctrl + S), then run this cell again.")
        missing = [name for name in missing if name not in late]
    if missing:
        lines.append(f"Not yet: {', '.join(missing)}.")
    lines.append("Give your instructor this file. The same file is your work: with it you can go on anywhere.")
    return Sheet(lines, f"{lesson}.ipynb", content if len(content) <= LINK else None)


def _notebook(lesson):
    """(the notebook's JSON, a few words on how new it is); None for the first where it can't be found."""
    if place() == "colab":
        from google.colab import _message  # the page itself; Google documents no other way to it

        answer = _message.blocking_request("get_ipynb", request="", timeout_sec=60)
        return (answer["ipynb"] if answer else None), "with all that the page shows"
    # Jupyter's server says which file a kernel belongs to; without one (a test, a script) nothing is written
    path = Path(os.environ.get("JPY_SESSION_NAME", ""))
    if path.suffix != ".ipynb":
        return None, ""
    path = path if path.is_file() else Path(path.name)
    saved = time.strftime("%H:%M:%S", time.localtime(path.stat().st_mtime))
    state = f"as you saved it at {saved} (changed since? save, and run this cell again)"
    return json.loads(path.read_text("utf-8")), state


def answered(notebook):
    """(names that are answered, names that still hold the stub) of a notebook's exercises, quizzes and texts."""
    done, missing = [], []
    for cell in notebook["cells"]:
        mark = cell.get("metadata", {}).get("nbgrader") or {}
        if mark.get("solution"):
            text = "\n".join(line.strip() for line in "".join(cell["source"]).splitlines())
            stub = not text.strip() or STUB.search(text)
            if not stub and (letters := cell["metadata"].get("letters")) and choice(text) not in letters:
                missing.append(f"{mark['grade_id']} (choose {', '.join(letters[:-1])} or {letters[-1]})")
            else:
                (missing if stub else done).append(mark["grade_id"])
    return done, missing


def choice(text):
    """The letter that a quiz's cell chooses; "" where it chooses none."""
    found = re.search(r"""^quiz_\w+ *= *(["'])(.*?)\1""", text, re.MULTILINE)
    return found[2].strip().lower() if found else ""


def unsaved(missing):
    """Of the exercises that a saved notebook lacks, those that were written and run in this session."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    ran = [re.sub(r"^ +", "", text, flags=re.MULTILINE) for text in getattr(shell, "user_ns", {}).get("In", [])]
    answers = "\n".join(text for text in ran if not STUB.search(text))
    made = r"^((def|class) {0}\b|{0} *=)"
    return [name for name in missing if re.search(made.format(re.escape(name)), answers, re.MULTILINE)]


class Sheet:
    """A few lines, and a link that downloads a file: shown in a notebook, or as plain text."""

    def __init__(self, lines, name="", content=None):
        self.lines, self.name, self.content = lines, name, content

    def __repr__(self):
        return "\n".join(self.lines)

    def _repr_html_(self):
        lines = [html.escape(line) for line in self.lines]
        if self.content:
            data = "data:application/x-ipynb+json;base64," + base64.b64encode(self.content).decode("ascii")
            lines.append(f'<a download="{self.name}" href="{data}">Download {self.name}</a>')
        return "<br>".join(lines)
