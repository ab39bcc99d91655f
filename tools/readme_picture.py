"""Draw docs/course.webp, the picture at the top of README: scenes with their masks, and a U-Net."""

import io
from pathlib import Path

from PIL import Image

from course_lib import data, models, plot

TARGET = Path(__file__).resolve().parent.parent / "docs" / "course.webp"
WIDTH = 1200


def draw():
    """The picture: a PIL image, WIDTH pixels wide."""
    scenes = data.scenes("val", size=256, animals=(2, 3), target="semantic", seed=4)
    pairs = [scenes[i] for i in (0, 5, 9, 14)]
    pictures = [image for image, _ in pairs] + [plot.colours(mask, scenes.classes) for _, mask in pairs]
    top = plot.grid(pictures, columns=4, title="What kind of thing is each pixel?")
    bottom = plot.shape_flow(models.UNet(classes=len(scenes.classes), base=16, depth=4), size=256)
    rows = [_image(figure) for figure in (top, bottom)]
    sheet = Image.new("RGB", (WIDTH, sum(row.height for row in rows)), "white")
    y = 0
    for row in rows:
        sheet.paste(row, (0, y))
        y += row.height
    return sheet


def _image(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160, bbox_inches="tight")
    image = Image.open(buffer).convert("RGB")
    return image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    draw().save(TARGET, quality=88, method=6)
    print(f"{TARGET.name}: {TARGET.stat().st_size / 1024:.0f} KB")
