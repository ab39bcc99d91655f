"""Lesson 01: a head of Linear layers that slides over maps. What is expected is what it says to each window."""

import copy

import torch
import torch.nn as nn

from ..causes import judge
from ..core import Exercise
from ..values import NotYet, kind

as_convolutions = Exercise(
    "as_convolutions",
    hints=(
        "A unit of the first Linear reads a whole map of shape (C, h, w). What does a unit of a later Linear "
        "read, at one place?",
        "A unit's weights over a flattened map are C·h·w numbers, channel by channel and row by row: that is the "
        "order in which a kernel (C, h, w) lies in memory. `nn.Conv2d(in, out, (h, w))` has weights (out, in, h, w).",
        "Inside `torch.no_grad()`, copy the reshaped weight and the bias into `conv` with `.copy_(…)`. "
        "Then set `channels` and `kernel` to what the next Linear reads: this one's outputs, at one place.",
    ),
)


def _head(t, shape, widths, between=()):
    """A head with whole-number weights: Flatten, and Linear layers of these widths, the modules `between` every two."""
    layers, width = [nn.Flatten()], shape[0] * shape[1] * shape[2]
    for i, out in enumerate(widths):
        linear = nn.Linear(width, out)
        linear.load_state_dict(
            {"weight": t.tensor(out, width, low=-2, high=3).float(), "bias": t.tensor(out, low=1, high=9).float()}
        )
        layers += [linear] + [copy.deepcopy(m) for m in between if i + 1 < len(widths)]
        width = out
    return nn.Sequential(*layers).eval()


def _slid(head, maps, h, w):
    """The head's scores for every window of the maps, each cut out: (B, classes, H − h + 1, W − w + 1)."""
    with torch.no_grad():
        spots = [(i, j) for i in range(maps.shape[2] - h + 1) for j in range(maps.shape[3] - w + 1)]
        answers = torch.stack([head(maps[:, :, i : i + h, j : j + w]) for i, j in spots], 2)
    return answers.unflatten(2, (maps.shape[2] - h + 1, maps.shape[3] - w + 1))


def _reordered(head, shape, order):
    """The head as if its first layer read the flattened map in another order: the axes C, h, w permuted."""
    other = copy.deepcopy(head)
    weight = other[1].weight
    c, h, w = shape
    sizes = [(c, h, w)[axis] for axis in order]
    back = [0, *(1 + order.index(axis) for axis in range(3))]
    weight.data = weight.data.reshape(-1, *sizes).permute(back).reshape(weight.shape)
    return other


def _turned(head, shape):
    """The head as if its first layer read each map turned by 180°."""
    other = copy.deepcopy(head)
    other[1].weight.data = other[1].weight.data.unflatten(1, shape).flip(-1, -2).flatten(1)
    return other


def _silent(head):
    """The head without its biases."""
    other = copy.deepcopy(head)
    for m in other:
        if isinstance(m, nn.Linear):
            m.bias.data.zero_()
    return other


def _same_weights(a, b):
    return all(torch.equal(v, w) for v, w in zip(a.state_dict().values(), b.state_dict().values()))


def _converted(t, head, shape, given):
    """(the answer's network, the copy of the head that it was made from); fails where that one was changed."""
    sent = copy.deepcopy(head)
    try:
        net = t.call(sent, shape)
    except NotYet as error:
        _, stopped, why = error.message.partition(" your code stopped with ")
        if stopped:
            error.message = f"For {given}{stopped}{why}"
        if "invalid for input of size" in why or "must match the size" in why:
            error.message += (
                " A unit of the first layer has C · h · w weights, where h and w may differ; a unit of a later "
                "layer has one for each channel."
            )
        elif "IndexError" in why:
            error.message += " The head may have any number of layers: go through them in a loop."
        elif not stopped:
            error.message += " Return an `nn.Module`: its layers hold the weights, so that they can be trained."
        raise
    t.module(net, given)
    if str(sent) != str(head) or not _same_weights(sent, head):
        t.fail(f"For {given}: your function changed `head` itself. Make new layers, and copy the weights into them.")
    return net, sent


def _scores(t, net, maps, shape):
    """What the network makes of the maps; where it stops, with a word about what is likely the cause."""
    try:
        return t.run(net.eval(), maps)
    except NotYet as error:
        if "Expected 3D" in error.message or "mat1 and mat2" in error.message:
            error.message += " Maps stay maps all the way: is `nn.Flatten`, or an `nn.Linear`, still there?"
        elif "Kernel size" in error.message:
            error.message += f" Here h is {shape[1]} and w is {shape[2]}."
        elif "to have" in error.message and "channels" in error.message:
            error.message += " The first layer reads C channels with a kernel of h × w; only the later ones are 1 × 1."
        raise


def _size_slip(got, want, maps):
    """What scores of a wrong shape tell; "" where they tell nothing."""
    if not isinstance(got, torch.Tensor):
        return ""
    if got.dim() == 2:
        return " There should be a score at every place: is `nn.Flatten` still there?"
    if got.dim() != 4:
        return ""
    if got.shape[2:] == maps.shape[2:]:
        return " The kernel must stay on the map: no padding, and a kernel of h × w in the first layer."
    if got.shape[2] < want.shape[2]:
        return (
            " Too few places: each window has a score of its own, one step from the next, and only the first "
            "layer has a kernel of h × w."
        )
    if got.shape[2] > want.shape[2]:
        return " Too many places: leave padding out, so that the kernel stays on the map."
    return ""


REORDERED = {
    (1, 2, 0): "The weights are laid out as if channels came last; `nn.Flatten` lists one channel after the other.",
    (0, 2, 1): "Rows and columns of the kernel have changed places.",
    (2, 1, 0): "The weights are in reversed order; `nn.Flatten` lists channel by channel, row by row.",
}
TURNED = "The kernel is turned by 180°. torch's convolution does not turn it: copy the weights as they lie."


def _slips(head, net, shape, maps, got, want):
    """(wrong scores, what they reveal), of which the first that fits is told."""

    def slid(other):
        return _slid(other, maps, *shape[1:])

    known = [(slid(_reordered(head, shape, order)), meaning) for order, meaning in REORDERED.items()]
    known.append((want.relu(), "The last scores have been through a ReLU that the head does not have."))
    known.append((slid(_turned(head, shape)), TURNED))
    first = head[1].weight.detach().flatten().sort().values
    if not any(torch.equal(first, p.detach().flatten().sort().values) for p in net.parameters()):
        known.append((got, "The numbers of the head's first `nn.Linear` are not in your network: copy them."))
    bare = nn.Sequential(*(m for m in head if not isinstance(m, nn.ReLU)))
    if len(bare) < len(head):
        known.append((slid(bare), "This is the head without its ReLU."))
    known.append((slid(_silent(head)), "The biases are missing."))
    if len(head) == 2:  # one layer: what is the same for all windows and all pictures is its bias
        shift = (got.detach() - want).mean((0, 2, 3), keepdim=True)
        known.append((want + shift, "All but the bias is right: it is not the head's. Copy it, too."))
    if want[0, 0].numel() > 1:
        known.append((want[:, :, :1, :1].expand_as(want), "Every place has the score of the first window."))
    return known


def _slid_part(t, *settings):
    """[(the answer's network, the head that it was given, maps)] for each (head, shape, size), where all agree."""
    found = []

    def cases():
        for head, shape, size in settings:
            given = f"a head of {', '.join(type(m).__name__ for m in head)} and shape={shape}"
            net, sent = _converted(t, head, shape, given)
            maps = t.tensor(2, shape[0], *size, low=0, high=4).float()
            got, want = _scores(t, net, maps, shape), _slid(head, maps, *shape[1:])
            where = f"{given}, on maps of shape {tuple(maps.shape)}"
            if not isinstance(got, torch.Tensor) or got.shape != want.shape:
                more = _size_slip(got, want, maps)
                t.fail(f"For {where}: expected scores of shape {tuple(want.shape)}, got {kind(got)}{more}")
            yield (
                got,
                want,
                where,
                _slips(head, net, shape, maps, got, want),
                _draw_scores if want.shape[2] > 1 else None,
            )
            if not any(p.dim() == 4 for p in net.parameters()):
                t.fail(
                    f"For {given}: the scores are right, but there is no convolution in your network. Turn the layers "
                    "themselves into `nn.Conv2d`."
                )
            found.append((net, sent, maps))

    judge(t, cases(), 1e-3)
    return found


def _draw_scores(got, want):
    from course_lib import plot

    return plot.grid([x.detach()[0, 0] for x in (got, want)], ["yours: first score", "expected"])


@as_convolutions.part("one layer on the map that it knows", 0.5)
def _(t):
    out = t.random.randint(2, 5)
    _slid_part(t, *((_head(t, (1, k, k), [out]), (1, k, k), (k, k)) for k in (2, 3)))


@as_convolutions.part("channels, rows and columns in their order", 0.75)
def _(t):
    shapes = [(t.random.randint(3, 5), h, w) for h, w in ((2, 4), (3, 2), (1, 3))]
    _slid_part(t, *((_head(t, shape, [3]), shape, shape[1:]) for shape in shapes))


@as_convolutions.part("a larger map: at each place the head's own score", 1)
def _(t):
    out = t.random.randint(2, 5)
    _slid_part(t, *((_head(t, (1, k, k), [out]), (1, k, k), (k + 2, k + 4)) for k in (2, 3)))


@as_convolutions.part("several layers, ReLU and Dropout in their places", 0.75)
def _(t):
    net, _, maps = _slid_part(
        t,
        (_head(t, (1, 2, 2), [6, 5, 3], [nn.ReLU()]), (1, 2, 2), (4, 5)),
        (_head(t, (1, 3, 3), [40, 4], [nn.ReLU(), nn.Dropout(0.5)]), (1, 3, 3), (5, 4)),
    )[-1]
    if torch.equal(t.run(net.train(), maps), t.run(net.eval(), maps)):
        t.fail(
            "For a head with Dropout: your network gives the same scores in training and in evaluation, so "
            "the Dropout is gone. Keep it where it was."
        )


@as_convolutions.part("weights that learn, and are copies", 0.5)
def _(t):
    shape = (1, 2, 2)
    head = _head(t, shape, [5, 3], [nn.ReLU()])
    head[1].weight.data[0], head[3].weight.data[:, 0] = -1.0, 1.0  # one unit that the ReLU holds at 0, and matters
    net, sent, maps = _slid_part(t, (head, shape, (3, 4)), (head, shape, (4, 3)))[-1]
    shapes = [tuple(p.shape) for p in net.parameters() if p.dim() == 4]
    if shapes != [(5, 1, 2, 2), (3, 5, 1, 1)]:
        t.fail(
            f"For a head of Linear(4, 5), ReLU, Linear(5, 3) and shape={shape}: expected convolutions with weights of "
            f"shapes (5, 1, 2, 2) and (3, 5, 1, 1), got {shapes}."
        )
    still = [name for name, gradient in t.weight_gradients(net, maps).items() if gradient is None or not gradient.any()]
    if still:
        t.fail(
            f"No gradient reaches {', '.join(still)}, so it cannot learn. Copy into an `nn.Conv2d`'s own "
            "weight, inside `torch.no_grad()`."
        )
    before = copy.deepcopy(sent.state_dict())
    net.load_state_dict({name: value + 1 for name, value in net.state_dict().items()})
    if any(not torch.equal(before[name], value) for name, value in sent.state_dict().items()):
        t.fail(
            "When your network's weights change, those of `head` change with them: both hold the same "
            "tensor. Copy the numbers."
        )
