"""DeepLab and PSPNet: parts equal torchvision's and segmentation-models-pytorch's, the whole does what is claimed."""

import itertools

import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F
import torchvision
from torchvision.models.segmentation import deeplabv3

from course_lib import models
from course_lib.models.deeplab import Pooled
from tests.support.nets import SIZES, warm

pytestmark = pytest.mark.usefixtures("one_thread")


def copied(ours, theirs):
    """`ours` with the weights and averages of `theirs`, whose layers stand in the same order under other names."""
    state = dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True))
    ours.load_state_dict(state)
    return ours


def stirred(module):
    """The module with running averages and affine weights that are not those of the start, in evaluation mode."""
    torch.manual_seed(2)
    for m in module.modules():
        if isinstance(m, nn.BatchNorm2d):
            for value in (m.weight, m.bias, m.running_mean):
                value.data.normal_()
            m.running_var.uniform_(0.5, 2)
    return module.eval()


@pytest.mark.parametrize("rates", [(1, 2, 3), (6, 12, 18), (2,)])
def test_aspp_is_torchvisions(rates):
    theirs = stirred(deeplabv3.ASPP(12, rates, 8))
    ours = copied(models.ASPP(12, 8, rates, dropout=0.5), theirs)
    x = torch.randn(3, 12, 9, 14)
    assert torch.equal(ours.eval()(x), theirs(x))
    results = []
    for net in (ours, theirs):
        torch.manual_seed(0)  # dropout included
        net.train()
        given = x.clone().requires_grad_()
        net(given).square().sum().backward()
        results.append([given.grad, *(p.grad for p in net.parameters()), *net.state_dict().values()])
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(*results, strict=True))


def test_v3_is_torchvisions_head_on_torchvisions_backbone_less_one_convolution():
    """Dilated ResNet, ASPP, scores, enlarged. torchvision has one 3x3 convolution more, made an identity here."""
    theirs = torchvision.models.segmentation.deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=5)
    stirred(theirs.classifier)
    with torch.no_grad():
        nn.init.dirac_(theirs.classifier[1].weight)
    theirs.classifier[2] = nn.Identity()
    resnet = torchvision.models.resnet50()
    resnet.load_state_dict(theirs.backbone.state_dict(), strict=False)
    ours = models.DeepLab(5, base=64, output_stride=8, decoder=False, backbone=models.ResNetBackbone(resnet)).eval()
    copied(ours.aspp, theirs.classifier[0])
    copied(ours.score, theirs.classifier[4])
    x = torch.rand(1, 3, 64, 96)  # sizes that the stride divides
    with torch.no_grad():
        assert torch.allclose(ours(x), theirs.eval()(x)["out"], rtol=1e-4, atol=1e-4)


def test_aspp_and_pyramid_are_those_of_segmentation_models_pytorch():
    from segmentation_models_pytorch.decoders.deeplabv3.decoder import ASPP
    from segmentation_models_pytorch.decoders.pspnet.decoder import PSPModule

    theirs = stirred(ASPP(8, 6, (2, 4, 6), separable=False, dropout=0.1))
    x = torch.randn(2, 8, 12, 17)
    assert torch.equal(copied(models.ASPP(8, 6, (2, 4, 6)), theirs).eval()(x), theirs(x))

    theirs, ours = stirred(PSPModule(8)), stirred(models.PyramidPooling(8))
    assert ours(x).shape == theirs(x).shape and torch.equal(ours(x)[:, :8], x)
    for branch, block in zip(ours.branches, theirs.blocks, strict=True):
        # Theirs has no normalisation where there is one part, and enlarges with align_corners: what comes before is
        # equal.
        layers = [m for m in block.pool.modules() if isinstance(m, (nn.Conv2d, nn.BatchNorm2d))]
        branch[1][0].weight.data.copy_(layers[0].weight)
        if len(layers) == 2:
            branch[1][1].load_state_dict(layers[1].state_dict())
            assert torch.allclose(nn.Sequential.forward(branch, x), block.pool(x), atol=1e-6)


def test_pyramid_pooling_by_hand():
    net, x = stirred(models.PyramidPooling(9, (1, 2, 3))), torch.randn(2, 9, 6, 12)
    assert net.out_channels == 18
    parts = [x]
    for bins, branch in zip((1, 2, 3), net.branches):
        conv, norm, _ = branch[1]
        cells = F.avg_pool2d(x, (6 // bins, 12 // bins))
        cells = torch.einsum("oc,bchw->bohw", conv.weight[:, :, 0, 0], cells)
        cells = F.batch_norm(cells, norm.running_mean, norm.running_var, norm.weight, norm.bias).relu()
        parts.append(F.interpolate(cells, (6, 12), mode="bilinear"))
    assert torch.allclose(net(x), torch.cat(parts, 1), atol=1e-6)


def test_a_rate_as_wide_as_the_map_is_a_1x1_convolution():
    branch, x = stirred(models.ASPP(4, 3, (6, 12, 18))).branches[3], torch.randn(1, 4, 16, 16)
    assert branch[0].dilation == (18, 18)
    alone = F.conv2d(x, branch[0].weight[:, :, 1:2, 1:2])
    assert torch.allclose(branch[0](x), alone, atol=1e-6)


def test_image_pooling_is_the_same_everywhere():
    y = Pooled(4, 3).eval()(torch.randn(2, 4, 7, 5))
    assert torch.allclose(y, y[..., :1, :1].expand_as(y))


@pytest.mark.parametrize("output_stride, decoder", list(itertools.product((32, 16, 8), (True, False))))
def test_deeplab_at_any_size(output_stride, decoder):
    net = models.DeepLab(classes=5, in_channels=2, base=2, output_stride=output_stride, decoder=decoder).eval()
    for size in SIZES:
        x = torch.rand(2, 2, *size)
        assert net(x).shape == (2, 5, *size) and net(x).isfinite().all()
        assert net.backbone(x)[4].shape[-1] == -(-size[1] // output_stride)


@pytest.mark.parametrize("output_stride", [16, 8])
def test_v3_plus_by_hand(output_stride):
    """The order of the concatenation, which map comes in, and where it is enlarged and cut, in other words."""
    net = stirred(warm(models.DeepLab(classes=4, base=4, output_stride=output_stride)))
    x = torch.rand(2, 3, 70, 93)
    with torch.no_grad():
        maps = net.backbone(x)
        assert maps[1].shape == (2, 8, 18, 24)
        y = F.interpolate(net.aspp(maps[4]), scale_factor=output_stride // 4, mode="bilinear")[..., :18, :24]
        y = net.decoder.conv(torch.cat([net.decoder.reduce(maps[1]), y], 1))
        y = F.interpolate(net.score(y), scale_factor=4, mode="bilinear")[..., :70, :93]
        assert torch.allclose(net(x), y, atol=1e-5)
    assert [m.in_channels for m in net.decoder.modules() if isinstance(m, nn.Conv2d)] == [8, 4 + 16, 16]


def test_rates_double_at_output_stride_8():
    def rates(**options):
        return [b[0].dilation[0] for b in models.DeepLab(base=2, **options).aspp.branches[1:4]]

    assert rates() == [6, 12, 18] and rates(output_stride=8) == [12, 24, 36]
    assert rates(output_stride=8, rates=(1, 2, 3)) == [1, 2, 3]


def test_the_output_stride_costs_no_weight():
    nets = [models.DeepLab(base=4, output_stride=s, rates=(1, 2, 3)) for s in (32, 16, 8)]
    for net in nets[1:]:
        net.load_state_dict(nets[0].state_dict())  # every weight has its place
    with torch.device("meta"):
        assert len({models.count_parameters(models.DeepLab(output_stride=s)) for s in (32, 16, 8)}) == 1


@pytest.mark.parametrize("output_stride", [32, 16, 8])
def test_pspnet_at_any_size(output_stride):
    net = models.PSPNet(classes=5, base=2, output_stride=output_stride).eval()
    for size in SIZES:
        assert net(torch.rand(2, 3, *size)).shape == (2, 5, *size)


def test_a_backbone_that_is_given_is_copied():
    backbone = models.Backbone(in_channels=2, base=4)
    for make in (models.DeepLab, models.PSPNet):
        net = make(classes=3, output_stride=8, backbone=backbone)
        assert not {p.data_ptr() for p in backbone.parameters()} & {p.data_ptr() for p in net.parameters()}
        assert torch.equal(net.backbone.encoder[4][0].weight, backbone.encoder[4][0].weight)
        assert net.eval()(torch.rand(1, 2, 40, 40)).shape == (1, 3, 40, 40)
    assert backbone.encoder[4][0].stride == (2, 2)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: models.DeepLab(output_stride=4), "output_stride must be one of 32, 16, 8, not 4."),
        (lambda: models.DeepLab(base=0), "base must be a whole number of at least 1, not 0."),
        (lambda: models.DeepLab(rates=(6, 0)), "rate 2 must be a whole number of at least 1, not 0."),
        (lambda: models.PSPNet(bins=(1, 2.5)), "bin 2 must be a whole number of at least 1, not 2.5."),
        (lambda: models.PyramidPooling(3), "A pyramid of 4 branches needs at least 4 channels, not 3."),
        (lambda: models.PyramidPooling(8, ()), "A pyramid needs at least one bin, such as bins=(1, 2, 3, 6)."),
        (
            lambda: models.DeepLab(base=2)(torch.rand(1, 3, 64, 64)),
            "A batch of one cannot be trained: the average over the "
            "image leaves batch normalisation one value a channel; use a larger batch, or net.eval().",
        ),
        (
            lambda: models.PSPNet(base=2)(torch.rand(1, 3, 64, 64)),
            "A batch of one cannot be trained: the average over the "
            "image leaves batch normalisation one value a channel; use a larger batch, or net.eval().",
        ),
    ],
)
def test_errors_are_sentences(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value) == message


# --- what holds for every network ---------------------------------------------------------------------------

NETS = {
    **{f"FCN-{s}s": lambda s=s, **k: models.FCN(stride=s, **k) for s in (32, 16, 8)},
    **{
        f"DeepLab v3{'+' * d} at {s}": lambda s=s, d=d, **k: models.DeepLab(output_stride=s, decoder=d, **k)
        for s in (16, 8)
        for d in (True, False)
    },
    "PSPNet": models.PSPNet,
}
every = pytest.mark.parametrize("make", NETS.values(), ids=NETS)


@every
def test_gradient_reaches_every_weight_and_the_image(make):
    torch.manual_seed(0)
    net = make(base=4)
    x = torch.rand(3, 3, 97, 81, requires_grad=True)
    kept = x.detach().clone()
    (net(x) * torch.randn(3, 3, 97, 81)).sum().backward()
    assert torch.equal(x, kept) and x.grad.abs().sum() > 0
    for name, p in net.named_parameters():
        assert p.grad is not None and p.grad.isfinite().all() and p.grad.abs().sum() > 0, name


@every
def test_the_same_seed_gives_the_same_net_and_training(make):
    logits = []
    for _ in range(2):
        torch.manual_seed(3)
        net = make(base=2)
        optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
        for _ in range(2):
            optimizer.zero_grad()
            F.cross_entropy(net(torch.rand(2, 3, 40, 33)), torch.randint(3, (2, 40, 33))).backward()
            optimizer.step()
        logits.append(net.eval()(torch.ones(1, 3, 20, 20)))
    assert torch.equal(*logits)


@every
def test_an_image_does_not_depend_on_its_batch_nor_on_the_layout_of_memory(make):
    net = warm(make(base=4))
    x = torch.rand(4, 3, 50, 70)
    with torch.no_grad():
        whole = net(x)
        assert torch.allclose(torch.cat([net(one) for one in x.split(1)]), whole, atol=1e-5)
        net.to(memory_format=torch.channels_last)
        assert torch.allclose(net(x.to(memory_format=torch.channels_last)), whole, atol=1e-5)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert (net(x).float() - whole).abs().max() < 0.1


@every
def test_state_dict_round_trip(make, tmp_path):
    net, other = warm(make(base=2)), make(base=2).eval()
    torch.save(net.state_dict(), tmp_path / "net.pt")
    other.load_state_dict(torch.load(tmp_path / "net.pt", weights_only=True))
    x = torch.rand(2, 3, 45, 40)
    assert torch.equal(net(x), other(x))


@every
def test_it_is_where_its_weights_are(make):
    with torch.device("meta"):
        net = make(base=16)
        assert net(torch.rand(2, 3, 200, 131)).device.type == "meta"
    assert make(base=2).double()(torch.rand(2, 3, 40, 40, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize("name", ["FCN-16s", "DeepLab v3+ at 16"])
def test_export_keeps_any_size(name):
    net, dynamic = NETS[name](base=2).eval(), torch.export.Dim.DYNAMIC
    free = {"x": {0: dynamic, 2: dynamic, 3: dynamic}}
    exported = torch.export.export(net, (torch.rand(2, 3, 64, 96),), dynamic_shapes=free)
    x = torch.rand(3, 3, 77, 130)
    with torch.no_grad():
        assert torch.allclose(exported.module()(x), net(x), atol=1e-5)


@every
def test_trace_finds_every_weight_and_ends_at_the_image(make):
    net = make(base=4)
    stages = models.trace(net, (1, 3, 100, 75))
    assert stages[-1][1:4] == (3, 100, 75) and [s.name for s in stages[1:]] == [name for name, _ in net.stages]
    assert sum(s.parameters for s in stages) == models.count_parameters(net)
    assert {s.kind for s in stages} <= {"input", "encoder", "bottleneck", "decoder", "head"}


@every
def test_wrong_images_are_told_in_a_sentence(make):
    net = make(base=2)
    for image, message in [
        (torch.rand(3, 40, 40), r"as \(B, 3, H, W\), not \(3, 40, 40\); image\[None\] makes a batch"),
        (torch.rand(2, 1, 40, 40), r"as \(B, 3, H, W\), not \(2, 1, 40, 40\)\.$"),
        (torch.zeros(2, 3, 40, 40, dtype=torch.uint8), "not torch.uint8; image.float"),
    ]:
        with pytest.raises(ValueError, match=message):
            net(image)
