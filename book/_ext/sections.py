"""The search of the book: by section, and without asking a server for anything.

Sphinx finds pages. A chapter is 15 to 25 screens long, so here each section is found by itself,
each term of the glossary, each function of the package and each row of the page of bugs. Their
texts are one script, ``sections.js``, which only the search page loads, also from a folder; the
script ``search.js`` ranks them and quotes them.
"""

import json
import re
from pathlib import Path

from docutils import nodes
from docutils.utils.math import tex2unichar
from sphinx import addnodes

#: What a hit is worth: a reader looks for the chapter, rarely for the list of functions.
WORTH = {
    "index": 0.5,
    "book/solutions/": 0.4,
    "book/api": 0.25,
    "book/accuracy_report": 0.5,
    "book/truth_tables": 0.5,
    "book/bibliography": 0.2,
    "book/teaching": 0.5,
    "book/glossary": 0.6,
}
SKIPPED = (nodes.comment, nodes.raw, nodes.substitution_definition, nodes.target, addnodes.toctree)
CALLS = {"numpy", "torch", "mxnet", "jax", "tensorflow"}  # repeated in the rows of the page of bugs
SYMBOLS = {
    name: symbol
    for kind, symbols in vars(tex2unichar).items()
    if kind.startswith(("math", "space")) and kind != "mathaccent"
    for name, symbol in symbols.items()
} | {"dots": "…", "le": "≤", "ge": "≥", "ne": "≠", "to": "→", "sum": "Σ", "cdot": "·"}
BODY = """
<h1>Search</h1>
<noscript><p>The search needs JavaScript. The <a href="genindex.html">index</a> does without.</p>
</noscript>
<form class="bd-search d-flex align-items-center" action="search.html" method="get">
<i class="fa-solid fa-magnifying-glass"></i>
<input type="search" class="form-control" name="q" placeholder="Search this book..."
 aria-label="Search this book..." autocomplete="off" spellcheck="false">
</form>
<div id="search-results"></div>
"""


def plain(tex):
    """Return a formula as a line of text, for a quotation: ``e^{x_i}`` becomes ``e^(x_i)``.

    Parameters
    ----------
    tex : str

    Returns
    -------
    str
    """
    tex = re.sub(r"\\(begin|end)\{\w+\}(\{\w+\})?|&|\\\\", " ", tex)
    tex = re.sub(r"\\[dt]?frac\s*(\{[^{}]*\}|\w)\s*(\{[^{}]*\}|\w)", r"\1/\2", tex)
    tex = re.sub(r"\\([A-Za-z]+)", lambda found: SYMBOLS.get(found[1], f" {found[1]} "), tex)
    tex = re.sub(r"([\^_])\{([^{}]{2,})\}", r"\1(\2)", tex)
    tex = re.sub(r" (?:left|right|[bB]igg?[lr]?|text|quad|operatorname|math\w+) ", " ", tex)
    line = " ".join(re.sub(r"\\.|[{}~]", " ", tex).split())
    return re.sub(r"(?<=[(\[]) | (?=[)\],.;])|(?<=[a-z]) (?=[(_^])", "", line)


def has_class(node, name):
    """Tell whether a node is of a class."""
    return isinstance(node, nodes.Element) and name in node["classes"]


class Texts:
    """What there is to find on a page.

    Parameters
    ----------
    doctree : docutils.nodes.document
        Resolved, so that references are text.
    """

    def __init__(self, doctree):
        self.found, self.terms = [], []
        self.collect(doctree)

    def begin(self, node, title):
        """Begin a part with the address of a node, and return it."""
        labels = [name for name in node["ids"] if name.startswith("sec-")]
        part = {
            "at": (labels or node["ids"])[0],
            "title": title,
            "terms": self.terms,
            "text": [],
            "code": [],
        }
        self.found.append(part)
        self.terms = []
        return part

    def collect(self, node, part=None):
        """Put the text of a node into the part it belongs to, or into parts of its own."""
        for child in node.children:
            if isinstance(child, SKIPPED) or has_class(child, "in-this-chapter"):
                continue
            titled = isinstance(child, nodes.section) and isinstance(child[0], nodes.title)
            if titled:  # an exercise has a section without a title
                self.collect(child, self.begin(child, child[0].astext()))
            elif isinstance(child, addnodes.index):  # it stands before the heading it is for
                self.terms += [entry[1] for entry in child["entries"]]
            elif isinstance(child, nodes.title) and isinstance(node, nodes.section):
                continue
            elif isinstance(child, nodes.definition_list_item) and child[0]["ids"]:
                own = self.begin(child[0], child[0].astext())
                self.collect(child[-1], own)
            elif isinstance(child, addnodes.desc) and child[0]["ids"]:
                own = self.begin(child[0], child[0].next_node(addnodes.desc_name).astext())
                self.collect(child[-1], own)
            elif isinstance(child, nodes.row) and child["ids"]:
                self.terms.append(part["title"])
                own = self.begin(child, child[0].astext())
                own["text"].append(self.line(child[1]))
            elif part and has_class(child, "cell_output"):  # numbers, and a figure
                part["text"] += map(self.line, child.findall(nodes.caption))
                printed = (nodes.literal_block, nodes.table)
                part["code"] += [n.astext() for n in child.findall() if isinstance(n, printed)]
            elif isinstance(child, nodes.literal_block):
                if part and "use_book_style()" not in child.astext():  # else it only imports
                    part["code"].append(child.astext())
            elif isinstance(child, nodes.row):
                part["text"].append(" · ".join(map(self.line, child.children)))
            elif isinstance(child, nodes.TextElement):
                if part and not isinstance(child, nodes.math_block):
                    part["text"].append(self.line(child))
            else:
                self.collect(child, part)

    def line(self, node):
        """Return the text of a paragraph, with its formulas in plain letters."""
        if isinstance(node, nodes.math):
            return plain(node.astext())
        if isinstance(node, nodes.Text):
            return node.astext()
        if isinstance(node, SKIPPED) or CALLS.intersection(node.get("classes", [])):
            return ""
        return "".join(map(self.line, node.children))


def keep_texts(app, pagename, templatename, context, doctree):
    """Keep what there is to find on a page, beside its doctree: pages are written in parallel."""
    if doctree is None:
        return
    number = app.env.toc_secnumbers.get(pagename, {}).get("", ())
    title = " ".join(
        [".".join(map(str, number)) + "."] * bool(number) + [app.env.titles[pagename].astext()]
    )
    parts = [
        [part["at"], part["title"]]
        + [" ".join(" ".join(part[kind]).split()) for kind in ("terms", "text", "code")]
        for part in Texts(doctree).found
    ]
    path = kept(app, pagename)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([title, parts], ensure_ascii=False), encoding="utf-8")


def kept(app, pagename):
    """Return where the texts of a page are kept."""
    return Path(app.doctreedir) / "sections" / f"{pagename}.json"


def make_search_page(app):
    """Write the texts of all pages in reading order, and return the search page."""
    root = app.config.root_doc
    pages = []
    for name in [root, *app.env.toctree_includes.get(root, [])]:
        if kept(app, name).exists():  # the index has no text of its own
            title, parts = json.loads(kept(app, name).read_text(encoding="utf-8"))
            worth = next((w for start, w in WORTH.items() if name.startswith(start)), 1)
            pages.append([app.builder.get_target_uri(name), title, worth, parts])
    texts = json.dumps(pages, ensure_ascii=False, separators=(",", ":"))
    script = Path(app.outdir) / "_static" / "sections.js"
    script.write_text(f"const SECTIONS = {texts};\n", encoding="utf-8")
    return [("search", {"title": "Search", "body": BODY}, "page.html")]


def load_scripts(app, pagename, templatename, context, doctree):
    """Load the scripts of the search on its page only."""
    if pagename == "search":
        app.add_js_file("sections.js", defer="defer")
        app.add_js_file("search.js", defer="defer")


def leave_out_the_search_of_sphinx(app):
    """Make neither its index nor its page."""
    app.builder.search = False


def setup(app):
    """Register the extension with Sphinx."""
    app.connect("builder-inited", leave_out_the_search_of_sphinx)
    app.connect("html-page-context", keep_texts)
    app.connect("html-page-context", load_scripts)
    app.connect("html-collect-pages", make_search_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
