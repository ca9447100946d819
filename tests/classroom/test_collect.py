"""Every student is found in a folder or archive, whatever they and their files are called."""

import os
import re
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from classroom import collect as collecting
from classroom.collect import Refused, collect
from classroom.notebooks import notebook_of
from tests.classroom.submissions import filled, packed, write, zipped

MOODLE = "Ada Lovelace_12345_assignsubmission_file_"
LATIN = [b"M\xfcller", b"M\xf6ller"]  # as a folder in Latin-1 is named


def found(path):
    """Return platform and students as plain text: name, number, files."""
    platform, students = collect(path)
    return platform, [(s.student, s.number, sorted(s.files)) for s in students]


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
    "dots in the names of folders": (
        ["John Q. Public/hw.ipynb", "ada@uni.edu/hw.ipynb", "a.lovelace/hw.ipynb"],
        ("", [(n, "", ["hw.ipynb"]) for n in ("a.lovelace", "ada@uni.edu", "John Q. Public")]),
    ),
    "a file in Moodle's download that is called as Moodle calls files": (
        [
            "Bob_7_assignsubmission_file_t.ipynb",
            "Eve_8_assignsubmission_file_x_9_assignsubmission_file_t.ipynb",
        ],
        (
            "moodle",
            [("Bob", "7", ["t.ipynb"]), ("Eve", "8", ["x_9_assignsubmission_file_t.ipynb"])],
        ),
    ),
    "a file in Canvas's download that is called as Moodle calls files": (
        ["bob_7654_801_t.ipynb", "eve_7655_802_x_9_assignsubmission_file_t.ipynb"],
        (
            "canvas",
            [
                ("bob", "7654", ["t.ipynb"]),
                ("eve", "7655", ["x_9_assignsubmission_file_t.ipynb"]),
            ],
        ),
    ),
    "one file among others that is called as a platform calls files": (
        ["Ada.ipynb", "Bob.ipynb", "x_9_assignsubmission_file_t.ipynb"],
        (
            "",
            [
                ("Ada", "", ["Ada.ipynb"]),
                ("Bob", "", ["Bob.ipynb"]),
                ("x_9_assignsubmission_file_t", "", ["x_9_assignsubmission_file_t.ipynb"]),
            ],
        ),
    ),
    "names that differ in case or in the form of their letters": (
        ["ANN/x.ipynb", "Ann/x.ipynb", "Zoe\u0308/x.ipynb", "Zo\xeb/x.ipynb"],
        ("", [(n, "", ["x.ipynb"]) for n in ("ANN", "Ann", "Zoe\u0308", "Zo\xeb")]),
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
        with pytest.raises(Refused, match="There is no file"):
            notebook_of(student.contents(), master)


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
        notebook_of(student.contents(), master)


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
    with pytest.raises(Refused, match=says):
        collect(tmp_path / "handed-in")


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_the_entry_of_a_folder_is_not_another_student(kind, tmp_path):
    names = ["John Q. Public/", "John Q. Public/hw.ipynb", "a.b/", "a.b/hw.ipynb"]
    if kind == "folder":
        write(tmp_path / "in", {name: b"{}" for name in names if not name.endswith("/")})
    else:
        (tmp_path / "in").write_bytes(zipped(dict.fromkeys(names, b"")))
    assert [name for name, *_ in found(tmp_path / "in")[1]] == ["a.b", "John Q. Public"]


def test_a_name_is_cut_and_loses_what_turns_the_text_around(tmp_path, master):
    (tmp_path / "in.zip").write_bytes(
        zipped(
            {f"{'x' * 30_000}/{'y' * 30_000}.pdf": b"%PDF", "Eve \u202eadA\u202c/x.ipynb": b"{}"}
        )
    )
    _, [eve, long] = collect(tmp_path / "in.zip")
    assert eve.student == "Eve ?adA?" and long.student == "x" * 100 + "…"
    with pytest.raises(Refused) as caught:
        notebook_of(long.contents(), master)
    assert len(str(caught.value)) < 200


def test_a_zip_that_does_not_say_that_its_names_are_utf_8_is_read_as_such(tmp_path):
    content = zipped({"Jürgen/x.ipynb": b"{}"})
    for start, offset in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)]:
        flags = content.find(start) + offset + 1
        content = content[:flags] + bytes([content[flags] & ~8]) + content[flags + 1 :]
    (tmp_path / "in.zip").write_bytes(content)
    assert found(tmp_path / "in.zip") == ("", [("Jürgen", "", ["x.ipynb"])])


@given(st.lists(st.text(st.characters(exclude_characters="/\\\0"), min_size=1), max_size=5))
def test_a_key_depends_on_nobody_else(others):
    students = {("Ann!", ""), ("Ann", ""), ("Ann", "7"), *((name, "") for name in others)}
    keys = [collecting.key_of(*student).casefold() for student in students]
    assert len(set(keys)) == len(students) and collecting.key_of("Ann", "") == "Ann"
