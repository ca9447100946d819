"""Checks of the exercises in chapter ``numbers``."""

import math

import numpy as np

from ..floating_point import BF16, E4M3, E5M2, FP16, FP32, FP64, ulp
from ..measure.error import absolute_error, relative_error, ulp_error
from .drawn import one_of
from .report import Case, check_cases
from .verdict import difference, parts_of

MEASURES = ("the absolute error", "the relative error", "the error in u", "the error in ulp")


def check_spacing(function):
    """Check the distance between neighboring numbers of a format.

    The answer takes a number, the number of significant bits and the smallest exponent, returns
    the unit in the last place of the number.
    """
    places = {
        "at 1 (float32)": (1.0, FP32),
        "at 20 (e4m3)": (20.0, E4M3),
        "a little below 2 (float32)": (1.9999, FP32),
        "at 16,777,216 (float32)": (2.0**24, FP32),
        "the number below 1024 (float64)": (1024 - 2.0**-43, FP64),
        "a negative number": (-20.0, E4M3),
        "the smallest normal number": (FP16.smallest_normal, FP16),
        "a subnormal number": (1e-6, FP16),
        "zero": (0.0, FP16),
    }

    def draw(rng):
        fmt = one_of(rng, [FP32, FP16, BF16, E5M2, E4M3])
        e = int(rng.integers(fmt.min_exponent - 2, fmt.max_exponent))
        return _spacing_case("drawn", one_of(rng, [1.0, 1.25, -1.75]) * 2.0**e, fmt)

    return check_cases(
        function,
        [_spacing_case(name, *place) for name, place in places.items()],
        draw=draw,
        mistakes={
            "this is the largest error of one rounding there, half of the spacing": (
                lambda x, p, e_min: _spacing(x, p, e_min) / 2
            ),
            "the exponent of a subnormal number, and of zero, is the smallest one": (
                lambda x, p, e_min: 2.0 ** (math.frexp(x)[1] - p)
            ),
            "frexp has a fraction below 1: its exponent is larger by 1 than ours": (
                lambda x, p, e_min: 2.0 ** (max(math.frexp(x)[1], e_min) - p + 1)
            ),
            "the logarithm of the number below 1024 is rounded to 10: take math.frexp": (
                _from_logarithm
            ),
            "a spacing is a power of two, the same for all numbers with one exponent": (
                lambda x, p, e_min: 2.0 ** (1 - p) * abs(x)
            ),
        },
    )


def check_rounding(function):
    """Check a rounding to the nearest number, with ties to even.

    The answer takes a number other than 0 and the number of significant bits, returns the nearest
    number with so many bits, however large or small.
    """
    numbers = {
        "22.9, between 22 and 24": (22.9, 4),
        "17, a tie: down to 16": (17.0, 4),
        "19, a tie: up to 20": (19.0, 4),
        "31, a tie: up to a power of two": (31.0, 4),
        "-17, a negative tie": (-17.0, 4),
        "-19, a negative tie": (-19.0, 4),
        "one tenth, to 24 bits": (0.1, 24),
        "16,777,217, to 24 bits": (16_777_217.0, 24),
        "a tie just above 1, to 8 bits": (1 + 2.0**-8, 8),
        "a number that needs no rounding": (20.0, 4),
        "a small number (1e-30)": (1e-30, 11),
    }

    def draw(rng):
        p = int(rng.integers(2, 12))
        twice = int(rng.integers(2**p, 2 ** (p + 1)))  # p + 1 bits: a tie if it is odd
        scale = one_of(rng, [-1.0, 1.0]) * 2.0 ** int(rng.integers(-9, 3))
        return _rounding_case("drawn", (twice | 1) * scale, p)

    return check_cases(
        function,
        [_rounding_case(name, *number) for name, number in numbers.items()],
        draw=draw,
        mistakes={
            "this rounds down; the nearest number may be above": (
                lambda x, p: _rounded(x, p, math.floor)
            ),
            "this cuts digits off; the nearest number may be farther from zero": (
                lambda x, p: _rounded(x, p, math.trunc)
            ),
            "a tie goes to the even neighbor; here all ties go away from zero": (
                lambda x, p: _rounded(
                    x, p, lambda units: math.copysign(math.floor(abs(units) + 0.5), units)
                )
            ),
            "this has one bit too few: the leading 1 is one of the p bits": (
                lambda x, p: _rounded(x, p - 1, round)
            ),
            "this has one bit too many: the leading 1 is one of the p bits": (
                lambda x, p: _rounded(x, p + 1, round)
            ),
        },
    )


def check_error_measures(function):
    """Check four measures of one error.

    The answer takes a computed value, the exact one and the number of significant bits, returns
    the absolute and the relative error, and the error in units of u and in ulp.
    """
    values = {
        "exactly 1": (1.25, 1.0, FP16),
        "a little below 2": (2.0, 1.984375, BF16),
        "a large number, too small": (2048.0, 3000.0, FP16),
        "a number below 1": (0.1015625, 0.1, E4M3),
        "a negative number": (-0.1015625, -0.1, E4M3),
        "no error": (0.5, 0.5, FP32),
        "one third in float32": (float(np.float32(1) / np.float32(3)), 1 / 3, FP32),
    }

    def draw(rng):
        fmt, exact = one_of(rng, [FP32, FP16, BF16]), float(rng.integers(1001, 9999)) / 1000
        computed = exact * (1 + int(rng.integers(-40, 41)) * fmt.unit_roundoff)
        return _measures_case("drawn", float(np.round(computed, 6)), -exact, fmt)

    return check_cases(
        function,
        [_measures_case(name, *value) for name, value in values.items()],
        draw=draw,
        mistakes={
            "a measure of an error has no sign: divide by the size of the exact value": (
                lambda computed, exact, p: _measures(computed, exact, p, by=exact)
            ),
            "the relative error is relative to the exact value, not to the computed one": (
                lambda computed, exact, p: _measures(computed, exact, p, by=abs(computed))
            ),
            "the unit roundoff is half of the distance from 1 to the next number, 2**-p": (
                lambda computed, exact, p: _measures(computed, exact, p, u=2.0 ** (1 - p))
            ),
            "an ulp is a power of two, the same for all numbers with one exponent": (
                lambda computed, exact, p: _measures(
                    computed, exact, p, spacing=2.0 ** (1 - p) * abs(exact)
                )
            ),
        },
    )


def _spacing(x, p, e_min):
    e = math.frexp(x)[1] - 1 if x else e_min
    return 2.0 ** (max(e, e_min) - p + 1)


def _from_logarithm(x, p, e_min):
    e = math.floor(math.log2(abs(x))) if x else e_min
    return 2.0 ** (max(e, e_min) - p + 1)


def _spacing_case(name, x, fmt):
    arguments = (x, fmt.precision, fmt.min_exponent)
    return Case(name, arguments, float(ulp(x, fmt)), max_ulp=0.0)


def _rounded(x, p, rounding):
    spacing = _spacing(x, p, -5000)
    return rounding(x / spacing) * spacing


def _rounding_case(name, x, p):
    return Case(name, (x, p), _rounded(x, p, round), max_ulp=0.0)


def _measures(computed, exact, p, *, by=None, u=None, spacing=None):
    error = abs(computed - exact)
    relative = error / (abs(exact) if by is None else by)
    u = 2.0**-p if u is None else u
    spacing = _spacing(exact, p, -5000) if spacing is None else spacing
    return error, relative, relative / u, error / spacing


def _measures_case(name, computed, exact, fmt):
    relative = relative_error(computed, exact)
    expected = (
        absolute_error(computed, exact),
        relative,
        relative / fmt.unit_roundoff,
        ulp_error(computed, exact, dtype=fmt),
    )

    def reason(result):
        parts = zip(MEASURES, parts_of(result, MEASURES), expected, strict=True)
        wrong = ((part, difference(got, want, FP64, 4.0)) for part, got, want in parts)
        return "; ".join(f"{part}: {why}" for part, why in wrong if why) or None

    return Case(name, (computed, exact, fmt.precision), reason)
