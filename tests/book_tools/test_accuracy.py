"""The program behind make accuracy."""

import dataclasses
import math
from functools import partial

import pytest

from book_tools import accuracy
from book_tools.accuracy import main, report
from stable_softmax.libraries import accuracy_table
from stable_softmax.libraries.accuracy_table import Measurement, Table, kept, measure, rung_times
from stable_softmax.libraries.adapters import describe_machine
from stable_softmax.measure.families import FAMILIES


def fake(implementation="double-double", **changes):
    m = Measurement("f", "fp64", "softmax", implementation, 0.5, 0.25, 1e-17, 1.0, 0.0, 0.0)
    return dataclasses.replace(m, **changes)


@pytest.mark.parametrize(
    ("peer", "lost"), [({}, False), ({"worst": 0.4}, True), ({"worst": math.inf}, False)]
)
def test_the_report_lists_what_is_lost_to_other_libraries_only(peer, lost):
    measurements = fake(), fake("SciPy", **peer), fake("shifted", worst=0.1)
    text = "\n".join(report(Table(1, {}, measurements)))
    assert ("LOSS  f, fp64, softmax: SciPy" in text) == lost
    assert f"{int(lost)} losses in 1 comparisons" in text


def test_the_report_counts_rows_that_are_not_correctly_rounded_and_shows_the_worst():
    measurements = fake(), fake(family="g", rounded=0.9, worst=0.625)
    lines = report(Table(1234, {"NumPy": "2.0"}, measurements))
    assert "1,234 logits per family and format; NumPy 2.0" in lines
    assert [line.split() for line in lines if line.startswith("fp64")] == [
        ["fp64", "softmax", "0.625"]
    ]
    assert "double-double: 1 of 2 rows of the table have a result that is not" in "\n".join(lines)


@pytest.fixture
def book(tmp_path, monkeypatch):
    """An empty book as the current folder."""
    (tmp_path / "_toc.yml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("peer", "status"), [(0.6, 0), (0.4, 1)])
def test_the_program_keeps_its_table_and_fails_if_we_lose(book, monkeypatch, capsys, peer, status):
    table = Table(77, describe_machine(), (fake(), fake("SciPy", worst=peer)))
    asked = []
    monkeypatch.setattr(accuracy, "measure", lambda n, progress: asked.append(n) or table)
    times = {"fp64, n = 10": [1.0, 1.2]}
    monkeypatch.setattr(accuracy, "rung_times", lambda: times)
    assert main(["--elements", "77"]) == status
    assert asked == [77]
    assert f"{status} losses in 1 comparisons" in capsys.readouterr().out
    assert kept(book / "_build/accuracy.json") == dataclasses.replace(table, times=times)


def test_a_small_measurement_shows_its_progress_and_is_kept(book, monkeypatch, capsys):
    monkeypatch.setattr(accuracy, "measure", partial(measure, families=FAMILIES[:1]))
    monkeypatch.setattr(accuracy_table, "_mxnet", lambda batches: {})  # takes seconds to start
    monkeypatch.setattr(accuracy, "rung_times", partial(rung_times, elements=1000))
    assert main(["--elements", "1"]) in (0, 1)  # so few may be lost by luck
    printed = capsys.readouterr().out
    assert "families and formats" in printed and "Worst error over all families" in printed
    table = kept(book / "_build/accuracy.json")
    assert table.elements == 1 and table.measurements and table.times


@pytest.mark.parametrize("elements", ["0", "-3", "many"])
def test_a_wrong_size_is_one_clear_error(book, elements, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--elements", elements])
    assert "--elements" in capsys.readouterr().err


def test_outside_the_book_it_says_where_to_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="1"):
        main([])
    assert capsys.readouterr().err == (
        f"There is no book in {tmp_path}: run this in the folder of _toc.yml.\n"
    )
    assert not [*tmp_path.iterdir()]


def test_it_helps(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "--elements" in capsys.readouterr().out
