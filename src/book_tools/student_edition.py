"""Build the student edition: the book without the solutions, to give to a class.

``make book-student`` runs this program in the folder of the book. A build reads only the pages of
its table of contents, so what is not listed gets into no file of the edition. A part with a
solution is left out as a whole.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

SOLUTIONS = "book/solutions/"
EDITION = Path("_build/student")
STRICT = ["-W", "-n", "--keep-going"]  # as in make book
JUPYTER_BOOK = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]


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


def remove(folder):
    """Remove a folder, if it is there."""
    if folder.exists():
        shutil.rmtree(folder)


def main(arguments=None):
    """Run the program; return 0, or the status of the build that failed."""
    parser = argparse.ArgumentParser(
        prog="python -m book_tools.student_edition", description=__doc__
    )
    parser.parse_args(arguments)
    if not Path("_toc.yml").exists():
        parser.exit(1, f"There is no book in {Path.cwd()}: run this in the folder of _toc.yml.\n")
    complete = yaml.safe_load(Path("_toc.yml").read_text(encoding="utf-8"))
    remove(EDITION)  # a page that is left over could hold what is now a solution
    EDITION.mkdir(parents=True)
    toc = EDITION.absolute() / "_toc.yml"
    toc.write_text(yaml.safe_dump(without_solutions(complete), sort_keys=False), encoding="utf-8")
    options = [*STRICT, "--path-output", str(EDITION), "--toc", str(toc)]
    if status := subprocess.run([*JUPYTER_BOOK, "build", ".", *options]).returncode:
        return status
    for name in [".doctrees", "jupyter_execute"]:  # they name the pages left out
        remove(EDITION / "_build" / name)
    print(f"The student edition is ready: open {EDITION}/_build/html/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
