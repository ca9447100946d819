"""The keys that turn pages, and the ticks for what was read and solved."""

import json

import pytest
from playwright.sync_api import expect

PAGE = "book/overflow.html"
# What the run buttons keep when two of four exercises of the page are solved.
SOLVED = """() => {
    const kept = {texts: {old: "new"}, solved: ["a", "b"], done: [2, 4]};
    localStorage.setItem(`stable-softmax ${location.pathname}`, JSON.stringify(kept));
    dispatchEvent(new Event("solved"));
}"""


def name(page):
    return page.url.rpartition("/")[2]


def read_to_the_end(page):
    for heading in page.locator(".bd-article section > h2").all():
        heading.scroll_into_view_if_needed()
        page.wait_for_timeout(100)


def entry(page, href="#"):
    return page.locator(f".bd-docs-nav a[href$='{href}']:has-text('. ')")


def test_the_arrow_keys_lead_through_the_book_and_back(visitor, root):
    page = visitor(root + PAGE)
    there = page.locator("a.right-next").get_attribute("href")
    page.keyboard.press("ArrowRight")
    page.wait_for_url(f"**/{there}")
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(f"**/{PAGE}")


@pytest.mark.parametrize(
    "owner",
    [
        ".bd-article summary",
        ".bd-article figure :is(input, button, select)",
        ".article-header-buttons button",
    ],
)
def test_a_control_keeps_the_arrow_keys(visitor, site, owner):
    page = visitor((site / PAGE).as_uri())
    page.locator(owner).locator("visible=true").first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    assert name(page).startswith("overflow.html")


def test_a_field_and_a_box_that_scrolls_keep_the_arrow_keys(visitor, site):
    page = visitor((site / PAGE).as_uri())
    for html in ["<textarea></textarea>", "<pre tabindex=0>x</pre>", "<p contenteditable>x</p>"]:
        page.evaluate(
            """html => {
                const box = document.createElement("div");
                box.innerHTML = html;
                document.querySelector("article").prepend(box);
                box.firstChild.focus();
            }""",
            html,
        )
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(200)
        assert name(page) == "overflow.html"
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Alt+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_timeout(200)
    assert name(page) == "overflow.html"


def test_a_chapter_is_ticked_when_each_heading_was_on_the_screen(visitor, root):
    page = visitor(root + PAGE)
    page.locator(".bd-article section > h2").last.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    assert not page.locator(".noted").count(), "who jumps to the end has not read it"
    read_to_the_end(page)
    expect(entry(page)).to_contain_text(", read")
    page.goto(f"{root}book/softmax.html")
    expect(entry(page, "overflow.html")).to_contain_text(", read")
    expect(page.locator(".noted")).to_have_count(1)
    expect(page.locator(".noted-all")).to_contain_text("1 of ")


def test_solved_exercises_are_counted_and_all_can_be_forgotten(visitor, root):
    page = visitor(root + PAGE)
    page.evaluate(SOLVED)
    expect(entry(page)).to_contain_text("2 of 4 exercises solved")
    expect(page.locator(".noted-all")).to_contain_text("2 exercises solved")
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Forget").click()
    assert page.locator(".noted").count() == 1
    page.once("dialog", lambda dialog: dialog.accept())
    with page.expect_navigation():
        page.get_by_role("button", name="Forget").click()
    page.wait_for_timeout(300)
    assert not page.locator(".noted, .noted-all").count()
    kept = page.evaluate("localStorage.getItem(`stable-softmax ${location.pathname}`)")
    assert json.loads(kept) == {"texts": {"old": "new"}, "solved": []}, (
        "the reader's own code stays"
    )


def test_without_storage_a_page_works_as_ever(browser, site):
    context = browser.new_context()
    context.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw Error('no'); }})"
    )
    page = context.new_page()
    page.goto((site / PAGE).as_uri())
    read_to_the_end(page)
    expect(entry(page)).to_be_visible()
    assert not page.locator(".noted").count()
    context.close()
