"""The assignment that the tests of the marking hand in and mark."""

import json
import re

import jupytext
import nbformat
import pytest

from tests.classroom.submissions import ROOT


@pytest.fixture(scope="module")
def released():
    """The notebook for students, made without nbgrader."""
    notebook = jupytext.read(ROOT / "book/assignments/temperature.md")
    for number, part in enumerate(notebook.cells):
        part.id = part.metadata.get("nbgrader", {}).get("grade_id", f"temperature-{number}")
        part.source = re.sub(r"### BEGIN (.*)\n[^#]*(?s:.)*### END \1", "raise", part.source)
        if part.id.endswith("q3"):
            part.source = "YOUR ANSWER HERE"
    return json.loads(nbformat.writes(notebook))


@pytest.fixture(scope="module")
def master(released):
    return nbformat.reads(json.dumps(released), as_version=4)
