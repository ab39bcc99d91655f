"""Answers to lesson 07_metrics, right and wrong, by people who saw the student's notebook and not its checks.

Read by tests/answers.py. A wrong answer names its misconception, an input on which it lies, and what it must be told.
"""

# %% right two_lies: the last class in uint8, and one past the next diagonal
def two_lies(classes):
    last = torch.tensor([classes - 1], dtype=torch.uint8)
    return (last, last), (torch.tensor([classes + 1]), torch.tensor([0]))

# %% right two_lies: whole maps with ignored pixels; a negative class
def two_lies(classes):
    truth = torch.arange(classes, dtype=torch.uint8).repeat(4, 1)
    truth[0] = 255
    pred = truth.clone()
    pred[0] = 3
    zeros = torch.zeros(6, 6, dtype=torch.int64)
    return (pred, truth), (zeros - classes, zeros + 1)

# %% right two_lies: tries every pair in uint8, and finds both lies in the overflow
def two_lies(classes):
    first = second = None
    for t in range(classes):
        for p in range(classes):
            cell = (classes * t + p) % 256
            pair = torch.tensor([[p]], dtype=torch.uint8), torch.tensor([[t]], dtype=torch.uint8)
            on_diagonal = cell % (classes + 1) == 0
            if t == p and not on_diagonal:
                first = first or pair
            if t != p and on_diagonal:
                second = second or pair
    return first, second

# %% right two_lies: int8 that goes round once and is positive again
def two_lies(classes):
    for t in range(classes):
        cell = (classes * t + t + 128) % 256 - 128
        if 0 <= cell < classes**2 and cell % (classes + 1):
            break
    map8 = torch.full((2, 3), t, dtype=torch.int8)
    return (map8, map8.clone()), (torch.full((1, 2, 2), 2 * classes + 2), torch.zeros(1, 2, 2, dtype=torch.int32))

# %% right two_lies: only the truth is uint8, and only one pixel of many is counted wrongly
def two_lies(classes):
    truth = torch.zeros(8, 8, dtype=torch.uint8)
    truth[3, 3] = classes - 1
    other = torch.full((5,), classes - 2)
    return (truth.long(), truth), (other - classes - 1, other)

# %% wrong two_lies: the last class, but in int64, where nothing overflows
# fails: right everywhere, and scored below 1
# says: What happens to a cell's number beyond that?
# differs at: every number of classes, the first accuracy is 1
def two_lies(classes):
    last = torch.tensor([classes - 1])
    return (last, last), (torch.tensor([classes + 1]), torch.tensor([0]))

# %% wrong two_lies: uint8, but a class too small to overflow
# fails: right everywhere, and scored below 1
# says: Numbers up to 255 fit into `uint8`.
# differs at: every number of classes, 5 * classes + 5 is below 256
def two_lies(classes):
    small = torch.tensor([5], dtype=torch.uint8)
    return (small, small), (torch.tensor([classes + 1]), torch.tensor([0]))

# %% wrong two_lies: written for 21 classes
# fails: right everywhere, and scored below 1; wrong everywhere, and scored 1
# says: The lie must work on an honest truth:
# differs at: 17 classes, where 20 is no class
def two_lies(classes):
    last = torch.tensor([20], dtype=torch.uint8)
    return (last, last), (torch.tensor([22]), torch.tensor([0]))

# %% wrong two_lies: the two lies in the other order
# fails: right everywhere, and scored below 1; wrong everywhere, and scored 1
# says: it should be perfect.
# differs at: every number of classes
def two_lies(classes):
    last = torch.tensor([classes - 1], dtype=torch.uint8)
    return (torch.tensor([classes + 1]), torch.tensor([0])), (last, last)

# %% wrong two_lies: truth first, prediction second
# fails: wrong everywhere, and scored 1
# says: The lie must work on an honest truth:
# differs at: the second pair, whose truth is no class
def two_lies(classes):
    last = torch.tensor([classes - 1], dtype=torch.uint8)
    return (last, last), (torch.tensor([0]), torch.tensor([classes + 1]))

# %% wrong two_lies: predicts one class too many, which lands beside the diagonal
# fails: wrong everywhere, and scored 1
# says: Which cells lie on the diagonal?
# differs at: the second pair, whose tick stands in row 1, column 0
def two_lies(classes):
    last = torch.tensor([classes - 1], dtype=torch.uint8)
    return (last, last), (torch.tensor([classes]), torch.tensor([0]))

# %% wrong two_lies: a prediction beyond the whole table, which stops with an error
# fails: wrong everywhere, and scored 1
# says: A lie is a table that looks fine.
# differs at: the second pair, whose tick has no cell
def two_lies(classes):
    last = torch.tensor([classes - 1], dtype=torch.uint8)
    return (last, last), (torch.tensor([2 * classes]), torch.tensor([classes - 1]))

# %% wrong two_lies: everything is ignored, so nothing is scored
# fails: right everywhere, and scored below 1; wrong everywhere, and scored 1
# says: no pixel is labelled, so there is nothing to lie about.
# differs at: both pairs, which have no labelled pixel
def two_lies(classes):
    nothing = torch.full((4, 4), 255)
    return (nothing, nothing), (torch.zeros(4, 4, dtype=torch.int64), nothing)

# %% wrong two_lies: the first prediction has an honest mistake
# fails: right everywhere, and scored below 1
# says: it should be perfect.
# differs at: the first pair, which is not right everywhere
def two_lies(classes):
    return (torch.tensor([1, 2, 3]), torch.tensor([1, 2, 2])), (torch.tensor([classes + 1]), torch.tensor([0]))

# %% wrong two_lies: the second prediction is right on one of its pixels
# fails: wrong everywhere, and scored 1
# says: it should be wrong everywhere.
# differs at: the second pair, right at the second pixel
def two_lies(classes):
    last = torch.tensor([classes - 1], dtype=torch.uint8)
    return (last, last), (torch.tensor([classes + 1, 1]), torch.tensor([0, 1]))

# %% wrong two_lies: four maps in one tuple
# fails: right everywhere, and scored below 1; wrong everywhere, and scored 1
# says: expected two pairs, `(pred, truth), (pred, truth)`
# differs at: every number of classes
def two_lies(classes):
    last = torch.tensor([classes - 1], dtype=torch.uint8)
    return last, last, torch.tensor([classes + 1]), torch.tensor([0])

# %% wrong two_lies: second: called = 255, taken for 'ignored'
# fails: wrong everywhere, and scored 1
# says: It leaves out pixels whose *truth* is 255;
def two_lies(classes):
    """((pred, truth), (pred, truth)): right and scored below 1; wrong and scored 1."""
    labels = torch.tensor([5])  # right: both maps of the first pair are the same
    ground = torch.zeros(4, dtype=torch.int64)  # the second truth
    called = ground + 1  # wrong, and scored 0

    labels = torch.tensor([classes - 1], dtype=torch.uint8)
    called = torch.full_like(ground, 255)

    return (labels, labels), (called, ground)

# %% wrong two_lies: the pairs are (truth, pred)
# fails: wrong everywhere, and scored 1
# says: Each pair is (pred, truth); have the two changed places?
def two_lies(classes):
    labels = torch.tensor([classes - 1], dtype=torch.uint8)
    ground = torch.zeros(4, dtype=torch.int64)
    called = ground + classes + 1
    return (labels, labels), (ground, called)

# %% wrong two_lies: int8, whose negative cells stop bincount
# fails: right everywhere, and scored below 1
# says: In `int8` a number beyond 127 becomes negative.
def two_lies(classes):
    """((pred, truth), (pred, truth)): right and scored below 1; wrong and scored 1."""
    labels = torch.tensor([5])  # right: both maps of the first pair are the same
    ground = torch.zeros(4, dtype=torch.int64)  # the second truth
    called = ground + 1  # wrong, and scored 0

    labels = torch.tensor([classes - 1], dtype=torch.int8)
    called = ground + classes + 1

    return (labels, labels), (called, ground)

# %% right count_pairs: long, 255 becomes one more row, one bincount
def count_pairs(pred, truth, classes):
    pred, truth = pred.long().flatten(), truth.long().flatten()
    if ((pred < 0) | (pred >= classes)).any():
        raise ValueError("a prediction that is no class")
    truth = torch.where(truth == 255, classes, torch.where((truth >= 0) & (truth < classes), truth, -1))
    if (truth < 0).any():
        raise ValueError("a truth that is no class")
    return torch.bincount(truth * classes + pred, minlength=(classes + 1) * classes).reshape(classes + 1, classes)

# %% right count_pairs: a Python loop over the pixels
def count_pairs(pred, truth, classes):
    table = [[0] * classes for _ in range(classes + 1)]
    for p, t in zip(pred.flatten().tolist(), truth.flatten().tolist()):
        if t == 255:
            t = classes
        elif not 0 <= t < classes:
            raise ValueError(f"label {t}")
        if not 0 <= p < classes:
            raise ValueError(f"prediction {p}")
        table[t][p] += 1
    return torch.tensor(table, dtype=torch.int64)

# %% right count_pairs: compares each map with each class, products of the two
def count_pairs(pred, truth, classes):
    pred, truth = pred.long().reshape(-1), truth.long().reshape(-1)
    names = torch.arange(classes)
    called = (pred[:, None] == names).long()
    true = (truth[:, None] == torch.cat([names, torch.tensor([255])])).long()
    if (called.sum(1) != 1).any() or (true.sum(1) != 1).any():
        raise ValueError("a number that is no class")
    return true.T @ called

# %% right count_pairs: index_put with accumulate
def count_pairs(pred, truth, classes):
    p, t = pred.to(torch.int64).ravel(), truth.to(torch.int64).ravel()
    ignored = t == 255
    for numbers in (p, t[~ignored]):
        if numbers.numel() and (numbers.min() < 0 or numbers.max() >= classes):
            raise ValueError("not a class")
    table = torch.zeros(classes + 1, classes, dtype=torch.int64)
    return table.index_put_((t.masked_fill(ignored, classes), p), torch.ones_like(t), accumulate=True)

# %% right count_pairs: a table of 256 rows, of which it keeps some
def count_pairs(pred, truth, classes):
    p, t = pred.long().flatten(), truth.long().flatten()
    if len(p) and (p.min() < 0 or p.max() >= classes or t.min() < 0 or t.max() > 255):
        raise ValueError("out of range")
    table = torch.bincount(t * classes + p, minlength=256 * classes).view(256, classes)
    if table[classes:255].any():
        raise ValueError("a label between the classes and 255")
    return torch.cat([table[:classes], table[255:]])

# %% right count_pairs: NumPy
def count_pairs(pred, truth, classes):
    import numpy as np
    p, t = pred.numpy().astype(np.int64).ravel(), truth.numpy().astype(np.int64).ravel()
    if not np.isin(p, np.arange(classes)).all() or not np.isin(t, [*range(classes), 255]).all():
        raise ValueError("unknown label")
    table = np.zeros((classes + 1, classes), dtype=np.int64)
    np.add.at(table, (np.where(t == 255, classes, t), p), 1)
    return torch.from_numpy(table)

# %% wrong count_pairs: the widely copied function, with a row of zeros
# fails: a row for ignored pixels; any dtype of whole numbers; a label that is no class raises ValueError
# says: `uint8` is too narrow. Convert before you multiply.
# differs at: uint8 maps, ignored pixels, labels that are no class
def count_pairs(pred, truth, classes):
    known = (truth >= 0) & (truth < classes)
    cells = classes * truth[known] + pred[known]
    table = torch.bincount(cells, minlength=classes**2).reshape(classes, classes)
    return torch.cat([table, torch.zeros(1, classes, dtype=torch.int64)])

# %% wrong count_pairs: rows and columns swapped
# fails: every pixel in its cell; a row for ignored pixels; any dtype of whole numbers; any shape, none at all, and arguments left alone
# says: Rows and columns have changed places
# differs at: the text's example
def count_pairs(pred, truth, classes):
    pred, truth = pred.long().flatten(), truth.long().flatten()
    if ((pred < 0) | (pred >= classes)).any() or ((truth != 255) & ((truth < 0) | (truth >= classes))).any():
        raise ValueError("no class")
    table = torch.zeros(classes + 1, classes, dtype=torch.int64)
    for p, t in zip(pred.tolist(), truth.tolist()):
        if t == 255:
            table[classes, p] += 1
        else:
            table[p, t] += 1
    return table

# %% wrong count_pairs: the library's table, without the last row
# fails: every pixel in its cell; a row for ignored pixels; any dtype of whole numbers; a label that is no class raises ValueError; any shape, none at all, and arguments left alone
# says: This calls a finished confusion matrix.
# differs at: every input, (classes, classes)
def count_pairs(pred, truth, classes):
    return metrics.confusion_matrix(pred, truth, classes)

# %% wrong count_pairs: ignored pixels are thrown away, the last row stays 0
# fails: a row for ignored pixels
# says: they belong in the last row.
# differs at: the text's example
def count_pairs(pred, truth, classes):
    p, t = pred.long().flatten(), truth.long().flatten()
    if ((p < 0) | (p >= classes)).any() or ((t != 255) & ((t < 0) | (t >= classes))).any():
        raise ValueError("no class")
    keep = t != 255
    return torch.bincount(t[keep] * classes + p[keep], minlength=(classes + 1) * classes).view(classes + 1, classes)

# %% wrong count_pairs: checks the predictions only, other labels count as ignored
# fails: a label that is no class raises ValueError
# says: which is no class: your function returned a table
# differs at: pred [0], truth [7] with 3 classes
def count_pairs(pred, truth, classes):
    p, t = pred.long().flatten(), truth.long().flatten()
    if ((p < 0) | (p >= classes)).any():
        raise ValueError("no class")
    t = torch.where((t >= 0) & (t < classes), t, classes)
    return torch.bincount(t * classes + p, minlength=(classes + 1) * classes).view(-1, classes)

# %% wrong count_pairs: max() of no pixels
# fails: any shape, none at all, and arguments left alone
# says: int64 tensor [], int64 tensor [], 
# differs at: maps without a pixel
def count_pairs(pred, truth, classes):
    p, t = pred.long().flatten(), truth.long().flatten()
    t = torch.where(t == 255, classes, t)
    if p.min() < 0 or p.max() >= classes or truth.min() < 0 or t.max() > classes or (truth == classes).any():
        raise ValueError("no class")
    return torch.bincount(t * classes + p, minlength=(classes + 1) * classes).view(-1, classes)

# %% wrong count_pairs: renames 255 in the reader's own truth
# fails: any shape, none at all, and arguments left alone
# says: an assignment to `truth[...]` changes the caller's.
# differs at: an int64 truth, which .long() does not copy
def count_pairs(pred, truth, classes):
    p, t = pred.long().flatten(), truth.long()
    if ((p < 0) | (p >= classes)).any() or ((t != 255) & ((t < 0) | (t >= classes))).any():
        raise ValueError("no class")
    t[t == 255] = classes
    return torch.bincount(t.flatten() * classes + p, minlength=(classes + 1) * classes).view(-1, classes)

# %% wrong count_pairs: int32, in which 2**32 + 1 is 1
# fails: a label that is no class raises ValueError
# says: Converted to a narrower dtype, it becomes 0.
# differs at: truth [2**32 + 1]
def count_pairs(pred, truth, classes):
    p, t = pred.int().flatten(), truth.int().flatten()
    if ((p < 0) | (p >= classes)).any() or ((t != 255) & ((t < 0) | (t >= classes))).any():
        raise ValueError("no class")
    t = torch.where(t == 255, classes, t)
    return torch.bincount(t * classes + p, minlength=(classes + 1) * classes).view(-1, classes)

# %% wrong count_pairs: counts in float
# fails: any shape, none at all, and arguments left alone
# says: Counts are whole numbers:
# differs at: the dtype
def count_pairs(pred, truth, classes):
    p, t = pred.long().flatten(), truth.long().flatten()
    if ((p < 0) | (p >= classes)).any() or ((t != 255) & ((t < 0) | (t >= classes))).any():
        raise ValueError("no class")
    t = torch.where(t == 255, classes, t)
    return F.one_hot(t, classes + 1).float().T @ F.one_hot(p, classes).float()

# %% wrong count_pairs: an AssertionError
# fails: a label that is no class raises ValueError
# says: your function raised AssertionError;
# differs at: pred [3] with 3 classes
def count_pairs(pred, truth, classes):
    p, t = pred.long().flatten(), truth.long().flatten()
    t = torch.where(t == 255, classes, t)
    assert not ((p < 0) | (p >= classes)).any(), "no class"
    assert not ((t < 0) | (t > classes)).any(), "no class"
    return torch.bincount(t * classes + p, minlength=(classes + 1) * classes).view(-1, classes)

# %% wrong count_pairs: also takes the label `classes` for ignored
# fails: a label that is no class raises ValueError
# says: which is no class: your function returned a table
# differs at: truth [3] with 3 classes
def count_pairs(pred, truth, classes):
    p, t = pred.long().flatten(), truth.long().flatten()
    t = torch.where(t == 255, classes, t)
    if ((p < 0) | (p >= classes)).any() or ((t < 0) | (t > classes)).any():
        raise ValueError("no class")
    return torch.bincount(t * classes + p, minlength=(classes + 1) * classes).view(-1, classes)

# %% wrong count_pairs: forgets minlength
# fails: every pixel in its cell; any shape, none at all, and arguments left alone
# says: your code stopped with RuntimeError: shape 
# differs at: maps in which the last cell does not occur
def count_pairs(pred, truth, classes):
    p, t = pred.long().flatten(), truth.long().flatten()
    if ((p < 0) | (p >= classes)).any() or ((t != 255) & ((t < 0) | (t >= classes))).any():
        raise ValueError("no class")
    t = torch.where(t == 255, classes, t)
    return torch.bincount(t * classes + p).view(classes + 1, classes)

# %% wrong count_pairs: converted too late, after the multiplication
# fails: any dtype of whole numbers
# says: Cell numbers beyond 255 have wrapped round
def count_pairs(pred, truth, classes):
    """Pixels of class [row] called [column], ignored ones in the last row: int64 (classes + 1, classes)."""
    ignored = truth == 255
    if (((truth < 0) | (truth >= classes)) & ~ignored).any():
        raise ValueError("a true label is neither a class nor 255")

    if ((pred < 0) | (pred >= classes)).any():
        raise ValueError("a prediction is no class")

    cells = (truth.masked_fill(ignored, classes) * classes).long() + pred.long()

    return torch.bincount(cells.flatten(), minlength=(classes + 1) * classes).view(classes + 1, classes)

# %% wrong count_pairs: pred.max() stops on empty maps
# fails: any shape, none at all, and arguments left alone
# says: Maps without a pixel have no smallest or largest value
def count_pairs(pred, truth, classes):
    """Pixels of class [row] called [column], ignored ones in the last row: int64 (classes + 1, classes)."""
    ignored = truth == 255
    if (((truth < 0) | (truth >= classes)) & ~ignored).any():
        raise ValueError("a true label is neither a class nor 255")

    if pred.min() < 0 or pred.max() >= classes:
        raise ValueError("a prediction is no class")
    cells = truth.long().masked_fill(ignored, classes) * classes + pred.long()

    return torch.bincount(cells.flatten(), minlength=(classes + 1) * classes).view(classes + 1, classes)

# %% wrong count_pairs: cells numbered down the columns
# fails: every pixel in its cell; a row for ignored pixels; any dtype of whole numbers; any shape, none at all, and arguments left alone
# says: The cells are numbered down the columns
def count_pairs(pred, truth, classes):
    ignored = truth == 255
    if (((truth < 0) | (truth >= classes)) & ~ignored).any(): raise ValueError("a")
    if ((pred < 0) | (pred >= classes)).any(): raise ValueError("p")
    rows = truth.long().masked_fill(ignored, classes)
    cells = pred.long() * classes + rows
    return torch.bincount(cells.flatten(), minlength=(classes + 1) * classes).view(-1, classes)

# %% wrong count_pairs: one cell too many in each row
# fails: every pixel in its cell; a row for ignored pixels; any dtype of whole numbers; any shape, none at all, and arguments left alone
# says: row r starts at number r · classes.
def count_pairs(pred, truth, classes):
    ignored = truth == 255
    if (((truth < 0) | (truth >= classes)) & ~ignored).any(): raise ValueError("a")
    if ((pred < 0) | (pred >= classes)).any(): raise ValueError("p")
    rows = truth.long().masked_fill(ignored, classes)
    cells = rows * (classes + 1) + pred.long()
    return torch.bincount(cells.flatten(), minlength=(classes + 1) * classes)[:(classes + 1) * classes].view(classes + 1, classes)

# %% wrong count_pairs: ignored pixels are class 0
# fails: a row for ignored pixels; any dtype of whole numbers
# says: The ignored pixels are counted for class 0
def count_pairs(pred, truth, classes):
    ignored = truth == 255
    if (((truth < 0) | (truth >= classes)) & ~ignored).any(): raise ValueError("a")
    if ((pred < 0) | (pred >= classes)).any(): raise ValueError("p")
    rows = truth.long().masked_fill(ignored, 0)
    cells = rows * classes + pred.long()
    return torch.bincount(cells.flatten(), minlength=(classes + 1) * classes).view(classes + 1, classes)

# %% wrong count_pairs: int16, too narrow for many classes
# fails: any dtype of whole numbers
# says: bincount
def count_pairs(pred, truth, classes):
    ignored = truth == 255
    if (((truth < 0) | (truth >= classes)) & ~ignored).any(): raise ValueError("a")
    if ((pred < 0) | (pred >= classes)).any(): raise ValueError("p")
    rows = truth.to(torch.int16).masked_fill(ignored, classes)
    return torch.bincount((rows * classes + pred).flatten(), minlength=(classes + 1) * classes).view(classes + 1, classes)

# %% wrong count_pairs: the ignored pixels' row comes first
# fails: every pixel in its cell; a row for ignored pixels; any dtype of whole numbers; any shape, none at all, and arguments left alone
# says: The ignored pixels have the first row here; theirs is the last.
def count_pairs(pred, truth, classes):
    ignored = truth == 255
    if (((truth < 0) | (truth >= classes)) & ~ignored).any(): raise ValueError("a")
    if ((pred < 0) | (pred >= classes)).any(): raise ValueError("p")
    rows = (truth.long() + 1).masked_fill(ignored, 0)
    cells = rows * classes + pred.long()
    return torch.bincount(cells.flatten(), minlength=(classes + 1) * classes).view(classes + 1, classes)

# %% right report: sums of rows and columns
def report(matrix):
    hit = matrix.diagonal().double()
    true, called = matrix.sum(1).double(), matrix.sum(0).double()
    recall, iou = hit / true, hit / (true + called - hit)
    return {"share": true / true.sum(), "recall": recall, "precision": hit / called, "iou": iou,
            "dice": 2 * hit / (true + called), "accuracy": (hit.sum() / true.sum()).item(),
            "mean_accuracy": recall.nanmean().item(), "miou": iou.nanmean().item()}

# %% right report: class by class in Python, with plain division
def report(matrix):
    m = matrix.tolist()
    n = len(m)
    nan = float("nan")
    ratio = lambda a, b: a / b if b else nan
    mean = lambda xs: ratio(sum(x for x in xs if x == x), sum(x == x for x in xs))
    total = sum(map(sum, m))
    out = {k: [] for k in ("share", "recall", "precision", "iou", "dice")}
    for c in range(n):
        hits, misses = m[c][c], sum(m[c]) - m[c][c]
        alarms = sum(m[r][c] for r in range(n)) - hits
        out["share"].append(ratio(hits + misses, total))
        out["recall"].append(ratio(hits, hits + misses))
        out["precision"].append(ratio(hits, hits + alarms))
        out["iou"].append(ratio(hits, hits + misses + alarms))
        out["dice"].append(ratio(2 * hits, 2 * hits + misses + alarms))
    numbers = {"accuracy": ratio(sum(m[c][c] for c in range(n)), total),
               "mean_accuracy": mean(out["recall"]), "miou": mean(out["iou"])}
    return {k: torch.tensor(v) for k, v in out.items()} | numbers

# %% right report: Dice from IoU; means over chosen entries; numbers as 0-d tensors
def report(matrix):
    m = matrix.float()
    eye = torch.eye(len(m))
    tp, fn, fp = (m * eye).sum(0), (m * (1 - eye)).sum(1), (m * (1 - eye)).sum(0)
    recall, precision, iou = tp / (tp + fn), tp / (tp + fp), tp / (tp + fn + fp)
    return {"miou": iou[~iou.isnan()].mean(), "mean_accuracy": recall[~torch.isnan(recall)].mean(),
            "accuracy": m.trace() / m.sum(), "dice": 2 * iou / (1 + iou), "iou": iou, "precision": precision,
            "recall": recall, "share": (tp + fn) / m.sum()}

# %% right report: one table of rates, then its columns
def report(matrix):
    rates = matrix / matrix.sum()
    true, called, hit = rates.sum(dim=1), rates.sum(dim=0), rates.diag()
    at_least = hit + (true - hit) + (called - hit)
    safe = lambda a, b: torch.where(b > 0, a / b, torch.nan)
    out = dict(share=true, recall=safe(hit, true), precision=safe(hit, called), iou=safe(hit, at_least),
               dice=safe(2 * hit, true + called), accuracy=float(hit.sum()))
    out["mean_accuracy"] = float(out["recall"].nanmean())
    out["miou"] = float(out["iou"].nanmean())
    return out

# %% wrong report: the library's class does it all
# fails: IoU and Dice of each class; share, recall and precision of each class; 0/0 is NaN, and a false alarm is 0; accuracy, mean accuracy and mIoU; an empty table, and the argument left alone
# says: its diagonal, row sums and column sums.
# differs at: nothing; it is not the student's own
def report(matrix):
    c = metrics.Confusion(len(matrix))
    c.matrix = matrix
    flipped = metrics.Confusion(len(matrix))
    flipped.matrix = matrix.T
    return {"share": matrix.sum(1) / matrix.sum(), "recall": c.class_accuracy, "precision": flipped.class_accuracy,
            "iou": c.iou, "dice": c.dice, "accuracy": c.accuracy, "mean_accuracy": c.class_accuracy.nanmean().item(),
            "miou": c.miou}

# %% wrong report: rows and columns swapped
# fails: share, recall and precision of each class; 0/0 is NaN, and a false alarm is 0; accuracy, mean accuracy and mIoU
# says: take the truth's, which stands in the rows.
# differs at: the text's example, recall
def report(matrix):
    hit = matrix.diagonal().double()
    true, called = matrix.sum(0).double(), matrix.sum(1).double()
    recall, iou = hit / true, hit / (true + called - hit)
    return {"share": true / true.sum(), "recall": recall, "precision": hit / called, "iou": iou,
            "dice": 2 * hit / (true + called), "accuracy": (hit.sum() / true.sum()).item(),
            "mean_accuracy": recall.nanmean().item(), "miou": iou.nanmean().item()}

# %% wrong report: a small number in each denominator, so that 0/0 is 0
# fails: 0/0 is NaN, and a false alarm is 0; accuracy, mean accuracy and mIoU; an empty table, and the argument left alone
# says: 0/0 should stay NaN, not become 0, as a small number below the line
# differs at: a class that is nowhere
def report(matrix):
    eps = 1e-9
    hit = matrix.diagonal().double()
    true, called = matrix.sum(1).double(), matrix.sum(0).double()
    recall, iou = hit / (true + eps), hit / (true + called - hit + eps)
    return {"share": true / (true.sum() + eps), "recall": recall, "precision": hit / (called + eps), "iou": iou,
            "dice": 2 * hit / (true + called + eps), "accuracy": (hit.sum() / (true.sum() + eps)).item(),
            "mean_accuracy": recall.mean().item(), "miou": iou.mean().item()}

# %% wrong report: the mean of what is NaN is NaN
# fails: accuracy, mean accuracy and mIoU
# says: A single NaN makes the whole mean NaN
# differs at: a class that is nowhere
def report(matrix):
    hit = matrix.diagonal().double()
    true, called = matrix.sum(1).double(), matrix.sum(0).double()
    recall, iou = hit / true, hit / (true + called - hit)
    return {"share": true / true.sum(), "recall": recall, "precision": hit / called, "iou": iou,
            "dice": 2 * hit / (true + called), "accuracy": (hit.sum() / true.sum()).item(),
            "mean_accuracy": recall.mean().item(), "miou": iou.mean().item()}

# %% wrong report: IoU and Dice are NaN where the truth has no such class, though it was called
# fails: 0/0 is NaN, and a false alarm is 0; accuracy, mean accuracy and mIoU
# says: has IoU and Dice 0, not NaN: that is a false alarm.
# differs at: a class that was called and is not there
def report(matrix):
    hit = matrix.diagonal().double()
    true, called = matrix.sum(1).double(), matrix.sum(0).double()
    there = true > 0
    recall = hit / true
    iou = torch.where(there, hit / (true + called - hit), torch.nan)
    dice = torch.where(there, 2 * hit / (true + called), torch.nan)
    return {"share": true / true.sum(), "recall": recall, "precision": hit / called, "iou": iou,
            "dice": dice, "accuracy": (hit.sum() / true.sum()).item(),
            "mean_accuracy": recall.nanmean().item(), "miou": iou.nanmean().item()}

# %% wrong report: only the mIoU leaves out the class that was called in vain
# fails: accuracy, mean accuracy and mIoU
# says: This averages over the classes of the truth only.
# differs at: a class that was called and is not there
def report(matrix):
    hit = matrix.diagonal().double()
    true, called = matrix.sum(1).double(), matrix.sum(0).double()
    recall, iou = hit / true, hit / (true + called - hit)
    return {"share": true / true.sum(), "recall": recall, "precision": hit / called, "iou": iou,
            "dice": 2 * hit / (true + called), "accuracy": (hit.sum() / true.sum()).item(),
            "mean_accuracy": recall.nanmean().item(), "miou": iou[true > 0].mean().item()}

# %% wrong report: the union counts the hits twice
# fails: IoU and Dice of each class; 0/0 is NaN, and a false alarm is 0; accuracy, mean accuracy and mIoU
# says: Take them off once.
# differs at: the text's example, IoU
def report(matrix):
    hit = matrix.diagonal().double()
    true, called = matrix.sum(1).double(), matrix.sum(0).double()
    recall, iou = hit / true, hit / (true + called)
    return {"share": true / true.sum(), "recall": recall, "precision": hit / called, "iou": iou,
            "dice": 2 * hit / (true + called), "accuracy": (hit.sum() / true.sum()).item(),
            "mean_accuracy": recall.nanmean().item(), "miou": iou.nanmean().item()}

# %% wrong report: Dice with the hits once below
# fails: IoU and Dice of each class; 0/0 is NaN, and a false alarm is 0
# says: Below the line stands the sum of both sets, not their union.
# differs at: the text's example, Dice
def report(matrix):
    hit = matrix.diagonal().double()
    true, called = matrix.sum(1).double(), matrix.sum(0).double()
    recall, iou = hit / true, hit / (true + called - hit)
    return {"share": true / true.sum(), "recall": recall, "precision": hit / called, "iou": iou,
            "dice": 2 * hit / (true + called - hit), "accuracy": (hit.sum() / true.sum()).item(),
            "mean_accuracy": recall.nanmean().item(), "miou": iou.nanmean().item()}

# %% wrong report: the share of what was called
# fails: share, recall and precision of each class; 0/0 is NaN, and a false alarm is 0
# says: take the truth's, which stands in the rows.
# differs at: the text's example, share 0.7 and 0.3
def report(matrix):
    hit = matrix.diagonal().double()
    true, called = matrix.sum(1).double(), matrix.sum(0).double()
    recall, iou = hit / true, hit / (true + called - hit)
    return {"share": called / called.sum(), "recall": recall, "precision": hit / called, "iou": iou,
            "dice": 2 * hit / (true + called), "accuracy": (hit.sum() / true.sum()).item(),
            "mean_accuracy": recall.nanmean().item(), "miou": iou.nanmean().item()}

# %% wrong report: plain division of Python numbers, which a table of zeros stops
# fails: an empty table, and the argument left alone
# says: your code stopped with ZeroDivisionError
# differs at: a table of zeros
def report(matrix):
    hit = matrix.diagonal().double()
    true, called = matrix.sum(1).double(), matrix.sum(0).double()
    recall, iou = hit / true, hit / (true + called - hit)
    return {"share": true / true.sum(), "recall": recall, "precision": hit / called, "iou": iou,
            "dice": 2 * hit / (true + called), "accuracy": matrix.trace().item() / matrix.sum().item(),
            "mean_accuracy": recall.nanmean().item(), "miou": iou.nanmean().item()}

# %% wrong report: empties the reader's diagonal to find the mistakes
# fails: an empty table, and the argument left alone
# says: Your function changed the table that it was given.
# differs at: the argument after the call
def report(matrix):
    hit, total = matrix.diagonal().double(), matrix.sum().double()
    hit = hit.clone()
    wrong = matrix.fill_diagonal_(0).double()
    misses, alarms = wrong.sum(1), wrong.sum(0)
    recall, iou = hit / (hit + misses), hit / (hit + misses + alarms)
    return {"share": (hit + misses) / total, "recall": recall, "precision": hit / (hit + alarms), "iou": iou,
            "dice": 2 * hit / (2 * hit + misses + alarms), "accuracy": (hit.sum() / total).item(),
            "mean_accuracy": recall.nanmean().item(), "miou": iou.nanmean().item()}

# %% wrong report: one accuracy a class, counting true negatives
# fails: share, recall and precision of each class; 0/0 is NaN, and a false alarm is 0; accuracy, mean accuracy and mIoU
# says: This also counts the pixels that are rightly *not* of the class.
# differs at: the text's example, recall 0.7 for both classes
def report(matrix):
    hit = matrix.diagonal().double()
    true, called, total = matrix.sum(1).double(), matrix.sum(0).double(), matrix.sum().double()
    rest = total - true - called + hit
    recall, iou = (hit + rest) / total, hit / (true + called - hit)
    return {"share": true / total, "recall": recall, "precision": hit / called, "iou": iou,
            "dice": 2 * hit / (true + called), "accuracy": (hit.sum() / total).item(),
            "mean_accuracy": recall.nanmean().item(), "miou": iou.nanmean().item()}

# %% wrong report: only the class scores, the three numbers forgotten
# fails: accuracy, mean accuracy and mIoU; an empty table, and the argument left alone
# says: The report has no entry `accuracy`
# differs at: every table
def report(matrix):
    hit = matrix.diagonal().double()
    true, called = matrix.sum(1).double(), matrix.sum(0).double()
    return {"share": true / true.sum(), "recall": hit / true, "precision": hit / called,
            "iou": hit / (true + called - hit), "dice": 2 * hit / (true + called)}

# %% wrong report: mIoU weighted by frequency
# fails: accuracy, mean accuracy and mIoU; an empty table, and the argument left alone
# says: Each IoU is weighted by the class's share
def report(matrix):
    """Scores of a confusion matrix (C, C): a dict of five (C,) tensors and three numbers."""
    table = matrix.double()
    hits, rows, columns = table.diagonal(), table.sum(dim=1), table.sum(dim=0)
    found = {"share": rows / table.sum()}

    found["recall"] = hits / rows
    found["precision"] = hits / columns
    found["iou"] = hits / (rows + columns - hits)
    found["dice"] = 2 * hits / (rows + columns)
    found["accuracy"] = hits.sum() / table.sum()
    found["mean_accuracy"] = found["recall"].nanmean()
    found["miou"] = (found["share"] * found["iou"]).nansum()

    return found

# %% wrong report: rounds to three digits, as in the example
# fails: IoU and Dice of each class; share, recall and precision of each class; 0/0 is NaN, and a false alarm is 0; accuracy, mean accuracy and mIoU
# says: This is rounded; return numbers as they come out.
def report(matrix):
    """Scores of a confusion matrix (C, C): a dict of five (C,) tensors and three numbers."""
    table = matrix.double()
    hits, rows, columns = table.diagonal(), table.sum(dim=1), table.sum(dim=0)
    found = {"share": rows / table.sum()}

    found["recall"] = hits / rows
    found["precision"] = hits / columns
    found["iou"] = hits / (rows + columns - hits)
    found["dice"] = 2 * hits / (rows + columns)
    found["accuracy"] = hits.sum() / table.sum()
    found["mean_accuracy"] = found["recall"].nanmean()
    found["miou"] = found["iou"].nanmean()

    for key in found:
        found[key] = found[key].round(decimals=3)

    return found

# %% wrong report: accuracy in per cent instead of a share
# fails: accuracy, mean accuracy and mIoU
# says: This is in per cent; return a share, from 0 to 1.
def report(matrix):
    """Scores of a confusion matrix (C, C): a dict of five (C,) tensors and three numbers."""
    table = matrix.double()
    hits, rows, columns = table.diagonal(), table.sum(dim=1), table.sum(dim=0)
    found = {"share": rows / table.sum()}

    found["recall"] = hits / rows
    found["precision"] = hits / columns
    found["iou"] = hits / (rows + columns - hits)
    found["dice"] = 2 * hits / (rows + columns)
    found["accuracy"] = 100 * hits.sum() / table.sum()
    found["mean_accuracy"] = found["recall"].nanmean()
    found["miou"] = found["iou"].nanmean()

    return found

# %% wrong report: Dice as the plain mean of recall and precision
# fails: IoU and Dice of each class; 0/0 is NaN, and a false alarm is 0
# says: This is the plain mean of recall and precision.
def report(matrix):
    table = matrix.double(); hits, rows, columns = table.diagonal(), table.sum(dim=1), table.sum(dim=0)
    f = {"share": rows / table.sum()}
    f["recall"], f["precision"] = hits / rows, hits / columns
    f["iou"] = hits / (rows + columns - hits); f["dice"] = (f["recall"] + f["precision"]) / 2
    f["accuracy"] = (hits.sum() / table.sum()).item()
    f["mean_accuracy"] = f["recall"].nanmean().item(); f["miou"] = f["iou"].nanmean().item()
    return f

# %% wrong report: Dice from recall and precision, 0/0 without a hit
# fails: 0/0 is NaN, and a false alarm is 0
# says: Without a hit, recall and precision are 0, and Dice is 0 too
def report(matrix):
    table = matrix.double(); hits, rows, columns = table.diagonal(), table.sum(dim=1), table.sum(dim=0)
    f = {"share": rows / table.sum()}
    f["recall"], f["precision"] = hits / rows, hits / columns
    f["iou"] = hits / (rows + columns - hits); f["dice"] = 2 * f["recall"] * f["precision"] / (f["recall"] + f["precision"])
    f["accuracy"] = (hits.sum() / table.sum()).item()
    f["mean_accuracy"] = f["recall"].nanmean().item(); f["miou"] = f["iou"].nanmean().item()
    return f

# %% wrong report: every score over all pixels
# fails: IoU and Dice of each class; share, recall and precision of each class; 0/0 is NaN, and a false alarm is 0; accuracy, mean accuracy and mIoU
# says: This divides by all pixels of the table
def report(matrix):
    table = matrix.double(); hits, rows, columns = table.diagonal(), table.sum(dim=1), table.sum(dim=0)
    f = {"share": rows / table.sum()}
    f["recall"], f["precision"] = hits / table.sum(), hits / columns
    f["iou"] = hits / table.sum(); f["dice"] = 2 * hits / table.sum()
    f["accuracy"] = (hits.sum() / table.sum()).item()
    f["mean_accuracy"] = f["recall"].nanmean().item(); f["miou"] = f["iou"].nanmean().item()
    return f

# %% wrong report: means without the background
# fails: accuracy, mean accuracy and mIoU
# says: Class 0 is left out; it is a class like the others.
def report(matrix):
    table = matrix.double(); hits, rows, columns = table.diagonal(), table.sum(dim=1), table.sum(dim=0)
    f = {"share": rows / table.sum()}
    f["recall"], f["precision"] = hits / rows, hits / columns
    f["iou"] = hits / (rows + columns - hits); f["dice"] = 2 * hits / (rows + columns)
    f["accuracy"] = (hits.sum() / table.sum()).item()
    f["mean_accuracy"] = f["recall"][1:].nanmean().item(); f["miou"] = f["iou"][1:].nanmean().item()
    return f

# %% wrong report: adds the hits to sums that hold them
# fails: IoU and Dice of each class; share, recall and precision of each class; 0/0 is NaN, and a false alarm is 0; accuracy, mean accuracy and mIoU
# says: The row's sum holds the hits already
def report(matrix):
    table = matrix.double(); hits, rows, columns = table.diagonal(), table.sum(dim=1), table.sum(dim=0)
    f = {"share": rows / table.sum()}
    f["recall"], f["precision"] = hits / (hits + rows), hits / (hits + columns)
    f["iou"] = hits / (rows + columns + hits); f["dice"] = 2 * hits / (2 * hits + rows + columns)
    f["accuracy"] = (hits.sum() / table.sum()).item()
    f["mean_accuracy"] = f["recall"].nanmean().item(); f["miou"] = f["iou"].nanmean().item()
    return f

# %% right most_flattered: a dict of gaps, the largest by max
def most_flattered(matrices):
    gaps = {}
    for name, m in matrices.items():
        hit, true, called = m.diagonal().double(), m.sum(1), m.sum(0)
        iou = hit / (true + called - hit)
        gaps[name] = (iou[true > 0].mean() - iou.nanmean()).item()
    best = max(gaps, key=gaps.get)
    return best, gaps[best]

# %% right most_flattered: the library's IoUs
def most_flattered(matrices):
    found = []
    for name, m in matrices.items():
        c = metrics.Confusion(len(m))
        c.matrix = m
        found.append((c.iou[m.sum(1) > 0].mean().item() - c.miou, name))
    gap, name = max(found)
    return name, gap

# %% right most_flattered: loops over lists
def most_flattered(matrices):
    best, best_gap = None, -1.0
    for name, m in matrices.items():
        m = m.tolist()
        in_truth, in_either = [], []
        for c in range(len(m)):
            true, called = sum(m[c]), sum(row[c] for row in m)
            if true + called:
                in_either.append(m[c][c] / (true + called - m[c][c]))
                if true:
                    in_truth.append(in_either[-1])
        gap = sum(in_truth) / len(in_truth) - sum(in_either) / len(in_either)
        if gap > best_gap:
            best, best_gap = name, gap
    return best, best_gap

# %% right most_flattered: all models in one stack; the gap as a 0-d tensor
def most_flattered(matrices):
    m = torch.stack(list(matrices.values())).float()
    hit, true, called = m.diagonal(dim1=1, dim2=2), m.sum(2), m.sum(1)
    iou = hit / (true + called - hit)
    gap = torch.where(true > 0, iou, torch.nan).nanmean(1) - iou.nanmean(1)
    return list(matrices)[gap.argmax()], gap.max()

# %% wrong most_flattered: cuts the table down to the truth's classes, and the false alarms are gone
# fails: the gap of one model; classes that occur nowhere
# says: The false alarms are cut off with their column.
# differs at: the text's example, B has 1 and 1/1
def most_flattered(matrices):
    gaps = {}
    for name, m in matrices.items():
        hit, true, called = m.diagonal().double(), m.sum(1), m.sum(0)
        iou = hit / (true + called - hit)
        kept = m[true > 0][:, true > 0]
        small = kept.diagonal() / (kept.sum(1) + kept.sum(0) - kept.diagonal())
        gaps[name] = (small.mean() - iou.nanmean()).item()
    best = max(gaps, key=gaps.get)
    return best, gaps[best]

# %% wrong most_flattered: the truth's classes from the columns
# fails: the gap of one model; classes that occur nowhere; the model with the largest gap
# says: The truth's classes are the rows with pixels.
# differs at: the text's example
def most_flattered(matrices):
    gaps = {}
    for name, m in matrices.items():
        hit, true, called = m.diagonal().double(), m.sum(1), m.sum(0)
        iou = hit / (true + called - hit)
        gaps[name] = (iou[called > 0].mean() - iou.nanmean()).item()
    best = max(gaps, key=gaps.get)
    return best, gaps[best]

# %% wrong most_flattered: a class that nobody spoke of has a vote, 0
# fails: classes that occur nowhere; the model with the largest gap
# says: A class that is neither in the truth nor in the prediction counts as 0 in your second mean;
# differs at: a class that is nowhere
def most_flattered(matrices):
    gaps = {}
    for name, m in matrices.items():
        hit, true, called = m.diagonal().double(), m.sum(1), m.sum(0)
        iou = hit / (true + called - hit)
        gaps[name] = (iou[true > 0].mean() - iou.nan_to_num(0).mean()).item()
    best = max(gaps, key=gaps.get)
    return best, gaps[best]

# %% wrong most_flattered: the gap the other way round
# fails: the gap of one model; classes that occur nowhere
# says: The difference is the wrong way round
# differs at: the text's example, -0.25
def most_flattered(matrices):
    gaps = {}
    for name, m in matrices.items():
        hit, true, called = m.diagonal().double(), m.sum(1), m.sum(0)
        iou = hit / (true + called - hit)
        gaps[name] = (iou.nanmean() - iou[true > 0].mean()).item()
    best = min(gaps, key=gaps.get)
    return best, gaps[best]

# %% wrong most_flattered: the smallest gap
# fails: the model with the largest gap
# says: That is the smallest gap.
# differs at: the text's example, A
def most_flattered(matrices):
    gaps = {}
    for name, m in matrices.items():
        hit, true, called = m.diagonal().double(), m.sum(1), m.sum(0)
        iou = hit / (true + called - hit)
        gaps[name] = (iou[true > 0].mean() - iou.nanmean()).item()
    best = min(gaps, key=gaps.get)
    return best, gaps[best]

# %% wrong most_flattered: the model with the best flattered score, not the largest gain
# fails: the model with the largest gap
# says: It has the highest mIoU over the truth's classes, but that is another question.
# differs at: the text's example, A
def most_flattered(matrices):
    scores = {}
    for name, m in matrices.items():
        hit, true, called = m.diagonal().double(), m.sum(1), m.sum(0)
        iou = hit / (true + called - hit)
        scores[name] = (iou[true > 0].mean().item(), (iou[true > 0].mean() - iou.nanmean()).item())
    best = max(scores, key=scores.get)
    return best, scores[best][1]

# %% wrong most_flattered: only classes that are in the truth and in the prediction
# fails: the gap of one model
# says: Your first mean leaves out a class that is there and never hit.
# differs at: a class that is never called
def most_flattered(matrices):
    gaps = {}
    for name, m in matrices.items():
        hit, true, called = m.diagonal().double(), m.sum(1), m.sum(0)
        iou = hit / (true + called - hit)
        gaps[name] = (iou[(true > 0) & (called > 0)].mean() - iou.nanmean()).item()
    best = max(gaps, key=gaps.get)
    return best, gaps[best]

# %% wrong most_flattered: recalls instead of IoUs
# fails: the gap of one model; classes that occur nowhere
# says: These are means of recalls
# differs at: the text's example, where the gap is 0
def most_flattered(matrices):
    gaps = {}
    for name, m in matrices.items():
        hit, true, called = m.diagonal().double(), m.sum(1), m.sum(0)
        recall = hit / true
        gaps[name] = (recall.nanmean() - recall.nan_to_num(0)[(true + called) > 0].mean()).item()
    best = max(gaps, key=gaps.get)
    return best, gaps[best]

# %% wrong most_flattered: the name alone
# fails: the gap of one model; classes that occur nowhere; the model with the largest gap
# says: expected a name and a number, `(name, gap)`
# differs at: every input
def most_flattered(matrices):
    gaps = {}
    for name, m in matrices.items():
        hit, true, called = m.diagonal().double(), m.sum(1), m.sum(0)
        iou = hit / (true + called - hit)
        gaps[name] = (iou[true > 0].mean() - iou.nanmean()).item()
    return max(gaps, key=gaps.get)

# %% wrong most_flattered: the position instead of the name
# fails: the gap of one model; classes that occur nowhere; the model with the largest gap
# says: expected a name and a number, `(name, gap)`
# differs at: every input
def most_flattered(matrices):
    gaps = []
    for m in matrices.values():
        hit, true, called = m.diagonal().double(), m.sum(1), m.sum(0)
        iou = hit / (true + called - hit)
        gaps.append((iou[true > 0].mean() - iou.nanmean()).item())
    return gaps.index(max(gaps)), max(gaps)

# %% wrong most_flattered: the example's answer
# fails: the gap of one model; classes that occur nowhere; the model with the largest gap
# says: There is no model 'B';
# differs at: every other input
def most_flattered(matrices):
    return "B", 0.25

# %% wrong most_flattered: torchmetrics' Jaccard index on maps made from the table
# fails: the gap of one model; classes that occur nowhere; the model with the largest gap
# says: Take IoUs of the table, and two means of them.
# differs at: nothing but who took the mean
def most_flattered(matrices):
    from torchmetrics.functional.classification import multiclass_jaccard_index
    gaps = {}
    for name, m in matrices.items():
        truth = torch.arange(len(m)).repeat_interleave(m.sum(1))
        pred = torch.cat([torch.arange(len(m)).repeat_interleave(row) for row in m])
        each = multiclass_jaccard_index(pred, truth, len(m), average="none")
        gaps[name] = (each[m.sum(1) > 0].mean() - multiclass_jaccard_index(pred, truth, len(m))).item()
    best = max(gaps, key=gaps.get)
    return best, gaps[best]

# %% wrong most_flattered: second mean over the prediction's classes only
# fails: the gap of one model
# says: Your second mean is over the classes that are called
def most_flattered(matrices):
    """(name, gap) of the model that gains most where only the truth's classes have a vote."""
    gaps = {}
    for name, table in matrices.items():
        hits, rows, columns = table.diagonal().double(), table.sum(dim=1), table.sum(dim=0)

        iou = hits / (rows + columns - hits)
        gaps[name] = (iou[rows > 0].mean() - iou[columns > 0].mean()).item()

    best = max(gaps, key=gaps.get)
    return best, gaps[best]

# %% wrong most_flattered: union without taking off the hits
# fails: the gap of one model; classes that occur nowhere
# says: Below the line of each IoU the hits are counted twice
def most_flattered(matrices):
    """(name, gap) of the model that gains most where only the truth's classes have a vote."""
    gaps = {}
    for name, table in matrices.items():
        hits, rows, columns = table.diagonal().double(), table.sum(dim=1), table.sum(dim=0)

        iou = hits / (rows + columns)
        gaps[name] = (iou[rows > 0].mean() - iou.nanmean()).item()

    best = max(gaps, key=gaps.get)
    return best, gaps[best]

# %% wrong most_flattered: rounded to two digits, as in the example
# fails: the gap of one model; classes that occur nowhere
# says: This is rounded; return numbers as they come out.
def most_flattered(matrices):
    """(name, gap) of the model that gains most where only the truth's classes have a vote."""
    gaps = {}
    for name, table in matrices.items():
        hits, rows, columns = table.diagonal().double(), table.sum(dim=1), table.sum(dim=0)

        iou = hits / (rows + columns - hits)
        gaps[name] = round((iou[rows > 0].mean() - iou.nanmean()).item(), 2)

    best = max(gaps, key=gaps.get)
    return best, gaps[best]

# %% wrong most_flattered: returns inside the loop, after the first model
# fails: the model with the largest gap
# says: the first of them comes back: does a `return` stand inside the loop?
def most_flattered(matrices):
    """(name, gap) of the model that gains most where only the truth's classes have a vote."""
    gaps = {}
    for name, table in matrices.items():
        hits, rows, columns = table.diagonal().double(), table.sum(dim=1), table.sum(dim=0)

        iou = hits / (rows + columns - hits)
        gaps[name] = (iou[rows > 0].mean() - iou.nanmean()).item()
        best = max(gaps, key=gaps.get)
        return best, gaps[best]

# %% wrong most_flattered: the last model's gap
# fails: the model with the largest gap
# says: which is that of `model c`
def most_flattered(matrices):
    gaps = {}
    for name, table in matrices.items():
        hits, rows, columns = table.diagonal().double(), table.sum(dim=1), table.sum(dim=0)
        each = hits / (rows + columns - hits)
        gaps[name] = each[rows > 0].mean().item() - each.nanmean().item()
    return max(gaps, key=gaps.get), gaps[name]

# %% wrong most_flattered: a plain mean over NaN
# fails: classes that occur nowhere; the model with the largest gap
# says: alone your function gives the gap NaN.
def most_flattered(matrices):
    gaps = {}
    for name, table in matrices.items():
        hits, rows, columns = table.diagonal().double(), table.sum(dim=1), table.sum(dim=0)
        each = hits / (rows + columns - hits)
        gaps[name] = each[rows > 0].mean().item() - each.mean().item()
    best = max(gaps, key=gaps.get)
    return best, gaps[best]

# %% wrong most_flattered: classes of truth and prediction for both means
# fails: the gap of one model; classes that occur nowhere; the model with the largest gap
# says: One by one, your function gives each of them the gap 0.
def most_flattered(matrices):
    gaps = {}
    for name, table in matrices.items():
        hits, rows, columns = table.diagonal().double(), table.sum(dim=1), table.sum(dim=0)
        each = hits / (rows + columns - hits)
        gaps[name] = each[rows > 0].mean().item() - each[(rows > 0) & (columns > 0)].mean().item()
    best = max(gaps, key=gaps.get)
    return best, gaps[best]

# %% wrong most_flattered: accuracy less mIoU
# fails: the gap of one model; classes that occur nowhere
# says: This starts from the accuracy
def most_flattered(matrices):
    gaps = {}
    for name, table in matrices.items():
        hits, rows, columns = table.diagonal().double(), table.sum(dim=1), table.sum(dim=0)
        each = hits / (rows + columns - hits)
        gaps[name] = (hits.sum() / rows.sum()).item() - each.nanmean().item()
    best = max(gaps, key=gaps.get)
    return best, gaps[best]

# %% right two_means: one table a picture
def two_means(batches, classes):
    total, scores = metrics.Confusion(classes), []
    for pred, truth in batches:
        for p, t in zip(pred, truth):
            one = metrics.Confusion(classes).update(p, t)
            total = total + one
            if (t != 255).any():
                scores.append(one.miou)
    return total.miou, sum(scores) / len(scores) if scores else float("nan")

# %% right two_means: areas per class and picture by comparison, no table
def two_means(batches, classes):
    inter, union = [], []
    for pred, truth in batches:
        p, t = F.one_hot(pred, classes).bool(), truth[..., None] == torch.arange(classes)
        p = p & (truth != 255)[..., None]
        inter.append((p & t).sum((1, 2)))
        union.append((p | t).sum((1, 2)))
    if not inter:
        return float("nan"), float("nan")
    inter, union = torch.cat(inter).double(), torch.cat(union).double()
    of_all = (inter.sum(0) / union.sum(0)).nanmean()
    return of_all.item(), (inter / union).nanmean(1).nanmean().item()

# %% right two_means: sets of pixels in Python
def two_means(batches, classes):
    nan = float("nan")

    def miou(areas):
        ious = [both / either for both, either in areas if either]
        return sum(ious) / len(ious) if ious else nan

    everything, pictures = [[0, 0] for _ in range(classes)], []
    for preds, truths in batches:
        for p, t in zip(preds, truths):
            areas = []
            for c in range(classes):
                called, true = (p == c) & (t != 255), t == c
                areas.append((int((called & true).sum()), int((called | true).sum())))
                everything[c][0] += areas[-1][0]
                everything[c][1] += areas[-1][1]
            pictures.append(miou(areas))
    pictures = [x for x in pictures if x == x]
    return miou(everything), sum(pictures) / len(pictures) if pictures else nan

# %% right two_means: flattens to lists of pixels, scores all of them and each of them; 0-d tensors
def two_means(batches, classes):
    def score(p, t):
        m = metrics.confusion_matrix(p, t, classes).double()
        return (m.diagonal() / (m.sum(0) + m.sum(1) - m.diagonal())).nanmean()

    pairs = [(p.flatten(), t.flatten()) for pred, truth in batches for p, t in zip(pred, truth)]
    if not pairs:
        return torch.tensor(float("nan")), torch.tensor(float("nan"))
    of_all = score(torch.cat([p for p, _ in pairs]), torch.cat([t for _, t in pairs]))
    return of_all, torch.stack([score(p, t) for p, t in pairs]).nanmean()

# %% wrong two_means: the mean over batches instead of pictures
# fails: the mean over pictures; ignored pixels, and pictures without a label
# says: This gives each batch one vote; give each picture one.
# differs at: two batches of different length
def two_means(batches, classes):
    total, scores = metrics.Confusion(classes), []
    for pred, truth in batches:
        total.update(pred, truth)
        scores.append(metrics.Confusion(classes).update(pred, truth).miou)
    return total.miou, torch.tensor(scores).nanmean().item()

# %% wrong two_means: the first number is the mean of the batches' mIoUs
# fails: all pixels of batches of unlike sizes; ignored pixels, and pictures without a label
# says: This is the mean of the batches' mIoUs.
# differs at: two batches with different objects
def two_means(batches, classes):
    whole, scores = [], []
    for pred, truth in batches:
        whole.append(metrics.Confusion(classes).update(pred, truth).miou)
        scores += [metrics.Confusion(classes).update(p, t).miou for p, t in zip(pred, truth)]
    return torch.tensor(whole).nanmean().item(), torch.tensor(scores).nanmean().item()

# %% wrong two_means: the other order
# fails: all pixels of one batch; all pixels of batches of unlike sizes; the mean over pictures; ignored pixels, and pictures without a label
# says: `of_all` comes first.
# differs at: the text's example
def two_means(batches, classes):
    total, scores = metrics.Confusion(classes), []
    for pred, truth in batches:
        total.update(pred, truth)
        scores += [metrics.Confusion(classes).update(p, t).miou for p, t in zip(pred, truth)]
    return torch.tensor(scores).nanmean().item(), total.miou

# %% wrong two_means: a picture without a labelled pixel makes everything NaN
# fails: ignored pixels, and pictures without a label
# says: A picture without any labelled pixel has no mIoU, and must not make the mean NaN:
# differs at: a batch with an unlabelled picture
def two_means(batches, classes):
    total, scores = metrics.Confusion(classes), []
    for pred, truth in batches:
        total.update(pred, truth)
        scores += [metrics.Confusion(classes).update(p, t).miou for p, t in zip(pred, truth)]
    return total.miou, torch.tensor(scores).mean().item()

# %% wrong two_means: a picture without a labelled pixel counts as 0
# fails: ignored pixels, and pictures without a label
# says: counts as 0 here; leave it out.
# differs at: a batch with an unlabelled picture
def two_means(batches, classes):
    total, scores = metrics.Confusion(classes), []
    for pred, truth in batches:
        total.update(pred, truth)
        for p, t in zip(pred, truth):
            scores.append(metrics.Confusion(classes).update(p, t).miou if (t != 255).any() else 0.0)
    return total.miou, sum(scores) / len(scores) if any(scores) else float("nan")

# %% wrong two_means: a class that a picture does not show counts as 0
# fails: the mean over pictures; ignored pixels, and pictures without a label
# says: Classes that a picture neither shows nor is said to show count as 0 here;
# differs at: a picture without one of the classes
def two_means(batches, classes):
    total, scores = metrics.Confusion(classes), []
    for pred, truth in batches:
        total.update(pred, truth)
        for p, t in zip(pred, truth):
            if (t != 255).any():
                scores.append(metrics.Confusion(classes).update(p, t).iou.nan_to_num(0).mean().item())
    return total.miou, sum(scores) / len(scores) if scores else float("nan")

# %% wrong two_means: only the classes of the picture's truth have a vote
# fails: all pixels of one batch; the mean over pictures; ignored pixels, and pictures without a label
# says: One that is only called has a vote too, and IoU 0.
# differs at: a picture with a false alarm of another class
def two_means(batches, classes):
    def score(m):
        iou = m.diagonal() / (m.sum(0) + m.sum(1) - m.diagonal())
        return iou[m.sum(1) > 0].mean().item()

    total, scores = torch.zeros(classes, classes), []
    for pred, truth in batches:
        for p, t in zip(pred, truth):
            m = metrics.confusion_matrix(p, t, classes)
            total += m
            scores.append(score(m))
    return score(total), torch.tensor(scores).nanmean().item()

# %% wrong two_means: predictions on ignored pixels count
# fails: ignored pixels, and pictures without a label; nothing labelled at all, and arguments left alone
# says: Predictions on ignored pixels count as false alarms here;
# differs at: a truth with 255
def two_means(batches, classes):
    inter, union = [], []
    for pred, truth in batches:
        p, t = F.one_hot(pred, classes).bool(), truth[..., None] == torch.arange(classes)
        inter.append((p & t).sum((1, 2)))
        union.append((p | t).sum((1, 2)))
    inter, union = torch.cat(inter).double(), torch.cat(union).double()
    return (inter.sum(0) / union.sum(0)).nanmean().item(), (inter / union).nanmean(1).nanmean().item()

# %% wrong two_means: each class's mean over pictures, then the mean of the classes
# fails: the mean over pictures; ignored pixels, and pictures without a label
# says: This averages each class over the pictures first, and then the classes.
# differs at: classes that occur in some pictures only
def two_means(batches, classes):
    total, ious = metrics.Confusion(classes), []
    for pred, truth in batches:
        total.update(pred, truth)
        ious += [metrics.Confusion(classes).update(p, t).iou for p, t in zip(pred, truth)]
    return total.miou, torch.stack(ious).nanmean(0).nanmean().item()

# %% wrong two_means: the mean over all pairs of a picture and a class, as torchmetrics' MeanIoU
# fails: the mean over pictures; ignored pixels, and pictures without a label
# says: This is the mean over all pairs of a picture and a class
# differs at: pictures with different numbers of classes
def two_means(batches, classes):
    total, ious = metrics.Confusion(classes), []
    for pred, truth in batches:
        total.update(pred, truth)
        ious += [metrics.Confusion(classes).update(p, t).iou for p, t in zip(pred, truth)]
    return total.miou, torch.stack(ious).nanmean().item()

# %% wrong two_means: glues all batches together, which must have one size
# fails: all pixels of batches of unlike sizes; the mean over pictures; ignored pixels, and pictures without a label
# says: Sizes of tensors must match
# differs at: batches of different sizes
def two_means(batches, classes):
    pred, truth = torch.cat([p for p, _ in batches]), torch.cat([t for _, t in batches])
    scores = [metrics.Confusion(classes).update(p, t).miou for p, t in zip(pred, truth)]
    return metrics.Confusion(classes).update(pred, truth).miou, torch.tensor(scores).nanmean().item()

# %% wrong two_means: weighs each picture by its labelled pixels
# fails: the mean over pictures; ignored pixels, and pictures without a label
# says: Large pictures weigh more here.
# differs at: pictures of different sizes
def two_means(batches, classes):
    total, scores, weights = metrics.Confusion(classes), [], []
    for pred, truth in batches:
        total.update(pred, truth)
        for p, t in zip(pred, truth):
            if (t != 255).any():
                scores.append(metrics.Confusion(classes).update(p, t).miou)
                weights.append((t != 255).sum().item())
    mean = sum(s * w for s, w in zip(scores, weights)) / sum(weights) if weights else float("nan")
    return total.miou, mean

# %% wrong two_means: divides by no picture
# fails: nothing labelled at all, and arguments left alone
# says: your code stopped with ZeroDivisionError
# differs at: no labelled pixel at all
def two_means(batches, classes):
    total, scores = metrics.Confusion(classes), []
    for pred, truth in batches:
        total.update(pred, truth)
        scores += [metrics.Confusion(classes).update(p, t).miou for p, t in zip(pred, truth) if (t != 255).any()]
    return total.miou, sum(scores) / len(scores)

# %% wrong two_means: writes the prediction over the ignored pixels of the reader's truth
# fails: nothing labelled at all, and arguments left alone
# says: Your function changed its arguments.
# differs at: the arguments after the call
def two_means(batches, classes):
    total, scores = metrics.Confusion(classes), []
    for pred, truth in batches:
        for p, t in zip(pred, truth):
            if (t != 255).any():
                one = metrics.Confusion(classes).update(p, t)
                total, scores = total + one, scores + [one.miou]
        pred[truth == 255] = 0
    return total.miou, sum(scores) / len(scores) if scores else float("nan")

# %% wrong two_means: torchmetrics scores all pixels
# fails: all pixels of one batch; all pixels of batches of unlike sizes; the mean over pictures; ignored pixels, and pictures without a label; nothing labelled at all, and arguments left alone
# says: Add up tables, from your `count_pairs` or `metrics.Confusion`, and score them.
# differs at: nothing in its first number but who added up
def two_means(batches, classes):
    from torchmetrics.functional.classification import multiclass_jaccard_index
    pixels = [torch.cat([m.flatten() for m in maps]) for maps in zip(*batches)]
    singles = [multiclass_jaccard_index(p, t, classes, ignore_index=255) for b in batches for p, t in zip(*b)]
    return multiclass_jaccard_index(*pixels, classes, ignore_index=255).item(), torch.stack(singles).nanmean().item()

# %% wrong two_means: nothing reaches the table and the list
# fails: all pixels of one batch; all pixels of batches of unlike sizes; the mean over pictures; ignored pixels, and pictures without a label; nothing labelled at all, and arguments left alone
# says: Does anything reach the table and the list?
# differs at: every batch with a labelled pixel
def two_means(batches, classes):
    whole, scores = metrics.Confusion(classes), []
    return whole.miou, torch.tensor(scores).nanmean().item()

# %% wrong two_means: one table goes on growing over the pictures
# fails: the mean over pictures; ignored pixels, and pictures without a label
# says: One table goes on growing over the pictures here.
def two_means(batches, classes):
    """(mIoU of all pixels together, mean of the pictures' mIoUs)."""
    whole, scores = metrics.Confusion(classes), []  # the table of all pixels; one mIoU for each picture

    for pred, truth in batches:
        for p, t in zip(pred, truth):
            whole.update(p, t)
            scores.append(whole.miou)

    return whole.miou, torch.tensor(scores).nanmean().item()

# %% wrong two_means: stacks all batches: fails where sizes differ
# fails: all pixels of batches of unlike sizes; the mean over pictures; ignored pixels, and pictures without a label
# says: Pictures differ in size from batch to batch
def two_means(batches, classes):
    """(mIoU of all pixels together, mean of the pictures' mIoUs)."""
    whole, scores = metrics.Confusion(classes), []  # the table of all pixels; one mIoU for each picture

    pred, truth = torch.cat([b[0] for b in batches]), torch.cat([b[1] for b in batches])
    whole.update(pred, truth)
    for p, t in zip(pred, truth):
        scores.append(metrics.Confusion(classes).update(p, t).miou)

    return whole.miou, torch.tensor(scores).nanmean().item()

# %% wrong two_means: prediction and truth changed places
# fails: ignored pixels, and pictures without a label; nothing labelled at all, and arguments left alone
# says: have `pred` and `truth` changed places?
def two_means(batches, classes):
    whole, scores = metrics.Confusion(classes), []
    for pred, truth in batches:
        whole.update(truth, pred)
        for p, t in zip(pred, truth): scores.append(metrics.Confusion(classes).update(t, p).miou)
    return whole.miou, torch.tensor(scores).nanmean().item()

# %% wrong two_means: one table for the pictures of a batch
# fails: the mean over pictures; ignored pixels, and pictures without a label
# says: One table goes on growing over the pictures of a batch here.
def two_means(batches, classes):
    whole, scores = metrics.Confusion(classes), []
    for pred, truth in batches:
        whole.update(pred, truth)
        c = metrics.Confusion(classes)
        for p, t in zip(pred, truth): scores.append(c.update(p, t).miou)
    return whole.miou, torch.tensor(scores).nanmean().item()

# %% wrong two_means: the batch counted once a picture
# fails: all pixels of batches of unlike sizes; ignored pixels, and pictures without a label
# says: Each batch is counted once for each of its pictures; count it once.
def two_means(batches, classes):
    whole, scores = metrics.Confusion(classes), []
    for pred, truth in batches:
        for p, t in zip(pred, truth):
            whole.update(pred, truth)
            scores.append(metrics.Confusion(classes).update(p, t).miou)
    return whole.miou, torch.tensor(scores).nanmean().item()

# %% wrong two_means: the background left out
# fails: all pixels of one batch; all pixels of batches of unlike sizes; the mean over pictures; ignored pixels, and pictures without a label
# says: Class 0 is left out; it is a class like the others.
def two_means(batches, classes):
    whole, scores = metrics.Confusion(classes), []
    for pred, truth in batches:
        whole.update(pred, truth)
        for p, t in zip(pred, truth): scores.append(metrics.Confusion(classes).update(p, t).iou[1:].nanmean().item())
    return whole.iou[1:].nanmean().item(), torch.tensor(scores).nanmean().item()

# %% right edge_iou: erosion by max_pool2d over a padded complement
def edge_iou(pred, truth, width):
    def edge(mask):
        outside = F.pad((~mask).float()[None, None], (width,) * 4, value=1.0)
        return mask & (F.max_pool2d(outside, 2 * width + 1, stride=1)[0, 0] > 0)

    p, t = edge(pred), edge(truth)
    either = (p | t).sum()
    return ((p & t).sum() / either).item() if either else float("nan")

# %% right edge_iou: counts the mask's pixels in the square by a convolution
def edge_iou(pred, truth, width):
    k = 2 * width + 1
    masks = torch.stack([pred, truth])[:, None].double()
    full = F.conv2d(masks, torch.ones(1, 1, k, k, dtype=torch.float64), padding=width)
    p, t = ((masks > 0) & (full < k * k - 0.5))[:, 0]
    return float((p & t).sum() / (p | t).sum())

# %% right edge_iou: peels one ring at a time
def edge_iou(pred, truth, width):
    edges = []
    for mask in (pred, truth):
        core = mask
        for _ in range(width):
            padded = F.pad(core, (1, 1, 1, 1))
            h, w = core.shape
            new = core.clone()
            for dy in range(3):
                for dx in range(3):
                    new &= padded[dy: dy + h, dx: dx + w]
            core = new
        edges.append(mask & ~core)
    both, either = (edges[0] & edges[1]).sum().item(), (edges[0] | edges[1]).sum().item()
    return both / either if either else float("nan")

# %% right edge_iou: sets of coordinates
def edge_iou(pred, truth, width):
    def edge(mask):
        h, w = mask.shape
        inside = {(y, x) for y, x in mask.nonzero().tolist()}
        gone = set()
        for y, x in inside:
            if y < width or x < width or y + width >= h or x + width >= w:
                gone.add((y, x))
            elif not bool(mask[y - width: y + width + 1, x - width: x + width + 1].all()):
                gone.add((y, x))
        return gone

    p, t = edge(pred), edge(truth)
    return len(p & t) / len(p | t) if p | t else float("nan")

# %% wrong edge_iou: the library's near_boundary, though on a picture with a margin
# fails: an edge one pixel wide; wider edges; at the rim of the picture; empty masks; edges wider than the mask, and arguments left alone
# says: Find them yourself, with `F.max_pool2d` or with shifted masks.
# differs at: nothing but who found the edges
def edge_iou(pred, truth, width):
    p, t = (m & metrics.near_boundary(F.pad(m, (width,) * 4).long(), width)[width:-width, width:-width]
            for m in (pred, truth))
    return (p & t).sum() / (p | t).sum()

# %% wrong edge_iou: beyond the picture the mask goes on
# fails: at the rim of the picture
# says: An animal that touches the rim of the picture has an edge there too:
# differs at: a mask that touches the picture's rim
def edge_iou(pred, truth, width):
    def edge(mask):
        return mask & (F.max_pool2d((~mask).float()[None, None], 2 * width + 1, 1, width)[0, 0] > 0)

    p, t = edge(pred), edge(truth)
    return ((p & t).sum() / (p | t).sum()).item()

# %% wrong edge_iou: a square of side width instead of 2 * width + 1
# fails: an edge one pixel wide; wider edges; at the rim of the picture; empty masks; edges wider than the mask, and arguments left alone
# says: Your edges have no pixel at all.
# differs at: width 3, where the edge is one pixel deep
def edge_iou(pred, truth, width):
    def edge(mask):
        outside = F.pad((~mask).float()[None, None], (width // 2, (width - 1) // 2) * 2, value=1.0)
        return mask & (F.max_pool2d(outside, width, stride=1)[0, 0] > 0)

    p, t = edge(pred), edge(truth)
    either = (p | t).sum()
    return ((p & t).sum() / either).item() if either else float("nan")

# %% wrong edge_iou: only the four direct neighbours, a diamond
# fails: an edge one pixel wide; wider edges; at the rim of the picture
# says: This counts steps along rows and columns.
# differs at: width 1 at an inner corner
def edge_iou(pred, truth, width):
    def edge(mask):
        core = mask
        for _ in range(width):
            x = F.pad(core, (1, 1, 1, 1))
            core = core & x[:-2, 1:-1] & x[2:, 1:-1] & x[1:-1, :-2] & x[1:-1, 2:]
        return mask & ~core

    p, t = edge(pred), edge(truth)
    return ((p & t).sum() / (p | t).sum()).item()

# %% wrong edge_iou: one ring too few
# fails: an edge one pixel wide; wider edges; at the rim of the picture; empty masks
# says: The edge is one pixel too thin.
# differs at: width 1, which leaves no edge
def edge_iou(pred, truth, width):
    def edge(mask):
        outside = F.pad((~mask).float()[None, None], (width - 1,) * 4, value=1.0)
        return mask & (F.max_pool2d(outside, 2 * width - 1, stride=1)[0, 0] > 0)

    p, t = edge(pred), edge(truth)
    return ((p & t).sum() / (p | t).sum()).item()

# %% wrong edge_iou: the IoU of the masks
# fails: an edge one pixel wide; wider edges; at the rim of the picture
# says: This is the IoU of the whole masks.
# differs at: the text's example, 0.5
def edge_iou(pred, truth, width):
    return ((pred & truth).sum() / (pred | truth).sum()).item()

# %% wrong edge_iou: two empty masks score 0
# fails: empty masks
# says: 0/0 is NaN, not 0.
# differs at: two empty masks
def edge_iou(pred, truth, width):
    def edge(mask):
        outside = F.pad((~mask).float()[None, None], (width,) * 4, value=1.0)
        return mask & (F.max_pool2d(outside, 2 * width + 1, stride=1)[0, 0] > 0)

    p, t = edge(pred), edge(truth)
    return ((p & t).sum() / (p | t).sum().clamp(min=1)).item()

# %% wrong edge_iou: two empty masks agree, so they score 1
# fails: empty masks
# says: Without a single pixel in either mask there is nothing to score:
# differs at: two empty masks
def edge_iou(pred, truth, width):
    def edge(mask):
        outside = F.pad((~mask).float()[None, None], (width,) * 4, value=1.0)
        return mask & (F.max_pool2d(outside, 2 * width + 1, stride=1)[0, 0] > 0)

    p, t = edge(pred), edge(truth)
    return ((p & t).sum() / (p | t).sum()).item() if (p | t).any() else 1.0

# %% wrong edge_iou: NaN as soon as the truth is empty
# fails: empty masks
# says: One mask is empty and the other is not:
# differs at: an empty truth and a prediction that is not
def edge_iou(pred, truth, width):
    def edge(mask):
        outside = F.pad((~mask).float()[None, None], (width,) * 4, value=1.0)
        return mask & (F.max_pool2d(outside, 2 * width + 1, stride=1)[0, 0] > 0)

    p, t = edge(pred), edge(truth)
    return ((p & t).sum() / (p | t).sum()).item() if truth.any() else float("nan")

# %% wrong edge_iou: Dice of the edges
# fails: an edge one pixel wide; wider edges; at the rim of the picture; edges wider than the mask, and arguments left alone
# says: This is Dice of the edges
# differs at: the text's example, 0.5
def edge_iou(pred, truth, width):
    def edge(mask):
        outside = F.pad((~mask).float()[None, None], (width,) * 4, value=1.0)
        return mask & (F.max_pool2d(outside, 2 * width + 1, stride=1)[0, 0] > 0)

    p, t = edge(pred), edge(truth)
    return (2 * (p & t).sum() / (p.sum() + t.sum())).item()

# %% wrong edge_iou: blackens the rim of the reader's masks
# fails: edges wider than the mask, and arguments left alone
# says: Your function changed one of its masks.
# differs at: the arguments after the call
def edge_iou(pred, truth, width):
    def edge(mask):
        outside = F.pad((~mask).float()[None, None], (width,) * 4, value=1.0)
        return mask & (F.max_pool2d(outside, 2 * width + 1, stride=1)[0, 0] > 0)

    p, t = edge(pred), edge(truth)
    pred[0], pred[-1], pred[:, 0], pred[:, -1] = False, False, False, False
    return ((p & t).sum() / (p | t).sum()).item()

# %% wrong edge_iou: the square without padding, which does not fit a small picture
# fails: edges wider than the mask, and arguments left alone
# says: your code stopped with RuntimeError: maximum size
# differs at: a picture smaller than the square
def edge_iou(pred, truth, width):
    def edge(mask):
        k = 2 * width + 1
        windows = mask.unfold(0, k, 1).unfold(1, k, 1).all(-1).all(-1)
        core = torch.zeros_like(mask)
        core[width:-width, width:-width] = windows
        return mask & ~core

    p, t = edge(pred), edge(truth)
    return ((p & t).sum() / (p | t).sum()).item()

# %% wrong edge_iou: both sides of the outline
# fails: an edge one pixel wide; wider edges; at the rim of the picture; edges wider than the mask, and arguments left alone
# says: This takes a band on both sides of the outline
# differs at: the text's example
def edge_iou(pred, truth, width):
    def band(mask):
        near = [F.max_pool2d(F.pad(m.float()[None, None], (width,) * 4, value=v), 2 * width + 1, 1)[0, 0] > 0
                for m, v in ((mask, 0.0), (~mask, 1.0))]
        return near[0] & near[1]

    p, t = band(pred), band(truth)
    return ((p & t).sum() / (p | t).sum()).item()

# %% wrong edge_iou: both masks within the band of the truth
# fails: an edge one pixel wide; wider edges; at the rim of the picture; empty masks
# says: Each mask has an edge of its own.
# differs at: a prediction with a false alarm far from the truth
def edge_iou(pred, truth, width):
    near = [F.max_pool2d(F.pad(m.float()[None, None], (width,) * 4, value=v), 2 * width + 1, 1)[0, 0] > 0
            for m, v in ((truth, 0.0), (~truth, 1.0))]
    band = near[0] & near[1]
    return ((pred & truth & band).sum() / ((pred | truth) & band).sum()).item()

# %% wrong edge_iou: torch.roll: the far side of the picture comes in
# fails: at the rim of the picture
# says: What leaves the picture on one side comes in on the other
def edge_iou(pred, truth, width):
    """IoU of the inner edges, `width` px deep, of two bool masks (H, W): a number, NaN if both are empty."""
    def edge(mask):
        """The edge of a bool mask (H, W): bool (H, W)."""

        inside = mask.clone()
        for i in range(-width, width + 1):
            for j in range(-width, width + 1):
                inside &= torch.roll(mask, (i, j), (0, 1))
        return mask & ~inside


    a, b = edge(pred), edge(truth)
    return ((a & b).sum() / (a | b).sum()).item()  # 0/0 is NaN

# %% wrong edge_iou: the edges of intersection and union, instead of intersection and union of the edges
# fails: an edge one pixel wide; wider edges; at the rim of the picture
# says: These are the edges of what the masks share and of the two together.
def edge_iou(pred, truth, width):
    def edge(mask):
        other = F.pad((~mask).float()[None, None], [width] * 4, value=1.0)
        return mask & (F.max_pool2d(other, 2 * width + 1, stride=1)[0, 0] > 0)

    union = edge(pred | truth)
    both = edge(pred & truth)
    return (both.sum() / union.sum()).item()

# %% wrong edge_iou: what is inside the edges
# fails: an edge one pixel wide; wider edges; at the rim of the picture; edges wider than the mask, and arguments left alone
# says: This is the IoU of what is inside the edges
def edge_iou(pred, truth, width):
    def edge(mask):
        beyond = F.pad(1.0 - mask[None, None].float(), [width] * 4, value=1.0)
        return mask & (F.max_pool2d(beyond, 2 * width + 1, stride=1)[0, 0] == 0)
    a, b = edge(pred), edge(truth)
    return ((a & b).sum() / (a | b).sum()).item()

# %% wrong edge_iou: all that is near the outside, mask or not
# fails: an edge one pixel wide; wider edges; at the rim of the picture; empty masks; edges wider than the mask, and arguments left alone
# says: What is no mask counts for edge here
def edge_iou(pred, truth, width):
    def edge(mask):
        beyond = F.pad(1.0 - mask[None, None].float(), [width] * 4, value=1.0)
        return F.max_pool2d(beyond, 2 * width + 1, stride=1)[0, 0] == 1
    a, b = edge(pred), edge(truth)
    return ((a & b).sum() / (a | b).sum()).item()

# %% wrong edge_iou: the innermost ring alone
# fails: wider edges; at the rim of the picture; edges wider than the mask, and arguments left alone
# says: Your edge is only the ring that is `width` pixels deep
def edge_iou(pred, truth, width):
    def edge(mask):
        def e(w):
            beyond = F.pad(1.0 - mask[None, None].float(), [w] * 4, value=1.0)
            return mask & (F.max_pool2d(beyond, 2 * w + 1, stride=1)[0, 0] == 1)
        return e(width) & ~e(width - 1)
    a, b = edge(pred), edge(truth)
    return ((a & b).sum() / (a | b).sum()).item()

# %% wrong edge_iou: one pixel, whatever the width
# fails: wider edges; at the rim of the picture; edges wider than the mask, and arguments left alone
# says: Your edge is one pixel wide, whatever `width` is.
def edge_iou(pred, truth, width):
    def edge(mask):
        beyond = F.pad(1.0 - mask[None, None].float(), [1] * 4, value=1.0)
        return mask & (F.max_pool2d(beyond, 3, stride=1)[0, 0] == 1)
    a, b = edge(pred), edge(truth)
    return ((a & b).sum() / (a | b).sum()).item()

# %% wrong edge_iou: a round window
# fails: an edge one pixel wide; wider edges; at the rim of the picture
# says: This looks into a round window; take the whole square.
def edge_iou(pred, truth, width):
    def edge(mask):
        r = torch.arange(-width, width + 1)
        k = (r[:, None] ** 2 + r[None] ** 2 <= width ** 2).float()[None, None]
        beyond = F.pad(1.0 - mask[None, None].float(), [width] * 4, value=1.0)
        return mask & (F.conv2d(beyond, k)[0, 0] > 0.5)
    a, b = edge(pred), edge(truth)
    return ((a & b).sum() / (a | b).sum()).item()

# %% wrong edge_iou: over the truth's edge alone
# fails: an edge one pixel wide; wider edges; at the rim of the picture; empty masks; edges wider than the mask, and arguments left alone
# says: This divides by the truth's edge alone
def edge_iou(pred, truth, width):
    def edge(mask):
        beyond = F.pad(1.0 - mask[None, None].float(), [width] * 4, value=1.0)
        return mask & (F.max_pool2d(beyond, 2 * width + 1, stride=1)[0, 0] == 1)
    a, b = edge(pred), edge(truth)
    return ((a & b).sum() / b.sum()).item()
