"""The gates are shut: each finds the fault for which it is there, on a page that has just this."""

import itertools

import pytest
from bs4 import BeautifulSoup

from tests.site import page_rules
from tests.site.test_html import validate
from tests.site.visit import visit, weight

GOOD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>A page</title>
<meta name="viewport" content="width=device-width">
<link rel="canonical" href="https://example.org/book/page.html">
<style>body { background: #fff; color: #000; margin: 0 } a { color: #004 }</style></head>
<body><main><h1>A page</h1>
<article><h2 id="part">A part</h2>
<p><a href="#part">This part</a></p>
<figure id="fig"><img src="curve.svg" alt="A rising curve."><figcaption>It rises.</figcaption>
</figure></article></main></body></html>
"""
ROOT = "https://example.org/book/"
MORE = "<details><summary>More</summary>"
LOST_FONT = "@font-face { font-family: Lost; src: url(curve.svg) } main { font-family: Lost }"
TABLE = """<div class="bd-article"><div class="pst-scrollable-table-container" tabindex="0"
 style="overflow: auto"><table><tr><th>"""
LIGHT = "@media (prefers-color-scheme: light)"


@pytest.fixture
def folder(tmp_path):
    """A site of one page that is as it should be."""
    (tmp_path / "page.html").write_text(GOOD)
    (tmp_path / "curve.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
    )
    return tmp_path


def rows_of(*cells):
    """Return a table of one row."""
    cells = "".join(f"<td>{cell}</td>" for cell in cells)
    return f"<table><tbody><tr>{cells}</tr></tbody></table>"


DASH = "\N{EN DASH}"
DASHES = (rows_of(DASH, "a") + rows_of("a", DASH)).replace("</tbody></table><table><tbody>", "")


def faults_of(html, folder):
    """Return what all the rules together find in the HTML of a page."""
    page = BeautifulSoup(html, "html.parser")
    return [
        *itertools.chain(*(rule(page) for rule in page_rules.RULES)),
        *page_rules.link_faults(page, "page.html", folder, ROOT),
    ]


def broken(old, new):
    """Return the good page with one change."""
    assert old in GOOD
    return GOOD.replace(old, new)


def test_a_page_that_is_as_it_should_be_passes_every_gate(folder, browser):
    page = folder / "page.html"
    assert faults_of(GOOD, folder) == []
    assert validate([page]) == []
    found = visit(browser, page.as_uri(), 390, "dark")
    assert found.pop("shift") == 0
    assert len(found.pop("requests")) == 2
    assert found == {kind: [] for kind in found} and len(found) == 7


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (' lang="en"', "", "no language"),
        ("<title>A page", "<title>", "no title"),
        ('<meta charset="utf-8">', '<meta http-equiv="refresh">', "sends to another page"),
        ("<h1>A page</h1>", "", "0 headings of level 1"),
        ("h2", "h3", "a heading of level 3 after one of level 1"),
        (' alt="A rising curve."', "", "no alternative text"),
        ("A rising curve.", "", "no alternative text"),
        ("A rising curve.", "_images/curve.svg", "no alternative text"),
        ("A rising curve.", "eaaa799edec81a926dfd20e12bf07ff8", "no alternative text"),
        (
            "<img ",
            '<div class="figure-box" role="img"></div><img ',
            "no alternative text: <div",
        ),
        (' id="fig"', "", "a figure without a name"),
        ("It rises.", " ", "a figure without a caption"),
        ("figure", "div", "an image in no figure"),
        ("<p>", f"{rows_of('-0.5')}<p>", "a hyphen for a minus: -0.5"),
        ("<p>", f"{rows_of('2^24')}<p>", "a power that is not set: 2^24"),
        ("<p>", f"{rows_of(DASH, 'a', 'b')}<p>", "a column of dashes"),
        ("<p>", f"{DASHES}<p>", "a table of dashes"),
        ("<p>", "<pre>███ 71 of 71</pre><p>", "a progress bar: ███ 71 of 71"),
        ("<p>", "<pre>Traceback (most recent call last)</pre><p>", "a traceback: Traceback"),
        ("<p>", "<pre>UserWarning: too small</pre><p>", "a warning of a library: UserWarning"),
        ("curve.svg", "https://example.com/curve.svg", "from another host"),
        ("curve.svg", "//example.com/curve.svg", "from another host"),
        ("<style>", "<script>load('https://example.com/')</script><style>", "from another host"),
        ('"curve.svg"', '"line.svg"', "leads nowhere: line.svg"),
        ("#part", "other.html", "leads nowhere: other.html"),
        ("#part", "/book/page.html", "holds only at one address: /book/page.html"),
        ("#part", ".", "leads nowhere: ."),
        ("<p>", '<a href="#part"> Here</a><p>', "a link that does not say where it leads: Here"),
        ("#part", "#whole", "leads nowhere on its page: #whole"),
        ("#part", "page.html#whole", "leads nowhere on its page: page.html#whole"),
        ("/page.html", "/other.html", "leads nowhere: /other.html"),
    ],
)
def test_a_rule_finds_a_fault(folder, old, new, fault):
    assert any(text.startswith(fault) for text in faults_of(broken(old, new), folder))


def test_the_page_of_what_is_not_found_may_name_its_folder(folder):
    page = BeautifulSoup(broken("#part", "/book/page.html"), "html.parser")
    assert page_rules.link_faults(page, "404.html", folder, ROOT) == []
    page = BeautifulSoup(broken("#part", "/book/other.html"), "html.parser")
    assert page_rules.link_faults(page, "404.html", folder, ROOT) == ["leads nowhere: /other.html"]


@pytest.mark.parametrize(
    ("old", "new", "kind", "fault"),
    [
        ("curve.svg", "http://127.0.0.1:9/curve.svg", "problems", "asks another host"),
        ('"curve.svg"', '"line.svg"', "problems", "fails: "),
        ("<style>", "<script>console.error('no')</script><style>", "problems", "console: no"),
        ("<style>", "<script>throw Error('no')</script><style>", "problems", "error: no"),
        ("<main>", '<main style="width: 391px">', "scrolls", "391 px wide"),
        ("#000;", "#777;", "axe", "color-contrast: "),
        ("#000;", "#666;", "axe", "color-contrast-enhanced: "),  # level AAA
        (
            "<p>",
            '<div tabindex="0">text</div><p>',
            "axe",
            "focus-order-semantics: ",
        ),  # experimental
        ("<p>", '<div id="part"></div><p>', "axe", "duplicate-id: "),  # deprecated
        ("<p>", f"{MORE}<b style='padding: 999px'>wide</b></details><p>", "scrolls", "2"),
        ("<p>", f"{MORE}<input></details><p>", "axe", "label: "),
        ("body {", f"{LIGHT} {{ main {{ width: 500px }} }} body {{", "scrolls", "500 px wide"),
        (
            "<p>",
            f'<div class="bd-article"><pre style="overflow: auto">{"x" * 99}</pre></div><p>',
            "inside",
            "pre: xxx",
        ),
        ("<p>", f"{TABLE}{'x' * 99}</th></tr></table></div></div><p>", "inside", "table: xxx"),
        (
            "<p>",
            f'<div class="bd-article"><p class="math" style="overflow: auto">{"x" * 99}</div><p>',
            "inside",
            "math: xxx",
        ),
        ("<p>", '<p><i class="fa-solid fa-lost"></i>', "blank", '<i class="fa-solid fa-lost">'),
        ("<p>", "<p><mjx-c class='mjx-c31'></mjx-c>", "blank", '<mjx-c class="mjx-c31">'),
        ("<style>", f"<style>{LOST_FONT}", "blank", "Lost"),
        ("<img ", '<img style="width: 500px" ', "figures", "fig: wider than its column"),
        ("<img ", '<img style="display: none" ', "figures", "fig: nothing is seen"),
        (
            "<img ",
            '<div class="figure-box" style="overflow: auto"><p style="width: 9in"></p></div><img ',
            "figures",
            "fig: scrolls",
        ),
        ("<p>", '<p><mjx-container tabindex="0">x = 1</mjx-container>', "stops", "x = 1"),
    ],
)
def test_a_visit_finds_a_fault(folder, browser, old, new, kind, fault):
    page = folder / "page.html"
    page.write_text(broken(old, new))
    found = visit(browser, page.as_uri(), 390, "dark")
    assert any(text.startswith(fault) for text in found[kind])


def test_a_visit_adds_up_what_moves(folder, browser):
    page = folder / "page.html"
    move = """<script>
        const later = () => new Promise(done => setTimeout(done, 500));
        const move = () => { document.querySelector("main").style.marginTop = "300px"; };
        const value = later().then(move).then(later);
        Object.defineProperty(document.fonts, "ready", { value });
    </script>"""
    page.write_text(broken("</body>", f"{move}</body>"))
    assert visit(browser, page.as_uri(), 390, "dark")["shift"] > 0.1


def test_the_weight_of_a_page_is_that_of_its_compressed_files(folder):
    (folder / "long.txt").write_text("long " * 100_000)
    light = weight(["at/page.html", "at/curve.svg"], "at/", folder)
    assert 300 < light < 1000
    assert light < weight(["at/page.html", "at/curve.svg", "at/long.txt?v=1"], "at/", folder) < 3000


def test_the_validator_finds_a_fault(folder):
    page = folder / "page.html"
    page.write_text(broken("<p>", "<p><div></div>"))
    [(name, message, _)] = validate([page])
    assert (name, message[:7]) == ("page.html", "No “p” ")
