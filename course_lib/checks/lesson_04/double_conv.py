"""Lesson 04: the double convolution."""

from functools import partial

import torch
import torch.nn.functional as F

from ..causes import judge
from ..core import Exercise
from ..values import kind

double_conv = Exercise(
    "double_conv",
    hints=(
        "Six layers, one after the other, nothing else happens. Which container of torch.nn runs its layers in order?",
        "A 3 × 3 kernel reaches one pixel over each edge, so one pixel of padding keeps the size. The normalisation "
        "counts channels: how many does it see, after each convolution?",
        "`nn.Sequential` of `nn.Conv2d` (kernel 3, `padding=1`, `bias=False`), `nn.BatchNorm2d` of c_out, `nn.ReLU`, "
        "then the three once more, where the convolution now gets c_out channels.",
    ),
    own_work={
        name: (
            "This is the library's own double convolution, and it is right. "
            "Write one from torch.nn's layers: six of them."
        )
        for name in ("DoubleConv", "UNet", "EncoderDecoder", "Up", "Backbone")
    },
)


def _block(t):
    """A fresh answer, its channels, and a picture for it; fails unless it is a module that runs."""
    c_in, c_out = t.random.randint(2, 4), t.random.randint(5, 8)
    net = t.made(c_in, c_out, given=f"c_in={c_in}, c_out={c_out}")
    return net, c_in, c_out, t.tensor(3, c_in, 9, 14)


def _weights(t, net, c_in, c_out):
    """The two kernels by their shapes, and the biases of both convolutions (zeros where they have none)."""
    state, kernels = net.state_dict(), []
    for channels in (c_in, c_out):
        names = [n for n, v in state.items() if tuple(v.shape) == (c_out, channels, 3, 3)]
        if not names:
            t.fail(
                f"For c_in={c_in}, c_out={c_out}: there should be a convolution with weights of shape "
                f"({c_out}, {channels}, 3, 3)."
            )
        bias = state.get(names[0].removesuffix("weight") + "bias", torch.zeros(c_out))
        kernels.append((names[0], state[names[0]], bias))
    return kernels


def _means(net):
    return [value.clone() for name, value in net.state_dict().items() if name.endswith("running_mean")]


@double_conv.part("two 3 × 3 convolutions that keep the size", 0.5)
def _(t):
    net, c_in, c_out, x = _block(t)
    given = f"c_in={c_in}, c_out={c_out} and x of shape {tuple(x.shape)}"
    got, want = t.run(net, x), (3, c_out, 9, 14)
    if not isinstance(got, torch.Tensor) or tuple(got.shape) != want:
        shape = tuple(got.shape) if isinstance(got, torch.Tensor) else ()
        more = {
            (3, c_out, 5, 10): " Each convolution takes a pixel off on every side; pad by 1.",
            (3, c_out, 5, 7): " One of the convolutions moves by 2; leave its stride at 1.",
            (3, c_out, 7, 12): " One of the convolutions takes a pixel off on every side; pad by 1.",
        }.get(shape, "")
        t.fail(f"For {given}: expected shape {want}, got {kind(got)}{more}")
    layers = t.layers(net, x)
    t.registered(layers)
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
                f"With the {which} convolution's weights times 10, the result changes (in training). Batch "
                f"normalisation would take such a factor out. Does one follow the {which} convolution?"
            )
    kept = [_means(net)]
    for _ in range(2):
        t.run(net, x)
        kept.append(_means(net))
    step, then = ([n - m for m, n in zip(*pair)] for pair in (kept[:2], kept[1:]))
    if not all(torch.allclose(b, 0.9 * a, atol=1e-4) for a, b in zip(step, then)):
        t.fail(
            "In training, the running means should come a tenth nearer to a batch's means each time, as with the "
            "default `momentum` of 0.1."
        )
    net.eval()
    together, alone = t.run(net, x).detach(), t.run(net, x[:1]).detach()
    net.train()
    if not torch.allclose(together[:1], alone, atol=1e-4):
        t.fail(
            "In evaluation, what comes out for a picture depends on the others in its batch. `nn.BatchNorm2d` with its "
            "defaults then takes the mean and variance that it gathered in training."
        )


def _blocks(t, level):
    """(got, want, given, known mistakes) of a fresh block in training; small levels show eps."""
    net, c_in, c_out, x = _block(t)
    x = level * x
    if (number := len(t.layers(net, x))) != 2:
        t.fail(f"{number} convolutions run; two should.")
    state = net.state_dict()
    norms = [name for name, v in state.items() if v.dim() == 1 and not name.endswith(("bias", "mean", "var"))]
    gain = 4.0 if norms else 1.0  # large enough to see what is cut off above
    net.load_state_dict({**state, **{name: torch.full_like(state[name], gain) for name in norms}})
    (_, first, bias_1), (_, second, bias_2) = _weights(t, net, c_in, c_out)

    def run(a, b, pads=(1, 1), mode="constant"):  # what stands after each convolution, what is put around each map
        y = a(F.conv2d(F.pad(x, 4 * [pads[0]], mode), first, bias_1))
        return b(F.conv2d(F.pad(y, 4 * [pads[1]], mode), second, bias_2))

    def norm(y, eps=1e-5):
        return gain * F.batch_norm(y, None, None, training=True, eps=eps)

    def both(y):
        return F.relu(norm(y))

    def early(y):
        return norm(F.relu(y))

    def each(y):
        return F.relu(gain * F.instance_norm(y))

    def layer(y):
        return F.relu(gain * F.group_norm(y, 1))

    def shortcut(y):
        return F.relu(norm(F.conv2d(F.pad(y, [1] * 4), second, bias_2)) + y)

    def bent(function):
        return lambda y: function(norm(y))

    def eps_of(eps):
        return lambda y: F.relu(norm(y, eps))

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
        *(
            (run(own, own), "Each picture is normalised by itself; batch normalisation takes the mean over the batch.")
            for own in (each, layer)
        ),
        *(
            (run(bent(f), bent(f)), f"After the normalisations stands a {name}, not a ReLU.")
            for name, f in (
                *(("leaky ReLU", partial(F.leaky_relu, negative_slope=s)) for s in (0.01, 0.1, 0.2)),
                *(("GELU", F.gelu), ("SiLU", F.silu), ("ELU", F.elu), ("sigmoid", torch.sigmoid), ("tanh", torch.tanh)),
                ("ReLU6", F.relu6),
            )
        ),
        (
            shortcut(both(F.conv2d(F.pad(x, [1] * 4), first, bias_1))),
            "A shortcut leads past the second convolution and is added to it; none is asked for.",
        ),
        (run(early, early), "The ReLU stands before the normalisation; it comes after it."),
        (run(early, both), "The first ReLU stands before its normalisation; it comes after it."),
        (run(both, early), "The second ReLU stands before its normalisation; it comes after it."),
        *(
            (
                run(eps_of(eps), eps_of(eps)),
                "The normalisation divides by √(variance + eps); leave its eps at the default.",
            )
            for eps in (1e-2, 1e-3, 1e-4, 1e-6, 1e-8)
        ),
    ]
    got, want = t.run(net, x), run(both, both)
    if isinstance(got, torch.Tensor) and got.shape == want.shape:
        for without in (run(F.relu, F.relu), run(both, F.relu), run(F.relu, both)):
            if torch.allclose(got, without, atol=1e-4):  # a normalisation is missing, which is another part's business
                got = want
    given = f"c_in={c_in}, c_out={c_out} and x of shape {tuple(x.shape)}, values around {level:g}, in training"
    return got, want, given, known


@double_conv.part("a ReLU after each normalisation", 0.5)
def _(t):
    net, _, _, x = _block(t)
    once, again = t.run(net, torch.cat([x, x])).chunk(2)
    if not torch.allclose(once, again, atol=1e-4):
        t.fail(
            "In training, two equal pictures come out unequal: something random, such as dropout, is in your module."
        )
    judge(t, (_blocks(t, level) for level in (1.0, 0.01, 0.003)), tolerance=1e-3)


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
    other = t.made(c_in, c_out)
    if {id(p) for p in net.parameters()} & {id(p) for p in other.parameters()}:
        t.fail(
            "Two calls returned the same layers. Make new ones in each call, or all blocks of a network "
            "would share their weights."
        )
    silent = [name for name, grad in t.weight_gradients(net, x).items() if grad is None or not grad.any()]
    if silent:
        t.fail(f"No gradient reaches {silent[0]!r}. Is every layer that you make also used?")
