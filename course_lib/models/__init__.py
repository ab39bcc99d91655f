"""The networks of the course, each in a file that reads from top to bottom, and what measures them."""

from .backbone import Backbone, ResNetBackbone, dilate
from .deeplab import ASPP, DeepLab
from .fcn import FCN, Classifier, bilinear_kernel, refine
from .fields import paths, seen
from .pretrained import PRETRAINED, Pretrained, merge, pretrained
from .pspnet import PSPNet, PyramidPooling
from .shapes import Stage, activation_bytes, count_parameters, evaluating, layers_run, one_memory, trace
from .unet import SKIPS, UPSAMPLES, DoubleConv, EncoderDecoder, UNet, Up, upsampling
from .weights import shipped, weights

__all__ = [
    "Backbone", "ResNetBackbone", "dilate",
    "ASPP", "DeepLab",
    "FCN", "Classifier", "bilinear_kernel", "refine",
    "PRETRAINED", "Pretrained", "merge", "pretrained",
    "PSPNet", "PyramidPooling",
    "paths", "seen",
    "Stage", "activation_bytes", "count_parameters", "evaluating", "layers_run", "one_memory", "trace",
    "SKIPS", "UPSAMPLES", "DoubleConv", "EncoderDecoder", "UNet", "Up", "upsampling",
    "shipped", "weights",
]  # fmt: skip
