"""A program that runs the cells of pages as a browser does, without what is absent there.

``python -m tests.run_in_page.in_a_page book/overflow ...`` prints as JSON, for each cell of each
page, what it lacks, whether a tag says so, and its error. ``test_runnable.py`` runs this.
"""

import importlib.util
import json
import sys
from importlib.machinery import PathFinder
from pathlib import Path

import jupytext

from tests.pages import ROOT

sys.path.append(str(ROOT / "book/run_in_page"))
import kernel
import runnable

MISSING = {*runnable.ABSENT, "flint", "tqdm", "jax", "dask", "array_api_strict"}
MISSING -= {"subprocess", "libraries"}


class Hiding(PathFinder):
    """Find modules as Python does, but for those that a browser lacks."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        """Return the specification of a module, None if it is hidden."""
        if name.partition(".")[0] in MISSING:
            return None
        return super().find_spec(name, path, target)


def run(page):
    """Return for each cell of a page what it lacks and how it ended."""
    kernel.namespace.clear()
    kernel.namespace["__name__"] = "__main__"
    found = [c for c in jupytext.read(ROOT / f"{page}.md").cells if c.cell_type == "code"]
    tags = [cell.metadata.get("tags", []) for cell in found]
    lacks = runnable.lacking([cell.source for cell in found], tags)
    ended = [json.loads(kernel.run(c.source, f"cell {i}"))["error"] for i, c in enumerate(found)]
    return [
        {
            "lacks": lack,
            "tags": [tag for tag in labels if tag.startswith("needs-")],
            "error": error and f"line {error['line']}: {error['text']}",
        }
        for lack, labels, error in zip(lacks, tags, ended, strict=True)
    ]


if __name__ == "__main__":
    library = Path(importlib.util.find_spec("sklearn").origin).parent
    kernel.DIGITS = library / "datasets/data/digits.csv.gz"
    sys.meta_path[:] = [f for f in sys.meta_path if f is not PathFinder] + [Hiding]
    kernel.start()
    kernel.matplotlib_is_loaded()
    figures = importlib.import_module("stable_softmax.notebook.figures")
    figures.for_page = lambda *_: ""  # the tests of the site draw them, which takes longest
    print(json.dumps({page: run(page) for page in sys.argv[1:]}))
