"""Make the site complete in itself: nothing from other hosts, one address, no page left over."""

from pathlib import Path
from urllib.parse import urlsplit

from docutils import nodes
from sphinx.util import logging

from book_tools.single_page import paper_head

logger = logging.getLogger(__name__)


def use_one_address(app, config):
    """Give the extensions that need the address of the site the one that the settings know."""
    config.ogp_site_url = config.html_baseurl
    config.notfound_urls_prefix = f"{urlsplit(config.html_baseurl).path.rstrip('/')}/"


def check_figures(app, doctree, docname):
    """Warn of an image that says nothing to those who do not see it, or has no caption.

    MyST-NB puts the name of the file where an alternative text is missing.
    """
    for image in doctree.findall(nodes.image):
        alt = image.get("alt", "")
        if not alt or alt.endswith((".svg", ".png")):
            logger.warning("image without alternative text: %s", image["uri"], location=image)
        figure = image.parent
        if not (isinstance(figure, nodes.figure) and any(figure.findall(nodes.caption))):
            logger.warning("image without a caption: %s", image["uri"], location=image)


def name_rows(app, doctree):
    """Make the first column of a table headers of rows, if its own header is empty."""
    for table in doctree.findall(nodes.table):
        first = next(table.findall(nodes.entry), None)
        if first is not None and first.parent.parent.tagname == "thead" and not first.astext():
            next(table.findall(nodes.colspec))["stub"] = 1


def describe_once(app, doctree):
    """Let social media show the description that search engines show."""
    for meta in doctree.findall(nodes.meta):
        if meta.get("name") == "description":
            app.env.metadata[app.env.docname]["og:description"] = meta["content"]


def keep_the_index_to_terms(app, doctree):
    """Take functions out of the index, where they would hide the terms: a page lists them."""
    entries = app.env.get_domain("index").entries[app.env.docname]
    entries[:] = [entry for entry in entries if "stable_softmax" not in entry[2]]


def number(app, pagename):
    """Return the number of a chapter, with a point and a space, or an empty string."""
    numbers = app.env.toc_secnumbers.get(pagename, {}).get("")
    return f"{'.'.join(map(str, numbers))}. " if numbers else ""


def head_paper(app, pagename, templatename, context, doctree):
    """Print the chapter at the head of each sheet: only a page itself knows its name."""
    if pagename in app.env.titles:
        style = paper_head(number(app, pagename) + app.env.titles[pagename].astext())
        context["metatags"] = f'{context.get("metatags", "")}\n<style media="print">{style}</style>'


def remove_old_pages(app, env, docnames):
    """Remove pages, notebooks and previews that an earlier build left and the book no longer has.

    An edition without solutions must not carry those of the edition before it.
    """
    sources = Path(app.outdir) / "_sources"
    for source in sources.rglob("*.md"):
        name = source.relative_to(sources).with_suffix("").as_posix()
        if name not in env.found_docs:
            notebook = f"notebooks/{name.removeprefix('book/')}.ipynb"
            preview = f"previews/{name}.js"
            for path in [f"_sources/{name}.md", f"{name}.html", notebook, preview]:
                (Path(app.outdir) / path).unlink(missing_ok=True)


def setup(app):
    """Register the extension with Sphinx."""
    app.connect("config-inited", use_one_address)
    app.connect("env-before-read-docs", remove_old_pages)
    app.connect("doctree-read", name_rows)
    app.connect("doctree-read", describe_once)
    app.connect("doctree-read", keep_the_index_to_terms)
    app.connect("doctree-resolved", check_figures)
    app.connect("html-page-context", head_paper)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
