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
    TF32,
    cross_entropy_exact,
    cross_entropy_gradient_shifted,
    cross_entropy_log1p,
    cross_entropy_shifted,
    logsumexp_shifted,
    round_to,
    softmax_shifted,
    ulp,
    ulp_error,
)
from stable_softmax.experiments.low_precision import (
    gradient_in_format,
    losses_in_format,
    odds_change,
)
from stable_softmax.ladder.wider import cross_entropy_wider
from stable_softmax.libraries.adapters import is_installed


def last_layer():
    rng = np.random.default_rng(0)
    hidden, weights = np.maximum(rng.normal(size=(2048, 64)), 0), rng.normal(size=(64, 100))
    x = hidden @ weights
    return hidden, weights, x, np.argmax(x + rng.gumbel(size=x.shape), axis=1)


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
    hidden, weights, _, labels = last_layer()
    exact, mean = losses_in_format(hidden, weights, labels, FP64)
    loss, batch = {}, {}
    for step in ("operands", "product", "exponentials", "losses", "mean"):
        losses, m = losses_in_format(hidden, weights, labels, fmt, (step,))
        loss[step], batch[step] = np.median(np.abs(losses - exact)), abs(m / mean - 1)
    assert loss["product"] > 3 * loss["operands"]
    assert batch["mean"] > 100 * batch["operands"]
    assert loss["exponentials"] < loss["operands"] / 3
    assert loss["losses"] < loss["operands"] / 3


def test_logits_in_two_formats_spoil_the_sum_of_a_row():
    """
    With the log-sum-exp of bfloat16 logits, probabilities of the same bfloat16 logits sum to 1 and
    probabilities of the unrounded logits do not.
    """
    *_, x, _ = last_layer()
    stored = round_to(x, BF16).astype(float)
    lse = logsumexp_shifted(stored)[:, np.newaxis]
    # a difference of numbers below 64 in float64, and a sum of 100 terms
    np.testing.assert_allclose(np.exp(stored - lse).sum(axis=1), 1, rtol=200 * 2**-53 * 64)
    sums = np.exp(x - lse).sum(axis=1)
    assert [f"{sums.min():.2f}", f"{sums.max():.2f}"] == ["0.94", "1.10"]
    # the text allows for half an ulp at 160 in each direction
    assert odds_change(160, BF16) == np.expm1(0.5)
    assert [round(100 * np.expm1(d)) for d in (0.5, -0.5)] == [65, -39]


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


def test_a_number_above_464_is_nan_in_the_e4m3_of_ml_dtypes_and_448_in_that_of_pytorch():
    numbers = np.array([464, 465, 70_000, np.inf, -np.inf])
    with np.errstate(over="ignore", invalid="ignore"):
        stored = numbers.astype(E4M3.dtype).astype(float)
    np.testing.assert_array_equal(stored, [448, *[np.nan] * 4])
    torch = pytest.importorskip("torch")
    if tuple(map(int, torch.__version__.split(".")[:2])) < (2, 13):
        pytest.skip("what earlier versions do was not tried")
    stored = torch.tensor(numbers).to(torch.float8_e4m3fn).tolist()
    assert stored == [448, 448, 448, 448, -448]


@pytest.mark.skipif(not is_installed("torch"), reason="PyTorch is not installed")
@pytest.mark.parametrize("fmt", [BF16, FP16, E5M2], ids=str)
def test_where_there_is_an_infinity_the_libraries_agree(fmt):
    import torch

    numbers = np.array([1e-9, 300, 465, 70_000, -1e9, -np.inf])
    with np.errstate(over="ignore"):
        ours = numbers.astype(fmt.dtype).astype(float)
    theirs = torch.tensor(numbers).to(getattr(torch, fmt.dtype_name)).float()
    np.testing.assert_array_equal(ours, theirs)


def test_operands_of_tf32_do_what_those_of_float16_do():
    hidden, weights, _, labels = last_layer()
    exact, _ = losses_in_format(hidden, weights, labels, FP64)
    short = [np.rint(a / ulp(a, TF32)) * ulp(a, TF32) for a in (hidden, weights)]
    tf32, _ = losses_in_format(*short, labels, FP64)
    fp16, _ = losses_in_format(hidden, weights, labels, FP16, ("operands",))
    errors = [np.median(np.abs(losses - exact)) for losses in (tf32, fp16)]
    assert errors[0] == pytest.approx(errors[1], rel=0.01)  # but for a few subnormals of float16


@pytest.mark.skipif(not is_installed("torch"), reason="PyTorch is not installed")
def test_under_autocast_the_logits_of_the_loss_are_rounded():
    import torch

    hidden, weights, _, labels = last_layer()
    exact, _ = losses_in_format(hidden, weights, labels, FP64)
    rounded, _ = losses_in_format(hidden, weights, labels, BF16, ("operands", "logits"))
    h, w = (torch.tensor(a, dtype=torch.float32) for a in (hidden, weights.T.copy()))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        x = torch.nn.functional.linear(h, w)
        losses = torch.nn.functional.cross_entropy(x, torch.tensor(labels), reduction="none")
    assert (x.dtype, losses.dtype) == (torch.bfloat16, torch.float32)
    errors = [np.median(np.abs(a - exact)) for a in (losses.numpy(), rounded)]
    assert errors[0] == pytest.approx(errors[1], rel=0.05)  # the order of its sums is its own
