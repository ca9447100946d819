"""The marks as tables, for teachers and for learning platforms."""

import csv
import io
import os


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
    text = io.StringIO()
    writer = csv.writer(text)
    for line in lines:  # a spreadsheet must not take a name for a formula
        writer.writerow(f"'{text}" if text[:1] in {"=", "+", "-", "@"} else text for text in line)
    write_atomically(path, text.getvalue(), "utf-8-sig")


def write_atomically(path, text, encoding="utf-8"):
    """Write a file so that an interruption leaves the old one or the new one."""
    temporary = path.with_suffix(".part")
    temporary.write_bytes(text.encode(encoding))
    os.replace(temporary, path)
