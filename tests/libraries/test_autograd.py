import sys

import numpy as np
import pytest

from stable_softmax import cross_entropy_gradient_exact, cross_entropy_shifted, ulp_error
from stable_softmax.libraries.autograd import loss_and_gradient


def test_the_loss_of_each_sample_and_its_own_gradient_come_back_as_arrays():
    pytest.importorskip("torch", reason="PyTorch is not installed here")
    x, labels = np.random.default_rng(0).normal(size=(5, 4)), [0, 1, 2, 3, 0]
    losses, gradient = loss_and_gradient(cross_entropy_shifted, x, labels)
    np.testing.assert_array_equal(losses, cross_entropy_shifted(x, labels))
    assert ulp_error(gradient, cross_entropy_gradient_exact(x, labels)).max() < 20


def test_without_pytorch_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match="torch is missing here: pip install"):
        loss_and_gradient(cross_entropy_shifted, [[1.0, 2.0]], [0])
