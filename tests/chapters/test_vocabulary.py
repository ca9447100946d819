"""What the summary of the chapter vocabulary states, asserted."""

import numpy as np
import pytest

from stable_softmax import logsumexp_shifted, round_to, softmax_shifted
from stable_softmax.libraries.adapters import is_installed
from stable_softmax.measure.memory import peak_memory
from stable_softmax.scale.distributed import ProcessLost, loss_by_processes
from stable_softmax.scale.vocabulary import (
    loss_and_gradient_from_logits,
    vocabulary_loss,
    vocabulary_loss_and_gradients,
)
from tests.scale.parallel import kill_the_second


def layer(tokens, words, d, dtype=np.float32):
    rng = np.random.default_rng(0)
    hidden, weights = rng.normal(size=(tokens, d)), rng.normal(size=(words, d))
    return hidden.astype(dtype), weights.astype(dtype), rng.integers(0, words, tokens)


@pytest.mark.parametrize("tile", [(128, 8000), (4, 8000), (128, 512)])
def test_tiles_cost_no_digits(tile):
    """
    The loss and both gradients from float32 tiles, of four tokens or of 512 words, are as accurate
    as from all logits: to 2e-7 and 2e-6.
    """
    hidden, weights, labels = layer(128, 8000, 32)
    exact, true = vocabulary_loss_and_gradients(hidden.astype(float), weights.astype(float), labels)
    loss, found = vocabulary_loss_and_gradients(hidden, weights, labels, tile=tile)
    assert abs(loss / exact - 1) < 2e-7
    for gradient, want in zip(found, true, strict=True):
        assert np.linalg.norm(gradient - want) < 2e-6 * np.linalg.norm(want)


def test_a_large_vocabulary_needs_little_memory():
    """
    The loss of 256 tokens over 128,256 words needs at most 5 MB beyond its inputs, and its
    gradients no more beyond inputs and gradients.
    """
    hidden, weights, labels = layer(256, 128_256, 64)
    assert peak_memory(vocabulary_loss, hidden, weights, labels) <= 5e6
    both = peak_memory(vocabulary_loss_and_gradients, hidden, weights, labels)
    assert both - (hidden.nbytes + weights.nbytes) <= 5e6  # the gradients are as large


def test_the_gradient_of_logits_needs_hardly_more_than_itself():
    """
    The gradient of logits of shape (512, 50257) is computed with at most 0.02 times their memory,
    beyond the array that it is written to.
    """
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(512, 50_257)).astype(np.float32), rng.integers(0, 50_257, 512)
    out = np.empty_like(x)
    assert peak_memory(loss_and_gradient_from_logits, x, labels, out=out) <= 0.02 * x.nbytes
    assert np.all(np.sum(out, axis=1, dtype=float) <= 1e-5 / 512)  # it is the gradient


def test_only_a_z_loss_moves_the_offset():
    """
    Without a z-loss, gradient descent leaves the mean of the logits where it was, at 1000, and
    with one it moves the log-sum-exp below 20.
    """
    rng = np.random.default_rng(0)
    labels = rng.choice(10, size=1000, p=softmax_shifted(rng.normal(size=10)))
    none, learned = (np.zeros((1000, 1)), np.zeros((10, 1)), labels), {}
    for z in (0.0, 0.01):
        bias = np.full(10, 1000.0)
        for _ in range(2000):
            bias -= vocabulary_loss_and_gradients(*none, bias, z_loss=z)[1][2]
        learned[z] = bias
    assert abs(learned[0.0].mean() - 1000) < 1e-9
    assert logsumexp_shifted(learned[0.01]) < 20
    # at 1000 bfloat16 has lost what was learned
    short = [round_to(b, "bf16").astype(float) for b in learned.values()]
    lost, kept = (vocabulary_loss(*none, b) for b in short)
    assert abs(lost - np.log(10)) < 1e-12
    assert kept < vocabulary_loss(*none, learned[0.0]) + 0.05


def test_a_soft_cap_changes_the_odds():
    """A soft cap of 30 turns odds of 22,026 to 1 into 2.7 to 1."""
    x = np.array([60.0, 50.0])
    losses = [
        vocabulary_loss(np.ones((1, 1)), x[:, np.newaxis], [0], soft_cap=cap) for cap in (None, 30)
    ]
    odds = [1 / np.expm1(loss) for loss in losses]
    assert odds[0] == pytest.approx(np.exp(10), rel=1e-9)
    assert [round(odds[0]), round(odds[1], 1)] == [22026, 2.7]
    capped = 30 * np.tanh(np.array([100.0, 90.0]) / 30)
    np.testing.assert_array_equal(round_to(capped, "bf16"), [29.875, 29.875])


def test_parts_add_up_if_they_are_divided_by_the_same_number():
    """
    Losses of parts that are divided by the same number add up to the loss of the whole; those
    divided by their own weights do not.
    """
    hidden, weights, labels = layer(64, 50, 8, float)
    k = np.where(np.arange(50) < 5, 5.0, 0.5)

    def parts(divide_by):
        return [
            vocabulary_loss(hidden[p], weights, labels[p], class_weights=k, divide_by=divide_by)
            for p in (slice(0, 8), slice(8, 64), slice(0, 64))
        ]

    one, two, whole = parts(512)
    assert one + two == pytest.approx(whole, rel=1e-13)
    one, two, whole = parts("weights")
    assert abs(one + two - whole) > 0.1
    assert abs((one + two) / 2 - whole) > 0.01


@pytest.mark.skipif(not is_installed("torch"), reason="PyTorch is not installed")
def test_a_divided_vocabulary_has_the_same_loss_and_no_process_is_missed():
    """
    A loss over classes that are divided among 2 or 4 processes equals that of one process to
    1e-12 in float64, and if a process is killed the others say so.
    """
    arguments = layer(16, 30, 4, float)
    want, gradients = vocabulary_loss_and_gradients(*arguments)
    for processes in (2, 4):
        loss, found = loss_by_processes(*arguments, processes=processes)
        assert abs(loss - want) <= 1e-12
        for gradient, true in zip(found, gradients, strict=True):
            assert np.max(np.abs(gradient - true)) <= 1e-12
    with pytest.raises(ProcessLost, match="process 1 of 2 has ended with exit status -9") as lost:
        loss_by_processes(*arguments, processes=2, timeout=5, before=kill_the_second)
    assert "process 0 of 2 waited in vain" in str(lost.value.__cause__)
