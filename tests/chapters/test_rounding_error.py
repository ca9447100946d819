"""What the summary of the chapter rounding_error states, asserted."""

import numpy as np

from stable_softmax import (
    FP32,
    logsumexp_exact,
    relative_error,
    softmax_bound_division_free,
    softmax_exact,
    softmax_from_logsumexp,
    softmax_naive,
    softmax_shifted,
)
from stable_softmax.measure.conditioning import (
    condition_number_softmax,
    softmax_shifted_by,
    sum_pairwise,
    sum_sequential,
)

U = FP32.unit_roundoff


def in_u(p, exact):
    """The relative errors of p in units of u."""
    return relative_error(p, exact) / U


def logits_up_to_80():
    return np.random.default_rng(0).uniform(0, 80, size=(20, 100))


def test_the_input_decides_the_last_digits():
    """
    Rounding 100 logits between 0 and 80 to float32 moves a probability by more than 50 u, before
    any program runs; the condition number times u bounds it.
    """
    z = logits_up_to_80()
    x = z.astype(np.float32)
    moved = in_u(softmax_exact(z), softmax_exact(x, dtype="fp64"))
    assert np.max(moved) > 50
    # to first order: the products of two roundings are at most (160 u)**2
    assert np.all(moved <= condition_number_softmax(x) + 160**2 * U)


def test_the_naive_form_is_the_more_accurate_one_where_nothing_overflows():
    """
    For 100 float32 logits between 0 and 80, where nothing overflows, the naive softmax is within
    15 u and the shifted one errs by more than 30 u.
    """
    x = logits_up_to_80().astype(np.float32)
    exact = softmax_exact(x, dtype="fp64")
    # about 5 is measured, and 12 with errors of np.exp drawn up to 2.52 ulp and a sequential sum
    assert np.max(in_u(softmax_naive(x), exact)) <= 15
    assert np.max(in_u(softmax_shifted(x), exact)) > 30


def test_a_sequential_sum_can_attain_its_bound():
    """
    With one logit 0 and 50,000 logits -16.7 in float32, a sum from left to right returns 1 and
    every probability is off by more than 40,000 u; a sum by halves stays within 25 u.
    """
    x = np.full(50_001, -16.7, dtype=np.float32)
    x[0] = 0
    exact = softmax_exact(x, dtype="fp64")
    assert sum_sequential(np.exp(x)) == 1
    assert np.min(in_u(softmax_shifted_by(sum_sequential, x), exact)) > 40_000
    assert np.max(in_u(softmax_shifted_by(sum_pairwise, x), exact)) <= 25


def test_the_division_free_form_attains_its_bound():
    """
    At a common offset of 65,536 in float32, the division-free softmax attains more than 0.9 of
    its bound and misses the sum 1 by as much; the shifted softmax stays within 15 u.
    """
    x = (65536 + np.random.default_rng(0).normal(size=(40, 100))).astype(np.float32)
    exact, lse = softmax_exact(x, dtype="fp64"), logsumexp_exact(x, dtype="fp64")
    bound = softmax_bound_division_free(100, lse, np.max(np.abs(x - lse[:, np.newaxis]), axis=1))
    p = softmax_from_logsumexp(x)
    assert np.max(np.max(in_u(p, exact), axis=1) / bound) > 0.9
    assert np.max(np.abs(np.sum(p.astype(np.float64), axis=1) - 1) / U / bound) > 0.9
    assert np.max(in_u(softmax_shifted(x), exact)) <= 15


def test_with_the_measured_error_of_exp_the_bound_holds_for_few_classes():
    # every float32 number from -32 to -64; the float64 exponential is wrong by a few 2**-53
    z = np.float32(-np.arange(2**23, 2**24) / 2**18)
    alpha = np.max(in_u(np.exp(z), np.exp(z.astype(np.float64))))
    rng = np.random.default_rng(0)
    for n in (2, 3, 4):
        x = rng.uniform(-10, 10, size=(20_000, n)).astype(np.float32)
        exact = softmax_naive(x.astype(np.float64))  # wrong by a few 2**-53
        assert np.max(in_u(softmax_naive(x), exact)) <= n + 2 * alpha


def test_the_bound_of_theorem_4_4_as_its_authors_evaluate_it_sees_no_offset():
    n, rng = 100, np.random.default_rng(0)
    x = (65536 + rng.normal(size=(40, n))).astype(np.float32)
    exact, lse = softmax_exact(x, dtype="fp64"), logsumexp_exact(x, dtype="fp64")
    depth = np.max(np.abs(x - lse[:, np.newaxis]), axis=1)
    theirs = 1 + depth + np.abs(lse + n - np.min(x, axis=1))
    np.testing.assert_allclose(theirs, n + 1 + 2 * depth, rtol=1e-9, atol=0)  # lse is 65540
    # norm-wise, as they measure: the largest error over the largest probability
    error = np.max(np.abs(softmax_from_logsumexp(x) - exact), axis=1) / np.max(exact, axis=1) / U
    assert np.max(error / theirs) > 100
