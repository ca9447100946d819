"""The boxes of the book: fold a hint, and the answer to a claim, for those who want to read them.

The directive of a hint is the ordinary ``hint``, and an answer is an ordinary ``admonition`` of the
class ``answer``: other outputs show their text under the title.

A box of the margin is a note in the text; without a role it would be announced as a part of the
page beside it.

MyST-NB folds what a cell returns after a prediction. Here its fold gets a title that says so to
readers who do not think of the page as a notebook.

A box of the class ``law`` is the best thing on its page. Its title, "Law: shift by the maximum",
comes in two parts, so that the style can set the word apart from the statement.
"""

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.transforms.post_transforms import SphinxPostTransform

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


def visit_margin(self, node):
    """Open a box of the margin."""
    self.body.append(self.starttag(node, "aside", CLASS="sidebar", role="note"))
    self.in_sidebar = True


def depart_margin(self, node):
    """Close it."""
    self.body.append("</aside>\n")
    self.in_sidebar = False


class NameResults(SphinxPostTransform):
    """Give the fold of an output its title; the fold of code keeps that of MyST-NB."""

    default_priority = 200  # MyST-NB has made the folds at 199
    formats = ("html",)

    def run(self, **kwargs):
        """Find the folds below their cells."""
        for fold in self.document.findall(HideCodeCellNode):
            if "below-input" in fold["classes"]:
                fold["prompt_show"], fold["prompt_hide"] = "Show the result", "Hide the result"


class StateLaws(SphinxPostTransform):
    """Set the word "Law" apart from the statement, and keep the text as it is."""

    default_priority = 200

    def run(self, **kwargs):
        """Find the titles of laws that have a name."""
        for box in self.document.findall(nodes.admonition):
            title = box[0]
            kind, colon, statement = title[0].astext().partition(": ")
            if "law" in box["classes"] and colon:
                hidden = nodes.inline("", colon, classes=["visually-hidden"])
                rest = [nodes.Text(statement), *title[1:]]
                title.clear()
                title += nodes.inline("", "", nodes.Text(kind), hidden, classes=["kind"])
                title += nodes.inline("", "", *rest, classes=["statement"])


def setup(app):
    """Register the extension with Sphinx."""
    app.add_node(nodes.hint, override=True, html=(visit_html, depart_html))
    app.add_node(nodes.admonition, override=True, html=(visit_box, depart_box))
    app.add_node(nodes.sidebar, override=True, html=(visit_margin, depart_margin))
    app.add_post_transform(NameResults)
    app.add_post_transform(StateLaws)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
