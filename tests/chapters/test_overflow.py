"""Each statement of the summary of chapter overflow, asserted."""

import warnings

import numpy as np
import pytest

from stable_softmax import (
    FP16,
    FP32,
    FP64,
    exp_exact,
    relative_error,
    softmax_exact,
    softmax_naive,
    softmax_shifted,
)
from stable_softmax.experiments.training import load_digits_split
from stable_softmax.pitfalls import softmax_in_place, softmax_unpromoted

FORMATS = pytest.mark.parametrize("fmt", [FP64, FP32, FP16], ids=str)


@FORMATS
def test_naive_returns_nan_where_exp_overflows_and_zeros_where_only_the_sum_does(fmt):
    """The naive softmax returns nan where an exponential overflows, and zeros without any nan
    where only the sum overflows."""
    limit = fmt.exp_range[0]
    above = np.array([limit + 1, 0.0], dtype=fmt.dtype)
    with (
        pytest.warns(RuntimeWarning, match="overflow encountered in exp"),
        pytest.warns(RuntimeWarning, match="invalid value encountered in divide"),
    ):
        assert np.isnan(softmax_naive(above)[0])

    below = np.array([limit - 0.1, limit - 0.1], dtype=fmt.dtype)
    assert np.isfinite(np.exp(below)).all()
    with pytest.warns(RuntimeWarning, match="overflow encountered in reduce"):
        assert softmax_naive(below).tolist() == [0.0, 0.0]


def test_pytorch_returns_the_zeros_without_a_word():
    torch = pytest.importorskip("torch")
    for dtype, c in [(torch.float64, 709.7), (torch.float32, 88.7), (torch.float16, 11.0)]:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert softmax_naive(torch.tensor([c, c], dtype=dtype)).tolist() == [0.0, 0.0]


def test_naive_fails_in_the_middle_of_a_row_for_which_pytorch_has_an_answer():
    torch = pytest.importorskip("torch")
    x = torch.tensor([[-1000.0, 1000.0, -1000.0]])
    assert np.array_equal(softmax_naive(x).numpy(), [[0, np.nan, 0]], equal_nan=True)
    assert torch.nn.functional.softmax(x, dim=1).tolist() == [[0.0, 1.0, 0.0]]
    assert softmax_shifted(x).tolist() == [[0.0, 1.0, 0.0]]


def test_a_layer_of_mean_images_overflows_float64_on_all_but_one_image():
    pytest.importorskip("sklearn")
    x_train, y_train, x_test, _ = load_digits_split(scale=1)
    means = np.array([x_train[y_train == d].mean(axis=0) for d in range(10)])
    logits = (x_test @ means.T - np.sum(means**2, axis=-1) / 2).astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        assert np.isnan(softmax_naive(logits)).any(axis=-1).sum() == len(logits) - 1 == 449
    assert np.isfinite(softmax_shifted(logits)).all()


@FORMATS
@pytest.mark.parametrize("n", [2, 10, 1000])
def test_naive_does_not_overflow_below_log_largest_minus_log_n(fmt, n):
    """With n classes the naive softmax does not overflow while the largest logit stays below
    log(largest) - log(n), up to rounding."""
    limit = np.log(fmt.largest) - np.log(n)
    # A logit near the limit is rounded by up to half an ulp, which exp magnifies to limit * u;
    # sum and exp add at most (n + 3) u. Twice that is a safe distance.
    margin = 2 * (limit + n + 3) * fmt.unit_roundoff
    p = softmax_naive(np.full(n, limit - margin, dtype=fmt.dtype))
    # The sum may lose n u for each term; in fp16 and n = 1000 that is half of the result.
    assert np.all(np.abs(p.astype(float) * n - 1) <= (n + 3) * fmt.unit_roundoff)
    with pytest.warns(RuntimeWarning, match="overflow"):
        assert np.all(softmax_naive(np.full(n, limit + margin, dtype=fmt.dtype)) == 0)


@FORMATS
def test_after_the_shift_only_the_number_of_classes_can_overflow(fmt):
    """After the shift by the maximum, every exponential lies between 0 and 1 and the sum between
    1 and n, so no exponential and no sum overflows unless the number of classes does."""
    x = np.random.default_rng(0).uniform(-1, 1, (50, 10)) * 0.9 * fmt.largest
    x = x.astype(fmt.dtype)
    with np.errstate(over="ignore"):  # of differences, which become -inf
        z = x - x.max(axis=-1, keepdims=True)
    assert np.isinf(z).any()
    with np.errstate(over="raise"):
        e = np.exp(z)
        s = e.sum(axis=-1)
    assert np.all((e >= 0) & (e <= 1))
    assert np.all((s >= 1) & (s <= 10))
    # Logits this far apart have no rounding error left: one class has all of the probability.
    with np.errstate(over="ignore"):
        assert np.array_equal(softmax_shifted(x), softmax_exact(x))


def test_in_float16_65520_classes_overflow_in_spite_of_the_shift():
    assert softmax_shifted(np.zeros(65_519, dtype=np.float16)).min() > 0
    with pytest.warns(RuntimeWarning, match="overflow encountered in reduce"):
        assert softmax_shifted(np.zeros(65_520, dtype=np.float16)).max() == 0


@pytest.mark.parametrize(("fmt", "spread"), [(FP64, 600), (FP32, 80)], ids=str)
def test_the_shifted_softmax_can_be_less_accurate_than_the_naive_one(fmt, spread):
    """Where nothing overflows, the shifted softmax can be less accurate than the naive one,
    because the rounding error of x - m is magnified by exp."""
    n = 10
    x = np.random.default_rng(0).uniform(0, spread, (100, n)).astype(fmt.dtype)
    # Exact values rounded to float64 serve float32; for float64 they add half an ulp, u.
    exact = softmax_exact(x, dtype=FP64)
    naive = relative_error(softmax_naive(x), exact).max() / fmt.unit_roundoff
    shifted = relative_error(softmax_shifted(x), exact).max() / fmt.unit_roundoff
    z = x - x.max(axis=-1, keepdims=True)
    alpha = max(
        relative_error(np.exp(v), exp_exact(v, dtype=FP64)).max() / fmt.unit_roundoff
        for v in (x, z)
    )
    # the bounds as the chapter counts and draws them; 1 for the rounding of the exact values
    bound = n + 2 * alpha + 1
    assert naive <= bound
    assert 3 * naive < shifted <= bound + 2 * spread
    # The naive exponentials have no such error: exp of the rounded x - m shows its source.
    from_rounded = softmax_exact(z, dtype=FP64)
    assert relative_error(softmax_shifted(x), from_rounded).max() / fmt.unit_roundoff <= bound


def test_a_shift_in_place_changes_logits_and_a_shift_of_integers_wraps_around():
    """A shift in place changes the caller's logits, and a shift of integers can wrap around."""
    logits = np.array([1000.0, 1000.0, 100.0])
    assert softmax_in_place(logits).tolist() == [0.5, 0.5, 0.0]
    assert logits.tolist() == [0.0, 0.0, -900.0]

    scores = np.array([-(2**63), 2**63 - 1])
    wrapped, right = softmax_unpromoted(scores), softmax_shifted(scores)
    assert wrapped[0] > wrapped[1]
    assert right.tolist() == [0.0, 1.0]

    pixels = np.array([0, 200, 255], dtype=np.uint8)
    with (
        pytest.warns(RuntimeWarning, match="overflow"),
        pytest.warns(RuntimeWarning, match="invalid"),
    ):
        assert np.isnan(softmax_unpromoted(pixels)).any()
    assert softmax_shifted(pixels)[2] == 1.0
