"""The entry for a bibliography: that of CITATION.cff, and one that BibTeX can read."""

import shutil

import yaml
from bs4 import BeautifulSoup
from cite import bibtex
from pybtex.database import parse_string

from tests.building import build
from tests.pages import ROOT

CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
ADDRESS = "https://tiny.example.org/"
CONFIG = f"""
title: Tiny
copyright: "2031"
html: {{baseurl: "{ADDRESS}"}}
sphinx: {{local_extensions: {{cite: book/_ext}}}}
"""


def test_the_page_shows_the_entry_and_the_entry_says_what_the_metadata_say(tmp_path):
    shutil.copytree(ROOT / "book" / "_ext", tmp_path / "book" / "_ext")
    shutil.copy(ROOT / "CITATION.cff", tmp_path)
    (tmp_path / "_config.yml").write_text(CONFIG)
    (tmp_path / "_toc.yml").write_text("{format: jb-book, root: index}")
    (tmp_path / "index.md").write_text("# Cite\n\n```{citation}\n```\n")
    code, log = build(tmp_path)
    assert code == 0, log
    page = BeautifulSoup((tmp_path / "_build/html/index.html").read_text(), "html.parser")
    entries = parse_string(page.select_one(".highlight-bibtex pre").text, "bibtex").entries
    (entry,) = entries.values()
    assert {name: value.strip("{}") for name, value in entry.fields.items()} == {
        "title": CITATION["title"],
        "version": CITATION["version"],
        "year": "2031",
        "url": ADDRESS,
    }
    names = [str(person).strip("{}") for person in entry.persons["author"]]
    assert names == [author["name"] for author in CITATION["authors"]]


def test_several_authors_are_joined_as_bibtex_wants_it():
    authors = [{"name": "The First Group"}, {"name": "The Second and Third"}]
    text = bibtex({"title": "A b: C", "authors": authors, "version": "1"}, "2031", ADDRESS)
    (key, entry), *_ = parse_string(text, "bibtex").entries.items()
    assert key == "a_b_c" and entry.fields["title"] == "{A b: C}"
    names = [str(person) for person in entry.persons["author"]]
    assert names == ["{The First Group}", "{The Second and Third}"]
