"""Place an interactive figure, with the text that stands for it where no script runs.

Raw HTML would be lost in every output but the site: in print, in the PDF, in the notebooks. So an
explorable is a node of its own inside an ordinary figure, with name, number and caption. The site
makes a custom element of it, which a script brings to life; all others show what is in the node.
The scripts go to the pages that need them and to no other.
"""

from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

# Each has its script, explore_<kind>.js, and some a style sheet of their own.
ASSETS = Path(__file__).parents[1] / "explorables"
KINDS = ["cover", "formats", "epsilon", "order", "loss", "add", "mask", "network", "one_pass"]


class explorable(nodes.General, nodes.Element):
    """An interactive figure; its children are shown where it cannot run."""


class Explorable(SphinxDirective):
    """A figure with an explorable and a caption."""

    required_arguments = 1
    has_content = True
    option_spec = {"name": directives.unchanged_required, "caption": directives.unchanged_required}  # noqa: RUF012

    def run(self):
        """Return the figure, or a warning that says what is missing."""
        kind = self.arguments[0]
        if kind not in KINDS:
            raise self.warning(f'there is no explorable "{kind}"; choose one of {", ".join(KINDS)}')
        for option in ["name", "caption"]:
            if option not in self.options:
                raise self.warning(f'the explorable "{kind}" needs the option "{option}"')
        if not self.content:
            raise self.warning(f'the explorable "{kind}" needs a text for readers without scripts')
        caption, messages = self.state.inline_text(self.options["caption"], self.lineno)
        figure = nodes.figure(
            "",
            explorable("", *self.parse_content_to_nodes(), kind=kind),
            nodes.caption(self.options["caption"], "", *caption),
        )
        self.set_source_info(figure)
        self.add_name(figure)
        return [figure, *messages]


def visit_html(self, node):
    """Open the custom element, and the text that its script hides."""
    self.body.append(f'<explore-{node["kind"]}>\n<div class="fallback">\n')


def depart_html(self, node):
    """Close both."""
    self.body.append(f"</div>\n</explore-{node['kind']}>\n")


def add_scripts(app, pagename, templatename, context, doctree):
    """Load the scripts of the explorables on this page."""
    kinds = sorted({node["kind"] for node in doctree.findall(explorable)}) if doctree else []
    if kinds:
        styles = [f"explore_{kind}.css" for kind in kinds]
        for style in ["explore.css", *(s for s in styles if (ASSETS / s).exists())]:
            app.add_css_file(style)
        for name in ["core", *kinds]:
            app.add_js_file(f"explore_{name}.js", loading_method="defer")


def show_content(self, node):
    """Add nothing to the children."""


def setup(app):
    """Register the extension with Sphinx."""
    site, text = (visit_html, depart_html), (show_content, show_content)
    app.add_node(
        explorable, html=site, singlehtml=site, latex=text, text=text, man=text, texinfo=text
    )
    app.add_directive("explorable", Explorable)
    app.connect("html-page-context", add_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
