"""Lesson 03: scores on which a copied layer contradicts itself, and its repair."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from .. import pictures
from ..causes import judge
from ..core import Exercise
from ..values import NotYet, dtype_name, kind
from .enlarging import between, copied, cubic, stretched

catch = Exercise(
    "catch",
    hints=(
        "Try `seam` on some maps of your own: a flat one, a smooth one, one with a sharp change. Where, and "
        "why, does it grow?",
        "The copied layer puts the first cell's middle on the first pixel and the last cell's on the last, and "
        "spreads the others evenly. So cells near the cut stand elsewhere in the half than in the whole. Only where "
        "neighbouring cells differ does one see it.",
        "For the witness, let 0 and 1 take turns from column to column. For the repair, look at the arguments "
        "that `nn.Upsample` has beside `scale_factor` and `mode`.",
    ),
)
LEAST = 0.3


def _seam(enlarge, scores):
    """As the notebook's: the largest difference between the left half alone and the left half of the whole."""
    half = scores.shape[-1] // 2
    whole, alone = enlarge(scores), enlarge(scores[..., :half])
    keep = alone.shape[-1] - alone.shape[-1] // half
    return (whole[..., :keep] - alone[..., :keep]).abs().max().item()


def _pair(t, stride):
    """The answer's two things: the witness, and the repair."""
    got = t.each(stride)
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        t.fail(f"For stride={stride}: expected two things, scores and a module, got {kind(got)}")
    return got


def _repaired(t, stride):
    net = _pair(t, stride)[1]
    if not isinstance(net, nn.Module):
        what = "something else, such as a function." if isinstance(net, NotYet) else kind(net)
        t.fail(
            f"For stride={stride}: the second thing should be an `nn.Module`, got {what} Return a layer of torch.nn, "
            "or an object of a class of your own, with its work in `forward`."
        )
    return net


@catch.part("a witness: scores on which the copied layer contradicts itself", 1)
def _(t):
    for stride in (8, 16, 32):
        scores, _ = _pair(t, stride)
        if isinstance(scores, torch.Tensor) and scores.shape == (1, 1, 4, 16) and not scores.is_floating_point():
            t.fail(f"For stride={stride}: the scores should be floats; their dtype is {dtype_name(scores)}.")
        if not isinstance(scores, torch.Tensor) or scores.shape != (1, 1, 4, 16):
            what = f"something else. {scores.message}" if isinstance(scores, NotYet) else kind(scores)
            t.fail(f"For stride={stride}: the scores should be a float tensor of shape (1, 1, 4, 16), got {what}")
        if not (scores.min() >= 0 and scores.max() <= 1):
            t.fail(
                f"For stride={stride}: your scores go from {scores.min():.3g} to {scores.max():.3g}; keep "
                "them between 0 and 1."
            )
        size = _seam(nn.UpsamplingBilinear2d(scale_factor=stride), scores.float())
        if not size >= LEAST:
            more = (
                " A flat map looks the same wherever its cells stand."
                if scores.max() - scores.min() < 1e-6
                else " Let neighbouring columns differ more, above all close to the cut."
                if size > 0.02
                else " The copied layer moves cells left and right by different amounts. Do neighbouring columns "
                "differ in the left half?"
            )
            t.fail(
                f"For stride={stride}: your scores' left half, enlarged alone, differs from the same place in the "
                f"whole by {size:.3f} at most, and {LEAST} is asked for.{more}"
            )


@catch.part("a repair: no seam, on any scores", 0.75)
def _(t):
    for stride in (8, 16, 32):
        repaired = _repaired(t, stride)
        for x in (t.tensor(1, 1, 3, 8), t.tensor(1, 1, 5, 12)):
            got = _size(t, repaired, x, stride)
            if got.max() - got.min() < 1e-3:
                t.fail(
                    f"For stride={stride} and random scores of shape {tuple(x.shape)}: your module gives one number "
                    "everywhere. Nothing is left of the scores."
                )
            size = _seam(lambda scores: t.run(repaired, scores), x)
            if size > 1e-4:
                t.fail(
                    f"For stride={stride} and random scores of shape {tuple(x.shape)}: with your module the left half "
                    f"alone differs from the same place in the whole by {size:.3f}."
                )


@catch.part("the repair still blends between cells", 0.75)
def _(t):
    def cases():
        for stride in (8, 16, 32):
            if not isinstance(repaired := _pair(t, stride)[1], nn.Module):
                t.fail("There is no `nn.Module` to try.")
            x = t.tensor(1, 1, 4, 6)
            got = _size(t, repaired, x, stride)
            down, right = ((2 * torch.arange(n * stride) + 1 - stride) / (2 * stride) for n in x.shape[2:])
            want = between(x, down, right)
            known = [
                (copied(x, stride), "Blocks have no seam, but they no longer blend."),
                (stretched(x, stride), "This is the copied layer's own result."),
                (cubic(x, stride), "This is bicubic; bilinear is asked for."),
                (0 * want, "Nothing is left of the scores."),
            ]
            inside = [m[..., stride:-stride, stride:-stride] for m in (got, want, *(wrong for wrong, _ in known))]
            given = f"stride={stride} and random scores of shape {tuple(x.shape)}, {stride} px from the rim"
            yield *inside[:2], given, [(wrong, says) for wrong, (_, says) in zip(inside[2:], known)]

    judge(t, cases(), picture=pictures.maps)


def _size(t, net, x, stride):
    got, want = t.run(net, x), (*x.shape[:2], stride * x.shape[2], stride * x.shape[3])
    if not isinstance(got, torch.Tensor) or tuple(got.shape) != want:
        t.fail(
            f"For stride={stride} and scores of shape {tuple(x.shape)}: your module should give shape {want}, "
            f"it gives {kind(got)}{_size_slip(t, net, x, stride, got)}"
        )
    t.finite(got, f"stride={stride} and scores of shape {tuple(x.shape)}, the enlarged map")
    return got


def _size_slip(t, net, x, stride, got):
    """What an enlarged map of a wrong shape tells; "" where it tells nothing."""
    if not isinstance(got, torch.Tensor) or got.dim() != 4:
        return ""
    other = t.run(net, F.pad(x, (0, 2, 0, 1)))
    if isinstance(other, torch.Tensor) and other.shape == got.shape:
        return " It gives this size for other scores, too: enlarge by a factor, `scale_factor`, not to a `size`."
    times = got.shape[2] / x.shape[2]
    if times == got.shape[3] / x.shape[3]:
        return f" That is {times:g} times as large, and `stride` is {stride}."
    return ""
