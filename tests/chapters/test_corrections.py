import numpy as np
import pytest

from stable_softmax import (
    FP64,
    central_difference,
    log_softmax_jacobian,
    log_softmax_shifted,
    logsumexp_in_blocks,
    relative_error,
    softmax_exact,
    softmax_in_blocks,
    softmax_naive,
    softmax_shifted,
)
from stable_softmax.experiments.training import LOSSES, load_digits_split, train
from stable_softmax.network import forward


def test_the_interval_from_minus_90_to_90_is_not_the_safe_one_in_float32():
    """In float32 the naive softmax is nan for logits 89 and 88, inside the interval from -90 to
    90, and right to six digits for -90 and -91."""
    inside = np.array([89, 88], dtype=np.float32)
    with pytest.warns(RuntimeWarning, match="overflow"), np.errstate(invalid="ignore"):
        assert np.isnan(softmax_naive(inside)).any()
    x = np.array([-90, -91], dtype=np.float32)
    exact = softmax_exact(x, dtype=FP64)
    # exp(-91) is k times the smallest subnormal with k > 2e5: half a unit is 2.5e-6 of it
    assert np.all(np.abs(softmax_naive(x) - exact) <= 5e-6 * exact)


def test_the_derivative_of_log_p_is_1_minus_p_on_the_diagonal_and_minus_p_beside_it():
    """The derivative of `log(p[i])` with respect to `x[j]` is `1 - p[i]` for j = i and `-p[j]` for
    every other j."""
    x = np.array([2.0, 1.0, 0.1])
    p = softmax_exact(x)
    for i in range(3):
        row = np.where(np.arange(3) == i, 1 - p, -p)
        measured = central_difference(lambda z, i=i: log_softmax_shifted(z)[i], x, 6e-6)
        # h² from the formula, and a few u / h from rounding: about 1e-10
        np.testing.assert_allclose(measured, row, rtol=0, atol=1e-9)
        # 1 - p and p carry a few roundings each
        np.testing.assert_allclose(
            log_softmax_jacobian(x)[i], row, rtol=0, atol=8 * FP64.unit_roundoff
        )


def test_zero_is_the_correctly_rounded_softmax_746_below_the_largest_logit():
    """In float64 zero is the correctly rounded softmax of a logit that lies 746 below the
    largest."""
    x = np.array([0.0, -746.0])
    assert np.array_equal(softmax_exact(x), [1, 0])
    assert np.array_equal(softmax_shifted(x), [1, 0])
    assert softmax_exact(np.array([0.0, -745.0]))[1] > 0


def test_a_log_softmax_of_probabilities_is_not_one_of_logits():
    """A log-softmax of probabilities is not a log-softmax of logits: for the logits 10, 0 and 0 it
    gives the first class -0.55 instead of -0.00009."""
    x = np.array([10.0, 0.0, 0.0])
    assert round(log_softmax_shifted(softmax_shifted(x))[0], 2) == -0.55
    assert round(log_softmax_shifted(x)[0], 5) == -0.00009


def test_in_float16_a_mask_of_minus_1e6_is_minus_infinity_or_an_error():
    """In float16 there is no -1e6: as a mask it becomes -inf or an error."""
    x = np.zeros(3, dtype=np.float16)
    with pytest.warns(RuntimeWarning, match="overflow encountered in cast"):
        x[2] = -1e6
    assert np.isneginf(x[2])
    torch = pytest.importorskip("torch")
    with pytest.raises(RuntimeError):
        torch.zeros(3, dtype=torch.float16).masked_fill(torch.tensor([False, False, True]), -1e6)


def test_pytorch_warns_that_it_has_to_choose_a_dimension():
    torch = pytest.importorskip("torch")
    x = torch.tensor([[-1000.0, 1000.0, -1000.0]])
    with pytest.warns(UserWarning, match="Implicit dimension choice"):
        p = torch.nn.functional.softmax(x)
    assert p.tolist() == [[0, 1, 0]]


def test_a_network_trained_on_few_digits_is_surer_than_it_is_right():
    """A softmax is not calibrated by itself: a network trained on 200 digits is surer of its
    answers than it is right, and gives its wrong answers a mean probability above one half."""
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    x, y, x_test, y_test = load_digits_split(scale=1)
    data = x[:200], y[:200], x_test, y_test
    run = train(*LOSSES["from logits"], data, 0.03, steps=1000, every=1000)
    p = softmax_shifted(forward(run.parameters, x_test)[-1])
    sure, right = np.max(p, axis=-1), np.argmax(p, axis=-1) == y_test
    # measured: 0.94 against 0.89, and 0.73 where it is wrong
    assert np.mean(sure) > np.mean(right) + 0.02
    assert np.mean(sure[~right]) > 0.6


def test_a_softmax_in_blocks_has_other_bits_and_the_same_digits():
    x = np.random.default_rng(0).normal(size=(50, 4096))
    p, lse = softmax_in_blocks(x, block=4096), logsumexp_in_blocks(x, block=4096)
    np.testing.assert_array_equal(p, softmax_shifted(x))
    for block in [16, 64, 1024]:
        q = softmax_in_blocks(x, block=block)
        assert np.sum(np.all(q == p, axis=1)) < 40  # measured 6, 13 and 28
        assert np.mean(logsumexp_in_blocks(x, block=block) == lse) > 0.6
        # two sums of 4096 terms, each wrong by a few u
        assert np.max(relative_error(q, p)) < 32 * FP64.unit_roundoff
