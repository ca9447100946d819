"""What the summary of the chapter speed states, asserted."""

import numpy as np
import pytest

from stable_softmax import FP32, FP64, relative_error, softmax_bound_shifted, softmax_exact
from stable_softmax.measure.memory import peak_memory
from stable_softmax.scale import blocked
from stable_softmax.scale.blocked import softmax_blocked
from stable_softmax.softmax import softmax_shifted


def test_what_is_held_besides_the_logits():
    """
    Step by step, a shifted softmax holds two arrays of the size of its logits besides them; in
    blocks, with `out=`, it holds no more than a few blocks.
    """
    x = np.zeros((2000, 1000), np.float32)
    assert 1.95 <= peak_memory(softmax_shifted, x) / x.nbytes <= 2.05
    assert peak_memory(softmax_blocked, x, out=np.empty_like(x)) <= 3 * blocked._BLOCK


@pytest.mark.parametrize("fmt", [FP32, FP64], ids=str)
def test_special_values_and_bounds_are_those_of_the_shifted_softmax(fmt):
    """
    Blocks change neither the special values nor the bounds: in float32 and float64 every result
    stays within the bound of the shifted softmax.
    """
    special = np.array([[0, -np.inf], [0, np.inf], [-np.inf, -np.inf], [0, np.nan]], fmt.dtype)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(softmax_blocked(special), softmax_shifted(special))
    for scale in (1, 10, 30):
        x = (scale * np.random.default_rng(0).normal(size=(100, 10))).astype(fmt.dtype)
        p = softmax_exact(x, dtype="fp64")
        error = relative_error(softmax_blocked(x), p)[p > fmt.smallest_normal].max()
        bound = softmax_bound_shifted(10, np.ptp(x, axis=1).max(), 3)
        assert error / fmt.unit_roundoff <= bound


def test_without_a_shift_the_error_does_not_grow_with_the_spread():
    """
    A block whose logits lie within 60 of zero in float32 needs no shift, and then its error does
    not grow with the spread of the logits.
    """
    base = np.random.default_rng(0).uniform(-0.5, 0.5, size=(200, 10))
    worst = {}
    for spread in (4, 118):
        x = (spread * base).astype(np.float32)
        p = softmax_exact(x, dtype="fp64")
        for f in (softmax_blocked, softmax_shifted):
            error = relative_error(f(x), p)[p > FP32.smallest_normal]
            worst[f, spread] = error.max() / FP32.unit_roundoff
    assert worst[softmax_blocked, 118] < 8
    assert worst[softmax_shifted, 118] > 4 * worst[softmax_blocked, 118]


def test_a_row_can_depend_on_its_neighbors():
    """
    The last bits of a row can depend on the rows beside it, because a block is shifted or not as
    a whole.
    """
    x = (20 * np.random.default_rng(0).normal(size=(1, 10))).astype(np.float32).clip(-59, 59)
    large = np.full((1, 10), 1000, np.float32)
    alone, beside = softmax_blocked(x)[0], softmax_blocked(np.concatenate([x, large]))[0]
    assert np.any(alone != beside)
    np.testing.assert_allclose(alone, beside, rtol=1e-5)


@pytest.mark.parametrize("fmt", [FP32, FP64], ids=str)
def test_a_quotient_is_1_where_a_product_may_not_be(fmt):
    """
    Dividing by the sum gives a sure class the probability 1; multiplying by the reciprocal can
    give $1 - u$.
    """
    s = np.arange(1, 100, dtype=fmt.dtype)
    np.testing.assert_array_equal(s / s, 1)
    assert set(s * (1 / s)) == {1, 1 - fmt.unit_roundoff}
