"""The checks of chapter overflow accept right answers and name what is wrong with others."""

import math
import warnings

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
    assert report.score == (2, 9)
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
    assert "relative error 0.019" in reasons["float32, samples 100 apart"]


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
        (lambda largest, n: None, "one class, largest = 1e4", "nothing was returned"),
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
    assert "expected 5.52112e-42" in report.reasons["float32, a tiny result"]


def _silenced(answer):
    def silent(x):
        with np.errstate(all="ignore"):
            return answer(x)

    return silent


def _unwarned(answer):
    def silent(x):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return answer(x)

    return silent


def _sigmoid_by_index(x):
    p, positive = np.empty_like(x), x >= 0
    p[positive] = 1 / (1 + np.exp(-x[positive]))
    e = np.exp(x[~positive])
    p[~positive] = e / (1 + e)
    return p


def test_a_maximum_without_its_axis_raises_in_each_case_but_a_square_one():
    reasons = check_row_maxima(lambda x: softmax_naive(x - np.max(x, axis=-1))).reasons
    raised = [name for name, why in reasons.items() if why and why.startswith("raised ValueError")]
    assert raised == [
        "two samples of like size",
        "one large sample, one small",
        "float32, samples 100 apart",
    ]
    assert reasons["as many samples as classes"].startswith("got ")


def test_a_silenced_overflow_is_reported_once():
    reasons = check_stable_sigmoid(_silenced(_sigmoid_starter)).reasons
    assert reasons["large negative (-1000)"] == "NumPy warned: overflow encountered in exp"
    assert check_stable_sigmoid(_sigmoid_starter).reasons["large negative (-1000)"] == (
        "NumPy warned: overflow encountered in exp"
    )


@pytest.mark.parametrize(
    ("check", "answer", "message"),
    [
        (
            check_overflow_free_softmax,
            lambda x: softmax_shifted(x, axis=0),
            "Hint: this sums along the first axis",
        ),
        (check_overflow_free_softmax, softmax_unpromoted, "in uint8, 0 - 255 wraps around to 1"),
        (check_overflow_free_softmax, softmax_in_place, "the argument was changed"),
        (
            check_row_maxima,
            _shift_by_the_maximum_of_each_class,
            "Hint: this subtracts the maximum of each class",
        ),
        (
            check_row_maxima,
            lambda x: _softmax_starter(x - np.max(x, axis=-1)),
            "could not be broadcast together with shapes (2,3) (2,) (shapes: x (2, 3))",
        ),
        (
            check_largest_safe_logit,
            lambda largest, n: np.log(largest) / n,
            "Hint: the sum is n exp(c)",
        ),
        (
            check_largest_safe_logit,
            lambda largest, n: np.log(largest) + np.log(n),
            "Hint: log(n) is added instead of subtracted",
        ),
        (check_stable_sigmoid, _sigmoid_starter, "NumPy warned: overflow encountered in exp"),
        (
            check_stable_sigmoid,
            _sigmoid_of_both_branches,
            "NumPy warned: overflow encountered in exp",
        ),
        (
            check_stable_sigmoid,
            lambda x: _sigmoid_starter(np.clip(x, -50, 50)),
            "Hint: clipping x changes its sigmoid",
        ),
        (
            check_stable_sigmoid,
            lambda x: _sigmoid_of_the_absolute_value(-x),
            "Hint: this is the sigmoid of -x",
        ),
        (
            check_overflow_free_softmax,
            lambda x: _softmax_starter(x - np.max(x)),
            "Hint: one maximum is subtracted from the whole batch; each row needs its own",
        ),
        (
            check_overflow_free_softmax,
            lambda x: softmax_naive(x - np.mean(x, axis=-1, keepdims=True)),
            "Hint: the mean is no bound: a logit far above it overflows",
        ),
        (
            check_row_maxima,
            lambda x: softmax_naive(x - np.mean(x, axis=-1, keepdims=True)),
            "Hint: the mean is no bound: a logit far above it overflows",
        ),
        (
            check_largest_safe_logit,
            lambda largest, n: np.log(largest) - n,
            "Hint: the logarithm of n exp(c) is log(n) + c",
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
            check_overflow_free_softmax,
            lambda x: softmax_shifted(x.astype(np.float32)),
            "scores with many digits",
        ),
        (
            check_overflow_free_softmax,
            lambda x: _softmax_starter(
                (x.astype(int) if x.dtype == np.uint8 else x) - np.max(x, axis=-1, keepdims=True)
            ),
            "signed 8-bit integers",
        ),
        (
            check_overflow_free_softmax,
            lambda x: softmax_shifted(x.astype(np.float16) if x.dtype.kind in "iu" else x).astype(
                np.float16
            ),
            "three small scores",
        ),
        (
            check_overflow_free_softmax,
            lambda x: softmax_shifted(x) if x.shape != (2, 4) else x,
            "a drawn case",
        ),
        (check_row_maxima, lambda x: softmax_shifted(x) if x.shape[0] < 3 else x, "a drawn case"),
        (
            check_largest_safe_logit,
            lambda largest, n: np.float32(np.log(largest) - np.log(n)),
            "ten classes, fp32",
        ),
        (
            check_stable_sigmoid,
            _silenced(lambda x: np.float16(_sigmoid_starter(x))),
            "small numbers",
        ),
        (check_stable_sigmoid, _silenced(_sigmoid_of_both_branches), "both at once"),
        (check_stable_sigmoid, _unwarned(_sigmoid_of_both_branches), "both at once"),
        (check_stable_sigmoid, _silenced(_sigmoid_starter), "large negative (-1000)"),
        (
            check_stable_sigmoid,
            lambda x: _sigmoid_of_the_absolute_value(x) if x.size != 4 else x,
            "a drawn case",
        ),
        (check_overflow_free_softmax, lambda x: softmax_naive(x - x[..., :1]), "scores far apart"),
        (check_overflow_free_softmax, lambda x: softmax_naive(x - x[..., -1:]), "scores far apart"),
        (check_row_maxima, lambda x: softmax_naive(x - x[..., :1]), "one sample"),
        (check_row_maxima, lambda x: softmax_naive(x - x[..., -1:]), "one sample"),
    ],
)
def test_a_wrong_answer_of_a_kind_that_once_passed_is_refused(check, answer, case):
    assert case in {name for name, why in check(answer).reasons.items() if why}


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (
            check_overflow_free_softmax,
            lambda x: softmax_shifted(x.astype(np.float32) if x.dtype.kind in "iu" else x),
        ),
        (check_overflow_free_softmax, lambda x: softmax_shifted(x.astype(np.float64))),
        (check_overflow_free_softmax, lambda x: softmax_shifted(x).tolist()),
        (check_largest_safe_logit, lambda largest, n: math.log(largest) - math.log(n)),
        (check_stable_sigmoid, _sigmoid_by_index),
        (
            check_stable_sigmoid,
            lambda x: np.where(x >= 0, 1, np.exp(-np.abs(x))) / (1 + np.exp(-np.abs(x))),
        ),
        (
            check_stable_sigmoid,
            lambda x: [
                float(1 / (1 + np.exp(-v)) if v >= 0 else np.exp(v) / (1 + np.exp(v))) for v in x
            ],
        ),
    ],
)
def test_a_right_answer_of_another_form_passes(check, answer):
    assert check(answer)
