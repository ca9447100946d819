"""Checks of the exercises of the chapter "From network to logits"."""

from itertools import pairwise

import numpy as np

from ..network import count_parameters, forward, relu
from .report import Case, check_cases
from .verdict import numbers_of, parts_of


def check_count(function):
    """Check a function that counts the parameters of a network.

    The answer takes a list of layer sizes, returns the number of weights and biases.
    """
    return check_cases(
        function,
        [_count_case(sizes) for sizes in ([10, 7, 5], [1, 1], [3, 4], [64, 32, 16, 10])],
        draw=lambda rng: _count_case(rng.integers(1, 30, size=rng.integers(5, 8)).tolist()),
        mistakes={
            "the units of the input layer have no bias": lambda s: _count_weights(s) + sum(s),
            "a layer of n units after k others has (k + 1) n numbers": lambda s: sum(
                (k + 1) * (n + 1) for k, n in pairwise(s)
            ),
            "a unit is counted instead of its weights": sum,
        },
    )


def check_forward(function):
    """Check a forward pass through two layers.

    The answer takes ``(A, W1, b1, W2, b2)``, with A one sample or a design matrix; returns the
    logits.
    """
    cases = [
        _forward_case(np.random.default_rng(4), name, shape, sizes)
        for name, shape, sizes in [
            ("one sample", (10,), (10, 7, 5)),
            ("six samples", (6, 10), (10, 7, 5)),
            ("no sample", (0, 10), (10, 7, 5)),
            ("four samples, network 4-4-4", (4, 4), (4, 4, 4)),
        ]
    ]
    return check_cases(
        function,
        cases,
        draw=lambda rng: _forward_case(rng, "drawn", (rng.integers(2, 5), 3), (3, 2, 4)),
        mistakes={
            "the hidden layer has no activation": _forward_linear,
            "the last layer has no activation: a logit may be negative": _forward_clipped,
            "the first bias is missing": lambda A, W1, b1, W2, b2: relu(A @ W1.T) @ W2.T + b2,
        },
    )


def check_merge(function):
    """Check the merging of two layers that have no activation between them.

    The answer takes ``(W1, b1, W2, b2)``; returns ``(W, b)`` with ``W @ a + b == W2 @ (W1 @ a + b1)
    + b2`` for every a.
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
    return check_cases(
        function,
        cases,
        draw=lambda rng: _merge_case(_layers(2, 3, 4, rng)),
    )


def _count_case(sizes):
    return Case(f"layers {sizes}", (sizes,), count_parameters(sizes), max_ulp=0.0)


def _count_weights(sizes):
    return sum(k * n for k, n in pairwise(sizes))


def _integers(rng, shape):
    """Small whole numbers: sums of their products are exact in any order."""
    return rng.integers(-3, 4, size=shape).astype(np.float64)


def _layers(k, hidden, n, rng=None):
    shapes = [(hidden, k), (hidden,), (n, hidden), (n,)]
    return tuple(
        _integers(rng or np.random.default_rng(seed), shape) for seed, shape in enumerate(shapes)
    )


def _forward_case(rng, name, shape, sizes):
    samples = _integers(rng, shape)
    layers = _layers(*sizes, rng if name == "drawn" else None)
    expected = forward([layers[:2], layers[2:]], samples)[-1]
    return Case(name, (samples, *layers), expected, max_ulp=0.0)


def _forward_linear(A, W1, b1, W2, b2):
    return (A @ W1.T + b1) @ W2.T + b2


def _forward_clipped(A, W1, b1, W2, b2):
    return relu(relu(A @ W1.T + b1) @ W2.T + b2)


def _merge_case(layers):
    return Case("drawn", layers, _merges(layers))


def _merges(layers):
    W1, b1, W2, b2 = layers
    shapes = [(len(b2), W1.shape[1]), b2.shape]

    def reason(result):
        W, b = map(numbers_of, parts_of(result, ("W", "b")))
        if [W.shape, b.shape] != shapes:
            return f"shapes {W.shape} and {b.shape} instead of {shapes[0]} and {shapes[1]}"
        at_zero, wanted = b, W2 @ b1 + b2
        wrong = np.flatnonzero(at_zero != wanted)
        if wrong.size:
            i = wrong[0]
            return f"for a = 0 logit {i} is {at_zero[i]:g} instead of {wanted[i]:g}"
        return None if np.array_equal(W, W2 @ W1) else "right for a = 0, wrong for other samples"

    return reason
