"""Mark a notebook whose tests take time or memory: tests.classroom.programs.too_much FOLDER"""

import functools
import json
import sys
import time
from pathlib import Path

from classroom import grade
from classroom.collect import collect
from classroom.course import Course
from classroom.repository import ASSIGNMENTS
from classroom.workers import side_by_side

TAKEN = []


def takes_time(*given):
    """Go on whatever comes."""
    while True:
        time.sleep(0.01)


def takes_memory(*given):
    """Take all memory."""
    while True:
        TAKEN.append(bytearray(10**7))


if __name__ == "__main__":
    course, (_, [student]) = Course(ASSIGNMENTS / "temperature.md"), collect(Path(sys.argv[1]))
    given = (course, 1, 2, True, {"platform": "", "source": ""}, False)
    for grade.judge in (takes_time, takes_memory):
        mark = functools.partial(grade.mark_student, *given)
        [record] = side_by_side(mark, [(student, None)], 60)
        again = mark((student, record))
        print(json.dumps([record["refused"], again]))
