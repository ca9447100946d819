"""Rows of logits on which derivatives are hard, and what is checked on each of them."""

import numpy as np
import pytest

INF = np.inf

#: Every kind of row on which a derivative could go wrong. -inf is a mask, no variable.
ROWS = {
    "ordinary": [0.3, -1.2, 2.0, 0.7],
    "a tie": [1.0, 1.0, 0.0],
    "three tie": [2.0, -1.0, 2.0, 2.0],
    "all tie": [0.0, 0.0],
    "nearly a tie": [1.0, 1.0 - 1e-3, 0.5],
    "one class": [3.0],
    "a sure class": [50.0, 0.0, -3.0],
    "a mask": [1.0, -INF, 0.3],
    "a mask beside a tie": [1.0, -INF, 1.0, 0.0],
}


def check_derivatives(f, row):
    """Compare first and second derivatives of a float64 function of logits with differences."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    x = torch.tensor(row, dtype=torch.float64)
    free = torch.isfinite(x)

    def of_finite_logits(values):
        y = f(x.masked_scatter(free, values))
        return y[free] if y.ndim else y  # the derivative of log 0 is no matter here

    values = x[free].clone().requires_grad_(True)
    assert torch.autograd.gradcheck(of_finite_logits, values)
    assert torch.autograd.gradgradcheck(of_finite_logits, values)
