"""Each statement of the summary of chapter underflow, asserted."""

import warnings

import numpy as np
import pytest

from stable_softmax import (
    BF16,
    FP16,
    FP32,
    FP64,
    log_softmax_exact,
    log_softmax_shifted,
    log_softmax_two_step,
    relative_error,
    softmax_exact,
    softmax_naive,
    softmax_shifted,
)

ALL = pytest.mark.parametrize("fmt", [FP64, FP32, FP16, BF16], ids=str)
NUMPY = pytest.mark.parametrize("fmt", [FP64, FP32, FP16], ids=str)


def _row(c, fmt):
    return np.array([c, c - 1, c - 2]).astype(fmt.dtype)


@NUMPY
def test_underflow_is_silent_and_the_first_warning_is_that_of_the_division(fmt):
    """Underflow is silent: NumPy ignores it by default, and its first warning is that of the
    division 0/0."""
    assert np.geterr()["under"] == "ignore"
    zero = fmt.exp_range[2]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert softmax_naive(_row(zero + 1.5, fmt))[2] == 0
    with pytest.warns(RuntimeWarning) as caught:
        assert np.isnan(softmax_naive(_row(zero - 1, fmt))).all()
    assert [str(w.message) for w in caught] == ["invalid value encountered in divide"]


@pytest.mark.parametrize(("kind", "expected"), [("warn", RuntimeWarning), ("raise", None)])
def test_numpy_reports_underflow_when_asked(kind, expected):
    x = np.array([-103, -104, -105], dtype=np.float32)
    with np.errstate(under=kind):
        if expected:
            with pytest.warns(expected, match="underflow encountered in exp"):
                softmax_naive(x)
        else:
            with pytest.raises(FloatingPointError, match="underflow"):
                softmax_naive(x)
            # A false alarm: this zero is correct.
            with pytest.raises(FloatingPointError, match="underflow"):
                softmax_shifted(np.array([0.0, -1120.0]))


@ALL
def test_before_nan_come_lost_digits_and_then_false_zeros(fmt):
    """Before the naive softmax returns nan, it passes a zone in which subnormal exponentials have
    lost their digits, and one in which false zeros make the largest class look certain."""
    _, gray, zero = fmt.exp_range
    # Half a unit above the second border all exponentials are positive, with one or two bits.
    degraded = softmax_naive(_row(zero + 2.5, fmt)).astype(float)
    error = relative_error(degraded, softmax_exact(_row(zero + 2.5, fmt), dtype=FP64)).max()
    assert np.all(degraded > 0)
    assert error > 0.04
    # Above the gray zone the error is a few u: n + 3 = 6 (Blanchard, Higham & Higham 2021).
    x = _row(gray + 4, fmt)
    assert relative_error(softmax_naive(x), softmax_exact(x, dtype=FP64)).max() <= (
        6 * fmt.unit_roundoff
    )
    # Half a unit above the last border, at mu / 2, the first exponential rounds up to mu and the
    # second, below mu / 2, to 0.
    certain = softmax_naive(_row(zero + 0.5, fmt)).astype(float)
    assert certain.tolist() == [1.0, 0.0, 0.0]
    with np.errstate(invalid="ignore"):
        assert np.isnan(softmax_naive(_row(zero - 1, fmt)).astype(float)).all()


def test_the_printed_zones_of_float32_are_those():
    three = {c: softmax_naive(_row(c, FP32)) for c in (-100, -102, -103)}
    exact = softmax_exact(_row(-100, FP32), dtype=FP64)
    # The exponentials are 27, 10 and 4 units; an exp that is off by one ulp would give others.
    assert relative_error(three[-100], exact).max() == pytest.approx(0.0836, abs=0.001)
    np.testing.assert_array_max_ulp(three[-102], np.float32([0.8, 0.2, 0.0]), 1)
    assert three[-103].tolist() == [1.0, 0.0, 0.0]


@NUMPY
def test_after_the_shift_a_zero_belongs_to_a_probability_that_rounds_to_zero(fmt):
    """After the shift the sum is at least 1, and an exponential that is rounded to 0
    belongs, up to the rounding of x - m, to a probability that rounds to 0.
    """
    depth = int(-1.2 * fmt.exp_range[2])
    # Whole numbers: the difference x - m is exact, so that only the exponential is rounded.
    x = np.random.default_rng(0).integers(-depth, 0, (300, 10)).astype(fmt.dtype)
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    assert np.all(e.sum(axis=-1) >= 1)
    assert np.any(e == 0)
    assert np.all(softmax_exact(x)[e == 0] == 0)


@pytest.mark.parametrize(("fmt", "gap"), [(FP64, 746), (FP32, 104), (FP16, 18)], ids=str)
def test_zero_is_the_correctly_rounded_probability_at_these_gaps_and_beyond(fmt, gap):
    """For two logits 0 is the correctly rounded probability at a gap of 746 and more in float64,
    104 in float32 and 18 in float16."""
    at, before = (np.array([0, -g], dtype=fmt.dtype) for g in (gap, gap - 1))
    more = np.linspace((0, -gap), (0, -4 * gap), 50).astype(fmt.dtype)
    assert np.all(softmax_exact(more)[:, 1] == 0)
    assert np.all(softmax_shifted(more)[:, 1] == 0)
    assert softmax_exact(at)[1] == softmax_shifted(at)[1] == 0
    assert softmax_exact(before)[1] > 0
    assert softmax_shifted(before)[1] > 0


@pytest.mark.parametrize(("fmt", "gap"), [(FP64, 1120), (FP32, 104), (FP16, 18)], ids=str)
def test_the_logarithm_of_a_correct_softmax_is_infinite_where_it_rounds_to_zero(fmt, gap):
    """The logarithm of a correctly rounded softmax is -inf where the probability rounds to 0,
    although the log-probability is an ordinary number."""
    x = np.array([0, -gap], dtype=fmt.dtype)
    assert np.array_equal(softmax_shifted(x), softmax_exact(x))
    with pytest.warns(RuntimeWarning, match="divide by zero encountered in log"):
        assert log_softmax_two_step(x)[1] == -np.inf
    assert log_softmax_shifted(x)[1] == log_softmax_exact(x)[1] == -gap


def test_without_subnormals_the_nan_zone_begins_at_the_smallest_normal_number():
    torch = pytest.importorskip("torch")
    x = torch.tensor([-90.0, -91.0])
    assert softmax_naive(x).tolist() == pytest.approx([0.7310586, 0.2689414], rel=1e-5)
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush subnormal numbers to zero")
    try:
        p = softmax_naive(x).tolist()
        shifted = softmax_shifted(x).tolist()
    finally:
        torch.set_flush_denormal(False)
    assert np.isnan(p).all()
    assert shifted == softmax_shifted(x).tolist()
