"""The backbone, its dilation, FCN and the classifier: equal to torchvision's where it has the part, and as claimed."""

import itertools

import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F
import torchvision

from course_lib import models
from course_lib.models.fcn import Double, Enlarge
from tests.support.nets import SIZES, warm

pytestmark = pytest.mark.usefixtures("one_thread")


# --- the backbone -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_backbone_gives_five_maps_from_the_finest_rounded_up(size):
    net = models.Backbone(in_channels=2, base=4).eval()
    maps = net(torch.rand(3, 2, *size))
    assert net.channels == [4, 8, 16, 32, 32] and net.in_channels == 2
    for stride, channels, found in zip((2, 4, 8, 16, 32), net.channels, maps, strict=True):
        assert found.shape == (3, channels, -(-size[0] // stride), -(-size[1] // stride))


@pytest.mark.parametrize("make", [torchvision.models.resnet18, torchvision.models.resnet50])
def test_a_resnet_as_a_backbone_gives_the_resnets_own_maps(make):
    resnet, seen = make().eval(), []
    for layer in (resnet.relu, resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4):
        layer.register_forward_hook(lambda m, i, o: seen.append(o))
    net = models.ResNetBackbone(resnet)
    x = torch.rand(1, 3, 65, 40)
    with torch.no_grad():
        maps, _ = net(x), seen.clear()
        resnet(x)
    seen = [seen[0], *seen[-4:]]
    assert all(torch.equal(a, b) for a, b in zip(maps, seen, strict=True))
    assert net.channels == [m.shape[1] for m in maps] and net.in_channels == 3


@pytest.mark.parametrize("output_stride, replaced", [(16, [False, False, True]), (8, [False, True, True])])
def test_dilate_is_torchvisions_replace_stride_with_dilation(output_stride, replaced):
    torch.manual_seed(0)
    plain = torchvision.models.resnet50().eval()
    theirs = torchvision.models.resnet50(replace_stride_with_dilation=replaced).eval()
    theirs.load_state_dict(plain.state_dict())
    before = repr(plain)
    ours = models.dilate(plain, output_stride)
    assert repr(ours) == repr(theirs) and repr(plain) == before
    x = torch.rand(2, 3, 64, 49)
    with torch.no_grad():
        assert torch.equal(ours(x), theirs(x))
        for a, b in zip(models.ResNetBackbone(ours)(x), models.ResNetBackbone(theirs)(x)):
            assert torch.equal(a, b)
    assert all(torch.equal(a, b) for a, b in zip(ours.state_dict().values(), plain.state_dict().values()))


@pytest.mark.parametrize(
    "make",
    [lambda: models.Backbone(base=4), lambda: models.ResNetBackbone(torchvision.models.resnet50())],
    ids=["ours", "resnet50"],
)
@pytest.mark.parametrize("size", [(64, 64), (79, 90), (33, 65)])
def test_a_dilated_map_holds_the_old_one_everywhere_in_evaluation(make, size):
    torch.manual_seed(0)
    net = make().double().eval()
    x = torch.rand(1, 3, *size, dtype=torch.float64)
    with torch.no_grad():
        old = net(x)
        for output_stride in (32, 16, 8):
            for stride, coarse, fine in zip((2, 4, 8, 16, 32), old, models.dilate(net, output_stride)(x)):
                step = max(1, stride // output_stride)
                kept = fine[..., ::step, ::step]
                assert kept.shape == coarse.shape and torch.allclose(kept, coarse, rtol=1e-9, atol=1e-9)
                assert fine.shape[-1] == -(-size[1] // min(stride, output_stride))
                if step > 1:
                    assert not torch.allclose(fine[..., 1:, :], fine[..., :-1, :])  # what lies between is new


def test_dilation_of_each_convolution():
    def of(net):
        return [(m.stride[0], m.dilation[0], m.padding[0]) for m in net.modules() if isinstance(m, nn.Conv2d)]

    net = models.Backbone(base=2)
    assert of(net) == 5 * [(2, 1, 1), (1, 1, 1)]
    assert of(models.dilate(net, 16)) == 4 * [(2, 1, 1), (1, 1, 1)] + [(1, 1, 1), (1, 2, 2)]
    eight = 3 * [(2, 1, 1), (1, 1, 1)] + [(1, 1, 1), (1, 2, 2), (1, 2, 2), (1, 4, 4)]
    assert of(models.dilate(net, 8)) == eight == of(models.dilate(models.dilate(net, 16), 8))
    assert of(models.dilate(net, 32)) == of(net)


def test_what_dilate_copies_is_a_copy():
    net = models.Backbone(base=2)
    other = models.dilate(net, 16)
    for a, b in zip(net.parameters(), other.parameters()):
        assert torch.equal(a, b) and a.data_ptr() != b.data_ptr()
    assert {p.device.type for p in models.dilate(net.to("meta"), 8).parameters()} == {"meta"}


def test_dilate_says_what_it_can_not_do():
    with pytest.raises(ValueError) as error:
        models.dilate(models.Backbone(), 12)
    assert str(error.value) == "output_stride must be one of 32, 16, 8, not 12."
    pooled = nn.Sequential(*(layer for _ in range(5) for layer in (nn.Conv2d(3, 3, 3, padding=1), nn.MaxPool2d(2))))
    assert models.dilate(pooled, 32)(torch.rand(1, 3, 64, 64)).shape[-1] == 2
    says = "this backbone has a MaxPool2d beyond output stride 16; use another backbone.$"
    with pytest.raises(ValueError, match=says):
        models.dilate(pooled, 16)


# --- upsampling ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [1, 2, 3, 4, 5, 8, 32])
def test_bilinear_kernel_enlarges_as_interpolate_does_away_from_the_rim(stride):
    weight = models.bilinear_kernel(3, stride)
    size = 2 * stride - stride % 2
    assert weight.shape == (3, 3, size, size) and weight.dtype == torch.float32
    x = torch.rand(2, 3, 6, 5)
    ours = F.conv_transpose2d(x, weight, stride=stride, padding=stride // 2)
    theirs = F.interpolate(x, scale_factor=stride, mode="bilinear", align_corners=False)
    rim = -(-stride // 2)
    assert ours.shape == theirs.shape
    assert torch.allclose(ours[..., rim:-rim, rim:-rim], theirs[..., rim:-rim, rim:-rim], atol=1e-6)
    if stride > 1:
        assert ours[..., 0, :].sum() < 0.9 * theirs[..., 0, :].sum()  # and fades at it


def test_bilinear_kernel_of_the_paper():
    """Long's own formula, from the code published with the paper."""
    for size in (1, 4, 5, 9, 16, 32, 64):
        factor = (size + 1) // 2
        centre = factor - 1 if size % 2 else factor - 0.5
        y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
        theirs = (1 - (x - centre).abs() / factor) * (1 - (y - centre).abs() / factor)
        ours = models.bilinear_kernel(2, factor)
        assert torch.allclose(ours[0, 0], theirs) and torch.allclose(ours[1, 1], theirs)
        assert not ours[0, 1].any() and not ours[1, 0].any()


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (5, 7)])
def test_doubling_starts_as_bilinear_interpolation_at_the_rim_too(size):
    x = torch.rand(2, 3, *size)
    assert torch.allclose(Double(3)(x), F.interpolate(x, scale_factor=2, mode="bilinear"), atol=1e-6)


def test_enlarge_goes_step_by_step_and_cuts():
    x = torch.rand(2, 3, 3, 3)
    whole = F.interpolate(x, scale_factor=8, mode="bilinear")
    assert torch.equal(Enlarge(8)(x, (24, 24)), whole) and torch.equal(Enlarge(8)(x, (17, 20)), whole[..., :17, :20])
    steps = F.interpolate(F.interpolate(x, scale_factor=2, mode="bilinear"), scale_factor=4, mode="bilinear")
    assert torch.equal(Enlarge(2, 4)(x, (6, 6), (23, 24)), steps[..., :23, :])


# --- FCN ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stride, size", list(itertools.product((32, 16, 8), SIZES)))
def test_fcn_at_any_size(stride, size):
    net = models.FCN(classes=5, in_channels=2, base=2, stride=stride).eval()
    logits = net(torch.rand(2, 2, *size))
    assert logits.shape == (2, 5, *size) and logits.isfinite().all()


@pytest.mark.parametrize("stride", [32, 16, 8])
def test_fcn_is_scores_enlarged_and_added(stride):
    """Written out once more, with torch's functions alone, at weights that are not those of the start."""
    net = models.FCN(classes=4, base=4, stride=stride)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.05 * torch.randn_like(p))
    x = torch.rand(2, 3, 77, 96)
    with torch.no_grad():
        maps = warm(net).backbone(x)
        y = F.conv2d(maps[4], net.score.weight, net.score.bias)
        for level, fine in ((0, maps[3]), (1, maps[2])):
            h, w = fine.shape[-2:]
            if level < len(net.decoder):
                up, score = net.decoder[level].upsample, net.decoder[level].score
                padded = F.pad(y, (1, 1, 1, 1), mode="replicate")
                y = F.conv_transpose2d(padded, up.weight, stride=2)[..., 3 : 3 + h, 3 : 3 + w]
                y = y + F.conv2d(fine, score.weight, score.bias)
            else:
                y = F.interpolate(y, scale_factor=2, mode="bilinear")[..., :h, :w]
        y = F.interpolate(y, scale_factor=8, mode="bilinear")[..., :77, :96]
        assert torch.allclose(net(x), y, atol=1e-5)


@pytest.mark.parametrize("path", [(16,), (8,), (16, 8)])
def test_refine_starts_with_the_predictions_of_the_coarser_net(path):
    torch.manual_seed(0)
    net = warm(models.FCN(classes=4, base=4, stride=32))
    finer = net
    for stride in path:
        finer = models.refine(finer, stride)
        assert finer.stride == stride and not finer.training
    for size in SIZES:
        x = torch.rand(2, 3, *size)
        with torch.no_grad():
            assert torch.allclose(finer(x), net(x), atol=1e-6)
    assert not {p.data_ptr() for p in net.parameters()} & {p.data_ptr() for p in finer.parameters()}
    with torch.no_grad():
        before = net(x)
        for p in finer.parameters():
            p.add_(1.0)
        assert torch.equal(net(x), before)


def test_refine_keeps_what_a_trained_16s_has_learnt():
    torch.manual_seed(0)
    net = models.FCN(base=4, stride=16)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    for _ in range(3):
        optimizer.zero_grad()
        F.cross_entropy(net(torch.rand(4, 3, 40, 40)), torch.randint(3, (4, 40, 40))).backward()
        optimizer.step()
    finer, x = models.refine(net.double(), 8), torch.rand(2, 3, 50, 41, dtype=torch.float64)
    assert finer.training and finer.decoder[0].score.weight.abs().sum() > 0 and not finer.decoder[1].score.weight.any()
    assert torch.allclose(finer.eval()(x), net.eval()(x), atol=1e-12)


@pytest.mark.parametrize(
    "net, stride, message",
    [
        (
            models.FCN(base=2, stride=16),
            16,
            "refine makes a net of a finer stride, and this one has stride 16 already; give a stride below that.",
        ),
        (
            models.FCN(base=2, stride=8),
            16,
            "refine makes a net of a finer stride, and this one has stride 8 already; give a stride below that.",
        ),
        (models.FCN(base=2, stride=32), 4, "stride must be one of 16, 8, not 4."),
    ],
)
def test_refine_says_what_it_can_not_do(net, stride, message):
    with pytest.raises(ValueError) as error:
        models.refine(net, stride)
    assert str(error.value) == message


def test_a_backbone_that_is_given_is_the_one_used():
    classifier = models.Classifier(classes=7, in_channels=2, base=4)
    net = models.FCN(classes=3, stride=16, backbone=classifier.backbone)
    assert net.backbone is classifier.backbone
    assert net.eval()(torch.rand(1, 2, 50, 50)).shape == (1, 3, 50, 50)
    with torch.device("meta"):
        net = models.FCN(21, backbone=models.ResNetBackbone(torchvision.models.resnet50()))
    assert net.eval()(torch.rand(1, 3, 97, 64, device="meta")).shape == (1, 21, 97, 64)


# --- the classifier -----------------------------------------------------------------------------------------


def test_classifier_is_flatten_and_two_linear_layers_that_are_convolutions_too():
    torch.manual_seed(0)
    net = models.Classifier(classes=6, base=4, size=96, hidden=10).eval()
    first, last = net.head[1], net.head[3]
    x = torch.rand(2, 3, 96, 96)
    maps = net.backbone(x)[4]
    assert maps.shape == (2, 32, 3, 3) and first.weight.shape == (10, 32 * 9)
    hidden = F.conv2d(maps, first.weight.view(10, 32, 3, 3), first.bias).relu()
    scores = F.conv2d(hidden, last.weight[:, :, None, None], last.bias)
    assert torch.allclose(scores[..., 0, 0], net(x), atol=1e-6) and scores.shape == (2, 6, 1, 1)
    assert models.trace(net, (1, 3, 96, 96))[-1][1:5] == (6, 1, 1, models.count_parameters(net.head))


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: models.Classifier(3, size=100),
            "size must be a multiple of 32, not 100: the backbone halves it five times.",
        ),
        (lambda: models.Classifier(3, hidden=0), "hidden must be a whole number of at least 1, not 0."),
        (
            lambda: models.Classifier(3, base=2)(torch.rand(2, 3, 65, 64)),
            "The fully connected layers take images of 64x64, not 65x64: they have a weight for every place.",
        ),
        (lambda: models.FCN(stride=4), "stride must be one of 32, 16, 8, not 4."),
        (lambda: models.FCN(classes=-1), "classes must be a whole number of at least 1, not -1."),
        (lambda: models.FCN(base=2.0), "base must be a whole number of at least 1, not 2.0."),
        (lambda: models.Backbone(in_channels="3"), "in_channels must be a whole number of at least 1, not '3'."),
        (lambda: models.bilinear_kernel(3, 0), "stride must be a whole number of at least 1, not 0."),
        (
            lambda: models.FCN(base=2)(torch.rand(1, 3, 32, 20)),
            "One image of 32x20 leaves one cell in the coarsest map, too few for batch normalisation to train on; use "
            "a larger batch or image, or net.eval().",
        ),
    ],
)
def test_errors_are_sentences(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value) == message


def test_smallest_training_images():
    net = models.FCN(base=2)
    assert net(torch.rand(2, 3, 1, 1)).shape == (2, 3, 1, 1)
    assert net(torch.rand(1, 3, 33, 1)).shape == (1, 3, 33, 1)
