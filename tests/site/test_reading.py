"""What a reader does with the site: choose the colors, open the menus, print."""

import re

import pytest

from tests.site.built_site import PAGES, SITE
from tests.site.visit import run_axe

EXPLORABLE = re.compile("<explore-[a-z_]+>")
SOLUTIONS = [
    "book/solutions/special_values",
    "book/solutions/drawing",
    "book/solutions/corrections",
]
PAGES_WITH_EXPLORABLES = [p for p in PAGES if EXPLORABLE.search((SITE / p).read_text("utf-8"))]


def test_the_first_address_is_the_cover_page(visitor, server):
    page = visitor(server)
    assert page.url == server
    assert page.locator("h1").first.inner_text().startswith("Your loss is nan.")
    assert page.locator(".bd-docs-nav .current").inner_text() == "Cover"


def test_the_sidebar_shows_the_chapter_also_to_who_comes_from_another_page(visitor, root):
    page = visitor(f"{root}book/softmax.html")
    for chapter in ("special_values", "solutions/accuracy", "numbers", "solutions/gpu"):
        page.goto(f"{root}book/{chapter}.html")
        assert is_active_in_view(page), chapter


@pytest.mark.parametrize("page", ["index", "book/sequences", *SOLUTIONS, "book/api/checks"])
def test_the_sidebar_shows_the_page_to_who_comes_from_elsewhere(visitor, server, page):
    assert is_active_in_view(visitor(f"{server}{page}.html"))


def is_active_in_view(page):
    """Whether the sidebar shows where the reader is, after the scripts of the theme as well."""
    page.wait_for_timeout(100)
    active = page.locator("#pst-primary-sidebar .bd-docs-nav .active").last.bounding_box()
    return 0 <= active["y"] < page.viewport_size["height"] - 20


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


STYLE = """(selector) => {
    const style = getComputedStyle(document.querySelector(selector));
    const {fontSize, fontWeight, marginTop} = style;
    return [fontSize, fontWeight, marginTop].map(parseFloat);
}"""


@pytest.mark.parametrize("width", [1280, 390])
def test_the_size_of_a_heading_shows_its_place_whatever_weights_a_font_has(visitor, server, width):
    page = visitor(f"{server}book/cross_entropy.html", width=width)
    h1, h2, h3, text = (
        page.evaluate(STYLE, f".bd-article {tag}") for tag in ["h1", "h2", "h3", "p"]
    )
    assert [size for size, _, _ in (h2, h3, text)] == [28, 20, 16]
    assert h1[0] == (40 if width == 1280 else 33.75)
    assert {weight for _, weight, _ in (h1, h2, h3)} == {700}
    assert h2[2] > h3[2] > text[2]


@pytest.mark.parametrize("width", [1280, 390])
def test_a_caption_is_smaller_than_the_text_and_begins_at_its_edge(visitor, server, width):
    page = visitor(f"{server}book/overflow.html", width=width)
    assert page.evaluate(STYLE, "figcaption p")[0] == 14
    edges = page.locator(".bd-article :is(section > section > p, section > figure figcaption p)")
    assert len({edge.bounding_box()["x"] for edge in edges.all() if edge.is_visible()}) == 1


def test_the_capitals_of_a_formula_are_as_high_as_those_of_the_text(visitor, server):
    page = visitor(f"{server}book/overflow.html")
    capital = page.evaluate(
        """() => {
            const text = document.querySelector(".bd-article p:has(mjx-container)");
            const rule = document.createElement("span");
            rule.style = "display: inline-block; height: 1cap";
            text.append(rule);
            const {height} = rule.getBoundingClientRect();
            const formula = getComputedStyle(text.querySelector("mjx-container"));
            return [height, parseFloat(formula.fontSize) * 0.683];
        }"""
    )
    assert capital[0] == pytest.approx(capital[1], abs=0.1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_law_does_not_have_the_color_of_a_warning(visitor, server, scheme):
    page = visitor(f"{server}book/overflow.html", scheme=scheme)
    colors = page.evaluate(
        """() => {
            const law = getComputedStyle(document.querySelector(".law"));
            const probe = document.body.appendChild(document.createElement("i"));
            const others = ["--book-stable", "--pst-color-attention"].map((name) => {
                probe.style.color = `var(${name})`;
                return getComputedStyle(probe).color;
            });
            return [law.borderTopColor, ...others];
        }"""
    )
    assert colors[0] == colors[1] != colors[2]
    sign = page.evaluate(
        "getComputedStyle(document.querySelector('.law > .admonition-title'), '::after').display"
    )
    assert sign == "none"


def test_no_text_of_the_sidebar_touches_its_edge(visitor, server):
    page = visitor(f"{server}book/overflow.html")
    edge = page.evaluate(
        """() => {
            const bar = document.getElementById("pst-primary-sidebar");
            const words = document.createRange();
            const right = [...bar.querySelectorAll("a, .caption-text")].map((text) => {
                words.selectNodeContents(text);
                return words.getBoundingClientRect().right;
            });
            return bar.getBoundingClientRect().right - Math.max(...right);
        }"""
    )
    assert edge >= 12


def test_the_solutions_are_one_entry_until_a_reader_asks_for_them(visitor, server):
    page = visitor(f"{server}book/overflow.html")
    solutions = page.locator("details.part:has-text('Solutions')")
    assert not solutions.locator("a").first.is_visible()
    solutions.locator("summary").click()
    solutions.get_by_role("link", name="Overflow").click()
    assert page.url.endswith("book/solutions/overflow.html")
    assert page.locator("details.part .active a").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_menu_above_a_page_is_one_and_breaks_no_rule_of_axe(visitor, server, width, scheme):
    page = visitor(f"{server}book/softmax.html", width=width, scheme=scheme)
    header = page.locator(".article-header-buttons > *")
    assert sum(button.is_visible() for button in header.all()) <= 4
    page.get_by_role("button", name="More").click()
    page.get_by_text("Report an error").wait_for()
    assert not run_axe(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("side", ["primary", "secondary"])
def test_a_phone_opens_the_sidebars_and_they_break_no_rule_of_axe(visitor, server, side, scheme):
    page = visitor(f"{server}book/softmax.html", width=390, scheme=scheme)
    link = page.locator(f"#pst-{side}-sidebar-modal a:not(details *)").last
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
        " button, input:not(explore-mask .scroll *), .btn"  # there the inputs are the table
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
