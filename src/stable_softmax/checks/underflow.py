"""Checks of the exercises in chapter ``underflow``."""

import math

import numpy as np

from ..floating_point import BF16, FP16, FP32, FP64
from ..measure.exact import softmax_exact
from .report import Case, check_cases


def check_underflow_zone(function):
    """Check the prediction of what the naive softmax makes of the logits c, c - 1, c - 2.

    Parameters
    ----------
    function : callable
        Takes a number c and a `stable_softmax.floating_point.Format`, returns ``"right"``,
        ``"degraded"``, ``"zeros"`` or ``"nan"``.

    Returns
    -------
    Report
    """
    zones = [
        (-80.0, FP32, "right"),
        (-86.0, FP32, "degraded"),
        (-100.0, FP32, "degraded"),
        (-102.5, FP32, "zeros"),
        (-104.5, FP32, "nan"),
        (-104.5, FP64, "right"),
        (-720.0, FP64, "degraded"),
        (-16.0, FP16, "zeros"),
        (-100.0, BF16, "nan"),
    ]
    cases = [Case(f"{fmt}, c = {c:g}", (c, fmt), _is(zone)) for c, fmt, zone in zones]
    return check_cases(function, cases)


def check_log_of_product(function):
    """Check the logarithm of a product of many probabilities.

    Parameters
    ----------
    function : callable
        Takes a vector of probabilities, returns the logarithm of their product.

    Returns
    -------
    Report
    """
    vectors = {
        "three probabilities": np.array([0.5, 0.25, 0.1]),
        "1000 times 0.1": np.full(1000, 0.1),
        "784 of all sizes": np.linspace(0.01, 0.99, 784),
        "float32, 60 times 0.1": np.full(60, 0.1, dtype=np.float32),
    }
    # Each of the additions may cost half an ulp; NumPy adds in blocks, so few of them follow
    # one another.
    cases = [
        Case(name, (p,), np.float64(math.fsum(map(math.log, p.tolist()))), max_ulp=16)
        for name, p in vectors.items()
    ]
    impossible = np.array([0.5, 0.0])
    cases.append(
        Case("an event that was impossible", (impossible,), -np.inf, warnings_allowed=True)
    )
    return check_cases(function, cases)


def check_boltzmann_weights(function):
    """Check the weights exp(-E) / sum(exp(-E)) of states with energies E.

    Parameters
    ----------
    function : callable
        Takes a vector of energies, returns the weights of the states.

    Returns
    -------
    Report
    """
    energies = {
        "small energies": np.array([0.0, 1.0, 2.0]),
        "large energies (1000)": np.array([1000.0, 1001.0, 1002.0]),
        "large negative energies (-1000)": np.array([-1000.0, -1001.0, -1002.0]),
        "energies far apart": np.array([0.0, 900.0]),
        "float32, in the gray zone (100)": np.array([100.0, 101.0, 102.0], dtype=np.float32),
    }
    return check_cases(
        function, [Case(name, (e,), softmax_exact(-e)) for name, e in energies.items()]
    )


def _is(expected):
    def reason(result):
        return None if result == expected else f"got {result!r}, expected {expected!r}"

    return reason
