"""Checks of the exercises of the chapter ``low_precision``; they need NumPy and ml_dtypes."""

import numpy as np

from ..floating_point import BF16, FP16, FP32, format_of, round_to
from ..measure.error import relative_error
from ..measure.exact import softmax_exact
from .report import Case, check_cases


def check_wide_dot(function):
    """Check an answer to "A logit from short numbers".

    Parameters
    ----------
    function : callable
        ``function(h, w)`` returns the dot product of two vectors of a 16-bit format, in float32.

    Returns
    -------
    Report
        True if every case passed. Allowed is the error of n sums in float32, in any order.
    """
    rng = np.random.default_rng(0)
    vectors = {
        "three whole numbers": ([1, 2, 3], [4, 5, 6], BF16),
        "a product of 15 bits (181 times 179)": ([181], [179], BF16),
        "257 ones: no bfloat16 number": (np.ones(257), np.ones(257), BF16),
        "10,000 ones": (np.ones(10_000), np.ones(10_000), BF16),
        "10,000 ones in float16": (np.ones(10_000), np.ones(10_000), FP16),
        "products above 65504 in float16": ([300, 1], [300, 1], FP16),
        "random numbers (bfloat16)": (*rng.normal(size=(2, 256)), BF16),
    }
    cases = []
    for name, (h, w, fmt) in vectors.items():
        h, w = round_to(h, fmt), round_to(w, fmt)
        cases.append(Case(name, (h, w), _is_float32_dot(h, w)))
    return check_cases(function, cases)


def check_stored_logits(function):
    """Check an answer to "Store the shifted logits".

    Parameters
    ----------
    function : callable
        ``function(x, dtype)`` takes float32 logits of shape (k, n) and returns an array of
        `dtype` and of the same shape, whose softmax is near that of `x`.

    Returns
    -------
    Report
        True if every case passed: each probability above 1/1000 is right up to two roundings of
        a logit between -8 and 0, a factor of ``exp(8 u)``.
    """
    logits = {
        "small logits": ([[1.0, 2.0, 3.0]], BF16),
        "around 100": ([[100.25, 99.75, 98.5]], BF16),
        "around -1000": ([[-1000.0, -1001.3, -1002.6]], BF16),
        "two rows of different size": ([[0.3, 1.1, 2.6], [500.4, 498.1, 500.9]], BF16),
        "one class far behind": ([[0.3, 1.7, -40.2, -3000.0]], BF16),
        "around 1000 (float16)": ([[1000.2, 1001.3, 999.6]], FP16),
        "around 100,000 (float16)": ([[100_000.0, 100_001.0, 100_002.5]], FP16),
    }
    cases = []
    for name, (rows, fmt) in logits.items():
        x = round_to(rows, FP32)
        cases.append(Case(name, (x, fmt.dtype), _keeps_softmax(x, fmt)))
    return check_cases(function, cases)


def check_loss_scale(function):
    """Check an answer to "The largest loss scale".

    Parameters
    ----------
    function : callable
        ``function(gradient)`` returns the largest power of two by which all entries can be
        multiplied so that none is larger than 65504, the largest number of float16; 1 for a
        gradient of zeros.

    Returns
    -------
    Report
        True if every case passed.
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
    return check_cases(function, [Case(name, (g,), _largest(g)) for name, g in gradients.items()])


def _is_float32_dot(h, w):
    h, w = h.astype(np.float64), w.astype(np.float64)  # products of two are exact, sums nearly
    exact, allowed = np.sum(h * w), h.size * FP32.unit_roundoff * np.sum(np.abs(h * w))

    def judge(result):
        if getattr(result, "dtype", None) != np.float32:
            return (
                f"expected a float32 number, got {getattr(result, 'dtype', type(result).__name__)}"
            )
        if np.shape(result) != ():
            return f"expected one number, got the shape {np.shape(result)}"
        wrong = not np.abs(float(result) - exact) <= allowed
        return f"got {float(result):.6g}, expected {exact:.6g}" if wrong else None

    return judge


def _keeps_softmax(x, fmt):
    p = softmax_exact(x, dtype="fp64")
    allowed = np.expm1(8 * fmt.unit_roundoff)

    def judge(stored):
        if getattr(stored, "dtype", None) != fmt.dtype or np.shape(stored) != x.shape:
            return f"expected an array of {format_of(fmt).dtype} with the shape of x"
        error = relative_error(softmax_exact(stored, dtype="fp64"), p)[p > 1e-3]
        if np.all(error <= allowed):
            return None
        worst = "nan" if np.isnan(error).any() else f"{error.max():.2g}"
        return f"a probability is wrong by a relative {worst}, allowed is {allowed:.2g}"

    return judge


def _largest(gradient):
    size = np.max(np.abs(gradient))
    want = np.ldexp(1.0, np.frexp(FP16.largest / size)[1] - 1) if size else 1.0

    def judge(scale):
        try:
            got = float(scale)
        except (TypeError, ValueError):
            return f"expected a number, got {type(scale).__name__}"
        return None if got == want else f"got {got:.6g}, expected {want:.6g}"

    return judge
