"""The checks of chapter overflow accept right answers and name what is wrong with others."""

import numpy as np
import pytest

from stable_softmax import softmax_naive, softmax_shifted
from stable_softmax.checks import (
    check_largest_safe_logit,
    check_overflow_free_softmax,
    check_row_maxima,
    check_stable_sigmoid,
)
from stable_softmax.pitfalls import softmax_in_place, softmax_unpromoted


def test_the_shifted_softmax_passes():
    assert check_overflow_free_softmax(softmax_shifted)
    assert check_row_maxima(softmax_shifted)


def _softmax_starter(x):
    e = np.exp(x)
    return e / np.sum(e, axis=-1, keepdims=True)


def test_the_starter_without_a_shift_fails_where_exp_or_the_sum_overflows(capsys):
    report = check_overflow_free_softmax(_softmax_starter)
    assert report.reasons["three small scores"] is None
    assert "overflow encountered in exp" in report.reasons["large scores (1000)"]
    assert "overflow encountered in reduce" in report.reasons["float32, only the sum overflows"]
    assert "invalid value" in report.reasons["very negative scores (-1000)"]
    assert report.score == (1, 7)
    assert "FAIL  large scores (1000)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "case", "reason"),
    [
        (softmax_in_place, "large scores (1000)", "the argument was changed"),
        (softmax_unpromoted, "unsigned 8-bit integers", "overflow"),
        (lambda x: softmax_shifted(x, axis=0), "a batch, rows far apart", "got 1 at (0, 0)"),
        (lambda x: softmax_naive(x - np.mean(x)), "a batch, rows far apart", "overflow"),
        (lambda x: softmax_naive(np.minimum(x, 88.0)), "large scores (1000)", "expected"),
    ],
)
def test_other_answers_get_their_reason(answer, case, reason):
    assert reason in check_overflow_free_softmax(answer).reasons[case]


def _shift_by_the_largest_of_all(x):
    e = np.exp(x - np.max(x))
    return e / np.sum(e, axis=-1, keepdims=True)


def _shift_by_the_maximum_of_each_class(x):
    e = np.exp(x - np.max(x, axis=0, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def test_the_starter_with_one_maximum_for_the_batch_fails_on_rows_far_apart():
    reasons = check_row_maxima(_shift_by_the_largest_of_all).reasons
    assert reasons["one sample"] is None
    assert reasons["two samples of like size"] is None
    assert "invalid value" in reasons["one large sample, one small"]
    assert "ulp" in reasons["float32, samples 100 apart"]


def test_maxima_along_the_wrong_axis_are_found():
    report = check_row_maxima(_shift_by_the_maximum_of_each_class)
    assert report.reasons["one sample"] is not None
    assert "expected 0.119203" in report.reasons["as many samples as classes"]


def test_a_maximum_that_lost_its_axis_is_found_also_where_shapes_fit_by_chance():
    report = check_row_maxima(lambda x: softmax_naive(x - np.max(x, axis=-1)))
    assert "expected 0.119203" in report.reasons["as many samples as classes"]


def test_the_largest_safe_logit_is_a_difference_of_logarithms():
    assert check_largest_safe_logit(lambda largest, n: np.log(largest) - np.log(n))
    assert check_largest_safe_logit(lambda largest, n: np.log(largest / n))


@pytest.mark.parametrize(
    ("answer", "case", "reason"),
    [
        (lambda largest, n: np.log(largest), "two classes, fp64", "expected 709.09"),
        (lambda largest, n: np.log(largest) / n, "ten classes, fp32", "expected 86.42"),
        (lambda largest, n: None, "one class, largest = 1e4", "expected a number, got NoneType"),
    ],
)
def test_a_wrong_largest_safe_logit_gets_its_reason(answer, case, reason):
    report = check_largest_safe_logit(answer)
    assert not report
    assert reason in report.reasons[case]


def _sigmoid_starter(x):
    return 1 / (1 + np.exp(-x))


def _sigmoid_of_both_branches(x):
    return np.where(x >= 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x)))


def _sigmoid_of_the_absolute_value(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def test_a_sigmoid_without_overflow_passes():
    assert check_stable_sigmoid(_sigmoid_of_the_absolute_value)


def test_the_sigmoid_starter_fails_for_negative_numbers():
    report = check_stable_sigmoid(_sigmoid_starter)
    assert "overflow encountered in exp" in report.reasons["large negative (-1000)"]
    assert report.reasons["large positive (1000)"] is None


def test_choosing_between_two_computed_branches_still_overflows():
    report = check_stable_sigmoid(_sigmoid_of_both_branches)
    assert report.reasons["small numbers"] is None
    assert "overflow" in report.reasons["both at once"]


def test_a_clipped_sigmoid_is_silent_but_wrong():
    report = check_stable_sigmoid(lambda x: _sigmoid_starter(np.clip(x, -50, 50)))
    assert "ulp" in report.reasons["float32, a tiny result"]
