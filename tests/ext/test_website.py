"""The extension that makes the site stand by itself."""

import re
import shutil

import pytest
from bs4 import BeautifulSoup

from stable_softmax.notebook.display import COLORS
from tests.building import build
from tests.pages import ROOT

CONFIG = """
title: Tiny
html: {baseurl: "https://tiny.example.org/book/"}
execute: {execute_notebooks: "off"}
bibtex_bibfiles: [references.bib]
sphinx:
  extra_extensions: [notfound.extension, sphinx_exercise, sphinxext.opengraph]
  local_extensions: {website: book/_ext}
  config:
    html_theme_options: {navbar_persistent: []}
    html_context: {default_mode: auto}
"""
TOC = "{format: jb-book, root: index, chapters: [{file: other}]}"
PAGE = """---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
myst: {html_meta: {description: What a tiny book says.}}
---
# Tiny

```{index} smallness
```

A formula, $x^2$, and what {cite:t}`someone` says.

$$
\\begin{aligned}
x &= \\frac{1}{2} \\\\
&= 0.5
\\end{aligned}
$$ (eq-one)

:::{exercise}
:label: one

Do it.
:::

:::{exercise}
:label: two

Do it again.
:::

|  | value |
|:---|---:|
| first | 1 |

```{code-cell} ipython3
:tags: [hide-input]

1 + 1
```

:::{figure} picture.svg
:name: fig-picture
:alt: A red square.

A square is red.
:::

```{eval-rst}
.. py:function:: stable_softmax.tiny.f()
```

```{bibliography}
```
"""
SQUARE = (
    """<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><path d="M0 0h9v9z"/></svg>"""
)
OLD = ["_sources/book/old.md", "book/old.html", "notebooks/old.ipynb"]
KEPT = ["_sources/other.md", "notebooks/other.ipynb"]
SOURCE = "@book{someone, author={Some One}, title={Some Title}, year=1999, publisher={Some}}"


def write(folder, page=PAGE):
    shutil.copytree(ROOT / "book" / "_ext", folder / "book" / "_ext", dirs_exist_ok=True)
    files = {"_config.yml": CONFIG, "_toc.yml": TOC, "other.md": "# Other\n"}
    files |= {"picture.svg": SQUARE, "references.bib": SOURCE, "index.md": page}
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of a built tiny site."""
    book = write(tmp_path_factory.mktemp("tiny"))
    for path in OLD + KEPT:  # as if an earlier build had left it
        (book / "_build" / "html" / path).parent.mkdir(parents=True, exist_ok=True)
        (book / "_build" / "html" / path).touch()
    code, log = build(book)
    assert code == 0, log
    return book / "_build" / "html"


@pytest.fixture(scope="module")
def page(site):
    """Its page, parsed."""
    return BeautifulSoup((site / "index.html").read_text(), "html.parser")


def addresses(page):
    tags = page.select("script[src], link[href], img[src], iframe[src]")
    return [tag.get("src") or tag["href"] for tag in tags]


def test_a_page_loads_nothing_that_it_does_not_need(page):
    assert not [a for a in addresses(page) if re.search(r"fontawesome\.js|thebe|toggle|design", a)]
    assert not [s for s in page.select("script") if re.search("thebe|kernelName|toggle", str(s))]
    assert [a for a in addresses(page) if a.startswith(("http", "//"))] == [
        "https://tiny.example.org/book/index.html"  # the address of the page itself
    ]


def test_mathjax_is_a_file_of_the_site_without_the_parts_that_no_browser_asks_for(site, page):
    scripts = [a.split("?")[0] for a in addresses(page) if "mathjax" in a]
    assert scripts == ["_static/mathjax/tex-chtml.js"]
    copied = site / "_static" / "mathjax"
    assert (copied / "tex-chtml.js").exists()
    assert (copied / "output/chtml/fonts/woff-v2/MathJax_Main-Regular.woff").exists()
    assert sorted(p.name for p in copied.iterdir() if p.is_file()) == ["tex-chtml.js"]
    assert sum(p.stat().st_size for p in copied.rglob("*")) < 9e6


def test_a_page_has_one_viewport_and_every_identifier_once(page):
    assert len(page.select("meta[name=viewport]")) == 1
    names = [tag["id"] for tag in page.select("[id]")]
    assert len(names) == len(set(names))
    assert len(page.select("div.exercise > section")) == 2


def test_what_is_hidden_is_announced_in_words_that_can_be_seen(page):
    (summary,) = page.select("summary")
    assert not summary.attrs
    assert [tag.name for tag in summary.find_all()] == ["span", "span"]
    assert not page.select("button.search-button-field[aria-label]")
    assert not page.select("i.theme-switch[title]")


def test_the_side_bar_is_a_landmark_and_references_are_a_list(page):
    assert page.select_one("#pst-primary-sidebar")["role"] == "complementary"
    assert [d["role"] for d in page.select(".citation-list > div")] == ["listitem"]


def test_an_empty_header_is_none_and_the_column_under_it_names_the_rows(page):
    (table,) = page.select("table")
    assert [tag.name for tag in table.thead.find_all(["th", "td"])] == ["td", "th"]
    assert [tag.name for tag in table.tbody.find_all(["th", "td"])] == ["th", "td"]


def test_an_image_has_a_box_beside_its_caption(page):
    (figure,) = page.select("figure")
    assert [tag.name for tag in figure.find_all(recursive=False)] == ["div", "figcaption"]
    assert figure.select_one("div.figure-box > img")["alt"] == "A red square."


def test_the_address_of_the_site_stands_once_in_the_settings(site, page):
    url = page.select_one("meta[property='og:url']")["content"]
    assert url == "https://tiny.example.org/book/index.html"
    missing = BeautifulSoup((site / "404.html").read_text(), "html.parser")
    styles = [link["href"] for link in missing.select("link[rel=stylesheet]")]
    assert styles
    assert all(style.startswith("/book/_static/") for style in styles)
    assert all(heading.get_text(strip=True) for heading in missing.select("h1, h2"))


def test_a_page_has_its_theme_and_its_place_in_the_sidebar_before_it_is_painted(page):
    assert page.html["data-theme"] == "light"  # and a script knows better
    assert "prefers-color-scheme" in page.head.select_one("script:not([src])").text
    assert "scrollTop" in page.select_one("#main-content").find_previous_sibling("script").text


def test_a_formula_has_its_room_before_it_is_set(page):
    (displayed,) = page.select("div.math")
    assert displayed["style"] == "--height: 7.55rem"  # of two rows, one with a fraction
    (in_line,) = page.select("span.math")
    assert in_line["style"] == "--width: 1.39em"  # of a sign, an exponent and the comma after it


def test_a_formula_and_the_comma_after_it_are_on_one_line(page):
    assert page.select_one("span.math").text == r"\(x^2\),"


def test_a_page_describes_itself_in_the_same_words_everywhere(page):
    tags = page.select("meta[name=description], meta[property='og:description']")
    assert [tag["content"] for tag in tags] == ["What a tiny book says."] * 2


def test_a_page_that_the_book_no_longer_has_is_removed(site):
    assert [path for path in OLD + KEPT if (site / path).exists()] == KEPT


def test_the_index_lists_terms_and_no_functions(site):
    index = BeautifulSoup((site / "genindex.html").read_text(), "html.parser")
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
