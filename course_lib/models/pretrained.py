"""torchvision's pretrained segmenters with the interface of the course's own: images in, logits of their size out."""

from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F

from .errors import check_choice, check_images

PRETRAINED = ("fcn_resnet50", "deeplabv3_resnet50", "lraspp_mobilenet_v3_large")


class Pretrained(nn.Module):
    """A torchvision segmenter behind its own preprocessing: images (B, 3, H, W) in [0, 1] -> logits (B, C, H, W).

    net         torchvision's model, which returns {"out": logits}
    preprocess  what its weights ask for: resize and normalise
    classes     the channels' names, "__background__" first
    """

    in_channels = 3

    def __init__(self, net, preprocess, classes):
        super().__init__()
        self.net, self.preprocess, self.classes = net, preprocess, classes

    def forward(self, x):
        check_images(x, self.in_channels)
        logits = self.net(self.preprocess(x).to(x.dtype))["out"]  # the preprocessing ends in float32
        return F.interpolate(logits, size=x.shape[-2:], mode="bilinear", align_corners=False)


def pretrained(name, weights="DEFAULT", resize=True):
    """torchvision's `name`, ready to predict: images (B, 3, H, W) in [0, 1] -> logits (B, 21, H, W), `.classes`.

    name     "fcn_resnet50", "deeplabv3_resnet50" or "lraspp_mobilenet_v3_large"
    weights  "DEFAULT", downloaded once (COCO's images, Pascal VOC's 21 classes); None, random, no network needed;
             or the path of a state_dict that torchvision's model of this name saved
    resize   True: the shorter side goes to 520 pixels first, as in the weights' own preprocessing and in their
             published scores; False: images go in at their own size, cheaper, and worse the further that is from 520

    Either way the logits come back at the size of the image, so that they are scored on the mask as it is: resizing
    the mask instead would score another, smoother one. It is in evaluation mode. ValueError: another name, or a file
    that is not there or holds something else. ConnectionError: the weights can't be downloaded.
    """
    import torchvision  # here, for it costs a second that the other networks need not wait for

    check_choice("name", name, PRETRAINED)
    default = torchvision.models.get_model_weights(name).DEFAULT
    if weights is None:
        state = None
    elif weights == "DEFAULT":
        state = _download(name, default)
    else:
        state = _read(weights)
    classes = list(default.meta["categories"])
    net = torchvision.models.get_model(name, weights=None, weights_backbone=None, num_classes=len(classes))
    if state is not None:
        # The second head, at the backbone's fourth stage, helped to train; the prediction does not use it.
        state = {key: value for key, value in state.items() if not key.startswith("aux_classifier.")}
        try:
            net.load_state_dict(state)
        except RuntimeError as error:
            raise ValueError(
                f"The weights in {weights} are not those of torchvision's {name} with {len(classes)} classes; "
                "give a state_dict that this model saved."
            ) from error
    preprocess = default.transforms() if resize else default.transforms(resize_size=None)
    return Pretrained(net, preprocess, classes).eval()


def _download(name, weights):
    try:
        return weights.get_state_dict(progress=True, check_hash=True)
    except (OSError, RuntimeError) as error:  # no network; a file cut short
        reason = str(getattr(error, "reason", error)).strip().rstrip(".") or type(error).__name__
        raise ConnectionError(
            f"The weights of {name} could not be downloaded ({reason}): fetch {weights.url} where there is a network "
            "and give the file's path as weights, or weights=None for random ones."
        ) from error


def _read(path):
    path = Path(path)
    if not path.is_file():
        raise ValueError(f'There is no file {path}: weights is "DEFAULT", None, or the path of a state_dict.')
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # not a checkpoint at all: torch has an error of its own for each kind of wrong file
        raise ValueError(f"{path} is not a state_dict; save one by torch.save(net.state_dict(), path).") from error
    if not isinstance(state, dict):
        kind = type(state).__name__
        raise ValueError(f"{path} holds a {kind}, not a state_dict; save one by torch.save(net.state_dict(), path).")
    return state


def merge(logits, groups):
    """Logits of fewer classes, each a group of old ones: (B, C, H, W), G lists of channels -> (B, G, H, W).

    logits  (B, C, H, W)
    groups  G lists of channels: merge(logits, [[0], [8, 12]]) has one class for cat and dog

    A group's probability is the sum of its members'. Channels in no group are left out, and the others' probabilities
    grow. ValueError: a group without channels.
    """
    if not all(groups):
        raise ValueError("Every group needs at least one channel, and one has none.")
    return torch.stack([logits[:, list(group)].logsumexp(dim=1) for group in groups], dim=1)
