"""Checks of lesson 01, a mask that goes with its picture and layers of another form; `check` holds those of the labels, too."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F

from .lesson_01_labels import IGNORE, check, draw_masks, tipped, whole_numbers
from .values import NotYet, kind

# --- one crop for both --------------------------------------------------------------------------------------


def _sampled(mask, size, first=False):
    """The mask by copies, place for place: the middle pixel of what each new pixel covers, or the `first` one.

    In whole numbers. torch reckons in float32 and differs at a few sizes (2 → 61, 26 → 11): none is used below.
    """
    for axis, new in zip((-2, -1), size):
        old = mask.shape[axis]
        mask = mask.index_select(
            axis, torch.tensor([(i * old) // new if first else ((2 * i + 1) * old) // (2 * new) for i in range(new)])
        )
    return mask


def _blended(mask, size):
    return F.interpolate(mask[None, None].float(), size=size, mode="bilinear")[0, 0].round().long()


crop_pair = check.exercise(
    "crop_pair",
    hints=(
        "Every line of the picture has its counterpart for the mask. In two of the three, more changes than the name.",
        "`F.pad` takes whole numbers too, and a `value=`. For the last step, `F.interpolate` wants (B, C, H, W), and no `int64`.",
        "Outside, the mask is 255. The flip is the same. For `F.interpolate` the mask gets two axes of length 1 in front and is float meanwhile; "
        '`mode="nearest-exact"` copies, and knows no `antialias`. Then take the two axes off, and go back to `int64`.',
    ),
)


def _window(x, box, outside):
    """What a box shows of x (..., H, W), and `outside` where it shows nothing: pixel by pixel from a frame that is large enough."""
    top, left, height, width = box
    room = 200
    framed = torch.full((*x.shape[:-2], x.shape[-2] + 2 * room, x.shape[-1] + 2 * room), outside, dtype=x.dtype)
    framed[..., room : room + x.shape[-2], room : room + x.shape[-1]] = x
    return framed.narrow(-2, top + room, height).narrow(-1, left + room, width)


def _crop_part(t, image, mask, box, flip, size):
    tips = {
        "RuntimeError: Input and output sizes": "Nothing was cut out: in a slice, a negative number counts from the end.",
        "NotImplementedError": "`F.interpolate` takes no `int64`: make the mask float in between.",
        "ValueError: Input and output must have the same number": "For a size of two numbers `F.interpolate` wants (B, C, H, W): add the axes that are missing.",
    }
    got = tipped(t, tips, image, mask, box, flip, size)
    given = f"a picture of {mask.shape[0]} × {mask.shape[1]}, box={box}, flip={flip}, size={size}"
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        t.fail(f"For {given}: expected a pair (image, mask), got {kind(got)}")

    def view(box, outside=IGNORE, of=mask, mirror=flip):
        return _window(of, box, outside).flip(-1) if mirror else _window(of, box, outside)

    seen, labels = view(box, 0.0, image), view(box)
    top, left, height, width = box
    inside = mask[max(top, 0) : top + height, max(left, 0) : left + width]
    rows, columns = (
        torch.arange(a, a + n).clamp(0, last - 1) for a, n, last in zip((top, left), (height, width), mask.shape)
    )
    edges = mask[rows][:, columns]
    known = [
        (
            _sampled(labels.flip(-1), size),
            "It is not mirrored." if flip else "It is mirrored although `flip` is False.",
        ),
        (
            _sampled(_window(mask.flip(-1), box, IGNORE), size),
            "This mirrors first and cuts then; `left` counts from the left of the picture as it was given.",
        ),
        (
            _sampled(view(box, mirror=False), size).flip(-1) if flip else labels,
            "This resizes first and mirrors then; in blocks of even length the middle pixel is then another.",
        ),
        (
            _sampled(view(box, mirror=False).flip(-2), size),
            "It stands on its head: mirror left to right, the last axis.",
        ),
        (
            _sampled(labels, size, first=True),
            "This keeps the first pixel of each block; nearest-exact keeps the middle one.",
        ),
        (_blended(labels, size), "This blends labels and rounds; labels must be copied."),
        (
            F.interpolate(labels[None, None].float(), size, mode="bilinear", antialias=True)[0, 0].round().long(),
            "The mask was blended like the image; labels must be copied.",
        ),
        (_sampled(edges, size), "Outside the picture the edge was repeated; it must be 255 there."),
        (_sampled(view(box, 0), size), "Outside the picture the mask is 0, which is a class; it must be 255 there."),
        (
            _sampled(inside, size),
            "What hangs over was left out and the rest stretched; it belongs to the box, as 0 and 255.",
        ),
        (
            _sampled(view((top, left, width, height)), size),
            "Height and width have changed places: box is (top, left, height, width).",
        ),
        (
            _sampled(view((left, top, width, height)), size),
            "Rows and columns have changed places: box is (top, left, height, width).",
        ),
        (
            _sampled(view((left, top, height, width)), size),
            "Rows and columns have changed places: box is (top, left, height, width).",
        ),
        (
            _sampled(view((top, left, max(height - top, 1), max(width - left, 1))), size),
            "Height and width were taken for the bottom and the right edge: rows run to top + height − 1.",
        ),
    ]
    whole_numbers(t, got[1], size, torch.int64, f"{given}, the mask")
    t.equal(got[1], _sampled(labels, size), f"{given}, the mask", known, draw_masks)
    if not isinstance(got[0], torch.Tensor) or tuple(got[0].shape) != (3, *size):
        t.fail(f"For {given}, the image: expected a tensor of shape {(3, *size)}, got {kind(got[0])}")

    def smooth(x, **settings):
        return F.interpolate(x[None], size, **settings)[0]

    want = smooth(seen, mode="bilinear", antialias=True)
    pictures = [
        (
            smooth(seen, mode="bilinear"),
            "The image was resized without `antialias=True`, so pixels were skipped rather than averaged.",
        ),
        (
            smooth(seen, mode="nearest-exact"),
            'The image was resized by copying; a picture is blended, with `mode="bilinear", antialias=True`.',
        ),
        (
            smooth(seen, mode="nearest"),
            'The image was resized by copying; a picture is blended, with `mode="bilinear", antialias=True`.',
        ),
        (
            smooth(seen.flip(-1), mode="bilinear", antialias=True),
            "The mask is right, and the image is mirrored against it.",
        ),
        (
            smooth(view(box, float(IGNORE), image), mode="bilinear", antialias=True),
            "Outside the picture the image is 255; it must be 0 there.",
        ),
    ]
    if got[0].dtype != image.dtype:
        t.fail(f"For {given}, the image: expected the dtype float32, got {str(got[0].dtype).removeprefix('torch.')}.")
    t.close(got[0], want, f"{given}, the image", pictures, tolerance=2e-3, picture=_draw_images)


def _draw_images(got, want):
    from course_lib import plot

    return plot.grid([x.detach().clamp(0, 1) for x in (got, want)], ["yours", "expected"])


def _pair(t, height, width):
    mask = t.tensor(height, width, low=0, high=6)
    return t.tensor(3, height, width).sigmoid(), mask


@crop_pair.part("cut inside the picture", 0.5)
def _(t):
    image, mask = _pair(t, 12, 15)
    for box in ((2, 4, 7, 5), (t.random.randint(0, 5), t.random.randint(0, 5), 6, 9)):
        _crop_part(t, image, mask, box, False, box[2:])


@crop_pair.part("outside the picture 0 and 255, and arguments that stay as they were", 1)
def _(t):
    image, mask = _pair(t, 8, 10)
    mask[3, 4:6] = IGNORE
    over = t.random.randint(1, 3)
    for box in (
        (-over, 3, 6, 5),
        (2, -over, 5, 7),
        (5, 6, 3 + over, 4),
        (3, 7, 4, 3 + over),
        (-over, -2, 8 + 2 * over, 14),
    ):
        _crop_part(t, image, mask, box, False, box[2:])
    if t.changed:
        t.fail(
            "The crops are right, but your function changed the image or the mask that it was given. Work on a copy."
        )


@crop_pair.part("mirrored, after the cut", 0.5)
def _(t):
    image, mask = _pair(t, 9, 14)
    box = (t.random.randint(0, 2), t.random.randint(1, 3), 6, 8)
    _crop_part(t, image, mask, box, True, box[2:])
    _crop_part(t, image, mask, (0, 10, 9, 4), True, (9, 4))


@crop_pair.part("resized last: the image blended, the mask copied", 1.5)
def _(t):
    image, mask = _pair(t, 24, 30)
    _crop_part(t, image, mask, (t.random.randint(0, 3), t.random.randint(0, 3), 21, 25), False, (7, 5))
    _crop_part(t, image, mask, (4, 5, 6, 10), False, (12, 30))
    _crop_part(t, image, mask, (t.random.randint(0, 9), 2, 15, 20), False, (9, 8))
    _crop_part(t, image, mask, (1, 1, 20, 24), True, (10, 6))


# --- a head that slides -------------------------------------------------------------------------------------

as_convolutions = check.exercise(
    "as_convolutions",
    hints=(
        "A unit of the first Linear reads a whole map of shape (C, h, w). What does a unit of a later Linear read, at one place?",
        "A unit's weights over a flattened map are C·h·w numbers, channel by channel and row by row: that is the order in which a kernel (C, h, w) "
        "lies in memory. `nn.Conv2d(in, out, (h, w))` has weights (out, in, h, w).",
        "Inside `torch.no_grad()`, copy the reshaped weight and the bias into `conv` with `.copy_(…)`. "
        "Then set `channels` and `kernel` to what the next Linear reads: this one's outputs, at one place.",
    ),
)


def _head(t, shape, widths, between=()):
    """A head with whole-number weights: Flatten, and Linear layers of these widths with the modules `between` two of them."""
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
    """The head's scores for every window of the maps, by cutting each of them out: (B, classes, H − h + 1, W − w + 1)."""
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


def _slid_part(t, head, shape, size, batch=2):
    sent = copy.deepcopy(head)
    given = f"a head of {', '.join(type(m).__name__ for m in head)} and shape={shape}"
    try:
        net = t.call(sent, shape)
    except NotYet as error:
        _, stopped, why = error.message.partition(" your code stopped with ")
        if stopped:
            error.message = f"For {given}{stopped}{why}"
        if "invalid for input of size" in why or "must match the size" in why:
            error.message += " A unit of the first layer has C · h · w weights, where h and w may differ; a unit of a later layer has one for each channel."
        elif "IndexError" in why:
            error.message += " The head may have any number of layers: go through them in a loop."
        elif not stopped:
            error.message += " Return an `nn.Module`: its layers hold the weights, so that they can be trained."
        raise
    if not isinstance(net, nn.Module):
        t.fail(f"For {given}: expected an `nn.Module`, got {kind(net)}")
    if str(sent) != str(head) or any(
        not torch.equal(a, b) for a, b in zip(sent.state_dict().values(), head.state_dict().values())
    ):
        t.fail(f"For {given}: your function changed `head` itself. Make new layers, and copy the weights into them.")
    maps = t.tensor(batch, shape[0], *size, low=0, high=4).float()
    try:
        got = t.run(net.eval(), maps)
    except NotYet as error:
        if "Expected 3D" in error.message or "mat1 and mat2" in error.message:
            error.message += " Maps stay maps all the way: is `nn.Flatten`, or an `nn.Linear`, still there?"
        elif "Kernel size" in error.message:
            error.message += f" Here h is {shape[1]} and w is {shape[2]}."
        elif "to have" in error.message and "channels" in error.message:
            error.message += " The first layer reads C channels with a kernel of h × w; only the later ones are 1 × 1."
        raise
    want = _slid(head, maps, *shape[1:])
    given += f", on maps of shape {tuple(maps.shape)}"
    if not isinstance(got, torch.Tensor) or got.shape != want.shape:
        more = ""
        if isinstance(got, torch.Tensor) and got.dim() == 2:
            more = " There should be a score at every place: is `nn.Flatten` still there?"
        elif isinstance(got, torch.Tensor) and got.dim() == 4 and got.shape[2:] == maps.shape[2:]:
            more = " The kernel must stay on the map: no padding, and a kernel of h × w in the first layer."
        elif isinstance(got, torch.Tensor) and got.dim() == 4 and got.shape[2] < want.shape[2]:
            more = " Too few places: each window has a score of its own, one step from the next, and only the first layer has a kernel of h × w."
        elif isinstance(got, torch.Tensor) and got.dim() == 4 and got.shape[2] > want.shape[2]:
            more = " Too many places: leave padding out, so that the kernel stays on the map."
        t.fail(f"For {given}: expected scores of shape {tuple(want.shape)}, got {kind(got)}{more}")
    known = [
        (_slid(_reordered(head, shape, order), maps, *shape[1:]), meaning)
        for order, meaning in (
            (
                [1, 2, 0],
                "The weights are laid out as if channels came last; `nn.Flatten` lists one channel after the other.",
            ),
            ([0, 2, 1], "Rows and columns of the kernel have changed places."),
            ([2, 1, 0], "The weights are in reversed order; `nn.Flatten` lists channel by channel, row by row."),
        )
    ]
    known.append((want.relu(), "The last scores have been through a ReLU that the head does not have."))
    turned = copy.deepcopy(head)
    turned[1].weight.data = turned[1].weight.data.unflatten(1, shape).flip(-1, -2).flatten(1)
    known.append(
        (
            _slid(turned, maps, *shape[1:]),
            "The kernel is turned by 180°. torch's convolution does not turn it: copy the weights as they lie.",
        )
    )
    numbers = [p.detach().flatten().sort().values for p in net.parameters()]
    if not any(torch.equal(head[1].weight.detach().flatten().sort().values, n) for n in numbers):
        known.append((got, "The numbers of the head's first `nn.Linear` are not in your network: copy them."))
    bare = nn.Sequential(*(m for m in head if not isinstance(m, nn.ReLU)))
    if len(bare) < len(head):
        known.append((_slid(bare, maps, *shape[1:]), "This is the head without its ReLU."))
    silent = copy.deepcopy(head)
    for m in silent:
        if isinstance(m, nn.Linear):
            m.bias.data.zero_()
    known.append((_slid(silent, maps, *shape[1:]), "The biases are missing."))
    same_everywhere = want[:, :, :1, :1].expand_as(want)
    if want.shape[2] * want.shape[3] > 1:
        known.append((same_everywhere, "Every place has the score of the first window."))
    t.close(got, want, given, known, tolerance=1e-3, picture=_draw_scores if want.shape[2] > 1 else None)
    return net, sent, maps


def _draw_scores(got, want):
    from course_lib import plot

    return plot.grid([x.detach()[0, 0] for x in (got, want)], ["yours: first score", "expected"])


@as_convolutions.part("one layer on the map that it knows", 0.5)
def _(t):
    k, c = t.random.choice([2, 3]), 1
    _slid_part(t, _head(t, (c, k, k), [t.random.randint(2, 5)]), (c, k, k), (k, k))


@as_convolutions.part("channels, rows and columns in their order", 0.75)
def _(t):
    shape = t.random.choice([(3, 2, 4), (5, 3, 2), (4, 1, 3)])
    _slid_part(t, _head(t, shape, [3]), shape, shape[1:])


@as_convolutions.part("a larger map: at each place the head's own score", 1)
def _(t):
    k = t.random.choice([2, 3])
    _slid_part(t, _head(t, (1, k, k), [t.random.randint(2, 5)]), (1, k, k), (k + 2, k + 4))


@as_convolutions.part("several layers, ReLU and Dropout in their places", 0.75)
def _(t):
    _slid_part(t, _head(t, (1, 2, 2), [6, 5, 3], [nn.ReLU()]), (1, 2, 2), (4, 5))
    net, _, maps = _slid_part(t, _head(t, (1, 3, 3), [40, 4], [nn.ReLU(), nn.Dropout(0.5)]), (1, 3, 3), (5, 4))
    if torch.equal(t.run(net.train(), maps), t.run(net.eval(), maps)):
        t.fail(
            "For a head with Dropout: your network gives the same scores in training and in evaluation, so the Dropout is gone. Keep it where it was."
        )


@as_convolutions.part("weights that learn, and are copies", 0.5)
def _(t):
    shape = (1, 2, 2)
    head = _head(t, shape, [5, 3], [nn.ReLU()])
    net, sent, maps = _slid_part(t, head, shape, (3, 4))
    shapes = [tuple(p.shape) for p in net.parameters() if p.dim() == 4]
    if not shapes:
        t.fail(
            f"For a head of Linear(4, 5), ReLU, Linear(5, 3) and shape={shape}: the scores are right, but there is no convolution in your network. "
            "Turn the layers themselves into `nn.Conv2d`."
        )
    if shapes != [(5, 1, 2, 2), (3, 5, 1, 1)]:
        t.fail(
            f"For a head of Linear(4, 5), ReLU, Linear(5, 3) and shape={shape}: expected convolutions with weights of shapes "
            f"(5, 1, 2, 2) and (3, 5, 1, 1), got {shapes}."
        )
    still = [name for name, gradient in t.weight_gradients(net, maps).items() if gradient is None or not gradient.any()]
    if still:
        t.fail(
            f"No gradient reaches {', '.join(still)}, so it cannot learn. Copy into an `nn.Conv2d`'s own weight, inside `torch.no_grad()`."
        )
    before = copy.deepcopy(sent.state_dict())
    net.load_state_dict({name: value + 1 for name, value in net.state_dict().items()})
    if any(not torch.equal(before[name], value) for name, value in sent.state_dict().items()):
        t.fail(
            "When your network's weights change, those of `head` change with them: both hold the same tensor. Copy the numbers."
        )
