"""What a reader does with the site: choose the colors, open the menus, print."""

import re

import pytest

from tests.site.built_site import PAGES, SITE
from tests.site.visit import run_axe

EXPLORABLE = re.compile("<explore-[a-z_]+>")
PAGES_WITH_EXPLORABLES = [p for p in PAGES if EXPLORABLE.search((SITE / p).read_text("utf-8"))]


def test_the_first_address_is_the_cover_page(visitor, server):
    page = visitor(server)
    assert page.url == server
    assert page.locator("h1").first.inner_text().startswith("Stable Softmax")


def test_the_sidebar_shows_the_chapter_also_to_who_comes_from_another_page(visitor, root):
    page = visitor(f"{root}book/softmax.html")
    page.goto(f"{root}book/special_values.html")
    active = page.locator("#pst-primary-sidebar .bd-docs-nav .active").last
    assert 0 <= active.bounding_box()["y"] < page.viewport_size["height"]


def test_a_reader_chooses_the_colors_and_they_last(visitor, root):
    page = visitor(f"{root}book/softmax.html")
    seen = {}
    for _ in range(3):
        page.locator(".theme-switch-button:visible").click()
        mode = page.evaluate("document.documentElement.dataset.mode")
        seen[mode] = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert set(seen) == {"light", "dark", "auto"}
    assert seen["light"] == seen["auto"] != seen["dark"]
    while page.evaluate("document.documentElement.dataset.mode") != "dark":
        page.locator(".theme-switch-button:visible").click()
    page.goto(f"{root}book/overflow.html")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == seen["dark"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_search_box_breaks_no_rule_of_axe(visitor, server, width, scheme):
    page = visitor(f"{server}book/softmax.html", width=width, scheme=scheme)
    page.locator(".search-button__button:visible").first.click()
    page.locator("#pst-search-dialog input").wait_for()
    assert not run_axe(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_what_the_search_has_found_breaks_no_rule_of_axe(visitor, server, width, scheme):
    page = visitor(f"{server}search.html?q=nan+gradient", width=width, scheme=scheme)
    page.locator("#search-results .context .highlighted").first.wait_for()
    page.wait_for_load_state("networkidle")
    assert not run_axe(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("side", ["primary", "secondary"])
def test_a_phone_opens_the_sidebars_and_they_break_no_rule_of_axe(visitor, server, side, scheme):
    page = visitor(f"{server}book/softmax.html", width=390, scheme=scheme)
    link = page.locator(f"#pst-{side}-sidebar-modal a").last
    assert not link.is_visible()
    page.locator(f".{side}-toggle:visible").click()
    link.wait_for()
    assert not run_axe(page)
    page.keyboard.press("Escape")
    link.wait_for(state="hidden")


@pytest.mark.parametrize("width", [1280, 390])
def test_the_first_key_leads_past_the_menus(visitor, server, width):
    page = visitor(f"{server}book/softmax.html", width=width)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.url.endswith("#main-content")


def test_paper_gets_no_sidebars_and_no_buttons(visitor, server):
    page = visitor(f"{server}book/softmax.html")
    controls = page.locator(
        ".bd-sidebar-primary, .bd-sidebar-secondary, .bd-header-article, .prev-next-footer,"
        " button, input, .btn"
    )
    assert any(control.is_visible() for control in controls.all())
    page.emulate_media(media="print")
    visible = [control for control in controls.all() if control.is_visible()]
    assert [control.evaluate("e => e.cloneNode().outerHTML") for control in visible] == []
    titles = [title.inner_text() for title in page.locator("h1").all() if title.is_visible()]
    assert titles == ["3. Softmax"]


@pytest.mark.parametrize("name", PAGES_WITH_EXPLORABLES)
def test_an_explorable_comes_to_life_on_the_screen_and_is_text_on_paper(visitor, site, name):
    page = visitor((site / name).as_uri())
    for figure in page.locator("figure:has(.fallback)").all():
        fallback = figure.locator(".fallback")
        controls = figure.locator("input, select, button")
        assert controls.first.is_visible() and not fallback.is_visible()
        page.emulate_media(media="print")
        assert fallback.is_visible() and not controls.first.is_visible()
        page.emulate_media(media="screen")


def test_the_chapters_that_promise_an_explorable_have_one():
    names = ["epsilon", "logsumexp", "mxnet", "numbers", "one_pass"]
    names += ["overflow", "softmax", "training"]
    assert {f"book/{name}.html" for name in names} <= set(PAGES_WITH_EXPLORABLES)
