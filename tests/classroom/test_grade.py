"""A small class is marked; `make classroom-test` marks every kind of submission."""

import re

import pytest

from tests.classroom.submissions import (
    NAIVE_1,
    copied,
    filled,
    generate,
    needs_marking,
    packed,
    run,
    table,
    tree,
    write,
)

LOOP = "while True:\n    pass"
CLASS = {  # in the order of the alphabet: notebook or bytes, marks of q1 and q2, note
    "Anna": (lambda r: filled(r), "4", "3", "q3 waits for a mark by hand."),
    "copy": (lambda r: changed(r, copied), "4", "3", "q3 waits for a mark by hand."),
    "exit": (lambda r: filled(r, q1="import os\nos._exit(0)"), "0", "3", "q3 waits"),
    "json": (lambda r: packed(filled(r))[:-20], "0", "0", "hw.ipynb is damaged"),
    "loop": (lambda r: filled(r, q1=LOOP), "0", "3", "q3 waits"),
    "Müller, Jörg": (lambda r: filled(r, q2=None), "4", "0", "q3 waits"),
    'naive "N"': (lambda r: filled(r, q1=NAIVE_1), "0", "3", "q3 waits"),
    "Zoë": (lambda r: filled(r, q3=None), "4", "3", ""),
}


def changed(released, change):
    notebook = filled(released)
    change(notebook)
    return notebook


@pytest.fixture(scope="module")
def class_marked(tmp_path_factory):
    """The folders of what was handed in and of the marks, and what the command printed."""
    folder = tmp_path_factory.mktemp("class")
    handed, marks = folder / "in", folder / "marks"
    made = generate()
    for name, (make, *_) in CLASS.items():
        content = make(made)
        content = content if isinstance(content, bytes) else packed(content)
        write(handed / name, {"hw.ipynb": content})
    before = tree(handed)
    result = run("grade", "temperature", handed, "--to", marks, "--seconds", 2)
    assert result.returncode == 0, result.stderr
    assert tree(handed) == before, "what was handed in was changed"
    return marks, result.stdout


@needs_marking
@pytest.mark.parametrize("name", CLASS)
def test_a_small_class_gets_its_marks(name, class_marked):
    marks, printed = class_marked
    row, (_, q1, q2, says) = table(marks / "marks.csv")[name], CLASS[name]
    if name == "json":
        assert (row["q1 (4)"], row["q2 (3)"], row["q3 (3)"], row["total (10)"]) == tuple("0000")
    else:
        by_hand = "" if says else "0"  # a blank answer needs no reader
        assert (row["q1 (4)"], row["q2 (3)"], row["q3 (3)"]) == (q1, q2, by_hand)
        assert float(row["total (10)"]) == float(q1) + float(q2)
    assert says in row["note"]
    number = list(CLASS).index(name) + 1
    assert re.search(rf"^ *{number} of {len(CLASS)}  {re.escape(name)} … ", printed, re.M)


@needs_marking
def test_every_student_of_a_small_class_has_a_page(class_marked):
    marks, _ = class_marked
    pages = sorted((marks / "feedback").iterdir())
    assert len(pages) == len(CLASS) and {page.suffix for page in pages} == {".html"}
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "<script" not in text and 'lang="en"' in text
    [page] = [page for page in pages if page.name.startswith("json-")]
    assert "This could not be marked" in page.read_text()
