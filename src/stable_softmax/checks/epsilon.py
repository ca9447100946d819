"""Checks of the exercises in the chapter ``epsilon``."""

import numpy as np

from ..floating_point import FP64
from ..measure.exact import cross_entropy_exact, cross_entropy_gradient_exact, softmax_exact
from ..softmax import softmax_shifted
from .drawn import eighths, one_of
from .report import Case, check_cases


def check_epsilon_gradient(function):
    """Check a gradient of ``-log(p[label] + epsilon)`` with respect to the logits of one sample.

    ``function(x, label, epsilon)`` takes logits of shape (n,), a class index and a
    constant, and returns an array of shape (n,).
    """
    cases = [
        ("epsilon is 0: the true gradient", [0.5, 1.0, -1.0], 1, 0.0),
        ("p and epsilon of equal size", [np.log(3.0), 0.0], 1, 0.25),
        ("label behind by 20", [20.0, 0.0], 1, 1e-7),
        ("label behind by 30, three classes", [-2.0, 0.0, 30.0], 0, 1e-7),
        ("label ahead", [0.0, 3.0, 1.0], 1, 1e-2),
        ("logits near 1000", [1000.0, 990.0], 1, 1e-5),
    ]

    def draw(rng):
        x = eighths(rng, 4)
        return _gradient_case("drawn", x, int(np.argmin(x)), one_of(rng, [0.5, 0.03, 0.004]))

    return check_cases(
        function,
        [_gradient_case(*case) for case in cases],
        draw=draw,
        mistakes={
            "every entry has the same factor, with the probability of the label": (
                lambda x, label, epsilon: (
                    _difference(x, label) * (softmax_shifted(x) / (softmax_shifted(x) + epsilon))
                )
            ),
            "the factor lacks its numerator p_y": lambda x, label, epsilon: (
                _difference(x, label) / (softmax_shifted(x)[label] + epsilon)
            ),
            "the sign is that of an ascent": lambda x, label, epsilon: (
                -_difference(x, label) * _factor(softmax_shifted(x)[label], epsilon)
            ),
        },
    )


def check_loss_without_cap(function):
    """Check a cross-entropy of one sample that is exact for every gap and never negative.

    ``function(x, label)`` takes logits of shape (n,) and a class index, and returns one
    number.
    """
    cases = [
        ("label behind by 3", [3.0, 0.0], 1, np.float64),
        ("label behind by 20", [20.0, 0.0], 1, np.float64),
        ("label behind by 740", [740.0, 0.0], 1, np.float64),
        ("label behind by 1000", [-1500.0, 0.0, 1000.0, -5.0], 1, np.float64),
        ("float32, label behind by 100", [100.0, 0.0], 1, np.float32),
        ("float32, label behind by 200", [200.0, 0.0], 1, np.float32),
        ("float16, label behind by 15.75", [15.75, 0.0], 1, np.float16),
        ("float16, label behind by 40", [40.0, 0.0], 1, np.float16),
        ("float32, two logits of 1e8", [1e8, 1e8], 1, np.float32),
        ("a sure sample: loss 0, not negative", [0.0, 1000.0], 1, np.float64),
        ("a thousand equal classes", np.zeros(1000), 7, np.float64),
    ]

    def draw(rng):
        x = rng.permutation([0.0, -1.0, rng.integers(3, 30) / 2])
        return _loss_case(
            "drawn", x, int(np.argmin(x)), one_of(rng, [np.float64, np.float32]), max_ulp=8.0
        )

    return check_cases(
        function,
        [_loss_case(*case) for case in cases],
        draw=draw,
        mistakes={
            "a clamp is a cap as well: start from the logits, not from p": (
                lambda x, label: -np.log(np.maximum(softmax_shifted(x)[label], 1e-7))
            ),
            "p has lost its digits, or is 0, before the logarithm: start from the logits": (
                lambda x, label: -np.log(softmax_shifted(x)[label])
            ),
            "m + log(s) has no room for log(s) next to a large m: subtract m from the label's "
            "logit instead": _wrong_order,
        },
    )


def _wrong_order(x, label):
    m = np.max(x)
    return m + np.log(np.sum(np.exp(x - m))) - x[label]


def _difference(x, label):
    return softmax_shifted(x) - (np.arange(x.size) == label)


def _factor(p, epsilon):
    return p / (p + epsilon)


def _gradient_case(name, x, label, epsilon):
    """Make a case of the exact gradient but for a few roundings: the switch times the true one."""
    x = np.array(x)
    p = softmax_exact(x, dtype=FP64)[label]
    exact = _factor(p, epsilon) * cross_entropy_gradient_exact(x, label, dtype=FP64)
    return Case(name, (x, label, epsilon), exact, max_ulp=16.0)


def _loss_case(name, x, label, dtype, max_ulp=4.0):
    x = np.asarray(x, dtype)
    return Case(name, (x, label), cross_entropy_exact(x, label), max_ulp)
