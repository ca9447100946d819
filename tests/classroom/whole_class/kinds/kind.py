"""A kind of submission, and the ways to describe one."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.classroom.submissions import GOOD_1, GOOD_2, ROOT, code, filled, packed, place, write

WAITS = "q3 waits for a mark by hand."
ANY = None  # a mark that is not determined


@dataclass
class Place:
    """Where a class is marked: its folders, and the port of a server that is to stay unreached."""

    handed_in: Path
    marks: Path
    port: int


@dataclass
class Kind:
    """A kind of submission.

    Parameters
    ----------
    name : str
        The student.
    make : callable
        Given the released notebook and the place, returns a notebook, a dict of names to bytes, or
        None if it has written into the folder, its third argument, itself.
    q1, q2 : int or None
    note : str
        What the note begins with.
    page : list of str
        What stands on the feedback page.
    """

    name: str
    make: Callable
    q1: int | None
    q2: int | None
    note: str = WAITS
    page: tuple = ()

    def hand_in(self, released, folder, here):
        made = self.make(released, here, folder)
        if made is not None:
            made = made if "cells" not in made and "worksheets" not in made else notebook(made)
            write(folder, made)


def notebook(content):
    return {"hw.ipynb": packed(content)}


def answers(name, q1=GOOD_1, q2=GOOD_2, marks=(0, 3), page=(), **other):
    """Return a kind by its answers to the questions."""

    def make(released, here, folder):
        text = {"HERE": str(here.handed_in), "MARKS": str(here.marks), "PORT": str(here.port)}
        text["ROOT"] = str(ROOT)
        source = q1
        for word, value in text.items():
            source = source and source.replace(f"<{word}>", value)
        return filled(released, source, q2, **other)

    return Kind(name, make, *marks, page=page)


def changes(name, change, marks=(4, 3), page=(), note=WAITS, **given):
    """Return a kind by what is done to the notebook with right answers."""

    def make(released, here, folder):
        made = filled(released, **given)
        return change(made) or made

    return Kind(name, make, *marks, note, page)


def files(name, make, says, marks=(0, 0)):
    """Return a kind by its files; `make` gets the right notebook as bytes."""
    return Kind(name, lambda r, here, folder: make(packed(filled(r))), *marks, note=says)


def writes(name, make, says):
    """Return a kind that cannot be had from names and bytes."""

    def run(released, here, folder):
        make(folder)

    return Kind(name, run, 0, 0, note=says)


def added(*sources, before="q1"):
    def change(made):
        at = place(made, before)
        made["cells"][at:at] = [code(text, id=f"x{i}") for i, text in enumerate(sources)]

    return change
