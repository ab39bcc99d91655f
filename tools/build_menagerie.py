"""Build course_lib/data/menagerie, the picture pack, from two Debian packages.

    python tools/build_menagerie.py                       # apt-get download, then build
    python tools/build_menagerie.py A.deb B.deb           # from the .deb files
    python tools/build_menagerie.py FOLDER                # from extracted packages (or / where they are installed)
    python tools/build_menagerie.py FOLDER --out /tmp/x   # somewhere else, to compare

Which pictures go in, their class, split and author stand in the tables below: they were chosen by eye,
picture by picture. Everything else follows from the packages. Needs Pillow; .deb files need dpkg-deb.
"""

import argparse
import csv
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

PACKAGES = {"tuxpaint-stamps-default": "2022.06.04-1", "mate-backgrounds": "1.26.0-1"}
STAMPS = "usr/share/tuxpaint/stamps/animals"
PICTURES = "usr/share/backgrounds/mate/nature"
PACK = Path(__file__).resolve().parent.parent / "course_lib" / "data" / "menagerie"
CUTOUT_SIDE, BACKGROUND_SIDE = 256, 640  # longest sides in px; smaller sources keep their size

# Photographs of whole animals whose alpha is a true cut-out, by class.
CUTOUTS = {
    "mammal": """
        mammals/apes/chimp mammals/apes/gorilla mammals/apes/tamarin_emperor
        mammals/aquatic/dolphin mammals/aquatic/otter mammals/aquatic/sea_lion mammals/aquatic/whale
        mammals/badger mammals/bears/bear mammals/bears/european-bear
        mammals/bovines/bison mammals/bovines/bull mammals/bovines/cow mammals/bovines/cow_white
        mammals/bovines/gnu-baby mammals/bovines/gnu-baby-stand mammals/bovines/gnu-sitting mammals/bovines/gnu-stand
        mammals/bovines/goat mammals/bovines/mountaingoat mammals/bovines/ram mammals/bovines/sheep
        mammals/bovines/sheep_lamb mammals/bovines/yak mammals/bovines/zebu
        mammals/camel/camel mammals/camel/dromedary mammals/cats/lion-2 mammals/cats/tiger
        mammals/deer/caribou mammals/deer/deer mammals/deer/doe mammals/deer/wapiti
        mammals/dogs/dingo mammals/dogs/dog mammals/elephant
        mammals/equines/donkey mammals/equines/donkey_eating mammals/equines/horse mammals/equines/zebra
        mammals/ferret mammals/giraffe mammals/hippopotamus mammals/pig mammals/pig_golden mammals/pig_golden2
        mammals/rabbit_little mammals/rhino_black mammals/rodents/beaver mammals/rodents/capybara
        mammals/rodents/marmot mammals/rodents/mouse mammals/rodents/rabbit mammals/rodents/rabbit-2
        mammals/rodents/rat mammals/rodents/squirrel marsupials/kangaroo marsupials/wombat""",
    "bird": """
        birds/adelaide-rosella birds/blackbird birds/chicken_profile birds/crow birds/crowned_crane birds/cuckoo
        birds/drake birds/duck birds/gander birds/guineafowl birds/hen birds/lark birds/little-penguin
        birds/magellanic_penguin birds/magpie birds/nandou birds/ostrich birds/owl birds/peacock birds/penguin
        birds/pigeon birds/pink_flamingo birds/rainbow-lorikeet birds/rooster birds/seagull
        birds/silver-gull birds/tucan birds/turkey birds/vulture""",
    "fish": """
        fish/bluegroper fish/butterflyfish fish/clownfish fish/coraltrout fish/dolphinfish fish/lionfish
        fish/moonwrasse fish/seahorse fish/stripedfish""",
    "arthropod": """
        insects/grasshopper insects/hornet insects/hoverfly insects/mantis insects/xanthia fish/lobster""",
    "frog or lizard": "amphibians/frog amphibians/frog-1 lizards/iguana",
}

# The validation split. Pictures of one kind (KIN) stay on one side, so that a net cannot score by memory.
VALIDATION = {
    *"""
    chimp otter badger pig pig_golden pig_golden2 caribou wapiti zebra tiger dingo squirrel kangaroo
    pink_flamingo owl peacock tucan rainbow-lorikeet magpie pigeon
    butterflyfish coraltrout grasshopper hornet frog-1 Dune Garden RainDrops""".split()
}
KIN = [
    line.split()
    for line in """gnu-baby gnu-baby-stand gnu-sitting gnu-stand
    pig pig_golden pig_golden2
    sheep sheep_lamb ram
    rabbit rabbit-2 rabbit_little
    donkey donkey_eating
    cow cow_white bull
    bear european-bear
    mouse rat
    hen rooster chicken_profile
    drake duck
    seagull silver-gull
    camel dromedary
    little-penguin magellanic_penguin penguin""".splitlines()
]

LEFT_OUT = {
    "drawn, a toy or perhaps rendered": """insects/bee mammals/echidna mammals/hedgehog mammals/bears/toys/edward_bear
        mammals/aquatic/orca and everything in a cartoon/ folder""",
    "ground, plants or a second animal inside the cut-out": """birds/albino_peahen birds/quetzal
        mammals/bovines/indian_blackbuck mammals/cats/lion mammals/cats/tiger_sumatran mammals/dogs/fox
        marsupials/koala mammals/wildboar""",
    "the animal itself is half transparent or blurred": "insects/fly fish/shrimp",
    "an empty shell": "shellfish/abalone shellfish/murray-mussel",
    "the changelog names a licence other than the GPL (GFDL or CC BY-SA)": """insects/Brown_slug insects/Woodlouse
        birds/helmeted_guineafowl birds/heron_greatblue birds/heron_greatblue_flying birds/pelican""",
}

# Who made what, as tuxpaint-stamps' changelog says. A name may stand in two entries; then both are given.
CHILDSPLAY = "Stas Zytkiewicz (Childsplay), adapted by Pere Pujal i Carabantes"
STAMP_CREDITS = {
    CHILDSPLAY: """badger bear beaver bison blackbird bull camel caribou chimp cow crow cuckoo deer doe dog dolphin
        donkey dromedary duck elephant ferret frog gander giraffe goat gorilla grasshopper hen hippopotamus hornet
        horse hoverfly iguana kangaroo lark marmot mountaingoat mouse nandou owl penguin pig pigeon rabbit ram rat
        rooster seagull sea_lion squirrel tiger tucan turkey vulture wapiti whale wombat xanthia yak zebra zebu""",
    "Bill Kendrick": """crowned_crane magellanic_penguin ostrich peacock pink_flamingo rhino_black capybara
        tamarin_emperor giraffe zebra""",
    "Chris Goerner": "adelaide-rosella dingo kangaroo little-penguin magpie rainbow-lorikeet silver-gull",
    "John O'Sullivan": """drake guineafowl hen rooster bluegroper butterflyfish clownfish coraltrout dolphinfish
        lionfish moonwrasse stripedfish""",
    "Caroline Ford": "chicken_profile cow_white donkey_eating sheep rabbit_little sheep_lamb pig_golden pig_golden2",
    "Pere Pujal i Carabantes": "gnu-baby gnu-baby-stand gnu-sitting gnu-stand frog-1 mantis european-bear rabbit-2",
    "US National Oceanic and Atmospheric Administration (public domain)": "lobster seahorse",
}
UNNAMED = "not named in the package"

# Backgrounds: file -> (copyright as mate-backgrounds' copyright file has it, box kept in fractions or None).
BACKGROUNDS = {
    "Aqua": ("2008, Charles Barbin", None),
    "Blinds": ("2008, Lennart Poettering; 2008, Andrea Cimitan", None),
    "Dune": ("2007, Marco Cogoni; 2008, Hylke Bons", None),
    "FreshFlower": ("2005, Jens Ansorg", None),
    "Garden": ("2008, Charles Barbin", None),
    "GreenMeadow": ("2005, Timothy Schellhase; 2008, Lapo Calamandrei", None),
    "LadyBird": ("2008, Charles Barbin", (0.0, 0.0, 0.55, 1.0)),  # the left part, without the ladybird
    "RainDrops": ('2008, "blackcombwhistler07"', None),
    "Storm": ("2008, Sergey Nazarov", None),
    "TwoWings": ("2008, Charles Barbin; 2008, Hylke Bons", None),
    "Wood": ("2008, Jean-François Fortin Tam", None),
    "YellowFlower": ("2008, Charles Barbin", None),
}
FIELDS = ("file", "name", "class", "split", "package", "source", "author", "licence")


def rows():
    """The index as a list of dicts, from the tables alone (no package needed)."""
    index = []
    for kind, names in CUTOUTS.items():
        for path in sorted(names.split(), key=lambda p: Path(p).name):
            name = Path(path).name
            author = "; ".join(who for who, theirs in STAMP_CREDITS.items() if name in theirs.split()) or UNNAMED
            source = f"{STAMPS}/{path}.png"
            index.append(_row("cutouts", name, kind, "tuxpaint-stamps-default", source, author, "GPL-2"))
    for name, (author, _) in BACKGROUNDS.items():
        source = f"{PICTURES}/{name}.jpg"
        index.append(_row("backgrounds", name, "background", "mate-backgrounds", source, author, "GPL-2+"))
    return index


def _row(folder, name, kind, package, source, author, licence):
    split = "val" if name in VALIDATION else "train"
    return dict(zip(FIELDS, (f"{folder}/{name}.webp", name, kind, split, package, source, author, licence)))


def cutout(path):
    """One animal as an RGBA image: cropped to what is visible, longest side at most CUTOUT_SIDE px."""
    image = Image.open(path).convert("RGBA")
    image = image.crop(image.getchannel("A").point(lambda a: 255 * (a > 7)).getbbox())
    if max(image.size) > CUTOUT_SIDE:
        size = [max(1, round(side * CUTOUT_SIDE / max(image.size))) for side in image.size]
        # Premultiplied ("RGBa"): the hidden colour of transparent pixels must not bleed into the edge.
        image = image.convert("RGBa").resize(size, Image.Resampling.LANCZOS).convert("RGBA")
    return image


def background(path, box=None):
    """One photograph as RGB, its longest side BACKGROUND_SIDE px; box: the part kept, in fractions."""
    image = Image.open(path).convert("RGB")
    if box:
        image = image.crop([round(f * s) for f, s in zip(box, image.size * 2)])
    image.thumbnail((BACKGROUND_SIDE, BACKGROUND_SIDE), Image.Resampling.LANCZOS)
    return image


def authors_text(index):
    """AUTHORS.md: what the packages say, who made what, what was left out and why."""
    lines = [
        "# Where the pictures of this folder come from",
        "",
        "Built by `tools/build_menagerie.py` from two packages of Debian; `index.csv` has a row for every picture",
        "with its source file, author and licence. The cut-outs were cropped to what is visible and made at most",
        f"{CUTOUT_SIDE} px long, the backgrounds {BACKGROUND_SIDE} px; all are WebP "
        "(the cut-outs' alpha without loss).",
        "",
    ]
    lines += [f"- `{name}` {version}" for name, version in PACKAGES.items()]
    lines += [
        "",
        "## What the packages say",
        "",
        'tuxpaint-stamps-default, `copyright`: "Files: * Copyright: 2002-2022 by Bill Kendrick',
        '<bill@newbreedsoftware.com> License: GPL-2".',
        'Its changelog ("Copyright 2002-2022 by various contributors") names the people below. It calls the',
        "lobster and the seahorse public domain, and the pictures that it credits to Pere Pujal i Carabantes alone",
        '"GPL v2 or high". Where it names two people for one name, both are listed.',
        "",
        'mate-backgrounds, `copyright`: each file below under "GPL-2+" (GPL version 2 or later).',
        "",
        "The pack as a whole is therefore distributed under the GNU General Public License, version 2: see `LICENSE`.",
        "",
        "## Who made what",
        "",
    ]
    by_author = {}
    for row in index:
        by_author.setdefault((row["package"], row["author"]), []).append(row["name"])
    lines += ["| package | author or copyright | pictures |", "|---|---|---|"]
    lines += [f"| {package} | {author} | {', '.join(names)} |" for (package, author), names in by_author.items()]
    lines += [
        "",
        "`LadyBird` is the left part of its picture, where no ladybird is. `crowned_crane` stood in the changelog's",
        'first list as "Helmeted Guineafowl", `hoverfly` as "Bee", `chicken_profile` as "Turkey (profile)".',
        "",
        "## Animals of tuxpaint-stamps-default left out",
        "",
    ]
    lines += [f"- {reason}: {' '.join(names.split())}" for reason, names in LEFT_OUT.items()]
    return "\n".join(lines) + "\n"


def build(root, out):
    """Write the pack (index.csv, AUTHORS.md, LICENSE, pictures) into out from the packages extracted under root."""
    index = rows()
    missing = [row["source"] for row in index if not (root / row["source"]).is_file()]
    if missing:
        sys.exit(
            f"{root} lacks {len(missing)} of the {len(index)} pictures, the first is {missing[0]}: "
            f"give the folder or the .deb files of {' and '.join(PACKAGES)}."
        )
    for folder in ("cutouts", "backgrounds"):
        shutil.rmtree(out / folder, ignore_errors=True)
        (out / folder).mkdir(parents=True)
    for row in index:
        if row["class"] == "background":
            image, quality = background(root / row["source"], BACKGROUNDS[row["name"]][1]), 85
        else:
            image, quality = cutout(root / row["source"]), 88
        image.save(out / row["file"], "WEBP", quality=quality, alpha_quality=100, method=4)
    with open(out / "index.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(index)
    (out / "AUTHORS.md").write_text(authors_text(index), encoding="utf-8", newline="\n")
    return index


def extract(debs, folder):
    """Unpack .deb files into folder with dpkg-deb."""
    for deb in debs:
        subprocess.run(["dpkg-deb", "-x", str(deb), str(folder)], check=True)


def main():
    parser = argparse.ArgumentParser(description="Build the Menagerie picture pack from two Debian packages.")
    parser.add_argument("sources", nargs="*", type=Path, help=".deb files, or one folder with both extracted")
    where = "where the pack goes (default: course_lib/data/menagerie)"
    parser.add_argument("--out", type=Path, default=PACK, help=where)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        if len(options.sources) == 1 and options.sources[0].is_dir():
            root = options.sources[0]
        else:
            if not options.sources:
                subprocess.run(["apt-get", "download", *PACKAGES], cwd=work, check=True)
            root = work / "root"
            extract([path.resolve() for path in options.sources] or sorted(work.glob("*.deb")), root)
        index = build(root, options.out)
    size = sum(path.stat().st_size for path in options.out.rglob("*") if path.is_file())
    print(f"{len(index)} pictures, {size / 1e6:.2f} MB in {options.out}")


if __name__ == "__main__":
    main()
