"""Hints below exercises, answers to claims, results of cells, boxes of the margin: a tiny build."""

import io

import boxes
import nbformat
import pytest
from bs4 import BeautifulSoup
from docutils import nodes
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

SQUARE = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><path d="M0 0h9v9z"/></svg>'
IMPORTS = "import numpy as np\nuse_book_style()"
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
    hidden = {"tags": ["hide-input"]}
    cells.append(new_code_cell(IMPORTS, metadata=hidden))
    for data in ({"image/svg+xml": SQUARE}, {"text/markdown": "| a |\n|---|\n| 1 |"}):
        printed = new_output("stream", text="printed before\n")
        drawn = new_output("display_data", data=data)
        cells.append(new_code_cell("draw()", metadata=hidden, outputs=[printed, drawn]))
    both = {"tags": ["hide-input", "hide-output"]}
    drawn = new_output("display_data", data={"image/svg+xml": SQUARE})
    cells.append(new_code_cell("draw()", metadata=both, outputs=[drawn]))
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
        "nb_render_markdown_format": "myst",
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
    assert "Law: look before you leap" in built(tmp_path, "text")


def test_elsewhere_their_text_is_shown(tmp_path):
    text = built(tmp_path, "text")
    assert "Subtract *first*." in text and "Yes & no" in text and "It *depends*." in text


@pytest.fixture(scope="module")
def cells_of_page(tmp_path_factory):
    """The cells of a built page, parsed."""
    page = built(tmp_path_factory.mktemp("page"), "html", "index.ipynb", notebook())
    return BeautifulSoup(page, "html.parser").select("div.cell")


def test_each_fold_says_what_it_holds(cells_of_page):
    folds = [
        [next(iter(fold.summary.stripped_strings)) for fold in cell.select("details")]
        for cell in cells_of_page
    ]
    code, result = "The code of this step", "Show the result"
    figure, table = "How this figure is made", "How this table is made"
    assert folds == [
        [], [code], [result], [result, code], ["Imports"], [figure], [table], [result, figure]
    ]  # fmt: skip


def test_folded_code_stands_below_what_it_has_made(cells_of_page):
    for cell in cells_of_page[5:]:
        *others, code = cell.find_all(recursive=False)
        assert code.name == "details" and "quiet" in code["class"]
        assert code.select_one(".cell_input pre").text == "draw()\n"
        assert others and not any("draw()" in other.text for other in others)


def test_code_that_is_in_view_stays_above_its_result(cells_of_page):
    for cell in (cells_of_page[0], cells_of_page[2]):
        assert "cell_input" in cell.find()["class"]


@pytest.mark.parametrize(
    ("source", "only"),
    [
        ("import numpy as np\nfrom a.b import c\nuse_book_style()", True),
        ("import numpy as np\nx = 1", False),
        ("import numpy as np\nf()", False),
        ("%precision 3\nimport numpy", False),
    ],
)
def test_a_cell_of_imports_does_nothing_else(source, only):
    assert boxes.only_imports(source) is only


def test_the_listing_of_a_cell_is_its_code_wherever_it_stands():
    def part(name, text):
        box = nodes.container(nb_element=name)
        box += nodes.literal_block(text, text)
        return box

    for order in (1, -1):
        cell = nodes.container(nb_element="cell_code")
        cell.extend([part("cell_code_source", "code"), part("cell_code_output", "42")][::order])
        assert boxes.code_of(cell).astext() == "code"


def test_a_box_of_the_margin_is_a_note_and_no_part_beside_the_page(tmp_path):
    page = BeautifulSoup(built(tmp_path, "html"), "html.parser")
    [box] = page.select("aside.sidebar")
    assert box["role"] == "note" and box.select_one(".sidebar-title").text == "In the wild"
