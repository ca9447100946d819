"""The prose of the book: what a native reader would stumble over, as far as a machine can tell."""

import ast
import re

import pytest

from tests.pages import CHAPTERS, PAGES, ROOT, SOLUTIONS, read

READ = [page for page in PAGES if page not in {"genindex", "book/bibliography"}]
NOT_PROSE = [
    r"\A---\n.*?^---$",  # the header
    r"^```.*?^```$",  # code, formulas in a fence, the index
    r"^\$\$.*?\$\$",
    r"^[|:(#].*?$",  # tables, fences and their options, labels, headings
]
#: What is replaced by a word: formulas, code, roles and addresses.
INLINE = [
    (r"\{\w[\w:]*\}`([^`<]*?) ?<[^`]*>`", r"\1"),
    (r"\{\w[\w:]*\}`([^`]*)`", r"\1"),
    (r"`[^`]*`", "code"),
    (r"\$[^$]*\$", "x"),
    (r"\]\([^)]*\)", "]"),
]
FOREIGN = {
    "a clause as its subject": r"(?:^|[.:;] )Who(?:ever)? [^?.]*[.;]",
    "shows what ... does with, or returns": r"\bmakes? of\b",
    "is": r"\bstands?\b(?! for\b| out\b| in for\b| still\b| alone\b|-)",
    "should, must or is to": r"\bshall\b",
    "also": r", too[.,;:)]",
    "beyond, above, or starting at": r"\b[Ff]rom (?:\S+ ){1,3}on[,.;:)]",
    "name what prints": r"^It prints\b",
    "is not a": r"(?<![Tt]here )\b(?:is|are|was|were) no (?!longer\b|more\b|less\b|such\b)",
}
every_page = pytest.mark.parametrize("page", READ)


def paragraphs(page):
    """The paragraphs and list items of a page, in plain words."""
    text = read(page)
    for pattern in NOT_PROSE:
        text = re.sub(pattern, "", text, flags=re.M | re.S)
    for pattern, word in INLINE:
        text = re.sub(pattern, word, text)
    blocks = re.split(r"\n\s*\n|^\s*(?:[-*]|\d+\.) ", text, flags=re.M)
    return [" ".join(block.split()) for block in blocks if block.strip()]


@every_page
def test_no_paragraph_is_longer_than_110_words(page):
    long = [p for p in paragraphs(page) if len(p.split()) > 110]
    assert not long, f"two ideas make two paragraphs: {long}"


@every_page
def test_no_sentence_is_worded_as_in_another_language(page):
    found = [
        f"{better!r} instead of: {text[max(0, m.start() - 40) : m.end() + 30]}"
        for better, pattern in FOREIGN.items()
        for text in paragraphs(page)
        for m in re.finditer(pattern, text)
    ]
    assert not found, "\n".join(found)


@every_page
def test_no_sentence_is_a_chain_of_semicolons(page):
    sentences = [s for p in paragraphs(page) for s in re.split(r"(?<=[.!?]) ", p)]
    chains = [s for s in sentences if s.count(";") > 1]
    assert not chains, f"one semicolon in a sentence is enough: {chains}"


def test_the_paragraphs_of_a_chapter_are_found():
    words = {page: sum(len(p.split()) for p in paragraphs(page)) for page in CHAPTERS}
    assert all(count > 1000 for count in words.values()), words
    assert all(paragraphs(page) for page in SOLUTIONS)


SOURCES = sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "book/_ext").glob("*.py")])


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_docstring_is_worded_as_in_another_language(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.FunctionDef, ast.ClassDef)
    nodes = [node for node in ast.walk(tree) if isinstance(node, documented)]
    texts = [" ".join((ast.get_docstring(node) or "").split()) for node in nodes]
    texts = [re.sub(r"``[^`]*``|`[^`]*`", "code", text) for text in texts]
    found = [
        f"{better!r} instead of: {text[max(0, m.start() - 40) : m.end() + 30]}"
        for better, pattern in FOREIGN.items()
        for text in texts
        for m in re.finditer(pattern, text)
    ]
    assert not found, "\n".join(found)
