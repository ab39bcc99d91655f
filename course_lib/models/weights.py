"""Weights that the course ships, of networks that take minutes to train; tools/train_checkpoints.py made them.

net = models.UNet(classes=2, base=8, depth=3)
net.load_state_dict(models.weights("unet_skips"))
"""

from importlib.resources import files


def shipped():
    """What can be had from `weights`."""
    return sorted(
        p.name.removesuffix(".npz")
        for p in (files("course_lib.models") / "checkpoints").iterdir()
        if p.name.endswith(".npz")
    )


def weights(name):
    """The weights of that name as a state dict: float32 tensors on the CPU (stored as float16), whole numbers as they are.

    ValueError for a name that is not in `shipped()`.
    """
    import numpy as np
    import torch

    if name not in shipped():
        raise ValueError(f"There are no weights {name!r}; there are {', '.join(shipped())}.")
    with (files("course_lib.models") / "checkpoints" / f"{name}.npz").open("rb") as file, np.load(file) as arrays:
        tensors = {key: torch.from_numpy(arrays[key]) for key in arrays.files}
    return {key: t.float() if t.is_floating_point() else t for key, t in tensors.items()}
