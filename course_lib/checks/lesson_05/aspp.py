"""Lesson 05: atrous spatial pyramid pooling, branch by branch."""

import itertools
import re
from functools import partial

import torch
import torch.nn.functional as F

from .. import pictures
from ..causes import judge
from ..core import Exercise
from ..values import NotYet, kind
from .modules import expect_weights, run_floats, set_weights

build_aspp = Exercise(
    "build_aspp",
    hints=(
        "All five branches read the same input. How many cells is a reach of 96 pixels on a map whose cells "
        "are 16 pixels wide?",
        "rate = reach // stride. Make the three layers in `__init__`, not in `forward`, and keep them in an "
        "`nn.ModuleList`: in a plain list their weights would not be found.",
        "In `__init__`: an `nn.ModuleList` of three `conv_norm_relu`, with kernel 3, and with a rate of reach // "
        "stride. In `forward`: append to `branches` what each of the three makes of `x`.",
    ),
    own_work={
        name: "This hands the work to a finished module. Build the five branches yourself."
        for name in ("ASPP", "DeepLab", "DeepLabHead", "ASPPConv", "ASPPPooling", "deeplabv3_resnet50", "Pooled")
    },
)
BRANCHES = ("the 1 × 1 branch", "the first rate", "the second rate", "the third rate", "the average")


def _made(t, stride, rates, channels=3, width=4):
    """The answer's ASPP in evaluation mode, all of whose layers PyTorch knows of, and its text."""
    reaches = [stride * r for r in rates]
    what = f"channels={channels}, width={width}, reaches={reaches}, stride={stride}"
    net = t.module(t.call(channels, width, reaches, stride), what).eval()
    t.unchanged("the list of reaches that it was given. Work on a copy.", who="`build_aspp`")
    x = t.tensor(2, channels, 8, 9)
    _ran(t, lambda: t.registered(t.layers(net, x)), channels, width)
    if sum(p.shape[2:] == (3, 3) for p in net.parameters()) == 1:
        t.fail(
            f"For {what}: there is one set of 3 × 3 weights for three rates. Each rate has a layer with weights of its "
            "own."
        )
    return net, what


def _pyramid(t, stride, rates, channels=3, width=4):
    """The answer's ASPP, its text, and the two kernels that all its branches have been given."""
    net, what = _made(t, stride, rates, channels, width)
    shapes = (width, channels, 1, 1), (width, channels, 3, 3), (width, 5 * width, 1, 1)
    wide = [p.shape[1] for p in net.parameters() if p.shape[2:] == (3, 3)]
    if len(wide) == 3 and width in wide:
        t.fail(
            f"For {what}: {wide.count(width)} of the three 3 × 3 convolutions read {width} channels, as many as a "
            f"branch puts out. Every branch reads the map itself, which has {channels}."
        )
    expect_weights(t, net, what, dict(zip(shapes, (2, 3, 1))))
    small, large = t.tensor(*shapes[0]), t.tensor(*shapes[1]) / 3

    def branch(number):
        """Let the mixing convolution pass one branch on, and nothing else."""
        pick = torch.zeros(shapes[2])
        pick[:, number * width : (number + 1) * width, 0, 0] = torch.eye(width)
        set_weights(net, dict(zip(shapes, (small, large, pick))))
        return net

    return branch, what, small, large


def _ran(t, run, channels, width):
    """What comes of running the module; where torch stops it, what its message tells."""
    try:
        return run()
    except NotYet as stopped:
        message, more = stopped.message, ""
    if "of (float, float)" in message:
        about = message.partition(" stopped with")[0]
        t.retold(
            f"{about} stopped with a TypeError: a convolution's rate or padding is a float.",
            " A rate is a whole number: divide with `//`.",
        )
    if mixed := re.search(r"weight of size \[\d+, (\d+), 1, 1\], expected input\[\d+, (\d+),", message):
        if int(mixed[1]) == 5 * width:
            more = f" Five branches of {width} channels are mixed; {mixed[2]} channels came."
    elif re.search(rf"weight of size \[\d+, {channels}, 3, 3\], expected input\[\d+, {width},", message):
        more = " A 3 × 3 layer got what a branch put out. Every branch reads the map `x` itself."
    elif "Sizes of tensors must match except in dimension 1" in message:
        more = " A branch has another size than the map: a 3 × 3 layer of rate r keeps it with a padding of r."
    t.fail(message + more)


def _branches(t, numbers, settings):
    """(got, want, given, known mistakes, picture) of each of the branches `numbers`, alone, with the same two kernels.

    settings  (stride, rates, size of the map) of each pyramid
    """
    for stride, rates, size in settings:
        branch, what, small, large = _pyramid(t, stride, rates)

        def far(y, r, large=large):
            return F.conv2d(y, large, padding=r, dilation=r).relu()

        def spread(y, small=small, size=size):
            return F.conv2d(y, small).relu().expand(2, -1, *size)

        for _ in range(20):  # until no ReLU makes a wrong average look right
            x = t.tensor(2, 3, *size)
            here, average = F.conv2d(x, small).relu(), spread(x.mean((2, 3), keepdim=True))
            wrong = [
                (here, "This reads the map itself; average it over all its places first."),
                (spread(x.amax((2, 3), keepdim=True)), "This takes the largest value of the map; take the average."),
                (
                    here.mean((2, 3), keepdim=True).expand_as(here),
                    "This averages after the convolution and ReLU; average the map first.",
                ),
                (
                    spread(x.mean((0, 2, 3), keepdim=True)),
                    "This averages over the batch, too; each picture has its own average.",
                ),
            ]
            if not any(torch.allclose(m, average, atol=1e-2) for m, _ in wrong):
                break
        maps = [here, *(far(x, r) for r in rates), average]
        for place, number in enumerate(numbers):
            got = run_floats(t, branch(number), x)
            got = got.relu() if isinstance(got, torch.Tensor) else got  # a missing ReLU is another part's business
            known = [
                (
                    maps[order[place]],
                    f"In place of {_listed(numbers)} stand {_listed(order)}: check the order of concatenation.",
                )
                for order in itertools.permutations(range(5), len(numbers))
                if order != numbers
            ]
            if number == 4:
                known += wrong
            elif number:
                known += _rate_slips(partial(far, x), stride, rates[number - 1], 6 * number)
                again = far(x, rates[0])
                known.append((again, "This is the first rate again: each of the three has a reach of its own."))
                known.append((maps[3], "This is the third rate, in each of the three places: append in the loop."))
                known.append(
                    (sum(maps[: number + 1]), "Each branch is added to the one before it; put them side by side.")
                )
                known.append((maps[number] * here, "Each branch is multiplied by the first; put them side by side."))
                known.append((sum(maps[1:4]), "The three rates are added up here; each is a branch, put side by side."))
            given = f"{what} and a map of {size[0]} × {size[1]}, {BRANCHES[number]} alone"
            yield got, maps[number], given, known, pictures.maps


def _listed(numbers):
    names = [BRANCHES[n] for n in numbers]
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _rate_slips(far, stride, rate, paper):
    """(wrong branch, what it reveals) of a branch whose taps stand `rate` cells apart, in the paper `paper` apart.

    far  what a branch of a rate makes of the map
    """
    reach = stride * rate
    return [
        (
            far(reach),
            f"The rate is {reach} cells here, which is the reach in pixels; a cell is {stride} pixels wide, so the "
            f"rate should be {rate}.",
        ),
        (
            far(reach * stride),
            f"The reach is multiplied by the stride here; {rate} cells of {stride} pixels are {reach}.",
        ),
        (
            far(max(1, rate // 2)),
            "The rate is half of what it should be: a reach is from one tap to the next, not between the outer two.",
        ),
        (
            far(paper),
            f"The rate is {paper} here, as in the paper; it should be the reach divided by the stride, {rate}.",
        ),
        (far(rate + 1), f"The rate is one more than the reach divided by the stride, which is {rate}."),
        (far(max(1, rate - 1)), f"The rate is one less than the reach divided by the stride, which is {rate}."),
        (far(max(1, reach // 16)), "The reach is divided by 16, whatever the stride is."),
        (far(stride), f"The rate is the stride, {stride}; it should be the reach divided by the stride, {rate}."),
        (far(1), f"The taps are next to each other here; they should stand {rate} cells apart."),
    ]


@build_aspp.part("(B, width, H, W), for a map of any size", 0.25)
def _(t):
    channels, width = t.random.choice([3, 6]), 4
    what = f"channels={channels}, width={width}, reaches=[32, 64, 96], stride=16"
    net = t.module(t.call(channels, width, [32, 64, 96], 16), what).eval()
    for mode in ("evaluation", "training"):
        net.train(mode == "training")
        for shape in ((2, channels, 9, 12), (1, channels, t.random.randint(3, 8), 5), (3, channels, 4, 4)):
            got = _ran(t, partial(run_floats, t, net, t.tensor(*shape)), channels, width)
            want = (shape[0], width, *shape[2:])
            if not isinstance(got, torch.Tensor) or tuple(got.shape) != want:
                t.fail(f"For {what} and a map of shape {shape}: expected {want}, got {kind(got)}")


@build_aspp.part("the 1 × 1 branch and the average of the map", 0.25)
def _(t):
    settings = [(stride, (2, 3, 5), (t.random.randint(7, 9), 10)) for stride in (8, 16)]
    judge(t, _branches(t, (0, 4), settings))


@build_aspp.part("three rates, in cells", 1.25)
def _(t):
    settings = (8, (2, 3, 5), (13, t.random.randint(11, 14))), (16, (1, 4, 7), (13, 14)), (2, (1, 2, 3), (15, 13))
    judge(t, _branches(t, (1, 2, 3), settings))


@build_aspp.part("batch normalisation and ReLU in the branches, nothing after the mixing", 0.5)
def _(t):
    branch, what, *_ = _pyramid(t, 8, (1, 2, 3))
    x = t.tensor(2, 3, 8, 9)
    _nothing_follows(t, branch, what, x)
    for number in range(5):
        net, low = branch(number), False
        for mode in ("evaluation", "training"):
            net.train(mode == "training")
            one, ten = run_floats(t, net, x), run_floats(t, net, 10 * x)
            if not isinstance(one, torch.Tensor):
                t.fail(f"For {what}: expected a tensor from {BRANCHES[number]}, got {kind(one)}")
            low = low or one.min() < -1e-6
        net.eval()
        steady = torch.allclose(one, ten, rtol=1e-2, atol=1e-2)
        if low:
            more = "" if steady or number == 4 else " Batch normalisation, before the ReLU, is missing, too."
            t.fail(
                f"For {what}: {BRANCHES[number]} passes numbers below 0 on. A ReLU, last in each branch, would cut "
                f"them off; without one the branch is a straight line.{more}"
            )
        if number < 4 and not steady:
            t.fail(
                f"For {what}: in training, a map with values ten times as large makes {BRANCHES[number]} put out other "
                "values. Batch normalisation, before the ReLU, would take the factor out again."
            )
        if number == 4 and steady:
            t.fail(
                f"For {what}: the average is normalised too. It has one value a picture and channel; leave "
                "batch normalisation out of this branch."
            )
    means = sum(name.endswith("running_mean") for name, _ in net.named_buffers())
    if 0 < means < 4:
        t.fail(
            f"For {what}: there are {means} batch normalisations for four branches. Each branch has means and "
            "variances of its own."
        )


def _nothing_follows(t, branch, what, x):
    """Fail unless the module's output is -2 times as large once the weights of the mixing convolution are."""
    net = branch(4).train()
    before = run_floats(t, net, x)
    with torch.no_grad():
        for p in net.parameters():
            if p.dim() == 4 and p.shape[1] == 5 * p.shape[0]:
                p.mul_(-2)
    after = run_floats(t, net, x)
    if (
        isinstance(before, torch.Tensor)
        and isinstance(after, torch.Tensor)
        and not torch.allclose(after, -2 * before, atol=1e-4)
    ):
        t.fail(
            f"For {what}: in training, weights −2 times as large in the mixing convolution don't give −2 times the "
            "output. Something follows it; it should come last."
        )
    if isinstance(before, torch.Tensor) and not torch.allclose(before, t.run(branch(4).eval(), x), atol=1e-4):
        t.fail(
            f"For {what}: the average alone comes out otherwise in training than in evaluation. There is nothing "
            "random in this module, and this branch has no normalisation."
        )


@build_aspp.part("every weight learns", 0.25)
def _(t):
    net, _ = _made(t, 8, (1, 2, 3))
    run_floats(t, net.train(), x := t.tensor(2, 3, 9, 9))
    gradients = t.weight_gradients(net, x)
    if not any(g is not None for g in gradients.values()):
        t.fail(
            "No gradient reaches any weight. Work on tensors throughout, without `.detach()`, `.data`, "
            "`torch.no_grad()`, or `torch.tensor(...)`."
        )
    if len([g for g in gradients.values() if g is not None and g.dim() == 4]) < 6:
        t.fail(
            "Fewer than six convolutions learn. Is every one of them made in `__init__`, kept as an "
            "attribute, and used in `forward`?"
        )
    silent = [name for name, g in gradients.items() if g is None or (g.dim() == 4 and not g.any())]
    if silent:
        t.fail(f"No gradient reaches {silent[0]!r}. Is every layer that you make also used in `forward`?")
