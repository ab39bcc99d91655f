"""The checks of lesson 00: `from course_lib.checks.lesson_00 import check`."""

from ..core import Lesson
from .blend import blend
from .colour import colour
from .count_pixels import count_pixels

check = Lesson("00_start_here", [count_pixels, colour, blend])
