import numpy as np
import pytest

from stable_softmax import (
    BF16,
    E4M3,
    E5M2,
    FP16,
    FP64,
    cross_entropy_exact,
    round_to,
    softmax_exact,
    ulp,
)
from stable_softmax.experiments.low_precision import (
    STEPS,
    gradient_in_format,
    losses_in_format,
    odds_change,
)
from tests.cases import INF, NAN

SHORT = [FP16, BF16, E5M2, E4M3]


def layer(samples=32, k=16, n=10):
    rng = np.random.default_rng(0)
    hidden, weights = rng.normal(size=(samples, k)), rng.normal(size=(k, n))
    return hidden, weights, rng.integers(0, n, samples)


def close_to_exact(losses, exact):
    # a sum of 16 products and one of 10 exponentials in float64, against losses of up to 20
    return np.max(np.abs(losses - exact)) <= 64 * FP64.unit_roundoff * 20


def test_a_format_without_arrays_is_refused():
    for function in (odds_change, gradient_in_format):
        with pytest.raises(TypeError, match="tf32 exists only inside"):
            function(1.0, "tf32")


@pytest.mark.parametrize("fmt", SHORT, ids=str)
@pytest.mark.parametrize("size", [0.3, 1.1, 3.3, 30.0, 100.0])
def test_no_rounding_of_one_logit_changes_its_odds_by_more(fmt, size):
    # numbers around the size, rounded; the other logit is 0 and exact
    spacing = ulp(size, fmt)
    logits = size + spacing * np.linspace(-0.49, 0.49, 21)
    logits = logits[(ulp(logits, fmt) == spacing)]
    pairs = np.stack([logits, 0 * logits], axis=1)
    stored = round_to(pairs, fmt).astype(float)
    before, after = softmax_exact(pairs), softmax_exact(stored)
    odds = (after[:, 0] / after[:, 1]) / (before[:, 0] / before[:, 1])
    largest = 1 + odds_change(size, fmt)
    slack = 1 + 1e-13  # six quotients and an expm1 in float64
    assert np.all(odds <= largest * slack)
    assert np.all(odds >= 1 / (largest * slack))
    factor = after / before
    assert np.all(np.abs(np.log(factor)) <= np.log(largest) + 1e-13)


def test_the_bound_is_reached_by_a_tie():
    # 100.25 lies in the middle of two bfloat16 numbers
    pair = np.array([100.25, 100.25])
    p = softmax_exact(np.array([float(round_to(pair[0], BF16)), pair[1]]))
    assert p[1] / p[0] - 1 == pytest.approx(odds_change(100.25, BF16), rel=1e-14)


def test_a_logit_outside_of_the_format_is_infinitely_uncertain():
    np.testing.assert_array_equal(
        odds_change([465.0, 1000.0, INF, -INF, NAN], E4M3), [INF, INF, INF, INF, NAN]
    )
    assert odds_change(464.0, E4M3) == np.expm1(16)
    assert odds_change(70_000, FP16) == INF


@pytest.mark.parametrize("fmt", [FP16, BF16, E5M2], ids=str)
def test_a_scale_changes_nothing_in_the_normal_range(fmt):
    g = round_to(np.random.default_rng(0).normal(size=100), fmt).astype(np.float64)
    g = g[np.abs(g) > 2.0**-8]
    for scale in (1.0, 2.0**8, 2.0**-4):
        np.testing.assert_array_equal(gradient_in_format(g, fmt, scale), g.astype(np.float32))


def test_a_scale_brings_back_what_underflows_until_it_overflows():
    g = np.array([2.0**-26, -(2.0**-6)])
    np.testing.assert_array_equal(gradient_in_format(g, FP16), [0, g[1]])
    np.testing.assert_array_equal(gradient_in_format(g, FP16, 4.0), g)
    np.testing.assert_array_equal(gradient_in_format(g, FP16, 2.0**21), g)
    np.testing.assert_array_equal(gradient_in_format(g, FP16, 2.0**22), [g[0], -INF])
    assert gradient_in_format(g, FP16, np.float64(4)).dtype == np.float32


def test_a_scaled_gradient_is_rounded_once():
    assert gradient_in_format(1 + 2.0**-8 + 2.0**-30, BF16, 4.0) == 1 + 2.0**-7


def test_a_gradient_keeps_nan_and_turns_nan_above_the_end_of_e4m3():
    np.testing.assert_array_equal(gradient_in_format([NAN, 1e3], E4M3), [NAN, NAN])
    np.testing.assert_array_equal(gradient_in_format([], FP16), [])


@pytest.mark.parametrize("scale", [0.0, -1.0, NAN])
def test_a_scale_must_be_positive(scale):
    with pytest.raises(ValueError, match="scale must be positive"):
        gradient_in_format([1.0], FP16, scale)


def test_with_no_short_step_the_losses_are_those_of_float64():
    hidden, weights, labels = layer()
    exact = cross_entropy_exact(hidden @ weights, labels)
    for losses, mean in (
        losses_in_format(hidden, weights, labels, BF16, ()),
        losses_in_format(hidden, weights, labels, FP64),
    ):
        assert close_to_exact(losses, exact)
        assert mean == pytest.approx(np.mean(losses), rel=32 * FP64.unit_roundoff)


@pytest.mark.parametrize("fmt", [FP16, BF16], ids=str)
@pytest.mark.parametrize("step", STEPS)
def test_each_step_rounds_something_of_its_own(step, fmt):
    hidden, weights, labels = layer()
    exact, mean = losses_in_format(hidden, weights, labels, fmt, ())
    losses, short_mean = losses_in_format(hidden, weights, labels, fmt, (step,))
    assert short_mean != mean
    assert np.array_equal(losses, exact) == (step == "mean")


def test_short_operands_and_short_logits_are_what_they_say():
    hidden, weights, labels = layer()
    h, w = (round_to(a, BF16).astype(float) for a in (hidden, weights))
    losses, _ = losses_in_format(hidden, weights, labels, BF16, ("operands",))
    assert close_to_exact(losses, cross_entropy_exact(h @ w, labels))
    x = round_to(hidden @ weights, BF16).astype(float)
    losses, _ = losses_in_format(hidden, weights, labels, BF16, ("logits",))
    assert close_to_exact(losses, cross_entropy_exact(x, labels))


def test_short_sums_stop():
    hidden, weights, labels = np.ones((300, 1)), np.zeros((1, 1000)), np.zeros(300, dtype=int)
    losses, _ = losses_in_format(hidden, weights, labels, BF16, ("sum",))
    np.testing.assert_array_equal(losses, np.log(256.0))
    losses, mean = losses_in_format(hidden, weights, labels, BF16, ("losses", "mean"))
    assert losses[0] == float(round_to(np.log(1000), BF16))
    # from 2048 on the spacing is 16, and a loss of 6.9 is less than half of it
    assert mean * 300 == pytest.approx(2048, rel=2 * FP64.unit_roundoff)


def test_arguments_of_the_losses_are_checked_and_not_changed():
    hidden, weights, labels = layer()
    before = hidden.copy(), weights.copy(), labels.copy()
    losses_in_format(hidden, weights, labels, FP16)
    for array, copy in zip((hidden, weights, labels), before, strict=True):
        np.testing.assert_array_equal(array, copy)
    with pytest.raises(ValueError, match="there is no step"):
        losses_in_format(hidden, weights, labels, FP16, ("loss",))
    with pytest.raises(ValueError, match="labels"):
        losses_in_format(hidden, weights, labels + 10, FP16)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"steps": "logits"}, ValueError, "there is no step 'logits'; give a list"),
        ({"steps": [None]}, ValueError, "there is no step"),
        ({"steps": 3}, ValueError, "there is no step 3; give a list"),
        ({"fmt": "tf32"}, TypeError, "tf32 exists only inside"),
        ({"fmt": "fp7", "steps": ()}, TypeError, "use one of fp64"),
        ({"hidden": np.ones(16)}, ValueError, r"hidden of shape \(16,\) and weights of shape"),
        ({"weights": np.ones((3, 4))}, ValueError, r"weights of shape \(3, 4\) do not fit"),
        ({"weights": np.ones((16, 0))}, ValueError, "do not fit"),
        ({"hidden": None}, TypeError, "hidden must hold real numbers, not"),
        ({"weights": [["a"]]}, TypeError, "weights must hold real numbers, not"),
        ({"labels": np.ones(32)}, TypeError, "labels must be integer class indices"),
    ],
)
def test_wrong_arguments_of_the_losses_give_one_clear_error(change, error, message):
    arguments = dict(zip(("hidden", "weights", "labels"), layer(), strict=True)) | {"fmt": FP16}
    with pytest.raises(error, match=message):
        losses_in_format(**arguments | change)


def test_only_numbers_are_rounded():
    for wrong in (None, "3", ["a"], 1j):
        with pytest.raises(TypeError, match="x must hold real numbers, not"):
            odds_change(wrong, FP16)
        with pytest.raises(TypeError, match="gradient must hold real numbers, not"):
            gradient_in_format(wrong, FP16)
        with pytest.raises(TypeError, match="scale must hold real numbers, not"):
            gradient_in_format([1.0], FP16, wrong)
    with pytest.raises(ValueError, match="scale must be positive and finite, not inf"):
        gradient_in_format([1.0], FP16, INF)
    with pytest.raises(ValueError, match=r"scale must be one number, not an array of shape \(2,"):
        gradient_in_format([1.0], FP16, [1.0, 2.0])
