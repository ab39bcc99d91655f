"""Lesson 04: the whole network, its skips open and closed."""

import torch

from ..core import Exercise
from ..values import NotYet, kind, same

build_unet = Exercise(
    "build_unet",
    hints=(
        "In what order are skips saved on the way down, and in what order are they wanted on the way up?",
        "`self.down` has one block more than there are levels. The last is the bottleneck's: nothing is saved or "
        "pooled after it. On the way up, take the kept maps from the last to the first.",
        "On the way down, for each block but the last: x = the block of x, keep it in a list, then pool. Then the "
        "last block. On the way up, for k from depth − 1 to 0: `self.grow[k]`, join with `self.gate` of k and the "
        "kept map k, then `self.up[k]`. Last `self.score`.",
    ),
    own_work={
        name: "This hands the work to a finished network. Build yours from double convolutions, pooling, "
        "transposed convolutions and `join`."
        for name in ("EncoderDecoder", "UNet", "Up")
    },
)


def _build(t, classes, base, depth, *closed):
    given = f"classes={classes}, base={base}, depth={depth}" + (f", closed={closed[0]}" if closed else "")
    return t.module(t.call(classes, base, depth, *closed), given).eval()


def _shaken(t, net):
    """Weights for a net, drawn anew, such that no ReLU is off by chance."""
    state = {name: value.clone() for name, value in net.state_dict().items()}
    for name, _ in net.named_parameters():
        value = state[name]
        if value.dim() > 1:
            state[name] = t.tensor(*value.shape) * (2 / max(1, value[0].numel())) ** 0.5
        else:
            state[name] = 0.3 * t.tensor(*value.shape) + (0.0 if name.endswith("bias") else 1.0)
    return state


def _load(t, net, state):
    try:
        net.load_state_dict(state)
    except RuntimeError:
        t.fail(
            "With `closed` given, the net has other layers than without, so that its weights cannot be loaded. Keep "
            "all layers, and join zeros of the skip's shape."
        )
    return net


def _logits(t, net, given, classes, *shapes):
    for shape in shapes:
        x = t.tensor(*shape)
        try:
            got = t.run(net, x)
        except NotYet as stopped:
            more = ""
            if "Sizes of tensors" in stopped.message:
                more = (
                    " Two maps of different sizes met. Is each skip saved before the pooling, and is the "
                    "last one saved used first?"
                    if not (shape[2] % 8 or shape[3] % 8)
                    else " Does every level go through `join`?"
                )
            t.fail(stopped.message + "." * (not stopped.message.endswith(".")) + more)
        want = (shape[0], classes, *shape[2:])
        if not isinstance(got, torch.Tensor) or tuple(got.shape) != want:
            t.fail(f"For {given} and pictures of shape {shape}: expected logits of shape {want}, got {kind(got)}")
    return got


def _settings(t):
    return t.random.randint(3, 6), t.random.choice([4, 5, 6])


def _twin(t, net, classes, base, depth):
    """A reference network with weights large enough to matter, which the answer gets too; None if they don't fit."""
    from course_lib import models

    twin = models.UNet(classes=classes, base=base, depth=depth).eval()
    x = t.tensor(1, 3, 2 ** (depth + 1), 2 ** (depth + 1))
    mine, right = t.layers(net, x), t.layers(twin, x)
    old, new = net.state_dict(), twin.state_dict()
    if len(mine) != len(right) or any(layer["name"] is None for layer in mine):
        return None
    for a, b in zip(mine, right):
        for part in ("weight", "bias"):
            value, other = old.get(f"{a['name']}.{part}"), new.get(f"{b['name']}.{part}")
            if (value is None) != (other is None) or (value is not None and value.shape != other.shape):
                return None
            if value is not None:
                value = t.tensor(*value.shape) * (2 / value[0].numel()) ** 0.5
                old[f"{a['name']}.{part}"] = new[f"{b['name']}.{part}"] = value
    net.load_state_dict(old)
    twin.load_state_dict(new)
    return twin


def _some_logits(t, net, x):
    """What the net makes of x; fails unless it is a tensor."""
    got = t.run(net, x)
    if not isinstance(got, torch.Tensor):
        t.fail(f"For a picture of {x.shape[2]} × {x.shape[3]}: expected logits, got {kind(got)}")
    return got


def _alike(a, b):
    return a.shape == b.shape and torch.allclose(a, b, atol=1e-3 * float(b.std()), rtol=1e-3)


@build_unet.part("logits of the picture's size, and every weight learns", 0.5)
def _(t):
    for depth in (2, 3):
        classes, base = _settings(t)
        net = _build(t, classes, base, depth)
        state = net.state_dict()
        low = {
            name: torch.full_like(value, -9.0)
            for name, value in net.named_parameters()
            if tuple(value.shape) == (classes,)
        }
        _load(t, net, {**state, **low})  # a head biased so far down gives logits below 0
        got = _logits(t, net, f"classes={classes}, base={base}, depth={depth}", classes, (1, 3, 32, 24), (3, 3, 16, 40))
        if low and (got.min() >= 0 or got.logsumexp(1).abs().max() < 1e-3):
            t.fail(
                "With a bias of −9 in the head no logit is below 0, or each pixel's sum up as probabilities do. Logits "
                "are any numbers: end on the 1 × 1 convolution, without ReLU or softmax."
            )
    t.registered(t.layers(net, t.tensor(1, 3, 16, 16)))
    silent = [
        name for name, grad in t.weight_gradients(net, t.tensor(2, 3, 32, 32)).items() if grad is None or not grad.any()
    ]
    if silent:
        t.fail(f"No gradient reaches {silent[0]!r}. Is every layer that you make also used in `forward`?")
    _load(t, net, _shaken(t, net))
    x = 3 * t.tensor(1, 3, 32, 32)
    low, middle, high = (t.run(net, x * level).detach().double() for level in (-1.0, 0.0, 1.0))
    if (low + high - 2 * middle).abs().max() <= 1e-3 * (high - low).abs().max():
        t.fail(
            "Your net is one straight line: a picture x, the picture −x and a black one give logits in even "
            "steps. Do the double convolutions have their ReLUs?"
        )


@build_unet.part("odd sizes", 0.5)
def _(t):
    classes, base = _settings(t)
    net = _build(t, classes, base, 3)
    sizes = t.random.sample(((33, 47), (17, 30), (45, 45), (12, 58), (15, 9)), 3)
    _logits(t, net, f"classes={classes}, base={base}, depth=3", classes, *((2, 3, h, w) for h, w in sizes))
    if not any(layer["height"] < 24 for layer in t.layers(net, t.tensor(1, 3, 24, 32))):
        t.fail("For a picture of 24 × 32, no convolution works on a smaller map than the picture.")
    twin = _twin(t, net, classes, base, 3)
    with torch.no_grad():
        if twin is None or not _alike(t.run(net, x := t.tensor(1, 3, 24, 32)), twin(x)):
            return  # another part's business
        for h, w in sizes:
            x = t.tensor(1, 3, h, w)
            if not _alike(t.run(net, x), twin(x)):
                t.fail(
                    f"For a picture of {h} × {w}: the size is right, but the values are not those that come of pooling "
                    "that rounds down, and of repeating the last row or column of the doubled map. Does every level "
                    "go through `join`, and is the picture itself left as it is?"
                )


@build_unet.part("the layers, level by level", 0.5)
def _(t):
    for depth in (3, 2):
        classes, base = _settings(t)
        net = _build(t, classes, base, depth)
        side = 8 * 2**depth
        given = f"classes={classes}, base={base}, depth={depth} and a picture of {side} × {side}"
        layers = [
            (layer["kernel"], layer["out"], layer["height"]) for layer in t.layers(net, t.tensor(1, 3, side, side))
        ]
        want = [(3, base * 2**k, side // 2**k) for k in range(depth + 1) for _ in range(2)]
        for k in reversed(range(depth)):
            want += [(2, base * 2**k, side // 2**k)] + [(3, base * 2**k, side // 2**k)] * 2
        want.append((1, classes, side))
        for i, (mine, right) in enumerate(zip(layers, want), 1):
            if mine != right:
                t.fail(
                    f"For {given}: the convolution number {i} that runs should be {_said(right)}; yours is "
                    f"{_said(mine)}."
                )
        if len(layers) != len(want):
            t.fail(f"For {given}: {len(want)} convolutions should run, {len(layers)} do.")
        from course_lib import models

        with torch.device("meta"):
            twin = models.UNet(classes=classes, base=base, depth=depth)
        mine, right = (sum(p.numel() for p in n.parameters()) for n in (net, twin))
        if mine != right:
            more = ""
            if mine == right - 9 * sum((base * 2**k) ** 2 for k in range(depth)):
                more = " Does the first convolution of each level on the way up get the skip's channels as well?"
            t.fail(
                f"For {given}: the right layers run, but they have {mine:,} parameters together, not {right:,}.{more} "
                "Mind biases: none in a double convolution, one in each transposed convolution and in the head."
            )
        twin, x = _twin(t, net, classes, base, depth), t.tensor(1, 3, side, side)
        if twin is not None:
            twin.pool = torch.nn.AvgPool2d(2)
            with torch.no_grad():
                if _alike(t.run(net, x), twin(x)):
                    t.fail("Your pooling takes the mean of each 2 × 2 block; max-pooling takes the largest.")


def _said(layer):
    kernel, out, height = layer
    return f"{kernel} × {kernel}, with {out} channels out, at {height} rows"


def _doubling(t, state, channels):
    """The names of the transposed convolution to so many channels."""
    for name, value in state.items():
        if tuple(value.shape) == (2 * channels, channels, 2, 2):
            return [n for n in (name, name.removesuffix("weight") + "bias") if n in state]
    t.fail(
        f"There should be a transposed convolution of kernel 2 from {2 * channels} to {channels} channels; its weights "
        f"have the shape ({2 * channels}, {channels}, 2, 2)."
    )


def _silenced(t, state, channels):
    """The weights with nothing coming up through the transposed convolution to so many channels."""
    return {**state, **{name: torch.zeros_like(state[name]) for name in _doubling(t, state, channels)}}


def _level_speaks(t, net, state, base, k, wide, side):
    """Fail unless level k's skip reaches the logits, carries gradients, and was saved before the pooling.

    What comes from below level k is silent here; the skips of levels 0 to k still speak.

    state  weights for the net
    wide   a picture, 4 px wider and higher than `side`, so that it can be moved
    """
    step, rim, whole = 2**k, 12 * 2**k, wide[:, :, :side, :side]
    below = f"With all that comes from below level {k} silenced"
    muted = _silenced(t, state, base * 2**k)
    _load(t, net, muted)
    with torch.no_grad():
        here = _some_logits(t, net, whole)[..., rim:-rim, rim:-rim]
        moved = t.run(net, wide[:, :, step : step + side, step : step + side])
        moved = moved[..., rim - step : -rim - step, rim - step : -rim - step]
        less = here[..., :1, :1].expand_as(here)
        if k:  # without level k, too
            _load(t, net, _silenced(t, state, base * 2 ** (k - 1)))
            less = t.run(net, whole)[..., rim:-rim, rim:-rim]
    if torch.allclose(here, less, atol=1e-4 * float(here.std() + 1)):
        t.fail(f"{below}, level {k} has nothing left to say: does its skip reach the way up?")
    names = [layer["name"] for layer in t.layers(net, whole)]
    _load(t, net, muted)
    reach = t.weight_gradients(net, whole).get(f"{names[2 * k]}.weight") if len(names) > 2 * k else None
    if reach is None or not reach.any():
        t.fail(f"{below}, no gradient reaches level {k} of the encoder. A skip carries gradients, too: no `.detach()`.")
    if here.shape != moved.shape or not torch.allclose(here, moved, atol=1e-3 * float(here.abs().max() + 1)):
        t.fail(
            f"{below}, a picture moved by {step} px should give logits moved by {step} px. Yours change otherwise: "
            f"the skip of level {k} seems to have been pooled already. Save it before the pooling."
        )


@build_unet.part("a skip at every level, saved before pooling", 2.5)
def _(t):
    classes, base = _settings(t)
    depth, side = 3, 112
    net = _build(t, classes, base, depth)
    state = _shaken(t, net)
    wide = t.tensor(1, 3, side + 4, side + 4)
    for k in range(depth):
        _level_speaks(t, net, state, base, k, wide, side)


@build_unet.part("closed skips", 1)
def _(t):
    classes, base = _settings(t)
    depth = 3
    given = f"classes={classes}, base={base}, depth={depth}"
    opened = _build(t, classes, base, depth)
    state, x = _shaken(t, opened), t.tensor(2, 3, 24, 32)
    _load(t, opened, state)
    with torch.no_grad():
        if same(_some_logits(t, opened, x), t.run(_load(t, opened, _without(state, base, [0, 1, 2], 0)), x)):
            t.fail(
                f"For {given}: no convolution meets a skip: at each level the first one of the way up takes "
                "the skip's channels and as many from below."
            )
        for closed in ([], [0], [1], [2], [0, 2], [0, 1, 2]):
            got = t.run(_load(t, _build(t, classes, base, depth, closed), state), x)

            def like(levels, half=0):
                """Whether the logits are those of the open net with these levels' halves off in the weights."""
                other = t.run(_load(t, opened, _without(state, base, levels, half)), x)
                return torch.allclose(got, other, atol=1e-3 * float(other.abs().max() + 1))

            if like(closed):
                continue
            more = ""
            if like([]):
                more = " The logits are those of the net with open skips."
            elif like(closed, half=1):
                more = " It is as if the decoder's channels were zeros: does `join` put the skip first?"
            elif like(range(depth)):
                more = " All skips are closed here."
            elif like(closed[:1]):
                more = " Only the first level in the list is closed here."
            elif like([depth - 1 - k for k in closed]):
                more = " The levels are counted from below; level 0 is the full size."
            t.fail(
                f"For {given}, closed={closed}: the logits should be those of the same weights with zeros joined in "
                f"place of these skips.{more}"
            )


def _without(state, base, levels, half):
    """The weights with what meets the skip (half 0) or the decoder's map (half 1) set to 0 at these levels."""
    state = dict(state)
    for name, value in state.items():
        for c in (base * 2**k for k in levels):
            if tuple(value.shape) == (c, 2 * c, 3, 3):
                state[name] = value.clone()
                state[name][:, half * c : (half + 1) * c] = 0
    return state
