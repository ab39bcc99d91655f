"""Menagerie: scenes composed from photographs of animals, cut out exactly, and of landscapes."""

import csv
import functools
import math
from importlib.resources import files

import numpy as np
from PIL import Image
from torch.utils.data import Dataset

from course_lib.labels import SEMANTIC, TRIMAP

from .items import SPLITS, choice, class_names, count_range, make_item, names_of, side_pair, target_names, whole

PACK = files("course_lib.data") / "menagerie"


class Menagerie(Dataset):
    """Scenes of animals cut out of photographs and set on photographs; arguments and items as in `scenes`.

    trimap    0 pet: an animal; 1 background; 2 border: less than `band(size)` + 1 px from a pixel of something else,
              on both sides of an outline and between two animals that touch too. The frame is no outline
    semantic  0 background, else the animal's class, an index into SEMANTIC
    instance  0 background, else 1, 2, … from back to front; later animals hide earlier ones

    A pixel is an animal's where its alpha is at least a half. An animal that would hide more than half of another
    is moved or made smaller; if that fails ten times, it is left out.
    """

    def __init__(self, split="train", size=64, *, target="trimap", animals=1, length=1000, seed=0, transform=None):
        self.split, self.size, self.target = choice("split", split, SPLITS), side_pair(size), target_names(target)
        self.animals, self.transform = count_range(animals), transform
        self.length, self.seed = whole("length", length, 1), whole("seed", seed, 0)
        self.classes = class_names(self.target, {"trimap": TRIMAP, "semantic": SEMANTIC, "boxes": SEMANTIC})
        rows = [row for row in index() if row["split"] == split]
        self._cutouts = [row for row in rows if row["class"] != "background"]
        self._backgrounds = [row for row in rows if row["class"] == "background"]

    def __len__(self):
        return self.length

    def __getitem__(self, i):
        picture, instance, labels = self.scene(i)
        maps = {}
        for name in names_of(self.target):
            if name == "trimap":
                maps[name] = trimap(instance)
            elif name == "semantic":
                maps[name] = np.concatenate(([0], labels))[instance]
            else:
                maps["instance"] = instance  # boxes are measured from it, after the transform
        return make_item(picture, maps, self.target, self.transform, labels)

    def scene(self, i):
        """Scene i as arrays: picture uint8 (H, W, 3), instance uint8 (H, W), labels int64 (animals,)."""
        if not -self.length <= i < self.length:
            raise IndexError(f"scene {i} of {self.length}")
        height, width = self.size
        key = [self.seed, i % self.length, SPLITS.index(self.split)]
        rng = np.random.default_rng(key)
        behind = self._backgrounds[rng.integers(len(self._backgrounds))]
        canvas = _backdrop(_levels(behind["file"]), height, width, rng)
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


def band(size):
    """Half the width of a trimap's border in px for a picture of (H, W): 1 at 64, 2 at 128, 4 at 256."""
    return max(1, round(min(size) / 64))


def trimap(instance, radius=None):
    """Oxford-IIIT Pet's trimap of an instance map: uint8 (H, W) of 0 pet, 1 background, 2 border.

    instance  array (H, W), 0 is background
    radius    a pixel is border when another label is at most this many px away in x and in y; by default `band`
    """
    radius = band(instance.shape) if radius is None else radius
    low = high = instance
    for axis in (0, 1):  # the least and the largest label around each pixel, along columns and then along rows
        low, high = (_around(m, radius, axis, pick) for m, pick in ((low, np.minimum), (high, np.maximum)))
    return np.where(low != high, 2, instance == 0).astype(np.uint8)


def _around(labels, radius, axis, pick):
    """The minimum or maximum (`pick`) of the labels up to `radius` px away along one axis; the border goes on."""
    pad = [(radius, radius) if a == axis else (0, 0) for a in (0, 1)]
    padded, length = np.pad(labels, pad, mode="edge"), labels.shape[axis]
    windows = (slice(shift, shift + length) for shift in range(2 * radius + 1))
    return functools.reduce(pick, (padded[w] if axis == 0 else padded[:, w] for w in windows))


@functools.lru_cache(maxsize=1)
def index():
    """The pack's table, a list of dicts: file, name, class, split, package, source, author, licence."""
    text = (PACK / "index.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


# --- composition --------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=None)
def _levels(file):
    """A picture of the pack and its halves, quarters, … (decoded once, on first use).

    A cut-out is premultiplied ("RGBa"), so that no hidden colour bleeds into an edge when it is scaled,
    and has 8 clear px around it, because Pillow's affine transform does not fade the last pixel out.
    """
    with (PACK / file).open("rb") as opened:
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
        x, y = (
            0.42 * b * scale + rng.random() * (side - 0.84 * b * scale)
            for b, side in ((box_width, width), (box_height, height))
        )
        layer = _drawn(levels, height, width, x, y, scale, cos, sin, flip)
        mine = layer[..., 3] >= 128
        left = np.bincount(instance[~mine], minlength=len(areas) + 1)[1:]
        if mine.any() and all(rest >= 0.5 * area for rest, area in zip(left, areas)):
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
