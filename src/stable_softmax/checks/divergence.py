"""Checks of the exercises of the chapter ``divergence``."""

import numpy as np

from ..log_softmax import log_softmax_shifted
from ..measure.exact import (
    cross_entropy_exact,
    cross_entropy_gradient_exact,
    entropy_exact,
    kl_divergence_exact,
)
from ..softmax import softmax_shifted
from .drawn import eighths
from .report import Case, check_cases

_INF = np.inf
_DIGITS = 1e-6 / 2.0**-53  # in ulp: six digits of a float64 number


def check_masked_entropy(function):
    """Check an answer to "An entropy with a mask".

    ``function(x)`` returns the entropy of the softmax of one row of logits, some of them -inf.
    """
    rows = {
        "small": [1.0, 2.0, 3.0],
        "equal": [5.0, 5.0, 5.0, 5.0],
        "large (1000)": [1000.0, 1001.0],
        "a gap of 800": [0.0, -800.0],
        "a mask": [0.0, -_INF, 1.0],
        "all but one masked": [-_INF, 3.0, -_INF],
        "one class": [2.0],
    }
    return check_cases(
        function,
        [_entropy_case(name, row) for name, row in rows.items()],
        draw=lambda rng: _entropy_case("drawn", [*eighths(rng, 4), -_INF]),
        mistakes={
            "nan is replaced too late: NumPy has warned": lambda x: np.nansum(_plain_terms(x)),
            "a small constant inside the logarithm changes every term": (
                lambda x: -np.sum(softmax_shifted(x) * np.log(softmax_shifted(x) + 1e-7))
            ),
        },
    )


def check_divergence(function):
    """Check an answer to "Kept above zero".

    ``function(x, y)`` returns the divergence of the softmax of y from that of x, for one row of
    logits each, to six digits.
    """
    pairs = {
        "far apart": ([0.0, 1.0, 2.0], [2.0, 1.0, 0.0]),
        "equal": ([0.5, 1.0, 2.5], [0.5, 1.0, 2.5]),
        "1e-3 apart": _apart(1e-3),
        "1e-5 apart": _apart(1e-5),
        "1e-6 apart": _apart(1e-6),
        "1e-6 apart, offset 8": _apart(1e-6, 8.0),
        "1e-8 apart": _apart(1e-8),
        "large (1000)": ([1000.0, 1001.0], [1002.0, 1001.0]),
        "a gap of 800": ([0.0, -800.0], [0.0, 1.0]),
        "one class masked in both": ([0.0, -_INF, 1.0], [1.0, -_INF, 0.0]),
        "one class masked in x": ([0.0, -_INF, 1.0], [1.0, 0.0, 0.0]),
    }
    return check_cases(
        function,
        [_divergence_case(name, *pair) for name, pair in pairs.items()],
        draw=lambda rng: _divergence_case("drawn", *_drawn_pair(rng)),
        mistakes={
            "a smallest value of 0 hides the sign of the error, not the error": (
                lambda x, y: max(_from_logs(x, y), 0.0)
            ),
            "the absolute value hides the sign of the error, not the error": (
                lambda x, y: abs(_from_logs(x, y))
            ),
            "the order of the two: p belongs to x": lambda x, y: _sum_of_terms(y, x),
        },
    )


def check_focal_loss(function):
    """Check an answer to "Focal loss of a sure sample".

    ``function(x, label, gamma)`` returns (1 - p)**gamma times -log p for the label of one row of
    logits.
    """
    samples = {
        "small": ([1.0, 2.0, 3.0], 0, 2.0),
        "gamma 0": ([1.0, 2.0, 3.0], 2, 0.0),
        "a gap of 20": ([20.0, 0.0], 0, 2.0),
        "a gap of 40": ([40.0, 0.0], 0, 2.0),
        "a gap of 40, gamma 1/2": ([0.0, 40.0, 1.0], 1, 0.5),
        "wrong by 40": ([40.0, 0.0], 1, 2.0),
        "wrong by 800": ([800.0, 0.0], 1, 2.0),
        "large (1000)": ([1000.0, 1001.0], 0, 1.0),
        "a mask": ([1.0, -_INF, 2.0], 2, 2.0),
    }
    return check_cases(
        function,
        [_focal_case(name, *sample) for name, sample in samples.items()],
        draw=lambda rng: _focal_case("drawn", [*eighths(rng, 2), 40.0], 2, 1.5),
        mistakes={
            "the loss keeps the digits of a sure sample only if its 1 is left out of the sum": (
                lambda x, label, gamma: (
                    (-np.expm1(log_softmax_shifted(x)[label])) ** gamma
                    * -log_softmax_shifted(x)[label]
                )
            ),
        },
    )


def _entropy_case(name, row):
    # p and its logarithm err by some u, the latter by u |log p|
    return Case(name, (np.array(row),), entropy_exact(row), max_ulp=32.0)


def _plain_terms(x):
    p = softmax_shifted(x)
    return -p * np.log(p)


def _apart(size, offset=0.0):
    x = np.array([0.25, -1.0, 2.0, 0.5])
    return x, x + size * np.array([1.0, -0.5, 0.25, -1.0]) + offset


def _divergence_case(name, x, y):
    x, y = np.array(x), np.array(y)
    return Case(name, (x, y), kl_divergence_exact(x, y), max_ulp=_DIGITS)


def _drawn_pair(rng):
    x = eighths(rng, 4)
    return x, x + 2.0**-20 * np.array([3.0, 1.0, 0.0, 1.0]) * rng.choice([-1.0, 1.0])


def _from_logs(x, y):
    p = softmax_shifted(x)
    terms = p[p > 0] * (log_softmax_shifted(x) - log_softmax_shifted(y))[p > 0]
    return np.sum(terms)


def _sum_of_terms(x, y):
    p, seen = softmax_shifted(x), softmax_shifted(x) > 0
    d = (log_softmax_shifted(y)[seen]) - (log_softmax_shifted(x)[seen])
    return np.sum(p[seen] * (np.expm1(d) - d)) + np.sum(softmax_shifted(y)[~seen])


def _focal_case(name, x, label, gamma):
    x = np.array(x)
    loss = cross_entropy_exact(x, label)
    expected = (-cross_entropy_gradient_exact(x, label)[label]) ** gamma * loss
    # the power multiplies the error of its base by gamma
    return Case(name, (x, label, gamma), np.float64(expected), max_ulp=32.0)
