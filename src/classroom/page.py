"""Pages of HTML from what students write: nothing in them runs, loads anything, or grows large."""

import html
import time
from contextlib import suppress
from xml.etree import ElementTree

from latex2mathml.converter import convert_to_element
from markdown_it import MarkdownIt
from markupsafe import Markup
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin

from .course import said
from .marking import patience

ROOM = 2_500_000  # bytes of all that is shown of a notebook
SECONDS = 8  # for all that is written on a page
OF_FORMULAS = """accent columnalign columnlines columnspacing depth display displaystyle fence form
height linethickness lspace mathvariant maxsize minsize movablelimits notation rowlines rowspacing
rspace scriptlevel separator stretchy symmetric voffset width xmlns"""  # attributes
PAGE = Markup("""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title><style>
:root {{ color-scheme: light dark }}
body {{ font-family: system-ui, sans-serif; line-height: 1.5; margin: 1.5em auto;
  padding: 0 1em; max-width: 52em }}
pre, code {{ font-family: ui-monospace, monospace; font-size: .9em }}
pre {{ overflow-x: auto; padding: .6em; margin: .4em 0; border-left: 3px solid #8888 }}
pre.code {{ background: #8881 }} pre.stderr {{ border-color: #c33 }}
img {{ max-width: 100% }} table {{ border-collapse: collapse }}
td, th {{ border: 1px solid #8888; padding: .2em .7em; text-align: left; vertical-align: top }}
h2 {{ font-size: 1.05em; margin: 1.6em 0 .3em }} .text {{ overflow-x: auto }}
</style></head>
<body>{body}</body></html>
""")
PLAIN, TEXT = Markup('<pre class="{}">{}</pre>'), Markup('<div class="text">{}</div>')
PICTURE, CODE = Markup('<img src="data:{};base64,{}" alt="{}">'), Markup("<code>{}</code>")
NO_ROOM = Markup("<p>… there is no room for more.</p>")
TOO_LARGE = Markup("<p>… a picture is too large to be shown here.</p>")
QUESTION = Markup("<h2>Question {}, {}{}</h2>")
TEST = Markup("<details><summary>The {}</summary>{}</details>")


class Writer:
    """Writes the pieces of one page, as long as there is room and time left."""

    def __init__(self):
        self.room, self.until = ROOM, time.monotonic() + SECONDS
        self.parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
        dollars = {"allow_space": False, "double_inline": True}
        self.parser.use(dollarmath_plugin, **dollars, renderer=lambda t, how: formula(t, **how))
        self.parser.use(amsmath_plugin, renderer=lambda t: formula(t, True))
        self.parser.renderer.rules["image"] = self._pasted

    def plain(self, kind, text):
        """Return text as it is."""
        return self._fit(PLAIN.format(kind, text))

    def outputs(self, outputs):
        """Return the outputs of a cell."""
        return Markup("\n").join(
            self._fit(self._picture("image/png", text)) if kind == "png" else self.plain(kind, text)
            for kind, text in outputs
        )

    def markdown(self, source, pasted=None):
        """Return Markdown as HTML, or as it was typed if that takes too long or grows too large."""
        with suppress(TimeoutError, MemoryError, RecursionError, ValueError):
            with patience(max(self.until - time.monotonic(), 0.01)):
                piece = TEXT.format(Markup(self.parser.render(source, {"pasted": pasted or {}})))
            if len(piece.encode()) <= self.room:
                return self._fit(piece)
        return self.plain("text", source)

    def cell(self, cell):
        """Return a cell, without outputs."""
        if cell.cell_type == "markdown":
            return self.markdown(cell.source, cell.get("attachments"))
        return self.plain("code", cell.source)

    def _fit(self, piece):
        """Return a piece, a note where there is no room for it, or nothing where there is none."""
        for text in (piece, NO_ROOM, Markup()):
            if len(text.encode()) <= self.room:
                self.room -= len(text.encode())
                return text

    def _picture(self, kind, data, text=""):
        """Return a picture, if it leaves half of the room to others."""
        if len(data) > self.room / 2:
            return TOO_LARGE
        return PICTURE.format(kind, "".join(data.split()), text)

    def _pasted(self, tokens, place, _, env):
        token = tokens[place]
        name = str(token.attrs.get("src", ""))
        for kind, data in env["pasted"].get(name.removeprefix("attachment:"), {}).items():
            return str(self._picture(kind, data, token.content))
        return str(CODE.format(f"![{token.content}]({name})"))  # Markup would escape what it joins


def formula(text, display_mode):
    """Return a formula as MathML of known attributes only, or as it was typed."""
    try:
        if len(text) > 3000:
            raise ValueError("far too long for a formula")
        element = convert_to_element(text, display="block" if display_mode else "inline")
    except TimeoutError:
        raise
    except Exception:
        return CODE.format(text)
    for part in element.iter():
        part.text = html.unescape(part.text or "")
        for name in part.attrib.keys() - OF_FORMULAS.split():
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
            pieces.append(QUESTION.format(question.removeprefix("q"), what, gained))
        if what == "answer":
            pieces += [writer.cell(cell), writer.outputs(shown)]
        else:
            pieces += [writer.outputs(shown), TEST.format(what, writer.plain("code", tests[name]))]
    return Markup("\n").join(filter(None, pieces))
