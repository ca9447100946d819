"""Release an assignment of the book, and mark what a class has handed in.

The Makefile calls this program in an environment of its own; see the chapter "Teaching".
"""

import argparse
import csv
import html
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import webbrowser
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import nbformat
import yaml
from nbformat import v4

from book_tools.first_cell import first_cell_source

from .collect import Unmarkable, collect, notebook_of
from .course import ROOT, Course, Failed, Refused
from .kernel import check_sandbox

ASSIGNMENTS = ROOT / "book/assignments"
PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><body style="font-family: sans-serif; margin: 2em">
<h1>{title}</h1><p>This could not be marked. {note}</p></body></html>
"""


def main(arguments=None):
    """Run the program; return 0, or 1 after a message that says what to do."""
    parser = argparse.ArgumentParser(prog="python -m classroom", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    release = commands.add_parser("release", help="make the notebook for students")
    grade = commands.add_parser("grade", help="mark a folder or zip of notebooks")
    hand = commands.add_parser("hand-marks", help="where the marks by hand are entered")
    for command in (release, grade, hand):
        command.add_argument("name", help="the assignment, a file in book/assignments")
    release.add_argument("--to", type=Path, default=ROOT / "_build/classroom", help="a folder")
    grade.add_argument("source", help="a folder or zip, as Moodle or Canvas export it")
    for command in (grade, hand):
        command.add_argument("--to", type=Path, help="the folder of the marks; default marks/NAME")
    hand.add_argument("--no-browser", dest="open_browser", action="store_false")
    for command in (release, grade):
        command.add_argument("--seconds", type=seconds, default=10, help="the limit of a cell")
        command.add_argument(
            "--no-sandbox", action="store_true", help="run the notebooks with all your rights"
        )
    given = parser.parse_args(arguments)
    try:
        path = assignment(given.name)
        if given.command == "release":
            release_assignment(path, given)
        elif given.command == "grade":
            grade_assignment(path, given)
        else:
            mark_by_hand(path, given)
    except (Refused, Unmarkable, Failed) as reason:
        print(reason, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"This did not work: {error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; the same command goes on from here.", file=sys.stderr)
        return 130
    return 0


def seconds(text):
    """Return a limit of time."""
    with suppress(ValueError):
        if 1 <= float(text) <= 3600:
            return float(text)
    raise argparse.ArgumentTypeError(f"give a number of seconds from 1 to 3600, not {text}")


def assignment(name):
    """Return the path of an assignment."""
    known = {path.stem: path for path in sorted(ASSIGNMENTS.glob("*.md"))}
    if name not in known:
        what = f"There is no assignment “{name}”" if name else "Say which assignment: NAME=…"
        raise Refused(f"{what}. There are: {', '.join(known)}.")
    return known[name]


def sandboxed(given):
    """Return whether to use the sandbox; refuse where it does not work."""
    if given.no_sandbox:
        return False
    reason = check_sandbox()
    if reason:
        raise Refused(
            f"Nothing was run, for there is no sandbox: {reason}.\nOn Debian or Ubuntu: sudo apt "
            "install bubblewrap. If you trust every notebook with your files and your network, "
            "add SANDBOX=no to the command of make, or --no-sandbox to this program's."
        )
    return True


def release_assignment(path, given):
    """Make the notebook for students, if the assignment is sound."""
    trusted = given.no_sandbox or check_sandbox() is not None  # the answers are the teacher's own
    print(f"Trying the model answers and blank answers of “{path.stem}” …", flush=True)
    with tempfile.TemporaryDirectory(prefix="release-") as work:
        course = Course(path, Path(work), sandboxed=not trusted, cell_seconds=given.seconds)
        try:
            course.prove()
        except (Refused, Failed) as reason:
            raise Refused(f"“{path.stem}” is not released: {reason}") from None
        notebook = course.released()
    notebook.cells.insert(1, first_cell(path.stem))
    given.to.mkdir(parents=True, exist_ok=True)
    target = given.to / f"{path.stem}.ipynb"
    nbformat.write(notebook, target)
    points = " + ".join(f"{points:g}" for points in course.questions().values())
    print(
        f"Model answers earn every point ({points}), blank answers none, nothing is left of them."
    )
    print(f"Give this to students: {shown(target)}")
    print(f"Keep this, with answers, tests and marking guide: {shown(path)}")


def first_cell(name):
    """Return the cell that installs the package where it is missing."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    place = config["repository"]["url"], config["repository"]["branch"]
    text = first_cell_source(config["title"], config["html"]["baseurl"], *place)
    return v4.new_code_cell(text, id=f"{name}-install")


def grade_assignment(path, given):
    """Mark everything that was handed in, one student after the other."""
    if not given.source:
        raise Refused("Say what to mark: FROM=folder, or the zip of Moodle or Canvas.")
    source = Path(given.source).expanduser()
    folder = given.to or ROOT / "marks" / path.stem
    if folder.resolve().is_relative_to(source.resolve()):
        raise Refused(f"Put the marks outside of what was handed in: {folder} is in {source}.")
    platform, students = collect(source)
    work = folder / "nbgrader"
    work.mkdir(parents=True, exist_ok=True)
    course = Course(path, work, sandboxed(given), given.seconds)
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
        out = f" OUT={given.to}" if given.to else ""
        print(f"{waiting} answers wait for a mark by hand: make hand-marks NAME={path.stem}{out}")
        print("Then repeat this command.")
    unknown = [row["student"] for row in open_rows if "failed" in row]
    if unknown:
        raise Failed(f"No marks yet, for a reason that is not theirs: {', '.join(unknown)}.")


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


def mark_by_hand(path, given):
    """Open nbgrader's pages for marks by hand, until they are closed with Ctrl-C."""
    work = ((given.to or ROOT / "marks" / path.stem) / "nbgrader").absolute()
    if not (work / "gradebook.db").exists():
        raise Refused(
            f"There is nothing to mark in {shown(work.parent)} yet: run make grade first."
        )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port, token = free.getsockname()[1], secrets.token_hex(16)
    settings = {
        "ServerApp.root_dir": work,
        "ServerApp.port": port,
        "ServerApp.allow_root": True,
        "ServerApp.jpserver_extensions": "nbgrader.server_extensions.formgrader=True",
        "ServerApp.open_browser": False,
        "ServerApp.terminals_enabled": False,
        "CourseDirectory.root": work,
        "HTMLExporter.filters": "markdown2html=classroom.marking.markdown_to_html",
    }
    variables = {"JUPYTER_TOKEN": token}
    command = [sys.executable, "-m", "jupyter_server"]
    command += [f"--{name}={value}" for name, value in settings.items()]
    page = quote(f"/formgrader/gradebook/{path.stem}/{path.stem}", safe="")
    # its own pages keep no token: enter through the door
    address = f"http://127.0.0.1:{port}/login?token={token}&next={page}"
    print(f"Enter the marks here: {address}\nEnd with Ctrl-C.", flush=True)
    with open(work / "hand-marks.log", "w") as log:
        server = subprocess.Popen(
            command, env=os.environ | variables, stderr=log, start_new_session=True
        )
    try:
        wait_for(port)
        if given.open_browser:
            webbrowser.open(address)
        server.wait()
    except KeyboardInterrupt:
        print("\nThe marks are kept. Now repeat the command that marks: make grade …")
    finally:
        server.terminate()


def wait_for(port):
    """Wait until a server answers at a port of this machine, at most a minute."""
    for _ in range(600):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)


def summary(course, row):
    """Return a line that says how a student did."""
    if "failed" in row:
        return row["note"]
    points = course.questions()
    given = {name: "-" if mark is None else f"{mark:g}" for name, mark in row["marks"].items()}
    return ", ".join(f"{name} {given[name]}/{points[name]:g}" for name in points)


def write_marks(folder, course, platform, rows):
    """Write marks.csv, and for Moodle and Canvas a table as they import it."""
    points = course.questions()
    highest = f"{sum(points.values()):g}"
    number = {"moodle": ["Identifier"], "canvas": ["ID"]}.get(platform, [])
    header = ["student", *number, *(f"{name} ({p:g})" for name, p in points.items())]
    table = [[*header, f"total ({highest})", "note"]]
    moodle = [["Identifier", "Full name", "Grade", "Maximum Grade", "Feedback comments"]]
    canvas = [["Student", "ID", "Section", course.name]]
    canvas.append(["    Points Possible", "", "", highest])
    for row in rows:
        marks = row["marks"].values()
        total = sum(mark or 0 for mark in marks)
        complete = "" if None in marks else f"{total:g}"
        identifier = f"Participant {row['number']}" if platform == "moodle" else row["number"]
        table.append([row["student"], *([identifier] if number else [])])
        table[-1] += ["" if mark is None else f"{mark:g}" for mark in marks]
        table[-1] += [f"{total:g}", row["note"]]
        if not row["number"]:  # nobody whom the platform knows
            continue
        moodle.append([identifier, row["student"], complete, highest, row["note"]])
        canvas.append([row["student"], row["number"], "", complete])
    write_csv(folder / "marks.csv", table)
    if platform:
        write_csv(folder / f"{platform}.csv", {"moodle": moodle, "canvas": canvas}[platform])


def write_csv(path, lines):
    """Write a table that spreadsheets and learning platforms read, all signs included."""
    temporary = path.with_suffix(".part")
    with open(temporary, "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        for line in lines:  # a spreadsheet must not take a name for a formula
            writer.writerow(
                f"'{text}" if text[:1] in {"=", "+", "-", "@"} else text for text in line
            )
    os.replace(temporary, path)


def write_atomically(path, text):
    """Write a file so that an interruption leaves the old one or the new one."""
    temporary = path.with_suffix(".part")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def shown(path):
    """Return a path as short as it can be said here."""
    path = Path(path).absolute()
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


if __name__ == "__main__":
    sys.exit(main())
