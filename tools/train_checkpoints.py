"""Train the networks whose weights the package ships: `PYTHONPATH=. python tools/train_checkpoints.py [NAME ...]`.

Each writes course_lib/models/checkpoints/NAME.npz, float16. On one thread of one machine the result repeats to the
bit; elsewhere it differs in the last digits, and what the lessons say of it holds all the same.
"""

import sys
from pathlib import Path

import numpy as np
import torch

from course_lib import data, models, train

FOLDER = Path(__file__).resolve().parent.parent / "course_lib" / "models" / "checkpoints"


def save(name, net):
    """The state dict of a network as float16, whole numbers as they are."""
    arrays = {key: value.cpu().numpy() for key, value in net.state_dict().items()}
    arrays = {key: a.astype(np.float16) if a.dtype.kind == "f" else a for key, a in arrays.items()}
    FOLDER.mkdir(exist_ok=True)
    np.savez_compressed(FOLDER / f"{name}.npz", **arrays)


def unet(skip):
    """Lesson 04: animal or background, with all skips or with zeros in their place; two and a half minutes each."""
    torch.manual_seed(0)
    net = models.EncoderDecoder(classes=2, base=8, depth=3, skip=skip)
    train.fit(net, data.scenes("train", 64, target="instance", length=12000), steps=2400, lr=2e-3, title=skip)
    return net


RECIPES = {"unet_skips": lambda: unet("concat"), "unet_closed": lambda: unet("zero")}


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in sys.argv[1:] or RECIPES:
        if name not in RECIPES:
            sys.exit(f"There is no {name!r} to train; there are {', '.join(RECIPES)}.")
        save(name, RECIPES[name]())
        print(f"{name}: {(FOLDER / f'{name}.npz').stat().st_size / 1024:.0f} KB")
