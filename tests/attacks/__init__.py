"""The attack suite of grading: `ATTACKS` by name."""

from . import channel, limits, notebooks, peeking  # noqa: F401  they add theirs
from .bank import ATTACKS, Attack  # noqa: F401
