"""Checks of lesson 02, the way up and the whole network; `check` holds those of the way down, too."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from .lesson_02_down import check
from .values import NotYet, kind

# --- a transposed convolution by hand -----------------------------------------------------------------------

transposed_conv = check.exercise(
    "transposed_conv",
    hints=(
        "An input pixel at row i, column j paints k×k places of the canvas, from `top` and `left` on. Which slice is that?",
        "Patches that overlap are added, so use `+=` on a slice of the canvas. Do all images and channels of one place at once.",
        "At one place, `here` is (B, C_in) and the weight is (C_in, C_out, k, k). Call the axes b c and c o k l: "
        "`torch.einsum` gives the patches b o k l, summed over c. Add them to the canvas, all images at once.",
    ),
    own_work={
        name: "This calls torch's own transposed convolution. Write it from slices: that is where the checkerboard will show."
        for name in (
            "conv_transpose2d",
            "ConvTranspose2d",
            "conv_transpose1d",
            "convolution",
            "fold",
            "Fold",
            "grad",
            "conv2d_input",
        )
    },
)


def _draw_maps(got, want):
    from course_lib import plot

    return plot.grid([m.detach().float().reshape(-1, *m.shape[-2:])[0] for m in (got, want)], ["yours", "expected"])


def _transposed_part(t, x, weight, stride):
    try:
        got = t.call(x, weight, stride)
    except NotYet as stopped:
        axes = (
            " The first axis of `weight` is x's channels, which are summed over."
            if weight.shape[0] != weight.shape[1]
            else ""
        )
        t.fail(stopped.message + axes)
    want = F.conv_transpose2d(x, weight, stride=stride)
    given = f"x of shape {tuple(x.shape)}, weight of shape {tuple(weight.shape)}, stride {stride}"
    k = weight.shape[-1]
    brush, last = torch.ones(1, 1, k, k), torch.zeros_like(want)
    for place in range(x.shape[2] * x.shape[3]):
        one = (
            torch.zeros(x.shape[2] * x.shape[3]).index_fill_(0, torch.tensor([place]), 1.0).reshape(1, 1, *x.shape[2:])
        )
        last = torch.where(
            F.conv_transpose2d(one, brush, stride=stride) > 0, F.conv_transpose2d(x * one, weight, stride=stride), last
        )
    known = [(last, "Later patches have overwritten earlier ones; where they overlap they add up.")]
    known.append(
        (F.conv_transpose2d(x, weight.flip(2, 3), stride=stride), "The kernel is upside down: nothing is flipped here.")
    )
    known.append(
        (
            F.conv_transpose2d(x, weight.transpose(2, 3), stride=stride),
            "Rows and columns of the kernel have changed places.",
        )
    )
    if isinstance(got, torch.Tensor) and got.shape[2:] == (x.shape[2] * stride, x.shape[3] * stride) != want.shape[2:]:
        t.fail(
            f"For {given}: expected size {tuple(want.shape[2:])}, got {tuple(got.shape[2:])}. "
            f"The last patch hangs over by k − s = {k - stride}; the size is (n − 1)·s + k."
        )
    if isinstance(got, torch.Tensor) and stride > 1 and got.shape[2:] == (x.shape[2] - 1 + k, x.shape[3] - 1 + k):
        t.fail(
            f"For {given}: expected size {tuple(want.shape[2:])}, got {tuple(got.shape[2:])}. Neighbouring patches start {stride} pixels apart, not 1."
        )
    t.close(got, want, given, known, picture=_draw_maps)


@transposed_conv.part("one pixel paints one kernel", 0.5)
def _(t):
    x = torch.zeros(1, 1, 3, 3)
    x[0, 0, t.random.randint(0, 2), t.random.randint(0, 2)] = 1.0
    _transposed_part(t, x, t.tensor(1, 1, 3, 3), 3)


@transposed_conv.part("overlapping patches add up", 0.5)
def _(t):
    _transposed_part(t, t.tensor(1, 1, 4, 5), t.tensor(1, 1, 3, 3), 2)


@transposed_conv.part("batch and channels", 0.5)
def _(t):
    _transposed_part(t, t.tensor(2, 3, 3, 4), t.tensor(3, t.random.choice([2, 4]), 2, 2), 2)


@transposed_conv.part("gradients flow, arguments stay as they were", 0.5)
def _(t):
    x, weight = t.tensor(1, 2, 3, 3).requires_grad_(), t.tensor(2, 1, 3, 3).requires_grad_()
    got, (to_x, to_weight, _) = t.gradients(x, weight, 2)
    tips = "Work on tensors throughout, without `.item()`, `.data`, `.detach()`, numpy, or `torch.tensor(...)`."
    if not isinstance(got, torch.Tensor) or got.dim() != 4:
        t.fail(
            f"For x of shape (1, 2, 3, 3) and weight of shape (2, 1, 3, 3): expected a map of shape (B, C, H, W), got {kind(got)}"
        )
    for place, (name, gradient) in enumerate((("x", to_x), ("weight", to_weight))):
        if gradient is None or not gradient.any() or not t.depends((x, weight, 2), place):
            t.fail(f"No gradient reaches `{name}`. {tips}")
    if t.changed:
        t.fail("Your function changed one of its arguments. Write into a new tensor of zeros.")


# --- who writes where ---------------------------------------------------------------------------------------

overlap_count = check.exercise(
    "overlap_count",
    hints=(
        "On paper, for n=2, k=3, s=2: which output pixels does input pixel 0 paint, and which does pixel 1?",
        "Input pixel i paints the output pixels from i·s up to i·s + k − 1.",
        "Start from int64 zeros of the output's length. A loop over the input pixels then adds 1 to one slice each time.",
    ),
)


def _draw_counts(got, want):
    from course_lib import plot

    return plot.grid([row.float().expand(3, -1) for row in (got, want)], ["yours", "expected"])


@overlap_count.part("length and dtype", 0.5)
def _(t):
    for k, s in ((3, 2), (2, 2), (2, 3), (5, 2)):
        n = t.random.randint(3, 9)
        got = t.call(n, k, s)
        want = (n - 1) * s + k
        if isinstance(got, (list, tuple)):
            t.fail(f"For n={n}, k={k}, s={s}: expected a tensor, got a `{type(got).__name__}`; make a tensor of it.")
        if not isinstance(got, torch.Tensor) or tuple(got.shape) != (want,):
            if isinstance(got, torch.Tensor) and tuple(got.shape) == (1, 1, want):
                t.fail(
                    f"For n={n}, k={k}, s={s}: expected a tensor of shape ({want},), got {kind(got)} Drop the first two axes."
                )
            t.fail(
                f"For n={n}, k={k}, s={s}: expected a tensor of shape ({want},), got {kind(got)} "
                f"The last of the {n} kernels starts at {(n - 1) * s} and is {k} long."
            )
        if got.dtype != torch.int64:
            t.fail(
                f"For n={n}, k={k}, s={s}: counts are whole numbers; make the dtype int64, not {str(got.dtype).removeprefix('torch.')}."
            )


@overlap_count.part("counts", 0.5)
def _(t):
    for k, s in ((3, 2), (4, 2), (5, 2), (2, 3), (3, 1)):
        n = t.random.randint(4, 9)
        ones = torch.ones(1, 1, n), torch.ones(1, 1, k)
        want = F.conv_transpose1d(*ones, stride=s)[0, 0].long()
        got = t.call(n, k, s)
        packed = torch.zeros_like(want)
        packed[: n - 1 + k] = F.conv_transpose1d(*ones)[0, 0].long()[: len(want)]
        known = [
            (want.clamp(max=1), "This marks the pixels that are painted at all; count how often."),
            (packed, f"Neighbouring kernels start {s} pixels apart, not 1."),
        ]
        if isinstance(got, torch.Tensor) and got.shape == want.shape:
            got = got.to(want.dtype)
        t.equal(got, want, f"n={n}, k={k}, s={s}", known, _draw_counts)


# --- pixel shuffle by reshape -------------------------------------------------------------------------------

shuffle_pixels = check.exercise(
    "shuffle_pixels",
    hints=(
        "`split` has six axes, and the output four. Which two axes together make an output row, and which two a column?",
        "The output row is h·r + i, with i the row in the block, so that H must stand just before i. `permute` moves axes; "
        "`reshape` then joins neighbours.",
        "The six axes are B, C, i, j, H, W. They must come to read B, C, H, i, W, j before the last reshape. "
        "For each of these, write down at which place it stood: that list is what `permute` wants.",
    ),
    own_work={
        name: "This calls torch's own pixel shuffle. Do it with `reshape` and `permute`."
        for name in ("pixel_shuffle", "PixelShuffle", "conv_transpose2d")
    },
)


@shuffle_pixels.part("shape", 0.25)
def _(t):
    r, c = t.random.choice([2, 3]), t.random.choice([1, 3])
    x = t.tensor(2, c * r * r, 3, 5)
    got = t.call(x, r)
    want = (2, c, 3 * r, 5 * r)
    if not isinstance(got, torch.Tensor) or tuple(got.shape) != want:
        t.fail(f"For x of shape {tuple(x.shape)} and r={r}: expected a tensor of shape {want}, got {kind(got)}")


@shuffle_pixels.part("every value in its place", 0.75)
def _(t):
    for r, c in ((2, 1), (t.random.choice([2, 3]), 3)):
        h, w = t.random.randint(2, 4), t.random.randint(5, 7)
        x = torch.randperm(c * r * r * h * w, generator=t.generator).reshape(1, c * r * r, h, w)
        want = F.pixel_shuffle(x, r)
        six = x.reshape(1, c, r, r, h, w)
        known = [
            (
                x.reshape(1, c, h * r, w * r),
                "This only reads the numbers off in another shape; the axes must change places between the two reshapes.",
            ),
            (
                six.permute(0, 1, 4, 3, 5, 2).reshape(want.shape),
                "Within each block, rows and columns have changed places.",
            ),
            (
                six.permute(0, 1, 2, 4, 3, 5).reshape(want.shape),
                "The blocks are laid side by side as whole small pictures; each block should be one pixel's own.",
            ),
            (
                x.reshape(1, r, r, c, h, w).permute(0, 3, 4, 1, 5, 2).reshape(want.shape),
                "The channels are split as (r, r, C); torch's order is (C, r, r): neighbouring channels go to one block.",
            ),
        ]
        got = t.call(x, r)
        if isinstance(got, torch.Tensor) and got.dtype != x.dtype:
            t.fail(
                f"For x of dtype int64: got {str(got.dtype).removeprefix('torch.')}. Moving numbers does not change their type."
            )
        t.equal(got, want, f"x of shape {tuple(x.shape)}, r={r}", known, _draw_maps)
    if t.changed:
        t.fail("Your function changed its argument.")


# --- an encoder-decoder for any size ------------------------------------------------------------------------

build_net = check.exercise(
    "build_net",
    hints=(
        "What has `forward` noted on the way down, and in which order does the way up need it?",
        "One stage for each convolution of `self.up`: resize to the size that was there before the last pooling that is not "
        "undone yet, then convolve to the width one level up.",
        "`sizes.pop()` gives the sizes back, the last one first, and `F.interpolate` takes one as `size=`. After each a "
        "convolution of `self.up` and a ReLU. Last, `self.head` makes the logits.",
    ),
    own_work={
        name: "This hands the work to a finished network. Build one from convolutions, pooling and resizing."
        for name in ("EncoderDecoder", "UNet", "fcn_resnet50", "deeplabv3_resnet50", "lraspp_mobilenet_v3_large")
    },
)


def _net(t, classes, widths):
    """The answer's module, ready to be tried: evaluation mode, and weights drawn so that no ReLU is dead by chance."""
    net = t.call(classes, widths)
    if not isinstance(net, nn.Module):
        t.fail(f"For classes={classes}, widths={widths}: expected an `nn.Module`, got {kind(net)}")
    state = net.state_dict()
    for name, _ in net.named_parameters():
        fan_in = max(1, state[name][0].numel()) if state[name].dim() > 1 else 25
        state[name] = t.tensor(*state[name].shape) * (2 / fan_in) ** 0.5 + (
            state[name].dim() == 1 and "bias" not in name
        )
    net.load_state_dict(state)
    return net.eval()


def _registered(t, net):
    """Fail where convolutions run that PyTorch does not know of."""
    unknown = [layer for layer in t.layers(net, t.tensor(1, 3, 32, 32)) if layer["name"] is None]
    if unknown:
        t.fail(
            f"{len(unknown)} convolutions run but are not in `net.parameters()`, so they would never learn. "
            "Make layers in `__init__`, and keep a list of them as an `nn.ModuleList`, not a plain list."
        )


def _matters(t, net, names):
    """Fail where a convolution that is said to run has no part in the logits: with other weights they must be others."""
    state, x = net.state_dict(), t.tensor(1, 3, 32, 32)
    with torch.no_grad():
        before = t.run(net, x)
        for name in sorted(names):
            weight = state.get(f"{name}.weight")
            if weight is not None:
                net.load_state_dict({**state, f"{name}.weight": t.tensor(*weight.shape) * weight.std()})
                if torch.equal(t.run(net, x), before):
                    t.fail(f"The convolution {name!r} runs, and nothing of what it puts out reaches the logits.")
    net.load_state_dict(state)


def _settings(t, levels):
    """Classes and widths, all different, so that each width can be recognised."""
    return t.random.randint(3, 6), [8 + 7 * i + t.random.randint(0, 6) for i in range(levels)]


def _logits(t, net, classes, widths, *sizes):
    """The net's logits for random pictures of the (batch, height, width) given; fails unless their shape is right."""
    for batch, h, w in sizes:
        x = t.tensor(batch, 3, h, w)
        got = t.run(net, x)
        want = (batch, classes, h, w)
        if not isinstance(got, torch.Tensor) or tuple(got.shape) != want:
            shape = tuple(got.shape) if isinstance(got, torch.Tensor) else ()
            more = (
                " Pooling rounded down on the way; resize to the size that was there before it."
                if len(shape) == 4 and all(0 < w - g < 2 ** len(widths) for w, g in zip(want[2:], shape[2:]))
                else ""
            )
            t.fail(
                f"For classes={classes}, widths={widths} and pictures of shape {tuple(x.shape)}: expected logits of shape {want}, "
                f"got {kind(got)}{more}"
            )
    return got


def _flat(t, net):
    """The logits, float64, in the middle of flat pictures of −2, 0 and 2."""
    levels = torch.tensor([-2.0, 0.0, 2.0])[:, None, None, None]
    return t.run(net, levels.repeat(1, 3, 96, 96))[:, :, 48, 48].double()


def _bends_on_the_way_down(t, net):
    """Fail where the encoder has no ReLU: with a decoder so biased that its own ReLUs let all pass, a bend must come from the encoder."""
    layers = t.layers(net, t.tensor(1, 3, 64, 64))
    deepest = min(layer["height"] for layer in layers)
    last = max(i for i, layer in enumerate(layers) if layer["height"] == deepest)
    later = {layer["name"] for layer in layers[last + 1 :]} - {layer["name"] for layer in layers[: last + 1]}
    before = {name: value.clone() for name, value in net.state_dict().items()}
    changed = {
        name: value.abs() + (1000.0 if name.endswith("bias") else 0.0) if name.rpartition(".")[0] in later else value
        for name, value in before.items()
    }
    net.load_state_dict(changed)
    with torch.no_grad():
        low, middle, high = _flat(t, net)
    net.load_state_dict(before)
    if ((low + high - 2 * middle).abs() < 0.02 * (high - low).abs()).all():
        t.fail(
            "Up to the bottleneck your net is one straight line. Put a ReLU after each 3 × 3 convolution of the encoder, too."
        )


@build_net.part("logits of the picture's size", 0.25)
def _(t):
    for levels in (3, 4):
        classes, widths = _settings(t, levels)
        got = _logits(t, _net(t, classes, widths), classes, widths, (1, 48, 64), (3, 32, 16), (2, 32, 32))
        if got.min() >= 0:
            t.fail(
                "No logit is below 0. Logits are any numbers: end on the 1 × 1 convolution, without ReLU or softmax."
            )
    if t.changed:
        t.fail("`build_net` changed the list of widths that it was given. Work on a copy.")


@build_net.part("odd sizes", 1.25)
def _(t):
    classes, widths = _settings(t, 3)
    sizes = t.random.sample(((33, 47), (17, 30), (45, 45), (39, 58)), 2)
    net = _net(t, classes, widths)
    _logits(t, net, classes, widths, *((1, h, w) for h, w in sizes))
    layers = t.layers(net, t.tensor(1, 3, 45, 45))
    heights = [layer["height"] for layer in layers]
    if not heights or min(heights) > 23:
        t.fail(
            f"For widths={widths} and a picture of 45 × 45, no convolution works on a smaller map than the picture. Halve it between the widths."
        )
    deepest = heights.index(min(heights))
    for height in heights[:deepest]:
        if not {height, height + 1} & set(heights[deepest:]):  # one more where a transposed convolution is cropped
            t.fail(
                f"For widths={widths} and a picture of 45 × 45, a convolution on the way down puts out {height} rows, and none on the way "
                f"back does: they put out {', '.join(map(str, heights[deepest:]))}. Come back to each size before you convolve, not only at the end."
            )


@build_net.part("down through the widths, and back through the same sizes", 0.75)
def _(t):
    classes, widths = _settings(t, 4)
    net = _net(t, classes, widths)
    _registered(t, net)
    layers = t.layers(net, t.tensor(1, 3, 96, 96))
    heights = [layer["height"] for layer in layers]
    steps = [h for i, h in enumerate(heights) if i == 0 or h != heights[i - 1]]
    down = [96 // 2**i for i in range(len(widths))]
    want = down + down[-2::-1]
    if steps != want:
        t.fail(
            f"For widths={widths} and a picture of 96 × 96, the maps that your convolutions put out go through the heights "
            f"{' → '.join(map(str, steps))}; {len(widths)} widths should go {' → '.join(map(str, want))}."
        )
    for width, height in zip(widths, down):
        if not any(layer["height"] == height and layer["out"] == width and layer["kernel"] == 3 for layer in layers):
            t.fail(
                f"For widths={widths}: at {height} × {height} pixels there should be a 3 × 3 convolution that puts out {width} channels."
            )
    _matters(t, net, {layer["name"] for layer in layers})


@build_net.part("no skips: all passes through the bottleneck", 0.25)
def _(t):
    classes, widths = _settings(t, 3)
    net = _net(t, classes, widths)
    _registered(t, net)
    with torch.no_grad():
        a, b = (_logits(t, net, classes, widths, (1, 48, 48)) for _ in range(2))
    if torch.allclose(a, b, atol=1e-5):
        t.fail("Two different pictures get the same logits: nothing of the picture reaches them.")
    state = net.state_dict()
    for name, value in state.items():  # silence whatever has as many outputs as the bottleneck has channels
        if value.dim() and value.shape[0] == widths[-1]:
            state[name] = torch.zeros_like(value)
    net.load_state_dict(state)
    with torch.no_grad():
        a, b = (_logits(t, net, classes, widths, (1, 48, 48)) for _ in range(2))
    if not torch.allclose(a, b, atol=1e-5):
        t.fail(
            f"With the {widths[-1]} channels of the bottleneck silenced, the logits still depend on the picture: something goes "
            "round the bottleneck. Leave skips out here."
        )


@build_net.part("it bends, and every weight learns", 0.5)
def _(t):
    classes, widths = _settings(t, 3)
    net = _net(t, classes, widths)
    _registered(t, net)
    _logits(t, net, classes, widths, (1, 32, 32))
    with (
        torch.no_grad()
    ):  # on flat pictures pooling does nothing, so that, far from the rim, only a ReLU can bend the line
        low, middle, high = _flat(t, net)
    if torch.allclose(low + high, 2 * middle, atol=1e-3):
        t.fail(
            "Your net is one straight line: flat pictures of −2, 0 and 2 give logits in even steps. Put a ReLU after each 3 × 3 convolution."
        )
    _bends_on_the_way_down(t, net)
    silent = [
        name for name, grad in t.weight_gradients(net, t.tensor(2, 3, 48, 48)).items() if grad is None or not grad.any()
    ]
    if silent:
        t.fail(f"No gradient reaches {silent[0]!r}. Is every layer that you make also used in `forward`?")
