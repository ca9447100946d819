"""What a page can show of the things that links lead to."""

import json

import pytest
from bs4 import BeautifulSoup


@pytest.fixture(scope="module")
def shown(tiny_site):
    """What the script of the page says, by the names of things."""
    text = (tiny_site / "previews" / "index.js").read_text(encoding="utf-8")
    start, _, things = text.partition(" = ")
    assert start == '(window.PREVIEWS ??= {})["index"]' and things.endswith(";\n")
    things = json.loads(things.removesuffix(";\n"))
    return {name: BeautifulSoup(html, "html.parser") for name, html in things.items()}


def test_a_figure_an_equation_a_work_and_a_function_can_be_shown(shown):
    figure, equation = shown["fig-picture"], shown["equation-eq-one"]
    assert figure.img["alt"] == "A red square." and "A square is red." in figure.figcaption.text
    assert equation.select("mjx-container mjx-mfrac") and not equation.select(".eqno")
    [work] = [html for html in shown.values() if "Some Title" in html.text]
    assert "Some One" in work.text
    function = shown["stable_softmax.tiny.a_b"]
    assert "a_b()" in function.text and "What it does." in function.text
    assert "More than that." not in function.text


def test_a_section_shows_its_heading_and_how_it_begins(shown):
    section = shown["tiny"]
    assert section.strong.text == "Tiny"
    _, first = section.select("p")
    assert first.text.startswith("A formula, ") and "says of" in first.text


def test_what_is_shown_has_no_names_and_no_links_and_finds_its_images(shown, tiny_site):
    for html in shown.values():
        assert not html.select("a, [id], button, script")
        for image in html.select("img"):
            assert (tiny_site / image["src"]).exists()


def test_every_link_into_a_page_has_something_to_show(shown, tiny_site):
    index, other = (
        BeautifulSoup((tiny_site / name).read_text(), "html.parser")
        for name in ["index.html", "other.html"]
    )
    links = index.select("article a.internal[href^='#']")
    links += other.select("article a.internal[href^='index.html#']")
    places = {link["href"].partition("#")[2] for link in links}
    assert {"equation-eq-one", "stable_softmax.tiny.f"} <= places
    without = {"module-stable_softmax.softmax", "one"}  # a page, and an exercise
    assert places - shown.keys() == without
