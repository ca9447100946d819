"""Checks of the exercises of the chapter ``logsumexp``."""

import numpy as np

from ..measure.exact import log_softmax_exact, logsumexp_exact
from .report import Case, check_cases

_INF = np.inf


def check_log_add_exp(function):
    """Check an answer to "The logarithm of the sum of two".

    Parameters
    ----------
    function : callable
        ``function(a, b)`` returns ``log(exp(a) + exp(b))`` of two numbers.

    Returns
    -------
    Report
        True if every case passed. The expected values are correctly rounded.
    """
    pairs = {
        "ordinary (1, 2)": (1.0, 2.0),
        "equal (0, 0)": (0.0, 0.0),
        "large (1000, 1000)": (1000.0, 1000.0),
        "very negative (-1000, -1001)": (-1000.0, -1001.0),
        "far apart (0, -40)": (0.0, -40.0),
        "the other order (-40, 0)": (-40.0, 0.0),
        "very far apart (1000, -1000)": (1000.0, -1000.0),
        "an empty summand (3, -inf)": (3.0, -_INF),
    }
    return check_cases(
        function,
        [
            Case(name, tuple(map(np.float64, pair)), logsumexp_exact(np.array(pair)), max_ulp=4.0)
            for name, pair in pairs.items()
        ],
    )


def check_log_softmax_order(function):
    """Check an answer to "Repair the order".

    Parameters
    ----------
    function : callable
        ``function(x)`` returns the log-softmax of `x` along its last axis.

    Returns
    -------
    Report
        True if every case passed. The expected values are correctly rounded. No case asks for
        the small log-probability of a sure class, which needs log1p.
    """
    logits = {
        "small logits": np.array([1.0, 2.0, 3.0]),
        "a far logit": np.array([0.0, -200.0, 1.0]),
        "large equal logits (1e4, float32)": np.full(2, 1e4, dtype=np.float32),
        "large equal logits (1e8, float32)": np.full(2, 1e8, dtype=np.float32),
        "a large offset (1e12)": 1e12 + np.array([0.0, 1.0, 2.0]),
        "a negative offset (-1e12)": -1e12 + np.array([0.0, 1.0, 2.0]),
        "a batch of two rows": np.array([[1e9, 1e9, 1e9], [0.0, 1.0, 2.0]]),
    }
    return check_cases(
        function,
        [Case(name, (x,), log_softmax_exact(x), max_ulp=4.0) for name, x in logits.items()],
    )
