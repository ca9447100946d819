"""Find each student's notebook in what was handed in, and put it back into the released form.

Nothing here writes, and archives are read in memory: no name inside of one can lead anywhere.
"""

import hashlib
import io
import json
import re
import stat
import zipfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import nbformat

LARGEST = 20 * 2**20  # bytes of a file that is read
MOST = 200  # files of a student that are looked at
NOISE = re.compile(r"(^|/)(__MACOSX|\.[^/]*|Thumbs\.db|desktop\.ini|__pycache__)(/|$)")
MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_[a-z]+_?(?P<file>.*)", re.S)
CANVAS = re.compile(r"(?P<name>[^_]+)(_LATE)?_(?P<id>\d+)_\d+_(?P<file>.+)", re.S)


class Unmarkable(Exception):
    """Why something cannot be marked, as a sentence for the teacher."""


@dataclass
class HandedIn:
    """What one student has handed in.

    Parameters
    ----------
    student : str
        As the folder or the learning platform names the student.
    number : str
        The platform's number of the student, or an empty string.
    files : dict of str to callable
        For each file a function that returns its bytes, or raises Unmarkable.
    key : str, optional
        The student as a name for files: letters, digits, hyphens.
    """

    student: str
    number: str = ""
    files: dict[str, Callable[[], bytes]] = field(default_factory=dict)
    key: str = ""

    def __post_init__(self):
        """Make a name for files from the name of the student."""
        words = re.sub(r"\W+", "-", f"{self.student} {self.number}").strip("-")
        self.key = self.key or words[:80] or "student"


def collect(source):
    """Read a folder or a zip archive with what a class has handed in.

    Understood are one folder for each student, one file for each student, and what Moodle and
    Canvas export, packed or unpacked.

    Parameters
    ----------
    source : pathlib.Path

    Returns
    -------
    tuple of (str, list of HandedIn)
        ``"moodle"``, ``"canvas"`` or ``""``; and the students in alphabetical order.

    Raises
    ------
    Unmarkable
        If there is no such folder or archive, or nothing in it.
    """
    if source.is_dir():
        files = folder_files(source)
    elif zipfile.is_zipfile(source):
        files = without_top_folder(archive_files(source.read_bytes()))
    elif source.exists():
        raise Unmarkable(f"{source} is neither a folder nor a zip archive.")
    else:
        raise Unmarkable(f"There is no {source}: give the folder or zip with what was handed in.")
    students, platforms = {}, set()
    for name, read in sorted(files.items()):
        if NOISE.search(name):
            continue
        platform, student, number, rest = owner(printable(name))
        platforms.add(platform)
        handed_in = students.setdefault((student, number), HandedIn(student, number))
        handed_in.files[rest] = read
    if not students:
        raise Unmarkable(f"There is nothing in {source}.")
    found = sorted(students.values(), key=lambda s: (s.student.casefold(), s.number))
    keys = set()
    for handed_in in found:
        if handed_in.key.casefold() in keys:  # names that differ in signs only
            handed_in.key += "-" + hashlib.sha256(repr(handed_in.student).encode()).hexdigest()[:8]
        keys.add(handed_in.key.casefold())
    return platforms.pop() if len(platforms) == 1 else "", found


def printable(text):
    """Return text without signs that a table or a terminal stumbles over."""
    text = text.encode("utf-8", "replace").decode()
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", "?", text)


def owner(name):
    """Return platform, student, number and name of the file, from its path."""
    top, _, rest = name.partition("/")
    for platform, pattern in (("moodle", MOODLE), ("canvas", CANVAS)):
        found = pattern.fullmatch(top)
        if found and not (platform == "canvas" and rest):
            return platform, found["name"], found["id"], rest or found["file"]
    return "", top if rest else PurePosixPath(top).stem, "", rest or top


def folder_files(folder):
    """Return how to read each file of a folder; links and devices say that they are none."""
    files = {}
    for path in folder.rglob("*"):
        mode = path.lstat().st_mode
        if not stat.S_ISDIR(mode):
            files[path.relative_to(folder).as_posix()] = reader(path, mode)
    return files


def reader(path, mode):
    """Return the function that reads a file."""

    def read():
        if not stat.S_ISREG(mode):
            raise Unmarkable(f"{path.name} is a link or a device, and no file.")
        if path.stat().st_size > LARGEST:
            raise Unmarkable(f"{path.name} is larger than {LARGEST // 2**20} MiB.")
        return path.read_bytes()

    return read


def archive_files(content):
    """Return how to read each file of a zip archive."""
    archive = zipfile.ZipFile(io.BytesIO(content))

    def member(info):
        def read():
            name = PurePosixPath(info.filename).name
            if info.file_size > LARGEST:
                raise Unmarkable(f"{name} is larger than {LARGEST // 2**20} MiB.")
            try:
                with archive.open(info) as file:
                    return file.read(LARGEST + 1)[:LARGEST]  # the size above is only a claim
            except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
                raise Unmarkable(f"{name} cannot be unpacked: {error}.") from error
            except Exception as error:  # zlib.error, LZMAError, …
                raise Unmarkable(f"{name} is damaged.") from error

        return read

    return {
        info.filename.replace("\\", "/"): member(info)
        for info in archive.infolist()
        if not info.is_dir()
    }


def without_top_folder(files):
    """Leave out a folder around everything, which some programs add."""
    names = [name for name in files if not NOISE.search(name)]
    tops = {name.partition("/")[0] for name in names}
    if len(tops) != 1 or any("/" not in name for name in names):
        return files
    inner = {name.partition("/")[2] for name in names}
    one_student = all("/" not in name for name in inner) and (
        MOODLE.fullmatch(*tops) or sum(name.endswith(".ipynb") for name in inner) < 2
    )
    return files if one_student else {n.partition("/")[2]: files[n] for n in names}


def notebook_of(handed_in, master):
    """Return a student's notebook of an assignment, put back into the released form.

    Parameters
    ----------
    handed_in : HandedIn
    master : nbformat.NotebookNode
        The assignment as it was released.

    Returns
    -------
    nbformat.NotebookNode

    Raises
    ------
    Unmarkable
        If there is no such notebook, or more than one.
    """
    files = dict(list(handed_in.files.items())[:MOST])
    for name in [n for n in files if n.lower().endswith(".zip")]:
        try:
            inner = archive_files(files.pop(name)())
        except zipfile.BadZipFile:
            raise Unmarkable(f"{name} is no zip archive.") from None
        files |= {f"{name}/{n}": r for n, r in list(inner.items())[:MOST] if not NOISE.search(n)}
    found, reasons = {}, []
    for name, read in sorted(files.items()):
        try:
            theirs = read_notebook(PurePosixPath(name).name, read())
            if not answers_in(theirs, master):
                raise Unmarkable(f"{name} is no notebook of this assignment.")
            notebook = assemble(theirs, master)
            found.setdefault(json.dumps(notebook, sort_keys=True), (name, notebook))
        except Unmarkable as reason:
            reasons.append(str(reason))
    if len(found) > 1:
        names = " and ".join(sorted(name for name, _ in found.values()))
        raise Unmarkable(f"There are {len(found)} different notebooks: {names}; keep one.")
    if not found:
        raise Unmarkable(" ".join(reasons) or "There is no file.")
    return next(iter(found.values()))[1]


def read_notebook(name, content):
    """Return a notebook of any age, or say why it is none."""
    try:
        text = content.decode("utf-8-sig")
        data = json.loads(text)
    except (UnicodeDecodeError, ValueError, RecursionError):
        if name.lower().endswith(".ipynb"):
            raise Unmarkable(f"{name} is damaged: it is no complete notebook.") from None
        raise Unmarkable(f"{name} is no notebook (.ipynb).") from None
    if not isinstance(data, dict) or "nbformat" not in data:
        raise Unmarkable(f"{name} is no notebook (.ipynb).")
    try:
        notebook = nbformat.from_dict(data)
        if notebook.nbformat < 4:
            notebook = nbformat.convert(notebook, 4)
        for cell in notebook.cells:
            source = cell["source"]
            source = source if isinstance(source, str) else "".join(source)
            cell.source = source.encode("utf-8", "replace").decode()  # half of a sign
            cell.metadata = cell.get("metadata") or nbformat.NotebookNode()
            assert isinstance(cell.metadata, dict) and isinstance(cell.cell_type, str)
    except Exception:
        raise Unmarkable(f"{name} is damaged: it is no complete notebook.") from None
    return notebook


def grade_id(cell):
    """Return the name of a cell of an assignment, or None for a cell that the student added."""
    nbgrader = cell.metadata.get("nbgrader")
    name = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    return name if isinstance(name, str) else cell.get("id")


def assemble(theirs, master):
    """Return the assignment with a student's answers, and the cells that the student added.

    Cells are known by their names, which stand in their metadata and, where a program has dropped
    these, in their identifiers. Pieces of an answer that was split or copied are joined. Everything
    but answers and added cells is taken from the assignment.

    Parameters
    ----------
    theirs, master : nbformat.NotebookNode

    Returns
    -------
    nbformat.NotebookNode
        With every cell of the assignment once, in its form, and no outputs.
    """
    named = {cell.metadata.nbgrader.grade_id: cell for cell in master.cells if is_named(cell)}
    pieces = defaultdict(list)
    for cell in theirs.cells:
        pieces[grade_id(cell)].append(cell.source)
    cells, left, fixed = [], list(named), {cell.get("id") for cell in master.cells}
    for cell in theirs.cells:
        name = grade_id(cell)
        if name in named:
            if name in left:
                place = left.index(name)
                cells += [answered(named[n], pieces[n]) for n in left[: place + 1]]
                left = left[place + 1 :]
        elif cell.cell_type in {"code", "markdown"}:
            plain = nbformat.from_dict({"cell_type": cell.cell_type, "metadata": {}})
            plain.id = name if name in fixed and name not in {c.id for c in cells} else None
            plain.source = cell.source
            if cell.cell_type == "code":
                plain.outputs, plain.execution_count = [], None
            cells.append(plain)
    cells += [answered(named[n], pieces[n]) for n in left]
    for number, cell in enumerate(cells):
        if cell.id is None:
            cell.id = f"added-{number}"
    return nbformat.from_dict({**master, "cells": cells})


def answers_in(theirs, master):
    """Return whether a notebook has any cell of the assignment."""
    named = {cell.metadata.nbgrader.grade_id for cell in master.cells if is_named(cell)}
    return any(grade_id(cell) in named for cell in theirs.cells)


def is_named(cell):
    """Return whether a cell of the assignment is an answer or a test."""
    return "grade_id" in cell.metadata.get("nbgrader", {})


def answered(cell, pieces):
    """Return a cell of the assignment with the student's answer, if it is one."""
    cell = nbformat.from_dict(cell)
    if cell.metadata.nbgrader.solution:
        written = [piece for piece in pieces if piece.strip() != cell.source.strip()]
        if written or not pieces:
            cell.source = "\n".join(written)
    return cell
