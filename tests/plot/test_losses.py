"""The pictures of losses: what they measure, and what they refuse."""

import re

import numpy as np
import pytest
import torch

from course_lib import losses, plot
from course_lib.plot import losses as losses_drawn


def test_the_pull_of_a_pixel_is_the_gradient_that_theory_gives():
    p, (plain, focal), (pull, focal_pull) = losses_drawn._by_probability((0, 2))
    assert np.allclose(plain, -np.log(p), atol=1e-5) and np.allclose(pull, 1 - p, atol=1e-5)
    assert np.allclose(focal, (1 - p) ** 2 * -np.log(p), atol=1e-5)
    assert np.allclose(focal_pull, (1 - p) ** 2 * (1 - p - 2 * p * np.log(p)), atol=1e-4)


def test_the_landscapes_are_drawn_once_and_say_what_they_show():
    figure = plot.landscapes(gammas=(2,))
    assert "Cross-entropy hardly sees small objects" in figure.alt
    assert [line.get_label() for line in figure.axes[0].lines] == ["cross-entropy", "focal, γ = 2"]


def scene():
    torch.manual_seed(0)
    truth = torch.randint(0, 3, (12, 16))
    truth[:, -3:] = 255
    return torch.rand(3, 12, 16), truth, torch.randn(3, 12, 16)


def test_maps_of_pull_are_shares_of_their_own_total_and_blank_where_nothing_is_labelled():
    image, truth, logits = scene()
    z = logits[None].requires_grad_()
    losses.cross_entropy(z, truth[None]).backward()
    size = z.grad[0].abs().sum(0)
    figure = plot.pulls(image, truth, {"one": size, "ten times": 10 * size}, ("a", "b", "c"))
    one, ten = (ax.images[0].get_array() for ax in figure.axes[2:4])
    assert np.allclose(one, ten) and one.sum() == pytest.approx(1, abs=1e-4)
    assert np.isnan(np.ma.filled(one, np.nan)[:, -3:]).all() and not size[:, -3:].any()
    assert f"{100 * (size[truth == 2].sum() / size.sum()):.0f} % of the pull on c pixels" in figure.alt


def test_a_map_of_another_shape_or_of_nothing_is_refused():
    image, truth, _ = scene()
    for bad in (torch.ones(4, 4), torch.zeros(12, 16), -torch.ones(12, 16)):
        with pytest.raises(ValueError, match="The map of x must be 12×16 sizes of at least 0, not all 0"):
            plot.pulls(image, truth, {"x": bad})


def test_the_weight_moves_the_pull_to_its_class_and_gamma_to_the_hard():
    _, truth, logits = scene()

    def shares(gamma, weight):
        return [int(v) for v in re.findall(r"(\d+) % of the pull", plot.focus(logits, truth, gamma, weight).alt)]

    plain, heavy, focal = shares(0, 1), shares(0, 20), shares(4, 1)
    assert heavy[0] > plain[0] + 20 and focal[1] > plain[1] and focal[2] <= plain[2]


def test_a_trade_off_leaves_out_what_is_not_a_number():
    nan = float("nan")
    figure = plot.trade_off({"a": (0.5, 0.5), "b": (nan, 0.1)}, [(0.1, 0.9), (nan, 1.0), (0.9, 0.1)], "curve")
    labels = [line.get_label() for line in figure.axes[0].lines if not line.get_label().startswith("_")]
    assert labels == ["curve", "a"]
    assert len(plot.loss_lines([0, 1, 2], {"x": [1, 2, 3]}, marks=(1,)).axes[0].lines) == 2
