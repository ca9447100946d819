"""Build a book as `make book` does, for the tests that look at what comes of it."""

import functools
import os
import re
import subprocess
import sys

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


@functools.cache
def build_site():
    """Build the site itself, in its own folder, so with its cache; once in a test run."""
    return build(ROOT)
