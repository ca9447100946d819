"""Checks of the exercises of the chapter ``low_precision``; they need NumPy and ml_dtypes."""

import numpy as np

from ..floating_point import BF16, FP16, FP32, format_of, round_to, ulp
from ..measure.error import relative_error
from ..measure.exact import softmax_exact
from .drawn import eighths, one_of
from .report import Case, check_cases
from .verdict import numbers_of


def check_wide_dot(function):
    """Check an answer to "A logit from short numbers".

    ``function(h, w)`` returns the dot product of two vectors of a 16-bit format, in
    float32.
    """
    rng = np.random.default_rng(0)
    vectors = {
        "three whole numbers": ([1, 2, 3], [4, 5, 6], BF16),
        "a product of 15 bits (181 times 179)": ([181], [179], BF16),
        "257 ones: not a bfloat16 number": (np.ones(257), np.ones(257), BF16),
        "10,000 ones": (np.ones(10_000), np.ones(10_000), BF16),
        "10,000 ones in float16": (np.ones(10_000), np.ones(10_000), FP16),
        "products above 65504 in float16": ([300, 1], [300, 1], FP16),
        "random numbers (bfloat16)": (*rng.normal(size=(2, 256)), BF16),
    }
    return check_cases(
        function,
        [_dot_case(name, *vector) for name, vector in vectors.items()],
        draw=lambda rng: _dot_case("drawn", *rng.integers(100, 256, (2, 5)), BF16),
        mistakes={
            "the products are rounded before they are converted: convert h and w first": (
                lambda h, w: np.sum((h * w).astype(np.float32))
            ),
            "the sum is rounded to the short format: leave it in float32": (
                lambda h, w: np.float32(_wide_dot(h, w).astype(h.dtype))
            ),
        },
    )


def check_stored_logits(function):
    """Check an answer to "Store the shifted logits".

    ``function(x, dtype)`` takes float32 logits of shape (k, n) and returns an array of `dtype` and
    of the same shape, whose softmax is near that of `x`. Each probability above 1/1000 is right up
    to two roundings of a logit between -8 and 0, a factor of ``exp(8 u)``.
    """
    logits = {
        "small logits": ([[1.0, 2.0, 3.0]], BF16),
        "around 100": ([[100.25, 99.75, 98.5]], BF16),
        "around -1000": ([[-1000.0, -1001.3, -1002.6]], BF16),
        "two rows of different size": ([[0.3, 1.1, 2.6], [500.4, 498.1, 500.9]], BF16),
        "one class far behind": ([[-3000.0, 0.3, 1.7, -40.2]], BF16),
        "around 1000 (float16)": ([[1000.2, 1001.3, 999.6]], FP16),
        "around 100,000 (float16)": ([[100_000.0, 100_001.0, 100_002.5]], FP16),
    }

    def draw(rng):
        rows = eighths(rng, 2, 4) + 0.05 + rng.integers(600, 900, size=(2, 1))
        return _stored_case("drawn", rows, one_of(rng, [BF16, FP16]))

    return check_cases(
        function,
        [_stored_case(name, *case) for name, case in logits.items()],
        draw=draw,
        mistakes={
            "the shift comes after the rounding, when the digits are lost": (
                lambda x, dtype: _shifted(x.astype(dtype))
            ),
            "a class far behind takes the mean with it: subtract the maximum of the row": (
                lambda x, dtype: (x - np.mean(x, axis=-1, keepdims=True)).astype(dtype)
            ),
            "one maximum is subtracted from all rows; each needs its own": (
                lambda x, dtype: (x - np.max(x)).astype(dtype)
            ),
        },
    )


def check_loss_scale(function):
    """Check an answer to "The largest loss scale".

    ``function(gradient)`` returns the largest power of two by which all entries can be
    multiplied so that none is larger than 65504, the largest number of float16; 1 for a gradient of
    zeros.
    """
    rng = np.random.default_rng(0)
    gradients = {
        "entries near 1": np.array([0.9, -0.3, 0.001]),
        "tiny entries (1e-9)": 1e-9 * rng.normal(size=100),
        "the largest entry is negative": np.array([1e-6, -3e-2, 2e-3]),
        "large entries: a scale below 1": np.array([3e5, -1e4]),
        "the largest entry is a power of two": np.array([2.0**-10, 1e-5]),
        "it reaches 65504 exactly": np.array([65504 * 2.0**-20, -1e-4]),
        "a batch": 1e-3 * rng.normal(size=(8, 10)),
        "zeros": np.zeros(3),
    }
    return check_cases(
        function,
        [_scale_case(name, g) for name, g in gradients.items()],
        draw=lambda rng: _scale_case(
            "drawn", 2.0 ** rng.integers(-20, 1) * rng.integers(-99, 100, 5)
        ),
        mistakes={
            "the size decides: take the maximum of the absolute values": (
                lambda g: _power_of_two(np.max(g), np.floor)
            ),
            "this is not a power of two: round its logarithm down": (
                lambda g: 65504 / np.max(np.abs(g)) if np.any(g) else 1.0
            ),
            "the logarithm is rounded up: the largest entry overflows": (
                lambda g: _power_of_two(np.max(np.abs(g)), np.ceil)
            ),
            "65536 is above 65504, the largest number of float16": (
                lambda g: _power_of_two(np.max(np.abs(g)), np.floor, 65536)
            ),
        },
    )


def _wide_dot(h, w):
    return np.sum(h.astype(np.float32) * w.astype(np.float32))


def _dot_case(name, h, w, fmt):
    h, w = round_to(h, fmt), round_to(w, fmt)
    terms = h.astype(np.float64) * w.astype(np.float64)  # products of two are exact, sums nearly
    exact, allowed = np.sum(terms), h.size * FP32.unit_roundoff * np.sum(np.abs(terms))
    max_ulp = float(allowed / ulp(exact, FP32))
    return Case(name, (h, w), exact, max_ulp, dtype=FP32, longer_allowed=False)


def _shifted(x):
    return x - np.max(x, axis=-1, keepdims=True)


def _stored_case(name, rows, fmt):
    x = round_to(rows, FP32)
    p = softmax_exact(x, dtype="fp64")
    allowed = np.expm1(8 * fmt.unit_roundoff)

    def reason(result):
        stored = numbers_of(result, x.shape, fmt, longer_allowed=False)
        error = relative_error(softmax_exact(stored), p)[p > 1e-3]
        if np.all(error <= allowed):
            return None
        worst = "nan" if np.isnan(error).any() else f"{error.max():.2g}"
        return f"a probability has a relative error of {worst}; {allowed:.2g} is allowed"

    return Case(name, (x, format_of(fmt).dtype), reason)


def _power_of_two(size, rounding, largest=65504):
    return 2.0 ** rounding(np.log2(largest / size)) if size > 0 else 1.0


def _scale_case(name, gradient):
    size = np.max(np.abs(gradient))
    want = np.ldexp(1.0, np.frexp(FP16.largest / size)[1] - 1) if size else 1.0
    return Case(name, (gradient,), want, max_ulp=0.0, dtype=FP32)  # a power of two: FP32 has it
