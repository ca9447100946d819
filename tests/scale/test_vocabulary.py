"""The loss of a vocabulary: the same numbers whatever the tile, and as PyTorch's where it is."""

import itertools

import numpy as np
import pytest

from stable_softmax import (
    FP32,
    FP64,
    cross_entropy_exact,
    cross_entropy_gradient_exact,
    cross_entropy_gradient_shifted,
    round_to,
)
from stable_softmax.libraries.adapters import is_installed
from stable_softmax.scale.vocabulary import (
    loss_and_gradient_from_logits,
    vocabulary_loss,
    vocabulary_loss_and_gradients,
)

needs_torch = pytest.mark.skipif(not is_installed("torch"), reason="PyTorch is not installed")
TILES = [None, (5, 41), (7, 13), (100, 1), (1, 100)]
RNG = np.random.default_rng(0)
H, W, B = RNG.normal(size=(23, 6)), RNG.normal(size=(41, 6)), RNG.normal(size=41)
Y = RNG.integers(0, 41, 23)
K = RNG.uniform(0, 2, size=41)
K[3] = 0.0


@pytest.mark.parametrize("tile", TILES)
def test_the_loss_is_the_exact_one_of_its_logits(tile):
    loss, (dh, dw) = vocabulary_loss_and_gradients(H, W, Y, tile=tile)
    x = H @ W.T
    # logits of another order of six additions, sums of 41 terms
    tolerance = 100 * FP64.unit_roundoff * np.max(np.abs(x))
    assert abs(loss - np.mean(cross_entropy_exact(x, Y))) <= tolerance
    g = cross_entropy_gradient_exact(x, Y) / len(Y)
    np.testing.assert_allclose(dh, g @ W, rtol=0, atol=tolerance)
    np.testing.assert_allclose(dw, g.T @ H, rtol=0, atol=tolerance)


@needs_torch
@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize(
    ("weighted", "smoothing", "z", "cap"),
    list(itertools.product([False, True], [0.0, 0.1], [0.0, 0.01], [None, 2.0])),
)
def test_every_option_is_that_of_pytorch_with_its_gradients(tile, weighted, smoothing, z, cap):
    import torch

    labels = np.where(np.arange(23) % 5 == 0, -100, Y)
    h, w, b = (torch.tensor(a, requires_grad=True) for a in (H, W, B))
    k = torch.tensor(K) if weighted else None
    x = h @ w.T + b
    x = x if cap is None else cap * torch.tanh(x / cap)
    y = torch.tensor(labels)
    want = torch.nn.functional.cross_entropy(x, y, weight=k, label_smoothing=smoothing)
    want = want + z * (torch.logsumexp(x[y != -100], -1) ** 2).mean()
    want.backward()
    options = {"label_smoothing": smoothing, "z_loss": z, "soft_cap": cap, "tile": tile}
    loss, found = vocabulary_loss_and_gradients(
        H, W, labels, B, class_weights=K if weighted else None, **options
    )
    assert abs(loss - want.item()) <= 1e-13 * max(abs(want.item()), 1)
    for gradient, tensor in zip(found, (h, w, b), strict=True):
        np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=0, atol=1e-13)
    h2, w2, b2 = (torch.tensor(a, requires_grad=True) for a in (H, W, B))
    loss = vocabulary_loss(h2, w2, y, b2, class_weights=k, **options)
    (3 * loss).backward()
    assert abs(loss.item() - want.item()) <= 1e-13 * max(abs(want.item()), 1)
    for ours, theirs in zip((h2, w2, b2), (h, w, b), strict=True):
        np.testing.assert_allclose(ours.grad, 3 * theirs.grad, rtol=0, atol=3e-13)


@needs_torch
@pytest.mark.parametrize("tile", [(2, 7), (4, 3)])
def test_gradcheck_passes_where_logits_are_kept_and_where_they_are_computed_again(tile):
    import torch

    h, w, b = (torch.tensor(a, requires_grad=True) for a in (H[:4], W[:7], B[:7]))
    y = torch.tensor([0, 6, -100, 3])
    options = {"label_smoothing": 0.1, "z_loss": 0.01, "soft_cap": 3.0, "tile": tile}
    assert torch.autograd.gradcheck(
        lambda *a: vocabulary_loss(*a[:2], y, a[2], **options), (h, w, b)
    )


@needs_torch
def test_no_tensor_of_a_forward_pass_is_as_large_as_the_logits():
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    class Largest(TorchDispatchMode):
        size = 0

        def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
            result = function(*arguments, **(keywords or {}))
            results = result if isinstance(result, tuple | list) else [result]
            sizes = [t.untyped_storage().nbytes() // 4 for t in results if torch.is_tensor(t)]
            self.size = max([self.size, *sizes])
            return result

    h = torch.randn(64, 4, requires_grad=True)
    w = torch.randn(10_000, 4, requires_grad=True)
    y = torch.randint(10_000, (64,))
    with Largest() as seen:  # which also sees the weights themselves, in parts
        loss = vocabulary_loss(h, w, y, tile=(64, 100))
    assert seen.size == 10_000 * 4
    with Largest() as seen:
        loss.backward()
    assert seen.size == 10_000 * 4  # their gradient


@needs_torch
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_short_formats_are_added_up_in_float32_and_get_gradients_of_their_own(dtype):
    import torch

    dtype = getattr(torch, dtype)
    h, w = (torch.tensor(a).to(dtype).requires_grad_() for a in (H, W))
    loss = vocabulary_loss(h, w, torch.tensor(Y), tile=(8, 10))
    loss.backward()
    assert (loss.dtype, h.grad.dtype, w.grad.dtype) == (torch.float32, dtype, dtype)
    wide = vocabulary_loss(h.detach().double(), w.detach().double(), torch.tensor(Y)).item()
    assert abs(loss.item() / wide - 1) < 32 * FP32.unit_roundoff


def test_short_formats_of_numpy_are_taken():
    h, w = round_to(H, "bf16"), round_to(W, "bf16")
    loss, (dh, dw) = vocabulary_loss_and_gradients(h, w, Y)
    assert (loss.dtype, dh.dtype, dw.dtype) == (np.float32, h.dtype, w.dtype)
    assert abs(loss / vocabulary_loss(h.astype(float), w.astype(float), Y) - 1) < 2e-6


@pytest.mark.parametrize("tile", TILES)
def test_ignored_tokens_may_hold_anything_and_get_no_gradient(tile):
    h, labels = H.copy(), Y.copy()
    h[::3], labels[::3] = np.nan, -100
    loss, (dh, dw) = vocabulary_loss_and_gradients(h, W, labels, tile=tile)
    keep = labels != -100
    want, (dk, dv) = vocabulary_loss_and_gradients(H[keep], W, Y[keep])
    assert loss == pytest.approx(want, rel=1e-14)
    np.testing.assert_array_equal(dh[~keep], 0)
    np.testing.assert_allclose(dh[keep], dk, rtol=0, atol=1e-15)
    np.testing.assert_allclose(dw, dv, rtol=0, atol=1e-15)


def test_a_batch_in_which_no_token_counts_costs_nothing():
    for options in ({}, {"z_loss": 0.1, "label_smoothing": 0.1, "class_weights": K}):
        loss, gradients = vocabulary_loss_and_gradients(H, W, np.full(23, -100), **options)
        assert loss == 0
        assert not any(np.any(g) for g in gradients)


@pytest.mark.parametrize("tile", TILES)
def test_a_bias_of_minus_infinity_takes_a_class_out(tile):
    bias = np.zeros(41)
    bias[:20] = -np.inf  # whole tiles of it come first
    labels = 20 + Y % 21
    loss, (dh, dw, db) = vocabulary_loss_and_gradients(H, W, labels, bias, tile=tile)
    want, (dk, dv) = vocabulary_loss_and_gradients(H, W[20:], labels - 20)
    assert loss == pytest.approx(want, rel=1e-14)
    np.testing.assert_allclose(dh, dk, rtol=0, atol=1e-15)
    np.testing.assert_allclose(dw[20:], dv, rtol=0, atol=1e-15)
    assert not np.any(dw[:20]) and not np.any(db[:20])
    assert vocabulary_loss(H, W, np.zeros(23, int), bias, tile=tile) == np.inf


def test_nan_and_infinity_reach_the_loss():
    for bad in (np.nan, np.inf):
        bias = np.zeros(41)
        bias[5] = bad
        with np.errstate(invalid="ignore"):
            assert np.isnan(vocabulary_loss(H, W, Y, bias))


def test_hidden_states_of_any_shape_get_gradients_of_that_shape():
    loss, (dh, _) = vocabulary_loss_and_gradients(
        H[:22].reshape(2, 11, 6), W, Y[:22].reshape(2, 11)
    )
    want, (dk, _) = vocabulary_loss_and_gradients(H[:22], W, Y[:22])
    assert loss == want
    np.testing.assert_array_equal(dh.reshape(22, 6), dk)


def test_no_argument_is_changed():
    before = [a.copy() for a in (H, W, Y, B, K)]
    vocabulary_loss_and_gradients(H, W, Y, B, class_weights=K, label_smoothing=0.1, soft_cap=2.0)
    for old, new in zip(before, (H, W, Y, B, K), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((H, W[:, :5], Y), {}, ValueError, "hidden must have shape"),
        ((H, W[:0], Y), {}, ValueError, "no class"),
        ((H, W, Y[:5]), {}, ValueError, "labels must have shape"),
        ((H, W, Y + 41), {}, ValueError, "labels must lie in 0 .. 40"),
        ((H, W, Y * 1.0), {}, TypeError, "labels must be integer"),
        ((H * 1j, W, Y), {}, TypeError, "hidden must hold real"),
        ((H, W, Y, B[:4]), {}, ValueError, "bias must have one number for each class"),
        ((H, W, Y), {"class_weights": -K}, ValueError, "finite and not negative"),
        ((H, W, Y), {"label_smoothing": 1.5}, ValueError, "at most 1"),
        ((H, W, Y), {"z_loss": -1}, ValueError, "z_loss must be at least 0"),
        ((H, W, Y), {"soft_cap": 0}, ValueError, "soft_cap must be positive"),
        ((H, W, Y), {"divide_by": "mean"}, ValueError, "divide_by must be"),
        ((H, W, Y), {"divide_by": 0}, ValueError, "divide_by must be positive"),
        ((H, W, Y), {"tile": 5}, TypeError, "tile must be two numbers"),
        ((H, W, Y), {"tile": (0, 5)}, ValueError, "the tokens of tile"),
        ((H, W, Y), {"ignore_label": 0.5}, TypeError, "ignore_label must be an integer"),
        ((H, W, Y), {"z": 1}, TypeError, "z"),
    ],
)
@pytest.mark.parametrize("function", [vocabulary_loss, vocabulary_loss_and_gradients])
def test_a_wrong_argument_is_named(function, arguments, options, error, message):
    with pytest.raises(error, match=message):
        function(*arguments, **options)


@pytest.mark.parametrize("dtype", ["fp64", "fp32", "fp16", "bf16"])
def test_the_gradient_of_given_logits_is_exact_to_a_few_roundings(dtype):
    x = round_to(3 * RNG.normal(size=(9, 50)), dtype)
    labels = np.where(np.arange(9) == 4, -100, np.arange(9))
    loss, gradient = loss_and_gradient_from_logits(x, labels)
    keep = labels != -100
    want = cross_entropy_gradient_shifted(x[keep].astype(float), labels[keep]) / keep.sum()
    u = max(FP32.unit_roundoff if dtype != "fp64" else 0, FP64.unit_roundoff)
    own = {"fp16": 2.0**-11, "bf16": 2.0**-8}.get(dtype, 0)
    assert gradient.dtype == x.dtype
    assert not np.any(gradient[~keep].astype(float))
    # exp, sum and quotient; the logits are below 16; fp16 has subnormals
    error = np.abs(gradient[keep].astype(float) - want)
    assert np.all(error <= 64 * u + own * np.abs(want) + 2.0**-25 * (dtype == "fp16"))
    exact = np.mean(cross_entropy_exact(x[keep], labels[keep], dtype="fp64"))
    assert abs(loss - exact) <= 64 * u * exact


def test_the_gradient_may_be_written_over_the_logits():
    x = RNG.normal(size=(9, 50))
    want = loss_and_gradient_from_logits(x, np.arange(9))
    copy = x.copy()
    found = loss_and_gradient_from_logits(copy, np.arange(9), out=copy)
    assert found[1] is copy
    assert found[0] == want[0]
    np.testing.assert_array_equal(copy, want[1])
    with pytest.raises(ValueError, match="out must be an array"):
        loss_and_gradient_from_logits(x, np.arange(9), out=copy[:3])
    with pytest.raises(ValueError, match="x must have shape"):
        loss_and_gradient_from_logits(x[0], 3)
