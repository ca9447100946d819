import numpy as np
import pytest

from stable_softmax import BF16, FP16, FP32, FP64, softmax_exact, softmax_from_logsumexp
from stable_softmax.libraries.adapters import is_installed
from stable_softmax.measure.memory import peak_memory
from stable_softmax.scale.attention import (
    attention_blocked,
    attention_gradient,
    attention_naive,
    mean_of_blocks,
)
from stable_softmax.special_values import softmax_masked
from tests.cases import INF, MAIN_FORMATS, NAN

needs_torch = pytest.mark.skipif(not is_installed("torch"), reason="PyTorch is not installed")
BLOCKS = [1, 2, 7, 64, 69, 70, 1000]
DRAWN = np.random.default_rng(0)
N_Q, N_K, D, WIDTH = 5, 70, 16, 3


def eighths(*shape, within=2):
    return DRAWN.integers(-8 * within, 8 * within + 1, size=shape) / 8


#: Multiples of 1/8, so that all scores, multiples of 1/256, are exact in float32.
Q, K, V = eighths(2, N_Q, D), eighths(2, N_K, D), eighths(2, N_K, WIDTH)
UPSTREAM = eighths(2, N_Q, WIDTH)
MASK = DRAWN.random((2, N_Q, N_K)) < 0.6
MASK[0, 0] = False  # a query that sees no key
MASK[1, :, 3] = False  # a key that no query sees
SCORES = Q @ np.swapaxes(K, -1, -2) / 4
SPREAD = np.ptp(SCORES)


def exact(mask=None):
    """The exact weighted means, and those of the sizes of the values, which errors compare with."""
    seen = np.ones(SCORES.shape, bool) if mask is None else mask
    p = softmax_exact(np.where(seen, SCORES, -INF), dtype=FP64)
    p = np.where(np.any(seen, axis=-1, keepdims=True), p, 0.0)
    return p, p @ V, p @ np.abs(V)


def bound(blocks):
    """First-order bound on the error over ``p @ abs(v)``, in units of u, if the scores are exact.

    Each weight: a rounding of the shift and exp, 3 u measured; for numerator and denominator. Then
    n - 1 additions in each of the two, a product, a division, and in each block a factor that has
    errors of its own: shift, exp and product.
    """
    return 2 * (SPREAD / 2 + 3) + 2 * (N_K - 1) + 2 + blocks * 2 * (SPREAD / 2 + 3 + 1)


@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("fmt", [FP64, FP32], ids=str)
def test_attention_in_blocks_of_any_size_is_exact_within_its_bound(fmt, block, mask):
    _, want, size = exact(mask)
    got = attention_blocked(*(x.astype(fmt.dtype) for x in (Q, K, V)), mask, block=block)
    assert got.dtype == fmt.dtype
    error = np.abs(got - want) / np.where(size == 0, 1, size) / fmt.unit_roundoff
    assert np.max(error) <= bound(-(-N_K // block))
    assert np.max(error) <= 16  # measured: below 6


@pytest.mark.parametrize("block", BLOCKS)
def test_blocks_equal_the_three_lines_within_a_bound(block):
    q, k, v = (x.astype(np.float32) for x in (Q, K, V))
    difference = np.abs(attention_blocked(q, k, v, block=block) - attention_naive(q, k, v))
    assert np.all(difference <= 32 * FP32.unit_roundoff * exact()[2])


@pytest.mark.parametrize("fmt", [FP16, BF16], ids=str)
def test_a_short_format_is_computed_in_float32_and_rounded_once(fmt):
    q, k, v = (x.astype(fmt.dtype) for x in (Q, K, V))
    got = attention_blocked(q, k, v, MASK, block=16)
    wide = attention_blocked(*(x.astype(np.float32) for x in (q, k, v)), MASK, block=16)
    assert got.dtype == fmt.dtype
    np.testing.assert_array_equal(got, wide.astype(fmt.dtype))


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
def test_the_three_lines_keep_the_format_and_are_right_where_their_scores_are(fmt):
    _, want, size = exact()
    got = attention_naive(*(x.astype(fmt.dtype) for x in (Q, K, V)))
    assert got.dtype == fmt.dtype
    # scores up to 10 are rounded twice, before and after the scale
    room = 4 * np.max(np.abs(SCORES)) + bound(0)
    assert np.all(np.abs(got.astype(float) - want) <= room * fmt.unit_roundoff * size)


def test_scaling_first_saves_a_product_that_overflows_float16():
    q, k = np.full((1, 64), 40, np.float16), np.zeros((2, 64), np.float16)
    k[0], v = 40, np.float16([[1], [0]])
    with pytest.warns(RuntimeWarning):
        assert np.isnan(attention_naive(q, k, v))
    assert attention_blocked(q, k, v) == 1


def test_the_scale_can_be_chosen():
    got = attention_blocked(Q, K, V, scale=0.0)
    np.testing.assert_allclose(got, np.mean(V, axis=-2, keepdims=True) + 0 * got, atol=2**-48)
    as_usual = attention_blocked(Q, K, V)
    np.testing.assert_array_equal(attention_blocked(Q, K, V, scale=0.25), as_usual)


def test_a_query_that_sees_no_key_gets_zeros_and_the_three_lines_give_nan():
    assert np.all(attention_blocked(Q, K, V, MASK)[0, 0] == 0)
    with np.errstate(invalid="ignore"):
        assert np.all(np.isnan(attention_naive(Q, K, V, MASK)[0, 0]))


@pytest.mark.parametrize("block", [1, 2, 3, 8])
def test_a_first_block_that_nobody_sees_changes_nothing(block):
    mask = np.arange(8) >= 3
    got = attention_blocked(Q, K[:, :8], V[:, :8], mask, block=block)
    want = attention_blocked(Q, K[:, 3:8], V[:, 3:8])
    np.testing.assert_allclose(got, want, rtol=0, atol=2**-49)


@pytest.mark.parametrize("special", [NAN, INF, -INF, 1e308])
def test_a_key_that_nobody_sees_may_hold_anything(special):
    k, v = K.copy(), V.copy()
    k[1, 3] = v[1, 3] = special
    before = k.copy()
    np.testing.assert_array_equal(
        attention_blocked(Q, k, v, MASK, block=8), attention_blocked(Q, K, V, MASK, block=8)
    )
    got = attention_gradient(Q, k, v, UPSTREAM, MASK, block=8)
    for part, want in zip(got, attention_gradient(Q, K, V, UPSTREAM, MASK, block=8), strict=True):
        np.testing.assert_array_equal(part, want)
    np.testing.assert_array_equal(k, before)


def test_scores_with_infinities_and_nan_are_those_of_the_masked_softmax():
    scores = np.array([[0, -INF, 1], [-INF] * 3, [0, INF, 1], [NAN, 0, 1]])
    for row in scores:
        with np.errstate(invalid="ignore"):
            p = softmax_masked(row, [True] * 3)
            got = attention_blocked([[1.0]], row[:, None], np.eye(3), scale=1, block=1)
        np.testing.assert_allclose(got[0], p, atol=2**-52)


def test_a_value_of_nan_is_seen_by_its_whole_batch_and_no_other():
    v = V.copy()
    v[0, 0] = NAN
    got = attention_blocked(Q, K, v)
    assert np.all(np.isnan(got[0]))
    assert np.all(np.isfinite(got[1]))


def test_a_common_offset_of_all_scores_changes_nothing():
    q = np.concatenate([Q / 4, np.ones((2, N_Q, 1))], axis=-1).astype(np.float32)
    k = np.concatenate([K, np.full((2, N_K, 1), 4096.0)], axis=-1).astype(np.float32)
    got = attention_blocked(q, k, V.astype(np.float32), scale=1)
    want = attention_blocked(Q.astype(np.float32), K.astype(np.float32), V.astype(np.float32))
    np.testing.assert_array_equal(got, want)


def exact_gradients(mask):
    p, out, _ = exact(mask)
    dz = p * (UPSTREAM @ np.swapaxes(V, -1, -2) - np.sum(UPSTREAM * out, -1, keepdims=True))
    t = np.swapaxes
    return dz @ K / 4, t(dz, -1, -2) @ Q / 4, t(p, -1, -2) @ UPSTREAM


@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("fmt", [FP64, FP32], ids=str)
def test_the_gradients_are_right_for_blocks_of_any_size(fmt, block, mask):
    arrays = (x.astype(fmt.dtype) for x in (Q, K, V, UPSTREAM))
    got = attention_gradient(*arrays, mask, block=block)
    for part, want in zip(got, exact_gradients(mask), strict=True):
        assert part.dtype == fmt.dtype
        # norm-wise, as terms of both signs cancel; measured: below 8
        error = np.linalg.norm(part - want) / np.linalg.norm(want)
        assert error <= 16 * fmt.unit_roundoff


def test_the_gradients_are_those_of_central_differences():
    def loss(q, k, v):
        return np.sum(attention_blocked(q, k, v, MASK, block=16) * UPSTREAM)

    arrays = [Q, K, V]
    for i, gradient in enumerate(attention_gradient(Q, K, V, UPSTREAM, MASK, block=9)):
        for j in DRAWN.integers(gradient.size, size=8):
            direction = np.zeros(gradient.size)
            direction[j] = 1

            def along(t, i=i, direction=direction):
                moved = arrays[i] + t * direction.reshape(arrays[i].shape)
                return loss(*arrays[:i], moved, *arrays[i + 1 :])

            slope = (along(1e-5) - along(-1e-5)) / 2e-5
            assert abs(slope - gradient.flat[j]) <= 1e-8


@needs_torch
@pytest.mark.parametrize("block", [1, 16, 70])
def test_autograd_through_the_blocks_finds_the_same_gradients(block):
    import torch

    tensors = [torch.tensor(x, requires_grad=True) for x in (Q, K, V)]
    out = attention_blocked(*tensors, torch.tensor(MASK), block=block)
    out.backward(torch.tensor(UPSTREAM))
    want = attention_gradient(Q, K, V, UPSTREAM, MASK, block=block)
    for tensor, part in zip(tensors, want, strict=True):
        assert torch.allclose(tensor.grad, torch.tensor(part), rtol=0, atol=2**-44)


@needs_torch
def test_tensors_give_tensors_with_the_numbers_of_numpy():
    import torch

    q, k, v, g = (torch.tensor(x) for x in (Q, K, V, UPSTREAM))
    np.testing.assert_allclose(
        attention_blocked(q, k, v, MASK), attention_blocked(Q, K, V, MASK), atol=2**-48
    )
    for got, want in zip(attention_gradient(q, k, v, g, MASK), exact_gradients(MASK), strict=True):
        assert torch.is_tensor(got)
        np.testing.assert_allclose(got, want, atol=2**-44)
    half = attention_blocked(*(x.to(torch.bfloat16) for x in (q, k, v)))
    assert half.dtype == torch.bfloat16


@needs_torch
def test_the_fused_function_of_pytorch_agrees():
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    got = scaled_dot_product_attention(*(torch.tensor(x) for x in (Q, K, V)), torch.tensor(MASK))
    np.testing.assert_allclose(got, attention_blocked(Q, K, V, MASK), rtol=0, atol=2**-46)


def test_a_query_that_sees_nothing_sends_nothing_back():
    only_blind = np.zeros_like(UPSTREAM)
    only_blind[0, 0] = 1
    for part in attention_gradient(Q, K, V, only_blind, MASK):
        np.testing.assert_array_equal(part, 0)


def test_the_maximum_and_the_sum_keep_the_digits_that_the_log_sum_exp_loses():
    z = (SCORES[0] + 4096).astype(np.float32)  # exact: a multiple of 1/256 below 2**14
    want = exact()[0][0]
    _, shift, s = mean_of_blocks(
        np.float32([[1.0]]), z[0][:, None], V[0].astype(np.float32), np.full((1, N_K), True), 16
    )
    ours = np.exp(z[0] - shift[0]) / s[0]
    errors = [
        np.max(np.abs(p / want[0] - 1)) / FP32.unit_roundoff
        for p in (ours, softmax_from_logsumexp(z[0]))
    ]
    assert errors[0] <= 32
    # the log-sum-exp, above 4096, is rounded by up to 2**-12, that is 4096 u; here by a part of it
    assert 100 <= errors[1] <= 4096 + 32


def test_the_scores_are_never_stored():
    n, block = 2048, 32
    q, k, v = (DRAWN.normal(size=(n, 8)).astype(np.float32) for _ in range(3))
    scores = 4 * n * n
    forward = peak_memory(attention_blocked, q, k, v, block=block)
    both = peak_memory(attention_gradient, q, k, v, v, block=block)
    naive = peak_memory(attention_naive, q, k, v)
    assert forward <= scores / 8 and both <= scores / 8 < scores <= naive


def test_no_queries_and_more_axes_are_fine():
    assert attention_blocked(Q[:, :0], K, V).shape == (2, 0, WIDTH)
    four = [x[:, None] for x in (Q, K, V)]
    np.testing.assert_array_equal(attention_blocked(*four)[:, 0], attention_blocked(Q, K, V))
    flat = attention_blocked(Q[0], K[0], V[0], block=16)
    np.testing.assert_allclose(flat, attention_blocked(Q, K, V, block=16)[0], atol=2**-49)


@pytest.mark.parametrize("attention", [attention_naive, attention_blocked])
def test_integers_and_lists_are_promoted(attention):
    got = attention([[1, 0]], [[1, 0], [1, 1]], [[2], [4]])
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, [[3]])


@pytest.mark.parametrize("attention", [attention_naive, attention_blocked])
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((Q, K.astype(np.float32), V), TypeError, "one dtype"),
        ((Q + 0j, K, V), TypeError, "q must hold real numbers"),
        ((Q, K, V, MASK * 1), TypeError, "boolean"),
        ((Q, K, V, None, "small"), TypeError, "scale must be a real number"),
        ((Q, K, V, None, NAN), ValueError, "scale must be a number"),
        ((Q[0, 0], K[0, 0], V[0, 0]), ValueError, "two axes"),
        ((Q, K[:, :, 1:], V), ValueError, "must have the shapes"),
        ((Q, K, V[:, 1:]), ValueError, "must have the shapes"),
        ((Q[:1], K, V), ValueError, "must have the shapes"),
        ((Q, K[:, :0], V[:, :0]), ValueError, "at least one key"),
        ((Q, K, V, MASK[:, 1:]), ValueError, "does not broadcast"),
        ((np.ma.array(Q, mask=Q > 1), K, V), TypeError, "hides entries"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(attention, arguments, error, message):
    with pytest.raises(error, match=message):
        attention(*arguments)


@pytest.mark.parametrize(
    ("block", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_a_block_is_a_positive_whole_number(block, error):
    with pytest.raises(error, match="block"):
        attention_blocked(Q, K, V, block=block)
    with pytest.raises(error, match="block"):
        attention_gradient(Q, K, V, UPSTREAM, block=block)


def test_an_upstream_gradient_that_does_not_fit_is_refused():
    with pytest.raises(TypeError, match="dtype of q"):
        attention_gradient(Q, K, V, UPSTREAM.astype(np.float32))
    with pytest.raises(ValueError, match="upstream must have the shape"):
        attention_gradient(Q, K, V, UPSTREAM[:, 1:])


@pytest.mark.parametrize("function", [attention_naive, attention_blocked])
def test_arrays_of_two_libraries_and_masks_are_refused_in_the_words_of_attention(function):
    torch = pytest.importorskip("torch")
    q, k, v = np.ones((2, 3)), np.ones((4, 3)), np.ones((4, 1))
    with pytest.raises(TypeError, match=r"these are q of torch, k of numpy, v of numpy$"):
        function(torch.tensor(q), k, v)
    with pytest.raises(TypeError, match="True where a key takes part"):
        function(q, k, v, np.ones(4))
    with pytest.raises(ValueError, match=r"the shape of the scores, \(2, 4\)"):
        function(q, k, v, np.ones((4, 4), bool))
