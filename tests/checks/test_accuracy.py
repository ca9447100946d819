"""The exercise checks of the chapter accuracy: right answers pass, wrong ones say why not."""

import re
from fractions import Fraction

import numpy as np
import pytest

from stable_softmax import softmax_shifted
from stable_softmax.checks import check_restored_shift, check_two_product
from stable_softmax.ladder.double_double import softmax_double_double
from stable_softmax.ladder.pair_arithmetic import two_product
from stable_softmax.ladder.twosum import softmax_twosum


def softmax_with(rounding_error, sign=1):
    """An answer that puts back what `rounding_error(x, m, z)` claims was lost."""

    def my_softmax(x):
        m = np.max(x, axis=-1, keepdims=True)
        z = x - m
        e = np.exp(z)
        e = e + sign * e * rounding_error(x, m, z)
        return e / np.sum(e, axis=-1, keepdims=True)

    return my_softmax


def knuth(x, m, z):
    part = z - x
    return (x - (z - part)) + (-m - part)


def fast_from_x(x, m, z):
    return (x - z) - m


def fast_from_m(x, m, z):
    return x - (m + z)


def starter_two_product(a, b):
    p = a * b
    t = a * b - p
    return p, t


def split_product(splitter):
    def my_two_product(a, b):
        p = a * b
        a1 = splitter * a - (splitter * a - a)
        b1 = splitter * b - (splitter * b - b)
        a2, b2 = a - a1, b - b1
        return p, ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2

    return my_two_product


def failed(report):
    return {name for name, reason in report.reasons.items() if reason}


def test_a_softmax_with_twosum_passes():
    assert check_restored_shift(softmax_with(knuth))
    assert check_restored_shift(softmax_twosum)
    assert check_restored_shift(softmax_double_double)


def test_the_starter_fails_for_far_classes_only():
    report = check_restored_shift(softmax_with(lambda x, m, z: 0 * z))
    assert not report
    assert report.reasons["close logits"] is None
    assert re.search(r"at \(1,\).*\(1[45]\d ulp\)", report.reasons["a far class"])
    assert failed(report) == failed(check_restored_shift(softmax_shifted))


def test_a_difference_that_is_always_0_restores_nothing():
    report = check_restored_shift(softmax_with(lambda x, m, z: (x - m) - z))
    assert len(failed(report)) == 5


def test_three_operations_are_enough_for_one_order_of_size_only():
    assert failed(check_restored_shift(softmax_with(fast_from_x))) >= {
        "a large maximum, small others"
    }
    assert failed(check_restored_shift(softmax_with(fast_from_m))) >= {
        "a small maximum, large others"
    }
    assert (
        check_restored_shift(softmax_with(fast_from_x)).reasons["a small maximum, large others"]
        is None
    )


def test_the_wrong_sign_doubles_the_error():
    assert len(failed(check_restored_shift(softmax_with(knuth, sign=-1)))) == 5


def test_dekkers_product_passes():
    assert check_two_product(two_product)
    assert check_two_product(split_product(2.0**27 + 1))


def test_exact_fractions_pass():
    def by_fractions(a, b):
        p = a * b
        exact = [Fraction(x) * Fraction(y) for x, y in zip(np.ravel(a), np.ravel(b), strict=True)]
        t = [float(e - Fraction(r)) for e, r in zip(exact, np.ravel(p), strict=True)]
        return p, np.reshape(t, np.shape(p))

    assert check_two_product(by_fractions)


def test_the_starter_of_two_product_finds_no_error():
    report = check_two_product(starter_two_product)
    assert failed(report) == set(report.reasons) - {"whole numbers (3, 5)"}
    assert "of 1000: p + t misses a·b" in report.reasons["arrays of 1000 random factors"]


@pytest.mark.parametrize("splitter", [2.0**24 + 1, 2.0**30 + 1])
def test_halves_of_the_wrong_size_fail(splitter):
    assert check_two_product(split_product(splitter)).reasons["arrays of 1000 random factors"]


def test_a_product_in_float32_or_a_single_number_is_refused():
    assert not check_two_product(lambda a, b: a * b)
    report = check_two_product(lambda a, b: (np.float32(a * b), np.float32(0) * np.float32(a)))
    assert report.reasons["(0.1, 0.1)"] == "float64 was asked for, this is float32"


def test_a_product_that_is_not_rounded_to_nearest_is_refused():
    report = check_two_product(
        lambda a, b: (np.nextafter(a * b, 0), a * b - np.nextafter(a * b, 0))
    )
    assert report.reasons["whole numbers (3, 5)"] == "p is not the rounded product"


_PRINTED = {3.0, 0.1, 1 + 2.0**-52, 1 / 3, 1e100}


@pytest.mark.parametrize(
    ("check", "answer", "message"),
    [
        (
            check_restored_shift,
            softmax_with(fast_from_x),
            "Hint: (x - z) - m is exact only where x is the larger of the two: use TwoSum",
        ),
        (
            check_restored_shift,
            softmax_with(fast_from_m),
            "Hint: x - (m + z) is exact only where m is the larger of the two: use TwoSum",
        ),
        (
            check_restored_shift,
            softmax_with(knuth, sign=-1),
            "Hint: the sign of the correction is wrong: it doubles the error",
        ),
        (check_two_product, lambda a, b: a * b, "return 2 results, p and t; got one float64"),
        (check_two_product, split_product(2.0**24 + 1), "p + t misses a·b by up to"),
        (
            check_two_product,
            lambda a, b: (np.float32(a) * np.float32(b), 0.0 * a),
            "float64 was asked for, this is float32",
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
        (check_restored_shift, lambda x: softmax_shifted(x).astype(np.float32), "close logits"),
        (
            check_restored_shift,
            lambda x: softmax_twosum(x) if x.shape != (3,) or x[0] == 1 else x,
            "a drawn case",
        ),
        (
            check_two_product,
            lambda a, b: two_product(a, b) if np.ndim(a) or abs(a) in _PRINTED else (a * b, 0.0),
            "a drawn case",
        ),
    ],
)
def test_a_wrong_answer_of_a_kind_that_once_passed_is_refused(check, answer, case):
    assert case in {name for name, why in check(answer).reasons.items() if why}


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (check_two_product, lambda a, b: list(two_product(a, b))),
        (check_two_product, lambda a, b: np.array(two_product(a, b))),
        (check_two_product, lambda a, b: [part.tolist() for part in two_product(a, b)]),
        (check_restored_shift, lambda x: softmax_twosum(x).tolist()),
    ],
)
def test_a_right_answer_of_another_form_passes(check, answer):
    assert check(answer)
