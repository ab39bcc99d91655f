"""Answers to lesson 06_losses, right and wrong, by people who saw the student's notebook and not its checks.

Read by tests/answers.py. A wrong answer names its misconception, an input on which it lies, and what it must be told.
"""

# %% right pixel_losses: takes the pixel's largest logit off, gathers the true one
def pixel_losses(logits, target):
    shifted = logits - logits.amax(dim=1, keepdim=True)
    log_p = shifted - shifted.exp().sum(dim=1, keepdim=True).log()
    labelled = target != 255
    picked = log_p.gather(1, (target * labelled)[:, None])[:, 0]
    return torch.where(labelled, -picked, torch.zeros_like(picked))

# %% right pixel_losses: log of a sum of differences to the true logit
def pixel_losses(logits, target):
    labelled = target != 255
    index = torch.where(labelled, target, 0).unsqueeze(1)
    d = logits - torch.take_along_dim(logits, index, dim=1)
    top = d.detach().max(dim=1).values
    return (top + (d - top[:, None]).exp().sum(1).log()) * labelled

# %% right pixel_losses: one class after another, with a running maximum
def pixel_losses(logits, target):
    top, total = logits[:, 0], torch.ones_like(logits[:, 0])
    mine = torch.zeros_like(top)
    for c in range(logits.shape[1]):
        z = logits[:, c]
        if c > 0:
            new = torch.maximum(top, z)
            total = total * (top - new).exp() + (z - new).exp()
            top = new
        mine = mine + z * (target == c)
    return (top + total.log() - mine) * (target < 255)

# %% right pixel_losses: only the labelled pixels are ever computed
def pixel_losses(logits, target):
    out = logits.new_zeros(target.shape)
    keep = target != 255
    z = logits.permute(0, 2, 3, 1)[keep]
    if len(z) == 0:
        return out + 0 * logits.sum(dim=1)
    z = z - z.max(dim=1, keepdim=True)[0]
    loss = torch.log(torch.exp(z).sum(dim=1)) - z[torch.arange(len(z)), target[keep]]
    out[keep] = loss
    return out

# %% right pixel_losses: one-hot by comparison, summed over the classes
def pixel_losses(logits, target):
    classes = torch.arange(logits.size(1), device=logits.device)[None, :, None, None]
    onehot = (target[:, None] == classes).to(logits.dtype)
    top = logits.amax(1, keepdim=True)
    log_sum = top + (logits - top).exp().sum(1, keepdim=True).log()
    return (onehot * (log_sum - logits)).sum(1)

# %% wrong pixel_losses: the formula as typed, without taking the maximum off
# fails: logits of ±1000; gradients flow, arguments stay as they were
# says: Take the largest logit off first, and never compute p itself.
# differs at: logits [1000, 0]
def pixel_losses(logits, target):
    labelled = target != 255
    p = logits.exp() / logits.exp().sum(1, keepdim=True)
    picked = p.gather(1, (target * labelled)[:, None])[:, 0]
    return torch.where(labelled, -picked.log(), torch.zeros_like(picked))

# %% wrong pixel_losses: safe softmax, then the log of a probability that is 0
# fails: logits of ±1000; gradients flow, arguments stay as they were
# says: Take the largest logit off first, and never compute p itself.
# differs at: logits [1000, 0], class 1
def pixel_losses(logits, target):
    labelled = target != 255
    e = (logits - logits.amax(1, keepdim=True)).exp()
    p = e / e.sum(1, keepdim=True)
    picked = p.gather(1, (target * labelled)[:, None])[:, 0]
    return torch.where(labelled, -picked.log(), torch.zeros_like(picked))

# %% wrong pixel_losses: a small number inside the logarithm
# fails: logits of ±1000; gradients flow, arguments stay as they were
# says: Is a small number added to p, or p clamped, so that its logarithm can't be infinite? Don't compute p at all.
# differs at: logits [1000, 0], class 1
def pixel_losses(logits, target):
    labelled = target != 255
    e = (logits - logits.amax(1, keepdim=True)).exp()
    p = e / e.sum(1, keepdim=True)
    picked = p.gather(1, (target * labelled)[:, None])[:, 0]
    return -(picked + 1e-8).log() * labelled

# %% wrong pixel_losses: one maximum for the whole batch
# fails: logits of ±1000
# says: Is one maximum taken off all pixels? Each needs its own:
# differs at: one pixel with logits [1000, 0], another with [-500, -501]
def pixel_losses(logits, target):
    labelled = target != 255
    shifted = logits - logits.max()
    log_p = shifted - shifted.exp().sum(1, keepdim=True).log()
    picked = log_p.gather(1, (target * labelled)[:, None])[:, 0]
    return torch.where(labelled, -picked, torch.zeros_like(picked))

# %% wrong pixel_losses: forgets to take the maximum off the true logit too
# fails: minus the log-probability of the true class; logits of ±1000; ignored pixels cost 0; gradients flow, arguments stay as they were
# says: The largest logit is off in the sum but not in the true logit
# differs at: logits [2, 1]
def pixel_losses(logits, target):
    labelled = target != 255
    shifted = logits - logits.amax(1, keepdim=True)
    picked = logits.gather(1, (target * labelled)[:, None])[:, 0]
    return (shifted.exp().sum(1).log() - picked) * labelled

# %% wrong pixel_losses: ignored pixels are taken for class 0
# fails: ignored pixels cost 0; gradients flow, arguments stay as they were
# says: Ignored pixels are taken for class 0.
# differs at: a pixel of 255
def pixel_losses(logits, target):
    shifted = logits - logits.amax(1, keepdim=True)
    log_p = shifted - shifted.exp().sum(1, keepdim=True).log()
    index = torch.where(target == 255, 0, target)
    return -log_p.gather(1, index[:, None])[:, 0]

# %% wrong pixel_losses: softmax over the last axis
# fails: minus the log-probability of the true class; logits of ±1000; ignored pixels cost 0; gradients flow, arguments stay as they were
# says: The softmax runs over the columns; it should run over the classes, axis 1.
# differs at: any picture
def pixel_losses(logits, target):
    labelled = target != 255
    shifted = logits - logits.amax(-1, keepdim=True)
    log_p = shifted - shifted.exp().sum(-1, keepdim=True).log()
    picked = log_p.gather(1, (target * labelled)[:, None])[:, 0]
    return -picked * labelled

# %% wrong pixel_losses: reshapes where it should move the axis
# fails: minus the log-probability of the true class; ignored pixels cost 0; gradients flow, arguments stay as they were
# says: `reshape` or `view` mixes pixels with classes;
# differs at: any picture
def pixel_losses(logits, target):
    b, c, h, w = logits.shape
    labelled = target != 255
    z = logits.reshape(b, h, w, c)
    z = z - z.amax(-1, keepdim=True)
    log_p = z - z.exp().sum(-1, keepdim=True).log()
    return -log_p.gather(-1, (target * labelled)[..., None])[..., 0] * labelled

# %% wrong pixel_losses: torch's own
# fails: minus the log-probability of the true class; logits of ±1000; ignored pixels cost 0; gradients flow, arguments stay as they were
# says: then you know what it does with ignored pixels and empty masks.
# differs at: nothing; it is not one's own work
def pixel_losses(logits, target):
    return F.cross_entropy(logits, target, ignore_index=255, reduction="none")

# %% wrong pixel_losses: torch's own log_softmax
# fails: minus the log-probability of the true class; logits of ±1000; ignored pixels cost 0; gradients flow, arguments stay as they were
# says: This calls torch's own logarithm of softmax.
# differs at: nothing; it is not one's own work
def pixel_losses(logits, target):
    labelled = target != 255
    return -logits.log_softmax(1).gather(1, (target * labelled)[:, None])[:, 0] * labelled

# %% wrong pixel_losses: writes class 0 into the caller's mask
# fails: gradients flow, arguments stay as they were
# says: Your function changed one of its arguments.
# differs at: a mask with 255, looked at afterwards
def pixel_losses(logits, target):
    labelled = target != 255
    target[~labelled] = 0
    shifted = logits - logits.amax(1, keepdim=True)
    log_p = shifted - shifted.exp().sum(1, keepdim=True).log()
    return -log_p.gather(1, target[:, None])[:, 0] * labelled

# %% wrong pixel_losses: cuts the gradient by building from numbers
# fails: gradients flow, arguments stay as they were
# says: No gradient reaches `logits`.
# differs at: backward
def pixel_losses(logits, target):
    labelled = target != 255
    shifted = (logits - logits.amax(1, keepdim=True)).detach()
    log_p = shifted - shifted.exp().sum(1, keepdim=True).log()
    return -log_p.gather(1, (target * labelled)[:, None])[:, 0] * labelled

# %% wrong pixel_losses: squeezes a batch of one
# fails: minus the log-probability of the true class; logits of ±1000; ignored pixels cost 0
# says: expected shape (1, 1, 2), got (2,).
# differs at: a batch of one
def pixel_losses(logits, target):
    labelled = target != 255
    shifted = logits - logits.amax(1, keepdim=True)
    log_p = shifted - shifted.exp().sum(1, keepdim=True).log()
    return -log_p.gather(1, (target * labelled)[:, None]).squeeze() * labelled.squeeze()

# %% wrong pixel_losses: NaN where nobody labelled
# fails: ignored pixels cost 0
# says: expected 0, got nan.
# differs at: a pixel of 255
def pixel_losses(logits, target):
    labelled = target != 255
    shifted = logits - logits.amax(1, keepdim=True)
    log_p = shifted - shifted.exp().sum(1, keepdim=True).log()
    picked = -log_p.gather(1, (target * labelled)[:, None])[:, 0]
    return torch.where(labelled, picked, torch.full_like(picked, float("nan")))

# %% wrong pixel_losses: the sum of the logarithms instead of the logarithm of the sum
# fails: minus the log-probability of the true class; logits of ±1000; ignored pixels cost 0; gradients flow, arguments stay as they were
# says: This adds up logarithms; take the logarithm of the sum.
def pixel_losses(logits, target):
    """Cross-entropy of each pixel, (B, H, W): logits (B, C, H, W), target (B, H, W); 0 where it is 255."""
    ignored = target == 255
    index = target.masked_fill(ignored, 0).unsqueeze(1)  # (B, 1, H, W), with 0 in place of 255

    shifted = logits - logits.amax(1, keepdim=True)
    log_sum = shifted.exp().log().sum(1)

    own = shifted.gather(1, index).squeeze(1)  # of each pixel's true class
    return (log_sum - own).masked_fill(ignored, 0.0)

# %% wrong pixel_losses: keepdim forgotten: the maxima are broadcast along the batch (right for one picture only)
# fails: minus the log-probability of the true class; logits of ±1000; ignored pixels cost 0; gradients flow, arguments stay as they were
# says: Keep the axis of the classes: `keepdim=True`
def pixel_losses(logits, target):
    """Cross-entropy of each pixel, (B, H, W): logits (B, C, H, W), target (B, H, W); 0 where it is 255."""
    ignored = target == 255
    index = target.masked_fill(ignored, 0).unsqueeze(1)  # (B, 1, H, W), with 0 in place of 255

    shifted = logits - logits.amax(1)
    log_sum = shifted.exp().sum(1).log()

    own = shifted.gather(1, index).squeeze(1)  # of each pixel's true class
    return (log_sum - own).masked_fill(ignored, 0.0)

# %% wrong pixel_losses: the mean of the exps instead of their sum
# fails: minus the log-probability of the true class; logits of ±1000; ignored pixels cost 0
# says: This takes the mean of the exps over the classes
def pixel_losses(logits, target):
    ignored = target == 255
    index = target.masked_fill(ignored, 0).unsqueeze(1)
    shifted = logits - logits.amax(1, keepdim=True)
    log_sum = shifted.exp().mean(1).log()
    own = shifted.gather(1, index).squeeze(1)
    return (log_sum - own).masked_fill(ignored, 0.0)

# %% wrong pixel_losses: forgets the logarithm of the sum
# fails: minus the log-probability of the true class; logits of ±1000; ignored pixels cost 0; gradients flow, arguments stay as they were
# says: The sum of the exps stands there itself; take its logarithm.
def pixel_losses(logits, target):
    ignored = target == 255
    index = target.masked_fill(ignored, 0).unsqueeze(1)
    shifted = logits - logits.amax(1, keepdim=True)
    log_sum = shifted.exp().sum(1)
    own = shifted.gather(1, index).squeeze(1)
    return (log_sum - own).masked_fill(ignored, 0.0)

# %% wrong pixel_losses: one yes-or-no loss a class
# fails: minus the log-probability of the true class; logits of ±1000; ignored pixels cost 0; gradients flow, arguments stay as they were
# says: Each class is asked here whether it is the true one.
def pixel_losses(logits, target):
    ignored = target == 255
    index = target.masked_fill(ignored, 0).unsqueeze(1)
    p = logits.softmax(1).clamp(1e-7, 1 - 1e-7)
    y = torch.zeros_like(p).scatter(1, index, 1.0)
    return -(y * p.log() + (1 - y) * (1 - p).log()).sum(1).masked_fill(ignored, 0.0)

# %% wrong pixel_losses: each pixel's loss over the number of pixels
# fails: minus the log-probability of the true class; logits of ±1000; ignored pixels cost 0; gradients flow, arguments stay as they were
# says: each pixel keeps its own loss.
def pixel_losses(logits, target):
    ignored = target == 255
    index = target.masked_fill(ignored, 0).unsqueeze(1)
    shifted = logits - logits.amax(1, keepdim=True)
    loss = (shifted.exp().sum(1).log() - shifted.gather(1, index).squeeze(1)).masked_fill(ignored, 0.0)
    return loss / (~ignored).sum().clamp(min=1)

# %% wrong pixel_losses: takes the maximum off in place
# fails: gradients flow, arguments stay as they were
# says: Your function changed one of its arguments.
def pixel_losses(logits, target):
    ignored = target == 255
    index = target.masked_fill(ignored, 0).unsqueeze(1)
    logits -= logits.amax(1, keepdim=True)
    return (logits.exp().sum(1).log() - logits.gather(1, index).squeeze(1)).masked_fill(ignored, 0.0)

# %% right logit_gradient: softmax less one-hot, over n
def logit_gradient(logits, target):
    labelled = target != 255
    n = labelled.sum().clamp(min=1)
    onehot = F.one_hot(target * labelled, logits.shape[1]).movedim(-1, 1)
    return (logits.softmax(1) - onehot) * labelled[:, None] / n

# %% right logit_gradient: takes 1 off at the true class by scatter
def logit_gradient(logits, target):
    labelled = target != 255
    g = torch.softmax(logits, dim=1).clone()
    index = target.clone()
    index[~labelled] = 0
    g.scatter_add_(1, index[:, None], -torch.ones_like(g[:, :1]))
    g = torch.where(labelled[:, None], g, torch.zeros_like(g))
    return g / max(int(labelled.sum()), 1)

# %% right logit_gradient: a loop over classes, softmax by hand
def logit_gradient(logits, target):
    labelled = (target != 255).float()
    n = labelled.sum()
    if n == 0:
        return torch.zeros_like(logits)
    e = torch.exp(logits - logits.amax(1, keepdim=True))
    planes = []
    for c in range(logits.shape[1]):
        p = e[:, c] / e.sum(1)
        planes.append((p - (target == c).float()) * labelled / n)
    return torch.stack(planes, dim=1)

# %% right logit_gradient: a loop over the labelled pixels
def logit_gradient(logits, target):
    out = torch.zeros_like(logits)
    where = (target != 255).nonzero().tolist()
    for b, y, x in where:
        out[b, :, y, x] = logits[b, :, y, x].detach().softmax(0)
        out[b, target[b, y, x], y, x] -= 1
    return out / len(where) if where else out

# %% right logit_gradient: only the labelled pixels, as a list
def logit_gradient(logits, target):
    keep = target != 255
    out = torch.zeros_like(logits).movedim(1, -1).contiguous()
    rows = logits.detach().movedim(1, -1)[keep].softmax(-1)
    rows = rows - torch.eye(logits.shape[1])[target[keep]]
    out[keep] = rows / max(1, len(rows))
    return out.movedim(-1, 1)

# %% wrong logit_gradient: lets torch do it
# fails: softmax less one-hot; ignored pixels: no pull, not counted; nothing labelled, arguments stay as they were
# says: This lets torch work the gradient out.
# differs at: nothing; it is not one's own work
def logit_gradient(logits, target):
    z = logits.detach().clone().requires_grad_()
    n = (target != 255).sum().clamp(min=1)
    (F.cross_entropy(z, target, ignore_index=255, reduction="sum") / n).backward()
    return z.grad

# %% wrong logit_gradient: divides by all pixels
# fails: ignored pixels: no pull, not counted
# says: This divides by all 40 pixels;
# differs at: a mask with 255
def logit_gradient(logits, target):
    labelled = target != 255
    onehot = F.one_hot(target * labelled, logits.shape[1]).movedim(-1, 1)
    return (logits.softmax(1) - onehot) * labelled[:, None] / target.numel()

# %% wrong logit_gradient: 0 / 0 where nothing is labelled
# fails: nothing labelled, arguments stay as they were
# says: Divide by at least 1.
# differs at: a mask of 255 only
def logit_gradient(logits, target):
    labelled = target != 255
    onehot = F.one_hot(target * labelled, logits.shape[1]).movedim(-1, 1)
    return (logits.softmax(1) - onehot) * labelled[:, None] / labelled.sum()

# %% wrong logit_gradient: the way a step goes, not the gradient
# fails: softmax less one-hot; ignored pixels: no pull, not counted
# says: The sign is turned round: it is softmax less one-hot.
# differs at: any
def logit_gradient(logits, target):
    labelled = target != 255
    n = labelled.sum().clamp(min=1)
    onehot = F.one_hot(target * labelled, logits.shape[1]).movedim(-1, 1)
    return (onehot - logits.softmax(1)) * labelled[:, None] / n

# %% wrong logit_gradient: ignored pixels keep their softmax
# fails: ignored pixels: no pull, not counted; nothing labelled, arguments stay as they were
# says: At ignored pixels the softmax is left over;
# differs at: a pixel of 255
def logit_gradient(logits, target):
    labelled = target != 255
    n = labelled.sum().clamp(min=1)
    onehot = F.one_hot(target * labelled, logits.shape[1]).movedim(-1, 1) * labelled[:, None]
    return (logits.softmax(1) - onehot) / n

# %% wrong logit_gradient: ignored pixels are class 0
# fails: ignored pixels: no pull, not counted; nothing labelled, arguments stay as they were
# says: Ignored pixels are taken for class 0.
# differs at: a pixel of 255
def logit_gradient(logits, target):
    labelled = target != 255
    n = labelled.sum().clamp(min=1)
    onehot = F.one_hot(target * labelled, logits.shape[1]).movedim(-1, 1)
    return (logits.softmax(1) - onehot) / n

# %% wrong logit_gradient: the mean of each image's mean
# fails: ignored pixels: no pull, not counted
# says: count the labelled pixels of the whole batch together.
# differs at: two images with different numbers of labelled pixels
def logit_gradient(logits, target):
    labelled = target != 255
    n = labelled.flatten(1).sum(1).clamp(min=1)[:, None, None, None]
    onehot = F.one_hot(target * labelled, logits.shape[1]).movedim(-1, 1)
    return (logits.softmax(1) - onehot) * labelled[:, None] / n / len(logits)

# %% wrong logit_gradient: classes last
# fails: softmax less one-hot; ignored pixels: no pull, not counted; nothing labelled, arguments stay as they were
# says: expected shape (1, 3, 1, 2), got (1, 1, 2, 3).
# differs at: the shape
def logit_gradient(logits, target):
    labelled = target != 255
    n = labelled.sum().clamp(min=1)
    onehot = F.one_hot(target * labelled, logits.shape[1])
    return (logits.movedim(1, -1).softmax(-1) - onehot) * labelled[..., None] / n

# %% wrong logit_gradient: only the true class is pulled
# fails: softmax less one-hot; ignored pixels: no pull, not counted
# says: Only the true class is pulled;
# differs at: any: the others are pushed down too
def logit_gradient(logits, target):
    labelled = target != 255
    n = labelled.sum().clamp(min=1)
    onehot = F.one_hot(target * labelled, logits.shape[1]).movedim(-1, 1)
    return (logits.softmax(1) - 1) * onehot * labelled[:, None] / n

# %% wrong logit_gradient: softmax as typed
# fails: softmax less one-hot
# says: Take each pixel's largest logit off before `exp`, or use `softmax`.
# differs at: logits of 1000
def logit_gradient(logits, target):
    labelled = target != 255
    n = labelled.sum().clamp(min=1)
    onehot = F.one_hot(target * labelled, logits.shape[1]).movedim(-1, 1)
    p = logits.exp() / logits.exp().sum(1, keepdim=True)
    return (p - onehot) * labelled[:, None] / n

# %% wrong logit_gradient: writes into the mask
# fails: nothing labelled, arguments stay as they were
# says: Your function changed one of its arguments.
# differs at: the mask afterwards
def logit_gradient(logits, target):
    labelled = target != 255
    n = labelled.sum().clamp(min=1)
    target[~labelled] = 0
    onehot = F.one_hot(target, logits.shape[1]).movedim(-1, 1)
    return (logits.softmax(1) - onehot) * labelled[:, None] / n

# %% wrong logit_gradient: a mean for each picture (right for one picture only)
# fails: ignored pixels: no pull, not counted
# says: This is the mean of each image's mean
def logit_gradient(logits, target):
    """Gradient (B, C, H, W) of the mean cross-entropy over labelled pixels, by formula."""
    known = target != 255  # (B, H, W)
    one_hot = F.one_hot(target.masked_fill(~known, 0), logits.shape[1]).movedim(-1, 1)

    n = known.sum((1, 2)).clamp(min=1)[:, None, None, None]
    return (logits.softmax(1) - one_hot) * known.unsqueeze(1) / n / len(logits)

# %% wrong logit_gradient: softmax over the columns instead of the classes
# fails: softmax less one-hot; ignored pixels: no pull, not counted
# says: The softmax runs over the columns
def logit_gradient(logits, target):
    """Gradient (B, C, H, W) of the mean cross-entropy over labelled pixels, by formula."""
    known = target != 255  # (B, H, W)
    one_hot = F.one_hot(target.masked_fill(~known, 0), logits.shape[1]).movedim(-1, 1)

    return (logits.softmax(-1) - one_hot) * known.unsqueeze(1) / known.sum().clamp(min=1)

# %% wrong logit_gradient: divides by known.sum() + 1 to be safe
# fails: softmax less one-hot; ignored pixels: no pull, not counted
# says: This divides by one more than there are labelled pixels.
def logit_gradient(logits, target):
    """Gradient (B, C, H, W) of the mean cross-entropy over labelled pixels, by formula."""
    known = target != 255  # (B, H, W)
    one_hot = F.one_hot(target.masked_fill(~known, 0), logits.shape[1]).movedim(-1, 1)

    return (logits.softmax(1) - one_hot) * known.unsqueeze(1) / (known.sum() + 1)

# %% wrong logit_gradient: sigmoid for softmax
# fails: softmax less one-hot; ignored pixels: no pull, not counted
# says: This takes the sigmoid; take the softmax.
def logit_gradient(logits, target):
    known = target != 255
    one_hot = F.one_hot(target.masked_fill(~known, 0), logits.shape[1]).movedim(-1, 1)
    return (logits.sigmoid() - one_hot) * known.unsqueeze(1) / known.sum().clamp(min=1)

# %% wrong logit_gradient: the forces without their signs
# fails: softmax less one-hot; ignored pixels: no pull, not counted
# says: Every sign is plus here; at the true class p − 1 is below 0.
def logit_gradient(logits, target):
    known = target != 255
    one_hot = F.one_hot(target.masked_fill(~known, 0), logits.shape[1]).movedim(-1, 1)
    return (logits.softmax(1) - one_hot).abs() * known.unsqueeze(1) / known.sum().clamp(min=1)

# %% wrong logit_gradient: divides by the pixels of one image
# fails: softmax less one-hot; ignored pixels: no pull, not counted
# says: This divides by the pixels of one image
def logit_gradient(logits, target):
    known = target != 255
    one_hot = F.one_hot(target.masked_fill(~known, 0), logits.shape[1]).movedim(-1, 1)
    return (logits.softmax(1) - one_hot) * known.unsqueeze(1) / (target.shape[1] * target.shape[2])

# %% wrong logit_gradient: the slope of the softmax once more
# fails: softmax less one-hot; ignored pixels: no pull, not counted
# says: The slope of the softmax, p (1 − p), is in it once more
def logit_gradient(logits, target):
    known = target != 255
    one_hot = F.one_hot(target.masked_fill(~known, 0), logits.shape[1]).movedim(-1, 1)
    p = logits.softmax(1)
    return (p - one_hot) * p * (1 - p) * known.unsqueeze(1) / known.sum().clamp(min=1)

# %% wrong logit_gradient: NaN wherever there is a label
# fails: softmax less one-hot; ignored pixels: no pull, not counted; nothing labelled, arguments stay as they were
# says: expected a pull on every pixel, got NaN.
def logit_gradient(logits, target):
    known = target != 255
    return torch.where(known.unsqueeze(1), torch.nan, torch.zeros_like(logits))

# %% right weighted_mean: a lookup, with zeros written at the ignored
def weighted_mean(values, target, weights):
    labelled = target != 255
    w = weights[target * labelled] * labelled
    v = torch.where(labelled, values, torch.zeros_like(values))
    total = w.sum()
    return (v * w).sum() / torch.where(total > 0, total, torch.ones_like(total))

# %% right weighted_mean: only the labelled, by boolean index
def weighted_mean(values, target, weights):
    keep = target != 255
    w = weights[target[keep]]
    if w.sum() == 0:
        return values[keep].sum() * 0
    return values[keep].mul(w).sum().div(w.sum())

# %% right weighted_mean: a loop over classes
def weighted_mean(values, target, weights):
    top = bottom = torch.zeros(())
    for c, w in enumerate(weights):
        here = target == c
        top = top + w * values[here].sum()
        bottom = bottom + w * here.sum()
    return top / bottom if bottom > 0 else torch.zeros(())

# %% right weighted_mean: a dot product of flat lists
def weighted_mean(values, target, weights):
    v, t = values.flatten(), target.flatten()
    v, t = v[t < 255], t[t < 255]
    w = torch.index_select(weights, 0, t)
    return torch.dot(v, w / w.sum()) if w.sum() > 0 else v.new_zeros(())

# %% right weighted_mean: a table of 256 weights
def weighted_mean(values, target, weights):
    table = torch.cat([weights, weights.new_zeros(256 - len(weights))])
    w = table[target]
    total = w.sum()
    if total == 0:
        return torch.tensor(0.0)
    return (values.masked_fill(target == 255, 0.0) * w).sum() / total

# %% wrong weighted_mean: divides by the number of labelled pixels
# fails: weights of the classes; ignored pixels don't count; no weight at all gives 0; gradients flow, arguments stay as they were
# says: divide by the sum of their weights.
# differs at: weights of 2
def weighted_mean(values, target, weights):
    keep = target != 255
    return (values[keep] * weights[target[keep]]).sum() / keep.sum().clamp(min=1)

# %% wrong weighted_mean: divides by the sum of the classes' weights
# fails: weights of the classes; ignored pixels don't count; gradients flow, arguments stay as they were
# says: divide by the sum over pixels, each with its class's weight.
# differs at: three pixels of one class
def weighted_mean(values, target, weights):
    keep = target != 255
    return (values[keep] * weights[target[keep]]).sum() / weights.sum()

# %% wrong weighted_mean: the ignored weigh in the denominator
# fails: ignored pixels don't count; gradients flow, arguments stay as they were
# says: In the denominator ignored pixels are taken for class 0.
# differs at: a pixel of 255
def weighted_mean(values, target, weights):
    labelled = target != 255
    w = weights[target * labelled]
    v = torch.where(labelled, values, torch.zeros_like(values))
    return (v * w).sum() / w.sum() if w.sum() > 0 else v.sum() * 0

# %% wrong weighted_mean: NaN times 0 at the ignored
# fails: ignored pixels don't count
# says: 0 · ∞ is NaN, so multiplying by a mask is not enough;
# differs at: NaN under a pixel of 255
def weighted_mean(values, target, weights):
    labelled = target != 255
    w = weights[target * labelled] * labelled
    return (values * w).sum() / w.sum() if w.sum() > 0 else (values * 0).sum()

# %% wrong weighted_mean: 0 / 0 where nothing is labelled
# fails: no weight at all gives 0
# says: For a target that is 255 everywhere: expected 0, got NaN: something is divided by 0.
# differs at: a mask of 255 only
def weighted_mean(values, target, weights):
    keep = target != 255
    w = weights[target[keep]]
    return (values[keep] * w).sum() / w.sum()

# %% wrong weighted_mean: guards against no labels, but not against a sum of 0
# fails: no weight at all gives 0
# says: whose weight is 0: expected 0, got NaN: something is divided by 0.
# differs at: only class 0, of weight 0
def weighted_mean(values, target, weights):
    keep = target != 255
    if not keep.any():
        return values[keep].sum()
    w = weights[target[keep]]
    return (values[keep] * w).sum() / w.sum()

# %% wrong weighted_mean: takes any sum of weights below 1 for 1
# fails: no weight at all gives 0
# says: Is the sum of the weights held at 1 or more? Small weights are weights, too.
# differs at: one pixel of weight 0.1
def weighted_mean(values, target, weights):
    keep = target != 255
    w = weights[target[keep]]
    return (values[keep] * w).sum() / w.sum().clamp(min=1)

# %% wrong weighted_mean: a Python number
# fails: weights of the classes; ignored pixels don't count; no weight at all gives 0; gradients flow, arguments stay as they were
# says: return a scalar tensor, so that gradients can flow.
# differs at: backward
def weighted_mean(values, target, weights):
    keep = target != 255
    w = weights[target[keep]]
    return ((values[keep] * w).sum() / w.sum()).item() if w.sum() > 0 else 0.0

# %% wrong weighted_mean: a mean for each class, then their weighted mean
# fails: weights of the classes; ignored pixels don't count; gradients flow, arguments stay as they were
# says: This takes a mean for each class first;
# differs at: classes of different sizes
def weighted_mean(values, target, weights):
    top = bottom = torch.zeros(())
    for c, w in enumerate(weights):
        here = target == c
        if here.any():
            top, bottom = top + w * values[here].mean(), bottom + w
    return top / bottom if bottom > 0 else torch.zeros(())

# %% wrong weighted_mean: empties the ignored pixels of the caller's map
# fails: gradients flow, arguments stay as they were
# says: Your function changed one of its arguments.
# differs at: values afterwards
def weighted_mean(values, target, weights):
    labelled = target != 255
    w = weights[target * labelled] * labelled
    values.data[~labelled] = 0
    return (values * w).sum() / w.sum() if w.sum() > 0 else values.sum() * 0

# %% wrong weighted_mean: a tensor of shape (1,)
# fails: weights of the classes; ignored pixels don't count; no weight at all gives 0; gradients flow, arguments stay as they were
# says: return a scalar tensor, whose shape is ().
# differs at: the shape
def weighted_mean(values, target, weights):
    keep = target != 255
    w = weights[target[keep]]
    total = (values[keep] * w).sum() / w.sum() if w.sum() > 0 else values[keep].sum() * 0
    return total[None]

# %% wrong weighted_mean: torch's own, with losses for log-probabilities
# fails: weights of the classes; ignored pixels don't count; no weight at all gives 0; gradients flow, arguments stay as they were
# says: then you know what it does with ignored pixels and empty masks.
# differs at: nothing labelled, and it is not one's own work
def weighted_mean(values, target, weights):
    return F.nll_loss(-values[:, None].expand(-1, len(weights), -1, -1), target, weights, ignore_index=255)

# %% wrong weighted_mean: weights scaled to a mean of 1, then a plain mean over the pixels
# fails: weights of the classes; ignored pixels don't count; gradients flow, arguments stay as they were
# says: The weights are scaled to a mean of 1
def weighted_mean(values, target, weights):
    """The mean of values (B, H, W) over labelled pixels, weighted by each pixel's class."""
    chosen = target != 255

    w = (weights / weights.mean())[target[chosen]]
    top, bottom = (values[chosen] * w).sum(), chosen.sum().float()

    return top / torch.where(bottom > 0, bottom, 1.0)

# %% wrong weighted_mean: a smooth of 1 in the denominator
# fails: weights of the classes; ignored pixels don't count; no weight at all gives 0; gradients flow, arguments stay as they were
# says: 1 is added to the sum of the weights.
def weighted_mean(values, target, weights):
    """The mean of values (B, H, W) over labelled pixels, weighted by each pixel's class."""
    chosen = target != 255

    w = weights[target[chosen]]
    top, bottom = (values[chosen] * w).sum(), w.sum() + 1

    return top / torch.where(bottom > 0, bottom, 1.0)

# %% wrong weighted_mean: weights class 1 by weights[0]: index off by one
# fails: weights of the classes; ignored pixels don't count; no weight at all gives 0; gradients flow, arguments stay as they were
# says: the index is off by one.
def weighted_mean(values, target, weights):
    """The mean of values (B, H, W) over labelled pixels, weighted by each pixel's class."""
    chosen = target != 255

    w = weights[(target[chosen] - 1).clamp(min=0)]
    top, bottom = (values[chosen] * w).sum(), w.sum()

    return top / torch.where(bottom > 0, bottom, 1.0)

# %% wrong weighted_mean: the weights squared
# fails: weights of the classes; ignored pixels don't count; no weight at all gives 0; gradients flow, arguments stay as they were
# says: The weights are in it twice, squared.
def weighted_mean(values, target, weights):
    chosen = target != 255
    w = weights[target[chosen]]
    top, bottom = (values[chosen] * w * w).sum(), (w * w).sum()
    return top / torch.where(bottom > 0, bottom, 1.0)

# %% wrong weighted_mean: each image for itself
# fails: weights of the classes; ignored pixels don't count
# says: This is the mean of each image's mean; take all pixels of the batch together.
def weighted_mean(values, target, weights):
    out = []
    for v, m in zip(values, target):
        c = m != 255
        w = weights[m[c]]
        out.append((v[c] * w).sum() / w.sum().clamp(min=1e-9))
    return torch.stack(out).mean()

# %% wrong weighted_mean: the background left out
# fails: weights of the classes; ignored pixels don't count; no weight at all gives 0; gradients flow, arguments stay as they were
# says: Class 0 is left out; it is a class like the others.
def weighted_mean(values, target, weights):
    chosen = (target != 255) & (target != 0)
    w = weights[target[chosen]]
    top, bottom = (values[chosen] * w).sum(), w.sum()
    return top / torch.where(bottom > 0, bottom, 1.0)

# %% wrong weighted_mean: 255 clamped to the last class
# fails: ignored pixels don't count; no weight at all gives 0; gradients flow, arguments stay as they were
# says: Ignored pixels are taken for the last class.
def weighted_mean(values, target, weights):
    w = weights[target.clamp(max=len(weights) - 1)]
    top, bottom = (values * w).sum(), w.sum()
    return top / torch.where(bottom > 0, bottom, 1.0)

# %% right rarity_weights: whole columns at once
def rarity_weights(counts):
    c = counts.double()
    occurs = c.sum(0) > 0
    share = c.sum(0) / c.sum()
    room = ((c > 0) * c.sum(1, keepdim=True)).sum(0)
    among = c.sum(0) / room.clamp(min=1)
    out = []
    for s in (share, among):
        w = torch.where(occurs, 1 / s.clamp(min=1e-300), torch.zeros_like(s))
        out.append((w / w[occurs].mean()).float())
    return tuple(out)

# %% right rarity_weights: a loop over classes in plain numbers
def rarity_weights(counts):
    rows = counts.tolist()
    everything = sum(map(sum, rows))
    first, second = [], []
    for c in range(counts.shape[1]):
        mine = sum(r[c] for r in rows)
        room = sum(sum(r) for r in rows if r[c] > 0)
        first.append(everything / mine if mine else 0.0)
        second.append(room / mine if mine else 0.0)
    scale = lambda ws: torch.tensor([w * sum(1 for v in ws if v) / sum(ws) for w in ws])
    return scale(first), scale(second)

# %% right rarity_weights: leaves everything that scales away out
def rarity_weights(counts):
    mine = counts.sum(dim=0).float()
    there = mine > 0
    room = torch.einsum("nc,n->c", (counts > 0).float(), counts.sum(dim=1).float())
    one, two = torch.zeros_like(mine), torch.zeros_like(mine)
    one[there] = 1 / mine[there]
    two[there] = room[there] / mine[there]
    n = there.sum()
    return one * n / one.sum(), two * n / two.sum()

# %% right rarity_weights: median frequency, which scales to the same
def rarity_weights(counts):
    def scaled(frequency):
        median = frequency[frequency > 0].median()
        w = (median / frequency).nan_to_num(posinf=0.0)
        return w / w.sum() * (frequency > 0).sum()
    mine = counts.sum(0).float()
    room = torch.stack([counts[counts[:, c] > 0].sum() for c in range(counts.shape[1])]).float()
    return scaled(mine / counts.sum()), scaled((mine / room).nan_to_num())

# %% wrong rarity_weights: scales over all classes
# fails: a class that occurs nowhere
# says: The mean is taken over all classes;
# differs at: a class that never occurs
def rarity_weights(counts):
    c = counts.float()
    n = c.sum(0)
    room = ((c > 0) * c.sum(1, keepdim=True)).sum(0)
    first = torch.where(n > 0, c.sum() / n, 0.0)
    second = torch.where(n > 0, room / n, 0.0)
    return first / first.mean(), second / second.mean()

# %% wrong rarity_weights: infinity for a class that never occurs
# fails: a class that occurs nowhere
# says: Class 1 occurs nowhere, and one over nothing is infinite.
# differs at: a class that never occurs
def rarity_weights(counts):
    c = counts.float()
    room = ((c > 0) * c.sum(1, keepdim=True)).sum(0)
    first, second = c.sum() / c.sum(0), room / c.sum(0)
    return first / first.mean(), second / second.mean()

# %% wrong rarity_weights: counts an absent class as one pixel
# fails: a class that occurs nowhere
# says: occurs nowhere, and its weight in the first weights is
# differs at: a class that never occurs
def rarity_weights(counts):
    c = counts.float()
    n = c.sum(0).clamp(min=1)
    room = ((c > 0) * c.sum(1, keepdim=True)).sum(0).clamp(min=1)
    first, second = c.sum() / n, room / n
    return first / first.mean(), second / second.mean()

# %% wrong rarity_weights: the second is the first again
# fails: share of the images with the class; a class that occurs nowhere; large counts, and an image without labels
# says: These are the weights of the other rule.
# differs at: a class that is not in all images
def rarity_weights(counts):
    n = counts.sum(0).float()
    w = torch.where(n > 0, counts.sum() / n, 0.0)
    w = w / w[n > 0].mean()
    return w, w.clone()

# %% wrong rarity_weights: the other way round
# fails: share of the whole set; share of the images with the class; a class that occurs nowhere; large counts, and an image without labels
# says: These are the weights of the other rule.
# differs at: a class that is not in all images
def rarity_weights(counts):
    c = counts.float()
    n = c.sum(0)
    room = ((c > 0) * c.sum(1, keepdim=True)).sum(0)
    first = torch.where(n > 0, c.sum() / n, 0.0)
    second = torch.where(n > 0, room / n, 0.0)
    return second / second[n > 0].mean(), first / first[n > 0].mean()

# %% wrong rarity_weights: the mean of the shares in each image
# fails: share of the images with the class; a class that occurs nowhere
# says: This averages each image's share;
# differs at: images of different sizes
def rarity_weights(counts):
    c = counts.float()
    n = c.sum(0)
    share = c / c.sum(1, keepdim=True).clamp(min=1)
    inside = share.sum(0) / (c > 0).sum(0).clamp(min=1)
    first = torch.where(n > 0, c.sum() / n, 0.0)
    second = torch.where(n > 0, 1 / inside, 0.0)
    return first / first[n > 0].mean(), second / second[n > 0].mean()

# %% wrong rarity_weights: scaled to a largest weight of 1
# fails: share of the whole set; share of the images with the class; a class that occurs nowhere; large counts, and an image without labels
# says: expected float32 tensor [0.1, 1.9], got float32 tensor [0.053, 1.0].
# differs at: any
def rarity_weights(counts):
    c = counts.float()
    n = c.sum(0)
    room = ((c > 0) * c.sum(1, keepdim=True)).sum(0)
    first = torch.where(n > 0, c.sum() / n, 0.0)
    second = torch.where(n > 0, room / n, 0.0)
    return first / first.max(), second / second.max()

# %% wrong rarity_weights: counts images, not pixels
# fails: share of the images with the class; a class that occurs nowhere; large counts, and an image without labels
# says: This counts in how many images a class occurs;
# differs at: a class that is small in every image
def rarity_weights(counts):
    c = counts.float()
    n = c.sum(0)
    first = torch.where(n > 0, c.sum() / n, 0.0)
    images = (c > 0).sum(0)
    second = torch.where(images > 0, len(c) / images.clamp(min=1), 0.0)
    return first / first[n > 0].mean(), second / second[n > 0].mean()

# %% wrong rarity_weights: the share itself
# fails: share of the whole set; share of the images with the class; a class that occurs nowhere; large counts, and an image without labels
# says: frequent classes get the large weights.
# differs at: any: common classes get the weight
def rarity_weights(counts):
    c = counts.float()
    n = c.sum(0)
    room = ((c > 0) * c.sum(1, keepdim=True)).sum(0).clamp(min=1)
    first, second = n / c.sum(), n / room
    return first / first[n > 0].mean(), second / second[n > 0].mean()

# %% wrong rarity_weights: divides by the number of images with the class
# fails: share of the images with the class; a class that occurs nowhere; large counts, and an image without labels
# says: This divides by the number of images with the class;
# differs at: images of different sizes
def rarity_weights(counts):
    c = counts.float()
    n = c.sum(0)
    inside = n / (c > 0).sum(0).clamp(min=1)
    first = torch.where(n > 0, c.sum() / n, 0.0)
    second = torch.where(n > 0, 1 / inside, 0.0)
    return first / first[n > 0].mean(), second / second[n > 0].mean()

# %% wrong rarity_weights: writes into the counts
# fails: a class that occurs nowhere
# says: Your function changed one of its arguments.
# differs at: counts afterwards
def rarity_weights(counts):
    occurs = counts.sum(0) > 0
    c = counts
    room = ((c > 0) * c.sum(1, keepdim=True)).sum(0)
    total = c.sum()
    c[0, ~occurs] = 1
    first = total / c.sum(0) * occurs
    second = room / c.sum(0)
    return first / first[occurs].mean(), second / second[occurs].mean()

# %% wrong rarity_weights: the library's own
# fails: share of the whole set; share of the images with the class; a class that occurs nowhere; large counts, and an image without labels
# says: the counting is what the two rules differ in.
# differs at: the second weights, and it is not one's own work
def rarity_weights(counts):
    return losses.class_weights(counts.sum(0)), losses.class_weights(counts.sum(0), "median")

# %% wrong rarity_weights: ENet's logarithm 1 / ln(1.02 + share)
# fails: share of the whole set; share of the images with the class; a class that occurs nowhere; large counts, and an image without labels
# says: There is a logarithm in these weights.
def rarity_weights(counts):
    """Two weights (C,) from pixel counts (N, C): by share of the set, by share of the images with the class."""
    pixels = counts.sum(0).double()  # (C,): of each class, in the whole set
    occurs = pixels > 0
    labelled = counts.sum(1, keepdim=True)  # (N, 1): of each image, all classes together

    share = pixels / pixels.sum()
    first = torch.where(occurs, 1 / torch.log(1.02 + share), 0.0)
    share = pixels / (labelled * (counts > 0)).sum(0).clamp(min=1)
    second = torch.where(occurs, 1 / torch.log(1.02 + share), 0.0)

    return tuple((w / w[occurs].mean()).float() for w in (first, second))

# %% wrong rarity_weights: one less the share
# fails: share of the whole set; share of the images with the class; a class that occurs nowhere; large counts, and an image without labels
# says: This is 1 less the share; a weight is 1 *over* the share.
def rarity_weights(counts):
    pixels = counts.sum(0).double(); occurs = pixels > 0
    labelled = counts.sum(1, keepdim=True)
    first = torch.where(occurs, 1 - pixels / labelled.sum(), 0.0)
    second = torch.where(occurs, 1 - pixels / ((counts > 0) * labelled).sum(0).clamp(min=1), 0.0)
    return tuple((w / w[occurs].mean()).float() for w in (first, second))

# %% wrong rarity_weights: sums in int32, which overflow
# fails: large counts, and an image without labels
# says: For the first weights of counts [[3000000000,
def rarity_weights(counts):
    counts = counts.int()
    pixels = counts.sum(0, dtype=torch.int32).double(); occurs = pixels > 0
    labelled = counts.sum(1, keepdim=True)
    first = torch.where(occurs, labelled.sum() / pixels.clamp(min=1), 0.0)
    second = torch.where(occurs, ((counts > 0) * labelled).sum(0) / pixels.clamp(min=1), 0.0)
    return tuple((w / w[occurs].mean()).float() for w in (first, second))

# %% wrong rarity_weights: the images without the class
# fails: share of the images with the class; a class that occurs nowhere; large counts, and an image without labels
# says: These are the pixels of the images *without* the class
def rarity_weights(counts):
    pixels = counts.sum(0).double(); occurs = pixels > 0
    labelled = counts.sum(1, keepdim=True)
    first = torch.where(occurs, labelled.sum() / pixels.clamp(min=1), 0.0)
    second = torch.where(occurs, ((counts == 0) * labelled).sum(0) / pixels.clamp(min=1), 0.0)
    return tuple((w / w[occurs].mean()).float() for w in (first, second))

# %% wrong rarity_weights: whole-number division
# fails: share of the whole set; share of the images with the class; a class that occurs nowhere; large counts, and an image without labels
# says: This divides to whole numbers, as `//` does; use `/`.
def rarity_weights(counts):
    pixels = counts.sum(0); occurs = pixels > 0
    labelled = counts.sum(1, keepdim=True)
    first = torch.where(occurs, labelled.sum() // pixels.clamp(min=1), 0).double()
    second = torch.where(occurs, ((counts > 0) * labelled).sum(0) // pixels.clamp(min=1), 0).double()
    return tuple((w / w[occurs].mean()).float() for w in (first, second))

# %% right focal: keeps the base of the power off zero
def focal(log_p, gamma):
    wrong = (1 - log_p.exp()).clamp(min=1e-12)
    return -(wrong**gamma) * log_p

# %% right focal: computes only where something is left to learn
def focal(log_p, gamma):
    if gamma == 0:
        return -log_p
    left = log_p < 0
    safe = torch.where(left, log_p, -torch.ones_like(log_p))
    return torch.where(left, -((-torch.expm1(safe)) ** gamma) * safe, torch.zeros_like(log_p))

# %% right focal: in logarithms
def focal(log_p, gamma):
    tiny = 1e-30
    return -log_p * torch.exp(gamma * torch.log(-torch.expm1(log_p) + tiny))

# %% right focal: a gradient of its own
class Factor(torch.autograd.Function):
    @staticmethod
    def forward(ctx, l, gamma):
        ctx.save_for_backward(l)
        ctx.gamma = gamma
        return -((1 - l.exp()) ** gamma) * l

    @staticmethod
    def backward(ctx, upstream):
        (l,), g = ctx.saved_tensors, ctx.gamma
        p, q = l.exp(), 1 - l.exp()
        slope = -(q**g)
        if g > 0:
            slope = slope + torch.where(q > 0, g * q.clamp(min=1e-12) ** (g - 1) * p * l, torch.zeros_like(l))
        return upstream * slope, None


def focal(log_p, gamma):
    return Factor.apply(log_p, gamma)

# %% wrong focal: the formula as typed
# fails: gradients through both factors, finite everywhere
# says: At p = 1 the slope of (1 − p) to the power of 0.5 is infinite, and it is multiplied with ln p = 0.
# differs at: the gradient at ln p = 0 with γ = 0.5
def focal(log_p, gamma):
    return -((1 - log_p.exp()) ** gamma) * log_p

# %% wrong focal: the factor is a constant
# fails: gradients through both factors, finite everywhere
# says: the gradient takes (1 − p) to the power of gamma for a constant.
# differs at: the gradient
def focal(log_p, gamma):
    return -((1 - log_p.exp().detach()) ** gamma) * log_p

# %% wrong focal: focuses on the easy
# fails: values; from p = 1 to p = 0; gradients through both factors, finite everywhere
# says: it turns the volume down where the network is wrong.
# differs at: p = 0.9
def focal(log_p, gamma):
    return -(log_p.exp().clamp(min=1e-30) ** gamma) * log_p

# %% wrong focal: times gamma and not to its power
# fails: values; gamma 0 is cross-entropy; from p = 1 to p = 0; gradients through both factors, finite everywhere
# says: it is the exponent of (1 − p).
# differs at: γ = 2
def focal(log_p, gamma):
    return -(1 - log_p.exp()) * gamma * log_p

# %% wrong focal: one less the power
# fails: values; gamma 0 is cross-entropy; from p = 1 to p = 0; gradients through both factors, finite everywhere
# says: the power is of (1 − p), in brackets.
# differs at: γ = 2
def focal(log_p, gamma):
    return -(1 - log_p.exp().clamp(min=1e-30) ** gamma) * log_p

# %% wrong focal: forgets the minus
# fails: values; gamma 0 is cross-entropy; from p = 1 to p = 0; gradients through both factors, finite everywhere
# says: ln p is negative, and the loss is not.
# differs at: any
def focal(log_p, gamma):
    return (1 - log_p.exp()).clamp(min=1e-12) ** gamma * log_p

# %% wrong focal: whole γ only
# fails: values; from p = 1 to p = 0; gradients through both factors, finite everywhere
# says: gamma is cut to a whole number here
# differs at: γ = 0.5
def focal(log_p, gamma):
    out = -log_p
    for _ in range(int(gamma)):
        out = out * (1 - log_p.exp())
    return out

# %% wrong focal: always γ = 2
# fails: values; gamma 0 is cross-entropy; from p = 1 to p = 0; gradients through both factors, finite everywhere
# says: This is right for gamma = 2 only; use the argument.
# differs at: γ = 0
def focal(log_p, gamma):
    return -((1 - log_p.exp()) ** 2) * log_p

# %% wrong focal: a logarithm of the rounded probability
# fails: gamma 0 is cross-entropy; from p = 1 to p = 0; gradients through both factors, finite everywhere
# says: so don't take the logarithm of it again: ln p is given.
# differs at: ln p = -1000
def focal(log_p, gamma):
    p = log_p.exp()
    return -((1 - p).clamp(min=1e-12) ** gamma) * p.log()

# %% wrong focal: caps the loss at 100
# fails: gamma 0 is cross-entropy; from p = 1 to p = 0; gradients through both factors, finite everywhere
# says: The largest losses are cut off;
# differs at: ln p = -1000
def focal(log_p, gamma):
    log_p = log_p.clamp(min=-100)
    return -((1 - log_p.exp()).clamp(min=1e-12) ** gamma) * log_p

# %% wrong focal: with the paper's alpha of 0.25
# fails: values; gamma 0 is cross-entropy; from p = 1 to p = 0; gradients through both factors, finite everywhere
# says: There is one more factor in it, 0.25, the α of the paper.
# differs at: p = 0.5
def focal(log_p, gamma):
    return -0.25 * (1 - log_p.exp()).clamp(min=1e-12) ** gamma * log_p

# %% wrong focal: shifts the argument in place
# fails: from p = 1 to p = 0
# says: Your function changed one of its arguments.
# differs at: log_p afterwards
def focal(log_p, gamma):
    with torch.no_grad():
        log_p.clamp_(max=-1e-6)
    return -((1 - log_p.exp()) ** gamma) * log_p

# %% wrong focal: the library's own, on logits that give back p
# fails: values; gamma 0 is cross-entropy; from p = 1 to p = 0; gradients through both factors, finite everywhere
# says: then you know what it does with ignored pixels and empty masks.
# differs at: nothing; it is not one's own work
def focal(log_p, gamma):
    rest = torch.log((-torch.expm1(log_p)).clamp(min=1e-38))
    nothing = torch.zeros(1, 1, 1, dtype=torch.int64)
    pixels = [torch.stack([a, b]).reshape(1, 2, 1, 1) for a, b in zip(log_p.flatten(), rest.flatten())]
    return torch.stack([losses.focal_loss(z, nothing, gamma) for z in pixels]).view_as(log_p)

# %% wrong focal: γ cut to a whole number
# fails: values; from p = 1 to p = 0; gradients through both factors, finite everywhere
# says: gamma is cut to a whole number here
def focal(log_p, gamma):
    return -(1 - log_p.exp()).clamp(min=1e-8) ** int(gamma) * log_p

# %% wrong focal: guards with a coarse eps of 0.01
# fails: values; from p = 1 to p = 0; gradients through both factors, finite everywhere
# says: is so large that it shows; 1e-12 is enough
def focal(log_p, gamma):
    return -(1 - log_p.exp() + 0.01) ** gamma * log_p

# %% wrong focal: holds 1 − p at a thousandth
# fails: from p = 1 to p = 0; gradients through both factors, finite everywhere
# says: Is 1 − p held away from 0 by more than a hair?
def focal(log_p, gamma):
    return -(1 - log_p.exp()).clamp(min=1e-3) ** gamma * log_p

# %% wrong focal: one power too many
# fails: values; gamma 0 is cross-entropy; from p = 1 to p = 0; gradients through both factors, finite everywhere
# says: The power is one too high: is there another factor of 1 − p?
def focal(log_p, gamma):
    return -(1 - log_p.exp()).clamp(min=1e-12) ** (gamma + 1) * log_p

# %% wrong focal: γ rounded up to a whole number
# fails: values; from p = 1 to p = 0; gradients through both factors, finite everywhere
# says: gamma is rounded up to a whole number; it may be any number.
def focal(log_p, gamma):
    import math
    return -(1 - log_p.exp()).clamp(min=1e-12) ** math.ceil(gamma) * log_p

# %% wrong focal: the cross-entropy is a constant
# fails: gradients through both factors, finite everywhere
# says: the gradient takes the second factor, ln p, for a constant.
def focal(log_p, gamma):
    return -(1 - log_p.exp()).clamp(min=1e-12) ** gamma * log_p.detach()

# %% right two_lies: two classes, in rows
def two_lies():
    first = torch.full((1, 10, 10), 255)
    first[0, 0, 0], first[0, 0, 1] = 0, 1
    z1 = torch.zeros(1, 2, 10, 10)
    z1[:, 0] = 10.0
    z1[:, :, 0, 1] = torch.tensor([0.0, 10.0])
    second = torch.zeros(1, 300, 300, dtype=torch.int64)
    z2 = torch.tensor([6.0, 0.0])[None, :, None, None].expand(1, 2, 300, 300)
    return (z1, first), (z2, second)

# %% right two_lies: many classes, a batch
def two_lies():
    whole = torch.arange(20 * 20 * 5).reshape(5, 20, 20) % 4
    z = 12.0 * F.one_hot(whole, 4).movedim(-1, 1)
    mask = whole.clone()
    mask[1:] = 255
    absent = torch.zeros(4, 64, 64, dtype=torch.long)
    w = 9.0 * F.one_hot(absent, 21).movedim(-1, 1).float()
    return (z, mask), (w, absent)

# %% right two_lies: ignored pixels called something that is rare
def two_lies():
    t1 = torch.tensor([0, 1, 2] + [255] * 50)[None, None]
    c1 = torch.tensor([0, 1, 2] + [2] * 25 + [1] * 25)[None, None]
    z1 = 30.0 * torch.stack([c1 == c for c in range(3)], dim=1)
    t2 = torch.randint(0, 2, (2, 100, 100))
    z2 = torch.stack([8.0 * (t2 == c) for c in range(8)], dim=1)
    return [(z1, t1), (z2, t2)]

# %% right two_lies: log-probabilities for logits
def two_lies():
    p = torch.full((1, 3, 50, 40), 0.005)
    t = torch.zeros(1, 50, 40, dtype=torch.int64)
    p[:, 0] = 0.99 + 0.0001
    q = p.clone()
    u = torch.full_like(t, 255)
    for c in range(3):
        u[0, 0, c] = c
        q[0, :, 0, c] = 0.001
        q[0, c, 0, c] = 0.998
    return (q.log(), u), (p.log(), t)

# %% wrong two_lies: the other way round
# fails: ignored pixels; absent classes
# says: In the first input no pixel is ignored.
# differs at: the first has no ignored pixel
def two_lies():
    whole = torch.arange(2000).reshape(5, 20, 20) % 4
    z = 12.0 * F.one_hot(whole, 4).movedim(-1, 1)
    mask = whole.clone()
    mask[1:] = 255
    absent = torch.zeros(4, 64, 64, dtype=torch.long)
    w = 9.0 * F.one_hot(absent, 21).movedim(-1, 1).float()
    return (w, absent), (z, mask)

# %% wrong two_lies: the first is simply a wrong answer
# fails: ignored pixels
# says: The first input is no right answer everywhere:
# differs at: the first: a labelled pixel is wrong
def two_lies():
    t = torch.tensor([[[0, 1, 0, 255]]])
    z = 10.0 * F.one_hot(torch.tensor([[[1, 0, 1, 0]]]), 2).movedim(-1, 1)
    absent = torch.zeros(4, 64, 64, dtype=torch.long)
    w = 9.0 * F.one_hot(absent, 21).movedim(-1, 1).float()
    return (z, t), (w, absent)

# %% wrong two_lies: too few crumbs
# fails: absent classes
# says: more pixels, or less lead, or more classes that are absent.
# differs at: the second costs 0.005
def two_lies():
    whole = torch.arange(2000).reshape(5, 20, 20) % 4
    z = 12.0 * F.one_hot(whole, 4).movedim(-1, 1)
    mask = whole.clone()
    mask[1:] = 255
    return (z, mask), (torch.tensor([6.0, 0.0])[None, :, None, None].expand(1, 2, 2, 2), torch.zeros(1, 2, 2, dtype=torch.long))

# %% wrong two_lies: too few pixels ignored
# fails: ignored pixels
# says: it should cost more than 0.3.
# differs at: the first costs 0.1
def two_lies():
    whole = torch.arange(2000).reshape(5, 20, 20) % 4
    z = 12.0 * F.one_hot(whole, 4).movedim(-1, 1)
    mask = whole.clone()
    mask[0, 0] = 255
    absent = torch.zeros(4, 64, 64, dtype=torch.long)
    w = 9.0 * F.one_hot(absent, 21).movedim(-1, 1).float()
    return (z, mask), (w, absent)

# %% wrong two_lies: the second is unsure
# fails: absent classes
# says: The second input is no right answer everywhere:
# differs at: the second: p is about 0.5 at labelled pixels
def two_lies():
    whole = torch.arange(2000).reshape(5, 20, 20) % 4
    z = 12.0 * F.one_hot(whole, 4).movedim(-1, 1)
    mask = whole.clone()
    mask[1:] = 255
    absent = torch.zeros(4, 64, 64, dtype=torch.long)
    w = 3.0 * F.one_hot(absent, 21).movedim(-1, 1).float()
    return (z, mask), (w, absent)

# %% wrong two_lies: the first has nothing labelled
# fails: ignored pixels
# says: The first input's target should hold classes 0 to 1 and 255, and something must be labelled;
# differs at: the first
def two_lies():
    z = torch.randn(1, 2, 30, 30) * 10
    absent = torch.zeros(4, 64, 64, dtype=torch.long)
    w = 9.0 * F.one_hot(absent, 21).movedim(-1, 1).float()
    return (z, torch.full((1, 30, 30), 255)), (w, absent)

# %% wrong two_lies: the first leaves a class out as well
# fails: ignored pixels
# says: In the first input every class should occur;
# differs at: the first: class 3 does not occur
def two_lies():
    whole = torch.arange(2000).reshape(5, 20, 20) % 3
    z = 12.0 * F.one_hot(whole, 4).movedim(-1, 1)
    mask = whole.clone()
    mask[1:] = 255
    absent = torch.zeros(4, 64, 64, dtype=torch.long)
    w = 9.0 * F.one_hot(absent, 21).movedim(-1, 1).float()
    return (z, mask), (w, absent)

# %% wrong two_lies: the second has ignored pixels
# fails: absent classes
# says: In the second input no pixel should be ignored.
# differs at: the second
def two_lies():
    whole = torch.arange(2000).reshape(5, 20, 20) % 4
    z = 12.0 * F.one_hot(whole, 4).movedim(-1, 1)
    mask = whole.clone()
    mask[1:] = 255
    absent = torch.zeros(4, 64, 64, dtype=torch.long)
    w = 9.0 * F.one_hot(absent, 21).movedim(-1, 1).float()
    absent[0, 0] = 255
    return (z, mask), (w, absent)

# %% wrong two_lies: every class of the second occurs
# fails: absent classes
# says: In the second input every class occurs;
# differs at: the second
def two_lies():
    whole = torch.arange(2000).reshape(5, 20, 20) % 4
    z = 12.0 * F.one_hot(whole, 4).movedim(-1, 1)
    mask = whole.clone()
    mask[1:] = 255
    t = torch.zeros(1, 300, 300, dtype=torch.long)
    t[0, 0, 0] = 1
    w = 5.0 * F.one_hot(t, 2).movedim(-1, 1).float()
    return (z, mask), (w, t)

# %% wrong two_lies: a picture that is too large
# fails: absent classes
# says: The second input has 2 classes and 1,000,000 pixels;
# differs at: the second has a million pixels
def two_lies():
    whole = torch.arange(2000).reshape(5, 20, 20) % 4
    z = 12.0 * F.one_hot(whole, 4).movedim(-1, 1)
    mask = whole.clone()
    mask[1:] = 255
    t = torch.zeros(1, 1000, 1000, dtype=torch.long)
    return (z, mask), (torch.tensor([9.0, 0.0])[None, :, None, None].expand(1, 2, 1000, 1000), t)

# %% wrong two_lies: a mask of floats
# fails: ignored pixels; absent classes
# says: In the first input, `logits` should be a float tensor (B, C, H, W) and `target` an int64 tensor (B, H, W);
# differs at: the dtype
def two_lies():
    whole = torch.arange(2000).reshape(5, 20, 20) % 4
    z = 12.0 * F.one_hot(whole, 4).movedim(-1, 1)
    mask = whole.clone()
    mask[1:] = 255
    absent = torch.zeros(4, 64, 64, dtype=torch.long)
    w = 9.0 * F.one_hot(absent, 21).movedim(-1, 1).float()
    return (z, mask.float()), (w, absent.float())

# %% wrong two_lies: four things in a row
# fails: ignored pixels; absent classes
# says: Expected two pairs, `(logits, target), (logits, target)`, got a `tuple`:
# differs at: not a pair of pairs
def two_lies():
    whole = torch.arange(2000).reshape(5, 20, 20) % 4
    z = 12.0 * F.one_hot(whole, 4).movedim(-1, 1)
    mask = whole.clone()
    mask[1:] = 255
    absent = torch.zeros(4, 64, 64, dtype=torch.long)
    w = 9.0 * F.one_hot(absent, 21).movedim(-1, 1).float()
    return z, mask, w, absent

# %% wrong two_lies: hands in probabilities instead of logits
# fails: absent classes
# says: These are probabilities already;
def two_lies():
    """Two inputs (logits, target) of copied_dice: right, and punished by more than 0.3."""
    def certain(guess, classes):
        """Logits (B, C, H, W) that give the classes in guess (B, H, W) a probability above 0.99."""
        return 8.0 * F.one_hot(guess, classes).movedim(-1, 1)


    guess = torch.zeros(1, 64, 64, dtype=torch.int64)
    guess[0, 0, 1] = 1
    target = torch.full_like(guess, 255)
    target[0, 0, :2] = torch.tensor([0, 1])
    first = certain(guess, 2), target

    mask = torch.zeros(1, 300, 300, dtype=torch.int64)
    return first, (certain(mask, 2).softmax(1), mask)

# %% wrong two_lies: NaN on ignored pixels
# fails: ignored pixels
# says: The first input's logits hold NaN or infinity
def two_lies():
    t = torch.full((1, 10, 10), 255); t[0, 0, :2] = torch.arange(2)
    z = 8.0 * F.one_hot(t.clamp(max=1), 2).movedim(-1, 1)
    z[:, :, 5:] = float("nan")
    m = torch.zeros(1, 200, 200, dtype=torch.int64)
    return (z, t), (8.0 * F.one_hot(m, 2).movedim(-1, 1), m)

# %% right soft_dice: masks, one-hot, sums
def soft_dice(probabilities, target):
    labelled = target != 255
    t = F.one_hot(target * labelled, probabilities.shape[1]).movedim(-1, 1) * labelled[:, None]
    p = probabilities * labelled[:, None]
    size = t.sum(dim=(0, 2, 3))
    if size.sum() == 0:
        return p.sum() * 0
    dice = 2 * (p * t).sum(dim=(0, 2, 3)) / (p.sum(dim=(0, 2, 3)) + size).clamp(min=1e-12)
    return 1 - dice[size > 0].mean()

# %% right soft_dice: a loop over the classes that occur
def soft_dice(probabilities, target):
    keep = target != 255
    scores = []
    for c in target[keep].unique().tolist():
        p, t = probabilities[:, c][keep], target[keep] == c
        scores.append(2 * p[t].sum() / (p.sum() + t.sum()))
    return 1 - sum(scores) / len(scores) if scores else torch.zeros(())

# %% right soft_dice: a matrix product over the list of labelled pixels
def soft_dice(probabilities, target):
    keep = target != 255
    p = probabilities.permute(0, 2, 3, 1)[keep]
    if not len(p):
        return probabilities.new_tensor(0.0)
    t = torch.eye(probabilities.shape[1], dtype=p.dtype)[target[keep]]
    table = t.T @ p
    shared, truth, called = table.diagonal(), table.sum(1), table.sum(0)
    here = t.sum(0) > 0
    return (1 - 2 * shared[here] / (t.sum(0)[here] + called[here])).mean()

# %% right soft_dice: sums by index_add
def soft_dice(probabilities, target):
    classes = probabilities.shape[1]
    flat = target.flatten()
    p = probabilities.movedim(1, 0).reshape(classes, -1)[:, flat < 255]
    flat = flat[flat < 255]
    own = p.gather(0, flat[None])[0]
    shared = torch.zeros(classes).index_add(0, flat, own)
    size = torch.bincount(flat, minlength=classes)
    loss = torch.where(size > 0, 1 - 2 * shared / (p.sum(1) + size).clamp(min=1e-9), 0.0)
    return loss.sum() / (size > 0).sum().clamp(min=1)

# %% wrong soft_dice: ignored pixels stay in the prediction's sum
# fails: ignored pixels are in no sum; nothing labelled, gradients, arguments stay
# says: Σ p runs over ignored pixels too: the first lie.
# differs at: a pixel of 255
def soft_dice(probabilities, target):
    labelled = target != 255
    t = F.one_hot(target * labelled, probabilities.shape[1]).movedim(-1, 1) * labelled[:, None]
    size = t.sum(dim=(0, 2, 3))
    if size.sum() == 0:
        return probabilities.sum() * 0
    dice = 2 * (probabilities * t).sum(dim=(0, 2, 3)) / (probabilities.sum(dim=(0, 2, 3)) + size)
    return 1 - dice[size > 0].mean()

# %% wrong soft_dice: the mean of all classes, absent ones included
# fails: classes that don't occur
# says: classes that don't occur must stay out: the second lie.
# differs at: a class that does not occur
def soft_dice(probabilities, target):
    labelled = target != 255
    t = F.one_hot(target * labelled, probabilities.shape[1]).movedim(-1, 1) * labelled[:, None]
    p = probabilities * labelled[:, None]
    if not labelled.any():
        return p.sum() * 0
    return 1 - (2 * (p * t).sum(dim=(0, 2, 3)) / (p + t).sum(dim=(0, 2, 3)).clamp(min=1e-12)).mean()

# %% wrong soft_dice: an absent class is right
# fails: classes that don't occur
# says: A class that doesn't occur counts as a Dice of 1;
# differs at: a class that does not occur
def soft_dice(probabilities, target):
    labelled = target != 255
    t = F.one_hot(target * labelled, probabilities.shape[1]).movedim(-1, 1) * labelled[:, None]
    p = probabilities * labelled[:, None]
    size = t.sum(dim=(0, 2, 3))
    dice = 2 * (p * t).sum(dim=(0, 2, 3)) / (p.sum(dim=(0, 2, 3)) + size).clamp(min=1e-12)
    return 1 - torch.where(size > 0, dice, torch.ones_like(dice)).mean()

# %% wrong soft_dice: a smooth of 1
# fails: shared over both, for the batch; ignored pixels are in no sum; classes that don't occur; nothing labelled, gradients, arguments stay
# says: There is a `smooth` of 1 left in it.
# differs at: the example
def soft_dice(probabilities, target):
    labelled = target != 255
    t = F.one_hot(target * labelled, probabilities.shape[1]).movedim(-1, 1) * labelled[:, None]
    p = probabilities * labelled[:, None]
    size = t.sum(dim=(0, 2, 3))
    if size.sum() == 0:
        return p.sum() * 0
    dice = (2 * (p * t).sum(dim=(0, 2, 3)) + 1) / (p.sum(dim=(0, 2, 3)) + size + 1)
    return 1 - dice[size > 0].mean()

# %% wrong soft_dice: NaN where nothing is labelled
# fails: nothing labelled, gradients, arguments stay
# says: Is it the mean of no classes at all?
# differs at: a mask of 255 only
def soft_dice(probabilities, target):
    labelled = target != 255
    t = F.one_hot(target * labelled, probabilities.shape[1]).movedim(-1, 1) * labelled[:, None]
    p = probabilities * labelled[:, None]
    size = t.sum(dim=(0, 2, 3))
    dice = 2 * (p * t).sum(dim=(0, 2, 3)) / (p.sum(dim=(0, 2, 3)) + size)
    return 1 - dice[size > 0].mean()

# %% wrong soft_dice: each image for itself
# fails: shared over both, for the batch; ignored pixels are in no sum; classes that don't occur
# says: the sums should run over the whole batch together.
# differs at: two images
def soft_dice(probabilities, target):
    losses_ = []
    for p, t in zip(probabilities, target):
        keep = t != 255
        dice = [2 * p[c][t == c].sum() / (p[c][keep].sum() + (t == c).sum()) for c in t[keep].unique().tolist()]
        if dice:
            losses_.append(1 - sum(dice) / len(dice))
    return sum(losses_) / len(losses_) if losses_ else probabilities.sum() * 0

# %% wrong soft_dice: all classes in one sum
# fails: shared over both, for the batch; ignored pixels are in no sum; classes that don't occur; nothing labelled, gradients, arguments stay
# says: work out one Dice for each class, then their mean.
# differs at: classes of different sizes
def soft_dice(probabilities, target):
    labelled = target != 255
    t = F.one_hot(target * labelled, probabilities.shape[1]).movedim(-1, 1) * labelled[:, None]
    p = probabilities * labelled[:, None]
    if not labelled.any():
        return p.sum() * 0
    return 1 - 2 * (p * t).sum() / (p + t).sum()

# %% wrong soft_dice: the decided prediction
# fails: shared over both, for the batch; ignored pixels are in no sum; classes that don't occur; nothing labelled, gradients, arguments stay
# says: This counts whole pixels, by `argmax`;
# differs at: the example; no gradient
def soft_dice(probabilities, target):
    keep = target != 255
    hard = probabilities.argmax(1)[keep]
    scores = []
    for c in target[keep].unique().tolist():
        p, t = (hard == c).float(), target[keep] == c
        scores.append(2 * p[t].sum() / (p.sum() + t.sum()))
    return 1 - sum(scores) / len(scores) if scores else probabilities.sum() * 0

# %% wrong soft_dice: the soft IoU
# fails: shared over both, for the batch; ignored pixels are in no sum; classes that don't occur; nothing labelled, gradients, arguments stay
# says: Dice is twice what they share over the *sum* of both.
# differs at: the example
def soft_dice(probabilities, target):
    keep = target != 255
    scores = []
    for c in target[keep].unique().tolist():
        p, t = probabilities[:, c][keep], target[keep] == c
        scores.append(p[t].sum() / (p.sum() + t.sum() - p[t].sum()))
    return 1 - sum(scores) / len(scores) if scores else probabilities.sum() * 0

# %% wrong soft_dice: forgets the 2
# fails: shared over both, for the batch; ignored pixels are in no sum; classes that don't occur; nothing labelled, gradients, arguments stay
# says: twice what they share, over the sum of both.
# differs at: the example
def soft_dice(probabilities, target):
    keep = target != 255
    scores = []
    for c in target[keep].unique().tolist():
        p, t = probabilities[:, c][keep], target[keep] == c
        scores.append(p[t].sum() / (p.sum() + t.sum()))
    return 1 - sum(scores) / len(scores) if scores else probabilities.sum() * 0

# %% wrong soft_dice: ignored pixels are class 0
# fails: ignored pixels are in no sum; nothing labelled, gradients, arguments stay
# says: Ignored pixels are taken for class 0.
# differs at: a pixel of 255
def soft_dice(probabilities, target):
    target = torch.where(target == 255, 0, target)
    scores = []
    for c in target.unique().tolist():
        p, t = probabilities[:, c], target == c
        scores.append(2 * p[t].sum() / (p.sum() + t.sum()))
    return 1 - sum(scores) / len(scores)

# %% wrong soft_dice: the library's own
# fails: shared over both, for the batch; ignored pixels are in no sum; classes that don't occur; nothing labelled, gradients, arguments stay
# says: then you know what it does with ignored pixels and empty masks.
# differs at: nothing; it is not one's own work
def soft_dice(probabilities, target):
    return losses.dice_loss(probabilities.clamp(min=1e-30).log(), target, smooth=0.0)

# %% wrong soft_dice: empties the ignored pixels in place
# fails: nothing labelled, gradients, arguments stay
# says: Your function changed one of its arguments.
# differs at: probabilities afterwards
def soft_dice(probabilities, target):
    keep = target != 255
    probabilities.data.mul_(keep[:, None])
    scores = []
    for c in target[keep].unique().tolist():
        p, t = probabilities[:, c], target == c
        scores.append(2 * p[t].sum() / (p.sum() + t.sum()))
    return 1 - sum(scores) / len(scores) if scores else probabilities.sum() * 0

# %% wrong soft_dice: recall
# fails: shared over both, for the batch; ignored pixels are in no sum; classes that don't occur; nothing labelled, gradients, arguments stay
# says: This is recall, over the truth alone.
def soft_dice(probabilities, target):
    keep = target != 255
    scores = []
    for c in target[keep].unique().tolist():
        p, t = probabilities[:, c][keep], target[keep] == c
        scores.append(p[t].sum() / t.sum())
    return 1 - sum(scores) / len(scores) if scores else probabilities.sum() * 0

# %% wrong soft_dice: each class weighted by its pixels
# fails: shared over both, for the batch; ignored pixels are in no sum; classes that don't occur; nothing labelled, gradients, arguments stay
# says: Each class is weighted by its pixels here; each has one vote.
def soft_dice(probabilities, target):
    keep = target != 255
    scores, n = [], 0
    for c in target[keep].unique().tolist():
        p, t = probabilities[:, c][keep], target[keep] == c
        scores.append(2 * p[t].sum() / (p.sum() + t.sum()) * t.sum()); n += t.sum()
    return 1 - sum(scores) / n if scores else probabilities.sum() * 0

# %% wrong soft_dice: the sum over the classes
# fails: shared over both, for the batch; ignored pixels are in no sum; classes that don't occur; nothing labelled, gradients, arguments stay
# says: This is the sum over the classes; take their mean.
def soft_dice(probabilities, target):
    keep = target != 255
    scores = []
    for c in target[keep].unique().tolist():
        p, t = probabilities[:, c][keep], target[keep] == c
        scores.append(1 - 2 * p[t].sum() / (p.sum() + t.sum()))
    return sum(scores) if scores else probabilities.sum() * 0

# %% wrong soft_dice: the last class left out
# fails: shared over both, for the batch; ignored pixels are in no sum; nothing labelled, gradients, arguments stay
# says: The last class is left out; it is a class like the others.
def soft_dice(probabilities, target):
    keep = target != 255
    scores = []
    for c in range(probabilities.shape[1] - 1):
        p, t = probabilities[:, c][keep], target[keep] == c
        if t.any(): scores.append(2 * p[t].sum() / (p.sum() + t.sum()))
    return 1 - sum(scores) / len(scores) if scores else probabilities.sum() * 0
