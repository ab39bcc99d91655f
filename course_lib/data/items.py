"""What an item of a data set is, arguments that all data sets share, and items kept in memory."""

import numpy as np
import torch
from torch.utils.data import Dataset
from torchvision import tv_tensors

from course_lib.labels import IGNORE

MAPS = ("trimap", "semantic", "instance")
SPLITS = ("train", "val")


def stack(dataset, which=8):
    """Items of a data set as two tensors: images float32 (N, 3, H, W) and masks int64 (N, H, W).

    dataset  as `scenes` gives it
    which    how many, from the first; or a list of indices

    ValueError: no items, or a target that is not one map.
    """
    indices = list(range(min(which, len(dataset))) if isinstance(which, int) else which)
    images = masks = None
    for place, i in enumerate(indices):
        image, mask = dataset[i]
        if not isinstance(mask, torch.Tensor):
            break
        if images is None:  # filled one by one: a list of all and their stack would take twice the memory
            images, masks = image.new_empty(len(indices), *image.shape), mask.new_empty(len(indices), *mask.shape)
        images[place], masks[place] = image, mask
    else:
        if indices:
            return images, masks
    raise ValueError(
        f"stack wants at least one item with one map as its target, and got {len(indices)} item(s) of "
        f"target={getattr(dataset, 'target', None)!r}."
    )


class Kept(Dataset):
    """Items held in memory, a quarter as large: for what is looked at again and again.

    items  a data set without random transforms, whose items are kept as they are first asked for; or any (picture,
           target) pairs, kept now (made later, between small tensors that stay, scenes leave holes in memory)

    A picture, float32 (3, H, W) in [0, 1], is kept as bytes, so to the nearest 1/255; a target's maps, with labels from
    0 to 255, come back as uint8, and a single number as it is.
    """

    def __init__(self, items):
        lazily = isinstance(items, Dataset)
        self.items = items if lazily else None
        self.kept = [None] * len(items) if lazily else [_small(*item) for item in items]

    def __len__(self):
        return len(self.kept)

    def __getitem__(self, i):
        if self.kept[i] is None:
            self.kept[i] = _small(*self.items[i])
        picture, target = self.kept[i]
        return picture / 255, target


def _small(picture, target):
    return (255 * picture).round().byte(), target.byte() if target.dim() else target


def make_item(picture, maps, names, transform, labels=None):
    """(image, target) as `scenes` promises.

    picture    uint8 array (H, W, 3), or an image tensor (3, H, W)
    maps       {name: (H, W) labels}, "instance" where boxes are asked for
    names      the target: a name, or a tuple of names
    transform  callable (image, target) -> (image, target), or None
    labels     classes of the animals 1, 2, …, for the boxes
    """
    if not isinstance(picture, torch.Tensor):
        picture = tv_tensors.Image(torch.from_numpy(picture).permute(2, 0, 1))
    maps = {name: tv_tensors.Mask(torch.as_tensor(m, dtype=torch.int64)) for name, m in maps.items()}
    if transform is not None:
        alone = next(iter(maps)) if names in MAPS else None  # one map goes in, and comes out, without a dict
        picture, changed = transform(picture, maps[alone] if alone else maps)
        maps = {alone: changed} if alone else changed
    image = picture.as_subclass(torch.Tensor)
    if image.dtype == torch.uint8:
        image = image.to(torch.float32).div_(255)
    target = {name: m.as_subclass(torch.Tensor).to(torch.int64) for name, m in maps.items()}
    if "boxes" in names_of(names):
        target["boxes"] = _boxes(target["instance"], labels)
    if isinstance(names, tuple):
        return image, {name: target[name] for name in names}
    return image, target[names]


def _boxes(instance, labels):
    """The tight boxes of what an instance map shows, and the classes of these animals."""
    present = [k for k in instance.unique().tolist() if k not in (0, IGNORE)]
    boxes = []
    for k in present:
        y, x = torch.nonzero(instance == k, as_tuple=True)
        boxes.append([x.min(), y.min(), x.max() + 1, y.max() + 1])
    return {
        "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        "labels": torch.tensor([int(labels[k - 1]) for k in present], dtype=torch.int64),
    }


# --- arguments ----------------------------------------------------------------------------------------------


def choice(what, value, allowed):
    """The value; ValueError unless it is allowed."""
    if value not in allowed:
        raise ValueError(f"{what} is {value!r}: choose one of {', '.join(map(repr, allowed))}.")
    return value


def whole(what, value, least):
    """The value as an int; ValueError unless it is a whole number of at least `least`."""
    if not _is_whole(value) or value < least:
        raise ValueError(f"{what} is {value!r}: give a whole number of at least {least}.")
    return int(value)


def side_pair(size, least=8):
    """A size as (height, width); ValueError unless both are whole numbers of at least `least`."""
    pair = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
    if len(pair) != 2 or not all(_is_whole(side) and side >= least for side in pair):
        raise ValueError(f"size is {size!r}: give a whole number of pixels or (height, width), each at least {least}.")
    return tuple(int(side) for side in pair)


def count_range(animals):
    """A number of animals as (lowest, highest); ValueError outside 1 to 12."""
    pair = tuple(animals) if isinstance(animals, (tuple, list)) else (animals, animals)
    counts = len(pair) == 2 and all(isinstance(n, (int, np.integer)) and 1 <= n <= 12 for n in pair)
    if not counts or pair[0] > pair[1]:
        raise ValueError(f"animals is {animals!r}: give a number from 1 to 12, or (lowest, highest).")
    return pair


def target_names(target):
    """A target as one name or a tuple of names; ValueError for a name that no target has, or for none."""
    names = names_of(tuple(target) if isinstance(target, list) else target)
    for name in names or (target,):
        choice("target", name, (*MAPS, "boxes"))
    return names if isinstance(target, (tuple, list)) else target


def names_of(target):
    """A target's names as a tuple, also of one."""
    return target if isinstance(target, tuple) else (target,)


def class_names(target, known):
    """The names of the labels of a target's first map: known[map], or those of what is no map of classes."""
    names = names_of(target)
    first = next((name for name in names if name in MAPS), names[0])
    return known.get(first, ("background", "animal"))


def _is_whole(value):
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
