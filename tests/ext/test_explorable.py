"""The directive of the interactive figures, in tiny builds."""

import io
import re

import pytest
from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from tests.pages import ROOT

BOOK = ROOT / "book"
GOOD = """
:::{explorable} order
:name: exp-tiny
:caption: Move the *offset*.

Without scripts, see {numref}`exp-tiny`.
:::
"""
SETTINGS = {
    # sphinx_exercise has nodes of its own for a single page; Sphinx then forgets all others there
    "extensions": ["myst_parser", "sphinx_exercise", "explorable"],
    "myst_enable_extensions": ["colon_fence"],
    "html_static_path": [str(BOOK / "_static"), str(BOOK / "explorables")],
    "numfig": True,
}


def build(folder, builder="html", index=GOOD):
    """Build two pages, the second without an explorable; return the output folder and warnings."""
    (folder / "source").mkdir(exist_ok=True)
    (folder / "source" / "index.md").write_text(f"# One\n{index}\n```{{toctree}}\nother\n```\n")
    (folder / "source" / "other.md").write_text("# Two\n\nText.\n")
    out, warnings = folder / builder, io.StringIO()
    source, trees = folder / "source", folder / "trees"
    with docutils_namespace():
        Sphinx(
            source,
            None,
            out,
            trees,
            builder,
            SETTINGS,
            status=None,
            warning=warnings,
            freshenv=True,
        ).build()
    return out, warnings.getvalue()


def read(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def test_an_explorable_is_a_numbered_figure_that_holds_its_fallback(tmp_path):
    out, warnings = build(tmp_path)
    assert not warnings
    figure = read(out / "index.html").select_one("figure#exp-tiny")
    element, caption = figure.select_one("explore-order"), figure.select_one("figcaption")
    assert [child.name for child in figure.find_all(recursive=False)] == [
        "explore-order",
        "figcaption",
    ]
    assert "Fig. 1" in caption.get_text() and "offset" in caption.select_one("em").get_text()
    assert "Without scripts, see Fig. 1." in element.select_one(".fallback").get_text()


def test_the_scripts_are_deferred_and_only_on_the_page_that_needs_them(tmp_path):
    out, _ = build(tmp_path)
    scripts = read(out / "index.html").select("script[src*=explore]")
    names = [re.search(r"explore_\w+", script["src"])[0] for script in scripts]
    assert names == ["explore_core", "explore_order"], "the core comes first"
    assert all(script.has_attr("defer") for script in scripts)
    assert read(out / "index.html").select("link[href*='explore.css']")
    for page in ["other.html", "search.html", "genindex.html"]:
        assert "explore" not in (out / page).read_text(encoding="utf-8")


KINDS = ["cover", "formats", "epsilon", "order", "loss", "add", "mask", "network", "one_pass"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_its_script_and_its_element(kind):
    script = (BOOK / "explorables" / f"explore_{kind}.js").read_text(encoding="utf-8")
    assert f'customElements.define("explore-{kind}"' in script


@pytest.mark.parametrize("builder", ["text", "latex", "man"])
def test_other_outputs_show_the_fallback(tmp_path, builder):
    out, warnings = build(tmp_path, builder, f"{GOOD}\nMore text.\n")
    assert "explorable" not in warnings, warnings
    written = "".join(p.read_text(encoding="utf-8") for p in out.rglob("*.t*x*") if p.is_file())
    written += "".join(p.read_text(encoding="utf-8") for p in out.rglob("*.1"))
    assert "Without scripts" in written and "offset" in written


def test_the_single_page_has_the_element_too(tmp_path):
    out, warnings = build(tmp_path, "singlehtml")
    assert not warnings
    assert read(out / "index.html").select("figure explore-order .fallback")
    assert read(out / "index.html").select("script[src*=explore_order]")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (("} order", "} ordre"), 'no explorable "ordre"; choose one of cover, formats, epsilon'),
        ((":name: exp-tiny\n", ""), 'needs the option "name"'),
        ((":caption: Move the *offset*.\n", ""), 'needs the option "caption"'),
        (("Without scripts, see {numref}`exp-tiny`.\n", ""), "needs a text for readers without"),
    ],
)
def test_a_fault_is_one_clear_warning(tmp_path, fault, message):
    _, warnings = build(tmp_path, index=GOOD.replace(*fault))
    assert warnings.count("WARNING") == 1 and message in warnings and "index.md:3" in warnings
