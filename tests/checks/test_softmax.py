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
    assert set(failed) == {"float16, T = 0.0001", "float16, T = 0.0001, a tie"}
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
