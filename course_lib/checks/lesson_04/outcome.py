"""Lesson 04: what the copied join does to pictures of a size. What is expected comes of running it on shapes alone."""

from ..core import Exercise
from ..values import kind

outcome = Exercise(
    "outcome",
    hints=(
        "Write the sizes of the maps for 6 × 6 and depth 2 on the way down. Then come back up, and keep in "
        "mind that the map stays cut.",
        "At each level, compare `more_rows` with `more_columns`. When do the two agree, and when are both 0?",
        "dx is h − rows, and `F.pad` takes it off the *columns*; dy is w − columns, and is taken off the rows. "
        "`torch.cat` needs a skip of h × w by then. If none stops, compare the last h and w with the picture's size.",
    ),
)
WORDS = ("right", "stops", "shifted")


def _tried(height, width, depth, swapped=True):
    """Run the copied code on shapes alone."""
    sizes = [(height, width)]
    for _ in range(depth):
        sizes.append(tuple(n // 2 for n in sizes[-1]))
    (h, w), cut = sizes.pop(), False
    while sizes:
        rows, columns = sizes.pop()
        h, w = 2 * h, 2 * w
        down, right = h - rows, w - columns
        first, second = (down, right) if swapped else (right, down)
        cut = cut or bool(first or second)
        if (rows + second, columns + first) != (h, w):
            return "stops"
    return "shifted" if cut else "right"


def _outcome_part(t, cases):
    for height, width, depth in cases:
        got, want = t.call(height, width, depth), _tried(height, width, depth)
        given = f"height={height}, width={width}, depth={depth}"
        if got not in WORDS:
            t.fail(f"For {given}: expected one of {', '.join(map(repr, WORDS))}, got {kind(got)}")
        if got == want:
            continue
        more = ""
        if got == _tried(height, width, 1):
            more = " That is so for the first level; but go on: the next halvings may leave something over, too."
        elif want == "shifted" and got == "stops":
            more = (
                " As much is left over of the height as of the width, so that the sizes fit, although the wrong "
                "rows are cut."
            )
        elif want == "stops" and got == "shifted":
            more = (
                " Not as much is left over of the height as of the width; and the code takes one off in place of "
                "the other."
            )
        elif want == "right":
            more = " Every size on the way down is even here: nothing is cut."
        elif got == "right":
            more = (
                " Some size on the way down is odd, so that a skip has more rows or columns than what it is joined to."
            )
        t.fail(f"For {given}: expected {want!r}, got {got!r}.{more}")


@outcome.part("one halving", 0.5)
def _(t):
    a, b = (2 * n for n in t.random.sample(range(2, 20), 2))
    _outcome_part(t, [(a, b, 1), (6, 8, 1), (a + 1, b + 1, 1), (a + 1, b, 1), (a, b + 1, 1), (a + 1, a + 1, 1)])


@outcome.part("sizes that divide", 0.5)
def _(t):
    for depth in (2, 3, 4):
        _outcome_part(t, [tuple(2**depth * n for n in t.random.sample(range(1, 10), 2)) + (depth,)])
    _outcome_part(t, [(8, 16, 3)])


@outcome.part("what goes wrong at a deeper level", 1)
def _(t):
    for depth in (2, 3, 4):
        step, rest = 2**depth, 2 * t.random.randint(1, 2 ** (depth - 1) - 1)
        a, b = (step * n for n in t.random.sample(range(2, 7), 2))
        _outcome_part(t, [(a + rest, b + rest, depth), (a + rest, b, depth), (a, b + rest, depth)])
    m, n = t.random.randint(2, 9), t.random.randint(2, 9)
    _outcome_part(
        t,
        [(4 * m + 3, 4 * n + 2, 2), (4 * m + 2, 4 * n + 1, 2), (13, 17, 2), (33, 35, 2), (41, 47, 3)]
        + [(a + i, b + j, depth) for i, j in ((1, 1), (1, 9), (9, 9))],
    )
