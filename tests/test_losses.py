"""The losses: values and gradients against torch, torchvision and segmentation-models-pytorch, and on edge cases."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import sigmoid_focal_loss

from course_lib.losses import ce_dice, class_weights, cross_entropy, dice_loss, focal_loss

LOSSES = {
    "cross_entropy": cross_entropy,
    "dice": dice_loss,
    "dice, all counted": lambda *a, **k: dice_loss(*a, absent="count", **k),
    "dice, no smooth": lambda *a, **k: dice_loss(*a, smooth=0.0, **k),
    "dice, no smooth, all counted": lambda *a, **k: dice_loss(*a, smooth=0.0, absent="count", **k),
    "focal": focal_loss,
    "focal 0": lambda *a, **k: focal_loss(*a, gamma=0, **k),
    "focal 0.5": lambda *a, **k: focal_loss(*a, gamma=0.5, **k),
    "focal 5": lambda *a, **k: focal_loss(*a, gamma=5.0, **k),
    "ce_dice": ce_dice,
}
WEIGHTED = {"cross_entropy": cross_entropy, "focal": focal_loss}
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
quick = settings(max_examples=40, deadline=None)


def gradient(loss, logits, target, **kwargs):
    """(value, gradient) of a loss."""
    logits = logits.detach().clone().requires_grad_()
    value = loss(logits, target, **kwargs)
    assert value.shape == () and value.isfinite()
    return value.detach(), torch.autograd.grad(value, logits)[0]


def agree(ours, theirs, tolerance=1e-5):
    for a, b in zip(ours, theirs):
        assert torch.allclose(a, b, rtol=tolerance, atol=tolerance), (a, b)


@st.composite
def batches(draw, scales=(0.1, 1, 5, 30), shares=(0, 0.3, 0.9)):
    """(logits, target) with some pixels ignored and, often, classes absent; at least one pixel is labelled."""
    b, c, h, w = (draw(st.integers(1, n)) for n in (3, 6, 7, 7))
    g = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    logits = draw(st.sampled_from(scales)) * torch.randn(b, c, h, w, generator=g)
    target = torch.randint(0, draw(st.integers(1, c)), (b, h, w), generator=g)
    target[torch.rand(target.shape, generator=g) < draw(st.sampled_from(shares))] = 255
    target[0, 0, 0] = draw(st.integers(0, c - 1))
    return logits, target


def some(seed=0, classes=4, shape=(2, 6, 5), dtype=torch.float32):
    g = torch.Generator().manual_seed(seed)
    target = torch.randint(0, classes, shape, generator=g)
    target[:, 0, :3] = 255
    return 2 * torch.randn(shape[0], classes, *shape[1:], generator=g, dtype=dtype), target


# --- against references -------------------------------------------------------------------------------------


@quick
@given(batches(), st.booleans())
def test_cross_entropy_is_torchs(batch, weighted):
    logits, target = batch
    weight = torch.linspace(0.2, 3, logits.shape[1]) if weighted else None
    agree(
        gradient(cross_entropy, logits, target, weight=weight),
        gradient(F.cross_entropy, logits, target, weight=weight, ignore_index=255),
    )


@quick
@given(batches(scales=(0.1, 1, 3)), st.sampled_from([0, 0.5, 1, 2.0, 3.5]))
def test_focal_loss_is_torchvisions_of_one_class_against_the_rest(batch, gamma):
    logits, target = batch

    def reference(logits, target):
        """p of the true class is the sigmoid of its logit less the logsumexp of the others."""
        labelled = target != 255
        per_pixel = logits.permute(0, 2, 3, 1)[labelled]
        true = F.one_hot(target[labelled], logits.shape[1]).bool()
        margin = per_pixel[true] - per_pixel.masked_fill(true, -torch.inf).logsumexp(1)
        return sigmoid_focal_loss(margin, torch.ones_like(margin), alpha=-1, gamma=gamma, reduction="mean")

    if logits.shape[1] == 1:  # a single class is always right
        agree(gradient(focal_loss, logits, target, gamma=gamma), (torch.tensor(0.0), torch.zeros_like(logits)))
    else:
        # the reference in float64: it takes 1 - p where p is nearly 1, and at 1 its gradient is NaN for gamma < 1
        expected = gradient(reference, logits.double(), target)
        agree(gradient(focal_loss, logits.double(), target, gamma=gamma), expected)
        agree([x.double() for x in gradient(focal_loss, logits, target, gamma=gamma)], expected)


@quick
@given(batches(), st.booleans())
def test_focal_loss_with_gamma_0_is_cross_entropy(batch, weighted):
    logits, target = batch
    weight = torch.linspace(0.2, 3, logits.shape[1]) if weighted else None
    agree(
        gradient(focal_loss, logits, target, gamma=0.0, weight=weight),
        gradient(cross_entropy, logits, target, weight=weight),
    )


@quick
@given(batches(), st.sampled_from([0.0, 1.0, 10.0]))
def test_dice_loss_is_smps(batch, smooth):
    import segmentation_models_pytorch as smp

    logits, target = batch
    # Half the smooth: theirs is (sum(p t) + s) / ((sum(p) + sum(t)) / 2 + s).
    reference = smp.losses.DiceLoss("multiclass", smooth=smooth / 2, ignore_index=255)
    # Theirs gives an absent class the loss 0 and divides by all classes; ours divides by those that are there.
    factor = logits.shape[1] / len(target[target != 255].unique())
    agree(
        gradient(dice_loss, logits, target, smooth=smooth),
        gradient(lambda x, t: factor * reference(x, t.clone()), logits, target),
    )

    def all_counted(logits, target):
        labelled = target != 255
        p = logits.softmax(1).permute(0, 2, 3, 1)[labelled]
        true = F.one_hot(target[labelled], p.shape[1])
        scores = smp.losses._functional.soft_dice_score(p, true, smooth / 2, dims=(0,))
        return (1 - scores).mean()

    agree(gradient(dice_loss, logits, target, smooth=smooth, absent="count"), gradient(all_counted, logits, target))


def test_the_sum_is_the_sum():
    logits, target = some()
    for dice in (0, 1, 0.3):
        parts = [gradient(f, logits, target) for f in (cross_entropy, dice_loss)]
        agree(gradient(ce_dice, logits, target, dice=dice), [a + dice * b for a, b in zip(*parts)])


@every_loss
def test_gradients_by_finite_differences(loss):
    logits, target = some(dtype=torch.float64, shape=(2, 3, 3))
    target[0, 1:] = 2  # class 1 may be absent from much of it
    assert torch.autograd.gradcheck(lambda x: loss(x, target), logits.requires_grad_())


# --- ignored pixels, absent classes, nothing at all ---------------------------------------------------------


@every_loss
def test_ignored_pixels_have_no_say_and_no_gradient(loss):
    logits, target = some()
    value, grad = gradient(loss, logits, target)
    ignored = (target == 255)[:, None].expand_as(logits)
    assert (grad[ignored] == 0).all() and (grad[~ignored] != 0).any()
    other = logits.clone()
    other[ignored] = 50 * torch.randn(int(ignored.sum()))
    agree(gradient(loss, other, target), (value, grad))
    agree(gradient(loss, logits, target.masked_fill(target == 255, -100), ignore_index=-100), (value, grad))
    # as if they had been cut out, or as if the batch were one row of what is left
    kept = logits.permute(1, 0, 2, 3)[:, target != 255][None, :, None]
    agree([loss(kept, target[target != 255][None, None])], [value])


@every_loss
def test_a_class_can_be_the_ignored_one(loss):
    logits, target = some()
    target = target.where(target != 255, 1)
    agree(gradient(loss, logits, target, ignore_index=1), gradient(loss, logits, target.masked_fill(target == 1, 255)))


@every_loss
@pytest.mark.parametrize("shape, fill", [((2, 4, 5), 255), ((0, 4, 5), 0), ((2, 0, 5), 0)])
def test_nothing_labelled_is_0_with_gradient_0(loss, shape, fill):
    logits, target = torch.randn(shape[0], 3, *shape[1:]), torch.full(shape, fill)
    value, grad = gradient(loss, logits, target)
    assert value == 0 and (grad == 0).all() and grad.shape == logits.shape


@pytest.mark.parametrize("loss", WEIGHTED.values(), ids=WEIGHTED)
def test_only_classes_of_weight_0_is_0_too(loss):
    logits, _ = some()
    value, grad = gradient(loss, logits, torch.zeros(2, 6, 5, dtype=torch.int64), weight=torch.tensor([0.0, 1, 1, 1]))
    assert value == 0 and (grad == 0).all()


@every_loss
def test_extreme_logits_give_finite_gradients(loss):
    target = torch.tensor([[[0, 1, 255, 2]]])
    for size in (20, 90, 200, 1e4):
        right = size * F.one_hot(target % 255 % 3, 3).permute(0, 3, 1, 2).float()
        for logits in (right, -right, right.roll(1, 1)):
            value, grad = gradient(loss, logits, target)
            assert grad.isfinite().all()
        value, grad = gradient(loss, right, target)
        assert grad.abs().max() < 1e-3
        if loss is not LOSSES["dice, all counted"]:
            assert value < 1e-3


def test_focal_gradient_where_p_is_1_and_nearly():
    target = torch.zeros(1, 1, 1, dtype=torch.int64)
    for gamma in (0.01, 0.5, 0.99, 1, 2.0):
        for margin in (5, 14, 16.5, 17, 20, 60, 87, 90, 104, 1000):
            logits = torch.tensor([float(margin), 0.0]).reshape(1, 2, 1, 1)
            _, grad = gradient(focal_loss, logits, target, gamma=gamma)
            rest = 1 / (1 + math.exp(margin)) if margin < 700 else 0.0
            exact = rest**gamma * (gamma * (1 - rest) * math.log1p(-rest) - rest)  # in float64
            assert grad.flatten()[0].item() == pytest.approx(exact, rel=1e-3, abs=2e-7)


def test_an_absent_class_in_dice():
    """A right answer with 3 of 19 classes present: what counting the absent ones would charge for it (smooth 1)."""
    target = (torch.arange(2 * 128 * 128) % 3).reshape(2, 128, 128)
    for margin, counted, skipped in ((5, 0.85, 0.07), (10, 0.50, 0.001)):
        logits = margin * F.one_hot(target, 19).permute(0, 3, 1, 2).float()
        assert dice_loss(logits, target, absent="count").item() == pytest.approx(counted, abs=6e-3)
        assert dice_loss(logits, target).item() < skipped
    # its false alarms cost all the same
    wrong = logits.clone()
    wrong[:, 18, :32] = 20
    assert dice_loss(wrong, target) > 0.1


def test_dice_does_not_punish_a_right_answer_for_ignored_pixels():
    g = torch.Generator().manual_seed(0)
    truth = torch.randint(0, 3, (2, 32, 32), generator=g)
    logits = 30 * F.one_hot(truth, 3).permute(0, 3, 1, 2).float()
    for share in (0.1, 0.3, 0.5, 0.9):
        target = truth.masked_fill(torch.rand(truth.shape, generator=g) < share, 255)
        assert dice_loss(logits, target) < 1e-4


# --- what every loss does alike -----------------------------------------------------------------------------


@every_loss
def test_dtypes_of_target_and_logits(loss):
    logits, target = some()
    value = loss(logits, target)
    for dtype in (torch.uint8, torch.int16, torch.int32, torch.uint16):
        assert torch.equal(loss(logits, target.to(dtype)), value)
    assert torch.equal(loss(logits, target.masked_fill(target == 255, -1).to(torch.int8), ignore_index=-1), value)
    for dtype in (torch.bfloat16, torch.float16):
        assert loss(logits.to(dtype), target).dtype == torch.float32
        agree([loss(logits.to(dtype), target)], [loss(logits.to(dtype).float(), target)])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = loss(logits, target)
    assert inside.dtype == torch.float32
    agree([inside], [value])
    agree([loss(logits.double(), target)], [value.double()])
    kept = logits.clone(), target.clone()
    loss(logits, target)
    assert torch.equal(logits, kept[0]) and torch.equal(target, kept[1])


@every_loss
def test_symmetries(loss):
    logits, target = some()
    value, grad = gradient(loss, logits, target)
    agree(gradient(loss, logits + 3, target), (value, grad))  # softmax sees differences
    assert torch.allclose(grad.sum(1), torch.zeros(()), atol=1e-6)
    agree([loss(logits.flip(3), target.flip(2)), loss(logits.mT, target.mT)], [value, value])
    order = torch.tensor([2, 0, 3, 1])  # other numbers for the classes
    renamed = target.where(target == 255, order.argsort()[target % 255 % 4])
    agree([loss(logits[:, order], renamed)], [value])
    agree([loss(logits.contiguous(memory_format=torch.channels_last), target)], [value])
    if loss not in (dice_loss, ce_dice):
        assert value >= 0


@pytest.mark.parametrize("loss", WEIGHTED.values(), ids=WEIGHTED)
def test_weights(loss):
    logits, target = some()
    weight = torch.tensor([1.0, 2.0, 0.5, 3.0])
    agree(gradient(loss, logits, target, weight=weight), gradient(loss, logits, target, weight=10 * weight.double()))
    agree([loss(logits, target, weight=torch.full((4,), 7.0))], [loss(logits, target)])
    places = [place for place in itertools.product(range(2), range(6), range(5)) if target[place] != 255]
    labelled = [(logits[b, :, y, x][None, :, None, None], target[b, y, x][None, None, None]) for b, y, x in places]
    weights = [weight[t.item()] for _, t in labelled]
    mean = sum(w * loss(x, t) for w, (x, t) in zip(weights, labelled)) / sum(weights)
    agree([loss(logits, target, weight=weight)], [mean])


@every_loss
def test_errors_are_one_sentence(loss):
    logits, target = some()
    for arguments, message in (
        ((logits, target[:, :3]), r"logits of \(6, 5\) for masks of \(3, 5\); they must have the same"),
        ((logits, target[:1]), r"must be \(B, C, H, W\) and masks \(B, H, W\), not \(2, 4, 6, 5\) and \(1, 6, 5\)"),
        ((logits, target[:, None]), r"not \(2, 4, 6, 5\) and \(2, 1, 6, 5\)"),
        ((logits[0], target[0]), r"not \(4, 6, 5\)"),
        ((logits, target.float()), "The target must hold whole numbers"),
        ((logits[:, :2], target), r"masks hold label [23], and 2 classes are 0 to 1 \(and 255 for no label\)"),
        ((logits, target.masked_fill(target == 255, -1)), "masks hold label -1"),
        ((logits, target.masked_fill(target == 255, 4)), "masks hold label 4"),
    ):
        with pytest.raises(ValueError, match=message) as error:
            loss(*arguments)
        assert "\n" not in str(error.value)


def test_errors_in_settings():
    logits, target = some()
    with pytest.raises(ValueError, match='absent must be "skip" or "count", not .drop'):
        dice_loss(logits, target, absent="drop")
    with pytest.raises(ValueError, match="gamma must be at least 0, not -1"):
        focal_loss(logits, target, gamma=-1)


# --- weights of classes -------------------------------------------------------------------------------------


@st.composite
def counts_of_images(draw):
    """Pixels of each class in each image: int64 (images, classes)."""
    classes, count = draw(st.integers(1, 8)), st.integers(0, 10**6) | st.just(0)
    image = st.lists(count, min_size=classes, max_size=classes)
    return torch.tensor(draw(st.lists(image, min_size=1, max_size=6)))


@quick
@given(counts_of_images())
def test_class_weights(images):
    counts = images.sum(0)
    around = (images.sum(1, keepdim=True) * (images > 0)).sum(0)
    present = counts > 0
    for kwargs in ({}, dict(images=around)):
        inverse, median = (class_weights(counts, method, **kwargs) for method in ("inverse", "median"))
        assert inverse.dtype == torch.float32 and torch.allclose(inverse, median)  # one is the other, scaled
        assert (inverse[~present] == 0).all() and (inverse[present] > 0).all() and inverse.isfinite().all()
        if present.any():
            assert inverse.mean().item() * len(counts) / present.sum().item() == pytest.approx(1, rel=1e-5)
            frequency = counts / (around if kwargs else counts.sum())
            product = (inverse * frequency)[present]
            assert torch.allclose(product, product[0].expand_as(product))
            longer = [torch.cat([x, torch.zeros(3, dtype=counts.dtype)]) for x in (counts, around)]
            more = class_weights(longer[0], images=longer[1] if kwargs else None)
            assert torch.allclose(more[: len(counts)], inverse) and (more[len(counts) :] == 0).all()


def test_frequency_over_the_images_in_which_a_class_occurs():
    """Eigen and Fergus: a class that fills half of the one image in ten that has it is not rare where it is."""
    images = torch.tensor([[100, 0, 0]] * 8 + [[50, 50, 0], [95, 0, 5]])
    counts, around = images.sum(0), (images.sum(1, keepdim=True) * (images > 0)).sum(0)
    assert around.tolist() == [1000, 100, 100]
    frequency = torch.tensor([0.945, 0.5, 0.05])
    found = class_weights(counts, "median", around)
    assert torch.allclose(found, 3 * (1 / frequency) / (1 / frequency).sum())
    assert found[1] / found[0] < 2 < class_weights(counts)[1] / class_weights(counts)[0]


@pytest.mark.parametrize(
    "counts, kwargs, message",
    [
        ([1, 2], dict(method="log"), 'method must be "inverse" or "median", not \'log\''),
        ([1, -2], {}, "at least 0"),
        ([[1, 2]], {}, r"not of shapes \(1, 2\)"),
        ([1, 2], dict(images=[1, 2, 3]), r"not of shapes \(2,\) and \(3,\)"),
        ([1, 2], dict(images=[1, 1]), "at least as many pixels as counts"),
    ],
)
def test_bad_counts(counts, kwargs, message):
    with pytest.raises(ValueError, match=message):
        class_weights(torch.tensor(counts), **kwargs)


def test_weights_of_nothing():
    assert class_weights([0, 0, 0], "median").tolist() == [0, 0, 0]
    assert class_weights([3, 0, 3]).tolist() == [1, 0, 1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@every_loss
def test_on_a_gpu(loss):
    logits, target = some()
    agree([x.cpu() for x in gradient(loss, logits.cuda(), target.cuda())], gradient(loss, logits, target))
