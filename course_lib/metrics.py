"""Scores of a segmentation, from one confusion matrix; and where it errs: near boundaries, in thin parts.

    confusion = Confusion(classes=3)
    for images, truth in batches:
        confusion.update(net(images).argmax(1), truth)
    print(confusion.miou, confusion.iou)

A map of labels, predicted or true, is (H, W) or (N, H, W) of any integer dtype. A pixel whose *true* label is
`ignore_index` (255: not labelled) does not count, whatever was predicted there.
"""

import math

import torch
import torch.nn.functional as F

from course_lib.labels import IGNORE

WIDE = torch.uint16, torch.uint32, torch.uint64  # torch stores these, and can do little else with them


# --- counting -----------------------------------------------------------------------------------------------


def confusion_matrix(pred, target, classes, ignore_index=IGNORE):
    """Pixels of class [row] that were called [column]: int64 (classes, classes), on the device of the arguments.

    pred, target  class of each pixel, any shape (the same for both), any integer dtypes, empty too
    classes       how many there are
    ignore_index  target pixels with this label are left out: -32768 to 65535; may be one of the classes

    ValueError: shapes that differ, numbers that are not whole, or a class outside 0 to classes - 1 on a pixel that
    counts. On a GPU it waits for the result, as torch.bincount does in any case.
    """
    if pred.shape != target.shape:
        raise ValueError(f"Prediction {tuple(pred.shape)} and truth {tuple(target.shape)} must have the same shape.")
    if not -(2**15) <= ignore_index < 2**16:
        raise ValueError(f"ignore_index must be from -32768 to 65535, not {ignore_index}.")
    pred, target = integers(pred, "prediction"), integers(target, "truth")
    if not pred.numel():
        return torch.zeros(classes, classes, dtype=torch.int64, device=pred.device)
    extremes = [*pred.aminmax(), *target.aminmax()]
    lowest, highest, first, last = torch.stack([x.long() for x in extremes]).tolist()
    if lowest < 0 or highest >= classes:  # allowed only where the target is ignored
        pred = pred.masked_fill(target.long() == ignore_index, 0)  # long: an int8 of -1 "is" 255
        if wrong := [int(x) for x in pred.aminmax() if not 0 <= x < classes]:
            raise ValueError(
                f"The prediction holds class {wrong[0]}, and {classes} classes are 0 to {classes - 1}; "
                "give the classes themselves (logits.argmax(1)), or count more of them."
            )

    # Masking first would copy both maps. Instead each label, ignored or not, has a row of its own in a longer table,
    # and one bincount fills it. The narrowest integers that can number its cells are the fastest; uint8 would overflow.
    low, high = min(0, ignore_index), max(classes - 1, ignore_index)
    if first < low or last > high:
        check_labels(target, classes, ignore_index)
    rows = high - low + 1
    dtype = torch.int16 if rows * classes <= 2**15 else torch.int32 if rows * classes <= 2**31 else torch.int64
    cell = torch.add(pred.to(dtype), target.to(dtype), alpha=classes)
    if low:
        cell -= low * classes
    table = torch.bincount(cell.flatten(), minlength=rows * classes).view(rows, classes)
    ignored = table[ignore_index - low].sum()
    table[ignore_index - low] = 0
    matrix = table[-low : classes - low].clone()
    if matrix.sum() + ignored != pred.numel():  # a label between the last class and ignore_index
        check_labels(target, classes, ignore_index)
    return matrix


def integers(labels, name):
    """The same labels in a dtype that torch computes with. ValueError where they are not integers."""
    if labels.is_floating_point() or labels.is_complex():
        raise ValueError(
            f"The {name} must hold whole numbers, one class a pixel, not {labels.dtype} of shape "
            f"{tuple(labels.shape)}; use logits.argmax(1) on logits, .long() on labels kept as floats."
        )
    if labels.dtype == torch.bool:
        return labels.to(torch.uint8)
    return labels.long() if labels.dtype in WIDE else labels


def check_labels(target, classes, ignore_index=IGNORE):
    """ValueError where a mask holds a label that is neither a class, 0 to classes - 1, nor ignore_index."""
    target = integers(target, "truth").long()
    wrong = target[(target != ignore_index) & ((target < 0) | (target >= classes))]
    if len(wrong):
        raise ValueError(
            f"The masks hold label {int(wrong[0])}, and {classes} classes are 0 to {classes - 1} (and {ignore_index} "
            "for no label); ask for more classes, or give that label one of these."
        )


class Confusion:
    """A confusion matrix that grows batch by batch, and the scores that follow from it.

    classes       how many there are; ValueError for what is no whole number of at least 1
    ignore_index  target pixels with this label are left out
    names         what repr calls the classes

    matrix          int64 (C, C) on the CPU: pixels of class [row] that were called [column]; set it, or update
    iou, dice       for each class, float64 (C,): intersection over union TP / (TP + FP + FN), and 2 TP / (2 TP + FP +
                    FN); NaN for a class that is in neither truth nor prediction, 0 for one in the prediction only
    class_accuracy  for each class, float64 (C,): the share of its pixels that are right; NaN where truth has none
    accuracy        float: the share of all labelled pixels that are right
    miou            float: mean of `iou` over the classes that are in the truth or in the prediction

    So a false alarm of a class that is absent from the truth pulls miou down, and a class that occurs nowhere does
    not touch it (as torchmetrics has it). Where no pixel is labelled, accuracy and miou are NaN. The scores are of
    all pixels together: not the mean of scores of images.

    Arguments and errors of update are those of confusion_matrix, and its maps may be on any device.
    """

    def __init__(self, classes, ignore_index=IGNORE, names=()):
        if not isinstance(classes, int) or classes < 1:
            raise ValueError(f"classes must be a whole number of at least 1, not {classes!r}.")
        self.classes, self.ignore_index, self.names = classes, ignore_index, tuple(names)
        self.reset()

    def reset(self):
        self.matrix = torch.zeros(self.classes, self.classes, dtype=torch.int64)

    def update(self, pred, target):
        """Count these pixels too; returns self. After an error nothing of them is counted."""
        self.matrix = self.matrix + confusion_matrix(pred, target, self.classes, self.ignore_index).cpu()
        return self

    def __add__(self, other):
        if self.classes != other.classes:
            raise ValueError(f"Confusions of {self.classes} and of {other.classes} classes can't be added.")
        both = Confusion(self.classes, self.ignore_index, self.names or other.names)
        both.matrix = self.matrix + other.matrix
        return both

    def _counts(self):
        """Pixels that are right, truly there, predicted: float64 (C,) each."""
        return self.matrix.diagonal().double(), self.matrix.sum(1).double(), self.matrix.sum(0).double()

    @property
    def iou(self):
        right, true, called = self._counts()
        return right / (true + called - right)  # 0 / 0 is NaN: the class is nowhere

    @property
    def dice(self):
        right, true, called = self._counts()
        return 2 * right / (true + called)

    @property
    def class_accuracy(self):
        right, true, _ = self._counts()
        return right / true

    @property
    def accuracy(self):
        right, true, _ = self._counts()
        return (right.sum() / true.sum()).item()

    @property
    def miou(self):
        return self.iou.nanmean().item()

    def __repr__(self):
        each = ", ".join(f"{n} {v:.2f}" for n, v in zip(self.names or range(self.classes), self.iou.tolist()))
        return f"mIoU {self.miou:.3f} ({each}), accuracy {self.accuracy:.3f}"


# --- boundaries ---------------------------------------------------------------------------------------------


def distance_to_boundary(mask, cap=16, ignore_index=IGNORE):
    """Each pixel's distance to the nearest pixel of another class: int64 like the mask.

    mask          (N, H, W) or (H, W) labels
    cap           the largest distance that is told
    ignore_index  label of pixels without one

    In pixels, diagonal steps as long as straight ones (Chebyshev): 1 beside the boundary, `cap` for `cap` and more,
    0 where the mask is ignored. Ignored pixels belong to no class and make no boundary, nor does the image's border.
    """
    if not mask.numel():
        return mask.long()
    maps = (mask if mask.ndim == 3 else mask[None])[:, None].float()
    ignored = maps == ignore_index
    # Two classes lie within k px exactly when the k-fold 3x3 maximum of the labels differs from their minimum.
    high, low = maps.masked_fill(ignored, -torch.inf), (-maps).masked_fill(ignored, -torch.inf)
    distance = torch.full_like(maps, cap, dtype=torch.int64)
    for k in range(1, cap):
        high, low = (F.max_pool2d(x, 3, stride=1, padding=1) for x in (high, low))
        distance[(distance == cap) & (high != -low)] = k
    return distance.masked_fill(ignored, 0).reshape(mask.shape)


def near_boundary(mask, width, ignore_index=IGNORE):
    """The pixels at most `width` px from another class, on both sides of each boundary: bool like the mask.

    mask   (N, H, W) or (H, W) labels
    width  whole number of px, at least 1, or ValueError

    Distances as distance_to_boundary has them; ignored pixels are never near.
    """
    if not isinstance(width, int) or width < 1:
        raise ValueError(f"width must be a whole number of pixels of at least 1, not {width!r}.")
    distance = distance_to_boundary(mask, width + 1, ignore_index)
    return (distance > 0) & (distance <= width)


def errors_by_distance(pred, truth, cap=16, ignore_index=IGNORE):
    """Share of wrong pixels at each distance from a class boundary of the truth: float (cap + 1,).

    pred, truth  (N, H, W) or (H, W) labels, of one shape, or ValueError
    cap          the largest distance that is told apart

    rates[d] is for pixels at distance d as distance_to_boundary has it, rates[cap] for all further in; NaN where
    there is no such pixel, so rates[0] always.
    """
    if pred.shape != truth.shape:
        raise ValueError(f"Prediction {tuple(pred.shape)} and truth {tuple(truth.shape)} must have the same shape.")
    distance = distance_to_boundary(truth, cap, ignore_index).flatten()
    wrong = (pred != truth).flatten()
    labelled = distance > 0
    pixels = torch.bincount(distance[labelled], minlength=cap + 1)
    return torch.bincount(distance[labelled & wrong], minlength=cap + 1) / pixels


def band_iou(pred, target, classes, width, ignore_index=IGNORE):
    """IoU of each class over only those pixels within `width` px of a boundary of the truth: float64 (classes,).

    pred, target  as for confusion_matrix, whose errors it raises
    classes       how many there are
    width         half the band's width, in px

    The band is near_boundary(target, width); absent classes are NaN as in Confusion. Its mean is .nanmean().
    After Kohli, Ladicky, Torr, "Robust Higher Order Potentials for Enforcing Label Consistency" (2009), where the
    band is called a trimap, and Krähenbühl, Koltun (2011).
    """
    confusion_matrix(pred, target, classes, ignore_index)  # for its errors, outside the band too
    target = target.long()
    band = target.masked_fill(~near_boundary(target, width, ignore_index), ignore_index)
    return Confusion(classes, ignore_index).update(pred, band).iou


def boundary_iou(pred, target, classes, width, ignore_index=IGNORE):
    """Boundary IoU of each class: the IoU of the two masks' inner edges, `width` px deep: float64 (classes,).

    pred, target  as for confusion_matrix, whose errors it raises
    classes       how many there are
    width         how deep an edge is, in px; edge_width gives the paper's

    The edge of a mask is its pixels at most `width` px (Chebyshev) from one outside it; outside the image counts as
    outside. Pixels ignored in the target belong to neither mask and make no edge. Counted over all images together;
    NaN for a class without an edge in either. Its mean is .nanmean().

    After Cheng, Girshick, Dollár, Berg, Kirillov, "Boundary IoU: Improving Object-Centric Image Segmentation
    Evaluation" (CVPR 2021).
    """
    confusion_matrix(pred, target, classes, ignore_index)  # for its errors
    ignored, edges = target.long() == ignore_index, []
    for labels in (pred, target):
        labels = labels.long().masked_fill(ignored, -1)
        edge = near_boundary(labels, width, ignore_index=-1)
        edge[..., :width, :] = edge[..., -width:, :] = edge[..., :width] = edge[..., -width:] = True
        # what is no edge is in one more class, whose score nobody asks for
        edges.append(labels.masked_fill(~edge | ignored, classes))
    return Confusion(classes + 1, ignore_index=-1).update(*edges).iou[:classes]


def edge_width(size):
    """Cheng et al.'s `width` of boundary_iou for images of size (H, W): 2 % of the diagonal, rounded, at least 1 px."""
    return max(1, round(0.02 * math.hypot(*size)))


def thin(region, size=5):
    """The thin parts of a region: its pixels over which no size x size square of the region fits. Bool like the region.

    region  bool, (N, H, W) or (H, W), such as mask == 0; ValueError for another dtype
    size    side of the square in px

    Beyond the image's border the region goes on as it is there, so that an animal cut by the border does not become
    thin. (What morphology calls an opening takes thin parts away.)
    """
    if region.dtype != torch.bool:
        raise ValueError(f"The region must be bool, such as mask == 0, not {region.dtype}.")
    if not region.numel():
        return region
    maps = (region if region.ndim == 3 else region[None])[:, None].float()
    before, after = size // 2, size - 1 - size // 2
    inside = -F.max_pool2d(-F.pad(maps, (before, after) * 2, mode="replicate"), size, stride=1)
    thick = F.max_pool2d(F.pad(inside, (after, before) * 2), size, stride=1) == 1
    return region & ~thick.reshape(region.shape)


# --- resized masks ------------------------------------------------------------------------------------------


def invented(mask, small):
    """The pixels of a resized mask whose label is invented: bool like `small`.

    mask   (H, W) integers
    small  (h, w) integers: the mask resized, to any size

    A pixel's label is invented when no pixel of the mask under it, nor one beside those, has it.
    """
    wrong = torch.ones_like(small, dtype=torch.bool)
    for label in small.unique():
        near = F.max_pool2d((mask == label)[None].double(), 3, stride=1, padding=1)
        wrong &= (small != label) | (F.adaptive_max_pool2d(near, small.shape)[0] == 0)
    return wrong


# --- what a coarse grid allows ------------------------------------------------------------------------------


def best_scores(mask, stride, steps=40, mode="bilinear"):
    """One score for each cell of stride x stride pixels, fitted to a known mask: nearly the best that a grid can say.

    mask    (N, H, W), bool or integers of which 1 is the object; H and W are multiples of stride
    stride  pixels along a cell's side
    steps   of gradient descent (Adam) on the IoU of mask and sigmoid of the enlarged scores, summed over the N masks
    mode    of F.interpolate, which enlarges

    Returns the scores, float (N, H / stride, W / stride), and the same enlarged, (N, H, W); above 0 is the object.
    The IoU with sigmoids in place of yes and no is that of Rahman and Wang (2016): it has a gradient.
    ValueError: a size that the stride does not divide.
    """
    if mask.shape[-2] % stride or mask.shape[-1] % stride:
        raise ValueError(
            f"Masks of {mask.shape[-2]} x {mask.shape[-1]} pixels don't fall into cells of {stride} x {stride}."
        )
    target = (mask == 1)[:, None].float()
    scores = (8 * F.avg_pool2d(target, stride) - 4).requires_grad_()
    tune = torch.optim.Adam([scores], lr=2.0)
    for _ in range(steps):
        chance = F.interpolate(scores, scale_factor=stride, mode=mode).sigmoid()
        overlap = (chance * target).sum((1, 2, 3))
        iou = overlap / ((chance + target).sum((1, 2, 3)) - overlap)
        tune.zero_grad()
        (-iou).sum().backward()
        tune.step()
    scores = scores.detach()
    return scores[:, 0], F.interpolate(scores, scale_factor=stride, mode=mode)[:, 0]


# --- predictions to score -----------------------------------------------------------------------------------


def ragged(truth, pixels, reach=3, seed=0):
    """The truth with exactly `pixels` labels wrong, all at most `reach` px from a boundary: int64 like the truth.

    truth   (H, W) int64 without ignored pixels
    pixels  how many labels to change, each to that of a class across the boundary; ValueError where the band has fewer
    reach   half the band's width
    seed    another seed, other pixels
    """
    maps = truth[None, None].float()
    high, low = (s * F.max_pool2d(s * maps, 2 * reach + 1, stride=1, padding=reach)[0, 0] for s in (1, -1))
    other = torch.where(truth == high, low, high).long()
    # Coarse noise, so that whole bites are taken and not single pixels.
    noise = torch.rand(1, 1, *(n // 4 for n in truth.shape), generator=torch.Generator().manual_seed(seed))
    noise = F.interpolate(noise, size=truth.shape, mode="bilinear", align_corners=False)[0, 0]
    noise = noise.masked_fill(other == truth, -1).flatten()
    if not 0 <= pixels <= (room := int((noise >= 0).sum())):
        raise ValueError(f"{pixels} pixels can't be changed: {room} lie within {reach} px of a boundary.")
    chosen = noise.topk(pixels).indices
    return truth.flatten().index_put((chosen,), other.flatten()[chosen]).view(truth.shape)
