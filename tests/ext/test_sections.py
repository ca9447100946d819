"""The extension that finds sections."""

import json

import pytest
import sections
from bs4 import BeautifulSoup

from tests.building import build
from tests.ext.tiny_site import write

HEADER = """---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
myst: {html_meta: {description: What a tiny book says.}}
---
"""
PAGE = f"""{HEADER}
# Tiny

A lead.

:::{{admonition}} In this chapter
:class: in-this-chapter

Needs nothing.
:::

```{{code-cell}} ipython3
from math import exp
use_book_style()
```

```{{index}} smallness
```

(sec-small)=
## A small section

It is $e^{{x_i}}$ small, see {{ref}}`sec-deep`.

$$
a = b
$$

```{{code-cell}} ipython3
nothing = exp(0)
```

(sec-deep)=
### A deeper one

| You | See |
|:---|:---|
| this | that |

:::{{exercise}} By hand
:label: ex-one

Do it.
:::

```{{glossary}}
tininess
  How tiny it is.
```

```{{eval-rst}}
.. py:function:: tiny.f(x)

   What it does.
```

```{{bibliography}}
```

Someone {{cite:p}}`someone` says so.
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    book = write(tmp_path_factory.mktemp("sections"), PAGE)
    code, log = build(book)
    assert code == 0, log
    return book / "_build" / "html"


@pytest.fixture(scope="module")
def pages(site):
    text = (site / "_static" / "sections.js").read_text(encoding="utf-8")
    return json.loads(text.removeprefix("const SECTIONS = ").removesuffix(";\n"))


@pytest.fixture(scope="module")
def parts(pages):
    """The parts of the page by their titles: address, terms, text and code."""
    return {title: (at, terms, text, code) for at, title, terms, text, code in pages[0][3]}


def test_pages_stand_in_reading_order(pages):
    assert [(address, title) for address, title, *_ in pages] == [
        ("index.html", "Tiny"),
        ("other.html", "Other"),
    ]


def test_each_section_term_and_function_has_an_address(parts, site):
    page = BeautifulSoup((site / "index.html").read_text(encoding="utf-8"), "html.parser")
    assert list(parts) == ["Tiny", "A small section", "A deeper one", "tininess", "f"]
    assert parts["A small section"][0] == "sec-small"
    assert all(page.find(id=at) for at, *_ in parts.values())


def test_a_word_of_the_index_belongs_to_the_heading_below_it(parts):
    assert [name for name, (_, terms, *_) in parts.items() if "smallness" in terms] == [
        "A small section"
    ]


def test_a_text_is_quoted_without_raw_formulas_imports_and_facts(parts):
    assert parts["Tiny"][2:] == ("A lead.", "")
    _, _, text, code = parts["A small section"]
    assert text == "It is e^(x_i) small, see A deeper one."
    assert code == "nothing = exp(0)"
    assert parts["A deeper one"][2].startswith("You · See this · that")
    assert "Do it." in parts["A deeper one"][2]
    assert parts["tininess"][2] == "How tiny it is."


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (r"-\log p_y", "- log p_y"),
        (r"\frac{a}{b}", "a / b"),
        (r"10^{-8}", "10^(-8)"),
        (r"m = \max_j x_j", "m = max_j x_j"),
        (r"\fl(x) \le \Omega", "fl(x) ≤ Ω"),
        (r"\begin{aligned} a &= \text{gap} \\ b &= \infty \end{aligned}", "a = gap b = ∞"),
    ],
)
def test_a_formula_becomes_a_line_of_text(tex, text):
    assert sections.plain(tex) == text


def test_the_search_page_alone_loads_the_search_and_nobody_that_of_sphinx(site):
    def scripts(page):
        text = (site / page).read_text(encoding="utf-8")
        tags = BeautifulSoup(text, "html.parser").select("script[src]")
        return [tag["src"].rpartition("/")[2].partition("?")[0] for tag in tags]

    mine = ["sections.js", "search.js"]
    assert [name for name in scripts("search.html") if name in mine] == mine
    for page in ["index.html", "other.html", "404.html", "search.html"]:
        assert not {"searchindex.js", "searchtools.js", "language_data.js"} & set(scripts(page))
        assert page == "search.html" or not set(mine) & set(scripts(page))
    assert not (site / "searchindex.js").exists()
