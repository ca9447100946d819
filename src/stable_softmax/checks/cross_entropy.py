"""Checks of the exercises of the chapter ``cross_entropy``."""

import numpy as np

from ..measure.exact import cross_entropy_exact, cross_entropy_gradient_exact
from .report import Case, check_cases


def check_loss_from_logits(function):
    """Check an answer to "The loss from logits".

    Parameters
    ----------
    function : callable
        ``function(x, label)`` returns the cross-entropy of one sample.

    Returns
    -------
    Report
        True if every case passed. The expected values are correctly rounded. No case asks for
        the small loss of a sure sample, which needs log1p.
    """
    samples = {
        "an ordinary sample": (np.array([2.0, 1.0, 0.1]), 0),
        "a wrong sample (gap 100, float32)": (np.array([100, 0], dtype=np.float32), 1),
        "a very wrong sample (gap 2000)": (np.array([1000.0, 1.0, -1000.0]), 2),
        "a masked class (-inf)": (np.array([0.0, -np.inf, 1.0]), 0),
        "a large offset (1e8, float32)": (np.full(2, 1e8, dtype=np.float32), 0),
        "a large offset (1e12)": (1e12 + np.array([0.0, 1.0, 2.0]), 1),
    }
    return check_cases(
        function,
        [Case(name, (x, y), cross_entropy_exact(x, y)) for name, (x, y) in samples.items()],
    )


def check_loss_gradient(function):
    """Check an answer to "A gradient for sure samples".

    Parameters
    ----------
    function : callable
        ``function(x, label)`` returns the gradient of the cross-entropy of one sample with
        respect to its logits.

    Returns
    -------
    Report
        True if every case passed. The expected values are correctly rounded.
    """
    samples = {
        "an ordinary sample": (np.array([2.0, 1.0, 0.1]), 1),
        "a very wrong sample (gap 2000)": (np.array([1000.0, 1.0, -1000.0]), 2),
        "a sure sample (gap 10, float32)": (np.array([10, 0], dtype=np.float32), 0),
        "a sure sample (gap 17, float32)": (np.array([17, 0], dtype=np.float32), 0),
        "a sure sample (gap 40)": (np.array([0.0, 40.0, 1.0]), 1),
        "two equal logits": (np.array([5.0, 5.0]), 0),
    }
    return check_cases(
        function,
        [
            Case(name, (x, y), cross_entropy_gradient_exact(x, y))
            for name, (x, y) in samples.items()
        ],
    )


def check_derivative(function):
    """Check an answer to "A derivative to nine digits".

    Parameters
    ----------
    function : callable
        ``function(f, x)`` returns the derivative at the number `x` of a function `f` of one
        number.

    Returns
    -------
    Report
        True if the relative error is below 1e-9 for each of five functions.
    """
    functions = {
        "exp at 1": (np.exp, 1.0, np.exp(1.0)),
        "log at 2": (np.log, 2.0, 0.5),
        "sine at 1": (np.sin, 1.0, np.cos(1.0)),
        "square at 3": (np.square, 3.0, 6.0),
        "log(1 + exp(x)) at 0.5": (_softplus, 0.5, 1.0 / (1.0 + np.exp(-0.5))),
    }
    return check_cases(
        function,
        [Case(name, (f, np.float64(x)), _nine_digits(d)) for name, (f, x, d) in functions.items()],
    )


def _softplus(x):
    return np.log1p(np.exp(x))


def _nine_digits(expected):
    """Return a judge of results that accepts a relative error below 1e-9."""

    def judge(result):
        if result is None:
            return "nothing was returned"
        if np.shape(result) != ():
            return f"shape {np.shape(result)} instead of ()"
        error = abs(float(result) - expected) / abs(expected)
        return None if error < 1e-9 else f"got {float(result):.10g}, relative error {error:.1e}"

    return judge
