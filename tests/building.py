"""Build a book as `make book` does, for the tests that look at what comes of it."""

import json
import os
import re
import subprocess
import sys
import time

from tests.pages import ROOT

FLAGS = re.search(r"jupyter-book build (.+)", (ROOT / "Makefile").read_text())[1].split()
SITE = ROOT / "_build" / "html"


def build(folder, **environment):
    """Build a book with the flags of `make book`, and return its exit code and its output."""
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build"]
    done = subprocess.run(
        [*command, *FLAGS],
        cwd=folder,
        env=os.environ | {"PYTHONWARNINGS": "", "NO_COLOR": "1"} | environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=1200,
    )
    return done.returncode, done.stdout + done.stderr


def build_site(folder):
    """Build the site itself, in its own folder, so with its cache: once in a test run.

    The worker of pytest-xdist that comes first builds, and leaves its result for the others.

    Parameters
    ----------
    folder : pathlib.Path
        One that the workers share, new in each run.
    """
    result = folder / "site.json"
    try:
        (folder / "site").mkdir()
    except FileExistsError:
        end = time.monotonic() + 1200
        while not result.exists() and time.monotonic() < end:
            time.sleep(0.1)
    else:
        (folder / "site" / "result").write_text(json.dumps(build(ROOT)), encoding="utf-8")
        (folder / "site" / "result").replace(result)  # whole, or not there
    return json.loads(result.read_text(encoding="utf-8"))
