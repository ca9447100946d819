"""Every page in a browser, wide and narrow, light and dark, from a server and from a folder.

All pages are visited first, wide and narrow ones at the same time; then each is judged. Axe looks
at wide light pages and at narrow dark ones: each width and each palette once.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import sync_playwright

from book_tools.browser import launch
from tests.site.built_site import PAGES
from tests.site.visit import WIDTHS, visit, weight

every_page = pytest.mark.parametrize("page", PAGES)


@pytest.fixture(scope="session")
def visits(site, server):
    """What was found on each page: {page: {"1280 px, light, http": …}}."""

    def visit_all(width):
        with sync_playwright() as playwright:
            browser = launch(playwright)
            for page in PAGES:
                setting, wide = f"{width} px, light, http", width == 1280
                found[page][setting] = visit(browser, server + page, width, "light", axe=wide)
                if page != "404.html":  # only a server shows it, in any folder
                    address = (site / page).as_uri()
                    setting = f"{width} px, dark, file"
                    found[page][setting] = visit(browser, address, width, "dark", axe=not wide)

    found = {page: {} for page in PAGES}
    with ThreadPoolExecutor() as pool:
        list(pool.map(visit_all, WIDTHS))
    return found


def fail_with(settings, kind):
    """Fail with each finding of a kind, once, below the settings in which it was found."""
    where = {}
    for setting, found in settings.items():
        for text in dict.fromkeys(found[kind]):
            where.setdefault(text, []).append(setting)
    if where:
        texts = [f"[{'; '.join(places)}]\n{text}" for text, places in where.items()]
        pytest.fail("\n\n".join(texts), pytrace=False)


@every_page
def test_a_page_asks_no_other_host_and_nothing_fails(visits, page):
    fail_with(visits[page], "problems")


@every_page
def test_a_page_does_not_scroll_sideways(visits, page):
    fail_with(visits[page], "scrolls")


@every_page
def test_on_a_wide_screen_nothing_on_a_page_scrolls_either(visits, page):
    wide = {setting: found for setting, found in visits[page].items() if "1280" in setting}
    fail_with(wide, "inside")


@every_page
def test_on_a_phone_only_code_scrolls(visits, page):
    narrow = {setting: found for setting, found in visits[page].items() if "390" in setting}
    for found in narrow.values():
        # A line of Python is not broken, because its second part would look like a line.
        found["cut"] = [text for text in found["inside"] if not text.startswith("pre: ")]
    fail_with(narrow, "cut")


@every_page
def test_a_page_breaks_no_rule_of_axe(visits, page):
    fail_with(visits[page], "axe")


@every_page
def test_every_icon_and_every_letter_of_a_formula_is_seen(visits, page):
    fail_with(visits[page], "blank")


@every_page
def test_every_figure_fits_its_column_at_a_desk_and_on_a_phone(visits, page):
    fail_with(visits[page], "figures")


@every_page
def test_no_formula_is_a_tab_stop(visits, page):
    fail_with(visits[page], "stops")


@every_page
def test_what_is_on_a_page_stays_where_it_is(visits, page):
    assert max(found["shift"] for found in visits[page].values()) <= 0.02


@every_page
def test_a_page_is_light(visits, page, site, server):
    requests = visits[page]["1280 px, light, http"]["requests"]
    assert len(requests) <= 25, "\n".join(requests)
    limit = 450_000 if page == "search.html" else 300_000  # it holds the words of the whole book
    assert weight(requests, server, site) <= limit


def test_what_all_pages_share_is_light(site):
    files = [path for path in (site / "_static").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 2e6
