"""Run the command with other assignments: python -m tests.classroom.programs.repaired FOLDER …"""

import sys
from pathlib import Path

from classroom.__main__ import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[2:], Path(sys.argv[1])))
