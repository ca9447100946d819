"""Write the table of contents of the student edition: that of the book without the solutions.

``make book-student`` runs this module in the folder of the book. A build reads only the pages of
its table of contents, so what is not listed gets into no file of the edition. A part with a
solution is left out as a whole.
"""

import sys
from pathlib import Path

import yaml

SOLUTIONS = "book/solutions/"


def without_solutions(toc):
    """Return a table of contents without the parts that hold a solution.

    Parameters
    ----------
    toc : dict
        What _toc.yml says.

    Returns
    -------
    dict
    """
    return toc | {"parts": [part for part in toc["parts"] if SOLUTIONS not in yaml.dump(part)]}


if __name__ == "__main__":
    complete = yaml.safe_load(Path("_toc.yml").read_text(encoding="utf-8"))
    path = Path(sys.argv[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(without_solutions(complete), sort_keys=False), encoding="utf-8")
