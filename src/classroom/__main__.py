"""Release an assignment of the book, and mark what a class has handed in.

The Makefile calls this program in an environment of its own; see the chapter "Teaching".
"""

import argparse
import sys
from contextlib import suppress
from pathlib import Path

from .collect import Unmarkable
from .course import Failed, Refused
from .grade import grade_assignment
from .hand_marks import mark_by_hand
from .release import release_assignment
from .repository import ASSIGNMENTS, MARKS, RELEASED


def main(arguments=None, assignments=ASSIGNMENTS):
    """Run the program; return 0, or 1 after a message that says what to do."""
    parser = argparse.ArgumentParser(prog="python -m classroom", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    release = commands.add_parser("release", help="make the notebook for students")
    grade = commands.add_parser("grade", help="mark a folder or zip of notebooks")
    hand = commands.add_parser("hand-marks", help="where the marks by hand are entered")
    for command in (release, grade, hand):
        command.add_argument("name", help="the assignment, a file in book/assignments")
    release.add_argument("--to", type=Path, default=RELEASED, help="a folder")
    grade.add_argument("source", help="a folder or zip, as Moodle or Canvas export it")
    for command in (grade, hand):
        command.add_argument("--to", type=Path, help="the folder of the marks; default marks/NAME")
    hand.add_argument("--no-browser", dest="open_browser", action="store_false")
    for command in (release, grade):
        command.add_argument("--seconds", type=seconds, default=10, help="the limit of a cell")
        command.add_argument(
            "--no-sandbox",
            dest="sandboxed",
            action="store_false",
            help="run the notebooks with all your rights",
        )
    given = parser.parse_args(arguments)
    try:
        path = assignment(given.name, assignments)
        if given.command == "release":
            release_assignment(path, given.to, given.seconds, given.sandboxed)
        elif given.command == "grade":
            grade_assignment(path, given.source, given.to, given.seconds, given.sandboxed)
        else:
            mark_by_hand(path.stem, given.to or MARKS / path.stem, given.open_browser)
    except (Refused, Unmarkable, Failed) as reason:
        print(reason, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"This did not work: {error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; the same command goes on from here.", file=sys.stderr)
        return 130
    return 0


def seconds(text):
    """Return a limit of time."""
    with suppress(ValueError):
        if 1 <= float(text) <= 3600:
            return float(text)
    raise argparse.ArgumentTypeError(f"give a number of seconds from 1 to 3600, not {text}")


def assignment(name, folder):
    """Return the path of an assignment of a folder."""
    known = {path.stem: path for path in sorted(folder.glob("*.md"))}
    if name not in known:
        what = f"There is no assignment “{name}”" if name else "Say which assignment: NAME=…"
        raise Refused(f"{what}. There are: {', '.join(known)}.")
    return known[name]


if __name__ == "__main__":
    sys.exit(main())
