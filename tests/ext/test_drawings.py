"""The figures of cells are in the page itself, in two layouts that are one image."""

import shutil

import matplotlib
import matplotlib.pyplot as plt
import pytest
from bs4 import BeautifulSoup
from fontTools.ttLib import TTFont

from stable_softmax.notebook.display import use_book_style
from stable_softmax.notebook.figures import save
from tests.building import build
from tests.ext.tiny_site import EXTENSIONS, PAGE, SQUARE, write
from tests.pages import ROOT

FIGURE = """
:::{figure} curve.svg
:name: fig-curve
:alt: A line, "rising" & straight.

It rises.
:::
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site of one page, with a figure from a cell and one that is any other image."""
    matplotlib.use("agg")
    folder = write(tmp_path_factory.mktemp("drawings"), PAGE + FIGURE, EXTENSIONS)
    with plt.rc_context():
        use_book_style()
        figure, ax = plt.subplots()
        ax.plot([0, 1], [0, 1])
        ax.set_xlabel("Quality")
        (folder / "curve.svg").write_text(save(figure), "utf-8")
        plt.close(figure)
    (folder / "_static").mkdir()
    shutil.copy(ROOT / "book" / "_static" / "book.css", folder / "_static")
    code, log = build(folder)
    assert code == 0, log
    return folder / "_build" / "html"


@pytest.fixture(scope="module")
def page(site):
    return BeautifulSoup((site / "index.html").read_text("utf-8"), "html.parser")


def test_both_layouts_are_in_the_page_as_one_image_with_one_text(page):
    box = page.select_one("#fig-curve > .figure-box")
    assert (box["role"], box["aria-label"]) == ("img", 'A line, "rising" & straight.')
    assert [svg["class"] for svg in box.find_all("svg")] == [["wide"], ["narrow"]]
    assert "Quality" in box.text and not box.select("[alt], [aria-label]")
    assert page.select_one("#fig-curve figcaption")


def test_a_page_asks_for_no_file_of_a_figure_that_it_holds(site, page):
    assert [image["src"] for image in page.select("figure img")] == ["_images/picture.svg"]
    assert [path.name for path in (site / "_images").glob("*.svg")] == ["picture.svg"]
    assert (site / "_images" / "picture.svg").read_text() == SQUARE


def test_the_site_has_the_letters_of_the_figures_and_few_others(site):
    style = (site / "_static" / "style.css").read_text("utf-8")
    assert 'url("fonts/DejaVuSans.woff2")' in style
    letters = set(map(chr, TTFont(site / "_static/fonts/DejaVuSans.woff2").getBestCmap()))
    assert set("Quality0.2468") <= letters and len(letters) < 40
