"""The exercise checks of the chapter logsumexp: right answers pass, wrong ones say why not."""

import numpy as np

from stable_softmax import (
    log_softmax_log1p,
    log_softmax_naive,
    log_softmax_shifted,
    logsumexp_shifted,
)
from stable_softmax.checks import check_log_add_exp, check_log_softmax_order


def starter_log_add_exp(a, b):
    return np.log(np.exp(a) + np.exp(b))


def starter_log_softmax(x):
    m = np.max(x, axis=-1, keepdims=True)
    s = np.sum(np.exp(x - m), axis=-1, keepdims=True)
    return x - (m + np.log(s))


def test_log_add_exp_with_log1p_passes():
    assert check_log_add_exp(lambda a, b: max(a, b) + np.log1p(np.exp(-abs(a - b))))


def test_numpy_logaddexp_passes():
    assert check_log_add_exp(np.logaddexp)


def test_the_starter_of_log_add_exp_overflows_and_underflows_and_absorbs():
    report = check_log_add_exp(starter_log_add_exp)
    assert not report
    assert "overflow" in report.reasons["large (1000, 1000)"]
    assert "divide by zero" in report.reasons["very negative (-1000, -1001)"]
    assert report.reasons["far apart (0, -40)"].startswith("got 0, expected 4.24835e-18")
    assert report.reasons["ordinary (1, 2)"] is None


def test_a_shift_without_log1p_fails_only_for_the_far_pairs():
    report = check_log_add_exp(lambda a, b: logsumexp_shifted(np.array([a, b])))
    failed = {name for name, reason in report.reasons.items() if reason}
    assert failed == {"far apart (0, -40)", "the other order (-40, 0)"}


def test_a_shift_by_the_first_number_fails_in_the_other_order():
    report = check_log_add_exp(lambda a, b: a + np.log1p(np.exp(b - a)))
    assert report.reasons["far apart (0, -40)"] is None
    assert report.reasons["the other order (-40, 0)"]


def test_both_good_orders_of_log_softmax_pass():
    assert check_log_softmax_order(log_softmax_shifted)
    assert check_log_softmax_order(log_softmax_log1p)


def test_the_starter_of_log_softmax_loses_the_offset():
    report = check_log_softmax_order(starter_log_softmax)
    assert not report
    assert report.reasons["large equal logits (1e8, float32)"].startswith("got 0 at")
    assert "-0.693359" in report.reasons["large equal logits (1e4, float32)"]
    assert report.reasons["a far logit"] is None


def test_the_logarithm_of_the_naive_softmax_fails():
    report = check_log_softmax_order(log_softmax_naive)
    assert "overflow" in report.reasons["large equal logits (1e4, float32)"]


def test_a_shift_by_the_maximum_of_the_whole_batch_is_accepted_only_with_its_digits():
    def whole_batch(x):
        z = x - np.max(x)
        return z - np.log(np.sum(np.exp(z), axis=-1, keepdims=True))

    report = check_log_softmax_order(whole_batch)
    assert "divide by zero" in report.reasons["a batch of two rows"]
