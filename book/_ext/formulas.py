r"""Set the formulas when the book is built, as MathJax sets them in a browser.

MathJax comes from a package and runs in QuickJS, which comes from another: the build needs neither
Node nor a browser, and a page needs no script. Beside its letters, a formula has its MathML, for
screen readers. What Sphinx writes for MathJax in a browser, ``\(x^2\)``, is set here instead, so
that numbers, links and the alignment of rows stay those of Sphinx.
"""

import contextlib
import functools
import html
import importlib.util
import json
import re
from pathlib import Path

import quickjs
from docutils import nodes
from sphinx.ext import mathjax
from sphinx.util import logging

logger = logging.getLogger(__name__)

MATHJAX = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent / "static/mathjax"
FONTS = MATHJAX / "output/chtml/fonts/woff-v2"
EXTENSIONS = ["ams", "newcommand", "configmacros"]  # the last needs the one before it
PARTS = ["loader", "core", "adaptors/liteDOM", "input/tex-base"]
PARTS += [f"input/tex/extensions/{name}" for name in EXTENSIONS]
PARTS += ["output/chtml", "output/chtml/fonts/tex", "a11y/assistive-mml"]

# The results are JSON, because QuickJS gives long strings back in pieces, which Python cannot read.
START = """
    const {adaptors, a11y, handlers, input, mathjax, output} = MathJax._;
    const adaptor = adaptors.liteAdaptor.liteAdaptor();
    a11y["assistive-mml"].AssistiveMmlHandler(handlers.html_ts.RegisterHTMLHandler(adaptor));
    const font = new output.chtml.fonts.tex_ts.TeXFont({fontURL: "fonts"});
    const chtml = new output.chtml_ts.CHTML({font, adaptiveCSS: false});
    const page = mathjax.mathjax.document("", {
        InputJax: new input.tex_ts.TeX(SETTINGS), OutputJax: chtml,
    });
    function setFormula(tex, display) {
        return JSON.stringify(adaptor.outerHTML(page.convert(tex, {display})));
    }
    function styleSheet() {
        return JSON.stringify(adaptor.textContent(chtml.styleSheet(page)));
    }
"""
RENDERER = "when-built"
WRITTEN = re.compile(r"\\[(\[](.*)\\[)\]]", re.DOTALL)


@functools.cache
def start(settings):
    """Return MathJax with some settings of its input, as JSON, in an interpreter of JavaScript."""
    context = quickjs.Context()
    parts = [(MATHJAX / f"{part}.js").read_text("utf-8") for part in PARTS]
    context.eval(";\n".join(["var global = globalThis", *parts]))
    context.eval(f"const SETTINGS = {settings};{START}")
    return context


def tex_settings(config):
    """Return what the settings of the book say about the input of MathJax."""
    return (config.mathjax3_config or {}).get("tex", {})


def settings(config):
    """Return the settings of the input of MathJax, as JSON."""
    return json.dumps(tex_settings(config) | {"packages": ["base", *EXTENSIONS]})


@functools.cache
def set_formula(tex, display, settings):
    """Return the HTML of a formula.

    Parameters
    ----------
    tex : str
    display : bool
        Whether it stands in lines of its own.
    settings : str

    Returns
    -------
    str
    """
    return json.loads(start(settings).get("setFormula")(tex, display))


def style(config):
    """Return the style sheet of every formula that there could be."""
    return json.loads(start(settings(config)).get("styleSheet")())


def set_what(write, display):
    """Return a visitor that sets the formula which a visitor writes for a browser to set."""

    def visit(self, node):
        place = len(self.body)
        with contextlib.suppress(nodes.SkipNode):
            write(self, node)
        before, tex, after = WRITTEN.split("".join(self.body[place:]), maxsplit=1)
        formula = set_formula(html.unescape(tex).strip(), display, settings(self.config))
        if error := re.search('data-mjx-error="([^"]*)"', formula):
            logger.warning("formula with an error: %s", html.unescape(error[1]), location=node)
        self.body[place:] = [before, formula, after]
        raise nodes.SkipNode

    return visit


def choose(app, config):
    """Let Sphinx use these visitors, in place of those that it has."""
    config.html_math_renderer = RENDERER


def setup(app):
    """Register the extension with Sphinx."""
    visitors = {"html_visit_math": False, "html_visit_displaymath": True}
    visitors = [(set_what(getattr(mathjax, name), value), None) for name, value in visitors.items()]
    app.add_html_math_renderer(RENDERER, *visitors)
    app.connect("config-inited", choose)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
