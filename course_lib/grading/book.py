"""The gradebook: what the coordinator alone writes, through nbgrader's own tables, and what a report reads from it."""

import contextlib
import logging
import time
import warnings
from datetime import datetime, timezone

from nbgrader.api import Gradebook, InvalidEntry, MissingEntry
from nbgrader.preprocessors import AssignLatePenalties
from sqlalchemy.exc import OperationalError, SAWarning

from course_lib.start.errors import Stop

from .records import Graded, Score

PATIENCE = 60  # seconds that a locked database is waited for
COURSE = "segmentation"


@contextlib.contextmanager
def opened(db_url):
    """nbgrader's `Gradebook`; what stands in its way becomes one sentence."""
    log = logging.getLogger("tornado.application")  # there nbgrader prints the traceback of what it raises, too
    was, log.disabled = log.disabled, True
    try:
        with warnings.catch_warnings(), Gradebook(db_url, COURSE) as gradebook:
            warnings.simplefilter("ignore", SAWarning)  # nbgrader's own, harmless
            yield gradebook
    except OperationalError as error:
        raise Stop(trouble(error)) from error
    finally:
        log.disabled = was


def trouble(error):
    """An error of the database as a sentence that says what to do."""
    reason = str(error.orig or error).strip().splitlines()[0]
    if "locked" in reason:
        what = f"The gradebook has been locked by another program for {PATIENCE} s"
        return f"{what}: close that (formgrader may be saving) and start again. What is graded is kept."
    if "full" in reason:
        return "There is no space left for the gradebook: free some and start again. What is graded is kept."
    return f"The gradebook can't be used ({reason}). What is graded is kept: start again when it works."


def patient(action):
    """Do something with a database that others use too: again while it is locked, for `PATIENCE` seconds."""
    began = time.monotonic()
    while True:
        try:
            return action()
        except (OperationalError, InvalidEntry) as error:
            cause = error if isinstance(error, OperationalError) else error.__context__  # nbgrader wraps some
            if not isinstance(cause, OperationalError):
                raise
            if "locked" not in str(cause) or time.monotonic() - began > PATIENCE:
                raise Stop(trouble(cause)) from error
            time.sleep(0.2)


def write(gradebook, graded: Graded, student, when=None):
    """Write what grading gave for one student, in one transaction; manual scores and comments stay.

    when  the submission's datetime, or None
    """
    lesson, stamp = graded.lesson, {"timestamp": when} if when else {}

    def action():
        gradebook.update_or_create_student(student)
        gradebook.update_or_create_submission(lesson, student, **stamp)
        notebook = gradebook.find_submission_notebook(lesson, lesson, student)
        for grade in notebook.grades:
            name = grade.cell.name
            if name in graded.checks:
                grade.auto_score = graded.checks[name]["points"]
            else:  # a written answer: a person's, unless there is none
                grade.auto_score = None if graded.written.get(name) else 0.0
            grade.needs_manual_grade = grade.manual_score is not None or grade.auto_score is None
        for comment in notebook.comments:
            silent = "No response." if graded.written.get(comment.cell.name) is False else None
            comment.auto_comment = graded.unreadable or silent
        gradebook.db.commit()

    patient(_or_back(gradebook, action))


def penalise(gradebook, settings, lesson, told):
    """Write when submissions were handed in, and let nbgrader's plugin for late ones, as configured, have its say anew.

    told  {student: (UTC time or None, whether the platform says "late" without a time)}
    """
    step = AssignLatePenalties(config=settings)
    step.init_plugin()

    def action():
        for submission in gradebook.assignment_submissions(lesson):
            when, late = told.get(submission.student_id, (None, False))
            submission.timestamp = when or submission.timestamp
            seconds = submission.total_seconds_late
            # late by the platform's due date: by a second at least, unless the time to hand in is not over yet here
            if late and not submission.timestamp and submission.duedate and not submission.extension:
                seconds = float(submission.duedate < datetime.now(timezone.utc).replace(tzinfo=None))
            for notebook in submission.notebooks:
                found = (submission.student_id, notebook.score, seconds)
                penalty = step.plugin_inst.late_submission_penalty(*found) if seconds > 0 else None
                notebook.late_submission_penalty = penalty and min(max(penalty, 0), notebook.score)
        gradebook.db.commit()

    patient(_or_back(gradebook, action))


def _or_back(gradebook, action):
    """The action, undone where it fails."""

    def tried():
        try:
            return action()
        except (OperationalError, InvalidEntry):
            gradebook.db.rollback()
            raise

    return tried


def knows(gradebook, lesson):
    """Whether the gradebook has a lesson with its cells."""
    try:
        return bool(gradebook.find_notebook(lesson, lesson).source_cells)
    except MissingEntry:
        return False


def holds(gradebook, lesson) -> dict[str, dict[str, float | None]]:
    """{student: {cell: points by its check}} of a lesson, as the gradebook has it."""
    found = {}
    with contextlib.suppress(MissingEntry):
        for submission in gradebook.find_assignment(lesson).submissions:
            cells = {g.cell.name: g.auto_score for n in submission.notebooks for g in n.grades}
            found[submission.student_id] = cells
    return found


def scores(gradebook, lesson) -> dict[str, Score]:
    """What the gradebook says of a lesson, by student."""
    found = {}
    for submission in gradebook.assignment_submissions(lesson):
        for notebook in submission.notebooks:
            found[submission.student_id] = {
                "score": submission.score - (notebook.late_submission_penalty or 0),
                "most": submission.max_score,
                "late": notebook.late_submission_penalty,
                "manual": sorted(g.cell.name for g in notebook.grades if g.needs_manual_grade),
                "cells": {g.cell.name: (g.score, g.max_score) for g in notebook.grades},
                "comments": {c.cell.name: c.comment for c in notebook.comments},
            }
    return found


def students(gradebook):
    """[(id, first name, last name, email)] of the students that the gradebook knows."""
    return [(s.id, s.first_name, s.last_name, s.email) for s in gradebook.students]


def utc(when):
    """A local time as nbgrader stores it: UTC without a zone."""
    return datetime.fromtimestamp(when.timestamp(), timezone.utc).replace(tzinfo=None)
