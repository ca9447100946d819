"""Checks of the exercises of the chapter ``one_pass``."""

import numpy as np

from ..measure.exact import softmax_exact
from .drawn import eighths
from .report import Case, check_cases

_INF = np.inf


def check_guarded_merge(function):
    """Check an answer to "A merge with a guard".

    ``function(m1, s1, m2, s2)`` returns the pair (m, s) of two scaled sums, four numbers, with m
    the larger shift.
    """
    sums = {
        "the second is larger": (0.0, 1.0, 1.0, 2.0),
        "the first is larger": (5.0, 3.0, 2.0, 1.0),
        "equal shifts": (4.0, 1.5, 4.0, 2.0),
        "large shifts (1000)": (1000.0, 2.0, 1001.0, 1.0),
        "far apart (-1000, 1000)": (-1000.0, 1.0, 1000.0, 1.0),
        "nothing, then something": (-_INF, 0.0, 3.0, 2.0),
        "something, then nothing": (3.0, 2.0, -_INF, 0.0),
        "nothing twice": (-_INF, 0.0, -_INF, 0.0),
    }
    return check_cases(
        function,
        [_merge_case(name, *four) for name, four in sums.items()],
        draw=_drawn_merge,
        mistakes={
            "nan is replaced too late: NumPy has warned": _replaced_late,
            "m of nothing is -inf, so that any logit is larger": (
                lambda *four: _unguarded(*four) if max(four[0], four[2]) > -_INF else (0.0, 0.0)
            ),
            "the sums are on different scales: multiply before you add": (
                lambda m1, s1, m2, s2: (max(m1, m2), s1 + s2)
            ),
        },
    )


def check_weighted_mean(function):
    """Check an answer to "The mean of values, in one pass".

    ``function(scores, values)`` returns the mean of the values, weighted by the softmax of the
    scores. All values are positive, so that no digits cancel.
    """
    samples = {
        "falling scores": ([2.0, 1.0, 0.0], [1.0, 2.0, 3.0]),
        "rising scores": ([0.0, 1.0, 2.0], [1.0, 2.0, 3.0]),
        "equal scores": ([1.0, 1.0, 1.0], [1.0, 2.0, 6.0]),
        "large scores (1000)": ([1000.0, 1002.0, 1001.0], [1.0, 2.0, 3.0]),
        "very negative scores (-1000)": ([-1000.0, -1002.0, -999.0], [1.0, 2.0, 3.0]),
        "from -1000 to 1000": ([-1000.0, 0.0, 1000.0], [1.0, 2.0, 3.0]),
        "a mask first": ([-_INF, -_INF, 1.0, 2.0], [5.0, 5.0, 1.0, 2.0]),
        "a mask last": ([1.0, 2.0, -_INF], [1.0, 2.0, 5.0]),
        "one score": ([3.0], [7.0]),
    }
    return check_cases(
        function,
        [_mean_case(name, *sample) for name, sample in samples.items()],
        draw=lambda rng: _mean_case("drawn", eighths(rng, 5), 1 + np.abs(eighths(rng, 5))),
        mistakes={
            "w has to be rescaled by the factor of s, not replaced": (_started_again),
            "exp overflows or underflows: subtract the largest score so far": _naive_mean,
        },
    )


def _unguarded(m1, s1, m2, s2):
    m = max(m1, m2)
    return m, s1 * np.exp(m1 - m) + s2 * np.exp(m2 - m)


def _replaced_late(m1, s1, m2, s2):
    m, s = _unguarded(m1, s1, m2, s2)
    return m, np.nan_to_num(s)


def _merge_case(name, m1, s1, m2, s2):
    """One merge: the exponentials of multiples of 1/8 are right to an ulp, and so is the sum."""
    m = max(m1, m2)
    s = 0.0 if m == -_INF else _unguarded(m1, s1, m2, s2)[1]
    return Case(name, tuple(map(np.float64, (m1, s1, m2, s2))), np.array([m, s]))


def _drawn_merge(rng):
    m1, m2 = eighths(rng, 2)
    s1, s2 = 1 + rng.integers(0, 8, 2)
    return _merge_case("drawn", m1, s1, m2, s2)


def _mean_case(name, scores, values):
    scores, values = np.array(scores), np.array(values)
    mean = np.sum(softmax_exact(scores) * values)
    return Case(name, (scores, values), np.float64(mean), max_ulp=32.0)


def _started_again(scores, values):
    m, s, w = -_INF, 0.0, 0.0
    for x, v in zip(scores, values, strict=True):
        if x > m:
            m, s, w = x, s * np.exp(m - x), 0.0
        if x > -_INF:
            s, w = s + np.exp(x - m), w + np.exp(x - m) * v
    return w / s


def _naive_mean(scores, values):
    e = np.exp(scores)
    return np.sum(e * values) / np.sum(e)
