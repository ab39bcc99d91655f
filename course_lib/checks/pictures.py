"""What a verdict shows beside its words: yours and the expected, side by side. Each function returns a Figure."""

import torch

from course_lib.labels import IGNORE

TITLES = ["yours", "expected"]


def maps(got, want):
    """The first map of each: of the first picture, its first channel.

    got, want  tensors (…, H, W) of any dtype
    """
    from course_lib import plot

    return plot.grid([m.detach().float().reshape(-1, *m.shape[-2:])[0] for m in (got, want)], TITLES)


def masks(got, want):
    """Two label maps; where labels are below 0 or above 20 they are numbered anew, so that colours tell them apart.

    got, want  int tensors (H, W); a `got` of floats is drawn in grey, and so is `want` then
    """
    from course_lib import plot

    if got.is_floating_point():
        return plot.grid([got, want.float()], TITLES)
    seen = [v for v in torch.cat([got.flatten(), want.flatten()]).unique().tolist() if v != IGNORE]
    new = {v: i for i, v in enumerate(seen)} if seen and (seen[0] < 0 or seen[-1] > 20) else {v: v for v in seen}
    drawn = [torch.tensor([new.get(v, IGNORE) for v in m.flatten().tolist()]).reshape(m.shape) for m in (got, want)]
    return plot.grid(drawn, TITLES)
