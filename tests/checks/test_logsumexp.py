"""The exercise checks of the chapter logsumexp: right answers pass, wrong ones say why not."""

import numpy as np
import pytest

from stable_softmax import (
    log1mexp,
    log_softmax_log1p,
    log_softmax_naive,
    log_softmax_shifted,
    logsumexp_shifted,
)
from stable_softmax.checks import check_log_add_exp, check_log_sinh, check_log_softmax_order


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


def starter_log_sinh(x):
    return logsumexp_shifted(np.array([x, -x]), weights=[0.5, -0.5])


def right_log_sinh(x):
    return x + log1mexp(-2 * x) - np.log(x.dtype.type(2))


def small_and_large(x):
    if x < 1:
        return np.log(np.sinh(x))
    return x + np.log1p(-np.exp(-2 * x)) - np.log(x.dtype.type(2))


@pytest.mark.parametrize("answer", [right_log_sinh, small_and_large])
def test_a_logarithm_of_sinh_that_takes_the_larger_exponential_out_passes(answer):
    assert check_log_sinh(answer)


def test_the_starter_of_the_logarithm_of_sinh_loses_the_small_numbers_only():
    report = check_log_sinh(starter_log_sinh)
    failed = {name for name, reason in report.reasons.items() if reason}
    failed.discard("small (1e-3)")  # where three digits are lost, exp of the machine decides
    assert failed == {"very small (1e-9)", "tiny (1e-300)", "float32 (1e-4)"}
    assert report.hint is None


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


@pytest.mark.parametrize(
    ("check", "answer", "message"),
    [
        (
            check_log_add_exp,
            lambda a, b: logsumexp_shifted(np.array([a, b])),
            "Hint: 1 + exp(-40) is rounded to 1: use log1p",
        ),
        (
            check_log_add_exp,
            lambda a, b: a + np.log1p(np.exp(b - a)),
            "Hint: a need not be the larger one",
        ),
        (check_log_sinh, lambda x: np.log(np.sinh(x)), "Hint: sinh overflows beyond 710"),
        (
            check_log_sinh,
            lambda x: right_log_sinh(x) + np.log(x.dtype.type(2)),
            "Hint: this is log(exp(x) - exp(-x)): sinh has half of that",
        ),
        (
            check_log_softmax_order,
            log_softmax_naive,
            "Hint: exp overflows: keep the shift by the maximum",
        ),
        (
            check_log_softmax_order,
            lambda x: 2 * (x - x.max(axis=-1, keepdims=True)) - log_softmax_shifted(x),
            "Hint: the sign of log(s) is wrong",
        ),
        (
            check_log_add_exp,
            lambda a, b: (a + b + abs(a - b)) / 2 + np.log1p(np.exp(-abs(a - b))),
            "Hint: (a + b + |a - b|) / 2 is nan for an infinity: use np.maximum",
        ),
        (
            check_log_softmax_order,
            lambda x: log_softmax_naive(x - np.max(x)),
            "Hint: one maximum is subtracted from the whole batch; each row needs its own",
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
            check_log_add_exp,
            lambda a, b: (a + b + abs(a - b)) / 2 + np.log1p(np.exp(-abs(a - b))),
            "the empty one first (-inf, 3)",
        ),
        (
            check_log_add_exp,
            lambda a, b: np.float16(logsumexp_shifted(np.array([a, b]))),
            "far apart (0, -40)",
        ),
        (
            check_log_add_exp,
            lambda a, b: np.logaddexp(a, b) if min(a, b) < 2 or a == b == 1000 else a,
            "a drawn case",
        ),
        (check_log_sinh, lambda x: np.float16(right_log_sinh(x)), "small (1e-3)"),
        (
            check_log_sinh,
            lambda x: right_log_sinh(x) if x in (2, 0.25, 1e3, 1e6, 95) or x < 2e-3 else x,
            "a drawn case",
        ),
        (
            check_log_softmax_order,
            lambda x: log_softmax_shifted(x) if x.shape[-1] < 4 or -3000 in x else x,
            "a drawn case",
        ),
        (
            check_log_softmax_order,
            lambda x: log_softmax_shifted(x.astype(np.float16)),
            "small logits",
        ),
        (check_log_softmax_order, lambda x: log_softmax_naive(x - x[..., :1]), "a far logit"),
        (check_log_softmax_order, lambda x: log_softmax_naive(x - x[..., -1:]), "a far logit"),
    ],
)
def test_a_wrong_answer_of_a_kind_that_once_passed_is_refused(check, answer, case):
    assert case in {name for name, why in check(answer).reasons.items() if why}


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (check_log_add_exp, lambda a, b: float(np.logaddexp(a, b))),
        (check_log_sinh, lambda x: float(right_log_sinh(x))),
        (check_log_sinh, lambda x: x + np.log(-np.expm1(-2 * x)) - np.log(2)),
        (check_log_add_exp, lambda a, b: np.atleast_1d(np.logaddexp(a, b))[0]),
        (check_log_softmax_order, lambda x: log_softmax_shifted(x.astype(float))),
    ],
)
def test_a_right_answer_of_another_form_passes(check, answer):
    assert check(answer)
