"""The built site: nothing stale, nothing executed in vain, no warning."""

import re
import shutil

import jupytext
import nbformat
import pytest

from tests.building import SITE, build
from tests.pages import PAGES, ROOT

# A tiny book


@pytest.fixture
def tiny_book(tmp_path):
    """A book of one page that prints what a function in src returns and counts its runs."""
    shutil.copytree(ROOT / "book" / "_ext", tmp_path / "book" / "_ext")
    module(tmp_path).parent.mkdir(parents=True)
    module(tmp_path).write_text("def answer():\n    return 'first'\n")
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    (tmp_path / "_config.yml").write_text(
        """
title: Tiny
execute: {execute_notebooks: cache}
sphinx:
  local_extensions:
    exec_cache: book/_ext
    ahead: book/_ext
    warn_again: book/_ext
    patches: book/_ext
  config: {nb_execution_raise_on_error: true, nb_merge_streams: true}
"""
    )
    write_page(tmp_path)
    return tmp_path


def module(book):
    return book / "src" / "stable_softmax" / "__init__.py"


def write_page(book, text="Text."):
    header = (ROOT / "index.md").read_text().split("---\n")[1]
    (book / "index.md").write_text(
        f"---\n{header}---\n# Tiny\n\n{text}\n\n```{{code-cell}} ipython3\n"
        "import time\n"
        "from stable_softmax import answer\n"
        "open('runs', 'a').write('x')\n"
        "print('It says', answer(), end='', flush=True)\n"
        "time.sleep(0.5)  # the kernel sends the first piece meanwhile\n"
        "print(', in one line.')\n```\n"
    )


def build_tiny(book):
    """Build, and return what the page says, how often it has run by now, and the exit code."""
    code, log = build(book, PYTHONPATH=str(book / "src"))
    page = (book / "_build" / "html" / "index.html").read_text()
    said = re.search(r"It says (\w+)", page)
    runs = sum(len(path.read_text()) for path in book.rglob("runs"))
    return said and said[1], runs, code, log


def test_an_edited_function_shows_its_new_output_and_nothing_runs_without_need(tiny_book):
    said, runs, code, log = build_tiny(tiny_book)
    assert (said, runs, code) == ("first", 1, 0), log
    said, runs, code, log = build_tiny(tiny_book)
    assert (said, runs, code) == ("first", 1, 0), f"nothing had changed\n{log}"
    write_page(tiny_book, "Other text.")
    said, runs, code, log = build_tiny(tiny_book)
    assert (said, runs, code) == ("first", 1, 0), f"text is no reason to run a page\n{log}"

    source = module(tiny_book)
    source.write_text(source.read_text().replace("first", "second"))
    said, runs, code, log = build_tiny(tiny_book)
    assert (said, runs, code) == ("second", 2, 0), f"the page is stale\n{log}"
    source.write_text(source.read_text().replace("second", "first"))
    said, runs, code, log = build_tiny(tiny_book)
    assert (said, runs, code) == ("first", 2, 0), f"the way back is cached\n{log}"
    assert len(list((tiny_book / "_build" / ".jupyter_cache").iterdir())) == 2


def test_a_line_that_is_printed_in_pieces_stays_one_line(tiny_book):
    assert build_tiny(tiny_book)[2] == 0
    page = (tiny_book / "_build" / "html" / "index.html").read_text()
    assert "It says first, in one line." in page


def test_a_build_that_failed_fails_again_until_the_fault_is_mended(tiny_book):
    write_page(tiny_book, "{unknown-role}`text`")
    for attempt in ["first", "repeated"]:
        *_, code, log = build_tiny(tiny_book)
        assert code != 0 and "unknown-role" in log, f"the {attempt} build passed"
    write_page(tiny_book, "Mended.")
    *_, code, log = build_tiny(tiny_book)
    assert code == 0, log


# The real book


@pytest.fixture(scope="module")
def site(site_build):
    """The site, built as `make book` builds it, in the same folder."""
    code, log = site_build
    problems = [line for line in log.splitlines() if re.search(r"WARNING|ERROR|Error", line)]
    return code, problems or log.splitlines()[-20:]


def test_the_strict_build_has_no_warning(site):
    code, problems = site
    assert code == 0, "\n".join(problems)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_of_the_table_of_contents_is_built(site, page):
    text = (SITE / f"{page}.html").read_text(encoding="utf-8")
    assert "<h1>" in text and "Traceback (most recent call last)" not in text


@pytest.mark.parametrize("page", PAGES)
def test_every_page_with_code_is_published_as_a_notebook_with_the_same_code(site, page):
    read = [cell.source for cell in jupytext.read(ROOT / f"{page}.md").cells if is_code(cell)]
    path = SITE / "notebooks" / f"{page.removeprefix('book/')}.ipynb"
    assert path.exists() == bool(read)
    if read:
        _, *published = [
            c.source
            for c in nbformat.read(path, 4).cells
            if is_code(c) and "guess" not in c.metadata.get("tags", [])  # to be filled in
        ]
        assert published == read


def is_code(cell):
    return cell.cell_type == "code"
