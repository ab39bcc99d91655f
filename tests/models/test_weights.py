"""The weights that the package ships: small, made by the recipes, whole, and good for what the lesson says of them."""

import importlib.util

import pytest
import torch

from course_lib import data, metrics, models
from tests.support.course import ROOT


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("train_checkpoints", ROOT / "tools" / "train_checkpoints.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_is_one_small_file_for_each_recipe(tool):
    assert sorted(tool.RECIPES) == models.shipped()
    assert all(file.stat().st_size < 300_000 for file in tool.FOLDER.glob("*.npz"))


def test_a_recipe_trains_the_network_that_its_file_fits(tool, monkeypatch, tmp_path):
    """With one step in place of its many; the whole recipe is the tool's own command."""
    asked = []

    def fit(net, scenes, **settings):
        asked.append((len(scenes), settings["steps"]))

    monkeypatch.setattr(tool, "FOLDER", tmp_path)
    monkeypatch.setattr(tool.train, "fit", fit)
    for name, recipe in tool.RECIPES.items():
        net = recipe()
        tool.save(name, net)
        assert {k: v.shape for k, v in net.state_dict().items()} == {
            k: v.shape for k, v in models.weights(name).items()
        }
        assert (tmp_path / f"{name}.npz").exists()
    assert asked == [(12000, 2400)] * 2


def test_weights_come_as_float32_and_an_unknown_name_is_told():
    state = models.weights("unet_skips")
    floats = [v for v in state.values() if v.is_floating_point()]
    assert floats and all(v.dtype == torch.float32 and v.isfinite().all() for v in floats)
    assert all(int(v) == 2400 for name, v in state.items() if name.endswith("num_batches_tracked"))
    with pytest.raises(ValueError, match="no weights 'unet'; there are unet_closed, unet_skips"):
        models.weights("unet")


def test_the_shipped_networks_find_animals():
    images, truth = data.stack(data.scenes("val", 64, target="instance"), 40)
    for name, skip in (("unet_skips", "concat"), ("unet_closed", "zero")):
        net = models.UNet(classes=2, base=8, depth=3, skip=skip)
        net.load_state_dict(models.weights(name))
        with torch.no_grad():
            found = net.eval()(images).argmax(1)
        assert metrics.confusion_matrix(found, truth, 2).diagonal().sum() > 0.88 * truth.numel()
