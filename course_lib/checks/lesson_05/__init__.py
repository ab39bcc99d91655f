"""The checks of lesson 05: `from course_lib.checks.lesson_05 import check`."""

from ..core import Lesson
from .aspp import build_aspp
from .decoder import build_decoder
from .dilated_conv import dilated_conv
from .field_and_coverage import field_and_coverage
from .find_lies import find_lies
from .schedule import schedule
from .trade_stride import trade_stride

check = Lesson(
    "05_deeplab", [dilated_conv, field_and_coverage, find_lies, schedule, trade_stride, build_aspp, build_decoder]
)
