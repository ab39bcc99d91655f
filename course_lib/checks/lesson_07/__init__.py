"""The checks of lesson 07: `from course_lib.checks.lesson_07 import check`."""

from ..core import Lesson
from .count_pairs import count_pairs
from .edge_iou import edge_iou
from .most_flattered import most_flattered
from .report import report
from .two_lies import two_lies
from .two_means import two_means

check = Lesson("07_metrics", [two_lies, count_pairs, report, most_flattered, two_means, edge_iou])
