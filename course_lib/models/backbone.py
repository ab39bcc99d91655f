"""A small backbone that five networks share, and how to trade its strides for dilation.

A backbone is the part of a classifier that comes before the classes: it halves the map five times, and gives all five
maps, from the finest, at stride 2, to the coarsest, at stride 32. FCN, DeepLab and PSPNet differ in what they do next.
"""

import copy

import torch.nn as nn

from .errors import check_choice, check_counts
from .unet import DoubleConv


class Backbone(nn.Module):
    """Five stages, each of which halves the map: (B, in_channels, H, W) -> list of five maps, the finest first.

    The maps have strides 2, 4, 8, 16, 32, sizes H/stride x W/stride rounded up, `.channels` base * (1, 2, 4, 8, 8).
    The first convolution of a stage has stride 2. So there is no pooling, and `dilate` can turn every stride into
    dilation.
    """

    def __init__(self, in_channels=3, base=16):
        super().__init__()
        check_counts(in_channels=in_channels, base=base)
        self.in_channels = in_channels
        self.channels = [base * times for times in (1, 2, 4, 8, 8)]
        before = [in_channels] + self.channels
        self.encoder = nn.ModuleList(DoubleConv(i, o, stride=2) for i, o in zip(before, self.channels))

    def forward(self, x):
        maps = []
        for stage in self.encoder:
            x = stage(x)
            maps.append(x)
        return maps

    @property
    def stages(self):
        """The backbone as a list of (name, module) in the order that data flows through them."""
        return [(f"encoder {i}", stage) for i, stage in enumerate(self.encoder, 1)]


class ResNetBackbone(Backbone):
    """A torchvision ResNet (its modules, not a copy) as a backbone: the same five maps, without pooling and classes."""

    def __init__(self, resnet):
        nn.Module.__init__(self)
        stem = nn.Sequential(resnet.conv1, resnet.bn1, resnet.relu)
        first = nn.Sequential(resnet.maxpool, resnet.layer1)
        self.encoder = nn.ModuleList([stem, first, resnet.layer2, resnet.layer3, resnet.layer4])
        convs = [[m for m in stage.modules() if isinstance(m, nn.Conv2d)] for stage in self.encoder]
        self.in_channels = convs[0][0].in_channels
        self.channels = [stage[-1].out_channels for stage in convs]


def dilate(backbone, output_stride):
    """A copy of a backbone whose map is nowhere coarser than output_stride: later strides become dilation.

    backbone       a Backbone, or a torchvision ResNet of bottleneck blocks: any module that strides by convolutions,
                   holds its layers in the order that data flows through them, and a shortcut after what it bridges
    output_stride  32, 16 or 8

    The weights are kept: only strides, dilations and paddings change. A convolution that loses its stride reads the
    same map as before, and keeps its dilation; every 3x3 convolution after it reads a map twice as fine, and steps over
    every second cell. The result is torchvision's `replace_stride_with_dilation`, to the bit.

    In evaluation mode the new map holds the old one exactly, at every second row and column for each stride lost, and
    at the rim too; the cells between are new. What is computed over the whole map is not kept: batch statistics in
    training, and an average over it. ValueError: another output_stride, or a pooling layer beyond it.

    After Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation" (2017), section 3.1.
    """
    check_choice("output_stride", output_stride, (32, 16, 8))
    backbone = copy.deepcopy(backbone)
    stride, dilation = 1, 1  # so far: the map's stride in the image, and how far apart old neighbours lie in it
    for layer in backbone.modules():
        if isinstance(layer, (nn.MaxPool2d, nn.AvgPool2d)):
            stride *= layer.stride if isinstance(layer.stride, int) else layer.stride[0]
            if stride > output_stride or dilation > 1:
                raise ValueError(
                    "dilate turns the strides of convolutions into dilation, and this backbone has a "
                    f"{type(layer).__name__} beyond output stride {output_stride}; use another backbone."
                )
        elif isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1):
            if dilation > 1:  # a shortcut: it drops the stride that the convolutions beside it have dropped
                layer.stride = (1, 1)
        elif isinstance(layer, nn.Conv2d):
            step = layer.stride[0]
            layer.dilation = tuple(d * dilation for d in layer.dilation)
            layer.padding = tuple(p * dilation for p in layer.padding)
            if stride * step <= output_stride:
                stride *= step
            else:
                layer.stride = (1, 1)
                dilation *= step
    return backbone
