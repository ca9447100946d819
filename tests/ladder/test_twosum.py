import numpy as np
import pytest
from hypothesis import given

from stable_softmax import (
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
)
from stable_softmax.ladder.wider import (
    cross_entropy_gradient_wider,
    cross_entropy_wider,
    log_softmax_wider,
    logsumexp_wider,
    softmax_wider,
)
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
