"""The student edition: all of the book, and no word of a solution in any file.

That every exercise has a solution, and every solution an exercise, is tested in
test_house_rules.py.
"""

import html
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import jupytext
import pytest
import yaml
from bs4 import BeautifulSoup

from book_tools import student_edition
from tests.building import FLAGS, SITE
from tests.pages import PAGES, ROOT, TOC

STUDENT = ROOT / "_build" / "student"
STUDENT_SITE = STUDENT / "_build" / "html"
SOLUTIONS = [page for page in PAGES if page.startswith("book/solutions/")]
CHAPTERS = [page.replace("solutions/", "") for page in SOLUTIONS]
OPEN = [page for page in PAGES if page not in SOLUTIONS]
RUN = 6  # words in a row that give a solution away, if they stand nowhere else in the sources

# What readers do not see as it is typed, so that a row of words ends there.
ROLE = r"\{[\w:]+\}`([^`<]*)[^`]*`"
MARKUP = [
    r"\A---\n.*?^---$",  # the header
    r"^```.*?^```$",  # code, which is read as such
    r"^[:(][^\n]*",  # fences, options, labels
    r"\{[\w:]+\}`[^`]*`",  # roles
    r"\]\(.*?\)",  # addresses
]
FORMULAS = [r"\$\$.*?\$\$", r"\$.*?\$"]


def make(target):
    """Run a target of the Makefile with the Python that runs the tests, and return the result."""
    programs = os.path.relpath(Path(sys.executable).parent, ROOT)
    command = ["make", f"BIN={programs}", "-o", ".venv/ready", target]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", timeout=1200
    )


@pytest.fixture(scope="module")
def complete(site_build):
    """The folder of the complete edition."""
    code, log = site_build
    assert code == 0, log[-3000:]
    return SITE.parent


@pytest.fixture(scope="module")
def edition(complete):
    """What making the student edition prints, and the outputs it added to the cache.

    The complete edition was made before it, so that all of them are there.
    """
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    before = cached(complete)
    done = make("book-student")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout, cached(complete) - before


def cached(folder):
    """The executed pages in the cache, each with its time."""
    notebooks = (folder / ".jupyter_cache").rglob("base.ipynb")
    return {(path, path.stat().st_mtime_ns) for path in notebooks}


# What to look for, and where


def source(page):
    return (ROOT / f"{page}.md").read_text(encoding="utf-8")


def code_cells(text):
    return [c for c in jupytext.reads(text, "md:myst").cells if c.cell_type == "code"]


def rows(text):
    """Every few words in a row that are not numbers only."""
    words = re.findall(r"\w+", text.lower())
    found = zip(*(words[i:] for i in range(RUN)), strict=False)
    return {row for row in found if sum(word[0].isalpha() for word in row) >= RUN / 2}


def rows_of(texts):
    return set().union(*map(rows, texts))


@pytest.fixture(scope="module")
def secrets():
    """What gives each page of solutions away: rows of words that stand nowhere else."""
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "book" / "explorables").glob("*.js")]
    files += (ROOT / "book" / "run_in_page").iterdir()
    known = rows_of([path.read_text(encoding="utf-8") for path in files])
    for text in map(source, OPEN):
        known |= rows(text) | rows(re.sub(ROLE, r"\1", text))
    found = {}
    for page in SOLUTIONS:
        pieces = re.split("|".join(MARKUP), source(page), flags=re.S | re.M)
        found[page] = (
            rows_of([*pieces, *(cell.source for cell in code_cells(source(page)))]) - known
        )
    return found


def beside_formulas(page):
    """The rows of words that go through no formula: a page shows formulas without their sources."""
    return rows_of(re.split("|".join([*MARKUP, *FORMULAS]), source(page), flags=re.S | re.M))


def names(page):
    """The name of a page of solutions, and its labels."""
    return {page, *re.findall(r"\bsol-[\w-]+", source(page))}


def content(path):
    """All that can be read in a file: a page also without its tags, what is packed unpacked."""
    data = path.read_bytes()
    if path.suffix == ".zip":  # the package, for the pages that run their cells
        with zipfile.ZipFile(path) as archive:
            ours = [name for name in archive.namelist() if name.startswith("stable_softmax/")]
            data = b"\n".join(map(archive.read, ours))
    if path.name == "objects.inv":
        data = zlib.decompress(data.split(b"\n", 4)[4])
    text = data.decode("utf-8", errors="ignore")
    if path.suffix == ".html":  # a formula is set, and no longer the words of its source
        text = re.sub(r"<mjx-container.*?</mjx-container>", " ", text, flags=re.S)
        text += html.unescape(re.sub(r"</?[a-zA-Z!][^<>]*>", " ", text))
    return text.replace("\\n", " ") if path.suffix == ".ipynb" else text


def leaks(path, secrets):
    """What a file gives away."""
    text = content(path)
    found = {name for page in secrets for name in names(page) if name in f"{path}\n{text}"}
    return found | rows(text) & set().union(*secrets.values())


def indexed(site):
    """The pages that the search knows."""
    text = (site / "_static" / "sections.js").read_text(encoding="utf-8")
    pages = json.loads(text.removeprefix("const SECTIONS = ").removesuffix(";\n"))
    return [address.removesuffix(".html") for address, *_ in pages]


# What is not there


def test_no_file_holds_a_word_of_a_solution(edition, secrets):
    files = [path for path in STUDENT.rglob("*") if path.is_file()]
    found = {str(path): leaks(path, secrets) for path in files}
    assert len(files) > 200
    assert {path: what for path, what in found.items() if what} == {}


@pytest.mark.parametrize("page", SOLUTIONS)
def test_the_same_search_finds_the_solutions_in_the_complete_edition(complete, secrets, page):
    name = page.removeprefix("book/")
    for path in [
        f"html/{page}.html",
        f"html/_sources/{page}.md",
        f"html/notebooks/{name}.ipynb",
        f".doctrees/{page}.doctree",
    ]:
        found = leaks(complete / path, {page: secrets[page]})
        assert len(secrets[page]) > 200 and names(page) & found, path
        expected = beside_formulas(page) & secrets[page] if path.endswith("html") else secrets[page]
        assert len(expected) > 100 and len(expected & found) > 0.9 * len(expected), path
    for path in ["html/objects.inv", "html/_static/sections.js"]:
        assert leaks(complete / path, {page: secrets[page]}), path


# What is there


def test_the_table_of_contents_lacks_its_last_part_and_nothing_else(edition):
    made = yaml.safe_load((STUDENT / "_toc.yml").read_text(encoding="utf-8"))
    assert made == TOC | {"parts": TOC["parts"][:-1]}
    assert [chapter["file"] for chapter in TOC["parts"][-1]["chapters"]] == SOLUTIONS
    assert SOLUTIONS


def test_every_other_page_is_there_and_is_found(edition):
    pages = {path.relative_to(STUDENT_SITE).as_posix() for path in STUDENT_SITE.rglob("*.html")}
    expected = {f"{page}.html" for page in [*OPEN, "404", "search"]}
    assert {page for page in pages if not page.startswith("_static/")} == expected
    assert sorted(indexed(STUDENT_SITE)) == sorted(OPEN)
    address = yaml.safe_load((ROOT / "_config.yml").read_text())["html"]["baseurl"]
    listed = re.findall("<loc>(.*?)</loc>", (STUDENT_SITE / "sitemap.xml").read_text())
    assert sorted(listed) == sorted(f"{address}{page}.html" for page in OPEN if page != "genindex")


@pytest.mark.parametrize("page", CHAPTERS)
def test_every_programming_exercise_has_its_check_on_the_page_and_in_the_notebook(edition, page):
    starters = [c for c in code_cells(source(page)) if "exercise" in c.metadata.get("tags", [])]
    checks = [re.findall(r"^check_\w+\(.*", c.source, flags=re.M) for c in starters]
    path = STUDENT_SITE / "notebooks" / f"{page.removeprefix('book/')}.ipynb"
    published = ["".join(c["source"]) for c in json.loads(path.read_text("utf-8"))["cells"]]
    html_page = (STUDENT_SITE / f"{page}.html").read_text(encoding="utf-8")
    text = BeautifulSoup(html_page, "html.parser").text
    assert starters and all(checks)
    assert {c.source for c in starters} <= set(published)
    assert all(check in text for lines in checks for check in lines)
    assert text.count(" checks passed") >= len(starters), "the starters were run"


# How it is made


def test_nothing_is_run_twice(complete, edition):
    _, added = edition
    assert len(cached(complete)) >= len(CHAPTERS) and not added
    assert not [*STUDENT.rglob(".jupyter_cache")]


def test_the_complete_edition_stays_as_it_was(complete, edition):
    assert sorted(indexed(SITE)) == sorted(PAGES)
    assert [page for page in SOLUTIONS if not (SITE / f"{page}.html").exists()] == []


def test_it_says_where_the_pages_are(edition):
    found = re.search(r"The student edition is ready: open (\S+)", edition[0])
    assert (ROOT / found[1]).samefile(STUDENT_SITE / "index.html")


# The program


@pytest.fixture
def tiny_book(tmp_path, monkeypatch):
    """A tiny book as the current folder, with a page of an edition that was made before."""
    chapters = "chapters: [{file: book/one}]"
    solutions = "chapters: [{file: book/solutions/one}]"
    files = {
        "_config.yml": "{only_build_toc_files: true, execute: {execute_notebooks: 'off'}}",
        "_toc.yml": f"{{format: jb-book, root: index, parts: [{{{chapters}}}, {{{solutions}}}]}}",
        "index.md": "# Tiny",
        "book/one.md": "# One",
        "book/solutions/one.md": "# Solved",
        "_build/student/_build/html/old.html": "Solved",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_program_leaves_nothing_of_a_solution_and_nothing_of_an_edition_before(tiny_book):
    assert student_edition.main([]) == 0
    pages = (tiny_book / "_build/student/_build/html").glob("[!gs_]*.html")
    assert {page.name for page in pages} == {"index.html"}
    assert (tiny_book / "_build/student/_build/html/book/one.html").exists()
    files = [path for path in (tiny_book / "_build/student").rglob("*") if path.is_file()]
    assert not [path for path in files if b"Solved" in path.read_bytes() or "solu" in str(path)]


def test_a_build_with_a_warning_is_no_edition(tiny_book, capfd):
    (tiny_book / "book/one.md").write_text("# One\n\n{unknown}`role`\n")
    assert student_edition.main([]) != 0
    assert "is ready" not in capfd.readouterr().out


def test_it_is_as_strict_as_the_complete_edition():
    assert [".", *student_edition.STRICT] == FLAGS


def test_outside_the_book_it_says_where_to_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="1"):
        student_edition.main([])
    assert capsys.readouterr().err == (
        f"There is no book in {tmp_path}: run this in the folder of _toc.yml.\n"
    )
    assert not [*tmp_path.iterdir()]


def test_it_helps(capsys):
    with pytest.raises(SystemExit, match="0"):
        student_edition.main(["--help"])
    assert "without the solutions" in capsys.readouterr().out
