# %% [markdown]
# # 04 · U-Net: a skip at every level
#
# Lesson 02's decoder drew outlines from hearsay: it never saw the picture. Lesson 03 added back a few coarse scores. The network of this lesson hands its decoder *all* that the encoder knew, at every size on the way. Drawn, it looks like the letter U. Here is the one that you will build.
#
# **You will be able to**
#
# - build a U-Net for pictures of any size, and count its weights on paper;
# - say what concatenation can do that addition cannot;
# - find a fault in copied code that most tests of shape let through;
# - show, at equal false alarms, what skips bring, and where they change little.
#
# **You need** lessons 02 and 03. **Time:** 90 minutes. **Points:** 20.

# %% given="setup"
import torch
import torch.nn as nn
import torch.nn.functional as F

from course_lib import data, metrics, models, plot, train, widgets
from course_lib.checks.lesson_04 import check

print(f"torch {torch.__version__}, device: {train.device()}")

# %% tags=["demo"] fold="The network that you will build"
with torch.device("meta"):  # shapes without numbers: a large network costs nothing
    net = models.UNet(classes=3, base=32)
plot.shape_flow(net, size=256)

# %% [markdown]
# Left: the encoder. At each level two convolutions, then the map is halved. Right: the decoder. At each level the map is doubled, *and the encoder's map of the same size is put beside it*. That is a **skip**, an orange arrow. Levels are counted from 0, the full size: "encoder 1" and "decoder 1" are level 0.
#
# ## 1 · What does a skip carry?
#
# Here is one picture at the sizes of a U-Net's levels. A map places things about as sharply as this, unless its channels say where inside a cell they lie.

# %% tags=["demo"] fold="One picture, as sharp as each level"
image, animal = data.stack(data.scenes("val", 64, target="instance"), [63])
levels = [F.avg_pool2d(image, 2**k)[0] for k in range(5)]
names = [f"level {k}: {64 // 2**k} × {64 // 2**k}" for k in range(4)] + ["bottleneck: 4 × 4"]
plot.grid(levels, names, columns=5, title="One picture, as sharp as each level")

# %% [markdown] statement="double_conv" minutes=5 level=1
# At 8 × 8 the antlers are gone; at 16 × 16 they are a stain. Only the skip at full size has them sharp. So skips should matter most in thin parts and along outlines. Section 7 tests this.
#
# ## 2 · Two convolutions at a time
#
# Every block of the figure is the same small stack: twice a convolution, a **batch normalisation** and a ReLU. (Batch normalisation brings each channel to mean 0 and variance 1 over the batch. Then it applies two weights of its own, a factor and an offset.)
#
# ### The double convolution
#
# Write `double_conv(c_in, c_out)`. It returns a new `nn.Module` that turns `(B, c_in, H, W)` into `(B, c_out, H, W)`: 3 × 3 convolution, batch normalisation, ReLU, and the same again.
#
# - The first convolution goes from `c_in` to `c_out` channels, the second from `c_out` to `c_out`. Both keep H and W, with zeros around the map.
# - Neither has a bias: batch normalisation would take it off with the mean.
# - The normalisation is `nn.BatchNorm2d` with its defaults.
#
# Build it from torch.nn's layers, not from `models.DoubleConv`.
#
# For example, `double_conv(3, 8)(torch.rand(2, 3, 16, 24))` has shape `(2, 8, 16, 24)`. The module has 824 parameters: 9·3·8 = 216 and 9·8·8 = 576 in the convolutions, and 2·8 in each normalisation.

# %% answer="double_conv"
def double_conv(c_in, c_out):
    """Twice: 3×3 convolution, batch normalisation, ReLU; nn.Module: (B, c_in, H, W) → (B, c_out, H, W)."""
    ### BEGIN SOLUTION
    layers = []
    for channels in (c_in, c_out):
        layers += [nn.Conv2d(channels, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()]
    return nn.Sequential(*layers)
    ### END SOLUTION

# %% check="double_conv" seed=771031034230691091

# %% [markdown] statement="concat_as_add" minutes=3 level=1
# Hints: `check.double_conv.hint()`. You can go on without an exercise: `models.DoubleConv` does what yours does.
#
# ## 3 · Beside, or on top?
#
# The decoder has a map, the encoder has one of the same size. At one place the skip says 1, the decoder's map 10. How should they meet?
#
# **Concatenation** keeps both numbers, in two channels, and the next convolution decides what to do with them. **Addition** has decided already: from 11 nobody can tell 1 + 10 from 5 + 6. FCN adds, U-Net concatenates.
#
# Can concatenation do all that addition does?
#
# ### Addition, by concatenation
#
# Write `concat_as_add(weight)`. `weight` is a float tensor `(out, C, k, k)`, of a convolution that follows `skip + x`. Return a float tensor `(out, 2·C, k, k)`: over `torch.cat([skip, x], 1)` it gives what `weight` gives over `skip + x`, for any `skip` and `x` of C channels each. Gradients must flow back to `weight`; leave it as it was.
#
# For example, with C = 1, k = 1, out = 1 and a weight of 3, the sum becomes 3·(skip + x). What must stand before `skip`, and what before `x`?

# %% answer="concat_as_add"
def concat_as_add(weight):
    """Weights (out, 2C, k, k) that make of a concatenation what weight (out, C, k, k) makes of a sum."""
    ### BEGIN SOLUTION
    return weight.repeat(1, 2, 1, 1)
    ### END SOLUTION

# %% check="concat_as_add" seed=872396548489430855

# %% [markdown] statement="join" minutes=6 level=2
# It can: addition is the case of two equal halves. In general, a convolution over a concatenation is a sum of two, one over `skip` and one over `x`. So U-Net adds, too, but after giving each side weights of its own.
#
# ## 4 · Sizes that do not halve
#
# A map of 3 × 3 holds 1 to 9, row by row. Max-pooling sees 1, 2, 4 and 5, in the *top left*, and gives one number, 5. Doubled, that is a map of 2 × 2, and the skip is 3 × 3. If the skip is cut, the logits end up smaller than the picture. So the doubled map has to grow. Its four pixels stand for the top left; what it lacks, it lacks below and on the right.
#
# ### Join two maps
#
# Complete the function. Write `join(x, skip)`.
#
# - `x`: float tensor `(B, C, h, w)`, the decoder's map, already doubled;
# - `skip`: float tensor `(B, S, H, W)`, the encoder's. `H` is `h` or `h + 1`, and `W` is `w` or `w + 1`.
#
# Return a float tensor `(B, S + C, H, W)`: the encoder's channels first, then the decoder's. Where `x` lacks its last row, its last column, or both, repeat the one before it. (`F.pad` can do it, with `mode="replicate"`. It takes four numbers: what to add left, right, above, below.) Gradients must flow to both arguments; leave both as they were.
#
# For example, take `x = [[1, 2], [3, 4]]`, one channel, and a skip of one channel with 3 rows and 2 columns. Channel 0 of the result is the skip, and channel 1 is `[[1, 2], [3, 4], [3, 4]]`.

# %% answer="join"
def join(x, skip):
    """Skip and x side by side, x grown to the skip's size: (B, C, h, w), (B, S, H, W) → (B, S + C, H, W)."""
    below, right = skip.shape[2] - x.shape[2], skip.shape[3] - x.shape[3]  # rows and columns that x lacks
    ### BEGIN SOLUTION
    for side, lacks in ((2, below), (3, right)):
        if lacks:
            x = torch.cat([x, x.narrow(side, x.shape[side] - 1, 1)], side)
    return torch.cat([skip, x], 1)
    ### END SOLUTION

# %% check="join" seed=1019469990184654400

# %% [markdown]
# Now the same step as many repositories have copied it from one another. It fits the skip to `x`. In `F.pad` a negative number cuts off.

# %% given="copied"
def copied_join(x, skip):
    """Copied code: cut the skip to the size of x, then concatenate."""
    dx = x.shape[2] - skip.shape[2]
    dy = x.shape[3] - skip.shape[3]
    skip = F.pad(skip, (dx // 2, int(dx / 2), dy // 2, int(dy / 2)))
    return torch.cat([skip, x], 1)

# %% tags=["demo"] fold="What the copied join puts together"
skip = torch.arange(1.0, 10).reshape(1, 1, 3, 3)
x = F.interpolate(F.max_pool2d(skip, 2), scale_factor=2)
maps = {"skip": skip[0], "doubled": x[0], "copied_join": copied_join(x, skip)[0]}
plot.channels(maps, {"skip": ["encoder"], "doubled": ["decoder"], "copied_join": ["encoder", "decoder"]},
              {"skip": [(0, 0, 0)], "copied_join": [(0, 0, 0), (1, 0, 0)]}, title="Do the framed pixels belong together?")

# %% [markdown] statement="outcome" minutes=9 level=2
# No, the framed pixels do not belong together. Beside the decoder's first pixel should lie the 1, and there lies the 5: the skip has lost its *first* row and column, not its last. (In Python, −1 // 2 is −1, and int(−1 / 2) is 0.) No error is raised. And look at which axis gets `dx`.
#
# ### The sizes on which it lies
#
# A U-Net halves a picture `depth` times, rounding down. On the way back it doubles its map, joins it to that level's skip by `copied_join`, and so on, up to full size.
#
# Complete the function. Write `outcome(height, width, depth)`, for pictures of at least 2 to the power of `depth` pixels each way. The walk through the sizes is given. Decide at each join whether it stops; at the end, whether the map has its full size again. Return
#
# - `"right"` where no skip loses anything;
# - `"stops"` where `torch.cat` raises an error at some level;
# - `"shifted"` where all runs through and some skip has lost rows and columns at its beginning.
#
# For example, `outcome(3, 3, 1)` is `"shifted"`, as drawn. `outcome(3, 4, 1)` is `"stops"`: a row is too many, and the code takes a column.

# %% answer="outcome"
def outcome(height, width, depth):
    """What copied_join does to a picture in a U-Net of this depth: "right", "stops" or "shifted"."""
    sizes = [(height, width)]
    for _ in range(depth):
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    h, w = sizes.pop()  # the bottleneck
    for rows, columns in reversed(sizes):
        h, w = 2 * h, 2 * w  # the map, doubled; it meets a skip of rows × columns
        more_rows, more_columns = rows - h, columns - w  # what the skip has too many
        ### BEGIN SOLUTION
        if more_rows != more_columns:
            return "stops"
    return "right" if (h, w) == (height, width) else "shifted"
        ### END SOLUTION

# %% check="outcome" seed=1033433454897632251

# %% [markdown]
# Everyone who tested it on 256 × 256 was content. With your `join`, a picture may have any size that can be halved often enough, but for one trap. The library's U-Net joins as yours does:

# %% tags=["demo"]
for shape in ((1, 3, 33, 47), (2, 3, 16, 16), (1, 3, 16, 16)):
    net = models.UNet(classes=5, base=8, depth=4)
    try:
        print(shape, "→", tuple(net(torch.rand(shape)).shape))
    except ValueError as error:
        print(shape, "→", error)

# %% [markdown]
# The trap: in training, batch normalisation subtracts the mean over batch and places. A single number minus its mean is 0. (The original of 2015 did not pad. It kept the *middle* of each skip, on purpose.)
#
# ## 5 · The whole U
#
# The first figure as a table, with the memory that each map takes for one picture.

# %% tags=["demo"] fold="Shapes, parameters and memory, stage by stage"
with torch.device("meta"):
    net = models.UNet(classes=3, base=32)
print(f"{'stage':12}{'C × H × W':>16}{'parameters':>12}{'MB':>8}")
for stage in models.trace(net, (1, 3, 256, 256)):
    shape = f"{stage.channels} × {stage.height} × {stage.width}"
    print(f"{stage.name:12}{shape:>16}{stage.parameters:12,}{4 * stage.channels * stage.height * stage.width / 2**20:8.2f}")

# %% [markdown] statement="build_unet" minutes=9 level=3
# The weights lie at the bottom, the memory at the top. A skip is not free: the encoder's map is kept until the decoder comes back to its level, the largest one longest.
#
# ### A whole U-Net
#
# Write `forward(self, x)`, so that `build_unet(classes, base, depth, closed=())` returns a U-Net: an `nn.Module` that turns pictures `(B, 3, H, W)` into logits `(B, classes, H, W)`, for any H and W of at least 2 to the power of `depth`. The layers are made in `__init__`.
#
# - **Down**, from level 0 to level `depth` − 1: `self.down[k]` is the level's double convolution. Its output is the level's skip, saved *before* a 2 × 2 max-pooling leads to the next level. After the last pooling comes the bottleneck, `self.down[depth]`.
# - **Up**, from level `depth` − 1 to level 0: `self.grow[k]`, a transposed convolution, doubles the map and halves its channels. Then `join` it to `self.gate(k, skip)`, skip first. Then `self.up[k]`.
# - **Head:** the 1 × 1 convolution `self.score`.
#
# `self.gate` is given. It hands the skip on, or zeros of its shape where level *k* is in `closed`: section 7 will close skips.
#
# Use your `join`, but no finished network such as `models.UNet`. If you skipped `join`, concatenate, and leave odd sizes.
#
# For example, `build_unet(5, 8, 3)(torch.rand(2, 3, 33, 47))` has shape `(2, 5, 33, 47)`. `build_unet(5, 8, 3, closed=[0])` joins zeros at full size.

# %% answer="build_unet"
class Ushape(nn.Module):
    """A U-Net: (B, 3, H, W) → (B, classes, H, W). The skips of the levels in `closed` are replaced by zeros."""

    def __init__(self, classes, base, depth, closed):
        super().__init__()
        wide = [base * 2**k for k in range(depth + 1)]  # channels of level 0, 1, …, and of the bottleneck
        self.depth, self.closed = depth, set(closed)
        self.down = nn.ModuleList(models.DoubleConv(a, b) for a, b in zip([3, *wide], wide))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in wide[:-1])
        self.up = nn.ModuleList(models.DoubleConv(2 * w, w) for w in wide[:-1])
        self.score = nn.Conv2d(base, classes, kernel_size=1)

    def gate(self, k, skip):
        return torch.zeros_like(skip) if k in self.closed else skip

    def forward(self, x):
        ### BEGIN SOLUTION
        saved = [self.down[0](x)]
        for block in self.down[1:]:
            saved.append(block(F.max_pool2d(saved[-1], 2)))
        x = saved.pop()
        for k in range(self.depth - 1, -1, -1):
            x = self.up[k](join(self.grow[k](x), self.gate(k, saved[k])))
        return self.score(x)
        ### END SOLUTION


def build_unet(classes, base, depth, closed=()):
    """A U-Net with base·2^k channels at level k, the skips of the levels in `closed` replaced by zeros."""
    return Ushape(classes, base, depth, closed)

# %% check="build_unet" seed=993664137630553324

# %% [markdown] statement="count_unet" minutes=6 level=2
# ## 6 · Count it
#
# "*The* U-Net has 31 million parameters": so papers and blogs say. Check it by arithmetic.
#
# ### Parameters by formula
#
# Complete the function. Write `count_unet(classes, base, depth)`: how many parameters `build_unet(classes, base, depth)` has, as an `int`. Don't build it, nor layers of it. `double` counts a double convolution for you.
#
# For example, `count_unet(2, 1, 1)` is 146:
#
# | part | parameters |
# |---|---|
# | level 0, down: 3 → 1 channel | `double(3, 1)` = 40 |
# | bottleneck: 1 → 2 | `double(1, 2)` = 62 |
# | transposed convolution: 2 → 1 | 4·2·1 + 1 = 9 |
# | level 0, up: 2 → 1 | `double(2, 1)` = 31 |
# | head: 1 → 2 classes | 1·2 + 2 = 4 |

# %% answer="count_unet"
def count_unet(classes, base, depth):
    """The number (int) of parameters of build_unet(classes, base, depth)."""
    def double(c_in, c_out):  # two 3 × 3 convolutions, and two normalisations with 2 weights a channel
        return 9 * c_in * c_out + 9 * c_out * c_out + 4 * c_out

    wide = [base * 2**k for k in range(depth + 1)]  # channels of level 0, 1, …, and of the bottleneck
    ### BEGIN SOLUTION
    total = classes * (base + 1) + double(3, base)
    for c in wide[:-1]:
        total += double(c, 2 * c) + 8 * c * c + c + double(2 * c, c)  # one level deeper, and back up
    return total
    ### END SOLUTION

# %% check="count_unet" seed=935790379529332828

# %% [markdown]
# Now the 31 million: 64 base channels, 4 levels, 19 classes. The second network doubles its maps by bilinear resizing. That learns nothing and leaves the channels alone, so a 1 × 1 convolution halves them first.

# %%
with torch.device("meta"):
    for kind in ("transposed", "bilinear"):
        net = models.UNet(classes=19, base=64, upsample=kind)
        print(f"{kind:10} {models.count_parameters(net):12,} parameters")

# %% [markdown] statement="giant_upsampling" minutes=3 level=1
# So 31 million is true of some. Nor does concatenation always "double the channels": without the halving, 2*c* channels from below and *c* from the skip make 3*c*.
#
# Why climb level by level at all? One giant stroke could go from the bottleneck to the logits, without skips: a transposed convolution of stride 2^depth, with a kernel of twice the stride, so that neighbouring patches overlap.
#
# ### One giant stroke
#
# Complete the function. Write `giant_upsampling(channels, classes, depth)` for such a layer, from `channels` to `classes` channels, with a bias. Return a tuple of two `int`s: its parameters, and how many numbers of the bottleneck the score of one class at one pixel is computed from (away from the rim).
#
# For example, `giant_upsampling(2, 3, 1)` is `(99, 8)`. The kernel is 4: 2·3·4·4 weights and 3 biases are 99. In a row each pixel is painted from two places, so on a map from four, with 2 channels each: 8.

# %% answer="giant_upsampling"
def giant_upsampling(channels, classes, depth):
    """(parameters, numbers that a score is computed from) of one transposed convolution back to full size."""
    kernel = 2 * 2**depth  # twice the stride
    ### BEGIN SOLUTION
    return classes * (channels * kernel * kernel + 1), 4 * channels
    ### END SOLUTION

# %% check="giant_upsampling" seed=580839473213435085

# %% tags=["demo"] fold="What the stroke and the decoder weigh"
for depth in (4, 5):
    with torch.device("meta"):
        net = models.UNet(classes=19, base=64, depth=depth)
        giant = nn.ConvTranspose2d(64 * 2**depth, 19, 2 * 2**depth, stride=2**depth)
    ups = sum(stage.parameters for stage in models.trace(net, (1, 3, 256, 256)) if stage.kind in ("decoder", "head"))
    print(f"depth {depth}: giant stroke {models.count_parameters(giant):11,}   decoder of the U-Net {ups:11,}")

# %% [markdown]
# The stroke has more weights than the whole decoder, and eight times as many with each further level.
#
# ## 7 · What do skips bring?
#
# Train two networks on the same pictures, in the same order, for the same number of steps: your U-Net, and your U-Net with all skips closed. Both have the same layers and as many weights. With closed skips, the weights that read a skip, one in ten, meet only zeros. The classes are background and animal.

# %% tags=["demo", "experiment"] fold="How many weights read a skip"
def library_unet(classes, base, depth, closed=()):
    """What build_unet is to return, made of the library's U-Net."""
    net = models.UNet(classes=classes, base=base, depth=depth)
    for level in closed:
        net.decoder[depth - 1 - level].skip = "zero"
    return net


unet = check.build_unet.yours(build_unet, library_unet)
readers = sum(9 * (8 * 2**k) ** 2 for k in range(3))  # on the way up, half of a level's first convolution
print("your build_unet" if unet is build_unet else "the library's U-Net, until your build_unet passes", end=": ")
print(f"{models.count_parameters(unet(2, 8, 3)):,} parameters, {readers:,} of them read a skip")

# %% tags=["demo", "experiment"]
size, steps = train.scale(cpu=(64, 200), gpu=(128, 2000))
scenes = data.Kept(data.scenes("train", size, target="instance", length=1600))
nets = {}
for name, closed in {"skips": (), "closed skips": (0, 1, 2)}.items():
    torch.manual_seed(0)
    nets[name] = unet(2, 8, 3, closed)  # your build_unet, if it passes
    train.fit(nets[name], scenes, steps=steps, title=name, curve=False)

# %% [markdown]
# A network that says "animal" everywhere finds all of it. So each gets a threshold at which it takes 5 % of the background's pixels for animal. How much is then *found* of thin parts (lesson 02: no 5 × 5 square of animal fits), and of the inside, more than 4 px from any outline? And how much is *wrong* within 2 px of an outline, and beyond 4 px? (On a GPU the pictures are larger: there it is 4 and 8 px.)

# %% tags=["demo", "experiment"] fold="Found and wrong, at equal false alarms"
def compare(nets, images, truth):
    """Print a row for each network; {name: where it finds animal}, at 5 % false alarms each."""
    animal, band, found = truth == 1, images.shape[-1] // 32, {}
    near, far = metrics.near_boundary(truth, band), ~metrics.near_boundary(truth, 2 * band)
    print(f"{'':22}thin: found   inside: found   near: wrong   far: wrong")
    for name, net in nets.items():
        score = train.logits(net, images).softmax(1)[:, 1]
        found[name] = score > score[~animal].quantile(0.95)
        wrong = found[name] != animal
        shares = [found[name][metrics.thin(animal)], found[name][animal & far], wrong[near], wrong[far]]
        print(f"{name:20}" + "".join(f"{100 * share.float().mean():>11.1f} %" for share in shares))
    return found


unseen = data.stack(data.scenes("val", size, target="instance"), 200)
found = compare(nets, *unseen)

# %% [markdown]
# Along outlines the skips pay already. With other seeds and on other processors they did in eight runs of nine, and in the ninth they were level. The column "inside" goes either way: so short a training settles little.
#
# So the course brings two networks of this kind that learned twelve times as long, from 12,000 pictures. (They were made by `tools/train_checkpoints.py`.) The third line is for later.

# %% tags=["demo", "experiment"] fold="The same after long training"
images, truth = unseen if size == 64 else data.stack(data.scenes("val", 64, target="instance"), 200)


def long_trained(name, closed=()):
    net = library_unet(2, 8, 3, closed)
    net.load_state_dict(models.weights(name))
    return net.to(train.device(), memory_format=torch.channels_last)


found = compare({"skips": long_trained("unet_skips"),
                 "closed skips": long_trained("unet_closed", (0, 1, 2)),
                 "closed afterwards": long_trained("unet_skips", (0, 1, 2))}, images, truth)

two = {name: found[name] for name in ("skips", "closed skips")}
plot.error_density({name: metrics.errors_by_distance(f.long(), truth, cap=8) for name, f in two.items()},
                   title="At equal false alarms: wrong pixels by distance from an outline")

# %% [markdown]
# Deep inside animals the two now agree. Near an outline they do not: 17 % of the pixels are wrong with skips, 28 % without. Of thin parts the skips find twice as much. The strip is narrow: the curves meet about 3 px from the outline. (Don't read much into "far". Who is unsure along outlines spends the 5 % of false alarms there, and has few left for far away.)
#
# Two more pairs, from other seeds and trained half as long, say the same: near outlines and in thin parts the skips were ahead both times. Deep inside they were ahead only once. Both networks know *that* there is an animal, and roughly where. What the bottleneck could not keep is the place to the pixel.

# %% tags=["demo", "experiment"] fold="A closer look at antlers and legs"
which = [0, 37, 194]
plot.closeup(images[which], truth[which], {name: f[which] for name, f in two.items()},
             title="Share of the animal found: with skips, and trained with closed skips")

# %% [markdown]
# The deer's antlers, its legs, most of the flamingo's leg: those are what the skips bring. They do not bring everything: in the third picture both networks miss the antlers. Yellow are the false alarms. Each network has 5 % of them, over all 200 pictures; with skips, a little more of them lie far from the animal.
#
# Now take the network that was trained with its skips *open*, and close some. (Here an animal is what has more than half of the probability.)

# %% tags=["demo", "experiment"] fold="Close skips of one trained network"
def prediction(scene, **switches):
    closed = [k for k in range(3) if not switches[f"level_{k}"]]
    score = train.logits(long_trained("unet_skips", closed), images[[scene]]).softmax(1)[:, 1]
    name = "all skips open" if not closed else "closed: " + ", ".join(map(str, closed))
    return plot.closeup(images[[scene]], truth[[scene]], {name: score > 0.5}, title="One trained network, some of its skips closed")


switches = {f"level_{k}": widgets.Switch(f"level {k}", True) for k in range(3)}
widgets.Live(prediction, {"scene": widgets.Choice("scene", 0, (0, 19, 37, 194)), **switches})

# %% [markdown]
# With all three closed, every animal becomes an egg. The table has this network as "closed afterwards": 40 % wrong near outlines. Trained with closed skips it was 28 %, with the same layers and zeros in the same places. The difference: these weights had learned to rely on the skips. So closing a skip afterwards shows what *this* network leans on. What a network can do without it, only training without it shows.
#
# ## 8 · Thirty pictures were enough
#
# The U-Net of 2015 learned from thirty pictures of tissue under an electron microscope. At 512 × 512 each, they hold almost eight million labelled pixels. And tissue is soft: bend a picture a little, and it could be another slice. So the authors bent picture and labels together, anew each time.
#
# In this **elastic deformation** every pixel is fetched from a place nearby, and neighbours move alike. The image is blended between pixels, the mask is not: half pet and half background is no class. Turn the strength. Then change what fills the places that come from outside.

# %% tags=["demo"] fold="One bend for picture and mask"
from torchvision import tv_tensors
from torchvision.transforms import v2

picture, trimap = data.scenes("val", 128)[63]
ruled = picture.clone()
ruled[:, ::16], ruled[:, :, ::16] = 1, 1


def bent(strength, fill):
    torch.manual_seed(2)
    bend = v2.ElasticTransform(float(strength), 8.0, fill={tv_tensors.Mask: fill, "others": 0})
    image, mask = bend(tv_tensors.Image(ruled), tv_tensors.Mask(trimap))
    pets = f"{int((mask == 0).sum())} pixels of class 0, pet"
    return plot.grid([ruled, trimap, image, mask], ["picture", "its trimap", f"bent, strength {strength}", pets],
                     classes=data.TRIMAP, title="One deformation, on the picture and on its mask")


widgets.Live(bent, {"strength": widgets.Slider("strength", 150, 0, 400, 25),
                    "fill": widgets.Choice("mask filled with", 255, (255, 0))})

# %% [markdown] quiz="channels" answer="b"
# With 0, torchvision's default, the outside becomes class 0, and here that is *pet*: it appears along the rim where no animal is. So give the mask 255, "not labelled". `data.augment(size, elastic=…)` does that.
#
# Bending helps when the bent picture could have been real. A cell may take any such form; a stop sign may not.
#
# ## Checkpoint
#
# **Question 1.** A decoder level gets 128 channels from below, doubles the map by bilinear resizing, and concatenates a skip of 64 channels. How many channels does its first 3 × 3 convolution see?
#
# - a) 128
#   > That would be right if the upsampling had halved the channels first. Resizing leaves them as they are.
# - b) 192
#   > Yes: 128 + 64. Resizing changes height and width, not channels.
# - c) 256
#   > The two maps do not have equally many channels: 128 and 64.
# - d) 64
#   > Addition would give that, if both had 64. Concatenation adds up the channels.

# %% [markdown] quiz="switch" answer="d"
# **Question 2.** In a trained U-Net you close the skip of level 1 only. Of thin parts it now finds 41 %, where it found 62 %. What does this show?
#
# - a) A U-Net that is trained without that skip finds 41 %.
#   > Such a network was not trained. Its other skips could learn to carry part of it.
# - b) The skips of levels 0 and 2 carry little about thin parts.
#   > They may carry much, and still be of little use to weights that expect level 1 beside them.
# - c) Thin parts can be seen at level 1 only.
#   > With the skip closed, 41 % are still found.
# - d) These weights rely on it for thin parts. Others might do without.
#   > Yes. Closing a part of a trained network shows what its weights lean on, not what is needed.

# %% [markdown] quiz="tiny" answer="a"
# **Question 3.** A U-Net with four halvings and batch normalisation is in training. Which batch stops it?
#
# - a) One picture of 20 × 28.
#   > Yes. 20 and 28 both end at 1 after four halvings. One picture, one place: a single number for each channel.
# - b) Two pictures of 16 × 16.
#   > The bottleneck is 1 × 1, but there are two pictures: two numbers for each channel.
# - c) One picture of 16 × 32.
#   > The bottleneck is 1 × 2: two numbers for each channel.
# - d) One picture of 47 × 33.
#   > Odd sizes are no trouble to `join`, and the bottleneck is 2 × 2.

# %% [markdown]
# **An interviewer asks:** "We want to drop the decoder and its skips. One transposed convolution of stride 16 takes the bottleneck straight to logits. It is learned, so it can become as sharp as we like. What does this cost, and where in our pictures will we see it?"
#
# Answer in three to five sentences, with two numbers. *Graded by hand, 2 points:* one for the cost, and why learning does not remove it; one for where it shows, and a test on which you and the interviewer expect different results.

# %% [markdown] written="giant" points=2
# With 1,024 channels and 19 classes the layer has about 20 million weights, more than the whole decoder. Each score is computed from four places of the bottleneck, 4,096 numbers, and no finer map reaches it. Learning does not change that: the layer is sharp only where the bottleneck's channels say where in a block of 16 × 16 pixels the edge runs.
#
# So I expect large areas as before, and losses in parts thinner than a block: antlers, poles. A test: at equal false alarms, count what is found of thin parts and of the inside of objects. If the interviewer is right, both stay; if I am, the thin parts fall.

# %% [markdown]
# ## Hand in
#
# Save the notebook (Ctrl+S, or ⌘S on a Mac) and follow "Submit" in the course's README. **Next:** lesson 05 asks what happens if the map is not made small in the first place.
#
# *To read on:* O. Ronneberger, P. Fischer and T. Brox, "U-Net: convolutional networks for biomedical image segmentation" (2015); P. Simard, D. Steinkraus and J. Platt, "Best practices for convolutional neural networks applied to visual document analysis" (2003); M. Drozdzal and others, "The importance of skip connections in biomedical image segmentation" (2016); F. Isensee and others, "nnU-Net" (2021).
