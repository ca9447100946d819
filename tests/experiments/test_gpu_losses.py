"""The six forms of the loss of a last layer are one loss."""

import pytest

from stable_softmax.experiments.gpu_losses import FORMS

torch = pytest.importorskip("torch")


def inputs(dtype, tokens=24, width=16, classes=99):
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(tokens, width, generator=generator).to(dtype).requires_grad_()
    weights = torch.randn(classes, width, generator=generator).to(dtype).requires_grad_()
    return hidden, weights, torch.arange(tokens) * 4


def exact(hidden, weights, labels):
    """The loss and its gradients in float64."""
    h, w = (part.detach().double().requires_grad_() for part in (hidden, weights))
    loss = torch.nn.functional.cross_entropy(h @ w.T, labels)
    loss.backward()
    return loss.detach(), h.grad, w.grad


def distance(computed, right):
    return float((computed.double() - right).norm() / right.norm())


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-6), (torch.bfloat16, 2e-2)])
def test_a_form_has_the_loss_and_the_gradients(name, dtype, most):
    """Float32 errs by some u of 6e-8; bfloat16 rounds logits near 10, whose ulp is 0.06, so that
    single probabilities are wrong by 3 percent and the whole gradient by less than two."""
    hidden, weights, labels = inputs(dtype)
    loss = FORMS[name]("cpu", 4)(hidden, weights, labels)
    loss.backward()
    right = exact(hidden, weights, labels)
    for computed, value in zip((loss.detach(), hidden.grad, weights.grad), right, strict=True):
        assert distance(computed, value) < most
    assert hidden.grad.dtype == weights.grad.dtype == dtype


@pytest.mark.parametrize("name", FORMS)
def test_a_factor_of_the_loss_is_a_factor_of_the_gradients(name):
    hidden, weights, labels = inputs(torch.float32)
    (3 * FORMS[name]("cpu", 5)(hidden, weights, labels)).backward()
    _, d_hidden, d_weights = exact(hidden, weights, labels)
    assert distance(hidden.grad, 3 * d_hidden) < 1e-6
    assert distance(weights.grad, 3 * d_weights) < 1e-6
