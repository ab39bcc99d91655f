"""The checks of lesson 06: `from course_lib.checks.lesson_06 import check`."""

from ..core import Lesson
from .focal import focal
from .logit_gradient import logit_gradient
from .pixel_losses import pixel_losses
from .rarity_weights import rarity_weights
from .soft_dice import soft_dice
from .two_lies import two_lies
from .weighted_mean import weighted_mean

check = Lesson("06_losses", [pixel_losses, logit_gradient, weighted_mean, rarity_weights, focal, two_lies, soft_dice])
