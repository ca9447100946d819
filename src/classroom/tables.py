"""The marks as tables, for teachers and for learning platforms, and the pages to send back."""

import csv
import io
import os
import re
import zipfile

# The columns of Moodle's grading worksheet, which its importer compares with these words of the
# teacher's language: identifier, name, grade, highest grade, last change, comments; and the word
# before each number, of whose length its importer cuts off.
MOODLE = {
    "en": ["Identifier", "Full name", "Grade", "Maximum Grade", "Last modified (grade)"],
    "de": ["ID", "Vollständiger Name", "Bewertung", "Bestwertung", "Zuletzt geändert (Bewertung)"],
    "fr": ["Identifiant", "Nom complet", "Note", "Note maximale", "Dernière modification (note)"],
    "es": ["Identificador", "Nombre completo", "Calificación", "Calificación máxima"]
    + ["Última modificación (calificación)"],
    "zh": ["识别码", "全名", "成绩", "最高成绩", "最后修改（教师）"],
}
COMMENTS = {"en": "Feedback comments", "de": "Feedback als Kommentar"}
COMMENTS |= {"fr": "Feedback par commentaires", "es": "Comentarios de retroalimentación"}
COMMENTS |= {"zh": "反馈评论"}
PARTICIPANT = {"en": "Participant ", "de": "Teilnehmer/in", "fr": "Participant"}
PARTICIPANT |= {"es": "Participante", "zh": "参与者"}
# where a spreadsheet may begin a cell, and what may begin a formula
FORMULA = re.compile(r"(^|[;,\t|\r\n])([ \t\r\n]*)(?=[=+\-@＝＋－＠])")  # noqa: RUF001


def write_tables(folder, course, rows, language="en", column=None):
    """Write marks.csv, and for Moodle and Canvas tables as they import them."""
    points = course.questions()
    highest = f"{sum(points.values()):g}"
    platforms = {row.record["platform"] for row in rows} - {""}
    titles = {"moodle": MOODLE[language][0], "canvas": "ID"}
    number = [titles[platform] for platform in sorted(platforms)][:1]
    header = ["student", *number, *(f"{name} ({p:g})" for name, p in points.items())]
    table = [[*header, f"total ({highest})", "note"]]
    moodle, comments = [MOODLE[language]], [[*MOODLE[language], COMMENTS[language]]]
    canvas = [["Student", "ID", "Section", column or course.name]]
    canvas.append(["    Points Possible", "", "", highest])
    for row in rows:
        record, marks = row.record, row.marks.values()
        name = record["number"]
        if record["platform"] == "moodle" and name:
            name = f"{PARTICIPANT[language]}{name}"
        table.append([row.student, *([name] if number else [])])
        table[-1] += ["" if mark is None else f"{mark:g}" for mark in marks]
        table[-1] += [f"{row.total:g}", row.note]
        if not record["number"]:  # nobody whom the platform knows
            continue
        grade = f"{row.total:g}" if row.complete else ""
        if record["platform"] == "canvas":
            canvas.append([row.student, name, "", grade])
            continue
        moodle.append([name, row.student, grade, highest, UNCHANGED])
        says = [record.get("refused", ""), *(f"{q}: {text}" for q, text in row.comments.items())]
        if any(says):  # an empty comment would erase the one that is there
            comments.append([*moodle[-1], " ".join(filter(None, says))])
    write_csv(folder / "marks.csv", table)
    made = {"moodle": moodle, "moodle-comments": comments, "canvas": canvas}
    for name, lines in made.items():
        wanted = name.partition("-")[0] in platforms and (name != "moodle-comments" or lines[1:])
        if wanted:
            write_csv(folder / f"{name}.csv", lines)
        else:
            (folder / f"{name}.csv").unlink(missing_ok=True)


UNCHANGED = "-"  # as in a worksheet in which nobody has a grade yet


def write_csv(path, lines):
    """Write a table that spreadsheets and learning platforms read, all signs included."""
    text = io.StringIO()
    writer = csv.writer(text)
    for line in lines:  # a spreadsheet must not take a name, or a part of it, for a formula
        writer.writerow(c if c == UNCHANGED else FORMULA.sub(r"\1\2'", c) for c in line)
    write_atomically(path, text.getvalue(), "utf-8-sig")


def write_zips(folder, course, rows):
    """Write the pages in a zip for each platform, with the names that it takes them back under."""
    for platform in ("moodle", "canvas"):
        path, content = folder / f"feedback-for-{platform}.zip", io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for row in rows:
                record = row.record
                if record["platform"] == platform and record["place"]:
                    inside = f"/{course.name}.html" if platform == "moodle" else ".html"
                    source = folder / "feedback" / f"{record['key']}.html"
                    entry = zipfile.ZipInfo(f"{record['place']}{inside}")  # the same each time
                    archive.writestr(entry, source.read_bytes(), zipfile.ZIP_DEFLATED)
            names = archive.namelist()
        if names:
            write_atomically(path, content.getvalue())
        else:
            path.unlink(missing_ok=True)


def write_atomically(path, content, encoding="utf-8"):
    """Write a file so that an interruption leaves the old one or the new one."""
    temporary = path.with_name(f"{path.name}.part")
    temporary.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    os.replace(temporary, path)
