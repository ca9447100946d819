"""Each statement of the summary of chapter epsilon, asserted."""

import numpy as np
import pytest

from stable_softmax import (
    FP16,
    FP32,
    FP64,
    absolute_error,
    cross_entropy_clamped,
    cross_entropy_epsilon,
    cross_entropy_exact,
    cross_entropy_gradient_exact,
    cross_entropy_gradient_shifted,
    cross_entropy_shifted,
    cross_entropy_two_step,
    log_softmax_clamped,
    log_softmax_epsilon,
    log_softmax_exact,
    log_softmax_shifted,
    softmax_exact,
    ulp_error,
)
from stable_softmax.experiments.recovery import autograd_gradient, samples_behind, steps_to_recover
from stable_softmax.libraries.adapters import import_mxnet, is_installed, why_no_mxnet


@pytest.mark.parametrize("fmt", [FP64, FP32], ids=str)
def test_epsilon_makes_unlikely_classes_equal_and_the_sure_class_positive(fmt):
    """Adding ε inside the logarithm gives all classes far below ε the same log-probability, log ε,
    and, unless 1 + ε rounds to 1, the sure class a positive one.
    """
    y = log_softmax_epsilon(np.array([1000, 960, 800, 0], fmt.dtype))
    # p = exp(-40) adds 4e-11 of itself to epsilon: nothing in float32; and one rounding of log
    tolerance = 2 + 1e-10 / fmt.unit_roundoff
    assert np.all(ulp_error(y[1:], np.log(np.float64(fmt.dtype.type(1e-7))), fmt) <= tolerance)
    assert y[0] > 0
    assert log_softmax_epsilon(np.array([1000, 0], FP16.dtype))[0] == 0  # 1 + 1e-7 rounds to 1
    assert log_softmax_clamped(np.array([1000, 0], fmt.dtype))[0] == 0


def test_epsilon_multiplies_the_gradient_by_p_over_p_plus_epsilon():
    """The gradient of `-log(p + ε)` is the true gradient times `p / (p + ε)`: half of it at a gap
    of `-log(ε)`, and for ε = 1e-7 one millionth at a gap of 30.
    """
    pytest.importorskip("torch")
    x, labels = samples_behind([1, 10, -np.log(1e-7), 20, 30], np.float64)
    p = softmax_exact(x)[:, 1:]
    true = cross_entropy_gradient_exact(x, labels)
    g = autograd_gradient(cross_entropy_epsilon)(x, labels)
    # The chain rule passes some ten roundings; at a gap of 1 nothing cancels.
    np.testing.assert_allclose(g, p / (p + 1e-7) * true, rtol=20 * FP64.unit_roundoff)
    ratio = g[:, 1] / true[:, 1]
    assert ratio[2] == pytest.approx(0.5, abs=1e-7)
    assert ratio[4] == pytest.approx(1e-6, rel=0.1)


def test_steps_grow_exponentially_with_epsilon_and_linearly_from_logits():
    """From a gap beyond `-log(ε)`, gradient descent needs about ε/(2η) · exp(gap) steps with
    epsilon and gap/(2η) with the loss from logits; with a clamp it never arrives.
    """
    pytest.importorskip("torch")
    gap = np.array([22.0, 23.0, 24.0])
    for rate in (1.0, 0.5):
        epsilon, clamped, logits = (
            steps_to_recover(autograd_gradient(loss), gap, learning_rate=rate)
            for loss in (cross_entropy_epsilon, cross_entropy_clamped, cross_entropy_shifted)
        )
        # the estimate leaves out half the gap, which is 6 percent at the gap of 22
        np.testing.assert_allclose(epsilon, 1e-7 / (2 * rate) * np.exp(gap), rtol=0.1)
        assert np.all(np.isinf(clamped))
        np.testing.assert_allclose(logits, gap / (2 * rate), atol=2)


def test_a_smaller_epsilon_only_moves_the_cliff():
    """A smaller ε only moves the cliff, until it vanishes in the format or its gradient becomes
    nan.
    """
    x, labels = samples_behind(np.array([200.0]))
    for epsilon in (1e-7, 1e-15, 1e-30):
        loss = cross_entropy_epsilon(x, labels, epsilon=epsilon)
        np.testing.assert_allclose(loss, -np.log(epsilon), rtol=1e-6)
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        assert np.isinf(cross_entropy_epsilon(x.astype(FP16.dtype), labels, epsilon=1e-8))
    pytest.importorskip("torch")
    assert np.isnan(autograd_gradient(cross_entropy_epsilon, epsilon=1e-45)(x, labels)).any()


@pytest.mark.parametrize("fmt", [FP64, FP32, FP16], ids=str)
def test_log_softmax_from_the_logits_needs_no_constant(fmt):
    """Log-softmax from the logits needs no constant: it is finite wherever the differences of the
    logits are, and loses digits only next to 0, for a sure class.
    """
    x = np.array([fmt.largest / 2, 0, -fmt.largest / 4, -fmt.largest / 2], fmt.dtype)
    for row in (x, np.array([1000, 960, 800, 0], fmt.dtype)):
        y = log_softmax_shifted(row)
        assert np.all(np.isfinite(y))
        # two roundings below the largest entry; at it, -0 stands for a number below half an ulp
        assert np.all(ulp_error(y[1:], log_softmax_exact(row)[1:]) <= 2)
        assert abs(y[0]) <= fmt.unit_roundoff
    samples, labels = samples_behind([40.0, 1000.0], fmt.dtype)
    exact = cross_entropy_exact(samples, labels)
    assert np.all(ulp_error(cross_entropy_shifted(samples, labels), exact) <= 2)
    np.testing.assert_array_equal(cross_entropy_gradient_shifted(samples, labels)[:, 1], -1)


def test_without_the_constant_the_logarithm_of_softmax_is_more_accurate_until_it_is_infinite():
    x, labels = samples_behind(np.arange(-20, 104))
    exact = cross_entropy_exact(x, labels, dtype=FP64)
    with_constant, without = (
        absolute_error(loss(x, labels), exact)
        for loss in (cross_entropy_epsilon, cross_entropy_two_step)
    )
    assert np.all(without < with_constant)


@pytest.mark.parametrize("gap", [16.0, 17.0, 20.0, 100.0])
def test_a_categorical_of_probabilities_is_the_clamp_of_this_chapter(gap):
    torch = pytest.importorskip("torch")
    epsilon = torch.finfo(torch.float32).eps
    assert epsilon == 2 * FP32.unit_roundoff == pytest.approx(1.19e-7, rel=0.01)
    log_p, gradient = {}, {}
    for name in ("probs", "logits"):
        x = torch.tensor([gap, 0.0], requires_grad=True)
        given = torch.softmax(x, 0) if name == "probs" else x
        y = torch.distributions.Categorical(**{name: given}).log_prob(torch.tensor(1))
        (g,) = torch.autograd.grad(y, x)
        log_p[name], gradient[name] = y.item(), g.tolist()
    clamped = log_softmax_clamped(np.array([gap, 0], np.float32), epsilon=epsilon)[1]
    assert log_p["probs"] == pytest.approx(clamped, rel=1e-6)
    assert log_p["probs"] == pytest.approx(-15.94, abs=0.005)
    assert gradient["probs"] == [0, 0]
    assert log_p["logits"] == pytest.approx(-gap, rel=1e-6)
    assert gradient["logits"] == pytest.approx([-1, 1], abs=1e-6)


def test_bce_loss_of_torch_has_the_right_value_and_the_wrong_gradient_at_a_gap_of_30():
    torch = pytest.importorskip("torch")
    z = torch.tensor([-5.0, -30.0, -95.0], requires_grad=True)  # minus the gap
    loss = torch.nn.BCELoss(reduction="none")(torch.sigmoid(z), torch.ones(3))
    (gradient,) = torch.autograd.grad(loss.sum(), z)
    np.testing.assert_allclose(loss[:2].tolist(), [5 + np.log1p(np.exp(-5)), 30], rtol=1e-6)
    assert loss[2] == 100
    # the backward pass divides by max(p (1 - p), 1e-12)
    assert gradient[1].item() == pytest.approx(-np.exp(-30.0) / 1e-12, rel=1e-5)
    assert gradient[2] == 0


@pytest.mark.skipif(not is_installed("mxnet"), reason=why_no_mxnet())
@pytest.mark.parametrize(("gap", "capped"), [(10, 10.0), (20, -np.log(1e-8)), (100, -np.log(1e-8))])
def test_the_old_operator_of_mxnet_caps_the_value_and_not_the_gradient(gap, capped):
    mx = import_mxnet()
    x = mx.nd.array([[gap, 0.0]])
    x.attach_grad()
    with mx.autograd.record():
        loss = mx.nd.softmax_cross_entropy(x, mx.nd.array([1]))
    loss.backward()
    assert f"{-np.log(1e-8):.2f}" == "18.42"
    assert loss.asscalar() == pytest.approx(capped, rel=1e-5)  # and log1p(exp(-10)) = 5e-5
    assert x.grad.asnumpy()[0, 1] == pytest.approx(-1, abs=1e-4)
