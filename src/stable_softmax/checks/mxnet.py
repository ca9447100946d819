"""Checks of the exercises in the chapter ``mxnet``; they need NumPy only."""

import numpy as np

from ..floating_point import FP16
from ..measure.exact import cross_entropy_exact, logsumexp_exact
from .drawn import eighths, one_of, positive
from .report import Case, check_cases


def check_strict_labels(function):
    """Check a cross-entropy of a batch that refuses labels that are not class indices.

    ``function(x, labels)`` takes logits of shape (k, n) and an array of k labels, and
    returns k losses; ``ValueError`` for a label out of range, ``TypeError`` for labels of another
    type.
    """
    x = np.array([[1.0, 2.0, 3.0], [1000.0, 0.0, 1000.0]])
    good = np.array([2, 1])
    cases = [
        Case("labels 2 and 1", (x, good), cross_entropy_exact(x, good)),
        Case("unsigned labels", (x, good.astype(np.uint8)), cross_entropy_exact(x, good)),
        Case("label 3 of 3 classes", (x, np.array([0, 3])), ValueError),
        Case("label 3 in the first place", (x, np.array([3, 0])), ValueError),
        Case("label -1", (x, np.array([-1, 0])), ValueError),
        Case("label -1 in the second place", (x, np.array([0, -1])), ValueError),
        Case("label 0.9", (x, np.array([0.9, 1.0])), TypeError),
        Case("labels 1.0 and 2.0", (x, np.array([1.0, 2.0])), TypeError),
        Case("true and false as labels", (x, np.array([True, False])), TypeError),
    ]

    def draw(rng):
        x, labels = eighths(rng, 4, 5), rng.integers(5, size=4)
        kind = one_of(rng, ["valid", "range", "type"])
        if kind == "valid":
            return Case("drawn", (x, labels), cross_entropy_exact(x, labels), max_ulp=16.0)
        if kind == "type":
            return Case("drawn", (x, labels.astype(one_of(rng, [float, np.float32]))), TypeError)
        labels[rng.integers(4)] = one_of(rng, [-1, -3, 5, 8])
        return Case("drawn", (x, labels), ValueError)

    return check_cases(function, cases, draw=draw)


def check_log_distribution(function):
    """Check a test for log-probabilities: none positive, none nan, and their sum is 1.

    ``function(logp)`` takes a vector and returns True or False. It must accept a sum
    that is 1 up to 1e-5, or up to a second argument if it has one, and no positive entry.
    """
    third = np.log(np.full(3, 1 / 3))
    cases = [
        ("three equal classes", (third,), True),
        ("one impossible class", (np.array([0.0, -np.inf]),), True),
        ("a sure class", (np.array([-4.2e-18, -40.0]),), True),
        ("float32", (third.astype(np.float32),), True),
        ("a sum of 1 + 5e-6", (np.log([0.5, 0.500005]),), True),
        ("a sum of 1 + 2e-5", (np.log([0.5, 0.50002]),), False),
        ("a sum of 1 - 2e-5", (np.log([0.5, 0.49998]),), False),
        ("a sum of 0.9", (np.log([0.5, 0.4]),), False),
        ("a sum of 1.1", (np.log([0.5, 0.6]),), False),
        ("a sure class with log p = 1.43e-6", (np.array([1.43e-6, -20.0]),), False),
        ("the same in float32", (np.array([1.43e-6, -20.0], np.float32),), False),
        ("a nan", (np.array([np.nan, 0.0]),), False),
        ("all impossible", (np.array([-np.inf, -np.inf]),), False),
    ]
    others = [  # an answer without this argument raises
        ("a sum of 0.9, tolerance 0.2", (np.log([0.5, 0.4]), 0.2), True),
        ("a sum of 1 + 5e-6, tolerance 1e-6", (np.log([0.5, 0.500005]), 1e-6), False),
    ]

    def draw(rng):
        p = positive(rng, 4)
        excess = one_of(rng, [0.0, 3e-6, 1e-4, -1e-3])
        logp = np.round(np.log(p / np.sum(p) * (1 + excess)), 9)
        return Case("drawn", (logp,), abs(excess) < 1e-5)

    return check_cases(
        function,
        [*(Case(*case) for case in cases), *(Case(*case, may_raise=True) for case in others)],
        draw=draw,
        mistakes={
            "the signs alone accept any sum": lambda logp, tolerance=0: bool(np.all(logp <= 0)),
            "the argument tolerance is not used": lambda logp, tolerance=0: bool(
                np.all(logp <= 0) and abs(np.sum(np.exp(logp)) - 1) <= 1e-5
            ),
            "a log-probability of 0 is the sure class: accept it": (
                lambda logp, tolerance=1e-5: bool(
                    np.all(logp < 0) and abs(np.sum(np.exp(logp)) - 1) <= tolerance
                )
            ),
        },
    )


def check_wide_sum(function):
    """Check a log-sum-exp of float16 logits that adds in a longer format.

    ``function(x)`` takes float16 logits of shape (n,) and returns one float16 number.
    """
    rng = np.random.default_rng(0)
    inputs = {
        "two classes": np.array([0.0, 1.0]),
        "2000 equal classes": np.zeros(2000),
        "3000 equal classes": np.zeros(3000),
        "50,000 equal classes": np.zeros(50_000),
        "50,000 random logits": rng.normal(size=50_000),
        "logits near 1000": np.full(5000, 1000.0),
    }
    return check_cases(
        function,
        [_wide_sum_case(name, x) for name, x in inputs.items()],
        draw=lambda rng: _wide_sum_case("drawn", eighths(rng, 6) + 3),
        mistakes={
            "the exponentials overflow in float16: keep the shift by the maximum": (
                lambda x: np.log(np.sum(np.exp(x), dtype=np.float32)).astype(x.dtype)
            ),
        },
    )


def _log_sum_exp(x, dtype):
    m = np.max(x)
    return (m + np.log(np.cumsum(np.exp(x - m), dtype=dtype)[-1])).astype(x.dtype)


def _wide_sum_case(name, x):
    x = x.astype(np.float16)
    return Case(name, (x,), logsumexp_exact(x), max_ulp=1.0, dtype=FP16, longer_allowed=False)
