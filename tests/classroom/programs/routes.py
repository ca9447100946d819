"""Print what the server for marks by hand knows: python -m tests.classroom.programs.routes MARKS"""

import json
import sys
from pathlib import Path

from classroom.course import Course
from classroom.hand_marks import pages
from classroom.kept import Kept
from classroom.repository import ASSIGNMENTS

if __name__ == "__main__":
    kept = Kept(Course(ASSIGNMENTS / "temperature.md"), Path(sys.argv[1]))
    rules = pages(kept, "x").url_map.iter_rules()
    print(json.dumps([f"{way} {rule}" for rule in rules for way in rule.methods - {"HEAD"}]))
