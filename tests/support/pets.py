"""A tiny Oxford-IIIT Pet."""

import numpy as np
from PIL import Image


def pets(root):
    """Write a tiny data set of Oxford-IIIT Pet's layout into root/: each picture's colours are its trimap, painted."""
    base = root / "oxford-iiit-pet"
    (base / "annotations" / "trimaps").mkdir(parents=True)
    (base / "images").mkdir()
    rng = np.random.default_rng(0)
    for split, breeds in (("trainval", ("Abyssinian", "beagle", "Bengal")), ("test", ("Abyssinian", "beagle"))):
        lines = []
        for number in range(2):
            for label, breed in enumerate(breeds, 1):
                name, (h, w) = f"{breed}_{split}{number}", rng.integers(30, 60, 2)
                truth = np.full((h, w), 2, np.uint8)
                truth[5:20, 5:25], truth[8:17, 8:22] = 3, 1
                Image.fromarray(truth).save(base / "annotations" / "trimaps" / f"{name}.png")
                Image.fromarray((np.stack([truth] * 3, -1) * 80)).save(base / "images" / f"{name}.jpg", quality=95)
                lines.append(f"{name} {label} {2 if breed.islower() else 1} {number + 1}")
        (base / "annotations" / f"{split}.txt").write_text("\n".join(lines) + "\n")
    return root
