"""Checks of the exercises of the chapter ``attention``. They need NumPy only."""

import math

import numpy as np

from ..measure.exact import softmax_exact
from .drawn import eighths
from .report import Case, check_cases

_INF, _NAN = np.inf, np.nan


def check_attention_merge(function):
    """Check the merge of attention over two blocks of keys.

    The answer takes ``(out, m, s, other_out, other_m, other_s)`` of one query: for each block the
    weighted mean of its values, a vector, the maximum of its scores and the sum of
    ``exp(score - m)``. A block without a key that is seen has zeros, -inf and 0. Returns the mean
    over both blocks.
    """
    blocks = {
        "equal maxima, equal sums": ((1, 2), 0.0, 3, (3, 6), 0.0, 3),
        "equal maxima, other sums": ((1, 2), 0.0, 1, (3, 6), 0.0, 3),
        "the other block is ahead by 2": ((1, 2), 0.0, 2, (3, 6), 2.0, 1),
        "this block is ahead by 2": ((1, 2), 5.0, 2, (3, 6), 3.0, 1),
        "scores near 1000": ((1, 2), 1000.0, 2, (3, 6), 1001.0, 2),
        "scores near -1000": ((1, 2), -1000.0, 2, (3, 6), -1001.0, 2),
        "this block is masked": ((0, 0), -_INF, 0, (3, 6), 1.0, 2),
        "the other block is masked": ((1, 2), 1.0, 2, (0, 0), -_INF, 0),
        "both are masked": ((0, 0), -_INF, 0, (0, 0), -_INF, 0),
    }

    def draw(rng):
        (m, other_m), (s, other_s) = 4 * eighths(rng, 2), rng.integers(1, 9, 2)
        return _merge_case(
            "drawn", eighths(rng, 3) + 3, m, s, eighths(rng, 3) + 3, other_m, other_s
        )

    return check_cases(
        function,
        [_merge_case(name, *block) for name, block in blocks.items()],
        draw=draw,
        mistakes={
            "exp(m) leaves the format: subtract the larger maximum first": (
                lambda a, m, s, b, n, t: (
                    (s * np.exp(m) * a + t * np.exp(n) * b) / (s * np.exp(m) + t * np.exp(n))
                )
            ),
            "each block counts by its sum, not only by its maximum": (
                lambda a, m, s, b, n, t: (
                    (np.exp(m - max(m, n)) * a + np.exp(n - max(m, n)) * b)
                    / (np.exp(m - max(m, n)) + np.exp(n - max(m, n)))
                )
            ),
            "-inf - (-inf) is nan: take 0 for the maximum of two masked blocks, and 1 for the "
            "sum": _merge_without_guard,
        },
    )


def check_padded_values(function):
    """Check a weighted mean of values of which some are padding.

    The answer takes ``(p, v, seen)``: weights of shape (queries, keys), 0 at keys that are not
    seen, values of shape (keys, width), and one boolean for each key. Returns ``p @ v``, in which
    padding has no part whatever it holds, and a nan of a key that is seen does.
    """
    p = np.array([[0.5, 0.5, 0.0], [0.25, 0.75, 0.0]])
    first_two = [True, True, False]
    cases = {
        "padding of zeros": (p, [[1, 2], [3, 4], [0, 0]], first_two),
        "padding of nan": (p, [[1, 2], [3, 4], [_NAN, 0]], first_two),
        "padding of +inf": (p, [[1, 2], [3, 4], [_INF, 0]], first_two),
        "padding of -inf": (p, [[1, 2], [3, 4], [-_INF, 1]], first_two),
        "no padding": (p[:, :2], [[1, 2], [3, 4]], [True, True]),
        "padding only": (0 * p, [[_NAN, 1], [2, _INF], [3, 4]], [False] * 3),
        "a nan of a key that is seen": (p, [[_NAN, 2], [3, 4], [5, 6]], first_two),
    }

    def draw(rng):
        seen = rng.permutation([True, True, True, False, False])
        v = eighths(rng, 5, 2)
        v[~seen] = rng.permutation([_NAN, _INF, -_INF, 2.0]).reshape(2, 2)
        return _padded_case("drawn", np.where(seen, rng.integers(0, 9, (3, 5)) / 8, 0), v, seen)

    return check_cases(
        function,
        [_padded_case(name, *case) for name, case in cases.items()],
        draw=draw,
        mistakes={
            "this also hides the nan of a key that is seen": (
                lambda p, v, seen: np.nan_to_num(p @ v, nan=0.0)
            ),
            "nan_to_num also replaces the nan of a key that is seen: ask seen, not isnan": (
                lambda p, v, seen: p @ np.nan_to_num(v, nan=0.0, posinf=0.0, neginf=0.0)
            ),
        },
    )


def _merge_without_guard(a, m, s, b, n, t):
    top = max(m, n)
    with np.errstate(invalid="ignore"):
        one, other = s * np.exp(np.subtract(m, top)), t * np.exp(np.subtract(n, top))
        return (one * a + other * b) / (one + other)


def _merge_case(name, a, m, s, b, n, t):
    """Take each sum as that many scores equal to the maximum, so that their softmax is exact."""
    a, b = np.array(a, dtype=float), np.array(b, dtype=float)
    p = softmax_exact([m] * s + [n] * t) if s + t else np.zeros(0)
    expected = math.fsum(p[:s]) * a + math.fsum(p[s:]) * b
    # two exponentials, three products and two sums, all positive, and a division
    return Case(name, (a, m, float(s), b, n, float(t)), expected, max_ulp=12.0)


def _padded_case(name, p, v, seen):
    p, v, seen = np.array(p), np.array(v, dtype=float), np.array(seen)
    return Case(name, (p, v, seen), p[:, seen] @ v[seen], max_ulp=0.0)  # eighths: exact
