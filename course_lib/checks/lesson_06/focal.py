"""Lesson 06: focal loss, and its slope at both ends."""

import math

import torch

from ..causes import judge
from ..core import Exercise
from ..values import same
from .losses import CHANGED, FLOW, LOSSES, OWN, like

focal = Exercise(
    "focal",
    hints=(
        "How do you get p back from ln p?",
        "p is exp(ln p), and 1 − p follows. Where p is 1 that is 0, and the slope of 0 to the power of 0.5 "
        "is infinite. Infinity times 0 is NaN.",
        "Keep 1 − p just above 0 with `clamp(min=…)`, a number so small that it can't be seen. Then raise it to the "
        "power of gamma, and multiply with −ln p.",
    ),
    own_work={name: OWN for name in LOSSES},
)


def _digits(values):
    return [float(f"{v:.3g}") for v in values.tolist()]


@focal.part("values", 0.75)
def _(t):
    judge(t, _values(t))
    t.unchanged(CHANGED)


def _values(t):
    """(got, want, given, known mistakes) of each input."""
    for gamma, p in (
        (2, torch.tensor(0.5)),
        (1, torch.tensor([0.3, 0.8])),
        (3, torch.tensor([0.1, 0.9])),
        (1.5, torch.tensor([0.4, 0.7])),
        (0.5, 0.05 + 0.9 * torch.rand(2, 3, 5, generator=t.generator)),
    ):
        log_p, ce = p.log(), -p.log()
        got, want = t.call(log_p, gamma), ce * (1 - p) ** gamma
        listed = (
            f"ln p = ln {p.double().numpy().round(3).tolist()}"
            if p.dim() < 2
            else f"a tensor of shape {tuple(p.shape)}"
        )
        given = f"{listed} and gamma = {gamma}"
        like(t, got, want, given)
        yield (
            got,
            want,
            given,
            [
                ((1 - p) ** int(gamma) * ce, "gamma is cut to a whole number here; it may be any number."),
                *(
                    (
                        (1 - p + eps) ** gamma * ce,
                        "What is added to 1 − p, so that it is not 0, is so large that it shows; 1e-12 is enough.",
                    )
                    for eps in (0.1, 0.01, 0.001)
                ),
                (-want, "The sign is wrong: ln p is negative, and the loss is not."),
                (
                    p**gamma * ce,
                    "This multiplies by p to the power of gamma: it turns the volume down where the network "
                    "is wrong. Take 1 − p.",
                ),
                (gamma * (1 - p) * ce, "Here gamma multiplies; it is the exponent of (1 − p)."),
                ((1 - p) ** gamma, "This is the factor alone; multiply it with −ln p."),
                (ce, "This is plain cross-entropy; the factor is missing."),
                (((1 - p) * ce) ** gamma, "The power takes in the cross-entropy too; only (1 − p) is raised to gamma."),
                ((1 - p**gamma) * ce, "This is 1 − p to the power of gamma; the power is of (1 − p), in brackets."),
                ((1 - p) ** math.ceil(gamma) * ce, "gamma is rounded up to a whole number; it may be any number."),
                ((1 - p) ** (gamma + 1) * ce, "The power is one too high: is there another factor of 1 − p?"),
                ((1 - p) ** (1 / gamma) * ce, "This takes the gamma-th root; raise to the power of gamma."),
                (p * want, "There is one more factor in it, p."),
                (
                    want / ((1 - p) ** gamma).mean(),
                    "The factors are scaled to a mean of 1 here; leave them as they are.",
                ),
                (
                    gamma * (1 - p).log() * ce,
                    "This takes the logarithm of 1 − p; raise 1 − p itself to the power.",
                ),
                ((1 - p) ** 2 * ce, "This is right for gamma = 2 only; use the argument."),
                (0.25 * want, "There is one more factor in it, 0.25, the α of the paper. Leave it out here."),
                ((1 - log_p) ** gamma * ce, "This takes 1 − ln p for 1 − p. Get p back with `exp`."),
                ((1 - p) ** gamma * ce.mean(), "This multiplies with the mean; each pixel has its own."),
                (want.mean(), "This is the mean; keep one value for each pixel."),
            ],
        )


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
        like(t, got, want, given)
        if got[2] == torch.inf and same(got[0], want[0], 1e-3) and (got[1] == torch.inf or same(got[1], want[1], 1e-2)):
            t.fail(
                f"For {given}: expected {want.tolist()}, got {_digits(got)}. exp(−1000) rounds to 0, so don't "
                "take the logarithm of it again: ln p is given."
            )
        if 10 < got[2] < 101 and same(got[:2], want[:2], 1e-3):
            t.fail(
                f"For {given}: expected {want.tolist()}, got {_digits(got)}. The largest losses are cut off; "
                "take ln p as it is given."
            )
        t.close(got, want, given, tolerance=1e-3)
    log_p = torch.tensor([0.9995, 0.995]).log()
    got, want = t.call(log_p, 0.5), torch.tensor([1.11831e-5, 3.5444e-4])
    like(t, got, want, "p = [0.9995, 0.995] and gamma = 0.5")
    if not same(got, want, 2e-6):
        rest = (got / -log_p).square()  # what stands in place of 1 − p
        clamped = torch.allclose(rest[0], rest[1], rtol=0.01) or torch.allclose(rest[1], 1 - log_p[1].exp(), rtol=0.01)
        added = rest - (1 - log_p.exp())
        held = (got > want + 2e-6).any() and rest.max() < 0.2 and (clamped or torch.allclose(*added, rtol=0.05))
        hair = " Is 1 − p held away from 0 by more than a hair? A number such as 1e-12 is enough." if held else ""
        t.fail(f"For p = [0.9995, 0.995] and gamma = 0.5: expected {_digits(want)}, got {_digits(got)}.{hair}")
    t.unchanged(CHANGED)


@focal.part("gradients through both factors, finite everywhere", 0.5)
def _(t):
    p = 0.05 + 0.9 * torch.rand(5, generator=t.generator)
    log_p = p.log().requires_grad_()
    for gamma, ends in ((2.0, [0, 0, -1]), (0.5, [0, 0, -1]), (0, [-1, -1, -1])):
        got, (gradient, _) = t.gradients(log_p, gamma)
        if gradient is None or not gradient.any():
            t.fail(f"No gradient reaches `log_p`. {FLOW}")
        fixed = -((1 - p) ** gamma)  # the slope of each value, with the factor for a constant
        want, half = (
            t.pulled(lambda v, slope=slope: v * slope, log_p)[0]
            for slope in (fixed + gamma * (1 - p) ** (gamma - 1) * p * p.log(), fixed)
        )
        if gamma and same(gradient, half, 1e-4):
            t.fail(
                f"For gamma = {gamma:g}: the gradient takes (1 − p) to the power of gamma for a constant. "
                "Leave `detach` and `no_grad` away: p changes, too."
            )
        if gamma and same(gradient, want - half, 1e-4):
            t.fail(f"For gamma = {gamma:g}: the gradient takes the second factor, ln p, for a constant.")
        t.close(gradient, want, f"the gradient at gamma = {gamma:g}", tolerance=1e-3)
        given = f"For ln p = [0, −0.000001, −1000] and gamma = {gamma:g} the gradient is"
        far = torch.tensor([0.0, -1e-6, -1000.0]).requires_grad_()
        _, (gradient, _) = t.gradients(far, gamma)
        scale = t.pulled(lambda v: v, far)[0]
        if gradient is None or not torch.isfinite(gradient).all():
            found = "none" if gradient is None else _digits(gradient / scale)
            if gradient is not None and torch.isfinite(gradient[0]):
                t.fail(f"{given} {found}. exp(−1000) rounds to 0: take ln p as it is given.")
            t.fail(
                f"{given} {found}. At p = 1 the slope of (1 − p) to the power of {gamma:g} is infinite, and it is "
                "multiplied with ln p = 0. Keep 1 − p a tiny bit above 0."
            )
        if not same(gradient / scale, torch.tensor(ends).float(), 0.01):
            t.fail(f"{given} {_digits(gradient / scale)}; it should be about {ends}.")
