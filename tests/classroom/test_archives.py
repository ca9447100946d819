"""What is broken or hostile in a folder or archive leads nowhere and costs nobody else a mark."""

import functools
import os
import random
import re
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from classroom import collect as collecting
from classroom.collect import LARGEST, TOGETHER, Refused, collect
from classroom.notebooks import notebook_of
from tests.classroom.submissions import (
    GOOD_1,
    filled,
    handed_in,
    packed,
    sources,
    tree,
    within,
    write,
    zipped,
)


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
    with pytest.raises(Refused) as caught:
        notebook_of(student.contents(), master)
    assert "root:" not in str(caught.value)


@functools.cache
def bomb():
    """Return an archive of a file of zeros, three times as large as what is read."""
    return zipped({"x.ipynb": b"0" * (3 * LARGEST)})


def claims(size):
    """Return the same with another size in its headers."""
    content = bytearray(bomb())
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


ARCHIVES = {  # each is made when its test runs: some take a second
    "a bomb": (bomb, "x.ipynb cannot be read: it is larger than 20 MiB"),
    "a bomb that claims to be small": (lambda: claims(1000), "cannot be read|no complete"),
    "a bomb that claims nothing": (lambda: claims(0), "cannot be read|no complete"),
    "one that claims too much": (
        lambda: claims(2**32 - 2),
        "it is larger than 20 MiB",
    ),
    "encrypted": (
        encrypted,
        "x.ipynb cannot be read: it is encrypted; hand it in without a password",
    ),
    "damaged": (damaged, "cannot be read"),
    "cut off": (lambda: zipped({"x.ipynb": b"{}"})[:-30], "hw.zip"),
    "no archive": (lambda: b"hello", "hw.zip is no "),
    "of a later version": (unknown_version, "zip|cannot be read"),
    "empty": (lambda: zipped({}), "hw.zip is no |There is no file"),
    "twenty thousand entries": (
        lambda: zipped({f"{n}.txt": b"" for n in range(20_000)}),
        "no notebook",
    ),
}


@pytest.mark.parametrize("make, says", ARCHIVES.values(), ids=ARCHIVES)
def test_a_hostile_archive_of_a_student_is_refused_in_a_sentence(make, says, master):
    content, check = make(), within(20)
    with pytest.raises(Refused, match=says) as caught:
        notebook_of(handed_in(hw_zip=content).contents(), master)
    assert len(str(caught.value)) < 2000, "a sentence for a table"
    check()


@pytest.mark.parametrize("make", [a[0] for a in ARCHIVES.values()], ids=ARCHIVES)
def test_a_notebook_beside_a_hostile_archive_is_marked(make, master, released):
    student = handed_in(x_ipynb=packed(filled(released)), a_zip=make())
    assert sources(notebook_of(student.contents(), master))["q1"] == GOOD_1


def test_many_archives_of_a_student_are_not_unpacked_for_hours(master):
    bombs = zipped({f"{n}.ipynb": b"0" * LARGEST for n in range(10)})
    check = within(20)
    with pytest.raises(Refused):
        notebook_of(handed_in(**{f"{n}_zip": bombs for n in range(100)}).contents(), master)
    check()


def test_files_that_fail_when_they_are_unpacked_cost_time_that_has_a_bound(master, monkeypatch):
    monkeypatch.setattr(collecting, "SECONDS", 2)
    content = bytearray(zipped({f"{n}.ipynb": b"0" * LARGEST for n in range(4)}))
    for start, offset in [(b"PK\x03\x04", 14), (b"PK\x01\x02", 16)]:
        at = content.find(start)
        while at >= 0:
            content[at + offset] ^= 255  # another checksum
            at = content.find(start, at + 1)
    student, check = handed_in(**{f"{n}_zip": bytes(content) for n in range(100)}), within(15)
    with pytest.raises(Refused, match="cannot be read"):
        notebook_of(student.contents(), master)
    check()


def test_so_many_bytes_of_a_student_are_read_and_no_more(master):
    student = handed_in(**{f"{n:03}_pdf": b"%PDF" + bytes(LARGEST - 4) for n in range(60)})
    found = student.contents()
    assert sum(len(content) for content in found.values()) < TOGETHER + LARGEST
    assert len(found) < 10
    with pytest.raises(Refused, match="more than 100 MiB of files"):
        notebook_of(dict(reversed(found.items())), master)


def test_any_damage_to_an_archive_ends_in_a_sentence(master, tmp_path):
    whole = zipped({"Ada/x.ipynb": b"{}" * 50, "Bär/y.ipynb": b"{}", "c/z.txt": b"q"})
    source = tmp_path / "class.zip"
    for seed in range(300):
        chance = random.Random(seed)
        content = bytearray(whole)
        for _ in range(chance.choice([1, 2, 4])):
            content[chance.randrange(len(whole))] = chance.choice([0, 255, chance.randrange(256)])
        with pytest.raises(Refused):
            notebook_of(handed_in(hw_zip=bytes(content)).contents(), master)
        source.write_bytes(content)
        try:
            students = collect(source)[1]
        except Refused:
            continue
        for student in students:
            with pytest.raises(Refused):
                notebook_of(student.contents(), master)


def test_an_archive_in_a_students_folder_is_looked_into(master, released):
    content = packed(filled(released))
    for names in [["hw.ipynb"], ["a/b/hw.ipynb", "__MACOSX/a/b/._hw.ipynb"]]:
        files = {name: b"noise" if "MACOSX" in name else content for name in names}
        assert (
            sources(notebook_of(handed_in(hw_zip=zipped(files)).contents(), master))["q1"] == GOOD_1
        )


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
        with pytest.raises(Refused, match="(x.ipynb|Carl) cannot be read: it is a link or a"):
            notebook_of(student.contents(), master)


def test_a_file_that_cannot_be_read_costs_its_owner_only(tmp_path, master, monkeypatch):
    write(tmp_path, {"Ada/x.ipynb": b"{}"})
    [student] = collect(tmp_path)[1]

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(Refused, match="x.ipynb"):
        notebook_of(student.contents(), master)


def test_a_huge_file_is_not_read(tmp_path, master):
    (tmp_path / "Ada").mkdir()
    with open(tmp_path / "Ada/x.ipynb", "wb") as file:
        file.truncate(2**40)
    [student] = collect(tmp_path)[1]
    with pytest.raises(Refused, match="x.ipynb cannot be read: it is larger than 20 MiB"):
        notebook_of(student.contents(), master)
