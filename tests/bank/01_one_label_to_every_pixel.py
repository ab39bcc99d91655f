"""Answers to lesson 01_one_label_to_every_pixel, right and wrong, by people who saw the student's notebook and not its checks.

Read by tests/answers.py. A wrong answer names its misconception, an input on which it lies, and what it must be told.
"""

# %% right semantic_map: starts at 255 and fills in one animal at a time
def semantic_map(instances, class_of):
    semantic = torch.full_like(instances, 255)
    semantic[instances == 0] = 0
    for number, kind in class_of.items():
        semantic[instances == number] = kind
    return semantic

# %% right semantic_map: a look-up table as long as the largest number
def semantic_map(instances, class_of):
    table = torch.full((max([int(instances.max()), 255, *class_of]) + 1,), 255)
    table[0] = 0
    for number, kind in class_of.items():
        table[number] = kind
    return table[instances]

# %% right semantic_map: pixel by pixel in Python
def semantic_map(instances, class_of):
    known = {0: 0, **class_of}
    return torch.tensor([[known.get(v, 255) for v in row] for row in instances.tolist()])

# %% right semantic_map: unique numbers, then their classes by inverse index
def semantic_map(instances, class_of):
    numbers, where = instances.unique(return_inverse=True)
    kinds = [0 if n == 0 else class_of.get(n, 255) for n in numbers.tolist()]
    return torch.tensor(kinds)[where]

# %% right semantic_map: sums one mask an animal and puts 255 on the rest
def semantic_map(instances, class_of):
    result = torch.zeros_like(instances)
    named = instances == 0
    for number in class_of:
        result = result + (instances == number) * class_of[number]
        named = named | (instances == number)
    return torch.where(named, result, 255)

# %% wrong semantic_map: writes into the map that it still reads
# fails: numbers and classes that look alike; 255, and animals that the table does not list
# says: A class just written was taken for an animal's number
# differs at: class_of = {1: 2, 2: 1}: animals 1 become 2, then 1 again
def semantic_map(instances, class_of):
    semantic = instances.clone()
    for number, kind in class_of.items():
        semantic[semantic == number] = kind
    return semantic

# %% wrong semantic_map: an animal that is not listed keeps its number
# fails: 255, and animals that the table does not list
# says: An animal that the table does not list has kept its number;
# differs at: [[7]] with {1: 2}
def semantic_map(instances, class_of):
    semantic = instances.clone()
    for number, kind in class_of.items():
        semantic[instances == number] = kind
    return semantic

# %% wrong semantic_map: an animal that is not listed becomes background
# fails: 255, and animals that the table does not list
# says: An animal that the table does not list became background;
# differs at: [[7]] with {1: 2}
def semantic_map(instances, class_of):
    semantic = torch.zeros_like(instances)
    for number, kind in class_of.items():
        semantic[instances == number] = kind
    semantic[instances == 255] = 255
    return semantic

# %% wrong semantic_map: "not labelled" is turned into background
# fails: 255, and animals that the table does not list
# says: What is not labelled became background;
# differs at: [[255]]
def semantic_map(instances, class_of):
    semantic = torch.full_like(instances, 255)
    semantic[(instances == 0) | (instances == 255)] = 0
    for number, kind in class_of.items():
        semantic[instances == number] = kind
    return semantic

# %% wrong semantic_map: background is not set and stays 255
# fails: background, and each animal its class; numbers and classes that look alike; 255, and animals that the table does not list; any numbers, and arguments that stay as they were
# says: The background was lost
# differs at: [[0]]
def semantic_map(instances, class_of):
    semantic = torch.full_like(instances, 255)
    for number, kind in class_of.items():
        semantic[instances == number] = kind
    return semantic

# %% wrong semantic_map: stops at an animal that the table does not list
# fails: 255, and animals that the table does not list
# says: The table does not list every animal of the map.
# differs at: [[7]] with {1: 2}
def semantic_map(instances, class_of):
    known = {0: 0, 255: 255, **class_of}
    return torch.tensor([[known[v] for v in row] for row in instances.tolist()])

# %% wrong semantic_map: a table only as long as the map's numbers
# fails: any numbers, and arguments that stay as they were
# says: the table may list animals that are not in the map.
# differs at: [[1]] with {1: 2, 9: 1}
def semantic_map(instances, class_of):
    table = torch.full((int(instances.max()) + 1,), 255)
    table[0] = 0
    for number, kind in class_of.items():
        table[number] = kind
    return table[instances]

# %% wrong semantic_map: takes the table's order for the numbers
# fails: background, and each animal its class; numbers and classes that look alike; 255, and animals that the table does not list; any numbers, and arguments that stay as they were
# says: The table's order was taken for the animals' numbers
# differs at: {4: 2, 1: 3}
def semantic_map(instances, class_of):
    semantic = torch.full_like(instances, 255)
    semantic[instances == 0] = 0
    for number, kind in enumerate(class_of.values(), 1):
        semantic[instances == number] = kind
    return semantic

# %% wrong semantic_map: works on the argument itself
# fails: any numbers, and arguments that stay as they were
# says: your function changed one of its arguments. Write into a new tensor.
# differs at: the caller's map is changed
def semantic_map(instances, class_of):
    before = instances.clone()
    instances[(before != 0)] = 255
    for number, kind in class_of.items():
        instances[before == number] = kind
    return instances

# %% wrong semantic_map: adds 0 and 255 to the caller's table
# fails: any numbers, and arguments that stay as they were
# says: your function changed one of its arguments. Write into a new tensor.
# differs at: class_of has two more keys afterwards
def semantic_map(instances, class_of):
    class_of[0] = 0
    class_of[255] = 255
    return torch.tensor([[class_of.get(v, 255) for v in row] for row in instances.tolist()])

# %% wrong semantic_map: uint8, as masks are in files
# fails: background, and each animal its class; numbers and classes that look alike; 255, and animals that the table does not list; any numbers, and arguments that stay as they were
# says: expected the dtype int64, got uint8.
# differs at: dtype uint8
def semantic_map(instances, class_of):
    semantic = torch.full_like(instances, 255, dtype=torch.uint8)
    semantic[instances == 0] = 0
    for number, kind in class_of.items():
        semantic[instances == number] = kind
    return semantic

# %% wrong semantic_map: a nested list instead of a tensor
# fails: background, and each animal its class; numbers and classes that look alike; 255, and animals that the table does not list; any numbers, and arguments that stay as they were
# says: got a `list`
# differs at: any map
def semantic_map(instances, class_of):
    known = {0: 0, **class_of}
    return [[known.get(v, 255) for v in row] for row in instances.tolist()]

# %% right panoptic_map: two wheres and isin
def panoptic_map(semantic, instances, things):
    thing = torch.isin(semantic, torch.tensor(things, dtype=torch.int64))
    codes = 1000 * semantic + torch.where(thing, instances, 0)
    return torch.where((semantic == 255) | (instances == 255), 255, codes)

# %% right panoptic_map: pixel by pixel in Python
def panoptic_map(semantic, instances, things):
    codes = torch.zeros_like(semantic)
    for row in range(semantic.shape[0]):
        for column in range(semantic.shape[1]):
            kind, number = int(semantic[row, column]), int(instances[row, column])
            if kind == 255 or number == 255:
                codes[row, column] = 255
            elif kind in things:
                codes[row, column] = 1000 * kind + number
            else:
                codes[row, column] = 1000 * kind
    return codes

# %% right panoptic_map: adds numbers thing by thing
def panoptic_map(semantic, instances, things):
    codes = semantic * 1000
    for kind in things:
        here = semantic == kind
        codes[here] += instances[here]
    codes[semantic == 255] = 255
    codes[instances == 255] = 255
    return codes

# %% right panoptic_map: a table of which classes are counted, and masked_fill
def panoptic_map(semantic, instances, things):
    counted = torch.zeros(256, dtype=torch.int64)
    counted[things] = 1
    unlabelled = semantic.eq(255).logical_or(instances.eq(255))
    return (semantic * 1000 + counted[semantic] * instances).masked_fill(unlabelled, 255)

# %% wrong panoptic_map: class and number change places
# fails: things: class and number; stuff: number 0; not labelled, and arguments that stay as they were
# says: Class and number have changed places:
# differs at: class 2, number 7
def panoptic_map(semantic, instances, things):
    thing = torch.isin(semantic, torch.tensor(things, dtype=torch.int64))
    codes = 1000 * torch.where(thing, instances, 0) + semantic
    return torch.where((semantic == 255) | (instances == 255), 255, codes)

# %% wrong panoptic_map: stuff keeps its numbers
# fails: stuff: number 0
# says: Stuff has kept a number; where the class is not among `things`, it is 0.
# differs at: a stuff pixel with number 5
def panoptic_map(semantic, instances, things):
    codes = 1000 * semantic + instances
    return torch.where((semantic == 255) | (instances == 255), 255, codes)

# %% wrong panoptic_map: 255 is computed with as if it were a class
# fails: not labelled, and arguments that stay as they were
# says: 255 was reckoned with as if it were a class or a number
# differs at: semantic 255
def panoptic_map(semantic, instances, things):
    thing = torch.isin(semantic, torch.tensor(things, dtype=torch.int64))
    return 1000 * semantic + torch.where(thing, instances, 0)

# %% wrong panoptic_map: only the semantic map's 255 is heeded
# fails: not labelled, and arguments that stay as they were
# says: `instances` is 255 at a pixel; the result is 255 there too.
# differs at: class 1 with number 255
def panoptic_map(semantic, instances, things):
    thing = torch.isin(semantic, torch.tensor(things, dtype=torch.int64))
    codes = 1000 * semantic + torch.where(thing, instances, 0)
    return torch.where(semantic == 255, 255, codes)

# %% wrong panoptic_map: only the instance map's 255 is heeded
# fails: not labelled, and arguments that stay as they were
# says: `semantic` is 255 at a pixel; the result is 255 there too.
# differs at: class 255 with number 3
def panoptic_map(semantic, instances, things):
    thing = torch.isin(semantic, torch.tensor(things, dtype=torch.int64))
    codes = 1000 * semantic + torch.where(thing, instances, 0)
    return torch.where(instances == 255, 255, codes)

# %% wrong panoptic_map: stuff loses its number before 255 is looked for
# fails: not labelled, and arguments that stay as they were
# says: `instances` is 255 at a pixel of stuff
# differs at: stuff with number 255
def panoptic_map(semantic, instances, things):
    thing = torch.isin(semantic, torch.tensor(things, dtype=torch.int64))
    numbers = torch.where(thing, instances, 0)
    codes = 1000 * semantic + numbers
    return torch.where((semantic == 255) | (numbers == 255), 255, codes)

# %% wrong panoptic_map: stuff becomes 0 altogether
# fails: stuff: number 0
# says: Stuff has lost its class
# differs at: class 2, not a thing
def panoptic_map(semantic, instances, things):
    codes = torch.zeros_like(semantic)
    for kind in things:
        codes[semantic == kind] = 1000 * kind + instances[semantic == kind]
    codes[(semantic == 255) | (instances == 255)] = 255
    return codes

# %% wrong panoptic_map: looks at the first thing only
# fails: things: class and number; stuff: number 0; not labelled, and arguments that stay as they were
# says: Only the first of `things` was counted.
# differs at: things = [1, 3], class 3
def panoptic_map(semantic, instances, things):
    codes = 1000 * semantic + torch.where(semantic == things[0], instances, 0)
    return torch.where((semantic == 255) | (instances == 255), 255, codes)

# %% wrong panoptic_map: things and stuff exchanged
# fails: things: class and number; stuff: number 0; not labelled, and arguments that stay as they were
# says: Things and stuff have changed places
# differs at: class 1 in things = [1]
def panoptic_map(semantic, instances, things):
    stuff = ~torch.isin(semantic, torch.tensor(things, dtype=torch.int64))
    codes = 1000 * semantic + torch.where(stuff, instances, 0)
    return torch.where((semantic == 255) | (instances == 255), 255, codes)

# %% wrong panoptic_map: whatever has a number is a thing
# fails: stuff: number 0
# says: whether a class counts is said by `things` alone.
# differs at: things is ignored; background with class 0 only keeps none
def panoptic_map(semantic, instances, things):
    codes = torch.where(semantic > 0, 1000 * semantic + instances, 0)
    return torch.where((semantic == 255) | (instances == 255), 255, codes)

# %% wrong panoptic_map: clears the stuff's numbers in the caller's map
# fails: not labelled, and arguments that stay as they were
# says: your function changed one of its arguments.
# differs at: instances is changed
def panoptic_map(semantic, instances, things):
    unlabelled = (semantic == 255) | (instances == 255)
    instances[~torch.isin(semantic, torch.tensor(things, dtype=torch.int64))] = 0
    return torch.where(unlabelled, 255, 1000 * semantic + instances)

# %% wrong panoptic_map: `or` between tensors
# fails: things: class and number; stuff: number 0; not labelled, and arguments that stay as they were
# says: for maps write `|` and `&`
def panoptic_map(semantic, instances, things):
    counted = torch.isin(semantic, torch.tensor(things, dtype=torch.int64))  # True on things
    codes = 1000 * semantic + instances * counted
    codes[semantic == 255 or instances == 255] = 255
    return codes

# %% right relabel: subtracts one where labelled
def relabel(mask, back=False):
    labelled = mask != 255
    if back:
        return (mask + labelled.long()).to(torch.uint8)
    return mask.long() - labelled.long()

# %% right relabel: where, on whole tensors
def relabel(mask, back=False):
    if back:
        return torch.where(mask == 255, mask, mask + 1).to(torch.uint8)
    wide = mask.to(torch.int64)
    return torch.where(wide == 255, wide, wide - 1)

# %% right relabel: a table of 256 entries
def relabel(mask, back=False):
    table = torch.arange(256) + (1 if back else -1)
    table[255] = 255
    table = table.clamp(0, 255)
    return table[mask.long()].to(torch.uint8 if back else torch.int64)

# %% right relabel: label by label
def relabel(mask, back=False):
    pairs = {1: 0, 2: 1, 3: 2, 255: 255}
    result = torch.zeros(mask.shape, dtype=torch.uint8 if back else torch.int64)
    for in_file, in_network in pairs.items():
        source, target = (in_network, in_file) if back else (in_file, in_network)
        result[mask == source] = target
    return result

# %% right relabel: lets 254 and 256 arise and mends them
def relabel(mask, back=False):
    if back:
        return (mask + 1).clamp(max=255).byte()
    shifted = mask.long() - 1
    shifted[shifted == 254] = 255
    return shifted

# %% wrong relabel: 255 is shifted too
# fails: 255 stays both ways, in a mask of any shape that is left alone
# says: 255 − 1 is 254, a label that nobody knows; 255 stays 255.
# differs at: relabel([255]) is 254
def relabel(mask, back=False):
    if back:
        return (mask + 1).to(torch.uint8)
    return mask.long() - 1

# %% wrong relabel: on the way back 255 wraps round to 0
# fails: 255 stays both ways, in a mask of any shape that is left alone
# says: 255 became 0, which is a class.
# differs at: relabel([255], back=True) is 0
def relabel(mask, back=False):
    if back:
        return (mask + 1).to(torch.uint8)
    return torch.where(mask == 255, 255, mask.long() - 1)

# %% wrong relabel: stays uint8
# fails: from the file; and back
# says: expected the dtype int64, got uint8.
# differs at: dtype of relabel(mask)
def relabel(mask, back=False):
    one = (mask != 255).to(mask.dtype)
    return mask + one if back else mask - one

# %% wrong relabel: int64 on the way back
# fails: and back
# says: expected the dtype uint8, got int64.
# differs at: dtype of relabel(mask, back=True)
def relabel(mask, back=False):
    mask = mask.long()
    return torch.where(mask == 255, mask, mask + 1 if back else mask - 1)

# %% wrong relabel: gives background 0 and the pet 1
# fails: from the file; and back; 255 stays both ways, in a mask of any shape that is left alone
# says: Pet and background have changed places
# differs at: relabel([1]) is 1
def relabel(mask, back=False):
    pairs = {1: 1, 2: 0, 3: 2, 255: 255}
    result = torch.zeros(mask.shape, dtype=torch.uint8 if back else torch.int64)
    for in_file, in_network in pairs.items():
        source, target = (in_network, in_file) if back else (in_file, in_network)
        result[mask == source] = target
    return result

# %% wrong relabel: back overwrites what it has just written
# fails: and back; 255 stays both ways, in a mask of any shape that is left alone
# says: A label just written was taken for the next one to change
# differs at: relabel([0, 1, 2], back=True) is [3, 3, 3]
def relabel(mask, back=False):
    result = mask.clone().long()
    if back:
        for label in (0, 1, 2):
            result[result == label] = label + 1
        return result.to(torch.uint8)
    for label in (1, 2, 3):
        result[result == label] = label - 1
    return result

# %% wrong relabel: the border becomes not labelled
# fails: from the file; 255 stays both ways, in a mask of any shape that is left alone
# says: The border became 255. It is a class like the others.
# differs at: relabel([3]) is 255
def relabel(mask, back=False):
    if back:
        return torch.where(mask == 255, 3, mask + 1).to(torch.uint8)
    return torch.where(mask >= 3, 255, mask.long() - 1)

# %% wrong relabel: back is ignored
# fails: and back; 255 stays both ways, in a mask of any shape that is left alone
# says: The labels were moved the wrong way.
# differs at: relabel([0], back=True)
def relabel(mask, back=False):
    return torch.where(mask == 255, 255, mask.long() - 1)

# %% wrong relabel: subtracts in the caller's mask
# fails: 255 stays both ways, in a mask of any shape that is left alone
# says: The labels are right, but your function changed the mask that it was given.
# differs at: mask is changed
def relabel(mask, back=False):
    if back:
        mask[mask != 255] += 1
        return mask.to(torch.uint8)
    mask[mask != 255] -= 1
    return mask.long()

# %% wrong relabel: two-dimensional masks only
# fails: 255 stays both ways, in a mask of any shape that is left alone
# says: The mask may have any shape: one axis, or three.
# differs at: a mask (B, H, W) or a single row
def relabel(mask, back=False):
    rows, columns = mask.shape
    result = torch.zeros(rows, columns, dtype=torch.uint8 if back else torch.int64)
    for i in range(rows):
        for j in range(columns):
            label = int(mask[i, j])
            result[i, j] = label if label == 255 else label + (1 if back else -1)
    return result

# %% wrong relabel: a mask of ignored pixels is lost by clamping
# fails: 255 stays both ways, in a mask of any shape that is left alone
# says: 255 was cut down to a class
# differs at: relabel([255]) is 2
def relabel(mask, back=False):
    if back:
        return (mask + 1).clamp(1, 3).to(torch.uint8)
    return (mask.long() - 1).clamp(0, 2)

# %% wrong relabel: not labelled becomes -1
# fails: 255 stays both ways, in a mask of any shape that is left alone
# says: 255 became −1.
# differs at: relabel([255]) is -1
def relabel(mask, back=False):
    if back:
        return torch.where(mask == -1, 255, mask + 1).to(torch.uint8)
    return torch.where(mask == 255, -1, mask.long() - 1)

# %% right fooling_mask: a checkerboard of 0 and 2, and a corner of 1
def fooling_mask(size):
    rows = torch.arange(size)
    mask = 2 * ((rows[:, None] + rows) % 2)
    mask[:2, :2] = 1
    return mask

# %% right fooling_mask: an edge through the middle of blocks, and one pixel of 1
def fooling_mask(size):
    mask = torch.zeros(size, size, dtype=torch.int64)
    mask[:, 3:] = 2
    mask[0, 0] = 1
    return mask

# %% right fooling_mask: a 2 on a ground of 0, one pixel off the grid, beside an honest square of 1
def fooling_mask(size):
    mask = torch.zeros(size, size).long()
    mask[1:3, 1:3] = 1
    mask[4:, 5:7] = 2
    return mask

# %% right fooling_mask: tries random masks until one fools the test
def fooling_mask(size):
    generator = torch.Generator().manual_seed(0)
    while True:
        mask = torch.randint(0, 3, (size, size), generator=generator)
        blocks = mask.reshape(size // 2, 2, size // 2, 2)
        small = blocks.float().mean((1, 3)).round()
        if ((small == 1) & ~(blocks == 1).any(3).any(1)).any():
            return mask

# %% right fooling_mask: one damaged pixel only
def fooling_mask(size):
    mask = torch.ones(size, size, dtype=torch.int64)
    mask[:2, :2] = torch.tensor([[2, 0], [0, 2]])
    return mask

# %% right fooling_mask: two 0s in a ground of 2, and a single 1
def fooling_mask(size):
    mask = torch.full((size, size), 2)
    mask[0, 0:2] = 0
    mask[-1, -1] = 1
    return mask

# %% wrong fooling_mask: no 1 anywhere, so the test notices
# fails: and the test says that all is fine
# says: the mask holds no 1 at all. What could keep the test quiet?
# differs at: looks_fine is False
def fooling_mask(size):
    rows = torch.arange(size)
    return 2 * ((rows[:, None] + rows) % 2)

# %% wrong fooling_mask: the mask of the text, edge between two blocks
# fails: a 1 is invented; and the test says that all is fine
# says: an edge between 0 and 2 must run *inside* a block
# differs at: nothing is mixed
def fooling_mask(size):
    mask = torch.zeros(size, size, dtype=torch.int64)
    mask[:, size // 2:] = 2
    return mask

# %% wrong fooling_mask: the mask of the text with a 1 in a corner
# fails: a 1 is invented; and the test says that all is fine
# says: Wherever the small mask is 1, the block under it holds a 1
# differs at: nothing is mixed
def fooling_mask(size):
    mask = torch.zeros(size, size, dtype=torch.int64)
    mask[:, size // 2:] = 2
    mask[:2, :2] = 1
    return mask

# %% wrong fooling_mask: classes 0 and 1 only
# fails: a 1 is invented; and the test says that all is fine
# says: A 1 is invented where a block holds 0s and 2s; the mask needs both.
# differs at: every small 1 has a 1 in its block
def fooling_mask(size):
    rows = torch.arange(size)
    return (rows[:, None] + rows) % 2

# %% wrong fooling_mask: damage, but every damaged block holds a 1
# fails: a 1 is invented; and the test says that all is fine
# says: Wherever the small mask is 1, the block under it holds a 1
# differs at: blocks [[0, 1], [1, 2]] hold a 1
def fooling_mask(size):
    return torch.tensor([[0, 1], [1, 2]]).repeat(size // 2, size // 2)

# %% wrong fooling_mask: one 2 in a block of 0; a mean of a half rounds to 0
# fails: a 1 is invented; and the test says that all is fine
# says: which rounds to 0: a half goes to the even number
# differs at: small is 0 there
def fooling_mask(size):
    mask = torch.zeros(size, size, dtype=torch.int64)
    mask[::2, ::2] = 2
    mask[0, 0] = 1
    return mask

# %% wrong fooling_mask: always 8 by 8
# fails: a 1 is invented; and the test says that all is fine
# says: expected a tensor of shape (10, 10), got a tensor of shape (8, 8).
# differs at: size 10
def fooling_mask(size):
    mask = torch.zeros(8, 8, dtype=torch.int64)
    mask[:, 3:] = 2
    mask[0, 0] = 1
    return mask

# %% wrong fooling_mask: floating point
# fails: a 1 is invented; and the test says that all is fine
# says: expected the dtype int64, got float32.
# differs at: dtype float32
def fooling_mask(size):
    mask = torch.zeros(size, size)
    mask[:, 3:] = 2
    mask[0, 0] = 1
    return mask

# %% wrong fooling_mask: uses 255 for the damage
# fails: a 1 is invented; and the test says that all is fine
# says: the mask may hold 0, 1 and 2 only; it holds 128 too.
# differs at: label 255
def fooling_mask(size):
    mask = torch.zeros(size, size, dtype=torch.int64)
    mask[:, 3:] = 255
    mask[:2, :2] = 128
    return mask

# %% wrong fooling_mask: the small mask instead of the mask
# fails: a 1 is invented; and the test says that all is fine
# says: That is the small mask's size; return the mask that is halved.
# differs at: shape (size / 2, size / 2)
def fooling_mask(size):
    mask = torch.zeros(size, size, dtype=torch.int64)
    mask[:, 3:] = 2
    mask[0, 0] = 1
    return mask[::2, ::2]

# %% wrong fooling_mask: a lone 2 among zeros: the mean 0.5 rounds to 0, nothing is invented
# fails: a 1 is invented; and the test says that all is fine
# says: which rounds to 0: a half goes to the even number
def fooling_mask(size):
    mask = torch.zeros(size, size, dtype=torch.int64)
    mask[0, 0] = 2
    mask[-2:, -2:] = 1
    return mask

# %% wrong fooling_mask: edge between blocks plus a block of 1s: nothing is mixed
# fails: a 1 is invented; and the test says that all is fine
# says: an edge between 0 and 2 must run *inside* a block
def fooling_mask(size):
    mask = torch.zeros(size, size, dtype=torch.int64)
    mask[:, size // 4 * 2:] = 2
    mask[:2, :2] = 1
    return mask

# %% wrong fooling_mask: chance: one random mask, not tested, does it only most of the time
# fails: a 1 is invented; and the test says that all is fine
# says: leave nothing to chance
def fooling_mask(size):
    return torch.randint(0, 3, (size, size))

# %% right crop_pair: pads by what hangs over, then slices
def crop_pair(image, mask, box, flip, size):
    top, left, height, width = box
    H, W = mask.shape
    over = (max(-left, 0), max(left + width - W, 0), max(-top, 0), max(top + height - H, 0))
    image, mask = F.pad(image, over), F.pad(mask, over, value=255)
    rows = slice(top + over[2], top + over[2] + height)
    columns = slice(left + over[0], left + over[0] + width)
    image, mask = image[:, rows, columns], mask[rows, columns]
    if flip:
        image, mask = image.flip(-1), mask.flip(-1)
    image = F.interpolate(image[None], size=size, mode="bilinear", antialias=True)[0]
    mask = F.interpolate(mask[None, None].double(), size=size, mode="nearest-exact")[0, 0].long()
    return image, mask

# %% right crop_pair: F.pad with negative amounts both pads and cuts
def crop_pair(image, mask, box, flip, size):
    top, left, height, width = box
    amounts = (-left, left + width - mask.shape[1], -top, top + height - mask.shape[0])
    image, mask = F.pad(image, amounts), F.pad(mask, amounts, value=255)
    if flip:
        image, mask = torch.fliplr(image.permute(1, 2, 0)).permute(2, 0, 1), torch.fliplr(mask)
    rows = (2 * torch.arange(size[0]) + 1) * height // (2 * size[0])
    columns = (2 * torch.arange(size[1]) + 1) * width // (2 * size[1])
    image = F.interpolate(image.unsqueeze(0), size=tuple(size), mode="bilinear", antialias=True).squeeze(0)
    return image, mask[rows][:, columns]

# %% right crop_pair: pastes the overlap on an empty canvas
def crop_pair(image, mask, box, flip, size):
    top, left, height, width = box
    H, W = mask.shape
    picture = torch.zeros(3, height, width, dtype=image.dtype)
    labels = torch.full((height, width), 255, dtype=mask.dtype)
    y0, y1, x0, x1 = max(top, 0), min(top + height, H), max(left, 0), min(left + width, W)
    picture[:, y0 - top:y1 - top, x0 - left:x1 - left] = image[:, y0:y1, x0:x1]
    labels[y0 - top:y1 - top, x0 - left:x1 - left] = mask[y0:y1, x0:x1]
    if flip:
        picture, labels = picture.flip(2), labels.flip(1)
    picture = F.interpolate(picture[None], size, mode="bilinear", antialias=True)[0]
    labels = F.interpolate(labels[None, None].float(), size, mode="nearest-exact")[0, 0].to(mask.dtype)
    return picture, labels

# %% right crop_pair: fetches rows and columns by number, and blanks those outside
def crop_pair(image, mask, box, flip, size):
    top, left, height, width = box
    H, W = mask.shape
    rows, columns = top + torch.arange(height), left + torch.arange(width)
    if flip:
        columns = columns.flip(0)
    inside = ((rows >= 0) & (rows < H))[:, None] & ((columns >= 0) & (columns < W))
    rows, columns = rows.clamp(0, H - 1)[:, None], columns.clamp(0, W - 1)
    image = torch.where(inside, image[:, rows, columns], 0.0)
    mask = torch.where(inside, mask[rows, columns], 255)
    image = F.interpolate(image[None], size=size, mode="bilinear", antialias=True)[0]
    return image, F.interpolate(mask[None, None].float(), size=size, mode="nearest-exact")[0, 0].long()

# %% right crop_pair: torchvision's functions, the mask shifted so that its padding becomes 255
def crop_pair(image, mask, box, flip, size):
    from torchvision.transforms.v2 import InterpolationMode, functional as tv
    image = tv.crop(image, *box)
    mask = tv.crop(mask[None] - 255, *box) + 255
    if flip:
        image, mask = tv.horizontal_flip(image), tv.horizontal_flip(mask)
    image = tv.resize(image, list(size), interpolation=InterpolationMode.BILINEAR, antialias=True)
    mask = tv.resize(mask, list(size), interpolation=InterpolationMode.NEAREST_EXACT)
    return image, mask[0]

# %% wrong crop_pair: the box is cut off at the picture's edge
# fails: outside the picture 0 and 255, and arguments that stay as they were
# says: What hangs over was left out and the rest stretched
# differs at: a box that hangs over: what is left is stretched
def crop_pair(image, mask, box, flip, size):
    top, left, height, width = box
    rows, columns = slice(max(top, 0), top + height), slice(max(left, 0), left + width)
    image, mask = image[:, rows, columns], mask[rows, columns]
    if flip:
        image, mask = image.flip(-1), mask.flip(-1)
    image = F.interpolate(image[None], size=size, mode="bilinear", antialias=True)[0]
    return image, F.interpolate(mask[None, None].float(), size=size, mode="nearest-exact")[0, 0].long()

# %% wrong crop_pair: negative numbers count from the end, as Python does
# fails: outside the picture 0 and 255, and arguments that stay as they were
# says: in a slice, a negative number counts from the end.
# differs at: top = -2
def crop_pair(image, mask, box, flip, size):
    top, left, height, width = box
    image = image[:, top:top + height, left:left + width]
    mask = mask[top:top + height, left:left + width]
    if flip:
        image, mask = image.flip(-1), mask.flip(-1)
    image = F.interpolate(image[None], size=size, mode="bilinear", antialias=True)[0]
    return image, F.interpolate(mask[None, None].float(), size=size, mode="nearest-exact")[0, 0].long()

# %% wrong crop_pair: outside, the mask is 0
# fails: outside the picture 0 and 255, and arguments that stay as they were
# says: Outside the picture the mask is 0, which is a class
# differs at: a box that hangs over
def crop_pair(image, mask, box, flip, size):
    top, left, height, width = box
    amounts = (-left, left + width - mask.shape[1], -top, top + height - mask.shape[0])
    image, mask = F.pad(image, amounts), F.pad(mask, amounts)
    if flip:
        image, mask = image.flip(-1), mask.flip(-1)
    image = F.interpolate(image[None], size=size, mode="bilinear", antialias=True)[0]
    return image, F.interpolate(mask[None, None].float(), size=size, mode="nearest-exact")[0, 0].long()

# %% wrong crop_pair: only the picture is flipped
# fails: mirrored, after the cut; resized last: the image blended, the mask copied
# says: It is not mirrored.
# differs at: flip=True
def crop_pair(image, mask, box, flip, size):
    top, left, height, width = box
    amounts = (-left, left + width - mask.shape[1], -top, top + height - mask.shape[0])
    image, mask = F.pad(image, amounts), F.pad(mask, amounts, value=255)
    if flip:
        image = image.flip(-1)
    image = F.interpolate(image[None], size=size, mode="bilinear", antialias=True)[0]
    return image, F.interpolate(mask[None, None].float(), size=size, mode="nearest-exact")[0, 0].long()

# %% wrong crop_pair: flips before it cuts
# fails: mirrored, after the cut; resized last: the image blended, the mask copied
# says: This mirrors first and cuts then
# differs at: a box that is not in the middle
def crop_pair(image, mask, box, flip, size):
    if flip:
        image, mask = image.flip(-1), mask.flip(-1)
    top, left, height, width = box
    amounts = (-left, left + width - mask.shape[1], -top, top + height - mask.shape[0])
    image, mask = F.pad(image, amounts), F.pad(mask, amounts, value=255)
    image = F.interpolate(image[None], size=size, mode="bilinear", antialias=True)[0]
    return image, F.interpolate(mask[None, None].float(), size=size, mode="nearest-exact")[0, 0].long()

# %% wrong crop_pair: flips after the resize
# fails: resized last: the image blended, the mask copied
# says: This resizes first and mirrors then
# differs at: blocks of even length, whose middle has two pixels
def crop_pair(image, mask, box, flip, size):
    top, left, height, width = box
    amounts = (-left, left + width - mask.shape[1], -top, top + height - mask.shape[0])
    image, mask = F.pad(image, amounts), F.pad(mask, amounts, value=255)
    image = F.interpolate(image[None], size=size, mode="bilinear", antialias=True)[0]
    mask = F.interpolate(mask[None, None].float(), size=size, mode="nearest-exact")[0, 0].long()
    return (image.flip(-1), mask.flip(-1)) if flip else (image, mask)

# %% wrong crop_pair: no antialias
# fails: resized last: the image blended, the mask copied
# says: The image was resized without `antialias=True`
# differs at: a crop made smaller
def crop_pair(image, mask, box, flip, size):
    top, left, height, width = box
    amounts = (-left, left + width - mask.shape[1], -top, top + height - mask.shape[0])
    image, mask = F.pad(image, amounts), F.pad(mask, amounts, value=255)
    if flip:
        image, mask = image.flip(-1), mask.flip(-1)
    image = F.interpolate(image[None], size=size, mode="bilinear")[0]
    return image, F.interpolate(mask[None, None].float(), size=size, mode="nearest-exact")[0, 0].long()

# %% wrong crop_pair: the mask by the default mode, nearest
# fails: resized last: the image blended, the mask copied
# says: This keeps the first pixel of each block
# differs at: a crop made smaller
def crop_pair(image, mask, box, flip, size):
    top, left, height, width = box
    amounts = (-left, left + width - mask.shape[1], -top, top + height - mask.shape[0])
    image, mask = F.pad(image, amounts), F.pad(mask, amounts, value=255)
    if flip:
        image, mask = image.flip(-1), mask.flip(-1)
    image = F.interpolate(image[None], size=size, mode="bilinear", antialias=True)[0]
    return image, F.interpolate(mask[None, None].float(), size=size)[0, 0].long()

# %% wrong crop_pair: the mask goes to interpolate as int64
# fails: cut inside the picture; outside the picture 0 and 255, and arguments that stay as they were; mirrored, after the cut; resized last: the image blended, the mask copied
# says: `F.interpolate` takes no `int64`
# differs at: it stops
def crop_pair(image, mask, box, flip, size):
    top, left, height, width = box
    amounts = (-left, left + width - mask.shape[1], -top, top + height - mask.shape[0])
    image, mask = F.pad(image, amounts), F.pad(mask, amounts, value=255)
    if flip:
        image, mask = image.flip(-1), mask.flip(-1)
    image = F.interpolate(image[None], size, mode="bilinear", antialias=True)[0]
    return image, F.interpolate(mask[None, None], size, mode="nearest-exact")[0, 0]

# %% wrong crop_pair: the mask has one axis too few for interpolate
# fails: cut inside the picture; outside the picture 0 and 255, and arguments that stay as they were; mirrored, after the cut; resized last: the image blended, the mask copied
# says: add the axes that are missing.
# differs at: it stops
def crop_pair(image, mask, box, flip, size):
    top, left, height, width = box
    amounts = (-left, left + width - mask.shape[1], -top, top + height - mask.shape[0])
    image, mask = F.pad(image, amounts), F.pad(mask, amounts, value=255)
    if flip:
        image, mask = image.flip(-1), mask.flip(-1)
    image = F.interpolate(image[None], size, mode="bilinear", antialias=True)[0]
    return image, F.interpolate(mask[None].float(), size, mode="nearest-exact")[0].long()

# %% wrong crop_pair: the mask is not resized
# fails: resized last: the image blended, the mask copied
# says: expected a tensor of shape
# differs at: a crop of another size
def crop_pair(image, mask, box, flip, size):
    top, left, height, width = box
    amounts = (-left, left + width - mask.shape[1], -top, top + height - mask.shape[0])
    image, mask = F.pad(image, amounts), F.pad(mask, amounts, value=255)
    if flip:
        image, mask = image.flip(-1), mask.flip(-1)
    image = F.interpolate(image[None], size, mode="bilinear", antialias=True)[0]
    return image, mask

# %% wrong crop_pair: the mask is blended with the image
# fails: resized last: the image blended, the mask copied
# says: The mask was blended like the image
# differs at: labels 0 and 255 mix
def crop_pair(image, mask, box, flip, size):
    top, left, height, width = box
    amounts = (-left, left + width - mask.shape[1], -top, top + height - mask.shape[0])
    image, mask = F.pad(image, amounts), F.pad(mask, amounts, value=255)
    both = torch.cat([image, mask[None].to(image.dtype)])
    if flip:
        both = both.flip(-1)
    both = F.interpolate(both[None], size=size, mode="bilinear", antialias=True)[0]
    return both[:3], both[3].round().long()

# %% wrong crop_pair: the box is taken for top, left, bottom, right
# fails: cut inside the picture; outside the picture 0 and 255, and arguments that stay as they were; mirrored, after the cut; resized last: the image blended, the mask copied
# says: Height and width were taken for the bottom and the right edge
# differs at: box (2, 2, 4, 4)
def crop_pair(image, mask, box, flip, size):
    top, left, bottom, right = box
    amounts = (-left, right - mask.shape[1], -top, bottom - mask.shape[0])
    image, mask = F.pad(image, amounts), F.pad(mask, amounts, value=255)
    if flip:
        image, mask = image.flip(-1), mask.flip(-1)
    image = F.interpolate(image[None], size=size, mode="bilinear", antialias=True)[0]
    return image, F.interpolate(mask[None, None].float(), size=size, mode="nearest-exact")[0, 0].long()

# %% wrong crop_pair: the box is taken for left, top, width, height
# fails: cut inside the picture; outside the picture 0 and 255, and arguments that stay as they were; mirrored, after the cut; resized last: the image blended, the mask copied
# says: Rows and columns have changed places
# differs at: box (0, 1, 1, 4)
def crop_pair(image, mask, box, flip, size):
    left, top, width, height = box
    amounts = (-left, left + width - mask.shape[1], -top, top + height - mask.shape[0])
    image, mask = F.pad(image, amounts), F.pad(mask, amounts, value=255)
    if flip:
        image, mask = image.flip(-1), mask.flip(-1)
    image = F.interpolate(image[None], size=size, mode="bilinear", antialias=True)[0]
    return image, F.interpolate(mask[None, None].float(), size=size, mode="nearest-exact")[0, 0].long()

# %% wrong crop_pair: shifts the caller's mask, so that padding with 0 comes out as 255
# fails: outside the picture 0 and 255, and arguments that stay as they were
# says: your function changed the image or the mask that it was given.
# differs at: mask is changed
def crop_pair(image, mask, box, flip, size):
    top, left, height, width = box
    amounts = (-left, left + width - mask.shape[1], -top, top + height - mask.shape[0])
    mask -= 255
    image, mask = F.pad(image, amounts), F.pad(mask, amounts) + 255
    if flip:
        image, mask = image.flip(-1), mask.flip(-1)
    image = F.interpolate(image[None], size=size, mode="bilinear", antialias=True)[0]
    return image, F.interpolate(mask[None, None].float(), size=size, mode="nearest-exact")[0, 0].long()

# %% wrong crop_pair: height and width of the new size swapped
# fails: cut inside the picture; outside the picture 0 and 255, and arguments that stay as they were; mirrored, after the cut; resized last: the image blended, the mask copied
# says: Height and width have changed places: size is (h, w).
def crop_pair(image, mask, box, flip, size):
    top, left, height, width = box
    h, w = mask.shape
    edges = (-left, left + width - w, -top, top + height - h)  # to add left, right, above, below
    image = F.pad(image, edges, value=0.0)  # a negative number cuts off
    if flip:
        image = image.flip(-1)
    image = F.interpolate(image[None], size, mode="bilinear", antialias=True)[0]

    mask = F.pad(mask, edges, value=255)
    if flip:
        mask = mask.flip(-1)
    mask = F.interpolate(mask[None, None].float(), (size[1], size[0]), mode="nearest-exact")[0, 0].long()
    return image, mask

# %% wrong crop_pair: the mask comes back as (1, h, w)
# fails: cut inside the picture; outside the picture 0 and 255, and arguments that stay as they were; mirrored, after the cut; resized last: the image blended, the mask copied
# says: Take the axes off again
def crop_pair(image, mask, box, flip, size):
    top, left, height, width = box
    h, w = mask.shape
    edges = (-left, left + width - w, -top, top + height - h)  # to add left, right, above, below
    image = F.pad(image, edges, value=0.0)  # a negative number cuts off
    if flip:
        image = image.flip(-1)
    image = F.interpolate(image[None], size, mode="bilinear", antialias=True)[0]

    mask = F.pad(mask, edges, value=255)
    if flip:
        mask = mask.flip(-1)
    mask = F.interpolate(mask[None, None].float(), size, mode="nearest-exact")[0].long()
    return image, mask

# %% right as_convolutions: new layers, weights copied in by copy_
def as_convolutions(head, shape):
    C, h, w = shape
    layers, first = [], True
    for layer in head:
        if isinstance(layer, nn.Linear):
            kernel, n = ((h, w), C) if first else (1, layer.in_features)
            conv = nn.Conv2d(n, layer.out_features, kernel)
            with torch.no_grad():
                conv.weight.copy_(layer.weight.view_as(conv.weight))
                conv.bias.copy_(layer.bias)
            layers.append(conv)
            first = False
        elif not isinstance(layer, nn.Flatten):
            layers.append(layer)
    return nn.Sequential(*layers)

# %% right as_convolutions: a deep copy whose layers are exchanged
import copy
def as_convolutions(head, shape):
    twin = copy.deepcopy(head)
    kernel, channels = tuple(shape[1:]), shape[0]
    for i, layer in enumerate(twin):
        if type(layer) is nn.Flatten:
            twin[i] = nn.Identity()
        if type(layer) is nn.Linear:
            twin[i] = nn.Conv2d(channels, layer.out_features, kernel)
            twin[i].weight.data = layer.weight.data.reshape(layer.out_features, channels, *kernel)
            twin[i].bias.data = layer.bias.data
            kernel, channels = (1, 1), layer.out_features
    return twin

# %% right as_convolutions: a state dict with the weights reshaped
def as_convolutions(head, shape):
    kernel, n_in, layers = shape[1:], shape[0], []
    for layer in list(head)[1:]:
        if isinstance(layer, nn.Linear):
            conv = nn.Conv2d(n_in, layer.out_features, kernel)
            weight = layer.weight.detach().clone().unflatten(1, (n_in, *kernel))
            conv.load_state_dict({"weight": weight, "bias": layer.bias.detach().clone()})
            layers.append(conv)
            n_in, kernel = layer.out_features, (1, 1)
        elif isinstance(layer, nn.Dropout):
            layers.append(nn.Dropout(layer.p))
        else:
            layers.append(nn.ReLU())
    return nn.Sequential(*layers)

# %% right as_convolutions: a class of its own
class Slider(nn.Module):
    def __init__(self, head, shape):
        super().__init__()
        linear = [layer for layer in head if isinstance(layer, nn.Linear)]
        self.steps = nn.ModuleList()
        for layer in head[1:]:
            if layer is linear[0]:
                self.steps.append(nn.Conv2d(shape[0], layer.out_features, tuple(shape[1:])))
            elif isinstance(layer, nn.Linear):
                self.steps.append(nn.Conv2d(layer.in_features, layer.out_features, 1))
            else:
                self.steps.append(layer)
        with torch.no_grad():
            convs = [step for step in self.steps if isinstance(step, nn.Conv2d)]
            for old, new in zip(linear, convs):
                new.weight[:] = old.weight.reshape(new.weight.shape)
                new.bias[:] = old.bias

    def forward(self, maps):
        for step in self.steps:
            maps = step(maps)
        return maps

def as_convolutions(head, shape):
    return Slider(head, shape)

# %% wrong as_convolutions: the first layer becomes 1 by 1, over averaged maps
# fails: one layer on the map that it knows; channels, rows and columns in their order; a larger map: at each place the head's own score; several layers, ReLU and Dropout in their places; weights that learn, and are copies
# says: a kernel of h × w in the first layer.
# differs at: any map
def as_convolutions(head, shape):
    layers, first = [], True
    for layer in list(head)[1:]:
        if isinstance(layer, nn.Linear):
            conv = nn.Conv2d(shape[0] if first else layer.in_features, layer.out_features, 1)
            if not first:
                conv.weight.data = layer.weight.data.clone()[..., None, None]
            else:
                conv.weight.data = layer.weight.data.reshape(-1, *shape).mean((2, 3), keepdim=True)
            conv.bias.data = layer.bias.data.clone()
            layers.append(conv)
            first = False
        else:
            layers.append(layer)
    return nn.Sequential(*layers)

# %% wrong as_convolutions: channels last
# fails: channels, rows and columns in their order
# says: The weights are laid out as if channels came last
# differs at: more than one channel
def as_convolutions(head, shape):
    C, h, w = shape
    layers, first = [], True
    for layer in list(head)[1:]:
        if isinstance(layer, nn.Linear):
            kernel, n = ((h, w), C) if first else (1, layer.in_features)
            conv = nn.Conv2d(n, layer.out_features, kernel)
            weight = layer.weight.data.reshape(-1, *conv.weight.shape[2:], n).permute(0, 3, 1, 2)
            conv.weight.data, conv.bias.data = weight.clone(), layer.bias.data.clone()
            layers.append(conv)
            first = False
        else:
            layers.append(layer)
    return nn.Sequential(*layers)

# %% wrong as_convolutions: height and width exchanged in the kernel
# fails: channels, rows and columns in their order
# says: Here h is 2 and w is 4.
# differs at: h ≠ w
def as_convolutions(head, shape):
    C, w, h = shape
    layers, first = [], True
    for layer in list(head)[1:]:
        if isinstance(layer, nn.Linear):
            kernel, n = ((h, w), C) if first else (1, layer.in_features)
            conv = nn.Conv2d(n, layer.out_features, kernel)
            conv.weight.data = layer.weight.data.reshape(conv.weight.shape).clone()
            conv.bias.data = layer.bias.data.clone()
            layers.append(conv)
            first = False
        else:
            layers.append(layer)
    return nn.Sequential(*layers)

# %% wrong as_convolutions: weights are shared with the head
# fails: weights that learn, and are copies
# says: both hold the same tensor. Copy the numbers.
# differs at: training the result changes head
def as_convolutions(head, shape):
    C, h, w = shape
    layers, first = [], True
    for layer in list(head)[1:]:
        if isinstance(layer, nn.Linear):
            kernel, n = ((h, w), C) if first else (1, layer.in_features)
            conv = nn.Conv2d(n, layer.out_features, kernel)
            conv.weight.data = layer.weight.data.view(conv.weight.shape)
            conv.bias.data = layer.bias.data
            layers.append(conv)
            first = False
        else:
            layers.append(layer)
    return nn.Sequential(*layers)

# %% wrong as_convolutions: biases are forgotten
# fails: one layer on the map that it knows; channels, rows and columns in their order; a larger map: at each place the head's own score; several layers, ReLU and Dropout in their places; weights that learn, and are copies
# says: The biases are missing.
# differs at: any map
def as_convolutions(head, shape):
    C, h, w = shape
    layers, first = [], True
    for layer in list(head)[1:]:
        if isinstance(layer, nn.Linear):
            kernel, n = ((h, w), C) if first else (1, layer.in_features)
            conv = nn.Conv2d(n, layer.out_features, kernel, bias=False)
            conv.weight.data = layer.weight.data.reshape(conv.weight.shape).clone()
            layers.append(conv)
            first = False
        else:
            layers.append(layer)
    return nn.Sequential(*layers)

# %% wrong as_convolutions: new layers of the right shapes, weights not copied
# fails: one layer on the map that it knows; channels, rows and columns in their order; a larger map: at each place the head's own score; several layers, ReLU and Dropout in their places; weights that learn, and are copies
# says: The numbers of the head's first `nn.Linear` are not in your network
# differs at: any map
def as_convolutions(head, shape):
    C, h, w = shape
    layers, first = [], True
    for layer in list(head)[1:]:
        if isinstance(layer, nn.Linear):
            kernel, n = ((h, w), C) if first else (1, layer.in_features)
            layers.append(nn.Conv2d(n, layer.out_features, kernel))
            first = False
        else:
            layers.append(layer)
    return nn.Sequential(*layers)

# %% wrong as_convolutions: padded so that the map keeps its size
# fails: one layer on the map that it knows; channels, rows and columns in their order; a larger map: at each place the head's own score; several layers, ReLU and Dropout in their places; weights that learn, and are copies
# says: The kernel must stay on the map: no padding
# differs at: shape H × W instead of H − h + 1 × W − w + 1
def as_convolutions(head, shape):
    C, h, w = shape
    layers, first = [], True
    for layer in list(head)[1:]:
        if isinstance(layer, nn.Linear):
            kernel, n = ((h, w), C) if first else (1, layer.in_features)
            conv = nn.Conv2d(n, layer.out_features, kernel, padding="same")
            conv.weight.data = layer.weight.data.reshape(conv.weight.shape).clone()
            conv.bias.data = layer.bias.data.clone()
            layers.append(conv)
            first = False
        else:
            layers.append(layer)
    return nn.Sequential(*layers)

# %% wrong as_convolutions: ReLU is left out
# fails: several layers, ReLU and Dropout in their places; weights that learn, and are copies
# says: This is the head without its ReLU.
# differs at: two linear layers with ReLU between
def as_convolutions(head, shape):
    C, h, w = shape
    layers = []
    for layer in list(head)[1:]:
        if isinstance(layer, nn.Linear):
            kernel, n = ((h, w), C) if not layers else (1, layer.in_features)
            conv = nn.Conv2d(n, layer.out_features, kernel)
            conv.weight.data = layer.weight.data.reshape(conv.weight.shape).clone()
            conv.bias.data = layer.bias.data.clone()
            layers.append(conv)
    return nn.Sequential(*layers)

# %% wrong as_convolutions: dropout is left out
# fails: several layers, ReLU and Dropout in their places
# says: so the Dropout is gone.
# differs at: in training
def as_convolutions(head, shape):
    C, h, w = shape
    layers = []
    for layer in list(head)[1:]:
        if isinstance(layer, nn.Linear):
            kernel, n = ((h, w), C) if not layers else (1, layer.in_features)
            conv = nn.Conv2d(n, layer.out_features, kernel)
            conv.weight.data = layer.weight.data.reshape(conv.weight.shape).clone()
            conv.bias.data = layer.bias.data.clone()
            layers.append(conv)
        elif isinstance(layer, nn.ReLU):
            layers.append(nn.ReLU())
    return nn.Sequential(*layers)

# %% wrong as_convolutions: cuts out every window and asks a copy of the head
# fails: one layer on the map that it knows; channels, rows and columns in their order; a larger map: at each place the head's own score; several layers, ReLU and Dropout in their places; weights that learn, and are copies
# says: there is no convolution in your network.
# differs at: the text wants convolutions; same scores
import copy
class Windows(nn.Module):
    def __init__(self, head, shape):
        super().__init__()
        self.head, self.kernel = copy.deepcopy(head), tuple(shape[1:])

    def forward(self, maps):
        h, w = self.kernel
        rows = []
        for i in range(maps.shape[2] - h + 1):
            columns = range(maps.shape[3] - w + 1)
            rows.append(torch.stack([self.head(maps[:, :, i:i + h, j:j + w]) for j in columns], -1))
        return torch.stack(rows, -2)

def as_convolutions(head, shape):
    return Windows(head, shape)

# %% wrong as_convolutions: a function instead of a module
# fails: one layer on the map that it knows; channels, rows and columns in their order; a larger map: at each place the head's own score; several layers, ReLU and Dropout in their places; weights that learn, and are copies
# says: Return an `nn.Module`
# differs at: not an nn.Module
def as_convolutions(head, shape):
    C, h, w = shape
    def slide(maps):
        first = True
        for layer in list(head)[1:]:
            if isinstance(layer, nn.Linear):
                weight = layer.weight.reshape(-1, C, h, w) if first else layer.weight[..., None, None]
                maps, first = F.conv2d(maps, weight, layer.bias), False
            else:
                maps = layer(maps)
        return maps
    return slide

# %% wrong as_convolutions: exchanges the head's own layers
# fails: one layer on the map that it knows; channels, rows and columns in their order; a larger map: at each place the head's own score; several layers, ReLU and Dropout in their places; weights that learn, and are copies
# says: your function changed `head` itself.
# differs at: head is changed
def as_convolutions(head, shape):
    kernel, n = tuple(shape[1:]), shape[0]
    for i, layer in enumerate(head):
        if isinstance(layer, nn.Flatten):
            head[i] = nn.Identity()
        if isinstance(layer, nn.Linear):
            conv = nn.Conv2d(n, layer.out_features, kernel)
            conv.weight.data = layer.weight.data.reshape(conv.weight.shape).clone()
            conv.bias.data = layer.bias.data.clone()
            head[i], kernel, n = conv, (1, 1), layer.out_features
    return head

# %% wrong as_convolutions: bias forgotten: it stays random
# fails: one layer on the map that it knows; channels, rows and columns in their order; a larger map: at each place the head's own score; several layers, ReLU and Dropout in their places; weights that learn, and are copies
# says: All but the bias is right
def as_convolutions(head, shape):
    layers = []
    channels, kernel = shape[0], tuple(shape[1:])  # what the next convolution reads
    for layer in head:
        if isinstance(layer, nn.Linear):
            conv = nn.Conv2d(channels, layer.out_features, kernel)
            layers.append(conv)
            with torch.no_grad():
                conv.weight.copy_(layer.weight.view_as(conv.weight))
            channels, kernel = layer.out_features, (1, 1)
        elif not isinstance(layer, nn.Flatten):
            layers.append(layer)
    return nn.Sequential(*layers)
