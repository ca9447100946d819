"""What is released, what is refused, and what a student finds in the notebook."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import jupytext
import nbclient
import nbformat
import pytest

from tests.classroom.submissions import GOOD_1, GOOD_2, ROOT, filled, program, run

NAMES = ["smoothing", "streaming", "temperature"]
MARKERS = re.compile(r"### BEGIN (SOLUTION|HIDDEN TESTS)\n(.*?)### END \1", re.S)

HEADER = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---
"""


def metadata(part, points, **other):
    """Return nbgrader's metadata of a cell as a MyST notebook holds it."""
    graded = {"grade": True, "grade_id": f"NAME-{part}", "locked": True, "points": points}
    rest = {"schema_version": 3, "solution": False, "task": False}
    return json.dumps(graded | rest | other)


ANSWER = {"grade": False, "locked": False, "solution": True}
TINY = f"""{HEADER}
# Tiny

```{{code-cell}} ipython3
import numpy as np
```

Twice a number.

```{{code-cell}} ipython3
:nbgrader: {metadata("q1", 0, **ANSWER)}

def twice(x):
    ### BEGIN SOLUTION
    return np.multiply(x, 2)  # the answer
    ### END SOLUTION
```

```{{code-cell}} ipython3
:nbgrader: {metadata("q1-visible", 1)}
:tags: [raises-exception]

assert twice(1) > 0
```

```{{code-cell}} ipython3
:nbgrader: {metadata("q1-hidden", 3)}
:tags: [raises-exception]

# more tests
### BEGIN HIDDEN TESTS
for number in range(3, 9):
    assert twice(number) == 2 * number
### END HIDDEN TESTS
```

Why?

+++ {{"nbgrader": {metadata("q2", 2, locked=False, solution=True)}}}

Because a number and itself are two of them.
"""
VARIANTS = {  # what is replaced, by what, and what the refusal says
    "wrong": ("np.multiply(x, 2)", "np.multiply(x, 3)", "the model answer to q1 earns 1 of 4"),
    "crashes": ("return np.multiply(x, 2)", "return 1 / 0", "the model answer to q1 earns 0 of 4"),
    "free": (
        "    assert twice(number) == 2 * number",
        "    expected = 2 * number",
        "a blank answer to q1 earns 3",
    ),
    "value": ("assert twice(1) > 0", "0 > 1", "a blank answer to q1 earns 1"),
    "told": (
        "Twice a number.",
        "Twice a number. For example\n\n    return np.multiply(x, 2)  # the answer\n",
        "students would get this line of an answer or a hidden test: return np.multiply",
    ),
    "shown": (
        "assert twice(1) > 0",
        "for number in range(3, 9):\n    assert twice(number) == 2 * number",
        "students would get this line of an answer or a hidden test: ",
    ),
    "guide": ("Why?", "Because a number and itself are two of them.", "students would get"),
    "open": ("    ### END SOLUTION\n", "", "open-q1 has a BEGIN or END SOLUTION without"),
    "unhidden": ("### END HIDDEN TESTS\n", "", "has a BEGIN or END HIDDEN TESTS without"),
    "twins": ("NAME-q1-hidden", "NAME-q1-visible", "two cells are called twins-q1-visible"),
    "nameless": ('"grade_id": "NAME-q1-hidden", ', "", "a cell has no grade_id"),
    "typo": (
        "### BEGIN HIDDEN TESTS",
        "### BEGIN HIDDEN TEST",
        "typo-q1-hidden has a BEGIN or END HIDDEN",
    ),
    "worthless": ('"points": 3', '"points": 0', "worthless-q1-hidden has no points"),
    "pointless": ('"points": 3, ', "", "pointless-q1-hidden has no points"),
    "syntax": ("np.multiply(x, 2)  #", "np.multiply(x, 2  #", "SyntaxError"),
}


@pytest.fixture(scope="module")
def refusals(tmp_path_factory):
    """The folder of released notebooks; for each variant the exit status and what was said."""
    folder = tmp_path_factory.mktemp("variants")
    (folder / "tiny.md").write_text(TINY.replace("NAME", "tiny"))
    for name, (old, new, _) in VARIANTS.items():
        assert TINY.count(old) == 1, old
        (folder / f"{name}.md").write_text(TINY.replace(old, new).replace("NAME", name))

    def release(names):
        made = program("release", folder, *names)
        assert made.returncode == 0, made.stderr
        return json.loads(made.stdout.splitlines()[-1])

    names = ["tiny", *VARIANTS]
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(release, [names[::2], names[1::2]])
    return folder / "out", one | other


@pytest.fixture(scope="module")
def notebooks(released, tmp_path_factory):
    """Every assignment as students get it, by its name."""

    def make(name):
        folder = tmp_path_factory.mktemp(name)
        result = run("release", name, "--to", folder)
        assert result.returncode == 0, result.stderr
        assert "Model answers earn every point (4 + 3 + 3), blank answers none" in result.stdout
        return json.loads((folder / f"{name}.ipynb").read_text(encoding="utf-8"))

    others = [name for name in NAMES if name != "temperature"]
    with ThreadPoolExecutor(2) as pool:
        return {"temperature": released} | dict(zip(others, pool.map(make, others), strict=True))


def test_a_release_is_one_file_and_says_what_to_do_with_it(release):
    folder, said = release
    assert [path.name for path in folder.rglob("*.ipynb")] == ["temperature.ipynb"]
    assert "Model answers earn every point (4 + 3 + 3), blank answers none" in said
    assert re.search(rf"Give this to students: \S*{folder.name}/temperature\.ipynb\n", said)
    assert "Keep this, with answers, tests and marking guide: book/assignments/" in said


def test_a_sound_assignment_is_released(refusals):
    folder, said = refusals
    assert said["tiny"] == [0, ""]
    text = (folder / "tiny.ipynb").read_text()
    assert "raise NotImplementedError()" in text
    for secret in ["np.multiply", "range(3, 9)", "two of them", "BEGIN ", "END "]:
        assert secret not in text


@pytest.mark.parametrize("name", VARIANTS)
def test_an_assignment_that_is_not_sound_is_refused_with_the_reason(name, refusals):
    folder, said = refusals
    code, reason = said[name]
    assert code == 1, "no error but a refusal"
    assert VARIANTS[name][2] in reason and reason and "Traceback" not in reason
    assert not (folder / f"{name}.ipynb").exists()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_secret_is_in_what_students_get(name, notebooks):
    source = jupytext.read(ROOT / f"book/assignments/{name}.md")
    text = json.dumps(notebooks[name], ensure_ascii=False)
    assert not re.search(r"BEGIN|HIDDEN|SOLUTION|Model answer|\*\*Marks\*\*|SEED", text)
    given = {line.strip() for c in notebooks[name]["cells"] for line in source_of(c).splitlines()}
    public, secret = (
        {line.strip() for line in source_of(notebooks[name]["cells"][-1]).splitlines()},
        set(),
    )
    for part in source.cells:
        nbgrader = part.metadata.get("nbgrader", {})
        if part.cell_type == "markdown" and nbgrader:
            secret |= set(part.source.splitlines())
            continue
        for _, hidden in MARKERS.findall(part.source):
            secret |= {line.strip() for line in hidden.splitlines()}
        public |= {line.strip() for line in MARKERS.sub("", part.source).splitlines()}
    assert len(secret) > 30
    assert not (secret - public) & given - {""}


def source_of(part):
    return "".join(part["source"])


@pytest.mark.parametrize("name", NAMES)
def test_a_released_notebook_is_valid_and_needs_no_tool_of_teachers(name, notebooks):
    nbformat.validate(notebooks[name])
    code = "\n".join(source_of(c) for c in notebooks[name]["cells"] if c["cell_type"] == "code")
    assert not re.search(r"import nbgrader|torch|mxnet", code)
    assert "find_spec" in code or "import stable_softmax" in code or "pip" in code


def executed(notebook):
    """Run a notebook as "Restart and run all" does, and return what each code cell printed."""
    notebook = nbformat.reads(json.dumps(notebook), as_version=4)
    spy = "import sys; print({'torch', 'mxnet', 'nbgrader'} & set(sys.modules))"
    notebook.cells.append(nbformat.v4.new_code_cell(spy, id="spy"))
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    return {
        part.id: "".join(out.get("text", "") for out in part.outputs)
        for part in notebook.cells
        if part.cell_type == "code"
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_blank_notebook_runs_to_its_end_and_shows_what_fails(name, notebooks):
    printed = executed(notebooks[name])
    for question in ("q1", "q2"):
        table = printed[f"{name}-{question}-visible"]
        assert "0 of " in table and "FAIL" in table and "ok  " not in table
        assert printed[f"{name}-{question}-hidden"] == ""
    assert printed["spy"] == "set()\n", "NumPy and the package are enough"


def test_right_answers_pass_the_visible_checks(notebooks):
    printed = executed(filled(notebooks["temperature"], GOOD_1, GOOD_2))
    for question in ("q1", "q2"):
        assert "6 of 6 checks passed" in printed[f"temperature-{question}-visible"]
