import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stable_softmax import (
    FP16,
    FP32,
    FP64,
    absolute_error,
    accurate_digits,
    central_difference,
    logsumexp_bound_naive,
    logsumexp_bound_shifted,
    logsumexp_exact,
    logsumexp_naive,
    logsumexp_shifted,
    relative_error,
    softmax_bound_division_free,
    softmax_bound_naive,
    softmax_bound_shifted,
    softmax_exact,
    softmax_from_logsumexp,
    softmax_naive,
    softmax_shifted,
    ulp_error,
)
from tests.cases import INF, NAN

TINY = FP64.smallest_subnormal

SPECIAL = [  # computed, reference, error in ulp, relative error, absolute error
    (1.0, 1.0, 0, 0, 0),
    (0.0, -0.0, 0, 0, 0),
    (TINY, 0.0, 1, INF, TINY),
    (-TINY, TINY, 2, 2, 2 * TINY),
    (0.0, TINY, 1, 1, TINY),
    (3 * TINY, TINY, 2, 2, 2 * TINY),
    (INF, INF, 0, 0, 0),
    (-INF, INF, INF, INF, INF),
    (INF, 1.0, INF, INF, INF),
    (1.0, INF, INF, INF, INF),
    (NAN, NAN, 0, 0, 0),
    (NAN, 1.0, NAN, NAN, NAN),
    (1.0, NAN, NAN, NAN, NAN),
    (NAN, INF, NAN, NAN, NAN),
]


@pytest.mark.parametrize(("computed", "reference", "in_ulp", "relative", "absolute"), SPECIAL)
def test_errors_across_zero_subnormals_infinities_and_nan(
    computed, reference, in_ulp, relative, absolute
):
    np.testing.assert_array_equal(ulp_error(computed, reference), in_ulp)
    np.testing.assert_array_equal(relative_error(computed, reference), relative)
    np.testing.assert_array_equal(absolute_error(computed, reference), absolute)


@pytest.mark.parametrize("fmt", [FP64, FP32, FP16], ids=str)
@given(data=st.data())
def test_the_next_number_is_one_ulp_away(fmt, data):
    width = 8 * fmt.dtype.itemsize
    value = data.draw(st.floats(width=width, allow_nan=False, allow_infinity=False))
    value = fmt.dtype.type(value)
    with np.errstate(over="ignore"):
        away = np.nextafter(value, fmt.dtype.type(np.copysign(INF, value)))
    if np.isfinite(away):
        assert ulp_error(away, value) == 1


def test_the_unit_is_that_of_the_computed_format():
    computed = np.float32(1.0)
    assert ulp_error(computed, 1.0 + 2.0**-24) == 0.5
    assert ulp_error(computed, 1.0 + 2.0**-24, dtype="fp64") == 2.0**28


def test_errors_broadcast():
    assert ulp_error([[1.0], [2.0]], [1.0, 2.0, 4.0]).shape == (2, 3)


def test_a_nan_is_never_hidden_by_the_worst_case():
    assert np.isnan(np.max(ulp_error([1.0, NAN], [1.0, 1.0])))


def test_accurate_digits_reach_from_zero_to_those_of_the_format():
    digits = accurate_digits([1.0, 1.001, 5.0, NAN], [1.0, 1.0, 1.0, 1.0])
    np.testing.assert_allclose(digits[:3], [-np.log10(2.0**-53), 3.0, 0.0], atol=1e-6)
    assert np.isnan(digits[3])


def test_central_difference_of_a_cubic_has_error_h_squared():
    x = np.array([1.0, -2.0])
    before = x.copy()
    gradient = central_difference(lambda v: np.sum(v**3), x, 1e-3)
    # f''' / 6 = 1, hence an error of exactly h**2 from the formula; rounding adds u/h, about 1e-13
    np.testing.assert_allclose(gradient - 3 * x**2, 1e-6, atol=1e-11)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("step", [0.0, -1e-3, NAN])
def test_a_step_that_is_not_positive_is_refused(step):
    with pytest.raises(ValueError, match="step must be positive"):
        central_difference(np.sum, [1.0], step)


@pytest.mark.parametrize("n", [2, 10, 100])
@pytest.mark.parametrize("scale", [0.1, 1.0, 20.0])
def test_measured_errors_stay_below_the_bounds(n, scale):
    # norm-wise, as the theorems are; float32, so that float64 values count as exact
    x = (scale * np.random.default_rng(1).random((200, n))).astype(np.float32)
    p, lse = softmax_exact(x, dtype=FP64), logsumexp_exact(x, dtype=FP64)

    def in_u(computed, exact):
        worst = np.abs(computed - exact).max(axis=-1) / np.abs(exact).max(axis=-1)
        return worst / FP32.unit_roundoff

    spread = (x.max(axis=-1) - x.min(axis=-1)).astype(np.float64)
    deviation = np.abs(x - lse[:, None]).max(axis=-1)
    assert np.all(in_u(softmax_naive(x), p) <= softmax_bound_naive(n))
    assert np.all(in_u(softmax_shifted(x), p) <= softmax_bound_shifted(n, spread))
    bound = softmax_bound_division_free(n, lse, deviation)
    assert np.all(in_u(softmax_from_logsumexp(x), p) <= bound)
    naive, shifted = logsumexp_naive(x), logsumexp_shifted(x)
    minimum = x.min(axis=-1).astype(np.float64)
    assert np.all(in_u(naive[:, None], lse[:, None]) <= logsumexp_bound_naive(n, lse))
    assert np.all(in_u(shifted[:, None], lse[:, None]) <= logsumexp_bound_shifted(n, lse, minimum))
