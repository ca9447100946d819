"""Mark what a class has handed in, one student after the other."""

import html
import json
from pathlib import Path

from .collect import Unmarkable, collect
from .course import Course, Failed, Refused
from .kernel import check_sandbox
from .notebooks import notebook_of
from .repository import MARKS, shown
from .tables import write_atomically, write_marks

PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><body style="font-family: sans-serif; margin: 2em">
<h1>{title}</h1><p>This could not be marked. {note}</p></body></html>
"""


def grade_assignment(path, source, folder=None, cell_seconds=10.0, sandboxed=True):
    """Mark everything that was handed in, one student after the other."""
    if not source:
        raise Refused("Say what to mark: FROM=folder, or the zip of Moodle or Canvas.")
    source, out = Path(source).expanduser(), f" OUT={folder}" if folder else ""
    folder = folder or MARKS / path.stem
    if folder.resolve().is_relative_to(source.resolve()):
        raise Refused(f"Put the marks outside of what was handed in: {folder} is in {source}.")
    platform, students = collect(source)
    work = folder / "nbgrader"
    work.mkdir(parents=True, exist_ok=True)
    if sandboxed:
        see_that_the_sandbox_works()
    course = Course(path, work, sandboxed, cell_seconds)
    course.generate()
    released = course.released()
    record = work / "marked.json"
    marked = json.loads(record.read_text()) if record.exists() else {}
    (folder / "feedback").mkdir(exist_ok=True)
    rows = []
    print(f"{len(students)} students have handed in something.", flush=True)
    for number, student in enumerate(students, 1):
        print(f"{number:4} of {len(students)}  {student.student} … ", end="", flush=True)
        row = mark_student(course, student, released, marked)
        write_atomically(record, json.dumps(marked, indent=1))
        write_feedback(course, student, row, folder / "feedback")
        rows.append(row)
        print(summary(course, row), flush=True)
    write_marks(folder, course, platform, rows)
    pages = {f"{row['key']}.html" for row in rows}
    for page in (folder / "feedback").glob("*.html"):
        if page.name not in pages:  # of another class, or of a student who is gone
            page.unlink()
    print(f"Marks: {shown(folder / 'marks.csv')}; feedback: {shown(folder / 'feedback')}")
    open_rows = [row for row in rows if None in row["marks"].values()]
    waiting = sum("failed" not in row for row in open_rows)
    if waiting:
        print(f"{waiting} answers wait for a mark by hand: make hand-marks NAME={path.stem}{out}")
        print("Then repeat this command.")
    unknown = [row["student"] for row in open_rows if "failed" in row]
    if unknown:
        raise Failed(f"No marks yet, for a reason that is not theirs: {', '.join(unknown)}.")


def see_that_the_sandbox_works():
    """Refuse where the sandbox does not work."""
    reason = check_sandbox()
    if reason:
        raise Refused(
            f"Nothing was run, for there is no sandbox: {reason}.\nOn Debian or Ubuntu: sudo apt "
            "install bubblewrap. If you trust every notebook with your files and your network, "
            "add SANDBOX=no to the command of make, or --no-sandbox to this program's."
        )


def mark_student(course, student, released, marked):
    """Mark one student, unless the same notebook was marked before; return a row of marks."""
    row = {"student": student.student, "number": student.number, "key": student.key}
    row["marks"] = dict.fromkeys(course.questions(), 0.0)
    try:
        notebook = notebook_of(student, released)
        digest = course.digest(notebook)
        if marked.get(student.key) != digest:
            marked.pop(student.key, None)
            course.mark(student.key, notebook)
            marked[student.key] = digest
        row["marks"], row["note"] = course.marks(student.key), ""
        waiting = [name for name, mark in row["marks"].items() if mark is None]
        if waiting:
            row["note"] = f"{' and '.join(waiting)} waits for a mark by hand."
    except Unmarkable as reason:
        row["failed"], row["note"] = True, str(reason)
    except Exception as error:  # whatever it is, the others are marked
        reason = error if isinstance(error, Failed) else f"The program failed: {error!r}."
        row["marks"] = dict.fromkeys(row["marks"])
        row["failed"], row["note"] = True, f"Not marked, repeat the command. {reason}"
    return row


def write_feedback(course, student, row, folder):
    """Write the page for a student."""
    target = folder / f"{student.key}.html"
    if "failed" not in row:
        try:
            write_atomically(target, course.feedback(student.key, row["note"]))
            return
        except Failed as reason:
            row["note"] = f"{row['note']} {reason}".strip()
    title, note = (html.escape(text) for text in (course.name, row["note"]))
    write_atomically(target, PAGE.format(title=title, note=note))


def summary(course, row):
    """Return a line that says how a student did."""
    if "failed" in row:
        return row["note"]
    points = course.questions()
    given = {name: "-" if mark is None else f"{mark:g}" for name, mark in row["marks"].items()}
    return ", ".join(f"{name} {given[name]}/{points[name]:g}" for name in points)
