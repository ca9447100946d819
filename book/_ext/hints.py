"""Fold a hint, and the answer to a claim, so that they are read by those who want them.

The directive of a hint is the ordinary ``hint``, and an answer is an ordinary ``admonition`` of the
class ``answer``: other outputs show their text under the title.
"""

from docutils import nodes

OPEN = '<details class="hint">\n<summary>{}</summary>\n'
CLOSE = "</details>\n"


def visit_html(self, node):
    """Open a fold that needs no script."""
    self.body.append(OPEN.format("Hint"))


def depart_html(self, node):
    """Close it."""
    self.body.append(CLOSE)


def visit_box(self, node):
    """Open the fold of an answer, under its title; any other box is as ever."""
    if "answer" in node["classes"]:
        self.body.append(OPEN.format(self.encode(node.pop(0).astext())))
    else:
        type(self).visit_admonition(self, node)


def depart_box(self, node):
    """Close it."""
    if "answer" in node["classes"]:
        self.body.append(CLOSE)
    else:
        type(self).depart_admonition(self, node)


def setup(app):
    """Register the extension with Sphinx."""
    app.add_node(nodes.hint, override=True, html=(visit_html, depart_html))
    app.add_node(nodes.admonition, override=True, html=(visit_box, depart_box))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
