import numpy as np
import pytest

from stable_softmax import FP16, FP32, FP64
from stable_softmax.experiments.training import load_digits_split
from stable_softmax.network import count_parameters, forward, initial_parameters

SAMPLES = np.random.default_rng(1).uniform(size=(6, 10))  # the samples of the chapter
PARAMETERS = initial_parameters([10, 7, 5], np.random.default_rng(0))


def test_the_network_has_117_parameters():
    """The 10-7-5 network has 117 parameters, 105 weights and 12 biases."""
    assert count_parameters([10, 7, 5]) == 117
    assert sum(W.size for W, _ in PARAMETERS) == 105
    assert sum(b.size for _, b in PARAMETERS) == 12


def test_one_pass_of_a_design_matrix_agrees_with_single_passes_up_to_the_last_digits():
    """One pass of a design matrix gives the logits of every sample, the same as one pass for each
    sample alone up to the last digits."""
    together = forward(PARAMETERS, SAMPLES)[-1]
    alone = np.array([forward(PARAMETERS, a)[-1] for a in SAMPLES])
    # each of the two is within (12 + 9) u times the sum of absolute products of the exact logits
    size = np.abs(PARAMETERS[1][0]) @ (np.abs(PARAMETERS[0][0]) @ SAMPLES.T)
    error = np.abs(together - alone).T
    assert np.all(error <= 2 * 21 * FP64.unit_roundoff * size)


def test_without_biases_a_positive_factor_multiplies_every_logit():
    """Without biases, multiplying the inputs by a positive number multiplies every logit by it."""
    one = forward(PARAMETERS, SAMPLES)[-1]
    assert np.array_equal(forward(PARAMETERS, 256 * SAMPLES)[-1], 256 * one)
    # a factor that is not a power of two adds roundings: as above, and one for the factor itself
    size = np.abs(PARAMETERS[1][0]) @ (np.abs(PARAMETERS[0][0]) @ SAMPLES.T)
    error = np.abs(forward(PARAMETERS, 255 * SAMPLES)[-1] - 255 * one).T
    assert np.all(error <= 2 * 23 * FP64.unit_roundoff * 255 * size)


def test_pixels_up_to_65535_change_no_class_and_make_an_exponential_infinite():
    """With pixels from 0 to 65,535 instead of 0 to 1, no image changes its class, but the
    exponential of the largest logit is infinite."""
    pytest.importorskip("sklearn")
    pixels = load_digits_split(scale=1)[0][:6].astype(np.float64) / 16
    layers = initial_parameters([64, 32, 10], np.random.default_rng(0))
    one, many = forward(layers, pixels)[-1], forward(layers, 65_535 * pixels)[-1]
    assert np.array_equal(one.argmax(axis=-1), many.argmax(axis=-1))
    assert np.isfinite(np.exp(forward(layers, 255 * pixels)[-1])).all()
    with pytest.warns(RuntimeWarning, match="overflow encountered in exp"):
        assert np.exp(many.max()) == np.inf
    # the limit in the figure and in the exercise, and what a pocket calculator finds with it
    assert round(FP64.exp_range[0], 2) == 709.78
    assert 255 < 709.78 / one.max() < 1023


@pytest.mark.parametrize("fmt", [FP32, FP16], ids=str)
def test_the_error_grows_with_the_inputs_and_stays_near_u_relative_to_the_largest_logit(fmt):
    # not in this chapter, which comes before the formats: softmax and low_precision build on it
    low = [(W.astype(fmt.dtype), b.astype(fmt.dtype)) for W, b in PARAMETERS]
    errors, relative = [], []
    for scale in [16, 64, 256, 1024]:
        inputs = (scale * SAMPLES.astype(fmt.dtype)).astype(fmt.dtype)
        exact = forward(low, inputs.astype(np.float64))[-1]
        error = np.max(np.abs(forward(low, inputs)[-1].astype(np.float64) - exact))
        errors.append(error / scale)
        relative.append(error / np.max(np.abs(exact)))
    # powers of two scale every rounding error, except that of products that leave the normal range
    assert np.ptp(errors) <= 0.01 * errors[0]
    assert errors[0] > 0
    # 21 operations, on sums of absolute products up to 4 times the largest logit
    assert max(relative) <= 21 * 4 * fmt.unit_roundoff
