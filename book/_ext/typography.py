"""Set minus signs in text, and say which words of code a narrow column may break.

A hyphen before a number or a name, as in "-inf", is a minus, and no line breaks after it. Code and
what it puts out keep their characters; long words of code may break anywhere, short ones nowhere
(book.css).
"""

import re

from docutils import nodes
from sphinx import addnodes

MINUS = "\N{MINUS SIGN}"
CODE = (nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.raw)
CODE += (nodes.comment, addnodes.desc_signature)
HYPHEN = re.compile(r"(?<=[\s(\[,=])-(?=\w)|(?<=[\w)] )-(?= [\w(])")
FIRST = re.compile(r"^-(?=\w)")  # after nothing; what follows a name may be joined to it
SHORT = re.compile(r'<span class="pre">(?=[^<]{1,16}<)')


def set_minus(app, doctree):
    """Write minus signs, outside of code."""
    for text in list(doctree.findall(nodes.Text)):
        written = HYPHEN.sub(MINUS, text)
        if text.parent.index(text) == 0:
            written = FIRST.sub(MINUS, written)
        if written != text and not _is_code(text):
            text.parent.replace(text, nodes.Text(written))


def mark_short_words(app, pagename, templatename, context, doctree):
    """Name the words of code that fit any column, as `pre short`."""
    if "body" in context:
        context["body"] = SHORT.sub('<span class="pre short">', context["body"])


def _is_code(node):
    while node is not None:
        is_output = isinstance(node, nodes.container) and "cell_output" in node["classes"]
        if is_output or isinstance(node, CODE):
            return True
        node = node.parent
    return False


def setup(app):
    """Register the extension with Sphinx."""
    app.connect("doctree-read", set_minus)
    app.connect("html-page-context", mark_short_words)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
