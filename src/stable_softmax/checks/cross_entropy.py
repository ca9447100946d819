"""Checks of the exercises of the chapter ``cross_entropy``."""

import numpy as np

from ..measure.exact import (
    cross_entropy_exact,
    cross_entropy_gradient_exact,
    hessian_vector_product_exact,
)
from ..softmax import softmax_shifted
from .drawn import one_of
from .report import Case, check_cases


def check_loss_from_logits(function):
    """Check an answer to "The loss from logits".

    ``function(x, label)`` returns the cross-entropy of one sample. The expected values are
    correctly rounded. No case asks for the small loss of a sure sample, which needs log1p.
    """
    samples = {
        "an ordinary sample": (np.array([2.0, 1.0, 0.1]), 0),
        "a wrong sample (gap 100, float32)": (np.array([100, 0], dtype=np.float32), 1),
        "a very wrong sample (gap 2000)": (np.array([1.0, 1000.0, -1000.0]), 2),
        "a masked class (-inf)": (np.array([0.0, -np.inf, 1.0]), 0),
        "a large offset (1e8, float32)": (np.full(2, 1e8, dtype=np.float32), 0),
        "a large offset (1e12)": (1e12 + np.array([0.0, 1.0, 2.0]), 1),
    }

    def draw(rng):
        x = rng.permutation([0.0, -1.0, rng.integers(2, 900) / 2]) + one_of(rng, [0.0, -4096.0])
        return _loss_case("drawn", x, int(np.argmin(x)), max_ulp=8.0)

    return check_cases(
        function,
        [_loss_case(name, *sample) for name, sample in samples.items()],
        draw=draw,
        mistakes={
            "epsilon is a cap: a wrong sample has a larger loss than -log(epsilon)": (
                lambda x, label: -np.log(softmax_shifted(x)[label] + 1e-7)
            ),
            "m + log(s) is rounded to the digits of m: subtract m from the label's logit first": (
                lambda x, label: np.max(x) + _log_sum(x) - x[label]
            ),
            "this is the logarithm of p, the negative loss": (
                lambda x, label: (x[label] - np.max(x)) - _log_sum(x)
            ),
        },
    )


def check_loss_gradient(function):
    """Check an answer to "A gradient for sure samples".

    ``function(x, label)`` returns the gradient of the cross-entropy of one sample with
    respect to its logits.
    """
    samples = {
        "an ordinary sample": (np.array([2.0, 1.0, 0.1]), 1),
        "a very wrong sample (gap 2000)": (np.array([1.0, 1000.0, -1000.0]), 2),
        "a sure sample (gap 10, float32)": (np.array([10, 0], dtype=np.float32), 0),
        "a sure sample (gap 17, float32)": (np.array([17, 0], dtype=np.float32), 0),
        "a sure sample (gap 40)": (np.array([0.0, 40.0, 1.0]), 1),
        "two equal logits": (np.array([5.0, 5.0]), 0),
    }

    def draw(rng):
        x = rng.permutation([0.0, -1.0, -2.5, rng.integers(20, 80) / 2])
        return _gradient_case("drawn", x, int(np.argmax(x)), max_ulp=16.0)

    return check_cases(
        function,
        [_gradient_case(name, *sample) for name, sample in samples.items()],
        draw=draw,
        mistakes={
            "the label's own p is still in the sum: set it to 0 first": lambda x, label: np.where(
                np.arange(x.size) == label, -1, softmax_shifted(x)
            ),
            "this is the gradient of log p, with the other sign": lambda x, label: (
                -_complement(x, label)
            ),
            "the entries of the other classes are missing: they are p": lambda x, label: np.where(
                np.arange(x.size) == label, _complement(x, label), 0
            ),
        },
    )


def check_penalty_gradient(function):
    """Check an answer to "A penalty on the gradient".

    ``function(x, label)`` returns the gradient of half the squared norm of the gradient of the
    cross-entropy of one sample, with respect to its logits.
    """
    samples = {
        "an ordinary sample": (np.array([2.0, 1.0, 0.1]), 1),
        "a very wrong sample (gap 2000)": (np.array([1.0, 1000.0, -1000.0]), 2),
        "a wrong sample (gap 17, float32)": (np.array([17, 0], dtype=np.float32), 1),
        "a sure sample (gap 17, float32)": (np.array([17, 0], dtype=np.float32), 0),
        "a sure sample (gap 40)": (np.array([0.0, 40.0, 1.0]), 1),
        "two equal logits": (np.array([5.0, 5.0]), 0),
    }

    def draw(rng):
        x = rng.permutation([0.0, -1.0, -2.5, rng.integers(20, 80) / 2])
        return _penalty_case("drawn", x, int(np.argmax(x)), max_ulp=32.0)

    return check_cases(
        function,
        [_penalty_case(name, *sample) for name, sample in samples.items()],
        draw=draw,
        mistakes={
            "the gradient is that of half the square: a factor of 2 is too much": (
                lambda x, label: 2 * _penalty(x, label)
            ),
            "only the diagonal of the Hessian is used": (
                lambda x, label: softmax_shifted(x) * _complement(x, label)
            ),
            "the label's entry of p - y has lost its digits: use the complement": (
                lambda x, label: _product(x, _difference(x, label))
            ),
        },
    )


def check_derivative(function):
    """Check an answer to "A derivative to nine digits".

    ``function(f, x)`` returns the derivative at the number `x` of a function `f` of one number. It
    passes if the relative error is below 1e-9 for each of five functions.
    """
    functions = {
        "exp at 1": (np.exp, 1.0, np.exp(1.0)),
        "log at 2": (np.log, 2.0, 0.5),
        "sine at 1": (np.sin, 1.0, np.cos(1.0)),
        "square at 3": (np.square, 3.0, 6.0),
        "log(1 + exp(x)) at 0.5": (_softplus, 0.5, 1.0 / (1.0 + np.exp(-0.5))),
    }
    return check_cases(
        function,
        [_derivative_case(name, *case) for name, case in functions.items()],
        draw=_drawn_derivative,
        mistakes={
            "a one-sided difference has an error of the order of h": (
                lambda f, x: (f(x + 1e-8) - f(x)) / 1e-8
            ),
            "a central difference is divided by 2 h": (
                lambda f, x: (f(x + 5e-6) - f(x - 5e-6)) / 5e-6
            ),
        },
    )


def _softplus(x):
    return np.log1p(np.exp(x))


def _log_sum(x):
    return np.log(np.sum(np.exp(x - np.max(x))))


def _difference(x, label):
    return softmax_shifted(x) - (np.arange(x.size) == label).astype(x.dtype)


def _complement(x, label):
    p = softmax_shifted(x)
    p[label] = 0
    p[label] = -np.sum(p)
    return p


def _product(x, v):
    p, w = softmax_shifted(x), v - v[np.argmax(x)]
    return p * (w - np.sum(p * w))


def _penalty(x, label):
    return _product(x, _complement(x, label))


def _loss_case(name, x, label, max_ulp=4.0):
    return Case(name, (x, label), cross_entropy_exact(x, label), max_ulp)


def _gradient_case(name, x, label, max_ulp=4.0):
    return Case(name, (x, label), cross_entropy_gradient_exact(x, label), max_ulp)


def _penalty_case(name, x, label, max_ulp=8.0):
    gradient = cross_entropy_gradient_exact(x, label, dtype="fp64")
    return Case(name, (x, label), hessian_vector_product_exact(x, gradient), max_ulp)


def _derivative_case(name, f, x, exact):
    nine_digits = 1e-9 * abs(exact) / np.spacing(abs(exact))
    return Case(name, (f, np.float64(x)), np.float64(exact), max_ulp=nine_digits)


def _drawn_derivative(rng):
    rate, x = rng.integers(4, 12) / 8, rng.integers(-8, 9) / 8

    def f(t):
        return np.exp(rate * t)

    f.__name__ = f"lambda t: np.exp({rate} * t)"
    return _derivative_case("drawn", f, x, rate * np.exp(rate * x))
