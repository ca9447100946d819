"""What the summary of the chapter logsumexp states, asserted."""

import numpy as np
import pytest

from stable_softmax import (
    log_softmax_from_logsumexp,
    log_softmax_shifted,
    logsumexp_exact,
    logsumexp_log1p,
    logsumexp_shifted,
    ulp,
)


def test_log_sum_exp_moves_with_a_common_offset():
    """
    Log-sum-exp moves with a common offset, `lse(x + b) = lse(x) + b`; only the differences
    `x - lse(x)` stay the same.
    """
    x = np.array([1.0, 2.0, 3.0])
    # x + 5 is exact; the two results are roundings of numbers that differ by exactly 5
    assert abs(logsumexp_exact(x + 5) - (logsumexp_exact(x) + 5)) <= ulp(8.4)
    assert logsumexp_exact(x + 5) != logsumexp_exact(x)
    np.testing.assert_array_equal(log_softmax_shifted(x + 5), log_softmax_shifted(x))


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e300])
@pytest.mark.parametrize("f", [logsumexp_shifted, logsumexp_log1p])
def test_the_shifted_form_is_finite_and_between_its_bounds(f, scale):
    """
    The shifted form is finite for finite logits, and its result lies between `max(x)` and
    `max(x) + log(n)`, up to rounding.
    """
    x = scale * np.random.default_rng(0).normal(size=(500, 10))
    m, lse = np.max(x, axis=-1), f(x)
    assert np.all(np.isfinite(lse))
    assert np.all(m <= lse)
    assert np.all(lse <= (m + np.log(10)) + 2 * ulp(m + np.log(10)))  # two roundings


def test_the_log1p_form_keeps_what_the_shifted_form_loses():
    """
    The shifted form returns 0 for `lse([0, -40])`, and the log1p form returns the true 4.25e-18.
    """
    x = np.array([0.0, -40.0])
    assert logsumexp_shifted(x) == 0
    assert f"{logsumexp_exact(x):.2e}" == "4.25e-18"
    # one exp and one log1p, each within two ulp on any machine
    assert abs(logsumexp_log1p(x) - logsumexp_exact(x)) <= 4 * ulp(logsumexp_exact(x))


def test_the_order_of_operations_decides_at_a_large_offset():
    """
    For two equal float32 logits of 1e8, `x - (m + log(s))` returns 0 and `(x - m) - log(s)`
    returns the correctly rounded `log(1/2)`.
    """
    x = np.full(2, 1e8, dtype=np.float32)
    np.testing.assert_array_equal(log_softmax_from_logsumexp(x), [0, 0])
    np.testing.assert_array_equal(log_softmax_shifted(x), np.float32(np.log(0.5)))
