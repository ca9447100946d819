import tracemalloc

import numpy as np
import pytest

from stable_softmax.measure.memory import kept_for_backward, peak_memory


def test_arrays_of_the_call_count_and_its_arguments_do_not():
    x = np.zeros(10**6)
    assert 8e6 <= peak_memory(lambda x: x + 1, x) < 8.1e6
    assert peak_memory(np.add, x, 1, out=x) < 1e5


def test_a_call_that_fails_ends_the_count():
    with pytest.raises(ZeroDivisionError):
        peak_memory(lambda: 1 / 0)
    assert not tracemalloc.is_tracing()


def test_what_autograd_keeps_is_counted_once_and_without_the_logits():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    x = torch.ones(1000)
    assert kept_for_backward(lambda x: x * x, x) == 0
    assert kept_for_backward(lambda x: x.exp() * 2, x) == 4000  # the result of exp
    assert kept_for_backward(lambda x: (x.exp() * x.exp().detach()).exp(), x) == 3 * 4000
    assert not x.requires_grad
