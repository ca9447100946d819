"""Checks of the exercises in chapter ``softmax``."""

import numpy as np

from ..measure.exact import softmax_exact
from .report import Case, check_cases


def check_class_axis(function):
    """Check a softmax along the last axis.

    Parameters
    ----------
    function : callable
        Takes logits of any number of axes, classes along the last one; returns probabilities.

    Returns
    -------
    Report
        True if every case passed. The logits are small: nothing overflows.
    """
    batches = {
        "a vector": np.array([2.0, 1.0, 0.1]),
        "one sample, shape (1, 3)": np.array([[2.0, 1.0, 0.1]]),
        "two equal samples": np.array([[2.0, 1.0, 0.1], [2.0, 1.0, 0.1]]),
        "as many samples as classes": np.array([[3.0, 1.0, 0.0], [0.0, 2.0, 1.0], [1.0, 0.0, 2.0]]),
        "shape (2, 1, 3)": np.array([[[0.0, 1.0, 2.0]], [[4.0, 2.0, 0.0]]]),
    }
    return check_cases(
        function, [Case(name, (x,), softmax_exact(x)) for name, x in batches.items()]
    )


def check_temperature(function):
    """Check a softmax at temperature T, along the last axis.

    Parameters
    ----------
    function : callable
        Takes logits and a positive number T; returns the softmax of ``x / T``.

    Returns
    -------
    Report
        True if every case passed. A NumPy warning about a harmless overflow is no failure.
    """
    three, half = np.array([2.0, 1.0, 0.0]), np.array([2.875, 2.955, 11.0625], dtype=np.float16)
    inputs = {  # temperatures are powers of two where x / T must be exact
        "T = 1": (three, 1.0),
        "hot: T = 8": (three, 8.0),
        "cold: T = 0.25": (three, 0.25),
        "two rows, T = 0.5": (np.array([[1.0, 3.0], [2.0, -1.0]]), 0.5),
        "colder: T = 1/1024": (three, 2.0**-10),
    }
    cases = [Case(name, (x, T), softmax_exact(x / T)) for name, (x, T) in inputs.items()]
    limits = {
        "float16, T = 0.0001": (half, np.array([0.0, 0.0, 1.0], dtype=np.float16)),
        "float16, T = 0.0001, a tie": (
            np.array([12.0, 0.0, 12.0], dtype=np.float16),
            np.array([0.5, 0.0, 0.5], dtype=np.float16),
        ),
    }
    cases += [
        Case(name, (x, 1e-4), expected, warnings_allowed=True)
        for name, (x, expected) in limits.items()
    ]
    return check_cases(function, cases)


def check_softmax_floor(function):
    """Check the smallest loss that is left if softmax is applied to probabilities.

    Parameters
    ----------
    function : callable
        Takes the number of classes, returns the floor under the loss in nats.

    Returns
    -------
    Report
        True if every case passed.
    """
    # 8 ulp: log(1 + z) of a rounded 1 + z is allowed, its error is largest for one class or two
    cases = [
        Case(f"{n} class{'es' if n > 1 else ''}", (n,), np.log1p((n - 1) / np.e), max_ulp=8.0)
        for n in (1, 2, 3, 5, 10, 100, 50_000)
    ]
    return check_cases(function, cases)
