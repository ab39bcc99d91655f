"""The pictures of skips: small maps with their numbers, and predictions seen close."""

import io

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from PIL import Image

from course_lib import plot
from course_lib.plot import skips


def pixels(figure):
    with io.BytesIO() as file:
        figure.savefig(file, format="png")
        return np.asarray(Image.open(file).convert("RGB")).astype(int)


def area(figure, colour):
    """How many pixels of the picture have this colour."""
    return int((abs(pixels(figure) - np.round(np.array(to_rgb(colour)) * 255)).max(-1) <= 1).sum())


def texts(figure):
    return [t.get_text() for t in figure.findobj(matplotlib.text.Text) if t.get_text()]


def test_channels_writes_every_number_and_leaves_nan_empty():
    maps = {"a": torch.arange(8.0).reshape(2, 2, 2) - 4, "b": torch.tensor([[[0.5, float("nan")]]])}
    figure = plot.channels(maps, {"a": ["encoder", "decoder"]}, title="Two maps")
    seen = texts(figure)
    assert {"−4", "−1", "0", "3", "0.5"} <= set(seen) and "nan" not in seen
    assert {"a", "b", "Two maps", "from the encoder", "from the decoder"} <= set(seen)
    assert figure.alt == "Two maps: a, 2 × 2 × 2; b, 1 × 1 × 2."


def test_channels_frames_the_marked_cell_and_colours_by_kind():
    maps = {"a": torch.zeros(1, 2, 2)}
    plain, marked = plot.channels(maps), plot.channels(maps, marks={"a": [(0, 1, 1)]})
    assert area(plain, skips.VERMILLION) == 0 < area(marked, skips.VERMILLION)
    light = skips._light(skips.KINDS["encoder"])
    assert area(plot.channels(maps, {"a": ["encoder"]}), light) > area(plain, light) == 0


@pytest.mark.parametrize("shape", [(2, 2), (0, 2, 2), (1, 13, 13)])
def test_channels_says_which_map_does_not_fit(shape):
    with pytest.raises(ValueError, match="The map 'm' has shape"):
        plot.channels({"m": torch.zeros(shape)})


def test_closeup_counts_what_is_found_missed_and_falsely_found():
    image, truth = torch.full((1, 3, 8, 8), 0.5), torch.zeros(1, 8, 8, dtype=torch.long)
    truth[0, :4] = 1
    half = truth.clone()
    half[0, 2:4] = 0
    half[0, 7] = 1
    both = plot.closeup(image, truth, {"all": truth, "half": half}, title="Found")
    assert both.alt == "Found; of what is in view, all finds 100 %; half finds 50 %."
    whole = plot.closeup(image, truth, {"all": truth})
    assert area(plot.closeup(image, truth, {"half": half}), skips.MISSED) > 5 * area(whole, skips.MISSED)
    assert area(plot.closeup(image, truth, {"half": half}), skips.FALSE) > 3 * area(whole, skips.FALSE)


def test_closeup_zooms_into_a_box_and_refuses_other_sizes():
    image, truth = torch.rand(2, 3, 16, 16), torch.zeros(2, 16, 16, dtype=torch.bool)
    truth[:, :4] = True
    assert "100 %" in plot.closeup(image, truth, {"p": truth}, [(0, 0, 4), (0, 8, 8)]).alt
    assert "seen close" in texts(plot.closeup(image, truth, {"p": truth}, [(0, 0, 4), (0, 8, 8)]))
    with pytest.raises(ValueError):
        plot.closeup(image, truth[:, :8], {"p": truth})
