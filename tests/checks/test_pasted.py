"""No function of a released check is an answer: pasted with light adaptation as an exercise's answer, none earns it.

Every function of a lesson's checks, inner ones too, is handed in as each of its exercises' answers: with the exercise's
arguments in every order of as many as it takes, alone and as the items of what it returns.
"""

import ast
import functools
import importlib
import inspect
import itertools
import pkgutil
import textwrap

import pytest

from course_lib.checks import core
from tests.support.answers import BANK, CHECKS
from tests.support.course import LESSONS

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


def modules(lesson):
    """The modules of a lesson's checks, and those that all lessons share."""
    package = importlib.import_module(f"course_lib.checks.lesson_{lesson[:2]}")
    shared = [importlib.import_module(f"course_lib.checks.{name}") for name in ("causes", "pictures", "values")]
    return [importlib.import_module(f"{package.__name__}.{m.name}") for m in pkgutil.iter_modules(package.__path__)] + (
        shared
    )


def functions(module):
    """{name: function} of all that a module's text defines, inner functions and lambdas with the module's names."""
    source = inspect.getsource(module)
    found, tree = {}, ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda):
            text = f"__found = {ast.unparse(node)}"
        elif isinstance(node, ast.FunctionDef) and not any("part" in ast.unparse(d) for d in node.decorator_list):
            text = ast.unparse(ast.Module([ast.fix_missing_locations(bare(node))], [])) + f"\n__found = {node.name}"
        else:
            continue
        scope = dict(vars(module), __name__="__main__")
        try:
            exec(compile(text, "<pasted>", "exec"), scope)
        except Exception:  # a default that belongs to what is around it
            continue
        found[f"{module.__name__}:{node.lineno} {getattr(node, 'name', 'lambda')}"] = scope["__found"]
    return found


def bare(node):
    return ast.FunctionDef(node.name, node.args, node.body, [], None, None)


def orders(function, taken):
    """Which of an answer's `taken` arguments a function may be given, in order: tuples of places."""
    try:
        wanted = [p for p in inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):
        return
    places = [p for p in wanted if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    least = sum(p.default is p.empty for p in places)
    for count in range(max(least, 1), min(len(places), taken) + 1):
        pick = itertools.permutations if taken <= 3 else itertools.combinations
        yield from pick(range(taken), count)


def adapted(function, order, item, called, signature):
    """An answer of this signature that hands its arguments at the places `order` on; it returns an `item` of the result."""

    @functools.wraps(function)
    def answer(*args, **kwargs):
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        value = function(*(given.args[i] for i in order))
        called.append(type(value))
        return item(value)

    return answer


ITEMS = {"whole": lambda v: v, "first": lambda v: v[0], "last": lambda v: v[-1]}


def earned(lesson, exercise):
    """{function and adaptation: (points, parts earned)}: a lesson's checks' functions as answers that earn too much.

    A quarter of the points is no more than a wrong answer has: for gradients that flow, or for a case of no layers.
    """
    check = getattr(CHECKS[lesson], exercise)
    rights = [a for a in BANK if (a.lesson, a.exercise, a.kind) == (lesson, exercise, "right")]
    assert rights, f"tests/bank/{lesson}.py has no right answer to {exercise}"
    right = rights[0].build()
    signature, found = inspect.signature(right), {}
    for module in modules(lesson):
        for name, function in functions(module).items():
            for order in orders(function, len(signature.parameters)):
                called = []
                for what, item in ITEMS.items():
                    if what != "whole" and not {list, tuple} & set(called):
                        break
                    verdict = check(adapted(function, order, item, called, signature))
                    if verdict.points > check.points / 4:
                        parts = [r.part for r in verdict.results if r.outcome == core.PASSED]
                        found[f"{name}{order} {what}"] = (verdict.points, parts)
    return found


@pytest.mark.parametrize("lesson, exercise", [(n, e) for n in LESSONS for e in CHECKS[n]._exercises])
def test_no_function_of_a_check_earns(lesson, exercise):
    assert earned(lesson, exercise) == {}


def test_the_test_above_would_find_an_answer(tmp_path, monkeypatch):
    right = next(a for a in BANK if (a.exercise, a.kind) == ("conv_out_size", "right"))
    (tmp_path / "pasted_check.py").write_text("def outer(t):\n" + textwrap.indent(right.code, "    "))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(globals(), "modules", lambda lesson: [importlib.import_module("pasted_check")])
    assert max(points for points, _ in earned(right.lesson, right.exercise).values()) == 2
