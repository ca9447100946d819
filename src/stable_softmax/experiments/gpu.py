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
    of its chapter. The form is that of `record`.
    """
    for place in (Path(path), Path("..") / path):
        if place.is_file():
            return json.loads(place.read_text(encoding="utf-8"))
    return None


def beside(table, here=None, path=MEASURED):
    """Return the header and the rows of a table, with one row for each place of a measurement.

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

    Raises
    ------
    KeyError
        If there is no such table.
    """
    recorded, reader = record(), measured(path)
    tables = {"H100, recorded": recorded["tables"][table]}
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
    return ["", "measured on", *columns], rows


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
        None where one of the two numbers is missing.
    """
    header, rows = beside(table, path=path)
    base = {place: numbers for row, place, *numbers in rows if row == of}
    if not base:
        raise KeyError(of)
    divided = [
        [row, place, *(_ratio(a, b) for a, b in zip(numbers, base[place], strict=True))]
        for row, place, *numbers in rows
        if row != of
    ]
    return header, divided


def _ratio(a, b):
    return None if a is None or b is None else a / b


def find_gpu():
    """Return the GPU as PyTorch names it, ``"cuda"``.

    Raises
    ------
    NoGPU
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
