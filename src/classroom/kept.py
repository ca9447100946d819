"""What is kept of a class: a record for each student, marks by hand, and what is made of both."""

import json

from markupsafe import Markup

from .collect import chosen
from .page import PAGE
from .tables import write_atomically, write_tables, write_zips

LINE = Markup("<tr><th>{}</th><td>{}</td><td>{}</td></tr>")
BODY = Markup("<h1>{}</h1><table>{}</table><p>{}</p>{}")


class Row:
    """What the tables say of one student; a mark is None if it waits."""

    def __init__(self, record, points, by_hand):
        self.record, self.student, self.key = record, record["student"], record["key"]
        self.marks, self.comments, self.refused = {}, {}, record.get("refused", "")
        for question, most in points.items():
            self.marks[question] = record.get("marks", {}).get(question, 0.0)
            if written := record.get("written", {}).get(question):
                hand = by_hand.get(question, {})
                same = hand.get("digest") == written["digest"]  # whatever else has changed
                fits = same and hand["points"] != "" and hand["points"] <= most
                self.marks[question] = hand["points"] if fits else None
                self.comments[question] = hand["comment"] if same else ""
        given = {q: "-" if mark is None else f"{mark:g}" for q, mark in self.marks.items()}
        self.summary = self.refused or ", ".join(f"{q} {given[q]}/{points[q]:g}" for q in points)
        self.waiting = [name for name, mark in self.marks.items() if mark is None]
        self.total = sum(mark or 0 for mark in self.marks.values())
        waits = f"{' and '.join(self.waiting)} waits for a mark by hand." if self.waiting else ""
        self.note = " ".join(filter(None, [record["late"] and "Late.", self.refused, waits]))


class Kept:
    """The class of an assignment in a folder of marks."""

    def __init__(self, course, folder):
        self.course, self.folder = course, folder
        names = sorted(path.stem for path in (folder / "marked").glob("*.json"))
        self.records = {name: self._read(f"marked/{name}.json") for name in names}
        self.options, self.by_hand = self._read("options.json"), self._read("by-hand.json")

    def _read(self, name):
        path = self.folder / name
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def _write(self, name, content):
        write_atomically(self.folder / name, json.dumps(content, indent=1))

    def keep(self, record):
        """Keep the record of a student, in the place of an older one."""
        self.records[record["key"]] = record
        self._write(f"marked/{record['key']}.json", record)

    def mark_by_hand(self, key, question, points, comment):
        """Keep a mark by hand; the points are "" to take it back."""
        digest = self.records[key]["written"][question]["digest"]
        mark = {"points": points, "comment": comment, "digest": digest}
        self.by_hand.setdefault(key, {})[question] = mark
        self._write("by-hand.json", self.by_hand)

    def row(self, record):
        """Return the row of a student."""
        return Row(record, self.course.questions(), self.by_hand.get(record["key"], {}))

    def rows(self, only=""):
        """Return the rows in the order of the alphabet, of one student or of all."""
        return chosen(map(self.row, self.records.values()), only)

    def write(self):
        """Write tables, pages, and what goes back to the students."""
        for row in (rows := self.rows()):
            write_atomically(self.folder / f"feedback/{row.key}.html", self.page(row))
        self._write("options.json", self.options)
        write_tables(self.folder, self.course, rows, **self.options)
        write_zips(self.folder, self.course, rows)

    def page(self, row):
        """Return the feedback page of a student."""
        points, lines = self.course.questions(), []
        for name, most in points.items():
            mark = "waits" if row.marks[name] is None else f"{row.marks[name]:g} of {most:g}"
            comment = Markup("<br>").join(row.comments.get(name, "").splitlines())
            lines.append(LINE.format(name, mark, comment))
        lines.append(LINE.format("total", f"{row.total:g} of {sum(points.values()):g}", ""))
        title = f"{self.course.name}: {row.student}"
        note = ("This could not be marked. " if row.refused else "") + row.note
        body = BODY.format(title, Markup().join(lines), note, Markup(row.record.get("body", "")))
        return PAGE.format(title=title, body=body)

    def remove(self, rows):
        """Remove students, with their marks by hand and pages."""
        for row in rows:
            del self.records[row.key]
            self.by_hand.pop(row.key, None)
            for path in (f"marked/{row.key}.json", f"feedback/{row.key}.html"):
                (self.folder / path).unlink(missing_ok=True)
        self._write("by-hand.json", self.by_hand)
        self.write()
