"""Answers to lesson 03_fcn, right and wrong, by people who saw the student's notebook and not its checks.

Read by tests/answers.py. A wrong answer names its misconception, an input on which it lies, and what it must be told.
"""

# %% right sliding: a reshaped copy
def sliding(linear, side):
    conv = nn.Conv2d(linear.in_features // side**2, linear.out_features, side)
    with torch.no_grad():
        conv.weight.copy_(linear.weight.view(linear.out_features, -1, side, side))
        conv.bias.copy_(linear.bias)
    return conv

# %% right sliding: load_state_dict carries the weights
def sliding(linear, side):
    out, numbers = linear.weight.shape
    conv = nn.Conv2d(numbers // (side * side), out, (side, side))
    conv.load_state_dict({"weight": linear.weight.unflatten(1, (-1, side, side)), "bias": linear.bias})
    return conv

# %% right sliding: cuts the map into patches, and a 1 × 1 convolution reads them
def sliding(linear, side):
    class Patches(nn.Module):
        """Unfold keeps the order that Flatten has: channel, row, column."""

        def forward(self, x):
            h, w = x.shape[2] - side + 1, x.shape[3] - side + 1
            return F.unfold(x, side).unflatten(2, (h, w))

    conv = nn.Conv2d(linear.in_features, linear.out_features, 1)
    conv.weight.data = linear.weight.data[:, :, None, None].clone()
    conv.bias.data = linear.bias.data.clone()
    return nn.Sequential(Patches(), conv)

# %% right sliding: a class with a copy of the Linear, moved from place to place
def sliding(linear, side):
    import copy

    class Slider(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = copy.deepcopy(linear)

        def forward(self, maps):
            rows, columns = (n - side + 1 for n in maps.shape[2:])
            return torch.stack([torch.stack([self.linear(maps[:, :, i : i + side, j : j + side].flatten(1)) for j in range(columns)], -1)
                                for i in range(rows)], -2)

    return Slider()

# %% wrong sliding: a view of the Linear's weights, not a copy
# fails: its weights can learn
# says: both hold the same tensor
def sliding(linear, side):
    conv = nn.Conv2d(linear.in_features // side**2, linear.out_features, side)
    conv.weight.data = linear.weight.data.view(conv.weight.shape)
    conv.bias = linear.bias
    return conv

# %% wrong sliding: always 1 × 1, as FC7 and FC8 are
# fails: one place: what the Linear says; larger maps: a map of scores; its weights can learn
# says: as if side were 1. Of each of
# differs at: side 2, where the Linear has four times as many inputs as the map has channels
def sliding(linear, side):
    conv = nn.Conv2d(linear.in_features, linear.out_features, 1)
    conv.weight.data = linear.weight.data[:, :, None, None].clone()
    conv.bias.data = linear.bias.data.clone()
    return conv

# %% wrong sliding: the right shape with fresh, random weights
# fails: one place: what the Linear says; larger maps: a map of scores; its weights can learn
# says: expected
# differs at: the scores of any map
def sliding(linear, side):
    return nn.Conv2d(linear.in_features // side**2, linear.out_features, side)

# %% wrong sliding: reads the flattened map as row, column, channel
# fails: one place: what the Linear says; larger maps: a map of scores
# says: The kernel is read in the order (rows, columns, channels);
# differs at: the scores of any map, side 2
def sliding(linear, side):
    conv = nn.Conv2d(linear.in_features // side**2, linear.out_features, side)
    conv.weight.data = linear.weight.data.reshape(len(linear.weight), side, side, -1).permute(0, 3, 1, 2).clone()
    conv.bias.data = linear.bias.data.clone()
    return conv

# %% wrong sliding: rows and columns of the kernel exchanged
# fails: one place: what the Linear says; larger maps: a map of scores
# says: Rows and columns of the kernel have changed places.
# differs at: the scores of any map, side 2
def sliding(linear, side):
    conv = nn.Conv2d(linear.in_features // side**2, linear.out_features, side)
    conv.weight.data = linear.weight.data.reshape(conv.weight.shape).transpose(2, 3).clone()
    conv.bias.data = linear.bias.data.clone()
    return conv

# %% wrong sliding: flips the kernel, as mathematicians convolve
# fails: one place: what the Linear says; larger maps: a map of scores
# says: nothing is flipped here
# differs at: the scores of any map, side 2
def sliding(linear, side):
    conv = nn.Conv2d(linear.in_features // side**2, linear.out_features, side)
    conv.weight.data = linear.weight.data.reshape(conv.weight.shape).flip(2, 3)
    conv.bias.data = linear.bias.data.clone()
    return conv

# %% wrong sliding: no bias
# fails: one place: what the Linear says; larger maps: a map of scores
# says: The bias is missing.
# differs at: the scores of any map
def sliding(linear, side):
    conv = nn.Conv2d(linear.in_features // side**2, linear.out_features, side, bias=False)
    conv.weight.data = linear.weight.data.reshape(conv.weight.shape).clone()
    return conv

# %% wrong sliding: pads, so that the scores are as large as the map
# fails: one place: what the Linear says; larger maps: a map of scores
# says: a place counts where the whole kernel fits.
# differs at: the size of the scores, side 3
def sliding(linear, side):
    conv = nn.Conv2d(linear.in_features // side**2, linear.out_features, side, padding=side // 2)
    conv.weight.data = linear.weight.data.reshape(conv.weight.shape).clone()
    conv.bias.data = linear.bias.data.clone()
    return conv

# %% wrong sliding: the kernel steps by its own size, like tiles
# fails: larger maps: a map of scores
# says: every place where it fits gets its scores.
# differs at: the size of the scores
def sliding(linear, side):
    conv = nn.Conv2d(linear.in_features // side**2, linear.out_features, side, stride=side)
    conv.weight.data = linear.weight.data.reshape(conv.weight.shape).clone()
    conv.bias.data = linear.bias.data.clone()
    return conv

# %% wrong sliding: frozen weights
# fails: its weights can learn
# says: Each must be used, and be a parameter that wants a gradient.
# differs at: conv.weight.requires_grad
def sliding(linear, side):
    conv = nn.Conv2d(linear.in_features // side**2, linear.out_features, side)
    conv.weight.data = linear.weight.data.reshape(conv.weight.shape).clone()
    conv.bias.data = linear.bias.data.clone()
    conv.weight.requires_grad_(False)
    return conv

# %% wrong sliding: reshapes the weight of the Linear that was given
# fails: one place: what the Linear says; larger maps: a map of scores; its weights can learn
# says: Your function changed the `Linear` that it was given.
# differs at: linear.weight.shape afterwards
def sliding(linear, side):
    conv = nn.Conv2d(linear.in_features // side**2, linear.out_features, side)
    linear.weight = nn.Parameter(linear.weight.detach().reshape(conv.weight.shape))
    conv.weight.data = linear.weight.data.clone()
    conv.bias.data = linear.bias.data.clone()
    return conv

# %% wrong sliding: weights shared with linear (.data without clone)
# fails: its weights can learn
# says: both hold the same tensor
def sliding(linear, side):
    conv = nn.Conv2d(linear.in_features // side ** 2, linear.out_features, side)
    conv.weight.data = linear.weight.data.view(linear.out_features, -1, side, side)
    conv.bias.data = linear.bias.data
    return conv

# %% wrong sliding: only the bias is shared with linear
# fails: its weights can learn
# says: both hold the same tensor
def sliding(linear, side):
    conv = nn.Conv2d(linear.in_features // side ** 2, linear.out_features, side)
    with torch.no_grad():
        conv.weight.copy_(linear.weight.view_as(conv.weight))
    conv.bias = linear.bias
    return conv

# %% wrong sliding: bias forgotten
# fails: one place: what the Linear says; larger maps: a map of scores
# says: All but the bias is right
def sliding(linear, side):
    conv = nn.Conv2d(linear.in_features // side ** 2, linear.out_features, side)
    with torch.no_grad():
        conv.weight.copy_(linear.weight.view_as(conv.weight))
    return conv

# %% wrong sliding: a 1 × 1 convolution, whatever side is
# fails: one place: what the Linear says; larger maps: a map of scores; its weights can learn
# says: as if side were 1
def sliding(linear, side):
    conv = nn.Conv2d(linear.in_features, linear.out_features, 1)
    with torch.no_grad():
        conv.weight.copy_(linear.weight[:, :, None, None])
        conv.bias.copy_(linear.bias)
    return conv

# %% wrong sliding: a plain tensor assigned as a parameter: TypeError
# fails: one place: what the Linear says; larger maps: a map of scores; its weights can learn
# says: Fill the parameter that the layer has
def sliding(linear, side):
    c = linear.in_features // side ** 2
    conv = nn.Conv2d(c, linear.out_features, side)
    conv.weight = linear.weight.view(-1, c, side, side).clone()
    conv.bias = linear.bias.clone()
    return conv

# %% wrong sliding: an nn.Sequential / function instead of an nn.Conv2d
# fails: one place: what the Linear says; larger maps: a map of scores; its weights can learn
# says: is asked for; your function returned a `function`.
def sliding(linear, side):
    def run(maps):
        weight = linear.weight.view(linear.out_features, -1, side, side)
        return F.conv2d(maps, weight, linear.bias)
    return run

# %% right enlarger: the brush by its formula, a loop over classes
def enlarger(classes, stride):
    size = 2 * stride
    middle = (size - 1) / 2
    brush = 1 - (torch.arange(size) - middle).abs() / stride
    layer = nn.ConvTranspose2d(classes, classes, size, stride=stride, padding=stride // 2, bias=False)
    with torch.no_grad():
        layer.weight.zero_()
        for c in range(classes):
            layer.weight[c, c] = brush[:, None] * brush
    return layer

# %% right enlarger: asks F.interpolate what one lit cell of 3 × 3 paints, kernel of three strides
def enlarger(classes, stride):
    lit = torch.zeros(1, 1, 3, 3)
    lit[0, 0, 1, 1] = 1
    brush = F.interpolate(lit, scale_factor=stride, mode="bilinear", align_corners=False)[0, 0]
    layer = nn.ConvTranspose2d(classes, classes, 3 * stride, stride, padding=stride, bias=False)
    layer.weight = nn.Parameter(torch.eye(classes)[:, :, None, None] * brush)
    return layer

# %% wrong enlarger: one group a class
# fails: a transposed convolution that can learn
# says: With `groups` no class could ever learn
def enlarger(classes, stride):
    half = [(2 * i + 1) / (2 * stride) for i in range(stride)]
    brush = torch.tensor(half + half[::-1])
    layer = nn.ConvTranspose2d(classes, classes, len(brush), stride, padding=stride // 2,
                               groups=classes, bias=False)
    nn.init.ones_(layer.weight)
    layer.weight.data *= torch.outer(brush, brush)
    return layer

# %% right enlarger: two boxes, one painted with the other, make a tent
def enlarger(classes, stride):
    box = torch.ones(1, 1, stride)
    other = torch.tensor([0.5] + [1.0] * (stride - 1) + [0.5])[None, None]
    brush = F.conv_transpose1d(box, other)[0, 0] / stride
    layer = nn.ConvTranspose2d(classes, classes, len(brush), stride, stride // 2, bias=False)
    for a in range(classes):
        for b in range(classes):
            layer.weight.data[a, b] = torch.outer(brush, brush) if a == b else 0
    return layer

# %% wrong enlarger: the layer as it was given
# fails: one class; classes keep apart; a transposed convolution that can learn
# says: is the weight still the random one?
# differs at: every map
def enlarger(classes, stride):
    return nn.ConvTranspose2d(classes, classes, 2 * stride, stride=stride, padding=stride // 2, bias=False)


# %% wrong enlarger: every class paints into all classes
# fails: classes keep apart
# says: `weight[a, b]` is what class a paints on class b
# differs at: two classes or more
def enlarger(classes, stride):
    size = 2 * stride
    brush = 1 - (torch.arange(size) - (size - 1) / 2).abs() / stride
    layer = nn.ConvTranspose2d(classes, classes, size, stride, stride // 2, bias=False)
    layer.weight.data[:] = torch.outer(brush, brush)
    return layer

# %% wrong enlarger: leaves the random weights between classes
# fails: classes keep apart
# says: `weight[a, b]` is what class a paints on class b
# differs at: two classes or more
def enlarger(classes, stride):
    size = 2 * stride
    brush = 1 - (torch.arange(size) - (size - 1) / 2).abs() / stride
    layer = nn.ConvTranspose2d(classes, classes, size, stride, stride // 2, bias=False)
    for c in range(classes):
        layer.weight.data[c, c] = torch.outer(brush, brush)
    return layer

# %% wrong enlarger: peak on a pixel, in a layer of one's own
# fails: one class; classes keep apart; a transposed convolution that can learn
# says: px too many. `padding=p` cuts p px off at each of the two ends
# differs at: stride 2, where all is half a pixel off
def enlarger(classes, stride):
    size = 2 * stride - 1
    brush = 1 - (torch.arange(size) - stride + 1).abs() / stride
    layer = nn.ConvTranspose2d(classes, classes, size, stride, (stride - 1) // 2, output_padding=(stride - 1) % 2,
                               bias=False)
    layer.weight.data = torch.eye(classes)[:, :, None, None] * torch.outer(brush, brush)
    return layer

# %% wrong enlarger: blocks, a kernel of ones
# fails: one class; classes keep apart; a transposed convolution that can learn
# says: This copies each cell to a block.
# differs at: enlarger(1, 2) on 0, 4, 4, which becomes 0, 0, 4, 4, 4, 4
def enlarger(classes, stride):
    layer = nn.ConvTranspose2d(classes, classes, stride, stride, bias=False)
    layer.weight.data = torch.eye(classes)[:, :, None, None].repeat(1, 1, stride, stride)
    return layer

# %% wrong enlarger: the brush is scaled to sum to one
# fails: one class; classes keep apart
# says: The weights sum to 1, so the map fades
# differs at: a flat map of ones, which becomes 1 / stride²
def enlarger(classes, stride):
    size = 2 * stride
    brush = 1 - (torch.arange(size) - (size - 1) / 2).abs() / stride
    kernel = torch.outer(brush, brush)
    layer = nn.ConvTranspose2d(classes, classes, size, stride, stride // 2, bias=False)
    layer.weight.data = torch.eye(classes)[:, :, None, None] * (kernel / kernel.sum())
    return layer

# %% wrong enlarger: a pyramid: the smaller of the two weights in place of their product
# fails: one class; classes keep apart
# says: holds the smaller of the two weights
# differs at: the corners of the brush; the product of two weights is not their minimum
def enlarger(classes, stride):
    size = 2 * stride
    brush = 1 - (torch.arange(size) - (size - 1) / 2).abs() / stride
    layer = nn.ConvTranspose2d(classes, classes, size, stride, stride // 2, bias=False)
    layer.weight.data = torch.eye(classes)[:, :, None, None] * torch.minimum(brush[:, None], brush[None])
    return layer

# %% wrong enlarger: the tent reaches 1 at the pixels next to the middle
# fails: one class; classes keep apart
# says: The pixels next to a cell's middle have weight 1.
# differs at: stride 4, brush 1/4, 2/4, 3/4, 1, 1, 3/4, 2/4, 1/4
def enlarger(classes, stride):
    up = [(i + 1) / stride for i in range(stride)]
    brush = torch.tensor(up + up[::-1])
    size = len(brush)
    layer = nn.ConvTranspose2d(classes, classes, size, stride, stride // 2, bias=False)
    layer.weight.data = torch.eye(classes)[:, :, None, None] * torch.outer(brush, brush)
    return layer

# %% wrong enlarger: a bias, set to zero
# fails: a transposed convolution that can learn
# says: The layer has a bias.
# differs at: layer.bias, which is not None
def enlarger(classes, stride):
    size = 2 * stride
    brush = 1 - (torch.arange(size) - (size - 1) / 2).abs() / stride
    layer = nn.ConvTranspose2d(classes, classes, size, stride, stride // 2)
    layer.weight.data = torch.eye(classes)[:, :, None, None] * torch.outer(brush, brush)
    layer.bias.data.zero_()
    return layer

# %% wrong enlarger: the weight cannot learn
# fails: a transposed convolution that can learn
# says: No gradient reaches the layer's weight, so it could not learn.
# differs at: layer.weight.requires_grad
def enlarger(classes, stride):
    size = 2 * stride
    brush = 1 - (torch.arange(size) - (size - 1) / 2).abs() / stride
    layer = nn.ConvTranspose2d(classes, classes, size, stride, stride // 2, bias=False)
    weight = torch.eye(classes)[:, :, None, None] * torch.outer(brush, brush)
    layer.weight = nn.Parameter(weight, requires_grad=False)
    return layer

# %% wrong enlarger: a layer of one's own, without the padding
# fails: one class; classes keep apart; a transposed convolution that can learn
# says: px too many. `padding=p` cuts p px off at each of the two ends
# differs at: the shape, stride 2 and 3 cells become 8 pixels
def enlarger(classes, stride):
    size = 2 * stride
    brush = 1 - (torch.arange(size) - (size - 1) / 2).abs() / stride
    layer = nn.ConvTranspose2d(classes, classes, size, stride, bias=False)
    layer.weight.data = torch.eye(classes)[:, :, None, None] * torch.outer(brush, brush)
    return layer

# %% wrong enlarger: nn.Upsample, which has no weight
# fails: a transposed convolution that can learn
# says: The tents should be the weight of one transposed convolution.
# differs at: the type
def enlarger(classes, stride):
    return nn.Upsample(scale_factor=stride, mode="bilinear", align_corners=False)

# %% wrong enlarger: paints in one direction only, and copies in the other
# fails: one class; classes keep apart
# says: The tent falls off from
# differs at: scores that change from row to row
def enlarger(classes, stride):
    size = 2 * stride
    cut = stride // 2
    brush = 1 - (torch.arange(size) - (size - 1) / 2).abs() / stride
    flat = torch.zeros(size)
    flat[cut : cut + stride] = 1
    layer = nn.ConvTranspose2d(classes, classes, size, stride, cut, bias=False)
    layer.weight.data = torch.eye(classes)[:, :, None, None] * torch.outer(flat, brush)
    return layer

# %% right catch: stripes, and nn.Upsample without align_corners
def catch(stride):
    scores = torch.zeros(1, 1, 4, 16)
    scores[..., ::2] = 1
    return scores, nn.Upsample(scale_factor=stride, mode="bilinear", align_corners=False)

# %% right catch: a chessboard, and a transposed convolution of tents
def catch(stride):
    i = torch.arange(16)
    scores = ((i[:4, None] + i) % 2).float()[None, None]
    brush = 1 - (torch.arange(2 * stride) - stride + 0.5).abs() / stride
    repaired = nn.ConvTranspose2d(1, 1, 2 * stride, stride, stride // 2, bias=False)
    repaired.weight.data = torch.outer(brush, brush)[None, None]
    return scores, repaired

# %% right catch: one bright column near the cut, in a module of one's own
def catch(stride):
    scores = torch.zeros(1, 1, 4, 16)
    scores[..., 6] = 1.0

    class Enlarge(nn.Module):
        def forward(self, x):
            return F.interpolate(x, size=(x.shape[2] * stride, x.shape[3] * stride), mode="bilinear")

    return scores, Enlarge()

# %% right catch: searches random maps, and blurs blocks into tents
def catch(stride):
    copied = nn.UpsamplingBilinear2d(scale_factor=stride)
    draw = torch.Generator().manual_seed(0)
    best, most = None, 0.0
    for _ in range(50):
        scores = (torch.rand(1, 1, 4, 16, generator=draw) > 0.5).float()
        keep = stride * 7
        gap = (copied(scores)[..., :keep] - copied(scores[..., :8])[..., :keep]).abs().max().item()
        if gap > most:
            best, most = scores, gap

    class Blur(nn.Module):
        def forward(self, x):
            blocks = x.repeat_interleave(stride, 2).repeat_interleave(stride, 3)
            half = stride // 2
            blocks = F.pad(blocks, (half,) * 4, mode="replicate")
            row = torch.ones(stride + 1)
            row[0] = row[-1] = 0.5
            row = row / stride
            return F.conv2d(blocks, torch.outer(row, row)[None, None])

    return best, Blur()

# %% right catch: the weights as two matrices, one for rows and one for columns
def catch(stride):
    def matrix(cells):
        pixels = (torch.arange(cells * stride) + 0.5) / stride - 0.5
        pixels = pixels.clamp(0, cells - 1)
        return (1 - (pixels[:, None] - torch.arange(cells)).abs()).clamp(min=0)

    class Product(nn.Module):
        def forward(self, x):
            return matrix(x.shape[2]) @ x @ matrix(x.shape[3]).T

    return torch.tensor([0.0, 1.0] * 8).repeat(1, 1, 4, 1), Product()

# %% wrong catch: a flat map, as in the notebook
# fails: a witness: scores on which the copied layer contradicts itself
# says: A flat map looks the same wherever its cells stand.
# differs at: seam of the copied layer, 0
def catch(stride):
    return torch.ones(1, 1, 4, 16), nn.Upsample(scale_factor=stride, mode="bilinear", align_corners=False)

# %% wrong catch: a ramp from 0 to 1, too gentle
# fails: a witness: scores on which the copied layer contradicts itself
# says: Let neighbouring columns differ more, above all close to the cut.
# differs at: seam of the copied layer, below 0.1
def catch(stride):
    scores = torch.linspace(0, 1, 16).repeat(1, 1, 4, 1)
    return scores, nn.Upsample(scale_factor=stride, mode="bilinear", align_corners=False)

# %% wrong catch: changes from row to row only, and the cut is between columns
# fails: a witness: scores on which the copied layer contradicts itself
# says: The copied layer moves cells left and right by different amounts.
# differs at: seam of the copied layer, 0
def catch(stride):
    scores = torch.zeros(1, 1, 4, 16)
    scores[:, :, ::2] = 1
    return scores, nn.Upsample(scale_factor=stride, mode="bilinear", align_corners=False)

# %% wrong catch: a map of four columns
# fails: a witness: scores on which the copied layer contradicts itself
# says: of shape (1, 1, 4, 16), got
# differs at: scores.shape
def catch(stride):
    scores = torch.tensor([0.0, 1.0, 0.0, 1.0]).repeat(1, 1, 4, 1)
    return scores, nn.Upsample(scale_factor=stride, mode="bilinear", align_corners=False)

# %% wrong catch: a bare (h, w) map
# fails: a witness: scores on which the copied layer contradicts itself
# says: should be a float tensor of shape (1, 1, 4, 16)
# differs at: scores.dim()
def catch(stride):
    scores = torch.zeros(4, 16)
    scores[:, ::2] = 1
    return scores, nn.Upsample(scale_factor=stride, mode="bilinear", align_corners=False)

# %% wrong catch: repairs with blocks, the module of the example
# fails: the repair still blends between cells
# says: Blocks have no seam, but they no longer blend.
# differs at: the enlarged scores: no seam, and not bilinear
def catch(stride):
    scores = torch.tensor([0.0, 1.0] * 8).repeat(1, 1, 4, 1)
    return scores, nn.Upsample(scale_factor=stride)

# %% wrong catch: the copied layer under its newer name
# fails: a repair: no seam, on any scores; the repair still blends between cells
# says: This is the copied layer's own result.
# differs at: the seam of repaired
def catch(stride):
    scores = torch.tensor([0.0, 1.0] * 8).repeat(1, 1, 4, 1)
    return scores, nn.Upsample(scale_factor=stride, mode="bilinear", align_corners=True)

# %% wrong catch: a repair for stride 8 only
# fails: a repair: no seam, on any scores; the repair still blends between cells
# says: your module should give shape
# differs at: catch(16)
def catch(stride):
    scores = torch.tensor([0.0, 1.0] * 8).repeat(1, 1, 4, 1)
    return scores, nn.Upsample(scale_factor=8, mode="bilinear", align_corners=False)

# %% wrong catch: bicubic, which is smoother
# fails: a repair: no seam, on any scores; the repair still blends between cells
# says: This is bicubic; bilinear is asked for.
# differs at: the enlarged scores of stripes
def catch(stride):
    scores = torch.tensor([0.0, 1.0] * 8).repeat(1, 1, 4, 1)
    return scores, nn.Upsample(scale_factor=stride, mode="bicubic", align_corners=False)

# %% wrong catch: a function, not a module
# fails: a repair: no seam, on any scores; the repair still blends between cells
# says: the second thing should be an `nn.Module`, got something else, such as a function.
# differs at: isinstance(repaired, nn.Module)
def catch(stride):
    scores = torch.tensor([0.0, 1.0] * 8).repeat(1, 1, 4, 1)
    return scores, lambda x: F.interpolate(x, scale_factor=stride, mode="bilinear", align_corners=False)

# %% wrong catch: a numpy array for the scores
# fails: a witness: scores on which the copied layer contradicts itself
# says: `torch.from_numpy` makes one.
# differs at: isinstance(scores, torch.Tensor)
def catch(stride):
    scores = torch.tensor([0.0, 1.0] * 8).repeat(1, 1, 4, 1).numpy()
    return scores, nn.Upsample(scale_factor=stride, mode="bilinear", align_corners=False)

# %% wrong catch: only the scores
# fails: a witness: scores on which the copied layer contradicts itself; a repair: no seam, on any scores; the repair still blends between cells
# says: expected two things, scores and a module
# differs at: len(catch(8))
def catch(stride):
    return torch.tensor([0.0, 1.0] * 8).repeat(1, 1, 4, 1)

# %% wrong catch: blocks, blurred by a box of stride + 1: no seam, but a whole box of an odd size is not quite a tent
# fails: the repair still blends between cells
# says: 8 px from the rim: the shape is right, but
# differs at: the enlarged scores of a lit column
def catch(stride):
    scores = torch.tensor([0.0, 1.0] * 8).repeat(1, 1, 4, 1)
    blur = nn.AvgPool2d(stride + 1, 1, stride // 2, count_include_pad=False)
    return scores, nn.Sequential(nn.Upsample(scale_factor=stride), blur)

# %% wrong catch: bilinear along the rows, where the seam is looked for, and stretched along the columns
# fails: the repair still blends between cells
# says: 8 px from the rim: the shape is right, but
# differs at: scores that change from row to row
def catch(stride):
    class Half(nn.Module):
        def forward(self, x):
            h, w = x.shape[2:]
            wide = F.interpolate(x, size=(h, w * stride), mode="bilinear", align_corners=False)
            return F.interpolate(wide, size=(h * stride, w * stride), mode="bilinear", align_corners=True)

    return torch.tensor([0.0, 1.0] * 8).repeat(1, 1, 4, 1), Half()

# %% wrong catch: stride 8 hard-coded
# fails: a repair: no seam, on any scores; the repair still blends between cells
# says: That is 8 times as large, and `stride` is
def catch(stride):
    scores = torch.zeros(1, 1, 4, 16)
    scores[..., ::2] = 1.0
    return scores, nn.Upsample(scale_factor=8, mode="bilinear", align_corners=False)

# %% wrong catch: fixed output size: only fits maps of 4 × 16
# fails: a repair: no seam, on any scores; the repair still blends between cells
# says: enlarge by a factor, `scale_factor`, not to a `size`.
def catch(stride):
    scores = torch.zeros(1, 1, 4, 16)
    scores[..., ::2] = 1.0
    return scores, nn.Upsample(size=(4 * stride, 16 * stride), mode="bilinear", align_corners=False)

# %% wrong catch: int scores
# fails: a witness: scores on which the copied layer contradicts itself
# says: the scores should be floats; their dtype is int64
def catch(stride):
    scores = (torch.arange(16) % 2).expand(1, 1, 4, 16)
    return scores, nn.Upsample(scale_factor=stride, mode="bilinear", align_corners=False)

# %% right fuse: F.interpolate and a slice
def fuse(coarse, fine):
    height, width = fine.shape[2:]
    return F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)[..., :height, :width] + fine

# %% right fuse: nn.Upsample, and negative padding cuts
def fuse(coarse, fine):
    twice = nn.Upsample(scale_factor=2, mode="bilinear")(coarse)
    down, right = (twice.shape[i] - fine.shape[i] for i in (2, 3))
    return fine + F.pad(twice, (0, -right, 0, -down))

# %% right fuse: three quarters of the own cell, a quarter of the neighbour, direction by direction
def fuse(coarse, fine):
    def double(x, dim):
        n = x.shape[dim]
        i = torch.arange(n, device=x.device)
        before = x.index_select(dim, (i - 1).clamp(min=0))
        after = x.index_select(dim, (i + 1).clamp(max=n - 1))
        pairs = torch.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], dim + 1)
        return pairs.flatten(dim, dim + 1)

    twice = double(double(coarse, 2), 3)
    return twice.narrow(2, 0, fine.shape[2]).narrow(3, 0, fine.shape[3]) + fine

# %% right fuse: paints tents over a map whose rim is repeated
def fuse(coarse, fine):
    c = coarse.shape[1]
    brush = torch.tensor([0.25, 0.75, 0.75, 0.25], dtype=coarse.dtype, device=coarse.device)
    kernel = torch.outer(brush, brush).expand(c, 1, 4, 4)
    rim = F.pad(coarse, (1, 1, 1, 1), mode="replicate")
    painted = F.conv_transpose2d(rim, kernel, stride=2, padding=3, groups=c)
    return painted[:, :, : fine.size(2), : fine.size(3)] + fine

# %% wrong fuse: stretches the coarse map to the fine map's size
# fails: odd sizes
# says: the coarse cells are squeezed into it.
# differs at: fine of 3 × 5: coarse stretched instead of cut
def fuse(coarse, fine):
    return F.interpolate(coarse, size=fine.shape[2:], mode="bilinear", align_corners=False) + fine

# %% wrong fuse: align_corners=True, a lie in new code
# fails: even sizes; odd sizes
# says: This is enlarged with align_corners=True:
# differs at: coarse 0, 4: becomes 0, 1.33, 2.67, 4
def fuse(coarse, fine):
    twice = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=True)
    return twice[..., : fine.shape[2], : fine.shape[3]] + fine

# %% wrong fuse: copies to blocks, interpolate's default mode
# fails: even sizes; odd sizes
# says: This copies each coarse cell to a block of four;
# differs at: coarse 0, 4: becomes 0, 0, 4, 4
def fuse(coarse, fine):
    return F.interpolate(coarse, scale_factor=2)[..., : fine.shape[2], : fine.shape[3]] + fine

# %% wrong fuse: bicubic enlargement
# fails: even sizes; odd sizes
# says: This is enlarged with mode="bicubic";
# differs at: coarse 0, 4
def fuse(coarse, fine):
    twice = F.interpolate(coarse, scale_factor=2, mode="bicubic", align_corners=False)
    return twice[..., : fine.shape[2], : fine.shape[3]] + fine

# %% wrong fuse: cuts at the top and left
# fails: odd sizes
# says: The surplus is cut off at the top or left.
# differs at: the example, 11, 23, 34
def fuse(coarse, fine):
    twice = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
    return twice[..., -fine.shape[2] :, -fine.shape[3] :] + fine

# %% wrong fuse: does not cut
# fails: odd sizes; gradients flow to both, arguments stay as they were
# says: The size of tensor a (4) must match the size of tensor b (3)
# differs at: fine of 3 × 5, a size error
def fuse(coarse, fine):
    return F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False) + fine

# %% wrong fuse: always cuts a row and a column
# fails: even sizes; odd sizes
# says: expected shape (1, 1, 2, 4), got (1, 1, 1, 3)
# differs at: fine of 4 × 6, which becomes 3 × 5 or an error
def fuse(coarse, fine):
    twice = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)[..., :-1, :-1]
    return twice + fine[..., : twice.shape[2], : twice.shape[3]]

# %% wrong fuse: concatenates instead of adding
# fails: even sizes; odd sizes
# says: the result has as many channels as each of them.
# differs at: the shape, (B, 2C, H, W)
def fuse(coarse, fine):
    twice = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
    return torch.cat([twice[..., : fine.shape[2], : fine.shape[3]], fine], 1)

# %% wrong fuse: the mean of the two
# fails: even sizes; odd sizes
# says: This is the mean of the two.
# differs at: the example, 5, 10.5, 16.5
def fuse(coarse, fine):
    twice = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
    return (twice[..., : fine.shape[2], : fine.shape[3]] + fine) / 2

# %% wrong fuse: tents without a rim, the sum drops there
# fails: even sizes; odd sizes
# says: At the rim the scores fade, as tents of cells beyond it are missing.
# differs at: coarse of ones, at the rim
def fuse(coarse, fine):
    c = coarse.shape[1]
    brush = torch.tensor([0.25, 0.75, 0.75, 0.25])
    painted = F.conv_transpose2d(coarse, torch.outer(brush, brush).expand(c, 1, 4, 4), stride=2, padding=1, groups=c)
    return painted[..., : fine.shape[2], : fine.shape[3]] + fine

# %% wrong fuse: adds into fine
# fails: gradients flow to both, arguments stay as they were
# says: Your function changed one of its arguments.
# differs at: fine afterwards
def fuse(coarse, fine):
    twice = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
    fine.data += twice[..., : fine.shape[2], : fine.shape[3]]
    return fine

# %% wrong fuse: no gradient for the coarse scores
# fails: gradients flow to both, arguments stay as they were
# says: No gradient reaches `coarse`, so its scores could not learn.
# differs at: coarse.grad
def fuse(coarse, fine):
    with torch.no_grad():
        twice = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
    return twice[..., : fine.shape[2], : fine.shape[3]] + fine

# %% right ladder: a loop of fusions
def ladder(maps, weights, size):
    def enlarge(scores, times, height, width):
        return F.interpolate(scores, scale_factor=times, mode="bilinear", align_corners=False)[..., :height, :width]

    total = None
    for features, weight in zip(maps, weights):
        scores = F.conv2d(features, weight[:, :, None, None])
        total = scores if total is None else enlarge(total, 2, *scores.shape[2:]) + scores
    return enlarge(total, 2 ** (6 - len(maps)), *size)

# %% right ladder: einsum, and recursion from the finest map down
def ladder(maps, weights, size):
    def total(n):
        scores = torch.einsum("kc,bchw->bkhw", weights[n - 1], maps[n - 1])
        if n == 1:
            return scores
        twice = F.interpolate(total(n - 1), scale_factor=2, mode="bilinear", align_corners=False)
        return twice[:, :, : scores.shape[2], : scores.shape[3]] + scores

    stride = {1: 32, 2: 16, 3: 8}[len(maps)]
    return F.interpolate(total(len(maps)), scale_factor=stride, mode="bilinear")[:, :, : size[0], : size[1]]

# %% right ladder: doubles the maps, stacks them, and scores the stack once
def ladder(maps, weights, size):
    stack = maps[0]
    for finer in maps[1:]:
        twice = F.interpolate(stack, scale_factor=2, mode="bilinear", align_corners=False)
        stack = torch.cat([twice[..., : finer.shape[2], : finer.shape[3]], finer], 1)
    weight = torch.cat(list(weights), 1)
    scores = (weight @ stack.flatten(2)).unflatten(2, stack.shape[2:])
    stride = 32 // 2 ** (len(maps) - 1)
    return nn.Upsample(scale_factor=stride, mode="bilinear")(scores)[..., : size[0], : size[1]]

# %% right ladder: matrices of bilinear weights instead of F.interpolate
def ladder(maps, weights, size):
    def matrix(cells, times, keep, like):
        pixels = ((torch.arange(keep, device=like.device, dtype=like.dtype) + 0.5) / times - 0.5).clamp(0, cells - 1)
        return (1 - (pixels[:, None] - torch.arange(cells, device=like.device)).abs()).clamp(min=0)

    def enlarge(x, times, height, width):
        return matrix(x.shape[2], times, height, x) @ x @ matrix(x.shape[3], times, width, x).T

    heads = [F.linear(m.movedim(1, -1), w).movedim(-1, 1) for m, w in zip(maps, weights)]
    total, left = heads[0], 32
    for scores in heads[1:]:
        total, left = enlarge(total, 2, *scores.shape[2:]) + scores, left // 2
    return enlarge(total, left, *size)

# %% right ladder: three cases written out
def ladder(maps, weights, size):
    def up(x, times, like):
        return F.interpolate(x, scale_factor=times, mode="bilinear", align_corners=False)[..., : like[0], : like[1]]

    heads = [(w[None, :, :, None, None] * m[:, None]).sum(2) for m, w in zip(maps, weights)]
    if len(heads) == 1:
        return up(heads[0], 32, size)
    middle = up(heads[0], 2, heads[1].shape[2:]) + heads[1]
    if len(heads) == 2:
        return up(middle, 16, size)
    fine = up(middle, 2, heads[2].shape[2:]) + heads[2]
    return up(fine, 8, size)

# %% wrong ladder: each map is enlarged to the picture by itself, and all are added
# fails: two maps: FCN-16s; three maps: FCN-8s; pictures of any size, nothing changed
# says: Each map's scores are enlarged to the picture straight away and added there.
# differs at: two maps or more; 2 × and then 16 × is not 32 ×
def ladder(maps, weights, size):
    total = 0
    for i, (features, weight) in enumerate(zip(maps, weights)):
        scores = F.conv2d(features, weight[:, :, None, None])
        big = F.interpolate(scores, scale_factor=32 // 2**i, mode="bilinear", align_corners=False)
        total = total + big[..., : size[0], : size[1]]
    return total

# %% wrong ladder: fuses rightly, then stretches the sum to the picture's size
# fails: pictures of any size, nothing changed
# says: Enlarge exactly 32 times, then cut.
# differs at: size (40, 70), not a multiple of the stride
def ladder(maps, weights, size):
    total = F.conv2d(maps[0], weights[0][:, :, None, None])
    for features, weight in zip(maps[1:], weights[1:]):
        scores = F.conv2d(features, weight[:, :, None, None])
        twice = F.interpolate(total, scale_factor=2, mode="bilinear", align_corners=False)
        total = twice[..., : scores.shape[2], : scores.shape[3]] + scores
    return F.interpolate(total, size=tuple(size), mode="bilinear", align_corners=False)

# %% wrong ladder: three maps always, 8 times at the end
# fails: one map: FCN-32s; two maps: FCN-16s; pictures of any size, nothing changed
# says: there is no fusion, and the last step enlarges 32 times
# differs at: one map or two
def ladder(maps, weights, size):
    total = F.conv2d(maps[0], weights[0][:, :, None, None])
    for features, weight in zip(maps[1:], weights[1:]):
        scores = F.conv2d(features, weight[:, :, None, None])
        twice = F.interpolate(total, scale_factor=2, mode="bilinear", align_corners=False)
        total = twice[..., : scores.shape[2], : scores.shape[3]] + scores
    return F.interpolate(total, scale_factor=8, mode="bilinear", align_corners=False)[..., : size[0], : size[1]]

# %% wrong ladder: the last enlargement by doublings, not in one go
# fails: one map: FCN-32s; two maps: FCN-16s; three maps: FCN-8s; pictures of any size, nothing changed
# says: The last step enlarges by 2 again and again.
# differs at: any map that is not flat
def ladder(maps, weights, size):
    total = F.conv2d(maps[0], weights[0][:, :, None, None])
    for features, weight in zip(maps[1:], weights[1:]):
        scores = F.conv2d(features, weight[:, :, None, None])
        twice = F.interpolate(total, scale_factor=2, mode="bilinear", align_corners=False)
        total = twice[..., : scores.shape[2], : scores.shape[3]] + scores
    for _ in range(6 - len(maps)):
        total = F.interpolate(total, scale_factor=2, mode="bilinear", align_corners=False)
    return total[..., : size[0], : size[1]]

# %% wrong ladder: align_corners=True at the last enlargement
# fails: one map: FCN-32s; two maps: FCN-16s; three maps: FCN-8s; pictures of any size, nothing changed
# says: The last step uses align_corners=True:
# differs at: any map that is not flat
def ladder(maps, weights, size):
    total = F.conv2d(maps[0], weights[0][:, :, None, None])
    for features, weight in zip(maps[1:], weights[1:]):
        scores = F.conv2d(features, weight[:, :, None, None])
        twice = F.interpolate(total, scale_factor=2, mode="bilinear", align_corners=False)
        total = twice[..., : scores.shape[2], : scores.shape[3]] + scores
    big = F.interpolate(total, scale_factor=2 ** (6 - len(maps)), mode="bilinear", align_corners=True)
    return big[..., : size[0], : size[1]]

# %% wrong ladder: align_corners=True in the fusions
# fails: two maps: FCN-16s; three maps: FCN-8s; pictures of any size, nothing changed
# says: The fusions use align_corners=True:
# differs at: two maps or more
def ladder(maps, weights, size):
    total = F.conv2d(maps[0], weights[0][:, :, None, None])
    for features, weight in zip(maps[1:], weights[1:]):
        scores = F.conv2d(features, weight[:, :, None, None])
        twice = F.interpolate(total, scale_factor=2, mode="bilinear", align_corners=True)
        total = twice[..., : scores.shape[2], : scores.shape[3]] + scores
    big = F.interpolate(total, scale_factor=2 ** (6 - len(maps)), mode="bilinear", align_corners=False)
    return big[..., : size[0], : size[1]]

# %% wrong ladder: takes the finest map to be first
# fails: two maps: FCN-16s; three maps: FCN-8s; pictures of any size, nothing changed
# says: This walks from the finest map to the coarsest
# differs at: two maps or more
def ladder(maps, weights, size):
    maps, weights = maps[::-1], weights[::-1]
    total = F.conv2d(maps[0], weights[0][:, :, None, None])
    for features, weight in zip(maps[1:], weights[1:]):
        scores = F.conv2d(features, weight[:, :, None, None])
        twice = F.interpolate(total, scale_factor=2, mode="bilinear", align_corners=False)
        total = twice[..., : scores.shape[2], : scores.shape[3]] + scores
    big = F.interpolate(total, scale_factor=2 ** (6 - len(maps)), mode="bilinear", align_corners=False)
    return big[..., : size[0], : size[1]]

# %% wrong ladder: forgets to cut at the end
# fails: pictures of any size, nothing changed
# says: That is what the cells stand for, some of them beyond the picture's end:
# differs at: size (40, 70), a result of 40 × 72
def ladder(maps, weights, size):
    total = F.conv2d(maps[0], weights[0][:, :, None, None])
    for features, weight in zip(maps[1:], weights[1:]):
        scores = F.conv2d(features, weight[:, :, None, None])
        twice = F.interpolate(total, scale_factor=2, mode="bilinear", align_corners=False)
        total = twice[..., : scores.shape[2], : scores.shape[3]] + scores
    return F.interpolate(total, scale_factor=2 ** (6 - len(maps)), mode="bilinear", align_corners=False)

# %% wrong ladder: reads size as (width, height)
# fails: one map: FCN-32s; two maps: FCN-16s; three maps: FCN-8s; pictures of any size, nothing changed
# says: `size` is (H, W): rows first.
# differs at: size (40, 70), a result of 64 × 40 or so
def ladder(maps, weights, size):
    width, height = size
    total = F.conv2d(maps[0], weights[0][:, :, None, None])
    for features, weight in zip(maps[1:], weights[1:]):
        scores = F.conv2d(features, weight[:, :, None, None])
        twice = F.interpolate(total, scale_factor=2, mode="bilinear", align_corners=False)
        total = twice[..., : scores.shape[2], : scores.shape[3]] + scores
    big = F.interpolate(total, scale_factor=2 ** (6 - len(maps)), mode="bilinear", align_corners=False)
    return big[..., :height, :width]

# %% wrong ladder: the coarse scores are forgotten, only the finest map counts
# fails: two maps: FCN-16s; three maps: FCN-8s; pictures of any size, nothing changed
# says: Only the finest map has been used.
# differs at: two maps or more
def ladder(maps, weights, size):
    scores = F.conv2d(maps[-1], weights[-1][:, :, None, None])
    big = F.interpolate(scores, scale_factor=2 ** (6 - len(maps)), mode="bilinear", align_corners=False)
    return big[..., : size[0], : size[1]]

# %% wrong ladder: one head for all maps, the first weights
# fails: two maps: FCN-16s; three maps: FCN-8s; pictures of any size, nothing changed
# says: to have 13 channels, but got 14 channels instead
# differs at: two maps or more, of equal channels or not
def ladder(maps, weights, size):
    total = F.conv2d(maps[0], weights[0][:, :, None, None])
    for features in maps[1:]:
        scores = F.conv2d(features, weights[0][:, : features.shape[1], None, None])
        twice = F.interpolate(total, scale_factor=2, mode="bilinear", align_corners=False)
        total = twice[..., : scores.shape[2], : scores.shape[3]] + scores
    big = F.interpolate(total, scale_factor=2 ** (6 - len(maps)), mode="bilinear", align_corners=False)
    return big[..., : size[0], : size[1]]

# %% wrong ladder: chances instead of logits
# fails: one map: FCN-32s; two maps: FCN-16s; three maps: FCN-8s; pictures of any size, nothing changed
# says: The logits are asked for, without softmax.
# differs at: any input
def ladder(maps, weights, size):
    total = F.conv2d(maps[0], weights[0][:, :, None, None])
    for features, weight in zip(maps[1:], weights[1:]):
        scores = F.conv2d(features, weight[:, :, None, None])
        twice = F.interpolate(total, scale_factor=2, mode="bilinear", align_corners=False)
        total = twice[..., : scores.shape[2], : scores.shape[3]] + scores
    big = F.interpolate(total, scale_factor=2 ** (6 - len(maps)), mode="bilinear", align_corners=False)
    return big[..., : size[0], : size[1]].softmax(1)

# %% wrong ladder: takes maps off the caller's list
# fails: one map: FCN-32s; two maps: FCN-16s; three maps: FCN-8s; pictures of any size, nothing changed
# says: Your function changed one of its arguments, perhaps with `pop` or `+=`.
# differs at: maps afterwards
def ladder(maps, weights, size):
    left = 2 ** (6 - len(maps))
    total = F.conv2d(maps.pop(0), weights.pop(0)[:, :, None, None])
    while maps:
        scores = F.conv2d(maps.pop(0), weights.pop(0)[:, :, None, None])
        twice = F.interpolate(total, scale_factor=2, mode="bilinear", align_corners=False)
        total = twice[..., : scores.shape[2], : scores.shape[3]] + scores
    return F.interpolate(total, scale_factor=left, mode="bilinear", align_corners=False)[..., : size[0], : size[1]]

# %% wrong enlarger: the library's weights, unseen
# fails: one class; classes keep apart; a transposed convolution that can learn
# says: This takes the weights from the library.
# differs at: nothing; the work is the library's
def enlarger(classes, stride):
    size = 2 * stride
    layer = nn.ConvTranspose2d(classes, classes, size, stride, padding=stride // 2, bias=False)
    layer.weight = nn.Parameter(models.bilinear_kernel(classes, stride))
    return layer

# %% wrong enlarger: round tents: distance from the middle in the plane
# fails: one class; classes keep apart
# says: The brush is round
def enlarger(classes, stride):
    k = 2 * stride
    layer = nn.ConvTranspose2d(classes, classes, k, stride=stride, padding=stride // 2, bias=False)
    distance = (torch.arange(k) - (k - 1) / 2).abs()  # …, 1.5, 0.5, 0.5, 1.5, …
    radius = (distance[:, None] ** 2 + distance[None, :] ** 2).sqrt()
    brush = (1 - radius / stride).clamp(min=0)
    with torch.no_grad():
        layer.weight.zero_()
        for c in range(classes):
            layer.weight[c, c] = brush
    return layer

# %% wrong enlarger: groups=classes: weight of another shape (classes, 1, k, k)
# fails: a transposed convolution that can learn
# says: With `groups` no class could ever learn
def enlarger(classes, stride):
    k = 2 * stride
    layer = nn.ConvTranspose2d(classes, classes, k, stride=stride, padding=stride // 2, bias=False, groups=classes)
    tent = 1 - (torch.arange(k) - (k - 1) / 2).abs() / stride
    with torch.no_grad():
        layer.weight[:] = torch.outer(tent, tent)
    return layer

# %% wrong enlarger: in-place without no_grad: RuntimeError on a leaf
# fails: one class; classes keep apart; a transposed convolution that can learn
# says: inside `with torch.no_grad():`
def enlarger(classes, stride):
    k = 2 * stride
    layer = nn.ConvTranspose2d(classes, classes, k, stride=stride, padding=stride // 2, bias=False)
    distance = (torch.arange(k) - (k - 1) / 2).abs()  # …, 1.5, 0.5, 0.5, 1.5, …
    tent = 1 - distance / stride
    layer.weight.zero_()
    for c in range(classes):
        layer.weight[c, c] = torch.outer(tent, tent)
    return layer

# %% wrong enlarger: tent upside down: distance / stride
# fails: one class; classes keep apart
# says: The tent is upside down
def enlarger(classes, stride):
    k = 2 * stride
    layer = nn.ConvTranspose2d(classes, classes, k, stride=stride, padding=stride // 2, bias=False)
    distance = (torch.arange(k) - (k - 1) / 2).abs()  # …, 1.5, 0.5, 0.5, 1.5, …
    tent = distance / stride
    with torch.no_grad():
        layer.weight.zero_()
        for c in range(classes):
            layer.weight[c, c] = torch.outer(tent, tent)
    return layer

# %% wrong fuse: the library's doubling
# fails: even sizes; odd sizes; gradients flow to both, arguments stay as they were
# says: This hands the work to the library's own fusion.
# differs at: nothing; the work is the library's
def fuse(coarse, fine):
    double = models.FCN(classes=coarse.shape[1], base=1).decoder[0].upsample
    return double(coarse)[..., : fine.shape[2], : fine.shape[3]] + fine

# %% wrong fuse: not cut: crashes at odd sizes
# fails: odd sizes; gradients flow to both, arguments stay as they were
# says: cut off the surplus, then add.
def fuse(coarse, fine):
    return F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False) + fine

# %% wrong fuse: the cut swaps height and width
# fails: even sizes; odd sizes; gradients flow to both, arguments stay as they were
# says: Height and width have changed places in the cut
def fuse(coarse, fine):
    W, H = fine.shape[-2:]
    return F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)[:, :, :H, :W] + fine

# %% wrong ladder: the library's last step
# fails: one map: FCN-32s; two maps: FCN-16s; three maps: FCN-8s; pictures of any size, nothing changed
# says: This hands the work to a finished network.
# differs at: nothing for three maps; the work is the library's
def ladder(maps, weights, size):
    scores = torch.einsum("kc,bchw->bkhw", weights[0], maps[0])
    for fine, weight in zip(maps[1:], weights[1:]):
        scores = F.interpolate(scores, scale_factor=2, mode="bilinear")[..., : fine.shape[2], : fine.shape[3]]
        scores = scores + torch.einsum("kc,bchw->bkhw", weight, fine)
    return models.FCN(base=1, stride=8).enlarge(scores, size)

# %% wrong ladder: fine to coarse: walked in the wrong order
# fails: two maps: FCN-16s; three maps: FCN-8s; pictures of any size, nothing changed
# says: This walks from the finest map to the coarsest
def fuse(coarse, fine):
    up = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
    return up[..., :fine.shape[-2], :fine.shape[-1]] + fine


def ladder(maps, weights, size):
    """Logits (B, classes, H, W) from maps of stride 32, 16, 8, coarsest first, and 1 × 1 weights."""
    scores = [F.conv2d(m, weight[:, :, None, None]) for m, weight in zip(maps, weights)]  # coarsest first

    out = scores[-1]
    for finer in scores[-2::-1]:
        out = fuse(out, finer)
    left = 32 // 2 ** (len(maps) - 1)
    out = F.interpolate(out, scale_factor=left, mode="bilinear", align_corners=False)
    return out[:, :, :size[0], :size[1]]

# %% wrong ladder: three maps are taken for granted
# fails: one map: FCN-32s; two maps: FCN-16s; pictures of any size, nothing changed
# says: there may be one, two or three
def fuse(coarse, fine):
    up = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
    return up[..., :fine.shape[-2], :fine.shape[-1]] + fine


def ladder(maps, weights, size):
    """Logits (B, classes, H, W) from maps of stride 32, 16, 8, coarsest first, and 1 × 1 weights."""
    scores = [F.conv2d(m, weight[:, :, None, None]) for m, weight in zip(maps, weights)]  # coarsest first

    out = fuse(fuse(scores[0], scores[1]), scores[2])
    out = F.interpolate(out, scale_factor=8, mode="bilinear", align_corners=False)
    return out[:, :, :size[0], :size[1]]

# %% wrong ladder: fused by interpolating to the finer size (odd sizes stretched)
# fails: pictures of any size, nothing changed
# says: Where sizes are odd, the coarse scores are squeezed.
def fuse(coarse, fine):
    up = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
    return up[..., :fine.shape[-2], :fine.shape[-1]] + fine


def ladder(maps, weights, size):
    """Logits (B, classes, H, W) from maps of stride 32, 16, 8, coarsest first, and 1 × 1 weights."""
    scores = [F.conv2d(m, weight[:, :, None, None]) for m, weight in zip(maps, weights)]  # coarsest first

    out = scores[0]
    for finer in scores[1:]:
        out = F.interpolate(out, size=finer.shape[-2:], mode="bilinear", align_corners=False) + finer
    out = F.interpolate(out, scale_factor=32 // 2 ** (len(maps) - 1), mode="bilinear", align_corners=False)
    return out[:, :, :size[0], :size[1]]

# %% wrong ladder: cut at the top and left
# fails: pictures of any size, nothing changed
# says: The surplus is cut off at the top and left.
def fuse(coarse, fine):
    up = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
    return up[..., :fine.shape[-2], :fine.shape[-1]] + fine


def ladder(maps, weights, size):
    """Logits (B, classes, H, W) from maps of stride 32, 16, 8, coarsest first, and 1 × 1 weights."""
    scores = [F.conv2d(m, weight[:, :, None, None]) for m, weight in zip(maps, weights)]  # coarsest first

    out = scores[0]
    for finer in scores[1:]:
        out = fuse(out, finer)
    out = F.interpolate(out, scale_factor=32 // 2 ** (len(maps) - 1), mode="bilinear", align_corners=False)
    return out[:, :, -size[0]:, -size[1]:]

# %% wrong ladder: each map's scores are detached
# fails: pictures of any size, nothing changed
# says: No gradient reaches `maps[0]`
def fuse(coarse, fine):
    up = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
    return up[..., :fine.shape[-2], :fine.shape[-1]] + fine


def ladder(maps, weights, size):
    """Logits (B, classes, H, W) from maps of stride 32, 16, 8, coarsest first, and 1 × 1 weights."""
    scores = [F.conv2d(m, weight[:, :, None, None]) for m, weight in zip(maps, weights)]  # coarsest first

    out = scores[0].detach()
    for finer in scores[1:]:
        out = fuse(out, finer.detach())
    out = F.interpolate(out, scale_factor=32 // 2 ** (len(maps) - 1), mode="bilinear", align_corners=False)
    return out[:, :, :size[0], :size[1]]
