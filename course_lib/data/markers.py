"""A data set in which only context tells: grey discs, all alike, whose class is the colour of a marker far away."""

import math

import torch
from torch.utils.data import Dataset

from course_lib.labels import BLUE, IGNORE, ORANGE

CLASSES = ("orange", "blue")


class Markers(Dataset):
    """Scenes with one disc and one marker: (image float32 (3, size, size) in [0, 1], mask int64 (size, size)).

    length    number of scenes; scene i follows from (seed, i) alone
    size      pixels, at least 2 * distance + 12
    distance  pixels from the disc's middle to the marker, which lies in any direction
    seed      another seed, other scenes

    The disc has a radius of 3 pixels, the marker is 2x2 pixels, orange or blue. The mask holds the marker's colour,
    0 or 1, on the disc, and 255 (not labelled) everywhere else: the one question is what class the disc has.
    """

    classes = CLASSES

    def __init__(self, length=1000, size=48, distance=10, seed=0):
        if size < 2 * distance + 12:
            raise ValueError(
                f"A marker {distance} px from its disc needs scenes of at least {2 * distance + 12} px, not {size}."
            )
        self.length, self.size, self.distance, self.seed = length, size, distance, seed

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        if not 0 <= index < self.length:
            raise IndexError(f"There is no scene {index}; there are {self.length}.")
        draw = torch.Generator().manual_seed(self.seed * 1_000_003 + index)
        image = 0.5 + 0.05 * torch.randn(3, self.size, self.size, generator=draw)
        mask = torch.full((self.size, self.size), IGNORE)
        rim = self.distance + 3
        row, column = torch.randint(rim, self.size - rim, (2,), generator=draw).tolist()
        angle = 2 * math.pi * torch.rand(1, generator=draw).item()
        colour = index % 2  # as many of one class as of the other, so that guessing is right half the time
        rows, columns = torch.arange(self.size)[:, None], torch.arange(self.size)
        disc = (rows - row) ** 2 + (columns - column) ** 2 <= 9
        image[:, disc], mask[disc] = 0.9, colour
        top, left = round(row + self.distance * math.sin(angle)), round(column + self.distance * math.cos(angle))
        image[:, top : top + 2, left : left + 2] = torch.tensor((ORANGE, BLUE)[colour])[:, None, None]
        return image.clamp(0, 1), mask
