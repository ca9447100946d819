"""The extension of the page of bugs."""

import find_my_bug
import pytest
import yaml
from bs4 import BeautifulSoup
from docutils import nodes

from tests.building import build
from tests.ext.tiny_site import TOC, write

PAGE = """
# Bugs

| You see | Cause |
|:---|:---|
| `16.118` as a loss | an epsilon |
| `-17.0` as a loss | no logarithm |
| `-inf` | a zero |
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    book = write(tmp_path_factory.mktemp("bugs"))
    (book / "book" / "find_my_bug.md").write_text(PAGE)
    toc = yaml.safe_load(TOC)
    toc["chapters"].append({"file": find_my_bug.PAGE})
    (book / "_toc.yml").write_text(yaml.safe_dump(toc))
    code, log = build(book)
    assert code == 0, log
    return book / "_build" / "html"


def read(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def test_each_row_has_an_address_that_says_what_is_printed(site):
    rows = read(site / f"{find_my_bug.PAGE}.html").select(".bugs tbody tr")
    assert [row["id"] for row in rows] == [
        "bug-16-118-as-a-loss",
        "bug-minus-17-0-as-a-loss",
        "bug-minus-inf",
    ]


def test_the_script_is_on_its_page_only_and_waits(site):
    (script,) = read(site / f"{find_my_bug.PAGE}.html").select("script[src*=find_my_bug]")
    assert script.has_attr("defer")
    for page in ["index.html", "other.html", "search.html", "404.html"]:
        assert not read(site / page).select("script[src*=find_my_bug]"), page


def test_the_page_for_a_wrong_address_leads_on_from_any_folder(site):
    page = read(site / "404.html").select_one("article")
    assert page.form["action"] == "/book/book/find_my_bug.html"
    assert [a["href"] for a in page.select("li a")] == [
        "/book/book/find_my_bug.html",
        "/book/search.html",
        "/book/index.html",
    ]


def test_two_rows_that_differ_in_their_sign_have_two_addresses():
    ids = [nodes.make_id(f"bug {find_my_bug.in_words(text)}") for text in ("1.0", "-1.0", "log-p")]
    assert ids == ["bug-1-0", "bug-minus-1-0", "bug-log-p"]
