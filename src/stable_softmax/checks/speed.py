"""Checks of the exercises of the chapter ``speed``; they need NumPy only."""

import numpy as np

from .drawn import eighths
from .report import Case, check_cases


def check_bytes_moved(function):
    """Check an answer to "Bytes of a softmax".

    ``function(rows, classes, itemsize, in_cache)`` returns the bytes that go between memory and
    processor: eight times the array of the logits for the five steps of the shifted softmax, or one
    read and one write if blocks stay in the cache.
    """
    shapes = {
        "float32, 4096 rows of 1000": (4096, 1000, 4),
        "float64, the same": (4096, 1000, 8),
        "one logit": (1, 1, 4),
        "the vocabulary of a language model": (512, 128_256, 2),
    }
    cases = [
        _bytes_case(f"{name}, {'in blocks' if in_cache else 'step by step'}", *shape, in_cache)
        for name, shape in shapes.items()
        for in_cache in (False, True)
    ]
    return check_cases(
        function,
        cases,
        draw=lambda rng: _bytes_case("drawn", *map(int, rng.integers(1, 9, 3)), True),
        mistakes={
            "the values of a row, one for each, are next to nothing: leave them out": (
                lambda rows, n, size, in_cache: (
                    (2 if in_cache else 8) * rows * n * size + 2 * rows * size
                )
            ),
            "what is written moves as well": (
                lambda rows, n, size, in_cache: (1 if in_cache else 5) * rows * n * size
            ),
            "this does not ask whether the blocks stay in the cache": (
                lambda rows, n, size, in_cache: 8 * rows * n * size
            ),
        },
    )


def check_needs_shift(function):
    """Check an answer to "Does this block need a shift?".

    ``function(x)`` gets float32 logits of shape (rows, classes). It returns False if they all
    lie in -60 .. 60, and True otherwise: for nan and infinities as well.
    """
    rows = {
        "small logits": ([[1.0, 2.0], [3.0, -4.0]], False),
        "one logit of 1000": ([[1.0, 1000.0], [3.0, -4.0]], True),
        "a row far below 0": ([[1.0, 2.0], [-200.0, -201.0]], True),
        "at the limits": ([[60.0, -60.0]], False),
        "beyond the upper one": ([[60.5, 0.0]], True),
        "nan": ([[0.0, np.nan]], True),
        "a mask of -inf": ([[0.0, -np.inf]], True),
        "+inf": ([[np.inf, 0.0]], True),
    }
    return check_cases(
        function,
        [Case(name, (np.array(x, np.float32),), want) for name, (x, want) in rows.items()],
        draw=_needs_case,
        mistakes={
            "only large logits are found: a row far below 0 would divide 0 by 0": (
                lambda x: bool(not x.max() <= 60)
            ),
            "a comparison with nan is false: ask what must hold, and negate it": (
                lambda x: bool(x.max() > 60 or x.min() < -60)
            ),
        },
    )


def _bytes_case(name, rows, classes, itemsize, in_cache):
    passes = 2 if in_cache else 8
    return Case(name, (rows, classes, itemsize, in_cache), passes * rows * classes * itemsize)


def _needs_case(rng):
    x = eighths(rng, 2, 3, within=90).astype(np.float32)
    return Case("drawn", (x,), bool(np.abs(x).max() > 60))
