"""Checks of lesson 03, coarse answers: what blocks can say, and a `Linear` that slides over a map."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from .core import Lesson
from .values import kind

check = Lesson("03_fcn")


# --- the best that blocks can say ---------------------------------------------------------------------------

ceiling = check.exercise(
    "ceiling",
    hints=(
        "Only one number of each block matters: how many animal pixels it holds. Which block would you call animal first, "
        "which next?",
        "Take the blocks in order, fullest first, and call one more of them animal each time. With k blocks taken, the overlap is "
        "the sum of their counts. The union is all animal pixels, plus the background pixels in those k blocks.",
        "The counts: `reshape` to (H/s, s, W/s, s) and sum over two axes. `sort(descending=True)` and `cumsum(0)` give the overlap "
        "for every k at once. The k blocks hold k·s² pixels. The answer is the largest of overlap over union.",
    ),
)


def _overlap(called, mask):
    return ((called & mask).sum() / (called | mask).sum()).item()


def _best(mask, stride, score=_overlap):
    """The highest IoU (or other score), by trying every threshold on the share of animal in a block."""
    share = F.avg_pool2d(mask[None, None].double(), stride)
    grown = F.interpolate(share, scale_factor=stride, mode="nearest")[0, 0]
    return max(score(grown >= threshold - 1e-9, mask) for threshold in share.unique().tolist())


def _ranked(counts):
    for count in range(max(counts), -1, -1):
        yield from [count] * counts.count(count)


def _climbing(counts, total, cells):
    """The highest IoU on the way, as blocks with these counts are called one after another; and the last."""
    overlap, union, seen = 0, total, [0.0]
    for count in counts:
        overlap, union = overlap + count, union + cells - count
        seen.append(overlap / union)
    return max(seen), seen[-1]


def _ceiling_part(t, mask, stride):
    animal = mask.bool()
    counts = (F.avg_pool2d(mask[None, None].double(), stride) * stride**2).round().long().flatten().tolist()
    total, best = sum(counts), _best(animal, stride)
    lined = mask.reshape(-1, stride**2).sum(1).tolist()  # not blocks: pixels that follow each other in memory
    share = F.interpolate(F.avg_pool2d(animal[None, None].double(), stride), scale_factor=stride, mode="nearest")[0, 0]
    known = [
        *((_overlap(majority, animal), "This is the IoU of the majority of each block. That answer has the fewest wrong pixels. Another "
                                       "one has a higher IoU.") for majority in (share > 0.5, share >= 0.5)),
        (_overlap(share > 0, animal), "This calls every block animal that holds any animal at all."),
        (_overlap(share == 1, animal), "This calls only those blocks animal that are full of it."),
        (((share > 0.5) == animal).double().mean().item(), "This is the share of right pixels, not the IoU."),
        (torch.maximum(share, 1 - share).mean().item(), "This is the share of right pixels, not the IoU."),
        (2 * best / (1 + best), "This is the Dice score of the best answer. Its IoU is asked for."),
        (_best(animal, stride, lambda a, b: (_overlap(a, b) + _overlap(~a, ~b)) / 2), "This is the mean of two IoUs, the animal's and the "
                                                                                      "background's. The animal's alone is asked for."),
        (_climbing([max(counts)], total, stride**2)[0], "This calls a single block. More of them may pay."),
        (_climbing(counts, total, stride**2)[0], "This is the best on the way when blocks are called in reading order. Which should come first?"),
        (_climbing(reversed([*_ranked(counts)]), total, stride**2)[0], "This is the best on the way when the emptiest blocks are called first."),
        (_climbing(_ranked(lined), total, stride**2)[0], f"Each group of {stride**2} numbers here holds pixels that follow each other "
                                                         "in memory, and not a block of the picture."),
    ]
    known = [(wrong, says) for wrong, says in known if all(other == says or abs(wrong - value) > 1e-4 for value, other in known)]  # no guess
    small = f"the mask {mask.tolist()}" if mask.numel() <= 36 else f"a mask of {mask.shape[0]} × {mask.shape[1]}"
    got = t.call(mask, stride)
    if isinstance(got, torch.Tensor) and got.numel() != 1:
        t.fail(f"For {small} and stride {stride}: expected one number, got {kind(got)}")
    t.close(got, best, f"{small} and stride {stride}", known)
    return got


def _blocks(t, counts, stride):
    """A mask whose blocks hold the given numbers of animal pixels, placed at random in each."""
    rows = []
    for line in counts:
        blocks = []
        for count in line:
            order = torch.randperm(stride * stride, generator=t.generator)
            blocks.append((order < count).reshape(stride, stride))
        rows.append(torch.cat(blocks, 1))
    return torch.cat(rows).long()


@ceiling.part("blocks that are all animal or none", 0.5)
def _(t):
    stride = t.random.choice([2, 3])
    counts = [stride**2 * (i % 2) for i in range(6)]
    t.random.shuffle(counts)
    _ceiling_part(t, _blocks(t, [counts[:3], counts[3:]], stride), stride)


@ceiling.part("the majority is right", 0.5)
def _(t):
    counts = [4, 4, 0, 4, 3, 0]
    t.random.shuffle(counts)
    _ceiling_part(t, _blocks(t, [counts[:3], counts[3:]], 2), 2)
    _ceiling_part(t, _blocks(t, [[16, 15, 1], [0, 2, 16]], 4), 4)


@ceiling.part("the majority is not the best", 0.75)
def _(t):
    for counts, stride in ([[1, 0, 1], [1, 0, 0]], 2), ([[7, 1, 6], [0, 7, 16]], 4), ([[4, 2, 1], [0, 0, 2]], 3), ([[20, 9, 8], [0, 1, 0]], 5):
        flat = [c for row in counts for c in row]
        t.random.shuffle(flat)
        _ceiling_part(t, _blocks(t, [flat[:3], flat[3:]], stride), stride)


@ceiling.part("any size and stride, a float, the mask unchanged", 0.75)
def _(t):
    stride = t.random.choice([5, 6])
    h, w = stride * t.random.randint(2, 4), stride * t.random.randint(5, 6)
    field = F.interpolate(t.tensor(1, 1, 4, 4), size=(h, w), mode="bicubic")[0, 0]
    _ceiling_part(t, (field > field.flatten().sort().values[int(0.6 * h * w)]).long(), stride)
    small = t.tensor(4, 6, low=0, high=2)
    small[0, 0] = 1
    if isinstance(_ceiling_part(t, small, 1), torch.Tensor):
        t.fail("The number is right, but it is a tensor. A `float` is asked for: `.item()` makes one.")
    if t.changed:
        t.fail("Your function changed the mask that it was given. Work on a copy.")


# --- a layer that slides ------------------------------------------------------------------------------------

sliding = check.exercise(
    "sliding",
    hints=(
        "A unit of the `Linear` has C·side·side weights. How many does a convolution have for each of its outputs?",
        "The channels that come in are `linear.in_features` divided by side². The kernel is side × side, and both layers keep a unit's "
        "weights in the same order: channel by channel, each row by row.",
        "Make the `nn.Conv2d` from channels in, channels out and kernel. Under `torch.no_grad()`, `copy_` the `Linear`'s weight into its "
        "weight, reshaped to that weight's shape, and the bias into its bias as it is.",
    ),
)


def _made(t, linear, side):
    """The answer's module for this `Linear`, after a look at what was done to the `Linear`."""
    before = {name: value.clone() for name, value in linear.state_dict().items()}
    made = t.call(linear, side)
    if not isinstance(made, nn.Module):
        t.fail(f"Expected an `nn.Module`, such as an `nn.Conv2d`, got {kind(made)}")
    after = linear.state_dict()
    if before.keys() != after.keys() or any(before[n].shape != after[n].shape or not torch.equal(before[n], after[n]) for n in before):
        t.fail("Your function changed the `Linear` that it was given. Copy its weight, or make a new one from it.")
    return made


def _linear(t, channels, side, out):
    linear = nn.Linear(channels * side * side, out)
    for p in linear.parameters():
        p.data = t.tensor(*p.shape)
    return linear


def _slid(t, side, extra, channels, out, batch=2):
    """Compare the module with the `Linear` asked for one window after another; fail with what went wrong."""
    linear, shape = _linear(t, channels, side, out), (batch, channels, side + extra[0], side + extra[1])
    x, made = t.tensor(*shape), _made(t, linear, side)
    with torch.no_grad():
        windows = x.unfold(2, side, 1).unfold(3, side, 1).movedim(1, 3)  # picture, row, column, channel, side, side
        want = linear(windows.flatten(3)).movedim(3, 1)
        orders = [  # how else the weights may be read
            (windows.movedim(3, 5), "The kernel is read in the order (rows, columns, channels); `Flatten` goes channel by channel."),
            (windows.transpose(4, 5), "Rows and columns of the kernel have changed places."),
            (windows.flip((4, 5)), "The kernel is upside down: nothing is flipped here."),
        ]
        known = [(linear(other.flatten(3)).movedim(3, 1), says) for other, says in orders]
        known.append((want - linear.bias[:, None, None], "The bias is missing."))
        known.append((F.relu(want), "There is a ReLU too many: what the `Linear` says may be below 0."))
    given = f"nn.Linear({linear.in_features}, {out}), side={side} and maps of shape {shape}"
    got = t.run(made, x)
    if isinstance(got, torch.Tensor) and got.shape != want.shape:
        more = ""
        rows, columns = want.shape[2:]
        if got.dim() == 2:
            more = " The scores are a map, even where it has only one place: flatten nothing."
        elif got.dim() == 4 and tuple(got.shape[2:]) == ((rows - 1) // side + 1, (columns - 1) // side + 1):
            more = " The kernel steps by its own size. It should step by 1: every place where it fits gets its scores."
        elif got.dim() == 4 and got.shape[2] > rows:
            more = " The kernel needs no padding: a place counts where the whole kernel fits."
        t.fail(f"For {given}: expected shape {tuple(want.shape)}, got {tuple(got.shape)}.{more}")
    t.close(got, want, given, known, tolerance=1e-3)


@sliding.part("one place: what the Linear says", 1)
def _(t):
    _slid(t, t.random.choice([2, 3]), (0, 0), t.random.randint(3, 5), 4)
    _slid(t, 1, (0, 0), 6, 3)


@sliding.part("larger maps: a map of scores", 1)
def _(t):
    for side in (2, 1, t.random.choice([3, 4])):
        _slid(t, side, (t.random.randint(2, 4), t.random.randint(4, 6)), t.random.randint(2, 6), t.random.randint(2, 5))


@sliding.part("its weights can learn", 0.5)
def _(t):
    linear = _linear(t, 3, 2, 4)
    made = _made(t, linear, 2)
    if not list(made.parameters()):
        t.fail("The module has no parameters, so it could not be trained further. Make the weight part of the module.")
    if any(g is None for g in t.weight_gradients(made, t.tensor(2, 3, 4, 5)).values()):
        t.fail("No gradient reaches one of the module's weights. Each must be used, and be a parameter that wants a gradient.")
