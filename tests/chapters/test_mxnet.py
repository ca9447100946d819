import numpy as np
import pytest

from stable_softmax import (
    absolute_error,
    cross_entropy_exact,
    log_softmax_exact,
    log_softmax_shifted,
    softmax_shifted,
)
from stable_softmax.experiments.recovery import samples_behind
from stable_softmax.libraries.adapters import (
    available_frameworks,
    gluon_loss,
    is_installed,
    why_no_mxnet,
)
from stable_softmax.libraries.mxnet_process import log_softmax_in_fresh_mxnet

needs_mxnet = pytest.mark.skipif(not is_installed("mxnet"), reason=why_no_mxnet())

X = np.array([[2, 1, 0.1], [1, 2, 3], [0, 0, 0]], dtype=np.float32)
LABELS = np.array([0, 2, 1])
TOLERANCE = 1e-5  # oneDNN's logarithm is good to a few 1e-6, and depends on the CPU


@needs_mxnet
def test_from_logits_means_log_probabilities_and_there_is_one_loss_per_sample():
    """Gluon's `SoftmaxCrossEntropyLoss` returns one loss per sample, and its `from_logits=True`
    means that the input already is log-probabilities.
    """
    exact = cross_entropy_exact(X, LABELS)
    assert gluon_loss(X, LABELS).shape == (3,)
    np.testing.assert_allclose(gluon_loss(X, LABELS), exact, rtol=0, atol=TOLERANCE)
    y = log_softmax_shifted(X)
    np.testing.assert_allclose(gluon_loss(y, LABELS, from_logits=True), exact, atol=TOLERANCE)
    taken = X[np.arange(3), LABELS]
    np.testing.assert_array_equal(gluon_loss(X, LABELS, from_logits=True), -taken)
    p = softmax_shifted(X)
    np.testing.assert_array_equal(gluon_loss(p, LABELS, from_logits=True), -p[np.arange(3), LABELS])


@needs_mxnet
def test_the_error_of_onednn_is_absolute_and_can_be_switched_off():
    """Float32 log-softmax through oneDNN may be wrong by a few 1e-6 in absolute terms, so a sure
    log-probability can be positive; float64, and float32 with `MXNET_MKLDNN_ENABLED=0`, have no
    such error.
    """
    x, _ = samples_behind(np.linspace(0, 30, 61))
    exact = log_softmax_exact(x, dtype="fp64")
    default, double = log_softmax_in_fresh_mxnet([x, x.astype(np.float64)])
    assert np.max(absolute_error(default, exact)) < TOLERANCE
    assert np.max(default) < TOLERANCE  # positive on CPUs whose kernel has the defect
    assert np.max(absolute_error(double, exact)) < 1e-14
    assert np.max(double) <= 0
    (off,) = log_softmax_in_fresh_mxnet([x], MXNET_MKLDNN_ENABLED="0")
    (other_axis,) = log_softmax_in_fresh_mxnet([x.T], axis=0)  # is not passed to oneDNN
    for y in (off, other_axis.T):
        # rounding alone: half a spacing of numbers up to 30 and two roundings before it
        assert np.all(absolute_error(y, exact) <= 2 * np.spacing(np.maximum(np.abs(y), 1)))
        assert np.max(y) <= 0


def test_an_absolute_error_next_to_zero_changes_the_sign():
    r"""An absolute error of 1.4e-6 in $\log s$ is in the sixth digit for $s = 2$ and changes the
    sign for $s = 1$.
    """
    error = 1.4e-6
    assert 1e-6 < error / np.log(2) < 1e-5
    assert np.log(1.0) - error < 0 == np.log(1.0)


# What the field guide says of MXNet's options, and the special values of its kernels.


@needs_mxnet
def test_wrong_labels_and_flat_weights_are_accepted_without_an_error():
    wrong, clipped = np.array([-1, 5, 0.9]), np.array([0, 2, 0])
    np.testing.assert_array_equal(gluon_loss(X, wrong), gluon_loss(X, clipped))
    weights = np.array([1.0, 0.0, 0.0])
    losses = gluon_loss(X, LABELS)
    np.testing.assert_allclose(gluon_loss(X, LABELS, weights[:, None]), weights * losses)
    np.testing.assert_allclose(gluon_loss(X, LABELS, weights), losses / 3, rtol=1e-6)


@needs_mxnet
def test_sums_in_float16_need_safe_accumulation():
    x = np.zeros(50_000, np.float16)
    exact = -np.log(50_000)
    (default,) = log_softmax_in_fresh_mxnet([x])
    (safe,) = log_softmax_in_fresh_mxnet([x], MXNET_SAFE_ACCUMULATION="1")
    # the sum stops at 2048 instead of 50,000; both tolerances are one ulp of the result
    assert np.max(np.abs(default + np.log(2048))) <= np.spacing(np.float16(7.6))
    assert np.max(np.abs(safe - exact)) <= np.spacing(np.float16(10.8))


@needs_mxnet
def test_a_nan_may_vanish_in_the_search_for_the_maximum():
    functions = available_frameworks()["MXNet"].functions
    p = functions["softmax"](np.float32([[np.nan, 0, 1]]))[0]
    assert np.isnan(p[0])
    assert np.isnan(softmax_shifted(np.float32([np.nan, 0, 1]))).all()
    if not np.isnan(p[1:]).all():  # whether it does depends on the kernel, hence on the CPU
        assert np.all((p[1:] >= 0) & (p[1:] <= 1))
