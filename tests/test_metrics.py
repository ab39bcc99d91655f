"""Counting and scores against counting in Python, torchmetrics and published definitions; the tool that times them."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.metrics import (
    Confusion,
    band_iou,
    best_scores,
    boundary_iou,
    confusion_matrix,
    distance_to_boundary,
    edge_width,
    errors_by_distance,
    invented,
    near_boundary,
    thin,
)
from tests.support.course import ROOT

quick = settings(max_examples=60, deadline=None)
SIGNED = torch.int8, torch.int16, torch.int32, torch.int64
DTYPES = SIGNED + (torch.uint8, torch.uint16, torch.uint32, torch.uint64)


def counted(pred, target, classes, ignore_index=255):
    """The matrix, by counting in Python."""
    matrix = torch.zeros(classes, classes, dtype=torch.int64)
    for p, t in zip(pred.flatten().tolist(), target.flatten().tolist()):
        if t != ignore_index:
            matrix[t, p] += 1
    return matrix


@st.composite
def maps(draw, most=6, ignore=(255,), sizes=(0, 7), images=True):
    """(pred, target, classes, ignore_index): int64 maps, any share of the target ignored, often few classes present."""
    classes, ignore_index = draw(st.integers(1, most)), draw(st.sampled_from(ignore))
    shape = tuple(draw(st.integers(*sizes)) for _ in range(3 if images else draw(st.integers(0, 4))))
    g = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    pred, target = (torch.randint(0, draw(st.integers(1, classes)), shape, generator=g) for _ in range(2))
    share = draw(st.sampled_from([0, 0, 0.3, 0.95, 1]))
    return pred, target.masked_fill(torch.rand(shape, generator=g) < share, ignore_index), classes, ignore_index


# --- counting -----------------------------------------------------------------------------------------------


@quick
@given(maps(ignore=(255, 254, 300, 3, 0, -1, -100, 65535, -(2**15)), images=False))
def test_the_matrix_against_counting(case):
    pred, target, classes, ignore_index = case
    kept = pred.clone(), target.clone()
    found = confusion_matrix(pred, target, classes, ignore_index)
    assert found.dtype == torch.int64 and torch.equal(found, counted(pred, target, classes, ignore_index))
    assert torch.equal(pred, kept[0]) and torch.equal(target, kept[1])


@quick
@given(maps(most=120), st.sampled_from(DTYPES), st.sampled_from(DTYPES))
def test_any_integer_dtypes_of_both(case, first, second):
    pred, target, classes, _ = case
    ignore_index = 255 if second != torch.int8 else -1
    target = target.masked_fill(target == 255, ignore_index)
    expected = counted(pred, target, classes, ignore_index)
    assert torch.equal(confusion_matrix(pred.to(first), target.to(second), classes, ignore_index), expected)


@pytest.mark.parametrize("classes", [2, 15, 16, 127, 128, 129, 255, 256, 1000])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_every_cell_where_the_narrow_integers_end(classes, dtype):
    labels = torch.arange(min(classes, 255 if dtype == torch.uint8 else 10**6)).to(dtype)
    labels = labels[labels != 255]
    pred = labels.flip(0)
    expected = torch.zeros(classes, classes, dtype=torch.int64)
    expected[labels.long(), pred.long()] = 1
    assert torch.equal(confusion_matrix(pred, labels, classes), expected)


def test_bool_maps_strided_maps_and_none():
    truth = torch.tensor([[True, False, False], [True, True, False]])
    assert confusion_matrix(truth, truth, 2).tolist() == [[3, 0], [0, 3]]
    pred, target = torch.arange(24).reshape(2, 3, 4) % 4, torch.arange(24).reshape(4, 3, 2).permute(2, 1, 0) % 4
    assert torch.equal(confusion_matrix(pred, target, 4), counted(pred, target, 4))
    some = pred[..., ::2], target[..., 1::2]
    assert torch.equal(confusion_matrix(*some, 4), counted(*some, 4))
    assert confusion_matrix(pred[:0], target[:0], 4).tolist() == torch.zeros(4, 4).tolist()
    assert confusion_matrix(pred, torch.full_like(pred, 255), 4).sum() == 0


def test_uint8_does_not_overflow():
    truth = torch.arange(19, dtype=torch.uint8).repeat(40)
    naive = Confusion(19)
    naive.matrix = torch.bincount(truth * 19 + truth, minlength=361).reshape(19, 19)
    assert naive.miou < 0.6 and Confusion(19).update(truth, truth).miou == 1


@quick
@given(maps(sizes=(1, 7)), st.data())
def test_what_is_out_of_range_raises_and_is_never_misfiled(case, data):
    pred, target, classes, _ = case
    dtype = data.draw(st.sampled_from([torch.int16, torch.int64, torch.uint8]))
    wrong = data.draw(
        st.sampled_from([-32768, -1, classes, classes + 1, 254, 256, 32767, 2**40, 2**32, 2**62, -(2**62)])
    )
    wrong = int(torch.tensor(wrong).to(dtype))  # what that dtype makes of it
    place = tuple(data.draw(st.integers(0, n - 1)) for n in pred.shape)
    broken = pred.clone().to(dtype), target.clone().to(dtype)
    broken[0][place] = wrong
    if not 0 <= wrong < classes:
        if target[place] == 255:  # there a prediction has no say
            assert torch.equal(confusion_matrix(broken[0], target, classes), counted(pred, target, classes))
        else:
            with pytest.raises(ValueError, match=f"The prediction holds class {wrong}, and {classes} classes are 0 to"):
                confusion_matrix(broken[0], target, classes)
        broken[1][place] = wrong
        if wrong != 255:
            with pytest.raises(ValueError, match=f"The masks hold label {wrong}, and {classes} classes are 0 to .*255"):
                confusion_matrix(pred, broken[1], classes)


def test_an_int8_of_minus_one_is_not_255():
    zero = torch.zeros(2, 2, dtype=torch.int8)
    for pred, what in ((zero, "masks hold label -1"), (zero - 1, "prediction holds class -1")):
        with pytest.raises(ValueError, match=what):
            confusion_matrix(pred, zero - 1 - pred, 2)
    with pytest.raises(ValueError, match="masks hold label 156"):
        confusion_matrix(zero, torch.full((2, 2), 156, dtype=torch.uint8), 2, ignore_index=-100)


def test_errors_are_one_sentence():
    truth = torch.zeros(2, 4, 4, dtype=torch.int64)
    for call, message in (
        (lambda: confusion_matrix(truth[0], truth, 2), r"Prediction \(4, 4\) and truth \(2, 4, 4\) must have the"),
        (lambda: confusion_matrix(truth / 2, truth, 2), r"torch.float32 of shape \(2, 4, 4\); use logits.argmax"),
        (lambda: confusion_matrix(truth, truth.float(), 2), "The truth must hold whole numbers"),
        (lambda: confusion_matrix(truth, truth, 2, ignore_index=2**20), "from -32768 to 65535, not 1048576"),
        (lambda: Confusion(0), "classes must be a whole number of at least 1, not 0"),
        (lambda: Confusion(2) + Confusion(3), "of 2 and of 3 classes can't be added"),
        (lambda: near_boundary(truth, 0), "width must be a whole number of pixels of at least 1, not 0"),
        (lambda: band_iou(truth + 2, truth, 2, 1), "prediction holds class 2"),
        (lambda: boundary_iou(truth + 2, truth, 2, 1), "prediction holds class 2"),
        (lambda: boundary_iou(truth, truth - 1, 2, 1), "masks hold label -1"),
        (lambda: thin(truth), "must be bool, such as mask == 0, not torch.int64"),
    ):
        with pytest.raises(ValueError, match=message) as error:
            call()
        assert "\n" not in str(error.value)


# --- scores -------------------------------------------------------------------------------------------------


@quick
@given(maps(sizes=(0, 6)))
def test_scores_against_torchmetrics(case):
    pred, target, classes, _ = case
    from torchmetrics.functional import classification as reference

    scores, labelled = Confusion(classes).update(pred, target), target != 255
    settings = dict(num_classes=max(classes, 2), ignore_index=255)  # it refuses a single class
    if not labelled.any():
        assert math.isnan(scores.miou) and math.isnan(scores.accuracy) and scores.iou.isnan().all()
        return
    pairs = (
        (scores.iou, reference.multiclass_jaccard_index),
        (scores.dice, reference.multiclass_f1_score),
        (scores.class_accuracy, reference.multiclass_accuracy),
    )
    for ours, theirs in pairs:
        theirs = theirs(pred, target, average="none", **settings)[:classes]
        # where there is nothing to divide by, theirs is 0 (or, for a class in neither, NaN)
        assert torch.allclose(ours.nan_to_num(0), theirs.double().nan_to_num(0), atol=1e-6)
    assert scores.miou == pytest.approx(reference.multiclass_jaccard_index(pred, target, **settings).item(), abs=1e-6)
    micro = reference.multiclass_accuracy(pred, target, average="micro", **settings)
    assert scores.accuracy == pytest.approx(micro.item(), abs=1e-6)
    there, called = ({int(v) for v in x[labelled]} for x in (target, pred))
    nowhere = [c not in there | called for c in range(classes)]
    assert scores.iou.isnan().tolist() == scores.dice.isnan().tolist() == nowhere
    assert scores.class_accuracy.isnan().tolist() == [c not in there for c in range(classes)]
    assert torch.allclose(scores.dice, 2 * scores.iou / (1 + scores.iou), equal_nan=True)


@quick
@given(maps(), st.randoms())
def test_streaming_is_the_whole_in_any_order(case, random):
    pred, target, classes, _ = case
    whole, parts, order = Confusion(classes).update(pred, target), Confusion(classes), list(range(len(pred)))
    random.shuffle(order)
    for i in order:
        assert parts.update(pred[i].to(torch.uint8), target[i]) is parts
    half = len(order) // 2
    sum_ = Confusion(classes).update(pred[:half], target[:half]) + Confusion(classes).update(pred[half:], target[half:])
    assert torch.equal(parts.matrix, whole.matrix) and torch.equal(sum_.matrix, whole.matrix)
    assert repr(sum_) == repr(whole)
    parts.reset()
    assert parts.matrix.sum() == 0 and parts.update(pred, target).matrix.equal(whole.matrix)


def test_an_error_leaves_the_matrix_as_it_was():
    scores = Confusion(2, names=("ground", "disc")).update(torch.tensor([0, 1, 1, 1]), torch.tensor([0, 0, 1, 255]))
    for bad in (2, -1):
        with pytest.raises(ValueError):
            scores.update(torch.tensor([1, bad]), torch.tensor([1, 1]))
    assert scores.matrix.tolist() == [[1, 1], [0, 1]]
    assert repr(scores) == repr(scores + Confusion(2)) == "mIoU 0.500 (ground 0.50, disc 0.50), accuracy 0.667"


def test_a_false_alarm_of_an_absent_class_counts():
    truth = torch.tensor([0, 1]).repeat_interleave(36)
    pred = truth.clone()
    pred[[0, 1, 40, 41]] = 2
    scores = Confusion(19).update(pred, truth)
    assert scores.iou[:2].mean().item() == pytest.approx(0.944, abs=5e-4)  # over classes of the truth only
    assert scores.miou == pytest.approx(0.630, abs=5e-4) and scores.iou[2] == 0 and scores.iou[3:].isnan().all()


def test_frequent_classes_pull_up_accuracy_and_not_miou():
    truth = torch.arange(1, 19).repeat_interleave(67)
    truth = torch.cat([truth, torch.zeros(len(truth) * 33 // 67, dtype=torch.int64)])
    road = Confusion(19).update(torch.zeros_like(truth), truth)
    assert road.accuracy == pytest.approx(0.33, abs=1e-3) and road.miou == pytest.approx(0.33 / 19, abs=1e-4)
    dead = truth.where(truth < 2, 2 + (truth - 1) % 17)
    assert Confusion(19).update(dead, truth).miou == pytest.approx(2 / 19)


def test_the_mean_over_images_is_another_number():
    truth = torch.zeros(2, 4, 4, dtype=torch.int64)
    truth[0, 0, 0], truth[1, :2] = 1, 1
    pred = truth.clone()
    pred[0, 0, 0] = 0
    each = [Confusion(2).update(p, t).miou for p, t in zip(pred, truth)]
    assert sum(each) / 2 == pytest.approx((15 / 16 / 2 + 1) / 2) and Confusion(2).update(
        pred, truth
    ).miou == pytest.approx((23 / 24 + 8 / 9) / 2)


# --- boundaries ---------------------------------------------------------------------------------------------


def brute_distance(mask, cap):
    height, width = mask.shape
    out = torch.zeros_like(mask)
    labelled = [(y, x) for y in range(height) for x in range(width) if mask[y, x] != 255]
    for y, x in labelled:
        others = [max(abs(y - v), abs(x - u)) for v, u in labelled if mask[v, u] != mask[y, x]]
        out[y, x] = min([cap, *others])
    return out


@pytest.mark.parametrize("case", range(6))
def test_distance_against_searching(case):
    g = torch.Generator().manual_seed(case)
    coarse = torch.randint(0, 3, (1, 3, 4), generator=g)
    mask = coarse.repeat_interleave(4, 1).repeat_interleave(3, 2)
    if case % 2:
        mask[torch.rand(mask.shape, generator=g) < 0.3] = 255
    if case == 4:
        mask[:, :, 3:8] = 255  # classes apart, with nothing but unlabelled pixels between
    kept = mask.clone()
    for cap in (1, 3, 8):
        found = distance_to_boundary(mask, cap)
        assert found.dtype == torch.int64 and torch.equal(mask, kept)
        assert torch.equal(found, torch.stack([brute_distance(m, cap) for m in mask]))
        assert torch.equal(distance_to_boundary(mask[0], cap), found[0])


def test_distance_from_one_straight_edge():
    mask = torch.zeros(5, 9, dtype=torch.int64)
    mask[:, 4:] = 1
    assert distance_to_boundary(mask)[2].tolist() == [4, 3, 2, 1, 1, 2, 3, 4, 5]
    assert distance_to_boundary(mask, cap=3)[0].tolist() == [3, 3, 2, 1, 1, 2, 3, 3, 3]
    assert (distance_to_boundary(torch.zeros_like(mask)) == 16).all()


def test_errors_by_distance():
    truth = torch.zeros(1, 8, 8, dtype=torch.int64)
    truth[:, :, 4:] = 1
    pred = truth.clone()
    pred[:, :, 4] = 0  # the edge one pixel too far right: half of the pixels at distance 1
    pred[:, 0, 0] = 1  # one of 16 at distance 4
    rates = errors_by_distance(pred, truth, cap=6)
    assert rates.shape == (7,) and rates[0].isnan() and rates[5:].isnan().all()
    assert rates[1:5].tolist() == pytest.approx([0.5, 0, 0, 1 / 16])
    assert errors_by_distance(pred, truth, cap=3)[1:].tolist() == pytest.approx([0.5, 0, 1 / 32])

    truth[:, :, 4] = 255  # unlabelled pixels are never wrong
    assert errors_by_distance(pred, truth, cap=6)[1:4].nansum() == 0
    assert errors_by_distance(pred[0], truth[0]).shape == (17,)
    with pytest.raises(ValueError, match=r"Prediction \(1, 8, 8\) and truth \(8, 8\) must have the same shape."):
        errors_by_distance(pred, truth[0])


@quick
@given(maps(), st.integers(1, 6))
def test_near_a_boundary(case, width):
    _, target, _, _ = case
    distance = distance_to_boundary(target, 16)
    near = near_boundary(target.to(torch.uint8), width)
    assert near.dtype == torch.bool and torch.equal(near, (distance > 0) & (distance <= width))
    other = near_boundary(target.masked_fill(target == 255, -100), width, ignore_index=-100)
    assert torch.equal(near, other)


@quick
@given(maps(), st.integers(1, 4))
def test_iou_in_the_band(case, width):
    pred, target, classes, _ = case
    found = band_iou(pred.to(torch.int8), target.to(torch.int16), classes, width)
    near = torch.zeros_like(target, dtype=torch.bool)
    for i, mask in enumerate(target):
        near[i] = (brute_distance(mask, width + 1) <= width) & (mask != 255)
    expected = Confusion(classes).update(pred[near], target[near]).iou
    assert found.dtype == torch.float64 and torch.equal(found.nan_to_num(-1), expected.nan_to_num(-1))
    assert torch.equal(band_iou(pred, target.where(near, 255), classes, 99).nan_to_num(-1), expected.nan_to_num(-1))


def published_boundary(mask, width):
    """The inner edge of a 0/1 mask as the authors' mask_to_boundary has it: padded by one zero, eroded `width` times.

    (By 3x3; cv2.erode's own border is larger than any value, so beyond the padding nothing is eroded.)
    """
    padded = np.pad(mask.astype(float), 1)
    for _ in range(width):
        around = np.pad(padded, 1, constant_values=np.inf)
        padded = np.lib.stride_tricks.sliding_window_view(around, (3, 3)).min((2, 3))
    return mask & ~(padded[1:-1, 1:-1] > 0)


@quick
@given(maps(most=4, sizes=(1, 12)), st.integers(1, 5))
def test_boundary_iou_against_the_published_definition(case, width):
    pred, target, classes, _ = case
    target = target % 255 % classes  # none ignored: of those the paper says nothing
    found = boundary_iou(pred.to(torch.uint8), target, classes, width)
    for c in range(classes):
        edges = [[published_boundary(m == c, width) for m in x.numpy()] for x in (pred, target)]
        both, either = np.logical_and(*edges).sum(), np.logical_or(*edges).sum()
        assert found[c].item() == pytest.approx(both / either if either else math.nan, nan_ok=True)


@quick
@given(maps(), st.integers(1, 4))
def test_boundary_iou_with_ignored_pixels(case, width):
    pred, target, classes, _ = case
    iou = Confusion(classes).update(pred, target).iou
    # as deep as the image, the edge is the whole mask (unless ignored pixels keep it from the border)
    if not (target == 255).any():
        assert torch.equal(boundary_iou(pred, target, classes, 99).nan_to_num(-1), iou.nan_to_num(-1))
    perfect = boundary_iou(target, target, classes, width)
    assert ((perfect == 1) | perfect.isnan()).all()
    here = boundary_iou(pred, target, classes, width)
    noise = pred.where(target != 255, torch.randint_like(pred, classes))
    assert torch.equal(here.nan_to_num(-1), boundary_iou(noise, target, classes, width).nan_to_num(-1))
    swapped = target.masked_fill(target == 255, -1)
    assert torch.equal(here.nan_to_num(-1), boundary_iou(pred, swapped, classes, width, ignore_index=-1).nan_to_num(-1))
    if classes > 1:  # ignoring one of the classes
        zero = boundary_iou(pred, target.masked_fill(target == 255, 0), classes, width, ignore_index=0)
        void = boundary_iou(pred, target.masked_fill(target == 0, 255), classes, width)
        assert torch.equal(zero.nan_to_num(-1), void.nan_to_num(-1))


def test_boundary_iou_sees_an_edge_that_iou_hardly_sees():
    truth = torch.zeros(1, 64, 64, dtype=torch.int64)
    truth[:, 8:56, 8:56] = 1
    pred = torch.zeros_like(truth)
    pred[:, 9:57, 9:57] = 1
    assert Confusion(2).update(pred, truth).iou[1] > 0.9 > 0.5 > boundary_iou(pred, truth, 2, 2)[1]
    ignored = truth.clone()
    ignored[:, 8:56, 30:34] = 255  # a gap without labels is no edge
    assert torch.equal(near_boundary(ignored, 3), near_boundary(truth, 3) & (ignored != 255))


@quick
@given(st.integers(1, 7), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**31))
def test_thin_against_trying_every_square(size, height, width, seed):
    holes = (0.02, 0.1, 0.3)[seed % 3]
    region = torch.rand(2, height, width, generator=torch.Generator().manual_seed(seed)) > holes
    before = size // 2
    for mask, found in zip(region, thin(region, size)):
        grown = np.pad(mask.numpy(), (before, size - 1 - before), mode="edge")
        thick = np.zeros_like(grown)
        for y in range(height):
            for x in range(width):
                if grown[y : y + size, x : x + size].all():
                    thick[y : y + size, x : x + size] = True
        thick = thick[before : before + height, before : before + width]
        assert np.array_equal(found.numpy(), mask.numpy() & ~thick)
        assert torch.equal(thin(mask, size), found)


def test_thin_parts_of_a_body_with_a_leg():
    body = torch.zeros(40, 40, dtype=torch.bool)
    body[5:20, :30] = True  # cut by the image's border, and not thin there
    body[20:40, 10:14] = True  # a leg 4 px wide
    found = thin(body)
    assert found[20:, 10:14].all() and found.sum() == 80 and not thin(body, 4).any() and not thin(body[:0]).any()


def test_edges_are_two_percent_of_the_diagonal_deep():
    assert [edge_width(size) for size in ((128, 128), (64, 64), (96, 128), (8, 8))] == [4, 2, 3, 1]


def test_a_label_is_invented_where_none_of_its_kind_is_near():
    mask = torch.zeros(8, 8, dtype=torch.int64)
    mask[:, 4:] = 2
    small = torch.tensor([[0, 1], [2, 2]])  # 2 at the lower left is a pixel away from the mask's twos
    assert invented(mask, small).tolist() == [[False, True], [False, False]]
    assert invented(mask, small.flip(1)).tolist() == [[True, False], [False, False]]
    assert not invented(mask, mask).any()


def test_fitted_scores_put_an_outline_inside_a_cell():
    """A coast that crosses the cells: block majorities have stairs, smoothly enlarged scores follow most of it."""
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    masks = torch.stack([columns > 0.4 * rows + 13, (rows - 30) ** 2 + (columns - 35) ** 2 < 20**2]).byte()
    iou = {}
    for mode in ("bilinear", "nearest"):
        scores, enlarged = best_scores(masks, 16, mode=mode)
        assert scores.shape == (2, 4, 4)
        assert torch.equal(enlarged, torch.nn.functional.interpolate(scores[:, None], scale_factor=16, mode=mode)[:, 0])
        iou[mode] = Confusion(2).update((enlarged > 0).byte(), masks).iou[1]
    assert iou["bilinear"] > 0.96 and iou["nearest"] < 0.9
    # by brute force: no blocks do better than the best of all 2 ** 16 sets of cells
    share = torch.nn.functional.avg_pool2d(masks[1:].float(), 16).flatten()
    sets = (torch.arange(2**16)[:, None] >> torch.arange(16) & 1).float()
    best = (sets @ share / (share.sum() + sets.sum(1) - sets @ share)).max()
    found = best_scores(masks[1:], 16, mode="nearest")[1] > 0
    assert best - 0.02 < Confusion(2).update(found.byte(), masks[1:]).iou[1] <= best + 1e-6


def test_fitted_scores_of_masks_that_are_empty_full_or_do_not_fit():
    masks = torch.stack([torch.zeros(16, 24), torch.ones(16, 24)]).bool()
    scores, enlarged = best_scores(masks, 8)
    assert torch.equal(enlarged > 0, masks) and scores.isfinite().all()
    with pytest.raises(ValueError, match="10 x 16"):
        best_scores(torch.ones(1, 10, 16), 8)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu():
    g = torch.Generator().manual_seed(0)
    pred, target = (torch.randint(0, 19, (2, 64, 64), generator=g) for _ in range(2))
    target[:, :9] = 255
    there = confusion_matrix(pred.cuda(), target.cuda(), 19)
    assert there.is_cuda and torch.equal(there.cpu(), confusion_matrix(pred, target, 19))
    scores = Confusion(19).update(pred.cuda(), target.cuda()).update(pred, target)
    assert torch.equal(scores.matrix, 2 * there.cpu())
    for score in (band_iou, boundary_iou):
        assert torch.equal(score(pred.cuda(), target.cuda(), 19, 2), score(pred, target, 19, 2))
    assert torch.equal(thin((target > 3).cuda(), 3).cpu(), thin(target > 3, 3))


# --- the benchmark ------------------------------------------------------------------------------------------


def test_the_benchmark_runs():
    tool = [sys.executable, str(ROOT / "tools" / "bench_metrics.py"), "--shape", "1", "16", "16", "--rounds", "1"]
    done = subprocess.run(tool, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0 and not done.stderr, done.stderr
    rows = [line for line in done.stdout.splitlines() if " int64 " in line or " uint8 " in line]
    assert len(rows) == 16 and "torchmetrics" in done.stdout
