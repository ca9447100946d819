"""The marking of assignments, the quick set: what is found in a folder or zip, and a small class.

The full set, with every kind of broken and hostile notebook, runs by `make classroom-test`.
"""

import contextlib
import copy
import json
import os
import random
import re
import stat
import struct
import sys
import time
import zipfile
from pathlib import Path

import jupytext
import nbformat
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from classroom import travel
from classroom.collect import LARGEST, HandedIn, Unmarkable, assemble, collect, notebook_of
from tests.classroom.submissions import (
    GOOD_1,
    GOOD_2,
    GOOD_3,
    NAIVE_1,
    ROOT,
    cell,
    code,
    filled,
    generate,
    needs_marking,
    packed,
    place,
    run,
    table,
    tree,
    write,
    zipped,
)

MOODLE = "Ada Lovelace_12345_assignsubmission_file_"
LATIN = [b"M\xfcller", b"M\xf6ller"]  # as a folder in Latin-1 is named


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


def found(path):
    """Return platform and students as plain text: name, number, files."""
    platform, students = collect(path)
    return platform, [(s.student, s.number, sorted(s.files)) for s in students]


def handed_in(**files):
    """Return what a student has handed in: x_ipynb is x.ipynb."""
    files = {name.replace("_", "."): data for name, data in files.items()}
    return HandedIn("Ada", files={name: lambda data=data: data for name, data in files.items()})


def sources(notebook):
    """Return the cells by their names; those that were added have none of the assignment's."""
    return {c.id.removeprefix("temperature-"): c.source for c in notebook.cells}


def marked_as(notebook, master):
    """Return what is marked of a notebook, a dict as in its file."""
    return notebook_of(handed_in(x_ipynb=packed(notebook)), master)


def within(seconds):
    """Return a function that fails if that much time has passed."""
    end = time.monotonic() + seconds

    def check():
        assert time.monotonic() < end, f"this took more than {seconds} s"

    return check


# Folders and archives


LAYOUTS = {
    "a folder for each student": (
        ["Ada/hw.ipynb", "Bob/a.ipynb", "Bob/b.pdf"],
        ("", [("Ada", "", ["hw.ipynb"]), ("Bob", "", ["a.ipynb", "b.pdf"])]),
    ),
    "a file for each student": (
        ["Ada.ipynb", "Bob.ipynb", "Bob.pdf"],
        ("", [("Ada", "", ["Ada.ipynb"]), ("Bob", "", ["Bob.ipynb", "Bob.pdf"])]),
    ),
    "folders in a student's folder": (
        ["Ada/week 1/hw.ipynb", "Bob/hw.ipynb"],
        ("", [("Ada", "", ["week 1/hw.ipynb"]), ("Bob", "", ["hw.ipynb"])]),
    ),
    "Moodle": (
        [f"{MOODLE}/hw.ipynb", "Bob O'Neil_7_assignsubmission_file_/x.ipynb"],
        ("moodle", [("Ada Lovelace", "12345", ["hw.ipynb"]), ("Bob O'Neil", "7", ["x.ipynb"])]),
    ),
    "Moodle without the last underscore": (
        [f"{MOODLE[:-1]}/hw.ipynb", "Bob_7_assignsubmission_file/x.ipynb"],
        ("moodle", [("Ada Lovelace", "12345", ["hw.ipynb"]), ("Bob", "7", ["x.ipynb"])]),
    ),
    "Moodle without folders": (
        [f"{MOODLE}hw.ipynb", f"{MOODLE}notes.pdf", "Bob_7_assignsubmission_file_x.ipynb"],
        (
            "moodle",
            [("Ada Lovelace", "12345", ["hw.ipynb", "notes.pdf"]), ("Bob", "7", ["x.ipynb"])],
        ),
    ),
    "Moodle with a text typed online": (
        [f"{MOODLE}/hw.ipynb", "Ada Lovelace_12345_assignsubmission_onlinetext_/onlinetext.html"],
        ("moodle", [("Ada Lovelace", "12345", ["hw.ipynb", "onlinetext.html"])]),
    ),
    "Moodle, one name twice": (
        ["Ann_1_assignsubmission_file_/x.ipynb", "Ann_2_assignsubmission_file_/x.ipynb"],
        ("moodle", [("Ann", "1", ["x.ipynb"]), ("Ann", "2", ["x.ipynb"])]),
    ),
    "Moodle, an underscore in the name": (
        ["a_b_7_assignsubmission_file_/x.ipynb", "c_8_assignsubmission_file_/x.ipynb"],
        ("moodle", [("a_b", "7", ["x.ipynb"]), ("c", "8", ["x.ipynb"])]),
    ),
    "Canvas": (
        [
            "lovelaceada_LATE_123_456_hw-1.ipynb",
            "bob_7654_801_my_hw 2.ipynb",
            "bob_7654_802_notes.pdf",
        ],
        (
            "canvas",
            [
                ("bob", "7654", ["my_hw 2.ipynb", "notes.pdf"]),
                ("lovelaceada", "123", ["hw-1.ipynb"]),
            ],
        ),
    ),
    "noise of other programs": (
        [
            *["Ada/x.ipynb", "Ada/.ipynb_checkpoints/x-checkpoint.ipynb", "Ada/.DS_Store"],
            *["Bob/x.ipynb", "__MACOSX/Ada/._x.ipynb", "Thumbs.db", "Bob/__pycache__/x.pyc"],
        ],
        ("", [("Ada", "", ["x.ipynb"]), ("Bob", "", ["x.ipynb"])]),
    ),
    "signs of many languages": (
        ['Müller, Jörg "J"/x.ipynb', "Ægir Þór/x.ipynb", "李小龍/x.ipynb"],
        (
            "",
            [
                ('Müller, Jörg "J"', "", ["x.ipynb"]),
                ("Ægir Þór", "", ["x.ipynb"]),
                ("李小龍", "", ["x.ipynb"]),
            ],
        ),
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ["folder", "zip", "zip with a folder around"])
def test_every_student_of_a_folder_or_zip_is_found(layout, kind, tmp_path):
    names, expected = LAYOUTS[layout]
    if kind == "folder":
        write(tmp_path / "in", dict.fromkeys(names, b"{}"))
        source = tmp_path / "in"
    else:
        around = "Download 1/" if kind.endswith("around") else ""
        source = tmp_path / "in.zip"
        source.write_bytes(zipped({around + name: b"{}" for name in names}))
    assert found(source) == expected


def test_one_student_alone_in_a_zip_keeps_the_name(tmp_path):
    source = tmp_path / "in.zip"
    for names, expected in [
        (["Ada/x.ipynb"], ("", [("Ada", "", ["x.ipynb"])])),
        (["Ada.ipynb"], ("", [("Ada", "", ["Ada.ipynb"])])),
        ([f"{MOODLE}/x.ipynb"], ("moodle", [("Ada Lovelace", "12345", ["x.ipynb"])])),
    ]:
        source.write_bytes(zipped(dict.fromkeys(names, b"{}")))
        assert found(source) == expected


def test_a_student_who_handed_in_an_empty_folder_is_named(tmp_path, master):
    write(tmp_path / "in", {"Ada/x.ipynb": b"", "Bob/.DS_Store": b""})
    (tmp_path / "in/Carl").mkdir()
    _, students = collect(tmp_path / "in")
    assert [s.student for s in students] == ["Ada", "Bob", "Carl"]
    for student in students[1:]:
        with pytest.raises(Unmarkable, match="There is no file"):
            notebook_of(student, master)


def key_of(names, tmp_path):
    source = tmp_path / "keys.zip"
    source.write_bytes(zipped({f"{name}/x.ipynb": b"{}" for name in names}))
    _, students = collect(source)
    return [student.key for student in students]


LONG = "Ada " * 30
KEYS = {
    "signs only": ["Ann!", "Ann?", "Ann", "ann"],
    "control signs": ["a\x01", "a\x02", "a\n"],
    "long names": [f"{LONG}_{n}_assignsubmission_file_" for n in range(4)],
    "long names of other letters": [f"{'𠀀' * 90}{n}" for n in range(3)],
    "no letters": ["?", "!", "-"],
    "spaces": ["a b", "a  b", "a-b"],
    "what a key with a hash looks like": ["Ann", "Ann!", "Ann-", "Ann-e3b0c442"],
}


@pytest.mark.parametrize("names", KEYS.values(), ids=KEYS)
def test_every_student_has_a_name_for_files_that_nobody_else_has(names, tmp_path):
    keys = key_of(names, tmp_path)
    assert len({key.casefold() for key in keys}) == len(names)
    for key in keys:
        assert re.fullmatch(r"\w([\w-]*\w)?", key) and len(f"{key}.html.part".encode()) < 256


@given(names=st.sets(st.text(st.characters(exclude_characters="/\\\0"), min_size=1), min_size=1))
@example(names={".", "..", " "})
def test_keys_are_safe_and_unique_whatever_the_names(names, tmp_path_factory):
    names = [f"x{name}" for name in names]  # none is noise, such as .git
    folder = tmp_path_factory.mktemp("keys")
    try:
        keys = key_of(names, folder)
    except (UnicodeEncodeError, ValueError):  # no archive can hold half of a sign
        return
    assert len({key.casefold() for key in keys}) == len(keys)
    assert all(re.fullmatch(r"\w([\w-]*\w)?", key) for key in keys)
    assert all(len(key.encode()) < 240 for key in keys)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_folders_named_in_another_encoding_stay_apart(tmp_path, master, released):
    for number, name in enumerate(LATIN):
        folder = os.path.join(os.fsencode(tmp_path), name)
        os.mkdir(folder)
        with open(os.path.join(folder, b"x.ipynb"), "wb") as file:
            file.write(packed(filled(released, q1=f"# {number}")))
    _, students = collect(tmp_path)
    assert len(students) == 2 and len({s.key for s in students}) == 2
    for student in students:
        student.student.encode()  # can be written into a table
        notebook_of(student, master)


def test_a_name_with_line_breaks_stays_in_its_row(tmp_path):
    source = tmp_path / "in.zip"
    source.write_bytes(zipped({"Ada\r\nroot,10/x.ipynb": b"{}", "Bob/x.ipynb": b"{}"}))
    _, [ada, _] = collect(source)
    assert not re.search(r"[\x00-\x1f]", ada.student) and "root,10" in ada.student


@pytest.mark.parametrize(
    "make, says",
    [
        (lambda path: None, "There is no "),
        (lambda path: path.write_bytes(b"x"), "neither a folder nor a zip archive"),
        (lambda path: path.write_bytes(zipped({"a/x.ipynb": b""})[:-30]), "zip archive"),
        (lambda path: path.write_bytes(b"PK\x05\x06" + b"\xff" * 18), "zip"),
        (lambda path: path.write_bytes(zipped({})), "There is nothing in"),
        (lambda path: path.mkdir(), "There is nothing in"),
    ],
    ids=["missing", "no zip", "cut off", "broken", "empty zip", "empty folder"],
)
def test_what_is_neither_folder_nor_archive_is_refused_in_a_sentence(make, says, tmp_path):
    make(tmp_path / "handed-in")
    with pytest.raises(Unmarkable, match=says):
        collect(tmp_path / "handed-in")


# Hostile archives and folders


def test_names_in_an_archive_lead_nowhere(tmp_path):
    outside = tmp_path / "outside.ipynb"
    names = ["../outside.ipynb", "/etc/passwd", "a/../../outside.ipynb", "C:\\x.ipynb"]
    names += [str(outside), "..\\..\\outside.ipynb", "b/x.ipynb"]
    (tmp_path / "in").mkdir()
    source = tmp_path / "in/class.zip"
    source.write_bytes(zipped(dict.fromkeys(names, b"mine")))
    before = tree(tmp_path)
    _, students = collect(source)
    assert "b" in {s.student for s in students}
    for student in students:
        assert {read() for read in student.files.values()} <= {b"mine"}
        assert re.fullmatch(r"[\w-]+", student.key)
    assert tree(tmp_path) == before


def test_a_link_in_an_archive_is_not_followed(tmp_path, master):
    entry = zipfile.ZipInfo("Ada/x.ipynb")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    source = tmp_path / "in.zip"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    [student] = collect(source)[1]
    with pytest.raises(Unmarkable) as caught:
        notebook_of(student, master)
    assert "root:" not in str(caught.value)


def claims(size):
    """Return an archive of a file of zeros that claims another size."""
    content = bytearray(zipped({"x.ipynb": b"0" * (3 * LARGEST)}))
    for start, offset in [(b"PK\x03\x04", 22), (b"PK\x01\x02", 24)]:
        place = content.find(start) + offset
        content[place : place + 4] = struct.pack("<I", size)
    return bytes(content)


def encrypted():
    content = bytearray(zipped({"x.ipynb": b"{}"}))
    for start, offset in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)]:
        content[content.find(start) + offset] |= 1
    return bytes(content)


def damaged():
    content = bytearray(zipped({"x.ipynb": bytes(random.Random(1).randbytes(5000))}))
    content[200:300] = bytes(100)
    return bytes(content)


def unknown_version():
    content = bytearray(zipped({"x.ipynb": b"{}"}))
    content[content.find(b"PK\x01\x02") + 6] = 255
    return bytes(content)


ARCHIVES = {
    "a bomb": (zipped({"x.ipynb": b"0" * (3 * LARGEST)}), "x.ipynb is larger than 20 MiB"),
    "a bomb that claims to be small": (claims(1000), "damaged|unpacked|no complete"),
    "a bomb that claims nothing": (claims(0), "damaged|unpacked|no complete"),
    "one that claims too much": (claims(2**32 - 2), "larger than 20 MiB"),
    "encrypted": (encrypted(), "x.ipynb cannot be unpacked"),
    "damaged": (damaged(), "damaged|unpacked"),
    "cut off": (zipped({"x.ipynb": b"{}"})[:-30], "hw.zip"),
    "no archive": (b"hello", "hw.zip is no "),
    "of a later version": (unknown_version(), "zip|unpacked"),
    "empty": (zipped({}), "hw.zip is no |There is no file"),
    "twenty thousand entries": (zipped({f"{n}.txt": b"" for n in range(20_000)}), "no notebook"),
}


@pytest.mark.parametrize("content, says", ARCHIVES.values(), ids=ARCHIVES)
def test_a_hostile_archive_of_a_student_is_refused_in_a_sentence(content, says, master):
    check = within(20)
    with pytest.raises(Unmarkable, match=says) as caught:
        notebook_of(handed_in(hw_zip=content), master)
    assert len(str(caught.value)) < 2000, "a sentence for a table"
    check()


@pytest.mark.parametrize("content", [a[0] for a in ARCHIVES.values()], ids=ARCHIVES)
def test_a_notebook_beside_a_hostile_archive_is_marked(content, master, released):
    student = handed_in(x_ipynb=packed(filled(released)), a_zip=content)
    assert sources(notebook_of(student, master))["q1"] == GOOD_1


def test_many_archives_of_a_student_are_not_unpacked_for_hours(master):
    bombs = zipped({f"{n}.ipynb": b"0" * LARGEST for n in range(10)})
    check = within(20)
    with pytest.raises(Unmarkable):
        notebook_of(handed_in(**{f"{n}_zip": bombs for n in range(100)}), master)
    check()


def test_any_damage_to_an_archive_ends_in_a_sentence(master, tmp_path):
    whole = zipped({"Ada/x.ipynb": b"{}" * 50, "Bär/y.ipynb": b"{}", "c/z.txt": b"q"})
    source = tmp_path / "class.zip"
    for seed in range(300):
        chance = random.Random(seed)
        content = bytearray(whole)
        for _ in range(chance.choice([1, 2, 4])):
            content[chance.randrange(len(whole))] = chance.choice([0, 255, chance.randrange(256)])
        with pytest.raises(Unmarkable):
            notebook_of(handed_in(hw_zip=bytes(content)), master)
        source.write_bytes(content)
        try:
            students = collect(source)[1]
        except Unmarkable:
            continue
        for student in students:
            with pytest.raises(Unmarkable):
                notebook_of(student, master)


def test_an_archive_in_a_students_folder_is_looked_into(master, released):
    content = packed(filled(released))
    for names in [["hw.ipynb"], ["a/b/hw.ipynb", "__MACOSX/a/b/._hw.ipynb"]]:
        files = {name: b"noise" if "MACOSX" in name else content for name in names}
        assert sources(notebook_of(handed_in(hw_zip=zipped(files)), master))["q1"] == GOOD_1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_links_and_devices_in_a_folder_are_not_opened(tmp_path, master):
    secret = tmp_path / "secret.ipynb"
    secret.write_text("{}")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/y.ipynb").write_text("{}")
    folder = tmp_path / "in"
    (folder / "Ada").mkdir(parents=True)
    (folder / "Ada/x.ipynb").symlink_to(secret)
    (folder / "Bob").mkdir()
    os.mkfifo(folder / "Bob/x.ipynb")
    (folder / "Carl").symlink_to(tmp_path / "elsewhere")
    _, students = collect(folder)
    assert [s.student for s in students] == ["Ada", "Bob", "Carl"]
    for student in students:
        with pytest.raises(Unmarkable, match="is a link or a device, and no file"):
            notebook_of(student, master)


def test_a_file_that_cannot_be_read_costs_its_owner_only(tmp_path, master, monkeypatch):
    write(tmp_path, {"Ada/x.ipynb": b"{}"})
    [student] = collect(tmp_path)[1]

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(Unmarkable, match="x.ipynb"):
        notebook_of(student, master)


def test_a_huge_file_is_not_read(tmp_path, master):
    (tmp_path / "Ada").mkdir()
    with open(tmp_path / "Ada/x.ipynb", "wb") as file:
        file.truncate(2**40)
    [student] = collect(tmp_path)[1]
    with pytest.raises(Unmarkable, match="x.ipynb is larger than 20 MiB"):
        notebook_of(student, master)


# One notebook of a student


def test_a_notebook_is_found_by_what_it_is(master, released):
    content = packed(filled(released))
    for name in ["x.ipynb", "X.IPYNB", "hw.ipynb.txt", "hw", "ü (1).json", "a/b.ipynb"]:
        student = HandedIn("Ada", files={name: lambda: content, "notes.pdf": lambda: b"%PDF-1.4"})
        assert sources(notebook_of(student, master))["q1"] == GOOD_1


def test_one_notebook_twice_is_one_notebook(master, released):
    once = filled(released)
    again = copy.deepcopy(once)
    again["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "ran"}]
    student = handed_in(x_ipynb=packed(once), copy_ipynb=packed(again), blank_pdf=b"%PDF")
    assert sources(notebook_of(student, master))["q1"] == GOOD_1


def test_two_different_notebooks_are_not_chosen_from(master, released):
    student = handed_in(a_ipynb=packed(filled(released)), b_ipynb=packed(filled(released, q1="1")))
    with pytest.raises(Unmarkable, match="2 different notebooks: a.ipynb and b.ipynb"):
        notebook_of(student, master)


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
    "another notebook": ({"x_ipynb": packed(OTHER)}, "x.ipynb is no notebook of this assignment"),
}


@pytest.mark.parametrize("files, says", REFUSED.values(), ids=REFUSED)
def test_why_a_file_cannot_be_marked_is_said_in_a_sentence(files, says, master):
    with pytest.raises(Unmarkable, match=says):
        notebook_of(handed_in(**files), master)


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
    except Unmarkable as reason:
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
    except Unmarkable as reason:
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
    except Unmarkable as reason:
        assert "cells" in str(reason)
    check()


# Back into the released form


def split(notebook):
    at, whole = place(notebook, "q1"), cell(notebook, "q1")
    lines = GOOD_1.splitlines(keepends=True)
    first, second = dict(whole), copy.deepcopy(whole)
    first["source"], second["source"] = "".join(lines[:3]), "".join(lines[3:])
    notebook["cells"][at : at + 1] = [first, second]


def copied(notebook):
    notebook["cells"].insert(place(notebook, "q1"), copy.deepcopy(cell(notebook, "q1")))
    notebook["cells"][place_of_first(notebook)]["source"] = "# a first try"


def place_of_first(notebook):
    return next(i for i, c in enumerate(notebook["cells"]) if c.get("id") == "temperature-q1")


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


# What travels between grader and kernel


NUMBERS = st.one_of(
    hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.boolean_dtypes(),
)
ARRAYS = NUMBERS.flatmap(lambda kind: hnp.arrays(kind, hnp.array_shapes(min_dims=0, min_side=0)))
SCALARS = NUMBERS.flatmap(lambda kind: hnp.arrays(kind, ())).map(lambda array: array[()])
PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())
VALUES = st.recursive(
    PLAIN | ARRAYS | SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(st.text() | st.integers() | st.booleans(), inner, max_size=3),
    ),
    max_leaves=8,
)


def same(left, right):
    """Return whether two values are alike to the last bit, kinds included."""
    if type(left) is not type(right):
        return False
    if isinstance(left, np.ndarray | np.generic):
        native = [np.asarray(x).astype(x.dtype.newbyteorder("=")) for x in (left, right)]
        return (
            native[0].dtype == native[1].dtype
            and left.shape == right.shape
            and native[0].tobytes() == native[1].tobytes()
        )
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return same(list(left.items()), list(right.items()))
    return left == right or (left != left and right != right)


@given(VALUES)
def test_values_travel_there_and_back_to_the_last_bit(value):
    assert same(travel.unpack(json.loads(json.dumps(travel.pack(value)))), value)


@pytest.mark.parametrize(
    "value",
    [
        np.asfortranarray(np.eye(3)[:, ::2]),
        np.float16([np.nan, -0.0, 6e-8]),
        np.array(3.0),
        10**400,
    ],
    ids=["order and steps", "special values", "without axes", "large integer"],
)
def test_the_awkward_values_travel_as_well(value):
    assert same(travel.unpack(json.loads(json.dumps(travel.pack(value)))), value)


@pytest.mark.parametrize(
    "value",
    [np.array([None]), np.array(["a"]), 1j, np.complex128(1), {1, 2}, b"x", object(), print],
    ids=repr,
)
@pytest.mark.parametrize("inside", [False, True])
def test_what_cannot_be_marked_is_refused_in_a_sentence(value, inside):
    with pytest.raises(TypeError, match="cannot be marked: return numbers or NumPy arrays"):
        travel.pack([1.0, {"a": value}] if inside else value)


JSON = st.recursive(
    PLAIN | st.sampled_from(["array", "scalar", "dict", "tuple", "list", "float64", "AAAA", "é"]),
    lambda inner: st.lists(inner, max_size=4),
)


@given(JSON)
@example(["array", "float64", [10**30], "AAAAAAAAAAA="])
@example(["array", "object", [1], "AAAAAAAAAAA="])
@example(["array", "float64", [-1, 2**62], ""])
@example(["dict", [["list"], 1]])
def test_what_is_no_packed_value_raises_what_is_documented(value):
    with contextlib.suppress(ValueError, TypeError, KeyError):
        travel.unpack(value)


def called(source, *arguments):
    """Return what a function f of a student's source answers, as the grader reads it."""
    import base64

    namespace = {"np": np, "__name__": "__main__"}
    exec(source, namespace)
    request = base64.b64encode(json.dumps(travel.pack(arguments)).encode()).decode()
    reply = json.loads(base64.b64decode(travel.answer(namespace, "f", request)))
    return reply | {"arguments": travel.unpack(reply["arguments"])}


@pytest.mark.parametrize(
    "source, error",
    [
        ("", ["NameError", "there is no f"]),
        ("f = 3", ["TypeError", "'int' object is not callable"]),
        ("def f(x): raise ValueError('no')", ["ValueError", "no"]),
        ("def f(x): return {}['a']", ["KeyError", "'a'"]),
        ("def f(x): raise SystemExit(3)", ["SystemExit", "3"]),
        ("def f(x): raise type('Odd', (BaseException,), {})('x')", ["BaseException", "Odd('x')"]),
        ("def f(x): return {1, 2}", ["TypeError", "set cannot be marked: return numbers or"]),
        ("def f(x, y): return x", ["TypeError", "f() missing 1 required positional argument: 'y'"]),
    ],
)
def test_an_error_in_an_answer_comes_back_with_its_name(source, error, capsys):
    name, text = called(source, 1.0)["error"]
    assert name == error[0] and text.startswith(error[1])


def test_warnings_and_changed_arguments_come_back():
    reply = called("def f(x):\n    x[0] = 7\n    return np.exp(x)", np.array([1.0, 1000.0]))
    assert reply["warnings"] == ["overflow encountered in exp"]
    assert reply["arguments"][0].tolist() == [7.0, 1000.0]


# A small class, marked


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
    made = generate(marks)
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
    assert "This could not be marked" in (marks / "feedback/json.html").read_text()


@needs_marking
def test_only_what_can_be_marked_is_released_or_graded(tmp_path):
    for arguments, says in [
        (["release", "../x"], "no assignment “../x”. There are: smoothing, streaming, temp"),
        (["grade", "temperature", tmp_path / "nothing"], "There is no "),
    ]:
        result = run(*arguments, *(["--to", tmp_path / "out"] if arguments[0] == "grade" else []))
        assert result.returncode == 1 and says in result.stderr
        assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()
