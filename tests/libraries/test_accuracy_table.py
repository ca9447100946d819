"""The ceilings of the ladder, family by family, and the tables that hold them."""

import dataclasses
import itertools
import json
import shutil

import numpy as np
import pytest

from stable_softmax.floating_point import FORMATS
from stable_softmax.libraries import accuracy_table as accuracy
from stable_softmax.libraries.accuracy_table import (
    FUNCTIONS,
    RUNGS,
    Measurement,
    Table,
    keep,
    kept,
    measure,
    relative_times,
)
from stable_softmax.measure.families import FAMILIES
from tests.pages import ROOT

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


def test_what_was_not_measured_is_nan_and_not_zero():
    table = Table(1, {}, (fake(),))
    assert np.isnan(table.worst("fp32", "softmax", "double-double"))
    assert table.implementations == ["double-double"]


def test_a_broken_result_counts_as_infinitely_wrong():
    head, rest = np.array([0.5, 0.5]), np.zeros(2)
    m = accuracy._compare(np.array([0.5, np.nan]), (head, rest), FORMATS["fp64"], ("f",) * 4)
    assert m.worst == np.inf
    assert m.non_finite == m.rounded == 0.5


def test_a_finite_result_is_not_the_rounded_one_of_a_value_beyond_the_range():
    head, rest = np.array([-np.inf, -np.inf]), np.zeros(2)
    values = np.array([-np.inf, -65504.0])
    m = accuracy._compare(values, (head, rest), FORMATS["fp16"], ("f",) * 4)
    assert m.worst == np.inf
    assert m.rounded == 0.5


def test_a_kept_table_comes_back_as_it_was(tmp_path):
    machine = accuracy.describe_machine()
    table = Table(77, machine, (fake(), fake("SciPy", worst=np.inf)), {"fp64, n = 10": [1.0, 1.2]})
    keep(table, tmp_path / "accuracy.json")
    assert kept(str(tmp_path / "accuracy.json")) == table


@pytest.mark.parametrize("change", [{"code": "other"}, {"machine": {"CPU": "other"}}])
def test_a_table_of_other_code_or_another_machine_is_not_shown(tmp_path, change):
    path = tmp_path / "accuracy.json"
    keep(Table(9, accuracy.describe_machine(), ()), path)
    assert kept(path).elements == 9
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert kept(path) is None


def test_where_no_table_was_kept_there_is_none(tmp_path):
    assert kept(tmp_path / "accuracy.json") is None


def test_every_module_of_the_package_can_change_the_table(tmp_path):
    package = tmp_path / "stable_softmax"
    shutil.copytree(ROOT / "src/stable_softmax", package)
    same = accuracy._code()
    assert accuracy._code(package) == same
    modules = [*package.rglob("*.py")]
    assert len(modules) > 30
    for path in modules:
        source = path.read_text()
        path.write_text(f"{source}# changed")
        assert accuracy._code(package) != same, path
        path.write_text(source)
    (package / "measure/error.py").rename(package / "measure/errors.py")
    assert accuracy._code(package) != same


def test_progress_is_told_what_is_measured_and_changes_nothing(monkeypatch):
    monkeypatch.setattr(accuracy, "_mxnet", lambda batches: {})  # takes seconds to start
    told = []

    def progress(items, label):
        told.append((len(items), label))
        yield from items

    two = FAMILIES[:2]
    batches = sum(len(family.formats) for family in two)
    assert measure(100, two, progress) == measure(100, two)
    assert told == [(batches, "families and formats")]


def test_times_are_multiples_of_the_first_one():
    def slow(x):
        return [np.sort(x) for _ in range(40)]

    first, second = relative_times([np.sort, slow], np.arange(1000.0)[::-1], repeats=3)
    assert first == 1
    assert second > 5


def test_every_rung_is_timed_in_both_formats_at_both_sizes_and_only_if_asked_for():
    times = accuracy.rung_times(elements=1000)
    assert list(times) == ["fp64, n = 10", "fp64, n = 1000", "fp32, n = 10", "fp32, n = 1000"]
    assert all(len(ratios) == len(RUNGS) and ratios[0] == 1 for ratios in times.values())
    assert measure(elements=100, families=FAMILIES[:1]).times == {}
