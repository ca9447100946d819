"""Release assignments of a folder: python -m tests.classroom.programs.release FOLDER NAME …

One process releases all, and prints as JSON how the command ended and what it said for each.
"""

import contextlib
import io
import json
import sys
from pathlib import Path

from classroom.__main__ import main


def release(name, folder):
    """Return the exit status of the command, or the error that ended it, and its complaint."""
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
        try:
            code = main(["release", name, "--to", str(folder / "out"), "--seconds", "3"], folder)
        except Exception as error:
            code = repr(error)
    return code, errors.getvalue()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    print(json.dumps({name: release(name, folder) for name in sys.argv[2:]}))
