"""Checks of the exercises in chapter ``overflow``."""

import numpy as np

from ..measure.exact import softmax_exact
from .report import Case, check_cases


def check_overflow_free_softmax(function):
    """Check a softmax along the last axis that survives logits of any size and type.

    Parameters
    ----------
    function : callable
        Takes an array of logits, returns their probabilities along the last axis.

    Returns
    -------
    Report
    """
    rows = {
        "three small scores": np.array([1.0, 2.0, 3.0]),
        "large scores (1000)": np.array([1000.0, 1001.0, 1002.0]),
        "very negative scores (-1000)": np.array([-1000.0, -1001.0, -1002.0]),
        "scores far apart": np.array([0.0, 1000.0]),
        "float32, only the sum overflows": np.array([88.5, 88.5], dtype=np.float32),
        "a batch, rows far apart": np.array([[1000.0, 1001.0], [-1000.0, -1002.0]]),
        "unsigned 8-bit integers": np.array([0, 200, 255], dtype=np.uint8),
    }
    return check_cases(function, [_softmax_case(name, x) for name, x in rows.items()])


def check_row_maxima(function):
    """Check a shifted softmax of a batch, in which each row needs a maximum of its own.

    Parameters
    ----------
    function : callable
        Takes logits of shape (samples, classes), returns the probabilities of each sample.

    Returns
    -------
    Report
    """
    rows = {
        "one sample": np.array([[1000.0, 1001.0, 1002.0]]),
        "two samples of like size": np.array([[1000.0, 1001.0], [1003.0, 1002.0]]),
        "one large sample, one small": np.array([[1000.0, 1001.0], [1.0, 3.0]]),
        "float32, samples 100 apart": np.array([[101.0, 102.0], [1.0, 3.0]], dtype=np.float32),
        "as many samples as classes": np.array([[0.0, 2.0], [3.0, 1.0]]),
    }
    return check_cases(function, [_softmax_case(name, x) for name, x in rows.items()])


def check_largest_safe_logit(function):
    """Check the largest logit that n equal classes may have in the naive softmax.

    Parameters
    ----------
    function : callable
        Takes the largest number of a format and the number of classes, returns a float.

    Returns
    -------
    Report
    """
    cases = [
        ("one class, largest = 1e4", 1e4, 1),
        ("two classes, fp64", float(np.finfo(np.float64).max), 2),
        ("ten classes, fp32", float(np.finfo(np.float32).max), 10),
        ("60000 classes, fp16", 65504.0, 60_000),
        ("more classes than the format can count", 65504.0, 131_008),
    ]
    return check_cases(function, [_limit_case(*case) for case in cases])


def check_stable_sigmoid(function):
    """Check a sigmoid, 1 / (1 + exp(-x)), that never overflows.

    Parameters
    ----------
    function : callable
        Takes an array, returns the sigmoid of each element.

    Returns
    -------
    Report
    """
    inputs = {
        "small numbers": np.array([-2.0, 0.0, 2.0]),
        "large positive (1000)": np.array([1000.0]),
        "large negative (-1000)": np.array([-1000.0]),
        "both at once": np.array([-1000.0, 1000.0]),
        "float32, a tiny result": np.array([-95.0, -80.0], dtype=np.float32),
    }
    cases = []
    for name, x in inputs.items():
        pairs = np.stack([x, np.zeros_like(x)], axis=-1)  # sigmoid(x) is softmax([x, 0])[0]
        cases.append(Case(name, (x,), softmax_exact(pairs)[..., 0]))
    return check_cases(function, cases)


def _softmax_case(name, x):
    return Case(name, (x,), softmax_exact(x))


def _limit_case(name, largest, n):
    exact = np.log(largest) - np.log(n)

    def reason(result):
        try:
            error = abs(float(result) - exact)
        except (TypeError, ValueError):
            return f"expected a number, got {type(result).__name__}"
        # 1e-9 is far above the rounding of two logarithms and far below every wrong formula.
        return None if error < 1e-9 else f"got {float(result):.6g}, expected {exact:.6g}"

    return Case(name, (largest, n), reason)
