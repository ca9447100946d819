"""What the summary of the chapter cross_entropy states, asserted."""

import numpy as np
import pytest

from stable_softmax import (
    FP32,
    FP64,
    central_difference,
    cross_entropy_gradient_complement,
    cross_entropy_gradient_exact,
    cross_entropy_gradient_shifted,
    cross_entropy_log1p,
    cross_entropy_naive,
    cross_entropy_shifted,
    cross_entropy_two_step,
    hessian_vector_product,
    hessian_vector_product_exact,
    log_softmax_jacobian,
    logsumexp_naive,
    softmax_naive,
    softmax_shifted,
    ulp_error,
)
from stable_softmax.libraries.autograd import loss_and_gradient, product_by_autograd
from stable_softmax.measure.exact import cross_entropy_exact

X = np.array([1.0, 2.0, 3.0, 0.0, -1.0])


def test_a_right_loss_can_have_a_gradient_that_is_not_finite():
    """
    In float32 and at a gap of 90, the loss log(softmax) has the right value 90 and a gradient that
    is not finite; the loss from logits has the gradient 1 and -1.
    """
    torch = pytest.importorskip("torch")
    x = torch.tensor([90.0, 0.0], requires_grad=True)
    loss = cross_entropy_two_step(x, torch.tensor(1))
    loss.backward()
    assert loss.item() == 90
    assert not torch.isfinite(x.grad).any()
    x = torch.tensor([90.0, 0.0], requires_grad=True)
    loss = cross_entropy_shifted(x, torch.tensor(1))
    loss.backward()
    assert loss.item() == 90
    assert x.grad.tolist() == [1, -1]


@pytest.mark.parametrize("label", range(X.size))
def test_the_gradient_is_a_row_of_the_full_jacobian(label):
    """
    The gradient of the loss is $p - y$; the Jacobian of log-softmax is a full matrix whose rows
    sum to zero, and $p - y$ is one row of it, with the sign changed.
    """
    jacobian = log_softmax_jacobian(X)
    assert np.all(jacobian != 0)
    # five terms, none above 1, each with an error of a few u
    np.testing.assert_allclose(jacobian.sum(axis=1), 0, atol=8 * FP64.unit_roundoff)
    gradient = cross_entropy_gradient_shifted(X, label)
    np.testing.assert_allclose(-jacobian[label], gradient, rtol=0, atol=FP64.unit_roundoff)
    exact = cross_entropy_gradient_exact(X, label)
    np.testing.assert_allclose(gradient, exact, rtol=0, atol=8 * FP64.unit_roundoff)


@pytest.mark.parametrize("gap", [17, 20, 40, 80])
def test_the_sure_sample_keeps_its_digits_only_in_the_repaired_forms(gap):
    """
    In float32 and at a gap of 17 or more, the shifted loss of a sure sample and $p - y$ at its
    label are 0; the log1p loss and the complement keep their digits.
    """
    x = np.array([gap, 0], dtype=np.float32)
    assert cross_entropy_shifted(x, 0) == 0
    assert cross_entropy_gradient_shifted(x, 0)[0] == 0
    # one exp and one log1p or sum, each within about two ulp
    assert ulp_error(cross_entropy_log1p(x, 0), cross_entropy_exact(x, 0)) <= 4
    gradient = cross_entropy_gradient_complement(x, 0)
    assert np.all(ulp_error(gradient, cross_entropy_gradient_exact(x, 0)) <= 4)


def test_autograd_finds_the_complement_unless_the_maximum_is_constant():
    """
    Autograd through the maximum gives the shifted loss of a sure sample the right gradient; with
    the maximum held constant, the label's entry is 0 at a gap of 17.
    """
    torch = pytest.importorskip("torch")

    def gradient(loss, *arguments):
        return torch.autograd.grad(loss(x, *arguments), x)[0]

    def held_constant(x):
        z = x - x.max().detach()
        return logsumexp_naive(z) - z[0]

    label = torch.tensor(0)
    x = torch.tensor([17.0, 0.0], requires_grad=True)
    exact = cross_entropy_gradient_exact(x.detach(), 0)
    assert cross_entropy_shifted(x, label) == 0
    # one exp, one division and a sum: a few roundings
    assert np.all(ulp_error(gradient(cross_entropy_shifted, label), exact) <= 4)
    constant = gradient(held_constant)
    assert constant[0] == 0
    assert ulp_error(constant[1], exact[1]) <= 4


V = np.float32([1, 0])


def test_the_second_derivative_of_log_softmax_is_lost_before_its_gradient():
    """
    In float32 and at a gap of 17, the second derivative of log(softmax) of a wrong sample has no
    right digit, and at 45 it is nan, where loss and gradient are still right; two passes through
    the loss from logits find it.
    """
    pytest.importorskip("torch")
    for gap in (17, 45):
        x = np.float32([gap, 0])
        exact = hessian_vector_product_exact(x, V)
        loss, gradient = loss_and_gradient(cross_entropy_two_step, x, 1)
        assert ulp_error(loss, cross_entropy_exact(x, 1)) <= 1
        np.testing.assert_allclose(gradient, [1, -1], rtol=2 * FP32.unit_roundoff)
        found = product_by_autograd(cross_entropy_two_step, x, 1, V)
        assert np.isnan(found).any() if gap == 45 else np.all(abs(found - exact) > exact[0] / 2)
        found = product_by_autograd(cross_entropy_shifted, x, 1, V)
        assert np.all(ulp_error(found, exact) <= 8)  # see the test of two passes


def test_the_product_with_the_hessian_keeps_the_digits_of_a_sure_class():
    """
    The Hessian is `diag(p) - p pᵀ`; its product with a vector loses its digits at a sure class as
    `p (v - p·v)`, and keeps them if the entry of the vector at the largest logit is taken off
    first.
    """
    steps = np.eye(X.size)
    by_columns = np.stack([hessian_vector_product(X, e) for e in steps])
    p = softmax_shifted(X)
    # entries below 1/4, from a handful of roundings each
    tolerance = {"rtol": 0, "atol": 8 * FP64.unit_roundoff}
    np.testing.assert_allclose(by_columns, np.diag(p) - np.outer(p, p), **tolerance)
    measured = [
        central_difference(lambda x, i=i: cross_entropy_gradient_complement(x, 1)[i], X, 6e-6)
        for i in range(X.size)
    ]
    np.testing.assert_allclose(by_columns, measured, atol=1e-9)  # h² + u / h
    x = np.float32([17, 0])
    p, exact = softmax_shifted(x), hessian_vector_product_exact(x, V)
    assert (p * (V - np.sum(p * V)))[0] == 0 < exact[0]
    assert np.all(ulp_error(hessian_vector_product(x, V), exact) <= 4)


def test_the_best_step_of_a_central_difference_is_the_cube_root_of_u():
    """
    A central difference in float64 is best with a step near `u ** (1 / 3)`; a step a thousand times
    larger or smaller is worse.
    """
    best = FP64.unit_roundoff ** (1 / 3)
    exact = cross_entropy_gradient_exact(X, 1)

    def error(step):
        measured = central_difference(lambda v: cross_entropy_shifted(v, 1), X, step)
        return np.max(np.abs(measured - exact))

    assert error(best) < 1e-9  # about h² + u/h = 5e-11, with a factor for the logits' size
    assert error(1000 * best) > 10 * error(best)
    assert error(best / 1000) > 10 * error(best)


# What the chapter says outside its summary.


def test_the_three_samples_of_an_article_have_the_mean_loss_and_the_gradient_that_it_prints():
    torch = pytest.importorskip("torch")
    logits = [[2, 1, 0.1], [1000, 1, -1000], [3, 2, 1]]
    x, labels = torch.tensor(logits, requires_grad=True), torch.tensor([0, 2, 1])
    with np.errstate(all="ignore"):
        p = softmax_naive(np.float32(logits))
        naive = cross_entropy_naive(np.float32(logits), [0, 2, 1])
    assert np.isnan(p[1, 0])
    assert np.all(p[1, 1:] == 0)
    assert np.isposinf(naive[1])  # the label's entry is the 0, which hides the nan
    loss = cross_entropy_shifted(x, labels).mean()
    loss.backward()
    assert abs(loss.item() - 667.27) < 0.005  # as printed, to two decimals
    printed = [[-0.1137, 0.0808, 0.0329], [0.3333, 0, -0.3333], [0.2217, -0.2518, 0.0300]]
    np.testing.assert_allclose(x.grad, printed, rtol=0, atol=0.5e-4)
    ours = cross_entropy_gradient_shifted(x.detach(), labels) / 3
    np.testing.assert_allclose(x.grad, ours, rtol=0, atol=4 * FP32.unit_roundoff)


def test_autograd_through_log1p_keeps_the_gradient_that_pytorch_loses():
    torch = pytest.importorskip("torch")
    x, label = torch.tensor([17.0, 0.0], requires_grad=True), torch.tensor(0)
    exact = cross_entropy_gradient_exact(x.detach(), 0)
    (ours,) = torch.autograd.grad(cross_entropy_log1p(x, label), x)
    assert np.all(ulp_error(ours, exact) <= 4)  # an exp, a division and a sum
    (theirs,) = torch.autograd.grad(torch.nn.functional.cross_entropy(x, label), x)
    assert abs(theirs[0]) < 1e-9 < abs(exact[0])


def test_the_logarithm_of_the_softmax_of_pytorch_has_no_finite_gradient_at_a_gap_of_90():
    torch = pytest.importorskip("torch")
    x = torch.tensor([90.0, 0.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(-torch.log(torch.softmax(x, -1)[1]), x)
    assert not torch.isfinite(gradient).any()


def test_the_loss_of_pytorch_has_the_second_derivative_of_p_minus_y():
    torch = pytest.importorskip("torch")
    for gap in (10, 17, 40):
        x = np.float32([gap, 0])
        found = product_by_autograd(torch.nn.functional.cross_entropy, x, 0, V)
        p, exact = softmax_shifted(x), hessian_vector_product_exact(x, V)
        assert abs(found[0] - exact[0]) > 1e-5 * exact[0]
        # both subtract nearly 1 from 1: what is left differs by a spacing or two at 1
        assert abs(found[0] - (p * (V - np.sum(p * V)))[0]) <= 4 * FP32.unit_roundoff
