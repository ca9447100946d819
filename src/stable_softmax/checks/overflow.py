"""Checks of the exercises in chapter ``overflow``."""

import contextlib
import functools
import warnings

import numpy as np

from ..floating_point import FP32
from ..measure.exact import softmax_exact
from ..softmax import softmax_naive, softmax_shifted
from .drawn import eighths, one_of
from .report import Case, check_cases


def check_overflow_free_softmax(function):
    """Check a softmax along the last axis that survives logits of any size and type.

    The answer takes an array of logits, returns their probabilities along the last axis; of
    integers in float32 or float64.
    """
    rows = {
        "three small scores": np.array([1.0, 2.0, 3.0]),
        "scores with many digits": np.array([0.1, 0.2, 0.7]),
        "large scores (1000)": np.array([1000.0, 1001.0, 1002.0]),
        "very negative scores (-1000)": np.array([-1000.0, -1001.0, -1002.0]),
        "scores far apart": np.array([[0.0, 2000.0], [2000.0, 0.0]]),
        "float32, only the sum overflows": np.array([88.5, 88.5], dtype=np.float32),
        "a batch, rows far apart": np.array([[1000.0, 1001.0], [-1000.0, -1002.0]]),
        "unsigned 8-bit integers": np.array([0, 200, 255], dtype=np.uint8),
        "signed 8-bit integers": np.array([-128, 0, 127], dtype=np.int8),
    }

    def draw(rng):
        rows = np.array([[1000.0], [-500.0]])
        x = (eighths(rng, 2, 4) + rows).astype(one_of(rng, [np.float32, np.float64]))
        return _softmax_case("drawn", x, max_ulp=16.0)

    return check_cases(
        function,
        [_softmax_case(name, x) for name, x in rows.items()],
        draw=draw,
        mistakes={
            "this sums along the first axis; the classes are along the last": (
                lambda x: softmax_shifted(x, axis=0)
            ),
            "the mean is no bound: a logit far above it overflows": (
                lambda x: softmax_naive(x - np.mean(x, axis=-1, keepdims=True))
            ),
            "one maximum is subtracted from the whole batch; each row needs its own": (
                lambda x: _unpromoted(x - np.max(x))
            ),
        },
    )


def check_row_maxima(function):
    """Check a shifted softmax of a batch, in which each row needs a maximum of its own.

    The answer takes logits of shape (samples, classes), returns the probabilities of each sample.
    """
    single = np.array([[101.0, 102.0, 100.0], [1.0, 3.0, 2.0]], dtype=np.float32)
    rows = {
        "one sample": np.array([[1000.0, 3000.0, -2000.0]]),
        "two samples of like size": np.array([[1000.0, 1001.0, 999.0], [1003.0, 1002.0, 1000.0]]),
        "one large sample, one small": np.array([[1000.0, 1001.0, 999.0], [1.0, 3.0, 2.0]]),
        "float32, samples 100 apart": single,
        "as many samples as classes": np.array([[0.0, 2.0], [3.0, 1.0]]),
    }
    return check_cases(
        function,
        [_softmax_case(name, x) for name, x in rows.items()],
        draw=lambda rng: _softmax_case(
            "drawn", eighths(rng, 3, 4) + rng.integers(-2000, 2001, size=(3, 1)), max_ulp=16.0
        ),
        mistakes={
            "the mean is no bound: a logit far above it overflows": (
                lambda x: softmax_naive(x - np.mean(x, axis=-1, keepdims=True))
            ),
            "this subtracts the maximum of each class; each sample needs its own": (
                lambda x: softmax_naive(x - np.max(x, axis=0))
            ),
            "the maxima have lost their axis: keep it with keepdims=True": (
                lambda x: softmax_naive(x - np.max(x, axis=-1))
            ),
        },
    )


def check_largest_safe_logit(function):
    """Check the largest logit that n equal classes may have in the naive softmax.

    The answer takes the largest number of a format and the number of classes, returns a float.
    """
    cases = [
        ("one class, largest = 1e4", 1e4, 1),
        ("two classes, fp64", float(np.finfo(np.float64).max), 2),
        ("ten classes, fp32", float(np.finfo(np.float32).max), 10),
        ("60000 classes, fp16", 65504.0, 60_000),
        ("more classes than the format can count", 65504.0, 131_008),
    ]
    return check_cases(
        function,
        [_limit_case(*case) for case in cases],
        draw=lambda rng: _limit_case(
            "drawn", one_of(rng, [448.0, 57344.0, 65504.0]), int(rng.integers(2, 100))
        ),
        mistakes={
            "the sum is n exp(c): divide inside the logarithm, or subtract log(n)": (
                lambda largest, n: np.log(largest) / n
            ),
            "the logarithm of n exp(c) is log(n) + c": lambda largest, n: np.log(largest) - n,
            "log(n) is added instead of subtracted": lambda largest, n: np.log(largest) + np.log(n),
        },
    )


def check_stable_sigmoid(function):
    """Check a sigmoid, 1 / (1 + exp(-x)), that never overflows.

    The answer takes an array, returns the sigmoid of each element. An overflow of exp counts also
    where its warning is switched off; one in a plain copy of the array cannot be seen.
    """
    inputs = {
        "small numbers": np.array([-2.0, 0.0, 2.0]),
        "large positive (1000)": np.array([1000.0]),
        "large negative (-1000)": np.array([-1000.0]),
        "both at once": np.array([-1000.0, 1000.0]),
        "float32, a tiny result": np.array([-95.0, -80.0], dtype=np.float32),
    }
    return check_cases(
        _without_silence(function) if callable(function) else function,
        [_sigmoid_case(name, x) for name, x in inputs.items()],
        draw=lambda rng: _sigmoid_case("drawn", eighths(rng, 4, within=40)),
        mistakes={
            "this is the sigmoid of -x": lambda x: _sigmoid(-x),
            "clipping x changes its sigmoid": lambda x: _sigmoid(np.clip(x, -50, 50)),
        },
    )


class _Watched(np.ndarray):
    """An array that notes the overflows of exp, whatever is done to the warnings."""

    overflows = ()

    def __array_finalize__(self, parent):
        self.overflows = getattr(parent, "overflows", self.overflows)

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        plain = [_plain(v) for v in inputs]
        options |= {"out": tuple(map(_plain, out))} if out else {}
        result = getattr(ufunc, method)(*plain, **{k: _plain(v) for k, v in options.items()})
        if ufunc.__name__.startswith("exp") and np.any(np.isinf(result) & np.isfinite(plain[0])):
            self.overflows.append(f"overflow encountered in {ufunc.__name__}")
        if not isinstance(result, np.ndarray):
            return result
        watched = result.view(_Watched)
        watched.overflows = self.overflows
        return watched


def _plain(value):
    return value.view(np.ndarray) if isinstance(value, _Watched) else value


def _without_silence(function):
    def answer(x):
        watched = x.view(_Watched)
        watched.overflows = []
        result = _plain(function(watched))
        for text in watched.overflows:
            warnings.warn(text, RuntimeWarning, stacklevel=2)
        return result

    with contextlib.suppress(Exception):  # of a function without a name
        functools.update_wrapper(answer, function)
    return answer


def _unpromoted(x):
    e = np.exp(x)
    return e / np.sum(e, axis=-1, keepdims=True)


def _sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def _softmax_case(name, x, max_ulp=4.0):
    return Case(name, (x,), softmax_exact(x), max_ulp, dtype=FP32 if x.dtype.kind in "iu" else None)


def _limit_case(name, largest, n):
    # 1000 ulp are far above the rounding of two logarithms and far below every wrong formula.
    return Case(name, (largest, n), np.log(largest) - np.log(n), max_ulp=1000.0)


def _sigmoid_case(name, x):
    pairs = np.stack([x, np.zeros_like(x)], axis=-1)  # sigmoid(x) is softmax([x, 0])[0]
    return Case(name, (x,), softmax_exact(pairs)[..., 0])
