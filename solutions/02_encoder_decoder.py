# %% [markdown]
# # 02 · Encoder and decoder
#
# A classifier looks at a photograph and says "squirrel". To get there it shrinks the picture, again and again, until a few places are left and each has seen most of it. A segmenter has a harder job. It must say *which pixels* are squirrel, and the shrinking has thrown the pixels away. So it grows the map back. Down, then up: an **encoder** and a **decoder**.
#
# You will build a network like the one below, train it, and measure where such networks go wrong.
#
# **You will be able to**
#
# - say what size a map has after any layer, and how much of the picture one pixel of it has seen;
# - measure both instead of believing a formula;
# - grow a map in four ways, and say which of them draw checkerboards;
# - build an encoder–decoder that takes a picture of any size;
# - show where such a network errs, and say why.
#
# **You need** lesson 00, and to have met before: a convolution with kernel, stride and padding; `nn.Module`; `backward()`; `reshape` and `permute`. **Time:** 90 minutes. **Points:** 20.

# %% given="setup"
import torch
import torch.nn as nn
import torch.nn.functional as F

from course_lib import data, metrics, models, plot, train, widgets
from course_lib.checks.lesson_02 import check

print(f"torch {torch.__version__}, device: {train.device()}")

# %% tags=["demo"]
plot.shape_flow(models.EncoderDecoder(classes=3, base=8, depth=4), size=64)

# %% [markdown]
# The taller a block, the larger its map; the wider, the more channels. Four times the map is halved and the channels double, then the reverse. At the **bottleneck**, in the middle, 4 × 4 places are left of 64 × 64. Everything that the right half knows about the picture has come through there.
#
# ## 1 · Why shrink at all?
#
# Take one pixel on an animal. Can you tell from its neighbourhood what it belongs to?

# %% tags=["demo"]
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
# The pixel is the magenta one, in the middle of each window. Seven pixels are texture and a bright patch. Thirty-one are a guess. At sixty-three you see what it is. A network is in the same position: to label a pixel it must look at a wide surrounding, its **receptive field**.
#
# One 3 × 3 convolution sees 3 pixels across. A second one sees 5, a third 7: each adds 2. To see 63 pixels you need 31 of them, all at full size, and full size is expensive. Compare a network that halves the map as it goes.

# %%
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
# The halving network costs about a quarter and sees more than twice as far. (The way back up is not counted yet. For the fields, see section 4.) That is the bargain of every encoder: **context is bought with resolution**.
#
# ## 2 · The size after one layer
#
# A convolution slides a kernel along a row of pixels. Four numbers decide what comes out: the kernel size *k*, the stride *s* (how far it moves each time), the padding *p* (zeros added at *each* end) and the dilation *d* (the distance between two taps of the kernel). Move the sliders. Watch, on the left, the gaps between the taps, and how far apart the two output pixels sit. (The right side is for section 4.)

# %% tags=["demo"]
widgets.taps()

# %% [markdown] statement="conv_out_size" minutes=4 level=1
# At dilation 2 the taps of a kernel of 3 stand at 0, 2, 4, so it reaches over 5 pixels. In general the reach is *d*(*k* − 1) + 1, not *d*·*k*: there are only *k* − 1 gaps between *k* taps.
#
# Seven pixels, a kernel of 3, stride 2, no padding: its left edge can stand at 0, 2 and 4. At 6 it would hang over the end, so that place is not used. Three places, three outputs.
#
# ### The size after one layer
#
# Write `conv_out_size(n, k, s=1, p=0, d=1)`. It returns an `int`: the length of what a convolution makes of a row of `n` pixels. All five are whole numbers, and the kernel fits on the padded row at least once.
#
# Here and in every exercise of this lesson, leave the arguments as they were.
#
# For example, `conv_out_size(7, 3, s=2)` is `3`, as above.

# %% answer="conv_out_size"
def conv_out_size(n, k, s=1, p=0, d=1):
    """The length (int) of a convolution's output for a row of n pixels."""
    ### BEGIN SOLUTION
    reach = d * (k - 1) + 1
    return (n + 2 * p - reach) // s + 1
    ### END SOLUTION

# %% check="conv_out_size"
check.conv_out_size(conv_out_size)
### BEGIN HIDDEN TESTS
check.conv_out_size(conv_out_size) & check.conv_out_size(conv_out_size, seed=60317)
### END HIDDEN TESTS

# %% [markdown]
# If you are stuck, ask for a hint in a cell of your own: `check.conv_out_size.hint()`, three times.
#
# A classifier that ends on a 7 × 7 map of a 224 × 224 picture has halved five times: 224 → 112 → 56 → 28 → 14 → 7. One place then stands for 32 × 32 pixels.
#
# ## 3 · Fewer places, more channels
#
# Each halving leaves a quarter of the places. Twice the channels make that half of the values. Why double them? A place now stands for four times as much of the picture, and there is more to say about it. And it costs no extra multiplications: with twice the channels in and out and a quarter of the places, a convolution needs exactly as many as before.
#
# Change depth, base and input size. The parameters pile up at the bottom, where the channels are many. The values are fewest there.

# %% tags=["demo"]
widgets.shape_tracer()

# %% [markdown] statement="trace_shapes" minutes=6 level=2
# ### Shapes through a net
#
# A net is given as a list of rows, one for each layer, in order:
#
# - `("conv", channels, k, s, p)`: a convolution that puts out so many channels, without dilation;
# - `("pool", k)`: max-pooling with kernel and stride `k`, no padding;
# - `("up", channels, k, s)`: a transposed convolution (section 5). Each input pixel writes a k × k patch, and the patches start `s` pixels apart. So two pixels with k = 3, s = 2 write on places 0–2 and 2–4: five in all.
#
# Write `trace_shapes(rows, shape)`. `shape` is the input's `(C, H, W)`. Return a list of `(C, H, W)` tuples of `int`, the shape *after* each row. Don't run a network; do arithmetic. The loop is there: in it, bring `c`, `h` and `w` up to date.
#
# For example, `trace_shapes([("conv", 8, 3, 2, 1), ("pool", 2), ("up", 4, 3, 2)], (3, 17, 32))` is `[(8, 9, 16), (8, 4, 8), (4, 9, 17)]`.

# %% answer="trace_shapes"
def trace_shapes(rows, shape):
    """The (C, H, W) after each row of a net, as a list of tuples."""
    c, h, w = shape
    shapes = []
    for kind, *numbers in rows:  # for example, kind is "pool" and numbers is [2]
        ### BEGIN SOLUTION
        if kind == "conv":
            c, k, s, p = numbers
            h, w = ((n + 2 * p - k) // s + 1 for n in (h, w))
        elif kind == "pool":
            h, w = h // numbers[0], w // numbers[0]
        else:
            c, k, s = numbers
            h, w = ((n - 1) * s + k for n in (h, w))
        ### END SOLUTION
        shapes.append((c, h, w))
    return shapes

# %% check="trace_shapes"
check.trace_shapes(trace_shapes)
### BEGIN HIDDEN TESTS
check.trace_shapes(trace_shapes) & check.trace_shapes(trace_shapes, seed=18803)
### END HIDDEN TESTS

# %% [markdown]
# ## 4 · How far does one pixel see?
#
# Take two 3 × 3 layers. A pixel of the second looks at 3 pixels of the first, and each of those at 3 pixels of the input. Neighbours share, so together it is 5 pixels, not 9.
#
# Now give the first layer stride 2. Its output pixels stand 2 input pixels apart. The second layer still looks at 3 of them, but they now lie at 0, 2 and 4, and each sees 3 pixels: from −1 to 5. That is 7.
#
# So a layer adds *d*(*k* − 1) steps, and the length of a step is the product of the strides *before* it. The figures below do without that rule: each asks torch, by gradient, which input pixels one output pixel depends on.

# %% tags=["demo"]
display(plot.field([(3, 1, 1)] * 4, size=41))
plot.field([(3, 2, 1)] * 4, size=41)

# %% [markdown] statement="receptive_field" minutes=5 level=2
# Four plain layers see 9 pixels; four layers of stride 2 see 31. (Why the second has a comb: section 5.) A stride does not double the field. It doubles *what each later layer adds*: 2, then 4, 8, 16.
#
# ### The receptive field of a stack
#
# Write `receptive_field(layers)`. `layers` is a list of `(k, s, d)` tuples, from the input on: kernel, stride, dilation. Return an `int`: how many input pixels lie, in one direction, from the first to the last that one output pixel depends on. Both ends count, and so do holes between dilated taps.
#
# For example, `receptive_field([(3, 2, 1), (3, 1, 1)])` is `7`, and `receptive_field([])` is `1`: a pixel sees itself.

# %% answer="receptive_field"
def receptive_field(layers):
    """The receptive field (int, in input pixels) of a stack of (k, s, d) layers."""
    ### BEGIN SOLUTION
    field, step = 1, 1
    for k, s, d in layers:
        field += d * (k - 1) * step
        step *= s
    return field
    ### END SOLUTION

# %% check="receptive_field"
check.receptive_field(receptive_field)
### BEGIN HIDDEN TESTS
check.receptive_field(receptive_field) & check.receptive_field(receptive_field, seed=44209)
### END HIDDEN TESTS

# %% [markdown] statement="poke" minutes=7 level=2
# A formula can be wrong in ways that look right. So measure. The gradient of an output pixel says how much it changes when an input pixel changes a little. In a stack of convolutions whose weights are all 1, so that nothing can cancel, it is 0 exactly where the output pixel does not look.
#
# ### Poke one pixel
#
# Write `poke(layers, size)`. The stack is there, built from a list of `(k, s, d)` with odd *k*, for one channel. Run it on a `size` × `size` input. Take the output pixel in the middle, at row `h // 2` and column `w // 2` of the output's own *h* × *w*. Return a float tensor of shape `(size, size)`: the gradient of that one output pixel with respect to every input pixel.
#
# For example, `poke([(3, 1, 1)], 5)` is not 0 on the middle 3 × 3 of a 5 × 5 map, and 0 around it.

# %% answer="poke"
def poke(layers, size):
    """The gradient, (size, size), of the middle output pixel of a stack with respect to the input."""
    stack = nn.Sequential()
    for k, s, d in layers:
        stack.append(nn.Conv2d(1, 1, k, stride=s, padding=d * (k - 1) // 2, dilation=d, bias=False))
        nn.init.ones_(stack[-1].weight)
    ### BEGIN SOLUTION
    image = torch.ones(1, 1, size, size, requires_grad=True)
    out = stack(image)
    out[0, 0, out.shape[2] // 2, out.shape[3] // 2].backward()
    return image.grad[0, 0]
    ### END SOLUTION

# %% check="poke"
check.poke(poke)
### BEGIN HIDDEN TESTS
check.poke(poke) & check.poke(poke, seed=90121)
### END HIDDEN TESTS

# %% [markdown]
# Now poke a whole network of three halvings. The box says which pixels *can* matter, the colours how much each does.

# %% tags=["demo"]
torch.manual_seed(0)
plot.field(models.EncoderDecoder(classes=3, base=8, depth=3), size=128)

# %% [markdown]
# The rim is far fainter than it looks: the colour scale is logarithmic, so each step of it is a factor. Many paths lead from a central pixel to the output, few from one at the rim. A large field is a possibility, not a promise.
#
# ## 5 · The way back up
#
# Now the map must grow. Here are four ways to double one that has a single bright pixel. The last two have four weights, chosen by hand here; a network would learn them.

# %% tags=["demo"]
small = torch.zeros(1, 1, 4, 4)
small[0, 0, 1, 1] = 1.0
brush = torch.tensor([[1.0, 0.3], [0.6, 0.1]])[None, None]
grown = {
    "the map, 4 × 4": small,
    "nearest": F.interpolate(small, scale_factor=2, mode="nearest"),
    "bilinear": F.interpolate(small, scale_factor=2, mode="bilinear", align_corners=False),
    "transposed, k2 s2": F.conv_transpose2d(small, brush, stride=2),
    "pixel shuffle": F.pixel_shuffle(F.conv2d(small, brush.reshape(4, 1, 1, 1)), 2),
}
plot.grid([g[0, 0] for g in grown.values()], list(grown), columns=5, title="Four ways up")

# %% [markdown] statement="transposed_conv" minutes=8 level=2
# **Nearest** copies each value into a 2 × 2 block. **Bilinear** blends neighbours. Neither has anything to learn, so a convolution follows.
#
# A **transposed convolution** learns to paint. Each input pixel holds a brush: the kernel, times the pixel's value. It paints this patch on an empty canvas, its neighbour paints the next one *s* pixels further, and where patches overlap, the paint adds up.
#
# ### Paint by hand
#
# Write `transposed_conv(x, weight, stride)` from slices, without torch's own. The canvas and the walk over the input's places are there. At each place, make the patch of every picture and every output channel, and paint.
#
# - `x`: float tensor `(B, C_in, H, W)`;
# - `weight`: float tensor `(C_in, C_out, k, k)`. Input channel *c* paints on output channel *o* with the brush `weight[c, o]`;
# - `stride`: `int`. There is no padding and no bias.
#
# Gradients must flow back to `x` and to `weight`, so work on tensors throughout.
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
            ### BEGIN SOLUTION
            patch = torch.einsum("bc,cokl->bokl", here, weight)
            canvas[:, :, i * stride : i * stride + k, j * stride : j * stride + k] += patch
            ### END SOLUTION
    return canvas

# %% check="transposed_conv"
check.transposed_conv(transposed_conv)
### BEGIN HIDDEN TESTS
check.transposed_conv(transposed_conv) & check.transposed_conv(transposed_conv, seed=7741)
### END HIDDEN TESTS

# %% [markdown] statement="overlap_count" minutes=3 level=1
# In the example, the middle pixel was painted twice and the others once. That is where checkerboards begin.
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

# %% check="overlap_count"
check.overlap_count(overlap_count)
### BEGIN HIDDEN TESTS
check.overlap_count(overlap_count) & check.overlap_count(overlap_count, seed=3119)
### END HIDDEN TESTS

# %% [markdown]
# The same in two dimensions, a picture of ones painted with brushes of ones:

# %% tags=["demo"]
def painted(k, s, n=8):
    """How often each pixel is painted, away from the rim, where every count is lower."""
    counts = F.conv_transpose2d(torch.ones(1, 1, n, n), torch.ones(1, 1, k, k), stride=s)[0, 0]
    return counts[4:12, 4:12]


maps = {f"kernel {k}, stride 2": painted(k, 2) for k in (3, 5, 4, 2)}
for name, m in maps.items():
    print(f"{name}: (max − min) / mean = {(m.max() - m.min()) / m.mean():.2f}")
display(plot.overlap(maps["kernel 3, stride 2"].long(), kernel=3, stride=2))
plot.overlap(maps["kernel 4, stride 2"].long(), kernel=4, stride=2)

# %% [markdown]
# With kernel 3 some pixels are painted four times, with kernel 5 nine times, and their neighbours less often. The pattern repeats every 2 pixels: a **checkerboard**. (The comb in section 4 is the same thing: going back through a convolution with stride, the gradient paints.) With kernels 4 and 2 the count is the same everywhere: the stride divides the kernel.
#
# That does not make them safe. With kernel 2 and stride 2 the patches do not overlap at all. Each output pixel is painted once, but by a different one of four weights, and nothing makes the four alike.

# %% tags=["demo"]
torch.manual_seed(1)
flat = torch.ones(1, 1, 6, 6)
by_painting = nn.ConvTranspose2d(1, 1, 2, stride=2)(flat).detach()[0, 0]
by_nearest = nn.Conv2d(1, 1, 3)(F.interpolate(flat, scale_factor=2, mode="nearest")).detach()[0, 0]
print(f"spread of values, transposed k2 s2:      {by_painting.std():.3f}")
print(f"spread of values, nearest + convolution: {by_nearest.std():.3f}")
plot.grid([by_painting, by_nearest], ["transposed, k2 s2", "nearest, then 3 × 3"],
          title="Random weights on a flat map")

# %% [markdown] statement="shuffle_pixels" minutes=6 level=2
# From a flat map the transposed convolution draws a grid; resizing draws none.
#
# The fourth way ends on a **pixel shuffle**. A 1 × 1 convolution computes all four pixels of a block as four channels of one place; the shuffle lays them out. It only moves numbers; it learns nothing. The two together do just what a transposed convolution of kernel 2 at stride 2 does, and draw such grids, too.
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
    ### BEGIN SOLUTION
    return x.reshape(b, c, r, r, h, w).permute(0, 1, 4, 2, 5, 3).reshape(b, c, h * r, w * r)
    ### END SOLUTION

# %% check="shuffle_pixels"
check.shuffle_pixels(shuffle_pixels)
### BEGIN HIDDEN TESTS
check.shuffle_pixels(shuffle_pixels) & check.shuffle_pixels(shuffle_pixels, seed=52501)
### END HIDDEN TESTS

# %% [markdown] statement="build_net" minutes=10 level=3
# ## 6 · Down and up again
#
# One trap is left: sizes. Pooling rounds down, so 33 pixels become 16. Doubled, they are 32, and a row of the picture has no label. Real pictures have odd sizes, so a decoder must return to the size that it came from.
#
# ### An encoder–decoder for any size
#
# Write `build_net(classes, widths)`. It returns an `nn.Module` that turns pictures `(B, 3, H, W)` into logits `(B, classes, H, W)`. The layers are there: write `forward`. (Or change the class as you like, but don't use `models.EncoderDecoder`.)
#
# - `widths` is a list such as `[8, 16, 32]`: the channels at full size, at half, at a quarter, … Halve once between one and the next.
# - At every width of the encoder a 3 × 3 convolution runs, with a ReLU after it.
# - The decoder comes back through the same sizes, odd ones too, and convolves at each: 33, 16, 8, 16, 33. No skips from the encoder to the decoder: they are lesson 04.
# - `H` and `W` may be any numbers of at least 16.
#
# For example, `build_net(5, [8, 16, 32])(torch.rand(2, 3, 33, 47))` has shape `(2, 5, 33, 47)`.

# %% answer="build_net"
class Shrinker(nn.Module):
    """An encoder–decoder without skips: (B, 3, H, W) → (B, classes, H, W)."""

    def __init__(self, classes, widths):
        super().__init__()
        back = widths[::-1]  # for widths [8, 16, 32], down is 3 → 8, 8 → 16, 16 → 32; up is 32 → 16, 16 → 8
        self.down = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in zip([3] + widths, widths))
        self.up = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in zip(back, back[1:]))
        self.head = nn.Conv2d(widths[0], classes, 1)  # makes the logits

    def forward(self, x):
        ### BEGIN SOLUTION
        sizes = []
        for level, conv in enumerate(self.down):
            if level:
                sizes.append(x.shape[-2:])
                x = F.max_pool2d(x, 2)
            x = F.relu(conv(x))
        for conv in self.up:
            x = F.interpolate(x, size=sizes.pop(), mode="nearest")
            x = F.relu(conv(x))
        return self.head(x)
        ### END SOLUTION


def build_net(classes, widths):
    """An encoder–decoder with these widths; nn.Module: (B, 3, H, W) → (B, classes, H, W)."""
    return Shrinker(classes, widths)

# %% check="build_net"
check.build_net(build_net)
### BEGIN HIDDEN TESTS
check.build_net(build_net) & check.build_net(build_net, seed=2203)
### END HIDDEN TESTS

# %% [markdown]
# Does yours learn? A hundred steps on scenes of Menagerie will tell. The classes are those of a **trimap**: pet, background, and a border band between them. A fresh network with three classes starts near a loss of ln 3 = 1.10. (Until yours passes, the library's stands in.)

# %% tags=["demo", "experiment"]
size, steps = train.scale(cpu=(64, 100), gpu=(128, 500))
scenes, unseen = data.scenes("train", size=size, length=4000), data.scenes("val", size=size, length=200)
torch.manual_seed(0)
passed = check.build_net(build_net).outcome == "passed"
mine = build_net(3, [8, 16, 32, 64]) if passed else models.EncoderDecoder(classes=3, base=8, depth=3)
print(train.fit(mine, scenes, steps=steps, title="the network of exercise 8"))
images, truth = data.stack(unseen, 200)
with torch.no_grad():
    animal = 1 - mine.eval()(images[:4].to(train.device())).softmax(1)[:, 1].cpu()
names = ["picture"] * 4 + ["chance of an animal"] * 4
plot.grid([*images[:4], *animal], names, title="Your network after 100 steps")

# %% [markdown]
# White is where the network suspects an animal. A hundred steps teach a plain stack of convolutions little more than where in a scene animals tend to stand.
#
# ## 7 · Where does it err?
#
# Now train the library's encoder–decoder for longer, once with four halvings and once with two. It has batch normalisation and learns faster. Both are tested on animals and places that they never saw.

# %% tags=["demo", "experiment"]
size, steps = train.scale(cpu=(64, 225), gpu=(128, 1500))
nets = {}
for depth in (4, 2):
    torch.manual_seed(0)
    nets[depth] = models.EncoderDecoder(classes=3, base=8, depth=depth)
    print(train.fit(nets[depth], scenes, steps=steps, title=f"{depth} halvings"))
    train.fit(nets[depth], scenes, steps=steps // 3, lr=3e-4, curve=False, title="a tenth of the rate")
    print(f"{depth} halvings:", train.evaluate(nets[depth], unseen))
guess = {depth: train.predict(net, images) for depth, net in nets.items()}
for depth in (4, 2):
    display(plot.comparison(images[:3], truth[:3], guess[depth][:3], classes=data.TRIMAP, title=f"{depth} halvings"))

# %% [markdown]
# With four halvings the network finds where an animal is, and loses antlers and legs. How far does each wrong pixel lie from the nearest boundary between two classes? To compare, do the same for a "network" that says background everywhere.

# %% tags=["demo", "experiment"]
distance, rates = metrics.distance_to_boundary(truth), {}
for name, answer in {"four halvings": guess[4], "background everywhere": torch.ones_like(truth)}.items():
    rates[name], wrong = metrics.errors_by_distance(answer, truth), answer != truth
    near, far = wrong[distance <= 3].float().mean(), wrong[distance > 3].float().mean()
    print(f"{name}: wrong within 3 px of a boundary: {near:.1%}, further away: {far:.1%}", end="")
    print(f", a factor of {near / far:.1f}")
plot.error_density(rates)

# %% [markdown]
# Within three pixels of a boundary the network's errors are about ten times denser. But knowing nothing gives much the same curve and factor: animals and their border *are* where the boundaries are. This alone proves little.
#
# Ask something else: how much of each animal is found? Call a pixel of an animal **thin** if no 5 × 5 square of animal fits over it, and count thin and thick pixels apart. A network that shouts "animal" everywhere would find all of both, so set each network's threshold to the same share of false alarms. And to see what halving alone costs, blur the *truth*: average it over blocks and enlarge it again.

# %% tags=["demo", "experiment"]
animal = truth != 1  # pet or its border
thick = animal & ~metrics.thin(animal, size=5)


def report(name, found):
    shares = [found[part].float().mean() for part in (animal & ~thick, thick, ~animal)]
    print("{}: found {:.0%} of the thin pixels and {:.0%} of the thick ones, {:.0%} false alarms".format(name, *shares))


for depth, net in nets.items():
    with torch.no_grad():
        score = 1 - net.eval()(images.to(train.device())).softmax(1)[:, 1].cpu()
    report(f"{depth} halvings", score > score[~animal].quantile(0.93))
for depth in (4, 2):
    blocks = F.avg_pool2d(animal.float()[:, None], 2**depth)
    report(f"the truth, {depth} times halved", F.interpolate(blocks, size=truth.shape[1:], mode="bilinear")[:, 0] > 0.5)

# %% [markdown] quiz="field" answer="c"
# At equal false alarms, the network with two halvings finds far more of the thin pixels, and only somewhat more of the thick ones. The truth itself, stored in blocks of 16 pixels, loses nearly all that is thin and a third of what is thick; in blocks of 4 it keeps most.
#
# A network can do better than such blocks: at its bottleneck a place has many channels, and some of them can say *where* in its block things are. But it has to learn that. The decoder has never seen the picture. It redraws the outline from a description, as you would draw a map that someone tells you over the telephone.
#
# Then why not always two halvings? Such a network sees far less around each pixel. That is enough for the small animals here, and not for a photograph in which one fills the frame.
#
# That is the **bottleneck problem**: the encoder is right to throw resolution away, and the decoder can only guess it back. The next lessons answer it in three ways: FCN adds back a few coarse predictions, U-Net hands the decoder the encoder's own maps, DeepLab refuses to shrink so far.
#
# ## Checkpoint
#
# **Question 1.** You put a stride of 2 into the *last* layer of a stack of 3 × 3 convolutions and change nothing else. What happens to the receptive field of one output pixel?
#
# - a) It doubles.
#   > A stride makes the steps of *later* layers longer, and here no layer comes later.
# - b) It grows by 2.
#   > The layer adds d(k − 1) steps whatever its own stride is, so that part is unchanged.
# - c) It stays the same.
#   > Yes. A stride works on what comes after it, and nothing does.
# - d) It halves.
#   > The map halves. What one of its pixels sees is a different question.

# %% [markdown] quiz="grid" answer="b"
# **Question 2.** A decoder doubles its maps with transposed convolutions of kernel 4 and stride 2. Its early predictions show a faint grid that repeats every 2 pixels. What is the best explanation?
#
# - a) Some pixels are painted more often, since 4 is larger than 2.
#   > Larger is not the trouble. 2 divides 4, so away from the rim every pixel is painted equally often.
# - b) All pixels are painted equally often, but different weights paint neighbouring pixels, and they are not yet alike.
#   > Yes. An equal count only says that each pixel is painted as often as its neighbour, not with the same paint.
# - c) The picture's size is odd.
#   > An odd size disturbs the rim of the map. A grid all over it has another cause.
# - d) The bottleneck is too small.
#   > A small bottleneck blurs outlines. It has no reason to prefer every second pixel.

# %% [markdown] quiz="values" answer="a"
# **Question 3.** From one level to the next an encoder halves H and W and doubles the channels. What happens to the number of values in the map, and to the multiplications of a 3 × 3 convolution that keeps the channels?
#
# - a) Values halve, multiplications stay the same.
#   > Yes. A quarter of the places times twice the channels is half. A convolution pays for channels in times channels out: a quarter times four.
# - b) Values stay the same, multiplications halve.
#   > A quarter of the places with twice the channels leaves half the values. And twice the channels in *and* out make up for the quarter, so the multiplications stay the same.
# - c) Both halve.
#   > For the values that is right. A convolution pays for channels in *times* channels out, so doubling both costs four times as much a place.
# - d) Values quarter, multiplications halve.
#   > The places are a quarter, but each now holds twice as many values: half. And a convolution pays for channels in *times* channels out, a quarter times four.

# %% [markdown]
# **An interviewer asks:** "Your segmentation network finds every bicycle and loses most of the spokes. Twice the training helped only a little. It has five halvings and no skips. What is going on, what would you measure first, and what would you change?"
#
# Answer in four to eight sentences. *Graded by hand, 2 points:* one for the mechanism (what is lost, and at which place in the network), one for a measurement whose outcome would tell your explanation from another one.

# %% [markdown] written="spokes" points=2
# After five halvings one place of the bottleneck stands for 32 × 32 pixels. A spoke is one or two pixels wide, so where it runs inside that block has to be described in the channels of a few places, together with everything else there. The decoder sees nothing but that description, and it cannot redraw what was not passed on; max-pooling keeps that something was there, not where. More training helps it to use that room. It does not add any.
#
# To show it, count how much of the thin and of the thick parts is found, and train the same network again with fewer halvings, or with skips. If the explanation is right, the thin parts gain far more than the thick ones, and the gap is there on training images too. If the network merely had not learned what a bicycle is, thick parts would be missing as well, and training images would do much better than new ones. That errors lie near boundaries would not convince me: they do so for any network, as bicycles are nearly all boundary.

# %% [markdown]
# ## Hand in
#
# Save the notebook (Ctrl+S, or ⌘S on a Mac) and follow "Submit" in the course's README. **Next:** lesson 03 turns a classifier into a segmenter and adds back what its early layers knew.
#
# *To read on:* V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning" (2016); A. Odena, V. Dumoulin and C. Olah, "Deconvolution and checkerboard artifacts" (2016); W. Luo and others, "Understanding the effective receptive field in deep convolutional neural networks" (2016).
