"""What must be right in the HTML of a page, whatever browser shows it.

Each rule is a function that takes the page as BeautifulSoup has read it and returns what is wrong,
a text for each fault.
"""

import functools
import itertools
import posixpath
import re
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

FILE_NAME = re.compile(r"\.(svg|png|jpe?g|gif|webp)$|^[0-9a-f]{16,}$")

VAGUE = {
    "here",
    "this",
    "start",
    "more",
    "learn more",
    "read more",
    "go",
    "click here",
    "information",
}


@functools.cache
def read(path):
    """Return the page in a file; each is read once."""
    return BeautifulSoup(path.read_text("utf-8"), "html.parser")


@functools.cache
def names(path):
    """Return the places in a file to which a link may lead."""
    return {tag["id"] for tag in read(path).find_all(id=True)}


def head_faults(page):
    """Return what is missing from the head of a page, and headings that leave out a level."""
    faults = []
    if not (page.html and page.html.get("lang")):
        faults.append("no language")
    if not (page.title and page.title.get_text(strip=True)):
        faults.append("no title")
    if page.select_one("meta[http-equiv=refresh]"):
        faults.append("sends to another page")
    levels = [
        int(heading.name[1])
        for heading in page.find_all(re.compile("^h[1-6]$"))
        if not heading.find_parent(class_="onlyprint")  # the theme's title page for paper
    ]
    if levels.count(1) != 1:
        faults.append(f"{levels.count(1)} headings of level 1")
    for before, level in itertools.pairwise([0, *levels]):
        if level > before + 1:
            faults.append(f"a heading of level {level} after one of level {before}")
    return faults


def image_faults(page):
    """Return the images that say nothing to those who do not see them.

    Only in a link that has words of its own an image says nothing more: the logo beside the title.
    """
    faults = []
    for image in page.select("img, [role=img]"):
        alt = image.get("alt" if image.name == "img" else "aria-label", "").strip()
        link = image.find_parent("a")
        beside_words = "alt" in image.attrs and link and link.get_text(strip=True)
        if FILE_NAME.search(alt) or not (alt or beside_words):
            faults.append(f"no alternative text: {image}")
    return faults


def figure_faults(page):
    """Return the figures without a name or a caption, and the images that stand in no figure."""
    faults = []
    for figure in page.find_all("figure"):
        if not figure.get("id"):
            faults.append(f"a figure without a name: {str(figure)[:200]}")
        if not (figure.figcaption and figure.figcaption.get_text(strip=True)):
            faults.append(f"a figure without a caption: {str(figure)[:200]}")
    for image in page.select("article img, article [role=img]"):
        if not image.find_parent("figure"):
            faults.append(f"an image in no figure: {image}")
    return faults


def table_faults(page):
    """Return numbers with a hyphen, powers as code, and tables and columns that say nothing."""
    faults = []
    for table in page.select("article table"):
        rows = [row.find_all(["td", "th"]) for row in table.select("tbody tr")]
        texts = [[cell.get_text().strip() for cell in row] for row in rows]
        for cell, text in zip(itertools.chain(*rows), itertools.chain(*texts), strict=True):
            if cell.find(["code", "mjx-container"]):
                continue
            if re.match(r"-(\d|inf)", text):
                faults.append(f"a hyphen for a minus: {text}")
            if re.search(r"\d\^\d", text):
                faults.append(f"a power that is not set: {text}")
        dashes = [[text == "\N{EN DASH}" for text in row] for row in texts]
        if any(all(column) for column in zip(*dashes, strict=True)):
            faults.append(f"a column of dashes: {texts}")
        elif sum(map(sum, dashes)) > sum(map(len, dashes)) / 3:
            faults.append(f"a table of dashes: {texts}")
    return faults


def output_faults(page):
    """Return what no cell should leave: bars of runs that are over, and errors of the display."""
    kinds = {
        "a progress bar": "█",
        "a traceback": r"Traceback \(most recent call last\)",
        "a warning of a library": "(?m)^UserWarning: ",
    }
    return [
        f"{kind}: {text}"
        for kind, pattern in kinds.items()
        for text in page.find_all(string=re.compile(pattern))
    ]


def host_faults(page):
    """Return what a page would load from another host, by itself or at a click."""
    faults = []
    for tag in page.find_all(["link", "script", "img", "iframe", "source", "video", "audio"]):
        if tag.name == "link" and "canonical" in tag.get("rel", []):
            continue
        address = tag.get("src") or tag.get("href") or tag.get("srcset") or ""
        if urlsplit(address).netloc:
            faults.append(f"from another host: {str(tag)[:200]}")
    faults += [
        f"from another host: {script.string[:200]}"
        for script in page.find_all("script")
        if re.search(r"https?://(?!localhost|www\.w3\.org)", script.string or "")
    ]
    return faults


def link_faults(page, name, site, root):
    """Return the links, images and scripts that lead nowhere inside the site, or do not say where.

    Parameters
    ----------
    page : bs4.BeautifulSoup
    name : str
        Path of the page in the site, such as "book/softmax.html".
    site : pathlib.Path
        Folder of the site.
    root : str
        Address at which it is published. Only the page for what is not found may begin its links
        with the folder in it, since it is shown in any folder.
    """
    faults = []
    for tag in page.find_all(["a", "link", "script", "img", "form", "meta"]):
        value = tag.get("content") if tag.get("property") in {"og:url", "og:image"} else None
        value = value or tag.get("href") or tag.get("src") or tag.get("action")
        if value is None:
            continue
        if tag.name == "a" and tag.get_text().strip().lower() in VAGUE:
            faults.append(f"a link that does not say where it leads: {tag.get_text().strip()}")
        if value.startswith(root):
            value = f"/{value.removeprefix(root)}"
        elif name == "404.html":
            value = re.sub(f"^{urlsplit(root).path}", "/", value)
        elif value.startswith("/"):
            faults.append(f"holds only at one address: {value}")
        scheme, netloc, path, _, fragment = urlsplit(value)
        if scheme or netloc:
            continue
        path = posixpath.normpath(posixpath.join("/", posixpath.dirname(name), unquote(path)))
        file = site / (path[1:] if urlsplit(value).path else name)
        if value.endswith("/") and value.startswith("/"):
            file /= "index.html"  # the address of the site itself
        if not file.is_file():
            faults.append(f"leads nowhere: {value}")
        elif fragment and unquote(fragment) not in names(file):
            faults.append(f"leads nowhere on its page: {value}")
    return faults


#: What is judged by the page alone.
RULES = head_faults, image_faults, figure_faults, table_faults, output_faults, host_faults
