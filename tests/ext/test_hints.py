"""The hints below the exercises, in a tiny build."""

import io

from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

PAGE = """# One

:::{hint}
Subtract *first*.
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
    [fold] = page.select("details.hint")
    assert fold.select_one("summary").text == "Hint"
    assert fold.select_one("p em").text == "first" and not fold.has_attr("open")


def test_elsewhere_its_text_is_shown(tmp_path):
    assert "Subtract *first*." in built(tmp_path, "text")
