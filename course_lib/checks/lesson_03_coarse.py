"""Checks of lesson 03, coarse answers: what blocks can say, and a classifier that gives a map of scores."""

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


@ceiling.part("blocks that are all animal or none", 0.25)
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


@ceiling.part("any size and stride, a float, the mask unchanged", 0.5)
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


# --- a classifier as a convolutional net --------------------------------------------------------------------

convolutionise = check.exercise(
    "convolutionise",
    hints=(
        "Walk through the classifier's layers. What comes before the flattening can stay. What happens to `Flatten`, to the first "
        "`Linear` and to the later ones?",
        "The first `Linear` reads C·side·side numbers: it becomes a side × side convolution. Each later one reads one vector: "
        "1 × 1. `Flatten` runs through a channel's rows before it goes to the next channel, which is the order of a kernel.",
        "Make a `Conv2d` with the channels in, the channels out and the kernel. Under `torch.no_grad()`, copy the `Linear`'s weight, "
        "reshaped to the new weight's shape, and its bias as it is. `copy.deepcopy` of the layers before keeps the classifier out of it.",
    ),
)


def _classifier(t, widths=(5, 4), hidden=(6,), classes=3, channels=3, side=2, bias=True):
    """A small classifier without padding, its side, its pictures' size and the stride of its last map."""
    layers, size = [], side
    for i, o in zip((channels, *widths), widths):
        layers += [nn.Conv2d(i, o, 3), nn.ReLU(), nn.MaxPool2d(2)]
        size = 2 * size + 2
    layers.append(nn.Flatten())
    last = widths[-1] * side * side
    for width in (*hidden, classes):
        layers += [nn.Linear(last, width, bias=bias), nn.ReLU()]
        last = width
    net = nn.Sequential(*layers[:-1])
    for p in net.parameters():
        fan = p[0].numel() if p.dim() > 1 else 1
        p.data = t.tensor(*p.shape) * (1.4 / fan**0.5 if p.dim() > 1 else 0.5)
    return net, size, 2 ** len(widths)


def _made(t, net, side):
    """The answer's module for this classifier, after a look at what was done to the classifier."""
    before = {name: value.clone() for name, value in net.state_dict().items()}
    layers = [repr(layer) for layer in net]
    made = t.call(net, side)
    if not isinstance(made, nn.Module):
        t.fail(f"Expected an `nn.Module`, got {kind(made)}")
    after = net.state_dict()
    if [repr(layer) for layer in net] != layers or before.keys() != after.keys() or \
            any(before[n].shape != after[n].shape or not torch.equal(before[n], after[n]) for n in before):
        t.fail("Your function changed the classifier that it was given. Copy its layers (`copy.deepcopy`), or make new ones.")
    return made


def _shapes(net):
    return ", ".join(f"{type(layer).__name__}({layer.in_features} → {layer.out_features})" for layer in net if isinstance(layer, nn.Linear))


def _map(t, net, made, side, size, stride, shape):
    """Compare a score map with the classifier run on one crop after another; fail with what went wrong."""
    x = t.tensor(*shape)
    rows, columns = ((n - size) // stride + 1 for n in shape[2:])
    with torch.no_grad():
        want = torch.stack([torch.stack([net(x[:, :, r * stride:r * stride + size, c * stride:c * stride + size])
                                         for c in range(columns)], -1) for r in range(rows)], -2)
    got = t.run(made, x)
    given = f"a classifier of {size} × {size} pictures, side={side}, {_shapes(net)}, and pictures of shape {tuple(shape)}"
    if isinstance(got, torch.Tensor) and got.dim() == 2:
        t.fail(f"For {given}: got a tensor of shape {tuple(got.shape)}. The scores are a map (B, classes, h, w), even where it has only "
               "one place: flatten nothing.")
    known = []
    first = next(i for i, layer in enumerate(net) if isinstance(layer, nn.Linear))
    linear = net[first]
    c = linear.in_features // side**2
    swapped = {"The first kernel is read in the order (rows, columns, channels); `Flatten` goes channel by channel.":
               linear.weight.reshape(-1, side, side, c).permute(0, 3, 1, 2),
               "Rows and columns of the first kernel have changed places.": linear.weight.reshape(-1, c, side, side).transpose(2, 3),
               "The first kernel is upside down: nothing is flipped here.": linear.weight.reshape(-1, c, side, side).flip(2, 3)}
    with torch.no_grad():
        features = net[:first - 1](x)

        def rest(y, bias=True):
            for layer in list(net)[first + 1:]:
                y = F.conv2d(y, layer.weight[:, :, None, None], layer.bias if bias else None) if isinstance(layer, nn.Linear) else layer(y)
            return y

        for meaning, weight in swapped.items():
            known.append((rest(F.conv2d(features, weight, linear.bias)), meaning))
        weight = linear.weight.reshape(-1, c, side, side)
        known.append((rest(F.conv2d(features, weight), False), "The biases are missing: each `Linear` has one, and its convolution needs it."))
        known.append((rest(F.conv2d(features, weight)), "The first `Linear`'s bias is missing."))
        padded = rest(F.conv2d(features, weight, linear.bias, padding=side // 2))
        tiled = rest(F.conv2d(features, weight, linear.bias, stride=side))
        scores = F.conv2d(features, weight, linear.bias)
        bare = scores
        for layer in list(net)[first + 1:]:
            bare = F.conv2d(bare, layer.weight[:, :, None, None], layer.bias) if isinstance(layer, nn.Linear) else bare
        known.append((bare, "A ReLU between the former `Linear` layers is missing."))
        known.append((F.relu(rest(scores)), "There is a ReLU too many, after the last layer: scores may be below 0."))
    if isinstance(got, torch.Tensor) and got.shape == padded.shape != want.shape:
        t.fail(f"For {given}: expected a score map of shape {tuple(want.shape)}, got {tuple(got.shape)}. The first kernel needs no padding: "
               "a place counts where the whole kernel fits.")
    if isinstance(got, torch.Tensor) and got.shape == tiled.shape != want.shape:
        t.fail(f"For {given}: expected a score map of shape {tuple(want.shape)}, got {tuple(got.shape)}. The first kernel steps by its own "
               "size. It should step by 1: every place where it fits gets its scores.")
    t.close(got, want, given, known)


@convolutionise.part("the classifier's own size: one place, the same scores", 1)
def _(t):
    net, size, stride = _classifier(t, side=t.random.choice([2, 3]))
    side = 2 if size == 14 else 3
    _map(t, net, _made(t, net, side), side, size, stride, (2, 3, size, size))


@convolutionise.part("larger pictures: a map of scores", 1)
def _(t):
    side = t.random.choice([2, 3])
    net, size, stride = _classifier(t, side=side)
    _map(t, net, _made(t, net, side), side, size, stride, (2, 3, size + 2 * stride, size + 3 * stride))


@convolutionise.part("classifiers of another build", 0.75)
def _(t):
    for settings in (dict(widths=(4,), hidden=(), side=3, channels=1), dict(widths=(6, 5), hidden=(7, 4), side=1, classes=4),
                     dict(widths=(3,), hidden=(5,), side=4, channels=2)):
        net, size, stride = _classifier(t, **settings)
        _map(t, net, _made(t, net, settings["side"]), settings["side"], size, stride,
             (1, settings.get("channels", 3), size + stride, size))


@convolutionise.part("every weight is there and can learn, the classifier is unchanged", 0.75)
def _(t):
    net, size, _ = _classifier(t)
    made = _made(t, net, 2)
    if not list(made.parameters()):
        t.fail("The module has no parameters, so it could not be trained further. Make the layers part of the module.")
    count, want = (sum(p.numel() for p in m.parameters()) for m in (made, net))
    if count != want:
        t.fail(f"The classifier has {want} weights and biases, your module has {count}. They should be the same ones, in other shapes.")
    stuck = [name for name, g in t.weight_gradients(made, t.tensor(2, 3, size + 4, size + 4)).items() if g is None]
    if stuck:
        t.fail(f"No gradient reaches {', '.join(f'`{n}`' for n in stuck[:3])}. Each layer of the module must be used, and its weights be "
               "parameters that want a gradient.")
    before = [p.detach().clone() for p in net.parameters()]
    with torch.no_grad():
        for p in made.parameters():
            p += 1
    if not all(torch.equal(a, b) for a, b in zip(before, net.parameters())):
        t.fail("Training the new module would change the classifier: they share weights. Give the module copies of its own.")
