"""The exercise checks of the chapter rounding_error: right answers pass, wrong ones say why not."""

import math

import numpy as np
import pytest

from stable_softmax import cross_entropy_exact, softmax_exact
from stable_softmax.checks import check_accurate_sum, check_loss_condition
from stable_softmax.measure.conditioning import sum_pairwise


def starter_sum(e):
    total = np.float32(0)
    for term in e:
        total = total + term
    return total


def compensated_sum(e):
    total = lost = np.float32(0)
    for term in e:
        corrected = term - lost
        bigger = total + corrected
        total, lost = bigger, (bigger - total) - corrected
    return total


def halves(e):
    if e.size == 1:
        return e[0]
    return halves(e[: e.size // 2]) + halves(e[e.size // 2 :])


def starter_condition(x, label):
    loss = np.log(np.sum(np.exp(x - x[label])))
    return np.max(np.abs(x)) / loss


def condition(x, label):
    p = softmax_exact(x)
    loss = cross_entropy_exact(x, label)
    p[label] -= 1
    return np.sum(np.abs(p * x)) / loss


def test_sums_by_halves_and_compensated_sums_pass():
    assert check_accurate_sum(halves)
    assert check_accurate_sum(compensated_sum)
    assert check_accurate_sum(lambda e: sum_pairwise(e)[0])
    assert check_accurate_sum(lambda e: np.float32(math.fsum(e.tolist())))


def test_the_starter_of_the_sum_absorbs_the_small_numbers():
    report = check_accurate_sum(starter_sum)
    assert not report
    assert report.reasons["a one, then 20000 small numbers"].startswith("got 1, expected 1.00112")
    assert report.reasons["2 ** 15 equal numbers"]
    assert report.reasons["three numbers"] is None


def test_sorting_first_does_not_help_equal_numbers():
    report = check_accurate_sum(lambda e: starter_sum(np.sort(e)))
    assert report.reasons["a one, then 20000 small numbers"] is None
    assert report.reasons["2 ** 15 equal numbers"]


def test_a_sum_by_halves_that_forgets_the_odd_number_fails():
    def even_only(e):
        while e.size > 1:
            e = e[: e.size // 2] + e[e.size // 2 : 2 * (e.size // 2)]
        return e[0]

    report = check_accurate_sum(even_only)
    assert report.reasons["three numbers"]
    assert report.reasons["2 ** 15 equal numbers"] is None


def test_the_condition_number_from_the_gradient_passes():
    assert check_loss_condition(condition)


def test_the_largest_logit_over_the_loss_is_no_condition_number():
    report = check_loss_condition(starter_condition)
    assert report.reasons["a sure sample"].startswith("got 1.95")
    assert report.reasons["three logits, label 0"]
    assert report.reasons["equal logits at zero"] is None


def test_a_sum_without_absolute_values_fails():
    def signed(x, label):
        p = softmax_exact(x)
        p[label] -= 1
        return np.abs(np.sum(p * x)) / cross_entropy_exact(x, label)

    report = check_loss_condition(signed)
    assert report.reasons["three logits, label 0"]


def _even_only(e):
    while e.size > 1:
        e = e[: e.size // 2] + e[e.size // 2 : 2 * (e.size // 2)]
    return e[0]


def _sum_of_python_floats(e):
    total = 0.0
    for term in e.tolist():
        total += term
    return total


def _change(x, label, first, then):
    p = softmax_exact(x)
    p[label] -= 1
    return then(first(p * x)) / cross_entropy_exact(x, label)


@pytest.mark.parametrize(
    ("check", "answer", "message"),
    [
        (
            check_accurate_sum,
            lambda e: starter_sum(np.sort(e)),
            "Hint: sorting helps a few small numbers, not many equal ones",
        ),
        (check_accurate_sum, _even_only, "Hint: one number of an odd count is lost"),
        (
            check_accurate_sum,
            lambda e: np.sum(e, dtype=np.float64),
            "float32 was asked for, this is float64",
        ),
        (
            check_loss_condition,
            lambda x, label: _change(x, label, np.sum, np.abs),
            "Hint: the terms may not cancel: add their absolute values",
        ),
        (
            check_loss_condition,
            lambda x, label: condition(x, label) * cross_entropy_exact(x, label),
            "Hint: this is the absolute change: divide by the loss",
        ),
        (
            check_loss_condition,
            lambda x, label: _change(x, label, np.abs, np.max),
            "Hint: the largest term is not their sum",
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
        (check_accurate_sum, lambda e: np.sum(e, dtype=np.float64), "1000 random exponentials"),
        (check_accurate_sum, lambda e: math.fsum(e.tolist()), "three numbers"),
        (check_accurate_sum, _sum_of_python_floats, "three numbers"),
        (
            check_accurate_sum,
            lambda e: compensated_sum(e) if not 4 < e.size < 11 else e[0],
            "a drawn case",
        ),
        (
            check_loss_condition,
            lambda x, label: np.float16(condition(x, label)),
            "three logits, label 0",
        ),
        (
            check_loss_condition,
            lambda x, label: condition(x, label) if x.size != 4 or x[0] == -3 else 1.0,
            "a drawn case",
        ),
    ],
)
def test_a_wrong_answer_of_a_kind_that_once_passed_is_refused(check, answer, case):
    assert case in {name for name, why in check(answer).reasons.items() if why}


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (check_accurate_sum, lambda e: np.array(compensated_sum(e))),
        (check_loss_condition, lambda x, label: float(condition(x, label))),
    ],
)
def test_a_right_answer_of_another_form_passes(check, answer):
    assert check(answer)
