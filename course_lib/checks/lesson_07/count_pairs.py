"""Lesson 07: the table, with a row for ignored pixels. Maps are drawn pixel by pixel, and tallied as they are drawn."""

import math

import torch

from .. import pictures
from ..causes import judge
from ..core import Exercise
from ..values import NotYet, dtype_name, kind

count_pairs = Exercise(
    "count_pairs",
    hints=(
        (
            "The last line counts numbers of cells, as `fast_hist` does. Which two things went wrong there, before the"
            " counting?"
        ),
        (
            "Make the truth `int64` first. The cells of row r start at number r·classes. A pixel labelled 255 belongs"
            " to row `classes`, the last one: put `classes` where `ignored` is true."
        ),
        (
            "`torch.where(ignored, classes, truth.long())` gives the rows, and a pixel's cell has the number row ·"
            " classes + prediction. For the error, test `pred` as the given lines test `truth`; no pixel of it is"
            " excused."
        ),
    ),
    own_work={
        name: (
            "This calls a finished confusion matrix. Count with `torch.bincount`: you'll then know what happens to each"
            " label."
        )
        for name in (
            "confusion_matrix",
            "Confusion",
            "multiclass_confusion_matrix",
            "MulticlassConfusionMatrix",
            "ConfusionMatrix",
        )
    },
)


def _maps(t, classes, *shape, ignored=False, pixels=None):
    """(pred, truth, table): int64 maps that agree in about half of the pixels, and the table of how they were drawn.

    ignored  whether some of the truth is 255; the last pixel then is, and is called by the last class
    pixels   pairs (called, true) in place of drawn ones
    """
    table, drawn = [[0] * classes for _ in range(classes + 1)], []
    for _ in range(math.prod(shape) if pixels is None else 0):
        true = t.random.randrange(classes)
        called = true if t.random.random() < 0.5 else t.random.randrange(classes)
        drawn.append((called, 255 if ignored and t.random.random() < 0.2 else true))
    if ignored:
        drawn[-1] = classes - 1, 255
    for called, true in pixels or drawn:
        table[-1 if true == 255 else true][called] += 1
    pred, truth = torch.tensor(pixels or drawn, dtype=torch.int64).reshape(-1, 2).T
    return pred.reshape(shape), truth.reshape(shape), torch.tensor(table)


def _case(t, maps, given, dtypes=(), last_row=False):
    """(got, want, given, known mistakes) of two maps; without `last_row`, a table that lacks that row will do.

    maps    as `_maps` gives them
    dtypes  what pred and truth are converted to
    """
    pred, truth, want = maps
    classes, size = want.shape[1], tuple(want.shape)
    given = f"{given}, classes={classes}"
    try:
        got = t.call(*(m.to(d) for m, d in zip((pred, truth), dtypes or (torch.int64,) * 2)), classes)
    except NotYet as stopped:
        if not pred.numel() and ("min()" in stopped.message or "max()" in stopped.message):
            t.fail(f"{stopped.message} Maps without a pixel have no smallest or largest value; ask with `.any()`.")
        raise
    if not isinstance(got, torch.Tensor) or tuple(got.shape) not in (size, size[1:] * 2)[: 1 if last_row else 2]:
        more = ""
        if isinstance(got, torch.Tensor):
            more = {
                size[1:] * 2: " The row for ignored pixels is missing.",
                size[::-1]: " Rows are the truth, columns the prediction.",
                (classes + 1,) * 2: " Only the truth can be 255, so there is no column for it.",
            }.get(tuple(got.shape), "")
        t.fail(f"For {given}: expected a table of shape {size}, got {kind(got)}{more}")
    square, ignored = want[:classes], want[classes:]
    counted = [(row, column, want[row, column].item()) for row, column in want.nonzero().tolist()]

    def numbered(cell, last=True):
        """The table where pixels tick cell number `cell(row, column)`, the ignored ones too or not; None beyond it."""
        cells = [0] * want.numel()
        for row, column, n in counted:
            if cell(row, column) >= len(cells):
                return None
            cells[cell(row, column)] += n * (last or row < classes)
        return torch.tensor(cells).reshape(size)

    known = [
        (
            torch.cat([square.T, ignored]),
            "Rows and columns have changed places: the row is the true class, the column the one predicted.",
        ),
        (want.clamp(max=1), "This marks which pairs occur; count how often."),
        (square, "The ignored pixels are nowhere; they belong in the last row."),
        (
            torch.cat([square, torch.zeros_like(ignored)]),
            "The ignored pixels are nowhere; they belong in the last row.",
        ),
        (
            torch.cat([square[:-1], square[-1:] + ignored, ignored * 0]),
            "The ignored pixels are counted for the last class; they have a row of their own below it.",
        ),
        (
            torch.cat([square[:1] + ignored, square[1:], ignored * 0]),
            "The ignored pixels are counted for class 0; they have a row of their own, the last.",
        ),
        (
            numbered(lambda r, c: (r + 1) % (classes + 1) * classes + c),
            "The ignored pixels have the first row here; theirs is the last.",
        ),
        (numbered(lambda r, c: c * classes + r), "The cells are numbered down the columns; number them row by row."),
        (
            numbered(lambda r, c: r * (classes + 1) + c),
            "A row has as many cells as there are classes, no more: row r starts at number r · classes.",
        ),
        (want / max(1, pred.numel()), "These are shares; return counts."),
        *(
            (
                numbered(cell, last),
                "Cell numbers beyond 255 have wrapped round: `uint8` is too narrow. Convert before you multiply.",
            )
            for cell in (lambda r, c: (r * classes + c) % 256, lambda r, c: r * classes % 256 + c)
            for last in (True, False)
        ),
    ]
    if not last_row:
        got, want = got[:classes], want[:classes]
        known = [(None if value is None else value[:classes], meaning) for value, meaning in known]
    return got, want, given, known


@count_pairs.part("every pixel in its cell", 0.5)
def _(t):
    def cases():
        example = _maps(t, 3, 4, pixels=[(1, 0), (1, 0), (0, 0), (2, 1)])
        yield _case(t, example, "pred=[1, 1, 0, 2], truth=[0, 0, 0, 1]")
        for classes in (t.random.randint(4, 6), 7):
            yield _case(t, _maps(t, classes, 2, 9, 11), "maps of shape (2, 9, 11)")

    judge(t, cases(), 0.0, pictures.maps)


@count_pairs.part("a row for ignored pixels", 0.5)
def _(t):
    def cases():
        example = _maps(t, 3, 4, pixels=[(0, 0), (1, 1), (1, 2), (2, 255)])
        yield _case(t, example, "pred=[0, 1, 1, 2], truth=[0, 1, 2, 255]", last_row=True)
        for classes in (t.random.randint(3, 5), 6):
            maps = _maps(t, classes, 2, 8, 7, ignored=True)
            yield _case(t, maps, "maps of shape (2, 8, 7) with ignored pixels", last_row=True)

    judge(t, cases(), 0.0, pictures.maps)


@count_pairs.part("any dtype of whole numbers", 0.5)
def _(t):
    def cases(*dtypes):
        given = f"pred as {dtype_name(dtypes[0])}, truth as {dtype_name(dtypes[1])}"
        for classes in (t.random.randint(17, 60), t.random.randint(190, 250)):
            yield _case(t, _maps(t, classes, 20, 30, ignored=True), f"{given}, some of it 255", dtypes)

    for dtypes in (
        (torch.uint8, torch.uint8),
        (torch.int64, torch.uint8),
        (torch.uint8, torch.int64),
        (torch.int16, torch.int32),
    ):
        judge(t, cases(*dtypes), 0.0)


@count_pairs.part("a label that is no class raises ValueError", 0.5)
def _(t):
    classes = t.random.randint(3, 20)
    pred, truth, _ = _maps(t, classes, 5, 6, ignored=True)
    pred[0, 0], truth[0, 0], truth[0, 1] = 0, 0, 255
    if not isinstance(t.call(pred, truth, classes), torch.Tensor):
        t.fail(
            "For maps of shape (5, 6) that hold only classes and 255: expected a table, got"
            f" {kind(t.call(pred, truth, classes))}"
        )

    def spoilt(m, place, value):
        m = m.clone()
        m[place] = value
        return m

    cases = [("a prediction", value, spoilt(pred, (0, 0), value), truth) for value in (classes, classes + 1, -1)]
    cases += [("a prediction on an ignored pixel", 255, spoilt(pred, (0, 1), 255), truth)]
    cases += [("a true label", value, pred, spoilt(truth, (0, 0), value)) for value in (classes, 254, 256, -1)]
    cases += [("a true label", 2**32, pred, spoilt(truth, (0, 0), 2**32))]
    for what, value, p, m in cases:
        raised = t.raises(p, m, classes)
        if "ValueError" not in raised:
            did = f"raised {raised[0]}" if raised else "returned a table"
            more = " Converted to a narrower dtype, it becomes 0." if value in (256, 2**32) else ""
            t.fail(
                f"For classes={classes} and {what} of {value}, which is no class: your function {did}; it should raise"
                f" `ValueError`.{more}"
            )


@count_pairs.part("any shape, none at all, and arguments left alone", 0.5)
def _(t):
    classes = t.random.randint(2, 5)
    shapes = (13,), (2, 3, 4, 5), (0,), (0, 4, 4)
    judge(t, (_case(t, _maps(t, classes, *shape), f"maps of shape {shape}") for shape in shapes), 0.0)
    pred, truth, _ = _maps(t, classes, 6, 6, ignored=True)
    got = t.call(pred, truth, classes)
    if not isinstance(got, torch.Tensor) or got.dtype != torch.int64:
        t.fail(
            "Counts are whole numbers: the table's dtype should be int64, not"
            f" {str(getattr(got, 'dtype', kind(got))).removeprefix('torch.')}."
        )
    t.unchanged(
        "one of its arguments. `torch.where` makes a new tensor; an assignment to `truth[...]` changes the caller's."
    )
