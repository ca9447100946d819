"""Show outputs of cells, a list of lists from stdin, as HTML: tests.classroom.programs.shown"""

import json
import sys

from classroom.kernel import read_outputs
from classroom.page import Writer

if __name__ == "__main__":
    pages = json.load(sys.stdin)
    print(json.dumps([Writer().outputs(read_outputs({"outputs": page})) for page in pages]))
