"""Publish every page with code as a notebook that opens anywhere: no outputs, plain Markdown.

Jupyter, Colab and VS Code show MyST as it is typed, so the sources of the pages are not notebooks
for readers; the theme's own copies of them are, besides, different after every second build. Here
a notebook is written from the page as Sphinx has resolved it: references, numbers and titles are
text by then. ``book/overflow.md`` becomes ``notebooks/overflow.ipynb`` in the folder of the site,
``book/solutions/overflow.md`` becomes ``notebooks/solutions/overflow.ipynb``, and ``index.md``
becomes ``notebooks/index.ipynb``. The theme's buttons are pointed to these files.

The builder ``notebooks`` writes the same files without the site, and executes nothing::

    jupyter-book build . --builder custom --custom-builder notebooks
"""

import hashlib
import itertools
import posixpath
import re
import textwrap
from collections import Counter
from pathlib import Path
from urllib.parse import urljoin

import nbformat
from boxes import code_of
from docutils import nodes
from nbformat import v4
from sphinx.builders.dummy import DummyBuilder
from sphinx.locale import admonitionlabels
from sphinx.util import logging
from website import number

from book_tools.first_cell import first_cell_source

logger = logging.getLogger(__name__)

SITE_BRANCH = "gh-pages"  # where a release puts the site, and the notebooks with it

# What the code of a page may need beyond what the package brings: the name of its module, what pip
# is told, and how to see it. Colab has all three; the chapters on MXNet do without it.
OPTIONAL = [
    ("scipy", "scipy", r"\bscipy\b"),
    (
        "torch",
        "torch --extra-index-url https://download.pytorch.org/whl/cpu",  # gigabytes less on Linux
        r"\btorch\b|stable_softmax\.(experiments\.(recovery|training)|libraries\.autograd)\b",
    ),
    ("sklearn", "scikit-learn", r"\bload_digits_split\b"),
]

INLINE = {
    "emphasis": "*{}*",
    "strong": "**{}**",
    "inline": "{}",
    "footnote_reference": "<sup>{}</sup>",
}
GUESS = "my_guess = ...  # your prediction, in place of the dots, before you run the next cell"
COMPARED = 'print("You predicted:", my_guess)'
BREAK = None  # between two Markdown cells


class Page:
    """A resolved page, and the Markdown of its parts.

    The methods named after a kind of node yield what becomes of it: strings, each a paragraph or
    the like, code cells, and breaks between cells.

    Parameters
    ----------
    app : sphinx.application.Sphinx
    docname : str
    """

    def __init__(self, app, docname):
        self.env, self.config, self.docname = app.env, app.config, docname
        self.address = urljoin(app.config.html_baseurl, f"{docname}.html")
        self.level = 0
        self.guessed = False  # whether the last box asked for a prediction
        self.macros = app.config.mathjax3_config.get("tex", {}).get("macros", {})

    def blocks(self, node):
        """Yield what becomes of the children of a node."""
        for child in node.children:
            kind = type(child).__name__
            if hasattr(self, kind):
                yield from getattr(self, kind)(child)
            elif kind in admonitionlabels:
                yield quote([f"**{admonitionlabels[kind]}**", *self.blocks(child)])
            elif not isinstance(child, nodes.Invisible):
                logger.warning("a notebook has no Markdown for %s", kind, location=child)

    def section(self, node):
        """Begin a cell with the heading, unless it is the text of an exercise."""
        if not isinstance(node[0], nodes.title):
            yield from self.blocks(node)
            return
        self.level += 1
        yield BREAK
        number = self.env.toc_secnumbers.get(self.docname, {}).get("") if self.level == 1 else None
        number = f"{'.'.join(map(str, number))}. " if number else ""
        yield f"{'#' * self.level} {number}{self.phrases(node[0])}"
        yield from self.blocks(node)
        self.level -= 1

    def container(self, node):
        """Turn a code cell into one, with the captions of its figures below it."""
        if node.get("nb_element") != "cell_code":
            yield from self.blocks(node)
            return
        metadata = {key: value for key, value in node["cell_metadata"].items() if key != "mystnb"}
        if "hide-input" in metadata.get("tags", []):
            metadata["jupyter"] = {"source_hidden": True}
        source = code_of(node).astext()
        yield v4.new_code_cell(source, metadata=metadata)
        if self.guessed:
            self.guessed = False
            yield v4.new_code_cell(COMPARED, metadata={"tags": ["guess"]})
        for caption in node.findall(nodes.caption):
            yield from self.caption(caption)
            yield BREAK

    def caption(self, node):
        """Begin the caption of a figure with its number."""
        number = self.number("figure", node.parent)
        label = f"**{self.config.numfig_format['figure'] % number}.** " if number else ""
        yield f"{label}{self.phrases(node)}"

    def image(self, node):
        """Show the image of the site."""
        address = urljoin(self.config.html_baseurl, f"_images/{self.env.images[node['uri']][1]}")
        yield f"![{node['alt']}]({address})"

    def exercise_enumerable_node(self, node):
        """Give an exercise its number, and leave its text as it is."""
        title = node[0]
        yield f"**{title['title'] % self.number('exercise', node)}**{self.phrases(title)}"
        yield from self.blocks(node)

    def solution_node(self, node):
        """Link a solution to its exercise."""
        yield f"**{self.phrases(node[0]).replace('[ ', ' [')}**"
        yield from self.blocks(node)

    def admonition(self, node):
        """Quote a box under its title, or fold it.

        A prediction ends in a line to fill in. A law is set between two lines.
        """
        if "answer" in node["classes"]:
            yield fold(self.phrases(node[0]), self.blocks(node))
            return
        if "law" in node["classes"]:
            yield from ["---", f"**{self.phrases(node[0])}**", *self.blocks(node), "---"]
            return
        yield quote([f"**{self.phrases(node[0])}**", *self.blocks(node)])
        if "predict" in node["classes"]:
            yield v4.new_code_cell(GUESS, metadata={"tags": ["guess"]})
            self.guessed = True

    def sidebar(self, node):
        """Quote a box that is beside the text on the site."""
        yield quote([f"**{self.phrases(node[0])}**", *self.blocks(node)])

    def hint(self, node):
        """Fold a hint."""
        yield fold("Hint", self.blocks(node))

    def paragraph(self, node):
        """Write the text of a paragraph in one line."""
        yield self.phrases(node)

    def bullet_list(self, node):
        """Write a list, whose items may hold lists."""
        marks = itertools.repeat("- ")
        if isinstance(node, nodes.enumerated_list):
            marks = (f"{i}. " for i in itertools.count(node.get("start", 1)))
        items = zip(marks, ["\n\n".join(self.blocks(item)) for item in node], strict=False)
        yield "\n".join(m + textwrap.indent(text, " " * len(m))[len(m) :] for m, text in items)

    enumerated_list = bullet_list

    def footnote(self, node):
        """Print the number of a footnote raised, before its text."""
        yield f"<sup>{node[0].astext()}</sup> " + "\n\n".join(self.blocks(node))

    def literal_block(self, node):
        """Fence a listing."""
        yield f"```{node['language']}\n{node.astext().rstrip()}\n```"

    def transition(self, node):
        """Draw a line."""
        yield "---"

    def math_block(self, node):
        """Write a displayed formula with its number, in a quotation or list in one line."""
        formula = self.formula(node)
        number = self.number("displaymath", node) or node["number"]
        if number:
            formula += f"\n\\tag{{{number}}}"
        end = "\n" if isinstance(node.parent, nodes.section) else ""
        yield f"$${end}{formula if end else ' '.join(formula.split())}{end}$$"

    def table(self, node):
        """Write a table with pipes; its first row is the header, as in the source."""
        rows = list(node.findall(nodes.row))
        lines = [[table_cell(" ".join(self.blocks(entry))) for entry in row] for row in rows]
        marks = {"text-left": ":---", "text-right": "---:", "text-center": ":---:"}
        align = [next((marks[c] for c in entry["classes"]), "---") for entry in rows[0]]
        yield "\n".join(f"| {' | '.join(line)} |" for line in [lines[0], align, *lines[1:]])

    def figure(self, node):
        """Write an image or what stands for it, then the caption."""
        yield from self.blocks(node)

    def explorable(self, node):
        """Write what stands for an interactive figure, and where it runs."""
        link = f"[Open it there.]({self.address}#{node.parent['ids'][0]})"
        yield quote([*self.blocks(node), link])

    def title(self, node):
        """Write nothing: whatever has a title has written it."""
        yield from ()

    compound = meta = label = title  # nor for the table of contents, and the data for other hosts

    def phrases(self, node):
        """Return the Markdown of the text in a node."""
        return "".join(self.phrase(child) for child in node.children)

    def phrase(self, node):
        """Return the Markdown of a piece of text."""
        kind = type(node).__name__
        if isinstance(node, nodes.Text):
            special = r"[\\`*$]|\b_(?!\w)|(?<!\w)_|<(?=[\w/!])"
            return re.sub(special, lambda found: "\\" + found[0], node.astext().replace("\n", " "))
        if isinstance(node, nodes.math):
            return f"${self.formula(node)}$"
        if isinstance(node, nodes.literal):
            ticks = "``" if "`" in node.astext() else "`"
            return f"{ticks}{node.astext()}{ticks}"
        if kind in {"reference", "number_reference"}:
            address = urljoin(self.address, node.get("refuri", ""))
            on_this_page = address.partition("#")[0] == self.address
            return self.phrases(node) if on_this_page else f"[{self.phrases(node)}]({address})"
        if kind in INLINE:
            return INLINE[kind].format(self.phrases(node))
        if not isinstance(node, nodes.Invisible):
            logger.warning("a notebook has no Markdown for %s", kind, location=node)
        return ""

    def formula(self, node):
        """Return a formula without the macros that only this site defines."""
        formula = "\n".join(line for line in node.astext().splitlines() if line.strip())
        for name, meaning in self.macros.items():
            formula = re.sub(rf"\\{name}(?![a-zA-Z])", lambda _, text=meaning: text, formula)
        return formula

    def number(self, kind, node):
        """Return the number of a figure, an exercise or an equation, or an empty string."""
        numbers = self.env.toc_fignumbers.get(self.docname, {}).get(kind, {})
        return next((".".join(map(str, numbers[i])) for i in node["ids"] if i in numbers), "")


def quote(blocks):
    """Return blocks as one quotation."""
    return re.sub(r"^(?=.)", "> ", "\n\n".join(blocks), flags=re.M).replace("\n\n", "\n>\n")


def fold(title, blocks):
    """Return blocks that are seen after a click on their title."""
    text = "\n\n".join(blocks)
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"


def table_cell(text):
    """Return text in which no pipe ends the cell of a table, not even in a formula."""
    parts = re.split(r"((?<!\\)\$.*?(?<!\\)\$)", text)
    for i, part in enumerate(parts):
        if i % 2:
            part = part.replace(r"\|", r"\Vert ").replace("|", r"\vert ")
        parts[i] = part.replace("|", r"\|")
    return "".join(parts)


def first_cell(page, cells):
    """Return the cell that installs what the cells of a page import, where it is missing."""
    others = {
        module: package
        for module, package, sign in OPTIONAL
        if any(re.search(sign, cell.source) for cell in cells)
    }
    title, options = page.config.html_title, page.config.html_theme_options
    place = options["repository_url"], options["repository_branch"]
    source = first_cell_source(title, page.address, *place, others)
    return v4.new_code_cell(source, metadata={"jupyter": {"source_hidden": True}})


def last_cell(app, docname):
    """Return the cell that leads on, or None after the last page: chapters, then solutions."""
    relations, page = app.env.collect_relations(), docname
    while page := relations[page][2]:
        name = notebook_name(app, page)
        if name and ("solutions/" in page) == ("solutions/" in docname):
            break
    else:
        return None
    here = posixpath.dirname(notebook_name(app, docname))
    title = f"{number(app, page)}{app.env.titles[page].astext()}"
    address = urljoin(app.config.html_baseurl, f"{page}.html")
    link = f"[{title}]({posixpath.relpath(name, here)})"
    return v4.new_markdown_cell(f"**Next:** {link}, or [on the website]({address})")


def name_cells(cells, docname):
    """Give each cell an identifier made from its page and its content.

    An edit elsewhere then changes nothing about it.
    """
    seen = Counter()
    for cell in cells:
        key = f"{docname}\n{cell.cell_type}\n{cell.source}"
        seen[key] += 1
        cell.id = hashlib.sha256(f"{key}\n{seen[key]}".encode()).hexdigest()[:12]


def make_notebook(app, doctree, docname):
    """Return a page as a notebook.

    Parameters
    ----------
    app : sphinx.application.Sphinx
    doctree : docutils.nodes.document
        The page, resolved.
    docname : str

    Returns
    -------
    nbformat.NotebookNode
    """
    page, cells = Page(app, docname), []
    for kind, pieces in itertools.groupby(page.blocks(doctree), type):
        if kind is str:
            cells.append(v4.new_markdown_cell("\n\n".join(pieces)))
        elif kind is not type(BREAK):
            cells += pieces
    # below the title, and folded: it is not what a reader came for
    cells.insert(1, first_cell(page, [cell for cell in cells if cell.cell_type == "code"]))
    cells += filter(None, [last_cell(app, docname)])
    name_cells(cells, docname)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    notebook = v4.new_notebook(cells=cells, metadata=metadata)
    nbformat.validate(notebook)
    return notebook


def notebook_name(app, docname):
    """Return the path of a page's notebook in their folder, or None for a page without code."""
    if "kernelspec" in app.env.metadata[docname]:
        return f"{docname.removeprefix('book/')}.ipynb"
    return None


def write_notebook(app, doctree, docname):
    """Write the notebook of a page, when the page itself is written."""
    name = notebook_name(app, docname)
    if name and app.builder.name in {"html", "notebooks"}:
        folder = Path(app.outdir) / ("notebooks" if app.builder.name == "html" else "")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(make_notebook(app, doctree, docname), folder / name)


def leave_out_of_the_site(app, doctree, docname):
    """Take cells out of a page that are for its notebook: a figure to play with is on the page."""
    for cell in list(doctree.findall(nodes.container)):
        if "notebook-only" in cell.get("cell_metadata", {}).get("tags", []):
            cell.parent.remove(cell)


def point_buttons(app, docname, templatename, context, doctree):
    """Let the theme's buttons open the notebook instead of the source of the page.

    Binder makes the notebooks from the sources of the book; Colab and JupyterHub fetch them from
    the branch of the site.
    """
    name = notebook_name(app, docname) if docname in app.env.metadata else None
    if app.builder.name != "html" or not name:
        return
    branch = app.config.html_theme_options["repository_branch"]
    buttons = [b for group in context["header_buttons"] for b in group.get("buttons", [])]
    for button in buttons:
        if button.get("label") == "download-notebook-button":
            button["url"] = context["pathto"](f"notebooks/{name}", resource=True)
        elif button["text"] in {"Binder", "Colab", "JupyterHub"}:
            url = button["url"].replace(f"/{docname}.md", f"/notebooks/{name}")
            if button["text"] != "Binder":
                url = url.replace(f"/blob/{branch}/", f"/blob/{SITE_BRANCH}/")
                url = url.replace(f"branch={branch}", f"branch={SITE_BRANCH}")
            button["url"] = url
    # the theme's own copy, which has outputs after a first build only
    (Path(app.outdir) / "_sources" / f"{docname}.ipynb").unlink(missing_ok=True)


class NotebookBuilder(DummyBuilder):
    """Resolve every page, so that its notebook is written, and nothing else."""

    name = "notebooks"
    epilog = "The notebooks are in %(outdir)s."

    def get_target_uri(self, docname, typ=None):
        """Return the address of a page on the site."""
        return f"{docname}.html"


def execute_nothing(app, config):
    """Switch execution off for the builder, after which Jupyter Book names the folder."""
    if Path(app.outdir).name == NotebookBuilder.name:
        config.nb_execution_mode = "off"


def setup(app):
    """Register the extension with Sphinx."""
    app.add_builder(NotebookBuilder)
    app.connect("config-inited", execute_nothing)
    app.connect("doctree-resolved", write_notebook, priority=100)  # before others change the page
    app.connect("doctree-resolved", leave_out_of_the_site, priority=200)
    app.connect("html-page-context", point_buttons, priority=600)  # after the theme
    return {"parallel_read_safe": True, "parallel_write_safe": True}
