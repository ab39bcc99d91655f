"""What an item of a data set is, arguments that all data sets share, and items kept in memory."""

import numpy as np
import torch
from torch.utils.data import Dataset
from torchvision import tv_tensors

from course_lib.labels import IGNORE

MAPS = ("trimap", "semantic", "instance")
SPLITS = ("train", "val")


def stack(dataset, which=8):
    """The first `which` items of a data set (or those of a list of indices) as two tensors.

    Returns images float32 (N, 3, H, W) and masks int64 (N, H, W). Raises ValueError unless target is one map.
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

    items: a data set without random transforms, whose items are kept as they are first asked for; or any (picture,
    target) pairs, kept now. (Made later, between small tensors that stay, scenes leave holes in memory.)

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
    """(image, target) as `scenes` promises, from a picture and its maps."""
    image = (
        picture if isinstance(picture, torch.Tensor) else tv_tensors.Image(torch.from_numpy(picture).permute(2, 0, 1))
    )
    maps = {name: tv_tensors.Mask(torch.as_tensor(m, dtype=torch.int64)) for name, m in maps.items()}
    if transform is not None:
        alone = next(iter(maps)) if names in MAPS else None  # one map goes in, and comes out, without a dict
        image, changed = transform(image, maps[alone] if alone else maps)
        maps = {alone: changed} if alone else changed
    image = image.as_subclass(torch.Tensor)
    if image.dtype == torch.uint8:
        image = image.to(torch.float32).div_(255)
    target = {name: m.as_subclass(torch.Tensor).to(torch.int64) for name, m in maps.items()}
    if "boxes" in (names if isinstance(names, tuple) else (names,)):
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
    if value not in allowed:
        raise ValueError(f"{what} is {value!r}: choose one of {', '.join(map(repr, allowed))}.")
    return value


def whole(what, value, least):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{what} is {value!r}: give a whole number of at least {least}.")
    return int(value)


def side_pair(size, least=8):
    pair = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
    if len(pair) != 2 or any(isinstance(s, bool) or not isinstance(s, (int, np.integer)) or s < least for s in pair):
        raise ValueError(f"size is {size!r}: give a whole number of pixels or (height, width), each at least {least}.")
    return tuple(int(s) for s in pair)


def count_range(animals):
    pair = tuple(animals) if isinstance(animals, (tuple, list)) else (animals, animals)
    if len(pair) != 2 or not all(isinstance(n, (int, np.integer)) and 1 <= n <= 12 for n in pair) or pair[0] > pair[1]:
        raise ValueError(f"animals is {animals!r}: give a number from 1 to 12, or (lowest, highest).")
    return pair


def target_names(target):
    names = tuple(target) if isinstance(target, (tuple, list)) else (target,)
    for name in names or (target,):
        choice("target", name, (*MAPS, "boxes"))
    return names if isinstance(target, (tuple, list)) else target


def class_names(target, known):
    names = target if isinstance(target, tuple) else (target,)
    first = next((name for name in names if name in MAPS), names[0])
    return known.get(first, ("background", "animal"))
