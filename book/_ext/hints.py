"""Fold a hint, so that it is read by those who want it.

The directive is the ordinary ``hint``: other outputs show its text under its title.
"""

from docutils import nodes


def visit_html(self, node):
    """Open a fold that needs no script."""
    self.body.append('<details class="hint">\n<summary>Hint</summary>\n')


def depart_html(self, node):
    """Close it."""
    self.body.append("</details>\n")


def setup(app):
    """Register the extension with Sphinx."""
    app.add_node(nodes.hint, override=True, html=(visit_html, depart_html))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
