"""Checks of the exercises in chapter ``underflow``."""

import math

import numpy as np

from ..floating_point import BF16, FP16, FP32, FP64
from ..measure.exact import softmax_exact
from ..softmax import softmax_naive, softmax_shifted
from .drawn import eighths, one_of, positive
from .report import Case, check_cases


def check_underflow_zone(function):
    """Check the prediction of what the naive softmax returns for the logits c, c - 1, c - 2.

    The answer takes a number c and a `stable_softmax.floating_point.Format`, returns ``"right"``,
    ``"degraded"``, ``"zeros"`` or ``"nan"``.
    """
    points = [
        *((-80.0, FP32), (-85.4, FP32), (-86.0, FP32), (-100.0, FP32), (-102.0, FP32)),
        *((-102.5, FP32), (-103.9, FP32), (-104.5, FP32), (-104.5, FP64), (-720.0, FP64)),
        *((-16.0, FP16), (-100.0, BF16)),
    ]

    def draw(rng):
        fmt = one_of(rng, [FP16, BF16, FP32, FP64])
        border = one_of(rng, fmt.exp_range[1:])
        return _zone_case(round(border + rng.uniform(-1, 3), 2), fmt)

    return check_cases(
        function,
        [_zone_case(*point) for point in points],
        draw=draw,
        mistakes={
            "this looks at c only; c - 2, the smallest logit, meets each border first": (
                lambda c, fmt: _zone(c, c, fmt)
            ),
            "this looks at c - 2 only; all exponentials are 0 where that of c is": (
                lambda c, fmt: _zone(c - 2, c - 2, fmt)
            ),
        },
    )


def check_log_of_product(function):
    """Check the logarithm of a product of many probabilities.

    The answer takes a vector of probabilities, returns the logarithm of their product.
    """
    vectors = {
        "three probabilities": np.array([0.5, 0.25, 0.1]),
        "1000 times 0.1": np.full(1000, 0.1),
        "10,000 times 0.1": np.full(10_000, 0.1),
        "784 of all sizes": np.linspace(0.01, 0.99, 784),
        "float32, 60 times 0.1": np.full(60, 0.1, dtype=np.float32),
    }
    impossible = Case(  # math.log(0) raises
        "an event that was impossible",
        (np.array([0.5, 0.0]),),
        -np.inf,
        warnings_allowed=True,
        may_raise=True,
    )
    return check_cases(
        function,
        [*(_product_case(name, p) for name, p in vectors.items()), impossible],
        draw=lambda rng: _product_case("drawn", positive(rng, 8)),
        mistakes={
            "where the product underflows, this is the logarithm of the added number": (
                lambda p: np.log(np.prod(p) + 1e-300)
            ),
            "a number added to each probability changes its logarithm": (
                lambda p: np.sum(np.log(p + 1e-7))
            ),
        },
    )


def check_boltzmann_weights(function):
    """Check the weights exp(-E) / sum(exp(-E)) of states with energies E.

    The answer takes a vector of energies, returns the weights of the states.
    """
    energies = {
        "small energies": np.array([0.0, 1.0, 2.0]),
        "large energies (1000)": np.array([1000.0, 1001.0, 1002.0]),
        "large negative energies (-1000)": np.array([-1000.0, -1001.0, -1002.0]),
        "energies far apart": np.array([2000.0, 0.0, 2000.0]),
        "float32, in the gray zone (100)": np.array([100.0, 101.0, 102.0], dtype=np.float32),
    }
    return check_cases(
        function,
        [Case(name, (e,), softmax_exact(-e)) for name, e in energies.items()],
        draw=lambda rng: _energy_case(eighths(rng, 4) + float(rng.integers(-3000, 3000))),
        mistakes={
            "the sign is lost: a state of low energy has the large weight": softmax_shifted,
            "subtract the smallest energy: with the largest or the mean, exp(-E) may overflow": (
                lambda e: softmax_naive(e.max() - e)
            ),
            "the first energy is not always the smallest": lambda e: softmax_naive(e[0] - e),
        },
    )


def _zone_case(c, fmt):
    return Case(f"{fmt}, c = {c:g}", (c, fmt), _zone(c, c - 2, fmt))


def _zone(largest, smallest, fmt):
    _, subnormal_below, zero_below = fmt.exp_range
    if largest < zero_below:
        return "nan"
    if smallest < zero_below:
        return "zeros"
    return "degraded" if smallest < subnormal_below else "right"


def _product_case(name, p):
    # Each of the n additions may cost half an ulp of the result, each logarithm one of its own.
    exact = p.dtype.type(math.fsum(map(math.log, p.tolist())))
    return Case(name, (p,), exact, max_ulp=p.size + 4)


def _energy_case(energies):
    return Case("drawn", (energies,), softmax_exact(-energies), max_ulp=16.0)
