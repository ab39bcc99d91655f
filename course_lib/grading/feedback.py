"""A student's page: the graded notebook by nbgrader's own feedback template, or the reason why there is none."""

import functools
import html
import os

import nbformat


def page(notebook, name, total, cells, comments):
    """The HTML of a graded notebook.

    notebook: a file's text. total: (score, most, late penalty). cells: {grade_id: (score, most)}. comments: {grade_id: text}.
    """
    nb = nbformat.reads(notebook, as_version=4)
    for cell in nb.cells:
        mark = cell.metadata.get("nbgrader", {})
        if mark.get("grade"):
            mark["score"], mark["points"] = cells.get(mark["grade_id"], (0, mark["points"]))
        if mark.get("solution"):
            mark["comment"] = comments.get(mark["grade_id"])
    score, most, late = total
    facts = {"score": score - (late or 0), "max_score": most, "late_penalty": late or 0}
    return _exporter().from_notebook_node(
        nb, resources={"nbgrader": facts, "unique_key": name, "metadata": {"name": name}}
    )[0]


@functools.cache
def _exporter():
    from nbconvert.exporters import HTMLExporter
    from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
    from nbgrader.converters import GenerateFeedback
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.preprocessors import ClearHiddenTests
    from traitlets.config import Config

    settings = GenerateFeedback(coursedir=CourseDirectory(), config=Config()).config
    exporter = HTMLExporter(config=settings)
    for step in (ClearHiddenTests, CSSHTMLHeaderPreprocessor):
        exporter.register_preprocessor(step, enabled=True)
    return exporter


def refusal(name, reason):
    """The page of a submission that could not be graded."""
    return (
        f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>{html.escape(name)}</title>'
        f'<body style="font-family:sans-serif;max-width:40em;margin:2em auto"><h1>{html.escape(name)}</h1>'
        f"<p>This submission could not be graded.</p><p>{html.escape(reason)}</p></body></html>\n"
    )


def save(path, text):
    """Write a file, of text or bytes, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(text if isinstance(text, bytes) else text.encode())
    os.replace(new, path)
