"""What a reader gets who prints a chapter."""

from io import BytesIO

import pytest
from pypdf import PdfReader

TOP, BOTTOM = 20 * 72 / 25.4, 22 * 72 / 25.4  # the margins of print.css, in points


@pytest.fixture(scope="module")
def printed(browser, site):
    """Print a chapter, and return its sheets."""

    def print_it(name):
        page = browser.new_page()
        page.goto((site / "book" / f"{name}.html").as_uri())
        page.evaluate(
            """() => Promise.all([...document.querySelectorAll("article img")].map((image) => {
                image.loading = "eager";
                return image.decode().catch(() => {});
            }))"""
        )
        pdf = page.pdf(format="A4", print_background=True)
        page.close()
        return PdfReader(BytesIO(pdf)).pages

    return print_it


def fullness(sheet):
    """Return how far down the text of a sheet reaches, from 0 to 1."""
    heights = []

    def note(text, cm, tm, font, size):
        if text.strip():
            heights.append(cm[1] * tm[4] + cm[3] * tm[5] + cm[5])

    sheet.extract_text(visitor_text=note)
    height = float(sheet.mediabox.height)
    lowest = min(y for y in heights if y > BOTTOM - 4)  # without the number of the page
    return (height - TOP - lowest) / (height - TOP - BOTTOM)


@pytest.mark.parametrize("name", ["overflow", "underflow", "cross_entropy"])
def test_a_printed_chapter_has_few_holes(printed, name):
    *sheets, _ = printed(name)
    holes = [(i, fill) for i, fill in enumerate(map(fullness, sheets), 1) if fill < 0.6]
    assert len(sheets) > 10 and len(holes) <= 1, holes


def test_a_printed_chapter_says_its_name_and_its_pages(printed, visitor, site):
    page = visitor((site / "book" / "overflow.html").as_uri())
    name = page.locator(".bd-article h1").first.inner_text()
    sheets = [sheet.extract_text().split("\n") for sheet in printed("overflow")]
    [head] = {lines[0].replace("\N{LATIN SMALL LIGATURE FL}", "fl") for lines in sheets}
    assert name.startswith(head) and head.endswith("Overflow")
    assert all(str(i) in lines[:3] for i, lines in enumerate(sheets, 1))


def test_paper_has_letters_with_serifs_except_for_code(visitor, site):
    page = visitor((site / "book" / "overflow.html").as_uri())
    page.emulate_media(media="print")
    font = "getComputedStyle(document.querySelector('.bd-article {}')).fontFamily"
    text, title, code = (page.evaluate(font.format(tag)) for tag in ["p", "h2", "pre"])
    assert text.startswith("Charter") and text.endswith("serif") and text == title
    assert "monospace" in code
