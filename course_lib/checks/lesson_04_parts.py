"""Checks of lesson 04, the parts: the double convolution, addition by concatenation, and two counts."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from .core import Lesson
from .values import kind

check = Lesson("04_unet")


def module(t, net, given):
    """Fail unless the answer returned a module."""
    if not isinstance(net, nn.Module):
        t.fail(f"For {given}: expected an `nn.Module`, got {kind(net)}")
    return net


def known_layers(t, layers):
    """Fail where convolutions run that PyTorch does not know of."""
    unknown = [layer for layer in layers if layer["name"] is None]
    if unknown:
        t.fail(
            f"{len(unknown)} convolutions run but are not in `net.parameters()`, so they would never learn. "
            "Make layers in `__init__`, and keep a list of them as an `nn.ModuleList`, not a plain list."
        )


def whole(t, got, given):
    """Fail for a number that is right but no int."""
    if isinstance(got, float) or isinstance(got, torch.Tensor) and got.numel() == 1:
        t.fail(
            f"For {given}: got {float(got):g} as a {'float' if isinstance(got, float) else 'tensor'}; return an `int`."
        )


# --- the double convolution ---------------------------------------------------------------------------------

double_conv = check.exercise(
    "double_conv",
    hints=(
        "Six layers, one after the other, nothing else happens. Which container of torch.nn runs its layers in order?",
        "A 3 × 3 kernel reaches one pixel over each edge, so one pixel of padding keeps the size. The normalisation counts channels: "
        "how many does it see, after each convolution?",
        "`nn.Sequential` of `nn.Conv2d` (kernel 3, `padding=1`, `bias=False`), `nn.BatchNorm2d` of c_out, `nn.ReLU`, then the three once "
        "more, where the convolution now gets c_out channels.",
    ),
    own_work={
        "DoubleConv": "This is the library's own double convolution, and it is right. Write one from torch.nn's layers: six of them."
    },
)


def _block(t):
    """A fresh answer, its channels, and a picture for it; fails unless it is a module that runs."""
    c_in, c_out = t.random.randint(2, 4), t.random.randint(5, 8)
    net = module(t, t.call(c_in, c_out), f"c_in={c_in}, c_out={c_out}")
    return net, c_in, c_out, t.tensor(3, c_in, 9, 14)


def _weights(t, net, c_in, c_out):
    """The two kernels by their shapes, and the biases of both convolutions (zeros where they have none)."""
    state, kernels = net.state_dict(), []
    for channels in (c_in, c_out):
        names = [n for n, v in state.items() if tuple(v.shape) == (c_out, channels, 3, 3)]
        if not names:
            t.fail(
                f"For c_in={c_in}, c_out={c_out}: there should be a convolution with weights of shape ({c_out}, {channels}, 3, 3)."
            )
        bias = state.get(names[0].removesuffix("weight") + "bias", torch.zeros(c_out))
        kernels.append((names[0], state[names[0]], bias))
    return kernels


@double_conv.part("two 3 × 3 convolutions that keep the size", 0.5)
def _(t):
    net, c_in, c_out, x = _block(t)
    given = f"c_in={c_in}, c_out={c_out} and x of shape {tuple(x.shape)}"
    got, want = t.run(net, x), (3, c_out, 9, 14)
    if not isinstance(got, torch.Tensor) or tuple(got.shape) != want:
        shape = tuple(got.shape) if isinstance(got, torch.Tensor) else ()
        more = {
            (3, c_out, 5, 10): " Each convolution takes a pixel off on every side; pad by 1.",
            (3, c_out, 7, 12): " One of the convolutions takes a pixel off on every side; pad by 1.",
        }.get(shape, "")
        t.fail(f"For {given}: expected shape {want}, got {kind(got)}{more}")
    layers = t.layers(net, x)
    known_layers(t, layers)
    found = [(layer["kernel"], layer["out"]) for layer in layers]
    if found != [(3, c_out)] * 2:
        t.fail(
            f"For {given}: expected two convolutions, 3 × 3, both with {c_out} channels out; these run: "
            + (", ".join(f"{k} × {k} with {c} out" for k, c in found) or "none")
            + "."
        )


@double_conv.part("each convolution is normalised over the batch", 0.5)
def _(t):
    net, c_in, c_out, x = _block(t)
    kernels = _weights(t, net, c_in, c_out)
    before = t.run(net, x).detach()
    state = {name: value.clone() for name, value in net.state_dict().items()}
    for which, (name, weight, _) in zip(("first", "second"), kernels):
        net.load_state_dict({**state, name: 10 * weight})
        after = t.run(net, x).detach()
        net.load_state_dict(state)
        if not torch.allclose(before, after, atol=0.02, rtol=0.02):
            t.fail(
                f"With the {which} convolution's weights times 10, the result changes (in training). Batch normalisation would "
                f"take such a factor out. Does one follow the {which} convolution?"
            )
    net.eval()
    together, alone = t.run(net, x).detach(), t.run(net, x[:1]).detach()
    net.train()
    if not torch.allclose(together[:1], alone, atol=1e-4):
        t.fail(
            "In evaluation, what comes out for a picture depends on the others in its batch. `nn.BatchNorm2d` with its defaults then takes "
            "the mean and variance that it gathered in training."
        )


@double_conv.part("a ReLU after each normalisation", 0.5)
def _(t):
    net, c_in, c_out, x = _block(t)
    (_, first, bias_1), (_, second, bias_2) = _weights(t, net, c_in, c_out)

    def norm(y):
        return F.batch_norm(y, None, None, training=True)

    def run(a, b, pads=(1, 1), mode="constant"):  # what stands after each convolution, what is put around each map
        y = a(F.conv2d(F.pad(x, 4 * [pads[0]], mode), first, bias_1))
        return b(F.conv2d(F.pad(y, 4 * [pads[1]], mode), second, bias_2))

    def both(y):
        return F.relu(norm(y))

    def each(y):
        return F.relu(F.instance_norm(y))

    got = t.run(net, x).detach()
    want = run(both, both)
    if got.shape == want.shape:
        for without in (run(F.relu, F.relu), run(both, F.relu), run(F.relu, both)):
            if torch.allclose(got, without, atol=1e-4):  # a normalisation is missing, which is another part's business
                return
    known = [
        (run(both, norm), "The last ReLU is missing."),
        (
            run(norm, both),
            "There is no ReLU between the two convolutions: one straight line after another is a straight line.",
        ),
        (run(norm, norm), "There is no ReLU at all."),
        *(
            (run(both, both, mode=mode), "At the rim your values differ: pad with zeros, not with repeated pixels.")
            for mode in ("replicate", "reflect", "circular")
        ),
        *((run(both, both, pads), "Pad each convolution by 1, not one of them by 2.") for pads in ((2, 0), (0, 2))),
        (
            run(each, each),
            "Each picture is normalised by itself here; batch normalisation takes the mean over the whole batch.",
        ),
        (
            run(lambda y: norm(F.relu(y)), lambda y: norm(F.relu(y))),
            "The ReLU stands before the normalisation; it comes after it.",
        ),
        (run(both, lambda y: norm(F.relu(y))), "The second ReLU stands before its normalisation; it comes after it."),
    ]
    t.close(
        got, want, f"c_in={c_in}, c_out={c_out} and x of shape {tuple(x.shape)}, in training", known, tolerance=1e-3
    )


@double_conv.part("its parameters: no bias in a convolution, new ones each time", 0.5)
def _(t):
    net, c_in, c_out, x = _block(t)
    got, want = sum(p.numel() for p in net.parameters()), 9 * c_out * (c_in + c_out) + 4 * c_out
    if got != want:
        more = {
            want + 2 * c_out: " The convolutions have biases; `bias=False` leaves them out.",
            want + c_out: " One of the convolutions has a bias; `bias=False` leaves it out.",
            want
            - 2 * c_out: " Is each convolution followed by a normalisation of its own, with its two weights a channel?",
            want - 4 * c_out: " A normalisation has two weights a channel: a factor and an offset.",
        }.get(got, "")
        t.fail(f"For c_in={c_in}, c_out={c_out}: expected {want} parameters, got {got}.{more}")
    other = t.call(c_in, c_out)
    if {id(p) for p in net.parameters()} & {id(p) for p in other.parameters()}:
        t.fail(
            "Two calls returned the same layers. Make new ones in each call, or all blocks of a network would share their weights."
        )
    silent = [name for name, grad in t.weight_gradients(net, x).items() if grad is None or not grad.any()]
    if silent:
        t.fail(f"No gradient reaches {silent[0]!r}. Is every layer that you make also used?")


# --- addition by concatenation ------------------------------------------------------------------------------

concat_as_add = check.exercise(
    "concat_as_add",
    hints=(
        "In the example, 3·(skip + x) is 3·skip + 3·x. Now look at the two numbers that stand before skip and x.",
        "Along which axis of the weights do the input channels lie? Its first C entries meet `skip`, its last C meet `x`.",
        "The same weights meet both halves: twice `weight`, one after the other, along axis 1.",
    ),
)


def _add_part(t, out, c, k, flowing=False):
    weight, skip, x = t.tensor(out, c, k, k), t.tensor(2, c, 6, 7), t.tensor(2, c, 6, 7)
    gradient = None
    if flowing:
        weight.requires_grad_()
        got, (gradient,) = t.gradients(weight)
    else:
        got = t.call(weight)
    given, want = f"weight of shape {tuple(weight.shape)}", (out, 2 * c, k, k)
    if not isinstance(got, torch.Tensor) or tuple(got.shape) != want:
        more = {(2 * out, c, k, k): " Axis 0 is the channels out; the channels in are axis 1."}.get(
            tuple(getattr(got, "shape", ())), ""
        )
        t.fail(f"For {given}: expected a tensor of shape {want}, got {kind(got)}{more}")
    if not got.is_floating_point():
        t.fail(f"For {given}: expected float weights, got {str(got.dtype).removeprefix('torch.')}.")
    with torch.no_grad():
        sum_first, mine = F.conv2d(skip + x, weight), F.conv2d(torch.cat([skip, x], 1), got.to(weight.dtype))
        if not torch.allclose(mine, sum_first, atol=1e-3):
            more = ""
            if c > 1 and torch.allclose(got, weight.repeat_interleave(2, 1), atol=1e-4):
                more = " Each channel's weights stand twice in a row; all C channels of `skip` come first, then all of `x`."
            elif torch.allclose(got, torch.cat([weight, weight], 1) / 2, atol=1e-4):
                more = " This gives the mean of the two maps, half of the sum."
            elif torch.allclose(got[:, :c], weight.detach(), atol=1e-4) and not got[:, c:].any():
                more = " With zeros before `x`, the decoder's map would be lost."
            t.fail(
                f"For {given}: over the concatenation your weights do not give what `weight` gives over the sum; the largest "
                f"difference is {(mine - sum_first).abs().max():.3g}.{more}"
            )
    if flowing and (gradient is None or not gradient.any()):
        t.fail(
            "No gradient reaches `weight`. Work on tensors, without `.data`, `.detach()`, numpy, or `torch.tensor(...)`."
        )
    if t.changed:
        t.fail("Your function changed `weight`. Return a new tensor.")


@concat_as_add.part("one channel, one pixel", 0.5)
def _(t):
    _add_part(t, 1, 1, 1)


@concat_as_add.part("any channels and kernel, with gradients", 0.5)
def _(t):
    for out, c, k in ((t.random.randint(4, 6), t.random.randint(2, 3), 3), (2, t.random.randint(3, 5), 1)):
        _add_part(t, out, c, k, flowing=True)


# --- parameters by formula ----------------------------------------------------------------------------------

count_unet = check.exercise(
    "count_unet",
    hints=(
        "Do it on paper for base 1 and depth 2. Which rows does the table get, and what becomes of the bottleneck's row?",
        "On the way down, level k goes from the channels of the level above (3 for level 0) to `wide[k]`. On the way up it gets twice its own "
        "channels: the skip's, and as many from below.",
        "Loop over k = 0 … depth for the way down, the bottleneck being the last. Loop over k < depth for the way up: a transposed "
        "convolution from 2c to c, with 4·2c·c + c, and a double convolution from 2c to c. Add the head.",
    ),
    own_work={
        name: "This builds a network and counts it, which is a good test of your answer. Now find the same number by arithmetic alone."
        for name in ("parameters", "count_parameters")
    },
)


def _counted(classes, base, depth, kind="concat"):
    """Count a network instead of using a formula."""
    from course_lib import models

    with torch.device("meta"):
        net = models.EncoderDecoder(classes=classes, base=base, depth=depth, skip=kind)
    return sum(p.numel() for p in net.parameters())


def _count_part(t, classes, base, depth):
    got = t.call(classes, base, depth)
    given = f"classes={classes}, base={base}, depth={depth}"
    whole(t, got, given)
    want = _counted(classes, base, depth)
    wide = [base * 2**k for k in range(depth + 1)]
    rise = wide[:-1]
    pairs = 2 * sum(rise) + wide[-1]  # channels of all blocks; each block has two convolutions and two normalisations
    known = [
        (want + 2 * pairs, "This gives the 3 × 3 convolutions biases; in a double convolution they have none."),
        (
            want - 4 * pairs,
            "This leaves out batch normalisation: 2 parameters a channel, and there are two in a block.",
        ),
        (want - 2 * pairs, "This counts one normalisation a block, or one parameter a channel; there are two of two."),
        (want + 4 * pairs, "This counts the running mean and variance; they are measured, not learned."),
        (want - sum(rise), "The transposed convolutions have a bias each: one a channel."),
        (want - classes, "The head has a bias: one a class."),
        (
            _counted(classes, base, depth, "none"),
            "On the way up a level's first convolution gets the skip as well: twice the level's channels.",
        ),
        (
            want + 9 * sum(c * c for c in rise),
            "This is as if the transposed convolutions did not halve the channels before the join.",
        ),
        (
            want + sum(17 * c * c + c for c in rise),
            "The transposed convolutions halve the channels, so that a level's first convolution gets 2c, not 3c.",
        ),
        (want + sum(10 * c * c for c in rise), "The transposed convolutions have a kernel of 2 × 2, not 3 × 3."),
        (_counted(classes, base, depth + 1), "This is one level too many."),
        (want - 18 * base, "This is for pictures of one channel; they have 3."),
        (want - sum(8 * c * c + c for c in rise), "The transposed convolutions are missing."),
        (want - (9 * wide[-2] * wide[-1] + 9 * wide[-1] ** 2 + 4 * wide[-1]), "The bottleneck is missing."),
        (want - (classes * base + classes), "The head is missing."),
    ]
    t.equal(got, want, given, known)


@count_unet.part("one level", 0.5)
def _(t):
    base = t.random.randint(2, 9)
    _count_part(t, t.random.randint(2, 9), base, 1)


@count_unet.part("any number of levels", 1)
def _(t):
    for depth in (2, 3, t.random.choice([4, 5])):
        _count_part(t, t.random.randint(2, 9), t.random.choice([4, 6, 8, 12]), depth)


@count_unet.part("what one more class adds", 0.5)
def _(t):
    base, depth, classes = t.random.choice([4, 8, 16]), t.random.randint(1, 4), t.random.randint(2, 9)
    few, more = t.call(classes, base, depth), t.call(classes + 7, base, depth)
    given = f"base={base} and depth={depth}"
    for value in (few, more):
        whole(t, value, given)
        if not isinstance(value, int):
            t.fail(f"For {given}: expected an `int`, got {kind(value)}")
    got, want = more - few, 7 * (base + 1)
    known = [
        (7 * base, "Each class has a bias, too."),
        (63 * base, "The head is 1 × 1, not 3 × 3."),
        (63 * base + 7, "The head is 1 × 1, not 3 × 3."),
        (0, "The number of classes changes nothing in your count."),
    ]
    t.equal(got, want, f"{given}, seven classes more than {classes} should add", known)


# --- one giant stroke ---------------------------------------------------------------------------------------

giant_upsampling = check.exercise(
    "giant_upsampling",
    hints=(
        "Lesson 02: a transposed convolution has a brush for each pair of a channel in and a channel out. How large is the brush here?",
        "The kernel is two strides long. In a row, how many brushes reach one pixel of that length? Then on a map?",
        "The parameters are channels·classes·kernel², and one for each class. A score takes in 2 × 2 places with all their channels.",
    ),
)


def _giant(t):
    channels, classes, depth = t.random.choice([16, 32, 64]), t.random.randint(3, 9), t.random.choice([3, 5])
    got = t.call(channels, classes, depth)
    given = f"channels={channels}, classes={classes}, depth={depth}"
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        t.fail(f"For {given}: expected a tuple of two numbers, got {kind(got)}")
    for value in got:
        whole(t, value, given)
    return got, given, channels, classes, depth


@giant_upsampling.part("parameters", 0.5)
def _(t):
    got, given, channels, classes, depth = _giant(t)
    stride = 2**depth
    want = sum(p.numel() for p in nn.ConvTranspose2d(channels, classes, 2 * stride, stride, device="meta").parameters())
    weights = want - classes
    known = [
        (weights, "The bias is missing: one a class."),
        (weights + channels, "The bias belongs to the classes, the channels out."),
        (weights // 4 + classes, "This is a kernel as large as the stride; it is twice as large."),
        (weights // (2 * stride) + classes, "The kernel is a square: its side counts twice."),
        *((channels * classes * (k * depth) ** 2 + classes, "The stride is 2 to the power of depth.") for k in (2, 4)),
        (
            (want - classes) * 2**depth + classes,
            "`channels` are those of the bottleneck already; they do not double again.",
        ),
        (4 * channels, "The parameters come first, then the numbers that a score is computed from."),
    ]
    t.equal(got[0], want, f"{given}, the parameters", known)


@giant_upsampling.part("what a score is computed from", 0.5)
def _(t):
    got, given, channels, classes, depth = _giant(t)
    stride = 2 ** min(depth, 3)
    place = torch.zeros(1, 1, 5, 5, requires_grad=True)
    F.conv_transpose2d(place, torch.ones(1, 1, 2 * stride, 2 * stride), stride=stride)[
        0, 0, 3 * stride, 3 * stride
    ].backward()
    want = int((place.grad != 0).sum()) * channels
    known = [
        (want // channels, "These are the places; each has all its channels."),
        (want // 2, "In a row two brushes reach a pixel, on a map two times two."),
        (channels, "Brushes twice as long as the stride overlap: more than one reaches a pixel."),
        (want * classes, "This is for all classes; the score of one class was asked for."),
        (want * 2**depth, "`channels` are those of the bottleneck already; they do not double again."),
        (want + 1, "The bias is no number of the bottleneck."),
        (
            channels * (2 * 2**depth) ** 2,
            "This is what one place paints with; the question is how many places paint one pixel.",
        ),
    ]
    t.equal(got[1], want, f"{given}, the numbers of the bottleneck", known)
