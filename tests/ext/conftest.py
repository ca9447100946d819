"""The tiny site, built once for the tests of all extensions."""

import pytest
from bs4 import BeautifulSoup

from tests.building import build
from tests.ext.tiny_site import KEPT, OLD, write


@pytest.fixture(scope="session")
def tiny_site(tmp_path_factory):
    """The folder of the built tiny site."""
    book = write(tmp_path_factory.mktemp("tiny"))
    for path in OLD + KEPT:  # as if an earlier build had left it
        (book / "_build" / "html" / path).parent.mkdir(parents=True, exist_ok=True)
        (book / "_build" / "html" / path).touch()
    code, log = build(book)
    assert code == 0, log
    return book / "_build" / "html"


@pytest.fixture(scope="session")
def tiny_page(tiny_site):
    """Its page, parsed."""
    return BeautifulSoup((tiny_site / "index.html").read_text(), "html.parser")
