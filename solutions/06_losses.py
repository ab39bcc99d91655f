# %% [markdown]
# # 06 · Losses: what the network is told to care about
#
# A network does what its loss rewards, and nothing else. If three per cent of the pixels are legs, ears and antlers, the loss decides whether the network bothers with them. In this lesson you write the losses that segmentation uses, see where on a photograph each of them pulls, and find where well-known ones lie.
#
# By the end you can read every line of the figure below.
#
# **You will be able to**
#
# - write cross-entropy per pixel that survives any logits, ignored pixels and empty masks;
# - say what its gradient is, and check it against torch;
# - weight rare classes, focus on hard pixels, and write a Dice loss that does not punish right answers;
# - tell a loss that has found more from one that only shouts louder.
#
# **You need** lessons 01 (IoU), 02, 03 (mIoU) and 04 (U-Net), and to have met before: softmax, logarithms, `backward()`. **Time:** 90 minutes. **Points:** 20.

# %% given="setup"
import torch
import torch.nn as nn
import torch.nn.functional as F

from course_lib import data, losses, metrics, models, plot, train, widgets
from course_lib.checks.lesson_06 import check

print(f"torch {torch.__version__}, device: {train.device()}")

# %% tags=["demo"]
plot.landscapes()

# %% [markdown]
# Above is one pixel: what it costs, and how hard it pulls, when its true class gets the probability *p*. Below is a whole picture with one object in it: what it costs to find only a share of that object. Look at the cross. It is the same antler on both sides. On the left it costs next to nothing, on the right more than half of all there is to lose. Come back here after each section.
#
# ## 1 · A network that ignores three per cent
#
# Cut each animal of Menagerie in two: its **body**, and its **thin parts**, where no 5 × 5 square of animal fits. With the background that makes three classes.

# %% tags=["demo", "experiment"]
PARTS = ("background", "body", "thin part")
size, steps = train.scale(cpu=(48, 800), gpu=(96, 4000))


def parts(split, count):
    """Images and masks: 0 background, 1 body, 2 thin part."""
    images, animals = data.stack(data.scenes(split, size=size, target="instance", length=count), count)
    animal = animals > 0
    return images, animal.long() + metrics.thin(animal).long()


scenes = list(zip(*parts("train", 2000)))
images, truth = parts("val", 200)
per_image = torch.stack([mask.flatten().bincount(minlength=3) for _, mask in scenes])
for name, share in zip(PARTS, per_image.sum(0) / per_image.sum()):
    print(f"{name:12}{share:6.1%} of the pixels")

# %% tags=["demo", "experiment"]
torch.manual_seed(0)
start = models.UNet(classes=3, base=8, depth=2)
print(train.fit(start, scenes, steps=steps, title="cross-entropy"))
guess = train.predict(start, images)
counts = metrics.confusion_matrix(guess, truth, 3)
for i, name in enumerate(PARTS):
    print(f"{name:12} found: {counts[i, i] / counts[i].sum():4.0%}")
print(f"accuracy: {counts.diagonal().sum() / counts.sum():.0%}")
plot.comparison(images[[34, 40]], truth[[34, 40]], guess[[34, 40]], classes=PARTS)

# %% [markdown]
# Most pixels are right, and most legs are lost. Nobody told the network that legs matter more than grass. To tell it, first look at how it is told anything.
#
# ## 2 · Cross-entropy, one pixel at a time
#
# For each pixel the network gives one number a class, the **logits** *z*. Softmax turns them into probabilities: *p*ᵢ = exp(*z*ᵢ) / Σⱼ exp(*z*ⱼ). **Cross-entropy** is −ln *p* of the true class. It asks one question only: how much of your belief did you put on the truth?

# %%
z = torch.tensor([2.0, 1.0, 0.0])
p = z.exp() / z.exp().sum()
for name, value, loss in zip(("true class is 0", "true class is 1", "true class is 2"), p, -p.log()):
    print(f"{name}:  p = {value:.3f},  loss = {loss:.3f}")

# %% [markdown]
# A network that has learned nothing gives all *C* classes about the same belief, 1/*C*. Its loss is then −ln(1/*C*) = ln *C*. So you know what the first number of a training run should be. Look at it every time: it is the cheapest test there is.

# %%
torch.manual_seed(0)
fresh = models.UNet(classes=21, base=8, depth=2)
noise, labels = torch.rand(4, 3, 48, 48), torch.randint(0, 21, (4, 48, 48))
print(f"expected: ln 21 = {torch.tensor(21.0).log():.3f}    a fresh net: {losses.cross_entropy(fresh(noise), labels):.3f}")

# %% [markdown]
# It is a little above, as random weights are not quite undecided.
#
# The formula, typed as it stands, breaks on large logits, and label 255 breaks what comes after it.

# %%
sure = torch.tensor([1000.0, 0.0])
print("softmax as typed:      ", sure.exp() / sure.exp().sum())
print("the same, all less 1000:", (sure - 1000).exp() / (sure - 1000).exp().sum())
print("one-hot of [0, 255]:   ", tuple(F.one_hot(torch.tensor([0, 255])).shape))
nothing = torch.full((1, 2, 2), 255)
print("torch, nothing labelled:", F.cross_entropy(torch.zeros(1, 3, 2, 2), nothing, ignore_index=255))

# %% [markdown] statement="pixel_losses" minutes=8 level=2
# Of the labels 0 and 255, `one_hot` makes 256 classes. The mean over no pixels is 0 / 0. And exp(1000) is larger than any float: infinity divided by infinity is not a number.
#
# Softmax does not change when the same number is taken from all logits, so take the largest: then no exp is above 1. But a probability can still round to 0, and ln 0 is −∞. So don't compute *p* at all. Its logarithm is enough: ln *p*ᵢ = *z*ᵢ − ln Σⱼ exp(*z*ⱼ).
#
# ### A loss for each pixel
#
# Write `pixel_losses(logits, target)`: the cross-entropy of each pixel.
#
# - `logits`: float tensor `(B, C, H, W)`, with values from −1000 to 1000;
# - `target`: `int64` tensor `(B, H, W)`, with classes 0 to *C* − 1, or 255 where nobody has labelled.
#
# Return a float tensor `(B, H, W)`: −ln *p* of the true class, natural logarithm, and 0 where the target is 255. Gradients must flow to `logits`. Build it from `exp`, `log`, maximum and sum, without torch's own log-softmax, logsumexp or losses.
#
# For example, one pixel with logits `[0, 0]` and class 1 has loss ln 2 = 0.693. With `[1000, 0]` and class 1 it has 1000.
#
# Here and in every exercise of this lesson, leave the arguments as they were.

# %% answer="pixel_losses"
def pixel_losses(logits, target):
    """Cross-entropy of each pixel, (B, H, W): logits (B, C, H, W), target (B, H, W); 0 where it is 255."""
    ignored = target == 255
    index = target.masked_fill(ignored, 0).unsqueeze(1)  # for gather: (B, 1, H, W), 0 in place of 255
    ### BEGIN SOLUTION
    shifted = logits - logits.amax(1, keepdim=True)
    own = shifted.gather(1, index).squeeze(1)
    return (shifted.exp().sum(1).log() - own).masked_fill(ignored, 0.0)
    ### END SOLUTION

# %% check="pixel_losses"
check.pixel_losses(pixel_losses)
### BEGIN HIDDEN TESTS
check.pixel_losses(pixel_losses) & check.pixel_losses(pixel_losses, seed=71633)
### END HIDDEN TESTS

# %% [markdown]
# If you are stuck, ask for a hint in a cell of your own: `check.pixel_losses.hint()`. There are three.
#
# ## 3 · The pull
#
# Training never looks at the loss itself. It follows the gradient: how the loss changes when one logit is nudged. For one pixel, let torch tell.

# %%
z = torch.tensor([2.0, 1.0, 0.0], requires_grad=True)
loss = F.cross_entropy(z[None], torch.tensor([1]))  # the true class is 1
loss.backward()
print("probabilities:", [f"{v:+.3f}" for v in z.softmax(0)])
print("gradient:     ", [f"{v:+.3f}" for v in z.grad])

# %% [markdown] statement="logit_gradient" minutes=6 level=2
# Compare the two lines. They agree but for the true class, which has 1 taken off: 0.245 − 1 = −0.755. A step goes *against* the gradient. So the true class's logit is pulled up with the force 1 − *p*, and every other class is pushed down by its own probability. That is the straight blue line, at the top right of the first figure.
#
# ### The gradient by hand
#
# Write `logit_gradient(logits, target)`: the gradient of the **mean** cross-entropy over the labelled pixels with respect to every logit. Use the rule above, not torch's `backward` or `autograd`; `softmax` is allowed.
#
# - `logits`, `target`: as in exercise 1.
#
# Return a float tensor `(B, C, H, W)`. With *n* labelled pixels, it holds (softmax − one-hot) / *n* at a labelled pixel, where *one-hot* is 1 for the true class and 0 for the others, and 0 at an ignored one. If no pixel is labelled it is 0 everywhere.
#
# For example, for two pixels that both have logits `[0, 0]`, the first of class 1 and the second ignored, the gradients are `[0.5, −0.5]` and `[0, 0]`.

# %% answer="logit_gradient"
def logit_gradient(logits, target):
    """Gradient (B, C, H, W) of the mean cross-entropy over labelled pixels, by formula."""
    ### BEGIN SOLUTION
    gradient = logits.softmax(dim=1)
    for label in range(logits.shape[1]):
        gradient[:, label] -= (target == label).to(gradient.dtype)
    known = (target != 255).unsqueeze(1)
    return torch.where(known, gradient, 0.0) / max(1, int(known.sum()))
    ### END SOLUTION

# %% check="logit_gradient"
check.logit_gradient(logit_gradient)
### BEGIN HIDDEN TESTS
check.logit_gradient(logit_gradient) & check.logit_gradient(logit_gradient, seed=30817)
### END HIDDEN TESTS

# %% [markdown]
# Now see the pull on a photograph, by your function where it is right (else by torch). The rightmost columns are marked as not labelled, so that you see what becomes of them. At each pixel, brightness is the share that it has in all of the pull.

# %% tags=["demo"]
with torch.no_grad():
    logits = start.eval().cpu()(images[34:35])
labels = truth[34:35].clone()
labels[:, :, -10:] = 255


def pull(loss):
    """How hard a loss pulls at each pixel of the kangaroo: (H, W)."""
    z = logits.clone().requires_grad_()
    loss(z, labels).backward()
    return z.grad[0].abs().sum(0)


own = check.logit_gradient(logit_gradient).outcome == "passed"
print("gradient by", "your logit_gradient" if own else "torch")
by_entropy = logit_gradient(logits, labels)[0].abs().sum(0) if own else pull(losses.cross_entropy)

with torch.no_grad():
    p = torch.cat([start(part) for part in images.split(50)]).softmax(1)
left = 1 - p.gather(1, truth[:, None])[:, 0]  # the force on each pixel's true class
print(f"all 200 unseen pictures: thin parts have {left[truth == 2].sum() / left.sum():.0%} of the pull")
plot.pulls(images[34], labels[0], {"cross-entropy": by_entropy}, PARTS, title="Where cross-entropy pulls")

# %% [markdown] statement="weighted_mean" minutes=5 level=1
# The middle of the body and of the meadow is dark: *p* is nearly 1, so there is nothing to pull. The legs, the ears and the outline glow, and some edges of leaves. Where nobody labelled there is no pull at all.
#
# So the lost legs do pull, on this picture even with most of the force. But this kangaroo has large legs. Over all unseen pictures the thin parts have about a seventh of the pull: each of the many other pixels asks for little, and together they ask for more. The simplest remedy: let a rare pixel count as several.
#
# ### A mean in which some count more
#
# Write `weighted_mean(values, target, weights)`: one number from a map of losses.
#
# - `values`: float tensor `(B, H, W)`. What stands at ignored pixels must not matter;
# - `target`: `int64` tensor `(B, H, W)`, 255 for ignored;
# - `weights`: float tensor `(C,)`, one weight a class, none negative.
#
# Return a scalar tensor. Multiply each labelled pixel's value by the weight of its class, add up, and divide by the **sum of those pixels' weights**, so that weights of 2 for all classes change nothing. If that sum is 0, or nothing is labelled, return 0 (the last line, given, does so: it divides `top`, the weighted sum, by `bottom`, the sum of the weights). Gradients must flow to `values`.
#
# For example, `values` of `[[[1, 3, 9]]]`, `target` `[[[0, 1, 255]]]` and `weights` `[1, 3]` give (1·1 + 3·3) / (1 + 3) = 2.5.

# %% answer="weighted_mean"
def weighted_mean(values, target, weights):
    """The mean of values (B, H, W) over labelled pixels, weighted by each pixel's class."""
    ### BEGIN SOLUTION
    chosen = target != 255
    per_pixel = weights[target[chosen]]
    top, bottom = (values[chosen] * per_pixel).sum(), per_pixel.sum()
    ### END SOLUTION
    return top / torch.where(bottom > 0, bottom, 1.0)

# %% check="weighted_mean"
check.weighted_mean(weighted_mean)
### BEGIN HIDDEN TESTS
check.weighted_mean(weighted_mean) & check.weighted_mean(weighted_mean, seed=45989)
### END HIDDEN TESTS

# %% [markdown]
# With weights of 1 this is the plain mean over *labelled* pixels. The plain `.mean()` would divide by all of them, so that a batch with more gaps would count less.
#
# ## 4 · Which weights?
#
# The obvious choice is one over the frequency: a class ten times as rare weighs ten times as much.

# %% tags=["demo"]
print("one over the frequency, scaled to a mean of 1:")
for name, w in zip(PARTS, losses.class_weights(per_image.sum(0))):
    print(f"{name:12}{w:6.2f}")

# %% [markdown] statement="rarity_weights" minutes=7 level=2
# Papers offer a second choice, **median frequency**: the median of all frequencies, over the class's own. But the median is one factor for all classes. Once both are scaled to the same mean, they are the *same* weights.
#
# What makes the published recipe different is **how frequency is counted**. There, a class's pixels are divided by the pixels of only those images *in which it occurs*. A class that is rare but large when it comes (a bus) is then no longer taken for a rare one.
#
# ### Weights for rare classes
#
# Write `rarity_weights(counts)`.
#
# - `counts`: `int64` tensor `(N, C)`. Entry *n*, *c* is how many pixels of class *c* image *n* has, ignored ones left out.
#
# Return two float tensors of shape `(C,)`:
#
# 1. one over the class's share of all pixels of the set;
# 2. one over its share of the pixels of those images in which it occurs.
#
# A class that occurs nowhere gets 0 in both, not infinity or NaN. At least one class occurs. Each is scaled so that its mean **over the classes that occur** is 1: the last line, given, does that to your `first` and `second`.
#
# For example, for `[[90, 10, 0], [100, 0, 0]]` the shares of classes 0 and 1 are 190/200 and 10/200 by the first rule, 190/200 and 10/100 by the second. So the weights are `[0.1, 1.9, 0]` and `[0.190, 1.810, 0]`.

# %% answer="rarity_weights"
def rarity_weights(counts):
    """Two weights (C,) from pixel counts (N, C): by share of the set, by share of the images with the class."""
    pixels = counts.sum(0).double()  # of each class, in the whole set
    occurs = pixels > 0
    ### BEGIN SOLUTION
    per_row = counts.sum(1, keepdim=True)
    spaces = per_row.sum(), ((counts > 0) * per_row).sum(0)
    first, second = (torch.where(occurs, space / pixels.clamp(min=1), 0.0) for space in spaces)
    ### END SOLUTION
    return tuple((w / w[occurs].mean()).float() for w in (first, second))

# %% check="rarity_weights"
check.rarity_weights(rarity_weights)
### BEGIN HIDDEN TESTS
check.rarity_weights(rarity_weights) & check.rarity_weights(rarity_weights, seed=12041)
### END HIDDEN TESTS

# %% [markdown] statement="focal" minutes=6 level=2
# In our set nearly every image has all three classes, so the two rules all but agree. On street scenes, where a train is in few pictures, they do not.
#
# ## 5 · Easy and hard
#
# Weights ask *which class* a pixel is. The **focal loss** asks *how sure* the network already is of it, and turns the volume down where all is well. It multiplies a pixel's cross-entropy by (1 − *p*)^γ, where *p* is the probability of its true class. At *p* = 0.9 and γ = 2 that is a factor of 0.01. At *p* = 0.1 it is 0.81. (Its *pull* can be stronger than that of cross-entropy there, as the first figure shows: a step that raises *p* lowers the factor, too.) With γ = 0 it is 1, and the focal loss is cross-entropy.
#
# ### The focal factor
#
# Write `focal(log_p, gamma)`: the focal loss of each pixel.
#
# - `log_p`: float tensor of any shape: ln *p* of each pixel's true class, from −1000 to exactly 0;
# - `gamma`: a number of at least 0, not always whole.
#
# Return −(1 − *p*)^γ · ln *p*, a tensor of the same shape. Gradients must flow to `log_p` through *both* factors, and be finite everywhere, at ln *p* = 0 too. (There, with γ = 0.5, the power's slope is infinite, and infinity times ln *p* = 0 is NaN. So keep 1 − *p* a hair above 0.)
#
# For example, at *p* = 0.5 and γ = 2 it is 0.25 · 0.693 = 0.173.

# %% answer="focal"
def focal(log_p, gamma):
    """Focal loss of each pixel from the log-probability of its true class."""
    ### BEGIN SOLUTION
    doubt = (1.0 - log_p.exp()).clamp(min=1e-12)
    return doubt.pow(gamma) * -log_p
    ### END SOLUTION

# %% check="focal"
check.focal(focal)
### BEGIN HIDDEN TESTS
check.focal(focal) & check.focal(focal, seed=8893)
### END HIDDEN TESTS

# %% [markdown]
# Play with both dials at once. Which one moves the pull to the legs, and which to whatever is wrong?

# %% tags=["demo"]
widgets.Live(
    lambda gamma, weight: plot.focus(logits[0], labels[0], gamma, weight, name="thin parts"),
    {"gamma": widgets.Slider("γ", 2.0, 0.0, 5.0, 0.5), "weight": widgets.Slider("weight of thin parts", 1.0, 1.0, 30.0, 1.0)},
)

# %% [markdown]
# The weight moves the pull to one class, right or wrong. γ moves it to what is wrong, of whatever class: a leg, or a pixel that the annotator got wrong.
#
# ## 6 · Dice, and two of its lies
#
# All losses so far are sums over pixels. **Dice** looks at a class as a whole: twice what prediction and truth share, over the sum of both. Say the truth has 10 pixels of a class, the prediction 8, and they share 6: Dice is 2·6 / (10 + 8) = 0.67. Whether the object has ten pixels or ten thousand makes no difference.
#
# To train with it, replace the predicted pixels by probabilities: 2 Σ *p t* / (Σ *p* + Σ *t*), where *t* is 1 on the pixels of the class and 0 elsewhere. The loss is 1 minus that, averaged over classes. This is **soft Dice**. Here is a version as you find it in many repositories. The `smooth` is there so that 0 / 0 can't happen.

# %% given="copied_dice"
def copied_dice(logits, target, smooth=1.0):
    """Dice loss as it is widely copied: logits (B, C, H, W), target (B, H, W) with 255 ignored."""
    classes, labelled = logits.shape[1], target != 255
    p = logits.softmax(dim=1)
    t = F.one_hot(target * labelled, classes).movedim(-1, 1) * labelled[:, None]
    shared = (p * t).sum(dim=(0, 2, 3))
    both = (p + t).sum(dim=(0, 2, 3))
    return 1 - ((2 * shared + smooth) / (both + smooth)).mean()


truth_of_four = torch.tensor([[[0, 1], [1, 2]]])
print(f"right and sure, all labelled: {copied_dice(20.0 * F.one_hot(truth_of_four).movedim(-1, 1), truth_of_four):.3f}")

# %% [markdown] statement="two_lies" minutes=7 level=2
# A right answer costs nothing, so all seems well. But the function lies twice: about pixels that nobody labelled, and about classes that are not in the batch. Find both.
#
# ### Two right answers, punished
#
# Write `two_lies()`. It takes nothing and returns two inputs of `copied_dice`, as a pair of pairs: `(logits, target), (logits, target)`. Each is a right answer that costs more than 0.3.
#
# - `logits` is a float tensor `(B, C, H, W)` with 2 to 21 classes, `target` an `int64` tensor `(B, H, W)` with at most 100,000 pixels in all;
# - at every labelled pixel the true class has a probability of at least 0.99, and something is labelled;
# - in the **first** input every class occurs and some pixels are ignored (255);
# - in the **second** no pixel is ignored and at least one class does not occur.
#
# For example, four pixels of class 0, each with logits `[6, 0]`, are right: *p* = 0.998. They don't qualify as the second input, as they cost only 0.005. What would make the `both` of class 1 larger?

# %% answer="two_lies"
def two_lies():
    """Two inputs (logits, target) of copied_dice: right, and punished by more than 0.3."""
    def certain(guess, classes):
        """Logits (B, C, H, W) that give the classes in guess (B, H, W) a probability above 0.99."""
        return 8.0 * F.one_hot(guess, classes).movedim(-1, 1)

    ### BEGIN SOLUTION
    gaps = torch.full((1, 10, 10), 255)
    gaps[0, 0, :2] = torch.arange(2)
    meadow = torch.zeros(1, 200, 200, dtype=torch.int64)
    return (certain(gaps.clamp(max=1), 2), gaps), (certain(meadow, 2), meadow)
    ### END SOLUTION

# %% check="two_lies"
check.two_lies(two_lies)
### BEGIN HIDDEN TESTS
check.two_lies(two_lies) & check.two_lies(two_lies, seed=5737)
### END HIDDEN TESTS

# %% [markdown] statement="soft_dice" minutes=7 level=2
# The first lie: the prediction on ignored pixels is counted in `both`, and can't be in `shared`. The more a picture leaves unlabelled, the more a right answer costs.
#
# For the second, think of a class that is nowhere in the batch. Its `shared` is 0, and its `both` is the crumbs of probability that thousands of right pixels leave it. A handful of crumbs outweighs a `smooth` of 1.
#
# ### A Dice loss that tells the truth
#
# Write `soft_dice(probabilities, target)`.
#
# - `probabilities`: float tensor `(B, C, H, W)` that sums to 1 over the classes;
# - `target`: `int64` tensor `(B, H, W)`, 255 for ignored.
#
# Return a scalar tensor: 1 minus the mean, over the classes that occur in `target`, of 2 Σ *p t* / (Σ *p* + Σ *t*). Every sum runs over the labelled pixels of the whole batch together. No `smooth` is needed: a class that occurs has Σ *t* > 0. If nothing is labelled, return 0. Gradients must flow to `probabilities`.
#
# For example, two pixels, the first of class 0 with *p* = `[0.8, 0.2]`, the second of class 1 with `[0.4, 0.6]`. Class 0 has Dice 2·0.8 / (1.2 + 1) = 0.727 and class 1 has 2·0.6 / (0.8 + 1) = 0.667. The loss is 1 − 0.697 = 0.303.

# %% answer="soft_dice"
def soft_dice(probabilities, target):
    """Soft Dice loss over labelled pixels and the classes that occur in target; a scalar."""
    scores = []  # append the Dice of each class that occurs
    ### BEGIN SOLUTION
    valid = target != 255
    believed, label = probabilities.movedim(1, -1)[valid], target[valid]
    for c in label.unique():
        on = (label == c).to(believed.dtype)
        mass = believed[:, c]
        scores.append(2 * (mass @ on) / (mass.sum() + on.sum()))
    ### END SOLUTION
    return 1 - torch.stack(scores).mean() if scores else 0 * probabilities.sum()

# %% check="soft_dice"
check.soft_dice(soft_dice)
### BEGIN HIDDEN TESTS
check.soft_dice(soft_dice) & check.soft_dice(soft_dice, seed=27407)
### END HIDDEN TESTS

# %% [markdown]
# Look again at the second lie. Nineteen classes, of which three occur. Every pixel is right: the true class's logit leads all others by some margin.

# %% tags=["demo"]
mask = torch.arange(8 * 64 * 64).reshape(8, 64, 64) % 3
lead = F.one_hot(mask, 19).movedim(-1, 1).float()
margins = list(range(16))
absent = {
    "Dice, mean of all 19 classes": copied_dice,
    "Dice, mean of those that occur": losses.dice_loss,
    "cross-entropy": losses.cross_entropy,
    "focal, γ = 2": losses.focal_loss,
    "sum of cross-entropy and Dice": losses.ce_dice,
}
series = {name: torch.stack([loss(margin * lead, mask) for margin in margins]) for name, loss in absent.items()}
for margin in (2, 7, 12):
    belief = (margin * lead).softmax(1).amax()
    every, found = (values[margin] for name, values in series.items() if name.startswith("Dice"))
    print(f"margin {margin:2}: p = {belief:.2f}, Dice over all 19: {every:.2f}, over those that occur: {found:.2f}")
plot.loss_lines(margins, series, "margin of the true class's logit", "loss",
                "Right answers, while 16 of 19 classes are absent", marks=(2, 7, 12))

# %% [markdown]
# Between margins 2 and 7, *p* of the true class rises from 0.29 to 0.98, and Dice over all 19 classes is almost flat: it falls from 0.93 to 0.82. The steep fall comes only at margins 8 to 12, where the crumbs of an absent class shrink to the size of `smooth`. By then the other losses have nothing left to ask.
#
# None of the other losses has a term for an absent class, whatever weight you give that class. False alarms of it still cost, as their probability is missing from the true class.
#
# What Dice asks of one pixel depends on all others in the batch. Cross-entropy asks each for itself. Many people train on the **sum** of the two.
#
# ## 7 · Where do they pull?
#
# Here is the kangaroo again, under all of them. Each map is scaled to its own total: the optimiser (AdamW) divides by the size of the gradient anyway, so what matters is the share.

# %% tags=["demo"]
weights = losses.class_weights(per_image.sum(0))
arms = {
    "cross-entropy": losses.cross_entropy,
    "weighted": lambda z, t: losses.cross_entropy(z, t, weights.to(z)),
    "focal, γ = 2": losses.focal_loss,
    "Dice": losses.dice_loss,
    "sum": losses.ce_dice,
}
maps = {name: pull(loss) for name, loss in arms.items()}
known = labels[0] != 255
p = logits[0].softmax(0).gather(0, torch.where(known, labels[0], 0)[None])[0]  # of the true class
groups = {"thin parts": labels[0] == 2, "hard (p < 0.5)": known & (p < 0.5), "easy (p > 0.9)": known & (p > 0.9), "ignored": ~known}
print(f"{'pixels':20}", "".join(f"{which.sum():16}" for which in groups.values()))
print(f"{'share of the pull':20}", "".join(f"{g:>16}" for g in groups))
for name, m in maps.items():
    print(f"{name:20}", "".join(f"{m[which].sum() / m.sum():16.0%}" for which in groups.values()))
plot.pulls(images[34], labels[0], maps, PARTS)

# %% [markdown]
# No loss pulls at an **ignored** pixel. The many **easy** pixels keep about a tenth of the pull under cross-entropy, Dice and their sum. The focal loss silences them and gives about nine tenths to the **hard** ones. The weight gives more than nine tenths to the thin parts, hard or not. Dice gives them about two thirds, though nobody told it that they are rare: it divides by the size of the class, so the fewer pixels a class has, the more each of them counts.
#
# More pull is not yet a leg found.
#
# ## 8 · What does it buy?
#
# Five copies of the network from section 1 now train on, for as many steps and on the same batches, each with another loss. Where your functions pass their checks, they do the work.

# %% tags=["demo", "experiment"]
import copy

answers = dict(pixel_losses=pixel_losses, weighted_mean=weighted_mean, focal=focal, soft_dice=soft_dice)
mine = {name: getattr(check, name)(f).outcome == "passed" for name, f in answers.items()}
print("yours:", ", ".join(name for name in mine if mine[name]) or "none", " (the library's stand in for the rest)")


def entropy(z, t, w=torch.ones(3)):
    if mine["pixel_losses"] and mine["weighted_mean"]:
        return weighted_mean(pixel_losses(z.float(), t), t, w.to(z.device))
    return losses.cross_entropy(z, t, w.to(z.device))


def focused(z, t):
    if mine["focal"] and mine["pixel_losses"] and mine["weighted_mean"]:
        return weighted_mean(focal(-pixel_losses(z.float(), t), 2.0), t, torch.ones(3, device=z.device))
    return losses.focal_loss(z, t)


def dice(z, t):
    return soft_dice(z.float().softmax(1), t) if mine["soft_dice"] else losses.dice_loss(z, t)

# %% tags=["demo", "experiment"]
trained = {}
for name, loss in {
    "cross-entropy": entropy,
    "weighted": lambda z, t: entropy(z, t, weights),
    "focal, γ = 2": focused,
    "Dice": dice,
    "sum": lambda z, t: entropy(z, t) + dice(z, t),
}.items():
    net = trained[name] = copy.deepcopy(start)
    train.fit(net, scenes, steps=max(1, steps // 8), loss=loss, curve=False, title=name)

# %% [markdown]
# Count for each network how many pixels it *calls* thin, how many thin parts it finds (**recall**) and how many of its calls are right (**precision**). And add a baseline that costs no training: the network of plain cross-entropy calls its likeliest pixels thin, just as many as the other network does.

# %% tags=["demo", "experiment"]
def scores(net):
    """Logits of the unseen images; calls, recall, precision and IoU of thin parts; mIoU."""
    with torch.no_grad():
        z = torch.cat([net.eval().cpu()(part) for part in images.split(50)])
    confusion = metrics.Confusion(3).update(z.argmax(1), truth)
    found, there, calls = confusion.matrix[2, 2], confusion.matrix[2].sum(), confusion.matrix[:, 2].sum()
    return z, int(calls), found / there, found / calls, confusion.iou[2], confusion.miou


thin = truth == 2
z = scores(trained["cross-entropy"])[0]
lead = (z[:, 2] - z[:, :2].amax(1)).flatten()
finds = thin.flatten()[lead.argsort(descending=True)].cumsum(0)  # thin pixels among the 1, 2, 3, … likeliest
points = {}
print(" " * 15 + "calls  recall  precision   IoU   mIoU  |  cross-entropy, as many calls: recall, precision, IoU")
for name, net in trained.items():
    _, calls, recall, precision, iou, miou = scores(net)
    points[name], hits = (float(recall), float(precision)), finds[max(calls, 1) - 1]
    print(f"{name:14}{calls:6,}{recall:8.0%}{precision:11.0%}{iou:6.2f}{miou:7.3f}", end="  |")
    print(f"{hits / thin.sum():8.0%}{hits / max(calls, 1):6.0%}{hits / (thin.sum() + calls - hits):7.2f}")
ks = torch.logspace(2, 5, 60).long().clamp(max=len(finds))
curve = [(float(finds[k - 1] / thin.sum()), float(finds[k - 1] / k)) for k in ks]
plot.trade_off(points, curve, "cross-entropy, calling more or less")

# %% [markdown] quiz="start" answer="c"
# First the left half. The weighted network finds by far the most thin pixels. But seven of eight that it calls thin are not, and mIoU falls. Dice and the sum find fewer, and have the highest IoU.
#
# Now the right half, at equal numbers of calls. Plain cross-entropy does about as well as each of the others: in the figure, every point lies on its curve or near it. So these losses have not taught the network to see legs much better. They changed how readily it says "leg". (With two more seeds, and with five times as many steps, the weighted network was never above the curve, and Dice mostly a little above it.)
#
# On other data a loss may do more. To know, compare at equal calls: moving one logit after training costs nothing, and can be undone. What Dice spares you is the search for a sensible point on the curve.
#
# ## Checkpoint
#
# **Question 1.** You start to train a network with 19 classes with plain cross-entropy. The loss of the first batch is 11.4. What do you make of it?
#
# - a) Nothing. Losses are high at first.
#   > How high, you know beforehand. A net that knows nothing gives each class 1/19.
# - b) There are rare classes in the batch.
#   > If all classes get about 1/19, then a pixel of a rare class costs the same as any other.
# - c) The net is sure of things that it cannot know. Look at how its logits come about.
#   > Yes. ln 19 is 2.9. At 11.4 the true classes got about 0.00001: the logits are far too large, perhaps from pictures left at 0 to 255.
# - d) Some masks hold 255.
#   > Ignored, they take no part. Taken for a class, they give an error.

# %% [markdown] quiz="median" answer="a"
# **Question 2.** A colleague swaps inverse frequency for median frequency. Both are counted over all pixels of the set, and both are scaled to mean 1. What changes in training?
#
# - a) Nothing.
#   > Yes. The median is one factor for all classes, and the scaling removes it. Only counting over the images with the class would make a difference.
# - b) Rare classes get smaller weights.
#   > Before scaling all weights differ by one factor. What does scaling do to a factor?
# - c) Rare classes get larger weights.
#   > Before scaling all weights differ by one factor. What does scaling do to a factor?
# - d) A class that never occurs no longer gets an infinite weight.
#   > Both divide by that class's frequency, so both need the same care.

# %% [markdown] quiz="easy" answer="b"
# **Question 3.** A picture has 10,000 pixels of grass with *p* = 0.99 and 100 of antler with *p* = 0.2. Which loss has more than half of its pull on the grass? (The pull of a pixel under cross-entropy is 1 − *p*.)
#
# - a) None of them.
#   > Count: 10,000 · 0.01 against 100 · 0.8.
# - b) Cross-entropy.
#   > Yes: 100 against 80. Each blade of grass asks for almost nothing, but they are many. A weight of 2 on the antler already turns the balance.
# - c) Focal loss with γ = 2.
#   > Its factor (1 − p)² is 0.0001 on the grass and 0.64 on the antler.
# - d) Cross-entropy with a weight of 10 on the antler.
#   > That makes 100 on the grass against 800 on the antler.

# %% [markdown]
# **An interviewer asks:** "We look for scratches in photographs of car doors. Two photographs in three show none. Annotators left about 40% of the pixels unlabelled. With Dice loss and batches of two, the curve jumps between 0.1 and 0.9 and never settles, and the network sees scratches everywhere. What do you check first, and what would you change?"
#
# Answer in four to six sentences. *Graded by hand, 2 points:* one for two causes that fit these facts, each with a way to test it; one for a change that answers them, and for what it costs or leaves open.

# %% [markdown] written="scratches" points=2
# I would feed the loss right answers before I looked at the network. One: a made-up perfect prediction on a mask with 40% ignored; if it costs about a quarter or more, ignored pixels are in the sum over predictions. Two: a nearly perfect prediction for a batch without any scratch; if it costs about a half, the scratch class is averaged in although it is absent, and four batches in nine have no scratch at all, which explains the jumps.
#
# Then I would leave ignored pixels out of both sums and average over the classes that occur. That has a price: a batch without scratches now says little about false alarms, so I would add cross-entropy over the labelled pixels, which gives every one of them a pull towards paint. I would judge by recall and precision on whole photographs, those without scratches included, and not by the loss.

# %% [markdown]
# ## Hand in
#
# Save the notebook (Ctrl+S, or ⌘S on a Mac) and follow "Submit" in the course's README. **Next:** lesson 07 asks what a score says, and which scores flatter.
#
# *To read on:* D. Eigen and R. Fergus, "Predicting depth, surface normals and semantic labels with a common multi-scale convolutional architecture" (2015), for median frequency; F. Milletari, N. Navab and S.-A. Ahmadi, "V-Net" (2016), for Dice; T.-Y. Lin and others, "Focal loss for dense object detection" (2017); A. K. Menon and others, "Long-tail learning via logit adjustment" (2021), for what shifting a logit can do; L. Maier-Hein and others, "Metrics reloaded" (2024).
