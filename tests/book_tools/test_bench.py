"""The program behind make bench, with times that stand in for measured ones."""

import pytest

from book_tools import bench
from book_tools.bench import main, report
from stable_softmax.libraries.adapters import describe_machine
from stable_softmax.libraries.speed_table import Race, SpeedTable, kept

LIMITS = {"SciPy": 0.1}  # what np.exp alone takes


def table(ratio):
    race = Race("softmax", "fp32", 4096, 10, 2.5, {"SciPy": ratio, "np.exp": 3.0}, LIMITS)
    return SpeedTable(describe_machine(), (race,), {"fp32": {"ours": {"2": 1.2, "10": 1.0}}})


@pytest.fixture
def book(tmp_path, monkeypatch):
    """An empty book as the current folder."""
    (tmp_path / "_toc.yml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("ratio", "status"), [(0.2, 0), (0.3, 1)])
def test_the_program_keeps_its_table_and_fails_if_a_goal_is_missed(
    book, monkeypatch, capsys, ratio, status
):
    asked = []
    monkeypatch.setattr(bench, "measure", lambda **options: asked.append(options) or table(ratio))
    assert main(["--seconds", "0.01"]) == status
    assert asked == [{"seconds": 0.01, "progress": bench.show_progress}]
    printed = capsys.readouterr().out
    assert f"{status} goals missed" in printed
    assert ("MISSED  softmax, fp32, 4096 x 10: 0.300 x SciPy" in printed) == bool(status)
    assert ("np.exp alone takes 0.100 x SciPy" in printed) == bool(status)
    assert kept(book / "_build/bench.json") == table(ratio)


def test_the_report_has_a_row_for_each_race_and_a_dash_for_a_rival_that_did_not_run():
    two = SpeedTable({}, (*table(0.2).races, Race("logsumexp", "fp64", 8, 3, 1.0, {}, {})), {})
    rows = [line.split() for line in report(two) if line.startswith("fp")]
    assert rows == [
        ["fp32", "softmax", "4096", "x", "10", "2.50", "0.20", "3.00"],
        ["fp64", "logsumexp", "8", "x", "3", "1.00", "-", "-"],
    ]
    assert "fp32 softmax, ours, ns by number of classes: 2: 1.20, 10: 1.00" in report(table(0.2))


@pytest.mark.parametrize("seconds", ["-1", "nan", "many"])
def test_a_wrong_time_is_one_clear_error(book, seconds, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--seconds", seconds])
    assert "--seconds" in capsys.readouterr().err


def test_outside_the_book_it_says_where_to_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="1"):
        main([])
    assert "run this in the folder of _toc.yml" in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


def test_it_helps(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "--seconds" in capsys.readouterr().out
