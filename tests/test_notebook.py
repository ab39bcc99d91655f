"""What a notebook says about where it runs, and the file to hand in, in each kind of place."""

import base64
import copy
import json
import re
import sys
import types

import pytest
import torch

from course_lib import notebook
from tests.support.course import ROOT

LESSON = "00_start_here"
COLAB = types.ModuleType("google.colab")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A machine of one's own: an empty folder, no Jupyter, no GPU."""
    monkeypatch.chdir(tmp_path)
    for name in ("JPY_SESSION_NAME", "BINDER_SERVICE_HOST", "BINDER_LAUNCH_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    return tmp_path


def page():
    """The released notebook, as a student's page holds it."""
    return json.loads((ROOT / "lessons" / LESSON / f"{LESSON}.ipynb").read_text("utf-8"))


def answer(shown, grade_id, text):
    cell = next(c for c in shown["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == grade_id)
    cell["source"] = [text]
    cell["metadata"]["outputId"] = "x"  # Colab's


# --- welcome ------------------------------------------------------------------------------------------------


def test_at_home_without_a_gpu_nothing_is_said(capsys):
    notebook.welcome()
    assert capsys.readouterr().out == ""


def test_a_gpu_is_named(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla T4")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda i: types.SimpleNamespace(total_memory=15.8e9))
    notebook.welcome()
    assert capsys.readouterr().out == "GPU: Tesla T4, 16 GB. Experiments run on it, and are the larger ones.\n"


def test_colab_and_binder_say_how_to_keep_ones_work(monkeypatch, capsys):
    monkeypatch.setenv("BINDER_SERVICE_HOST", "10.0.0.1")
    notebook.welcome()
    said = capsys.readouterr().out
    assert "Binder forgets" in said and "last cell" in said and "GPU" not in said
    monkeypatch.setitem(sys.modules, "google.colab", COLAB)
    notebook.welcome()
    said = capsys.readouterr().out
    assert "Save a copy in Drive" in said and "Runtime → Change runtime type" in said and "Binder" not in said


# --- handing in ---------------------------------------------------------------------------------------------


def test_jupyter_writes_what_was_saved_without_outputs(home, monkeypatch):
    shown = page()
    answer(shown, "blend", "def blend(image, colours, opacity):\n    return image")
    answer(shown, "quiz_shapes", 'quiz_shapes = "c"')
    shown["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["a" * 10**6]}]
    shown["cells"][1]["execution_count"] = 3
    saved = home / f"{LESSON}.ipynb"
    saved.write_text(json.dumps(shown), "utf-8")
    before = saved.read_bytes()
    for session in (str(saved), f"elsewhere/{LESSON}.ipynb"):  # servers differ in whether they say the whole path
        monkeypatch.setenv("JPY_SESSION_NAME", session)
        sheet = notebook.hand_in(LESSON)
        written = (home / "hand_in" / f"{LESSON}.ipynb").read_bytes()
        handed = json.loads(written)
        assert len(written) < 200_000 and saved.read_bytes() == before
        assert [c["source"] for c in handed["cells"]] == [c["source"] for c in shown["cells"]]
        assert not any(
            c.get("outputs") or c.get("execution_count") or "outputId" in c["metadata"] for c in handed["cells"]
        )
        assert "Answered: 2 of 7." in repr(sheet) and re.search(
            r"Not yet: count_pixels, colour, quiz_average, quiz_validation, rounding\.", repr(sheet)
        )
        assert re.search(r"as you saved it at \d\d:\d\d:\d\d", repr(sheet))
        link = re.search(
            r'<a download="00_start_here\.ipynb" href="data:application/x-ipynb\+json;base64,([^"]+)">',
            sheet._repr_html_(),
        )
        assert base64.b64decode(link[1]) == written


def test_colab_writes_what_the_page_shows(home, monkeypatch):
    asked = []
    message = types.SimpleNamespace(
        blocking_request=lambda kind, **more: asked.append(kind) or {"ipynb": copy.deepcopy(page())}
    )
    monkeypatch.setitem(sys.modules, "google.colab", COLAB)
    monkeypatch.setattr(COLAB, "_message", message, raising=False)
    assert "hand_in/00_start_here.ipynb is written" in repr(notebook.hand_in(LESSON)) and asked == ["get_ipynb"]
    assert json.loads((home / "hand_in" / f"{LESSON}.ipynb").read_text("utf-8"))["cells"] == page()["cells"]


@pytest.mark.parametrize("answered", [None, {}, {"ipynb": None}])
def test_where_the_notebook_cant_be_found_it_says_how_to_do_without(home, monkeypatch, answered):
    assert "save it and download it by the File menu" in repr(notebook.hand_in(LESSON))  # no Jupyter, as in a test
    monkeypatch.setenv("JPY_SESSION_NAME", str(home / "gone.ipynb"))
    assert "by the File menu" in repr(notebook.hand_in(LESSON))
    (home / "gone.ipynb").write_text("{")
    assert "by the File menu" in notebook.hand_in(LESSON)._repr_html_()
    monkeypatch.setitem(sys.modules, "google.colab", COLAB)
    monkeypatch.setattr(
        COLAB, "_message", types.SimpleNamespace(blocking_request=lambda *a, **k: answered), raising=False
    )
    assert "by the File menu" in repr(notebook.hand_in(LESSON))
    assert not (home / "hand_in").exists()


def test_a_stub_counts_as_unanswered_however_it_was_touched():
    def cell(kind, text):
        return {"cell_type": kind, "source": text, "metadata": {"nbgrader": {"solution": True, "grade_id": text[:9]}}}

    stubs = [
        "def f():\n    # YOUR CODE HERE\n    raise NotImplementedError",
        "def g():\n    raise NotImplementedError",
        "  \n",
        'quiz_a = "?"  # your choice: a or b',
    ]
    answers = ["def h():\n    return 1  # NotImplementedError", 'quiz_b = "a"  # your choice: a or b']
    cells = [cell("code", text) for text in stubs + answers] + [
        cell("markdown", "*Write your answer here.*"),
        cell("markdown", "Because."),
    ]
    done, missing = notebook.answered({"cells": cells})
    assert (len(done), len(missing)) == (3, 5)


def test_a_quiz_answer_that_is_no_choice_is_told(home, monkeypatch):
    shown = page()
    for text, told in (
        ('quiz_shapes = ""', "quiz_shapes (choose a, b or c)"),
        ('quiz_shapes = "e"', "quiz_shapes (choose a, b or c)"),
        ("quiz_shapes = None", "quiz_shapes (choose a, b or c)"),
        ("quiz_shapes = ' C '", ""),
    ):
        answer(shown, "quiz_shapes", text)
        done, missing = notebook.answered(shown)
        assert [name for name in missing if name.startswith("quiz_shapes")] == ([told] if told else []), text
        assert ("quiz_shapes" in done) == (not told)


def test_what_was_run_and_never_saved_is_told(home, monkeypatch):
    (home / f"{LESSON}.ipynb").write_text(json.dumps(page()), "utf-8")
    monkeypatch.setenv("JPY_SESSION_NAME", f"{LESSON}.ipynb")
    ran = ["import torch", "def blend(image, colours, opacity):\n    raise NotImplementedError"]
    shell = types.SimpleNamespace(user_ns={"In": ran})
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    assert "not saved" not in repr(notebook.hand_in(LESSON))
    ran += ["def blend(image, colours, opacity):\n    return image", 'quiz_shapes = "c"']
    said = repr(notebook.hand_in(LESSON))
    assert "Run, but not saved: blend, quiz_shapes. Save (Ctrl + S), then run this cell again." in said
    assert "Not yet: count_pixels, colour, quiz_average" in said
