"""The attack suite of grading: `ATTACKS` and `HANDED` by name."""

from . import channel, handing_in, limits, notebooks, peeking  # noqa: F401  they add theirs
from .bank import ATTACKS, HANDED  # noqa: F401
