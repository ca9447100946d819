"""Pages of HTML from what students write: nothing in them runs, loads anything, or grows large."""

import html
import time
from xml.etree import ElementTree

from latex2mathml.converter import convert_to_element
from markdown_it import MarkdownIt
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin

from .course import said
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
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title><style>
:root {{ color-scheme: light dark }}
body {{ font-family: system-ui, sans-serif; line-height: 1.5; margin: 1.5em auto;
  padding: 0 1em; max-width: 52em }}
pre, code {{ font-family: ui-monospace, monospace; font-size: .9em }}
pre {{ overflow-x: auto; padding: .6em; margin: .4em 0; border-left: 3px solid #8888 }}
pre.code {{ background: #8881 }} pre.error, pre.stderr {{ border-color: #c33 }}
img, math {{ max-width: 100%; overflow-x: auto }} table {{ border-collapse: collapse }}
td, th {{ border: 1px solid #8888; padding: .2em .7em; text-align: left; vertical-align: top }}
h2 {{ font-size: 1.05em; margin: 1.6em 0 .3em }} .text {{ overflow-x: auto }}
</style></head>
<body>
{body}
</body></html>
"""


def page(title, body):
    """Return a page that fits a phone as well."""
    return PAGE.format(title=html.escape(title), body=body)


class Writer:
    """Writes the pieces of one page, until there is no room left."""

    def __init__(self):
        self.pictures, self.text, self.seconds = PICTURES, TEXT, SECONDS

    def plain(self, kind, text):
        """Return text as it is."""
        piece = f'<pre class="{kind}">{html.escape(text)}</pre>'
        self.text -= len(piece)
        return piece if self.text > 0 else "<p>… there is no room for more.</p>"

    def picture(self, kind, data, text=""):
        """Return a picture, if there is room."""
        if len(data) > self.pictures:
            return "<p>… a picture is too large to be shown here.</p>"
        self.pictures -= len(data)
        source = f"data:{kind};base64,{''.join(data.split())}"
        return f'<img src="{html.escape(source)}" alt="{html.escape(text)}">'

    def outputs(self, outputs):
        """Return the outputs of a cell."""
        return "\n".join(
            self.picture("image/png", text) if kind == "png" else self.plain(kind, text)
            for kind, text in outputs
        )

    def markdown(self, source, attachments=None):
        """Return Markdown as HTML, or as it was typed if that takes too long or grows too large."""
        room, start = self.pictures, time.monotonic()
        try:
            with patience(max(self.seconds, 0.01)):
                piece = self._parser(attachments or {}).render(source)
            size = len(piece) - (room - self.pictures)
        except (TimeoutError, MemoryError, RecursionError, ValueError):
            size = self.text + 1
        self.seconds -= time.monotonic() - start
        if size > self.text:
            return self.plain("text", source)
        self.text -= size
        return f'<div class="text">{piece}</div>'

    def cell(self, cell):
        """Return a cell, without outputs."""
        if cell.cell_type == "markdown":
            return self.markdown(cell.source, cell.get("attachments"))
        return self.plain("code", cell.source)

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
        name, what = said(cell, "grade_id"), "answer"
        if name:
            question, part = course.question(cell), name.rpartition("-")[2]
            what = f"{part} tests" if part in {"visible", "hidden"} else what
            gained = f": {marks[question]:g} of {points[question]:g}" if part == "hidden" else ""
            pieces.append(f"<h2>Question {question.removeprefix('q')}, {what}{gained}</h2>")
        if what == "answer":
            pieces += [writer.cell(cell), writer.outputs(shown)]
        else:
            source = f"<summary>The {what}</summary>{writer.plain('code', tests[name])}"
            pieces += [writer.outputs(shown), f"<details>{source}</details>"]
    return "\n".join(filter(None, pieces))
