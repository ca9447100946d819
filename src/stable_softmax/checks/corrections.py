"""Checks of the exercises in chapter ``corrections``."""

import numpy as np

from ..measure.exact import cross_entropy_gradient_exact, softmax_exact
from .report import Case, check_cases


def check_three_bugs(function):
    """Check a softmax of a batch: right axis, a maximum for each row, argument unchanged.

    Parameters
    ----------
    function : callable
        Takes logits of shape (samples, classes), returns probabilities of that shape.

    Returns
    -------
    Report
        True if every case passed.
    """
    batches = {
        "one small sample": np.array([[2.0, 1.0, 0.1]]),
        "as many samples as classes": np.array([[3.0, 1.0, 0.0], [0.0, 2.0, 1.0], [1.0, 0.0, 2.0]]),
        "two samples, far apart": np.array([[1000.0, 1001.0, 999.0], [1.0, 3.0, 2.0]]),
        "integers": np.array([[1, 2, 3], [4, 4, 4]]),
    }
    return check_cases(
        function, [Case(name, (x,), softmax_exact(x)) for name, x in batches.items()]
    )


def check_log_gradient(function):
    """Check the gradient of log p_y with respect to the logits of one sample.

    Parameters
    ----------
    function : callable
        Takes a vector of logits and a class index, returns a vector.

    Returns
    -------
    Report
        True if every case passed.
    """
    samples = {
        "one class": (np.array([3.0]), 0),
        "two equal logits": (np.array([1.0, 1.0]), 0),
        "three logits, the largest": (np.array([2.0, 1.0, 0.1]), 0),
        "three logits, the smallest": (np.array([2.0, 1.0, 0.1]), 2),
        "large logits": (np.array([1000.0, 1001.0, 999.0, 1000.0]), 1),
    }
    # p - 1 at the label: p is wrong by about 8 u, and 1 - p_y >= 0.25 makes that at most 16 ulp
    return check_cases(
        function,
        [
            Case(name, (x, y), -cross_entropy_gradient_exact(x, y), max_ulp=16.0)
            for name, (x, y) in samples.items()
        ],
    )


def check_masked_softmax(function):
    """Check a softmax in which some classes do not take part.

    Parameters
    ----------
    function : callable
        Takes logits and a boolean mask of the same shape, False where a class is ruled out; returns
        probabilities along the last axis. Each row keeps at least one class.

    Returns
    -------
    Report
        True if every case passed.
    """
    rows = {
        "nothing masked": (np.array([1.0, 2.0, 3.0]), [True, True, True]),
        "the last class masked": (np.array([1.0, 2.0, 3.0]), [True, True, False]),
        "only negative logits": (np.array([-5.0, -6.0, -7.0]), [True, True, False]),
        "one class left": (np.array([-50.0, 2.0, 3.0]), [True, False, False]),
        "very negative, float16": (
            np.array([-30000, -30000, 5], dtype=np.float16),
            [True, True, False],
        ),
        "two rows": (np.array([[1.0, 2.0], [3.0, 1.0]]), [[True, True], [False, True]]),
    }
    cases = []
    for name, (x, mask) in rows.items():
        allowed = x.copy()
        allowed[~np.array(mask)] = -np.inf
        cases.append(Case(name, (x, np.array(mask)), softmax_exact(allowed)))
    return check_cases(function, cases)
