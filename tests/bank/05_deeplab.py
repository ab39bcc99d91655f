"""Answers to lesson 05_deeplab, right and wrong, by people who saw the student's notebook and not its checks.

Read by tests/answers.py. A wrong answer names its misconception, an input on which it lies, and what it must be told.
"""

# %% right dilated_conv: pads, one slice a tap, einsum
def dilated_conv(x, weight, rate):
    k, (h, w) = weight.shape[-1], x.shape[2:]
    p = rate * (k // 2)
    padded = F.pad(x, (p, p, p, p))
    out = 0
    for i in range(k):
        for j in range(k):
            window = padded[:, :, i * rate:i * rate + h, j * rate:j * rate + w]
            out = out + torch.einsum("bchw,oc->bohw", window, weight[:, :, i, j])
    return out

# %% right dilated_conv: all windows stacked, one matrix product
def dilated_conv(x, weight, rate):
    (b, c, h, w), (o, _, k, _) = x.shape, weight.shape
    reach = rate * (k - 1) // 2
    padded = x.new_zeros(b, c, h + 2 * reach, w + 2 * reach)
    padded[:, :, reach:reach + h, reach:reach + w] = x
    rows = [padded[:, :, i:i + h, j:j + w] for i in range(0, rate * k, rate) for j in range(0, rate * k, rate)]
    columns = torch.stack(rows, dim=2).reshape(b, c * k * k, h * w)
    return (weight.reshape(o, -1) @ columns).reshape(b, o, h, w)

# %% right dilated_conv: no padding, adds where picture and shifted picture overlap
def dilated_conv(x, weight, rate):
    b, _, h, w = x.shape
    o, _, k, _ = weight.shape
    out = torch.zeros(b, o, h, w, dtype=x.dtype)
    for i in range(k):
        for j in range(k):
            dy, dx = (i - k // 2) * rate, (j - k // 2) * rate
            if abs(dy) >= h or abs(dx) >= w:
                continue
            to = (slice(None), slice(None), slice(max(0, -dy), h - max(0, dy)), slice(max(0, -dx), w - max(0, dx)))
            of = (slice(None), slice(None), slice(max(0, dy), h - max(0, -dy)), slice(max(0, dx), w - max(0, -dx)))
            part = x[of].permute(0, 2, 3, 1) @ weight[:, :, i, j].T
            out[to] = out[to] + part.permute(0, 3, 1, 2)
    return out

# %% right dilated_conv: Tensor.unfold, and every rate-th of each window
def dilated_conv(x, weight, rate):
    k = weight.shape[-1]
    p, span = rate * (k - 1) // 2, rate * (k - 1) + 1
    windows = F.pad(x, [p] * 4).unfold(2, span, 1).unfold(3, span, 1)[..., ::rate, ::rate]
    return torch.einsum("bchwij,ocij->bohw", windows, weight)

# %% right dilated_conv: kernel blown up with zeros, then a plain convolution by slices
def dilated_conv(x, weight, rate):
    o, c, k, _ = weight.shape
    n = rate * (k - 1) + 1
    big = torch.zeros(o, c, n, n, dtype=weight.dtype)
    big[:, :, ::rate, ::rate] = weight
    h, w = x.shape[2:]
    padded = F.pad(x, (n // 2,) * 4)
    total = []
    for i in range(n):
        for j in range(n):
            patch = padded[:, None, :, i:i + h, j:j + w]
            total.append((patch * big[None, :, :, i, j, None, None]).sum(2))
    return sum(total)

# %% right dilated_conv: F.unfold and a matrix product
def dilated_conv(x, weight, rate):
    b, _, h, w = x.shape
    columns = F.unfold(x, weight.shape[-1], dilation=rate, padding=rate * (weight.shape[-1] // 2))
    return (weight.flatten(1) @ columns).reshape(b, -1, h, w)

# %% wrong dilated_conv: leaves the taps side by side
# fails: other rates; kernels of other sizes, batch and channels
# says: neighbouring taps should stand 2 pixels apart.
def dilated_conv(x, weight, rate):
    k, (h, w) = weight.shape[-1], x.shape[2:]
    padded = F.pad(x, (k // 2,) * 4)
    return sum(torch.einsum("bchw,oc->bohw", padded[:, :, i:i + h, j:j + w], weight[:, :, i, j])
               for i in range(k) for j in range(k))

# %% wrong dilated_conv: rate zeros between the taps, which are then rate + 1 apart
# fails: rate 1: an ordinary convolution; other rates; kernels of other sizes, batch and channels
# says: For x of shape (1, 1, 3, 4), weight of shape (1, 1, 3, 3), rate 1:
def dilated_conv(x, weight, rate):
    k, (h, w) = weight.shape[-1], x.shape[2:]
    step = rate + 1
    padded = F.pad(x, (step * (k // 2),) * 4)
    return sum(torch.einsum("bchw,oc->bohw", padded[:, :, i * step:i * step + h, j * step:j * step + w], weight[:, :, i, j])
               for i in range(k) for j in range(k))

# %% wrong dilated_conv: flips the kernel
# fails: rate 1: an ordinary convolution; other rates; kernels of other sizes, batch and channels
# says: For x of shape (1, 1, 3, 4), weight of shape (1, 1, 3, 3), rate 1:
def dilated_conv(x, weight, rate):
    k, (h, w) = weight.shape[-1], x.shape[2:]
    weight = weight.flip(2, 3)
    padded = F.pad(x, (rate * (k // 2),) * 4)
    return sum(torch.einsum("bchw,oc->bohw", padded[:, :, i * rate:i * rate + h, j * rate:j * rate + w], weight[:, :, i, j])
               for i in range(k) for j in range(k))

# %% wrong dilated_conv: rows and columns of the kernel exchanged
# fails: rate 1: an ordinary convolution; other rates; kernels of other sizes, batch and channels
# says: For x of shape (1, 1, 3, 4), weight of shape (1, 1, 3, 3), rate 1:
def dilated_conv(x, weight, rate):
    k, (h, w) = weight.shape[-1], x.shape[2:]
    padded = F.pad(x, (rate * (k // 2),) * 4)
    return sum(torch.einsum("bchw,oc->bohw", padded[:, :, i * rate:i * rate + h, j * rate:j * rate + w], weight[:, :, j, i])
               for i in range(k) for j in range(k))

# %% wrong dilated_conv: pads by the rate, which suits k = 3 only
# fails: kernels of other sizes, batch and channels
# says: For x of shape (2, 3, 8, 7), weight of shape (4, 3, 5, 5), rate 2:
def dilated_conv(x, weight, rate):
    k, (h, w) = weight.shape[-1], x.shape[2:]
    padded = F.pad(x, (rate,) * 4)
    n, m = padded.shape[2] - rate * (k - 1), padded.shape[3] - rate * (k - 1)
    return sum(torch.einsum("bchw,oc->bohw", padded[:, :, i * rate:i * rate + n, j * rate:j * rate + m], weight[:, :, i, j])
               for i in range(k) for j in range(k))

# %% wrong dilated_conv: the first tap on the output pixel, all padding below and to the right
# fails: rate 1: an ordinary convolution; other rates; kernels of other sizes, batch and channels
# says: For x of shape (1, 1, 3, 4), weight of shape (1, 1, 3, 3), rate 1:
def dilated_conv(x, weight, rate):
    k, (h, w) = weight.shape[-1], x.shape[2:]
    p = rate * (k - 1)
    padded = F.pad(x, (0, p, 0, p))
    return sum(torch.einsum("bchw,oc->bohw", padded[:, :, i * rate:i * rate + h, j * rate:j * rate + w], weight[:, :, i, j])
               for i in range(k) for j in range(k))

# %% wrong dilated_conv: rolls, so that the picture wraps round
# fails: rate 1: an ordinary convolution; other rates; kernels of other sizes, batch and channels
# says: What leaves the picture on one side comes in on the other (`torch.roll` does that);
def dilated_conv(x, weight, rate):
    k = weight.shape[-1]
    out = 0
    for i in range(k):
        for j in range(k):
            moved = torch.roll(x, ((k // 2 - i) * rate, (k // 2 - j) * rate), (2, 3))
            out = out + torch.einsum("bchw,oc->bohw", moved, weight[:, :, i, j])
    return out

# %% wrong dilated_conv: reads the first input channel only
# fails: kernels of other sizes, batch and channels
# says: For x of shape (2, 3, 8, 7), weight of shape (4, 3, 5, 5), rate 2:
def dilated_conv(x, weight, rate):
    k, (h, w) = weight.shape[-1], x.shape[2:]
    padded = F.pad(x, (rate * (k // 2),) * 4)
    out = x.new_zeros(len(x), len(weight), h, w)
    for i in range(k):
        for j in range(k):
            out = out + padded[:, :1, i * rate:i * rate + h, j * rate:j * rate + w] * weight[None, :, 0, i, j, None, None]
    return out

# %% wrong dilated_conv: cuts the gradient with detach
# fails: gradients flow, arguments stay as they were
# says: No gradient reaches `x`.
def dilated_conv(x, weight, rate):
    k, (h, w) = weight.shape[-1], x.shape[2:]
    padded = F.pad(x.detach(), (rate * (k // 2),) * 4)
    return sum(torch.einsum("bchw,oc->bohw", padded[:, :, i * rate:i * rate + h, j * rate:j * rate + w], weight.detach()[:, :, i, j])
               for i in range(k) for j in range(k))

# %% wrong dilated_conv: first picture of the batch for all
# fails: kernels of other sizes, batch and channels
# says: For x of shape (2, 3, 8, 7), weight of shape (4, 3, 5, 5), rate 2:
def dilated_conv(x, weight, rate):
    k, (h, w) = weight.shape[-1], x.shape[2:]
    padded = F.pad(x[0], (rate * (k // 2),) * 4)
    one = sum(torch.einsum("chw,oc->ohw", padded[:, i * rate:i * rate + h, j * rate:j * rate + w], weight[:, :, i, j])
              for i in range(k) for j in range(k))
    return one.expand(len(x), -1, -1, -1)

# %% wrong dilated_conv: steps through the picture by the rate
# fails: other rates; kernels of other sizes, batch and channels; gradients flow, arguments stay as they were
# says: Does a slice step through it by `rate`?
def dilated_conv(x, weight, rate):
    h, w = x.shape[2:]
    k = weight.shape[-1]
    wide = F.pad(x, [rate * (k // 2)] * 4)
    total = 0
    for i in range(k):
        for j in range(k):
            window = wide[:, :, i::rate, j::rate][:, :, :h, :w]
            total = total + torch.einsum("bchw,oc->bohw", window, weight[:, :, i, j])
    return total

# %% wrong dilated_conv: windows end at negative numbers, the last one at −0
# fails: rate 1: an ordinary convolution; other rates; kernels of other sizes, batch and channels; gradients flow, arguments stay as they were
# says: a slice that ends at −0 ends at 0.
def dilated_conv(x, weight, rate):
    h, w = x.shape[2:]
    k = weight.shape[-1]
    wide = F.pad(x, [rate * (k // 2)] * 4)
    total = 0
    for i in range(k):
        for j in range(k):
            window = wide[:, :, i * rate : -(k - 1 - i) * rate, j * rate : -(k - 1 - j) * rate]
            total = total + torch.einsum("bchw,oc->bohw", window, weight[:, :, i, j])
    return total

# %% wrong dilated_conv: the width's windows move by the row's number
# fails: rate 1: an ordinary convolution; other rates; kernels of other sizes, batch and channels
# says: Both axes move by the same tap number here
def dilated_conv(x, weight, rate):
    h, w = x.shape[2:]
    k = weight.shape[-1]
    wide = F.pad(x, [rate * (k // 2)] * 4)
    total = 0
    for i in range(k):
        for j in range(k):
            window = wide[:, :, rate * i : rate * i + h, rate * i : rate * i + w]
            total = total + torch.einsum("bchw,oc->bohw", window, weight[:, :, i, j])
    return total

# %% wrong dilated_conv: torch's own
# fails: rate 1: an ordinary convolution; other rates; kernels of other sizes, batch and channels; gradients flow, arguments stay as they were
# says: This lets torch convolve.
def dilated_conv(x, weight, rate):
    return F.conv2d(x, weight, padding=rate * (weight.shape[-1] // 2), dilation=rate)

# %% wrong dilated_conv: multiplies the weights in place
# fails: gradients flow, arguments stay as they were
# says: Your function changed one of its arguments.
def dilated_conv(x, weight, rate):
    k, (h, w) = weight.shape[-1], x.shape[2:]
    padded = F.pad(x, (rate * (k // 2),) * 4)
    out = 0
    for i in range(k):
        for j in range(k):
            window = padded[:, :, i * rate:i * rate + h, j * rate:j * rate + w]
            out = out + torch.einsum("bchw,oc->bohw", window, weight[:, :, i, j])
            with torch.no_grad():
                weight[:, :, i, j] = 0
    return out

# %% wrong dilated_conv: windows that begin at i and j
# fails: other rates; kernels of other sizes, batch and channels
# says: The windows begin 1 pixel apart here;
def dilated_conv(x, weight, rate):
    h, w = x.shape[2:]
    k = weight.shape[-1]
    wide = F.pad(x, [rate * (k // 2)] * 4)
    total = 0
    for i in range(k):
        for j in range(k):
            window = wide[:, :, i:i+h, j:j+w]
            total = total + torch.einsum("bchw,oc->bohw", window, weight[:, :, i, j])
    return total

# %% wrong dilated_conv: the rate for rows alone
# fails: other rates; kernels of other sizes, batch and channels
# says: The windows' rows follow the rate, their columns do not.
def dilated_conv(x, weight, rate):
    h, w = x.shape[2:]
    k = weight.shape[-1]
    wide = F.pad(x, [rate * (k // 2)] * 4)
    total = 0
    for i in range(k):
        for j in range(k):
            window = wide[:, :, rate*i:rate*i+h, j:j+w]
            total = total + torch.einsum("bchw,oc->bohw", window, weight[:, :, i, j])
    return total

# %% wrong dilated_conv: counts the taps from the middle one
# fails: rate 1: an ordinary convolution; other rates; kernels of other sizes, batch and channels; gradients flow, arguments stay as they were
# says: A window begins before `wide` does
def dilated_conv(x, weight, rate):
    h, w = x.shape[2:]
    k = weight.shape[-1]
    wide = F.pad(x, [rate * (k // 2)] * 4)
    total = 0
    for i in range(k):
        for j in range(k):
            window = wide[:, :, rate*(i-k//2):rate*(i-k//2)+h, rate*(j-k//2):rate*(j-k//2)+w]
            total = total + torch.einsum("bchw,oc->bohw", window, weight[:, :, i, j])
    return total

# %% wrong dilated_conv: every tap reads all of the padded picture
# fails: rate 1: an ordinary convolution; other rates; kernels of other sizes, batch and channels
# says: Every tap reads all of the padded picture;
def dilated_conv(x, weight, rate):
    h, w = x.shape[2:]
    k = weight.shape[-1]
    wide = F.pad(x, [rate * (k // 2)] * 4)
    total = 0
    for i in range(k):
        for j in range(k):
            window = wide
            total = total + torch.einsum("bchw,oc->bohw", window, weight[:, :, i, j])
    return total

# %% wrong dilated_conv: reads the first picture alone
# fails: kernels of other sizes, batch and channels
# says: Only the first picture of the batch is left.
def dilated_conv(x, weight, rate):
    h, w = x.shape[2:]
    k = weight.shape[-1]
    wide = F.pad(x, [rate * (k // 2)] * 4)
    total = 0
    for i in range(k):
        for j in range(k):
            window = wide[:1, :, rate*i:rate*i+h, rate*j:rate*j+w]
            total = total + torch.einsum("bchw,oc->bohw", window, weight[:, :, i, j])
    return total

# %% right field_and_coverage: pokes by gradient with kernels of ones
def field_and_coverage(rates):
    reach = sum(rates)
    n = 2 * reach + 1
    x = torch.zeros(1, 1, n, n, dtype=torch.double, requires_grad=True)
    y = x
    for r in rates:
        y = F.conv2d(y, torch.ones(1, 1, 3, 3, dtype=torch.double), padding=r, dilation=r)
    y[0, 0, reach, reach].backward()
    return n, (x.grad != 0).double().mean().item()

# %% right field_and_coverage: set of offsets, squared
def field_and_coverage(rates):
    seen = {0}
    for r in rates:
        seen = {s + d for s in seen for d in (-r, 0, r)}
    field = max(seen) - min(seen) + 1
    return field, (len(seen) / field) ** 2

# %% right field_and_coverage: bits of one whole number
def field_and_coverage(rates):
    bits = 1
    for r in rates:
        bits = bits | bits << r | bits << 2 * r
    return bits.bit_length(), (bin(bits).count("1") / bits.bit_length()) ** 2

# %% right field_and_coverage: a spot that grows by shifted copies
def field_and_coverage(rates):
    n = 1 + 2 * sum(rates)
    spot = torch.zeros(1, 1, n, n)
    spot[0, 0, n // 2, n // 2] = 1
    for r in rates:
        grown = spot.clone()
        for dy in (-r, 0, r):
            for dx in (-r, 0, r):
                grown = torch.maximum(grown, torch.roll(spot, (dy, dx), (2, 3)))
        spot = grown
    return n, float(spot.mean())

# %% wrong field_and_coverage: multiplies the shares of the layers
# fails: the share that is seen
# says: But a layer can fill the holes of another:
# differs at: [1, 2]: a layer of rate 1 fills the holes
def field_and_coverage(rates):
    share = 1.0
    for r in rates:
        share *= 9 / (2 * r + 1) ** 2
    return 1 + 2 * sum(rates), share

# %% wrong field_and_coverage: the share of one row, not of the square
# fails: the share that is seen; one layer, none, wide ones and many
# says: This is the share along one row.
# differs at: [2]: 0.6
def field_and_coverage(rates):
    seen = {0}
    for r in rates:
        seen = {s + d for s in seen for d in (-r, 0, r)}
    field = 2 * max(seen) + 1
    return field, len(seen) / field

# %% wrong field_and_coverage: counts paths, not pixels
# fails: the share that is seen
# says: This counts ways, not pixels: several ways may end on one pixel.
# differs at: [2, 2]: nine paths end on five places
def field_and_coverage(rates):
    field = 1 + 2 * sum(rates)
    return field, min(1.0, 9 ** len(rates) / field ** 2)

# %% wrong field_and_coverage: the field without its holes
# fails: the field; one layer, none, wide ones and many
# says: The field runs from the first to the last, holes included.
# differs at: [2]: 3
def field_and_coverage(rates):
    seen = {0}
    for r in rates:
        seen = {s + d for s in seen for d in (-r, 0, r)}
    return len(seen), (len(seen) / (1 + 2 * sum(rates))) ** 2

# %% wrong field_and_coverage: everything in the field is seen
# fails: the share that is seen; one layer, none, wide ones and many
# says: There are holes in this field: not all of it is seen.
def field_and_coverage(rates):
    return 1 + 2 * sum(rates), 1.0

# %% wrong field_and_coverage: a map of 32, too small for wide stacks
# fails: one layer, none, wide ones and many
# says: Is the map that you poke as wide as the field, 1 + 2·sum(rates)?
# differs at: [20]
def field_and_coverage(rates):
    x = torch.zeros(1, 1, 33, 33, requires_grad=True)
    y = x
    for r in rates:
        y = F.conv2d(y, torch.ones(1, 1, 3, 3), padding=r, dilation=r)
    y[0, 0, 16, 16].backward()
    seen = x.grad[0, 0].nonzero()
    field = int(seen.max() - seen.min()) + 1
    return field, len(seen) / field ** 2

# %% wrong field_and_coverage: kernels of plus and minus one, whose paths cancel
# fails: the share that is seen
# says: Weights of both signs can cancel, and hide a pixel that is seen.
def field_and_coverage(rates):
    n = 2 * sum(rates) + 1
    x = torch.zeros(1, 1, n, n, requires_grad=True)
    y = x
    kernel = torch.tensor([[1.0, -1, 1], [-1, 1, -1], [1, -1, 1]])[None, None]
    for r in rates:
        y = F.conv2d(y, kernel, padding=r, dilation=r)
    y[0, 0, n // 2, n // 2].backward()
    return n, (x.grad != 0).float().mean().item()

# %% wrong field_and_coverage: sorts the list in place
# fails: the field; the share that is seen
# says: Your function changed the list of rates that it was given.
def field_and_coverage(rates):
    rates.sort()
    seen = {0}
    for r in rates:
        seen = {s + d for s in seen for d in (-r, 0, r)}
    field = 2 * max(seen) + 1
    return field, (len(seen) / field) ** 2

# %% wrong field_and_coverage: no layers are an error
# fails: one layer, none, wide ones and many
# says: For [] your code stopped with IndexError:
def field_and_coverage(rates):
    last = rates[-1]
    seen = {-last, 0, last}
    for r in rates[:-1]:
        seen = {s + d for s in seen for d in (-r, 0, r)}
    field = 2 * max(seen) + 1
    return field, (len(seen) / field) ** 2

# %% wrong field_and_coverage: the library's own
# fails: the field; the share that is seen; one layer, none, wide ones and many
# says: This asks the library, which counts the ways for you.
from course_lib import models

def field_and_coverage(rates):
    row = models.paths(rates)
    return len(row), float((row > 0).mean() ** 2)

# %% wrong field_and_coverage: the share of the whole picture, not of the field
# fails: the share that is seen; one layer, none, wide ones and many
# says: This is the share of the whole picture;
def field_and_coverage(rates):
    """(field, share) of a stack of 3 × 3 layers with these rates: an int, and a float from 0 to 1."""
    wide = 4 * sum(rates) + 3
    kernel = torch.ones(1, 1, 3, 3)  # no weight is below 0, so nothing cancels
    out = picture = torch.ones(1, 1, wide, wide, requires_grad=True)
    for rate in rates:
        out = F.conv2d(out, kernel, padding=rate, dilation=rate)

    out[0, 0, wide // 2, wide // 2].backward()
    seen = picture.grad != 0
    return 2 * sum(rates) + 1, seen.float().mean().item()

# %% wrong field_and_coverage: tensors instead of an int and a float
# fails: the field; the share that is seen; one layer, none, wide ones and many
# says: `field` is a tensor; return an `int`
def field_and_coverage(rates):
    """(field, share) of a stack of 3 × 3 layers with these rates: an int, and a float from 0 to 1."""
    wide = 4 * sum(rates) + 3
    kernel = torch.ones(1, 1, 3, 3)  # no weight is below 0, so nothing cancels
    out = picture = torch.ones(1, 1, wide, wide, requires_grad=True)
    for rate in rates:
        out = F.conv2d(out, kernel, padding=rate, dilation=rate)

    out[0, 0, wide // 2, wide // 2].backward()
    seen = picture.grad[0, 0] != 0
    columns = seen.any(0).nonzero().flatten()
    field = columns[-1] - columns[0] + 1
    return field, seen.sum() / field**2

# %% wrong field_and_coverage: pokes the corner: most of the field lies outside the picture
# fails: the field; the share that is seen; one layer, none, wide ones and many
# says: This is what a corner of the map sees. Poke the middle
def field_and_coverage(rates):
    """(field, share) of a stack of 3 × 3 layers with these rates: an int, and a float from 0 to 1."""
    wide = 4 * sum(rates) + 3
    kernel = torch.ones(1, 1, 3, 3)  # no weight is below 0, so nothing cancels
    out = picture = torch.ones(1, 1, wide, wide, requires_grad=True)
    for rate in rates:
        out = F.conv2d(out, kernel, padding=rate, dilation=rate)

    out[0, 0, 0, 0].backward()
    seen = picture.grad[0, 0] != 0
    columns = seen.any(0).nonzero().flatten()
    field = int(columns[-1] - columns[0]) + 1
    return field, seen.sum().item() / field**2

# %% wrong field_and_coverage: sums the gradient (number of ways) instead of counting seen pixels
# fails: the share that is seen
# says: This counts ways, not pixels
def field_and_coverage(rates):
    """(field, share) of a stack of 3 × 3 layers with these rates: an int, and a float from 0 to 1."""
    wide = 4 * sum(rates) + 3
    kernel = torch.ones(1, 1, 3, 3)  # no weight is below 0, so nothing cancels
    out = picture = torch.ones(1, 1, wide, wide, requires_grad=True)
    for rate in rates:
        out = F.conv2d(out, kernel, padding=rate, dilation=rate)

    out[0, 0, wide // 2, wide // 2].backward()
    field = 2 * sum(rates) + 1
    return field, min(1.0, picture.grad.sum().item() / field**2)

# %% wrong field_and_coverage: an empty stack is not thought of
# fails: one layer, none, wide ones and many
# says: No layers at all are a field of 1
def field_and_coverage(rates):
    """(field, share) of a stack of 3 × 3 layers with these rates: an int, and a float from 0 to 1."""
    wide = 4 * sum(rates) + 3
    kernel = torch.ones(1, 1, 3, 3)  # no weight is below 0, so nothing cancels
    out = picture = torch.ones(1, 1, wide, wide, requires_grad=True)
    for rate in rates:
        out = F.conv2d(out, kernel, padding=rate, dilation=rate)

    out[0, 0, wide // 2, wide // 2].backward()
    seen = picture.grad[0, 0] != 0
    first = wide // 2 - sum(rates)
    field = 2 * rates[0] + 1 + 2 * sum(rates[1:])
    return field, seen[first:first + field, first:first + field].float().mean().item()

# %% wrong field_and_coverage: rounds the share to two digits, as in the example
# fails: the share that is seen; one layer, none, wide ones and many
# says: This is rounded; return numbers as they come out.
def field_and_coverage(rates):
    """(field, share) of a stack of 3 × 3 layers with these rates: an int, and a float from 0 to 1."""
    wide = 4 * sum(rates) + 3
    kernel = torch.ones(1, 1, 3, 3)  # no weight is below 0, so nothing cancels
    out = picture = torch.ones(1, 1, wide, wide, requires_grad=True)
    for rate in rates:
        out = F.conv2d(out, kernel, padding=rate, dilation=rate)

    out[0, 0, wide // 2, wide // 2].backward()
    field = 2 * sum(rates) + 1
    return field, round((picture.grad != 0).sum().item() / field**2, 2)

# %% wrong field_and_coverage: the last less the first
# fails: the field; the share that is seen; one layer, none, wide ones and many
# says: The field is one pixel too short here:
def field_and_coverage(rates):
    wide = 4 * sum(rates) + 3
    kernel = torch.ones(1, 1, 3, 3)
    out = picture = torch.ones(1, 1, wide, wide, requires_grad=True)
    for rate in rates:
        out = F.conv2d(out, kernel, padding=rate, dilation=rate)
    out[0, 0, wide//2, wide//2].backward()
    g = picture.grad[0, 0]
    hit = g != 0
    r = torch.where(hit.any(1))[0].tolist()
    f = r[-1]-r[0]
    return f, hit.sum().item()/f**2

# %% wrong field_and_coverage: the share first
# fails: the field; the share that is seen; one layer, none, wide ones and many
# says: This is the share; the field comes first.
def field_and_coverage(rates):
    wide = 4 * sum(rates) + 3
    kernel = torch.ones(1, 1, 3, 3)
    out = picture = torch.ones(1, 1, wide, wide, requires_grad=True)
    for rate in rates:
        out = F.conv2d(out, kernel, padding=rate, dilation=rate)
    out[0, 0, wide//2, wide//2].backward()
    g = picture.grad[0, 0]
    hit = g != 0
    r = torch.where(hit.any(1))[0].tolist()
    f = r[-1]-r[0]+1
    return hit.sum().item()/f**2, f

# %% wrong field_and_coverage: pokes all of the map
# fails: the field; the share that is seen; one layer, none, wide ones and many
# says: Poke one pixel of `out`, the middle one, not all.
def field_and_coverage(rates):
    wide = 4 * sum(rates) + 3
    kernel = torch.ones(1, 1, 3, 3)
    out = picture = torch.ones(1, 1, wide, wide, requires_grad=True)
    for rate in rates:
        out = F.conv2d(out, kernel, padding=rate, dilation=rate)
    out.sum().backward()
    g = picture.grad[0, 0]
    hit = g != 0
    r = torch.where(hit.any(1))[0].tolist()
    f = r[-1]-r[0]+1
    return f, hit.sum().item()/f**2

# %% wrong field_and_coverage: divides by //
# fails: the share that is seen; one layer, none, wide ones and many
# says: `//` rounds to a whole number;
def field_and_coverage(rates):
    wide = 4 * sum(rates) + 3
    kernel = torch.ones(1, 1, 3, 3)
    out = picture = torch.ones(1, 1, wide, wide, requires_grad=True)
    for rate in rates:
        out = F.conv2d(out, kernel, padding=rate, dilation=rate)
    out[0, 0, wide//2, wide//2].backward()
    g = picture.grad[0, 0]
    hit = g != 0
    r = torch.where(hit.any(1))[0].tolist()
    f = r[-1]-r[0]+1
    return f, hit.sum().item()//f**2

# %% right find_lies: sets of offsets
from itertools import combinations
from math import gcd

def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))

def find_lies(stacks):
    missed, alarms = [], []
    for rates in stacks:
        seen = {0}
        for r in rates:
            seen = {s + d for s in seen for d in (-r, 0, r)}
        hole = len(seen) < 2 * sum(rates) + 1
        if hole and no_common_factor(rates):
            missed.append(rates)
        if not hole and not no_common_factor(rates):
            alarms.append(rates)
    return missed, alarms

# %% right find_lies: poking by gradient, share below one
from itertools import combinations
from math import gcd

def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))

def holes(rates):
    n = 1 + 2 * sum(rates)
    x = torch.zeros(1, 1, n, n, requires_grad=True)
    y = x
    for r in rates:
        y = F.conv2d(y, torch.ones(1, 1, 3, 3), padding=r, dilation=r)
    y[..., n // 2, n // 2].sum().backward()
    return bool((x.grad == 0).any())

def find_lies(stacks):
    return ([s for s in stacks if no_common_factor(s) and holes(s)],
            [s for s in stacks if not no_common_factor(s) and not holes(s)])

# %% right find_lies: the exact rule, in running sums
def find_lies(stacks):
    from itertools import combinations
    from math import gcd
    lies = [], []
    for stack in stacks:
        passes = all(gcd(a, b) == 1 for a, b in combinations(stack, 2))
        whole, total = True, 0
        for r in sorted(stack):
            whole = whole and r - total <= total + 1
            total += r
        if passes != whole:
            lies[0 if passes else 1].append(list(stack))
    return lies

# %% right find_lies: numpy masks, returns a list of two lists
import numpy as np
from itertools import combinations
from math import gcd

def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))

def find_lies(stacks):
    out = [[], []]
    for s in stacks:
        reach = sum(s)
        row = np.zeros(2 * reach + 1, bool)
        row[reach] = True
        for r in s:
            row = row | np.roll(row, r) | np.roll(row, -r)
        if row.all() and not no_common_factor(s):
            out[1].append(s)
        elif not row.all() and no_common_factor(s):
            out[0].append(s)
    return out

# %% right find_lies: recursion on what is left
from itertools import combinations
from math import gcd

def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))

def reachable(target, rates):
    if not rates:
        return target == 0
    return any(reachable(target - d * rates[0], rates[1:]) for d in (-1, 0, 1))

def find_lies(stacks):
    if not stacks:
        return [], []
    first, (missed, alarms) = stacks[0], find_lies(stacks[1:])
    whole = all(reachable(n, first) for n in range(sum(first) + 1))
    if whole and not no_common_factor(first):
        return missed, [first] + alarms
    if not whole and no_common_factor(first):
        return [first] + missed, alarms
    return missed, alarms

# %% wrong find_lies: the two lists exchanged
# fails: holes that the rule misses; false alarms; rates in any order, single layers
# says: The two lists have changed places.
from itertools import combinations
from math import gcd

def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))

def hole(rates):
    seen = {0}
    for r in rates:
        seen = {s + d for s in seen for d in (-r, 0, r)}
    return len(seen) < 2 * sum(rates) + 1

def find_lies(stacks):
    missed = [s for s in stacks if no_common_factor(s) and hole(s)]
    alarms = [s for s in stacks if not no_common_factor(s) and not hole(s)]
    return alarms, missed

# %% wrong find_lies: all with holes, and all without, whatever the rule says
# fails: holes that the rule misses; false alarms
# says: Stack [2, 2] should not be in `missed`:
def hole(rates):
    seen = {0}
    for r in rates:
        seen = {s + d for s in seen for d in (-r, 0, r)}
    return len(seen) < 2 * sum(rates) + 1

def find_lies(stacks):
    return [s for s in stacks if hole(s)], [s for s in stacks if not hole(s)]

# %% wrong find_lies: finds no false alarms
# fails: false alarms; rates in any order, single layers
# says: the rule rejects it, and it has no holes.
from itertools import combinations
from math import gcd

def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))

def find_lies(stacks):
    missed = []
    for rates in stacks:
        seen = {0}
        for r in rates:
            seen = {s + d for s in seen for d in (-r, 0, r)}
        if no_common_factor(rates) and len(seen) < 2 * sum(rates) + 1:
            missed.append(rates)
    return missed, []

# %% wrong find_lies: takes the rule for "no factor that all share"
# fails: holes that the rule misses; false alarms; rates in any order, single layers
# says: A factor that two of the rates share is enough for the rule
def hole(rates):
    seen = {0}
    for r in rates:
        seen = {s + d for s in seen for d in (-r, 0, r)}
    return len(seen) < 2 * sum(rates) + 1

def find_lies(stacks):
    from math import gcd
    passes = lambda s: len(s) == 1 or gcd(*s) == 1
    return [s for s in stacks if passes(s) and hole(s)], [s for s in stacks if not passes(s) and not hole(s)]

# %% wrong find_lies: whole means that a layer of rate 1 is there
# fails: holes that the rule misses; false alarms; rates in any order, single layers
# says: the rule finds nothing wrong with it, and it has holes:
from itertools import combinations
from math import gcd

def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))

def find_lies(stacks):
    missed = [s for s in stacks if no_common_factor(s) and 1 not in s]
    alarms = [s for s in stacks if not no_common_factor(s) and 1 in s]
    return missed, alarms

# %% wrong find_lies: compares each rate with the layers before it, unsorted
# fails: holes that the rule misses; false alarms; rates in any order, single layers
# says: the rule finds nothing wrong with it, and it has no holes.
# differs at: [4, 1, 2], which has no hole
from itertools import combinations
from math import gcd

def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))

def whole(rates):
    return all(r <= 2 * sum(rates[:i]) + 1 for i, r in enumerate(rates))

def find_lies(stacks):
    return ([s for s in stacks if no_common_factor(s) and not whole(s)],
            [s for s in stacks if not no_common_factor(s) and whole(s)])

# %% wrong find_lies: the published test of hybrid dilation, M2 at most 3
# fails: holes that the rule misses; false alarms; rates in any order, single layers
# says: the rule finds nothing wrong with it, and it has holes:
# differs at: [1, 2, 4, 8]
from itertools import combinations
from math import gcd

def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))

def whole(rates):
    m = rates[-1]
    for r in rates[-2:0:-1]:
        m = max(m - 2 * r, 2 * r - m, r)
    return m <= 3

def find_lies(stacks):
    return ([s for s in stacks if no_common_factor(s) and not whole(s)],
            [s for s in stacks if not no_common_factor(s) and whole(s)])

# %% wrong find_lies: nearly all seen is all seen
# fails: holes that the rule misses; false alarms
# says: the rule finds nothing wrong with it, and it has holes:
from itertools import combinations
from math import gcd

def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))

def whole(rates):
    seen = {0}
    for r in rates:
        seen = {s + d for s in seen for d in (-r, 0, r)}
    return round((len(seen) / (2 * max(seen) + 1)) ** 2) == 1

def find_lies(stacks):
    return ([s for s in stacks if no_common_factor(s) and not whole(s)],
            [s for s in stacks if not no_common_factor(s) and whole(s)])

# %% wrong find_lies: sorts each stack in place
# fails: holes that the rule misses; false alarms; rates in any order, single layers
# says: sort nothing in place
from itertools import combinations
from math import gcd

def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))

def whole(rates):
    rates.sort()
    return all(r <= 2 * sum(rates[:i]) + 1 for i, r in enumerate(rates))

def find_lies(stacks):
    return ([s for s in stacks if no_common_factor(s) and not whole(s)],
            [s for s in stacks if not no_common_factor(s) and whole(s)])

# %% wrong find_lies: returns the stacks in sorted order
# fails: holes that the rule misses; false alarms; rates in any order, single layers
# says: `missed` holds the right stacks in another order; keep that of `stacks`.
from itertools import combinations
from math import gcd

def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))

def hole(rates):
    seen = {0}
    for r in rates:
        seen = {s + d for s in seen for d in (-r, 0, r)}
    return len(seen) < 2 * sum(rates) + 1

def find_lies(stacks):
    missed = sorted(s for s in stacks if no_common_factor(s) and hole(s))
    return missed, sorted(s for s in stacks if not no_common_factor(s) and not hole(s))

# %% wrong find_lies: returns as soon as one of each is found
# fails: holes that the rule misses; false alarms; rates in any order, single layers
# says: the rule finds nothing wrong with it, and it has holes:
from itertools import combinations
from math import gcd

def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))

def hole(rates):
    seen = {0}
    for r in rates:
        seen = {s + d for s in seen for d in (-r, 0, r)}
    return len(seen) < 2 * sum(rates) + 1

def find_lies(stacks):
    missed, alarms = [], []
    for s in stacks:
        if no_common_factor(s) and hole(s) and not missed:
            missed.append(s)
        if not no_common_factor(s) and not hole(s) and not alarms:
            alarms.append(s)
    return missed, alarms

# %% wrong find_lies: a single rate has no hole
# fails: rates in any order, single layers
# says: the rule finds nothing wrong with it, and it has holes:
from itertools import combinations
from math import gcd

def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))

def hole(rates):
    seen = {0}
    for r in rates:
        seen = {s + d for s in seen for d in (-r, 0, r)}
    return len(rates) > 1 and len(seen) < 2 * sum(rates) + 1

def find_lies(stacks):
    return ([s for s in stacks if no_common_factor(s) and hole(s)],
            [s for s in stacks if not no_common_factor(s) and not hole(s)])

# %% wrong find_lies: sorts the rates of each stack
# fails: holes that the rule misses; false alarms; rates in any order, single layers
# says: holds the right stacks with their rates sorted
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

        if no_common_factor(rates) != whole:
            (alarms if whole else missed).append(sorted(rates))
    return missed, alarms

# %% wrong find_lies: drops repeated stacks
# fails: holes that the rule misses; false alarms
# says: a stack that comes twice should be in
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

        if no_common_factor(rates) != whole:
            chosen = alarms if whole else missed
            if rates not in chosen:
                chosen.append(rates)
    return missed, alarms

# %% wrong find_lies: takes 'holds a rate of 1' for 'has no holes'
# fails: holes that the rule misses; false alarms; rates in any order, single layers
# says: A layer of rate 1 does not make a stack whole
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

        whole = 1 in rates
        if no_common_factor(rates) != whole:
            (alarms if whole else missed).append(rates)
    return missed, alarms

# %% wrong find_lies: looks at neighbouring rates only for a common factor
# fails: holes that the rule misses; false alarms; rates in any order, single layers
# says: Only neighbours are looked at for a common factor
from math import gcd

from course_lib import models


def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in zip(rates, rates[1:]))


def find_lies(stacks):
    missed, alarms = [], []
    for rates in stacks:
        whole = bool(models.paths(rates).all())
        if no_common_factor(rates) != whole:
            (alarms if whole else missed).append(rates)
    return missed, alarms

# %% wrong find_lies: tests the holes with the rates in the given order: each rate at most the sum of those before plus 1
# fails: holes that the rule misses; false alarms; rates in any order, single layers
# says: The order of the layers does not matter
from itertools import combinations
from math import gcd


def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))


def find_lies(stacks):
    missed, alarms = [], []
    for rates in stacks:
        whole = all(r <= 2 * sum(rates[:i]) + 1 for i, r in enumerate(rates))
        if no_common_factor(rates) != whole:
            (alarms if whole else missed).append(rates)
    return missed, alarms

# %% wrong find_lies: what is not missed is an alarm
# fails: false alarms
# says: `alarms` holds every stack that is not in `missed`.
from itertools import combinations
from math import gcd


def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))


def find_lies(stacks):
    missed, alarms = [], []
    for rates in stacks:
        whole = bool(models.paths(rates).all())
        if no_common_factor(rates) and not whole: missed.append(rates)
        else: alarms.append(rates)
    return missed, alarms

# %% wrong find_lies: both kinds in one list
# fails: holes that the rule misses; false alarms; rates in any order, single layers
# says: `missed` holds the lies of both kinds:
from itertools import combinations
from math import gcd


def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))


def find_lies(stacks):
    missed, alarms = [], []
    for rates in stacks:
        whole = bool(models.paths(rates).all())
        if no_common_factor(rates) != whole: missed.append(rates)
    return missed, alarms

# %% wrong find_lies: extends by the rates
# fails: holes that the rule misses; false alarms; rates in any order, single layers
# says: `missed` should hold stacks, which are lists of rates;
from itertools import combinations
from math import gcd


def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))


def find_lies(stacks):
    missed, alarms = [], []
    for rates in stacks:
        whole = bool(models.paths(rates).all())
        if no_common_factor(rates) and not whole: missed.extend(rates)
        if whole and not no_common_factor(rates): alarms.extend(rates)
    return missed, alarms

# %% wrong find_lies: return inside the loop
# fails: holes that the rule misses; false alarms; rates in any order, single layers
# says: Does `return` stand inside the loop?
from itertools import combinations
from math import gcd


def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))


def find_lies(stacks):
    missed, alarms = [], []
    for rates in stacks:
        whole = bool(models.paths(rates).all())
        if no_common_factor(rates) and not whole: missed.append(rates)
        if whole and not no_common_factor(rates): alarms.append(rates)
        return missed, alarms

# %% right schedule: as large as the rule allows, leaving one for each layer to come
def schedule(layers, field):
    left, rates = (field - 1) // 2, []
    for to_come in range(layers - 1, -1, -1):
        rates.append(min(2 * sum(rates) + 1, left - to_come))
        left -= rates[-1]
    return rates

# %% right schedule: from the largest down
def schedule(layers, field):
    total = (field - 1) // 2
    if layers == 1:
        return [total]
    last = min((2 * total + 1) // 3, total - layers + 1)
    return schedule(layers - 1, field - 2 * last) + [last]

# %% right schedule: search with backtracking, small rates first
def schedule(layers, field):
    def search(rates, total):
        if len(rates) == layers:
            return rates if 2 * total + 1 == field else None
        if total * 2 + 1 > field or (2 * total + 1) * 3 ** (layers - len(rates)) < field:
            return None
        for r in range(rates[-1] if rates else 1, 2 * total + 2):
            found = search(rates + [r], total + r)
            if found:
                return found
    return search([], 0)

# %% right schedule: starts at all ones, raises rates from the last on
def schedule(layers, field):
    rates = [1] * layers
    missing = (field - 1) // 2 - layers
    while missing:
        for i in range(layers):
            if missing and rates[i] < 2 * sum(rates[:i]) + 1:
                rates[i] += 1
                missing -= 1
    return rates

# %% right schedule: starts at powers of three, lowers, returned largest first
def schedule(layers, field):
    rates = [3 ** i for i in range(layers)]
    spare = sum(rates) - (field - 1) // 2
    for i in range(layers - 1, -1, -1):
        cut = min(spare, rates[i] - 1)
        rates[i] -= cut
        spare -= cut
    return rates[::-1]

# %% wrong schedule: powers of three, whatever the field
# fails: rates that add up to the field; no holes; the widest and the narrowest field
# says: the rates [1, 3, 9] add up to a field of 27.
def schedule(layers, field):
    return [3 ** i for i in range(layers)]

# %% wrong schedule: ones, and the last layer takes the rest
# fails: no holes; the widest and the narrowest field
# says: The rates below 18 add up to 3, so that 18 is more than 2·3 + 1.
def schedule(layers, field):
    total = (field - 1) // 2
    return [1] * (layers - 1) + [total - layers + 1]

# %% wrong schedule: equal rates
# fails: no holes; the widest and the narrowest field
# says: The rates below 5 add up to 0, so that 5 is more than 2·0 + 1.
def schedule(layers, field):
    total = (field - 1) // 2
    return [total // layers + (i < total % layers) for i in range(layers)]

# %% wrong schedule: each at most the sum of the smaller ones plus one
# fails: rates that add up to the field; no holes; the widest and the narrowest field
# says: the rates [1, 2, 4] add up to a field of 15.
# differs at: (2, 9)
def schedule(layers, field):
    left, rates = (field - 1) // 2, []
    for to_come in range(layers - 1, -1, -1):
        rates.append(min(sum(rates) + 1, left - to_come))
        left -= rates[-1]
    return rates

# %% wrong schedule: each at most twice the sum of the smaller ones plus two
# fails: no holes; the widest and the narrowest field
# says: The rates below 4 add up to 1, so that 4 is more than 2·1 + 1.
def schedule(layers, field):
    left, rates = (field - 1) // 2, []
    for to_come in range(layers - 1, -1, -1):
        rates.append(min(2 * sum(rates) + (2 if rates else 1), left - to_come))
        left -= rates[-1]
    return rates

# %% wrong schedule: fills up with rate 0
# fails: rates that add up to the field; the widest and the narrowest field
# says: rates are whole numbers (`int`) of at least 1, got [1, 3, 2, 0, 0, 0].
def schedule(layers, field):
    left, rates = (field - 1) // 2, []
    for _ in range(layers):
        rates.append(min(2 * sum(rates) + 1, left))
        left -= rates[-1]
    return rates

# %% wrong schedule: stops when the field is reached, with too few layers
# fails: rates that add up to the field; the widest and the narrowest field
# says: [1, 3, 2].
def schedule(layers, field):
    left, rates = (field - 1) // 2, []
    while left:
        rates.append(min(2 * sum(rates) + 1, left))
        left -= rates[-1]
    return rates

# %% wrong schedule: powers of three, and the last layer takes the rest
# fails: rates that add up to the field; the widest and the narrowest field
# says: rates are whole numbers (`int`) of at least 1, got [1, 3, 9, 27, 81, -115].
def schedule(layers, field):
    rates = [3 ** i for i in range(layers - 1)]
    return rates + [(field - 1) // 2 - sum(rates)]

# %% wrong schedule: powers of two, and the last layer takes the rest
# fails: rates that add up to the field; no holes; the widest and the narrowest field
# says: The rates below 8 add up to 3, so that 8 is more than 2·3 + 1.
def schedule(layers, field):
    rates = [2 ** i for i in range(layers - 1)]
    return rates + [(field - 1) // 2 - sum(rates)]

# %% wrong schedule: the limit is S + 1 (no doubling)
# fails: rates that add up to the field; no holes; the widest and the narrowest field
# says: A rate may be up to *twice* the sum
def schedule(layers, field):
    """A list of `layers` rates whose stack has exactly this field and no hole."""
    left, rates = (field - 1) // 2, []
    for later in reversed(range(layers)):  # layers − 1, …, 1, 0

        rate = min(sum(rates) + 1, left - later)
        rates.append(rate)
        left -= rate

    return rates

# %% wrong schedule: left is never reduced
# fails: rates that add up to the field; no holes; the widest and the narrowest field
# says: What a layer takes has to come off `left`
def schedule(layers, field):
    """A list of `layers` rates whose stack has exactly this field and no hole."""
    left, rates = (field - 1) // 2, []
    for later in reversed(range(layers)):  # layers − 1, …, 1, 0

        rates.append(min(2 * sum(rates) + 1, left - later))

    return rates

# %% wrong schedule: leaves nothing for later layers
# fails: rates that add up to the field; the widest and the narrowest field
# says: Leave at least 1 for each later layer.
def schedule(layers, field):
    left, rates = (field - 1) // 2, []
    for later in reversed(range(layers)):
        rates.append(min(2*sum(rates)+1, left)); left -= rates[-1]
    return rates

# %% wrong schedule: twice the sum, without plus 1
# fails: rates that add up to the field; no holes; the widest and the narrowest field
# says: twice the sum of those before it, *plus 1*.
def schedule(layers, field):
    left, rates = (field - 1) // 2, []
    for later in reversed(range(layers)):
        rates.append(max(1,min(2*sum(rates), left-later))); left -= rates[-1]
    return rates

# %% wrong schedule: the larger of the two
# fails: rates that add up to the field; no holes; the widest and the narrowest field
# says: Take the *smaller* of the two:
def schedule(layers, field):
    left, rates = (field - 1) // 2, []
    for later in reversed(range(layers)):
        rates.append(max(2*sum(rates)+1, left-later)); left -= rates[-1]
    return rates

# %% wrong schedule: the whole field is to be made
# fails: rates that add up to the field; no holes; the widest and the narrowest field
# says: Your rates add up to the field;
def schedule(layers, field):
    left, rates = field, []
    for later in reversed(range(layers)):
        rates.append(min(2*sum(rates)+1, left-later)); left -= rates[-1]
    return rates

# %% right trade_stride: a deep copy, settings of the layers changed
import copy

def trade_stride(net, output_stride):
    net = copy.deepcopy(net)
    product, taken = 1, 1
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            k, s = layer.kernel_size[0], layer.stride[0]
            layer.dilation = (taken, taken)
            layer.padding = (taken * (k - 1) // 2,) * 2
            if product * s <= output_stride:
                product *= s
            else:
                layer.stride = (1, 1)
                taken *= s
    return net

# %% right trade_stride: new layers, weights loaded
import copy

def trade_stride(net, output_stride):
    layers, product, f = [], 1, 1
    for old in net:
        if not isinstance(old, nn.Conv2d):
            layers.append(copy.deepcopy(old))
            continue
        s, k = old.stride[0], old.kernel_size[0]
        keep = product < output_stride
        new = nn.Conv2d(old.in_channels, old.out_channels, k, s if keep else 1, padding=f * (k // 2), dilation=f,
                        bias=old.bias is not None)
        new.load_state_dict(old.state_dict())
        layers.append(new)
        product, f = (product * s, f) if keep else (product, f * s)
    return nn.Sequential(*layers)

# %% right trade_stride: a module of its own that computes with F.conv2d
import copy

class Traded(nn.Module):
    def __init__(self, net, output_stride):
        super().__init__()
        self.layers = nn.ModuleList(copy.deepcopy(layer) for layer in net)
        self.output_stride = output_stride

    def forward(self, x):
        now, gone = 1, 1
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                s, k = layer.stride[0], layer.kernel_size[0]
                take = now == self.output_stride and s > 1
                x = F.conv2d(x, layer.weight, layer.bias, 1 if take else s, gone * (k // 2), gone)
                now, gone = (now, gone * s) if take else (now * s, gone)
            else:
                x = layer(x)
        return x

def trade_stride(net, output_stride):
    return Traded(net, output_stride)

# %% right trade_stride: recursion over the list of layers
import copy

def rest(layers, stay, f):
    if not layers:
        return []
    layer = copy.deepcopy(layers[0])
    if isinstance(layer, nn.Conv2d):
        layer.padding = tuple(f * p for p in layer.padding)
        layer.dilation = (f, f)
        if layer.stride == (2, 2):
            if stay > 1:
                stay //= 2
            else:
                layer.stride, f = (1, 1), 2 * f
    return [layer] + rest(layers[1:], stay, f)

def trade_stride(net, output_stride):
    return nn.Sequential(*rest(list(net), output_stride, 1))

# %% right trade_stride: strides first as a table, then the layers; ends in evaluation mode
from copy import deepcopy

def trade_stride(net, output_stride):
    new = deepcopy(net).eval()
    convs = [m for m in new if isinstance(m, nn.Conv2d)]
    before = [1]
    for m in convs:
        before.append(before[-1] * m.stride[0])
    for m, b, after in zip(convs, before, before[1:]):
        d = max(1, b // output_stride)
        m.dilation = (d, d)
        m.padding = (d * (m.kernel_size[0] // 2),) * 2
        if after > output_stride:
            m.stride = (1, 1)
    return new

# %% wrong trade_stride: dilates the layer that lost its stride too
# fails: the old map, at every second (fourth, …) place; the cells between, and nothing but the weights given; other kernels and batch normalisation
# says: It reads the same map as before, so its own taps stay where they were;
import copy

def trade_stride(net, output_stride):
    net = copy.deepcopy(net)
    product, f = 1, 1
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            k, s = layer.kernel_size[0], layer.stride[0]
            if product * s <= output_stride:
                product *= s
            else:
                layer.stride = (1, 1)
                f *= s
            layer.dilation = (f, f)
            layer.padding = (f * (k - 1) // 2,) * 2
    return net

# %% wrong trade_stride: an untouched copy
# fails: the size of every map; the old map, at every second (fourth, …) place; the cells between, and nothing but the weights given; other kernels and batch normalisation; the net given stays as it was
# says: The map has the size that it had.
import copy

def trade_stride(net, output_stride):
    return copy.deepcopy(net)

# %% wrong trade_stride: takes the strides away and dilates nothing
# fails: the old map, at every second (fourth, …) place; the cells between, and nothing but the weights given; other kernels and batch normalisation
# says: later layers now see a smaller part of the picture than they learned on.
import copy

def trade_stride(net, output_stride):
    net = copy.deepcopy(net)
    product = 1
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            if product >= output_stride:
                layer.stride = (1, 1)
            product *= layer.stride[0]
    return net

# %% wrong trade_stride: forgets the padding
# fails: the size of every map; the old map, at every second (fourth, …) place; the cells between, and nothing but the weights given; other kernels and batch normalisation
# says: A k × k layer of dilation r keeps the size with a padding of r·(k − 1)/2.
import copy

def trade_stride(net, output_stride):
    net = copy.deepcopy(net)
    product, f = 1, 1
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            s = layer.stride[0]
            layer.dilation = (f, f)
            if product * s <= output_stride:
                product *= s
            else:
                layer.stride = (1, 1)
                f *= s
    return net

# %% wrong trade_stride: pads by the dilation, which suits k = 3 only
# fails: other kernels and batch normalisation
# says: A k × k layer of dilation r keeps the size
import copy

def trade_stride(net, output_stride):
    net = copy.deepcopy(net)
    product, f = 1, 1
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            s = layer.stride[0]
            layer.dilation = (f, f)
            layer.padding = (f, f)
            if product * s <= output_stride:
                product *= s
            else:
                layer.stride = (1, 1)
                f *= s
    return net

# %% wrong trade_stride: dilation 2, however many strides are gone
# fails: the old map, at every second (fourth, …) place; the cells between, and nothing but the weights given; other kernels and batch normalisation
# says: Each further stride that is lost makes the map twice as fine again:
import copy

def trade_stride(net, output_stride):
    net = copy.deepcopy(net)
    product, f = 1, 1
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            k, s = layer.kernel_size[0], layer.stride[0]
            layer.dilation = (f, f)
            layer.padding = (f * (k - 1) // 2,) * 2
            if product * s <= output_stride:
                product *= s
            else:
                layer.stride = (1, 1)
                f = 2
    return net

# %% wrong trade_stride: takes the first strides away and keeps the last
# fails: the size of every map
# says: Keep the first strides and take the later ones away.
import copy

def trade_stride(net, output_stride):
    net = copy.deepcopy(net)
    convs = [m for m in net if isinstance(m, nn.Conv2d)]
    total = 1
    for m in convs:
        total *= m.stride[0]
    gone, f = total // output_stride, 1
    for m in convs:
        s, k = m.stride[0], m.kernel_size[0]
        m.dilation, m.padding = (f, f), (f * (k // 2),) * 2
        if f < gone and s == 2:
            m.stride = (1, 1)
            f *= 2
    return net

# %% wrong trade_stride: changes the net itself
# fails: the net given stays as it was
# says: The net that was given has other strides, paddings or dilations now.
def trade_stride(net, output_stride):
    product, f = 1, 1
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            k, s = layer.kernel_size[0], layer.stride[0]
            layer.dilation = (f, f)
            layer.padding = (f * (k - 1) // 2,) * 2
            if product * s <= output_stride:
                product *= s
            else:
                layer.stride = (1, 1)
                f *= s
    return net

# %% wrong trade_stride: copies the kernels and forgets the biases
# fails: the old map, at every second (fourth, …) place; the cells between, and nothing but the weights given; other kernels and batch normalisation
# says: The biases of the net given are not in the new one;
import copy

def trade_stride(net, output_stride):
    layers, product, f = [], 1, 1
    for old in net:
        if isinstance(old, nn.Conv2d):
            s, k = old.stride[0], old.kernel_size[0]
            keep = product * s <= output_stride
            new = nn.Conv2d(old.in_channels, old.out_channels, k, s if keep else 1, f * (k // 2), f, bias=False)
            new.weight.data = old.weight.data.clone()
            layers.append(new)
            product, f = (product * s, f) if keep else (product, f * s)
        else:
            layers.append(copy.deepcopy(old))
    return nn.Sequential(*layers)

# %% wrong trade_stride: parameters copied, running means and variances not
# fails: other kernels and batch normalisation
# says: The running means and variances of the normalisation of the net given are not in the new one;
def trade_stride(net, output_stride):
    layers, product, f = [], 1, 1
    for old in net:
        if isinstance(old, nn.Conv2d):
            s, k = old.stride[0], old.kernel_size[0]
            keep = product * s <= output_stride
            layers.append(nn.Conv2d(old.in_channels, old.out_channels, k, s if keep else 1, f * (k // 2), f,
                                    bias=old.bias is not None))
            product, f = (product * s, f) if keep else (product, f * s)
        elif isinstance(old, nn.BatchNorm2d):
            layers.append(nn.BatchNorm2d(old.num_features))
        else:
            layers.append(nn.ReLU())
    new = nn.Sequential(*layers)
    for a, b in zip(new.parameters(), net.parameters()):
        a.data = b.data.clone()
    return new.eval()

# %% wrong trade_stride: keeps one stride too many
# fails: the size of every map; the old map, at every second (fourth, …) place; the cells between, and nothing but the weights given; other kernels and batch normalisation
# says: One stride too many stays
import copy

def trade_stride(net, output_stride):
    net = copy.deepcopy(net)
    product, f = 1, 1
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            k, s = layer.kernel_size[0], layer.stride[0]
            layer.dilation = (f, f)
            layer.padding = (f * (k - 1) // 2,) * 2
            if product <= output_stride:
                product *= s
            else:
                layer.stride = (1, 1)
                f *= s
    return net

# %% wrong trade_stride: dilates the 3 × 3 layers alone
# fails: other kernels and batch normalisation
# says: Only the 3 × 3 layers are dilated;
import copy

def trade_stride(net, output_stride):
    net = copy.deepcopy(net)
    product, f = 1, 1
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            s = layer.stride[0]
            if layer.kernel_size == (3, 3):
                layer.dilation = layer.padding = (f, f)
            if product * s <= output_stride:
                product *= s
            else:
                layer.stride = (1, 1)
                f *= s
    return net

# %% wrong trade_stride: the library's own, behind a layer that makes up the stride it asks for
# fails: the size of every map; the old map, at every second (fourth, …) place; the cells between, and nothing but the weights given; other kernels and batch normalisation; the net given stays as it was
# says: it is a walk through the layers with two numbers.
def trade_stride(net, output_stride):
    front = nn.Conv2d(3, 2, 3, stride=8 // output_stride)
    return models.dilate(nn.Sequential(front, *net), 8)[1:]

# %% wrong trade_stride: dilates only the next layer, then goes back to 1
# fails: the old map, at every second (fourth, …) place; the cells between, and nothing but the weights given; other kernels and batch normalisation
# says: Only the next layer is dilated; every later one must be, too.
import copy


def trade_stride(net, output_stride):
    """A copy of an nn.Sequential whose strides beyond output_stride have become dilation; same weights."""
    net = copy.deepcopy(net)
    reached, finer = 1, 1  # both of the map that the next layer reads
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            stride = layer.stride[0]  # layer.stride and layer.dilation are pairs: (2, 2)

            layer.dilation = (finer, finer)
            finer = 1
            if reached < output_stride:
                reached *= stride
            else:
                layer.stride = (1, 1)
                finer = stride

            layer.padding = tuple(r * (k - 1) // 2 for r, k in zip(layer.dilation, layer.kernel_size))
    return net

# %% wrong trade_stride: padding = dilation: right for 3 × 3 only
# fails: other kernels and batch normalisation
# says: A k × k layer of dilation r keeps the size
import copy


def trade_stride(net, output_stride):
    net = copy.deepcopy(net)
    reached, finer = 1, 1
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            stride = layer.stride[0]
            layer.dilation = layer.padding = (finer, finer)
            if reached < output_stride:
                reached *= stride
            else:
                layer.stride = (1, 1)
                finer *= stride
    return net

# %% wrong trade_stride: the stride as the dilation
# fails: the old map, at every second (fourth, …) place; the cells between, and nothing but the weights given; other kernels and batch normalisation
# says: The dilation is the stride that the layer had.
import copy


def trade_stride(net, output_stride):
    net = copy.deepcopy(net)
    reached, finer = 1, 1
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            stride = layer.stride[0]
            layer.dilation = (stride, stride)
            if reached == output_stride:
                layer.stride = (1, 1)
                finer *= stride
            else:
                reached *= stride
            layer.padding = tuple(r * (k - 1) // 2 for r, k in zip(layer.dilation, layer.kernel_size))
    return net

# %% wrong trade_stride: adds the strides up
# fails: the old map, at every second (fourth, …) place; the cells between, and nothing but the weights given; other kernels and batch normalisation
# says: The dilation grows by the stride of each later layer;
import copy


def trade_stride(net, output_stride):
    net = copy.deepcopy(net)
    reached, finer = 1, 1
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            stride = layer.stride[0]
            layer.dilation = (finer, finer)
            if reached == output_stride:
                layer.stride = (1, 1)
                finer += stride
            else:
                reached *= stride
            layer.padding = tuple(r * (k - 1) // 2 for r, k in zip(layer.dilation, layer.kernel_size))
    return net

# %% wrong trade_stride: dilates the rows alone
# fails: the old map, at every second (fourth, …) place; the cells between, and nothing but the weights given; other kernels and batch normalisation
# says: Only the rows move apart:
import copy


def trade_stride(net, output_stride):
    net = copy.deepcopy(net)
    reached, finer = 1, 1
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            stride = layer.stride[0]
            layer.dilation = (finer, 1)
            if reached == output_stride:
                layer.stride = (1, 1)
                finer *= stride
            else:
                reached *= stride
            layer.padding = tuple(r * (k - 1) // 2 for r, k in zip(layer.dilation, layer.kernel_size))
    return net

# %% wrong trade_stride: takes all strides away
# fails: the size of every map; the old map, at every second (fourth, …) place; the cells between, and nothing but the weights given; other kernels and batch normalisation
# says: Every stride is taken away
import copy


def trade_stride(net, output_stride):
    net = copy.deepcopy(net)
    reached, finer = 1, 1
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            stride = layer.stride[0]
            layer.dilation = (finer, finer)
            if True:
                layer.stride = (1, 1)
                finer *= stride
            else:
                reached *= stride
            layer.padding = tuple(r * (k - 1) // 2 for r, k in zip(layer.dilation, layer.kernel_size))
    return net

# %% right build_aspp: a list of branches
class Pyramid(nn.Module):
    def __init__(self, channels, width, rates):
        super().__init__()
        def branch(k, r):
            return nn.Sequential(nn.Conv2d(channels, width, k, padding=r if k == 3 else 0, dilation=r, bias=False),
                                 nn.BatchNorm2d(width), nn.ReLU())
        self.branches = nn.ModuleList([branch(1, 1)] + [branch(3, r) for r in rates])
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, width, 1), nn.ReLU())
        self.mix = nn.Conv2d(5 * width, width, 1)

    def forward(self, x):
        parts = [b(x) for b in self.branches]
        parts.append(self.pool(x).expand_as(parts[0]))
        return self.mix(torch.cat(parts, dim=1))

def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, [r // stride for r in reaches])

# %% right build_aspp: every layer by name, interpolate spreads the average
class Pyramid(nn.Module):
    def __init__(self, channels, width, rates):
        super().__init__()
        a, b, c = rates
        self.one = nn.Conv2d(channels, width, 1)
        self.a = nn.Conv2d(channels, width, 3, padding=a, dilation=a)
        self.b = nn.Conv2d(channels, width, 3, padding=b, dilation=b)
        self.c = nn.Conv2d(channels, width, 3, padding=c, dilation=c)
        self.average = nn.Conv2d(channels, width, 1)
        self.mix = nn.Conv2d(5 * width, width, 1)
        self.n1, self.n2, self.n3, self.n4 = (nn.BatchNorm2d(width) for _ in range(4))

    def forward(self, x):
        mean = F.relu(self.average(x.mean((2, 3), keepdim=True)))
        mean = F.interpolate(mean, x.shape[2:], mode="bilinear")
        return self.mix(torch.cat((F.relu(self.n1(self.one(x))), F.relu(self.n2(self.a(x))), F.relu(self.n3(self.b(x))),
                                   F.relu(self.n4(self.c(x))), mean), 1))

def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, [int(r / stride) for r in reaches])

# %% right build_aspp: mixed by five slices of a weight-sharing sum, the mix defined first
class Pyramid(nn.Module):
    def __init__(self, channels, width, rates):
        super().__init__()
        self.mix = nn.Conv2d(5 * width, width, 1)
        self.pooled = nn.Conv2d(channels, width, 1, bias=False)
        self.convs = nn.ModuleList()
        self.norms = nn.ModuleList()
        for r in [0, *rates]:
            self.convs.append(nn.Conv2d(channels, width, 3 if r else 1, padding=r, dilation=max(r, 1), bias=False))
            self.norms.append(nn.BatchNorm2d(width))

    def forward(self, x):
        out = [norm(conv(x)).clamp(min=0) for conv, norm in zip(self.convs, self.norms)]
        mean = F.adaptive_avg_pool2d(x, 1)
        out.append(self.pooled(mean).clamp(min=0) + torch.zeros_like(out[0]))
        return self.mix(torch.cat(out, 1))

def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, [r // stride for r in reaches])

# %% right build_aspp: a dictionary of branches, the average over a spread map
class Pyramid(nn.Module):
    def __init__(self, channels, width, rates):
        super().__init__()
        self.parts = nn.ModuleDict({"0": nn.Sequential(nn.Conv2d(channels, width, 1), nn.BatchNorm2d(width), nn.ReLU())})
        for i, r in enumerate(rates, 1):
            conv = nn.Conv2d(channels, width, (3, 3), padding="same", dilation=r)
            self.parts[str(i)] = nn.Sequential(conv, nn.BatchNorm2d(width), nn.ReLU(inplace=True))
        self.last = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU())
        self.out = nn.Conv2d(width * 5, width, 1, bias=False)

    def forward(self, x):
        parts = [part(x) for part in self.parts.values()]
        spread = x.mean(dim=(-2, -1), keepdim=True).expand(-1, -1, *x.shape[2:])
        return self.out(torch.cat([*parts, self.last(spread)], dim=1))

def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, [r // stride for r in reaches])

# %% wrong build_aspp: takes the reaches for rates
# fails: three rates, in cells
# says: The rate is 16 cells here, which is the reach in pixels;
class Pyramid(nn.Module):
    def __init__(self, channels, width, rates):
        super().__init__()
        def branch(k, r):
            return nn.Sequential(nn.Conv2d(channels, width, k, padding=r * (k // 2), dilation=r), nn.BatchNorm2d(width), nn.ReLU())
        self.branches = nn.ModuleList([branch(1, 1)] + [branch(3, r) for r in rates])
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, width, 1), nn.ReLU())
        self.mix = nn.Conv2d(5 * width, width, 1)

    def forward(self, x):
        parts = [b(x) for b in self.branches]
        return self.mix(torch.cat([*parts, self.pool(x).expand_as(parts[0])], dim=1))

def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, reaches)

# %% wrong build_aspp: batch normalisation on the average
# fails: (B, width, H, W), for a map of any size; batch normalisation and ReLU in the branches, nothing after the mixing
# says: Expected more than 1 value per channel when training, got input size torch.Size([1, 4, 1, 1]).
class Pyramid(nn.Module):
    def __init__(self, channels, width, rates):
        super().__init__()
        def branch(k, r):
            return nn.Sequential(nn.Conv2d(channels, width, k, padding=r * (k // 2), dilation=r), nn.BatchNorm2d(width), nn.ReLU())
        self.branches = nn.ModuleList([branch(1, 1)] + [branch(3, r) for r in rates])
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, width, 1), nn.BatchNorm2d(width), nn.ReLU())
        self.mix = nn.Conv2d(5 * width, width, 1)

    def forward(self, x):
        parts = [b(x) for b in self.branches]
        return self.mix(torch.cat([*parts, self.pool(x).expand_as(parts[0])], dim=1))

def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, [r // stride for r in reaches])

# %% wrong build_aspp: no batch normalisation
# fails: batch normalisation and ReLU in the branches, nothing after the mixing
# says: in training, a map with values ten times as large makes the 1 × 1 branch put out other values.
class Pyramid(nn.Module):
    def __init__(self, channels, width, rates):
        super().__init__()
        def branch(k, r):
            return nn.Sequential(nn.Conv2d(channels, width, k, padding=r * (k // 2), dilation=r), nn.ReLU())
        self.branches = nn.ModuleList([branch(1, 1)] + [branch(3, r) for r in rates])
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, width, 1), nn.ReLU())
        self.mix = nn.Conv2d(5 * width, width, 1)

    def forward(self, x):
        parts = [b(x) for b in self.branches]
        return self.mix(torch.cat([*parts, self.pool(x).expand_as(parts[0])], dim=1))

def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, [r // stride for r in reaches])

# %% wrong build_aspp: no ReLU, so that the pyramid is one straight line
# fails: batch normalisation and ReLU in the branches, nothing after the mixing
# says: A ReLU, last in each branch, would cut them off;
class Pyramid(nn.Module):
    def __init__(self, channels, width, rates):
        super().__init__()
        def branch(k, r):
            return nn.Sequential(nn.Conv2d(channels, width, k, padding=r * (k // 2), dilation=r), nn.BatchNorm2d(width))
        self.branches = nn.ModuleList([branch(1, 1)] + [branch(3, r) for r in rates])
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, width, 1))
        self.mix = nn.Conv2d(5 * width, width, 1)

    def forward(self, x):
        parts = [b(x) for b in self.branches]
        return self.mix(torch.cat([*parts, self.pool(x).expand_as(parts[0])], dim=1))

def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, [r // stride for r in reaches])

# %% wrong build_aspp: ReLU before batch normalisation
# fails: batch normalisation and ReLU in the branches, nothing after the mixing
# says: A ReLU, last in each branch, would cut them off;
class Pyramid(nn.Module):
    def __init__(self, channels, width, rates):
        super().__init__()
        def branch(k, r):
            return nn.Sequential(nn.Conv2d(channels, width, k, padding=r * (k // 2), dilation=r), nn.ReLU(), nn.BatchNorm2d(width))
        self.branches = nn.ModuleList([branch(1, 1)] + [branch(3, r) for r in rates])
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, width, 1), nn.ReLU())
        self.mix = nn.Conv2d(5 * width, width, 1)

    def forward(self, x):
        parts = [b(x) for b in self.branches]
        return self.mix(torch.cat([*parts, self.pool(x).expand_as(parts[0])], dim=1))

def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, [r // stride for r in reaches])

# %% wrong build_aspp: the average comes first
# fails: the 1 × 1 branch and the average of the map; three rates, in cells; batch normalisation and ReLU in the branches, nothing after the mixing
# says: check the order of concatenation.
class Pyramid(nn.Module):
    def __init__(self, channels, width, rates):
        super().__init__()
        def branch(k, r):
            return nn.Sequential(nn.Conv2d(channels, width, k, padding=r * (k // 2), dilation=r), nn.BatchNorm2d(width), nn.ReLU())
        self.branches = nn.ModuleList([branch(1, 1)] + [branch(3, r) for r in rates])
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, width, 1), nn.ReLU())
        self.mix = nn.Conv2d(5 * width, width, 1)

    def forward(self, x):
        parts = [b(x) for b in self.branches]
        return self.mix(torch.cat([self.pool(x).expand_as(parts[0]), *parts], dim=1))

def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, [r // stride for r in reaches])

# %% wrong build_aspp: normalisation and ReLU after the mix, as in the paper
# fails: batch normalisation and ReLU in the branches, nothing after the mixing
# says: in training, weights −2 times as large in the mixing convolution don't give −2 times the output.
class Pyramid(nn.Module):
    def __init__(self, channels, width, rates):
        super().__init__()
        def branch(k, r):
            return nn.Sequential(nn.Conv2d(channels, width, k, padding=r * (k // 2), dilation=r), nn.BatchNorm2d(width), nn.ReLU())
        self.branches = nn.ModuleList([branch(1, 1)] + [branch(3, r) for r in rates])
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, width, 1), nn.ReLU())
        self.mix = nn.Sequential(nn.Conv2d(5 * width, width, 1), nn.BatchNorm2d(width), nn.ReLU())

    def forward(self, x):
        parts = [b(x) for b in self.branches]
        return self.mix(torch.cat([*parts, self.pool(x).expand_as(parts[0])], dim=1))

def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, [r // stride for r in reaches])

# %% wrong build_aspp: the largest value instead of the average
# fails: the 1 × 1 branch and the average of the map
# says: This takes the largest value of the map;
class Pyramid(nn.Module):
    def __init__(self, channels, width, rates):
        super().__init__()
        def branch(k, r):
            return nn.Sequential(nn.Conv2d(channels, width, k, padding=r * (k // 2), dilation=r), nn.BatchNorm2d(width), nn.ReLU())
        self.branches = nn.ModuleList([branch(1, 1)] + [branch(3, r) for r in rates])
        self.pool = nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Conv2d(channels, width, 1), nn.ReLU())
        self.mix = nn.Conv2d(5 * width, width, 1)

    def forward(self, x):
        parts = [b(x) for b in self.branches]
        return self.mix(torch.cat([*parts, self.pool(x).expand_as(parts[0])], dim=1))

def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, [r // stride for r in reaches])

# %% wrong build_aspp: dropout at the end
# fails: batch normalisation and ReLU in the branches, nothing after the mixing
# says: There is nothing random in this module, and this branch has no normalisation.
class Pyramid(nn.Module):
    def __init__(self, channels, width, rates):
        super().__init__()
        def branch(k, r):
            return nn.Sequential(nn.Conv2d(channels, width, k, padding=r * (k // 2), dilation=r), nn.BatchNorm2d(width), nn.ReLU())
        self.branches = nn.ModuleList([branch(1, 1)] + [branch(3, r) for r in rates])
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, width, 1), nn.ReLU())
        self.mix = nn.Sequential(nn.Conv2d(5 * width, width, 1), nn.Dropout(0.5))

    def forward(self, x):
        parts = [b(x) for b in self.branches]
        return self.mix(torch.cat([*parts, self.pool(x).expand_as(parts[0])], dim=1))

def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, [r // stride for r in reaches])

# %% wrong build_aspp: the branches share one batch normalisation
# fails: batch normalisation and ReLU in the branches, nothing after the mixing
# says: there are 1 batch normalisations for four branches.
class Pyramid(nn.Module):
    def __init__(self, channels, width, rates):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(channels, width, 1)] + [nn.Conv2d(channels, width, 3, padding=r, dilation=r) for r in rates])
        self.norm = nn.BatchNorm2d(width)
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, width, 1), nn.ReLU())
        self.mix = nn.Conv2d(5 * width, width, 1)

    def forward(self, x):
        parts = [self.norm(conv(x)).relu() for conv in self.convs]
        return self.mix(torch.cat([*parts, self.pool(x).expand_as(parts[0])], dim=1))

def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, [r // stride for r in reaches])

# %% wrong build_aspp: the three rates run without gradients
# fails: every weight learns
# says: Fewer than six convolutions learn.
def conv_norm_relu(inputs, outputs, kernel, rate=1):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=rate * (kernel // 2), dilation=rate)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())

class Pyramid(nn.Module):
    def __init__(self, channels, width, reaches, stride):
        super().__init__()
        self.near = conv_norm_relu(channels, width, 1)
        self.overall = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU())
        self.mix = nn.Conv2d(5 * width, width, 1)
        self.far = nn.ModuleList([conv_norm_relu(channels, width, 3, reach // stride) for reach in reaches])

    @torch.no_grad()
    def wide(self, x):
        return [read(x) for read in self.far]

    def forward(self, x):
        branches = [self.near(x), *self.wide(x)]
        branches.append(self.overall(x.mean((2, 3), keepdim=True)).expand_as(branches[0]))
        return self.mix(torch.cat(branches, dim=1))

def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, reaches, stride)

# %% wrong build_aspp: multiplies the reach by the stride
# fails: three rates, in cells
# says: The reach is multiplied by the stride here;
def conv_norm_relu(inputs, outputs, kernel, rate=1):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=rate * (kernel // 2), dilation=rate)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class Pyramid(nn.Module):
    def __init__(self, channels, width, reaches, stride):
        super().__init__()
        self.near = conv_norm_relu(channels, width, 1)
        self.overall = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU())
        self.mix = nn.Conv2d(5 * width, width, 1)
        self.far = nn.ModuleList(conv_norm_relu(channels, width, 3, reach * stride) for reach in reaches)

    def forward(self, x):
        branches = [self.near(x)]
        branches += [branch(x) for branch in self.far]
        branches.append(self.overall(x.mean((2, 3), keepdim=True)).expand_as(branches[0]))
        return self.mix(torch.cat(branches, dim=1))


def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, reaches, stride)

# %% wrong build_aspp: half the rate, as if a reach lay between the outer taps
# fails: three rates, in cells
# says: a reach is from one tap to the next, not between the outer two.
def conv_norm_relu(inputs, outputs, kernel, rate=1):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=rate * (kernel // 2), dilation=rate)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class Pyramid(nn.Module):
    def __init__(self, channels, width, reaches, stride):
        super().__init__()
        self.near = conv_norm_relu(channels, width, 1)
        self.overall = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU())
        self.mix = nn.Conv2d(5 * width, width, 1)
        self.far = nn.ModuleList(conv_norm_relu(channels, width, 3, max(1, reach // stride // 2)) for reach in reaches)

    def forward(self, x):
        branches = [self.near(x)]
        branches += [branch(x) for branch in self.far]
        branches.append(self.overall(x.mean((2, 3), keepdim=True)).expand_as(branches[0]))
        return self.mix(torch.cat(branches, dim=1))


def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, reaches, stride)

# %% wrong build_aspp: the three rates added up
# fails: three rates, in cells
# says: The three rates are added up here;
def conv_norm_relu(inputs, outputs, kernel, rate=1):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=rate * (kernel // 2), dilation=rate)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class Pyramid(nn.Module):
    def __init__(self, channels, width, reaches, stride):
        super().__init__()
        self.near = conv_norm_relu(channels, width, 1)
        self.overall = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU())
        self.mix = nn.Conv2d(5 * width, width, 1)
        self.far = nn.ModuleList(conv_norm_relu(channels, width, 3, reach // stride) for reach in reaches)

    def forward(self, x):
        branches = [self.near(x)]
        branches += [sum(branch(x) for branch in self.far)] * 3
        branches.append(self.overall(x.mean((2, 3), keepdim=True)).expand_as(branches[0]))
        return self.mix(torch.cat(branches, dim=1))


def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, reaches, stride)

# %% wrong build_aspp: a chain
# fails: the 1 × 1 branch and the average of the map; three rates, in cells; batch normalisation and ReLU in the branches, nothing after the mixing
# says: Every branch reads the map itself, which has 3.
def conv_norm_relu(inputs, outputs, kernel, rate=1):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=rate * (kernel // 2), dilation=rate)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class Pyramid(nn.Module):
    def __init__(self, channels, width, reaches, stride):
        super().__init__()
        self.near = conv_norm_relu(channels, width, 1)
        self.overall = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU())
        self.mix = nn.Conv2d(5 * width, width, 1)
        self.far = nn.ModuleList(conv_norm_relu(width, width, 3, reach // stride) for reach in reaches)

    def forward(self, x):
        branches = [self.near(x)]
        for branch in self.far:
            branches.append(branch(branches[-1]))
        branches.append(self.overall(x.mean((2, 3), keepdim=True)).expand_as(branches[0]))
        return self.mix(torch.cat(branches, dim=1))


def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, reaches, stride)

# %% wrong build_aspp: one set of weights for three rates
# fails: the 1 × 1 branch and the average of the map; three rates, in cells; batch normalisation and ReLU in the branches, nothing after the mixing; every weight learns
# says: Each rate has a layer with weights of its own.
def conv_norm_relu(inputs, outputs, kernel, rate=1):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=rate * (kernel // 2), dilation=rate)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class Pyramid(nn.Module):
    def __init__(self, channels, width, reaches, stride):
        super().__init__()
        self.near = conv_norm_relu(channels, width, 1)
        self.overall = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU())
        self.mix = nn.Conv2d(5 * width, width, 1)
        self.shared, self.rates = conv_norm_relu(channels, width, 3), [reach // stride for reach in reaches]

    def forward(self, x):
        branches = [self.near(x)]
        conv, norm, relu = self.shared
        for r in self.rates:
            branches.append(relu(norm(F.conv2d(x, conv.weight, conv.bias, padding=r, dilation=r))))
        branches.append(self.overall(x.mean((2, 3), keepdim=True)).expand_as(branches[0]))
        return self.mix(torch.cat(branches, dim=1))


def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, reaches, stride)

# %% wrong build_aspp: the rates in the order of their size, widest first
# fails: three rates, in cells
# says: check the order of concatenation.
def conv_norm_relu(inputs, outputs, kernel, rate=1):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=rate * (kernel // 2), dilation=rate)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class Pyramid(nn.Module):
    def __init__(self, channels, width, reaches, stride):
        super().__init__()
        self.near = conv_norm_relu(channels, width, 1)
        self.overall = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU())
        self.mix = nn.Conv2d(5 * width, width, 1)
        self.far = nn.ModuleList(conv_norm_relu(channels, width, 3, reach // stride) for reach in reaches)

    def forward(self, x):
        branches = [self.near(x)]
        branches += [branch(x) for branch in reversed(self.far)]
        branches.append(self.overall(x.mean((2, 3), keepdim=True)).expand_as(branches[0]))
        return self.mix(torch.cat(branches, dim=1))


def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, reaches, stride)

# %% wrong build_aspp: the library's own
# fails: (B, width, H, W), for a map of any size; the 1 × 1 branch and the average of the map; three rates, in cells; batch normalisation and ReLU in the branches, nothing after the mixing; every weight learns
# says: This hands the work to a finished module.
def build_aspp(channels, width, reaches, stride):
    return models.ASPP(channels, width, tuple(r // stride for r in reaches))

# %% wrong build_aspp: one cell too far
# fails: three rates, in cells
# says: The rate is one more than the reach divided by the stride
def conv_norm_relu(inputs, outputs, kernel, rate=1):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=rate * (kernel // 2), dilation=rate)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class Pyramid(nn.Module):
    def __init__(self, channels, width, reaches, stride):
        super().__init__()
        self.near = conv_norm_relu(channels, width, 1)
        self.overall = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU())
        self.mix = nn.Conv2d(5 * width, width, 1)
        self.far = nn.ModuleList(conv_norm_relu(channels, width, 3, reach // stride + 1) for reach in reaches)

    def forward(self, x):
        branches = [self.near(x)]
        branches += [branch(x) for branch in self.far]
        branches.append(self.overall(x.mean((2, 3), keepdim=True)).expand_as(branches[0]))
        return self.mix(torch.cat(branches, dim=1))


def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, reaches, stride)

# %% wrong build_aspp: divides by 16, whatever the stride
# fails: three rates, in cells
# says: The reach is divided by 16, whatever the stride is.
def conv_norm_relu(inputs, outputs, kernel, rate=1):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=rate * (kernel // 2), dilation=rate)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class Pyramid(nn.Module):
    def __init__(self, channels, width, reaches, stride):
        super().__init__()
        self.near = conv_norm_relu(channels, width, 1)
        self.overall = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU())
        self.mix = nn.Conv2d(5 * width, width, 1)
        self.far = nn.ModuleList(conv_norm_relu(channels, width, 3, max(1, reach // 16)) for reach in reaches)

    def forward(self, x):
        branches = [self.near(x)]
        branches += [branch(x) for branch in self.far]
        branches.append(self.overall(x.mean((2, 3), keepdim=True)).expand_as(branches[0]))
        return self.mix(torch.cat(branches, dim=1))


def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, reaches, stride)

# %% wrong build_aspp: the first rate three times
# fails: three rates, in cells; every weight learns
# says: This is the first rate again:
def conv_norm_relu(inputs, outputs, kernel, rate=1):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=rate * (kernel // 2), dilation=rate)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class Pyramid(nn.Module):
    def __init__(self, channels, width, reaches, stride):
        super().__init__()
        self.near = conv_norm_relu(channels, width, 1)
        self.overall = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU())
        self.mix = nn.Conv2d(5 * width, width, 1)
        self.far = nn.ModuleList(conv_norm_relu(channels, width, 3, reach // stride) for reach in reaches)

    def forward(self, x):
        branches = [self.near(x)]
        branches += [self.far[0](x) for _ in range(3)]
        branches.append(self.overall(x.mean((2, 3), keepdim=True)).expand_as(branches[0]))
        return self.mix(torch.cat(branches, dim=1))


def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, reaches, stride)

# %% wrong build_aspp: adds each branch to the one before
# fails: three rates, in cells
# says: Each branch is added to the one before it;
def conv_norm_relu(inputs, outputs, kernel, rate=1):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=rate * (kernel // 2), dilation=rate)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class Pyramid(nn.Module):
    def __init__(self, channels, width, reaches, stride):
        super().__init__()
        self.near = conv_norm_relu(channels, width, 1)
        self.overall = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU())
        self.mix = nn.Conv2d(5 * width, width, 1)
        self.far = nn.ModuleList(conv_norm_relu(channels, width, 3, reach // stride) for reach in reaches)

    def forward(self, x):
        branches = [self.near(x)]
        for b in self.far: branches.append(branches[-1] + b(x))
        branches.append(self.overall(x.mean((2, 3), keepdim=True)).expand_as(branches[0]))
        return self.mix(torch.cat(branches, dim=1))


def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, reaches, stride)

# %% wrong build_aspp: a rate with a point
# fails: (B, width, H, W), for a map of any size; the 1 × 1 branch and the average of the map; three rates, in cells; batch normalisation and ReLU in the branches, nothing after the mixing; every weight learns
# says: A rate is a whole number: divide with `//`.
def conv_norm_relu(inputs, outputs, kernel, rate=1):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=rate * (kernel // 2), dilation=rate)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class Pyramid(nn.Module):
    def __init__(self, channels, width, reaches, stride):
        super().__init__()
        self.near = conv_norm_relu(channels, width, 1)
        self.overall = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU())
        self.mix = nn.Conv2d(5 * width, width, 1)
        self.far = nn.ModuleList(conv_norm_relu(channels, width, 3, reach / stride) for reach in reaches)

    def forward(self, x):
        branches = [self.near(x)]
        branches += [branch(x) for branch in self.far]
        branches.append(self.overall(x.mean((2, 3), keepdim=True)).expand_as(branches[0]))
        return self.mix(torch.cat(branches, dim=1))


def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, reaches, stride)

# %% wrong build_aspp: layers in a plain list
# fails: the 1 × 1 branch and the average of the map; three rates, in cells; batch normalisation and ReLU in the branches, nothing after the mixing; every weight learns
# says: keep a list of them as an `nn.ModuleList`, not a plain list
def conv_norm_relu(inputs, outputs, kernel, rate=1):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=rate * (kernel // 2), dilation=rate)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class Pyramid(nn.Module):
    def __init__(self, channels, width, reaches, stride):
        super().__init__()
        self.near = conv_norm_relu(channels, width, 1)
        self.overall = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU())
        self.mix = nn.Conv2d(5 * width, width, 1)
        self.far = list(conv_norm_relu(channels, width, 3, reach // stride) for reach in reaches)

    def forward(self, x):
        branches = [self.near(x)]
        branches += [branch(x) for branch in self.far]
        branches.append(self.overall(x.mean((2, 3), keepdim=True)).expand_as(branches[0]))
        return self.mix(torch.cat(branches, dim=1))


def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, reaches, stride)

# %% right build_decoder: layers by name
class Sharpen(nn.Module):
    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.thin = nn.Sequential(nn.Conv2d(fine, reduced, 1, bias=False), nn.BatchNorm2d(reduced), nn.ReLU())
        self.join = nn.Sequential(nn.Conv2d(reduced + coarse, coarse, 3, padding=1, bias=False), nn.BatchNorm2d(coarse), nn.ReLU())
        self.head = nn.Conv2d(coarse, classes, 1)

    def forward(self, maps):
        fine, coarse = maps
        fine = self.thin(fine)
        coarse = F.interpolate(coarse, fine.shape[2:], mode="bilinear")
        return self.head(self.join(torch.cat([fine, coarse], 1)))

def build_decoder(fine, coarse, reduced, classes):
    return Sharpen(fine, coarse, reduced, classes)

# %% right build_decoder: plain layers, everything in forward, nn.Upsample made on the way
class Sharpen(nn.Module):
    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.a, self.b = nn.Conv2d(fine, reduced, 1), nn.Conv2d(reduced + coarse, coarse, 3, 1, 1)
        self.na, self.nb = nn.BatchNorm2d(reduced), nn.BatchNorm2d(coarse)
        self.c = nn.Conv2d(coarse, classes, 1)

    def forward(self, maps):
        h, w = maps[0].shape[-2:]
        thin = torch.relu(self.na(self.a(maps[0])))
        big = nn.Upsample(size=(h, w), mode="bilinear", align_corners=False)(maps[1])
        both = torch.relu(self.nb(self.b(torch.cat((thin, big), dim=1))))
        return self.c(both)

def build_decoder(fine, coarse, reduced, classes):
    return Sharpen(fine, coarse, reduced, classes)

# %% right build_decoder: one Sequential after the join, head defined first
class Join(nn.Module):
    def __init__(self, thin):
        super().__init__()
        self.thin = thin

    def forward(self, maps):
        first = self.thin(maps[0])
        return torch.cat([first, F.interpolate(maps[1], size=first.shape[-2:], mode="bilinear", align_corners=False)], dim=1)

def build_decoder(fine, coarse, reduced, classes):
    head = nn.Conv2d(coarse, classes, 1)
    thin = nn.Sequential(nn.Conv2d(fine, reduced, 1), nn.BatchNorm2d(reduced), nn.ReLU(inplace=True))
    both = [nn.Conv2d(reduced + coarse, coarse, 3, padding="same"), nn.BatchNorm2d(coarse), nn.ReLU(inplace=True)]
    return nn.Sequential(Join(thin), *both, head)

# %% right build_decoder: lazy layers replaced by a ModuleDict, ReLU by clamp
class Sharpen(nn.Module):
    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.m = nn.ModuleDict({"head": nn.Conv2d(coarse, classes, 1, bias=False), "norm": nn.BatchNorm2d(coarse),
                                "conv": nn.Conv2d(reduced + coarse, coarse, 3, padding=1),
                                "thin": nn.Sequential(nn.Conv2d(fine, reduced, 1), nn.BatchNorm2d(reduced))})

    def forward(self, maps):
        fine, coarse = maps[0], maps[1]
        coarse = F.interpolate(coarse, (fine.size(2), fine.size(3)), mode="bilinear")
        x = torch.cat([self.m["thin"](fine).clamp(min=0), coarse], 1)
        return self.m["head"](self.m["norm"](self.m["conv"](x)).clamp(min=0))

def build_decoder(fine, coarse, reduced, classes):
    return Sharpen(fine, coarse, reduced, classes)

# %% wrong build_decoder: the coarse map first
# fails: the right values; batch normalisation in training, and gradients
# says: The coarse map stands first in the concatenation;
class Sharpen(nn.Module):
    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.thin = nn.Sequential(nn.Conv2d(fine, reduced, 1), nn.BatchNorm2d(reduced), nn.ReLU())
        self.join = nn.Sequential(nn.Conv2d(reduced + coarse, coarse, 3, padding=1), nn.BatchNorm2d(coarse), nn.ReLU())
        self.head = nn.Conv2d(coarse, classes, 1)

    def forward(self, maps):
        fine = self.thin(maps[0])
        coarse = F.interpolate(maps[1], fine.shape[2:], mode="bilinear")
        return self.head(self.join(torch.cat([coarse, fine], 1)))

def build_decoder(fine, coarse, reduced, classes):
    return Sharpen(fine, coarse, reduced, classes)

# %% wrong build_decoder: shrinks the fine map and enlarges the scores
# fails: the right values; batch normalisation in training, and gradients
# says: The fine map is shrunk to the coarse one's size, and its detail is gone.
class Sharpen(nn.Module):
    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.thin = nn.Sequential(nn.Conv2d(fine, reduced, 1), nn.BatchNorm2d(reduced), nn.ReLU())
        self.join = nn.Sequential(nn.Conv2d(reduced + coarse, coarse, 3, padding=1), nn.BatchNorm2d(coarse), nn.ReLU())
        self.head = nn.Conv2d(coarse, classes, 1)

    def forward(self, maps):
        fine = self.thin(maps[0])
        coarse = maps[1]
        fine = F.interpolate(fine, coarse.shape[2:], mode="bilinear")
        logits = self.head(self.join(torch.cat([fine, coarse], 1)))
        return F.interpolate(logits, maps[0].shape[2:], mode="bilinear")

def build_decoder(fine, coarse, reduced, classes):
    return Sharpen(fine, coarse, reduced, classes)

# %% wrong build_decoder: shrinks the fine map and stays small
# fails: logits of the fine map's size; the right values; batch normalisation in training, and gradients
# says: a fine map of 16 × 20 and a coarse one of 4 × 5: expected logits of shape
class Sharpen(nn.Module):
    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.thin = nn.Sequential(nn.Conv2d(fine, reduced, 1), nn.BatchNorm2d(reduced), nn.ReLU())
        self.join = nn.Sequential(nn.Conv2d(reduced + coarse, coarse, 3, padding=1), nn.BatchNorm2d(coarse), nn.ReLU())
        self.classify = nn.Conv2d(coarse, classes, 1)

    def forward(self, maps):
        fine, coarse = maps
        fine = F.interpolate(self.thin(fine), coarse.shape[2:], mode="bilinear")
        return self.classify(self.join(torch.cat([fine, coarse], 1)))

def build_decoder(fine, coarse, reduced, classes):
    return Sharpen(fine, coarse, reduced, classes)

# %% wrong build_decoder: enlarges by nearest
# fails: the right values; batch normalisation in training, and gradients
# says: The coarse map is enlarged in blocks (nearest or area); use bilinear.
class Sharpen(nn.Module):
    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.thin = nn.Sequential(nn.Conv2d(fine, reduced, 1), nn.BatchNorm2d(reduced), nn.ReLU())
        self.join = nn.Sequential(nn.Conv2d(reduced + coarse, coarse, 3, padding=1), nn.BatchNorm2d(coarse), nn.ReLU())
        self.head = nn.Conv2d(coarse, classes, 1)

    def forward(self, maps):
        fine = self.thin(maps[0])
        coarse = F.interpolate(maps[1], fine.shape[2:])
        return self.head(self.join(torch.cat([fine, coarse], 1)))

def build_decoder(fine, coarse, reduced, classes):
    return Sharpen(fine, coarse, reduced, classes)

# %% wrong build_decoder: enlarges with corners aligned
# fails: the right values; batch normalisation in training, and gradients
# says: leave `align_corners` at False, the default.
class Sharpen(nn.Module):
    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.thin = nn.Sequential(nn.Conv2d(fine, reduced, 1), nn.BatchNorm2d(reduced), nn.ReLU())
        self.join = nn.Sequential(nn.Conv2d(reduced + coarse, coarse, 3, padding=1), nn.BatchNorm2d(coarse), nn.ReLU())
        self.head = nn.Conv2d(coarse, classes, 1)

    def forward(self, maps):
        fine = self.thin(maps[0])
        coarse = F.interpolate(maps[1], fine.shape[2:], mode="bilinear", align_corners=True)
        return self.head(self.join(torch.cat([fine, coarse], 1)))

def build_decoder(fine, coarse, reduced, classes):
    return Sharpen(fine, coarse, reduced, classes)

# %% wrong build_decoder: does not thin the fine map
# fails: the right values; batch normalisation in training, and gradients
# says: the convolutions should have weights of shape (out, in, k, k):
class Sharpen(nn.Module):
    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.join = nn.Sequential(nn.Conv2d(fine + coarse, coarse, 3, padding=1), nn.BatchNorm2d(coarse), nn.ReLU())
        self.head = nn.Conv2d(coarse, classes, 1)

    def forward(self, maps):
        fine = maps[0]
        coarse = F.interpolate(maps[1], fine.shape[2:], mode="bilinear")
        return self.head(self.join(torch.cat([fine, coarse], 1)))

def build_decoder(fine, coarse, reduced, classes):
    return Sharpen(fine, coarse, reduced, classes)

# %% wrong build_decoder: no batch normalisation
# fails: batch normalisation in training, and gradients
# says: There is no batch normalisation: it stands between a convolution and its ReLU.
class Sharpen(nn.Module):
    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.thin = nn.Sequential(nn.Conv2d(fine, reduced, 1), nn.ReLU())
        self.join = nn.Sequential(nn.Conv2d(reduced + coarse, coarse, 3, padding=1), nn.ReLU())
        self.head = nn.Conv2d(coarse, classes, 1)

    def forward(self, maps):
        fine = self.thin(maps[0])
        coarse = F.interpolate(maps[1], fine.shape[2:], mode="bilinear")
        return self.head(self.join(torch.cat([fine, coarse], 1)))

def build_decoder(fine, coarse, reduced, classes):
    return Sharpen(fine, coarse, reduced, classes)

# %% wrong build_decoder: thins without ReLU
# fails: the right values; batch normalisation in training, and gradients
# says: There is no ReLU after the convolution that thins the fine map.
class Sharpen(nn.Module):
    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.thin = nn.Sequential(nn.Conv2d(fine, reduced, 1), nn.BatchNorm2d(reduced))
        self.join = nn.Sequential(nn.Conv2d(reduced + coarse, coarse, 3, padding=1), nn.BatchNorm2d(coarse), nn.ReLU())
        self.head = nn.Conv2d(coarse, classes, 1)

    def forward(self, maps):
        fine = self.thin(maps[0])
        coarse = F.interpolate(maps[1], fine.shape[2:], mode="bilinear")
        return self.head(self.join(torch.cat([fine, coarse], 1)))

def build_decoder(fine, coarse, reduced, classes):
    return Sharpen(fine, coarse, reduced, classes)

# %% wrong build_decoder: batch normalisation and ReLU on the logits
# fails: the right values; batch normalisation in training, and gradients
# says: There is a ReLU after the last convolution.
class Sharpen(nn.Module):
    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.thin = nn.Sequential(nn.Conv2d(fine, reduced, 1), nn.BatchNorm2d(reduced), nn.ReLU())
        self.join = nn.Sequential(nn.Conv2d(reduced + coarse, coarse, 3, padding=1), nn.BatchNorm2d(coarse), nn.ReLU())
        self.head = nn.Sequential(nn.Conv2d(coarse, classes, 1), nn.BatchNorm2d(classes), nn.ReLU())

    def forward(self, maps):
        fine = self.thin(maps[0])
        coarse = F.interpolate(maps[1], fine.shape[2:], mode="bilinear")
        return self.head(self.join(torch.cat([fine, coarse], 1)))

def build_decoder(fine, coarse, reduced, classes):
    return Sharpen(fine, coarse, reduced, classes)

# %% wrong build_decoder: two 3 × 3 layers, as in the paper
# fails: the right values; batch normalisation in training, and gradients
# says: (2, 5, 1, 1), (6, 8, 3, 3), (6, 6, 3, 3), (4, 6, 1, 1).
class Sharpen(nn.Module):
    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.thin = nn.Sequential(nn.Conv2d(fine, reduced, 1), nn.BatchNorm2d(reduced), nn.ReLU())
        two = [nn.Conv2d(coarse, coarse, 3, padding=1), nn.BatchNorm2d(coarse), nn.ReLU()]
        self.join = nn.Sequential(nn.Conv2d(reduced + coarse, coarse, 3, padding=1), nn.BatchNorm2d(coarse), nn.ReLU(), *two)
        self.head = nn.Conv2d(coarse, classes, 1)

    def forward(self, maps):
        fine = self.thin(maps[0])
        coarse = F.interpolate(maps[1], fine.shape[2:], mode="bilinear")
        return self.head(self.join(torch.cat([fine, coarse], 1)))

def build_decoder(fine, coarse, reduced, classes):
    return Sharpen(fine, coarse, reduced, classes)

# %% wrong build_decoder: no gradient into the fine map
# fails: batch normalisation in training, and gradients
# says: no gradient reaches the fine map, so the layers before it would not learn.
class Sharpen(nn.Module):
    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.thin = nn.Sequential(nn.Conv2d(fine, reduced, 1), nn.BatchNorm2d(reduced), nn.ReLU())
        self.join = nn.Sequential(nn.Conv2d(reduced + coarse, coarse, 3, padding=1), nn.BatchNorm2d(coarse), nn.ReLU())
        self.head = nn.Conv2d(coarse, classes, 1)

    def forward(self, maps):
        fine = self.thin(maps[0].detach())
        coarse = F.interpolate(maps[1], fine.shape[2:], mode="bilinear")
        return self.head(self.join(torch.cat([fine, coarse], 1)))

def build_decoder(fine, coarse, reduced, classes):
    return Sharpen(fine, coarse, reduced, classes)

# %% wrong build_decoder: ReLU before batch normalisation
# fails: batch normalisation in training, and gradients
# says: After the thinning, ReLU comes before batch normalisation here;
class Sharpen(nn.Module):
    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.thin = nn.Sequential(nn.Conv2d(fine, reduced, 1), nn.ReLU(), nn.BatchNorm2d(reduced))
        self.join = nn.Sequential(nn.Conv2d(reduced + coarse, coarse, 3, padding=1), nn.BatchNorm2d(coarse), nn.ReLU())
        self.head = nn.Conv2d(coarse, classes, 1)

    def forward(self, maps):
        fine = self.thin(maps[0])
        coarse = F.interpolate(maps[1], fine.shape[2:], mode="bilinear")
        return self.head(self.join(torch.cat([fine, coarse], 1)))

def build_decoder(fine, coarse, reduced, classes):
    return Sharpen(fine, coarse, reduced, classes)

# %% wrong build_decoder: the library's own
# fails: logits of the fine map's size; the right values; batch normalisation in training, and gradients
# says: This hands the work to a finished module.
from course_lib.models.deeplab import Decoder

class Sharpen(nn.Module):
    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.decoder, self.head = Decoder(coarse, fine, reduced, 4), nn.Conv2d(coarse, classes, 1)

    def forward(self, maps):
        return self.head(self.decoder(maps[1], maps[0]))

def build_decoder(fine, coarse, reduced, classes):
    return Sharpen(fine, coarse, reduced, classes)

# %% wrong build_decoder: bicubic
# fails: the right values; batch normalisation in training, and gradients
# says: The coarse map is enlarged bicubic; use bilinear.
class Sharpen(nn.Module):
    """A coarse map and a thinned fine one, to logits of the fine one's size."""

    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.thin = nn.Sequential(nn.Conv2d(fine, reduced, 1), nn.BatchNorm2d(reduced), nn.ReLU())
        both = nn.Conv2d(reduced + coarse, coarse, 3, padding=1)  # the paper has two of these
        self.join = nn.Sequential(both, nn.BatchNorm2d(coarse), nn.ReLU())
        self.classify = nn.Conv2d(coarse, classes, 1)

    def forward(self, maps):

        fine, coarse = maps
        large = F.interpolate(coarse, size=fine.shape[2:], mode="bicubic")
        return self.classify(self.join(torch.cat([self.thin(fine), large], dim=1)))


def build_decoder(fine, coarse, reduced, classes):
    """v3+'s decoder; nn.Module: [(B, fine, H, W), (B, coarse, h, w)] → (B, classes, H, W)."""
    return Sharpen(fine, coarse, reduced, classes)

# %% wrong build_decoder: the fine map is not thinned
# fails: logits of the fine map's size; the right values; batch normalisation in training, and gradients
# says: Both maps meet in full: `thin` the fine one first.
class Sharpen(nn.Module):
    """A coarse map and a thinned fine one, to logits of the fine one's size."""

    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.thin = nn.Sequential(nn.Conv2d(fine, reduced, 1), nn.BatchNorm2d(reduced), nn.ReLU())
        both = nn.Conv2d(reduced + coarse, coarse, 3, padding=1)  # the paper has two of these
        self.join = nn.Sequential(both, nn.BatchNorm2d(coarse), nn.ReLU())
        self.classify = nn.Conv2d(coarse, classes, 1)

    def forward(self, maps):

        fine, coarse = maps
        large = F.interpolate(coarse, size=fine.shape[2:], mode="bilinear")
        return self.classify(self.join(torch.cat([fine, large], dim=1)))


def build_decoder(fine, coarse, reduced, classes):
    """v3+'s decoder; nn.Module: [(B, fine, H, W), (B, coarse, h, w)] → (B, classes, H, W)."""
    return Sharpen(fine, coarse, reduced, classes)

# %% wrong build_decoder: a whole factor H // h, then cut or padded
# fails: the right values
# says: The coarse map is enlarged by a whole factor
class Sharpen(nn.Module):
    """A coarse map and a thinned fine one, to logits of the fine one's size."""

    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.thin = nn.Sequential(nn.Conv2d(fine, reduced, 1), nn.BatchNorm2d(reduced), nn.ReLU())
        both = nn.Conv2d(reduced + coarse, coarse, 3, padding=1)  # the paper has two of these
        self.join = nn.Sequential(both, nn.BatchNorm2d(coarse), nn.ReLU())
        self.classify = nn.Conv2d(coarse, classes, 1)

    def forward(self, maps):

        fine, coarse = maps
        H, W = fine.shape[2:]
        fy, fx = max(1, H // coarse.shape[2]), max(1, W // coarse.shape[3])
        large = F.interpolate(coarse, scale_factor=(fy, fx), mode="bilinear")
        large = F.pad(large, (0, W - large.shape[3], 0, H - large.shape[2]))
        return self.classify(self.join(torch.cat([self.thin(fine), large], dim=1)))


def build_decoder(fine, coarse, reduced, classes):
    """v3+'s decoder; nn.Module: [(B, fine, H, W), (B, coarse, h, w)] → (B, classes, H, W)."""
    return Sharpen(fine, coarse, reduced, classes)

# %% wrong build_decoder: the maps taken in the wrong order
# fails: logits of the fine map's size; the right values; batch normalisation in training, and gradients
# says: The coarse map comes to `thin`.
class Sharpen(nn.Module):
    """A coarse map and a thinned fine one, to logits of the fine one's size."""

    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.thin = nn.Sequential(nn.Conv2d(fine, reduced, 1), nn.BatchNorm2d(reduced), nn.ReLU())
        both = nn.Conv2d(reduced + coarse, coarse, 3, padding=1)  # the paper has two of these
        self.join = nn.Sequential(both, nn.BatchNorm2d(coarse), nn.ReLU())
        self.classify = nn.Conv2d(coarse, classes, 1)

    def forward(self, maps):

        coarse, fine = maps
        large = F.interpolate(coarse, size=fine.shape[2:], mode="bilinear")
        return self.classify(self.join(torch.cat([self.thin(fine), large], dim=1)))


def build_decoder(fine, coarse, reduced, classes):
    """v3+'s decoder; nn.Module: [(B, fine, H, W), (B, coarse, h, w)] → (B, classes, H, W)."""
    return Sharpen(fine, coarse, reduced, classes)

# %% wrong build_decoder: hard-coded to the example's size 24 × 33
# fails: logits of the fine map's size; the right values; batch normalisation in training, and gradients
# says: The coarse map has not got the fine one's height and width
class Sharpen(nn.Module):
    """A coarse map and a thinned fine one, to logits of the fine one's size."""

    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.thin = nn.Sequential(nn.Conv2d(fine, reduced, 1), nn.BatchNorm2d(reduced), nn.ReLU())
        both = nn.Conv2d(reduced + coarse, coarse, 3, padding=1)  # the paper has two of these
        self.join = nn.Sequential(both, nn.BatchNorm2d(coarse), nn.ReLU())
        self.classify = nn.Conv2d(coarse, classes, 1)

    def forward(self, maps):

        fine, coarse = maps
        large = F.interpolate(coarse, size=(24, 33), mode="bilinear")
        return self.classify(self.join(torch.cat([self.thin(fine), large], dim=1)))


def build_decoder(fine, coarse, reduced, classes):
    """v3+'s decoder; nn.Module: [(B, fine, H, W), (B, coarse, h, w)] → (B, classes, H, W)."""
    return Sharpen(fine, coarse, reduced, classes)

# %% wrong build_decoder: enlarges by area
# fails: the right values; batch normalisation in training, and gradients
# says: in blocks (nearest or area)
class Sharpen(nn.Module):
    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.thin = nn.Sequential(nn.Conv2d(fine, reduced, 1), nn.BatchNorm2d(reduced), nn.ReLU())
        both = nn.Conv2d(reduced + coarse, coarse, 3, padding=1)
        self.join = nn.Sequential(both, nn.BatchNorm2d(coarse), nn.ReLU())
        self.classify = nn.Conv2d(coarse, classes, 1)

    def forward(self, maps):
        fine, coarse = maps
        thin = self.thin(fine)
        grown = F.interpolate(coarse, size=thin.shape[2:], mode="area")
        return self.classify(self.join(torch.cat([thin, grown], 1)))


def build_decoder(fine, coarse, reduced, classes):
    return Sharpen(fine, coarse, reduced, classes)

# %% wrong build_decoder: dropout before the scores
# fails: batch normalisation in training, and gradients
# says: something random, such as dropout, is in your module.
class Sharpen(nn.Module):
    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.thin = nn.Sequential(nn.Conv2d(fine, reduced, 1), nn.BatchNorm2d(reduced), nn.ReLU())
        both = nn.Conv2d(reduced + coarse, coarse, 3, padding=1)
        self.join = nn.Sequential(both, nn.BatchNorm2d(coarse), nn.ReLU())
        self.classify = nn.Conv2d(coarse, classes, 1)

    def forward(self, maps):
        fine, coarse = maps
        thin = self.thin(fine)
        grown = F.interpolate(coarse, size=thin.shape[2:], mode="bilinear")
        return self.classify(F.dropout(self.join(torch.cat([thin, grown], 1)), .5, self.training))


def build_decoder(fine, coarse, reduced, classes):
    return Sharpen(fine, coarse, reduced, classes)

# %% wrong build_decoder: along the rows
# fails: logits of the fine map's size; the right values; batch normalisation in training, and gradients
# says: This puts one map below the other; channels are axis 1.
class Sharpen(nn.Module):
    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.thin = nn.Sequential(nn.Conv2d(fine, reduced, 1), nn.BatchNorm2d(reduced), nn.ReLU())
        both = nn.Conv2d(reduced + coarse, coarse, 3, padding=1)
        self.join = nn.Sequential(both, nn.BatchNorm2d(coarse), nn.ReLU())
        self.classify = nn.Conv2d(coarse, classes, 1)

    def forward(self, maps):
        fine, coarse = maps
        thin = self.thin(fine)
        grown = F.interpolate(coarse, size=thin.shape[2:], mode="bilinear")
        return self.classify(self.join(torch.cat([thin, grown], 2)))


def build_decoder(fine, coarse, reduced, classes):
    return Sharpen(fine, coarse, reduced, classes)

# %% wrong build_decoder: no scores at the end
# fails: logits of the fine map's size; the right values; batch normalisation in training, and gradients
# says: `classify` makes logits of them.
class Sharpen(nn.Module):
    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.thin = nn.Sequential(nn.Conv2d(fine, reduced, 1), nn.BatchNorm2d(reduced), nn.ReLU())
        both = nn.Conv2d(reduced + coarse, coarse, 3, padding=1)
        self.join = nn.Sequential(both, nn.BatchNorm2d(coarse), nn.ReLU())
        self.classify = nn.Conv2d(coarse, classes, 1)

    def forward(self, maps):
        fine, coarse = maps
        thin = self.thin(fine)
        grown = F.interpolate(coarse, size=thin.shape[2:], mode="bilinear")
        return self.join(torch.cat([thin, grown], 1))


def build_decoder(fine, coarse, reduced, classes):
    return Sharpen(fine, coarse, reduced, classes)

# %% wrong build_decoder: a ReLU on the coarse map
# fails: the right values; batch normalisation in training, and gradients
# says: The coarse map goes through a ReLU;
class Sharpen(nn.Module):
    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.thin = nn.Sequential(nn.Conv2d(fine, reduced, 1), nn.BatchNorm2d(reduced), nn.ReLU())
        both = nn.Conv2d(reduced + coarse, coarse, 3, padding=1)
        self.join = nn.Sequential(both, nn.BatchNorm2d(coarse), nn.ReLU())
        self.classify = nn.Conv2d(coarse, classes, 1)

    def forward(self, maps):
        fine, coarse = maps
        thin = self.thin(fine)
        grown = F.relu(F.interpolate(coarse, size=thin.shape[2:], mode="bilinear"))
        return self.classify(self.join(torch.cat([thin, grown], 1)))


def build_decoder(fine, coarse, reduced, classes):
    return Sharpen(fine, coarse, reduced, classes)

# %% wrong dilated_conv: the rate only pads, the taps stay neighbours
# fails: other rates; kernels of other sizes, batch and channels
# says: should begin `rate` pixels apart.
def dilated_conv(x, weight, rate):
    h, w = x.shape[2:]
    k = weight.shape[-1]
    wide = F.pad(x, [rate * (k // 2)] * 4)  # zeros on all four sides
    total = 0
    for i in range(k):
        for j in range(k):
            window = wide[:, :, i : i + h, j : j + w]
            total = total + torch.einsum("bchw,oc->bohw", window, weight[:, :, i, j])
    return total

# %% wrong dilated_conv: rate is the number of holes between two taps
# fails: rate 1: an ordinary convolution; other rates; kernels of other sizes, batch and channels; gradients flow, arguments stay as they were
# says: The windows begin `rate` + 1 pixels apart
def dilated_conv(x, weight, rate):
    h, w = x.shape[2:]
    k = weight.shape[-1]
    wide = F.pad(x, [rate * (k // 2)] * 4)  # zeros on all four sides
    total = 0
    for i in range(k):
        for j in range(k):
            window = wide[:, :, i * (rate + 1) : i * (rate + 1) + h, j * (rate + 1) : j * (rate + 1) + w]
            total = total + torch.einsum("bchw,oc->bohw", window, weight[:, :, i, j])
    return total

# %% wrong dilated_conv: h and w mixed up, fine on squares
# fails: rate 1: an ordinary convolution; other rates; kernels of other sizes, batch and channels
# says: Height and width have changed places
def dilated_conv(x, weight, rate):
    h, w = x.shape[2:]
    k = weight.shape[-1]
    wide = F.pad(x, [rate * (k // 2)] * 4)  # zeros on all four sides
    total = 0
    for i in range(k):
        for j in range(k):
            window = wide[:, :, i * rate : i * rate + w, j * rate : j * rate + h]
            total = total + torch.einsum("bchw,oc->bohw", window, weight[:, :, i, j])
    return total

# %% wrong dilated_conv: the window is cut without gradients
# fails: gradients flow, arguments stay as they were
# says: `torch.no_grad()`
def dilated_conv(x, weight, rate):
    h, w = x.shape[2:]
    k = weight.shape[-1]
    wide = F.pad(x, [rate * (k // 2)] * 4)  # zeros on all four sides
    total = 0
    for i in range(k):
        for j in range(k):
            with torch.no_grad():
                window = wide[:, :, i * rate : i * rate + h, j * rate : j * rate + w].clone()
            total = total + torch.einsum("bchw,oc->bohw", window, weight[:, :, i, j])
    return total

# %% wrong dilated_conv: offset counted from the middle tap, forgetting that wide is padded
# fails: rate 1: an ordinary convolution; other rates; kernels of other sizes, batch and channels; gradients flow, arguments stay as they were
# says: A window begins before `wide` does
def dilated_conv(x, weight, rate):
    h, w = x.shape[2:]
    k = weight.shape[-1]
    wide = F.pad(x, [rate * (k // 2)] * 4)  # zeros on all four sides
    total = 0
    for i in range(k):
        for j in range(k):
            top, left = (i - k // 2) * rate, (j - k // 2) * rate
            window = wide[:, :, top : top + h, left : left + w]
            total = total + torch.einsum("bchw,oc->bohw", window, weight[:, :, i, j])
    return total

# %% wrong dilated_conv: return indented into the loop over the rows of taps
# fails: rate 1: an ordinary convolution; other rates; kernels of other sizes, batch and channels
# says: Only the first row of taps is read.
def dilated_conv(x, weight, rate):
    h, w = x.shape[2:]
    k = weight.shape[-1]
    wide = F.pad(x, [rate * (k // 2)] * 4)  # zeros on all four sides
    total = 0
    for i in range(k):
        for j in range(k):
            window = wide[:, :, i * rate : i * rate + h, j * rate : j * rate + w]
            total = total + torch.einsum("bchw,oc->bohw", window, weight[:, :, i, j])
        return total

# %% wrong field_and_coverage: sums the gradient (the ways) instead of counting pixels
# fails: the share that is seen; one layer, none, wide ones and many
# says: This counts ways, not pixels
def field_and_coverage(rates):
    wide = 4 * sum(rates) + 3
    kernel = torch.ones(1, 1, 3, 3)  # no weight is below 0, so nothing cancels
    out = picture = torch.ones(1, 1, wide, wide, requires_grad=True)
    for rate in rates:
        out = F.conv2d(out, kernel, padding=rate, dilation=rate)
    out[0, 0, wide // 2, wide // 2].backward()
    hit = picture.grad[0, 0] != 0
    columns = hit.any(0).nonzero()
    field = int(columns.max() - columns.min()) + 1
    return field, picture.grad.sum().item() / field**2

# %% wrong field_and_coverage: last minus first, without + 1
# fails: the field; the share that is seen; one layer, none, wide ones and many
# says: The field is one pixel too short here
def field_and_coverage(rates):
    wide = 4 * sum(rates) + 3
    kernel = torch.ones(1, 1, 3, 3)  # no weight is below 0, so nothing cancels
    out = picture = torch.ones(1, 1, wide, wide, requires_grad=True)
    for rate in rates:
        out = F.conv2d(out, kernel, padding=rate, dilation=rate)
    out[0, 0, wide // 2, wide // 2].backward()
    hit = picture.grad[0, 0] != 0
    columns = hit.any(0).nonzero()
    field = int(columns.max() - columns.min())
    return field, hit.sum().item() / max(field, 1) ** 2

# %% wrong field_and_coverage: pokes all outputs, not the middle one
# fails: the field; the share that is seen; one layer, none, wide ones and many
# says: the share: expected 0.1296, got 1. This is the whole picture.
def field_and_coverage(rates):
    wide = 4 * sum(rates) + 3
    kernel = torch.ones(1, 1, 3, 3)  # no weight is below 0, so nothing cancels
    out = picture = torch.ones(1, 1, wide, wide, requires_grad=True)
    for rate in rates:
        out = F.conv2d(out, kernel, padding=rate, dilation=rate)
    out.sum().backward()
    hit = picture.grad[0, 0] != 0
    columns = hit.any(0).nonzero()
    field = int(columns.max() - columns.min()) + 1
    return field, hit.sum().item() / field**2

# %% wrong find_lies: whole read as has a hole
# fails: holes that the rule misses; false alarms; rates in any order, single layers
# says: that the rule passes and that have no holes.
from itertools import combinations
from math import gcd


def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))


def find_lies(stacks):
    missed, alarms = [], []
    for rates in stacks:
        whole = bool(models.paths(rates).all())  # True: every pixel of the field is seen
        if no_common_factor(rates) and whole:
            missed.append(rates)
        if not no_common_factor(rates) and not whole:
            alarms.append(rates)
    return missed, alarms

# %% wrong find_lies: += instead of append flattens the stacks
# fails: holes that the rule misses; false alarms; rates in any order, single layers
# says: which are lists of rates; it holds a `int`
from itertools import combinations
from math import gcd


def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))


def find_lies(stacks):
    missed, alarms = [], []
    for rates in stacks:
        whole = bool(models.paths(rates).all())  # True: every pixel of the field is seen
        if no_common_factor(rates) and not whole:
            missed += rates
        elif not no_common_factor(rates) and whole:
            alarms += rates
    return missed, alarms

# %% wrong find_lies: return indented into the loop
# fails: holes that the rule misses; false alarms; rates in any order, single layers
# says: only the first stack is looked at.
from itertools import combinations
from math import gcd


def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))


def find_lies(stacks):
    missed, alarms = [], []
    for rates in stacks:
        whole = bool(models.paths(rates).all())  # True: every pixel of the field is seen
        if no_common_factor(rates) and not whole:
            missed.append(rates)
        if not no_common_factor(rates) and whole:
            alarms.append(rates)
        return missed, alarms

# %% wrong find_lies: no_common_factor not called, always true
# fails: holes that the rule misses; false alarms; rates in any order, single layers
# says: The rule is taken to pass every stack.
from itertools import combinations
from math import gcd


def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))


def find_lies(stacks):
    missed, alarms = [], []
    for rates in stacks:
        whole = bool(models.paths(rates).all())  # True: every pixel of the field is seen
        if no_common_factor and not whole:
            missed.append(rates)
        if not no_common_factor and whole:
            alarms.append(rates)
    return missed, alarms

# %% wrong find_lies: takes the right stacks out of the list while walking it
# fails: holes that the rule misses; false alarms; rates in any order, single layers
# says: Take nothing out
from itertools import combinations
from math import gcd


def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))


def find_lies(stacks):
    missed, alarms = [], []
    for rates in stacks:
        whole = bool(models.paths(rates).all())  # True: every pixel of the field is seen
        if no_common_factor(rates) == whole:
            stacks.remove(rates)
        elif whole:
            alarms.append(rates)
        else:
            missed.append(rates)
    return missed, alarms

# %% wrong find_lies: skips single rates: they have no pair to judge
# fails: rates in any order, single layers
# says: A stack of one rate passes the rule
from itertools import combinations
from math import gcd


def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))


def find_lies(stacks):
    missed, alarms = [], []
    for rates in stacks:
        whole = bool(models.paths(rates).all())  # True: every pixel of the field is seen
        if len(rates) < 2:
            continue

        if no_common_factor(rates) and not whole:
            missed.append(rates)
        if not no_common_factor(rates) and whole:
            alarms.append(rates)
    return missed, alarms

# %% wrong schedule: leaves nothing for the later layers
# fails: rates that add up to the field; the widest and the narrowest field
# says: Leave at least 1 for each later layer.
def schedule(layers, field):
    left, rates = (field - 1) // 2, []
    for later in reversed(range(layers)):  # layers - 1, ..., 1, 0
        rate = min(2 * sum(rates) + 1, left)
        rates.append(rate)
        left -= rate
    return rates

# %% wrong schedule: the rule as 2 S, without + 1
# fails: rates that add up to the field; no holes; the widest and the narrowest field
# says: *plus 1*
def schedule(layers, field):
    left, rates = (field - 1) // 2, []
    for later in reversed(range(layers)):  # layers - 1, ..., 1, 0
        rate = min(max(1, 2 * sum(rates)), left - later)
        rates.append(rate)
        left -= rate
    return rates

# %% wrong schedule: twice the last rate plus one, not twice the sum
# fails: rates that add up to the field; no holes; the widest and the narrowest field
# says: twice the *sum*
def schedule(layers, field):
    left, rates = (field - 1) // 2, []
    for later in reversed(range(layers)):  # layers - 1, ..., 1, 0
        rate = min(2 * rates[-1] + 1 if rates else 1, left - later)
        rates.append(rate)
        left -= rate
    return rates

# %% wrong schedule: max instead of min
# fails: rates that add up to the field; no holes; the widest and the narrowest field
# says: Take the *smaller* of the two
def schedule(layers, field):
    left, rates = (field - 1) // 2, []
    for later in reversed(range(layers)):  # layers - 1, ..., 1, 0
        rate = max(2 * sum(rates) + 1, left - later)
        rates.append(rate)
        left -= rate
    return rates

# %% wrong schedule: splits what is left evenly
# fails: no holes; the widest and the narrowest field
# says: The rates below 60 add up to 0
def schedule(layers, field):
    left, rates = (field - 1) // 2, []
    for later in reversed(range(layers)):  # layers - 1, ..., 1, 0
        rate = left // (later + 1)
        rates.append(rate)
        left -= rate
    return rates

# %% wrong schedule: takes 2 r from left, which counts rates
# fails: rates that add up to the field; no holes; the widest and the narrowest field
# says: Take the rate off `left` once
def schedule(layers, field):
    left, rates = (field - 1) // 2, []
    for later in reversed(range(layers)):  # layers - 1, ..., 1, 0
        rate = min(2 * sum(rates) + 1, left - later)
        rates.append(rate)
        left -= 2 * rate
    return rates

# %% wrong schedule: true division, so the rates are floats
# fails: rates that add up to the field; no holes; the widest and the narrowest field
# says: `/` makes a float
def schedule(layers, field):
    left, rates = (field - 1) / 2, []
    for later in reversed(range(layers)):  # layers - 1, ..., 1, 0
        rate = min(2 * sum(rates) + 1, left - later)
        rates.append(rate)
        left -= rate
    return rates

# %% wrong trade_stride: dilation 2 everywhere after the first trade
# fails: the old map, at every second (fourth, …) place; the cells between, and nothing but the weights given; other kernels and batch normalisation
# says: output_stride=2 and pictures of 19 × 24: the shape is right
import copy


def trade_stride(net, output_stride):
    net = copy.deepcopy(net)
    reached, finer = 1, 1  # both of the map that the next layer reads
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            stride = layer.stride[0]
            layer.dilation = (finer, finer)
            if reached < output_stride:
                reached *= stride
            elif stride == 2:
                layer.stride = (1, 1)
                finer = 2
            layer.padding = tuple(r * (k - 1) // 2 for r, k in zip(layer.dilation, layer.kernel_size))
    return net

# %% wrong trade_stride: finer counts up by one per lost stride: 1, 2, 3
# fails: the old map, at every second (fourth, …) place; the cells between, and nothing but the weights given; other kernels and batch normalisation
# says: grows by 1 with each stride lost
import copy


def trade_stride(net, output_stride):
    net = copy.deepcopy(net)
    reached, finer = 1, 1  # both of the map that the next layer reads
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            stride = layer.stride[0]
            layer.dilation = (finer, finer)
            if reached < output_stride:
                reached *= stride
            elif stride == 2:
                layer.stride = (1, 1)
                finer += 1
            layer.padding = tuple(r * (k - 1) // 2 for r, k in zip(layer.dilation, layer.kernel_size))
    return net

# %% wrong trade_stride: dilation set to a number, not a pair
# fails: the size of every map; the old map, at every second (fourth, …) place; the cells between, and nothing but the weights given; other kernels and batch normalisation; the net given stays as it was
# says: is one of them set to a single number?
import copy


def trade_stride(net, output_stride):
    net = copy.deepcopy(net)
    reached, finer = 1, 1  # both of the map that the next layer reads
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            stride = layer.stride[0]
            layer.dilation = finer
            if reached < output_stride:
                reached *= stride
            else:
                layer.stride = 1
                finer *= stride
            layer.padding = tuple(r * (k - 1) // 2 for r, k in zip(layer.dilation, layer.kernel_size))
    return net

# %% wrong trade_stride: dilates only layers that lose a stride, not the plain ones after
# fails: the old map, at every second (fourth, …) place; the cells between, and nothing but the weights given; other kernels and batch normalisation
# says: Only the layers that lose a stride are dilated
import copy


def trade_stride(net, output_stride):
    net = copy.deepcopy(net)
    reached, finer = 1, 1  # both of the map that the next layer reads
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            stride = layer.stride[0]
            if reached < output_stride:
                reached *= stride
            elif stride == 2:
                layer.dilation = (finer, finer)
                layer.stride = (1, 1)
                finer *= 2
            layer.padding = tuple(r * (k - 1) // 2 for r, k in zip(layer.dilation, layer.kernel_size))
    return net

# %% wrong trade_stride: reached is never updated
# fails: the size of every map; the old map, at every second (fourth, …) place; the cells between, and nothing but the weights given; other kernels and batch normalisation; the net given stays as it was
# says: `reached` has to grow with each stride that stays
import copy


def trade_stride(net, output_stride):
    net = copy.deepcopy(net)
    reached, finer = 1, 1  # both of the map that the next layer reads
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            stride = layer.stride[0]
            layer.dilation = (finer, finer)
            if reached >= output_stride:
                layer.stride = (1, 1)
                finer *= stride
            layer.padding = tuple(r * (k - 1) // 2 for r, k in zip(layer.dilation, layer.kernel_size))
    return net

# %% wrong trade_stride: strides add up instead of multiplying
# fails: the cells between, and nothing but the weights given
# says: The strides are added up in `reached`
import copy


def trade_stride(net, output_stride):
    net = copy.deepcopy(net)
    reached, finer = 1, 1  # both of the map that the next layer reads
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            stride = layer.stride[0]
            layer.dilation = (finer, finer)
            if reached < output_stride:
                reached += stride
            else:
                layer.stride = (1, 1)
                finer *= stride
            layer.padding = tuple(r * (k - 1) // 2 for r, k in zip(layer.dilation, layer.kernel_size))
    return net

# %% wrong build_aspp: a plain list, so the branches are not registered
# fails: the 1 × 1 branch and the average of the map; three rates, in cells; batch normalisation and ReLU in the branches, nothing after the mixing; every weight learns
# says: not a plain list
def conv_norm_relu(inputs, outputs, kernel, rate=1):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=rate * (kernel // 2), dilation=rate)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class Pyramid(nn.Module):
    def __init__(self, channels, width, reaches, stride):
        super().__init__()
        self.near = conv_norm_relu(channels, width, 1)  # branch 1
        self.overall = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU())  # branch 5
        self.mix = nn.Conv2d(5 * width, width, 1)
        self.far = [conv_norm_relu(channels, width, 3, r // stride) for r in reaches]

    def forward(self, x):
        branches = [self.near(x)]
        for branch in self.far:
            branches.append(branch(x))
        branches.append(self.overall(x.mean((2, 3), keepdim=True)).expand_as(branches[0]))  # one average, everywhere
        return self.mix(torch.cat(branches, dim=1))


def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, reaches, stride)

# %% wrong build_aspp: true division gives a float rate
# fails: (B, width, H, W), for a map of any size; the 1 × 1 branch and the average of the map; three rates, in cells; batch normalisation and ReLU in the branches, nothing after the mixing; every weight learns
# says: A rate is a whole number: divide with `//`.
def conv_norm_relu(inputs, outputs, kernel, rate=1):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=rate * (kernel // 2), dilation=rate)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class Pyramid(nn.Module):
    def __init__(self, channels, width, reaches, stride):
        super().__init__()
        self.near = conv_norm_relu(channels, width, 1)  # branch 1
        self.overall = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU())  # branch 5
        self.mix = nn.Conv2d(5 * width, width, 1)
        self.far = nn.ModuleList(conv_norm_relu(channels, width, 3, r / stride) for r in reaches)

    def forward(self, x):
        branches = [self.near(x)]
        for branch in self.far:
            branches.append(branch(x))
        branches.append(self.overall(x.mean((2, 3), keepdim=True)).expand_as(branches[0]))  # one average, everywhere
        return self.mix(torch.cat(branches, dim=1))


def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, reaches, stride)

# %% wrong build_aspp: kernel 1 copied from branch 1
# fails: the 1 × 1 branch and the average of the map; three rates, in cells; batch normalisation and ReLU in the branches, nothing after the mixing
# says: There is none of (4, 3, 3, 3).
def conv_norm_relu(inputs, outputs, kernel, rate=1):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=rate * (kernel // 2), dilation=rate)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class Pyramid(nn.Module):
    def __init__(self, channels, width, reaches, stride):
        super().__init__()
        self.near = conv_norm_relu(channels, width, 1)  # branch 1
        self.overall = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU())  # branch 5
        self.mix = nn.Conv2d(5 * width, width, 1)
        self.far = nn.ModuleList(conv_norm_relu(channels, width, 1, r // stride) for r in reaches)

    def forward(self, x):
        branches = [self.near(x)]
        for branch in self.far:
            branches.append(branch(x))
        branches.append(self.overall(x.mean((2, 3), keepdim=True)).expand_as(branches[0]))  # one average, everywhere
        return self.mix(torch.cat(branches, dim=1))


def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, reaches, stride)

# %% wrong build_aspp: one module used three times
# fails: the 1 × 1 branch and the average of the map; three rates, in cells; batch normalisation and ReLU in the branches, nothing after the mixing; every weight learns
# says: there is one set of 3 × 3 weights
def conv_norm_relu(inputs, outputs, kernel, rate=1):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=rate * (kernel // 2), dilation=rate)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class Pyramid(nn.Module):
    def __init__(self, channels, width, reaches, stride):
        super().__init__()
        self.near = conv_norm_relu(channels, width, 1)  # branch 1
        self.overall = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU())  # branch 5
        self.mix = nn.Conv2d(5 * width, width, 1)
        self.far = nn.ModuleList([conv_norm_relu(channels, width, 3, reaches[0] // stride)] * 3)

    def forward(self, x):
        branches = [self.near(x)]
        for branch in self.far:
            branches.append(branch(x))
        branches.append(self.overall(x.mean((2, 3), keepdim=True)).expand_as(branches[0]))  # one average, everywhere
        return self.mix(torch.cat(branches, dim=1))


def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, reaches, stride)

# %% wrong build_aspp: bare convolutions, no norm and no ReLU
# fails: batch normalisation and ReLU in the branches, nothing after the mixing
# says: Batch normalisation, before the ReLU, is missing, too.
def conv_norm_relu(inputs, outputs, kernel, rate=1):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=rate * (kernel // 2), dilation=rate)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class Pyramid(nn.Module):
    def __init__(self, channels, width, reaches, stride):
        super().__init__()
        self.near = conv_norm_relu(channels, width, 1)  # branch 1
        self.overall = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU())  # branch 5
        self.mix = nn.Conv2d(5 * width, width, 1)
        self.far = nn.ModuleList(nn.Conv2d(channels, width, 3, padding=r // stride, dilation=r // stride) for r in reaches)

    def forward(self, x):
        branches = [self.near(x)]
        for branch in self.far:
            branches.append(branch(x))
        branches.append(self.overall(x.mean((2, 3), keepdim=True)).expand_as(branches[0]))  # one average, everywhere
        return self.mix(torch.cat(branches, dim=1))


def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, reaches, stride)

# %% wrong build_decoder: classify forgotten
# fails: logits of the fine map's size; the right values; batch normalisation in training, and gradients
# says: expected logits of shape (2, 4, 9, 12)
class Sharpen(nn.Module):
    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.thin = nn.Sequential(nn.Conv2d(fine, reduced, 1), nn.BatchNorm2d(reduced), nn.ReLU())
        both = nn.Conv2d(reduced + coarse, coarse, 3, padding=1)  # the paper has two of these
        self.join = nn.Sequential(both, nn.BatchNorm2d(coarse), nn.ReLU())
        self.classify = nn.Conv2d(coarse, classes, 1)

    def forward(self, maps):
        fine, coarse = self.thin(maps[0]), maps[1]
        coarse = F.interpolate(coarse, fine.shape[2:], mode="bilinear")
        return self.join(torch.cat([fine, coarse], 1))


def build_decoder(fine, coarse, reduced, classes):
    return Sharpen(fine, coarse, reduced, classes)

# %% wrong dilated_conv: counts the windows from one
# fails: rate 1: an ordinary convolution; other rates; kernels of other sizes, batch and channels; gradients flow, arguments stay as they were
# says: The windows begin too late
def dilated_conv(x, weight, rate):
    h, w = x.shape[2:]
    k = weight.shape[-1]
    wide = F.pad(x, [rate * (k // 2)] * 4)  # zeros on all four sides
    total = 0
    for i in range(k):
        for j in range(k):
            window = wide[:, :, (i + 1) * rate : (i + 1) * rate + h, (j + 1) * rate : (j + 1) * rate + w]
            total = total + torch.einsum("bchw,oc->bohw", window, weight[:, :, i, j])
    return total

# %% wrong dilated_conv: rate added once to the tap's number
# fails: rate 1: an ordinary convolution; other rates; kernels of other sizes, batch and channels
# says: The windows begin too late
def dilated_conv(x, weight, rate):
    h, w = x.shape[2:]
    k = weight.shape[-1]
    wide = F.pad(x, [rate * (k // 2)] * 4)  # zeros on all four sides
    total = 0
    for i in range(k):
        for j in range(k):
            window = wide[:, :, i + rate : i + rate + h, j + rate : j + rate + w]
            total = total + torch.einsum("bchw,oc->bohw", window, weight[:, :, i, j])
    return total

# %% wrong field_and_coverage: the corner poked
# fails: the field; the share that is seen; one layer, none, wide ones and many
# says: Poke the middle
def field_and_coverage(rates):
    wide = 4 * sum(rates) + 3
    kernel = torch.ones(1, 1, 3, 3)  # no weight is below 0, so nothing cancels
    out = picture = torch.ones(1, 1, wide, wide, requires_grad=True)
    for rate in rates:
        out = F.conv2d(out, kernel, padding=rate, dilation=rate)
    out[0, 0, 0, 0].backward()
    hit = picture.grad[0, 0] != 0
    rows = torch.where(hit.any(1))[0]
    field = int(rows[-1] - rows[0]) + 1
    return field, hit.sum().item() / field**2

# %% wrong field_and_coverage: share and field swapped
# fails: the field; the share that is seen; one layer, none, wide ones and many
# says: This is the share; the field comes first.
def field_and_coverage(rates):
    wide = 4 * sum(rates) + 3
    kernel = torch.ones(1, 1, 3, 3)  # no weight is below 0, so nothing cancels
    out = picture = torch.ones(1, 1, wide, wide, requires_grad=True)
    for rate in rates:
        out = F.conv2d(out, kernel, padding=rate, dilation=rate)
    out[0, 0, wide // 2, wide // 2].backward()
    hit = picture.grad[0, 0] != 0
    field = 1 + 2 * sum(rates)
    return hit.sum().item() / field**2, field

# %% wrong field_and_coverage: gradient of out's middle row only
# fails: the field; the share that is seen; one layer, none, wide ones and many
# says: the share: expected 0.1296, got 0.176471. This is the whole picture.
def field_and_coverage(rates):
    wide = 4 * sum(rates) + 3
    kernel = torch.ones(1, 1, 3, 3)  # no weight is below 0, so nothing cancels
    out = picture = torch.ones(1, 1, wide, wide, requires_grad=True)
    for rate in rates:
        out = F.conv2d(out, kernel, padding=rate, dilation=rate)
    out[0, 0, wide // 2].sum().backward()
    hit = picture.grad[0, 0] != 0
    rows = torch.where(hit.any(0))[0]
    field = int(rows[-1] - rows[0]) + 1
    return field, hit.sum().item() / field**2

# %% wrong find_lies: append([rates])
# fails: holes that the rule misses; false alarms; rates in any order, single layers
# says: which are lists of rates; it holds a `list`
from itertools import combinations
from math import gcd


def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))


def find_lies(stacks):
    missed, alarms = [], []
    for rates in stacks:
        whole = bool(models.paths(rates).all())  # True: every pixel of the field is seen
        if no_common_factor(rates) and not whole:
            missed.append([rates])
        if not no_common_factor(rates) and whole:
            alarms.append([rates])
    return missed, alarms

# %% wrong find_lies: elif on whole alone
# fails: false alarms
# says: `alarms` holds all stacks without holes.
from itertools import combinations
from math import gcd


def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))


def find_lies(stacks):
    missed, alarms = [], []
    for rates in stacks:
        whole = bool(models.paths(rates).all())  # True: every pixel of the field is seen
        if no_common_factor(rates) and not whole:
            missed.append(rates)
        elif whole:
            alarms.append(rates)
    return missed, alarms

# %% wrong find_lies: insert at the front
# fails: holes that the rule misses; false alarms; rates in any order, single layers
# says: in another order; keep that of `stacks`.
from itertools import combinations
from math import gcd


def no_common_factor(rates):
    return all(gcd(a, b) == 1 for a, b in combinations(rates, 2))


def find_lies(stacks):
    missed, alarms = [], []
    for rates in stacks:
        whole = bool(models.paths(rates).all())  # True: every pixel of the field is seen
        if no_common_factor(rates) and not whole:
            missed.insert(0, rates)
        if not no_common_factor(rates) and whole:
            alarms.insert(0, rates)
    return missed, alarms

# %% wrong schedule: adds rate after taking it off left twice
# fails: rates that add up to the field; no holes; the widest and the narrowest field
# says: Take off `left` what the new layer takes
def schedule(layers, field):
    left, rates = (field - 1) // 2, []
    for later in reversed(range(layers)):  # layers - 1, ..., 1, 0
        rate = min(2 * sum(rates) + 1, left - later)
        rates.append(rate)
        left = left - sum(rates)
    return rates

# %% wrong schedule: powers of three
# fails: rates that add up to the field; no holes; the widest and the narrowest field
# says: These are the largest that the rule allows
def schedule(layers, field):
    left, rates = (field - 1) // 2, []
    for later in reversed(range(layers)):  # layers - 1, ..., 1, 0
        rates.append(3 ** (layers - 1 - later))
    return rates

# %% wrong schedule: powers of two
# fails: rates that add up to the field; no holes; the widest and the narrowest field
# says: Each is twice the one before
def schedule(layers, field):
    left, rates = (field - 1) // 2, []
    for later in reversed(range(layers)):  # layers - 1, ..., 1, 0
        rates.append(2 ** (layers - 1 - later))
    return rates

# %% wrong schedule: return inside
# fails: rates that add up to the field; no holes; the widest and the narrowest field
# says: Does `return` stand inside the loop?
def schedule(layers, field):
    left, rates = (field - 1) // 2, []
    for later in reversed(range(layers)):  # layers - 1, ..., 1, 0
        rate = min(2 * sum(rates) + 1, left - later)
        rates.append(rate)
        left -= rate
        return rates
    return rates

# %% wrong trade_stride: finer grows with every stride, kept or not
# fails: the old map, at every second (fourth, …) place; the cells between, and nothing but the weights given; other kernels and batch normalisation
# says: The dilation counts the strides that stay, too
import copy


def trade_stride(net, output_stride):
    net = copy.deepcopy(net)
    reached, finer = 1, 1  # both of the map that the next layer reads
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            stride = layer.stride[0]  # layer.stride and layer.dilation are pairs: (2, 2)
            layer.dilation = (finer, finer)
            finer *= stride
            if reached == output_stride:
                layer.stride = (1, 1)
            else:
                reached *= stride
            layer.padding = tuple(r * (k - 1) // 2 for r, k in zip(layer.dilation, layer.kernel_size))
    return net

# %% wrong trade_stride: dilation is output_stride after the trade
# fails: the old map, at every second (fourth, …) place; the cells between, and nothing but the weights given; other kernels and batch normalisation
# says: The dilation is the output stride
import copy


def trade_stride(net, output_stride):
    net = copy.deepcopy(net)
    reached, finer = 1, 1  # both of the map that the next layer reads
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            stride = layer.stride[0]  # layer.stride and layer.dilation are pairs: (2, 2)
            if reached == output_stride:
                layer.stride = (1, 1)
                layer.dilation = (output_stride, output_stride)
            else:
                reached *= stride
            layer.padding = tuple(r * (k - 1) // 2 for r, k in zip(layer.dilation, layer.kernel_size))
    return net

# %% wrong trade_stride: reached grows after the stride is gone
# fails: the size of every map; the old map, at every second (fourth, …) place; the cells between, and nothing but the weights given; other kernels and batch normalisation
# says: A stride that is taken away makes `reached` grow, too
import copy


def trade_stride(net, output_stride):
    net = copy.deepcopy(net)
    reached, finer = 1, 1  # both of the map that the next layer reads
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            stride = layer.stride[0]  # layer.stride and layer.dilation are pairs: (2, 2)
            layer.dilation = (finer, finer)
            if reached == output_stride:
                layer.stride = (1, 1)
                finer *= stride
            reached *= stride
            layer.padding = tuple(r * (k - 1) // 2 for r, k in zip(layer.dilation, layer.kernel_size))
    return net

# %% wrong build_aspp: kernel is the rate
# fails: (B, width, H, W), for a map of any size; the 1 × 1 branch and the average of the map; three rates, in cells; batch normalisation and ReLU in the branches, nothing after the mixing; every weight learns
# says: A branch has another size than the map
def conv_norm_relu(inputs, outputs, kernel, rate=1):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=rate * (kernel // 2), dilation=rate)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class Pyramid(nn.Module):
    def __init__(self, channels, width, reaches, stride):
        super().__init__()
        self.near = conv_norm_relu(channels, width, 1)  # branch 1
        self.overall = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU())  # branch 5
        self.mix = nn.Conv2d(5 * width, width, 1)
        self.far = nn.ModuleList(conv_norm_relu(channels, width, r // stride) for r in reaches)

    def forward(self, x):
        branches = [self.near(x)]
        for branch in self.far:
            branches.append(branch(x))
        branches.append(self.overall(x.mean((2, 3), keepdim=True)).expand_as(branches[0]))  # one average, everywhere
        return self.mix(torch.cat(branches, dim=1))


def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, reaches, stride)

# %% wrong build_aspp: stride passed as a convolution's stride
# fails: three rates, in cells
# says: The rate is the stride, 8
def conv_norm_relu(inputs, outputs, kernel, rate=1):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=rate * (kernel // 2), dilation=rate)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class Pyramid(nn.Module):
    def __init__(self, channels, width, reaches, stride):
        super().__init__()
        self.near = conv_norm_relu(channels, width, 1)  # branch 1
        self.overall = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU())  # branch 5
        self.mix = nn.Conv2d(5 * width, width, 1)
        self.far = nn.ModuleList(conv_norm_relu(channels, width, 3, stride) for r in reaches)

    def forward(self, x):
        branches = [self.near(x)]
        for branch in self.far:
            branches.append(branch(x))
        branches.append(self.overall(x.mean((2, 3), keepdim=True)).expand_as(branches[0]))  # one average, everywhere
        return self.mix(torch.cat(branches, dim=1))


def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, reaches, stride)

# %% wrong build_aspp: layers made in forward
# fails: the 1 × 1 branch and the average of the map; three rates, in cells; batch normalisation and ReLU in the branches, nothing after the mixing; every weight learns
# says: are not in `net.parameters()`
def conv_norm_relu(inputs, outputs, kernel, rate=1):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=rate * (kernel // 2), dilation=rate)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class Pyramid(nn.Module):
    def __init__(self, channels, width, reaches, stride):
        super().__init__()
        self.near = conv_norm_relu(channels, width, 1)  # branch 1
        self.overall = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU())  # branch 5
        self.mix = nn.Conv2d(5 * width, width, 1)
        self.rates = [r // stride for r in reaches]
        self.channels, self.width = channels, width

    def forward(self, x):
        branches = [self.near(x)]
        for r in self.rates:
            branches.append(conv_norm_relu(self.channels, self.width, 3, r)(x))
        branches.append(self.overall(x.mean((2, 3), keepdim=True)).expand_as(branches[0]))  # one average, everywhere
        return self.mix(torch.cat(branches, dim=1))


def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, reaches, stride)

# %% wrong build_aspp: only the last branch is kept
# fails: three rates, in cells; every weight learns
# says: This is the third rate, in each of the three places
def conv_norm_relu(inputs, outputs, kernel, rate=1):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=rate * (kernel // 2), dilation=rate)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class Pyramid(nn.Module):
    def __init__(self, channels, width, reaches, stride):
        super().__init__()
        self.near = conv_norm_relu(channels, width, 1)  # branch 1
        self.overall = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU())  # branch 5
        self.mix = nn.Conv2d(5 * width, width, 1)
        self.far = nn.ModuleList(conv_norm_relu(channels, width, 3, r // stride) for r in reaches)

    def forward(self, x):
        branches = [self.near(x)]
        for branch in self.far:
            out = branch(x)
        branches += [out, out, out]
        branches.append(self.overall(x.mean((2, 3), keepdim=True)).expand_as(branches[0]))  # one average, everywhere
        return self.mix(torch.cat(branches, dim=1))


def build_aspp(channels, width, reaches, stride):
    return Pyramid(channels, width, reaches, stride)

# %% wrong build_decoder: adds instead of concatenating
# fails: logits of the fine map's size; the right values; batch normalisation in training, and gradients
# says: put them side by side with `torch.cat`
class Sharpen(nn.Module):
    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.thin = nn.Sequential(nn.Conv2d(fine, reduced, 1), nn.BatchNorm2d(reduced), nn.ReLU())
        both = nn.Conv2d(reduced + coarse, coarse, 3, padding=1)  # the paper has two of these
        self.join = nn.Sequential(both, nn.BatchNorm2d(coarse), nn.ReLU())
        self.classify = nn.Conv2d(coarse, classes, 1)

    def forward(self, maps):
        fine, coarse = self.thin(maps[0]), maps[1]
        coarse = F.interpolate(coarse, fine.shape[2:], mode="bilinear")
        return self.classify(self.join(fine + coarse))


def build_decoder(fine, coarse, reduced, classes):
    return Sharpen(fine, coarse, reduced, classes)

# %% wrong build_decoder: argmax at the end
# fails: logits of the fine map's size; the right values; batch normalisation in training, and gradients
# says: Neither `argmax` nor rounding
class Sharpen(nn.Module):
    def __init__(self, fine, coarse, reduced, classes):
        super().__init__()
        self.thin = nn.Sequential(nn.Conv2d(fine, reduced, 1), nn.BatchNorm2d(reduced), nn.ReLU())
        both = nn.Conv2d(reduced + coarse, coarse, 3, padding=1)  # the paper has two of these
        self.join = nn.Sequential(both, nn.BatchNorm2d(coarse), nn.ReLU())
        self.classify = nn.Conv2d(coarse, classes, 1)

    def forward(self, maps):
        fine, coarse = self.thin(maps[0]), maps[1]
        coarse = F.interpolate(coarse, fine.shape[2:], mode="bilinear")
        return self.classify(self.join(torch.cat([fine, coarse], 1))).argmax(1)


def build_decoder(fine, coarse, reduced, classes):
    return Sharpen(fine, coarse, reduced, classes)
