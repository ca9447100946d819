"""What the summary of the chapter special_values states, asserted."""

import numpy as np
import pytest

from stable_softmax import (
    E4M3,
    FP32,
    cross_entropy_gradient_shifted,
    cross_entropy_log1p,
    logsumexp_log1p,
    logsumexp_shifted,
    softmax_exact,
    softmax_shifted,
)
from stable_softmax.libraries.adapters import is_installed
from stable_softmax.libraries.autograd import loss_and_gradient
from stable_softmax.special_values import (
    cross_entropy_soft,
    log_or_zero,
    log_or_zero_naive,
    mean_cross_entropy,
    softmax_added,
    softmax_filled,
    softmax_masked,
    softmax_masked_late,
)

needs_torch = pytest.mark.skipif(not is_installed("torch"), reason="PyTorch is not installed")
X = np.array([1, 2, 3], dtype=np.float32)
LAST, EVERY = np.array([True, True, False]), np.zeros(3, dtype=bool)


@pytest.mark.parametrize("offset", [0, -2e4, -1e9, 1e30])
def test_a_finite_fill_depends_on_the_offset_and_infinity_does_not(offset):
    """
    A filled −1e4 gives the masked class the probability 1 if the other logits are near −20000;
    with −inf it is 0 at every offset.
    """
    x = X + np.float32(offset)
    assert softmax_filled(x, LAST, -1e4)[2] == (offset < -1e4)
    assert softmax_filled(x, LAST, -np.inf)[2] == 0
    assert softmax_masked(x, LAST)[2] == 0


def test_a_row_with_every_class_masked():
    """
    In a row with every class masked, an added −1e4 leaves the float32 softmax as if there were no
    mask, to three digits; a filled number makes it uniform, −inf makes it nan, and
    `softmax_masked` makes it zero.
    """
    # a logit near 1e4 is rounded by at most 2**-11, twice in a difference: relative error of p
    added = softmax_added(X, EVERY, -1e4)
    np.testing.assert_allclose(added, softmax_exact(X, dtype="fp64"), rtol=2**-10)
    for fill in (-1e4, -1e9, -FP32.largest):
        np.testing.assert_allclose(
            softmax_filled(X, EVERY, fill), np.full(3, 1 / 3), rtol=2 * FP32.unit_roundoff
        )
    with np.errstate(invalid="ignore"):
        assert np.all(np.isnan(softmax_filled(X, EVERY, -np.inf)))
    np.testing.assert_array_equal(softmax_masked(X, EVERY), 0)


def test_a_mask_in_a_format_without_infinity():
    """
    In e4m3 a mask of −inf makes the whole row nan in ml_dtypes, and in PyTorch 2.13 it becomes the
    finite number −448.
    """
    x = np.array([-460, -440, -np.inf])
    with np.errstate(invalid="ignore"):
        assert np.all(np.isnan(softmax_shifted(x.astype(E4M3.dtype)).astype(float)))
    torch = pytest.importorskip("torch")
    if tuple(map(int, torch.__version__.split(".")[:2])) < (2, 13):
        pytest.skip("what earlier versions do was not tried")
    stored = torch.tensor(x).to(torch.float8_e4m3fn).float()
    np.testing.assert_array_equal(stored, [-448, -448, -448])


@needs_torch
def test_the_log_sum_exp_of_an_empty_row():
    """
    The log-sum-exp of an empty row is −inf, and its gradient is zero only if the row is replaced
    before the computation.
    """
    import torch

    def chosen_before(x):
        empty = torch.all(x == -torch.inf)
        return torch.where(empty, -torch.inf, torch.logsumexp(torch.where(empty, 0.0, x), 0))

    x = np.full(3, -np.inf)
    forms = [
        (logsumexp_shifted, np.nan),
        (logsumexp_log1p, 1 / 3),
        (lambda x: torch.logsumexp(x, 0), np.nan),
        (chosen_before, 0),
    ]
    for f, expected in forms:
        value, gradient = loss_and_gradient(lambda x, _, f=f: f(x), x, 0)
        assert value == -np.inf
        np.testing.assert_array_equal(gradient, np.full(3, expected))


@needs_torch
@pytest.mark.parametrize(("label", "exact"), [(0, 0.0), (1, np.inf)])
def test_a_masked_logit_in_a_binary_loss(label, exact):
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits, softplus

    z = torch.tensor([-np.inf], requires_grad=True)
    loss = binary_cross_entropy_with_logits(z, torch.tensor([float(label)]))
    loss.backward()
    assert np.isnan(loss.item())
    assert z.grad.item() == -label
    other = -z.detach() if label else z.detach()
    assert softplus(other).item() == exact
    assert np.logaddexp(0, other.item()) == exact


@needs_torch
def test_a_nan_that_is_replaced_stays_in_the_gradient():
    """
    A nan that `where` replaces after the computation is gone from the value and still in the
    gradient; chosen before the computation, it is in neither.
    """
    for f, at_zero in [(log_or_zero_naive, np.nan), (log_or_zero, 0)]:
        value, gradient = loss_and_gradient(lambda x, _, f=f: f(x), [0.0, 2.0], 0)
        assert value[0] == 0
        np.testing.assert_array_equal(gradient, [at_zero, 0.5])
    for f, expected in [(softmax_masked_late, np.nan), (softmax_masked, 0)]:
        value, gradient = loss_and_gradient(lambda x, mask, f=f: f(x, mask)[0], X, EVERY)
        assert value == 0
        np.testing.assert_array_equal(gradient, np.full(3, expected))


@pytest.mark.parametrize("held", [0.0, 1e30, np.inf, -np.inf, np.nan])
def test_ignored_samples_have_no_influence(held):
    """
    The mean over the samples that count does not depend on what an ignored sample holds, and is 0
    with a zero gradient if no sample counts.
    """
    x = np.array([[2.0, 0.0], [held, held]])
    assert mean_cross_entropy(x, [0, -100]) == cross_entropy_log1p(x[0], 0)
    assert mean_cross_entropy(x, [-100, -100]) == 0
    if is_installed("torch"):
        _, gradient = loss_and_gradient(mean_cross_entropy, x, [-100, -100])
        np.testing.assert_array_equal(gradient, 0)
        _, gradient = loss_and_gradient(mean_cross_entropy, x, [0, -100])
        np.testing.assert_array_equal(gradient[1], 0)
        want = cross_entropy_gradient_shifted(x[0], 0)
        np.testing.assert_allclose(gradient[0], want, atol=2**-52)


def test_label_smoothing_beside_a_masked_class():
    """
    A target of 0 on a class with the logit −inf costs nothing; smoothing over all classes makes
    the loss infinite, and smoothing over the classes that are kept does not.
    """
    x, one_hot, kept = np.array([1.0, 2.0, -np.inf]), np.array([1, 0, 0]), np.array([1, 1, 0])
    assert cross_entropy_soft(x, one_hot) == cross_entropy_soft(x[:2], one_hot[:2])
    assert cross_entropy_soft(x, 0.9 * one_hot + 0.1 / 3) == np.inf
    smoothed = 0.9 * one_hot + 0.1 * kept / 2
    assert cross_entropy_soft(x, smoothed) == cross_entropy_soft(x[:2], smoothed[:2])
