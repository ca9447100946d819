"""The bars of the cells, and what the site gets to run them, with a runtime and without."""

import io
import json
import zipfile

import nbformat
import pytest
import run_in_page
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

SOURCES = ["import numpy as np\nnp.exp(1)", "import torch\nx = torch.ones(1)", "x + 1"]
RUNTIME = ["pyodide.asm.wasm.gzip", "python_stdlib.zip", "numpy-2.whl", "matplotlib-3.whl"]


def notebook():
    cells = [new_markdown_cell("# Page")]
    for source in SOURCES:
        cells.append(new_code_cell(source, outputs=[new_output("stream", text="42\n")]))
    for i, cell in enumerate(cells):
        cell["id"] = f"cell-{i}"
    language = {"language_info": {"name": "python", "pygments_lexer": "python"}}
    return nbformat.writes(new_notebook(cells=cells, metadata=language))


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Return a function that builds a page of three cells and one without: (folder, pages)."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "index.ipynb").write_text(notebook(), encoding="utf-8")
    (source / "text.md").write_text("---\norphan: true\n---\n# Text\n", encoding="utf-8")
    monkeypatch.setattr(run_in_page, "complete", lambda folder: (folder / "numpy-2.whl").exists())

    def builder(name="html", **settings):
        out, warnings = tmp_path / name, io.StringIO()
        settings |= {"extensions": ["myst_nb", "run_in_page"], "nb_execution_mode": "off"}
        settings |= {"source_suffix": {".md": "myst-nb", ".ipynb": "myst-nb"}}
        with docutils_namespace():
            Sphinx(source, None, out, tmp_path / "trees", name, settings, None, warnings).build()
        assert warnings.getvalue() == ""
        pages = [
            BeautifulSoup(path.read_text("utf-8"), "html.parser") for path in out.glob("*.html")
        ]
        return out, {page.h1.contents[0]: page for page in pages if page.h1}

    builder.runtime = source / "_build" / "runtime"
    return builder


def add_runtime(folder):
    folder.mkdir(parents=True)
    for name in RUNTIME:
        (folder / name).write_text(name)
    (folder / "pyodide-lock.json").write_text("{}")
    (folder / "contents.json").write_text("{}")


def test_each_cell_has_its_buttons_or_says_what_it_needs(build):
    add_runtime(build.runtime)
    _, pages = build()
    first, *others = pages["Page"].select(".cell .run-bar")
    assert [button.text for button in first.select("button")] == ["Run", "Edit"]
    assert [button["aria-label"] for button in first.select("button")] == [
        "Run cell 1",
        "Edit cell 1",
    ]
    assert [bar.text for bar in others] == [
        "Needs PyTorch: open the chapter as a notebook to run it."
    ] * 2
    assert not pages["Text"].select(".run-bar")


def test_only_a_page_with_cells_loads_the_script(build):
    add_runtime(build.runtime)
    _, pages = build()
    for title, scripts in [("Page", 1), ("Text", 0)]:
        assert len(pages[title].select("script[src*='buttons.js']")) == scripts
        assert str(pages[title]).count("can-run") == scripts


def test_the_site_gets_the_runtime_the_scripts_and_the_package(build):
    add_runtime(build.runtime)
    out, _ = build()
    about = json.loads((out / "run/run.json").read_text())
    names = {path.name for path in (out / "run").iterdir()}
    assert names == {
        *RUNTIME, "pyodide-lock.json", "session.js", "session.css", "worker.js", "run.json",
        "mathjax", about["book"],
    }  # fmt: skip
    mathjax = out / "run/mathjax"
    assert (mathjax / "tex-chtml.js").read_text().startswith('window.MathJax = {"tex": {')
    assert (mathjax / "output/chtml/fonts/woff-v2/MathJax_Main-Regular.woff").exists()
    first = {name for name in names if name.startswith(("pyodide", "python", "numpy", "book"))}
    assert about["size"] == sum((out / "run" / name).stat().st_size for name in first)
    with zipfile.ZipFile(out / "run" / about["book"]) as archive:
        inside = set(archive.namelist())
    wanted = {"kernel.py", "flags.py", "runnable.py", "digits.csv.gz", "IPython/lib/pretty.py"}
    assert wanted | {"stable_softmax/softmax.py", "mpmath/__init__.py"} <= inside
    assert not [name for name in inside if "__pycache__" in name or "/tests/" in name]
    assert run_in_page.book_zip() == (out / "run" / about["book"]).read_bytes()


def test_without_a_runtime_there_are_no_bars_and_an_old_one_is_removed(build):
    out, pages = build()
    assert not pages["Page"].select(".run-bar") and not (out / "run").exists()
    add_runtime(build.runtime)
    out, pages = build()  # the pages are written again
    assert pages["Page"].select(".run-bar") and (out / "run").exists()
    (build.runtime / "numpy-2.whl").unlink()
    out, pages = build()
    assert not pages["Page"].select(".run-bar") and not (out / "run").exists()


def test_the_bar_is_on_the_site_only(build):
    add_runtime(build.runtime)
    out, _ = build("text")
    assert "Needs" not in (out / "index.txt").read_text() and not (out / "run").exists()
