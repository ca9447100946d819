"""The checks of chapter underflow accept right answers and name what is wrong with others."""

import math

import numpy as np
import pytest

from stable_softmax import softmax_naive, softmax_shifted
from stable_softmax.checks import (
    check_boltzmann_weights,
    check_log_of_product,
    check_underflow_zone,
)


def _zone(c, fmt):
    _, subnormal_below, zero_below = fmt.exp_range
    if c < zero_below:
        return "nan"
    if c - 2 < zero_below:
        return "zeros"
    return "degraded" if c - 2 < subnormal_below else "right"


def _zone_starter(c, fmt):
    return "nan" if c < fmt.exp_range[1] else "right"


def _zone_of_the_largest_logit(c, fmt):
    _, subnormal_below, zero_below = fmt.exp_range
    return "nan" if c < zero_below else "degraded" if c < subnormal_below else "right"


def test_the_right_zones_pass():
    assert check_underflow_zone(_zone)


def test_the_zones_of_the_check_are_those_that_the_naive_softmax_shows():
    for c, dtype, zone in [(-102.5, np.float32, "zeros"), (-104.5, np.float32, "nan")]:
        x = np.array([c, c - 1, c - 2], dtype=dtype)
        with np.errstate(invalid="ignore"):
            p = softmax_naive(x)
        assert {"zeros": p[2] == 0, "nan": np.isnan(p).all()}[zone]


def test_the_starter_that_knows_no_gray_zone_fails():
    reasons = check_underflow_zone(_zone_starter).reasons
    assert reasons["fp32, c = -80"] is None
    assert reasons["fp32, c = -100"] == "got 'nan', expected 'degraded'"
    assert reasons["fp32, c = -102.5"] == "got 'nan', expected 'zeros'"


def test_looking_at_the_largest_logit_only_misses_the_borders_of_the_smallest():
    reasons = check_underflow_zone(_zone_of_the_largest_logit).reasons
    assert reasons["fp32, c = -86"] == "got 'right', expected 'degraded'"
    assert reasons["fp16, c = -16"] == "got 'degraded', expected 'zeros'"
    assert reasons["fp32, c = -104.5"] is None


def _sum_of_logs(p):
    with np.errstate(divide="ignore"):
        return np.sum(np.log(p))


def _log_of_product_starter(p):
    with np.errstate(divide="ignore"):
        return np.log(np.prod(p))


def test_the_sum_of_logarithms_passes():
    assert check_log_of_product(_sum_of_logs)


def test_the_logarithm_of_the_product_fails_where_the_product_underflows():
    reasons = check_log_of_product(_log_of_product_starter).reasons
    assert reasons["three probabilities"] is None
    assert reasons["an event that was impossible"] is None
    assert "got -inf, expected -2302.59" in reasons["1000 times 0.1"]
    assert "got -inf" in reasons["float32, 60 times 0.1"]


@pytest.mark.parametrize(
    ("answer", "case"),
    [
        (lambda p: np.log(np.prod(p) + 1e-300), "1000 times 0.1"),
        (lambda p: np.sum(np.log(p + 1e-7)), "784 of all sizes"),
        (lambda p: np.sum(np.log(np.maximum(p, 1e-7))), "an event that was impossible"),
    ],
)
def test_a_small_number_in_the_logarithm_fails(answer, case):
    assert "expected" in check_log_of_product(answer).reasons[case]


def test_shifting_by_the_smallest_energy_passes():
    assert check_boltzmann_weights(lambda e: softmax_naive(e.min() - e))
    assert check_boltzmann_weights(lambda e: softmax_shifted(-e))


def _weights_starter(energies):
    e = np.exp(-energies)
    return e / np.sum(e)


@pytest.mark.parametrize(
    ("answer", "case", "reason"),
    [
        (_weights_starter, "large energies (1000)", "NumPy warned: invalid value"),
        (_weights_starter, "large negative energies (-1000)", "overflow encountered in exp"),
        (_weights_starter, "float32, in the gray zone (100)", "relative error 0.084"),
        (lambda e: softmax_naive(e.max() - e), "energies far apart", "overflow encountered in exp"),
        (softmax_shifted, "small energies", "expected"),
    ],
)
def test_wrong_weights_get_their_reason(answer, case, reason):
    assert reason in check_boltzmann_weights(answer).reasons[case]


def _zone_of(largest, smallest, fmt):
    zones = [_zone(largest, fmt), _zone(smallest + 2, fmt)]
    return "nan" if zones[0] == "nan" else zones[1] if zones[1] != "nan" else "zeros"


def _log(p):
    with np.errstate(divide="ignore"):
        return np.log(p)


def _log_of_longdouble_product(p):
    with np.errstate(divide="ignore"):
        return float(np.log(np.prod(p.astype(np.longdouble))))


@pytest.mark.parametrize(
    ("check", "answer", "message"),
    [
        (
            check_underflow_zone,
            _zone_of_the_largest_logit,
            "Hint: this looks at c only; c - 2, the smallest logit, meets each border first",
        ),
        (
            check_underflow_zone,
            lambda c, fmt: _zone_of_the_largest_logit(c - 2, fmt),
            "Hint: this looks at c - 2 only",
        ),
        (check_underflow_zone, lambda c, fmt: _zone(c, fmt).upper(), "got 'NAN', expected 'nan'"),
        (
            check_log_of_product,
            lambda p: np.log(np.prod(p) + 1e-300),
            "Hint: where the product underflows, this is the logarithm of the added number",
        ),
        (
            check_log_of_product,
            lambda p: np.sum(np.log(p + 1e-7)),
            "Hint: a number added to each probability changes its logarithm",
        ),
        (
            check_boltzmann_weights,
            lambda e: softmax_naive(e.max() - e),
            "Hint: subtract the smallest energy: with the largest or the mean",
        ),
        (
            check_boltzmann_weights,
            softmax_shifted,
            "Hint: the sign is lost: a state of low energy has the large weight",
        ),
        (
            check_boltzmann_weights,
            lambda e: softmax_naive(e.mean() - e),
            "Hint: subtract the smallest energy: with the largest or the mean",
        ),
        (
            check_log_of_product,
            lambda p: np.sum(np.log(np.maximum(p, 1e-7))),
            "an event that was impossible got -16.8112, expected -inf",
        ),
    ],
)
def test_a_likely_mistake_gets_the_message_that_repairs_it(check, answer, message):
    report = check(answer)
    assert not report
    assert message in " ".join(str(report).split())


@pytest.mark.parametrize(
    ("check", "answer", "case"),
    [
        (
            check_underflow_zone,
            lambda c, fmt: "nan" if c - 1 < fmt.exp_range[2] else _zone(c, fmt),
            "fp32, c = -103.9",
        ),
        (check_underflow_zone, lambda c, fmt: _zone_of(c, c - 1.5, fmt), "fp32, c = -85.4"),
        (check_underflow_zone, lambda c, fmt: _zone_of(c, c - 1.5, fmt), "fp32, c = -102"),
        (check_log_of_product, _log_of_longdouble_product, "10,000 times 0.1"),
        (check_log_of_product, lambda p: _sum_of_logs(p) if p.size != 8 else 0.0, "a drawn case"),
        (check_boltzmann_weights, lambda e: softmax_naive(e.mean() - e), "energies far apart"),
        (check_boltzmann_weights, lambda e: softmax_naive(e[0] - e), "energies far apart"),
        (
            check_boltzmann_weights,
            lambda e: softmax_shifted(-e).astype(np.float16),
            "small energies",
        ),
        (
            check_boltzmann_weights,
            lambda e: softmax_shifted(-e) if e.size != 4 else e,
            "a drawn case",
        ),
        (check_boltzmann_weights, lambda e: softmax_naive(e[-1] - e), "energies far apart"),
        (
            check_underflow_zone,
            lambda c, fmt: "nan" if c - 0.5 < fmt.exp_range[2] else _zone(c, fmt),
            "fp32, c = -103.9",
        ),
    ],
)
def test_a_wrong_answer_of_a_kind_that_once_passed_is_refused(check, answer, case):
    assert case in {name for name, why in check(answer).reasons.items() if why}


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (check_log_of_product, lambda p: sum(math.log(v) for v in p)),
        (check_log_of_product, lambda p: np.cumsum(_log(p))[-1]),
        (check_log_of_product, lambda p: sum(math.log(v) if v else -math.inf for v in p)),
        (check_boltzmann_weights, lambda e: softmax_shifted(-e).tolist()),
    ],
)
def test_a_right_answer_of_another_form_passes(check, answer):
    assert check(answer)
