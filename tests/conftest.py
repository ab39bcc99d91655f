"""What many tests use: the release, one run of each notebook in each form, one thread."""

import pytest
import torch

from tests.support import course


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
