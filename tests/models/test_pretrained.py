"""torchvision's models behind one interface, without a network: local checkpoint files, and downloads that fail."""

import io
import pathlib
import urllib.error

import pytest
import torch
import torch.nn.functional as F
import torchvision

from course_lib import models

pytestmark = pytest.mark.usefixtures("one_thread")


SMALL = "lraspp_mobilenet_v3_large"
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def theirs(name, **options):
    torch.manual_seed(5)
    return torchvision.models.get_model(name, weights=None, weights_backbone=None, **options).eval()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "small.pth"
    torch.save(theirs(SMALL, num_classes=21).state_dict(), path)
    return path


@pytest.mark.parametrize("kind", [str, pathlib.Path])
def test_a_local_checkpoint_predicts_as_torchvision_does(checkpoint, kind):
    net = models.pretrained(SMALL, kind(checkpoint), resize=False)
    x = torch.rand(2, 3, 70, 93)
    kept = x.clone()
    with torch.no_grad():
        expected = theirs(SMALL, num_classes=21)((x - MEAN) / STD)["out"]
        assert torch.allclose(net(x), expected, atol=1e-5)
    assert net(x).shape == (2, 21, 70, 93) and torch.equal(x, kept) and not net.training
    assert len(net.classes) == 21 and [net.classes[i] for i in (0, 8, 12)] == ["__background__", "cat", "dog"]
    assert net.classes == list(torchvision.models.get_model_weights(SMALL).DEFAULT.meta["categories"])


@pytest.mark.parametrize("size, inner", [((375, 500), (520, 693)), ((64, 64), (520, 520))])
def test_resize_is_that_of_the_weights_and_undone_on_the_logits(checkpoint, size, inner):
    net, seen = models.pretrained(SMALL, checkpoint), []
    net.net.register_forward_pre_hook(lambda m, i: seen.append(i[0]))
    x = torch.rand(1, 3, *size)
    with torch.no_grad():
        logits = net(x)
        assert seen[0].shape == (1, 3, *inner)
        assert torch.equal(seen[0], torchvision.models.get_model_weights(SMALL).DEFAULT.transforms()(x))
        inside = net.net(seen[0])["out"]
        assert torch.equal(logits, F.interpolate(inside, size=size, mode="bilinear", align_corners=False))


@pytest.mark.parametrize("name", ["fcn_resnet50", "deeplabv3_resnet50"])
def test_checkpoints_with_a_second_head_are_read_without_it(name, tmp_path):
    donor = theirs(name, num_classes=21, aux_loss=True)  # as the published ones are
    torch.save(donor.state_dict(), tmp_path / "net.pth")
    net = models.pretrained(name, tmp_path / "net.pth", resize=False)
    x = torch.rand(1, 3, 48, 33)
    with torch.no_grad():
        assert torch.allclose(net(x), donor((x - MEAN) / STD)["out"], rtol=1e-4, atol=1e-4)
    assert net.net.aux_classifier is None


def test_downloaded_weights_are_used(monkeypatch):
    state = theirs(SMALL, num_classes=21).state_dict()
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda url, **options: state)
    net = models.pretrained(SMALL)
    assert all(torch.equal(value, state[key]) for key, value in net.net.state_dict().items())


@pytest.mark.parametrize(
    "error, reason",
    [
        (urllib.error.URLError("Name or service not known"), r"\(Name or service not known\)"),
        (urllib.error.HTTPError("u", 403, "Forbidden", {}, io.BytesIO()), r"\(Forbidden\)"),
        (TimeoutError(), r"\(TimeoutError\)"),
        (RuntimeError('invalid hash value (expected "d2", got "ab")'), "invalid hash value"),
    ],
)
def test_no_network_is_told_in_one_line(monkeypatch, error, reason):
    def fails(url, **options):
        raise error

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fails)
    failed, instead = f"^The weights of {SMALL} could not be downloaded .*{reason}.*", "fetch https://.*pth where there"
    says = f"{failed}: {instead} is a network and give the file's path as weights"
    with pytest.raises(ConnectionError, match=says) as told:
        models.pretrained(SMALL)
    assert "\n" not in str(told.value)


def test_random_weights_need_no_network(monkeypatch):
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", None)
    torch.manual_seed(0)
    net = models.pretrained(SMALL, None, resize=False)
    torch.manual_seed(0)
    again = models.pretrained(SMALL, None, resize=False)
    x = torch.rand(1, 3, 64, 64)
    assert net(x).shape == (1, 21, 64, 64) and torch.equal(net(x), again(x))


def test_it_can_be_tuned_and_saved(checkpoint):
    net = models.pretrained(SMALL, checkpoint, resize=False).train()
    x = torch.rand(2, 3, 64, 64, requires_grad=True)
    F.cross_entropy(net(x), torch.randint(21, (2, 64, 64))).backward()
    assert x.grad.abs().sum() > 0 and all(p.grad is not None for p in net.parameters())
    assert net.double()(x.double()).dtype == torch.float64
    state = models.pretrained(SMALL, None).state_dict()
    net = models.pretrained(SMALL, checkpoint)
    net.load_state_dict(state)
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), state.values()))


def test_wrong_names_files_and_images_are_told_in_a_sentence(tmp_path, checkpoint):
    (tmp_path / "text.pth").write_text("not a checkpoint")
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save(theirs(SMALL, num_classes=3).state_dict(), tmp_path / "three.pth")
    for call, message in [
        (
            lambda: models.pretrained("fcn"),
            "name must be one of fcn_resnet50, deeplabv3_resnet50, lraspp_mobilenet_v3_large, not 'fcn'.",
        ),
        (
            lambda: models.pretrained(SMALL, "no/such.pth"),
            'There is no file no/such.pth: weights is "DEFAULT", None, or the path of a state_dict.',
        ),
        (
            lambda: models.pretrained(SMALL, tmp_path / "text.pth"),
            f"{tmp_path}/text.pth is not a state_dict; save one by torch.save(net.state_dict(), path).",
        ),
        (
            lambda: models.pretrained(SMALL, tmp_path / "list.pth"),
            f"{tmp_path}/list.pth holds a list, not a state_dict; save one by torch.save(net.state_dict(), path).",
        ),
        (
            lambda: models.pretrained(SMALL, tmp_path / "three.pth"),
            f"The weights in {tmp_path}/three.pth are not those of "
            f"torchvision's {SMALL} with 21 classes; give a state_dict that this model saved.",
        ),
        (
            lambda: models.pretrained(SMALL, checkpoint)(torch.rand(3, 9, 9)),
            "The network takes images as (B, 3, H, W), not (3, 9, 9); image[None] makes a batch of one image.",
        ),
        (
            lambda: models.merge(torch.rand(1, 3, 2, 2), [[0], []]),
            "Every group needs at least one channel, and one has none.",
        ),
    ]:
        with pytest.raises(ValueError) as error:
            call()
        assert str(error.value) == message


def test_merge_adds_probabilities():
    logits = 5 * torch.randn(2, 21, 4, 5)
    groups = [[0], [8, 12], [c for c in range(1, 21) if c not in (8, 12)]]
    merged, p = models.merge(logits, groups), logits.softmax(1)
    expected = torch.stack([p[:, group].sum(1) for group in groups], 1)
    assert torch.allclose(merged.softmax(1), expected, atol=1e-6)
