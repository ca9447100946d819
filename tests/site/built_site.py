"""Where the built site is, which pages it has, and where it will be published."""

import os
from pathlib import Path

import pytest

from tests.site.page_rules import read

ROOT = Path(__file__).parents[2]
SITE = Path(os.environ.get("SITE", ROOT / "_build" / "html")).resolve()  # or an unzipped release
if not (SITE / "index.html").exists():
    pytest.exit(f"There is no site in {SITE}: run make book first.", returncode=1)
FILES = (path.relative_to(SITE) for path in SITE.rglob("*.html"))
PAGES = sorted(path.as_posix() for path in FILES if path.parts[0] != "_static")  # no templates
ADDRESS = read(SITE / "index.html").select_one("link[rel=canonical]")["href"]
ADDRESS = ADDRESS.removesuffix("index.html")
