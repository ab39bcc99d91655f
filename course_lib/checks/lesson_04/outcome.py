"""Lesson 04: what the copied join does to pictures of a size. Sizes are drawn so that it is known."""

from ..causes import judge
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
FIRST = "That is so for the first level; but go on: the next halvings may leave something over, too."
LAST = "That is so for the deepest level alone; but go on: every join on the way up can stop."
GROWN = "The map does not grow to the skip's size: it stays cut, and is smaller at the next join, and at the end."
ONE = "One row or column more than the other way is enough to stop: `torch.cat` needs equal sizes."
SUM = "A cut both ways is no error where it is equally long both ways, although the wrong rows are cut."
ALONE = "Too many {} alone stop it, too: what is cut off in their place does not make the sizes equal."
FIT = "One side that fits is not enough: both have to."
ON = "A join with nothing left over is not the end; go on to those above it."
NONE = "Where nothing is left over, no skip loses anything."
WORD = "The words for the two faults have changed places."
BOTH = "That neither size divides is not enough: as many rows as columns must be left over, at every join."
EARLY = "This decides at the first join with something left over; one that runs through says nothing of those above it."
TWICE = "This takes the sizes by 2·depth; with each halving what must divide them doubles: 2 to the power of depth."
SKEW = "Rows and columns left over are not equally many; the code takes one off in place of the other, and it stops."


def _word(rows, columns):
    """What is said of a U-Net of which only one join has rows and columns left over."""
    return "stops" if rows != columns else "shifted" if rows else "right"


def _cases(t, sizes):
    """(got, want, given, known mistakes) of pictures drawn so that the outcome is known.

    sizes  (depth, (a, r), (b, s)): a height of a·2^depth + r and a width of b·2^depth + s, r and s below 2^depth. The
           map that comes back to full size is a·2^depth by b·2^depth: r rows and s columns are left over.
    """
    for depth, (a, r), (b, s) in sizes:
        height, width = 2**depth * a + r, 2**depth * b + s
        got, given = t.call(height, width, depth), f"height={height}, width={width}, depth={depth}"
        if got not in WORDS:
            t.fail(f"For {given}: expected one of {', '.join(map(repr, WORDS))}, got {kind(got)}")
        odd = [(r >> k & 1, s >> k & 1) for k in range(depth)]  # on the way down, of height and width
        lacks = [(r >> k, s >> k) for k in range(depth)]  # on the way up: what is left over of each
        early = next((pair for pair in reversed(lacks) if any(pair)), (0, 0))
        over = ", then ".join(f"{m} and {n}" for m, n in reversed(lacks))
        known = [
            (_word(*odd[0]), FIRST),
            (_word(*odd[-1]), LAST),
            ("stops" if any(m != n for m, n in odd) else "right", GROWN),
            ("shifted" if r or s else "right", SKEW),
            ("stops" if any(abs(m - n) > 1 for m, n in lacks) else "shifted" if r or s else "right", ONE),
            ("stops" if r or s else "right", SUM),
            ("shifted" if r and s else "stops" if r or s else "right", BOTH),
            (
                "stops" if any(m and not n for m, n in lacks) else "shifted" if r or s else "right",
                ALONE.format("columns"),
            ),
            ("stops" if any(n and not m for m, n in lacks) else "shifted" if r or s else "right", ALONE.format("rows")),
            ("shifted" if r and s else "right", FIT),
            ("right" if lacks[-1] == (0, 0) else WORDS[1 + (r == s)], ON),
            (WORDS[1 + (r == s)], NONE),
            (WORDS[2 if r != s else 1 if r else 0], WORD),
            (_word(*early), EARLY),
            (_word(height % (2 * depth), width % (2 * depth)), TWICE),
        ]
        given += f" (rows and columns left over on the way up: {over})" if r or s else " (nothing is left over)"
        yield got, WORDS[1 if r != s else 2 if r else 0], given, known


@outcome.part("one halving", 0.5)
def _(t):
    a, b = t.random.sample(range(2, 20), 2)
    judge(t, _cases(t, [(1, (m, r), (n, s)) for m, n in ((a, b), (b, b), (3, 4)) for r in (0, 1) for s in (0, 1)]))


@outcome.part("sizes that divide", 0.5)
def _(t):
    sizes = [(depth, *((n, 0) for n in t.random.sample((1, 2, 4, 5, 7, 8), 2))) for depth in (2, 3, 4)]
    judge(t, _cases(t, [*sizes, (3, (1, 0), (2, 0))]))


@outcome.part("what goes wrong at a deeper level", 1)
def _(t):
    sizes = []
    for depth in (2, 3, 4):
        rest = 2 * t.random.randint(1, 2 ** (depth - 1) - 1)
        a, b = t.random.sample(range(2, 7), 2)
        sizes += [(depth, (a, r), (b, s)) for r, s in ((rest, rest), (rest, 0), (0, rest), (1, 1))]
    m, n = t.random.randint(2, 9), t.random.randint(2, 9)
    sizes += [(2, (m, 3), (n, 2)), (2, (m, 2), (n, 1)), (2, (m, 3), (n, 3)), (3, (m, 4), (n, 4)), (3, (m, 4), (n, 5))]
    sizes += [(2, (3, 1), (4, 1)), (2, (8, 1), (8, 3)), (3, (5, 1), (5, 7)), (4, (m, 1), (n, 9)), (4, (m, 9), (n, 9))]
    judge(t, _cases(t, sizes))
