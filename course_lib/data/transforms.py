"""Joint transforms: whatever happens to a picture happens to its masks and boxes."""

import torch
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from course_lib.labels import IGNORE

from .items import side_pair


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
        self.size = list(side_pair(size, least=1))

    def transform(self, inpt, params):
        return _resized(inpt, self.size)


class _Crop(v2.RandomResizedCrop):
    """v2's RandomResizedCrop with masks by nearest-exact."""

    def transform(self, inpt, params):
        return _resized(F.crop(inpt, **params), list(self.size))


def augment(size, *, scale=(0.5, 1.0), degrees=15.0, flip=0.5, elastic=0.0, colour=0.0):
    """A joint random transform of image and masks, for `scenes(transform=augment(size))`.

    size     of the result, int or (H, W)
    scale    range of the crop's area, as a fraction of the picture's; its shape varies by a third
    degrees  rotation is drawn from -degrees … degrees; 0 for none
    flip     probability of a left-right flip
    elastic  strength of an elastic deformation (alpha of v2.ElasticTransform, about 50 is visible); 0 for none
    colour   strength of brightness, contrast and saturation jitter of the image, 0 … 1; 0 for none

    Pixels that rotation or deformation brings in from outside are black, and IGNORE in every mask.
    """
    fill = {tv_tensors.Mask: IGNORE, "others": 0}  # without it v2 would label them class 0
    steps = [v2.RandomHorizontalFlip(flip)]
    if degrees:
        steps.append(v2.RandomRotation(degrees, interpolation=v2.InterpolationMode.BILINEAR, fill=fill))
    if elastic:
        steps.append(v2.ElasticTransform(alpha=float(elastic), fill=fill))
    steps.append(_Crop(list(side_pair(size, least=1)), scale=scale, ratio=(3 / 4, 4 / 3), antialias=True))
    if colour:
        steps.append(v2.ColorJitter(brightness=colour, contrast=colour, saturation=colour))
    return v2.Compose(steps)
