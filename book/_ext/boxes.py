"""The boxes of the book: fold a hint, and the answer to a claim, for those who want to read them.

The directive of a hint is the ordinary ``hint``, and an answer is an ordinary ``admonition`` of the
class ``answer``: other outputs show their text under the title.

A box of the margin is a note in the text; without a role it would be announced as a part of the
page beside it.

MyST-NB folds what a cell returns after a prediction, and the code of a figure or a table. Here the
folds get titles for readers who do not think of the page as a notebook, and the code goes below
what it has drawn. In the notebooks, and when a page is run, the order is that of the source.

A box of the class ``law`` is the best thing on its page. Its title, "Law: shift by the maximum",
comes in two parts, so that the style can set the word apart from the statement.
"""

import ast

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.transforms.post_transforms import SphinxPostTransform

OPEN = '<details class="hint">\n<summary>{}</summary>\n'
CLOSE = "</details>\n"
MADE = {nodes.image: "How this figure is made", nodes.table: "How this table is made"}


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


class NameFolds(SphinxPostTransform):
    """Give the folds of a cell their titles, and put the code below what it has made."""

    default_priority = 200  # MyST-NB has made the folds at 199
    formats = ("html",)

    def run(self, **kwargs):
        """Find the folds of code and of results."""
        for fold in list(self.document.findall(HideCodeCellNode)):
            if "below-input" in fold["classes"]:
                fold["prompt_show"], fold["prompt_hide"] = "Show the result", "Hide the result"
            elif "above-input" in fold["classes"]:
                cell = fold.parent
                fold["prompt_show"] = fold["prompt_hide"] = title_of_code(cell)
                fold["classes"] = ["quiet"]
                cell.remove(fold)
                cell.append(fold)


def code_of(cell):
    """Return the listing of a cell, which may be below what the cell has put out."""
    parts = cell.findall(nodes.container)
    source = next(part for part in parts if part.get("nb_element") == "cell_code_source")
    return next(source.findall(nodes.literal_block))


def title_of_code(cell):
    """Return what a reader is told about folded code: what it has made, or that it only imports."""
    for kind, title in MADE.items():
        if any(cell.findall(kind)):
            return title
    return "Imports" if only_imports(code_of(cell).astext()) else "The code of this step"


def only_imports(source):
    """Say whether code consists of imports, and of the call that gives figures their style."""
    try:
        body = ast.parse(source).body
    except SyntaxError:  # a magic command
        return False
    return all(
        isinstance(statement, ast.Import | ast.ImportFrom)
        or ast.unparse(statement) == "use_book_style()"
        for statement in body
    )


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
    app.add_post_transform(NameFolds)
    app.add_post_transform(StateLaws)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
