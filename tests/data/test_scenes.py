"""The data: the pack, the scenes composed from it, the transforms, and Oxford-IIIT Pet's layout."""

import csv
import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import tv_tensors
from torchvision.transforms import v2

from course_lib import data
from course_lib.data import MAPS, Menagerie, OxfordPet, Resize, augment, band, compose, index, scenes, stack
from course_lib.labels import IGNORE, PETS, SEMANTIC, TRIMAP
from tests.support.course import ROOT
from tests.support.pets import pets

PACK = ROOT / "course_lib" / "data" / "menagerie"


@pytest.fixture(scope="module")
def builder():
    spec = importlib.util.spec_from_file_location("build_menagerie", ROOT / "tools" / "build_menagerie.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- the pack -----------------------------------------------------------------------------------------------


def test_pack_is_small_and_carries_its_licence_and_authors():
    paths = [p for p in PACK.rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in paths) < 3_000_000
    licence = (PACK / "LICENSE").read_text()
    assert "GNU GENERAL PUBLIC LICENSE" in licence and "Version 2" in licence
    listed = {PACK / row["file"] for row in index()}
    assert listed == {p for p in paths if p.suffix == ".webp"}
    authors = (PACK / "AUTHORS.md").read_text(encoding="utf-8")
    for row in index():
        assert row["author"] and row["author"] in authors and row["licence"] in ("GPL-2", "GPL-2+")
        assert row["package"] in authors and row["name"] in authors


def test_script_reproduces_index_and_authors(builder, tmp_path):
    with open(PACK / "index.csv", newline="", encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == builder.rows()
    assert (PACK / "AUTHORS.md").read_text(encoding="utf-8") == builder.authors_text(builder.rows())


def test_script_reproduces_the_pictures(builder, tmp_path):
    """Point MENAGERIE_SOURCE at the extracted packages, or install them, to run this one."""
    root = Path(os.environ.get("MENAGERIE_SOURCE", "/"))
    if not all((root / row["source"]).is_file() for row in builder.rows()):
        missing = f"{' and '.join(builder.PACKAGES)} are not under {root} (MENAGERIE_SOURCE)"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    builder.build(root, tmp_path)
    for name in ("index.csv", "AUTHORS.md"):
        assert (tmp_path / name).read_bytes() == (PACK / name).read_bytes()
    for row in index():
        ours, built = (Image.open(folder / row["file"]) for folder in (PACK, tmp_path))
        assert ours.mode == built.mode and ours.size == built.size, row["file"]
        ours, built = np.asarray(ours, np.int16), np.asarray(built, np.int16)
        if row["class"] != "background":  # alpha is stored without loss, and is the source's where nothing was scaled
            assert np.array_equal(ours[..., 3], built[..., 3]), row["file"]
            source = Image.open(root / row["source"]).convert("RGBA").getchannel("A")
            if max(source.size) <= builder.CUTOUT_SIDE:
                box = source.point(lambda a: 255 * (a > 7)).getbbox()
                assert np.array_equal(ours[..., 3], np.asarray(source.crop(box))), row["file"]
        assert np.abs(ours - built).mean() < 2, row["file"]  # another encoder may round differently


def test_pictures_are_what_the_index_says():
    for row in index():
        image = Image.open(PACK / row["file"])
        if row["class"] == "background":
            assert image.mode == "RGB" and max(image.size) <= 640
            continue
        alpha = np.asarray(image.convert("RGBA"))[..., 3]
        assert max(image.size) <= 256 and row["class"] in SEMANTIC
        for edge in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]):
            assert edge.max() > 0, f"{row['name']} is not cropped to what is visible"
        assert (alpha >= 128).mean() > 0.1 and (alpha < 128).mean() > 0.01, row["name"]


def test_splits_share_no_animal_no_kind_and_no_background(builder):
    names = {split: {r["name"] for r in index() if r["split"] == split} for split in ("train", "val")}
    assert not names["train"] & names["val"] and len(index()) == len(names["train"] | names["val"])
    assert builder.VALIDATION == names["val"]
    for kin in builder.KIN:
        assert len({name in names["val"] for name in kin}) == 1, kin
        assert set(kin) <= names["train"] | names["val"]
    for split in names:
        assert {r["class"] for r in index() if r["split"] == split} == set(SEMANTIC)
    for split in names:
        assert {r["name"] for r in Menagerie(split)._cutouts + Menagerie(split)._backgrounds} == names[split]


# --- scenes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [8, 33, 64, (48, 80), (97, 31)])
@pytest.mark.parametrize("animals", [1, (2, 4)])
@pytest.mark.parametrize("split", ["train", "val"])
def test_targets_agree_with_each_other(size, animals, split):
    dataset = scenes(split, size, target=("trimap", "semantic", "instance", "boxes"), animals=animals, length=12)
    height, width = size if isinstance(size, tuple) else (size, size)
    r = band((height, width))
    for image, target in dataset:
        assert image.shape == (3, height, width) and image.dtype == torch.float32 and type(image) is torch.Tensor
        assert 0 <= image.min() and image.max() <= 1
        tri, semantic, instance = target["trimap"], target["semantic"], target["instance"]
        for m in (tri, semantic, instance):
            assert m.shape == (height, width) and m.dtype == torch.int64 and type(m) is torch.Tensor
        assert torch.equal(semantic > 0, instance > 0)
        ids = instance.unique()[instance.unique() > 0]
        assert ids.tolist() == list(range(1, len(ids) + 1))
        # trimap against a direct reading of its definition
        padded = torch.nn.functional.pad(instance[None].float(), (r,) * 4, mode="replicate")
        near = padded.unfold(1, 2 * r + 1, 1).unfold(2, 2 * r + 1, 1).flatten(3)[0]
        border = near.amin(-1) != near.amax(-1)
        assert torch.equal(tri == 2, border)
        assert torch.equal(tri == 0, ~border & (instance > 0)) and torch.equal(tri == 1, ~border & (instance == 0))
        boxes, labels = target["boxes"]["boxes"], target["boxes"]["labels"]
        assert boxes.dtype == torch.float32 and labels.dtype == torch.int64 and boxes.shape == (len(ids), 4)
        for k, (x1, y1, x2, y2), label in zip(ids, boxes.int().tolist(), labels):
            mine = instance == k
            assert mine[y1:y2, x1:x2].sum() == mine.sum()
            assert all(edge.any() for edge in (mine[y1, :], mine[y2 - 1, :], mine[:, x1], mine[:, x2 - 1]))
            assert (semantic[mine] == label).all() and 1 <= label < len(SEMANTIC)


def test_number_of_animals_and_how_much_of_them_shows():
    for animals in (1, 3, (2, 4), (1, 6)):
        low, high = animals if isinstance(animals, tuple) else (animals, animals)
        dataset = scenes(animals=animals, target="instance", length=150)
        counts = [int(mask.max()) for _, mask in dataset]
        assert max(counts) == high and all(n <= high for n in counts)
        assert np.mean([n >= low for n in counts]) > 0.99
    covered = [float((mask > 0).float().mean()) for _, mask in scenes(target="instance", length=200)]
    assert min(covered) > 0.01 and 0.12 < np.mean(covered) < 0.4


def test_same_scene_in_any_order_process_and_worker():
    dataset = scenes("val", 40, animals=(1, 3), target=MAPS, length=12, seed=7)
    first = [dataset[i] for i in range(12)]
    again = [dataset[i] for i in reversed(range(12))][::-1]
    loader = torch.utils.data.DataLoader(dataset, batch_size=4, num_workers=2)
    loaded = []
    for images, maps in loader:
        loaded += [(image, {name: m[j] for name, m in maps.items()}) for j, image in enumerate(images)]
    for other in (again, loaded):
        for (a, ta), (b, tb) in zip(first, other, strict=True):
            assert torch.equal(a, b) and all(torch.equal(ta[name], tb[name]) for name in MAPS)
    code = (
        "import hashlib, torch; from course_lib.data import scenes; torch.manual_seed(5)\n"
        "d = scenes('val', 40, animals=(1, 3), length=12, seed=7); d[3]\n"
        "print(hashlib.sha256(b''.join(t.numpy().tobytes() for t in d[11])).hexdigest())"
    )
    command, environment = [sys.executable, "-c", code], {**os.environ, "PYTHONHASHSEED": "1"}
    out = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment).stdout
    here = scenes("val", 40, animals=(1, 3), length=12, seed=7)[11]
    assert out.strip() == hashlib.sha256(b"".join(t.numpy().tobytes() for t in here)).hexdigest()
    assert torch.equal(dataset[-1][0], first[-1][0])


def test_seed_split_and_index_change_the_scene_but_length_and_global_state_do_not():
    torch.manual_seed(0), np.random.seed(0)
    base = scenes(length=10)[3][0]
    state = torch.get_rng_state(), np.random.get_state()[1].copy()
    assert torch.equal(base, scenes(length=500)[3][0])
    for other in (scenes(seed=1)[3][0], scenes("val")[3][0], scenes()[4][0]):
        assert not torch.equal(base, other)
    assert torch.equal(state[0], torch.get_rng_state()) and np.array_equal(state[1], np.random.get_state()[1])


def test_another_size_shows_the_same_scene():
    small, large = scenes(size=64, target="instance"), scenes(size=128, target="instance")
    for i in range(20):
        (a, ma), (b, mb) = small[i], large[i]
        assert (a - torch.nn.functional.avg_pool2d(b, 2)).abs().mean() < 0.05
        assert ((ma > 0) != (mb[1::2, 1::2] > 0)).float().mean() < 0.03


def test_composition_is_exact(monkeypatch):
    """A hand-made cut-out, unturned and unscaled, over a flat backdrop: alpha blends as it should."""
    cutout = np.zeros((40, 40, 4), np.uint8)
    cutout[8:32, 8:32] = (200, 100, 50, 255)
    cutout[8:32, 28:32, 3] = 128
    levels = [Image.fromarray(cutout, "RGBA").convert("RGBa")]
    layer = compose._drawn(levels, 40, 40, 20, 20, 1.0, 1.0, 0.0, False)
    assert np.array_equal(layer, np.asarray(levels[0]))
    flipped = compose._drawn(levels, 40, 40, 20, 20, 1.0, 1.0, 0.0, True)
    assert np.array_equal(flipped, np.asarray(levels[0])[:, ::-1])
    turned = compose._drawn(levels, 40, 40, 20, 20, 1.0, 0.0, 1.0, False)
    assert any(np.array_equal(turned, np.rot90(np.asarray(levels[0]), quarter)) for quarter in (1, -1))
    blend = 10 * (1 - layer[..., 3:] / 255) + layer[..., :3]
    assert abs(blend[20, 30, 0] - (0.498 * 10 + 0.502 * 200)) < 1 and blend[0, 0, 0] == 10 and blend[20, 15, 0] == 200


def test_index_ends_and_classes():
    dataset = scenes(length=3)
    assert len(dataset) == 3 and len(list(dataset)) == 3
    for i in (3, -4):
        with pytest.raises(IndexError):
            dataset[i]
    assert dataset.classes == TRIMAP and scenes(target="semantic").classes == SEMANTIC
    assert scenes(target=("boxes", "semantic")).classes == SEMANTIC and scenes(target="boxes").classes == SEMANTIC
    assert set(scenes(target="boxes")[0][1]) == {"boxes", "labels"}
    assert set(scenes(target=("instance",))[0][1]) == {"instance"}


@pytest.mark.parametrize(
    "settings",
    [
        dict(split="test"),
        dict(size=0),
        dict(size=(64,)),
        dict(size=7.5),
        dict(size=(64, 64, 3)),
        dict(size=True),
        dict(target="mask"),
        dict(target=()),
        dict(target=("trimap", "depth")),
        dict(animals=0),
        dict(animals=(3, 2)),
        dict(animals=(1, 2, 3)),
        dict(animals=1.5),
        dict(animals=99),
        dict(length=0),
        dict(length=1.5),
        dict(seed=-1),
        dict(seed=None),
        dict(data="voc"),
        dict(data="oxford-pet", animals=2),
        dict(data="oxford-pet", target="boxes"),
        dict(data="oxford-pet", target=("trimap", "instance")),
    ],
)
def test_a_wrong_argument_is_one_sentence_with_the_value(settings):
    with pytest.raises(ValueError) as caught:
        scenes(**settings)
    text = str(caught.value)
    assert text.endswith(".") and "\n" not in text and text.count(". ") == 0 and len(text) < 220


# --- transforms ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old, new", [((9, 13), (4, 5)), ((32, 32), (16, 16)), ((20, 30), (48, 32)), ((5, 5), (5, 5)), ((7, 4), (1, 1))]
)
def test_resize_masks_by_nearest_exact(old, new):
    labels = torch.randint(0, 256, (2, *old), generator=torch.Generator().manual_seed(0))
    for dtype in (torch.int64, torch.uint8):
        mask = tv_tensors.Mask(labels.to(dtype))
        small = Resize(new)(mask)
        assert isinstance(small, tv_tensors.Mask) and small.dtype == dtype
        exact = torch.nn.functional.interpolate(labels[None].float(), size=new, mode="nearest-exact")[0]
        assert torch.equal(small.long(), exact.long())
        assert torch.equal(Resize(new)(tv_tensors.Mask(labels[0].to(dtype))).long(), exact[0].long())
    # (sizes chosen so that no sample falls exactly between two pixels: there float rounding decides)
    pillow = Image.fromarray(labels[0].numpy().astype(np.uint8)).resize(new[::-1], Image.Resampling.NEAREST)
    assert np.array_equal(exact[0].numpy(), np.asarray(pillow))


def test_resize_images_and_boxes():
    image = tv_tensors.Image(torch.randint(0, 256, (3, 40, 60), dtype=torch.uint8))
    boxes = tv_tensors.BoundingBoxes([[6, 4, 30, 20]], format="XYXY", canvas_size=(40, 60))
    mask = tv_tensors.Mask(torch.zeros(40, 60, dtype=torch.int64))
    image2, rest = Resize((20, 30))(image, {"boxes": boxes, "mask": mask, "labels": torch.tensor([1])})
    assert torch.equal(image2, v2.functional.resize(image, [20, 30], antialias=True))
    assert rest["boxes"].tolist() == [[3, 2, 15, 10]] and rest["labels"].tolist() == [1]
    assert rest["mask"].shape == (20, 30)
    assert Resize(16)(image).shape == (3, 16, 16)


def test_augment_keeps_image_and_mask_married():
    """Paint the mask into the image: after the transform, the image must still show the mask."""
    torch.manual_seed(0)
    zoomed, flipped = dict(degrees=45, scale=(0.3, 0.6)), dict(degrees=0, flip=1.0, scale=(1, 1))
    for options in ({}, zoomed, dict(elastic=40.0), flipped):
        transform, ignored = augment((56, 72), **options), 0
        for shift in range(12):  # large shapes: nearest sampling may rightly lose one that is a pixel thin
            y, x = torch.meshgrid(torch.arange(96), torch.arange(96), indexing="ij")
            mask = (y > 70).long() + 2 * ((y - 32) ** 2 + (x - 25 - 4 * shift) ** 2 < 20**2)
            painted = tv_tensors.Image((60 + 60 * mask).to(torch.uint8).expand(3, -1, -1))
            image, moved = transform(painted, tv_tensors.Mask(mask))
            assert image.shape == (3, 56, 72) and moved.shape == (56, 72)
            assert set(moved.unique().tolist()) <= {0, 1, 2, IGNORE}
            shown = torch.where(moved == IGNORE, 0, 60 + 60 * moved)
            # The image is blended along outlines, the mask is not: judge pixels whose 5 x 5 neighbours agree.
            seen = moved.unfold(0, 5, 1).unfold(1, 5, 1).flatten(2)
            same = seen.amin(-1) == seen.amax(-1)
            off = (image[0].float() - shown).abs()[2:-2, 2:-2][same]
            assert len(off) and off.max() <= 20, options
            ignored += (moved == IGNORE).sum()
        assert (ignored > 0) == (options.get("degrees", 15) > 0)


def test_scenes_with_a_transform():
    torch.manual_seed(0)
    for target in ("semantic", ("trimap", "instance", "boxes"), "boxes"):
        turned = augment((48, 64), degrees=30)
        for image, result in scenes(size=80, target=target, animals=(2, 4), length=10, transform=turned):
            assert image.shape == (3, 48, 64) and image.dtype == torch.float32 and image.max() <= 1
            assert type(image) is torch.Tensor
            if target == "semantic":
                assert result.shape == (48, 64) and result.dtype == torch.int64 and type(result) is torch.Tensor
            elif target != "boxes":  # boxes are measured after the transform, so they fit
                instance = result["instance"]
                ids = [k for k in instance.unique().tolist() if 0 < k < IGNORE]
                assert len(result["boxes"]["boxes"]) == len(result["boxes"]["labels"]) == len(ids)
                for k, (x1, y1, x2, y2) in zip(ids, result["boxes"]["boxes"].int().tolist()):
                    mine = instance == k
                    assert mine.sum() == mine[y1:y2, x1:x2].sum() and mine[y1].any() and mine[:, x2 - 1].any()


def test_stack():
    dataset = scenes(length=10)
    images, masks = stack(dataset, 4)
    assert images.shape == (4, 3, 64, 64) and masks.shape == (4, 64, 64) and masks.dtype == torch.int64
    assert torch.equal(stack(dataset, [3, 1])[0][0], images[3])
    assert len(stack(dataset, 99)[0]) == 10
    with pytest.raises(ValueError, match="one map"):
        stack(scenes(target="boxes"), 2)


def test_what_is_kept_in_memory_is_the_same_and_a_quarter_as_large():
    looks = []
    dataset = scenes(length=5, target="instance", transform=lambda image, mask: looks.append(1) or (image, mask))
    kept = data.Kept(dataset)
    assert len(kept) == 5 and not looks
    for (picture, mask), (own, own_mask) in zip(dataset, kept):
        assert own.dtype == torch.float32 and (own - picture).abs().max() <= 0.5 / 255 + 1e-6
        assert torch.equal(own_mask.long(), mask)
    assert len(looks) == 10 and len([*kept, *kept]) == 10 and len(looks) == 10  # once by itself and once kept
    assert all(part.dtype == torch.uint8 for item in kept.kept for part in item)
    again = data.Kept((picture[:, :8, :8], mask[3, 3].long()) for picture, mask in kept)
    assert torch.equal(again[2][0], kept[2][0][:, :8, :8]) and again[2][1].dtype == torch.int64


# --- Oxford-IIIT Pet ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def oxford(tmp_path_factory):
    return pets(tmp_path_factory.mktemp("pets"))


def test_oxford_pet_behind_the_same_interface(oxford):
    train = scenes("train", (40, 48), data="oxford-pet", root=oxford, target=("trimap", "semantic"))
    assert isinstance(train, OxfordPet) and len(train) == 6 and len(scenes("val", data="oxford-pet", root=oxford)) == 4
    assert train.classes == TRIMAP and scenes(data="oxford-pet", root=oxford, target="semantic").classes == PETS
    species = []
    for image, target in train:
        tri, semantic = target["trimap"], target["semantic"]
        assert image.shape == (3, 40, 48) and image.dtype == torch.float32
        assert tri.dtype == semantic.dtype == torch.int64
        assert set(tri.unique().tolist()) == {0, 1, 2}
        pet = int(semantic[tri == 0][0])
        assert pet in (1, 2) and (semantic[tri == 0] == pet).all()
        assert (semantic[tri == 1] == 0).all() and (semantic[tri == 2] == IGNORE).all()
        assert ((image[0] * 255 / 80 - 1).round().long() == tri).float().mean() > 0.8  # married through the resize
        species.append(pet)
    assert sorted(species) == [1, 1, 1, 1, 2, 2]
    images, masks = stack(scenes(data="oxford-pet", root=oxford, length=3), 9)
    assert images.shape == (3, 3, 64, 64) and masks.max() == 2
    a, b = (OxfordPet(size=16, root=oxford, seed=s) for s in (0, 0))
    assert all(torch.equal(a[i][0], b[i][0]) for i in range(6))
    with pytest.raises(IndexError):
        a[6]
    image, mask = scenes(data="oxford-pet", root=oxford, transform=augment(24))[0]
    assert image.shape == (3, 24, 24) and mask.shape == (24, 24)


# --- speed --------------------------------------------------------------------------------------------------


def test_scenes_a_second():
    """400 of 64 px a second of one core are promised; the bound here is loose, for machines under load."""
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        from bench_data import rate
    finally:
        sys.path.pop(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rates = [rate(n=150, size=64)[0] for _ in range(2)]
    finally:
        torch.set_num_threads(threads)
    print(f"\n{max(rates):.0f} scenes of 64x64 a second of one core")
    assert max(rates) > 200
