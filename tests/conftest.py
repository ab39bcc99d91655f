"""What many tests use: nobody's environment, the release, one run of each notebook in each form, one thread."""

from tests.support import nobody

nobody.become()  # before anything reads the user's

import functools  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402

import pytest  # noqa: E402
import torch  # noqa: E402

from tests.support import course, report  # noqa: E402


@pytest.fixture(scope="session")
def released(tmp_path_factory):
    """The release for someone/course at v1, made once a session: .tree, .names, .wheel."""
    return course.Released(tmp_path_factory.mktemp("released"))


@pytest.fixture(scope="session")
def run_notebook(tmp_path_factory):
    """run_notebook(kind, lesson) -> Run. Each notebook runs once a session, whoever asks."""
    folder = tmp_path_factory.mktemp("runs")
    return lambda kind, lesson: course.run(kind, lesson, folder)


@pytest.fixture(scope="module")
def one_thread():
    """torch on one thread while a module's tests run: their tensors are small."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def measured(request):
    """measured(text): a line for the list of what was measured, below pytest's own summary."""
    return lambda text: request.node.user_properties.append(("measured", text))


# --- which tests --------------------------------------------------------------------------------------------

# What takes its time: a notebook, a browser, a sandbox, a wheel, a class that is graded.
SLOW = {
    "run_notebook",
    "released",
    "browser",
    "server",
    "warm",
    "batch",
    "graded",
    "cluster",
    "postgres",
    "colab",
    "image",
}
SLOW |= {"reader", "autograded", "small", "far"}
GROUPS = (
    "groups.json"  # {a test: its group}, from a process that has collected the tests to the one that hands them out
)


def pytest_addoption(parser):
    parser.addoption("--quick", action="store_true", help="no notebook, browser, sandbox or wheel")
    parser.addoption(
        "--all-seeds", action="store_true", help="every answer of every bank on 25 seeds: a quarter of an hour"
    )
    parser.addoption("--lesson", metavar="NN", help="one lesson's own tests, by its number or name")


def pytest_collection_modifyitems(config, items):
    quick, wanted = config.getoption("--quick"), config.getoption("--lesson")
    names = [name for name in course.LESSONS if wanted and name.startswith(wanted.partition("_")[0].zfill(2))]
    if wanted and not names:
        raise pytest.UsageError(f"There is no lesson {wanted}: the lessons are {', '.join(course.LESSONS)}.")
    kept = []
    for item in items:
        left_out = quick and is_slow(item)
        left_out = left_out or (item.get_closest_marker("all_seeds") and not config.getoption("--all-seeds"))
        kept += [item] if not left_out and (not names or names[0] in lessons_of(item)) else []
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = sorted(kept, key=lambda item: not is_slow(item))  # what takes long begins first
    if os.environ.get("PYTEST_XDIST_WORKER") == "gw0":
        (nobody.shared / GROUPS).write_text(json.dumps({item.nodeid: group_of(item) for item in items}))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Each group of tests is one process's, so that what they share is made once.

    xdist's own --dist loadgroup writes the group into a test's id, which pytest no longer reads there.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        @functools.cached_property
        def groups(self):
            return json.loads((nobody.shared / GROUPS).read_text())

        def _split_scope(self, nodeid):
            return self.groups[nodeid]

    return ByGroup(config, log)


def is_slow(item):
    return bool(SLOW & set(item.fixturenames) or item.get_closest_marker("slow"))


def group_of(item):
    """The tests that run in one process, one after the other: those of a file; those that read a lesson's runs; the release's."""
    if "run_notebook" in item.fixturenames:
        return "the runs of " + "".join(sorted(lessons_of(item)))
    return "the release" if "released" in item.fixturenames else item.nodeid.partition("::")[0]


def lessons_of(item):
    """The lessons that a test is about: those it is marked with, or a parameter of it is, or belongs to."""
    values = item.callspec.params.values() if hasattr(item, "callspec") else ()
    parts = [part for value in values for part in (value if isinstance(value, tuple) else (value,))]
    marked = [name for mark in item.iter_markers("lesson") for name in mark.args]
    return {
        getattr(part, "lesson", part) for part in [*parts, *marked] if isinstance(getattr(part, "lesson", part), str)
    }


# --- what is said at the end --------------------------------------------------------------------------------


def pytest_terminal_summary(terminalreporter):
    report.what_was_measured(terminalreporter)
    report.what_a_user_can_do(terminalreporter)
