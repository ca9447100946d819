"""The table of make bench: what takes part, in which order, and which goals are missed."""

import dataclasses
import types
from functools import partial

import numpy as np
import pytest

from stable_softmax import cross_entropy_gradient_shifted, cross_entropy_shifted
from stable_softmax.libraries import accuracy_table, speed_table
from stable_softmax.libraries.accuracy_table import keep
from stable_softmax.libraries.adapters import describe_machine
from stable_softmax.libraries.speed_table import (
    GIVEN,
    LOSS,
    TURN,
    Race,
    SpeedTable,
    contestants,
    kept,
    measure,
    take_turns,
)
from stable_softmax.softmax import softmax_shifted

FLAT = {"fp32": {"ours": {"2": 1.5, "10": 1.0}, "SciPy": {"2": 30.0, "10": 8.0}}}


def table(function="softmax", fmt="fp32", rows=4096, classes=10, widths=FLAT, **ratios):
    race = Race(function, fmt, rows, classes, 1.0, ratios, {name: 0.0625 for name in ratios})
    return SpeedTable({"NumPy": "2.0"}, (race,), widths)


@pytest.mark.parametrize(
    ("race", "missed"),
    [
        ({"SciPy": 0.25, "PyTorch, out=": 0.12, "PyTorch": 0.13}, 0),
        ({"SciPy": 0.26, "PyTorch, out=": 0.12}, 1),
        ({"SciPy": 0.26, "PyTorch, out=": 0.13}, 2),
        ({"SciPy": 2.0, "PyTorch, out=": 3.0, "rows": 64}, 0),
        ({"SciPy": 0.6, "PyTorch, out=": 3.0, "classes": 1000}, 0),
        ({"SciPy": 0.61, "classes": 1000}, 1),
        ({"SciPy": 0.61, "classes": 1000, "fmt": "fp64"}, 0),
        ({"SciPy": 9.0, "function": "log_softmax"}, 0),
        ({"PyTorch": 0.75, "function": LOSS, "rows": 64}, 0),
        ({"PyTorch": 0.76, "function": LOSS, "rows": 64}, 1),
        ({"PyTorch": 0.76, "function": LOSS, "fmt": "fp64", "classes": 128_256}, 1),
        ({}, 0),  # no library is installed
    ],
)
def test_every_goal_that_is_missed_is_one_line(race, missed):
    lines = table(**race).missed
    assert len(lines) == missed
    assert all("the goal" in line and "np.exp alone takes 0.062 x" in line for line in lines)


@pytest.mark.parametrize(("slow", "missed"), [(2.0, 0), (2.1, 1)])
def test_the_time_per_logit_may_differ_by_a_factor_of_two_over_the_classes(slow, missed):
    widths = {"fp64": {"ours": {"2": slow, "10": 1.0, "100": 1.5}, "SciPy": {"2": 90.0, "10": 1.0}}}
    lines = table(widths=widths).missed
    assert len(lines) == missed and all("2 to 100 classes" in line for line in lines)


def test_calls_take_turns_and_a_clock_that_stands_in_is_read_around_each():
    order, ticks = [], iter(range(1000))
    calls = [lambda name=name: order.append(name) for name in "abc"]
    times = take_turns(calls, seconds=10, least=2, most=50, clock=lambda: float(next(ticks)))
    rounds = ["".join(order[i : i + 3]) for i in range(0, len(order), 3)]
    assert len(rounds) == times.shape[1] + 2  # two to warm up
    assert all(sorted(turn) == ["a", "b", "c"] for turn in rounds)
    assert len(set(rounds)) > 3  # nobody always follows the same neighbor
    assert times.shape[0] == 3 and np.all(times == 1)
    assert 2 < times.shape[1] <= 10  # until the clock has gone on by 30
    assert take_turns(calls, 0, least=4, clock=lambda: 0.0).shape == (3, 4)
    assert take_turns(calls, 1, most=7, clock=lambda: 0.0).shape == (3, 7)


def test_a_short_call_fills_its_turn_and_its_time_is_that_of_one_call():
    now, called = [0.0], {"short": 0, "long": 0}

    def call(name, takes):
        called[name] += 1
        now[0] += takes

    calls = [partial(call, "short", TURN / 5), partial(call, "long", 3 * TURN)]
    times = take_turns(calls, 0, least=4, clock=lambda: now[0])
    assert called == {"short": 2 + 4 * 5, "long": 2 + 4}
    np.testing.assert_allclose(times, [[TURN / 5] * 4, [3 * TURN] * 4])


@pytest.mark.parametrize(("step", "clock"), [(1e-9, "process_time"), (0.015, "perf_counter")])
def test_the_time_that_the_process_worked_is_taken_where_it_is_fine(monkeypatch, step, clock):
    for name in ("process_time", "perf_counter"):
        monkeypatch.setattr(speed_table.time, name, lambda name=name: read.append(name) or 0.0)
    fine = types.SimpleNamespace(resolution=step)
    monkeypatch.setattr(speed_table.time, "get_clock_info", lambda name: fine)
    read = []
    take_turns([int], 0, least=1)
    assert set(read) == {clock}


def test_all_contestants_of_a_race_compute_the_same():
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(6, 5)), rng.integers(0, 5, 6)
    calls = contestants(x, labels)
    assert list(calls) == ["softmax", "log_softmax", "logsumexp", LOSS]
    for function, by_name in calls.items():
        assert next(iter(by_name)) == "ours"
        want = by_name["ours"]()
        for name, call in by_name.items():
            if not name.startswith("np."):
                got = call()
                for one, other in zip(want, got, strict=True):
                    np.testing.assert_allclose(one, other, rtol=1e-12, err_msg=f"{function} {name}")
    np.testing.assert_allclose(calls["softmax"]["ours"](), softmax_shifted(x), rtol=1e-14)
    losses, gradient = calls[LOSS]["ours"]()
    np.testing.assert_allclose(losses, cross_entropy_shifted(x, labels), rtol=1e-14)
    np.testing.assert_allclose(gradient, cross_entropy_gradient_shifted(x, labels), atol=1e-15)


def test_a_ratio_is_the_median_of_the_ratios_of_the_rounds(monkeypatch):
    def stand_in(calls, seconds):
        rounds = np.ones((len(calls), 3))
        rounds[0] = [2.0, 4.0, 100.0]  # ours
        rounds[1:] = [1.0, 1.0, 10.0]
        return rounds

    monkeypatch.setattr(speed_table, "take_turns", stand_in)
    found = measure(shapes=[(4, 3)], widths=(2, 3), size=24)
    assert {race.fmt for race in found.races} == {"fp32", "fp64"}
    for race in found.races:
        assert race.nanoseconds == pytest.approx(4 / 12 * 1e9)
        assert all(r == (1 if n in GIVEN else 4) for n, r in race.ratios.items())
        judged = "logsumexp" not in race.function  # which no goal is about
        assert race.limits == ({name: 1 for name in race.ratios} if judged else {})
    assert set(found.widths["fp32"]["ours"]) == {"2", "3"}


def test_a_small_measurement_shows_its_progress_and_can_be_kept(tmp_path):
    asked = []

    def progress(items, label):
        asked.append(label)
        return items

    found = measure([(4, 3)], widths=(2,), seconds=0, size=32, progress=progress)
    assert asked == ["formats and shapes"]
    assert all(race.nanoseconds >= 0 for race in found.races)
    keep(found, tmp_path / "bench.json")
    assert kept(str(tmp_path / "bench.json")) == found
    assert describe_machine() == found.machine


def test_a_table_of_other_code_or_another_machine_is_not_taken(tmp_path, monkeypatch):
    path = tmp_path / "bench.json"
    assert kept(path) is None
    here = dataclasses.replace(table(), machine=describe_machine())
    keep(here, path)
    assert kept(path) == here
    keep(dataclasses.replace(here, machine={"CPU": "another"}), path)
    assert kept(path) is None
    keep(here, path)
    monkeypatch.setattr(accuracy_table, "_code", lambda: "other code")
    assert kept(path) is None
