"""The release of the built site: the book as a PDF, and a site that opens where it is unzipped."""

import re
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from bs4 import BeautifulSoup

from book_tools import release, single_page
from tests.site.built_site import PAGES, ROOT, SITE

STICKS_OUT = """() => [...document.querySelectorAll('main *')].filter(element =>
    !element.closest('mjx-assistive-mml') && element.getBoundingClientRect().right > innerWidth + 1
).map(element => element.closest('article').id + ' ' + element.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The unzipped release."""
    path = tmp_path_factory.mktemp("release")
    with ThreadPoolExecutor() as pool:  # the fixture `browser` occupies Playwright in this thread
        packed = pool.submit(release.release, ROOT, SITE, path).result()
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(path)
    return next(path.glob("*/"))


@pytest.fixture(scope="module")
def book():
    """The whole book as one page."""
    return single_page.join(ROOT, SITE, "1")


@pytest.fixture(scope="module")
def pdf(folder):
    """The book as a PDF."""
    return next(folder.glob("*.pdf")).read_bytes()


def bookmarks(pdf):
    """Return the titles of the bookmarks by level, in order."""
    objects = dict(re.findall(rb"^(\d+) 0 obj\s(.*?)\sendobj", pdf, re.MULTILINE | re.DOTALL))

    def walk(parent, level):
        child = re.search(rb"/First (\d+) 0 R", objects[parent])
        while child:
            entry = objects[child[1]]
            yield level, text(re.search(rb"/Title (\(.*?\)|<.*?>)\s/", entry, re.DOTALL)[1])
            yield from walk(child[1], level + 1)
            child = re.search(rb"/Next (\d+) 0 R", entry)

    return list(walk(re.search(rb"/Outlines (\d+) 0 R", pdf)[1], 1))


def text(string):
    """Return the text of a string in a PDF."""
    if string.startswith(b"<"):
        return bytes.fromhex(string[1:-1].decode()).decode("utf-16")
    return re.sub(rb"\\(.)", rb"\1", string[1:-1]).decode("latin-1")


def test_the_release_holds_every_page_and_every_notebook_and_says_where_to_start(folder):
    assert {path.name for path in folder.iterdir()} == {
        "START-HERE.txt", "site", "notebooks", "stable-softmax.pdf",
    }  # fmt: skip
    assert all((folder / "site" / page).exists() for page in PAGES if page != "404.html")
    notebooks = [path.relative_to(SITE).as_posix() for path in SITE.rglob("*.ipynb")]
    assert len(notebooks) > 15 and all((folder / notebook).exists() for notebook in notebooks)


def test_the_unzipped_site_opens_without_a_network(folder, browser):
    page = browser.new_page()
    page.context.set_offline(True)
    failed = []
    page.on("requestfailed", lambda request: failed.append(request.url))
    for path in ["site/index.html", "site/book/overflow.html"]:
        page.goto((folder / path).as_uri())
        page.wait_for_function("document.fonts.size > 0 && document.fonts.status === 'loaded'")
    page.close()
    assert failed == []


def test_the_pdf_has_tags_a_title_a_language_and_its_fonts_but_no_date(pdf):
    assert b"/StructTreeRoot" in pdf and b"/Marked true" in pdf
    assert b"/Title (Stable Softmax)" in pdf and b"/Lang (en)" in pdf
    descriptors = re.findall(
        rb"(\d+) 0 obj\s<</Type /FontDescriptor\s(.*?)\sendobj", pdf, re.DOTALL
    )
    embedded = {number for number, descriptor in descriptors if b"/FontFile" in descriptor}
    fonts = re.findall(rb"<</Type /Font\s(.*?)\sendobj", pdf, re.DOTALL)
    drawn = rb"/Subtype /Type[03]\b"  # a font of drawings, and one that names another
    used = [font for font in fonts if not re.search(drawn, font)]
    assert used and {re.search(rb"/FontDescriptor (\d+)", f)[1] for f in used} <= embedded
    assert b"Date (" not in pdf


def test_the_bookmarks_are_the_headings_of_the_book(pdf, book):
    headings = BeautifulSoup(book, "html.parser").main.find_all(["h1", "h2", "h3", "h4"])
    expected = [(int(h.get("aria-level", h.name[1])), " ".join(h.text.split())) for h in headings]
    assert bookmarks(pdf) == expected


def test_every_chapter_has_a_page_of_its_own_and_the_contents_name_it(pdf, book):
    numbers = release.number_pages(pdf)
    places = [e["data-page"] for e in BeautifulSoup(book, "html.parser").nav.select("[data-page]")]
    starts = [numbers[place] for place in places]
    assert starts == sorted(set(starts)) and starts[0] > 2
    assert len(set(numbers.values())) < pdf.count(b"<</Type /Page\n") < 12 * len(PAGES)


def test_nothing_is_cut_off_at_the_edge_of_the_paper(book, browser, tmp_path):
    (tmp_path / "book.html").write_text(book)
    page = browser.new_page(viewport={"width": 643, "height": 900})  # 170 mm
    page.emulate_media(media="print")
    page.goto((tmp_path / "book.html").as_uri(), timeout=120_000)
    assert page.evaluate(release.FAULTS) == []
    assert page.evaluate(STICKS_OUT) == []
    page.close()
