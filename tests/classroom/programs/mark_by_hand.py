"""Enter a mark: python -m tests.classroom.programs.mark_by_hand MARKS STUDENT POINTS COMMENT."""

import sys
from pathlib import Path

from classroom.course import Course
from classroom.kept import Kept
from classroom.repository import ASSIGNMENTS

if __name__ == "__main__":
    marks, student, points, text = sys.argv[1:]
    kept = Kept(Course(ASSIGNMENTS / "temperature.md"), Path(marks))
    [key] = [row.key for row in kept.rows() if row.student == student]
    kept.mark_by_hand(key, "q3", float(points), text)
    kept.write()
