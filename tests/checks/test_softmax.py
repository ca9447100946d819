import math

import numpy as np
import pytest

from stable_softmax.checks.softmax import check_class_axis, check_softmax_floor, check_temperature
from stable_softmax.softmax import softmax_naive, softmax_shifted


def reasons(report):
    return {name: reason for name, reason in report.reasons.items() if reason}


def right_temperature(x, T):
    z = (x - np.max(x, axis=-1, keepdims=True)) / T
    e = np.exp(z)
    return e / np.sum(e, axis=-1, keepdims=True)


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (check_class_axis, softmax_naive),
        (check_class_axis, softmax_shifted),
        (check_temperature, right_temperature),
        (check_softmax_floor, lambda n: np.log(1 + (n - 1) / np.e)),
        (check_softmax_floor, lambda n: -np.log(np.e / (np.e + n - 1))),
    ],
)
def test_the_right_answer_passes(check, answer):
    assert check(answer)


def test_the_starter_along_axis_0_is_right_for_a_vector_only():
    def starter(x):
        e = np.exp(x)
        return e / np.sum(e, axis=0)

    failed = reasons(check_class_axis(starter))
    assert "a vector" not in failed
    assert failed["one sample, shape (1, 3)"].startswith("got 1 at")
    assert len(failed) == 4


@pytest.mark.parametrize(
    ("wrong", "where", "why"),
    [
        (lambda x: np.exp(x) / np.exp(x).sum(), "two equal samples", "got"),  # over the whole array
        (
            lambda x: np.exp(x) / np.exp(x).sum(axis=1, keepdims=True),
            "a vector",
            "raised AxisError",
        ),
        (lambda x: np.exp(x) / np.exp(x).sum(axis=-1), "as many samples as classes", "got"),
        (lambda x: np.exp(x), "a vector", "got"),
    ],
)
def test_other_wrong_axes_fail_with_their_reason(wrong, where, why):
    assert reasons(check_class_axis(wrong))[where].startswith(why)


def test_the_starter_that_divides_first_fails_where_the_quotient_overflows():
    def starter(x, T):
        e = np.exp(x / T)
        return e / np.sum(e, axis=-1, keepdims=True)

    failed = reasons(check_temperature(starter))
    assert "overflow" in failed.pop("colder: T = 1/1024")
    assert "overflow" in failed.pop("two rows far apart, T = 1")
    assert set(failed) == {
        "float16, T = 0.0001",
        "float16, T = 0.0001, a tie",
        "a logit of 1e305, T = 0.0001",
    }
    assert all(reason.startswith("got nan") for reason in failed.values())


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        (lambda x, T: softmax_shifted(x / T), "float16, T = 0.0001"),  # the shift comes too late
        (lambda x, T: softmax_shifted(x * T), "hot: T = 8"),
        (lambda x, T: softmax_shifted(x) / T, "hot: T = 8"),
        (lambda x, T: right_temperature(x - x.max(), T).ravel(), "two rows, T = 0.5"),
    ],
)
def test_other_wrong_temperatures_fail(wrong, where):
    assert where in reasons(check_temperature(wrong))


def test_the_starter_without_a_floor_fails_for_more_than_one_class():
    failed = reasons(check_softmax_floor(lambda n: 0.0))
    assert "1 class" not in failed
    assert failed["3 classes"].startswith("got 0, expected 0.551445")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda n: np.log(n),  # the loss of the uniform distribution
        lambda n: np.log(1 + n / np.e),  # one class too many
        lambda n: np.e / (np.e + n - 1),  # the probability, not its loss
        lambda n: None,
    ],
)
def test_other_wrong_floors_fail(wrong):
    assert not check_softmax_floor(wrong)


@pytest.mark.parametrize(
    ("check", "answer", "message"),
    [
        (
            check_class_axis,
            lambda x: softmax_naive(x, axis=None),
            "Hint: this sums over the whole array",
        ),
        (
            check_class_axis,
            lambda x: np.exp(x) / np.exp(x).sum(axis=-1),
            "Hint: the sums have lost their axis: keep it with keepdims=True",
        ),
        (
            check_temperature,
            lambda x, T: softmax_shifted(x / T),
            "Hint: x / T overflows before the maximum is subtracted",
        ),
        (
            check_temperature,
            lambda x, T: softmax_naive((x - np.max(x)) / T),
            "Hint: this subtracts one maximum from the whole batch",
        ),
        (
            check_temperature,
            lambda x, T: softmax_shifted(x) / T,
            "Hint: this divides the probabilities by T",
        ),
        (
            check_softmax_floor,
            np.log,
            "Hint: log(n) is the loss of equal probabilities; the best case is a one-hot row",
        ),
        (
            check_softmax_floor,
            lambda n: np.log(1 + n / np.e),
            "Hint: only n - 1 classes have the probability 0",
        ),
        (
            check_softmax_floor,
            lambda n: np.e / (np.e + n - 1),
            "Hint: this is the probability of the label, not its loss",
        ),
        (
            check_class_axis,
            lambda x: np.array([np.exp(r) / np.exp(r).sum() for r in x]),
            "Hint: this sums over all axes of a sample",
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
            check_class_axis,
            lambda x: np.array([np.exp(r) / np.exp(r).sum() for r in x]),
            "shape (2, 2, 3)",
        ),
        (check_class_axis, lambda x: softmax_shifted(x).astype(np.float32), "a vector"),
        (
            check_class_axis,
            lambda x: softmax_shifted(x) if x.shape[-1] == 3 and x.ndim < 4 and x.size < 13 else x,
            "a drawn case",
        ),
        (
            check_temperature,
            lambda x, T: softmax_naive((x - np.max(x)) / T),
            "two rows far apart, T = 1",
        ),
        (
            check_temperature,
            lambda x, T: right_temperature(x.astype(float) / T, 1).astype(x.dtype),
            "a logit of 1e305, T = 0.0001",
        ),
        (
            check_temperature,
            lambda x, T: right_temperature(x, T) if x.shape != (2, 3) else x,
            "a drawn case",
        ),
        (check_softmax_floor, lambda n: np.float16(np.log(1 + (n - 1) / np.e)), "3 classes"),
        (
            check_softmax_floor,
            lambda n: np.log1p((n - 1) / np.e) if n in (1, 2, 3, 5, 10, 100, 1000) else 1.0,
            "a drawn case",
        ),
    ],
)
def test_a_wrong_answer_of_a_kind_that_once_passed_is_refused(check, answer, case):
    assert case in {name for name, why in check(answer).reasons.items() if why}


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (check_class_axis, lambda x: softmax_naive(x).tolist()),
        (check_temperature, lambda x, T: right_temperature(x.astype(np.longdouble), T)),
        (check_softmax_floor, lambda n: 0 if n == 1 else math.log(1 + (n - 1) / math.e)),
        (check_softmax_floor, lambda n: -np.log(softmax_naive(np.eye(n)[0])[0])),
        (check_softmax_floor, lambda n: np.array(np.log1p((n - 1) / np.e))),
    ],
)
def test_a_right_answer_of_another_form_passes(check, answer):
    assert check(answer)
