"""The release: the joined page is whole and its links are right, the zip is complete and stable."""

import os
import shutil
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote

import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import sync_playwright
from pypdf import PdfReader

from book_tools import release, runtime, single_page
from book_tools.browser import launch
from tests.building import build
from tests.pages import ROOT

ADDRESS = "https://tiny.example.org/"
FILES = {
    "_config.yml": f"""
title: Tiny & small
author: Some One
html: {{baseurl: "https://tiny.example.org/"}}
parse: {{myst_enable_extensions: [colon_fence, dollarmath]}}
execute: {{execute_notebooks: "off"}}
sphinx:
  extra_extensions: [sphinx_exercise]
  local_extensions: {{explorable: {ROOT / "book/_ext"}}}
  config: {{language: en, numfig: true, html_static_path: [{ROOT / "book/explorables"}]}}
""",
    "_toc.yml": """
format: jb-book
root: index
parts:
  - caption: Part A
    numbered: 1
    chapters: [{file: book/one}, {file: book/two}]
  - caption: Part B
    chapters: [{file: book/solutions/one}, {file: genindex}]
""",
    "pyproject.toml": "[project]\nname = 'tiny'\nversion = '1.2'\n",
    "index.md": "# Welcome\n\nGo to {doc}`book/two` or to the {doc}`404`.\n",
    "404.md": "---\norphan: true\n---\n# Not found\n",
    "genindex.md": "# Index\n",
    "book/one.md": """# One

```{code-cell} ipython3
:tags: [hide-input]

hidden = 1
```

$$ x^2 $$ (square)

:::{figure} square.svg
:name: square-figure
:alt: A square.

A square.
:::

## Exercises

{index}`Seen <word>` here.

:::{exercise}
:label: do-it

Do it with {eq}`square`.
:::
""",
    "book/two.md": """# Two

See {numref}`square-figure` and {ref}`do-it`.

:::{explorable} order
:name: exp-order
:caption: Move it.

It moves on the website.
:::

## Exercises

{index}`Seen <word>` again.
""",
    "book/solutions/one.md": "# Solutions\n\n:::{solution} do-it\n:label: done\nDone.\n:::\n",
}


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """A tiny book, built without a warning."""
    folder = tmp_path_factory.mktemp("tiny")
    header = (ROOT / "book" / "network.md").read_text().split("---\n")[1]
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text(f"---\n{header}---\n{text}" if "{code-cell}" in text else text)
    shutil.copy(ROOT / "book" / "_static" / "logo.svg", folder / "book" / "square.svg")
    code, log = build(folder)
    assert code == 0, log
    return folder


@pytest.fixture(scope="module")
def page(book):
    """The whole tiny book as one page, parsed."""
    return BeautifulSoup(single_page.join(book, book / "_build/html", "1.2"), "html.parser")


def test_every_identifier_is_there_once_and_every_link_in_the_book_leads_to_one(page):
    identifiers = [tag["id"] for tag in page.find_all(id=True)]
    assert len(identifiers) == len(set(identifiers))
    assert {"book/one:exercises", "book/two:exercises"} <= set(identifiers)
    links = [a["href"] for a in page.find_all("a") if a["href"].startswith("#")]
    places = [tag["data-page"] for tag in page.find_all(attrs={"data-page": True})]
    assert len(links) > 10 and {link[1:] for link in links} <= set(identifiers)
    assert places and set(places) <= set(identifiers)


def test_a_link_finds_its_chapter_though_another_has_a_section_of_the_same_name(page):
    text = page.find(id="book/two:two").p
    assert [a["href"] for a in text.find_all("a")] == [
        "#book/one:square-figure",
        "#book/one:do-it",
    ]
    assert text.text == "See Fig. 1.1 and Exercise 1.1."
    assert "Fig. 1.1" in page.find(id="book/one:square-figure").text


def test_a_link_out_of_the_book_leads_to_the_public_site(page):
    outside = {a["href"] for a in page.find_all("a") if not a["href"].startswith("#")}
    assert outside == {ADDRESS, f"{ADDRESS}404.html"}


def test_the_page_loads_files_that_exist_and_only_scripts_that_draw(page):
    tags = page.select("link[rel=stylesheet], img, script[src]")
    urls = [tag.get("src") or tag["href"] for tag in tags]
    files = [u.removeprefix("file://").split("?")[0] for u in urls if "cdn.jsdelivr" not in u]
    missing = [f for f in files if not Path(unquote(f)).exists() and "cover.svg" not in f]
    assert len(files) > 5 and not missing
    scripts = [str(script).lower() for script in page.find_all("script")]
    assert all("explore_" in script for script in scripts)


def test_an_explorable_is_printed_as_a_picture(page, tmp_path):
    without_formulas = BeautifulSoup(str(page), "html.parser")
    for script in without_formulas.find_all("script"):
        if "explore_" not in str(script):
            script.decompose()
    (tmp_path / "book.html").write_text(str(without_formulas))
    with sync_playwright() as playwright, launch(playwright) as browser:
        printed = browser.new_page()
        printed.goto((tmp_path / "book.html").as_uri())
        pdf = PdfReader(BytesIO(printed.pdf(print_background=True)))
    text = " ".join(sheet.extract_text() for sheet in pdf.pages)
    assert "It moves on the website." in text and "numbers are 2 apart" in text
    assert "Offset = 2 to the power" not in text


def test_the_chapters_stand_in_order_below_their_parts_and_in_the_contents(page):
    levels = [
        (int(h.get("aria-level", h.name[1])), h.text) for h in page.main.find_all(["h1", "h2"])
    ]
    levels = [(level, text) for level, text in levels if level < 3]
    assert levels == [
        (1, "Contents"),
        (1, "Welcome"),
        (1, "Part A"),
        (2, "1. One"),
        (2, "2. Two"),
        (1, "Part B"),
        (2, "Solutions"),
        (2, "Index"),
    ]
    entries = page.nav.find_all(["p", "a"])
    assert [e.text for e in entries] == [text for _, text in levels][1:]


def test_hidden_code_is_shown_and_what_only_a_screen_needs_is_gone(page):
    assert "hidden = 1" in page.text
    assert not page.select("details, summary, button, .headerlink")


def test_the_index_asks_for_a_page_number_in_every_place_of_a_word(page):
    first, second = page.select(".indextable a")
    assert [first.text, second.text] == ["word", ""]
    assert first.span["data-page"].startswith("book/one:index")
    assert second.span["data-page"].startswith("book/two:index")


def test_page_numbers_are_read_from_the_pdf():
    pdf = (
        b"%PDF-1.4\n9 0 obj\n<</Type /Page\n>>\nendobj\n12 0 obj\n<</Type /Page\n>>\nendobj\n"
        b"14 0 obj\n<</Type /Pages\n/Kids [9 0 R 12 0 R]\n/Count 2>>\nendobj\n"
        b"15 0 obj\n<</book#2Fone:a [9 0 R /XYZ 0 1 0]\n"
        b"/book#2Ftwo: [12 0 R /XYZ 0 2 0]>>\nendobj\n"
        b"16 0 obj\n<</Type /Catalog\n/Pages 14 0 R\n/Dests 15 0 R>>\nendobj\n"
        b"trailer\n<</Size 17\n/Root 16 0 R>>\nstartxref\n0\n%%EOF"
    )
    assert release.number_pages(pdf) == {"book/one:a": 1, "book/two:": 2}


def test_page_numbers_are_read_from_a_printed_page():
    try:
        with sync_playwright() as playwright, launch(playwright) as browser:
            page = browser.new_page()
            page.set_content(
                """<a href="#book/one:">One</a> <a href="#book/two:a">Two</a>
                <h1 id="book/one:">One</h1>
                <h1 id="book/two:a" style="break-before: page">Two</h1>"""
            )
            pdf = page.pdf(tagged=True, outline=True)
    except RuntimeError as reason:
        pytest.skip(str(reason))
    assert release.number_pages(pdf) == {"book/one:": 1, "book/two:a": 2}


# The zip


@pytest.fixture
def released(book, monkeypatch):
    """The names in the release of the tiny book, with a PDF that is not printed."""
    (book / "_build/html/notebooks").mkdir(exist_ok=True)
    (book / "_build/html/notebooks/one.ipynb").write_text("{}")
    (book / "_build/html" / runtime.IN_SITE / "more").mkdir(exist_ok=True, parents=True)
    (book / "_build/html" / runtime.IN_SITE / "more" / "numpy.whl").write_text("big")
    (book / "_build/html/book" / runtime.IN_SITE).write_text("not the runtime")
    monkeypatch.setattr(release, "print_book", lambda html: html.read_bytes()[:9])
    path = release.release(book, book / "_build/html", book / "_build/release")
    yield path
    path.unlink(missing_ok=True)


def test_the_zip_is_one_folder_with_all_parts_and_says_where_to_start(book, released):
    assert released == book / "_build/release/tiny-1.2.zip"
    with zipfile.ZipFile(released) as archive:
        names = archive.namelist()
        start = archive.read("tiny-1.2/START-HERE.txt").decode()
    assert {name.split("/")[0] for name in names} == {"tiny-1.2"}
    parts = ["site/index.html", "tiny.pdf", "notebooks/"]
    assert all(part in start for part in parts)
    assert {f"tiny-1.2/{part}" for part in [*parts[:2], "notebooks/one.ipynb"]} <= set(names)
    site = [p.relative_to(book / "_build/html") for p in (book / "_build/html").rglob("*.html")]
    pages = {f"tiny-1.2/site/{path.as_posix()}" for path in site}
    assert pages - set(names) == {"tiny-1.2/site/404.html"}  # its links are for a server


def test_the_runtime_is_not_in_the_zip(book, released):
    with zipfile.ZipFile(released) as archive:
        names = [name for name in archive.namelist() if runtime.IN_SITE in Path(name).parts]
    assert names == ["tiny-1.2/site/book/run"]


def test_a_page_of_the_zip_does_not_show_the_buttons_that_need_the_runtime(tmp_path):
    page, image = tmp_path / "page.html", tmp_path / "image.svg"
    page.write_text(f"<head><script>{runtime.SHOW_BUTTONS}</script></head>")
    image.write_text(runtime.SHOW_BUTTONS)
    assert release.without_buttons(page) == b"<head><script></script></head>"
    assert release.without_buttons(image) == image
    page.write_text("<head></head>")
    assert release.without_buttons(page) == page


def test_the_zip_depends_on_the_files_only_and_not_on_their_dates_or_order(tmp_path):
    (tmp_path / "a").write_text("first")
    release.pack(tmp_path / "1.zip", {"a": tmp_path / "a", "b": b"second"})
    os.utime(tmp_path / "a", (2e9, 2e9))
    release.pack(tmp_path / "2.zip", {"b": b"second", "a": tmp_path / "a"})
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


def test_a_release_that_fails_leaves_the_one_before_it_and_nothing_half_done(
    book, released, monkeypatch
):
    before = released.read_bytes()

    def fail(html):
        raise RuntimeError("no browser")

    monkeypatch.setattr(release, "print_book", fail)
    with pytest.raises(RuntimeError, match="no browser"):
        release.release(book, book / "_build/html", released.parent)
    assert released.read_bytes() == before
    assert list(released.parent.iterdir()) == [released]


def test_a_missing_site_is_said_in_one_sentence(tmp_path):
    command = [sys.executable, "-m", "book_tools.release"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "run make book first" in done.stderr


def test_it_helps(capsys):
    with pytest.raises(SystemExit, match="0"):
        release.main(["--help"])
    assert "one zip" in capsys.readouterr().out


def test_a_missing_browser_is_said_in_one_sentence(monkeypatch, tmp_path):
    (tmp_path / "book.html").write_text("<p>Text</p>")
    monkeypatch.setenv("CHROME", str(tmp_path / "nothing"))
    with pytest.raises(RuntimeError, match="No browser starts. Install Chrome"):
        release.print_book(tmp_path / "book.html")


def test_a_book_is_printed_from_a_path_as_make_release_gives_it(monkeypatch, tmp_path):
    (tmp_path / "book.html").write_text("<p>Text</p>")
    monkeypatch.chdir(tmp_path)
    try:
        assert release.print_book(Path("book.html")).startswith(b"%PDF")
    except RuntimeError as reason:
        pytest.skip(str(reason))


HEADINGS = ["Contents", "f(x)", "2. eel", "é", "to and fro", "Solutions"]


@pytest.mark.parametrize(
    ("written", "mended"),
    [
        (b"/Title (ContentsContents) /Dest", b"        /Title (Contents) /Dest"),
        (rb"/Title (f\(x\)f\(x\)) /Dest", rb"      /Title (f\(x\)) /Dest"),
        (b"/Title (2. 2. eeleel) /Dest", b"      /Title (2. eel) /Dest"),
        (b"/Title (to andto andfro) /Dest", b"     /Title (to and fro) /Dest"),
        (b"/Title <FEFF00E900E9> /Dest", b"    /Title <FEFF00E9> /Dest"),
        (b"/Title (Solutions) /Dest", b"/Title (Solutions) /Dest"),
        (b"/Title (Another) /Dest", b"/Title (Another) /Dest"),
    ],
)
def test_a_bookmark_that_the_browser_stutters_gets_the_text_of_its_heading(written, mended):
    assert release.name_bookmarks(written, HEADINGS) == mended
