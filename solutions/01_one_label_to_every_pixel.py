# %% [markdown]
# # 01 · From one label to every pixel
#
# What does a picture show? A classifier answers with one word. Below are four longer answers to the same picture. In this lesson you make such maps, keep them true to their picture, and rebuild a classifier so that it answers at many places at once.
#
# **You will be able to**
#
# - tell five tasks apart by what they put out;
# - crop, flip and resize a mask with its picture, and catch a resize that invents labels;
# - say why neither a pooled classifier nor one big layer can label pixels;
# - turn fully connected layers into convolutions, and slide them over a picture.
#
# **You need** lesson 00, and to have met convolutions, `nn.Linear`, `nn.Sequential` and the training of a classifier. **Time:** 90 minutes. **Points:** 20.

# %% given="setup"
import torch
import torch.nn as nn
import torch.nn.functional as F

from course_lib import data, plot, train, widgets
from course_lib.checks.lesson_01 import check

print(f"torch {torch.__version__}, device: {train.device()}")

# %% tags=["demo"] fold="One scene under five questions"
several = data.scenes("val", size=(160, 240), animals=(2, 4), target=("semantic", "instance", "boxes"))
image, target = several[15]
plot.five_tasks(image, target, data.SEMANTIC)

# %% [markdown] statement="semantic_map" minutes=5 level=1
# ## 1 · Five questions
#
# **Classification** has one word for the whole picture, and the parrot is lost. **Detection** gives each animal a box, and the boxes overlap. **Semantic segmentation** names every pixel, and the two mammals become one orange region. **Instance segmentation** keeps them apart, and says nothing of the background. **Panoptic segmentation** does both: every pixel has a class, and every animal a number.
#
# An instance map and a table of the animals' kinds: from these two, the semantic map follows.
#
# ### From animals to kinds
#
# Write `semantic_map(instances, class_of)`.
#
# - `instances`: `int64` tensor `(H, W)`: 0 on the background, 255 where not labelled, any other number for one animal;
# - `class_of`: a `dict` from an animal's number to its class. It may list animals that are not in the map.
#
# Return an `int64` tensor `(H, W)`: 0 on the background, the animal's class on its pixels, 255 where not labelled. An animal that the table does not list becomes 255 too: nobody said what it is.
#
# Here and in every exercise of this lesson, leave the arguments as they were.
#
# For example, with `class_of = {1: 2, 2: 1}` the map `[[0, 1], [2, 2]]` becomes `[[0, 2], [1, 1]]`.

# %% answer="semantic_map"
def semantic_map(instances, class_of):
    """The class of every pixel, int64 (H, W), from an instance map and a dict of the animals' classes."""
    ### BEGIN SOLUTION
    semantic = torch.full_like(instances, 255)
    semantic[instances == 0] = 0
    for animal, kind in class_of.items():
        semantic[instances == animal] = kind
    return semantic
    ### END SOLUTION

# %% check="semantic_map" seed=1082575232540736683

# %% [markdown] statement="panoptic_map" minutes=4 level=1
# Now both in one map. Classes whose members can be counted are called **things**: pigs, parrots. The others are **stuff**: grass, sky. Class and number are often stored as one whole number, *1000 · class + number*. So 1002 is animal 2, of class 1. Stuff gets number 0.
#
# ### Two maps in one
#
# Write `panoptic_map(semantic, instances, things)`.
#
# - `semantic` and `instances`: `int64` tensors `(H, W)`, as above. Either may hold 255;
# - `things`: a list of the classes that are counted.
#
# Return an `int64` tensor `(H, W)` of 1000 · class + number. Where the class is not among `things`, the number is 0. Where either map is 255, the result is 255.
#
# For example, with `things = [1]` the classes `[[0, 1, 1, 2, 255]]` and numbers `[[0, 3, 4, 5, 5]]` become `[[0, 1003, 1004, 2000, 255]]`.

# %% answer="panoptic_map"
def panoptic_map(semantic, instances, things):
    """1000 · class + number for every pixel, int64 (H, W); number 0 for stuff, 255 where not labelled."""
    counted = torch.isin(semantic, torch.tensor(things, dtype=torch.int64))  # True on things
    ### BEGIN SOLUTION
    codes = 1000 * semantic + instances * counted
    codes[(semantic == 255) | (instances == 255)] = 255
    return codes
    ### END SOLUTION

# %% check="panoptic_map" seed=863063434744862494

# %% tags=["demo"] fold="Your panoptic map of another scene"
image, target = several[8]
class_of = dict(enumerate(target["boxes"]["labels"].tolist(), 1))
if check.semantic_map.yours(semantic_map, None) and check.panoptic_map.yours(panoptic_map, None):
    semantic = semantic_map(target["instance"], class_of)
    codes = panoptic_map(semantic, target["instance"], [1, 2, 3, 4, 5])
    print("labels:", codes.unique().tolist())
    display(plot.panoptic(image, codes, data.SEMANTIC, title="Made by your functions"))
else:
    print("Your panoptic map appears here once both checks say passed.")

# %% [markdown]
# In such a map, `code // 1000` is the class. But 255 // 1000 is 0: whoever forgets that turns "not labelled" into background.
#
# ## 2 · Where the picture goes, the mask goes
#
# A mask is true for one picture at one size, in one position. Training flips, crops, turns and resizes pictures at random, so that a network meets more than was photographed. The mask must go through the very same change.

# %% tags=["demo"] fold="Pairs after a flip and a turn"
from torchvision.transforms.v2 import functional as tv

image, mask = data.scenes("val", size=128)[3]
there = torch.from_numpy(plot.colours(mask, data.TRIMAP)).permute(2, 0, 1)
pairs = [0.5 * image.flip(-1) + 0.5 * m for m in (there.flip(-1), there)]
turned = [tv.rotate(mask[None], 20, fill=fill)[0] for fill in (0, 255)]
names = ["both flipped", "only the picture flipped", "mask turned: corners 0", "mask turned: corners 255"]
plot.grid([*pairs, *turned], names, classes=data.TRIMAP, title="Two flips of a pair, two turns of its mask")

# %% [markdown] statement="relabel" minutes=4 level=1
# The second panel shows a common bug: two random flips, drawn one after the other. No error is raised. The network trains on wrong masks, and merely ends up worse. Only looking finds it, so look at pairs *after* all transforms.
#
# Turning brings in corners from outside the picture. Filled with 0, the usual default, they get the label 0, and in this course's trimaps that is "pet". 255 says what is true: nobody knows. Losses and metrics can be told to leave those pixels out.
#
# 255 needs care in every computation with labels. The files of Oxford-IIIT Pet hold trimaps in `uint8`, counted from 1: 1 pet, 2 background, 3 border. A network counts from 0, and a loss wants `int64`.
#
# ### From the file and back
#
# Write `relabel(mask, back=False)`. `mask` has any shape.
#
# - `back=False`: from `uint8` with 1, 2, 3 and 255 to `int64` with 0, 1, 2 and 255.
# - `back=True`: from `int64` with 0, 1, 2 and 255 to `uint8` with 1, 2, 3 and 255.
#
# For example, `relabel` of the `uint8` mask `[[1, 3, 255]]` is `[[0, 2, 255]]` in `int64`.

# %% answer="relabel"
def relabel(mask, back=False):
    """A trimap's labels from 1, 2, 3 in uint8 to 0, 1, 2 in int64, or back; 255 stays."""
    ### BEGIN SOLUTION
    shifted = mask.long() + (1 if back else -1)
    shifted[mask == 255] = 255
    return shifted.to(torch.uint8 if back else torch.int64)
    ### END SOLUTION

# %% check="relabel" seed=973468957740494703

# %% [markdown]
# ## 3 · Another size
#
# A photograph is made smaller by mixing neighbours. Labels are names, and names don't mix. Resize one row of four labels to three, by each mode of `F.interpolate`:

# %%
row = torch.tensor([0.0, 0.0, 2.0, 2.0]).reshape(1, 1, 1, 4)
print(f"{'no mode given':14}", F.interpolate(row, size=(1, 3)).flatten().tolist())
for mode in ("nearest", "nearest-exact", "bilinear", "area", "bicubic"):
    small = F.interpolate(row, size=(1, 3), mode=mode).flatten().tolist()
    print(f"{mode:14}", [round(v, 2) for v in small])

# %% [markdown]
# `nearest` and `nearest-exact` copy. Bilinear, area and bicubic blend, and a 1 appears that was nowhere in the row. Some tutorials say that `F.interpolate` without `mode=` ruins masks. It does not: its default is `nearest`.
#
# The widget resizes a mask and rounds the result to whole labels. A label is **invented** if no old pixel at that place, or next to it, has it. The right panel shows those pixels in magenta. The mask is 160 × 160. Compare bilinear with nearest-exact, first at a smaller size, then at a larger one.

# %% tags=["demo"] fold="A mask resized, and its invented labels"
_, kinds = data.scenes("val", size=160, animals=(2, 4), target="semantic")[0]
widgets.Live(lambda mode, size: plot.resized(kinds, size, mode, data.SEMANTIC), {
    "mode": widgets.Choice("mode", "bilinear", ("nearest", "nearest-exact", "bilinear", "area", "bicubic")),
    "size": widgets.Slider("size", 40, 10, 240, 10)})

# %% [markdown]
# Half-way between background (0) and bird (2) lies mammal (1). So the bird's leg turns partly into a mammal. The two nearest modes invent nothing at any size. They can lose things, though: at small sizes the leg is gone.
#
# Here is a widely copied way to resize a mask, with a test that is meant to make it safe.

# %%
def blend_and_round(mask, size):
    """A mask (H, W) at another size: bilinear, then rounded to whole labels."""
    blended = F.interpolate(mask[None, None].float(), size=size, mode="bilinear", align_corners=False)
    return blended[0, 0].round().long()


def looks_fine(mask, small):
    """Whether every label of the small mask was in the mask before."""
    return set(small.unique().tolist()) <= set(mask.unique().tolist())


two = torch.tensor([[0, 0, 0, 1], [0, 0, 1, 1], [0, 1, 1, 1], [0, 1, 1, 1]])
for labels in (two, 2 * two):
    small = blend_and_round(labels, (2, 2))
    print(f"{labels.tolist()} → {small.tolist()}, looks fine: {looks_fine(labels, small)}")

# %% [markdown] statement="fooling_mask" minutes=7 level=2
# Halving by this function takes the mean of each 2 × 2 block. With classes 0 and 1, rounding gives 0 or 1 again: nothing is invented. With 0 and 2 the test catches the invented 1. So function and test together look safe. They are not.
#
# ### Fool the test
#
# Write `fooling_mask(size)`, for an even `size` of at least 8. It returns an `int64` tensor `(size, size)` with labels 0, 1 and 2 only, which is damaged without `looks_fine` noticing. That is, for `small = blend_and_round(mask, (size // 2, size // 2))`,
#
# - `looks_fine(mask, small)` is `True`, and
# - somewhere `small` is 1, and the 2 × 2 block of `mask` under it holds no 1.
#
# For example, at size 8 a mask with 0 in its left half and 2 in its right half does not do: the edge runs *between* two blocks, and nothing is mixed.

# %% answer="fooling_mask"
def fooling_mask(size):
    """A mask, int64 (size, size) of 0, 1, 2, that blend_and_round damages and looks_fine lets pass."""
    mask = torch.zeros(size, size, dtype=torch.int64)
    ### BEGIN SOLUTION
    mask[:, 3:] = 2  # column 2 is 0, column 3 is 2, and they share a block
    mask[0, 0] = 1  # an honest 1 elsewhere keeps the test quiet
    ### END SOLUTION
    return mask

# %% check="fooling_mask" seed=874485162415930217

# %% [markdown]
# The more classes a mask holds, the likelier an invented label is to occur elsewhere in it, and the test stays quiet. The repair is a resize that copies. By which mode? The next cell numbers twelve pixels from 0 to 11, and prints which are kept. Its last lines try shapes and dtypes.

# %% tags=["demo"] fold="Which pixels the nearest modes keep"
places = torch.arange(12.0)[None, None]
for n in (4, 3):
    for mode in ("nearest", "nearest-exact"):
        kept = F.interpolate(places, size=n, mode=mode)[0, 0].long().tolist()
        print(f"12 → {n}, blocks of {12 // n}: {mode:13} keeps {kept}")
masks = torch.randint(0, 3, (2, 6, 8))
for name, labels in {"float (B, H, W)": masks.float(), "float (B, 1, H, W)": masks.float()[:, None],
                     "int64 (B, 1, H, W)": masks[:, None]}.items():
    try:
        print(f"{name}: {tuple(labels.shape)} → {tuple(F.interpolate(labels, scale_factor=0.5).shape)}")
    except Exception as error:
        print(f"{name}: stopped with {type(error).__name__}")

# %% [markdown] statement="crop_pair" minutes=8 level=2
# `nearest` keeps the *first* pixel of each block, `nearest-exact` the middle one (of an even block, the one just behind the middle). A picture made smaller is averaged around the middle of each block. So `nearest` shifts the mask against its picture, by more the larger the blocks: 1 pixel in blocks of 3, 2.5 in blocks of 6. torchvision's `v2.Resize` does just that. `nearest-exact` is never off by more than half a pixel. (Where a mask is halved, both are off by that half, to opposite sides.) Use `nearest-exact`.
#
# The last lines hold two traps. `(B, H, W)` is taken for *H* channels of one-dimensional data, and only the width is halved. And `F.interpolate` stops on `int64`: make the mask float, and `int64` again afterwards.
#
# A random transform draws its numbers *once*, then applies them to picture and mask. Here is the second half.
#
# ### One crop for both
#
# Write `crop_pair(image, mask, box, flip, size)`. The picture's three steps are given; add the mask's. `image` is a `float32` tensor `(3, H, W)`, `mask` an `int64` tensor `(H, W)`.
#
# 1. Cut out `box = (top, left, height, width)`. The box may hang over any side of the picture. What lies outside is 0 in the image and 255 in the mask.
# 2. If `flip` is true, mirror both left to right.
# 3. Resize both to `size = (h, w)`: the image by bilinear with `antialias=True`, the mask by nearest-exact.
#
# Return the pair, of shapes `(3, h, w)` and `(h, w)`, in the dtypes that came in.
#
# For example, the mask `[[1, 2, 3]]` with box `(0, 1, 1, 4)`, flipped, at size `(1, 4)`, becomes `[[255, 255, 3, 2]]`.

# %% answer="crop_pair"
def crop_pair(image, mask, box, flip, size):
    """Crop, flip and resize an image (3, H, W) and its mask (H, W) alike; outside, they are 0 and 255."""
    top, left, height, width = box
    h, w = mask.shape
    edges = (-left, left + width - w, -top, top + height - h)  # to add left, right, above, below
    image = F.pad(image, edges, value=0.0)  # a negative number cuts off
    if flip:
        image = image.flip(-1)
    image = F.interpolate(image[None], size, mode="bilinear", antialias=True)[0]
    # the mask's three steps are yours
    ### BEGIN SOLUTION
    mask = F.pad(mask, edges, value=255)
    if flip:
        mask = mask.flip(-1)
    mask = F.interpolate(mask.float()[None, None], size, mode="nearest-exact")[0, 0].long()
    ### END SOLUTION
    return image, mask

# %% check="crop_pair" seed=949503221754662197

# %% tags=["demo"] fold="Four random crops by your function"
image, mask = data.scenes("val", size=128)[3]
torch.manual_seed(1)
if check.crop_pair.yours(crop_pair, None):
    crops = []
    for _ in range(4):
        top, left, side = torch.randint(-30, 50, (2,)).tolist() + torch.randint(60, 120, (1,)).tolist()
        part, labels = crop_pair(image, mask, (top, left, side, side), bool(torch.rand(()) < 0.5), (96, 96))
        painted = torch.from_numpy(plot.colours(labels, data.TRIMAP)).permute(2, 0, 1)
        crops.append((0.5 * part + 0.5 * painted).clamp(0, 1))
    names = [f"crop {i}" for i in range(1, 5)]
    display(plot.grid(crops, names, title="Four crops of one scene, by your function"))
else:
    print("Your crops appear here once the check says passed.")

# %% [markdown]
# Does each outline still sit on its animal? Dark grey lies outside: black picture, unlabelled mask.
#
# ## 4 · Why a classifier can't label pixels
#
# The masks are ready; now the network. A classifier's convolutions make maps. Then many classifiers, ResNet among them, *average* each map over all its places. One number a channel is left: one vector for the picture. Shuffle the places of some maps, and average again:

# %% tags=["demo"]
torch.manual_seed(0)
maps = nn.Conv2d(3, 4, 8, stride=8)(image[None]).detach()  # 4 maps of 16 × 16 places
shuffled = maps.flatten(2)[..., torch.randperm(16 * 16)].unflatten(2, (16, 16))
for name, m in {"maps": maps, "shuffled maps": shuffled}.items():
    print(f"{name:14} averaged: {[round(v, 5) for v in m.mean((2, 3))[0].tolist()]}")

# %% [markdown]
# The vectors are the same, so whatever layers follow give both the same answer. At which place a value stood is not in the vector.
#
# ## 5 · Why one big layer can't either
#
# So don't average. Connect every value of the picture with every pixel of the answer in one fully connected layer. How many weights is that for a picture with *n* × *n* pixels?

# %%
for n in (32, 64, 128, 256):
    weights = (3 * n * n) * (n * n)
    print(f"{n:3} × {n:3} pixels: {weights:14,} weights a class, {4 * weights / 2**30:8.2f} GiB")
print(f"one 3 × 3 convolution: {3 * 3 * 3:11,} weights a class, at any size")

# %% [markdown]
# Twice the side, sixteen times the weights. And memory is the lesser trouble. Every weight belongs to one pair of places, so what the layer learns at one place it does not know at any other. Two networks must find a bright square in noise. In training it is always in the *left* half. The score is **IoU**, intersection over union: the pixels that are in both the square and the answer, divided by those that are in either. 1 is perfect.

# %% tags=["demo"] fold="Squares in noise, and a short training"
def squares(half, n=32):
    """Noisy pictures (n, 1, 16, 16) of a 5 × 5 square in their "left" or "right" half; the squares."""
    first, found = 8 * (half == "right"), torch.zeros(n, 1, 16, 16)
    for one, row, column in zip(found, torch.randint(0, 12, (n,)), torch.randint(0, 4, (n,))):
        one[0, row : row + 5, first + column : first + column + 5] = 1.0
    return found + 0.5 * torch.randn_like(found), found


def learn(net, half):
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.02)
    for _ in range(300):
        pictures, truth = squares(half)
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(net(pictures), truth).backward()
        optimizer.step()


def iou(found, there):
    return (found & there).sum().item() / (found | there).sum().item()

# %% tags=["demo"]
torch.manual_seed(0)
big = nn.Sequential(nn.Flatten(), nn.Linear(256, 256), nn.Unflatten(1, (1, 16, 16)))
for name, net in {"fully connected": big, "5 × 5 convolution": nn.Conv2d(1, 1, 5, padding=2)}.items():
    learn(net, "left")
    print(f"{name}, {sum(p.numel() for p in net.parameters()):,} weights", end="")
    for half, end in {"left": "", "right": "\n"}.items():
        pictures, truth = squares(half, 500)
        print(f", IoU on the {half} {iou(net(pictures) > 0, truth == 1):.2f}", end=end)

# %% [markdown]
# On the left the big layer is even the better one. On the right it is lost. A convolution has the same few weights everywhere: what it learns at one place holds everywhere.
#
# ## 6 · A fully connected layer is a convolution
#
# Not every classifier averages. AlexNet and VGG16 *flatten* their last map and put fully connected layers on top. Take one unit of such a layer over a 3 × 3 map of one channel: nine weights, nine products, one sum. Lay the weights out as a 3 × 3 square. That is a kernel, and on a 3 × 3 map it fits in exactly one place. On a larger map it can *slide*.

# %% tags=["demo"] fold="One unit, slid over a larger map"
unit = nn.Linear(9, 1, bias=False)
unit.weight.data = torch.tensor([[0.0, 1, 0, 1, 1, 1, 0, 1, 0]])  # it looks for a cross
cross, larger = unit.weight.data.reshape(3, 3), torch.zeros(8, 8)
larger[0:3, 1:4] += cross
larger[4:7, 4:7] += cross
scores = F.conv2d(larger[None, None], unit.weight.data.reshape(1, 1, 3, 3))[0, 0]
print("the unit on a cross:", unit(cross.reshape(1, 9)).item(), "  the highest score:", scores.max().item())
weights, answers = torch.full((2, 8, 8), torch.nan)
weights[2:5, 2:5], answers[1:7, 1:7] = cross, scores / 5
drawn = [torch.stack([m.nan_to_num(v) for v in (0.6, 0.8, 0.95)]) for m in (weights, larger, answers)]  # nan in blue
names = ["nine weights, laid out", "a larger map with two crosses", "scores ÷ 5, each in its window's middle"]
display(plot.grid(drawn, names, columns=3, title="One unit, slid: 0 is black, 1 is white, blue is nothing"))
print(f"FC6 has {4096 * 512 * 7 * 7:,} weights: a 7 × 7 convolution from 512 to 4,096 channels")
print(f"FC7 has {4096 * 4096:,} weights: a 1 × 1 convolution from 4,096 to 4,096 channels")

# %% [markdown] statement="as_convolutions" minutes=9 level=3
# The same nine weights now give a *map* of 6 × 6 scores, and the two highest stand on the crosses.
#
# With *C* channels a unit has *C* · *h* · *w* weights, and becomes a kernel of *h* × *w* over *C* channels. In VGG16 the map is 512 × 7 × 7. So its first fully connected layer, FC6, becomes a 7 × 7 convolution (not 1 × 1, as is often said). After it there is one vector at each place, so the *next* layer, FC7, is 1 × 1.
#
# ### The head, made to slide
#
# Write `as_convolutions(head, shape)`. The walk through the layers is given, and each new `nn.Conv2d`. Give the convolution its weight and bias, and bring `channels` and `kernel` up to date for the next one.
#
# - `head`: an `nn.Sequential` of `nn.Flatten()`, then `nn.Linear` layers with bias, with `nn.ReLU` or `nn.Dropout` between them;
# - `shape`: the `(C, h, w)` of the map that it flattens. *h* and *w* may differ.
#
# Return a new `nn.Module` that takes maps `(B, C, H, W)` of any *H* ≥ *h*, *W* ≥ *w*, and puts out scores `(B, classes, H − h + 1, W − w + 1)`. The score at row *i*, column *j* is what `head` says of the window `maps[:, :, i:i+h, j:j+w]`. So the first `nn.Linear` becomes an `nn.Conv2d` of *h* × *w*, every later one an `nn.Conv2d` of 1 × 1, with the same weights and biases. ReLU and Dropout stay where they are.
#
# `nn.Flatten` lists channel 0 first, row by row, then channel 1, and so on. Copy the weights: training your network must not change `head`.
#
# For example, with `shape = (8, 2, 3)` the layers `nn.Flatten(), nn.Linear(48, 10), nn.ReLU(), nn.Linear(10, 4)` become convolutions with weights of shapes `(10, 8, 2, 3)` and `(4, 10, 1, 1)`.

# %% answer="as_convolutions"
def as_convolutions(head, shape):
    """The convolutional form, an nn.Module, of a fully connected head over maps of shape (C, h, w)."""
    layers = []
    channels, kernel = shape[0], tuple(shape[1:])  # what the next convolution reads
    for layer in head:
        if isinstance(layer, nn.Linear):
            conv = nn.Conv2d(channels, layer.out_features, kernel)
            layers.append(conv)
            ### BEGIN SOLUTION
            with torch.no_grad():
                conv.weight.copy_(layer.weight.reshape(conv.weight.shape))
                conv.bias.copy_(layer.bias)
            channels, kernel = layer.out_features, 1
            ### END SOLUTION
        elif not isinstance(layer, nn.Flatten):
            layers.append(layer)
    return nn.Sequential(*layers)

# %% check="as_convolutions" seed=840209151373984286

# %% [markdown]
# ## 7 · Slide a classifier
#
# Train a classifier, then make it slide. It sees windows cut at random from larger scenes. Each window has one label: is the pixel in its *middle* an animal's? That is all that it is told.

# %% tags=["demo"] fold="Windows with one label each"
class Windows:
    """Random windows of scenes, each with one label: is its middle pixel an animal (1) or not (0)?"""

    def __init__(self, images, masks, side):
        self.images, self.masks, self.side = images, masks, side

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        top, left = torch.randint(0, self.images.shape[-1] - self.side + 1, (2,)).tolist()
        window = self.images[i, :, top : top + self.side, left : left + self.side]
        middle = self.side // 2 - 1  # of the 63 rows and columns that the network reads
        return window, (self.masks[i, top + middle, left + middle] > 0).long()


def halving(before, after):
    return nn.Conv2d(before, after, 3, stride=2, bias=False), nn.BatchNorm2d(after), nn.ReLU()

# %% tags=["demo", "experiment"]
size, steps = train.scale(cpu=(64, 300), gpu=(64, 2000))
images, masks = data.stack(data.scenes("train", size=2 * size, animals=(1, 3), target="semantic"), 400)
windows = Windows(images, masks, size)
torch.manual_seed(0)
features = nn.Sequential(*halving(3, 16), *halving(16, 32), *halving(32, 64), *halving(64, 128))
head = nn.Sequential(nn.Flatten(), nn.Linear(128 * 3 * 3, 64), nn.ReLU(), nn.Linear(64, 2))
net = nn.Sequential(features, head)  # sides: 64 → 31 → 15 → 7 → 3
print(train.fit(net, windows, steps, batch=32, lr=2e-3, loss=F.cross_entropy, title="training", curve=False))
net = net.cpu().eval()

# %% [markdown]
# Now run the features, and your convolutions behind them, over whole scenes of unseen animals, twice as high as a window and four times as wide. Beside it, the slow way: cut out each window and classify it alone.

# %% tags=["demo", "experiment"] fold="All at once, and window by window"
unseen = data.scenes("val", size=(2 * size, 4 * size), animals=(2, 4), target="semantic", length=100)
scenes, truth = data.stack(unseen, 100)
slider = check.as_convolutions.yours(as_convolutions, lambda head, shape: None)(head, (128, 3, 3))


def slide(maps, k=3):
    """The head's scores at every place: by your convolutions or, until they pass, by cutting windows out of the maps."""
    if slider:
        return slider(maps)
    windows = maps.unfold(2, k, 1).unfold(3, k, 1).permute(0, 2, 3, 1, 4, 5)
    return head[1:](windows.flatten(3)).permute(0, 3, 1, 2)


with torch.no_grad():
    scores = torch.cat([slide(features(part)) for part in scenes.split(20)])
    corners = [(16 * i, 16 * j) for i in range(scores.shape[2]) for j in range(scores.shape[3])]
    alone = torch.stack([net(scenes[:4, :, r : r + size, c : c + size]) for r, c in corners], -1)
    gap = (scores[:4].flatten(2) - alone).abs().max()
how = "your convolutions" if slider else "windows cut out of the maps, until your check passes"
print(f"by {how}: scores {tuple(scores.shape)}, largest difference {gap:.0e}")
cost = len(corners) * size**2 / scenes[0, 0].numel()
print(f"{len(corners)} windows one by one cost {cost:.1f} times the pixels of the scene")

# %% [markdown]
# The same scores for a fraction of the work, since neighbouring windows share most of their pixels. Four halvings make 16: one place further on the map is 16 pixels further in the scene.
#
# Is the map any good? Compare it with answers that need no network.

# %% tags=["demo", "experiment"] fold="The slid classifier's answers and their scores"
middle, (h, w) = size // 2 - 1, scores.shape[2:]
there = truth[:, middle : middle + 16 * h : 16, middle : middle + 16 * w : 16] > 0
answers, chance = scores.argmax(1) == 1, scores.softmax(1)[:, 1]
surest = chance.flatten(1).argmax(1, keepdim=True)
hit = there.flatten(1).gather(1, surest).float().mean()
often = there.float().mean(0)
print(f"IoU of animal: network {iou(answers, there):.2f}, animal everywhere {often.mean():.2f}")
print(f"on an animal:  the network's surest window {100 * hit:.0f} %, the best fixed window {100 * often.max():.0f} %")
display(plot.slid(scenes[:3], chance[:3], truth[:3], size, 16))
edge = middle - 7  # a block has its answer's pixel in the middle
pixels = truth[:, edge : edge + 16 * h, edge : edge + 16 * w] > 0
rows = ("the network's", "as blocks", answers), ("the right", "as blocks", there), ("the right", "smoothly", there)
for name, how, coarse in rows:
    mode = "nearest" if how == "as blocks" else "bilinear"
    enlarged = F.interpolate(coarse[:, None].float(), scale_factor=16, mode=mode)[:, 0] > 0.5
    print(f"{name} answers, enlarged {how}: IoU {iou(enlarged, pixels):.2f}")

# %% [markdown] quiz="default" answer="b"
# It works, on animals and places that it has never seen: its IoU is about twice that of "animal everywhere". In about nine scenes of ten, or more, the window of which it is surest has an animal in its middle. No fixed window has one in even half of them.
#
# And it is *very* rough: one answer every 16 pixels. For the last three printed lines the answers are enlarged to pixels, and scored against the true masks. Even answers that are right at *every* place stop at about 0.7, as blocks or smoothly. More training can't mend that: one yes or no for 16 × 16 pixels does not follow legs and outlines. (Graded scores can do better; lesson 03 measures how much.)
#
# That is the problem of this whole course. The halvings let one place see enough to recognise an animal. The same halvings take away *where* it is. A segmenter has to have both.
#
# ## Checkpoint
#
# **Question 1.** A mask with classes 0 to 4, a float tensor `(B, 1, 512, 512)`, goes through `F.interpolate(mask, size=(64, 64))`. What happens to the labels?
#
# - a) They are blended, since bilinear is the default.
#   > That is often said. The default is nearest, and it copies.
# - b) They are copied, but shifted a little against a picture that was resized by averaging.
#   > Yes. Plain nearest keeps the first pixel of each block, not the middle one. That is what nearest-exact is for.
# - c) They are copied, and fit a picture that was resized by averaging.
#   > The first half is right. But plain nearest takes the first pixel of each block, and the picture is averaged around the middle.
# - d) The call stops, since masks must be int64.
#   > It is the other way round: this call stops on int64, and takes floats.

# %% [markdown] quiz="kernel" answer="d"
# **Question 2.** A classifier ends on a map of 256 × 6 × 6, flattened into a fully connected layer of 1,000 units. As a convolution, this layer runs over a larger map of 256 × 9 × 11. What comes out?
#
# - a) 1000 × 9 × 11, by a 1 × 1 convolution.
#   > A 1 × 1 kernel has 256 weights a unit. This layer has 256 · 6 · 6, which is a 6 × 6 kernel.
# - b) 1000 × 1 × 1, since a fully connected layer gives one vector.
#   > On a 6 × 6 map, yes. On a larger one the kernel has more than one place to stand.
# - c) 1000 × 9 × 11, by a 6 × 6 convolution.
#   > The kernel is right. Without padding it must stay on the map, and its corner has 4 × 6 places to stand.
# - d) 1000 × 4 × 6, by a 6 × 6 convolution.
#   > Yes: 9 − 6 + 1 rows and 11 − 6 + 1 columns, each the old classifier on one window.

# %% [markdown] quiz="zeros" answer="a"
# **Question 3.** Masks with classes 0 to 5 are loaded by code for photographs: it divides every byte by 255. Then `.long()` cuts off the fractions. The training loss falls to almost nothing within minutes. What has happened?
#
# - a) Every pixel is labelled 0 now, and the network has learned to say 0.
#   > Yes. 5 became 0.02, and then 0. Nothing stopped; only a look at the labels that reach the loss finds it.
# - b) Classes 1 to 5 have become one class, 1, and telling two classes apart is easy.
#   > 5 / 255 is 0.02, and its fraction is cut off. Only a label of 255 would come out as 1.
# - c) The labels are as before, only of another type, and the network is good.
#   > 5 / 255 is 0.02, and cutting off the fraction does not bring the 5 back.
# - d) Neighbouring labels were blended, and smooth masks are easier to learn.
#   > Each pixel is divided for itself: nothing is blended.

# %% [markdown]
# **An interviewer asks:** "Our network trains without any error, its loss goes down, and its masks on new pictures are poor. I suspect that the augmentation treats pictures and masks differently. How do you find out, without training anything?"
#
# Answer in three to five sentences. *Graded by hand, 2 points:* one for a test that shows whether picture and mask have moved apart, and how to read its outcome; one for a test of the labels after the augmentation, with a fault that it would reveal.

# %% [markdown] written="apart" points=2
# I would feed the augmentation a picture that *is* its mask, each label painted in a grey of its own, and read the labels back from the greys. Away from edges, the two must agree. If one is the other's mirror image, the random numbers are drawn twice; if they differ on one side of every edge, the mask is shifted, as by plain nearest. Then I would list the labels of a few hundred masks before and after. A class that was not in a mask before, or 254, means that labels were blended or computed with; 0 in turned corners means that the outside is taught as class 0.

# %% [markdown]
# ## Hand in
#
# Save the notebook (Ctrl+S, or ⌘S on a Mac) and follow "Submit" in the course's README. **Next:** lesson 02 takes the shrinking apart: how far one place sees, what the halvings lose, and how a decoder grows the map back.
#
# *To read on:* P. Sermanet and others, "OverFeat: Integrated recognition, localization and detection using convolutional networks" (2014); J. Long, E. Shelhamer and T. Darrell, "Fully convolutional networks for semantic segmentation" (2015); A. Kirillov and others, "Panoptic segmentation" (2019).
