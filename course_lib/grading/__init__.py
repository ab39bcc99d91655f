"""Grading a class: fast, fair, and out of reach of what it grades.

- `course`:  the repository root as an nbgrader course: what stands beside nbgrader's own steps, and why
- `restore`: everything but a student's answers comes from the lesson's source
- `runner`:  the answers run in a sandbox, their checks run here
- `rules`:   what holds for every submission wherever it is graded
"""

import sys

sys.modules.setdefault(
    "rfc3987_syntax", None
)  # jsonschema's grammars of web addresses: a second to build, and no notebook holds one
