"""Marking a class over days: interrupted, repeated, with marks by hand, for a platform."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import time
import zipfile
from pathlib import Path

import pytest

from classroom.tables import MOODLE
from tests.classroom.submissions import (
    COMMAND,
    GOOD_1,
    NAIVE_1,
    NAME,
    PYTHON,
    ROOT,
    code,
    filled,
    left_over,
    packed,
    program,
    run,
    table,
    tree,
    write,
    zipped,
)


def grade(handed_in, marks, *options, **environment):
    """Mark a folder quickly and return what the command printed."""
    given = {"env": os.environ | environment} if environment else {}
    return run("grade", NAME, handed_in, "--to", marks, "--seconds", 4, *options, **given)


def records(marks):
    """Return the records of the students, with the times at which they were written."""
    return tree(marks / "marked")


@pytest.fixture(scope="module")
def small(tmp_path_factory, released):
    """A folder with a small class."""
    folder = tmp_path_factory.mktemp("small") / "in"
    write(
        folder,
        {
            "Ada/hw.ipynb": packed(filled(released)),
            "Bob/hw.ipynb": packed(filled(released, q1=NAIVE_1)),
            "Eve/hw.pdf": b"%PDF",
            "Zoe/hw.ipynb": packed(filled(released)),
        },
    )
    return folder


@pytest.fixture(scope="module")
def marked(small):
    """The folder with the marks of the small class."""
    marks = small.parent / "marks"
    result = grade(small, marks)
    assert result.returncode == 0, result.stderr
    assert "Waiting for a mark by hand: 3 (" in result.stdout
    return marks


@pytest.fixture
def copy(marked, tmp_path):
    """A copy of these marks, to change them."""
    return Path(shutil.copytree(marked, tmp_path / "marks"))


def test_the_same_folder_marked_again_gives_the_same_table_and_runs_nobodys_code(small, marked):
    before, was = (marked / "marks.csv").read_bytes(), records(marked)
    start = time.monotonic()
    result = grade(small, marked)
    assert result.returncode == 0, result.stderr
    assert (marked / "marks.csv").read_bytes() == before
    assert records(marked) == was and was
    assert time.monotonic() - start < 30


def test_one_student_is_marked_again_if_told_so(small, copy):
    was = records(copy)
    result = grade(small, copy, "--only", "bob", "--again")
    assert result.returncode == 0, result.stderr
    assert "Students who have handed in something: 1." in result.stdout
    changed = {name for name, value in records(copy).items() if was[name] != value}
    assert changed == {"Bob.json"}
    assert grade(small, copy, "--only", "Nobody").returncode == 1


def test_the_same_notebooks_get_the_same_marks_in_another_folder(small, marked):
    shutil.copytree(small / "Bob", small.parent / "moved/in/Yan")
    marks = small.parent / "moved/marks"
    assert grade(small.parent / "moved/in", marks).returncode == 0
    again, first = table(marks / "marks.csv"), table(marked / "marks.csv")
    assert again["Yan"] | {"student": "Bob"} == first["Bob"]
    pages = (marks / "feedback/Yan.html", marked / "feedback/Bob.html")
    tables = [re.findall("<pre.*?</pre>", page.read_text(), re.S) for page in pages]
    assert tables[0] == tables[1], "the hidden tests tried the same inputs"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=lambda s: s.name)
def test_an_interrupted_run_goes_on_where_it_stopped(how, released, tmp_path):
    slow = packed(filled(released, q1=f"import time\ntime.sleep(4){GOOD_1}"))
    first = packed(filled(released))
    names = {"Ada": first, **dict.fromkeys(["Bob", "Cem", "Dan", "Eve"], slow)}
    write(tmp_path / "in", {f"{name}/hw.ipynb": data for name, data in names.items()})
    marks, whole = tmp_path / "marks", tmp_path / "whole"
    command = ["grade", NAME, str(tmp_path / "in"), "--to", str(marks)]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "start_new_session": True}
    with subprocess.Popen([*COMMAND, *command], text=True, **options) as running:
        for line in running.stdout:  # Ada is done
            if "Ada …" in line:
                break
        # a Ctrl-C reaches all processes of the terminal, a kill only the one it is meant for
        (os.killpg if how == signal.SIGINT else os.kill)(running.pid, how)
        running.stdout.read()
        says = running.stderr.read()
    assert running.returncode != 0
    if how == signal.SIGINT:
        assert "the same command goes on from here" in says and "Traceback" not in says
    done = records(marks)
    assert [*done] == ["Ada.json"] and nobody_left()
    for folder in (marks, whole):
        assert run("grade", NAME, tmp_path / "in", "--to", folder).returncode == 0
    assert records(marks)["Ada.json"] == done["Ada.json"]
    assert (marks / "marks.csv").read_bytes() == (whole / "marks.csv").read_bytes()


def nobody_left():
    """Return whether all sandboxes end within some seconds."""
    for _ in range(100):
        if not left_over():
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("moment", [0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.4])
def test_a_grader_that_is_killed_while_a_sandbox_starts_leaves_none_behind(moment):
    command = [str(PYTHON), "-m", "tests.classroom.programs.starts"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as starting:
        assert starting.stdout.readline() == b"now\n"
        time.sleep(moment)
        starting.kill()
    time.sleep(0.2)  # what has just been made appears
    assert nobody_left()


def test_a_mark_by_hand_is_in_table_and_page_and_outlives_new_tests(small, copy, released):
    was = records(copy)
    program("mark_by_hand", copy, "Zoe", 2.5, "Well said & <done>").check_returncode()
    row = table(copy / "marks.csv")["Zoe"]
    assert (row["q3 (3)"], row["total (10)"], row["note"]) == ("2.5", "9.5", "")
    assert "Well said &amp; &lt;done&gt;" in (copy / "feedback/Zoe.html").read_text("utf-8")
    assert records(copy) == was, "nobody's code ran again"
    # other marks of the machine for the same text, a new test or another limit for example
    write(small.parent / "second", {"Zoe/hw.ipynb": packed(filled(released, q1=NAIVE_1))})
    assert grade(small.parent / "second", copy, "--again").returncode == 0
    row = table(copy / "marks.csv")["Zoe"]
    assert (row["q1 (4)"], row["q2 (3)"], row["q3 (3)"]) == ("0", "3", "2.5")
    write(small.parent / "second", {"Zoe/hw.ipynb": packed(filled(released, q3="Another text"))})
    assert grade(small.parent / "second", copy).returncode == 0
    row = table(copy / "marks.csv")["Zoe"]
    assert row["q3 (3)"] == "" and "waits for a mark by hand" in row["note"]
    assert "Well said" not in (copy / "feedback/Zoe.html").read_text("utf-8")


def test_a_repaired_test_marks_again_and_keeps_the_marks_by_hand(small, copy, tmp_path):
    program("mark_by_hand", copy, "Ada", 1, "").check_returncode()
    source = (ROOT / f"book/assignments/{NAME}.md").read_text(encoding="utf-8")
    repaired = source.replace("max_ulp=64", "max_ulp=65")
    assert repaired != source
    (tmp_path / f"{NAME}.md").write_text(repaired, encoding="utf-8")
    was = records(copy)
    given = ["grade", NAME, small, "--to", copy, "--seconds", 4]
    made = program("repaired", tmp_path, *given)
    assert made.returncode == 0, made.stderr
    assert all(records(copy)[name] != value for name, value in was.items())
    assert table(copy / "marks.csv")["Ada"]["total (10)"] == "8"


def test_one_late_notebook_is_added_and_nobody_is_removed(small, copy, released, tmp_path):
    pages = {path.name for path in (copy / "feedback").iterdir()}
    write(tmp_path / "late", {"Hal/hw.ipynb": packed(filled(released))})
    result = grade(tmp_path / "late", copy)
    assert result.returncode == 0, result.stderr
    assert "Marked before, and kept: 4." in result.stdout
    assert list(table(copy / "marks.csv")) == ["Ada", "Bob", "Eve", "Hal", "Zoe"]
    assert {path.name for path in (copy / "feedback").iterdir()} == pages | {"Hal.html"}


def test_a_second_class_in_the_folder_of_the_first_shows_nothing_of_it(copy, released, tmp_path):
    program("mark_by_hand", copy, "Ada", 2, "For Ada of class A").check_returncode()
    before = table(copy / "marks.csv")["Ada"], (copy / "feedback/Ada.html").read_text("utf-8")
    other = packed(filled(released, q1=NAIVE_1))
    write(tmp_path / "class-b", {"Ada/hw.ipynb": other, "Ben/hw.ipynb": other})
    result = grade(tmp_path / "class-b", copy)
    assert result.returncode == 1 and "No new marks, for the reasons above: Ada." in result.stderr
    assert "Is it the same one, with another notebook? Then add AGAIN=yes." in result.stdout
    assert (table(copy / "marks.csv")["Ada"], (copy / "feedback/Ada.html").read_text("utf-8")) == (
        before
    )
    assert table(copy / "marks.csv")["Ben"]["q1 (4)"] == "0"


def test_who_hands_in_again_gets_new_marks(small, copy, released, tmp_path):
    handed_in = Path(shutil.copytree(small, tmp_path / "in"))
    again = packed(filled(released))
    write(handed_in, {"Ada/hw.ipynb": b"{", "Bob/hw.ipynb": again})
    assert grade(handed_in, copy, "--again").returncode == 0
    rows = table(copy / "marks.csv")
    assert rows["Ada"]["total (10)"] == "0" and "damaged" in rows["Ada"]["note"]
    assert rows["Bob"]["q1 (4)"] == "4"
    assert "could not be marked" in (copy / "feedback/Ada.html").read_text()


def test_removing_says_what_it_removes_and_does_it_when_told_again(copy):
    program("mark_by_hand", copy, "Ada", 2, "").check_returncode()
    was = tree(copy)
    said = run("remove", NAME, "--to", copy, "--only", "Ada")
    assert said.returncode == 0 and "Ada: marks 9, 1 of them by hand, and the page" in said.stdout
    assert "Nothing was removed. With SURE=yes these are" in said.stdout and tree(copy) == was
    assert run("remove", NAME, "--to", copy, "--only", "Ada", "--sure").returncode == 0
    assert list(table(copy / "marks.csv")) == ["Bob", "Eve", "Zoe"]
    assert not list(copy.rglob("Ada*")) and "Ada" not in (copy / "by-hand.json").read_text()


# Tables for platforms


def rows(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("language", MOODLE)
def test_a_download_of_moodle_comes_back_as_a_table_for_moodle(language, released, tmp_path):
    good = packed(filled(released, q3=None))
    source, marks = tmp_path / "moodle.zip", tmp_path / "marks"
    names = [
        'Müller, "Jo"_17_assignsubmission_file_/a.ipynb',
        "李 小龍_3_assignsubmission_file_/b.pdf",
    ]
    source.write_bytes(zipped({names[0]: good, names[1]: b"%PDF"}))
    assert grade(source, marks, "--language", language).returncode == 0
    header, *students = rows(marks / "moodle.csv")
    word, *worksheet = MOODLE[language].split("|")
    assert header == worksheet[:-1], "the importer wants identifier, grade and last change"
    assert students[0] == [f"{word}17", 'Müller, "Jo"', "7", "10", "-"]
    assert students[1] == [f"{word}3", "李 小龍", "", "10", "-"], "no 0 for what cannot be read"
    comments = rows(marks / "moodle-comments.csv")
    assert comments[0] == worksheet and len(comments) == 2
    assert "b.pdf is no notebook" in comments[1][5]
    header, *students = rows(marks / "marks.csv")
    parts = ["q1 (4)", "q2 (3)", "q3 (3)", "total (10)"]
    assert header == ["student", worksheet[0], *parts, "note"]
    assert students[0] == ['Müller, "Jo"', f"{word}17", "4", "3", "0", "7", ""]
    assert not (marks / "canvas.csv").exists()
    assert (marks / "marks.csv").read_bytes().startswith(b"\xef\xbb\xbf"), "for spreadsheets"
    with zipfile.ZipFile(marks / "feedback-for-moodle.zip") as archive:
        folders = [name.rpartition("/")[0] for name in names]
        assert archive.namelist() == [f"{folder}/temperature.html" for folder in folders]
        assert b"q1" in archive.read(archive.namelist()[0])


def test_a_download_of_canvas_comes_back_as_a_table_for_canvas(released, tmp_path):
    source, marks = tmp_path / "canvas.zip", tmp_path / "marks"
    names = ["lovelaceada_LATE_123_456_hw-1.ipynb", "hoppergrace_7654_802_x.ipynb"]
    source.write_bytes(zipped({names[0]: packed(filled(released)), names[1]: b"{"}))
    assert grade(source, marks, "--column", "Temperature (98765)").returncode == 0
    assert rows(marks / "canvas.csv") == [
        ["Student", "ID", "Section", "Temperature (98765)"],
        ["    Points Possible", "", "", "10"],
        ["hoppergrace", "7654", "", ""],  # nothing for what cannot be read
        ["lovelaceada", "123", "", ""],  # complete only with the mark by hand
    ]
    found = table(marks / "marks.csv")
    assert [row["ID"] for row in found.values()] == ["7654", "123"]
    assert found["lovelaceada"]["note"].startswith("Late. ")
    with zipfile.ZipFile(marks / "feedback-for-canvas.zip") as archive:
        endings = [name.replace(".ipynb", ".html") for name in reversed(names)]
        assert archive.namelist() == endings
    assert grade(source, marks).returncode == 0
    assert rows(marks / "canvas.csv")[0][3] == "Temperature (98765)", "it is remembered"


def test_no_name_becomes_a_formula_in_a_spreadsheet(released, tmp_path):
    names = ["x;=1+1;y", "=1+1", "a\t@b", "a|-1", "  +1", "\uff1d1", "a,=1", "fine; really"]
    source, marks = tmp_path / "in.zip", tmp_path / "marks"
    source.write_bytes(zipped({f"{name}/hw.pdf": b"%PDF" for name in names}))
    assert grade(source, marks).returncode == 0
    found = {row[0] for row in rows(marks / "marks.csv")[1:]}
    guarded = {"x;'=1+1;y", "'=1+1", "a?@b", "a|'-1", "  '+1", "'\uff1d1", "a,'=1", "fine; really"}
    assert found == guarded


def test_the_grader_stays_small_whatever_is_sent_to_it(released, tmp_path):
    large = "softmax_at = lambda x, T: ['x' * 2000] + [''] * %d"
    pictures = filled(released)
    show = "import base64\nfrom IPython.display import display\n"
    show += "display({'image/png': base64.b64encode(bytes(1_400_000)).decode()}, raw=True)"
    pictures["cells"] += [code(show)] * 250
    deep = packed(filled(released)).replace(
        b'"cells": [', b'"x": [' + b"1," * 9_000_000 + b'1], "cells": ['
    )
    files = {"Ada": packed(filled(released, q1=large % 400_000)), "Bob": packed(pictures)}
    files |= {"Cem": packed(filled(released, q1=large % 80_000)), "Dan": deep}
    files = {f"{name}/hw.ipynb": data for name, data in files.items()}
    files |= {f"Eve/{number}.pdf": b"%PDF" + bytes(19 * 2**20) for number in range(9)}
    write(tmp_path / "in", files)
    made = program("measured", "grade", NAME, tmp_path / "in", "--to", tmp_path / "marks")
    assert made.returncode == 0, made.stderr
    assert int(made.stdout.splitlines()[-1]) < 10**9
    for page in (tmp_path / "marks/feedback").iterdir():
        assert page.stat().st_size < 3_000_000


# Without the sandbox


def test_without_bubblewrap_nothing_runs_unless_told_so(released, tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "env", "prlimit", "setpriv"):
        (programs / name).symlink_to(shutil.which(name))
    write(
        tmp_path / "in",
        {
            "Ada/hw.ipynb": packed(filled(released)),
            "Bob/hw.ipynb": packed(filled(released, q1="import os\nos._exit(0)")),
        },
    )
    result = grade(tmp_path / "in", tmp_path / "refused", PATH=str(programs))
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert "Nothing was run, for there is no sandbox: bwrap not found" in result.stderr
    assert "bubblewrap" in result.stderr and "--no-sandbox" in result.stderr
    assert not (tmp_path / "refused/marks.csv").exists()
    marks = tmp_path / "marks"
    result = grade(tmp_path / "in", marks, "--no-sandbox", PATH=str(programs))
    assert result.returncode == 0, result.stderr
    found = {name: (r["q1 (4)"], r["q2 (3)"]) for name, r in table(marks / "marks.csv").items()}
    assert found == {"Ada": ("4", "3"), "Bob": ("0", "3")}


def test_marks_may_go_into_a_folder_beside_the_one_of_the_command(small, marked, tmp_path):
    result = run("grade", NAME, small, "--to", "out", "--seconds", 4, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "out/marks.csv").read_bytes() == (marked / "marks.csv").read_bytes()


def test_no_process_of_the_sandbox_knows_the_environment_of_the_teacher():
    made = program("sandboxed", input="1", env=os.environ | {"SECRET": "token"})
    assert made.returncode == 0, made.stderr
    environments = json.loads(made.stdout)["environments"]
    assert len(environments) > 1
    assert not any("SECRET" in text for text in environments)
