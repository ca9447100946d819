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
TOGETHER = 100 * 2**20  # bytes of all files of a student
MOST = 200  # files of a student, and of an archive among them
CELLS = 2000  # of a notebook
NOISE = re.compile(r"(^|/)(__MACOSX|\.[^/]*|Thumbs\.db|desktop\.ini|__pycache__)(/|$)")
MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_[a-z]+_?(?P<file>.*)", re.S)
CANVAS = re.compile(r"(?P<name>[^_]+)(_LATE)?_(?P<id>\d{3,})_\d{3,}_(?P<file>.+)", re.S)


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
    key : str
        The student as a name for files, different from those of all others.
    """

    student: str
    number: str = ""
    files: dict[str, Callable[[], bytes]] = field(default_factory=dict)
    key: str = ""


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
        files = without_top_folder(folder_files(source))
    elif source.exists():
        try:
            files = without_top_folder(archive_files(source.name, source.read_bytes()))
        except (Unmarkable, OSError) as reason:
            raise Unmarkable(f"{source} is neither a folder nor a zip archive: {reason}") from None
    else:
        raise Unmarkable(f"There is no {source}: give the folder or zip with what was handed in.")
    students, platforms = {}, set()
    for name, read in sorted(files.items()):
        platform, student, number, rest = owner(name)
        if NOISE.search(name.partition("/")[0]):
            continue
        handed_in = students.setdefault((student, number), HandedIn(printable(student), number))
        if read and not NOISE.search(rest):
            platforms.add(platform)
            handed_in.files[rest] = read
    if not students:
        raise Unmarkable(f"There is nothing in {source}.")
    name_keys(students)
    found = sorted(students.values(), key=lambda one: (one.student.casefold(), one.key))
    platforms -= {""}  # a file that says "read me", for example
    return platforms.pop() if len(platforms) == 1 else "", found


def name_keys(students):
    """Give each student a name for files: letters, digits and hyphens, and short."""
    taken = set()
    for (student, number), handed_in in sorted(students.items()):
        words = re.sub(r"\W+", "-", f"{handed_in.student} {number}").strip("-")
        key = words.encode()[:100].decode(errors="ignore") or "student"
        if key.casefold() in taken or key != words:
            key += f"-{hashlib.sha256(repr((student, number)).encode()).hexdigest()[:12]}"
        handed_in.key = key
        taken.add(key.casefold())


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
    """Return how to read each file of a folder; an empty folder counts as a student's."""
    files = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() and not path.is_symlink():
            if path.parent == folder:
                files.setdefault(f"{name}/", None)
        else:
            files[name] = reader(path)
    return files


def reader(path):
    """Return the function that reads a file."""

    def read():
        try:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode):
                raise Unmarkable(f"{printable(path.name)} is a link or a device, and no file.")
            if status.st_size > LARGEST:
                raise Unmarkable(too_large(path.name))
            return path.read_bytes()
        except OSError as error:
            raise Unmarkable(f"{printable(path.name)} cannot be read: {error.strerror}.") from None

    return read


def too_large(name):
    """Return the sentence for a file that is too large."""
    return f"{printable(name)} is larger than {LARGEST // 2**20} MiB."


def archive_files(name, content):
    """Return how to read each file of a zip archive; raises Unmarkable if it is none."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        members = archive.infolist()
    except Exception:  # BadZipFile, and what else damage leads to
        raise Unmarkable(f"{printable(name)} is damaged: it is no zip archive.") from None

    def member(info):
        def read():
            last = PurePosixPath(info.filename).name
            if info.file_size > LARGEST:
                raise Unmarkable(too_large(last))
            try:
                with archive.open(info) as file:
                    data = file.read(LARGEST + 1)  # the size above is only a claim
            except Exception as error:  # encrypted, damaged, packed in a way unknown here
                raise Unmarkable(f"{printable(last)} cannot be unpacked: {error}.") from None
            if len(data) > LARGEST:
                raise Unmarkable(too_large(last))
            return data

        return read

    names = [(info, info.filename.replace("\\", "/")) for info in members]
    return {name: None if name.endswith("/") else member(info) for info, name in names}


def without_top_folder(files):
    """Leave out a folder around everything, which some programs add."""
    names = [name for name in files if files[name] and not NOISE.search(name)]
    tops = {name.partition("/")[0] for name in names}
    if len(tops) != 1 or any("/" not in name for name in names) or MOODLE.fullmatch(*tops):
        return files
    inner = {name: name.partition("/")[2] for name in names}
    inner_tops = {name.partition("/")[0] for name in inner.values()}
    notebooks = sum(name.endswith(".ipynb") for name in names)
    several = len(inner_tops) > 1 and (notebooks > 1 or any("/" in n for n in inner.values()))
    if several or any(MOODLE.fullmatch(top) or CANVAS.fullmatch(top) for top in inner_tops):
        return {inner[name]: files[name] for name in names}
    return files  # the folder of one student


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
    found, reasons, size = {}, [], 0
    blank = json.dumps(assemble(master, master), sort_keys=True)
    waiting = [(name, read, True) for name, read in sorted(handed_in.files.items())[:MOST]]
    while waiting:
        name, read, outermost = waiting.pop(0)
        last = PurePosixPath(name).name
        try:
            content = read()
            size += len(content)
            if size > TOGETHER:
                raise Unmarkable(f"There are more than {TOGETHER // 2**20} MiB of files.")
            if content[:4] == b"PK\3\4" and outermost:  # an archive, but none in another
                inner = [i for i in archive_files(last, content).items() if i[1]][:MOST]
                waiting += [(n, r, False) for n, r in inner if not NOISE.search(n)]
                continue
            theirs = read_notebook(printable(last), content)
            if not answers_in(theirs, master):
                raise Unmarkable(f"{printable(last)} is no notebook of this assignment.")
            notebook = assemble(theirs, master)
            found.setdefault(json.dumps(notebook, sort_keys=True), (printable(last), notebook))
        except Unmarkable as reason:
            reasons.append(str(reason))
            if size > TOGETHER:
                break
    if len(found) > 1:
        found.pop(blank, None)  # the assignment as it was given out
    if len(found) > 1:
        names = " and ".join(sorted(name for name, _ in found.values()))
        raise Unmarkable(f"There are {len(found)} different notebooks: {names}; keep one.")
    if not found:
        raise Unmarkable(" ".join(reasons[:5]) or "There is no file.")
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
    if len(notebook.cells) > CELLS:
        raise Unmarkable(f"{name} has more than {CELLS} cells.")
    return notebook


def grade_id(cell):
    """Return the name of a cell of an assignment, or None for a cell that the student added."""
    nbgrader = cell.metadata.get("nbgrader")
    names = [nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None, cell.get("id")]
    return next((name for name in names if isinstance(name, str)), None)


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
    named = named_cells(master)
    pieces = defaultdict(list)
    for cell in theirs.cells:
        pieces[grade_id(cell)].append(cell)
    cells, left, free = [], list(named), {cell.get("id") for cell in master.cells}
    for cell in theirs.cells:
        name = grade_id(cell)
        if name in named:
            if name in left:
                place = left.index(name)
                cells += [answered(named[n], pieces[n]) for n in left[: place + 1]]
                left = left[place + 1 :]
        elif cell.cell_type in {"code", "markdown"}:
            plain = nbformat.from_dict({"cell_type": cell.cell_type, "metadata": {}})
            plain.id = name if name in free else None
            free.discard(name)
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
    return not named_cells(master).keys().isdisjoint(map(grade_id, theirs.cells))


def named_cells(master):
    """Return the answers and tests of an assignment by their names."""
    return {cell.metadata.nbgrader.grade_id: cell for cell in master.cells if is_named(cell)}


def is_named(cell):
    """Return whether a cell of the assignment is an answer or a test."""
    return "grade_id" in cell.metadata.get("nbgrader", {})


def answered(cell, pieces):
    """Return a cell of the assignment with the student's answer, if it is one."""
    cell = nbformat.from_dict(cell)
    if cell.metadata.nbgrader.solution:
        written = [piece for piece in pieces if piece.source.strip() != cell.source.strip()]
        if written or not pieces:
            cell.source = "\n".join(piece.source for piece in written)
        pictures = [piece.attachments for piece in written if "attachments" in piece]
        if pictures and cell.cell_type == "markdown":  # what was pasted into an answer
            cell.attachments = {k: v for one in pictures for k, v in clean_pictures(one).items()}
    return cell


def clean_pictures(attachments):
    """Return the pictures among what is attached to a cell."""
    found = {}
    for name, data in attachments.items() if isinstance(attachments, dict) else ():
        for kind in ("image/png", "image/jpeg"):
            text = data.get(kind) if isinstance(data, dict) else None
            if isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9+/=\s]+", text):
                found[printable(str(name))] = {kind: text}
    return found
