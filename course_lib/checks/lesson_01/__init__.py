"""The checks of lesson 01: `from course_lib.checks.lesson_01 import check`."""

from ..core import Lesson
from .as_convolutions import as_convolutions
from .crop_pair import crop_pair
from .fooling_mask import fooling_mask
from .panoptic_map import panoptic_map
from .relabel import relabel
from .semantic_map import semantic_map

check = Lesson(
    "01_one_label_to_every_pixel", [semantic_map, panoptic_map, relabel, fooling_mask, crop_pair, as_convolutions]
)
