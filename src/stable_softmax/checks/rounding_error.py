"""Checks of the exercises of the chapter ``rounding_error``."""

import math

import numpy as np

from ..floating_point import FP32
from ..measure.exact import cross_entropy_exact, cross_entropy_gradient_exact
from .drawn import eighths, positive
from .report import Case, check_cases


def check_accurate_sum(function):
    """Check an answer to "A sum that does not absorb".

    ``function(e)`` returns the sum of a float32 vector, in float32. The expected values are exact
    sums, and four ulp are allowed: more than a sum by halves needs for these vectors, far less than
    one from left to right. A float64 result is refused; a sum in float64 that is rounded to float32
    at the end has the same bits as a good one, and passes.
    """
    rng = np.random.default_rng(0)
    small = np.full(20_001, math.exp(-16.7))
    vectors = {
        "one number": [0.1],
        "three numbers": [0.1, 0.2, 0.3],
        "1000 random exponentials": np.exp(rng.normal(size=1000)),
        "50001 random exponentials": np.exp(rng.normal(size=50_001)),
        "2 ** 15 equal numbers": np.full(2**15, 0.1),
        "a one, then 20000 small numbers": np.append(1.0, small[1:]),
        "20000 small numbers, then a one": np.append(small[1:], 1.0),
    }
    return check_cases(
        function,
        [_sum_case(name, e) for name, e in vectors.items()],
        draw=lambda rng: _sum_case("drawn", positive(rng, rng.integers(5, 10))),
        mistakes={
            "sorting helps a few small numbers, not many equal ones": (
                lambda e: np.cumsum(np.sort(e))[-1]
            ),
            "one number of an odd count is lost": _even_halves,
            "np.sum adds by halves only down to blocks of 128 numbers": np.sum,
        },
    )


def check_loss_condition(function):
    """Check an answer to "Is a small loss worth its digits?".

    ``function(x, label)`` returns the condition number of the cross-entropy of one
    sample.
    """
    samples = {
        "three logits, label 0": ([1.0, 2.0, 3.0], 0),
        "three logits, label 2": ([1.0, 2.0, 3.0], 2),
        "a sure sample": ([12.0, 0.0], 0),
        "a wrong sample": ([12.0, 0.0], 1),
        "a common offset (1000)": ([1000.0, 1001.0], 0),
        "a logit below zero": ([-3.0, 0.5, 2.0, -1.0], 3),
        "equal logits at zero": ([0.0, 0.0, 0.0], 1),
    }
    return check_cases(
        function,
        [_condition_case(name, *sample) for name, sample in samples.items()],
        draw=lambda rng: _condition_case("drawn", eighths(rng, 4), int(rng.integers(4))),
        mistakes={
            "the terms may not cancel: add their absolute values": (
                lambda x, label: np.abs(np.sum(_terms(x, label))) / cross_entropy_exact(x, label)
            ),
            "this is the absolute change: divide by the loss": (
                lambda x, label: np.sum(np.abs(_terms(x, label)))
            ),
            "the largest term is not their sum": (
                lambda x, label: np.max(np.abs(_terms(x, label))) / cross_entropy_exact(x, label)
            ),
        },
    )


def _even_halves(e):
    while e.size > 1:
        half = e.size // 2
        e = e[:half] + e[half : 2 * half]
    return e[0]


def _sum_case(name, numbers):
    e = np.array(numbers, dtype=np.float32)
    exact = np.float64(math.fsum(e.tolist()))
    return Case(name, (e,), exact, dtype=FP32, longer_allowed=False)


def _terms(x, label):
    return cross_entropy_gradient_exact(x, label) * x


def _condition_case(name, x, label):
    x = np.array(x)
    exact = np.sum(np.abs(_terms(x, label))) / cross_entropy_exact(x, label)
    six_digits = 2.0**33  # ulp of float64: a relative error of 2**-20
    return Case(name, (x, label), exact, max_ulp=six_digits)
