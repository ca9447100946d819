"""The marks as tables, for teachers and for learning platforms, and the pages to send back."""

import csv
import io
import os
import re
import zipfile

# What Moodle's importer knows in the language of the teacher: the word before each number, whose
# length it cuts off, and the columns of its grading worksheet, with the comments as the last one.
MOODLE = {
    "en": "Participant |Identifier|Full name|Grade|Maximum Grade|Last modified (grade)|"
    "Feedback comments",
    "de": "Teilnehmer/in|ID|Vollständiger Name|Bewertung|Bestwertung|Zuletzt geändert (Bewertung)|"
    "Feedback als Kommentar",
    "fr": "Participant|Identifiant|Nom complet|Note|Note maximale|Dernière modification (note)|"
    "Feedback par commentaires",
    "es": "Participante|Identificador|Nombre completo|Calificación|Calificación máxima|"
    "Última modificación (calificación)|Comentarios de retroalimentación",
    "zh": "参与者|识别码|全名|成绩|最高成绩|最后修改（教师）|反馈评论",  # noqa: RUF001
}
UNCHANGED = "-"  # the last change of a grade, in a worksheet in which nobody has one yet
# where a spreadsheet may begin a cell, and what may begin a formula
FORMULA = re.compile(r"(^|[;,\t|\r\n])([ \t\r\n]*)(?=[=+\-@＝＋－＠])")  # noqa: RUF001


def write_tables(folder, course, rows, language="en", column=None):
    """Write marks.csv, and for Moodle and Canvas tables as they import them."""
    points, (participant, *worksheet) = course.questions(), MOODLE[language].split("|")
    highest = f"{sum(points.values()):g}"
    platforms = {row.record["platform"] for row in rows} - {""}
    ids = [{"moodle": worksheet[0], "canvas": "ID"}[p] for p in sorted(platforms)][:1]
    header = ["student", *ids, *(f"{name} ({p:g})" for name, p in points.items())]
    canvas = [["Student", "ID", "Section", column or course.name]]
    canvas += [["    Points Possible", "", "", highest]]
    heads = {"marks": [[*header, f"total ({highest})", "note"]], "canvas": canvas}
    heads |= {"moodle": [worksheet[:-1]], "moodle-comments": [worksheet]}
    made = {name: [] for name in heads}
    for row in rows:
        name, platform = row.record["number"], row.record["platform"]
        name = f"{participant}{name}" if platform == "moodle" else name
        marks = ["" if mark is None else f"{mark:g}" for mark in row.marks.values()]
        total = f"{row.total:g}"
        made["marks"].append([row.student, *([name] if ids else []), *marks, total, row.note])
        grade = "" if row.refused or row.waiting else total
        if platform == "canvas":
            made["canvas"].append([row.student, name, "", grade])
        elif platform == "moodle":
            made["moodle"].append([name, row.student, grade, highest, UNCHANGED])
            says = [row.refused, *(f"{q}: {t}" for q, t in row.comments.items() if t)]
            if any(says):  # an empty comment would erase the one that is there
                made["moodle-comments"].append([*made["moodle"][-1], " ".join(says).strip()])
    for name, lines in made.items():
        text = io.StringIO()
        for line in heads[name] + lines:  # a spreadsheet must not take a part of it for a formula
            guarded = (c if c == UNCHANGED else FORMULA.sub(r"\1\2'", c) for c in line)
            csv.writer(text).writerow(guarded)
        write_atomically(folder / f"{name}.csv", lines and text.getvalue(), "utf-8-sig")


def write_zips(folder, course, rows):
    """Write the pages in a zip for each platform, with the names that it takes them back under."""
    for platform, inside in {"moodle": f"/{course.name}.html", "canvas": ".html"}.items():
        path, content = folder / f"feedback-for-{platform}.zip", io.BytesIO()
        sent = [row for row in rows if row.record["platform"] == platform and row.record["place"]]
        with zipfile.ZipFile(content, "w") as archive:
            for row in sent:
                page = (folder / "feedback" / f"{row.key}.html").read_bytes()
                entry = zipfile.ZipInfo(f"{row.record['place']}{inside}")  # the same each time
                archive.writestr(entry, page, zipfile.ZIP_DEFLATED)
        write_atomically(path, sent and content.getvalue())


def write_atomically(path, content, encoding="utf-8"):
    """Write a file so that an interruption leaves the old one or the new one; or remove it."""
    if not content:
        return path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.part")
    temporary.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    os.replace(temporary, path)
