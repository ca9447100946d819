import math

import numpy as np
import pytest
from array_api_compat import array_namespace
from hypothesis import given

from stable_softmax import (
    BF16,
    FP16,
    FP32,
    FP64,
    cross_entropy_gradient_exact,
    log_softmax_exact,
    softmax_exact,
    softmax_shifted,
    ulp_error,
)
from stable_softmax.ladder.twosum import (
    cross_entropy_gradient_twosum,
    cross_entropy_twosum,
    log_softmax_twosum,
    logsumexp_twosum,
    softmax_twosum,
    sum_by_halves,
)
from stable_softmax.ladder.wider import (
    cross_entropy_gradient_wider,
    cross_entropy_wider,
    log_softmax_wider,
    logsumexp_wider,
    softmax_wider,
)
from stable_softmax.measure.exact_parts import exact_parts
from tests.cases import vectors


@given(vectors(low=-700, high=700))
def test_the_rounding_error_of_the_shift_is_put_back(x):
    assert ulp_error(softmax_twosum(x), softmax_exact(x)).max() <= 5
    assert ulp_error(log_softmax_twosum(x), log_softmax_exact(x)).max() <= 5


def test_the_largest_logit_of_a_format_may_be_the_maximum():
    # a part of TwoSum overflows: 16368 - 65504 is rounded to -49152, and -49152 - 16368 to -inf
    x = np.array([65504.0, 16368.0, 5.0], dtype=np.float16)
    with np.errstate(over="ignore", invalid="ignore"):
        np.testing.assert_array_equal(softmax_twosum(x), [1, 0, 0])
        np.testing.assert_array_equal(log_softmax_twosum(x), [0, -49152, -65504])
        assert logsumexp_twosum(x) == 65504


def test_the_plain_shift_is_off_by_tens_of_ulp_where_twosum_is_not():
    x = 30 * np.random.default_rng(0).normal(size=(2000, 10))
    exact = softmax_exact(x)
    assert ulp_error(softmax_shifted(x), exact).max() > 50
    assert ulp_error(softmax_twosum(x), exact).max() <= 4


def test_tensors_keep_their_type_and_gradients_flow():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    rows = [[1.0, 2.5, -3.0], [40.0, 0.0, 1.0]]
    labels = [1, 0]
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        x = torch.tensor(rows, dtype=dtype)
        for f in (softmax_twosum, softmax_wider, log_softmax_twosum, log_softmax_wider):
            assert f(x).dtype == dtype
        for f in (logsumexp_twosum, logsumexp_wider):
            assert f(x).dtype == dtype
    for loss in (cross_entropy_twosum, cross_entropy_wider):
        x = torch.tensor(rows, dtype=torch.float32, requires_grad=True)
        loss(x, torch.tensor(labels)).sum().backward()
        exact = cross_entropy_gradient_exact(np.array(rows, np.float32), labels)
        np.testing.assert_allclose(x.grad.numpy(), exact, rtol=0, atol=3e-7)
    for gradient in (cross_entropy_gradient_twosum, cross_entropy_gradient_wider):
        got = gradient(torch.tensor(rows, dtype=torch.float64), torch.tensor(labels))
        assert ulp_error(got, cross_entropy_gradient_exact(np.array(rows), labels)).max() <= 5


CEILING = (
    4.5  # exp and its correction: 2 (a relative error of 1 u is up to 1 ulp), sum: 1, quotient: 1
)


def worst_errors(x):
    exact = exact_parts(x, np.zeros(len(x), dtype=int))
    for f in (softmax_twosum, log_softmax_twosum):
        head, rest = exact[f.__name__.removesuffix("_twosum")]
        for order in "CF":  # rows, and then columns, in consecutive places
            yield np.max(ulp_error(f(np.asarray(x, order=order)), head, remainder=rest))


def test_finding_d2_a_row_of_127_classes_keeps_the_ceiling():
    # it was at 6.6 ulp: NumPy adds fewer than 128 numbers one by one, in eight places
    x = np.random.default_rng(0).normal(size=(6000, 127))[[5683]]
    assert max(worst_errors(x)) <= CEILING


@pytest.mark.parametrize("scale", [1, 30])
def test_no_number_of_classes_up_to_300_is_worse(scale):
    rng = np.random.default_rng(0)
    for n in range(2, 301):
        x = scale * rng.normal(size=(max(2, 600 // n), n))
        assert max(worst_errors(x)) <= CEILING, n


@pytest.mark.parametrize("n", [511, 1013, 5003, 33_333, 99_991])
@pytest.mark.parametrize("fmt", [FP64, FP32], ids=str)
def test_nor_is_a_long_row(n, fmt):
    rng = np.random.default_rng(0)
    for scale in (1, 30):
        x = (scale * rng.normal(size=(1, n))).astype(fmt.dtype)
        assert max(worst_errors(x)) <= CEILING, scale


@pytest.mark.parametrize("axis", [0, 1, (0, 2), (2, 0), None])
def test_a_row_has_the_same_bits_in_every_layout_of_memory(axis):
    x = np.random.default_rng(0).normal(size=(60, 7, 50))
    wanted = logsumexp_twosum(x, axis)
    strided = np.zeros((120, 7, 150))[::2, :, ::3]
    strided[...] = x
    for y in (np.asfortranarray(x), strided, np.flip(np.flip(x, 0).copy(), 0)):
        np.testing.assert_array_equal(logsumexp_twosum(y, axis), wanted)


@pytest.mark.parametrize("n", [1, 2, 3, 127, 1000, 4097])
@pytest.mark.parametrize("fmt", [FP64, FP32, FP16, BF16], ids=str)
def test_a_sum_by_halves_is_right_to_the_last_bit_or_so(n, fmt):
    x = np.random.default_rng(0).uniform(0, 1, size=(4, n)).astype(fmt.dtype)
    exact = [math.fsum(row) for row in x.astype(float).tolist()]
    got = sum_by_halves(x, (1,), array_namespace(x))
    assert got.dtype == x.dtype and got.shape == (4, 1)
    # one rounding of the sum, and what the short format cannot say of the errors lost
    np.testing.assert_allclose(got[:, 0].astype(float), exact, rtol=1.5 * fmt.unit_roundoff)


def test_a_sum_beyond_the_format_is_infinite_and_not_nan():
    with np.errstate(over="ignore", invalid="ignore"):
        assert logsumexp_twosum(np.zeros(70_000, dtype=np.float16)) == np.inf


def test_pytorch_hessian_of_two_tied_logits_is_not_zero():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    hessian = torch.autograd.functional.hessian
    for f in (logsumexp_twosum, logsumexp_wider):
        for dtype, x in ((torch.float64, torch.ones(2)), (torch.float32, torch.zeros(2))):
            got = hessian(f, x.to(dtype))
            np.testing.assert_array_equal(got, [[0.25, -0.25], [-0.25, 0.25]])


def test_jax_finds_the_same_derivatives_at_a_tie():
    jax = pytest.importorskip("jax", reason="JAX is not installed here")
    x = jax.numpy.zeros(2)
    np.testing.assert_array_equal(jax.grad(logsumexp_twosum)(x), [0.5, 0.5])
    np.testing.assert_array_equal(jax.hessian(logsumexp_twosum)(x), [[0.25, -0.25], [-0.25, 0.25]])
    gradient = jax.grad(lambda x: log_softmax_twosum(x)[0])(jax.numpy.array([17.0, 0.0]))
    assert gradient[0] == -gradient[1] != 0
