"""Release an assignment: prove it, and make the notebook for students."""

import tempfile
from pathlib import Path

import nbformat
import yaml
from nbformat import v4

from book_tools.first_cell import first_cell_source

from .course import Course, Failed, Refused
from .kernel import check_sandbox
from .repository import ROOT, shown


def release_assignment(path, folder, cell_seconds=10.0, sandboxed=True):
    """Make the notebook for students, if the assignment is sound."""
    sandboxed = sandboxed and check_sandbox() is None  # the answers are the teacher's own
    print(f"Trying the model answers and blank answers of “{path.stem}” …", flush=True)
    with tempfile.TemporaryDirectory(prefix="release-") as work:
        course = Course(path, Path(work), sandboxed, cell_seconds)
        try:
            course.prove()
        except (Refused, Failed) as reason:
            raise Refused(f"“{path.stem}” is not released: {reason}") from None
        notebook = course.released()
    notebook.cells.insert(1, first_cell(path.stem))
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{path.stem}.ipynb"
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
