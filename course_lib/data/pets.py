"""Oxford-IIIT Pet behind the interface of `scenes`."""

from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset
from torchvision import tv_tensors

from course_lib.labels import IGNORE, PETS, TRIMAP

from .items import SPLITS, choice, class_names, make_item, names_of, side_pair, target_names, whole
from .transforms import Resize


class NoPets(RuntimeError):
    """Oxford-IIIT Pet can't be had; .fact says why, and the whole sentence what to do."""

    def __init__(self, fact):
        super().__init__(f'{fact}: connect to a network, give its folder as root=, or use data="menagerie".')
        self.fact = fact


class OxfordPet(Dataset):
    """Oxford-IIIT Pet (Parkhi et al. 2012, robots.ox.ac.uk/~vgg/data/pets) behind the interface of `scenes`.

    split     "train" is its trainval list, "val" its test list
    size      pictures are resized to it, whatever their shape, with `Resize`
    target    "trimap", its values 1, 2, 3 (pet, background, border) less one; "semantic", 0 background, 1 cat, 2 dog,
              where the border, which it leaves unclassified, is IGNORE; or a tuple of both. It does not mark single
              animals, so "instance" and "boxes" raise ValueError
    length    how many pictures, in an order that `seed` draws; None: all
    download  fetch it into root/oxford-iiit-pet where it is not there. NoPets where it can't be had

    seed, transform and root are those of `scenes`.
    """

    def __init__(
        self, split="train", size=64, *, target="trimap", length=None, seed=0, transform=None, root=None, download=True
    ):
        self.split, self.size, self.target = choice("split", split, SPLITS), side_pair(size), target_names(target)
        for name in names_of(self.target):
            if name in ("instance", "boxes"):
                raise ValueError(
                    f'Oxford-IIIT Pet marks pets, not single animals, so target="{name}" is not to be had: '
                    'choose "trimap" or "semantic", or data="menagerie".'
                )
        self.classes = class_names(self.target, {"trimap": TRIMAP, "semantic": PETS})
        self.transform, self.resize = transform, Resize(self.size)
        self._pets = _oxford(Path(root or Path.home() / ".cache" / "course_lib"), split, download)
        order = np.random.default_rng(whole("seed", seed, 0)).permutation(len(self._pets))
        self._order = order if length is None else order[: whole("length", length, 1)]

    def __len__(self):
        return len(self._order)

    def __getitem__(self, i):
        if not -len(self) <= i < len(self):
            raise IndexError(f"picture {i} of {len(self)}")
        picture, (segments, species) = self._pets[int(self._order[i])]
        segments = tv_tensors.Mask(np.array(segments, dtype=np.int64)) - 1
        image, segments = self.resize(tv_tensors.Image(picture), tv_tensors.Mask(segments))
        maps = {"trimap": segments}
        if "semantic" in self.target:
            maps["semantic"] = torch.tensor([species + 1, 0, IGNORE])[segments]
        maps = {name: maps[name] for name in names_of(self.target)}
        return make_item(image, maps, self.target, self.transform)


def _oxford(root, split, download):
    """torchvision's data set, which gives (picture, (segments, species)). NoPets where it can't be had."""
    from torchvision.datasets import OxfordIIITPet

    from .download import Unavailable, oxford_pet

    fact = f"Oxford-IIIT Pet is not in {root}"
    try:
        if download:
            oxford_pet(root / "oxford-iiit-pet")
        return OxfordIIITPet(root, "trainval" if split == "train" else "test", ("segmentation", "binary-category"))
    except Unavailable as error:
        raise NoPets(f"{fact} and could not be downloaded, because {error}") from None
    except (OSError, RuntimeError) as error:
        raise NoPets(f"{fact} ({error})") from None
