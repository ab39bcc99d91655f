"""Lesson 02: an encoder and decoder without skips, for pictures of any size."""

import torch

from ..core import Exercise
from ..values import NotYet, dtype_name, kind

build_net = Exercise(
    "build_net",
    hints=(
        "What has `forward` noted on the way down, and in which order does the way up need it?",
        "One stage for each convolution of `self.up`: resize to the size that was there before the last pooling that "
        "is not undone yet, then convolve to the width one level up.",
        "`sizes.pop()` gives the sizes back, the last one first, and `F.interpolate` takes one as `size=`. After each "
        "a convolution of `self.up` and a ReLU. Last, `self.head` makes the logits.",
    ),
    own_work={
        name: "This hands the work to a finished network. Build one from convolutions, pooling and resizing."
        for name in (
            *("EncoderDecoder", "UNet", "FCN", "DeepLab", "PSPNet", "Pretrained", "pretrained"),
            *("fcn_resnet50", "fcn_resnet101", "deeplabv3_resnet50", "deeplabv3_resnet101"),
            *("deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"),
        )
    },
)


def _net(t, classes, widths):
    """The answer's module, ready to be tried: evaluation mode, and weights drawn so that no ReLU is dead by chance."""
    net = t.made(classes, widths, given=f"classes={classes}, widths={widths}")
    state = net.state_dict()
    for name, _ in net.named_parameters():
        fan_in = max(1, state[name][0].numel()) if state[name].dim() > 1 else 25
        state[name] = t.tensor(*state[name].shape) * (2 / fan_in) ** 0.5 + (
            state[name].dim() == 1 and "bias" not in name
        )
    net.load_state_dict(state)
    return net.eval()


def _matters(t, net, names):
    """Fail where a convolution that runs has no part in the logits: with other weights they must be others."""
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
        got, want = _run(t, net, x, widths), (batch, classes, h, w)
        if not isinstance(got, torch.Tensor) or tuple(got.shape) != want:
            more = _size_slip(got, want, widths) if isinstance(got, torch.Tensor) else ""
            if not more and _unturned(t, net, widths):
                more = " The sizes come in the order of the way down here; the way back needs the last one first."
            t.fail(
                f"For classes={classes}, widths={widths} and pictures of shape {tuple(x.shape)}: expected logits of "
                f"shape {want}, got {kind(got)}{more}"
            )
        t.finite(got, f"classes={classes}, widths={widths} and pictures of shape {tuple(x.shape)}, the logits")
    return got


def _run(t, net, x, widths):
    try:
        return t.run(net, x)
    except NotYet as stopped:
        if f"to have {widths[0]} channels, but got {widths[-1]} channels" in stopped.message:
            stopped.message += (
                f" The head reads {widths[0]} channels, and here come the {widths[-1]} of the bottleneck: first "
                "the way back up, a convolution for each width."
            )
        raise


def _unturned(t, net, widths):
    """Whether the way back goes through the sizes in the order of the way down; seen on two pictures."""
    for h, w in ((48, 32), (37, 53)):
        try:
            heights = [layer["height"] for layer in t.layers(net, t.tensor(1, 3, h, w))]
        except NotYet:
            return False
        down = [h // 2**i for i in range(len(widths))]
        if [now for before, now in zip([0, *heights], heights) if now != before] != down + down[:-1]:
            return False
    return True


def _size_slip(got, want, widths):
    """What logits of a wrong shape tell; "" where they tell nothing."""
    shape = tuple(got.shape)
    if not got.is_floating_point() and shape == (want[0], *want[2:]):
        return f" These are labels, of dtype {dtype_name(got)}. Return the logits, without argmax."
    if len(shape) == 4 and shape == (want[0], widths[0], *want[2:]):
        return f" These are the {widths[0]} channels of the last stage; the head, which makes the logits, is missing."
    if len(shape) == 4 and all(0 < w - g < 2 ** len(widths) for w, g in zip(want[2:], shape[2:])):
        return " Pooling rounded down on the way; resize to the size that was there before it."
    return ""


def _flat(t, net):
    """The logits, float64, in the middle of flat pictures of −2, 0 and 2."""
    levels = torch.tensor([-2.0, 0.0, 2.0])[:, None, None, None]
    return t.run(net, levels.repeat(1, 3, 96, 96))[:, :, 48, 48].double()


def _bends_on_the_way_down(t, net):
    """Fail where the encoder has no ReLU.

    The decoder gets a bias so large that its own ReLUs let all pass: a bend must then come from the encoder.
    """
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
            "Up to the bottleneck your net is one straight line. Put a ReLU after each 3 × 3 convolution of "
            "the encoder, too."
        )


@build_net.part("logits of the picture's size", 0.25)
def _(t):
    for levels in (3, 4):
        classes, widths = _settings(t, levels)
        net = _net(t, classes, widths)
        got = _logits(t, net, classes, widths, (1, 48, 64), (3, 32, 16), (2, 32, 32))
        known = all(layer["name"] for layer in t.layers(net, t.tensor(1, 3, 32, 32)))  # drawn by this check
        if known and got.min() >= 0:
            t.fail(
                "No logit is below 0. Logits are any numbers: end on the 1 × 1 convolution, without ReLU or softmax."
            )
    t.unchanged("the list of widths that it was given. Work on a copy.", who="`build_net`")


@build_net.part("odd sizes", 1.25)
def _(t):
    classes, widths = _settings(t, 3)
    sizes = t.random.sample(((33, 47), (17, 30), (45, 45), (39, 58)), 4)
    net = _net(t, classes, widths)
    _logits(t, net, classes, widths, *((1, h, w) for h, w in sizes))
    layers = t.layers(net, t.tensor(1, 3, 45, 45))
    heights = [layer["height"] for layer in layers]
    if not heights or min(heights) > 23:
        t.fail(
            f"For widths={widths} and a picture of 45 × 45, no convolution works on a smaller map than the "
            "picture. Halve it between the widths."
        )
    deepest = heights.index(min(heights))
    for height in heights[:deepest]:
        if not {height, height + 1} & set(heights[deepest:]):  # one more where a transposed convolution is cropped
            t.fail(
                f"For widths={widths} and a picture of 45 × 45, a convolution on the way down puts out {height} rows, "
                f"and none on the way back does: they put out {', '.join(map(str, heights[deepest:]))}. Come back to "
                "each size before you convolve, not only at the end."
            )


@build_net.part("down through the widths, and back through the same sizes", 0.75)
def _(t):
    classes, widths = _settings(t, 4)
    net = _net(t, classes, widths)
    _logits(t, net, classes, widths, (1, 32, 32))
    t.registered(t.layers(net, t.tensor(1, 3, 32, 32)))
    layers = t.layers(net, t.tensor(1, 3, 96, 96))
    heights = [layer["height"] for layer in layers]
    deepest = heights.index(min(heights, default=0)) if heights else 0
    cut = [  # a transposed convolution that paints a little more than the next one gets
        i > deepest and 0 < h - after < 4 for i, (h, after) in enumerate(zip(heights, heights[1:]))
    ]
    kept = [h for h, gone in zip(heights, [*cut, False]) if not gone]
    steps = [h for i, h in enumerate(kept) if i == 0 or h != kept[i - 1]]
    down = [96 // 2**i for i in range(len(widths))]
    want = down + down[-2::-1]
    if steps != want:
        t.fail(
            f"For widths={widths} and a picture of 96 × 96, the maps that your convolutions put out go through the "
            f"heights {' → '.join(map(str, steps))}; {len(widths)} widths should go {' → '.join(map(str, want))}."
        )
    for width, height in zip(widths, down):
        if not any(layer["height"] == height and layer["out"] == width and layer["kernel"] == 3 for layer in layers):
            t.fail(
                f"For widths={widths}: at {height} × {height} pixels there should be a 3 × 3 convolution that "
                f"puts out {width} channels."
            )
    last = max(i for i, height in enumerate(heights) if height == down[-1])
    for height in down[-2::-1]:
        if not any(layer["height"] == height and layer["kernel"] > 1 for layer in layers[last + 1 :]):
            t.fail(
                f"For widths={widths}: on the way back, no 3 × 3 convolution works at {height} × {height} pixels. "
                "First bring the map to that size, then convolve it."
            )
    _matters(t, net, {layer["name"] for layer in layers})


@build_net.part("no skips: all passes through the bottleneck", 0.25)
def _(t):
    classes, widths = _settings(t, 3)
    net = _net(t, classes, widths)
    _logits(t, net, classes, widths, (1, 32, 32))
    t.registered(t.layers(net, t.tensor(1, 3, 32, 32)))
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
            f"With the {widths[-1]} channels of the bottleneck silenced, the logits still depend on the picture: "
            "something goes round the bottleneck. Leave skips out here."
        )


@build_net.part("it bends, and every weight learns", 0.5)
def _(t):
    classes, widths = _settings(t, 3)
    net = _net(t, classes, widths)
    _logits(t, net, classes, widths, (1, 32, 32))
    t.registered(t.layers(net, t.tensor(1, 3, 32, 32)))
    with (
        torch.no_grad()
    ):  # on flat pictures pooling does nothing, so that, far from the rim, only a ReLU can bend the line
        low, middle, high = _flat(t, net)
    if torch.allclose(low + high, 2 * middle, atol=1e-3):
        t.fail(
            "Your net is one straight line: flat pictures of −2, 0 and 2 give logits in even steps. Put a "
            "ReLU after each 3 × 3 convolution."
        )
    _bends_on_the_way_down(t, net)
    silent = [
        name for name, grad in t.weight_gradients(net, t.tensor(2, 3, 48, 48)).items() if grad is None or not grad.any()
    ]
    if silent:
        t.fail(f"No gradient reaches {silent[0]!r}. Is every layer that you make also used in `forward`?")
