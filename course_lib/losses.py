"""The losses of the course, each a plain function of logits and masks: `train.fit(net, scenes, loss=losses.ce_dice)`.

logits are (B, C, H, W) of any floating dtype, the target int64 (or another integer dtype) (B, H, W) with labels 0 to
C - 1 and 255 where there is no label. All return a scalar and compute in float32 (float64 where the logits are that).
Pixels without a label have no say in the value and no gradient; where none is labelled the loss is 0, and so is its
gradient. ValueError, in a sentence: shapes that don't fit together, a target of floats, a label with no channel. (On a
GPU, looking at the labels waits for the device; a label that is out of range would break it.)
"""

import torch
import torch.nn.functional as F

from course_lib.labels import IGNORE
from course_lib.metrics import check_labels, integers


def cross_entropy(logits, target, weight=None, ignore_index=IGNORE):
    """Mean cross-entropy over labelled pixels, as torch's.

    logits, target  as this module takes them
    weight          (C,): the mean is then weighted by each pixel's class
    ignore_index    label of pixels without one

    Unlike torch's it is 0, not NaN, where no pixel is labelled (or all labelled ones have weight 0).
    """
    logits, target = _ready(logits, target, ignore_index)
    weight = None if weight is None else weight.to(logits)
    total = F.cross_entropy(logits, target, weight, ignore_index=ignore_index, reduction="sum")
    return total / _pixels(target, weight, ignore_index)


def focal_loss(logits, target, gamma=2.0, weight=None, ignore_index=IGNORE):
    """Cross-entropy with each pixel multiplied by (1 - p)^gamma, where p is the probability of its true class.

    gamma   at least 0, or ValueError; 0 is cross_entropy
    weight  (C,), a weight for each class, as in cross_entropy

    The mean is cross_entropy's too: the sum over pixels is divided by the number of labelled pixels (or the sum of
    their weights), not by the sum of the focal factors.
    After Lin, Goyal, Girshick, He, Dollár, "Focal Loss for Dense Object Detection" (2017), with softmax for sigmoid.
    """
    if not gamma >= 0:
        raise ValueError(f"gamma must be at least 0, not {gamma!r}.")
    logits, target = _ready(logits, target, ignore_index)
    loss = F.cross_entropy(logits, target, ignore_index=ignore_index, reduction="none")  # -log p; 0 where ignored
    # 1 - p from log p, without cancellation. Below the smallest normal number, where p is 1, the slope of its power is
    # infinite for gamma < 1; clamped there, it has slope 0 instead, and the pixel's gradient its true value: 0.
    rest = -torch.expm1(-loss)
    loss = loss * rest.clamp(min=torch.finfo(rest.dtype).tiny) ** gamma
    if weight is not None:
        weight = weight.to(loss)
        loss = loss * weight[_known(target, ignore_index)]
    return loss.sum() / _pixels(target, weight, ignore_index)


def dice_loss(logits, target, smooth=1.0, absent="skip", ignore_index=IGNORE):
    """1 minus the soft Dice of each class, (2 sum(p t) + smooth) / (sum(p) + sum(t) + smooth), averaged over classes.

    p is the softmax probability and t is 1 where the class is true; the sums go over all labelled pixels of the batch
    together, and ignored pixels are in none of them.

    smooth  added above and below
    absent  "skip": average over the classes that the target has. A class that it has not would add sum(p) / (sum(p) +
            smooth): nearly 1 as soon as `smooth` is small beside the probability that thousands of pixels leave over,
            however right they are. Its false alarms still cost, in the Dice of the classes that they hide.
            "count": average over all C.

    After Milletari, Navab, Ahmadi, "V-Net" (2016), without their squares, as Drozdzal et al. (2016).
    """
    if absent not in ("skip", "count"):
        raise ValueError(f'absent must be "skip" or "count", not {absent!r}.')
    logits, target = _ready(logits, target, ignore_index)
    labelled = (target != ignore_index)[:, None]
    true = (target[:, None] == torch.arange(logits.shape[1], device=logits.device)[:, None, None]) & labelled
    p = logits.softmax(1)
    overlap = p.where(true, 0).sum((0, 2, 3))
    pixels = true.sum((0, 2, 3))
    both = p.where(labelled, 0).sum((0, 2, 3)) + pixels
    nothing = both + smooth == 0  # neither true nor predicted, and no smooth: that is right
    dice = (2 * overlap + smooth).where(~nothing, 1) / (both + smooth).where(~nothing, 1)
    counted = pixels > 0 if absent == "skip" else labelled.any().expand(len(pixels))
    return (1 - dice).where(counted, 0).sum() / counted.sum().clamp(min=1)


def ce_dice(logits, target, dice=1.0, ignore_index=IGNORE):
    """cross_entropy plus `dice` times dice_loss: smooth gradients of one, the other's fairness to small classes."""
    entropy = cross_entropy(logits, target, ignore_index=ignore_index)
    return entropy + dice * dice_loss(logits, target, ignore_index=ignore_index)


def class_weights(counts, method="inverse", images=None):
    """Weights for rare classes: float32 (C,), with mean 1 over the classes that occur and 0 for those that don't.

    counts  (C,) pixels of each class in the training set, ignored ones left out
    method  "inverse": 1 / frequency. "median": median frequency / frequency
    images  (C,) labelled pixels of all the images in which the class occurs: a frequency is then counts / images, as
            Eigen and Fergus (2015) have it for "median". Without it, a frequency is counts / counts.sum()

    The median is one factor for all classes, so after scaling to mean 1 both methods give the *same* weights from the
    same frequencies; what makes a difference is `images`, by which a class that is rare but never small gets less.
    """
    if method not in ("inverse", "median"):
        raise ValueError(f'method must be "inverse" or "median", not {method!r}.')
    counts = torch.as_tensor(counts)
    total = counts.sum() if images is None else torch.as_tensor(images, device=counts.device)
    if counts.ndim != 1 or (counts < 0).any() or (images is not None and total.shape != counts.shape):
        raise ValueError(
            "counts and images must be one number of pixels a class, at least 0, not of shapes "
            f"{tuple(counts.shape)} and {tuple(total.shape)}."
        )
    if (total < counts).any():
        raise ValueError("images must hold at least as many pixels as counts, for each class.")
    present = counts > 0
    frequency = (counts.float() / total).where(present, 1)
    typical = frequency[present].median() if method == "median" and present.any() else 1
    weights = (typical / frequency).where(present, 0)
    return weights * (present.sum() / weights.sum()) if present.any() else weights


def _ready(logits, target, ignore_index):
    """Logits in float32 or float64 and target in int64, once they are known to fit together."""
    if logits.ndim != 4 or target.ndim != 3 or len(logits) != len(target):
        raise ValueError(
            f"Logits must be (B, C, H, W) and masks (B, H, W), not {tuple(logits.shape)} and {tuple(target.shape)}."
        )
    if logits.shape[-2:] != target.shape[-2:]:
        raise ValueError(
            f"The net gives logits of {tuple(logits.shape[-2:])} for masks of {tuple(target.shape[-2:])}; "
            "they must have the same height and width."
        )
    target = integers(target, "target").long()
    check_labels(target, logits.shape[1], ignore_index)
    return logits if logits.dtype == torch.float64 else logits.float(), target


def _known(target, ignore_index):
    """The target with a class, any, in place of ignore_index."""
    return target.masked_fill(target == ignore_index, 0)


def _pixels(target, weight, ignore_index):
    """What a sum over pixels is divided by: their number, or the sum of their weights; 1 where that is 0."""
    labelled = target != ignore_index
    if weight is None:
        return labelled.sum().clamp(min=1)
    total = weight[_known(target, ignore_index)].where(labelled, 0).sum()
    return total.where(total > 0, 1)
