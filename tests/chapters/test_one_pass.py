import numpy as np
import pytest

from stable_softmax import (
    FP32,
    logsumexp_exact,
    logsumexp_in_blocks,
    logsumexp_shifted,
    relative_error,
    softmax_exact,
    softmax_in_blocks,
    ulp,
    ulp_error,
)
from stable_softmax.scale.one_pass import (
    ScaledSum,
    log_of,
    merge,
    merge_as_tree,
    merge_in_order,
    scaled_sum,
)

U = FP32.unit_roundoff
RISING = (np.arange(4096) / 1000).astype(np.float32)


@pytest.fixture(scope="module")
def random_rows():
    return np.random.default_rng(0).normal(size=(1000, 4096)).astype(np.float32)


@pytest.fixture(scope="module")
def pieces(random_rows):
    return [scaled_sum(random_rows[:, i : i + 64]) for i in range(0, 4096, 64)]


def error_in_u(total, x):
    exact = logsumexp_exact(x, dtype="fp64")
    return relative_error(total.s, np.exp(exact - total.m)) / U


def test_merging_is_a_sum(pieces):
    """Merging two scaled sums gives the same bits in either order, and three of them the same
    number up to a few roundings, however they are grouped."""
    a, b, c = pieces[:3]
    for one, other in zip(merge(a, b), merge(b, a), strict=True):
        np.testing.assert_array_equal(one, other)
    left, right = merge(merge(a, b), c), merge(a, merge(b, c))
    np.testing.assert_array_equal(left.m, right.m)
    assert np.any(left.s != right.s)
    # two merges on each side, exp, product and sum in each; the shifts differ by little here
    assert np.max(relative_error(left.s, right.s)) <= 16 * U


def test_a_block_of_nothing_is_the_zero_of_the_merge():
    """A block of nothing but -inf is the pair (-inf, 0), and changes nothing in a merge; without
    the guard the sum is nan there and after every later merge."""
    nothing, some = scaled_sum([-np.inf, -np.inf]), scaled_sum([1.0, 2.0])
    assert nothing == (-np.inf, 0)
    assert merge(nothing, nothing) == nothing
    assert merge(nothing, some) == merge(some, nothing) == some
    m, s = -np.inf, 0.0
    for block in np.array([[-np.inf, -np.inf], [1, 2], [3, 2]]):
        largest = np.maximum(m, np.max(block))
        with np.errstate(invalid="ignore"):
            s = s * np.exp(m - largest) + np.sum(np.exp(block - largest))
        m = largest
        assert np.isnan(s)
    assert m == 3  # the maximum recovers


def test_the_sum_of_a_rising_row():
    """On the float32 row 0, 0.001, ..., 4.095 the sum that is rescaled at every number is wrong by
    more than 500 u, and by less than 50 u in blocks of 64, in two passes, or rescaled only when
    ahead by 8."""
    numbers = [scaled_sum(v) for v in RISING]
    blocks = [scaled_sum(block) for block in RISING.reshape(64, 64)]
    two_passes = ScaledSum(RISING[-1], np.cumsum(np.exp(RISING - RISING[-1]))[-1])
    assert error_in_u(merge_in_order(numbers), RISING) > 500  # measured 1143
    assert error_in_u(merge_in_order(blocks), RISING) < 50  # 3.7
    assert error_in_u(two_passes, RISING) < 50  # 15
    assert error_in_u(merge_in_order(numbers, lead=8), RISING) < 50  # 11


def test_the_errors_of_the_factors_are_the_error_of_the_sum():
    steps = RISING[:-1] - RISING[1:]
    assert len(np.unique(steps)) == 15
    error = np.exp(steps) / np.exp(steps.astype(float)) - 1
    share = np.cumsum(softmax_exact(RISING, dtype="fp64"))[:-1]
    assert round(np.sum(share)) == 930
    total = merge_in_order(scaled_sum(v) for v in RISING)
    whole = total.s / np.exp(logsumexp_exact(RISING, dtype="fp64") - total.m) - 1
    # the products and sums, rounded to either side, leave the square root of 930 roundings or so
    assert abs(np.sum(share * error) - whole) < 60 * U


def test_near_the_maximum_is_near_enough(random_rows):
    """The shift need not be the maximum: with a lead of 8 it is at most 8 below it, and the
    log-sum-exp of random rows is right to 4 ulp."""
    x = random_rows[:20]
    total = merge_in_order((scaled_sum(column) for column in x.T[..., None]), lead=8)
    largest = np.max(x, axis=1)
    assert np.all((largest - 8 <= total.m) & (total.m <= largest))
    assert np.any(total.m < largest)
    # an error of s by some 20 u becomes 20 u / 8.8 of the logarithm, and m + log(s) is rounded
    assert np.max(ulp_error(log_of(total), logsumexp_exact(x, dtype="fp64"))) <= 4


def test_the_order_of_merging_decides_the_last_bits(pieces):
    """In blocks of 64, one after the other and as a tree, most of 1000 random rows of 4096 logits
    give different sums, and log-sum-exps that are at most 1 ulp apart."""
    line, tree = merge_in_order(pieces), merge_as_tree(pieces)
    assert np.mean(line.s != tree.s) > 0.5  # measured 0.76
    assert np.max(relative_error(line.s, tree.s)) < 16 * U  # "a few u", the spacing at 8.8
    apart = np.abs(log_of(line) - log_of(tree)) / ulp(log_of(tree))
    assert np.max(apart) == 1
    assert 0.02 < np.mean(apart > 0) < 0.3  # measured 0.09


def test_the_number_of_new_maxima_in_a_random_order():
    largest = np.maximum.accumulate(np.random.default_rng(0).normal(size=(2000, 1000)), axis=1)
    changes = np.sum(largest[:, 1:] > largest[:, :-1], axis=1)
    expected = np.sum(1 / np.arange(2, 1001))
    assert abs(expected - (np.log(1000) - 0.42)) < 0.01
    # the standard deviation of a count is about 2.2, that of a mean of 2000 counts 0.05
    assert abs(np.mean(changes) - expected) < 0.2


def test_a_block_of_64_is_as_good_as_the_row(random_rows):
    for x in (RISING[None], random_rows[:10]):
        exact = softmax_exact(x, dtype="fp64")
        whole = np.max(relative_error(softmax_in_blocks(x, block=4096), exact)) / U
        for block, join in [(64, merge_in_order), (64, merge_as_tree), (1, merge_as_tree)]:
            error = np.max(relative_error(softmax_in_blocks(x, block=block, join=join), exact)) / U
            assert error < whole + 10
    one_by_one = softmax_in_blocks(RISING, block=1)
    assert np.max(relative_error(one_by_one, softmax_exact(RISING, dtype="fp64"))) > 500 * U


def test_float16_counts_further_in_float32():
    short = np.zeros(100_000, dtype=np.float16)
    assert logsumexp_in_blocks(short, block=64) == logsumexp_exact(short)
    with pytest.warns(RuntimeWarning, match="overflow"):
        assert logsumexp_shifted(short) == np.inf
