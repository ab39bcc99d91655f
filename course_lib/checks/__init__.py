"""The lessons' checks: `from course_lib.checks.lesson_02 import check`, then `check.<Tab>`."""
