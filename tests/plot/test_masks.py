"""The pictures: what they take, what they show, and that they show it once."""

import io
import itertools
import random

import matplotlib
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from nbclient import NotebookClient
from PIL import Image

from course_lib import models, plot
from course_lib.labels import VERMILLION
from course_lib.models.fields import influence
from course_lib.plot import inks
from tests.support.course import ROOT
from tests.support.processes import PATIENCE

TRIMAP = ("pet", "background", "border")


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    yield
    assert plt.get_fignums() == []


def scene(size=(24, 32), seed=0):
    rng = torch.Generator().manual_seed(seed)
    image = torch.rand(3, *size, generator=rng)
    mask = torch.randint(0, 3, size, generator=rng)
    mask[:4, :6] = 255
    return image, mask


def pixels(figure):
    assert isinstance(figure, Figure) and figure.alt and "\n" not in figure.alt
    with io.BytesIO() as file:
        figure.savefig(file, format="png")
        return np.asarray(Image.open(file).convert("RGB")).astype(int)


def texts(figure):
    return " | ".join(t.get_text() for t in figure.findobj(matplotlib.text.Text))


def seeded(**options):
    """A network with the same weights each time: in a very narrow one chance may switch all ReLUs off."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return models.EncoderDecoder(**options)


IMAGE, MASK = scene()
WRONG_BY_ONE = torch.where(MASK == 255, 1, (MASK + 1) % 3)
COUNTS = torch.nn.functional.conv_transpose1d(torch.ones(1, 1, 8), torch.ones(1, 1, 3), stride=2)[0, 0]
PICTURES = {
    "overlay": lambda: plot.overlay(IMAGE, MASK, TRIMAP),
    "comparison": lambda: plot.comparison(IMAGE, MASK, WRONG_BY_ONE, TRIMAP),
    "comparison of several": lambda: plot.comparison([IMAGE] * 2, [MASK] * 2, [WRONG_BY_ONE] * 2, TRIMAP, title="two"),
    "grid": lambda: plot.grid([IMAGE, MASK, IMAGE.mean(0)], ["image", "mask", "grey"], TRIMAP, title="three kinds"),
    "shape_flow": lambda: plot.shape_flow(models.UNet(base=4, depth=2), (33, 48)),
    "shape_flow of another net": lambda: plot.shape_flow(
        torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3, stride=2, padding=1), torch.nn.Conv2d(4, 4, 3, padding=1)), 32
    ),
    "field of layers": lambda: plot.field([(3, 1, 1), (3, 2, 2)]),
    "field of a net": lambda: plot.field(seeded(base=4, depth=1), 40),
    "taps": lambda: plot.taps(3, 2, 2),
    "taps with field": lambda: plot.taps(3, 1, 2, layers=2),
    "overlap": lambda: plot.overlap(COUNTS, 3, 2),
    "overlap in 2-D": lambda: plot.overlap(torch.outer(COUNTS, COUNTS), 3, 2),
    "error_density": lambda: plot.error_density([float("nan"), 0.4, 0.2, 0.01]),
    "error_density of several": lambda: plot.error_density(
        {"skips": [float("nan"), 0.2, 0.1], "none": torch.tensor([0, 0.4, 0.3])}
    ),
}


@pytest.mark.parametrize("name", PICTURES)
def test_draws_with_title_and_readable_text_inside_the_page(name):
    figure = PICTURES[name]()
    picture = pixels(figure)
    assert picture.shape[1] <= 960 and picture.std() > 5
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 8
    shown = [t for t in figure.findobj(matplotlib.text.Text) if t.get_text().strip() and t.get_visible()]
    assert shown and all(t.get_fontsize() >= 9 for t in shown)
    for edge in (picture[:2], picture[-2:], picture[:, :2], picture[:, -2:]):
        assert (edge == 255).all(), "something is cut off at the figure's edge"


@pytest.mark.parametrize("name", ["overlay", "grid", "taps", "error_density"])
def test_style_of_the_notebook_does_not_reach_the_pictures(name):
    before = pixels(PICTURES[name]())
    with plt.style.context("dark_background"), plt.rc_context({"font.size": 30, "axes.grid": True}):
        inside = PICTURES[name]()
        settings = dict(plt.rcParams)
    assert (pixels(inside) == before).all() and settings["font.size"] == 30


# --- colours ------------------------------------------------------------------------------------------------

# Machado, Oliveira, Fernandes (2009), full severity; on linear RGB.
SEEN_BY = {
    "all": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopes": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopes": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopes": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
# Linear sRGB to CIE XYZ, and the white of D65.
XYZ = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
WHITE = [0.95047, 1, 1.08883]


def lab(colours, eye):
    """Colours, (n, 3) sRGB, as an eye sees them: (n, 3) CIE L*a*b*."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    xyz = np.clip(linear @ np.array(eye).T, 0, 1) @ np.array(XYZ).T / WHITE
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)


@pytest.mark.parametrize("eye", SEEN_BY)
def test_palette_stays_apart_for_colour_blind_readers(eye):
    """Every pair at least 16 apart in Lab; 2 is about what an eye tells apart side by side, 10 at a glance."""
    points = lab(np.array(plot.PALETTE), SEEN_BY[eye])
    assert len(points) == 8
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(points, 2)) > 16
    right, wrong, ignored = lab(np.array([inks.PALE, inks.WRONG, inks.GREY]), SEEN_BY[eye])
    assert np.linalg.norm(right - wrong) > 40 and np.linalg.norm(ignored - wrong) > 16


def test_colours_follow_the_names():
    assert (plot.palette(("pet", "background", "border"))[1] == plot.PALETTE[0]).all()  # black, wherever it stands
    assert (plot.palette(3) == plot.PALETTE[:3]).all()
    assert len({tuple(c) for c in plot.palette(22)}) == 22 and plot.palette(60).shape == (60, 3)
    picture = plot.colours(np.array([[0, 1], [2, 255]], np.uint8), TRIMAP)
    assert picture.shape == (2, 2, 3)
    assert (picture[0, 0] == plot.PALETTE[1]).all() and (picture[1, 1] == inks.GREY).all()


# --- images and masks ---------------------------------------------------------------------------------------


def test_every_form_of_an_image_gives_one_picture():
    image = (IMAGE * 255).to(torch.uint8)
    forms = [
        image,
        image.numpy(),
        image.permute(1, 2, 0).numpy(),
        image.float() / 255,
        (image.float() / 255).double(),
        (image / 255).permute(1, 2, 0).requires_grad_(),
    ]
    masks = [MASK, MASK.to(torch.uint8), MASK.numpy().astype(np.int32), MASK[None], MASK.to(torch.int16), MASK.short()]
    pictures = [pixels(plot.overlay(i, m, TRIMAP)) for i, m in zip(forms, masks)]
    assert all(np.abs(p - pictures[0]).max() <= 1 for p in pictures)
    assert pixels(plot.overlay(image[:1], MASK, TRIMAP)).shape == pictures[0].shape


def test_arguments_stay_as_they_are():
    image, mask = IMAGE.clone(), MASK.clone()
    plot.overlay(image, mask, TRIMAP), plot.comparison(image, mask, WRONG_BY_ONE, TRIMAP), plot.grid([image, mask])
    assert torch.equal(image, IMAGE) and torch.equal(mask, MASK)


def panel(figure, index=0):
    return np.asarray(figure.axes[index].images[0].get_array())


def test_overlay_blends_as_it_says():
    image = IMAGE.permute(1, 2, 0).numpy()
    paint = plot.colours(MASK, TRIMAP)
    for opacity in (0, 0.3, 1):
        got = panel(plot.overlay(IMAGE, MASK, TRIMAP, opacity))
        assert np.allclose(got, (1 - opacity) * image + opacity * paint, atol=1e-6)
    only = panel(plot.overlay(IMAGE, MASK, TRIMAP, 1, show=["border"]))
    there = (MASK == 2).numpy()
    assert np.allclose(only[there], paint[there]) and np.allclose(only[~there], image[~there])
    assert not (pixels(plot.overlay(IMAGE, MASK, TRIMAP, 0.2)) == pixels(plot.overlay(IMAGE, MASK, TRIMAP, 0.6))).all()
    assert np.allclose(
        panel(plot.overlay(IMAGE, MASK, TRIMAP, 1, show=[0, 2])),
        panel(plot.overlay(IMAGE, MASK, TRIMAP, 1, show=["pet", "border"])),
    )


def test_unlabelled_pixels_are_hatched_and_named():
    for figure in (
        plot.overlay(IMAGE, MASK, TRIMAP),
        plot.comparison(IMAGE, MASK, WRONG_BY_ONE, TRIMAP),
        plot.grid([MASK], classes=TRIMAP),
    ):
        assert "not labelled" in texts(figure)
        assert any(p.get_hatch() for ax in figure.axes for p in ax.patches)
    clean = MASK.clamp(max=2)
    assert "not labelled" not in texts(plot.overlay(IMAGE, clean, TRIMAP))


def test_comparison_counts_errors_among_labelled_pixels():
    prediction = torch.where(MASK == 255, 0, MASK)
    assert "errors: 0.0 %" in texts(plot.comparison(IMAGE, MASK, prediction, TRIMAP))
    prediction[5, :10] = (prediction[5, :10] + 1) % 3
    figure = plot.comparison(IMAGE, MASK, prediction, TRIMAP)
    assert f"errors: {100 * 10 / int((MASK != 255).sum()):.1f} %" in texts(figure)
    errors = panel(figure, 3)
    assert ((errors == inks.WRONG).all(-1) == ((prediction != MASK) & (MASK != 255)).numpy()).all()
    batch = plot.comparison(torch.stack([IMAGE] * 3), torch.stack([MASK] * 3), torch.stack([prediction] * 3), TRIMAP)
    assert len(batch.axes) == 12 and (panel(batch, 11) == errors).all()


def test_float_maps_share_one_scale_and_a_flat_one_shows_no_noise():
    figure = plot.grid([torch.zeros(4, 4), torch.full((4, 4), 2.0)])
    assert {ax.images[0].get_clim() for ax in figure.axes} == {(0, 2)} and "black: 0, white: 2" in texts(figure)
    noisy = 1 + 1e-8 * torch.rand(4, 4, dtype=torch.float64)
    shown = pixels(plot.grid([noisy.numpy()]))[150, 100:300]
    assert np.ptp(shown) <= 1 and 100 < shown.mean() < 160


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: plot.overlay(torch.rand(2, 3, 8, 8), MASK), "(2, 3, 8, 8)"),
        (lambda: plot.overlay(torch.rand(4, 8, 8), torch.zeros(8, 8).long()), "(3, H, W)"),
        (lambda: plot.overlay(IMAGE * 4 - 2, MASK), "normalisation"),
        (lambda: plot.overlay(IMAGE * float("nan"), MASK), "nan"),
        (lambda: plot.overlay(IMAGE, MASK[:10]), "10×32"),
        (lambda: plot.overlay(IMAGE, MASK.float()), "mask.long()"),
        (lambda: plot.overlay(IMAGE, torch.rand(3, 24, 32)), "argmax"),
        (lambda: plot.overlay(IMAGE, MASK, TRIMAP[:2]), "label 2"),
        (lambda: plot.overlay(IMAGE, MASK - 1, TRIMAP), "label -1"),
        (lambda: plot.overlay(IMAGE, MASK, TRIMAP, 1.5), "1.5"),
        (lambda: plot.overlay(IMAGE, MASK, TRIMAP, show=["cat"]), "'cat'"),
        (lambda: plot.comparison([IMAGE], [MASK, MASK], [MASK]), "1, 2, 1"),
        (lambda: plot.grid([]), "0 pictures"),
        (lambda: plot.grid([IMAGE], ["a", "b"]), "2 titles"),
        (lambda: plot.field([]), "no layers"),
        (lambda: plot.field([(3, 1)]), "(3, 1)"),
        (lambda: plot.field([(3, 1, 8)] * 2, size=20), "33"),
        (lambda: plot.field([(7, 4, 1)] * 8), "1,024"),
        (lambda: plot.taps(0, 1, 1), "(0, 1, 1)"),
        (lambda: plot.overlap(torch.zeros(2, 2, 2)), "(2, 2, 2)"),
        (lambda: plot.error_density([0.1, 3.0]), "3"),
    ],
)
def test_a_wrong_argument_gets_one_sentence(call, says):
    with pytest.raises(ValueError) as error:
        call()
    message = str(error.value)
    assert says in message and message.endswith(".") and "\n" not in message and len(message) < 200


# --- networks and convolutions ------------------------------------------------------------------------------


def test_shape_flow_states_what_was_measured():
    net = models.UNet(base=4, depth=3, skip="add")
    text = texts(plot.shape_flow(net, (40, 56)))
    for stage in models.trace(net, (1, 3, 40, 56)):
        assert f"{stage.channels} × {stage.height} × {stage.width}" in text
        assert not stage.parameters or f"{stage.parameters:,}" in text
    assert f"{models.count_parameters(net):,} parameters" in text and text.count("add") == 3
    assert "concat" not in texts(plot.shape_flow(models.EncoderDecoder(base=4, depth=3), 64))
    patches = plot.shape_flow(net, 64).axes[0].patches
    heights = [p.get_height() for p in patches if type(p) is matplotlib.patches.Rectangle]
    assert heights == heights[::-1] and heights[0] > heights[2] > heights[4] / 1.001  # a U: down, and up again


def test_a_skip_is_drawn_where_a_stage_has_one_and_from_the_stage_of_its_size():
    def skips(net):
        patches = plot.shape_flow(net, 64).axes[0].patches
        arrows = [p for p in patches if type(p) is matplotlib.patches.FancyArrowPatch]
        return sum(p.get_edgecolor()[:3] == VERMILLION for p in arrows)

    assert [skips(models.FCN(base=2, stride=s)) for s in (32, 16, 8)] == [0, 1, 2]
    assert skips(models.DeepLab(base=2)) == 1 and skips(models.DeepLab(base=2, decoder=False)) == 0
    assert skips(models.UNet(base=2, depth=3)) == 3 and skips(models.UNet(base=2, depth=3, skip="zero")) == 0


def test_labels_of_shape_flow_do_not_touch():
    with torch.device("meta"):
        unets = ((1, 4, 64), (2, 64, 512), (4, 16, 128), (4, 64, 512), (6, 64, 512))
        nets = [(models.UNet(base=base, depth=depth), size) for depth, base, size in unets]
        for stride, size in itertools.product((32, 16, 8), (64, 256)):
            nets.append((models.FCN(stride=stride), size))
            nets += [(models.DeepLab(output_stride=stride, decoder=decoder), size) for decoder in (True, False)]
        nets += [(models.PSPNet(), 64), (models.Classifier(4), 64), (models.Backbone(), 128)]
    for net, size in nets:
        figure = plot.shape_flow(net, size)
        renderer = FigureCanvasAgg(figure).get_renderer()
        boxes = [t.get_window_extent(renderer) for t in figure.axes[0].texts]
        for (i, a), (j, b) in itertools.combinations(enumerate(boxes), 2):
            over = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
            words = [figure.axes[0].texts[k].get_text() for k in (i, j)]
            assert min(over) <= 2, (type(net), size, words)


def formula(layers):
    field, jump = 1, 1
    for kernel, stride, dilation in layers:
        field, jump = field + (kernel - 1) * dilation * jump, jump * stride
    return field


def test_field_is_the_formulas_for_random_stacks():
    rng = random.Random(0)
    for _ in range(60):
        layers = [(rng.randint(1, 7), rng.randint(1, 3), rng.randint(1, 4)) for _ in range(rng.randint(1, 4))]
        if formula(layers) < 300:
            assert box(influence(layers)) == (formula(layers),) * 2, layers
    figure = plot.field([(3, 1, 1), (3, 1, 2), (3, 1, 4), (3, 1, 8)])
    assert figure.field == (31, 31) and "31 × 31" in figure.alt and "100 %" in figure.alt


def box(gradient):
    rows, columns = gradient.any(1).nonzero()[0], gradient.any(0).nonzero()[0]
    return rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1


SEEN = {
    (1, 2, 4, 8): "100 %",
    (1, 3, 9): "100 %",
    (2, 3): "66.9 %",
    (2, 4, 8): "26.8 %",
    (1, 8): "22.4 %",
    (4, 4): "8.65 %",
}


@pytest.mark.parametrize("rates, share", SEEN.items())
def test_field_says_how_much_of_it_is_seen(rates, share):
    assert f"{share} of them seen" in plot.field([(3, 1, r) for r in rates]).alt


def test_field_of_a_stack_is_that_of_the_same_convolutions():
    layers = [(3, 1, 1), (2, 2, 1), (3, 1, 2)]
    convs = [torch.nn.Conv2d(1, 1, k, stride=s, dilation=d, bias=False) for k, s, d in layers]
    net = torch.nn.Sequential(*convs).double()
    for parameter in net.parameters():
        parameter.data.fill_(1 / parameter.numel())
    figures = plot.field(net, 31), plot.field(layers)
    assert figures[0].field == figures[1].field == (formula(layers),) * 2
    drawn = [np.nan_to_num(np.ma.filled(figure.axes[0].images[0].get_array(), 0)) for figure in figures]
    assert np.allclose(*[g[np.ix_(g.any(1), g.any(0))] for g in drawn])


def test_field_leaves_the_network_as_it_was():
    net = seeded(base=8, depth=2).train()
    net.decoder.eval()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    figure = plot.field(net, 64)
    assert net.training and not net.decoder.training and all(p.grad is None for p in net.parameters())
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert "at least" in plot.field(net, 16).alt and "at least" not in figure.alt
    with torch.no_grad():
        assert plot.field(net, 64).field == figure.field
    for parameter in net.head.parameters():
        parameter.data.zero_()
    with pytest.raises(ValueError, match="gradient of the centre output is zero"):
        plot.field(net, 64)


@pytest.mark.parametrize("kernel, stride, dilation", [(1, 1, 1), (3, 1, 1), (3, 2, 2), (2, 3, 4), (5, 1, 8)])
def test_taps_lie_where_the_convolution_reads(kernel, stride, dilation):
    figure = plot.taps(kernel, stride, dilation)
    first, second = (c.get_offsets() for c in figure.axes[0].collections if isinstance(c, PathCollection))
    size = dilation * (kernel - 1) + 1 + stride
    for shown, column in ((first, 0), (second, 1)):
        x = torch.zeros(1, 1, size, size, requires_grad=True)
        y = torch.nn.functional.conv2d(x, torch.ones(1, 1, kernel, kernel), stride=stride, dilation=dilation)
        y[0, 0, 0, column].backward()
        assert {(int(b), int(a)) for a, b in shown} == {tuple(p) for p in x.grad[0, 0].nonzero().tolist()}
    assert f"= {dilation * (kernel - 1) + 1} pixels" in figure.alt


def test_taps_with_layers_states_their_field():
    assert plot.taps(3, 2, 2, layers=3).field == (29, 29)


@pytest.mark.parametrize("kernel, unevenness", [(3, "1.33"), (5, "0.80"), (2, "0.00"), (4, "0.00"), (6, "0.00")])
def test_overlap_states_the_unevenness_away_from_the_rim(kernel, unevenness):
    brush = torch.ones(1, 1, kernel, kernel)
    for n in (8, 9, 12):
        counts = torch.nn.functional.conv_transpose2d(torch.ones(1, 1, n, n), brush, stride=2)[0, 0]
        assert f"(max − min) / mean = {unevenness}" in plot.overlap(counts, kernel, 2).alt


def test_error_density_draws_each_share_at_its_distance():
    patches = plot.error_density(torch.tensor([float("nan"), 0.4, 0.2, float("nan"), 0.1])).axes[0].patches
    bars = [p for p in patches if hasattr(p, "get_height") and p.get_width() == 0.75]
    heights = {round(b.get_x() + b.get_width() / 2): b.get_height() for b in bars}
    assert heights == pytest.approx({1: 0.4, 2: 0.2, 4: 0.1})
    assert "a" in texts(plot.error_density({"a": [0, 0.1], "b": [0, 0.2]}))


# --- in a notebook ------------------------------------------------------------------------------------------


def test_a_cell_shows_each_picture_once():
    """In a real kernel, with the inline backend: a last value shows once, any other figure not at all."""
    head = (
        "import torch\nfrom course_lib import plot, widgets\n"
        "image, mask = torch.rand(3, 8, 8), torch.randint(0, 3, (8, 8))"
    )
    cells = [
        head,
        "plot.overlay(image, mask)",
        "figure = plot.grid([image]); plot.taps()",
        "figure = plot.taps()",
        "widgets.overlay(image, mask)",
        "import matplotlib.pyplot as plt; plt.get_fignums()",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    NotebookClient(book, timeout=PATIENCE, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}).execute()
    images = [[o for o in cell.outputs if "image/png" in o.get("data", {})] for cell in book.cells]
    assert [len(i) for i in images] == [0, 1, 1, 0, 1, 0]
    assert [len(cell.outputs) for cell in book.cells] == [0, 1, 1, 0, 1, 1]
    shown = images[1][0]
    assert shown.metadata["image/png"]["alt"] == shown.data["text/plain"]
    assert "Mask over image" in shown.data["text/plain"]
    assert {"text/plain", "image/png", "application/vnd.jupyter.widget-view+json"} <= set(images[4][0].data)
    assert book.cells[-1].outputs[0].data["text/plain"] == "[]"
