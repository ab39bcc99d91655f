"""Lesson 04: the whole network, its skips open and closed."""

import re

import torch

from ..core import Exercise
from ..values import NotYet, kind, same
from .skips import level_speaks, load, some_logits, without
from .twins import LAYERS, SIZES, alike, mistaken, reason, summed_and_closed, swapped, twin_of

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
        for name in ("EncoderDecoder", "UNet", "Up", "FCN", "DeepLab", "PSPNet", "Pretrained", "pretrained")
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


def _passed_by(message):
    """What torch's refusal of a map tells: one with too few channels, or too many, has come to a convolution."""
    if re.search(r"groups=1, weight of size \[\d+, \d+, 3, 3\]", message):
        return (
            " On the way up a level's first convolution takes the skip's channels and as many from below. Does each "
            "level meet its own skip, the output of its double convolution?"
        )
    numbers = re.search(r"transposed=1, weight of size \[(\d+), .* expected input\[\d+, (\d+),", message)
    if not numbers or int(numbers[1]) < int(numbers[2]):
        return " The way up begins at the deepest level, `depth` − 1." * bool(numbers)
    return (
        " A map of half as many channels comes to it. After the last pooling stands the bottleneck, "
        "`self.down[depth]`, which makes twice as many."
    )


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
            t.fail(stopped.message + "." * (not stopped.message.endswith(".")) + (_passed_by(stopped.message) or more))
        want = (shape[0], classes, *shape[2:])
        if not isinstance(got, torch.Tensor) or tuple(got.shape) != want:
            t.fail(f"For {given} and pictures of shape {shape}: expected logits of shape {want}, got {kind(got)}")
    return got


def _settings(t):
    """Classes and base, which are not equal: a missing head would not be seen."""
    return t.random.sample([4, 5, 6], 2)


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
        load(t, net, {**state, **low})  # a head biased so far down gives logits below 0
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
    load(t, net, _shaken(t, net))
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
    sizes = (33, 47), (17, 30), (45, 45), (12, 58), (15, 9)
    _logits(t, net, f"classes={classes}, base={base}, depth=3", classes, *((2, 3, h, w) for h, w in sizes))
    if not any(layer["height"] < 24 for layer in t.layers(net, t.tensor(1, 3, 24, 32))):
        t.fail("For a picture of 24 × 32, no convolution works on a smaller map than the picture.")
    twin = twin_of(t, net, classes, base, 3)
    with torch.no_grad():
        if twin is None or not alike(t.run(net, x := t.tensor(1, 3, 24, 32)), twin(x)):
            return  # another part's business
        pictures = [t.tensor(1, 3, h, w) for h, w in sizes]
        found = [t.run(net, x) for x in pictures]
        for (h, w), x, got in zip(sizes, pictures, found):
            if not alike(got, twin(x)):
                more = reason(twin, SIZES, pictures, found)
                t.fail(
                    f"For a picture of {h} × {w}: the size is right, but the values are not those that come of pooling "
                    "that rounds down, and of repeating the last row or column of the doubled map."
                    + (more or " Does every level go through `join`, and is the picture itself left as it is?")
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
                down = [height for _, _, height in layers[: 2 * depth + 2 : 2]]
                one = down == [side - k for k in range(depth + 1)]
                more = " Each level is 1 lower than the one before: the pooling steps by 1 where it should by 2." * one
                t.fail(
                    f"For {given}: the convolution number {i} that runs should be {_said(right)}; yours is "
                    f"{_said(mine)}.{more}"
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
        _between(t, net, classes, base, depth, side)


def _between(t, net, classes, base, depth, side):
    """Fail where the right layers run, but other things happen between them than in the library's U-Net.

    What only the head or the skips do wrong is other parts' business.
    """
    twin, pictures = twin_of(t, net, classes, base, depth), [t.tensor(1, 3, side, side) for _ in range(2)]
    if twin is None:
        return
    with torch.no_grad():
        found, right = [some_logits(t, net, x) for x in pictures], [twin(x) for x in pictures]
        if _all_alike(found, right):
            if not _all_alike([t.run(net.train(), x) for x in pictures], [twin.train()(x) for x in pictures]):
                t.fail(
                    "In evaluation your net gives what it should, in training it does not: there is something random "
                    "in it, such as dropout, or another normalisation."
                )
            return
        if more := reason(twin, LAYERS, pictures, found):
            t.fail(f"The right layers run, but what comes out is not theirs.{more}")
        ends = (torch.relu, torch.sigmoid, lambda y: y.softmax(1), lambda y: y.log_softmax(1))
        with mistaken(twin, joined=swapped):
            other = [twin(x) for x in pictures]
        if _all_alike(found, other) or any(_all_alike(found, [end(y) for y in right]) for end in ends):
            return
        load(t, net, without(net.state_dict(), base, range(depth), 0))
        twin.load_state_dict(without(twin.state_dict(), base, range(depth), 0))
        if not _all_alike([t.run(net, x) for x in pictures], [twin(x) for x in pictures]):
            t.fail(
                "The right layers run, but what comes out is not theirs, even where the skips count for nothing: "
                "something else happens to the maps between them, or to the picture."
            )


def _as_they_are(t, net, classes, base, depth):
    """Fail where all is right with the skips' weights at 0, and else it is not: a skip is not what was saved."""
    twin, x = twin_of(t, net, classes, base, depth), t.tensor(2, 3, 32, 32)
    if twin is None:
        return
    with torch.no_grad():
        got, right = t.run(net, x), twin(x)
        with mistaken(twin, joined=swapped):
            other = twin(x)
        if alike(got, right) or alike(got, other):
            return
        load(t, net, without(net.state_dict(), base, range(depth), 0))
        twin.load_state_dict(without(twin.state_dict(), base, range(depth), 0))
        if alike(t.run(net, x), twin(x)):
            t.fail(
                "The skips reach the logits, but not as they were saved: something happens to them before they are "
                "joined."
            )


def _all_alike(found, others):
    return all(alike(a, b) for a, b in zip(found, others))


def _said(layer):
    kernel, out, height = layer
    return f"{kernel} × {kernel}, with {out} channels out, at {height} rows"


@build_unet.part("a skip at every level, saved before pooling", 2.5)
def _(t):
    classes, base = _settings(t)
    depth, side = 3, 112
    net = _build(t, classes, base, depth)
    state = _shaken(t, net)
    wide = t.tensor(1, 3, side + 8, side + 8)
    wide[:, :, :8] += 5  # moved on, the picture has another mean, too
    for k in range(depth):
        level_speaks(t, net, state, base, k, wide, side)
    _as_they_are(t, _build(t, classes, base, depth), classes, base, depth)


@build_unet.part("closed skips", 1)
def _(t):
    classes, base = _settings(t)
    depth = 3
    given = f"classes={classes}, base={base}, depth={depth}"
    opened = _build(t, classes, base, depth)
    state, x = _shaken(t, opened), t.tensor(2, 3, 24, 32)
    load(t, opened, state)
    with torch.no_grad():
        if same(some_logits(t, opened, x), t.run(load(t, opened, without(state, base, [0, 1, 2], 0)), x)):
            t.fail(
                f"For {given}: no convolution meets a skip: at each level the first one of the way up takes "
                "the skip's channels and as many from below."
            )
        for closed in ([], [0], [1], [2], [0, 2], [0, 1, 2]):
            got = t.run(load(t, _build(t, classes, base, depth, closed), state), x)

            def like(levels, half=0):
                """Whether the logits are those of the open net with these levels' halves off in the weights."""
                other = t.run(load(t, opened, without(state, base, levels, half)), x)
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
            elif _sums(t, classes, base, depth):
                more = " Skip and map are added up, and the sum is joined to itself; put the two side by side."
            t.fail(
                f"For {given}, closed={closed}: the logits should be those of the same weights with zeros joined in "
                f"place of these skips.{more}"
            )


def _sums(t, classes, base, depth):
    """Whether the answer's logits, closed in two ways, are those of a net that adds up skip and map."""
    for closed in ([0], [1, 2]):
        net, x = _build(t, classes, base, depth, closed), t.tensor(1, 3, 24, 32)
        twin = twin_of(t, net, classes, base, depth)
        if twin is None:
            return False
        with mistaken(twin, **summed_and_closed(closed)):
            if not alike(t.run(net, x), twin(x)):
                return False
    return True
