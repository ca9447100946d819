"""What the summary of the chapter low_precision states, asserted."""

import numpy as np
import pytest

from stable_softmax import (
    BF16,
    E4M3,
    E5M2,
    FORMATS,
    FP16,
    FP64,
    cross_entropy_exact,
    cross_entropy_gradient_shifted,
    cross_entropy_log1p,
    cross_entropy_shifted,
    round_to,
    softmax_shifted,
    ulp_error,
)
from stable_softmax.experiments.low_precision import (
    gradient_in_format,
    losses_in_format,
    odds_change,
)
from stable_softmax.ladder.wider import cross_entropy_wider


def test_the_rounding_of_a_logit_multiplies_the_odds():
    """
    Rounding a logit multiplies the odds of its class by up to $e^{\\mathrm{ulp}/2}$: a logit of
    100 by 1.28 in bfloat16 and 1.032 in float16, a logit of 30 by 2.7 in e4m3 and 7.4 in e5m2.
    """
    assert f"{1 + odds_change(100, BF16):.2f}" == "1.28"
    assert f"{1 + odds_change(100, FP16):.3f}" == "1.032"
    assert f"{1 + odds_change(30, E4M3):.1f}" == "2.7"
    assert f"{1 + odds_change(30, E5M2):.1f}" == "7.4"
    pair = np.array([100.25, 99.75])
    np.testing.assert_array_equal(round_to(pair, BF16), [100, 100])


@pytest.mark.parametrize("name", ["fp16", "bf16", "e4m3", "e5m2"])
def test_a_sum_of_ones_stops(name):
    """
    A running sum of ones stops at $2^k$ in a format with $k$ bits, so the softmax of 10,000 equal
    logits, computed in bfloat16, returns 1/256 for each.
    """
    fmt = FORMATS[name]
    assert np.cumsum(np.ones(10_000, fmt.dtype))[-1] == 2**fmt.precision
    p = softmax_shifted(np.zeros(10_000, BF16.dtype))
    np.testing.assert_array_equal(p, 1 / 256)


def test_a_sure_sample_and_many_classes():
    """
    The shifted loss of a sure sample is exactly 0 above a gap of $k \\log 2$ in a format with $k$
    bits, 5.5 in bfloat16 and 7.6 in float16; log1p keeps its digits, but not those of 10,000 equal
    logits, and the wider form keeps both to half an ulp.
    """
    for fmt, limit in ((BF16, "5.5"), (FP16, "7.6")):
        last = fmt.precision * np.log(2)
        assert f"{last:.1f}" == limit
        gap = np.arange(0, 8, 1 / 32)  # numbers of both formats
        x = np.stack([gap, 0 * gap], axis=1).astype(fmt.dtype)
        labels = np.zeros(len(gap), dtype=int)
        exact = cross_entropy_exact(x, labels, dtype=FP64)
        shifted = cross_entropy_shifted(x, labels)
        assert np.all(shifted[gap < last] > 0)
        assert np.all(shifted[gap > last] == 0)
        # two roundings of results and the accuracy of exp and log1p in the format
        assert np.max(ulp_error(cross_entropy_log1p(x, labels), exact)) <= 2
        assert np.max(ulp_error(cross_entropy_wider(x, labels), exact)) <= 0.501
    equal = np.zeros((1, 10_000), BF16.dtype)
    assert ulp_error(cross_entropy_log1p(equal, [0]), np.log(1e4)) > 50
    assert ulp_error(cross_entropy_wider(equal, [0]), np.log(1e4)) <= 0.501


@pytest.mark.parametrize("fmt", [BF16, FP16], ids=str)
def test_sums_do_more_harm_than_operands_and_finished_results_less(fmt):
    """
    Rounding the running sum of the mean or of the matrix product does more harm than rounding the
    operands, and rounding the finished exponentials or losses does less.
    """
    rng = np.random.default_rng(0)
    hidden, weights = np.maximum(rng.normal(size=(2048, 64)), 0), rng.normal(size=(64, 100))
    x = hidden @ weights
    labels = np.argmax(x + rng.gumbel(size=x.shape), axis=1)
    exact, mean = losses_in_format(hidden, weights, labels, FP64)
    loss, batch = {}, {}
    for step in ("operands", "product", "exponentials", "losses", "mean"):
        losses, m = losses_in_format(hidden, weights, labels, fmt, (step,))
        loss[step], batch[step] = np.median(np.abs(losses - exact)), abs(m / mean - 1)
    assert loss["product"] > 3 * loss["operands"]
    assert batch["mean"] > 100 * batch["operands"]
    assert loss["exponentials"] < loss["operands"] / 3
    assert loss["losses"] < loss["operands"] / 3


def test_a_loss_scale_brings_back_what_underflows():
    """
    A loss scale that is a power of two brings back nearly all entries of a gradient that
    underflow in float16, until the largest entry overflows; bfloat16 needs none.
    """
    rng = np.random.default_rng(0)
    x, y = 3 * rng.normal(size=(64, 1000)), rng.integers(0, 1000, 64)
    gradient = cross_entropy_gradient_shifted(x, y) / len(x)
    zeros = {k: np.mean(gradient_in_format(gradient, FP16, 2.0**k) == 0) for k in (0, 16)}
    assert zeros[0] > 0.2
    assert zeros[16] < 1e-3
    assert np.any(np.isinf(gradient_in_format(gradient, FP16, 2.0**24)))
    assert not np.any(gradient_in_format(gradient, BF16) == 0)
