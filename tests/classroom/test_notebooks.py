"""A student's notebook is found, and comes back into the form in which it was released."""

import copy
import json
import os
import re

import nbformat
import numpy as np
import pytest

from classroom.collect import HandedIn, Refused
from classroom.notebooks import ALL, LONGEST, assemble, notebook_of, written_by_hand
from tests.classroom.submissions import (
    GOOD_1,
    GOOD_2,
    GOOD_3,
    cell,
    code,
    copied,
    filled,
    handed_in,
    marked_as,
    packed,
    place,
    sources,
    within,
)


def test_a_notebook_is_found_by_what_it_is(master, released):
    content = packed(filled(released))
    for name in ["x.ipynb", "X.IPYNB", "hw.ipynb.txt", "hw", "ü (1).json", "a/b.ipynb"]:
        student = HandedIn("Ada", files={name: lambda: content, "notes.pdf": lambda: b"%PDF-1.4"})
        assert sources(notebook_of(student.contents(), master))["q1"] == GOOD_1


def test_one_notebook_twice_is_one_notebook(master, released):
    once = filled(released)
    again = copy.deepcopy(once)
    again["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "ran"}]
    student = handed_in(x_ipynb=packed(once), copy_ipynb=packed(again), blank_pdf=b"%PDF")
    assert sources(notebook_of(student.contents(), master))["q1"] == GOOD_1


def test_two_different_notebooks_are_not_chosen_from(master, released):
    student = handed_in(a_ipynb=packed(filled(released)), b_ipynb=packed(filled(released, q1="1")))
    with pytest.raises(Refused, match="2 different notebooks: a.ipynb and b.ipynb"):
        notebook_of(student.contents(), master)


def test_the_notebook_as_it_was_given_out_beside_the_answered_one_is_left_out(master, released):
    nameless = copy.deepcopy(released)
    for part in nameless["cells"]:
        if "nbgrader" not in part["metadata"]:
            part.pop("id")  # as some programs do
    for blank in (released, nameless):
        student = handed_in(a_ipynb=packed(blank), b_ipynb=packed(filled(released)))
        assert sources(notebook_of(student.contents(), master))["q1"] == GOOD_1
        assert notebook_of(handed_in(a_ipynb=packed(blank)).contents(), master)


OTHER = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [code("1", id="a")]}
REFUSED = {
    "nothing": ({}, "There is no file"),
    "a PDF": ({"x_pdf": b"%PDF-1.4 \xff"}, "x.pdf is no notebook"),
    "half a file": ({"x_ipynb": packed(OTHER)[:-9]}, "x.ipynb is damaged"),
    "an empty file": ({"x_ipynb": b""}, "x.ipynb is damaged"),
    "no UTF-8": ({"x_ipynb": b'{"nbformat": 4, "a": "\xff"}'}, "x.ipynb is damaged"),
    "a list": ({"x_ipynb": b"[1, 2]"}, "x.ipynb is no notebook"),
    "deep": ({"x_ipynb": b"[" * 100_000}, "x.ipynb is damaged"),
    "a huge number": ({"x_ipynb": b'{"nbformat": ' + b"9" * 5000 + b"}"}, "x.ipynb is damaged"),
    "no cells": ({"x_ipynb": b'{"nbformat": 4}'}, "x.ipynb is damaged"),
    "a merge conflict": (
        {"x_ipynb": b'{"cells": [\n<<<<<<< HEAD\n{}\n=======\n[]\n>>>>>>> main\n]}'},
        "x.ipynb has a merge conflict in it",
    ),
    "another notebook": ({"x_ipynb": packed(OTHER)}, "x.ipynb is no notebook of this assignment"),
}


@pytest.mark.parametrize("files, says", REFUSED.values(), ids=REFUSED)
def test_why_a_file_cannot_be_marked_is_said_in_a_sentence(files, says, master):
    with pytest.raises(Refused, match=says):
        notebook_of(handed_in(**files).contents(), master)


STRANGE = [None, [], {}, [1], {"a": 1}, 3, 1.5, True, "", "x", "temperature-q1", "\ud800", "\x00"]


@pytest.mark.parametrize("field", ["id", "source", "metadata", "cell_type", "grade_id", "nbgrader"])
@pytest.mark.parametrize("value", STRANGE, ids=repr)
def test_strange_fields_of_a_cell_end_in_marks_or_in_a_sentence(field, value, master, released):
    notebook = filled(released)
    part = cell(notebook, "q1")
    metadata = part["metadata"]
    holder = {"grade_id": metadata["nbgrader"], "nbgrader": metadata}.get(field, part)
    holder[field] = value
    try:
        result = marked_as(notebook, master)
    except Refused as reason:
        assert "x.ipynb is damaged" in str(reason)
        return
    nbformat.validate(result)
    nbformat.writes(result).encode()
    assert sources(result)["q2"] == GOOD_2


@pytest.mark.parametrize("field", ["nbformat", "nbformat_minor", "metadata", "cells"])
@pytest.mark.parametrize("value", [*STRANGE, 2, 4, 10**30, -1], ids=repr)
def test_strange_fields_of_a_notebook_end_in_marks_or_in_a_sentence(field, value, master, released):
    notebook = filled(released)
    notebook[field] = value
    try:
        result = marked_as(notebook, master)
    except Refused as reason:
        assert re.search("x.ipynb is (damaged|no notebook)", str(reason))
        return
    nbformat.validate(result)
    assert sources(result)["q1"] == GOOD_1


@pytest.mark.parametrize("name", ["temperature-0", "same", None], ids=str)
def test_thousands_of_cells_hold_nobody_up(name, master, released):
    notebook = filled(released)
    notebook["cells"] += [code("1", id=name)] * 10_000
    check = within(10)
    try:
        marked_as(notebook, master)
    except Refused as reason:
        assert "cells" in str(reason)
    check()


# Back into the released form


def split(notebook):
    at, whole = place(notebook, "q1"), cell(notebook, "q1")
    lines = GOOD_1.splitlines(keepends=True)
    first, second = dict(whole), copy.deepcopy(whole)
    first["source"], second["source"] = "".join(lines[:3]), "".join(lines[3:])
    notebook["cells"][at : at + 1] = [first, second]


def without(*parts):
    def change(notebook):
        notebook["cells"] = [c for c in notebook["cells"] if c["id"][12:] not in parts]

    return change


def ids_lost(notebook):
    for part in notebook["cells"]:
        del part["id"]
    notebook["nbformat_minor"] = 4


def ids_changed(notebook):
    for number, part in enumerate(notebook["cells"]):
        part["id"] = f"other-{number}"


def metadata_lost(notebook):
    for part in notebook["cells"]:
        part["metadata"] = {}


def old_schema(notebook):
    for part in notebook["cells"]:
        nbgrader = part["metadata"].get("nbgrader")
        if nbgrader:
            nbgrader["schema_version"] = 1
            for name in ("cell_type", "checksum", "task"):
                nbgrader.pop(name, None)


def reordered(notebook):
    notebook["cells"].reverse()


def other_types(notebook):
    for part in ("q1", "q2"):
        cell(notebook, part)["cell_type"] = "markdown"
    cell(notebook, "q3")["cell_type"] = "raw"


def source_as_lines(notebook):
    for part in notebook["cells"]:
        part["source"] = "".join(part["source"]).splitlines(keepends=True)


def edited_tests(notebook):
    for part in ("q1-visible", "q1-hidden", "q2-visible", "q2-hidden"):
        cell(notebook, part)["source"] = "assert True"
        cell(notebook, part)["metadata"]["nbgrader"]["points"] = 100


def renamed(notebook):
    cell(notebook, "q1-hidden")["metadata"]["nbgrader"]["grade_id"] = "mine"
    cell(notebook, "q1-hidden")["id"] = "mine"


def version_3(notebook):
    cells = []
    for part in notebook["cells"]:
        old = {"cell_type": part["cell_type"], "metadata": part["metadata"]}
        if part["cell_type"] == "code":
            old |= {"input": part["source"], "language": "python", "outputs": []}
        else:
            old["source"] = part["source"]
        cells.append(old)
    worksheet = {"cells": cells, "metadata": {}}
    notebook.clear()
    notebook |= {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [worksheet]}


CHANGES = {
    "nothing changed": lambda notebook: None,
    "a split answer": split,
    "a copied answer": copied,
    "the tests deleted": without("q1-visible", "q1-hidden", "q2-visible", "q2-hidden"),
    "the text deleted": without("0", "1", "2", "6", "10"),
    "the order changed": reordered,
    "identifiers lost": ids_lost,
    "identifiers changed": ids_changed,
    "metadata lost": metadata_lost,
    "metadata of an old version": old_schema,
    "other types of cells": other_types,
    "text as a list of lines": source_as_lines,
    "the tests edited": edited_tests,
    "a test renamed": renamed,
    "an old notebook": version_3,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_notebook_comes_back_into_the_released_form(change, master, released):
    notebook = filled(released)
    change(notebook)
    result = marked_as(notebook, master)
    nbformat.validate(result)
    mine = {c.id: c for c in master.cells if "nbgrader" in c.metadata}
    theirs = {c.id: c for c in result.cells if c.id in mine}
    assert list(theirs) == list(mine), "every cell once, in its order"
    for name, part in theirs.items():
        assert part.metadata == mine[name].metadata and part.cell_type == mine[name].cell_type
        if not part.metadata.nbgrader.solution:
            assert part.source == mine[name].source
        elif name.endswith("q1"):
            namespace = {"np": np}
            exec(part.source, namespace)
            assert namespace["softmax_at"](np.zeros(2), 1.0).tolist() == [0.5, 0.5]
        else:
            assert part.source == {"q2": GOOD_2, "q3": GOOD_3}[name[-2:]]
    assert not any(c.get("outputs") for c in result.cells)
    assert len({c.id for c in result.cells}) == len(result.cells)


def test_a_deleted_answer_is_empty_and_the_others_stay(master, released):
    notebook = filled(released)
    without("q1")(notebook)
    result = sources(marked_as(notebook, master))
    assert (result["q1"], result["q2"], result["q3"]) == ("", GOOD_2, GOOD_3)


def test_a_blank_copy_of_an_answer_does_not_undo_it(master, released):
    for at in (0, -1):
        notebook = filled(released)
        notebook["cells"].insert(at, copy.deepcopy(cell(released, "q1")))
        assert sources(marked_as(notebook, master))["q1"] == GOOD_1


def test_cells_that_were_added_stay_at_their_place(master, released):
    notebook = filled(released)
    notebook["cells"].insert(place(notebook, "q1"), code("helper = 1", id="mine"))
    result = [c.source for c in marked_as(notebook, master).cells]
    assert result.index("helper = 1") < result.index(GOOD_1)


def test_a_picture_in_an_answer_is_kept(master, released):
    notebook = filled(released, q3="![by hand](attachment:image.png)")
    cell(notebook, "q3")["attachments"] = {"image.png": {"image/png": "iVBORw0KGgo="}}
    [answer] = [c for c in marked_as(notebook, master).cells if c.id.endswith("q3")]
    assert answer.get("attachments") or "attachment:" not in answer.source


def test_the_assignment_itself_is_not_changed(master, released):
    before = nbformat.writes(master)
    assemble(nbformat.reads(json.dumps(filled(released)), as_version=4), master)
    assert nbformat.writes(master) == before


def test_a_source_has_a_limit_and_the_notebook_says_so(master, released):
    for change in ({"q1": "#" * (LONGEST + 1)}, {"q3": "x" * (LONGEST + 1)}):
        with pytest.raises(Refused, match=f"a cell may have {LONGEST} characters"):
            marked_as(filled(released, **change), master)
    many = filled(released)
    many["cells"] += [code("#" * LONGEST)] * 9
    with pytest.raises(Refused, match=f"all cells together {ALL}"):
        marked_as(many, master)
    assert f"{LONGEST:,} characters" in released["cells"][0]["source"]


def beside(kind, text, at=-1):
    def change(notebook):
        added = {"cell_type": kind, "metadata": {}, "source": text}
        added |= {"outputs": [], "execution_count": None} if kind == "code" else {}
        notebook["cells"].insert(len(notebook["cells"]) + at, added)

    return change


def in_the_question(notebook):
    notebook["cells"][place(notebook, "q3") - 1]["source"] += "\n\nmine"


def as_raw(notebook):
    part = cell(notebook, "q3")
    part["cell_type"], part["source"] = "raw", "mine"


BESIDE = {
    "in a cell below": beside("markdown", "mine"),
    "in a cell above": beside("markdown", "mine", at=-2),
    "in a cell for code": beside("code", "mine"),
    "in a raw cell": beside("raw", "mine"),
    "at the very end": beside("markdown", "mine", at=0),
    "in the question": in_the_question,
    "in its cell, made raw": as_raw,
    "in its cell, below the sign": lambda n: cell(n, "q3").update(
        source=cell(n, "q3")["source"] + "\nmine"
    ),
    "in its cell, which was deleted": lambda n: [
        n["cells"].remove(cell(n, "q3")),
        beside("markdown", "mine", at=0)(n),
    ],
}


@pytest.mark.parametrize("change", BESIDE.values(), ids=BESIDE)
def test_an_answer_beside_its_cell_is_found(change, master, released):
    notebook = filled(released, q3=None)
    change(notebook)
    found = written_by_hand(marked_as(notebook, master), master)
    assert [part.source for part in found["temperature-q3"]] == ["mine"]


def test_what_is_written_at_another_question_answers_none(master, released):
    notebook = filled(released, q3=None)
    at = place(notebook, "q1")
    beside("markdown", "for me", at=at - len(notebook["cells"]))(notebook)
    assert written_by_hand(marked_as(notebook, master), master) == {}
    assert written_by_hand(marked_as(released, master), master) == {}


def says(notebook, released):
    """Return what the last cell prints of a notebook."""
    last = {"__name__": "cell"}
    exec("".join(cell(released, "check")["source"]), last)
    return last["check"](notebook)


def test_a_notebook_checks_itself(released):
    assert says(filled(released), released) == (
        "complete, 3 of 3 questions answered, will be accepted"
    )
    assert says(released, released) == (
        "not complete, question 1 and 2 and 3 has no answer, 0 of 3 questions answered, "
        "will be accepted"
    )
    half = filled(released, q2=None)
    for part in half["cells"]:
        part["metadata"] = {}
    assert "not complete, question 2 has no answer, 2 of 3" in says(half, released)
    assert says(filled(released, q1="#" * (LONGEST + 1)), released).startswith("too long")
    assert says(OTHER, released) is None


def test_the_last_cell_finds_the_notebook_that_was_saved_last(
    released, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    source = "".join(cell(released, "check")["source"])
    exec(source, {"__name__": "__main__"})
    assert "There is no saved copy of this notebook here" in capsys.readouterr().out
    for number, made in enumerate([released, filled(released)]):
        (tmp_path / f"{number}.ipynb").write_bytes(packed(made))
        os.utime(tmp_path / f"{number}.ipynb", (number, number))
    for name, content in {
        "half": b'{"cells": [',
        "old": b'{"worksheets": []}',
        "bin": b"\xff",
    }.items():
        (tmp_path / f"{name}.ipynb").write_bytes(content)
    (tmp_path / "folder.ipynb").mkdir()
    exec(source, {"__name__": "__main__"})
    assert capsys.readouterr().out.startswith("complete, 3 of 3 questions answered")
