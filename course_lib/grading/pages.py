"""The pages of grading: a student's notebook by nbgrader's own feedback template, ours by those in templates/."""

import functools
import re

import nbformat
from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.filters import do_float, do_round
from markupsafe import Markup, escape

from course_lib.checks.verdict import rich

from .records import Page
from .restore import as_typed

MOST_PAGE = 48 * 2**20  # characters; one that would have more shows what was typed, and little of that
MOST_KEPT = 2_000  # texts whose HTML is remembered: a lesson's own are in every page
MOST_PLAIN = 2_000  # characters of a cell, and of an output, where all is shown as it was typed
# Whatever is in a page, it loads no picture and no frame from elsewhere: that would tell who opened it, and when.
POLICY = (
    "<meta http-equiv=\"Content-Security-Policy\" content=\"img-src data:; media-src 'none'; frame-src 'none'; "
    "object-src 'none'; form-action 'none'\">"
)


class Waits(str):
    """What stands in place of a score that a person has still to give; nbgrader's template rounds it like a number."""


def page(task: Page) -> str:
    """The HTML of a graded notebook, with the gradebook's scores and comments."""
    made = _page(task)
    return _page(task._replace(plain=True)) if len(made) > MOST_PAGE and not task.plain else made


def _page(task):
    nb = nbformat.reads(task.notebook, as_version=4)
    for cell in nb.cells:
        mark = cell.metadata.get("nbgrader", {})
        if mark.get("grade"):
            mark["score"], mark["points"] = task.cells.get(mark["grade_id"], (0, mark["points"]))
            if mark["grade_id"] in task.waiting:
                mark["score"] = Waits("waits for a person")
        if mark.get("solution"):
            mark["comment"] = task.comments.get(mark["grade_id"])
        if task.plain:
            _typed(cell)
    score, most, late = task.total
    title = " · ".join(filter(None, (task.lesson, task.student, task.file)))
    facts = {"notebook": escape(title), "score": score, "max_score": most, "late_penalty": late or 0}
    resources = {"nbgrader": facts, "unique_key": task.lesson, "metadata": {"name": task.lesson}}
    made = _exporter().from_notebook_node(nb, resources=resources)[0]
    # the template calls every check "Test cell"; these links are its own, as no tag of a student's works
    made = re.sub(r'<a href="#check_(\w+)">Test cell</a>', r'<a href="#check_\1">\1</a>', made)
    made = re.sub(r'<a href="#(\w+)">Written response</a>', r'<a href="#\1">\1</a>', made)
    made = re.sub(r'<a href="#comment-(\w+)">Comment</a>', r'<a href="#comment-\1">Comment on \1</a>', made)
    made = made.replace("Grade cell: <code>check_", "Check of <code>")
    return made.replace("<head>", f"<head>{POLICY}", 1)


def _typed(cell):
    """Cut a cell down to what costs nothing to show, in place."""
    if cell.cell_type != "code":
        cell.pop("attachments", None)
        cell.source = as_typed(cell.source, MOST_PLAIN)
        return
    cell.source = cell.source[:MOST_PLAIN]
    mark = cell.metadata.get("nbgrader", {})
    for output in () if mark.get("locked") else cell.outputs:  # a check's verdict is ours
        for key in ("text", "evalue"):
            if key in output:
                output[key] = output[key][:MOST_PLAIN]
        if "traceback" in output:
            output["traceback"] = [line[:MOST_PLAIN] for line in output["traceback"][:1]]


@functools.cache
def _exporter():
    from nbconvert.exporters import HTMLExporter
    from nbconvert.filters import Highlight2HTML
    from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
    from nbgrader.converters import GenerateFeedback
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.preprocessors import ClearHiddenTests
    from traitlets.config import Config

    class Exporter(HTMLExporter):
        """nbconvert's, which takes three times as long: what a class's pages share is made once, and none is parsed
        again to see whether each picture has an alt text (each has)."""

        @functools.lru_cache(MOST_KEPT)  # noqa: B019 (there is one exporter a process)
        def shown(self, source):
            return HTMLExporter.markdown2html(self, {}, source)

        @pass_context
        def markdown2html(self, context, source):
            attached = context.get("cell", {}).get("attachments")
            return super().markdown2html(context, source) if attached else self.shown(source)

        def from_notebook_node(self, nb, resources=None, **more):
            return super(HTMLExporter, self).from_notebook_node(nb, self._init_resources(resources), **more)

    settings = GenerateFeedback(coursedir=CourseDirectory(), config=Config()).config
    exporter = Exporter(config=settings)
    highlight = functools.lru_cache(MOST_KEPT)(Highlight2HTML(pygments_lexer="ipython3", parent=exporter))
    exporter.register_filter("highlight_code", lambda source, language=None, metadata=None: highlight(source, language))
    for step in (ClearHiddenTests, CSSHTMLHeaderPreprocessor):
        exporter.register_preprocessor(step, enabled=True)
    exporter.register_filter("float", lambda value: value if isinstance(value, Waits) else do_float(value))
    exporter.register_filter("round", lambda value, *by: value if isinstance(value, Waits) else do_round(value, *by))
    return exporter


def refusal(lesson: str, reason: str, student: str = "", file: str = "") -> str:
    """The page of a submission that could not be graded."""
    return fill("refusal.html", lesson=lesson, reason=reason, student=student, file=file)


def fill(template: str, **facts) -> str:
    """A page of ours: a file of templates/ with these facts in it, all of them escaped."""
    text = _templates().get_template(template).render(facts)
    return text.encode(errors="replace").decode()  # a file's name may hold what is no letter


@functools.cache
def _templates():
    made = Environment(
        loader=PackageLoader("course_lib.grading"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["rich"] = lambda text: Markup(rich(text))  # it escapes
    made.filters["g"] = lambda number: f"{number:g}"
    return made
