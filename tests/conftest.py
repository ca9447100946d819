"""Settings that all tests share."""

import pytest
from hypothesis import settings

# no deadline: on a busy machine the first call of a test may take long
settings.register_profile("book", deadline=None, derandomize=True)
settings.load_profile("book")

# What takes longest comes first: with several workers, none is left alone with it at the end.
LONG = [
    "book_tools/test_student",
    "ext/test_build",
    "libraries/",
    "ext/",
    "chapters/",
    "book_tools/",
]


def pytest_collection_modifyitems(items):
    """Give each file to one worker of pytest-xdist, and what builds in one folder to the same."""
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.path.as_posix()))
    items.sort(key=lambda item: [part in item.nodeid for part in LONG], reverse=True)
