"""Checks of the exercises in chapter ``corrections``."""

import numpy as np

from ..measure.exact import cross_entropy_gradient_exact, softmax_exact
from ..softmax import softmax_naive, softmax_shifted
from .drawn import eighths
from .report import Case, check_cases


def check_three_bugs(function):
    """Check a softmax of a batch: right axis, a maximum for each row, argument unchanged.

    The answer takes logits of shape (samples, classes), returns probabilities of that shape.
    """
    batches = {
        "one small sample": np.array([[2.0, 1.0, 0.1]]),
        "as many samples as classes": np.array([[3.0, 1.0, 0.0], [0.0, 2.0, 1.0], [1.0, 0.0, 2.0]]),
        "two samples, far apart": np.array([[1000.0, 3000.0, -2000.0], [1.0, 3.0, 2.0]]),
        "integers": np.array([[1, 2, 3], [4, 4, 4]]),
    }
    return check_cases(
        function,
        [_batch_case(name, x) for name, x in batches.items()],
        draw=lambda rng: _batch_case(
            "drawn", eighths(rng, 3, 4) + rng.integers(-2000, 2001, size=(3, 1)), max_ulp=16.0
        ),
        mistakes={
            "one maximum is subtracted from all samples; each needs its own": (
                lambda x: softmax_naive(x - np.max(x))
            ),
        },
    )


def check_log_gradient(function):
    """Check the gradient of log p_y with respect to the logits of one sample.

    The answer takes a vector of logits and a class index, returns a vector.
    """
    samples = {
        "one class": (np.array([3.0]), 0),
        "two equal logits": (np.array([1.0, 1.0]), 0),
        "three logits, the largest": (np.array([2.0, 1.0, 0.1]), 0),
        "three logits, the smallest": (np.array([2.0, 1.0, 0.1]), 2),
        "large logits": (np.array([1000.0, 1001.0, 999.0, 1000.0]), 1),
    }

    def draw(rng):
        x = eighths(rng, 5)
        return _gradient_case("drawn", x, int(np.argsort(x)[rng.integers(4)]))

    return check_cases(
        function,
        [_gradient_case(name, *sample) for name, sample in samples.items()],
        draw=draw,
        mistakes={
            "this is the gradient of the loss -log p, with the other sign": (
                lambda x, y: softmax_shifted(x) - (np.arange(x.size) == y)
            ),
            "the label is not always class 0": lambda x, y: (
                (np.arange(x.size) == 0) - softmax_shifted(x)
            ),
            "this is the entry of the label; the gradient has one for each class": (
                lambda x, y: 1 - softmax_shifted(x)[y]
            ),
        },
    )


def check_masked_softmax(function):
    """Check a softmax in which some classes do not take part.

    The answer takes logits and a boolean mask of the same shape, False where a class is ruled out;
    returns probabilities along the last axis. Each row keeps at least one class.
    """
    lowest, last = float(np.finfo(np.float64).min), [True, True, False]
    rows = {
        "nothing masked": ([1.0, 2.0, 3.0], [True, True, True]),
        "the last class masked": ([1.0, 2.0, 3.0], last),
        "only negative logits": ([-5.0, -6.0, -7.0], last),
        "one class left": ([-50.0, 2.0, 3.0], [True, False, False]),
        "very negative, float16": (np.float16([-30000, -30000, 5]), last),
        "the lowest numbers of float16": (np.float16([-65504, -65504, 5]), last),
        "the lowest numbers of float64": ([lowest, lowest, 5.0], last),
        "two rows": ([[1.0, 2.0], [3.0, 1.0]], [[True, True], [False, True]]),
    }

    def draw(rng):
        mask = rng.random((2, 4)) < 0.5
        mask[:, rng.integers(4)] = True
        return _masked_case("drawn", eighths(rng, 2, 4), mask, max_ulp=16.0)

    return check_cases(
        function,
        [_masked_case(name, *row) for name, row in rows.items()],
        draw=draw,
        mistakes={
            "the other classes share what is left: mask before the softmax": (
                lambda x, mask: softmax_shifted(x) * mask
            ),
            "a finite fill value is the largest logit where the others lie below it: use -inf": (
                lambda x, mask: softmax_shifted(np.where(mask, x, x.dtype.type(-1e4)))
            ),
            "the mask is True for the classes that take part": (
                lambda x, mask: softmax_shifted(np.where(mask, -np.inf, x))
            ),
        },
    )


def _batch_case(name, x, max_ulp=4.0):
    return Case(name, (x,), softmax_exact(x), max_ulp)


def _gradient_case(name, x, y):
    # p - 1 at the label: p is wrong by about 8 u, and 1 - p_y >= 0.25 makes that at most 16 ulp
    return Case(name, (x, y), -cross_entropy_gradient_exact(x, y), max_ulp=16.0)


def _masked_case(name, x, mask, max_ulp=4.0):
    x, mask = np.array(x), np.array(mask)
    allowed = np.where(mask, x, x.dtype.type(-np.inf))
    return Case(name, (x, mask), softmax_exact(allowed), max_ulp)
