"""Time softmax and its loss in blocks against SciPy, PyTorch and NumPy's own passes, and judge.

``make bench`` runs this program in the folder of the book, with one thread. It keeps the table for
the chapter "How fast can it be", prints every goal that is missed, and fails if there is one. Other
work on the same machine slows all alike, but not by the same factor: repeat a run that fails. The
goals were reached on processors with AVX-512. Elsewhere NumPy's exponentials are slower, and some
goals are out of reach: each line says what np.exp alone takes.
"""

import argparse
import sys
from pathlib import Path

from stable_softmax.libraries.accuracy_table import keep
from stable_softmax.libraries.speed_table import measure
from stable_softmax.notebook.display import show_progress

TABLE = Path("_build/bench.json")  # where the chapter and the cache of outputs look for it


def main(arguments=None):
    """Run the program; return 0, or 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m book_tools.bench", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=0.5, help="how long each call is repeated, about"
    )
    seconds = parser.parse_args(arguments).seconds
    if not 0 <= seconds < 1000:
        parser.error("--seconds must be between 0 and 1000")
    if not Path("_toc.yml").exists():
        parser.exit(1, f"There is no book in {Path.cwd()}: run this in the folder of _toc.yml.\n")
    table = measure(seconds=seconds, progress=show_progress)
    TABLE.parent.mkdir(exist_ok=True)
    keep(table, TABLE)
    print("\n".join(report(table)))
    return 1 if table.missed else 0


def report(table):
    """Return the lines that the program prints.

    Parameters
    ----------
    table : SpeedTable

    Returns
    -------
    list of str
    """
    rivals = list(dict.fromkeys(name for race in table.races for name in race.ratios))
    lines = ["", ", ".join(f"{name} {version}" for name, version in table.machine.items())]
    lines += ["Our time as a multiple of theirs, and in nanoseconds for each logit", ""]
    lines += [f"{'':44}{'ns':>8}" + "".join(f"{name:>15}" for name in rivals)]
    for race in table.races:
        cells = (f"{race.ratios[r]:15.2f}" if r in race.ratios else f"{'-':>15}" for r in rivals)
        shape = f"{race.rows} x {race.classes}"
        lines.append(
            f"{race.fmt:5}{race.function:20}{shape:>19}{race.nanoseconds:8.2f}" + "".join(cells)
        )
    for fmt, by_name in table.widths.items():
        for name, times in by_name.items():
            texts = ", ".join(f"{n}: {t:.2f}" for n, t in times.items())
            lines.append(f"{fmt:5}softmax, {name}, ns by number of classes: {texts}")
    lines += [f"MISSED  {line}" for line in table.missed]
    lines.append(f"{len(table.missed)} goals missed")
    return lines


if __name__ == "__main__":
    sys.exit(main())
