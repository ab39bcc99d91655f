"""Answers to lesson 00_start_here, right and wrong, by people who saw the student's notebook and not its checks.

Read by tests/answers.py. A wrong answer names its misconception, an input on which it lies, and what it must be told.
"""

# %% right count_pixels: one comparison a class
def count_pixels(mask, classes):
    return torch.tensor([(mask == c).sum().item() for c in range(classes)])

# %% right count_pixels: bincount of the labelled pixels
def count_pixels(mask, classes):
    labelled = mask[mask != 255]
    return torch.bincount(labelled, minlength=classes)

# %% right count_pixels: bincount of everything, cut off after the classes
def count_pixels(mask, classes):
    return torch.bincount(mask.flatten(), minlength=classes)[:classes]

# %% right count_pixels: plain Python loop over the pixels
def count_pixels(mask, classes):
    counts = [0] * classes
    for label in mask.flatten().tolist():
        if label != 255:
            counts[label] += 1
    return torch.tensor(counts, dtype=torch.int64)

# %% right count_pixels: unique, then fill a tensor of zeros
def count_pixels(mask, classes):
    counts = torch.zeros(classes, dtype=torch.long)
    labels, n = torch.unique(mask, return_counts=True)
    for l, k in zip(labels, n):
        if l != 255:
            counts[l] = k
    return counts

# %% right count_pixels: broadcast comparison
def count_pixels(mask, classes):
    names = torch.arange(classes)
    return (mask.reshape(-1, 1) == names).sum(dim=0)

# %% wrong count_pixels: counts label 255 as a class (256 entries)
# fails: pixels labelled 255 are left out
# says: Label 255 was counted as a class; leave those pixels out.
# differs at: count_pixels(torch.tensor([[0, 255]]), 2)
def count_pixels(mask, classes):
    return torch.bincount(mask.flatten(), minlength=classes)

# %% wrong count_pixels: no minlength, a last class that is absent is cut off
# fails: a class that does not occur counts 0
# says: Classes that do not occur are missing; they have a count of
# differs at: count_pixels(torch.tensor([[0, 1]]), 3)
def count_pixels(mask, classes):
    return torch.bincount(mask[mask != 255])

# %% wrong count_pixels: unique drops the absent classes
# fails: a class that does not occur counts 0
# says: Classes that do not occur are missing; they have a count of
# differs at: count_pixels(torch.tensor([[0, 2]]), 3)
def count_pixels(mask, classes):
    labels, counts = torch.unique(mask[mask != 255], return_counts=True)
    return counts

# %% wrong count_pixels: float counts
# fails: every class is counted; a class that does not occur counts 0; pixels labelled 255 are left out; a batch of masks is counted together
# says: the counts are right, but their dtype is float
# differs at: count_pixels(torch.tensor([[0, 1]]), 2)
def count_pixels(mask, classes):
    counts = torch.zeros(classes)
    for c in range(classes):
        counts[c] = (mask == c).sum()
    return counts

# %% wrong count_pixels: int32 counts
# fails: every class is counted; a class that does not occur counts 0; pixels labelled 255 are left out; a batch of masks is counted together
# says: the counts are right, but their dtype is int
# differs at: count_pixels(torch.tensor([[0, 1]]), 2)
def count_pixels(mask, classes):
    counts = torch.zeros(classes, dtype=torch.int32)
    for c in range(classes):
        counts[c] = (mask == c).sum()
    return counts

# %% wrong count_pixels: a Python list
# fails: every class is counted; a class that does not occur counts 0; pixels labelled 255 are left out; a batch of masks is counted together
# says: the counts are right, but they are a `list`; make a tensor of them.
# differs at: count_pixels(torch.tensor([[0, 1]]), 2)
def count_pixels(mask, classes):
    return [int((mask == c).sum()) for c in range(classes)]

# %% wrong count_pixels: a numpy array
# fails: every class is counted; a class that does not occur counts 0; pixels labelled 255 are left out; a batch of masks is counted together
# says: Return a tensor; `torch.from_numpy` makes one.
# differs at: count_pixels(torch.tensor([[0, 1]]), 2)
def count_pixels(mask, classes):
    import numpy as np
    m = mask.numpy().ravel()
    return np.bincount(m[m != 255], minlength=classes)

# %% wrong count_pixels: the example's answer hard-coded
# fails: every class is counted; a class that does not occur counts 0; pixels labelled 255 are left out; a batch of masks is counted together
# says: expected shape
# differs at: count_pixels(torch.tensor([[0, 1]]), 2)
def count_pixels(mask, classes):
    return torch.tensor([2, 0, 3])

# %% wrong count_pixels: always three classes
# fails: every class is counted; a class that does not occur counts 0; pixels labelled 255 are left out
# says: expected shape
# differs at: count_pixels(torch.tensor([[0, 3]]), 4)
def count_pixels(mask, classes):
    return torch.stack([(mask == 0).sum(), (mask == 1).sum(), (mask == 2).sum()])

# %% wrong count_pixels: only 2-D masks
# fails: a batch of masks is counted together
# says: your code stopped with ValueError
# differs at: count_pixels(torch.tensor([[[0, 1]], [[1, 1]]]), 2)
def count_pixels(mask, classes):
    h, w = mask.shape
    counts = torch.zeros(classes, dtype=torch.int64)
    for y in range(h):
        for x in range(w):
            if mask[y, x] != 255:
                counts[mask[y, x]] += 1
    return counts

# %% wrong count_pixels: one row for each picture of a batch
# fails: a batch of masks is counted together
# says: expected shape
# differs at: count_pixels(torch.tensor([[[0, 1]], [[1, 1]]]), 2)
def count_pixels(mask, classes):
    return torch.stack([(mask == c).sum(dim=(-2, -1)) for c in range(classes)], dim=-1)

# %% wrong count_pixels: clamp puts 255 into the last class
# fails: pixels labelled 255 are left out
# says: expected int
# differs at: count_pixels(torch.tensor([[0, 255]]), 2)
def count_pixels(mask, classes):
    return torch.bincount(mask.clamp(max=classes - 1).flatten(), minlength=classes)

# %% wrong count_pixels: unlabelled pixels are counted as class 0
# fails: pixels labelled 255 are left out
# says: expected int
# differs at: count_pixels(torch.tensor([[1, 255]]), 2)
def count_pixels(mask, classes):
    mask = torch.where(mask == 255, torch.zeros_like(mask), mask)
    return torch.bincount(mask.flatten(), minlength=classes)

# %% wrong count_pixels: forgets 255, index out of range
# fails: pixels labelled 255 are left out
# says: your code stopped with RuntimeError
# differs at: count_pixels(torch.tensor([[1, 255]]), 2)
def count_pixels(mask, classes):
    return F.one_hot(mask.flatten(), classes).sum(0)

# %% wrong count_pixels: right numbers but overwrites 255 in the mask it was given
# fails: pixels labelled 255 are left out
# says: Work on a copy, or don't write into it.
# differs at: count_pixels(torch.tensor([[0, 255]]), 2)
def count_pixels(mask, classes):
    mask[mask == 255] = classes
    return torch.bincount(mask.flatten(), minlength=classes + 1)[:classes]

# %% wrong count_pixels: shares instead of counts
# fails: every class is counted; a class that does not occur counts 0; pixels labelled 255 are left out; a batch of masks is counted together
# says: These are shares; count pixels.
# differs at: count_pixels(torch.tensor([[0, 1]]), 2)
def count_pixels(mask, classes):
    return torch.stack([(mask == c).float().mean() for c in range(classes)])

# %% wrong count_pixels: counts in uint8, which wraps around at 256
# fails: every class is counted
# says: expected int
# differs at: count_pixels(torch.zeros(20, 20, dtype=torch.int64), 2)
def count_pixels(mask, classes):
    m = mask.flatten().to(torch.uint8)
    return torch.stack([(m == c).to(torch.uint8).sum(dtype=torch.uint8) for c in range(classes)]).long()

# %% wrong count_pixels: whether the class occurs, not how often
# fails: every class is counted; a class that does not occur counts 0; pixels labelled 255 are left out; a batch of masks is counted together
# says: This says whether a class occurs; count how often.
# differs at: count_pixels(torch.tensor([[0, 1, 1]]), 2)
def count_pixels(mask, classes):
    return torch.tensor([int(c in mask) for c in range(classes)])

# %% wrong count_pixels: an extra count for the unlabelled pixels is appended
# fails: every class is counted; a class that does not occur counts 0; pixels labelled 255 are left out; a batch of masks is counted together
# says: The last one counts the pixels that nobody labelled
def count_pixels(mask, classes):
    m = mask.clone()
    m[m == 255] = classes
    return torch.bincount(m.flatten(), minlength=classes + 1)

# %% right colour: palette with white up to row 255
def colour(mask, palette):
    table = torch.ones(256, 3)
    table[:len(palette)] = palette
    return table[mask].permute(2, 0, 1)

# %% right colour: paint a white canvas class by class
def colour(mask, palette):
    h, w = mask.shape
    out = torch.ones(3, h, w)
    for i in range(len(palette)):
        out[:, mask == i] = palette[i].unsqueeze(1)
    return out

# %% right colour: white appended to the palette, 255 renamed in a copy
def colour(mask, palette):
    n = palette.shape[0]
    index = mask.clone()
    index[index == 255] = n
    rows = torch.cat([palette, torch.ones(1, 3)])
    return torch.stack([rows[index, k] for k in range(3)])

# %% right colour: look up class 0 for 255 and put white with where
def colour(mask, palette):
    unknown = mask == 255
    rgb = palette[mask.masked_fill(unknown, 0)]
    rgb = torch.where(unknown[..., None], torch.ones_like(rgb), rgb)
    return rgb.movedim(-1, 0).contiguous()

# %% right colour: pixel by pixel in Python
def colour(mask, palette):
    rows = palette.tolist()
    picture = [[[1.0 if l == 255 else rows[l][k] for l in line] for line in mask.tolist()] for k in range(3)]
    return torch.tensor(picture)

# %% wrong colour: forgets 255, index out of range
# fails: pixels labelled 255 are white
# says: your code stopped with IndexError
# differs at: colour(torch.tensor([[0, 255]]), torch.tensor([[.2, .4, .6], [.1, .3, .5]]))
def colour(mask, palette):
    return palette[mask].permute(2, 0, 1)

# %% wrong colour: 255 is black
# fails: pixels labelled 255 are white
# says: A pixel labelled
# differs at: colour(torch.tensor([[0, 255]]), torch.tensor([[.2, .4, .6], [.1, .3, .5]]))
def colour(mask, palette):
    out = torch.zeros(3, *mask.shape)
    for i, rgb in enumerate(palette):
        out[:, mask == i] = rgb[:, None]
    return out

# %% wrong colour: clamp gives 255 the last class's colour
# fails: pixels labelled 255 are white
# says: A pixel labelled
# differs at: colour(torch.tensor([[0, 255]]), torch.tensor([[.2, .4, .6], [.1, .3, .5]]))
def colour(mask, palette):
    return palette[mask.clamp(0, len(palette) - 1)].permute(2, 0, 1)

# %% wrong colour: 255 as negative index is the last class, no white row added
# fails: pixels labelled 255 are white
# says: A pixel labelled
# differs at: colour(torch.tensor([[0, 255]]), torch.tensor([[.2, .4, .6], [.1, .3, .5]]))
def colour(mask, palette):
    return palette[torch.where(mask == 255, -1, mask)].permute(2, 0, 1)

# %% wrong colour: white written as 255
# fails: pixels labelled 255 are white
# says: A pixel labelled
# differs at: colour(torch.tensor([[0, 255]]), torch.tensor([[.2, .4, .6], [.1, .3, .5]]))
def colour(mask, palette):
    out = torch.zeros(3, *mask.shape)
    for i, rgb in enumerate(palette):
        out[:, mask == i] = rgb[:, None]
    out[:, mask == 255] = 255
    return out

# %% wrong colour: channels last
# fails: a picture of the right shape; every pixel its class's colour; pixels labelled 255 are white
# says: Move the colour axis to the front.
# differs at: colour(torch.tensor([[0, 1]]), torch.tensor([[.2, .4, .6], [.1, .3, .5]]))
def colour(mask, palette):
    table = torch.ones(256, 3)
    table[:len(palette)] = palette
    return table[mask]

# %% wrong colour: reshape instead of permute, colours scrambled
# fails: every pixel its class's colour; pixels labelled 255 are white
# says: `reshape` keeps the order of the numbers; `permute` moves axes.
# differs at: colour(torch.tensor([[0, 1]]), torch.tensor([[.2, .4, .6], [.1, .3, .5]]))
def colour(mask, palette):
    table = torch.ones(256, 3)
    table[:len(palette)] = palette
    return table[mask].reshape(3, *mask.shape)

# %% wrong colour: right picture, but renames 255 in the caller's mask
# fails: pixels labelled 255 are white
# says: Work on a copy.
# differs at: colour(torch.tensor([[0, 255]]), torch.tensor([[.2, .4, .6], [.1, .3, .5]]))
def colour(mask, palette):
    mask[mask == 255] = len(palette)
    rows = torch.cat([palette, torch.ones(1, 3)])
    return rows[mask].permute(2, 0, 1)

# %% wrong colour: uint8 from 0 to 255
# fails: a picture of the right shape; every pixel its class's colour; pixels labelled 255 are white
# says: expected a float picture, got uint
# differs at: colour(torch.tensor([[0, 1]]), torch.tensor([[.2, .4, .6], [.1, .3, .5]]))
def colour(mask, palette):
    table = torch.ones(256, 3)
    table[:len(palette)] = palette
    return (table[mask].permute(2, 0, 1) * 255).to(torch.uint8)

# %% wrong colour: only three classes, the others stay white
# fails: every pixel its class's colour
# says: has label
# differs at: colour(torch.tensor([[0, 3]]), torch.tensor([[.2, .4, .6], [.1, .3, .5], [0., 0., 0.], [.7, .8, .9]]))
def colour(mask, palette):
    out = torch.ones(3, *mask.shape)
    for i in range(min(3, len(palette))):
        out[:, mask == i] = palette[i][:, None]
    return out

# %% wrong colour: the course's colours hard-coded, palette ignored
# fails: every pixel its class's colour; pixels labelled 255 are white
# says: has label
# differs at: colour(torch.tensor([[0, 1]]), torch.tensor([[.2, .4, .6], [.1, .3, .5]]))
def colour(mask, palette):
    own = torch.tensor([[0.90, 0.62, 0.00], [0.34, 0.71, 0.91], [0.00, 0.00, 0.00]])
    out = torch.ones(3, *mask.shape)
    for i in range(3):
        out[:, mask == i] = own[i][:, None]
    return out

# %% wrong colour: no return
# fails: a picture of the right shape; every pixel its class's colour; pixels labelled 255 are white
# says: Is a `return` missing?
# differs at: colour(torch.tensor([[0, 1]]), torch.tensor([[.2, .4, .6], [.1, .3, .5]]))
def colour(mask, palette):
    out = torch.ones(3, *mask.shape)
    for i, rgb in enumerate(palette):
        out[:, mask == i] = rgb[:, None]

# %% wrong colour: replaces labels by colours in place, so a painted 1.0 is painted again
# fails: every pixel its class's colour
# says: That is another class's colour.
# differs at: colour(torch.tensor([[0, 1]]), torch.tensor([[1., 0., 0.], [0., 0., 1.]]))
def colour(mask, palette):
    out = mask.float().repeat(3, 1, 1)
    for i in range(len(palette)):
        for k in range(3):
            out[k][out[k] == i] = palette[i, k]
    out[out == 255] = 1.0
    return out

# %% wrong colour: a canvas of whole numbers cuts 0.9 down to 0
# fails: every pixel its class's colour; pixels labelled 255 are white
# says: has label
# differs at: colour(torch.tensor([[0, 1]]), torch.tensor([[.2, .4, .6], [.1, .3, .5]]))
def colour(mask, palette):
    channels = []
    for k in range(3):
        channel = torch.ones_like(mask)
        for i in range(len(palette)):
            channel[mask == i] = palette[i, k].item()
        channels.append(channel)
    return torch.stack(channels).float()

# %% wrong colour: gives colours to the labels that occur, in order of appearance
# fails: every pixel its class's colour
# says: That is another class's colour.
# differs at: colour(torch.tensor([[1, 1]]), torch.tensor([[.2, .4, .6], [.1, .3, .5]]))
def colour(mask, palette):
    out = torch.ones(3, *mask.shape)
    for i, label in enumerate(mask[mask != 255].unique()):
        out[:, mask == label] = palette[i][:, None]
    return out

# %% wrong colour: one-hot only as wide as the highest label in the mask
# fails: every pixel its class's colour
# says: your code stopped with RuntimeError
# differs at: colour(torch.tensor([[0, 0]]), torch.tensor([[.2, .4, .6], [.1, .3, .5]]))
def colour(mask, palette):
    unknown = mask == 255
    hot = F.one_hot(mask.masked_fill(unknown, 0)).float()
    out = (hot @ palette).permute(2, 0, 1)
    out[:, unknown] = 1
    return out

# %% wrong colour: a numpy array
# fails: a picture of the right shape; every pixel its class's colour; pixels labelled 255 are white
# says: Return a tensor; `torch.from_numpy` makes one.
# differs at: colour(torch.tensor([[0, 1]]), torch.tensor([[.2, .4, .6], [.1, .3, .5]]))
def colour(mask, palette):
    table = torch.ones(256, 3)
    table[:len(palette)] = palette
    return table[mask].permute(2, 0, 1).numpy()

# %% wrong colour: class pixels that happen to be black are turned white too
# fails: every pixel its class's colour
# says: has label
# differs at: colour(torch.tensor([[0, 1]]), torch.tensor([[0., 0., 0.], [.1, .3, .5]]))
def colour(mask, palette):
    out = torch.zeros(3, *mask.shape)
    for i, rgb in enumerate(palette):
        out[:, mask == i] = rgb[:, None]
    out[:, out.sum(0) == 0] = 1
    return out

# %% wrong colour: only three classes are painted
# fails: every pixel its class's colour
# says: Every class from 3 on is left out
def colour(mask, palette):
    out = torch.ones(3, *mask.shape)
    for i in range(3):
        out[:, mask == i] = palette[i].view(3, 1)
    return out

# %% right blend: weighted sum
def blend(image, colours, opacity):
    return (1 - opacity) * image + opacity * colours

# %% right blend: lerp
def blend(image, colours, opacity):
    return torch.lerp(image, colours, opacity)

# %% right blend: from the image part of the way
def blend(image, colours, opacity):
    return image + (colours - image) * opacity

# %% right blend: in place, but on a copy
def blend(image, colours, opacity):
    out = image.clone()
    out *= 1 - opacity
    out += colours * opacity
    return out

# %% right blend: clamped, which does no harm
def blend(image, colours, opacity):
    return (colours * opacity + image * (1 - opacity)).clamp(0, 1)

# %% wrong blend: swapped weights
# fails: opacity 0 and opacity 1; in between
# says: The two weights have changed places: at opacity
# differs at: blend(torch.full((3, 1, 2), 0.2), torch.full((3, 1, 2), 1.0), 0.25)
def blend(image, colours, opacity):
    return opacity * image + (1 - opacity) * colours

# %% wrong blend: ignores the opacity, always half and half
# fails: opacity 0 and opacity 1; in between
# says: This is half of the way, whatever is asked for.
# differs at: blend(torch.full((3, 1, 2), 0.2), torch.full((3, 1, 2), 1.0), 0.25)
def blend(image, colours, opacity):
    return (image + colours) / 2

# %% wrong blend: the example's opacity hard-coded
# fails: opacity 0 and opacity 1; in between
# says: This is a quarter of the way, whatever is asked for.
# differs at: blend(torch.full((3, 1, 2), 0.2), torch.full((3, 1, 2), 1.0), 0.5)
def blend(image, colours, opacity):
    return 0.75 * image + 0.25 * colours

# %% wrong blend: adds the colours, the image keeps its full weight
# fails: opacity 0 and opacity 1; in between
# says: The photograph keeps its full weight: the weights must add up to 1.
# differs at: blend(torch.full((3, 1, 2), 0.2), torch.full((3, 1, 2), 1.0), 0.25)
def blend(image, colours, opacity):
    return image + opacity * colours

# %% wrong blend: adds the colours and clamps to 1
# fails: opacity 0 and opacity 1; in between
# says: The photograph keeps its full weight, and the rest is cut off
# differs at: blend(torch.full((3, 1, 2), 0.2), torch.full((3, 1, 2), 1.0), 0.25)
def blend(image, colours, opacity):
    return (image + opacity * colours).clamp(0, 1)

# %% wrong blend: brackets forgotten around 1 - opacity
# fails: opacity 0 and opacity 1; in between
# says: are brackets missing around `1 - opacity`?
# differs at: blend(torch.full((3, 1, 2), 0.2), torch.full((3, 1, 2), 1.0), 0.25)
def blend(image, colours, opacity):
    return image * 1 - opacity + colours * opacity

# %% wrong blend: right picture, but changes the image in place
# fails: the arguments stay as they were
# says: Your function changed one of its pictures.
# differs at: blend(torch.full((3, 1, 2), 0.2), torch.full((3, 1, 2), 1.0), 0.25)
def blend(image, colours, opacity):
    image *= 1 - opacity
    image += opacity * colours
    return image

# %% wrong blend: right picture, but changes the colours in place
# fails: the arguments stay as they were
# says: Your function changed one of its pictures.
# differs at: blend(torch.full((3, 1, 2), 0.2), torch.full((3, 1, 2), 1.0), 0.25)
def blend(image, colours, opacity):
    colours *= opacity
    return image * (1 - opacity) + colours

# %% wrong blend: no return
# fails: opacity 0 and opacity 1; in between; the arguments stay as they were
# says: Is a `return` missing?
# differs at: blend(torch.full((3, 1, 2), 0.2), torch.full((3, 1, 2), 1.0), 0.25)
def blend(image, colours, opacity):
    out = (1 - opacity) * image + opacity * colours

# %% wrong blend: goes through bytes and loses precision
# fails: opacity 0 and opacity 1; in between
# says: The values were cut to 256 steps
# differs at: blend(torch.full((3, 1, 2), 0.23), torch.full((3, 1, 2), 1.0), 0.25)
def blend(image, colours, opacity):
    out = (1 - opacity) * image + opacity * colours
    return (out * 255).byte().float() / 255

# %% wrong blend: opacity taken as percent
# fails: opacity 0 and opacity 1; in between
# says: This takes the opacity for a percentage
# differs at: blend(torch.full((3, 1, 2), 0.2), torch.full((3, 1, 2), 1.0), 0.25)
def blend(image, colours, opacity):
    a = opacity / 100
    return (1 - a) * image + a * colours

# %% wrong blend: opacity is a switch, above a half only the colours
# fails: in between; the arguments stay as they were
# says: This switches between the two pictures
# differs at: blend(torch.full((3, 1, 2), 0.2), torch.full((3, 1, 2), 1.0), 0.25)
def blend(image, colours, opacity):
    return colours.clone() if opacity > 0.5 else image.clone()

# %% wrong blend: an opacity of 0 is taken for "not given"
# fails: opacity 0 and opacity 1
# says: An opacity of 0 was taken for none
# differs at: blend(torch.full((3, 1, 2), 0.2), torch.full((3, 1, 2), 1.0), 0.0)
def blend(image, colours, opacity):
    opacity = opacity or 0.5
    return (1 - opacity) * image + opacity * colours

# %% wrong blend: white counts as unlabelled and stays transparent
# fails: opacity 0 and opacity 1; in between
# says: White was left out; it is a colour like any other.
# differs at: blend(torch.full((3, 1, 2), 0.2), torch.full((3, 1, 2), 1.0), 0.25)
def blend(image, colours, opacity):
    out = (1 - opacity) * image + opacity * colours
    white = (colours == 1).all(dim=0)
    out[:, white] = image[:, white]
    return out

# %% wrong blend: not in proportion, squares the opacity
# fails: in between
# says: this squares the opacity
# differs at: blend(torch.full((3, 1, 2), 0.2), torch.full((3, 1, 2), 1.0), 0.25)
def blend(image, colours, opacity):
    return torch.lerp(image, colours, opacity ** 2)

# %% wrong blend: a numpy array
# fails: opacity 0 and opacity 1; in between; the arguments stay as they were
# says: Return a tensor; `torch.from_numpy` makes one.
# differs at: blend(torch.full((3, 1, 2), 0.2), torch.full((3, 1, 2), 1.0), 0.25)
def blend(image, colours, opacity):
    return (1 - opacity) * image.numpy() + opacity * colours.numpy()

# %% wrong blend: black colours are taken as background and left out
# fails: opacity 0 and opacity 1; in between
# says: Black was left out; it is a colour like any other.
def blend(image, colours, opacity):
    painted = (colours.sum(0, keepdim=True) > 0)
    return torch.where(painted, image * (1 - opacity) + colours * opacity, image)

# %% wrong blend: at the ends an argument itself is returned, not a new tensor
# fails: the arguments stay as they were
# says: not a new tensor, at every opacity
def blend(image, colours, opacity):
    if opacity == 0:
        return image
    if opacity == 1:
        return colours
    return (1 - opacity) * image + opacity * colours

# %% wrong blend: opacity taken as a percentage
# fails: opacity 0 and opacity 1; in between
# says: This takes the opacity for a percentage
def blend(image, colours, opacity):
    a = opacity / 100
    return (1 - a) * image + a * colours

# %% wrong blend: hard-coded to the example's 0.25
# fails: opacity 0 and opacity 1; in between
# says: This is a quarter of the way, whatever is asked for.
def blend(image, colours, opacity):
    return image + 0.25 * (colours - image)

# %% wrong blend: 8-bit picture returned
# fails: opacity 0 and opacity 1; in between
# says: got uint8. Leave the values floats.
def blend(image, colours, opacity):
    return ((image + opacity * (colours - image)) * 255).to(torch.uint8)

# %% wrong blend: absolute distance: a darker colour brightens the picture
# fails: opacity 0 and opacity 1; in between
# says: the difference keeps its sign
def blend(image, colours, opacity):
    return image + opacity * (colours - image).abs()

# %% wrong count_pixels: adds up the labels
# fails: every class is counted; a class that does not occur counts 0; pixels labelled 255 are left out; a batch of masks is counted together
# says: This adds up the labels
def count_pixels(mask, classes):
    return torch.stack([mask[mask == c].sum() for c in range(classes)])

# %% wrong count_pixels: only the first mask of a batch
# fails: a batch of masks is counted together
# says: Only the first mask counts.
def count_pixels(mask, classes):
    m = mask[0] if mask.dim() == 3 else mask
    return torch.stack([(m == c).sum() for c in range(classes)])

# %% wrong count_pixels: classes counted from 1
# fails: every class is counted; a class that does not occur counts 0; pixels labelled 255 are left out; a batch of masks is counted together
# says: not from 1.
def count_pixels(mask, classes):
    return torch.stack([(mask == c).sum() for c in range(1, classes + 1)])

# %% wrong count_pixels: `>=` in place of `==`
# fails: every class is counted; a class that does not occur counts 0; pixels labelled 255 are left out; a batch of masks is counted together
# says: This counts a class and all after it
def count_pixels(mask, classes):
    return torch.stack([((mask >= c) & (mask != 255)).sum() for c in range(classes)])

# %% wrong colour: blue, green, red
# fails: every pixel its class's colour; pixels labelled 255 are white
# says: Red and blue have changed places
def colour(mask, palette):
    p = torch.cat([palette.flip(1), torch.ones(1, 3)])
    return p[mask.masked_fill(mask == 255, len(palette))].permute(2, 0, 1)

# %% wrong blend: multiplies the colours with the photograph
# fails: opacity 0 and opacity 1; in between
# says: The colours are multiplied with the photograph
def blend(image, colours, opacity):
    return image * (1 - opacity) + image * colours * opacity

# %% wrong blend: a sign turned round
# fails: opacity 0 and opacity 1; in between
# says: This goes away from the colours
def blend(image, colours, opacity):
    return image - opacity * (colours - image)
