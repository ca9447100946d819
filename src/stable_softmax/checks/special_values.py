"""Checks of the exercises of the chapter ``special_values``. They need NumPy only."""

import numpy as np

from ..measure.exact import softmax_exact
from ..softmax import softmax_shifted
from .drawn import eighths
from .report import Case, check_cases

_INF, _NAN = np.inf, np.nan


def check_masked_rows(function):
    """Check a masked softmax that accepts rows without any class.

    The answer takes ``(x, mask)``, logits and booleans of the same shape, True where a class takes
    part; returns probabilities along the last axis, zeros where no class takes part, and nan where
    a class that takes part has a nan.
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

    def draw(rng):
        mask = rng.random((3, 4)) < 0.6
        mask[rng.integers(3)] = False
        return _masked_case("drawn", eighths(rng, 3, 4), mask, max_ulp=16.0)

    return check_cases(
        function,
        [_masked_case(name, x, mask) for name, (x, mask) in rows.items()],
        draw=draw,
        mistakes={
            "a finite fill is a logit like any other: one that is kept may lie below it": (
                lambda x, mask: softmax_shifted(np.where(mask, x, -1e6))
            ),
            "a row without any class is -inf - (-inf) and 0/0: give it a maximum of 0 and a sum "
            "of 1": lambda x, mask: softmax_shifted(np.where(mask, x, -_INF)),
            "nan_to_num also hides the nan of a class that takes part": (
                lambda x, mask: np.nan_to_num(softmax_shifted(np.where(mask, x, -_INF)))
            ),
        },
    )


def check_where_backward(function):
    """Check the backward pass of ``where(x > 0, log(x), 0)``.

    The answer takes ``(x, upstream)``, vectors of the same shape: the input of the forward pass,
    and the gradient with respect to its output; returns the gradient with respect to `x`.
    """
    inputs = {
        "positive numbers": [1.0, 2.0, 10.0],
        "a zero": [0.0, 2.0],
        "a negative number": [-1.0, 2.0],
        "a nan": [_NAN, 2.0],
        "minus infinity": [-_INF, 2.0],
        "nothing positive": [0.0, 0.0],
    }
    return check_cases(
        function,
        [
            _backward_case(name, np.array(x), np.arange(3.0, 3.0 + len(x)))
            for name, x in inputs.items()
        ],
        draw=lambda rng: _backward_case("drawn", eighths(rng, 5), eighths(rng, 5)),
        mistakes={
            "the slope is computed where it does not count, and makes a nan or an infinity "
            "there": lambda x, upstream: np.where(x > 0, upstream / x, 0),
            "a number added to x changes every slope": (
                lambda x, upstream: np.where(x > 0, upstream, 0) / (x + 1e-7)
            ),
            "the gradient that was received is missing as a factor": (
                lambda x, upstream: np.where(x > 0, 1, 0) / np.where(x > 0, x, 1)
            ),
        },
    )


def check_mean_of_batches(function):
    """Check the mean over all samples, from the means and the counts of the batches.

    The answer takes ``(means, counts)``, two vectors with an entry per batch; the mean of a batch
    without samples is nan. Returns the mean over all samples, and 0 if there is none.
    """
    batches = {
        "two batches": ([1.0, 4.0], [2, 1]),
        "an empty batch": ([1.0, _NAN, 4.0], [2, 0, 1]),
        "two empty batches": ([_NAN, _NAN, 4.0], [0, 0, 5]),
        "no sample at all": ([_NAN, _NAN], [0, 0]),
        "a nan of three samples": ([1.0, _NAN], [2, 3]),
        "an infinite loss": ([1.0, _INF], [2, 3]),
    }

    def draw(rng):
        means, counts = eighths(rng, 4) + 3, rng.integers(1, 9, size=4)
        empty = rng.integers(4)
        means[empty], counts[empty] = _NAN, 0
        return _batches_case("drawn", means, counts)

    return check_cases(
        function,
        [_batches_case(name, *batch) for name, batch in batches.items()],
        draw=draw,
        mistakes={
            "this also hides the nan of a batch that has samples": (
                lambda means, counts: np.nansum(means * counts) / max(np.sum(counts), 1)
            ),
            "batches of different size have different weights": (
                lambda means, counts: np.mean(means)
            ),
        },
    )


def _masked_late(x, mask):
    e = np.exp(x - np.max(x, axis=-1, keepdims=True)) * mask
    return e / np.sum(e, axis=-1, keepdims=True)


def _masked_case(name, x, mask, max_ulp=4.0):
    x, mask = np.array(x, dtype=float), np.array(mask, dtype=bool)
    exact = softmax_exact(np.where(mask, x, -_INF))
    empty = ~np.any(mask & (x != -_INF), axis=-1, keepdims=True)
    return Case(name, (x, mask), np.where(empty, 0.0, exact), max_ulp)


def _backward_case(name, x, upstream):
    inside = x > 0
    exact = np.where(inside, upstream, 0.0) / np.where(inside, x, 1.0)
    return Case(name, (x, upstream), exact, max_ulp=2.0)  # one rounding, or two by way of 1 / x


def _batches_case(name, means, counts):
    means, counts = np.array(means), np.array(counts)
    some = counts > 0
    mean = np.sum(means[some] * counts[some]) / max(np.sum(counts), 1)
    return Case(name, (means, counts), mean)
