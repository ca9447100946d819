"""First and second derivatives, by the definition and at the places where formulas break.

`torch.autograd.gradcheck` compares with central differences; ties, one class, and logits far apart
or nearly tied are where a formula that gives the right value may still have a wrong derivative.
"""

import functools

import numpy as np
import pytest

import stable_softmax as ss
from stable_softmax import special_values
from stable_softmax.libraries.adapters import is_installed

needs_torch = pytest.mark.skipif(not is_installed("torch"), reason="PyTorch is not installed")
needs_jax = pytest.mark.skipif(not is_installed("jax"), reason="JAX is not installed")

#: Rows of logits; every function is tried on all of them.
ROWS = {
    "ordinary": [[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]],
    "all tied": [[0.0, 0.0, 0.0], [2.0, 2.0, 2.0]],
    "two tied at the top": [[3.0, 3.0, 1.0], [-1.0, 2.0, 2.0]],
    "tied below the top": [[3.0, 1.0, 1.0], [0.0, 0.0, 4.0]],
    "nearly tied": [[0.0, 2.0**-50, -1.0], [1.0, 1.0 - 1e-9, 1.0]],
    "one class": [[3.0], [-2.0]],
    "far apart": [[0.0, -40.0, 40.0], [700.0, 0.0, -700.0]],
    "common offset": [[1000.5, 1000.0, 1001.0], [-1e4, -1e4, -1e4 - 1]],
}
OF_LOGITS = [
    *("softmax_shifted", "softmax_from_logsumexp", "logsumexp_shifted", "logsumexp_log1p"),
    *("log_softmax_from_logsumexp", "log_softmax_shifted", "log_softmax_log1p"),
    *("softmax_twosum", "log_softmax_twosum", "logsumexp_twosum"),
    *("softmax_wider", "log_softmax_wider", "logsumexp_wider"),
]
OF_LABELS = [
    *("from_logsumexp", "shifted", "log1p", "twosum", "wider"),
    *("gradient_shifted", "gradient_complement", "gradient_twosum", "gradient_wider"),
]


def with_labels(f, x, first=0, **options):
    labels = (np.arange(x.shape[0]) % x.shape[-1]).tolist()
    labels[0] = first
    return f(x, labels, **options)


def with_targets(f, x):
    targets = np.asarray(ss.softmax_shifted(np.arange(np.prod(x.shape)).reshape(x.shape) / 3))
    return f(x, targets)


def with_weights(f, x):
    return f(x, weights=np.array([2.0, 0.0, 0.5])[: x.shape[-1]])


def with_mask(f, x, **options):
    return f(x, np.array([True, False, True])[: x.shape[-1]], **options)


FUNCTIONS = {
    **{name: getattr(ss, name) for name in OF_LOGITS},
    **{
        f"cross_entropy_{name}": functools.partial(
            with_labels, getattr(ss, f"cross_entropy_{name}")
        )
        for name in OF_LABELS
    },
    "mean_cross_entropy": functools.partial(with_labels, special_values.mean_cross_entropy),
    "mean_cross_entropy, one ignored": functools.partial(
        with_labels, special_values.mean_cross_entropy, first=-100
    ),
    "cross_entropy_soft": functools.partial(with_targets, special_values.cross_entropy_soft),
    "hessian_vector_product": functools.partial(with_targets, ss.hessian_vector_product),
    "logsumexp_shifted, weighted": functools.partial(with_weights, ss.logsumexp_shifted),
    "logsumexp_log1p, weighted": functools.partial(with_weights, ss.logsumexp_log1p),
    "softmax_masked": functools.partial(with_mask, special_values.softmax_masked),
    "softmax_filled": functools.partial(with_mask, special_values.softmax_filled, fill=-1e5),
    "softmax_added": functools.partial(with_mask, special_values.softmax_added, fill=-1e5),
}


@needs_torch
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_first_and_second_derivatives_are_those_of_the_function(name, rows):
    import torch

    x = torch.tensor(ROWS[rows], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(FUNCTIONS[name], x)
    assert torch.autograd.gradgradcheck(FUNCTIONS[name], x)


def first_and_second(x):
    """Return softmax and its Jacobian: the derivatives of every log-sum-exp."""
    p = ss.softmax_exact(x)
    return p, np.diag(p) - np.outer(p, p)


LOGSUMEXP = [ss.logsumexp_shifted, ss.logsumexp_log1p]
LOSSES = [ss.cross_entropy_shifted, ss.cross_entropy_log1p, special_values.mean_cross_entropy]


@needs_torch
@pytest.mark.parametrize("f", LOGSUMEXP)
def test_the_hessian_of_two_tied_logits_is_not_zero(f):
    import torch

    hessian = torch.autograd.functional.hessian(f, torch.ones(2, dtype=torch.float64))
    np.testing.assert_allclose(hessian, [[0.25, -0.25], [-0.25, 0.25]], rtol=1e-15)


@pytest.fixture
def jax():
    """Yield JAX with 64-bit types, which are off by default."""
    import jax

    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield jax
    jax.config.update("jax_enable_x64", before)


@needs_jax
@pytest.mark.parametrize("rows", ROWS)
def test_jax_finds_the_same_first_and_second_derivatives(jax, rows):
    for row in ROWS[rows]:
        x, (first, second) = jax.numpy.asarray(row), first_and_second(row)
        for f in LOGSUMEXP:
            np.testing.assert_allclose(jax.grad(f)(x), first, atol=1e-15)
            np.testing.assert_allclose(jax.hessian(f)(x), second, atol=1e-15)
        at_label = np.arange(len(row)) == 0
        for f in LOSSES:
            np.testing.assert_allclose(jax.grad(f)(x, 0), first - at_label, atol=1e-15)
            np.testing.assert_allclose(jax.hessian(f)(x, 0), second, atol=1e-15)
        everything = np.ones(len(row), dtype=bool)
        jacobian = jax.jacobian(special_values.softmax_masked)(x, everything)
        np.testing.assert_allclose(jacobian, second, atol=1e-15)


@needs_torch
@pytest.mark.parametrize("f", [ss.cross_entropy_log1p, special_values.mean_cross_entropy])
def test_the_derivative_of_a_sure_sample_keeps_its_digits(f):
    import torch

    x = torch.tensor([17.0, 0.0], requires_grad=True)
    f(x, 0).backward()
    small = np.float32(ss.cross_entropy_gradient_exact([17.0, 0.0], 0))
    np.testing.assert_allclose(x.grad, small, rtol=2e-7)
    assert x.grad[0] == -x.grad[1]


@needs_torch
@pytest.mark.parametrize("f", [*LOGSUMEXP, ss.logsumexp_naive])
def test_the_gradient_of_a_row_of_minus_infinity_is_that_of_its_docstring(f):
    import torch

    x = torch.full((2,), -torch.inf, dtype=torch.float64, requires_grad=True)
    f(x).backward()
    want = 0.5 if f is ss.logsumexp_log1p else np.nan
    np.testing.assert_array_equal(x.grad, [want, want])
