"""Run the command, and print the most memory of a process: tests.classroom.programs.measured …"""

import resource
import sys

from classroom.__main__ import main

if __name__ == "__main__":
    code = main(sys.argv[1:])
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    print(max(resource.getrusage(kind).ru_maxrss for kind in kinds) * 1024)
    sys.exit(code)
