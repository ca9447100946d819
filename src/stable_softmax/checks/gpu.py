"""Checks of the exercises of the chapter "On a GPU"."""

import numpy as np

from ..floating_point import BF16, FP16, FP32, round_to
from ..measure.exact import exp_exact
from .drawn import one_of
from .report import Case, check_cases


def check_mean_gradient(function):
    """Check an answer to "A mean whose count fits".

    ``function(g)`` takes gradients of N losses in float16 or bfloat16, of shape (N, n), and returns
    them divided by N in the same format, each right to 0.51 ulp: the quotient is rounded to float32
    and then once more.
    """
    cases = [
        _mean_case("four samples", 4, FP16),
        _mean_case("257 samples (bfloat16)", 257, BF16),
        _mean_case("385 samples (bfloat16)", 385, BF16),
        _mean_case("2049 samples (float16)", 2049, FP16),
        _mean_case("65,519 samples (float16)", 65_519, FP16),
        _mean_case("65,520 samples (float16)", 65_520, FP16),
        _mean_case("100,000 samples (float16)", 100_000, FP16),
    ]
    return check_cases(
        function,
        cases,
        draw=_drawn_mean,
        mistakes={
            "a mean of the gradients was not asked for: one gradient for each loss": (
                lambda g: np.mean(g.astype(np.float32), axis=0).astype(g.dtype)
            ),
        },
    )


def check_exp_from_exp2(function):
    """Check an answer to "Repair the exponential".

    ``function(x)`` takes float32 numbers from -87 to 88 and returns their exponentials in float32,
    right to 2 ulp.
    """
    cases = [
        _exp_case("small arguments", np.linspace(-1, 1, 101)),
        _exp_case("zero", [0.0]),
        _exp_case("large arguments", np.linspace(80, 88, 101)),
        _exp_case("far below the maximum", np.linspace(-87, -60, 101)),
        _exp_case("the worst of tl.exp", [88.0240478515625, -13.899314880371094]),
        _exp_case("two rows", [[-3.25, 40.5, 87.75], [0.1, -86.9, 12.3]]),
    ]
    return check_cases(
        function,
        cases,
        draw=lambda rng: _exp_case("drawn", rng.uniform(-87, 88, size=8)),
    )


def _drawn_mean(rng):
    fmt = one_of(rng, [BF16, FP16])
    first = 2**fmt.precision + 1  # no odd count up to twice this one has a number of its own
    return _mean_case("drawn", first + 2 * int(rng.integers(1, first // 4)), fmt, rng)


def _mean_case(name, samples, fmt, rng=None):
    rng = np.random.default_rng(samples) if rng is None else rng
    g = round_to(rng.uniform(0.25, 1, size=(samples, 2)) * [[-1, 1]], fmt)
    exact = g.astype(np.float64) / samples
    return Case(name, (g,), exact, max_ulp=0.51, dtype=fmt, longer_allowed=False)


def _exp_case(name, numbers):
    x = round_to(numbers, FP32)
    return Case(name, (x,), exp_exact(x, dtype="fp64"), max_ulp=2, dtype=FP32, longer_allowed=False)
