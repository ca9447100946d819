"""Checks of the exercises in the chapter ``epsilon``."""

import numpy as np

from ..floating_point import FP64
from ..measure.exact import cross_entropy_exact, cross_entropy_gradient_exact, softmax_exact
from .report import Case, check_cases


def check_epsilon_gradient(function):
    """Check a gradient of ``-log(p[label] + epsilon)`` with respect to the logits of one sample.

    Parameters
    ----------
    function : callable
        ``function(x, label, epsilon)`` takes logits of shape (n,), a class index and a constant,
        and returns an array of shape (n,).

    Returns
    -------
    Report
        True if every case passed; printed as a table.
    """
    cases = [
        ("epsilon is 0: the true gradient", [0.5, 1.0, -1.0], 1, 0.0),
        ("p and epsilon of equal size", [np.log(3.0), 0.0], 1, 0.25),
        ("label behind by 20", [20.0, 0.0], 1, 1e-7),
        ("label behind by 30, three classes", [-2.0, 0.0, 30.0], 0, 1e-7),
        ("label ahead", [0.0, 3.0, 1.0], 1, 1e-2),
        ("logits near 1000", [1000.0, 990.0], 1, 1e-5),
    ]
    return check_cases(
        function,
        [
            Case(name, (np.array(x), label, epsilon), _gradient(np.array(x), label, epsilon), 16.0)
            for name, x, label, epsilon in cases
        ],
    )


def check_loss_without_cap(function):
    """Check a cross-entropy of one sample that is exact for every gap and never negative.

    Parameters
    ----------
    function : callable
        ``function(x, label)`` takes logits of shape (n,) and a class index, and returns one number.

    Returns
    -------
    Report
        True if every case passed; printed as a table.
    """
    cases = [
        ("label behind by 3", [3.0, 0.0], 1, np.float64),
        ("label behind by 20", [20.0, 0.0], 1, np.float64),
        ("label behind by 1000", [1000.0, 0.0, -5.0], 1, np.float64),
        ("float32, label behind by 200", [200.0, 0.0], 1, np.float32),
        ("float16, label behind by 40", [40.0, 0.0], 1, np.float16),
        ("a sure sample: loss 0, not negative", [0.0, 1000.0], 1, np.float64),
        ("a thousand equal classes", np.zeros(1000), 7, np.float64),
    ]
    return check_cases(
        function,
        [
            Case(
                name,
                (np.asarray(x, dtype), label),
                cross_entropy_exact(np.asarray(x, dtype), label),
            )
            for name, x, label, dtype in cases
        ],
    )


def _gradient(x, label, epsilon):
    """Return the exact gradient but for a few roundings: the switch times the true gradient."""
    p = softmax_exact(x, dtype=FP64)[label]
    return p / (p + epsilon) * cross_entropy_gradient_exact(x, label, dtype=FP64)
