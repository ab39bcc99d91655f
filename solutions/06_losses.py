# %% [markdown]
# # 06 · Losses: what the network is told to care about
#
# A network does what its loss rewards, and nothing else. If three per cent of the pixels are legs, ears and antlers, the loss decides whether the network bothers with them. By the end you can read every line of the figure below.
#
# **You will be able to**
#
# - write cross-entropy per pixel that survives any logits, and see where it pulls;
# - weight rare classes and focus on hard pixels;
# - write a Dice loss that does not punish right answers;
# - tell a loss that finds more from one that only calls more.
#
# **You need** lessons 01 (IoU), 02, 03 (mIoU) and 04 (U-Net), and to have met softmax, logarithms and `backward()`. **Time:** 90 minutes. **Points:** 20.

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
# Above is one pixel: what it costs, and how hard it pulls, when its true class gets the probability *p*. Below is a picture with one object: what it costs to find only a share of it. The cross is the same antler on both sides. On the left it costs next to nothing, on the right more than half of all there is to lose.
#
# ## 1 · A network that ignores what is thin
#
# Cut each animal of Menagerie in two: its **body**, and its **thin parts**, where no 5 × 5 square of animal fits.

# %% tags=["demo", "experiment"] fold="The share of each class"
PARTS = ("background", "body", "thin part")
size = train.scale(cpu=48, gpu=96)


def parts(split, which):
    """Images and masks: 0 background, 1 body, 2 thin part."""
    images, animals = data.stack(data.scenes(split, size=size, target="instance", length=2000), which)
    animal = animals > 0
    return images, animal.long() + metrics.thin(animal).long()


hundreds = train.progress([range(first, first + 100) for first in range(0, 2000, 100)], "scenes")
scenes = [scene for which in hundreds for scene in zip(*parts("train", which))]
images, truth = parts("val", 200)
per_image = torch.stack([mask.flatten().bincount(minlength=3) for _, mask in scenes])
for name, share in zip(PARTS, per_image.sum(0) / per_image.sum()):
    print(f"{name:12}{100 * share:4.1f} % of the pixels")

# %% tags=["demo", "experiment"]
depth, steps = train.scale(cpu=(1, 800), gpu=(2, 4000))
torch.manual_seed(0)
start = models.UNet(classes=3, base=8, depth=depth)
print(train.fit(start, scenes, steps=steps, title="cross-entropy"))

# %% tags=["demo", "experiment"] fold="What the network finds and loses"
guess = train.predict(start, images)
counts = metrics.confusion_matrix(guess, truth, 3)
for i, name in enumerate(PARTS):
    print(f"{name:12} found: {100 * (counts[i, i] / counts[i].sum()):2.0f} %")
print(f"accuracy: {100 * (counts.diagonal().sum() / counts.sum()):.0f} %")
plot.comparison(images[[40, 149]], truth[[40, 149]], guess[[40, 149]], classes=PARTS)

# %% [markdown]
# Most pixels are right, and most pixels of legs and antlers are lost. Nobody told the network that legs matter more than grass.
#
# ## 2 · Cross-entropy, one pixel at a time
#
# For each pixel the network gives one number a class, the **logits** *z*. Softmax turns them into probabilities: *p*ᵢ = exp(*z*ᵢ) / Σⱼ exp(*z*ⱼ). **Cross-entropy** is −ln *p* of the true class: how much of your belief did you put on the truth?
#
# A network that has learned nothing gives each of *C* classes about 1/*C*. Its loss is then about ln *C*.

# %%
z = torch.tensor([2.0, 1.0, 0.0])
p = z.exp() / z.exp().sum()
for name, value, loss in zip(("true class is 0", "true class is 1", "true class is 2"), p, -p.log()):
    print(f"{name}:  p = {value:.3f},  loss = {loss:.3f}")
torch.manual_seed(0)
fresh = models.UNet(classes=21, base=8, depth=2)
noise, labels = torch.rand(4, 3, 48, 48), torch.randint(0, 21, (4, 48, 48))
print(f"expected: ln 21 = {torch.tensor(21.0).log():.3f}    a fresh net: {losses.cross_entropy(fresh(noise), labels):.3f}")

# %% [markdown]
# Hold the first loss of every training run against ln *C*. (Our run above has three classes, and ln 3 = 1.10. A fresh network's logits are not quite equal, so a few tenths more are normal; 5 would not be.)
#
# The formula, typed as it stands, breaks on large logits, and label 255 breaks what comes after it.

# %%
sure = torch.tensor([1000.0, 0.0])
print("softmax as typed:      ", sure.exp() / sure.exp().sum())
print("the same, all less 1000:", (sure - 1000).exp() / (sure - 1000).exp().sum())
print("one-hot of [0, 255]:   ", tuple(F.one_hot(torch.tensor([0, 255])).shape))
nothing = torch.full((1, 2, 2), 255)
print("torch, nothing labelled:", F.cross_entropy(torch.zeros(1, 3, 2, 2), nothing, ignore_index=255))

# %% [markdown] statement="pixel_losses" minutes=5 level=1
# exp(1000) is infinite, and infinity divided by infinity is not a number. Of the labels 0 and 255, `one_hot` makes 256 classes. The mean over no pixels is 0 / 0.
#
# Softmax does not change when the same number is subtracted from all logits of a pixel. Subtract the largest: then no exp is above 1. But a probability can still round to 0, and ln 0 is −∞. So compute not *p* but its logarithm: ln *p*ᵢ = *z*ᵢ − ln Σⱼ exp(*z*ⱼ).
#
# ### A loss for each pixel
#
# Write `pixel_losses(logits, target)`: the cross-entropy of each pixel.
#
# - `logits`: float tensor `(B, C, H, W)`, with values from −1000 to 1000;
# - `target`: `int64` tensor `(B, H, W)`: classes 0 to *C* − 1, or 255 where nobody has labelled.
#
# Return a float tensor `(B, H, W)`: −ln *p* of the true class, natural logarithm, and 0 where the target is 255. Gradients must flow to `logits`. Only `shifted` and `log_sum` are missing below. Use `exp`, `log`, maximum and sum, not log-softmax, logsumexp or a finished loss (torch's or the course's).
#
# For example, one pixel with logits `[0, 0]` and class 1 has loss ln 2 = 0.693. With `[1000, 0]` and class 1 it has 1000.
#
# In every exercise `target` is such a tensor, and arguments stay unchanged.

# %% answer="pixel_losses"
def pixel_losses(logits, target):
    """Cross-entropy of each pixel, (B, H, W): logits (B, C, H, W), target (B, H, W); 0 where it is 255."""
    ignored = target == 255
    index = target.masked_fill(ignored, 0).unsqueeze(1)  # (B, 1, H, W), with 0 in place of 255
    # yours: shifted, (B, C, H, W): the logits less the largest of their pixel
    #        log_sum, (B, H, W): the logarithm of the sum of exp(shifted) over the classes
    ### BEGIN SOLUTION
    shifted = logits - logits.amax(1, keepdim=True)
    log_sum = shifted.exp().sum(1).log()
    ### END SOLUTION
    own = shifted.gather(1, index).squeeze(1)  # of each pixel's true class
    return (log_sum - own).masked_fill(ignored, 0.0)

# %% check="pixel_losses" seed=978389095802497658

# %% [markdown]
# If you are stuck, run `check.pixel_losses.hint()` in a cell of your own.
#
# ## 3 · The pull
#
# Training follows the gradient: how the loss changes when one logit is nudged. Here for one pixel, by torch.

# %%
z = torch.tensor([2.0, 1.0, 0.0], requires_grad=True)
loss = F.cross_entropy(z[None], torch.tensor([1]))  # the true class is 1
loss.backward()
print("probabilities:", [f"{v:+.3f}" for v in z.softmax(0)])
print("gradient:     ", [f"{v:+.3f}" for v in z.grad])

# %% [markdown] statement="logit_gradient" minutes=5 level=2
# The two lines agree but for the true class, which has 1 taken off: 0.245 − 1 = −0.755. A step goes *against* the gradient. So the true class's logit is pulled up with the force 1 − *p* (the blue line, top right in the first figure), and every other is pushed down by its own probability.
#
# ### The gradient by hand
#
# Write `logit_gradient(logits, target)`: the gradient of the **mean** cross-entropy over the labelled pixels with respect to every logit, by this rule. `softmax` is allowed; torch's `backward`, `autograd` and `func` and finished losses are not. `logits` are as in exercise 1.
#
# Return a float tensor `(B, C, H, W)`: (softmax − one-hot) / *n* at each of the *n* labelled pixels, 0 at ignored ones, and 0 everywhere if none is labelled. `one_hot` is given.
#
# For example, for two pixels that both have logits `[0, 0]`, the first of class 1 and the second ignored, the gradients are `[0.5, −0.5]` and `[0, 0]`.

# %% answer="logit_gradient"
def logit_gradient(logits, target):
    """Gradient (B, C, H, W) of the mean cross-entropy over labelled pixels, by formula."""
    known = target != 255  # (B, H, W)
    one_hot = F.one_hot(target.masked_fill(~known, 0), logits.shape[1]).movedim(-1, 1)
    # one_hot, (B, C, H, W): 1 at the true class. At an ignored pixel the 1 is at class 0, and must not count.
    ### BEGIN SOLUTION
    pulls = (logits.softmax(1) - one_hot) * known.unsqueeze(1)
    return pulls / known.sum().clamp(min=1)
    ### END SOLUTION

# %% check="logit_gradient" seed=627106530392071384

# %% [markdown] statement="weighted_mean" minutes=4 level=1
# So the pixels of a lost leg pull hard. But they are few, and in a mean all pixels count alike. The simplest remedy: let a rare one count as several.
#
# ### A mean in which some count more
#
# Write `weighted_mean(values, target, weights)`, without a finished loss.
#
# - `values`: float tensor `(B, H, W)`. What stands at ignored pixels must not matter;
# - `weights`: float tensor `(C,)`, one weight a class, none negative.
#
# Return a scalar tensor, the fraction `top` / `bottom`. `top` is the sum, over the labelled pixels, of value times class weight. `bottom` is the sum of those pixels' weights, so that weights of 2 for all classes change nothing. Where `bottom` is 0 the last line, given, returns 0. Gradients must flow to `values`.
#
# For example, `values` of `[[[1, 3, 9]]]`, `target` `[[[0, 1, 255]]]` and `weights` `[1, 3]` give (1·1 + 3·3) / (1 + 3) = 2.5.

# %% answer="weighted_mean"
def weighted_mean(values, target, weights):
    """The mean of values (B, H, W) over labelled pixels, weighted by each pixel's class."""
    chosen = target != 255
    ### BEGIN SOLUTION
    per_pixel = weights[target[chosen]]
    top, bottom = (values[chosen] * per_pixel).sum(), per_pixel.sum()
    ### END SOLUTION
    return top / torch.where(bottom > 0, bottom, 1.0)

# %% check="weighted_mean" seed=654091150589846110

# %% [markdown]
# ## 4 · Which weights?
#
# The obvious choice is one over the frequency: a class ten times as rare weighs ten times as much. Beside the weights stands each class's share of the pull on unseen pictures.

# %% tags=["demo"] fold="Pixels, pull and weight of each class"
p = train.logits(start, images).softmax(1)
left = 1 - p.gather(1, truth[:, None])[:, 0]  # the force on each pixel's true class
weights = losses.class_weights(per_image.sum(0))  # scaled to a mean of 1
print(f"{'':12}{'pixels':>8}{'pull':>8}{'weight':>8}")
for c, name in enumerate(PARTS):
    share, force = per_image[:, c].sum() / per_image.sum(), left[truth == c].sum() / left.sum()
    print(f"{name:12}{100 * share:6.1f} %{100 * force:6.0f} %{weights[c]:8.2f}")

# %% [markdown] statement="rarity_weights" minutes=7 level=2
# A pixel of a thin part pulls harder than the average one. But the others are many: together they have more than four fifths of the pull.
#
# Papers offer **median frequency**: the median of all frequencies, over the class's own. That looks like a second choice. But the median is one factor for all classes. Scaled to the same mean, these are the *same* weights.
#
# What the papers' recipe really changes is **how frequency is counted**: only over the images *in which the class occurs*. A class in few images, but large there (a bus), is then not taken for a rare one.
#
# ### Weights for rare classes
#
# Write `rarity_weights(counts)`, without `losses.class_weights`.
#
# - `counts`: `int64` tensor `(N, C)`: how many labelled pixels of class *c* image *n* has.
#
# Return two float tensors of shape `(C,)`:
#
# 1. one over the class's share of all pixels of the set;
# 2. one over its share of the pixels of those images in which it occurs.
#
# A class that occurs nowhere gets 0 in both. At least one class occurs. The last line, given, scales `first` and `second` to a mean of 1 over the classes that occur.
#
# For example, in `[[90, 10, 0], [100, 0, 0]]` the shares of classes 0 and 1 are 190/200 and 10/200 by the first rule, 190/200 and 10/100 by the second. The weights are `[0.1, 1.9, 0]` and `[0.190, 1.810, 0]`.

# %% answer="rarity_weights"
def rarity_weights(counts):
    """Two weights (C,) from pixel counts (N, C): by share of the set, by share of the images with the class."""
    pixels = counts.sum(0).double()  # (C,): of each class, in the whole set
    occurs = pixels > 0
    labelled = counts.sum(1, keepdim=True)  # (N, 1): of each image, all classes together
    ### BEGIN SOLUTION
    spaces = labelled.sum(), ((counts > 0) * labelled).sum(0)
    first, second = (torch.where(occurs, space / pixels.clamp(min=1), 0.0) for space in spaces)
    ### END SOLUTION
    return tuple((w / w[occurs].mean()).float() for w in (first, second))

# %% check="rarity_weights" seed=643956818349955407

# %% [markdown] statement="focal" minutes=5 level=2
# ## 5 · Easy and hard
#
# Weights ask *which class* a pixel is. The **focal loss** asks *how sure* the network already is of it: it multiplies a pixel's cross-entropy by (1 − *p*)^γ, where *p* is the probability of its true class. With γ = 2 the factor is 0.01 at *p* = 0.9, and 0.81 at *p* = 0.1. With γ = 0 it is 1, and the focal loss is cross-entropy. (With γ = 2 and *p* below about 0.30 it even *pulls* harder than cross-entropy, as the first figure shows: a step that raises *p* lowers the factor, too.)
#
# ### The focal factor
#
# Write `focal(log_p, gamma)`, the focal loss of each pixel, without a finished loss.
#
# - `log_p`: float tensor of any shape: ln *p* of the true class, from −1000 to exactly 0;
# - `gamma`: a number of at least 0, not always whole.
#
# Return −(1 − *p*)^γ · ln *p*, of the same shape. Gradients must flow to `log_p` through *both* factors, and be finite everywhere. (At ln *p* = 0, with γ = 0.5, the power's slope is infinite, and infinity times 0 is NaN. So keep 1 − *p* a hair above 0.)
#
# For example, at *p* = 0.5 and γ = 2 it is 0.25 · 0.693 = 0.173.

# %% answer="focal"
def focal(log_p, gamma):
    """Focal loss of each pixel from the log-probability of its true class."""
    ### BEGIN SOLUTION
    doubt = (1.0 - log_p.exp()).clamp(min=1e-12)
    return doubt.pow(gamma) * -log_p
    ### END SOLUTION

# %% check="focal" seed=851758627644818004

# %% [markdown]
# Now the pull on one picture, the dog's: the brighter a pixel, the larger its share. The rightmost columns are marked as not labelled. Which dial moves the pull to the legs, and which to whatever is wrong?

# %% tags=["demo"] fold="Two dials, γ and a weight"
logits = train.logits(start, images[40:41])
labels = truth[40:41].clone()
labels[:, :, -10:] = 255


def pull(loss):
    """How hard a loss pulls at each pixel of the dog: (H, W)."""
    z = logits.clone().requires_grad_()
    loss(z, labels).backward()
    return z.grad[0].abs().sum(0)


widgets.Live(
    lambda gamma, weight: plot.focus(logits[0], labels[0], gamma, weight, name="thin parts"),
    {"gamma": widgets.Slider("γ", 2.0, 0.0, 5.0, 0.5), "weight": widgets.Slider("weight of thin parts", 1.0, 1.0, 30.0, 1.0)},
)

# %% [markdown]
# The weight moves the pull to one class, right or wrong. γ moves it to what is wrong: a leg, or a pixel that the annotator got wrong.
#
# ## 6 · Dice, and two of its lies
#
# All losses so far are sums over pixels. **Dice** looks at a class as a whole: twice what prediction and truth share, over the sum of both. Say the truth has 10 pixels, the prediction 8, and they share 6: Dice is 2·6 / (10 + 8) = 0.67. A small object counts like a large one.
#
# **Soft Dice** takes probabilities for predicted pixels: 2 Σ *p t* / (Σ *p* + Σ *t*), where *t* is 1 on the pixels of the class, else 0. The loss is 1 minus that, averaged over classes. Here is a version from many repositories; `smooth` keeps 0 / 0 away.

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
# All seems well. But the function lies twice: about pixels that nobody labelled, and about classes that are not in the batch.
#
# ### Two right answers, punished
#
# Write `two_lies()`. It returns two inputs of `copied_dice`: `(logits, target), (logits, target)`. Each is a right answer that costs more than 0.3.
#
# - `logits` is a float tensor `(B, C, H, W)` with 2 to 21 classes, and `target` has at most 100,000 pixels;
# - some pixels are labelled, and at all of these the true class has a probability of at least 0.99;
# - in the **first** input every class occurs and some pixels are ignored (255);
# - in the **second** no pixel is ignored and at least one class does not occur.
#
# For example, four pixels of class 0, each with logits `[6, 0]`, are right: *p* = 0.998. But they cost only 0.005, too little for the second input. What would make the `both` of class 1 larger?

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

# %% check="two_lies" seed=1108360326224868792

# %% [markdown] statement="soft_dice" minutes=7 level=2
# The first lie: the prediction on ignored pixels is counted in `both`, and can't be in `shared`.
#
# The second: a class that is nowhere in the batch has a `shared` of 0. Its `both` is made of crumbs: the little probability that each right pixel leaves it. From tens of thousands of pixels these add up to more than a `smooth` of 1.
#
# ### A Dice loss that tells the truth
#
# Write `soft_dice(probabilities, target)`, without a finished loss.
#
# - `probabilities`: float tensor `(B, C, H, W)` that sums to 1 over the classes.
#
# Return a scalar tensor: 1 minus the mean, over the classes that occur in `target`, of 2 Σ *p t* / (Σ *p* + Σ *t*). Every sum runs over the labelled pixels of the whole batch together. If nothing is labelled, return 0. Gradients must flow to `probabilities`.
#
# For example, take two pixels, of class 0 with *p* = `[0.8, 0.2]` and of class 1 with `[0.4, 0.6]`. Class 0 has Dice 2·0.8 / (1.2 + 1) = 0.727, class 1 has 2·0.6 / (0.8 + 1) = 0.667. The loss is 1 − 0.697 = 0.303.

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

# %% check="soft_dice" seed=719705283199550698

# %% [markdown]
# Look again at the second lie. Every pixel is right: the true class's logit leads all others by some margin.

# %% tags=["demo"] fold="Right answers, with most classes absent"
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
# Between margins 2 and 7, *p* of the true class rises from 0.29 to 0.98, and the Dice loss over all 19 classes falls only from 0.93 to 0.82. It drops only at margins 8 to 12, where an absent class's crumbs shrink to the size of `smooth`. By then the other losses have nothing left to ask. None of them has a term for an absent class, whatever weight that class has. (False alarms of it still cost: their probability is missing from the true class.)
#
# Cross-entropy asks each pixel for itself, Dice all of a class together. Many people train on the **sum** of the two.
#
# ## 7 · Where do they pull?
#
# The dog under all losses (cross-entropy by your `logit_gradient`, if it is right). Only a pixel's share matters: the optimiser (AdamW) divides by the size of the gradient anyway.

# %% tags=["demo"] fold="Where each loss pulls"
arms = {
    "cross-entropy": losses.cross_entropy,
    "weighted": lambda z, t: losses.cross_entropy(z, t, weights.to(z)),
    "focal, γ = 2": losses.focal_loss,
    "Dice": losses.dice_loss,
    "sum": losses.ce_dice,
}
maps = {name: pull(loss) for name, loss in arms.items()}
if check.logit_gradient.yours(logit_gradient, None):
    maps["cross-entropy"] = logit_gradient(logits, labels)[0].abs().sum(0)
known = labels[0] != 255
p = logits[0].softmax(0).gather(0, torch.where(known, labels[0], 0)[None])[0]  # of the true class
groups = {"thin parts": labels[0] == 2, "hard (p < 0.5)": known & (p < 0.5), "easy (p > 0.9)": known & (p > 0.9), "ignored": ~known}
print(f"{'pixels':20}", "".join(f"{which.sum():16}" for which in groups.values()))
print(f"{'share of the pull':20}", "".join(f"{g:>16}" for g in groups))
for name, m in maps.items():
    print(f"{name:20}", "".join(f"{100 * (m[which].sum() / m.sum()):14.0f} %" for which in groups.values()))
plot.pulls(images[40], labels[0], maps, PARTS)

# %% [markdown]
# No loss pulls at an **ignored** pixel. The many **easy** ones keep less than a fifth of the pull under cross-entropy, Dice and their sum. The focal loss silences them and gives more than three quarters to the **hard** ones. The weight gives more than two thirds to the thin parts, hard or not. Under cross-entropy the thin parts have a larger share here than over all pictures: this animal has many of them. Dice adds to that, as it divides by the size of the class.
#
# More pull is not yet a leg found.
#
# ## 8 · What does it buy?
#
# Five copies of the network train on, each with another loss. `entropy`, `focused` and `dice` use your functions where these pass their checks.

# %% tags=["demo", "experiment"] fold="Which of your functions do the work"
import copy

answers = dict(pixel_losses=pixel_losses, weighted_mean=weighted_mean, focal=focal, soft_dice=soft_dice)
mine = {name: getattr(check, name).yours(f, None) for name, f in answers.items()}
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
# Count for each network how many pixels it *calls* thin, what share of the thin pixels it finds (**recall**), and what share of its calls is right (**precision**). The last three columns, right of the bar `|`, do without another loss. There the network of plain cross-entropy calls as many pixels thin as the row's network does: those that it thinks likeliest.

# %% tags=["demo", "experiment"] fold="What each loss buys and pays"
def scores(net):
    """Logits of the unseen images; calls, recall, precision and IoU of thin parts; mIoU."""
    z = train.logits(net, images)
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
    print(f"{name:14}{calls:6,}{100 * recall:6.0f} %{100 * precision:9.0f} %{iou:6.2f}{miou:7.3f}", end="  |")
    print(f"{100 * (hits / thin.sum()):6.0f} %{100 * (hits / max(calls, 1)):4.0f} %{hits / (thin.sum() + calls - hits):7.2f}")
ks = torch.logspace(2, 5, 60).long().clamp(max=len(finds))
curve = [(float(finds[k - 1] / thin.sum()), float(finds[k - 1] / k)) for k in ks]
plot.trade_off(points, curve, "cross-entropy, calling more or less")

# %% [markdown] quiz="start" answer="c"
# Left of the bar, the weighted network finds by far the most thin pixels. But more than three of four that it calls thin are not, and it has the lowest mIoU. Dice and the sum find more than plain cross-entropy, and their IoU is about the same or higher.
#
# Right of the bar, at equal numbers of calls, plain cross-entropy is about as good as the others. In the figure, the weighted network lies on the curve or below it, the focal one close to it, Dice and the sum on it or a little above. (So it was with each of three seeds.) So these losses have not taught the network to see legs much better. They changed how readily it says "leg".
#
# On other data a loss may do more: compare at equal calls. What Dice spares you is the search for a good point on the curve.
#
# ## Checkpoint
#
# **Question 1.** You start to train a network with 19 classes with plain cross-entropy. The first batch's loss is 11.4. What do you make of it?
#
# - a) Nothing. Losses are high at first.
#   > How high, you know beforehand. A net that knows nothing gives each class 1/19.
# - b) There are rare classes in the batch.
#   > If all classes get about 1/19, a pixel of a rare class costs the same as any other.
# - c) The net is sure of things that it cannot know.
#   > Yes. ln 19 is 2.9. At 11.4 the true classes got about 0.00001: the logits are far too large, perhaps from pictures left at 0 to 255.
# - d) Some masks hold 255.
#   > Ignored, they take no part. Taken for a class, they give an error.

# %% [markdown] quiz="median" answer="a"
# **Question 2.** A colleague swaps inverse frequency for median frequency. Both are counted over all pixels of the set and scaled to mean 1. What changes in training?
#
# - a) Nothing.
#   > Yes. The median is one factor for all classes, and the scaling removes it.
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
#   > Yes: 100 against 80. Each blade of grass asks for almost nothing, but they are many.
# - c) Focal loss with γ = 2.
#   > Its factor (1 − p)² is 0.0001 on the grass and 0.64 on the antler.
# - d) Cross-entropy with a weight of 10 on the antler.
#   > That makes 100 on the grass against 800 on the antler.

# %% [markdown]
# **An interviewer asks:** "We look for scratches in photographs of car doors. Two in three show none; 40% of the pixels are unlabelled. With Dice loss and batches of two, the loss jumps between 0.1 and 0.9, and the network sees scratches everywhere. What would you check and change?"
#
# Answer in three to five sentences. *Graded by hand, 2 points:* one for two causes that fit, each with a test; one for a change that answers them, and what it leaves open.

# %% [markdown] written="scratches" points=2
# First I would feed the loss right answers. If a perfect prediction on a mask with 40% ignored costs about a quarter, ignored pixels are in the sum over predictions. If a nearly perfect one for a batch without a scratch costs about a half, the absent class is averaged in; four batches in nine have no scratch, which explains the jumps. I would leave ignored pixels out of both sums and average over the classes that occur. A batch without scratches then says little about false alarms, so I would add cross-entropy over the labelled pixels, and judge by recall and precision on whole photographs.

# %% [markdown]
# ## Hand in
#
# Save the notebook (Ctrl+S, or ⌘S on a Mac) and follow "Submit" in the course's README. **Next:** lesson 07 asks what a score says, and which scores flatter.
#
# *To read on:* Eigen and Fergus, "Predicting depth, surface normals and semantic labels" (2015); Milletari and others, "V-Net" (2016); Lin and others, "Focal loss for dense object detection" (2017); Menon and others, "Long-tail learning via logit adjustment" (2021).
