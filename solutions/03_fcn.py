# %% [markdown]
# # 03 · FCN: coarse answers, made finer
#
# A classifier gives one answer for a whole picture. But its last map is a grid of cells, and each cell can be asked. So every place gets an answer, and a coarse one: one cell for 32 × 32 pixels. The **fully convolutional network** of 2015 enlarged these answers, and added finer ones from maps that the network had computed anyway.
#
# By the end you will have built each part of the network drawn below, and compared three trained ones with the best that such coarse answers can be.
#
# **You will be able to**
#
# - see how right an answer on a coarse grid can be, before you train anything;
# - turn a classifier into a network that scores every place of a picture of any size;
# - enlarge scores without moving them, and catch code that does move them;
# - fuse scores of stride 32, 16 and 8, and measure what each step brings.
#
# **You need** lesson 02; of lesson 01, that a fully connected layer is a convolution. **Time:** 90 minutes. **Points:** 20.

# %% given="setup"
import torch
import torch.nn as nn
import torch.nn.functional as F

from course_lib import data, metrics, models, plot, train, widgets
from course_lib.checks.lesson_03 import check

print(f"torch {torch.__version__}, device: {train.device()}")

# %% tags=["demo"]
plot.shape_flow(models.FCN(classes=2, base=8, stride=8), size=128)

# %% [markdown]
# Left: a classifier's maps. Bottom: a **head** gives each of 4 × 4 cells a score for each class. Right: two doublings, and at each the scores of a finer map are added. The last step enlarges eight times.
#
# ## 1 · How right can a coarse answer be?
#
# Forget the network. Someone who knows the truth sets one score for each cell: above 0 for animal, below 0 for background. The scores are enlarged to the picture's size, and the sign decides. How right can that be?
#
# `metrics.best_scores` finds such scores by gradient descent: it moves them until the *enlarged* map overlaps the truth as well as it can. There is no network in it.

# %% tags=["demo"]
size = train.scale(cpu=128, gpu=256)
images, truth = data.stack(data.scenes("val", size=size, target="instance", length=100), 100)  # 1: animal
stag = {s: metrics.best_scores(truth[:1], s)[1][0] > 0 for s in (32, 16, 8)}
plot.strides(images[0], truth[0], {"fitted scores": stag}, title="Nearly the best that each grid can say")

# %% [markdown]
# At stride 32 there is something like a body. In a picture of 128 px it runs to the left edge. Left of the first cell's middle a score has nothing to blend with, so the answer stays the same up to the edge. At stride 8 there are a head and the tops of the legs, and of the antlers a speck.
#
# Two numbers stand above each panel. **IoU** is the overlap of answer and truth, divided by their union. **Edges** is the **boundary IoU**: of each mask keep only its own pixels within 4 px of its outline; then take the IoU. (In pictures of 128 px, 4 px are about 2 % of the diagonal.) IoU counts area; boundary IoU counts outline.
#
# Turn the stride yourself. Try the flamingo, scene 37: at stride 8 it has a body, a blot for a foot, and no leg between.
#
# The switch enlarges by blocks. Then an outline can only run between cells. Enlarged smoothly, neighbours together place it *inside* a cell. So it matters how we enlarge (section 3).

# %% tags=["demo"] fold="Fitted scores at a stride of your choice"
def coarse(scene, stride, blocks):
    animal, mode = truth[scene : scene + 1], "nearest" if blocks else "bilinear"
    scores, enlarged = metrics.best_scores(animal, stride, mode=mode)
    return plot.coarse_scores(images[scene], animal[0], scores[0], enlarged[0])


widgets.Live(coarse, {"stride": widgets.Choice("stride", 32, (32, 16, 8, 4, 2)),
                      "scene": widgets.Slider("scene", 0, 0, 99), "blocks": widgets.Switch("blocks", False)})

# %% [markdown]
# Now all hundred scenes. **mIoU** is the mean of two IoUs, the animal's and the background's.

# %% tags=["demo"] fold="A hundred scenes at three strides"
width = round(0.02 * 2**0.5 * size)  # 2 % of the diagonal: 4 px of 128


def both(answer):
    """mIoU of the whole pictures, and boundary IoU of the animals."""
    whole = metrics.Confusion(2).update(answer, truth).miou
    return whole, metrics.boundary_iou(answer, truth, 2, width)[1].item()


fitted = {}
for s in train.progress((32, 16, 8), "fitting scores"):
    fitted[s] = both(torch.cat([metrics.best_scores(part, s)[1] > 0 for part in truth.split(20)]).byte())
    print("stride {:2}: mIoU {:.2f}, boundary IoU {:.2f}".format(s, *fitted[s]))

# %% [markdown]
# From stride 16 to stride 8 the edges gain about four times as much as the whole picture, which has little left to gain. Keep these numbers. A network with scores on such a grid has this to reach for.
#
# ## 2 · A classifier that looks everywhere
#
# Where do the scores come from? Take a small classifier. It gets squares of 32 × 32 pixels, each with one label: is the pixel in the middle, at (16, 16), animal or not? That is all that it is told.

# %% tags=["demo", "experiment"]
steps = train.scale(cpu=(128, 180), gpu=(256, 1000))[1]
scenes = data.Kept(scene for scene in data.scenes("train", size=size, target="instance", length=600))
torch.manual_seed(0)
squares = data.Kept(
    (picture[:, top : top + 32, left : left + 32], mask[top + 16, left + 16].long())
    for picture, mask in scenes for top, left in torch.randint(size - 31, (6, 2)).tolist())
features = nn.Sequential(
    nn.Conv2d(3, 16, 3), nn.ReLU(), nn.MaxPool2d(2),  # 32 → 30 → 15
    nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2),  # 15 → 13 → 6
    nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2))  # 6 → 4 → 2: 64 channels of 2 × 2
head = nn.Sequential(nn.Flatten(), nn.Linear(64 * 2 * 2, 64), nn.ReLU(), nn.Linear(64, 2))
classifier = nn.Sequential(features, head)
print(train.fit(classifier, squares, steps=steps, batch=32, lr=2e-3, loss=F.cross_entropy, title="classifier"))
classifier = classifier.cpu().eval()

# %% [markdown] statement="sliding" minutes=5 level=2
# It was made for squares of 32 × 32: the first `Linear` wants exactly 64 · 2 · 2 numbers. (Sides of 30 to 37 leave a 2 × 2 map, too. Any other size stops it.) In lesson 01 you made a whole head slide. Here is the one step that it takes.
#
# ### A layer that slides
#
# Write `sliding(linear, side)`. It returns an `nn.Conv2d` that does at every place of a map what `linear` does at one.
#
# - `linear`: an `nn.Linear` with a bias. It reads *C* · `side` · `side` numbers: a map of *C* channels, `side` × `side`, flattened. (`Flatten` reads a channel row by row, then the next channel. So does the weight of a convolution, `(out, C, side, side)`.)
# - `side`: an `int`. In the classifier above it is 2 for the first `Linear`, and 1 for the second, which reads one vector.
#
# Copy the weights, so that `linear` stays as it was when the convolution learns. (Here and in all exercises of this lesson, arguments stay unchanged.) The convolution turns maps `(B, C, H, W)` into scores `(B, out, H − side + 1, W − side + 1)`: one place wherever the kernel fits whole. At row *i*, column *j* stands what `linear` says of `maps[:, :, i:i+side, j:j+side]`, flattened. Its weights are ordinary parameters, with gradients.
#
# For example, `sliding(nn.Linear(36, 5), 3)` has a weight of shape `(5, 4, 3, 3)`, and turns maps of `(2, 4, 7, 6)` into `(2, 5, 5, 4)`.

# %% answer="sliding"
def sliding(linear, side):
    """The nn.Conv2d that does at every place what linear does with one flattened map (C, side, side)."""
    ### BEGIN SOLUTION
    conv = nn.Conv2d(linear.in_features // side**2, linear.out_features, side)
    conv.weight = nn.Parameter(linear.weight.detach().clone().reshape(conv.weight.shape))
    conv.bias = nn.Parameter(linear.bias.detach().clone())
    return conv
    ### END SOLUTION

# %% check="sliding" seed=968944414522590348

# %% [markdown]
# If you are stuck, ask for a hint in a cell of your own: `check.sliding.hint()`. There are three; the last is nearly the answer.
#
# Compare two ways. The slow one cuts a square out at every eighth pixel and asks the classifier each time. With your layers in place of the two `Linear`, the whole picture goes in once.

# %% tags=["demo", "experiment"] fold="Square by square and all at once"
some = images[[2, 4, 9, 13]]
squares = some.unfold(2, 32, 8).unfold(3, 32, 8).permute(0, 2, 3, 1, 4, 5)  # picture, row, column, 3, 32, 32
with torch.no_grad():
    maps = classifier(squares.flatten(0, 2)).unflatten(0, squares.shape[:3]).movedim(-1, 1)
print(f"the slow way: {squares[:, :, :, 0].numel():,} pixels go in; at once: {some[:, 0].numel():,}")
if check.sliding.yours(sliding, None):
    slid = nn.Sequential(features, sliding(head[1], 2), nn.ReLU(), sliding(head[3], 1))
    print(f"largest difference: {(slid(some) - maps).abs().max():.6f}")
middles = some[..., 12 : size - 12, 12 : size - 12]  # places 8 px apart; the first middle is pixel 16
plot.grid([*middles, *maps.softmax(1)[:, 1]], ["picture, its rim cut off"] * 4 + ["chance of animal"] * 4,
          title="One label a square, asked at every place")

# %% [markdown]
# The same scores, from a tenth of the pixels or less: neighbouring squares share nearly all their work. (They are equal because this classifier pads nowhere. With padding each square would see zeros around itself. Inside the whole picture it would see its real neighbours.)
#
# The map is noisy and coarse: a poor segmentation, but one. It has a stride of 8, as there are three poolings. FCN did the same with VGG16, a finished classifier. Its first two fully connected layers became convolutions of 7 × 7 and 1 × 1. The third, for the classes of ImageNet, gave way to a new one of 1 × 1. VGG16 has five poolings, so a stride of 32. FCN trains on from there, with the true masks.
#
# ## 3 · Growing the scores
#
# Bilinear enlarging blends the nearest cells of a pixel. Read it the other way round: each cell *paints*. It paints a tent, highest in its middle, 0 at the middles of its neighbours.

# %% tags=["demo"]
plot.tents(4)

# %% [markdown] statement="enlarger" minutes=8 level=2
# Painting the same brush from every cell: that is a transposed convolution (lesson 02). So bilinear enlarging can be a layer, and a layer can learn to do better. FCN's doublings begin as such tents.
#
# A cell of `stride` pixels paints on 2 · `stride` of them. The weight of a pixel is 1 − distance/`stride`, where the distance is that to the cell's middle. The middle lies *between* two pixels, so the distances are 0.5, 1.5, 2.5, … to either side. For stride 4 the brush is 1/8, 3/8, 5/8, 7/8, 7/8, 5/8, 3/8, 1/8. In two directions, the two weights are multiplied.
#
# ### Tents as a layer
#
# Complete the function. Write `enlarger(classes, stride)` such that its layer enlarges scores `(B, classes, h, w)` to `(B, classes, stride·h, stride·w)`, each class by itself, bilinearly. The layer is there, and so are the distances. Its weight is random: fill it, under `torch.no_grad()`. `layer.weight[a, b]` is the brush, `2·stride` × `2·stride`, with which class *a* paints on class *b*. For two different classes it is 0 throughout. (Take no weights from the library.)
#
# - `stride` is even.
# - At least `stride` pixels away from the rim, the result is that of `F.interpolate` with `mode="bilinear"` and `align_corners=False`. (At the rim tents are missing, and the sum drops. That is allowed.)
# - The weight stays an ordinary parameter of its shape, with a gradient.
#
# For example, in one direction, `enlarger(1, 2)` paints the brush 1/4, 3/4, 3/4, 1/4, and its padding of 1 cuts one pixel off at each end: scores 0, 4, 4 become 0, 1, 3, 4, 4, 3.

# %% answer="enlarger"
def enlarger(classes, stride):
    """A transposed convolution that enlarges (B, classes, h, w) stride times, at first bilinearly."""
    k = 2 * stride
    layer = nn.ConvTranspose2d(classes, classes, k, stride=stride, padding=stride // 2, bias=False)
    distance = (torch.arange(k) - (k - 1) / 2).abs()  # …, 1.5, 0.5, 0.5, 1.5, …
    ### BEGIN SOLUTION
    row = 1 - distance / stride
    nn.init.zeros_(layer.weight)
    with torch.no_grad():
        for c in range(classes):
            layer.weight[c, c] = row[:, None] * row
    ### END SOLUTION
    return layer

# %% check="enlarger" seed=913607768081581892

# %% [markdown]
# ## 4 · A lie in old code
#
# Many FCNs on the web end with the layer below, or with `F.upsample_bilinear`, which does the same. It runs, and it looks right.
#
# A network of convolutions makes a promise: what it says of a place depends only on what is near. So here is a test. Enlarge a score map. Then enlarge its left half alone. Away from the cut, the two must agree.

# %%
copied = nn.UpsamplingBilinear2d(scale_factor=8)


def seam(enlarge, scores):
    """Largest difference between the left half enlarged alone and the same place in the whole."""
    half = scores.shape[-1] // 2
    whole, alone = enlarge(scores), enlarge(scores[..., :half])
    stride = alone.shape[-1] // half
    keep = alone.shape[-1] - stride  # the cell at the cut does not count
    return (whole[..., :keep] - alone[..., :keep]).abs().max().item()


torch.manual_seed(0)
print(f"seam of the copied layer, on a flat map: {seam(copied, torch.ones(1, 1, 4, 16)):.2f}")
print(f"on random scores from 0 to 1: {seam(copied, torch.rand(1, 1, 4, 16)):.2f}")

# %% [markdown] statement="catch" minutes=8 level=2
# On a flat map the test sees nothing: moved or not, it looks the same. On random scores there is a seam. Make it larger; then put the layer right.
#
# ### Catch it, and repair it
#
# Write `catch(stride)`, for a stride of 8, 16 or 32. It returns two things, `(scores, repaired)`:
#
# - `scores`: a float tensor of shape `(1, 1, 4, 16)`, values from 0 to 1, on which `seam` of `nn.UpsamplingBilinear2d(scale_factor=stride)` is at least 0.3. (Only the first seven columns are compared.)
# - `repaired`: an `nn.Module`, not a function. It enlarges any score map `(1, 1, h, w)` `stride` times and has no seam (at most 0.0001 for scores from 0 to 1). It must be bilinear, except within `stride` pixels of the rim.
#
# For example, `nn.Upsample(scale_factor=8)` copies cells to blocks: `seam(nn.Upsample(scale_factor=8), torch.rand(1, 1, 4, 16))` is `0.0`. But it is not bilinear.

# %% answer="catch"
def catch(stride):
    """Scores on which the copied layer contradicts itself, and a module that does not."""
    ### BEGIN SOLUTION
    stripes = torch.tensor([0.0, 1.0]).repeat(4, 8)[None, None]
    return stripes, nn.Upsample(scale_factor=stride, mode="bilinear", align_corners=False)
    ### END SOLUTION

# %% check="catch" seed=865522231630157158

# %% [markdown]
# What goes wrong? The copied layer is bilinear with `align_corners=True`. It puts the middle of the first cell on the first pixel, that of the last cell on the last pixel, and spreads the others evenly. Where do the middles land?

# %%
for cells in (4, 8):
    true = [32 * i + 15.5 for i in range(cells)]
    claimed = [i * (32 * cells - 1) / (cells - 1) for i in range(cells)]
    print(f"{cells} cells of 32 px, off by (px):", [f"{c - t:+.1f}" for c, t in zip(claimed, true)])

# %% [markdown]
# Cells drift outwards: at the ends by 15.5 pixels, in between by amounts that depend on the map's size. If every cell were off by the same amount, a network could learn to make up for it. A stretch that changes from place to place, and with the picture's size, it cannot learn for all sizes.
#
# (Here a cell is a block of 32 pixels. Where a backbone pads its strided convolutions, as ours does, cell *i* is centred on pixel 32*i* itself. At sides such as 97 = 3·32 + 1 aligned corners are then exact, and lesson 05 uses them there. So first ask where the middles are.)
#
# ## 5 · Adding finer scores
#
# Stride 32 knows *what*: its cells have seen much of the picture. Stride 16 knows better *where*. FCN gives the finer map a head of its own, a 1 × 1 convolution, and **adds** its scores to the coarse ones, enlarged to twice their size. Such a way past the deeper layers is called a **skip**.
#
# The sizes need care. In lesson 02 pooling rounded down. Our **backbone**, the encoder, halves by padded convolutions of stride 2, and these round *up*: 5 rows become 3, which stand for 6. The sixth lies beyond the picture's end, below the last row, and must be cut off there.

# %% [markdown] statement="fuse" minutes=5 level=2
# ### Fuse two score maps
#
# Write `fuse(coarse, fine)`.
#
# - `coarse`: float scores `(B, C, h, w)`; `fine`: float scores `(B, C, H, W)`, with h = H/2 and w = W/2, rounded up.
# - Enlarge `coarse` to exactly twice its size, bilinearly, as `F.interpolate` does with `align_corners=False`. Cut the surplus row at the bottom and column at the right, where there is one. Add `fine`.
#
# Return a new float tensor `(B, C, H, W)`. Gradients must reach both. Don't use the library's `Fuse`.
#
# For example, one row: `coarse` 0, 4 becomes 0, 1, 3, 4. With `fine` 10, 20, 30 it is cut to 0, 1, 3, and the result is 10, 21, 33.

# %% answer="fuse"
def fuse(coarse, fine):
    """Scores (B, C, h, w), enlarged twice and cut, plus scores (B, C, H, W)."""
    ### BEGIN SOLUTION
    twice = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
    rows, columns = fine.shape[2:]
    return fine + twice[:, :, :rows, :columns]
    ### END SOLUTION

# %% check="fuse" seed=874600749171990878

# %% [markdown] statement="ladder" minutes=8 level=3
# One fusion gives FCN-16s, two give FCN-8s, none is FCN-32s. The number is the stride of the finest scores.
#
# ### The ladder
#
# Complete the function. Write `ladder(maps, weights, size)`: all that FCN does after its backbone. The scores of each map are there; the climb is yours.
#
# - `maps`: a list of one, two or three float tensors `(B, C_i, h_i, w_i)`, the maps of stride 32, 16 and 8, **coarsest first**. Each is half as large as the next, rounded up; the first is the picture divided by 32, rounded up.
# - `weights`: a list of as many float tensors `(classes, C_i)`. Each scores its map by a 1 × 1 convolution, without bias. The function begins with that.
# - `size`: the picture's `(H, W)`.
#
# Fuse the scores from the coarsest on, as in exercise 4; if your `fuse` passes, call it. Enlarge the result by what is left (32 times for one map, 16 for two, 8 for three), in one go, bilinearly (`align_corners=False`), and cut it at the bottom and right. Return logits `(B, classes, H, W)`. Gradients must reach every map and weight. Don't use the library's `FCN` or its parts.
#
# For example, with maps of 2 × 3, 3 × 5 and 5 × 9 and `size=(40, 70)`: the scores of 2 × 3 become 4 × 6, cut to 3 × 5; these become 6 × 10, cut to 5 × 9; and these 40 × 72, cut to 40 × 70.

# %% answer="ladder"
def ladder(maps, weights, size):
    """Logits (B, classes, H, W) from maps of stride 32, 16, 8, coarsest first, and 1 × 1 weights."""
    scores = [F.conv2d(m, weight[:, :, None, None]) for m, weight in zip(maps, weights)]  # coarsest first
    ### BEGIN SOLUTION
    total, left = scores[0], 32
    for score in scores[1:]:
        twice = F.interpolate(total, scale_factor=2, mode="bilinear", align_corners=False)
        total = twice[..., : score.shape[2], : score.shape[3]] + score
        left //= 2
    return F.interpolate(total, scale_factor=left, mode="bilinear", align_corners=False)[..., : size[0], : size[1]]
    ### END SOLUTION

# %% check="ladder" seed=696794928137522504

# %% [markdown]
# ## 6 · Three rungs, trained
#
# Now train, in stages, as FCN's authors did. First a 32s. Then three networks start from it: one stays a 32s, one becomes a 16s, one an 8s. The new heads start at **zero**, so that each network begins with the 32s's own predictions. (For that our 32s, too, enlarges in three steps: 2, 2 and 8 times.) All three train for the same number of further steps, on the same batches.

# %% tags=["demo", "experiment"]
import copy

size, steps = train.scale(cpu=(128, 140), gpu=(256, 2000))
torch.manual_seed(0)
first = models.FCN(classes=2, base=8, stride=32)
print(train.fit(first, scenes, steps=2 * steps, title="32s, to start from"))
nets = {32: copy.deepcopy(first), 16: models.refine(first, 16), 8: models.refine(first, 8)}
for s, net in nets.items():
    train.fit(net, scenes, steps=steps, lr=1e-3, title=f"{s}s", curve=False)
    print(f"{s}s: {models.count_parameters(net):,} parameters")

# %% [markdown]
# An 8s has a few hundred weights more than a 32s, of 148,000. Whatever changes does not come from a larger network.

# %% tags=["demo", "experiment"] fold="What each rung gains"
thin = metrics.thin(truth == 1)
chance, trained = {}, {}
for s, net in nets.items():
    chance[s] = train.logits(net, images).softmax(1)[:, 1]
    trained[s] = both((chance[s] > 0.5).byte())
    alarm = chance[s][truth == 0].quantile(0.95)
    print(f"{s:2}s: mIoU {trained[s][0]:.3f}, boundary IoU {trained[s][1]:.3f}", end="")
    print(f", thin parts found at 5 % false alarms {100 * ((chance[s][thin] > alarm).float().mean()):.0f} %")
plot.rungs({"fitted to the truth": fitted, "trained": trained}, "The ladder: what grids can say, what networks say")

# %% tags=["demo", "experiment"] fold="The stag at three strides"
answers = {"fitted scores": stag, "trained networks": {s: chance[s][0] > 0.5 for s in nets}}
plot.strides(images[0], truth[0], answers, title="The same stag at strides 32, 16 and 8")

# %% [markdown]
# Look at the right panel of the ladder figure. Over all hundred scenes the edges gain at each step, and from 32s to 8s their score grows by about a half, or more. In proportion, mIoU grows less than a quarter as much. (Two other seeds gave other numbers, and the same order. A single scene, such as the stag, need not gain at every step.) In the paper, on Pascal VOC, mIoU was 59.4, 62.4 and 62.7: the last step hardly shows in it, though the outlines in its figures are plainly finer.
#
# Thin parts (lesson 02: those that hold no square of 5 × 5) gain as well. There each network has a threshold of its own, at which it calls 5 % of the background animal. So the finer network is not just quicker to say "animal".
#
# The dashed lines say roughly how much room is left. The edge score of the 32s could rise to two or three times what it is; there its grid would stop it. That of the 8s could more than triple. So none of the three stands at its ceiling. Finer heads helped for a second reason: their maps know things that the coarse one has lost.
#
# Look also at what is passed on: two scores a cell, made from 32 or 64 channels, and these are added. No layer with a ReLU follows, which could ask both maps a question such as "is this edge the animal's, or a leaf's?"
#
# Last, your own parts in the trained 8s: its maps and heads, your ladder. And its first doubling, beside the tent from which it began.

# %% tags=["demo", "experiment"] fold="Your parts in the trained 8s"
net = nets[8].cpu().eval()
heads = [net.score, *(step.score for step in net.decoder)]
with torch.no_grad():
    at2, at4, at8, at16, at32 = net.backbone(images[:20])
    logits = net(images[:20])
    if check.ladder.yours(ladder, None):
        mine = ladder([at32, at16, at8], [head.weight[:, :, 0, 0] for head in heads], images.shape[2:])
        mine = mine + sum(head.bias for head in heads)[:, None, None]
        print(f"your ladder and the trained 8s agree on {100 * ((mine.argmax(1) == logits.argmax(1)).float().mean()):.1f} % of the pixels")
    tent = check.enlarger.yours(enlarger, lambda *_: models.FCN(classes=1).decoder[0].upsample)(1, 2)
    trained_tent = net.decoder[0].upsample
    for name, layer in {"at first": tent, "trained ": trained_tent}.items():
        row = layer.weight[-1, -1, 1] / 0.75  # animal on animal, the second of four rows; 0.75 is its height
        print(f"across the tent, {name}:", [round(w, 2) for w in row.tolist()])

# %% [markdown] quiz="apart" answer="c"
# Your ladder enlarges by fixed tents, the network by learned ones, and it makes little difference. Training, as short as this, has not moved them far. A good start was most of what the layer had to give: one brush for all cells cannot follow each outline.
#
# ## Checkpoint
#
# **Question 1.** A classifier reads squares of 64 × 64 pixels and has four poolings of 2 × 2. With its `Linear` layers turned into convolutions, it runs over a large picture. How far apart are the squares of two neighbouring scores?
#
# - a) 64 px: they lie side by side, like tiles.
#   > The squares are 64 px wide, but they overlap. The last map has a cell for every 16 px, and the kernel goes from cell to cell.
# - b) 1 px: every pixel gets its own score.
#   > The kernel moves by one cell of the last map, and four poolings have made a cell 16 px wide.
# - c) 16 px.
#   > Yes. Each pooling doubles the step: 2, 4, 8, 16. That is the network's stride.
# - d) 8 px: four poolings, 2 px each.
#   > Steps multiply: 2 · 2 · 2 · 2. The second pooling joins cells that are already 2 px wide.

# %% [markdown] quiz="corners" answer="d"
# **Question 2.** An FCN-32s ends with an enlargement of `align_corners=True`. In training its pictures were 256 px wide, now they are 1,024 px wide. Where do its scores land, compared with training?
#
# - a) Where they did: a convolution does the same in every place.
#   > The convolutions do. This last layer stretches the map, and by how much depends on the map's width.
# - b) All of them half a cell too far to the left.
#   > An equal shift everywhere would be easy to put right. Here the first cells move one way and the last ones the other.
# - c) Four times as far off, as the picture is four times as wide.
#   > The first and the last cell are off by half a cell, 15.5 px, in a map of any width.
# - d) At the ends as far off as in training, elsewhere differently.
#   > Yes. The drift runs from half a cell at one end to half a cell at the other, now spread over 32 cells in place of 8.

# %% [markdown] quiz="concat" answer="b"
# **Question 3.** An FCN-16s scores its coarse and its fine map, doubles the coarse scores bilinearly, and adds. Someone doubles the coarse *map* instead, concatenates it with the fine one, and scores the stack by one 1 × 1 convolution. What can the new network say that the old one could not?
#
# - a) More: its scores see both maps together.
#   > They do in both. A 1 × 1 convolution of a stack is a sum with one term for each map. For one map to decide how the other is read, a layer with a ReLU must follow.
# - b) Nothing new.
#   > Yes. A weighted sum over all channels of both maps is what FCN adds up, too. Only with further layers behind it can a stack say more.
# - c) Less: one head stands in place of two.
#   > That head has as many inputs as the two together, and a weight for each.
# - d) What lies further away: its receptive field has grown.
#   > Each score still comes from the same cells of the same two maps.

# %% [markdown]
# **An interviewer asks:** "Our FCN-32s finds every lake on satellite pictures, and draws their shores badly. Should we train it longer, or add heads at strides 16 and 8? What would you compute before anyone trains, and what would it tell you?"
#
# Answer in three or four sentences. *Graded by hand, 2 points:* one for a computation that needs no training and the two ways in which it can come out; one for saying of each plan in which case it could help, and why.

# %% [markdown] written="shores" points=2
# I would fit scores on a stride-32 grid to the true masks, enlarge them, and take the boundary IoU, and the same for strides 16 and 8: roughly what each grid allows, whatever the network. Beside it I put the network's own boundary IoU.
#
# If the network is close to what stride 32 allows, the grid is in the way: training longer cannot help, and heads at 16 and 8 can. If it is far below, the trouble is what it knows: training longer may help, above all if it is bad on its training pictures too. Finer heads may help even then, as they did in this lesson, but the grid's number does not promise it.

# %% [markdown]
# ## Hand in
#
# Save the notebook (Ctrl+S, or ⌘S on a Mac) and follow "Submit" in the course's README. **Next:** lesson 04, U-Net, passes on not two scores a cell but all that the finer maps hold, at every size, and puts layers behind the meeting.
#
# *To read on:* J. Long, E. Shelhamer and T. Darrell, "Fully convolutional networks for semantic segmentation" (2015), and its longer version of 2017; P. Sermanet and others, "OverFeat" (2014), for classifiers that slide; B. Cheng and others, "Boundary IoU: improving object-centric image segmentation evaluation" (2021).
