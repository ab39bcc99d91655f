"""The course's pictures: scenes composed from Menagerie, or Oxford-IIIT Pet, behind one interface.

dataset = scenes("train", size=64)          # photographs of animals cut out and set on photographs
image, mask = dataset[0]                    # float32 (3, 64, 64) in [0, 1]; int64 (64, 64) of 0, 1, 2
scenes("val", (96, 128), target=("semantic", "boxes"), animals=(2, 4))
scenes(data="oxford-pet")                   # the same, from Oxford-IIIT Pet (downloaded once, 800 MB)
"""

from .compose import Menagerie
from .pets import NoPets, OxfordPet


def scenes(
    split="train",
    size=64,
    *,
    data="menagerie",
    target="trimap",
    animals=1,
    length=1000,
    seed=0,
    transform=None,
    root=None,
):
    """A data set of pictures with their masks: the one that every lesson starts from.

    split      "train" or "val"; no animal and no background is in both
    size       pixels: an int for a square or (height, width), each at least 8
    data       "menagerie" (ships with the course) or "oxford-pet" (Oxford-IIIT Pet; downloaded when absent)
    target     "trimap", "semantic", "instance" or "boxes", or a tuple of these names
    animals    how many in a scene: an int, or (lowest, highest); Menagerie only
    length     number of scenes; of Oxford-IIIT Pet at most as many as it has
    seed       another seed gives other scenes (of Oxford-IIIT Pet: another order)
    transform  callable (image, target) -> (image, target), see `augment`; the image is a tv_tensors.Image (uint8),
               each map a tv_tensors.Mask. It draws from torch's random state, not from `seed`
    root       folder for Oxford-IIIT Pet; by default .cache/course_lib in the home folder

    dataset[i] is (image, target): image float32 (3, H, W) in [0, 1]; a map is int64 (H, W); "boxes" is
    dict(boxes=float32 (N, 4) as x1 y1 x2 y2 with x2 and y2 just outside, labels=int64 (N,) indices into SEMANTIC);
    a tuple of names gives a dict by name. dataset.classes names the labels of the first map.
    The same (split, seed, i) is the same scene in any process and order, and at another size the same scene again.
    Where Oxford-IIIT Pet can't be had, as without a network, it says why and gives Menagerie.
    ValueError: an argument outside these.
    """
    if data == "menagerie":
        return Menagerie(split, size, target=target, animals=animals, length=length, seed=seed, transform=transform)
    if data == "oxford-pet":
        if animals != 1:
            raise ValueError(
                f"Oxford-IIIT Pet shows one pet a picture, so animals={animals!r} is not to be had: leave animals at 1."
            )
        settings = dict(target=target, length=length, seed=seed, transform=transform)
        try:
            return OxfordPet(split, size, root=root, **settings)
        except NoPets as error:
            dataset = Menagerie(split, size, **settings)
            classes = ", ".join(dataset.classes)
            print(f"{error.fact}. These are scenes of Menagerie instead, with the classes {classes}.")
            return dataset
    raise ValueError(f'data is {data!r}: choose "menagerie" or "oxford-pet".')
