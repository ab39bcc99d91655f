"""Draw docs/course.webp, the picture at the top of README: five tasks on one scene, and a U-Net."""

import io
from pathlib import Path

from PIL import Image

from course_lib import data, models, plot

TARGET = Path(__file__).resolve().parent.parent / "docs" / "course.webp"
WIDTH = 1200


def draw():
    """The picture: a PIL image, WIDTH pixels wide."""
    scenes = data.scenes("val", size=(160, 240), animals=(2, 4), target=("semantic", "instance", "boxes"))
    image, target = scenes[15]
    top = plot.five_tasks(image, target, data.SEMANTIC)
    bottom = plot.shape_flow(models.UNet(classes=len(data.SEMANTIC), base=16, depth=4), size=256)
    rows = [_image(figure) for figure in (top, bottom)]
    sheet = Image.new("RGB", (WIDTH, sum(row.height for row in rows)), "white")
    y = 0
    for row in rows:
        sheet.paste(row, (0, y))
        y += row.height
    return sheet


def _image(figure):
    image = Image.open(io.BytesIO(figure.png()[0])).convert("RGB")
    return image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    draw().save(TARGET, quality=88, method=6)
    print(f"{TARGET.name}: {TARGET.stat().st_size / 1024:.0f} KB")
