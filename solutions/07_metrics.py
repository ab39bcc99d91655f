# %% [markdown]
# # 07 · Which number lies?
#
# Two programs label the same photograph. Each gets 661 pixels wrong. One frays the outlines. The other has not noticed that there is a fish. By the simplest score they are equally good.
#
# Every score has something that it cannot see. You will build the usual ones, and find out which of them flatters which of three models.
#
# **You will be able to**
#
# - count every kind of mistake in a table that does not lie;
# - turn it into accuracy, IoU, Dice and a report for each class;
# - say what a mean is taken over, and what that hides;
# - score an outline apart from the area inside it;
# - tell which model a number flatters.
#
# **You need** lessons 01 (IoU), 03 (mIoU) and 04 (U-Net). **Time:** 90 minutes. **Points:** 20.

# %% given="setup"
import torch
import torch.nn as nn
import torch.nn.functional as F

from course_lib import data, metrics, models, plot, train, widgets
from course_lib.checks.lesson_07 import check

print(f"torch {torch.__version__}, device: {train.device()}")

# %% tags=["demo"] fold="Two predictions with 661 wrong pixels each"
photo, truth = data.scenes("val", size=128, target="semantic", animals=3)[7]
fish = truth == data.SEMANTIC.index("fish")
lost = torch.where(fish, 0, truth)  # the fish becomes background
frayed = metrics.ragged(truth, pixels=int(fish.sum()))  # as many wrong pixels, all of them at outlines
plot.rivals(photo, truth, {"A": lost, "B": frayed}, data.SEMANTIC)

# %% [markdown]
# **Accuracy** is the share of pixels that are right. mIoU asks each class in turn how well it was found, and takes the mean. A's fish gets 0, and pulls the mean down.
#
# ## 1 · One number for all pixels
#
# How high is a high accuracy? Score a program that never looks and says "background" everywhere.

# %%
crowd = data.stack(data.scenes("val", size=64, target="semantic", length=200), 200)[1]
print(f"accuracy of 'background everywhere' on {len(crowd)} scenes: {100 * ((crowd == 0).float().mean()):.1f} %")

# %% [markdown]
# So here an accuracy of 83 % is worth nothing. Each *pixel* has one vote, and most are background.
#
# ## 2 · One table for every mistake
#
# Each labelled pixel is a pair: what it is, and what it was called. The **confusion matrix** counts the pairs: row for the true class, column for the one called. Follow the two circled pixels.

# %%
small_truth = torch.tensor([[0, 0, 0, 1], [0, 0, 1, 1], [2, 2, 1, 1]])
small_pred = torch.tensor([[0, 0, 1, 1], [0, 0, 1, 1], [2, 0, 1, 1]])
plot.pairs(small_pred, small_truth)

# %% [markdown]
# What is right stands on the diagonal. Number the cells row by row: a pixel of class *t* that was called *p* ticks cell *t* · classes + *p*. Then `torch.bincount`, which counts how often each whole number occurs, fills the table. The function below does that, in a great many repositories.

# %%
def fast_hist(pred, truth, classes):
    """Pixels of class [row] that were called [column]: (classes, classes)."""
    known = (truth >= 0) & (truth < classes)  # leaves out 255, "not labelled"
    cells = classes * truth[known] + pred[known]
    return torch.bincount(cells, minlength=classes**2).reshape(classes, classes)


print(fast_hist(small_pred, small_truth, 3).tolist())

# %% [markdown] statement="two_lies" minutes=7 level=2
# It agrees with the figure. Yet it can lie, in both directions.
#
# ### Two lies
#
# Write `two_lies(classes)`. It returns two pairs of maps for `fast_hist`, `(pred, truth), (pred, truth)`.
#
# - The first prediction is right at every labelled pixel, and the accuracy of `fast_hist`'s table (its diagonal over its sum) is *below* 1.
# - The second is wrong at every labelled pixel, and that accuracy *is* 1.
#
# The given pairs do not lie yet. Choose other `labels` and another `called`; that is enough.
#
# Maps hold whole numbers of any dtype and shape; the shape is the same within a pair. Masks read from PNG files are `uint8`, which after 255 starts again from 0. In torch, a `uint8` tensor times an `int` stays `uint8`. A prediction may hold anything; a truth holds classes 0 to `classes` − 1, or 255, and not 255 alone. `fast_hist` must not stop with an error. `classes` is from 17 to 30; with fewer there is no first lie.
#
# For example, with `labels = torch.tensor([5])` the first pair is right, but its accuracy is 1.

# %% answer="two_lies"
def two_lies(classes):
    """((pred, truth), (pred, truth)): right and scored below 1; wrong and scored 1."""
    labels = torch.tensor([5])  # right: both maps of the first pair are the same
    ground = torch.zeros(4, dtype=torch.int64)  # the second truth
    called = ground + 1  # wrong, and scored 0
    ### BEGIN SOLUTION
    labels = torch.arange(classes, dtype=torch.uint8)
    called = ground + classes + 1
    ### END SOLUTION
    return (labels, labels), (called, ground)

# %% check="two_lies" seed=995871181075776707

# %% [markdown] statement="count_pairs" minutes=7 level=2
# (Stuck? `check.two_lies.hint()`, in a cell of your own.)
#
# Both lies are silent, and both happen: masks are read as `uint8`, and a network with 21 outputs is scored with 19 classes. Write a table that can't be fooled and that keeps the ignored pixels in a last row.
#
# ### A table that does not lie
#
# Write `count_pairs(pred, truth, classes)`, without a finished confusion matrix.
#
# - `pred`, `truth`: tensors of one shape (any, perhaps without a pixel), each of `uint8`, `int16`, `int32` or `int64`;
# - return an `int64` tensor `(classes + 1, classes)`: row *t*, column *p* counts the pixels of class *t* that were called *p*. The last row counts pixels whose truth is 255, by what they were called;
# - raise a `ValueError` where a prediction is not one of 0 to `classes` − 1, on ignored pixels too (for the truth this is given);
# - leave the arguments as they were, here and in every exercise of this lesson.
#
# The last line is given, too. It counts `cells`: the cell's number for each pixel.
#
# For example, `pred = [0, 1, 1, 2]` and `truth = [0, 1, 2, 255]` with 3 classes give `[[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]]`.

# %% answer="count_pairs"
def count_pairs(pred, truth, classes):
    """Pixels of class [row] called [column], ignored ones in the last row: int64 (classes + 1, classes)."""
    ignored = truth == 255
    if (((truth < 0) | (truth >= classes)) & ~ignored).any():
        raise ValueError("a true label is neither a class nor 255")
    ### BEGIN SOLUTION
    if ((pred < 0) | (pred >= classes)).any():
        raise ValueError("a prediction is no class")
    rows = truth.to(torch.int64).masked_fill(ignored, classes)
    cells = rows * classes + pred
    ### END SOLUTION
    return torch.bincount(cells.flatten(), minlength=(classes + 1) * classes).view(classes + 1, classes)

# %% check="count_pairs" seed=1068823404515585832

# %% [markdown] statement="report" minutes=6 level=2
# ## 3 · Four ways to divide
#
# Take one class. Its **hits** stand on the diagonal, its **misses** in the rest of its row, its **false alarms** in the rest of its column. Class 1 of the table above has 5, 0 and 1. Four ratios:
#
# - **recall** = hits / (hits + misses): how much of the class was found?
# - **precision** = hits / (hits + false alarms): how much of what was called so is right?
# - **IoU** = hits / (hits + misses + false alarms), the intersection over the union of the two shapes;
# - **Dice** = 2 · hits / (2 · hits + misses + false alarms).
#
# Recall forgives every false alarm, precision every miss. IoU and Dice forgive neither. They always agree on which prediction of a class is better: Dice = 2 · IoU / (1 + IoU).
#
# ### A report from the table
#
# Write `report(matrix)`, without a finished metric. `matrix` is an `int64` tensor `(C, C)`, row: truth, column: prediction, without ignored pixels. Complete the dict `found`:
#
# | entry | what it is |
# |---|---|
# | `"share"` (given) | of each class, among all pixels of the truth |
# | `"recall"`, `"precision"`, `"iou"`, `"dice"` | of each class, as above: float tensors `(C,)` |
# | `"accuracy"` | a number: the share of all pixels that are right |
# | `"mean_accuracy"`, `"miou"` | numbers: the means of the recalls and of the IoUs that are not NaN |
#
# 0/0, nothing to score, stays NaN. Floating-point division does that by itself, and `.nanmean()` leaves NaN out. (A class that is called but is not there has IoU 0.) For a table of zeros every number is NaN.
#
# For example, for `[[6, 2], [1, 1]]`: recall `[0.75, 0.5]`, precision `[0.857, 0.333]`, IoU `[0.667, 0.25]`, Dice `[0.8, 0.4]`, accuracy 0.7, mean accuracy 0.625, mIoU 0.458.

# %% answer="report"
def report(matrix):
    """Scores of a confusion matrix (C, C): a dict of five (C,) tensors and three numbers."""
    table = matrix.double()
    hits, rows, columns = table.diagonal(), table.sum(dim=1), table.sum(dim=0)
    found = {"share": rows / table.sum()}
    ### BEGIN SOLUTION
    found["recall"], found["precision"] = hits / rows, hits / columns
    found["iou"] = hits / (rows + columns - hits)
    found["dice"] = 2 * hits / (rows + columns)
    found["accuracy"] = (hits.sum() / table.sum()).item()
    found["mean_accuracy"] = found["recall"].nanmean().item()
    found["miou"] = found["iou"].nanmean().item()
    ### END SOLUTION
    return found

# %% check="report" seed=1050148905618515063

# %% [markdown]
# Street scenes with 19 classes. One model says "road" everywhere; road is 35 % of the pixels. The other is perfect on the two largest classes and wrong on every pixel of the 17 others. Guess their mIoU.

# %% tags=["demo"] fold="Two models of street scenes, scored"
pixels = torch.tensor([350, 225] + [25] * 17)  # of each class, road first
road, dead = metrics.Confusion(19), metrics.Confusion(19)
road.matrix[:, 0] = pixels  # all of them are called road
dead.matrix = pixels.diag()
dead.matrix[2:] = dead.matrix[2:].roll(1, 0)  # each of the others is called by another's name
mine = check.report.yours(report, None)
for name, c in {"'road' everywhere": road, "two right, 17 dead": dead}.items():
    found = mine(c.matrix) if mine else {"accuracy": c.accuracy, "miou": c.miou}
    print(f"{name:18} accuracy {found['accuracy']:.3f}, mIoU {found['miou']:.3f}")
print("(by your report)" if mine else "(by the library, until your report passes)")

# %% [markdown]
# The first has 0.350 / 19 = 0.018: road has IoU 0.350, all else 0. The second has 2 / 19 = 0.105. Frequent classes pull *accuracy* up. They can't pull mIoU up: each class has one vote.
#
# ## 4 · Who has a vote?
#
# Each class, but which classes? A picture shows classes 0 and 1; the model knows four. It calls one pixel class 2, which is not there. Class 3 is nowhere at all.

# %% tags=["demo"] fold="One wrong pixel and five means"
from torchmetrics.functional.classification import multiclass_jaccard_index

half = torch.zeros(6, 6, dtype=torch.int64)
half[:, 3:] = 1
guess = half.clone()
guess[0, 0] = 2
iou = metrics.Confusion(4).update(guess, half).iou
print("IoU of each class:", [round(v, 3) for v in iou.tolist()])
print(f"mean over the classes of the truth:       {iou[:2].mean():.3f}")
print(f"mean over those of truth or prediction:   {iou.nanmean():.3f}")
print(f"mean over all four, class 3 counted as 0: {iou.nan_to_num(0).mean():.3f}")
print(f"mean over all four, class 3 counted as 1: {iou.nan_to_num(1).mean():.3f}")
print(f"torchmetrics' Jaccard index:              {multiclass_jaccard_index(guess, half, 4):.3f}")

# %% [markdown] statement="most_flattered" minutes=5 level=2
# One wrong pixel, and anything from 0.49 to 0.97. In the first mean class 2, the false alarm, has no vote. In the second it has, as in `torchmetrics` and in this course. The next two score a class that nobody spoke of.
#
# ### The most flattered model
#
# Write `most_flattered(matrices)`, without `torchmetrics`; only the inside of its loop is missing. `matrices` is a dict from model names to confusion matrices, `int64` `(C, C)`. A model's **gap** is what it gains by the first mean: its mIoU over the classes in the *truth*, less its mIoU over those in the truth *or* in its prediction. (The IoUs are the same in both.) Return `(name, gap)` for the largest gap. The truth is never empty, and no two models tie.
#
# For example, for `{"A": [[8, 0, 0], [0, 2, 0], [0, 0, 0]], "B": [[8, 0, 0], [0, 1, 1], [0, 0, 0]]}` (as tensors), B has the IoUs 1, 0.5 and 0, so its gap is 0.75 − 0.5. A has none. The answer is `("B", 0.25)`.

# %% answer="most_flattered"
def most_flattered(matrices):
    """(name, gap) of the model that gains most where only the truth's classes have a vote."""
    gaps = {}
    for name, table in matrices.items():
        hits, rows, columns = table.diagonal().double(), table.sum(dim=1), table.sum(dim=0)
        ### BEGIN SOLUTION
        each = hits / (rows + columns - hits)
        gaps[name] = each[rows > 0].mean().item() - each[rows + columns > 0].mean().item()
        ### END SOLUTION
    best = max(gaps, key=gaps.get)
    return best, gaps[best]

# %% check="most_flattered" seed=1089697361105926667

# %% [markdown]
# ## 5 · Many pictures
#
# To score a data set, add up all pixels in one table; or score each picture and take the mean. Of two pictures, one is half object; in the other the object has four pixels. Model A misses a quarter of the large object, B misses the small one. Which is better?

# %% tags=["demo"] fold="Two models, two pictures, two winners"
objects = torch.zeros(2, 8, 8, dtype=torch.int64)
objects[0, :4], objects[1, 2:4, 5:7] = 1, 1
a, b = objects.clone(), objects.clone()
a[0, 0], b[1] = 0, 0
for name, pred in (("A", a), ("B", b)):
    singles = [metrics.Confusion(2).update(p, t).miou for p, t in zip(pred, objects)]
    print(f"{name}: mIoU of all pixels {metrics.Confusion(2).update(pred, objects).miou:.3f}, "
          f"mean of the pictures' mIoUs {sum(singles) / 2:.3f}")
plot.grid([m for pred in (a, b) for m in objects * (2 - pred)],
          ["A, picture 1", "A, picture 2", "B, picture 1", "B, picture 2"], ("background", "hit", "missed"),
          title="Two models, two pictures: which is better?")

# %% [markdown] statement="two_means" minutes=6 level=2
# Over all pixels B is ahead, as large objects decide. In the mean over pictures A is, as a tiny object weighs as much as a huge one. Where pictures are patients, take the mean over pictures; for the area of a forest, all pixels. The mean over *batches* answers neither question: it changes with the batch size.
#
# ### Two means
#
# Write `two_means(batches, classes)`. `batches` is a list of `(pred, truth)` pairs, `int64` `(B, H, W)` each; sizes differ from batch to batch. The truth may hold 255, the prediction only classes. Return two numbers, `(of_all, of_images)`:
#
# - `of_all`: the mIoU of all labelled pixels together;
# - `of_images`: the mean of the pictures' mIoUs, without pictures that have no labelled pixel.
#
# A class has a vote where it occurs on labelled pixels, in truth or prediction. Without labelled pixels both numbers are NaN.
#
# Only the loop is missing. `metrics.Confusion(classes)` is the library's table: `.update(pred, truth)` adds the labelled pixels, `.miou` scores all so far (NaN if none). It or your `count_pairs` may count; no other finished metric may.
#
# For example, two pictures of four pixels. In the first, two are of class 0, two of class 1, all right: mIoU 1. In the second, three are of class 0, one of class 1, all called 0: IoU 3/4 and 0, mIoU 0.375. The mean is 0.6875. The tables added have IoU 5/6 and 2/3, mIoU 0.75. In one batch or two, the answer is `(0.75, 0.6875)`.

# %% answer="two_means"
def two_means(batches, classes):
    """(mIoU of all pixels together, mean of the pictures' mIoUs)."""
    whole, scores = metrics.Confusion(classes), []  # the table of all pixels; one mIoU for each picture
    ### BEGIN SOLUTION
    for pred, truth in batches:
        whole.update(pred, truth)
        for p, t in zip(pred, truth):
            scores.append(metrics.Confusion(classes).update(p, t).miou)
    ### END SOLUTION
    return whole.miou, torch.tensor(scores).nanmean().item()

# %% check="two_means" seed=883965692456207176

# %% [markdown]
# ## 6 · The outline
#
# Shift the mask of a large shape by a pixel, and it is wrong along much of its outline; the scores so far fall little. Two others look at the outline alone, each with a *width*:
#
# - **IoU in the band** scores only the pixels at most *width* px from the truth's outline, on both sides (papers call the band a trimap).
# - **boundary IoU** cuts each shape down to its **edge**, the pixels of it that are within *width* px of something else, and takes the IoU of the two edges.

# %% tags=["demo"] fold="Two squares and their edges"
square = torch.zeros(7, 8, dtype=torch.int64)
square[2:5, 2:5] = 1
pair = square, square.roll(1, dims=1)
rims = [m.bool() & metrics.near_boundary(m, 1) for m in pair]
both = rims[0].long() + rims[1]
maps = [pair[0] + rims[0], pair[1] + rims[1], torch.where(both > 0, both + 1, 0)]
plot.grid(maps, ["truth", "prediction", "their edges together"], ("background", "inside", "edge", "in both edges"), columns=3,
          title="Boundary IoU of two squares, width 1: 4 pixels in both edges, 12 in either")

# %% [markdown]
# Shift a perfect mask, then change the animal. "Edges" shows what boundary IoU sees. Below, all shifts at once.

# %% tags=["demo"] fold="A shifted mask under five scores"
animals = data.scenes("val", size=128, target="semantic")
actors = {"dog": animals[40], "grasshopper": animals[32]}


def outline_scores(pred, truth, width):
    """Five scores of one class from two bool masks."""
    both = pred.long(), truth.long()
    c = metrics.Confusion(2).update(*both)
    return {"accuracy": c.accuracy, "Dice": c.dice[1].item(), "IoU": c.iou[1].item(),
            "IoU in the band": metrics.band_iou(*both, 2, width)[1].item(),
            "boundary IoU": metrics.boundary_iou(*both, 2, width)[1].item()}


def shifted(animal, shift, width, edges):
    image, mask = actors[animal][0], actors[animal][1] > 0
    pred = F.pad(mask, (shift, -shift))
    rim = [m & metrics.near_boundary(m.long(), width) for m in (mask, pred)]
    return plot.hits(image, mask, pred, outline_scores(pred, mask, width), rim[0] | rim[1] if edges else None,
                     f"{animal}, shifted by {shift} px; width {width} px")


widgets.Live(shifted, {"animal": widgets.Choice("animal", "dog", tuple(actors)),
                       "shift": widgets.Slider("shift", 3, 0, 12), "width": widgets.Slider("width", 3, 1, 10),
                       "edges": widgets.Switch("edges", False)})

# %% tags=["demo"] fold="The same mistake at every shift"
panels = {}
for name, (_, mask) in actors.items():
    runs = [outline_scores(F.pad(mask > 0, (shift, -shift)), mask > 0, 3) for shift in range(9)]
    panels[name] = {score: [run[score] for run in runs] for score in runs[0]}
plot.curves(panels, range(9), "shift to the right (px)", title="One and the same mistake, five scores (width 3 px)")

# %% [markdown] statement="edge_iou" minutes=8 level=3
# Look at the curves at a shift of 3. By accuracy the grasshopper is the *better* prediction, as the background around it is right. By IoU it is much the worse: its legs are thinner than the shift. The dog's large inside keeps its IoU up. Boundary IoU drops steeply for both. Beyond a shift of 5 the grasshopper's IoU in the band rises again, because false alarms that leave the band no longer count. From 8 on it falls again.
#
# ### Boundary IoU of one class
#
# Write `edge_iou(pred, truth, width)`; all but its inner function `edge` is given. `pred` and `truth` are `bool` tensors `(H, W)`, `width` is an `int` of at least 1. Find the edges yourself, without `metrics`.
#
# A pixel of a mask belongs to its edge if the square of 2 · `width` + 1 pixels around it holds anything that is not mask. What lies outside the picture is not mask. `width` may be larger than the mask or the picture.
#
# For example, take the two squares above, with width 1. Each edge is a ring of 8 pixels. They share 4, and 12 are in either: 0.333.

# %% answer="edge_iou"
def edge_iou(pred, truth, width):
    """IoU of the inner edges, `width` px deep, of two bool masks (H, W): a number, NaN if both are empty."""
    def edge(mask):
        """The edge of a bool mask (H, W): bool (H, W)."""
        ### BEGIN SOLUTION
        beyond = F.pad(1.0 - mask[None, None].float(), [width] * 4, value=1.0)
        return mask & (F.max_pool2d(beyond, 2 * width + 1, stride=1)[0, 0] == 1)
        ### END SOLUTION

    a, b = edge(pred), edge(truth)
    return ((a & b).sum() / (a | b).sum()).item()  # 0/0 is NaN

# %% check="edge_iou" seed=712716943013594347

# %% [markdown]
# Does boundary IoU see everything? The last number in each title is by your function, once it passes.

# %% tags=["demo"] fold="Three mistakes under three scores"
dog = actors["dog"][1] > 0
rows, columns = torch.meshgrid(torch.arange(128), torch.arange(128), indexing="ij")


def disc(row, column, radius=11):
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


mistakes = {"shift": F.pad(dog, (3, -3)), "hole": dog & ~disc(33, 69), "false alarm": dog | disc(110, 110)}
maps, titles, mine = [], [], check.edge_iou.yours(edge_iou, None)
for name, pred in mistakes.items():
    scores = outline_scores(pred, dog, 3)
    edge = mine(pred, dog, 3) if mine else scores["boundary IoU"]
    maps.append(torch.where(dog, 2 - pred.long(), 3 * pred.long()))
    titles.append(f"{name}: IoU {scores['IoU']:.2f}, band {scores['IoU in the band']:.2f}, edge {edge:.2f}")
plot.grid(maps, titles, ("background", "hit", "missed", "false alarm"), columns=3,
          title="Three kinds of mistakes, and what three scores make of them")

# %% [markdown]
# The band sees neither the hole nor the false alarm, which lie outside of it. Boundary IoU sees both, but is far harder on a small shift. Report two scores that fail differently.
#
# ## 7 · Which score flatters whom?
#
# Three models, on scenes with one animal, from one of five groups:
#
# - "background everywhere";
# - a U-Net (its last steps of training are smaller, so that the scores no longer jump);
# - the same U-Net, made *bold*: each class's logit gets a bonus for being rare, boldness × −log(its share of the training pixels). The largest sum wins the pixel. Boldness 0 is the U-Net as trained; ours is 0.9.

# %% tags=["demo", "experiment"]
size, steps = train.scale(cpu=(64, 240), gpu=(128, 800))
seen = data.scenes("train", size=size, target="semantic", length=4000)
images, truth = data.stack(data.scenes("val", size=size, target="semantic", length=200), 200)
torch.manual_seed(0)
net = models.UNet(classes=6, base=8, depth=4)
train.fit(net, seen, steps=steps, title="U-Net", curve=False)
print(train.fit(net, seen, steps=steps // 4, lr=3e-4, curve=False, title="U-Net, in smaller steps"))

counts = torch.bincount(data.stack(seen, 400)[1].flatten(), minlength=6)
bonus = -(counts / counts.sum()).log()[:, None, None]
logits = train.logits(net, images)
answers = {"background everywhere": torch.zeros_like(truth), "U-Net": logits.argmax(1),
           "bold U-Net": (logits + 0.9 * bonus).argmax(1)}

# %% [markdown]
# Ask five scores which is best. (The mIoUs are by your `two_means`, once it passes. Boundary IoU is the mean over the classes, at a width of 2 px.)

# %% tags=["demo", "experiment"] fold="Three models under five scores"
passed = check.two_means.yours(two_means, None)


def five_scores(pred):
    """Five scores of a prediction for all the scenes."""
    c = metrics.Confusion(6).update(pred, truth)
    if passed:
        of_all, of_images = two_means([(pred, truth)], 6)
    else:
        singles = [metrics.Confusion(6).update(p, t).miou for p, t in zip(pred, truth)]
        of_all, of_images = c.miou, sum(singles) / len(singles)
    edges = metrics.boundary_iou(pred, truth, 6, 2).nanmean().item()
    return {"accuracy": c.accuracy, "mIoU, mean of pictures": of_images,
            "mean accuracy": c.class_accuracy.nanmean().item(), "mIoU, all pixels": of_all, "boundary IoU": edges}


board = {name: five_scores(pred) for name, pred in answers.items()}
for score in board["U-Net"]:
    print(f"{score:23}", ", ".join(f"{name} {board[name][score]:.3f}" for name in board))
plot.ranking(board)

# %% [markdown]
# **Accuracy and the mean over pictures flatter the program that never looks, and mean accuracy flatters the bold network.** By the first two, the circle is *ahead* of the triangle, though the program finds no animal at all. By mean accuracy the triangle is even ahead of the square. (So it was with each of three seeds.)
#
# Now turn the boldness, and nothing else. Every column is the same network.

# %% tags=["demo", "experiment"]
boldness = [0, 0.3, 0.6, 0.9]
runs = [five_scores((logits + b * bonus).argmax(1)) for b in boldness]
print(f"{'boldness':23}", *(f"{b:5}" for b in boldness))
for score in runs[0]:
    print(f"{score:23}", *(f"{run[score]:.3f}" for run in runs))

# %% [markdown]
# From 0 to 0.6 the mean over pictures loses more than a third. The mIoU of all pixels hardly moves, and mean accuracy rises a little.
#
# Where does the flattery come from? Look at each class, by your own functions.

# %% tags=["demo", "experiment"] fold="Two models class by class"
passed = check.count_pairs.yours(count_pairs, None) and check.report.yours(report, None)
for name in ("U-Net", "bold U-Net"):
    c = metrics.Confusion(6).update(answers[name], truth)
    found = {"recall": c.class_accuracy, "iou": c.iou}  # the library's
    if passed:
        found = report(count_pairs(answers[name], truth, 6)[:-1])  # without the row of ignored pixels
    columns = [score for score in ("share", "recall", "precision", "iou") if score in found]
    print(f"{name:16}", *(f"{score:>10}" for score in columns))
    for i, group in enumerate(data.SEMANTIC):
        print(f"{group:16}", *(f"{found[score][i]:10.2f}" for score in columns))
if not passed:
    print("Write count_pairs and report, and you will see shares and precisions, too.")

# %% [markdown] quiz="batches" answer="c"
# The U-Net finds most of the background and of the mammals. The other four classes are as good as dead; its high accuracy hides that.
#
# The bold one calls rare classes, rightly and wrongly. Look at the precision of the four: most of what it calls by their names is something else. Mean accuracy, a mean of recalls, hardly sees the wrong calls: each is a missed pixel of another class, mostly of a large one, where it is a small share.
#
# And the mean over pictures? In each, "background everywhere" gets IoU 0.8 or so for the background and 0 for the animal, about 0.4 in all. A single false pixel of "bird" adds a third class to that picture's mean, with IoU 0; over all pixels it is a small dent. So this mean favours whoever names few classes.
#
# ## Checkpoint
#
# **Question 1.** A validation loop computes the mIoU of each batch of 8 and averages over the batches. With batches of 32 the same network gets another result. Which sentence is right?
#
# - a) The difference is rounding.
#   > Rounding changes the seventh digit. Here the classes that have a vote change.
# - b) Larger batches are closer to the mean over pictures.
#   > Smaller ones are: a batch of one picture gives exactly that mean.
# - c) Neither value is the data set's mIoU; add up the tables of the batches instead.
#   > Yes. Counts can be added, ratios can't.
# - d) It is right as long as all batches have the same size.
#   > Batches of one size still show different classes in different amounts, and the mean of ratios is not the ratio of the sums.

# %% [markdown] quiz="recall" answer="b"
# **Question 2.** You retrain with heavy weights on rare classes. Mean accuracy rises from 0.60 to 0.75, mIoU falls from 0.50 to 0.45. What has most likely happened?
#
# - a) The network is better, and mIoU is too strict.
#   > It finds more of the rare classes. But something has become worse that recall hardly sees.
# - b) It calls rare classes more often, rightly and wrongly, and mean accuracy hardly sees the false alarms.
#   > Yes. Recall divides by the truth's pixels only. A false alarm lowers the IoU of the class that was called, and of the one that it was taken from.
# - c) The outlines have become worse.
#   > Nothing says where the mistakes lie. Outlines that bulge raise recall too, by false alarms: that is b.
# - d) The data set has more classes now.
#   > Nothing in the question changes the classes.

# %% [markdown] quiz="outline" answer="a"
# **Question 3.** Two models of large lakes have IoU 0.97 each. Boundary IoU at 3 px is 0.40 for one, 0.80 for the other. What do you conclude?
#
# - a) Their shores differ much in quality; a large lake's IoU hardly shows that.
#   > Yes. A large shape has many inner pixels, and they drown what happens along the outline.
# - b) One of the two numbers must be wrong.
#   > They answer different questions: one counts areas, the other only edges 3 px deep.
# - c) The first model misses some lakes altogether.
#   > A lost lake takes its whole area with it, so it would pull IoU down as well.
# - d) Nothing: boundary IoU depends on the width.
#   > It does. But both were scored with the same width, so they can be compared.

# %% [markdown]
# **An interviewer asks:** "A supplier's model finds cracks in photographs of bridges. Cracks are a few pixels wide; two photographs in three show none. He reports accuracy 99.1 % and a mean of the images' mIoU of 0.86, over the truth's classes. Are you impressed? Which numbers would you ask for?"
#
# Answer in three to five sentences. *Graded by hand, 2 points:* one for what a model that finds no crack could score in his report, and why; one for two scores that expose it, defined so that they can be computed.

# %% [markdown] written="cracks" points=2
# No. Say that cracks are a little under 1 % of all pixels, so about 3 % of a photograph that shows one. "No crack" everywhere then has an accuracy of about 99 %; a clean photograph scores 1, one with a crack about (0.97 + 0) / 2 = 0.49, and the mean is 0.83, hardly less than his 0.86.
#
# I would ask for the IoU of "crack" over all pixels in one confusion matrix: 0 for that model, and false cracks in clean photographs count. As a shift of 2 px ruins it, I'd add the share of crack pixels with a prediction within 2 px, and the reverse.

# %% [markdown]
# ## Hand in
#
# Save the notebook (Ctrl+S, or ⌘S on a Mac) and follow "Submit" in the course's README. **Next:** a data set of your own. The core is complete.
#
# *To read on:* B. Cheng and others, "Boundary IoU: improving object-centric image segmentation evaluation" (2021); G. Csurka, D. Larlus and F. Perronnin, "What is a good evaluation measure for semantic segmentation?" (2013); L. Maier-Hein, A. Reinke and others, "Metrics reloaded: recommendations for image analysis validation" (2024).
