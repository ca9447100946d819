"""Write what a link may lead to, so that a page can show it beside the link.

For each page this is a script of its own, ``previews/NAME.js``, which ``page.js`` loads
when a reader comes near a link to it: a script is also found where the book is opened as a file.
It has the terms, equations, figures, works and functions of the page, and the beginning of each
section.
"""

import json
import posixpath
from pathlib import Path

from bs4 import BeautifulSoup
from docutils import nodes
from docutils.utils import new_document
from sphinx import addnodes

REMOVED = "a.headerlink, .copybtn, .run-bar, .viewcode-link, script, span.eqno"


def things(doctree):
    """Yield what there is to show on a page: its names, and the nodes that are shown."""
    for node in doctree.findall(nodes.Element):
        if isinstance(node, nodes.figure | nodes.citation):
            yield node["ids"], [node]
        elif isinstance(node, nodes.math_block) and node.get("label"):
            yield [f"equation-{node['label']}"], [node]
        elif isinstance(node, nodes.definition_list_item) and node[0]["ids"]:
            yield node[0]["ids"], [nodes.definition_list("", node.deepcopy())]
        elif isinstance(node, addnodes.desc):
            shown, first = node.copy(), node.next_node(nodes.paragraph)
            shown += node[0].deepcopy()
            shown += addnodes.desc_content("", *([first.deepcopy()] if first else []))
            yield node[0]["ids"], [shown]
        elif isinstance(node, nodes.section) and isinstance(node[0], nodes.title):
            first = next((part for part in node if isinstance(part, nodes.paragraph)), None)
            heading = nodes.paragraph("", "", nodes.strong("", node[0].astext()))
            yield node["ids"], [heading, *([first] if first else [])]


def previews(app, pagename, doctree):
    """Return the HTML of each thing on a page, by the names that links may have for it.

    Parameters
    ----------
    app : sphinx.application.Sphinx
        At the moment when it writes the page: its builder knows the numbers and the images.
    pagename : str
    doctree : docutils.nodes.document

    Returns
    -------
    dict of str to str
    """
    found = {}
    for ids, parts in things(doctree):
        html = "".join(render(app.builder, part, doctree.settings) for part in parts)
        found |= dict.fromkeys(ids, clean(html, posixpath.dirname(pagename)))
    return found


def render(builder, node, settings):
    """Return the HTML of a copy of a node.

    The ``render_partial`` of the builder does so, but it cannot describe a function.
    """
    document = new_document("", settings)
    document += node.deepcopy()
    translator = builder.create_translator(document, builder)
    document.walkabout(translator)
    return "".join(translator.fragment)


def clean(html, folder):
    """Return HTML without names, links and what runs; its images are found from the root."""
    soup = BeautifulSoup(html, "html.parser")
    for tag in soup.select(REMOVED) + soup.find_all(lambda tag: tag.name.startswith("explore-")):
        tag.decompose()
    for tag in soup.find_all("a"):
        tag.unwrap()
    for tag in soup.find_all(True):
        del tag["id"]
        for name in {"src", "srcset"} & tag.attrs.keys():
            tag[name] = posixpath.normpath(posixpath.join(folder, tag[name]))
    return str(soup).strip()


def write_previews(app, pagename, templatename, context, doctree):
    """Write the script of a page."""
    if doctree is None or app.builder.name != "html":
        return
    text = json.dumps(previews(app, pagename, doctree), ensure_ascii=False)
    path = Path(app.outdir, "previews", f"{pagename}.js")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'(window.PREVIEWS ??= {{}})["{pagename}"] = {text};\n', encoding="utf-8")


def setup(app):
    """Register the extension with Sphinx."""
    app.connect("html-page-context", write_previews)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
