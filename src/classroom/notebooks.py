"""Find a student's notebook among what was handed in, and put it back into the released form."""

import json
import re
from collections import defaultdict

import nbformat
from nbformat import v4

from .collect import printable
from .course import ANSWERS, Refused, role

CELLS = 2000  # of a notebook
LONGEST = 50_000  # characters in a cell; the notebooks of students say so
ALL = 400_000  # characters in all cells
OURS = re.compile(r"^# Run this cell (first|last): it (installs|checks) ", re.M)  # for students


def notebook_of(files, master):
    """Return the notebook among a student's files, put back into the form of the released one."""
    found, reasons, known = {}, [], named_cells(master).keys()
    for name, content in files.items():
        try:
            if isinstance(content, str):
                raise Refused(content)
            theirs = read_notebook(printable(name), content)
            if known.isdisjoint(map(grade_id, theirs.cells)):
                raise Refused(f"{printable(name)} is no notebook of this assignment.")
            notebook = assemble(theirs, master)
            found.setdefault(content_of(notebook), (printable(name), notebook))
        except Refused as reason:
            reasons.append(str(reason))
    if len(found) > 1:  # without the assignment as it was given out
        found.pop(content_of(assemble(master, master)), None)
    if len(found) > 1:
        names = " and ".join(sorted(name for name, _ in found.values()))
        raise Refused(f"There are {len(found)} different notebooks: {names}; keep one.")
    if not found:
        raise Refused(" ".join(reasons[:5]) or "There is no file.")
    return next(iter(found.values()))[1]


def read_notebook(name, content):
    """Return a notebook of any age, or say why it is none."""
    try:
        data = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        if re.search(rb"^(<{7}|>{7}) ", content, flags=re.M):
            raise Refused(f"{name} has a merge conflict in it (<<<<<<<): resolve it.") from None
        if name.lower().endswith(".ipynb"):
            raise Refused(f"{name} is damaged: it is no complete notebook.") from None
        data = None
    if not isinstance(data, dict) or "nbformat" not in data:
        raise Refused(f"{name} is no notebook (.ipynb).")
    try:
        notebook = nbformat.from_dict(data)
        if notebook.nbformat < 4:
            notebook = nbformat.convert(notebook, 4)
        for cell in notebook.cells:
            source = "".join(cell["source"])  # a text, or a list of lines
            cell.source = source.encode("utf-8", "replace").decode()  # half of a sign
            cell.metadata = cell.get("metadata") or nbformat.NotebookNode()
            assert isinstance(cell.metadata, dict) and isinstance(cell.cell_type, str)
    except Exception:
        raise Refused(f"{name} is damaged: it is no complete notebook.") from None
    lengths = [len(cell.source) for cell in notebook.cells]
    if len(lengths) > CELLS or max(lengths, default=0) > LONGEST or sum(lengths) > ALL:
        long = f"a cell may have {LONGEST} characters, all cells together {ALL}"
        raise Refused(f"{name} is too long: {long}; {CELLS} cells are the most.")
    return notebook


def content_of(notebook):
    """Return what two notebooks with the same text have in common, whatever their identifiers."""
    cells = notebook.cells
    return json.dumps([[c.cell_type, c.source.strip(), c.get("attachments")] for c in cells])


def grade_id(cell):
    """Return the name of a cell of an assignment, or None for a cell that the student added."""
    nbgrader = cell.metadata.get("nbgrader")
    names = [nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None, cell.get("id")]
    return next((name for name in names if isinstance(name, str)), None)


def assemble(theirs, master):
    """Return the assignment, every cell of it once, with a student's answers and added cells."""
    named, pieces, before, added = named_cells(master), defaultdict(list), {}, []
    for number, cell in enumerate(theirs.cells):
        name = grade_id(cell)
        if name in named:
            pieces[name].append(cell)
            if name not in before:
                before[name], added = added, []
        elif cell.cell_type in {"code", "markdown", "raw"} and not OURS.search(cell.source):
            new = getattr(v4, f"new_{cell.cell_type}_cell")(id=f"added-{number}")
            added.append(answered(new, [cell]))
    cells = []
    for name, cell in named.items():
        mine = answered(nbformat.from_dict(cell), pieces[name]) if role(cell) in ANSWERS else cell
        cells += [*before.get(name, []), mine]
    return nbformat.from_dict({**master, "cells": cells + added})


def named_cells(master):
    """Return the answers and tests of an assignment by their names."""
    return {cell.id: cell for cell in master.cells if "nbgrader" in cell.metadata}


def answered(cell, pieces):
    """Return a cell with what is written in pieces of it, and if it is text, pasted into them."""
    sources, found = [p.source for p in pieces if p.source.strip() != cell.source.strip()], {}
    if sources or not pieces:
        cell.source = "\n".join(sources)
    for attachments in (piece.get("attachments") for piece in pieces):
        for name, data in attachments.items() if isinstance(attachments, dict) else ():
            for kind in ("image/png", "image/jpeg"):
                if isinstance(data, dict) and isinstance(data.get(kind), str):
                    found[printable(str(name))] = {kind: data[kind]}
    if found and cell.cell_type == "markdown":
        cell.attachments = found
    return cell


def written_by_hand(notebook, master):
    """Return, as cells, what was written for each answer that is marked by hand, also beside it."""
    lines = {line.strip() for cell in master.cells for line in cell.source.splitlines()}
    found, beside = {}, []  # what was written since the last test, and after an answer
    for cell in notebook.cells:
        mine = [line for line in cell.source.splitlines() if line.strip() not in lines]
        part = nbformat.from_dict({**cell, "source": "\n".join(mine).strip()})
        parts = [part] if part.source or part.get("attachments") else []
        if role(cell) == "essay":
            found[cell.id] = beside = beside + parts
        elif role(cell):
            beside = []
        else:
            beside += parts
    return {name: parts for name, parts in found.items() if parts}
