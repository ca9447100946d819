import sys

import numpy as np
import pytest

from stable_softmax import (
    BF16,
    FP16,
    FP32,
    FP64,
    cross_entropy_gradient_exact,
    cross_entropy_shifted,
    hessian_vector_product_exact,
    ulp_error,
)
from stable_softmax.libraries.autograd import (
    kept_for_backward,
    loss_and_gradient,
    product_by_autograd,
    to_numpy,
    to_tensor,
)
from tests.cases import ALL_FORMATS, ordinary_logits


def test_the_loss_of_each_sample_and_its_own_gradient_come_back_as_arrays():
    pytest.importorskip("torch", reason="PyTorch is not installed here")
    x, labels = np.random.default_rng(0).normal(size=(5, 4)), [0, 1, 2, 3, 0]
    losses, gradient = loss_and_gradient(cross_entropy_shifted, x, labels)
    np.testing.assert_array_equal(losses, cross_entropy_shifted(x, labels))
    assert ulp_error(gradient, cross_entropy_gradient_exact(x, labels)).max() < 20


@pytest.mark.parametrize("fmt", [FP64, FP32, FP16, BF16], ids=str)
def test_the_gradient_has_the_format_of_the_logits(fmt):
    pytest.importorskip("torch", reason="PyTorch is not installed here")
    x = np.array([[1.0, 2.0]], fmt.dtype)
    losses, gradient = loss_and_gradient(cross_entropy_shifted, x, [0])
    assert losses.dtype == gradient.dtype == fmt.dtype
    assert ulp_error(gradient, cross_entropy_gradient_exact(x, [0], dtype="fp64")).max() < 2


@pytest.mark.parametrize("fmt", [FP64, FP32], ids=str)
def test_two_passes_multiply_the_second_derivatives_of_each_sample_by_its_vector(fmt):
    pytest.importorskip("torch", reason="PyTorch is not installed here")
    x, v = np.random.default_rng(0).normal(size=(2, 5, 4)).astype(fmt.dtype)
    found = product_by_autograd(cross_entropy_shifted, x, [0, 1, 2, 3, 0], v.tolist())
    assert found.dtype == fmt.dtype
    # p (v - sum(p v)) with |v| < 3 and p right to 20 u, from another order of the same steps
    error = np.abs(found.astype(float) - hessian_vector_product_exact(x, v, dtype=FP64))
    assert error.max() < 3 * 40 * fmt.unit_roundoff


def test_the_second_derivatives_of_a_linear_loss_are_zero():
    pytest.importorskip("torch", reason="PyTorch is not installed here")
    assert product_by_autograd(lambda x, y: x[y], [1.0, 2.0], 0, [1, 1]).tolist() == [0, 0]


def test_a_vector_of_another_shape_is_refused():
    pytest.importorskip("torch", reason="PyTorch is not installed here")
    with pytest.raises(ValueError, match="v must have the shape of x"):
        product_by_autograd(cross_entropy_shifted, [[1.0, 2.0]], [0], [1, 0])


def test_integers_and_tensors_are_logits():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    want = loss_and_gradient(cross_entropy_shifted, [[1.0, 2.0]], [0])
    leaf = torch.tensor([[1.0, 2.0]], dtype=torch.float64, requires_grad=True)
    for x in ([[1, 2]], leaf):
        for given, wanted in zip(
            loss_and_gradient(cross_entropy_shifted, x, [0]), want, strict=True
        ):
            np.testing.assert_array_equal(given, wanted)
    assert leaf.grad is None


@pytest.mark.parametrize("loss", [lambda x, y: 1.0, lambda x, y: x.detach(), lambda x, y: None])
def test_a_loss_that_leaves_the_graph_is_refused(loss):
    pytest.importorskip("torch", reason="PyTorch is not installed here")
    with pytest.raises(TypeError, match="loss must return a PyTorch tensor that is computed"):
        loss_and_gradient(loss, [[1.0, 2.0]], [0])
    with pytest.raises(TypeError, match="loss must return a PyTorch tensor that is computed"):
        product_by_autograd(loss, [[1.0, 2.0]], [0], [[1, 0]])


@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=str)
def test_a_tensor_and_its_array_hold_the_same_numbers(fmt):
    pytest.importorskip("torch", reason="PyTorch is not installed here")
    x = ordinary_logits(fmt)
    tensor = to_tensor(x)
    assert str(tensor.dtype) == f"torch.{fmt.dtype_name}"
    back = to_numpy(tensor.requires_grad_())
    assert back.dtype == fmt.dtype
    np.testing.assert_array_equal(back.astype(float), x.astype(float))
    tensor.detach()[...] = 0  # a copy
    assert np.any(x.astype(float))


def test_without_pytorch_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match="torch is missing here: pip install"):
        loss_and_gradient(cross_entropy_shifted, [[1.0, 2.0]], [0])


def test_what_autograd_keeps_is_counted_once_and_without_the_logits():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    x = torch.ones(1000)
    assert kept_for_backward(lambda x: x * x, x) == 0
    assert kept_for_backward(lambda x: x.exp() * 2, x) == 4000  # the result of exp
    assert kept_for_backward(lambda x: (x.exp() * x.exp().detach()).exp(), x) == 3 * 4000
    assert not x.requires_grad
    for wrong in (np.ones(3), [1.0], torch.ones(3, dtype=torch.int64)):
        with pytest.raises(TypeError, match="x must be a PyTorch tensor of floating-point numbers"):
            kept_for_backward(lambda x: x, wrong)
