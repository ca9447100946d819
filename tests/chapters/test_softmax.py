import numpy as np
import pytest

from stable_softmax import (
    FP32,
    FP64,
    exp_exact,
    relative_error,
    softmax_exact,
    softmax_naive,
    softmax_shifted,
)
from stable_softmax.experiments.training import load_digits_split

LOGITS = np.random.default_rng(0).normal(scale=3, size=(50, 10))
BATCH = np.array([[3.0, 1.0, 0.0], [0.0, 2.0, 1.0], [1.0, 0.0, 2.0]])  # of the chapter


@pytest.mark.parametrize("shift", [-300.0, -1.0, 0.5, 10.0, 300.0])
def test_adding_one_number_to_all_logits_leaves_the_softmax_unchanged_up_to_rounding(shift):
    """Adding one number to all logits leaves the softmax unchanged up to rounding, because only
    differences of logits count."""
    p, shifted = softmax_naive(LOGITS), softmax_naive(LOGITS + shift)
    # the rounding of x + shift, magnified by exp into at most |x + shift| u for each exponential,
    # hence twice that for a quotient, and n + 3 roundings on either side
    allowed = 2 * np.max(np.abs(LOGITS + shift)) + 2 * (10 + 3)
    assert np.all(np.abs(shifted - p) <= allowed * FP64.unit_roundoff * p)


def test_along_the_wrong_axis_the_rows_do_not_sum_to_1_and_a_batch_of_one_row_gives_only_ones():
    """Normalized along the wrong axis, a batch still gives numbers between 0 and 1, but its rows
    do not sum to 1, and a batch of one row gives only ones."""
    wrong = softmax_naive(BATCH, axis=0)
    assert np.all((wrong > 0) & (wrong < 1))
    assert np.array_equal(wrong.argmax(axis=-1), softmax_naive(BATCH).argmax(axis=-1))
    assert np.all(np.abs(wrong.sum(axis=-1) - 1) > 0.04)
    assert np.all(softmax_naive(BATCH[:1], axis=0) == 1)


def test_a_large_temperature_is_uniform_and_a_small_one_chooses_the_largest_logit():
    """Dividing the logits by a temperature T leads to the uniform distribution for large T and to
    all probability at the largest logit for small T."""
    hot = softmax_naive(LOGITS / 1e9)
    # logits of at most 12 / 1e9 move the probabilities by at most twice that
    assert np.all(np.abs(hot - 0.1) <= 0.1 * 2.5 * np.max(np.abs(LOGITS)) / 1e9)
    cold = softmax_naive((LOGITS - LOGITS.max(axis=-1, keepdims=True)) / 1e-6)
    assert np.array_equal(cold, np.eye(10)[LOGITS.argmax(axis=-1)])


def test_in_float16_a_small_temperature_gives_nan_unless_the_maximum_is_subtracted_first():
    """In float16 a small temperature makes the naive softmax nan, and subtracting the maximum
    before the division prevents it."""
    x = np.array([2.875, 2.955, 11.0625], dtype=np.float16)
    with pytest.warns(RuntimeWarning, match="overflow encountered in divide"):
        divided = x / 1e-4
    with np.errstate(invalid="ignore", over="ignore"):
        assert np.isnan(softmax_naive(divided)[2])
        assert np.isnan(softmax_shifted(divided)[2])  # too late: inf - inf
        repaired = softmax_naive((x - x.max()) / 1e-4)
    assert repaired.dtype == np.float16
    assert np.array_equal(repaired, [0, 0, 1])


@pytest.mark.parametrize("n", [2, 3, 5, 10, 100])
def test_a_second_softmax_is_at_most_e_over_e_plus_n_minus_1_so_the_loss_has_a_floor(n):
    """A second softmax gives no class more than e/(e + n - 1), so the loss never falls below
    log(1 + (n - 1)/e)."""
    largest, floor = np.e / (np.e + n - 1), np.log1p((n - 1) / np.e)
    logits = np.random.default_rng(n).normal(scale=20, size=(200, n))
    twice = softmax_naive(softmax_naive(logits))
    slack = (n + 10) * FP64.unit_roundoff  # n + 3 of the softmax, the rest for the bound itself
    assert np.all(twice <= largest * (1 + slack))
    assert np.all(-np.log(twice) >= floor - 2 * slack)
    one_hot = softmax_naive(np.eye(n)[0])  # the bound is attained
    assert abs(one_hot[0] - largest) <= slack * largest
    assert {3: 0.551, 5: 0.905, 10: 1.461, 100: 3.622}.get(n, round(floor, 3)) == round(floor, 3)


U = FP32.unit_roundoff


@pytest.mark.parametrize("n", [2, 3, 4, 10, 300])
def test_each_probability_is_off_by_at_most_n_plus_twice_alpha(n):
    """Where nothing leaves the format, each probability of the naive softmax is off by at most
    n + 2α units of roundoff, if the exponential is off by at most α of them."""
    x = np.random.default_rng(n).uniform(-40, 40, size=(60_000 // n, n)).astype(np.float32)
    e, exact = np.exp(x), softmax_exact(x, dtype=FP64)
    alpha = relative_error(e, exp_exact(x, dtype=FP64)).max() / U
    bound = (n + 2 * alpha) * 1.0001  # for the products of two errors, which were dropped
    left_to_right = e / np.cumsum(e, axis=-1)[:, -1:]
    for computed in (softmax_naive(x), left_to_right):
        assert relative_error(computed, exact).max() / U <= bound


def test_where_exp_errs_by_more_than_u_two_classes_can_err_by_more_than_n_plus_3():
    row = np.array([1.0411971, 9.581122], dtype=np.float32)
    exact = exp_exact(row, dtype=FP64)
    alpha = relative_error(np.exp(row), exact) / U
    if alpha.max() < 1.5:
        pytest.skip("this processor's exp is more accurate than the one of the chapter")
    errors = relative_error(softmax_naive(row), softmax_exact(row, dtype=FP64)) / U
    assert 2 + 3 < errors[0] <= 2 + 2 * alpha.max()


def test_scipy_normalizes_a_batch_as_one_row():
    special = pytest.importorskip("scipy.special")
    p = special.softmax(BATCH)
    assert abs(p.sum() - 1) <= 20 * FP64.unit_roundoff
    assert np.all(p.sum(axis=-1) < 0.6)


def test_a_layer_of_mean_images_gives_a_6_two_thirds_of_the_probability():
    pytest.importorskip("sklearn")
    x_train, y_train, x_test, y_test = load_digits_split()
    means = np.array([x_train[y_train == d].mean(axis=0) for d in range(10)])
    p = softmax_naive(x_test[0] @ means.T - np.sum(means**2, axis=-1) / 2)
    assert y_test[0] == p.argmax() == 6
    assert abs(p.max() - 2 / 3) < 0.01
