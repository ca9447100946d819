"""Mark what a class has handed in, and keep it with what was marked before."""

import functools
from pathlib import Path

from .collect import chosen, collect
from .course import Failed, Refused, fingerprint
from .kept import Kept
from .marking import judge, patience, set_up
from .notebooks import notebook_of, written_by_hand
from .page import Writer, body_of
from .repository import MARKS, shown
from .sandbox import CELLS, check_sandbox, memory_group, memory_scope
from .workers import side_by_side


def grade_assignment(course, source, folder, seconds, sandboxed, only, again, **options):
    """Mark everything that was handed in, or what one student has."""
    if not source:
        raise Refused("Say what to mark: FROM=folder, or the zip of Moodle or Canvas.")
    source = Path(source).expanduser()
    if folder.resolve().is_relative_to(source.resolve()):
        raise Refused(f"Put the marks outside of what was handed in: {folder} is in {source}.")
    platform, students = collect(source)
    if not (students := chosen(students, only)):
        raise Refused(f"Nobody called {only} has handed in something.")
    if sandboxed:
        see_that_the_sandbox_works()
    kept, failed = Kept(course, folder), []
    kept.options |= {name: value for name, value in options.items() if value}
    set_up(course)  # what it imports, the processes that mark have already
    place = {"platform": platform, "source": str(source.resolve())}
    enough = (CELLS + 2) * seconds + 60  # for a notebook, its tests and its page
    marker = functools.partial(mark_student, course, seconds, enough, sandboxed, place, again)
    print(f"Students who have handed in something: {len(students)}.", flush=True)
    work = [(student, kept.records.get(student.key)) for student in students]
    results = side_by_side(marker, work, enough + 60)
    for number, ((student, record), result) in enumerate(zip(work, results, strict=True), 1):
        if isinstance(result, Failed):
            failed.append(student.student)
            says = f"Not marked. {result}"
        else:
            if result:
                kept.keep(result)
            says = kept.row(result or record).summary
        print(f"{number:4} of {len(students)}  {student.student} … {says}", flush=True)
    kept.write()
    print(f"Marks: {shown(folder / 'marks.csv')}; feedback: {shown(folder / 'feedback')}")
    if others := kept.records.keys() - {student.key for student in students}:
        print(f"Marked before, and kept: {len(others)}.")
    if waiting := sum(len(row.waiting) for row in kept.rows()):
        out = "" if folder == MARKS / course.name else f" OUT={folder}"
        print(f"Waiting for a mark by hand: {waiting} (make hand-marks NAME={course.name}{out})")
    if failed:
        raise Failed(f"No new marks, for the reasons above: {', '.join(failed)}.")


def see_that_the_sandbox_works():
    """Refuse where the sandbox does not work; say so where memory has no bound."""
    if reason := check_sandbox():
        raise Refused(
            f"Nothing was run, for there is no sandbox: {reason}.\nOn Debian or Ubuntu: sudo apt "
            "install bubblewrap. If you trust every notebook with your files and your network, "
            "add SANDBOX=no to the command of make, or --no-sandbox to this program's."
        )
    if group := memory_group():
        group.rmdir()
    elif not memory_scope():
        print(
            "This machine bounds the memory of each process of a notebook, but not that of all "
            "together: that takes systemd (a login of your own), or a control group to write to."
        )


def mark_student(course, seconds, enough, sandboxed, place, again, work):
    """Mark one student; return a record, or None if it is the one that there is."""
    student, before = work
    files = student.contents()
    prints = [f"{name!r} {fingerprint(content)}" for name, content in files.items()]
    record = place | {name: value for name, value in vars(student).items() if name != "files"}
    record["platform"] = place["platform"] if student.number else ""
    record["fingerprint"] = course.digest(*prints)
    if before and not again:
        if before["fingerprint"] == record["fingerprint"]:
            return None
        if not student.number and before["source"] != record["source"]:
            raise Failed(
                f"A student of this name is in these marks already, from {before['source']}. "
                "Is it the same one, with another notebook? Then add AGAIN=yes. If not, give this "
                "class another folder: OUT=…"
            )
    try:
        with patience(enough):
            notebook = notebook_of(files, course.released)
            marks, outputs = judge(course, notebook, seconds, sandboxed)
            record |= {"marks": marks, "written": written(course, notebook)}
            record["body"] = body_of(course, notebook, marks, outputs)
    except Refused as reason:
        record["refused"] = str(reason)
    except (TimeoutError, MemoryError):  # it would be so again at each repeat
        record["refused"] = "This takes far more time or memory than a notebook does."
    return record


def written(course, notebook):
    """Return, for each answer that waits for a mark by hand, its digest and how it looks."""
    found = {}
    for name, parts in written_by_hand(notebook, course.released).items():
        html = "\n".join(map(Writer().cell, parts))
        digest = fingerprint(repr([(part.source, part.get("attachments")) for part in parts]))
        found[name.removeprefix(f"{course.name}-")] = {"digest": digest, "html": html}
    return found
