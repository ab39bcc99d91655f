"""Grading a class: fast, fair, and out of reach of what it grades.

- `course`:  the repository root as an nbgrader course: what stands beside nbgrader's own steps, and why
- `restore`: everything but a student's answers comes from the lesson's source
- `runner`:  the answers run in a sandbox, their checks run here
- `rules`:   what holds for every submission wherever it is graded
- `command`: the command line over `batch`, which has a `pool` or a `cluster` of runners do the work
- `collect`: which notebooks there are, `names`: whose they are; `written`: answers in words, wherever they stand
- `ledger`, `book`: what is kept; `pages`, `report`, `overview`: what people read of it
- `sheets`:  those of Moodle and Canvas; `back`: grades filled into them
- `records`: what all of these tell each other
- `frame`:   cells that the builder puts into every lesson
"""

import sys

# jsonschema's grammars of web addresses: a second to build, and no notebook holds one
sys.modules.setdefault("rfc3987_syntax", None)
