"""The pages of the book, for the tests that go through them."""

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
PAGES = [TOC["root"], *(c["file"] for part in TOC["parts"] for c in part["chapters"])]
SOLUTIONS = [page for page in PAGES if page.startswith("book/solutions/")]
CHAPTERS = [page.replace("solutions/", "") for page in SOLUTIONS]
SOURCE = ROOT / "src/stable_softmax"
#: The modules of the package but for the checks of the exercises.
MODULES = {*SOURCE.rglob("*.py")} - {*SOURCE.rglob("__init__.py"), *SOURCE.glob("checks/*")}
BELITTLING = r"\b(simply|just|trick|magic|blows? up|obviously|trivial(ly)?|TODO|FIXME)\b"


def read(page):
    """Return the source of a page."""
    return (ROOT / f"{page}.md").read_text(encoding="utf-8")
