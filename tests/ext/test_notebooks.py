"""The published notebooks: complete, readable without MyST, the same from every build."""

import ast
import importlib
import re
import shutil
import subprocess
import sys
from html import unescape
from types import SimpleNamespace

import jupytext
import nbformat
import notebooks as notebooks_extension
import pytest
from docutils import nodes
from IPython.core.interactiveshell import InteractiveShell
from nbformat import v4
from traitlets.config import Config

from tests.pages import ROOT

SITE = "https://example.org/tiny/"
CONFIG = r"""
title: Tiny
execute: {execute_notebooks: cache}
parse: {myst_enable_extensions: [colon_fence, dollarmath]}
repository: {url: https://github.com/example/tiny, branch: main}
launch_buttons:
  notebook_interface: jupyterlab
  binderhub_url: https://mybinder.org
  colab_url: https://colab.research.google.com
  jupyterhub_url: https://hub.example.org
html: {baseurl: https://example.org/tiny/}
bibtex_bibfiles: [references.bib]
sphinx:
  extra_extensions: [sphinx_exercise]
  local_extensions:
    {exec_cache: book/_ext, explorable: book/_ext, notebooks: book/_ext, patches: book/_ext}
  config:
    numfig: true
    bibtex_reference_style: author_year
    mathjax3_config: {tex: {macros: {lse: "\\operatorname{lse}"}}}
    nb_execution_raise_on_error: true
"""
TOC = """
format: jb-book
root: index
parts:
  - numbered: 1
    chapters: [{file: book/first}, {file: book/second}]
  - chapters: [{file: book/words}, {file: book/third}, {file: book/solutions/second}]
"""
PAGES = {
    "index": "# Tiny",
    "book/words": """
# Words

```{glossary}
gap
  A hole.
```

```{bibliography}
```
""",
    "book/first": r"""
(ch-first)=
# First

$$
a = b
$$ (eq-first)
""",
    "book/second": r"""
# Second

See {ref}`ch-first`, {eq}`eq-first`, {eq}`eq-second`, {numref}`fig-dot`, {ref}`ex-add`,
{term}`gap` and {cite:p}`doe2001`; *not* 2 \* 3 \* 4, but a_b, \_c, $\lse(x)$, `` a`b ``.[^note]

```{code-cell} ipython3
:tags: [hide-input]

%precision 3

from IPython.display import SVG
open("runs", "a").write("x")
```

:::{admonition} Law: of $x$
:class: law
The law is

$$
x
= \lse(x) .
$$

- one
  1. deeper
- two
:::

:::{margin} In the wild
A bug.
:::

:::{admonition} The answer
:class: answer
It *depends*.
:::

:::{admonition} Predict
:class: tip predict
What is two?
:::

```{code-cell} ipython3
:tags: [hide-output]

1 + 1
```

## Tables and *figures*

$$
x = 1
$$ (eq-second)

| name | $\lvert x \rvert$ |
|:---|---:|
| `a\|b` | $\|x\|$, $\\|x\\|$ |

```{code-cell} ipython3
---
mystnb:
  figure:
    name: fig-dot
    caption: "A dot, for $\\lse$."
  image:
    alt: "A white dot"
---
SVG('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
```

:::{explorable} order
:name: exp-order
:caption: Move it.

It moves on the website.
:::

```{figure} dot.svg
:alt: A dot
Seen.
```

```text
listing
```

:::{exercise} Add *one*
:label: ex-add
Change the line.
:::

:::{hint}
Which *one*?
:::

```{code-cell} ipython3
:tags: [exercise]

x = 1  # change
```

```{code-cell} ipython3
x = 1  # change
```

[^note]: A note.
""",
    "book/third": """
# Third *page*

```{code-cell} ipython3
3
```
""",
    "book/solutions/second": r"""
# Solutions

:::{solution-start} ex-add
:label: sol-add
:::

Two things. First:

```{code-cell} ipython3
x = 2
```

:::{solution-end}
:::

```{code-cell} ipython3
:tags: [notebook-only]

print("played", "with")
```
""",
}
SECOND = [
    "# 2. Second\n\n"
    f"See [First]({SITE}book/first.html#ch-first), "
    f"[(1.1)]({SITE}book/first.html#equation-eq-first), (2.1), Fig. 2.1, Exercise 2.1, "
    f"[gap]({SITE}book/words.html#term-gap) and [[Doe, 2001]({SITE}book/words.html#id2)]; "
    r"*not* 2 \* 3 \* 4, but a_b, \_c, $\operatorname{lse}(x)$, ``a`b``.<sup>1</sup>",
    """%precision 3

from IPython.display import SVG
open("runs", "a").write("x")""",
    r"""---

**Law: of $x$**

The law is

$$x = \operatorname{lse}(x) .$$

- one

  1. deeper
- two

---

> **In the wild**
>
> A bug.

<details><summary>The answer</summary>

It *depends*.

</details>

> **Predict**
>
> What is two?""",
    "my_guess = ...  # your prediction, in place of the dots, before you run the next cell",
    "1 + 1",
    'print("You predicted:", my_guess)',
    r"""## Tables and *figures*

$$
x = 1
\tag{2.1}
$$

| name | $\lvert x \rvert$ |
| :--- | ---: |
| `a\|b` | $\vert x\vert $, $\Vert x\Vert $ |""",
    """SVG('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')""",
    r"""**Fig. 2.1.** A dot, for $\operatorname{lse}$.""",
    f"""> It moves on the website.
>
> [Open it there.]({SITE}book/second.html#exp-order)

**Fig. 2.2.** Move it.

![A dot]({SITE}_images/dot.svg)

**Fig. 2.3.** Seen.

```text
listing
```

**Exercise 2.1** (Add *one*)

Change the line.

<details><summary>Hint</summary>

Which *one*?

</details>""",
    "x = 1  # change",
    "x = 1  # change",
    "---\n\n<sup>1</sup> A note.",
    f"**Next:** [Third page](third.ipynb), or [on the website]({SITE}book/third.html)",
]  # fmt: skip
SOLUTION = [
    f"""# Solutions

**Solution to [Exercise 2.1 (Add *one*)]({SITE}book/second.html#ex-add)**

Two things. First:""",
    "x = 2",
    'print("played", "with")',
]  # fmt: skip


def write_book(folder):
    header = (ROOT / "index.md").read_text().split("---\n")[1]
    shutil.copytree(ROOT / "book" / "_ext", folder / "book" / "_ext")
    (folder / "book" / "solutions").mkdir()
    (folder / "_config.yml").write_text(CONFIG)
    (folder / "_toc.yml").write_text(TOC)
    for page, text in PAGES.items():
        code = f"---\n{header}---\n" if "{code-cell}" in text else ""
        (folder / f"{page}.md").write_text(code + text)
    (folder / "book" / "dot.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    (folder / "references.bib").write_text(
        "@book{doe2001, author={Doe, Jo}, title={All}, publisher={Me}, year={2001}}"
    )


def build(book, *options):
    main = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", main, "build", ".", "-W", "-n", "--keep-going", *options]
    done = subprocess.run(command, cwd=book, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def files(folder):
    """The notebooks in a folder, as bytes."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.ipynb")}


def without_execution(book):
    build(book, "--builder", "custom", "--custom-builder", "notebooks")
    return files(book / "_build" / "notebooks")


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """A small book, built as a site."""
    folder = tmp_path_factory.mktemp("book")
    write_book(folder)
    build(folder)
    return folder


@pytest.fixture(scope="module")
def notebooks(book):
    return files(book / "_build" / "html" / "notebooks")


def cells(notebooks, name):
    return nbformat.reads(notebooks[name].decode(), 4).cells


def test_every_page_with_code_has_its_notebook_and_no_other_page(notebooks):
    assert notebooks.keys() == {"second.ipynb", "third.ipynb", "solutions/second.ipynb"}


def test_a_notebook_is_valid_and_has_no_outputs(notebooks):
    for text in notebooks.values():
        notebook = nbformat.reads(text.decode(), 4)
        nbformat.validate(notebook)
        assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
        assert notebook.metadata.kernelspec.name == "python3"
        assert notebook.metadata.language_info == {"name": "python"}
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


def test_the_text_is_plain_markdown_with_all_references_resolved(notebooks):
    for name, expected in [("second.ipynb", SECOND), ("solutions/second.ipynb", SOLUTION)]:
        title, _, *rest = cells(notebooks, name)
        assert [cell.source for cell in [title, *rest]] == expected


def test_the_title_stands_first_and_what_installs_is_folded_below_it(notebooks):
    for name in notebooks:
        title, install, *_ = cells(notebooks, name)
        assert title.source.startswith("# ")
        assert "find_spec" in install.source and install.metadata.jupyter.source_hidden


def test_the_end_of_a_chapter_leads_to_the_next_and_never_to_solutions(notebooks):
    links = [
        re.findall(r"\(([\w/.]+\.ipynb)\)", cells(notebooks, name)[-1].source)
        for name in ["second.ipynb", "third.ipynb", "solutions/second.ipynb"]
    ]
    assert links == [["third.ipynb"], [], []]


@pytest.mark.parametrize("page", ["book/second", "book/solutions/second"])
def test_the_code_is_that_of_the_source(book, notebooks, page):
    found = cells(notebooks, f"{page.removeprefix('book/')}.ipynb")[2:]
    expected = jupytext.read(book / f"{page}.md").cells
    sources = [
        [
            c.source
            for c in both
            if c.cell_type == "code" and "guess" not in c.metadata.get("tags", [])
        ]
        for both in (found, expected)
    ]
    assert sources[0] == sources[1]


def test_tags_are_kept_and_hidden_code_is_folded(notebooks):
    code = [c.metadata for c in cells(notebooks, "second.ipynb")[2:] if c.cell_type == "code"]
    hidden = {"tags": ["hide-input"], "jupyter": {"source_hidden": True}}
    guess, folded = {"tags": ["guess"]}, {"tags": ["hide-output"]}
    assert code == [hidden, guess, folded, guess, {}, {"tags": ["exercise"]}, {}]


@pytest.mark.parametrize("name", ["second", "solutions/second"])
def test_every_button_opens_the_notebook(book, name):
    page = book / "_build" / "html" / "book" / f"{name}.html"
    links = [unescape(link) for link in re.findall(r'href="([^"]+)"', page.read_text())]
    tiny, path = "github/example/tiny", f"notebooks/{name}.ipynb"
    assert f"https://mybinder.org/v2/gh/example/tiny/main?urlpath=lab/tree/{path}" in links
    assert f"https://colab.research.google.com/{tiny}/blob/gh-pages/{path}" in links
    hub = "https://hub.example.org/hub/user-redirect/git-pull"
    hub += "?repo=https%3A//github.com/example/tiny"
    assert f"{hub}&urlpath=lab/tree/tiny/{path}&branch=gh-pages" in links
    downloads = [link for link in links if link.endswith((".ipynb", ".md"))]
    downloads = [link for link in downloads if not link.startswith("http")]
    assert [link.lstrip("./") for link in downloads] == [path, f"_sources/book/{name}.md"]
    assert all((page.parent / link).is_file() for link in downloads)


def test_a_cell_for_the_notebook_only_is_not_on_the_page(book, notebooks):
    assert [c.source for c in cells(notebooks, "solutions/second.ipynb")][-1] in SOLUTION
    page = (book / "_build" / "html" / "book" / "solutions" / "second.html").read_text()
    assert "played" not in page and "cell_input" in page


def test_the_copies_of_the_theme_are_gone(book, notebooks):
    everything = files(book / "_build" / "html")
    assert everything.keys() == {f"notebooks/{name}" for name in notebooks}


def run(monkeypatch, source, installed):
    """Run a first cell where only some modules are installed, and return what it asks pip for."""
    find_spec, asked = importlib.util.find_spec, []
    settings = Config()
    settings.HistoryManager.enabled = False
    shell = InteractiveShell(config=settings)
    shell.register_magic_function(asked.append, magic_name="pip")
    missing = {"stable_softmax", "scipy", "torch", "sklearn"} - set(installed)
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in missing else find_spec(name)
    )
    shell.run_cell(source).raise_error()
    monkeypatch.undo()
    return asked


def test_the_first_cell_installs_what_is_missing_and_nothing_else(monkeypatch):
    code = "from scipy import special\nx = load_digits_split()"
    source = first_cell(code)
    package = "stable-softmax[book]@https://github.com/example/tiny/archive/main.zip"
    asked = run(monkeypatch, source, [])
    assert asked == [f"install --quiet {package} scipy scikit-learn"]
    assert run(monkeypatch, source, ["stable_softmax", "sklearn"]) == ["install --quiet scipy"]
    assert run(monkeypatch, source, ["stable_softmax", "sklearn", "scipy"]) == []


def first_cell(*sources):
    options = {"repository_url": "https://github.com/example/tiny", "repository_branch": "main"}
    config = SimpleNamespace(html_title="Tiny", html_theme_options=options)
    page = SimpleNamespace(config=config, address=SITE)
    return notebooks_extension.first_cell(
        page, [SimpleNamespace(source=text) for text in sources]
    ).source


def imported(source):
    """The first names of the modules that a cell imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.split(".")[0]


@pytest.mark.parametrize("page", sorted(ROOT.glob("book/**/*.md")), ids=lambda path: path.stem)
def test_what_a_page_of_the_book_imports_is_installed_with_it(page):
    cells = [c.source for c in jupytext.read(page).cells if c.cell_type == "code"]
    brought = {"numpy", "stable_softmax", "ml_dtypes", *sys.stdlib_module_names}
    wanted = {name for source in cells for name in imported(source)} - brought
    wanted.discard("pytorch")  # an error that a chapter shows
    listed = set(re.findall(r'^    "(\w+)":', first_cell(*cells), re.MULTILINE))
    assert wanted <= listed


@pytest.mark.parametrize(
    "module", ["experiments.recovery", "experiments.training", "libraries.autograd"]
)
def test_a_notebook_that_imports_a_module_which_trains_asks_for_pytorch(module):
    name = f"stable_softmax.{module}"
    assert importlib.util.find_spec(name), "the module has moved: tell the first cell"
    assert '"torch": "torch' in first_cell(f"from {name} import something")
    assert "torch" not in first_cell("from stable_softmax import something")


def test_the_same_files_come_from_a_cached_build_and_from_the_builder(book, notebooks):
    runs = (book / "book" / "runs").read_text()
    shutil.rmtree(book / "_build" / "html")
    shutil.rmtree(book / "_build" / ".doctrees")
    build(book)
    assert files(book / "_build" / "html" / "notebooks") == notebooks
    assert without_execution(book) == notebooks
    assert (book / "book" / "runs").read_text() == runs == "x"


def test_an_edit_changes_the_identifier_of_its_cell_only():
    def ids(*sources):
        cells = [v4.new_code_cell(source) for source in sources]
        notebooks_extension.name_cells(cells, "book/second")
        return [cell.id for cell in cells]

    x, y, x_again = ids("x", "y", "x")
    assert len({x, y, x_again}) == 3
    assert ids("new", "x", "z", "x")[1::2] == [x, x_again]


def test_what_has_no_markdown_is_a_warning(monkeypatch):
    said = []
    monkeypatch.setattr(
        notebooks_extension.logger, "warning", lambda text, *values, **_: said.append(values)
    )
    config = SimpleNamespace(html_baseurl=SITE, mathjax3_config={})
    page = notebooks_extension.Page(SimpleNamespace(env=None, config=config), "book/second")
    paragraph = nodes.paragraph("", "", nodes.Text("x"), nodes.subscript("", "2"))
    assert list(page.blocks(nodes.section("", paragraph, nodes.topic()))) == ["x"]
    assert said == [("subscript",), ("topic",)]
