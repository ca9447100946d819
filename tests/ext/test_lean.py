"""What all pages load comes in two files, with only what the book uses."""

import re

import lean
import pytest
from bs4 import BeautifulSoup
from fontTools.ttLib import TTFont

from tests.building import build


def read(site, name):
    return BeautifulSoup((site / name).read_text("utf-8"), "html.parser")


def names(page):
    """The files that a page loads, without their folders."""
    tags = page.select("link[rel=stylesheet], script[src]")
    files = [(tag.get("src") or tag["href"]).split("?")[0] for tag in tags]
    return [file.rpartition("/")[2] for file in files]


@pytest.fixture(scope="module")
def style(tiny_site):
    return (tiny_site / "_static/style.css").read_text("utf-8")


def signs(site, font):
    return set(map(chr, TTFont(site / f"_static/fonts/{font}.woff2").getBestCmap()))


def test_a_page_loads_one_style_sheet_and_one_script(tiny_page):
    assert names(tiny_page) == ["style.css", "script.js"]


def test_only_the_page_of_the_search_loads_the_search(tiny_site):
    expected = ["style.css", "script.js", "sections.js", "search.js"]
    page = read(tiny_site, "search.html")
    assert names(page) == expected


@pytest.mark.parametrize("name", ["index.html", "other.html", "genindex.html", "404.html"])
def test_no_script_keeps_a_page_from_being_painted(tiny_site, name):
    scripts = read(tiny_site, name).select("script[src]")
    assert scripts and all(script.has_attr("defer") for script in scripts)


def test_the_two_files_hold_what_the_theme_and_the_extensions_had(tiny_site, style):
    script = (tiny_site / "_static/script.js").read_text("utf-8")
    for part in ["DOCUMENTATION_OPTIONS", "Documentation", "ClipboardJS", "theme-switch-button"]:
        assert part in script
    for part in [
        "#pst-primary-sidebar",
        '[data-theme="light"] .highlight .k ',
        "button.copybtn",
        "div.exercise",
    ]:
        assert part in style
    assert "sourceMappingURL" not in script + style


def test_the_style_sheet_has_the_icons_and_letters_on_the_pages_and_no_others(style):
    for there, not_there in [("fa-magnifying-glass", "fa-wheelchair"), ("1D465", "1D466")]:
        assert there in style and not_there not in style


def test_a_font_has_the_signs_that_the_style_sheet_names_and_few_others(tiny_site, style):
    assert "\N{MATHEMATICAL ITALIC SMALL X}" not in style  # a letter of the font is a plain x
    assert signs(tiny_site, "MathJax_Math-Italic") <= {"x"}
    assert "\uf002" in signs(tiny_site, "fa-solid-900")  # the magnifying glass
    assert len(signs(tiny_site, "fa-solid-900")) < 60
    fonts = set(re.findall(r'url\("(fonts/[^"]+)"\)', style))
    files = {f"fonts/{path.name}" for path in (tiny_site / "_static/fonts").iterdir()}
    assert fonts == files
    assert not [font for font in fonts if "Fraktur" in font]
    assert all(signs(tiny_site, font[6:-6]) for font in fonts)


def test_what_no_page_asks_for_is_not_in_the_site(tiny_site):
    static = tiny_site / "_static"
    assert not list(static.rglob("*.map")) and not (static / "vendor").exists()
    assert sum(path.stat().st_size for path in static.rglob("*")) < 1e6


def test_an_image_has_its_size_and_waits_until_it_is_near(tiny_page):
    image = tiny_page.select_one("figure img")
    assert (image["width"], image["height"], image["loading"]) == ("9", "9", "lazy")
    logos = tiny_page.select(".dropdown-more-buttons img")
    assert [(logo["loading"], logo["alt"]) for logo in logos] == [("lazy", "")]


def test_a_build_that_writes_no_page_leaves_the_two_files_as_they_are(tiny_site):
    files = [tiny_site / "_static/style.css", tiny_site / "_static/script.js"]
    before = [file.read_bytes() for file in files]
    code, log = build(tiny_site.parents[1])
    assert code == 0, log
    assert [file.read_bytes() for file in files] == before


@pytest.mark.parametrize(
    ("style", "kept"),
    [
        (".one{x:1}.two{x:2}", ".one{x:1}"),
        (".two,.one b{x:1}", ".one b{x:1}"),
        ("a.two{x:1}p,#two{x:2}", "p,#two{x:2}"),
        ("@media print{.two{x:1}.one{x:2}}", "@media print{.one{x:2}}"),
        ("@keyframes k{12.5%{x:1}to{x:2}}", "@keyframes k{12.5%{x:1}to{x:2}}"),
        (":not(.one,.two){x:1}", ":not(.one,.two){x:1}"),
        ("/* of some.css */.one{x:1}", ".one{x:1}"),
        ("/*! License: MIT */.two{x:1}", "/*! License: MIT */"),
        ('b{content:"{"}.two{content:"}"}.one{x:1}', 'b{content:"{"}.one{x:1}'),
        ('b{content:"\\""}.two{x:1}i{x:1}', 'b{content:"\\""}i{x:1}'),
        ('/* an inch: 1" */.two{x:1}b{x:"1"}', 'b{x:"1"}'),
        ("@font-face{src:url(a.b)}", "@font-face{src:url(a.b)}"),
    ],
)
def test_a_rule_stays_if_a_page_has_its_classes(style, kept):
    assert lean.keep_used(style, {"one"}) == kept
