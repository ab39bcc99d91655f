"""The marker task: one disc a scene, whose class only a marker far away tells."""

import pytest
import torch

from course_lib import data
from course_lib.data.markers import Markers


def test_a_scene_is_a_disc_and_a_marker_at_its_distance():
    images, masks = data.stack(Markers(length=60), 60)
    assert images.shape == (60, 3, 48, 48) and images.dtype == torch.float32 and masks.dtype == torch.int64
    assert images.min() >= 0 and images.max() <= 1
    for image, mask in zip(images, masks):
        disc = (mask != 255).nonzero().float()
        marker = ((image[0] - image[2]).abs() > 0.4).nonzero().float()
        assert len(disc) == 29 and len(marker) == 4
        assert 9 <= (disc.mean(0) - marker[0]).norm() <= 11
        label = mask[mask != 255].unique()
        assert len(label) == 1
        place = marker[0].int()
        assert (image[0, place[0], place[1]] < image[2, place[0], place[1]]) == bool(label)  # orange 0, blue 1
        assert image[:, mask != 255].unique().numel() == 1  # the disc itself tells nothing


def test_scenes_follow_from_seed_and_index():
    one, again, other = Markers(length=5)[3], Markers(length=9)[3], Markers(length=5, seed=1)[3]
    assert torch.equal(one[0], again[0]) and not torch.equal(one[0], other[0])
    assert [int(mask.min()) for _, mask in Markers(length=4)] == [0, 1, 0, 1]


def test_arguments_out_of_range():
    with pytest.raises(ValueError, match="at least 32 px, not 20"):
        Markers(size=20)
    with pytest.raises(IndexError, match="no scene 5"):
        Markers(length=5)[5]
