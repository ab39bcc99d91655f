"""Lesson 07: who is in the mean, and whom that flatters."""

from ..causes import judge, rounded
from ..core import Exercise
from ..values import kind, same, show
from .scores import NAN, drawn, mean_of, table_of

most_flattered = Exercise(
    "most_flattered",
    hints=(
        "Two means over the same IoUs: which classes does the second one have that the first one lacks?",
        (
            "IoU of each class: diagonal over (row sum + column sum − diagonal). It is NaN where the class is nowhere."
            " For the means over the truth's classes keep those whose row sum is above 0."
        ),
        (
            "With `iou` as the IoUs of one model, `iou[rows > 0].mean() - iou.nanmean()` is its gap. Put it into"
            " `gaps[name]`, as a number: `.item()`."
        ),
    ),
    own_work={
        name: "This asks a finished metric for the mean. Take IoUs of the table, and two means of them."
        for name in ("jaccard_index", "multiclass_jaccard_index", "MulticlassJaccardIndex", "MeanIoU", "mean_iou")
    },
)


def _flattered(t, matrices):
    got = t.call(matrices)
    if not isinstance(got, (tuple, list)) or len(got) != 2 or not isinstance(got[0], str):
        t.fail(f"For models {', '.join(matrices)}: expected a name and a number, `(name, gap)`, got {kind(got)}")
    if got[0] not in matrices:
        t.fail(f"There is no model {got[0]!r}; the models are {', '.join(matrices)}.")
    return got


def _case(t, table):
    """(got, want, given, known mistakes) of one model's gap."""
    name, gap = _flattered(t, {"only": table.matrix})
    each = [(h, m, a) for h, m, a in zip(*table[1:]) if h + m + a]  # the classes that occur
    iou = [h / (h + m + a) for h, m, a in each]
    narrow, wide = mean_of([v for v, (h, m, _) in zip(iou, each) if h + m]), mean_of(iou)
    want, called = narrow - wide, mean_of([v for v, (h, _, a) in zip(iou, each) if h + a])
    halves = [h / (2 * h + m + a) for h, m, a in each]
    recalls = [h / (h + m) for h, m, _ in each if h + m]
    there = [c for c, (h, m) in enumerate(zip(table.hits, table.misses)) if h + m]
    kept = table.matrix[there][:, there]
    small = kept.diagonal() / (kept.sum(0) + kept.sum(1) - kept.diagonal())
    known = [
        (
            small.mean().item() - wide,
            "The false alarms are cut off with their column. Keep each IoU as it is, and choose which go "
            "into the mean.",
        ),
        (
            mean_of([v for v in iou if v > 0]) - wide,
            "Your first mean leaves out a class that is there and never hit. It is in the truth, so its 0 counts.",
        ),
        (
            narrow - called,
            "Your second mean is over the classes that are called; one that is there and never called counts, too.",
        ),
        (
            mean_of([v for v, (h, m, _) in zip(halves, each) if h + m]) - mean_of(halves),
            "Below the line of each IoU the hits are counted twice, in the row's sum and in the column's. Take them off"
            " once.",
        ),
        (
            2 * sum(v for v, (h, m, _) in zip(halves, each) if h + m) / len(there) - 2 * mean_of(halves),
            "These are means of Dice; take those of IoUs: take the hits off once below the line.",
        ),
        (100 * want, "This is in per cent; return a difference of shares."),
        (narrow / wide, "This is one mean over the other; take the difference."),
        (
            sum(table.hits) / sum(table.hits + table.misses) - wide,
            "This starts from the accuracy; start from the mean of IoUs over the truth's classes.",
        ),
        *rounded(want),
        (-want, "The difference is the wrong way round: the mean over the truth's classes comes first."),
        (narrow, "This is the mean over the truth's classes; take the other mean off."),
        (wide, "This is the mean over the classes of truth or prediction, not the difference."),
        (NAN, "A class that is nowhere has IoU NaN, and must be left out of both means."),
        (
            narrow - sum(iou) / len(table.hits),
            "A class that is neither in the truth nor in the prediction counts as 0 in your second mean; leave it out.",
        ),
        (
            mean_of(recalls) - sum(recalls) / len(each),
            "These are means of recalls; take those of IoUs.",
        ),
        (
            0.0 if want else None,
            "Your two numbers are alike. Are both over the same classes? The truth's classes are the rows with pixels.",
        ),
    ]
    return gap, want, f"one model with the table {table.matrix.tolist()}", known


@most_flattered.part("the gap of one model", 1)
def _(t):
    size = t.random.randint(3, 5)
    tables = (
        table_of([8, 3, 0], {(1, 2): 1}),
        table_of([6, 4, 0, 0], {(0, 3): 2, (2, 0): 3, (2, 3): 1}),  # class 2 is never called
        drawn(t, size, dict.fromkeys(range(size - 1), True), range(size)),  # the last class is not there
        drawn(t, 4, {0: True, 1: False, 2: True}, (0, 2, 3)),  # nor is class 1 called here
    )
    judge(t, (_case(t, table) for table in tables))


@most_flattered.part("classes that occur nowhere", 0.5)
def _(t):
    tables = [drawn(t, 5, dict.fromkeys(there, True), (*there, 4)) for there in ((0, 2, 3), (0, 1, 3))]
    judge(t, (_case(t, table) for table in tables))


@most_flattered.part("the model with the largest gap", 0.5)
def _(t):
    shown, models, gaps = dict.fromkeys(range(3), True), {}, {}
    for name, hits, called in (
        ("model a", (340, 390), 4),  # the best under either mean
        ("model b", (70, 120), 5),  # calls both of the classes that are not there
        ("model c", (1, 3), 3),  # calls none of them
    ):
        table = drawn(t, 5, shown, range(called), hits, (1, 5))
        models[name] = table.matrix
        gaps[name] = sum(h / (h + m + a) for h, m, a in list(zip(*table[1:]))[:3]) * (1 / 3 - 1 / called)
    orders = [[f"model {k}" for k in order] for order in ("abc", "cab", "bca")]
    found = [_flattered(t, {k: models[k] for k in order}) for order in orders]
    names, alone = [name for name, _ in found], {k: _flattered(t, {k: table})[1] for k, table in models.items()}
    for name, order in zip(names, orders):
        if name != "model b":
            more = " That is the smallest gap." if name == "model c" else ""
            if nothing := [k for k, gap in alone.items() if same(gap, NAN)]:
                more = f" Of `{nothing[0]}` alone your function gives the gap NaN."
            elif all(same(gap, alone["model a"], 1e-4) for gap in alone.values()):
                more = f" One by one, your function gives each of them the gap {show(alone['model a'])}."
            elif names == [order[0] for order in orders]:
                more = " Whatever the order, the first of them comes back: does a `return` stand inside the loop?"
            elif names == [order[-1] for order in orders]:
                more = " Whatever the order, the last of them comes back."
            elif names == ["model a"] * 3:
                more = " It has the highest mIoU over the truth's classes, but that is another question."
            said = {k: round(gaps[k], 3) for k in order}
            t.fail(f"For three models with gaps {said}: the most flattered is `model b`, not `{name}`.{more}")
    for (_, gap), order in zip(found, orders):
        if not same(gap, alone["model b"], 1e-4):
            own = [k for k in order if same(gap, alone[k], 1e-4)]
            whose = f", which is that of `{own[0]}`" if own else ""
            t.fail(
                f"For three models, of which `model b` is the most flattered: its name comes back with the gap "
                f"{show(gap)}{whose}. Of `model b` alone your function gives {show(alone['model b'])}."
            )
    t.unchanged("a table that it was given.")
