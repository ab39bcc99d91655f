"""Pictures with controls. Each shows live in a notebook front end with ipywidgets, and as a still picture elsewhere.

    overlay(image, mask, classes)   opacity, and each class on or off
    shape_tracer()                  input size, depth, base, upsampling, skips: shapes, parameters, memory
    taps()                          kernel, stride, dilation, number of layers: taps and receptive field

`.figure(opacity=0.8)` gives the still picture for any settings.
"""

import functools
import html
from typing import Any, NamedTuple

import torch

try:
    import ipywidgets
except ImportError:  # the still picture alone then
    ipywidgets = None

from course_lib import models, plot
from course_lib.plot.inputs import as_image, as_mask, class_names, numbers

VIEW = "application/vnd.jupyter.widget-view+json"
UNSEEN = "position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%)"  # read, not shown


class Slider(NamedTuple):
    """A number between two others; whole numbers give a slider of whole steps."""

    label: str
    value: float
    low: float
    high: float
    step: float = 1


class Choice(NamedTuple):
    """One of several values."""

    label: str
    value: Any
    options: tuple


class Switch(NamedTuple):
    """On or off."""

    label: str
    value: bool


class Live:
    """A picture drawn by `draw(**settings)`, redrawn as its controls move.

    draw      a function from settings to a plot figure; a ValueError's sentence takes the picture's place
    controls  {setting: Slider, Choice or Switch}
    """

    def __init__(self, draw, controls):
        self.draw = draw
        self.defaults = {name: spec.value for name, spec in controls.items()}
        self.controls = {}
        if ipywidgets is not None:
            self._build(controls)

    @property
    def settings(self):
        """What the controls say now."""
        return {name: control.value for name, control in self.controls.items()} or dict(self.defaults)

    def figure(self, **settings):
        """The picture for these settings; those that are not given stay as the controls have them."""
        for name in settings:
            if name not in self.defaults:
                raise ValueError(f"There is no setting {name!r}; there are {', '.join(self.defaults)}.")
        return self.draw(**{**self.settings, **settings})

    def _build(self, controls):
        self.controls = {name: _control(spec) for name, spec in controls.items()}
        for control in self.controls.values():
            # Dragging sends many values, but the front end holds all but the newest while a redraw is under way.
            control.observe(self._update, names="value")
        # align_self: a box stretches its children to its own width, and a stretched picture is a blurred one.
        layout = {"max_width": "100%", "align_self": "flex-start", "margin": "0"}
        self.picture = ipywidgets.Image(format="png", layout=layout)
        self.line = ipywidgets.HTML()
        switches = [c for c in self.controls.values() if isinstance(c, ipywidgets.Checkbox)]
        others = [c for c in self.controls.values() if c not in switches]
        rows = [ipywidgets.HBox(row, layout={"flex_flow": "row wrap"}) for row in (others, switches) if row]
        self.box = ipywidgets.VBox([*rows, self.picture, self.line])
        self._redraw()

    def _update(self, change):
        """A control moved: the one way from the controls to the picture."""
        self._redraw()

    def _redraw(self):
        try:
            figure = self.figure()
        except ValueError as error:
            self.picture.layout.display, text, style = "none", str(error), "line-height: 1.4; white-space: normal"
        else:
            self.picture.value, size = figure.png()
            self.picture.width = str(size["width"])
            self.picture.layout.display, text, style = "", figure.alt, UNSEEN
        # role="status": a screen reader says the line when it changes. It stands in for the alt text that ipywidgets'
        # Image lacks; a tooltip on an Image, which could too, stops ipywidgets 8 from showing it at all.
        self.line.value = f'<div role="status" style="{style}">{html.escape(text)}</div>'

    def _repr_mimebundle_(self, include=None, exclude=None):
        figure = self.figure()
        png, shown = figure.png()
        data = {"text/plain": figure.alt, "image/png": png}
        if self.controls:
            data[VIEW] = {"version_major": 2, "version_minor": 0, "model_id": self.box.model_id}
        return data, {"image/png": shown}

    def __repr__(self):
        return self.figure().alt


def _control(spec):
    """The ipywidgets control for a Slider, Choice or Switch."""
    style, layout = {"description_width": "initial"}, {"width": "auto", "margin": "2px 14px 2px 0"}
    if isinstance(spec, Switch):
        return ipywidgets.Checkbox(value=spec.value, description=spec.label, indent=False, layout=layout)
    if isinstance(spec, Choice):
        choice = {"value": spec.value, "options": spec.options}
        return ipywidgets.Dropdown(description=spec.label, style=style, layout=layout, **choice)
    whole = isinstance(spec.value, int) and isinstance(spec.step, int)
    kind = ipywidgets.IntSlider if whole else ipywidgets.FloatSlider
    span = {"min": spec.low, "max": spec.high, "step": spec.step}
    layout["width"] = f"{190 + 7 * len(spec.label)}px"  # the label takes its share of it
    return kind(value=spec.value, description=spec.label, style=style, layout=layout, **span)


# --- the course's three -------------------------------------------------------------------------------------


def overlay(image, mask, classes=None, opacity=0.5):
    """plot.overlay with a slider for the opacity and a switch for each class; for a batch, a slider for the scene.

    image, mask  (3, H, W) and (H, W) as plot takes them, or (N, 3, H, W) and (N, H, W)
    Settings: opacity 0 to 1; each class's name, True or False; scene 0 to N - 1.
    """
    several = numbers(mask).ndim == 3
    images, masks = (image, mask) if several else ([image], [mask])
    if len(images) != len(masks):
        raise ValueError(f"There are {len(images)} images but {len(masks)} masks; give one mask an image.")
    names = class_names(classes, *[as_mask(m, size=as_image(i).shape[:2]) for i, m in zip(images, masks)])
    entries = names + ((plot.UNLABELLED,) if any((numbers(m) == plot.IGNORE).any() for m in masks) else ())

    def draw(opacity, scene=0, **switches):
        return plot.overlay(images[scene], masks[scene], names, opacity, [name for name in entries if switches[name]])

    controls = {"scene": Slider("scene", 0, 0, len(images) - 1)} if several else {}
    controls["opacity"] = Slider("opacity", float(opacity), 0.0, 1.0, 0.05)
    return Live(draw, {**controls, **{name: Switch(name, True) for name in entries}})


def shape_tracer(size=128, depth=4, base=16, upsample="transposed", skip="none"):
    """plot.shape_flow of an encoder-decoder with controls for its input size, depth, base, upsampling and skips."""

    def draw(size, depth, base, upsample, skip):
        return plot.shape_flow(_net(depth, base, upsample, skip), size)

    controls = {
        "size": Slider("input size", size, 16, 512, 16),
        "depth": Slider("depth", depth, 1, 6),
        "base": Choice("base channels", base, (4, 8, 16, 32, 64)),
        "upsample": Choice("upsampling", upsample, models.UPSAMPLES),
        "skip": Choice("skips", skip, ("none", "add", "concat")),
    }
    return Live(draw, controls)


@functools.lru_cache(maxsize=32)
def _net(depth, base, upsample, skip):
    """A network without values: shapes and counts need none, and its weights would take a second to draw."""
    with torch.device("meta"):
        return models.EncoderDecoder(base=base, depth=depth, upsample=upsample, skip=skip)


def taps(kernel=3, stride=1, dilation=2, layers=2):
    """plot.taps with sliders for kernel, stride and dilation, and for how many such layers the field is drawn."""
    controls = {
        "kernel": Slider("kernel", kernel, 1, 7),
        "stride": Slider("stride", stride, 1, 4),
        "dilation": Slider("dilation", dilation, 1, 8),
        "layers": Slider("layers", layers, 1, 5),
    }
    return Live(plot.taps, controls)
