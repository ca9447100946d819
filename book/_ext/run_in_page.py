"""Let readers edit and run the cells of a page in the page itself.

Where ``make runtime`` has put Python for browsers into ``_build/runtime``, each cell gets a bar:
buttons, or one line that says what the cell needs and a page lacks. The site gets a folder ``run``
with that Python, the editor, the two scripts of ``book/run_in_page`` that are loaded by the first
click, the book's own package with the pure Python libraries that it imports, and MathJax, which
the first formula in a result loads. Without the runtime, the book is built without buttons.

The bar is shown only where it can work: not for a file, in print, or without WebAssembly.
"""

import hashlib
import importlib.util
import io
import json
import shutil
import sys
import zipfile
from pathlib import Path

import formulas
from docutils import nodes
from sphinx.util import logging

from book_tools.runtime import CONTENTS, FOLDER, IN_SITE, SHOW_BUTTONS, complete

SCRIPTS = Path(__file__).parents[1] / "run_in_page"
sys.path.append(str(SCRIPTS))  # what the pages run, they also ask
from runnable import lacking  # noqa: E402

logger = logging.getLogger(__name__)

LIBRARIES = [
    "stable_softmax",
    "array_api_compat",
    "markdown_it",
    "mdit_py_plugins",
    "mdurl",
    "mpmath",
]
PARTS = {  # of libraries that are too large for a page: file in the zip, library, file in it
    "IPython/lib/pretty.py": ("IPython", "lib/pretty.py"),
    "digits.csv.gz": ("sklearn", "datasets/data/digits.csv.gz"),
}
NOT_COPIED = {"__pycache__", "tests", "_static"}
FIRST_LOAD = ["pyodide.asm.wasm.gzip", "python_stdlib.zip", "pyodide-lock.json", "numpy-*.whl"]
BUTTON = '<button type="button" data-run="{}" aria-label="{} cell {}">{}</button>'


class run_bar(nodes.Invisible, nodes.Element):
    """The bar of a cell: its number, and what it needs that a page lacks, or None."""


def visit_html(self, node):
    """Write the bar."""
    if node["needs"]:
        content = f"<span>Needs {node['needs']}: open the chapter as a notebook to run it.</span>"
    else:
        number = node["number"]
        content = "".join(BUTTON.format(t.lower(), t, number, t) for t in ["Run", "Edit"])
    self.body.append(f'<div class="run-bar">{content}</div>\n')
    raise nodes.SkipNode


def look_for_runtime(app, config):
    """Find out whether there is Python for browsers; all pages are written anew if that changes."""
    config.run_in_page = complete(runtime(app))
    if not config.run_in_page:
        logger.info("The pages get no Run buttons: there is no runtime. See: make runtime")


def runtime(app):
    """Return the folder of the runtime."""
    return Path(app.srcdir) / FOLDER


def add_bars(app, doctree, docname):
    """Add a bar to each cell of a page of the site."""
    if not app.config.run_in_page or app.builder.name != "html":
        return
    cells = [c for c in doctree.findall(nodes.container) if c.get("nb_element") == "cell_code"]
    codes = [next(cell.findall(nodes.literal_block)) for cell in cells]
    tags = [cell["cell_metadata"].get("tags", []) for cell in cells]
    lacks = lacking([code.astext() for code in codes], tags)
    for number, (code, lack) in enumerate(zip(codes, lacks, strict=True), 1):
        code.parent += run_bar(needs=lack, number=number)


def add_scripts(app, pagename, templatename, context, doctree):
    """Load the script of the buttons on the pages that have some."""
    if doctree is not None and any(doctree.findall(run_bar)):
        app.add_js_file(None, body=SHOW_BUTTONS, priority=100)
        app.add_js_file("buttons.js", defer="defer")


def publish(app, exception):
    """Put into the site what the buttons load."""
    if exception or app.builder.name != "html":
        return
    folder = Path(app.outdir) / IN_SITE
    if folder.exists():
        shutil.rmtree(folder)
    if not app.config.run_in_page:
        return
    shutil.copytree(runtime(app), folder, ignore=shutil.ignore_patterns(CONTENTS))
    for name in ["session.js", "session.css", "worker.js"]:
        shutil.copy(SCRIPTS / name, folder)
    add_mathjax(folder / "mathjax", app.config)
    content = book_zip()
    book = f"book-{hashlib.sha256(content).hexdigest()[:12]}.zip"
    (folder / book).write_bytes(content)
    first = [path for pattern in [*FIRST_LOAD, book] for path in folder.glob(pattern)]
    lock = hashlib.sha256((folder / "pyodide-lock.json").read_bytes()).hexdigest()[:12]
    about = {"version": lock, "book": book, "size": sum(path.stat().st_size for path in first)}
    (folder / "run.json").write_text(json.dumps(about))


def add_mathjax(folder, config):
    """Write MathJax for a browser, with the settings of the book; it waits until it is asked."""
    shutil.copytree(formulas.FONTS, folder / formulas.FONTS.relative_to(formulas.MATHJAX))
    settings = {"tex": formulas.tex_settings(config), "startup": {"typeset": False}}
    settings["options"] = {"enableMenu": False}  # with it, each formula would be a tab stop
    script = (formulas.MATHJAX / "tex-chtml.js").read_text("utf-8")
    text = f"window.MathJax = {json.dumps(settings)};\n{script}"
    (folder / "tex-chtml.js").write_text(text, "utf-8")


def book_zip():
    """Return a zip of what the kernel of a page imports; equal files give equal bytes.

    Returns
    -------
    bytes
    """
    files = {path.name: path for path in SCRIPTS.glob("*.py")}
    files |= {name: place(library) / part for name, (library, part) in PARTS.items()}
    for library in LIBRARIES:
        root = place(library)
        for path in root.rglob("*"):
            inside = path.relative_to(root.parent)
            if path.is_file() and not NOT_COPIED & set(inside.parts):
                files[inside.as_posix()] = path
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name), files[name].read_bytes(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def place(library):
    """Return the folder of an installed library."""
    return Path(importlib.util.find_spec(library).origin).parent


def setup(app):
    """Register the extension with Sphinx."""
    app.add_config_value("run_in_page", False, "html", bool)
    app.add_node(run_bar, html=(visit_html, None))
    app.connect("config-inited", look_for_runtime)
    app.connect("doctree-resolved", add_bars)
    app.connect("html-page-context", add_scripts)
    app.connect("build-finished", publish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
