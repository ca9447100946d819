"""The measurements of the chapter "On a GPU": the recorded ones, and those of the reader.

``python -m stable_softmax.experiments.gpu`` measures the same tables on the GPU of this machine and
writes them to ``gpu_measured.json`` in the folder in which it was started, or to the file that is
named. The chapter shows them beside the recorded ones.
"""

import argparse
import datetime
import json
import platform
import sys
import time
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path

from . import gpu_measures

#: Where a reader's measurements are written and looked for, from the current folder.
MEASURED = "gpu_measured.json"
_NO_GPU = (
    "This program measures on an NVIDIA GPU, and {}. Run it where there is one, in Colab with a"
    " GPU runtime for example; the chapter shows its recorded tables without it."
)


class NoGPU(Exception):
    """There is no GPU that PyTorch can use; the text says what is missing."""


@cache
def record():
    """Return the recorded measurements: {"machine", "program", "tables"}.

    "machine" names card, driver, versions and date, "program" what measured, and "tables" has
    ``{table: {row: {column: number}}}``.
    """
    return json.loads(files(__package__).joinpath("gpu.json").read_text(encoding="utf-8"))


def measured(path=MEASURED):
    """Return what a reader has measured, or None if there is no such file.

    It is looked for in the current folder and in the one above, since a notebook runs in the folder
    of its chapter. The form is that of `record`. ValueError: if this program has not written it.
    """
    for place in (Path(path), Path("..") / path):
        if place.is_file():
            try:
                found = json.loads(place.read_text(encoding="utf-8"))
                return {part: dict(found[part]) for part in ("machine", "tables")} | found
            except (KeyError, TypeError, ValueError):
                program = "python -m stable_softmax.experiments.gpu"
                raise ValueError(f"{place} is not from {program}: remove it, or measure") from None
    return None


def beside(table, here=None, path=MEASURED):
    """Return the header and the rows of a table, with the numbers of all places of a measurement.

    Numbers that have one place have it as the first header. One column of numbers becomes a column
    for each place. Otherwise each place has a row.

    Parameters
    ----------
    table : str
        A name in the record: ``"sure"``.
    here : dict, optional
        ``{row: {column: number}}`` of this CPU; rows that are not in the record, or not measured
        there, are left out.
    path : str or Path
        Where the reader's measurements are looked for.

    Returns
    -------
    header : list of str
    rows : list of list
        None where nothing was measured.

    Raises
    ------
    KeyError
        If there is no such table.
    ValueError
        If the reader's file is not one; see `measured`.
    """
    return _laid_out(*_by_place(table, here, path))


def _by_place(table, here, path):
    recorded, reader = record(), measured(path)
    if table not in recorded["tables"]:
        raise KeyError(f"there is no table {table!r}; use one of {', '.join(recorded['tables'])}")
    tables = {"H100": recorded["tables"][table]}
    if reader is not None and table in reader["tables"]:
        tables[f"yours: {reader['machine']['card']}"] = reader["tables"][table]
    if here is not None:
        tables["this CPU"] = here
    columns = list(next(iter(recorded["tables"][table].values())))
    rows = [
        [row, place, *(values[row].get(column) for column in columns)]
        for row in recorded["tables"][table]
        for place, values in tables.items()
        if any(number is not None for number in values.get(row, {}).values())
    ]
    return columns, rows


def _laid_out(columns, rows):
    places = list(dict.fromkeys(place for _, place, *_ in rows))
    if len(places) == 1:
        return [places[0], *columns], [[row, *numbers] for row, _, *numbers in rows]
    if len(columns) > 1:
        return ["", "measured on", *columns], rows
    found = {(row, place): number for row, place, number in rows}
    names = dict.fromkeys(row for row, *_ in rows)
    return [*columns, *places], [[row, *(found.get((row, p)) for p in places)] for row in names]


def ratios(table, of, path=MEASURED):
    """Return the header and the rows of a table as ratios to one of its rows, place by place.

    Other parameters and errors: see `beside`.

    Parameters
    ----------
    of : str
        The row by whose numbers the others are divided.

    Returns
    -------
    header : list of str
    rows : list of list
        None where one of the two numbers is missing, or the divisor is 0.
    """
    columns, rows = _by_place(table, None, path)
    base = {place: numbers for row, place, *numbers in rows if row == of}
    if not base:
        names = ", ".join(dict.fromkeys(row for row, *_ in rows))
        raise KeyError(f"the table has no row {of!r}; use one of {names}")
    divided = [
        [row, place, *(_ratio(a, b) for a, b in zip(numbers, base[place], strict=True))]
        for row, place, *numbers in rows
        if row != of
    ]
    return _laid_out(columns, divided)


def _ratio(a, b):
    return None if a is None or not b else a / b


def find_gpu():
    """Return the GPU as PyTorch names it, ``"cuda"``.

    Raises
    ------
    NoGPU
        If there is none, or no PyTorch that could use it.
    """
    try:
        import torch
    except ImportError:
        raise NoGPU(_NO_GPU.format("PyTorch is not installed")) from None
    if not torch.cuda.is_available():
        raise NoGPU(_NO_GPU.format(f"PyTorch {torch.__version__} finds none here"))
    return "cuda"


def describe(device):
    """Return the card, the versions and the date of a measurement.

    Parameters
    ----------
    device : str
        ``"cuda"``, or ``"cpu"`` as a stand-in.

    Returns
    -------
    dict of str
    """
    import torch

    on_gpu = torch.device(device).type == "cuda"
    cudnn = torch.backends.cudnn.version() if on_gpu else None
    try:
        triton = version("triton")
    except PackageNotFoundError:
        triton = "not installed"
    return {
        "card": torch.cuda.get_device_name() if on_gpu else "this CPU",
        "cuda": str(torch.version.cuda),
        "cudnn": str(cudnn),
        "torch": torch.__version__,
        "triton": triton,
        "python": platform.python_version(),
        "date": datetime.date.today().isoformat(),
    }


def measure(device, tables=None, report=print):
    """Measure the tables on a device.

    A table that fails is left out, and the reason is kept: one card lacks the memory, another one a
    format.

    Parameters
    ----------
    device : str
    tables : dict of callables, optional
        ``{name: function of the device}``; all tables of the chapter by default.
    report : callable
        Is given one line for each table.

    Returns
    -------
    dict
        In the form of `record`, with ``"failed": {table: reason}``.
    """
    result = {"machine": describe(device), "program": __name__, "tables": {}, "failed": {}}
    tables = gpu_measures.TABLES if tables is None else tables
    for i, (name, function) in enumerate(tables.items(), start=1):
        start = time.perf_counter()
        try:
            result["tables"][name] = function(device)
            end = "measured"
        except Exception as error:
            result["failed"][name] = f"{type(error).__name__}: {error}"
            end = f"failed: {result['failed'][name].splitlines()[0]}"
        report(f"{i} of {len(tables)}: {name} {end} ({time.perf_counter() - start:.0f} s)")
    return result


def main(arguments=None):
    """Measure on the GPU of this machine and write the result; the exit status is 1 without one."""
    parser = argparse.ArgumentParser(
        prog="python -m stable_softmax.experiments.gpu",
        description='Measure the tables of the chapter "On a GPU" on this GPU; some minutes.',
    )
    parser.add_argument("file", nargs="?", type=Path, default=Path(MEASURED))
    path = parser.parse_args(arguments).file
    try:
        device = find_gpu()
    except NoGPU as error:
        print(error, file=sys.stderr)
        return 1
    result = measure(device)
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"Written to {path}. The chapter shows it when it runs in this folder or in book/.")
    return 1 if result["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
