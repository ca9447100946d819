"""Checks of the exercises in chapter ``softmax``."""

import numpy as np

from ..measure.exact import softmax_exact
from ..softmax import softmax_naive, softmax_shifted
from .drawn import eighths
from .report import Case, check_cases


def check_class_axis(function):
    """Check a softmax along the last axis.

    The answer takes logits of any number of axes, classes along the last one; returns
    probabilities.
    """
    batches = {
        "a vector": np.array([2.0, 1.0, 0.1]),
        "one sample, shape (1, 3)": np.array([[2.0, 1.0, 0.1]]),
        "two equal samples": np.array([[2.0, 1.0, 0.1], [2.0, 1.0, 0.1]]),
        "as many samples as classes": np.array([[3.0, 1.0, 0.0], [0.0, 2.0, 1.0], [1.0, 0.0, 2.0]]),
        "shape (2, 2, 3)": np.array([[[0, 1, 2], [1, 3, 0]], [[4, 2, 0], [1, 1, 2]]], dtype=float),
    }
    return check_cases(
        function,
        [Case(name, (x,), softmax_exact(x)) for name, x in batches.items()],
        draw=lambda rng: _softmax_case(eighths(rng, *rng.permutation([2, 3, 4]))),
        mistakes={
            "this sums over the whole array; each row has a sum of its own": (
                lambda x: softmax_naive(x, axis=None)
            ),
            "this sums over all axes of a sample; the classes are along the last only": (
                lambda x: np.array([softmax_naive(sample, axis=None) for sample in x])
            ),
            "the sums have lost their axis: keep it with keepdims=True": (
                lambda x: np.exp(x) / np.sum(np.exp(x), axis=-1)
            ),
        },
    )


def check_temperature(function):
    """Check a softmax at temperature T, along the last axis.

    The answer takes logits and a positive number T; returns the softmax of ``x / T``.
    """
    three, half = np.array([2.0, 1.0, 0.0]), np.array([2.875, 2.955, 11.0625], dtype=np.float16)
    inputs = {  # temperatures are powers of two where x / T must be exact
        "T = 1": (three, 1.0),
        "hot: T = 8": (three, 8.0),
        "cold: T = 0.25": (three, 0.25),
        "two rows, T = 0.5": (np.array([[1.0, 3.0], [2.0, -1.0]]), 0.5),
        "two rows far apart, T = 1": (np.array([[1000.0, 1001.0], [1.0, 3.0]]), 1.0),
        "colder: T = 1/1024": (three, 2.0**-10),
    }
    cases = [Case(name, (x, T), softmax_exact(x / T)) for name, (x, T) in inputs.items()]
    limits = {
        "float16, T = 0.0001": (half, np.float16([0.0, 0.0, 1.0])),
        "float16, T = 0.0001, a tie": (np.float16([12.0, 0.0, 12.0]), np.float16([0.5, 0.0, 0.5])),
        "a logit of 1e305, T = 0.0001": (np.array([1e305, 0.0]), np.array([1.0, 0.0])),
    }
    cases += [
        Case(name, (x, 1e-4), expected, warnings_allowed=True)
        for name, (x, expected) in limits.items()
    ]

    def draw(rng):
        x, T = eighths(rng, 2, 3), 2.0 ** rng.integers(-1, 4)
        return Case("drawn", (x, T), softmax_exact(x / T), max_ulp=16.0)

    return check_cases(
        function,
        cases,
        draw=draw,
        mistakes={
            "x / T overflows before the maximum is subtracted": (
                lambda x, T: softmax_shifted(x / T)
            ),
            "this subtracts one maximum from the whole batch; each row needs its own": (
                lambda x, T: softmax_naive((x - np.max(x)) / T)
            ),
            "this multiplies by T": lambda x, T: softmax_shifted(x * T),
            "this divides the probabilities by T; the logits are divided": (
                lambda x, T: softmax_shifted(x) / T
            ),
        },
    )


def check_softmax_floor(function):
    """Check the smallest loss that is left if softmax is applied to probabilities.

    The answer takes the number of classes, returns the floor under the loss in nats.
    """
    return check_cases(
        function,
        [_floor_case(n) for n in (1, 2, 3, 5, 10, 100, 1000)],
        draw=lambda rng: _floor_case(int(rng.integers(101, 1000))),
        mistakes={
            "log(n) is the loss of equal probabilities; the best case is a one-hot row": np.log,
            "only n - 1 classes have the probability 0": lambda n: np.log(1 + n / np.e),
            "this is the probability of the label, not its loss": lambda n: np.e / (np.e + n - 1),
        },
    )


def _softmax_case(x):
    return Case("drawn", (x,), softmax_exact(x), max_ulp=16.0)


def _floor_case(n):
    # 16 ulp: log(1 + z) of a rounded 1 + z is allowed, its error is largest for few classes
    name = f"{n} class{'es' if n > 1 else ''}"
    return Case(name, (n,), np.log1p((n - 1) / np.e), max_ulp=16.0)
