"""The way out of Jupyter Book 1: Sphinx alone builds the book from the configuration written."""

import runpy
import shutil
import subprocess
import sys

import pytest

from tests.pages import ROOT

CONFIG = "from jupyter_book.cli.main import main; main()"


def run(*command, folder):
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, encoding="utf-8", timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """A book of two pages with the settings and extensions of this one, and its conf.py."""
    root = tmp_path_factory.mktemp("plain")
    for folder in ["book/_ext", "book/_static", "book/explorables", "book/run_in_page"]:
        shutil.copytree(ROOT / folder, root / folder)
    shutil.copy(ROOT / "_config.yml", root)
    shutil.copy(ROOT / "book/references.bib", root / "book")
    (root / "_toc.yml").write_text("format: jb-book\nroot: index\nchapters:\n- file: book/two\n")
    (root / "book/two.md").write_text("# Two\n\nText.\n")
    (root / "index.md").write_text(
        "(ch-one)=\n# One\n\n{ref}`ch-one` on $\\softmax$, {cite}`goldberg1991`.\n\n"
        "```{bibliography}\n```\n"
    )
    run("-m", "book_tools.plain_sphinx", ".", folder=root)
    return root


@pytest.fixture(scope="module")
def settings(book, tmp_path_factory):
    """What Jupyter Book writes, and what is written here."""
    original = tmp_path_factory.mktemp("original")
    shutil.copy(book / "_config.yml", original)
    run("-c", CONFIG, "config", "sphinx", ".", folder=original)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path])  # a configuration adds to it
        return [runpy.run_path(str(folder / "conf.py")) for folder in (original, book)]


def test_only_the_wrapper_and_its_parts_that_need_an_old_sphinx_are_left_out(settings):
    original, plain = settings
    left_out = [name for name in original["extensions"] if name not in plain["extensions"]]
    assert left_out == ["jupyter_book", "sphinx_comments"]
    assert plain["extensions"] == [n for n in original["extensions"] if n not in left_out]


def test_every_other_setting_is_that_of_jupyter_book_with_pairs_for_lists_of_two(settings):
    original, plain = settings
    names = {name for name in original if not name.startswith("__")} - {"extensions"}
    assert len(names) > 40
    changed = {name for name in names if plain[name] != original[name]}
    assert plain["patches_any_version"] is True
    assert changed == {"html_css_files", "html_js_files", "nitpick_ignore_regex"}
    for name in changed:
        assert [list(v) if isinstance(v, tuple) else v for v in plain[name]] == original[name]
        assert all(isinstance(value, str | tuple) for value in plain[name])


def test_sphinx_alone_builds_the_book_without_a_warning(book):
    strict = ["-W", "--keep-going", "-n", "-q", "-D", "nb_execution_mode=off"]
    run("-m", "sphinx", *strict, ".", "_build/plain", folder=book)
    page = (book / "_build/plain/index.html").read_text(encoding="utf-8")
    assert "<mi>softmax</mi>" in page, "a formula is set, with the macros of the settings"
    assert "[Gol91]" not in page and "Goldberg" in page, "authors and years, as the settings say"
    assert "in-this-chapter" in (book / "_build/plain/_static/style.css").read_text("utf-8")
