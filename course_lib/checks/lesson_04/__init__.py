"""The checks of lesson 04: `from course_lib.checks.lesson_04 import check`."""

from ..core import Lesson
from .concat_as_add import concat_as_add
from .count_unet import count_unet
from .double_conv import double_conv
from .giant_upsampling import giant_upsampling
from .join import join
from .outcome import outcome
from .unet import build_unet

check = Lesson("04_unet", [double_conv, concat_as_add, join, outcome, build_unet, count_unet, giant_upsampling])
