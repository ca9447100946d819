"""The exercise checks of the chapter cross_entropy: right answers pass, wrong ones say why not."""

import numpy as np
import pytest

from stable_softmax import (
    cross_entropy_epsilon,
    cross_entropy_from_logsumexp,
    cross_entropy_gradient_complement,
    cross_entropy_gradient_shifted,
    cross_entropy_log1p,
    cross_entropy_shifted,
    cross_entropy_two_step,
    hessian_vector_product,
    softmax_shifted,
)
from stable_softmax.checks import (
    check_derivative,
    check_loss_from_logits,
    check_loss_gradient,
    check_penalty_gradient,
)


def starter_loss(x, label):
    e = np.exp(x - np.max(x))
    return -np.log(e[label] / np.sum(e))


def starter_gradient(x, label):
    e = np.exp(x - np.max(x))
    p = e / np.sum(e)
    p[label] = p[label] - 1
    return p


def starter_derivative(f, x):
    h = 1e-12
    return (f(x + h) - f(x)) / h


@pytest.mark.parametrize("loss", [cross_entropy_shifted, cross_entropy_log1p])
def test_losses_from_logits_pass(loss):
    assert check_loss_from_logits(loss)


@pytest.mark.parametrize("loss", [starter_loss, cross_entropy_two_step])
def test_the_logarithm_of_a_softmax_fails_on_wrong_samples(loss):
    report = check_loss_from_logits(loss)
    failed = {name for name, reason in report.reasons.items() if reason}
    assert failed >= {"a wrong sample (gap 100, float32)", "a very wrong sample (gap 2000)"}
    assert "divide by zero" in report.reasons["a very wrong sample (gap 2000)"]


def test_epsilon_fails_on_the_very_wrong_sample_without_a_warning():
    report = check_loss_from_logits(cross_entropy_epsilon)
    assert report.reasons["a very wrong sample (gap 2000)"].startswith("got 16.1181, expected 2000")


def test_the_bad_order_fails_at_a_large_offset():
    report = check_loss_from_logits(cross_entropy_from_logsumexp)
    failed = {name for name, reason in report.reasons.items() if reason}
    assert {"a large offset (1e8, float32)", "a large offset (1e12)"} <= failed


def test_the_complement_passes():
    assert check_loss_gradient(cross_entropy_gradient_complement)


@pytest.mark.parametrize("gradient", [starter_gradient, cross_entropy_gradient_shifted])
def test_p_minus_y_fails_on_sure_samples_only(gradient):
    report = check_loss_gradient(gradient)
    failed = {name for name, reason in report.reasons.items() if reason}
    assert failed == {
        "a sure sample (gap 10, float32)",
        "a sure sample (gap 17, float32)",
        "a sure sample (gap 40)",
    }
    assert report.reasons["a sure sample (gap 17, float32)"].startswith("got 0 at (0,)")


def test_the_diagonal_alone_is_no_gradient():
    def diagonal(x, label):
        gradient = cross_entropy_gradient_complement(x, label)
        return np.where(np.arange(x.size) == label, gradient, 0)

    assert not check_loss_gradient(diagonal)


def test_a_gradient_that_overwrites_the_logits_is_reported():
    def in_place(x, label):
        x -= np.max(x)
        return cross_entropy_gradient_complement(x, label)

    reasons = check_loss_gradient(in_place).reasons
    assert reasons["an ordinary sample"] == "the argument was changed"


def starter_penalty(x, label):
    p = softmax_shifted(x)
    gradient = cross_entropy_gradient_complement(x, label)
    return (np.diag(p) - np.outer(p, p)) @ gradient


def right_penalty(x, label):
    return hessian_vector_product(x, cross_entropy_gradient_complement(x, label))


def penalty_by_pairs(x, label):
    p, g = softmax_shifted(x), cross_entropy_gradient_complement(x, label)
    return p * np.sum(p * (g[:, np.newaxis] - g), axis=1)


@pytest.mark.parametrize("answer", [right_penalty, penalty_by_pairs])
def test_a_penalty_whose_gradient_does_not_cancel_passes(answer):
    assert check_penalty_gradient(answer)


def test_the_starter_of_the_penalty_fails_on_sure_samples():
    report = check_penalty_gradient(starter_penalty)
    failed = {name for name, reason in report.reasons.items() if reason}
    assert failed >= {"a sure sample (gap 17, float32)", "a sure sample (gap 40)"}
    assert report.reasons["an ordinary sample"] is report.reasons["two equal logits"] is None
    assert report.hint is None


@pytest.mark.parametrize("step", [1e-6, 5e-6, 1e-5])
def test_a_central_difference_with_a_good_step_passes(step):
    assert check_derivative(lambda f, x: (f(x + step) - f(x - step)) / (2 * step))


def test_the_starter_of_the_derivative_loses_more_than_five_digits():
    report = check_derivative(starter_derivative)
    assert not report
    assert "relative error" in report.reasons["exp at 1"]


@pytest.mark.parametrize("step", [1e-12, 1e-10, 1e-3])
def test_a_central_difference_with_a_bad_step_fails(step):
    assert not check_derivative(lambda f, x: (f(x + step) - f(x - step)) / (2 * step))


@pytest.mark.parametrize("step", np.geomspace(1e-10, 1e-6, 41))
def test_a_one_sided_difference_fails_with_every_step(step):
    assert not check_derivative(lambda f, x: (f(x + step) - f(x)) / step)


def test_a_derivative_of_the_wrong_shape_or_none_is_reported():
    assert check_derivative(lambda f, x: None).reasons["exp at 1"] == "nothing was returned"
    report = check_derivative(lambda f, x: np.zeros(2))
    assert report.reasons["exp at 1"] == "expected one number, got the shape (2,)"


def _loss_shifted_by(x, label, c):
    z = x - c
    return np.log(np.sum(np.exp(z))) - z[label]


def _label_in_the_sum(x, label):
    p = softmax_shifted(x)
    p[label] = -np.sum(p)
    return p


def _diagonal(x, label):
    gradient = cross_entropy_gradient_complement(x, label)
    return np.where(np.arange(x.size) == label, gradient, 0)


@pytest.mark.parametrize(
    ("check", "answer", "message"),
    [
        (
            check_loss_from_logits,
            cross_entropy_epsilon,
            "Hint: epsilon is a cap: a wrong sample has a larger loss",
        ),
        (
            check_loss_from_logits,
            cross_entropy_from_logsumexp,
            "Hint: m + log(s) is rounded to the digits of m",
        ),
        (
            check_loss_from_logits,
            lambda x, label: -cross_entropy_shifted(x, label),
            "Hint: this is the logarithm of p, the negative loss",
        ),
        (
            check_loss_gradient,
            lambda *given: -cross_entropy_gradient_complement(*given),
            "Hint: this is the gradient of log p, with the other sign",
        ),
        (
            check_loss_gradient,
            _diagonal,
            "Hint: the entries of the other classes are missing: they are p",
        ),
        (
            check_penalty_gradient,
            lambda *given: 2 * right_penalty(*given),
            "Hint: the gradient is that of half the square",
        ),
        (
            check_penalty_gradient,
            lambda x, label: softmax_shifted(x) * cross_entropy_gradient_complement(x, label),
            "Hint: only the diagonal of the Hessian is used",
        ),
        (
            check_penalty_gradient,
            lambda *given: hessian_vector_product(given[0], cross_entropy_gradient_shifted(*given)),
            "Hint: the label's entry of p - y has lost its digits",
        ),
        (
            check_derivative,
            lambda f, x: (f(x + 1e-8) - f(x)) / 1e-8,
            "Hint: a one-sided difference has an error of the order of h",
        ),
        (
            check_derivative,
            lambda f, x: (f(x + 5e-6) - f(x - 5e-6)) / 5e-6,
            "Hint: a central difference is divided by 2 h",
        ),
        (
            check_derivative,
            lambda f, x: f(x + 1e-20j) / 1e-20,
            "complex numbers were returned; take their .real or .imag",
        ),
        (
            check_loss_gradient,
            _label_in_the_sum,
            "Hint: the label's own p is still in the sum: set it to 0 first",
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
            check_loss_from_logits,
            lambda x, label: cross_entropy_shifted(x, label).astype(np.float16),
            "an ordinary sample",
        ),
        (
            check_loss_from_logits,
            lambda x, label: (
                cross_entropy_shifted(x, label) if np.min(x) not in (-1, -4097) else 1.0
            ),
            "a drawn case",
        ),
        (
            check_loss_gradient,
            lambda *given: starter_gradient(*given).astype(np.float16),
            "a sure sample (gap 40)",
        ),
        (
            check_loss_gradient,
            lambda x, label: cross_entropy_gradient_complement(x, label) if x.size < 4 else x,
            "a drawn case",
        ),
        (
            check_penalty_gradient,
            lambda *given: right_penalty(*given).astype(np.float16),
            "a sure sample (gap 40)",
        ),
        (
            check_penalty_gradient,
            lambda x, label: right_penalty(x, label) if x.size < 4 else x,
            "a drawn case",
        ),
        (
            check_derivative,
            lambda f, x: {np.exp: np.exp(x), np.log: 0.5, np.sin: np.cos(x), np.square: 6}.get(
                f, 1 / (1 + np.exp(-0.5))
            ),
            "a drawn case",
        ),
        (
            check_loss_from_logits,
            lambda x, label: _loss_shifted_by(x, label, x[0]),
            "a very wrong sample (gap 2000)",
        ),
        (
            check_loss_from_logits,
            lambda x, label: _loss_shifted_by(x, label, x[-1]),
            "a very wrong sample (gap 2000)",
        ),
        (
            check_loss_from_logits,
            lambda x, label: _loss_shifted_by(x, label, x[label]),
            "a very wrong sample (gap 2000)",
        ),
        (
            check_loss_from_logits,
            lambda x, label: _loss_shifted_by(x, label, np.mean(x)),
            "a very wrong sample (gap 2000)",
        ),
    ],
)
def test_a_wrong_answer_of_a_kind_that_once_passed_is_refused(check, answer, case):
    assert case in {name for name, why in check(answer).reasons.items() if why}


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (
            check_loss_from_logits,
            lambda x, label: float(cross_entropy_shifted(x.astype(float), label)),
        ),
        (check_derivative, lambda f, x: f(x + 1e-20j).imag / 1e-20),
        (check_derivative, lambda f, x: float((f(x + 5e-6) - f(x - 5e-6)) / 1e-5)),
    ],
)
def test_a_right_answer_of_another_form_passes(check, answer):
    assert check(answer)
