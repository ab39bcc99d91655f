"""Lesson 03: a `Linear` that slides over a map. What is expected is what it says to one window after another."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..causes import judge
from ..core import Exercise
from ..values import NotYet, same

sliding = Exercise(
    "sliding",
    hints=(
        "A unit of the `Linear` has C·side·side weights. How many does a convolution have for each of its outputs?",
        "The channels that come in are `linear.in_features` divided by side². The kernel is side × side, and both "
        "layers keep a unit's weights in the same order: channel by channel, each row by row.",
        "Make the `nn.Conv2d` from channels in, channels out and kernel. Under `torch.no_grad()`, `copy_` the "
        "`Linear`'s weight into its weight, reshaped to that weight's shape, and the bias into its bias as it is.",
    ),
)


def _made(t, linear, side):
    """The answer's module for this `Linear`, after a look at what was done to the `Linear`."""
    before = {name: value.clone() for name, value in linear.state_dict().items()}
    try:
        made = t.made(linear, side, what="an `nn.Module`, such as an `nn.Conv2d`,")
    except NotYet as stopped:
        if "TypeError: cannot assign" in stopped.message:
            stopped.message += " Fill the parameter that the layer has: `copy_` into it, under `torch.no_grad()`."
        raise
    after = linear.state_dict()
    if before.keys() != after.keys() or any(
        before[n].shape != after[n].shape or not torch.equal(before[n], after[n]) for n in before
    ):
        t.fail("Your function changed the `Linear` that it was given. Copy its weight, or make a new one from it.")
    return made


def _linear(t, channels, side, out):
    linear = nn.Linear(channels * side * side, out)
    for p in linear.parameters():
        p.data = t.tensor(*p.shape)
    return linear


def _ran(t, made, x, linear, side):
    """What the module makes of the maps; where it stops, with what its error tells."""
    try:
        return t.run(made, x)
    except NotYet as stopped:
        channels = x.shape[1]
        if side > 1 and f"to have {linear.in_features} channels, but got {channels}" in stopped.message:
            stopped.message += (
                f" The layer reads {linear.in_features} channels, as if side were 1. Of each of {channels} channels "
                f"a unit has side · side = {side**2} weights."
            )
        raise


def _size_slip(got, want, side):
    """What scores of a wrong shape tell; "" where they tell nothing."""
    rows, columns = want.shape[2:]
    if got.dim() == 2:
        return " The scores are a map, even where it has only one place: flatten nothing."
    if got.dim() == 4 and tuple(got.shape[2:]) == ((rows - 1) // side + 1, (columns - 1) // side + 1):
        return " The kernel steps by its own size. It should step by 1: every place where it fits gets its scores."
    if got.dim() == 4 and got.shape[2] > rows:
        return " The kernel needs no padding: a place counts where the whole kernel fits."
    return ""


def _slid(t, *settings):
    """Compare the module with the `Linear` asked for one window after another, for (side, extra, channels, out)."""

    def cases():
        for side, extra, channels, out in settings:
            linear, shape = _linear(t, channels, side, out), (2, channels, side + extra[0], side + extra[1])
            x, made = t.tensor(*shape), _made(t, linear, side)
            given = f"nn.Linear({linear.in_features}, {out}), side={side} and maps of shape {shape}"
            got = _ran(t, made, x, linear, side)
            with torch.no_grad():
                windows = x.unfold(2, side, 1).unfold(3, side, 1).movedim(1, 3)  # picture, row, column, then a window
                want = linear(windows.flatten(3)).movedim(3, 1)
                orders = [  # how else the weights may be read
                    (
                        windows.movedim(3, 5),
                        "The kernel is read in the order (rows, columns, channels); `Flatten` goes channel by channel.",
                    ),
                    (windows.transpose(4, 5), "Rows and columns of the kernel have changed places."),
                    (windows.flip((4, 5)), "The kernel is upside down: nothing is flipped here."),
                ]
                known = [(linear(other.flatten(3)).movedim(3, 1), says) for other, says in orders]
                known.append((want - linear.bias[:, None, None], "The bias is missing."))
                known.append((want + linear.bias[:, None, None], "The bias is added twice."))
                known.append((F.relu(want), "There is a ReLU too many: what the `Linear` says may be below 0."))
            if isinstance(got, torch.Tensor) and got.shape != want.shape:
                more = _size_slip(got, want, side)
                t.fail(f"For {given}: expected shape {tuple(want.shape)}, got {tuple(got.shape)}.{more}")
            if isinstance(got, torch.Tensor) and want[0].numel() < want.numel():
                # more than one number a channel says that it is the bias alone
                shift = (got.detach() - want).mean((0, 2, 3), keepdim=True)
                known.append((want + shift, "All but the bias is right: it is not the `Linear`'s. Copy it, too."))
            yield got, want, given, known

    judge(t, cases(), 1e-3)


@sliding.part("one place: what the Linear says", 1.25)
def _(t):
    sides = [2, 3, 1]
    _slid(t, *((side, (0, 0), t.random.randint(3, 5), 4) for side in sides))


@sliding.part("larger maps: a map of scores", 1.25)
def _(t):
    sizes = ((side, (t.random.randint(2, 4), t.random.randint(4, 6))) for side in (2, 1, 3, 4))
    _slid(t, *((side, extra, t.random.randint(2, 6), t.random.randint(2, 5)) for side, extra in sizes))


@sliding.part("its weights can learn", 0.5)
def _(t):
    linear = _linear(t, 3, 2, 4)
    made = _made(t, linear, 2)
    if not list(made.parameters()):
        t.fail("The module has no parameters, so it could not be trained further. Make the weight part of the module.")
    if not any(
        p.numel() == linear.weight.numel()
        and same(p.detach().flatten().sort().values, linear.weight.detach().flatten().sort().values, 1e-6)
        for p in made.parameters()
    ):
        t.fail("The module's weight does not hold the numbers of `linear.weight`. Copy them.")
    before = {name: value.clone() for name, value in linear.state_dict().items()}
    if any(g is None for g in t.weight_gradients(made, t.tensor(2, 3, 4, 5)).values()):
        t.fail(
            "No gradient reaches one of the module's weights. Each must be used, and be a parameter that "
            "wants a gradient."
        )
    made.load_state_dict({name: value + 1 for name, value in made.state_dict().items()})
    shared = [name for name, value in linear.state_dict().items() if not torch.equal(value, before[name])]
    if shared:
        t.fail(
            f"When your layer learns, the {shared[0]} of `linear` changes with it: both hold the same tensor. Copy the "
            "numbers: `copy_`, or `.clone()`."
        )
