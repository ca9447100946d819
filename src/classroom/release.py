"""Release an assignment: prove it, and make the notebook for students."""

from pathlib import Path

import nbformat
import yaml
from nbformat import v4

from book_tools.first_cell import first_cell_source

from .course import ANSWERS, Failed, Refused, leaks, role
from .marking import judge
from .notebooks import ALL, LONGEST, assemble
from .repository import ROOT, shown
from .sandbox import check_sandbox
from .workers import side_by_side


def release_assignment(course, folder, seconds, sandboxed):
    """Make the notebook for students, if the assignment is sound."""
    sandboxed = sandboxed and check_sandbox() is None  # the answers are the teacher's own
    print(f"Trying the model answers and blank answers of “{course.name}” …", flush=True)
    if reasons := dict.fromkeys(prove(course, seconds, sandboxed)):
        raise Refused(f"“{course.name}” is not released: {'; '.join(reasons)}.")
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{course.name}.ipynb"
    nbformat.write(for_students(course), target)
    points = " + ".join(f"{points:g}" for points in course.questions().values())
    earn = f"Model answers earn every point ({points}), blank answers none"
    print(f"{earn}, nothing is left of them.\nGive this to students: {shown(target)}")
    print(f"Keep this, with answers, tests and marking guide: {shown(course.path)}")


def prove(course, seconds, sandboxed):
    """Return why the assignment cannot be given to students."""
    reasons, points = leaks(course.source, course.released), course.questions()
    model, blank = (assemble(own, course.released) for own in (course.source, course.released))
    tries = [(model, 0), (model, 1), (model, 2), (blank, 0)]  # with other inputs each
    found = side_by_side(lambda one: judge(course, one[0], seconds, sandboxed, one[1]), tries, 600)
    for (notebook, _), marks in zip(tries, found, strict=True):
        if isinstance(marks, Failed):
            return [str(marks)]
        what, right = ("the model", points) if notebook is model else ("a blank", {})
        wrong = [(name, mark) for name, mark in marks[0].items() if mark != right.get(name, 0)]
        reasons += [f"{what} answer to {q} earns {mark:g} of {points[q]:g}" for q, mark in wrong]
    return reasons


def for_students(course):
    """Return the notebook with a first cell that installs and a last one that checks."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    place = config["repository"]["url"], config["repository"]["branch"]
    first = first_cell_source(config["title"], config["html"]["baseurl"], *place)
    last = Path(__file__).with_name("last_cell.py").read_text(encoding="utf-8")
    last = last.partition('"""\n\n')[2].strip()
    answers = {c.id: course.question(c) for c in course.released.cells if role(c) in ANSWERS}
    for name, value in {"ANSWERS": answers, "LONGEST": LONGEST, "ALL": ALL}.items():
        last = last.replace(f"{name} = None", f"{name} = {value!r}")
    notebook = nbformat.from_dict(course.released)
    notebook.cells.insert(1, v4.new_code_cell(first, id=f"{course.name}-install"))
    notebook.cells.append(v4.new_code_cell(last, id=f"{course.name}-check"))
    return notebook
