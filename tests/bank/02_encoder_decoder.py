"""Answers to lesson 02_encoder_decoder, right and wrong, by people who saw the student's notebook and not its checks.

Read by tests/answers.py. A wrong answer names its misconception, an input on which it lies, and what it must be told.
"""

# %% right conv_out_size: the usual formula
def conv_out_size(n, k, s=1, p=0, d=1):
    return (n + 2 * p - d * (k - 1) - 1) // s + 1

# %% right conv_out_size: counts the places in a while loop
def conv_out_size(n, k, s=1, p=0, d=1):
    left = -p
    places = 0
    while left + d * (k - 1) <= n + p - 1:
        places += 1
        left += s
    return places

# %% right conv_out_size: length of a range of left edges
def conv_out_size(n, k, s=1, p=0, d=1):
    reach = d * (k - 1) + 1
    return len(range(0, n + 2 * p - reach + 1, s))

# %% right conv_out_size: recursion, removes one setting at a time
def conv_out_size(n, k, s=1, p=0, d=1):
    if p > 0:
        return conv_out_size(n + 2 * p, k, s, 0, d)
    if d > 1:
        return conv_out_size(n, k + (d - 1) * (k - 1), s)
    if s > 1:
        return (conv_out_size(n, k) + s - 1) // s
    return n - k + 1

# %% right conv_out_size: unfold of a padded arange
def conv_out_size(n, k, s=1, p=0, d=1):
    row = torch.arange(n + 2 * p)
    return row.unfold(0, d * (k - 1) + 1, s).size(0)

# %% right conv_out_size: rounds up the number of free left edges
def conv_out_size(n, k, s=1, p=0, d=1):
    free = n + 2 * p - (k + (k - 1) * (d - 1)) + 1
    return -(-free // s)

# %% wrong conv_out_size: takes the padding off
# fails: kernel and padding; rounding where the kernel does not fit evenly
# says: The padding is taken off
def conv_out_size(n, k, s=1, p=0, d=1):
    return (n - 2 * p - d * (k - 1) - 1) // s + 1

# %% wrong conv_out_size: one gap for the whole kernel
# fails: dilation
# says: This adds one gap
def conv_out_size(n, k, s=1, p=0, d=1):
    return (n + 2 * p - (k + d - 1)) // s + 1

# %% wrong conv_out_size: forgets that padding is added at both ends
# fails: kernel and padding; rounding where the kernel does not fit evenly
# says: This pads one end only; p pixels are added at both.
# differs at: conv_out_size(5, 3, 1, 1)
def conv_out_size(n, k, s=1, p=0, d=1):
    return (n + p - d * (k - 1) - 1) // s + 1

# %% wrong conv_out_size: takes the reach for d*k
# fails: dilation
# says: This takes the reach as d·k; the taps span
# differs at: conv_out_size(9, 3, 1, 0, 2)
def conv_out_size(n, k, s=1, p=0, d=1):
    return (n + 2 * p - d * k) // s + 1

# %% wrong conv_out_size: forgets the plus one
# fails: kernel and padding; stride; rounding where the kernel does not fit evenly; dilation
# says: This is one too few: the place at
# differs at: conv_out_size(7, 3, 2)
def conv_out_size(n, k, s=1, p=0, d=1):
    return (n + 2 * p - d * (k - 1) - 1) // s

# %% wrong conv_out_size: rounds up
# fails: rounding where the kernel does not fit evenly; dilation
# says: This is one too many where a rest is left
# differs at: conv_out_size(8, 3, 2)
import math
def conv_out_size(n, k, s=1, p=0, d=1):
    return math.ceil((n + 2 * p - d * (k - 1) - 1) / s) + 1

# %% wrong conv_out_size: forgets dilation
# fails: dilation
# says: This forgets the dilation
# differs at: conv_out_size(9, 3, 1, 0, 2)
def conv_out_size(n, k, s=1, p=0, d=1):
    return (n + 2 * p - k) // s + 1

# %% wrong conv_out_size: forgets stride
# fails: stride; rounding where the kernel does not fit evenly; dilation
# says: This forgets the stride: only every
# differs at: conv_out_size(7, 3, 2)
def conv_out_size(n, k, s=1, p=0, d=1):
    return n + 2 * p - d * (k - 1)

# %% wrong conv_out_size: hard-coded to the example
# fails: kernel and padding; stride; rounding where the kernel does not fit evenly; dilation
# says: expected
# differs at: conv_out_size(10, 3, 2)
def conv_out_size(n, k, s=1, p=0, d=1):
    return 3

# %% wrong conv_out_size: true division gives a float
# fails: kernel and padding; stride; rounding where the kernel does not fit evenly; dilation
# says: Divide with `//`.
# differs at: conv_out_size(7, 3, 2); 3.0 instead of 3
def conv_out_size(n, k, s=1, p=0, d=1):
    return (n + 2 * p - d * (k - 1) - 1) / s + 1

# %% wrong conv_out_size: right number as a tensor
# fails: kernel and padding; stride; rounding where the kernel does not fit evenly; dilation
# says: Divide with `//`.
# differs at: conv_out_size(7, 3, 2); tensor(3) instead of 3
def conv_out_size(n, k, s=1, p=0, d=1):
    row = F.pad(torch.ones(n), (p, p))
    places = row.unfold(0, d * (k - 1) + 1, s)
    return places[:, 0].numel() * torch.tensor(1)

# %% wrong conv_out_size: prints instead of returning
# fails: kernel and padding; stride; rounding where the kernel does not fit evenly; dilation
# says: Is a `return` missing?
# differs at: conv_out_size(7, 3, 2); None
def conv_out_size(n, k, s=1, p=0, d=1):
    size = (n + 2 * p - d * (k - 1) - 1) // s + 1
    print(size)

# %% wrong conv_out_size: d means d extra holes between taps
# fails: kernel and padding; stride; rounding where the kernel does not fit evenly; dilation
# says: expected
# differs at: conv_out_size(7, 3, 2)
def conv_out_size(n, k, s=1, p=0, d=1):
    reach = k + (k - 1) * d
    return (n + 2 * p - reach) // s + 1

# %% wrong conv_out_size: lets the kernel hang over the end
# fails: kernel and padding; stride; rounding where the kernel does not fit evenly; dilation
# says: a kernel that hangs over the end is not placed
# differs at: conv_out_size(7, 3, 2)
def conv_out_size(n, k, s=1, p=0, d=1):
    return len(range(0, n + 2 * p, s))

# %% wrong conv_out_size: believes a layer only halves ("same" padding)
# fails: stride; rounding where the kernel does not fit evenly; dilation
# says: Where there is a stride this only divides by it
# differs at: conv_out_size(9, 5, 2)
def conv_out_size(n, k, s=1, p=0, d=1):
    return n // s if s > 1 else n + 2 * p - k + 1

# %% wrong conv_out_size: no defaults in the signature
# fails: kernel and padding
# says: your code stopped with TypeError
# differs at: conv_out_size(7, 3, s=2); TypeError
def conv_out_size(n, k, s, p, d):
    return (n + 2 * p - d * (k - 1) - 1) // s + 1

# %% wrong conv_out_size: padding forgotten
# fails: kernel and padding; rounding where the kernel does not fit evenly
# says: The padding is forgotten
def conv_out_size(n, k, s=1, p=0, d=1):
    return (n - d * (k - 1) - 1) // s + 1

# %% wrong conv_out_size: the stride divides before the kernel is taken off
# fails: stride; rounding where the kernel does not fit evenly; dilation
# says: before the kernel is taken off
def conv_out_size(n, k, s=1, p=0, d=1):
    return (n + 2 * p) // s - d * (k - 1)

# %% wrong conv_out_size: rounds to the nearest whole number
# fails: rounding where the kernel does not fit evenly; dilation
# says: This rounds to the nearest whole number
def conv_out_size(n, k, s=1, p=0, d=1):
    return round((n + 2 * p - d * (k - 1) - 1) / s + 1)

# %% right trace_shapes: one loop with if and elif
def trace_shapes(rows, shape):
    c, h, w = shape
    out = []
    for row in rows:
        if row[0] == "conv":
            _, c, k, s, p = row
            h = (h + 2 * p - k) // s + 1
            w = (w + 2 * p - k) // s + 1
        elif row[0] == "pool":
            k = row[1]
            h, w = h // k, w // k
        else:
            _, c, k, s = row
            h, w = (h - 1) * s + k, (w - 1) * s + k
        out.append((c, h, w))
    return out

# %% right trace_shapes: recursion on the rest of the rows
def trace_shapes(rows, shape):
    if not rows:
        return []
    kind, *rest = rows[0]
    c, h, w = shape
    if kind == "pool":
        (k,) = rest
        new = (c, (h - k) // k + 1, (w - k) // k + 1)
    elif kind == "conv":
        c, k, s, p = rest
        new = (c, *[(n - k + 2 * p + s) // s for n in (h, w)])
    else:
        c, k, s = rest
        new = (c, *[s * n + k - s for n in (h, w)])
    return [new] + trace_shapes(rows[1:], new)

# %% right trace_shapes: match statement
def trace_shapes(rows, shape):
    shapes = [tuple(shape)]
    for row in rows:
        c, *hw = shapes[-1]
        match tuple(row):
            case ("conv", channels, k, s, p):
                shapes.append((channels, *((n + 2 * p - k) // s + 1 for n in hw)))
            case ("pool", k):
                shapes.append((c, *(n // k for n in hw)))
            case ("up", channels, k, s):
                shapes.append((channels, *((n - 1) * s + k for n in hw)))
    return shapes[1:]

# %% right trace_shapes: itertools.accumulate with a table of functions
from itertools import accumulate
def trace_shapes(rows, shape):
    size = {
        "conv": lambda n, ch, k, s, p: len(range(0, n + 2 * p - k + 1, s)),
        "pool": lambda n, k: len(range(0, n - k + 1, k)),
        "up": lambda n, ch, k, s: max(range(0, n * s, s)) + k,
    }
    def step(now, row):
        kind, *a = row
        c = now[0] if kind == "pool" else a[0]
        return c, size[kind](now[1], *a), size[kind](now[2], *a)
    return list(accumulate(rows, step, initial=shape))[1:]

# %% wrong trace_shapes: runs the layers and looks at what comes out
# fails: convolutions; pooling, odd sizes too; transposed convolutions; a whole encoder and decoder
# says: Do arithmetic with the numbers of each row.
def trace_shapes(rows, shape):
    x, shapes = torch.zeros(1, *shape), []
    for kind, *numbers in rows:
        if kind == "pool":
            x = nn.MaxPool2d(numbers[0])(x)
        elif kind == "conv":
            x = nn.Conv2d(x.shape[1], *numbers)(x)
        else:
            x = nn.ConvTranspose2d(x.shape[1], *numbers)(x)
        shapes.append(tuple(x.shape[1:]))
    return shapes

# %% wrong trace_shapes: includes the input's shape
# fails: convolutions; pooling, odd sizes too; transposed convolutions; a whole encoder and decoder
# says: every shape is right, but the list starts with the input; start with what the first layer gives.
# differs at: trace_shapes([("conv", 8, 3, 2, 1)], (3, 17, 32))
def trace_shapes(rows, shape):
    c, h, w = shape
    out = [(c, h, w)]
    for row in rows:
        if row[0] == "conv":
            _, c, k, s, p = row
            h, w = (h + 2 * p - k) // s + 1, (w + 2 * p - k) // s + 1
        elif row[0] == "pool":
            h, w = h // row[1], w // row[1]
        else:
            _, c, k, s = row
            h, w = (h - 1) * s + k, (w - 1) * s + k
        out.append((c, h, w))
    return out

# %% wrong trace_shapes: up multiplies the size by the stride
# fails: transposed convolutions
# says: This multiplies by the stride; the last kernel hangs over by k − s =
# differs at: trace_shapes([("up", 4, 3, 2)], (8, 4, 8))
def trace_shapes(rows, shape):
    c, h, w = shape
    out = []
    for row in rows:
        if row[0] == "conv":
            _, c, k, s, p = row
            h, w = (h + 2 * p - k) // s + 1, (w + 2 * p - k) // s + 1
        elif row[0] == "pool":
            h, w = h // row[1], w // row[1]
        else:
            _, c, k, s = row
            h, w = h * s, w * s
        out.append((c, h, w))
    return out

# %% wrong trace_shapes: up is n*s + 1, which only fits the example's kernel
# fails: transposed convolutions; a whole encoder and decoder
# says: turns
# differs at: trace_shapes([("up", 4, 2, 2)], (8, 4, 8))
def trace_shapes(rows, shape):
    c, h, w = shape
    out = []
    for row in rows:
        if row[0] == "conv":
            _, c, k, s, p = row
            h, w = (h + 2 * p - k) // s + 1, (w + 2 * p - k) // s + 1
        elif row[0] == "pool":
            h, w = h // row[1], w // row[1]
        else:
            c = row[1]
            h, w = h * row[3] + 1, w * row[3] + 1
        out.append((c, h, w))
    return out

# %% wrong trace_shapes: pooling rounds up
# fails: pooling, odd sizes too; a whole encoder and decoder
# says: Pooling rounds down: a window that hangs over the end is not used.
# differs at: trace_shapes([("pool", 2)], (8, 9, 16))
def trace_shapes(rows, shape):
    c, h, w = shape
    out = []
    for row in rows:
        if row[0] == "conv":
            _, c, k, s, p = row
            h, w = (h + 2 * p - k) // s + 1, (w + 2 * p - k) // s + 1
        elif row[0] == "pool":
            h, w = -(-h // row[1]), -(-w // row[1])
        else:
            _, c, k, s = row
            h, w = (h - 1) * s + k, (w - 1) * s + k
        out.append((c, h, w))
    return out

# %% wrong trace_shapes: pooling always halves
# fails: pooling, odd sizes too
# says: turns
# differs at: trace_shapes([("pool", 3)], (8, 9, 16))
def trace_shapes(rows, shape):
    c, h, w = shape
    out = []
    for row in rows:
        if row[0] == "conv":
            _, c, k, s, p = row
            h, w = (h + 2 * p - k) // s + 1, (w + 2 * p - k) // s + 1
        elif row[0] == "pool":
            h, w = h // 2, w // 2
        else:
            _, c, k, s = row
            h, w = (h - 1) * s + k, (w - 1) * s + k
        out.append((c, h, w))
    return out

# %% wrong trace_shapes: conv pads at one end only
# fails: convolutions; a whole encoder and decoder
# says: This pads one end only; p pixels are added at both.
# differs at: trace_shapes([("conv", 8, 3, 1, 1)], (3, 17, 32))
def trace_shapes(rows, shape):
    c, h, w = shape
    out = []
    for row in rows:
        if row[0] == "conv":
            _, c, k, s, p = row
            h, w = (h + p - k) // s + 1, (w + p - k) // s + 1
        elif row[0] == "pool":
            h, w = h // row[1], w // row[1]
        else:
            _, c, k, s = row
            h, w = (h - 1) * s + k, (w - 1) * s + k
        out.append((c, h, w))
    return out

# %% wrong trace_shapes: assumes a square map
# fails: convolutions; pooling, odd sizes too; transposed convolutions; a whole encoder and decoder
# says: The width follows from the width, not from the height.
# differs at: trace_shapes([("conv", 8, 3, 2, 1)], (3, 17, 32))
def trace_shapes(rows, shape):
    c, n, _ = shape
    out = []
    for row in rows:
        if row[0] == "conv":
            _, c, k, s, p = row
            n = (n + 2 * p - k) // s + 1
        elif row[0] == "pool":
            n = n // row[1]
        else:
            _, c, k, s = row
            n = (n - 1) * s + k
        out.append((c, n, n))
    return out

# %% wrong trace_shapes: height and width swapped
# fails: convolutions; pooling, odd sizes too; transposed convolutions; a whole encoder and decoder
# says: Height and width have changed places; the order is (C, H, W).
# differs at: trace_shapes([("pool", 2)], (3, 17, 32))
def trace_shapes(rows, shape):
    c, w, h = shape
    out = []
    for row in rows:
        if row[0] == "conv":
            _, c, k, s, p = row
            h, w = (h + 2 * p - k) // s + 1, (w + 2 * p - k) // s + 1
        elif row[0] == "pool":
            h, w = h // row[1], w // row[1]
        else:
            _, c, k, s = row
            h, w = (h - 1) * s + k, (w - 1) * s + k
        out.append((c, h, w))
    return out

# %% wrong trace_shapes: channels last
# fails: convolutions; pooling, odd sizes too; transposed convolutions; a whole encoder and decoder
# says: The channels stand last; the order is (C, H, W).
# differs at: trace_shapes([("pool", 2)], (3, 17, 32))
def trace_shapes(rows, shape):
    c, h, w = shape
    out = []
    for row in rows:
        if row[0] == "conv":
            _, c, k, s, p = row
            h, w = (h + 2 * p - k) // s + 1, (w + 2 * p - k) // s + 1
        elif row[0] == "pool":
            h, w = h // row[1], w // row[1]
        else:
            _, c, k, s = row
            h, w = (h - 1) * s + k, (w - 1) * s + k
        out.append((h, w, c))
    return out

# %% wrong trace_shapes: transposed convolution keeps the channels
# fails: transposed convolutions; a whole encoder and decoder
# says: Height and width are right, the channels are not.
# differs at: trace_shapes([("up", 4, 3, 2)], (8, 4, 8))
def trace_shapes(rows, shape):
    c, h, w = shape
    out = []
    for row in rows:
        if row[0] == "conv":
            _, c, k, s, p = row
            h, w = (h + 2 * p - k) // s + 1, (w + 2 * p - k) // s + 1
        elif row[0] == "pool":
            h, w = h // row[1], w // row[1]
        elif row[0] == "up":
            h, w = (h - 1) * row[3] + row[2], (w - 1) * row[3] + row[2]
        out.append((c, h, w))
    return out

# %% wrong trace_shapes: pops the rows and leaves the caller's list empty
# fails: a whole encoder and decoder
# says: Work on a copy.
# differs at: trace_shapes([("conv", 8, 3, 2, 1), ("pool", 2)], (3, 17, 32)); afterwards rows == []
def trace_shapes(rows, shape):
    c, h, w = shape
    out = []
    while rows:
        row = rows.pop(0)
        if row[0] == "conv":
            _, c, k, s, p = row
            h, w = (h + 2 * p - k) // s + 1, (w + 2 * p - k) // s + 1
        elif row[0] == "pool":
            h, w = h // row[1], w // row[1]
        else:
            _, c, k, s = row
            h, w = (h - 1) * s + k, (w - 1) * s + k
        out.append((c, h, w))
    return out

# %% wrong trace_shapes: return inside the loop
# fails: convolutions; pooling, odd sizes too; transposed convolutions; a whole encoder and decoder
# says: expected one shape for each of the
# differs at: trace_shapes([("pool", 2), ("pool", 2)], (3, 16, 32))
def trace_shapes(rows, shape):
    c, h, w = shape
    out = []
    for row in rows:
        if row[0] == "conv":
            _, c, k, s, p = row
            h, w = (h + 2 * p - k) // s + 1, (w + 2 * p - k) // s + 1
        elif row[0] == "pool":
            h, w = h // row[1], w // row[1]
        else:
            _, c, k, s = row
            h, w = (h - 1) * s + k, (w - 1) * s + k
        out.append((c, h, w))
        return out

# %% wrong trace_shapes: hard-coded to the example
# fails: convolutions; pooling, odd sizes too; transposed convolutions; a whole encoder and decoder
# says: expected one shape for each of the
# differs at: trace_shapes([("pool", 2)], (3, 17, 32))
def trace_shapes(rows, shape):
    return [(8, 9, 16), (8, 4, 8), (4, 9, 17)]

# %% wrong trace_shapes: forgets to return
# fails: convolutions; pooling, odd sizes too; transposed convolutions; a whole encoder and decoder
# says: expected a list of
# differs at: trace_shapes([("pool", 2)], (3, 17, 32)); None
def trace_shapes(rows, shape):
    c, h, w = shape
    out = []
    for row in rows:
        if row[0] == "conv":
            _, c, k, s, p = row
            h, w = (h + 2 * p - k) // s + 1, (w + 2 * p - k) // s + 1
        elif row[0] == "pool":
            h, w = h // row[1], w // row[1]
        else:
            _, c, k, s = row
            h, w = (h - 1) * s + k, (w - 1) * s + k
        out.append((c, h, w))

# ============================================================ receptive_field

# %% wrong trace_shapes: conv rounds up
# fails: convolutions
# says: A convolution rounds down
def trace_shapes(rows, shape):
    c, h, w = shape
    shapes = []
    for kind, *numbers in rows:
        if kind == "pool":
            h, w = h // numbers[0], w // numbers[0]
        elif kind == "conv":
            c, k, s, p = numbers
            h, w = -(-(h + 2 * p - k) // s) + 1, -(-(w + 2 * p - k) // s) + 1
        elif kind == "up":
            c, k, s = numbers
            h, w = (h - 1) * s + k, (w - 1) * s + k
        shapes.append((c, h, w))
    return shapes

# %% wrong trace_shapes: conv gives floats
# fails: convolutions; pooling, odd sizes too; a whole encoder and decoder
# says: A size is an `int`: divide with `//`.
def trace_shapes(rows, shape):
    c, h, w = shape
    shapes = []
    for kind, *numbers in rows:
        if kind == "pool":
            h, w = h // numbers[0], w // numbers[0]
        elif kind == "conv":
            c, k, s, p = numbers
            h, w = (h + 2 * p - k) / s + 1, (w + 2 * p - k) / s + 1
        elif kind == "up":
            c, k, s = numbers
            h, w = (h - 1) * s + k, (w - 1) * s + k
        shapes.append((c, h, w))
    return shapes

# %% wrong trace_shapes: conv keeps the size but for the stride ('same')
# fails: convolutions
# says: Only the stride is looked at
def trace_shapes(rows, shape):
    c, h, w = shape
    shapes = []
    for kind, *numbers in rows:
        if kind == "pool":
            h, w = h // numbers[0], w // numbers[0]
        elif kind == "conv":
            c, k, s, p = numbers
            h, w = h // s, w // s
        elif kind == "up":
            c, k, s = numbers
            h, w = (h - 1) * s + k, (w - 1) * s + k
        shapes.append((c, h, w))
    return shapes

# %% wrong trace_shapes: the stride of conv is forgotten
# fails: convolutions
# says: The stride is forgotten
def trace_shapes(rows, shape):
    c, h, w = shape
    shapes = []
    for kind, *numbers in rows:
        if kind == "pool":
            h, w = h // numbers[0], w // numbers[0]
        elif kind == "conv":
            c, k, s, p = numbers
            h, w = h + 2 * p - k + 1, w + 2 * p - k + 1
        elif kind == "up":
            c, k, s = numbers
            h, w = (h - 1) * s + k, (w - 1) * s + k
        shapes.append((c, h, w))
    return shapes

# %% wrong trace_shapes: lists instead of tuples
# fails: convolutions; pooling, odd sizes too; transposed convolutions; a whole encoder and decoder
# says: A shape is a tuple, `(C, H, W)`, not a list.
def trace_shapes(rows, shape):
    c, h, w = shape
    shapes = []
    for kind, *numbers in rows:
        if kind == "pool":
            h, w = h // numbers[0], w // numbers[0]
        elif kind == "conv":
            c, k, s, p = numbers
            h, w = (h + 2 * p - k) // s + 1, (w + 2 * p - k) // s + 1
        elif kind == "up":
            c, k, s = numbers
            h, w = (h - 1) * s + k, (w - 1) * s + k
        shapes.append([c, h, w])
    return shapes

# %% right receptive_field: field and step from the input on
def receptive_field(layers):
    field, step = 1, 1
    for k, s, d in layers:
        field += d * (k - 1) * step
        step *= s
    return field

# %% right receptive_field: backwards from one output pixel
def receptive_field(layers):
    r = 1
    for k, s, d in reversed(layers):
        r = (r - 1) * s + d * (k - 1) + 1
    return r

# %% right receptive_field: recursion on the tail
def receptive_field(layers):
    if len(layers) == 0:
        return 1
    (k, s, d), *rest = layers
    return (receptive_field(rest) - 1) * s + d * (k - 1) + 1

# %% right receptive_field: follows the set of pixels
def receptive_field(layers):
    pixels = {0}
    for k, s, d in layers[::-1]:
        pixels = {i * s + j * d for i in pixels for j in range(k)}
    return max(pixels) - min(pixels) + 1

# %% right receptive_field: one sum with math.prod
import math
def receptive_field(layers):
    return 1 + sum(d * (k - 1) * math.prod(s for _, s, _ in layers[:i]) for i, (k, s, d) in enumerate(layers))

# %% right receptive_field: torch.cumprod, then int
def receptive_field(layers):
    if not layers:
        return 1
    k, s, d = torch.tensor(layers).T
    step = torch.cumprod(torch.cat([torch.ones(1, dtype=torch.int64), s[:-1]]), 0)
    return int(1 + (d * (k - 1) * step).sum())

# %% wrong receptive_field: the library's own
# fails: one layer, and none; a stack at stride 1; strides; dilation
# says: This asks the library, which measures the field for you.
from course_lib.models import fields

def receptive_field(layers):
    return int(fields.box(fields.influence(layers))[2]) if layers else 1

# %% wrong receptive_field: a layer's own stride already counts for it
# fails: one layer, and none; strides; dilation
# says: This lets a layer's own stride count for itself; a stride changes only the layers after it.
# differs at: receptive_field([(3, 2, 1)])
def receptive_field(layers):
    field, step = 1, 1
    for k, s, d in layers:
        step *= s
        field += d * (k - 1) * step
    return field

# %% wrong receptive_field: a stride doubles the field
# fails: one layer, and none; strides; dilation
# says: expected
# differs at: receptive_field([(3, 2, 1), (3, 1, 1)])
def receptive_field(layers):
    field = 1
    for k, s, d in layers:
        field = (field + d * (k - 1)) * s
    return field

# %% wrong receptive_field: ignores strides
# fails: strides; dilation
# says: This forgets the strides: after a stride of s every later step is s input pixels long.
# differs at: receptive_field([(3, 2, 1), (3, 1, 1)])
def receptive_field(layers):
    return 1 + sum(d * (k - 1) for k, s, d in layers)

# %% wrong receptive_field: ignores dilation
# fails: dilation
# says: This forgets the dilation: a layer adds d(k −
# differs at: receptive_field([(3, 1, 2)])
def receptive_field(layers):
    field, step = 1, 1
    for k, s, d in layers:
        field += (k - 1) * step
        step *= s
    return field

# %% wrong receptive_field: adds d*k - 1 per layer
# fails: dilation
# says: This takes a dilated kernel as d·k long; its taps span d(k −
# differs at: receptive_field([(3, 1, 2)])
def receptive_field(layers):
    field, step = 1, 1
    for k, s, d in layers:
        field += (d * k - 1) * step
        step *= s
    return field

# %% wrong receptive_field: kernels multiplied, neighbours not shared
# fails: a stack at stride 1; strides; dilation
# says: This multiplies the kernels; neighbours look at the same pixels, so the field grows by adding.
# differs at: receptive_field([(3, 1, 1), (3, 1, 1)])
def receptive_field(layers):
    field = 1
    for k, s, d in layers:
        field *= d * (k - 1) + 1
    return field

# %% wrong receptive_field: starts at 0
# fails: one layer, and none; a stack at stride 1; strides; dilation
# says: This starts from
# differs at: receptive_field([])
def receptive_field(layers):
    field, step = 0, 1
    for k, s, d in layers:
        field += d * (k - 1) * step
        step *= s
    return field

# %% wrong receptive_field: forgets the last layer
# fails: one layer, and none; a stack at stride 1; strides; dilation
# says: The last layer is missing.
# differs at: receptive_field([(3, 1, 1), (3, 1, 1)])
def receptive_field(layers):
    field, step = 1, 1
    for i in range(len(layers) - 1):
        k, s, d = layers[i]
        field += d * (k - 1) * step
        step *= s
    return field

# %% wrong receptive_field: fails on an empty stack
# fails: one layer, and none
# says: your code stopped with IndexError
# differs at: receptive_field([]); IndexError
def receptive_field(layers):
    k, s, d = layers[0]
    field, step = d * (k - 1) + 1, s
    for k, s, d in layers[1:]:
        field += d * (k - 1) * step
        step *= s
    return field

# %% wrong receptive_field: area instead of one direction
# fails: one layer, and none; a stack at stride 1; strides; dilation
# says: This is an area; the field is a length in one direction.
# differs at: receptive_field([(3, 1, 1)])
def receptive_field(layers):
    field, step = 1, 1
    for k, s, d in layers:
        field += d * (k - 1) * step
        step *= s
    return field * field

# %% wrong receptive_field: returns a tensor
# fails: one layer, and none; a stack at stride 1; strides; dilation
# says: return an `int`.
# differs at: receptive_field([(3, 2, 1), (3, 1, 1)]); tensor(7)
def receptive_field(layers):
    field, step = torch.tensor(1), 1
    for k, s, d in layers:
        field = field + d * (k - 1) * step
        step *= s
    return field

# %% wrong receptive_field: reverses the caller's list
# fails: a stack at stride 1; strides; dilation
# says: Work on a copy.
# differs at: receptive_field([(3, 2, 1), (3, 1, 1)]); afterwards layers is reversed, a second call gives 5
def receptive_field(layers):
    layers.reverse()
    r = 1
    for k, s, d in layers:
        r = (r - 1) * s + d * (k - 1) + 1
    return r

# %% wrong receptive_field: hard-coded to the two examples
# fails: one layer, and none; a stack at stride 1; strides; dilation
# says: expected
# differs at: receptive_field([(3, 1, 1)])
def receptive_field(layers):
    if layers == []:
        return 1
    return 7

# %% wrong receptive_field: forgets to return
# fails: one layer, and none; a stack at stride 1; strides; dilation
# says: Is a `return` missing?
# differs at: receptive_field([(3, 1, 1)]); None
def receptive_field(layers):
    field, step = 1, 1
    for k, s, d in layers:
        field += d * (k - 1) * step
        step *= s

# ============================================================ poke

# %% wrong receptive_field: grows by the layer and multiplies all by its stride
# fails: one layer, and none; strides; dilation
# says: This multiplies the field by the stride as well
# differs at: receptive_field([(3, 2, 1)])
def receptive_field(layers):
    r = 1
    for k, s, d in layers:
        r = (r + d * (k - 1)) * s
    return r

# %% wrong receptive_field: strides are added up instead of multiplied
# fails: a stack at stride 1; strides; dilation
# says: A step is the product of all strides before it, not their sum.
def receptive_field(layers):
    field, step = 1, 1
    for k, s, d in layers:
        field += d * (k - 1) * step
        step += s
    return field

# %% wrong receptive_field: only the stride just before counts, not the product
# fails: strides; dilation
# says: A step is the product of all strides before it, not the last one.
def receptive_field(layers):
    field, step = 1, 1
    for k, s, d in layers:
        field += d * (k - 1) * step
        step = s
    return field

# %% wrong receptive_field: holes are not counted: number of pixels read
# fails: dilation
# says: This counts the pixels that are read
def receptive_field(layers):
    here = {0}
    for k, s, d in reversed(layers):
        here = {i * s + t * d for i in here for t in range(k)}
    return len(here)

# %% wrong receptive_field: kernel 3 hard-coded
# fails: one layer, and none; a stack at stride 1; strides; dilation
# says: The kernel is taken to be 3 always
def receptive_field(layers):
    field, step = 1, 1
    for k, s, d in layers:
        field += d * 2 * step
        step *= s
    return field

# %% wrong receptive_field: adds k instead of k − 1
# fails: one layer, and none; a stack at stride 1; strides; dilation
# says: not d·k: its first tap was there before
def receptive_field(layers):
    field, step = 1, 1
    for k, s, d in layers:
        field += d * k * step
        step *= s
    return field

# %% wrong receptive_field: back-to-front recursion run front to back
# fails: strides; dilation
# says: This is the field of the layers in reversed order.
def receptive_field(layers):
    field = 1
    for k, s, d in layers:
        field = (field - 1) * s + d * (k - 1) + 1
    return field

# %% right poke: nn.Sequential with weights of one, backward
def poke(layers, size):
    net = nn.Sequential(*[nn.Conv2d(1, 1, k, stride=s, padding=d * (k - 1) // 2, dilation=d, bias=False) for k, s, d in layers])
    for parameter in net.parameters():
        nn.init.ones_(parameter)
    x = torch.zeros(1, 1, size, size, requires_grad=True)
    y = net(x)
    h, w = y.shape[-2:]
    y[0, 0, h // 2, w // 2].backward()
    return x.grad[0, 0]

# %% right poke: functional, autograd.grad on a random picture
def poke(layers, size):
    x = torch.rand(size, size, requires_grad=True)
    y = x[None, None]
    for k, s, d in layers:
        weight = torch.ones(1, 1, k, k)
        y = F.conv2d(y, weight, stride=s, padding=(k - 1) // 2 * d, dilation=d)
    y = y[0, 0]
    (grad,) = torch.autograd.grad(y[y.shape[0] // 2, y.shape[1] // 2], x)
    return grad

# %% right poke: one-hot gradient fed to backward
def poke(layers, size):
    x = torch.randn(1, 1, size, size).requires_grad_()
    out = x
    for k, s, d in layers:
        conv = nn.Conv2d(1, 1, k, s, d * (k - 1) // 2, d, bias=False)
        conv.weight.data.fill_(1.0)
        out = conv(out)
    seed = torch.zeros_like(out)
    seed[:, :, out.size(2) // 2, out.size(3) // 2] = 1
    out.backward(seed)
    return x.grad.squeeze()

# %% right poke: two functions of torch, on a picture of one channel
def poke(layers, size):
    x = torch.ones(1, size, size, requires_grad=True)
    y = x
    for k, s, d in layers:
        y = F.conv2d(y, torch.ones(1, 1, k, k), stride=s, padding=d * (k - 1) // 2, dilation=d)
    y[0, y.shape[1] // 2, y.shape[2] // 2].backward()
    return x.grad[0]

# %% right poke: float64 and a Sequential filled in a loop
def poke(layers, size):
    net = nn.Sequential()
    for i, (k, s, d) in enumerate(layers):
        net.add_module(f"conv{i}", nn.Conv2d(1, 1, k, stride=s, dilation=d, padding=int(d * (k - 1) / 2), bias=False))
    net = net.double()
    with torch.no_grad():
        for p in net.parameters():
            p.fill_(1.0)
    x = torch.zeros(1, 1, size, size, dtype=torch.double, requires_grad=True)
    y = net(x)
    return torch.autograd.grad(y[0, 0, y.shape[2] // 2, y.shape[3] // 2], x)[0][0, 0]

# %% wrong poke: the library's own
# fails: a plain stack; strides; dilation and its holes; one pixel only
# says: This asks the library, which pokes for you.
from course_lib.models import fields

def poke(layers, size):
    return torch.from_numpy(fields.influence(layers, size)).float()

# %% wrong poke: the library's own, brought to the number of paths
# fails: a plain stack; strides; dilation and its holes; one pixel only
# says: This asks the library, which pokes for you.
from course_lib.models import fields

def poke(layers, size):
    shares = torch.from_numpy(fields.influence(layers, size)).float()
    paths = 1
    for k, s, d in layers:
        paths *= k * k
    return shares / shares.sum() * paths

# %% wrong poke: default padding, none at all
# fails: strides
# says: The number is right and the place is not: take the output at `h //
# differs at: poke([(3, 2, 1), (3, 1, 1)], 11)
def poke(layers, size):
    x = torch.zeros(1, 1, size, size, requires_grad=True)
    y = x
    for k, s, d in layers:
        y = F.conv2d(y, torch.ones(1, 1, k, k), stride=s, dilation=d)
    y[0, 0, y.shape[2] // 2, y.shape[3] // 2].backward()
    return x.grad[0, 0]

# %% wrong poke: padding forgets the dilation
# fails: dilation and its holes
# says: The number is right and the place is not: take the output at `h //
# differs at: poke([(3, 2, 2), (3, 2, 1)], 13)
def poke(layers, size):
    x = torch.zeros(1, 1, size, size, requires_grad=True)
    y = x
    for k, s, d in layers:
        y = F.conv2d(y, torch.ones(1, 1, k, k), stride=s, padding=k // 2, dilation=d)
    y[0, 0, y.shape[2] // 2, y.shape[3] // 2].backward()
    return x.grad[0, 0]

# %% wrong poke: padding d*k//2
# fails: dilation and its holes
# says: The number is right and the place is not: take the output at `h //
# differs at: poke([(3, 2, 2)], 9)
def poke(layers, size):
    x = torch.zeros(1, 1, size, size, requires_grad=True)
    y = x
    for k, s, d in layers:
        y = F.conv2d(y, torch.ones(1, 1, k, k), stride=s, padding=d * k // 2, dilation=d)
    y[0, 0, y.shape[2] // 2, y.shape[3] // 2].backward()
    return x.grad[0, 0]

# %% wrong poke: middle of the input instead of the output
# fails: strides; dilation and its holes
# says: its middle is at its own h // 2, w // 2
# differs at: poke([(3, 2, 1)], 9); IndexError
def poke(layers, size):
    x = torch.zeros(1, 1, size, size, requires_grad=True)
    y = x
    for k, s, d in layers:
        y = F.conv2d(y, torch.ones(1, 1, k, k), stride=s, padding=d * (k - 1) // 2, dilation=d)
    y[0, 0, size // 2, size // 2].backward()
    return x.grad[0, 0]

# %% wrong poke: middle is (h - 1) // 2
# fails: strides; dilation and its holes; one pixel only
# says: The number is right and the place is not: take the output at `h //
# differs at: poke([(3, 1, 1)], 6)
def poke(layers, size):
    x = torch.zeros(1, 1, size, size, requires_grad=True)
    y = x
    for k, s, d in layers:
        y = F.conv2d(y, torch.ones(1, 1, k, k), stride=s, padding=d * (k - 1) // 2, dilation=d)
    y[0, 0, (y.shape[2] - 1) // 2, (y.shape[3] - 1) // 2].backward()
    return x.grad[0, 0]

# %% wrong poke: pokes the corner
# fails: a plain stack; strides; dilation and its holes; one pixel only
# says: pixels of yours are not
# differs at: poke([(3, 1, 1)], 5)
def poke(layers, size):
    x = torch.zeros(1, 1, size, size, requires_grad=True)
    y = x
    for k, s, d in layers:
        y = F.conv2d(y, torch.ones(1, 1, k, k), stride=s, padding=d * (k - 1) // 2, dilation=d)
    y[0, 0, 0, 0].backward()
    return x.grad[0, 0]

# %% wrong poke: sums the whole output
# fails: a plain stack; strides; dilation and its holes; one pixel only
# says: Every pixel counts here: poke one output pixel, not the sum of all of them.
# differs at: poke([(3, 1, 1)], 5)
def poke(layers, size):
    x = torch.zeros(1, 1, size, size, requires_grad=True)
    y = x
    for k, s, d in layers:
        y = F.conv2d(y, torch.ones(1, 1, k, k), stride=s, padding=d * (k - 1) // 2, dilation=d)
    y.sum().backward()
    return x.grad[0, 0]

# %% wrong poke: weights of both signs that cancel
# fails: a plain stack; strides; dilation and its holes
# says: All yours are among them, some are missing: did positive and negative weights cancel, or was a layer left out?
# differs at: poke([(3, 1, 1), (3, 1, 1)], 9)
def poke(layers, size):
    x = torch.zeros(1, 1, size, size, requires_grad=True)
    y = x
    sign = 1
    for k, s, d in layers:
        weight = torch.ones(1, 1, k, k)
        weight[..., : k // 2] = sign
        y = F.conv2d(y, weight, stride=s, padding=d * (k - 1) // 2, dilation=d)
        sign = -sign
    y[0, 0, y.shape[2] // 2, y.shape[3] // 2].backward()
    return x.grad[0, 0]

# %% wrong poke: leaves the ReLUs in, on a map of zeros
# fails: a plain stack; strides; dilation and its holes; one pixel only
# says: Has something cut the gradient, such as weights of
# differs at: poke([(3, 1, 1)], 5)
def poke(layers, size):
    x = torch.zeros(1, 1, size, size, requires_grad=True)
    y = x
    for k, s, d in layers:
        y = F.relu(F.conv2d(y, torch.ones(1, 1, k, k), stride=s, padding=d * (k - 1) // 2, dilation=d))
    y[0, 0, y.shape[2] // 2, y.shape[3] // 2].backward()
    return x.grad[0, 0]

# %% wrong poke: weights of zero
# fails: a plain stack; strides; dilation and its holes; one pixel only
# says: Has something cut the gradient, such as weights of
# differs at: poke([(3, 1, 1)], 5)
def poke(layers, size):
    net = nn.Sequential(*[nn.Conv2d(1, 1, k, s, d * (k - 1) // 2, d, bias=False) for k, s, d in layers])
    for p in net.parameters():
        nn.init.zeros_(p)
    x = torch.ones(1, 1, size, size, requires_grad=True)
    y = net(x)
    y[0, 0, y.shape[2] // 2, y.shape[3] // 2].backward()
    return x.grad[0, 0]

# %% wrong poke: returns (1, 1, size, size)
# fails: a plain stack; strides; dilation and its holes; one pixel only
# says: Drop the first two axes.
# differs at: poke([(3, 1, 1)], 5)
def poke(layers, size):
    x = torch.zeros(1, 1, size, size, requires_grad=True)
    y = x
    for k, s, d in layers:
        y = F.conv2d(y, torch.ones(1, 1, k, k), stride=s, padding=d * (k - 1) // 2, dilation=d)
    y[0, 0, y.shape[2] // 2, y.shape[3] // 2].backward()
    return x.grad

# %% wrong poke: returns a bool mask
# fails: a plain stack; strides; dilation and its holes; one pixel only
# says: expected the gradient itself, a float tensor, got dtype bool.
# differs at: poke([(3, 1, 1)], 5); dtype bool
def poke(layers, size):
    x = torch.zeros(1, 1, size, size, requires_grad=True)
    y = x
    for k, s, d in layers:
        y = F.conv2d(y, torch.ones(1, 1, k, k), stride=s, padding=d * (k - 1) // 2, dilation=d)
    y[0, 0, y.shape[2] // 2, y.shape[3] // 2].backward()
    return x.grad[0, 0] != 0

# %% wrong poke: returns a numpy array
# fails: a plain stack; strides; dilation and its holes; one pixel only
# says: Return a tensor; `torch.from_numpy` makes one.
# differs at: poke([(3, 1, 1)], 5); numpy.ndarray
def poke(layers, size):
    x = torch.zeros(1, 1, size, size, requires_grad=True)
    y = x
    for k, s, d in layers:
        y = F.conv2d(y, torch.ones(1, 1, k, k), stride=s, padding=d * (k - 1) // 2, dilation=d)
    y[0, 0, y.shape[2] // 2, y.shape[3] // 2].backward()
    return x.grad[0, 0].numpy()

# %% wrong poke: loses the graph with .data, so the gradient is None
# fails: a plain stack; strides; dilation and its holes; one pixel only
# says: Is a `return` missing? (`x.grad` is None, too, where the input does not want gradients.)
# differs at: poke([(3, 1, 1)], 5)
def poke(layers, size):
    x = torch.zeros(1, 1, size, size, requires_grad=True)
    y = x.data
    for k, s, d in layers:
        y = F.conv2d(y, torch.ones(1, 1, k, k), stride=s, padding=d * (k - 1) // 2, dilation=d)
    y = y.requires_grad_()
    y[0, 0, y.shape[2] // 2, y.shape[3] // 2].backward()
    return x.grad

# %% wrong poke: .item() before backward
# fails: a plain stack; strides; dilation and its holes; one pixel only
# says: Is a `return` missing? (`x.grad` is None, too, where the input does not want gradients.)
# differs at: poke([(3, 1, 1)], 5); no gradient through a number
def poke(layers, size):
    x = torch.zeros(1, 1, size, size, requires_grad=True)
    y = x
    for k, s, d in layers:
        y = F.conv2d(y, torch.ones(1, 1, k, k), stride=s, padding=d * (k - 1) // 2, dilation=d)
    middle = y[0, 0, y.shape[2] // 2, y.shape[3] // 2].item()
    torch.tensor(middle, requires_grad=True).backward()
    return x.grad

# %% wrong poke: puts the field in the middle of the input, where the output's middle does not lie
# fails: a plain stack; strides; dilation and its holes; one pixel only
# says: The number is right and the place is not: take the output at `h //
# differs at: poke([(3, 2, 1)], 8); output pixel 2 lies over input pixel 4, not 3
def poke(layers, size):
    pixels = {0}
    for k, s, d in reversed(layers):
        pixels = {i * s + (j - k // 2) * d for i in pixels for j in range(k)}
    out = torch.zeros(size, size)
    for i in pixels:
        for j in pixels:
            a, b = (size - 1) // 2 + i, (size - 1) // 2 + j
            if 0 <= a < size and 0 <= b < size:
                out[a, b] = 1.0
    return out

# %% wrong poke: hard-coded 3 x 3 in the middle
# fails: a plain stack; strides; dilation and its holes; one pixel only
# says: All yours are among them, some are missing: did positive and negative weights cancel, or was a layer left out?
# differs at: poke([(5, 1, 1)], 9)
def poke(layers, size):
    out = torch.zeros(size, size)
    m = size // 2
    out[m - 1 : m + 2, m - 1 : m + 2] = 1.0
    return out

# %% wrong poke: forgets to return
# fails: a plain stack; strides; dilation and its holes; one pixel only
# says: Is a `return` missing? (`x.grad` is None, too, where the input does not want gradients.)
# differs at: poke([(3, 1, 1)], 5); None
def poke(layers, size):
    x = torch.zeros(1, 1, size, size, requires_grad=True)
    y = x
    for k, s, d in layers:
        y = F.conv2d(y, torch.ones(1, 1, k, k), stride=s, padding=d * (k - 1) // 2, dilation=d)
    y[0, 0, y.shape[2] // 2, y.shape[3] // 2].backward()
    x.grad[0, 0]

# ============================================================ transposed_conv

# %% wrong poke: takes the middle of the input's size in the output
# fails: strides; dilation and its holes
# says: its middle is at its own h // 2, w // 2
# differs at: poke([(3, 2, 1)], 5)
def poke(layers, size):
    x = torch.ones(1, 1, size, size, requires_grad=True)
    y = x
    for k, s, d in layers:
        y = F.conv2d(y, torch.ones(1, 1, k, k), stride=s, padding=d * (k - 1) // 2, dilation=d)
    y[0, 0, size // 2, size // 2].backward()
    return x.grad[0, 0]

# %% wrong poke: only whether a pixel counts, not how much
# fails: a plain stack; strides; dilation and its holes
# says: This only says whether a pixel counts.
def poke(layers, size):
    stack = nn.Sequential()
    for k, s, d in layers:
        stack.append(nn.Conv2d(1, 1, k, stride=s, padding=d * (k - 1) // 2, dilation=d, bias=False))
        nn.init.ones_(stack[-1].weight)
    image = torch.ones(1, 1, size, size, requires_grad=True)
    out = stack(image)  # (1, 1, h, w)

    h, w = out.shape[-2:]
    out[0, 0, h // 2, w // 2].backward()
    return (image.grad[0, 0] != 0).float()

# %% wrong poke: scaled to at most 1
# fails: a plain stack; strides; dilation and its holes
# says: Return the gradient as it is, not scaled.
def poke(layers, size):
    stack = nn.Sequential()
    for k, s, d in layers:
        stack.append(nn.Conv2d(1, 1, k, stride=s, padding=d * (k - 1) // 2, dilation=d, bias=False))
        nn.init.ones_(stack[-1].weight)
    image = torch.ones(1, 1, size, size, requires_grad=True)
    out = stack(image)  # (1, 1, h, w)

    h, w = out.shape[-2:]
    out[0, 0, h // 2, w // 2].backward()
    return image.grad[0, 0] / image.grad.max()

# %% wrong poke: the value of the output, no gradient
# fails: a plain stack; strides; dilation and its holes; one pixel only
# says: This is the output itself.
def poke(layers, size):
    stack = nn.Sequential()
    for k, s, d in layers:
        stack.append(nn.Conv2d(1, 1, k, stride=s, padding=d * (k - 1) // 2, dilation=d, bias=False))
        nn.init.ones_(stack[-1].weight)
    image = torch.ones(1, 1, size, size, requires_grad=True)
    out = stack(image)  # (1, 1, h, w)

    return out[0, 0]

# %% wrong poke: detached: the gradient is killed
# fails: a plain stack; strides; dilation and its holes; one pixel only
# says: The output is cut off from the image: by `.detach()`
def poke(layers, size):
    stack = nn.Sequential()
    for k, s, d in layers:
        stack.append(nn.Conv2d(1, 1, k, stride=s, padding=d * (k - 1) // 2, dilation=d, bias=False))
        nn.init.ones_(stack[-1].weight)
    image = torch.ones(1, 1, size, size, requires_grad=True)
    out = stack(image)  # (1, 1, h, w)

    h, w = out.shape[-2:]
    out.detach()[0, 0, h // 2, w // 2].backward()
    return image.grad[0, 0]

# %% right transposed_conv: a loop over the input pixels, einsum for the patch
def transposed_conv(x, weight, stride):
    B, _, H, W = x.shape
    _, C, k, _ = weight.shape
    y = torch.zeros(B, C, (H - 1) * stride + k, (W - 1) * stride + k)
    for h in range(H):
        for w in range(W):
            patch = torch.einsum("bc,coij->boij", x[:, :, h, w], weight)
            y[:, :, h * stride : h * stride + k, w * stride : w * stride + k] += patch
    return y

# %% right transposed_conv: a loop over the taps, strided slices
def transposed_conv(x, weight, stride):
    b, _, h, w = x.shape
    _, c_out, k, _ = weight.shape
    out = x.new_zeros(b, c_out, (h - 1) * stride + k, (w - 1) * stride + k)
    for i in range(k):
        for j in range(k):
            paint = (x[:, :, None] * weight[None, :, :, i, j, None, None]).sum(1)
            out[:, :, i : i + (h - 1) * stride + 1 : stride, j : j + (w - 1) * stride + 1 : stride] += paint
    return out

# %% right transposed_conv: loops over everything but the patch
def transposed_conv(x, weight, stride):
    B, C_in, H, W = x.shape
    C_out, k = weight.shape[1], weight.shape[2]
    canvas = torch.zeros(B, C_out, (H - 1) * stride + k, (W - 1) * stride + k, dtype=x.dtype, device=x.device)
    for b in range(B):
        for c in range(C_in):
            for o in range(C_out):
                for h in range(H):
                    for w in range(W):
                        top, left = h * stride, w * stride
                        canvas[b, o, top : top + k, left : left + k] += x[b, c, h, w] * weight[c, o]
    return canvas

# %% right transposed_conv: all patches at once, flat index_add
def transposed_conv(x, weight, stride):
    B, _, H, W = x.shape
    _, O, k, _ = weight.shape
    OH, OW = (H - 1) * stride + k, (W - 1) * stride + k
    patches = torch.einsum("bchw,coij->bohwij", x, weight)
    rows = torch.arange(H)[:, None, None, None] * stride + torch.arange(k)[:, None]
    cols = torch.arange(W)[:, None, None] * stride + torch.arange(k)
    index = (rows * OW + cols).reshape(-1)
    return x.new_zeros(B, O, OH * OW).index_add(2, index, patches.reshape(B, O, -1)).reshape(B, O, OH, OW)

# %% right transposed_conv: zeros between the pixels, then shifted slices with a flipped brush
def transposed_conv(x, weight, stride):
    B, C, H, W = x.shape
    k = weight.shape[-1]
    holes = x.new_zeros(B, C, (H - 1) * stride + 1, (W - 1) * stride + 1)
    holes[:, :, ::stride, ::stride] = x
    wide = F.pad(holes, (k - 1, k - 1, k - 1, k - 1))
    oh, ow = holes.shape[2] + k - 1, holes.shape[3] + k - 1
    turned = weight.flip(2, 3)
    y = 0
    for i in range(k):
        for j in range(k):
            y = y + torch.einsum("bchw,co->bohw", wide[:, :, i : i + oh, j : j + ow], turned[:, :, i, j])
    return y

# %% wrong transposed_conv: PyTorch's, fetched by its name as text
# fails: one pixel paints one kernel; overlapping patches add up; batch and channels; gradients flow, arguments stay as they were
# says: This calls torch's own transposed convolution
def transposed_conv(x, weight, stride):
    return eval("F.conv_transpose2d(x, weight, stride=stride)")


# %% wrong transposed_conv: brush flipped
# fails: one pixel paints one kernel; overlapping patches add up; batch and channels
# says: The kernel is upside down: nothing is flipped here.
# differs at: transposed_conv(torch.rand(1, 1, 2, 2), torch.rand(1, 1, 3, 3), 2)
def transposed_conv(x, weight, stride):
    B, _, H, W = x.shape
    _, C, k, _ = weight.shape
    y = torch.zeros(B, C, (H - 1) * stride + k, (W - 1) * stride + k)
    flipped = weight.flip(2, 3)
    for h in range(H):
        for w in range(W):
            patch = torch.einsum("bc,coij->boij", x[:, :, h, w], flipped)
            y[:, :, h * stride : h * stride + k, w * stride : w * stride + k] += patch
    return y

# %% wrong transposed_conv: brush transposed (rows and columns swapped)
# fails: one pixel paints one kernel; overlapping patches add up; batch and channels
# says: Rows and columns of the kernel have changed places.
# differs at: transposed_conv(torch.rand(1, 1, 2, 2), torch.rand(1, 1, 3, 3), 2)
def transposed_conv(x, weight, stride):
    B, _, H, W = x.shape
    _, C, k, _ = weight.shape
    y = torch.zeros(B, C, (H - 1) * stride + k, (W - 1) * stride + k)
    for h in range(H):
        for w in range(W):
            patch = torch.einsum("bc,coij->boji", x[:, :, h, w], weight)
            y[:, :, h * stride : h * stride + k, w * stride : w * stride + k] += patch
    return y

# %% wrong transposed_conv: overwrites where patches overlap
# fails: overlapping patches add up
# says: Later patches have overwritten earlier ones; where they overlap they add up.
# differs at: transposed_conv(torch.rand(1, 1, 2, 2), torch.rand(1, 1, 3, 3), 2)
def transposed_conv(x, weight, stride):
    B, _, H, W = x.shape
    _, C, k, _ = weight.shape
    y = torch.zeros(B, C, (H - 1) * stride + k, (W - 1) * stride + k)
    for h in range(H):
        for w in range(W):
            patch = torch.einsum("bc,coij->boij", x[:, :, h, w], weight)
            y[:, :, h * stride : h * stride + k, w * stride : w * stride + k] = patch
    return y

# %% wrong transposed_conv: averages where patches overlap
# fails: overlapping patches add up
# says: the shape is right, but
# differs at: transposed_conv(torch.rand(1, 1, 2, 2), torch.rand(1, 1, 3, 3), 2)
def transposed_conv(x, weight, stride):
    B, _, H, W = x.shape
    _, C, k, _ = weight.shape
    y = torch.zeros(B, C, (H - 1) * stride + k, (W - 1) * stride + k)
    n = torch.zeros_like(y)
    for h in range(H):
        for w in range(W):
            patch = torch.einsum("bc,coij->boij", x[:, :, h, w], weight)
            y[:, :, h * stride : h * stride + k, w * stride : w * stride + k] += patch
            n[:, :, h * stride : h * stride + k, w * stride : w * stride + k] += 1
    return y / n.clamp(min=1)

# %% wrong transposed_conv: weight read as (C_out, C_in, k, k)
# fails: batch and channels
# says: your code stopped with RuntimeError
# differs at: transposed_conv(torch.rand(1, 2, 3, 3), torch.rand(2, 2, 3, 3), 2); also fails where C_in != C_out
def transposed_conv(x, weight, stride):
    B, _, H, W = x.shape
    C, _, k, _ = weight.shape
    y = torch.zeros(B, C, (H - 1) * stride + k, (W - 1) * stride + k)
    for h in range(H):
        for w in range(W):
            patch = torch.einsum("bc,ocij->boij", x[:, :, h, w], weight)
            y[:, :, h * stride : h * stride + k, w * stride : w * stride + k] += patch
    return y

# %% wrong transposed_conv: input channel c paints only on output channel c
# fails: batch and channels
# says: the shape is right, but
# differs at: transposed_conv(torch.rand(1, 2, 2, 2), torch.rand(2, 2, 3, 3), 2)
def transposed_conv(x, weight, stride):
    B, C_in, H, W = x.shape
    _, C, k, _ = weight.shape
    y = torch.zeros(B, C, (H - 1) * stride + k, (W - 1) * stride + k)
    for c in range(min(C_in, C)):
        for h in range(H):
            for w in range(W):
                patch = x[:, c, h, w].view(B, 1, 1) * weight[c, c]
                y[:, c, h * stride : h * stride + k, w * stride : w * stride + k] += patch
    return y

# %% wrong transposed_conv: canvas of H*stride, the last patches cut off
# fails: overlapping patches add up
# says: The last patch hangs over by k − s =
# differs at: transposed_conv(torch.rand(1, 1, 2, 2), torch.rand(1, 1, 3, 3), 2)
def transposed_conv(x, weight, stride):
    B, _, H, W = x.shape
    _, C, k, _ = weight.shape
    big = torch.zeros(B, C, H * stride + k, W * stride + k)
    for h in range(H):
        for w in range(W):
            patch = torch.einsum("bc,coij->boij", x[:, :, h, w], weight)
            big[:, :, h * stride : h * stride + k, w * stride : w * stride + k] += patch
    return big[:, :, : H * stride, : W * stride]

# %% wrong transposed_conv: patches one pixel apart whatever the stride
# fails: one pixel paints one kernel; overlapping patches add up; batch and channels
# says: the shape is right, but
# differs at: transposed_conv(torch.rand(1, 1, 2, 2), torch.rand(1, 1, 3, 3), 2)
def transposed_conv(x, weight, stride):
    B, _, H, W = x.shape
    _, C, k, _ = weight.shape
    y = torch.zeros(B, C, (H - 1) * stride + k, (W - 1) * stride + k)
    for h in range(H):
        for w in range(W):
            y[:, :, h : h + k, w : w + k] += torch.einsum("bc,coij->boij", x[:, :, h, w], weight)
    return y

# %% wrong transposed_conv: stride 2 hard-coded from the example
# fails: one pixel paints one kernel
# says: That is the size for stride 2.
# differs at: transposed_conv(torch.rand(1, 1, 2, 2), torch.rand(1, 1, 3, 3), 3)
def transposed_conv(x, weight, stride):
    B, _, H, W = x.shape
    _, C, k, _ = weight.shape
    y = torch.zeros(B, C, (H - 1) * 2 + k, (W - 1) * 2 + k)
    for h in range(H):
        for w in range(W):
            y[:, :, h * 2 : h * 2 + k, w * 2 : w * 2 + k] += torch.einsum("bc,coij->boij", x[:, :, h, w], weight)
    return y

# %% wrong transposed_conv: .item() cuts the gradient of x
# fails: gradients flow, arguments stay as they were
# says: Work on tensors throughout, without `.item()`, `.data`, `.detach()`, numpy, or `torch.tensor(...)`.
# differs at: transposed_conv(torch.rand(1, 1, 2, 2, requires_grad=True), torch.rand(1, 1, 3, 3, requires_grad=True), 2); no gradient for x
def transposed_conv(x, weight, stride):
    B, C_in, H, W = x.shape
    _, C, k, _ = weight.shape
    y = torch.zeros(B, C, (H - 1) * stride + k, (W - 1) * stride + k)
    for b in range(B):
        for c in range(C_in):
            for h in range(H):
                for w in range(W):
                    y[b, :, h * stride : h * stride + k, w * stride : w * stride + k] += x[b, c, h, w].item() * weight[c]
    return y

# %% wrong transposed_conv: torch.tensor cuts the gradient of the weight
# fails: gradients flow, arguments stay as they were
# says: Work on tensors throughout, without `.item()`, `.data`, `.detach()`, numpy, or `torch.tensor(...)`.
# differs at: transposed_conv(torch.rand(1, 1, 2, 2, requires_grad=True), torch.rand(1, 1, 3, 3, requires_grad=True), 2); no gradient for weight
def transposed_conv(x, weight, stride):
    B, _, H, W = x.shape
    brushes = torch.tensor(weight.tolist())
    _, C, k, _ = brushes.shape
    y = torch.zeros(B, C, (H - 1) * stride + k, (W - 1) * stride + k)
    for h in range(H):
        for w in range(W):
            patch = torch.einsum("bc,coij->boij", x[:, :, h, w], brushes)
            y[:, :, h * stride : h * stride + k, w * stride : w * stride + k] += patch
    return y

# %% wrong transposed_conv: writes into .data of the canvas
# fails: gradients flow, arguments stay as they were
# says: Work on tensors throughout, without `.item()`, `.data`, `.detach()`, numpy, or `torch.tensor(...)`.
# differs at: transposed_conv(torch.rand(1, 1, 2, 2, requires_grad=True), torch.rand(1, 1, 3, 3, requires_grad=True), 2); no gradient
def transposed_conv(x, weight, stride):
    B, _, H, W = x.shape
    _, C, k, _ = weight.shape
    y = torch.zeros(B, C, (H - 1) * stride + k, (W - 1) * stride + k, requires_grad=True)
    for h in range(H):
        for w in range(W):
            patch = torch.einsum("bc,coij->boij", x[:, :, h, w], weight)
            y.data[:, :, h * stride : h * stride + k, w * stride : w * stride + k] += patch
    return y

# %% wrong transposed_conv: changes the weight in place
# fails: one pixel paints one kernel; overlapping patches add up; batch and channels; gradients flow, arguments stay as they were
# says: the shape is right, but
# differs at: transposed_conv(torch.rand(1, 2, 2, 2), torch.rand(2, 1, 3, 3), 2); weight is changed, and also each pixel scales the next one's brush
def transposed_conv(x, weight, stride):
    B, C_in, H, W = x.shape
    _, C, k, _ = weight.shape
    y = torch.zeros(B, C, (H - 1) * stride + k, (W - 1) * stride + k)
    for b in range(B):
        for c in range(C_in):
            for h in range(H):
                for w in range(W):
                    brush = weight[c]
                    brush *= x[b, c, h, w]
                    y[b, :, h * stride : h * stride + k, w * stride : w * stride + k] += brush
    return y

# %% wrong transposed_conv: right result, but x is used up while painting
# fails: gradients flow, arguments stay as they were
# says: Work on tensors throughout, without `.item()`, `.data`, `.detach()`, numpy, or `torch.tensor(...)`.
# differs at: transposed_conv(torch.rand(1, 1, 2, 2), torch.rand(1, 1, 3, 3), 2); afterwards x is 0
def transposed_conv(x, weight, stride):
    B, _, H, W = x.shape
    _, C, k, _ = weight.shape
    y = torch.zeros(B, C, (H - 1) * stride + k, (W - 1) * stride + k)
    for h in range(H):
        for w in range(W):
            patch = torch.einsum("bc,coij->boij", x[:, :, h, w], weight)
            y[:, :, h * stride : h * stride + k, w * stride : w * stride + k] += patch
            x.data[:, :, h, w] = 0  # this one is painted
    return y

# %% wrong transposed_conv: calls F.conv_transpose2d
# fails: one pixel paints one kernel; overlapping patches add up; batch and channels; gradients flow, arguments stay as they were
# says: Write it from slices: that is where the checkerboard will show.
# differs at: transposed_conv(torch.rand(1, 1, 2, 2), torch.rand(1, 1, 3, 3), 2); same values, but torch's own
def transposed_conv(x, weight, stride):
    return F.conv_transpose2d(x, weight, stride=stride)

# %% wrong transposed_conv: torch.conv_transpose2d behind an alias
# fails: one pixel paints one kernel; overlapping patches add up; batch and channels; gradients flow, arguments stay as they were
# says: Write it from slices: that is where the checkerboard will show.
# differs at: transposed_conv(torch.rand(1, 1, 2, 2), torch.rand(1, 1, 3, 3), 2); same values, but torch's own
paint = torch.conv_transpose2d
def transposed_conv(x, weight, stride):
    return paint(x, weight, None, stride)

# %% wrong transposed_conv: puts the weight into nn.ConvTranspose2d
# fails: one pixel paints one kernel; overlapping patches add up; batch and channels; gradients flow, arguments stay as they were
# says: Write it from slices: that is where the checkerboard will show.
# differs at: transposed_conv(torch.rand(1, 1, 2, 2), torch.rand(1, 1, 3, 3), 2); torch's own, and no gradient for weight
def transposed_conv(x, weight, stride):
    layer = nn.ConvTranspose2d(weight.shape[0], weight.shape[1], weight.shape[2], stride=stride, bias=False)
    layer.weight.data = weight
    return layer(x)

# %% wrong transposed_conv: forgets to return
# fails: one pixel paints one kernel; overlapping patches add up; batch and channels; gradients flow, arguments stay as they were
# says: Is a `return` missing?
# differs at: transposed_conv(torch.rand(1, 1, 2, 2), torch.rand(1, 1, 3, 3), 2); None
def transposed_conv(x, weight, stride):
    B, _, H, W = x.shape
    _, C, k, _ = weight.shape
    y = torch.zeros(B, C, (H - 1) * stride + k, (W - 1) * stride + k)
    for h in range(H):
        for w in range(W):
            patch = torch.einsum("bc,coij->boij", x[:, :, h, w], weight)
            y[:, :, h * stride : h * stride + k, w * stride : w * stride + k] += patch

# ============================================================ overlap_count

# %% wrong transposed_conv: takes the first axis of the weight for the output channels
# fails: batch and channels
# says: The first axis of `weight` is x's channels, which are summed over.
# differs at: any weight with C_in unlike C_out
def transposed_conv(x, weight, stride):
    b, c, h, w = x.shape
    c_out, _, k, _ = weight.shape
    out = torch.zeros(b, c_out, (h - 1) * stride + k, (w - 1) * stride + k)
    for i in range(h):
        for j in range(w):
            patch = torch.einsum("bc,ockl->bokl", x[:, :, i, j], weight)
            out[:, :, i * stride : i * stride + k, j * stride : j * stride + k] += patch
    return out

# %% wrong transposed_conv: slices of length stride instead of k
# fails: overlapping patches add up; gradients flow, arguments stay as they were
# says: slices of the stride are too short
def transposed_conv(x, weight, stride):
    b, _, height, width = x.shape
    _, c_out, k, _ = weight.shape
    canvas = x.new_zeros(b, c_out, (height - 1) * stride + k, (width - 1) * stride + k)
    for i in range(height):
        for j in range(width):
            here = x[:, :, i, j]  # (B, C_in)
            top, left = i * stride, j * stride
            patch = torch.einsum("bc,cokl->bokl", here, weight)
            canvas[:, :, top:top + stride, left:left + stride] += patch
    return canvas

# %% wrong transposed_conv: batch 1 only: here[0] and weight contracted, canvas[0]
# fails: batch and channels
# says: Only the first picture of the batch is painted.
def transposed_conv(x, weight, stride):
    b, _, height, width = x.shape
    _, c_out, k, _ = weight.shape
    canvas = x.new_zeros(b, c_out, (height - 1) * stride + k, (width - 1) * stride + k)
    for i in range(height):
        for j in range(width):
            here = x[:, :, i, j]  # (B, C_in)
            top, left = i * stride, j * stride
            canvas[0, :, top:top + k, left:left + k] += (here[0][:, None, None, None] * weight).sum(0)
    return canvas

# %% right overlap_count: a loop over slices
def overlap_count(n, k, s):
    count = torch.zeros((n - 1) * s + k, dtype=torch.int64)
    for i in range(n):
        count[i * s : i * s + k] += 1
    return count

# %% right overlap_count: ones painted by torch's own 1-D transposed convolution
def overlap_count(n, k, s):
    return F.conv_transpose1d(torch.ones(1, 1, n), torch.ones(1, 1, k), stride=s)[0, 0].round().long()

# %% right overlap_count: one comparison table, summed
def overlap_count(n, k, s):
    start = torch.arange(n)[:, None] * s
    place = torch.arange((n - 1) * s + k)[None]
    return ((start <= place) & (place < start + k)).sum(0)

# %% right overlap_count: bincount of all painted places
def overlap_count(n, k, s):
    return torch.bincount(torch.tensor([i * s + j for i in range(n) for j in range(k)]))

# %% right overlap_count: starts and ends, cumulated
def overlap_count(n, k, s):
    length = (n - 1) * s + k
    change = torch.zeros(length + 1, dtype=torch.long)
    change[0 : (n - 1) * s + 1 : s] += 1
    change[k : k + (n - 1) * s + 1 : s] -= 1
    return change.cumsum(0)[:length]

# %% wrong overlap_count: float counts
# fails: length and dtype
# says: make the dtype int
# differs at: overlap_count(2, 3, 2); float32
def overlap_count(n, k, s):
    count = torch.zeros((n - 1) * s + k)
    for i in range(n):
        count[i * s : i * s + k] += 1
    return count

# %% wrong overlap_count: int32
# fails: length and dtype
# says: make the dtype int
# differs at: overlap_count(2, 3, 2); int32
def overlap_count(n, k, s):
    count = torch.zeros((n - 1) * s + k, dtype=torch.int)
    for i in range(n):
        count[i * s : i * s + k] += 1
    return count

# %% wrong overlap_count: a list
# fails: length and dtype; counts
# says: expected a tensor, got a `list`; make a tensor of it.
# differs at: overlap_count(2, 3, 2); list
def overlap_count(n, k, s):
    count = [0] * ((n - 1) * s + k)
    for i in range(n):
        for j in range(k):
            count[i * s + j] += 1
    return count

# %% wrong overlap_count: two-dimensional counts
# fails: length and dtype; counts
# says: The last of the
# differs at: overlap_count(2, 3, 2); shape (5, 5)
def overlap_count(n, k, s):
    return F.conv_transpose2d(torch.ones(1, 1, n, n), torch.ones(1, 1, k, k), stride=s)[0, 0].long()

# %% wrong overlap_count: sets to one instead of adding
# fails: counts
# says: This marks the pixels that are painted at all; count how often.
# differs at: overlap_count(2, 3, 2)
def overlap_count(n, k, s):
    count = torch.zeros((n - 1) * s + k, dtype=torch.int64)
    for i in range(n):
        count[i * s : i * s + k] = 1
    return count

# %% wrong overlap_count: length n*s
# fails: length and dtype; counts
# says: The last of the
# differs at: overlap_count(2, 3, 2)
def overlap_count(n, k, s):
    count = torch.zeros(n * s, dtype=torch.int64)
    for i in range(n):
        count[i * s : i * s + k] += 1
    return count

# %% wrong overlap_count: forgets that the count is lower at the rim
# fails: counts
# says: expected int
# differs at: overlap_count(4, 4, 2)
def overlap_count(n, k, s):
    phase = torch.tensor([len(range(i, k, s)) for i in range(s)])
    return phase.repeat(n + k)[: (n - 1) * s + k]

# %% wrong overlap_count: forgets the stride
# fails: counts
# says: expected int
# differs at: overlap_count(2, 3, 2)
def overlap_count(n, k, s):
    count = torch.zeros((n - 1) * s + k, dtype=torch.int64)
    for i in range(n):
        count[i : i + k] += 1
    return count

# %% wrong overlap_count: patch is one pixel too long
# fails: counts
# says: expected int
# differs at: overlap_count(3, 2, 2)
def overlap_count(n, k, s):
    count = torch.zeros((n - 1) * s + k, dtype=torch.int64)
    for i in range(n):
        count[i * s : i * s + k + 1] += 1
    return count

# %% wrong overlap_count: counts how often each input pixel is read by an ordinary convolution
# fails: length and dtype; counts
# says: The last of the
# differs at: overlap_count(2, 3, 2)
def overlap_count(n, k, s):
    count = torch.zeros(n, dtype=torch.int64)
    for left in range(0, n - k + 1, s):
        count[left : left + k] += 1
    return count

# %% wrong overlap_count: a table k // s for every pixel
# fails: counts
# says: This is one number everywhere; the count changes from pixel to pixel.
# differs at: overlap_count(3, 4, 2)
def overlap_count(n, k, s):
    return torch.full(((n - 1) * s + k,), k // s)

# %% wrong overlap_count: hard-coded to the example
# fails: length and dtype; counts
# says: The last of the
# differs at: overlap_count(3, 3, 2)
def overlap_count(n, k, s):
    return torch.tensor([1, 1, 2, 1, 1])

# %% wrong overlap_count: forgets to return
# fails: length and dtype; counts
# says: The last of the
# differs at: overlap_count(2, 3, 2); None
def overlap_count(n, k, s):
    count = torch.zeros((n - 1) * s + k, dtype=torch.int64)
    for i in range(n):
        count[i * s : i * s + k] += 1

# ============================================================ shuffle_pixels

# %% wrong overlap_count: kernels one pixel apart, whatever the stride
# fails: counts
# says: Neighbouring kernels start 2 pixels apart, not 1.
# differs at: overlap_count(2, 3, 2)
def overlap_count(n, k, s):
    count = torch.zeros((n - 1) * s + k, dtype=torch.int64)
    for i in range(n):
        count[i : i + k] += 1
    return count

# %% wrong overlap_count: k // s everywhere: the rim is forgotten
# fails: counts
# says: This is the count of the middle everywhere
def overlap_count(n, k, s):
    return torch.full(((n - 1) * s + k,), -(-k // s), dtype=torch.int64)

# %% wrong overlap_count: overlaps counted only for next neighbours: at most 2
# fails: counts
# says: This counts next neighbours only
def overlap_count(n, k, s):
    counts = torch.ones((n - 1) * s + k, dtype=torch.int64)
    for i in range(1, n):
        counts[i * s:i * s + max(k - s, 0)] = 2
    return counts

# %% wrong overlap_count: the last input pixel is forgotten (off by one)
# fails: counts
# says: The last input pixel is missing
def overlap_count(n, k, s):
    counts = torch.zeros((n - 1) * s + k, dtype=torch.int64)
    for i in range(n - 1):
        counts[i * s:i * s + k] += 1
    return counts

# %% right shuffle_pixels: reshape, permute, reshape
def shuffle_pixels(x, r):
    B, C, H, W = x.shape
    return x.reshape(B, C // (r * r), r, r, H, W).permute(0, 1, 4, 2, 5, 3).reshape(B, C // (r * r), H * r, W * r)

# %% right shuffle_pixels: columns first, then rows
def shuffle_pixels(x, r):
    b, crr, h, w = x.shape
    c = crr // r**2
    x = x.reshape(b, c * r, r, h, w).permute(0, 1, 3, 4, 2).reshape(b, c * r, h, w * r)
    return x.reshape(b, c, r, h, w * r).permute(0, 1, 3, 2, 4).reshape(b, c, h * r, w * r)

# %% right shuffle_pixels: unflatten, permute, flatten
def shuffle_pixels(x, r):
    blocks = x.unflatten(1, (-1, r, r))
    return blocks.permute(0, 1, 4, 2, 5, 3).flatten(4, 5).flatten(2, 3)

# %% right shuffle_pixels: one output channel at a time, stacked
def shuffle_pixels(x, r):
    B, CRR, H, W = x.shape
    maps = []
    for c in range(CRR // (r * r)):
        group = x[:, c * r * r : (c + 1) * r * r].reshape(B, r, r, H, W)
        maps.append(group.permute(0, 3, 1, 4, 2).reshape(B, H * r, W * r))
    return torch.stack(maps, dim=1)

# %% right shuffle_pixels: transposes, contiguous and view
def shuffle_pixels(x, r):
    B, C, H, W = x.shape
    x = x.contiguous().view(B, C // r // r, r, r, H, W)
    x = x.transpose(3, 4)         # B C r H r W
    x = x.transpose(2, 3)         # B C H r r W
    x = x.transpose(4, 5)         # B C H r W r
    return x.contiguous().view(B, C // r // r, H * r, W * r)

# %% wrong shuffle_pixels: i and j swapped in the block
# fails: every value in its place
# says: Within each block, rows and columns have changed places.
# differs at: shuffle_pixels(torch.rand(1, 4, 1, 1), 2)
def shuffle_pixels(x, r):
    B, C, H, W = x.shape
    return x.reshape(B, C // (r * r), r, r, H, W).permute(0, 1, 4, 3, 5, 2).reshape(B, C // (r * r), H * r, W * r)

# %% wrong shuffle_pixels: reads the channel as i*r*C + j*C + c
# fails: every value in its place
# says: The channels are split as (r, r, C); torch's order is (C, r, r): neighbouring channels go to one block.
# differs at: shuffle_pixels(torch.rand(1, 8, 1, 1), 2)
def shuffle_pixels(x, r):
    B, C, H, W = x.shape
    return x.reshape(B, r, r, C // (r * r), H, W).permute(0, 3, 4, 1, 5, 2).reshape(B, C // (r * r), H * r, W * r)

# %% wrong shuffle_pixels: one plain reshape
# fails: every value in its place
# says: This only reads the numbers off in another shape; the axes must change places between the two reshapes.
# differs at: shuffle_pixels(torch.rand(1, 4, 2, 3), 2)
def shuffle_pixels(x, r):
    B, C, H, W = x.shape
    return x.reshape(B, C // (r * r), H * r, W * r)

# %% wrong shuffle_pixels: tiles the r*r maps instead of interleaving them
# fails: every value in its place
# says: The blocks are laid side by side as whole small pictures; each block should be one pixel's own.
# differs at: shuffle_pixels(torch.rand(1, 4, 2, 3), 2)
def shuffle_pixels(x, r):
    B, C, H, W = x.shape
    return x.reshape(B, C // (r * r), r, r, H, W).permute(0, 1, 2, 4, 3, 5).reshape(B, C // (r * r), H * r, W * r)

# %% wrong shuffle_pixels: height and width swapped
# fails: shape; every value in its place
# says: expected a tensor of shape
# differs at: shuffle_pixels(torch.rand(1, 4, 2, 3), 2)
def shuffle_pixels(x, r):
    B, C, H, W = x.shape
    return x.reshape(B, C // (r * r), r, r, H, W).permute(0, 1, 5, 2, 4, 3).reshape(B, C // (r * r), W * r, H * r)

# %% wrong shuffle_pixels: r = 2 hard-coded
# fails: shape; every value in its place
# says: your code stopped with RuntimeError
# differs at: shuffle_pixels(torch.rand(1, 9, 2, 3), 3)
def shuffle_pixels(x, r):
    B, C, H, W = x.shape
    return x.reshape(B, C // 4, 2, 2, H, W).permute(0, 1, 4, 2, 5, 3).reshape(B, C // 4, H * 2, W * 2)

# %% wrong shuffle_pixels: view after permute
# fails: shape; every value in its place
# says: your code stopped with RuntimeError
# differs at: shuffle_pixels(torch.rand(1, 4, 2, 3), 2); RuntimeError
def shuffle_pixels(x, r):
    B, C, H, W = x.shape
    return x.view(B, C // (r * r), r, r, H, W).permute(0, 1, 4, 2, 5, 3).view(B, C // (r * r), H * r, W * r)

# %% wrong shuffle_pixels: flips the block upside down
# fails: every value in its place
# says: the shape is right, but
# differs at: shuffle_pixels(torch.rand(1, 4, 1, 1), 2)
def shuffle_pixels(x, r):
    B, C, H, W = x.shape
    return x.reshape(B, C // (r * r), r, r, H, W).flip(2).permute(0, 1, 4, 2, 5, 3).reshape(B, C // (r * r), H * r, W * r)

# %% wrong shuffle_pixels: makes an empty canvas of float, so other types come back as float
# fails: every value in its place
# says: Moving numbers does not change their type.
# differs at: shuffle_pixels(torch.arange(4).reshape(1, 4, 1, 1), 2); float32 instead of int64
def shuffle_pixels(x, r):
    B, C, H, W = x.shape
    y = torch.zeros(B, C // (r * r), H, r, W, r)
    y[:] = x.reshape(B, C // (r * r), r, r, H, W).permute(0, 1, 4, 2, 5, 3)
    return y.reshape(B, C // (r * r), H * r, W * r)

# %% wrong shuffle_pixels: writes the block into x itself
# fails: every value in its place
# says: Your function changed its argument.
# differs at: shuffle_pixels(torch.rand(1, 4, 2, 3), 2); afterwards x has another shape
def shuffle_pixels(x, r):
    B, C, H, W = x.shape
    y = x.reshape(B, C // (r * r), r, r, H, W).permute(0, 1, 4, 2, 5, 3).reshape(B, C // (r * r), H * r, W * r)
    x.data = y.data
    return y

# %% wrong shuffle_pixels: calls F.pixel_shuffle
# fails: shape; every value in its place
# says: Do it with `reshape` and `permute`.
# differs at: shuffle_pixels(torch.rand(1, 4, 2, 3), 2); same values, but torch's own
def shuffle_pixels(x, r):
    return F.pixel_shuffle(x, r)

# %% wrong shuffle_pixels: nn.PixelShuffle
# fails: shape; every value in its place
# says: Do it with `reshape` and `permute`.
# differs at: shuffle_pixels(torch.rand(1, 4, 2, 3), 2); same values, but torch's own
def shuffle_pixels(x, r):
    return nn.PixelShuffle(r)(x)

# %% wrong shuffle_pixels: torch.pixel_shuffle behind an alias
# fails: shape; every value in its place
# says: Do it with `reshape` and `permute`.
# differs at: shuffle_pixels(torch.rand(1, 4, 2, 3), 2); same values, but torch's own
from torch import pixel_shuffle as lay_out
def shuffle_pixels(x, r):
    return lay_out(x, r)

# %% wrong shuffle_pixels: hard-coded to the example
# fails: shape; every value in its place
# says: expected a tensor of shape
# differs at: shuffle_pixels(torch.rand(1, 4, 2, 3), 2)
def shuffle_pixels(x, r):
    return torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])

# %% wrong shuffle_pixels: forgets to return
# fails: shape; every value in its place
# says: Is a `return` missing?
# differs at: shuffle_pixels(torch.rand(1, 4, 2, 3), 2); None
def shuffle_pixels(x, r):
    B, C, H, W = x.shape
    x = x.reshape(B, C // (r * r), r, r, H, W).permute(0, 1, 4, 2, 5, 3)
    x = x.reshape(B, C // (r * r), H * r, W * r)

# ============================================================ build_net

# %% wrong shuffle_pixels: only the first picture
# fails: shape; every value in its place
# says: Only the first picture comes out
def shuffle_pixels(x, r):
    """Lay out each place's r·r channels as an r × r block: (B, C·r·r, H, W) → (B, C, H·r, W·r)."""
    b, channels, h, w = x.shape
    c = channels // (r * r)
    split = x.reshape(b, c, r, r, h, w)  # axes: B, C, i, j, H, W

    return split[0].permute(0, 3, 1, 4, 2).reshape(1, c, h * r, w * r)

# %% wrong shuffle_pixels: only one channel comes out
# fails: shape; every value in its place
# says: Only one channel comes out
def shuffle_pixels(x, r):
    """Lay out each place's r·r channels as an r × r block: (B, C·r·r, H, W) → (B, C, H·r, W·r)."""
    b, channels, h, w = x.shape
    c = channels // (r * r)
    split = x.reshape(b, c, r, r, h, w)  # axes: B, C, i, j, H, W

    return split[:, :1].permute(0, 1, 4, 2, 5, 3).reshape(b, 1, h * r, w * r)

# %% right build_net: max-pooling, remembered sizes, bilinear resize and a convolution
class Shrinker(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        self.down = nn.ModuleList()
        before = 3
        for w in widths:
            self.down.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.up = nn.ModuleList()
        for w in reversed(widths[:-1]):
            self.up.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.head = nn.Conv2d(before, classes, 1)

    def forward(self, x):
        sizes = []
        for i, block in enumerate(self.down):
            if i > 0:
                sizes.append(x.shape[-2:])
                x = F.max_pool2d(x, 2)
            x = block(x)
        for block in self.up:
            x = F.interpolate(x, size=sizes.pop(), mode="bilinear", align_corners=False)
            x = block(x)
        return self.head(x)


def build_net(classes, widths):
    return Shrinker(classes, widths)

# %% right build_net: a level that holds the next level (recursion)
class Level(nn.Module):
    def __init__(self, c_in, widths, c_out):
        super().__init__()
        w = widths[0]
        self.before = nn.Conv2d(c_in, w, 3, padding=1)
        self.inner = Level(w, widths[1:], w) if len(widths) > 1 else None
        self.after = nn.Conv2d(w, c_out, 3, padding=1)

    def forward(self, x):
        x = torch.relu(self.before(x))
        if self.inner is not None:
            size = x.shape[2:]
            x = self.inner(F.avg_pool2d(x, 2))
            x = F.interpolate(torch.relu(x), size=size)
        return self.after(x)


def build_net(classes, widths):
    return Level(3, widths, classes)

# %% right build_net: convolutions of stride 2 down, ConvTranspose2d with output_size up
class Strided(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        self.first = nn.Conv2d(3, widths[0], 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in zip(widths, widths[1:]))
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 3, stride=2, padding=1) for a, b in zip(widths, widths[1:]))
        self.last = nn.Conv2d(widths[0], classes, 3, padding=1)

    def forward(self, x):
        x = self.first(x).relu()
        sizes = []
        for conv in self.down:
            sizes.append(x.shape)
            x = conv(x).relu()
        for up, shape in zip(reversed(self.up), reversed(sizes)):
            x = up(x, output_size=shape[-2:]).relu()
        return self.last(x)


def build_net(classes, widths):
    return Strided(classes, widths)

# %% right build_net: pooling that rounds up, transposed k2 s2, then crops the spare row
class CeilNet(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        self.n = len(widths)
        c = 3
        for i, w in enumerate(widths):
            setattr(self, f"enc{i}", nn.Conv2d(c, w, 3, padding=1))
            if i:
                setattr(self, f"dec{i}", nn.ConvTranspose2d(w, c, 2, stride=2))
            c = w
        self.head = nn.Conv2d(widths[0], classes, 3, padding=1)

    def forward(self, x):
        sizes = []
        for i in range(self.n):
            if i:
                sizes.append(x.shape)
                x = F.max_pool2d(x, 2, ceil_mode=True)
            x = F.relu(getattr(self, f"enc{i}")(x))
        for i in reversed(range(1, self.n)):
            shape = sizes[i - 1]
            x = getattr(self, f"dec{i}")(x)[:, :, : shape[2], : shape[3]].relu()
        return self.head(x)


def build_net(classes, widths):
    return CeilNet(classes, widths)

# %% right build_net: batch norm between the convolution and its ReLU
def block(a, b):
    return nn.Sequential(nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU())


class BNNet(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        chain = [3, *widths]
        self.encoder = nn.ModuleList([block(a, b) for a, b in zip(chain[:-1], chain[1:])])
        back = list(reversed(widths))
        self.decoder = nn.ModuleList([block(a, b) for a, b in zip(back[:-1], back[1:])])
        self.classify = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x):
        sizes = [x.shape[-2:]]
        x = self.encoder[0](x)
        for b in self.encoder[1:]:
            x = b(F.max_pool2d(x, 2))
            sizes.append(x.shape[-2:])
        for b, size in zip(self.decoder, sizes[-2::-1]):
            x = b(F.interpolate(x, size, mode="nearest"))
        return self.classify(x)


def build_net(classes, widths):
    return BNNet(classes, widths)

# %% wrong build_net: doubles without coming back to an odd size
# fails: odd sizes
# says: Pooling rounded down on the way; resize to the size that was there before it.
# differs at: build_net(5, [8, 16, 32])(torch.rand(2, 3, 33, 47)); (2, 5, 32, 44)
class Shrinker(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        self.down = nn.ModuleList()
        before = 3
        for w in widths:
            self.down.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.up = nn.ModuleList()
        for w in reversed(widths[:-1]):
            self.up.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.head = nn.Conv2d(before, classes, 1)

    def forward(self, x):
        sizes = []
        for i, block in enumerate(self.down):
            if i > 0:
                sizes.append(x.shape[-2:])
                x = F.max_pool2d(x, 2)
            x = block(x)
        for block in self.up:
            x = F.interpolate(x, scale_factor=2)
            x = block(x)
        return self.head(x)


def build_net(classes, widths):
    return Shrinker(classes, widths)

# %% wrong build_net: no downsampling, all at full size
# fails: odd sizes; down through the widths, and back through the same sizes
# says: the maps that your convolutions put out go through the heights
# differs at: build_net(5, [8, 16, 32])(torch.rand(2, 3, 32, 48)); no smaller map
class Shrinker(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        self.down = nn.ModuleList()
        before = 3
        for w in widths:
            self.down.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.up = nn.ModuleList()
        for w in reversed(widths[:-1]):
            self.up.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.head = nn.Conv2d(before, classes, 1)

    def forward(self, x):
        sizes = []
        for i, block in enumerate(self.down):
            x = block(x)
        for block in self.up:
            x = block(x)
        return self.head(x)


def build_net(classes, widths):
    return Shrinker(classes, widths)

# %% wrong build_net: no ReLU anywhere, linear net
# fails: it bends, and every weight learns
# says: Put a ReLU after each
# differs at: build_net(5, [8, 16, 32])(torch.rand(2, 3, 32, 48)); no ReLU
class Shrinker(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        self.down = nn.ModuleList()
        before = 3
        for w in widths:
            self.down.append(nn.Conv2d(before, w, 3, padding=1))
            before = w
        self.up = nn.ModuleList()
        for w in reversed(widths[:-1]):
            self.up.append(nn.Conv2d(before, w, 3, padding=1))
            before = w
        self.head = nn.Conv2d(before, classes, 1)

    def forward(self, x):
        sizes = []
        for i, block in enumerate(self.down):
            if i > 0:
                sizes.append(x.shape[-2:])
                x = F.max_pool2d(x, 2)
            x = block(x)
        for block in self.up:
            x = F.interpolate(x, size=sizes.pop(), mode="bilinear", align_corners=False)
            x = block(x)
        return self.head(x)


def build_net(classes, widths):
    return Shrinker(classes, widths)

# %% wrong build_net: widths ignored, [8, 16, 32] hard-coded
# fails: down through the widths, and back through the same sizes; no skips: all passes through the bottleneck
# says: the maps that your convolutions put out go through the heights
# differs at: build_net(5, [4, 6, 10])(torch.rand(1, 3, 32, 48)); channels 8, 16, 32
class Shrinker(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        widths = [8, 16, 32]
        self.down = nn.ModuleList()
        before = 3
        for w in widths:
            self.down.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.up = nn.ModuleList()
        for w in reversed(widths[:-1]):
            self.up.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.head = nn.Conv2d(before, classes, 1)

    def forward(self, x):
        sizes = []
        for i, block in enumerate(self.down):
            if i > 0:
                sizes.append(x.shape[-2:])
                x = F.max_pool2d(x, 2)
            x = block(x)
        for block in self.up:
            x = F.interpolate(x, size=sizes.pop(), mode="bilinear", align_corners=False)
            x = block(x)
        return self.head(x)


def build_net(classes, widths):
    return Shrinker(classes, widths)

# %% wrong build_net: number of levels hard-coded to three
# fails: down through the widths, and back through the same sizes
# says: the maps that your convolutions put out go through the heights
# differs at: build_net(5, [4, 8, 12, 16])(torch.rand(1, 3, 32, 48)); last width missing
class Shrinker(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        widths = widths[:3]
        self.down = nn.ModuleList()
        before = 3
        for w in widths:
            self.down.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.up = nn.ModuleList()
        for w in reversed(widths[:-1]):
            self.up.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.head = nn.Conv2d(before, classes, 1)

    def forward(self, x):
        sizes = []
        for i, block in enumerate(self.down):
            if i > 0:
                sizes.append(x.shape[-2:])
                x = F.max_pool2d(x, 2)
            x = block(x)
        for block in self.up:
            x = F.interpolate(x, size=sizes.pop(), mode="bilinear", align_corners=False)
            x = block(x)
        return self.head(x)


def build_net(classes, widths):
    return Shrinker(classes, widths)

# %% wrong build_net: U-Net skips, concatenated
# fails: no skips: all passes through the bottleneck
# says: Leave skips out here.
# differs at: build_net(5, [8, 16, 32])(torch.rand(2, 3, 32, 48)); output depends on the picture around the bottleneck
class Shrinker(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        self.down = nn.ModuleList()
        before = 3
        for w in widths:
            self.down.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.up = nn.ModuleList()
        for w in reversed(widths[:-1]):
            self.up.append(nn.Sequential(nn.Conv2d(before + w, w, 3, padding=1), nn.ReLU()))
            before = w
        self.head = nn.Conv2d(before, classes, 1)

    def forward(self, x):
        sizes = []
        for i, block in enumerate(self.down):
            if i > 0:
                sizes.append(x)
                x = F.max_pool2d(x, 2)
            x = block(x)
        for block in self.up:
            skip = sizes.pop()
            x = torch.cat([F.interpolate(x, size=skip.shape[-2:]), skip], dim=1)
            x = block(x)
        return self.head(x)


def build_net(classes, widths):
    return Shrinker(classes, widths)

# %% wrong build_net: skips added after the decoder's convolution
# fails: no skips: all passes through the bottleneck
# says: Leave skips out here.
# differs at: build_net(5, [8, 16, 32])(torch.rand(2, 3, 32, 48)); output depends on the picture around the bottleneck
class Shrinker(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        self.down = nn.ModuleList()
        before = 3
        for w in widths:
            self.down.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.up = nn.ModuleList()
        for w in reversed(widths[:-1]):
            self.up.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.head = nn.Conv2d(before, classes, 1)

    def forward(self, x):
        sizes = []
        for i, block in enumerate(self.down):
            if i > 0:
                sizes.append(x)
                x = F.max_pool2d(x, 2)
            x = block(x)
        for block in self.up:
            skip = sizes.pop()
            x = block(F.interpolate(x, size=skip.shape[-2:])) + skip
        return self.head(x)


def build_net(classes, widths):
    return Shrinker(classes, widths)

# %% wrong build_net: flattens to a linear layer for 32 x 32
# fails: logits of the picture's size; odd sizes; down through the widths, and back through the same sizes; no skips: all passes through the bottleneck; it bends, and every weight learns
# says: your code stopped with RuntimeError
# differs at: build_net(5, [8, 16])(torch.rand(1, 3, 33, 47)); shape error
class Flat(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        layers, before = [], 3
        for i, w in enumerate(widths):
            if i:
                layers.append(nn.MaxPool2d(2))
            layers += [nn.Conv2d(before, w, 3, padding=1), nn.ReLU()]
            before = w
        self.encoder = nn.Sequential(*layers)
        n = 32 // 2 ** (len(widths) - 1)
        self.decoder = nn.Sequential(nn.Flatten(), nn.Linear(before * n * n, classes * 32 * 32))
        self.classes = classes

    def forward(self, x):
        return self.decoder(self.encoder(x)).reshape(-1, self.classes, 32, 32)


def build_net(classes, widths):
    return Flat(classes, widths)

# %% wrong build_net: works at 64 x 64 inside and resizes the logits back
# fails: down through the widths, and back through the same sizes
# says: the maps that your convolutions put out go through the heights
# differs at: build_net(5, [8, 16, 32])(torch.rand(2, 3, 33, 47)); the first width is not at full size
class Shrinker(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        self.down = nn.ModuleList()
        before = 3
        for w in widths:
            self.down.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.up = nn.ModuleList()
        for w in reversed(widths[:-1]):
            self.up.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.head = nn.Conv2d(before, classes, 1)

    def forward(self, x):
        full = x.shape[-2:]
        x = F.interpolate(x, size=(64, 64))
        sizes = []
        for i, block in enumerate(self.down):
            if i > 0:
                sizes.append(x.shape[-2:])
                x = F.max_pool2d(x, 2)
            x = block(x)
        for block in self.up:
            x = F.interpolate(x, size=sizes.pop(), mode="bilinear", align_corners=False)
            x = block(x)
        return F.interpolate(self.head(x), size=full)


def build_net(classes, widths):
    return Shrinker(classes, widths)

# %% wrong build_net: batch of two hard-coded
# fails: logits of the picture's size; odd sizes; down through the widths, and back through the same sizes; no skips: all passes through the bottleneck; it bends, and every weight learns
# says: expected logits of shape
# differs at: build_net(5, [8, 16, 32])(torch.rand(1, 3, 33, 47)); RuntimeError
class Shrinker(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        self.down = nn.ModuleList()
        before = 3
        for w in widths:
            self.down.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.up = nn.ModuleList()
        for w in reversed(widths[:-1]):
            self.up.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.head = nn.Conv2d(before, classes, 1)

    def forward(self, x):
        sizes = []
        for i, block in enumerate(self.down):
            if i > 0:
                sizes.append(x.shape[-2:])
                x = F.max_pool2d(x, 2)
            x = block(x)
        for block in self.up:
            x = F.interpolate(x, size=sizes.pop(), mode="bilinear", align_corners=False)
            x = block(x)
        x = self.head(x)
        return x.reshape(2, -1, *x.shape[2:])


def build_net(classes, widths):
    return Shrinker(classes, widths)

# %% wrong build_net: 1 x 1 convolutions in the encoder
# fails: down through the widths, and back through the same sizes
# says: at 12 × 12 pixels there should be a
# differs at: build_net(5, [8, 16, 32])(torch.rand(2, 3, 32, 48)); no 3 x 3
class Shrinker(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        self.down = nn.ModuleList()
        before = 3
        for w in widths:
            self.down.append(nn.Sequential(nn.Conv2d(before, w, 1), nn.ReLU()))
            before = w
        self.up = nn.ModuleList()
        for w in reversed(widths[:-1]):
            self.up.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.head = nn.Conv2d(before, classes, 1)

    def forward(self, x):
        sizes = []
        for i, block in enumerate(self.down):
            if i > 0:
                sizes.append(x.shape[-2:])
                x = F.max_pool2d(x, 2)
            x = block(x)
        for block in self.up:
            x = F.interpolate(x, size=sizes.pop(), mode="bilinear", align_corners=False)
            x = block(x)
        return self.head(x)


def build_net(classes, widths):
    return Shrinker(classes, widths)

# %% wrong build_net: one halving too few, the last two widths share a size
# fails: down through the widths, and back through the same sizes
# says: the maps that your convolutions put out go through the heights
# differs at: build_net(5, [8, 16, 32])(torch.rand(2, 3, 32, 48)); the smallest map is 16 x 24
class Shrinker(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        self.down = nn.ModuleList()
        before = 3
        for w in widths:
            self.down.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.up = nn.ModuleList()
        for w in reversed(widths[:-1]):
            self.up.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.head = nn.Conv2d(before, classes, 1)

    def forward(self, x):
        sizes = []
        for i, block in enumerate(self.down):
            if 0 < i < len(self.down) - 1:
                sizes.append(x.shape[-2:])
                x = F.max_pool2d(x, 2)
            x = block(x)
        for block in self.up:
            if sizes:
                x = F.interpolate(x, size=sizes.pop(), mode="bilinear", align_corners=False)
            x = block(x)
        return self.head(x)


def build_net(classes, widths):
    return Shrinker(classes, widths)

# %% wrong build_net: one resize from the bottleneck to full size
# fails: odd sizes; down through the widths, and back through the same sizes
# says: the maps that your convolutions put out go through the heights
# differs at: build_net(5, [8, 16, 32])(torch.rand(2, 3, 32, 48)); the decoder has no map of 16 x 24 (with one or two widths this answer is right)
class Shrinker(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        self.down = nn.ModuleList()
        before = 3
        for w in widths:
            self.down.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.head = nn.Conv2d(before, classes, 1)

    def forward(self, x):
        full = x.shape[-2:]
        for i, block in enumerate(self.down):
            if i > 0:
                x = F.max_pool2d(x, 2)
            x = block(x)
        return F.interpolate(self.head(x), size=full)


def build_net(classes, widths):
    return Shrinker(classes, widths)

# %% wrong build_net: softmax at the end, so no logits
# fails: logits of the picture's size
# says: Logits are any numbers: end on the
# differs at: build_net(5, [8, 16, 32])(torch.rand(2, 3, 32, 48)); every pixel sums to 1
class Shrinker(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        self.down = nn.ModuleList()
        before = 3
        for w in widths:
            self.down.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.up = nn.ModuleList()
        for w in reversed(widths[:-1]):
            self.up.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.head = nn.Conv2d(before, classes, 1)

    def forward(self, x):
        sizes = []
        for i, block in enumerate(self.down):
            if i > 0:
                sizes.append(x.shape[-2:])
                x = F.max_pool2d(x, 2)
            x = block(x)
        for block in self.up:
            x = F.interpolate(x, size=sizes.pop(), mode="bilinear", align_corners=False)
            x = block(x)
        return self.head(x).softmax(dim=1)


def build_net(classes, widths):
    return Shrinker(classes, widths)

# %% wrong build_net: plain Python lists, no parameters registered
# fails: down through the widths, and back through the same sizes; no skips: all passes through the bottleneck; it bends, and every weight learns
# says: Make layers in `__init__`, and keep a list of them as an `nn.ModuleList`, not a plain list.
# differs at: list(build_net(5, [8, 16]).parameters()); only the head
class Shrinker(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        self.down = []
        before = 3
        for w in widths:
            self.down.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.up = []
        for w in reversed(widths[:-1]):
            self.up.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.head = nn.Conv2d(before, classes, 1)

    def forward(self, x):
        sizes = []
        for i, block in enumerate(self.down):
            if i > 0:
                sizes.append(x.shape[-2:])
                x = F.max_pool2d(x, 2)
            x = block(x)
        for block in self.up:
            x = F.interpolate(x, size=sizes.pop(), mode="bilinear", align_corners=False)
            x = block(x)
        return self.head(x)


def build_net(classes, widths):
    return Shrinker(classes, widths)

# %% wrong build_net: makes its layers anew in forward
# fails: down through the widths, and back through the same sizes; no skips: all passes through the bottleneck; it bends, and every weight learns
# says: Make layers in `__init__`, and keep a list of them as an `nn.ModuleList`, not a plain list.
# differs at: net = build_net(2, [4, 8]); x = torch.rand(1, 3, 8, 8); net(x) and net(x) differ; and no parameters
class Fresh(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        self.classes, self.widths = classes, widths

    def forward(self, x):
        sizes = []
        for i, w in enumerate(self.widths):
            if i:
                sizes.append(x.shape[-2:])
                x = F.max_pool2d(x, 2)
            x = F.relu(nn.Conv2d(x.shape[1], w, 3, padding=1)(x))
        for w, size in zip(self.widths[-2::-1], sizes[::-1]):
            x = F.relu(nn.Conv2d(x.shape[1], w, 3, padding=1)(F.interpolate(x, size)))
        return nn.Conv2d(x.shape[1], self.classes, 1)(x)


def build_net(classes, widths):
    return Fresh(classes, widths)

# %% wrong build_net: returns the class
# fails: logits of the picture's size; odd sizes; down through the widths, and back through the same sizes; no skips: all passes through the bottleneck; it bends, and every weight learns
# says: an `nn.Module` is asked for; your function returned a `type`.
# differs at: build_net(5, [8, 16]); a class, not a net
class Shrinker(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        self.down = nn.ModuleList()
        before = 3
        for w in widths:
            self.down.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.up = nn.ModuleList()
        for w in reversed(widths[:-1]):
            self.up.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.head = nn.Conv2d(before, classes, 1)

    def forward(self, x):
        sizes = []
        for i, block in enumerate(self.down):
            if i > 0:
                sizes.append(x.shape[-2:])
                x = F.max_pool2d(x, 2)
            x = block(x)
        for block in self.up:
            x = F.interpolate(x, size=sizes.pop(), mode="bilinear", align_corners=False)
            x = block(x)
        return self.head(x)


def build_net(classes, widths):
    return Shrinker

# %% wrong build_net: forward in no_grad
# fails: it bends, and every weight learns
# says: Is every layer that you make also used in `forward`?
# differs at: build_net(5, [8, 16, 32])(torch.rand(2, 3, 32, 48)); no gradient reaches the weights
class Shrinker(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        self.down = nn.ModuleList()
        before = 3
        for w in widths:
            self.down.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.up = nn.ModuleList()
        for w in reversed(widths[:-1]):
            self.up.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.head = nn.Conv2d(before, classes, 1)

    @torch.no_grad()
    def forward(self, x):
        sizes = []
        for i, block in enumerate(self.down):
            if i > 0:
                sizes.append(x.shape[-2:])
                x = F.max_pool2d(x, 2)
            x = block(x)
        for block in self.up:
            x = F.interpolate(x, size=sizes.pop(), mode="bilinear", align_corners=False)
            x = block(x)
        return self.head(x)


def build_net(classes, widths):
    return Shrinker(classes, widths)

# %% wrong build_net: detaches the bottleneck
# fails: it bends, and every weight learns
# says: Is every layer that you make also used in `forward`?
# differs at: build_net(5, [8, 16, 32])(torch.rand(2, 3, 32, 48)); no gradient reaches the encoder
class Shrinker(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        self.down = nn.ModuleList()
        before = 3
        for w in widths:
            self.down.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.up = nn.ModuleList()
        for w in reversed(widths[:-1]):
            self.up.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.head = nn.Conv2d(before, classes, 1)

    def forward(self, x):
        sizes = []
        for i, block in enumerate(self.down):
            if i > 0:
                sizes.append(x.shape[-2:])
                x = F.max_pool2d(x, 2)
            x = block(x)
        x = x.detach()
        for block in self.up:
            x = F.interpolate(x, size=sizes.pop(), mode="bilinear", align_corners=False)
            x = block(x)
        return self.head(x)


def build_net(classes, widths):
    return Shrinker(classes, widths)

# %% wrong build_net: changes the caller's widths
# fails: logits of the picture's size
# says: Work on a copy.
# differs at: w = [8, 16, 32]; build_net(5, w); afterwards w is [3, 8, 16, 32]
class Shrinker(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        self.down = nn.ModuleList()
        widths.insert(0, 3)
        for before, w in zip(widths, widths[1:]):
            self.down.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.up = nn.ModuleList()
        before = widths[-1]
        for w in reversed(widths[1:-1]):
            self.up.append(nn.Sequential(nn.Conv2d(before, w, 3, padding=1), nn.ReLU()))
            before = w
        self.head = nn.Conv2d(before, classes, 1)

    def forward(self, x):
        sizes = []
        for i, block in enumerate(self.down):
            if i > 0:
                sizes.append(x.shape[-2:])
                x = F.max_pool2d(x, 2)
            x = block(x)
        for block in self.up:
            x = F.interpolate(x, size=sizes.pop(), mode="bilinear", align_corners=False)
            x = block(x)
        return self.head(x)


def build_net(classes, widths):
    return Shrinker(classes, widths)

# %% wrong build_net: calls models.EncoderDecoder
# fails: logits of the picture's size; odd sizes; down through the widths, and back through the same sizes; no skips: all passes through the bottleneck; it bends, and every weight learns
# says: Build one from convolutions, pooling and resizing.
# differs at: build_net(5, [8, 8, 12]); the library's net, and its widths double
def build_net(classes, widths):
    return models.EncoderDecoder(classes=classes, base=widths[0], depth=len(widths) - 1)

# %% wrong build_net: inherits from models.EncoderDecoder
# fails: logits of the picture's size; odd sizes; down through the widths, and back through the same sizes; no skips: all passes through the bottleneck; it bends, and every weight learns
# says: Build one from convolutions, pooling and resizing.
# differs at: build_net(5, [8, 8, 12]); the library's net, and its widths double
class Shrinker(models.EncoderDecoder):
    def __init__(self, classes, widths):
        super().__init__(classes=classes, base=widths[0], depth=len(widths) - 1)


def build_net(classes, widths):
    return Shrinker(classes, widths)

# %% wrong build_net: ReLU in the decoder only
# fails: it bends, and every weight learns
# says: Up to the bottleneck your net is one straight line.
# differs at: any picture
class OnlyUp(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        self.down = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in zip([3] + widths, widths))
        back = widths[::-1]
        self.up = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in zip(back, back[1:]))
        self.head = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x):
        sizes = []
        for i, conv in enumerate(self.down):
            if i:
                sizes.append(x.shape[-2:])
                x = F.max_pool2d(x, 2)
            x = conv(x)
        for conv in self.up:
            x = F.relu(conv(F.interpolate(x, size=sizes.pop())))
        return self.head(x)


def build_net(classes, widths):
    return OnlyUp(classes, widths)

# %% wrong build_net: doubles all the way and resizes the logits at the end
# fails: odd sizes
# says: Come back to each size before you convolve, not only at the end.
# differs at: a picture of 33 x 47
class LateResize(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        self.down = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in zip([3] + widths, widths))
        back = widths[::-1]
        self.up = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in zip(back, back[1:]))
        self.head = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x):
        size = x.shape[-2:]
        for i, conv in enumerate(self.down):
            x = F.relu(conv(F.max_pool2d(x, 2) if i else x))
        for conv in self.up:
            x = F.relu(conv(F.interpolate(x, scale_factor=2)))
        return F.interpolate(self.head(x), size=size)


def build_net(classes, widths):
    return LateResize(classes, widths)

# %% wrong build_net: the logits are NaN
# fails: logits of the picture's size; odd sizes; down through the widths, and back through the same sizes; no skips: all passes through the bottleneck; it bends, and every weight learns
# says: values are NaN or infinite.
class Broken(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        back = widths[::-1]
        self.down = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in zip([3] + widths, widths))
        self.up = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in zip(back, back[1:]))
        self.head = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x):
        sizes = []
        for level, conv in enumerate(self.down):
            if level > 0:
                sizes.append(x.shape[-2:])
                x = F.max_pool2d(x, 2)
            x = F.relu(conv(x))
        for conv in self.up:
            x = F.relu(conv(F.interpolate(x, size=sizes.pop(), mode="nearest")))
        return self.head(x) * float("nan")


def build_net(classes, widths):
    return Broken(classes, widths)

# %% right build_net: transposed convolutions of kernel 3, cut to the kept size, own class, Sequential blocks
class Block(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(a, b, kernel_size=3, padding=1), nn.ReLU(inplace=True))
    def forward(self, x):
        return self.body(x)

class Net(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        chain = [3, *widths]
        self.enc = nn.ModuleList([Block(a, b) for a, b in zip(chain[:-1], chain[1:])])
        rev = list(reversed(widths))
        self.ups = nn.ModuleList([nn.ConvTranspose2d(a, a, 3, stride=2) for a in rev[:-1]])
        self.dec = nn.ModuleList([Block(a, b) for a, b in zip(rev[:-1], rev[1:])])
        self.last = nn.Conv2d(widths[0], classes, 1)
    def forward(self, x):
        shapes = []
        for i, e in enumerate(self.enc):
            if i:
                x = F.max_pool2d(x, kernel_size=2, stride=2)
            x = e(x)
            shapes.append(tuple(x.shape[2:]))
        for up, d, (h, w) in zip(self.ups, self.dec, shapes[-2::-1]):
            x = up(x)[:, :, :h, :w]  # 2n + 1 pixels: enough for an even or an odd side
            x = d(x)
        return self.last(x)

def build_net(classes, widths):
    return Net(classes, widths)

# %% wrong build_net: convolved before it is enlarged: the full-size map is never convolved
# fails: down through the widths, and back through the same sizes
# says: First bring the map to that size, then convolve it.
class Shrinker(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        back = widths[::-1]
        self.down = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in zip([3] + widths, widths))
        self.up = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in zip(back, back[1:]))
        self.head = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x):
        sizes = []  # of the maps before they are halved
        for level, conv in enumerate(self.down):
            if level > 0:
                sizes.append(x.shape[-2:])
                x = F.max_pool2d(x, 2)
            x = F.relu(conv(x))
        for conv in self.up:
            x = F.relu(conv(x))
            x = F.interpolate(x, size=sizes.pop(), mode="bilinear", align_corners=False)
        return self.head(x)


def build_net(classes, widths):
    return Shrinker(classes, widths)

# %% wrong build_net: the head is forgotten: widths[0] channels come out
# fails: logits of the picture's size; odd sizes; down through the widths, and back through the same sizes; no skips: all passes through the bottleneck; it bends, and every weight learns
# says: the head, which makes the logits, is missing
class Shrinker(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        back = widths[::-1]
        self.down = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in zip([3] + widths, widths))
        self.up = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in zip(back, back[1:]))
        self.head = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x):
        sizes = []  # of the maps before they are halved
        for level, conv in enumerate(self.down):
            if level > 0:
                sizes.append(x.shape[-2:])
                x = F.max_pool2d(x, 2)
            x = F.relu(conv(x))
        for conv in self.up:
            x = F.relu(conv(F.interpolate(x, size=sizes.pop(), mode="nearest")))
        return x


def build_net(classes, widths):
    return Shrinker(classes, widths)

# %% wrong build_net: argmax: labels instead of logits
# fails: logits of the picture's size; odd sizes; down through the widths, and back through the same sizes; no skips: all passes through the bottleneck; it bends, and every weight learns
# says: Return the logits, without argmax.
class Shrinker(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        back = widths[::-1]
        self.down = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in zip([3] + widths, widths))
        self.up = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in zip(back, back[1:]))
        self.head = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x):
        sizes = []  # of the maps before they are halved
        for level, conv in enumerate(self.down):
            if level > 0:
                sizes.append(x.shape[-2:])
                x = F.max_pool2d(x, 2)
            x = F.relu(conv(x))
        for conv in self.up:
            x = F.relu(conv(F.interpolate(x, size=sizes.pop(), mode="nearest")))
        return self.head(x).argmax(1)


def build_net(classes, widths):
    return Shrinker(classes, widths)

# %% wrong build_net: the head is run on the bottleneck's channels: shapes do not fit
# fails: logits of the picture's size; odd sizes; down through the widths, and back through the same sizes; no skips: all passes through the bottleneck; it bends, and every weight learns
# says: here come the 26 of the bottleneck
class Shrinker(nn.Module):
    def __init__(self, classes, widths):
        super().__init__()
        back = widths[::-1]
        self.down = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in zip([3] + widths, widths))
        self.up = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in zip(back, back[1:]))
        self.head = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x):
        sizes = []  # of the maps before they are halved
        for level, conv in enumerate(self.down):
            if level > 0:
                sizes.append(x.shape[-2:])
                x = F.max_pool2d(x, 2)
            x = F.relu(conv(x))
        x = self.head(x)
        return F.interpolate(x, size=sizes[0], mode="bilinear", align_corners=False)


def build_net(classes, widths):
    return Shrinker(classes, widths)
