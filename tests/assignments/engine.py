"""The sources of the model assignments, and what an answer to one of their questions earns.

They are run here without nbgrader and without a sandbox, in a namespace of their own.
"""

import contextlib
import functools
import io

import jupytext
import pytest

from tests.pages import ROOT

FOLDER = ROOT / "book/assignments"
NAMES = ["temperature", "smoothing", "streaming"]
FUNCTIONS = {
    "temperature-q1": ["softmax_at"],
    "temperature-q2": ["masked_softmax_at"],
    "smoothing-q1": ["smoothed_loss"],
    "smoothing-q2": ["smoothed_gradient"],
    "streaming-q1": ["focal_loss"],
    "streaming-q2": ["running_lse"],
}
NOTHING, VISIBLE_ONLY = "nothing", "the visible test only"


@functools.cache
def cells(name):
    return jupytext.read(FOLDER / f"{name}.md").cells


def nbgrader(cell):
    return cell.metadata.get("nbgrader", {})


def grade_id(cell):
    return nbgrader(cell).get("grade_id", "")


def cell_of(full_id):
    [cell] = [c for c in cells(full_id.split("-")[0]) if grade_id(c) == full_id]
    return cell


def run(source, namespace):
    exec(compile(source, "<cell>", "exec"), namespace)


def passes(source, namespace):
    """Run a test cell quietly: True if it passes, False if it fails as a test does."""
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            run(source, namespace)
        except AssertionError:
            return False
    return True


def namespace_of(name, seed):
    namespace = {} if seed is None else {"SEED": seed}
    for cell in cells(name):
        if cell.cell_type == "code" and not nbgrader(cell):
            run(cell.source, namespace)
    return namespace


def earned(question, answer, seed):
    """Which of the two test cells of a question an answer passes."""
    namespace = namespace_of(question.split("-")[0], seed)
    run(answer, namespace)

    def forget():
        """Leave what the text of the answer says, as a new Python does in marking."""
        fresh = namespace_of(question.split("-")[0], seed)
        run(answer, fresh)
        namespace.update({name: fresh[name] for name in FUNCTIONS[question]})

    namespace["FORGET"] = forget
    tests = [cell_of(f"{question}-{kind}").source for kind in ("visible", "hidden")]
    return [passes(test, namespace) for test in tests]


def table(answers):
    rows = [(q, name, answer) for q, named in answers.items() for name, answer in named.items()]
    return pytest.mark.parametrize(
        ("question", "answer"),
        [(q, answer) for q, _, answer in rows],
        ids=[f"{q}: {name}" for q, name, _ in rows],
    )
