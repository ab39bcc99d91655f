"""What a stack of dilated layers sees: counted, measured by gradient, and drawn."""

import pytest
import torch
import torch.nn.functional as F

from course_lib import models, plot

SHARES = {
    (1, 2, 4, 8): 1.0,
    (1, 3, 9): 1.0,
    (2, 3): 0.67,
    (2, 4, 8): 0.27,
    (1, 8): 0.22,
    (4, 4): 0.09,
    (3, 3, 3, 6): 0.13,
}


@pytest.mark.parametrize("rates", [*SHARES, (1,), ()])
def test_paths_are_those_of_a_gradient(rates):
    side = 1 + 2 * sum(rates)
    row = torch.ones(1, 1, side, requires_grad=True)
    out = row
    for rate in rates:
        out = F.conv1d(out, torch.ones(1, 1, 3), padding=rate, dilation=rate)
    out[0, 0, side // 2].backward()
    ways = models.paths(rates)
    assert ways.tolist() == row.grad[0, 0].tolist()
    if rates in SHARES:
        assert round((ways > 0).mean() ** 2, 2) == SHARES[rates]


def test_seen_is_cut_at_the_pictures_rim():
    whole = models.seen([3, 3], (21, 25), 10, 12)
    assert whole.sum() == 25 and whole[10, 12] and whole[4, 18] and not whole[10, 13]
    corner = models.seen([3, 3], (21, 25), 0, 24)
    assert corner.sum() == 9 and corner[0, 24] and corner[6, 18]


def test_the_picture_says_field_and_share():
    figure = plot.coverage([[1], [1, 2], [3, 3, 3, 6]], "Fields")
    assert "rates 1, 2: field 7, all of it seen" in figure.alt and "field 31, 12.6 % seen" in figure.alt
    panels = figure.axes
    assert len(panels) == 3 and len({p.get_xlim() for p in panels}) == 1  # one scale
    assert panels[1].get_title() == "rates 1, 2\nfield 7: all of it seen"


@pytest.mark.parametrize(
    "stacks, word", [([], "one or more"), ([[60, 61]], "at most 120"), ([[0]], "not 0"), ([[1.5]], "not 1.5")]
)
def test_what_cannot_be_drawn_is_said_in_a_sentence(stacks, word):
    with pytest.raises(ValueError, match=word):
        plot.coverage(stacks)
