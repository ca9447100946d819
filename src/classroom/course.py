"""A course of one assignment, as nbgrader keeps it: release, marks, feedback."""

import hashlib
import html
import json
import logging
import multiprocessing
import os
import re
import sys
import warnings
from pathlib import Path

import jupytext
import nbformat
from nbgrader.api import Gradebook
from nbgrader.apps.api import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import CheckCellMetadata, SaveAutoGrades
from nbgrader.utils import is_grade, is_solution
from sqlalchemy.exc import SAWarning
from traitlets.config import Config

from .marking import Judge, markdown_to_html
from .notebooks import assemble, is_named
from .sandbox import live_with_parent

PHONE = """<meta name="viewport" content="width=device-width">
<style>.rendered_html { overflow-x: auto } .rendered_html img { max-width: 100% }</style>"""
# a child that inherits all imports starts at once
PROCESSES = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
SECRETS = re.compile(r"### BEGIN (SOLUTION|HIDDEN TESTS)\n(.*?)### END \1", flags=re.S)


def nbgraders_variables():
    """Return what nbgrader and Jupyter have to find in the environment of their process."""
    programs = Path(sys.executable).parent  # nbgrader calls alembic by its name
    return {
        "JUPYTER_PATH": str(Path(__file__).parent),  # the templates beside this file
        "PATH": os.pathsep.join([str(programs), os.environ.get("PATH", os.defpath)]),
    }


class Refused(Exception):
    """Why a command is not carried out, as sentences for the teacher."""


class Failed(Exception):
    """Why the grader itself failed on a notebook, which then has no marks yet."""


class Course:
    """An assignment and its marks.

    Parameters
    ----------
    source : pathlib.Path
        The assignment as a MyST notebook, with model answers and hidden tests.
    folder : pathlib.Path
        Where nbgrader keeps what it has made, the marks among it.
    sandboxed : bool
    cell_seconds : float
        The limit for a cell, and for a call of a function.
    """

    def __init__(self, source, folder, sandboxed=True, cell_seconds=10.0):
        self.name, self.folder = source.stem, folder.absolute()  # nbgrader changes the directory
        self.seconds = 24 * cell_seconds + 60  # for everything that is done with one notebook
        self.source = jupytext.read(source)
        self.notebook = self.folder / "source" / self.name / f"{self.name}.ipynb"
        self.config = Config()
        self.config.CourseDirectory.root = str(self.folder)
        self.config.ClearSolutions.code_stub = {"python": "raise NotImplementedError()"}
        self.config.Autograde.autograde_preprocessors = [Judge, SaveAutoGrades, CheckCellMetadata]
        self.config.Judge.source = str(self.notebook)
        self.config.Judge.sandboxed = sandboxed
        self.config.Judge.cell_seconds = cell_seconds
        self.config.HTMLExporter.filters = {"markdown2html": markdown_to_html}
        for number, cell in enumerate(self.source.cells):
            cell.pop("attachments", None)  # nbgrader would leave those of a model answer
            cell.id = f"{self.name}-{number}"
            if is_named(cell):  # known by it where a program drops the metadata
                cell.id = cell.metadata.nbgrader.grade_id
        kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
        self.source.metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}

    @property
    def release(self):
        """The notebook for students."""
        return self.folder / "release" / self.name / f"{self.name}.ipynb"

    def api(self):
        """Return nbgrader's interface to this course."""
        logging.getLogger("traitlets").setLevel(logging.CRITICAL)
        return NbGraderAPI(CourseDirectory(config=self.config), config=self.config)

    def gradebook(self):
        """Return nbgrader's database of this course; use it in a `with` statement."""
        return Gradebook(f"sqlite:///{self.folder}/gradebook.db")

    def generate(self):
        """Let nbgrader make the release, unless it has made it from this source before.

        Raises
        ------
        Refused
            With nbgrader's reason, if it does not accept the source.
        Failed
            If it took too long.
        """
        text, made = nbformat.writes(self.source), self.folder / "made.ipynb"
        if made.exists() and made.read_text(encoding="utf-8") == text:
            return
        self.notebook.parent.mkdir(parents=True, exist_ok=True)
        self.notebook.write_text(text, encoding="utf-8")
        failure = self._try_apart("Generating the assignment", "generate_assignment")
        if failure:
            hint = "If questions have changed since the first marks: OUT=another folder."
            hint = f" {hint}" if made.exists() else ""
            raise Refused(f"nbgrader does not accept the assignment: {failure}.{hint}")
        made.write_text(text, encoding="utf-8")

    def released(self):
        """Return the notebook for students."""
        return nbformat.read(self.release, as_version=4)

    def digest(self, notebook):
        """Return what is the same for the same notebook and assignment, in hexadecimal digits."""
        text = self.notebook.read_text(encoding="utf-8") + nbformat.writes(notebook)
        return hashlib.sha256(text.encode()).hexdigest()

    def mark(self, student, notebook):
        """Mark a notebook in a process of its own.

        Parameters
        ----------
        student : str
            A name that is a name for files as well.
        notebook : nbformat.NotebookNode
            As `notebooks.assemble` returns it.

        Raises
        ------
        Failed
            If it took too long, or nbgrader failed.
        """
        handed_in = self.folder / "submitted" / student / self.name / f"{self.name}.ipynb"
        handed_in.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, handed_in)
        # fresh inputs for each notebook, the same whenever the same notebook is marked again
        self.config.Judge.seed = int(self.digest(notebook)[:8], base=16)
        self._apart("Marking", "autograde", student)

    def feedback(self, student, note):
        """Return the page with a note, the student's notebook, marks and comments.

        It loads nothing, and fits a phone.
        """
        self._apart("Writing the feedback", "generate_feedback", student)
        path = self.folder / "feedback" / student / self.name / f"{self.name}.html"
        page = path.read_text(encoding="utf-8")
        page = page.replace("<html>", '<html lang="en">', 1).replace("<head>", f"<head>{PHONE}", 1)
        note = f'<p class="container">{html.escape(note)}</p>'
        return page.replace("<body>", f"<body>\n{note}", 1)

    def _apart(self, doing, task, *arguments):
        """Let nbgrader do something in a process of its own, or raise Failed."""
        failure = self._try_apart(doing, task, *arguments)
        if failure:
            raise Failed(f"{doing} failed: {failure}.")

    def _try_apart(self, doing, task, *arguments):
        """Let nbgrader do something in a process that can fail and be ended; return why it failed.

        nbgrader changes the directory, and needs variables and filters of warnings: they change in
        that process only.
        """
        receive, send = PROCESSES.Pipe(duplex=False)
        process = PROCESSES.Process(target=self._work, args=(task, arguments, send))
        process.start()
        send.close()
        try:
            if not receive.poll(self.seconds):
                raise Failed(f"{doing} took more than {self.seconds:g} s.")
            return receive.recv()
        except EOFError:
            return "its process ended"
        finally:
            process.kill()
            process.join()

    def _work(self, task, arguments, send):
        live_with_parent()
        os.environ |= nbgraders_variables()
        warnings.filterwarnings("ignore", category=SAWarning)  # nbgrader's own affair
        done = getattr(self.api(), task)(self.name, *arguments, force=True)
        send.send("" if done["success"] else reason(done))

    def question(self, name):
        """Return the question that a cell belongs to: "q1" for "temperature-q1-hidden"."""
        return re.sub(r"-(visible|hidden)$", "", name.removeprefix(f"{self.name}-"))

    def questions(self):
        """Return the questions, each with the highest mark, in the order of the assignment."""
        points = {}
        for cell in self.source.cells:
            if is_grade(cell):
                name = self.question(cell.metadata.nbgrader.grade_id)
                points[name] = points.get(name, 0) + cell.metadata.nbgrader.points
        return points

    def marks(self, student):
        """Return a student's marks: for each question a number, or None if it waits for one.

        Raises
        ------
        MissingEntry
            If nothing of the student was marked.
        """
        marks = dict.fromkeys(self.questions(), 0.0)
        with self.gradebook() as gradebook:
            notebook = gradebook.find_submission_notebook(self.name, self.name, student)
            for grade in notebook.grades:
                name = self.question(grade.name)
                if grade.needs_manual_grade or marks[name] is None:
                    marks[name] = None
                else:
                    marks[name] += grade.score
        return marks

    def prove(self):
        """See that the assignment can be given to students.

        Raises
        ------
        Refused
            Unless the model answers earn every point, blank answers earn none, and no line of an
            answer or a hidden test is left in what students get.
        """
        self.generate()
        released, reasons = self.released(), leaks(self.source, self.released())
        for cell in filter(is_grade, self.source.cells):
            if not cell.metadata.nbgrader.points > 0:
                reasons.append(f"{cell.metadata.nbgrader.grade_id} has no points")
        for number in range(3):  # with other inputs each
            model = assemble(self.source, released)
            model.metadata["proof"] = number
            self.mark(f"model-{number}", model)
            for name, points in self.questions().items():
                mark = self.marks(f"model-{number}")[name]
                if mark not in {points, None}:
                    reasons.append(f"the model answer to {name} earns {mark:g} of {points:g}")
        self.mark("blank", assemble(released, released))
        for name, mark in self.marks("blank").items():
            if mark:
                reasons.append(f"a blank answer to {name} earns {mark:g}")
        if reasons:
            raise Refused("; ".join(dict.fromkeys(reasons)) + ".")


def reason(done):
    """Return why nbgrader has failed, as its log says it."""
    text = f"{done.get('log')}\n{done.get('error')}"
    found = re.findall(r"^\s*((?:\w+\.)*\w*(?:Error|Exception)\b.*)$", text, flags=re.M)
    found = [line for line in found if "Please see" not in line]  # "… the above traceback"
    return (found or ["it does not say why"])[-1][:300]


def leaks(source, released):
    """Return what students would get of answers and hidden tests, each as a reason.

    A line may be in a public cell as well, but not every line of an answer or a hidden test.
    """
    blocks, public = [], set()
    for cell in source.cells:
        if is_grade(cell) and is_solution(cell):
            blocks.append(lines_of(cell.source))
        else:
            blocks += [lines_of(text) for _, text in SECRETS.findall(cell.source)]
            public |= lines_of(SECRETS.sub("", cell.source))
    code = {line for c in released.cells if c.cell_type == "code" for line in lines_of(c.source)}
    quoting = [cell.source for cell in released.cells if cell.cell_type != "code"]
    quoting += [json.dumps(cell.metadata).replace('\\"', '"') for cell in released.cells]
    found = {line for line in code if line.startswith(("### BEGIN", "### END"))}
    for block in blocks:
        given = {line for line in block if line in code or any(line in q for q in quoting)}
        found |= given if given == block else given - public
    return [
        f"students would get this line of an answer or a hidden test: {line}"
        for line in sorted(found)
    ]


def lines_of(text):
    """Return the lines that are long enough to say something."""
    return {line.strip() for line in text.splitlines() if len(line.strip()) > 12}
