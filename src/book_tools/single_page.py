"""Join the pages of the built site into one page, from which the whole book can be printed.

Sphinx has a builder for this, but there the sections of different chapters share an identifier
(each chapter has its "exercises" and its "summary"), so that links lead to a wrong chapter, and
sphinx-exercise makes it fail on hidden cells. The pages of the site are right already: their
numbers, outputs and links were checked. All that is left to do is to make the identifiers unique,
by the name of their page, and to turn links between pages into links within the one page.
"""

import re
from html import escape
from urllib.parse import urldefrag, urljoin

import yaml
from bs4 import BeautifulSoup

USELESS = "script, a.headerlink, details.hide > summary"  # on paper
NEEDED = re.compile("explore_")  # scripts that draw what is printed


def read_parts(root):
    """Return the parts of the book in reading order.

    Parameters
    ----------
    root : pathlib.Path
        The folder of ``_toc.yml``.

    Returns
    -------
    list of (str, list of str)
        The caption and the pages of each part; the first page of the book has no caption.
    """
    toc = yaml.safe_load((root / "_toc.yml").read_text("utf-8"))
    parts = [(part["caption"], [c["file"] for c in part["chapters"]]) for part in toc["parts"]]
    return [("", [toc["root"]]), *parts]


def join(root, site, version):
    """Return the whole book as the HTML of one page.

    An empty element with the attribute ``data-page`` waits for the page number of the identifier
    that the attribute names.

    Parameters
    ----------
    root : pathlib.Path
        The folder of ``_config.yml`` and ``_toc.yml``.
    site : pathlib.Path
        The built site. Styles and images are loaded from there.
    version : str

    Returns
    -------
    str
    """
    config = yaml.safe_load((root / "_config.yml").read_text("utf-8"))
    title, address = escape(config["title"]), config["html"]["baseurl"]
    base = f"{site.resolve().as_uri()}/"
    parts = read_parts(root)
    pages = {f"{base}{page}.html": page for _, names in parts for page in names}
    soups = {
        page: BeautifulSoup((site / f"{page}.html").read_text("utf-8"), "html.parser")
        for page in pages.values()
    }
    head = {}
    for url, page in pages.items():
        _point_from_elsewhere(soups[page], url, base, address, pages)
        head |= dict.fromkeys(map(str, _styles_and_scripts(soups[page])))
    contents, book = "", ""
    for caption, names in parts:
        heading = f'<h1 class="part">{escape(caption)}</h1>' if caption else ""
        contents += f"<p>{escape(caption)}</p>" if caption else ""
        for page in names:
            article = soups[page].article
            _fit_into_the_book(article, page, depth=1 if caption else 0)
            contents += f'<div><a href="#{page}:">{article.h1.decode_contents()}</a>'
            contents += f'<span data-page="{page}:"></span></div>'
            book += f'<article class="bd-article" id="{page}:">{heading}'
            book += f"{article.decode_contents()}</article>"
            heading = ""
    return f"""<!DOCTYPE html>
<html lang="{config["sphinx"]["config"]["language"]}" data-theme="light">
<head><meta charset="utf-8"><title>{title}</title>{"".join(head)}</head>
<body class="whole-book"><main class="bd-content">
<header><p class="title">{title}</p><p>{escape(config["author"])}</p>
<img src="{base}_static/cover.svg" alt=""><p>Version {escape(version)}</p>
<p><a href="{address}">{address}</a></p></header>
<nav><h1>Contents</h1>{contents}</nav>
{book}
</main></body></html>
"""


def _point_from_elsewhere(soup, url, base, address, pages):
    """Let files be found from anywhere, links stay in the book, and others lead to the site."""
    for name in ["href", "src"]:
        for tag in soup.find_all(attrs={name: True}):
            target, fragment = urldefrag(urljoin(url, tag[name]))
            if tag.name == "a" and target in pages:
                tag[name] = f"#{pages[target]}:{fragment}"
            elif tag.name == "a":
                tag[name] = urljoin(url, tag[name]).replace(base, address)
            else:
                tag[name] = urljoin(url, tag[name])


def _styles_and_scripts(soup):
    """Return what the head of a printed page needs: styles, and pictures of explorables."""
    scripts = soup.head.find_all("script")
    needed = [s for s in scripts if NEEDED.search(f"{s.get('src')}{s.string}")]
    return [*soup.select("head > link[rel=stylesheet]"), *needed]


def _fit_into_the_book(article, page, depth):
    """Make the identifiers of a page unique, put its headings below its part, show all of it."""
    for tag in article.select(USELESS):
        tag.decompose()
    for image in article.find_all("img"):  # a printer does not scroll to it
        del image["loading"]
    for tag in article.find_all("details"):
        tag.name, tag.attrs = "div", {}
    for tag in article.find_all(["h1", "h2", "h3", "h4", "h5"]):
        tag["aria-level"] = int(tag.name[1]) + depth
    for tag in article.find_all(id=True):
        tag["id"] = f"{page}:{tag['id']}"
    for link in article.select(".indextable a[href^='#']"):  # an index consists of page numbers
        number = BeautifulSoup('<span data-page=""></span>', "html.parser").span
        number["data-page"] = link["href"][1:]
        if link.text.startswith("["):  # the second, third ... place of an entry
            link.clear()
        link.append(number)
