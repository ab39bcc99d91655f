"""The widgets, driven without a browser: what a front end would send is set on the controls."""

import builtins
import importlib
import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from course_lib import plot, widgets

TRIMAP = ("pet", "background", "border")
IMAGE = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0))
MASK = torch.arange(256).reshape(16, 16) % 3
MASK[:3, :3] = 255
MAKE = {
    "overlay": lambda: widgets.overlay(IMAGE, MASK, TRIMAP),
    "overlay of several": lambda: widgets.overlay(
        torch.stack([IMAGE, 1 - IMAGE]), torch.stack([MASK, MASK.flip(0)]), TRIMAP
    ),
    "shape_tracer": lambda: widgets.shape_tracer(size=32, depth=2, base=4),
    "taps": widgets.taps,
}
# For each control, a value that must change the picture.
OTHER = {
    "opacity": 0.9,
    "scene": 1,
    "pet": False,
    "background": False,
    "border": False,
    "not labelled": False,
    "size": 64,
    "depth": 3,
    "base": 8,
    "upsample": "bilinear",
    "skip": "concat",
    "kernel": 5,
    "stride": 2,
    "dilation": 3,
    "layers": 3,
}


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    yield
    assert plt.get_fignums() == []


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


@pytest.mark.parametrize("name", MAKE)
def test_shows_live_still_and_in_words(name):
    live = MAKE[name]()
    data, metadata = live._repr_mimebundle_()
    assert set(data) == {"text/plain", "image/png", widgets.VIEW}
    assert data[widgets.VIEW]["model_id"] == live.box.model_id
    assert data["text/plain"] == repr(live) == metadata["image/png"]["alt"] and "\n" not in data["text/plain"]
    assert (pixels(data["image/png"]) == pixels(live.picture.value)).all()


@pytest.mark.parametrize("name", MAKE)
def test_every_control_redraws_the_picture(name):
    live = MAKE[name]()
    for setting, control in live.controls.items():
        assert control.description
        before, value = pixels(live.picture.value), control.value
        control.value = OTHER[setting]
        after = pixels(live.picture.value)
        assert after.shape != before.shape or (after != before).any(), setting
        assert live.settings[setting] == OTHER[setting]
        control.value = value
        assert (pixels(live.picture.value) == before).all(), setting


def test_without_its_callback_nothing_moves(monkeypatch):
    monkeypatch.setattr(widgets.Live, "_update", lambda self, change: None)
    live = MAKE["overlay"]()
    before = live.picture.value
    live.controls["opacity"].value = 0.9
    assert live.picture.value == before


def test_figure_gives_any_settings_and_leaves_the_controls():
    live = MAKE["overlay"]()
    still = live.figure(opacity=1, pet=False)
    assert live.controls["opacity"].value == 0.5 and "opacity 1" in still.alt
    wanted = plot.overlay(IMAGE, MASK, TRIMAP, 1, show=["background", "border", "not labelled"])
    assert (pixels(still.png()[0]) == pixels(wanted.png()[0])).all()
    with pytest.raises(
        ValueError, match="no setting 'colour'; there are opacity, pet, background, border, not labelled"
    ):
        live.figure(colour=3)


def test_an_error_takes_the_pictures_place_until_it_is_mended():
    live = widgets.shape_tracer(size=16, depth=4)
    live.controls["depth"].value = 6
    assert (
        live.picture.layout.display == "none"
        and "at least 64x64" in live.line.value
        and "clip-path" not in live.line.value
    )
    live.controls["size"].value = 128
    assert live.picture.layout.display == "" and "128 × 128" in live.line.value and "clip-path" in live.line.value


def test_overlay_names_what_does_not_fit():
    with pytest.raises(ValueError, match="2 images but 1 masks"):
        widgets.overlay(torch.stack([IMAGE] * 2), MASK[None], TRIMAP)
    with pytest.raises(ValueError, match="8×16"):
        widgets.overlay(IMAGE, MASK[:8], TRIMAP)
    assert "not labelled" not in widgets.overlay(IMAGE, MASK.clamp(max=2), TRIMAP).controls


def test_without_ipywidgets_the_still_picture_remains(monkeypatch):
    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name == "ipywidgets":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    bare = importlib.reload(widgets)
    try:
        live = bare.taps(kernel=3, dilation=4)
        data, _ = live._repr_mimebundle_()
        assert set(data) == {"text/plain", "image/png"} and "dilation 4" in data["text/plain"]
        assert "dilation 2" in live.figure(dilation=2).alt
    finally:
        monkeypatch.undo()
        importlib.reload(widgets)
