"""What is kept of a class: a record for each student, the marks by hand, and all that is made of it.

A record stays until its student hands in again, or until it is removed by the command for that.
"""

import html
import json
from dataclasses import dataclass, field

from .page import page
from .tables import write_atomically, write_tables, write_zips

WAITS = "waits for a mark by hand."


@dataclass
class Row:
    """What the tables say of one student."""

    record: dict
    marks: dict
    comments: dict = field(default_factory=dict)
    note: str = ""

    @property
    def student(self):
        """The name."""
        return self.record["student"]

    @property
    def key(self):
        """The name for files."""
        return self.record["key"]

    @property
    def complete(self):
        """Whether it is marked, and nothing waits."""
        return "refused" not in self.record and None not in self.marks.values()

    @property
    def waiting(self):
        """The questions that wait for a mark by hand."""
        return [name for name, mark in self.marks.items() if mark is None]

    @property
    def total(self):
        """The marks that there are, together."""
        return sum(mark or 0 for mark in self.marks.values())


class Kept:
    """The class in a folder of marks.

    Parameters
    ----------
    course : Course
    folder : pathlib.Path
    """

    def __init__(self, course, folder):
        self.course, self.folder = course, folder
        self.files = folder / "marked"
        self.records = {}
        for path in sorted(self.files.glob("*.json")):
            record = json.loads(path.read_text(encoding="utf-8"))
            self.records[record["key"]] = record
        self.options = self._read("options.json")
        self.by_hand = self._read("by-hand.json")

    def _read(self, name):
        path = self.folder / name
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def keep(self, record):
        """Keep the record of a student, in the place of an older one."""
        self.records[record["key"]] = record
        self.files.mkdir(parents=True, exist_ok=True)
        write_atomically(self.files / f"{record['key']}.json", json.dumps(record, indent=1))

    def mark_by_hand(self, key, question, points, comment):
        """Keep a mark by hand; points are None to take it back."""
        written = self.records[key]["written"][question]
        mark = {"points": points, "comment": comment, "digest": written["digest"]}
        self.by_hand.setdefault(key, {})[question] = mark
        write_atomically(self.folder / "by-hand.json", json.dumps(self.by_hand, indent=1))

    def row(self, record):
        """Return what the tables say of a student.

        A mark by hand holds as long as the text of the answer is the same, whatever else changes.
        """
        row = Row(record, {})
        for question, most in self.course.questions().items():
            written = record.get("written", {}).get(question)
            row.marks[question] = record.get("marks", {}).get(question, 0.0)
            if written:
                hand = self.by_hand.get(record["key"], {}).get(question, {})
                same = hand.get("digest") == written["digest"]
                points = hand.get("points") if same else None
                row.marks[question] = points if points is not None and points <= most else None
                if same and hand["comment"]:
                    row.comments[question] = hand["comment"]
        notes = ["Late." if record.get("late") else "", record.get("refused", "")]
        notes += [f"{' and '.join(row.waiting)} {WAITS}" if row.waiting else ""]
        row.note = " ".join(filter(None, notes))
        return row

    def rows(self):
        """Return the rows of all students, in the order of the alphabet."""
        order = sorted(self.records.values(), key=lambda r: (r["student"].casefold(), r["key"]))
        return [self.row(record) for record in order]

    def write(self):
        """Write tables, pages, and what goes back to the students."""
        rows = self.rows()
        (self.folder / "feedback").mkdir(parents=True, exist_ok=True)
        for row in rows:
            path = self.folder / "feedback" / f"{row.key}.html"
            write_atomically(path, self.page(row))
        write_atomically(self.folder / "options.json", json.dumps(self.options))
        write_tables(self.folder, self.course, rows, **self.options)
        write_zips(self.folder, self.course, rows)

    def page(self, row):
        """Return the feedback page of a student."""
        points, lines = self.course.questions(), []
        for name, most in points.items():
            mark, comment = row.marks[name], html.escape(row.comments.get(name, ""))
            mark = "waits" if mark is None else f"{mark:g}"
            comment = comment.replace("\n", "<br>")
            lines.append(f"<tr><th>{name}</th><td>{mark} of {most:g}</td><td>{comment}</td></tr>")
        lines.append(f"<tr><th>total</th><td>{row.total:g} of {sum(points.values()):g}</td></tr>")
        title = f"{self.course.name}: {row.student}"
        refused = "This could not be marked. " if "refused" in row.record else ""
        body = [f"<h1>{html.escape(title)}</h1>", f"<table>{''.join(lines)}</table>"]
        body.append(f"<p>{html.escape(refused + row.note)}</p>")
        return page(title, "\n".join([*body, row.record.get("body", "")]))

    def remove(self, keys):
        """Remove students, with their marks by hand and pages."""
        for key in keys:
            self.by_hand.pop(key, None)
            self.records.pop(key, None)
            for path in (self.files / f"{key}.json", self.folder / "feedback" / f"{key}.html"):
                path.unlink(missing_ok=True)
        write_atomically(self.folder / "by-hand.json", json.dumps(self.by_hand, indent=1))
        self.write()


def chosen(items, only):
    """Return the students whose name, or name for files, was given; all if none was."""
    if not only:
        return list(items)
    return [i for i in items if only.casefold() in {i.student.casefold(), i.key.casefold()}]
