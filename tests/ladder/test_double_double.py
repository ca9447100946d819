"""What is special to the top rung; what all rungs share is in test_rungs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stable_softmax import (
    FP64,
    cross_entropy_exact,
    cross_entropy_gradient_exact,
    log_softmax_exact,
    logsumexp_exact,
    round_to,
    softmax_exact,
    ulp_error,
)
from stable_softmax.ladder import double_double
from stable_softmax.ladder.double_double import (
    cross_entropy_double_double,
    cross_entropy_gradient_double_double,
    log_softmax_double_double,
    logsumexp_double_double,
    softmax_double_double,
)
from stable_softmax.measure.exact_parts import exact_parts
from tests.cases import ALL_FORMATS, INF, ordinary_logits, vectors

UNARY = [
    (softmax_double_double, softmax_exact),
    (log_softmax_double_double, log_softmax_exact),
    (logsumexp_double_double, logsumexp_exact),
]
BINARY = [
    (cross_entropy_double_double, cross_entropy_exact),
    (cross_entropy_gradient_double_double, cross_entropy_gradient_exact),
]


def assert_same(got, want, name):
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got.astype(float), want.astype(float), err_msg=name)


def assert_correctly_rounded(x, label=0):
    labels = np.full(x.shape[:-1], label)
    for ours, exact in UNARY:
        assert_same(ours(x), exact(x), ours.__name__)
    for ours, exact in BINARY:
        assert_same(ours(x, labels), exact(x, labels), ours.__name__)


@pytest.mark.parametrize("scale", [1, 30, 300])
@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=str)
def test_random_rows_are_correctly_rounded_in_every_format(fmt, scale):
    x = (scale * ordinary_logits(FP64)).astype(fmt.dtype)
    x = np.where(np.isfinite(x.astype(float)), x, x.dtype.type(0))
    assert_correctly_rounded(x, label=3)


@given(vectors(low=-800, high=800, max_size=6), st.integers(0, 5))
def test_any_row_is_correctly_rounded(x, label):
    # a row in a million may not be: the pairs have 70 bits, not infinitely many
    assert_correctly_rounded(x, label % x.size)


@pytest.mark.parametrize(
    "row",
    [
        [40.0, 0.0],  # a sure class
        [0.0, -744.4],  # the smallest numbers of the format
        [0.0, -745.13],
        [0.0, -745.2],  # below half of the smallest: 0
        [0.0, -708.5, -709.0],  # subnormal
        [0.0, -720.0, -720.0],
        [0.0, 1e-300],  # differences that are no exponent at all
        [1e-310, 0.0],
        [5e-324, 0.0, -5e-324],
        [1.7e308, -1.7e308],  # a difference outside of float64
        [1e308, 1e308, 1e308],
        [-1e308, -1e308],
        [-np.log(2.0), -np.log(2.0)],  # log-sum-exp cancels
        [-np.log(3.0)] * 3,
        [2.0**53, 2.0**53 - 1],
        [1e16, 0.5, -0.5],
        [3.0, -INF, 3.0, -INF],  # ties and masks
        [0.0, -2000.25, -2000.75],  # ties of x - m, decided by exp(-2000)
        [2.0**52, -0.5],
        [FP64.largest, 2.0**1022 - 2.0**970, -1.0],  # a part of TwoSum would overflow
        [2.0**970 - 2.0**1022, -FP64.largest],
        [FP64.largest, -FP64.largest],
        [-5e-324, -708.4, -708.4, -708.4],  # a log-sum-exp next to the subnormal numbers
        [-8.74794943047727e-291, -668.3249764973376, -669.1892199163997, -670.3369815431236],
    ],
    ids=str,
)
def test_awkward_rows_are_correctly_rounded(row):
    for label in range(len(row)):
        assert_correctly_rounded(np.array(row), label)


def test_log_sum_exp_is_right_where_it_cancels_to_almost_nothing():
    x = np.random.default_rng(0).normal(size=(300, 10))
    x = x - logsumexp_exact(x)[:, np.newaxis]
    exact = logsumexp_exact(x)
    assert np.max(np.abs(exact)) < 1e-15
    np.testing.assert_array_equal(logsumexp_double_double(x), exact)


LOG_PROBABILITIES = {
    "of two classes": np.random.default_rng(1).normal(size=(400, 2)),
    "of a thousand": np.random.default_rng(1).normal(size=(20, 1000)),
    "far apart": 100 * np.random.default_rng(1).normal(size=(100, 20)),
    "of a sure class": np.pad(
        np.random.default_rng(1).uniform(-200, 0, (200, 4)), ((0, 0), (0, 1))
    ),
    "masked": np.where(np.arange(12) % 3, np.random.default_rng(1).normal(size=(50, 12)), -INF),
}


@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=str)
@pytest.mark.parametrize("rows", LOG_PROBABILITIES)
def test_log_sum_exp_of_log_probabilities_is_right_in_every_format(rows, fmt):
    x = round_to(log_softmax_double_double(LOG_PROBABILITIES[rows]), fmt)
    assert_same(logsumexp_double_double(x), logsumexp_exact(x), rows)


def test_finding_d6_log_probabilities_hardly_need_decimal_numbers(monkeypatch):
    # a row of a thousand took 190 times as long as its logits, all of it in decimal numbers
    slow = []
    decimal = double_double._logsumexp_decimal
    monkeypatch.setattr(
        double_double, "_logsumexp_decimal", lambda *row: slow.append(row) or decimal(*row)
    )
    for x in LOG_PROBABILITIES.values():
        logsumexp_double_double(log_softmax_double_double(x))
    assert len(slow) <= sum(map(len, LOG_PROBABILITIES.values())) / 100


def test_log_sum_exp_is_right_where_half_of_its_digits_cancel():
    x = np.random.default_rng(0).normal(size=(2000, 10))
    x = np.round((x - logsumexp_exact(x)[:, np.newaxis]) * 2**24) / 2**24
    np.testing.assert_array_equal(logsumexp_double_double(x), logsumexp_exact(x))


@pytest.mark.parametrize("size", [1e-20, 1e-30, 1e-60, 1e-150, 1e-300, 1e-310])
def test_log_sum_exp_is_right_where_a_tiny_maximum_cancels(size):
    # 1 + size has more than 60 digits
    row = np.array([-size, np.log(size)])
    assert_correctly_rounded(row)
    assert abs(logsumexp_exact(row)) < 1e-10 * size


def test_long_rows_go_through_several_blocks_and_one_long_sum():
    x = np.random.default_rng(0).normal(size=(3, 20_000))
    np.testing.assert_array_equal(softmax_double_double(x), softmax_exact(x))
    many = np.random.default_rng(0).normal(size=(9000, 5))
    np.testing.assert_array_equal(logsumexp_double_double(many), logsumexp_exact(many))


def test_tensors_are_refused_with_the_function_to_use():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    for f, _ in UNARY:
        with pytest.raises(TypeError, match="the ones named ..._wider take tensors"):
            f(torch.zeros(3))
    for f, _ in BINARY:
        with pytest.raises(TypeError, match="the ones named ..._wider take tensors"):
            f(torch.zeros(3), 0)


def test_the_top_rung_is_not_correctly_rounded_where_logits_differ_by_a_few_ulp():
    # the exact value is below the middle of two numbers by 1e-31 ulp, and we return the upper one
    x = np.array([[0.0, 3 * 2.0**-52]])
    head, rest = exact_parts(x, [0])["softmax"]
    got = softmax_double_double(x)
    assert got[0, 1] == head[0, 1] + 2.0**-53 != softmax_exact(x)[0, 1]
    assert ulp_error(got, head, remainder=rest)[0, 1] <= 0.5 + 1e-9
