"""The record of an H100 is complete, and the program says what it measures and why it cannot."""

import json
import math
import sys

import pytest

from stable_softmax.experiments import gpu, gpu_measures
from stable_softmax.experiments.gpu import (
    beside,
    describe,
    find_gpu,
    main,
    measure,
    measured,
    ratios,
)
from stable_softmax.experiments.gpu import record as recorded


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    """No test reads or writes measurements of whoever runs the tests."""
    folder = tmp_path / "book"
    folder.mkdir()
    monkeypatch.chdir(folder)


def written(path, tables, card="another card"):
    path.write_text(json.dumps({"machine": {"card": card}, "tables": tables}), encoding="utf-8")


def test_the_record_says_what_was_measured_with_what_and_when():
    record = recorded()
    assert list(record) == ["machine", "program", "tables"]
    names = ["card", "driver", "cuda", "cudnn", "torch", "triton", "python", "date"]
    assert list(record["machine"]) == names
    assert all(isinstance(value, str) and value for value in record["machine"].values())
    assert record["machine"]["card"].startswith("NVIDIA H100")
    assert "stable_softmax.experiments.gpu" in record["program"]


def test_the_record_has_every_table_that_the_program_measures_and_no_hole():
    tables = recorded()["tables"]
    assert list(tables) == list(gpu_measures.TABLES)
    for name, rows in tables.items():
        columns = [list(row) for row in rows.values()]
        assert columns == [columns[0]] * len(rows), name
        for row in rows.values():
            for column, value in row.items():
                empty = name == "equal" and row["different results"] == 1
                assert (value is None) == (empty and column.endswith("class 1")), (name, column)
                assert value is None or math.isfinite(value)


def test_the_numbers_of_the_record_fit_together():
    tables = recorded()["tables"]
    assert all(row["largest error"] > row["rms error"] for row in tables["batch"].values())
    assert all(row["batches"] == len(gpu_measures.BATCHES) for row in tables["bits"].values())
    assert all(row["first"] > row["last"] for row in tables["axis"].values())
    gradients = {n: (n + 128_256) * 4096 * 2 / 2**20 for n in (4096, 16_384)}
    for row in tables["vocabulary"].values():
        for n, least in gradients.items():
            assert row[f"MiB, {n:,} tokens"] > least, "the peak has the gradients in it"
    limit, *others = tables["speed"].values()
    assert all(row[n] >= 0.99 * limit[n] for row in others for n in limit), "none beats the limit"
    weights = tables["masked"]["cuDNN, boolean mask"].values()
    assert abs(sum(weights) - 1) < 2**-8  # eight numbers of bfloat16, the largest 0.32


def test_without_measurements_of_the_reader_only_the_record_is_shown():
    header, rows = beside("sure")
    assert header == ["H100", "loss 0 from gap"]
    assert rows == [[f, gap] for f, gap in zip(*_sure(), strict=True)]
    assert measured() is None


def _sure():
    table = recorded()["tables"]["sure"]
    return list(table), [row["loss 0 from gap"] for row in table.values()]


def test_the_numbers_of_the_reader_and_of_the_cpu_are_shown_beside_the_recorded_ones(tmp_path):
    written(tmp_path / "book" / gpu.MEASURED, {"sure": {"fp16": {"loss 0 from gap": 16.75}}})
    here = {"fp16": {"loss 0 from gap": 7.75}, "int8": {"loss 0 from gap": 1.0}}
    header, rows = beside("sure", here)
    assert header == ["loss 0 from gap", "H100", "yours: another card", "this CPU"]
    assert ["fp16", 16.75, 16.75, 7.75] in rows and ["fp64", 36.75, None, None] in rows
    assert len(rows) == 4, "a row that the record lacks is left out"


def test_of_several_numbers_those_of_the_cpu_are_shown_below_the_recorded_ones():
    here = {"65,519 in fp16": {"loss": 0.5, "gradient x N": -0.25}}
    header, rows = beside("samples", here)
    assert header == ["", "measured on", "loss", "gradient x N"]
    assert rows[1] == ["65,519 in fp16", "this CPU", 0.5, -0.25]
    assert rows[0][:2] == ["65,519 in fp16", "H100"] and len(rows) == 6


def test_what_was_written_in_the_folder_above_is_found_and_its_holes_are_shown(tmp_path):
    holes = {"tl.exp": {"worst ulp": None, "at": 88.0}, "torch.exp": {"worst ulp": None}}
    written(tmp_path / gpu.MEASURED, {"exp": holes})
    _, rows = beside("exp")
    yours = [row for row in rows if row[1].startswith("yours")]
    assert yours == [["tl.exp", "yours: another card", None, 88.0]], "a row of holes is left out"
    assert beside("sure")[0][0] == "H100"
    with pytest.raises(KeyError, match="no table 'speeds'; use one of sure"):
        beside("speeds")


def test_ratios_are_taken_place_by_place_and_keep_the_holes(tmp_path):
    limit, other = "torch.exp, one read and one write", "F.softmax"
    times = recorded()["tables"]["speed"]
    expected = [times[other][n] / times[limit][n] for n in times[other]]
    header, rows = ratios("speed", of=limit)
    assert header == ["H100", *times[other]] and [other, *expected] in rows
    yours = {limit: {"n = 10": 2.0, "n = 1,000": 4.0}, other: {"n = 10": 3.0, "n = 1,000": None}}
    written(tmp_path / gpu.MEASURED, {"speed": yours})
    _, rows = ratios("speed", of=limit)
    assert [other, "yours: another card", 1.5, None, None, None] in rows
    assert [other, "H100", *expected] in rows
    assert limit not in {row for row, *_ in rows}
    with pytest.raises(KeyError, match="no row 'a row'; use one of torch.exp"):
        ratios("speed", of="a row")


def test_nothing_is_divided_by_zero():
    table = "bits"
    zeros = [row for row, numbers in recorded()["tables"][table].items() if 0 in numbers.values()]
    _, rows = ratios(table, of=zeros[0])
    assert any(number is None for _, *numbers in rows for number in numbers)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"tables": {}}', '{"machine": 3, "tables": {}}'])
def test_a_file_that_another_program_has_written_is_refused_by_name(tmp_path, text):
    path = tmp_path / "mine.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="mine.json is not from python -m stable_softmax"):
        beside("speed", path=path)


def test_without_a_gpu_the_program_says_so_in_one_sentence_and_fails(monkeypatch, capsys):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main([]) == 1
    out, error = capsys.readouterr()
    assert out == "" and error.count("\n") == 1
    assert "measures on an NVIDIA GPU" in error and f"PyTorch {torch.__version__}" in error
    assert measured() is None


def test_without_pytorch_the_program_names_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["numbers.json"]) == 1
    assert "PyTorch is not installed" in capsys.readouterr().err
    with pytest.raises(gpu.NoGPU):
        find_gpu()


def test_the_program_writes_what_the_chapter_shows_with_a_cpu_as_a_stand_in(
    monkeypatch, capsys, tmp_path
):
    pytest.importorskip("torch")
    monkeypatch.setattr(gpu, "find_gpu", lambda: "cpu")
    monkeypatch.setattr(gpu_measures, "TABLES", {"sure": gpu_measures.sure})
    assert main([]) == 0
    assert "1 of 1: sure measured" in capsys.readouterr().out
    assert ["fp16", 16.75, 7.75] in beside("sure")[1]
    result = measured()
    assert result["failed"] == {} and result["machine"] == describe("cpu")
    assert main([str(tmp_path / "other.json")]) == 0
    assert measured(tmp_path / "other.json")["tables"] == result["tables"]


def test_a_table_that_a_card_cannot_measure_does_not_cost_the_others():
    pytest.importorskip("torch")

    def fails(device):
        raise RuntimeError(f"no memory on {device}\nmore about it")

    lines = []
    result = measure("cpu", {"fails": fails, "sure": gpu_measures.sure}, lines.append)
    assert list(result["tables"]) == ["sure"]
    assert result["failed"] == {"fails": "RuntimeError: no memory on cpu\nmore about it"}
    assert lines[0].startswith("1 of 2: fails failed: RuntimeError: no memory on cpu (")


def test_a_program_in_which_a_table_failed_says_so_by_its_exit_status(monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(gpu, "find_gpu", lambda: "cpu")
    monkeypatch.setattr(gpu_measures, "TABLES", {"odd": lambda device: 1 / 0})
    assert main([]) == 1
    assert measured()["failed"] == {"odd": "ZeroDivisionError: division by zero"}
