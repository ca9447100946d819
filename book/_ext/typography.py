"""Set minus signs and powers in text, keep equations whole, and say where code may be broken.

A hyphen before a number or a name, as in "-inf", is a minus, and no line breaks after it; what
follows "**" is an exponent. Code and what it puts out keep their characters. Long words of code
may break after a sign, or else anywhere; short words, and short code, nowhere (book.css).
"""

import re
from html import unescape

from docutils import nodes
from sphinx import addnodes

MINUS = "\N{MINUS SIGN}"
CODE = (nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.raw)
CODE += (nodes.comment, addnodes.desc_signature)
HYPHEN = re.compile(r"(?<=[\s(\[,=])-(?=\w)|(?<=[\w)] )-(?= [\w(])|(?<=\de)-(?=\d)")
FIRST = re.compile(r"^-(?=\w)")  # after nothing; what follows a name may be joined to it
JOINED = re.compile(r"(?<=\b\w) (?== [\d−])|(?<= \w =) (?=[\d−])|(?<=[⌨✍]) ")
POWER = re.compile(r"(?<=\w)\*\*(-?\w+)")
WORD = re.compile(r'<span class="pre">([^<]+)</span>')
NAME = re.compile(r"<cite>([^<\s]+)</cite>")
INLINE = re.compile(r'<code class="([^"]*)">((?:<span class="pre short">[^<]+</span>\s*)+)</code>')
TAG = re.compile("<[^>]*>")
SIGN = re.compile(r"(?<=[^\W_][./_=(])(?=[^\W\d_])")
SHORT = 16  # characters


def set_minus(app, doctree):
    """Write minus signs and powers, outside of code."""
    for text in list(doctree.findall(nodes.Text)):
        written = JOINED.sub("\N{NO-BREAK SPACE}", HYPHEN.sub(MINUS, text))
        if text.parent.index(text) == 0:
            written = FIRST.sub(MINUS, written)
        parts = POWER.split(written)
        if (written != text or len(parts) > 1) and not _is_code(text):
            text.parent.replace(text, [_part(i, part) for i, part in enumerate(parts) if part])


def mark_breaks(app, pagename, templatename, context, doctree):
    """Name the code and the words that fit any column, and mark in others where a line may end."""
    if "body" in context:
        body = NAME.sub(_name, WORD.sub(_word, context["body"]))
        context["body"] = INLINE.sub(_code, body)


def _part(i, text):
    if i % 2 == 0:
        return nodes.Text(text)
    return nodes.superscript("", text.replace("-", MINUS))


def _code(found):
    names, words = found.groups()
    short = " short" if len(unescape(TAG.sub("", words))) <= SHORT else ""
    return f'<code class="{names}{short}">{words}</code>'


def _name(found):
    return f"<cite>{SIGN.sub('<wbr>', found[1])}</cite>"


def _word(found):
    if len(unescape(found[1])) <= SHORT:
        return f'<span class="pre short">{found[1]}</span>'
    parted = SIGN.sub("<wbr>", found[1]).replace("…", "…\N{WORD JOINER}")
    parted = parted.replace(")(", ")\N{WORD JOINER}(")
    return f'<span class="pre">{parted}</span>'


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
    app.connect("html-page-context", mark_breaks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
