"""The ceilings of the ladder, family by family, and the program that measures them."""

import dataclasses
import itertools
import json

import numpy as np
import pytest

from stable_softmax.libraries import accuracy_table as accuracy
from stable_softmax.libraries.accuracy_table import (
    FUNCTIONS,
    RUNGS,
    Measurement,
    Table,
    accuracy_table,
    main,
    measure,
    relative_times,
    report,
)
from stable_softmax.measure.families import FAMILIES

SHORT = ["fp32", "fp16", "bf16"]
FAMILY_NAMES = [family.name for family in FAMILIES]
ELEMENTS = 2000  # make accuracy takes a hundred times as many


@pytest.fixture(scope="module")
def table():
    return measure(ELEMENTS)


def test_every_combination_is_measured(table):
    expected = {
        (family.name, fmt.name, function, rung)
        for family in FAMILIES
        for fmt in family.formats
        for function in FUNCTIONS
        for rung in RUNGS
    }
    measured = {(m.family, m.fmt, m.function, m.implementation) for m in table.measurements}
    assert expected <= measured
    assert len(measured) == len(table.measurements)


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_twosum_is_within_4_5_ulp_in_float64(table, family):
    for m in table.select(family=family, fmt="fp64", implementation="twosum"):
        if m.function != "logsumexp":  # which may cancel
            assert m.worst <= 4.5, m


@pytest.mark.parametrize("fmt", SHORT)
@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_wider_inside_is_correctly_rounded(table, family, fmt):
    for m in table.select(family=family, fmt=fmt, implementation="wider"):
        if m.function != "logsumexp":  # which may cancel
            assert m.worst <= (0.5001 if m.function == "softmax" else 0.502), m
            assert m.rounded >= 0.99999 or m.family.endswith("50,000"), m


@pytest.mark.parametrize("fmt", SHORT)
def test_99_999_percent_of_the_wider_results_are_correctly_rounded(table, fmt):
    for function in set(FUNCTIONS) - {"logsumexp"}:
        found = table.select(fmt=fmt, implementation="wider", function=function)
        assert np.mean([m.rounded for m in found]) >= 0.99999


@pytest.mark.parametrize("fmt", ["fp64", *SHORT])
@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_the_top_rung_is_within_0_51_ulp(table, family, fmt):
    for m in table.select(family=family, fmt=fmt, implementation="double-double"):
        assert m.worst <= 0.51, m  # log-sum-exp and subnormal results included
        assert m.rounded >= 0.9999, m


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_no_library_is_ahead_of_the_top_rung(table, family):
    assert [pair for pair in table.losses if pair[0].family == family] == []


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_from_the_second_rung_on_no_sign_is_wrong_and_nothing_is_lost(table, family):
    for rung in list(RUNGS)[1:]:
        for m in table.select(family=family, implementation=rung):
            assert m.wrong_sign == 0, m
            assert m.non_finite == 0, m


def test_each_rung_is_at_least_as_accurate_as_the_one_below(table):
    for fmt in ("fp64", *SHORT):
        for function in FUNCTIONS:
            worst = [table.worst(fmt, function, rung) for rung in RUNGS]
            if function != "logsumexp":  # whose cancellation is decided by luck below the top
                assert all(upper <= 1.1 * lower for lower, upper in itertools.pairwise(worst)), (
                    worst
                )
            assert worst[-1] == min(worst)


def fake(implementation="double-double", **changes):
    m = Measurement("f", "fp64", "softmax", implementation, 0.5, 0.25, 1e-17, 1.0, 0.0, 0.0)
    return dataclasses.replace(m, **changes)


@pytest.mark.parametrize(
    ("ours", "theirs", "lost"),
    [
        ({}, {}, False),
        ({}, {"worst": 0.4}, True),
        ({"worst": 0.5 + 1e-8}, {}, False),
        ({"worst": np.inf}, {"worst": 1e9}, True),
        ({"non_finite": 0.1}, {"worst": 3.0}, True),
        ({}, {"worst": np.inf, "non_finite": 0.5}, False),
    ],
)
def test_a_loss_is_a_smaller_worst_error_or_more_finite_results(ours, theirs, lost):
    table = Table(1, {}, (fake(**ours), fake("SciPy", **theirs), fake("shifted", worst=0.1)))
    assert bool(table.losses) == lost
    text = "\n".join(report(table))
    assert ("LOSS  f, fp64, softmax: SciPy" in text) == lost
    assert f"{int(lost)} losses in 1 comparisons" in text


def test_what_was_not_measured_is_nan_and_not_zero():
    table = Table(1, {}, (fake(),))
    assert np.isnan(table.worst("fp32", "softmax", "double-double"))
    assert table.implementations == ["double-double"]


def test_a_broken_result_counts_as_infinitely_wrong():
    head, rest = np.array([0.5, 0.5]), np.zeros(2)
    m = accuracy._compare(
        np.array([0.5, np.nan]), (head, rest), accuracy.FORMATS["fp64"], ("f",) * 4
    )
    assert m.worst == np.inf
    assert m.non_finite == m.rounded == 0.5


def test_a_finite_result_is_not_the_rounded_one_of_a_value_beyond_the_range():
    head, rest = np.array([-np.inf, -np.inf]), np.zeros(2)
    values = np.array([-np.inf, -65504.0])
    m = accuracy._compare(values, (head, rest), accuracy.FORMATS["fp16"], ("f",) * 4)
    assert m.worst == np.inf
    assert m.rounded == 0.5


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.setattr(accuracy, "RESULT", tmp_path / "_build" / "accuracy.json")
    return accuracy.RESULT


@pytest.mark.parametrize(("peer", "status"), [(0.6, 0), (0.4, 1)])
def test_the_command_keeps_its_table_and_fails_if_we_lose(kept, monkeypatch, capsys, peer, status):
    machine = accuracy.describe_machine()
    table = Table(77, machine, (fake(), fake("SciPy", worst=peer)))
    monkeypatch.setattr(accuracy, "measure", lambda elements: table)
    times = {"fp64, n = 10": [1.0, 1.2]}
    monkeypatch.setattr(accuracy, "rung_times", lambda: times)
    assert main(["--elements", "77"]) == status
    assert f"{status} losses in 1 comparisons" in capsys.readouterr().out
    assert accuracy_table() == dataclasses.replace(table, times=times)


def test_a_kept_table_of_other_code_or_another_machine_is_not_shown(kept, monkeypatch):
    fresh = Table(5, {}, (fake(),))
    monkeypatch.setattr(accuracy, "measure", lambda elements: fresh)
    monkeypatch.setattr(accuracy, "rung_times", dict)
    assert accuracy_table() is fresh  # nothing kept yet
    main([])
    for change in ({"code": "other"}, {"machine": {"CPU": "other"}}):
        content = {
            "code": accuracy._code(),
            "machine": accuracy.describe_machine(),
            "elements": 9,
            "measurements": [],
            "times": {},
        }
        kept.write_text(json.dumps(content | change))
        assert accuracy_table() is fresh
    kept.write_text(json.dumps(content | {"machine": accuracy.describe_machine()}))
    assert accuracy_table().elements == 9


@pytest.mark.parametrize("elements", ["0", "-3", "many"])
def test_a_wrong_size_is_one_clear_error(elements, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--elements", elements])
    assert "--elements" in capsys.readouterr().err


def test_times_are_multiples_of_the_first_one():
    def slow(x):
        return [np.sort(x) for _ in range(40)]

    first, second = relative_times([np.sort, slow], np.arange(1000.0)[::-1], repeats=3)
    assert first == 1
    assert second > 5


def test_every_rung_is_timed_in_both_formats_at_both_sizes_by_the_command_only():
    times = accuracy.rung_times(elements=1000)
    assert list(times) == ["fp64, n = 10", "fp64, n = 1000", "fp32, n = 10", "fp32, n = 1000"]
    assert all(len(ratios) == len(RUNGS) and ratios[0] == 1 for ratios in times.values())
    assert measure(elements=100, families=FAMILIES[:1]).times == {}
