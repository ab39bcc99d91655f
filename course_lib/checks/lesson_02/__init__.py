"""The checks of lesson 02: `from course_lib.checks.lesson_02 import check`."""

from ..core import Lesson
from .conv_out_size import conv_out_size
from .encoder_decoder import build_net
from .overlap_count import overlap_count
from .poke import poke
from .receptive_field import receptive_field
from .shuffle_pixels import shuffle_pixels
from .trace_shapes import trace_shapes
from .transposed_conv import transposed_conv

check = Lesson(
    "02_encoder_decoder",
    [conv_out_size, trace_shapes, receptive_field, poke, transposed_conv, overlap_count, shuffle_pixels, build_net],
)
