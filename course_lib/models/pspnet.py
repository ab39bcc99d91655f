"""PSPNet: DeepLab's sibling, which looks around itself by averages over ever larger parts of the image.

After Zhao et al., "Pyramid Scene Parsing Network" (2017). What differs: the backbone and its channels are small, there
is no second loss at the backbone's fourth stage, and the map is enlarged as DeepLab's is.
"""

import torch
import torch.nn as nn

from .backbone import Backbone, dilate
from .deeplab import Pooled, conv_bn_relu
from .errors import check_choice, check_counts, check_images, check_single
from .fcn import Enlarge


class PyramidPooling(nn.Module):
    """The map beside its averages over 1, 4, 9 and 36 parts: (B, in_channels, H, W) -> (B, `.out_channels`, H, W).

    bins  rows and columns of parts for each branch; a branch has in_channels / len(bins) channels, rounded down

    A batch of one cannot be trained: one part leaves batch normalisation one value a channel.
    """

    kind = "bottleneck"

    def __init__(self, in_channels, bins=(1, 2, 3, 6)):
        super().__init__()
        check_counts(in_channels=in_channels, **{f"bin {i}": b for i, b in enumerate(bins, 1)})
        if not bins:
            raise ValueError("A pyramid needs at least one bin, such as bins=(1, 2, 3, 6).")
        if in_channels < len(bins):
            few = f"A pyramid of {len(bins)} branches needs at least {len(bins)} channels"
            raise ValueError(f"{few}, not {in_channels}.")
        share = in_channels // len(bins)
        self.branches = nn.ModuleList(Pooled(in_channels, share, b) for b in bins)
        self.out_channels = in_channels + share * len(bins)

    def forward(self, x):
        return torch.cat([x, *(branch(x) for branch in self.branches)], dim=1)


class PSPNet(nn.Module):
    """Pyramid pooling on a small backbone: (B, in_channels, H, W) -> logits (B, classes, H, W), any H and W.

    Arguments as for DeepLab; `bins` as for PyramidPooling. A batch of one cannot be trained. ValueError says so, or
    what is wrong with an argument or image, in a sentence.
    """

    def __init__(self, classes=3, in_channels=3, base=16, output_stride=8, bins=(1, 2, 3, 6), backbone=None):
        super().__init__()
        check_counts(classes=classes, base=base)
        check_choice("output_stride", output_stride, (32, 16, 8))
        self.backbone = dilate(backbone or Backbone(in_channels, base), output_stride)
        self.pyramid = PyramidPooling(self.backbone.channels[4], bins)
        mixed = conv_bn_relu(self.pyramid.out_channels, 4 * base, 3)
        self.head = nn.Sequential(mixed, nn.Dropout(0.1), nn.Conv2d(4 * base, classes, 1))
        self.enlarge = Enlarge(output_stride)

    def forward(self, x):
        check_images(x, self.backbone.in_channels)
        check_single(self, x)
        return self.enlarge(self.head(self.pyramid(self.backbone(x)[4])), x.shape[-2:])

    @property
    def stages(self):
        """The network as a list of (name, module) in the order that data flows through them."""
        return [*self.backbone.stages, ("pyramid", self.pyramid), ("head", self.head), ("enlarge", self.enlarge)]
