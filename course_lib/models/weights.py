"""Weights that the course ships, of networks that take minutes to train; tools/train_checkpoints.py made them.

net = models.UNet(classes=2, base=8, depth=3)
net.load_state_dict(models.weights("unet_skips"))
"""

from importlib.resources import files

import numpy as np
import torch

FOLDER = files("course_lib.models") / "checkpoints"


def shipped():
    """The names that `weights` knows, in alphabetical order."""
    return sorted(file.name.removesuffix(".npz") for file in FOLDER.iterdir() if file.name.endswith(".npz"))


def weights(name):
    """The weights of that name as a state dict, for `load_state_dict`: tensors on the CPU.

    name  one of `shipped()`; ValueError for another

    What is stored as float16 comes as float32, whole numbers as they are.
    """
    if name not in shipped():
        raise ValueError(f"There are no weights {name!r}; there are {', '.join(shipped())}.")
    with (FOLDER / f"{name}.npz").open("rb") as file, np.load(file) as arrays:
        tensors = {key: torch.from_numpy(arrays[key]) for key in arrays.files}
    return {key: t.float() if t.is_floating_point() else t for key, t in tensors.items()}
