"""Lead from the name of a function to the pages of the package, and from there to its source.

A name in a text is a link where a section names it first; one that might be any word, such as
``exp``, only on a page that imports it. In a cell, the names that the page has imported from the
package are links, and in a printed source the name that is defined there. Links in code are not tab
stops, except in the cell that imports the names: a reader with a keyboard finds all of them there.
The files in the box "In this chapter" lead to their modules and, if they are tests, to the
repository.
"""

import functools
import inspect
import re
import sys
from pathlib import Path

from docutils import nodes

PACKAGE = "stable_softmax"
KINDS = {"function", "class", "data"}
CALL = re.compile(r"(?:([\w.]+)\.)?(\w+)(?:\(.*\))?", re.DOTALL)
IMPORT = re.compile(rf"from ({PACKAGE}[\w.]*) import (?:\(([^)]*)\)|(.*))")
LISTING = re.compile(r"<pre>.*?</pre>", re.DOTALL)
DOT, EQUALS = '<span class="o">.</span>', '<span class="o">=</span>'  # another's, and an argument
NAME = re.compile(rf'(?<!{re.escape(DOT)})<span class="(n|nf)">(\w+)</span>(?!{EQUALS})')


@functools.cache
def targets(env):
    """Return where each name of the package is described, under its last part and in full.

    A last part that two modules have leads nowhere by itself.

    Returns
    -------
    dict of str to (str, str)
        A page and a place on it.
    """
    found, last = {}, {}
    for name, entry in env.domaindata["py"]["objects"].items():
        if entry.objtype in KINDS and not entry.aliased:
            found[name] = entry.docname, entry.node_id
            last.setdefault(name.rpartition(".")[2], []).append(found[name])
    return found | {name: places[0] for name, places in last.items() if len(places) == 1}


def imported(env, doctree):
    """Return the places of the names that the cells of a page import, by these names."""
    places = {}
    for block in doctree.findall(nodes.literal_block):
        for module, many, one in IMPORT.findall(block.astext()):
            for name in re.findall(r"\w+", many or one):
                place = find(env, f"{module}.{name}") or targets(env).get(name)
                if place:
                    places[name] = place
    return places


def find(env, text, known=()):
    """Return the place that describes what a text names, ``f``, ``f(x)`` or ``module.f``.

    Parameters
    ----------
    env : sphinx.environment.BuildEnvironment
    text : str
    known : collection of str
        Names that need no underscore to be those of the package.

    Returns
    -------
    (str, str) or None
    """
    match = CALL.fullmatch(text)
    if not match:
        return None
    module, name = match.groups()
    if not module:
        return targets(env).get(name) if "_" in name or name in known else None
    endings = [f"{PACKAGE}.{module}.{name}", f"{module}.{name}"]
    return next((targets(env)[n] for n in endings if n in targets(env)), None)


def link_texts(app, doctree, docname):
    """Make links of names in the text of a page, and of files in the box at its beginning."""
    if app.builder.format != "html":
        return
    seen, known = set(), imported(app.env, doctree)
    for literal in list(
        doctree.findall(lambda n: isinstance(n, nodes.literal | nodes.title_reference))
    ):
        if inside(literal, nodes.title | nodes.reference | nodes.literal_block):
            continue
        place = known.get(literal.astext()) or find(app.env, literal.astext(), known)
        section = inside(literal, nodes.section)
        if place and (id(section), place) not in seen:
            seen.add((id(section), place))
            wrap(literal, app.builder.get_relative_uri(docname, place[0]) + f"#{place[1]}")
    for box in doctree.findall(nodes.admonition):
        if "in-this-chapter" in box["classes"]:
            link_files(app, box, docname)


def inside(node, kinds):
    """Return the nearest element around a node that is of some kinds, or None."""
    while node is not None and not isinstance(node, kinds):
        node = node.parent
    return node


def wrap(literal, address, internal=True):
    """Put a link around a piece of code."""
    link = nodes.reference("", "", internal=internal, refuri=address, classes=["to-code"])
    literal.replace_self(link)
    link += literal


def link_files(app, box, docname):
    """Make links of the names of files; one without a folder is in that of the file before it."""
    modules = app.env.domaindata["py"]["modules"]
    folder = Path()
    for literal in list(box.findall(nodes.literal)):
        path = Path(literal.astext())
        if path.suffix != ".py":
            continue
        folder = path.parent if path.parent.parts else folder
        path = folder / path.name
        module = modules.get(".".join(path.with_suffix("").parts[1:]))
        if module:
            address = app.builder.get_relative_uri(docname, module.docname)
            wrap(literal, f"{address}#{module.node_id}")
        else:
            wrap(literal, source(app.config, path.as_posix()), internal=False)


def source(config, path):
    """Return the address of a file in the repository."""
    options = config.html_theme_options
    return f"{options['repository_url']}/blob/{options['repository_branch']}/{path}"


def link_cells(app, pagename, templatename, context, doctree):
    """Make links of the names in the cells of a page, as they have been colored."""
    if doctree is None or "body" not in context:
        return
    places = imported(app.env, doctree)

    def link(match, stop):
        kind, name = match.groups()
        place = places.get(name) if kind == "n" else find(app.env, name, places)
        if not place or place[0] == pagename:
            return match[0]
        address = f"{app.builder.get_relative_uri(pagename, place[0])}#{place[1]}"
        return f'<a class="reference internal in-code" href="{address}"{stop}>{match[0]}</a>'

    def link_listing(listing):
        stop = "" if "use_book_style" in listing[0] else ' tabindex="-1"'
        return NAME.sub(lambda match: link(match, stop), listing[0])

    context["body"] = LISTING.sub(link_listing, context["body"])


def linkcode_resolve(domain, info):
    """Return the path of the source of a function and its lines, for sphinx.ext.linkcode."""
    thing = sys.modules.get(info["module"])
    for part in info["fullname"].split("."):
        thing = getattr(thing, part, None)
    try:
        lines, first = inspect.getsourcelines(inspect.unwrap(thing))
        path = Path(inspect.getsourcefile(inspect.unwrap(thing)))
    except TypeError:  # a number or a table of its module, or nothing
        return None
    path = path.relative_to(Path(sys.modules[PACKAGE].__file__).parents[1])
    return f"src/{path.as_posix()}#L{first}-L{first + len(lines) - 1}"


def find_sources(app, config):
    """Give sphinx.ext.linkcode the addresses."""

    def resolve(domain, info):
        path = linkcode_resolve(domain, info)
        return path and source(config, path)

    config.linkcode_resolve = resolve


def setup(app):
    """Register the extension with Sphinx."""
    app.setup_extension("sphinx.ext.linkcode")
    app.connect("config-inited", find_sources)
    app.connect("doctree-resolved", link_texts)  # after notebooks.py
    app.connect("html-page-context", link_cells)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
