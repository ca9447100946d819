"""Checks of the exercises of the chapter "From network to logits"."""

import numpy as np

from ..network import count_parameters, forward
from .report import Case, check_cases


def check_count(function):
    """Check a function that counts the parameters of a network.

    Parameters
    ----------
    function : callable
        Takes a list of layer sizes, returns the number of weights and biases.

    Returns
    -------
    Report
    """
    cases = [
        Case(f"layers {sizes}", (sizes,), _equal_to(count_parameters(sizes)))
        for sizes in ([10, 7, 5], [1, 1], [3, 4], [64, 32, 16, 10])
    ]
    return check_cases(function, cases)


def check_forward(function):
    """Check a forward pass through two layers.

    Parameters
    ----------
    function : callable
        Takes ``(A, W1, b1, W2, b2)``, with A one sample or a design matrix; returns the logits.

    Returns
    -------
    Report
    """
    cases = []
    for name, shape, sizes in [
        ("one sample", (10,), (10, 7, 5)),
        ("six samples", (6, 10), (10, 7, 5)),
        ("no sample", (0, 10), (10, 7, 5)),
        ("four samples, network 4-4-4", (4, 4), (4, 4, 4)),
    ]:
        samples, layers = _integers(4, shape), _layers(*sizes)
        expected = forward([layers[:2], layers[2:]], samples)[-1]
        cases.append(Case(name, (samples, *layers), expected))
    return check_cases(function, cases)


def check_merge(function):
    """Check the merging of two layers that have no activation between them.

    Parameters
    ----------
    function : callable
        Takes ``(W1, b1, W2, b2)``; returns ``(W, b)`` with
        ``W @ a + b == W2 @ (W1 @ a + b1) + b2`` for every a.

    Returns
    -------
    Report
    """
    W1, b1, W2, b2 = _layers(10, 7, 5)
    cases = [
        Case(name, layers, _merges(layers))
        for name, layers in [
            ("without biases", (W1, 0 * b1, W2, 0 * b2)),
            ("second bias only", (W1, 0 * b1, W2, b2)),
            ("both biases", (W1, b1, W2, b2)),
        ]
    ]
    return check_cases(function, cases)


def _integers(seed, shape):
    """Small whole numbers: sums of their products are exact in any order."""
    return np.random.default_rng(seed).integers(-3, 4, size=shape).astype(np.float64)


def _layers(k, hidden, n):
    shapes = [(hidden, k), (hidden,), (n, hidden), (n,)]
    return tuple(_integers(seed, shape) for seed, shape in enumerate(shapes))


def _equal_to(expected):
    def reason(result):
        return None if np.array_equal(result, expected) else f"got {result}, expected {expected}"

    return reason


def _merges(layers):
    W1, b1, W2, b2 = layers
    shapes = [(len(b2), W1.shape[1]), b2.shape]

    def reason(result):
        try:
            W, b = (np.asarray(part, dtype=np.float64) for part in result)
        except (TypeError, ValueError):
            return "expected a pair of arrays (W, b)"
        if [W.shape, b.shape] != shapes:
            return f"shapes {W.shape} and {b.shape} instead of {shapes[0]} and {shapes[1]}"
        at_zero, wanted = b, W2 @ b1 + b2
        if not np.array_equal(at_zero, wanted):
            return f"for a = 0 the first logit is {at_zero[0]:g} instead of {wanted[0]:g}"
        return None if np.array_equal(W, W2 @ W1) else "right for a = 0, wrong for other samples"

    return reason
