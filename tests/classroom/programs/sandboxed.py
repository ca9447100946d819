"""Run a cell as a student's: python -m tests.classroom.programs.sandboxed <CELL

Prints as JSON the cell's outputs, and the environment of each process of the sandbox as it is seen
from outside.
"""

import json
import sys
from pathlib import Path

from classroom.kernel import Kernel


def family(pid):
    """Return a process and all that it has started."""
    children = [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [pid, *(one for child in children for one in family(child))]


if __name__ == "__main__":
    with Kernel(10) as kernel:
        outputs = kernel.run(sys.stdin.read())
        pids = family(kernel.process.pid)
        environments = [Path(f"/proc/{pid}/environ").read_text() for pid in pids]
    print(json.dumps({"outputs": outputs, "environments": environments}))
