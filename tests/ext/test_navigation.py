"""The sidebar and the menu above a page."""

from types import SimpleNamespace

import navigation
from bs4 import BeautifulSoup

PAGES = """<p aria-level="2" class="caption" role="heading"><span class="caption-text">{}</span></p>
<ul class="{}nav bd-sidenav">
<li class="toctree-l1"><a class="reference internal" href="one.html">{}</a></li>
</ul>
"""
HTML = SimpleNamespace(builder=SimpleNamespace(format="html"))


def sidebar(*parts):
    """Return the sidebar that a reader gets for what the theme would write."""
    text = "".join(PAGES.format(*part) for part in parts)
    context = {"generate_toctree_html": lambda **options: BeautifulSoup(text, "html.parser")}
    navigation.shorten_sidebar(HTML, "index", "page.html", context, None)
    assert context["root_title"] == "Cover"
    return BeautifulSoup(context["generate_toctree_html"](kind="sidebar"), "html.parser")


def test_a_part_that_repeats_the_chapters_is_one_entry_and_says_its_name_once():
    parts = ("In training", "", "One"), ("Solutions", "", "Solutions: one")
    [fold] = sidebar(*parts).select("details")
    assert fold.summary.text == "Solutions" and not fold.has_attr("open")
    assert [link.text for link in fold.select("a")] == ["One"]
    [chapters] = sidebar(*parts).select("p.caption")
    assert chapters.text == "In training" and chapters.find_next("a").text == "One"


def test_the_part_of_the_page_that_is_open_is_open():
    parts = ("The package", "", "One"), ("Solutions", "current ", "One")
    folds = sidebar(*parts).select("details")
    assert [fold.has_attr("open") for fold in folds] == [False, True]


def test_one_menu_says_in_words_what_can_be_done_with_a_page(tiny_page):
    menus = tiny_page.select(".article-header-buttons .dropdown")
    assert [menu.button["aria-label"] for menu in menus] == ["More"]
    words = [item.get_text(strip=True) for item in menus[0].select("li")]
    assert words == ["Run on Colab", "Notebook", "Print", "Source of the page", "Full screen"]
    outside = tiny_page.select_one(".article-header-buttons").select(".btn:not(.dropdown *)")
    assert not [button for button in outside if "fullscreen" in str(button)]


def test_a_button_that_nobody_knows_is_kept():
    buttons = [{"type": "link", "text": "Deepnote"}, {"type": "link", "text": ".pdf"}]
    context = {"header_buttons": [{"type": "group", "buttons": buttons}]}
    navigation.join_menus(None, "index", "page.html", context, None)
    [menu] = context["header_buttons"]
    assert [button["text"] for button in menu["buttons"]] == ["Print", "Deepnote"]
