"""The repository root is an nbgrader course. course_lib/grading/course.py says what differs from its defaults, why."""

import sys
from pathlib import Path

root = Path(__file__).resolve().parent
sys.path.insert(0, str(root))

from course_lib.grading import course  # noqa: E402

course.configure(get_config(), root)  # noqa: F821 (traitlets defines get_config)
