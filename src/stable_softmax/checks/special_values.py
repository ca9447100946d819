"""Checks of the exercises of the chapter ``special_values``. They need NumPy only."""

import numpy as np

from ..measure.exact import softmax_exact
from .report import Case, check_cases

_INF, _NAN = np.inf, np.nan


def check_masked_rows(function):
    """Check a masked softmax that accepts rows without any class.

    Parameters
    ----------
    function : callable
        Takes ``(x, mask)``, logits and booleans of the same shape, True where a class takes part;
        returns probabilities along the last axis, zeros where no class takes part, and nan where
        a class that takes part has a nan.

    Returns
    -------
    Report
        True if every case passed. A NumPy warning fails a case: no nan may be made on the way.
    """
    rows = {
        "nothing masked": ([1, 2, 3], [1, 1, 1]),
        "the last class masked": ([1, 2, 3], [1, 1, 0]),
        "a masked class far ahead": ([1000, 0, 1], [0, 1, 1]),
        "kept logits near -1e9": ([-1e9, -1e9, 0], [1, 1, 0]),
        "a masked logit of nan": ([_NAN, 2, 3], [0, 1, 1]),
        "a masked logit of +inf": ([_INF, 2, 3], [0, 1, 1]),
        "a nan at a class that counts": ([_NAN, 2, 3], [1, 1, 0]),
        "a logit of -inf, not masked": ([-_INF, 2, 3], [1, 1, 1]),
        "all classes masked": ([1, 2, 3], [0, 0, 0]),
        "all logits -inf, none masked": ([-_INF, -_INF, -_INF], [1, 1, 1]),
        "a batch with one empty row": ([[1, 2, 3], [1, 2, 3]], [[0, 1, 1], [0, 0, 0]]),
    }
    cases = []
    for name, (x, mask) in rows.items():
        x, mask = np.array(x, dtype=float), np.array(mask, dtype=bool)
        exact = softmax_exact(np.where(mask, x, -_INF))
        empty = ~np.any(mask & (x > -_INF), axis=-1, keepdims=True)
        cases.append(Case(name, (x, mask), np.where(empty, 0.0, exact)))
    return check_cases(function, cases)


def check_where_backward(function):
    """Check the backward pass of ``where(x > 0, log(x), 0)``.

    Parameters
    ----------
    function : callable
        Takes ``(x, upstream)``, vectors of the same shape: the input of the forward pass, and the
        gradient with respect to its output; returns the gradient with respect to `x`.

    Returns
    -------
    Report
        True if every case passed. A NumPy warning fails a case.
    """
    inputs = {
        "positive numbers": [1.0, 2.0, 10.0],
        "a zero": [0.0, 2.0],
        "a negative number": [-1.0, 2.0],
        "a nan": [_NAN, 2.0],
        "minus infinity": [-_INF, 2.0],
        "nothing positive": [0.0, 0.0],
    }
    cases = []
    for name, x in inputs.items():
        x = np.array(x)
        upstream = np.arange(3.0, 3.0 + x.size)
        slope = [1 / value if value > 0 else 0.0 for value in x.tolist()]
        cases.append(Case(name, (x, upstream), upstream * slope, max_ulp=1.0))
    return check_cases(function, cases)


def check_mean_of_batches(function):
    """Check the mean over all samples, from the means and the counts of the batches.

    Parameters
    ----------
    function : callable
        Takes ``(means, counts)``, two vectors with an entry per batch; the mean of a batch
        without samples is nan. Returns the mean over all samples, and 0 if there is none.

    Returns
    -------
    Report
        True if every case passed. A nan of a batch that has samples must not be hidden.
    """
    batches = {
        "two batches": ([1.0, 4.0], [2, 1], 2.0),
        "an empty batch": ([1.0, _NAN, 4.0], [2, 0, 1], 2.0),
        "two empty batches": ([_NAN, _NAN, 4.0], [0, 0, 5], 4.0),
        "no sample at all": ([_NAN, _NAN], [0, 0], 0.0),
        "a nan of three samples": ([1.0, _NAN], [2, 3], _NAN),
        "an infinite loss": ([1.0, _INF], [2, 3], _INF),
    }
    return check_cases(
        function,
        [
            Case(name, (np.array(means), np.array(counts)), expected)
            for name, (means, counts, expected) in batches.items()
        ],
    )
