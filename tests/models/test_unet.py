"""The networks: sizes, counts, fields, what flows where, and what they say to a wrong argument."""

import itertools

import pytest
import torch
import torch.nn as nn

from course_lib.models import (
    SKIPS,
    UPSAMPLES,
    EncoderDecoder,
    Stage,
    UNet,
    activation_bytes,
    count_parameters,
    trace,
    upsampling,
)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Nets this small gain nothing from threads, and lose much to them where cores are shared."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def on_meta(make, *args, **kwargs):
    with torch.device("meta"):
        return make(*args, **kwargs)


@pytest.mark.parametrize(
    "kwargs, count",
    [
        (dict(classes=19, base=64, depth=4, upsample="transposed"), 31_038_803),
        (dict(classes=19, base=64, skip="zero"), 31_038_803),
        (dict(classes=19, base=64, upsample="pixel_shuffle"), 31_038_803 + 3 * (64 + 128 + 256 + 512)),  # biases only
    ],
)
def test_parameter_counts(kwargs, count):
    assert count_parameters(on_meta(UNet, **kwargs)) == count


@pytest.mark.parametrize("upsample, skip", list(itertools.product(UPSAMPLES, SKIPS)))
def test_any_size_gives_logits_of_that_size(upsample, skip):
    net = EncoderDecoder(classes=5, in_channels=2, base=2, depth=3, upsample=upsample, skip=skip).eval()
    for size in [(8, 8), (9, 8), (15, 23), (16, 16), (31, 17), (40, 8)]:
        logits = net(torch.rand(2, 2, *size))
        assert logits.shape == (2, 5, *size) and logits.isfinite().all()


def test_depths():
    for depth in (1, 2, 5):
        least = 2**depth
        assert UNet(base=2, depth=depth).eval()(torch.rand(1, 3, least, least + 1)).shape == (1, 3, least, least + 1)


def test_unet_differs_from_encoder_decoder_by_its_default_skip_only():
    torch.manual_seed(0)
    a = UNet(base=4).eval()
    torch.manual_seed(0)
    b = EncoderDecoder(base=4, skip="concat").eval()
    x = torch.rand(1, 3, 32, 32)
    assert torch.equal(a(x), b(x)) and repr(a.decoder) == repr(b.decoder)
    assert isinstance(a, EncoderDecoder)
    assert EncoderDecoder(base=4).decoder[0].skip == "none"


def test_channels_double_and_sizes_halve():
    stages = trace(on_meta(UNet, base=32), (1, 3, 256, 256))
    assert stages[0] == Stage("input", 3, 256, 256, 0, "input")
    down = [(32, 256), (64, 128), (128, 64), (256, 32)]
    assert [(s.channels, s.height) for s in stages[1:]] == [*down, (512, 16), *down[::-1], (3, 256)]
    assert [s.kind for s in stages[1:]] == ["encoder"] * 4 + ["bottleneck"] + ["decoder"] * 4 + ["head"]
    assert [s.name for s in stages][5:7] == ["bottleneck", "decoder 4"]


@pytest.mark.parametrize("upsample, skip", [("transposed", "concat"), ("nearest", "none"), ("pixel_shuffle", "add")])
def test_trace_agrees_with_a_real_run_and_leaves_the_net_alone(upsample, skip):
    net = EncoderDecoder(base=3, depth=3, upsample=upsample, skip=skip)
    net.bottleneck.eval()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    modes = [m.training for m in net.modules()]
    stages = trace(net, (2, 3, 33, 50))
    assert [m.training for m in net.modules()] == modes
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    assert not any(m._forward_hooks for m in net.modules())

    seen = []
    hooks = [m.register_forward_hook(lambda m, i, o: seen.append(tuple(o.shape[1:]))) for _, m in net.stages]
    net.eval()(torch.rand(2, 3, 33, 50))
    for hook in hooks:
        hook.remove()
    assert [s[1:4] for s in stages[1:]] == seen
    assert sum(s.parameters for s in stages) == count_parameters(net) == sum(p.numel() for p in net.parameters())
    assert activation_bytes(net, (2, 3, 33, 50)) == sum(2 * 4 * c * h * w for c, h, w in seen)
    assert trace(net.train(), (1, 3, 8, 8))[-1].height == 8  # a batch of one is no trouble here


def test_trace_of_any_network_in_the_order_of_its_calls():
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.Conv2d(8, 4, 3, dilation=2),
        nn.Upsample(scale_factor=3),
        nn.Conv2d(4, 2, 3),
        nn.Flatten(),
        nn.LazyLinear(5),
    )
    net(torch.rand(1, 3, 20, 20))
    assert [(s.channels, s.height, s.width, s.kind) for s in trace(net, (1, 3, 20, 20))] == [
        (3, 20, 20, "input"),
        (8, 10, 10, "encoder"),
        (4, 6, 6, "encoder"),
        (4, 18, 18, "decoder"),
        (2, 16, 16, "decoder"),
        (512, 1, 1, "decoder"),
        (5, 1, 1, "decoder"),
    ]


def field(net, size, at):
    """Rows of the input that the logit at (at, at) depends on, by gradient: (first, last)."""
    x = torch.rand(1, 3, size, size, dtype=torch.float64, requires_grad=True)
    net(x)[0, :, at, at].sum().backward()
    rows = x.grad.abs().sum((0, 1, 3)).nonzero()
    return int(rows[0]), int(rows[-1])


@pytest.mark.parametrize("depth, size", [(1, 48), (2, 96), (3, 160)])
def test_receptive_field_by_gradient(depth, size):
    torch.manual_seed(0)
    net = EncoderDecoder(base=2, depth=depth).double().eval()
    for m in net.modules():  # closed ReLUs would hide connections
        if isinstance(m, nn.Sequential):
            for i, layer in enumerate(m):
                if isinstance(layer, nn.ReLU):
                    m[i] = nn.Identity()
    net.pool = nn.AvgPool2d(2)  # and a maximum hides three of four
    at = low = high = size // 2
    for _ in range(depth):  # DoubleConv adds 2 px each side; then 2x2 upsampling
        low, high = (low - 2) // 2, (high + 2) // 2
    low, high = low - 2, high + 2  # bottleneck
    for _ in range(depth):  # a pooled pixel sees two, and DoubleConv adds 2 each
        low, high = 2 * low - 2, 2 * high + 1 + 2
    assert field(net, size, at) == (low, high)


def test_the_first_skip_is_the_last_used_and_comes_first_in_the_concatenation():
    net = UNet(base=4, depth=3).eval()
    given = {}
    for name, module in net.stages:
        if name.startswith("encoder"):
            module.register_forward_hook(lambda m, i, o, name=name: given.__setitem__(name, o))
        if name.startswith("decoder"):
            module.upsample.register_forward_hook(lambda m, i, o, name=name: given.__setitem__("up " + name, o))
            module.conv.register_forward_pre_hook(lambda m, i, name=name: given.__setitem__(name, i[0]))
    net(torch.rand(1, 3, 24, 24))
    for level in (1, 2, 3):
        channels = 4 * 2 ** (level - 1)
        into = given[f"decoder {level}"]
        assert into.shape[1] == 2 * channels
        assert torch.equal(into[:, :channels], given[f"encoder {level}"])
        assert torch.equal(into[:, channels:], given[f"up decoder {level}"])


@pytest.mark.parametrize("skip", SKIPS)
def test_what_a_skip_carries(skip):
    """With the bottleneck's path cut, the image reaches the logits through skips or not at all."""
    net = EncoderDecoder(base=4, depth=2, skip=skip).eval()
    net.bottleneck.register_forward_hook(lambda m, i, o: 0 * o)
    x = torch.rand(2, 3, 16, 16)
    logits = net(x)
    logits.sum().backward()
    carries = skip in ("concat", "add")
    assert carries == (not torch.allclose(*logits.split(1), atol=1e-7))
    assert carries == (net.encoder[0][0].weight.grad.abs().sum() > 0)  # and gradients come back the same way


def test_bigger_sizes_repeat_the_last_row_and_column():
    net = EncoderDecoder(base=2, depth=1, upsample="nearest").eval()
    into = []
    net.decoder[0].conv.register_forward_pre_hook(lambda m, i: into.append(i[0]))
    net(torch.rand(1, 3, 9, 7))
    assert into[0].shape[-2:] == (9, 7)
    assert torch.equal(into[0][..., 8, :], into[0][..., 7, :]) and torch.equal(into[0][..., 6], into[0][..., 5])


def test_upsamplings_do_what_their_names_say():
    x = torch.rand(2, 6, 5, 4)
    for kind in UPSAMPLES:
        up = upsampling(kind, 6, 3)
        y = up(x)
        assert y.shape == (2, 3, 10, 8)
        if kind in ("bilinear", "nearest"):  # first the convolution, then the resize: same as the other way round
            assert torch.allclose(y, up[0](up[1](x)), atol=1e-6)
        blocks = y.unfold(2, 2, 2).unfold(3, 2, 2)
        assert (kind == "nearest") == bool((blocks.amax((-1, -2)) == blocks.amin((-1, -2))).all())
    # A 2x2 transposed convolution is a 1x1 convolution followed by pixel shuffle.
    transposed, shuffle = upsampling("transposed", 6, 3), upsampling("pixel_shuffle", 6, 3)
    with torch.no_grad():
        shuffle[0].weight.copy_(transposed.weight.permute(1, 2, 3, 0).reshape(12, 6, 1, 1))
        shuffle[0].bias.copy_(transposed.bias.repeat_interleave(4))
    assert torch.allclose(transposed(x), shuffle(x), atol=1e-6)


def test_in_evaluation_an_image_does_not_depend_on_its_batch():
    net = UNet(base=4, depth=3)
    net(torch.rand(4, 3, 32, 32))  # gives the running averages something
    net.eval()
    x = torch.rand(5, 3, 24, 40)
    with torch.no_grad():
        whole = net(x)
        assert torch.allclose(torch.cat([net(one) for one in x.split(1)]), whole, atol=1e-5)
        assert torch.equal(net(x), whole)  # and running it changes nothing


@pytest.mark.parametrize("upsample, skip", list(itertools.product(UPSAMPLES, SKIPS)))
def test_gradient_reaches_every_parameter_and_the_image(upsample, skip):
    torch.manual_seed(0)
    net = EncoderDecoder(base=4, depth=2, upsample=upsample, skip=skip)
    x = torch.rand(2, 3, 17, 22, requires_grad=True)
    kept = x.detach().clone()
    net(x).square().mean().backward()
    assert torch.equal(x, kept)  # the in-place ReLUs never write on the caller's image
    assert x.grad.abs().sum() > 0
    for name, p in net.named_parameters():
        assert p.grad is not None and p.grad.isfinite().all(), name
        assert p.grad.abs().sum() > 0, name


def test_state_dict_round_trip(tmp_path):
    net, other = UNet(base=4, depth=2), UNet(base=4, depth=2)
    net(torch.rand(3, 3, 16, 16))
    torch.save(net.state_dict(), tmp_path / "net.pt")
    other.load_state_dict(torch.load(tmp_path / "net.pt", weights_only=True))
    x = torch.rand(2, 3, 20, 20)
    assert torch.equal(net.eval()(x), other.eval()(x))


def test_channels_last_and_bfloat16_agree():
    torch.manual_seed(0)
    net, x = UNet(base=4, depth=2).eval(), torch.rand(2, 3, 21, 30)
    logits = net(x)
    last = torch.channels_last
    assert torch.allclose(net.to(memory_format=last)(x.to(memory_format=last)), logits, atol=1e-5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = net(x)
    assert half.dtype == torch.bfloat16 and (half - logits).abs().max() < 0.1


def test_export_keeps_any_size():
    net, dynamic = UNet(base=2, depth=2).eval(), torch.export.Dim.DYNAMIC
    free = {"x": {0: dynamic, 2: dynamic, 3: dynamic}}
    exported = torch.export.export(net, (torch.rand(2, 3, 16, 24),), dynamic_shapes=free)
    x = torch.rand(3, 3, 13, 18)
    assert torch.allclose(exported.module()(x), net(x), atol=1e-6)


@pytest.mark.parametrize(
    "kwargs, message",
    [
        (dict(classes=0), "classes must be a whole number of at least 1, not 0."),
        (dict(base=1.5), "base must be a whole number of at least 1, not 1.5."),
        (dict(depth="4"), "depth must be a whole number of at least 1, not '4'."),
        (dict(in_channels=True), "in_channels must be a whole number of at least 1, not True."),
        (
            dict(upsample="bicubic"),
            "upsample must be one of transposed, bilinear, pixel_shuffle, nearest, not 'bicubic'.",
        ),
        (dict(skip=None), "skip must be one of concat, add, none, zero, not None."),
    ],
)
def test_bad_arguments(kwargs, message):
    for make in (EncoderDecoder, UNet):
        with pytest.raises(ValueError) as error:
            make(**kwargs)
        assert str(error.value) == message


@pytest.mark.parametrize(
    "image, message",
    [
        (torch.rand(3, 16, 16), r"as \(B, 3, H, W\), not \(3, 16, 16\); image\[None\] makes a batch"),
        (torch.rand(1, 1, 16, 16), r"as \(B, 3, H, W\), not \(1, 1, 16, 16\)"),
        (torch.zeros(1, 3, 16, 16, dtype=torch.uint8), "not torch.uint8; image.float"),
        (torch.rand(2, 3, 7, 16), "depth 3 needs images of at least 8x8 pixels, not 7x16"),
        (torch.rand(1, 3, 8, 15), "One image of 8x15 leaves one pixel in the bottleneck"),
    ],
)
def test_bad_images(image, message):
    with pytest.raises(ValueError, match=message):
        UNet(base=2, depth=3)(image)


def test_smallest_training_images():
    net = UNet(base=2, depth=3)
    assert net(torch.rand(2, 3, 8, 8)).shape == (2, 3, 8, 8)  # a batch of two
    assert net(torch.rand(1, 3, 8, 16)).shape == (1, 3, 8, 16)  # two pixels in the bottleneck
    assert net.eval()(torch.rand(1, 3, 8, 8)).shape == (1, 3, 8, 8)
