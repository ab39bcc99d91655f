# %% [markdown]
# # 05 · DeepLab: context without shrinking
#
# FCN and U-Net shrink the picture to gain context, and then work to get the detail back. DeepLab spreads the kernel's taps instead: a pixel sees far on a map that stays large.
#
# You will build the parts of DeepLabv3+, and learn to explain the picture below.
#
# **You will be able to**
#
# - write a dilated convolution, and measure what a stack of them sees;
# - tell whether a stack leaves holes, and design one that does not;
# - trade a network's strides for dilation without touching a weight;
# - build DeepLab's pyramid and decoder.
#
# **You need** lessons 02 (receptive field, poking a pixel), 03 and 04 (skips), and `nn.Module` with batch normalisation. **Time:** 90 minutes. **Points:** 20.

# %% given="setup"
import torch
import torch.nn as nn
import torch.nn.functional as F

from course_lib import data, metrics, models, plot, train, widgets
from course_lib.checks.lesson_05 import check

print(f"torch {torch.__version__}, device: {train.device()}")

# %% tags=["demo"] fold="Two stacks, and what they see"
plot.coverage([[1], [1, 2], [1, 2, 4], [1, 2, 4, 8], [3], [3, 3], [3, 3, 3], [3, 3, 3, 6]],
              title="Two stacks of four 3 × 3 layers, after one, two, three and four layers")

# %% [markdown] statement="dilated_conv" minutes=5 level=2
# Each cross is one output pixel. Blue are the input pixels that it can see; the frame is its receptive field. Both rows end with the same field, 31 pixels wide, on a map of full size, and have the same number of weights. But the upper stack sees all of its field, and the lower one about one pixel in eight.
#
# ## 1 · The same nine weights, further apart
#
# Each row begins with a single 3 × 3 layer. The upper one has **rate** (or dilation) 1, the lower one rate 3: its taps stand three pixels apart.
#
# Between the first and the last of *k* taps there are *k* − 1 steps of *r* pixels. So the kernel spans *r*(*k* − 1) + 1 pixels: 3, 5, 9 and 17 at rates 1, 2, 4 and 8. It still has nine weights. DeepLab's papers call it **atrous**, with holes.
#
# ### A dilated convolution from slices
#
# Write `dilated_conv(x, weight, rate)` without any of torch's convolutions. In `wide`, zeros lie around the picture already, and two loops run over the taps. Cut out `window`: what tap (*i*, *j*) reads, for all output pixels at once. The line after it mixes the channels and adds up.
#
# - `x`: float tensor `(B, C_in, H, W)`;
# - `weight`: float tensor `(C_out, C_in, k, k)`, with `k` odd;
# - `rate`: `int`, at least 1.
#
# Return a float tensor `(B, C_out, H, W)`. The middle tap lies on the output pixel. As in `nn.Conv2d`, the kernel is not flipped. Leave the arguments as they were; gradients flow back to `x` and `weight`.
#
# For example, in one dimension, the row `[1, 2, 3, 4, 5]` under the taps `[1, 10, 100]` at rate 2 gives `[310, 420, 531, 42, 53]`. The middle is 1·1 + 10·3 + 100·5. The first has nothing to its left: 10·1 + 100·3.

# %% answer="dilated_conv"
def dilated_conv(x, weight, rate):
    """Convolution of x (B, C_in, H, W) with weight (C_out, C_in, k, k), its taps `rate` pixels apart; same size."""
    h, w = x.shape[2:]
    k = weight.shape[-1]
    wide = F.pad(x, [rate * (k // 2)] * 4)  # zeros on all four sides
    total = 0
    for i in range(k):
        for j in range(k):
            ### BEGIN SOLUTION
            window = wide[:, :, rate * i : rate * i + h, rate * j : rate * j + w]
            ### END SOLUTION
            total = total + torch.einsum("bchw,oc->bohw", window, weight[:, :, i, j])
    return total

# %% check="dilated_conv" seed=732799038020231174

# %% [markdown] statement="field_and_coverage" minutes=6 level=2
# If you are stuck: `check.dilated_conv.hint()` in a cell of your own. There are three.
#
# ## 2 · The dilation sweep
#
# Stack such layers. Each adds *r*(*k* − 1) to the field (lesson 02), here 2*r*. Rates 1, 2, 4, 8 add 2 + 4 + 8 + 16 to the pixel itself: 31. But a field is only a frame. Measure what is seen inside it.
#
# ### The field, and the share of it that is seen
#
# Write `field_and_coverage(rates)`. `rates` is a list of `int`: the dilations of 3 × 3 layers of stride 1, one after another. It returns `(field, share)`:
#
# - `field`, an `int`: along one row, how many pixels lie from the first to the last that an output pixel depends on, holes included;
# - `share`, a `float` from 0 to 1: of the `field` × `field` pixels, the part that it really depends on.
#
# The stack has run already, on `picture`, which is wider than its field. Poke the middle of `out`, as in lesson 02, and look at the gradient of `picture`. The library's `models.paths` may not count for you. No layers are a field of 1, all of it seen. Leave `rates` as it was.
#
# For example, `field_and_coverage([2])` is `(5, 0.36)`: nine of 25 pixels.

# %% answer="field_and_coverage"
def field_and_coverage(rates):
    """(field, share) of a stack of 3 × 3 layers with these rates: an int, and a float from 0 to 1."""
    wide = 4 * sum(rates) + 3
    kernel = torch.ones(1, 1, 3, 3)  # no weight is below 0, so nothing cancels
    out = picture = torch.ones(1, 1, wide, wide, requires_grad=True)
    for rate in rates:
        out = F.conv2d(out, kernel, padding=rate, dilation=rate)
    ### BEGIN SOLUTION
    out[0, 0, wide // 2, wide // 2].backward()
    touched = picture.grad[0, 0] != 0
    across = torch.where(touched.any(0))[0].tolist()
    field = across[-1] - across[0] + 1
    return field, touched.sum().item() / field**2
    ### END SOLUTION

# %% check="field_and_coverage" seed=904659670419540265

# %% [markdown]
# Now the sweep: stacks of four 3 × 3 layers with 16 channels, on a map of 48 × 48, measured by your function. (Where one of yours has not passed its check, a ready-made one stands in.)

# %% tags=["demo"] fold="The sweep, with one stack of holes"
def stack_of(rates, stride=1, channels=16):
    """3 × 3 convolutions, each with batch normalisation and ReLU, from a colour picture on."""
    widths = [3] + [channels] * len(rates)
    convs = [nn.Conv2d(i, o, 3, stride, padding=r, dilation=r) for i, o, r in zip(widths, widths[1:], rates)]
    # in testing, too, normalise by the batch at hand: in a short run, running means would lag behind
    norms = [nn.BatchNorm2d(channels, track_running_stats=False) for _ in convs]
    return nn.Sequential(*(layer for c, n in zip(convs, norms) for layer in (c, n, nn.ReLU())))


def counted(rates):
    ways = models.paths(rates)  # to each pixel along a row
    return len(ways), (ways > 0).mean() ** 2


measure = check.field_and_coverage.yours(field_and_coverage, counted)
print(f"{'rates':12}{'weights':>9}{'map':>10}{'field':>7}{'seen':>8}")
for rates in ([1, 1, 1, 1], [1, 1, 2, 2], [1, 2, 4, 4], [1, 2, 4, 8], [3, 3, 3, 6]):
    field, share = measure(rates)
    net = stack_of(rates)
    h, w = net(torch.rand(1, 3, 48, 48)).shape[2:]
    print(f"{str(rates):12}{models.count_parameters(net):9,}{f'{h} × {w}':>10}{field:7}{100 * share:6.1f} %")
h, w = stack_of([1] * 4, stride=2)(torch.rand(1, 3, 48, 48)).shape[2:]
print(f"four of stride 2 have a field of 31 as well, and a map of {h} × {w}")

# %% [markdown]
# Same weights, same map; the field grows from 9 to 31. Four layers of stride 2 have that field, too, but only 9 of the 2,304 places are left. Dilation is not free: every layer works on the full map, which costs time and memory.
#
# ## 3 · Holes
#
# The field of 3, 3, 3, 6 is wide, and little of it is seen. When does a stack get holes? Leave the first three sliders below at 1, 2, 5 and raise the fourth: from which rate on are there holes?

# %% tags=["demo"] fold="Four rates on sliders"
def growing(r1, r2, r3, r4):
    rates = [r1, r2, r3, r4]
    return plot.coverage([rates[:n] for n in (1, 2, 3, 4)], "The field after one, two, three and four layers")


widgets.Live(growing, {f"r{i}": widgets.Slider(f"rate {i}", value, 1, 27) for i, value in enumerate((1, 2, 5, 9), 1)})

# %% [markdown] statement="find_lies" minutes=4 level=1
# Holes have a name, **gridding**. At rates 2, 2, 2, 2 an output pixel sees only every second row and column. Its neighbour to the right sees the columns between. The two share not one input pixel, so nothing makes their labels agree, and predictions come out in a grid.
#
# How should one choose rates? A rule of thumb is copied from page to page: **the rates must not share a factor**. It rightly rejects 2, 4, 8. But it is wrong both ways: it passes stacks with holes, and rejects stacks without.
#
# ### Find the lies
#
# Write `find_lies(stacks)`. `stacks` is a list of stacks, each a list of rates (`int`, at least one) of 3 × 3 layers. Return two lists of stacks, `(missed, alarms)`:
#
# - `missed`: stacks that pass `no_common_factor` although they have a hole, a pixel inside the field that is not seen;
# - `alarms`: stacks that it rejects although they have none.
#
# The loop begins with the truth about each stack. Keep the order of the stacks, and of the rates in each.
#
# For example, `find_lies([[1, 1], [2, 2], [5]])` is `([[5]], [])`. A single rate has no other to share a factor with, so `[5]` passes; and it has holes.

# %% answer="find_lies"
from itertools import combinations
from math import gcd

from course_lib import models


def no_common_factor(rates):
    """The rule of thumb: a stack has no holes if no two of its rates share a factor. (It is wrong.)"""
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))


def find_lies(stacks):
    """(missed, alarms): the stacks about which `no_common_factor` is wrong, with holes and without."""
    missed, alarms = [], []
    for rates in stacks:
        whole = bool(models.paths(rates).all())  # True: every pixel of the field is seen
        ### BEGIN SOLUTION
        if whole != no_common_factor(rates):
            (alarms if whole else missed).append(rates)
        ### END SOLUTION
    return missed, alarms

# %% check="find_lies" seed=1068872123224408023

# %% tags=["demo"] fold="How often the rule is wrong"
from itertools import combinations_with_replacement

stacks = [list(s) for n in (3, 4) for s in combinations_with_replacement(range(1, 7), n)]
whole = [s for s in stacks if models.paths(s).all()]
if check.find_lies.yours(find_lies, None):
    missed, alarms = find_lies(stacks)
else:
    missed = [s for s in stacks if no_common_factor(s) and s not in whole]
    alarms = [s for s in whole if not no_common_factor(s)]
print(f"{len(stacks)} stacks, {len(whole)} of them without a hole")
print(f"the rule passes {sum(map(no_common_factor, stacks))} stacks; {len(missed)} of them have holes: {missed[:3]} …")
print(f"and it rejects {len(alarms)} of the {len(whole)} without a hole: {alarms[:3]} …")

# %% [markdown]
# Your function was asked about all stacks of three or four rates up to 6. Even 1, 2, 4 is rejected.
#
# For the exact rule, take rates 1 and 3. Together they see every pixel up to 4 away: 1, 3 − 1, 3, 3 + 1. A third rate *r* puts a copy of this stretch around the pixel *r* away. The copy begins at *r* − 4. It must begin at 5 or earlier, or there is a gap: so *r* is at most 9. That is 2·4 + 1.
#
# In general: **sort the rates. With *S* the sum of the rates before it, each may be at most 2·*S* + 1.** (The first has *S* = 0, so it must be 1.) The order of the layers does not matter. In the sliders, 1 + 2 + 5 = 8 allows a fourth rate of 17. At 18 holes open.

# %% tags=["demo"]
def exact_rule(rates):
    rates = sorted(rates)
    return all(r <= 2 * sum(rates[:i]) + 1 for i, r in enumerate(rates))


print("right about", sum(exact_rule(s) == (s in whole) for s in stacks), "of", len(stacks), "stacks")
for rates in ([1, 2, 4, 8], [1, 3, 9], [2, 3], [2, 4, 8], [1, 8]):
    seen = (models.paths(rates) > 0).mean() ** 2
    print(f"{str(rates):14} field {len(models.paths(rates)):2}, {100 * seen:2.0f} % seen, passes: {exact_rule(rates)}")

# %% [markdown] statement="schedule" minutes=5 level=2
# ### A schedule without holes
#
# Write `schedule(layers, field)`. Return a list of `layers` rates (`int`, at least 1) for a stack of 3 × 3 layers without holes whose field is exactly `field`.
#
# `layers` is at most 6; `field` is odd, at least 2·`layers` + 1 and at most 3 to the power of `layers`. There is always an answer; if there are several, any of them passes. The order does not matter.
#
# Be greedy: take each rate as large as the rule allows, but leave at least 1 for every layer still to come. In the code, `left` is the sum still to be made, and `later` the number of layers after this one.
#
# For example, in `schedule(3, 13)` the rates add up to 6. First comes 1. The next may be 3, and 2 are left for the last: `[1, 3, 2]`. In `schedule(3, 9)` they add up to 4: after 1, a 3 would leave nothing, so `[1, 2, 1]`.

# %% answer="schedule"
def schedule(layers, field):
    """A list of `layers` rates whose stack has exactly this field and no hole."""
    left, rates = (field - 1) // 2, []
    for later in reversed(range(layers)):  # layers − 1, …, 1, 0
        ### BEGIN SOLUTION
        rates.append(min(2 * sum(rates) + 1, left - later))
        left -= rates[-1]
        ### END SOLUTION
    return rates

# %% check="schedule" seed=1117369850540059848

# %% [markdown]
# Do holes hurt? Here is a task in which only context can tell. Every scene has one pale disc. Its class is the colour of a small marker, 10 pixels away in some direction. This is what the middle of a disc sees through four stacks; the rest is black.

# %% tags=["demo"] fold="What the middle of the disc sees"
scene, mask = data.Markers(length=40)[20]
row, column = (mask != 255).nonzero().float().mean(0).int().tolist()
views = [scene]
for rates in ([1, 1, 1, 1], [1, 2, 2, 4], [1, 2, 4, 8], [3, 3, 3, 6]):
    views.append(torch.where(models.seen(rates, mask.shape, row, column), scene, torch.zeros(())))

discs, colours = data.stack(data.Markers(200, 48, 10, 1), 200)  # 1: other scenes than those trained on
on_disc = colours != 255
marker = ((discs[:, :1] - discs[:, 2:]).abs() > 0.4).float()  # the only thing that is not grey


def foretold(rates):
    """The share of the discs' pixels that see the marker, and half of the rest."""
    view = marker
    for r in rates:
        view = F.conv2d(view, torch.ones(1, 1, 3, 3), padding=r, dilation=r)
    return 0.5 + 0.5 * (view[:, 0] > 0)[on_disc].float().mean()


plot.grid(views, ["the scene", "1, 1, 1, 1", "1, 2, 2, 4", "1, 2, 4, 8", "3, 3, 3, 6"], columns=5,
          title="What the middle of the disc sees through four stacks")

# %% [markdown]
# A pixel that does not see the marker can only guess, and is right half the time. So each stack's score can be foretold: the share of the disc's pixels that see the marker, and half of the rest. Train the four, with the same number of weights and steps:

# %% tags=["demo", "experiment"]
size, steps = train.scale(cpu=(48, 200), gpu=(48, 1000))
scenes = data.Markers(length=2000, size=size)
for rates in ([1, 1, 1, 1], [1, 2, 2, 4], [1, 2, 4, 8], [3, 3, 3, 6]):
    torch.manual_seed(0)
    net = nn.Sequential(stack_of(rates), nn.Conv2d(16, 2, 1))  # a stack as in the sweep, and a head
    train.fit(net, scenes, steps=steps, curve=False, title=str(rates))
    right = (train.predict(net, discs) == colours)[on_disc].float().mean()
    print(f"{rates}: {right:.2f} of the discs' pixels are right, {foretold(rates):.2f} foretold")

# %% [markdown]
# Accuracy climbs with the field, from chance at 1, 1, 1, 1 to every pixel at 1, 2, 4, 8, and stays close to what was foretold. With a field just as wide, 3, 3, 3, 6 falls into its own holes: a comb of every third pixel hits a marker of 2 × 2 from four places in nine. Longer training can't mend that.
#
# ## 4 · Trade a stride for a rate
#
# You seldom build from nothing. A trained classifier halves its map five times, and you want its weights on a larger map. Take one stride of 2 away. The map comes out twice as large, and a later kernel now looks at a window half as wide as it learned on. So move its taps two apart. In one dimension:

# %% tags=["demo"]
row = torch.tensor([[[3.0, 1, 4, 1, 5, 9, 2, 6]]])
first, second = torch.tensor([[[1.0, 1, 1]]]), torch.tensor([[[1.0, 0, -1]]])
strided = F.conv1d(F.conv1d(row, first, stride=2, padding=1), second, padding=1)
traded = F.conv1d(F.conv1d(row, first, stride=1, padding=1), second, padding=2, dilation=2)
print("with the stride:   ", "      ".join(f"{v:4.0f}" for v in strided[0, 0]))
print("traded for rate 2: ", " ".join(f"{v:4.0f}" for v in traded[0, 0]))

# %% [markdown] statement="trade_stride" minutes=9 level=3
# The four old values are all there, exactly, and between them four new ones. Note *which* layer was dilated. The one that lost its stride reads the same row as before, so it keeps its taps. The one after it reads a row twice as fine.
#
# ### Strides into dilation
#
# Write `trade_stride(net, output_stride)`. The copy, the walk through its convolutions and their padding are there. At each, set its `stride` and `dilation`, and bring two numbers up to date: `reached`, the stride so far, and `finer`, how many times finer the map is than in `net`.
#
# - `net` is an `nn.Sequential` of `nn.Conv2d`, `nn.BatchNorm2d` and `nn.ReLU`. Each convolution has an odd kernel k × k, padding (k − 1)/2, dilation 1, and stride 1 or 2.
# - `output_stride` is 1, 2, 4, …, at most the product of the strides of `net`.
#
# Return a new `nn.Module` with the same layers and weights. Its first strides stay, until their product is `output_stride`; every later one becomes 1. Later layers are dilated so that all old values are kept, at the rim, too: with *f* the product of the strides taken away, the new map at every *f*-th row and column, from 0 on, is the map of `net` (in evaluation mode). Leave `net` as it was. Don't call `models.dilate`.
#
# For example, from strides 2, 2, 1, 2, 1, `trade_stride(net, 2)` makes strides 2, 1, 1, 1, 1 and dilations 1, 1, 2, 2, 4.

# %% answer="trade_stride"
import copy


def trade_stride(net, output_stride):
    """A copy of an nn.Sequential whose strides beyond output_stride have become dilation; same weights."""
    net = copy.deepcopy(net)
    reached, finer = 1, 1  # both of the map that the next layer reads
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            stride = layer.stride[0]  # layer.stride and layer.dilation are pairs: (2, 2)
            ### BEGIN SOLUTION
            layer.dilation = (finer, finer)
            if reached == output_stride:
                layer.stride = (1, 1)
                finer *= stride
            else:
                reached *= stride
            ### END SOLUTION
            layer.padding = tuple(r * (k - 1) // 2 for r, k in zip(layer.dilation, layer.kernel_size))
    return net

# %% check="trade_stride" seed=1047420149733271993

# %% [markdown]
# Now on photographs. A backbone of five halvings and a 1 × 1 head learn to tell animal from background. Then its strides are traded, with the same weights.

# %% tags=["demo"] fold="A 1 × 1 head on a backbone"
class Scorer(nn.Module):
    """A body and a 1 × 1 head; the scores are enlarged to the picture's size."""

    def __init__(self, body, head):
        super().__init__()
        self.body, self.head = body, head

    def forward(self, x):
        # aligned corners are exact here: at 97 = 3·32 + 1 pixels, cell i is centred on pixel 32·i (16·i, 8·i)
        return F.interpolate(self.head(self.body(x)), x.shape[2:], mode="bilinear", align_corners=True)


def flat(backbone):
    return nn.Sequential(*(layer for stage in backbone.encoder for layer in stage))


def two_classes(image, mask):
    return image, torch.where(mask == 2, 0, mask)  # the border counts as animal


def report(name, net):
    guess = train.predict(net, images)
    near = metrics.band_iou(guess, truth, 2, width=3).mean()
    print(f"{name:32} mIoU {metrics.Confusion(2).update(guess, truth).miou:.3f}, within 3 px of an outline {near:.3f}")

# %% tags=["demo", "experiment"]
size, steps = train.scale(cpu=(97, 250), gpu=(193, 1500))
photos = data.Kept(data.scenes("train", size=size, length=4000, transform=two_classes))
torch.manual_seed(0)
backbone = models.Backbone(base=8)
coarse = Scorer(flat(backbone), nn.Conv2d(64, 2, 1))
print(train.fit(coarse, photos, steps=steps, curve=False, title="output stride 32"))

# %% tags=["demo"] fold="One set of weights, three maps"
def traded(stride):
    """A copy of the trained net at another output stride: by your function, or else the library's."""
    trade = check.trade_stride.yours(trade_stride, lambda net, stride: flat(models.dilate(backbone, stride)))
    return copy.deepcopy(Scorer(trade(flat(backbone).eval(), stride), coarse.head).eval())


images, truth = data.stack(data.scenes("val", size=size, length=150, transform=two_classes), 150)
nets, maps = {stride: traded(stride) for stride in (32, 16, 8)}, {}
with torch.no_grad():
    for stride, net in nets.items():
        maps[stride] = net.head(net.body(images[2:3].to(train.device()))).softmax(1)[0, 0].cpu()
gap = max((maps[s][:: 32 // s, :: 32 // s] - maps[32]).abs().max().item() for s in (16, 8))
print(f"at the places that they share, the three maps differ by at most {gap:.0e}")
shown = [m.round(decimals=2) for m in maps.values()]
plot.grid([images[2], *shown], ["the picture", *(f"output stride {s}: {len(m)} × {len(m)}" for s, m in maps.items())],
          title="How sure of an animal? One set of weights, three maps")

# %% [markdown]
# The old map is in the new ones, cell by cell, and the finest has more than ten times as many cells. Is the segmentation better for it? Measure. Then train two of the nets a little further, and measure again.

# %% tags=["demo", "experiment"]
_, more = train.scale(cpu=(97, 60), gpu=(193, 400))
for stride in (32, 16, 8):
    report(f"output stride {stride}, same weights", nets[stride])
for stride in (32, 8):
    train.fit(nets[stride], photos, steps=more, lr=1e-3, curve=False, title=f"output stride {stride}, further")
    report(f"output stride {stride}, {more} steps more", nets[stride])

# %% [markdown]
# The denser map alone scores about the same: nobody has ever asked these weights about the cells between. But a short further training sets the two apart along the outlines. (It did with each of three seeds. In proportion the mIoU gained less, and not every time.) That is how dilation is used: trained weights, strides traded, then training goes on.
#
# ## 5 · Several rates at once
#
# One rate suits one size of thing. **ASPP**, atrous spatial pyramid pooling, reads the same map in five ways: a 1 × 1 convolution, three dilated ones, and the average of the whole map. A rate counts cells, not pixels. And where a map is small, most taps lie outside and read zeros:

# %% tags=["demo"] fold="What rates span, and taps inside"
for stride, rates in ((16, (6, 12, 18)), (8, (6, 12, 18)), (8, (12, 24, 36))):
    spans = ", ".join(f"{2 * r + 1} cells or {stride * (2 * r + 1)} px" for r in rates)
    print(f"output stride {stride:2}, rates {rates}: taps span {spans}")
torch.manual_seed(0)
for n in (65, 33, 16):
    x, conv = torch.randn(1, 8, n, n), nn.Conv2d(8, 8, 3, padding=18, dilation=18, bias=False)
    inside = F.conv2d(torch.ones(1, 1, n, n), torch.ones(1, 1, 3, 3), padding=18, dilation=18).mean()
    gap = (conv(x) - F.conv2d(x, conv.weight[:, :, 1:2, 1:2])).abs().max().item()
    print(f"rate 18 on {n} × {n} cells: {inside:.1f} of 9 taps inside; without the outer eight the output changes by {gap:.1f}")

# %% [markdown] statement="build_aspp" minutes=5 level=2
# To see as far at output stride 8 as at 16, double the rates, as the paper does. On 16 × 16 cells, rate 18 has only its middle tap inside, wherever you stand. The layer *is* a 1 × 1 convolution, and its eight other taps never learn. The average of the whole map gives, at any size, the context that the widest rate was meant to give.
#
# Without a nonlinearity between, the four convolutions and their mix would be one convolution. So the branches end in ReLU.
#
# ### The pyramid
#
# Write `build_aspp(channels, width, reaches, stride)`: all is given but branches 2, 3 and 4 of `Pyramid`, the `nn.Module` that it returns. It turns maps `(B, channels, H, W)` into `(B, width, H, W)`, for any `H` and `W`.
#
# They are 3 × 3 `conv_norm_relu`, one for each of the three `reaches`, in this order. A reach is the distance of two neighbouring taps in **pixels of the picture**. `stride` is the output stride of the map, and divides the reaches. Finished modules, such as `models.ASPP`, don't count.
#
# For example, `build_aspp(64, 32, [96, 192, 288], 16)` has rates 6, 12 and 18, and turns a map `(2, 64, 9, 13)` into `(2, 32, 9, 13)`.

# %% answer="build_aspp"
def conv_norm_relu(inputs, outputs, kernel, rate=1):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=rate * (kernel // 2), dilation=rate)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class Pyramid(nn.Module):
    def __init__(self, channels, width, reaches, stride):
        super().__init__()
        self.near = conv_norm_relu(channels, width, 1)  # branch 1
        self.overall = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU())  # branch 5
        self.mix = nn.Conv2d(5 * width, width, 1)
        ### BEGIN SOLUTION
        self.far = nn.ModuleList(conv_norm_relu(channels, width, 3, reach // stride) for reach in reaches)
        ### END SOLUTION

    def forward(self, x):
        branches = [self.near(x)]
        ### BEGIN SOLUTION
        for read in self.far:
            branches.append(read(x))
        ### END SOLUTION
        branches.append(self.overall(x.mean((2, 3), keepdim=True)).expand_as(branches[0]))  # one average, everywhere
        return self.mix(torch.cat(branches, dim=1))


def build_aspp(channels, width, reaches, stride):
    """ASPP whose taps stand `reaches` pixels apart; nn.Module: (B, channels, H, W) → (B, width, H, W)."""
    return Pyramid(channels, width, reaches, stride)

# %% check="build_aspp" seed=818406943824765463

# %% [markdown]
# ASPP has a sibling, the **pyramid pooling** of PSPNet. It averages the map over 1 × 1, 2 × 2, 3 × 3 and 6 × 6 parts, convolves each by 1 × 1, enlarges them, and concatenates all with the map. Of a picture, such averages keep this:

# %% tags=["demo"] fold="Pyramid pooling of a picture"
photo = data.scenes("val", size=96)[3][0]
plot.grid([photo, *(F.adaptive_avg_pool2d(photo, bins) for bins in (1, 2, 3, 6))], columns=5,
          titles=["the picture", "1 × 1", "2 × 2", "3 × 3", "6 × 6"], title="Pyramid pooling: averages over parts")

# %% [markdown] statement="build_decoder" minutes=4 level=1
# ## 6 · A small decoder
#
# At output stride 8 a cell still holds 64 pixels, and outlines run through it. DeepLabv3 enlarged its scores and left it at that. **v3+** adds one skip, where U-Net has one at every level. It thins the backbone's map at stride 4 to few channels, so that it does not drown the map that knows what things are, and joins the two.
#
# ### The decoder of v3+
#
# Write `build_decoder(fine, coarse, reduced, classes)`: all is given but the `forward` of `Sharpen`, the `nn.Module` that it returns. `forward(maps)` takes a list of two maps, `[(B, fine, H, W), (B, coarse, h, w)]`, and returns logits `(B, classes, H, W)`:
#
# 1. `thin` the first map;
# 2. enlarge the second to H × W, bilinear (`align_corners=False`, the default). Any sizes must do;
# 3. concatenate both, the thinned one first, and `join` them;
# 4. `classify`.
#
# Gradients flow back to both maps. Finished modules, such as `models.DeepLab`, don't count.
#
# For example, `build_decoder(16, 32, 8, 3)` turns maps of shapes `(2, 16, 24, 33)` and `(2, 32, 6, 9)` into logits `(2, 3, 24, 33)`.

# %% answer="build_decoder"
class Sharpen(nn.Module):
    """A coarse map and a thinned fine one, to logits of the fine one's size."""

    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.thin = nn.Sequential(nn.Conv2d(fine, reduced, 1), nn.BatchNorm2d(reduced), nn.ReLU())
        both = nn.Conv2d(reduced + coarse, coarse, 3, padding=1)  # the paper has two of these
        self.join = nn.Sequential(both, nn.BatchNorm2d(coarse), nn.ReLU())
        self.classify = nn.Conv2d(coarse, classes, 1)

    def forward(self, maps):
        ### BEGIN SOLUTION
        thin = self.thin(maps[0])
        grown = F.interpolate(maps[1], size=thin.shape[2:], mode="bilinear", align_corners=False)
        return self.classify(self.join(torch.cat([thin, grown], dim=1)))
        ### END SOLUTION


def build_decoder(fine, coarse, reduced, classes):
    """v3+'s decoder; nn.Module: [(B, fine, H, W), (B, coarse, h, w)] → (B, classes, H, W)."""
    return Sharpen(fine, coarse, reduced, classes)

# %% check="build_decoder" seed=1025009091212313873

# %% tags=["demo"] fold="A whole DeepLabv3+ from your parts"
class Mine(nn.Module):
    """DeepLabv3+ at output stride 8, from your parts."""

    def __init__(self, classes, base=8):
        super().__init__()
        stages = models.Backbone(base=base).encoder
        self.early = nn.Sequential(*stages[:2])  # to stride 4
        self.late = trade_stride(nn.Sequential(*(layer for stage in stages[2:] for layer in stage)), 2)
        self.aspp = build_aspp(8 * base, 4 * base, [48, 96, 144], 8)
        self.decoder = build_decoder(2 * base, 4 * base, base, classes)

    def forward(self, x):
        fine = self.early(x)
        logits = self.decoder([fine, self.aspp(self.late(fine))])
        return F.interpolate(logits, x.shape[2:], mode="bilinear")


parts = dict(trade_stride=trade_stride, build_aspp=build_aspp, build_decoder=build_decoder)
yours = all(getattr(check, name).yours(f, None) for name, f in parts.items())
net = Mine(classes=3) if yours else models.DeepLab(classes=3, base=8, output_stride=8)
for h, w in ((128, 128), (97, 130)):
    print(f"picture {h} × {w} → logits {tuple(net(torch.rand(2, 3, h, w)).shape)}")
print(f"{models.count_parameters(net):,} parameters")

# %% [markdown] quiz="rates" answer="d"
# ## Checkpoint
#
# **Question 1.** Which of these stacks of 3 × 3 layers has the widest field without a hole?
#
# - a) 3, 5, 7
#   > No two share a factor, and still there are holes: the smallest rate must be 1.
# - b) 1, 2, 8
#   > 1 and 2 add up to 3. 8 is more than 2 · 3 + 1 = 7, by one, and so there are holes.
# - c) 4, 1, 2
#   > No holes, in any order, and a field of 15. Another stack gets further.
# - d) 7, 1, 2
#   > Yes. 7 = 2 · (1 + 2) + 1 is just allowed, and the field is 21.

# %% [markdown] quiz="trade" answer="a"
# **Question 2.** A backbone of output stride 32 is converted to output stride 8. Which layers end up with dilation 4?
#
# - a) Those after the last stride, not counting the layer that had it.
#   > Yes. Two strides are gone before them, so they read a map four times as fine.
# - b) The two layers that have lost their strides.
#   > The strides lost before a layer move its taps, not its own.
# - c) All layers after the first stride that was taken away.
#   > Between the two lost strides the map is only twice as fine as it was: dilation 2.
# - d) None. The dilation is 2 everywhere, as each stride was 2.
#   > Each stride that is lost makes the map twice as fine once more: 2, then 4.

# %% [markdown] quiz="small" answer="b"
# **Question 3.** You train a DeepLab of output stride 8 with rates 12, 24, 36 on crops of 256 × 256 pixels, and use it on pictures of 1024 × 1024. What about the branch of rate 36?
#
# - a) Nothing special: the branch sees 73 cells in both.
#   > Its taps span 73 cells, but a crop's map has only 32. What lies outside is zero.
# - b) In training its outer taps read only zeros and never learn; on the large picture they read real values.
#   > Yes. On 32 × 32 cells only the middle tap is ever inside. On 128 × 128 cells the other eight join in.
# - c) It raises an error in training, since the kernel does not fit the map.
#   > With a padding of 36 it always fits: no error, only zeros.
# - d) In training it sees the whole crop, which is what one wants.
#   > It has only one tap inside the crop's map. To see the whole crop is the average's task.

# %% [markdown]
# **An interviewer asks:** "Our net for satellite pictures ends in three 3 × 3 layers of rates 2, 4, 8. Roofs come out speckled, in a regular pattern. A colleague wants 5, 7, 9, 'which share no factor'. What do you do, and how do you show that it was the rates?"
#
# Answer in three to five sentences. *Graded by hand, 2 points:* one for the mechanism, with a verdict on 5, 7, 9; one for a change and a measurement that would tell the rates from another cause.

# %% [markdown] written="speckle" points=2
# All rates are even, so through these layers a pixel sees only pixels at even distances, 27 % of its field; the pixel beside it sees others, and nothing here makes the two agree. Rates 5, 7, 9 leave holes as well, since the smallest rate is not 1. I would take 1, 3, 9: nearly the same field, 27 for 29, and all of it is seen.
#
# I train the old and the new net with the same seeds, data and steps, and count how often two pixels of one roof disagree, at distance 1 and at distance 2. If the rates are to blame, only the old net disagrees more at distance 1.

# %% [markdown]
# ## Hand in
#
# Save the notebook (Ctrl+S, or ⌘S on a Mac) and follow "Submit" in the course's README. **Next:** lesson 06 leaves the network as it is and asks what it should be punished for.
#
# *To read on:* F. Yu and V. Koltun, "Multi-scale context aggregation by dilated convolutions" (2016); L.-C. Chen and others, "Rethinking atrous convolution for semantic image segmentation" (2017) and "Encoder-decoder with atrous separable convolution for semantic image segmentation" (2018); P. Wang and others, "Understanding convolution for semantic segmentation" (2018); H. Zhao and others, "Pyramid scene parsing network" (2017).
