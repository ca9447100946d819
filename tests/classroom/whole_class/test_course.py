"""Marking a class over days: interrupted, repeated, with marks by hand, for a platform."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from tests.classroom.submissions import (
    COMMAND,
    NAIVE_1,
    NAME,
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
    return run("grade", NAME, handed_in, "--to", marks, "--seconds", 2, *options, **given)


def files_of(marks):
    """Return what the marking of notebooks has written, with the times."""
    return {
        name: value
        for name, value in tree(marks / "nbgrader").items()
        if name.startswith(("submitted", "autograded"))
    }


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
def marked(small, generated):
    """The folder with the marks of the small class."""
    marks = generated(small.parent / "marks")
    result = grade(small, marks)
    assert result.returncode == 0, result.stderr
    assert re.search("Answers of 3 students wait for a mark by hand|3 answers wait", result.stdout)
    return marks


def test_the_same_folder_marked_again_gives_the_same_table_and_runs_nobodys_code(small, marked):
    before, was = (marked / "marks.csv").read_bytes(), files_of(marked)
    start = time.monotonic()
    result = grade(small, marked)
    assert result.returncode == 0, result.stderr
    assert (marked / "marks.csv").read_bytes() == before
    assert files_of(marked) == was and was
    assert time.monotonic() - start < 30


def test_the_same_notebooks_get_the_same_marks_in_another_folder(small, marked, generated):
    shutil.copytree(small / "Bob", small.parent / "moved/in/Yan")
    marks = generated(small.parent / "moved/marks")
    assert grade(small.parent / "moved/in", marks).returncode == 0
    again, first = table(marks / "marks.csv"), table(marked / "marks.csv")
    assert again["Yan"] | {"student": "Bob"} == first["Bob"]
    pages = (marks / "feedback/Yan.html", marked / "feedback/Bob.html")
    tables = [re.findall("<pre>.*?</pre>", page.read_text(), re.S) for page in pages]
    assert tables[0] == tables[1], "the hidden tests tried the same inputs"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=lambda s: s.name)
def test_an_interrupted_run_goes_on_where_it_stopped(how, small, marked, generated, tmp_path):
    temporary = Path(tempfile.mkdtemp(prefix="class-"))
    marks = generated(tmp_path / "marks")
    command = [*COMMAND, "grade", NAME, str(small), "--to", str(marks), "--seconds", "2"]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "start_new_session": True}
    environment = os.environ | {"TMPDIR": str(temporary)}
    with subprocess.Popen(command, text=True, env=environment, **options) as running:
        for line in running.stdout:  # Ada is done; Bob's turn
            if "Ada …" in line:
                break
        # bubblewrap, its first process inside and the kernel: before these three are there,
        # bubblewrap 0.8 has not yet asked to end with its parent
        for _ in range(100):
            if len(left_over(temporary)[0]) >= 3:
                break
            time.sleep(0.05)
        # a Ctrl-C reaches all processes of the terminal, a kill only the one it is meant for
        (os.killpg if how == signal.SIGINT else os.kill)(running.pid, how)
        running.stdout.read()
        says = running.stderr.read()
    assert running.returncode != 0
    if how == signal.SIGINT:
        assert "the same command goes on from here" in says and "Traceback" not in says
    done = {name: v for name, v in files_of(marks).items() if "/Ada/" in name}
    assert done
    result = grade(small, marks, TMPDIR=str(temporary))
    assert result.returncode == 0, result.stderr
    assert (marks / "marks.csv").read_bytes() == (marked / "marks.csv").read_bytes()
    assert {name: v for name, v in files_of(marks).items() if "/Ada/" in name} == done
    for _ in range(100):
        processes, _ = left_over(temporary)
        if not processes:
            break
        time.sleep(0.1)
    assert not processes
    shutil.rmtree(temporary)


def test_a_mark_by_hand_is_in_table_and_page_and_outlives_new_marks(small, marked, released):
    marks = small.parent / "by-hand"
    shutil.copytree(marked, marks)
    was = files_of(marks)
    program("mark_by_hand", marks, "Zoe", 2.5, "Well said & <done>").check_returncode()
    assert grade(small, marks).returncode == 0
    row = table(marks / "marks.csv")["Zoe"]
    assert (row["q3 (3)"], row["total (10)"], row["note"]) == ("2.5", "9.5", "")
    page = (marks / "feedback/Zoe.html").read_text(encoding="utf-8")
    assert "Well said &amp; &lt;done&gt;" in page or "Well said &amp; <" not in page
    assert "Well said" in page
    assert {k: v for k, v in files_of(marks).items() if "autograded" in k} == {
        k: v for k, v in was.items() if "autograded" in k
    }, "nobody's code ran again"
    handed_in = small.parent / "second"
    shutil.copytree(small, handed_in)
    write(handed_in, {"Zoe/hw.ipynb": packed(filled(released, q1=NAIVE_1))})
    assert grade(handed_in, marks).returncode == 0
    row = table(marks / "marks.csv")["Zoe"]
    assert (row["q1 (4)"], row["q2 (3)"]) == ("0", "3")
    assert row["q3 (3)"] == "2.5" or "waits for a mark by hand" in row["note"]


def test_a_notebook_that_is_replaced_or_withdrawn_loses_its_old_marks(small, marked, released):
    marks, handed_in = small.parent / "replaced", small.parent / "third"
    shutil.copytree(marked, marks)
    write(handed_in, {"Ada/hw.ipynb": b"{", "Bob/hw.ipynb": packed(filled(released))})
    assert grade(handed_in, marks).returncode == 0
    rows = table(marks / "marks.csv")
    assert list(rows) == ["Ada", "Bob"]
    assert rows["Ada"]["total (10)"] == "0" and "damaged" in rows["Ada"]["note"]
    assert rows["Bob"]["q1 (4)"] == "4"
    assert "could not be marked" in (marks / "feedback/Ada.html").read_text()


# Tables for platforms


def rows(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def test_a_download_of_moodle_comes_back_as_a_table_for_moodle(released, generated, tmp_path):
    good = packed(filled(released, q3=None))
    source = tmp_path / "moodle.zip"
    names = [
        'Müller, "Jo"_17_assignsubmission_file_/a.ipynb',
        "李 小龍_3_assignsubmission_file_/b.pdf",
    ]
    source.write_bytes(zipped({names[0]: good, names[1]: b"%PDF"}))
    marks = generated(tmp_path / "marks")
    assert grade(source, marks).returncode == 0
    header, *students = rows(marks / "moodle.csv")
    assert header == ["Identifier", "Full name", "Grade", "Maximum Grade", "Feedback comments"]
    assert students[0][:4] == ["Participant 17", 'Müller, "Jo"', "7", "10"]
    assert students[1][:4] == ["Participant 3", "李 小龍", "0", "10"]
    assert "b.pdf is no notebook" in students[1][4]
    header, *students = rows(marks / "marks.csv")
    parts = ["q1 (4)", "q2 (3)", "q3 (3)", "total (10)"]
    assert header == ["student", "Identifier", *parts, "note"]
    assert students[0] == ['Müller, "Jo"', "Participant 17", "4", "3", "0", "7", ""]
    assert not (marks / "canvas.csv").exists()
    assert (marks / "marks.csv").read_bytes().startswith(b"\xef\xbb\xbf"), "for spreadsheets"


def test_a_download_of_canvas_comes_back_as_a_table_for_canvas(released, generated, tmp_path):
    source = tmp_path / "canvas.zip"
    names = ["lovelaceada_LATE_123_456_hw-1.ipynb", "hoppergrace_7654_802_x.ipynb"]
    source.write_bytes(zipped({names[0]: packed(filled(released)), names[1]: b"{"}))
    marks = generated(tmp_path / "marks")
    assert grade(source, marks).returncode == 0
    assert rows(marks / "canvas.csv") == [
        ["Student", "ID", "Section", "temperature"],
        ["    Points Possible", "", "", "10"],
        ["hoppergrace", "7654", "", "0"],
        ["lovelaceada", "123", "", ""],  # complete only with the mark by hand
    ]
    assert [row["ID"] for row in table(marks / "marks.csv").values()] == ["7654", "123"]


# Without the sandbox


def test_without_bubblewrap_nothing_runs_unless_told_so(released, generated, tmp_path):
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
    marks = generated(tmp_path / "marks")
    result = grade(tmp_path / "in", marks, "--no-sandbox", PATH=str(programs))
    assert result.returncode == 0, result.stderr
    found = {name: (r["q1 (4)"], r["q2 (3)"]) for name, r in table(marks / "marks.csv").items()}
    assert found == {"Ada": ("4", "3"), "Bob": ("0", "3")}


def test_marks_may_go_into_a_folder_beside_the_one_of_the_command(small, marked, tmp_path):
    result = run("grade", NAME, small, "--to", "out", "--seconds", 2, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "out/marks.csv").read_bytes() == (marked / "marks.csv").read_bytes()


def test_no_process_of_the_sandbox_knows_the_environment_of_the_teacher():
    made = program("sandboxed", input="1", env=os.environ | {"SECRET": "token"})
    assert made.returncode == 0, made.stderr
    environments = json.loads(made.stdout)["environments"]
    assert len(environments) > 1
    assert not any("SECRET" in text for text in environments)
