"""The pictures of who gets which label: what they show, pixel for pixel, and what they refuse."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from course_lib import data, plot
from course_lib.labels import IGNORE, ORANGE
from course_lib.plot.inks import WRONG

CLASSES = ("background", "cat", "dog")


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    yield
    assert plt.get_fignums() == []


def texts(figure):
    return " | ".join(t.get_text() for t in figure.findobj(matplotlib.text.Text))


def shown(figure):
    """The pixels that each axes of a figure shows on top."""
    return [np.asarray(ax.images[-1].get_array()) for ax in figure.axes if ax.images]


@pytest.fixture(scope="module")
def scene():
    return data.scenes("val", size=(80, 120), animals=(2, 4), target=("semantic", "instance", "boxes"))[15]


def test_five_tasks_answers_one_scene_five_times(scene):
    image, target = scene
    figure = plot.five_tasks(image, target, data.SEMANTIC)
    segmentations = (f"{kind} segmentation" for kind in ("semantic", "instance", "panoptic"))
    for task in ("classification", "detection", *segmentations):
        assert task in texts(figure)
    animals = len(target["boxes"]["labels"])
    boxes = [p for p in figure.findobj(matplotlib.patches.Rectangle) if p.get_linewidth() == 2 and not p.get_fill()]
    assert len(boxes) == animals and f"Detection: {animals} boxes" in figure.alt
    plain, _, semantic, instance, panoptic = shown(figure)[:5]
    assert np.allclose(plain, image.permute(1, 2, 0))
    animal = target["instance"].numpy() > 0
    assert not np.allclose(semantic, plain) and np.allclose(instance[animal], panoptic[animal])
    background = target["semantic"].numpy() == 0
    assert np.ptp(instance[background], axis=1).max() < 1e-6 and np.ptp(panoptic[background], axis=1).max() > 0.1


def test_panoptic_gives_things_of_one_class_other_shades_and_a_number_each():
    codes = torch.tensor([[0, 1001], [1002, IGNORE]]).repeat_interleave(30, 0).repeat_interleave(60, 1)
    figure = plot.panoptic(torch.zeros(3, 60, 120), codes, CLASSES)
    drawn = shown(figure)[0]
    assert not np.allclose(drawn[0, 119], drawn[59, 0]) and not np.allclose(drawn[0, 119], drawn[0, 0])
    assert all(name in texts(figure) for name in ("cat 1", "cat 2", "background", "not labelled"))
    assert figure.alt == "Panoptic map over image: background, cat 1, cat 2."


@pytest.mark.parametrize("code, says", [(3001, "holds 3001"), (-1, "holds -1")])
def test_panoptic_names_a_label_that_no_class_has(code, says):
    with pytest.raises(ValueError, match=says):
        plot.panoptic(torch.zeros(3, 4, 4), torch.full((4, 4), code), CLASSES)


def test_panoptic_wants_a_map_of_the_images_size():
    with pytest.raises(ValueError, match="resize both together"):
        plot.panoptic(torch.zeros(3, 4, 4), torch.zeros(4, 5, dtype=torch.int64), CLASSES)


def test_resized_marks_the_labels_that_blending_invents():
    mask = torch.zeros(8, 8, dtype=torch.int64)
    mask[:, 3:] = 2
    figure = plot.resized(mask, 4, "bilinear", CLASSES)
    assert figure.invented == 4 and "invented: 4 of 16 pixels (25.0 %)" in texts(figure)
    marked = shown(figure)[2]
    assert np.allclose(marked[:, 1], WRONG) and not np.allclose(marked[:, 0], WRONG)


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
@pytest.mark.parametrize("size", [3, 5, 16, (7, 20)])
def test_copying_modes_invent_nothing(mode, size):
    mask = torch.randint(0, 3, (11, 13), generator=torch.Generator().manual_seed(0))
    mask[:2] = IGNORE
    assert plot.resized(mask, size, mode, CLASSES).invented == 0


def test_resized_names_the_modes_that_there_are():
    with pytest.raises(ValueError, match="no mode 'cubic'; choose one of nearest, nearest-exact"):
        plot.resized(torch.zeros(4, 4, dtype=torch.int64), 2, "cubic")


def test_slid_puts_each_answer_at_the_middle_of_its_window():
    truth = torch.zeros(1, 64, 96, dtype=torch.int64)
    truth[0, 24:40, 40:56] = 1
    chances = torch.zeros(1, 3, 5)
    chances[0, 1, 2] = 0.9  # the window whose top left corner is at row 16, column 32
    figure = plot.slid(torch.zeros(1, 3, 64, 96), chances, truth, 32, 16)
    scene, score, answer, _ = figure.axes[:4]
    dots = next(c for c in scene.collections if len(c.get_offsets()) == 15)
    placed = zip(dots.get_offsets().tolist(), dots.get_facecolors())
    assert [xy for xy, colour in placed if np.allclose(colour[:3], ORANGE)] == [[47.0, 31.0]]
    window = next(p for p in scene.patches if not p.get_fill())
    assert (window.get_x(), window.get_y(), window.get_width()) == (32, 16, 31)
    for ax in (score, answer):
        left, right, bottom, top = ax.images[-1].get_extent()
        assert (left, right, top, bottom) == (7, 87, 7, 55)
    assert "animal at 7 % of them" in figure.alt
