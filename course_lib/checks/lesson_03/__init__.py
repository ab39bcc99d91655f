"""The checks of lesson 03: `from course_lib.checks.lesson_03 import check`."""

from ..core import Lesson
from .catch import catch
from .enlarger import enlarger
from .fuse import fuse
from .ladder import ladder
from .sliding import sliding

check = Lesson("03_fcn", [sliding, enlarger, catch, fuse, ladder])
