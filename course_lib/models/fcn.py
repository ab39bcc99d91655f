"""FCN: a classifier turned into a segmenter, which adds a few finer predictions to its coarse ones.

Every cell of the backbone's coarsest map is scored for every class by a 1x1 convolution; the scores, enlarged 32 times,
are FCN-32s. FCN-16s doubles their size, adds the scores of the map at stride 16, and enlarges the sum 16 times; FCN-8s
doubles and adds once more, and enlarges 8 times.

    stride  2 - 4 - 8 ------ 16 ----- 32
                    |         |        |
                  score     score    score
                    |         |        |
    logits <- x8 -- + <- x2 - + <- x2 -'

After Long, Shelhamer, Darrell, "Fully Convolutional Networks for Semantic Segmentation" (2015). As there, doublings are
transposed convolutions that start as bilinear interpolation and learn, the last enlargement stays bilinear, and finer
scores start at zero. What differs: the backbone is small and has no fully connected layers before the scores; maps are
continued beyond their rim by their last row and column, not by zeros; and a 32s enlarges by 2, 2 and 8 in turn (the
paper: by 32 at once), a 16s by 2 and 8, so that a 16s that `refine` makes from a 32s starts with its very predictions.
"""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F

from .backbone import Backbone
from .errors import check_batch, check_choice, check_counts, check_images


def bilinear_kernel(channels, stride):
    """Weights with which a transposed convolution enlarges each channel by itself, bilinearly, `stride` times.

    Returns float32 (channels, channels, k, k) with k = 2 stride, or 2 stride - 1 where the stride is odd, for
    nn.ConvTranspose2d(channels, channels, k, stride, padding=stride // 2). The result is that of F.interpolate with
    mode="bilinear" and align_corners=False, but for the rim, where half a cell fades towards zero.
    """
    check_counts(channels=channels, stride=stride)
    size = 2 * stride - stride % 2
    hat = 1 - (torch.arange(size) - (size - 1) / 2).abs() / stride
    return torch.eye(channels)[:, :, None, None] * torch.outer(hat, hat)


def cut(x, size):
    """The map without the last rows and columns that a size (H, W) has no room for."""
    # By negative padding: in an exported net, a slice would hold for sizes alone that it cuts as it cut the example.
    return F.pad(x, (0, size[1] - x.shape[-1], 0, size[0] - x.shape[-2]))


class Double(nn.ConvTranspose2d):
    """Double the size, at first bilinearly, and learn to do better: (B, C, h, w) -> (B, C, 2h, 2w)."""

    def __init__(self, channels):
        super().__init__(channels, channels, 4, stride=2, padding=3, bias=False)
        with torch.no_grad():
            self.weight.copy_(bilinear_kernel(channels, 2))

    def forward(self, x):
        # Repeat the rim, and cut what it becomes (padding 3 is the kernel's 1 and those 2): nothing fades to zero.
        return super().forward(F.pad(x, (1, 1, 1, 1), mode="replicate"))


class Fuse(nn.Module):
    """Double the scores' size, add those of a finer map: (B, classes, h, w), (B, C, H, W) -> (B, classes, H, W)."""

    skip = "add"

    def __init__(self, channels, classes):
        super().__init__()
        self.upsample = Double(classes)
        self.score = nn.Conv2d(channels, classes, 1)
        nn.init.zeros_(self.score.weight)  # so that a finer net starts with the predictions of the coarser one
        nn.init.zeros_(self.score.bias)

    def forward(self, scores, fine):
        # An odd map was halved to its larger half, so the double is one row too many.
        return cut(self.upsample(scores), fine.shape[-2:]) + self.score(fine)


class Enlarge(nn.Module):
    """Enlarge by each factor in turn, bilinearly, and each time cut to a size: (B, C, h, w) -> (B, C, *last size).

    A cell of the map stands for `factor` rows and columns, also where the last ones lie beyond the image's end.
    """

    def __init__(self, *factors):
        super().__init__()
        self.factors = factors

    def forward(self, x, *sizes):
        for factor, size in zip(self.factors, sizes):
            x = cut(F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False), size)
        return x

    def extra_repr(self):
        return ", ".join(map(str, self.factors))


class FCN(nn.Module):
    """FCN-32s, 16s or 8s on a small backbone: (B, in_channels, H, W) -> logits (B, classes, H, W), any H and W.

    classes      channels of the logits
    in_channels  channels of the image
    base         channels of the backbone's first stage
    stride       32, 16 or 8: of the finest map that is scored
    backbone     a module with the interface of Backbone, used as it is; in_channels and base are then not

    ValueError says a wrong argument or image in a sentence. Training needs two values a channel in the coarsest map
    (batch normalisation): a larger batch than one, or an image of more than 32x32.
    """

    def __init__(self, classes=3, in_channels=3, base=16, stride=8, backbone=None):
        super().__init__()
        check_counts(classes=classes)
        check_choice("stride", stride, (32, 16, 8))
        self.stride = stride
        self.backbone = backbone or Backbone(in_channels, base)
        channels = self.backbone.channels
        self.score = nn.Conv2d(channels[4], classes, 1)
        finer = {32: [], 16: [channels[3]], 8: [channels[3], channels[2]]}[stride]
        self.decoder = nn.ModuleList(Fuse(c, classes) for c in finer)
        self.enlarge = Enlarge(*(2, 2, 8)[len(finer) :])

    def forward(self, x):
        check_images(x, self.backbone.in_channels)
        check_batch(self, x, 32)
        maps = self.backbone(x)
        scores = self.score(maps[4])
        for fuse, fine in zip(self.decoder, (maps[3], maps[2])):
            scores = fuse(scores, fine)
        sizes = [fine.shape[-2:] for fine in (maps[3], maps[2], x)]
        return self.enlarge(scores, *sizes[len(self.decoder) :])

    @property
    def stages(self):
        """The network as a list of (name, module) in the order that data flows through them."""
        return [
            *self.backbone.stages,
            ("head", self.score),
            *((f"decoder {stride}", fuse) for stride, fuse in zip((16, 8), self.decoder)),
            ("enlarge", self.enlarge),
        ]


def refine(net, stride):
    """A new FCN of a finer stride with the weights of `net`, copied, that starts with the predictions of `net`.

    net     FCN, trained at stride 32 or 16
    stride  16 or 8, finer than that of net; ValueError otherwise
    """
    check_choice("stride", stride, (16, 8))
    if stride >= net.stride:
        raise ValueError(
            f"refine makes a net of a finer stride, and this one has stride {net.stride} already; "
            "give a stride below that."
        )
    finer = FCN(net.score.out_channels, stride=stride, backbone=copy.deepcopy(net.backbone))
    finer.to(net.score.weight).load_state_dict(net.state_dict(), strict=False)  # what is new starts as FCN says
    return finer.train(net.training)


class Classifier(nn.Module):
    """What FCN begins with: a backbone and fully connected layers, for images of one size. -> logits (B, classes).

    classes      how many kinds of image there are
    in_channels  channels of the image
    base         channels of the backbone's first stage
    size         side of the images in pixels: a multiple of 32, for the last map is flattened
    hidden       width of the first fully connected layer

    `head` is flatten, Linear(8 base * (size / 32)^2, hidden), ReLU, Linear(hidden, classes), as in VGG, only smaller.
    """

    def __init__(self, classes, in_channels=3, base=16, size=64, hidden=64):
        super().__init__()
        check_counts(classes=classes, size=size, hidden=hidden)
        if size % 32:
            raise ValueError(f"size must be a multiple of 32, not {size}: the backbone halves it five times.")
        self.size = size
        self.backbone = Backbone(in_channels, base)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(self.backbone.channels[4] * (size // 32) ** 2, hidden),
            nn.ReLU(),
            nn.Linear(hidden, classes),
        )

    def forward(self, x):
        check_images(x, self.backbone.in_channels)
        if x.shape[-2:] != (self.size, self.size):
            raise ValueError(
                f"The fully connected layers take images of {self.size}x{self.size}, not {x.shape[-2]}x{x.shape[-1]}: "
                "they have a weight for every place."
            )
        check_batch(self, x, 32)
        return self.head(self.backbone(x)[4])

    @property
    def stages(self):
        """The network as a list of (name, module) in the order that data flows through them."""
        return [*self.backbone.stages, ("head", self.head)]
