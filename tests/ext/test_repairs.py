"""What is changed on a page after its template has rendered it."""

import pytest
import repairs

from tests.building import build
from tests.ext.tiny_site import EXTENSIONS, write


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """How often each repair finds something in the tiny site as the templates render it."""
    extensions = [name for name in EXTENSIONS if name != "patches"]
    book = write(tmp_path_factory.mktemp("tiny"), extensions=extensions)
    code, log = build(book)
    assert code == 0, log
    html = book / "_build" / "html"
    pages = [path.read_text() for path in html.rglob("*.html") if "_static" not in path.parts]
    assert len(pages) == 5, "two pages, the index, the search, and the page for a wrong address"
    counts = []
    for pattern, new in repairs.REPAIRS:
        repaired = [pattern.subn(new, page) for page in pages]
        pages = [page for page, _ in repaired]
        counts.append(sum(count for _, count in repaired))
    return counts


@pytest.mark.parametrize("number", range(len(repairs.REPAIRS)))
def test_a_repair_finds_what_it_repairs(found, number):
    pattern, _ = repairs.REPAIRS[number]
    assert found[number], f"nothing matches {pattern.pattern}: the repair can go"


def test_a_page_has_one_viewport_and_every_identifier_once(tiny_page):
    assert len(tiny_page.select("meta[name=viewport]")) == 1
    names = [tag["id"] for tag in tiny_page.select("[id]")]
    assert len(names) == len(set(names))
    assert len(tiny_page.select("div.exercise > section")) == 2


def test_what_is_hidden_is_announced_in_words_that_can_be_seen(tiny_page):
    (summary,) = tiny_page.select("summary")
    assert not summary.attrs
    assert [tag.name for tag in summary.find_all()] == ["span", "span"]
    assert not tiny_page.select("button.search-button-field[aria-label]")
    assert not tiny_page.select("i.theme-switch[title]")


def test_the_side_bar_is_a_landmark_and_references_are_a_list(tiny_page):
    assert tiny_page.select_one("#pst-primary-sidebar")["role"] == "complementary"
    assert [d["role"] for d in tiny_page.select(".citation-list > div")] == ["listitem"]


def test_an_empty_header_is_none_and_the_column_under_it_names_the_rows(tiny_page):
    (table,) = tiny_page.select("table")
    assert [tag.name for tag in table.thead.find_all(["th", "td"])] == ["td", "th"]
    first, repeated = table.tbody.find_all("tr")
    assert [tag.name for tag in first.find_all(["th", "td"])] == ["th", "td"]
    assert [tag.name for tag in repeated.find_all(["th", "td"])] == ["td", "td"]


def test_the_scripts_of_the_search_of_sphinx_are_on_no_page(tiny_page):
    assert not tiny_page.select("script[src*=search]")
    search = '<script src="searchindex.js" defer></script><div id="search-results"></div>'
    assert repairs.repair(search) == '<div id="search-results"></div>'


def test_a_page_has_its_theme_and_its_place_in_the_sidebar_before_it_is_painted(tiny_page):
    assert tiny_page.html["data-theme"] == "light"  # and a script knows better
    assert "prefers-color-scheme" in tiny_page.head.select_one("script:not([src])").text
    assert "scrollTop" in tiny_page.select_one("#main-content").find_previous_sibling("script").text


def test_a_formula_and_the_comma_after_it_are_on_one_line(tiny_page):
    assert tiny_page.select_one("span.math").text == "x2,"
