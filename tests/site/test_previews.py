"""What a link leads to, shown beside it: for mouse and keyboard, from a server or a folder."""

import pytest
from playwright.sync_api import expect

from tests.site.visit import run_axe

LINKS = {
    "term": ("a.internal[href*='glossary.html#term-']", "dt"),
    "equation": ("a.internal[href*='#equation-']", "mjx-container"),
    "figure": ("a.internal[href*='#fig-']", "figure svg.wide"),
    "work": ("a.internal[href*='bibliography.html#']", ".citation"),
    "section": ("a.internal[href*='html#ch-']", "strong"),
    "function": ("a.to-code[href*='html#stable_softmax'], a.in-code", "dt"),
}


def link(page, selector):
    found = page.locator(f".bd-article :is({selector}):visible").first
    found.scroll_into_view_if_needed()
    return found


@pytest.mark.parametrize("kind", LINKS)
def test_the_mouse_shows_what_a_link_leads_to(visitor, root, kind):
    selector, shown = LINKS[kind]
    page = visitor(f"{root}book/overflow.html")
    asked, preview = link(page, selector), page.locator("#preview")
    asked.hover()
    expect(preview.locator(shown).first).to_be_visible()
    assert asked.get_attribute("aria-describedby") == preview.get_attribute("id")
    place, edge = preview.bounding_box(), page.viewport_size
    assert place["x"] >= 0 and place["x"] + place["width"] <= edge["width"]
    preview.hover()
    page.wait_for_timeout(400)
    assert preview.is_visible(), "a reader may go into the box"
    page.keyboard.press("Escape")
    assert not preview.is_visible() and not asked.get_attribute("aria-describedby")
    assert page.problems == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["figure", "function", "equation"])
def test_what_is_shown_breaks_no_rule_of_axe_and_has_its_images(visitor, server, kind, scheme):
    page = visitor(f"{server}book/overflow.html", scheme=scheme)
    link(page, LINKS[kind][0]).hover()
    expect(page.locator("#preview")).to_be_visible()
    drawings = page.locator("#preview svg.wide").all()
    assert len(drawings) == (kind == "figure")
    assert all(drawing.bounding_box()["width"] > 100 for drawing in drawings)
    assert not run_axe(page)


def test_the_keyboard_shows_it_and_goes_on(visitor, root):
    page = visitor(f"{root}book/overflow.html")
    preview = page.locator("#preview")
    link(page, LINKS["term"][0]).focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    expect(preview).to_be_visible()
    stops = preview.locator("a, button, [tabindex]").count()
    assert stops == 0, "no key leads into it"
    page.keyboard.press("Tab")
    expect(preview).to_contain_text("softmax")  # the next term of this chapter


def test_a_page_asks_for_nothing_before_a_reader_points_at_a_link(visitor, server):
    page = visitor(f"{server}book/overflow.html")
    assert page.evaluate("document.querySelectorAll('script[src*=previews]').length") == 0
    link(page, LINKS["term"][0]).hover()
    expect(page.locator("#preview")).to_be_visible()
    scripts = page.locator("script[src*=previews]")
    assert scripts.get_attribute("src").endswith("previews/book/glossary.js")
