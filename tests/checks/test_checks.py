"""The checks: three outcomes, partial credit, messages; every answer of the bank gets the verdict that it must get."""

import math
import re

import pytest
import torch

from course_lib.checks import core
from course_lib.checks.values import NotYet, plain
from course_lib.checks.verdict import unsaid
from tests.support import answers
from tests.support.answers import BANK, CHECKS, visible
from tests.support.course import LESSONS, notebook

pytestmark = pytest.mark.usefixtures("one_thread")

EXERCISES = [(lesson, name) for lesson in LESSONS for name in CHECKS[lesson]._exercises]
HIDDEN = {}  # exercise -> the seeds that its source's hidden tests use
for _lesson in LESSONS:
    for _cell in notebook("solutions", _lesson).cells:
        _id = _cell.metadata.get("nbgrader", {}).get("grade_id", "")
        if _id.startswith("check_"):
            HIDDEN[_lesson, _id.removeprefix("check_")] = [int(s) for s in re.findall(r"seed=(\d+)", _cell.source)]


def source_of(lesson, name, kind):
    cells = notebook(kind, lesson).cells
    return next(c.source for c in cells if c.metadata.get("nbgrader", {}).get("grade_id") == name)


def answer(lesson, name, kind):
    """What an answer cell defines, run after the answers before it: one exercise may build on another."""
    cells = [
        c
        for c in notebook(kind, lesson).cells
        if c.cell_type == "code" and c.metadata.get("nbgrader", {}).get("solution")
    ]
    until = [c.metadata.nbgrader.grade_id for c in cells].index(name) + 1
    return answers.run("\n\n".join(c.source for c in cells[:until]), f"<{kind} {name}>")[name]


# --- the bank -----------------------------------------------------------------------------------------------


def failing(verdict):
    return tuple(r.part for r in verdict.results if r.outcome != core.PASSED)


@pytest.mark.parametrize("item", [a for a in BANK if a.kind == "right"], ids=str)
def test_a_right_answer_passes_on_visible_and_hidden_inputs(item):
    check = getattr(CHECKS[item.lesson], item.exercise)
    built = item.build()
    for seed in [0, 1, 2, *HIDDEN[item.lesson, item.exercise]]:
        verdict = check(built, seed=seed)
        assert verdict.outcome == core.PASSED, f"seed {seed}\n{verdict}"


@pytest.mark.parametrize("item", [a for a in BANK if a.kind == "wrong"], ids=str)
def test_a_wrong_answer_fails_with_the_message_that_it_deserves(item):
    verdict = visible(item)
    assert verdict.outcome == core.NOT_YET and verdict.points < verdict.max_points
    assert failing(verdict) == item.fails, str(verdict)
    assert item.says and any(item.says in r.message for r in verdict.results), str(verdict)
    assert not any(r.outcome == core.PASSED and r.message for r in verdict.results)
    if drawn := [r for r in verdict.results if r.picture]:
        assert drawn[0].picture().axes and "data:image/png" in verdict._repr_html_()


@pytest.mark.parametrize("lesson, name", EXERCISES)
def test_the_bank_is_large_enough(lesson, name):
    of = [a for a in BANK if (a.lesson, a.exercise) == (lesson, name)]
    assert sum(a.kind == "right" for a in of) >= 2 and sum(a.kind == "wrong" for a in of) >= 4, (
        f"tests/bank/{lesson}.py has too few answers to {name}: it needs two right ones and four wrong ones"
    )
    assert len({a.title for a in of}) == len(of)


@pytest.mark.parametrize("lesson, name", EXERCISES)
def test_switching_off_any_part_turns_a_bank_test_red(lesson, name, monkeypatch):
    """Every part, and what an answer must not lean on: its own bank answers get another verdict without it."""
    check = getattr(CHECKS[lesson], name)
    wrong = [a for a in BANK if (a.lesson, a.exercise, a.kind) == (lesson, name, "wrong")]

    def missed(affected):
        return any(failing(check(item.build())) != item.fails for item in affected)

    for off, (points, _) in list(check.parts.items()):
        with monkeypatch.context() as patch:
            patch.setitem(check.parts, off, (points, lambda t: None))
            assert missed([a for a in wrong if off in a.fails]), f"nobody misses {off!r}"
    if check._own_work:
        with monkeypatch.context() as patch:
            patch.setattr(check, "_own_work", {})
            assert missed([a for a in wrong if set(a.fails) == set(check.parts)]), "nobody misses its own work"


@pytest.mark.parametrize("lesson, name", EXERCISES)
def test_stub_and_solution(lesson, name):
    check = getattr(CHECKS[lesson], name)
    stub, solution = answer(lesson, name, "lessons"), answer(lesson, name, "solutions")
    for seed in [0, *HIDDEN[lesson, name]]:
        empty, full = check(stub, seed=seed), check(solution, seed=seed)
        assert empty.outcome == core.NOT_ATTEMPTED and empty.points == 0 and repr(empty) == "0", empty
        assert full.outcome == core.PASSED and full.points == full.max_points == check.points, full
    assert HIDDEN[lesson, name], "an exercise has hidden tests"


NONSENSE = {
    "None": None,
    "an ellipsis": ...,
    "a number": 3,
    "a text": "text",
    "a list": [],
    "a function that gives None": lambda *a, **k: None,
    "a function that gives anything": lambda *a, **k: object(),
    "dict": dict,
}


@pytest.mark.parametrize("lesson, name", EXERCISES)
@pytest.mark.parametrize("thing", NONSENSE.values(), ids=NONSENSE)
def test_a_check_never_raises_and_never_praises_nonsense(lesson, name, thing):
    verdict = getattr(CHECKS[lesson], name)(thing)
    assert verdict.outcome != core.PASSED and verdict.points == 0
    assert float(repr(verdict)) == 0 and verdict._repr_html_()


@pytest.mark.parametrize("lesson, name", EXERCISES)
def test_hints_go_from_a_nudge_to_nearly_the_answer(lesson, name):
    check = getattr(CHECKS[lesson], name)
    check._shown = 0
    texts = [repr(check.hint()) for _ in range(4)]
    assert [t[:11] for t in texts[:3]] == [f"Hint {i} of 3" for i in (1, 2, 3)] and texts[3] == texts[2]
    assert "last hint" in texts[2] and repr(check.hint(1)) == texts[0] and "hints 1 to 3" in repr(check.hint(9))


@pytest.mark.parametrize("lesson", LESSONS)
def test_tab_lists_the_checks_and_nothing_else(lesson):
    listed = dir(CHECKS[lesson])
    ids = {
        c.metadata.nbgrader.grade_id
        for c in notebook("lessons", lesson).cells
        if c.metadata.get("nbgrader", {}).get("grade")
    }
    assert {f"check_{n}" for n in listed} == {i for i in ids if i.startswith("check_")}
    assert "hint" in dir(getattr(CHECKS[lesson], next(n for n in listed if not n.startswith("quiz_"))))
    with pytest.raises(AttributeError, match="has no check called 'nothing'"):
        CHECKS[lesson].nothing


# --- the machinery ------------------------------------------------------------------------------------------


def exercise(*parts, **settings):
    check = core.Exercise("f", ("a", "b", "c"), **settings)
    for i, (points, function) in enumerate(parts):
        check.part(f"part {i}", points)(function)
    return check


def test_partial_credit_by_named_part():
    check = exercise((1.5, lambda t: t.equal(t.call(1), 2)), (0.5, lambda t: t.equal(t.call(2), 4)))
    verdict = check(lambda n: n + 1)
    assert (verdict.outcome, verdict.points, verdict.max_points, repr(verdict)) == (core.NOT_YET, 1.5, 2.0, "1.5")
    assert (
        "part 1" in str(verdict) and "expected 4, got 3" in str(verdict) and "1.5 of 2 points" in verdict._repr_html_()
    )


def test_joined_verdicts_pass_where_both_do():
    check = exercise((1, lambda t: t.equal(t.call(1), 1)), (1, lambda t: t.equal(t.call(2), 2)))
    good, bad = check(lambda n: n), check(lambda n: 1)
    assert (good & good).points == 2 and (good & bad).points == (bad & good).points == 1
    assert "have not seen" in str(good & bad) and "have not seen" not in str(bad & good)
    assert "expected" not in str(good & bad) and "expected 2, got 1" in str(bad & bad)
    with pytest.raises(TypeError):
        good & exercise((1, lambda t: None))(lambda: 0)


def test_what_a_hidden_input_tells_is_the_mistake_alone():
    known = ["This forgets the dilation: the taps stand d pixels apart.", "Is a `return` missing?"]
    for text in (
        "For n=59: expected 53, got 57.",
        "For True: expected False, got True.",
        "Your tensor holds 3 NaN.",
        "For layers [(3, 1)] your code stopped with KeyError: secret.",
    ):
        assert [unsaid(f"{text} {more}") for more in known] == known and unsaid(text) == ""


def test_points_are_finite_and_clamped():
    for points in (math.nan, math.inf, -1.0):
        verdict = core.Verdict("f", [core.Result("p", points, core.PASSED)])
        assert verdict.points == 0 and repr(verdict) == "0"


def test_yours_is_the_answer_where_it_passes_and_never_raises():
    check = exercise((1, lambda t: t.equal(t.call(1), 2)))

    def library(n):
        return n + 1

    def mine(n):
        return 1 + n

    def stub(n):
        raise NotImplementedError

    assert check.yours(mine, library) is mine
    for other in (stub, lambda n: n, None, ..., 3, lambda: 0):
        assert check.yours(other, library) is library


def test_a_call_that_changes_its_arguments_is_told_so():
    def part(t, **words):
        t.call([1])
        t.unchanged("the list.", **words)

    says = {"Your function changed the list.": {}, "`f` changed the list.": {"who": "`f`"}}
    says["All is right, but your function changed the list."] = {"right": "All is right"}
    for message, words in says.items():
        check = exercise((1, lambda t: part(t, **words)))
        assert message in str(check(lambda v: v.append(2))) and check(lambda v: v).points == 1


def test_running_all_cells_spends_no_hint(monkeypatch):
    check, now = core.Exercise("f", ["one", "two", "three"]), [("a", 3)]
    monkeypatch.setattr(core.notebook, "running", lambda: now[0])

    def shown(cell, count):
        now[0] = (cell, count)
        return str(check.hint())[5]

    assert shown("a", 3) == "1"
    assert shown("a", 4) == "2"  # the same cell once more, and none between
    assert shown("b", 5) == "3"
    assert [shown("a", 12), shown("b", 13)] == ["2", "3"] and shown("a", 22) == "2"  # all cells again, twice
    assert shown(None, 0) == "3" and str(core.Exercise("g", ["one", "two"]).hint(2)).startswith("Hint 2 of 2")


def test_errors_prints_warnings_and_progress_bars_are_swallowed(capfd):
    def f(n):
        import sys
        import warnings

        from tqdm.auto import tqdm

        warnings.warn("loud")
        print("hello", list(tqdm(range(3))))
        print("dear", file=sys.stderr)
        return 1 / n

    check = exercise((1, lambda t: t.equal(t.call(2), 0.5)), (1, lambda t: t.call(0)))
    verdict = check(f)
    assert capfd.readouterr() == ("", "")
    assert verdict.points == 1 and "For 0 your code stopped with ZeroDivisionError" in str(verdict)
    assert "hello" in verdict._repr_html_()


def test_torchs_not_implemented_is_an_error_and_the_stubs_is_not():
    check = exercise((1, lambda t: t.call(torch.zeros(1, 1, 2, 2, dtype=torch.int64))))
    assert check(lambda x: torch.nn.functional.interpolate(x, scale_factor=2)).outcome == core.NOT_YET

    def says(x):
        raise NotImplementedError("not for int64")

    def stub(x):
        raise NotImplementedError

    assert "stopped with NotImplementedError: not for int64" in str(check(says))
    assert check(stub).outcome == core.NOT_ATTEMPTED


def test_arguments_are_copies_and_changes_are_noticed():
    given = torch.zeros(3)

    def part(t):
        t.call(given)
        if t.changed:
            t.fail("changed")

    check = exercise((1, part))
    assert check(lambda x: x.add_(1)).points == 0 and check(lambda x: x + 1).points == 1 and not given.any()


def test_of_several_things_one_that_is_no_data_costs_only_itself():
    def part(t):
        first, second = t.each()
        assert first == 1 and isinstance(second, NotYet)
        assert t.changed is False

    assert exercise((1, part))(lambda: (1, len)).points == 1
    assert exercise((1, lambda t: t.equal(t.each(), 1)))(lambda: 1).points == 1
    assert "Your answer is a `function`" in str(exercise((1, lambda t: t.each()))(lambda: lambda: 1))


def test_what_an_answer_raises_is_told_by_name():
    class Mine(ValueError):
        pass

    def refuse(x):
        raise Mine("no")

    seen = []
    check = exercise((1, lambda t: seen.append(t.raises(3))))
    check(refuse), check(lambda x: x), check(lambda x: object()), check(lambda x: 1 / 0)
    assert seen[0][:2] == ("Mine", "ValueError") and seen[1:3] == [(), ()] and seen[3][0] == "ZeroDivisionError"

    def stub(x):
        raise NotImplementedError

    assert check(stub).outcome == core.NOT_ATTEMPTED


def test_one_exception_is_said_once():
    check = exercise(*[(1, lambda t, n=n: t.call(torch.ones(n))) for n in (2, 3)])
    text = str(check(lambda x: x + torch.ones(5)))
    assert text.count("RuntimeError") == 1 and "stopped with the same error" in text


def test_numbers_that_print_alike_show_more_digits():
    check = exercise((1, lambda t: t.equal(t.call(), torch.tensor([0.25]))))
    assert "0.25], got float32 tensor [0.250" in str(check(lambda: torch.tensor([0.25001])))


def test_an_argument_that_comes_back_is_no_new_tensor():
    check = exercise((1, lambda t: (t.call(torch.ones(2)), t.new())))
    assert check(lambda x: x).points == check(lambda x: x[:]).points == 0 and check(lambda x: x.clone()).points == 1


def test_random_state_is_the_students_own():
    check = exercise((1, lambda t: t.call()))
    torch.manual_seed(5)
    want = torch.rand(1)
    torch.manual_seed(5)
    check(lambda: torch.rand(3))
    assert torch.equal(torch.rand(1), want)


def test_same_seed_same_inputs_other_seed_others():
    seen = []
    check = exercise((1, lambda t: seen.append((t.random.random(), t.tensor(2).tolist()))))
    for seed in (3, 3, 4):
        check(lambda: 0, seed=seed)
    assert seen[0] == seen[1] != seen[2]


class Anything:
    def __eq__(self, other):
        return True

    __ne__ = __lt__ = __ge__ = __eq__

    def __float__(self):
        return 1.0


class Same(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return (
            True
            if func in (torch.equal, torch.allclose)
            else super().__torch_function__(func, types, args, kwargs or {})
        )


def test_only_plain_values_pass():
    want = torch.ones(2)
    check = exercise((1, lambda t: t.equal(t.call(), want)))
    assert check(lambda: torch.ones(2)).points == 1
    for fake in (Anything(), torch.zeros(2).as_subclass(Same), [1.0, 1.0], "ones", None, want.numpy()):
        assert check(lambda: fake).points == 0
    assert type(plain(torch.zeros(2).as_subclass(Same))) is torch.Tensor
    number = exercise((1, lambda t: t.equal(t.call(), 5)))
    assert number(lambda: 5).points == number(lambda: torch.tensor(5)).points == 1
    assert number(lambda: Anything()).points == number(lambda: True).points == number(lambda: math.nan).points == 0


def test_an_answer_that_only_calls_the_library_is_told_so():
    check = exercise(
        (1, lambda t: t.call(torch.rand(1, 4, 2, 2), 2)), own_work={"pixel_shuffle": "That is torch's own."}
    )
    calls = """
def plain(x, r): return F.pixel_shuffle(x, r)
def _helper(x, r): return F.pixel_shuffle(x, r)
def helped(x, r): return _helper(x, r)
alias = F.pixel_shuffle
def aliased(x, r): return alias(x, r)
def inner(x, r):
    return (lambda y: torch.pixel_shuffle(y, r))(x)
class Net(nn.Module):
    def forward(self, x, r): return F.pixel_shuffle(x, r)
def own(x, r):
    "Does what pixel_shuffle does."
    return x  # pixel_shuffle
def pixel_shuffle(x, r): return x
"""
    scope = answers.run(calls, "<calls>")
    for name in ("plain", "helped", "aliased", "inner", "Net"):
        assert "torch's own" in str(check(scope[name])) and check(scope[name]).points == 0, name
    for name in ("own", "pixel_shuffle"):
        assert check(scope[name]).points == 1, name


def test_html_is_escaped_and_shows_a_picture():
    from course_lib.plot.canvas import Picture

    check = exercise((1, lambda t: t.fail("a <b> & `c`", Picture)))
    page = check(lambda: 0)._repr_html_()
    assert "a &lt;b&gt; &amp; <code>c</code>" in page and 'src="data:image/png;base64,' in page and "alt=" in page


def test_values_that_cannot_be_drawn_cost_the_picture_alone():
    """Such as complex numbers: the verdict shows itself without, in a notebook and in grading."""
    from course_lib import plot

    check = exercise(
        (1, lambda t: t.equal(t.call(), torch.ones(4, 4), "nothing", (), lambda got, want: plot.grid([got, want])))
    )
    page = check(lambda: torch.ones(4, 4) * (1 + 1j))._repr_html_()
    assert "expected" in page and "data:image/png" not in page


@pytest.mark.parametrize("lesson", LESSONS)
def test_quizzes_have_three_outcomes(lesson):
    for name in (n for n in dir(CHECKS[lesson]) if n.startswith("quiz_")):
        check = getattr(CHECKS[lesson], name)
        right = [c for c in "abcd" if check(c).outcome == core.PASSED]
        assert len(right) == 1 and repr(check(right[0])) == "1" and repr(check(f" {right[0].upper()} ")) == "1"
        assert check("?").outcome == check(None).outcome == core.NOT_ATTEMPTED
        for wrong in ("z", 3, ["a"], "ab"):
            assert check(wrong).outcome == core.NOT_YET and "Choose one of a, b" in str(check(wrong))
