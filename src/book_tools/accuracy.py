"""Measure every rung of the ladder against every library, at full size, and report.

``make accuracy`` runs this program in the folder of the book. It keeps the table for the
report of the book, prints where a library is more accurate than the top rung, and fails if there is
such a place.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from stable_softmax.floating_point import FORMATS
from stable_softmax.libraries.accuracy_table import FUNCTIONS, RUNGS, TOP, keep, measure, rung_times
from stable_softmax.notebook.display import show_progress

TABLE = Path("_build/accuracy.json")  # where the report and the cache of outputs look for it


def main(arguments=None):
    """Run the program; return 0, or 1 if a library is more accurate than the top rung somewhere."""
    parser = argparse.ArgumentParser(prog="python -m book_tools.accuracy", description=__doc__)
    parser.add_argument(
        "--elements", type=int, default=200_000, help="logits per family and format"
    )
    elements = parser.parse_args(arguments).elements
    if elements < 1:
        parser.error("--elements must be at least 1")
    if not Path("_toc.yml").exists():
        parser.exit(1, f"There is no book in {Path.cwd()}: run this in the folder of _toc.yml.\n")
    table = replace(measure(elements, progress=show_progress), times=rung_times())
    TABLE.parent.mkdir(exist_ok=True)
    keep(table, TABLE)
    print("\n".join(report(table)))
    return 1 if table.losses else 0


def report(table):
    """Return the lines that the program prints.

    Parameters
    ----------
    table : Table

    Returns
    -------
    list of str
    """
    names = table.implementations
    machine = ", ".join(f"{name} {version}" for name, version in table.machine.items())
    lines = ["", f"{table.elements:,} logits per family and format; {machine}"]
    lines += ["Worst error over all families, in ulp", ""]
    lines += [f"{'':27}" + "".join(f"{name[:13]:>14}" for name in names)]
    for fmt in FORMATS:
        for function in FUNCTIONS:
            values = [table.worst(fmt, function, name) for name in names]
            if not np.all(np.isnan(values)):
                cells = (f"{'-' if np.isnan(v) else format(v, '.4g'):>14}" for v in values)
                lines.append(f"{fmt:5}{function:22}" + "".join(cells))
    ours = table.select(implementation=TOP)
    peers = [m for m in table.measurements if m.implementation not in RUNGS]
    lines += ["", f"{TOP}: {sum(m.rounded < 1 for m in ours)} of {len(ours)} rows of the table"]
    lines[-1] += " have a result that is not correctly rounded"
    for top, peer in table.losses:
        lines.append(
            f"LOSS  {top.family}, {top.fmt}, {top.function}: {peer.implementation} "
            f"{peer.worst:.6g} ulp, we {top.worst:.6g}"
        )
    lines.append(f"{len(table.losses)} losses in {len(peers)} comparisons with other libraries")
    return lines


if __name__ == "__main__":
    sys.exit(main())
