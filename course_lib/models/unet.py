"""An encoder-decoder and a U-Net, to be read from top to bottom.

One network serves both. The encoder halves the map `depth` times and doubles the channels each time; the decoder
undoes that, level by level. A U-Net is the same network with skips: each decoder level also gets the encoder's map
of its own size. Without skips it is a plain encoder-decoder: all that the decoder knows came through the bottleneck.

    image 64x64                                                     logits 64x64
      encoder 1  64x64  base ---------------- skip -----------> decoder 1 - head
        encoder 2  32x32  2 base ------------ skip -------> decoder 2
          encoder 3  16x16  4 base ---------- skip ---> decoder 3
            encoder 4  8x8  8 base ---------- skip -> decoder 4
                                bottleneck  4x4  16 base

After Ronneberger, Fischer, Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation" (2015), with two
changes that are now usual: convolutions are padded, so that the logits have the size of the image (the original turns
572 pixels into 388), and each is followed by batch normalisation.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from .errors import check_choice, check_counts, check_images

UPSAMPLES = ("transposed", "bilinear", "pixel_shuffle", "nearest")
SKIPS = ("concat", "add", "none", "zero")


class DoubleConv(nn.Sequential):
    """Twice: 3x3 convolution, batch normalisation, ReLU. (B, in, H, W) -> (B, out, H/stride, W/stride), rounded up."""

    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__(
            # No bias: batch normalisation subtracts the mean, and any bias with it.
            nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


def upsampling(kind, in_channels, out_channels):
    """A module that doubles H and W and changes the channels: (B, in, H, W) -> (B, out, 2H, 2W)."""
    if kind == "transposed":
        # Kernel 2, stride 2: each pixel paints a 2x2 block of its own, and no two blocks overlap.
        return nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2)
    if kind == "pixel_shuffle":
        # The same map in other clothes: four times the channels, then laid out as 2x2 blocks (Shi et al. 2016).
        return nn.Sequential(nn.Conv2d(in_channels, 4 * out_channels, 1), nn.PixelShuffle(2))
    # Resize, then convolve (Odena et al. 2016). The 1x1 convolution only changes the channels: it gives the same
    # result before the resize as after it, and costs a quarter there. The 3x3 ones follow in DoubleConv.
    resize = nn.Upsample(scale_factor=2, mode=kind, align_corners=False if kind == "bilinear" else None)
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1), resize)


class Up(nn.Module):
    """One decoder level: double the size, take in the skip, DoubleConv. (B, 2c, h, w), (B, c, H, W) -> (B, c, H, W)."""

    def __init__(self, channels, upsample, skip):
        super().__init__()
        self.skip = skip
        self.upsample = upsampling(upsample, 2 * channels, channels)
        self.conv = DoubleConv(2 * channels if skip in ("concat", "zero") else channels, channels)

    def forward(self, x, skip):
        x = self.upsample(x)
        # The one place that deals with sizes that 2^depth does not divide. Pooling rounds down, 65 -> 32, so doubling
        # gives 64: one row or column too few. Repeat the last one. (Without an `if`, so that export keeps it.)
        height, width = skip.shape[-2:]
        x = F.pad(x, (0, width - x.shape[-1], 0, height - x.shape[-2]), mode="replicate")
        if self.skip == "concat":
            x = torch.cat([skip, x], dim=1)  # the encoder's channels first, then the decoder's
        elif self.skip == "add":
            x = skip + x
        elif self.skip == "zero":  # as many weights as "concat", and nothing to see through them
            x = torch.cat([torch.zeros_like(skip), x], dim=1)
        return self.conv(x)

    def extra_repr(self):
        return f"skip={self.skip!r}"


class EncoderDecoder(nn.Module):
    """Encoder and decoder with a choice of skips, by default none: (B, in_channels, H, W) -> logits (B, classes, H, W).

    classes      channels of the logits
    in_channels  channels of the image
    base         channels of the first level; level i has base * 2^i, the bottleneck base * 2^depth
    depth        how many times the map is halved
    upsample     "transposed" (2x2, stride 2), "pixel_shuffle", "bilinear" or "nearest"
    skip         "concat", "add", "none", or "zero": the weights of "concat" with the encoder's maps replaced by zeros

    Any H and W of at least 2^depth; a bottleneck of 1x1 cannot be trained with a batch of one (batch normalisation
    needs two values a channel). ValueError says so in a sentence, and likewise names a wrong argument.
    """

    def __init__(self, classes=3, in_channels=3, base=16, depth=4, upsample="transposed", skip="none"):
        super().__init__()
        check_counts(classes=classes, in_channels=in_channels, base=base, depth=depth)
        check_choice("upsample", upsample, UPSAMPLES)
        check_choice("skip", skip, SKIPS)
        self.in_channels, self.depth = in_channels, depth
        channels = [base * 2**level for level in range(depth)]
        self.encoder = nn.ModuleList(DoubleConv(i, o) for i, o in zip([in_channels] + channels, channels))
        self.pool = nn.MaxPool2d(2)
        self.bottleneck = DoubleConv(channels[-1], 2 * channels[-1])
        self.decoder = nn.ModuleList(Up(c, upsample, skip) for c in reversed(channels))
        self.head = nn.Conv2d(base, classes, 1)

    def forward(self, x):
        self._check(x)
        skips = []
        for stage in self.encoder:
            x = stage(x)
            skips.append(x)  # saved before pooling, at full detail
            x = self.pool(x)
        x = self.bottleneck(x)
        for stage in self.decoder:
            x = stage(x, skips.pop())  # last saved, first used
        return self.head(x)

    @property
    def stages(self):
        """The network as a list of (name, module) in the order that data flows through them."""
        return [
            *((f"encoder {i}", stage) for i, stage in enumerate(self.encoder, 1)),
            ("bottleneck", self.bottleneck),
            *((f"decoder {self.depth - i}", stage) for i, stage in enumerate(self.decoder)),
            ("head", self.head),
        ]

    def _check(self, x):
        """Say in one sentence what the convolutions would say in three."""
        check_images(x, self.in_channels)
        least = 2**self.depth
        height, width = x.shape[-2:]
        if height < least or width < least:
            raise ValueError(
                f"A network of depth {self.depth} needs images of at least {least}x{least} pixels, not "
                f"{height}x{width}; use a larger image or a smaller depth."
            )
        if self.training and x.shape[0] == 1 and height < 2 * least and width < 2 * least:
            raise ValueError(
                f"One image of {height}x{width} leaves one pixel in the bottleneck, too few for batch normalisation to "
                "train on; use a larger batch or image, a smaller depth, or net.eval()."
            )


class UNet(EncoderDecoder):
    """The encoder-decoder with skips by concatenation; arguments, shapes and errors as there."""

    def __init__(self, classes=3, in_channels=3, base=16, depth=4, upsample="transposed", skip="concat"):
        super().__init__(classes, in_channels, base, depth, upsample, skip)
