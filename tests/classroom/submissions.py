"""What students hand in, made from the released notebook, and how it is marked in tests."""

import copy
import csv
import io
import json
import os
import shutil
import subprocess
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from classroom.collect import HandedIn
from classroom.course import Course
from classroom.notebooks import notebook_of
from classroom.release import for_students

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-classroom/bin/python"
COMMAND = [str(PYTHON), "-m", "classroom"]
NAME = "temperature"

GOOD_1 = """
def softmax_at(x, T):
    T = np.asarray(T, dtype=x.dtype)[..., np.newaxis]
    z = x - np.max(x, axis=-1, keepdims=True)
    e = np.exp(z / T)
    return e / np.sum(e, axis=-1, keepdims=True)
"""
NAIVE_1 = """
def softmax_at(x, T):
    e = np.exp(x / np.asarray(T, dtype=x.dtype)[..., None])
    return e / e.sum(axis=-1, keepdims=True)
"""
VISIBLE_1 = """
def softmax_at(x, T):
    e = np.exp((x - x.max()) / np.asarray(T, dtype=x.dtype)[..., None])
    return e / e.sum(axis=-1, keepdims=True)
"""
GOOD_2 = """
def masked_softmax_at(x, mask, T):
    x = np.where(mask, x, -np.inf)
    m = np.max(x, axis=-1, keepdims=True)
    e = np.exp((x - np.where(m == -np.inf, 0, m)) / T)
    s = np.sum(e, axis=-1, keepdims=True)
    return e / np.where(s == 0, 1, s)
"""
NAIVE_2 = """
def masked_softmax_at(x, mask, T):
    e = np.exp(x / T) * mask
    return e / e.sum(axis=-1, keepdims=True)
"""
GOOD_3 = "The sum of what is left is 0, and 0/0 is nan."


def missing():
    """Return what the marking of notebooks lacks here, or None."""
    if not PYTHON.exists():
        return ".venv-classroom is missing: run make classroom-test or make grade once"
    lost = [name for name in ("bwrap", "prlimit", "setpriv") if not shutil.which(name)]
    return f"{' and '.join(lost)} is missing: install bubblewrap and util-linux" if lost else None


needs_marking = pytest.mark.skipif(missing() is not None, reason=str(missing()))


def run(*arguments, **options):
    """Run the command of the classroom and return what it printed."""
    options = {"capture_output": True, "encoding": "utf-8", "timeout": 900, "cwd": ROOT} | options
    return subprocess.run([*COMMAND, *map(str, arguments)], **options)


def program(name, *arguments, **options):
    """Run a module of tests/classroom/programs in the environment of the classroom."""
    command = [str(PYTHON), "-m", f"tests.classroom.programs.{name}", *map(str, arguments)]
    given = {"capture_output": True, "encoding": "utf-8", "timeout": 300, "cwd": ROOT}
    return subprocess.run(command, **given | options)


def generate(name=NAME):
    """Return the notebook for students, without proving the assignment."""
    return json.loads(json.dumps(for_students(Course(ROOT / f"book/assignments/{name}.md"))))


def cell(notebook, part):
    """Return the cell of a part: "q1", "q1-visible"."""
    [found] = [c for c in notebook["cells"] if c.get("id") == f"{NAME}-{part}"]
    return found


def place(notebook, part):
    return notebook["cells"].index(cell(notebook, part))


def filled(released, q1=GOOD_1, q2=GOOD_2, q3=GOOD_3):
    """Return the released notebook with answers; None leaves one blank."""
    notebook = copy.deepcopy(released)
    for part, answer in {"q1": q1, "q2": q2, "q3": q3}.items():
        if answer is not None:
            cell(notebook, part)["source"] = answer
    return notebook


def copied(notebook):
    notebook["cells"].insert(place(notebook, "q1"), copy.deepcopy(cell(notebook, "q1")))
    notebook["cells"][place_of_first(notebook)]["source"] = "# a first try"


def place_of_first(notebook):
    return next(i for i, c in enumerate(notebook["cells"]) if c.get("id") == "temperature-q1")


def code(source, **other):
    """Return a code cell that a student adds."""
    return {
        **{"cell_type": "code", "source": source, "metadata": {}},
        **{"outputs": [], "execution_count": None},
        **other,
    }


def packed(notebook):
    return json.dumps(notebook).encode()


def zipped(files):
    """Return a zip archive of files, names to bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def write(folder, files):
    """Write files, names to bytes, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def handed_in(**files):
    """Return what a student has handed in: x_ipynb is x.ipynb."""
    files = {name.replace("_", "."): data for name, data in files.items()}
    return HandedIn("Ada", files={name: lambda data=data: data for name, data in files.items()})


def sources(notebook):
    """Return the cells by their names; those that were added have none of the assignment's."""
    return {c.id.removeprefix("temperature-"): c.source for c in notebook.cells}


def marked_as(notebook, master):
    """Return what is marked of a notebook, a dict as in its file."""
    return notebook_of(handed_in(x_ipynb=packed(notebook)).contents(), master)


def within(seconds):
    """Return a function that fails if that much time has passed."""
    end = time.monotonic() + seconds

    def check():
        assert time.monotonic() < end, f"this took more than {seconds} s"

    return check


def tree(folder):
    """Return everything in a folder with its content and the time of its last change."""
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            path.read_bytes() if path.is_file() and not path.is_symlink() else None,
        )
        for path in sorted(folder.rglob("*"))
    }


def table(path):
    """Return the rows of a CSV file by the name of the student."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def left_over():
    """Return the processes of sandboxes that run with the environment of this repository."""
    processes = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                command = (entry / "cmdline").read_bytes()
                if os.fsencode(PYTHON) in command and b"What runs in the sandbox" in command:
                    processes.add(entry.name)
    return processes
