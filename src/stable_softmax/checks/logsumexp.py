"""Checks of the exercises of the chapter ``logsumexp``."""

import numpy as np

from ..log_softmax import log_softmax_naive
from ..logsumexp import log1mexp, logsumexp_shifted
from ..measure.exact import log_softmax_exact, logsumexp_exact
from .drawn import eighths, one_of
from .report import Case, check_cases

_INF = np.inf


def check_log_add_exp(function):
    """Check an answer to "The logarithm of the sum of two".

    ``function(a, b)`` returns ``log(exp(a) + exp(b))`` of two numbers.
    """
    pairs = {
        "ordinary (1, 2)": (1.0, 2.0),
        "equal (0, 0)": (0.0, 0.0),
        "large (1000, 1000)": (1000.0, 1000.0),
        "very negative (-1000, -1001)": (-1000.0, -1001.0),
        "far apart (0, -40)": (0.0, -40.0),
        "the other order (-40, 0)": (-40.0, 0.0),
        "very far apart (1000, -1000)": (1000.0, -1000.0),
        "an empty summand (3, -inf)": (3.0, -_INF),
        "the empty one first (-inf, 3)": (-_INF, 3.0),
    }
    return check_cases(
        function,
        [_pair_case(name, *pair) for name, pair in pairs.items()],
        draw=lambda rng: _pair_case("drawn", *eighths(rng, 2) + rng.integers(6, 50)),
        mistakes={
            "1 + exp(-40) is rounded to 1: use log1p for the smaller number": (
                lambda a, b: logsumexp_shifted(np.array([a, b]))
            ),
            "a need not be the larger one": lambda a, b: a + np.log1p(np.exp(b - a)),
            "(a + b + |a - b|) / 2 is nan for an infinity: use np.maximum": (
                lambda a, b: (a + b + abs(a - b)) / 2 + np.log1p(np.exp(-abs(a - b)))
            ),
        },
    )


def check_log_softmax_order(function):
    """Check an answer to "Repair the order".

    ``function(x)`` returns the log-softmax of `x` along its last axis. The expected values are
    correctly rounded. No case asks for the small log-probability of a sure class, which needs
    log1p.
    """
    logits = {
        "small logits": np.array([1.0, 2.0, 3.0]),
        "a far logit": np.array([-3000.0, 0.0, 1.0, -2000.0]),
        "large equal logits (1e4, float32)": np.full(2, 1e4, dtype=np.float32),
        "large equal logits (1e8, float32)": np.full(2, 1e8, dtype=np.float32),
        "a large offset (1e12)": 1e12 + np.array([0.0, 1.0, 2.0]),
        "a negative offset (-1e12)": -1e12 + np.array([0.0, 1.0, 2.0]),
        "a batch of two rows": np.array([[1e9, 1e9, 1e9], [0.0, 1.0, 2.0]]),
    }

    def draw(rng):
        return _log_softmax_case(eighths(rng, 2, 4, within=1) + one_of(rng, [1e6, -1e7, 1e8]))

    return check_cases(
        function,
        [Case(name, (x,), log_softmax_exact(x)) for name, x in logits.items()],
        draw=draw,
        mistakes={
            "exp overflows: keep the shift by the maximum": log_softmax_naive,
            "one maximum is subtracted from the whole batch; each row needs its own": (
                lambda x: log_softmax_naive(x - np.max(x))
            ),
            "the sign of log(s) is wrong": lambda x: 2 * _shift(x) - _right_order(x),
        },
    )


def check_log_sinh(function):
    """Check an answer to "The logarithm of a hyperbolic sine".

    ``function(x)`` returns ``log(sinh(x))`` of a positive number.
    """
    numbers = {
        "ordinary (2)": 2.0,
        "below one (0.25)": 0.25,
        "large (1000)": 1000.0,
        "very large (1e6)": 1e6,
        "small (1e-3)": 1e-3,
        "very small (1e-9)": 1e-9,
        "tiny (1e-300)": 1e-300,
        "float32 (95)": np.float32(95),
        "float32 (1e-4)": np.float32(1e-4),
    }

    def draw(rng):
        large, small = rng.integers(9, 99) / 4, rng.integers(4, 16) / 128
        return _sinh_case("drawn", one_of(rng, [large, small]))

    return check_cases(
        function,
        [_sinh_case(name, x) for name, x in numbers.items()],
        draw=draw,
        mistakes={
            "sinh overflows beyond 710: take exp(x) out first": lambda x: np.log(np.sinh(x)),
            "this is log(exp(x) - exp(-x)): sinh has half of that": lambda x: x + log1mexp(-2 * x),
        },
    )


def _shift(x):
    return x - np.max(x, axis=-1, keepdims=True)


def _log_sum(x):
    return np.log(np.sum(np.exp(_shift(x)), axis=-1, keepdims=True))


def _right_order(x):
    return _shift(x) - _log_sum(x)


def _wrong_order(x):
    return x - (np.max(x, axis=-1, keepdims=True) + _log_sum(x))


def _pair_case(name, *pair):
    exact = logsumexp_exact(np.array(pair))
    return Case(name, tuple(map(np.float64, pair)), exact)


def _sinh_case(name, x):
    # Near x = 0.88 the logarithm is 0 and its ulp are small: no case lies there.
    x = x if isinstance(x, np.float32) else np.float64(x)
    exact = logsumexp_exact(np.array([x, -x]), weights=[0.5, -0.5])
    return Case(name, (x,), exact, max_ulp=8.0)


def _log_softmax_case(x):
    return Case("drawn", (x,), log_softmax_exact(x), max_ulp=16.0)
