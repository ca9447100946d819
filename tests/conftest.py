"""Settings that all tests share."""

import os

import pytest
from hypothesis import settings

from tests.building import build_site

# no deadline: on a busy machine the first call of a test may take long
settings.register_profile("book", deadline=None, derandomize=True)
settings.load_profile("book")

# What takes longest comes first: with several workers, none is left alone with it at the end.
LONG = [
    "test_student_edition",
    "libraries",
    "chapters/",
    "ext/",
    "book_tools/",
]


def pytest_collection_modifyitems(items):
    """Put the tests that take long before all others."""
    items.sort(key=lambda item: [part in item.nodeid for part in LONG], reverse=True)


@pytest.fixture(scope="session")
def site_build(tmp_path_factory):
    """The exit code and the output of `make book`, from a build that all workers share."""
    folder = tmp_path_factory.getbasetemp()
    return build_site(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)
