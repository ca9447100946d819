"""Release an assignment of the book, and mark what a class has handed in: see "Teaching"."""

import argparse
import sys
from pathlib import Path

from .course import Course, Failed, Refused
from .grade import grade_assignment
from .hand_marks import mark_by_hand
from .kept import Kept
from .release import release_assignment
from .repository import ASSIGNMENTS, MARKS, RELEASED, shown
from .sandbox import SECONDS
from .tables import MOODLE


def main(arguments=None, assignments=ASSIGNMENTS):
    """Run the program; return 0, or 1 after a message that says what to do."""
    parser = argparse.ArgumentParser(prog="python -m classroom", description=__doc__)
    commands = parser.add_subparsers(required=True)

    def command(name, does, text, to=None):
        added = commands.add_parser(name, help=text)
        added.set_defaults(does=does)
        added.add_argument("name", help="the assignment, a file in book/assignments")
        added.add_argument("--to", dest="folder", type=Path, default=to, help="where it is written")
        return added

    release = command("release", release_assignment, "make the notebook for students", RELEASED)
    grade = command("grade", grade_assignment, "mark a folder or zip of notebooks")
    command("hand-marks", mark_by_hand, "where the marks by hand are entered")
    remove = command("remove", remove_students, "remove students from the marks of a class")
    grade.add_argument("source", help="a folder or zip, as Moodle or Canvas export it")
    grade.add_argument("--again", action="store_true", help="what was marked before as well")
    grade.add_argument("--language", choices=MOODLE, help="of Moodle, for its table")
    grade.add_argument("--column", help="Canvas's name of the assignment, as “Name (ID)”")
    remove.add_argument("--sure", action="store_true", help="do it")
    for part in (grade, remove):
        part.add_argument("--only", default="", help="this student, and nobody else")
    for part in (release, grade):
        part.add_argument("--seconds", type=float, default=SECONDS, help="the limit of a cell")
        trust = {"action": "store_false", "help": "run the notebooks with all your rights"}
        part.add_argument("--no-sandbox", dest="sandboxed", **trust)
    given = vars(parser.parse_args(arguments))
    does, name = given.pop("does"), given.pop("name")
    try:
        known = {path.stem: path for path in sorted(assignments.glob("*.md"))}
        if name not in known:
            what = f"There is no assignment “{name}”" if name else "Say which assignment: NAME=…"
            raise Refused(f"{what}. There are: {', '.join(known)}.")
        if not 1 <= given.get("seconds", SECONDS) <= 3600:
            raise Refused("The limit of a cell is from 1 to 3600 seconds.")
        does(Course(known[name]), **given | {"folder": given["folder"] or MARKS / name})
    except (Refused, Failed, OSError) as reason:
        what = f"This did not work: {reason}." if isinstance(reason, OSError) else reason
        print(what, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; the same command goes on from here.", file=sys.stderr)
        return 130
    return 0


def remove_students(course, folder, only, sure):
    """Say what would be removed of a student, or of all, and remove it if the teacher is sure."""
    kept = Kept(course, folder)
    if not (rows := kept.rows(only)):
        raise Refused(f"There is nobody {f'called {only} ' if only else ''}in {shown(folder)}.")
    for row in rows:
        hand = len(kept.by_hand.get(row.key, {}))
        print(f"{row.student}: marks {row.total:g}, {hand} of them by hand, and the page")
    if sure:
        kept.remove(rows)
    what = "Removed" if sure else "Nothing was removed. With SURE=yes these are removed"
    print(f"{what} from {shown(folder)}: {len(rows)}.")


if __name__ == "__main__":
    sys.exit(main())
