"""What the summary of the chapter attention states, asserted."""

import numpy as np
import pytest

from stable_softmax import (
    FP16,
    FP32,
    exp_exact,
    relative_error,
    softmax_from_logsumexp,
    softmax_shifted,
)
from stable_softmax.libraries.adapters import is_installed
from stable_softmax.scale.attention import (
    attention_blocked,
    attention_gradient,
    attention_naive,
    mean_of_blocks,
)
from stable_softmax.special_values import softmax_added, softmax_filled

needs_torch = pytest.mark.skipif(not is_installed("torch"), reason="PyTorch is not installed")


def test_the_square_root_keeps_the_slope():
    """
    Without the division by √d the softmax over 256 random keys has a Jacobian of median trace below
    0.001 at d = 1024; with it the trace is above 0.98.
    """
    q, k = np.random.default_rng(0).normal(size=(2, 256, 1024))
    for factor, low, high in [(1, 0, 0.001), (1 / 32, 0.98, 1)]:
        p = softmax_shifted(q @ k.T * factor)
        assert low < np.median(1 - np.sum(p**2, axis=-1)) < high


def test_scaling_first_saves_the_product():
    """
    In float16 a query and a key of 64 numbers 40 overflow the product, and the three lines give
    nan; with the query scaled first the answer is right.
    """
    q = np.full((1, 64), 40, dtype=np.float16)
    k, v = np.stack([q[0], 0 * q[0]]), np.array([[1], [0]], dtype=np.float16)
    with np.errstate(over="ignore", invalid="ignore"):
        assert (q @ k.T)[0, 0] == np.inf
        assert np.isnan(attention_naive(q, k, v)).all()
    assert ((q / 8) @ k.T)[0, 0] == 12800
    assert attention_blocked(q, k, v) == 1


def errors_in_float16(deviation):
    q, k, v = np.random.default_rng(0).normal(size=(3, 256, 64))
    q, k, v = (x.astype(np.float16) for x in (q * deviation, k, v))
    exact = attention_naive(*(x.astype(float) for x in (q, k, v)))
    p = softmax_shifted((q @ k.T * np.float16(1 / 8)).astype(np.float32))
    forms = attention_naive(q, k, v), p @ v.astype(np.float32), attention_blocked(q, k, v)
    errors = [np.linalg.norm(r - exact) / np.linalg.norm(exact) for r in forms]
    return np.array(errors) / FP16.unit_roundoff


def test_a_conversion_of_the_scores_comes_too_late():
    """
    If float16 scores have a standard deviation of 8, converting them to float32 before the softmax
    changes the error of attention by less than a tenth; if they were never rounded, the error is
    below one unit of u.
    """
    three_lines, converted, never_rounded = errors_in_float16(8)
    assert 0.9 * three_lines < converted < 1.1 * three_lines
    assert never_rounded < 1 < three_lines


@needs_torch
def test_the_same_in_bfloat16_against_the_fused_function_of_pytorch():
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    q, k, v = torch.tensor(np.random.default_rng(0).normal(size=(3, 1, 1, 256, 64)))
    q, k, v = (x.to(torch.bfloat16) for x in (8 * q, k, v))
    exact = scaled_dot_product_attention(q.double(), k.double(), v.double())
    z = q @ k.mT / 8
    forms = [
        torch.softmax(z, -1) @ v,
        torch.softmax(z.float(), -1) @ v.float(),
        scaled_dot_product_attention(q, k, v),
    ]
    three_lines, converted, fused = (float(torch.dist(r, exact) / exact.norm()) for r in forms)
    assert 0.9 * three_lines < converted < 1.1 * three_lines
    assert three_lines > 0.01 and fused < 0.002  # the percentages of the chapter
    worst = (forms[0] - exact).abs().max() / exact.abs().max()
    assert 0.025 < worst < 0.035


@pytest.mark.parametrize("block", [1, 16, 64, 256, 1024])
def test_blocks_of_any_size_are_equally_good(block):
    """
    Attention in blocks of 1 to all keys errs by at most 16 u of the weighted mean of |v|, in
    float32 and for 1024 keys.
    """
    q, k, v = np.random.default_rng(0).normal(size=(3, 1024, 64)).astype(np.float32)
    wide = [x.astype(float) for x in (q, k, v)]
    size = attention_naive(*wide[:2], np.abs(wide[2]))
    error = np.abs(attention_blocked(q, k, v, block=block) - attention_naive(*wide)) / size
    assert np.max(error) <= 16 * FP32.unit_roundoff


def test_what_a_query_gets_that_sees_nothing():
    """
    For a query that sees no key the three lines give nan, a fill gives the mean of all values, an
    added −10000 gives attention without a mask, and `attention_blocked` gives 0 with a gradient
    of 0.
    """
    q, k, v = np.ones((1, 1)), np.arange(3.0)[:, None], np.array([[1.0], [10], [100]])
    none, scores = np.zeros(3, dtype=bool), np.arange(3.0)
    with np.errstate(invalid="ignore"):
        assert np.isnan(attention_naive(q, k, v, none)).all()
    filled = softmax_filled(scores, none, -1e9) @ v
    np.testing.assert_allclose(filled, [37], rtol=2**-50)
    without = attention_blocked(q, k, v)[0]
    # a score near 10000 is rounded by 2**-40 at most
    np.testing.assert_allclose(softmax_added(scores, none, -1e4) @ v, without, rtol=2**-38)
    assert attention_blocked(q, k, v, none) == 0
    for part in attention_gradient(q, k, v, np.ones((1, 1)), none):
        np.testing.assert_array_equal(part, 0)


def test_the_way_back_from_the_log_sum_exp_alone():
    """
    A backward pass that keeps only the log-sum-exp gives every key of a row that is masked by the
    most negative number the weight 1; one that keeps the maximum and the sum gives it 1/n.
    """
    for n in (3, 1000):
        z = np.full(n, -FP32.largest, dtype=np.float32)
        np.testing.assert_array_equal(softmax_from_logsumexp(z), 1)
        one, every = np.ones((1, 1), np.float32), np.ones((1, n), bool)
        _, shift, s = mean_of_blocks(one, z[:, None], 0 * z[:, None], every, 16)
        np.testing.assert_array_equal(np.exp(z - shift[0]) / s[0], np.float32(1 / n))


@needs_torch
def test_the_flash_backward_of_pytorch_multiplies_such_a_gradient_by_the_number_of_keys():
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.nn.functional import scaled_dot_product_attention

    if tuple(map(int, torch.__version__.split("+")[0].split(".")[:2])) != (2, 13):
        pytest.skip("what other versions do was not tried")
    for n in (3, 1000):
        for way, weight in [(SDPBackend.MATH, 1 / n), (SDPBackend.FLASH_ATTENTION, 1.0)]:
            q, k = torch.ones(1, 1, 1, 1), torch.arange(n).reshape(1, 1, n, 1) / n
            v = torch.linspace(1, 73, n).reshape(1, 1, n, 1).requires_grad_()
            with sdpa_kernel(way):
                out = scaled_dot_product_attention(q, k, v, torch.full((1, n), -FP32.largest))
            assert abs(out.item() - 37) <= 2**-14
            gradient = torch.autograd.grad(out, v)[0]
            assert torch.allclose(gradient, torch.tensor(weight), rtol=2**-20)


def test_an_exponential_to_the_base_2():
    """
    In float32 exp2(z log₂ e) errs by more than 50 u for some z between −87 and −64, where exp(z)
    errs by less than 4 u.
    """
    z = np.linspace(-87, -64, 2305).astype(np.float32)
    exact, log2_e = exp_exact(z, dtype="fp64"), np.float32(np.log2(np.e))
    errors = [
        np.max(relative_error(e, exact)) / FP32.unit_roundoff
        for e in (np.exp(z), np.exp2(z * log2_e))
    ]
    assert errors[0] < 4 < 50 < errors[1]
