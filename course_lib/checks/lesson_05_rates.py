"""Checks of lesson 05, one layer and stacks of layers: taps, fields, holes. `check` of the lesson starts here."""

import math

import torch
import torch.nn.functional as F

from .core import Lesson
from .values import is_number, kind

check = Lesson("05_deeplab")


# --- a dilated convolution by hand --------------------------------------------------------------------------

dilated_conv = check.exercise(
    "dilated_conv",
    hints=(
        "Think of one tap at a time. For all output pixels at once, what one tap reads is the whole picture, shifted. How far, and which way?",
        "Each tap reads an H × W window of the padded picture `wide`. The window of tap (0, 0) begins at its corner. By how many pixels "
        "does it move from one tap to the next?",
        "The window of tap (i, j) has H rows, from row i·rate of `wide` on, and W columns, from column j·rate on. All pictures and channels "
        "of `wide` belong to it.",
    ),
    own_work={
        name: "This lets torch convolve. Write it from slices: shift, weigh, add up."
        for name in ("conv2d", "Conv2d", "convolution", "conv1d", "Conv1d", "conv3d", "conv_transpose2d")
    },
)


def _draw_maps(got, want):
    from course_lib import plot

    return plot.grid([m.detach().float().reshape(-1, *m.shape[-2:])[0] for m in (got, want)], ["yours", "expected"])


def _wrong_convolutions(x, weight, rate):
    """(wrong value, what it reveals) for the usual slips, each made with torch's own convolution on a padded picture."""
    k, right = weight.shape[-1], dict(dilation=rate)
    reach = rate * (k - 1)
    half = reach // 2
    wrap = F.pad(x, [half] * 4, mode="circular") if half <= min(x.shape[2:]) else None
    slips = [
        (
            F.conv2d(F.pad(x, [half] * 4), weight.flip(2, 3), **right),
            "The kernel is upside down: nothing is flipped here.",
        ),
        (
            F.conv2d(F.pad(x, [half] * 4), weight.transpose(2, 3), **right),
            "Rows and columns of the kernel have changed places.",
        ),
        (
            F.conv2d(F.pad(x, [0, reach, 0, reach]), weight, **right),
            "The first tap lies on the output pixel here; it should be the middle one, with as many taps before it as after.",
        ),
        (
            F.conv2d(F.pad(x, [reach, 0, reach, 0]), weight, **right),
            "The last tap lies on the output pixel here; it should be the middle one, with as many taps before it as after.",
        ),
        (
            F.conv2d(F.pad(x, [k // 2] * 4), weight),
            f"This is rate 1: neighbouring taps should stand {rate} pixels apart.",
        ),
    ]
    if wrap is not None:
        slips.append(
            (
                F.conv2d(wrap, weight, **right),
                "What leaves the picture on one side comes in on the other (`torch.roll` does that); "
                "outside the picture all is 0.",
            )
        )
    far = (rate + 1) * (k - 1) // 2
    slips.append(
        (
            F.conv2d(F.pad(x, [far] * 4), weight, dilation=rate + 1),
            f"Your taps stand {rate + 1} pixels apart; rate {rate} leaves "
            f"{rate - 1} pixels between two taps, not {rate}.",
        )
    )
    slips.append(
        (
            F.conv2d(F.pad(x, [half] * 4, mode="replicate"), weight, **right),
            "The rim is repeated beyond the picture here; outside the picture all is 0.",
        )
    )
    padded, c = F.pad(x, [half] * 4), x.shape[1]
    if c > 1:
        slips += [
            (
                F.conv2d(padded[:, :1], weight[:, :1], **right),
                "Only the first input channel is read; sum over all of them.",
            ),
            (F.conv2d(padded, weight, **right) / c, "This is the mean over the input channels; take the sum."),
        ]
    if len(x) > 1:
        first = F.conv2d(padded[:1], weight, **right)
        slips.append((first.repeat(len(x), 1, 1, 1), "Every picture of the batch gets the first one's map."))
    if weight.shape[0] == weight.shape[1]:
        slips.append(
            (
                F.conv2d(F.pad(x, [half] * 4), weight.transpose(0, 1), **right),
                "The channels of the weight are read as (C_in, C_out); they are (C_out, C_in).",
            )
        )
    return slips


def _dilated_part(t, x, weight, rate):
    got = t.call(x, weight, rate)
    k, h, w = weight.shape[-1], *x.shape[2:]
    want = F.conv2d(x, weight, padding=rate * (k // 2), dilation=rate)
    given = f"x of shape {tuple(x.shape)}, weight of shape {tuple(weight.shape)}, rate {rate}"
    if isinstance(got, torch.Tensor) and got.dim() == 4 and got.shape[2:] != (h, w):
        more = ""
        if got.shape[2:] == (h - rate * (k - 1), w - rate * (k - 1)):
            more = " No padding: zeros around the picture keep its size."
        elif got.shape[2] == h:
            more = " The height is right; is the width cut with the height, too?"
        elif got.shape[2] - h == 2 * rate - rate * (k - 1):
            more = f" Zeros of width rate fit a kernel of 3; a kernel of {k} needs rate·(k − 1)/2 = {rate * (k // 2)}."
        elif got.shape[2] - h == (k - 1) - rate * (k - 1):
            more = f" Zeros of width (k − 1)/2 fit rate 1; here rate·(k − 1)/2 = {rate * (k // 2)} are needed."
        elif got.shape[2] - h == rate * k - rate * (k - 1):
            more = f" The reach is rate·(k − 1) + 1 = {rate * (k - 1) + 1}, not rate·k."
        t.fail(f"For {given}: expected a map of {h} × {w}, got {got.shape[2]} × {got.shape[3]}.{more}")
    t.close(got, want, given, _wrong_convolutions(x, weight, rate), picture=_draw_maps)


def _counting(t, *shape):
    """Small whole numbers as floats: 1, 2, 3, … in an order of the trial's own."""
    return (torch.randperm(math.prod(shape), generator=t.generator) + 1.0).reshape(shape)


@dilated_conv.part("rate 1: an ordinary convolution", 0.5)
def _(t):
    _dilated_part(t, _counting(t, 1, 1, 3, 4), _counting(t, 1, 1, 3, 3), 1)


@dilated_conv.part("other rates", 0.5)
def _(t):
    for rate in (2, t.random.choice([3, 4])):
        _dilated_part(t, t.tensor(1, 1, 9, 10), t.tensor(1, 1, 3, 3), rate)
    _dilated_part(t, t.tensor(1, 1, 4, 5), t.tensor(1, 1, 3, 3), 6)  # only the middle tap is inside


@dilated_conv.part("kernels of other sizes, batch and channels", 0.5)
def _(t):
    _dilated_part(t, t.tensor(2, 3, 8, 7), t.tensor(t.random.choice([2, 4]), 3, 5, 5), 2)
    _dilated_part(t, t.tensor(2, 3, 6, 7), t.tensor(3, 3, 3, 3), 2)
    _dilated_part(t, t.tensor(2, 2, 5, 4), t.tensor(3, 2, 1, 1), 3)


@dilated_conv.part("gradients flow, arguments stay as they were", 0.5)
def _(t):
    x, weight = t.tensor(1, 2, 5, 5).requires_grad_(), t.tensor(2, 2, 3, 3).requires_grad_()
    t.call(x.detach(), weight.detach(), 2)
    if t.changed:
        t.fail("Your function changed one of its arguments. Pad and add up in new tensors.")
    got, (to_x, to_weight, _) = t.gradients(x, weight, 2)
    if not isinstance(got, torch.Tensor) or got.dim() != 4:
        t.fail(
            f"For x of shape (1, 2, 5, 5) and weight of shape (2, 2, 3, 3): expected a map of shape (B, C, H, W), got {kind(got)}"
        )
    for place, (name, gradient) in enumerate((("x", to_x), ("weight", to_weight))):
        if gradient is None or not gradient.any() or not t.depends((x, weight, 2), place):
            t.fail(
                f"No gradient reaches `{name}`. Work on tensors throughout, without `.item()`, `.data`, `.detach()`, numpy, or `torch.tensor(...)`."
            )


# --- the field of a stack, and how much of it is seen -------------------------------------------------------

field_and_coverage = check.exercise(
    "field_and_coverage",
    hints=(
        "Exercise 5 of lesson 02 did most of this: poke the middle output pixel, and look at the input's gradient.",
        "Call `.backward()` on `out[0, 0, m, m]`, with m in the middle. The field is what lies between the first and the last row of "
        "`picture.grad` that holds anything but 0. The share counts the pixels that are not 0, inside that square.",
        "Let `hit` be `picture.grad[0, 0] != 0`. `torch.where(hit.any(1))[0]` lists its rows: the field is the last less the first, plus 1, as an "
        "`int`. All that was hit lies in the field, so the share is the number of `True`, divided by field · field.",
    ),
    own_work={
        name: "This asks the library, which counts the ways for you. Count or poke yourself."
        for name in ("paths", "seen")
    },
)


def _places(rates):
    """The offsets, along one axis, that a stack of 3x3 layers reaches: a set."""
    places = {0}
    for rate in rates:
        places |= {p + rate for p in places} | {p - rate for p in places}
    return places


def _field(rates):
    return 1 + 2 * sum(rates)


def _pair(t, rates):
    """The answer's two numbers for these rates."""
    got = t.call(rates)
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        t.fail(f"For {rates}: expected the two numbers (field, share), got {kind(got)}")
    got = [v.item() if isinstance(v, torch.Tensor) and v.numel() == 1 else v for v in got]
    if not all(is_number(v) for v in got):
        t.fail(f"For {rates}: expected two numbers, got {got!r}.")
    if t.changed:
        t.fail("Your function changed the list of rates that it was given. Work on a copy.")
    return got


def _field_part(t, stacks):
    for rates in stacks:
        got, want = _pair(t, rates)[0], _field(rates)
        if isinstance(got, float) and got == want:
            t.fail(f"For {rates}: the field is right, but it is a float; return an `int`.")
        known = [
            (1 + sum(rates), "This goes one way only: a layer of rate r looks r pixels to both sides."),
            (2 * sum(rates), "The pixel itself counts too."),
            (1 + 2 * max(rates, default=0), "This is the reach of the widest layer alone; each layer adds its 2r."),
            (1 + sum(3 * r - 1 for r in rates), "This takes a layer's reach as 3r; its taps span 2r + 1."),
            (
                len(_places(rates)),
                "This counts the pixels that are seen in one direction. The field runs from the first to the last, holes included.",
            ),
            (
                len(_places(rates)) ** 2,
                "This counts the pixels that are seen. The field is a length, from the first to the last, holes included.",
            ),
            (1 + 2 * len(rates), "This forgets the rates: it is the field of as many plain layers."),
            (
                sum(2 * r + 1 for r in rates),
                "These are the spans added up; a layer adds only 2r to what the others see.",
            ),
            (sum(rates), "This is the way to one side, without the pixel itself."),
            (want**2, "This is an area; the field is a length in one direction."),
            (1, "Only the pixel itself was found. Is the map that you poke as wide as the field, 1 + 2·sum(rates)?"),
        ]
        t.equal(got, want, f"rates {rates}, the field", known)


@field_and_coverage.part("the field", 0.5)
def _(t):
    _field_part(t, [[1, 2, 4, t.random.choice([7, 8])], [t.random.randint(2, 6), t.random.randint(2, 6)]])


def _cancelled(rates):
    """The share that is left if a layer's taps are +1 and -1 in turn, so that ways to a pixel can cancel."""
    row = torch.ones(1, 1, 1)
    for rate in rates:
        row = F.conv1d(F.pad(row, [2 * rate] * 2), torch.tensor([[[1.0, -1, 1]]]), dilation=rate)
    return (row != 0).float().mean().item() ** 2


def _share_part(t, stacks):
    for rates in stacks:
        got, field, seen = _pair(t, rates)[1], _field(rates), len(_places(rates))
        share = (seen / field) ** 2
        known = [
            (
                math.prod(9 / (2 * r + 1) ** 2 for r in rates),
                "These are the layers' shares multiplied. But a layer can fill the holes of another: "
                "look at what all of them see together.",
            ),
            (
                9 / (2 * max(rates, default=0) + 1) ** 2,
                "This is the widest layer alone; put all the layers one after another.",
            ),
            (1, "There are holes in this field: not all of it is seen."),
            (min(1.0, 9 ** len(rates) / field**2), "This counts ways, not pixels: several ways may end on one pixel."),
            (0, "Nothing is seen? A ReLU that is off hides everything. Poke with kernels of ones and without ReLU."),
            (seen / field, "This is the share along one row. The field is a square: count in both directions."),
            (seen**2, "This counts pixels. Divide by the pixels of the field."),
            (100 * share, "This is in percent; return a share, from 0 to 1."),
            (1 - share, "This is the share of the holes."),
            (
                _cancelled(rates),
                "Weights of both signs can cancel, and hide a pixel that is seen. Poke with kernels of ones.",
            ),
        ]
        t.close(got, share, f"rates {rates}, the share", known)


@field_and_coverage.part("the share that is seen", 1)
def _(t):
    _share_part(t, [[3, 3, t.random.choice([5, 6])], [2, 1, 2], [t.random.choice([2, 3])] * 2, [2, 3]])


@field_and_coverage.part("one layer, none, wide ones and many", 0.5)
def _(t):
    stacks = [[t.random.randint(30, 45)], [], [1] * t.random.randint(9, 12)]
    _field_part(t, stacks)
    _share_part(t, stacks)


# --- a rule of thumb that lies ------------------------------------------------------------------------------

find_lies = check.exercise(
    "find_lies",
    hints=(
        "For each stack ask two things: what does the rule say, and what is true? Where the two agree, nothing is to be reported.",
        "`whole` is the truth. What the rule says is `no_common_factor(rates)`: True where it lets the stack pass. Which pair of answers "
        "belongs in `missed`, and which in `alarms`?",
        "Set `fine` to what the rule says. Two conditions then decide: fine and not whole, for `missed`; whole and not fine, for `alarms`. "
        "Append `rates` itself, as it came.",
    ),
)


def _rule(rates):
    return math.lcm(*rates) == math.prod(rates)  # so it is where no two of them share a factor


def _whole(rates):
    return len(_places(rates)) == _field(rates)


def _stacks(t, count, lengths=(1, 2, 3, 4)):
    return [[t.random.randint(1, 6) for _ in range(t.random.choice(lengths))] for _ in range(count)]


def _lists(t, stacks):
    got = t.call(stacks)
    if not isinstance(got, (tuple, list)) or len(got) != 2 or not all(isinstance(g, (list, tuple)) for g in got):
        t.fail(f"For {len(stacks)} stacks: expected two lists, (missed, alarms), got {kind(got)}")
    if t.changed:
        t.fail("Your function changed a list that it was given. Work on copies, or use `sorted(...)`, which makes one.")
    return [[list(s) if isinstance(s, tuple) else s for s in g] for g in got]


def _lies_part(t, which, stacks):
    missed = [s for s in stacks if _rule(s) and not _whole(s)]
    alarms = [s for s in stacks if _whole(s) and not _rule(s)]
    want = (missed, alarms)[which]
    lists, name = _lists(t, stacks), ("missed", "alarms")[which]
    got = lists[which]
    if got == want:
        return
    short = ", ".join(map(str, stacks)) if len(stacks) < 7 else f"{len(stacks)} stacks"
    if lists == [alarms, missed]:
        t.fail(f"For {short}: `{name}` should be {want}, got {got}. The two lists have changed places.")
    if sorted(map(str, got)) == sorted(map(str, want)):
        t.fail(
            f"For {short}: `{name}` holds the right stacks in another order, or with their rates sorted; leave both as they came."
        )
    for s in stacks:
        if (s in got) == (s in want):
            continue
        says = "finds nothing wrong with" if _rule(s) else "rejects"
        seen = len(_places(s))
        true = "it has no holes" if _whole(s) else f"it has holes: along a row it sees {seen} of its {_field(s)} pixels"
        t.fail(f"Stack {s} should {'' if s in want else 'not '}be in `{name}`: the rule {says} it, and {true}.")
    t.fail(f"For {short}: `{name}` should be {want}, got {got}.")


@find_lies.part("holes that the rule misses", 0.75)
def _(t):
    first = t.random.choice([2, 3])
    _lies_part(t, 0, [[1, 1], [2, 2], [first, first + 1], [1, 2], [1, t.random.randint(4, 9)], [1, 1, 5]])
    _lies_part(t, 0, _stacks(t, 20, (2, 3)))


@find_lies.part("false alarms", 0.75)
def _(t):
    _lies_part(t, 1, [[1, 1], [1, 2, t.random.choice([2, 4, 6])], [2, 4], [1, 3, 9], [1, 3]])
    _lies_part(t, 1, _stacks(t, 20, (3, 4)))


@find_lies.part("rates in any order, single layers", 0.5)
def _(t):
    far = t.random.choice([2, 5])
    for which, stacks in ((1, [[4, 1, 2], [8, 2, 4, 1], [9, 1, 3]]), (0, [[5, 1, 1], [4, 3], [far], [1], [7, 1]])):
        _lies_part(t, which, stacks)


# --- a schedule without holes -------------------------------------------------------------------------------

schedule = check.exercise(
    "schedule",
    hints=(
        "Take `schedule(3, 13)` on paper: `left` is 6 at first, `later` is 2, 1, 0. From the smallest rate on, how large may the next one be?",
        "With the rates so far adding up to S, the next may be at most 2S + 1. It must also leave at least 1 for each layer still to come. "
        "Try to be as greedy as those two allow.",
        "In each round the next rate is the smaller of two numbers: 2S + 1, and what remains of `left` once every later layer has been "
        "given 1. Append it, and take it off `left`.",
    ),
)


def _rates(t, layers, field):
    """The answer's rates, as many whole numbers as asked for, with the field asked for; fails otherwise."""
    got = t.call(layers, field)
    given = f"layers={layers}, field={field}"
    if isinstance(got, torch.Tensor):
        t.fail(f"For {given}: return a list of rates, not a tensor; `.tolist()` makes one.")
    if not isinstance(got, (list, tuple)):
        t.fail(f"For {given}: expected a list of {layers} rates, got {kind(got)}")
    got = list(got)
    if not all(isinstance(r, int) and not isinstance(r, bool) and r >= 1 for r in got):
        t.fail(f"For {given}: rates are whole numbers (`int`) of at least 1, got {got}.")
    if len(got) != layers:
        t.fail(f"For {given}: expected {layers} rates, got {len(got)}: {got}.")
    if _field(got) != field:
        more = (
            " Your rates add up to the field; each adds twice itself, and the pixel counts too."
            if sum(got) == field
            else ""
        )
        more = " The pixel itself counts too: 2·sum + 1." if 2 * sum(got) == field else more
        t.fail(f"For {given}: the rates {got} add up to a field of {_field(got)}.{more}")
    return got, given


@schedule.part("rates that add up to the field", 0.5)
def _(t):
    for layers in (2, 3, 4, 6):
        _rates(t, layers, t.random.randrange(2 * layers + 1, 3**layers + 1, 2))


@schedule.part("no holes", 1)
def _(t):
    cases = [
        (4, t.random.randrange(33, 72, 2)),
        (4, 31),
        (3, t.random.randrange(17, 26, 2)),
        (5, t.random.randrange(101, 240, 2)),
    ]
    for layers, field in cases:
        got, given = _rates(t, layers, field)
        before = 0
        for rate in sorted(got):
            if rate > 2 * before + 1:
                t.fail(
                    f"For {given}: the rates {got} leave holes; along a row they see {len(_places(got))} of {field} pixels. "
                    f"The rates below {rate} add up to {before}, so that {rate} is more than 2·{before} + 1.",
                    lambda: _draw_holes(got),
                )
            before += rate


def _draw_holes(rates):
    from course_lib import plot

    return plot.coverage([rates], "Yours, with its holes in white") if sum(rates) <= 100 else None


@schedule.part("the widest and the narrowest field", 0.5)
def _(t):
    layers = t.random.randint(4, 6)
    for n, field in ((1, 3), (layers, 3**layers), (layers, 2 * layers + 1)):
        got, given = _rates(t, n, field)
        if not _whole(got):
            t.fail(
                f"For {given}: the rates {got} leave holes; along a row they see {len(_places(got))} of {field} pixels.",
                lambda: _draw_holes(got),
            )
