"""Write the release, one zip that opens without a network: site, notebooks and the book as a PDF.

``make release`` runs this program in the folder of the book, after ``make book``. The installed
browser prints the book: it sets formulas, tables and figures as the site does, and its PDF has
bookmarks, and tags for screen readers. It prints twice, because the page numbers in the table of
contents and in the index are known only after the first time. Two releases of one site with one
browser are equal byte for byte.
"""

import argparse
import re
import sys
import tempfile
import tomllib
import zipfile
from io import BytesIO
from pathlib import Path

from playwright.sync_api import Error, sync_playwright
from pypdf import PdfReader

from .browser import launch
from .runtime import IN_SITE, SHOW_BUTTONS
from .single_page import join

START_HERE = """\
Stable Softmax, version {version}

site/index.html    the book: double-click, and it opens in your browser; no network is needed
{pdf}    the book for paper
notebooks/    the chapters as notebooks; the first cell of each installs what it needs
"""
FAULTS = """async () => {
    await document.fonts.ready;
    const formulas = [...document.querySelectorAll('.math')];
    return [
        ...[...document.images].filter(i => !i.naturalWidth).map(i => `missing image ${i.src}`),
        ...formulas.filter(f => !f.querySelector('mjx-container') || f.querySelector('mjx-merror'))
            .map(f => `formula not set: ${f.textContent}`),
    ];
}"""
TITLE = re.compile(rb"/Title (\((?:[^()\\]|\\.)*\)|<[0-9A-F]*>)")
HEADINGS = """() => [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map(
    heading => heading.textContent.trim().replace(/\\s+/g, ' '))"""
FILL_IN = """numbers => document.querySelectorAll('[data-page]').forEach(
    element => { element.textContent = numbers[element.dataset.page]; })"""


def number_pages(pdf):
    """Return the page number of each destination in a PDF.

    Parameters
    ----------
    pdf : bytes

    Returns
    -------
    dict of str to int
    """
    reader = PdfReader(BytesIO(pdf))
    return {
        name.removeprefix("/"): reader.get_destination_page_number(place) + 1
        for name, place in reader.named_destinations.items()
    }


def print_book(html):
    """Return the PDF of the book.

    Parameters
    ----------
    html : pathlib.Path
        The whole book as one page.

    Returns
    -------
    bytes
    """
    with sync_playwright() as playwright, launch(playwright) as browser:
        page = browser.new_page()
        page.goto(html.resolve().as_uri(), timeout=120_000)
        if faults := page.evaluate(FAULTS):
            raise RuntimeError("The book cannot be printed: " + "; ".join(faults))
        settings = {"prefer_css_page_size": True, "print_background": True}
        numbers = number_pages(page.pdf(**settings))
        if not numbers and page.query_selector("[data-page]"):
            raise RuntimeError(f"The PDF of Chrome {browser.version} has no page numbers to read.")
        page.evaluate(FILL_IN, numbers)
        pdf = page.pdf(**settings, tagged=True, outline=True)
        headings = page.evaluate(HEADINGS)
    pdf = re.sub(rb"/(Creation|Mod)Date \(.*?\)", lambda date: b" " * len(date[0]), pdf)
    return name_bookmarks(pdf, headings)


def name_bookmarks(pdf, headings):
    """Give bookmarks the text of their headings again, in place: spaces fill what becomes free.

    Since 156.0.8078.108, Chromium writes pieces of a heading that begins a page twice, and drops
    spaces between them: "2. 2. SoftmaxSoftmax".

    Parameters
    ----------
    pdf : bytes
    headings : list of str
        The headings of the book.

    Returns
    -------
    bytes
        As long as `pdf`, so that all places in it stay.
    """

    def name(found):
        title = _decode(found[1])
        if title in headings:
            return found[0]
        meant = next((text for text in headings if _is_stuttered(title, text)), title)
        return f"/Title {_encode(meant, like=found[1])}".encode("latin-1").rjust(len(found[0]))

    return TITLE.sub(name, pdf)


def _decode(string):
    """Return the text of a string in a PDF."""
    if string.startswith(b"<"):
        return bytes.fromhex(string[1:-1].decode()).decode("utf-16")
    return re.sub(rb"\\(.)", rb"\1", string[1:-1]).decode("latin-1")


def _encode(text, like):
    """Return a text as a string in a PDF, in the form that another one has."""
    if like.startswith(b"<"):
        return f"<FEFF{text.encode('utf-16-be').hex().upper()}>"
    escaped = re.sub(r"([()\\])", r"\\\1", text)
    return f"({escaped})"


def _is_stuttered(title, text):
    """Tell whether a title is a text, pieces of which come twice; spaces do not count."""
    title, text = "".join(title.split()), "".join(text.split())
    ways = {(0, 0)}  # how far both have been read
    for i in range(len(title)):
        for j in [j for k, j in ways if k == i]:
            for n in range(1, len(text) - j + 1):
                piece = text[j : j + n]
                ways |= {(i + n, j + n)} if title.startswith(piece, i) else set()
                ways |= {(i + 2 * n, j + n)} if title.startswith(piece + piece, i) else set()
    return (len(title), len(text)) in ways


def pack(path, files):
    """Write a zip that depends on nothing but its files.

    Parameters
    ----------
    path : pathlib.Path
    files : dict of str to bytes or pathlib.Path
        The content of each file, or where it is, by the name in the zip.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))  # the first date that a zip knows
            entry.compress_type, entry.create_system = zipfile.ZIP_DEFLATED, 3
            entry.external_attr = 0o644 << 16
            content = files[name]
            archive.writestr(entry, content if isinstance(content, bytes) else content.read_bytes())


def without_buttons(file):
    """Return a file of the site, or the bytes of a page that no longer shows its Run buttons.

    Parameters
    ----------
    file : pathlib.Path

    Returns
    -------
    pathlib.Path or bytes
    """
    if file.suffix != ".html" or SHOW_BUTTONS not in (page := file.read_text("utf-8")):
        return file
    return page.replace(SHOW_BUTTONS, "").encode()


def release(root, site, folder):
    """Write the release of a book, and return its path.

    Parameters
    ----------
    root : pathlib.Path
        The folder of the book.
    site : pathlib.Path
        Its built site.
    folder : pathlib.Path
        Where to write the release.

    Returns
    -------
    pathlib.Path
    """
    notebooks = sorted((site / "notebooks").rglob("*.ipynb"))
    if not notebooks or not (site / "index.html").exists():
        raise RuntimeError(f"There is no complete site in {site}: run make book first.")
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    name, version = project["name"], project["version"]
    top = f"{name}-{version}"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as unfinished:
        print("Joining the pages of the site ...", flush=True)
        html = Path(unfinished) / "book.html"
        html.write_text(join(root, site, version), "utf-8")
        print("Printing the book, a minute or two ...", flush=True)
        files = {
            f"{top}/START-HERE.txt": START_HERE.format(version=version, pdf=f"{name}.pdf").encode(),
            f"{top}/{name}.pdf": print_book(html),
        }
        for file in filter(Path.is_file, site.rglob("*")):
            inside = file.relative_to(site)
            # The one is a page for servers: its links are absolute. The other runs on servers only.
            if inside.as_posix() != "404.html" and inside.parts[0] != IN_SITE:
                files[f"{top}/site/{inside.as_posix()}"] = without_buttons(file)
        for file in notebooks:
            files[f"{top}/{file.relative_to(site).as_posix()}"] = file
        print(f"Packing {len(files)} files ...", flush=True)
        pack(Path(unfinished) / f"{top}.zip", files)
        return (Path(unfinished) / f"{top}.zip").replace(folder / f"{top}.zip")


def main(arguments=None):
    """Run the program; return 0, or 1 after a message that says what to do."""
    parser = argparse.ArgumentParser(prog="python -m book_tools.release", description=__doc__)
    parser.parse_args(arguments)
    try:
        path = release(Path(), Path("_build/html"), Path("_build/release"))
    except (RuntimeError, Error) as error:
        parser.exit(1, f"No release: {error}\n")
    print(f"The release is ready: {path} ({path.stat().st_size / 1e6:.0f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
