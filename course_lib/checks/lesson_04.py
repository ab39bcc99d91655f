"""Checks of lesson 04, what belongs together: the join, the copied join, the whole network; `check` holds those of the parts, too."""

import torch
import torch.nn.functional as F

from .lesson_04_parts import check, known_layers, module
from .values import NotYet, kind

# --- join two maps ------------------------------------------------------------------------------------------

join = check.exercise(
    "join",
    hints=(
        "Begin with sizes that agree: what puts two tensors side by side along an axis? Then look at what `x` lacks.",
        "First bring `x` to the skip's height, then to its width, each by a copy of its last row or column. `x[:, :, -1:]` is the last row.",
        "`F.pad(x, (left, right, top, bottom), mode=\"replicate\")` repeats what is at the rim; here left and top are 0, and the others "
        "are the differences in width and in height. Then `torch.cat` with the skip first, along axis 1.",
    ),
)


def _grown(x, height, width):
    """x with its last row and column repeated, by looking each place up."""
    rows, columns = (torch.arange(n).clamp(max=m - 1) for n, m in ((height, x.shape[2]), (width, x.shape[3])))
    return x[:, :, rows][..., columns]


def _draw_join(got, want):
    from .. import plot

    skip = want.shape[1] // 2
    kinds = ["encoder"] * skip + ["decoder"] * (want.shape[1] - skip)
    return plot.channels({"yours": got.detach()[0], "expected": want[0]}, {"expected": kinds})


def _join_part(t, sizes):
    for (h, w), (height, width) in sizes:
        x = torch.arange(1.0, 2 * h * w + 1).reshape(1, 2, h, w)
        skip = -torch.arange(1.0, 2 * height * width + 1).reshape(1, 2, height, width)
        given = f"x of {h} × {w} and a skip of {height} × {width}, two channels each"
        try:
            got = t.call(x, skip)
        except NotYet as stopped:
            more = ""
            if "Sizes of tensors" in stopped.message:
                more = " Does `x` have the skip's height and width by then? (In `F.pad` the first pair of numbers is for the columns.)"
            t.fail(f"For {given} your code stopped{stopped.message.partition('your code stopped')[2]}{more}")
        large = _grown(x, height, width)
        want = torch.cat([skip, large], 1)
        if isinstance(got, torch.Tensor) and got.shape == (1, 4, h, w) != want.shape:
            t.fail(f"For {given}: expected shape {tuple(want.shape)}, got {tuple(got.shape)}. This cuts the skip; let `x` grow instead.")
        if isinstance(got, torch.Tensor) and got.shape[1] == 2:
            t.fail(f"For {given}: expected shape {tuple(want.shape)}, got {tuple(got.shape)}. This adds the maps; put them side by side.")
        zeros = F.pad(x, (0, width - w, 0, height - h))
        front = F.pad(x, (width - w, 0, height - h, 0), mode="replicate")
        known = [(torch.cat([large, skip], 1), "The decoder's channels come first here; the encoder's should.")]
        for other, meaning in ((zeros, "What was missing is 0 here; repeat the row or column before it."),
                               (front, "The first row or column is repeated in place of the last, which shifts the map."),
                               (F.pad(x, (width - w, 0, height - h, 0)), "Zeros are put in front, which shifts the map; it lacks its last row or column."),
                               (F.interpolate(x, size=(height, width), mode="nearest-exact"), "This stretches the map, and repeats another row or column than the last."),
                               *((F.interpolate(x, size=(height, width), mode="bilinear", align_corners=corners),
                                  "This stretches the whole map; only the last row or column is missing.") for corners in (False, True))):
            known += [(torch.cat([skip, other], 1), meaning), (torch.cat([other, skip], 1), meaning + " And the encoder's channels come first.")]
        t.close(got, want, given, known, tolerance=1e-5, picture=_draw_join)


@join.part("equal sizes: the encoder's channels first", 0.5)
def _(t):
    h, w = t.random.randint(3, 4), t.random.randint(5, 6)
    _join_part(t, [((h, w), (h, w))])


@join.part("a row or a column too few", 0.5)
def _(t):
    h, w = t.random.randint(3, 4), t.random.randint(3, 5)
    _join_part(t, [((h, w), (h + 1, w)), ((h, w), (h, w + 1))])


@join.part("both too few", 0.5)
def _(t):
    h, w = t.random.randint(3, 4), t.random.randint(3, 5)
    _join_part(t, [((h, w), (h + 1, w + 1))])


@join.part("batches, other channels, gradients", 0.5)
def _(t):
    x, skip = t.tensor(3, 2, 4, 5).requires_grad_(), t.tensor(3, t.random.randint(4, 6), 4, 5).requires_grad_()
    got, (to_x, to_skip) = t.gradients(x, skip)
    given = f"x of shape {tuple(x.shape)} and skip of shape {tuple(skip.shape)}"
    want = (3, 2 + skip.shape[1], 4, 5)
    if not isinstance(got, torch.Tensor) or tuple(got.shape) != want:
        t.fail(f"For {given}: expected shape {want}, got {kind(got)}")
    parts = sorted(([got[:, : skip.shape[1]], got[:, skip.shape[1]:]], [got[:, 2:], got[:, :2]]), key=lambda p: not torch.equal(p[0], skip))[0]
    if not torch.equal(parts[0], skip) or not torch.equal(parts[1], x):
        t.fail(f"For {given}, whose sizes agree: the result should hold both maps as they are, image by image.")
    for name, gradient in (("x", to_x), ("skip", to_skip)):
        if gradient is None or not gradient.any():
            t.fail(f"No gradient reaches `{name}`. Work on tensors throughout, without `.data`, `.detach()`, numpy, or `torch.tensor(...)`.")
    if t.changed:
        t.fail("Your function changed one of its arguments. Make a new tensor.")


# --- the copied join ----------------------------------------------------------------------------------------

outcome = check.exercise(
    "outcome",
    hints=(
        "Write the sizes of the maps for 6 × 6 and depth 2 on the way down. Then come back up, and keep in mind that the map stays cut.",
        "At each level, compare how many rows the skip has too many with how many columns. When do the two agree, and when are both 0?",
        "From the bottleneck, the map has at full size (height // 2^depth)·2^depth rows. What is left over of the height, and of the width? "
        "Two numbers decide.",
    ),
)

WORDS = ("right", "stops", "shifted")


def _tried(height, width, depth, swapped=True):
    """Run the copied code on shapes alone."""
    sizes = [(height, width)]
    for _ in range(depth):
        sizes.append(tuple(n // 2 for n in sizes[-1]))
    (h, w), cut = sizes.pop(), False
    while sizes:
        rows, columns = sizes.pop()
        h, w = 2 * h, 2 * w
        down, right = h - rows, w - columns
        first, second = (down, right) if swapped else (right, down)
        cut = cut or bool(first or second)
        if (rows + second, columns + first) != (h, w):
            return "stops"
    return "shifted" if cut else "right"


def _outcome_part(t, cases):
    for height, width, depth in cases:
        got, want = t.call(height, width, depth), _tried(height, width, depth)
        given = f"height={height}, width={width}, depth={depth}"
        if got not in WORDS:
            t.fail(f"For {given}: expected one of {', '.join(map(repr, WORDS))}, got {kind(got)}")
        if got == want:
            continue
        more = ""
        if got == _tried(height, width, 1):
            more = " That is so for the first level; but go on: the next halvings may leave something over, too."
        elif want == "shifted" and got == "stops":
            more = " As much is left over of the height as of the width, so that the sizes fit, although the wrong rows are cut."
        elif want == "stops" and got == "shifted":
            more = " Not as much is left over of the height as of the width; and the code takes one off in place of the other."
        elif want == "right":
            more = " Every size on the way down is even here: nothing is cut."
        elif got == "right":
            more = " Some size on the way down is odd, so that a skip has more rows or columns than what it is joined to."
        t.fail(f"For {given}: expected {want!r}, got {got!r}.{more}")


@outcome.part("one halving", 0.5)
def _(t):
    a, b = (2 * n for n in t.random.sample(range(2, 20), 2))
    _outcome_part(t, [(a, b, 1), (a + 1, b + 1, 1), (a + 1, b, 1), (a, b + 1, 1)])


@outcome.part("sizes that divide", 0.5)
def _(t):
    for depth in (2, 3, 4):
        _outcome_part(t, [tuple(2**depth * n for n in t.random.sample(range(1, 10), 2)) + (depth,)])


@outcome.part("what goes wrong at a deeper level", 1)
def _(t):
    for depth in (2, 3, 4):
        step, rest = 2**depth, 2 * t.random.randint(1, 2 ** (depth - 1) - 1)
        a, b = (step * n for n in t.random.sample(range(2, 7), 2))
        _outcome_part(t, [(a + rest, b + rest, depth), (a + rest, b, depth), (a, b + rest, depth)])
    _outcome_part(t, [(33, 35, 2), (41, 47, 3), (a + 1, b + 1, depth), (a + 1, b + 9, depth), (a + 9, b + 9, depth)])


# --- the whole network --------------------------------------------------------------------------------------

build_unet = check.exercise(
    "build_unet",
    hints=(
        "In what order are skips saved on the way down, and in what order are they wanted on the way up?",
        "Channels: [base·2^k for k in 0 … depth]. Make three `nn.ModuleList`s in `__init__`: double convolutions down, transposed "
        "convolutions, double convolutions up. The last double convolution down is the bottleneck.",
        "In `forward`, on the way down: x = the double convolution of x, keep it in a list, then pool. On the way up, for k from depth − 1 to 0: "
        "double, take the kept map k (or `torch.zeros_like` of it, where k is closed), join, double convolution. Last the head.",
    ),
    own_work={name: "This hands the work to a finished network. Build yours from double convolutions, pooling, transposed convolutions and `join`."
              for name in ("EncoderDecoder", "UNet", "Up")},
)


def _build(t, classes, base, depth, *closed):
    given = f"classes={classes}, base={base}, depth={depth}" + (f", closed={closed[0]}" if closed else "")
    return module(t, t.call(classes, base, depth, *closed), given).eval()


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
        t.fail("With `closed` given, the net has other layers than without, so that its weights cannot be loaded. Keep all layers, and join "
               "zeros of the skip's shape.")
    return net


def _logits(t, net, given, classes, *shapes):
    for shape in shapes:
        x = t.tensor(*shape)
        try:
            got = t.run(net, x)
        except NotYet as stopped:
            more = ""
            if "Sizes of tensors" in stopped.message:
                more = (" Two maps of different sizes met. Is each skip saved before the pooling, and is the last one saved used first?"
                        if not (shape[2] % 8 or shape[3] % 8) else " Does every level go through `join`?")
            t.fail(stopped.message + "." * (not stopped.message.endswith(".")) + more)
        want = (shape[0], classes, *shape[2:])
        if not isinstance(got, torch.Tensor) or tuple(got.shape) != want:
            t.fail(f"For {given} and pictures of shape {shape}: expected logits of shape {want}, got {kind(got)}")
    return got


def _settings(t):
    return t.random.randint(3, 6), t.random.choice([4, 5, 6])


@build_unet.part("logits of the picture's size, and every weight learns", 1)
def _(t):
    for depth in (2, 3):
        classes, base = _settings(t)
        net = _build(t, classes, base, depth)
        state = net.state_dict()
        low = {name: torch.full_like(value, -9.0) for name, value in net.named_parameters() if tuple(value.shape) == (classes,)}
        _load(t, net, {**state, **low})  # a head biased so far down gives logits below 0
        got = _logits(t, net, f"classes={classes}, base={base}, depth={depth}", classes, (1, 3, 32, 24), (3, 3, 16, 40))
        if low and (got.min() >= 0 or got.logsumexp(1).abs().max() < 1e-3):
            t.fail("With a bias of −9 in the head no logit is below 0, or each pixel's sum up as probabilities do. Logits are any numbers: end on "
                   "the 1 × 1 convolution, without ReLU or softmax.")
    known_layers(t, t.layers(net, t.tensor(1, 3, 16, 16)))
    silent = [name for name, grad in t.weight_gradients(net, t.tensor(2, 3, 32, 32)).items() if grad is None or not grad.any()]
    if silent:
        t.fail(f"No gradient reaches {silent[0]!r}. Is every layer that you make also used in `forward`?")
    _load(t, net, _shaken(t, net))
    x = 3 * t.tensor(1, 3, 32, 32)
    low, middle, high = (t.run(net, x * level).detach().double() for level in (-1.0, 0.0, 1.0))
    if (low + high - 2 * middle).abs().max() <= 1e-3 * (high - low).abs().max():
        t.fail("Your net is one straight line: a picture x, the picture −x and a black one give logits in even steps. Do the double convolutions have their ReLUs?")


@build_unet.part("odd sizes", 0.5)
def _(t):
    classes, base = _settings(t)
    net = _build(t, classes, base, 3)
    sizes = t.random.sample(((33, 47), (17, 30), (45, 45), (12, 58), (15, 9)), 3)
    _logits(t, net, f"classes={classes}, base={base}, depth=3", classes, *((2, 3, h, w) for h, w in sizes))


@build_unet.part("the layers, level by level", 1)
def _(t):
    for depth in (3, 2):
        classes, base = _settings(t)
        net = _build(t, classes, base, depth)
        side = 8 * 2**depth
        given = f"classes={classes}, base={base}, depth={depth} and a picture of {side} × {side}"
        layers = [(layer["kernel"], layer["out"], layer["height"]) for layer in t.layers(net, t.tensor(1, 3, side, side))]
        want = [(3, base * 2**k, side // 2**k) for k in range(depth + 1) for _ in range(2)]
        for k in reversed(range(depth)):
            want += [(2, base * 2**k, side // 2**k)] + [(3, base * 2**k, side // 2**k)] * 2
        want.append((1, classes, side))
        for i, (mine, right) in enumerate(zip(layers, want), 1):
            if mine != right:
                t.fail(f"For {given}: the convolution number {i} that runs should be {_said(right)}; yours is {_said(mine)}.")
        if len(layers) != len(want):
            t.fail(f"For {given}: {len(want)} convolutions should run, {len(layers)} do.")
        from .. import models

        with torch.device("meta"):
            twin = models.UNet(classes=classes, base=base, depth=depth)
        mine, right = (sum(p.numel() for p in n.parameters()) for n in (net, twin))
        if mine != right:
            more = ""
            if mine == right - 9 * sum((base * 2**k) ** 2 for k in range(depth)):
                more = " Does the first convolution of each level on the way up get the skip's channels as well?"
            t.fail(f"For {given}: the right layers run, but they have {mine:,} parameters together, not {right:,}.{more} Mind biases: none in a "
                   "double convolution, one in each transposed convolution and in the head.")


def _said(layer):
    kernel, out, height = layer
    return f"{kernel} × {kernel}, with {out} channels out, at {height} rows"


def _doubling(t, state, channels):
    """The names of the transposed convolution to so many channels."""
    for name, value in state.items():
        if tuple(value.shape) == (2 * channels, channels, 2, 2):
            return [n for n in (name, name.removesuffix("weight") + "bias") if n in state]
    t.fail(f"There should be a transposed convolution of kernel 2 from {2 * channels} to {channels} channels; its weights have the shape "
           f"({2 * channels}, {channels}, 2, 2).")


@build_unet.part("a skip at every level, saved before pooling", 1.5)
def _(t):
    classes, base = _settings(t)
    depth, side = 3, 112
    net = _build(t, classes, base, depth)
    state = _shaken(t, net)
    wide = t.tensor(1, 3, side + 4, side + 4)
    for k in range(depth):
        mute = {name: torch.zeros_like(state[name]) for name in _doubling(t, state, base * 2**k)}
        _load(t, net, {**state, **mute})  # what comes from below level k is silent; the skips of levels 0 to k still speak
        step, rim = 2**k, 12 * 2**k
        with torch.no_grad():
            here = t.run(net, wide[:, :, :side, :side])[..., rim:-rim, rim:-rim]
            moved = t.run(net, wide[:, :, step:step + side, step:step + side])[..., rim - step:-rim - step, rim - step:-rim - step]
            deeper = {}
            if k:
                deeper = {name: torch.zeros_like(state[name]) for name in _doubling(t, state, base * 2 ** (k - 1))}
                _load(t, net, {**state, **deeper})
                less = t.run(net, wide[:, :, :side, :side])[..., rim:-rim, rim:-rim]
            else:
                less = here[..., :1, :1].expand_as(here)
        if torch.allclose(here, less, atol=1e-4 * float(here.std() + 1)):
            t.fail(f"With all that comes from below level {k} silenced, level {k} has nothing left to say: does its skip reach the way up?")
        if here.shape != moved.shape or not torch.allclose(here, moved, atol=1e-3 * float(here.abs().max() + 1)):
            t.fail(f"With all that comes from below level {k} silenced, a picture moved by {step} px should give logits moved by {step} px. Yours "
                   f"change otherwise: the skip of level {k} seems to have been pooled already. Save it before the pooling.")


@build_unet.part("closed skips", 1)
def _(t):
    classes, base = _settings(t)
    depth = 3
    given = f"classes={classes}, base={base}, depth={depth}"
    opened = _build(t, classes, base, depth)
    state, x = _shaken(t, opened), t.tensor(2, 3, 24, 32)
    _load(t, opened, state)
    with torch.no_grad():
        plain = t.run(opened, x)
        for closed in ([], [0], [1], [2], [0, 2], [0, 1, 2]):
            got = t.run(_load(t, _build(t, classes, base, depth, closed), state), x)
            want, first, mirrored = (t.run(_load(t, opened, _without(state, base, levels, half)), x) for levels, half in
                                     ((closed, 0), (closed, 1), ([depth - 1 - k for k in closed], 0)))
            close = {name: torch.allclose(got, other, atol=1e-3 * float(other.abs().max() + 1))
                     for name, other in dict(want=want, first=first, mirrored=mirrored, plain=plain).items()}
            if close["want"]:
                continue
            more = ""
            if close["plain"]:
                more = " The logits are those of the net with open skips."
            elif close["first"]:
                more = " It is as if the decoder's channels were zeros: does `join` put the skip first?"
            elif close["mirrored"]:
                more = " The levels are counted from below; level 0 is the full size."
            t.fail(f"For {given}, closed={closed}: the logits should be those of the same weights with zeros joined in place of these "
                   f"skips.{more}")


def _without(state, base, levels, half):
    """The weights with what meets the skip (half 0) or the decoder's map (half 1) set to 0 at these levels."""
    state = dict(state)
    for name, value in state.items():
        for c in (base * 2**k for k in levels):
            if tuple(value.shape) == (c, 2 * c, 3, 3):
                state[name] = value.clone()
                state[name][:, half * c:(half + 1) * c] = 0
    return state
