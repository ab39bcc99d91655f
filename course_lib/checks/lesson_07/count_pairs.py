"""Lesson 07: the table, with a row for ignored pixels. What is expected is a product of one-hot matrices."""

import torch
import torch.nn.functional as F

from .. import pictures
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


def _table(pred, truth, classes):
    """int64 (classes + 1, classes), as a product of one-hot matrices."""
    row = truth.long().flatten().clone()
    row[row == 255] = classes
    there, called = F.one_hot(row, classes + 1).double(), F.one_hot(pred.long().flatten(), classes).double()
    return (there.T @ called).round().long()


def _pairs_part(t, pred, truth, classes, given, last_row):
    """Compare the student's table with the right one; without `last_row`, a table that lacks that row will do."""
    try:
        got = t.call(pred, truth, classes)
    except NotYet as stopped:
        if not pred.numel() and ("min()" in stopped.message or "max()" in stopped.message):
            t.fail(f"{stopped.message} Maps without a pixel have no smallest or largest value; ask with `.any()`.")
        raise
    want = _table(pred, truth, classes)
    size = (classes + 1, classes)
    if not isinstance(got, torch.Tensor) or tuple(got.shape) not in (size, size[1:] * 2)[: 1 if last_row else 2]:
        more = ""
        if isinstance(got, torch.Tensor):
            more = {
                size[1:] * 2: " The row for ignored pixels is missing.",
                size[::-1]: " Rows are the truth, columns the prediction.",
                (classes + 1,) * 2: " Only the truth can be 255, so there is no column for it.",
            }.get(tuple(got.shape), "")
        t.fail(f"For {given}: expected a table of shape {size}, got {kind(got)}{more}")
    if not last_row:
        got, want = got[:classes], want[:classes]
    rows = (torch.where(truth == 255, classes, truth.long()) * classes).flatten()
    wrapped = [
        torch.bincount(cells, minlength=want.numel())[: want.numel()].reshape(want.shape)
        for cells in ((rows + pred.long().flatten()) % 256, rows % 256 + pred.long().flatten())
    ]
    square = want[:classes]
    turned = torch.cat([square.T, want[classes:]])
    known = [
        (turned, "Rows and columns have changed places: the row is the true class, the column the one predicted."),
        *(
            (w, "Cell numbers beyond 255 have wrapped round: `uint8` is too narrow. Convert before you multiply.")
            for w in wrapped
        ),
        (want.clamp(max=1), "This marks which pairs occur; count how often."),
    ]
    if last_row:
        known.append(
            (
                torch.cat([square, torch.zeros_like(want[classes:])]),
                "The ignored pixels are nowhere; they belong in the last row.",
            )
        )
    t.equal(got, want, given, known, pictures.maps)


def _maps(t, classes, *shape, ignored=False):
    """A prediction and a truth that agree in about half of the pixels, with some 255 in the truth on demand."""
    truth, other = (t.tensor(*shape, low=0, high=classes) for _ in range(2))
    pred = torch.where(t.tensor(*shape) > 0, truth, other)
    if ignored:
        truth = torch.where(t.tensor(*shape) > 1, 255, truth)
        truth.view(-1)[-1], pred.view(-1)[-1] = 255, classes - 1  # so that the last cell holds something
    return pred, truth


@count_pairs.part("every pixel in its cell", 0.5)
def _(t):
    truth, pred = torch.tensor([0, 0, 0, 1]), torch.tensor([1, 1, 0, 2])
    _pairs_part(t, pred, truth, 3, "pred=[1, 1, 0, 2], truth=[0, 0, 0, 1], classes=3", False)
    classes = t.random.randint(4, 6)
    pred, truth = _maps(t, classes, 2, 9, 11)
    _pairs_part(t, pred, truth, classes, f"maps of shape (2, 9, 11) and classes={classes}", False)


@count_pairs.part("a row for ignored pixels", 0.5)
def _(t):
    _pairs_part(
        t,
        torch.tensor([0, 1, 1, 2]),
        torch.tensor([0, 1, 2, 255]),
        3,
        "pred=[0, 1, 1, 2], truth=[0, 1, 2, 255], classes=3",
        True,
    )
    classes = t.random.randint(3, 6)
    _pairs_part(
        t,
        *_maps(t, classes, 2, 8, 7, ignored=True),
        classes,
        f"maps of shape (2, 8, 7) with ignored pixels and classes={classes}",
        True,
    )


@count_pairs.part("any dtype of whole numbers", 0.5)
def _(t):
    for a, b in (
        (torch.uint8, torch.uint8),
        (torch.int64, torch.uint8),
        (torch.uint8, torch.int64),
        (torch.int16, torch.int32),
    ):
        classes = t.random.randint(17, 60)
        pred, truth = _maps(t, classes, 20, 30)
        names = [dtype_name(d) for d in (a, b)]
        _pairs_part(
            t, pred.to(a), truth.to(b), classes, f"pred as {names[0]}, truth as {names[1]} and classes={classes}", False
        )


@count_pairs.part("a label that is no class raises ValueError", 0.5)
def _(t):
    classes = t.random.randint(3, 20)
    pred, truth = _maps(t, classes, 5, 6, ignored=True)
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
    for shape in ((13,), (2, 3, 4, 5), (0,), (0, 4, 4)):
        _pairs_part(t, *_maps(t, classes, *shape), classes, f"maps of shape {shape} and classes={classes}", False)
    pred, truth = _maps(t, classes, 6, 6, ignored=True)
    got = t.call(pred, truth, classes)
    if not isinstance(got, torch.Tensor) or got.dtype != torch.int64:
        t.fail(
            "Counts are whole numbers: the table's dtype should be int64, not"
            f" {str(getattr(got, 'dtype', kind(got))).removeprefix('torch.')}."
        )
    t.unchanged(
        "one of its arguments. `torch.where` makes a new tensor; an assignment to `truth[...]` changes the caller's."
    )
