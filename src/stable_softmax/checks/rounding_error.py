"""Checks of the exercises of the chapter ``rounding_error``."""

import math

import numpy as np

from ..measure.exact import cross_entropy_exact, cross_entropy_gradient_exact
from .report import Case, check_cases


def check_accurate_sum(function):
    """Check an answer to "A sum that does not absorb".

    Parameters
    ----------
    function : callable
        ``function(e)`` returns the sum of a float32 vector.

    Returns
    -------
    Report
        True if every case passed. The expected values are exact sums, and four ulp are allowed:
        more than a sum by halves needs for these vectors, far less than one from left to right.
    """
    rng = np.random.default_rng(0)
    small = np.full(20_001, math.exp(-16.7))
    vectors = {
        "one number": [0.1],
        "three numbers": [0.1, 0.2, 0.3],
        "1000 random exponentials": np.exp(rng.normal(size=1000)),
        "50001 random exponentials": np.exp(rng.normal(size=50_001)),
        "2 ** 15 equal numbers": np.full(2**15, 0.1),
        "a one, then 20000 small numbers": np.append(1.0, small[1:]),
        "20000 small numbers, then a one": np.append(small[1:], 1.0),
    }
    singles = {name: np.array(e, dtype=np.float32) for name, e in vectors.items()}
    return check_cases(
        function,
        [Case(name, (e,), np.float64(math.fsum(e.tolist()))) for name, e in singles.items()],
    )


def check_loss_condition(function):
    """Check an answer to "Is a small loss worth its digits?".

    Parameters
    ----------
    function : callable
        ``function(x, label)`` returns the condition number of the cross-entropy of one sample.

    Returns
    -------
    Report
        True if every case passed. Six digits are asked for: `1 - p` may lose the others.
    """
    samples = {
        "three logits, label 0": ([1.0, 2.0, 3.0], 0),
        "three logits, label 2": ([1.0, 2.0, 3.0], 2),
        "a sure sample": ([12.0, 0.0], 0),
        "a wrong sample": ([12.0, 0.0], 1),
        "a common offset (1000)": ([1000.0, 1001.0], 0),
        "a logit below zero": ([-3.0, 0.5, 2.0, -1.0], 3),
        "equal logits at zero": ([0.0, 0.0, 0.0], 1),
    }
    cases = []
    for name, (x, label) in samples.items():
        x = np.array(x)
        change = np.sum(np.abs(cross_entropy_gradient_exact(x, label) * x))
        six_digits = 2.0**33  # ulp of float64: a relative error of 2**-20
        expected = change / cross_entropy_exact(x, label)
        cases.append(Case(name, (x, label), expected, max_ulp=six_digits))
    return check_cases(function, cases)
