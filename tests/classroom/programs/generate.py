"""Make the notebook for students: python -m tests.classroom.programs.generate ASSIGNMENT FOLDER."""

import sys
from pathlib import Path

from classroom.course import Course

if __name__ == "__main__":
    Course(Path(sys.argv[1]), Path(sys.argv[2])).generate()
