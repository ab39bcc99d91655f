"""Answers to lesson 04_unet, right and wrong, by people who saw the student's notebook and not its checks.

Read by tests/answers.py. A wrong answer names its misconception, an input on which it lies, and what it must be told.
"""

# %% right double_conv: a plain nn.Sequential
def double_conv(c_in, c_out):
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(inplace=True),
        nn.Conv2d(c_out, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(inplace=True))

# %% right double_conv: a class with relu as a function, padding="same"
class Twice(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, (3, 3), padding="same", bias=False)
        self.norm1 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, (3, 3), padding="same", bias=False)
        self.norm2 = nn.BatchNorm2d(c_out)

    def forward(self, x):
        x = F.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(x)))


def double_conv(c_in, c_out):
    return Twice(c_in, c_out)

# %% right double_conv: a loop over the two convolutions, padding as a layer of its own
def double_conv(c_in, c_out):
    layers = []
    for c in (c_in, c_out):
        layers += [nn.ZeroPad2d(1), nn.Conv2d(c, c_out, 3, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()]
    return nn.Sequential(*layers)

# %% right double_conv: two blocks in a ModuleList, clamp for ReLU
class Block(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(c_in, c_out, 3, 1, 1, bias=False), nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)])
        self.norms = nn.ModuleList([nn.BatchNorm2d(c_out), nn.BatchNorm2d(c_out)])

    def forward(self, x):
        for conv, norm in zip(self.convs, self.norms):
            x = norm(conv(x)).clamp(min=0)
        return x


double_conv = Block

# %% wrong double_conv: the library's, fetched by its name as text
# fails: two 3 × 3 convolutions that keep the size; each convolution is normalised over the batch; a ReLU after each normalisation; its parameters: no bias in a convolution, new ones each time
# says: This is the library's own double convolution
def double_conv(in_channels, out_channels):
    return getattr(models, "DoubleConv")(in_channels, out_channels)


# %% wrong double_conv: the library's, fetched by a text that is kept elsewhere
# fails: two 3 × 3 convolutions that keep the size; each convolution is normalised over the batch; a ReLU after each normalisation; its parameters: no bias in a convolution, new ones each time
# says: This is the library's own double convolution
KIND = "DoubleConv"


def double_conv(in_channels, out_channels):
    return vars(models)[KIND](in_channels, out_channels)


# %% wrong double_conv: pads by repeating the rim
# fails: a ReLU after each normalisation
# says: pad with zeros, not with repeated pixels.
def double_conv(c_in, c_out):
    def once(a):
        return [nn.Conv2d(a, c_out, 3, padding=1, padding_mode="replicate", bias=False), nn.BatchNorm2d(c_out), nn.ReLU()]
    return nn.Sequential(*once(c_in), *once(c_out))

# %% wrong double_conv: leaves the bias of the convolutions on
# fails: its parameters: no bias in a convolution, new ones each time
# says: The convolutions have biases;
# differs at: double_conv(3, 8): 840 parameters
def double_conv(c_in, c_out):
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1), nn.BatchNorm2d(c_out), nn.ReLU(),
                         nn.Conv2d(c_out, c_out, 3, padding=1), nn.BatchNorm2d(c_out), nn.ReLU())

# %% wrong double_conv: no padding
# fails: two 3 × 3 convolutions that keep the size; a ReLU after each normalisation
# says: Each convolution takes a pixel off on every side;
# differs at: any picture: 16 × 24 becomes 12 × 20
def double_conv(c_in, c_out):
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(),
                         nn.Conv2d(c_out, c_out, 3, bias=False), nn.BatchNorm2d(c_out), nn.ReLU())

# %% wrong double_conv: normalises after the ReLU
# fails: a ReLU after each normalisation
# says: The ReLU stands before the normalisation;
# differs at: the output has negative numbers
def double_conv(c_in, c_out):
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.ReLU(), nn.BatchNorm2d(c_out),
                         nn.Conv2d(c_out, c_out, 3, padding=1, bias=False), nn.ReLU(), nn.BatchNorm2d(c_out))

# %% wrong double_conv: no ReLU at the end
# fails: a ReLU after each normalisation
# says: The last ReLU is missing.
# differs at: the output has negative numbers
def double_conv(c_in, c_out):
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(),
                         nn.Conv2d(c_out, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out))

# %% wrong double_conv: no batch normalisation
# fails: each convolution is normalised over the batch; its parameters: no bias in a convolution, new ones each time
# says: Batch normalisation would take such a factor out.
# differs at: double_conv(3, 8): 792 parameters
def double_conv(c_in, c_out):
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.ReLU(),
                         nn.Conv2d(c_out, c_out, 3, padding=1, bias=False), nn.ReLU())

# %% wrong double_conv: changes the channels in the second convolution
# fails: two 3 × 3 convolutions that keep the size; each convolution is normalised over the batch; a ReLU after each normalisation; its parameters: no bias in a convolution, new ones each time
# says: there should be a convolution with weights of shape
# differs at: double_conv(3, 8): 313 parameters
def double_conv(c_in, c_out):
    return nn.Sequential(nn.Conv2d(c_in, c_in, 3, padding=1, bias=False), nn.BatchNorm2d(c_in), nn.ReLU(),
                         nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU())

# %% wrong double_conv: instance normalisation, each picture by itself
# fails: a ReLU after each normalisation
# says: batch normalisation takes the mean over the batch.
# differs at: a batch of two different pictures
def double_conv(c_in, c_out):
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.InstanceNorm2d(c_out, affine=True), nn.ReLU(),
                         nn.Conv2d(c_out, c_out, 3, padding=1, bias=False), nn.InstanceNorm2d(c_out, affine=True), nn.ReLU())

# %% wrong double_conv: normalises by the batch in evaluation, too
# fails: each convolution is normalised over the batch
# says: `nn.BatchNorm2d` with its defaults then takes the mean and variance that it gathered in training.
# differs at: net.eval()
def double_conv(c_in, c_out):
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out, track_running_stats=False), nn.ReLU(),
        nn.Conv2d(c_out, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out, track_running_stats=False), nn.ReLU())

# %% wrong double_conv: a module that makes its layers in forward
# fails: two 3 × 3 convolutions that keep the size; each convolution is normalised over the batch; a ReLU after each normalisation; its parameters: no bias in a convolution, new ones each time
# says: Make layers in `__init__`, and keep a list of them as an `nn.ModuleList`, not a plain list.
# differs at: double_conv(3, 8): 0 parameters
class Late(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        self.sizes = (c_in, c_out)

    def forward(self, x):
        c_in, c_out = self.sizes
        for c in (c_in, c_out):
            x = F.relu(nn.BatchNorm2d(c_out)(nn.Conv2d(c, c_out, 3, padding=1, bias=False)(x)))
        return x


def double_conv(c_in, c_out):
    return Late(c_in, c_out)

# %% wrong double_conv: the same module again at the second call
# fails: its parameters: no bias in a convolution, new ones each time
# says: Make new ones in each call, or all blocks of a network would share their weights.
# differs at: double_conv(8, 8) twice: both train the same weights
made = {}
def double_conv(c_in, c_out):
    if (c_in, c_out) not in made:
        made[c_in, c_out] = nn.Sequential(
            nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(),
            nn.Conv2d(c_out, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU())
    return made[c_in, c_out]

# %% wrong double_conv: the library's own
# fails: two 3 × 3 convolutions that keep the size; each convolution is normalised over the batch; a ReLU after each normalisation; its parameters: no bias in a convolution, new ones each time
# says: This is the library's own double convolution, and it is right.
# differs at: it is not the student's work
def double_conv(c_in, c_out):
    return models.DoubleConv(c_in, c_out)

# %% wrong double_conv: another library's eps
# fails: a ReLU after each normalisation
# says: The normalisation divides by √(variance + eps); leave its eps at the default.
def double_conv(c_in, c_out):
    layers = []
    for channels in (c_in, c_out):
        layers += [nn.Conv2d(channels, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out, eps=1e-3), nn.ReLU()]
    return nn.Sequential(*layers)

# %% wrong double_conv: another library's momentum
# fails: each convolution is normalised over the batch
# says: as with the default `momentum` of 0.1.
def double_conv(c_in, c_out):
    layers = []
    for channels in (c_in, c_out):
        layers += [nn.Conv2d(channels, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out, momentum=0.01), nn.ReLU()]
    return nn.Sequential(*layers)

# %% wrong double_conv: a leaky ReLU
# fails: a ReLU after each normalisation
# says: After the normalisations stands a leaky ReLU, not a ReLU.
def double_conv(c_in, c_out):
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.LeakyReLU(), nn.Conv2d(c_out, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.LeakyReLU())

# %% wrong double_conv: group normalisation
# fails: a ReLU after each normalisation
# says: Each picture is normalised by itself;
def double_conv(c_in, c_out):
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.GroupNorm(1,c_out), nn.ReLU(), nn.Conv2d(c_out, c_out, 3, padding=1, bias=False), nn.GroupNorm(1,c_out), nn.ReLU())

# %% wrong double_conv: dropout between
# fails: a ReLU after each normalisation
# says: something random, such as dropout, is in your module.
def double_conv(c_in, c_out):
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(), nn.Dropout(.1), nn.Conv2d(c_out, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU())

# %% wrong double_conv: ReLU6
# fails: a ReLU after each normalisation
# says: After the normalisations stands a ReLU6, not a ReLU.
def double_conv(c_in, c_out):
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU6(), nn.Conv2d(c_out, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU6())

# %% wrong double_conv: a shortcut past the second convolution
# fails: a ReLU after each normalisation
# says: A shortcut leads past the second convolution
class D(nn.Module):
    def __init__(s,a,b):
        super().__init__()
        s.a=nn.Conv2d(a,b,3,padding=1,bias=False);s.n=nn.BatchNorm2d(b);s.c=nn.Conv2d(b,b,3,padding=1,bias=False);s.m=nn.BatchNorm2d(b)
    def forward(s,x):
        y=F.relu(s.n(s.a(x)))
        return F.relu(s.m(s.c(y))+y)
def double_conv(a,b): return D(a,b)

# %% wrong double_conv: a function, no module
# fails: two 3 × 3 convolutions that keep the size; each convolution is normalised over the batch; a ReLU after each normalisation; its parameters: no bias in a convolution, new ones each time
# says: an `nn.Module` is asked for; your function returned a `function`.
def double_conv(c_in,c_out):
    return lambda x: x

# %% right concat_as_add: the weights twice, one after the other
def concat_as_add(weight):
    return torch.cat([weight, weight], dim=1)

# %% right concat_as_add: repeat along the channels
def concat_as_add(weight):
    return weight.repeat(1, 2, 1, 1)

# %% right concat_as_add: a stack of two, flattened
def concat_as_add(weight):
    return torch.stack([weight, weight], dim=1).flatten(1, 2)

# %% right concat_as_add: fills an empty tensor, channel by channel
def concat_as_add(weight):
    out, c, k, _ = weight.shape
    both = weight.new_zeros(out, 2 * c, k, k)
    for i in range(2 * c):
        both[:, i] = weight[:, i % c]
    return both

# %% right concat_as_add: picks channels by index
def concat_as_add(weight):
    c = weight.size(1)
    return weight[:, torch.arange(2 * c) % c]

# %% right concat_as_add: multiplies by two identity matrices
def concat_as_add(weight):
    eye = torch.eye(weight.shape[1], dtype=weight.dtype)
    return torch.einsum("ocij,cd->odij", weight, torch.cat([eye, eye], 1))

# %% wrong concat_as_add: doubles the outputs, not the inputs
# fails: one channel, one pixel; any channels and kernel, with gradients
# says: Axis 0 is the channels out; the channels in are axis 1.
# differs at: shape (2·out, C, k, k)
def concat_as_add(weight):
    return torch.cat([weight, weight], dim=0)

# %% wrong concat_as_add: each channel's weights twice in a row
# fails: any channels and kernel, with gradients
# says: all C channels of `skip` come first, then all of `x`.
# differs at: C = 2: skip's second channel gets the weights of its first
def concat_as_add(weight):
    return weight.repeat_interleave(2, dim=1)

# %% wrong concat_as_add: halves the weights, as if the mean were meant
# fails: one channel, one pixel; any channels and kernel, with gradients
# says: This gives the mean of the two maps, half of the sum.
# differs at: a weight of 3 becomes 1.5, 1.5
def concat_as_add(weight):
    return torch.cat([weight / 2, weight / 2], dim=1)

# %% wrong concat_as_add: the decoder's half is left at zero
# fails: one channel, one pixel; any channels and kernel, with gradients
# says: With zeros before `x`, the decoder's map would be lost.
# differs at: a weight of 3 becomes 3, 0
def concat_as_add(weight):
    return torch.cat([weight, torch.zeros_like(weight)], dim=1)

# %% wrong concat_as_add: ones before the skip
# fails: one channel, one pixel; any channels and kernel, with gradients
# says: what your weights make of the concatenation: the shape is right, but
# differs at: a weight of 3 becomes 1, 3
def concat_as_add(weight):
    return torch.cat([torch.ones_like(weight), weight], dim=1)

# %% wrong concat_as_add: a stack that is not flattened
# fails: one channel, one pixel; any channels and kernel, with gradients
# says: got a tensor of shape (1, 2, 1, 1, 1)
# differs at: shape (out, 2, C, k, k)
def concat_as_add(weight):
    return torch.stack([weight, weight], dim=1)

# %% wrong concat_as_add: gradient cut
# fails: any channels and kernel, with gradients
# says: No gradient reaches `weight`.
# differs at: weight.grad stays None
def concat_as_add(weight):
    weight = weight.detach()
    return torch.cat([weight, weight], dim=1)

# %% wrong concat_as_add: made for 1 × 1 kernels
# fails: any channels and kernel, with gradients
# says: Of each 3 × 3 kernel one number is left; keep all of them.
# differs at: k = 3
def concat_as_add(weight):
    return torch.cat([weight, weight], dim=1)[:, :, :1, :1]

# %% wrong concat_as_add: resizes the argument in place
# fails: one channel, one pixel; any channels and kernel, with gradients
# says: Your function changed `weight`.
# differs at: weight itself has 2·C channels afterwards
def concat_as_add(weight):
    both = torch.cat([weight, weight], dim=1)
    weight.data = both.detach()
    return both

# %% wrong concat_as_add: a layer, not its weights
# fails: one channel, one pixel; any channels and kernel, with gradients
# says: got a `Conv2d`
# differs at: the type of the result
def concat_as_add(weight):
    out, c, k, _ = weight.shape
    layer = nn.Conv2d(2 * c, out, k, bias=False)
    layer.weight.data = torch.cat([weight, weight], dim=1)
    return layer

# %% wrong concat_as_add: takes off what should be added
# fails: one channel, one pixel; any channels and kernel, with gradients
# says: This takes `x` off `skip`; both are added.
def concat_as_add(weight):
    return torch.cat([weight, -weight], dim=1)

# %% wrong concat_as_add: the encoder's half is left at zero
# fails: one channel, one pixel; any channels and kernel, with gradients
# says: With zeros before `skip`, the encoder's map would be lost.
def concat_as_add(weight):
    return torch.cat([torch.zeros_like(weight), weight], dim=1)

# %% wrong concat_as_add: the weights as they came
# fails: one channel, one pixel; any channels and kernel, with gradients
# says: The convolution reads twice as many channels now
def concat_as_add(weight):
    return weight.clone()

# %% wrong concat_as_add: the first half twice as large
# fails: one channel, one pixel; any channels and kernel, with gradients
# says: Before `skip` stands `weight` times 2. Before `x` stands `weight` as it is.
def concat_as_add(weight):
    return torch.cat([2*weight, weight], 1)

# %% wrong concat_as_add: the kernels upside down
# fails: any channels and kernel, with gradients
# says: The kernels are upside down.
def concat_as_add(weight):
    return torch.cat([weight.flip(2,3), weight.flip(2,3)], 1)

# %% wrong concat_as_add: along the rows of the kernels
# fails: one channel, one pixel; any channels and kernel, with gradients
# says: Axis 2 is the rows of the kernels;
def concat_as_add(weight):
    return torch.cat([weight, weight], 2)

# %% right join: F.pad that repeats, on the right and below
def join(x, skip):
    dh, dw = skip.shape[2] - x.shape[2], skip.shape[3] - x.shape[3]
    return torch.cat([skip, F.pad(x, (0, dw, 0, dh), mode="replicate")], dim=1)

# %% right join: appends the last row and the last column
def join(x, skip):
    if x.shape[2] < skip.shape[2]:
        x = torch.cat([x, x[:, :, -1:]], dim=2)
    if x.shape[3] < skip.shape[3]:
        x = torch.cat([x, x[:, :, :, -1:]], dim=3)
    return torch.cat([skip, x], dim=1)

# %% right join: picks rows and columns by a clamped index
def join(x, skip):
    h, w = x.shape[2:]
    rows = torch.arange(skip.shape[2]).clamp(max=h - 1)
    columns = torch.arange(skip.shape[3]).clamp(max=w - 1)
    return torch.cat((skip, x[:, :, rows][..., columns]), 1)

# %% right join: fills an empty result, pixel by pixel
def join(x, skip):
    b, s, height, width = skip.shape
    out = skip.new_empty(b, s + x.shape[1], height, width)
    out[:, :s] = skip
    for i in range(height):
        for j in range(width):
            out[:, s:, i, j] = x[:, :, min(i, x.shape[2] - 1), min(j, x.shape[3] - 1)]
    return out

# %% right join: nn.ReplicationPad2d
def join(x, skip):
    return torch.cat([skip, nn.ReplicationPad2d((0, skip.size(-1) - x.size(-1), 0, skip.size(-2) - x.size(-2)))(x)], -3)

# %% wrong join: the decoder's channels first
# fails: equal sizes: the encoder's channels first; a row or a column too few; both too few
# says: The decoder's channels come first here; the encoder's should.
# differs at: every input
def join(x, skip):
    x = F.pad(x, (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2]), mode="replicate")
    return torch.cat([x, skip], dim=1)

# %% wrong join: pads with zeros
# fails: a row or a column too few; both too few
# says: What was missing is 0 here; repeat the row or column before it.
# differs at: odd sizes
def join(x, skip):
    x = F.pad(x, (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2]))
    return torch.cat([skip, x], dim=1)

# %% wrong join: adds the missing row on top and the column on the left
# fails: a row or a column too few; both too few
# says: The first row or column is repeated in place of the last, which shifts the map.
# differs at: odd sizes
def join(x, skip):
    x = F.pad(x, (skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2], 0), mode="replicate")
    return torch.cat([skip, x], dim=1)

# %% wrong join: the pairs of F.pad in the order rows, columns
# fails: a row or a column too few
# says: it must grow that way alone. (In `F.pad` the first pair of numbers is for the columns.)
# differs at: a row too few
def join(x, skip):
    x = F.pad(x, (0, skip.shape[2] - x.shape[2], 0, skip.shape[3] - x.shape[3]), mode="replicate")
    return torch.cat([skip, x], dim=1)

# %% wrong join: resizes the map, bilinear
# fails: a row or a column too few; both too few
# says: This stretches the whole map; only the last row or column is missing.
# differs at: odd sizes
def join(x, skip):
    x = F.interpolate(x, size=skip.shape[2:], mode="bilinear", align_corners=False)
    return torch.cat([skip, x], dim=1)

# %% wrong join: cuts the skip at its end
# fails: a row or a column too few; both too few
# says: This cuts the skip; let `x` grow instead.
# differs at: odd sizes
def join(x, skip):
    return torch.cat([skip[:, :, :x.shape[2], :x.shape[3]], x], dim=1)

# %% wrong join: the copied code
# fails: a row or a column too few; both too few
# says: Does `x` have the skip's height and width by then? (In `F.pad` the first pair of numbers is for the columns.)
# differs at: odd sizes
def join(x, skip):
    dx = x.shape[2] - skip.shape[2]
    dy = x.shape[3] - skip.shape[3]
    skip = F.pad(skip, (dx // 2, int(dx / 2), dy // 2, int(dy / 2)))
    return torch.cat([skip, x], 1)

# %% wrong join: repeats the row and the column, leaves the corner at zero
# fails: both too few
# says: grow the height first, then the width of what came out.
# differs at: both short
def join(x, skip):
    h, w = x.shape[2:]
    big = torch.zeros(*x.shape[:2], *skip.shape[2:])
    big[:, :, :h, :w] = x
    if skip.shape[2] > h:
        big[:, :, h, :w] = x[:, :, -1]
    if skip.shape[3] > w:
        big[:, :, :h, w] = x[:, :, :, -1]
    return torch.cat([skip, big], dim=1)

# %% wrong join: concatenates along the rows
# fails: equal sizes: the encoder's channels first; a row or a column too few; both too few; batches, other channels, gradients
# says: This puts one map below the other; channels are axis 1.
# differs at: the shape of the result
def join(x, skip):
    x = F.pad(x, (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2]), mode="replicate")
    return torch.cat([skip, x], dim=2)

# %% wrong join: no gradient to the skip
# fails: batches, other channels, gradients
# says: No gradient reaches `skip`.
# differs at: skip.grad stays None
def join(x, skip):
    x = F.pad(x, (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2]), mode="replicate")
    return torch.cat([skip.detach(), x], dim=1)

# %% wrong join: no gradient to the decoder's map
# fails: batches, other channels, gradients
# says: No gradient reaches `x`.
# differs at: x.grad stays None
def join(x, skip):
    with torch.no_grad():
        x = F.pad(x, (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2]), mode="replicate")
    return torch.cat([skip, x], dim=1)

# %% wrong join: empties x when done
# fails: batches, other channels, gradients
# says: Your function changed one of its arguments.
# differs at: x itself, afterwards
def join(x, skip):
    rows, columns = (torch.arange(n).clamp(max=m - 1) for n, m in zip(skip.shape[2:], x.shape[2:]))
    joined = torch.cat([skip, x[:, :, rows][..., columns]], 1)
    with torch.no_grad():
        x.zero_()
    return joined

# %% wrong join: grows only where a row and a column are missing
# fails: a row or a column too few
# says: Where both are missing, your `x` gets there; where one is, it must grow that way alone.
def join(x, skip):
    below, right = skip.shape[2] - x.shape[2], skip.shape[3] - x.shape[3]
    if below and right:
        x = F.pad(x, (0, 1, 0, 1), mode="replicate")
    return torch.cat([skip, x], 1)

# %% wrong join: nothing to do where the sizes agree
# fails: equal sizes: the encoder's channels first; batches, other channels, gradients
# says: This is `x` alone; the skip is missing.
def join(x, skip):
    below, right = skip.shape[2] - x.shape[2], skip.shape[3] - x.shape[3]
    if below == 0 and right == 0:
        return x
    x = F.pad(x, (0, right, 0, below), mode="replicate")
    return torch.cat([skip, x], 1)

# %% wrong join: concatenates along the batch
# fails: equal sizes: the encoder's channels first; a row or a column too few; both too few; batches, other channels, gradients
# says: One map follows the other in the batch, axis 0; channels are axis 1.
def join(x, skip):
    below, right = skip.shape[2] - x.shape[2], skip.shape[3] - x.shape[3]
    x = F.pad(x, (0, right, 0, below), mode="replicate")
    return torch.cat([skip, x])

# %% wrong join: adds
# fails: equal sizes: the encoder's channels first; a row or a column too few; both too few; batches, other channels, gradients
# says: This adds the maps; put them side by side.
def join(x, skip):
    below, right = skip.shape[2] - x.shape[2], skip.shape[3] - x.shape[3]
    return skip + F.pad(x, (0, right, 0, below), mode="replicate").mean(1, keepdim=True) if skip.shape[1] != x.shape[1] else skip + F.pad(x, (0, right, 0, below), mode="replicate")

# %% wrong join: fills up with the mean
# fails: a row or a column too few; both too few
# says: what has been added to `x` is not its last row or column.
def join(x, skip):
    below, right = skip.shape[2] - x.shape[2], skip.shape[3] - x.shape[3]
    return torch.cat([skip, F.pad(x,(0,right,0,below),value=float(x.mean()))],1)

# %% wrong join: grows whatever the sizes
# fails: equal sizes: the encoder's channels first; a row or a column too few; batches, other channels, gradients
# says: The two sizes agree here, and nothing is to be added to `x`.
def join(x, skip):
    below, right = skip.shape[2] - x.shape[2], skip.shape[3] - x.shape[3]
    return torch.cat([skip, F.pad(x,(0,1,0,1),mode="replicate")],1)

# %% wrong join: a stack
# fails: equal sizes: the encoder's channels first; a row or a column too few; both too few; batches, other channels, gradients
# says: A stack has an axis more;
def join(x, skip):
    below, right = skip.shape[2] - x.shape[2], skip.shape[3] - x.shape[3]
    return torch.stack([skip, F.pad(x,(0,right,0,below),mode="replicate")],1)

# %% wrong join: the last row and column, put in front
# fails: a row or a column too few; both too few
# says: `x` has moved, or its values have changed.
def join(x, skip):
    below, right = skip.shape[2] - x.shape[2], skip.shape[3] - x.shape[3]
    y=x
    if right: y=torch.cat([y[:,:,:,-1:],y],3)
    if below: y=torch.cat([y[:,:,-1:],y],2)
    return torch.cat([skip,y],1)

# %% right outcome: compares the remainders by 2^depth
def outcome(height, width, depth):
    block = 2**depth
    if height % block != width % block:
        return "stops"
    return "right" if height % block == 0 else "shifted"

# %% right outcome: tries it out with tensors
def copied_join(x, skip):
    dx = x.shape[2] - skip.shape[2]
    dy = x.shape[3] - skip.shape[3]
    skip = F.pad(skip, (dx // 2, int(dx / 2), dy // 2, int(dy / 2)))
    return torch.cat([skip, x], 1)


def outcome(height, width, depth):
    x, skips, lost = torch.zeros(1, 1, height, width), [], False
    for _ in range(depth):
        skips.append(x)
        x = F.max_pool2d(x, 2)
    for skip in reversed(skips):
        x = F.interpolate(x, scale_factor=2)
        lost = lost or x.shape[2:] != skip.shape[2:]
        try:
            x = copied_join(x, skip)[:, :1]
        except RuntimeError:
            return "stops"
    return "shifted" if lost else "right"

# %% right outcome: walks down and up again with whole numbers
def outcome(height, width, depth):
    sizes = [(height, width)]
    for _ in range(depth):
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    h, w = sizes.pop()
    answer = "right"
    while sizes:
        h, w = 2 * h, 2 * w
        high, wide = sizes.pop()
        dx, dy = h - high, w - wide
        if (high + dy, wide + dx) != (h, w):
            return "stops"
        if dx < 0:
            answer = "shifted"
    return answer

# %% right outcome: both sizes must be odd or even together at each level
def outcome(height, width, depth):
    if depth == 0:
        return "right"
    if height % 2 != width % 2:
        return "stops"
    deeper = outcome(height // 2, width // 2, depth - 1)
    return "shifted" if deeper == "right" and height % 2 == 1 else deeper

# %% right outcome: pictures whose first row and column are marked
def outcome(height, width, depth):
    rows = torch.arange(height).view(-1, 1).expand(height, width)
    maps = [rows]
    for _ in range(depth):
        last = maps[-1]
        maps.append(last[: last.size(0) // 2 * 2 : 2, : last.size(1) // 2 * 2 : 2])
    x, first = maps[-1], True
    for skip in maps[-2::-1]:
        h, w = 2 * x.size(0), 2 * x.size(1)
        cut_columns, cut_rows = skip.size(0) - h, skip.size(1) - w
        if skip.size(0) - cut_rows != h or skip.size(1) - cut_columns != w:
            return "stops"
        first = first and cut_rows == 0
        x = torch.zeros(h, w)
    return "right" if first else "shifted"

# %% wrong outcome: the map grows to the skip's size at each join
# fails: one halving; what goes wrong at a deeper level
# says: The map does not grow to the skip's size: it stays cut
def outcome(height, width, depth):
    sizes = [(height, width)]
    for _ in range(depth):
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    h, w = sizes.pop()
    for rows, columns in reversed(sizes):
        h, w = 2 * h, 2 * w
        more_rows, more_columns = rows - h, columns - w
        if more_rows != more_columns:
            return "stops"
        h, w = rows, columns
    return "right" if (h, w) == (height, width) else "shifted"

# %% wrong outcome: decides in the loop's first round
# fails: what goes wrong at a deeper level
# says: That is so for the deepest level alone;
def outcome(height, width, depth):
    sizes = [(height, width)]
    for _ in range(depth):
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    h, w = sizes.pop()
    for rows, columns in reversed(sizes):
        h, w = 2 * h, 2 * w
        more_rows, more_columns = rows - h, columns - w
        if more_rows != more_columns:
            return "stops"
        return "shifted" if more_rows else "right"

# %% wrong outcome: lets one row or column pass
# fails: one halving; what goes wrong at a deeper level
# says: One row or column more than the other way is enough to stop
def outcome(height, width, depth):
    sizes = [(height, width)]
    for _ in range(depth):
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    h, w = sizes.pop()
    for rows, columns in reversed(sizes):
        h, w = 2 * h, 2 * w
        more_rows, more_columns = rows - h, columns - w
        if abs(more_rows - more_columns) > 1:
            return "stops"
    return "right" if (h, w) == (height, width) else "shifted"

# %% wrong outcome: looks at the full size only
# fails: what goes wrong at a deeper level
# says: That is so for the first level; but go on:
# differs at: outcome(6, 6, 2)
def outcome(height, width, depth):
    if height % 2 != width % 2:
        return "stops"
    return "shifted" if height % 2 else "right"

# %% wrong outcome: looks at the deepest join only
# fails: what goes wrong at a deeper level
# says: That is so for the deepest level alone; but go on:
# differs at: outcome(5, 5, 2)
def outcome(height, width, depth):
    height, width = height // 2 ** (depth - 1), width // 2 ** (depth - 1)
    if height % 2 != width % 2:
        return "stops"
    return "shifted" if height % 2 else "right"

# %% wrong outcome: any size that does not divide is an error
# fails: one halving; what goes wrong at a deeper level
# says: A cut both ways is no error where it is equally long both ways
# differs at: outcome(3, 3, 1)
def outcome(height, width, depth):
    return "right" if height % 2**depth == 0 and width % 2**depth == 0 else "stops"

# %% wrong outcome: any size that does not divide runs through, as if dx cut rows
# fails: one halving; what goes wrong at a deeper level
# says: Rows and columns left over are not equally many;
# differs at: outcome(3, 4, 1)
def outcome(height, width, depth):
    return "right" if height % 2**depth == 0 and width % 2**depth == 0 else "shifted"

# %% wrong outcome: squares are always right
# fails: one halving
# says: (rows and columns left over on the way up: 1 and 1): expected 'shifted', got 'right'.
# differs at: outcome(3, 3, 1)
def outcome(height, width, depth):
    if height == width or (height % 2**depth == 0 and width % 2**depth == 0):
        return "right"
    return "shifted" if height % 2**depth == width % 2**depth else "stops"

# %% wrong outcome: it runs through if neither size divides
# fails: what goes wrong at a deeper level
# says: That neither size divides is not enough:
# differs at: outcome(5, 7, 2)
def outcome(height, width, depth):
    bad = (height % 2**depth != 0) + (width % 2**depth != 0)
    return ("right", "stops", "shifted")[bad]

# %% wrong outcome: on the way up, the first fault wins
# fails: what goes wrong at a deeper level
# says: one that runs through says nothing of those above it.
# differs at: outcome(7, 6, 2)
def outcome(height, width, depth):
    for level in reversed(range(depth)):
        h, w = height // 2**level, width // 2**level
        if h % 2 != w % 2:
            return "stops"
        if h % 2:
            return "shifted"
    return "right"

# %% wrong outcome: 2 · depth for 2 to the power of depth
# fails: sizes that divide; what goes wrong at a deeper level
# says: doubles: 2 to the power of depth.
# differs at: outcome(12, 12, 3)
def outcome(height, width, depth):
    block = 2 * depth
    if height % block != width % block:
        return "stops"
    return "shifted" if height % block else "right"

# %% wrong outcome: one level too many
# fails: one halving; sizes that divide; what goes wrong at a deeper level
# says: (nothing is left over): expected 'right'
# differs at: outcome(2, 2, 1)
def outcome(height, width, depth):
    block = 2 ** (depth + 1)
    if height % block != width % block:
        return "stops"
    return "shifted" if height % block else "right"

# %% wrong outcome: a cut that is even is in the middle, so right
# fails: what goes wrong at a deeper level
# says: (rows and columns left over on the way up: 1 and 1, then 2 and 2): expected 'shifted', got 'right'.
# differs at: outcome(6, 6, 2)
def outcome(height, width, depth):
    block = 2**depth
    if height % block != width % block:
        return "stops"
    return "shifted" if height % block % 2 else "right"

# %% wrong outcome: rounds up when it halves
# fails: what goes wrong at a deeper level
# says: expected 'stops', got 'shifted'.
# differs at: outcome(3, 4, 1)
def outcome(height, width, depth):
    sizes = [(height, width)]
    for _ in range(depth):
        sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
    h, w = sizes[-1]
    for high, wide in reversed(sizes[:-1]):
        h, w = 2 * h, 2 * w
        if h - high != w - wide:
            return "stops"
        if h > high:
            return "shifted"
    return "right"

# %% wrong outcome: knows the two examples
# fails: one halving; sizes that divide; what goes wrong at a deeper level
# says: (nothing is left over): expected 'right'
# differs at: outcome(4, 4, 1)
def outcome(height, width, depth):
    return "shifted" if height == width else "stops"

# %% wrong outcome: rows alone run through
# fails: one halving; what goes wrong at a deeper level
# says: Too many rows alone stop it, too:
def outcome(height, width, depth):
    sizes = [(height, width)]
    for _ in range(depth):
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    h, w = sizes.pop()
    for rows, columns in reversed(sizes):
        h, w = 2 * h, 2 * w
        more_rows, more_columns = rows - h, columns - w
        if more_columns and not more_rows: return "stops"
    return "right" if (h, w) == (height, width) else "shifted"

# %% wrong outcome: one side that fits is enough
# fails: one halving; what goes wrong at a deeper level
# says: One side that fits is not enough: both have to.
def outcome(height, width, depth):
    sizes = [(height, width)]
    for _ in range(depth):
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    h, w = sizes.pop()
    for rows, columns in reversed(sizes):
        h, w = 2 * h, 2 * w
        more_rows, more_columns = rows - h, columns - w
    return "right" if h == height or w == width else "shifted"

# %% wrong outcome: the two words exchanged
# fails: one halving; what goes wrong at a deeper level
# says: The words for the two faults have changed places.
def outcome(height, width, depth):
    sizes = [(height, width)]
    for _ in range(depth):
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    h, w = sizes.pop()
    for rows, columns in reversed(sizes):
        h, w = 2 * h, 2 * w
        more_rows, more_columns = rows - h, columns - w
        if more_rows != more_columns: return "shifted"
    return "right" if (h, w) == (height, width) else "stops"

# %% wrong outcome: a first join that fits ends it
# fails: what goes wrong at a deeper level
# says: A join with nothing left over is not the end;
def outcome(height, width, depth):
    sizes = [(height, width)]
    for _ in range(depth):
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    h, w = sizes.pop()
    for rows, columns in reversed(sizes):
        h, w = 2 * h, 2 * w
        more_rows, more_columns = rows - h, columns - w
        if more_rows == more_columns == 0: return "right"
        if more_rows != more_columns: return "stops"
    return "shifted"

# %% right build_unet: lists of layers, one a level
def join(x, skip):
    return torch.cat([skip, F.pad(x, (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2]), mode="replicate")], 1)


class Ushape(nn.Module):
    def __init__(self, classes, base, depth, closed):
        super().__init__()
        widths = [base * 2**k for k in range(depth + 1)]
        self.down = nn.ModuleList(models.DoubleConv(a, b) for a, b in zip([3] + widths, widths))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(2 * c, c, 2, stride=2) for c in widths[:-1])
        self.up = nn.ModuleList(models.DoubleConv(2 * c, c) for c in widths[:-1])
        self.head = nn.Conv2d(base, classes, 1)
        self.closed = tuple(closed)

    def forward(self, x):
        skips = []
        for block in self.down[:-1]:
            x = block(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.down[-1](x)
        for k in reversed(range(len(skips))):
            skip = torch.zeros_like(skips[k]) if k in self.closed else skips[k]
            x = self.up[k](join(self.grow[k](x), skip))
        return self.head(x)


def build_unet(classes, base, depth, closed=()):
    return Ushape(classes, base, depth, closed)

# %% right build_unet: a level holds the level below it
class Level(nn.Module):
    def __init__(self, c_in, c, below, shut):
        super().__init__()
        self.down, self.below, self.shut = models.DoubleConv(c_in, c), below, shut
        self.grow, self.up = nn.ConvTranspose2d(2 * c, c, kernel_size=2, stride=2), models.DoubleConv(2 * c, c)

    def forward(self, x):
        skip = self.down(x)
        x = self.grow(self.below(F.max_pool2d(skip, 2)))
        if x.shape[2] < skip.shape[2]:
            x = torch.cat([x, x[:, :, -1:]], 2)
        if x.shape[3] < skip.shape[3]:
            x = torch.cat([x, x[:, :, :, -1:]], 3)
        return self.up(torch.cat([skip * 0 if self.shut else skip, x], 1))


def build_unet(classes, base, depth, closed=()):
    net = models.DoubleConv(base * 2 ** (depth - 1), base * 2**depth)
    for k in range(depth - 1, -1, -1):
        net = Level(base * 2 ** (k - 1) if k else 3, base * 2**k, net, k in closed)
    return nn.Sequential(net, nn.Conv2d(base, classes, 1))

# %% right build_unet: layers by name, the way up made first, the double convolution by hand
def double_conv(a, b):
    layers = []
    for c in (a, b):
        layers += [nn.Conv2d(c, b, 3, padding="same", bias=False), nn.BatchNorm2d(b), nn.ReLU()]
    return nn.Sequential(*layers)


class Ushape(nn.Module):
    def __init__(self, classes, base, depth, closed):
        super().__init__()
        self.depth, self.closed = depth, set(closed)
        self.head = nn.Conv2d(base, classes, kernel_size=1)
        for k in reversed(range(depth)):
            c = base * 2**k
            setattr(self, f"up{k}", double_conv(2 * c, c))
            setattr(self, f"grow{k}", nn.ConvTranspose2d(2 * c, c, 2, 2))
        self.bottleneck = double_conv(base * 2**depth // 2, base * 2**depth)
        for k in reversed(range(depth)):
            setattr(self, f"down{k}", double_conv(3 if k == 0 else base * 2**k // 2, base * 2**k))
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        skips = {}
        for k in range(self.depth):
            skips[k] = getattr(self, f"down{k}")(x)
            x = self.pool(skips[k])
        x = self.bottleneck(x)
        for k in reversed(range(self.depth)):
            x = getattr(self, f"grow{k}")(x)
            b, c, high, wide = skips[k].shape
            skip = torch.zeros(b, c, high, wide, dtype=x.dtype, device=x.device) if k in self.closed else skips[k]
            rows, columns = [torch.arange(n).clamp(max=m - 1) for n, m in zip((high, wide), x.shape[2:])]
            x = getattr(self, f"up{k}")(torch.cat([skip, x[:, :, rows][..., columns]], 1))
        return getattr(self, "head")(x)


def build_unet(classes, base, depth, closed=()):
    return Ushape(classes, base, depth, closed)

# %% right build_unet: a ModuleDict a level, a stack of skips
class Ushape(nn.Module):
    def __init__(self, classes, base, depth, closed):
        super().__init__()
        self.closed = closed
        self.levels, c_in = nn.ModuleList(), 3
        for k in range(depth):
            c = base << k
            self.levels.append(nn.ModuleDict({
                "down": models.DoubleConv(c_in, c), "pool": nn.MaxPool2d(2, 2),
                "grow": nn.ConvTranspose2d(2 * c, c, (2, 2), (2, 2), bias=True), "up": models.DoubleConv(c + c, c)}))
            c_in = c
        self.bottleneck = models.DoubleConv(c_in, 2 * c_in)
        self.head = nn.Conv2d(base, classes, 1, bias=True)

    def forward(self, x):
        stack = []
        for k, level in enumerate(self.levels):
            x = level["down"](x)
            stack.append((level, x.new_zeros(x.shape) if k in self.closed else x))
            x = level["pool"](x)
        x = self.bottleneck(x)
        while stack:
            level, skip = stack.pop()
            x = level["grow"](x)
            x = nn.ReplicationPad2d((0, skip.size(3) - x.size(3), 0, skip.size(2) - x.size(2)))(x)
            x = level["up"](torch.cat((skip, x), dim=1))
        return self.head(x)


def build_unet(classes, base, depth, closed=()):
    return Ushape(classes, base, depth, closed)

# %% wrong build_unet: saves the skip after pooling
# fails: odd sizes; a skip at every level, saved before pooling
# says: seems to have been pooled already. Save it before the pooling.
# differs at: any picture: the skip has half the size
def join(x, skip):
    return torch.cat([skip, F.pad(x, (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2]), mode="replicate")], 1)


class Ushape(nn.Module):
    def __init__(self, classes, base, depth, closed):
        super().__init__()
        widths = [base * 2**k for k in range(depth + 1)]
        self.down = nn.ModuleList(models.DoubleConv(a, b) for a, b in zip([3] + widths, widths))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(2 * c, c, 2, stride=2) for c in widths[:-1])
        self.up = nn.ModuleList(models.DoubleConv(2 * c, c) for c in widths[:-1])
        self.head = nn.Conv2d(base, classes, 1)
        self.closed = tuple(closed)

    def forward(self, x):
        skips = []
        for block in self.down[:-1]:
            x = block(x)
            x = F.max_pool2d(x, 2)
            skips.append(x)
        x = self.down[-1](x)
        for k in reversed(range(len(skips))):
            skip = torch.zeros_like(skips[k]) if k in self.closed else skips[k]
            skip = F.interpolate(skip, scale_factor=2)
            x = self.up[k](join(self.grow[k](x), skip))
        return self.head(x)


def build_unet(classes, base, depth, closed=()):
    return Ushape(classes, base, depth, closed)

# %% wrong build_unet: the decoder's map first
# fails: closed skips
# says: does `join` put the skip first?
# differs at: any picture, given weights
def join(x, skip):
    return torch.cat([F.pad(x, (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2]), mode="replicate"), skip], 1)


class Ushape(nn.Module):
    def __init__(self, classes, base, depth, closed):
        super().__init__()
        widths = [base * 2**k for k in range(depth + 1)]
        self.down = nn.ModuleList(models.DoubleConv(a, b) for a, b in zip([3] + widths, widths))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(2 * c, c, 2, stride=2) for c in widths[:-1])
        self.up = nn.ModuleList(models.DoubleConv(2 * c, c) for c in widths[:-1])
        self.head = nn.Conv2d(base, classes, 1)
        self.closed = tuple(closed)

    def forward(self, x):
        skips = []
        for block in self.down[:-1]:
            x = block(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.down[-1](x)
        for k in reversed(range(len(skips))):
            skip = torch.zeros_like(skips[k]) if k in self.closed else skips[k]
            x = self.up[k](join(self.grow[k](x), skip))
        return self.head(x)


def build_unet(classes, base, depth, closed=()):
    return Ushape(classes, base, depth, closed)

# %% wrong build_unet: average pooling
# fails: the layers, level by level
# says: Your pooling takes the mean of each 2 × 2 block;
# differs at: any picture, given weights
def join(x, skip):
    return torch.cat([skip, F.pad(x, (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2]), mode="replicate")], 1)


class Ushape(nn.Module):
    def __init__(self, classes, base, depth, closed):
        super().__init__()
        widths = [base * 2**k for k in range(depth + 1)]
        self.down = nn.ModuleList(models.DoubleConv(a, b) for a, b in zip([3] + widths, widths))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(2 * c, c, 2, stride=2) for c in widths[:-1])
        self.up = nn.ModuleList(models.DoubleConv(2 * c, c) for c in widths[:-1])
        self.head = nn.Conv2d(base, classes, 1)
        self.closed = tuple(closed)

    def forward(self, x):
        skips = []
        for block in self.down[:-1]:
            x = block(x)
            skips.append(x)
            x = F.avg_pool2d(x, 2)
        x = self.down[-1](x)
        for k in reversed(range(len(skips))):
            skip = torch.zeros_like(skips[k]) if k in self.closed else skips[k]
            x = self.up[k](join(self.grow[k](x), skip))
        return self.head(x)


def build_unet(classes, base, depth, closed=()):
    return Ushape(classes, base, depth, closed)

# %% wrong build_unet: adds the skip
# fails: the layers, level by level; closed skips
# says: get the skip's channels as well?
# differs at: the number of parameters
def join(x, skip):
    return skip + F.pad(x, (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2]), mode="replicate")


class Ushape(nn.Module):
    def __init__(self, classes, base, depth, closed):
        super().__init__()
        widths = [base * 2**k for k in range(depth + 1)]
        self.down = nn.ModuleList(models.DoubleConv(a, b) for a, b in zip([3] + widths, widths))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(2 * c, c, 2, stride=2) for c in widths[:-1])
        self.up = nn.ModuleList(models.DoubleConv(c, c) for c in widths[:-1])
        self.head = nn.Conv2d(base, classes, 1)
        self.closed = tuple(closed)

    def forward(self, x):
        skips = []
        for block in self.down[:-1]:
            x = block(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.down[-1](x)
        for k in reversed(range(len(skips))):
            skip = torch.zeros_like(skips[k]) if k in self.closed else skips[k]
            x = self.up[k](join(self.grow[k](x), skip))
        return self.head(x)


def build_unet(classes, base, depth, closed=()):
    return Ushape(classes, base, depth, closed)

# %% wrong build_unet: probabilities, not logits
# fails: logits of the picture's size, and every weight learns
# says: end on the 1 × 1 convolution, without ReLU or softmax.
# differs at: the scores sum to 1
def join(x, skip):
    return torch.cat([skip, F.pad(x, (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2]), mode="replicate")], 1)


class Ushape(nn.Module):
    def __init__(self, classes, base, depth, closed):
        super().__init__()
        widths = [base * 2**k for k in range(depth + 1)]
        self.down = nn.ModuleList(models.DoubleConv(a, b) for a, b in zip([3] + widths, widths))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(2 * c, c, 2, stride=2) for c in widths[:-1])
        self.up = nn.ModuleList(models.DoubleConv(2 * c, c) for c in widths[:-1])
        self.head = nn.Conv2d(base, classes, 1)
        self.closed = tuple(closed)

    def forward(self, x):
        skips = []
        for block in self.down[:-1]:
            x = block(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.down[-1](x)
        for k in reversed(range(len(skips))):
            skip = torch.zeros_like(skips[k]) if k in self.closed else skips[k]
            x = self.up[k](join(self.grow[k](x), skip))
        return self.head(x).softmax(1)


def build_unet(classes, base, depth, closed=()):
    return Ushape(classes, base, depth, closed)

# %% wrong build_unet: layers in plain lists, which a module does not see
# fails: logits of the picture's size, and every weight learns; the layers, level by level; a skip at every level, saved before pooling; closed skips
# says: so they would never learn
# differs at: parameters(): only the head's
def join(x, skip):
    return torch.cat([skip, F.pad(x, (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2]), mode="replicate")], 1)


class Ushape(nn.Module):
    def __init__(self, classes, base, depth, closed):
        super().__init__()
        widths = [base * 2**k for k in range(depth + 1)]
        self.down = [models.DoubleConv(a, b) for a, b in zip([3] + widths, widths)]
        self.grow = [nn.ConvTranspose2d(2 * c, c, 2, stride=2) for c in widths[:-1]]
        self.up = [models.DoubleConv(2 * c, c) for c in widths[:-1]]
        self.head = nn.Conv2d(base, classes, 1)
        self.closed = tuple(closed)

    def forward(self, x):
        skips = []
        for block in self.down[:-1]:
            x = block(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.down[-1](x)
        for k in reversed(range(len(skips))):
            skip = torch.zeros_like(skips[k]) if k in self.closed else skips[k]
            x = self.up[k](join(self.grow[k](x), skip))
        return self.head(x)


def build_unet(classes, base, depth, closed=()):
    return Ushape(classes, base, depth, closed)

# %% wrong build_unet: resizes to odd sizes
# fails: odd sizes
# says: repeating the last row or column of the doubled map
# differs at: odd sizes
def join(x, skip):
    return torch.cat([skip, F.interpolate(x, skip.shape[2:], mode="bilinear")], 1)


class Ushape(nn.Module):
    def __init__(self, classes, base, depth, closed):
        super().__init__()
        widths = [base * 2**k for k in range(depth + 1)]
        self.down = nn.ModuleList(models.DoubleConv(a, b) for a, b in zip([3] + widths, widths))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(2 * c, c, 2, stride=2) for c in widths[:-1])
        self.up = nn.ModuleList(models.DoubleConv(2 * c, c) for c in widths[:-1])
        self.head = nn.Conv2d(base, classes, 1)
        self.closed = tuple(closed)

    def forward(self, x):
        skips = []
        for block in self.down[:-1]:
            x = block(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.down[-1](x)
        for k in reversed(range(len(skips))):
            skip = torch.zeros_like(skips[k]) if k in self.closed else skips[k]
            x = self.up[k](join(self.grow[k](x), skip))
        return self.head(x)


def build_unet(classes, base, depth, closed=()):
    return Ushape(classes, base, depth, closed)

# %% wrong build_unet: joins by the copied code
# fails: odd sizes
# says: Does every level go through `join`?
# differs at: odd sizes
def join(x, skip):
    dx, dy = x.shape[2] - skip.shape[2], x.shape[3] - skip.shape[3]
    return torch.cat([F.pad(skip, (dx // 2, int(dx / 2), dy // 2, int(dy / 2))), x], 1)


class Ushape(nn.Module):
    def __init__(self, classes, base, depth, closed):
        super().__init__()
        widths = [base * 2**k for k in range(depth + 1)]
        self.down = nn.ModuleList(models.DoubleConv(a, b) for a, b in zip([3] + widths, widths))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(2 * c, c, 2, stride=2) for c in widths[:-1])
        self.up = nn.ModuleList(models.DoubleConv(2 * c, c) for c in widths[:-1])
        self.head = nn.Conv2d(base, classes, 1)
        self.closed = tuple(closed)

    def forward(self, x):
        skips = []
        for block in self.down[:-1]:
            x = block(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.down[-1](x)
        for k in reversed(range(len(skips))):
            skip = torch.zeros_like(skips[k]) if k in self.closed else skips[k]
            x = self.up[k](join(self.grow[k](x), skip))
        return self.head(x)


def build_unet(classes, base, depth, closed=()):
    return Ushape(classes, base, depth, closed)

# %% wrong build_unet: counts the closed levels from the deepest
# fails: closed skips
# says: The levels are counted from below; level 0 is the full size.
# differs at: closed=[0]
def join(x, skip):
    return torch.cat([skip, F.pad(x, (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2]), mode="replicate")], 1)


class Ushape(nn.Module):
    def __init__(self, classes, base, depth, closed):
        super().__init__()
        widths = [base * 2**k for k in range(depth + 1)]
        self.down = nn.ModuleList(models.DoubleConv(a, b) for a, b in zip([3] + widths, widths))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(2 * c, c, 2, stride=2) for c in widths[:-1])
        self.up = nn.ModuleList(models.DoubleConv(2 * c, c) for c in widths[:-1])
        self.head = nn.Conv2d(base, classes, 1)
        self.closed = tuple(closed)

    def forward(self, x):
        skips = []
        for block in self.down[:-1]:
            x = block(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.down[-1](x)
        for k in reversed(range(len(skips))):
            skip = torch.zeros_like(skips[k]) if len(skips) - 1 - k in self.closed else skips[k]
            x = self.up[k](join(self.grow[k](x), skip))
        return self.head(x)


def build_unet(classes, base, depth, closed=()):
    return Ushape(classes, base, depth, closed)

# %% wrong build_unet: leaves the closed skip out, with fewer weights
# fails: closed skips
# says: Keep all layers, and join zeros of the skip's shape.
# differs at: closed=[0]: weights cannot be loaded
def join(x, skip):
    return torch.cat([skip, F.pad(x, (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2]), mode="replicate")], 1)


class Ushape(nn.Module):
    def __init__(self, classes, base, depth, closed):
        super().__init__()
        widths = [base * 2**k for k in range(depth + 1)]
        self.down = nn.ModuleList(models.DoubleConv(a, b) for a, b in zip([3] + widths, widths))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(2 * c, c, 2, stride=2) for c in widths[:-1])
        self.up = nn.ModuleList(models.DoubleConv(c if k in closed else 2 * c, c) for k, c in enumerate(widths[:-1]))
        self.head = nn.Conv2d(base, classes, 1)
        self.closed = tuple(closed)

    def forward(self, x):
        skips = []
        for block in self.down[:-1]:
            x = block(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.down[-1](x)
        for k in reversed(range(len(skips))):
            x = join(self.grow[k](x), skips[k])
            if k in self.closed:
                x = x[:, x.shape[1] // 2:]
            x = self.up[k](x)
        return self.head(x)


def build_unet(classes, base, depth, closed=()):
    return Ushape(classes, base, depth, closed)

# %% wrong build_unet: open skips cut off from the gradient
# fails: a skip at every level, saved before pooling
# says: A skip carries gradients, too: no `.detach()`.
# differs at: the encoder's gradients
def join(x, skip):
    return torch.cat([skip, F.pad(x, (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2]), mode="replicate")], 1)


class Ushape(nn.Module):
    def __init__(self, classes, base, depth, closed):
        super().__init__()
        widths = [base * 2**k for k in range(depth + 1)]
        self.down = nn.ModuleList(models.DoubleConv(a, b) for a, b in zip([3] + widths, widths))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(2 * c, c, 2, stride=2) for c in widths[:-1])
        self.up = nn.ModuleList(models.DoubleConv(2 * c, c) for c in widths[:-1])
        self.head = nn.Conv2d(base, classes, 1)
        self.closed = tuple(closed)

    def forward(self, x):
        skips = []
        for block in self.down[:-1]:
            x = block(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.down[-1](x)
        for k in reversed(range(len(skips))):
            skip = torch.zeros_like(skips[k]) if k in self.closed else skips[k].detach()
            x = self.up[k](join(self.grow[k](x), skip))
        return self.head(x)


def build_unet(classes, base, depth, closed=()):
    return Ushape(classes, base, depth, closed)

# %% wrong build_unet: the library's U-Net
# fails: logits of the picture's size, and every weight learns; odd sizes; the layers, level by level; a skip at every level, saved before pooling; closed skips
# says: Build yours from double convolutions, pooling, transposed convolutions and `join`.
# differs at: it is not the student's work
def build_unet(classes, base, depth, closed=()):
    net = models.UNet(classes=classes, base=base, depth=depth)
    for level in closed:
        net.decoder[depth - 1 - level].skip = "zero"
    return net

# %% wrong build_unet: no bottleneck
# fails: logits of the picture's size, and every weight learns; odd sizes; the layers, level by level; a skip at every level, saved before pooling; closed skips
# says: After the last pooling stands the bottleneck, `self.down[depth]`
def join(x, skip):
    return torch.cat([skip, F.pad(x, (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2]), mode="replicate")], 1)


class Ushape(nn.Module):
    def __init__(self, classes, base, depth, closed):
        super().__init__()
        wide = [base * 2**k for k in range(depth + 1)]
        self.depth, self.closed = depth, set(closed)
        self.down = nn.ModuleList(models.DoubleConv(a, b) for a, b in zip([3, *wide], wide))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in wide[:-1])
        self.up = nn.ModuleList(models.DoubleConv(2 * w, w) for w in wide[:-1])
        self.score = nn.Conv2d(base, classes, kernel_size=1)

    def gate(self, k, skip):
        return torch.zeros_like(skip) if k in self.closed else skip

    def forward(self, x):
        skips = []
        for k in range(self.depth):
            x = self.down[k](x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        for k in reversed(range(self.depth)):
            x = self.up[k](join(self.grow[k](x), self.gate(k, skips[k])))
        return self.score(x)


def build_unet(classes, base, depth, closed=()):
    return Ushape(classes, base, depth, closed)

# %% wrong build_unet: a ReLU after each transposed convolution
# fails: the layers, level by level
# says: A ReLU follows the transposed convolutions: what is below 0 is lost.
def join(x, skip):
    return torch.cat([skip, F.pad(x, (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2]), mode="replicate")], 1)


class Ushape(nn.Module):
    def __init__(self, classes, base, depth, closed):
        super().__init__()
        wide = [base * 2**k for k in range(depth + 1)]
        self.depth, self.closed = depth, set(closed)
        self.down = nn.ModuleList(models.DoubleConv(a, b) for a, b in zip([3, *wide], wide))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in wide[:-1])
        self.up = nn.ModuleList(models.DoubleConv(2 * w, w) for w in wide[:-1])
        self.score = nn.Conv2d(base, classes, kernel_size=1)

    def gate(self, k, skip):
        return torch.zeros_like(skip) if k in self.closed else skip

    def forward(self, x):
        skips = []
        for k in range(self.depth):
            x = self.down[k](x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.down[self.depth](x)
        for k in reversed(range(self.depth)):
            x = self.up[k](join(F.relu(self.grow[k](x)), self.gate(k, skips[k])))
        return self.score(x)


def build_unet(classes, base, depth, closed=()):
    return Ushape(classes, base, depth, closed)

# %% wrong build_unet: pooling that rounds up
# fails: odd sizes
# says: Pooling rounds odd sizes up here (`ceil_mode`); let it round down.
def join(x, skip):
    return torch.cat([skip, F.pad(x, (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2]), mode="replicate")], 1)


class Ushape(nn.Module):
    def __init__(self, classes, base, depth, closed):
        super().__init__()
        wide = [base * 2**k for k in range(depth + 1)]
        self.depth, self.closed = depth, set(closed)
        self.down = nn.ModuleList(models.DoubleConv(a, b) for a, b in zip([3, *wide], wide))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in wide[:-1])
        self.up = nn.ModuleList(models.DoubleConv(2 * w, w) for w in wide[:-1])
        self.score = nn.Conv2d(base, classes, kernel_size=1)

    def gate(self, k, skip):
        return torch.zeros_like(skip) if k in self.closed else skip

    def forward(self, x):
        skips = []
        for k in range(self.depth):
            x = self.down[k](x)
            skips.append(x)
            x = F.max_pool2d(x, 2, ceil_mode=True)
        x = self.down[self.depth](x)
        for k in reversed(range(self.depth)):
            x, skip = self.grow[k](x), self.gate(k, skips[k])
            x = self.up[k](torch.cat([skip, x[:, :, : skip.shape[2], : skip.shape[3]]], 1))
        return self.score(x)


def build_unet(classes, base, depth, closed=()):
    return Ushape(classes, base, depth, closed)

# %% wrong build_unet: skip and map added, the sum joined to itself
# fails: the layers, level by level; closed skips
# says: Skip and map are added up, and the sum is joined to itself;
def join(x, skip):
    return torch.cat([skip, F.pad(x, (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2]), mode="replicate")], 1)


class Ushape(nn.Module):
    def __init__(self, classes, base, depth, closed):
        super().__init__()
        wide = [base * 2**k for k in range(depth + 1)]
        self.depth, self.closed = depth, set(closed)
        self.down = nn.ModuleList(models.DoubleConv(a, b) for a, b in zip([3, *wide], wide))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in wide[:-1])
        self.up = nn.ModuleList(models.DoubleConv(2 * w, w) for w in wide[:-1])
        self.score = nn.Conv2d(base, classes, kernel_size=1)

    def gate(self, k, skip):
        return torch.zeros_like(skip) if k in self.closed else skip

    def forward(self, x):
        skips = []
        for k in range(self.depth):
            x = self.down[k](x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.down[self.depth](x)
        for k in reversed(range(self.depth)):
            skip, x = join(self.grow[k](x), self.gate(k, skips[k])).chunk(2, 1)
            x = self.up[k](torch.cat([skip + x, skip + x], 1))
        return self.score(x)


def build_unet(classes, base, depth, closed=()):
    return Ushape(classes, base, depth, closed)

# %% wrong build_unet: pools with stride 1
# fails: the layers, level by level; a skip at every level, saved before pooling
# says: Each level is 1 lower than the one before: the pooling steps by 1
def join(x, skip):
    return torch.cat([skip, F.pad(x, (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2]), mode="replicate")], 1)


class Ushape(nn.Module):
    def __init__(self, classes, base, depth, closed):
        super().__init__()
        wide = [base * 2**k for k in range(depth + 1)]
        self.depth, self.closed = depth, set(closed)
        self.down = nn.ModuleList(models.DoubleConv(a, b) for a, b in zip([3, *wide], wide))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in wide[:-1])
        self.up = nn.ModuleList(models.DoubleConv(2 * w, w) for w in wide[:-1])
        self.score = nn.Conv2d(base, classes, kernel_size=1)

    def gate(self, k, skip):
        return torch.zeros_like(skip) if k in self.closed else skip

    def forward(self, x):
        skips = []
        for k in range(self.depth):
            x = self.down[k](x)
            skips.append(x)
            x = F.max_pool2d(x, 2, stride=1)
        x = self.down[self.depth](x)
        for k in reversed(range(self.depth)):
            x = self.up[k](join(self.grow[k](x), self.gate(k, skips[k])))
        return self.score(x)


def build_unet(classes, base, depth, closed=()):
    return Ushape(classes, base, depth, closed)

# %% wrong build_unet: half of each skip
# fails: a skip at every level, saved before pooling
# says: The skips reach the logits, but not as they were saved:
def join(x, skip):
    return torch.cat([skip, F.pad(x, (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2]), mode="replicate")], 1)
class Ushape(nn.Module):
    def __init__(self, classes, base, depth, closed):
        super().__init__()
        wide = [base * 2**k for k in range(depth + 1)]
        self.depth, self.closed = depth, set(closed)
        self.down = nn.ModuleList(models.DoubleConv(a, b) for a, b in zip([3, *wide], wide))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in wide[:-1])
        self.up = nn.ModuleList(models.DoubleConv(2 * w, w) for w in wide[:-1])
        self.score = nn.Conv2d(base, classes, kernel_size=1)
    def gate(self, k, skip):
        return torch.zeros_like(skip) if k in self.closed else skip
    def forward(self, x):
        skips = []
        for k in range(self.depth):
            x = self.down[k](x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.down[self.depth](x)
        for k in reversed(range(self.depth)):
            x = self.up[k](join(self.grow[k](x), .5*self.gate(k, skips[k])))
        return self.score(x)

def build_unet(classes, base, depth, closed=()):
    return Ushape(classes, base, depth, closed)

# %% wrong build_unet: dropout after the bottleneck
# fails: the layers, level by level
# says: in training it does not: there is something random in it
def join(x, skip):
    return torch.cat([skip, F.pad(x, (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2]), mode="replicate")], 1)
class Ushape(nn.Module):
    def __init__(self, classes, base, depth, closed):
        super().__init__()
        wide = [base * 2**k for k in range(depth + 1)]
        self.depth, self.closed = depth, set(closed)
        self.down = nn.ModuleList(models.DoubleConv(a, b) for a, b in zip([3, *wide], wide))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in wide[:-1])
        self.up = nn.ModuleList(models.DoubleConv(2 * w, w) for w in wide[:-1])
        self.score = nn.Conv2d(base, classes, kernel_size=1)
    def gate(self, k, skip):
        return torch.zeros_like(skip) if k in self.closed else skip
    def forward(self, x):
        skips = []
        for k in range(self.depth):
            x = self.down[k](x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = F.dropout(self.down[self.depth](x), .3, self.training)
        for k in reversed(range(self.depth)):
            x = self.up[k](join(self.grow[k](x), self.gate(k, skips[k])))
        return self.score(x)

def build_unet(classes, base, depth, closed=()):
    return Ushape(classes, base, depth, closed)

# %% wrong build_unet: takes the mean off the picture
# fails: the layers, level by level; a skip at every level, saved before pooling
# says: The picture is changed before the first convolution;
def join(x, skip):
    return torch.cat([skip, F.pad(x, (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2]), mode="replicate")], 1)
class Ushape(nn.Module):
    def __init__(self, classes, base, depth, closed):
        super().__init__()
        wide = [base * 2**k for k in range(depth + 1)]
        self.depth, self.closed = depth, set(closed)
        self.down = nn.ModuleList(models.DoubleConv(a, b) for a, b in zip([3, *wide], wide))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in wide[:-1])
        self.up = nn.ModuleList(models.DoubleConv(2 * w, w) for w in wide[:-1])
        self.score = nn.Conv2d(base, classes, kernel_size=1)
    def gate(self, k, skip):
        return torch.zeros_like(skip) if k in self.closed else skip
    def forward(self, x):
        skips = []; x = x - x.mean()
        for k in range(self.depth):
            x = self.down[k](x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.down[self.depth](x)
        for k in reversed(range(self.depth)):
            x = self.up[k](join(self.grow[k](x), self.gate(k, skips[k])))
        return self.score(x)

def build_unet(classes, base, depth, closed=()):
    return Ushape(classes, base, depth, closed)

# %% wrong build_unet: pads the picture and cuts the logits
# fails: odd sizes
# says: The picture is brought to sizes that divide first;
def join(x, skip):
    return torch.cat([skip, F.pad(x, (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2]), mode="replicate")], 1)
class Ushape(nn.Module):
    def __init__(self, classes, base, depth, closed):
        super().__init__()
        wide = [base * 2**k for k in range(depth + 1)]
        self.depth, self.closed = depth, set(closed)
        self.down = nn.ModuleList(models.DoubleConv(a, b) for a, b in zip([3, *wide], wide))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in wide[:-1])
        self.up = nn.ModuleList(models.DoubleConv(2 * w, w) for w in wide[:-1])
        self.score = nn.Conv2d(base, classes, kernel_size=1)
    def gate(self, k, skip):
        return torch.zeros_like(skip) if k in self.closed else skip
    def forward(self, x):
        skips = []; H, W = x.shape[2:]; x = F.pad(x,(0,-W%8,0,-H%8))
        for k in range(self.depth):
            x = self.down[k](x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.down[self.depth](x)
        for k in reversed(range(self.depth)):
            x = self.up[k](join(self.grow[k](x), self.gate(k, skips[k])))
        return self.score(x)[:, :, :H, :W]

def build_unet(classes, base, depth, closed=()):
    return Ushape(classes, base, depth, closed)

# %% wrong build_unet: climbs from the full size down
# fails: logits of the picture's size, and every weight learns; odd sizes; the layers, level by level; a skip at every level, saved before pooling; closed skips
# says: The way up begins at the deepest level, `depth` − 1.
def join(x, skip):
    return torch.cat([skip, F.pad(x, (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2]), mode="replicate")], 1)
class Ushape(nn.Module):
    def __init__(self, classes, base, depth, closed):
        super().__init__()
        wide = [base * 2**k for k in range(depth + 1)]
        self.depth, self.closed = depth, set(closed)
        self.down = nn.ModuleList(models.DoubleConv(a, b) for a, b in zip([3, *wide], wide))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in wide[:-1])
        self.up = nn.ModuleList(models.DoubleConv(2 * w, w) for w in wide[:-1])
        self.score = nn.Conv2d(base, classes, kernel_size=1)
    def gate(self, k, skip):
        return torch.zeros_like(skip) if k in self.closed else skip
    def forward(self, x):
        skips = []
        for k in range(self.depth):
            x = self.down[k](x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.down[self.depth](x)
        for k in range(self.depth):
            x = self.up[k](join(self.grow[k](x), self.gate(k, skips[k])))
        return self.score(x)

def build_unet(classes, base, depth, closed=()):
    return Ushape(classes, base, depth, closed)

# %% wrong build_unet: the first skip saved is used first
# fails: logits of the picture's size, and every weight learns; odd sizes; the layers, level by level; a skip at every level, saved before pooling; closed skips
# says: Does each level meet its own skip
def join(x, skip):
    return torch.cat([skip, F.pad(x, (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2]), mode="replicate")], 1)
class Ushape(nn.Module):
    def __init__(self, classes, base, depth, closed):
        super().__init__()
        wide = [base * 2**k for k in range(depth + 1)]
        self.depth, self.closed = depth, set(closed)
        self.down = nn.ModuleList(models.DoubleConv(a, b) for a, b in zip([3, *wide], wide))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in wide[:-1])
        self.up = nn.ModuleList(models.DoubleConv(2 * w, w) for w in wide[:-1])
        self.score = nn.Conv2d(base, classes, kernel_size=1)
    def gate(self, k, skip):
        return torch.zeros_like(skip) if k in self.closed else skip
    def forward(self, x):
        skips = []
        for k in range(self.depth):
            x = self.down[k](x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.down[self.depth](x)
        for k in reversed(range(self.depth)):
            x = self.up[k](join(self.grow[k](x), self.gate(k, skips[self.depth-1-k])))
        return self.score(x)

def build_unet(classes, base, depth, closed=()):
    return Ushape(classes, base, depth, closed)

# %% right count_unet: a helper for a double convolution, and a loop
def count_unet(classes, base, depth):
    def double(a, b):
        return 9 * a * b + 9 * b * b + 4 * b
    total, before = 0, 3
    for k in range(depth):
        c = base * 2**k
        total += double(before, c) + double(2 * c, c) + 4 * 2 * c * c + c
        before = c
    return total + double(before, 2 * before) + base * classes + classes

# %% right count_unet: recursion from the bottleneck up
def count_unet(classes, base, depth):
    def level(c_in, c, deeper):
        down = 9 * c * (c_in + c) + 4 * c
        if deeper == 0:
            return down
        return down + level(c, 2 * c, deeper - 1) + (2 * c * c * 4 + c) + 9 * c * (2 * c + c) + 4 * c
    return level(3, base, depth) + classes * (base + 1)

# %% right count_unet: one formula, sums of a geometric series
def count_unet(classes, base, depth):
    squares = base**2 * (4**depth - 1) // 3
    linear = base * (2**depth - 1)
    bottom = base * 2**depth
    first = 27 * base + 9 * base**2 + 4 * base
    downs = (squares - base**2) * 27 // 2 + 4 * (linear - base)
    ups = 8 * squares + linear + 27 * squares + 4 * linear
    return first + downs + 27 * bottom**2 // 2 + 4 * bottom + ups + (base + 1) * classes

# %% right count_unet: lists all tensors' shapes and multiplies
import math
def count_unet(classes, base, depth):
    shapes = [(classes, base, 1, 1), (classes,)]
    widths = [3] + [base * 2**k for k in range(depth + 1)]
    pairs = list(zip(widths[:-1], widths[1:])) + [(2 * c, c) for c in widths[1:-1]]
    for a, b in pairs:
        shapes += [(b, a, 3, 3), (b, b, 3, 3), (2, b), (2, b)]
    for c in widths[1:-1]:
        shapes += [(2 * c, c, 2, 2), (c,)]
    return sum(math.prod(shape) for shape in shapes)

# %% wrong count_unet: biases in the 3 × 3 convolutions, too
# fails: one level; any number of levels
# says: This gives the 3 × 3 convolutions biases;
# differs at: count_unet(2, 1, 1) would be 154
def count_unet(classes, base, depth):
    def double(a, b):
        return 9 * a * b + 9 * b * b + 6 * b
    total, before = 0, 3
    for k in range(depth):
        c = base * 2**k
        total += double(before, c) + double(2 * c, c) + 8 * c * c + c
        before = c
    return total + double(before, 2 * before) + base * classes + classes

# %% wrong count_unet: forgets batch normalisation
# fails: one level; any number of levels
# says: 2 parameters a channel, and there are two in a block.
# differs at: count_unet(2, 1, 1) would be 130
def count_unet(classes, base, depth):
    def double(a, b):
        return 9 * a * b + 9 * b * b
    total, before = 0, 3
    for k in range(depth):
        c = base * 2**k
        total += double(before, c) + double(2 * c, c) + 8 * c * c + c
        before = c
    return total + double(before, 2 * before) + base * classes + classes

# %% wrong count_unet: counts running means and variances
# fails: one level; any number of levels
# says: This counts the running mean and variance;
# differs at: count_unet(2, 1, 1) would be 162
def count_unet(classes, base, depth):
    def double(a, b):
        return 9 * a * b + 9 * b * b + 8 * b
    total, before = 0, 3
    for k in range(depth):
        c = base * 2**k
        total += double(before, c) + double(2 * c, c) + 8 * c * c + c
        before = c
    return total + double(before, 2 * before) + base * classes + classes

# %% wrong count_unet: transposed convolutions without bias
# fails: one level; any number of levels
# says: The transposed convolutions have a bias each: one a channel.
# differs at: count_unet(2, 1, 1) would be 145
def count_unet(classes, base, depth):
    def double(a, b):
        return 9 * a * b + 9 * b * b + 4 * b
    total, before = 0, 3
    for k in range(depth):
        c = base * 2**k
        total += double(before, c) + double(2 * c, c) + 8 * c * c
        before = c
    return total + double(before, 2 * before) + base * classes + classes

# %% wrong count_unet: a head without bias
# fails: one level; any number of levels; what one more class adds
# says: The head has a bias: one a class.
# differs at: count_unet(2, 1, 1) would be 144
def count_unet(classes, base, depth):
    def double(a, b):
        return 9 * a * b + 9 * b * b + 4 * b
    total, before = 0, 3
    for k in range(depth):
        c = base * 2**k
        total += double(before, c) + double(2 * c, c) + 8 * c * c + c
        before = c
    return total + double(before, 2 * before) + base * classes

# %% wrong count_unet: forgets that concatenation doubles what the way up sees
# fails: one level; any number of levels
# says: On the way up a level's first convolution gets the skip as well:
# differs at: count_unet(2, 1, 1) would be 137
def count_unet(classes, base, depth):
    def double(a, b):
        return 9 * a * b + 9 * b * b + 4 * b
    total, before = 0, 3
    for k in range(depth):
        c = base * 2**k
        total += double(before, c) + double(c, c) + 8 * c * c + c
        before = c
    return total + double(before, 2 * before) + base * classes + classes

# %% wrong count_unet: transposed convolutions keep the channels, 3c are joined
# fails: one level; any number of levels
# says: The transposed convolutions halve the channels, so that a level's first convolution gets 2c, not 3c.
# differs at: count_unet(2, 1, 1) would be 164
def count_unet(classes, base, depth):
    def double(a, b):
        return 9 * a * b + 9 * b * b + 4 * b
    total, before = 0, 3
    for k in range(depth):
        c = base * 2**k
        total += double(before, c) + double(3 * c, c) + 16 * c * c + 2 * c
        before = c
    return total + double(before, 2 * before) + base * classes + classes

# %% wrong count_unet: a kernel of 3 in the transposed convolutions
# fails: one level; any number of levels
# says: The transposed convolutions have a kernel of 2 × 2, not 3 × 3.
# differs at: count_unet(2, 1, 1) would be 156
def count_unet(classes, base, depth):
    def double(a, b):
        return 9 * a * b + 9 * b * b + 4 * b
    total, before = 0, 3
    for k in range(depth):
        c = base * 2**k
        total += double(before, c) + double(2 * c, c) + 18 * c * c + c
        before = c
    return total + double(before, 2 * before) + base * classes + classes

# %% wrong count_unet: the transposed convolution reads as many channels as it gives
# fails: one level; any number of levels
# says: Half of each transposed convolution's weights are missing:
def count_unet(classes, base, depth):
    def double(c_in, c_out):
        return 9 * c_in * c_out + 9 * c_out * c_out + 4 * c_out

    wide = [base * 2**k for k in range(depth + 1)]
    total = sum(double(i, o) for i, o in zip([3] + wide[:-1], wide))
    for w in wide[:-1]:
        total += 4 * w * w + w + double(2 * w, w)
    return total + base * classes + classes

# %% wrong count_unet: the transposed convolution keeps its 2c channels
# fails: one level; any number of levels
# says: A transposed convolution reads 2c channels and gives c
def count_unet(classes, base, depth):
    def double(c_in, c_out):
        return 9 * c_in * c_out + 9 * c_out * c_out + 4 * c_out

    wide = [base * 2**k for k in range(depth + 1)]
    total = sum(double(i, o) for i, o in zip([3] + wide[:-1], wide))
    for w in wide[:-1]:
        total += 4 * 2 * w * 2 * w + w + double(2 * w, w)
    return total + base * classes + classes

# %% wrong count_unet: a bias for each channel that the transposed convolution reads
# fails: one level; any number of levels
# says: and have a bias for each of these only.
def count_unet(classes, base, depth):
    def double(c_in, c_out):
        return 9 * c_in * c_out + 9 * c_out * c_out + 4 * c_out

    wide = [base * 2**k for k in range(depth + 1)]
    total = sum(double(i, o) for i, o in zip([3] + wide[:-1], wide))
    for w in wide[:-1]:
        total += 8 * w * w + 2 * w + double(2 * w, w)
    return total + base * classes + classes

# %% wrong count_unet: builds it from torch's layers and reads the tensors' names
# fails: one level; any number of levels; what one more class adds
# says: This builds a network and counts it, which is a good test of your answer.
def count_unet(classes, base, depth):
    net = models.UNet(classes=classes, base=base, depth=depth)
    return sum(value.numel() for name, value in net.state_dict().items() if "running" not in name and "num" not in name)

# %% wrong count_unet: channels grow by base a level
# fails: any number of levels
# says: expected
# differs at: count_unet(2, 1, 3)
def count_unet(classes, base, depth):
    def double(a, b):
        return 9 * a * b + 9 * b * b + 4 * b
    widths = [3] + [base * (k + 1) for k in range(depth + 1)]
    total = sum(double(a, b) for a, b in zip(widths, widths[1:]))
    for a, b in zip(widths[1:], widths[2:]):
        total += 4 * a * b + a + double(2 * a, a)
    return total + base * classes + classes

# %% wrong count_unet: a float
# fails: one level; any number of levels; what one more class adds
# says: as a float; return an `int`.
# differs at: the type of the result
def count_unet(classes, base, depth):
    def double(a, b):
        return 9 * a * b + 9 * b * b + 4 * b
    total, before = 0, 3
    for k in range(depth):
        c = base * 2**k
        total += double(before, c) + double(2 * c, c) + 8 * c * c + c
        before = c
    return (total + double(before, 2 * before) + base * classes + classes) / 1

# %% wrong count_unet: builds the library's and counts
# fails: one level; any number of levels; what one more class adds
# says: This builds a network and counts it, which is a good test of your answer.
# differs at: it does no arithmetic
def count_unet(classes, base, depth):
    return models.count_parameters(models.UNet(classes=classes, base=base, depth=depth))

# %% wrong count_unet: builds the library's encoder-decoder with skips and counts
# fails: one level; any number of levels; what one more class adds
# says: This builds a network and counts it, which is a good test of your answer.
# differs at: it does no arithmetic
def count_unet(classes, base, depth):
    with torch.device("meta"):
        net = models.EncoderDecoder(classes, 3, base, depth, "transposed", "concat")
    return sum(p.numel() for p in net.parameters())

# %% wrong count_unet: the head has a bias for each channel
# fails: one level; any number of levels; what one more class adds
# says: The head has a bias for each class, not for each channel.
def count_unet(classes, base, depth):
    def double(c_in, c_out):
        return 9 * c_in * c_out + 9 * c_out * c_out + 4 * c_out

    wide = [base * 2**k for k in range(depth + 1)]
    total = sum(double(i, o) for i, o in zip([3] + wide[:-1], wide))
    for w in wide[:-1]: total += 8*w*w + w + double(2*w, w)
    return total + base*classes + base

# %% wrong count_unet: nothing but the transposed convolutions on the way up
# fails: one level; any number of levels
# says: The double convolutions of the way up are missing.
def count_unet(classes, base, depth):
    def double(c_in, c_out):
        return 9 * c_in * c_out + 9 * c_out * c_out + 4 * c_out

    wide = [base * 2**k for k in range(depth + 1)]
    total = sum(double(i, o) for i, o in zip([3] + wide[:-1], wide))
    for w in wide[:-1]: total += 8*w*w + w
    return total + base*classes + classes

# %% wrong count_unet: one level of the way up
# fails: any number of levels
# says: Only level 0 has its way up here; every level has one.
def count_unet(classes, base, depth):
    def double(c_in, c_out):
        return 9 * c_in * c_out + 9 * c_out * c_out + 4 * c_out

    wide = [base * 2**k for k in range(depth + 1)]
    total = sum(double(i, o) for i, o in zip([3] + wide[:-1], wide))
    w = base
    total += 8*w*w + w + double(2*w, w)
    return total + base*classes + classes

# %% wrong count_unet: a way up for the bottleneck, too
# fails: one level; any number of levels
# says: The bottleneck has no way up of its own;
def count_unet(classes, base, depth):
    def double(c_in, c_out):
        return 9 * c_in * c_out + 9 * c_out * c_out + 4 * c_out

    wide = [base * 2**k for k in range(depth + 1)]
    total = sum(double(i, o) for i, o in zip([3] + wide[:-1], wide))
    for w in wide: total += 8*w*w + w + double(2*w, w)
    return total + base*classes + classes

# %% right giant_upsampling: the formula
def giant_upsampling(channels, classes, depth):
    kernel = 2 * 2**depth
    return channels * classes * kernel**2 + classes, 4 * channels

# %% right giant_upsampling: builds the layer and counts
def giant_upsampling(channels, classes, depth):
    stride = 2**depth
    layer = nn.ConvTranspose2d(channels, classes, 2 * stride, stride=stride)
    return sum(p.numel() for p in layer.parameters()), channels * (layer.kernel_size[0] // stride) ** 2

# %% right giant_upsampling: counts the places that paint a pixel
def giant_upsampling(channels, classes, depth):
    stride = 2**depth
    kernel = stride * 2
    pixel = 5 * kernel
    places = [p for p in range(pixel) if p * stride <= pixel < p * stride + kernel]
    parameters = classes
    for _ in range(channels):
        parameters += classes * kernel * kernel
    return parameters, len(places) ** 2 * channels

# %% right giant_upsampling: measures the reach by a gradient
def giant_upsampling(channels, classes, depth):
    s = 2**depth
    x = torch.zeros(1, channels, 6, 6, requires_grad=True)
    weight = torch.ones(channels, classes, 2 * s, 2 * s)
    F.conv_transpose2d(x, weight, stride=s)[0, 0, 3 * s, 3 * s].backward()
    return weight.numel() + classes, int(x.grad.count_nonzero())

# %% wrong giant_upsampling: kernel as large as the stride
# fails: parameters; what a score is computed from
# says: This is a kernel as large as the stride; it is twice as large.
# differs at: giant_upsampling(2, 3, 1) would be (27, 2)
def giant_upsampling(channels, classes, depth):
    return channels * classes * 4**depth + classes, channels

# %% wrong giant_upsampling: forgets the bias
# fails: parameters
# says: The bias is missing: one a class.
# differs at: giant_upsampling(2, 3, 1) would be (96, 8)
def giant_upsampling(channels, classes, depth):
    return channels * classes * (2 * 2**depth) ** 2, 4 * channels

# %% wrong giant_upsampling: a bias for each channel that comes in
# fails: parameters
# says: The bias belongs to the classes, the channels out.
# differs at: giant_upsampling(2, 3, 1) would be (98, 8)
def giant_upsampling(channels, classes, depth):
    return channels * classes * (2 * 2**depth) ** 2 + channels, 4 * channels

# %% wrong giant_upsampling: 2 · depth for 2 to the power of depth
# fails: parameters
# says: The stride is 2 to the power of depth.
# differs at: depth of 3
def giant_upsampling(channels, classes, depth):
    return channels * classes * (4 * depth) ** 2 + classes, 4 * channels

# %% wrong giant_upsampling: the kernel in one direction
# fails: parameters
# says: The kernel is a square: its side counts twice.
# differs at: giant_upsampling(2, 3, 1) would be (27, 8)
def giant_upsampling(channels, classes, depth):
    return channels * classes * 2 * 2**depth + classes, 4 * channels

# %% wrong giant_upsampling: two places, in a row of pixels
# fails: what a score is computed from
# says: In a row two brushes reach a pixel, on a map two times two.
# differs at: giant_upsampling(2, 3, 1) would be (99, 4)
def giant_upsampling(channels, classes, depth):
    return channels * classes * (2 * 2**depth) ** 2 + classes, 2 * channels

# %% wrong giant_upsampling: one place a pixel
# fails: what a score is computed from
# says: Brushes twice as long as the stride overlap: more than one reaches a pixel.
# differs at: giant_upsampling(2, 3, 1) would be (99, 2)
def giant_upsampling(channels, classes, depth):
    return channels * classes * (2 * 2**depth) ** 2 + classes, channels

# %% wrong giant_upsampling: four places, without their channels
# fails: what a score is computed from
# says: These are the places; each has all its channels.
# differs at: giant_upsampling(2, 3, 1) would be (99, 4)
def giant_upsampling(channels, classes, depth):
    return channels * classes * (2 * 2**depth) ** 2 + classes, 4

# %% wrong giant_upsampling: all that lies under the kernel
# fails: what a score is computed from
# says: the question is how many places paint one pixel.
# differs at: giant_upsampling(2, 3, 1) would be (99, 32)
def giant_upsampling(channels, classes, depth):
    kernel = 2 * 2**depth
    return channels * classes * kernel**2 + classes, channels * kernel**2

# %% wrong giant_upsampling: the numbers of all classes
# fails: what a score is computed from
# says: the score of one class was asked for.
# differs at: giant_upsampling(2, 3, 1) would be (99, 24)
def giant_upsampling(channels, classes, depth):
    return channels * classes * (2 * 2**depth) ** 2 + classes, 4 * channels * classes

# %% wrong giant_upsampling: channels double with each level inside
# fails: parameters; what a score is computed from
# says: `channels` are those of the bottleneck already;
# differs at: giant_upsampling(2, 3, 1) would be (195, 16)
def giant_upsampling(channels, classes, depth):
    channels = channels * 2**depth
    return channels * classes * (2 * 2**depth) ** 2 + classes, 4 * channels

# %% wrong giant_upsampling: the two the wrong way round
# fails: parameters; what a score is computed from
# says: The parameters come first, then the numbers that a score is computed from.
# differs at: giant_upsampling(2, 3, 1) would be (8, 99)
def giant_upsampling(channels, classes, depth):
    return 4 * channels, channels * classes * (2 * 2**depth) ** 2 + classes

# %% wrong giant_upsampling: one bias in all
# fails: parameters
# says: There is a bias for each class, not one for all.
def giant_upsampling(channels, classes, depth):
    kernel = 2 * 2**depth
    return channels*classes*kernel**2+1, 4*channels

# %% wrong giant_upsampling: three brushes in a row
# fails: what a score is computed from
# says: on a map two times two; these are more.
def giant_upsampling(channels, classes, depth):
    kernel = 2 * 2**depth
    return channels*classes*kernel**2+classes, 9*channels

# %% wrong giant_upsampling: one kernel a channel
# fails: parameters
# says: Each pair of a channel and a class has a kernel of its own.
def giant_upsampling(channels, classes, depth):
    kernel = 2 * 2**depth
    return channels*kernel**2+classes, 4*channels
