# %% [markdown]
# # 02 · Encoder and decoder
#
# A classifier looks at a photograph and says "squirrel". To get there it shrinks the picture until a few places are left and each has seen most of it. A segmenter must say *which pixels* are squirrel, and the shrinking has thrown the pixels away. So it grows the map back. Down, then up: an **encoder** and a **decoder**.
#
# You will build and train a network like the one below, and measure where such networks go wrong.
#
# **You will be able to**
#
# - say what size a map has after any layer, and how far one pixel of it sees;
# - grow a map in four ways, and say which of them draw checkerboards;
# - build an encoder–decoder that takes a picture of any size;
# - show where such a network errs, and why.
#
# **You need** lesson 00, and to have met convolutions (kernel, stride, padding), `nn.Module`, `backward()`, `reshape` and `permute`. **Time:** 90 minutes. **Points:** 20.

# %% given="setup"
import torch
import torch.nn as nn
import torch.nn.functional as F

from course_lib import data, metrics, models, plot, train, widgets
from course_lib.checks.lesson_02 import check

print(f"torch {torch.__version__}, device: {train.device()}")

# %% tags=["demo"]
widgets.shape_tracer(size=64, depth=4, base=8)

# %% [markdown]
# The taller a block, the larger its map; the wider, the more channels. At the **bottleneck** 4 × 4 places are left of 64 × 64. All that the right half knows of the picture has come through there. Change the depth: the parameters (the small numbers) pile up at the bottom, where the channels are many. (Skips come in lesson 04.)
#
# ## 1 · Why shrink at all?
#
# Can you tell from its surroundings what the magenta pixel belongs to?

# %% tags=["demo"] fold="One pixel in wider and wider windows"
scene, mask = data.scenes("val", size=128)[9]
row, column = 64, 64
while mask[row, column] != 0:
    row, column = row + 1, column + 1
windows = [7, 15, 31, 63]
framed = F.pad(scene, (31, 31, 31, 31), mode="reflect")
corners = [(row + 31 - n // 2, column + 31 - n // 2) for n in windows]
crops = [framed[:, top : top + n, left : left + n].clone() for n, (top, left) in zip(windows, corners)]
for n, crop in zip(windows, crops):
    crop[:, n // 2, n // 2] = torch.tensor([1.0, 0.0, 1.0])  # mark it
plot.grid(crops, [f"{n} × {n} pixels" for n in windows], title="The same pixel, with more and more around it")

# %% [markdown]
# Seven pixels are texture. Thirty-one are a guess. At sixty-three you see what it is. A network, too, must look at a wide surrounding to label a pixel: its **receptive field**.
#
# One 3 × 3 convolution sees 3 pixels across, a second 5, a third 7: each adds 2. To see 63 you need 31 of them, all at full size, each at 9 · *C_in* · *C_out* multiplications a place. Compare a network that halves the map four times and doubles its channels each time.

# %% tags=["demo"] fold="Multiplications and fields of the two networks"
def multiplications(c_in, c_out, size, k=3):
    """Multiplications of one k×k convolution that puts out c_out maps of size×size."""
    return k * k * c_in * c_out * size * size


plain = 31 * multiplications(32, 32, 256)
halving, channels = 0, 32
for level in range(5):  # 256, 128, 64, 32, 16 pixels; 32, 64, 128, 256, 512 channels
    size, c = 256 // 2**level, channels * 2**level
    halving += multiplications(c if level == 0 else c // 2, c, size) + multiplications(c, c, size)  # two layers
print(f"31 layers at full size:           {plain / 1e9:5.1f} billion multiplications, field 63")
print(f"10 layers, pooled between pairs:  {halving / 1e9:5.1f} billion multiplications, field 140")

# %% [markdown]
# Without its way back up, the halving network costs about a quarter and sees more than twice as far. That is the bargain of every encoder: **context is bought with resolution**.
#
# ## 2 · The size after one layer
#
# A convolution slides a kernel along a row of pixels. Four numbers decide the output's size: the kernel size *k*, the stride *s* (how far it moves each time), the padding *p* (zeros added at *each* end) and the dilation *d* (the distance between its taps). Move the sliders and watch the left side: what two neighbouring output pixels read. (The right side is for section 4.)

# %% tags=["demo"]
widgets.taps()

# %% [markdown] statement="conv_out_size" minutes=4 level=1
# At dilation 2 a kernel of 3 spans 5 pixels. In general it is *d*(*k* − 1) + 1, not *d*·*k*: *k* taps have only *k* − 1 gaps.
#
# Seven pixels, a kernel of 3, stride 2, no padding: its left edge can stand at 0, 2 and 4. At 6 it would hang over the end. Three places, three outputs.
#
# ### The size after one layer
#
# Write `conv_out_size(n, k, s=1, p=0, d=1)`. It returns an `int`: the length of what a convolution makes of a row of `n` pixels. All five are whole numbers; the kernel fits on the padded row.
#
# Here and in all exercises, leave the arguments as they were.
#
# For example, `conv_out_size(7, 3, s=2)` is `3`, as above.

# %% answer="conv_out_size"
def conv_out_size(n, k, s=1, p=0, d=1):
    """The length (int) of a convolution's output for a row of n pixels."""
    ### BEGIN SOLUTION
    reach = d * (k - 1) + 1
    return (n + 2 * p - reach) // s + 1
    ### END SOLUTION

# %% check="conv_out_size" seed=752435065944569268

# %% [markdown] statement="trace_shapes" minutes=5 level=2
# If you are stuck, ask for a hint in a cell of your own: `check.conv_out_size.hint()`, three times.
#
# ## 3 · Fewer places, more channels
#
# Many classifiers halve 224 pixels five times: 112, 56, 28, 14, 7. One place then stands for 32 × 32.
#
# Each halving leaves a quarter of the places. Twice the channels make that half of the values. Why double them? A place now stands for four times as much of the picture: there is more to say. And it costs nothing extra: twice the channels in and out, on a quarter of the places, are as many multiplications as before.
#
# ### Shapes through a net
#
# A net is given as a list of rows, one a layer, in order:
#
# - `("conv", channels, k, s, p)`: a convolution with so many output channels, no dilation;
# - `("pool", k)`: max-pooling with kernel and stride `k`, no padding;
# - `("up", channels, k, s)`: a transposed convolution (section 5). Each input pixel paints a k × k patch, and the patches start `s` pixels apart. So two pixels with k = 3, s = 2 paint places 0–2 and 2–4: five in all.
#
# Write `trace_shapes(rows, shape)`. `shape` is the input's `(C, H, W)`. Return a list of `(C, H, W)` tuples of `int`, the shape *after* each row. Do arithmetic; don't run a network. The loop and the pooling are there: add the rest.
#
# For example, `trace_shapes([("conv", 8, 3, 2, 1), ("pool", 2), ("up", 4, 3, 2)], (3, 17, 32))` is `[(8, 9, 16), (8, 4, 8), (4, 9, 17)]`.

# %% answer="trace_shapes"
def trace_shapes(rows, shape):
    """The (C, H, W) after each row of a net, as a list of tuples."""
    c, h, w = shape
    shapes = []
    for kind, *numbers in rows:  # for example, kind is "pool" and numbers is [2]
        if kind == "pool":
            h, w = h // numbers[0], w // numbers[0]
        ### BEGIN SOLUTION
        elif kind == "conv":
            c, k, s, p = numbers
            h, w = ((n + 2 * p - k) // s + 1 for n in (h, w))
        else:
            c, k, s = numbers
            h, w = ((n - 1) * s + k for n in (h, w))
        ### END SOLUTION
        shapes.append((c, h, w))
    return shapes

# %% check="trace_shapes" seed=599711488170054382

# %% [markdown]
# ## 4 · How far does one pixel see?
#
# Take two 3 × 3 layers. A pixel of the second looks at 3 pixels of the first, and each of those at 3 of the input. Neighbours share, so together it is 5 pixels, not 9.
#
# Now give the first layer stride 2. The second still looks at 3 of its pixels, but these lie at 0, 2 and 4 of the input, and each sees 3 there: from −1 to 5. That is 7.
#
# So a layer adds *d*(*k* − 1) steps, and the length of a step is the product of the strides *before* it. `plot.field` needs no such rule: it measures, by gradient.

# %% tags=["demo"]
for layer in ((3, 1, 1), (3, 2, 1)):  # kernel, stride, dilation
    print(f"four layers of {layer}: the field is {plot.field([layer] * 4).field[0]} pixels wide")

# %% [markdown] statement="receptive_field" minutes=4 level=2
# A stride does not double the field. It doubles *what each later layer adds*: four layers of stride 2 add 2, 4, 8 and 16.
#
# ### The receptive field of a stack
#
# Write `receptive_field(layers)`. `layers` is a list of `(k, s, d)` tuples, from the input on: kernel, stride, dilation. Return an `int`: how many input pixels lie, in one direction, from the first to the last that one output pixel depends on. Both ends count, and so do holes between dilated taps. The loop is there: bring both numbers up to date, and leave the library's measured fields out.
#
# For example, `receptive_field([(3, 2, 1), (3, 1, 1)])` is `7`, and `receptive_field([])` is `1`: a pixel sees itself.

# %% answer="receptive_field"
def receptive_field(layers):
    """The receptive field (int, in input pixels) of a stack of (k, s, d) layers."""
    field, step = 1, 1  # step: how many input pixels two neighbours of the latest map lie apart
    for k, s, d in layers:
        ### BEGIN SOLUTION
        field += d * (k - 1) * step
        step *= s
        ### END SOLUTION
    return field

# %% check="receptive_field" seed=923181233724868134

# %% [markdown] statement="poke" minutes=4 level=2
# A formula can be wrong in ways that look right. So measure. The gradient of an output pixel says how much it changes when an input pixel changes a little. Where all weights are 1, nothing can cancel; then it is 0 exactly where the output pixel does not look.
#
# ### Poke one pixel
#
# Write `poke(layers, size)`. A stack of convolutions `(k, s, d)` with odd *k*, for one channel and with all weights 1, is there and has run on a `size` × `size` input. Take the output pixel in the middle, at row `h // 2` and column `w // 2` of the output's own *h* × *w*. Return the gradient of that one pixel with respect to every input pixel, as it is: a float tensor `(size, size)`.
#
# For example, `poke([(3, 1, 1)], 5)` is 1 on the middle 3 × 3 of a 5 × 5 map, and 0 around it. The library's measured fields are no answer.

# %% answer="poke"
def poke(layers, size):
    """The gradient, (size, size), of the middle output pixel of a stack with respect to the input."""
    stack = nn.Sequential()
    for k, s, d in layers:
        stack.append(nn.Conv2d(1, 1, k, stride=s, padding=d * (k - 1) // 2, dilation=d, bias=False))
        nn.init.ones_(stack[-1].weight)
    image = torch.ones(1, 1, size, size, requires_grad=True)
    out = stack(image)  # (1, 1, h, w)
    ### BEGIN SOLUTION
    out[0, 0, out.shape[2] // 2, out.shape[3] // 2].backward()
    return image.grad[0, 0]
    ### END SOLUTION

# %% check="poke" seed=628468915619280891

# %% tags=["demo"] fold="A whole network of three halvings, poked"
torch.manual_seed(0)
plot.field(models.EncoderDecoder(classes=3, base=8, depth=3), size=128)

# %% [markdown]
# The box holds the pixels that *can* matter. The bars say how much each does: towards the rim, hardly. Many paths lead from a central pixel to the output, few from one at the rim. A large field is a possibility, not a promise.
#
# ## 5 · The way back up
#
# Here are four ways to double a map: one with a single bright pixel (above) and a flat one (below). The last two ways have four weights, chosen by hand here; a network would learn them.

# %% tags=["demo"] fold="Four ways to double a map"
brush = torch.tensor([[1.0, 0.3], [0.6, 0.1]])[None, None]
dot, flat = torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)
dot[0, 0, 1, 1] = 1.0
rows = []
for small in (dot, flat):
    rows += [small,
             F.interpolate(small, scale_factor=2, mode="nearest"),
             F.interpolate(small, scale_factor=2, mode="bilinear", align_corners=False),
             F.conv_transpose2d(small, brush, stride=2),
             F.pixel_shuffle(F.conv2d(small, brush.reshape(4, 1, 1, 1)), 2)]
names = ["the map, 4 × 4", "nearest", "bilinear", "transposed, k2 s2", "pixel shuffle"] * 2
plot.grid([r[0, 0] for r in rows], names, columns=5, title="Four ways up, from one bright pixel and from a flat map")

# %% [markdown] statement="transposed_conv" minutes=8 level=2
# **Nearest** copies each value into a 2 × 2 block. **Bilinear** blends neighbours. Neither has anything to learn, so a convolution follows.
#
# A **transposed convolution** learns to paint. Each input pixel paints a patch on an empty canvas: the kernel, its brush, times the pixel's value. Its neighbour paints the next one *s* pixels further, and where patches overlap, the paint adds up.
#
# ### Paint by hand
#
# Write `transposed_conv(x, weight, stride)` from slices, without torch's own. The canvas and the walk over the input are there. At each place, make the patch of every picture and output channel, and paint it with its corner at `top`, `left`.
#
# - `x`: float tensor `(B, C_in, H, W)`;
# - `weight`: float tensor `(C_in, C_out, k, k)`. Input channel *c* paints on output channel *o* with the brush `weight[c, o]`;
# - `stride`: `int`; no padding, no bias.
#
# Gradients must flow back to `x` and `weight`: work on tensors throughout.
#
# For example, in one dimension, pixels `[1, 10]` painted with the brush `[1, 2, 3]` at stride 2 give `[1, 2, 3 + 10, 20, 30]`, that is `[1, 2, 13, 20, 30]`.

# %% answer="transposed_conv"
def transposed_conv(x, weight, stride):
    """Transposed convolution of x (B, C_in, H, W) with weight (C_in, C_out, k, k), by painting patches."""
    b, _, height, width = x.shape
    _, c_out, k, _ = weight.shape
    canvas = x.new_zeros(b, c_out, (height - 1) * stride + k, (width - 1) * stride + k)
    for i in range(height):
        for j in range(width):
            here = x[:, :, i, j]  # (B, C_in)
            top, left = i * stride, j * stride
            ### BEGIN SOLUTION
            patch = torch.einsum("bc,cokl->bokl", here, weight)
            canvas[:, :, top : top + k, left : left + k] += patch
            ### END SOLUTION
    return canvas

# %% check="transposed_conv" seed=1037542685719002928

# %% [markdown] statement="overlap_count" minutes=3 level=1
# In the example, the middle pixel was painted twice and the others once.
#
# ### Who paints where?
#
# Write `overlap_count(n, k, s)`: for a transposed convolution of kernel `k` and stride `s` on a row of `n` pixels, count how many input pixels paint each output pixel. Return a 1-D `int64` tensor of the output's length.
#
# For example, `overlap_count(2, 3, 2)` is `tensor([1, 1, 2, 1, 1])`.

# %% answer="overlap_count"
def overlap_count(n, k, s):
    """How many of n input pixels paint each output pixel: int64 tensor, 1-D."""
    ### BEGIN SOLUTION
    count = torch.zeros((n - 1) * s + k, dtype=torch.int64)
    for i in range(n):
        count[i * s : i * s + k] += 1
    return count
    ### END SOLUTION

# %% check="overlap_count" seed=1077752316702520479

# %% tags=["demo"] fold="How often pixels are painted, in two dimensions"
def painted(k, s, n=8):
    """How often each pixel is painted, away from the rim, where every count is lower."""
    counts = F.conv_transpose2d(torch.ones(1, 1, n, n), torch.ones(1, 1, k, k), stride=s)[0, 0]
    return counts[4:12, 4:12]


for k in (3, 5, 4, 2):
    m = painted(k, 2)
    print(f"kernel {k}: every pixel is painted {m.min():.0f} to {m.max():.0f} times")
plot.overlap(painted(3, 2).long(), kernel=3, stride=2)

# %% [markdown] statement="shuffle_pixels" minutes=4 level=2
# At stride 2, kernels 3 and 5 paint some pixels more often than their neighbours: a **checkerboard**. With kernels 4 and 2 the count is the same everywhere (away from the rim): the stride divides the kernel.
#
# That does not make them safe. Look again at the lower row of "Four ways up". With kernel 2 each pixel is painted once, but by one of four weights, and nothing makes the four alike: a flat map becomes a grid. Nearest and bilinear keep it flat. A convolution after them does, too, but for the rim, where it reads the zeros of its padding.
#
# The fourth way ends on a **pixel shuffle**. A 1 × 1 convolution computes the four pixels of a block as four channels of one place; the shuffle lays them out. Together they do just what a transposed convolution of kernel 2 at stride 2 does, grids included.
#
# ### Shuffle the pixels
#
# Write `shuffle_pixels(x, r)` with `reshape` and `permute`, without torch's own. `x` is a tensor `(B, C·r·r, H, W)` of any dtype; return `(B, C, H·r, W·r)` of the same dtype.
#
# Output channel *c*, at row *h·r + i* and column *w·r + j*, takes the value of input channel *c·r·r + i·r + j* at row *h* and column *w*.
#
# For example, with `r = 2` and one place, the channels `[1, 2, 3, 4]` become the block `[[1, 2], [3, 4]]`.

# %% answer="shuffle_pixels"
def shuffle_pixels(x, r):
    """Lay out each place's r·r channels as an r × r block: (B, C·r·r, H, W) → (B, C, H·r, W·r)."""
    b, channels, h, w = x.shape
    c = channels // (r * r)
    split = x.reshape(b, c, r, r, h, w)  # axes: B, C, i, j, H, W
    ### BEGIN SOLUTION
    return split.permute(0, 1, 4, 2, 5, 3).reshape(b, c, h * r, w * r)
    ### END SOLUTION

# %% check="shuffle_pixels" seed=1050788647854043304

# %% [markdown] statement="build_net" minutes=8 level=3
# ## 6 · Down and up again
#
# One trap is left: sizes. Pooling rounds down, so 33 pixels become 16. Doubled, they are 32, and a row of the picture has no label.
#
# ### An encoder–decoder for any size
#
# Write `build_net(classes, widths)`. It returns an `nn.Module` that turns pictures `(B, 3, H, W)` into logits `(B, classes, H, W)`. The layers and the way down are there: in `forward`, write the way back. (You may change the class, but don't use `models.EncoderDecoder` or another finished network.)
#
# - `widths` is a list such as `[8, 16, 32]`: the channels at full size, at half, at a quarter, …
# - At every width the encoder runs a 3 × 3 convolution, then a ReLU.
# - The decoder comes back through the same sizes, odd ones too, and convolves at each: 33, 16, 8, 16, 33. No skips from the encoder.
# - `H` and `W` may be any numbers of at least 16.
#
# For example, `build_net(5, [8, 16, 32])(torch.rand(2, 3, 33, 47))` has shape `(2, 5, 33, 47)`.

# %% answer="build_net"
class Shrinker(nn.Module):
    """An encoder–decoder without skips: (B, 3, H, W) → (B, classes, H, W)."""

    def __init__(self, classes, widths):
        super().__init__()
        back = widths[::-1]  # for [8, 16, 32], down is 3 → 8, 8 → 16, 16 → 32; up is 32 → 16, 16 → 8
        self.down = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in zip([3] + widths, widths))
        self.up = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in zip(back, back[1:]))
        self.head = nn.Conv2d(widths[0], classes, 1)  # makes the logits

    def forward(self, x):
        sizes = []  # of the maps before they are halved
        for level, conv in enumerate(self.down):
            if level > 0:
                sizes.append(x.shape[-2:])
                x = F.max_pool2d(x, 2)
            x = F.relu(conv(x))
        ### BEGIN SOLUTION
        for conv in self.up:
            x = F.relu(conv(F.interpolate(x, size=sizes.pop(), mode="nearest")))
        return self.head(x)
        ### END SOLUTION


def build_net(classes, widths):
    return Shrinker(classes, widths)

# %% check="build_net" seed=1147040043364043445

# %% [markdown]
# Does yours learn? The classes are those of a **trimap**: pet, background, and a border band between them. With three classes a fresh network starts at a loss of about ln 3 = 1.10, give or take 0.2. (Until yours passes, the library's stands in.)

# %% tags=["demo", "experiment"]
size, steps = train.scale(cpu=(64, 100), gpu=(128, 500))
scenes = data.Kept(data.scenes("train", size=size, length=4000))
unseen = data.scenes("val", size=size, length=200)
torch.manual_seed(0)
build = check.build_net.yours(build_net, None)
mine = build(3, [8, 16, 32, 64]) if build else models.EncoderDecoder(classes=3, base=8, depth=3)
print(train.fit(mine, scenes, steps=steps, title="the network of exercise 8"))

# %% [markdown]
# The loss falls. What the network misses, it does not say.
#
# ## 7 · Where does it err?
#
# Now the library's encoder–decoder, which has batch normalisation, for longer: once with four halvings, once with two. Both are tested on animals and places never seen.

# %% tags=["demo", "experiment"]
size, steps = train.scale(cpu=(64, 180), gpu=(128, 1500))
nets = {}
for depth in (4, 2):
    torch.manual_seed(0)
    nets[depth] = models.EncoderDecoder(classes=3, base=8, depth=depth)
    train.fit(nets[depth], scenes, steps=steps, curve=False, title=f"{depth} halvings")
    train.fit(nets[depth], scenes, steps=steps // 3, lr=3e-4, curve=False, title="a tenth of the rate")
    print(f"{depth} halvings:", train.evaluate(nets[depth], unseen))

# %% tags=["demo"] fold="What the two networks find"
images, truth = data.stack(unseen, 200)
guess = {depth: train.predict(net, images) for depth, net in nets.items()}
shown = [picture for i in range(3) for picture in (images[i], truth[i], guess[4][i], guess[2][i])]
names = ["picture", "truth", "four halvings", "two halvings"] * 3
plot.grid(shown, names, classes=data.TRIMAP, title="The same animals through two bottlenecks")

# %% [markdown]
# With four halvings the network finds where an animal is, and loses antlers, legs and borders. How far from a boundary between two classes do the wrong pixels lie? To compare, take a "network" that says background everywhere.

# %% tags=["demo"] fold="Wrong pixels by distance from a boundary"
distance, rates = metrics.distance_to_boundary(truth), {}
for name, answer in {"four halvings": guess[4], "background everywhere": torch.ones_like(truth)}.items():
    rates[name], wrong = metrics.errors_by_distance(answer, truth), answer != truth
    near, far = wrong[distance <= 3].float().mean(), wrong[distance > 3].float().mean()
    print(f"{name}: wrong within 3 px of a boundary: {100 * near:.1f} %, further away: {100 * far:.1f} %", end="")
    print(f", a factor of {near / far:.1f}")
plot.error_density(rates)

# %% [markdown]
# Within three pixels of a boundary the network's errors are about ten times denser, or more. But knowing nothing gives much the same: animals and their border *are* where the boundaries are. This alone proves little.
#
# Ask instead how much of each animal is found. Call a pixel of an animal **thin** if no 5 × 5 square of animal fits over it, otherwise thick. Shouting "animal" everywhere finds all, so each network gets the threshold that raises 7 % false alarms. And to see what halving alone costs, blur the *truth*: average it over blocks of 16 × 16 or 4 × 4 pixels (four halvings, or two), enlarge it again, and treat it alike.

# %% tags=["demo"] fold="Thin and thick pixels found"
animal = truth != 1  # pet or its border
thick = animal & ~metrics.thin(animal, size=5)


def report(name, found):
    thin, rest, alarms = (100 * found[part].float().mean() for part in (animal & ~thick, thick, ~animal))
    print(f"{name}: found {thin:.0f} % of the thin pixels and {rest:.0f} % of the thick ones, {alarms:.0f} % false alarms")


scores = {}
for depth, net in nets.items():
    scores[f"{depth} halvings"] = 1 - train.logits(net, images).softmax(1)[:, 1]
for side in (16, 4):
    blocks = F.avg_pool2d(animal.float()[:, None], side)
    scores[f"the truth in blocks of {side} × {side}"] = F.interpolate(blocks, size=truth.shape[1:], mode="bilinear")[:, 0]
for name, score in scores.items():
    report(name, score > score[~animal].quantile(0.93))

# %% [markdown] quiz="field" answer="c"
# With two halvings the network finds more of both. But in proportion, it gains several times as much in thin parts as in thick ones. (In part that is training: with four halvings a network learns more slowly, and this one has hardly found a border yet.) The blocks need no training. Even the truth, stored in blocks of 16 × 16, loses most of what is thin and little of what is thick. In blocks of 4 × 4 it loses next to nothing.
#
# The networks stay below such blocks. Their channels could even say *where* in a block things are. But that has to be learned, and the decoder redraws the outline from such a description alone.
#
# Then why not always two halvings? Such a network sees far less around each pixel: enough for the small animals here, and not for one that fills the frame.
#
# That is the **bottleneck problem**: the encoder is right to throw resolution away, and the decoder can only guess it back. Three answers follow: FCN adds back a few coarse predictions, U-Net hands the decoder the encoder's own maps, DeepLab refuses to shrink so far.
#
# ## Checkpoint
#
# **Question 1.** In a stack of 3 × 3 convolutions you give the *last* layer a stride of 2. What happens to the receptive field of one output pixel?
#
# - a) It doubles.
#   > A stride lengthens the steps of *later* layers, and here no layer comes later.
# - b) It grows by 2.
#   > The layer adds d(k − 1) steps, whatever its own stride is.
# - c) It stays the same.
#   > Yes. A stride works on what comes after it, and nothing does.
# - d) It halves.
#   > The map halves. What one of its pixels sees is a different question.

# %% [markdown] quiz="grid" answer="b"
# **Question 2.** A decoder uses transposed convolutions of kernel 4 and stride 2. Its early predictions show a faint grid that repeats every 2 pixels. Why, most likely?
#
# - a) Some pixels are painted more often, since 4 is larger than 2.
#   > 2 divides 4, so away from the rim every pixel is painted equally often.
# - b) Neighbouring pixels are painted equally often, but by different weights that are not yet alike.
#   > Yes. An equal count says how often a pixel is painted, not with what.
# - c) The picture's size is odd.
#   > An odd size disturbs the rim of the map. A grid all over it has another cause.
# - d) The bottleneck is too small.
#   > A small bottleneck blurs outlines. It has no reason to prefer every second pixel.

# %% [markdown] quiz="values" answer="a"
# **Question 3.** From one level to the next an encoder halves H and W and doubles the channels. What happens to the number of values in the map, and to the multiplications of a 3 × 3 convolution with as many channels out as in?
#
# - a) Values halve, multiplications stay the same.
#   > Yes. A quarter of the places, times two for the values, times two *and* two for channels in and out.
# - b) Values stay the same, multiplications halve.
#   > A quarter of the places with twice the channels is half the values. Multiplications double twice, in and out, and so stay the same.
# - c) Both halve.
#   > Right for the values. A convolution pays for channels in *times* channels out, which is four times as much a place.
# - d) Values quarter, multiplications halve.
#   > The places are a quarter, but each holds twice the values. And a convolution pays for channels in *times* channels out.

# %% [markdown]
# **An interviewer asks:** "Your segmentation network finds every bicycle and loses most of the spokes. Twice the training helped only a little. It has five halvings and no skips. What is going on, what would you measure first, and what would you change?"
#
# Answer in three to five sentences. *Graded by hand, 2 points:* one for the mechanism (what is lost, and where in the network), one for a measurement whose outcome would tell your explanation from another.

# %% [markdown] written="spokes" points=2
# After five halvings one place of the bottleneck stands for 32 × 32 pixels, and where a spoke runs inside that block must be described in its channels, with everything else. The decoder sees only that description and cannot redraw what was not passed on; more training does not make more room.
#
# I would count thin and thick parts found, and train again with fewer halvings, or with skips, which I would keep. If I am right, thin parts gain far more, and are missing on training images too; had it merely not learned bicycles, thick parts would be missing too. Errors near boundaries prove nothing: a bicycle is nearly all boundary.

# %% [markdown]
# ## Hand in
#
# Save the notebook (Ctrl+S, or ⌘S on a Mac) and follow "Submit" in the course's README. **Next:** lesson 03 turns a classifier into a segmenter and adds back what its early layers knew.
#
# *To read on:* V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning" (2016); A. Odena, V. Dumoulin and C. Olah, "Deconvolution and checkerboard artifacts" (2016); W. Luo and others, "Understanding the effective receptive field in deep convolutional neural networks" (2016).
