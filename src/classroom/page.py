"""Pages of HTML from what students write: nothing in them runs, loads anything, or grows large."""

import html
import time
from xml.etree import ElementTree

from latex2mathml.converter import convert_to_element
from markdown_it import MarkdownIt
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin

from .marking import patience

PICTURES = 1_500_000  # characters of all pictures of a page, in base64
TEXT = 400_000  # characters of a page besides
SECONDS = 8  # for all that is written in the cells of a page
FORMULA_ATTRIBUTES = {
    *("accent", "columnalign", "columnlines", "columnspacing", "depth", "display", "displaystyle"),
    *("fence", "form", "height", "linethickness", "lspace", "mathvariant", "maxsize", "minsize"),
    *("movablelimits", "notation", "rowlines", "rowspacing", "rspace", "scriptlevel", "separator"),
    *("stretchy", "symmetric", "voffset", "width", "xmlns"),
}
STYLE = """
body { font-family: system-ui, sans-serif; line-height: 1.5; margin: 1.5em auto; padding: 0 1em;
  max-width: 52em; color-scheme: light dark }
pre, code { font-family: ui-monospace, monospace; font-size: .9em }
pre { overflow-x: auto; padding: .6em; margin: .4em 0; border-left: 3px solid #8888 }
pre.code { background: #8881 } pre.error, pre.stderr { border-color: #c33 }
img, math { max-width: 100%; overflow-x: auto } table { border-collapse: collapse }
td, th { border: 1px solid #8888; padding: .2em .7em; text-align: left; vertical-align: top }
h2 { font-size: 1.05em; margin: 1.6em 0 .3em } .text { overflow-x: auto }
"""
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>
<style>{style}</style></head>
<body>
{body}
</body></html>
"""


def page(title, body):
    """Return a page that fits a phone as well."""
    return PAGE.format(title=html.escape(title), style=STYLE, body=body)


def preformatted(kind, text):
    """Return text as it is."""
    return f'<pre class="{kind}">{html.escape(text)}</pre>'


class Writer:
    """Writes the pieces of one page, until there is no room left."""

    def __init__(self):
        self.pictures, self.text, self.seconds = PICTURES, TEXT, SECONDS

    def fitted(self, piece, instead="<p>… there is no room for more.</p>"):
        """Return a piece, or what is shown instead if there is no room for it."""
        if len(piece) > self.text:
            return instead
        self.text -= len(piece)
        return piece

    def picture(self, kind, data, text=""):
        """Return a picture, if there is room."""
        if len(data) > self.pictures:
            return "<p>… a picture is too large to be shown here.</p>"
        self.pictures -= len(data)
        data = "".join(data.split())
        return f'<img src="data:{kind};base64,{html.escape(data)}" alt="{html.escape(text)}">'

    def code(self, source):
        """Return code."""
        return self.fitted(preformatted("code", source))

    def outputs(self, outputs):
        """Return the outputs of a cell."""
        return "\n".join(
            self.picture("image/png", text)
            if kind == "png"
            else self.fitted(preformatted(kind, text))
            for kind, text in outputs
        )

    def markdown(self, source, attachments=None):
        """Return Markdown as HTML, or as it was typed if that would take too long."""
        room, start = self.pictures, time.monotonic()
        try:
            with patience(max(self.seconds, 0.01)):
                piece = self._parser(attachments or {}).render(source)
        except (TimeoutError, MemoryError, RecursionError, ValueError):
            piece = preformatted("text", source)
        self.seconds -= time.monotonic() - start
        size = len(piece) - (room - self.pictures)
        if size > self.text:
            return self.fitted(preformatted("text", source))
        self.text -= size
        return f'<div class="text">{piece}</div>'

    def _parser(self, attachments):
        parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
        parser.use(dollarmath_plugin, allow_space=False, renderer=lambda t, how: formula(t, **how))
        parser.use(amsmath_plugin, renderer=lambda t: formula(t, True))

        def image(renderer, tokens, place, *_):
            token = tokens[place]
            name = str(token.attrs.get("src", ""))
            for kind, data in attachments.get(name.removeprefix("attachment:"), {}).items():
                return self.picture(kind, data, token.content)
            return f"<code>{html.escape(f'![{token.content}]({name})')}</code>"

        parser.add_render_rule("image", image)
        return parser


def formula(text, display_mode):
    """Return a formula as MathML of known attributes only, or as it was typed."""
    try:
        if len(text) > 3000:
            raise ValueError("far too long for a formula")
        element = convert_to_element(text, display="block" if display_mode else "inline")
    except TimeoutError:
        raise
    except Exception:
        return f"<code>{html.escape(text)}</code>"
    for part in element.iter():
        part.text = html.unescape(part.text or "")
        for name in part.attrib.keys() - FORMULA_ATTRIBUTES:
            del part.attrib[name]
    return ElementTree.tostring(element, encoding="unicode")


def body_of(course, notebook, marks, outputs):
    """Return the part of a feedback page that shows the notebook and its tests."""
    writer, pieces, points = Writer(), [], course.questions()
    tests = {cell.id: cell.source for cell in course.source.cells}
    for cell, shown in zip(notebook.cells, outputs, strict=True):
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        if name:
            question = course.question(cell)
            number, part = question.removeprefix("q"), name.rpartition("-")[2]
            what = f"{part} tests" if part in {"visible", "hidden"} else "answer"
            gained = f": {marks[question]:g} of {points[question]:g}" if part == "hidden" else ""
            pieces.append(f"<h2>Question {number}, {html.escape(what)}{gained}</h2>")
        if cell.cell_type == "markdown":
            pieces.append(writer.markdown(cell.source, cell.get("attachments")))
        elif name and what != "answer":
            pieces.append(writer.outputs(shown))
            source = writer.code(tests[name])
            pieces.append(f"<details><summary>The {what}</summary>{source}</details>")
        else:
            pieces.append(writer.code(cell.source))
            pieces.append(writer.outputs(shown))
    return "\n".join(piece for piece in pieces if piece)
