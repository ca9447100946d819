import tracemalloc

import numpy as np
import pytest

from stable_softmax.measure.memory import peak_memory


def test_arrays_of_the_call_count_and_its_arguments_do_not():
    x = np.zeros(10**6)
    assert 8e6 <= peak_memory(lambda x: x + 1, x) < 8.1e6
    assert peak_memory(np.add, x, 1, out=x) < 1e5


def test_a_call_that_fails_ends_the_count():
    with pytest.raises(ZeroDivisionError):
        peak_memory(lambda: 1 / 0)
    assert not tracemalloc.is_tracing()
