"""Checks of the exercises of the chapter ``accuracy``."""

from fractions import Fraction

import numpy as np

from ..measure.exact import softmax_exact
from .report import Case, check_cases
from .verdict import numbers_of, parts_of


def check_restored_shift(function):
    """Check an answer to "Put the lost digits back".

    ``function(x)`` returns the softmax of finite `x` along its last axis. The expected values are
    correctly rounded, and an exponential within one ulp leaves an error of less than 8 ulp. A
    detour through longdouble, where the processor has one, cannot be seen in the result, and
    passes.
    """
    rng = np.random.default_rng(0)
    small, far = rng.normal(size=(20, 1)), rng.uniform(-700.0, -500.0, size=(20, 4))
    logits = {
        "close logits": np.array([1.0, 2.0, 3.0]),
        "a far class": np.array([0.1, -700.3]),
        "a large maximum, small others": np.concatenate([-far[:, :1], small], axis=1),
        "a small maximum, large others": np.concatenate([small, far], axis=1),
        "a maximum and others of one size": np.concatenate([-far[:, :1], far[:, 1:]], axis=1) / 2,
        "ten classes, scale 100": 100.0 * rng.normal(size=(50, 10)),
    }
    return check_cases(
        function,
        [_restored_case(name, x) for name, x in logits.items()],
        draw=lambda rng: _restored_case("drawn", rng.uniform(-300, 300, size=3)),
        mistakes={
            "(x - z) - m is exact only where x is the larger of the two: use TwoSum": (
                lambda x: _softmax_with(x, lambda x, m, z: (x - z) - m)
            ),
            "x - (m + z) is exact only where m is the larger of the two: use TwoSum": (
                lambda x: _softmax_with(x, lambda x, m, z: x - (m + z))
            ),
            "the sign of the correction is wrong: it doubles the error": (
                lambda x: _softmax_with(x, lambda x, m, z: -_lost(x, m, z))
            ),
        },
    )


def check_two_product(function):
    """Check an answer to "What a product loses".

    ``function(a, b)`` returns ``p = fl(a b)`` and the float64 number t with ``p + t = a
    b``.
    """
    rng = np.random.default_rng(0)
    factors = {
        "whole numbers (3, 5)": (3.0, 5.0),
        "(0.1, 0.1)": (0.1, 0.1),
        "the neighbor of 1, squared": (1 + 2.0**-52, 1 + 2.0**-52),
        "a negative factor (-1/3, 0.1)": (-1 / 3, 0.1),
        "large factors (1e100, 1e-90 / 3)": (1e100, 1e-90 / 3),
        "arrays of 1000 random factors": (rng.normal(size=1000), rng.normal(size=1000)),
    }
    return check_cases(
        function,
        [_product_case(name, *pair) for name, pair in factors.items()],
        draw=lambda rng: _product_case("drawn", *rng.uniform(-1, 1, size=2)),
    )


def _lost(x, m, z):
    part = z - x
    return (x - (z - part)) + (-m - part)


def _softmax_with(x, lost):
    m = np.max(x, axis=-1, keepdims=True)
    z = x - m
    e = np.exp(z)
    e = e + e * lost(x, m, z)
    return e / np.sum(e, axis=-1, keepdims=True)


def _restored_case(name, x):
    return Case(name, (x,), softmax_exact(x), max_ulp=8.0)


def _product_case(name, a, b):
    a, b = np.float64(a), np.float64(b)

    def reason(result):
        p, t = (numbers_of(part, np.shape(a)) for part in parts_of(result, ("p", "t")))
        if not np.array_equal(p, a * b):
            return "p is not the rounded product"
        numbers = zip(*(np.ravel(v).tolist() for v in (a, b, p, t)), strict=True)
        left = [Fraction(x) * Fraction(y) - Fraction(r) - Fraction(e) for x, y, r, e in numbers]
        wrong = sum(difference != 0 for difference in left)
        worst = float(max(map(abs, left)))
        return f"{wrong} of {len(left)}: p + t misses a·b by up to {worst:.3g}" if wrong else None

    return Case(name, (a, b), reason)
