"""Checks of the exercises of the chapter ``drawing``. They need NumPy only."""

from fractions import Fraction

import numpy as np

from .report import Case, check_cases

_LAST = 1 - 2.0**-53  # the largest random number of a generator


def check_drawn_class(function):
    """Check an answer to "A draw that fails at both ends".

    ``function(p, r)`` returns the index of the class on whose piece the random number falls, with
    r scaled to the sum of p. Each piece includes its left end.
    """
    cases = {
        "inside of a piece": ([0.25, 0.5, 0.25], 0.375),
        "at the left end of a piece": ([0.25, 0.5, 0.25], 0.25),
        "r = 0": ([0.25, 0.5, 0.25], 0.0),
        "the largest r": ([0.25, 0.5, 0.25], _LAST),
        "r = 0, and the first p is 0": ([0.0, 0.0, 0.5, 0.5], 0.0),
        "a p of 0 in the middle": ([0.5, 0.0, 0.5], 0.5),
        "the largest r, and the last p is 0": ([0.5, 0.5, 0.0], _LAST),
        "the sum is 15/16": ([0.25, 0.25, 0.4375, 0.0], 0.96875),
        "the sum is 17/16": ([0.5, 0.5, 0.0625], _LAST),
        "ten times 0.1": ([0.1] * 10, _LAST),
        "weights with the sum 4": ([2.0, 1.0, 1.0], 0.625),
        "one class": ([1.0], 0.5),
    }
    return check_cases(
        function,
        [_drawn_case(name, *case) for name, case in cases.items()],
        draw=_random_draw,
        mistakes={
            "r falls beyond the last piece where the sum is below 1: scale it to the sum": (
                lambda p, r: np.searchsorted(np.cumsum(p), r, side="right")
            ),
            'at the end of a piece begins the next one: side="right"': (
                lambda p, r: np.searchsorted(np.cumsum(p), r * np.sum(p))
            ),
            "the last class may have probability 0: scale r, do not move the index": (
                lambda p, r: min(np.searchsorted(np.cumsum(p), r, side="right"), len(p) - 1)
            ),
        },
    )


def check_smallest_nucleus(function):
    """Check an answer to "The token that crosses the line".

    ``function(p, share)`` returns how many tokens there are in the nucleus: the fewest most
    probable ones with at least the share together.
    """
    four = [0.125, 0.5, 0.0625, 0.3125]
    cases = {
        "the line is crossed": (four, 0.75),
        "the line is met": (four, 0.8125),
        "the first token has enough": (four, 0.25),
        "the first token has exactly enough": (four, 0.5),
        "nearly everything": (four, 0.96875),
        "everything": (four, 1.0),
        "one token": ([1.0], 0.5),
        "4096 equal tokens in float16": (np.full(4096, 2.0**-12, dtype=np.float16), 0.9),
    }
    return check_cases(
        function,
        [_nucleus_case(name, *case) for name, case in cases.items()],
        draw=_random_nucleus,
        mistakes={
            "the sum in float16 stops: add in a longer format": (
                lambda p, share: np.sum(np.cumsum(_falling(p)) - _falling(p) < share)
            ),
            "the token that meets the line is the last one: < share, not <= share": (
                lambda p, share: np.sum(_before(p) <= share)
            ),
            "the sum before a token decides, not the sum with it": (
                lambda p, share: np.sum(_before(p) + _falling(p) < share)
            ),
        },
    )


def _drawn_case(name, p, r):
    sums = np.cumsum([Fraction(v) for v in p])
    place = Fraction(r) * sums[-1]
    drawn = next(i for i, c in enumerate(sums) if place < c)
    return Case(name, (np.array(p), r), np.float64(drawn), max_ulp=0.0)


def _random_draw(rng):
    p = rng.integers(1, 9, size=rng.integers(3, 7)) / 32
    return _drawn_case("drawn", p, float(rng.integers(1, 64) / 64 + 2.0**-20))


def _falling(p):
    return np.sort(p)[::-1]


def _before(p):
    """Return the sum of all that is more probable than each token."""
    return np.cumsum(_falling(p), dtype=float) - _falling(p)


def _nucleus_case(name, p, share):
    sums = np.cumsum([Fraction(float(v)) for v in _falling(p)])
    size = 1 + np.sum(sums < Fraction(share))
    return Case(name, (np.array(p), share), np.float64(size), max_ulp=0.0)


def _random_nucleus(rng):
    p = rng.permutation([1, 2, 3, 5, 8, 13]) / 32
    return _nucleus_case("drawn", p, float(rng.integers(1, 64) / 64))
