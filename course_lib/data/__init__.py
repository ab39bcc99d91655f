"""The course's pictures: Menagerie or Oxford-IIIT Pet behind `scenes`, the marker task, transforms, kept items."""

from course_lib.labels import IGNORE, PETS, SEMANTIC, TRIMAP

from .compose import Menagerie, band, index, trimap
from .items import MAPS, SPLITS, Kept, stack
from .markers import Markers
from .pets import NoPets, OxfordPet
from .scenes import scenes
from .transforms import Resize, augment

__all__ = [
    "IGNORE", "PETS", "SEMANTIC", "TRIMAP",
    "Menagerie", "band", "index", "trimap",
    "MAPS", "SPLITS", "Kept", "stack",
    "Markers",
    "NoPets", "OxfordPet",
    "scenes",
    "Resize", "augment",
]  # fmt: skip
