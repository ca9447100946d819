"""Notebooks that are changed, damaged or something else."""

import copy
import os

from tests.classroom.submissions import (
    GOOD_1,
    NAIVE_1,
    NAIVE_2,
    VISIBLE_1,
    cell,
    code,
    place,
    zipped,
)
from tests.classroom.whole_class.kinds.kind import (
    ANY,
    WAITS,
    added,
    answers,
    changes,
    files,
    writes,
)


def each_cell(function):
    def change(made):
        for part in made["cells"]:
            function(part)

    return change


def old_schema(part):
    nbgrader = part["metadata"].get("nbgrader", {})
    if nbgrader:
        nbgrader["schema_version"] = 2
        nbgrader.pop("task")


def split(made):
    at = place(made, "q1")
    pieces = [copy.deepcopy(cell(made, "q1")) for _ in range(2)]
    lines = GOOD_1.splitlines(keepends=True)
    pieces[0]["source"], pieces[1]["source"] = "".join(lines[:3]), "".join(lines[3:])
    made["cells"][at : at + 1] = pieces


def copied(made):
    made["cells"].insert(place(made, "q1"), {**cell(made, "q1"), "source": NAIVE_1})


def copied_test(made):
    test = copy.deepcopy(cell(made, "q1-hidden"))
    made["cells"] += [test, test]


def without(*parts):
    def change(made):
        for part in parts:
            made["cells"].remove(cell(made, part))

    return change


def edited_tests(made):
    for part in ("q1-visible", "q1-hidden", "q2-visible", "q2-hidden"):
        cell(made, part)["source"] = "assert True"
        cell(made, part)["metadata"]["nbgrader"]["points"] = 100


def renamed_tests(made):
    for number in (1, 2):
        test = cell(made, f"q{number}-hidden")
        test["id"] = test["metadata"]["nbgrader"]["grade_id"] = f"mine-{number}"


def more_tests(made):
    test = copy.deepcopy(cell(made, "q1-hidden"))
    test["id"] = test["metadata"]["nbgrader"]["grade_id"] = "temperature-q1-more"
    test["source"], test["metadata"]["nbgrader"]["points"] = "assert True", 50
    made["cells"].append(test)


def version_3(made):
    cells = []
    for part in made["cells"]:
        old = {"cell_type": part["cell_type"], "metadata": part["metadata"]}
        field = "input" if part["cell_type"] == "code" else "source"
        old |= {field: part["source"]}
        cells.append(old | ({"language": "python", "outputs": []} if field == "input" else {}))
    sheet = {"cells": cells, "metadata": {}}
    return {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [sheet]}


def picture(made):
    part = cell(made, "q3")
    part["source"] = "By hand: ![sum](attachment:image.png) and ![](attachment:lost.png)"
    dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU"
    part["attachments"] = {"image.png": {"image/png": dot + "5ErkJggg=="}}


def outputs_of_others(made):
    bad = "<script>alert(1)</script>"
    cell(made, "q1")["outputs"] = [
        {"output_type": "display_data", "metadata": {}, "data": {"text/html": bad}}
    ]
    made["metadata"]["title"] = bad


MARKDOWN = r"""# <img src=x onerror=alert(1)>
<script>alert(1)</script> <svg onload=alert(1)> <style>body {display: none}</style>
[link](javascript:alert(1)) <javascript:alert(1)> ![pixel](http://example.com/pixel.png)
$\text{<img src=x onerror=alert(1)>}$ $\href{javascript:alert(1)}{x}$
$$\style{background:url(http://example.com)}{y} \mbox{<script>alert(1)</script>}$$
```"><script>alert(1)</script>
<script>alert(1)</script>
```
"""

BLANK = changes("blank", lambda made: None, (0, 0), note="", q1=None, q2=None, q3=None)
FILES = [
    changes("A good one", lambda made: None, page=["12 of 12 checks passed"]),
    BLANK,
    answers("half right", VISIBLE_1, marks=(1, 3), page=["6 of 6 checks passed", "FAIL"]),
    answers("naive", NAIVE_1, NAIVE_2, marks=(0, 0), page=["overflow encountered in exp"]),
    files("another name", lambda good: {"Mein Heft (1).json": good}, WAITS, (4, 3)),
    files("two equal", lambda good: {"a.ipynb": good, "b.ipynb": good}, WAITS, (4, 3)),
    files(
        "two different",
        lambda good: {"a.ipynb": good, "b.ipynb": good.replace(b"axis=-1", b"axis=0")},
        "There are 2 different notebooks: a.ipynb and b.ipynb; keep one.",
    ),
    files("a zip", lambda good: {"all.zip": zipped({"a/hw.ipynb": good})}, WAITS, (4, 3)),
    files("a broken zip", lambda good: {"a.zip": b"PK", "hw.ipynb": good}, WAITS, (4, 3)),
    files("half a file", lambda good: {"hw.ipynb": good[:-50]}, "hw.ipynb is damaged"),
    files("an empty file", lambda good: {"hw.ipynb": b""}, "hw.ipynb is damaged"),
    files("a PDF", lambda good: {"hw.pdf": b"%PDF-1.4 \xff"}, "hw.pdf is no notebook (.ipynb)."),
    files("formula in a name", lambda good: {'=HYPERLINK("x").pdf': b"%PDF"}, ("'", "“", " ")),
    writes("an empty folder", lambda folder: None, "There is no file"),
    writes(
        "a link",
        lambda folder: (folder / "hw.ipynb").symlink_to(folder.parent / "A good one/hw.ipynb"),
        "hw.ipynb cannot be read: it is a link or a device, and no file.",
    ),
    writes(
        "a pipe",
        lambda folder: os.mkfifo(folder / "hw.ipynb"),
        "hw.ipynb cannot be read: it is a link or a device, and no file.",
    ),
    files(
        "another assignment",
        lambda good: {"hw.ipynb": good.replace(b"temperature-", b"smoothing-")},
        "hw.ipynb is no notebook of this assignment.",
    ),
    changes("split answer", split),
    changes("copied answer", copied),
    changes("copied test", copied_test),
    changes("metadata lost", each_cell(lambda part: part.update(metadata={}))),
    changes("names lost", each_cell(lambda part: part.pop("id"))),
    changes(
        "all lost",
        each_cell(lambda part: part.update(metadata={}, id=f"other-{id(part)}")),
        (0, 0),
        note="hw.ipynb is no notebook of this assignment.",
    ),
    changes("old metadata", each_cell(old_schema)),
    changes("old notebook", version_3),
    changes("tests deleted", without("q1-visible", "q1-hidden", "q2-visible", "q2-hidden")),
    changes("answer deleted", without("q1"), (0, 3)),
    changes("text deleted", without("0", "2", "6", "10")),
    changes("order reversed", lambda made: made["cells"].reverse(), (ANY, ANY)),
    changes("tests edited", edited_tests, (0, 3), q1=NAIVE_1),
    changes("tests renamed", renamed_tests, (0, 3), q1=NAIVE_1),
    changes("tests added", more_tests),
    changes("no identifier", lambda made: cell(made, "0").update(id=[1])),
    changes("a picture", picture),
    changes("outputs of others", outputs_of_others),
    changes("own cells", added("half = 0.5", "1 / 0", "%matplotlib inline\n!true")),
    changes("odd signs", added("# \x00 \ud800 \x1b[31m \u202e", "'\x07'")),
    answers("Markdown", GOOD_1, marks=(4, 3), q3=MARKDOWN),
    changes(
        "too many cells",
        lambda made: made["cells"].extend([code("1", id="temperature-0")] * 50_000),
        (0, 0),
        note="hw.ipynb",
    ),
    changes("z good", lambda made: None),
]
