"""DeepLab: a segmenter that keeps its resolution, by dilation, and looks around itself at several rates at once.

The backbone's last strides become dilation (`dilate`), so that its map stays at output stride 16 or 8. ASPP, atrous
spatial pyramid pooling, reads that map by a 1x1 convolution, three dilated 3x3 ones and an average over the image.
DeepLabv3 scores the result and enlarges the scores. v3+ has a decoder: it enlarges to stride 4, where the backbone's
map still knows the edges, takes in a thin version of that map, and only then scores.

    stride  2 - 4 ------------ 8 - 16 - 16
                |                        |
             1x1, few channels         ASPP
                |                        |
    logits <- x4 <- 3x3 <- 3x3 <- concat <- x4 (v3+)
    logits <- x16 ------------------ score (v3)

After Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation" (2017), v3, and "Encoder-Decoder
with Atrous Separable Convolution for Semantic Image Segmentation" (2018), v3+. What differs: the backbone is small, and
so are the channels (4 base for the paper's 256, base for its 48); convolutions are plain, not separable; and a map is
enlarged by its stride and cut to the image, where torchvision stretches it to the image's size: the same where the
stride divides that size.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from .backbone import Backbone, dilate
from .errors import check_choice, check_counts, check_images, check_single
from .fcn import Enlarge


def conv_bn_relu(in_channels, out_channels, kernel=1, dilation=1):
    """Convolution, batch normalisation, ReLU, at the size of the map: (B, in, H, W) -> (B, out, H, W)."""
    padding = dilation * (kernel - 1) // 2
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, padding=padding, dilation=dilation, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class Pooled(nn.Sequential):
    """The map averaged over bins x bins parts, convolved 1x1, and back to its size: (B, C, H, W) -> (B, out, H, W)."""

    def __init__(self, in_channels, out_channels, bins=1):
        super().__init__(nn.AdaptiveAvgPool2d(bins), conv_bn_relu(in_channels, out_channels))

    def forward(self, x):
        return F.interpolate(super().forward(x), size=x.shape[-2:], mode="bilinear", align_corners=False)


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling: (B, in_channels, H, W) -> (B, out_channels, H, W).

    rates    dilations of the 3x3 branches, in cells of the map; a rate of at least H and W leaves only the centre tap
    dropout  share of the result's values that training drops (torchvision: 0.5)

    `.branches` is a 1x1 convolution, one dilated one for each rate, and the image's average, each with batch
    normalisation and ReLU: without those the sum of them all would be one affine map. `.project` joins them.
    A batch of one cannot be trained: the average leaves batch normalisation one value a channel.
    """

    kind = "bottleneck"

    def __init__(self, in_channels, out_channels, rates=(6, 12, 18), dropout=0.1):
        super().__init__()
        check_counts(in_channels=in_channels, out_channels=out_channels)
        check_counts(**{f"rate {i}": rate for i, rate in enumerate(rates, 1)})
        self.branches = nn.ModuleList([conv_bn_relu(in_channels, out_channels)])
        self.branches.extend(conv_bn_relu(in_channels, out_channels, 3, rate) for rate in rates)
        self.branches.append(Pooled(in_channels, out_channels))
        joined = len(self.branches) * out_channels
        self.project = nn.Sequential(*conv_bn_relu(joined, out_channels), nn.Dropout(dropout))

    def forward(self, x):
        return self.project(torch.cat([branch(x) for branch in self.branches], dim=1))


class Decoder(nn.Module):
    """v3+'s decoder: enlarge, take in a finer map, convolve 3x3 twice. (B, C, h, w), (B, c, H, W) -> (B, C, H, W)."""

    skip = "concat"

    def __init__(self, channels, fine_channels, few, factor):
        super().__init__()
        self.reduce = conv_bn_relu(fine_channels, few)  # few, or else the fine map drowns the one that knows
        self.enlarge = Enlarge(factor)
        self.conv = nn.Sequential(conv_bn_relu(few + channels, channels, 3), conv_bn_relu(channels, channels, 3))

    def forward(self, x, fine):
        return self.conv(torch.cat([self.reduce(fine), self.enlarge(x, fine.shape[-2:])], dim=1))


class DeepLab(nn.Module):
    """DeepLabv3+ (or v3) on a small backbone: (B, in_channels, H, W) -> logits (B, classes, H, W), any H and W.

    classes        channels of the logits
    in_channels    channels of the image
    base           channels of the backbone's first stage; ASPP and decoder have 4 base
    output_stride  16, 8, or 32 (no stride is traded): how many pixels a cell of the last map is wide
    rates          of ASPP, by default the paper's 6, 12, 18 at output stride 16, and the doubles at 8, which reach as
                   many pixels
    decoder        True: v3+; False: v3
    backbone       a module with the interface of Backbone, of which a dilated copy is used; in_channels is then not

    ValueError says a wrong argument or image in a sentence. A batch of one cannot be trained: image pooling leaves
    batch normalisation one value a channel.
    """

    def __init__(self, classes=3, in_channels=3, base=16, output_stride=16, rates=None, decoder=True, backbone=None):
        super().__init__()
        check_counts(classes=classes, base=base)
        check_choice("output_stride", output_stride, (32, 16, 8))
        if rates is None:
            rates = (12, 24, 36) if output_stride == 8 else (6, 12, 18)
        self.backbone = dilate(backbone or Backbone(in_channels, base), output_stride)
        channels = self.backbone.channels
        self.aspp = ASPP(channels[4], 4 * base, rates)
        self.decoder = Decoder(4 * base, channels[1], base, output_stride // 4) if decoder else None
        self.score = nn.Conv2d(4 * base, classes, 1)
        self.enlarge = Enlarge(4 if decoder else output_stride)

    def forward(self, x):
        check_images(x, self.backbone.in_channels)
        check_single(self, x)
        maps = self.backbone(x)
        y = self.aspp(maps[4])
        if self.decoder:
            y = self.decoder(y, maps[1])
        return self.enlarge(self.score(y), x.shape[-2:])

    @property
    def stages(self):
        """The network as a list of (name, module) in the order that data flows through them."""
        decoder = [("decoder", self.decoder)] if self.decoder else []
        ends = [("head", self.score), ("enlarge", self.enlarge)]
        return [*self.backbone.stages, ("ASPP", self.aspp), *decoder, *ends]
