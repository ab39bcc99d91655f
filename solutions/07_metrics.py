# %% [markdown]
# # 07 · Which number lies?
#
# Two programs label the same photograph. Each gets 661 pixels wrong. One frays the outlines. The other has not noticed that there is a fish. By the simplest score they are equally good.
#
# Every score has something that it cannot see. You will build the usual ones, see where each of them lies, and then find out which score flatters which of three models.
#
# **You will be able to**
#
# - count every kind of mistake in one table, and keep that table from lying;
# - turn it into accuracy, IoU, Dice and a report for each class;
# - say what a mean is taken over (pixels, classes or pictures) and what that hides;
# - score an outline apart from the area inside it;
# - tell which model a number flatters.
#
# **You need** lessons 01 (IoU), 02, 03 (mIoU) and 04 (U-Net), and to have met before: boolean masks, `torch.where`, a `uint8` image. **Time:** 90 minutes. **Points:** 20.

# %% given="setup"
import torch
import torch.nn as nn
import torch.nn.functional as F

from course_lib import data, metrics, models, plot, scorecards, train, widgets
from course_lib.checks.lesson_07 import check

print(f"torch {torch.__version__}, device: {train.device()}")

# %% tags=["demo"]
photo, truth = data.scenes("val", size=128, target="semantic", animals=3)[7]
fish = truth == data.SEMANTIC.index("fish")
lost = torch.where(fish, 0, truth)  # the fish becomes background
frayed = scorecards.ragged(truth, pixels=int(fish.sum()))  # as many wrong pixels, all of them at outlines
plot.rivals(photo, truth, {"A": lost, "B": frayed}, data.SEMANTIC)

# %% [markdown]
# **Accuracy** is the share of pixels that are right. B was made to have exactly A's. The second score, mIoU, asks each class in turn how well it was found and takes the mean. A's fish gets 0, and pulls the mean down.
#
# ## 1 · One number for all pixels
#
# How high is a high accuracy? Score a program that never looks at the photograph and says "background" everywhere.

# %%
crowd = data.stack(data.scenes("val", size=64, target="semantic", length=200), 200)[1]
print(f"accuracy of 'background everywhere' on {len(crowd)} scenes: {(crowd == 0).float().mean():.1%}")

# %% [markdown]
# So on these scenes an accuracy of 83 % is worth nothing, and a somewhat higher one may be worth little. Accuracy gives each *pixel* one vote, and most pixels are background. To see more, count each kind of mistake apart.
#
# ## 2 · One table for every mistake
#
# Each labelled pixel is a pair: what it truly is, and what it was called. The **confusion matrix** counts the pairs. Its row is the true class, its column the one that was predicted. Follow the two circled pixels into the table.

# %%
small_truth = torch.tensor([[0, 0, 0, 1], [0, 0, 1, 1], [2, 2, 1, 1]])
small_pred = torch.tensor([[0, 0, 1, 1], [0, 0, 1, 1], [2, 0, 1, 1]])
plot.pairs(small_pred, small_truth)

# %% [markdown]
# What is right stands on the diagonal. Number the cells row by row: a pixel of class *t* that was called *p* ticks cell *t* · classes + *p*. Then one call of `torch.bincount`, which counts how often each whole number occurs, fills the table. The function below does that. It stands in a great many repositories.

# %%
def fast_hist(pred, truth, classes):
    """Pixels of class [row] that were called [column]: (classes, classes)."""
    known = (truth >= 0) & (truth < classes)  # leaves out 255, "not labelled"
    cells = classes * truth[known] + pred[known]
    return torch.bincount(cells, minlength=classes**2).reshape(classes, classes)


print(fast_hist(small_pred, small_truth, 3).tolist())

# %% [markdown] statement="two_lies" minutes=8 level=2
# It agrees with the figure. And yet it can lie, in both directions.
#
# ### Two lies
#
# Write `two_lies(classes)`. It returns two pairs of maps for `fast_hist` with that many classes, `(pred, truth), (pred, truth)`.
#
# - The first prediction is right at every labelled pixel, and the accuracy of `fast_hist`'s table (its diagonal over its sum) is *below* 1.
# - The second is wrong at every labelled pixel, and that accuracy *is* 1.
#
# The given lines are two pairs that do not lie yet. Choose other `labels` and another `called`; that is enough.
#
# Maps hold whole numbers of any dtype (masks come out of a PNG file as `uint8`, which counts to 255 and then starts again from 0, also when it is multiplied), in any shape, the same within a pair. A prediction may hold anything. A truth holds classes 0 to `classes` − 1, or 255, and not 255 alone. `fast_hist` must not stop with an error. `classes` is from 17 to 30; with fewer there is no first lie.
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

# %% check="two_lies"
check.two_lies(two_lies)
### BEGIN HIDDEN TESTS
check.two_lies(two_lies) & check.two_lies(two_lies, seed=31607)
### END HIDDEN TESTS

# %% [markdown] statement="count_pairs" minutes=8 level=2
# (Stuck? `check.two_lies.hint()`, in a cell of your own, gives three hints.)
#
# Both lies are silent, and both happen: masks are read as `uint8`, and a network with 21 outputs is scored with 19 classes. (Most copies widen the truth to `int64` first, which ends the first lie. Few look at the prediction.) Write a table that can't be fooled. It also keeps the ignored pixels, in a last row.
#
# ### A table that does not lie
#
# Write `count_pairs(pred, truth, classes)`, without a finished confusion matrix.
#
# - `pred`, `truth`: tensors of one shape (any shape, perhaps without a single pixel), each of `uint8`, `int16`, `int32` or `int64`; their dtypes may differ;
# - return an `int64` tensor `(classes + 1, classes)`: row *t*, column *p* counts the pixels of class *t* that were called *p*. The last row counts pixels whose truth is 255, by what they were called;
# - raise a `ValueError` where a prediction is not one of 0 to `classes` − 1 (on ignored pixels too), and where a true label is neither one of these nor 255;
# - leave the arguments as they were, here and in every exercise of this lesson.
#
# The last line is given. It counts `cells`: for each pixel the number of its cell, row by row.
#
# For example, `pred = [0, 1, 1, 2]` and `truth = [0, 1, 2, 255]` with 3 classes give `[[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]]`.

# %% answer="count_pairs"
def count_pairs(pred, truth, classes):
    """Pixels of class [row] called [column], ignored ones in the last row: int64 (classes + 1, classes)."""
    ### BEGIN SOLUTION
    pred, truth = pred.to(torch.int64), truth.to(torch.int64)
    ignored = truth == 255
    rows = truth.masked_fill(ignored, 0)
    for what, labels in (("prediction", pred), ("truth", rows)):
        if ((labels < 0) | (labels >= classes)).any():
            raise ValueError(f"the {what} holds a label that is no class of {classes}")
    cells = rows.masked_fill(ignored, classes) * classes + pred
    ### END SOLUTION
    return torch.bincount(cells.flatten(), minlength=(classes + 1) * classes).view(classes + 1, classes)

# %% check="count_pairs"
check.count_pairs(count_pairs)
### BEGIN HIDDEN TESTS
check.count_pairs(count_pairs) & check.count_pairs(count_pairs, seed=72839)
### END HIDDEN TESTS

# %% [markdown]
# Look again at prediction A of the first figure, with your function. (Until it passes, the library's stands in.)

# %% tags=["demo"]
mine = count_pairs if check.count_pairs(count_pairs).outcome == "passed" else metrics.confusion_matrix
table = mine(lost, truth, 6)
for name, row in zip((*data.SEMANTIC, "not labelled"), table.tolist()):
    print(f"{name:>14}", "".join(f"{n:7}" for n in row))

# %% [markdown]
# In the row of the fish all 661 ticks stand in the first column, "called background". Accuracy does not know where they stand.
#
# ## 3 · Three areas
#
# Now one class alone. Its truth and its prediction are two shapes that overlap. That makes three areas: **hits**, **misses** and **false alarms**.

# %% tags=["demo"]
animals = data.scenes("val", size=128, target="semantic")
dog_photo, dog = animals[40][0], animals[40][1] > 0
moved = F.pad(dog, (6, -6))  # the same shape, six pixels to the right
plot.hits(dog_photo, dog, moved, title="A dog, and a prediction six pixels beside it")

# %% [markdown] statement="report" minutes=8 level=2
# Divide them in four ways:
#
# - **recall** = hits / (hits + misses): how much of the class was found?
# - **precision** = hits / (hits + false alarms): how much of what was called so is right?
# - **IoU** = hits / (hits + misses + false alarms), the intersection over the union of the two shapes;
# - **Dice** = 2 · hits / (2 · hits + misses + false alarms).
#
# Recall forgives every false alarm, precision every miss. IoU and Dice forgive neither. They always put two predictions of one class in the same order, as Dice = 2 · IoU / (1 + IoU); Dice is just the higher number.
#
# ### A report from the table
#
# Write `report(matrix)`, without a finished metric. `matrix` is an `int64` tensor `(C, C)`, row: truth, column: prediction, without ignored pixels. It returns the dict `found`. The first five entries are float tensors `(C,)`, the last three are numbers:
#
# | entry | what it is |
# |---|---|
# | `"share"` | of each class, among all pixels of the truth |
# | `"recall"`, `"precision"`, `"iou"`, `"dice"` | of each class, as above |
# | `"accuracy"` | the share of all pixels that are right |
# | `"mean_accuracy"` | the mean of the recalls that are not NaN |
# | `"miou"` | the mean of the IoUs that are not NaN |
#
# 0/0 means that there was nothing to score, and stays NaN. Floating-point division does that by itself, and `.nanmean()` leaves NaN out. (A class that is called but is not there has false alarms: its IoU is 0.) For a table of zeros every number is NaN.
#
# For example, for `[[6, 2], [1, 1]]`: share `[0.8, 0.2]`, recall `[0.75, 0.5]`, precision `[0.857, 0.333]`, IoU `[0.667, 0.25]`, Dice `[0.8, 0.4]`, accuracy 0.7, mean accuracy 0.625, mIoU 0.458.

# %% answer="report"
def report(matrix):
    """Scores of a confusion matrix (C, C): a dict of five (C,) tensors and three numbers."""
    table, found = matrix.double(), {}
    hits = table.diagonal()
    ### BEGIN SOLUTION
    rows, columns = table.sum(dim=1), table.sum(dim=0)
    found["share"] = rows / table.sum()
    found["recall"], found["precision"] = hits / rows, hits / columns
    found["iou"] = hits / (rows + columns - hits)
    found["dice"] = 2 * hits / (rows + columns)
    found["accuracy"] = (hits.sum() / table.sum()).item()
    found["mean_accuracy"] = found["recall"].nanmean().item()
    found["miou"] = found["iou"].nanmean().item()
    ### END SOLUTION
    return found

# %% check="report"
check.report(report)
### BEGIN HIDDEN TESTS
check.report(report) & check.report(report, seed=50923)
### END HIDDEN TESTS

# %% [markdown]
# Two models of street scenes with 19 classes. One says "road" everywhere; road is 35 % of the pixels. The other labels the two largest classes perfectly and gets every pixel of the 17 others wrong. Guess their mIoU before you run the cell.

# %% tags=["demo"]
streets = ("road", "building", "plants", "car", "pavement", "sky", "person", "wall", "fence", "pole", "meadow", "lorry",
           "bus", "train", "rider", "bicycle", "motorbike", "light", "sign")
pixels = torch.tensor([350, 225] + [25] * 17)
everywhere = torch.zeros(19, 19, dtype=torch.int64)
everywhere[:, 0] = pixels
two_right = pixels.diag()
two_right[2:] = two_right[2:].roll(1, 0)  # each of the others is called by another's name
plot.class_bars({"'road' everywhere": everywhere, "two right, 17 dead": two_right}, streets)

# %% [markdown]
# The first has 0.350 / 19 = 0.018, not 0: the road is hit, among many false alarms. The second has 2 / 19 = 0.105. You may hear that a few frequent classes pull mIoU up. They can't: each class has one vote. They pull *accuracy* up.
#
# ## 4 · Who has a vote?
#
# Each class, but which classes? Take a picture that shows two, and a model that knows four. It gets one pixel wrong and calls it class 2, which is not there. Class 3 is nowhere at all.

# %%
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

# %% [markdown] statement="most_flattered" minutes=6 level=2
# One wrong pixel, and anything from 0.49 to 0.97. In the first mean class 2, the false alarm, has no vote. In the second it has, and that is what `torchmetrics` and this course take. The last two score a class that nobody spoke of.
#
# ### The most flattered model
#
# Write `most_flattered(matrices)`. `matrices` is a dict from model names to confusion matrices, `int64` `(C, C)`, all of them for the same pictures. A model's **gap** is what it gains by the first mean: its mIoU over the classes that occur in the *truth*, less its mIoU over those that occur in the truth *or* in its prediction. (The IoUs are the same in both.) Return `(name, gap)` for the model with the largest gap: a `str` and a number. At least one class occurs in the truth, and no two models tie.
#
# For example, for `{"A": [[8, 0, 0], [0, 2, 0], [0, 0, 0]], "B": [[8, 0, 0], [0, 1, 1], [0, 0, 0]]}` (as tensors), B has the IoUs 1, 0.5 and 0, so its gap is 0.75 − 0.5. A has none. The answer is `("B", 0.25)`.

# %% answer="most_flattered"
def most_flattered(matrices):
    """(name, gap) of the model that gains most where only the truth's classes have a vote."""
    ### BEGIN SOLUTION
    gaps = {}
    for name, table in matrices.items():
        hits, rows, columns = table.diag().double(), table.sum(dim=1), table.sum(dim=0)
        each = hits / (rows + columns - hits)
        gaps[name] = each[rows > 0].mean().item() - each[rows + columns > 0].mean().item()
    first = sorted(gaps, key=lambda name: -gaps[name])[0]
    return first, gaps[first]
    ### END SOLUTION

# %% check="most_flattered"
check.most_flattered(most_flattered)
### BEGIN HIDDEN TESTS
check.most_flattered(most_flattered) & check.most_flattered(most_flattered, seed=88117)
### END HIDDEN TESTS

# %% [markdown]
# ## 5 · Many pictures
#
# There are two ways to one number for a data set. Add up all pixels in one table and score it; or score each picture and take the mean. Two pictures of four pixels: in the first, two pixels are of class 0, two of class 1, and all are right. Here is the second.

# %% tags=["demo"]
truths = torch.tensor([[[0, 1], [0, 1]], [[0, 0], [0, 1]]])
preds = torch.tensor([[[0, 1], [0, 1]], [[0, 0], [0, 0]]])
plot.pairs(preds[1], truths[1], 2, title="Picture 2: mIoU 0.375")

# %% [markdown] statement="two_means" minutes=7 level=2
# Picture 2 has IoU 3/4 for class 0 and 0/1 for class 1, picture 1 has mIoU 1. The mean over pictures is 0.6875. Add the two tables: IoU 5/6 and 2/3, mIoU 0.75. They answer two questions. The mean over *batches* answers none: it changes with the batch size.
#
# ### Two means
#
# Write `two_means(batches, classes)`. `batches` is a list of `(pred, truth)` pairs, `int64` `(B, H, W)` each, where `B`, `H` and `W` differ from batch to batch. The truth may hold 255, the prediction holds classes only. Return two numbers, `(of_all, of_images)`:
#
# - `of_all`: the mIoU of all labelled pixels together;
# - `of_images`: the mean of the pictures' mIoUs. A picture without a labelled pixel is left out.
#
# A class has a vote where it occurs on labelled pixels, in the truth or the prediction. Without any labelled pixel both numbers are NaN.
#
# Only the loop is missing. `metrics.Confusion(classes)` is the library's table: `.update(pred, truth)` adds the labelled pixels to it, and `.miou` scores all that it has seen (NaN if that is nothing).
#
# For example, for the pictures above, in one batch or in two, the answer is `(0.75, 0.6875)`.

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

# %% check="two_means"
check.two_means(two_means)
### BEGIN HIDDEN TESTS
check.two_means(two_means) & check.two_means(two_means, seed=4409)
### END HIDDEN TESTS

# %% [markdown]
# Two questions can have two winners. Of two pictures, one is half object; in the other the object has four pixels. Model A misses a quarter of the large object, B misses the small one. Which is better? Guess before you run the cell.

# %% tags=["demo"]
from torchmetrics.segmentation import MeanIoU

objects = torch.zeros(2, 8, 8, dtype=torch.int64)
objects[0, :4], objects[1, 2:4, 5:7] = 1, 1
a, b = objects.clone(), objects.clone()
a[0, 0], b[1] = 0, 0
passed = check.two_means(two_means).outcome == "passed"
for name, pred in (("A", a), ("B", b)):
    library = MeanIoU(num_classes=2, input_format="index")
    library.update(pred, objects)
    yours = "{:.3f} and {:.3f}".format(*two_means([(pred, objects)], 2)) if passed else "still to come"
    print(f"{name}: all pixels and mean over pictures, yours: {yours};", end=" ")
    print(f"Jaccard index {multiclass_jaccard_index(pred, objects, 2):.3f}, MeanIoU {library.compute():.3f}")
plot.grid([m for pred in (a, b) for m in objects * (2 - pred)],
          ["A, picture 1", "A, picture 2", "B, picture 1", "B, picture 2"], ("background", "hit", "missed"),
          title="Two models, two pictures: which is better?")

# %% [markdown]
# Over all pixels B is ahead, as large objects decide. In the mean over pictures A is, as a tiny object weighs as much as a huge one. Where each picture is a patient, you may want the mean over pictures. To measure the area of a forest, score all pixels. Say which you took.
#
# (The Jaccard index of `torchmetrics` scores all pixels, as the tables of most papers do. Its `MeanIoU`, in version 1.9, takes the mean over all pairs of a picture and a class that occurs in it, in truth or prediction. Where pictures show different numbers of classes, that is a third thing.)
#
# ## 6 · The outline
#
# Some mistakes hardly move any of these scores. Shift a perfect mask to the side and watch the bars. Then change the animal. Two bars need a *width*:
#
# - **IoU in the band** scores only the pixels at most *width* px from the truth's outline, on both sides. Papers call the band a trimap.
# - **boundary IoU** cuts each shape down to its **edge**, the pixels of it that are within *width* px of something else, and takes the IoU of the two edges. Tick "edges" to see what is left.

# %% tags=["demo"]
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

# %% [markdown]
# The same for all shifts at once, with a width of 3:

# %% tags=["demo"]
panels = {}
for name, (_, mask) in actors.items():
    runs = [outline_scores(F.pad(mask > 0, (shift, -shift)), mask > 0, 3) for shift in range(9)]
    panels[name] = {score: [run[score] for run in runs] for score in runs[0]}
plot.curves(panels, range(9), "shift to the right (px)", title="One and the same mistake, five scores")

# %% tags=["demo"]
square = torch.zeros(7, 8, dtype=torch.int64)
square[2:5, 2:5] = 1
pair = square, square.roll(1, dims=1)
rims = [m.bool() & metrics.near_boundary(m, 1) for m in pair]
both = rims[0].long() + rims[1]
maps = [pair[0] + rims[0], pair[1] + rims[1], torch.where(both > 0, both + 1, 0)]
plot.grid(maps, ["truth", "prediction", "their edges together"], ("background", "inside", "edge", "in both edges"), columns=3,
          title="Boundary IoU of two squares, width 1: 4 pixels in both edges, 12 in either")

# %% [markdown] statement="edge_iou" minutes=8 level=3
# Look at the curves at a shift of 3. By accuracy the grasshopper is the *better* prediction, because it is small and the background around it is right. By IoU it is much the worse: its legs are thinner than the shift. A large shape has much inside and little outline, so its IoU is slow to notice a spoilt outline. Boundary IoU looks at nothing else, and drops steeply for both. (Beyond a shift of 5 the grasshopper's IoU in the band rises a little: what has left the band no longer counts.)
#
# ### Boundary IoU of one class
#
# Write `edge_iou(pred, truth, width)`; all but its inner function `edge` is given. `pred` and `truth` are `bool` tensors `(H, W)`, `width` is an `int` of at least 1. Find the edges yourself, not with the functions of `metrics`.
#
# A pixel of a mask belongs to its **edge** if the square of 2 · `width` + 1 pixels around it holds anything that is not mask. What lies outside the picture is not mask. `width` may be larger than the mask or the picture. The result is a number: pixels in both edges over pixels in either, and NaN if neither mask has a pixel.
#
# For example, take the two squares of the last figure, with width 1. Each edge is a ring of 8 pixels. They share 4, and 12 are in either: 0.333. (The IoU of the squares is 6 / 12.)

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

# %% check="edge_iou"
check.edge_iou(edge_iou)
### BEGIN HIDDEN TESTS
check.edge_iou(edge_iou) & check.edge_iou(edge_iou, seed=27011)
### END HIDDEN TESTS

# %% [markdown]
# Is boundary IoU then the score that does not lie? Here is the dog with three kinds of mistakes; the last number is your function's. (Until it passes, the library's.)

# %% tags=["demo"]
rows, columns = torch.meshgrid(torch.arange(128), torch.arange(128), indexing="ij")


def disc(row, column, radius=11):
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


mistakes = {"shift": F.pad(dog, (3, -3)), "hole": dog & ~disc(33, 69), "false alarm": dog | disc(110, 110)}
maps, titles, passed = [], [], check.edge_iou(edge_iou).outcome == "passed"
for name, pred in mistakes.items():
    scores = outline_scores(pred, dog, 3)
    edge = edge_iou(pred, dog, 3) if passed else scores["boundary IoU"]
    maps.append(torch.where(dog, 2 - pred.long(), 3 * pred.long()))
    titles.append(f"{name}: IoU {scores['IoU']:.2f}, band {scores['IoU in the band']:.2f}, edge {edge:.2f}")
plot.grid(maps, titles, ("background", "hit", "missed", "false alarm"), columns=3,
          title="Three kinds of mistakes, and what three scores make of them")

# %% [markdown]
# The band sees neither the hole nor the false alarm, which lie outside of it. Boundary IoU sees both, as each has an outline, but is much harder on a small shift. No score replaces the others. Report two that fail in different ways.
#
# ## 7 · Which score flatters whom?
#
# Three models, on scenes with one animal, from one of five groups:
#
# - "background everywhere", which needs no training;
# - a U-Net;
# - the same U-Net, made *bold*. A pixel goes to the class with the largest logit; before that, each class gets a bonus for being rare: boldness × −log(its share of the training pixels). At boldness 0 this is the U-Net as trained. Ours is 0.8 bold.
#
# The last steps of training are a tenth as large, so that the scores no longer jump from step to step.

# %% tags=["demo", "experiment"]
size, steps = train.scale(cpu=(64, 240), gpu=(128, 800))
seen = data.scenes("train", size=size, target="semantic", length=4000)
images, truth = data.stack(data.scenes("val", size=size, target="semantic", length=200), 200)
torch.manual_seed(0)
net = models.UNet(classes=6, base=8, depth=4)
print(train.fit(net, seen, steps=steps, title="U-Net"))
print(train.fit(net, seen, steps=steps // 4, lr=3e-4, curve=False, title="U-Net, in smaller steps"))

counts = torch.bincount(data.stack(seen, 400)[1].flatten(), minlength=6)
bonus = -(counts / counts.sum()).log()[:, None, None]
net.eval()
with torch.no_grad():
    logits = torch.cat([net(part.to(train.device())).float().cpu() for part in images.split(20)])
answers = {"background everywhere": torch.zeros_like(truth), "U-Net": logits.argmax(1),
           "bold U-Net": (logits + 0.8 * bonus).argmax(1)}

# %% [markdown]
# Which of the three is best? Ask five scores, two of them through your `two_means` once it passes.

# %% tags=["demo", "experiment"]
passed = check.two_means(two_means).outcome == "passed"


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
# Compare the circle with the triangle. By accuracy, and by the mean over pictures, the program that never looks is *ahead* of the bold network. By the other three it is behind. By mean accuracy bold is best of all. (We trained with three seeds. The numbers moved a little, and none of these orders did.)
#
# Now turn the boldness, and nothing else. The network is the same at every point.

# %% tags=["demo", "experiment"]
boldness = [0, 0.2, 0.4, 0.6, 0.8, 1]
runs = [five_scores((logits + b * bonus).argmax(1)) for b in boldness]
lines = {score: [run[score] for run in runs] for score in runs[0]}
for score, values in lines.items():
    print(f"{score:23}", *(f"{v:.3f}" for v in values))
plot.curves({"the same U-Net at every point": lines}, boldness, "boldness",
            title="Bolder and bolder, under five scores")

# %% [markdown]
# From 0.2 to 0.6 the mean over pictures loses about half, while the mIoU of all pixels hardly moves and mean accuracy even rises a little. Tune a model by another score, and you get another model.
#
# Where does the flattery come from? Look at the tables behind the numbers.

# %% tags=["demo", "experiment"]
tables = {name: metrics.confusion_matrix(answers[name], truth, 6) for name in ("U-Net", "bold U-Net")}
display(plot.confusion(tables, data.SEMANTIC))
passed, columns = check.report(report).outcome == "passed", ("share", "recall", "precision", "iou")
for name, table in tables.items() if passed else ():
    found = report(table)
    print(f"{name:16}", *(f"{score:>10}" for score in columns))
    for i, group in enumerate(data.SEMANTIC):
        print(f"{group:16}", *(f"{found[score][i]:10.2f}" for score in columns))
if not passed:
    print("Write report, and you will see the models class by class here.")

# %% [markdown] quiz="batches" answer="c"
# The U-Net is right on most of the background and of the mammals. All else it calls mammal or background. An accuracy of 0.89 hides that four classes of six are as good as dead; the report shows it in four lines. So accuracy flatters the U-Net, as it does the program that never looks.
#
# The bold one calls rare classes, rightly and wrongly. Mean accuracy is a mean of recalls, and hardly sees the wrong calls: each is a missed pixel of another class, mostly of a large one, where it is a small share. So it flatters the bold one. Take the rare class that it calls most, here arthropods, and compare its recall with its precision.
#
# And the mean over pictures? A picture here shows background and one animal. "Background everywhere" gets IoU 0.8 or so for one and 0 for the other, about 0.4 in all. A single false pixel of "bird" adds a third class to that picture's mean, with IoU 0. Over all pixels it is a small dent in the IoU of birds. So this mean favours whoever names few classes. Know that *before* you choose a score.
#
# ## Checkpoint
#
# **Question 1.** A validation loop computes the mIoU of each batch of 8 and averages over the batches. You change the batch size to 32 and the result changes, with the same network. Which sentence is right?
#
# - a) The difference is rounding.
#   > Rounding changes the seventh digit. Here the classes that have a vote change, and what each vote weighs.
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
#   > It finds more of the rare classes. But mean accuracy is a mean of recalls, and something has become worse that recall hardly sees.
# - b) It calls rare classes more often, rightly and wrongly, and mean accuracy hardly sees the false alarms.
#   > Yes. Recall divides by the truth's pixels only. A false alarm lowers the IoU of the class that was called, and of the one that it was taken from.
# - c) The outlines have become worse.
#   > Nothing says where the mistakes lie. Outlines that bulge outwards raise the recall, too, and what they add are false alarms: that is b.
# - d) The data set has more classes now.
#   > Nothing in the question changes the classes, and a false alarm of a class that exists needs no new one.

# %% [markdown] quiz="outline" answer="a"
# **Question 3.** Two models segment large lakes. Both have IoU 0.97. Boundary IoU at 3 px is 0.40 for one and 0.80 for the other. What do you conclude?
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
# **An interviewer asks:** "A supplier offers a model that finds cracks in photographs of bridges. Cracks are a few pixels wide, and two photographs in three show none. He reports: pixel accuracy 99.1 %, and a mean of the images' mIoU of 0.86, over the classes present in the truth. Are you impressed? Which numbers would you ask for?"
#
# Answer in four to seven sentences. *Graded by hand, 2 points:* one for what a model that finds no crack at all could score in his report, and why; one for two scores, defined well enough to be computed, that would expose it, each with what it sees.

# %% [markdown] written="cracks" points=2
# No. Suppose that cracks are a little under one pixel in a hundred. A model that says "no crack" everywhere then has an accuracy of about 99 %. In a photograph without a crack the truth holds one class, and that class has IoU 1, so the image scores 1. With a crack it scores about (0.97 + 0) / 2 = 0.49. Two thirds of 1 and one third of 0.49 make 0.83: his 0.86 is hardly more. And a false crack in a clean photograph costs almost nothing, since the class is not in the truth there and has no vote.
#
# I would ask for the IoU of the class "crack" alone, over all pixels of the data set in one confusion matrix; "no crack anywhere" gets 0 there, and false alarms in clean photographs count. As a crack is a few pixels wide, a shift of one or two ruins its IoU, so I'd also ask for a score that forgives that much: the share of crack pixels with a prediction within 2 px, and the reverse.

# %% [markdown]
# ## Hand in
#
# Save the notebook (Ctrl+S, or ⌘S on a Mac) and follow "Submit" in the course's README. **Next:** a data set of your own. With this lesson the core is complete: you can build a network, choose its loss, and say what its score is worth.
#
# *To read on:* B. Cheng, R. Girshick, P. Dollár, A. C. Berg and A. Kirillov, "Boundary IoU: improving object-centric image segmentation evaluation" (2021); G. Csurka, D. Larlus and F. Perronnin, "What is a good evaluation measure for semantic segmentation?" (2013); L. Maier-Hein, A. Reinke and others, "Metrics reloaded: recommendations for image analysis validation" (2024); P. Kohli, L. Ladický and P. H. S. Torr, "Robust higher order potentials for enforcing label consistency" (2009).
