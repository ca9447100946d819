"""Put the figures that cells draw into the page itself: one for a desk, and one for a phone.

The image that `stable_softmax.notebook.figures.save` writes holds both, as HTML. In the page they
have the colors of its theme, and need no file of their own; the style sheet shows the one that
fits. Both are one image with one text for those who do not see it.
"""

import re
from pathlib import Path

from docutils import nodes

DRAWINGS = re.compile('<metadata>(<svg class="wide".*?</svg><svg class="narrow".*?</svg>)')


class drawing(nodes.General, nodes.Element):
    """The drawings of a figure."""


def inline(app, doctree, docname):
    """Replace the images of figures by their drawings."""
    if app.builder.format != "html":
        return
    for image in list(doctree.findall(nodes.image)):
        path = Path(app.srcdir, image["uri"])
        if path.suffix == ".svg" and (found := DRAWINGS.search(path.read_text("utf-8"))):
            image.replace_self(drawing(html=found[1], alt=image.get("alt", "")))


def visit_html(self, node):
    """Write both drawings as one image."""
    text = self.attval(node["alt"])
    self.body.append(f'<div class="figure-box" role="img" aria-label="{text}">{node["html"]}</div>')
    raise nodes.SkipNode


def setup(app):
    """Register the extension with Sphinx."""
    app.add_node(drawing, html=(visit_html, None))
    app.connect("doctree-resolved", inline, priority=900)  # website.py looks at images before
    return {"parallel_read_safe": True, "parallel_write_safe": True}
