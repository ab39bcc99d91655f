"""README's picture is what its script draws."""

import importlib.util

import numpy as np
from PIL import Image

from tests.support.course import ROOT


def test_the_picture_at_the_top_of_readme_is_current():
    spec = importlib.util.spec_from_file_location("readme_picture", ROOT / "tools" / "readme_picture.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    kept, drawn = (np.asarray(image.convert("RGB"), np.int16) for image in (Image.open(tool.TARGET), tool.draw()))
    assert kept.shape == drawn.shape
    assert np.abs(kept - drawn).mean() < 4  # the file is compressed; another picture differs by far more
    assert "](docs/course.webp)" in (ROOT / "README.md").read_text(encoding="utf-8")
