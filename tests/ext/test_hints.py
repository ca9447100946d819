"""The hints below the exercises, and the answers to claims, in a tiny build."""

import io

from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

PAGE = """# One

:::{hint}
Subtract *first*.
:::

:::{admonition} Yes & no
:class: answer
It *depends*.
:::

:::{admonition} Law
:class: important
A law is seen.
:::
"""


def built(folder, builder):
    """Build one page, without a warning, and return its text."""
    (folder / "source").mkdir(exist_ok=True)
    (folder / "source" / "index.md").write_text(PAGE)
    settings = {"extensions": ["myst_parser", "hints"], "myst_enable_extensions": ["colon_fence"]}
    out, warnings = folder / builder, io.StringIO()
    with docutils_namespace():
        Sphinx(
            folder / "source",
            None,
            out,
            folder / "trees",
            builder,
            settings,
            status=None,
            warning=warnings,
            freshenv=True,
        ).build()
    assert warnings.getvalue() == ""
    return next(out.glob("index.*")).read_text(encoding="utf-8")


def test_a_hint_is_folded_on_the_site_and_needs_no_script(tmp_path):
    page = BeautifulSoup(built(tmp_path, "html"), "html.parser")
    fold, _ = page.select("details.hint")
    assert fold.select_one("summary").text == "Hint"
    assert fold.select_one("p em").text == "first" and not fold.has_attr("open")


def test_an_answer_is_folded_under_its_title_and_no_other_box_is(tmp_path):
    page = BeautifulSoup(built(tmp_path, "html"), "html.parser")
    _, fold = page.select("details")
    assert fold.select_one("summary").text == "Yes & no" and not fold.has_attr("open")
    assert fold.select_one("p em").text == "depends"
    [box] = page.select("div.admonition")
    assert box.select_one(".admonition-title").text == "Law" and not box.find_parent("details")


def test_elsewhere_their_text_is_shown(tmp_path):
    text = built(tmp_path, "text")
    assert "Subtract *first*." in text and "Yes & no" in text and "It *depends*." in text
