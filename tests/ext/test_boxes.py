"""Hints below exercises, answers to claims, results of cells, boxes of the margin: a tiny build."""

import io

import nbformat
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

PAGE = """# One

:::{hint}
Subtract *first*.
:::

:::{admonition} Yes & no
:class: answer
It *depends*.
:::

:::{admonition} Law: look *before* you leap
:class: law
A law is seen.
:::

:::{sidebar} In the wild
A bug.
:::
"""


def notebook():
    """Return a page of executed cells, folded in each way that the book uses."""
    cells = [new_markdown_cell("# Two")]
    for tags in [[], ["hide-input"], ["hide-output"], ["hide-input", "hide-output"]]:
        output = new_output("stream", text="42\n")
        cells.append(new_code_cell("print(42)", metadata={"tags": tags}, outputs=[output]))
    for i, cell in enumerate(cells):
        cell["id"] = f"cell-{i}"  # as in every build
    language = {"language_info": {"name": "python", "pygments_lexer": "python"}}
    return nbformat.writes(new_notebook(cells=cells, metadata=language))


def built(folder, builder, name="index.md", page=PAGE):
    """Build one page, without a warning, and return its text."""
    (folder / "source").mkdir(exist_ok=True)
    (folder / "source" / name).write_text(page, encoding="utf-8")
    settings = {
        "extensions": ["myst_nb", "boxes"],
        "myst_enable_extensions": ["colon_fence"],
        "nb_execution_mode": "off",
        "source_suffix": {".md": "myst-nb", ".ipynb": "myst-nb"},  # Sphinx shares its default
    }
    out, warnings = folder / builder, io.StringIO()
    with docutils_namespace():
        Sphinx(
            folder / "source",
            None,
            out,
            folder / "trees",
            builder,
            settings,
            status=None,
            warning=warnings,
            freshenv=True,
        ).build()
    assert warnings.getvalue() == ""
    return next(out.glob("index.*")).read_text(encoding="utf-8")


def test_a_hint_is_folded_on_the_site_and_needs_no_script(tmp_path):
    page = BeautifulSoup(built(tmp_path, "html"), "html.parser")
    fold, _ = page.select("details.hint")
    assert fold.select_one("summary").text == "Hint"
    assert fold.select_one("p em").text == "first" and not fold.has_attr("open")


def test_an_answer_is_folded_under_its_title_and_no_other_box_is(tmp_path):
    page = BeautifulSoup(built(tmp_path, "html"), "html.parser")
    _, fold = page.select("details")
    assert fold.select_one("summary").text == "Yes & no" and not fold.has_attr("open")
    assert fold.select_one("p em").text == "depends"
    assert not page.select_one("div.admonition").find_parent("details")


def test_the_word_law_is_set_apart_and_the_title_reads_as_ever(tmp_path):
    page = BeautifulSoup(built(tmp_path, "html"), "html.parser")
    [title] = page.select("div.law .admonition-title")
    assert title.text == "Law: look before you leap"
    assert title.select_one(".kind").next.text == "Law"
    assert title.select_one(".kind .visually-hidden").text == ": "
    assert title.select_one(".statement").text == "look before you leap"
    assert title.select_one(".statement em").text == "before"
    assert "Law: look *before* you leap" in built(tmp_path, "text")


def test_elsewhere_their_text_is_shown(tmp_path):
    text = built(tmp_path, "text")
    assert "Subtract *first*." in text and "Yes & no" in text and "It *depends*." in text


def test_the_fold_of_a_result_says_so_and_that_of_code_is_as_ever(tmp_path):
    page = BeautifulSoup(built(tmp_path, "html", "index.ipynb", notebook()), "html.parser")
    folds = [list(fold.summary.stripped_strings) for fold in page.select("details")]
    code = ["Show code cell source", "Hide code cell source"]
    result = ["Show the result", "Hide the result"]
    assert folds == [code, result, code, result]


def test_a_box_of_the_margin_is_a_note_and_no_part_beside_the_page(tmp_path):
    page = BeautifulSoup(built(tmp_path, "html"), "html.parser")
    [box] = page.select("aside.sidebar")
    assert box["role"] == "note" and box.select_one(".sidebar-title").text == "In the wild"
