"""The extension that makes the site complete in itself."""

import re

from bs4 import BeautifulSoup

from stable_softmax.notebook.display import COLORS
from tests.building import build
from tests.ext.tiny_site import KEPT, OLD, SQUARE, write
from tests.pages import ROOT


def addresses(page):
    tags = page.select("script[src], link[href], img[src], iframe[src]")
    return [tag.get("src") or tag["href"] for tag in tags]


def test_a_page_loads_nothing_that_it_does_not_need(tiny_page):
    assert not [
        a for a in addresses(tiny_page) if re.search(r"fontawesome\.js|thebe|toggle|design", a)
    ]
    assert not [
        s for s in tiny_page.select("script") if re.search("thebe|kernelName|toggle", str(s))
    ]
    assert [a for a in addresses(tiny_page) if a.startswith(("http", "//"))] == [
        "https://tiny.example.org/book/index.html"  # the address of the page itself
    ]


def test_the_address_of_the_site_stands_once_in_the_settings(tiny_site, tiny_page):
    url = tiny_page.select_one("meta[property='og:url']")["content"]
    assert url == "https://tiny.example.org/book/index.html"
    missing = BeautifulSoup((tiny_site / "404.html").read_text(), "html.parser")
    styles = [link["href"] for link in missing.select("link[rel=stylesheet]")]
    assert styles
    assert all(style.startswith("/book/_static/") for style in styles)
    assert all(heading.get_text(strip=True) for heading in missing.select("h1, h2"))


def test_a_page_describes_itself_in_the_same_words_everywhere(tiny_page):
    tags = tiny_page.select("meta[name=description], meta[property='og:description']")
    assert [tag["content"] for tag in tags] == ["What a tiny book says."] * 2


def test_a_page_that_the_book_no_longer_has_is_removed(tiny_site):
    assert [path for path in OLD + KEPT if (tiny_site / path).exists()] == KEPT


def test_the_index_lists_terms_and_no_functions(tiny_site):
    index = BeautifulSoup((tiny_site / "genindex.html").read_text(), "html.parser")
    assert [a.text for a in index.select(".indextable a")] == ["smallness"]


BAD = """
# Tiny

![](one.svg)

:::{figure} two.svg

A caption.
:::

:::{figure} three.svg
:alt: ../three.svg

A caption.
:::

![A red square.](four.svg)
"""


def test_an_image_without_words_fails_the_build(tmp_path):
    for name in ("one", "two", "three", "four"):
        (tmp_path / f"{name}.svg").write_text(SQUARE)
    code, log = build(write(tmp_path, BAD))
    assert code == 1
    for name in ("one", "two", "three"):
        assert f"image without alternative text: {name}.svg" in log
    assert "image without alternative text: four.svg" not in log
    for name, expected in {"one": True, "two": False, "three": False, "four": True}.items():
        assert (f"image without a caption: {name}.svg" in log) is expected


def test_the_site_has_the_colors_of_the_figures():
    style = (ROOT / "book" / "_static" / "book.css").read_text()
    light = style.split('html[data-theme="light"]')[1].split("}")[0]
    for role in ("naive", "stable", "alternative", "roundoff"):
        assert f"--book-{role}: {COLORS[role]};" in light
