"""A vocabulary divided among processes: the same numbers, and no process that is missed."""

import time

import numpy as np
import pytest

from stable_softmax.libraries.adapters import is_installed
from stable_softmax.scale.distributed import (
    ProcessLost,
    late_by_a_minute,
    loss_by_processes,
    parallel_loss_and_gradients,
)
from stable_softmax.scale.vocabulary import vocabulary_loss_and_gradients
from tests.scale.parallel import fail_in_the_first, kill_the_third

pytestmark = pytest.mark.skipif(not is_installed("torch"), reason="PyTorch is not installed")
RNG = np.random.default_rng(0)
H, W, B = RNG.normal(size=(23, 6)), RNG.normal(size=(41, 6)), RNG.normal(size=41)
Y = np.where(np.arange(23) % 5 == 0, -100, RNG.integers(0, 41, 23))
K = RNG.uniform(0, 2, size=41)


@pytest.mark.parametrize("processes", [2, 4])
def test_loss_and_gradients_are_those_of_one_process_with_every_option(processes):
    bias = B.copy()
    bias[:15] = -np.inf  # the first of four has no class that takes part
    options = {"class_weights": np.where(bias == -np.inf, 0, K), "z_loss": 0.01}
    options |= {"label_smoothing": 0.1, "tile": (8, 5)}
    labels = np.where(Y == -100, -100, 15 + Y % 26)
    want, true = vocabulary_loss_and_gradients(H, W, labels, bias, **options)
    loss, found = loss_by_processes(H, W, labels, bias, processes=processes, **options)
    assert abs(loss - want) <= 1e-13
    for gradient, expected in zip(found, true, strict=True):
        assert gradient.shape == expected.shape
        # sums of 41 numbers below 1 in another order
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-14)


def test_a_killed_process_is_named_and_nobody_hangs():
    start = time.monotonic()
    with pytest.raises(ProcessLost, match="process 2 of 4 has ended with exit status -9") as lost:
        loss_by_processes(H, W, Y, processes=4, timeout=5, before=kill_the_third)
    assert "waited in vain for the others to merge the parts" in str(lost.value.__cause__)
    assert time.monotonic() - start < 120  # four imports of PyTorch, on a busy machine


def test_a_late_process_is_named_after_the_timeout():
    start = time.monotonic()
    with pytest.raises(ProcessLost, match="process 1 of 2 was late by more than 2 s"):
        loss_by_processes(H, W, Y, processes=2, timeout=2, before=late_by_a_minute)
    assert time.monotonic() - start < 60


def test_an_error_in_a_process_is_raised_here():
    with pytest.raises(ZeroDivisionError) as raised:
        loss_by_processes(H, W, Y, processes=2, timeout=5, before=fail_in_the_first)
    assert "in process 0 of 2" in raised.value.__notes__[0]


def test_wrong_arguments_are_named_before_a_process_starts():
    with pytest.raises(ValueError, match="cannot share"):
        loss_by_processes(H, W, Y, processes=42)
    with pytest.raises(ValueError, match="timeout must be a positive"):
        loss_by_processes(H, W, Y, processes=2, timeout=0)
    with pytest.raises(RuntimeError, match="belongs to no group"):
        parallel_loss_and_gradients(H, W, Y, first=0)
