"""Where the repository is, and what the commands find and write in it."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
ASSIGNMENTS = ROOT / "book/assignments"
RELEASED = ROOT / "_build/classroom"
MARKS = ROOT / "marks"


def shown(path):
    """Return a path as short as it can be said here."""
    path = Path(path).absolute()
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
