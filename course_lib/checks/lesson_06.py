"""Checks of lesson 06, weights for classes, focal loss and Dice; `check` holds those of the losses per pixel, too."""

import torch
import torch.nn.functional as F

from .lesson_06_pixels import FLOW, LOSSES, OWN, _like, _masks, _number, _pulled, _tried, _unchanged, check
from .values import kind, same

# --- weights for rare classes -------------------------------------------------------------------------------

rarity_weights = check.exercise(
    "rarity_weights",
    hints=(
        "Take the example's table and work out both shares of class 1 by hand. Which pixels are in the denominator of each?",
        "First rule: the denominator is the sum of the whole table. Second rule: for class c, add up the rows' totals, but only of the rows in which "
        "column c is above 0. `(counts > 0)` is such a table of yes and no.",
        "For each rule: weight = denominator / pixels of the class, and 0 where the class does not occur: `torch.where` with `occurs`. "
        "The scaling is given.",
    ),
    own_work={
        "class_weights": "This calls the library's own weights. Count for yourself: the counting is what the two rules differ in."
    },
)


def _weights(counts, per_image, *, over=None):
    """Class by class in Python numbers, scaled to mean 1 over the classes that occur (over as many as `over` says; not at all at 0)."""
    rows, found = counts.tolist(), []
    for c in range(counts.shape[1]):
        mine = sum(row[c] for row in rows)
        among = sum(sum(row) for row in rows if row[c] or not per_image)
        found.append(among / mine if mine else 0.0)
    mean = 1.0 if over == 0 else sum(found) / (over or sum(w > 0 for w in found))
    return torch.tensor([w / mean for w in found])


def _pair(t, got, counts, given):
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        t.fail(f"For {given}: expected two tensors, one for each rule, got {kind(got)}")
    want = (counts.shape[1],)
    for name, w in zip(("first", "second"), got):
        if not isinstance(w, torch.Tensor) or tuple(w.shape) != want:
            t.fail(f"For {given}: the {name} weights should be a tensor of shape {want}; got {kind(w)}")
        if not w.is_floating_point():
            t.fail(f"For {given}: the {name} weights should be floats, not {str(w.dtype).removeprefix('torch.')}.")
    return got


def _table(t):
    """Counts of four images and three classes that all occur, one of them in few images."""
    counts = t.tensor(4, 3, low=1, high=9) * 10
    counts[t.random.choice([0, 1]), 2] = 0
    counts[2, 2] = counts[3, 0] = 0
    return counts


def _rule(t, counts, which):
    name = ("first", "second")[which]
    given = f"counts {counts.tolist()}"
    got = _pair(t, t.call(counts), counts, given)[which]
    want = _weights(counts, bool(which))
    share = counts.double() / counts.sum(1, keepdim=True).clamp(min=1)
    mean_share = (share.sum(0) / len(counts)).clamp(min=1e-12)
    there = (counts > 0).sum(0).clamp(min=1)
    own_mean = (share.sum(0) / there).clamp(min=1e-12)
    frequency = 1 / want.double().where(want > 0, 1)

    def scaled(w):
        w = torch.where(want > 0, w.double(), 0.0)
        return (w / w[want > 0].mean()).float()

    meanings = [
        (_weights(counts, not which), "These are the weights of the other rule."),
        (scaled(frequency), "This is upside down: frequent classes get the large weights. It is one *over* the share."),
        (
            _weights(counts, bool(which), over=0),
            "These are not scaled yet; divide by the mean over the classes that occur.",
        ),
        (want / want.sum(), "These add up to 1; scale them so that their mean is 1."),
        (scaled(1 / mean_share), "This averages each image's share; add up pixels first, then divide."),
        (scaled(1 / own_mean), "This averages each image's share; add up pixels first, then divide."),
        (
            scaled(there.double() / counts.sum(0).clamp(min=1)),
            "This divides by the number of images with the class; divide by all their pixels.",
        ),
        (scaled(1 / there.double()), "This counts in how many images a class occurs; count pixels."),
        (scaled(want.double().sqrt()), "This is the square root of the weights."),
    ]
    t.close(got, want, f"the {name} weights of {given}", meanings)
    _unchanged(t)


@rarity_weights.part("share of the whole set", 0.75)
def _(t):
    _rule(t, torch.tensor([[90, 10], [100, 0]]), 0)
    _rule(t, _table(t), 0)


@rarity_weights.part("share of the images with the class", 0.75)
def _(t):
    _rule(t, torch.tensor([[90, 10], [100, 0]]), 1)
    _rule(t, _table(t), 1)


@rarity_weights.part("a class that occurs nowhere", 0.5)
def _(t):
    counts = torch.cat([_table(t), torch.zeros(4, 1, dtype=torch.int64)], 1)[
        :, t.random.choice([[0, 3, 1, 2], [3, 0, 1, 2]])
    ]
    given, missing = f"counts {counts.tolist()}", int((counts.sum(0) == 0).nonzero()[0])
    for which, w in enumerate(_pair(t, t.call(counts), counts, given)):
        name = ("first", "second")[which]
        if not torch.isfinite(w).all():
            t.fail(
                f"For {given}: the {name} weights hold infinity or NaN. Class {missing} occurs nowhere, and one over nothing is infinite. Its weight should be 0."
            )
        if w[missing] != 0:
            t.fail(
                f"For {given}: class {missing} occurs nowhere, and its weight in the {name} weights is {w[missing]:g}; it should be 0."
            )
        known = [
            (
                _weights(counts, bool(which), over=counts.shape[1]),
                "The mean is taken over all classes; take it over those that occur.",
            )
        ]
        t.close(w, _weights(counts, bool(which)), f"the {name} weights of {given}", known)
    _unchanged(t)


@rarity_weights.part("large counts, and an image without labels", 0.5)
def _(t):
    counts = torch.tensor([[3_000_000_000, 5, 0], [0, 0, 0], [2_000_000_000, 0, 7_000_000]])
    given = f"counts {counts.tolist()}"
    got = _pair(t, t.call(counts), counts, given)
    for which, w in enumerate(got):
        t.close(
            w, _weights(counts, bool(which)), f"the {('first', 'second')[which]} weights of {given}", tolerance=1e-3
        )


# --- focal --------------------------------------------------------------------------------------------------

focal = check.exercise(
    "focal",
    hints=(
        "How do you get p back from ln p?",
        "p is exp(ln p), and 1 − p follows. Where p is 1 that is 0, and the slope of 0 to the power of 0.5 is infinite. Infinity times 0 is NaN.",
        "Keep 1 − p just above 0 with `clamp(min=…)`, a number so small that it can't be seen. Then raise it to the power of gamma, and "
        "multiply with −ln p.",
    ),
    own_work={name: OWN for name in LOSSES},
)


def _focal(log_p, gamma):
    """In float64, away from p = 1."""
    rest = -torch.expm1(log_p.double())
    return (torch.exp(gamma * torch.log(rest)) * log_p.double().neg()).to(log_p.dtype)


def _digits(values):
    return [float(f"{v:.3g}") for v in values.tolist()]


@focal.part("values", 0.75)
def _(t):
    for gamma, p in (
        (2, torch.tensor([0.5])),
        (t.random.choice([1, 3]), torch.tensor([0.1, 0.9])),
        (0.5, 0.05 + 0.9 * torch.rand(2, 3, 5, generator=t.generator)),
    ):
        log_p = p.log()
        got, want = t.call(log_p, gamma), _focal(log_p, gamma)
        given = (
            f"p = {[round(v, 3) for v in p.tolist()]} and gamma = {gamma}"
            if p.dim() == 1
            else f"a tensor of shape {tuple(p.shape)} and gamma = {gamma}"
        )
        _like(t, got, want, given)
        ce = -log_p
        t.close(
            got,
            want,
            given,
            [
                (-want, "The sign is wrong: ln p is negative, and the loss is not."),
                (
                    p**gamma * ce,
                    "This multiplies by p to the power of gamma: it turns the volume down where the network is wrong. Take 1 − p.",
                ),
                (gamma * (1 - p) * ce, "Here gamma multiplies; it is the exponent of (1 − p)."),
                ((1 - p) ** gamma, "This is the factor alone; multiply it with −ln p."),
                (ce, "This is plain cross-entropy; the factor is missing."),
                (((1 - p) * ce) ** gamma, "The power takes in the cross-entropy too; only (1 − p) is raised to gamma."),
                ((1 - p**gamma) * ce, "This is 1 − p to the power of gamma; the power is of (1 − p), in brackets."),
                ((1 - p) ** 2 * ce, "This is right for gamma = 2 only; use the argument."),
                (0.25 * want, "There is one more factor in it, 0.25, the α of the paper. Leave it out here."),
                ((1 - log_p) ** gamma * ce, "This takes 1 − ln p for 1 − p. Get p back with `exp`."),
                ((1 - p) ** gamma * ce.mean(), "This multiplies with the mean; each pixel has its own."),
                (want.mean(), "This is the mean; keep one value for each pixel."),
            ],
            tolerance=1e-4,
        )
    _unchanged(t)


@focal.part("gamma 0 is cross-entropy", 0.25)
def _(t):
    log_p = torch.tensor([0.0, -1e-4, -0.5, -3.0, -1000.0])
    t.close(t.call(log_p, 0), log_p.abs(), "ln p = [0, −0.0001, −0.5, −3, −1000] and gamma = 0", tolerance=1e-5)


@focal.part("from p = 1 to p = 0", 0.5)
def _(t):
    log_p = torch.tensor([0.0, -100.0, -1000.0])
    for gamma in (2, 0.5):
        want = torch.tensor([0.0, 100.0, 1000.0])
        got = t.call(log_p, gamma)
        given = f"ln p = [0, −100, −1000] and gamma = {gamma}"
        _like(t, got, want, given)
        if not torch.isfinite(got).all():
            t.fail(
                f"For {given}: expected {want.tolist()}, got {_digits(got)}. exp(−1000) rounds to 0, so don't take the logarithm of it again: ln p is given."
            )
        if 10 < got[2] < 101:
            t.fail(
                f"For {given}: expected {want.tolist()}, got {_digits(got)}. The largest losses are cut off; take ln p as it is given."
            )
        t.close(got, want, given, tolerance=1e-3)
    log_p = torch.tensor([0.9995, 0.995]).log()
    got, want = t.call(log_p, 0.5), _focal(log_p, 0.5)
    _like(t, got, want, "p = [0.9995, 0.995] and gamma = 0.5")
    if not same(got, want, 2e-6):
        hair = (
            " Is 1 − p held away from 0 by more than a hair? A number such as 1e-12 is enough."
            if (got > want + 2e-6).any()
            else ""
        )
        t.fail(f"For p = [0.9995, 0.995] and gamma = 0.5: expected {_digits(want)}, got {_digits(got)}.{hair}")
    _unchanged(t)


@focal.part("gradients through both factors, finite everywhere", 0.5)
def _(t):
    log_p = (0.05 + 0.9 * torch.rand(5, generator=t.generator)).log().requires_grad_()
    for gamma in (2.0, 0.5):
        got, (gradient, _) = t.gradients(log_p, gamma)
        if gradient is None or not gradient.any():
            t.fail(f"No gradient reaches `log_p`. {FLOW}")
        if same(gradient, _pulled(t, lambda v: (1 - v.exp()).detach() ** gamma * -v, log_p)[0], 1e-4):
            t.fail(
                f"For gamma = {gamma:g}: the gradient takes (1 − p) to the power of gamma for a constant. Leave `detach` and `no_grad` away: p changes, too."
            )
        t.close(
            gradient,
            _pulled(t, lambda v: _focal(v, gamma), log_p)[0],
            f"the gradient at gamma = {gamma:g}",
            tolerance=1e-3,
        )
        ends = torch.tensor([0.0, -1e-6, -1000.0]).requires_grad_()
        _, (gradient, _) = t.gradients(ends, gamma)
        if gradient is None or not torch.isfinite(gradient).all():
            found = "none" if gradient is None else _digits(gradient)
            if gradient is not None and torch.isfinite(gradient[0]):
                t.fail(
                    f"For ln p = [0, −0.000001, −1000] and gamma = {gamma:g} the gradient is {found}. exp(−1000) rounds to 0: take ln p as it is given."
                )
            t.fail(
                f"For ln p = [0, −0.000001, −1000] and gamma = {gamma:g} the gradient is {found}. At p = 1 the slope of (1 − p) to the power of {gamma:g} "
                "is infinite, and it is multiplied with ln p = 0. Keep 1 − p a tiny bit above 0."
            )


# --- two right answers, punished ----------------------------------------------------------------------------

two_lies = check.exercise(
    "two_lies",
    hints=(
        "A confident answer is easy to make: `certain` turns a map of classes into logits. First lie: what does a network say where nobody labelled?",
        "In `both`, p is added up over all pixels, t over the labelled ones only. So ignore most pixels. Second lie: each right pixel leaves up to 1% to the "
        "other classes. How many such pixels make the sum much larger than `smooth`?",
        "First: two classes, a few labelled pixels of each, and a few hundred ignored ones on which the network is sure of something. "
        "Second: tens of thousands of pixels of class 0, two classes, and a lead of the logit near 5 (p = 0.993).",
    ),
)


def _copied(logits, target):
    """The loss that stands in the lesson, class by class."""
    p, classes, found = logits.double().softmax(1), logits.shape[1], 0.0
    for c in range(classes):
        found += ((2 * p[:, c][target == c].sum() + 1) / (p[:, c].sum() + (target == c).sum() + 1)).item()
    return 1 - found / classes


def _lie(t, which):
    got, name = t.call(), ("first", "second")[which]
    if (
        not isinstance(got, (tuple, list))
        or len(got) != 2
        or not all(isinstance(g, (tuple, list)) and len(g) == 2 for g in got)
    ):
        t.fail(f"Expected two pairs, `(logits, target), (logits, target)`, got {kind(got)}")
    logits, target = got[which]
    if (
        not all(isinstance(v, torch.Tensor) for v in (logits, target))
        or logits.dim() != 4
        or not logits.is_floating_point()
        or target.dtype != torch.int64
        or target.shape != logits[:, 0].shape
    ):
        t.fail(
            f"In the {name} input, `logits` should be a float tensor (B, C, H, W) and `target` an int64 tensor (B, H, W); got "
            f"{' and '.join(str(v.dtype).removeprefix('torch.') + ' ' + str(tuple(v.shape)) if isinstance(v, torch.Tensor) else type(v).__name__ for v in (logits, target))}."
        )
    classes, labelled = logits.shape[1], target != 255
    if not 2 <= classes <= 21 or target.numel() > 100_000:
        t.fail(
            f"The {name} input has {classes} classes and {target.numel():,} pixels; take 2 to 21 classes and at most 100,000 pixels."
        )
    if not labelled.any() or (target[labelled] < 0).any() or (target[labelled] >= classes).any():
        t.fail(
            f"The {name} input's target should hold classes 0 to {classes - 1} and 255, and something must be labelled; it holds {target.unique().tolist()[:9]}."
        )
    p = logits.double().softmax(1).gather(1, target.masked_fill(~labelled, 0)[:, None])[:, 0][labelled]
    if not p.min() >= 0.99:
        t.fail(
            f"The {name} input is no right answer everywhere: at some labelled pixel the true class has a probability of only {p.min():.3f}; it should have 0.99."
        )
    present = set(target[labelled].tolist())
    if which == 0 and labelled.all():
        t.fail("In the first input no pixel is ignored. Set some of the target to 255.")
    if which == 0 and len(present) < classes:
        t.fail(
            f"In the first input every class should occur; {sorted(set(range(classes)) - present)[0]} does not. (Absent classes are for the second.)"
        )
    if which == 1 and not labelled.all():
        t.fail("In the second input no pixel should be ignored. (Ignored pixels are for the first.)")
    if which == 1 and len(present) == classes:
        t.fail("In the second input every class occurs; leave at least one out.")
    cost = _copied(logits, target)
    if not cost > 0.3:
        more = (
            f"{int((~labelled).sum())} of {target.numel()} pixels are ignored, and what the network says there counts. Ignore more of them."
            if which == 0
            else f"The classes that are absent share {sum(logits.double().softmax(1)[:, c].sum() for c in range(classes) if c not in present):.2f} pixels' worth of "
            "probability in all. Against a `smooth` of 1 for each that is too little: more pixels, or less lead, or more classes that are absent."
        )
        t.fail(f"The {name} input is right, and costs {cost:.3f}; it should cost more than 0.3. {more}")


@two_lies.part("ignored pixels", 0.75)
def _(t):
    _lie(t, 0)


@two_lies.part("absent classes", 0.75)
def _(t):
    _lie(t, 1)


# --- soft Dice ----------------------------------------------------------------------------------------------

soft_dice = check.exercise(
    "soft_dice",
    hints=(
        "Which pixels may be in the sums? Take only those out of `probabilities` and `target` first, and both lies are half mended.",
        "`probabilities.movedim(1, -1)[target != 255]` is (labelled pixels, C). For each class that occurs, work out one Dice from two columns: p and t.",
        "Loop over the classes that occur in the labelled pixels (`unique`), and append each one's Dice to `scores`. "
        "If nothing is labelled there is nothing to append.",
    ),
    own_work={name: OWN for name in (*LOSSES, "DiceLoss")},
)


def _dice(p, target, *, masked=True, absent=None, smooth=0.0, factor=2, power=1, root=False):
    """Soft Dice by one matrix product; the switches make the usual mistakes."""
    b, classes = p.shape[:2]
    labelled = (target != 255).reshape(1, -1)
    t = F.one_hot(target.masked_fill(target == 255, 0), classes).reshape(-1, classes).T.to(p.dtype) * labelled
    flat = p.transpose(0, 1).reshape(classes, -1)
    claimed = (flat**power * labelled if masked else flat**power).sum(1)
    shared, size = (flat * t).sum(1), t.sum(1)
    union = claimed + size - (shared if root else 0)
    scores = (factor * shared + smooth) / (union + smooth)
    present = size > 0 if absent is None else torch.ones(classes, dtype=torch.bool)
    return 1 - scores[present].mean() if present.any() else p.sum() * 0


def _dice_part(t, p, target, given):
    got, want = _number(t, _tried(t, p, target), given), _dice(p, target)
    labelled = target != 255
    each = torch.stack([_dice(p[i : i + 1], target[i : i + 1]) for i in range(len(p)) if labelled[i].any()]).mean()
    here = F.one_hot(target[labelled], p.shape[1]).amax(0).to(p.dtype)
    own = p.movedim(1, -1)[labelled].gather(1, target[labelled][:, None])
    zero = target[labelled] == 0
    dice_0 = 2 * own[zero[:, None]].sum() / (p[:, 0][labelled].sum() + zero.sum())
    no_background = 1 - ((1 - want) * here.sum() - here[0] * dice_0) / (here[1:].sum())
    hard = F.one_hot(p.argmax(1), p.shape[1]).movedim(-1, 1).to(p.dtype)
    t.close(
        got,
        want,
        given,
        [
            (1 - want, "This is the Dice itself; the loss is 1 minus that."),
            (
                _dice(p, target, masked=False),
                "Σ p runs over ignored pixels too: the first lie. Only labelled pixels may be in any of the sums.",
            ),
            (_dice(p, target, smooth=1.0), "There is a `smooth` of 1 left in it."),
            (
                _dice(p, target, absent=0),
                "The mean is taken over all classes; classes that don't occur must stay out: the second lie.",
            ),
            (
                _dice(p, target, absent=0, smooth=1.0),
                "The mean is taken over all classes; classes that don't occur must stay out: the second lie.",
            ),
            (_dice(p, target, absent=0, smooth=1.0, masked=False), "This is `copied_dice`, with both its lies."),
            (want * here.mean(), "A class that doesn't occur counts as a Dice of 1; it should stay out of the mean."),
            (
                1 - own.mean(),
                "All classes are added up before the division; work out one Dice for each class, then their mean.",
            ),
            (no_background, "Class 0 is left out; it is a class like the others."),
            (_dice(p, target, factor=1), "The factor 2 is missing: twice what they share, over the sum of both."),
            (
                _dice(p, target, factor=1, root=True),
                "This is IoU: what they share over the union. Dice is twice what they share over the *sum* of both.",
            ),
            (
                _dice(p, target, power=2),
                "Here p is squared in the denominator; some papers do so, this exercise does not.",
            ),
            (each, "This is the mean over the images; the sums should run over the whole batch together."),
            (_dice(hard, target), "This counts whole pixels, by `argmax`; soft Dice adds up probabilities."),
            (_dice(p.softmax(1), target), "A softmax is applied; the probabilities are probabilities already."),
            (_dice(p, target.masked_fill(~labelled, 0)), "Ignored pixels are taken for class 0."),
        ],
    )


def _beliefs(t, *shape):
    return (1.5 * t.tensor(*shape)).softmax(1)


@soft_dice.part("shared over both, for the batch", 0.75)
def _(t):
    p, target = torch.tensor([[[[0.8, 0.4]], [[0.2, 0.6]]]]), torch.tensor([[[0, 1]]])
    _dice_part(t, p, target, "the example's two pixels")
    classes = t.random.choice([3, 4])
    target = _masks(t, classes, 2, 3, 5)
    target[0, :2], target[1, 0, :classes] = (
        0,
        torch.arange(classes),
    )  # two images that are unlike: their mean is not the whole's
    _dice_part(
        t,
        _beliefs(t, 2, classes, 3, 5),
        target,
        f"probabilities of shape (2, {classes}, 3, 5), where all classes occur",
    )


@soft_dice.part("ignored pixels are in no sum", 0.75)
def _(t):
    p, target = _beliefs(t, 2, 3, 4, 6), _masks(t, 3, 2, 4, 6)
    target[:, :, :3] = torch.where(target[:, :, :3] == target[:, :, :3].flatten()[0], 255, target[:, :, :3])
    target[0, 0], target[1, -1, :3] = 255, torch.arange(3)
    _dice_part(t, p, target, f"probabilities of shape (2, 3, 4, 6), {int((target == 255).sum())} pixels ignored")


@soft_dice.part("classes that don't occur", 0.5)
def _(t):
    classes = t.random.choice([5, 7])  # not 6: a mean over twice as many equals a missing factor of 2
    p, target = _beliefs(t, 2, classes, 4, 4), 1 + _masks(t, 3, 2, 4, 4)
    _dice_part(t, p, target, f"{classes} classes, of which only 1, 2 and 3 occur")


@soft_dice.part("nothing labelled, gradients, arguments stay", 0.5)
def _(t):
    p = _beliefs(t, 1, 3, 3, 3)
    given = "a target that is 255 everywhere"
    got = _number(t, _tried(t, p, torch.full((1, 3, 3), 255)), given)
    if torch.isnan(got):
        t.fail(f"For {given}: expected 0, got NaN: the mean of no classes at all. Look for that case first.")
    t.close(got, torch.tensor(0.0), given)
    p, target = p.requires_grad_(), _masks(t, 3, 1, 3, 3, ignored=0.3)
    target[0, -1] = torch.arange(3)
    got, (gradient, _) = t.gradients(p, target)
    _unchanged(t)
    _number(t, got, "probabilities of shape (1, 3, 3, 3)")
    if gradient is None or not gradient.any():
        t.fail(f"No gradient reaches `probabilities`. {FLOW} `argmax` has no gradient either.")
    if not same(gradient, _pulled(t, lambda q, m: _dice(q, m).reshape(got.shape), p, target)[0], 1e-4):
        t.fail(
            "A gradient reaches `probabilities`, but not the one of this loss. At ignored pixels it should be 0, and both Σ p in the formula must take part."
        )
