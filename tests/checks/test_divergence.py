"""The exercise checks of the chapter divergence: right answers pass, wrong ones say why not."""

import numpy as np
import pytest

from stable_softmax import (
    cross_entropy_log1p,
    log_softmax_log1p,
    log_softmax_shifted,
    softmax_shifted,
)
from stable_softmax.beyond.divergence import entropy, kl_divergence, kl_divergence_expm1
from stable_softmax.checks import check_divergence, check_focal_loss, check_masked_entropy


def starter_entropy(x):
    p = softmax_shifted(x)
    return -np.sum(p * np.log(p))


def starter_divergence(x, y):
    p = softmax_shifted(x)
    return np.sum(p * (log_softmax_shifted(x) - log_softmax_shifted(y)))


def starter_focal(x, label, gamma):
    p = softmax_shifted(x)[label]
    return (1 - p) ** gamma * -np.log(p)


def my_entropy(x):
    p, log_p = softmax_shifted(x), log_softmax_log1p(x)
    return -np.sum(p * np.where(p == 0, 0, log_p))


def only_positive(x):
    p = softmax_shifted(x)
    return -np.sum(p[p > 0] * np.log(p[p > 0]))


def with_where(x):
    p = softmax_shifted(x)
    return -np.sum(p * np.log(np.where(p > 0, p, 1)))


def my_divergence(x, y):
    p, q = softmax_shifted(x), softmax_shifted(y)
    seen = p > 0
    d = log_softmax_log1p(y)[seen] - log_softmax_log1p(x)[seen]
    return np.sum(p[seen] * (np.expm1(d) - d)) + np.sum(q[~seen])


def my_focal(x, label, gamma):
    loss = cross_entropy_log1p(x, label)
    return (-np.expm1(-loss)) ** gamma * loss


@pytest.mark.parametrize("answer", [my_entropy, only_positive, with_where, entropy])
def test_an_entropy_with_a_mask_passes(answer):
    assert check_masked_entropy(answer)


@pytest.mark.parametrize("answer", [my_divergence, kl_divergence, kl_divergence_expm1])
def test_a_divergence_of_terms_above_zero_passes(answer):
    assert check_divergence(answer)


@pytest.mark.parametrize(
    "answer",
    [
        my_focal,
        lambda x, label, gamma: (
            (np.sum(np.delete(softmax_shifted(x), label))) ** gamma * cross_entropy_log1p(x, label)
        ),
    ],
)
def test_a_focal_loss_that_keeps_its_digits_passes(answer):
    assert check_focal_loss(answer)


def passed(report):
    return {name for name, why in report.reasons.items() if not why}


def test_the_starter_of_the_entropy_is_right_without_zeros():
    assert passed(check_masked_entropy(starter_entropy)) == {
        "small",
        "equal",
        "large (1000)",
        "one class",
    }


def test_the_starter_of_the_divergence_is_right_far_apart():
    assert passed(check_divergence(starter_divergence)) == {
        "far apart",
        "equal",
        "1e-3 apart",
        "large (1000)",
        "a gap of 800",
    }


def test_the_starter_of_the_focal_loss_is_wrong_at_both_ends():
    assert passed(check_focal_loss(starter_focal)) == {
        "small",
        "gamma 0",
        "wrong by 40",
        "large (1000)",
        "a mask",
    }


def late(x):
    p = softmax_shifted(x)
    return np.nansum(-p * np.log(p))


def from_logs(x, y):
    p = softmax_shifted(x)
    gap = log_softmax_shifted(x)[p > 0] - log_softmax_shifted(y)[p > 0]
    return np.sum(p[p > 0] * gap)


@pytest.mark.parametrize(
    ("check", "answer", "message"),
    [
        (check_masked_entropy, starter_entropy, "NumPy warned: divide by zero encountered in log"),
        (check_masked_entropy, late, "Hint: nan is replaced too late"),
        (
            check_masked_entropy,
            lambda x: -np.sum(softmax_shifted(x) * np.log(softmax_shifted(x) + 1e-7)),
            "Hint: a small constant inside the logarithm changes every term",
        ),
        (check_divergence, starter_divergence, "relative error"),
        (check_divergence, lambda x, y: max(from_logs(x, y), 0), "Hint: a smallest value of 0"),
        (check_divergence, lambda x, y: abs(from_logs(x, y)), "Hint: the absolute value hides"),
        (check_divergence, lambda x, y: my_divergence(y, x), "Hint: the order of the two"),
        (check_focal_loss, starter_focal, "expected"),
        (
            check_focal_loss,
            lambda x, label, gamma: (
                (1 - np.exp(log_softmax_shifted(x)[label])) ** gamma
                * -log_softmax_shifted(x)[label]
            ),
            "got 0",
        ),
        (
            check_focal_loss,
            lambda x, label, gamma: (
                (-np.expm1(log_softmax_shifted(x)[label])) ** gamma * -log_softmax_shifted(x)[label]
            ),
            "Hint: the loss keeps the digits of a sure sample only if",
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
        (check_masked_entropy, lambda x: my_entropy(x) / np.log(2), "small"),
        (check_masked_entropy, lambda x: my_entropy(x) if len(x) < 5 else 1.0, "a drawn case"),
        (check_divergence, from_logs, "1e-5 apart"),
        (check_divergence, lambda x, y: np.var(y - x) / 2, "far apart"),
        (
            check_divergence,
            lambda x, y: my_divergence(x, y) if abs(y[-1] - x[-1]) != 2.0**-20 else 0.0,
            "a drawn case",
        ),
        (
            check_divergence,
            lambda x, y: np.sum(np.where(softmax_shifted(x) > 0, my_divergence(x, y), 0)),
            "far apart",
        ),
        (check_focal_loss, lambda x, label, gamma: cross_entropy_log1p(x, label), "small"),
        (check_focal_loss, lambda *a: my_focal(*a) if a[2] != 1.5 else 1.0, "a drawn case"),
    ],
)
def test_a_wrong_answer_is_refused(check, answer, case):
    assert case in {name for name, why in check(answer).reasons.items() if why}
