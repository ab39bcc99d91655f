"""The course's pictures. Each function returns one matplotlib figure, which shows once as a cell's last value.

Images may be (3, H, W) tensors, floats in [0, 1] or uint8, or (H, W, 3) or (H, W) arrays. Masks are (H, W) integers;
255 means "not labelled" and is drawn grey and hatched. `classes` is a tuple of names, a number, or None: count them.
A wrong shape or value raises ValueError with one sentence that says what to do.
"""

from course_lib.labels import IGNORE, PALETTE

from .dilation import coverage
from .fields import field, overlap, taps
from .inks import UNLABELLED, colours, legend, palette
from .losses import focus, landscapes, loss_lines, pulls, trade_off
from .masks import comparison, error_density, grid, overlay
from .networks import shape_flow
from .scores import curves, hits, pairs, ranking, rivals
from .skips import channels, closeup
from .strides import coarse_scores, rungs, strides, tents
from .tasks import five_tasks, panoptic, resized, slid

__all__ = [
    "IGNORE", "PALETTE",
    "coverage",
    "field", "overlap", "taps",
    "UNLABELLED", "colours", "legend", "palette",
    "focus", "landscapes", "loss_lines", "pulls", "trade_off",
    "comparison", "error_density", "grid", "overlay",
    "shape_flow",
    "curves", "hits", "pairs", "ranking", "rivals",
    "channels", "closeup",
    "coarse_scores", "rungs", "strides", "tents",
    "five_tasks", "panoptic", "resized", "slid",
]  # fmt: skip
