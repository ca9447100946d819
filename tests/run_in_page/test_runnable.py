"""What a page offers to run runs with what a browser has, and it offers all that does."""

import json
import subprocess
import sys
from functools import cache

import pytest

from tests.pages import CHAPTERS, ROOT, SOLUTIONS

sys.path.append(str(ROOT / "book/run_in_page"))
from runnable import lacking, needed

HALVES = [CHAPTERS[::2], ["index", *CHAPTERS[1::2], *SOLUTIONS]]  # each in a process of its own
PAGES = [(half, page) for half in range(2) for page in HALVES[half]]


@cache
def outcomes(half):
    """What became of each cell: {page: [{"lacks", "tags", "error"}, ...]}."""
    command = [sys.executable, "-m", "tests.run_in_page.in_a_page", *HALVES[half]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(("half", "page"), PAGES)
def test_a_cell_with_a_button_runs_where_the_libraries_of_a_browser_are(half, page):
    cells = outcomes(half)[page]
    failed = {i: c["error"] for i, c in enumerate(cells) if not c["lacks"] and c["error"]}
    assert not failed, "tag these cells: needs-torch, needs-ml_dtypes ... (see runnable.py)"


@pytest.mark.parametrize(("half", "page"), PAGES)
def test_a_cell_is_tagged_only_if_it_cannot_run(half, page):
    cells = enumerate(outcomes(half)[page])
    # A comparison of libraries would run, and show the fewer that are there.
    tagged = [(i, cell) for i, cell in cells if set(cell["tags"]) - {"needs-libraries"}]
    assert not [i for i, cell in tagged if not cell["error"]], "remove the tag of these cells"


def test_what_a_cell_lacks_is_what_it_imports_and_what_it_builds_on():
    sources = [
        "import numpy as np",
        "import torch\nx = torch.ones(3)",
        "y = np.array(x)",  # builds on the cell before
        "z = np.ones(3)",
        "x = z",  # from here on, x is at hand
        "print(x, np.log(x))",
        "from scipy import special",
        "special.softmax(y)",
    ]
    lacks = [None, "PyTorch", "PyTorch", None, None, None, "SciPy", "SciPy and PyTorch"]
    assert lacking(sources, [[]] * len(sources)) == lacks


def test_a_tag_says_what_no_import_shows():
    sources = ["runs = train()", "print(runs)", "for r in 1, 2:\n    pass"]
    assert lacking(sources, [["needs-torch"], [], []]) == ["PyTorch", "PyTorch", None]
    with pytest.raises(KeyError, match="pytorch"):
        lacking(["train()"], [["needs-pytorch"]])


@pytest.mark.parametrize(
    ("sources", "order"),
    [
        (["import numpy as np", "a = 1", "np.exp(a)"], [0, 1, 2]),
        (["a = 1", "b = 2", "a"], [0, 2]),  # not what it does not use
        (["a = 1", "a = 2", "a"], [1, 2]),  # the last one counts
        (["a = []", "a.append(1)", "a"], [0, 1, 2]),  # a method may change it
        (["a = [0]", "a[0] = 1", "a"], [0, 1, 2]),
        (["a = [0]", "fill(a)", "a"], [0, 1, 2]),
        (["a = [0]", "b = len(a)", "a"], [0, 2]),
        (["import m", "m.f()", "m.g()"], [0, 2]),  # a module is not changed by its use
        (["a = 1", "def f():\n    a = 2\n    return a", "a"], [0, 2]),  # another a
        (["a = 1", "def f():\n    return a", "f()"], [0, 1, 2]),
        (["a = 1", "rows = [a for a in range(3)]", "a"], [0, 2]),
        (["x = 1", "x = 2\ny = x", "y"], [1, 2]),  # its own x
        (["a = 1", "a += 1", "a"], [0, 1, 2]),
        (["a = 1", None, "a"], [0, 2]),
        (["a = 1", "a = '\ud800'", "a"], [0, 2]),  # no text
        (["a = 1", "from . import a", "a"], [1, 2]),
        (["a = 1", "a =", "a"], [0, 2]),  # its error is shown when it runs
    ],
)
def test_a_cell_runs_those_before_it_on_which_it_builds(sources, order):
    assert needed(sources, len(sources) - 1, []) == order


def test_what_has_run_is_not_run_again_but_the_cell_itself_is():
    assert needed(["a = 1", "b = a", "b"], 2, [0, 2]) == [1, 2]
