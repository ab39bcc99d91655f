"""The pictures of scores: what they take, that their numbers are those of the metrics, and the frayed prediction."""

import matplotlib.pyplot as plt
import pytest
import torch

from course_lib import data, metrics, plot


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    yield
    assert plt.get_fignums() == []


@pytest.fixture(scope="module")
def scene():
    return data.scenes("val", size=64, target="semantic", animals=2)[3]


def text_of(figure):
    return [t.get_text() for ax in figure.axes for t in ax.texts]


@pytest.mark.parametrize("pixels", [0, 1, 150])
def test_ragged_makes_just_so_many_mistakes_and_all_near_a_boundary(scene, pixels):
    truth = scene[1]
    pred = metrics.ragged(truth, pixels)
    wrong = pred != truth
    assert int(wrong.sum()) == pixels and pred.dtype == torch.int64 and pred.shape == truth.shape
    assert not (wrong & ~metrics.near_boundary(truth, 3)).any() and set(pred.unique().tolist()) <= set(
        truth.unique().tolist()
    )
    assert torch.equal(pred, metrics.ragged(truth, pixels)) and (
        pixels < 2 or not torch.equal(pred, metrics.ragged(truth, pixels, seed=1))
    )


def test_ragged_says_where_there_is_no_room(scene):
    with pytest.raises(ValueError, match="5 pixels can't be changed: 0 lie within 3 px"):
        metrics.ragged(torch.zeros(16, 16, dtype=torch.int64), 5)


def test_rivals_states_the_scores_of_both(scene):
    image, truth = scene
    animals = [c for c in truth.unique().tolist() if c]
    lost = torch.where(truth == animals[0], 0, truth)
    frayed = metrics.ragged(truth, 40)
    figure = plot.rivals(image, truth, {"A": lost, "B": frayed}, data.SEMANTIC)
    for pred in (lost, frayed):
        scores = metrics.Confusion(6).update(pred, truth)
        wrong = f"{int((pred != truth).sum())} wrong pixels"
        assert f"{wrong}, accuracy {scores.accuracy:.3f} and mIoU {scores.miou:.3f}" in figure.alt
        assert f"{scores.miou:.3f}" in text_of(figure)
    with pytest.raises(ValueError, match="two predictions, not 1"):
        plot.rivals(image, truth, {"A": lost}, data.SEMANTIC)


def test_pairs_counts_as_the_confusion_matrix_does():
    truth, pred = torch.randint(0, 3, (2, 3, 4), generator=torch.Generator().manual_seed(1))
    figure = plot.pairs(pred, truth)
    assert str(metrics.confusion_matrix(pred, truth, 3).tolist()) in figure.alt
    assert len(text_of(figure)) == 12 + 12 + 9


def test_hits_counts_hits_misses_and_false_alarms(scene):
    image, mask = scene
    truth, pred = mask > 0, torch.roll(mask > 0, 3, 1)
    counts = [int(m.sum()) for m in (truth & pred, truth & ~pred, pred & ~truth)]
    for options in ({}, {"scores": {"IoU": 0.5, "Dice": float("nan")}}, {"edges": metrics.near_boundary(mask, 2)}):
        figure = plot.hits(image, truth, pred, **options)
        for count, name in zip(counts, ("hit", "missed", "false alarm")):
            assert f"{count} pixels {name}" in figure.alt
    assert {"0.500", "no value"} <= set(text_of(plot.hits(image, truth, pred, {"IoU": 0.5, "Dice": float("nan")})))


def test_curves_share_one_scale():
    lines = {"IoU": [1, 0.5], "Dice": [1, 0.7]}
    figure = plot.curves({"a": lines, "b": lines}, [0, 1], "shift")
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim() and "Dice from 1.00 to 0.70" in figure.alt


def test_ranking_names_the_best_first():
    figure = plot.ranking({"a": {"accuracy": 0.2}, "b": {"accuracy": 0.7}})
    assert "accuracy: b 0.700, a 0.200" in figure.alt
