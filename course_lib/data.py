"""The course's pictures: scenes composed from Menagerie, or Oxford-IIIT Pet, behind one interface.

    dataset = scenes("train", size=64)          # photographs of animals cut out and set on photographs
    image, mask = dataset[0]                    # float32 (3, 64, 64) in [0, 1]; int64 (64, 64) of 0, 1, 2
    scenes("val", (96, 128), target=("semantic", "boxes"), animals=(2, 4))
    scenes(data="oxford-pet")                   # the same, from Oxford-IIIT Pet (downloaded once, 800 MB)
"""

import csv
import math
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

IGNORE = 255  # the label of a pixel that nobody labelled: no loss, no score
TRIMAP = ("pet", "background", "border")  # Oxford-IIIT Pet's 1, 2, 3 less one
SEMANTIC = ("background", "mammal", "bird", "fish", "arthropod", "frog or lizard")
PETS = ("background", "cat", "dog")  # the semantic classes of Oxford-IIIT Pet
MAPS = ("trimap", "semantic", "instance")
SPLITS = ("train", "val")


def scenes(split="train", size=64, *, data="menagerie", target="trimap", animals=1, length=1000, seed=0,
           transform=None, root=None):
    """A data set of pictures with their masks: the one that every lesson starts from.

    split      "train" or "val"; no animal and no background is in both.
    size       pixels: an int for a square or (height, width), each at least 8.
    data       "menagerie" (ships with the course) or "oxford-pet" (Oxford-IIIT Pet; downloaded when absent).
    target     "trimap", "semantic", "instance" or "boxes", or a tuple of these names.
    animals    how many in a scene: an int, or (lowest, highest); Menagerie only.
    length     number of scenes; of Oxford-IIIT Pet at most as many as it has.
    seed       another seed gives other scenes (of Oxford-IIIT Pet: another order).
    transform  callable (image, target) -> (image, target), see `augment`; the image is a tv_tensors.Image (uint8),
               each map a tv_tensors.Mask. It draws from torch's random state, not from `seed`.
    root       folder for Oxford-IIIT Pet; by default .cache/course_lib in the home folder.

    dataset[i] is (image, target): image float32 (3, H, W) in [0, 1]; a map is int64 (H, W); "boxes" is
    dict(boxes=float32 (N, 4) as x1 y1 x2 y2 with x2 and y2 just outside, labels=int64 (N,) indices into SEMANTIC);
    a tuple of names gives a dict by name. dataset.classes names the labels of the first map.
    The same (split, seed, i) is the same scene in any process and order, and at another size the same scene again.
    Where Oxford-IIIT Pet can't be had, as without a network, it says why and gives Menagerie.
    Raises ValueError for an argument outside these.
    """
    if data == "menagerie":
        return Menagerie(split, size, target=target, animals=animals, length=length, seed=seed, transform=transform)
    if data == "oxford-pet":
        if animals != 1:
            raise ValueError(f"Oxford-IIIT Pet shows one pet a picture, so animals={animals!r} is not to be had: "
                             "leave animals at 1.")
        settings = dict(target=target, length=length, seed=seed, transform=transform)
        try:
            return OxfordPet(split, size, root=root, **settings)
        except NoPets as error:
            dataset = Menagerie(split, size, **settings)
            print(f"{error.fact}. These are scenes of Menagerie instead, with the classes {', '.join(dataset.classes)}.")
            return dataset
    raise ValueError(f'data is {data!r}: choose "menagerie" or "oxford-pet".')


class Menagerie(Dataset):
    """Scenes of animals cut out of photographs and set on photographs; arguments and items as in `scenes`.

    trimap    0 pet: an animal; 1 background; 2 border: less than `band(size)` + 1 px from a pixel of something else,
              on both sides of an outline and between two animals that touch too. The frame is no outline.
    semantic  0 background, else the animal's class, an index into SEMANTIC.
    instance  0 background, else 1, 2, … from back to front; later animals hide earlier ones.
    A pixel is an animal's where its alpha is at least a half. An animal that would hide more than half of another
    is moved or made smaller; if that fails ten times, it is left out.
    """

    def __init__(self, split="train", size=64, *, target="trimap", animals=1, length=1000, seed=0, transform=None):
        self.split, self.size, self.target = _choice("split", split, SPLITS), _size(size), _names(target)
        self.animals, self.transform = _range(animals), transform
        self.length, self.seed = _whole("length", length, 1), _whole("seed", seed, 0)
        self.classes = _classes(self.target, {"trimap": TRIMAP, "semantic": SEMANTIC, "boxes": SEMANTIC})
        rows = [row for row in index() if row["split"] == split]
        self._cutouts = [row for row in rows if row["class"] != "background"]
        self._backgrounds = [row for row in rows if row["class"] == "background"]

    def __len__(self):
        return self.length

    def __getitem__(self, i):
        picture, instance, labels = self.scene(i)
        maps = {}
        for name in self.target if isinstance(self.target, tuple) else (self.target,):
            if name == "trimap":
                maps[name] = trimap(instance)
            elif name == "semantic":
                maps[name] = np.concatenate(([0], labels))[instance]
            else:
                maps["instance"] = instance  # boxes are measured from it, after the transform
        return _item(picture, maps, self.target, self.transform, labels)

    def scene(self, i):
        """Scene i as arrays: picture uint8 (H, W, 3), instance uint8 (H, W), labels int64 (animals,)."""
        if not -self.length <= i < self.length:
            raise IndexError(f"scene {i} of {self.length}")
        height, width = self.size
        key = [self.seed, i % self.length, SPLITS.index(self.split)]
        rng = np.random.default_rng(key)
        canvas = _backdrop(_levels(self._backgrounds[rng.integers(len(self._backgrounds))]["file"]), height, width, rng)
        count = rng.integers(self.animals[0], self.animals[1] + 1)
        chosen = rng.choice(len(self._cutouts), size=count, replace=False)
        instance, labels, areas = np.zeros((height, width), np.uint8), [], []
        for k, row in enumerate(self._cutouts[c] for c in chosen):
            # Its own generator: what one animal draws must not depend on how often another was moved.
            layer, mine = _place(_levels(row["file"]), instance, areas, count, np.random.default_rng([*key, k]))
            if layer is None:
                continue
            canvas = canvas * (1 - layer[..., 3:] / 255) + layer[..., :3]
            labels.append(SEMANTIC.index(row["class"]))
            areas.append(np.count_nonzero(mine))
            instance[mine] = len(labels)
        return np.clip(canvas + 0.5, 0, 255).astype(np.uint8), instance, np.array(labels, np.int64)


class NoPets(RuntimeError):
    """Oxford-IIIT Pet can't be had; .fact says why, and the whole sentence what to do."""

    def __init__(self, fact):
        super().__init__(f'{fact}: connect to a network, give its folder as root=, or use data="menagerie".')
        self.fact = fact


class OxfordPet(Dataset):
    """Oxford-IIIT Pet (Parkhi et al. 2012, robots.ox.ac.uk/~vgg/data/pets) behind the interface of `scenes`.

    split "train" is its trainval list, "val" its test list; `length` pictures in an order that `seed` draws
    (None: all). Pictures are resized to `size`, whatever their shape, with `Resize`.
    trimap    its values 1, 2, 3 (pet, background, border) less one.
    semantic  0 background, 1 cat, 2 dog; the border, which it leaves unclassified, is IGNORE.
    instance, boxes: it does not mark single animals, so these raise ValueError.
    download  fetch it into root/oxford-iiit-pet where it is not there. Raises NoPets where it can't be had.
    """

    def __init__(self, split="train", size=64, *, target="trimap", length=None, seed=0, transform=None, root=None,
                 download=True):
        self.split, self.size, self.target = _choice("split", split, SPLITS), _size(size), _names(target)
        for name in target if isinstance(target, (tuple, list)) else (target,):
            if name in ("instance", "boxes"):
                raise ValueError(f'Oxford-IIIT Pet marks pets, not single animals, so target="{name}" is not to be had: '
                                 'choose "trimap" or "semantic", or data="menagerie".')
        self.classes = _classes(self.target, {"trimap": TRIMAP, "semantic": PETS})
        self.transform, self.resize = transform, Resize(self.size)
        self._pets = _oxford(Path(root or Path.home() / ".cache" / "course_lib"), split, download)
        order = np.random.default_rng(_whole("seed", seed, 0)).permutation(len(self._pets))
        self._order = order if length is None else order[:_whole("length", length, 1)]

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
        wanted = self.target if isinstance(self.target, tuple) else (self.target,)
        return _item(image, {name: maps[name] for name in wanted}, self.target, self.transform)


# ---- transforms -------------------------------------------------------------------------------------------------


def _resized(thing, size):
    """v2's resize, but nearest-exact for masks: v2 gives them plain nearest, which is half a pixel off the image."""
    if not isinstance(thing, tv_tensors.Mask):
        return F.resize(thing, size, antialias=True)
    plain = thing.as_subclass(torch.Tensor)
    flat = plain.reshape(-1, 1, *plain.shape[-2:])
    small = F.resize_image(flat, size, interpolation=v2.InterpolationMode.NEAREST_EXACT)
    return tv_tensors.wrap(small.reshape(*plain.shape[:-2], *size), like=thing)


class Resize(v2.Transform):
    """Resize to exactly `size` (int or (H, W)): images bilinear and antialiased, masks nearest-exact, boxes scaled."""

    def __init__(self, size):
        super().__init__()
        self.size = list(_size(size, least=1))

    def transform(self, inpt, params):
        return _resized(inpt, self.size)


class _Crop(v2.RandomResizedCrop):
    """v2's RandomResizedCrop with masks by nearest-exact."""

    def transform(self, inpt, params):
        return _resized(F.crop(inpt, **params), list(self.size))


def augment(size, *, scale=(0.5, 1.0), degrees=15.0, flip=0.5, elastic=0.0, colour=0.0):
    """A joint random transform of image and masks, for `scenes(transform=augment(size))`.

    size     of the result, int or (H, W).
    scale    range of the crop's area, as a fraction of the picture's; its shape varies by a third.
    degrees  rotation is drawn from -degrees … degrees; 0 for none.
    flip     probability of a left-right flip.
    elastic  strength of an elastic deformation (alpha of v2.ElasticTransform, about 50 is visible); 0 for none.
    colour   strength of brightness, contrast and saturation jitter of the image, 0 … 1; 0 for none.
    Pixels that rotation or deformation brings in from outside are black, and IGNORE in every mask.
    """
    fill = {tv_tensors.Mask: IGNORE, "others": 0}  # without it v2 would label them class 0
    steps = [v2.RandomHorizontalFlip(flip)]
    if degrees:
        steps.append(v2.RandomRotation(degrees, interpolation=v2.InterpolationMode.BILINEAR, fill=fill))
    if elastic:
        steps.append(v2.ElasticTransform(alpha=float(elastic), fill=fill))
    steps.append(_Crop(list(_size(size, least=1)), scale=scale, ratio=(3 / 4, 4 / 3), antialias=True))
    if colour:
        steps.append(v2.ColorJitter(brightness=colour, contrast=colour, saturation=colour))
    return v2.Compose(steps)


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
    raise ValueError(f"stack wants at least one item with one map as its target, and got {len(indices)} item(s) of "
                     f"target={getattr(dataset, 'target', None)!r}.")


# ---- targets ----------------------------------------------------------------------------------------------------


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


def band(size):
    """Half the width of a trimap's border in px for a picture of (H, W): 1 at 64, 2 at 128, 4 at 256."""
    return max(1, round(min(size) / 64))


def trimap(instance, radius=None):
    """Oxford-IIIT Pet's trimap of an instance map: uint8 (H, W) of 0 pet, 1 background, 2 border.

    instance  array (H, W), 0 is background.
    radius    a pixel is border when another label is at most this many px away in x and in y; default `band`.
    """
    radius = band(instance.shape) if radius is None else radius
    low = high = instance
    for axis in (0, 1):
        pad = [(radius, radius) if a == axis else (0, 0) for a in (0, 1)]
        low, high = (np.pad(m, pad, mode="edge") for m in (low, high))
        span = range(instance.shape[axis])
        part = [np.take(low, span, axis), np.take(high, span, axis)]
        for shift in range(1, 2 * radius + 1):
            window = slice(shift, shift + instance.shape[axis])
            cut = (window, slice(None)) if axis == 0 else (slice(None), window)
            part = [np.minimum(part[0], low[cut]), np.maximum(part[1], high[cut])]
        low, high = part
    return np.where(low != high, 2, instance == 0).astype(np.uint8)


def _item(picture, maps, names, transform, labels=None):
    """(image, target) as `scenes` promises, from a picture and its maps."""
    image = picture if isinstance(picture, torch.Tensor) else tv_tensors.Image(torch.from_numpy(picture).permute(2, 0, 1))
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
    return {"boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
            "labels": torch.tensor([int(labels[k - 1]) for k in present], dtype=torch.int64)}


# ---- composition ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def index():
    """The pack's table, a list of dicts: file, name, class, split, package, source, author, licence."""
    text = (files("course_lib") / "menagerie" / "index.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@lru_cache(maxsize=None)
def _levels(file):
    """A picture of the pack and its halves, quarters, … (decoded once, on first use).

    A cut-out is premultiplied ("RGBa"), so that no hidden colour bleeds into an edge when it is scaled,
    and has 8 clear px around it, because Pillow's affine transform does not fade the last pixel out.
    """
    with (files("course_lib") / "menagerie" / file).open("rb") as opened:
        image = Image.open(opened)
        if file.startswith("cutouts/"):
            image = image.convert("RGBA").convert("RGBa")
            framed = Image.new("RGBa", (image.width + 16, image.height + 16))
            framed.paste(image, (8, 8))
            image = framed
        else:
            image = image.convert("RGB")
    levels = [image]
    while min(levels[-1].size) >= 24 and len(levels) < 6:
        levels.append(levels[-1].reduce(2))
    return levels


def _backdrop(levels, height, width, rng):
    """A random part of a photograph, flipped or not, in another light: float32 (height, width, 3) in 0 … 255."""
    full = levels[0]
    zoom, u, v = rng.uniform(0.4, 1.0), rng.random(), rng.random()
    crop_height = zoom * min(full.height, full.width * height / width)
    crop_width = crop_height * width / height
    x, y = u * (full.width - crop_width), v * (full.height - crop_height)
    level = min(len(levels) - 1, max(0, int(math.log2(max(1, crop_height / height)))))
    box = [c / 2**level for c in (x, y, x + crop_width, y + crop_height)]
    box = [min(c, side) for c, side in zip(box, levels[level].size * 2)]
    image = np.asarray(levels[level].resize((width, height), Image.Resampling.BILINEAR, box=box), np.float32)
    if rng.random() < 0.5:
        image = image[:, ::-1]
    grey = image.mean(-1, keepdims=True)
    image = grey + np.float32(rng.uniform(0.7, 1.1)) * (image - grey)
    return np.clip(image * _light(rng, 0.15), 0, 255)


def _light(rng, spread):
    """Random gains of red, green and blue: mostly brightness, a little colour."""
    return (rng.uniform(1 - spread, 1 + spread) * rng.uniform(0.9, 1.1, size=3)).astype(np.float32)


def _place(levels, instance, areas, count, rng):
    """An animal's layer, float32 (H, W, 4) premultiplied, and its pixels, bool (H, W); None, None if nothing fits."""
    height, width = instance.shape
    cutout_width, cutout_height = levels[0].width - 16, levels[0].height - 16
    flip, angle, light = rng.random() < 0.5, math.radians(rng.uniform(-15, 15)), _light(rng, 0.1)
    cos, sin = math.cos(angle), math.sin(angle)
    box_width = cutout_width * cos + cutout_height * abs(sin)
    box_height = cutout_width * abs(sin) + cutout_height * cos
    fill = rng.uniform(0.65, 1.0) * count**-0.4  # of the frame, by the side that fills it more
    for _ in range(10):
        scale = fill * min(width / box_width, height / box_height)
        # Up to 8 % of an animal may lie outside the frame.
        x, y = (0.42 * b * scale + rng.random() * (side - 0.84 * b * scale)
                for b, side in ((box_width, width), (box_height, height)))
        layer = _drawn(levels, height, width, x, y, scale, cos, sin, flip)
        mine = layer[..., 3] >= 128
        left = np.bincount(instance[~mine], minlength=len(areas) + 1)[1:]
        if mine.any() and all(l >= 0.5 * a for l, a in zip(left, areas)):
            layer = layer.astype(np.float32)
            layer[..., :3] *= light
            return layer, mine
        fill *= 0.9
    return None, None


def _drawn(levels, height, width, x, y, scale, cos, sin, flip):
    """A cut-out scaled, turned, flipped and centred at (x, y) of a clear frame: uint8 (height, width, 4)."""
    level = min(len(levels) - 1, max(0, round(math.log2(1 / scale))))
    image, inverse = levels[level], 1 / (scale * 2**level)
    middle_x, middle_y = (side / 2 / 2**level for side in levels[0].size)
    # Pillow asks where in the picture each pixel of the frame comes from, so this is the inverse map.
    a, b, d, e = cos * inverse, sin * inverse, -sin * inverse, cos * inverse
    if flip:
        a, b = -a, -b
    affine = (a, b, middle_x - a * x - b * y, d, e, middle_y - d * x - e * y)
    return np.asarray(image.transform((width, height), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR))


# ---- arguments --------------------------------------------------------------------------------------------------


def _choice(what, value, allowed):
    if value not in allowed:
        raise ValueError(f"{what} is {value!r}: choose one of {', '.join(map(repr, allowed))}.")
    return value


def _whole(what, value, least):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{what} is {value!r}: give a whole number of at least {least}.")
    return int(value)


def _size(size, least=8):
    pair = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
    if len(pair) != 2 or any(isinstance(s, bool) or not isinstance(s, (int, np.integer)) or s < least for s in pair):
        raise ValueError(f"size is {size!r}: give a whole number of pixels or (height, width), each at least {least}.")
    return tuple(int(s) for s in pair)


def _range(animals):
    pair = tuple(animals) if isinstance(animals, (tuple, list)) else (animals, animals)
    if len(pair) != 2 or not all(isinstance(n, (int, np.integer)) and 1 <= n <= 12 for n in pair) or pair[0] > pair[1]:
        raise ValueError(f"animals is {animals!r}: give a number from 1 to 12, or (lowest, highest).")
    return pair


def _names(target):
    names = tuple(target) if isinstance(target, (tuple, list)) else (target,)
    for name in names or (target,):
        _choice("target", name, (*MAPS, "boxes"))
    return names if isinstance(target, (tuple, list)) else target


def _classes(target, known):
    names = target if isinstance(target, tuple) else (target,)
    first = next((name for name in names if name in MAPS), names[0])
    return known.get(first, ("background", "animal"))


def _oxford(root, split, download):
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
