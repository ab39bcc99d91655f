"""Pictures of coarse scores: what they state is what metrics and torch say, and a wrong argument gets a sentence."""

import matplotlib
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from course_lib import metrics, plot

IMAGE = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))
TRUTH = torch.zeros(64, 64, dtype=torch.long)
TRUTH[9:41, 22:50] = 1
SHARE = F.avg_pool2d(TRUTH[None, None].float(), 16)
GROWN = F.interpolate(SHARE, scale_factor=16, mode="bilinear")[0, 0]
ANSWER = GROWN > 0.5


def texts(figure):
    return " | ".join(t.get_text() for t in figure.findobj(matplotlib.text.Text))


def tall_enough(figure):
    """No title touches another, none leaves the page."""
    figure.canvas.draw()
    boxes = [t.get_window_extent() for ax in figure.axes for t in [ax.title] if t.get_text()]
    boxes += [t.get_window_extent() for t in figure.texts]
    boxes += [figure._suptitle.get_window_extent()] if figure._suptitle else []
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert all(b.x0 >= 0 and b.y0 >= 0 and b.x1 <= figure.bbox.x1 and b.y1 <= figure.bbox.y1 for b in boxes)


def test_strides_states_both_scores_of_each_answer():
    answers = {"one": {16: ANSWER, 8: TRUTH}, "two": {16: ANSWER.long(), 8: TRUTH == 1}}
    figure = plot.strides(IMAGE, TRUTH, answers, title="A title")
    whole = metrics.Confusion(2).update(ANSWER.long(), TRUTH).iou[1]
    edges = metrics.boundary_iou(ANSWER.long(), TRUTH, 2, round(0.02 * 64 * 2**0.5))[1]
    assert texts(figure).count(f"stride 16\nIoU {whole:.2f}, edges {edges:.2f}") == 2
    assert f"one, stride 16: IoU {whole:.2f}, edges {edges:.2f}" in figure.alt
    assert texts(figure).count("stride 8\nIoU 1.00, edges 1.00") == 2
    tall_enough(figure)


def test_a_box_shows_that_part_alone():
    figure = plot.strides(IMAGE, TRUTH, {"one": {16: ANSWER}}, box=(8, 16, 40, 56))
    assert all(ax.get_xlim() == (15.5, 55.5) and ax.get_ylim() == (39.5, 7.5) for ax in figure.axes)


def test_coarse_scores_calls_what_is_above_zero():
    figure = plot.coarse_scores(IMAGE, TRUTH, SHARE[0, 0] - 0.5, GROWN - 0.5)
    whole = metrics.Confusion(2).update(ANSWER.long(), TRUTH).iou[1]
    assert f"enlarged: IoU {whole:.2f}" in texts(figure) and "4 × 4 scores for 64 × 64 pixels" in texts(figure)
    tall_enough(figure)


@pytest.mark.parametrize("stride", [2, 3, 4, 8])
def test_tents_add_up_to_bilinear_enlarging(stride):
    scores = torch.tensor([1.0, -2.0, 0.5, 3.0, 1.0])
    figure = plot.tents(stride, scores=scores)
    drawn = next(line for line in figure.axes[0].lines if line.get_label() == "sum").get_ydata()
    want = F.interpolate(scores[None, None], scale_factor=stride, mode="linear")[0, 0].numpy()
    assert np.allclose(drawn[stride:-stride], want[stride:-stride], atol=1e-6)
    tall_enough(figure)


def test_rungs_draws_each_line_at_its_values():
    scores = {"fitted": {32: (0.8, 0.25), 16: (0.9, 0.54)}, "trained": {32: (0.66, 0.13), 16: (0.7, 0.2)}}
    figure = plot.rungs(scores, "A title")
    for ax, k in zip(figure.axes, (0, 1)):
        values = [[v[k] for v in row.values()] for row in scores.values()]
        assert [list(line.get_ydata()) for line in ax.lines] == values
    assert "trained: stride 32 whole 0.66, edges 0.13" in figure.alt
    tall_enough(figure)


@pytest.mark.parametrize(
    "call, says",
    [
        (
            lambda: plot.strides(IMAGE, TRUTH, {"one": {16: ANSWER}, "two": {8: ANSWER}}),
            r"strides \[16\], in this order",
        ),
        (lambda: plot.strides(IMAGE, TRUTH, {"one": {16: ANSWER[:32]}}), "answer is 32×64, but its image is 64×64"),
        (lambda: plot.coarse_scores(IMAGE, GROWN, SHARE[0, 0], GROWN), "truth holds float32 values"),
    ],
)
def test_a_wrong_argument_gets_one_sentence(call, says):
    with pytest.raises(ValueError, match=says):
        call()
